//! The user's terminal as a value: questions, lines, and input without echo.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
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
        let screen = open_tty().ok()?;
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

    /// Waits for a line until the time limit. Where the terminal cannot be polled, the read itself waits.
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
            if poll(&mut ready, Some(&now)).is_ok() && has_input(&ready) {
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
    pub fn ask_hidden(&mut self, question: &str) -> Result<Secret, Fault> {
        let answer = self.without_echo(question, Self::hidden_line)?;
        let text = std::str::from_utf8(&answer).map_err(|_| {
            Fault::new(Exit::Usage, "the input is not valid UTF-8")
                .fix("set the terminal's encoding to UTF-8")
        })?;
        Ok(Secret::new(text.to_owned()))
    }

    /// Shows a question and reads a line, or what is pasted, of any number of lines, without echo; ^C and ^D cancel.
    pub fn ask_pasted(&mut self, question: &str) -> Result<Zeroizing<Vec<u8>>, Fault> {
        // The terminal then tells where a paste begins and ends: DECSET 2004.
        let tells = !matches!(std::env::var("TERM").as_deref(), Err(_) | Ok("" | "dumb" | "linux"));
        if tells {
            self.put("\x1b[?2004h");
        }
        let answer = self.without_echo(question, Self::hidden_paste);
        if tells {
            self.put("\x1b[?2004l");
        }
        // What came too late to be read must not become a command of the shell.
        self.discard_input();
        answer
    }

    /// Shows a question and reads the answer key by key.
    ///
    /// Signals from the keyboard are off meanwhile: a ^C that ended us would leave the echo off.
    fn without_echo<T>(
        &mut self,
        question: &str,
        read: impl FnOnce(&mut Self) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
        let failed = |error: rustix::io::Errno| {
            Fault::new(Exit::Fault, "the terminal's echo cannot be turned off")
                .because(error.to_string())
        };
        let before = tcgetattr(&self.screen).map_err(failed)?;
        let mut quiet = before.clone();
        quiet.local_modes.remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG);
        tcsetattr(&self.screen, OptionalActions::Now, &quiet).map_err(failed)?;
        self.put(question);
        let answer = read(self);
        let _ = tcsetattr(&self.screen, OptionalActions::Now, &before);
        self.show("");
        answer
    }

    fn hidden_line(&mut self) -> Result<Zeroizing<Vec<u8>>, Fault> {
        const MAX_LINE_BYTES: usize = 1024;
        let mut line = Hidden::new(MAX_LINE_BYTES);
        loop {
            match self.key()? {
                b'\r' | b'\n' => return Ok(line.0),
                key => line.press(key)?,
            }
        }
    }

    fn hidden_paste(&mut self) -> Result<Zeroizing<Vec<u8>>, Fault> {
        const MAX_PASTE_BYTES: usize = 64 * 1024;
        const BEGIN: &[u8] = b"\x1b[200~";
        const END: &[u8] = b"\x1b[201~";
        let mut text = Hidden::new(MAX_PASTE_BYTES);
        let mut is_pasting = false;
        loop {
            match self.key()? {
                // Also where a terminal never says that the paste is over.
                0x03 => return Err(cancelled()),
                b'\r' | b'\n' if !is_pasting && !self.has_more() => return Ok(text.0),
                b'\r' | b'\n' => text.push(b'\n'),
                key @ (b'\t' | b'\x1b') => text.push(key),
                key if is_pasting => text.push(key),
                key => text.press(key)?,
            }
            if text.take_end(BEGIN) {
                is_pasting = true;
            } else if text.take_end(END) {
                is_pasting = false;
                // Whoever sees nothing of a pasted line's end does not press Enter after it.
                if text.0.ends_with(b"\n") {
                    return Ok(text.0);
                }
            }
        }
    }

    fn key(&mut self) -> Result<u8, Fault> {
        let mut key = [0];
        match self.lines.read(&mut key) {
            Ok(1) => Ok(key[0]),
            _ => Err(cancelled()),
        }
    }

    /// Whether the rest of a paste is there, or comes within a moment that nobody types in.
    fn has_more(&self) -> bool {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        let mut ready = [PollFd::new(&self.screen, PollFlags::IN)];
        let moment = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
        !self.lines.buffer().is_empty()
            || poll(&mut ready, Some(&moment)).is_ok() && has_input(&ready)
    }

    /// Shows a line on the terminal itself: stderr may be redirected.
    pub fn show(&mut self, line: &str) {
        let _ = writeln!(self.screen, "{line}");
    }
}

/// What is typed without echo. It never grows, so it leaves no copy behind.
struct Hidden(Zeroizing<Vec<u8>>);

impl Hidden {
    fn new(size: usize) -> Self {
        Self(Zeroizing::new(Vec::with_capacity(size)))
    }

    /// A key as a person presses it.
    fn press(&mut self, key: u8) -> Result<(), Fault> {
        match key {
            0x03 | 0x04 => return Err(cancelled()),
            0x15 => self.0.clear(), // ^U
            0x08 | 0x7F => while self.0.pop().is_some_and(|byte| byte & 0xC0 == 0x80) {},
            byte if byte >= b' ' => self.push(byte),
            _ => {}
        }
        Ok(())
    }

    fn push(&mut self, byte: u8) {
        if self.0.len() < self.0.capacity() {
            self.0.push(byte);
        }
    }

    /// Removes these bytes from the end, where they are there.
    fn take_end(&mut self, end: &[u8]) -> bool {
        let rest = self.0.strip_suffix(end).map(<[u8]>::len);
        if let Some(rest) = rest {
            self.0.truncate(rest);
        }
        rest.is_some()
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

/// The controlling terminal; on macOS by its own name, since `/dev/tty` cannot be polled there (`POLLNVAL`).
fn open_tty() -> std::io::Result<File> {
    use rustix::termios::ttyname;
    let open = |path: &Path| OpenOptions::new().read(true).write(true).open(path);
    let tty = open(Path::new("/dev/tty"))?;
    if !cfg!(target_os = "macos") {
        return Ok(tty);
    }
    let names = [
        ttyname(rustix::stdio::stdin(), Vec::new()),
        ttyname(rustix::stdio::stderr(), Vec::new()),
        ttyname(rustix::stdio::stdout(), Vec::new()),
    ];
    let named = names.into_iter().flatten().next();
    Ok(named
        .and_then(|name| open(Path::new(OsStr::from_bytes(name.to_bytes()))).ok())
        .unwrap_or(tty))
}

/// Whether there is something to read: a terminal that cannot be polled, or is gone, is reported, too.
fn has_input(polled: &[rustix::event::PollFd<'_>]) -> bool {
    polled.iter().any(|fd| fd.revents().contains(rustix::event::PollFlags::IN))
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
    let pressed = poll(&mut ready, Some(&now)).is_ok() && has_input(&ready);
    pressed && terminal.lines.read_line(&mut String::new()).is_ok()
}
