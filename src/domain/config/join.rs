//! The accounts of all files become one list: each id once, each name once.

use std::collections::HashMap;

use super::diagnostic::{Diagnostics, quoted};
use super::entry::Entry;
use super::role::RoleEntry;
use super::{At, SourceRef};
use crate::domain::guard::Guard;
use crate::domain::ids::{AccountId, Name};
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
    let mut rest = Vec::new();
    let mut seen: HashMap<AccountId, SourceRef> = HashMap::new();
    for entry in included {
        let At { value: id, source } = entry.id;
        if let Some(first) = seen.get(&id) {
            let what =
                format!("the account {id} is already listed in {}", diagnostics.place(*first));
            diagnostics.fault(source, what, Some("keep one of them"));
            continue;
        }
        seen.insert(id, source);
        rest.push(match by_id.get(&id).and_then(|(i, _)| own[*i].take()) {
            Some(overlay) => overlay.over(entry),
            None => entry,
        });
    }
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

/// Who has which folded name.
#[derive(Default)]
struct Names(HashMap<String, SourceRef>);

impl Names {
    /// Claims those of an entry's names whose place satisfies `here`: all of them, or none.
    fn claim(
        &mut self,
        diagnostics: &mut Diagnostics,
        entry: &Entry,
        here: impl Fn(SourceRef) -> bool,
    ) -> bool {
        let mut claimed: HashMap<String, SourceRef> = HashMap::new();
        let mut is_free = true;
        for (name, source) in entry.names().filter(|(_, source)| here(*source)) {
            let folded = fold(name.as_str());
            let taken = self.0.get(&folded).or_else(|| claimed.get(&folded));
            let (what, fix) = if reads_as_other_id(&folded, entry.id.value) {
                ("reads as another account's id".to_owned(), None)
            } else if let Some(first) = taken {
                let fix = "names and aliases must be unique, ignoring case and width";
                (format!("is already used in {}", diagnostics.place(*first)), Some(fix))
            } else {
                claimed.insert(folded, source);
                continue;
            };
            is_free = false;
            diagnostics.fault(source, format!("the name {} {what}", quoted(name.as_str())), fix);
        }
        if is_free {
            self.0.extend(claimed);
        }
        is_free
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
    fn over(self, under: Self) -> Self {
        let roles = match (self.roles, under.roles) {
            (Some(mut roles), Some(below)) => {
                for role in &mut roles.value {
                    let same = below.value.iter().find(|other| other.name == role.name);
                    if let Some(guard) = same.and_then(RoleEntry::guard) {
                        role.guard_at_least(guard);
                    }
                }
                Some(roles)
            }
            (own, below) => own.or(below),
        };
        let (tags, replaced) = match (self.tags, under.tags) {
            (Some(own), below) => (Some(own), below.map(|at| at.value).unwrap_or_default()),
            (None, below) => (below, Vec::new()),
        };
        Self {
            id: under.id,
            name: self.name.or(under.name),
            aliases: self.aliases.or(under.aliases),
            roles,
            region: self.region.or(under.region),
            color: self.color.or(under.color),
            guard: stricter(self.guard, under.guard),
            tags,
            replaced_tags: replaced,
            note: self.note.or(under.note),
            hide: self.hide,
        }
    }
}

/// The stricter of two guards, the first where they are equal.
fn stricter(one: Option<At<Guard>>, other: Option<At<Guard>>) -> Option<At<Guard>> {
    match (one, other) {
        (Some(one), Some(other)) if other.value > one.value => Some(other),
        (one, other) => one.or(other),
    }
}

impl RoleEntry {
    fn guard(&self) -> Option<At<Guard>> {
        self.more.as_ref()?.guard
    }

    fn guard_at_least(&mut self, guard: At<Guard>) {
        let more = self.more.get_or_insert_default();
        more.guard = stricter(more.guard, Some(guard));
    }
}
