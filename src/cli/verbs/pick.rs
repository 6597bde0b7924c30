//! The switcher: list → (code) → subshell → back to the list.

use std::rc::Rc;

use jiff::Timestamp;

use crate::domain::config::AfterShell;
use crate::domain::fault::{Exit, Fault};
use crate::ui::model::Enters;

use crate::cli::args::Common;
use crate::cli::context::Context;
use crate::cli::out::Out;
use crate::cli::runtime::block_on;
use crate::cli::switcher::{Left, Start, Switcher};
use crate::cli::world::World;

/// Opens the list, and comes back to it after every subshell.
pub fn run(world: &World, common: Common, query: &str, out: Out) -> Result<Exit, Fault> {
    block_on(async { stay(Switcher::open(world, common, query, out).await?).await })
}

/// The same over a context that is open already.
pub fn over(context: Rc<Context>, start: &Start) -> Result<Exit, Fault> {
    block_on(stay(Switcher::over(context, Enters::Subshell, start)?))
}

async fn stay(mut switcher: Switcher) -> Result<Exit, Fault> {
    loop {
        let pass = match switcher.choose().await? {
            Left::With(pass) => *pass,
            Left::Quit => return Ok(Exit::Done),
            Left::Ended(exit) => return Ok(exit),
        };
        let context = switcher.context()?;
        let entered = (pass.target.name(), pass.target.role.clone());
        let (begun, then) = (Timestamp::now(), context.config().list.after_shell);
        let exit = context.run_shell(pass, None, then).await;
        if let (Ok(exit), AfterShell::Exit) = (&exit, then) {
            return Ok(*exit);
        }
        // `switch` may have led on from what was entered.
        let depth = context.inherited().depth() + 1;
        let (name, left) = context.last_of_shell(depth, begun).unwrap_or(entered);
        let line = exit.map(|exit| match exit.code() {
            0 => format!("left {name}"),
            code => format!("left {name}, exit code {code}"),
        });
        switcher.come_back(&left, line.unwrap_or_else(|fault| fault.in_a_line()));
    }
}
