//! The calls of a run: by the bare key, by a session without MFA, and by the positive control.

use std::cell::Cell;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use crate::domain::account::Target;
use crate::domain::ids::{MfaSerial, SessionName, UserName};
use crate::domain::secret::Credentials;
use crate::domain::text::sanitize;
use crate::domain::trust;
use crate::domain::verdict::report::{AccountReport, RoleReport};
use crate::domain::verdict::{
    Cause, DeviceEvidence, Guardrail, Outcome, Probe, RoleEvidence, RunContext, Signed,
    judge_back_doors, judge_role,
};
use crate::services::aws::{Call, Failure, FailureKind, Prober, Signer};

use super::{CALLS, PlannedAccount, Verifier};

/// A run in progress: what every probe needs.
pub(super) struct Run<'a> {
    pub verifier: &'a Verifier<'a>,
    pub prober: Prober<'a>,
    pub pace: Pace,
    pub session_name: SessionName,
}

/// The sessions that probes are signed with, beside the key itself.
pub(super) struct Sessions {
    pub plain: PlainSession,
    /// The positive control's, or why there is none.
    pub control: Result<Credentials, String>,
}

/// The session that a bare key makes without a code.
pub(super) enum PlainSession {
    Made(Credentials),
    /// AWS refuses to make one: nobody has any.
    Refused(Outcome),
    Undecided(Outcome),
}

impl Run<'_> {
    /// What a thief makes of the key without a code.
    pub(super) async fn plain_session(&self) -> PlainSession {
        self.pace.turn().await;
        match self.verifier.aws.session_without_mfa(self.verifier.key).await {
            Ok(session) => PlainSession::Made(session),
            Err(failure) => match outcome(&failure) {
                refused @ Outcome::Denied { .. } => PlainSession::Refused(refused),
                other => PlainSession::Undecided(other),
            },
        }
    }

    /// The calls of the user itself, by the bare key and by a session without MFA.
    pub(super) async fn user_probes(
        &self,
        sessions: &Sessions,
        user: Option<&UserName>,
    ) -> (Vec<(Guardrail, Probe)>, DeviceEvidence) {
        let mut probes = Vec::new();
        for (guardrail, calls) in CALLS {
            for call in calls {
                let outcome = self.call(Signer::Key(self.verifier.key), *call).await;
                probes.push((guardrail, probe(Signed::Key, call.action(), outcome)));
            }
            let by = Signed::SessionWithoutMfa;
            match &sessions.plain {
                // STS takes no session there, whatever the policies say.
                _ if guardrail == Guardrail::Federation => {}
                PlainSession::Made(session) => {
                    for call in calls {
                        let outcome = self.call(Signer::Session(session), *call).await;
                        let outcome = needs_mfa(*call, outcome);
                        probes.push((guardrail, probe(by, call.action(), outcome)));
                    }
                }
                PlainSession::Refused(outcome) | PlainSession::Undecided(outcome) => {
                    probes.push((guardrail, probe(by, "sts:GetSessionToken", outcome.clone())));
                }
            }
        }
        let device = match (&sessions.control, user) {
            (Ok(_), _) => DeviceEvidence::TookCode,
            (Err(_), None) => DeviceEvidence::Unknown(Outcome::undecided("the user is not known")),
            (Err(_), Some(user)) => self.devices(user).await,
        };
        (probes, device)
    }

    async fn call(&self, signer: Signer<'_>, call: Call) -> Outcome {
        self.pace.turn().await;
        let answer = self.prober.probe(signer, call).await;
        answer.map_or_else(|failure| outcome(&failure), |()| Outcome::Allowed)
    }

    async fn devices(&self, user: &UserName) -> DeviceEvidence {
        self.pace.turn().await;
        match self.verifier.aws.mfa_devices(Signer::Key(self.verifier.key), user).await {
            Ok(serials) => DeviceEvidence::Listed {
                all: serials.len(),
                codes: serials.iter().filter(|serial| serial.parse::<MfaSerial>().is_ok()).count(),
            },
            Err(failure) => DeviceEvidence::Unknown(outcome(&failure)),
        }
    }

    /// Tries every planned role of an account, then reads its other roles' trust policies.
    pub(super) async fn account(
        &self,
        account: &PlannedAccount,
        sessions: &Sessions,
        basis: &RunContext,
    ) -> AccountReport {
        let mut roles = Vec::new();
        let mut reader = None;
        for target in &account.targets {
            let (seen, session) = self.role(target, sessions).await;
            reader = reader.or(session);
            roles.push(RoleReport {
                role: target.role.clone(),
                findings: judge_role(&seen, basis).into(),
            });
        }
        let others = match reader {
            Some(session) => self.other_roles(account, &session).await,
            None => Err(Outcome::undecided("no role was entered with a code")),
        };
        AccountReport {
            name: account.name.clone(),
            id: account.id,
            at: (self.verifier.now)(),
            roles,
            back_doors: judge_back_doors(others, basis),
        }
    }

    /// Tries one role in all three ways; the control's session comes back for reading on.
    async fn role(
        &self,
        target: &Target,
        sessions: &Sessions,
    ) -> (RoleEvidence, Option<Credentials>) {
        let key = self.enter(Signer::Key(self.verifier.key), target).await;
        let session = match &sessions.plain {
            PlainSession::Made(session) => Some(self.enter(Signer::Session(session), target).await),
            PlainSession::Refused(_) => None,
            PlainSession::Undecided(outcome) => Some(outcome.clone()),
        };
        let entered = match &sessions.control {
            Ok(session) => {
                self.pace.turn().await;
                let entered = self.verifier.aws.reader(session, target, &self.session_name).await;
                entered.map_err(|failure| outcome(&failure))
            }
            Err(why) => Err(Outcome::undecided(why)),
        };
        let trust = match &entered {
            Ok(session) => {
                self.pace.turn().await;
                let document = self.verifier.aws.trust_policy(session, target).await;
                document
                    .map(|document| trust::read(&document, self.verifier.auth.account))
                    .map_err(|failure| outcome(&failure))
            }
            Err(_) => Err(Outcome::undecided("the role was not entered with a code")),
        };
        let (control, reader) = match entered {
            Ok(session) => (Outcome::Allowed, Some(session)),
            Err(outcome) => (outcome, None),
        };
        (RoleEvidence { role: target.role.clone(), key, session, control, trust }, reader)
    }

    async fn enter(&self, signer: Signer<'_>, target: &Target) -> Outcome {
        self.pace.turn().await;
        let entered = self.verifier.aws.try_role(signer, target, &self.session_name).await;
        entered.map_or_else(|failure| outcome(&failure), |()| Outcome::Allowed)
    }

    /// The trust policies of the account's roles that are not in the plan.
    async fn other_roles(
        &self,
        account: &PlannedAccount,
        session: &Credentials,
    ) -> Result<Vec<(String, trust::Reading)>, Outcome> {
        self.pace.turn().await;
        let roles =
            self.verifier.aws.trust_policies(session).await.map_err(|failure| outcome(&failure))?;
        let planned = |arn: &str| account.targets.iter().any(|target| target.role.as_str() == arn);
        Ok(roles
            .into_iter()
            .filter(|(arn, _)| !planned(arn))
            .map(|(arn, document)| {
                let reading = trust::read(&document, self.verifier.auth.account);
                (sanitize(&arn), reading)
            })
            .collect())
    }
}

