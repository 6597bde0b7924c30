//! The history: which roles were entered and starred, shared by all of this user's sekisho processes.
//!
//! Stars and counts are in one file, which is replaced. An entry only adds a line to another one, so that a warm `exec`
//! does not pay for it; the lines are counted when the history is read, and folded into the first file when they are many.

use std::path::PathBuf;

use jiff::Timestamp;

use crate::domain::history::{History, HistoryEvent};
use crate::domain::ids::RoleArn;

use crate::services::config::paths::Paths;
use crate::services::store::files::{Dir, FileError};

const FILE: &str = "history.json";
const ENTRIES: &str = "entries.log";
const LIMIT: u64 = 1024 * 1024;
/// The size, in bytes, from which the lines are folded into the history.
const FULL: u64 = 256 * 1024;

/// The history's files in their directory.
pub struct HistoryFile {
    folder: PathBuf,
}

/// A shell that is, or was, in an account: `switch` changes the account, and neither of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShellId {
    /// The terminal's session (`getsid`).
    session: i32,
    /// How many of sekisho's shells surround what runs in it.
    depth: u32,
}

impl ShellId {
    /// The shell of that depth in this process's terminal.
    pub fn at(depth: u32) -> Self {
        let session = rustix::process::getsid(None).map_or(0, rustix::process::Pid::as_raw_pid);
        Self { session, depth }
    }
}

/// One line: when which shell, or child, got a session of which role.
struct Entry {
    at: Timestamp,
    shell: ShellId,
    role: RoleArn,
}

impl Entry {
    fn line(&self) -> String {
        let Self { at, shell, role } = self;
        format!("{} {} {} {}\n", at.as_second(), shell.session, shell.depth, role.as_str())
    }

    fn parse(line: &str) -> Option<Self> {
        let mut words = line.splitn(4, ' ');
        let at = Timestamp::from_second(words.next()?.parse().ok()?).ok()?;
        let (session, depth) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        Some(Self { at, shell: ShellId { session, depth }, role: words.next()?.parse().ok()? })
    }
}

impl HistoryFile {
    /// The files in the state directory.
    pub fn new(paths: &Paths) -> Self {
        Self { folder: paths.state.clone() }
    }

    /// Reads the history; a missing or damaged file counts as empty.
    pub fn read(&self) -> History {
        let Ok(Some(dir)) = Dir::open(&self.folder) else { return History::default() };
        let mut history = counted(&dir);
        for entry in entries(&dir).unwrap_or_default() {
            history.note(&entry.role, HistoryEvent::Used, entry.at);
        }
        history
    }

    /// Records a star. The history only orders the list, so a failure is not reported.
    pub fn note(&self, role: &RoleArn, event: HistoryEvent, now: Timestamp) {
        let _ = self.change(|history| history.note(role, event, now));
    }

    /// Records an entry into a role: by a shell, by a command, by a browser.
    pub fn enter(&self, role: &RoleArn, shell: ShellId, now: Timestamp) {
        let line = Entry { at: now, shell, role: role.clone() }.line();
        let added = Dir::create(&self.folder).and_then(|dir| dir.append(ENTRIES, line.as_bytes()));
        if added.is_ok_and(|size| size >= FULL) {
            let _ = self.change(|_| {});
        }
    }

    /// The role that a shell was in last, if it entered one since then.
    pub fn last_of(&self, shell: ShellId, since: Timestamp) -> Option<RoleArn> {
        let dir = Dir::open(&self.folder).ok()??;
        let is_its =
            |entry: &Entry| entry.shell == shell && entry.at.as_second() >= since.as_second();
        entries(&dir)?.into_iter().rev().find(is_its).map(|entry| entry.role)
    }

    /// Changes the history's own file; where the lines are many, they go into it.
    fn change(&self, change: impl FnOnce(&mut History)) -> Result<(), FileError> {
        let dir = Dir::create(&self.folder)?;
        let _lock = dir.lock("history.lock")?;
        let mut history = counted(&dir);
        let lines = entries(&dir);
        let size = |lines: &Vec<Entry>| lines.iter().map(|entry| entry.line().len() as u64).sum();
        // What cannot be read is of no use to anybody.
        let are_many = lines.as_ref().map_or(FULL, size) >= FULL;
        for entry in lines.into_iter().flatten().filter(|_| are_many) {
            history.note(&entry.role, HistoryEvent::Used, entry.at);
        }
        change(&mut history);
        dir.write(FILE, &serde_json::to_vec(&history).unwrap_or_default())?;
        if are_many {
            dir.remove(ENTRIES)?;
        }
        Ok(())
    }
}

fn counted(dir: &Dir) -> History {
    let bytes = dir.read(FILE, LIMIT).ok().flatten();
    bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
}

/// The entries that are not counted yet, the oldest first; `None` where they cannot be read.
fn entries(dir: &Dir) -> Option<Vec<Entry>> {
    let bytes = dir.read(ENTRIES, LIMIT).ok()?.unwrap_or_default();
    Some(String::from_utf8_lossy(&bytes).lines().filter_map(Entry::parse).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role(account: u64) -> RoleArn {
        format!("arn:aws:iam::{account:012}:role/Developer").parse().unwrap()
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    const SHELL: ShellId = ShellId { session: 7, depth: 1 };

    #[test]
    fn events_of_several_processes_add_up() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        let file = || HistoryFile { folder: path.clone() };
        file().enter(&role(2), SHELL, at(0));
        file().note(&role(2), HistoryEvent::Starred, at(0));
        file().enter(&role(2), SHELL, at(1));
        let history = file().read();
        assert!(history.is_starred(&role(2)));
        assert!(history.frecency(&role(2), at(1)) > 1.5);
        std::fs::write(path.join(FILE), "{damaged").unwrap();
        std::fs::write(path.join(ENTRIES), "1 2\n1 2 x arn\n\u{7f}\n").unwrap();
        assert_eq!(file().read(), History::default());
    }

    #[test]
    fn many_entries_are_folded_into_the_history_and_none_is_lost() {
        let folder = tempfile::tempdir().unwrap();
        let file = HistoryFile { folder: folder.path().join("state") };
        for _ in 0..6_000 {
            file.enter(&role(3), SHELL, at(0));
        }
        let size = std::fs::metadata(file.folder.join(ENTRIES)).unwrap().len();
        assert!(size < FULL, "{size}");
        assert!((file.read().frecency(&role(3), at(0)) - 6_000.0).abs() < 0.5);
    }

    #[test]
    fn a_shell_is_told_from_what_it_started_and_from_other_terminals() {
        let folder = tempfile::tempdir().unwrap();
        let file = HistoryFile { folder: folder.path().join("state") };
        assert_eq!(file.last_of(SHELL, at(0)), None);
        file.enter(&role(1), SHELL, at(0));
        file.enter(&role(2), SHELL, at(1));
        file.enter(&role(3), ShellId { depth: 2, ..SHELL }, at(2));
        file.enter(&role(4), ShellId { session: 8, ..SHELL }, at(3));
        assert_eq!(file.last_of(SHELL, at(0)), Some(role(2)), "a `switch`");
        assert_eq!(file.last_of(SHELL, at(2)), None, "that was before");
    }
}
