//! `serve TARGET -- CMD`: a command whose tools fetch credentials from us, as long as it runs.

use std::ffi::OsString;

use crate::domain::fault::{Exit, Fault};
use crate::domain::pass::Terms;
use crate::services::child::process;

use crate::cli::context::Context;
use crate::cli::runtime::block_on;

/// Runs the command to its end, its endpoint with it.
pub fn run(context: &Context, target: &str, command: &[OsString]) -> Result<Exit, Fault> {
    let pass = context.pass(target, Terms::LAST_SECONDS)?;
    let inherited = context.inherited();
    context.record_entry(&pass.target.role, inherited.depth() + 1);
    let child = async |environment| process::run(environment, inherited, command).await;
    block_on(context.serve(pass, child))
}
