//! What a verb works with: the config, the store, the broker, put together once.

use std::cell::Cell;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::domain::account::{Overrides, Target, TargetRef, UnknownTarget};
use crate::domain::agents::{Allowance, Driver};
use crate::domain::config::{Config, KeySource, StoreChoice, WatchedFile};
use crate::domain::confirmation::Cleared;
use crate::domain::duration;
use crate::domain::fault::{Exit, Fault};
use crate::domain::ids::{AccountId, RoleArn};
use crate::domain::pass::{NotIssued, Pass, Renew, Request, Terms};
use crate::domain::secret::AccessKey;
use crate::domain::text::{sanitize, shell_quoted};
use crate::services::aws::{self, SharedFiles};
use crate::services::child::environment::Inherited;
use crate::services::config::cache::LoadedConfig;
use crate::services::config::files::ReadFrom;
use crate::services::config::paths::Paths;
use crate::services::config::stamps::Stamp;
use crate::services::console::browser::Launcher;
use crate::services::login::record::Remembered;
use crate::services::session::access_key::{KeyStore, is_stored};
use crate::services::session::backoff::Backoff;
use crate::services::session::broker::{Broker, BrokerDeps};
use crate::services::session::diary::Diary;
use crate::services::session::facts::Facts;
use crate::services::session::history::{HistoryFile, ShellId};
use crate::services::session::interaction::Interaction;
use crate::services::session::issued::Issued;
use crate::services::session::sessions;
use crate::services::session::warm::{WarmAnswer, WarmRequest};
use crate::services::store::vault::Epoch;

use super::args::Common;
use super::emulated::Demo;
use super::interaction::UserInteraction;
use super::local_clock::local_clock;
use super::out::Out;
use super::prompt::{self, Codes};
use super::runtime::block_on;
use super::world::World;

/// What a verb works with.
pub struct Context {
    /// The only way to stdout and stderr.
    pub out: Out,
    world: World,
    common: Common,
    paths: Paths,
    config: Config,
    warnings: Vec<String>,
    broker: Rc<Broker>,
    inherited: Inherited,
    driver: Driver,
    user: Rc<UserInteraction>,
    /// The config's file and everything else it was read from.
    read_from: ReadFrom,
    /// The files that a profile's key is read from, as they were before.
    key_files: Vec<Stamp>,
}

impl Context {
    /// Reads the config and opens the store. Nothing is called.
    pub fn open(world: World, common: Common, verb: &str, out: Out) -> Result<Self, Fault> {
        let loaded = world.load(&common)?;
        Self::with_config(world, common, verb, out, loaded)
    }

    /// Opens the store for a config that was read elsewhere.
    pub fn with_config(
        world: World,
        common: Common,
        verb: &str,
        out: Out,
        loaded: LoadedConfig,
    ) -> Result<Self, Fault> {
        Self::in_environment(Inherited::current(), world, common, verb, out, loaded)
    }

    /// The same in an environment that need not be this process's.
    pub fn in_environment(
        inherited: Inherited,
        world: World,
        common: Common,
        verb: &str,
        out: Out,
        loaded: LoadedConfig,
    ) -> Result<Self, Fault> {
        let paths = world.paths()?;
        let LoadedConfig { config, warnings, read_from } = loaded;
        let user = Rc::new(UserInteraction::new(out));
        let sessions = paths.state.join("sessions");
        let driver = inherited.driver();
        let deps = BrokerDeps {
            vault: world.vault(config.store, &paths),
            facts: match config.store {
                StoreChoice::None => Facts::in_memory(),
                _ => Facts::new(&paths.state),
            },
            backoff: match config.store {
                StoreChoice::None => Backoff::in_memory(),
                _ => Backoff::new(&sessions, &sessions::who_id(&config.auth)),
            },
            store: config.store,
            shared: paths.state.clone(),
            verb: verb.to_owned(),
            driver: driver.clone(),
            // `login` alone opens every target, guarded ones too.
            agents: config.agents.unwrap_or(Allowance::ReadOnly),
            diary: config.audit.then(|| Diary::new(&paths.state, verb)),
            browser: Some(Launcher {
                configured: config.browser.clone(),
                kept: world.demo().map(Demo::environment).unwrap_or_default(),
            }),
            remembered: (config.store != StoreChoice::None).then(|| Remembered::new(&paths.state)),
            issued: (config.store != StoreChoice::None).then(|| Issued::new(&paths.state)),
            interaction: Box::new(Rc::clone(&user)),
            clock: Timestamp::now,
        };
        let key_files = match config.auth.key {
            KeySource::Profile(_) => {
                let now = Timestamp::now();
                SharedFiles::current()?.both().map(|path| Stamp::of(path, now)).into()
            }
            _ => Vec::new(),
        };
        let broker = Rc::new(Broker::new(config.auth.clone(), deps));
        let context = Self {
            out,
            world,
            common,
            paths,
            config,
            warnings,
            broker,
            inherited,
            driver,
            user,
            read_from,
            key_files,
        };
        context.preload_demo_key()?;
        Ok(context)
    }

