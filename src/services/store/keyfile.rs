//! The access key in a file, sealed with a passphrase: for machines without a keychain.
//!
//! ```text
//! "sekkey\0\0"  version  kdf  memory  passes  lanes  salt  nonce  ciphertext and tag  checksum
//!      8           1      1     4       4       4     16     24    XChaCha20-Poly1305      8
//! ```
//!
//! Integers are big-endian. Everything before the nonce, and the slot's name, is associated data. The checksum
//! tells a damaged file from a wrong passphrase; it proves nothing.

use std::path::{Path, PathBuf};
use std::time::Duration;

use argon2::{Algorithm, Argon2, Params, Version};
use rustix::io::Errno;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::cipher;
use super::files::{Dir, FileError};
use super::kernel::{self, Key};
use super::random;
use super::slot::Slot;
use crate::domain::fault::{Exit, Fault};
use crate::domain::passphrase::Weakness;
use crate::domain::secret::Secret;
use crate::domain::text::sanitize;

const MAGIC: &[u8; 8] = b"sekkey\0\0";
const VERSION: u8 = 1;
const ARGON2ID: u8 = 1;
const SALT_AT: usize = 22;
const HEADER: usize = SALT_AT + 16;
const CHECKSUM: usize = 8;
const LIMIT: u64 = 64 * 1024;

/// How long the kernel remembers the key derived from a passphrase, since its last use.
const REMEMBERED: Duration = Duration::from_hours(24);

/// Which passphrase to prompt for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passphrase {
    /// The one that the file is sealed with.
    Existing,
    /// One to seal a new file with; to be typed twice.
    New,
    /// Another new one, instead of one that is easily guessed.
    Another(Weakness),
}

/// Why there is no passphrase.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Unasked {
    /// The switcher prompts for it, and retries the request with the answer.
    #[error("the key file's passphrase is asked for first")]
    NotYet,
    /// There is no terminal to prompt on.
    #[error("{}", .0.what)]
    Never(Fault),
}

/// Prompts for a passphrase.
pub type Ask<'a> = dyn FnMut(Passphrase) -> Result<Secret, Unasked> + 'a;

