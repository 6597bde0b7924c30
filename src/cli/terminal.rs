//! The user's terminal as a value: questions, lines, and input without echo.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use crate::domain::fault::{Exit, Fault};
use crate::domain::secret::Secret;
use crate::domain::text::sanitize;

/// The controlling terminal, even where stdin and stdout are redirected.
pub struct Terminal {
    lines: BufReader<File>,
    screen: File,
    /// When to stop waiting for an answer.
    until: Option<Instant>,
}

/// How often an open prompt checks whether its answer is still needed.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

impl Terminal {
    /// Opens the controlling terminal; `None` where there is none.
    pub fn open() -> Option<Self> {
        let screen = OpenOptions::new().read(true).write(true).open("/dev/tty").ok()?;
        Some(Self { lines: BufReader::new(screen.try_clone().ok()?), screen, until: None })
    }

    /// Opens the controlling terminal; each answer must come within `patience` from now.
    pub fn open_for(patience: Duration) -> Option<Self> {
        let until = Some(Instant::now() + patience);
        Some(Self { until, ..Self::open()? })
    }

    /// Shows a question and reads a line. An end of input is a cancellation.
    pub fn ask(&mut self, question: &str) -> Result<String, Fault> {
        self.put(question);
        self.await_line()?;
        self.line()
    }

    /// Waits for a line until the time limit.
    ///
    /// macOS cannot poll this device and reports it ready at once: there the read itself waits.
    fn await_line(&self) -> Result<(), Fault> {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        let mut ready = [PollFd::new(&self.screen, PollFlags::IN)];
        loop {
            let left = self.until.map(|until| until.saturating_duration_since(Instant::now()));
            let nap = left.and_then(|nap| Timespec::try_from(nap).ok());
            match poll(&mut ready, nap.as_ref()) {
                Ok(0) if left.is_some_and(|left| left.is_zero()) => return Err(no_answer()),
                Ok(0) | Err(rustix::io::Errno::INTR) => {}
                _ => return Ok(()),
            }
        }
    }

    /// Whether a line was typed; waits for it up to a second. Other tasks go on meanwhile.
    pub async fn has_line(&self) -> Result<bool, Fault> {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        if self.until.is_some_and(|until| until <= Instant::now()) {
            return Err(no_answer());
        }
        if let Ok(tty) = self.screen.try_clone().and_then(AsyncTty::new) {
            // epoll tells only what is new, so what is there already is looked for first.
            let mut ready = [PollFd::new(&self.screen, PollFlags::IN)];
            let now = Timespec { tv_sec: 0, tv_nsec: 0 };
            if poll(&mut ready, Some(&now)).is_ok_and(|count| count > 0) {
                return Ok(true);
            }
            let readable = tokio::time::timeout(CHECK_INTERVAL, tty.readable()).await;
            return Ok(readable.is_ok());
        }
        // Where a terminal cannot be waited for like this (macOS), the read itself waits.
        Ok(true)
    }

    /// The line that was typed. An end of input is a cancellation.
    pub fn line(&mut self) -> Result<String, Fault> {
        let mut line = String::new();
        match self.lines.read_line(&mut line) {
            Ok(0) | Err(_) => Err(cancelled()),
            Ok(_) => Ok(line.trim().to_owned()),
        }
    }

    /// Writes as it is, without a new line.
    pub fn put(&mut self, text: &str) {
        let _ = write!(self.screen, "{text}").and_then(|()| self.screen.flush());
    }

    /// Writes another text in the place of the line above the cursor's; what is being typed stays as it is.
    pub fn replace_above(&mut self, text: &str) {
        self.put(&format!("\x1b7\x1b[1A\r{text}\x1b[K\x1b8"));
    }

    /// Discards input that was typed but not read, so that no other program reads it.
    pub fn discard_input(&self) {
        use rustix::termios::{QueueSelector, tcflush};
        let _ = tcflush(&self.screen, QueueSelector::IFlush);
    }

