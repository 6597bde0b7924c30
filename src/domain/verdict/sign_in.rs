//! Judges a console sign-in in a key's place: what it enters without a code, and what that shows of the MFA
//! information in it.
//!
//! Unlike a bare key, a sign-in may carry MFA information: AWS does not say. So an entry without a code is open only
//! where the role's trust policy was read and asks for none.

use crate::domain::ids::RoleArn;
use crate::domain::trust::Reading;

use super::{
    DeviceEvidence, Evidence, Finding, Guardrail, Outcome, Probe, RunContext, Signed, Verdict,
};

/// What was seen of one role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignInEvidence {
    /// The role.
    pub role: RoleArn,
    /// `sts:AssumeRole` by the sign-in alone.
    pub entered: Outcome,
    /// The positive control: the same with a code; `None` where none was sent.
    pub control: Option<Outcome>,
    /// The trust policy, or why it could not be read.
    pub trust: Result<Reading, Outcome>,
}

/// Whether the sign-in carries MFA information.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignInMfa {
    /// It entered a role whose trust policy asks for MFA.
    Carried,
    /// It was refused where the same call with a code was not.
    Absent,
    /// Nothing that was seen tells.
    Unknown,
}

impl SignInMfa {
    /// The word in JSON.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Carried => "carried",
            Self::Absent => "absent",
            Self::Unknown => "unknown",
        }
    }

    /// What a report says of it.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Carried => {
                "The sign-in carries MFA information: a role whose trust policy asks for it let it in without a code."
            }
            Self::Absent => {
                "The sign-in carries no MFA information that counts: a role took it with a code only."
            }
            Self::Unknown => "Whether the sign-in carries MFA information, nothing here tells.",
        }
    }

    /// What a role's findings tell of it.
    pub fn of(findings: &[Finding]) -> Self {
        let evidence = || findings.iter().flat_map(|finding| &finding.evidence);
        let probe = |by: Signed, is: fn(&Outcome) -> bool| {
            evidence()
                .any(|seen| matches!(seen, Evidence::Probe(it) if it.by == by && is(&it.outcome)))
        };
        let allowed = |outcome: &Outcome| *outcome == Outcome::Allowed;
        let asks = |seen: &Evidence| {
            matches!(seen, Evidence::TrustPolicy { reading: Reading::AsksMfa, .. })
        };
        if probe(Signed::SignIn, allowed) && evidence().any(asks) {
            Self::Carried
        } else if probe(Signed::SignIn, |outcome| outcome.cause().is_some())
            && probe(Signed::SignInWithCode, allowed)
        {
            Self::Absent
        } else {
            Self::Unknown
        }
    }
}

/// Judges the sign-in itself and the trust policy before a role.
pub fn judge_sign_in(seen: &SignInEvidence, context: &RunContext) -> [Finding; 2] {
    let finding = |guardrail, (verdict, because): (Verdict, String)| Finding {
        guardrail,
        verdict,
        because,
        evidence: seen.evidence(),
        remedy: seen.remedy(guardrail, verdict),
    };
    [
        finding(Guardrail::SignIn, seen.entry(context)),
        finding(Guardrail::Trust, seen.trust(context)),
    ]
}

/// The findings about a role that was not tried, since nobody is signed in. `remedy` signs in.
pub fn judge_signed_out(why: &str, remedy: &str) -> Finding {
    Finding {
        guardrail: Guardrail::SignIn,
        verdict: Verdict::NotProved,
        because: format!("not tried: {why}"),
        evidence: Vec::new(),
        remedy: Some(remedy.to_owned()),
    }
}

/// Judges the devices of a user who signs in at the console.
pub fn judge_sign_in_device(device: &DeviceEvidence, context: &RunContext) -> Finding {
    let (verdict, because) = match device {
        DeviceEvidence::TookCode => {
            (context.against.stands(), "AWS took a code of the user's device".into())
        }
        DeviceEvidence::Listed { all: 0, .. } => {
            (Verdict::Open, "the user has no MFA device: the password alone signs in".into())
        }
        DeviceEvidence::Listed { all, .. } => (
            context.against.stands(),
            format!("AWS lists MFA devices of the user, {all} in all: a sign-in asks for one"),
        ),
        DeviceEvidence::Unknown(outcome) => {
            (Verdict::NotProved, format!("iam:ListMFADevices: {outcome}"))
        }
    };
    let remedy = match verdict {
        Verdict::Open => "register a device in the console now, a passkey or an authenticator app",
        Verdict::NotProved => "let the user call iam:ListMFADevices on itself",
        _ => "",
    };
    Finding {
        guardrail: Guardrail::Device,
        verdict,
        because,
        evidence: Vec::new(),
        remedy: Some(remedy.to_owned()).filter(|remedy| !remedy.is_empty()),
    }
}

