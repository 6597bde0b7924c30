//! The access key: loaded from where the config says, and changed where sekisho stores it.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use crate::domain::config::{Auth, KeySource, StoreChoice};
use crate::domain::fault::{Exit, Fault};
use crate::domain::ids::{AccessKeyId, UserName};
use crate::domain::pass::NotIssued;
use crate::domain::secret::{AccessKey, Secret};
use crate::domain::text::sanitize;

use super::interaction::Interaction;
use crate::domain::rotation::KeyEntry;
use crate::services::aws::{self, CallerIdentity, SharedFiles};
use crate::services::store::access_keys::{KeyError, KeyHome};
use crate::services::store::file_lock::Lock;
use crate::services::store::files::Dir;
use crate::services::store::keychain::{self, KeychainError};
use crate::services::store::keyfile::{KeyFileError, Passphrase, Unasked};
use crate::services::store::slot::Slot;

/// How many new passphrases may be tried.
const MAX_PASSPHRASES: usize = 5;

/// Loads the access key that a config names; `passphrase` opens a sealed file without a prompt.
pub async fn load(
    auth: &Auth,
    store: StoreChoice,
    state: &Path,
    interaction: &dyn Interaction,
    passphrase: Option<&Secret>,
) -> Result<AccessKey, NotIssued> {
    match &auth.key {
        KeySource::Env => Ok(aws::from_environment()?),
        KeySource::Profile(name) => Ok(aws::from_profile(name, &SharedFiles::current()?).await?),
        KeySource::Command(argv) => Ok(aws::from_command(argv).await?),
        KeySource::Login => Err(no_key().into()),
        KeySource::Auto | KeySource::Keyring | KeySource::File => {
            let key_store = KeyStore::new(auth, store, state);
            key_store.passphrase.replace(passphrase.map(Secret::copy));
            let found = match key_store.find(interaction).await {
                Err(error @ KeyError::Keychain(_)) => {
                    return Err(key_store.unfound(auth, &error).into());
                }
                found => found.map_err(not_issued)?,
            };
            let current = found.and_then(|(_, entry)| entry.current);
            Ok(current.ok_or_else(|| nothing_stored(auth))?.key)
        }
    }
}

/// The fault of asking for an access key where a console sign-in is in its place.
pub fn no_key() -> Fault {
    Fault::new(Exit::Usage, "there is no access key here")
        .because("the config says `auth.key: login`: sessions come from a console sign-in")
        .fix(
            "for what needs a key, use a config with one: `auth.key: auto`, then `sekisho key add`",
        )
}

/// What to answer when the key cannot be read: ask for the passphrase where that may help, otherwise a fault.
fn not_issued(error: KeyError) -> NotIssued {
    match error {
        KeyError::File(KeyFileError::Unasked(Unasked::NotYet)) => NotIssued::Passphrase(None),
        KeyError::File(KeyFileError::WrongPassphrase | KeyFileError::EmptyPassphrase) => {
            NotIssued::Passphrase(Some(error.fault()))
        }
        error => error.fault().into(),
    }
}

/// Whether a config's key is stored by sekisho, not read from elsewhere.
pub fn is_stored(auth: &Auth) -> bool {
    matches!(auth.key, KeySource::Auto | KeySource::Keyring | KeySource::File)
}

/// The fault where sekisho stores no key for a config.
pub fn nothing_stored(auth: &Auth) -> Fault {
    let none = match &auth.endpoint_url {
        None => format!("none was added for the auth account {}", auth.account),
        Some(url) => format!(
            "none was added for the auth account {} at {}: a key is used only at the endpoint it was added for",
            auth.account,
            sanitize(url)
        ),
    };
    Fault::new(Exit::Usage, "there is no access key in the store")
        .because(none)
        .fix("sekisho key add")
        .fix("or use a key from elsewhere: `auth.key: env` or `auth.key: profile:NAME`")
}

