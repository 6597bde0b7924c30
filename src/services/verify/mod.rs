//! Proves that the key alone opens nothing, from the developer's own machine.
//!
//! The same calls are made by the bare key, by a session made without a code, and by one made with a code (the
//! positive control). Every role is entered with a session policy that denies everything; the control's may read
//! trust policies, and list the account's own users and their keys. What that proves is judged by `domain::verdict`.

pub mod drift;
pub mod evidence;
mod journal;
mod plan;
mod run;
mod sign_in;
pub mod text;
pub mod users;

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};

use crate::domain::config::Auth;
use crate::domain::fault::{Exit, Fault};
use crate::domain::ids::{AccountId, MfaSerial, SessionName, UserName};
use crate::domain::secret::{AccessKey, Credentials, MfaCode};
use crate::domain::trust::KnownAccounts;
use crate::domain::verdict::report::{AccountReport, NOT_TRIED, ProbeRecord, Report, SCHEMA};
use crate::domain::verdict::{
    Against, Cause, DeviceEvidence, Finding, Guardrail, Outcome, Probe, Quarantine, RunContext,
    Signed, judge_calls, judge_device,
};

use super::aws::{self, Aws, Call, Doing, FailureKind, Signer};
use super::store::files::Dir;
use super::store::vault::Vault;
use evidence::Evidence;
use journal::Journal;
use plan::PlannedAccount;
use run::{Log, Pace, PlainSession, Run, Sessions, outcome};

pub use journal::{mark, marks};
pub use plan::{Chosen, Plan};

/// How long the control's session lasts; a longer run asks for another code.
pub const CONTROL: Duration = Duration::from_hours(1);
/// How long findings of a run that was cut off are taken over.
const FINDINGS: SignedDuration = SignedDuration::from_hours(1);
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
    (Guardrail::Writes, &[Call::RunInstances, Call::CreateInternetGateway]),
    (Guardrail::Federation, &[Call::FederationToken]),
];

/// How far a run has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
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
    /// The accounts that trust policies may name.
    pub known: &'a KnownAccounts,
    /// SHA-256 of the config file, hexadecimal.
    pub config_sha256: Option<&'a str>,
    /// Where journal and record lie, and what seals the journal; `None` remembers nothing.
    pub state: Option<(&'a Dir, &'a Vault)>,
    /// The most calls a second.
    pub rate: u32,
    /// The time, UTC.
    pub now: &'a dyn Fn() -> Timestamp,
}

/// What is still to be probed, and what has been.
struct Work<'p> {
    queue: VecDeque<&'p PlannedAccount>,
    done: Vec<AccountReport>,
    journal: Option<Journal>,
    total: usize,
}

