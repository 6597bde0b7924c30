//! The config that an import adds to: what is in it already, and where something can be added.

use std::collections::HashMap;

use crate::domain::account::{Account, Catalog, Role};
use crate::domain::config::draft::{DraftGuard, DraftRole};
use crate::domain::config::edit::{Additions, Layout};
use crate::domain::config::{Argv, Config, Loaded, MfaDevice, Provenance};
use crate::domain::guard::Guard;
use crate::domain::ids::{AccountId, MfaSerial, Name, Region};

/// A config that is there.
pub struct Existing<'a> {
    loaded: &'a Loaded,
    layout: &'a Layout<'a>,
}

/// Where an account of the import is in the config.
pub(super) enum Place<'a> {
    /// Nowhere.
    New,
    /// In the main file, which hides it.
    Hidden,
    /// There.
    There { account: &'a Account, region: Option<&'a Region>, home: Home },
}

/// Whose the list of an account's roles is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Home {
    /// The account's own entry in the main file.
    MainFile,
    /// An included file's.
    Include,
    /// Several entries', by an alias or a merge key.
    Shared,
}

impl<'a> Existing<'a> {
    /// A config, and the layout of its main file.
    pub fn new(loaded: &'a Loaded, layout: &'a Layout<'a>) -> Self {
        Self { loaded, layout }
    }

    /// Every name and alias that is taken.
    pub(super) fn names(&self) -> impl Iterator<Item = &'a Name> {
        let accounts = self.loaded.config.catalog.accounts().iter();
        accounts.flat_map(Account::names)
    }

    /// Where a new account of the main file starts its shells.
    pub(super) fn default_region(&self) -> Option<&'a Region> {
        self.loaded.default_region.as_ref()
    }

    pub(super) fn mfa_command(&self) -> Option<&'a Argv> {
        self.loaded.config.auth.mfa_command.as_ref()
    }

    pub(super) fn takes_devices(&self) -> bool {
        self.layout.takes_devices()
    }

    pub(super) fn takes_mfa_command(&self) -> bool {
        self.layout.takes_mfa_command()
    }

    pub(super) fn place(&self, id: AccountId) -> Place<'a> {
        let catalog = &self.loaded.config.catalog;
        let Some(at) = catalog.accounts().iter().position(|account| account.id == id) else {
            return if self.layout.has(id) { Place::Hidden } else { Place::New };
        };
        let account = &catalog.accounts()[at];
        let region = account
            .region
            .as_ref()
            .or_else(|| catalog.default_region(u32::try_from(at).unwrap_or(u32::MAX)));
        let provenance = self.loaded.provenances.accounts.get(at);
        let is_own = provenance
            .is_some_and(|it| matches!(it.id, Provenance::File(source) if source.file == 0));
        let home = if !self.layout.has(id) || !(is_own || self.layout.lists_roles(id)) {
            Home::Include
        } else if self.layout.takes_roles(id) {
            Home::MainFile
        } else {
            Home::Shared
        };
        Place::There { account, region, home }
    }
}

/// Whether a config became another one by these additions, and in no other way.
pub fn is_only_added(before: &Config, after: &Config, additions: &Additions) -> bool {
    let without_accounts =
        |config: &Config| Config { catalog: Catalog::new(Vec::new(), None), ..config.clone() };
    let by_id = |config: &Config| -> HashMap<AccountId, Account> {
        config.catalog.accounts().iter().map(|account| (account.id, account.clone())).collect()
    };
    let (mut expected, mut found) = (by_id(before), by_id(after));
    let is_guarded =
        |guard: Guard, meant: Option<&DraftGuard>| meant.is_none_or(|meant| guard >= meant.guard);
    let is_role = |role: &Role, meant: &DraftRole| {
        role.name == meant.name
            && !differs(meant, role)
            && is_guarded(role.guard, meant.guard.as_ref())
    };
    for (id, roles) in &additions.roles {
        let (Some(known), Some(account)) = (expected.get(id), found.get_mut(id)) else {
            return false;
        };
        let added = account.roles.split_off(known.roles.len().min(account.roles.len()));
        if added.len() != roles.len() || !added.iter().zip(roles).all(|(a, b)| is_role(a, b)) {
            return false;
        }
    }
    for account in &additions.accounts {
        let Some(added) = found.remove(&account.id) else { return false };
        let mut roles = added.roles.iter().zip(&account.roles);
        let is_meant = added.name == account.name
            && is_guarded(added.guard, account.guard.as_ref())
            && added.roles.len() == account.roles.len()
            && roles.all(|(role, meant)| is_role(role, meant));
        if !is_meant {
            return false;
        }
    }
    expected.retain(|id, account| found.remove(id).as_ref() != Some(account));
    let mut meant = without_accounts(before);
    let device = |serial: &MfaSerial| MfaDevice { serial: serial.clone(), label: None };
    meant.auth.mfa.extend(additions.devices.iter().map(device));
    meant.auth.mfa_command = additions.mfa_command.clone().or(meant.auth.mfa_command);
    expected.is_empty() && found.is_empty() && meant == without_accounts(after)
}

/// Whether a role of a profile is another than the config's of the same name.
pub(super) fn differs(new: &DraftRole, known: &Role) -> bool {
    new.path != known.path
        || new.external_id.as_ref().is_some_and(|id| known.session.external_id.as_ref() != Some(id))
        || new.duration.is_some_and(|duration| duration != known.duration)
        || new
            .source_identity
            .as_ref()
            .is_some_and(|identity| known.session.source_identity.as_ref() != Some(identity))
        || !new.tags.is_empty() && new.tags != known.session.tags
}
