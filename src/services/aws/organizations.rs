//! AWS Organizations: its accounts and control policies.
//!
//! <https://docs.aws.amazon.com/organizations/latest/APIReference/API_Operations.html>

use std::time::Duration;

use futures_util::future::join_all;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::domain::config::MAX_ACCOUNTS;
use crate::domain::fault::{Exit, Fault};
use crate::domain::ids::AccountId;
use crate::domain::import::organization::{Member, Selection, TagFilter};

use super::request::{RawClient, Request};
use super::{Aws, Doing, Failure, FailureKind, Signer};

/// Pages of policies, targets or parents that are read at most: a server may always return another one.
const MAX_PAGES: usize = 500;

/// A control policy of the organization.
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
struct Unit {
    id: String,
    #[serde(default)]
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Tag {
    key: String,
    #[serde(default)]
    value: String,
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
    /// The chosen accounts of the signer's organization, in AWS's order.
    pub async fn members(
        &self,
        signer: Signer<'_>,
        selection: &Selection,
    ) -> Result<Vec<Member>, Fault> {
        let client = self.raw();
        let survey = Survey { client: &client, signer };
        let members = if selection.units.is_empty() && !selection.names_units {
            let listed: Vec<Listed> = survey.list("ListAccounts", "Accounts", json!({})).await?;
            listed.into_iter().filter_map(|listed| member(listed, None)).collect()
        } else {
            survey.in_units(&selection.units).await?
        };
        survey.tagged(members, &selection.tags).await
    }
}

/// How deep units are nested at most; AWS takes five levels under the root.
const DEEPEST: usize = 10;
/// How many accounts' tags are asked for at a time.
const AT_A_TIME: usize = 8;

/// Reads an organization of thousands of accounts, where AWS throttles sooner or later.
struct Survey<'a> {
    client: &'a RawClient<'a>,
    signer: Signer<'a>,
}

impl Survey<'_> {
    /// Every page of a list.
    async fn list<T: DeserializeOwned>(
        &self,
        action: &str,
        name: &str,
        body: Value,
    ) -> Result<Vec<T>, Fault> {
        let ask = async |body: &Value| self.patiently(action, body).await;
        let listed = pages(action, name, body, MAX_ACCOUNTS / 10, ask).await;
        listed.map_err(|failure| refused(&failure, action))
    }

    /// One call, repeated for a minute while AWS throttles: a list that breaks off is worth nothing.
    async fn patiently(&self, action: &str, body: &Value) -> Result<Value, Failure> {
        const LONGEST: Duration = Duration::from_secs(8);
        const PATIENCE: Duration = Duration::from_mins(1);
        let mut pause = Duration::from_millis(250);
        let mut waited = Duration::ZERO;
        loop {
            match call(self.client, self.signer, action, body).await {
                Err(failure) if failure.kind == FailureKind::Busy && waited < PATIENCE => {
                    tokio::time::sleep(pause).await;
                    waited += pause;
                    pause = LONGEST.min(pause * 2);
                }
                answer => return answer,
            }
        }
    }

    /// The accounts in units and below them; in all where none is named.
    async fn in_units(&self, wanted: &[String]) -> Result<Vec<Member>, Fault> {
        let roots: Vec<Unit> = self.list("ListRoots", "Roots", json!({})).await?;
        let mut starts: Vec<Unit> = Vec::new();
        if wanted.is_empty() {
            starts = roots;
        } else {
            for unit in wanted {
                let start = if unit.starts_with("ou-") {
                    let (action, body) =
                        ("DescribeOrganizationalUnit", json!({ "OrganizationalUnitId": unit }));
                    let found = self.patiently(action, &body).await;
                    let mut found = found.map_err(|failure| refused(&failure, action))?;
                    serde_json::from_value(found["OrganizationalUnit"].take()).ok()
                } else if unit.starts_with("r-") {
                    Some(Unit { id: unit.clone(), name: String::new() })
                } else {
                    self.by_path(&roots, unit).await?
                };
                starts.push(start.ok_or_else(|| {
                    let unit = crate::domain::text::sanitize(unit);
                    Fault::new(Exit::Usage, format!("there is no organizational unit {unit}"))
                        .fix("name it by its id, ou-…, or by the names on the way from the root: Workloads/Dev")
                })?);
            }
        }
        let mut members: Vec<Member> = Vec::new();
        let mut open: Vec<(Unit, usize)> = starts.into_iter().map(|unit| (unit, 0)).collect();
        while let Some((unit, depth)) = open.pop() {
            let body = json!({ "ParentId": unit.id });
            let accounts: Vec<Listed> =
                self.list("ListAccountsForParent", "Accounts", body).await?;
            members.extend(accounts.into_iter().filter_map(|it| member(it, Some(&unit.name))));
            if depth < DEEPEST {
                let below = self.units_in(&unit.id).await?;
                open.extend(below.into_iter().map(|unit| (unit, depth + 1)));
            }
        }
        // One unit may be within another.
        members.sort_by_key(|member| member.id);
        members.dedup_by_key(|member| member.id);
        Ok(members)
    }

    async fn units_in(&self, parent: &str) -> Result<Vec<Unit>, Fault> {
        let body = json!({ "ParentId": parent });
        self.list("ListOrganizationalUnitsForParent", "OrganizationalUnits", body).await
    }

    /// A unit by the names on the way from the root.
    async fn by_path(&self, roots: &[Unit], path: &str) -> Result<Option<Unit>, Fault> {
        let mut at: Option<Unit> = None;
        for name in path.split('/').filter(|name| !name.is_empty()) {
            let above = at.as_ref().or(roots.first());
            let Some(above) = above else { return Ok(None) };
            let below = self.units_in(&above.id).await?;
            at = below.into_iter().find(|unit| unit.name == name);
            if at.is_none() {
                return Ok(None);
            }
        }
        Ok(at)
    }

    /// The members with all of some tags.
    async fn tagged(
        &self,
        members: Vec<Member>,
        filters: &[TagFilter],
    ) -> Result<Vec<Member>, Fault> {
        if filters.is_empty() {
            return Ok(members);
        }
        let mut tagged = Vec::new();
        // What is left out anyway needs no call.
        let asked: Vec<Member> = members.into_iter().filter(|member| member.is_active).collect();
        for members in asked.chunks(AT_A_TIME) {
            let calls = members.iter().map(async |member: &Member| {
                let body = json!({ "ResourceId": member.id.to_string() });
                let tags: Vec<Tag> = self.list("ListTagsForResource", "Tags", body).await?;
                let has = |filter: &TagFilter| {
                    tags.iter().any(|tag| filter.matches(&tag.key, &tag.value))
                };
                Ok(filters.iter().all(has))
            });
            let answers = join_all(calls).await;
            for (member, answer) in members.iter().zip(answers) {
                if answer? {
                    tagged.push(member.clone());
                }
            }
        }
        Ok(tagged)
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
    body: Value,
) -> Result<Vec<T>, Failure> {
    let ask = async |body: &Value| call(client, signer, action, body).await;
    pages(action, name, body, MAX_PAGES, ask).await
}

