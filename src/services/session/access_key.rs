//! The access key, wherever the config says it is; and the place in the store where it may lie.

use std::cell::RefCell;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use crate::domain::config::{Auth, KeySource, StoreChoice};
use crate::domain::fault::{Exit, Fault};
use crate::domain::ids::{AccessKeyId, UserName};
use crate::domain::pass::NotIssued;
use crate::domain::secret::{AccessKey, Secret};
use crate::domain::text::sanitize;

use super::interaction::Interaction;
use crate::domain::rotation::KeyEntry;
use crate::services::aws::{self, CallerIdentity};
use crate::services::store::access_keys::{KeyError, KeyHome};
use crate::services::store::files::Dir;
use crate::services::store::keychain::{self, KeychainError};
use crate::services::store::keyfile::{KeyFileError, Passphrase, Unasked};
use crate::services::store::slot::Slot;

/// Loads the access key that a config names; `passphrase` opens a sealed file without asking.
pub async fn load(
    auth: &Auth,
    store: StoreChoice,
    state: &Path,
    interaction: &dyn Interaction,
    passphrase: Option<&Secret>,
) -> Result<AccessKey, NotIssued> {
    match &auth.key {
        KeySource::Env => Ok(aws::from_environment()?),
        KeySource::Profile(name) => Ok(aws::from_profile(name).await?),
        KeySource::Command(argv) => Ok(aws::from_command(argv).await?),
        KeySource::Auto | KeySource::Keyring | KeySource::File => {
            let key_store = KeyStore::new(auth, store, state);
            key_store.passphrase.replace(passphrase.map(Secret::copy));
            let found = key_store.find(interaction).await.map_err(refusal)?;
            let current = found.and_then(|(_, entry)| entry.current);
            Ok(current.ok_or_else(|| nothing_stored(auth))?.key)
        }
    }
}

/// What a key that cannot be read means: a passphrase may help, or it is a fault.
fn refusal(error: KeyError) -> NotIssued {
    match error {
        KeyError::File(KeyFileError::Unasked(Unasked::NotYet)) => NotIssued::Passphrase(None),
        KeyError::File(KeyFileError::WrongPassphrase | KeyFileError::EmptyPassphrase) => {
            NotIssued::Passphrase(Some(error.fault()))
        }
        error => error.fault().into(),
    }
}

/// Whether a config leaves its key to the store.
pub fn is_stored(auth: &Auth) -> bool {
    matches!(auth.key, KeySource::Auto | KeySource::Keyring | KeySource::File)
}

/// The fault of a store without a key.
pub fn nothing_stored(auth: &Auth) -> Fault {
    let none = match &auth.endpoint_url {
        None => format!("none was added for the auth account {}", auth.account),
        Some(url) => format!(
            "none was added for the auth account {} at {}: a key is used at its own endpoint only",
            auth.account,
            sanitize(url)
        ),
    };
    Fault::new(Exit::Usage, "there is no access key in the store")
        .because(none)
        .fix("sekisho key add")
        .fix("or take it from elsewhere: `auth.key: env` or `auth.key: profile:NAME`")
}

/// Holds a caller against the config: the key must be an IAM user's, of the auth account.
pub fn owner(auth: &Auth, key: &AccessKeyId, caller: CallerIdentity) -> Result<UserName, Fault> {
    if caller.account != auth.account {
        return Err(Fault::new(
            Exit::Usage,
            format!("the access key {} belongs to account {}", key.short(), caller.account),
        )
        .because(format!("the config's auth account is {}", auth.account))
        .fix("give the key of the auth account's IAM user, or mend `auth.account`"));
    }
    let user = caller.user.ok_or_else(|| {
        Fault::new(Exit::Usage, "the access key is not an IAM user's")
            .because(format!("AWS says it is {}", sanitize(&caller.arn)))
            .fix("give the long-term key of an IAM user in the auth account")
    })?;
    match &auth.user {
        Some(named) if *named != user => {
            Err(Fault::new(Exit::Usage, format!("the access key {} is {user}'s", key.short()))
                .because(format!("the config's `auth.user` is {named}"))
                .fix("give that user's key, or mend `auth.user`"))
        }
        _ => Ok(user),
    }
}

/// A config's place in the store: the homes its key may have, and the passphrase for as long as this lives.
pub struct KeyStore {
    slot: Slot,
    state: PathBuf,
    homes: Vec<KeyHome>,
    passphrase: RefCell<Option<Secret>>,
}

impl KeyStore {
    /// The key store of a config. Touches nothing yet.
    pub fn new(auth: &Auth, store: StoreChoice, state: &Path) -> Self {
        // What the config says of the key is nearer than what it says of the store.
        let store = match &auth.key {
            KeySource::Keyring => StoreChoice::Keyring,
            KeySource::File => StoreChoice::File,
            _ => store,
        };
        let homes = match store {
            StoreChoice::Keyring => vec![KeyHome::Keychain],
            StoreChoice::File => vec![KeyHome::file(state)],
            StoreChoice::Auto | StoreChoice::None => vec![KeyHome::Keychain, KeyHome::file(state)],
        };
        Self {
            slot: Slot { account: auth.account, endpoint: auth.endpoint_url.clone() },
            state: state.to_owned(),
            homes,
            passphrase: RefCell::default(),
        }
    }

