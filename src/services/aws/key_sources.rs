//! Access keys that are stored elsewhere: in the environment, in a profile, behind a program.

use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_credential_types::provider::ProvideCredentials;
use serde::Deserialize;

use crate::domain::config::Argv;
use crate::domain::fault::{Exit, Fault};
use crate::domain::secret::{AccessKey, Secret};
use crate::domain::text::sanitize;

use super::not_long_term;
use crate::services::child::helper_program::{self, Stderr};

/// `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`.
pub fn from_environment() -> Result<AccessKey, Fault> {
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let (Some(id), Some(secret)) = (set("AWS_ACCESS_KEY_ID"), set("AWS_SECRET_ACCESS_KEY")) else {
        return Err(Fault::new(Exit::Usage, "the environment contains no access key")
            .because("the config says `auth.key: env`, but AWS_ACCESS_KEY_ID or AWS_SECRET_ACCESS_KEY is not set")
            .fix("export both, or let sekisho store the key: `sekisho key add` and `auth.key: auto`"));
    };
    long_term(&id, Secret::new(secret), set("AWS_SESSION_TOKEN").is_some(), "the environment")
}

/// A profile of the shared AWS files, read by `aws-config`: no role chain, no network call.
pub async fn from_profile(name: &str) -> Result<AccessKey, Fault> {
    let origin = format!("profile {}", sanitize(name));
    let provider = ProfileFileCredentialsProvider::builder()
        .configure(&ProviderConfig::without_region())
        .profile_name(name)
        .build();
    let found = provider.provide_credentials().await.map_err(|error| {
        let reason = std::iter::successors(Some(&error as &dyn std::error::Error), |e| e.source())
            .last()
            .map(|e| sanitize(&e.to_string()));
        Fault::new(Exit::Usage, format!("{origin} contains no access key"))
            .because(reason.unwrap_or_default())
            .fix("check ~/.aws/credentials, or let sekisho store the key: `sekisho key import`")
    })?;
    long_term(
        found.access_key_id(),
        Secret::new(found.secret_access_key().to_owned()),
        found.session_token().is_some(),
        &origin,
    )
}

/// The files that may contain a profile: credentials, config.
/// <https://docs.aws.amazon.com/sdkref/latest/guide/file-location.html>
pub fn profile_files(home: &Path) -> [PathBuf; 2] {
    let file = |variable: &str, name: &str| {
        let own = std::env::var_os(variable).filter(|path| !path.is_empty());
        own.map_or_else(|| home.join(".aws").join(name), PathBuf::from)
    };
    // In a served child the variable names sekisho's copy.
    let config = match std::env::var_os("SEKISHO_AWS_CONFIG_FILE") {
        Some(original) if original.is_empty() => home.join(".aws/config"),
        Some(original) => original.into(),
        None => file("AWS_CONFIG_FILE", "config"),
    };
    [file("AWS_SHARED_CREDENTIALS_FILE", "credentials"), config]
}

/// The output of a credential process.
/// <https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html>
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Printed {
    version: u8,
    access_key_id: String,
    secret_access_key: String,
    #[serde(default)]
    session_token: Option<serde::de::IgnoredAny>,
}

/// How long `key_command` may take: a password manager may ask to be unlocked.
const KEY_COMMAND_LIMIT: Duration = Duration::from_mins(1);

/// A program that prints credential-process JSON (1Password, pass). Its stderr is inherited.
pub async fn from_command(argv: &Argv) -> Result<AccessKey, Fault> {
    let shown = sanitize(argv.first().map_or("", String::as_str));
    let wrong = |why: String| {
        Fault::new(Exit::Fault, format!("key_command printed no access key: {shown}"))
            .because(why)
            .fix("run the command by hand; it must print {\"Version\": 1, \"AccessKeyId\": …}")
    };
    let text = helper_program::run("key_command", argv, KEY_COMMAND_LIMIT, Stderr::Inherited)
        .await
        .map_err(&wrong)?;
    let printed: Printed = serde_json::from_slice(&text)
        .map_err(|error| wrong(format!("line {}: not credential-process JSON", error.line())))?;
    if printed.version != 1 {
        return Err(wrong(format!("its Version is {}, not 1", printed.version)));
    }
    let temporary = printed.session_token.is_some();
    long_term(
        &printed.access_key_id,
        Secret::new(printed.secret_access_key),
        temporary,
        "key_command",
    )
}

/// A key from its id and secret. Rejects sessions: signing in with a code needs a long-term key.
///
/// `origin` is the subject of the fault's sentence, e.g. `profile default`.
pub fn long_term(
    id: &str,
    secret: Secret,
    has_token: bool,
    origin: &str,
) -> Result<AccessKey, Fault> {
    let id = id.parse::<crate::domain::ids::AccessKeyId>().map_err(|why| {
        Fault::new(Exit::Usage, format!("{origin} contains no access key"))
            .because(why.to_string())
            .fix("check for hidden characters around the key id")
    })?;
    if has_token || id.is_temporary() {
        return Err(not_long_term(origin));
    }
    Ok(AccessKey { id, secret })
}
