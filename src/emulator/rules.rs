//! Authorisation: evaluates every policy that applies to a request.
//!
//! Order of the checks: the IAM User Guide's "Policy evaluation logic". Texts: `docs/aws-facts.md` §3. Where AWS names one of several denials, so does this.

use super::caller::Caller;
use super::error::AwsError;
use super::organization::{Account, ControlKind, DirectMfa, Policy, Role};
use super::pattern::Keys;
use super::policy::{PolicyDecision, PolicyRequest};
use super::state::{Holder, State};

/// What the caller wants to do.
#[derive(Debug)]
pub(super) struct RequestedAction<'a> {
    pub action: &'a str,
    pub resource: &'a str,
    pub grant: Grant<'a>,
    /// Keys that only this request has.
    pub keys: Keys,
    /// Whether the request carries a code of its own, just accepted.
    pub code_passed: bool,
}

/// The policies that have to allow it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Grant<'a> {
    /// None, but a deny in any still counts.
    Nobody,
    /// An identity policy of the caller.
    Identity,
    /// An identity policy and the role's trust; within an account, trust by name is enough.
    Trust(&'a Role),
    /// The same for a role that does not exist.
    NoSuchRole,
}

/// The decisions of every kind of policy on one request.
struct Evaluation {
    own: PolicyDecisions,
    /// Absent where the session has no session policy.
    session: Option<PolicyDecisions>,
    service_control: PolicyDecisions,
    resource_control: PolicyDecisions,
    trust: PolicyDecision,
    /// The resource is in the caller's own account.
    same_account: bool,
}

impl State {
    /// Whether the policies together allow the request.
    pub(super) fn authorise(
        &mut self,
        caller: &Caller,
        requested: &RequestedAction,
    ) -> Result<(), AwsError> {
        if let Holder::Root = caller.holder {
            return Ok(());
        }
        let evaluation = self.evaluate(caller, requested);
        let verdict = evaluation.verdict(requested).map_err(|suffix| {
            let (arn, RequestedAction { action, resource, .. }) =
                (caller.arn(&self.organization), requested);
            AwsError::denied(format!(
                "User: {arn} is not authorized to perform: {action} on resource: {resource}{suffix}"
            ))
        });
        self.unknown.append(&mut evaluation.unknown());
        verdict
    }

    fn evaluate(&self, caller: &Caller, requested: &RequestedAction) -> Evaluation {
        let organization = &self.organization;
        let caller_account = caller.account(organization);
        let resource_account = requested
            .resource
            .split(':')
            .nth(4)
            .filter(|id| !id.is_empty())
            .unwrap_or(&caller_account);
        let (own_keys, role_keys) = self.request_keys(caller, requested, resource_account);
        let arns = caller.arns(organization);
        let request = |keys| PolicyRequest {
            action: requested.action,
            resource: requested.resource,
            keys,
            arns: &arns,
            account: &caller_account,
        };
        // Neither kind of control policy applies to the management account.
        let bound = |id: &str, pick: fn(&Account) -> &Vec<Policy>, kind| {
            let account = organization.find_account(id).filter(|_| id != organization.management);
            let shared = account.map(|account| organization.controls(account, kind));
            account.map(pick).into_iter().flatten().chain(shared.into_iter().flatten())
        };
        let narrowed = caller.session.as_ref().and_then(|session| session.policies.as_ref());
        // Of the services here, resource control policies support STS (roles) and S3.
        let controlled = requested.action.starts_with("s3:") || requested.grant.is_role();
        let resource_control =
            bound(resource_account, |account| &account.rcps, ControlKind::Resource)
                .filter(|_| controlled);
        Evaluation {
            own: PolicyDecisions::of(caller.policies(organization), &request(&own_keys)),
            session: narrowed
                .map(|policies| PolicyDecisions::of(policies.iter(), &request(&own_keys))),
            service_control: PolicyDecisions::of(
                bound(&caller_account, |account| &account.scps, ControlKind::Service),
                &request(&own_keys),
            ),
            resource_control: PolicyDecisions::of(resource_control, &request(&role_keys)),
            trust: match requested.grant {
                Grant::Trust(role) => role.trust.decision(&request(&role_keys)),
                _ => PolicyDecision::default(),
            },
            same_account: caller_account == resource_account,
        }
    }

