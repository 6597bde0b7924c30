//! The OS keychain: Secret Service on Linux, Keychain on macOS.
//!
//! Every call runs on a thread of its own, because the D-Bus library has no timeout and a daemon may
//! hang. A call takes 10 to 20 ms, so warm paths make none.

use std::ffi::OsStr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::domain::fault::{Exit, Fault};

/// What the header and `status` call it.
pub const LABEL: &str = if cfg!(target_os = "macos") { "Keychain" } else { "Secret Service" };

/// How long a keychain may take to answer. macOS asks the user first after each upgrade of a program that Apple has not
/// notarised.
pub const PROBE: Duration = Duration::from_secs(if cfg!(target_os = "macos") { 30 } else { 2 });

/// How a locked keychain is unlocked without a window.
const UNLOCK: &str = if cfg!(target_os = "macos") {
    "security unlock-keychain"
} else {
    "gnome-keyring-daemon --replace --unlock --components=secrets"
};

/// Why a keychain call failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeychainError {
    /// There is no session bus.
    #[error("no D-Bus session bus")]
    NoBus,
    /// There is a bus, but no secret service on it.
    #[error("no Secret Service on the session bus")]
    NoProvider,
    /// The service has no collection to store entries in.
    #[error("the Secret Service has no default collection")]
    NoCollection,
    /// It is locked, and there is no display for its password prompt.
    #[error("the keychain is locked, and there is no display to ask for its password")]
    Locked,
    /// It is connected, but has not answered: most likely it is asking the user for its password.
    #[error("the keychain is waiting to be unlocked")]
    Waiting,
    /// No connection to it within the time limit.
    #[error("the keychain does not answer")]
    Hung,
    /// `HOME` is another directory than the user's own, and macOS finds a keychain by `HOME`.
    #[error("HOME is not your home directory, so the Keychain is not used")]
    OtherHome,
    /// This sekisho was built without it.
    #[error("this sekisho was built without the keychain")]
    NotBuilt,
    /// Any other error, with the keychain's own message.
    #[error("the keychain failed: {0}")]
    Other(String),
}

impl KeychainError {
    /// Whether this machine, or this login, has no keychain at all, or must not use it.
    pub const fn is_absent(&self) -> bool {
        matches!(
            self,
            Self::NoBus | Self::NoProvider | Self::NoCollection | Self::OtherHome | Self::NotBuilt
        )
    }

    /// The three lines for a person.
    pub fn fault(&self) -> Fault {
        const FILE: &str = "or keep the key in a sealed file: set `store: file` in the config, then `sekisho key add`";
        let fault = Fault::new(Exit::Fault, self.to_string());
        match self {
            Self::NoBus => fault
                .because("ssh logins, containers, WSL and cron jobs have none of their own")
                .fix("dbus-run-session -- $SHELL")
                .fix(FILE),
            Self::NoProvider => fault
                .because("no gnome-keyring, KWallet or KeePassXC is running")
                .fix("gnome-keyring-daemon --unlock --components=secrets")
                .fix(FILE),
            Self::NoCollection => fault
                .because("the keychain has never been set up")
                .fix("create a keyring named Login or Default with seahorse or kwalletmanager")
                .fix(FILE),
            Self::Locked => fault
                .because("the login did not unlock it: ssh, or a password that has changed")
                .fix(UNLOCK)
                .fix(FILE),
            Self::Waiting => fault
                .because("a window on the desktop is asking for its password")
                .because("the keychain's daemon is busy")
                .fix("enter the password, then try again"),
            Self::Hung if cfg!(target_os = "macos") => fault.fix("log out and in again").fix(FILE),
            Self::Hung => fault
                .because("its daemon hangs or was stopped")
                .fix("gnome-keyring-daemon --replace --components=secrets")
                .fix(FILE),
            Self::OtherHome => fault
                .because("sudo kept your HOME, or a build or a test set its own")
                .fix("run it with your own HOME")
                .fix(FILE),
            Self::NotBuilt => fault
                .because("it was built with --no-default-features")
                .fix("cargo install sekisho --features keyring")
                .fix(FILE),
            Self::Other(_) => fault.fix("sekisho doctor").fix(FILE),
        }
    }
}