    /// The same with the config as it is now: with the sessions that only this process has, where it still signs in alike.
    pub fn with_new_config(&self, loaded: LoadedConfig, verb: &str) -> Result<Self, Fault> {
        let old = &self.config;
        let new =
            Self::with_config(self.world.clone(), self.common.clone(), verb, self.out, loaded)?;
        if (&old.auth, old.store, old.audit, old.agents)
            != (&new.config.auth, new.config.store, new.config.audit, new.config.agents)
        {
            return Ok(new);
        }
        let (broker, user) = (Rc::clone(&self.broker), Rc::clone(&self.user));
        Ok(Self { broker, user, ..new })
    }

    /// Whether the config has changed since it was read.
    pub fn is_outdated(&self) -> bool {
        !self.read_from.is_unchanged()
    }

    /// The config, with defaults filled in.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// What the config's included files complained about, one line each.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The main file of the config; `None` for a demo's built-in one.
    pub fn config_file(&self) -> Option<&Path> {
        self.read_from.paths().next()
    }

    /// The names that `--confirm` gives.
    pub fn confirmed(&self) -> &[String] {
        &self.common.confirm
    }

    /// Included files that are old, one line each.
    pub fn stale_files(&self) -> Vec<String> {
        let age = |watched: &WatchedFile| {
            let modified = std::fs::metadata(&watched.path).ok()?.modified().ok()?;
            let age = modified.elapsed().ok()?;
            (age >= watched.stale_after).then_some(age)
        };
        let line = |watched: &WatchedFile| {
            let shown = sanitize(&watched.path.to_string_lossy());
            let age = duration::age(SignedDuration::try_from(age(watched)?).ok()?);
            let fix = if watched.has_update {
                "to renew it: sekisho config update"
            } else {
                "its first lines or its owner say how to renew it"
            };
            Some(format!("{shown} is {age} old; {fix}"))
        };
        self.config.watched.iter().filter_map(line).collect()
    }

    /// Prints what the config's included files complained about.
    pub fn print_warnings(&self) {
        self.warnings.iter().for_each(|warning| self.out.warn(warning));
    }

    /// What issues passes and sessions.
    pub fn broker(&self) -> &Broker {
        &self.broker
    }

    /// sekisho's directories.
    pub fn paths(&self) -> &Paths {
        &self.paths
    }

    /// The options of every verb.
    pub fn common(&self) -> &Common {
        &self.common
    }

    /// AWS, or a demo.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// The config that was named by option or variable, absolute.
    pub fn named_config(&self) -> Option<PathBuf> {
        self.common.named_config(&self.inherited)
    }

    /// The environment sekisho was started with.
    pub fn inherited(&self) -> &Inherited {
        &self.inherited
    }

    /// Who runs this command.
    pub fn driver(&self) -> &Driver {
        &self.driver
    }

    /// Fails where an agent may not see what a verb prints: everything printed stays in its transcript.
    pub fn check_printable(&self, target: &Target, what: &str) -> Result<(), Fault> {
        match (self.driver.agent(), target.agents) {
            (None, _) | (_, Allowance::Full) => Ok(()),
            (Some(agent), Allowance::Refuse) => Err(target.refusal(agent)),
            (Some(agent), Allowance::ReadOnly) => {
                let exec = format!("exec {} -- COMMAND", shell_quoted(&target.name()));
                Err(Fault::new(
                    Exit::NeedsPerson,
                    format!("{what} of {target} is not printed for an AI agent"),
                )
                .because(format!("{agent}, and its transcript would keep what is printed"))
                .fix(format!("give the session to a command instead: `{}`", self.command(&exec))))
            }
        }
    }

    /// A time, as the person's own clock shows it.
    pub fn moment(&self, instant: Timestamp) -> String {
        local_clock(self.out).moment(instant, Timestamp::now())
    }

    /// The channel to the user.
    pub fn user(&self) -> &UserInteraction {
        &self.user
    }

    /// The access key where nobody has to be asked for it; `None` where somebody would have to be.
    pub fn key_without_asking(&self) -> Option<Result<Rc<AccessKey>, Fault>> {
        if is_stored(&self.config.auth) && self.world.demo().is_none() {
            let found = self.key_store().peek(&self.config.auth)?;
            return Some(found.map(Rc::new));
        }
        Some(block_on(self.broker.access_key()).map_err(NotIssued::into_fault))
    }