/// Checks a key's caller identity against the config: an IAM user of the auth account, and the one the config names.
pub fn owner(auth: &Auth, key: &AccessKeyId, caller: &CallerIdentity) -> Result<UserName, Fault> {
    if caller.account != auth.account {
        return Err(Fault::new(
            Exit::Usage,
            format!("the access key {} belongs to account {}", key.short(), caller.account),
        )
        .because(format!("the config's auth account is {}", auth.account))
        .fix("use the key of the auth account's IAM user, or correct `auth.account`"));
    }
    let user = iam_user(caller)?.clone();
    match &auth.user {
        Some(named) if *named != user => Err(Fault::new(
            Exit::Usage,
            format!("the access key {} belongs to {user}", key.short()),
        )
        .because(format!("the config's `auth.user` is {named}"))
        .fix("use that user's key, or correct `auth.user`")),
        _ => Ok(user),
    }
}

/// The IAM user whose key it is.
pub fn iam_user(caller: &CallerIdentity) -> Result<&UserName, Fault> {
    caller.user.as_ref().ok_or_else(|| {
        Fault::new(Exit::Usage, "the access key does not belong to an IAM user")
            .because(format!("AWS reports its owner as {}", sanitize(&caller.arn)))
            .fix("use the long-term key of an IAM user in the auth account")
    })
}

/// Where sekisho stores a config's access key: the keychain, a sealed file, or whichever of the two works.
///
/// Remembers the passphrase of a sealed file until it is dropped.
pub struct KeyStore {
    slot: Slot,
    state: PathBuf,
    homes: Vec<KeyHome>,
    passphrase: RefCell<Option<Secret>>,
    weak_passphrase: WeakPassphrase,
    /// What somebody who guesses the passphrase knows.
    names: Vec<String>,
}

