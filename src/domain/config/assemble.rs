//! Main file, included files and defaults become one config.
//!
//! The main file wins, guards combine to the strictest, and what is wrong in an included file costs no
//! more than the entry it stands in.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Display;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::complaint::MAX_COMPLAINTS;
use super::entry::{Defaults, Entry, IncludedFile};
use super::reader::quoted;
use super::role::{Policy, RoleEntry, session_policy};
use super::settings::{MainFile, Settings};
use super::{AccountOrigins, At, Complaint, Config, Loaded, Mark, Origin, Origins, RoleOrigins};
use crate::domain::account::{Account, Catalog, Flow, Role, SessionOptions};
use crate::domain::guard::Guard;
use crate::domain::ids::{AccountId, Region, RoleName, RolePath};
use crate::domain::text::{fold, nearest};

/// What a fault in an included file means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strictness {
    /// A warning: one bad push must not stop 300 people.
    Tolerant,
    /// A complaint, as in the main file: `config check`.
    Strict,
}

/// Reads a session policy's file: the number of the config file that names it, and the name.
pub type ReadPolicy<'f> = dyn FnMut(u32, &str) -> Result<String, String> + 'f;

/// Joins the files of a config, or says everything that is wrong with them.
pub fn assemble(
    main: MainFile,
    includes: Vec<IncludedFile>,
    strictness: Strictness,
    read_policy: &mut ReadPolicy<'_>,
) -> Result<Loaded, Vec<Complaint>> {
    let mut files = vec![main.listed.path];
    let mut defaults = vec![main.listed.defaults];
    let mut complaints = main.listed.complaints;
    let mut warnings = main.warnings;
    let mut listed = Vec::new();
    for IncludedFile(file) in includes {
        files.push(file.path);
        defaults.push(file.defaults);
        warnings.extend(file.complaints);
        listed.push(file.entries);
    }
    if strictness == Strictness::Strict {
        complaints.append(&mut warnings);
    }
    let min_guard = main
        .settings
        .iter()
        .flat_map(|settings| &settings.min_guard);
    let mut assembly = Assembly {
        min_guard: min_guard
            .map(|(word, guard)| (fold(word), guard.clone()))
            .collect(),
        files,
        defaults,
        strictness,
        complaints,
        warnings,
        names: HashMap::new(),
        roles: HashMap::new(),
        guarded: HashSet::new(),
        read_policy,
    };
    let entries = assembly.joined(main.listed.entries, listed);
    let entries = assembly.named(entries);
    let (catalog, accounts) = assembly.catalog(entries);
    if let Some(settings) = &main.settings {
        assembly.check_min_guard(settings, &catalog);
    }
    assembly.finish(main.settings, main.origins, catalog, accounts)
}

struct Assembly<'f> {
    files: Vec<PathBuf>,
    /// By file.
    defaults: Vec<Defaults>,
    strictness: Strictness,
    complaints: Vec<Complaint>,
    warnings: Vec<Complaint>,
    /// Guards by folded tag or role name.
    min_guard: HashMap<String, At<Guard>>,
    /// Who has which folded name.
    names: HashMap<String, Mark>,
    /// Roles without session options, which thousands of accounts share.
    roles: HashMap<SharedRole, Arc<Role>>,
    /// The words of `min_guard` that met a tag or role.
    guarded: HashSet<String>,
    read_policy: &'f mut ReadPolicy<'f>,
}

type SharedRole = (RoleName, RolePath, Duration, Option<Region>, Guard);

