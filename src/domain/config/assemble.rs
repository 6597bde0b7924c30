//! Main file, included files and defaults become one config.
//!
//! The main file wins, guards combine to the strictest, and a fault in an included file drops only the entry that
//! it is in.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use super::diagnostic::{Diagnostics, Strictness, quoted};
use super::entry::{Defaults, Entry, IncludedFile};
use super::join::{self, stricter};
use super::role::{Policy, RoleEntry, session_policy};
use super::settings::MainFile;
use super::settings::Settings;
use super::{
    AccountProvenance, At, Config, Diagnostic, Loaded, Pos, Provenance, Provenances,
    RoleProvenance, SourceRef, WatchedFile,
};
use crate::domain::account::{Account, Catalog, Role, SessionOptions};
use crate::domain::agents::{AgentRule, Allowance};
use crate::domain::flow::Flow;
use crate::domain::guard::Guard;
use crate::domain::ids::{AccountId, Region, RoleName, RolePath};
use crate::domain::known::{Known, KnownAccount, KnownRole, ReadAccount, ReadRole};
use crate::domain::text::{count, fold, nearest};

/// Reads a session policy's file: the number of the config file that names it, and the name.
pub type ReadPolicy<'f> = dyn FnMut(u32, &str) -> Result<String, String> + 'f;

/// Joins the files of a config, or returns everything that is wrong with them.
///
/// Targets that are not what is `known` of them ask for a confirmation.
pub fn assemble(
    main: MainFile,
    includes: Vec<IncludedFile>,
    strictness: Strictness,
    known: &Known,
    read_policy: &mut ReadPolicy<'_>,
) -> Result<Loaded, Vec<Diagnostic>> {
    let has_includes = !main.include().is_empty();
    let mut diagnostics = Diagnostics::new(strictness, main.listed.path, main.listed.diagnostics);
    diagnostics.warn_all(main.warnings);
    let main_agents = main.listed.defaults.agents.map(|at| at.value);
    let mut defaults = vec![main.listed.defaults];
    let mut included = Vec::new();
    let mut watched = Vec::new();
    for IncludedFile { listed: file, stale_after, has_update, .. } in includes {
        let path = file.path.clone();
        watched.extend(stale_after.map(|stale_after| WatchedFile {
            path,
            stale_after,
            has_update,
        }));
        diagnostics.files.push(file.path);
        diagnostics.warn_all(file.diagnostics);
        let mut entries = file.entries;
        if let Some(agents) = file.defaults.agents {
            for entry in &mut entries {
                entry.default_agents = Some(agents);
            }
        }
        defaults.push(file.defaults);
        included.push(entries);
    }
    let included = included.into_iter().flatten();
    let entries = join::joined(&mut diagnostics, main.listed.entries, included);
    let entries = join::named(&mut diagnostics, entries);
    let mut assembly = Assembly {
        diagnostics,
        defaults,
        has_includes,
        floors: GuardFloors::new(main.settings.as_ref()),
        roles: HashMap::new(),
        known,
        read: Vec::new(),
        read_policy,
    };
    let default_region =
        assembly.default(0, |defaults| defaults.region.as_ref()).map(|at| at.value.clone());
    let (catalog, accounts, learned) = assembly.catalog(entries);
    assembly.floors.check(&mut assembly.diagnostics, &catalog);
    let (files, mut warnings) = assembly.diagnostics.close()?;
    if let (Some(main), many @ 1..) = (files.first(), catalog.changed().count()) {
        let what = format!(
            "{} changed and will ask for a name until you accept it",
            count(many, "included target")
        );
        let fix = Some("to see what changed: sekisho config accept");
        warnings.insert(0, Diagnostic::new(main, Pos::default(), &what, fix));
    }
    // A setting is missing only where a diagnostic says so.
    let settings = main.settings.ok_or_else(Vec::new)?;
    Ok(Loaded {
        config: Config {
            auth: settings.auth,
            catalog,
            store: settings.store,
            shell: settings.shell,
            list: settings.list,
            browser: settings.browser,
            audit: settings.audit,
            quiet: settings.quiet,
            agents: main_agents,
            guardrails: settings.guardrails,
            watched,
        },
        warnings,
        provenances: Provenances {
            files,
            settings: main.provenances.into_iter().collect(),
            accounts,
        },
        default_region,
        read: assembly.read,
        known: learned,
    })
}

