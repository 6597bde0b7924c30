//! Authentication: checks signature, token and expiry, and names the caller in ARNs and condition keys.

use jiff::Timestamp;

use super::error::AwsError;
use super::organization::{KeyStatus, LastUsed, Organization, Policy};
use super::state::{Holder, IssuedSession, Issuer, State, unique_id};
use super::wire::Inbound;

/// The principal that signed a request.
#[derive(Debug)]
pub(super) struct Caller {
    pub holder: Holder,
    /// Absent where it was a long-term key.
    pub session: Option<IssuedSession>,
    pub region: String,
}

impl State {
    /// Finds the signer and checks the signature, the token and the expiry.
    pub(super) fn authenticate(&mut self, inbound: &Inbound) -> Result<Caller, AwsError> {
        let now = self.now();
        let signature = inbound.signature.as_ref().ok_or_else(AwsError::invalid_token)?;
        let token =
            inbound.parts.headers.get("x-amz-security-token").and_then(|value| value.to_str().ok());
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
                    .ok_or_else(AwsError::invalid_token)?
                    .clone();
                if let Holder::User(user) | Holder::Federated { user, .. } = &session.holder {
                    self.organization.find_user(user).ok_or_else(AwsError::invalid_token)?;
                }
                (session.secret.clone(), session.holder.clone(), Some(session))
            }
        };
        let window = self.organization.quirks.skew;
        signature.verify(&inbound.parts, &inbound.body, &secret, now, window)?;
        if session.as_ref().is_some_and(|session| session.expires <= now) {
            let text = "The security token included in the request is expired";
            return Err(AwsError::new(403, "ExpiredToken", text));
        }
        let caller = Caller { holder, session, region: signature.region.clone() };
        if let Some(key) = self.organization.keys_mut().find(|key| key.id == signature.key) {
            let (service, region) = (signature.service.clone(), signature.region.clone());
            key.last_used = Some(LastUsed { at: now, service, region });
        }
        if inbound.service == "iam" && caller.is_kept_from_iam() {
            return Err(AwsError::invalid_token());
        }
        Ok(caller)
    }

    fn long_term_key(&self, id: &str, now: Timestamp) -> Result<(Holder, String), AwsError> {
        let organization = &self.organization;
        let delay = organization.quirks.key_propagation;
        let users = organization
            .users
            .iter()
            .flat_map(|user| user.keys.iter().map(|key| (Holder::User(user.name.clone()), key)));
        organization
            .root_keys
            .iter()
            .map(|key| (Holder::Root, key))
            .chain(users)
            .find(|(_, key)| {
                let known = delay.is_zero() || key.created + delay <= now;
                key.id == id && key.status == KeyStatus::Active && known
            })
            .map(|(holder, key)| (holder, key.secret.clone()))
            .ok_or_else(AwsError::invalid_token)
    }
}

impl Caller {
    /// The account whose principal it is.
    pub(super) fn account(&self, organization: &Organization) -> String {
        match &self.holder {
            Holder::Role(session) => session.arn.split(':').nth(4).unwrap_or_default().to_owned(),
            _ => organization.auth.clone(),
        }
    }

    /// The ARN that AWS shows.
    pub(super) fn arn(&self, organization: &Organization) -> String {
        let (partition, account) = (&organization.partition, self.account(organization));
        match &self.holder {
            Holder::Root => format!("arn:{partition}:iam::{account}:root"),
            Holder::User(name) => organization.user_arn(name),
            Holder::Role(session) => assumed_role_arn(&session.arn, &session.name),
            Holder::Federated { name, .. } => {
                format!("arn:{partition}:sts::{account}:federated-user/{name}")
            }
        }
    }

    /// `aws:PrincipalArn`: the role's for its sessions.
    pub(super) fn principal_arn(&self, organization: &Organization) -> String {
        match &self.holder {
            Holder::Role(session) => session.arn.clone(),
            _ => self.arn(organization),
        }
    }

    pub(super) fn arns(&self, organization: &Organization) -> Vec<String> {
        vec![self.arn(organization), self.principal_arn(organization)]
    }

    /// `aws:userid`, `UserId`.
    pub(super) fn user_id(&self, organization: &Organization) -> String {
        match &self.holder {
            Holder::Root => organization.auth.clone(),
            Holder::User(name) => unique_id("AIDA", &organization.user_arn(name)),
            Holder::Role(session) => {
                format!("{}:{}", unique_id("AROA", &session.arn), session.name)
            }
            Holder::Federated { name, .. } => format!("{}:{name}", organization.auth),
        }
    }

    /// `aws:PrincipalType`.
    pub(super) fn kind(&self) -> &'static str {
        match &self.holder {
            Holder::Root => "Account",
            Holder::User(_) => "User",
            Holder::Role(_) => "AssumedRole",
            Holder::Federated { .. } => "FederatedUser",
        }
    }

    /// Whether the credentials are a user's temporary ones: from `GetSessionToken`, or from a console sign-in.
    pub(super) fn is_user_session(&self) -> bool {
        self.session.is_some() && matches!(self.holder, Holder::User(_) | Holder::Root)
    }

    /// A user's session of STS without MFA may not call IAM at all, nor may a federated one.
    fn is_kept_from_iam(&self) -> bool {
        let federated = matches!(self.holder, Holder::Federated { .. });
        let of_sts = self.session.as_ref().is_some_and(|session| session.issuer == Issuer::Sts);
        federated || (of_sts && self.is_user_session() && self.mfa().is_none())
    }

    /// When the session's MFA was passed. A role session does not carry it.
    pub(super) fn mfa(&self) -> Option<Timestamp> {
        self.session.as_ref().and_then(|session| session.mfa)
    }

    /// The identity policies attached to it, and to a user's groups.
    pub(super) fn policies<'a>(
        &'a self,
        organization: &'a Organization,
    ) -> impl Iterator<Item = &'a Policy> {
        let (own, user) = match &self.holder {
            Holder::Root => (None, None),
            Holder::User(name) | Holder::Federated { user: name, .. } => {
                (organization.find_user(name).map(|user| &user.policies), Some(name))
            }
            Holder::Role(session) => {
                (organization.find_role(&session.arn).map(|role| &role.policies), None)
            }
        };
        let groups = organization
            .groups
            .iter()
            .filter(move |group| user.is_some_and(|user| group.members.contains(user)));
        own.into_iter().flatten().chain(groups.flat_map(|group| &group.policies))
    }
}

/// `assumed-role/NAME/SESSION`: the path is dropped.
pub(super) fn assumed_role_arn(role: &str, session: &str) -> String {
    let (account, path) = role.split_once(":role/").unwrap_or((role, ""));
    let name = path.rsplit('/').next().unwrap_or_default();
    format!("{}:assumed-role/{name}/{session}", account.replacen(":iam:", ":sts:", 1))
}
