//! The terminal as a value: entered when it is made, restored when it is dropped. Draws on stderr, so
//! that stdout stays data. The only file that touches raw mode.

use std::io::{self, BufWriter, IsTerminal, Stderr, Write, stderr};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use base64::prelude::{BASE64_STANDARD, Engine};
use crossterm::cursor::Show;
use crossterm::event::{DisableBracketedPaste, EnableBracketedPaste};
use crossterm::execute;
use crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use rustix::io::Errno;
use rustix::process::{Signal, kill_current_process_group};
use zeroize::Zeroizing;

/// Whether the terminal is ours now. Static, because the panic hook must know it too.
static ENTERED: AtomicBool = AtomicBool::new(false);

/// Whether the terminal reports the mouse while it is ours.
static MOUSE: AtomicBool = AtomicBool::new(false);

/// Buttons and the wheel, not every movement (xterm's 1000), in the form without limits (1006).
const MOUSE_ON: &str = "\x1b[?1000h\x1b[?1006h";
const MOUSE_OFF: &str = "\x1b[?1006l\x1b[?1000l";

/// Whether an error says that there is no terminal at all.
pub fn is_missing(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::NXIO.raw_os_error())
}

/// The terminal, raw and on its alternate screen.
pub(super) struct Screen(pub(super) Terminal<CrosstermBackend<BufWriter<Stderr>>>);

impl Screen {
    pub(super) fn enter() -> io::Result<Self> {
        static HOOK: Once = Once::new();
        HOOK.call_once(|| {
            let report = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |panic| {
                restore();
                report(panic);
            }));
        });
        if !stderr().is_terminal() {
            return Err(Errno::NXIO.into());
        }
        enter()?;
        match Terminal::new(CrosstermBackend::new(BufWriter::new(stderr()))) {
            Ok(terminal) => Ok(Self(terminal)),
            Err(error) => {
                restore();
                Err(error)
            }
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        restore();
    }
}

fn enter() -> io::Result<()> {
    enable_raw_mode()?;
    ENTERED.store(true, Ordering::SeqCst);
    execute!(stderr(), EnterAlternateScreen, EnableBracketedPaste).inspect_err(|_| restore())?;
    if MOUSE.load(Ordering::SeqCst) { put(MOUSE_ON) } else { Ok(()) }
}

fn put(sequence: &str) -> io::Result<()> {
    let mut out = stderr();
    out.write_all(sequence.as_bytes())?;
    out.flush()
}

/// Makes the terminal report the mouse, or leave it alone; until it is restored, and again when it is entered next.
pub(super) fn capture_mouse(on: bool) -> io::Result<()> {
    MOUSE.store(on, Ordering::SeqCst);
    put(if on { MOUSE_ON } else { MOUSE_OFF })
}

/// Restores the terminal, once. Errors are dropped: there is no screen left to show them on.
fn restore() {
    if ENTERED.swap(false, Ordering::SeqCst) {
        // In this order: an Enter typed as soon as the shell appears must not reach a terminal that is still raw,
        // where it would not end the line.
        if MOUSE.load(Ordering::SeqCst) {
            let _ = put(MOUSE_OFF);
        }
        let _ = disable_raw_mode();
        let _ = execute!(stderr(), DisableBracketedPaste, LeaveAlternateScreen, Show);
    }
}

/// Stops the program as a job of its shell, with the terminal restored meanwhile.
pub(super) fn suspend() -> io::Result<()> {
    restore();
    kill_current_process_group(Signal::TSTP)?;
    enter()
}

/// Puts text into the terminal's clipboard (OSC 52). Terminals without it ignore this.
pub fn copy(text: &str) -> io::Result<()> {
    put(&clipboard_sequence(text))
}

/// The escape sequence that puts text into the terminal's clipboard (OSC 52).
pub fn clipboard_sequence(text: &str) -> Zeroizing<String> {
    let encoded = Zeroizing::new(BASE64_STANDARD.encode(text));
    Zeroizing::new(format!("\x1b]52;c;{}\x07", *encoded))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clipboard_gets_base64() {
        for (text, encoded) in [("", ""), ("fo", "Zm8="), ("関所", "6Zai5omA")] {
            assert_eq!(*clipboard_sequence(text), format!("\x1b]52;c;{encoded}\x07"));
        }
    }

    #[test]
    fn restoring_what_was_never_entered_does_nothing() {
        restore();
        assert!(!ENTERED.load(Ordering::SeqCst));
        assert!(is_missing(&Errno::NXIO.into()));
        assert!(!is_missing(&Errno::NOTTY.into()));
    }
}
