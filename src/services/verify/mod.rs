//! Proves that the key alone opens nothing, from the developer's own machine.
//!
//! The same calls are made by the bare key, by a session made without a code, and by one made with a code (the
//! positive control). Every role is entered with a session policy that denies everything; the control's may read
//! trust policies. What that proves is judged by `domain::verdict`.

mod journal;
mod run;
pub mod text;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::domain::account::Target;
use crate::domain::config::Auth;
use crate::domain::fault::{Exit, Fault};
use crate::domain::guard::Guard;
use crate::domain::ids::{AccountId, MfaSerial, Name, SessionName, UserName};
use crate::domain::secret::{AccessKey, Credentials, MfaCode};
use crate::domain::verdict::report::{AccountReport, NOT_TRIED, Report, SCHEMA};
use crate::domain::verdict::{
    Cause, Device, Finding, Footing, Ground, Guardrail, Probe, Quarantine, judge_calls,
    judge_device,
};

use super::aws::{self, Aws, Call, Doing, Kind, Signer};
use super::store::files::Dir;
use journal::Journal;
use run::{Pace, PlainSession, Run, outcome};

pub use journal::{mark, marks};

/// How many accounts are probed at once.
const AT_ONCE: usize = 4;
/// How long the control's session lasts; a longer run asks for another code.
const CONTROL: Duration = Duration::from_hours(1);
/// A session with less life than this is replaced before the next account.
const MARGIN: SignedDuration = SignedDuration::from_mins(3);

/// The calls that must be refused, by the guardrail they speak for.
const CALLS: [(Guardrail, &[Call]); 3] = [
    (
        Guardrail::Reads,
        &[
            Call::ListBuckets,
            Call::DescribeRegions,
            Call::ListUsers,
            Call::AccountSummary,
            Call::DescribeOrganization,
        ],
    ),
    (
        Guardrail::Writes,
        &[Call::RunInstances, Call::CreateInternetGateway],
    ),
    (Guardrail::Federation, &[Call::FederationToken]),
];

/// What is to be verified.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    accounts: Vec<PlannedAccount>,
    left_out: Vec<String>,
}

#[derive(Debug, Clone, PartialEq)]
struct PlannedAccount {
    name: Name,
    id: AccountId,
    targets: Vec<Target>,
}

/// Who chose the targets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chosen {
    /// Nobody: they are the whole config, so guarded (`confirm`) ones are left out.
    All,
    /// The person named them.
    ByName,
}

impl Plan {
    /// Groups targets by account, in their order.
    pub fn new(targets: Vec<Target>, chosen: Chosen) -> Self {
        let mut plan = Self {
            accounts: Vec::new(),
            left_out: Vec::new(),
        };
        for target in targets {
            if chosen == Chosen::All && target.guard == Guard::Confirm {
                plan.left_out.push(target.name());
                continue;
            }
            match plan
                .accounts
                .iter_mut()
                .find(|account| account.id == target.id)
            {
                Some(account) => account.targets.push(target),
                None => plan.accounts.push(PlannedAccount {
                    name: target.account.clone(),
                    id: target.id,
                    targets: vec![target],
                }),
            }
        }
        plan
    }

    fn roles(&self) -> usize {
        self.accounts
            .iter()
            .map(|account| account.targets.len())
            .sum()
    }
}

/// How far a run has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Accounts done, those taken over from a run that was cut off included.
    pub done: usize,
    /// Accounts in all.
    pub total: usize,
}

/// What a run works with.
pub struct Verifier<'a> {
    /// The way to AWS.
    pub aws: &'a Aws,
    /// The auth account.
    pub auth: &'a Auth,
    /// The key that must open nothing.
    pub key: &'a AccessKey,
    /// Where journal and record lie; `None` remembers nothing.
    pub state: Option<&'a Dir>,
    /// The most calls a second.
    pub rate: u32,
    /// The time, UTC.
    pub now: &'a dyn Fn() -> Timestamp,
}

