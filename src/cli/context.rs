//! What a verb works with: the config, the store, the broker, put together once.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use jiff::Timestamp;

use crate::domain::account::{Overrides, Target, UnknownTarget};
use crate::domain::config::{Config, KeySource, PromptCompat, RenewPref, StoreChoice};
use crate::domain::fault::{Exit, Fault};
use crate::domain::guard::{Cleared, Confirmation};
use crate::domain::pass::{Asking, Pass, Refusal, Renew, Request, Terms};
use crate::domain::secret::{AccessKey, Secret};
use crate::domain::text::sanitize;
use crate::services::access_key::Shelf;
use crate::services::aws;
use crate::services::broker::{Broker, Means};
use crate::services::config_cache::{self, Understood};
use crate::services::config_files::{self, ReadFrom};
use crate::services::diary::Diary;
use crate::services::environment::{self, Environment, Inherited};
use crate::services::export;
use crate::services::facts::Facts;
use crate::services::paths::{Ids, Paths};
use crate::services::person::Person;
use crate::services::process;
use crate::services::serve::Server;
use crate::services::shell::{Shell, Subshell};
use crate::services::stamps::Stamp;
use crate::services::store::datakey::KeyPlace;
use crate::services::store::files::Dir;
use crate::services::store::vault::Vault;

use super::args::Common;
use super::bench::Bench;
use super::demo::Demo;
use super::out::Out;
use super::prompt::{self, Codes};
use super::warm;

/// Where a command runs: against AWS, or in a demo.
#[derive(Clone)]
pub enum World {
    /// AWS, and the person's own files.
    Real,
    /// An emulated organisation, and its folder.
    Demo(Rc<Demo>),
}

impl World {
    /// The world this process was started in: inside a demo shell, everything stays in the demo.
    pub fn of_environment() -> Result<Self, Fault> {
        match std::env::var_os(super::demo::VARIABLE) {
            Some(descriptor) => Ok(Self::Demo(Rc::new(Demo::join(descriptor.as_ref())?))),
            None => Ok(Self::Real),
        }
    }

    /// The demo, if this is one.
    pub fn demo(&self) -> Option<&Demo> {
        match self {
            Self::Real => None,
            Self::Demo(demo) => Some(demo),
        }
    }

    /// sekisho's own directories.
    pub fn paths(&self) -> Result<Paths, Fault> {
        match self {
            Self::Real => Paths::find(|name| std::env::var_os(name), Ids::current()),
            Self::Demo(demo) => {
                let folder = |name: &str| demo.folder().join(name);
                Ok(Paths {
                    home: Paths::find(|name| std::env::var_os(name), Ids::current())?.home,
                    config: folder("config"),
                    state: folder("state"),
                    cache: folder("cache"),
                    runtime: Some(folder("run")),
                })
            }
        }
    }
}

/// What a verb works with.
pub struct Context {
    /// The writer.
    pub out: Out,
    world: World,
    common: Common,
    paths: Paths,
    config: Config,
    warnings: Vec<String>,
    broker: Broker,
    inherited: Inherited,
    bench: Rc<Bench>,
    /// The config's file and everything else it was read from.
    read_from: ReadFrom,
}

impl Context {
    /// Reads the config and opens the store. Nothing is called.
    pub fn open(world: World, common: Common, verb: &str, out: Out) -> Result<Self, Fault> {
        let paths = world.paths()?;
        let understood = read_config(&world, &common, &paths)?;
        Self::with_config(world, common, verb, out, paths, understood)
    }

    /// Opens the store for a config that was read elsewhere.
    pub fn with_config(
        world: World,
        common: Common,
        verb: &str,
        out: Out,
        paths: Paths,
        understood: Understood,
    ) -> Result<Self, Fault> {
        let Understood {
            config,
            warnings,
            read_from,
        } = understood;
        let bench = Rc::new(Bench::new(out));
        let means = Means {
            vault: vault(&world, config.store, &paths),
            facts: match config.store {
                StoreChoice::None => Facts::in_memory(),
                _ => Facts::new(&paths.state),
            },
            store: config.store,
            shared: paths.state.clone(),
            verb: verb.to_owned(),
            diary: config.audit.then(|| Diary::new(&paths.state, verb)),
            person: Box::new(Rc::clone(&bench)),
            clock: Timestamp::now,
        };
        let broker = Broker::new(config.auth.clone(), means);
        let inherited = Inherited::current();
        let context = Self {
            out,
            world,
            common,
            paths,
            config,
            warnings,
            broker,
            inherited,
            bench,
            read_from,
        };
        context.lend_demo_key()?;
        Ok(context)
    }

