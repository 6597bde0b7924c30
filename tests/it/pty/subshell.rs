//! The subshell: the environment after the person's own rc files, keys, signals, the terminal.

use std::path::Path;

use rustix::process::{Pid, Signal, kill_process};

use super::driver::{ARGUMENTS, Errand, SECRET, TOKEN, Task};
use super::terminal::Pty;
use crate::support::{program, until};

/// The shells that sekisho teaches, each with the file of a person's own.
pub const SHELLS: [(&str, &str); 3] =
    [("bash", ".bashrc"), ("zsh", ".zshrc"), ("fish", ".config/fish/config.fish")];

/// A home with `text` as the shell's rc file.
pub fn home(rc: &str, text: &str) -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    let rc = home.path().join(rc);
    std::fs::create_dir_all(rc.parent().unwrap()).unwrap();
    std::fs::write(rc, text).unwrap();
    home
}

/// A subshell with its prompt drawn.
pub fn start(task: &Task, home: &Path) -> Pty {
    let pty = Pty::spawn(task.command(home));
    pty.wait_for(&format!("[{}/Developer]", task.account));
    pty
}

/// A subshell of each installed shell, with nothing of the person's.
fn each(test: impl Fn(&str, &Path, &mut Pty)) {
    for (shell, rc) in SHELLS {
        if let Some(program) = program(shell) {
            let home = home(rc, "");
            let mut pty = start(&Task::new(&program, home.path()), home.path());
            test(shell, home.path(), &mut pty);
        }
    }
}

fn signal(pid: i32, signal: Signal) {
    kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
}

#[test]
fn start_up_files_run_first_and_lose() {
    for (shell, rc) in SHELLS {
        let Some(program) = program(shell) else {
            continue;
        };
        let export = |name: &str, value: &str| match shell {
            "fish" => format!("set -gx {name} {value}\n"),
            _ => format!("export {name}={value}\n"),
        };
        let text = [
            export("AWS_PROFILE", "production"),
            export("AWS_ACCESS_KEY_ID", "AKIAWRONG"),
            export("AWSUME_PROFILE", "x"),
            export("MY_OWN", "kept"),
        ]
        .concat();
        let home = home(rc, &text);
        let mut pty = start(&Task::new(&program, home.path()), home.path());
        let screen = pty.wait_for("undone in this shell");
        let line = screen.lines().find(|line| line.contains("undone")).unwrap();
        for name in ["AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWSUME_PROFILE"] {
            assert!(line.contains(name), "{shell}: {line}");
        }
        pty.line("env > seen; echo FI''N");
        let screen = pty.wait_for("FIN");
        assert_eq!(screen.matches("undone").count(), 1, "{shell}: {screen}");
        let seen = std::fs::read_to_string(home.path().join("seen")).unwrap();
        let value = |name: &str| {
            let start = format!("{name}=");
            seen.lines().find_map(|line| line.strip_prefix(&start))
        };
        let expected = [
            ("AWS_ACCESS_KEY_ID", Some("ASIA1234567890ABCDEF")),
            ("AWS_SECRET_ACCESS_KEY", Some(SECRET)),
            ("AWS_SESSION_TOKEN", Some(TOKEN)),
            ("AWS_REGION", Some("ap-northeast-1")),
            ("SEKISHO_DEPTH", Some("1")),
            ("MY_OWN", Some("kept")),
            ("AWS_PROFILE", None),
            ("AWSUME_PROFILE", None),
            ("AWS_VAULT", None),
        ];
        for (name, expected) in expected {
            assert_eq!(value(name), expected, "{shell}: {name}");
        }
        // The second copies are gone before a command runs.
        assert!(!seen.contains("__SEKISHO"), "{shell}: {seen}");
        assert_eq!(seen.matches(TOKEN).count(), 1, "{shell}");
        // What is written to disk is constant.
        for folder in std::fs::read_dir(home.path().join("run")).unwrap() {
            let files = std::fs::read_dir(folder.unwrap().path()).unwrap();
            for file in files.map(|file| file.unwrap().path()).filter(|path| path.is_file()) {
                let text = std::fs::read_to_string(file).unwrap();
                assert!(!text.contains("canary") && !text.contains("tanaka"), "{shell}");
            }
        }
    }
}

#[test]
fn start_up_files_do_not_inherit_the_copies() {
    // fish reads its files before anything of ours can run.
    for (shell, rc) in &SHELLS[..2] {
        let Some(program) = program(shell) else {
            continue;
        };
        let home = home(rc, "env > seen\n");
        start(&Task::new(&program, home.path()), home.path());
        let seen = std::fs::read_to_string(home.path().join("seen")).unwrap();
        assert!(seen.contains("SEKISHO_TARGET=dev-tanaka/Developer"), "{seen}");
        assert!(!seen.contains("__SEKISHO"), "{shell}: {seen}");
    }
}

