//! `exec TARGET -- CMD`: one command with the credentials, by a real `execve`.

use std::ffi::OsString;

use crate::domain::fault::Fault;
use crate::domain::pass::Terms;
use crate::services::child::environment::Inherited;
use crate::services::child::process;

use crate::cli::args::Common;
use crate::cli::context::Context;
use crate::cli::out::Out;
use crate::cli::warm;
use crate::cli::world::World;

/// Becomes the command. Comes back only where it cannot be run.
pub fn run(world: &World, common: Common, target: &str, command: &[OsString], out: Out) -> Fault {
    let inherited = Inherited::current();
    let depth = inherited.depth() + 1;
    if let Some(entry) = warm::entry(world, &common, &inherited, target, depth, out) {
        if let Ok(paths) = world.paths() {
            entry.record(&paths);
        }
        return process::exec(&entry.environment, &inherited, command);
    }
    let become_it = || {
        let context = Context::open(world.clone(), common, &format!("exec {target}"), out)?;
        let pass = context.pass(target, Terms::SHORTEST_STAY)?;
        Ok(context.become_command(pass, command))
    };
    become_it().unwrap_or_else(|fault| fault)
}
