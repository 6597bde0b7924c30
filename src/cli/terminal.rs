//! The person's terminal as a value: questions, lines, and lines that are not shown.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use crate::domain::fault::{Exit, Fault};
use crate::domain::secret::Secret;

/// The person's terminal, wherever stdin and stdout lead.
pub struct Terminal {
    lines: BufReader<File>,
    screen: File,
    /// When it is too late for an answer.
    until: Option<Instant>,
}

/// How often an open prompt looks whether its answer is still needed.
const LOOK: Duration = Duration::from_secs(1);

impl Terminal {
    /// Opens the controlling terminal; `None` where there is none.
    pub fn open() -> Option<Self> {
        let screen = OpenOptions::new().read(true).write(true).open("/dev/tty").ok()?;
        Some(Self { lines: BufReader::new(screen.try_clone().ok()?), screen, until: None })
    }

    /// Opens the controlling terminal for a person who has so long to answer.
    pub fn open_for(patience: Duration) -> Option<Self> {
        let until = Some(Instant::now() + patience);
        Some(Self { until, ..Self::open()? })
    }

    /// Waits until a line was entered, or until it is too late. `false` where `needless` comes to say that none
    /// is needed. (macOS cannot poll this device and says "ready" at once: there the read itself waits.)
    fn await_line(&self, needless: Option<&dyn Fn() -> bool>) -> Result<bool, Fault> {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        let mut ready = [PollFd::new(&self.screen, PollFlags::IN)];
        loop {
            let left = self.until.map(|until| until.saturating_duration_since(Instant::now()));
            let nap = left
                .into_iter()
                .chain(needless.map(|_| LOOK))
                .min()
                .and_then(|nap| Timespec::try_from(nap).ok());
            match poll(&mut ready, nap.as_ref()) {
                Ok(0) if needless.is_some_and(|needless| needless()) => return Ok(false),
                Ok(0) if left.is_some_and(|left| left.is_zero()) => {
                    return Err(Fault::new(Exit::NeedsPerson, "nobody answered in time")
                        .fix("run `sekisho login` in a terminal first"));
                }
                Ok(0) | Err(rustix::io::Errno::INTR) => {}
                _ => return Ok(true),
            }
        }
    }

    /// Shows a question and reads a line. An end of input is a cancellation.
    pub fn ask(&mut self, question: &str) -> Result<String, Fault> {
        self.ask_unless(question, None)?.ok_or_else(cancelled)
    }

    /// The same for as long as `needless` does not say that no answer is needed: then there is none.
    pub fn ask_unless(
        &mut self,
        question: &str,
        needless: Option<&dyn Fn() -> bool>,
    ) -> Result<Option<String>, Fault> {
        let mut line = String::new();
        let asked = write!(self.screen, "{question}").and_then(|()| self.screen.flush());
        if !self.await_line(needless)? {
            return Ok(None);
        }
        let read = asked.and_then(|()| self.lines.read_line(&mut line));
        match read {
            Ok(0) | Err(_) => Err(cancelled()),
            Ok(_) => Ok(Some(line.trim().to_owned())),
        }
    }

    /// Throws away what was typed and not read, so that no one else reads it.
    pub fn forget_keys(&self) {
        use rustix::termios::{QueueSelector, tcflush};
        let _ = tcflush(&self.screen, QueueSelector::IFlush);
    }

    /// Shows a question and reads a line that is not shown; ^C and ^D cancel.
    ///
    /// The terminal hands over every key, ^C included, so that it is never left silent.
    pub fn ask_hidden(&mut self, question: &str) -> Result<Secret, Fault> {
        use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
        let failed = |error: rustix::io::Errno| {
            Fault::new(Exit::Fault, "the terminal cannot be silenced").because(error.to_string())
        };
        let before = tcgetattr(&self.screen).map_err(failed)?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG);
        tcsetattr(&self.screen, OptionalActions::Now, &silent).map_err(failed)?;
        let _ = write!(self.screen, "{question}").and_then(|()| self.screen.flush());
        let answer = self.hidden_line();
        let _ = tcsetattr(&self.screen, OptionalActions::Now, &before);
        self.say("");
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
            Fault::new(Exit::Usage, "what was typed is not UTF-8")
                .fix("check the terminal's character set")
        })?;
        Ok(Secret::new(text.to_owned()))
    }

    /// Shows a line.
    pub fn say(&mut self, line: &str) {
        let _ = writeln!(self.screen, "{line}");
    }
}

/// The fault of a person who said no.
pub fn cancelled() -> Fault {
    Fault::new(Exit::Cancelled, "cancelled")
}

/// Whether a line was entered on the terminal while we waited for something else.
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
