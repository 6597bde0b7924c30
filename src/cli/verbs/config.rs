//! `config check` and `config show`.

use crate::domain::config::{Strictness, show};
use crate::domain::fault::{Exit, Fault};
use crate::domain::text::count;

use crate::cli::args::{Common, ConfigVerb};
use crate::cli::out::Out;
use crate::cli::world::World;

/// Checks the config, or shows what it means.
pub fn run(common: &Common, world: &World, what: ConfigVerb, out: Out) -> Result<Exit, Fault> {
    let strictness = match what {
        ConfigVerb::Check => Strictness::Strict,
        ConfigVerb::Show => Strictness::Tolerant,
    };
    let loaded = world.inspect(common, strictness)?;
    for warning in &loaded.warnings {
        out.warn(&warning.to_string());
    }
    match what {
        ConfigVerb::Show => out.print(&show::render(&loaded)),
        ConfigVerb::Check => out.info(&format!(
            "the config is valid: {}",
            count(loaded.config.catalog.accounts().len(), "account")
        )),
    }
    Ok(Exit::Done)
}
