//! The warm path: the same request was answered before, nothing it was answered from has changed, and
//! the session still lives. No YAML is read, no runtime started, no AWS client built.

use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::domain::account::{Overrides, Target};
use crate::domain::config::PromptCompat;

use super::sessions::{self, CachedSession, RoleOrigin};
use crate::services::config::stamps::Stamp;
use crate::services::store::hex;
use crate::services::store::record::{Name, RecordKind};
use crate::services::store::vault::Vault;

/// The variables that change an answer. Their values are part of the request.
const VARIABLES: [&str; 6] = [
    "AWS_REGION",
    "SEKISHO_REGION",
    "AWS_ACCESS_KEY_ID",
    "AWS_SESSION_TOKEN",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_CONFIG_FILE",
];

/// What was asked: everything an answer depends on, but for the files.
#[derive(Serialize)]
pub struct WarmRequest<'a> {
    version: &'static str,
    config: &'a Path,
    target: &'a str,
    region: Option<&'a str>,
    seconds: Option<u64>,
    scope: Option<&'static str>,
    variables: [Option<String>; VARIABLES.len()],
}

/// The answer that was given.
#[derive(Serialize, Deserialize)]
pub struct WarmAnswer {
    stamps: Vec<Stamp>,
    /// The target with everything decided; its guard is asked again.
    pub target: Target,
    /// Where its session lies, by device.
    sessions: Vec<Name>,
    /// What the child's environment is told besides.
    pub compat: PromptCompat,
}

impl<'a> WarmRequest<'a> {
    /// The request of a target by its name, as it was typed.
    pub fn new(config: &'a Path, target: &'a str, overrides: &'a Overrides) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION"),
            config,
            target,
            region: overrides.region.as_ref().map(crate::domain::ids::Region::as_str),
            seconds: overrides.duration.map(|duration| duration.as_secs()),
            scope: overrides.scope.map(crate::domain::scope::Scope::name),
            variables: VARIABLES
                .map(|name| std::env::var_os(name).map(|v| hashed(v.as_encoded_bytes()))),
        }
    }

    fn name(&self) -> Name {
        Sha256::digest(serde_json::to_vec(self).unwrap_or_default()).into()
    }

    /// The answer that was given before, if it still holds.
    pub fn answer(&self, vault: &Vault, now: Timestamp) -> Option<WarmAnswer> {
        let bytes = vault.get(RecordKind::Warm, &self.name(), now)?;
        let answer: WarmAnswer = serde_json::from_slice(&bytes).ok()?;
        answer.stamps.iter().all(Stamp::holds).then_some(answer)
    }

    /// Keeps an answer for the next time, as long as its session lives.
    pub fn keep(&self, vault: &Vault, answer: &WarmAnswer, expires: Timestamp, now: Timestamp) {
        if let Ok(bytes) = serde_json::to_vec(answer) {
            vault.put(RecordKind::Warm, &self.name(), &bytes, expires, now);
        }
    }
}

impl WarmAnswer {
    /// An answer, and the files it comes from.
    pub fn new(
        stamps: Vec<Stamp>,
        target: Target,
        sessions: Vec<Name>,
        compat: PromptCompat,
    ) -> Self {
        Self { stamps, target, sessions, compat }
    }

    /// Its session, the one that lives longest.
    pub fn session(&self, vault: &Vault, now: Timestamp) -> Option<CachedSession<RoleOrigin>> {
        self.sessions
            .iter()
            .filter_map(|name| sessions::get(vault, name, now))
            .max_by_key(|session: &CachedSession<RoleOrigin>| session.credentials.expires)
    }
}

/// Values may be long, and one of them is a session token.
fn hashed(value: &[u8]) -> String {
    hex(&Sha256::digest(value)[..8])
}
