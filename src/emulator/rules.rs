//! Whether a caller may do something: all policies that bear on it, heard and weighed.
//!
//! Order of the checks: the IAM User Guide's "Policy evaluation logic". Texts: `docs/aws-facts.md` §3. Where AWS names one of several denials, so does this.

use super::caller::Caller;
use super::error::AwsError;
use super::organisation::{Account, DirectMfa, Policy, Role};
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
    /// The request carries a code of its own, just accepted.
    pub code_passed: bool,
}

/// What has to allow it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Grant<'a> {
    /// Nothing; a deny still refuses.
    Nobody,
    /// An identity policy.
    Identity,
    /// An identity policy and the role's trust; within an account, trust by name is enough.
    Trust(&'a Role),
    /// The same for a role that does not exist.
    NoSuchRole,
}

/// What every kind of policy says to one request.
struct Evaluation {
    own: PolicyDecisions,
    /// Absent where the session was not narrowed.
    session: Option<PolicyDecisions>,
    service_control: PolicyDecisions,
    resource_control: PolicyDecisions,
    trust: PolicyDecision,
    /// The request touches the caller's own account.
    at_home: bool,
}

impl State {
    /// Whether all policies that bear on the request let it pass.
    pub(super) fn authorise(
        &mut self,
        caller: &Caller,
        requested: &RequestedAction,
    ) -> Result<(), AwsError> {
        if let Holder::Root = caller.holder {
            return Ok(());
        }
        let evaluation = self.hear(caller, requested);
        let verdict = evaluation.verdict(requested).map_err(|suffix| {
            let (arn, RequestedAction { action, resource, .. }) =
                (caller.arn(&self.organisation), requested);
            AwsError::denied(format!(
                "User: {arn} is not authorized to perform: {action} on resource: {resource}{suffix}"
            ))
        });
        self.unknown.append(&mut evaluation.unknown());
        verdict
    }

    fn hear(&self, caller: &Caller, requested: &RequestedAction) -> Evaluation {
        let organisation = &self.organisation;
        let home = caller.account(organisation);
        let away =
            requested.resource.split(':').nth(4).filter(|id| !id.is_empty()).unwrap_or(&home);
        let (own_keys, role_keys) = self.request_keys(caller, requested, away);
        let arns = caller.arns(organisation);
        let question = |keys| PolicyRequest {
            action: requested.action,
            resource: requested.resource,
            keys,
            arns: &arns,
            account: &home,
        };
        // The management account is bound by neither kind of control policy.
        let bound = |id: &str, pick: fn(&Account) -> &Vec<Policy>| {
            let account = organisation.find_account(id).filter(|_| id != organisation.management);
            account.map(pick).into_iter().flatten()
        };
        let narrowed = caller.session.as_ref().and_then(|session| session.policies.as_ref());
        // Of the services here, resource control policies know STS (roles) and S3.
        let controlled = requested.action.starts_with("s3:") || requested.grant.is_role();
        let resource_control = bound(away, |account| &account.rcps).filter(|_| controlled);
        Evaluation {
            own: PolicyDecisions::of(caller.policies(organisation), &question(&own_keys)),
            session: narrowed
                .map(|policies| PolicyDecisions::of(policies.iter(), &question(&own_keys))),
            service_control: PolicyDecisions::of(
                bound(&home, |account| &account.scps),
                &question(&own_keys),
            ),
            resource_control: PolicyDecisions::of(resource_control, &question(&role_keys)),
            trust: match requested.grant {
                Grant::Trust(role) => role.trust.decision(&question(&role_keys)),
                _ => PolicyDecision::default(),
            },
            at_home: home == away,
        }
    }

    /// The condition keys as the caller's side sees them, and as the role's side does.
    fn request_keys(
        &self,
        caller: &Caller,
        requested: &RequestedAction,
        away: &str,
    ) -> (Keys, Keys) {
        let organisation = &self.organisation;
        let now = self.now();
        let mut keys = requested.keys.clone();
        let mut set = |key: &str, value: String| keys.insert(key.to_owned(), vec![value]);
        set("aws:currenttime", now.to_string());
        set("aws:epochtime", now.as_second().to_string());
        set("aws:requestedregion", caller.region.clone());
        set("aws:securetransport", "true".into());
        set("aws:viaawsservice", "false".into());
        set("aws:principalisawsservice", "false".into());
        set("aws:principalarn", caller.principal_arn(organisation));
        set("aws:principalaccount", caller.account(organisation));
        set("aws:principalorgid", organisation.id.clone());
        set("aws:principaltype", caller.kind().into());
        set("aws:userid", caller.user_id(organisation));
        set("aws:resourceaccount", away.to_owned());
        if organisation.find_account(away).is_some() {
            set("aws:resourceorgid", organisation.id.clone());
        }
        let mut tags: &[(String, String)] = &[];
        match &caller.holder {
            Holder::User(name) => {
                set("aws:username", name.clone());
                tags = organisation.find_user(name).map_or(tags, |user| &user.tags);
            }
            Holder::Role(session) => {
                tags = &session.tags;
                if let Some(identity) = &session.source_identity {
                    set("aws:sourceidentity", identity.clone());
                }
            }
            Holder::Root | Holder::Federated { .. } => {}
        }
        for (key, value) in tags {
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
        match organisation.quirks.direct_mfa {
            DirectMfa::Everywhere => (fresh.clone(), fresh),
            DirectMfa::RoleOnly => (keys, fresh),
        }
    }
}

impl Evaluation {
    /// Pass, or the end of AWS's sentence: one kind of policy is named even where several refuse.
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
            let silence =
                || format!(" because no {kind} policy allows the {} action", requested.action);
            decisions.allows.then_some(()).ok_or_else(silence)
        };
        let by_name = self.at_home && self.trust.by_name;
        if !matches!(requested.grant, Grant::Nobody) && !by_name {
            allows(&self.own, "identity-based")?;
            self.session.as_ref().map_or(Ok(()), |session| allows(session, "session"))?;
        }
        if requested.grant.is_role() && (self.trust.denies || !self.trust.allows) {
            // AWS tells a stranger neither why nor whether the role exists.
            return Err(String::new());
        }
        Ok(())
    }

    /// What was not understood in any of them.
    fn unknown(self) -> Vec<String> {
        let session = self.session.unwrap_or_default();
        let controls = [self.service_control.unknown, self.resource_control.unknown].concat();
        [self.own.unknown, session.unknown, controls, self.trust.unknown].concat()
    }
}

impl Grant<'_> {
    /// It is about entering a role.
    fn is_role(self) -> bool {
        matches!(self, Self::Trust(_) | Self::NoSuchRole)
    }
}

/// A policy denies; its ARN, where it has one.
#[derive(Debug)]
struct Denial(Option<String>);

/// What several policies of one kind say together.
#[derive(Debug, Default)]
struct PolicyDecisions {
    allows: bool,
    denial: Option<Denial>,
    unknown: Vec<String>,
}

impl PolicyDecisions {
    fn of<'a>(policies: impl Iterator<Item = &'a Policy>, question: &PolicyRequest) -> Self {
        let mut all = Self::default();
        for policy in policies {
            let mut decision = policy.document.decision(question);
            all.allows |= decision.allows;
            if decision.denies && all.denial.is_none() {
                all.denial = Some(Denial(policy.arn.clone()));
            }
            all.unknown.append(&mut decision.unknown);
        }
        all
    }
}
