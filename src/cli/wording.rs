//! How several verbs show the same thing.

use jiff::Timestamp;

use crate::domain::config::KeySource;
use crate::domain::text::sanitize;
use crate::services::store::keychain;

/// An instant: `2026-11-24 06:12 UTC`.
pub fn date_time(instant: Timestamp) -> String {
    instant.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// Where a config's key comes from.
pub fn key_source(source: &KeySource) -> String {
    match source {
        KeySource::Auto => "the store".into(),
        KeySource::Keyring => keychain::LABEL.into(),
        KeySource::File => "sealed file".into(),
        KeySource::Env => "the environment".into(),
        KeySource::Profile(name) => format!("profile {}", sanitize(name)),
        KeySource::Command(argv) => {
            let program = argv.first().map(|program| sanitize(program));
            format!("key_command {}", program.unwrap_or_default())
        }
    }
}
