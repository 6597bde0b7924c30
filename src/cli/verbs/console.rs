//! `console TARGET`: the web console, in the browser or as a URL: on stdout or in the clipboard.

use std::rc::Rc;

use crate::domain::fault::{Exit, Fault};
use crate::domain::pass::{Pass, Renew, Request, Terms};
use crate::services::console::FormerSession;
use crate::ui::model::Enters;

use crate::cli::args::ConsoleArgs;
use crate::cli::console;
use crate::cli::context::Context;
use crate::cli::out::Clipboard;
use crate::cli::prompt;
use crate::cli::runtime::block_on;
use crate::cli::switcher::{Chosen, can_choose, missing_argument, pass_into};

/// What an agent may not see.
const URL: &str = "the sign-in URL";

/// Signs in to a target's console.
pub fn run(context: &Rc<Context>, arguments: &ConsoleArgs) -> Result<Exit, Fault> {
    let page = arguments.service.as_ref();
    let former = if arguments.sign_out { FormerSession::SignedOut } else { FormerSession::Kept };
    let url = |pass: &Pass| {
        context.check_printable(&pass.target, URL)?;
        block_on(console::url(context, pass, page, former))
    };
    if arguments.target.is_none() && context.target_of_shell()?.is_none() && !can_choose() {
        // Before what the machine lacks: a browser, a clipboard.
        return Ok(missing_argument("console", "<TARGET>", context.out));
    }
    if arguments.print || arguments.copy {
        let target = match &arguments.target {
            Some(name) => Some(context.target(name)?),
            None => context.target_of_shell()?.map(|(_, target)| target),
        };
        target.map_or(Ok(()), |target| context.check_printable(&target, URL))?;
    }
    if arguments.print {
        let pass = match pass(context, arguments)? {
            Chosen::Pass(pass) => *pass,
            Chosen::Nothing(exit) => return Ok(exit),
        };
        let (url, ends) = url(&pass)?;
        context.out.info(&format!(
            "anyone with this URL is signed in; it is valid for 15 minutes, and {}",
            console::until(context, ends)
        ));
        context.out.secret(&url.line()).map_err(|error| {
            Fault::new(Exit::Fault, "the URL could not be written").because(error.to_string())
        })?;
        return Ok(Exit::Done);
    }
    if arguments.copy {
        let clipboard = Clipboard::of_terminal()?;
        let pass = match pass(context, arguments)? {
            Chosen::Pass(pass) => *pass,
            Chosen::Nothing(exit) => return Ok(exit),
        };
        let (url, ends) = url(&pass)?;
        let clipboard = clipboard.take(&url).map_err(|error| {
            Fault::new(Exit::Fault, "the URL could not be sent to the terminal")
                .because(error.to_string())
        })?;
        context.out.info(&format!(
            "sent the sign-in URL of {} to {clipboard}; anyone who has it is signed in: it is valid for 15 minutes, and {}",
            pass.target,
            console::until(context, ends)
        ));
        return Ok(Exit::Done);
    }
    let browser = console::browser(context)?;
    let pass = match pass(context, arguments)? {
        Chosen::Pass(pass) => *pass,
        Chosen::Nothing(exit) => return Ok(exit),
    };
    let line = block_on(console::open(context, &browser, &pass, page, former))?;
    context.out.info(&line);
    Ok(Exit::Done)
}

/// A pass into the target, else into that of the subshell this runs in: then it is no new entry. Else into one from the list.
fn pass(context: &Rc<Context>, arguments: &ConsoleArgs) -> Result<Chosen, Fault> {
    let named = arguments.target.as_deref();
    let own = if named.is_none() { context.target_of_shell()? } else { None };
    let Some((name, target)) = own else {
        return pass_into(context, named, "console", Terms::SHORTEST_STAY, Enters::Console);
    };
    let cleared = if context.is_renewal(&target) {
        prompt::clear_renewal(&target, context.driver(), context.out)?
    } else {
        let confirm = context.common().confirmation();
        prompt::clear(target, confirm, context.driver(), context.out)?
    };
    let mut codes = context.codes();
    let terms = Terms { renew: Renew::ByFlow, asking: codes.asking(), spare: Terms::SHORTEST_STAY };
    let issue = async |request: Request| context.issue(&name, &request).await;
    let pass = block_on(prompt::pass(context.broker(), cleared, terms, &mut codes, issue))?;
    context.print_notes(&pass);
    Ok(Chosen::Pass(pass.into()))
}
