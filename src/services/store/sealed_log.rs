//! An append-only file of sealed entries. Its key rests in the vault, and ends with it.
//!
//! Each entry is a length (4 bytes, BE) and a ciphertext that is bound to its place in the file, so that an entry
//! can be neither changed nor moved. What a cut left torn ends the file.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};

use jiff::{SignedDuration, Timestamp};
use zeroize::Zeroizing;

use super::file_lock::Lock;
use super::files::{Dir, FileError};
use super::kernel::Key;
use super::record::{Name, RecordKind};
use super::vault::Vault;
use super::{cipher, random};

/// More than 10,000 accounts of `verify` take.
const MAX_FILE_BYTES: u64 = 512 << 20;

/// What a log holds, in order.
pub type Entries = Vec<Zeroizing<Vec<u8>>>;

/// An open log. The file stays locked until it is dropped.
pub struct SealedLog {
    file: File,
    _lock: Lock,
    key: Key,
    name: Name,
    entries: u64,
}

impl SealedLog {
    /// Opens the log of a name; with it come the entries that are there. A log of another name, or one whose key
    /// is gone, is begun anew, and lives for `life`.
    ///
    /// `None` where another process is writing it.
    pub fn open(
        dir: &Dir,
        file: &str,
        (vault, name): (&Vault, Name),
        life: SignedDuration,
        now: Timestamp,
    ) -> Result<Option<(Self, Entries)>, FileError> {
        let Some(lock) = dir.try_lock(file)? else {
            return Ok(None);
        };
        let file = dir.lock_file(file)?;
        let kept = vault.get(RecordKind::LogKey, &name, now);
        if let Some(key) = kept.and_then(|bytes| <[u8; 32]>::try_from(&bytes[..]).ok()) {
            let mut log = Self { file, _lock: lock, key: Zeroizing::new(key), name, entries: 0 };
            let entries = log.read().unwrap_or_default();
            return Ok(Some((log, entries)));
        }
        let key = random().map(Zeroizing::new).map_err(|error| FileError {
            path: dir.path().to_owned(),
            why: io::Error::from(error).into(),
        })?;
        vault.put(RecordKind::LogKey, &name, &key[..], now + life, now);
        let _ = file.set_len(0); // what another key sealed cannot be read anyway
        Ok(Some((Self { file, _lock: lock, key, name, entries: 0 }, Vec::new())))
    }

    /// Appends an entry.
    pub fn append(&mut self, plain: &[u8]) -> io::Result<()> {
        let sealed = cipher::seal(&self.key, &self.bound(), Vec::new(), plain)?;
        let length = u32::try_from(sealed.len()).map_err(io::Error::other)?;
        let entry = [&length.to_be_bytes()[..], &sealed].concat();
        self.file.seek(SeekFrom::End(0))?;
        self.file.write_all(&entry)?;
        self.entries += 1;
        Ok(())
    }

    /// Empties the log.
    pub fn clear(self) {
        let _ = self.file.set_len(0);
    }

    /// The entries up to the first that is not sound; the rest is cut off.
    fn read(&mut self) -> io::Result<Entries> {
        let mut bytes = Vec::new();
        (&self.file).take(MAX_FILE_BYTES).read_to_end(&mut bytes)?;
        let mut rest = &bytes[..];
        let mut entries = Vec::new();
        while let Some((length, after)) = rest.split_first_chunk::<4>() {
            let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
            let Some((sealed, after)) = after.split_at_checked(length) else { break };
            let Some(plain) = cipher::open(&self.key, &self.bound(), 0, sealed) else { break };
            entries.push(plain);
            self.entries += 1;
            rest = after;
        }
        let sound = bytes.len() - rest.len();
        self.file.set_len(u64::try_from(sound).map_err(io::Error::other)?)?;
        Ok(entries)
    }

    /// What the next entry is bound to: the log, and its place in it.
    fn bound(&self) -> Vec<u8> {
        [&self.name[..], &self.entries.to_be_bytes()].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(dir: &Dir, vault: &Vault) -> (SealedLog, Vec<String>) {
        let life = SignedDuration::from_hours(1);
        let (log, entries) =
            SealedLog::open(dir, "log", (vault, [7; 32]), life, Timestamp::now()).unwrap().unwrap();
        let texts = entries.iter().map(|entry| String::from_utf8_lossy(entry).into_owned());
        (log, texts.collect())
    }

    #[test]
    fn entries_come_back_until_one_is_torn_changed_or_moved() {
        let home = tempfile::tempdir().unwrap();
        let (dir, vault) = (Dir::create(&home.path().join("d")).unwrap(), Vault::in_memory());
        let path = home.path().join("d/log");
        let (mut log, found) = open(&dir, &vault);
        assert!(found.is_empty());
        for text in ["one", "two", "six"] {
            log.append(text.as_bytes()).unwrap();
        }
        drop(log);
        let whole = std::fs::read(&path).unwrap();
        assert!(!whole.windows(3).any(|bytes| bytes == b"two"), "sealed");
        let size = whole.len() / 3;
        let mut changed = whole.clone();
        changed[size + 10] ^= 1;
        let mut moved = whole.clone();
        moved.rotate_left(size);
        for (bytes, expected) in [
            (whole.clone(), &["one", "two", "six"][..]),
            (whole[..size * 2 + 5].to_vec(), &["one", "two"]),
            (changed, &["one"]),
            (moved, &[]),
        ] {
            std::fs::write(&path, &bytes).unwrap();
            let (mut log, found) = open(&dir, &vault);
            assert_eq!(found, expected);
            log.append(b"next").unwrap();
            drop(log);
            assert_eq!(open(&dir, &vault).1.last().map(String::as_str), Some("next"));
        }
        std::fs::write(&path, &whole).unwrap();
        assert!(open(&dir, &Vault::in_memory()).1.is_empty(), "the key is gone");
    }
}
