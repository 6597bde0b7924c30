//! What included targets stood for when they were last read, as ssh's `known_hosts` remembers a host's key.
//!
//! Others write included files. Where they let a name lead to another role, take a guard away, or let AI agents have more,
//! on purpose or by a slip, the target asks for its name until the change is accepted. What is new is simply new, and what the main file says is
//! the person's own word.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use super::agents::Allowance;
use super::guard::Guard;
use super::ids::{AccountId, Partition, RoleArn, RoleName, RolePath};

/// The included accounts of one config, as they were.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known(BTreeMap<AccountId, KnownAccount>);

/// An included account, as it was.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownAccount {
    /// The name and the aliases that included files gave it, folded.
    pub names: Vec<String>,
    /// Its roles in the config's order: a name alone meant the first.
    pub roles: Vec<KnownRole>,
    /// The tags of included files that `min_guard` knew, folded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Whether the main file had an entry for it, too: one that may be all that is left.
    #[serde(default, skip_serializing_if = "is_default")]
    pub is_overlaid: bool,
}

/// A role of an included account, as it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownRole {
    /// The name in IAM.
    pub name: RoleName,
    /// The path in IAM.
    #[serde(default = "RolePath::root", skip_serializing_if = "RolePath::is_root")]
    pub path: RolePath,
    /// Follows the region.
    #[serde(default, skip_serializing_if = "is_default")]
    pub partition: Partition,
    /// The guard that included files put before it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub guard: Guard,
    /// What included files let agents have of it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub agents: Allowance,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// An account as it is read now, with what is remembered of it.
#[derive(Debug)]
pub struct ReadAccount {
    /// Its 12 digits.
    pub id: AccountId,
    /// What is to be remembered.
    pub account: KnownAccount,
    /// More about each of its roles.
    pub roles: Vec<ReadRole>,
    /// Whether an included file has it.
    pub is_included: bool,
}

/// What of a role is not remembered.
#[derive(Debug)]
pub struct ReadRole {
    /// The guard that all files together put before it.
    pub guard: Guard,
    /// What all files together let agents have of it.
    pub agents: Allowance,
    /// Whether the main file names it.
    pub is_own: bool,
}

/// How a target has changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// A name that led to another role, and that role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    moved: Option<(String, RoleArn)>,
    /// The guard it had, and the weaker one it would have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    loosened: Option<(Guard, Guard)>,
    /// What agents had of it, and the more that they would have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    opened: Option<(Allowance, Allowance)>,
}

impl Change {
    /// What it was and what it is, one line each; `role` is the target's.
    pub fn lines(&self, role: &RoleArn) -> Vec<String> {
        let moved =
            self.moved.iter().map(|(name, was)| format!("{name} was {was}, now it is {role}"));
        let loosened = self.loosened.iter().map(|(was, is)| {
            format!("its guard was `{}`, now included files say `{}`", was.name(), is.name())
        });
        let opened = self.opened.iter().map(|(was, is)| {
            format!("its `agents` was `{}`, now included files say `{}`", was.name(), is.name())
        });
        moved.chain(loosened).chain(opened).collect()
    }
}

impl Known {
    /// Whether nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many accounts are remembered.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether an account was in the main file and in an included one.
    pub fn was_overlaid(&self, id: AccountId) -> bool {
        self.0.get(&id).is_some_and(|account| account.is_overlaid)
    }

