//! Access keys that are stored elsewhere: in the environment, in a profile, behind a program.

use std::time::Duration;

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::domain::config::Argv;
use crate::domain::fault::{Exit, Fault};
use crate::domain::ini::without_comment;
use crate::domain::secret::{AccessKey, Secret};
use crate::domain::text::sanitize;

use super::not_long_term;
use super::shared_files::{KEY_ID, KEY_SECRET, Settings, SharedFiles, TOKENS};
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

/// A profile of the user's own shared files: its key, or what its `credential_process` prints. No role is assumed.
pub async fn from_profile(name: &str, files: &SharedFiles) -> Result<AccessKey, Fault> {
    let origin = format!("profile {}", sanitize(name));
    let none = |why: String| {
        Fault::new(Exit::Usage, format!("{origin} contains no access key")).because(why).fix(
            "correct the profile or `auth.key`, or let sekisho store the key: `sekisho key import`",
        )
    };
    let profile = files.profile(name).map_err(none)?;
    let set = |name: &str| {
        let value = profile.get(name).map(|value| value.trim());
        value.filter(|value| !value.is_empty())
    };
    // Neither half of a key contains a space, so what follows one is a comment.
    let first = |text: &'static str| set(text).and_then(|value| value.split_whitespace().next());
    match (first(KEY_ID), first(KEY_SECRET)) {
        (Some(id), Some(secret)) => {
            let is_session = TOKENS.iter().any(|name| set(name).is_some());
            long_term(id, Secret::new(secret.to_owned()), is_session, &origin)
        }
        (Some(_), None) => Err(none(format!("it has {KEY_ID}, but no {KEY_SECRET}"))),
        (None, Some(_)) => Err(none(format!("it has {KEY_SECRET}, but no {KEY_ID}"))),
        (None, None) => match set("credential_process") {
            Some(command) => from_process(&origin, command).await,
            None => Err(none(why_no_key(&profile))),
        },
    }
}

/// The `login_session` of a profile, which AWS's own client signed in for (`aws login`); `None` where it has a key, which
/// counts first, or where it cannot be read.
pub fn login_session(name: &str, files: &SharedFiles) -> Option<String> {
    let profile = files.profile(name).ok()?;
    let set =
        |name: &str| profile.get(name).map(|value| value.trim()).filter(|value| !value.is_empty());
    if [KEY_ID, KEY_SECRET, "credential_process"].iter().any(|name| set(name).is_some()) {
        return None;
    }
    set("login_session").map(str::to_owned)
}

/// What a profile without a key has instead.
fn why_no_key(profile: &Settings) -> String {
    let has = |names: &[&str]| names.iter().any(|name| profile.contains_key(*name));
    let what = if has(&["sso_session", "sso_start_url", "sso_account_id"]) {
        "it signs in with IAM Identity Center, whose sessions never meet an MFA condition"
    } else if has(&["login_session"]) {
        "it signs in by `aws login`, which gives sessions"
    } else if has(&["role_arn"]) {
        "it assumes a role, which gives sessions: name the profile with the key, its `source_profile`"
    } else {
        "it has neither aws_access_key_id nor credential_process"
    };
    what.to_owned()
}

/// What a profile's `credential_process` prints. It is split into words as botocore does, without a shell.
async fn from_process(origin: &str, command: &str) -> Result<AccessKey, Fault> {
    const SETTING: &str = "credential_process";
    let argv = shlex::split(without_comment(command)).filter(|argv| !argv.is_empty());
    let Some(argv) = argv else {
        return Err(Fault::new(Exit::Usage, format!("the {SETTING} of {origin} cannot be run"))
            .because("its quotes are not closed, or it is empty")
            .fix("correct it in ~/.aws/config"));
    };
    // It would ask this very profile for its key, and so on.
    let own = std::env::current_exe().and_then(std::fs::canonicalize);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let program = helper_program::trusted_program(SETTING, &argv[0], &path);
    let is_own = program.is_ok_and(|program| {
        std::fs::canonicalize(program).is_ok_and(|program| own.is_ok_and(|own| own == program))
    });
    if is_own {
        return Err(not_long_term(origin).because("it is one of sekisho's own profiles"));
    }
    printed_key(SETTING, &argv).await
}

