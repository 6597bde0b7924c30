//! A program in a pseudo-terminal: keys in, screen out. Waits for conditions, never for time.

use std::io::{Read, Write};
use std::num::NonZero;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

use crate::support::{environment, until};

const ROWS: NonZero<u16> = NonZero::new(30).unwrap();
const COLUMNS: NonZero<u16> = NonZero::new(100).unwrap();

/// How long a condition may take on a loaded machine.
const DEADLINE: Duration = Duration::from_secs(30);

/// How often a condition that no output announces is looked at.
const POLL: Duration = Duration::from_millis(20);

/// Everything the program has drawn, and whether it has hung up.
struct Screen {
    parser: vt100::Parser,
    raw: Vec<u8>,
    closed: bool,
}

/// A program in its own terminal, 100 columns by 30 rows.
pub struct Pty {
    screen: Arc<(Mutex<Screen>, Condvar)>,
    keys: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    master: Box<dyn MasterPty + Send>,
}

/// A command whose home is `home` and whose environment is otherwise empty.
pub fn command(program: impl AsRef<std::ffi::OsStr>, home: &Path) -> CommandBuilder {
    let mut command = CommandBuilder::new(program);
    command.env_clear();
    command.cwd(home);
    // Shells know where they are by the real path.
    let home = home.canonicalize().unwrap();
    for (name, value) in environment(&home) {
        command.env(name, value);
    }
    for folder in [".config", ".cache", ".local/state"] {
        std::fs::create_dir_all(home.join(folder)).unwrap();
    }
    // Without it each first fish of a home reads every man page of the machine, for a minute.
    std::fs::create_dir_all(home.join(".local/share/fish/generated_completions")).unwrap();
    command.env("XDG_DATA_HOME", home.join(".local/share"));
    command.env("TERM", "xterm-256color");
    command.env("LANG", "C.UTF-8");
    command
}

