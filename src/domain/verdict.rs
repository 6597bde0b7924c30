//! What probes and trust policies prove about the guardrails, and what they do not.
//!
//! A refusal proves little by itself: a role that does not exist, a key that AWS has quarantined and a network that
//! fails all look closed. So each guardrail is judged on its own, by what AWS itself names, and only beside a
//! positive control: the same call, by the same user, with a code.

mod calls;
mod doors;
mod outcome;
pub mod report;
mod role;
mod sign_in;
#[cfg(test)]
mod tests;
pub mod users;

use std::fmt;

use serde::{Deserialize, Serialize};

use super::trust::{Door, DoorKind, Reading};

pub use calls::{DeviceEvidence, judge_calls, judge_device};
pub use doors::{Hops, judge_doors, judge_local_users};
pub use outcome::{Cause, Outcome, PolicyType};
pub use role::{RoleEvidence, judge_back_doors, judge_role};
pub use sign_in::{
    SignInEvidence, SignInMfa, judge_sign_in, judge_sign_in_device, judge_signed_out,
};

/// Who answers the probes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Against {
    /// AWS's own hosts.
    Aws,
    /// Something that a config's `endpoint_url` names. Nothing is proved there.
    Emulated,
    /// A proxy, or a host that a custom CA vouches for, may have answered instead. Nothing is proved.
    Intercepted,
}

/// How a guardrail stands. The worse is the greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It stands: AWS named it, or its document was read.
    Proved,
    /// As `Proved`, but something else than AWS may have answered, so nothing is proved.
    #[serde(rename = "held")]
    Unconfirmed,
    /// Another guardrail refused first, so this one could not be seen.
    Masked,
    /// It could not be decided.
    NotProved,
    /// It does not stand.
    Open,
}

/// What stands between a leaked key and an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Guardrail {
    /// The user is denied reading calls without MFA.
    Reads,
    /// The user is denied changing calls without MFA.
    Writes,
    /// The user cannot make federated sessions, which carry no MFA.
    Federation,
    /// The user has an MFA device, so that no thief can enrol one.
    Device,
    /// The user's own side (policies, boundary, SCP) denies entering the role without MFA.
    User,
    /// The console sign-in enters the role with MFA only: with MFA information of its own, or with a code.
    SignIn,
    /// The role's trust policy asks for MFA.
    Trust,
    /// A resource control policy of the organization denies entering the role without MFA.
    Organization,
    /// No other role of the account lets the auth account in without MFA.
    BackDoors,
    /// Nobody else than the auth account's users enters a role of the account unbound.
    OtherDoors,
    /// No IAM user of the account itself has an active access key.
    LocalUsers,
}

/// What all judging of one run rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunContext {
    /// Who answers.
    pub against: Against,
    /// The positive control: why there is none, if so. Without it no refusal proves anything.
    pub control: Result<(), String>,
    /// Whether AWS names the policies of this user's side in refusals of STS.
    ///
    /// Only then does a refusal without a name tell that the user's side let the call pass.
    pub names_policies: bool,
    /// The quarantine, which refuses on its own.
    pub quarantine: Option<Quarantine>,
    /// Who tries without a code.
    pub by: Signed,
}

/// What is said about one guardrail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The guardrail.
    pub guardrail: Guardrail,
    /// How it stands.
    pub verdict: Verdict,
    /// Why that is said, in one sentence.
    pub because: String,
    /// What was seen.
    pub evidence: Vec<Evidence>,
    /// What to do, where something is to be done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

/// One thing that was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Evidence {
    /// A call and its outcome.
    Probe(Probe),
    /// A role's trust policy.
    TrustPolicy {
        /// The role's ARN.
        role: String,
        /// What the document says.
        #[serde(flatten)]
        reading: Reading,
    },
    /// Somebody else whom a role's trust policy lets in.
    Door {
        /// The role's ARN.
        role: String,
        /// Who, and what it takes.
        #[serde(flatten)]
        door: Door,
        /// Whether the bare key enters the role of the auth account that is named; absent where it was not tried.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        hop: Option<Outcome>,
        /// Who tried that in the bare key's place.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        hop_by: Option<Signed>,
    },
    /// An IAM user of the account who has access keys.
    LocalUser(report::LocalUser),
}

