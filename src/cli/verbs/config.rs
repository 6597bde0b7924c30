//! `config check` and `config show`.

use crate::domain::config::{Strictness, show};
use crate::domain::fault::{Exit, Fault};
use crate::domain::text::count;
use crate::services::config::files;

use crate::cli::args::{Common, ConfigVerb};
use crate::cli::out::Out;
use crate::cli::world::World;

/// Checks the config, or shows what it means.
pub fn run(common: &Common, world: &World, what: ConfigVerb, out: Out) -> Result<Exit, Fault> {
    let strictness = match what {
        ConfigVerb::Check => Strictness::Strict,
        ConfigVerb::Show => Strictness::Tolerant,
    };
    let loaded = match world {
        World::Demo(_) => super::demo::example()?,
        World::Real => {
            let path = files::locate(common.config.as_deref(), |name| std::env::var_os(name))?;
            let home = world.paths()?.home;
            files::load(&path, Some(&home), strictness)?.0
        }
    };
    for warning in &loaded.warnings {
        out.warn(&warning.to_string());
    }
    match what {
        ConfigVerb::Show => out.print(&show::render(&loaded)),
        ConfigVerb::Check => out.info(&format!(
            "the config is sound: {}",
            count(loaded.config.catalog.accounts().len(), "account")
        )),
    }
    Ok(Exit::Done)
}
