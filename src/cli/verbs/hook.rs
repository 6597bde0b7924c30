//! `hook SHELL`: the shell code that `sekisho switch` and `sekisho refresh` need.

use crate::domain::config::ShellPrefs;
use crate::domain::fault::Exit;
use crate::services::child::shell::{CommandName, Hookable, hook};

use crate::cli::args::{Common, verbs};
use crate::cli::context::Context;
use crate::cli::out::Out;
use crate::cli::world::World;

/// Prints the hook, even without a valid config: a start-up file must not fail.
pub fn run(world: &World, common: Common, shell: Hookable, name: &CommandName, out: Out) -> Exit {
    let config = Context::open(world.clone(), common, "hook", out).ok();
    let prefs = config.map_or_else(ShellPrefs::default, |context| context.config().shell.clone());
    out.print(&hook(shell, name, &prefs, &verbs()));
    Exit::Done
}
