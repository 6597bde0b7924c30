//! `config check`, `config show`, `config example`, `config accept` and `config update`.

mod update;

use crate::domain::account::{Overrides, TargetRef};
use crate::domain::config::{Loaded, Strictness, show};
use crate::domain::fault::{Exit, Fault};
use crate::domain::known::ReadAccount;
use crate::domain::text::count;
use crate::services::config::files;
use crate::services::config::known::KnownFile;

use crate::cli::args::{Common, ConfigVerb};
use crate::cli::context::unknown_target;
use crate::cli::emulated::EXAMPLE;
use crate::cli::out::Out;
use crate::cli::prompt;
use crate::cli::world::World;

/// Checks the config, shows what it means, prints the documented example, or accepts what has changed in its included files.
pub fn run(common: &Common, world: &World, what: &ConfigVerb, out: Out) -> Result<Exit, Fault> {
    match what {
        ConfigVerb::Show => {
            let loaded = inspect(common, world, Strictness::Tolerant, out)?;
            out.print(&show::render(&loaded));
        }
        ConfigVerb::Check => {
            let loaded = inspect(common, world, Strictness::Strict, out)?;
            let accounts = count(loaded.config.catalog.accounts().len(), "account");
            out.info(&format!("the config is valid: {accounts}"));
        }
        ConfigVerb::Accept { name, yes } => accept(common, world, name.as_deref(), *yes, out)?,
        ConfigVerb::Update { file, yes } => update::run(common, world, file.as_deref(), *yes, out)?,
        ConfigVerb::Example => out.print(EXAMPLE),
    }
    Ok(Exit::Done)
}

fn inspect(
    common: &Common,
    world: &World,
    strictness: Strictness,
    out: Out,
) -> Result<Loaded, Fault> {
    let loaded = world.inspect(common, strictness)?;
    loaded.warnings.iter().for_each(|warning| out.warn(&warning.to_string()));
    Ok(loaded)
}

/// Shows what has changed about included targets, asks, and remembers them as they are now.
fn accept(
    common: &Common,
    world: &World,
    name: Option<&str>,
    yes: bool,
    out: Out,
) -> Result<(), Fault> {
    let nothing = || out.info("there are no changes to accept");
    let Some(path) = world.config_source(common)?.into_file() else {
        nothing(); // a demo's own config includes nothing
        return Ok(());
    };
    let paths = world.paths()?;
    let memory = KnownFile::of(&paths.state, &path);
    let known = memory.read().ok().flatten().unwrap_or_default();
    let (loaded, _) = files::load(&path, Some(&paths.home), Strictness::Tolerant, &known)?;
    let catalog = &loaded.config.catalog;
    let only = name.map(|name| catalog.find(name).map_err(|unknown| unknown_target(&unknown)));
    let only = only.transpose()?.map(|row| row.account);
    let changed: Vec<TargetRef> =
        catalog.changed().filter(|row| only.is_none_or(|only| only == row.account)).collect();
    if changed.is_empty() {
        nothing();
        return Ok(());
    }
    for row in &changed {
        let target = catalog.resolve(*row, &Overrides::default());
        out.info(&format!("{target} has changed"));
        target.changes().iter().for_each(|line| out.eprint(&format!("   {line}\n")));
    }
    let targets = count(changed.len(), "target");
    if !yes {
        prompt::confirm(&format!("accept what {targets} changed to?"))?;
    }
    let mut accepted = loaded.known.clone();
    let is_changed =
        |read: &&ReadAccount| changed.iter().any(|row| catalog.row(*row).0.id == read.id);
    loaded.read.iter().filter(is_changed).for_each(|read| accepted.accept(read));
    let kept = memory.replace(&known, &accepted);
    match kept.map_err(|error| error.fault("what was accepted cannot be remembered"))? {
        Some(_) => out.info(&format!("accepted: {targets}")),
        None => {
            return Err(Fault::new(Exit::Fault, "nothing was accepted")
                .because("the remembered targets changed in the meantime")
                .fix("run the command again"));
        }
    }
    Ok(())
}