    /// Proxies, endpoints and certificates between sekisho and AWS's own hosts, one line each.
    pub fn detours(&self) -> Vec<String> {
        match self.world {
            World::Real => aws::detours(&self.config.auth),
            World::Demo(_) => {
                vec!["demo: an emulated organization, nothing here is real".to_owned()]
            }
        }
    }

    /// A verb as it is typed on a command line, with the config this process uses.
    pub fn command(&self, verb: &str) -> String {
        match &self.common.config {
            Some(config) => {
                format!("sekisho --config {} {verb}", shell_quoted(&config.to_string_lossy()))
            }
            None => format!("sekisho {verb}"),
        }
    }

    /// The same channel, as the services see it.
    pub fn interaction(&self) -> &dyn Interaction {
        &self.user
    }

    /// Where the store may hold the config's access key.
    pub fn key_store(&self) -> KeyStore {
        KeyStore::new(&self.config.auth, self.config.store, &self.paths.state)
    }

    /// What the command line changes about every target.
    pub fn overrides(&self) -> Overrides {
        self.common.overrides(&self.inherited)
    }

    /// The target a name means.
    pub fn target(&self, name: &str) -> Result<Target, Fault> {
        self.target_with(name, &self.overrides())
    }

    /// The target a name means, with changes of its own.
    pub fn target_with(&self, name: &str, overrides: &Overrides) -> Result<Target, Fault> {
        let row = self.config.catalog.find(name).map_err(|unknown| unknown_target(&unknown))?;
        Ok(self.config.catalog.resolve(row, overrides))
    }

    /// The target of the subshell that this runs in, in its region and scope, and its name.
    pub fn target_of_shell(&self) -> Result<Option<(String, Target)>, Fault> {
        let Some(name) = self.inherited.parsed::<String>("SEKISHO_TARGET") else { return Ok(None) };
        let given = self.overrides();
        let kept = Overrides {
            region: given.region.or_else(|| self.inherited.parsed("AWS_REGION")),
            scope: given.scope.or_else(|| self.inherited.parsed("SEKISHO_SCOPE")),
            ..given
        };
        let target = self.target_with(&name, &kept)?;
        Ok(Some((name, target)))
    }

    /// The row of the list whose session the surrounding shell has.
    pub fn here(&self) -> Option<TargetRef> {
        let id = self.inherited.parsed::<AccountId>("SEKISHO_ACCOUNT_ID")?;
        let role = self.inherited.parsed::<String>("SEKISHO_ROLE")?;
        self.config.catalog.row_of(id, &role)
    }

    /// Counts an entry into a role for the list's order; `depth` is that of the shell, or of the child.
    pub fn record_entry(&self, role: &RoleArn, depth: u32) {
        HistoryFile::new(&self.paths).enter(role, ShellId::at(depth), Timestamp::now());
    }

    /// The name of the role that a shell was in last, where it has entered one since then.
    pub fn last_of_shell(&self, depth: u32, since: Timestamp) -> Option<(String, RoleArn)> {
        let role = HistoryFile::new(&self.paths).last_of(ShellId::at(depth), since)?;
        let row = self.config.catalog.row_of(role.account(), role.name())?;
        let (account, _) = self.config.catalog.row(row);
        Some((format!("{}/{}", account.name, role.name()), role))
    }

    /// Where codes come from in a verb without the list.
    pub fn codes(&self) -> Codes {
        if self.common.mfa_code.is_some() {
            Codes::Stdin
        } else {
            Codes::Terminal {
                world: self.world.clone(),
                clock: local_clock(self.out),
                patience: None,
            }
        }
    }

    /// A pass into a named target: passes its guard, then takes a cached session or asks for a code. `spare` is what must
    /// be left of a session that cannot be renewed.
    pub fn pass(&self, name: &str, spare: Duration) -> Result<Pass, Fault> {
        self.print_warnings();
        let confirm = self.common.confirmation();
        let cleared = prompt::clear(self.target(name)?, confirm, &self.driver, self.out)?;
        let entered = self.enter(name, cleared, Renew::ByFlow, spare, self.codes());
        let pass = block_on(entered)?;
        self.print_notes(&pass);
        Ok(pass)
    }

    /// Prints what a pass has to say.
    pub fn print_notes(&self, pass: &Pass) {
        let warning = pass.warning(Timestamp::now());
        pass.notes.iter().chain(&warning).for_each(|note| self.out.warn(note));
    }

