//! `login`: gets the auth session now, so that no later command needs a code.

use jiff::Timestamp;

use crate::domain::config::StoreChoice;
use crate::domain::fault::{Exit, Fault};
use crate::domain::text::{sanitize, shell_quoted};
use crate::services::session::access_key;
use crate::ui::time_left;

use crate::cli::context::Context;
use crate::cli::prompt;
use crate::cli::runtime::block_on;

/// Signs in, and reports when the session expires.
pub fn run(context: &Context, target: Option<&str>) -> Result<Exit, Fault> {
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
    let before = broker.status().auth;
    let until = block_on(prompt::sign_in(broker, None, &mut context.codes()))?;
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
    let device = status.auth.map(|auth| auth.device);
    context.out.info(&format!(
        "{} as {} ({}) until {}, {} left",
        if already { "already signed in" } else { "signed in" },
        user.unwrap_or_default(),
        sanitize(&device.unwrap_or_default()),
        context.moment(until),
        time_left::left(until, Timestamp::now()),
    ));
    Ok(Exit::Done)
}
