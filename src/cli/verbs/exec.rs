//! `exec TARGET -- CMD`: one command with the credentials, by a real `execve`.

use std::ffi::OsString;
use std::rc::Rc;

use crate::domain::fault::{Exit, Fault};
use crate::domain::pass::Terms;
use crate::services::child::environment::Inherited;
use crate::services::child::process;
use crate::ui::model::Enters;

use crate::cli::args::Common;
use crate::cli::context::Context;
use crate::cli::out::Out;
use crate::cli::switcher::{Chosen, pass_into};
use crate::cli::warm;
use crate::cli::world::World;

/// Becomes the command. Comes back only where there is none to become, or where it cannot be run.
pub fn run(
    world: &World,
    common: Common,
    target: Option<&str>,
    command: &[OsString],
    out: Out,
) -> Result<Exit, Fault> {
    let inherited = Inherited::current();
    let depth = inherited.depth() + 1;
    let warm = target.and_then(|name| warm::entry(world, &common, &inherited, name, depth, out));
    if let Some(entry) = warm {
        if let Ok(paths) = world.paths() {
            entry.record(&paths);
        }
        return Err(process::exec(&entry.environment, &inherited, command));
    }
    let verb = target.map_or_else(|| "exec".to_owned(), |target| format!("exec {target}"));
    let context = Rc::new(Context::open(world.clone(), common, &verb, out)?);
    match pass_into(&context, target, "exec", Terms::SHORTEST_STAY, Enters::Command)? {
        Chosen::Pass(pass) => Err(context.become_command(*pass, command)),
        Chosen::Nothing(exit) => Ok(exit),
    }
}
