//! `config update`: runs the programs of `include`, shows what they change about the targets, and asks.

use std::path::{Path, PathBuf};

use crate::domain::config::{Argv, Loaded, Strictness};
use crate::domain::fault::{Exit, Fault};
use crate::domain::import::update::Update;
use crate::domain::known::Known;
use crate::domain::text::{count, sanitize};
use crate::services::child::signals::Ending;
use crate::services::config::files;
use crate::services::config::renewal::{Former, renew};

use crate::cli::args::Common;
use crate::cli::out::Out;
use crate::cli::prompt;
use crate::cli::runtime::block_on;
use crate::cli::world::World;

/// Runs the programs, those of one file or all.
pub fn run(
    common: &Common,
    world: &World,
    only: Option<&Path>,
    yes: bool,
    out: Out,
) -> Result<(), Fault> {
    let none = || {
        Fault::new(Exit::Usage, "no included file has a program that renews it")
            .fix("in the config: include: [{file: accounts.yaml, update: [PROGRAM, WORD]}]")
    };
    let path = world.config_source(common)?.into_file().ok_or_else(none)?;
    let home = world.paths()?.home;
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let mut updates = files::updates(&path, Some(&home))?;
    if let Some(only) = only {
        let named = std::path::absolute(only).unwrap_or_else(|_| only.to_owned());
        let beside = path.parent().unwrap_or(Path::new("/")).join(only);
        updates.retain(|(file, _)| [&named, &beside].iter().any(|it| real(it) == real(file)));
    }
    if updates.is_empty() {
        return Err(none());
    }
    let config = Config { path: &path, home: &home };
    block_on(async {
        // From here on a signal is a no: nothing that a program wrote stays unless it is taken.
        let mut ending = Ending::listen().map_err(|error| {
            Fault::new(Exit::Fault, "cannot listen to signals").because(error.to_string())
        })?;
        for (file, argv) in updates {
            let former = Former::of(&file)?;
            let updated = update(&config, &former, &argv, yes, &mut ending, out).await;
            updated.map_err(|fault| match former.put_back() {
                Ok(()) => fault,
                Err(kept) => fault.because(kept.in_a_line()),
            })?;
        }
        Ok(())
    })
}

/// The config whose files are made anew.
struct Config<'a> {
    path: &'a Path,
    home: &'a Path,
}

impl Config<'_> {
    fn load(&self) -> Result<Loaded, Fault> {
        let loaded =
            files::load(self.path, Some(self.home), Strictness::Tolerant, &Known::default());
        loaded.map(|(loaded, _)| loaded)
    }
}

async fn update(
    config: &Config<'_>,
    former: &Former<'_>,
    argv: &Argv,
    yes: bool,
    ending: &mut Ending,
    out: Out,
) -> Result<(), Fault> {
    let file = former.file();
    let shown = sanitize(&file.to_string_lossy());
    // A config with a fault, or one that others could write, runs nothing.
    let before = config.load()?;
    out.info(&format!("{shown}: {}", sanitize(&argv.join(" "))));
    let renewed = renew(config.path, file, argv, ending).await?;
    for line in renewed.told.lines() {
        out.eprint(&format!("{}\n", sanitize(line)));
    }
    if former.said(&renewed.text) {
        files::touch(file);
        out.info(&format!("{shown} is up to date"));
        return Ok(());
    }
    let after = config.load()?;
    let real = |path: &PathBuf| path.canonicalize().ok();
    let is_this = |path: &PathBuf| real(path) == file.canonicalize().ok();
    let number = after.provenances.files.iter().position(is_this);
    let here = number.and_then(|at| after.provenances.files.get(at));
    for warning in
        after.warnings.iter().filter(|it| here.is_some_and(|here| it.place.file == *here))
    {
        out.warn(&warning.to_string());
    }
    let update = Update::between(&before.config.catalog, &after.config.catalog);
    for line in update.lines() {
        out.eprint(&format!("   {line}\n"));
    }
    let summary = update.summary();
    if !yes {
        let question = format!("take this for {shown} ({summary})?");
        prompt::confirm_or_undo(&question, ending).await?;
    }
    files::touch(file);
    out.info(&format!("renewed {shown}: {summary}"));
    if update.needs_acceptance() {
        let many = count(update.repointed.len() + update.less_guarded.len(), "target");
        out.info(&format!("{many} will ask for a name until you run: sekisho config accept"));
    }
    Ok(())
}