    /// Claims the right to change the stored key: of two rotations at once, one would store over the other's new
    /// key and have the old one deactivated.
    pub fn claim(&self) -> Result<Claim, Fault> {
        let file = Dir::create(&self.state)
            .and_then(|dir| dir.lock_file("keys.lock"))
            .map_err(|error| error.fault("the access key cannot be changed"))?;
        match file.try_lock() {
            Ok(()) => Ok(Claim(file)),
            Err(TryLockError::WouldBlock) => {
                Err(Fault::new(Exit::Fault, "another sekisho is changing the access key")
                    .because("a `sekisho key` in another terminal has not ended")
                    .fix("finish or end that one, then try again"))
            }
            Err(TryLockError::Error(error)) => {
                Err(Fault::new(Exit::Fault, "the access key cannot be changed")
                    .because(error.to_string())
                    .fix("sekisho doctor"))
            }
        }
    }

    /// What is stored, and where: the first home that holds a key. `Err` only where none does and one failed;
    /// of several failures, the file's: it is there, where a keychain may never have been.
    pub async fn find(
        &self,
        interaction: &dyn Interaction,
    ) -> Result<Option<(&KeyHome, KeyEntry)>, KeyError> {
        let mut failed = None;
        for home in &self.homes {
            match self.look(home, interaction).await {
                Ok(Some(entry)) if entry.current.is_some() => return Ok(Some((home, entry))),
                Ok(_) => {}
                Err(error) => failed = Some(error),
            }
        }
        failed.map_or(Ok(None), Err)
    }

    /// The best home that takes keys now, tried by writing; and why a better one was passed over.
    pub async fn choose(
        &self,
        interaction: &dyn Interaction,
    ) -> Result<(&KeyHome, Option<String>), Fault> {
        let mut refused: Option<KeyError> = None;
        for home in &self.homes {
            let mut tried = home.probe();
            if let Err(KeyError::Keychain(KeychainError::Waiting)) = tried {
                tried = unlock(interaction).await;
            }
            match tried {
                Ok(()) => return Ok((home, refused.map(|error| error.to_string()))),
                Err(error) => refused = Some(error),
            }
        }
        Err(refused.map_or_else(
            || Fault::new(Exit::Fault, "there is no home for the access key"),
            |error| error.fault(),
        ))
    }

    /// Stores an entry whole, or leaves the old one.
    pub fn save(
        &self,
        home: &KeyHome,
        entry: &KeyEntry,
        interaction: &dyn Interaction,
    ) -> Result<(), Fault> {
        home.save(&self.slot, entry, &mut |which| self.ask(which, interaction))
            .map_err(|error| error.fault())
    }

    /// Removes the key from every home; the labels of those that held one.
    pub fn clear(&self) -> Result<Vec<&'static str>, Fault> {
        let mut held = Vec::new();
        let mut failed = None;
        for home in &self.homes {
            match home.remove(&self.slot) {
                Ok(true) => held.push(home.label()),
                Ok(false) => {}
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        match failed {
            Some(error) if held.is_empty() => Err(error.fault()),
            _ => Ok(held),
        }
    }

    /// Makes the next reading of a sealed file ask for its passphrase.
    pub fn forget_passphrase(&self) {
        for home in &self.homes {
            if let KeyHome::File(file) = home {
                file.forget_passphrase(&self.slot);
            }
        }
    }

    async fn look(
        &self,
        home: &KeyHome,
        interaction: &dyn Interaction,
    ) -> Result<Option<KeyEntry>, KeyError> {
        let load = || home.load(&self.slot, &mut |which| self.ask(which, interaction));
        match load() {
            Err(KeyError::Keychain(KeychainError::Waiting)) => {
                unlock(interaction).await?;
                load()
            }
            Err(error @ KeyError::File(KeyFileError::WrongPassphrase)) => {
                self.passphrase.take();
                Err(error)
            }
            done => done,
        }
    }

    /// Where the kernel cannot remember the passphrase, one verb still asks for it once.
    fn ask(&self, which: Passphrase, interaction: &dyn Interaction) -> Result<Secret, Unasked> {
        if let Some(known) = self.passphrase.borrow().as_ref() {
            return Ok(known.copy());
        }
        let given = interaction.passphrase(which)?;
        *self.passphrase.borrow_mut() = Some(given.copy());
        Ok(given)
    }
}

/// The right to change the stored key; ends when it is dropped, or with the process.
pub struct Claim(#[expect(dead_code, reason = "holds the lock")] File);

/// Waits for a person to unlock the keychain. Dropping the future ends the wait.
async fn unlock(interaction: &dyn Interaction) -> Result<(), KeyError> {
    interaction.notify("the keychain waits to be unlocked: its window asks for a password");
    Ok(keychain::unlock().await?)
}