impl Verifier<'_> {
    /// Probes everything in the plan with a key that must open nothing, and judges.
    ///
    /// `code` asks for a code: first with no fault, then with the fault that the last one met. `None` goes on
    /// without a positive control, which proves nothing.
    pub async fn run(
        &self,
        key: &AccessKey,
        plan: &Plan,
        mut code: impl AsyncFnMut(Option<&Fault>) -> Option<(MfaSerial, MfaCode)>,
        progress: impl Fn(Progress),
    ) -> Result<Report, Fault> {
        let at = (self.now)();
        let user = self.caller(Signer::Key(key), "the access key", "sekisho key status").await?;
        let run = self.begin(user.as_ref())?;
        let log = Log::default();
        let sessions = Sessions {
            key,
            plain: run.plain_session(key, &log).await,
            control: match &user {
                Some(_) => self.control(key, &mut code, &log).await,
                None => Err("GetCallerIdentity was refused, which AWS never does".into()),
            },
        };
        let (probes, device) = Box::pin(run.user_probes(&sessions, user.as_ref(), &log)).await;
        let context = RunContext {
            against: self.against(),
            control: sessions.missing_control(),
            names_policies: names_policies(&probes),
            quarantine: quarantine(&probes, &sessions.plain),
            by: Signed::Key,
        };
        let findings = judge_user(&probes, &device, &context);
        let mut work = self.resume(key, plan, context.against)?;
        Box::pin(self.accounts(&run, &mut work, sessions, &context, &mut code, &progress)).await;
        let accounts = self.conclude(plan, work, context.against)?;
        Ok(Report {
            user,
            access_key: Some(key.id.short()),
            probes: log.into_records(),
            control_missing: context.control.err(),
            quarantine: context.quarantine,
            key: findings,
            accounts,
            not_tried: NOT_TRIED.map(Into::into).into(),
            ..self.report(at, plan)
        })
    }

    /// Who answers.
    fn against(&self) -> Against {
        match self.auth.endpoint_url {
            Some(_) => Against::Emulated,
            None if aws::detours(self.auth).is_empty() => Against::Aws,
            None => Against::Intercepted,
        }
    }

    /// A run in the name of a user.
    fn begin(&self, user: Option<&UserName>) -> Result<Run<'_>, Fault> {
        let name = user.or(self.auth.user.as_ref()).map(SessionName::of);
        Ok(Run {
            verifier: self,
            client: self.aws.raw(),
            pace: Pace::new(self.rate),
            session_name: match name {
                Some(name) => name,
                None => "sekisho-verify".parse().map_err(|_| unnamed())?,
            },
            hops: tokio::sync::Mutex::default(),
        })
    }

    /// A report in which nothing was tried.
    fn report(&self, at: Timestamp, plan: &Plan) -> Report {
        Report {
            schema: SCHEMA,
            against: self.against(),
            at,
            auth_account: self.auth.account,
            user: None,
            access_key: None,
            sign_in: None,
            detours: aws::detours(self.auth),
            version: env!("CARGO_PKG_VERSION").into(),
            endpoint: self.aws.sts_host(),
            config_sha256: self.config_sha256.map(Into::into),
            probes: Vec::new(),
            control_missing: None,
            quarantine: None,
            key: Vec::new(),
            accounts: Vec::new(),
            left_out: plan.left_out.clone(),
            not_tried: Vec::new(),
        }
    }

    /// Makes the last call, which carries the head of the evidence's chain into CloudTrail.
    pub async fn anchor(&self, signer: Signer<'_>, evidence: &mut Evidence) -> Result<(), Fault> {
        let mark = format!("evidence/{}", evidence.head());
        let client = self.aws.raw();
        let sent = client.leave_mark(signer, &mark);
        let (answer, request_id) = aws::with_request_id(sent).await;
        let outcome = answer.map_or_else(|failure| outcome(&failure), |()| Outcome::Allowed);
        evidence.anchor = Some(ProbeRecord {
            at: (self.now)(),
            by: match signer {
                Signer::Key(_) => Signed::Key,
                Signer::Session(_) => Signed::SignIn,
            },
            call: format!("sts:GetCallerIdentity User-Agent={mark}"),
            shows: "the hash of everything above was known to AWS at this time".into(),
            outcome,
            request_id,
        });
        Ok(())
    }

    /// Probes the accounts, four at a time, renewing sessions in between.
    async fn accounts(
        &self,
        run: &Run<'_>,
        work: &mut Work<'_>,
        mut sessions: Sessions<'_>,
        context: &RunContext,
        code: &mut impl AsyncFnMut(Option<&Fault>) -> Option<(MfaSerial, MfaCode)>,
        progress: &impl Fn(Progress),
    ) {
        progress(work.progress());
        while !work.queue.is_empty() {
            if self.is_old(sessions.plain.expires()) {
                sessions.plain = run.plain_session(sessions.key, &Log::default()).await;
            }
            if self.is_old(sessions.control_expires()) {
                sessions.control = self.control(sessions.key, code, &Log::default()).await;
            }
            let context = RunContext { control: sessions.missing_control(), ..context.clone() };
            let shared = RefCell::new(&mut *work);
            let worker = async || {
                let mut first = true; // a clock that is off must not end in renewing for ever
                while std::mem::take(&mut first)
                    || !self.is_old(sessions.plain.expires())
                        && !self.is_old(sessions.control_expires())
                {
                    let next = shared.borrow_mut().queue.pop_front();
                    let Some(account) = next else {
                        break;
                    };
                    let report = Box::pin(run.account(account, &sessions, &context)).await;
                    shared.borrow_mut().finish(report, context.control.is_ok());
                    progress(shared.borrow().progress());
                }
            };
            tokio::join!(worker(), worker(), worker(), worker());
        }
    }

    /// Records the verdicts; the accounts come back in the plan's order.
    fn conclude(
        &self,
        plan: &Plan,
        work: Work<'_>,
        against: Against,
    ) -> Result<Vec<AccountReport>, Fault> {
        let mut accounts = work.done;
        let place = |id| plan.accounts.iter().position(|planned| planned.id == id);
        accounts.sort_by_cached_key(|account| place(account.id));
        self.mark(&accounts, against)?;
        if let Some(journal) = work.journal {
            journal.finish();
        }
        Ok(accounts)
    }

    /// Remembers the accounts' verdicts.
    fn mark(&self, accounts: &[AccountReport], against: Against) -> Result<(), Fault> {
        let Some((state, _)) = self.state.filter(|_| !accounts.is_empty()) else { return Ok(()) };
        mark(state, accounts, against)
            .map_err(|error| error.fault("the verdicts could not be recorded"))
    }

    /// Whether a session has so little life left that it must be renewed.
    fn is_old(&self, expires: Option<Timestamp>) -> bool {
        expires.is_some_and(|expires| expires.duration_since((self.now)()) < MARGIN)
    }

    /// Whose key or sign-in it is. `None` where even that was refused, which AWS does to nobody.
    ///
    /// Fails where it is not accepted at all, or AWS cannot be asked: that looks closed and proves nothing.
    async fn caller(
        &self,
        signer: Signer<'_>,
        what: &str,
        fix: &str,
    ) -> Result<Option<UserName>, Fault> {
        let caller = match self.aws.caller_identity(signer).await {
            Ok(caller) => caller,
            Err(failure)
                if matches!(failure.kind, FailureKind::Denied | FailureKind::IdentityDeny) =>
            {
                return Ok(None);
            }
            Err(failure) => return Err(failure.fault(Doing::Asking)),
        };
        if caller.account != self.auth.account {
            return Err(Fault::new(Exit::Usage, format!("{what} belongs to another account"))
                .because(format!(
                    "it belongs to {}, and the config's auth account is {}",
                    caller.account, self.auth.account
                ))
                .fix(fix));
        }
        caller.user.map(Some).ok_or_else(unnamed)
    }

    /// The positive control's session; asks until a code is taken or nobody gives one.
    async fn control(
        &self,
        key: &AccessKey,
        code: &mut impl AsyncFnMut(Option<&Fault>) -> Option<(MfaSerial, MfaCode)>,
        log: &Log,
    ) -> Result<Credentials, String> {
        let mut fault = None;
        while let Some((serial, digits)) = code(fault.as_ref()).await {
            let sent = async {
                let sent = self.aws.session_token(key, &serial, &digits, CONTROL);
                sent.await?.checked((self.now)())
            };
            let (answer, request_id) = aws::with_request_id(Box::pin(sent)).await;
            let seen = answer.as_ref().map_or_else(outcome, |_| Outcome::Allowed);
            let call = format!(
                "sts:GetSessionToken DurationSeconds=3600 SerialNumber={serial} TokenCode=…"
            );
            log.add((self.now)(), Signed::SessionWithMfa, &call, seen, request_id);
            match answer {
                Ok(session) => return Ok(session),
                Err(failure) if matches!(failure.kind, FailureKind::Code | FailureKind::Device) => {
                    fault = Some(failure.fault(Doing::SigningIn));
                }
                Err(failure) => return Err(outcome(&failure).to_string()),
            }
        }
        Err(fault.map_or_else(|| "no code was given".into(), |fault| fault.what))
    }

    /// What is to be done: everything but what a run that was cut off had finished. Accounts with findings are
    /// taken over for an hour only, since somebody may have acted on them.
    fn resume<'p>(
        &self,
        key: &AccessKey,
        plan: &'p Plan,
        against: Against,
    ) -> Result<Work<'p>, Fault> {
        let (journal, finished) = match self.state {
            None => (None, Vec::new()),
            Some((state, vault)) => {
                let opened = Journal::open(state, vault, self.auth, key, (self.now)())
                    .map_err(|error| error.fault("the journal of verify cannot be used"))?;
                let (journal, finished) = opened.ok_or_else(|| {
                    Fault::new(Exit::Fault, "another sekisho verify is running")
                        .because("it holds the journal")
                        .fix("wait for it, or end it")
                })?;
                (Some(journal), finished)
            }
        };
        let mut finished: HashMap<AccountId, AccountReport> = finished
            .into_iter()
            .filter(|account| {
                account.verdict(against).stands()
                    || (self.now)().duration_since(account.at) < FINDINGS
            })
            .map(|account| (account.id, account))
            .collect();
        let mut work =
            Work { queue: VecDeque::new(), done: Vec::new(), journal, total: plan.accounts.len() };
        for planned in &plan.accounts {
            let roles = planned.targets.iter().map(|target| &target.role);
            match finished.remove(&planned.id) {
                Some(account) if roles.eq(account.roles.iter().map(|role| &role.role)) => {
                    work.done.push(account);
                }
                _ => work.queue.push_back(planned),
            }
        }
        Ok(work)
    }
}

