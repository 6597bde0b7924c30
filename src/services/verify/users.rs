//! `verify --users`: gets the credential report of the auth account, which an administrator may read.

use std::time::Duration;

use crate::domain::config::Auth;
use crate::domain::fault::{Exit, Fault};
use crate::domain::text::sanitize;
use crate::domain::verdict::users::{SCHEMA, UsersReport, judge, read};
use crate::services::aws::{Aws, CallerIdentity, Doing, Failure, FailureKind, Signer};

/// How long AWS may take to make a report; it is a matter of seconds even for thousands of users.
const PATIENCE: Duration = Duration::from_mins(1);
/// The first pause before asking again, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(5));

/// Has the report made, waits for it and judges it. `waiting` is told how long it has taken so far.
pub async fn users(
    aws: &Aws,
    signer: Signer<'_>,
    auth: &Auth,
    waiting: impl Fn(Duration),
) -> Result<UsersReport, Fault> {
    let caller =
        aws.caller_identity(signer).await.map_err(|failure| failure.fault(Doing::Asking))?;
    if caller.account != auth.account {
        return Err(Fault::new(Exit::Usage, "these credentials belong to another account")
            .because(format!(
                "they are of {}, and the IAM users live in the auth account {}",
                caller.account, auth.account
            ))
            .fix("name a role of the auth account with --via, or leave --via out to use your own MFA session"));
    }
    let denied = |call: &'static str| {
        let caller = &caller;
        move |failure| refused(&failure, call, caller, auth)
    };
    let (mut waited, mut pause) = (Duration::ZERO, PAUSES.0);
    let (csv, at) = loop {
        let is_made = aws
            .make_credential_report(signer)
            .await
            .map_err(denied("iam:GenerateCredentialReport"))?;
        if is_made {
            let report = aws.credential_report(signer).await;
            if let Some(report) = report.map_err(denied("iam:GetCredentialReport"))? {
                break report;
            }
        }
        if waited >= PATIENCE {
            return Err(Fault::new(Exit::Fault, "AWS has not finished the credential report")
                .because(format!("it was asked for {} s ago", waited.as_secs()))
                .fix("run it again in a minute: AWS is still working on it"));
        }
        waiting(waited);
        tokio::time::sleep(pause).await;
        waited += pause;
        pause = (pause * 2).min(PAUSES.1);
    };
    let users = read(&csv, at).map_err(|why| {
        Fault::new(Exit::Fault, "the credential report cannot be understood")
            .because(why)
            .fix("compare it with the console's: IAM, Credential report")
    })?;
    Ok(UsersReport {
        schema: SCHEMA,
        at,
        account: auth.account,
        read_as: sanitize(&caller.arn),
        version: env!("CARGO_PKG_VERSION").into(),
        endpoint: aws.sts_host(),
        findings: judge(&users, at),
        users,
    })
}

/// A refusal names the permission, who lacks it and who has it.
fn refused(failure: &Failure, call: &str, caller: &CallerIdentity, auth: &Auth) -> Fault {
    if !matches!(failure.kind, FailureKind::Denied | FailureKind::IdentityDeny) {
        return failure.fault(Doing::Asking);
    }
    Fault::new(Exit::Refused, format!("AWS refused {call}"))
        .because(format!(
            "{} is not allowed to: the credential report is for administrators of the auth account {}",
            sanitize(&caller.arn),
            auth.account
        ))
        .because(failure.message.clone())
        .fix("have an administrator run it, or use a role of the auth account: --via TARGET")
        .fix("it needs iam:GenerateCredentialReport and iam:GetCredentialReport, which AWS's SecurityAudit allows")
}
