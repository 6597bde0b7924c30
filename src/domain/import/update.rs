//! What a new version of an included file changes about a config's targets.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use crate::domain::account::{Catalog, Overrides};
use crate::domain::agents::Allowance;
use crate::domain::guard::Guard;
use crate::domain::ids::{AccountId, RoleArn};
use crate::domain::text::{count, fold, sanitize};

/// How many lines of one kind are shown.
const MAX_LINES: usize = 50;

/// What is different, one line each.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Update {
    /// Targets that were not there.
    pub new: Vec<String>,
    /// Targets that are not there any more.
    pub gone: Vec<String>,
    /// Names that lead to another role, with both.
    pub repointed: Vec<String>,
    /// Targets with less before them, for people or agents, with both.
    pub less_guarded: Vec<String>,
    /// Targets with more before them.
    pub more_guarded: Vec<String>,
}

/// A target of a catalog.
struct Seen {
    shown: String,
    arn: RoleArn,
    guard: Guard,
    agents: Allowance,
}

/// Targets by what a person types: each name and alias, with each role.
fn seen(catalog: &Catalog) -> BTreeMap<(String, String), Seen> {
    let mut seen = BTreeMap::new();
    for row in catalog.rows() {
        let (account, role) = catalog.row(row);
        let target = catalog.resolve(row, &Overrides::default());
        for name in account.names() {
            let one = Seen {
                shown: format!("{}/{}", sanitize(name.as_str()), sanitize(role.name.as_str())),
                arn: target.role.clone(),
                guard: target.guard,
                agents: target.agents,
            };
            seen.insert((fold(name.as_str()), role.name.as_str().to_owned()), one);
        }
    }
    seen
}

impl Update {
    /// What changed from one catalog to the next.
    pub fn between(before: &Catalog, after: &Catalog) -> Self {
        let (before, after) = (seen(before), seen(after));
        let mut update = Self::default();
        // A name whose roles are called otherwise now may lead to another account all the same.
        let accounts =
            |seen: &BTreeMap<(String, String), Seen>| -> BTreeMap<String, BTreeSet<AccountId>> {
                let mut accounts: BTreeMap<String, BTreeSet<AccountId>> = BTreeMap::new();
                for ((name, _), it) in seen {
                    accounts.entry(name.clone()).or_default().insert(it.arn.account());
                }
                accounts
            };
        let (ids_before, ids_after) = (accounts(&before), accounts(&after));
        for (key, now) in &after {
            let Some(was) = before.get(key) else {
                let moved =
                    ids_before.get(&key.0).filter(|ids| Some(*ids) != ids_after.get(&key.0));
                match moved.and_then(BTreeSet::first) {
                    Some(id) => {
                        update.repointed.push(format!("{}: account {id} → {}", now.shown, now.arn));
                    }
                    None => update.new.push(format!("{}: {}", now.shown, now.arn)),
                }
                continue;
            };
            if was.arn != now.arn {
                let (was, arn) = (&was.arn, &now.arn);
                update.repointed.push(format!("{}: {was} → {arn}", now.shown));
            }
            let guards = || format!("{}: {} → {}", now.shown, was.guard.name(), now.guard.name());
            let agents = || {
                let (was, now_may) = (was.agents.name(), now.agents.name());
                format!("{}: agents {was} → {now_may}", now.shown)
            };
            // What agents have follows the guard where nothing is said about them.
            match (now.guard.cmp(&was.guard), now.agents.cmp(&was.agents)) {
                (Ordering::Less, _) => update.less_guarded.push(guards()),
                (_, Ordering::Less) => update.less_guarded.push(agents()),
                (Ordering::Greater, _) => update.more_guarded.push(guards()),
                (Ordering::Equal, Ordering::Greater) => update.more_guarded.push(agents()),
                (Ordering::Equal, Ordering::Equal) => {}
            }
        }
        let gone = before.iter().filter(|(key, _)| !after.contains_key(*key));
        update.gone = gone.map(|(_, was)| format!("{}: {}", was.shown, was.arn)).collect();
        update
    }

    fn kinds(&self) -> [(&'static str, &[String]); 5] {
        [
            ("re-pointed", &self.repointed),
            ("less guarded", &self.less_guarded),
            ("gone", &self.gone),
            ("new", &self.new),
            ("more guarded", &self.more_guarded),
        ]
    }

    /// Whether targets will ask for their name.
    pub fn needs_acceptance(&self) -> bool {
        !self.repointed.is_empty() || !self.less_guarded.is_empty()
    }

    /// A line for each change, the dangerous ones first.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (kind, all) in self.kinds() {
            lines.extend(all.iter().take(MAX_LINES).map(|line| format!("{kind}  {line}")));
            if all.len() > MAX_LINES {
                lines.push(format!("{kind}  and {} more", all.len() - MAX_LINES));
            }
        }
        lines
    }

    /// How many of each kind.
    pub fn summary(&self) -> String {
        let kinds = self.kinds().into_iter().filter(|(_, all)| !all.is_empty());
        let kinds: Vec<String> = kinds.map(|(kind, all)| format!("{} {kind}", all.len())).collect();
        if kinds.is_empty() {
            return "no target changes".to_owned();
        }
        let many: usize = self.kinds().iter().map(|(_, all)| all.len()).sum();
        format!("{}: {}", count(many, "change"), kinds.join(", "))
    }
}
