//! The only writer to stdout and stderr.
//!
//! stdout is data; stderr is for people. A broken pipe is silent.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{IsTerminal, Write};
use std::sync::{Mutex, OnceLock, PoisonError};

use crate::domain::account::Color;
use crate::domain::fault::{Exit, Fault};
use crate::domain::secret::Secret;
use crate::domain::text::sanitize;
use crate::services::child::pasteboard;
use crate::services::child::piped::Stream;
use crate::ui::fit;
use crate::ui::screen::{self, clipboard_sequence};

use super::args::{ColorWhen, Common};

/// The first error of stdout.
static LOSS: OnceLock<std::io::Error> = OnceLock::new();

/// Keeps an error of stdout for the exit code. A reader that has closed the pipe is no error of ours.
fn note_loss(written: std::io::Result<()>) {
    if let Err(error) = written
        && error.kind() != std::io::ErrorKind::BrokenPipe
    {
        let _ = LOSS.set(error);
    }
}

/// The clipboard of the controlling terminal: over ssh, that of the machine one sits at.
pub struct Clipboard(File);

impl Clipboard {
    /// Fails where there is no terminal, or one that would show what it gets.
    pub fn of_terminal() -> Result<Self, Fault> {
        let none = |why: String| {
            Fault::new(Exit::Fault, "there is no terminal with a clipboard")
                .because(why)
                .fix("sekisho console TARGET --print    (for 15 minutes, anyone with the URL can sign in)")
        };
        let term = std::env::var("TERM").unwrap_or_default();
        if matches!(term.as_str(), "" | "dumb" | "linux") {
            return Err(none(format!("TERM is {}", sanitize(&format!("{term:?}")))));
        }
        let tty = File::options().write(true).open("/dev/tty");
        tty.map(Self).map_err(|error| none(format!("/dev/tty: {error}")))
    }

    /// Puts a secret into it, and returns which one that was, in words.
    pub fn take(mut self, secret: &Secret) -> std::io::Result<String> {
        let text = secret.expose();
        if let Some(program) = pasteboard::put(text)? {
            return Ok(format!("the clipboard ({program})"));
        }
        let sequence = clipboard_sequence(text);
        self.0.write_all(sequence.as_bytes())?;
        Ok("the terminal's clipboard (OSC 52)".into())
    }
}

/// The warnings of this run.
static WARNED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// The writer: whether in colour, and whether with details.
#[derive(Debug, Clone, Copy)]
pub struct Out {
    color: bool,
    verbose: u8,
}

impl Out {
    /// Decides about colours from the options, `NO_COLOR` (<https://no-color.org>) and the terminal.
    pub fn new(common: &Common) -> Self {
        let wanted = match common.color {
            ColorWhen::Always => true,
            ColorWhen::Never => false,
            ColorWhen::Auto => {
                let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
                let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
                !no_color && !dumb && std::io::stderr().is_terminal()
            }
        };
        Self { color: wanted, verbose: common.verbose }
    }

    /// Whether screens may be coloured.
    pub fn color(self) -> bool {
        self.color
    }