    /// Shows a question and reads a line without echo; ^C and ^D cancel.
    ///
    /// Signals from the keyboard are off meanwhile: a ^C that ended us would leave the echo off.
    pub fn ask_hidden(&mut self, question: &str) -> Result<Secret, Fault> {
        use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
        let failed = |error: rustix::io::Errno| {
            Fault::new(Exit::Fault, "the terminal's echo cannot be turned off")
                .because(error.to_string())
        };
        let before = tcgetattr(&self.screen).map_err(failed)?;
        let mut quiet = before.clone();
        quiet.local_modes.remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG);
        tcsetattr(&self.screen, OptionalActions::Now, &quiet).map_err(failed)?;
        let _ = write!(self.screen, "{question}").and_then(|()| self.screen.flush());
        let answer = self.hidden_line();
        let _ = tcsetattr(&self.screen, OptionalActions::Now, &before);
        self.show("");
        answer
    }

    fn hidden_line(&mut self) -> Result<Secret, Fault> {
        const MAX_LINE_BYTES: usize = 1024; // never grows, so leaves no copy
        let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_LINE_BYTES));
        let mut key = [0];
        loop {
            match self.lines.read(&mut key) {
                Ok(1) => {}
                _ => return Err(cancelled()),
            }
            match key[0] {
                b'\r' | b'\n' => break,
                0x03 | 0x04 => return Err(cancelled()),
                0x15 => bytes.clear(), // ^U
                0x08 | 0x7F => while bytes.pop().is_some_and(|byte| byte & 0xC0 == 0x80) {},
                byte if byte >= b' ' && bytes.len() < MAX_LINE_BYTES => bytes.push(byte),
                _ => {}
            }
        }
        let text = std::str::from_utf8(&bytes).map_err(|_| {
            Fault::new(Exit::Usage, "the input is not valid UTF-8")
                .fix("set the terminal's encoding to UTF-8")
        })?;
        Ok(Secret::new(text.to_owned()))
    }

    /// Shows a line on the terminal itself: stderr may be redirected.
    pub fn show(&mut self, line: &str) {
        let _ = writeln!(self.screen, "{line}");
    }
}

/// The terminal's title, which is given back when this is dropped.
pub struct Title(File);

impl Title {
    /// Sets the title, where a terminal has one.
    ///
    /// XTWINOPS 22 and 23 keep the former one (a terminal that lacks them ignores them), OSC 2 sets it.
    pub fn set(text: &str) -> Option<Self> {
        let term = std::env::var("TERM").unwrap_or_default();
        if matches!(term.as_str(), "" | "dumb" | "linux") {
            return None;
        }
        let mut screen = OpenOptions::new().write(true).open("/dev/tty").ok()?;
        write!(screen, "\x1b[22;0t\x1b]2;{}\x07", sanitize(text)).ok()?;
        Some(Self(screen))
    }
}

impl Drop for Title {
    fn drop(&mut self) {
        let _ = write!(self.0, "\x1b[23;0t");
    }
}

fn no_answer() -> Fault {
    Fault::new(Exit::NeedsPerson, "there was no answer in time")
        .fix("run `sekisho login` in a terminal first")
}

/// A terminal that tasks can wait for.
struct AsyncTty(tokio::io::unix::AsyncFd<File>);

impl AsyncTty {
    fn new(tty: File) -> std::io::Result<Self> {
        #[expect(
            deprecated,
            reason = "unsound with types that lie about their descriptor; File does not, and the successor is unsafe"
        )]
        let tty = tokio::io::unix::AsyncFd::with_interest(tty, tokio::io::Interest::READABLE)?;
        Ok(Self(tty))
    }

    async fn readable(&self) {
        if let Ok(mut ready) = self.0.readable().await {
            ready.retain_ready();
        }
    }
}

/// The fault of a question that was declined.
pub fn cancelled() -> Fault {
    Fault::new(Exit::Cancelled, "cancelled")
}

/// Whether Enter was pressed on the terminal while we waited for something else; reads that line.
pub fn enter_was_pressed() -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let Some(mut terminal) = Terminal::open() else {
        return false;
    };
    let mut ready = [PollFd::new(&terminal.screen, PollFlags::IN)];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    let pressed = poll(&mut ready, Some(&now)).is_ok_and(|count| count > 0);
    pressed && terminal.lines.read_line(&mut String::new()).is_ok()
}
