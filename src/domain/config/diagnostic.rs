//! What is wrong with a config, where, and how to fix it.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::domain::fault::{Exit, Fault};
use crate::domain::text::sanitize;

/// The most diagnostics that are kept: enough to see what is wrong.
pub(super) const MAX_DIAGNOSTICS: usize = 100;

/// A line and a column, both from 1, columns in characters; 0 where the whole file is meant.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Pos {
    /// The line.
    pub line: u32,
    /// The column.
    pub column: u32,
}

/// A place in a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Location {
    /// The file.
    pub file: PathBuf,
    /// Where in it.
    #[serde(flatten)]
    pub pos: Pos,
}

impl Location {
    /// A place in a file.
    pub fn new(file: &Path, pos: Pos) -> Self {
        Self { file: file.to_owned(), pos }
    }
}

impl fmt::Display for Location {
    /// `file:line:column`, as editors jump to it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&sanitize(&self.file.to_string_lossy()))?;
        match self.pos {
            Pos { line: 0, .. } => Ok(()),
            Pos { line, column } => write!(f, ":{line}:{column}"),
        }
    }
}

/// One diagnostic about a config. Its texts have gone through the sanitizer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnostic {
    /// Where.
    pub place: Location,
    /// What is wrong.
    pub what: String,
    /// How to mend it.
    pub fix: Option<String>,
}

impl Diagnostic {
    /// A diagnostic about a place in a file.
    pub fn new(file: &Path, pos: Pos, what: &str, fix: Option<&str>) -> Self {
        Self { place: Location::new(file, pos), what: sanitize(what), fix: fix.map(sanitize) }
    }

    /// All of them as the fault that ends the program.
    pub fn fault(diagnostics: &[Self]) -> Fault {
        let (what, these) = match diagnostics.len() {
            1 => ("the config has an error; nothing was run".to_owned(), "this"),
            MAX_DIAGNOSTICS.. => (
                format!("the config has {MAX_DIAGNOSTICS} errors or more; nothing was run"),
                "these",
            ),
            n => (format!("the config has {n} errors; nothing was run"), "these"),
        };
        Fault::new(Exit::Usage, what)
            .listing(diagnostics.iter().map(ToString::to_string))
            .fix(format!("fix {these}, then run `sekisho config check`"))
    }
}

impl fmt::Display for Diagnostic {
    /// One line: where, what is wrong, and how to fix it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)?;
        match &self.fix {
            Some(fix) => write!(f, "; {fix}"),
            None => Ok(()),
        }
    }
}

/// A foreign text in a message: in backticks, cut where it is long, and never a secret access key.
pub(super) fn quoted(text: &str) -> String {
    let mut words = text.split(|c: char| !c.is_ascii_alphanumeric() && !"/+".contains(c));
    if words.any(is_key_like) {
        return "`(40 random characters: a secret?)`".to_owned();
    }
    let mut shown: String = text.chars().take(60).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    format!("`{shown}`")
}

/// Whether a word looks like a secret access key: 40 characters of Base64 with all kinds among them.
fn is_key_like(word: &str) -> bool {
    let any = |kind: fn(&u8) -> bool| word.bytes().any(|b| kind(&b));
    word.len() == 40
        && any(u8::is_ascii_uppercase)
        && any(u8::is_ascii_lowercase)
        && any(u8::is_ascii_digit)
}
