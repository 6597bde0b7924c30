//! Stored access keys: what an entry holds, and the two homes it can have.

use std::borrow::Cow;
use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::keychain::{self, KeychainError};
use super::keyfile::{Ask, KeyFile, KeyFileError};
use super::slot::Slot;
use crate::domain::fault::{Exit, Fault};
use crate::domain::rotation::{KeyEntry, Stage, StoredKey};
use crate::domain::secret::{AccessKey, Secret};
use crate::domain::text::sanitize;

const VERSION: u8 = 1;

/// Why a key was not stored or found.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// A call to the keychain failed.
    #[error(transparent)]
    Keychain(#[from] KeychainError),
    /// The sealed file failed.
    #[error(transparent)]
    File(#[from] KeyFileError),
    /// The home holds something that is not an entry of sekisho's.
    #[error("the stored access key cannot be read")]
    Malformed,
    /// Written by a newer sekisho.
    #[error("the stored access key was written by a newer sekisho")]
    Future,
    /// The home accepted the key, then returned something else.
    #[error("{0} did not keep the access key")]
    NotKept(&'static str),
}

impl KeyError {
    /// The three lines for a person.
    pub fn fault(&self) -> Fault {
        let fault = Fault::new(Exit::Fault, sanitize(&self.to_string()));
        match self {
            Self::Keychain(error) => error.fault(),
            Self::File(error) => error.fault(),
            Self::Malformed => fault
                .because("another program wrote an entry under sekisho's name")
                .fix("sekisho key remove, then sekisho key add"),
            Self::Future => fault.fix("update sekisho: cargo install sekisho"),
            Self::NotKept(_) => fault
                .because("another program changed it at the same time")
                .fix("try again, or set `store: file` in the config"),
        }
    }
}

/// Where access keys are stored.
pub enum KeyHome {
    /// The OS keychain, one entry per slot.
    Keychain,
    /// A file sealed with a passphrase.
    File(KeyFile),
}

impl KeyHome {
    /// Key files below sekisho's state directory.
    pub fn file(state: &Path) -> Self {
        Self::File(KeyFile::below(state))
    }

    /// What the header and `status` call it.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Keychain => keychain::LABEL,
            Self::File(_) => "sealed file",
        }
    }

    /// Tests by writing that keys can be stored here: within 2 s, and without a prompt.
    pub fn probe(&self) -> Result<(), KeyError> {
        match self {
            Self::Keychain => Ok(keychain::probe()?),
            Self::File(file) => Ok(file.probe()?),
        }
    }

    /// What is stored for a slot; `None` where nothing is. `ask` prompts for the passphrase of a file.
    ///
    /// A locked keychain is [`KeychainError::Waiting`] after 2 s: call `keychain::unlock`, then try again.
    pub fn load(&self, slot: &Slot, ask: &mut Ask<'_>) -> Result<Option<KeyEntry>, KeyError> {
        let bytes = match self {
            Self::Keychain => keychain::get(&slot.name(), keychain::PROBE)?,
            Self::File(file) => file.read(slot, ask)?,
        };
        bytes.map(|bytes| read(&bytes, slot)).transpose()
    }

    /// Replaces an entry; on failure the old one stays.
    pub fn save(&self, slot: &Slot, entry: &KeyEntry, ask: &mut Ask<'_>) -> Result<(), KeyError> {
        let bytes = to_bytes(entry, slot)?;
        match self {
            Self::Keychain => {
                keychain::set(&slot.name(), &bytes, keychain::PROBE)?;
                match keychain::get(&slot.name(), keychain::PROBE)? {
                    Some(kept) if *kept == *bytes => Ok(()),
                    _ => Err(KeyError::NotKept(self.label())),
                }
            }
            Self::File(file) => Ok(file.write(slot, &bytes, ask)?),
        }
    }

    /// Removes an entry; returns whether there was one.
    pub fn remove(&self, slot: &Slot) -> Result<bool, KeyError> {
        match self {
            Self::Keychain => Ok(keychain::remove(&slot.name(), keychain::PROBE)?),
            Self::File(file) => Ok(file.remove(slot)?),
        }
    }
}

/// An entry as JSON. Texts are borrowed, so that no unwiped copy of a secret is made.
#[derive(Serialize, Deserialize)]
struct Wire<'a> {
    version: u8,
    slot: Cow<'a, str>,
    #[serde(borrow)]
    current: Option<WireKey<'a>>,
    #[serde(borrow)]
    spare: Option<WireKey<'a>>,
    stage: Option<Stage>,
}

#[derive(Serialize, Deserialize)]
struct WireKey<'a> {
    id: &'a str,
    /// Owned only where JSON escapes it; that text then moves into the key, which wipes it.
    #[serde(borrow)]
    secret: Cow<'a, str>,
    created: i64,
}

#[derive(Deserialize)]
struct WireVersion {
    version: u8,
}

