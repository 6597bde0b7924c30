//! A command whose output is read here, line by line, so that many can run at once.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;
use std::pin::pin;
use std::time::Duration;

use nix::spawn::PosixSpawnFileActions;
use rustix::process::{Pid, WaitOptions, waitpid};
use tokio::net::unix::pipe::Receiver;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::environment::{Environment, Inherited};
use super::process;
use crate::domain::fault::{Exit, Fault};

/// The longest line that is kept whole; the rest of a longer one becomes the next line.
const LONGEST_LINE: usize = 64 * 1024;

/// How long output is waited for after the command's end: a process that it left behind may keep the pipe.
const STRAGGLERS: Duration = Duration::from_secs(2);

/// Which of a command's outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the streams")]
pub enum Stream {
    Stdout,
    Stderr,
}

/// A running command.
pub struct Piped {
    /// Its process.
    pub pid: Pid,
    ended: Signal,
    stdout: Lines,
    stderr: Lines,
}

impl Piped {
    /// Starts a command that reads `stdin`. Needs a tokio runtime with I/O.
    pub fn start(
        environment: Environment,
        inherited: &Inherited,
        argv: &[OsString],
        stdin: &Path,
    ) -> Result<Self, Fault> {
        let name = argv.first().ok_or_else(process::no_command)?;
        let start = || {
            let block = environment.block(inherited)?;
            drop(environment);
            let program = process::find(name, block.get("PATH"));
            let stdin = OwnedFd::from(File::open(stdin)?);
            let (stdout, child_stdout) = io::pipe()?;
            let (stderr, child_stderr) = io::pipe()?;
            let mut actions = PosixSpawnFileActions::init()?;
            actions.add_dup2(stdin.as_raw_fd(), 0)?;
            actions.add_dup2(child_stdout.as_raw_fd(), 1)?;
            actions.add_dup2(child_stderr.as_raw_fd(), 2)?;
            // Before the spawn: else its end could be missed.
            let ended = signal(SignalKind::child())?;
            let started = program.map(|program| process::spawn(&program, argv, &block, &actions));
            let (stdout, stderr) = (Lines::new(stdout.into())?, Lines::new(stderr.into())?);
            let running = |pid| Self { pid, ended, stdout, stderr };
            io::Result::Ok(started.map(|pid| pid.map(running)))
        };
        match start() {
            Ok(Ok(Ok(running))) => Ok(running),
            Ok(Err(fault)) => Err(fault),
            Ok(Ok(Err(error))) | Err(error) => Err(process::cannot_run(name, &error)),
        }
    }

    /// Hands out its lines with their ends, as it printed them, until it has ended. Returns its exit code.
    pub async fn run(mut self, mut line: impl FnMut(Stream, &[u8])) -> io::Result<Exit> {
        let mut exit = None;
        let mut patience = pin!(tokio::time::sleep(Duration::ZERO));
        loop {
            if exit.is_none()
                && let Some((_, status)) = waitpid(Some(self.pid), WaitOptions::NOHANG)?
            {
                exit = Some(process::exit_of(status));
                patience.as_mut().reset(tokio::time::Instant::now() + STRAGGLERS);
            }
            if let Some(exit) = exit
                && self.stdout.is_over
                && self.stderr.is_over
            {
                return Ok(exit);
            }
            tokio::select! {
                _ = self.ended.recv(), if exit.is_none() => {}
                () = self.stdout.read(), if !self.stdout.is_over => {
                    self.stdout.hand_out(|text| line(Stream::Stdout, text));
                }
                () = self.stderr.read(), if !self.stderr.is_over => {
                    self.stderr.hand_out(|text| line(Stream::Stderr, text));
                }
                () = &mut patience, if exit.is_some() => {
                    (self.stdout.is_over, self.stderr.is_over) = (true, true);
                    self.stdout.hand_out(|text| line(Stream::Stdout, text));
                    self.stderr.hand_out(|text| line(Stream::Stderr, text));
                }
            }
        }
    }
}

/// The lines that come out of a pipe.
struct Lines {
    pipe: Receiver,
    /// What has been read and not handed out.
    rest: Vec<u8>,
    is_over: bool,
}

impl Lines {
    fn new(pipe: OwnedFd) -> io::Result<Self> {
        Ok(Self { pipe: Receiver::from_owned_fd(pipe)?, rest: Vec::new(), is_over: false })
    }

    /// Reads what there is, or waits for more; may be cancelled.
    async fn read(&mut self) {
        let mut part = [0; 16 * 1024];
        while self.pipe.readable().await.is_ok() {
            match self.pipe.try_read(&mut part) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Ok(length) if length > 0 => return self.rest.extend_from_slice(&part[..length]),
                Ok(_) | Err(_) => break,
            }
        }
        self.is_over = true;
    }

    /// Hands out the whole lines, and at the end also one without an end.
    fn hand_out(&mut self, mut line: impl FnMut(&[u8])) {
        let mut rest = &self.rest[..];
        loop {
            let end = rest.iter().take(LONGEST_LINE + 1).position(|byte| *byte == b'\n');
            let end = match end {
                Some(end) => end + 1,
                None if rest.len() > LONGEST_LINE => LONGEST_LINE,
                None if self.is_over && !rest.is_empty() => rest.len(),
                None => break,
            };
            let (part, after) = rest.split_at(end);
            line(part);
            rest = after;
        }
        self.rest = rest.to_vec();
    }
}
