//! The main file's word on an account that an included file describes.

use super::At;
use super::entry::Entry;
use super::role::RoleEntry;
use crate::domain::guard::Guard;

impl Entry {
    /// The main file's entry laid over an included one of the same id: the main file wins, but no
    /// guard gets looser.
    pub(super) fn over(self, under: Self) -> Self {
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
        Self {
            id: under.id,
            name: self.name.or(under.name),
            aliases: self.aliases.or(under.aliases),
            roles,
            region: self.region.or(under.region),
            color: self.color.or(under.color),
            guard: stricter(self.guard, under.guard),
            tags: self.tags.or(under.tags),
            note: self.note.or(under.note),
            hide: self.hide || under.hide,
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
        self.more.as_ref()?.guard.clone()
    }

    fn guard_at_least(&mut self, guard: At<Guard>) {
        let more = self.more.get_or_insert_default();
        more.guard = stricter(more.guard.take(), Some(guard));
    }
}
