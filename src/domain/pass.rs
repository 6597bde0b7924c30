//! What the screens and the broker say to each other: `Request → Result<Pass, NotIssued>`.

use std::collections::HashMap;

use jiff::Timestamp;

use super::account::{Flow, Target};
use super::confirmation::Cleared;
use super::fault::{Exit, Fault};
use super::ids::{MfaSerial, RoleArn, UserName};
use super::secret::{Credentials, MfaCode, Secret};

/// A device that makes codes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeDevice {
    /// What STS takes as `SerialNumber`.
    pub serial: MfaSerial,
    /// What the person calls it.
    pub label: String,
}

/// Asks for a pass into one target.
pub struct Request {
    /// Where to; its guard has been passed.
    pub target: Cleared,
    /// A code and the device it came from, where one was asked for.
    pub code: Option<(MfaSerial, MfaCode)>,
    /// The passphrase of the sealed key file, where it was asked for.
    pub passphrase: Option<Secret>,
    /// How fresh the answer has to be, and who can be asked.
    pub terms: Terms,
}

impl Request {
    /// Asks under these terms, with nothing typed yet.
    pub fn new(target: Cleared, terms: Terms) -> Self {
        Self { target, code: None, passphrase: None, terms }
    }

    /// The same request with the code that was asked for.
    #[must_use]
    pub fn with_code(self, code: Option<(MfaSerial, MfaCode)>) -> Self {
        Self { code, ..self }
    }

    /// The same request with the passphrase that was asked for.
    #[must_use]
    pub fn with_passphrase(self, passphrase: Option<Secret>) -> Self {
        Self { passphrase, ..self }
    }
}

/// The terms of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// What of a cached session's life must be left.
    pub renew: Renew,
    /// Whether a code may be had at all: `mfa_command` runs only where this says so.
    pub asking: Asking,
}

/// When a cached role session is replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renew {
    /// The margin of the session's flow: half its life (shared), 5 min (direct).
    ByFlow,
    /// When less than so many seconds are left; of a shorter session, when half its life is over.
    Below(u32),
    /// Always (`^R`, `sekisho refresh`).
    Now,
}

/// Whether a code may be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asking {
    /// A person or a command may give one.
    Allowed,
    /// Nobody may be asked: the answer is a pass or a refusal.
    Never,
}

/// What opens one target: given to a child's environment, then wiped.
pub struct Pass {
    /// Where to.
    pub target: Target,
    /// The role session.
    pub credentials: Credentials,
    /// How it was made; shared where a direct request was stepped down.
    pub flow: Flow,
    /// The caller whose session it is, for the prompt and the diary.
    pub user: UserName,
    /// What the person should know, one line each: a step-down, a store that failed.
    pub notes: Vec<String>,
}

/// Why there is no pass.
pub enum NotIssued {
    /// A person must give a code.
    Code(CodeWanted),
    /// A person must give the passphrase of the sealed key file; the fault says what was wrong with the last one.
    Passphrase(Option<Fault>),
    /// It cannot be had.
    Fault(Fault),
}

impl NotIssued {
    /// The fault of a refusal where nobody can give what is wanted.
    pub fn into_fault(self) -> Fault {
        match self {
            Self::Fault(fault) | Self::Passphrase(Some(fault)) => fault,
            Self::Passphrase(None) => {
                Fault::new(Exit::NeedsPerson, "the passphrase of the access key's file is needed")
                    .fix("run `sekisho login` in a terminal first")
            }
            Self::Code(wanted) => {
                Fault::new(Exit::NeedsPerson, format!("an MFA code of {} is needed", wanted.user))
                    .fix("run `sekisho login` in a terminal first")
            }
        }
    }
}

impl From<Fault> for NotIssued {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// What the code box and the tty prompt show.
#[derive(Debug, Clone, PartialEq)]
pub struct CodeWanted {
    /// Whose devices they are.
    pub user: UserName,
    /// The devices to choose from, the last used first; never empty.
    pub devices: Vec<CodeDevice>,
    /// The flow the code is for.
    pub flow: Flow,
    /// Until when what it opens will last, reckoned from now, UTC.
    pub until: Timestamp,
    /// Why the last code was not taken.
    pub rejection: Option<CodeRejection>,
}

/// Why a code was not taken. The box stays open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeRejection {
    /// What happened, in one line.
    pub what: String,
    /// The likely causes, the likeliest first.
    pub why: Vec<String>,
    /// When the device shows the next code, where waiting for it helps.
    pub next_code_at: Option<Timestamp>,
}

/// What is live right now, as the list shows it.
#[derive(Debug, Clone, Default)]
pub struct SessionStatus {
    /// Whose key it is; unknown before the first call.
    pub user: Option<UserName>,
    /// The auth session.
    pub auth: Option<AuthStatus>,
    /// Role sessions by role; the one that lives longest where there are several.
    pub roles: HashMap<RoleArn, Live>,
    /// Where sessions rest, as the header and `status` name it; `None` before the first one.
    pub store: Option<&'static str>,
}

/// A live auth session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthStatus {
    /// AWS's `Expiration`, UTC.
    pub expires: Timestamp,
    /// The device that gave the code.
    pub device: String,
}

/// A live role session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Live {
    /// AWS's `Expiration`, UTC.
    pub expires: Timestamp,
    /// How it was made.
    pub flow: Flow,
}
