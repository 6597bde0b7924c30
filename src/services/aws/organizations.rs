//! `organizations:ListAccounts`.
//!
//! <https://docs.aws.amazon.com/organizations/latest/APIReference/API_ListAccounts.html>

use serde::Deserialize;

use crate::domain::config::MAX_ACCOUNTS;
use crate::domain::fault::{Exit, Fault};
use crate::domain::ids::AccountId;
use crate::domain::import::organization::Member;

use super::request::{RawClient, Request};
use super::{Aws, Doing, Failure, FailureKind, Signer};

const LIST: &str = "AWSOrganizationsV20161128.ListAccounts";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Page {
    accounts: Vec<Listed>,
    #[serde(default)]
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    id: AccountId,
    /// `arn:aws:organizations::MANAGEMENT:account/o-…/ID`
    arn: String,
    #[serde(default)]
    name: String,
    /// Replaces `Status`, which AWS retired in September 2026.
    #[serde(default)]
    state: Option<String>,
    #[serde(default)]
    status: Option<String>,
}

impl Aws {
    /// Every account of the signer's organisation, in AWS's order.
    pub async fn members(&self, signer: Signer<'_>) -> Result<Vec<Member>, Fault> {
        let client = self.raw();
        let mut members = Vec::new();
        let mut next: Option<String> = None;
        loop {
            let page = page(&client, signer, next.as_deref())
                .await
                .map_err(|failure| refused(&failure))?;
            let is_last = page.accounts.is_empty() || page.next_token.is_none();
            members.extend(page.accounts.into_iter().filter_map(member));
            // The limit stops a server that always returns another page.
            if is_last || members.len() > MAX_ACCOUNTS {
                return Ok(members);
            }
            next = page.next_token;
        }
    }
}

async fn page(
    client: &RawClient<'_>,
    signer: Signer<'_>,
    next: Option<&str>,
) -> Result<Page, Failure> {
    let body = match next {
        Some(token) => serde_json::json!({ "NextToken": token }),
        None => serde_json::json!({}),
    };
    let request = Request::json("organizations", LIST, body.to_string());
    let response = client.send_retrying(signer, &request).await?;
    let text = response.body().bytes().unwrap_or_default();
    serde_json::from_slice(text).map_err(|_| Failure::garbled("organizations:ListAccounts"))
}

fn member(listed: Listed) -> Option<Member> {
    let management = listed.arn.split(':').nth(4)?.parse().ok()?;
    let state = listed.state.or(listed.status);
    Some(Member {
        id: listed.id,
        name: listed.name,
        management,
        is_active: state.as_deref() == Some("ACTIVE"),
    })
}

fn refused(failure: &Failure) -> Fault {
    let grant = "have the management account make the auth account a delegated administrator, and allow your user organizations:ListAccounts";
    let through =
        "or list with a role of the management account that is in your config: --via TARGET";
    match (failure.kind, failure.code.as_deref()) {
        (FailureKind::Denied | FailureKind::IdentityDeny, _) => Fault::new(
            Exit::Refused,
            "AWS does not let you list the organisation's accounts",
        )
        .because("only the organisation's management account and its delegated administrators may")
        .because("no policy of your IAM user allows organizations:ListAccounts")
        .fix(grant)
        .fix(through),
        (_, Some("AWSOrganizationsNotInUseException")) => Fault::new(
            Exit::Refused,
            "the auth account does not belong to an organisation",
        )
        .because(failure.message.clone())
        .fix("write the accounts into the config by hand, or run `sekisho import aws-config --write`"),
        _ => failure.fault(Doing::Asking),
    }
}
