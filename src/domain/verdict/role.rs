//! Judges the guardrails before one role, and the other ways into its account.

use crate::domain::ids::RoleArn;
use crate::domain::trust::Reading;

use super::{
    Cause, Evidence, Finding, Guardrail, Outcome, PolicyType, Probe, RunContext, Signed, Verdict,
    worst,
};

/// What was seen of one role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleEvidence {
    /// The role.
    pub role: RoleArn,
    /// `sts:AssumeRole` by the key alone.
    pub key: Outcome,
    /// The same by a session made without a code; `None` where no such session can be had.
    pub session: Option<Outcome>,
    /// The positive control: the same by a session made with a code.
    pub control: Outcome,
    /// The trust policy, or why it could not be read.
    pub trust: Result<Reading, Outcome>,
}

/// How one refusal without MFA bears on a guardrail.
type Weigh = fn(&Cause, &RunContext) -> (Verdict, &'static str);

/// Judges the three guardrails before a role.
pub fn judge_role(seen: &RoleEvidence, context: &RunContext) -> [Finding; 3] {
    let user = seen.weigh(context, by_user);
    let organization = seen.weigh(context, by_organization);
    let trust = seen.trust(context);
    [(Guardrail::User, user), (Guardrail::Trust, trust), (Guardrail::Organization, organization)]
        .map(|(guardrail, (verdict, because))| Finding {
            guardrail,
            verdict,
            because,
            evidence: seen.evidence(guardrail),
            remedy: if verdict == Verdict::NotProved && context.control.is_err() {
                Some("verify again, and enter a code from your device".into())
            } else if verdict == Verdict::NotProved && seen.control == Outcome::Allowed {
                unnamed_remedy(guardrail)
            } else {
                remedy(guardrail, verdict)
            },
        })
}

/// What to do where a code opens the role and yet the guardrail is not proved.
fn unnamed_remedy(guardrail: Guardrail) -> Option<String> {
    match guardrail {
        Guardrail::User => Some(
            "AWS's answers do not show it: have an administrator read the user's policies in the auth account"
                .into(),
        ),
        other => remedy(other, Verdict::NotProved),
    }
}

fn by_user(cause: &Cause, context: &RunContext) -> (Verdict, &'static str) {
    let stands = context.against.stands();
    match cause {
        deny if deny.is_own_deny() => (stands, "refused, and AWS names a deny of the user's side"),
        lack if lack.is_own_lack() => {
            (stands, "no policy of the user allows it without a code, and with one it is allowed")
        }
        Cause::Unnamed if context.names_policies => (
            Verdict::Open,
            "AWS names a deny of the user's side where there is one, and named none: only the role's side refused",
        ),
        Cause::Unnamed => (Verdict::NotProved, "AWS does not say which side refused"),
        _ => (Verdict::Masked, "another policy refused first"),
    }
}

fn by_organization(cause: &Cause, context: &RunContext) -> (Verdict, &'static str) {
    match cause {
        Cause::ExplicitDeny { policy_type: PolicyType::ResourceControl, .. } => {
            (context.against.stands(), "refused, and AWS names a resource control policy")
        }
        Cause::Unnamed => (Verdict::NotProved, "AWS named no resource control policy"),
        _ => (Verdict::Masked, "the user's side refused first"),
    }
}

impl RoleEvidence {
    /// The outcomes without MFA.
    fn without_mfa(&self) -> impl Iterator<Item = (Signed, &Outcome)> {
        let session = self.session.as_ref();
        std::iter::once((Signed::Key, &self.key))
            .chain(session.map(|outcome| (Signed::SessionWithoutMfa, outcome)))
    }

    /// What every guardrail shares: an entry without MFA, a missing control, an outcome that says nothing.
    fn before_weighing(&self, context: &RunContext) -> Option<(Verdict, String)> {
        if let Some((by, _)) = self.without_mfa().find(|(_, outcome)| **outcome == Outcome::Allowed)
        {
            return Some((Verdict::Open, format!("AWS let the {} in", by.name())));
        }
        if let Err(why) = &context.control {
            return Some((Verdict::NotProved, format!("there is no positive control: {why}")));
        }
        if self.control != Outcome::Allowed {
            let why = "a code does not open the role either, so a refusal without one proves nothing: \
                       it may not exist";
            return Some((Verdict::NotProved, why.into()));
        }
        None
    }

    fn weigh(&self, context: &RunContext, weigh: Weigh) -> (Verdict, String) {
        if let Some(verdict) = self.before_weighing(context) {
            return verdict;
        }
        worst(self.without_mfa().map(|(by, outcome)| match outcome.cause() {
            Some(cause) => {
                let (verdict, why) = weigh(cause, context);
                (verdict, format!("{}: {why}", by.name()))
            }
            None => (Verdict::NotProved, format!("{}: {outcome}", by.name())),
        }))
    }

    fn trust(&self, context: &RunContext) -> (Verdict, String) {
        let read = |verdict, why: &str| (verdict, why.to_owned());
        let entered = self.without_mfa().any(|(_, outcome)| *outcome == Outcome::Allowed);
        match &self.trust {
            _ if entered => self
                .before_weighing(context)
                .unwrap_or_else(|| read(Verdict::Open, "entered without MFA")),
            Ok(Reading::Open(hole)) => (
                Verdict::Open,
                format!(
                    "statement {} of the trust policy lets {} in without MFA",
                    hole.statement, hole.principal
                ),
            ),
            Ok(Reading::AsksMfa) => read(
                context.against.stands(),
                "read: every way in for IAM users of the auth account asks for MFA",
            ),
            Ok(Reading::Closed) => read(
                Verdict::NotProved,
                "read: it lets none of the users in, and yet a code opens the role",
            ),
            Ok(Reading::Unclear { why }) => {
                (Verdict::NotProved, format!("it cannot be fully interpreted: {why}"))
            }
            Err(unread) => match self.before_weighing(context) {
                Some(verdict) => verdict,
                None => self.trust_unread(unread, context),
            },
        }
    }

    /// The trust policy by the refusals alone: only one that nothing else explains speaks for it.
    fn trust_unread(&self, unread: &Outcome, context: &RunContext) -> (Verdict, String) {
        let all =
            |test: &dyn Fn(&Outcome) -> bool| self.without_mfa().all(|(_, outcome)| test(outcome));
        if !all(&|outcome| outcome.cause().is_some()) {
            (Verdict::NotProved, format!("not read ({unread}), and the probes are undecided"))
        } else if context.names_policies && all(&|outcome| outcome.cause() == Some(&Cause::Unnamed))
        {
            (
                context.against.stands(),
                "refused without a code, opened with one, and no other policy is named".into(),
            )
        } else {
            let refused = if all(&|outcome| outcome.cause() == Some(&Cause::Unnamed)) {
                "AWS names no policy, so which one refused is not known"
            } else {
                "another policy refused first"
            };
            (Verdict::Masked, format!("not read ({unread}), and {refused}"))
        }
    }

    fn evidence(&self, guardrail: Guardrail) -> Vec<Evidence> {
        let probe = |by, outcome: &Outcome| {
            Evidence::Probe(Probe { by, call: "sts:AssumeRole".into(), outcome: outcome.clone() })
        };
        let mut all: Vec<Evidence> =
            self.without_mfa().map(|(by, outcome)| probe(by, outcome)).collect();
        all.push(probe(Signed::SessionWithMfa, &self.control));
        if let (Guardrail::Trust, Ok(reading)) = (guardrail, &self.trust) {
            all.push(Evidence::TrustPolicy {
                role: self.role.to_string(),
                reading: reading.clone(),
            });
        }
        all
    }
}

/// Judges the account's other roles: those that let the auth account's users in without MFA.
pub fn judge_back_doors(
    roles: Result<Vec<(String, Reading)>, Outcome>,
    context: &RunContext,
) -> Finding {
    let finding = |verdict, because: String, evidence| Finding {
        guardrail: Guardrail::BackDoors,
        verdict,
        because,
        evidence,
        remedy: remedy(Guardrail::BackDoors, verdict),
    };
    let roles = match roles {
        Ok(roles) => roles,
        Err(why) => {
            return finding(
                Verdict::NotProved,
                format!("the account's roles could not be listed: {why}"),
                Vec::new(),
            );
        }
    };
    let many = roles.len();
    let of = |wanted: fn(&Reading) -> bool| -> Vec<Evidence> {
        let found = roles.iter().filter(|(_, reading)| wanted(reading)).cloned();
        found.map(|(role, reading)| Evidence::TrustPolicy { role, reading }).collect()
    };
    let open = of(|reading| matches!(reading, Reading::Open(_)));
    let unclear = of(|reading| matches!(reading, Reading::Unclear { .. }));
    match (open.len(), unclear.len()) {
        (0, 0) => finding(
            context.against.stands(),
            format!("none of the account's {many} other roles lets the users in without MFA"),
            Vec::new(),
        ),
        (0, n) => finding(
            Verdict::NotProved,
            format!(
                "{n} of {many} other roles have a trust policy that cannot be fully interpreted"
            ),
            unclear,
        ),
        (n, _) => finding(
            Verdict::Open,
            format!("{n} of {many} other roles let the auth account's users in without MFA"),
            open,
        ),
    }
}

fn remedy(guardrail: Guardrail, verdict: Verdict) -> Option<String> {
    let text = match (verdict, guardrail) {
        (Verdict::Proved | Verdict::Unconfirmed, _) => return None,
        (Verdict::Open, Guardrail::User) => {
            "deny every user everything without MFA (BoolIfExists): `sekisho policy --write DIR`, auth account"
        }
        (Verdict::Open, Guardrail::Trust) => {
            "add Bool {\"aws:MultiFactorAuthPresent\": \"true\"} to that statement: `sekisho policy --write DIR`, dev account"
        }
        (Verdict::Open, Guardrail::BackDoors) => {
            "add the MFA condition to these roles' trust policies, or delete the roles"
        }
        (Verdict::Open | Verdict::NotProved, Guardrail::Organization) => {
            "attach the resource control policy UsersEnterWithMfa to the OU: `sekisho policy --write DIR`, organization"
        }
        (Verdict::Masked, Guardrail::Trust) => {
            "let the role call iam:GetRole on itself, so that its trust policy can be read"
        }
        (Verdict::Masked, _) => {
            "nothing: another guardrail refuses first, so this one cannot be observed from here"
        }
        (_, Guardrail::BackDoors) => {
            "let the role call iam:ListRoles, or have an administrator read the trust policies"
        }
        (_, Guardrail::Trust) => "have an administrator read the role's trust policy",
        _ => "check that the role exists and that a code opens it, then verify again",
    };
    Some(text.into())
}