    /// What has changed: the account's position, its role's, and how. `floor` is the least guard of a tag or role.
    pub fn changes(
        &self,
        read: &[ReadAccount],
        floor: impl Fn(&str) -> Guard,
    ) -> Vec<(usize, usize, Change)> {
        let names = self.0.iter().flat_map(|(id, account)| {
            account.names.iter().map(move |name| (name.as_str(), (*id, account)))
        });
        let by_name: HashMap<&str, (AccountId, &KnownAccount)> = names.collect();
        let mut changes = Vec::new();
        for (position, now) in read.iter().enumerate() {
            let moved = now.account.names.iter().find_map(|name| {
                let (id, before) = by_name.get(name.as_str())?;
                (*id != now.id).then_some((name, *id, *before))
            });
            let before = self.0.get(&now.id);
            if before.is_none() && moved.is_none() {
                continue;
            }
            let tags = before.iter().flat_map(|before| &before.tags);
            let tags = tags.map(|tag| floor(tag)).max().unwrap_or_default();
            for (at, role) in now.account.roles.iter().enumerate() {
                let known = before.and_then(|before| before.role(&role.name));
                let moved = match (moved, before) {
                    (Some((name, id, other)), _) => {
                        let was = other.role(&role.name).or(other.roles.first());
                        was.map(|was| (name.clone(), was.arn(id)))
                    }
                    (None, Some(before)) if !now.roles[at].is_own => {
                        now.moved_inside(before, at).map(|(name, was)| (name, was.arn(now.id)))
                    }
                    (None, _) => None,
                };
                let is = now.roles[at].guard;
                let same = known.filter(|known| known.leads_to(role));
                let was = same.map(|known| known.guard.max(tags).max(floor(known.name.as_str())));
                let loosened = was.filter(|was| *was > is).map(|was| (was, is));
                let may = now.roles[at].agents;
                let opened = same.map(|known| known.agents).filter(|might| *might > may);
                let opened = opened.map(|might| (might, may));
                if moved.is_some() || loosened.is_some() || opened.is_some() {
                    changes.push((position, at, Change { moved, loosened, opened }));
                }
            }
        }
        changes
    }

    /// Remembers what is read now, except of accounts that have changed: what they were stays until that is accepted. So
    /// does what is not there any more, since it may come back as something else.
    pub fn learn(&mut self, read: &[ReadAccount], is_changed: impl Fn(usize) -> bool) {
        for (position, now) in read.iter().enumerate() {
            if now.is_included && !is_changed(position) {
                self.put(now);
            }
        }
    }

    /// Remembers an account as it is read now, whatever it was.
    pub fn accept(&mut self, now: &ReadAccount) {
        for account in self.0.values_mut() {
            account.names.retain(|name| !now.account.names.contains(name));
        }
        if now.is_included {
            self.put(now);
        } else {
            self.0.remove(&now.id);
        }
    }

    fn put(&mut self, now: &ReadAccount) {
        let mut account = now.account.clone();
        // A name or a role that is gone may come back as something else. The first role stays the first.
        if let Some(before) = self.0.remove(&now.id) {
            let gone = |name: &String| !now.account.names.contains(name);
            account.names.extend(before.names.into_iter().filter(gone));
            let gone = |role: &KnownRole| now.account.role(&role.name).is_none();
            account.roles.extend(before.roles.into_iter().filter(gone));
        }
        self.0.insert(now.id, account);
    }
}

impl KnownAccount {
    fn role(&self, name: &RoleName) -> Option<&KnownRole> {
        self.roles.iter().find(|role| role.name == *name)
    }
}

impl KnownRole {
    fn arn(&self, account: AccountId) -> RoleArn {
        RoleArn::new(self.partition, account, &self.path, &self.name)
    }

    /// Whether it has the same ARN, in the same account.
    fn leads_to(&self, other: &Self) -> bool {
        (&self.name, &self.path, self.partition) == (&other.name, &other.path, other.partition)
    }
}

impl ReadAccount {
    /// The role of the same account that one of its names led to before: under the role's name, or as the first.
    fn moved_inside<'k>(
        &self,
        before: &'k KnownAccount,
        at: usize,
    ) -> Option<(String, &'k KnownRole)> {
        let name = self.account.names.first().or(before.names.first())?;
        let role = &self.account.roles[at];
        if let Some(known) = before.role(&role.name).filter(|known| !known.leads_to(role)) {
            return Some((format!("{name}/{}", role.name), known));
        }
        let first = before.roles.first().filter(|first| at == 0 && first.name != role.name)?;
        Some((name.clone(), first))
    }
}
