//! Where the data key of the sealed sessions is kept: not on the disk, so that a stolen disk does not have it.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use jiff::Timestamp;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::files::Dir;
use super::kernel::{self, Key};
use super::{guard, keychain};

const NO_RUNTIME: &str = "there is no XDG_RUNTIME_DIR to use";

/// A place to keep the data key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyPlace {
    /// The kernel's user keyring: in memory, expires by itself, needs no daemon.
    Kernel,
    /// The OS keychain: Secret Service, macOS Keychain.
    Keychain,
    /// A file in `$XDG_RUNTIME_DIR`, where that is a private tmpfs; on macOS in the user's own temporary folder, which
    /// is on the disk. Weaker: any program of the user can read it, and the sealed sessions too.
    Runtime,
    /// The same file on any disk, which protects nothing: for a demo, whose sessions are worthless.
    Demo,
}

impl KeyPlace {
    /// For `store: auto`, best first.
    pub const AUTO: &[Self] = &[Self::Kernel, Self::Keychain, Self::Runtime];
    /// For `store: keyring`, best first.
    pub const KEYRING: &[Self] = &[Self::Kernel, Self::Keychain];
    /// For `store: file`, best first.
    pub const FILE: &[Self] = &[Self::Kernel, Self::Runtime];
    /// For `store: none`: sessions stay in memory.
    pub const NONE: &[Self] = &[];
    /// For a demo: nothing outside its own folder.
    pub const DEMO: &[Self] = &[Self::Demo];

    /// What the header and `status` call it.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Kernel => "kernel keyring",
            Self::Keychain => keychain::LABEL,
            Self::Runtime if cfg!(target_os = "macos") => "temporary folder on the disk (weaker)",
            Self::Runtime => "runtime directory (weaker)",
            Self::Demo => "demo folder",
        }
    }

    /// Its number in a sealed record.
    pub const fn byte(self) -> u8 {
        match self {
            Self::Kernel => 1,
            Self::Keychain => 2,
            Self::Runtime => 3,
            Self::Demo => 4,
        }
    }

    /// The place with this number.
    pub fn from_byte(byte: u8) -> Option<Self> {
        Self::AUTO.iter().chain(Self::DEMO).copied().find(|place| place.byte() == byte)
    }
}

/// The data key of one directory of sealed records.
pub struct DataKeys {
    places: &'static [KeyPlace],
    /// The name of this directory's key: a demo or a second home directory never uses the real one.
    id: String,
    runtime: Option<PathBuf>,
    working: Mutex<WorkingPlace>,
}

/// Which of the places works, as far as is known; one that has failed is not tried again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WorkingPlace {
    /// None has been tried yet.
    Untried,
    /// This one works.
    Found(KeyPlace),
    /// None works, and why.
    Missing(String),
}

impl DataKeys {
    /// The data key for the records in `dir`, kept in one of `places`, best first.
    pub fn new(dir: &Path, places: &'static [KeyPlace], runtime: Option<&Path>) -> Self {
        let digest = Sha256::digest(dir.as_os_str().as_encoded_bytes());
        Self {
            places,
            id: format!("data-key:v1:{}", hex::encode(&digest[..8])),
            runtime: runtime.map(Path::to_owned),
            working: Mutex::new(WorkingPlace::Untried),
        }
    }

    /// The key at one place; `Err` says why the place cannot be read.
    pub fn read(&self, place: KeyPlace, now: Timestamp) -> Result<Option<Key>, String> {
        if !self.places.contains(&place) {
            return Ok(None);
        }
        match place {
            KeyPlace::Kernel => kernel::get(&self.kernel_name()).map_err(text),
            KeyPlace::Keychain => keychain::get(&self.id, keychain::PROBE)
                .map_err(text)
                .map(|kept| unpack(&kept?, now)),
            KeyPlace::Runtime | KeyPlace::Demo => self
                .runtime_dir(place, Dir::open)?
                .map_or(Ok(None), |dir| dir.read(&self.file_name(), 64).map_err(text))
                .map(|kept| unpack(&kept?, now)),
        }
    }

    /// The key to seal with, made where there is none, and kept until `until`.
    ///
    /// The caller holds the lock of the directory. `Err` lists why each place failed.
    pub fn take(&self, until: Timestamp, now: Timestamp) -> Result<(KeyPlace, Key), String> {
        let working = guard(&self.working).clone();
        if let WorkingPlace::Missing(why) = working {
            return Err(why);
        }
        let failed_before = |place: &&KeyPlace| match &working {
            WorkingPlace::Found(known) => **place != *known,
            _ => false,
        };
        let mut errors = Vec::new();
        for place in self.places.iter().skip_while(failed_before).copied() {
            match self.take_at(place, until, now) {
                Ok(key) => {
                    *guard(&self.working) = WorkingPlace::Found(place);
                    return Ok((place, key));
                }
                Err(error) => errors.push(error),
            }
        }
        let why = errors.join("; ");
        *guard(&self.working) = WorkingPlace::Missing(why.clone());
        Err(why)
    }

