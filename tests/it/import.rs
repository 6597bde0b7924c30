//! The verbs that make a config, or parts of it: `init`, `import`, `config update`. The real program.

mod aws_config;
mod first;
mod merge;
mod organizations;
mod round_trip;
mod update;

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::support::{at_home, without_terminal};

/// What a run said, with its exit code; the home's path is `~`.
pub struct Said {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Said {
    fn of(output: &Output, home: &Path) -> Self {
        let text = |bytes: &[u8]| {
            let text = String::from_utf8(bytes.to_vec()).unwrap();
            text.replace(home.to_str().unwrap(), "~")
        };
        Self {
            code: output.status.code().unwrap(),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
        }
    }

    /// All of it, as one text for a snapshot.
    pub fn whole(&self) -> String {
        format!("exit {}\n--- stdout\n{}--- stderr\n{}", self.code, self.stdout, self.stderr)
    }
}

/// The program with an empty environment, a home and no terminal to ask on. `None` where that cannot be had.
pub fn sekisho(home: &Path) -> Option<Command> {
    let mut command = at_home(env!("CARGO_BIN_EXE_sekisho"), home);
    command.env_remove("PATH");
    without_terminal(&command)
}

/// Runs it with words, and something to read.
pub fn run(mut command: Command, words: &[&str], stdin: &str, home: &Path) -> Said {
    let mut child = command
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It may end without reading.
    let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
    Said::of(&child.wait_with_output().unwrap(), home)
}

fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(path).unwrap().mode() & 0o777
}
