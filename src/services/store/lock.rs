//! One prompt: of all the processes that need the same auth session, one asks for the code.
//!
//! The lock is a handful of *slots*, files locked by the kernel for as long as their holder lives. Usually the
//! first slot is all there is. A waiter who takes an abandoned prompt over takes the next slot; the earlier
//! holder sees that it is superseded, closes its prompt and waits like the others. Slots change hands only
//! under the *gate*, a lock held for microseconds.

use std::fs::{File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::files::{Dir, FileError, Why};
use super::hex;
use super::record::Name;
use crate::domain::text::sanitize;

/// How old a prompt must be before a waiter may take it over.
pub const ABANDONED: SignedDuration = SignedDuration::from_secs(10);

/// How often one identity's prompt can be taken over while all earlier holders sit stopped.
const SLOTS: usize = 4;

const SHORTEST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_millis(250);

/// The right to prompt for one auth identity.
pub struct PromptLock {
    dir: Dir,
    base: String,
}

/// Who prompts now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockHolder {
    /// Its process.
    pub pid: u32,
    /// When it began, UTC.
    pub since: Timestamp,
    /// What it does, fit for a screen: `exec dev-tanaka/Developer`.
    pub verb: String,
    order: u64,
}

impl LockHolder {
    /// Reads what a holder wrote about itself; a line that cannot be read is an unknown holder, long since there.
    pub fn read(line: &[u8]) -> Self {
        let line = String::from_utf8_lossy(line);
        let mut words = line.trim_end().splitn(4, ' ');
        let mut word = || words.next().unwrap_or_default();
        Self {
            order: word().parse().unwrap_or(0),
            pid: word().parse().unwrap_or(0),
            since: word()
                .parse()
                .ok()
                .and_then(|second| Timestamp::from_second(second).ok())
                .unwrap_or(Timestamp::UNIX_EPOCH),
            verb: sanitize(word()),
        }
    }

    /// Whether a waiter may take the prompt over. A clock that jumped back counts as age.
    pub fn may_be_taken_over(&self, now: Timestamp) -> bool {
        now.duration_since(self.since).abs() >= ABANDONED
    }
}

/// The right to prompt, held until dropped, or until the process dies.
pub struct PromptGuard {
    order: u64,
    _slot: File,
}

/// The answer to a try.
pub enum LockAttempt {
    /// It is this process's turn.
    Mine(PromptGuard),
    /// Another process prompts.
    Busy(LockHolder),
}

/// What a waiter wants after it has seen who prompts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaiterChoice {
    /// Go on waiting.
    Wait,
    /// Prompt here, as soon as that is allowed.
    TakeOver,
}

/// How a wait ends.
pub enum WaitOutcome<T> {
    /// The holder got what was needed.
    Found(T),
    /// It is this process's turn, and nothing has been found.
    Mine(PromptGuard),
}

impl PromptLock {
    /// The lock of one identity, in a directory that every sekisho of this person shares.
    pub fn new(dir: &Path, identity: &Name) -> Result<Self, FileError> {
        Ok(Self { dir: Dir::create(dir)?, base: format!("prompt-{}", hex(&identity[..16])) })
    }

    /// Takes the turn if nobody has it.
    pub fn try_take(&self, verb: &str, now: Timestamp) -> Result<LockAttempt, FileError> {
        self.take(verb, now, |_| false)
    }

    /// Takes the turn if nobody has it, or if whoever has it prompts for 10 s already.
    pub fn take_over(&self, verb: &str, now: Timestamp) -> Result<LockAttempt, FileError> {
        self.take(verb, now, |holder| holder.may_be_taken_over(now))
    }

    /// Who has taken the prompt over from `held`. Its prompt should close, and wait.
    pub fn superseded(&self, held: &PromptGuard) -> Result<Option<LockHolder>, FileError> {
        let (_gate, slots) = self.slots()?;
        Ok(newest(&slots).filter(|holder| holder.order > held.order))
    }

