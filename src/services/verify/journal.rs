//! What `verify` remembers: accounts finished by a run that was cut off, and every account's last verdict.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::domain::config::Auth;
use crate::domain::ids::AccountId;
use crate::domain::secret::AccessKey;
use crate::domain::verdict::Against;
use crate::domain::verdict::report::{AccountReport, VerifiedMark};
use crate::services::store::files::{Dir, FileError};

/// One JSON document a line: a header, then finished accounts.
const JOURNAL: &str = "verify.journal";
/// Every account's last verdict.
const MARKS: &str = "verify.json";
/// A run that was cut off longer ago is begun anew.
const FRESH: SignedDuration = SignedDuration::from_hours(12);
/// More than 10,000 accounts with a few roles each take.
const MAX_FILE_BYTES: u64 = 256 << 20;

/// The first line of a journal: the run it belongs to.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Header {
    /// A hash of key, account and endpoint.
    run: String,
    /// When it began.
    at: Timestamp,
}

/// The journal of the run that goes on.
pub struct Journal {
    file: File,
}

impl Journal {
    /// Opens the journal; with it come the accounts that a run of this key, cut off less than 12 h ago, had finished.
    ///
    /// `None` where another `verify` is writing it. A damaged line ends what is taken over.
    pub fn open(
        dir: &Dir,
        auth: &Auth,
        key: &AccessKey,
        now: Timestamp,
    ) -> Result<Option<(Self, Vec<AccountReport>)>, FileError> {
        let file = dir.lock_file(JOURNAL)?;
        if file.try_lock().is_err() {
            return Ok(None);
        }
        let mut journal = Self { file };
        let run = identity(auth, key);
        let finished = journal.read(&run, now).unwrap_or_default();
        if finished.is_empty() {
            let _ = journal.file.set_len(0);
            let _ = journal.file.rewind();
            let _ = journal.line(&Header { run, at: now });
        }
        Ok(Some((journal, finished)))
    }

    /// Notes a finished account.
    pub fn add(&mut self, account: &AccountReport) -> std::io::Result<()> {
        self.line(account)
    }

    /// Empties the journal: the run is complete.
    pub fn finish(self) {
        let _ = self.file.set_len(0);
    }

    fn line(&mut self, value: &impl Serialize) -> std::io::Result<()> {
        let mut line = serde_json::to_vec(value)?;
        line.push(b'\n');
        self.file.seek(SeekFrom::End(0))?;
        self.file.write_all(&line)
    }

    fn read(&mut self, run: &str, now: Timestamp) -> Option<Vec<AccountReport>> {
        let mut text = String::new();
        (&self.file).take(MAX_FILE_BYTES).read_to_string(&mut text).ok()?;
        let mut lines = text.split_inclusive('\n');
        let header: Header = serde_json::from_str(lines.next()?).ok()?;
        let age = now.duration_since(header.at);
        if header.run != run || age.is_negative() || age > FRESH {
            return None;
        }
        let mut accounts = Vec::new();
        let mut sound = text.find('\n')? + 1;
        for line in lines.filter(|line| line.ends_with('\n')) {
            let Ok(account) = serde_json::from_str(line) else {
                break;
            };
            accounts.push(account);
            sound += line.len();
        }
        // What a cut left torn would spoil the next line.
        self.file.set_len(u64::try_from(sound).ok()?).ok()?;
        Some(accounts)
    }
}

/// What must be the same for a run to go on.
fn identity(auth: &Auth, key: &AccessKey) -> String {
    let endpoint = auth.endpoint_url.as_deref().unwrap_or_default();
    let text = format!("{}\n{}\n{endpoint}", auth.account, key.id);
    Sha256::digest(text).iter().fold(String::new(), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

/// Every account's last verdict, for the marks in the list; empty where none was ever written.
pub fn marks(dir: &Dir) -> BTreeMap<AccountId, VerifiedMark> {
    let text = dir.read(MARKS, MAX_FILE_BYTES).ok().flatten();
    text.and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default()
}

/// Writes the accounts' verdicts into the record; other accounts keep theirs.
pub fn mark(dir: &Dir, accounts: &[AccountReport], against: Against) -> Result<(), FileError> {
    let _lock = dir.lock("verify.lock")?;
    let mut all = marks(dir);
    all.extend(accounts.iter().map(|account| {
        (account.id, VerifiedMark { at: account.at, verdict: account.verdict(against) })
    }));
    dir.write(MARKS, &serde_json::to_vec(&all).unwrap_or_default())
}
