//! Sessions that outlive the process: a small key-value store of sealed records.
//!
//! Reading costs one file and one key from the kernel. A record that cannot be used counts as missing, with a one-line
//! warning; a record that cannot be written stays in memory.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use zeroize::Zeroizing;

use super::datakey::{DataKeys, KeyPlace, WorkingPlace};
use super::files::{Dir, FileError, Fingerprint};
use super::guard;
use super::record::{Name, RecordKind};
use super::sealed::{self, Header, Unsealable};
use crate::domain::text::sanitize;

/// The longest that anything is kept: AWS's longest session, 36 h. A record that expires later was written before the
/// clock jumped back.
const LONGEST: SignedDuration = SignedDuration::from_hours(36);

/// How large a record may be, in bytes.
const LIMIT: u64 = 256 * 1024;

const LOCK: &str = "lock";
const EPOCH: &str = "epoch";
const MEMORY_ONLY: &str = "memory only";
/// How often a process looks for records to remove.
const PURGE_INTERVAL: Duration = Duration::from_mins(1);
const IN_MEMORY: &str = "sessions stay in memory";
const LOCAL_LOCKS: &str = "the sessions lie on a file system without locks: each machine that shares it asks for its own code";

/// The time between two `logout`s. What a request obtains that began in an earlier epoch is not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Epoch(u64);

/// The stored sessions: sealed on disk, in memory where that does not work.
pub struct Vault {
    sealed: Option<Sealed>,
    memory: Mutex<HashMap<(RecordKind, Name), InMemory>>,
    /// The epoch where there is no folder to keep it in.
    own_epoch: Mutex<u64>,
    warning: Mutex<Option<String>>,
    /// When `purge` last did anything.
    purged: Mutex<Option<Timestamp>>,
}

struct Sealed {
    dir: PathBuf,
    keys: DataKeys,
    /// What this process found when it last wrote: with thousands of records, reading all of them for each is too slow.
    latest: Mutex<Option<Latest>>,
}

/// When the last of all records expires, as long as the directory is what it was then.
struct Latest {
    directory: Fingerprint,
    expires: Timestamp,
}

struct InMemory {
    bytes: Zeroizing<Vec<u8>>,
    expires: Timestamp,
    /// The epoch that it was asked for in: what another process's `logout` has ended is forgotten here, too.
    begun: Epoch,
}

impl Vault {
    /// A vault of sealed files in `dir`, whose data key is kept in the first of `places` that works.
    ///
    /// Reads and writes nothing yet. No places (`store: none`) means memory only.
    pub fn new(dir: &Path, places: &'static [KeyPlace], runtime: Option<&Path>) -> Self {
        Self {
            sealed: (!places.is_empty()).then(|| Sealed {
                dir: dir.to_owned(),
                keys: DataKeys::new(dir, places, runtime),
                latest: Mutex::default(),
            }),
            memory: Mutex::default(),
            own_epoch: Mutex::default(),
            warning: Mutex::default(),
            purged: Mutex::default(),
        }
    }

    /// A vault that ends with the process.
    pub fn in_memory() -> Self {
        Self::new(Path::new(""), KeyPlace::NONE, None)
    }

