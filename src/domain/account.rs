//! The accounts a developer may enter, and the target that a person selects among them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::agents::{AgentRule, Allowance};
use super::fault::{Exit, Fault};
use super::flow::Flow;
use super::guard::Guard;
use super::ids::{
    AccountId, ExternalId, Name, PolicyArn, Region, RoleArn, RoleName, RolePath, SourceIdentity,
};
use super::known::Change;
use super::scope::Scope;
use super::text::{fold, nearest};

mod stored;

/// A dev account as the config describes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Account {
    /// What people call it.
    pub name: Name,
    /// Its 12 digits.
    pub id: AccountId,
    /// Other names, from the same namespace.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<Name>,
    /// The roles to enter it by; never empty, the first is the account's own target.
    #[serde(skip)] // the catalog stores them
    pub roles: Vec<Arc<Role>>,
    /// Where its shells start, unless a role says otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<Region>,
    /// The colour of its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub color: Option<Color>,
    /// The guard of every role in it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub guard: Guard,
    /// Words to find it by.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<Arc<str>>,
    /// Free text for the details.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Whether only included files name it: others write these.
    #[serde(default, skip_serializing_if = "is_default")]
    pub is_included: bool,
}

/// A role to enter an account by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Role {
    /// The name in IAM, without its path.
    pub name: RoleName,
    /// The IAM path, `/` for most.
    pub path: RolePath,
    /// How long a session lasts; over an hour means the direct flow.
    pub duration: Duration,
    /// Where its shells start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<Region>,
    /// The role's own guard.
    #[serde(default, skip_serializing_if = "is_default")]
    pub guard: Guard,
    /// What the config says about agents, for the role and its account.
    #[serde(default, skip_serializing_if = "is_default")]
    pub agents: AgentRule,
    /// What about it has changed and is not accepted yet: then the guard is `confirm`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub change: Option<Change>,
    /// What else goes into `AssumeRole`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub session: SessionOptions,
}

/// The rarer inputs of `AssumeRole`. All of them change the credentials.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SessionOptions {
    /// A named limit, `full` for none.
    pub scope: Scope,
    /// Further managed session policies, at most 10 with the scope's.
    pub policy_arns: Vec<PolicyArn>,
    /// An inline session policy, JSON.
    pub policy: Option<String>,
    /// The `ExternalId` that the trust policy asks for.
    pub external_id: Option<ExternalId>,
    /// Session tags, sent with the request.
    pub tags: BTreeMap<String, String>,
    /// The names of those that go on to the sessions of further roles entered from this one.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    // so that sessions without any keep their names
    pub transitive_tags: BTreeSet<String>,
    /// The `SourceIdentity` that CloudTrail records for the session.
    pub source_identity: Option<SourceIdentity>,
}

impl SessionOptions {
    /// Whether the role's own session policies would let a read-only session write: AWS allows what any of a session's
    /// policies allows (<https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies.html#policies_session>).
    pub fn widen_read_only(&self) -> bool {
        let is_read_only =
            |arn: &PolicyArn| arn.as_str().ends_with(":iam::aws:policy/ReadOnlyAccess");
        self.policy.is_some() || !self.policy_arns.iter().all(is_read_only)
    }
}

/// One of the 16 ANSI colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names are the colours")]
pub enum Color {
    Black,
    Red,
    Green,
    Yellow,
    Blue,
    Magenta,
    Cyan,
    Gray,
    DarkGray,
    LightRed,
    LightGreen,
    LightYellow,
    LightBlue,
    LightMagenta,
    LightCyan,
    White,
}

impl Color {
    /// The word for it in a config.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Black => "black",
            Self::Red => "red",
            Self::Green => "green",
            Self::Yellow => "yellow",
            Self::Blue => "blue",
            Self::Magenta => "magenta",
            Self::Cyan => "cyan",
            Self::Gray => "gray",
            Self::DarkGray => "darkgray",
            Self::LightRed => "lightred",
            Self::LightGreen => "lightgreen",
            Self::LightYellow => "lightyellow",
            Self::LightBlue => "lightblue",
            Self::LightMagenta => "lightmagenta",
            Self::LightCyan => "lightcyan",
            Self::White => "white",
        }
    }
}

