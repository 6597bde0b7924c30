//! `key`: the access key in the store.

pub mod add;
mod import;
mod leaked;
mod rotate;
mod status;

use crate::domain::config::KeySource;
use crate::domain::fault::{Exit, Fault};

use crate::cli::args::KeyVerb;
use crate::cli::context::Context;
use crate::cli::prompt;
use crate::services::session::access_key::{self, KeyStore};

/// Does one thing with the key.
pub fn run(context: &Context, what: &KeyVerb) -> Result<Exit, Fault> {
    if context.world().demo().is_some() {
        return Err(Fault::new(Exit::Usage, "a demo has no access key to manage")
            .because("a demo creates a key of its own and never uses a real one")
            .fix("leave the demo, then try again"));
    }
    let _claim = match what {
        KeyVerb::Status { .. } => None,
        _ => Some(context.key_store().lock_for_change()?),
    };
    match what {
        KeyVerb::Add { yes, weak_passphrase } => {
            let store = key_store(context, *weak_passphrase);
            add::run(context, &store, *yes)
        }
        KeyVerb::Import { profile, backup, yes, weak_passphrase } => {
            let store = key_store(context, *weak_passphrase);
            import::run(context, &store, profile.as_deref(), *backup, *yes)
        }
        KeyVerb::Rotate { .. } | KeyVerb::Leaked { .. } | KeyVerb::Status { .. }
            if context.config().auth.key == KeySource::Login =>
        {
            Err(access_key::no_key())
        }
        KeyVerb::Rotate { finish, yes } => rotate::run(context, *finish, *yes),
        KeyVerb::Leaked { yes, lang } => leaked::run(context, *yes, *lang),
        KeyVerb::Remove { yes } => remove(context, *yes),
        KeyVerb::Status { json } => status::run(context, *json),
    }
}

/// Where a key is put; `weak` takes a passphrase that is easily guessed.
pub fn key_store(context: &Context, weak: bool) -> KeyStore {
    let store = context.key_store();
    if weak { store.taking_weak_passphrases() } else { store }
}

/// Removes the key here. Needs neither the keychain's entry nor the file's passphrase to be readable.
fn remove(context: &Context, yes: bool) -> Result<Exit, Fault> {
    let (broker, out) = (context.broker(), context.out);
    let account = context.config().auth.account;
    if !yes {
        out.info("without another copy the key is lost: AWS shows a secret access key only once");
        prompt::confirm(&format!(
            "remove the access key of {} from this machine?",
            account.dashed()
        ))?;
    }
    let known = broker.known_key();
    let homes = context.key_store().clear()?;
    if homes.is_empty() {
        out.info("there is no access key in the store");
        return Ok(Exit::Done);
    }
    if let Some(key) = &known {
        broker.forget_key(key);
    }
    let name = known.map_or_else(|| "the access key".to_owned(), |key| key.to_string());
    out.info(&format!(
        "removed {name} from {} and deleted its cached sessions",
        homes.join(" and ")
    ));
    out.info(
        "the key itself stays active at AWS: delete it in the IAM console, Security credentials",
    );
    Ok(Exit::Done)
}
