//! What was learned from AWS and spares a question: whose key it is, its devices, what a role gives at most.
//!
//! None of it is secret, so it lies unsealed, and the data key need live no longer than the sessions do.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::services::store::files::{Dir, FileError};
use crate::services::store::hex;
use crate::services::store::record::Name;

const FILE: &str = "facts.json";
const LOCK: &str = "facts.lock";
const LIMIT: u64 = 1024 * 1024;

/// How long a fact holds: AWS may be told otherwise in the meantime, by a new phone or an admin.
const HOLDS: SignedDuration = SignedDuration::from_hours(36);

/// The facts, shared by every sekisho of this user.
pub struct Facts {
    dir: Option<PathBuf>,
    /// What this process learned: holds even where the disk takes nothing.
    own: RefCell<Ledger>,
    warning: RefCell<Option<String>>,
}

type Ledger = BTreeMap<String, Fact>;

#[derive(Clone, Serialize, Deserialize)]
struct Fact {
    until: Timestamp,
    what: Value,
}

impl Facts {
    /// The facts in a directory. Touches nothing yet.
    pub fn new(dir: &Path) -> Self {
        Self { dir: Some(dir.to_owned()), ..Self::in_memory() }
    }

    /// Facts that end with the process.
    pub fn in_memory() -> Self {
        Self { dir: None, own: RefCell::default(), warning: RefCell::default() }
    }

    /// Recalls what was remembered under a name, for 36 h.
    pub fn recall<T: for<'de> Deserialize<'de>>(&self, name: &Name, now: Timestamp) -> Option<T> {
        let name = hex(name);
        let live = |ledger: &Ledger| ledger.get(&name).filter(|fact| fact.holds(now)).cloned();
        let own = live(&self.own.borrow());
        let fact = own.or_else(|| live(&self.look()))?;
        serde_json::from_value(fact.what).ok()
    }

    /// Remembers something that is no secret.
    pub fn remember(&self, name: &Name, what: &impl Serialize, now: Timestamp) {
        let (Ok(what), Ok(until)) = (serde_json::to_value(what), now.checked_add(HOLDS)) else {
            return;
        };
        let fact = Fact { until, what };
        self.own.borrow_mut().insert(hex(name), fact.clone());
        self.change(|ledger| {
            ledger.retain(|_, fact| fact.holds(now));
            ledger.insert(hex(name), fact);
        });
    }

    /// Forgets the facts that read as a `T` of this kind.
    pub fn forget<T: for<'de> Deserialize<'de>>(&self, which: impl Fn(&T) -> bool) {
        let stays = |fact: &Fact| !T::deserialize(&fact.what).is_ok_and(|what| which(&what));
        self.own.borrow_mut().retain(|_, fact| stays(fact));
        self.change(|ledger| ledger.retain(|_, fact| stays(fact)));
    }

    /// Forgets everything.
    pub fn clear(&self) {
        self.own.borrow_mut().clear();
        self.change(Ledger::clear);
    }

    /// The one line a person should see, once.
    pub fn take_warning(&self) -> Option<String> {
        self.warning.take()
    }

    fn look(&self) -> Ledger {
        let read = |dir: &Path| Dir::open(dir)?.map_or_else(|| Ok(Ledger::new()), |dir| read(&dir));
        let found = self.dir.as_deref().map_or_else(|| Ok(Ledger::new()), read);
        found.unwrap_or_else(|error| {
            self.warn(&error);
            Ledger::new()
        })
    }

    /// Changes the file. Where that fails, what this process learned still holds in it.
    fn change(&self, change: impl FnOnce(&mut Ledger)) {
        let Some(path) = &self.dir else { return };
        let changed = || -> Result<(), FileError> {
            let dir = Dir::create(path)?;
            let _held = dir.lock(LOCK)?;
            // A file that cannot be read is replaced.
            let mut ledger = read(&dir).unwrap_or_default();
            change(&mut ledger);
            dir.write(FILE, &serde_json::to_vec(&ledger).unwrap_or_default())
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
    /// Neither over nor from a future that a clock has jumped back from.
    fn holds(&self, now: Timestamp) -> bool {
        self.until > now && self.until.duration_since(now) <= HOLDS
    }
}

/// A file that holds something else holds no facts.
fn read(dir: &Dir) -> Result<Ledger, FileError> {
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
