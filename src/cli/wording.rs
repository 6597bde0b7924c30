//! How several verbs show the same thing.

use std::iter;

use crate::domain::account::Target;
use crate::domain::agents::Agent;
use crate::domain::config::{KeySource, Symbols};
use crate::domain::guard::Guard;
use crate::domain::text::sanitize;
use crate::services::store::keychain;
use crate::ui::theme::Glyphs;

/// The line on entry: the target, until when, and what else there is to say.
pub fn entered(target: &str, until: Option<&str>, more: &[String], dot: &str) -> String {
    let target = until.map_or_else(|| target.to_owned(), |until| format!("{target} until {until}"));
    let parts: Vec<&str> = iter::once(&target).chain(more).map(String::as_str).collect();
    parts.join(&format!(" {dot} "))
}

/// What is said before a target under `guard: warn` is entered; who types a name needs no warning.
pub fn guard(target: &Target) -> Option<String> {
    (target.guard == Guard::Warn).then(|| format!("{target} is guarded (guard: warn)"))
}

/// What is said where an agent gets less than it asked for.
pub fn narrowed(target: &Target, agent: &Agent) -> String {
    format!("{target} is read-only here: {agent}")
}

/// The glyphs for this terminal.
pub fn glyphs(symbols: Symbols) -> &'static Glyphs {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
        .unwrap_or_default();
    Glyphs::choose(symbols, &locale, &std::env::var("TERM").unwrap_or_default())
}

/// Where a config's key comes from.
pub fn key_source(source: &KeySource) -> String {
    match source {
        KeySource::Auto => "the store".into(),
        KeySource::Keyring => keychain::LABEL.into(),
        KeySource::File => "sealed file".into(),
        KeySource::Login => "none: a console sign-in".into(),
        KeySource::Env => "the environment".into(),
        KeySource::Profile(name) => format!("profile {}", sanitize(name)),
        KeySource::Command(argv) => {
            let program = argv.first().map(|program| sanitize(program));
            format!("key_command {}", program.unwrap_or_default())
        }
    }
}
