//! `shell TARGET`: the subshell without the list.

use crate::domain::fault::{Exit, Fault};
use crate::domain::pass::Terms;

use crate::cli::context::Context;

/// Opens a subshell and stays until it ends.
pub fn run(context: &Context, target: &str, shell: Option<&str>) -> Result<Exit, Fault> {
    let pass = context.pass(target, Terms::SHORTEST_STAY)?;
    context.open_shell(pass, shell)
}