/// The key that `key_command` prints.
pub async fn from_command(argv: &Argv) -> Result<AccessKey, Fault> {
    printed_key("key_command", argv).await
}

/// The output of a credential process.
/// <https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html>
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Printed {
    version: Option<u8>,
    access_key_id: Option<String>,
    secret_access_key: Option<String>,
    session_token: Option<IgnoredAny>,
}

/// How long a program may take to print a key: a password manager may ask to be unlocked.
const PRINT_LIMIT: Duration = Duration::from_mins(1);

/// Runs a program that prints credential-process JSON (1Password, pass). Its stderr is inherited.
async fn printed_key(setting: &str, argv: &[String]) -> Result<AccessKey, Fault> {
    let shown = sanitize(argv.first().map_or("", String::as_str));
    let wrong = |why: String| {
        Fault::new(Exit::Fault, format!("{setting} {shown} failed: {why}"))
            .fix("run the command by hand; it must print {\"Version\": 1, \"AccessKeyId\": …}")
    };
    let text =
        helper_program::run(setting, argv, PRINT_LIMIT, Stderr::Inherited).await.map_err(&wrong)?;
    let printed = parse(&text).map_err(wrong)?;
    let (id, secret, is_session) = printed;
    long_term(&id, secret, is_session, setting)
}

/// The id and the secret in what a program printed, and whether they are a session's. An error quotes nothing of it.
fn parse(text: &[u8]) -> Result<(String, Secret, bool), String> {
    let printed: Printed =
        serde_json::from_slice(text).map_err(|error| match error.classify() {
            serde_json::error::Category::Data => {
                format!(
                    "line {}: a field is not what credential-process JSON has there",
                    error.line()
                )
            }
            _ => format!("line {}: not JSON", error.line()),
        })?;
    let lacks = |field: &str| format!("its answer has no {field}");
    match printed.version {
        Some(1) => {}
        Some(other) => return Err(format!("its Version is {other}, not 1")),
        None => return Err(lacks("Version")),
    }
    let given = |field: Option<String>, name: &str| {
        field.filter(|text| !text.is_empty()).ok_or_else(|| lacks(name))
    };
    let id = given(printed.access_key_id, "AccessKeyId")?;
    let secret = Secret::new(given(printed.secret_access_key, "SecretAccessKey")?);
    Ok((id, secret, printed.session_token.is_some()))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_lacks_a_field_is_told_which() {
        let why = |text: &str| parse(text.as_bytes()).err().unwrap();
        let lacks = [
            (r#"{"AccessKeyId":"AKIA","SecretAccessKey":"canary"}"#, "Version"),
            (r#"{"Version":1,"SecretAccessKey":"canary"}"#, "AccessKeyId"),
            (r#"{"Version":1,"AccessKeyId":"","SecretAccessKey":"canary"}"#, "AccessKeyId"),
            (r#"{"Version":1,"AccessKeyId":"AKIA"}"#, "SecretAccessKey"),
            (r#"{"Version":1,"AccessKeyId":"AKIA","SecretAccessKey":null}"#, "SecretAccessKey"),
        ];
        for (text, field) in lacks {
            assert_eq!(why(text), format!("its answer has no {field}"), "{text}");
        }
        assert_eq!(why(r#"{"Version":2}"#), "its Version is 2, not 1");
        let wrong = r#"{"Version":1,"AccessKeyId":{"canary":1},"SecretAccessKey":"canary"}"#;
        assert!(why(wrong).contains("line 1: a field"), "{}", why(wrong));
        for text in ["canary", "", "{\"AccessKeyId\": canary"] {
            assert!(why(text).ends_with("not JSON") && !why(text).contains("canary"), "{text}");
        }
        let (id, secret, is_session) =
            parse(br#"{"Version":1,"AccessKeyId":"A","SecretAccessKey":"s","SessionToken":"t"}"#)
                .ok()
                .unwrap();
        assert_eq!((id.as_str(), secret.is(b"s"), is_session), ("A", true, true));
    }
}