    /// Waits for what the holder is about to get, or for the turn.
    ///
    /// `look` finds what is needed; `tell` hears who prompts, and says what the person wishes. Dropping the
    /// future ends the wait and harms nobody.
    pub async fn wait<T>(
        &self,
        verb: &str,
        clock: impl Fn() -> Timestamp,
        mut look: impl FnMut() -> Option<T>,
        mut tell: impl FnMut(&LockHolder) -> WaiterChoice,
    ) -> Result<WaitOutcome<T>, FileError> {
        let mut pause = SHORTEST_PAUSE;
        loop {
            let mut turn = self.try_take(verb, clock())?;
            // In this order: the result is stored before the turn is given back.
            if let Some(found) = look() {
                return Ok(WaitOutcome::Found(found));
            }
            if let LockAttempt::Busy(holder) = &turn
                && tell(holder) == WaiterChoice::TakeOver
            {
                turn = self.take_over(verb, clock())?;
            }
            if let LockAttempt::Mine(held) = turn {
                return Ok(WaitOutcome::Mine(held));
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn take(
        &self,
        verb: &str,
        now: Timestamp,
        past: impl FnOnce(&LockHolder) -> bool,
    ) -> Result<LockAttempt, FileError> {
        let (_gate, slots) = self.slots()?;
        let newest = newest(&slots);
        let free = slots.into_iter().enumerate().find_map(|(at, slot)| match slot {
            Slot::Free(file) => Some((at, file)),
            Slot::PromptGuard(_) => None,
        });
        let order = newest.as_ref().map_or(0, |holder| holder.order.saturating_add(1));
        match (newest, free) {
            (Some(holder), free) if free.is_none() || !past(&holder) => {
                Ok(LockAttempt::Busy(holder))
            }
            (_, Some((at, mut slot))) => {
                let pid = std::process::id();
                let line = format!("{order} {pid} {} {verb}\n", now.as_second());
                slot.set_len(0)
                    .and_then(|()| slot.rewind())
                    .and_then(|()| slot.write_all(line.as_bytes()))
                    .map_err(|error| self.error(at, error))?;
                Ok(LockAttempt::Mine(PromptGuard { order, _slot: slot }))
            }
            (_, None) => Err(self.error(0, std::io::ErrorKind::ResourceBusy.into())),
        }
    }

    /// The gate, and what each slot is while it is held.
    fn slots(&self) -> Result<(File, Vec<Slot>), FileError> {
        let gate = self.dir.lock(&format!("{}.gate", self.base))?;
        let slots = (0..SLOTS)
            .map(|at| {
                let mut file = self.dir.lock_file(&self.slot(at))?;
                match file.try_lock() {
                    Ok(()) => Ok(Slot::Free(file)),
                    Err(TryLockError::WouldBlock) => Ok(Slot::PromptGuard(holder(&mut file))),
                    Err(TryLockError::Error(error)) => Err(self.error(at, error)),
                }
            })
            .collect::<Result<_, _>>()?;
        Ok((gate, slots))
    }

    fn slot(&self, at: usize) -> String {
        format!("{}.{at}", self.base)
    }

    fn error(&self, at: usize, error: std::io::Error) -> FileError {
        FileError { path: self.dir.path().join(self.slot(at)), why: Why::Io(error) }
    }
}

enum Slot {
    Free(File),
    PromptGuard(LockHolder),
}

fn newest(slots: &[Slot]) -> Option<LockHolder> {
    let holders = slots.iter().filter_map(|slot| match slot {
        Slot::PromptGuard(holder) => Some(holder),
        Slot::Free(_) => None,
    });
    holders.max_by_key(|holder| holder.order).cloned()
}

fn holder(file: &mut File) -> LockHolder {
    let mut line = Vec::new();
    let _ = file.take(512).read_to_end(&mut line);
    LockHolder::read(&line)
}
