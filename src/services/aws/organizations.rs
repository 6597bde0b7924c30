//! AWS Organizations: its accounts and control policies.
//!
//! <https://docs.aws.amazon.com/organizations/latest/APIReference/API_Operations.html>

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::domain::config::MAX_ACCOUNTS;
use crate::domain::fault::{Exit, Fault};
use crate::domain::ids::AccountId;
use crate::domain::import::organization::Member;

use super::request::{RawClient, Request};
use super::{Aws, Doing, Failure, FailureKind, Signer};

/// Pages of policies, targets or parents that are read at most: a server may always return another one.
const MAX_PAGES: usize = 500;

/// A control policy of the organisation.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ControlPolicy {
    /// `p-…`
    pub id: String,
    /// Its name.
    pub name: String,
    /// Whether it is AWS's own: `FullAWSAccess`.
    #[serde(default)]
    pub aws_managed: bool,
}

/// The kinds of control policies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ControlType {
    /// What accounts' own principals may do.
    Service,
    /// What may be done to accounts' resources.
    Resource,
}

impl ControlType {
    const fn filter(self) -> &'static str {
        match self {
            Self::Service => "SERVICE_CONTROL_POLICY",
            Self::Resource => "RESOURCE_CONTROL_POLICY",
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Target {
    target_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Parent {
    id: String,
    r#type: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Described {
    policy: Content,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Content {
    content: String,
}

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
            let body = next.map_or_else(|| json!({}), |token| json!({ "NextToken": token }));
            let page: Page = call(&client, signer, "ListAccounts", &body)
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

/// One call of the JSON 1.1 protocol.
async fn call<T: DeserializeOwned>(
    client: &RawClient<'_>,
    signer: Signer<'_>,
    action: &str,
    body: &Value,
) -> Result<T, Failure> {
    let target = format!("AWSOrganizationsV20161128.{action}");
    let request = Request::json("organizations", &target, body.to_string());
    let response = client.send_retrying(signer, &request).await?;
    let text = response.body().bytes().unwrap_or_default();
    let garbled = || Failure::garbled(&format!("organizations:{action}"));
    serde_json::from_slice(text).map_err(|_| garbled())
}

/// Every page of a list that a call answers under `name`.
async fn all<T: DeserializeOwned>(
    client: &RawClient<'_>,
    signer: Signer<'_>,
    action: &str,
    name: &str,
    mut body: Value,
) -> Result<Vec<T>, Failure> {
    let garbled = || Failure::garbled(&format!("organizations:{action}"));
    let mut items = Vec::new();
    for _ in 0..MAX_PAGES {
        let mut page: Value = call(client, signer, action, &body).await?;
        let listed: Vec<T> = serde_json::from_value(page[name].take()).map_err(|_| garbled())?;
        items.extend(listed);
        match page["NextToken"].take() {
            Value::String(token) => body["NextToken"] = token.into(),
            _ => return Ok(items),
        }
    }
    Err(garbled())
}

impl RawClient<'_> {
    /// `organizations:ListPolicies`: every policy of a kind.
    pub async fn control_policies(
        &self,
        signer: Signer<'_>,
        kind: ControlType,
    ) -> Result<Vec<ControlPolicy>, Failure> {
        let body = json!({ "Filter": kind.filter() });
        all(self, signer, "ListPolicies", "Policies", body).await
    }

    /// `organizations:ListTargetsForPolicy`: the ids of what a policy is attached to.
    pub async fn policy_targets(
        &self,
        signer: Signer<'_>,
        policy: &str,
    ) -> Result<Vec<String>, Failure> {
        let body = json!({ "PolicyId": policy });
        let targets: Vec<Target> =
            all(self, signer, "ListTargetsForPolicy", "Targets", body).await?;
        Ok(targets.into_iter().map(|target| target.target_id).collect())
    }

    /// `organizations:DescribePolicy`: a policy's JSON.
    pub async fn policy_text(&self, signer: Signer<'_>, policy: &str) -> Result<String, Failure> {
        let body = json!({ "PolicyId": policy });
        let described: Described = call(self, signer, "DescribePolicy", &body).await?;
        Ok(described.policy.content)
    }

    /// `organizations:ListParents`, up to the root: the ids of the units above an account or unit, and the root's.
    pub async fn units_above(
        &self,
        signer: Signer<'_>,
        child: &str,
    ) -> Result<Vec<String>, Failure> {
        /// AWS takes five levels of units under the root.
        const DEEPEST: usize = 10;
        let mut above: Vec<String> = Vec::new();
        while above.len() < DEEPEST {
            let below = above.last().map_or(child, String::as_str);
            let body = json!({ "ChildId": below });
            let parents: Vec<Parent> = all(self, signer, "ListParents", "Parents", body).await?;
            let Some(parent) = parents.into_iter().next() else { break };
            above.push(parent.id);
            if parent.r#type == "ROOT" {
                break;
            }
        }
        Ok(above)
    }
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
