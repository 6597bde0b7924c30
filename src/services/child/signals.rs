//! Signals to this process.

use std::future::poll_fn;
use std::io;
use std::task::Poll;

use rustix::process::Signal;
use tokio::signal::unix::{SignalKind, signal};

/// Signals that are waited for.
///
/// One that was ignored when this process started, as `nohup` does, stays ignored, here and in the child.
pub struct Signals(Vec<(Signal, tokio::signal::unix::Signal)>);

impl Signals {
    /// Those that a supervisor sends to this process and means for the child.
    pub(super) fn forwarded() -> io::Result<Self> {
        Self::listen(&[Signal::TERM, Signal::HUP, Signal::USR1, Signal::USR2])
    }

    /// Those that end a program: by Ctrl-C, by a supervisor, by the terminal going away.
    pub fn ending() -> io::Result<Self> {
        Self::listen(&[Signal::INT, Signal::TERM, Signal::HUP])
    }

    fn listen(signals: &[Signal]) -> io::Result<Self> {
        let ignored = ignored_signals();
        let listener =
            |forward: &Signal| Ok((*forward, signal(SignalKind::from_raw(forward.as_raw()))?));
        signals
            .iter()
            .filter(|forward| ignored & (1 << (forward.as_raw() - 1)) == 0)
            .map(listener)
            .collect::<io::Result<_>>()
            .map(Self)
    }

    /// The next one that comes.
    pub async fn recv(&mut self) -> Signal {
        poll_fn(|cx| {
            let came = self.0.iter_mut().find_map(|(forward, listener)| {
                listener.poll_recv(cx).is_ready().then_some(*forward)
            });
            came.map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }
}

/// The signals that this process ignores, as bits: proc(5), `SigIgn`. None where there is no procfs.
fn ignored_signals() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}
