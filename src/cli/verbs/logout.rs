//! `logout`: deletes cached sessions, and lists what stays valid at AWS.

use jiff::Timestamp;

use crate::domain::fault::{Exit, Fault};
use crate::domain::pass::SignedInBy;
use crate::domain::text::{count, sanitize};
use crate::services::child::running::{self, Holder};
use crate::services::store::keyfile::KeyFile;
use crate::services::store::record::RecordKind;
use crate::ui::time_left;

use crate::cli::columns::align;
use crate::cli::context::Context;

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
    let key_files = KeyFile::below(&context.paths().state);
    let (status, before) = (broker.status(), broker.live_roles());
    match selection {
        Selection::Ours => broker.sign_out(),
        Selection::Target(name) => broker.forget(&context.target(name)?),
        Selection::Everything => {
            // Both, even where one fails.
            let passphrases = key_files.forget_passphrases().map_err(|error| error.to_string());
            broker.forget_everything().and(passphrases).map_err(|why| {
                Fault::new(Exit::Fault, "not everything could be deleted")
                    .because(sanitize(&why))
                    .fix("run `sekisho logout --all` again")
            })?;
        }
    }
    let (after, kept) = (broker.status(), broker.live_roles());
    let now = Timestamp::now();
    let running = running::holders();
    let mut rows = Vec::new();
    if let (Some(auth), None) = (&status.auth, &after.auth) {
        let user = status.user.map(|user| format!(" of {user}"));
        let (what, until) = match auth.by {
            SignedInBy::Code => ("auth session", "until"),
            SignedInBy::Console => ("console sign-in", "at most until"),
        };
        rows.push([
            format!("  {what}{}", user.unwrap_or_default()),
            format!("{until} {}", context.moment(auth.expires)),
            format!("{} left", time_left::left(auth.expires, now)),
            String::new(),
        ]);
    }
    let mut gone: Vec<_> = before.iter().filter(|live| !kept.contains(live)).collect();
    gone.sort_by_key(|(target, live)| (target.name(), live.expires));
    for (target, live) in gone {
        rows.push([
            format!("  {}", target.name()),
            format!("until {}", context.moment(live.expires)),
            format!("{} left", time_left::left(live.expires, now)),
            holders(&running, &target.name()),
        ]);
    }
    if rows.is_empty() {
        context.out.info("there are no sessions to delete");
    } else {
        context
            .out
            .info("deleted here; AWS still accepts copies of these sessions until they expire:");
        context.out.eprint(&align(&rows));
        context.out.info(
            "to end a role's sessions at AWS now, use Revoke sessions on the role in the IAM console",
        );
    }
    if status.auth.is_some_and(|auth| auth.by == SignedInBy::Console) && after.auth.is_none() {
        context.out.info(
            "the browser is still signed in to the console: sign out there; a new password ends every sign-in at AWS",
        );
    }
    let left = left(context, &key_files, now);
    if !left.is_empty() {
        context.out.info(&format!(
            "still on this machine: {}; `sekisho logout --all` deletes it",
            left.join(", ")
        ));
    }
    Ok(Exit::Done)
}

/// What opens something and was not forgotten, other configs' too.
fn left(context: &Context, key_files: &KeyFile, now: Timestamp) -> Vec<String> {
    let sessions: usize = [RecordKind::AuthSession, RecordKind::RoleSession, RecordKind::Login]
        .map(|kind| context.broker().vault().list(kind, now).len())
        .iter()
        .sum();
    let passphrase = key_files.remembers_a_passphrase();
    [
        (sessions > 0).then(|| count(sessions, "session")),
        passphrase.then(|| "a key file's passphrase, remembered for up to 24h".to_owned()),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The running programs that were started with a target.
fn holders(running: &[Holder], target: &str) -> String {
    let names: Vec<String> = running
        .iter()
        .filter(|holder| holder.target == target)
        .map(|holder| {
            // A shell that switched in place was not started with the target.
            let is_here = holder.program.pid == std::process::id();
            if is_here { "this shell".to_owned() } else { holder.program.to_string() }
        })
        .collect();
    match &names[..] {
        [] => String::new(),
        names => format!("in {}", names.join(", ")),
    }
}
