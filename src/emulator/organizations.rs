//! AWS Organizations: the tree of accounts, for those who may list it.

use serde_json::{Value, json};

use super::caller::Caller;
use super::error::AwsError;
use super::iam::page;
use super::organization::{
    Account, AccountStatus, ControlKind, ControlPolicy, Organization, Policy,
};
use super::pattern::Keys;
use super::rules::{Grant, RequestedAction};
use super::state::{State, unit_id};
use super::wire::Inbound;

/// When accounts joined, seconds since 1970.
const JOINED: i64 = 1_767_603_600;

impl State {
    pub(super) fn organizations(
        &mut self,
        inbound: &Inbound,
        caller: &Caller,
    ) -> Result<String, AwsError> {
        let action = format!("organizations:{}", inbound.action);
        let (grant, keys) = (Grant::Identity, Keys::new());
        let requested =
            RequestedAction { action: &action, resource: "*", grant, keys, code_passed: false };
        self.authorise(caller, &requested)?;
        let organization = &self.organization;
        let account = caller.account(organization);
        let may_list = account == organization.management || account == organization.auth;
        if inbound.action != "DescribeOrganization" && !may_list {
            return Err(AwsError::denied("You don't have permissions to access this resource."));
        }
        let field = |name| inbound.fields.get(name).unwrap_or_default();
        let paged = |name: &str, all: Vec<Value>| {
            let (page, next) =
                page(&all, inbound.fields.get("NextToken"), inbound.fields.get("MaxResults"), 20);
            let mut answer = json!({ name: page });
            if let Some(next) = next {
                answer["NextToken"] = json!(next.to_string());
            }
            answer
        };
        // Of thousands, only those of the page are made.
        let accounts = |all: Vec<&Account>| {
            let (from, size) = (inbound.fields.get("NextToken"), inbound.fields.get("MaxResults"));
            let (page, next) = page(&all, from, size, 20);
            let shown: Vec<Value> = page.iter().map(|account| organization.show(account)).collect();
            let mut answer = json!({ "Accounts": shown });
            if let Some(next) = next {
                answer["NextToken"] = json!(next.to_string());
            }
            answer
        };
        let answer = match inbound.action.as_str() {
            "DescribeOrganization" => json!({ "Organization": organization.describe() }),
            "ListAccounts" => accounts(organization.accounts.iter().collect()),
            "ListAccountsForParent" => accounts(organization.accounts_in(field("ParentId"))?),
            "ListRoots" => {
                let root = organization.root();
                let arn = organization.arn(&format!("root/{}/{root}", organization.id));
                paged(
                    "Roots",
                    vec![json!({ "Id": root, "Arn": arn, "Name": "Root", "PolicyTypes": [] })],
                )
            }
            "ListParents" => paged("Parents", vec![organization.parent(field("ChildId"))?]),
            "ListOrganizationalUnitsForParent" => {
                paged("OrganizationalUnits", organization.units_under(field("ParentId"))?)
            }
            "DescribeOrganizationalUnit" => {
                let id = field("OrganizationalUnitId");
                let units = organization.units();
                let path = units.iter().find(|path| organization.unit(path) == id);
                json!({ "OrganizationalUnit": organization.show_unit(path.ok_or_else(|| missing("OrganizationalUnit"))?) })
            }
            "ListTagsForResource" => {
                let id = field("ResourceId");
                let account = organization.find_account(id).ok_or_else(|| missing("TargetId"))?;
                let tags =
                    account.tags.iter().map(|(key, value)| json!({ "Key": key, "Value": value }));
                paged("Tags", tags.collect())
            }
            "ListPolicies" => {
                let kind = control_kind(field("Filter"))?;
                let all = organization.control_policies.iter().filter(|one| one.kind == kind);
                let own =
                    json!({ "Name": "FullAWSAccess", "Id": "p-FullAWSAccess", "AwsManaged": true });
                let all = all.map(|one| organization.show_policy(one));
                paged("Policies", std::iter::once(own).chain(all).collect())
            }
            "ListTargetsForPolicy" => {
                let targets = &organization.control_policy(field("PolicyId"))?.targets;
                let shown = targets.iter().map(|id| {
                    let kind = match id.split('-').next() {
                        Some("r") => "ROOT",
                        Some("ou") => "ORGANIZATIONAL_UNIT",
                        _ => "ACCOUNT",
                    };
                    json!({ "TargetId": id, "Type": kind })
                });
                paged("Targets", shown.collect())
            }
            "DescribePolicy" => {
                let policy = organization.control_policy(field("PolicyId"))?;
                let summary = organization.show_policy(policy);
                let content = policy.policy.document.source();
                json!({ "Policy": { "PolicySummary": summary, "Content": content } })
            }
            _ => return Err(AwsError::unknown_action(inbound)),
        };
        Ok(answer.to_string())
    }
}

fn control_kind(filter: &str) -> Result<ControlKind, AwsError> {
    match filter {
        "SERVICE_CONTROL_POLICY" => Ok(ControlKind::Service),
        "RESOURCE_CONTROL_POLICY" => Ok(ControlKind::Resource),
        _ => {
            let text = "You provided a value that does not match the required pattern.";
            Err(AwsError::new(400, "InvalidInputException", text))
        }
    }
}