/// An entry as it is stored: JSON that names its slot.
pub fn to_bytes(entry: &KeyEntry, slot: &Slot) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let wire = Wire {
        version: VERSION,
        slot: slot.name().into(),
        current: entry.current.as_ref().map(to_wire),
        spare: entry.spare.as_ref().map(to_wire),
        stage: entry.stage,
    };
    // Large enough never to grow: growing would leave an unwiped copy behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(8 * 1024));
    serde_json::to_writer(&mut *bytes, &wire).map_err(|_| KeyError::Malformed)?;
    Ok(bytes)
}

fn to_wire(stored: &StoredKey) -> WireKey<'_> {
    WireKey {
        id: stored.key.id.as_str(),
        secret: stored.key.secret.expose().into(),
        created: stored.created.as_second(),
    }
}

/// Reads what is stored for a slot; another slot's entry is rejected.
pub fn read(bytes: &[u8], slot: &Slot) -> Result<KeyEntry, KeyError> {
    let WireVersion { version } = serde_json::from_slice(bytes).map_err(|_| KeyError::Malformed)?;
    if version > VERSION {
        return Err(KeyError::Future);
    }
    let wire: Wire<'_> = serde_json::from_slice(bytes).map_err(|_| KeyError::Malformed)?;
    if wire.slot != slot.name() {
        return Err(KeyError::Malformed);
    }
    let key = |wire: Option<WireKey<'_>>| wire.map(from_wire).transpose();
    Ok(KeyEntry { current: key(wire.current)?, spare: key(wire.spare)?, stage: wire.stage })
}

fn from_wire(wire: WireKey<'_>) -> Result<StoredKey, KeyError> {
    Ok(StoredKey {
        key: AccessKey {
            id: wire.id.parse().map_err(|_| KeyError::Malformed)?,
            secret: Secret::new(wire.secret.into_owned()),
        },
        created: Timestamp::from_second(wire.created).map_err(|_| KeyError::Malformed)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(endpoint: Option<&str>) -> Slot {
        Slot { account: "111111111111".parse().unwrap(), endpoint: endpoint.map(str::to_owned) }
    }

    fn stored(id: &str, secret: &str) -> StoredKey {
        StoredKey {
            key: AccessKey { id: id.parse().unwrap(), secret: Secret::new(secret.to_owned()) },
            created: Timestamp::from_second(1_800_000_000).unwrap(),
        }
    }

    #[test]
    fn an_entry_comes_back_whole() {
        let entry = KeyEntry {
            current: Some(stored(
                "AKIAIOSFODNN7EXAMPLE",
                "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            )),
            spare: Some(stored("AKIAI44QH8DHBEXAMPLE", "je7MtGbClwBF/2Zp9Utk/h3yCo8nvbEXAMPLEKEY")),
            stage: Some(Stage::Created),
        };
        let bytes = to_bytes(&entry, &slot(None)).unwrap();
        let back = read(&bytes, &slot(None)).unwrap();
        let current = back.current.unwrap();
        assert_eq!(current.key.id.as_str(), "AKIAIOSFODNN7EXAMPLE");
        assert_eq!(current.key.secret.expose(), "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY");
        assert_eq!(current.created.as_second(), 1_800_000_000);
        assert_eq!(back.spare.unwrap().key.id.as_str(), "AKIAI44QH8DHBEXAMPLE");
        assert_eq!(back.stage, Some(Stage::Created));
    }

    #[test]
    fn a_secret_that_json_escapes_comes_back() {
        // AWS makes none such; another endpoint may.
        let secret = "\"quoted\"\\\u{1}";
        let entry = KeyEntry {
            current: Some(stored("AKIAIOSFODNN7EXAMPLE", secret)),
            ..KeyEntry::default()
        };
        let bytes = to_bytes(&entry, &slot(None)).unwrap();
        let back = read(&bytes, &slot(None)).unwrap().current.unwrap();
        assert_eq!(back.key.secret.expose(), secret);
    }

    #[test]
    fn a_key_is_of_its_endpoint_only() {
        let entry = KeyEntry {
            current: Some(stored("AKIAIOSFODNN7EXAMPLE", "secret")),
            ..KeyEntry::default()
        };
        let demo = slot(Some("http://127.0.0.1:5000"));
        let bytes = to_bytes(&entry, &demo).unwrap();
        assert!(read(&bytes, &demo).is_ok());
        assert!(matches!(read(&bytes, &slot(None)), Err(KeyError::Malformed)));
        assert_ne!(demo.file_name(), slot(None).file_name());
        assert_ne!(demo.name(), slot(None).name());
    }

    #[test]
    fn a_newer_entry_is_told_from_a_damaged_one() {
        let newer = br#"{"version":2,"something":"new"}"#;
        assert!(matches!(read(newer, &slot(None)), Err(KeyError::Future)));
        for damaged in [&b"{}"[..], b"", b"\xff", br#"{"version":1}"#] {
            assert!(matches!(read(damaged, &slot(None)), Err(KeyError::Malformed)));
        }
    }
}
