//! What a command prints, in two files.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use super::piped::Stream;
use crate::domain::fault::{Exit, Fault};
use crate::domain::text::sanitize;

/// A file for each output of one command.
pub struct OutputFiles {
    stdout: File,
    stderr: File,
}

impl OutputFiles {
    /// Makes the folder for such files.
    pub fn make_room(dir: &Path) -> Result<(), Fault> {
        std::fs::create_dir_all(dir).map_err(|error| unwritable(dir, &error))
    }

    /// `NAME.out` and `NAME.err`, empty.
    pub fn create(dir: &Path, name: &str) -> Result<Self, Fault> {
        let open = |ending: &str| {
            let path = dir.join(format!("{name}.{ending}"));
            File::create(&path).map_err(|error| unwritable(&path, &error))
        };
        Ok(Self { stdout: open("out")?, stderr: open("err")? })
    }

    /// Adds a line.
    pub fn write(&self, stream: Stream, line: &[u8]) {
        let mut file = match stream {
            Stream::Stdout => &self.stdout,
            Stream::Stderr => &self.stderr,
        };
        let _ = file.write_all(&[line, b"\n"].concat());
    }
}

fn unwritable(path: &Path, error: &std::io::Error) -> Fault {
    let path = sanitize(&path.to_string_lossy());
    Fault::new(Exit::Fault, format!("{path} cannot be written")).because(error.to_string())
}
