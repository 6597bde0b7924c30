//! A run with a console sign-in in a key's place: every role is tried without a code first, as entering one does.
//!
//! One account after the other, since a code serves one call, and a person types it: it is asked for once an account, and
//! only where no role of it lets the sign-in in without.

use crate::domain::account::Target;
use crate::domain::fault::{Exit, Fault};
use crate::domain::ids::MfaSerial;
use crate::domain::secret::{Credentials, MfaCode};
use crate::domain::verdict::report::{
    AccountReport, NOT_TRIED_SIGNED_IN, Report, RoleReport, RoleTrust, SignIn,
};
use crate::domain::verdict::{
    DeviceEvidence, Finding, Hops, Outcome, RunContext, SignInEvidence, Signed, judge_back_doors,
    judge_doors, judge_local_users, judge_sign_in, judge_sign_in_device, judge_signed_out,
};
use crate::services::aws::{Doing, FailureKind, Signer, with_request_id};

use super::plan::PlannedAccount;
use super::run::{Log, ReadAccount, Run, assume_role, outcome};
use super::{Plan, Progress, Verifier};

/// A code, for a role that refused the sign-in without one.
type Code = Option<(MfaSerial, MfaCode)>;

/// The role whose session reads in an account.
struct Reader<'a> {
    target: &'a Target,
    session: Credentials,
}

impl Verifier<'_> {
    /// Probes everything in the plan with a console sign-in, and judges. `of` says whose sign-in it is.
    ///
    /// `keys` gives its keys; where it needs a person, nothing is tried, and the report says so. `code` asks for a code for a
    /// role, with the fault that the last one met; after the first `None` it is not asked again.
    pub async fn run_signed_in(
        &self,
        of: &str,
        plan: &Plan,
        mut keys: impl AsyncFnMut() -> Result<Credentials, Fault>,
        mut code: impl AsyncFnMut(Option<&Fault>, &Target) -> Code,
        progress: impl Fn(Progress),
    ) -> Result<Report, Fault> {
        let at = (self.now)();
        let mut current = match keys().await {
            Err(fault) if fault.exit != Exit::NeedsPerson => return Err(fault),
            current => current,
        };
        let context = RunContext {
            against: self.against(),
            control: Ok(()),
            names_policies: false,
            quarantine: None,
            by: Signed::SignIn,
        };
        let user = match &current {
            Ok(keys) => {
                let signer = Signer::Session(keys);
                self.caller(signer, "the console sign-in", "sekisho login").await?
            }
            Err(_) => None,
        };
        let run = self.begin(user.as_ref())?;
        let (mut accounts, mut tried) = (Vec::new(), Vec::new());
        let mut asking = Asking { code: &mut code, is_open: true, took_one: false };
        for (done, account) in plan.accounts.iter().enumerate() {
            progress(Progress { done, total: plan.accounts.len() });
            if let Ok(old) = &current
                && self.is_old(Some(old.expires))
            {
                current = keys().await;
            }
            match &current {
                Ok(keys) => {
                    let entered = run.account_signed_in(account, keys, &mut asking, &context);
                    let report = Box::pin(entered).await;
                    tried.push(report.clone());
                    accounts.push(report);
                }
                Err(fault) => accounts.push(self.signed_out(account, fault, &context)),
            }
        }
        let log = Log::default();
        let device = match (&current, &user, asking.took_one) {
            (_, _, true) => Some(DeviceEvidence::TookCode),
            (Ok(keys), Some(user), _) => {
                let signer = Signer::Session(keys);
                Some(run.devices(signer, Signed::SignIn, user, &log).await)
            }
            _ => None,
        };
        self.mark(&tried, context.against)?;
        let missing = current.err().map(|fault| fault.what);
        Ok(Report {
            user: user.or_else(|| self.auth.user.clone()),
            sign_in: Some(SignIn { of: of.to_owned(), missing }),
            probes: log.into_records(),
            key: device.iter().map(|device| judge_sign_in_device(device, &context)).collect(),
            accounts,
            not_tried: NOT_TRIED_SIGNED_IN.map(Into::into).into(),
            ..self.report(at, plan)
        })
    }

    /// An account that was not tried, since there were no keys.
    fn signed_out(
        &self,
        account: &PlannedAccount,
        fault: &Fault,
        context: &RunContext,
    ) -> AccountReport {
        let remedy = fault.fix.first().map_or("sekisho login", String::as_str);
        let why = || Outcome::undecided("nobody is signed in");
        let role = |target: &Target| RoleReport {
            role: target.role.clone(),
            findings: vec![judge_signed_out(&fault.what, remedy)],
        };
        // The remedy is that of the roles.
        let unknown = |finding: Finding| Finding { remedy: None, ..finding };
        AccountReport {
            name: account.name.clone(),
            id: account.id,
            at: (self.now)(),
            roles: account.targets.iter().map(role).collect(),
            back_doors: unknown(judge_back_doors(Err(why()), context)),
            other_doors: unknown(judge_doors(&[], &Err(why()), &Hops::new(), context)),
            local_users: unknown(judge_local_users(&Err(why()), context)),
            trust_policies: Vec::new(),
            probes: Vec::new(),
        }
    }
}

