//! Codes that were sent to AWS: each works once, and AWS rejects a used one with the same text as a wrong one.
//!
//! Kept for 90 s, across processes, as salted hashes. Six digits are easily guessed from a hash; that does no harm,
//! since the code is spent.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};

use super::files::{Dir, FileError, Why};
use super::guard;
use crate::domain::ids::MfaSerial;
use crate::domain::secret::MfaCode;

/// How long a code stays spent: the three 30 s steps in which AWS would still know it.
const MEMORY: SignedDuration = SignedDuration::from_secs(90);

const FILE: &str = "spent";
const LOCK: &str = "spent.lock";
const LIMIT: u64 = 64 * 1024;

/// The codes spent by any of this user's sekisho processes.
pub struct SpentCodes {
    dir: PathBuf,
    /// What this process spent: remembered even where the file cannot be written.
    own: Mutex<Ledger>,
}

/// Whether a code may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodeStatus {
    /// It was unused, and is now marked.
    Fresh,
    /// It was spent before, and stays so until then, UTC.
    Spent(Timestamp),
}

impl SpentCodes {
    /// The codes recorded in a directory shared by all of this user's processes. Reads and writes nothing yet.
    pub fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), own: Mutex::default() }
    }

    /// Until when this code is spent, if it is; UTC.
    pub fn is_spent(
        &self,
        serial: &MfaSerial,
        code: &MfaCode,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let own = guard(&self.own).find(serial, code, now);
        own.or_else(|| self.read().ok()?.find(serial, code, now))
    }

    /// Marks a code as spent, before it is sent: of all the processes that try, one gets `Fresh`.
    ///
    /// `Err` means that only this process knows of the mark.
    pub fn mark(
        &self,
        serial: &MfaSerial,
        code: &MfaCode,
        now: Timestamp,
    ) -> Result<CodeStatus, FileError> {
        let mut own = guard(&self.own);
        if let Some(until) = own.find(serial, code, now) {
            return Ok(CodeStatus::Spent(until));
        }
        let marked = self.change(|ledger| match ledger.find(serial, code, now) {
            Some(until) => Ok(CodeStatus::Spent(until)),
            None => ledger.add(serial, code, now).map(|()| CodeStatus::Fresh),
        });
        if !matches!(marked, Ok(CodeStatus::Spent(_))) {
            own.add(serial, code, now)?;
        }
        marked
    }

    /// Removes a mark: for a code that certainly never left this machine.
    pub fn unmark(&self, serial: &MfaSerial, code: &MfaCode) -> Result<(), FileError> {
        guard(&self.own).forget(serial, code);
        self.change(|ledger| {
            ledger.forget(serial, code);
            Ok(())
        })
    }

    fn read(&self) -> Result<Ledger, FileError> {
        Dir::open(&self.dir)?.map_or_else(|| Ok(Ledger::default()), |dir| Ledger::read(&dir))
    }

    fn change<T>(
        &self,
        change: impl FnOnce(&mut Ledger) -> Result<T, FileError>,
    ) -> Result<T, FileError> {
        let dir = Dir::create(&self.dir)?;
        let _held = dir.lock(LOCK)?;
        let mut ledger = Ledger::read(&dir)?;
        let result = change(&mut ledger)?;
        dir.write(FILE, &ledger.to_bytes())?;
        Ok(result)
    }
}

/// A salt, then hashes with the second they were marked.
#[derive(Default)]
pub struct Ledger {
    salt: [u8; 16],
    marks: Vec<([u8; 32], i64)>,
}

impl Ledger {
    fn read(dir: &Dir) -> Result<Self, FileError> {
        let bytes = match dir.read(FILE, LIMIT) {
            Ok(bytes) => bytes.unwrap_or_default(),
            Err(FileError { why: Why::Io(error), path }) => {
                let why = Why::Io(error);
                return Err(FileError { path, why });
            }
            Err(_) => return Ok(Self::default()),
        };
        Ok(Self::from_bytes(&bytes))
    }

    /// Reads a ledger. A damaged one counts as empty: at worst AWS rejects the code.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let Some((salt, marks)) = bytes.split_first_chunk() else {
            return Self::default();
        };
        let marks = marks.as_chunks::<40>().0.iter().filter_map(|mark| {
            let (hash, at) = mark.split_first_chunk()?;
            Some((*hash, i64::from_be_bytes(at.try_into().ok()?)))
        });
        Self { salt: *salt, marks: marks.collect() }
    }

    /// The ledger's bytes on disk.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.salt.to_vec();
        for (hash, at) in &self.marks {
            bytes.extend_from_slice(hash);
            bytes.extend_from_slice(&at.to_be_bytes());
        }
        bytes
    }

    /// Until when this code is spent, if it is; UTC.
    pub fn find(&self, serial: &MfaSerial, code: &MfaCode, now: Timestamp) -> Option<Timestamp> {
        let hash = self.hash(serial, code);
        self.marks
            .iter()
            .filter(|(known, at)| *known == hash && is_recent(*at, now))
            .filter_map(|(_, at)| Timestamp::from_second(*at).ok()?.checked_add(MEMORY).ok())
            .max()
    }

    fn add(&mut self, serial: &MfaSerial, code: &MfaCode, now: Timestamp) -> Result<(), FileError> {
        self.marks.retain(|(_, at)| is_recent(*at, now));
        if self.marks.is_empty() {
            self.salt = super::random()
                .map_err(|errno| FileError { path: FILE.into(), why: Why::Io(errno.into()) })?;
        }
        self.marks.push((self.hash(serial, code), now.as_second()));
        Ok(())
    }

    fn forget(&mut self, serial: &MfaSerial, code: &MfaCode) {
        let hash = self.hash(serial, code);
        self.marks.retain(|(known, _)| *known != hash);
    }

    fn hash(&self, serial: &MfaSerial, code: &MfaCode) -> [u8; 32] {
        Sha256::new()
            .chain_update(self.salt)
            .chain_update(serial.as_str())
            .chain_update([0])
            .chain_update(code.expose())
            .finalize()
            .into()
    }
}

/// Neither expired, nor in the future because the clock jumped back.
fn is_recent(at: i64, now: Timestamp) -> bool {
    at.abs_diff(now.as_second()) < MEMORY.as_secs().unsigned_abs()
}
