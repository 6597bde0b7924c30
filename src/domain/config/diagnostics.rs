//! What is found wrong while the files are joined, and whether it stops anybody.

use std::fmt::Display;
use std::path::PathBuf;

use super::diagnostic::MAX_DIAGNOSTICS;
use super::{Diagnostic, Location, SourceRef};

/// What a fault in an included file means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strictness {
    /// A warning: one bad push must not stop 300 people.
    Tolerant,
    /// A diagnostic, as in the main file: `config check`.
    Strict,
}

/// Diagnostics and warnings of all files.
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

    /// Adds what stops nobody, unless the config is being checked.
    pub(super) fn warn_all(&mut self, warnings: Vec<Diagnostic>) {
        match self.strictness {
            Strictness::Tolerant => &mut self.warnings,
            Strictness::Strict => &mut self.errors,
        }
        .extend(warnings);
    }

    /// The same for one thing.
    pub(super) fn warn(&mut self, source: SourceRef, what: impl Display, fix: Option<&str>) {
        let diagnostic = self.diagnostic(source, what, fix);
        self.warn_all(vec![diagnostic]);
    }

    /// Notes a fault: a diagnostic in the main file, a warning in an included one.
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

    /// The files and the warnings, unless there are diagnostics.
    pub(super) fn close(self) -> Result<(Vec<PathBuf>, Vec<Diagnostic>), Vec<Diagnostic>> {
        let diagnostics = in_order(&self.files, self.errors);
        if !diagnostics.is_empty() {
            return Err(diagnostics);
        }
        let warnings = in_order(&self.files, self.warnings);
        Ok((self.files, warnings))
    }
}

/// As one reads: file by file, top to bottom, and no more than anyone would.
fn in_order(files: &[PathBuf], mut diagnostics: Vec<Diagnostic>) -> Vec<Diagnostic> {
    diagnostics.sort_by_cached_key(|diagnostic| {
        let Location { file, pos } = &diagnostic.place;
        (files.iter().position(|other| other == file), *pos)
    });
    diagnostics.truncate(MAX_DIAGNOSTICS);
    diagnostics
}