struct Assembly<'f> {
    diagnostics: Diagnostics,
    /// One for each file, the main one first.
    defaults: Vec<Defaults>,
    /// Whether the main file includes others, there or not.
    has_includes: bool,
    floors: GuardFloors,
    /// Roles without session options, which thousands of accounts share.
    roles: HashMap<SharedRole, Arc<Role>>,
    known: &'f Known,
    /// The accounts to be remembered.
    read: Vec<ReadAccount>,
    read_policy: &'f mut ReadPolicy<'f>,
}

type SharedRole = (RoleName, RolePath, Duration, Option<Region>, Guard, AgentRule);

impl Assembly<'_> {
    /// The catalog, where its values come from, and what is remembered of it.
    fn catalog(&mut self, entries: Vec<Entry>) -> (Catalog, Vec<AccountProvenance>, Known) {
        let mut accounts = Vec::with_capacity(entries.len());
        let mut provenances = Vec::with_capacity(entries.len());
        let mut regions: Vec<(u32, Option<Region>)> = Vec::new();
        // The position in the catalog of each account that is remembered.
        let mut positions = Vec::new();
        for entry in entries {
            let file = entry.id.source.file;
            let region =
                self.default(file, |defaults| defaults.region.as_ref()).map(|at| at.value.clone());
            let (tags, is_overlaid) = (self.floors.tags_of_includes(&entry), entry.is_overlaid);
            let Some((account, provenance)) = self.account(entry) else {
                continue;
            };
            if file != 0 || self.known.was_overlaid(account.id) {
                let known = KnownAccount { tags, is_overlaid, ..KnownAccount::default() };
                self.read.push(read_account(&account, &provenance, region.as_ref(), known));
                positions.push(accounts.len());
            }
            if regions.last().is_none_or(|(_, last)| *last != region) {
                regions.push((u32::try_from(accounts.len()).unwrap_or(u32::MAX), region));
            }
            accounts.push(account);
            provenances.push(provenance);
        }
        let changes = self.known.changes(&self.read, |word| self.floors.least(word));
        let mut known = self.known.clone();
        known.learn(&self.read, |read| {
            changes.binary_search_by_key(&read, |(changed, ..)| *changed).is_ok()
        });
        for (read, at, change) in changes {
            let position = positions[read];
            let role: &mut Arc<Role> = &mut accounts[position].roles[at];
            let (guard, change) = (Guard::Confirm, Some(change));
            *role = Arc::new(Role { guard, change, ..Role::clone(role) });
            provenances[position].roles[at].guard = Provenance::Changed;
        }
        (Catalog::joined(accounts, regions), provenances, known)
    }

    /// What a file's defaults say, else the main file's.
    fn default<T>(&self, file: u32, pick: impl Fn(&Defaults) -> Option<&At<T>>) -> Option<&At<T>> {
        pick(&self.defaults[file as usize]).or_else(|| pick(&self.defaults[0]))
    }

    fn account(&mut self, entry: Entry) -> Option<(Account, AccountProvenance)> {
        let file = entry.id.source.file;
        let Some(name) = entry.name else {
            self.incomplete(entry.id, "`name` is missing", "add name: NAME");
            return None;
        };
        let default = self.default(file, |defaults| defaults.roles.as_ref());
        let Some(wanted) = entry.roles.or_else(|| default.cloned()) else {
            let fix = "add roles: [NAME] here, or in `defaults`";
            self.incomplete(entry.id, "`roles` is missing", fix);
            return None;
        };
        let default = self.default(file, |defaults| defaults.region.as_ref());
        let region = match (&entry.region, default) {
            (None, Some(default)) => Provenance::Defaults(default.source),
            (own, _) => Provenance::of(own.as_ref()),
        };
        let mut guard = EffectiveGuard::default();
        guard.by(entry.guard.map(|at| (at.value, Provenance::File(at.source))));
        let tags = entry.tags.iter().flat_map(|tags| &tags.value);
        for tag in tags.chain(&entry.other_tags) {
            guard.by(self.floors.of(tag));
        }
        let mut agents = AgentsSaid { default: entry.default_agents, ..AgentsSaid::default() };
        entry.agents.into_iter().chain(entry.other_agents).for_each(|said| agents.by(said));
        let count = wanted.value.len();
        let made: Vec<_> = wanted
            .value
            .into_iter()
            .map(|role| {
                let others = entry.role_guards.iter().filter(|(name, _)| *name == role.name);
                let others: Vec<At<Guard>> = others.map(|(_, guard)| *guard).collect();
                let mut agents = agents;
                let said = entry.role_agents.iter().filter(|(name, _)| *name == role.name);
                said.for_each(|(_, said)| agents.by(*said));
                self.role(role, others, agents)
            })
            .collect();
        let (roles, role_origins): (Vec<_>, Vec<_>) = made.into_iter().flatten().unzip();
        if roles.len() < count {
            return None;
        }
        let provenances = AccountProvenance {
            name: Provenance::File(name.source),
            id: Provenance::File(entry.id.source),
            aliases: Provenance::of(entry.aliases.as_ref()),
            region,
            color: Provenance::of(entry.color.as_ref()),
            guard: guard.provenance,
            agents: agents.strictest().map(|said| (said.value, Provenance::File(said.source))),
            tags: Provenance::of(entry.tags.as_ref()),
            note: Provenance::of(entry.note.as_ref()),
            roles: role_origins,
        };
        let account = Account {
            name: name.value,
            id: entry.id.value,
            aliases: entry.aliases.map(|at| at.value).unwrap_or_default(),
            roles,
            region: entry.region.map(|at| at.value),
            color: entry.color.map(|at| at.value),
            guard: guard.guard,
            tags: entry.tags.map(|at| at.value).unwrap_or_default(),
            note: entry.note.map(|at| at.value),
            is_included: file != 0 && !entry.is_overlaid,
        };
        Some((account, provenances))
    }

    /// An entry that lacks something. Where files are included, a main file's entry may be an overlay
    /// whose account was removed there: that must not stop anybody.
    fn incomplete(&mut self, id: At<AccountId>, what: &str, fix: &str) {
        if id.source.file == 0 && self.has_includes {
            let what = format!("no included file has {}, and {what} here", id.value);
            self.diagnostics.warn(id.source, what, Some(fix));
        } else {
            self.diagnostics.fault(id.source, what, Some(fix));
        }
    }

    fn role(
        &mut self,
        entry: RoleEntry,
        others: Vec<At<Guard>>,
        mut agents: AgentsSaid,
    ) -> Option<(Arc<Role>, RoleProvenance)> {
        let more = entry.more.map(|more| *more).unwrap_or_default();
        let default = self.default(entry.source.file, |defaults| defaults.duration.as_ref());
        let (duration, duration_origin) = match (more.duration, default) {
            (Some(own), _) => (own.value, Provenance::File(own.source)),
            (None, Some(default)) => (default.value, Provenance::Defaults(default.source)),
            (None, None) => (Flow::SHARED_MAX, Provenance::BuiltIn),
        };
        let mut guard = EffectiveGuard::default();
        for at in more.guard.into_iter().chain(others) {
            guard.by(Some((at.value, Provenance::File(at.source))));
        }
        guard.by(self.floors.of(entry.name.as_str()));
        more.agents.into_iter().for_each(|said| agents.by(said));
        let (agents, agents_origin) = agents.rule(self.defaults[0].agents);
        let mut session = more.session;
        if let Some(policy) = more.policy {
            session.policy = Some(self.policy(policy)?);
        }
        let role = Role {
            name: entry.name,
            path: more.path.unwrap_or_else(RolePath::root),
            duration,
            region: more.region,
            guard: guard.guard,
            agents,
            change: None,
            session,
        };
        let provenances = RoleProvenance {
            role: Provenance::File(entry.source),
            duration: duration_origin,
            guard: guard.provenance,
            agents: agents_origin,
            rest: more.sources,
        };
        Some((self.shared(role), provenances))
    }

    fn shared(&mut self, role: Role) -> Arc<Role> {
        if role.session != SessionOptions::default() {
            return Arc::new(role);
        }
        let (name, path, region) = (role.name.clone(), role.path.clone(), role.region.clone());
        let key = (name, path, role.duration, region, role.guard, role.agents);
        let shared = self.roles.entry(key).or_insert_with(|| Arc::new(role));
        shared.clone()
    }

    fn policy(&mut self, policy: At<Policy>) -> Option<String> {
        let name = match policy.value {
            Policy::Inline(json) => return Some(json),
            Policy::File(name) => name,
        };
        match (self.read_policy)(policy.source.file, &name).and_then(|json| session_policy(&json)) {
            Ok(json) => Some(json),
            Err(why) => {
                let what = format!("{}: {why}", quoted(&name));
                self.diagnostics.fault(policy.source, what, None);
                None
            }
        }
    }
}

