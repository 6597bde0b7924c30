//! What is wrong with a config, where, and how to mend it.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::domain::fault::{Exit, Fault};
use crate::domain::text::sanitize;

/// The most complaints that are kept: enough to see what is wrong.
pub(super) const MAX_COMPLAINTS: usize = 100;

/// A line and a column, both from 1, columns in characters; 0 where the whole file is meant.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Spot {
    /// The line.
    pub line: u32,
    /// The column.
    pub column: u32,
}

/// A place in a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place {
    /// The file.
    pub file: PathBuf,
    /// Where in it.
    #[serde(flatten)]
    pub spot: Spot,
}

impl Place {
    /// A place in a file.
    pub fn new(file: &Path, spot: Spot) -> Self {
        Self { file: file.to_owned(), spot }
    }
}

impl fmt::Display for Place {
    /// `file:line:column`, as editors jump to it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&sanitize(&self.file.to_string_lossy()))?;
        match self.spot {
            Spot { line: 0, .. } => Ok(()),
            Spot { line, column } => write!(f, ":{line}:{column}"),
        }
    }
}

/// One complaint about a config. Its texts have gone through the sanitizer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Complaint {
    /// Where.
    pub place: Place,
    /// What is wrong.
    pub what: String,
    /// How to mend it.
    pub fix: Option<String>,
}

impl Complaint {
    /// A complaint about a place in a file.
    pub fn new(file: &Path, spot: Spot, what: &str, fix: Option<&str>) -> Self {
        Self { place: Place::new(file, spot), what: sanitize(what), fix: fix.map(sanitize) }
    }

    /// All of them as the fault that ends the program.
    pub fn fault(complaints: &[Self]) -> Fault {
        let what = match complaints.len() {
            1 => "one thing in the config is wrong; nothing was run".to_owned(),
            MAX_COMPLAINTS.. => {
                format!("{MAX_COMPLAINTS} things in the config are wrong, or more; nothing was run")
            }
            n => format!("{n} things in the config are wrong; nothing was run"),
        };
        let mut fault = Fault::new(Exit::Usage, what);
        fault.why = complaints.iter().map(ToString::to_string).collect();
        fault.fix("mend them, then look again: sekisho config check")
    }
}

impl fmt::Display for Complaint {
    /// One line: where, what is wrong, and how to mend it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)?;
        match &self.fix {
            Some(fix) => write!(f, "; {fix}"),
            None => Ok(()),
        }
    }
}
