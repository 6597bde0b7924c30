//! Who calls, and whether they may.
//!
//! Order of the checks and their texts: `aws-facts` (the IAM User Guide's "Policy evaluation logic" and
//! "Troubleshoot access denied error messages"); where AWS names one of several denials, so does this.

use jiff::Timestamp;

use super::organisation::{DirectMfa, KeyStatus, LastUsed, Organisation, Policy, Role};
use super::policy::{Keys, Opinion, Question};
use super::state::{Holder, Session, State, unique_id};
use super::wire::{Inbound, Refusal};

/// The one who signed.
#[derive(Debug)]
pub(super) struct Caller {
    pub holder: Holder,
    /// Absent where it was a long-term key.
    pub session: Option<Session>,
    pub region: String,
}

/// What the caller wants to do.
#[derive(Debug)]
pub(super) struct Deed<'a> {
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

impl State {
    /// Finds the signer and checks the signature, the token and the expiry.
    pub(super) fn authenticate(&mut self, inbound: &Inbound) -> Result<Caller, Refusal> {
        let now = self.now();
        let signature = inbound
            .signature
            .as_ref()
            .ok_or_else(Refusal::invalid_token)?;
        let token = inbound
            .parts
            .headers
            .get("x-amz-security-token")
            .and_then(|value| value.to_str().ok());
        let (secret, holder, session) = match token {
            None => {
                let (holder, secret) = self.long_term_key(&signature.key, now)?;
                (secret, holder, None)
            }
            Some(token) => {
                let session = self
                    .sessions
                    .iter()
                    .find(|session| session.id == signature.key && session.token == token)
                    .ok_or_else(Refusal::invalid_token)?
                    .clone();
                if let Holder::User(user) | Holder::Federated { user, .. } = &session.holder {
                    self.organisation
                        .find_user(user)
                        .ok_or_else(Refusal::invalid_token)?;
                }
                (
                    session.secret.clone(),
                    session.holder.clone(),
                    Some(session),
                )
            }
        };
        let window = self.organisation.habits.skew;
        signature.verify(&inbound.parts, &inbound.body, &secret, now, window)?;
        if session
            .as_ref()
            .is_some_and(|session| session.expires <= now)
        {
            let text = "The security token included in the request is expired";
            return Err(Refusal::new(403, "ExpiredToken", text));
        }
        let caller = Caller {
            holder,
            session,
            region: signature.region.clone(),
        };
        if let Some(key) = self
            .organisation
            .keys_mut()
            .find(|key| key.id == signature.key)
        {
            let (service, region) = (signature.service.clone(), signature.region.clone());
            key.last_used = Some(LastUsed {
                at: now,
                service,
                region,
            });
        }
        if inbound.service == "iam" && caller.is_kept_from_iam() {
            return Err(Refusal::invalid_token());
        }
        Ok(caller)
    }

    fn long_term_key(&self, id: &str, now: Timestamp) -> Result<(Holder, String), Refusal> {
        let organisation = &self.organisation;
        let known_since = now - organisation.habits.key_propagation;
        let users = organisation.users.iter().flat_map(|user| {
            user.keys
                .iter()
                .map(|key| (Holder::User(user.name.clone()), key))
        });
        organisation
            .root_keys
            .iter()
            .map(|key| (Holder::Root, key))
            .chain(users)
            .find(|(_, key)| {
                key.id == id && key.status == KeyStatus::Active && key.created <= known_since
            })
            .map(|(holder, key)| (holder, key.secret.clone()))
            .ok_or_else(Refusal::invalid_token)
    }

    /// Whether all policies that bear on the deed let it pass.
    pub(super) fn authorise(&mut self, caller: &Caller, deed: &Deed) -> Result<(), Refusal> {
        let (verdict, mut unknown) = self.judge(caller, deed);
        self.unknown.append(&mut unknown);
        verdict.map_err(|suffix| {
            let (
                arn,
                Deed {
                    action, resource, ..
                },
            ) = (caller.arn(&self.organisation), deed);
            Refusal::denied(format!(
                "User: {arn} is not authorized to perform: {action} on resource: {resource}{suffix}"
            ))
        })
    }