impl SignInEvidence {
    /// How it stands that the sign-in enters with MFA only.
    fn entry(&self, context: &RunContext) -> (Verdict, String) {
        let stands = |why: &str| (context.against.stands(), why.to_owned());
        let undecided = |why: String| (Verdict::NotProved, why);
        match (&self.entered, &self.control, &self.trust) {
            (Outcome::Allowed, _, Ok(Reading::AsksMfa)) => stands(
                "entered without a code, and the trust policy asks for MFA: the sign-in carries MFA information",
            ),
            (Outcome::Allowed, _, Ok(Reading::Open(hole))) => (
                Verdict::Open,
                format!(
                    "entered without a code: statement {} of the trust policy asks for no MFA, so whether the sign-in carries MFA information cannot be told",
                    hole.statement
                ),
            ),
            (Outcome::Allowed, _, trust) => undecided(format!(
                "entered without a code: by MFA information in the sign-in, or because the trust policy asks for none, which cannot be told: {}",
                match trust {
                    Ok(Reading::Unclear { why }) =>
                        format!("it cannot be fully interpreted: {why}"),
                    Ok(_) => "as it was read, it lets none of the users in".into(),
                    Err(unread) => format!("it was not read: {unread}"),
                }
            )),
            (Outcome::Denied { .. }, Some(Outcome::Allowed), _) => stands(
                "refused without a code, entered with one: the sign-in carries no MFA information that counts here",
            ),
            (Outcome::Denied { .. }, _, Ok(Reading::AsksMfa)) => {
                stands("refused without a code, and the trust policy asks for MFA")
            }
            (Outcome::Denied { .. }, Some(_), _) => undecided(
                "a code does not open the role either, so a refusal without one proves nothing: it may not exist".into(),
            ),
            (Outcome::Denied { .. }, None, _) => undecided(
                "refused without a code, and it was not tried with one, so that proves nothing: the role may not exist".into(),
            ),
            (outcome, ..) => undecided(outcome.to_string()),
        }
    }

    fn trust(&self, context: &RunContext) -> (Verdict, String) {
        let entered =
            [Some(&self.entered), self.control.as_ref()].contains(&Some(&Outcome::Allowed));
        match &self.trust {
            Ok(Reading::AsksMfa) => (
                context.against.stands(),
                "read: every way in for IAM users of the auth account asks for MFA".into(),
            ),
            Ok(Reading::Open(hole)) => (
                Verdict::Open,
                format!(
                    "statement {} of the trust policy lets {} in without MFA",
                    hole.statement, hole.principal
                ),
            ),
            Ok(Reading::Closed) if entered => (
                Verdict::NotProved,
                "read: it lets none of the users in, and yet the sign-in entered the role".into(),
            ),
            Ok(Reading::Closed) => {
                (context.against.stands(), "read: it lets none of the users in".into())
            }
            Ok(Reading::Unclear { why }) => {
                (Verdict::NotProved, format!("it cannot be fully interpreted: {why}"))
            }
            Err(unread) => (Verdict::NotProved, format!("it was not read: {unread}")),
        }
    }

    fn remedy(&self, guardrail: Guardrail, verdict: Verdict) -> Option<String> {
        let text = match (verdict, &self.entered, &self.control) {
            (Verdict::Open, ..) => {
                "add Bool {\"aws:MultiFactorAuthPresent\": \"true\"} to that statement: `sekisho policy --write DIR`, dev account"
            }
            (verdict, ..) if verdict != Verdict::NotProved => return None,
            (_, Outcome::Denied { .. }, None) => "verify again, and enter a code from your device",
            (_, Outcome::Allowed, _) | (_, _, Some(Outcome::Allowed)) => match &self.trust {
                Err(_) if guardrail == Guardrail::SignIn => {
                    "let the role call iam:GetRole on itself, so that its trust policy can be read"
                }
                _ => "have an administrator read the role's trust policy",
            },
            _ => "check that the role exists and that a code opens it, then verify again",
        };
        Some(text.into())
    }

    fn evidence(&self) -> Vec<Evidence> {
        let probe = |by, outcome: &Outcome| {
            Evidence::Probe(Probe { by, call: "sts:AssumeRole".into(), outcome: outcome.clone() })
        };
        let control = self.control.as_ref().map(|outcome| probe(Signed::SignInWithCode, outcome));
        let trust = self.trust.as_ref().ok().map(|reading| Evidence::TrustPolicy {
            role: self.role.to_string(),
            reading: reading.clone(),
        });
        let entered = std::iter::once(probe(Signed::SignIn, &self.entered));
        entered.chain(control).chain(trust).collect()
    }
}