impl Color {
    /// The number that selects it as the foreground: ECMA-48 `SGR`, 30 to 37, and 90 to 97 for the light ones.
    pub const fn sgr(self) -> u8 {
        let index = self as u8;
        if index < 8 { 30 + index } else { 82 + index }
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Every account of one auth account, in the config's order. Names are unique after folding.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(try_from = "stored::Stored")]
pub struct Catalog {
    accounts: Vec<Account>,
    /// The region of accounts that name none: from which account on, and which. Every file of a config
    /// has its own `defaults`.
    default_regions: Vec<(u32, Option<Region>)>,
}

/// A row of the list: an account's role, by position in the catalog.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TargetRef {
    /// The account's position in the catalog.
    pub account: u32,
    /// The role's position in the account.
    pub role: u32,
}

/// A name that is not in the config, and similar ones that are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownTarget {
    /// What was asked for.
    pub name: String,
    /// What may have been meant, best first.
    pub nearest: Vec<String>,
}

/// What the command line or the picker changes about a target.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Overrides {
    /// `--region`
    pub region: Option<Region>,
    /// The user's own region, from the environment: weaker than the account's region, stronger than the default.
    pub ambient_region: Option<Region>,
    /// `--duration`
    pub duration: Option<Duration>,
    /// `--scope`, `^T`
    pub scope: Option<Scope>,
}

/// A target with everything decided: what one role session is made from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Target {
    /// The account's name in the config.
    pub account: Name,
    /// The account's other names.
    pub aliases: Vec<Name>,
    /// The account that `role` is in.
    pub id: AccountId,
    /// The role to assume.
    pub role: RoleArn,
    /// The child's `AWS_REGION`; `None` where neither the config nor the command line names one.
    pub region: Option<Region>,
    /// How long the session shall last: 15 min to 12 h.
    pub duration: Duration,
    /// The strictest of the account's, the role's and `min_guard`.
    pub guard: Guard,
    /// What agents get of it.
    #[serde(default)]
    pub agents: Allowance,
    /// What about it has changed and is not accepted yet.
    #[serde(default, skip_serializing_if = "is_default")]
    pub change: Option<Change>,
    /// The colour of the account's name.
    pub color: Option<Color>,
    /// What else goes into `AssumeRole`.
    pub session: SessionOptions,
}

impl Target {
    /// `account/role`, as every verb takes it.
    pub fn name(&self) -> String {
        format!("{}/{}", self.account, self.role.name())
    }

    /// What differs between what was decided before and what is decided now, apart from how it looks. `None` where
    /// entering `now` is entering the same.
    pub fn change_to(&self, now: &Self) -> Option<String> {
        if self.id != now.id {
            Some(format!("account {}, before it was {}", now.id, self.id))
        } else if self.role != now.role {
            Some(format!("{}, before it was {}", now.role, self.role))
        } else if now.guard > self.guard {
            Some(format!("{}, guarded by `{}`", now.role, now.guard.name()))
        } else if self.session != now.session {
            Some(format!("{}, with other session options", now.role))
        } else {
            None
        }
    }

    /// What about it has changed and is not accepted yet, one line each.
    pub fn changes(&self) -> Vec<String> {
        self.change.iter().flat_map(|change| change.lines(&self.role)).collect()
    }

    /// The fault of a scope that would limit nothing.
    pub fn vain_scope(&self) -> Option<Fault> {
        let is_vain = self.session.scope == Scope::ReadOnly && self.session.widen_read_only();
        is_vain.then(|| {
            Fault::new(Exit::Usage, format!("{self} cannot be entered read-only"))
                .because("the role has `policy` or `policy_arns`, and AWS allows a session what any of its policies allows")
                .fix("enter it with the full scope (^T, or no --scope), or remove these keys from the role in the config")
        })
    }

    /// The flow that its duration needs.
    pub fn flow(&self) -> Flow {
        Flow::of(self.duration)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.account, self.role.name())
    }
}

impl Catalog {
    /// A catalog of accounts whose names and ids the config has found to be unique.
    pub fn new(accounts: Vec<Account>, default_region: Option<Region>) -> Self {
        Self::joined(accounts, vec![(0, default_region)])
    }

    /// A catalog of several files' accounts: from which account on which default region holds,
    /// in rising order.
    pub fn joined(accounts: Vec<Account>, default_regions: Vec<(u32, Option<Region>)>) -> Self {
        Self { accounts, default_regions }
    }

    /// The region of an account that names none, by its position.
    pub fn default_region(&self, account: u32) -> Option<&Region> {
        let after = self.default_regions.partition_point(|(from, _)| *from <= account);
        self.default_regions.get(after.checked_sub(1)?)?.1.as_ref()
    }

