//! The imagined callers, and what their requests say about each condition key.

use crate::domain::ids::AccountId;
use crate::domain::wildcard;

use super::Setting;

/// The calls that open a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    AssumeRole,
    WithWebIdentity,
    WithSaml,
}

/// Somebody who asks to be let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Caller<'a> {
    pub kind: CallerKind<'a>,
    pub home: Home,
    /// The account whose principal it is; `None` for any account of its home.
    pub account: Option<AccountId>,
    /// Whether it knows no secret and holds no identity that a condition may ask for.
    pub stranger: bool,
}

/// How the caller proves who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CallerKind<'a> {
    /// A user's key alone.
    Key,
    /// A session that a user's key made without a code.
    SessionWithoutMfa,
    /// A session that a user's key made with a code.
    SessionWithMfa,
    /// A role's session, which carries no MFA.
    Role,
    /// A token of an issuer.
    Oidc(&'a str),
    /// A guest of an identity pool, who never signed in.
    CognitoGuest,
    /// An assertion of a SAML provider; whether the provider made it for AWS.
    Saml { for_aws: bool },
    /// An AWS service, by its name.
    Service(&'a str),
}

/// Where the caller is at home.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Home {
    Auth,
    /// The role's own account.
    Own,
    /// Another account of the organization.
    Member,
    Foreign,
}

/// What a request says about a condition key.
pub(super) enum Fact<'a> {
    Absent,
    Is(&'a str),
    /// Present, with a value that a thief may choose or happen to have.
    Some,
    /// Present, with a value that no fixed text of the policy's matches.
    Other,
    /// The caller's account, which is any of its home.
    SomeAccount,
    /// The caller's ARN.
    SomeArn,
    /// The caller's organization, which is not ours.
    OtherOrganization,
    /// It may be present or not.
    Unknown,
}

/// Issuers that serve everybody, and let their users choose the audience: only the subject binds.
const SHARED_ISSUERS: [&str; 6] = [
    "token.actions.githubusercontent.com",
    "gitlab.com",
    "app.terraform.io",
    "agent.buildkite.com",
    "api.pulumi.com/oidc",
    "oidc.fly.io",
];

/// Claims that name whom a token is for, beside `sub`.
const CLAIMS: [&str; 8] = [
    "sub",
    "repository",
    "repository_id",
    "repository_owner",
    "repository_owner_id",
    "job_workflow_ref",
    "project_id",
    "enterprise",
];

/// Claims that name the client that asked for the token.
const AUDIENCES: [&str; 5] = ["aud", "app_id", "oaud", "azp", "client_id"];

/// The issuer of Amazon Cognito's identity pools.
pub(super) const COGNITO: &str = "cognito-identity.amazonaws.com";

impl Action {
    pub(super) const ALL: [(Self, &str); 3] = [
        (Self::AssumeRole, "sts:assumerole"),
        (Self::WithWebIdentity, "sts:assumerolewithwebidentity"),
        (Self::WithSaml, "sts:assumerolewithsaml"),
    ];
}

