//! What is kept of a console sign-in: sealed like every session, never in clear.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use base64::prelude::{BASE64_STANDARD, Engine};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::domain::config::Auth;
use crate::domain::ids::{Region, UserArn, UserName};
use crate::domain::secret::Secret;
use crate::services::store::files::{Dir, FileError};
use crate::services::store::record::{Name, RecordKind};
use crate::services::store::vault::{Epoch, Vault};

use super::protocol::{Client, ProofKey};

const FILE: &str = "signed-in.json";
const LOCK: &str = "signed-in.lock";
const MAX_BYTES: u64 = 64 * 1024;

/// The longest that a sign-in can be renewed. AWS does not say how much of it is left.
pub const LONGEST: SignedDuration = SignedDuration::from_hours(12);

/// A console sign-in whose user was checked.
pub struct Login {
    /// What the next keys are asked for with.
    pub refresh: Secret,
    /// The key whose possession has to be proved for that.
    pub key: ProofKey,
    /// The client that signed in, which alone may renew.
    pub client: Client,
    /// Where it signed in: no other region renews it.
    pub region: Region,
    /// Who signed in.
    pub user: UserArn,
    /// When, UTC.
    pub since: Timestamp,
}

#[derive(Serialize, Deserialize)]
struct Record<T> {
    refresh: T,
    /// PKCS#8, in base64.
    key: T,
    client: Client,
    region: Region,
    user: UserArn,
    since: Timestamp,
}

impl Login {
    /// When it ends at the latest, UTC.
    pub fn ends(&self) -> Timestamp {
        self.since.checked_add(LONGEST).unwrap_or(Timestamp::MAX)
    }

    /// Reads the one that is kept for a config.
    pub fn get(vault: &Vault, auth: &Auth, now: Timestamp) -> Option<Self> {
        let bytes = vault.get(RecordKind::Login, &name(auth), now)?;
        let record: Record<String> = serde_json::from_slice(&bytes).ok()?;
        let key = Zeroizing::new(record.key);
        let pkcs8 = Zeroizing::new(BASE64_STANDARD.decode(&*key).ok()?);
        let login = Self {
            refresh: Secret::new(record.refresh),
            key: ProofKey::from_pkcs8(&pkcs8)?,
            client: record.client,
            region: record.region,
            user: record.user,
            since: record.since,
        };
        (login.ends() > now).then_some(login)
    }

    /// Keeps it in place of the one before; not where `begun` has ended.
    pub fn put(&self, vault: &Vault, begun: Epoch, auth: &Auth, now: Timestamp) {
        let key = Zeroizing::new(BASE64_STANDARD.encode(self.key.pkcs8()));
        let record = Record {
            refresh: self.refresh.expose(),
            key: &*key,
            client: self.client,
            region: self.region.clone(),
            user: self.user.clone(),
            since: self.since,
        };
        let mut bytes = Zeroizing::new(Vec::with_capacity(16 * 1024)); // never grows, so leaves no copy
        if serde_json::to_writer(&mut *bytes, &record).is_ok() {
            vault.put_since(begun, RecordKind::Login, &name(auth), &bytes, self.ends(), now);
        }
    }

    /// Forgets those of all configs.
    pub fn forget_all(vault: &Vault, now: Timestamp) {
        for (name, _) in vault.list(RecordKind::Login, now) {
            let _ = vault.remove(RecordKind::Login, &name);
        }
    }

    /// Forgets the one that is kept for a config. At AWS it goes on.
    pub fn forget(vault: &Vault, auth: &Auth) {
        let _ = vault.remove(RecordKind::Login, &name(auth));
    }
}

/// Who signed in for each auth account, until `logout --all`: another user's sign-in is a mistake, or an attack.
pub struct Remembered {
    dir: PathBuf,
}

type Users = BTreeMap<String, UserName>;

impl Remembered {
    /// Those that are remembered in a directory. Touches nothing yet.
    pub fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }

    /// Who signed in for a config's auth account before.
    pub fn user(&self, auth: &Auth) -> Option<UserName> {
        let dir = Dir::open(&self.dir).ok()??;
        read(&dir).remove(&account(auth))
    }

    /// Remembers who did now.
    pub fn remember(&self, auth: &Auth, user: &UserName) -> Result<(), FileError> {
        let dir = Dir::create(&self.dir)?;
        let _held = dir.lock(LOCK)?;
        let mut users = read(&dir);
        if users.insert(account(auth), user.clone()).as_ref() == Some(user) {
            return Ok(());
        }
        dir.write(FILE, &serde_json::to_vec(&users).unwrap_or_default())
    }

    /// Forgets all of them.
    pub fn clear(&self) {
        if let Ok(Some(dir)) = Dir::open(&self.dir) {
            let _ = dir.remove(FILE);
        }
    }
}

/// A missing or damaged file remembers nobody.
fn read(dir: &Dir) -> Users {
    let bytes = dir.read(FILE, MAX_BYTES).ok().flatten();
    bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
}

fn account(auth: &Auth) -> String {
    match auth.endpoint() {
        None => auth.account.to_string(),
        Some(endpoint) => format!("{}@{endpoint}", auth.account),
    }
}

/// Which sign-in: an auth account's, of the user that the config names, at AWS or elsewhere.
fn name(auth: &Auth) -> Name {
    let inputs = ("console sign-in", auth.account, &auth.user, auth.endpoint());
    let text = serde_json::to_vec(&inputs).unwrap_or_default();
    Sha256::digest(text).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::config::KeySource;

    #[test]
    fn what_is_kept_is_the_same_sign_in_until_it_ends() {
        let auth = Auth::sample(KeySource::Login);
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let login = Login {
            refresh: Secret::new("refresh".into()),
            key: ProofKey::generate().unwrap(),
            client: Client::CrossDevice,
            region: "us-west-2".parse().unwrap(),
            user: "arn:aws:iam::111111111111:user/alice".parse().unwrap(),
            since: now,
        };
        let vault = Vault::in_memory();
        login.put(&vault, vault.epoch(), &auth, now);
        let kept = Login::get(&vault, &auth, now).unwrap();
        assert!(kept.refresh.is(b"refresh") && kept.key.pkcs8() == login.key.pkcs8());
        // The config's region may have changed: the sign-in's counts.
        assert_eq!((kept.region.as_str(), kept.client), ("us-west-2", Client::CrossDevice));
        assert_eq!((kept.user, kept.since), (login.user, now));
        let other = Auth { endpoint_url: Some("http://127.0.0.1:1".into()), ..auth.clone() };
        assert!(Login::get(&vault, &other, now).is_none());
        assert!(Login::get(&vault, &auth, now + LONGEST).is_none());
        Login::forget(&vault, &auth);
        assert!(Login::get(&vault, &auth, now).is_none());
    }
}
