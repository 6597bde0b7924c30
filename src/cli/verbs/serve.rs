//! `serve TARGET -- CMD`: a command whose tools fetch credentials from us, as long as it runs.

use std::ffi::OsString;
use std::num::NonZeroU16;
use std::rc::Rc;

use crate::domain::fault::{Exit, Fault};
use crate::domain::pass::Terms;
use crate::services::child::process;
use crate::ui::model::Enters;

use crate::cli::context::Context;
use crate::cli::runtime::block_on;
use crate::cli::switcher::{Chosen, missing_argument, pass_into};

/// Runs the command to its end, its endpoint with it.
pub fn run(
    context: &Rc<Context>,
    target: Option<&str>,
    port: Option<NonZeroU16>,
    command: &[OsString],
) -> Result<Exit, Fault> {
    if command.is_empty() {
        return Ok(missing_argument("serve", "<COMMAND>...", context.out));
    }
    let pass = match pass_into(context, target, "serve", Terms::LAST_SECONDS, Enters::Command)? {
        Chosen::Pass(pass) => *pass,
        Chosen::Nothing(exit) => return Ok(exit),
    };
    let inherited = context.inherited();
    context.record_entry(&pass.target.role, inherited.depth() + 1);
    let child = async |environment| process::run(environment, inherited, command).await;
    block_on(context.serve(pass, port, child))
}