impl KeyStore {
    /// The key store of a config. Reads and writes nothing yet.
    pub fn new(auth: &Auth, store: StoreChoice, state: &Path) -> Self {
        // `auth.key` is more specific than `store`.
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
            weak_passphrase: WeakPassphrase::Refused,
            names: [Some(auth.account.to_string()), auth.user.as_ref().map(ToString::to_string)]
                .into_iter()
                .flatten()
                .collect(),
        }
    }

    /// Takes the lock for changing the stored key. Without it, of two rotations at once, one would overwrite the
    /// other's new key and deactivate the old one.
    pub fn lock_for_change(&self) -> Result<ChangeLock, Fault> {
        let lock = Dir::create(&self.state)
            .and_then(|dir| dir.try_lock("keys.lock"))
            .map_err(|error| error.fault("the access key cannot be changed"))?;
        lock.map(ChangeLock).ok_or_else(|| {
            Fault::new(Exit::Fault, "another process is changing the access key")
                .because("a `sekisho key` in another terminal is still running")
                .fix("finish or stop that one, then try again")
        })
    }

    /// The stored entry and its home: the first home that holds a key. `Err` only where none does and one failed; of
    /// several failures, the sealed file's, since a machine may never have had a keychain.
    pub async fn find(
        &self,
        interaction: &dyn Interaction,
    ) -> Result<Option<(&KeyHome, KeyEntry)>, KeyError> {
        let mut failed = None;
        for home in &self.homes {
            match self.load_from(home, interaction).await {
                Ok(Some(entry)) if entry.current.is_some() => return Ok(Some((home, entry))),
                Ok(_) => {}
                Err(error) => failed = Some(error),
            }
        }
        failed.map_or(Ok(None), Err)
    }

    /// The fault of not having found the key. Where the config leaves the place open, a machine without a keychain has
    /// simply no key yet.
    pub fn unfound(&self, auth: &Auth, error: &KeyError) -> Fault {
        match error {
            KeyError::Keychain(keychain) if keychain.is_absent() && self.homes.len() > 1 => {
                let why = format!("it is in a keychain that this login does not reach: {keychain}");
                nothing_stored(auth).because(why)
            }
            error => error.fault(),
        }
    }

    /// The stored key where nobody has to be asked for it. `None` where somebody would have to be, or where a keychain
    /// does not tell.
    pub fn peek(&self, auth: &Auth) -> Option<Result<AccessKey, Fault>> {
        let mut is_told = true;
        for home in &self.homes {
            match home.load(&self.slot, &mut |_| Err(Unasked::NotYet)) {
                Ok(Some(KeyEntry { current: Some(stored), .. })) => return Some(Ok(stored.key)),
                Ok(_) => {}
                Err(KeyError::Keychain(_) | KeyError::File(KeyFileError::Unasked(_))) => {
                    is_told = false;
                }
                Err(error) => return Some(Err(error.fault())),
            }
        }
        is_told.then(|| Err(nothing_stored(auth)))
    }

    /// The first home that a test entry can be written to; and why an earlier one was passed over.
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
            || Fault::new(Exit::Fault, "there is nowhere to store the access key"),
            |error| error.fault(),
        ))
    }

    /// Replaces the entry in a home; on failure the old one stays.
    pub fn save(
        &self,
        home: &KeyHome,
        entry: &KeyEntry,
        interaction: &dyn Interaction,
    ) -> Result<(), Fault> {
        home.save(&self.slot, entry, &mut |which| self.ask(which, interaction))
            .map_err(|error| error.fault())
    }

    /// Removes the key from every home; returns the labels of those that held one.
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

    /// Takes a new passphrase even if it is easily guessed, with a warning.
    #[must_use]
    pub fn taking_weak_passphrases(mut self) -> Self {
        self.weak_passphrase = WeakPassphrase::Taken;
        self
    }

    async fn load_from(
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

    /// Asks until there is a passphrase that is not easily guessed.
    fn new_passphrase(&self, interaction: &dyn Interaction) -> Result<Secret, Unasked> {
        let names: Vec<&str> = self.names.iter().map(String::as_str).collect();
        let mut which = Passphrase::New;
        for _ in 0..MAX_PASSPHRASES {
            let typed = interaction.passphrase(which)?;
            match (typed.weakness(&names), self.weak_passphrase) {
                (None, _) => return Ok(typed),
                (Some(weakness), WeakPassphrase::Taken) => {
                    interaction.notify(&format!("the passphrase is easily guessed: {weakness}"));
                    return Ok(typed);
                }
                (Some(weakness), WeakPassphrase::Refused) => which = Passphrase::Another(weakness),
            }
        }
        Err(Unasked::Never(
            Fault::new(Exit::Usage, "no passphrase was given that is hard to guess")
                .fix("use several words that have nothing to do with each other")
                .fix("or insist on a weak one: --weak-passphrase"),
        ))
    }

    /// Where the kernel cannot remember the passphrase, it is remembered here, so that a verb prompts for it once.
    fn ask(&self, which: Passphrase, interaction: &dyn Interaction) -> Result<Secret, Unasked> {
        if let Some(known) = self.passphrase.borrow().as_ref() {
            return Ok(known.copy());
        }
        let typed = match which {
            Passphrase::Existing => interaction.passphrase(which)?,
            Passphrase::New | Passphrase::Another(_) => self.new_passphrase(interaction)?,
        };
        *self.passphrase.borrow_mut() = Some(typed.copy());
        Ok(typed)
    }
}

/// What becomes of a new passphrase that is easily guessed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WeakPassphrase {
    Refused,
    Taken,
}

/// The lock for changing the stored key; released when dropped, or when the process dies.
pub struct ChangeLock(#[expect(dead_code, reason = "holds the lock")] Lock);

/// Waits until the user has unlocked the keychain. Dropping the future cancels the wait.
async fn unlock(interaction: &dyn Interaction) -> Result<(), KeyError> {
    interaction.notify("the keychain is locked: enter its password in the window it has opened");
    Ok(keychain::unlock().await?)
}
