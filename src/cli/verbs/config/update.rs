//! `config update`: runs the programs of `include`, shows what they change about the targets, and asks.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::domain::config::{Argv, Loaded, Strictness};
use crate::domain::fault::{Exit, Fault};
use crate::domain::import::update::Update;
use crate::domain::known::Known;
use crate::domain::text::{count, sanitize};
use crate::services::child::helper_program::{self, Stderr};
use crate::services::config::files;
use crate::services::config::renewal::Restored;

use crate::cli::args::Common;
use crate::cli::out::Out;
use crate::cli::prompt;
use crate::cli::runtime::block_on;
use crate::cli::world::World;

/// How long a program may take: it may list thousands of accounts, or ask for a code.
const LIMIT: Duration = Duration::from_mins(15);
/// The file that a program makes anew may be this large.
const MAX_FILE: usize = 16 << 20;
/// What stands in a file that is not there yet.
const NOTHING: &str = "accounts: []\n";

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
    for (file, argv) in updates {
        update(&Config { path: &path, home: &home }, &file, &argv, yes, out)?;
    }
    Ok(())
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

fn update(config: &Config<'_>, file: &Path, argv: &Argv, yes: bool, out: Out) -> Result<(), Fault> {
    let shown = sanitize(&file.to_string_lossy());
    let is_there = file.symlink_metadata().is_ok();
    let unreadable = |why: String| {
        Fault::new(Exit::Usage, format!("{shown} cannot be read, so it is not renewed"))
            .because(why)
    };
    let text = is_there.then(|| files::read_foreign(file)).transpose().map_err(unreadable)?;
    let mut restored = Restored { file, text, is_taken: false };
    if !is_there {
        files::write_included(file, NOTHING)?;
    }
    // A config with a fault, or one that others could write, runs nothing.
    let before = config.load()?;
    let start = files::read_foreign(file).map_err(unreadable)?;
    out.info(&format!("{shown}: {}", sanitize(&argv.join(" "))));
    let limits = helper_program::Limits { time: LIMIT, bytes: MAX_FILE };
    let failed = |why: String| {
        Fault::new(Exit::Fault, format!("{shown} was not renewed"))
            .because(format!("its `update` program failed: {why}"))
    };
    let printed = block_on(async {
        let stderr = Stderr::Inherited;
        helper_program::run_for(config.path, "update", argv, limits, stderr).await.map_err(failed)
    })?;
    let now = files::read_foreign(file).map_err(unreadable)?;
    let printed = String::from_utf8_lossy(&printed);
    // A program writes the file itself, or prints what is to be in it.
    if now == start && !printed.trim().is_empty() {
        if files::is_accounts(file, &printed) {
            files::write_included(file, &printed)?;
        } else {
            for line in printed.lines() {
                out.eprint(&format!("{}\n", sanitize(line)));
            }
        }
    }
    let now = files::read_foreign(file).map_err(unreadable)?;
    if restored.text.as_ref() == Some(&now) {
        files::touch(file);
        out.info(&format!("{shown} is up to date"));
        restored.is_taken = true;
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
        prompt::confirm(&format!("take this for {shown} ({summary})?"))?;
    }
    restored.is_taken = true;
    files::touch(file);
    out.info(&format!("renewed {shown}: {summary}"));
    if update.needs_acceptance() {
        let many = count(update.repointed.len() + update.less_guarded.len(), "target");
        out.info(&format!("{many} will ask for a name until you run: sekisho config accept"));
    }
    Ok(())
}
