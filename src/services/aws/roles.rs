//! Calls of `verify`: entering roles with powerless sessions, and reading trust policies.

use std::time::Duration;

use percent_encoding::percent_decode_str;

use crate::domain::account::{SessionOptions, Target};
use crate::domain::ids::SessionName;
use crate::domain::scope::Scope;
use crate::domain::secret::{AccessKey, Credentials};

use super::probe::DENY_ALL;
use super::{Aws, Failure, Received, Signer, retry_busy, seconds};

/// How many roles are listed at a time: a trust policy has up to 4,096 characters, and IAM escapes most of them.
const PAGE: i32 = 60;

/// The shortest session that STS issues.
const SHORTEST: Duration = Duration::from_mins(15);

/// A policy that allows reading trust policies, and whose keys are how old, and nothing else.
const READ_ROLES: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["iam:GetRole","iam:ListRoles","iam:ListUsers","iam:ListAccessKeys","iam:GetAccessKeyLastUsed"],"Resource":"*"}}"#;

impl Aws {
    /// `sts:GetSessionToken` without a code, for 15 min: what a thief could do with a stolen key. Never stored.
    pub async fn session_without_mfa(&self, key: &AccessKey) -> Result<Received, Failure> {
        let client = self.sts(Signer::Key(key));
        let call = client.get_session_token().duration_seconds(seconds(SHORTEST));
        let answer = retry_busy(|| call.clone().send()).await?;
        Received::read(answer.credentials(), SHORTEST, self.sender(), "sts:GetSessionToken")
    }

    /// `sts:AssumeRole` for 15 min with a session policy that denies everything.
    pub async fn try_role(
        &self,
        signer: Signer<'_>,
        target: &Target,
        name: &SessionName,
    ) -> Result<(), Failure> {
        let powerless = narrowed(target, DENY_ALL);
        self.assume_role(signer, &powerless, SHORTEST, name, None).await.map(drop)
    }

    /// `sts:AssumeRole` for 15 min with a session policy that allows reading trust policies only.
    pub async fn reader(
        &self,
        session: &Credentials,
        target: &Target,
        name: &SessionName,
    ) -> Result<Received, Failure> {
        let reader = narrowed(target, READ_ROLES);
        self.assume_role(Signer::Session(session), &reader, SHORTEST, name, None).await
    }

    /// `iam:GetRole`: a role's trust policy, JSON.
    pub async fn trust_policy(
        &self,
        session: &Credentials,
        target: &Target,
    ) -> Result<String, Failure> {
        let client = self.iam(Signer::Session(session));
        let answer = retry_busy(|| client.get_role().role_name(target.role.name()).send()).await?;
        let role = answer.role().filter(|role| role.arn() == target.role.as_str());
        role.and_then(|role| role.assume_role_policy_document())
            .map(decode)
            .ok_or_else(|| Failure::garbled("iam:GetRole"))
    }

    /// `iam:ListRoles`: every role of the session's account, its ARN and its trust policy, JSON.
    pub async fn trust_policies(
        &self,
        session: &Credentials,
    ) -> Result<Vec<(String, String)>, Failure> {
        let client = self.iam(Signer::Session(session));
        let mut roles = Vec::new();
        let mut marker = None;
        loop {
            let page = client.list_roles().max_items(PAGE).set_marker(marker);
            let answer = retry_busy(|| page.clone().send()).await?;
            roles.extend(answer.roles().iter().map(|role| {
                let document = role.assume_role_policy_document().map(decode);
                (role.arn().to_owned(), document.unwrap_or_default())
            }));
            marker = answer.marker().filter(|_| answer.is_truncated()).map(ToOwned::to_owned);
            if marker.is_none() {
                return Ok(roles);
            }
        }
    }
}

/// The target with its session limited to a policy; what the trust policy requires stays.
fn narrowed(target: &Target, policy: &str) -> Target {
    let mut target = target.clone();
    target.session = SessionOptions {
        scope: Scope::Full,
        policy_arns: Vec::new(),
        policy: Some(policy.to_owned()),
        ..target.session
    };
    target
}

/// IAM sends documents percent-encoded (RFC 3986).
fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_decoded() {
        assert_eq!(decode("%7B%22a%22%3A+%221%25%22%7d"), "{\"a\":+\"1%\"}");
        assert_eq!(decode("100%zz%4"), "100%zz%4");
    }
}