/// Why a sealed file could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// It is not the passphrase that the file was sealed with.
    #[error("the passphrase is wrong")]
    WrongPassphrase,
    /// An empty passphrase protects nothing.
    #[error("the passphrase is empty")]
    EmptyPassphrase,
    /// Its checksum or its format is wrong.
    #[error("the key file {} is damaged", .0.display())]
    Damaged(PathBuf),
    /// Written by a newer sekisho.
    #[error("the key file {} was written by a newer sekisho", .0.display())]
    Future(PathBuf),
    /// Its header asks for a key derivation too cheap to protect the key, or too expensive for this machine.
    #[error("the key file {} asks for an unreasonable key derivation", .0.display())]
    Unreasonable(PathBuf),
    /// It cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The passphrase was not given.
    #[error(transparent)]
    Unasked(#[from] Unasked),
    /// No random bytes, or not enough memory for the key derivation.
    #[error("the key file cannot be sealed: {0}")]
    System(#[from] Errno),
}

impl KeyFileError {
    /// The three lines for a person.
    pub fn fault(&self) -> Fault {
        const ANEW: &str = "restore it from a backup, or start again: `sekisho key remove`, then `sekisho key add`";
        let fault = Fault::new(Exit::Fault, sanitize(&self.to_string()));
        match self {
            Self::WrongPassphrase => fault
                .because("it was mistyped, or the keyboard layout or Caps Lock differs")
                .fix("try again; a forgotten passphrase cannot be recovered")
                .fix("`sekisho key remove`, then `sekisho key add` with the same key or a new one"),
            Self::EmptyPassphrase => fault.fix("choose one that is hard to guess"),
            Self::Damaged(_) => {
                fault.because("a disk error, a sync program or an editor changed it").fix(ANEW)
            }
            Self::Future(_) => fault.fix("update sekisho: cargo install sekisho"),
            Self::Unreasonable(_) => fault.because("its header was changed").fix(ANEW),
            Self::File(error) => error.fault("the key file cannot be used"),
            Self::Unasked(Unasked::Never(why)) => why.clone(),
            Self::Unasked(Unasked::NotYet) => fault.fix("sekisho login"),
            Self::System(_) => fault.fix("sekisho doctor"),
        }
    }
}

/// The directory of sealed key files, one file a slot.
pub struct KeyFile {
    dir: PathBuf,
}

impl KeyFile {
    /// Key files in `dir`. Reads and writes nothing yet.
    pub fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }

    /// Key files below sekisho's state directory, every config's.
    pub fn below(state: &Path) -> Self {
        Self::new(&state.join("keys"))
    }

    /// Opens a slot's file, if there is one.
    pub(super) fn read(
        &self,
        slot: &Slot,
        ask: &mut Ask<'_>,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, KeyFileError> {
        let opened = self.open(slot, ask)?;
        Ok(opened.map(|Opened { plain, .. }| plain))
    }

    /// Seals a slot's file. Replacing one needs its passphrase, which stays the same.
    pub(super) fn write(
        &self,
        slot: &Slot,
        plain: &[u8],
        ask: &mut Ask<'_>,
    ) -> Result<(), KeyFileError> {
        let (header, key) = if let Some(Opened { header, key, .. }) = self.open(slot, ask)? {
            (header, key)
        } else {
            let header = Header::fresh()?;
            let key = header.derive(&prompt(ask, Passphrase::New)?)?;
            (header, key)
        };
        Dir::create_inside(&self.dir)?
            .write(&slot.file_name(), &header.seal(slot, &key, plain)?)?;
        header.remember(&key);
        Ok(())
    }

    /// Removes a slot's file, and the derived key that the kernel remembers; returns whether there was one.
    pub(super) fn remove(&self, slot: &Slot) -> Result<bool, KeyFileError> {
        self.forget_passphrase(slot);
        match Dir::open_inside(&self.dir)? {
            Some(dir) => Ok(dir.remove(&slot.file_name())?),
            None => Ok(false),
        }
    }

    /// Makes the next read prompt for the passphrase again.
    pub fn forget_passphrase(&self, slot: &Slot) {
        if let Ok(Some(record)) = self.record(slot)
            && let Ok(header) = Header::read(&record, &self.path(slot))
        {
            let _ = kernel::revoke(&header.kernel_name());
        }
    }

    /// Makes the next read of every file prompt for its passphrase again.
    pub fn forget_passphrases(&self) -> Result<(), FileError> {
        let Some(dir) = Dir::open_inside(&self.dir)? else { return Ok(()) };
        for name in dir.names()? {
            if let Some(header) = self.header(&dir, &name) {
                let _ = kernel::revoke(&header.kernel_name());
            }
        }
        Ok(())
    }

    /// Whether some file can be opened without its passphrase.
    pub fn remembers_a_passphrase(&self) -> bool {
        let Ok(Some(dir)) = Dir::open_inside(&self.dir) else { return false };
        let headers = dir.names().unwrap_or_default();
        let mut headers = headers.iter().filter_map(|name| self.header(&dir, name));
        headers.any(|header| matches!(kernel::get(&header.kernel_name()), Ok(Some(_))))
    }

    fn header(&self, dir: &Dir, name: &str) -> Option<Header> {
        let record = dir.read(name, LIMIT).ok().flatten()?;
        Header::read(&record, &self.dir.join(name)).ok()
    }

    /// Tests that files can be written here.
    pub(super) fn probe(&self) -> Result<(), KeyFileError> {
        let dir = Dir::create_inside(&self.dir)?;
        let name = format!("probe-{}", hex::encode(random::<8>()?));
        dir.write(&name, b"sekisho tests whether it can write here")?;
        dir.remove(&name)?;
        Ok(())
    }

    /// Opens with the derived key that the kernel remembers, otherwise with the passphrase, whose key it then remembers.
    fn open(&self, slot: &Slot, ask: &mut Ask<'_>) -> Result<Option<Opened>, KeyFileError> {
        let Some(record) = self.record(slot)? else {
            return Ok(None);
        };
        let header = Header::read(&record, &self.path(slot))?;
        let remembered = kernel::get(&header.kernel_name()).ok().flatten();
        if let Some(key) = remembered
            && let Some(plain) = unseal(slot, &key, &record)
        {
            let _ = kernel::keep(&header.kernel_name(), REMEMBERED);
            return Ok(Some(Opened { header, key, plain }));
        }
        let key = header.derive(&prompt(ask, Passphrase::Existing)?)?;
        let plain = unseal(slot, &key, &record).ok_or(KeyFileError::WrongPassphrase)?;
        header.remember(&key);
        Ok(Some(Opened { header, key, plain }))
    }

    fn record(&self, slot: &Slot) -> Result<Option<Zeroizing<Vec<u8>>>, FileError> {
        match Dir::open_inside(&self.dir)? {
            Some(dir) => dir.read(&slot.file_name(), LIMIT),
            None => Ok(None),
        }
    }

    fn path(&self, slot: &Slot) -> PathBuf {
        self.dir.join(slot.file_name())
    }
}