    /// The config.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// What the config's included files complained about, one line each.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The broker.
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

    /// The world.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// The config that was named by option or variable, absolute.
    pub fn named_config(&self) -> Option<PathBuf> {
        named_config(&self.common, &self.inherited)
    }

    /// The environment sekisho was started with.
    pub fn inherited(&self) -> &Inherited {
        &self.inherited
    }

    /// Where the person waits.
    pub fn bench(&self) -> &Bench {
        &self.bench
    }

    /// The access key where it can be had without asking a person; `None` where it is sealed.
    pub fn key_without_asking(&self) -> Option<Result<Rc<AccessKey>, Fault>> {
        let sealed = matches!(
            self.config.auth.key,
            KeySource::Auto | KeySource::File | KeySource::Keyring
        );
        if sealed && self.world.demo().is_none() {
            return None;
        }
        let key = block_on(self.broker.access_key()).ok()?;
        Some(key.map_err(Refusal::into_fault))
    }

    /// What stands between sekisho and AWS's own hosts, one line each.
    pub fn detours(&self) -> Vec<String> {
        match self.world {
            World::Real => aws::detours(&self.config.auth),
            World::Demo(_) => {
                vec!["demo: an emulated organisation, nothing here is real".to_owned()]
            }
        }
    }

    /// A verb as a person types it to get what this process would do.
    pub fn command(&self, verb: &str) -> String {
        match &self.common.config {
            Some(config) => format!(
                "sekisho --config {} {verb}",
                super::quote(&config.to_string_lossy())
            ),
            None => format!("sekisho {verb}"),
        }
    }

    /// The person who waits there, as the services know them.
    pub fn person(&self) -> &dyn Person {
        &self.bench
    }

    /// Where the config's access key may lie in the store.
    pub fn shelf(&self) -> Shelf {
        Shelf::new(&self.config.auth, self.config.store, &self.paths.state)
    }

    /// What the command line changes about every target.
    pub fn overrides(&self) -> Overrides {
        overrides(&self.common, &self.inherited)
    }

    /// The target a name means.
    pub fn target(&self, name: &str) -> Result<Target, Fault> {
        let row = self
            .config
            .catalog
            .find(name)
            .map_err(|unknown| unknown_target(&unknown))?;
        Ok(self.config.catalog.resolve(row, &self.overrides()))
    }

    /// Where codes come from in a verb without the list.
    pub fn codes(&self) -> Codes {
        if self.common.mfa_code.is_some() {
            Codes::Stdin
        } else {
            Codes::Terminal {
                world: self.world.clone(),
                patience: None,
            }
        }
    }

    /// A pass into a named target: guard, cache, code.
    pub fn pass(&self, name: &str) -> Result<Pass, Fault> {
        let cleared = prompt::clear(self.target(name)?, self.common.confirm.as_deref())?;
        let pass = block_on(self.enter(name, cleared, Renew::ByFlow, self.codes()))??;
        for note in &pass.notes {
            self.out.warn(note);
        }
        Ok(pass)
    }

    /// A pass into a target whose guard has been passed, kept for the next time under the name it was asked by.
    pub async fn enter(
        &self,
        name: &str,
        cleared: Cleared,
        renew: Renew,
        mut codes: Codes,
    ) -> Result<Pass, Fault> {
        let terms = Terms {
            renew,
            asking: codes.asking(),
        };
        let pass = prompt::pass(&self.broker, cleared, terms, &mut codes).await?;
        warm::keep(self, name, &pass);
        Ok(pass)
    }

    /// Everything the config was read from, and the files of the key, as they are now.
    pub fn stamps(&self) -> Vec<Stamp> {
        let now = Timestamp::now();
        let read = self.read_from.files.iter().chain(&self.read_from.folders);
        let profiles = match self.config.auth.key {
            KeySource::Profile(_) => aws::profile_files(&self.paths.home).into(),
            _ => Vec::new(),
        };
        read.chain(&profiles)
            .map(|path| Stamp::of(path, now))
            .collect()
    }

