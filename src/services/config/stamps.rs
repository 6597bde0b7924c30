//! Stamps: whether a file is still the very file that was read.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// A file changed later than this before it was stamped may change again within the same tick of the
/// file system's clock, and look the same.
const SETTLED: SignedDuration = SignedDuration::from_secs(1);

/// What a file or folder was when it was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    path: PathBuf,
    state: State,
    /// Whether it had changed so shortly before that a further change may look the same.
    is_young: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum State {
    /// There was no such file.
    Missing,
    /// Device, inode, size, and the nanoseconds of mtime and ctime.
    Found(u64, u64, u64, i128, i128),
}

impl Stamp {
    /// Stamps a file or folder. This must come before it is read: what changes in between is then seen.
    pub fn of(path: &Path, now: Timestamp) -> Self {
        let state = State::look(path);
        let is_young = match state {
            State::Found(.., modified, changed) => is_young(modified.max(changed), now),
            State::Missing => false,
        };
        Self { path: path.to_owned(), state, is_young }
    }

    /// The file or folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How many bytes it had.
    pub fn size(&self) -> u64 {
        match self.state {
            State::Found(_, _, size, ..) => size,
            State::Missing => 0,
        }
    }

    /// Whether it is certainly still the same: what was read from it may be used without reading it again.
    pub fn holds(&self) -> bool {
        !self.is_young && self.is_unchanged()
    }

    /// Whether no change is seen. A second change within the same tick of the file system's clock is not seen.
    pub fn is_unchanged(&self) -> bool {
        self.state == State::look(&self.path)
    }
}

impl State {
    fn look(path: &Path) -> Self {
        let nanoseconds =
            |seconds: i64, rest: i64| i128::from(seconds) * 1_000_000_000 + i128::from(rest);
        match std::fs::metadata(path) {
            Ok(m) => Self::Found(
                m.dev(),
                m.ino(),
                m.size(),
                nanoseconds(m.mtime(), m.mtime_nsec()),
                nanoseconds(m.ctime(), m.ctime_nsec()),
            ),
            Err(_) => Self::Missing,
        }
    }
}

#[cfg(test)]
thread_local! {
    /// Whether a file that was just written counts as settled. Whoever sets it makes files that differ in size.
    pub static SETTLED_AT_ONCE: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

fn is_young(nanoseconds: i128, now: Timestamp) -> bool {
    #[cfg(test)]
    if SETTLED_AT_ONCE.get() {
        return false;
    }
    now.as_nanosecond() - nanoseconds < SETTLED.as_nanos()
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::time::{Duration, SystemTime};

    use super::*;

    #[test]
    fn an_edit_of_equal_size_and_restored_time_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.yaml");
        std::fs::write(&path, "one").unwrap();
        let later = Timestamp::now() + SignedDuration::from_secs(5);
        let stamp = Stamp::of(&path, later);
        assert!(stamp.holds());
        let before = path.metadata().unwrap().modified().unwrap();
        // ctime ticks with the kernel's clock, so write until it has.
        let start = SystemTime::now();
        while start.elapsed().unwrap() < Duration::from_secs(10) && stamp.holds() {
            std::fs::write(&path, "two").unwrap();
            File::options().write(true).open(&path).unwrap().set_modified(before).unwrap();
        }
        assert!(!stamp.holds());
    }

    #[test]
    fn a_file_that_was_just_written_never_matches() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.yaml");
        std::fs::write(&path, "one").unwrap();
        assert!(!Stamp::of(&path, Timestamp::now()).holds());
    }

    #[test]
    fn a_file_that_appears_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.yaml");
        let stamp = Stamp::of(&path, Timestamp::now());
        assert!(stamp.holds());
        std::fs::write(&path, "one").unwrap();
        assert!(!stamp.holds());
    }
}
