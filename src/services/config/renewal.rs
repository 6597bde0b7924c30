//! An included file that its program makes anew: the program's run, and the file as it was before.

use std::fs::{File, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::files;
use crate::domain::config::Argv;
use crate::domain::fault::{Exit, Fault};
use crate::domain::text::sanitize;
use crate::services::child::helper_program::{self, Limits, Stderr, Unfinished};
use crate::services::child::signals::Ending;

/// How long a program may take: it may list thousands of accounts, or ask for a code.
const LIMIT: Duration = Duration::from_mins(15);
/// The file that a program makes anew may be this large.
const MAX_FILE: usize = 16 << 20;
/// What stands in a file that is not there yet.
const NOTHING: &str = "accounts: []\n";

/// An included file before its program runs.
pub struct Former<'a> {
    file: &'a Path,
    /// `None` where there was no file.
    content: Option<Content>,
}

struct Content {
    text: String,
    /// Where the file is a link, what it says.
    link: Option<PathBuf>,
    mode: u32,
    modified: SystemTime,
}

impl<'a> Former<'a> {
    /// Reads a file; one that is not there yet is made.
    pub fn of(file: &'a Path) -> Result<Self, Fault> {
        if file.symlink_metadata().is_err() {
            files::write_included(file, NOTHING)?;
            return Ok(Self { file, content: None });
        }
        let text = read(file)?;
        let metadata = file.metadata().and_then(|it| Ok((it.mode(), it.modified()?)));
        let (mode, modified) = metadata.map_err(|error| unreadable(file, &error.to_string()))?;
        let link = file.read_link().ok();
        Ok(Self { file, content: Some(Content { text, link, mode, modified }) })
    }

    /// The file.
    pub fn file(&self) -> &Path {
        self.file
    }

    /// Whether the file said that before.
    pub fn said(&self, text: &str) -> bool {
        self.content.as_ref().is_some_and(|content| content.text == text)
    }

    /// Puts the file back, with its mode and the time of its last change.
    pub fn put_back(&self) -> Result<(), Fault> {
        let failed = |error: io::Error| {
            let shown = sanitize(&self.file.to_string_lossy());
            Fault::new(Exit::Fault, format!("{shown} cannot be put back"))
                .because(error.to_string())
        };
        let Some(content) = &self.content else {
            return remove(self.file).map_err(failed);
        };
        if self.file.read_link().ok() != content.link {
            remove(self.file).map_err(failed)?;
            if let Some(link) = &content.link {
                symlink(link, self.file).map_err(failed)?;
            }
        }
        if files::read_foreign(self.file).as_ref() != Ok(&content.text) {
            files::put_back(self.file, &content.text)?;
        }
        let restore = || {
            std::fs::set_permissions(self.file, Permissions::from_mode(content.mode & 0o7777))?;
            File::options().append(true).open(self.file)?.set_modified(content.modified)
        };
        restore().map_err(failed)
    }
}

/// Removes a file that may be gone.
fn remove(file: &Path) -> io::Result<()> {
    match std::fs::remove_file(file) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// What a program made of a file.
pub struct Renewed {
    /// What is in the file now.
    pub text: String,
    /// What the program printed that is not for the file.
    pub told: String,
}

/// Runs a file's program, which writes the file itself or prints what is to be in it.
pub async fn renew(
    config: &Path,
    file: &Path,
    argv: &Argv,
    ending: &mut Ending,
) -> Result<Renewed, Fault> {
    let shown = sanitize(&file.to_string_lossy());
    let start = read(file)?;
    let limits = Limits { time: LIMIT, bytes: MAX_FILE };
    let ran = helper_program::run_for(config, "update", argv, limits, Stderr::Inherited, ending);
    let printed = ran.await.map_err(|unfinished| match unfinished {
        Unfinished::Failed(why) => Fault::new(Exit::Fault, format!("{shown} was not renewed"))
            .because(format!("its `update` program failed: {why}")),
        Unfinished::Interrupted => interrupted(file),
    })?;
    let text = read(file)?;
    let printed = String::from_utf8_lossy(&printed);
    if text == start && !printed.trim().is_empty() && files::is_accounts(file, &printed) {
        files::write_included(file, &printed)?;
        return Ok(Renewed { text: read(file)?, told: String::new() });
    }
    let told = if text == start { printed.into_owned() } else { String::new() };
    Ok(Renewed { text, told })
}

fn interrupted(file: &Path) -> Fault {
    let shown = sanitize(&file.to_string_lossy());
    Fault::new(Exit::Cancelled, format!("interrupted, {shown} was not renewed"))
}

fn read(file: &Path) -> Result<String, Fault> {
    files::read_foreign(file).map_err(|why| unreadable(file, &why))
}

fn unreadable(file: &Path, why: &str) -> Fault {
    let shown = sanitize(&file.to_string_lossy());
    Fault::new(Exit::Usage, format!("{shown} cannot be read, so it is not renewed")).because(why)
}