    /// Writes data to stdout, with no newline of its own.
    pub fn print(self, text: &str) {
        let mut stdout = std::io::stdout().lock();
        note_loss(stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()));
    }

    /// Writes paragraphs to stdout, one a line, broken to the terminal's width: 100 columns at most, and where there is none.
    pub fn paragraphs(self, text: &str) {
        const WIDEST: u16 = 100;
        let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok();
        let columns = size.map_or(0, |size| size.ws_col);
        let columns = if columns == 0 { WIDEST } else { columns.min(WIDEST) };
        let lines = text.lines().flat_map(|line| fit::hanging(line, columns.into()));
        self.print(&lines.map(|line| line + "\n").collect::<String>());
    }

    /// Writes a child's line behind a prefix, in one piece; a progress line on the terminal is removed before.
    pub fn line(self, stream: Stream, prefix: &str, line: &[u8]) {
        self.progress("");
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let whole = [prefix.as_bytes(), line, b"\n"].concat();
        let _ = match stream {
            Stream::Stdout => std::io::stdout().lock().write_all(&whole),
            Stream::Stderr => std::io::stderr().lock().write_all(&whole),
        };
    }

    /// The exit code of a verb that has ended: success is none where stdout was not all written.
    pub fn ended(self, exit: Exit) -> Exit {
        match LOSS.get() {
            Some(error) if exit == Exit::Done => self.fault(
                &Fault::new(Exit::Fault, "the output could not be written")
                    .because(error.to_string()),
            ),
            _ => exit,
        }
    }

    /// Text in one of the 16 colours, where colours are wanted.
    pub fn colored(self, color: Option<Color>, text: &str) -> String {
        color.map_or_else(|| text.to_owned(), |color| self.paint(&color.sgr().to_string(), text))
    }

    /// Writes a secret to stdout: `env` and `credential-process` are asked for one. All of it, or an error.
    pub fn secret(self, text: &Secret) -> std::io::Result<()> {
        let mut stdout = std::io::stdout().lock();
        stdout.write_all(text.expose().as_bytes())?;
        stdout.flush()
    }

    /// Puts a secret into the terminal's clipboard, which the person asked for.
    pub fn copy_secret(text: &Secret) -> std::io::Result<()> {
        Self::copy(text.expose())
    }

    /// Puts text into the clipboard of the machine one sits at.
    pub fn copy(text: &str) -> std::io::Result<()> {
        if pasteboard::put(text)?.is_some() { Ok(()) } else { screen::copy(text) }
    }

    /// Writes one line to stderr.
    pub fn info(self, line: &str) {
        let _ = writeln!(std::io::stderr().lock(), "sekisho: {line}");
    }

    /// Writes whole lines to stderr: a table, a diff.
    pub fn eprint(self, lines: &str) {
        let _ = std::io::stderr().lock().write_all(lines.as_bytes());
    }

    /// Writes one JSON object to stdout: indented on a terminal, else on one line.
    pub fn json(self, object: &impl serde::Serialize) {
        let stdout = std::io::stdout().lock();
        let is_read = stdout.is_terminal();
        let mut stdout = std::io::BufWriter::with_capacity(64 * 1024, stdout);
        let written = if is_read {
            serde_json::to_writer_pretty(&mut stdout, object)
        } else {
            serde_json::to_writer(&mut stdout, object)
        };
        let written = written.map_err(std::io::Error::from);
        note_loss(written.and_then(|()| stdout.write_all(b"\n")).and_then(|()| stdout.flush()));
    }

    /// Writes one line to stderr where `-v` was given.
    pub fn debug(self, line: &str) {
        if self.verbose > 0 {
            self.info(line);
        }
    }

    /// Replaces the progress line on a terminal; an empty line removes it.
    pub fn progress(self, line: &str) {
        if std::io::stderr().is_terminal() {
            let _ = write!(std::io::stderr().lock(), "\r\x1b[K{line}");
        }
    }

    /// Writes a warning to stderr, in one line; once in a run, however often something finds it.
    pub fn warn(self, line: &str) {
        if !is_new_warning(line) {
            return;
        }
        let label = self.paint("33", "warning");
        let _ = writeln!(std::io::stderr().lock(), "sekisho: {label}: {line}");
    }

    /// Reports a fault: what, why, fix. Returns the exit code.
    pub fn fault(self, fault: &Fault) -> Exit {
        let mut text = format!("sekisho: {}\n", self.paint("1;31", &fault.what));
        for (index, why) in fault.why.iter().enumerate() {
            let label = if index == 0 { "why" } else { "or" };
            text.push_str(&format!("  {label:>4}  {why}\n"));
        }
        for item in &fault.items {
            text.push_str(&format!("  {:>4}  {item}\n", "-"));
        }
        for fix in &fault.fix {
            text.push_str(&format!("  {:>4}  {fix}\n", self.paint("1", " fix")));
        }
        if let Some(detail) = fault.detail.as_deref().filter(|_| self.verbose > 0) {
            text.push_str(&format!("   aws  {detail}\n"));
        }
        let _ = std::io::stderr().lock().write_all(text.as_bytes());
        fault.exit
    }

    /// Reports a fault in one line, for programs that show or log our stderr. Returns the exit code.
    pub fn fault_line(self, fault: &Fault) -> Exit {
        let item = fault.items.first().map(|item| format!(" ({item})")).unwrap_or_default();
        let what = format!("{}{item}", fault.what);
        let more = fault.fix.first().or(fault.why.first());
        self.info(&more.map_or_else(|| what.clone(), |more| format!("{what}: {more}")));
        if let Some(detail) = &fault.detail {
            self.debug(&format!("aws: {detail}"));
        }
        fault.exit
    }

    /// Reports a command line that cannot be parsed. Help and version go to stdout.
    pub fn usage_error(self, error: &clap::Error) -> Exit {
        let text = error.render();
        if !error.use_stderr() {
            self.print(&text.to_string());
            return self.ended(Exit::Done);
        }
        let text = if self.color { text.ansi().to_string() } else { text.to_string() };
        let _ = std::io::stderr().lock().write_all(text.as_bytes());
        Exit::Usage
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.color { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

fn is_new_warning(line: &str) -> bool {
    WARNED.lock().unwrap_or_else(PoisonError::into_inner).insert(line.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_is_printed_once() {
        let told = ["one", "two", "one", "two", "three"].map(is_new_warning);
        assert_eq!(told, [true, true, false, false, true]);
    }
}
