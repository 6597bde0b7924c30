//! `console TARGET`: the web console, in the browser or as a URL on stdout.

use crate::domain::fault::{Exit, Fault};
use crate::domain::pass::Terms;

use crate::cli::args::ConsoleArgs;
use crate::cli::console;
use crate::cli::context::Context;
use crate::cli::runtime::block_on;

/// Signs in to a target's console.
pub fn run(context: &Context, arguments: &ConsoleArgs) -> Result<Exit, Fault> {
    let service = arguments.service.as_ref();
    if arguments.print {
        let pass = context.pass(&arguments.target, Terms::SHORTEST_STAY)?;
        let (url, ends) = block_on(console::url(context, &pass, service))?;
        context.out.info(&format!(
            "anyone with this URL is signed in; it is valid for 15 minutes, and {}",
            console::until(ends)
        ));
        context.out.secret(&url.line()).map_err(|error| {
            Fault::new(Exit::Fault, "the URL could not be written").because(error.to_string())
        })?;
        return Ok(Exit::Done);
    }
    let browser = console::browser(context)?;
    let pass = context.pass(&arguments.target, Terms::SHORTEST_STAY)?;
    let line = block_on(console::open(context, &browser, &pass, service))?;
    context.out.info(&line);
    Ok(Exit::Done)
}
