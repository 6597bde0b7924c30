//! `shell TARGET`: the subshell without the list.

use std::rc::Rc;

use crate::domain::fault::{Exit, Fault};
use crate::domain::pass::Terms;
use crate::ui::model::Enters;

use crate::cli::context::Context;
use crate::cli::switcher::{Chosen, pass_into};

/// Opens a subshell and stays until it ends; `verb` is what asks for it.
pub fn run(
    context: &Rc<Context>,
    verb: &str,
    target: Option<&str>,
    shell: Option<&str>,
) -> Result<Exit, Fault> {
    match pass_into(context, target, verb, Terms::SHORTEST_STAY, Enters::Subshell)? {
        Chosen::Pass(pass) => context.open_shell(*pass, shell),
        Chosen::Nothing(exit) => Ok(exit),
    }
}