/// Asks for page after page, at most so many. A page may be empty and not the last; the limit stops a server that always
/// returns another one.
async fn pages<T: DeserializeOwned>(
    action: &str,
    name: &str,
    mut body: Value,
    limit: usize,
    ask: impl AsyncFn(&Value) -> Result<Value, Failure>,
) -> Result<Vec<T>, Failure> {
    let garbled = || Failure::garbled(&format!("organizations:{action}"));
    let mut items = Vec::new();
    for _ in 0..limit {
        let mut page = ask(&body).await?;
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

fn member(listed: Listed, unit: Option<&str>) -> Option<Member> {
    let management = listed.arn.split(':').nth(4)?.parse().ok()?;
    let state = listed.state.or(listed.status);
    Some(Member {
        id: listed.id,
        name: listed.name,
        management,
        unit: unit.map(ToOwned::to_owned),
        is_active: state.as_deref() == Some("ACTIVE"),
    })
}

fn refused(failure: &Failure, action: &str) -> Fault {
    let grant = format!(
        "have the management account make the auth account a delegated administrator, and allow your user organizations:{action}"
    );
    let through =
        "or list with a role of the management account that is in your config: --via TARGET";
    match (failure.kind, failure.code.as_deref()) {
        (FailureKind::Denied | FailureKind::IdentityDeny, _) => Fault::new(
            Exit::Refused,
            "AWS does not let you list the organization's accounts",
        )
        .because("only the organization's management account and delegated administrators may")
        .because(format!("no policy of your IAM user allows organizations:{action}"))
        .fix(grant)
        .fix(through),
        (_, Some("AWSOrganizationsNotInUseException")) => Fault::new(
            Exit::Refused,
            "the auth account does not belong to an organization",
        )
        .because(failure.message.clone())
        .fix("write the accounts into the config by hand, or run `sekisho import aws-config --write`"),
        (_, Some("OrganizationalUnitNotFoundException" | "ParentNotFoundException")) => {
            Fault::new(Exit::Usage, "there is no such organizational unit")
                .because(failure.message.clone())
                .fix("name it by its id, ou-…, or by the names on the way from the root: Workloads/Dev")
        }
        _ => failure.fault(Doing::Asking),
    }
}
