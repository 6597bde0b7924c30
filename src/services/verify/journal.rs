//! What `verify` remembers: accounts finished by a run that was cut off, and every account's last verdict.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};

use crate::domain::config::Auth;
use crate::domain::ids::AccountId;
use crate::domain::secret::AccessKey;
use crate::domain::verdict::Against;
use crate::domain::verdict::report::{AccountReport, VerifiedMark};
use crate::services::store::files::{Dir, FileError};
use crate::services::store::record::Name;
use crate::services::store::sealed_log::SealedLog;
use crate::services::store::vault::Vault;

/// Finished accounts, sealed: nobody but sekisho can make an account look probed.
const JOURNAL: &str = "verify.journal";
/// Every account's last verdict.
const MARKS: &str = "verify.json";
/// A run that was cut off longer ago is begun anew.
const FRESH: SignedDuration = SignedDuration::from_hours(12);
/// More than 10,000 accounts take.
const MAX_FILE_BYTES: u64 = 16 << 20;

/// The journal of the run that goes on.
pub struct Journal(SealedLog);

impl Journal {
    /// Opens the journal; with it come the accounts that a run of this key, cut off less than 12 h ago, had finished.
    ///
    /// `None` where another `verify` is writing it. A damaged entry ends what is taken over.
    pub fn open(
        dir: &Dir,
        vault: &Vault,
        auth: &Auth,
        key: &AccessKey,
        now: Timestamp,
    ) -> Result<Option<(Self, Vec<AccountReport>)>, FileError> {
        let opened = SealedLog::open(dir, JOURNAL, (vault, run_id(auth, key)), FRESH, now)?;
        Ok(opened.map(|(log, entries)| {
            let accounts = entries.iter().map_while(|entry| serde_json::from_slice(entry).ok());
            let fresh = |account: &AccountReport| {
                let age = now.duration_since(account.at);
                !age.is_negative() && age < FRESH
            };
            (Self(log), accounts.filter(fresh).collect())
        }))
    }

    /// Notes a finished account.
    pub fn add(&mut self, account: &AccountReport) -> std::io::Result<()> {
        self.0.append(&serde_json::to_vec(account)?)
    }

    /// Empties the journal: the run is complete.
    pub fn finish(self) {
        self.0.clear();
    }
}

/// What must be the same for a run to go on.
fn run_id(auth: &Auth, key: &AccessKey) -> Name {
    let endpoint = auth.endpoint_url.as_deref().unwrap_or_default();
    Sha256::digest(format!("sekisho verify\n{}\n{}\n{endpoint}", auth.account, key.id)).into()
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
