//! Calls of `verify`: entering roles with sessions that can do nothing, or only read.

use std::time::Duration;

use crate::domain::account::{SessionOptions, Target};
use crate::domain::ids::{MfaSerial, SessionName};
use crate::domain::scope::Scope;
use crate::domain::secret::{AccessKey, Credentials, MfaCode};

use super::probe::DENY_ALL;
use super::{Aws, Failure, Received, Signer, retry_busy, seconds};

/// The shortest session that STS issues.
pub const SHORTEST: Duration = Duration::from_mins(15);

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
        code: Option<(&MfaSerial, &MfaCode)>,
    ) -> Result<Received, Failure> {
        let reader = narrowed(target, READ_ROLES);
        self.assume_role(Signer::Session(session), &reader, SHORTEST, name, code).await
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
