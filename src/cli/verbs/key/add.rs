//! `key add`: a key typed without echo, or from stdin; proved, then stored.

use std::io::{IsTerminal, Read};

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::IgnoredAny;
use zeroize::Zeroizing;

use crate::cli::context::Context;
use crate::cli::prompt;
use crate::cli::runtime::block_on;
use crate::cli::terminal::Terminal;
use crate::cli::wording;
use crate::domain::fault::{Exit, Fault};
use crate::domain::ids::UserName;
use crate::domain::rotation::{KeyEntry, StoredKey};
use crate::domain::secret::{AccessKey, Secret};
use crate::services::aws::{Aws, Doing, FailureKind, Signer, long_term};
use crate::services::session::access_key::{KeyStore, is_stored, owner};
use crate::services::store::access_keys::KeyError;

/// No key file is near this size.
const MAX_INPUT_BYTES: u64 = 64 * 1024;

/// Reads a key and stores it.
pub fn run(context: &Context, key_store: &KeyStore, yes: bool) -> Result<Exit, Fault> {
    let key = if std::io::stdin().is_terminal() {
        typed()?
    } else {
        let mut text = Zeroizing::new(String::with_capacity(8 * 1024));
        let read = std::io::stdin().take(MAX_INPUT_BYTES).read_to_string(&mut text);
        read.map_err(|_| unreadable())?;
        parse(&text)?
    };
    block_on(keep(context, key_store, key, yes, Unproved::Stored))?;
    Ok(Exit::Done)
}

/// What becomes of a key where AWS cannot be reached to prove it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unproved {
    /// It is stored, with a warning: whoever typed it may have no other copy.
    Stored,
    /// It is not stored: it is safe where it is.
    Refused,
}

/// Proves a key and stores it in place of what was there. The broker forgets the old one.
pub async fn keep(
    context: &Context,
    key_store: &KeyStore,
    key: AccessKey,
    yes: bool,
    unproved: Unproved,
) -> Result<(), Fault> {
    let (out, person) = (context.out, context.interaction());
    let found = match key_store.find(person).await {
        Ok(found) => found,
        // A keychain that cannot be read may still not be needed: `choose` finds out.
        Err(KeyError::Keychain(_)) => None,
        Err(error) => return Err(error.fault()),
    };
    let old = found.as_ref().and_then(|(_, entry)| entry.current.as_ref());
    if found.as_ref().is_some_and(|(_, entry)| entry.spare.is_some()) {
        return Err(Fault::new(Exit::Usage, "the stored key is being rotated")
            .because("the other key of the rotation would be lost")
            .fix("sekisho key rotate --finish"));
    }
    if let Some(old) = old.filter(|old| old.key.id != key.id && !yes) {
        prompt::confirm(&format!("replace the stored key {} by {}?", old.key.id, key.id))?;
    }
    let user = prove(context, &key, unproved).await?;
    let home = if let Some((home, _)) = &found {
        home
    } else {
        let (home, passed_over) = key_store.choose(person).await?;
        if let Some(why) = passed_over {
            out.info(&format!("{why}: the key goes into a {}", home.label()));
        }
        home
    };
    let id = key.id.clone();
    let entry = KeyEntry {
        current: Some(StoredKey { key, created: Timestamp::now() }),
        ..KeyEntry::default()
    };
    key_store.save(home, &entry, person)?;
    let gone = [old.map(|old| old.key.id.clone()), context.broker().known_key()];
    for gone in gone.into_iter().flatten() {
        context.broker().forget_key(&gone);
    }
    let whose = user.map(|user| format!(" of {user}")).unwrap_or_default();
    out.info(&format!("stored {id}{whose} ({})", home.label()));
    if !is_stored(&context.config().auth) {
        out.warn(&format!(
            "the config takes its key from {}; set `auth.key: auto` to use this one",
            wording::key_source(&context.config().auth.key)
        ));
    }
    Ok(())
}

