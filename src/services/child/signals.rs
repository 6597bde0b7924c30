//! Signals to this process: those that end it, and those that are meant for its child.
//!
//! One that was ignored when this process started, as `nohup` does, stays ignored, here and in the child.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::task::Poll;

use rustix::process::Signal;
use signal_hook::iterator::backend::SignalDelivery;
use signal_hook::iterator::exfiltrator::WithRawSiginfo;
use tokio::net::UnixStream;
use tokio::signal::unix::{SignalKind, signal};

/// Signals that end a program: by Ctrl-C, by a supervisor, by the terminal going away.
pub struct Ending(Vec<(Signal, tokio::signal::unix::Signal)>);

impl Ending {
    /// Listens from now on.
    pub fn listen() -> io::Result<Self> {
        let listener =
            |ending: Signal| Ok((ending, signal(SignalKind::from_raw(ending.as_raw()))?));
        heeded(&[Signal::INT, Signal::TERM, Signal::HUP])
            .map(listener)
            .collect::<io::Result<_>>()
            .map(Self)
    }

    /// The next one that comes.
    pub async fn recv(&mut self) -> Signal {
        poll_fn(|cx| {
            let came = self.0.iter_mut().find_map(|(ending, listener)| {
                listener.poll_recv(cx).is_ready().then_some(*ending)
            });
            came.map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }
}

/// Signals that other processes send to this one and mean for its child.
///
/// Not the ones of the terminal (Ctrl-C, a new size): it sends them to the child as well.
pub struct Forwarded {
    delivery: SignalDelivery<UnixStream, WithRawSiginfo>,
    arrived: VecDeque<Signal>,
}

impl Forwarded {
    /// Listens from now on. Needs a tokio runtime with I/O.
    pub fn listen() -> io::Result<Self> {
        const SIGNALS: [Signal; 7] = [
            Signal::HUP,
            Signal::INT,
            Signal::QUIT,
            Signal::TERM,
            Signal::USR1,
            Signal::USR2,
            Signal::WINCH,
        ];
        let (read, write) = UnixStream::pair()?;
        let signals = heeded(&SIGNALS).map(Signal::as_raw);
        let delivery = SignalDelivery::with_pipe(read, write, WithRawSiginfo, signals)?;
        Ok(Self { delivery, arrived: VecDeque::new() })
    }

    /// The next one that comes.
    pub async fn recv(&mut self) -> Signal {
        loop {
            if let Some(signal) = self.arrived.pop_front() {
                return signal;
            }
            let pipe = self.delivery.get_read();
            if pipe.readable().await.is_err() {
                std::future::pending::<()>().await; // the runtime ends
            }
            // Until it is empty: only then does tokio wait for more.
            while pipe.try_read(&mut [0; 64]).is_ok_and(|read| read > 0) {}
            let sent = self.delivery.pending().filter_map(|info| {
                let signal = Signal::from_named_raw(info.si_signo)?;
                let is_of_terminal = matches!(signal, Signal::INT | Signal::QUIT | Signal::WINCH)
                    && !is_sent(info.si_code);
                (!is_of_terminal).then_some(signal)
            });
            self.arrived.extend(sent);
        }
    }
}

/// Whether a process sent a signal to this one: `si_code` in sigaction(2).
#[cfg(target_os = "linux")]
fn is_sent(code: i32) -> bool {
    code <= 0
}

/// Elsewhere `si_code` does not tell (macOS: it is 0 always). In the foreground it was the terminal, most likely.
#[cfg(not(target_os = "linux"))]
fn is_sent(_: i32) -> bool {
    let tty = std::fs::File::open("/dev/tty");
    tty.and_then(|tty| Ok(rustix::termios::tcgetpgrp(&tty)?))
        .map_or(true, |foreground| foreground.as_raw_pid() != nix::unistd::getpgrp().as_raw())
}

/// Those that this process does not ignore.
fn heeded(signals: &[Signal]) -> impl Iterator<Item = Signal> + '_ {
    let ignored = ignored_signals();
    signals.iter().copied().filter(move |signal| ignored & (1 << (signal.as_raw() - 1)) == 0)
}

/// The signals that this process ignores, as bits: proc(5), `SigIgn`. None where there is no procfs.
fn ignored_signals() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}