impl Assembly<'_> {
    /// Notes a fault: a complaint in the main file, a warning in an included one.
    fn fault(&mut self, mark: Mark, what: impl Display, fix: Option<&str>) {
        if mark.file == 0 {
            self.complaints.push(self.complaint(mark, what, fix));
        } else {
            self.warn(mark, what, fix);
        }
    }

    /// Notes what stops nobody, unless the config is being checked.
    fn warn(&mut self, mark: Mark, what: impl Display, fix: Option<&str>) {
        let complaint = self.complaint(mark, what, fix);
        match self.strictness {
            Strictness::Tolerant => &mut self.warnings,
            Strictness::Strict => &mut self.complaints,
        }
        .push(complaint);
    }

    fn complaint(&self, mark: Mark, what: impl Display, fix: Option<&str>) -> Complaint {
        let file = &self.files[mark.file as usize];
        Complaint::new(file, mark.spot, &what.to_string(), fix)
    }

    fn place(&self, mark: Mark) -> String {
        format!(
            "{}:{}",
            self.files[mark.file as usize].display(),
            mark.spot.line
        )
    }

    /// Every account once: the main file's own, then each included file's with the main file's overlay.
    fn joined(&mut self, main: Vec<Entry>, includes: Vec<Vec<Entry>>) -> Vec<Entry> {
        let mut own: Vec<Option<Entry>> = Vec::with_capacity(main.len());
        let mut overlays: HashMap<AccountId, usize> = HashMap::new();
        for entry in main {
            if let Some(first) = overlays.get(&entry.id.value).and_then(|i| own[*i].as_ref()) {
                let what = format!(
                    "the account {} is here twice, first in line {}",
                    entry.id.value, first.id.mark.spot.line
                );
                self.fault(entry.id.mark, what, Some("keep one of them"));
                continue;
            }
            overlays.insert(entry.id.value, own.len());
            own.push(Some(entry));
        }
        let mut included = Vec::new();
        let mut seen: HashMap<AccountId, Mark> = HashMap::new();
        for entry in includes.into_iter().flatten() {
            let id = entry.id.value;
            if let Some(first) = seen.get(&id) {
                let what = format!("the account {id} is already in {}", self.place(*first));
                self.fault(entry.id.mark, what, Some("keep one of them"));
                continue;
            }
            seen.insert(id, entry.id.mark);
            included.push(match overlays.get(&id).and_then(|i| own[*i].take()) {
                Some(overlay) => overlay.over(entry),
                None => entry,
            });
        }
        let mut all: Vec<Entry> = own.into_iter().flatten().collect();
        all.append(&mut included);
        all.retain(|entry| !entry.hide);
        all
    }

    /// The entries whose names are theirs alone. The main file's names come first.
    fn named(&mut self, entries: Vec<Entry>) -> Vec<Entry> {
        for entry in &entries {
            self.claim(entry, |mark| mark.file == 0);
        }
        entries
            .into_iter()
            .filter(|entry| self.claim(entry, |mark| mark.file != 0))
            .collect()
    }

    /// Claims those of an entry's names that stand where `here` says, or notes who has them.
    fn claim(&mut self, entry: &Entry, here: impl Fn(Mark) -> bool) -> bool {
        let name = entry.name.iter().map(|at| (&at.value, at.mark));
        let aliases = entry.aliases.iter();
        let aliases = aliases.flat_map(|at| at.value.iter().map(|alias| (alias, at.mark)));
        let mut free = true;
        for (name, mark) in name.chain(aliases).filter(|(_, mark)| here(*mark)) {
            let folded = fold(name.as_str());
            let digits = folded.replace('-', "");
            if digits
                .parse::<AccountId>()
                .is_ok_and(|id| id != entry.id.value)
            {
                let what = format!(
                    "the name {} reads as another account's id",
                    quoted(name.as_str())
                );
                self.fault(mark, what, None);
                free = false;
            } else if let Some(first) = self.names.get(&folded) {
                let what = format!(
                    "the name {} is taken by {}",
                    quoted(name.as_str()),
                    self.place(*first)
                );
                self.fault(
                    mark,
                    what,
                    Some("names and aliases are unique, whatever their case and width"),
                );
                free = false;
            } else {
                self.names.insert(folded, mark);
            }
        }
        free
    }

    /// The catalog, and where its values come from.
    fn catalog(&mut self, entries: Vec<Entry>) -> (Catalog, Vec<AccountOrigins>) {
        let mut accounts = Vec::with_capacity(entries.len());
        let mut origins = Vec::with_capacity(entries.len());
        let mut regions: Vec<(u32, Option<Region>)> = Vec::new();
        for entry in entries {
            let file = entry.id.mark.file;
            let region = self.default(file, |defaults| defaults.region.as_ref());
            let region = region.map(|at| at.value.clone());
            let Some((account, origin)) = self.account(entry) else {
                continue;
            };
            if regions.last().is_none_or(|(_, last)| *last != region) {
                regions.push((u32::try_from(accounts.len()).unwrap_or(u32::MAX), region));
            }
            accounts.push(account);
            origins.push(origin);
        }
        (Catalog::joined(accounts, regions), origins)
    }

    /// What a file's defaults say, else the main file's.
    fn default<T>(&self, file: u32, pick: impl Fn(&Defaults) -> Option<&At<T>>) -> Option<&At<T>> {
        pick(&self.defaults[file as usize]).or_else(|| pick(&self.defaults[0]))
    }

    fn account(&mut self, entry: Entry) -> Option<(Account, AccountOrigins)> {
        let file = entry.id.mark.file;
        let Some(name) = entry.name else {
            self.incomplete(&entry.id, "`name` is missing", "add name: NAME");
            return None;
        };
        let default_roles = || {
            self.default(file, |defaults| defaults.roles.as_ref())
                .cloned()
        };
        let Some(wanted) = entry.roles.or_else(default_roles) else {
            self.incomplete(
                &entry.id,
                "`roles` is missing",
                "add roles: [NAME] here, or in `defaults`",
            );
            return None;
        };
        let default_region = self.default(file, |defaults| defaults.region.as_ref());
        let region = match (&entry.region, default_region) {
            (None, Some(default)) => Origin::Defaults(default.mark),
            (own, _) => Origin::of(own.as_ref()),
        };
        let mut guard = (Guard::None, Origin::BuiltIn);
        raise(
            &mut guard,
            entry.guard.map(|at| (at.value, Origin::File(at.mark))),
        );
        for tag in entry.tags.iter().flat_map(|tags| &tags.value) {
            raise(&mut guard, self.floor(tag));
        }
        let mut origins = AccountOrigins {
            name: Origin::File(name.mark),
            id: Origin::File(entry.id.mark),
            aliases: Origin::of(entry.aliases.as_ref()),
            region,
            color: Origin::of(entry.color.as_ref()),
            guard: guard.1,
            tags: Origin::of(entry.tags.as_ref()),
            note: Origin::of(entry.note.as_ref()),
            roles: Vec::with_capacity(wanted.value.len()),
        };
        let mut roles = Vec::with_capacity(wanted.value.len());
        for role in wanted.value {
            let (role, origin) = self.role(role)?;
            roles.push(role);
            origins.roles.push(origin);
        }
        let account = Account {
            name: name.value,
            id: entry.id.value,
            aliases: entry.aliases.map(|at| at.value).unwrap_or_default(),
            roles,
            region: entry.region.map(|at| at.value),
            color: entry.color.map(|at| at.value),
            guard: guard.0,
            tags: entry.tags.map(|at| at.value).unwrap_or_default(),
            note: entry.note.map(|at| at.value),
        };
        Some((account, origins))
    }

    /// An entry that lacks something. Where files are included, a main file's entry may be an overlay
    /// whose account was removed there: that must not stop anybody.
    fn incomplete(&mut self, id: &At<AccountId>, what: &str, fix: &str) {
        if id.mark.file == 0 && self.files.len() > 1 {
            let what = format!("no included file has {}, and {what} here", id.value);
            self.warn(id.mark, what, Some(fix));
        } else {
            self.fault(id.mark, what, Some(fix));
        }
    }

    fn role(&mut self, entry: RoleEntry) -> Option<(Arc<Role>, RoleOrigins)> {
        let at = Origin::File(entry.mark);
        let default = self.default(entry.mark.file, |defaults| defaults.duration.as_ref());
        let mut duration = match default {
            Some(default) => (default.value, Origin::Defaults(default.mark)),
            None => (Flow::SHARED_MAX, Origin::BuiltIn),
        };
        let mut guard = (Guard::None, Origin::BuiltIn);
        let mut role = (RolePath::root(), None, SessionOptions::default());
        let mut rest = Vec::new();
        if let Some(more) = entry.more {
            if let Some(own) = more.duration {
                duration = (own.value, Origin::File(own.mark));
            }
            raise(
                &mut guard,
                more.guard.map(|at| (at.value, Origin::File(at.mark))),
            );
            role = (more.path.unwrap_or(role.0), more.region, more.session);
            rest = more.places;
            role.2.policy = match more.policy {
                Some(policy) => Some(self.policy(policy)?),
                None => None,
            };
        }
        raise(&mut guard, self.floor(entry.name.as_str()));
        let (path, region, session) = role;
        let made = Role {
            name: entry.name,
            path,
            duration: duration.0,
            region,
            guard: guard.0,
            session,
        };
        let origins = RoleOrigins {
            role: at,
            duration: duration.1,
            guard: guard.1,
            rest,
        };
        if made.session != SessionOptions::default() {
            return Some((Arc::new(made), origins));
        }
        let key = (
            made.name.clone(),
            made.path.clone(),
            made.duration,
            made.region.clone(),
            made.guard,
        );
        let shared = self.roles.entry(key).or_insert_with(|| Arc::new(made));
        Some((shared.clone(), origins))
    }

    fn policy(&mut self, policy: At<Policy>) -> Option<String> {
        let name = match policy.value {
            Policy::Inline(json) => return Some(json),
            Policy::File(name) => name,
        };
        let read = (self.read_policy)(policy.mark.file, &name);
        read.and_then(|json| session_policy(&json))
            .map_err(|why| self.fault(policy.mark, format_args!("{}: {why}", quoted(&name)), None))
            .ok()
    }

    /// The guard that `min_guard` wants for a tag or role.
    fn floor(&mut self, word: &str) -> Option<(Guard, Origin)> {
        if self.min_guard.is_empty() {
            return None;
        }
        let word = fold(word);
        let at = self.min_guard.get(&word)?;
        self.guarded.insert(word);
        Some((at.value, Origin::MinGuard(at.mark)))
    }

    /// A word of `min_guard` that meets nothing guards nothing: likely a typing error.
    fn check_min_guard(&mut self, settings: &Settings, catalog: &Catalog) {
        for (word, guard) in &settings.min_guard {
            if self.guarded.contains(&fold(word)) {
                continue;
            }
            let tags = catalog
                .accounts()
                .iter()
                .flat_map(|a| &a.tags)
                .map(|tag| &**tag);
            let roles = self.roles.keys().map(|(name, ..)| name.as_str());
            let words: HashSet<&str> = tags.chain(roles).collect();
            let fix = nearest(word, words)
                .first()
                .map(|near| format!("did you mean `{near}`?"));
            let what = format!(
                "no account has the tag, and none the role, {}",
                quoted(word)
            );
            self.warn(guard.mark, what, fix.as_deref());
        }
    }

    fn finish(
        mut self,
        settings: Option<Settings>,
        origins: Vec<(String, Mark)>,
        catalog: Catalog,
        accounts: Vec<AccountOrigins>,
    ) -> Result<Loaded, Vec<Complaint>> {
        let mut complaints = std::mem::take(&mut self.complaints);
        self.in_order(&mut complaints);
        let mut warnings = std::mem::take(&mut self.warnings);
        self.in_order(&mut warnings);
        match settings {
            Some(settings) if complaints.is_empty() => Ok(Loaded {
                config: Config {
                    auth: settings.auth,
                    catalog,
                    store: settings.store,
                    shell: settings.shell,
                    list: settings.list,
                    browser: settings.browser,
                    audit: settings.audit,
                    guardrails: settings.guardrails,
                },
                warnings,
                origins: Origins {
                    files: self.files,
                    settings: origins.into_iter().collect::<BTreeMap<_, _>>(),
                    accounts,
                },
            }),
            _ => Err(complaints),
        }
    }

    /// As one reads: file by file, top to bottom, and no more than anyone would.
    fn in_order(&self, complaints: &mut Vec<Complaint>) {
        complaints.sort_by_key(|complaint| {
            let file = self
                .files
                .iter()
                .position(|file| *file == complaint.place.file);
            (file, complaint.place.spot)
        });
        complaints.truncate(MAX_COMPLAINTS);
    }
}

impl Origin {
    fn of<T>(at: Option<&At<T>>) -> Self {
        at.map_or(Self::BuiltIn, |at| Self::File(at.mark))
    }
}

/// Makes a guard stricter, never looser.
fn raise(guard: &mut (Guard, Origin), by: Option<(Guard, Origin)>) {
    if let Some(by) = by.filter(|by| by.0 > guard.0) {
        *guard = by;
    }
}
