//! `completions SHELL`, what its scripts ask for, and `man`: made at run time from the types that read the command line.

use crate::domain::fault::{Exit, Fault};
use crate::domain::text::sanitize;
use crate::services::child::shell::Hookable;

use crate::cli::args::{self, Common};
use crate::cli::completion::{Place, complete};
use crate::cli::out::Out;
use crate::cli::world::{ConfigSource, World};

const BASH: &str = include_str!("../../../assets/shell/complete.bash");
const ZSH: &str = include_str!("../../../assets/shell/complete.zsh");
const FISH: &str = include_str!("../../../assets/shell/complete.fish");

/// Prints a completion script, which asks [`words`] for everything.
pub fn script(shell: Hookable, out: Out) -> Exit {
    out.print(match shell {
        Hookable::Bash => BASH,
        Hookable::Zsh => ZSH,
        Hookable::Fish => FISH,
    });
    Exit::Done
}

/// Prints what may stand in the place of the last word. A config that cannot be read has no names.
pub fn words(world: &World, common: &Common, words: &[String], out: Out) -> Exit {
    let catalog = |place: &Place| {
        let common = Common { config: place.config.as_ref().map(Into::into), ..Common::default() }
            .or(common.clone());
        let loaded = if place.demo && world.demo().is_none() {
            let source = ConfigSource::named(common.config.as_deref());
            source.and_then(|source| source.load(&world.paths()?))
        } else {
            world.load(&common)
        };
        loaded.ok().map(|loaded| loaded.config.catalog)
    };
    out.print(&complete(&args::documented(), words, catalog).lines());
    Exit::Done
}

/// Prints the manual page of sekisho, or of one verb.
pub fn man(verb: Option<&str>, out: Out) -> Result<Exit, Fault> {
    let command = args::documented();
    let command = match verb {
        None => command,
        Some(name) => command.find_subcommand(name).cloned().ok_or_else(|| {
            Fault::new(Exit::Usage, format!("unknown command: {}", sanitize(name)))
                .fix("`sekisho --help` lists the commands")
        })?,
    };
    let mut page = Vec::new();
    // Into memory: cannot fail.
    let _ = clap_mangen::Man::new(command).render(&mut page);
    out.print(&String::from_utf8_lossy(&page));
    Ok(Exit::Done)
}
