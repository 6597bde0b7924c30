//! The diary: one line for every role session that was issued, in the state directory.
//!
//! A reminder for the user, who can edit it; the audit log is CloudTrail.

use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::Serialize;

use crate::domain::account::Target;
use crate::domain::flow::Flow;

use crate::services::child::process;
use crate::services::store::files::{Dir, FileError, Why};

/// The current file, and the one before it.
const FILE: &str = "diary.jsonl";
const OLD: &str = "diary.1.jsonl";
/// The size, in bytes, from which a file is rotated before the next line.
const FULL: u64 = 1024 * 1024;

/// The diary's directory, and the verb to record.
pub struct Diary {
    folder: PathBuf,
    /// The verb this process runs, e.g. `exec`, without its arguments.
    verb: String,
}

/// One line. It never contains an argument, a path or a secret.
#[derive(Serialize)]
struct Line<'a> {
    /// RFC 3339, UTC, whole seconds.
    time: String,
    target: String,
    flow: Flow,
    scope: &'static str,
    verb: &'a str,
    /// The AI agent that drove it, as its variable names it.
    agent: Option<&'a str>,
    /// The name of the program that started sekisho, where it can be found out.
    parent: Option<String>,
}

impl Diary {
    /// The diary in the state directory, for a process that runs `verb`.
    pub fn new(state: &Path, verb: &str) -> Self {
        let verb = verb.split(' ').next().unwrap_or_default();
        Self { folder: state.to_owned(), verb: verb.to_owned() }
    }

    /// Records a role session that was issued just now.
    pub fn note(
        &self,
        target: &Target,
        flow: Flow,
        agent: Option<&str>,
        now: Timestamp,
    ) -> Result<(), FileError> {
        let line = Line {
            time: now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            target: target.name(),
            flow,
            scope: target.session.scope.name(),
            verb: &self.verb,
            agent,
            parent: process::parent_name(),
        };
        let mut bytes = serde_json::to_vec(&line).unwrap_or_default();
        bytes.push(b'\n');
        self.append(&bytes)
    }

    fn append(&self, line: &[u8]) -> Result<(), FileError> {
        let dir = Dir::create(&self.folder)?;
        let _lock = dir.lock("diary.lock")?;
        let failed =
            |error: std::io::Error| FileError { path: self.folder.join(FILE), why: Why::Io(error) };
        let mut file = dir.lock_file(FILE)?;
        if file.seek(SeekFrom::End(0)).map_err(failed)? >= FULL {
            dir.rename(FILE, OLD)?;
            file = dir.lock_file(FILE)?;
        }
        file.write_all(line).map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_diary_is_rotated() {
        let folder = tempfile::tempdir().unwrap();
        let diary = Diary::new(&folder.path().join("state"), "exec dev-tanaka");
        assert_eq!(diary.verb, "exec");
        let line = vec![b'x'; 64 * 1024];
        for _ in 0..40 {
            diary.append(&line).unwrap();
        }
        let length = |name| {
            let path = diary.folder.join(name);
            std::fs::metadata(path).unwrap().len()
        };
        assert_eq!(length(OLD), FULL);
        assert_eq!(length(FILE), 8 * 64 * 1024);
    }
}