    fn judge(&self, caller: &Caller, deed: &Deed) -> (Result<(), String>, Vec<String>) {
        let organisation = &self.organisation;
        if let Holder::Root = caller.holder {
            return (Ok(()), Vec::new());
        }
        let home = caller.account(organisation);
        let away = deed
            .resource
            .split(':')
            .nth(4)
            .filter(|id| !id.is_empty())
            .unwrap_or(&home);
        let (own_keys, role_keys) = self.request_keys(caller, deed, away);
        let arns = caller.arns(organisation);
        let question = |keys| Question {
            action: deed.action,
            resource: deed.resource,
            keys,
            arns: &arns,
            account: &home,
        };
        let of_account = |id: &str, pick: fn(&super::organisation::Account) -> &Vec<Policy>| {
            organisation
                .find_account(id)
                .map(pick)
                .into_iter()
                .flatten()
        };
        let own = Opinions::of(caller.policies(organisation), &question(&own_keys));
        let narrowing = caller
            .session
            .as_ref()
            .and_then(|session| session.policies.as_ref());
        let session = narrowing.map(|policies| Opinions::of(policies.iter(), &question(&own_keys)));
        let scp = Opinions::of(
            of_account(&home, |account| &account.scps),
            &question(&own_keys),
        );
        let rcp = Opinions::of(
            of_account(away, |account| &account.rcps),
            &question(&role_keys),
        );
        let trust = match deed.grant {
            Grant::Trust(role) => role.trust.opinion(&question(&role_keys)),
            _ => Opinion::default(),
        };

        let denials = [
            (Some(&own), "an identity-based policy"),
            (session.as_ref(), "a session policy"),
            (Some(&scp), "a service control policy"),
            (Some(&rcp), "a resource control policy"),
        ];
        let denial = denials.into_iter().find_map(|(opinions, kind)| {
            let arn = opinions?.denied_by.as_ref()?;
            let arn = arn
                .as_ref()
                .map_or_else(String::new, |arn| format!(": {arn}"));
            Some(format!(" with an explicit deny in {kind}{arn}"))
        });
        let because = |kind: &str| {
            Err(format!(
                " because no {kind} policy allows the {} action",
                deed.action
            ))
        };
        let needs_identity = match deed.grant {
            Grant::Nobody => false,
            Grant::Identity | Grant::NoSuchRole => true,
            Grant::Trust(_) => !(home == away && trust.by_name),
        };
        let needs_trust = matches!(deed.grant, Grant::Trust(_) | Grant::NoSuchRole);
        let verdict = if let Some(suffix) = denial {
            Err(suffix)
        } else if needs_identity && !own.allows {
            because("identity-based")
        } else if session.as_ref().is_some_and(|session| !session.allows) && needs_identity {
            because("session")
        } else if needs_trust && (trust.denies || !trust.allows) {
            // AWS tells a stranger neither why nor whether the role exists.
            Err(String::new())
        } else {
            Ok(())
        };
        let heard = [
            own.unknown,
            session.unwrap_or_default().unknown,
            scp.unknown,
            rcp.unknown,
            trust.unknown,
        ];
        (verdict, heard.concat())
    }

    /// The condition keys as the caller's side sees them, and as the role's side does.
    fn request_keys(&self, caller: &Caller, deed: &Deed, away: &str) -> (Keys, Keys) {
        let organisation = &self.organisation;
        let now = self.now();
        let mut keys = deed.keys.clone();
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
            set(
                &format!("aws:principaltag/{}", key.to_ascii_lowercase()),
                value.clone(),
            );
        }
        if let Some(session) = &caller.session {
            set("aws:tokenissuetime", session.issued.to_string());
            if caller.is_user_session() {
                set(
                    "aws:multifactorauthpresent",
                    session.mfa.is_some().to_string(),
                );
            }
        }
        if let Some(at) = caller.mfa() {
            set(
                "aws:multifactorauthage",
                now.duration_since(at).as_secs().to_string(),
            );
        }
        let mut fresh = keys.clone();
        if deed.code_passed {
            fresh.insert("aws:multifactorauthpresent".into(), vec!["true".into()]);
            fresh.insert("aws:multifactorauthage".into(), vec!["0".into()]);
        }
        match organisation.habits.direct_mfa {
            DirectMfa::Everywhere => (fresh.clone(), fresh),
            DirectMfa::RoleOnly => (keys, fresh),
        }
    }
}