/// One call that was made, or that could not be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// Who signed it.
    pub by: Signed,
    /// The action, e.g. `sts:AssumeRole`.
    pub call: String,
    /// What came back.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// Who signed a probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signed {
    /// The access key alone.
    Key,
    /// A session that the key made without a code.
    SessionWithoutMfa,
    /// The positive control: a session that the key made with a code.
    SessionWithMfa,
    /// A role's session that the control entered, which may only read.
    Reader,
    /// The console sign-in, without a code.
    SignIn,
    /// The positive control of a sign-in: the same with a code.
    SignInWithCode,
}

impl Against {
    /// The verdict for what stands.
    pub const fn stands(self) -> Verdict {
        match self {
            Self::Aws => Verdict::Proved,
            Self::Emulated | Self::Intercepted => Verdict::Unconfirmed,
        }
    }
}

impl Verdict {
    /// The word in reports.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Proved => "proved",
            Self::Unconfirmed => "held",
            Self::Masked => "masked",
            Self::NotProved => "not proved",
            Self::Open => "OPEN",
        }
    }

    /// Whether it says that the guardrail stands.
    pub const fn stands(self) -> bool {
        matches!(self, Self::Proved | Self::Unconfirmed)
    }
}

/// The worst of several verdicts and why; the first of equals.
fn worst(verdicts: impl Iterator<Item = (Verdict, String)>) -> (Verdict, String) {
    verdicts
        .reduce(|worst, next| if next.0 > worst.0 { next } else { worst })
        .unwrap_or((Verdict::NotProved, "nothing was tried".into()))
}

impl Guardrail {
    /// What it is called in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reads => "reads",
            Self::Writes => "writes",
            Self::Federation => "federation",
            Self::Device => "MFA device",
            Self::User => "user policy",
            Self::SignIn => "sign-in",
            Self::Trust => "trust policy",
            Self::Organization => "organization",
            Self::BackDoors => "back doors",
            Self::OtherDoors => "other doors",
            Self::LocalUsers => "local keys",
        }
    }
}

impl Signed {
    /// How reports call the signer.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Key => "key alone",
            Self::SessionWithoutMfa => "session without MFA",
            Self::SessionWithMfa => "session with MFA",
            Self::Reader => "reading role session",
            Self::SignIn => "console sign-in",
            Self::SignInWithCode => "console sign-in with a code",
        }
    }
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Probe(Probe { by, call, outcome }) => {
                write!(f, "{call}, {}: {outcome}", by.name())
            }
            Self::TrustPolicy { role, reading } => {
                write!(f, "trust policy of {role}: ")?;
                match reading {
                    Reading::AsksMfa => f.write_str(
                        "asks for MFA on every way in for IAM users of the auth account",
                    ),
                    Reading::Closed => f.write_str("lets none of the users in"),
                    Reading::Open(hole) => {
                        let who = if hole.bare_key {
                            "a bare key"
                        } else {
                            "a session made without a code"
                        };
                        write!(
                            f,
                            "statement {} lets {who} of {} in",
                            hole.statement, hole.principal
                        )
                    }
                    Reading::Unclear { why } => write!(f, "not understood: {why}"),
                }
            }
            Self::Door { role, door, hop, hop_by } => {
                let Door { kind, statement, principal, needs } = door;
                let name = kind.name();
                write!(f, "{name}: {role}, statement {statement}, lets {principal} in: {needs}")?;
                let by = hop_by.unwrap_or(Signed::Key).name();
                match (kind, hop) {
                    (_, Some(hop)) => write!(f, "; from the {by}: {hop}"),
                    (DoorKind::AuthRole, None) => write!(f, "; from the {by}: not tried"),
                    _ => Ok(()),
                }
            }
            Self::LocalUser(user) => user.fmt(f),
        }
    }
}

/// The quarantine, where AWS names it in a refusal of this run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quarantine {
    /// AWS named its policy.
    Named,
    /// A session without a code is denied to the user, as the quarantine would; AWS named no policy.
    Suspected,
}
