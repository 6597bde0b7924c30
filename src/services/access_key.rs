//! The access key, wherever the config says it is.

use std::path::Path;

use crate::domain::config::{Auth, KeySource, StoreChoice};
use crate::domain::fault::{Exit, Fault};
use crate::domain::secret::AccessKey;

use super::aws;
use super::store::keyfile::Ask;
use super::store::keys::{KeyHome, Slot};

/// Loads the access key that a config names.
pub async fn load(
    auth: &Auth,
    store: StoreChoice,
    state: &Path,
    ask: &mut Ask<'_>,
) -> Result<AccessKey, Fault> {
    match &auth.key {
        KeySource::Env => aws::from_environment(),
        KeySource::Profile(name) => aws::from_profile(name).await,
        KeySource::Command(argv) => aws::from_command(argv).await,
        KeySource::Auto | KeySource::Keyring | KeySource::File => stored(auth, store, state, ask),
    }
}

/// The slot of a config's key.
pub fn slot(auth: &Auth) -> Slot {
    Slot {
        account: auth.account,
        endpoint: auth.endpoint_url.clone(),
    }
}

/// The homes a config's key may have, the preferred one first.
pub fn homes(auth: &Auth, store: StoreChoice, state: &Path) -> Vec<KeyHome> {
    match (&auth.key, store) {
        (KeySource::Keyring, _) | (_, StoreChoice::Keyring) => vec![KeyHome::Keychain],
        (KeySource::File, _) | (_, StoreChoice::File) => vec![KeyHome::file(state)],
        (_, StoreChoice::Auto | StoreChoice::None) => vec![KeyHome::Keychain, KeyHome::file(state)],
    }
}

fn stored(
    auth: &Auth,
    store: StoreChoice,
    state: &Path,
    ask: &mut Ask<'_>,
) -> Result<AccessKey, Fault> {
    let slot = slot(auth);
    let mut failed = None;
    for home in homes(auth, store, state) {
        match home.load(&slot, ask) {
            Ok(Some(entry)) => {
                if let Some(stored) = entry.current {
                    return Ok(stored.key);
                }
            }
            Ok(None) => {}
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    Err(failed.map_or_else(
        || {
            Fault::new(Exit::Usage, "there is no access key in the store")
                .because(format!(
                    "none was added for the auth account {}",
                    auth.account
                ))
                .fix("sekisho key add")
                .fix("or take it from elsewhere: `auth.key: env` or `auth.key: profile:NAME`")
        },
        |error| error.fault(),
    ))
}
