//! `key import`: a profile's key out of `~/.aws/credentials` and into the store.

use crate::cli::context::Context;
use crate::cli::runtime::block_on;
use crate::cli::{diff, prompt};
use crate::domain::fault::{Exit, Fault};
use crate::domain::import::named;
use crate::domain::import::profiles::{Key, Profile, Profiles};
use crate::domain::text::sanitize;
use crate::services::aws::SharedFiles;
use crate::services::aws::credentials_file::CredentialsFile;
use crate::services::aws::shared_files::own_profile_variable;
use crate::services::config::files;
use crate::services::session::access_key::KeyStore;

use super::add::{self, Unproved};
use super::rotate;

/// The profiles of `~/.aws/config` whose roles other tools enter with this one's key.
fn dependents(profile: &str) -> Vec<String> {
    let file =
        SharedFiles::current().ok().and_then(|files| files::read_foreign(&files.config).ok());
    let profiles = Profiles::parse(&file.unwrap_or_default());
    let depends = |it: &&Profile| it.name != profile && it.get(Key::SourceProfile) == Some(profile);
    profiles.iter().filter(depends).map(|it| it.name.clone()).collect()
}

/// Moves the key: shown first, proved and stored next, removed from the file last.
pub fn run(
    context: &Context,
    key_store: &KeyStore,
    profile: Option<&str>,
    backup: bool,
    yes: bool,
) -> Result<Exit, Fault> {
    let out = context.out;
    let active = own_profile_variable(|name| std::env::var_os(name));
    let profile = profile.or(active.as_deref()).unwrap_or("default");
    let file = CredentialsFile::read(SharedFiles::current()?.credentials)?;
    let found = file.find(profile)?;
    let rest = file.without(&found);
    let (before, after) = file.masked(&rest);
    let shown = sanitize(&file.path().to_string_lossy());
    out.eprint(&diff::unified(&before, &after, &shown));
    let dependents = dependents(profile);
    if !dependents.is_empty() {
        let names: Vec<&str> = dependents.iter().map(String::as_str).collect();
        out.warn(&format!(
            "other tools will not find the key of {} any more (source_profile = {}); `sekisho profiles --write` makes profiles that need none",
            named(&names),
            sanitize(profile)
        ));
    }
    if !yes {
        prompt::confirm(&format!(
            "move the key {} into the store and remove these lines?",
            found.key.id
        ))?;
    }
    block_on(add::keep(context, key_store, found.key, yes, Unproved::Refused))
        .map_err(|fault| fault.fix(format!("{shown} was not changed: then import again")))?;
    let copy = file.replace(&rest, backup).map_err(|fault| {
        fault.fix(format!(
            "the key is in the store, and still in {shown}: import again to remove it there"
        ))
    })?;
    out.info(&format!("removed from {shown}"));
    if let Some(copy) = copy {
        out.warn(&format!(
            "the copy still contains the key in plain text: {}",
            sanitize(&copy.to_string_lossy())
        ));
    }
    out.info("backups may still contain the key in plain text, so a new key is safer");
    if !yes && prompt::offer("rotate it now?") {
        return rotate::run(context, false, false);
    }
    out.info("to rotate it later: sekisho key rotate");
    Ok(Exit::Done)
}
