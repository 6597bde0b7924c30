//! `key add`: a key pasted without echo, or from stdin; proved, then stored.

use std::io::{ErrorKind, IsTerminal, Read};

use jiff::Timestamp;
use zeroize::Zeroizing;

use crate::cli::context::Context;
use crate::cli::prompt;
use crate::cli::runtime::block_on;
use crate::cli::terminal::Terminal;
use crate::cli::wording;
use crate::domain::fault::{Exit, Fault};
use crate::domain::ids::{AccessKeyId, UserName};
use crate::domain::pasted::{self, NotKey};
use crate::domain::rotation::{KeyEntry, StoredKey};
use crate::domain::secret::AccessKey;
use crate::services::aws::{Aws, Doing, FailureKind, Signer};
use crate::services::session::access_key::{KeyStore, is_stored, owner};
use crate::services::store::access_keys::{KeyError, KeyHome};

/// No key file is near this size.
const MAX_INPUT_BYTES: usize = 64 * 1024;
/// What a person typed or pasted, in a fault.
const ENTERED: &str = "what was entered";

/// Reads a key and stores it.
pub fn run(context: &Context, key_store: &KeyStore, yes: bool) -> Result<Exit, Fault> {
    let key = if std::io::stdin().is_terminal() {
        ask(&mut Terminal::open().ok_or_else(|| NotKey::Nothing.fault("stdin"))?)?
    } else {
        from_stdin()?
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
    let room = room(context, key_store, &key.id, yes).await?;
    let user = prove(context, &key, unproved).await?;
    put(context, key_store, key, user.as_ref(), &room).await
}

/// Where a key goes: the home of the one that it replaces, if there is one.
pub struct Room<'a> {
    home: Option<&'a KeyHome>,
    old: Option<AccessKeyId>,
}

impl Room<'_> {
    /// Whether no key is there.
    pub fn is_empty(&self) -> bool {
        self.old.is_none()
    }
}

/// Looks where a key can go, and asks whether another one may be replaced. Changes nothing.
pub async fn room<'a>(
    context: &Context,
    key_store: &'a KeyStore,
    new: &AccessKeyId,
    yes: bool,
) -> Result<Room<'a>, Fault> {
    let (home, entry) = match key_store.find(context.interaction()).await {
        Ok(Some((home, entry))) => (Some(home), entry),
        // A keychain that cannot be read may still not be needed: `choose` finds out.
        Ok(None) | Err(KeyError::Keychain(_)) => (None, KeyEntry::default()),
        Err(error) => return Err(error.fault()),
    };
    if entry.spare.is_some() {
        return Err(Fault::new(Exit::Usage, "the stored key is being rotated")
            .because("the other key of the rotation would be lost")
            .fix("sekisho key rotate --finish"));
    }
    let old = entry.current.map(|stored| stored.key.id);
    if let Some(old) = old.as_ref().filter(|old| *old != new && !yes) {
        prompt::confirm(&format!("replace the stored key {old} by {new}?"))?;
    }
    Ok(Room { home, old })
}

/// Stores a key; `user` is its owner, where AWS said so.
pub async fn put(
    context: &Context,
    key_store: &KeyStore,
    key: AccessKey,
    user: Option<&UserName>,
    room: &Room<'_>,
) -> Result<(), Fault> {
    let (out, person) = (context.out, context.interaction());
    let home = if let Some(home) = room.home {
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
    let gone = [room.old.clone(), context.broker().known_key()];
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
        Ok(caller) => owner(auth, &key.id, &caller).map(Some),
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

/// Asks for a key on the terminal: pasted in any form, or its id and then its secret.
pub fn ask(terminal: &mut Terminal) -> Result<AccessKey, Fault> {
    ask_for_any(terminal)?.ok_or_else(|| NotKey::Nothing.fault(ENTERED))
}

/// The same where nothing is an answer, too.
pub fn ask_for_any(terminal: &mut Terminal) -> Result<Option<AccessKey>, Fault> {
    let answer = terminal.ask_pasted("access key, in any form (not shown): ")?;
    let id = match pasted::read(&answer) {
        Ok(key) => return Ok(Some(key)),
        Err(NotKey::Nothing) => return Ok(None),
        Err(NotKey::IdAlone(id)) => id,
        Err(why) => return Err(why.fault(ENTERED)),
    };
    let question = format!("secret access key of {} (not shown): ", id.short());
    let answer = terminal.ask_pasted(&question)?;
    pasted::read_secret(&id, &answer).map(Some).map_err(|why| why.fault(ENTERED))
}

/// Reads a key on stdin, in any form.
pub fn from_stdin() -> Result<AccessKey, Fault> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_INPUT_BYTES));
    let mut stdin = std::io::stdin().lock();
    // `read_to_end` would grow the buffer for a last look, and leave an unwiped copy behind.
    bytes.resize(MAX_INPUT_BYTES, 0);
    let mut read = 0;
    while read < bytes.len() {
        match stdin.read(&mut bytes[read..]) {
            Ok(0) => break,
            Ok(more) => read += more,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return Err(NotKey::Nothing.fault("stdin")),
        }
    }
    pasted::read(&bytes[..read]).map_err(|why| why.fault("stdin"))
}