impl Work<'_> {
    fn progress(&self) -> Progress {
        Progress { done: self.done.len(), total: self.total }
    }

    fn finish(&mut self, report: AccountReport, with_control: bool) {
        // What was seen without a positive control is not worth going on from.
        if let Some(journal) = self.journal.as_mut().filter(|_| with_control) {
            let _ = journal.add(&report); // an account not noted is only probed again after a cut
        }
        self.done.push(report);
    }
}

fn judge_user(
    probes: &[(Guardrail, Probe)],
    device: &DeviceEvidence,
    run: &RunContext,
) -> Vec<Finding> {
    let mut findings: Vec<_> = CALLS
        .iter()
        .map(|(guardrail, _)| {
            let own = probes.iter().filter(|(of, _)| of == guardrail);
            judge_calls(*guardrail, own.map(|(_, probe)| probe.clone()).collect(), run)
        })
        .collect();
    findings.push(judge_device(device, run));
    findings
}

/// Whether STS names the policies of this user: `GetFederationToken` is never allowed here, and never a role's matter.
fn names_policies(probes: &[(Guardrail, Probe)]) -> bool {
    probes.iter().any(|(guardrail, probe)| {
        *guardrail == Guardrail::Federation
            && probe.outcome.cause().is_some_and(|cause| *cause != Cause::Unnamed)
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

/// SHA-256 of a document, hexadecimal.
pub fn sha256_hex(document: &[u8]) -> String {
    hex::encode(Sha256::digest(document))
}

fn unnamed() -> Fault {
    Fault::new(Exit::Usage, "the access key does not belong to an IAM user")
        .because("it is the root user's, or a session was given for a key")
        .fix("use the key of an IAM user of the auth account: sekisho key add")
}
