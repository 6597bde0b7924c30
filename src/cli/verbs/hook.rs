//! `hook SHELL`: the text that teaches a shell `sekisho switch` and `sekisho refresh`.

use crate::domain::config::ShellPrefs;
use crate::domain::fault::Exit;
use crate::services::child::shell::{CommandName, Hookable, hook};

use crate::cli::args::Common;
use crate::cli::context::Context;
use crate::cli::out::Out;
use crate::cli::world::World;

/// Prints the hook. It works without a config, since it stands in start-up files.
pub fn run(world: &World, common: Common, shell: Hookable, name: &CommandName, out: Out) -> Exit {
    let config = Context::open(world.clone(), common, "hook", out).ok();
    let prefs = config.map_or_else(ShellPrefs::default, |context| context.config().shell.clone());
    out.print(&hook(shell, name, &prefs));
    Exit::Done
}
