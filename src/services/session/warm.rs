//! The warm path: the same request was answered before, the files behind the answer have not changed, and the session
//! has not expired. Then no YAML is read, no runtime started and no AWS client built.

use std::ffi::OsString;
use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::domain::account::{Overrides, Target};
use crate::domain::agents::Driver;
use crate::domain::config::PromptCompat;
use crate::domain::ids::Region;

use super::sessions::{self, CachedSession, RoleOrigin};
use crate::services::aws::shared_files::{CONFIG_FILE, own_config_variable};
use crate::services::config::stamps::Stamp;
use crate::services::store::record::{Name, RecordKind};
use crate::services::store::vault::{Epoch, Vault};

/// The variables that an answer depends on. Their values are part of the request.
const VARIABLES: [&str; 6] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SESSION_TOKEN",
    "AWS_SHARED_CREDENTIALS_FILE",
    CONFIG_FILE,
    "AWS_USE_FIPS_ENDPOINT",
    "AWS_USE_DUALSTACK_ENDPOINT",
];

/// A request: everything that an answer depends on, except the files.
#[derive(Serialize)]
pub struct WarmRequest<'a> {
    version: &'static str,
    config: &'a Path,
    target: &'a str,
    region: Option<&'a str>,
    own_region: Option<&'a str>,
    seconds: Option<u64>,
    scope: Option<&'static str>,
    /// Whether an agent asks: what a person was given is not handed out to it, nor the other way round.
    agent: bool,
    variables: [Option<String>; VARIABLES.len()],
}

/// A cached answer to a request.
#[derive(Serialize, Deserialize)]
pub struct WarmAnswer {
    stamps: Vec<Stamp>,
    /// The resolved target; its guard is checked again.
    pub target: Target,
    /// The names of its sessions in the vault, one for each device.
    sessions: Vec<Name>,
    /// Which other tool's prompt variables the child gets.
    pub compat: PromptCompat,
    /// The emulator that the child's tools call.
    #[serde(default)]
    pub endpoint_url: Option<String>,
    /// Whether nothing is said on entry.
    #[serde(default)]
    pub quiet: bool,
    /// Whether an agent was given less than it asked for.
    #[serde(default)]
    pub narrowed: bool,
}

impl<'a> WarmRequest<'a> {
    /// A request for a target by its name, as it was typed.
    pub fn new(
        config: &'a Path,
        target: &'a str,
        overrides: &'a Overrides,
        driver: &Driver,
    ) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION"),
            config,
            target,
            region: overrides.region.as_ref().map(Region::as_str),
            own_region: overrides.ambient_region.as_ref().map(Region::as_str),
            seconds: overrides.duration.map(|duration| duration.as_secs()),
            scope: overrides.scope.map(crate::domain::scope::Scope::name),
            agent: *driver != Driver::Person,
            variables: VARIABLES
                .map(|name| variable(name).map(|value| hashed(value.as_encoded_bytes()))),
        }
    }

    fn name(&self) -> Name {
        Sha256::digest(serde_json::to_vec(self).unwrap_or_default()).into()
    }

    /// The cached answer, if the files behind it have not changed.
    pub fn answer(&self, vault: &Vault, now: Timestamp) -> Option<WarmAnswer> {
        let bytes = vault.get(RecordKind::Warm, &self.name(), now)?;
        let answer: WarmAnswer = serde_json::from_slice(&bytes).ok()?;
        answer.stamps.iter().all(Stamp::holds).then_some(answer)
    }

    /// Caches an answer until its session expires.
    pub fn keep(
        &self,
        vault: &Vault,
        begun: Epoch,
        answer: &WarmAnswer,
        expires: Timestamp,
        now: Timestamp,
    ) {
        if let Ok(bytes) = serde_json::to_vec(answer) {
            vault.put_since(begun, RecordKind::Warm, &self.name(), &bytes, expires, now);
        }
    }
}

impl WarmAnswer {
    /// An answer, and the state of the files behind it.
    pub fn new(
        stamps: Vec<Stamp>,
        target: Target,
        sessions: Vec<Name>,
        compat: PromptCompat,
        endpoint_url: Option<&str>,
        quiet: bool,
        narrowed: bool,
    ) -> Self {
        let endpoint_url = endpoint_url.map(str::to_owned);
        Self { stamps, target, sessions, compat, endpoint_url, quiet, narrowed }
    }

    /// Its session; of several, the one that expires last.
    pub fn session(&self, vault: &Vault, now: Timestamp) -> Option<CachedSession<RoleOrigin>> {
        self.sessions
            .iter()
            .filter_map(|name| sessions::get(vault, name, now))
            .max_by_key(|session: &CachedSession<RoleOrigin>| session.credentials.expires)
    }
}

/// A variable's value; in a served child the user's own, as everything that reads the file does.
fn variable(name: &str) -> Option<OsString> {
    let env = |name: &str| std::env::var_os(name);
    if name == CONFIG_FILE { own_config_variable(env) } else { env(name) }
}

/// Hashed, because values may be long, and one of them is a session token.
fn hashed(value: &[u8]) -> String {
    hex::encode(&Sha256::digest(value)[..8])
}