#[test]
fn a_universal_variable_of_fish_is_named_and_not_erased() {
    let Some(fish) = program("fish") else { return };
    let home = home(".config/fish/config.fish", "");
    let mut first = Pty::spawn({
        let mut command = super::terminal::command(&fish, home.path());
        command.args(["-c", "set -Ux AWS_PROFILE production"]);
        command
    });
    first.wait();
    let mut pty = start(&Task::new(&fish, home.path()), home.path());
    pty.wait_for("universal AWS_PROFILE");
    pty.line("set -qU AWS_PROFILE; and echo STI''LL");
    pty.wait_for("STILL");
}

#[test]
fn every_key_reaches_the_child() {
    each(|shell, _, pty| {
        let typed = "abcdefghijklmnopqrstuvwxyz0123456789".repeat(4);
        pty.line("sh -c 'echo REA\"\"DY; exec cat > typed'");
        pty.wait_for("READY");
        for key in typed.chars() {
            pty.send(&key.to_string());
        }
        pty.send("\r\u{4}");
        pty.line("wc -c < typed; echo FI''N");
        let screen = pty.wait_for("FIN");
        let expected = (typed.len() + 1).to_string();
        assert!(screen.lines().any(|line| line.trim() == expected), "{shell}: {screen}");
    });
}

#[test]
fn interrupts_and_job_control_are_the_childs() {
    each(|shell, _, pty| {
        // At the prompt: the line is given up, the shell stays.
        pty.send("half a line");
        pty.wait_for("half a line");
        let prompts = |screen: &str| screen.matches("[dev-tanaka/Developer]").count();
        let before = prompts(&pty.screen());
        // More than once: readline forgets an interrupt that comes between two of its reads.
        pty.send_until("\u{3}", "a new prompt", |screen| prompts(screen) > before);
        // On a command: the command ends, the shell stays.
        pty.line("sh -c 'echo RUN\"\"NING; exec cat'");
        pty.wait_for("RUNNING");
        let before = prompts(&pty.screen());
        pty.send("\u{3}");
        pty.wait_until("a new prompt", |screen| prompts(screen) > before);
        pty.line("echo AF''TER");
        pty.wait_for("AFTER");
        // Stopped, listed, resumed.
        pty.line("sh -c 'echo REA\"\"DY; exec cat'");
        pty.wait_for("READY");
        pty.send("stop me\r");
        pty.wait_until("the echo of cat", |screen| screen.matches("stop me").count() == 2);
        let before = prompts(&pty.screen());
        pty.send("\u{1a}");
        pty.wait_until("a new prompt", |screen| prompts(screen) > before);
        pty.line("jobs; echo JO''BS");
        let screen = pty.wait_for("JOBS");
        assert!(
            screen.to_lowercase().contains("stopped") || screen.contains("suspended"),
            "{shell}: {screen}"
        );
        let shell_group = pty.foreground();
        pty.line("fg");
        pty.wait_until("the command in the foreground", |_| pty.foreground() != shell_group);
        pty.line("once more");
        pty.wait_until("the echo of the resumed cat", |screen| {
            screen.matches("once more").count() == 2
        });
        let before = prompts(&pty.screen());
        pty.send("\u{4}");
        pty.wait_until("a new prompt", |screen| prompts(screen) > before);
        pty.line("exit 7");
        pty.wait_for("ENDED 7");
        pty.line("hello");
        pty.wait_for("READ hello");
        assert_eq!(pty.wait(), 7, "{shell}");
    });
}

#[test]
fn a_shell_killed_with_9_leaves_a_usable_terminal() {
    each(|shell, home, pty| {
        // The line editor has echo off while the prompt stands: the settings have to come back too.
        let child = match shell {
            "fish" => "$fish_pid",
            _ => "$$",
        };
        pty.line(&format!("echo {child} > pid; echo FI''N"));
        pty.wait_for("FIN");
        let pid = std::fs::read_to_string(home.join("pid")).unwrap();
        let pid: i32 = pid.trim().parse().unwrap();
        assert_eq!(pty.foreground(), pid, "{shell} has taken the terminal");
        signal(pid, Signal::KILL);
        pty.wait_for("ENDED 137");
        pty.line("hello");
        let screen = pty.wait_for("READ hello");
        assert_eq!(screen.matches("hello").count(), 2, "{shell} echo: {screen}");
        assert_eq!(pty.wait(), 137, "{shell}");
    });
}