    /// Which place works, as far as can be known without asking a daemon.
    pub fn working_place(&self) -> WorkingPlace {
        let working = guard(&self.working).clone();
        let kernel_first = self.places.first() == Some(&KeyPlace::Kernel);
        if working == WorkingPlace::Untried
            && kernel_first
            && kernel::get(&self.kernel_name()).is_ok()
        {
            return WorkingPlace::Found(KeyPlace::Kernel);
        }
        working
    }

    /// Destroys the key wherever it is kept. Records sealed with it can never be opened again.
    ///
    /// `used` are the places that records name. Only a failure in one of these is an error, and a keychain is opened only
    /// if it is among them.
    pub fn revoke(&self, used: &[KeyPlace]) -> Result<(), String> {
        let mut failures = Vec::new();
        for place in self.places {
            let gone = match place {
                KeyPlace::Kernel => kernel::revoke(&self.kernel_name()).map(drop).map_err(text),
                KeyPlace::Keychain if !used.contains(place) => continue,
                KeyPlace::Keychain => {
                    keychain::remove(&self.id, keychain::PROBE).map(drop).map_err(text)
                }
                KeyPlace::Runtime | KeyPlace::Demo => match self.runtime_dir(*place, Dir::open) {
                    Ok(Some(dir)) => dir.remove(&self.file_name()).map(drop).map_err(text),
                    Ok(None) => Err(NO_RUNTIME.into()),
                    Err(why) => Err(why),
                },
            };
            if used.contains(place) {
                failures.extend(gone.err());
            }
        }
        if failures.is_empty() { Ok(()) } else { Err(failures.join("; ")) }
    }

    fn take_at(&self, place: KeyPlace, until: Timestamp, now: Timestamp) -> Result<Key, String> {
        let known = self.read(place, now)?;
        let fresh = known.is_none();
        let key = match known {
            Some(key) => key,
            None => new_key()?,
        };
        let life = Duration::try_from(until - now).unwrap_or(Duration::from_secs(1));
        match place {
            KeyPlace::Kernel if fresh => {
                kernel::put(&self.kernel_name(), &key, life).map_err(text)?;
            }
            KeyPlace::Kernel => kernel::keep(&self.kernel_name(), life).map_err(text)?,
            KeyPlace::Keychain => {
                keychain::set(&self.id, &pack(&key, until), keychain::PROBE).map_err(text)?;
            }
            KeyPlace::Runtime | KeyPlace::Demo => {
                match self.runtime_dir(place, |dir| Dir::create(dir).map(Some))? {
                    Some(dir) => dir.write(&self.file_name(), &pack(&key, until)).map_err(text)?,
                    None => return Err(NO_RUNTIME.into()),
                }
            }
        }
        Ok(key)
    }

    /// The runtime directory, if it is private and in memory; a demo's, and macOS's, may be on disk.
    fn runtime_dir(
        &self,
        place: KeyPlace,
        open: impl FnOnce(&Path) -> Result<Option<Dir>, super::files::FileError>,
    ) -> Result<Option<Dir>, String> {
        let Some(path) = &self.runtime else {
            return Ok(None);
        };
        let base = path.parent().unwrap_or(path);
        match Dir::open(base).map_err(text)? {
            Some(dir)
                if place == KeyPlace::Demo || cfg!(target_os = "macos") || dir.is_in_memory() =>
            {
                open(path).map_err(text)
            }
            Some(_) => Err("XDG_RUNTIME_DIR is on a disk".into()),
            None => Ok(None),
        }
    }

    fn kernel_name(&self) -> String {
        format!("sekisho:{}", self.id)
    }

    fn file_name(&self) -> String {
        self.id.replace(':', "-")
    }
}

fn new_key() -> Result<Key, String> {
    let mut key = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *key).map_err(text)?;
    Ok(key)
}

/// A key with its expiry, for the places that do not expire keys by themselves.
pub fn pack(key: &Key, until: Timestamp) -> Zeroizing<Vec<u8>> {
    let mut kept = Zeroizing::new(Vec::with_capacity(40));
    kept.extend_from_slice(&until.as_second().to_be_bytes());
    kept.extend_from_slice(&key[..]);
    kept
}

/// The packed key; `None` once it has expired, or where the bytes are not a packed key.
pub fn unpack(kept: &[u8], now: Timestamp) -> Option<Key> {
    let (until, key) = kept.split_first_chunk()?;
    let key: &[u8; 32] = key.try_into().ok()?;
    (i64::from_be_bytes(*until) > now.as_second()).then(|| Zeroizing::new(*key))
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
