//! `logout`: deletes cached sessions, and lists what stays valid at AWS.

use jiff::Timestamp;

use crate::domain::fault::{Exit, Fault};
use crate::domain::text::sanitize;
use crate::services::child::running::{self, Running};
use crate::ui::time_left;

use crate::cli::columns::align;
use crate::cli::context::Context;
use crate::cli::wording::date_time;

/// Which sessions to delete.
pub enum Selection<'a> {
    /// The auth session and the role sessions of this config's key.
    Ours,
    /// The sessions of one target's role.
    Target(&'a str),
    /// Every session of every config, by destroying the key they are sealed with.
    Everything,
}

/// Deletes sessions, and reports those that AWS still accepts.
pub fn run(context: &Context, selection: &Selection<'_>) -> Result<Exit, Fault> {
    let broker = context.broker();
    let (status, before) = (broker.status(), broker.live_roles());
    match selection {
        Selection::Ours => broker.sign_out(),
        Selection::Target(name) => broker.forget(&context.target(name)?),
        Selection::Everything => {
            broker.forget_everything().map_err(|why| {
                Fault::new(Exit::Fault, "not all sessions could be deleted")
                    .because(sanitize(&why))
                    .fix("run `sekisho logout --all` again")
            })?;
            context.key_store().forget_passphrase();
        }
    }
    let (after, kept) = (broker.status(), broker.live_roles());
    let now = Timestamp::now();
    let running = running::holders();
    let mut rows = Vec::new();
    if let (Some(auth), None) = (&status.auth, &after.auth) {
        let user = status.user.map(|user| format!(" of {user}"));
        rows.push([
            format!("  auth session{}", user.unwrap_or_default()),
            format!("until {}", date_time(auth.expires)),
            format!("{} left", time_left::left(auth.expires, now)),
            String::new(),
        ]);
    }
    let mut gone: Vec<_> = before.iter().filter(|live| !kept.contains(live)).collect();
    gone.sort_by_key(|(target, live)| (target.name(), live.expires));
    for (target, live) in gone {
        rows.push([
            format!("  {}", target.name()),
            format!("until {}", date_time(live.expires)),
            format!("{} left", time_left::left(live.expires, now)),
            holders(&running, &target.name()),
        ]);
    }
    if rows.is_empty() {
        context.out.info("there are no sessions to delete");
        return Ok(Exit::Done);
    }
    context.out.info("deleted here; copies of these sessions stay valid at AWS until they expire:");
    context.out.eprint(&align(&rows));
    context.out.info(
        "to end a role's sessions at AWS now, use Revoke sessions on the role in the IAM console",
    );
    Ok(Exit::Done)
}

/// The running programs that were started with a target.
fn holders(running: &[Running], target: &str) -> String {
    let names: Vec<String> = running
        .iter()
        .filter(|running| running.target == target)
        .map(|running| format!("{} (pid {})", running.name, running.pid))
        .collect();
    match &names[..] {
        [] => String::new(),
        names => format!("in {}", names.join(", ")),
    }
}
