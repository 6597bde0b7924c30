//! The calls of a run: by the bare key, by a session without MFA, and by the positive control.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::domain::account::Target;
use crate::domain::ids::{AccountId, MfaSerial, RoleArn, SessionName, UserName};
use crate::domain::secret::{AccessKey, Credentials};
use crate::domain::text::sanitize;
use crate::domain::trust::{self, DoorKind};
use crate::domain::verdict::report::{
    AccountReport, LocalKey, LocalUser, ProbeRecord, RoleReport, RoleTrust,
};
use crate::domain::verdict::{
    Cause, DeviceEvidence, Guardrail, Hops, Outcome, Probe, RoleEvidence, RunContext, Signed,
    judge_back_doors, judge_doors, judge_local_users, judge_role,
};
use crate::services::aws::{Call, Failure, FailureKind, RawClient, Signer, with_request_id};

use super::{CALLS, PlannedAccount, Verifier, sha256_hex};

/// A run in progress: what every probe needs.
pub(super) struct Run<'a> {
    pub verifier: &'a Verifier<'a>,
    pub client: RawClient<'a>,
    pub pace: Pace,
    pub session_name: SessionName,
    /// Roles of the auth account that were tried without a code: many accounts trust the same one.
    pub hops: Mutex<Hops>,
}

/// The calls about one account, or about the user itself, in order.
#[derive(Default)]
pub(super) struct Log(RefCell<Vec<ProbeRecord>>);

impl Log {
    pub(super) fn add(
        &self,
        at: Timestamp,
        by: Signed,
        call: &str,
        outcome: Outcome,
        request_id: Option<String>,
    ) {
        self.0.borrow_mut().push(ProbeRecord {
            at,
            by,
            call: sanitize(call),
            shows: ProbeRecord::shows(by, &outcome).into(),
            outcome,
            request_id,
        });
    }

    pub(super) fn into_records(self) -> Vec<ProbeRecord> {
        self.0.into_inner()
    }
}

/// What probes are signed with.
pub(super) struct Sessions<'a> {
    pub key: &'a AccessKey,
    pub plain: PlainSession,
    /// The positive control's, or why there is none.
    pub control: Result<Credentials, String>,
}

/// What was read in an account.
pub(super) struct ReadAccount {
    pub trust_policies: Vec<RoleTrust>,
    /// Why these are not those of all its roles, if so.
    pub listed: Result<(), Outcome>,
    pub users: Result<Vec<LocalUser>, Outcome>,
}

/// The session that a bare key makes without a code.
pub(super) enum PlainSession {
    Made(Credentials),
    /// AWS refuses to make one: nobody has any.
    Refused(Outcome),
    Undecided(Outcome),
}

