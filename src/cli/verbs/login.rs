//! `login`: gets the auth session now, so that no later command needs a code; with `auth.key: login` in the browser.

use jiff::Timestamp;

use crate::domain::config::{KeySource, StoreChoice};
use crate::domain::fault::{Exit, Fault};
use crate::domain::pass::{Asking, AuthStatus, NotIssued, SignedInBy};
use crate::domain::text::{sanitize, shell_quoted};
use crate::services::session::access_key;
use crate::ui::time_left;

use crate::cli::console;
use crate::cli::context::Context;
use crate::cli::prompt;
use crate::cli::runtime::block_on;
use crate::cli::terminal::Terminal;

/// Where the browser of a console sign-in runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Browser {
    /// On this machine.
    Here,
    /// On another one.
    Elsewhere,
}

/// Signs in, and reports when the session expires.
pub fn run(context: &Context, target: Option<&str>, place: Browser) -> Result<Exit, Fault> {
    if let Some(target) = target {
        return Err(Fault::new(Exit::Usage, "`login` signs in once for all accounts")
            .because("it takes no target")
            .fix(format!("for the web console: `sekisho console {}`", shell_quoted(target)))
            .fix("to sign in: `sekisho login`"));
    }
    if context.config().store == StoreChoice::None {
        return Err(Fault::new(Exit::Usage, "a session would be discarded immediately")
            .because(
                "the config sets `store: none`: sessions are kept in the memory of one process",
            )
            .fix("set `store: auto`, or open a target: `sekisho shell TARGET`"));
    }
    let broker = context.broker();
    let is_console = context.config().auth.key == KeySource::Login;
    if place == Browser::Elsewhere && !is_console {
        return Err(Fault::new(Exit::Usage, "`--remote` is for a console sign-in")
            .because("the config names an access key: an MFA code signs in")
            .fix("sign in with a code: `sekisho login`; or set `auth.key: login`"));
    }
    let before = broker.status().auth;
    let until = if is_console {
        console_sign_in(context, place)?
    } else {
        block_on(prompt::sign_in(broker, None, &mut context.codes()))?
    };
    let already = before.is_some_and(|auth| auth.expires == until);
    if already && access_key::is_stored(&context.config().auth) {
        // A live session needs no key, so no passphrase was asked for: better asked now than in a later command.
        if let Err(refusal) = block_on(broker.unlock()) {
            context.out.warn(&refusal.into_fault().what);
        }
    }
    let status = broker.status();
    if let Some(warning) = broker.vault().take_warning() {
        return Err(Fault::new(Exit::Fault, "signed in, but the session cannot be stored")
            .because(warning)
            .fix("sekisho doctor"));
    }
    let user = status.user.map(|user| user.to_string());
    let (device, most) = match status.auth {
        Some(AuthStatus { device, by: SignedInBy::Code, .. }) => (device, ""),
        Some(AuthStatus { device, by: SignedInBy::Console, .. }) => (device, " at the latest"),
        // Keys of AWS's own client, which are not kept here.
        None => ("aws login".to_owned(), ""),
    };
    context.out.info(&format!(
        "{} as {} ({}) until {}{most}, {} left",
        if already { "already signed in" } else { "signed in" },
        user.unwrap_or_default(),
        sanitize(&device),
        context.moment(until),
        time_left::left(until, Timestamp::now()),
    ));
    Ok(Exit::Done)
}

/// Signs in at the console, where nobody is. Returns when that ends at the latest, UTC.
fn console_sign_in(context: &Context, place: Browser) -> Result<Timestamp, Fault> {
    let broker = context.broker();
    let why = match block_on(broker.sign_in(None, None, Asking::Never)) {
        Ok(until) => return Ok(until),
        Err(NotIssued::SignIn(why)) => why,
        Err(refusal) => return Err(refusal.into_fault()),
    };
    if let Some(why) = why {
        context.out.info(&why.in_a_line());
    }
    let cannot_open = match place {
        Browser::Elsewhere => None,
        Browser::Here => match console::browser(context) {
            Ok(_) => return block_on(broker.sign_in_here()).map_err(NotIssued::into_fault),
            Err(fault) => Some(fault),
        },
    };
    let mut terminal = Terminal::open().ok_or_else(|| {
        let fault =
            Fault::new(Exit::NeedsPerson, "a browser has to sign in, and none can be opened");
        let why = cannot_open.as_ref().map(Fault::in_a_line);
        fault
            .because(why.unwrap_or_else(|| {
                "there is no terminal to take the code of another machine's".into()
            }))
            .fix("run `sekisho login` on a terminal: it shows a URL for a browser anywhere")
    })?;
    if let Some(fault) = &cannot_open {
        terminal.show(&format!("sekisho: {}", sanitize(&fault.in_a_line())));
    }
    let begun = broker.sign_in_elsewhere()?;
    terminal.show("sekisho: open this in a browser on any machine, and sign in there:");
    terminal.show(&format!("\n{}\n", begun.url()));
    terminal.show("sekisho: never paste a code from a page that somebody else sent you: it would sign you in as them");
    let pasted = terminal.ask_hidden("the code that the page shows (nothing is shown here): ")?;
    block_on(broker.pasted(begun, &pasted))
}
