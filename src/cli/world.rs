//! Where a command runs: against AWS and in the person's own files, or inside a demo.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use tokio::sync::oneshot;

use crate::domain::config::{Loaded, StoreChoice, Strictness};
use crate::domain::fault::{Exit, Fault};
use crate::domain::ids::Endpoints;
use crate::services::child::environment::{self, Environment, Inherited};
use crate::services::config::cache::{self, LoadedConfig};
use crate::services::config::files::{self, ReadFrom};
use crate::services::config::known::KnownFile;
use crate::services::config::paths::{Ids, Paths, RuntimeDir};
use crate::services::store::datakey::KeyPlace;
use crate::services::store::vault::Vault;

use super::args::Common;
use super::emulated::{self, Demo};

/// The variables that choose among AWS's own endpoints.
/// <https://docs.aws.amazon.com/sdkref/latest/guide/feature-endpoints.html>
const USE_FIPS: &str = "AWS_USE_FIPS_ENDPOINT";
const USE_DUAL_STACK: &str = "AWS_USE_DUALSTACK_ENDPOINT";

/// Where a command runs: against AWS, or in a demo.
#[derive(Clone)]
pub enum World {
    /// AWS, and the person's own files.
    Real,
    /// An emulated organization, and its folder.
    Demo(Rc<Demo>),
}

impl World {
    /// The world of this process: what is started in a demo's subshell stays in the demo.
    pub fn of_environment() -> Result<Self, Fault> {
        match std::env::var_os(emulated::VARIABLE) {
            Some(descriptor) => Ok(Self::Demo(Rc::new(Demo::join(descriptor.as_ref())?))),
            None => Ok(Self::Real),
        }
    }

    /// The demo; `None` in the real world.
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
                    runtime: RuntimeDir::Usable(folder("run")),
                })
            }
        }
    }

    /// Where the config is read from: the one answer to `--config`, `$SEKISHO_CONFIG` and the demo's own.
    pub fn config_source(&self, common: &Common) -> Result<ConfigSource, Fault> {
        match self {
            Self::Real => locate(common).map(ConfigSource::File),
            // The variable is not for a demo: it names the person's own config.
            Self::Demo(demo) => ConfigSource::named(common.config.as_deref().or(demo.config())),
        }
    }

    /// Loads the config that every verb runs on.
    pub fn load(&self, common: &Common) -> Result<LoadedConfig, Fault> {
        let loaded = self.config_source(common)?.load(&self.paths()?)?;
        Ok(self.adopt(loaded))
    }

    /// Reads the same config with the provenance of each value, as it was written: `config` and `doctor` report on it.
    pub fn inspect(&self, common: &Common, strictness: Strictness) -> Result<Loaded, Fault> {
        // `doctor` has a row of its own for directories that cannot be found.
        self.config_source(common)?.inspect(self.paths().ok().as_ref(), strictness)
    }

    /// Points a config that was loaded here at the demo, if this is one, else at the endpoints of AWS that the
    /// environment asks for.
    pub fn adopt(&self, mut loaded: LoadedConfig) -> LoadedConfig {
        match self {
            Self::Demo(demo) => demo.adopt(&mut loaded.config),
            Self::Real => {
                let auth = &mut loaded.config.auth;
                if auth.endpoint_url.is_none() {
                    auth.endpoints = endpoints();
                }
            }
        }
        loaded
    }

    /// The file that a new config is written to. A demo has none: what runs in it changes nothing outside.
    pub fn new_config_path(&self, common: &Common) -> Result<PathBuf, Fault> {
        match self {
            Self::Real => locate(common),
            Self::Demo(_) => Err(Fault::new(Exit::Usage, "a demo does not write a config")
                .because("commands in a demo change nothing outside it")
                .fix("leave the demo, then try again")),
        }
    }

    /// The environment without anything that sekisho sets, except what belongs to a demo.
    pub fn cleared_environment(&self, inherited: &Inherited) -> Environment {
        let kept = self.demo().map(Demo::environment).unwrap_or_default();
        Environment::cleared(&kept, inherited)
    }

    /// What a child's environment holds besides its credentials and what the config adds; `depth` is how many of our shells surround it.
    pub fn child_context(
        &self,
        common: &Common,
        inherited: &Inherited,
        depth: u32,
    ) -> environment::Context {
        environment::Context {
            config_path: common.named_config(inherited),
            depth,
            extra: self.demo().map(Demo::environment).unwrap_or_default(),
            ..environment::Context::default()
        }
    }

    /// The vault that a config asks for; a demo's stays in its folder.
    pub fn vault(&self, store: StoreChoice, paths: &Paths) -> Vault {
        let places = match (self, store) {
            (Self::Demo(_), _) => KeyPlace::DEMO,
            (Self::Real, StoreChoice::Auto) => KeyPlace::AUTO,
            (Self::Real, StoreChoice::Keyring) => KeyPlace::KEYRING,
            (Self::Real, StoreChoice::File) => KeyPlace::FILE,
            (Self::Real, StoreChoice::None) => KeyPlace::NONE,
        };
        Vault::new(&paths.state.join("sessions"), places, paths.runtime.usable())
    }
}

