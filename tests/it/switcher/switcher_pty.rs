//! A terminal for the switcher: an interactive bash in a terminal, and sekisho started from it.

use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::pty::terminal::{Pty, command};
use crate::support::program;
use crate::verbs::home::{Home, SEKISHO};

/// The prompt of the person's own shell.
const PROMPT: &str = "switcher_pty> ";

/// A terminal with a shell in it. It outlives sekisho, and so sees what sekisho left.
pub struct SwitcherPty {
    pub home: Home,
    pub pty: Pty,
}

impl SwitcherPty {
    /// A home whose config names an organization in this process; `None` without bash.
    pub fn new() -> Option<Self> {
        Self::with("", &[])
    }

    /// With more keys of the config, and variables.
    pub fn with(config: &str, variables: &[(&str, &str)]) -> Option<Self> {
        let bash = program("bash")?;
        let home = Home::with(config);
        let mut shell = command(&bash, home.path());
        shell.args(["--noprofile", "--norc", "-i"]);
        let tmp = home.path().join("tmp");
        std::fs::create_dir(&tmp).unwrap();
        shell.env("TMPDIR", tmp);
        shell.env("PS1", PROMPT);
        shell.env("SHELL", &bash);
        shell.env("SEKISHO", SEKISHO);
        for (name, value) in Home::key() {
            shell.env(name, value);
        }
        for (name, value) in variables {
            shell.env(name, value);
        }
        let mut pty = Pty::spawn(shell);
        pty.wait_for(PROMPT);
        pty.line("stty -g > before; clear");
        pty.wait_until("a clear screen", |screen| screen.trim() == PROMPT.trim());
        Some(Self { home, pty })
    }

    /// Starts sekisho and waits for its list.
    #[track_caller]
    pub fn open(&mut self, arguments: &str) {
        self.pty
            .line(&format!("$SEKISHO {arguments}; echo EN''DED $?; stty -g > after; echo LE''FT"));
        self.pty.wait_until("the list", |screen| {
            screen.contains("ACCOUNT") && screen.contains("Esc quit")
        });
    }

    /// Waits for its end and returns its exit code; the terminal must be what it was.
    #[track_caller]
    pub fn ended(&self) -> i32 {
        let screen = self.pty.wait_for("LEFT");
        assert!(!self.pty.has_screen(), "the alternate screen is left");
        assert!(self.pty.has_cursor(), "the cursor is shown");
        let read = |name: &str| std::fs::read_to_string(self.home.path().join(name)).unwrap();
        assert_eq!(read("before"), read("after"), "the terminal's settings");
        let (_, code) = screen.rsplit_once("ENDED ").unwrap();
        code.lines().next().unwrap().trim().parse().unwrap()
    }

    /// Chooses an account by its name.
    #[track_caller]
    pub fn choose(&mut self, name: &str) {
        self.pty.send(name);
        self.pty.wait_for(&format!("› {name}"));
        self.pty.send("\r");
    }

    /// Waits for the code box and types the phone's code into it.
    #[track_caller]
    pub fn give_code(&mut self) {
        self.pty.wait_for("MFA code");
        let code = self.home.code();
        self.pty.send(code.trim());
    }

    /// Waits for a subshell's prompt.
    #[track_caller]
    pub fn inside(&self, account: &str) {
        let prompt = format!("[{account}/Developer]");
        self.pty.wait_until(&prompt, |screen| {
            screen.lines().any(|line| line.contains(&prompt)) && !screen.contains("Esc quit")
        });
    }

    /// Waits until something is so, where no output tells.
    #[track_caller]
    pub fn until(&self, what: &str, condition: impl Fn() -> bool) {
        let end = Instant::now() + Duration::from_secs(30);
        while !condition() {
            assert!(Instant::now() < end, "never {what}:\n{}", self.pty.screen());
            std::thread::yield_now();
        }
    }
}

/// Sends a signal.
pub fn signal(pid: i32, signal: Signal) {
    kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
}

/// What the demo says its device shows.
#[track_caller]
pub fn shown_code(screen: &str) -> String {
    let (_, rest) = screen.rsplit_once("the device shows ").unwrap();
    let code: String = rest.chars().take(6).collect();
    assert!(code.bytes().all(|byte| byte.is_ascii_digit()), "{screen}");
    code
}

/// A number in a file that a script has written.
pub fn number(file: &Path) -> i32 {
    std::fs::read_to_string(file).unwrap().trim().parse().unwrap()
}
