//! Faults as people read them: what happened, why (most likely cause first), what to do.

use std::process::ExitCode;

/// How the program ends. `docs/reference.md` lists the numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 0
    Done,
    /// 1: something failed
    Fault,
    /// 2: wrong usage or config
    Usage,
    /// 3: AWS refused
    Refused,
    /// 4: a code or a confirmation is needed and nobody can be asked
    NeedsPerson,
    /// 5: `verify` found an open guard
    Open,
    /// 6: `verify` could not decide
    Undecided,
    /// 126: the command cannot be run
    CannotRun,
    /// 127: the command was not found
    NotFound,
    /// 130: cancelled
    Cancelled,
    /// The child's own code, or 128 + N where signal N ended it
    Child(u8),
}

impl Exit {
    /// The number the caller sees.
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Fault => 1,
            Self::Usage => 2,
            Self::Refused => 3,
            Self::NeedsPerson => 4,
            Self::Open => 5,
            Self::Undecided => 6,
            Self::CannotRun => 126,
            Self::NotFound => 127,
            Self::Cancelled => 130,
            Self::Child(code) => code,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        exit.code().into()
    }
}

/// One failure, with the same text in the popup and on stderr.
///
/// Every text has gone through the sanitizer and holds no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What happened, in one line.
    pub what: String,
    /// The likely causes, the likeliest first.
    pub why: Vec<String>,
    /// Everything that is wrong, where that is several things at once: all of them hold.
    pub items: Vec<String>,
    /// What to do; a command where one helps.
    pub fix: Vec<String>,
    /// How the program ends if nobody handles it.
    pub exit: Exit,
    /// AWS's error code and request id, shown with `-v`.
    pub detail: Option<String>,
}

impl Fault {
    /// A fault that ends the program with `exit`.
    pub fn new(exit: Exit, what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            why: Vec::new(),
            items: Vec::new(),
            fix: Vec::new(),
            exit,
            detail: None,
        }
    }

    /// Adds a cause, less likely than those before it.
    #[must_use]
    pub fn because(mut self, why: impl Into<String>) -> Self {
        self.why.push(why.into());
        self
    }

    /// Lists what is wrong, one line each.
    #[must_use]
    pub fn listing(mut self, items: impl IntoIterator<Item = String>) -> Self {
        self.items.extend(items);
        self
    }

    /// The likeliest cause, else the first of the things that are wrong.
    pub fn reason(&self) -> Option<&str> {
        self.why.first().or(self.items.first()).map(String::as_str)
    }

    /// Adds something to do about it.
    #[must_use]
    pub fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix.push(fix.into());
        self
    }

    /// What happened and its reason, in one line.
    pub fn in_a_line(&self) -> String {
        match self.reason() {
            Some(why) => format!("{}: {why}", self.what),
            None => self.what.clone(),
        }
    }

    /// Adds what only `-v` shows.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }
}