    /// Opens a subshell and stays until it ends.
    pub fn open_shell(&self, pass: Pass, asked: Option<&str>) -> Result<Exit, Fault> {
        block_on(self.run_shell(pass, asked))?
    }

    /// Runs a subshell to its end. While it runs, this process holds no secret.
    pub async fn run_shell(&self, pass: Pass, asked: Option<&str>) -> Result<Exit, Fault> {
        let prefs = &self.config.shell;
        let shell = Shell::choose(asked.or(prefs.program.as_deref()), &self.inherited)?;
        let sekisho = super::own_program()?;
        let runtime_dir = self
            .paths
            .runtime
            .clone()
            .unwrap_or_else(|| self.paths.state.join("run"));
        Dir::create(&runtime_dir)
            .map_err(|error| error.fault("the subshell's start-up files cannot be written"))?;
        let subshell = Subshell {
            shell: &shell,
            sekisho: &sekisho,
            runtime_dir: &runtime_dir,
            prefs,
        };
        let child = async |environment| subshell.run(environment, &self.inherited).await;
        if prefs.renew == RenewPref::Serve {
            return self.serve(pass, child).await;
        }
        let environment = self.environment(pass, self.inherited.depth() + 1);
        self.broker.rest();
        let exit = child(environment).await;
        self.lend_demo_key()?;
        exit
    }

    /// Runs a child that fetches its credentials from an endpoint of ours, for as long as it runs.
    pub async fn serve(
        &self,
        pass: Pass,
        child: impl AsyncFnOnce(Environment) -> Result<Exit, Fault>,
    ) -> Result<Exit, Fault> {
        let name = pass.target.name();
        let renewal = pass.target.clone().clear(Confirmation::Renewal);
        let cleared =
            renewal.map_err(|_| Fault::new(Exit::NeedsPerson, format!("{name} is guarded")))?;
        let server = Server::open().await.map_err(|error| {
            Fault::new(
                Exit::Fault,
                "there is no port on this machine to serve credentials at",
            )
            .because(error.to_string())
        })?;
        let told = child_context(
            &self.world,
            &self.common,
            &self.inherited,
            self.config.shell.prompt_compat,
            self.inherited.depth() + 1,
        );
        let environment =
            Environment::served(&pass.target, server.endpoint(), &told, &self.inherited);
        drop(pass);
        self.broker.rest();
        // The terminal is the child's: nobody is asked, and one line says when somebody should be.
        let _away = self.bench.leave();
        let mut said = false;
        let issue = async || {
            let issued = self.renewed(&cleared).await;
            if let Err(fault) = &issued
                && !std::mem::replace(&mut said, true)
            {
                self.out.fault_line(fault);
            }
            said &= issued.is_err();
            issued
        };
        let exit = tokio::select! {
            exit = child(environment) => exit,
            never = server.run(issue) => match never {},
        };
        self.lend_demo_key()?;
        exit
    }

    /// A fresh session as an endpoint answers it. Nobody is asked, and no key is kept.
    async fn renewed(&self, cleared: &Cleared) -> Result<Secret, Fault> {
        self.lend_demo_key()?;
        let request = Request {
            target: cleared.clone(),
            code: None,
            passphrase: None,
            terms: Terms {
                renew: Renew::Below(20 * 60), // botocore asks at every call once 15 min are left
                asking: Asking::Never,
            },
        };
        let issued = self.broker.issue(&request).await;
        self.broker.rest();
        match issued {
            Ok(pass) => Ok(export::for_container(&pass)),
            Err(refusal @ (Refusal::Fault(_) | Refusal::Passphrase(_))) => {
                Err(refusal.into_fault())
            }
            Err(Refusal::Code(_)) => {
                let name = cleared.target();
                Err(Fault::new(
                    Exit::NeedsPerson,
                    format!("the session of {name} needs an MFA code to go on"),
                )
                .fix("run `sekisho login` in another terminal"))
            }
        }
    }

    /// Becomes a command. Returns only where that failed.
    pub fn become_command(&self, pass: Pass, command: &[std::ffi::OsString]) -> Fault {
        let environment = self.environment(pass, self.inherited.depth() + 1);
        self.broker.rest();
        process::exec(&environment, &self.inherited, command)
    }

    /// The environment that carries a pass; `depth` is how many of our shells surround the child.
    pub fn environment(&self, pass: Pass, depth: u32) -> Environment {
        let compat = self.config.shell.prompt_compat;
        environment(
            &self.world,
            &self.common,
            &self.inherited,
            compat,
            pass,
            depth,
        )
    }

