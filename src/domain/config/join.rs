//! The accounts of all files become one list: each id once, each name once.

use std::collections::HashMap;
use std::collections::hash_map;

use super::diagnostic::{Diagnostics, quoted};
use super::entry::Entry;
use super::role::RoleEntry;
use super::{At, SourceRef};
use crate::domain::agents::Allowance;
use crate::domain::guard::Guard;
use crate::domain::ids::{AccountId, Name, RoleName};
use crate::domain::lookalike;
use crate::domain::text::fold;

/// Every account once: the main file's own, then each included file's with the main file's overlay.
pub(super) fn joined(
    diagnostics: &mut Diagnostics,
    main: Vec<Entry>,
    included: impl Iterator<Item = Entry>,
) -> Vec<Entry> {
    let mut own: Vec<Option<Entry>> = Vec::with_capacity(main.len());
    let mut by_id: HashMap<AccountId, (usize, SourceRef)> = HashMap::new();
    for entry in main {
        let At { value: id, source } = entry.id;
        if let Some((_, first)) = by_id.get(&id) {
            let what = format!("the account {id} is already listed on line {}", first.pos.line);
            diagnostics.fault(source, what, Some("keep one of them"));
            continue;
        }
        by_id.insert(id, (own.len(), source));
        own.push(Some(entry));
    }
    let mut rest: Vec<Entry> = Vec::new();
    let mut seen: HashMap<AccountId, usize> = HashMap::new();
    for entry in included {
        let At { value: id, source } = entry.id;
        if let Some(first) = seen.get(&id).and_then(|position| rest.get_mut(*position)) {
            let what = format!(
                "the account {id} is already listed in {}",
                diagnostics.place(first.id.source)
            );
            let fix = "keep one of them; until then the stricter guard holds";
            diagnostics.fault(source, what, Some(fix));
            first.restrict_by(entry);
            continue;
        }
        seen.insert(id, rest.len());
        rest.push(entry);
    }
    let rest = rest.into_iter().map(|entry| match by_id.get(&entry.id.value) {
        Some((i, _)) => match own[*i].take() {
            Some(overlay) => overlay.over(entry),
            None => entry,
        },
        None => entry,
    });
    let mut rest: Vec<Entry> = rest.collect();
    let mut all: Vec<Entry> = own.into_iter().flatten().collect();
    all.append(&mut rest);
    all.retain(|entry| !entry.hide);
    all
}

/// The entries whose names are theirs alone. The main file's names come first, so that no included
/// file can take one.
pub(super) fn named(diagnostics: &mut Diagnostics, entries: Vec<Entry>) -> Vec<Entry> {
    let mut names = Names::default();
    for entry in &entries {
        names.claim(diagnostics, entry, |source| source.file == 0);
    }
    entries
        .into_iter()
        .filter_map(|mut entry| {
            if names.claim(diagnostics, &entry, |source| source.file != 0) {
                return Some(entry);
            }
            // What the main file names stays, without the aliases that an included file added.
            entry.aliases = entry.aliases.filter(|aliases| aliases.source.file == 0);
            let is_named_here = entry.name.as_ref().is_some_and(|name| name.source.file == 0);
            is_named_here.then_some(entry)
        })
        .collect()
}

/// Who has which name.
#[derive(Default)]
struct Names {
    /// By folded name.
    taken: HashMap<String, SourceRef>,
    /// The first of each skeleton, and whose it is.
    looks: HashMap<String, (AccountId, Name, SourceRef)>,
}

impl Names {
    /// Claims those of an entry's names whose place satisfies `here`: all of them, or none.
    fn claim(
        &mut self,
        diagnostics: &mut Diagnostics,
        entry: &Entry,
        here: impl Fn(SourceRef) -> bool,
    ) -> bool {
        let mut claimed: Vec<(String, &Name, SourceRef)> = Vec::new();
        let mut is_free = true;
        for (name, source) in entry.names().filter(|(_, source)| here(*source)) {
            let folded = fold(name.as_str());
            let own = || claimed.iter().find(|(own, ..)| *own == folded).map(|(.., source)| source);
            let taken = self.taken.get(&folded).or_else(own);
            let (what, fix) = if reads_as_other_id(&folded, entry.id.value) {
                ("reads as another account's id".to_owned(), None)
            } else if let Some(first) = taken {
                let fix = "names and aliases must be unique, ignoring case and width";
                (format!("is already used in {}", diagnostics.place(*first)), Some(fix))
            } else {
                claimed.push((folded, name, source));
                continue;
            };
            is_free = false;
            diagnostics.fault(source, format!("the name {} {what}", quoted(name.as_str())), fix);
        }
        if is_free {
            for (folded, name, source) in claimed {
                self.compare(diagnostics, entry.id.value, name, &folded, source);
                self.taken.insert(folded, source);
            }
        }
        is_free
    }

