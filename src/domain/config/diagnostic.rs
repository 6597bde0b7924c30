//! What is wrong with a config, where, how to fix it, and whether it is an error or a warning.

use std::fmt::{self, Display};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::SourceRef;
use crate::domain::fault::{Exit, Fault};
use crate::domain::text::sanitize;

/// The most diagnostics that are kept: enough to see what is wrong.
pub(super) const MAX_DIAGNOSTICS: usize = 100;

/// A position in a file; 0 and 0 where the whole file is meant.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Pos {
    /// From 1.
    pub line: u32,
    /// From 1, in characters.
    pub column: u32,
}

/// A place in a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Location {
    /// As it was named.
    pub file: PathBuf,
    /// Printed as `line` and `column`.
    #[serde(flatten)]
    pub pos: Pos,
}

impl Location {
    /// A place in a file.
    pub fn new(file: &Path, pos: Pos) -> Self {
        Self { file: file.to_owned(), pos }
    }
}

impl Display for Location {
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
    /// Where it is.
    pub place: Location,
    /// What is wrong there, in a few words.
    pub what: String,
    /// How to fix it.
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

impl Display for Diagnostic {
    /// One line: where, what is wrong, and how to fix it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)?;
        match &self.fix {
            Some(fix) => write!(f, "; {fix}"),
            None => Ok(()),
        }
    }
}

/// Whether a fault in an included file is an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strictness {
    /// It is a warning: one bad push must not stop 300 people.
    Tolerant,
    /// It is an error, as in the main file: `config check`.
    Strict,
}

/// The errors and warnings of all files.
pub(super) struct Diagnostics {
    /// The files that sources refer to.
    pub(super) files: Vec<PathBuf>,
    strictness: Strictness,
    errors: Vec<Diagnostic>,
    warnings: Vec<Diagnostic>,
}

impl Diagnostics {
    pub(super) fn new(strictness: Strictness, main: PathBuf, errors: Vec<Diagnostic>) -> Self {
        Self { files: vec![main], strictness, errors, warnings: Vec::new() }
    }

    /// Adds warnings, which are errors where the config is being checked.
    pub(super) fn warn_all(&mut self, warnings: Vec<Diagnostic>) {
        match self.strictness {
            Strictness::Tolerant => &mut self.warnings,
            Strictness::Strict => &mut self.errors,
        }
        .extend(warnings);
    }

    /// Adds one warning.
    pub(super) fn warn(&mut self, source: SourceRef, what: impl Display, fix: Option<&str>) {
        let diagnostic = self.diagnostic(source, what, fix);
        self.warn_all(vec![diagnostic]);
    }

    /// Adds a warning about something that the main file may have: there it is one even where the config is checked.
    pub(super) fn remark(&mut self, source: SourceRef, what: impl Display, fix: Option<&str>) {
        if source.file == 0 {
            self.warnings.push(self.diagnostic(source, what, fix));
        } else {
            self.warn(source, what, fix);
        }
    }

    /// Adds a fault: an error in the main file, a warning in an included one.
    pub(super) fn fault(&mut self, source: SourceRef, what: impl Display, fix: Option<&str>) {
        if source.file == 0 {
            self.errors.push(self.diagnostic(source, what, fix));
        } else {
            self.warn(source, what, fix);
        }
    }

    fn diagnostic(&self, source: SourceRef, what: impl Display, fix: Option<&str>) -> Diagnostic {
        let file = &self.files[source.file as usize];
        Diagnostic::new(file, source.pos, &what.to_string(), fix)
    }

    /// `file:line`.
    pub(super) fn place(&self, source: SourceRef) -> String {
        let file = self.files[source.file as usize].display();
        format!("{file}:{}", source.pos.line)
    }

    /// The files and the warnings, or the errors.
    pub(super) fn close(self) -> Result<(Vec<PathBuf>, Vec<Diagnostic>), Vec<Diagnostic>> {
        let errors = in_order(&self.files, self.errors);
        if !errors.is_empty() {
            return Err(errors);
        }
        let warnings = in_order(&self.files, self.warnings);
        Ok((self.files, warnings))
    }
}

/// File by file, top to bottom, and no more than [`MAX_DIAGNOSTICS`].
fn in_order(files: &[PathBuf], mut diagnostics: Vec<Diagnostic>) -> Vec<Diagnostic> {
    diagnostics.sort_by_cached_key(|diagnostic| {
        let Location { file, pos } = &diagnostic.place;
        (files.iter().position(|other| other == file), *pos)
    });
    diagnostics.truncate(MAX_DIAGNOSTICS);
    diagnostics
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