/// Reads an entry, if there is one.
pub fn get(name: &str, limit: Duration) -> Result<Option<Zeroizing<Vec<u8>>>, KeychainError> {
    let name = name.to_owned();
    within(limit, move |connected| backend::get(&name, connected))
}

/// Writes an entry, replacing one of that name.
pub fn set(name: &str, secret: &[u8], limit: Duration) -> Result<(), KeychainError> {
    let (name, secret) = (name.to_owned(), Zeroizing::new(secret.to_vec()));
    within(limit, move |connected| backend::set(&name, &secret, connected))
}

/// Removes an entry; returns whether there was one.
pub fn remove(name: &str, limit: Duration) -> Result<bool, KeychainError> {
    let name = name.to_owned();
    within(limit, move |connected| backend::remove(&name, connected))
}

/// Tests that entries can be written, by writing one: a keychain may be readable and still not writable.
pub fn probe() -> Result<(), KeychainError> {
    within(PROBE, try_out)
}

/// Waits without a limit until the user has unlocked the keychain.
///
/// Dropping the future cancels the wait.
pub async fn unlock() -> Result<(), KeychainError> {
    let (done, answer) = tokio::sync::oneshot::channel();
    let connected = AtomicBool::new(false);
    // Not on tokio's blocking pool: shutting the runtime down would wait for a daemon that hangs.
    spawn(move || {
        let _ = done.send(try_out(&connected));
    })?;
    answer.await.unwrap_or(Err(KeychainError::Hung))
}

fn try_out(connected: &AtomicBool) -> Result<(), KeychainError> {
    let name = format!("probe:{}", std::process::id());
    backend::set(&name, b"sekisho tests whether it can write here", connected)?;
    backend::remove(&name, connected).map(drop)
}

fn within<T: Send + 'static>(
    limit: Duration,
    call: impl FnOnce(&AtomicBool) -> Result<T, KeychainError> + Send + 'static,
) -> Result<T, KeychainError> {
    let connected = Arc::new(AtomicBool::new(false));
    let (done, answer) = mpsc::sync_channel(1);
    let inside = Arc::clone(&connected);
    spawn(move || {
        let _ = done.send(call(&inside));
    })?;
    answer.recv_timeout(limit).unwrap_or_else(|_| {
        Err(if connected.load(Ordering::Relaxed) {
            KeychainError::Waiting
        } else {
            KeychainError::Hung
        })
    })
}

/// Whether the keychain may be opened: on macOS only with the user's own `HOME`.
///
/// With another one macOS offers to make, or to reset, a keychain there; and a test must not reach the developer's.
fn permitted() -> Result<(), KeychainError> {
    if !cfg!(target_os = "macos") {
        return Ok(());
    }
    let user = nix::unistd::User::from_uid(nix::unistd::geteuid()).ok().flatten();
    let own = user.is_some_and(|user| is_home(std::env::var_os("HOME").as_deref(), &user.dir));
    if own { Ok(()) } else { Err(KeychainError::OtherHome) }
}

/// Whether `HOME` leads to the home of the user database; unset, that one counts.
fn is_home(named: Option<&OsStr>, home: &Path) -> bool {
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    named.is_none_or(|named| real(Path::new(named)) == real(home))
}

fn spawn(call: impl FnOnce() + Send + 'static) -> Result<(), KeychainError> {
    std::thread::Builder::new()
        .name("keychain".into())
        .spawn(call)
        .map(drop)
        .map_err(|error| KeychainError::Other(error.to_string()))
}

#[cfg(feature = "keyring")]
mod backend {
    use keyring_core::api::CredentialStoreApi;
    use keyring_core::{Entry, Error};

