//! The file that remembers what a config's included targets stood for. It holds nothing secret.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::stamps::Stamp;
use crate::domain::known::Known;
use crate::services::store::files::{Dir, FileError};

const LOCK: &str = "known.lock";
/// 50,000 accounts need a third of it.
const LIMIT: u64 = 64 << 20;
const VERSION: u32 = 1;

/// The memory of one config, in the state directory.
pub struct KnownFile {
    folder: PathBuf,
    name: String,
    config: PathBuf,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    version: u32,
    /// For people: the name of the file tells it only to sekisho.
    config: PathBuf,
    accounts: Known,
}

impl KnownFile {
    /// The memory of the config at an absolute path. Touches nothing yet.
    pub fn of(state: &Path, config: &Path) -> Self {
        let name = format!("known-{}.json", short_hash(config));
        Self { folder: state.to_owned(), name, config: config.to_owned() }
    }

    /// Stamps it.
    pub fn stamp(&self) -> Stamp {
        Stamp::of(&self.folder.join(&self.name), Timestamp::now())
    }

    /// What is remembered, `None` where nothing was ever; or why that cannot be told.
    pub fn read(&self) -> Result<Option<Known>, String> {
        let read = |dir: Dir| self.read_in(&dir).transpose();
        match Dir::open(&self.folder) {
            Ok(dir) => dir.and_then(read).transpose(),
            Err(error) => Err(error.to_string()),
        }
    }

    fn read_in(&self, dir: &Dir) -> Result<Option<Known>, String> {
        let bytes = dir.read(&self.name, LIMIT).map_err(|error| error.to_string())?;
        let Some(bytes) = bytes else { return Ok(None) };
        match serde_json::from_slice(&bytes) {
            Ok(Stored { version: VERSION, accounts, .. }) => Ok(Some(accounts)),
            Ok(_) => Err(format!("{} is of another version of sekisho", self.path())),
            Err(_) => Err(format!("{} is damaged", self.path())),
        }
    }

    fn path(&self) -> String {
        self.folder.join(&self.name).display().to_string()
    }

    /// Remembers `after`, if what is remembered is still `before`; returns its stamp. `None` where another process was
    /// first.
    pub fn replace(&self, before: &Known, after: &Known) -> Result<Option<Stamp>, FileError> {
        let dir = Dir::create(&self.folder)?;
        let _held = dir.lock(LOCK)?;
        // What cannot be read is replaced.
        if self.read_in(&dir).ok().flatten().unwrap_or_default() != *before {
            return Ok(None);
        }
        let stored =
            Stored { version: VERSION, config: self.config.clone(), accounts: after.clone() };
        dir.write(&self.name, &serde_json::to_vec(&stored).unwrap_or_default())?;
        Ok(Some(self.stamp()))
    }
}

/// A short name for a path.
pub(super) fn short_hash(path: &Path) -> String {
    hex::encode(&Sha256::digest(path.as_os_str().as_encoded_bytes())[..8])
}