impl Sessions {
    /// Why there is no positive control, if there is none.
    pub(super) fn missing_control(&self) -> Result<(), String> {
        self.control.as_ref().map(drop).map_err(Clone::clone)
    }

    /// When the control's session ends, where there is one.
    pub(super) fn control_expires(&self) -> Option<Timestamp> {
        self.control.as_ref().ok().map(|session| session.expires)
    }
}

impl PlainSession {
    /// When it ends, where there is one.
    pub(super) fn expires(&self) -> Option<Timestamp> {
        match self {
            Self::Made(session) => Some(session.expires),
            Self::Refused(_) | Self::Undecided(_) => None,
        }
    }
}

/// Spaces calls evenly.
pub(super) struct Pace {
    every: Duration,
    next: Cell<Option<Instant>>,
}

impl Pace {
    pub(super) fn new(rate: u32) -> Self {
        Self { every: Duration::from_secs(1) / rate.max(1), next: Cell::new(None) }
    }

    /// Waits for one's turn.
    async fn turn(&self) {
        let now = Instant::now();
        let turn = self.next.get().map_or(now, |next| next.max(now));
        self.next.set(Some(turn + self.every));
        if turn > now {
            tokio::time::sleep_until(turn).await;
        }
    }
}

fn probe(by: Signed, call: &str, outcome: Outcome) -> Probe {
    Probe { by, call: call.into(), outcome }
}

/// IAM's own way of refusing sessions without MFA: the token is "invalid", whatever the policies say.
fn needs_mfa(call: Call, outcome: Outcome) -> Outcome {
    let iam = matches!(call, Call::ListUsers | Call::AccountSummary);
    match outcome {
        Outcome::Undecided { why } if iam && why.starts_with("InvalidClientTokenId") => {
            Outcome::Denied { code: "InvalidClientTokenId".into(), cause: Cause::IamNeedsMfa }
        }
        other => other,
    }
}

/// What a failure says about permission.
pub(super) fn outcome(failure: &Failure) -> Outcome {
    match (failure.kind, &failure.code) {
        (FailureKind::Busy | FailureKind::Unreachable | FailureKind::Garbled, _) | (_, None) => {
            Outcome::undecided(&failure.message)
        }
        (_, Some(code)) => Outcome::refused(code, &failure.message),
    }
}
