//! The interface between the screens and the broker: `Request → Result<Pass, NotIssued>`.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;

use super::account::Target;
use super::confirmation::Cleared;
use super::duration::left;
use super::fault::{Exit, Fault};
use super::flow::Flow;
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

/// A request for a pass to one target.
pub struct Request {
    /// Where to; its guard has been passed.
    pub target: Cleared,
    /// A code and the device it came from, where one was asked for.
    pub code: Option<(MfaSerial, MfaCode)>,
    /// The passphrase of the sealed key file, where it was asked for.
    pub passphrase: Option<Secret>,
    /// How much of a session must be left, and whether a code may be asked for.
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

/// How a request may be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// How much of a cached session's life must be left.
    pub renew: Renew,
    /// Whether a code may be asked for at all: otherwise not even `mfa_command` is run.
    pub asking: Asking,
    /// How much of a live session must be left for it to be handed out where it cannot be renewed.
    pub spare: Duration,
}

impl Terms {
    /// For whoever asks again before the end.
    pub const LAST_SECONDS: Duration = Duration::from_secs(10);
    /// For a child that keeps what it gets.
    pub const SHORTEST_STAY: Duration = Duration::from_mins(1);
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
    /// A person may give one; no command is run for it.
    Person,
    /// Nobody may be asked: the result is a pass or a fault.
    Never,
}

/// The session of one target: put into a child's environment, then wiped.
pub struct Pass {
    /// The account and role that it opens.
    pub target: Target,
    /// The role session's credentials.
    pub credentials: Credentials,
    /// How it was made; shared where a direct request was stepped down.
    pub flow: Flow,
    /// The caller whose session it is, for the prompt and the diary.
    pub user: UserName,
    /// Notices for the person, one line each: a step-down, a store that failed.
    pub notes: Vec<String>,
    /// Why the session is an older one than was asked for: it could not be renewed.
    pub unrenewed: Option<String>,
}

impl Pass {
    /// The warning that the session was not renewed, in one line.
    pub fn warning(&self, now: Timestamp) -> Option<String> {
        let why = self.unrenewed.as_ref()?;
        let left = left(self.credentials.expires, now);
        Some(format!("{} was not renewed ({why}); its session ends in {left}", self.target))
    }
}

/// Why there is no pass.
pub enum NotIssued {
    /// A code has to be typed.
    Code(CodeWanted),
    /// The passphrase of the sealed key file has to be typed; the fault says what was wrong with the last one.
    Passphrase(Option<Fault>),
    /// Somebody has to sign in at the console; the fault says what became of the last sign-in.
    SignIn(Option<Fault>),
    /// The config no longer says what was asked for: the fault tells what it says now.
    Outdated(Fault),
    /// It failed.
    Fault(Fault),
}

impl NotIssued {
    /// The fault to report where nobody can be asked for the code or passphrase.
    pub fn into_fault(self) -> Fault {
        match self {
            Self::Fault(fault) | Self::Outdated(fault) | Self::Passphrase(Some(fault)) => fault,
            Self::Passphrase(None) => {
                Fault::new(Exit::NeedsPerson, "the passphrase of the access key's file is needed")
                    .fix("run `sekisho login` in a terminal first")
            }
            Self::SignIn(why) => {
                let needed = || {
                    Fault::new(Exit::NeedsPerson, "a console sign-in is needed")
                        .because("nobody has signed in here, or the sign-in has expired")
                };
                let fix = vec!["run `sekisho login` in a terminal first".to_owned()];
                Fault { exit: Exit::NeedsPerson, fix, ..why.unwrap_or_else(needed) }
            }
            Self::Code(wanted) => {
                let fault = Fault::new(
                    Exit::NeedsPerson,
                    format!("an MFA code of {} is needed", wanted.user),
                );
                match wanted.note {
                    Some(note) => fault
                        .because(note)
                        .fix("enter it in a terminal: `sekisho shell TARGET`, or pipe the code: `--mfa-code -`"),
                    None => fault.fix("run `sekisho login` in a terminal first"),
                }
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
    /// When the session that it opens would expire, counted from now, UTC.
    pub until: Timestamp,
    /// What else there is to say about it.
    pub note: Option<&'static str>,
    /// Why the last code was rejected.
    pub rejection: Option<CodeRejection>,
}

/// Why a code was rejected. The box stays open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeRejection {
    /// What happened, in one line.
    pub what: String,
    /// The likely causes, the likeliest first.
    pub why: Vec<String>,
    /// When the device shows the next code, where waiting for it helps.
    pub next_code_at: Option<Timestamp>,
}

/// The sessions that are live right now, as the list shows them.
#[derive(Debug, Clone, Default)]
pub struct SessionStatus {
    /// Whose key it is; unknown before the first call.
    pub user: Option<UserName>,
    /// The auth session, where one is live.
    pub auth: Option<AuthStatus>,
    /// Role sessions by role; the one that lives longest where there are several.
    pub roles: HashMap<RoleArn, Live>,
    /// Where sessions are stored, as the header and `status` name it; `None` before the first one.
    pub store: Option<&'static str>,
    /// The longest role session that the config's source gives, where it is less than a role may have.
    pub longest: Option<Duration>,
}

impl SessionStatus {
    /// A target as it would be entered: for no longer than the source gives.
    pub fn as_entered(&self, target: Target) -> Target {
        let duration = self.longest.map_or(target.duration, |most| target.duration.min(most));
        Target { duration, ..target }
    }
}

/// A live auth session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthStatus {
    /// AWS's `Expiration`, UTC; of a console sign-in the latest that it may be.
    pub expires: Timestamp,
    /// The device that made the code, or what there was in its place.
    pub device: String,
    /// How the person signed in.
    pub by: SignedInBy,
}

/// How a person signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignedInBy {
    /// With a code.
    Code,
    /// At the console. Nobody says exactly when that ends.
    Console,
}

/// A live role session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Live {
    /// AWS's `Expiration`, UTC.
    pub expires: Timestamp,
    /// How it was made.
    pub flow: Flow,
}