/// What is remembered of an account, and what it is compared by; `known` holds what only its entry tells.
fn read_account(
    account: &Account,
    from: &AccountProvenance,
    default: Option<&Region>,
    known: KnownAccount,
) -> ReadAccount {
    let names = std::iter::once((&account.name, from.name))
        .chain(account.aliases.iter().map(|alias| (alias, from.aliases)));
    let guard_of_includes =
        |guard: Guard, from: Provenance| if from.is_included() { guard } else { Guard::None };
    let accounts_guard = guard_of_includes(account.guard, from.guard);
    let roles = account.roles.iter().zip(&from.roles);
    let (remembered, roles) = roles
        .map(|(role, from)| {
            let region = role.region.as_ref().or(account.region.as_ref()).or(default);
            let remembered = KnownRole {
                name: role.name.clone(),
                path: role.path.clone(),
                partition: region.map(Region::partition).unwrap_or_default(),
                guard: accounts_guard.max(guard_of_includes(role.guard, from.guard)),
                agents: role.agents.least,
            };
            let (guard, is_own) = (account.guard.max(role.guard), !from.role.is_included());
            (remembered, ReadRole { guard, agents: role.agents.under(guard), is_own })
        })
        .unzip();
    ReadAccount {
        id: account.id,
        account: KnownAccount {
            names: names
                .filter(|(_, from)| from.is_included())
                .map(|(name, _)| fold(name.as_str()))
                .collect(),
            roles: remembered,
            ..known
        },
        roles,
        is_included: from.id.is_included(),
    }
}

