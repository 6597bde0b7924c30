//! Which credentials were issued here, and for which role and scope: enough to tell a renewal from a new entry.
//!
//! A key id alone proves nothing, since it is in CloudTrail and in presigned URLs; the secret beside it does. Only salted
//! hashes are kept, and a secret access key is too long to be guessed from one, so the file is not sealed.

use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::domain::account::Target;
use crate::domain::secret::Credentials;
use crate::services::store::files::{Dir, FileError};

const FILE: &str = "issued.json";
const LOCK: &str = "issued.lock";
const MAX_BYTES: u64 = 1024 * 1024;
/// The newest are kept: enough for every shell that is open, whatever a script enters beside them.
const MAX_ENTRIES: usize = 2_000;

/// How long after its expiry a session still counts: a shell may have been left open overnight.
const GRACE: SignedDuration = SignedDuration::from_hours(24);

/// The sessions issued on this machine.
pub struct Issued {
    dir: PathBuf,
}

#[derive(Serialize, Deserialize)]
struct Entry {
    until: Timestamp,
    salt: String,
    digest: String,
}

impl Issued {
    /// Those that are remembered in a directory. Touches nothing yet.
    pub fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }

    /// Remembers for which role and scope a session was issued.
    pub fn remember(
        &self,
        credentials: &Credentials,
        target: &Target,
        now: Timestamp,
    ) -> Result<(), FileError> {
        let dir = Dir::create(&self.dir)?;
        let mut salt = [0; 16];
        if getrandom::fill(&mut salt).is_err() {
            return Ok(()); // without a salt nothing is kept, and a renewal asks like a new entry
        }
        let salt = hex::encode(salt);
        let secret = credentials.secret.expose().as_bytes();
        let digest = digest(&salt, credentials.id.as_str(), secret, target);
        let until = credentials.expires.checked_add(GRACE).unwrap_or(Timestamp::MAX);
        let _held = dir.lock(LOCK)?;
        let mut entries = read(&dir);
        entries.retain(|entry| entry.until > now);
        entries.push(Entry { until, salt, digest });
        let surplus = entries.len().saturating_sub(MAX_ENTRIES);
        entries.drain(..surplus);
        dir.write(FILE, &serde_json::to_vec(&entries).unwrap_or_default())
    }

    /// Whether a key id and its secret are those of a session for this very role and scope.
    pub fn were_for(&self, id: &str, secret: &[u8], target: &Target, now: Timestamp) -> bool {
        let entries = Dir::open(&self.dir).ok().flatten().map(|dir| read(&dir)).unwrap_or_default();
        entries
            .iter()
            .filter(|entry| entry.until > now)
            .any(|entry| entry.digest == digest(&entry.salt, id, secret, target))
    }
}

/// What is remembered; a missing or damaged file remembers nothing.
fn read(dir: &Dir) -> Vec<Entry> {
    let bytes = dir.read(FILE, MAX_BYTES).ok().flatten();
    bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
}

fn digest(salt: &str, id: &str, secret: &[u8], target: &Target) -> String {
    let role = target.role.as_str().as_bytes();
    let scope = target.session.scope.name().as_bytes();
    let mut hash = Sha256::new();
    for part in [salt.as_bytes(), id.as_bytes(), secret, role, scope] {
        // The length goes first, so that no two parts can run together.
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hex::encode(hash.finalize())
}
