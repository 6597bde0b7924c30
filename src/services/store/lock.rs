//! One prompt: of all the processes that need the same auth session, one asks for the code.
//!
//! The lock is a few *slots*: files that the kernel keeps locked for as long as their holder lives. Usually only the
//! first slot is used. A waiter that takes an abandoned prompt over locks the next slot; the earlier holder sees
//! that it is superseded, closes its prompt and waits like the others. Slots are examined and locked only under the
//! *gate*, a lock held for microseconds.

use std::io::{Read, Seek, Write};
use std::path::Path;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::file_lock::Lock;
use super::files::{Dir, FileError, Why};
use super::record::Name;
use crate::domain::text::sanitize;

/// How old a prompt must be before a waiter may take it over.
const ABANDONED: SignedDuration = SignedDuration::from_secs(10);

/// One more than how often a prompt can be taken over while all earlier holders are still stopped.
const SLOTS: usize = 4;

const SHORTEST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_millis(250);

/// The lock on prompting for one auth identity.
pub struct PromptLock {
    dir: Dir,
    base: String,
}

/// The process that prompts now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockHolder {
    /// Its process id; 0 if unknown.
    pub pid: u32,
    /// When it began to prompt, UTC.
    pub since: Timestamp,
    /// The sekisho command it runs, sanitized: `exec dev-tanaka/Developer`.
    pub verb: String,
    order: u64,
}

impl LockHolder {
    /// Reads what a holder wrote into its slot. A line that cannot be read counts as an old, unknown holder: it may be
    /// taken over.
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

/// A held prompt lock; released when dropped, or when the process dies.
pub struct PromptGuard {
    order: u64,
    _slot: Lock,
}

/// The result of trying to take the prompt lock.
pub enum LockAttempt {
    /// This process may prompt.
    Acquired(PromptGuard),
    /// Another process prompts.
    HeldBy(LockHolder),
}

/// What a waiter does once it knows who prompts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaiterChoice {
    /// Keep waiting.
    Wait,
    /// Prompt here, once the prompt is old enough to be taken over.
    TakeOver,
}

/// How a wait ends.
pub enum WaitOutcome<T, G = PromptGuard> {
    /// The holder obtained what was needed.
    Found(T),
    /// Nothing was obtained, and this process may prompt.
    Acquired(G),
}

impl PromptLock {
    /// The lock of one identity, in a directory shared by all of this user's sekisho processes.
    pub fn new(dir: &Path, identity: &Name) -> Result<Self, FileError> {
        Ok(Self {
            dir: Dir::create(dir)?,
            base: format!("prompt-{}", hex::encode(&identity[..16])),
        })
    }

    /// Takes the lock if no process holds it.
    pub fn try_acquire(&self, verb: &str, now: Timestamp) -> Result<LockAttempt, FileError> {
        self.acquire(verb, now, |_| false)
    }

    /// Takes the lock if no process holds it, or if its holder has prompted for 10 s.
    pub fn take_over(&self, verb: &str, now: Timestamp) -> Result<LockAttempt, FileError> {
        self.acquire(verb, now, |holder| holder.may_be_taken_over(now))
    }

    /// The process that has taken the prompt over from `held`, whose prompt should close.
    pub fn superseded_by(&self, held: &PromptGuard) -> Result<Option<LockHolder>, FileError> {
        let (_gate, slots) = self.slots()?;
        Ok(newest(&slots).filter(|holder| holder.order > held.order))
    }

    /// Waits until the holder has obtained what is needed, or until the lock is free.
    ///
    /// `look` returns what is needed once it exists; `on_holder` is called with the process that prompts, and decides
    /// whether to keep waiting. The future can be dropped at any time.
    pub async fn wait<T>(
        &self,
        verb: &str,
        clock: impl Fn() -> Timestamp,
        mut look: impl FnMut() -> Option<T>,
        mut on_holder: impl FnMut(&LockHolder) -> WaiterChoice,
    ) -> Result<WaitOutcome<T>, FileError> {
        let mut pause = SHORTEST_PAUSE;
        loop {
            let mut attempt = self.try_acquire(verb, clock())?;
            // In this order: a holder stores the result before it releases the lock.
            if let Some(found) = look() {
                return Ok(WaitOutcome::Found(found));
            }
            if let LockAttempt::HeldBy(holder) = &attempt
                && on_holder(holder) == WaiterChoice::TakeOver
            {
                attempt = self.take_over(verb, clock())?;
            }
            if let LockAttempt::Acquired(held) = attempt {
                return Ok(WaitOutcome::Acquired(held));
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn acquire(
        &self,
        verb: &str,
        now: Timestamp,
        may_supersede: impl FnOnce(&LockHolder) -> bool,
    ) -> Result<LockAttempt, FileError> {
        let (_gate, slots) = self.slots()?;
        let newest = newest(&slots);
        let free = slots.into_iter().enumerate().find_map(|(at, slot)| match slot {
            SlotState::Free(lock) => Some((at, lock)),
            SlotState::Held(_) => None,
        });
        let order = newest.as_ref().map_or(0, |holder| holder.order.saturating_add(1));
        match (newest, free) {
            (Some(holder), free) if free.is_none() || !may_supersede(&holder) => {
                Ok(LockAttempt::HeldBy(holder))
            }
            (_, Some((at, slot))) => {
                let pid = std::process::id();
                let line = format!("{order} {pid} {} {verb}\n", now.as_second());
                let mut file = self.dir.lock_file(&self.slot_file(at))?;
                file.set_len(0)
                    .and_then(|()| file.rewind())
                    .and_then(|()| file.write_all(line.as_bytes()))
                    .map_err(|error| self.error(at, error))?;
                Ok(LockAttempt::Acquired(PromptGuard { order, _slot: slot }))
            }
            (_, None) => Err(self.error(0, std::io::ErrorKind::ResourceBusy.into())),
        }
    }

    /// Locks the gate, and returns it with the state of each slot; that state holds until the gate is dropped.
    fn slots(&self) -> Result<(Lock, Vec<SlotState>), FileError> {
        let gate = self.dir.lock(&format!("{}.gate", self.base))?;
        let slots = (0..SLOTS)
            .map(|at| match self.dir.try_lock(&self.slot_file(at))? {
                Some(lock) => Ok(SlotState::Free(lock)),
                None => Ok(SlotState::Held(self.read_holder(at)?)),
            })
            .collect::<Result<_, _>>()?;
        Ok((gate, slots))
    }

    fn read_holder(&self, at: usize) -> Result<LockHolder, FileError> {
        let mut line = Vec::new();
        let _ = self.dir.lock_file(&self.slot_file(at))?.take(512).read_to_end(&mut line);
        Ok(LockHolder::read(&line))
    }

    fn slot_file(&self, at: usize) -> String {
        format!("{}.{at}", self.base)
    }

    fn error(&self, at: usize, error: std::io::Error) -> FileError {
        FileError { path: self.dir.path().join(self.slot_file(at)), why: Why::Io(error) }
    }
}

enum SlotState {
    Free(Lock),
    Held(LockHolder),
}

fn newest(slots: &[SlotState]) -> Option<LockHolder> {
    let holders = slots.iter().filter_map(|slot| match slot {
        SlotState::Held(holder) => Some(holder),
        SlotState::Free(_) => None,
    });
    holders.max_by_key(|holder| holder.order).cloned()
}