/// The config's `min_guard`: the least guard of every account with a tag, or role of a name.
struct GuardFloors {
    /// By folded word; where two words fold to one, the strictest.
    by_word: HashMap<String, At<Guard>>,
    /// The folded words that met a tag or role.
    met: HashSet<String>,
    /// As they are written.
    words: Vec<(String, SourceRef)>,
}

impl GuardFloors {
    fn new(settings: Option<&Settings>) -> Self {
        let mut new = Self { by_word: HashMap::new(), met: HashSet::new(), words: Vec::new() };
        for (word, guard) in settings.iter().flat_map(|settings| &settings.min_guard) {
            new.words.push((word.clone(), guard.source));
            let floor = new.by_word.entry(fold(word)).or_insert(*guard);
            if guard.value > floor.value {
                *floor = *guard;
            }
        }
        new
    }

    /// The tags of an account's included entries that it knows, folded.
    fn tags_of_includes(&self, entry: &Entry) -> Vec<String> {
        if self.by_word.is_empty() {
            return Vec::new();
        }
        let tags = entry.tags.iter().filter(|tags| tags.source.file != 0);
        let tags = tags.flat_map(|tags| &tags.value).chain(&entry.other_tags);
        let mut tags: Vec<String> =
            tags.map(|tag| fold(tag)).filter(|tag| self.by_word.contains_key(tag)).collect();
        tags.sort_unstable();
        tags.dedup();
        tags
    }