    /// Warns about a name that is easily taken for another account's.
    fn compare(
        &mut self,
        diagnostics: &mut Diagnostics,
        id: AccountId,
        name: &Name,
        folded: &str,
        source: SourceRef,
    ) {
        let text = name.as_str();
        if let Some((c, script)) = lookalike::mixed_scripts(text) {
            let what = format!(
                "the name {} mixes scripts as no language does: its U+{:04X} is {script}",
                quoted(text),
                u32::from(c)
            );
            diagnostics.remark(source, what, Some("check the id before you use it"));
        }
        // Case counts for neither the config nor, always, the eye.
        for look in [text, folded].iter().take(if text == folded { 1 } else { 2 }) {
            match self.looks.entry(lookalike::skeleton(look)) {
                hash_map::Entry::Vacant(free) => {
                    free.insert((id, name.clone(), source));
                }
                hash_map::Entry::Occupied(first) => {
                    let (other, first, place) = first.get();
                    if *other != id {
                        let (text, first) = (quoted(text), quoted(first.as_str()));
                        let place = diagnostics.place(*place);
                        let what = format!("the name {text} looks like {first} of {place}");
                        let fix = format!("it is {id}, the other one {other}: rename one of them");
                        return diagnostics.remark(source, what, Some(&fix));
                    }
                }
            }
        }
    }
}

/// Whether a name could be meant as an id, and not this account's.
fn reads_as_other_id(folded: &str, own: AccountId) -> bool {
    let digits = folded.replace('-', "");
    digits.parse::<AccountId>().is_ok_and(|id| id != own)
}

impl Entry {
    /// The name, then the aliases, each with its place.
    fn names(&self) -> impl Iterator<Item = (&Name, SourceRef)> {
        let aliases =
            self.aliases.iter().flat_map(|at| at.value.iter().map(|alias| (alias, at.source)));
        self.name.iter().map(|at| (&at.value, at.source)).chain(aliases)
    }

    /// The main file's entry laid over an included one of the same id: the main file wins, but no
    /// guard gets looser.
    fn over(self, mut under: Self) -> Self {
        let mut role_guards = std::mem::take(&mut under.role_guards);
        role_guards.extend(guards_of(under.roles.as_ref()));
        let mut role_agents = std::mem::take(&mut under.role_agents);
        role_agents.extend(agents_of(under.roles.as_ref()));
        let mut other_tags = std::mem::take(&mut under.other_tags);
        let tags = match (self.tags, under.tags) {
            (Some(own), below) => {
                other_tags.extend(below.into_iter().flat_map(|at| at.value));
                Some(own)
            }
            (None, below) => below,
        };
        Self {
            id: under.id,
            name: self.name.or(under.name),
            aliases: self.aliases.or(under.aliases),
            roles: self.roles.or(under.roles),
            region: self.region.or(under.region),
            color: self.color.or(under.color),
            guard: stricter(self.guard, under.guard),
            agents: self.agents,
            default_agents: under.default_agents,
            other_agents: stricter(under.agents, under.other_agents),
            role_agents,
            tags,
            other_tags,
            role_guards,
            note: self.note.or(under.note),
            hide: self.hide,
            is_overlaid: true,
        }
    }

    /// Another included file has the same account: this entry stays, but no guard is lost with the other, neither
    /// one of its own nor one that its tags have by `min_guard`.
    fn restrict_by(&mut self, other: Self) {
        // A file hides what is its own, never what another one guards.
        let guards = other.guard.is_some()
            || other.tags.is_some()
            || guards_of(other.roles.as_ref()).next().is_some();
        self.hide &= other.hide || !guards;
        self.guard = stricter(self.guard, other.guard);
        self.role_guards.extend(guards_of(other.roles.as_ref()));
        let agents = other.agents.or(other.default_agents);
        self.other_agents = stricter(self.other_agents, agents);
        self.role_agents.extend(agents_of(other.roles.as_ref()));
        self.other_tags.extend(other.tags.into_iter().flat_map(|at| at.value));
    }
}

/// The guards that roles have of their own.
fn guards_of(roles: Option<&At<Vec<RoleEntry>>>) -> impl Iterator<Item = (RoleName, At<Guard>)> {
    roles
        .into_iter()
        .flat_map(|at| &at.value)
        .filter_map(|role| Some((role.name.clone(), role.more.as_ref()?.guard?)))
}

/// What roles say of their own about agents.
fn agents_of(
    roles: Option<&At<Vec<RoleEntry>>>,
) -> impl Iterator<Item = (RoleName, At<Allowance>)> {
    roles
        .into_iter()
        .flat_map(|at| &at.value)
        .filter_map(|role| Some((role.name.clone(), role.more.as_ref()?.agents?)))
}

/// The stricter of two, the first where they are equal.
pub(super) fn stricter<T: Ord>(one: Option<At<T>>, other: Option<At<T>>) -> Option<At<T>> {
    match (one, other) {
        (Some(one), Some(other)) if other.value > one.value => Some(other),
        (one, other) => one.or(other),
    }
}