/// Whose key it is, by AWS's word; `None` where AWS cannot be reached and need not be.
async fn prove(
    context: &Context,
    key: &AccessKey,
    unproved: Unproved,
) -> Result<Option<UserName>, Fault> {
    let auth = &context.config().auth;
    let answer = Aws::new(auth)?.caller_identity(Signer::Key(key)).await;
    match answer {
        Ok(caller) => owner(auth, &key.id, caller).map(Some),
        Err(failure)
            if failure.kind == FailureKind::Unreachable && unproved == Unproved::Stored =>
        {
            let why = failure.fault(Doing::Asking).what;
            context.out.warn(&format!("the key was not verified: {why}"));
            Ok(None)
        }
        Err(failure) => Err(failure.fault(Doing::Asking)),
    }
}

fn typed() -> Result<AccessKey, Fault> {
    let mut terminal = Terminal::open().ok_or_else(unreadable)?;
    let id = terminal.ask("access key id: ")?;
    let secret = terminal.ask_hidden("secret access key (not shown): ")?;
    long_term(&id, secret.trimmed(), false, "what was typed")
}

fn unreadable() -> Fault {
    Fault::new(Exit::Usage, "there is no access key on stdin")
        .because("the input is two lines (id, secret), AWS's JSON or the console's CSV")
        .fix("aws iam create-access-key | sekisho key add")
        .fix("or run `sekisho key add` in a terminal and type the key")
}

/// What `aws iam create-access-key` and credential processes print.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Printed {
    access_key: Option<Box<Printed>>,
    access_key_id: Option<String>,
    secret_access_key: Option<String>,
    session_token: Option<IgnoredAny>,
}

/// Reads AWS's JSON, the console's CSV, or two lines.
fn parse(text: &str) -> Result<AccessKey, Fault> {
    let text = text.trim_start_matches('\u{FEFF}').trim();
    if text.starts_with('{') {
        let mut printed: Printed = serde_json::from_str(text).map_err(|_| unreadable())?;
        if let Some(inner) = printed.access_key {
            printed = *inner;
        }
        let (Some(id), Some(secret)) = (printed.access_key_id, printed.secret_access_key) else {
            return Err(unreadable());
        };
        let secret = Secret::new(secret);
        return long_term(&id, secret, printed.session_token.is_some(), "stdin");
    }
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let (id, secret) = match lines[..] {
        [head, row] if head.contains(',') => row.split_once(',').ok_or_else(unreadable)?,
        [id, secret] => (id, secret),
        _ => return Err(unreadable()),
    };
    let secret = Secret::new(secret.trim().to_owned());
    long_term(id.trim(), secret, false, "stdin")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_aws_hands_out_is_read() {
        const ID: &str = "AKIAIOSFODNN7EXAMPLE";
        for text in [
            format!("{ID}\nsecret/+=\n"),
            format!("\u{FEFF}Access key ID,Secret access key\r\n{ID},secret/+=\r\n"),
            format!(r#"{{"AccessKeyId":"{ID}","SecretAccessKey":"secret/+=","Version":1}}"#),
            format!(
                r#"{{"AccessKey":{{"UserName":"t","AccessKeyId":"{ID}","Status":"Active","SecretAccessKey":"secret/+=","CreateDate":"x"}}}}"#
            ),
        ] {
            let key = parse(&text).unwrap();
            assert_eq!((key.id.as_str(), key.secret.expose()), (ID, "secret/+="));
        }
    }

    #[test]
    fn sessions_and_nonsense_are_refused_without_an_echo() {
        for text in [
            "",
            "AKIAIOSFODNN7EXAMPLE",
            "{\"AccessKeyId\": \"canary",
            "{\"AccessKeyId\":\"AKIAIOSFODNN7EXAMPLE\"}",
            "canary\ncanary",
            "ASIAIOSFODNN7EXAMPLE\ncanary",
            r#"{"AccessKeyId":"AKIAIOSFODNN7EXAMPLE","SecretAccessKey":"canary","SessionToken":"canary"}"#,
        ] {
            let fault = parse(text).err().unwrap();
            assert!(!format!("{fault:?}").contains("canary"), "{fault:?}");
        }
    }
}
