//! The history file: which roles were used and starred, shared by all of this user's sekisho processes.

use std::path::PathBuf;

use jiff::Timestamp;

use crate::domain::history::{History, HistoryEvent};
use crate::domain::ids::RoleArn;

use crate::services::config::paths::Paths;
use crate::services::store::files::{Dir, FileError};

const FILE: &str = "history.json";
const LIMIT: u64 = 1024 * 1024;

/// The history file in its directory.
pub struct HistoryFile {
    folder: PathBuf,
}

impl HistoryFile {
    /// The file in the state directory.
    pub fn new(paths: &Paths) -> Self {
        Self { folder: paths.state.clone() }
    }

    /// Reads the history; a missing or damaged file counts as empty.
    pub fn read(&self) -> History {
        let bytes =
            Dir::open(&self.folder).ok().flatten().and_then(|dir| dir.read(FILE, LIMIT).ok()?);
        bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
    }

    /// Records an event. The history only orders the list, so a failure is not reported.
    pub fn note(&self, role: &RoleArn, event: HistoryEvent, now: Timestamp) {
        let _ = self.try_note(role, event, now);
    }

    fn try_note(
        &self,
        role: &RoleArn,
        event: HistoryEvent,
        now: Timestamp,
    ) -> Result<(), FileError> {
        let dir = Dir::create(&self.folder)?;
        let _lock = dir.lock("history.lock")?;
        let mut history = self.read();
        history.note(role, event, now);
        dir.write(FILE, &serde_json::to_vec(&history).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_of_several_processes_add_up() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        let role: RoleArn = "arn:aws:iam::222222222222:role/Developer".parse().unwrap();
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        for event in [HistoryEvent::Used, HistoryEvent::Starred, HistoryEvent::Used] {
            HistoryFile { folder: path.clone() }.note(&role, event, now);
        }
        let history = HistoryFile { folder: path.clone() }.read();
        assert!(history.is_starred(&role));
        assert!(history.frecency(&role, now) > 1.5);
        std::fs::write(path.join(FILE), "{damaged").unwrap();
        assert_eq!(HistoryFile { folder: path }.read(), History::default());
    }
}