/// What several policies of one kind say together.
#[derive(Debug, Default)]
struct Opinions {
    allows: bool,
    /// The ARN of the policy that denies, where it has one.
    denied_by: Option<Option<String>>,
    unknown: Vec<String>,
}

impl Opinions {
    fn of<'a>(policies: impl Iterator<Item = &'a Policy>, question: &Question) -> Self {
        let mut all = Self::default();
        for policy in policies {
            let mut opinion = policy.document.opinion(question);
            all.allows |= opinion.allows;
            if opinion.denies && all.denied_by.is_none() {
                all.denied_by = Some(policy.arn.clone());
            }
            all.unknown.append(&mut opinion.unknown);
        }
        all
    }
}

impl Caller {
    /// The account whose principal it is.
    pub(super) fn account(&self, organisation: &Organisation) -> String {
        match &self.holder {
            Holder::Role(session) => session.arn.split(':').nth(4).unwrap_or_default().to_owned(),
            _ => organisation.auth.clone(),
        }
    }

    /// The ARN that AWS shows.
    pub(super) fn arn(&self, organisation: &Organisation) -> String {
        let (partition, account) = (&organisation.partition, self.account(organisation));
        match &self.holder {
            Holder::Root => format!("arn:{partition}:iam::{account}:root"),
            Holder::User(name) => organisation.user_arn(name),
            Holder::Role(session) => assumed_role_arn(&session.arn, &session.name),
            Holder::Federated { name, .. } => {
                format!("arn:{partition}:sts::{account}:federated-user/{name}")
            }
        }
    }

    /// `aws:PrincipalArn`: the role's for its sessions.
    fn principal_arn(&self, organisation: &Organisation) -> String {
        match &self.holder {
            Holder::Role(session) => session.arn.clone(),
            _ => self.arn(organisation),
        }
    }

    fn arns(&self, organisation: &Organisation) -> Vec<String> {
        vec![self.arn(organisation), self.principal_arn(organisation)]
    }

    /// `aws:userid`, `UserId`.
    pub(super) fn user_id(&self, organisation: &Organisation) -> String {
        match &self.holder {
            Holder::Root => organisation.auth.clone(),
            Holder::User(name) => unique_id("AIDA", &organisation.user_arn(name)),
            Holder::Role(session) => {
                format!("{}:{}", unique_id("AROA", &session.arn), session.name)
            }
            Holder::Federated { name, .. } => format!("{}:{name}", organisation.auth),
        }
    }

    /// `aws:PrincipalType`.
    fn kind(&self) -> &'static str {
        match &self.holder {
            Holder::Root => "Account",
            Holder::User(_) => "User",
            Holder::Role(_) => "AssumedRole",
            Holder::Federated { .. } => "FederatedUser",
        }
    }

    /// Credentials from GetSessionToken.
    pub(super) fn is_user_session(&self) -> bool {
        self.session.is_some() && matches!(self.holder, Holder::User(_) | Holder::Root)
    }

    /// A user's session without MFA may not call IAM at all, nor may a federated one.
    fn is_kept_from_iam(&self) -> bool {
        let federated = matches!(self.holder, Holder::Federated { .. });
        federated || (self.is_user_session() && self.mfa().is_none())
    }

    /// When the session's MFA was passed. A role session knows nothing of it.
    fn mfa(&self) -> Option<Timestamp> {
        self.session.as_ref().and_then(|session| session.mfa)
    }

    /// The identity policies that speak for it.
    fn policies<'a>(&'a self, organisation: &'a Organisation) -> std::slice::Iter<'a, Policy> {
        match &self.holder {
            Holder::Root => [].iter(),
            Holder::User(name) | Holder::Federated { user: name, .. } => organisation
                .find_user(name)
                .map_or([].iter(), |user| user.policies.iter()),
            Holder::Role(session) => organisation
                .find_role(&session.arn)
                .map_or([].iter(), |role| role.policies.iter()),
        }
    }
}

/// `assumed-role/NAME/SESSION`: the path is dropped.
pub(super) fn assumed_role_arn(role: &str, session: &str) -> String {
    let (account, path) = role.split_once(":role/").unwrap_or((role, ""));
    let name = path.rsplit('/').next().unwrap_or_default();
    format!(
        "{}:assumed-role/{name}/{session}",
        account.replacen(":iam:", ":sts:", 1)
    )
}
