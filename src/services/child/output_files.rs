//! What a command prints, byte for byte in two files.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use super::piped::Stream;
use crate::domain::fault::{Exit, Fault};
use crate::domain::text::sanitize;

/// A file for each output of one command.
pub struct OutputFiles {
    stdout: Output,
    stderr: Output,
}

impl OutputFiles {
    /// Makes the folder for such files.
    pub fn make_room(dir: &Path) -> Result<(), Fault> {
        std::fs::create_dir_all(dir).map_err(|error| unwritable(dir, &error))
    }

    /// `NAME.out` and `NAME.err`, empty.
    pub fn create(dir: &Path, name: &str) -> Result<Self, Fault> {
        let create = |ending: &str| Output::create(dir.join(format!("{name}.{ending}")));
        Ok(Self { stdout: create("out")?, stderr: create("err")? })
    }

    /// Adds what was printed. Where that fails, the rest is dropped: a command that nobody reads would wait for ever.
    pub fn write(&mut self, stream: Stream, bytes: &[u8]) {
        match stream {
            Stream::Stdout => self.stdout.write(bytes),
            Stream::Stderr => self.stderr.write(bytes),
        }
    }

    /// Whether everything is in them.
    pub fn finish(self) -> Result<(), Fault> {
        let Self { stdout, stderr } = self;
        stdout.written.and(stderr.written)
    }
}

struct Output {
    path: PathBuf,
    file: File,
    written: Result<(), Fault>,
}

impl Output {
    fn create(path: PathBuf) -> Result<Self, Fault> {
        let file = File::create(&path).map_err(|error| unwritable(&path, &error))?;
        Ok(Self { path, file, written: Ok(()) })
    }

    fn write(&mut self, bytes: &[u8]) {
        if self.written.is_ok() {
            let written = self.file.write_all(bytes);
            self.written = written.map_err(|error| unwritable(&self.path, &error));
        }
    }
}

fn unwritable(path: &Path, error: &std::io::Error) -> Fault {
    let path = sanitize(&path.to_string_lossy());
    Fault::new(Exit::Fault, format!("{path} cannot be written")).because(error.to_string())
}