impl Verifier<'_> {
    /// Probes everything in the plan, and judges.
    ///
    /// `code` asks for a code: first with no fault, then with the fault that the last one met. `None` goes on
    /// without a positive control, which proves nothing.
    pub async fn run(
        &self,
        plan: &Plan,
        mut code: impl AsyncFnMut(Option<&Fault>) -> Option<(MfaSerial, MfaCode)>,
        progress: impl Fn(Progress),
    ) -> Result<Report, Fault> {
        let at = (self.now)();
        let ground = match self.auth.endpoint_url {
            None => Ground::Aws,
            Some(_) => Ground::Emulated,
        };
        let user = self.caller().await?;
        let name = user
            .as_ref()
            .or(self.auth.user.as_ref())
            .map(SessionName::of);
        let run = Run {
            verifier: self,
            prober: self.aws.prober()?,
            pace: Pace::new(self.rate),
            session_name: match name {
                Some(name) => name,
                None => "sekisho-verify".parse().map_err(|_| unnamed())?,
            },
        };
        let mut plain = run.plain_session().await;
        let mut control = match &user {
            Some(_) => self.control(&mut code).await,
            None => Err("GetCallerIdentity was refused, which AWS never does".into()),
        };
        let (probes, device) = run.user_probes(&plain, &control, user.as_ref()).await;
        let footing = Footing {
            ground,
            control: control.as_ref().map(drop).map_err(Clone::clone),
            names_policies: names_policies(&probes),
            quarantine: quarantine(&probes, &plain),
        };
        let key = judge_user(probes, &device, &footing);

        let (mut journal, mut done) = self.resume(plan, ground)?;
        let total = plan.accounts.len();
        let mut queue: VecDeque<&PlannedAccount> = plan
            .accounts
            .iter()
            .filter(|account| !done.iter().any(|had| had.id == account.id))
            .collect();
        progress(Progress {
            done: done.len(),
            total,
        });
        while !queue.is_empty() {
            if plain.expires().is_some_and(|expires| self.is_old(expires)) {
                plain = run.plain_session().await;
            }
            if control
                .as_ref()
                .is_ok_and(|session| self.is_old(session.expires))
            {
                control = self.control(&mut code).await;
            }
            let footing = Footing {
                control: control.as_ref().map(drop).map_err(Clone::clone),
                ..footing.clone()
            };
            let fresh = || {
                !plain.expires().is_some_and(|expires| self.is_old(expires))
                    && !control
                        .as_ref()
                        .is_ok_and(|session| self.is_old(session.expires))
            };
            let shared = RefCell::new((&mut queue, &mut done, &mut journal));
            let worker = async || {
                let mut first = true; // a clock that is off must not end in renewing for ever
                while std::mem::take(&mut first) || fresh() {
                    let next = shared.borrow_mut().0.pop_front();
                    let Some(account) = next else {
                        break;
                    };
                    let report = run.account(account, &plain, &control, &footing).await;
                    let (_, done, journal) = &mut *shared.borrow_mut();
                    if let Some(journal) = journal {
                        let _ = journal.add(&report); // an account not noted is probed again after a cut
                    }
                    done.push(report);
                    progress(Progress {
                        done: done.len(),
                        total,
                    });
                }
            };
            const { assert!(AT_ONCE == 4) };
            tokio::join!(worker(), worker(), worker(), worker());
        }

        done.sort_by_key(|account| {
            plan.accounts
                .iter()
                .position(|planned| planned.id == account.id)
        });
        if let Some(state) = self.state {
            mark(state, &done, ground)
                .map_err(|error| error.fault("the verdicts could not be recorded"))?;
        }
        if let Some(journal) = journal {
            journal.finish();
        }
        Ok(Report {
            schema: SCHEMA,
            ground,
            at,
            auth_account: self.auth.account,
            user,
            access_key: self.key.id.short(),
            detours: aws::detours(self.auth),
            control_missing: footing.control.err(),
            quarantine: footing.quarantine,
            key,
            accounts: done,
            left_out: plan.left_out.clone(),
            not_tried: NOT_TRIED.to_vec(),
        })
    }

    fn is_old(&self, expires: Timestamp) -> bool {
        expires.duration_since((self.now)()) < MARGIN
    }

    /// Whose key it is. `None` where even that was refused, which AWS does to nobody.
    ///
    /// Fails where the key is not accepted at all, or AWS cannot be asked: that looks closed and proves nothing.
    async fn caller(&self) -> Result<Option<UserName>, Fault> {
        let caller = match self.aws.caller_identity(Signer::Key(self.key)).await {
            Ok(caller) => caller,
            Err(failure) if matches!(failure.kind, Kind::Denied | Kind::IdentityDeny) => {
                return Ok(None);
            }
            Err(failure) => return Err(failure.fault(Doing::Asking)),
        };
        if caller.account != self.auth.account {
            return Err(
                Fault::new(Exit::Usage, "the access key belongs to another account")
                    .because(format!(
                        "it is of {}, and the config's auth account is {}",
                        caller.account, self.auth.account
                    ))
                    .fix("sekisho key status"),
            );
        }
        caller.user.map(Some).ok_or_else(unnamed)
    }

    /// The positive control's session; asks until a code is taken or nobody gives one.
    async fn control(
        &self,
        code: &mut impl AsyncFnMut(Option<&Fault>) -> Option<(MfaSerial, MfaCode)>,
    ) -> Result<Credentials, String> {
        let mut fault = None;
        while let Some((serial, digits)) = code(fault.as_ref()).await {
            match self
                .aws
                .session_token(self.key, &serial, &digits, CONTROL)
                .await
            {
                Ok(session) => return Ok(session),
                Err(failure) if matches!(failure.kind, Kind::Code | Kind::Device) => {
                    fault = Some(failure.fault(Doing::SigningIn));
                }
                Err(failure) => return Err(outcome(&failure).to_string()),
            }
        }
        Err(fault.map_or_else(|| "no code was given".into(), |fault| fault.what))
    }

    /// The journal, and the accounts that need not be probed again: those that stood, with the same roles.
    fn resume(
        &self,
        plan: &Plan,
        ground: Ground,
    ) -> Result<(Option<Journal>, Vec<AccountReport>), Fault> {
        let Some(state) = self.state else {
            return Ok((None, Vec::new()));
        };
        let opened = Journal::open(state, self.auth, self.key, (self.now)())
            .map_err(|error| error.fault("the journal of verify cannot be used"))?;
        let Some((journal, finished)) = opened else {
            return Err(Fault::new(Exit::Fault, "another sekisho verify is running")
                .because("it holds the journal")
                .fix("wait for it, or end it"));
        };
        let mut done: Vec<AccountReport> = Vec::new();
        for account in finished {
            let planned = plan.accounts.iter().any(|planned| {
                let roles = planned.targets.iter().map(|target| &target.role);
                planned.id == account.id && roles.eq(account.roles.iter().map(|role| &role.role))
            });
            let known = done.iter().any(|had| had.id == account.id);
            if planned && !known && account.verdict(ground).stands() {
                done.push(account);
            }
        }
        Ok((Some(journal), done))
    }
}