    /// The least guard of a tag or role, for a comparison.
    fn least(&self, word: &str) -> Guard {
        let floor = || self.by_word.get(&fold(word)).map(|floor| floor.value);
        (!self.by_word.is_empty()).then(floor).flatten().unwrap_or_default()
    }

    /// The least guard of a tag or role.
    fn of(&mut self, word: &str) -> Option<(Guard, Provenance)> {
        if self.by_word.is_empty() {
            return None;
        }
        let word = fold(word);
        let floor = self.by_word.get(&word)?;
        self.met.insert(word);
        Some((floor.value, Provenance::MinGuard(floor.source)))
    }

    /// A word that meets nothing guards nothing: likely a typing error.
    fn check(&self, diagnostics: &mut Diagnostics, catalog: &Catalog) {
        let unmet = |(word, _): &&(String, SourceRef)| !self.met.contains(&fold(word));
        for (word, source) in self.words.iter().filter(unmet) {
            let mut words: HashSet<&str> = HashSet::new();
            for account in catalog.accounts() {
                words.extend(account.tags.iter().map(|tag| &**tag));
                words.extend(account.roles.iter().map(|role| role.name.as_str()));
            }
            let near = nearest(word, words);
            let fix = near.first().map(|near| format!("did you mean `{near}`?"));
            let what = format!("no account has a tag or role {}", quoted(word));
            diagnostics.warn(*source, what, fix.as_deref());
        }
    }
}

/// A guard that only ever gets stricter, and what made it so.
#[derive(Default)]
struct EffectiveGuard {
    guard: Guard,
    provenance: Provenance,
}

impl EffectiveGuard {
    fn by(&mut self, other: Option<(Guard, Provenance)>) {
        if let Some((guard, provenance)) = other.filter(|(guard, _)| *guard > self.guard) {
            *self = Self { guard, provenance };
        }
    }
}

/// What the files say about agents, for one role or for an account.
#[derive(Clone, Copy, Default)]
struct AgentsSaid {
    /// The strictest word of the main file.
    own: Option<At<Allowance>>,
    /// The strictest word of the included ones.
    least: Option<At<Allowance>>,
    /// The word of the included file's `defaults`.
    default: Option<At<Allowance>>,
}

impl AgentsSaid {
    fn by(&mut self, said: At<Allowance>) {
        let side = if said.source.file == 0 { &mut self.own } else { &mut self.least };
        *side = stricter(*side, Some(said));
    }

    fn strictest(self) -> Option<At<Allowance>> {
        stricter(self.own, self.least)
    }

    /// The rule, and the place of the word that decides; `default` is the main file's.
    fn rule(self, default: Option<At<Allowance>>) -> (AgentRule, Provenance) {
        let file = |at: At<Allowance>| (at.value, Provenance::File(at.source));
        let defaults = |at: At<Allowance>| (at.value, Provenance::Defaults(at.source));
        let own = self.own.map(file).or(default.map(defaults));
        let least = self.least.map(file).or(self.default.map(defaults));
        let rule = AgentRule {
            own: own.map(|(own, _)| own),
            least: least.map(|(least, _)| least).unwrap_or_default(),
        };
        let said = match (own, least) {
            (Some(own), Some(least)) if least.0 > own.0 => Some(least),
            (own, least) => own.or(least),
        };
        (rule, said.map_or(Provenance::BuiltIn, |(_, provenance)| provenance))
    }
}

impl Provenance {
    fn of<T>(at: Option<&At<T>>) -> Self {
        at.map_or(Self::BuiltIn, |at| Self::File(at.source))
    }
}