/// Which of AWS's own endpoints the environment asks for.
pub fn endpoints() -> Endpoints {
    let set = |name: &str| std::env::var(name).ok();
    Endpoints::of(set(USE_FIPS).as_deref(), set(USE_DUAL_STACK).as_deref())
}

fn locate(common: &Common) -> Result<PathBuf, Fault> {
    let user = Ids::current().effective.0;
    files::locate(common.config.as_deref(), |name| std::env::var_os(name), user)
}

/// Where a config is read from.
#[derive(Debug, Clone)]
pub enum ConfigSource {
    /// A file, by its absolute path.
    File(PathBuf),
    /// The built-in example.
    Example,
}

impl ConfigSource {
    /// A named file, else the example.
    pub fn named(path: Option<&Path>) -> Result<Self, Fault> {
        let Some(path) = path else { return Ok(Self::Example) };
        files::locate(Some(path), |_| None, Ids::current().effective.0).map(Self::File)
    }

    /// Reads it, from the cache where nothing has changed.
    pub fn load(&self, paths: &Paths) -> Result<LoadedConfig, Fault> {
        match self {
            Self::File(path) => cache::load(path, paths),
            Self::Example => Ok(LoadedConfig {
                config: emulated::example()?.config,
                warnings: Vec::new(),
                read_from: ReadFrom::default(),
            }),
        }
    }

    /// Reads it with the provenance of each value, and changes nothing.
    pub fn inspect(&self, paths: Option<&Paths>, strictness: Strictness) -> Result<Loaded, Fault> {
        match self {
            Self::File(path) => {
                let known =
                    paths.and_then(|paths| KnownFile::of(&paths.state, path).read().ok()?);
                let home = paths.map(|paths| &*paths.home);
                let known = known.unwrap_or_default();
                files::load(path, home, strictness, &known).map(|(loaded, _)| loaded)
            }
            Self::Example => emulated::example(),
        }
    }

    /// Its file; the example has none.
    pub fn into_file(self) -> Option<PathBuf> {
        match self {
            Self::File(path) => Some(path),
            Self::Example => None,
        }
    }

    /// What tells it from other configs: the example's is no absolute path.
    pub fn id(&self) -> &Path {
        match self {
            Self::File(path) => path,
            Self::Example => Path::new(emulated::EXAMPLE_NAME),
        }
    }
}

/// A thread that reads the config, so that the list can be drawn meanwhile.
pub struct ConfigReader(oneshot::Receiver<Result<LoadedConfig, Fault>>);

impl ConfigReader {
    /// Starts to read the config that every other verb would load.
    pub fn start(world: &World, common: &Common) -> Result<Self, Fault> {
        let (done, reading) = oneshot::channel();
        let (source, paths) = (world.config_source(common)?, world.paths()?);
        std::thread::spawn(move || {
            // Fails where the list was left meanwhile: then nobody needs it.
            let _ = done.send(source.load(&paths));
        });
        Ok(Self(reading))
    }

    /// The config as it was read: [`World::adopt`] points it at a demo. Not to be polled again once it is there.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<LoadedConfig, Fault>> {
        Pin::new(&mut self.0).poll(cx).map(|read| {
            read.unwrap_or_else(|_| {
                Err(Fault::new(Exit::Fault, "the thread that reads the config has crashed"))
            })
        })
    }
}