    /// The accounts, in the config's order.
    pub fn accounts(&self) -> &[Account] {
        &self.accounts
    }

    /// Every row of the list, in the config's order.
    pub fn rows(&self) -> impl Iterator<Item = TargetRef> + '_ {
        (0u32..).zip(&self.accounts).flat_map(|(account, a)| {
            (0u32..).zip(&a.roles).map(move |(role, _)| TargetRef { account, role })
        })
    }

    /// The rows that have changed, where that is not accepted yet.
    pub fn changed(&self) -> impl Iterator<Item = TargetRef> + '_ {
        self.rows().filter(|row| self.row(*row).1.change.is_some())
    }

    /// The account and role of a row.
    ///
    /// # Panics
    /// If the row comes from another catalog.
    pub fn row(&self, row: TargetRef) -> (&Account, &Role) {
        let account = &self.accounts[row.account as usize];
        (account, &account.roles[row.role as usize])
    }

    /// The role's ARN for a row; its partition follows the region.
    pub fn role_arn(&self, row: TargetRef) -> RoleArn {
        let (account, role) = self.row(row);
        let partition = self.region(row).map_or(super::ids::Partition::Aws, Region::partition);
        RoleArn::new(partition, account.id, &role.path, &role.name)
    }

    /// Where a row's shells start by the config alone, the default included.
    pub fn region(&self, row: TargetRef) -> Option<&Region> {
        let (account, role) = self.row(row);
        role.region
            .as_ref()
            .or(account.region.as_ref())
            .or_else(|| self.default_region(row.account))
    }

    /// The row of a role in an account.
    pub fn row_of(&self, id: AccountId, role: &str) -> Option<TargetRef> {
        let (account, a) = (0u32..).zip(&self.accounts).find(|(_, account)| account.id == id)?;
        let (role, _) = (0u32..).zip(&a.roles).find(|(_, r)| r.name.as_str() == role)?;
        Some(TargetRef { account, role })
    }

    /// Finds the one target a name means: `account` or `account/role`, where the account is a name,
    /// an alias or an id; or the ARN of a role that the config has. Exact after folding; never a guess.
    pub fn find(&self, name: &str) -> Result<TargetRef, UnknownTarget> {
        if name.starts_with("arn:") {
            let found = self.rows().find(|row| self.role_arn(*row).as_str() == name);
            let unknown = || UnknownTarget { name: name.into(), nearest: Vec::new() };
            return found.ok_or_else(unknown);
        }
        let (account_name, role_name) = match name.split_once('/') {
            Some((account, role)) => (account, Some(role)),
            None => (name, None),
        };
        let wanted = fold(account_name);
        let digits = wanted.replace('-', "");
        let found = (0u32..).zip(&self.accounts).find(|(_, account)| {
            account.names().any(|n| fold(n.as_str()) == wanted)
                || digits.len() == 12 && account.id.to_string() == digits
        });
        let Some((account, a)) = found else {
            let names = self.accounts.iter().flat_map(Account::names).map(Name::as_str);
            let nearest = nearest(account_name, names).into_iter();
            let suffix = role_name.map(|role| format!("/{role}")).unwrap_or_default();
            return Err(UnknownTarget {
                name: name.into(),
                nearest: nearest.map(|n| format!("{n}{suffix}")).collect(),
            });
        };
        let role = match role_name {
            None => Some(0),
            Some(role) => {
                (0u32..).zip(&a.roles).find(|(_, r)| r.name.as_str() == role).map(|(i, _)| i)
            }
        };
        role.map(|role| TargetRef { account, role }).ok_or_else(|| {
            let roles = a.roles.iter().map(|role| role.name.as_str());
            let near = nearest(role_name.unwrap_or_default(), roles.clone());
            let shown: Vec<&str> = if near.is_empty() { roles.take(3).collect() } else { near };
            let nearest = shown.into_iter().map(|role| format!("{}/{role}", a.name)).collect();
            UnknownTarget { name: name.into(), nearest }
        })
    }

    /// Decides everything about a row.
    pub fn resolve(&self, row: TargetRef, overrides: &Overrides) -> Target {
        let (account, role) = self.row(row);
        let region = overrides
            .region
            .as_ref()
            .or(role.region.as_ref())
            .or(account.region.as_ref())
            .or(overrides.ambient_region.as_ref())
            .or_else(|| self.default_region(row.account));
        let guard = account.guard.max(role.guard);
        Target {
            account: account.name.clone(),
            aliases: account.aliases.clone(),
            id: account.id,
            role: self.role_arn(row),
            region: region.cloned(),
            duration: overrides.duration.unwrap_or(role.duration),
            guard,
            agents: role.agents.under(guard),
            change: role.change.clone(),
            color: account.color,
            session: SessionOptions {
                scope: overrides.scope.unwrap_or(role.session.scope),
                ..role.session.clone()
            },
        }
    }
}

