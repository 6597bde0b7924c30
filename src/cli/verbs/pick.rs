//! The switcher: list → (code) → subshell → back to the list.

use crate::domain::config::AfterShell;
use crate::domain::fault::{Exit, Fault};
use crate::domain::pass::Pass;
use crate::ui::model::{OpenIn, Outcome};

use crate::cli::args::Common;
use crate::cli::console;
use crate::cli::context::Context;
use crate::cli::out::Out;
use crate::cli::runtime::block_on;
use crate::cli::switcher::Switcher;
use crate::cli::world::World;

/// Opens the list, and comes back to it after every subshell.
pub fn run(world: &World, common: Common, query: &str, out: Out) -> Result<Exit, Fault> {
    block_on(async {
        let mut switcher = Switcher::open(world, common, query, out).await?;
        loop {
            let (open_in, pass) = match switcher.choose().await? {
                Outcome::Enter(open_in, pass) => (open_in, *pass),
                Outcome::Quit => return Ok(Exit::Done),
                Outcome::Cancelled => return Ok(Exit::Cancelled),
                Outcome::Signalled(signal) => return Ok(Exit::Child(128 + signal)),
                Outcome::Failed(fault) => return Err(fault),
            };
            let context = switcher.context()?;
            let line = match open_in {
                OpenIn::Console => open_console(&context, &pass).await,
                OpenIn::Shell => {
                    let name = pass.target.name();
                    match context.run_shell(pass, None, context.config().list.after_shell).await {
                        Ok(exit) if context.config().list.after_shell == AfterShell::Exit => {
                            return Ok(exit);
                        }
                        Ok(exit) if exit.code() == 0 => Ok(format!("left {name}")),
                        Ok(exit) => Ok(format!("left {name}, exit code {}", exit.code())),
                        Err(fault) => Err(fault),
                    }
                }
            };
            switcher.show(line.unwrap_or_else(|fault| fault.in_a_line()));
        }
    })
}

/// Opens a target's console. The line on stderr shows while the list is closed and the browser starts.
async fn open_console(context: &Context, pass: &Pass) -> Result<String, Fault> {
    let browser = console::browser(context)?;
    context.out.info(&format!("opening the console of {}", pass.target));
    console::open(context, &browser, pass, None).await
}
