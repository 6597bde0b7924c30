//! What was learned from AWS, to spare calls: a key's owner and devices, a role's maximum duration.
//!
//! None of it is secret, so it is not sealed, and the data key can expire with the last session.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::services::store::files::{Dir, FileError};
use crate::services::store::record::Name;

const FILE: &str = "facts.json";
const LOCK: &str = "facts.lock";
const LIMIT: u64 = 1024 * 1024;

/// How long a fact is used: it may change at AWS, with a new phone or an administrator's edit.
const HOLDS: SignedDuration = SignedDuration::from_hours(36);

/// The facts, shared by every sekisho of this user.
pub struct Facts {
    dir: Option<PathBuf>,
    /// What this process learned: remembered even where the file cannot be written.
    own: RefCell<Entries>,
    warning: RefCell<Option<String>>,
}

type Entries = BTreeMap<String, Fact>;

#[derive(Clone, Serialize, Deserialize)]
struct Fact {
    until: Timestamp,
    what: Value,
}

impl Facts {
    /// The facts in a directory. Reads and writes nothing yet.
    pub fn new(dir: &Path) -> Self {
        Self { dir: Some(dir.to_owned()), ..Self::in_memory() }
    }

    /// Facts that are not written to disk.
    pub fn in_memory() -> Self {
        Self { dir: None, own: RefCell::default(), warning: RefCell::default() }
    }

    /// What was remembered under a name in the last 36 h.
    pub fn recall<T: for<'de> Deserialize<'de>>(&self, name: &Name, now: Timestamp) -> Option<T> {
        let name = hex::encode(name);
        let live = |entries: &Entries| entries.get(&name).filter(|fact| fact.holds(now)).cloned();
        let own = live(&self.own.borrow());
        let fact = own.or_else(|| live(&self.load()))?;
        serde_json::from_value(fact.what).ok()
    }

    /// Remembers a value, which must not be secret.
    pub fn remember(&self, name: &Name, what: &impl Serialize, now: Timestamp) {
        let (Ok(what), Ok(until)) = (serde_json::to_value(what), now.checked_add(HOLDS)) else {
            return;
        };
        let fact = Fact { until, what };
        self.own.borrow_mut().insert(hex::encode(name), fact.clone());
        self.change(|entries| {
            entries.retain(|_, fact| fact.holds(now));
            entries.insert(hex::encode(name), fact);
        });
    }

    /// Forgets the facts that read as a `T` of this kind.
    pub fn forget<T: for<'de> Deserialize<'de>>(&self, which: impl Fn(&T) -> bool) {
        let stays = |fact: &Fact| !T::deserialize(&fact.what).is_ok_and(|what| which(&what));
        self.own.borrow_mut().retain(|_, fact| stays(fact));
        self.change(|entries| entries.retain(|_, fact| stays(fact)));
    }

    /// Forgets every fact, of other configs too.
    pub fn clear(&self) {
        self.own.borrow_mut().clear();
        self.change(Entries::clear);
    }

    /// The warning to show the user; taken once.
    pub fn take_warning(&self) -> Option<String> {
        self.warning.take()
    }

    fn load(&self) -> Entries {
        let read =
            |dir: &Path| Dir::open(dir)?.map_or_else(|| Ok(Entries::new()), |dir| read(&dir));
        let found = self.dir.as_deref().map_or_else(|| Ok(Entries::new()), read);
        found.unwrap_or_else(|error| {
            self.warn(&error);
            Entries::new()
        })
    }

    /// Changes the file. Where that fails, this process still uses what it learned.
    fn change(&self, change: impl FnOnce(&mut Entries)) {
        let Some(path) = &self.dir else { return };
        let changed = || -> Result<(), FileError> {
            let dir = Dir::create(path)?;
            let _held = dir.lock(LOCK)?;
            // A file that cannot be read is replaced.
            let mut entries = read(&dir).unwrap_or_default();
            change(&mut entries);
            dir.write(FILE, &serde_json::to_vec(&entries).unwrap_or_default())
        };
        if let Err(error) = changed() {
            self.warn(&error);
        }
    }

    fn warn(&self, error: &FileError) {
        let line = || format!("what was learned from AWS was ignored: {error}");
        self.warning.borrow_mut().get_or_insert_with(line);
    }
}

impl Fact {
    /// Neither expired, nor too far in the future because the clock jumped back.
    fn holds(&self, now: Timestamp) -> bool {
        self.until > now && self.until.duration_since(now) <= HOLDS
    }
}

/// A damaged file counts as empty.
fn read(dir: &Dir) -> Result<Entries, FileError> {
    let bytes = dir.read(FILE, LIMIT)?;
    Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ME: Name = [1; 32];

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    #[test]
    fn a_fact_outlives_the_process_and_holds_for_36_hours() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("state");
        let (one, other) = (Facts::new(&dir), Facts::new(&dir));
        one.remember(&ME, &3600, at(0));
        other.remember(&[2; 32], &"tanaka", at(0));
        for facts in [&one, &other, &Facts::new(&dir)] {
            assert_eq!(facts.recall(&ME, at(36 * 3600 - 1)), Some(3600));
            assert_eq!(facts.recall::<u64>(&ME, at(36 * 3600)), None);
            assert_eq!(facts.recall::<u64>(&ME, at(-1)), None, "the clock jumped");
            assert_eq!(facts.recall::<u64>(&[2; 32], at(1)), None, "another type");
            assert_eq!(facts.recall::<u64>(&[3; 32], at(1)), None);
        }
        one.forget(|what: &u64| *what == 3600);
        let fresh = Facts::new(&dir);
        assert_eq!(fresh.recall::<u64>(&ME, at(1)), None);
        assert_eq!(fresh.recall(&[2; 32], at(1)), Some("tanaka".to_owned()));
        fresh.clear();
        assert_eq!(Facts::new(&dir).recall::<String>(&[2; 32], at(1)), None);
        assert_eq!(one.take_warning(), None);
    }

    #[test]
    fn what_cannot_be_read_is_unknown_and_one_line() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("state");
        Facts::new(&dir).remember(&ME, &3600, at(0));
        let file = dir.join(FILE);
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o644)).unwrap();
        let facts = Facts::new(&dir);
        assert_eq!(facts.recall::<u64>(&ME, at(1)), None);
        let warning = facts.take_warning().unwrap();
        assert!(warning.contains("open to other users"), "{warning}");
        assert_eq!(facts.take_warning(), None);
        facts.remember(&ME, &7200, at(1));
        assert_eq!(Facts::new(&dir).recall(&ME, at(2)), Some(7200));
        std::fs::write(&file, "{damaged").unwrap();
        assert_eq!(Facts::new(&dir).recall::<u64>(&ME, at(2)), None);
    }

    #[test]
    fn in_memory_nothing_is_written() {
        let facts = Facts::in_memory();
        facts.remember(&ME, &3600, at(0));
        assert_eq!(facts.recall(&ME, at(1)), Some(3600));
        assert_eq!(Facts::in_memory().recall::<u64>(&ME, at(1)), None);
    }
}