#[test]
fn term_and_hup_are_passed_on() {
    let Some(bash) = program("bash") else { return };
    for (name, sent) in [("TERM", Signal::TERM), ("HUP", Signal::HUP)] {
        let home = home(".bashrc", "");
        let mut pty = start(&Task::new(&bash, home.path()), home.path());
        pty.line(&format!("trap 'kill %1; exit 9' {name}; sleep 1000 & echo FI''N; wait"));
        pty.wait_for("FIN");
        signal(pty.pid(), sent);
        pty.wait_for("ENDED 9");
        pty.line("");
        assert_eq!(pty.wait(), 9, "{name}");
    }
}

/// A child that counts signals. It never sleeps: two of a kind would be one then.
const COUNT: &str = r#"n=0; trap 'n=$((n+1)); echo "INT $n"' INT; w=0; trap 'w=$((w+1)); echo "WINCH $w"' WINCH
    q=0; trap 'q=$((q+1)); echo "QUIT $q"' QUIT; trap 'exit 9' TERM; echo ready; while :; do :; done"#;

#[test]
fn a_signal_reaches_the_child_once_whether_typed_or_sent() {
    let Some(sh) = program("sh") else { return };
    let home = home(".profile", "");
    let argv = [sh.to_str().unwrap(), "-c", COUNT].map(str::to_owned);
    let task = Task { errand: Errand::Run(argv.into()), ..Task::new(&sh, home.path()) };
    let mut pty = Pty::spawn(task.command(home.path()));
    pty.wait_for("ready");
    // Of two signals of a kind that come together the kernel makes one.
    let taken = |pty: &Pty| {
        let status = format!("/proc/{}/status", pty.pid());
        until("no signal pending", || {
            let status = std::fs::read_to_string(&status).unwrap();
            let mut pending = status.lines().filter(|line| line.starts_with("ShdPnd:"));
            pending.all(|line| line.ends_with("\t0000000000000000")).then_some(())
        });
    };
    // Several times: the child, too, may see one of two.
    for n in 1..=5 {
        pty.send("\u{3}");
        pty.wait_for(&format!("INT {}", 2 * n - 1));
        taken(&pty);
        signal(pty.pid(), Signal::INT);
        pty.wait_for(&format!("INT {}", 2 * n));
        pty.send("\u{1c}");
        pty.wait_for(&format!("QUIT {n}"));
        pty.resize(90 + n, 30);
        pty.wait_for(&format!("WINCH {}", 2 * n - 1));
        taken(&pty);
        signal(pty.pid(), Signal::WINCH);
        pty.wait_for(&format!("WINCH {}", 2 * n));
    }
    signal(pty.pid(), Signal::TERM);
    pty.wait_for("ENDED 9");
    let said = pty.transcript();
    for (what, times) in [("INT ", 10), ("QUIT ", 5), ("WINCH ", 10)] {
        assert_eq!(said.matches(what).count(), times, "{what}: {said}");
    }
    pty.line("");
    assert_eq!(pty.wait(), 9);
}

#[test]
fn a_plain_shell_starts_plain() {
    let Some(sh) = program("sh") else { return };
    let home = home(".profile", "");
    let mut pty = Pty::spawn(Task::new(&sh, home.path()).command(home.path()));
    pty.line("echo \"<$SEKISHO_TARGET>\"; env | grep -c __SEKISHO");
    let screen = pty.wait_for("<dev-tanaka/Developer>");
    pty.wait_until("a count", |screen| screen.lines().any(|line| line == "0"));
    assert!(!screen.contains("sekisho:"), "{screen}");
}

#[test]
fn the_shell_one_comes_from_is_the_shell_one_gets() {
    let Some(zsh) = program("zsh") else { return };
    let home = home(".zshrc", "PROMPT='outer> '\n");
    let mut task = Task::new(&zsh, home.path());
    task.shell = None;
    let driver = task.command(home.path());
    let mut command = super::terminal::command(&zsh, home.path());
    command.arg("-i");
    for (name, value) in driver.iter_full_env_as_str() {
        command.env(name, value);
    }
    command.env("SHELL", "/bin/sh");
    command.env("DRIVER", &driver.get_argv()[0]);
    let mut pty = Pty::spawn(command);
    pty.wait_for("outer>");
    // `env` stands between, as cargo or make might.
    pty.line(&format!("env A=b $DRIVER {}; true", ARGUMENTS.join(" ")));
    pty.wait_for("[dev-tanaka/Developer] outer>");
    pty.line("echo \"<$ZSH_VERSION>\"");
    pty.wait_for("<5.");
    // The whole pair stops and comes back under the outer shell's job control.
    pty.line("exit 5");
    pty.wait_for("ENDED 5");
    let outer = pty.pid();
    pty.send("\u{1a}");
    pty.wait_until("the outer shell in the foreground", |_| pty.foreground() == outer);
    pty.line("fg");
    pty.wait_until("the driver in the foreground", |_| pty.foreground() != outer);
    pty.line("hello");
    pty.wait_for("READ hello");
}
