//! `config check`, `config show` and `config example`.

use crate::domain::config::{Loaded, Strictness, show};
use crate::domain::fault::{Exit, Fault};
use crate::domain::text::count;

use crate::cli::args::{Common, ConfigVerb};
use crate::cli::emulated::EXAMPLE;
use crate::cli::out::Out;
use crate::cli::world::World;

/// Checks the config, shows what it means, or prints the documented example.
pub fn run(common: &Common, world: &World, what: ConfigVerb, out: Out) -> Result<Exit, Fault> {
    let load = |strictness| -> Result<Loaded, Fault> {
        let loaded = world.inspect(common, strictness)?;
        for warning in &loaded.warnings {
            out.warn(&warning.to_string());
        }
        Ok(loaded)
    };
    match what {
        ConfigVerb::Show => out.print(&show::render(&load(Strictness::Tolerant)?)),
        ConfigVerb::Check => out.info(&format!(
            "the config is valid: {}",
            count(load(Strictness::Strict)?.config.catalog.accounts().len(), "account")
        )),
        ConfigVerb::Example => out.print(EXAMPLE),
    }
    Ok(Exit::Done)
}
