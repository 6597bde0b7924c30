//! `exec TARGET -- CMD`: one command with the credentials, by a real `execve`.

use std::ffi::OsString;

use crate::domain::fault::{Exit, Fault};

use super::context::Context;

/// Becomes the command. Comes back only where it cannot be run.
pub fn run(context: &Context, target: &str, command: &[OsString]) -> Result<Exit, Fault> {
    let pass = context.pass(target)?;
    Err(context.become_command(pass, command))
}