impl Account {
    /// The name, then the aliases.
    pub fn names(&self) -> impl Iterator<Item = &Name> {
        std::iter::once(&self.name).chain(&self.aliases)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn catalog() -> Catalog {
        let role = |name: &str, hours: u64| {
            Arc::new(Role {
                name: name.parse().unwrap(),
                path: RolePath::root(),
                duration: Duration::from_secs(hours * 3600),
                region: None,
                guard: Guard::None,
                agents: AgentRule::default(),
                change: None,
                session: SessionOptions::default(),
            })
        };
        let account = |name: &str, id: &str, alias: &str, region: Option<&str>| Account {
            name: name.parse().unwrap(),
            id: id.parse().unwrap(),
            aliases: vec![alias.parse().unwrap()],
            roles: vec![role("Developer", 1), role("Admin", 4)],
            region: region.map(|r| r.parse().unwrap()),
            color: None,
            guard: Guard::Confirm,
            tags: Vec::new(),
            note: None,
            is_included: false,
        };
        Catalog::new(
            vec![
                account("dev-tanaka", "222222222222", "mine", None),
                account("開発-田中", "012345678901", "jp", Some("cn-north-1")),
            ],
            Some("ap-northeast-1".parse().unwrap()),
        )
    }

    #[test]
    fn a_target_is_found_by_name_alias_and_id_and_never_guessed() {
        let catalog = catalog();
        let at = |account, role| Ok(TargetRef { account, role });
        assert_eq!(catalog.find("dev-tanaka"), at(0, 0));
        assert_eq!(catalog.find("ＭＩＮＥ/Admin"), at(0, 1));
        assert_eq!(catalog.find("2222-2222-2222"), at(0, 0));
        assert_eq!(catalog.find("012345678901/Developer"), at(1, 0));
        assert_eq!(catalog.find("dev-tanka/Admin").unwrap_err().nearest, ["dev-tanaka/Admin"]);
        assert_eq!(catalog.find("mine/Admn").unwrap_err().nearest, ["dev-tanaka/Admin"]);
        assert!(catalog.find("dev").is_err());
        let arn = catalog.role_arn(TargetRef { account: 0, role: 1 });
        assert_eq!(catalog.find(arn.as_str()), at(0, 1));
        assert!(
            catalog.find("arn:aws:iam::222222222222:role/Other").unwrap_err().nearest.is_empty()
        );
    }

    #[test]
    fn regions_follow_their_order_and_partitions_the_region() {
        let catalog = catalog();
        let ambient = Overrides {
            ambient_region: Some("eu-west-1".parse().unwrap()),
            ..Overrides::default()
        };
        let region = |row, overrides: &Overrides| {
            catalog.resolve(row, overrides).region.unwrap().to_string()
        };
        let (plain, chinese) = (catalog.find("mine").unwrap(), catalog.find("jp").unwrap());
        assert_eq!(region(plain, &Overrides::default()), "ap-northeast-1");
        assert_eq!(region(plain, &ambient), "eu-west-1");
        assert_eq!(region(chinese, &ambient), "cn-north-1");
        assert_eq!(
            catalog.role_arn(chinese).as_str(),
            "arn:aws-cn:iam::012345678901:role/Developer"
        );
    }

    #[test]
    fn a_guard_opens_to_the_accounts_own_names_only() {
        use crate::domain::agents::Driver;
        use crate::domain::confirmation::{Confirmation, Unconfirmed};
        let target = || catalog().resolve(TargetRef { account: 0, role: 0 }, &Overrides::default());
        let clear = |confirmation| target().clear(confirmation, &Driver::Person);
        for right in ["dev-tanaka", " DEV-tanaka ", "mine", "222222222222", "2222-2222-2222"] {
            assert!(clear(Confirmation::Typed(right)).is_ok(), "{right}");
        }
        assert_eq!(clear(Confirmation::Typed("dev")).unwrap_err(), Unconfirmed::Mismatch);
        assert_eq!(clear(Confirmation::Absent).unwrap_err(), Unconfirmed::Missing);
        assert!(clear(Confirmation::Renewal).is_ok());
    }
}
