//! What is found wrong while the files are joined, and whether it stops anybody.

use std::fmt::Display;
use std::path::PathBuf;

use super::complaint::MAX_COMPLAINTS;
use super::{Complaint, Mark, Place};

/// What a fault in an included file means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strictness {
    /// A warning: one bad push must not stop 300 people.
    Tolerant,
    /// A complaint, as in the main file: `config check`.
    Strict,
}

/// Complaints and warnings of all files.
pub(super) struct Ledger {
    /// The files that marks refer to.
    pub(super) files: Vec<PathBuf>,
    strictness: Strictness,
    complaints: Vec<Complaint>,
    warnings: Vec<Complaint>,
}

impl Ledger {
    pub(super) fn new(strictness: Strictness, main: PathBuf, complaints: Vec<Complaint>) -> Self {
        Self { files: vec![main], strictness, complaints, warnings: Vec::new() }
    }

    /// Adds what stops nobody, unless the config is being checked.
    pub(super) fn warn_all(&mut self, warnings: Vec<Complaint>) {
        match self.strictness {
            Strictness::Tolerant => &mut self.warnings,
            Strictness::Strict => &mut self.complaints,
        }
        .extend(warnings);
    }

    /// The same for one thing.
    pub(super) fn warn(&mut self, mark: Mark, what: impl Display, fix: Option<&str>) {
        let complaint = self.complaint(mark, what, fix);
        self.warn_all(vec![complaint]);
    }

    /// Notes a fault: a complaint in the main file, a warning in an included one.
    pub(super) fn fault(&mut self, mark: Mark, what: impl Display, fix: Option<&str>) {
        if mark.file == 0 {
            self.complaints.push(self.complaint(mark, what, fix));
        } else {
            self.warn(mark, what, fix);
        }
    }

    fn complaint(&self, mark: Mark, what: impl Display, fix: Option<&str>) -> Complaint {
        let file = &self.files[mark.file as usize];
        Complaint::new(file, mark.spot, &what.to_string(), fix)
    }

    /// `file:line`.
    pub(super) fn place(&self, mark: Mark) -> String {
        let file = self.files[mark.file as usize].display();
        format!("{file}:{}", mark.spot.line)
    }

    /// The files and the warnings, unless there are complaints.
    pub(super) fn close(self) -> Result<(Vec<PathBuf>, Vec<Complaint>), Vec<Complaint>> {
        let complaints = in_order(&self.files, self.complaints);
        if !complaints.is_empty() {
            return Err(complaints);
        }
        let warnings = in_order(&self.files, self.warnings);
        Ok((self.files, warnings))
    }
}

/// As one reads: file by file, top to bottom, and no more than anyone would.
fn in_order(files: &[PathBuf], mut complaints: Vec<Complaint>) -> Vec<Complaint> {
    complaints.sort_by_cached_key(|complaint| {
        let Place { file, spot } = &complaint.place;
        (files.iter().position(|other| other == file), *spot)
    });
    complaints.truncate(MAX_COMPLAINTS);
    complaints
}