impl Caller<'_> {
    /// The call by which it would enter.
    pub(super) const fn action(&self) -> Action {
        match self.kind {
            CallerKind::Oidc(_) | CallerKind::CognitoGuest => Action::WithWebIdentity,
            CallerKind::Saml { .. } => Action::WithSaml,
            _ => Action::AssumeRole,
        }
    }

    const fn is_user(&self) -> bool {
        matches!(
            self.kind,
            CallerKind::Key | CallerKind::SessionWithoutMfa | CallerKind::SessionWithMfa
        )
    }

    const fn is_aws_principal(&self) -> bool {
        self.is_user() || matches!(self.kind, CallerKind::Role)
    }

    /// What its request says about a key (in lower case). `account` is the text of its own account.
    pub(super) fn fact<'a>(
        &'a self,
        key: &str,
        account: &'a str,
        setting: Setting<'a>,
    ) -> Fact<'a> {
        match key {
            "aws:multifactorauthpresent" => match self.kind {
                CallerKind::SessionWithoutMfa => Fact::Is("false"),
                CallerKind::SessionWithMfa => Fact::Is("true"),
                _ => Fact::Absent,
            },
            "aws:multifactorauthage" => match self.kind {
                CallerKind::SessionWithMfa => Fact::Some,
                _ => Fact::Absent,
            },
            "aws:tokenissuetime" => match self.kind {
                CallerKind::SessionWithoutMfa | CallerKind::SessionWithMfa | CallerKind::Role => {
                    Fact::Some
                }
                _ => Fact::Absent,
            },
            "aws:principalisawsservice" => match self.kind {
                CallerKind::Service(_) => Fact::Is("true"),
                _ => Fact::Is("false"),
            },
            "aws:viaawsservice" => Fact::Is("false"),
            "aws:principalservicename" => match self.kind {
                CallerKind::Service(name) => Fact::Is(name),
                _ => Fact::Absent,
            },
            "aws:sourcearn" | "aws:sourceaccount" | "aws:sourceorgid" | "aws:sourceorgpaths" => {
                match self.kind {
                    CallerKind::Service(_) if self.stranger => Fact::Other,
                    CallerKind::Service(_) => Fact::Unknown,
                    _ => Fact::Absent,
                }
            }
            _ if self.is_aws_principal() => self.principal_fact(key, account, setting),
            _ => self.token_fact(key),
        }
    }

    /// Keys that describe a principal of an account.
    fn principal_fact<'a>(&self, key: &str, account: &'a str, setting: Setting<'a>) -> Fact<'a> {
        let foreign = self.stranger && self.home == Home::Foreign;
        match key {
            "aws:principaltype" if self.is_user() => Fact::Is("User"),
            "aws:principaltype" => Fact::Is("AssumedRole"),
            "aws:principalaccount" if self.account.is_some() => Fact::Is(account),
            "aws:principalaccount" => Fact::SomeAccount,
            "aws:principalarn" => Fact::SomeArn,
            "aws:principalorgid" | "aws:principalorgpaths" if self.home == Home::Foreign => {
                Fact::OtherOrganization
            }
            "aws:principalorgid" => {
                setting.known.organization.as_deref().map_or(Fact::Unknown, Fact::Is)
            }
            "sts:externalid" | "aws:userid" if foreign => Fact::Other,
            "aws:username" if !self.is_user() => Fact::Absent,
            "aws:username" | "aws:userid" => Fact::Some,
            _ => Fact::Unknown,
        }
    }

    /// Keys that describe a token, an assertion, or what a service says of its own caller.
    fn token_fact(&self, key: &str) -> Fact<'static> {
        let other = if self.stranger { Fact::Other } else { Fact::Unknown };
        // What an account's principals have, and neither tokens nor services.
        if key.starts_with("aws:principal") && !key.starts_with("aws:principaltag/")
            || matches!(key, "aws:username" | "aws:userid" | "sts:externalid")
        {
            return Fact::Absent;
        }
        match self.kind {
            CallerKind::Oidc(issuer) => match key.rsplit_once(':') {
                Some((host, claim)) if host == issuer || issuer == "*" => {
                    let shared = is_shared(issuer);
                    match claim {
                        _ if CLAIMS.contains(&claim) => other,
                        _ if AUDIENCES.contains(&claim) && !shared => other,
                        _ => Fact::Unknown,
                    }
                }
                // A claim of an issuer that the statement does not name.
                Some((host, _)) if host.contains('.') => Fact::Absent,
                _ => Fact::Unknown,
            },
            CallerKind::CognitoGuest if key.ends_with(":amr") => Fact::Is("unauthenticated"),
            CallerKind::Saml { for_aws } => match key {
                "saml:aud" if self.stranger && !for_aws => Fact::Other,
                "saml:iss" | "saml:doc" | "saml:sub_type" | "saml:aud" => Fact::Unknown,
                key if key.starts_with("saml:") => other,
                _ => Fact::Unknown,
            },
            CallerKind::Service(_) if key.starts_with("aws:principaltag/") => other,
            _ => Fact::Unknown,
        }
    }

    /// Whether an account may be the caller's.
    pub(super) fn may_be_of(&self, account: &str, setting: Setting<'_>) -> bool {
        if let Some(own) = self.account {
            return wildcard::matches(account, &own.to_string());
        }
        let known = setting.known;
        let is_home = |id: AccountId| id == setting.own || id == known.auth;
        let is_member = |id: AccountId| known.members.contains(&id) && !is_home(id);
        match account.parse::<AccountId>() {
            Ok(id) => match self.home {
                Home::Foreign => !is_home(id) && !is_member(id),
                _ => is_member(id),
            },
            Err(_) => account.contains(['*', '?']),
        }
    }

    /// Whether a pattern may match the caller's ARN.
    pub(super) fn may_have_arn(&self, pattern: &str, setting: Setting<'_>) -> bool {
        let parts: Vec<&str> = pattern.splitn(6, ':').collect();
        let [_, _, _, _, owner, resource] = parts[..] else {
            return pattern.contains('*'); // a star may cross the colons
        };
        let fixed = resource.split(['*', '?', '$']).next().unwrap_or_default();
        let kind = if self.is_user() { "user/" } else { "role/" };
        self.may_be_of(owner, setting) && (fixed.starts_with(kind) || kind.starts_with(fixed))
    }
}

/// Whether an issuer's users may choose the audience of their tokens.
pub(super) fn is_shared(issuer: &str) -> bool {
    issuer == "*" || SHARED_ISSUERS.contains(&issuer)
}