fn judge_user(probes: Vec<(Guardrail, Probe)>, device: &Device, footing: &Footing) -> Vec<Finding> {
    let mut findings: Vec<_> = CALLS
        .iter()
        .map(|(guardrail, _)| {
            let own = probes.iter().filter(|(of, _)| of == guardrail);
            judge_calls(
                *guardrail,
                own.map(|(_, probe)| probe.clone()).collect(),
                footing,
            )
        })
        .collect();
    findings.push(judge_device(device, footing));
    findings
}

/// Whether STS names the policies of this user: `GetFederationToken` is never allowed here, and never a role's matter.
fn names_policies(probes: &[(Guardrail, Probe)]) -> bool {
    probes.iter().any(|(guardrail, probe)| {
        *guardrail == Guardrail::Federation
            && probe
                .outcome
                .cause()
                .is_some_and(|cause| *cause != Cause::Unnamed)
    })
}

fn quarantine(probes: &[(Guardrail, Probe)], plain: &PlainSession) -> Option<Quarantine> {
    let refused = match plain {
        PlainSession::Refused(outcome) => outcome.cause(),
        PlainSession::Made(_) | PlainSession::Undecided(_) => None,
    };
    let causes = probes.iter().filter_map(|(_, probe)| probe.outcome.cause());
    if causes.chain(refused).any(Cause::is_quarantine) {
        return Some(Quarantine::Named);
    }
    matches!(refused, Some(Cause::ExplicitDeny { policy: None, .. }))
        .then_some(Quarantine::Suspected)
}

fn unnamed() -> Fault {
    Fault::new(Exit::Usage, "the access key is no IAM user's")
        .because("it is the root user's, or a session was given for a key")
        .fix("use the key of an IAM user of the auth account: sekisho key add")
}