fn missing(what: &str) -> AwsError {
    let (code, message) = match what {
        "Policy" => ("PolicyNotFoundException", "You specified a policy that doesn't exist."),
        "Child" => ("ChildNotFoundException", "You specified a child that doesn't exist."),
        "Parent" => ("ParentNotFoundException", "You specified a parent that doesn't exist."),
        "TargetId" => ("TargetNotFoundException", "You specified a target that doesn't exist."),
        _ => (
            "OrganizationalUnitNotFoundException",
            "You specified an organizational unit that doesn't exist.",
        ),
    };
    AwsError::new(400, code, message)
}

impl Organization {
    fn arn(&self, what: &str) -> String {
        format!("arn:{}:organizations::{}:{what}", self.partition, self.management)
    }

    /// The control policies of a kind that bind an account.
    pub(super) fn controls(
        &self,
        account: &Account,
        kind: ControlKind,
    ) -> impl Iterator<Item = &Policy> {
        // Most organizations here have none: the ids of units are not worth making then.
        let above = if self.control_policies.is_empty() {
            Vec::new()
        } else {
            let units = (1..=account.units.len()).map(|depth| self.unit(&account.units[..depth]));
            units.chain([account.id.clone(), self.root()]).collect()
        };
        let binds = move |policy: &&ControlPolicy| {
            policy.kind == kind && policy.targets.iter().any(|target| above.contains(target))
        };
        self.control_policies.iter().filter(binds).map(|policy| &policy.policy)
    }

    fn control_policy(&self, id: &str) -> Result<&ControlPolicy, AwsError> {
        let found = self.control_policies.iter().find(|policy| policy.id == id);
        found.ok_or_else(|| missing("Policy"))
    }

    fn show_policy(&self, policy: &ControlPolicy) -> Value {
        let kind = match policy.kind {
            ControlKind::Service => "service_control_policy",
            ControlKind::Resource => "resource_control_policy",
        };
        json!({
            "Id": policy.id,
            "Arn": self.arn(&format!("policy/{}/{kind}/{}", self.id, policy.id)),
            "Name": policy.name,
            "Type": kind.to_uppercase(),
            "AwsManaged": false,
        })
    }

    fn email(account: &Account) -> String {
        format!("{}@accounts.example", account.id)
    }

    fn describe(&self) -> Value {
        json!({
            "Id": self.id,
            "Arn": self.arn(&format!("organization/{}", self.id)),
            "FeatureSet": "ALL",
            "MasterAccountArn": self.arn(&format!("account/{}/{}", self.id, self.management)),
            "MasterAccountId": self.management,
            "MasterAccountEmail": self.find_account(&self.management).map(Self::email),
        })
    }

    fn show(&self, account: &Account) -> Value {
        let status = match account.status {
            AccountStatus::Active => "ACTIVE",
            AccountStatus::Suspended => "SUSPENDED",
        };
        json!({
            "Id": account.id,
            "Arn": self.arn(&format!("account/{}/{}", self.id, account.id)),
            "Email": Self::email(account),
            "Name": account.name,
            "Status": status,
            "State": status,
            "JoinedMethod": "CREATED",
            "JoinedTimestamp": JOINED,
        })
    }

    /// The id of the root.
    pub fn root(&self) -> String {
        unit_id("r-", &self.id, 4)
    }

    /// The id of a unit by its path from the root.
    pub fn unit(&self, path: &[String]) -> String {
        let root = unit_id("", &self.id, 4);
        unit_id(&format!("ou-{root}-"), &path.join("/"), 8)
    }

    fn show_unit(&self, path: &[String]) -> Value {
        let id = self.unit(path);
        let arn = self.arn(&format!("ou/{}/{id}", self.id));
        json!({ "Id": id, "Arn": arn, "Name": path.last() })
    }

    /// The paths of all units, each once, those on the way included.
    fn units(&self) -> Vec<Vec<String>> {
        let mut units: Vec<Vec<String>> = self
            .accounts
            .iter()
            .flat_map(|account| {
                (1..=account.units.len()).map(|depth| account.units[..depth].to_vec())
            })
            .collect();
        units.sort();
        units.dedup();
        units
    }

    fn container(&self, path: &[String]) -> Value {
        match path {
            [] => json!({ "Id": self.root(), "Type": "ROOT" }),
            path => json!({ "Id": self.unit(path), "Type": "ORGANIZATIONAL_UNIT" }),
        }
    }

    fn parent(&self, child: &str) -> Result<Value, AwsError> {
        if let Some(account) = self.find_account(child) {
            return Ok(self.container(&account.units));
        }
        let units = self.units();
        let path =
            units.iter().find(|path| self.unit(path) == child).ok_or_else(|| missing("Child"))?;
        Ok(self.container(&path[..path.len() - 1]))
    }

    /// The accounts directly in a unit, or in the root.
    fn accounts_in(&self, parent: &str) -> Result<Vec<&Account>, AwsError> {
        let units = self.units();
        let path = match units.iter().find(|path| self.unit(path) == parent) {
            Some(path) => path.as_slice(),
            None if parent == self.root() => &[],
            None => return Err(missing("Parent")),
        };
        Ok(self.accounts.iter().filter(|account| account.units == path).collect())
    }

    fn units_under(&self, parent: &str) -> Result<Vec<Value>, AwsError> {
        let units = self.units();
        let above = match units.iter().find(|path| self.unit(path) == parent) {
            Some(path) => path.as_slice(),
            None if parent == self.root() => &[],
            None => return Err(missing("Parent")),
        };
        let below =
            units.iter().filter(|path| path.len() == above.len() + 1 && path.starts_with(above));
        Ok(below.map(|path| self.show_unit(path)).collect())
    }
}