/// Who is asked for codes, until nobody gives one.
struct Asking<'a, C> {
    code: &'a mut C,
    is_open: bool,
    took_one: bool,
}

impl Run<'_> {
    /// Tries every planned role of an account, then reads what its roles trust, through one that was entered.
    async fn account_signed_in(
        &self,
        account: &PlannedAccount,
        keys: &Credentials,
        asking: &mut Asking<'_, impl AsyncFnMut(Option<&Fault>, &Target) -> Code>,
        context: &RunContext,
    ) -> AccountReport {
        let log = Log::default();
        let by = (Signer::Session(keys), Signed::SignIn);
        let mut tried: Vec<(&Target, Outcome, Option<Outcome>)> = Vec::new();
        for target in &account.targets {
            tried.push((target, self.enter(by.0, by.1, target, &log).await, None));
        }
        let mut reader = None;
        if let Some((target, ..)) = tried.iter().find(|(_, seen, _)| *seen == Outcome::Allowed) {
            let sent = async {
                let aws = self.verifier.aws;
                let sent = aws.reader(keys, target, &self.session_name, None);
                sent.await?.checked((self.verifier.now)())
            };
            let call = assume_role(&target.role, "read-only");
            let session = self.observe(&log, by.1, &call, sent).await;
            reader = session.ok().map(|session| Reader { target, session });
        } else if let Some((target, _, control)) =
            tried.iter_mut().find(|(_, seen, _)| seen.cause().is_some())
        {
            let answer = self.with_code(keys, target, asking, &log).await;
            *control = answer.as_ref().map(|answer| match answer {
                Ok(_) => Outcome::Allowed,
                Err(outcome) => outcome.clone(),
            });
            reader = answer.and_then(Result::ok).map(|session| Reader { target, session });
        }
        let read = self.read_through(account, reader.as_ref(), &log).await;
        let roles = tried.into_iter().map(|(target, entered, control)| {
            let trust = read.trust_policies.iter().find(|it| it.role == target.role.as_str());
            let unread = || match &read.listed {
                Err(why) => why.clone(),
                Ok(()) => Outcome::undecided("AWS does not list the role"),
            };
            let trust = trust.map(|it| it.policy.users.clone()).ok_or_else(unread);
            let role = target.role.clone();
            let seen = SignInEvidence { role: role.clone(), entered, control, trust };
            RoleReport { role, findings: judge_sign_in(&seen, context).into() }
        });
        let roles = roles.collect();
        Box::pin(self.conclude(account, roles, read, by, log, context)).await
    }

    async fn read_through(
        &self,
        account: &PlannedAccount,
        reader: Option<&Reader<'_>>,
        log: &Log,
    ) -> ReadAccount {
        let mut own: Vec<RoleTrust> = Vec::new();
        if let Some(Reader { target, session }) = reader {
            let sent = self.verifier.aws.trust_policy(session, target);
            let call = format!("iam:GetRole RoleName={}", target.role.name());
            let document = self.observe(log, Signed::Reader, &call, sent).await;
            own.extend(document.map(|text| self.read(target.role.as_str(), &text, account.id)));
        }
        let entered = reader.map(|reader| (&reader.session, &reader.target.role));
        Box::pin(self.read_account(account.id, entered, own, "no role was entered", log)).await
    }

    /// The positive control: the same call with a code. `None` where nobody gives one.
    async fn with_code(
        &self,
        keys: &Credentials,
        target: &Target,
        asking: &mut Asking<'_, impl AsyncFnMut(Option<&Fault>, &Target) -> Code>,
        log: &Log,
    ) -> Option<Result<Credentials, Outcome>> {
        let (aws, now) = (self.verifier.aws, self.verifier.now);
        let mut fault = None;
        while asking.is_open {
            let Some((serial, digits)) = (asking.code)(fault.as_ref(), target).await else {
                asking.is_open = false;
                break;
            };
            let sent = async {
                let code = Some((&serial, &digits));
                aws.reader(keys, target, &self.session_name, code).await?.checked(now())
            };
            let (answer, request_id) = with_request_id(Box::pin(sent)).await;
            let seen = answer.as_ref().map_or_else(outcome, |_| Outcome::Allowed);
            let role = assume_role(&target.role, "read-only");
            let call = format!("{role} SerialNumber={serial} TokenCode=…");
            log.add(now(), Signed::SignInWithCode, &call, seen, request_id);
            match answer {
                Ok(session) => {
                    asking.took_one = true;
                    return Some(Ok(session));
                }
                Err(failure) if matches!(failure.kind, FailureKind::Code | FailureKind::Device) => {
                    fault = Some(failure.fault(Doing::SigningIn));
                }
                Err(failure) => return Some(Err(outcome(&failure))),
            }
        }
        None
    }
}