    /// A pass into a target whose guard has been passed, kept for the next time under the name it was asked by.
    pub async fn enter(
        &self,
        name: &str,
        cleared: Cleared,
        renew: Renew,
        spare: Duration,
        mut codes: Codes,
    ) -> Result<Pass, Fault> {
        let terms = Terms { renew, asking: codes.asking(), spare };
        // The last try counts: a code that is typed after a `logout` signs in again.
        let begun = Cell::new(self.broker.vault().epoch());
        let issue = async |request: Request| {
            begun.set(self.broker.vault().epoch());
            self.issue(name, &request).await
        };
        let narrowed = cleared.is_narrowed();
        let pass = prompt::pass(&self.broker, cleared, terms, &mut codes, issue).await?;
        self.keep_for_warm_path(name, &pass, narrowed, begun.get());
        Ok(pass)
    }

    /// Gets a pass for the target that `name` was resolved to, if the config still says so: it may have changed since
    /// it was read, while somebody looked for a code.
    pub async fn issue(&self, name: &str, request: &Request) -> Result<Pass, NotIssued> {
        let target = request.target.target();
        self.check_current(name, target)?;
        let pass = self.broker.issue(request).await?;
        self.check_current(name, target)?;
        Ok(pass)
    }

    /// Fails where `name` no longer means `target`. Reads the config again only if one of its files changed.
    fn check_current(&self, name: &str, target: &Target) -> Result<(), NotIssued> {
        if !self.is_outdated() {
            return Ok(());
        }
        let changed = |why: String| {
            let what = format!("nothing was entered: the config has changed under {name}");
            let fault = Fault::new(Exit::Usage, what).because(why).fix("run the command again");
            NotIssued::Outdated(fault)
        };
        let config = self.world.load(&self.common)?.config;
        if config.auth != self.config.auth {
            return Err(changed("`auth` is another".into()));
        }
        let row =
            config.catalog.find(name).map_err(|_| changed(format!("{name} is no longer in it")))?;
        // What the command line decided stays decided.
        let decided = Overrides {
            region: target.region.clone(),
            ambient_region: None,
            duration: Some(target.duration),
            scope: Some(target.session.scope),
        };
        let now = config.catalog.resolve(row, &decided);
        match target.change_to(&now) {
            None if self.driver.has(now.agents) > self.driver.has(target.agents) => {
                Err(changed(format!("{name} is now under `agents: {}`", now.agents.name())))
            }
            None => Ok(()),
            Some(change) => Err(changed(format!("{name} is now {change}"))),
        }
    }

    /// Whether the environment's credentials are those of a session for this very role and scope: then going on with
    /// it is a renewal, otherwise a new entry.
    pub fn is_renewal(&self, target: &Target) -> bool {
        let variable = |name| self.inherited.get(name).map(OsStr::as_encoded_bytes);
        let (Some(id), Some(secret)) =
            (variable("AWS_ACCESS_KEY_ID"), variable("AWS_SECRET_ACCESS_KEY"))
        else {
            return false;
        };
        let issued = Issued::new(&self.paths.state);
        std::str::from_utf8(id)
            .is_ok_and(|id| issued.were_for(id, secret, target, Timestamp::now()))
    }

    /// Keeps the answer to a request, so that the same words need no config next time.
    fn keep_for_warm_path(&self, name: &str, pass: &Pass, narrowed: bool, begun: Epoch) {
        let Ok(config) = self.world.config_source(&self.common) else {
            return;
        };
        if pass.target.change.is_some() {
            return; // what has changed is shown each time
        }
        let stamps: Vec<Stamp> = self.read_from.0.iter().chain(&self.key_files).cloned().collect();
        if !stamps.iter().all(Stamp::holds) {
            return; // what was resolved may be out of date
        }
        let answer = WarmAnswer::new(
            stamps,
            pass.target.clone(),
            self.broker.names(&pass.target),
            self.config.shell.prompt_compat,
            self.config.auth.loopback_endpoint(),
            self.config.quiet,
            narrowed,
        );
        let overrides = self.overrides();
        WarmRequest::new(config.id(), name, &overrides, &self.driver).keep(
            self.broker.vault(),
            begun,
            &answer,
            pass.credentials.expires,
            Timestamp::now(),
        );
    }

    /// Gives the broker the key of a demo again, after its secrets were released.
    pub(super) fn preload_demo_key(&self) -> Result<(), Fault> {
        if let Some(demo) = self.world.demo() {
            self.broker.preload_key(demo.key()?);
        }
        Ok(())
    }
}

/// The fault of a name that is in no config.
pub fn unknown_target(unknown: &UnknownTarget) -> Fault {
    let fault = Fault::new(Exit::Usage, format!("there is no target {}", sanitize(&unknown.name)));
    match &unknown.nearest[..] {
        [] => fault.fix("`sekisho list` shows every target"),
        near => fault.fix(format!("did you mean {}?", near.join(", "))),
    }
}