/// A key file that was opened.
struct Opened {
    header: Header,
    key: Key,
    plain: Zeroizing<Vec<u8>>,
}

/// The part of a key file that is not secret: how the passphrase becomes a key.
pub struct Header([u8; HEADER]);

impl Header {
    /// 64 MiB and three passes: 0.2 s, more than OWASP recommends.
    const COST: (u32, u32, u32) = (64 * 1024, 3, 1);

    fn fresh() -> Result<Self, Errno> {
        let (memory, passes, lanes) = Self::COST;
        let mut bytes = [0; HEADER];
        bytes[..8].copy_from_slice(MAGIC);
        bytes[8] = VERSION;
        bytes[9] = ARGON2ID;
        for (at, number) in [(10, memory), (14, passes), (18, lanes)] {
            bytes[at..at + 4].copy_from_slice(&number.to_be_bytes());
        }
        bytes[SALT_AT..].copy_from_slice(&random::<16>()?);
        Ok(Self(bytes))
    }

    /// Reads the header of a key file, and verifies the checksum; `path` is for the error.
    pub fn read(record: &[u8], path: &Path) -> Result<Self, KeyFileError> {
        let damaged = || KeyFileError::Damaged(path.to_owned());
        let (start, _) = record.split_first_chunk().ok_or_else(damaged)?;
        let (body, checksum) = record.split_last_chunk().ok_or_else(damaged)?;
        if !start.starts_with(MAGIC) {
            return Err(damaged());
        }
        // Before the checksum: a newer version may have another one.
        if start[8] > VERSION {
            return Err(KeyFileError::Future(path.to_owned()));
        }
        if record.len() < HEADER + cipher::OVERHEAD + CHECKSUM || *checksum != self::checksum(body)
        {
            return Err(damaged());
        }
        let header = Self(*start);
        let (memory, passes, lanes) = (header.number(10), header.number(14), header.number(18));
        let reasonable = start[8] == VERSION
            && start[9] == ARGON2ID
            && (19 * 1024..=1024 * 1024).contains(&memory)
            && (2..=64).contains(&passes)
            && (1..=16).contains(&lanes);
        if reasonable { Ok(header) } else { Err(KeyFileError::Unreasonable(path.to_owned())) }
    }

    fn number(&self, at: usize) -> u32 {
        let mut bytes = [0; 4];
        bytes.copy_from_slice(&self.0[at..at + 4]);
        u32::from_be_bytes(bytes)
    }

    fn derive(&self, passphrase: &Secret) -> Result<Key, Errno> {
        let params = Params::new(self.number(10), self.number(14), self.number(18), Some(32))
            .map_err(|_| Errno::INVAL)?;
        let mut key = Zeroizing::new([0; 32]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(passphrase.expose().as_bytes(), &self.0[SALT_AT..], &mut *key)
            .map_err(|_| Errno::INVAL)?;
        Ok(key)
    }

    /// Where the kernel keyring does not work, the passphrase is prompted for each time.
    fn remember(&self, key: &Key) {
        let _ = kernel::put(&self.kernel_name(), key, REMEMBERED);
    }

    fn seal(&self, slot: &Slot, key: &Key, plain: &[u8]) -> Result<Vec<u8>, Errno> {
        let mut record = cipher::seal(key, slot.name().as_bytes(), self.0.to_vec(), plain)?;
        record.extend_from_slice(&checksum(&record));
        Ok(record)
    }

    fn kernel_name(&self) -> String {
        let digest = Sha256::digest(&self.0[SALT_AT..]);
        format!("sekisho:file-key:v1:{}", hex::encode(&digest[..8]))
    }
}

fn unseal(slot: &Slot, key: &Key, record: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (sealed, _) = record.split_last_chunk::<CHECKSUM>()?;
    cipher::open(key, slot.name().as_bytes(), HEADER, sealed)
}

fn prompt(ask: &mut Ask<'_>, which: Passphrase) -> Result<Secret, KeyFileError> {
    let passphrase = ask(which)?;
    if passphrase.is_empty() {
        return Err(KeyFileError::EmptyPassphrase);
    }
    Ok(passphrase)
}

fn checksum(bytes: &[u8]) -> [u8; CHECKSUM] {
    let mut short = [0; CHECKSUM];
    short.copy_from_slice(&Sha256::digest(bytes)[..CHECKSUM]);
    short
}