    /// The condition keys as the caller's side sees them, and as the role's side does.
    fn request_keys(
        &self,
        caller: &Caller,
        requested: &RequestedAction,
        resource_account: &str,
    ) -> (Keys, Keys) {
        let organization = &self.organization;
        let now = self.now();
        let mut keys = requested.keys.clone();
        let mut set = |key: &str, value: String| keys.insert(key.to_owned(), vec![value]);
        set("aws:currenttime", now.to_string());
        set("aws:epochtime", now.as_second().to_string());
        set("aws:requestedregion", caller.region.clone());
        set("aws:securetransport", "true".into());
        set("aws:viaawsservice", "false".into());
        set("aws:principalisawsservice", "false".into());
        set("aws:principalarn", caller.principal_arn(organization));
        set("aws:principalaccount", caller.account(organization));
        set("aws:principalorgid", organization.id.clone());
        set("aws:principaltype", caller.kind().into());
        set("aws:userid", caller.user_id(organization));
        set("aws:resourceaccount", resource_account.to_owned());
        if organization.find_account(resource_account).is_some() {
            set("aws:resourceorgid", organization.id.clone());
        }
        let (mut tags, mut more): (&[(String, String)], &[_]) = (&[], &[]);
        match &caller.holder {
            Holder::User(name) => {
                set("aws:username", name.clone());
                tags = organization.find_user(name).map_or(tags, |user| &user.tags);
            }
            Holder::Role(session) => {
                (tags, more) = (&session.tags.others, &session.tags.transitive);
                if let Some(identity) = &session.source_identity {
                    set("aws:sourceidentity", identity.clone());
                }
            }
            Holder::Root | Holder::Federated { .. } => {}
        }
        for (key, value) in tags.iter().chain(more) {
            set(&format!("aws:principaltag/{}", key.to_ascii_lowercase()), value.clone());
        }
        if let Some(session) = &caller.session {
            set("aws:tokenissuetime", session.issued.to_string());
            if caller.is_user_session() {
                set("aws:multifactorauthpresent", session.mfa.is_some().to_string());
            }
        }
        if let Some(at) = caller.mfa() {
            set("aws:multifactorauthage", now.duration_since(at).as_secs().to_string());
        }
        let mut fresh = keys.clone();
        if requested.code_passed {
            fresh.insert("aws:multifactorauthpresent".into(), vec!["true".into()]);
            fresh.insert("aws:multifactorauthage".into(), vec!["0".into()]);
        }
        match organization.quirks.direct_mfa {
            DirectMfa::Everywhere => (fresh.clone(), fresh),
            DirectMfa::RoleOnly => (keys, fresh),
        }
    }
}

impl Evaluation {
    /// An error is the end of AWS's message, which names one kind of policy even where several deny.
    fn verdict(&self, requested: &RequestedAction) -> Result<(), String> {
        let denials = [
            (Some(&self.own), "an identity-based policy"),
            (self.session.as_ref(), "a session policy"),
            (Some(&self.service_control), "a service control policy"),
            (Some(&self.resource_control), "a resource control policy"),
        ];
        for (decisions, kind) in denials {
            if let Some(Denial(arn)) = decisions.and_then(|decisions| decisions.denial.as_ref()) {
                let arn = arn.as_ref().map_or_else(String::new, |arn| format!(": {arn}"));
                return Err(format!(" with an explicit deny in {kind}{arn}"));
            }
        }
        let allows = |decisions: &PolicyDecisions, kind: &str| {
            let missing =
                || format!(" because no {kind} policy allows the {} action", requested.action);
            decisions.allows.then_some(()).ok_or_else(missing)
        };
        let by_name = self.same_account && self.trust.by_name;
        if !matches!(requested.grant, Grant::Nobody) && !by_name {
            allows(&self.own, "identity-based")?;
            self.session.as_ref().map_or(Ok(()), |session| allows(session, "session"))?;
        }
        if requested.grant.is_role() && (self.trust.denies || !self.trust.allows) {
            // To a stranger AWS reports neither the reason nor whether the role exists.
            return Err(String::new());
        }
        Ok(())
    }

    /// The policy elements that the emulator does not know, in any of them.
    fn unknown(self) -> Vec<String> {
        let session = self.session.unwrap_or_default();
        let controls = [self.service_control.unknown, self.resource_control.unknown].concat();
        [self.own.unknown, session.unknown, controls, self.trust.unknown].concat()
    }
}

impl Grant<'_> {
    /// Whether a role is assumed.
    fn is_role(self) -> bool {
        matches!(self, Self::Trust(_) | Self::NoSuchRole)
    }
}

/// The ARN of a policy that denies, where it has one.
#[derive(Debug)]
struct Denial(Option<String>);

/// What several policies of one kind decide together.
#[derive(Debug, Default)]
struct PolicyDecisions {
    allows: bool,
    denial: Option<Denial>,
    unknown: Vec<String>,
}

impl PolicyDecisions {
    fn of<'a>(policies: impl Iterator<Item = &'a Policy>, request: &PolicyRequest) -> Self {
        let mut all = Self::default();
        for policy in policies {
            let mut decision = policy.document.decision(request);
            all.allows |= decision.allows;
            if decision.denies && all.denial.is_none() {
                all.denial = Some(Denial(policy.arn.clone()));
            }
            all.unknown.append(&mut decision.unknown);
        }
        all
    }
}