    /// The environment that takes everything back; a demo's stays.
    pub fn cleared_environment(&self) -> Environment {
        let kept = self.world.demo().map(Demo::environment).unwrap_or_default();
        Environment::cleared(&kept, &self.inherited)
    }

    /// The demo's key comes from the demo, however often it is wiped.
    fn lend_demo_key(&self) -> Result<(), Fault> {
        if let Some(demo) = self.world.demo() {
            self.broker.hold(demo.key()?);
        }
        Ok(())
    }
}

/// What the command line changes about every target.
pub fn overrides(common: &Common, inherited: &Inherited) -> Overrides {
    Overrides {
        region: common.region.clone(),
        ambient_region: inherited.own_region(),
        duration: common.duration,
        scope: common.scope,
    }
}

/// The environment that carries a pass; `depth` is how many of our shells surround the child.
pub fn environment(
    world: &World,
    common: &Common,
    inherited: &Inherited,
    compat: PromptCompat,
    pass: Pass,
    depth: u32,
) -> Environment {
    let context = child_context(world, common, inherited, compat, depth);
    Environment::of(pass, &context, inherited)
}

/// What a child is told besides its credentials.
fn child_context(
    world: &World,
    common: &Common,
    inherited: &Inherited,
    compat: PromptCompat,
    depth: u32,
) -> environment::Context {
    environment::Context {
        config_path: named_config(common, inherited),
        depth,
        compat,
        extra: world.demo().map(Demo::environment).unwrap_or_default(),
    }
}

/// The config that was named by option or variable, absolute.
fn named_config(common: &Common, inherited: &Inherited) -> Option<PathBuf> {
    let named = common.config.as_deref().map(Path::to_owned);
    let named = named.or_else(|| inherited.get("SEKISHO_CONFIG").map(PathBuf::from));
    named.and_then(|path| std::path::absolute(path).ok())
}

/// Reads the config, from its file or from the demo, and what its included files complain about.
pub fn read_config(world: &World, common: &Common, paths: &Paths) -> Result<Understood, Fault> {
    let World::Demo(demo) = world else {
        return config_cache::load(&config_path(common)?, paths);
    };
    let named = common.config.as_deref().or(demo.config());
    let mut understood = match named {
        Some(path) => config_cache::load(&config_files::locate(Some(path), |_| None)?, paths)?,
        None => Understood {
            config: super::demo::example()?.config,
            warnings: Vec::new(),
            read_from: ReadFrom::default(),
        },
    };
    demo.adopt(&mut understood.config);
    Ok(understood)
}

/// Where the config is.
pub fn config_path(common: &Common) -> Result<PathBuf, Fault> {
    config_files::locate(common.config.as_deref(), |name| std::env::var_os(name))
}

/// The vault that a config asks for; a demo's stays in its folder.
pub fn vault(world: &World, store: StoreChoice, paths: &Paths) -> Vault {
    let places = match (world, store) {
        (World::Demo(_), _) => KeyPlace::DEMO,
        (World::Real, StoreChoice::Auto) => KeyPlace::AUTO,
        (World::Real, StoreChoice::Keyring) => KeyPlace::KEYRING,
        (World::Real, StoreChoice::File) => KeyPlace::FILE,
        (World::Real, StoreChoice::None) => KeyPlace::NONE,
    };
    Vault::new(
        &paths.state.join("sessions"),
        places,
        paths.runtime.as_deref(),
    )
}

/// Runs a future to its end on a runtime of its own.
pub fn block_on<F: Future>(future: F) -> Result<F::Output, Fault> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| {
            Fault::new(Exit::Fault, "the system gives no event queue").because(error.to_string())
        })?;
    let output = runtime.block_on(future);
    // A name look-up that hangs must not keep us.
    runtime.shutdown_background();
    Ok(output)
}

/// The fault of a name that is in no config.
pub fn unknown_target(unknown: &UnknownTarget) -> Fault {
    let fault = Fault::new(
        Exit::Usage,
        format!("there is no target {}", sanitize(&unknown.name)),
    );
    match &unknown.nearest[..] {
        [] => fault.fix("`sekisho list` shows every target"),
        near => fault.fix(format!("did you mean {}?", near.join(", "))),
    }
}
