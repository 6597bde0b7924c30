//! The terminal's input: keys, pastes and resizes, as a stream that ends when the terminal is gone.
//!
//! crossterm reads and understands the bytes; this file only waits until there is something to read. Its own stream
//! keeps a thread that can take a key meant for a child, forgets a key that comes together with something else, and
//! reads a closed terminal for ever; so does a single look, where the terminal goes away meanwhile.

use std::io::{self, IsTerminal, PipeReader, PipeWriter, pipe, stderr, stdin};
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::thread;
use std::time::Duration;

use crossterm::event::{self, Event};
use crossterm::terminal;
use futures_core::Stream;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags, fcntl_setfl, open};
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr, ttyname};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// How long crossterm polls. On macOS its poll (`use-dev-tty`) finds nothing with a timeout of zero.
const LOOK: Duration = Duration::from_millis(if cfg!(target_os = "macos") { 1 } else { 0 });

/// The input of the terminal that the switcher is drawn on. Dropped, it leaves every further key to others.
pub(super) struct Input {
    tty: AsyncFd<OwnedFd>,
    resized: Signal,
    /// Closed with this input: the watch over it ends.
    _watch: PipeWriter,
}

impl Input {
    /// The input of standard input's terminal; where that is none, of the one that standard error is on.
    pub(super) fn open() -> io::Result<Self> {
        let (watch, guard) = pipe()?;
        let tty = if stdin().is_terminal() {
            let tty = rustix::io::fcntl_dupfd_cloexec(stdin(), 0)?;
            let watched = tty.try_clone()?;
            thread::Builder::new()
                .name("terminal".into())
                .spawn(move || take_stdin_away_with(&watched, &watch))?;
            tty
        } else {
            let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
            open(ttyname(stderr(), Vec::new())?, flags, Mode::empty())?
        };
        #[expect(
            deprecated,
            reason = "unsound with types that lie about their descriptor; OwnedFd does not, and the successor is unsafe"
        )]
        let tty = AsyncFd::with_interest(tty, Interest::READABLE)?;
        let resized = signal(SignalKind::window_change())?;
        Ok(Self { tty, resized, _watch: guard })
    }

    /// What the kernel reports about the terminal right now.
    fn state(&self) -> io::Result<PollFlags> {
        let mut tty = [PollFd::new(&self.tty, PollFlags::IN)];
        rustix::io::retry_on_intr(|| poll(&mut tty, Some(&Timespec::default())))?;
        Ok(tty[0].revents())
    }

    /// Makes the terminal report pending input again: crossterm is notified once for everything, and where two
    /// events arrive together it drops the second (0.29, `event/source/unix/mio.rs`).
    fn announce(&self) -> io::Result<()> {
        let settings = tcgetattr(&self.tty)?;
        Ok(tcsetattr(&self.tty, OptionalActions::Now, &settings)?)
    }

    /// An event that is there.
    fn event(&self) -> io::Result<Option<Event>> {
        let waiting = self.state()?.contains(PollFlags::IN);
        if event::poll(LOOK)? {
            return event::read().map(Some);
        }
        if waiting {
            self.announce()?;
            if event::poll(LOOK)? {
                return event::read().map(Some);
            }
        }
        Ok(None)
    }
}

/// Waits until the terminal is gone, then makes standard input a pipe that stays empty: crossterm, which may be in the middle
/// of reading it, finds nothing there and returns, where the end of input would keep it in a loop.
fn take_stdin_away_with(tty: &OwnedFd, watch: &PipeReader) {
    let mut ends = [PollFd::new(tty, PollFlags::empty()), PollFd::new(watch, PollFlags::empty())];
    let awaited = rustix::io::retry_on_intr(|| poll(&mut ends, None));
    if awaited.is_err() || ends[0].revents().is_empty() {
        return;
    }
    if let Ok((empty, writer)) = pipe()
        && fcntl_setfl(&empty, OFlags::NONBLOCK).is_ok()
        && rustix::stdio::dup2_stdin(empty).is_ok()
    {
        std::mem::forget(writer); // without it the pipe would be at its end, too
    }
}

impl Stream for Input {
    type Item = io::Result<Event>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let input = self.get_mut();
        loop {
            // First, because crossterm would read a closed terminal for ever.
            if input.state()?.intersects(PollFlags::HUP | PollFlags::ERR) {
                return Poll::Ready(None);
            }
            if let Some(event) = input.event()? {
                return Poll::Ready(Some(Ok(event)));
            }
            if input.resized.poll_recv(cx).is_ready() {
                let (width, height) = terminal::size()?;
                return Poll::Ready(Some(Ok(Event::Resize(width, height))));
            }
            ready!(input.tty.poll_read_ready(cx))?.clear_ready();
        }
    }
}