impl Pty {
    /// Starts a command.
    pub fn spawn(command: CommandBuilder) -> Self {
        let pair = native_pty_system()
            .openpty(PtySize { rows: ROWS.get(), cols: COLUMNS.get(), ..PtySize::default() })
            .unwrap();
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let screen = Arc::new((
            Mutex::new(Screen {
                parser: vt100::Parser::new(ROWS, COLUMNS, 10_000),
                raw: Vec::new(),
                closed: false,
            }),
            Condvar::new(),
        ));
        let mut output = pair.master.try_clone_reader().unwrap();
        let shared = Arc::clone(&screen);
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            loop {
                let read = output.read(&mut buffer).unwrap_or(0);
                let mut screen = shared.0.lock().unwrap();
                screen.parser.process(&buffer[..read]);
                screen.raw.extend_from_slice(&buffer[..read]);
                screen.closed = read == 0;
                shared.1.notify_all();
                if read == 0 {
                    break;
                }
            }
        });
        Self { screen, keys: pair.master.take_writer().unwrap(), child, master: pair.master }
    }

    /// Types.
    pub fn send(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    /// Types a line and Enter.
    pub fn line(&mut self, text: &str) {
        self.send(text);
        self.send("\r");
    }

    /// Waits until the screen satisfies a condition, and returns its text.
    ///
    /// # Panics
    /// With the screen, if that never happens.
    #[track_caller]
    pub fn wait_until(&self, what: &str, condition: impl Fn(&str) -> bool) -> String {
        let end = Instant::now() + DEADLINE;
        let mut screen = self.screen.0.lock().unwrap();
        loop {
            let text = screen.parser.screen().contents();
            if condition(&text) {
                return text;
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() || screen.closed {
                drop(screen);
                panic!("it never came to {what}:\n{text}");
            }
            screen = self.screen.1.wait_timeout(screen, left.min(POLL)).unwrap().0;
        }
    }

    /// Waits until a text stands on the screen.
    #[track_caller]
    pub fn wait_for(&self, text: &str) -> String {
        self.wait_until(&format!("{text:?}"), |screen| screen.contains(text))
    }

    /// The text on the screen.
    pub fn screen(&self) -> String {
        self.screen.0.lock().unwrap().parser.screen().contents()
    }

    /// The colours of a text's first character on the screen, and of the character after the text.
    pub fn colors(&self, text: &str) -> (vt100::Color, vt100::Color) {
        let screen = self.screen.0.lock().unwrap();
        let screen = screen.parser.screen();
        let (row, line) =
            (0..).zip(screen.rows(0, COLUMNS.get())).find(|(_, line)| line.contains(text)).unwrap();
        let column = u16::try_from(line.find(text).unwrap()).unwrap();
        let after = column + u16::try_from(text.len()).unwrap();
        let color = |column| screen.cell(row, column).unwrap().fgcolor();
        (color(column), color(after))
    }

    /// Everything that was ever written to the terminal.
    pub fn transcript(&self) -> String {
        let screen = self.screen.0.lock().unwrap();
        String::from_utf8_lossy(&screen.raw).into_owned()
    }

    /// Whether a program has the terminal as a screen: alternate, pasting in brackets.
    pub fn has_screen(&self) -> bool {
        let screen = self.screen.0.lock().unwrap();
        let modes = screen.parser.screen();
        modes.alternate_screen() && modes.bracketed_paste()
    }

    /// Whether the cursor can be seen.
    pub fn has_cursor(&self) -> bool {
        !self.screen.0.lock().unwrap().parser.screen().hide_cursor()
    }

    /// Makes the window so large.
    pub fn resize(&self, columns: u16, rows: u16) {
        let (height, width) = (NonZero::new(rows).unwrap(), NonZero::new(columns).unwrap());
        let mut screen = self.screen.0.lock().unwrap();
        screen.parser.screen_mut().set_size(height, width);
        drop(screen);
        let size = PtySize { rows, cols: columns, ..PtySize::default() };
        self.master.resize(size).unwrap();
    }

    /// The process id of the program.
    pub fn pid(&self) -> i32 {
        self.child.process_id().unwrap().try_into().unwrap()
    }

    /// The process group that owns the terminal now.
    pub fn foreground(&self) -> i32 {
        self.master.process_group_leader().unwrap()
    }

    /// Whether the program has ended.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Sends keys, again every second, until the screen satisfies a condition.
    ///
    /// # Panics
    /// With the screen, if that never happens.
    #[track_caller]
    pub fn send_until(&mut self, keys: &str, what: &str, condition: impl Fn(&str) -> bool) {
        let end = Instant::now() + DEADLINE;
        while Instant::now() < end {
            self.send(keys);
            let next = Instant::now() + Duration::from_secs(1);
            while Instant::now() < next {
                if condition(&self.screen()) {
                    return;
                }
                let screen = self.screen.0.lock().unwrap();
                let _ = self.screen.1.wait_timeout(screen, POLL).unwrap();
            }
        }
        panic!("it never came to {what}:\n{}", self.screen());
    }

    /// Waits until nothing more can be written: the program has ended, and its children too. Returns its exit
    /// code and everything that was ever written.
    pub fn last_words(&mut self) -> (u32, String) {
        let code = self.wait();
        let end = Instant::now() + DEADLINE;
        let mut screen = self.screen.0.lock().unwrap();
        while !screen.closed && Instant::now() < end {
            screen = self.screen.1.wait_timeout(screen, POLL).unwrap().0;
        }
        (code, String::from_utf8_lossy(&screen.raw).into_owned())
    }

    /// Answers each question that comes to stand on the screen, until the program has ended; returns as
    /// [`last_words`](Self::last_words).
    pub fn attend(&mut self, answer: impl Fn(&str) -> Option<String>) -> (u32, String) {
        let mut answered = String::new();
        until("the program's end", || {
            let screen = self.screen();
            if screen != answered
                && let Some(text) = answer(&screen)
            {
                answered = screen;
                self.line(&text);
            }
            self.has_ended().then_some(())
        });
        self.last_words()
    }

    /// Waits for the program's end and returns its exit code.
    pub fn wait(&mut self) -> u32 {
        let end = Instant::now() + DEADLINE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.exit_code();
            }
            assert!(Instant::now() < end, "still running:\n{}", self.screen());
            std::thread::yield_now();
        }
    }
}

impl Drop for Pty {
    /// Nothing outlives its test.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
