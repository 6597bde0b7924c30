//! Where a command runs: against AWS and in the person's own files, or inside a demo.

use std::path::PathBuf;
use std::rc::Rc;

use crate::domain::config::StoreChoice;
use crate::domain::fault::Fault;
use crate::services::config::cache::{self, LoadedConfig};
use crate::services::config::files::{self, ReadFrom};
use crate::services::config::paths::{Ids, Paths};
use crate::services::store::datakey::KeyPlace;
use crate::services::store::vault::Vault;

use super::args::Common;
use super::verbs::demo::Demo;

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
        match std::env::var_os(super::verbs::demo::VARIABLE) {
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

    /// Reads the config, from its file or from the demo, and what its included files complain about.
    pub fn read_config(&self, common: &Common, paths: &Paths) -> Result<LoadedConfig, Fault> {
        let Self::Demo(demo) = self else {
            return cache::load(&config_path(common)?, paths);
        };
        let named = common.config.as_deref().or(demo.config());
        let mut understood = match named {
            Some(path) => cache::load(&files::locate(Some(path), |_| None)?, paths)?,
            None => LoadedConfig {
                config: super::verbs::demo::example()?.config,
                warnings: Vec::new(),
                read_from: ReadFrom::default(),
            },
        };
        demo.adopt(&mut understood.config);
        Ok(understood)
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
        Vault::new(&paths.state.join("sessions"), places, paths.runtime.as_deref())
    }
}

/// Where the config is.
pub fn config_path(common: &Common) -> Result<PathBuf, Fault> {
    files::locate(common.config.as_deref(), |name| std::env::var_os(name))
}