    #[cfg(target_os = "macos")]
    use apple_native_keyring_store::keychain::Store;
    #[cfg(target_os = "linux")]
    use zbus_secret_service_keyring_store::Store;

    use super::{AtomicBool, KeychainError, Ordering, Zeroizing};
    use crate::domain::text::sanitize;

    const SERVICE: &str = "sekisho";

    pub fn get(
        name: &str,
        connected: &AtomicBool,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, KeychainError> {
        match entry(name, connected)?.get_secret() {
            Ok(secret) => Ok(Some(Zeroizing::new(secret))),
            Err(Error::NoEntry) => Ok(None),
            Err(error) => Err(named(&error)),
        }
    }

    pub fn set(name: &str, secret: &[u8], connected: &AtomicBool) -> Result<(), KeychainError> {
        let entry = entry(name, connected)?;
        entry.set_secret(secret).map_err(|error| named(&error))
    }

    pub fn remove(name: &str, connected: &AtomicBool) -> Result<bool, KeychainError> {
        match entry(name, connected)?.delete_credential() {
            Ok(()) => Ok(true),
            Err(Error::NoEntry) => Ok(false),
            Err(error) => Err(named(&error)),
        }
    }

    fn entry(name: &str, connected: &AtomicBool) -> Result<Entry, KeychainError> {
        super::permitted()?;
        // Connecting does not unlock the keychain, and opens no prompt.
        let store = Store::new().map_err(|error| named(&error))?;
        connected.store(true, Ordering::Relaxed);
        store.build(SERVICE, name, None).map_err(|error| named(&error))
    }

    /// The platform's errors are typed by crates we do not name, so they are told apart by their Debug text;
    /// `tests/it/store` meets each with a real daemon.
    fn named(error: &Error) -> KeychainError {
        match error {
            Error::NoStorageAccess(cause) => match format!("{cause:?}").as_str() {
                "NoResult" => KeychainError::NoCollection,
                _ => KeychainError::Locked,
            },
            Error::PlatformFailure(cause) => {
                let debug = format!("{cause:?}");
                // macOS: errSecInteractionNotAllowed, errSecAuthFailed.
                let is_locked =
                    ["-25308", "-25293", "IsLocked", "locked"].iter().any(|it| debug.contains(it));
                if debug.contains("ServiceUnknown") || debug.contains("Unavailable") {
                    KeychainError::NoProvider
                } else if debug.contains("Connection") || debug.contains("InputOutput") {
                    KeychainError::NoBus
                } else if is_locked {
                    KeychainError::Locked
                } else {
                    KeychainError::Other(sanitize(&cause.to_string()))
                }
            }
            // Some variants carry the secret's bytes; their texts do not.
            other => KeychainError::Other(sanitize(&other.to_string())),
        }
    }
}

#[cfg(not(feature = "keyring"))]
mod backend {
    use super::{AtomicBool, KeychainError, Zeroizing};

    pub fn get(_: &str, _: &AtomicBool) -> Result<Option<Zeroizing<Vec<u8>>>, KeychainError> {
        Err(KeychainError::NotBuilt)
    }

    pub fn set(_: &str, _: &[u8], _: &AtomicBool) -> Result<(), KeychainError> {
        Err(KeychainError::NotBuilt)
    }

    pub fn remove(_: &str, _: &AtomicBool) -> Result<bool, KeychainError> {
        Err(KeychainError::NotBuilt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_users_own_home_has_the_keychain() {
        let place = tempfile::tempdir().unwrap();
        let (home, other) = (place.path().join("tanaka"), place.path().join("other"));
        for dir in [&home, &other] {
            std::fs::create_dir(dir).unwrap();
        }
        let link = place.path().join("link");
        std::os::unix::fs::symlink(&home, &link).unwrap();
        let is_own = |named: &Path| is_home(Some(named.as_os_str()), &home);
        assert!(is_home(None, &home) && is_own(&home) && is_own(&link));
        for named in [&other, Path::new(""), &home.join("missing")] {
            assert!(!is_own(named), "{}", named.display());
        }
    }
}