    /// Where the sessions are kept, for the header and `status`; `None` until there is one.
    pub fn label(&self) -> Option<&'static str> {
        let Some(sealed) = &self.sealed else {
            return Some(MEMORY_ONLY);
        };
        if !guard(&self.memory).is_empty() {
            return Some(MEMORY_ONLY);
        }
        match sealed.keys.working_place() {
            WorkingPlace::Found(place) => Some(place.label()),
            WorkingPlace::Missing(_) => Some(MEMORY_ONLY),
            WorkingPlace::Untried => Some(sealed.place_in_use()?.label()),
        }
    }

    /// Finds out where the data key can be kept, by writing, or why nowhere. A keychain may take 2 s.
    ///
    /// `Ok(None)` where it is not to be kept (`store: none`).
    pub fn find_place(&self, now: Timestamp) -> Result<Option<KeyPlace>, String> {
        self.sealed.as_ref().map(|sealed| sealed.find_place(now)).transpose()
    }

    /// Reads a live record. One that cannot be used counts as missing, and `take_warning` says why.
    pub fn get(&self, kind: RecordKind, name: &Name, now: Timestamp) -> Option<Zeroizing<Vec<u8>>> {
        if let Some(kept) = guard(&self.memory).get(&(kind, *name))
            && is_live(kept.expires, now)
            && kept.begun == self.epoch()
        {
            return Some(kept.bytes.clone());
        }
        match self.sealed.as_ref()?.get(kind, name, now) {
            Ok(plain) => plain,
            Err(warning) => {
                self.warn(&warning);
                None
            }
        }
    }

    /// The epoch that a request begins in. What it obtains is kept only while the epoch lasts.
    pub fn epoch(&self) -> Epoch {
        Epoch(self.sealed.as_ref().map_or_else(|| *guard(&self.own_epoch), Sealed::epoch))
    }

    /// Ends the epoch: what requests obtain that have begun already, in any process, is not kept.
    pub fn end_epoch(&self) -> Result<(), FileError> {
        let (ended, begun) = if let Some(sealed) = &self.sealed {
            sealed.end_epoch()?
        } else {
            let mut epoch = guard(&self.own_epoch);
            *epoch += 1;
            (*epoch - 1, *epoch)
        };
        // What is to be forgotten of its own memory, this process removes itself.
        for kept in guard(&self.memory).values_mut().filter(|kept| kept.begun.0 == ended) {
            kept.begun = Epoch(begun);
        }
        Ok(())
    }

    /// Keeps a record as `put_since` does, whatever was forgotten before.
    pub fn put(
        &self,
        kind: RecordKind,
        name: &Name,
        plain: &[u8],
        expires: Timestamp,
        now: Timestamp,
    ) {
        self.put_since(self.epoch(), kind, name, plain, expires, now);
    }

    /// Keeps a record until `expires` (36 h at most), replacing one of that name; not where the epoch that its request
    /// began in has ended: then somebody wants it forgotten.
    ///
    /// Where it cannot be sealed and written it stays in memory, and `take_warning` says so.
    pub fn put_since(
        &self,
        begun: Epoch,
        kind: RecordKind,
        name: &Name,
        plain: &[u8],
        expires: Timestamp,
        now: Timestamp,
    ) {
        let expires = expires.min(now.checked_add(LONGEST).unwrap_or(now));
        let id = (kind, *name);
        if let Some(sealed) = &self.sealed {
            match sealed.put(begun, kind, name, plain, expires, now) {
                Ok(is_local) => {
                    guard(&self.memory).remove(&id);
                    if is_local {
                        self.warn(LOCAL_LOCKS);
                    }
                    return;
                }
                Err(why) => self.warn(&format!("{IN_MEMORY}: {why}")),
            }
        }
        if begun == self.epoch() {
            let bytes = Zeroizing::new(plain.to_vec());
            guard(&self.memory).insert(id, InMemory { bytes, expires, begun });
        }
    }

    /// Removes a record; returns whether there was one.
    pub fn remove(&self, kind: RecordKind, name: &Name) -> Result<bool, FileError> {
        let in_memory = guard(&self.memory).remove(&(kind, *name)).is_some();
        let on_disk = match &self.sealed {
            Some(sealed) => match Dir::open_inside(&sealed.dir)? {
                Some(dir) => dir.remove(&kind.file_name(name))?,
                None => false,
            },
            None => false,
        };
        Ok(in_memory || on_disk)
    }

    /// The live records of a kind and when each expires, in no order.
    pub fn list(&self, kind: RecordKind, now: Timestamp) -> Vec<(Name, Timestamp)> {
        let mut found: HashMap<Name, Timestamp> = HashMap::new();
        if let Some(sealed) = &self.sealed
            && let Ok(Some(dir)) = Dir::open_inside(&sealed.dir)
        {
            found.extend(headers(&dir).filter_map(|(_, name, header)| {
                (header.kind == kind).then_some((name, header.expires))
            }));
        }
        let epoch = self.epoch();
        for ((kept_kind, name), kept) in &*guard(&self.memory) {
            if *kept_kind == kind && kept.begun == epoch {
                found.insert(*name, kept.expires);
            }
        }
        found.retain(|_, expires| is_live(*expires, now));
        found.into_iter().collect()
    }

    /// Removes everything. Destroys the data key first, so that a record that cannot be removed cannot be opened either.
    pub fn forget_all(&self) -> Result<(), String> {
        guard(&self.memory).clear();
        let Some(sealed) = &self.sealed else {
            return self.end_epoch().map_err(|error| error.to_string());
        };
        sealed.forget_all()
    }

    /// Removes expired records, records whose data key is gone, and leftover temporary files; at most once a minute, since it
    /// reads every record. Not for warm paths.
    pub fn purge(&self, now: Timestamp) {
        {
            let mut purged = guard(&self.purged);
            let is_recent =
                |then: Timestamp| now.duration_since(then).unsigned_abs() < PURGE_INTERVAL;
            if purged.is_some_and(is_recent) {
                return;
            }
            *purged = Some(now);
        }
        let epoch = self.epoch();
        guard(&self.memory).retain(|_, kept| is_live(kept.expires, now) && kept.begun == epoch);
        if let Some(sealed) = &self.sealed {
            // A purge that fails does no harm: the next one tries again.
            let _ = sealed.purge(now);
        }
    }

    /// The warning to show the user; taken once.
    pub fn take_warning(&self) -> Option<String> {
        guard(&self.warning).take()
    }

    /// Keeps the first warning: the others follow from it.
    fn warn(&self, line: &str) {
        guard(&self.warning).get_or_insert_with(|| sanitize(line));
    }
}