impl Run<'_> {
    /// Makes a call when its turn comes, and notes what came back.
    pub(super) async fn observe<T>(
        &self,
        log: &Log,
        by: Signed,
        call: &str,
        sent: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Outcome> {
        self.pace.turn().await;
        let (answer, request_id) = with_request_id(Box::pin(sent)).await;
        let answer = answer.map_err(|failure| needs_mfa(by, call, outcome(&failure)));
        let outcome = answer.as_ref().map_or_else(Clone::clone, |_| Outcome::Allowed);
        log.add((self.verifier.now)(), by, call, outcome, request_id);
        answer
    }

    /// What a thief makes of the key without a code.
    pub(super) async fn plain_session(&self, key: &AccessKey, log: &Log) -> PlainSession {
        let sent = async {
            let sent = self.verifier.aws.session_without_mfa(key);
            sent.await?.checked((self.verifier.now)())
        };
        let call = "sts:GetSessionToken DurationSeconds=900";
        match self.observe(log, Signed::Key, call, sent).await {
            Ok(session) => PlainSession::Made(session),
            Err(refused @ Outcome::Denied { .. }) => PlainSession::Refused(refused),
            Err(other) => PlainSession::Undecided(other),
        }
    }

    /// The calls of the user itself, by the bare key and by a session without MFA.
    pub(super) async fn user_probes(
        &self,
        sessions: &Sessions<'_>,
        user: Option<&UserName>,
        log: &Log,
    ) -> (Vec<(Guardrail, Probe)>, DeviceEvidence) {
        let mut probes = Vec::new();
        for (guardrail, calls) in CALLS {
            for call in calls {
                let key = Signer::Key(sessions.key);
                let outcome = self.call(key, Signed::Key, *call, log).await;
                probes.push((guardrail, probe(Signed::Key, call.action(), outcome)));
            }
            let by = Signed::SessionWithoutMfa;
            match &sessions.plain {
                // STS takes no session there, whatever the policies say.
                _ if guardrail == Guardrail::Federation => {}
                PlainSession::Made(session) => {
                    for call in calls {
                        let outcome = self.call(Signer::Session(session), by, *call, log).await;
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
            (Err(_), Some(user)) => {
                self.devices(Signer::Key(sessions.key), Signed::Key, user, log).await
            }
        };
        (probes, device)
    }

    async fn call(&self, signer: Signer<'_>, by: Signed, call: Call, log: &Log) -> Outcome {
        let sent = self.client.probe(signer, call);
        let answer = self.observe(log, by, call.action(), sent).await;
        answer.map_or_else(|outcome| outcome, |()| Outcome::Allowed)
    }

    pub(super) async fn devices(
        &self,
        signer: Signer<'_>,
        by: Signed,
        user: &UserName,
        log: &Log,
    ) -> DeviceEvidence {
        let sent = self.verifier.aws.mfa_devices(signer, user);
        let call = format!("iam:ListMFADevices UserName={user}");
        match self.observe(log, by, &call, sent).await {
            Ok(serials) => DeviceEvidence::Listed {
                all: serials.len(),
                codes: serials.iter().filter(|serial| serial.parse::<MfaSerial>().is_ok()).count(),
            },
            Err(outcome) => DeviceEvidence::Unknown(outcome),
        }
    }

    /// Tries every planned role of an account, then reads all its roles' trust policies and its users' keys.
    pub(super) async fn account(
        &self,
        account: &PlannedAccount,
        sessions: &Sessions<'_>,
        context: &RunContext,
    ) -> AccountReport {
        let log = Log::default();
        let mut roles = Vec::new();
        let mut entered = None;
        let mut read = Vec::new();
        for target in &account.targets {
            let (seen, session, document) = Box::pin(self.role(target, sessions, &log)).await;
            entered = entered.or(session.map(|session| (session, &target.role)));
            read.extend(document);
            roles.push(RoleReport {
                role: target.role.clone(),
                findings: judge_role(&seen, context).into(),
            });
        }
        let entered = entered.as_ref().map(|(session, role)| (session, *role));
        let why = "no role was entered with a code";
        let read = Box::pin(self.read_account(account.id, entered, read, why, &log)).await;
        let by = (Signer::Key(sessions.key), Signed::Key);
        Box::pin(self.conclude(account, roles, read, by, log, context)).await
    }

    /// Reads what an account's roles trust and which keys its users have, with the session of one of its roles. `own` are
    /// trust policies that were read already, `why` says why there is no session.
    pub(super) async fn read_account(
        &self,
        id: AccountId,
        entered: Option<(&Credentials, &RoleArn)>,
        own: Vec<RoleTrust>,
        why: &str,
        log: &Log,
    ) -> ReadAccount {
        let Some((session, role)) = entered else {
            let why = || Outcome::undecided(why);
            return ReadAccount { trust_policies: own, listed: Err(why()), users: Err(why()) };
        };
        let (trust_policies, listed) = match self.all_roles(id, session, role, log).await {
            Ok(all) => (all, Ok(())),
            Err(why) => (own, Err(why)),
        };
        let users = self.local_users(session, log).await;
        ReadAccount { trust_policies, listed, users }
    }

    /// Tries the roles of the auth account that these trust, by whoever has no code, and judges what the account lets in.
    pub(super) async fn conclude(
        &self,
        account: &PlannedAccount,
        roles: Vec<RoleReport>,
        read: ReadAccount,
        by: (Signer<'_>, Signed),
        log: Log,
        context: &RunContext,
    ) -> AccountReport {
        let ReadAccount { trust_policies, listed, users } = read;
        let planned = |arn: &str| account.targets.iter().any(|target| target.role.as_str() == arn);
        let others = listed.as_ref().map_err(Clone::clone).map(|()| {
            let others = trust_policies.iter().filter(|role| !planned(&role.role));
            others.map(|role| (role.role.clone(), role.policy.users.clone())).collect()
        });
        let hops = match account.targets.first() {
            Some(target) => Box::pin(self.try_hops(&trust_policies, target, by, &log)).await,
            None => Hops::new(),
        };
        AccountReport {
            name: account.name.clone(),
            id: account.id,
            at: (self.verifier.now)(),
            roles,
            back_doors: judge_back_doors(others, context),
            other_doors: judge_doors(&trust_policies, &listed, &hops, context),
            local_users: judge_local_users(&users, context),
            trust_policies,
            probes: log.into_records(),
        }
    }

    /// Tries one role in all three ways; the control's session comes back for reading on, and the trust policy.
    async fn role(
        &self,
        target: &Target,
        sessions: &Sessions<'_>,
        log: &Log,
    ) -> (RoleEvidence, Option<Credentials>, Option<RoleTrust>) {
        let key = self.enter(Signer::Key(sessions.key), Signed::Key, target, log).await;
        let session = match &sessions.plain {
            PlainSession::Made(session) => {
                let by = Signed::SessionWithoutMfa;
                Some(self.enter(Signer::Session(session), by, target, log).await)
            }
            PlainSession::Refused(_) => None,
            PlainSession::Undecided(outcome) => Some(outcome.clone()),
        };
        let entered = match &sessions.control {
            Ok(session) => {
                let sent = async {
                    let sent = self.verifier.aws.reader(session, target, &self.session_name, None);
                    sent.await?.checked((self.verifier.now)())
                };
                let call = assume_role(&target.role, "read-only");
                self.observe(log, Signed::SessionWithMfa, &call, sent).await
            }
            Err(why) => Err(Outcome::undecided(why)),
        };
        let document = match &entered {
            Ok(session) => {
                let sent = self.verifier.aws.trust_policy(session, target);
                let call = format!("iam:GetRole RoleName={}", target.role.name());
                let document = self.observe(log, Signed::Reader, &call, sent).await;
                document.map(|document| self.read(target.role.as_str(), &document, target.id))
            }
            Err(_) => Err(Outcome::undecided("the role was not entered with a code")),
        };
        let (control, reader) = match entered {
            Ok(session) => (Outcome::Allowed, Some(session)),
            Err(outcome) => (outcome, None),
        };
        let trust = document.as_ref().map_err(Clone::clone).map(|read| read.policy.users.clone());
        let seen = RoleEvidence { role: target.role.clone(), key, session, control, trust };
        (seen, reader, document.ok())
    }

    pub(super) async fn enter(
        &self,
        signer: Signer<'_>,
        by: Signed,
        target: &Target,
        log: &Log,
    ) -> Outcome {
        let sent = self.verifier.aws.try_role(signer, target, &self.session_name);
        let call = assume_role(&target.role, "deny-all");
        let entered = self.observe(log, by, &call, sent).await;
        entered.map_or_else(|outcome| outcome, |()| Outcome::Allowed)
    }

    pub(super) fn read(&self, role: &str, document: &str, account: AccountId) -> RoleTrust {
        RoleTrust {
            role: sanitize(role),
            sha256: sha256_hex(document.as_bytes()),
            policy: trust::read(document, account, self.verifier.known),
        }
    }

    /// The trust policies of all roles of the account that a session is in.
    ///
    /// A list that lacks the very role that asked for it is no list of all roles.
    async fn all_roles(
        &self,
        account: AccountId,
        session: &Credentials,
        own: &RoleArn,
        log: &Log,
    ) -> Result<Vec<RoleTrust>, Outcome> {
        let sent = self.verifier.aws.trust_policies(session);
        let roles = self.observe(log, Signed::Reader, "iam:ListRoles", sent).await?;
        if !roles.iter().any(|(arn, _)| arn == own.as_str()) {
            return Err(Outcome::undecided(&format!(
                "AWS's list of {} roles does not contain {own}, the role that asked for it",
                roles.len()
            )));
        }
        Ok(roles.iter().map(|(arn, document)| self.read(arn, document, account)).collect())
    }

    /// The IAM users of the account that a session is in, and their keys.
    async fn local_users(
        &self,
        session: &Credentials,
        log: &Log,
    ) -> Result<Vec<LocalUser>, Outcome> {
        let (aws, signer, by) = (self.verifier.aws, Signer::Session(session), Signed::Reader);
        let names = self.observe(log, by, "iam:ListUsers", aws.user_names(signer)).await?;
        let mut users = Vec::new();
        for name in names {
            let call = format!("iam:ListAccessKeys UserName={name}");
            let listed = aws.list_access_keys(signer, Some(&name));
            let mut keys = Vec::new();
            for key in self.observe(log, by, &call, listed).await? {
                let call = format!("iam:GetAccessKeyLastUsed AccessKeyId={}", key.id.short());
                // When it was used is worth knowing, but not worth failing for.
                let used = self.observe(log, by, &call, aws.last_use(signer, &key.id)).await;
                let used = used.ok().flatten();
                keys.push(LocalKey {
                    access_key: key.id.short(),
                    active: key.active,
                    age_days: (self.verifier.now)().duration_since(key.created).as_hours() / 24,
                    last_used: used.as_ref().map(|used| used.at),
                    last_service: used.map(|used| used.service),
                });
            }
            users.push(LocalUser { user: sanitize(&name), keys });
        }
        Ok(users)
    }

    /// Tries, without a code, the roles of the auth account that these roles trust by name.
    async fn try_hops(
        &self,
        roles: &[RoleTrust],
        like: &Target,
        (signer, by): (Signer<'_>, Signed),
        log: &Log,
    ) -> Hops {
        let doors = roles.iter().flat_map(|role| &role.policy.doors);
        let mut tried = Hops::new();
        for door in doors.filter(|door| door.kind == DoorKind::AuthRole) {
            let Ok(role) = door.principal.parse::<RoleArn>() else {
                continue;
            };
            let mut hops = self.hops.lock().await;
            let outcome = if let Some(outcome) = hops.get(&door.principal) {
                outcome.clone()
            } else {
                let target = Target { role, ..like.clone() };
                let outcome = self.enter(signer, by, &target, log).await;
                hops.insert(door.principal.clone(), outcome.clone());
                outcome
            };
            tried.insert(door.principal.clone(), outcome);
        }
        tried
    }
}

/// The call by which roles are entered, as evidence has it.
pub(super) fn assume_role(role: &RoleArn, policy: &str) -> String {
    format!("sts:AssumeRole RoleArn={role} DurationSeconds=900 Policy={policy}")
}

impl Sessions<'_> {
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
fn needs_mfa(by: Signed, call: &str, outcome: Outcome) -> Outcome {
    let iam = by == Signed::SessionWithoutMfa && call.starts_with("iam:");
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
        (
            FailureKind::Busy
            | FailureKind::Unreachable
            | FailureKind::Garbled
            | FailureKind::Implausible,
            _,
        )
        | (_, None) => Outcome::undecided(&failure.message),
        (_, Some(code)) => Outcome::refused(code, &failure.message),
    }
}