impl Sealed {
    fn get(
        &self,
        kind: RecordKind,
        name: &Name,
        now: Timestamp,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, String> {
        let ignored = |why: &dyn std::fmt::Display| format!("a saved session was ignored: {why}");
        let Some(dir) = Dir::open_inside(&self.dir).map_err(|error| ignored(&error))? else {
            return Ok(None);
        };
        let file = kind.file_name(name);
        let Some(record) = dir.read(&file, LIMIT).map_err(|error| ignored(&error))? else {
            return Ok(None);
        };
        let unusable =
            |why: Unsealable| ignored(&format!("{} {why}", dir.path().join(&file).display()));
        let header = Header::read(&record).map_err(unusable)?;
        if header.kind != kind {
            return Err(unusable(Unsealable::Damaged));
        }
        if !is_live(header.expires, now) {
            return Ok(None);
        }
        let key = self.keys.read(header.place, now).map_err(|why| ignored(&why))?;
        match key.filter(|key| sealed::key_id(key) == header.key_id) {
            Some(key) => sealed::open(&key, name, &record).map(Some).map_err(unusable),
            None => Err("the key to the saved sessions is gone (a reboot, `logout --all`, or it expired): a new code is needed".into()),
        }
    }

    /// Returns whether the folder's file system has no locks, so that those are only this machine's.
    fn put(
        &self,
        begun: Epoch,
        kind: RecordKind,
        name: &Name,
        plain: &[u8],
        expires: Timestamp,
        now: Timestamp,
    ) -> Result<bool, String> {
        let text = |error: FileError| error.to_string();
        let dir = Dir::create_inside(&self.dir).map_err(text)?;
        let held = dir.lock(LOCK).map_err(text)?;
        if read_epoch(&dir) != begun.0 {
            return Ok(held.is_local());
        }
        let until = self.latest(&dir, now).map_or(expires, |latest| latest.max(expires));
        let (place, key) = self.keys.take(until, now)?;
        let record = sealed::seal(&key, place, kind, name, expires, plain)
            .map_err(|error| error.to_string())?;
        dir.write(&kind.file_name(name), &record).map_err(text)?;
        let written = dir.fingerprint().ok();
        *guard(&self.latest) = written.map(|directory| Latest { directory, expires: until });
        Ok(held.is_local())
    }

    fn forget_all(&self) -> Result<(), String> {
        let text = |error: FileError| error.to_string();
        // First, so that nothing is sealed with a new key while the records are removed.
        self.end_epoch().map_err(text)?;
        let Some(dir) = Dir::open_inside(&self.dir).map_err(text)? else {
            return self.keys.revoke(&[]);
        };
        let used: Vec<KeyPlace> = headers(&dir).map(|(.., header)| header.place).collect();
        let revoked = self.keys.revoke(&used);
        let removed = self.remove_where(|_| true).map_err(text);
        revoked.and(removed)
    }

    fn epoch(&self) -> u64 {
        let dir = Dir::open_inside(&self.dir);
        dir.ok().flatten().map_or(0, |dir| read_epoch(&dir))
    }

    /// Returns the epoch that was ended, and the one that begins.
    fn end_epoch(&self) -> Result<(u64, u64), FileError> {
        let dir = Dir::create_inside(&self.dir)?;
        let _held = dir.lock(LOCK)?;
        let ended = read_epoch(&dir);
        let begun = ended.wrapping_add(1);
        dir.write(EPOCH, begun.to_string().as_bytes())?;
        Ok((ended, begun))
    }

    /// Where the data key of the existing records is kept.
    fn place_in_use(&self) -> Option<KeyPlace> {
        let dir = Dir::open_inside(&self.dir).ok()??;
        let (.., header) = headers(&dir).next()?;
        Some(header.place)
    }

    fn find_place(&self, now: Timestamp) -> Result<KeyPlace, String> {
        let text = |error: FileError| error.to_string();
        let dir = Dir::create_inside(&self.dir).map_err(text)?;
        let _held = dir.lock(LOCK).map_err(text)?;
        let soon = now + SignedDuration::from_mins(1);
        let until = self.latest(&dir, now).map_or(soon, |latest| latest.max(soon));
        self.keys.take(until, now).map(|(place, _)| place)
    }

    /// When the last live record expires: the data key is kept until then, and no longer. The directory is locked.
    fn latest(&self, dir: &Dir, now: Timestamp) -> Option<Timestamp> {
        if let Some(latest) = &*guard(&self.latest)
            && dir.fingerprint().is_ok_and(|directory| directory == latest.directory)
        {
            return Some(latest.expires).filter(|expires| is_live(*expires, now));
        }
        let all = headers(dir).map(|(.., header)| header.expires);
        all.filter(|expires| is_live(*expires, now)).max()
    }

    fn purge(&self, now: Timestamp) -> Result<(), FileError> {
        let Some(dir) = Dir::open_inside(&self.dir)? else {
            return Ok(());
        };
        dir.sweep(now)?;
        drop(dir);
        let mut keys: HashMap<u8, Option<[u8; 8]>> = HashMap::new();
        self.remove_where(|header| {
            let opened_by = *keys.entry(header.place.byte()).or_insert_with(|| {
                match self.keys.read(header.place, now) {
                    Ok(key) => key.map(|key| sealed::key_id(&key)),
                    // The place may work again later.
                    Err(_) => Some(header.key_id),
                }
            });
            header.expires <= now || opened_by != Some(header.key_id)
        })
    }

    /// Removes the readable records that satisfy `which`; records of a newer sekisho are left alone.
    fn remove_where(&self, mut which: impl FnMut(&Header) -> bool) -> Result<(), FileError> {
        let Some(dir) = Dir::open_inside(&self.dir)? else {
            return Ok(());
        };
        // Otherwise a record could be removed whose writer has just made the data key.
        let _held = dir.lock(LOCK)?;
        *guard(&self.latest) = None;
        let doomed: Vec<String> =
            headers(&dir).filter(|(.., header)| which(header)).map(|(file, ..)| file).collect();
        for file in doomed {
            dir.remove(&file)?;
        }
        Ok(())
    }
}

/// The number of the running epoch; 0 before the first one ends.
fn read_epoch(dir: &Dir) -> u64 {
    let bytes = dir.read(EPOCH, 32).ok().flatten();
    bytes.and_then(|bytes| std::str::from_utf8(&bytes).ok()?.parse().ok()).unwrap_or(0)
}

/// The readable records of a directory: file, name, header.
fn headers(dir: &Dir) -> impl Iterator<Item = (String, Name, Header)> {
    let names = dir.names().unwrap_or_default();
    names.into_iter().filter_map(|file| {
        let (kind, name) = RecordKind::parse(&file)?;
        let record = dir.read(&file, LIMIT).ok()??;
        let header = Header::read(&record).ok()?;
        (header.kind == kind).then_some((file, name, header))
    })
}

fn is_live(expires: Timestamp, now: Timestamp) -> bool {
    expires > now && expires.duration_since(now) <= LONGEST
}
