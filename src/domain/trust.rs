//! Trust policies, read for two questions: does MFA bar every way in for IAM users of the auth account, and who
//! else may enter?
//!
//! The document is evaluated for imagined callers: a bare key, a session made without a code, one made with a
//! code, and strangers of every kind that the document names. Whatever else a condition asks (an external id, an
//! address, a tag) a thief of the key may meet, so it does not protect against one. What cannot be interpreted is
//! never taken for sound.
//!
//! Semantics: the IAM User Guide, "Condition operators" and "Global condition context keys".

mod caller;
mod condition;
mod document;
mod door;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::ids::AccountId;
use super::text::sanitize;
use caller::{Action, Caller, CallerKind, Home};
use condition::Holds;
use document::Statement;

pub use door::{Door, DoorKind, DoorStanding, Needs};

/// What a trust policy says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrustPolicy {
    /// How it treats the IAM users of the auth account.
    pub users: Reading,
    /// Whom else it lets in, in the document's order.
    pub doors: Vec<Door>,
}

/// What a trust policy says about the auth account's users.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reading", rename_all = "snake_case")]
pub enum Reading {
    /// Every statement that lets them in asks for MFA.
    AsksMfa,
    /// No statement lets them in, with MFA or without.
    Closed,
    /// A statement lets them in without MFA.
    Open(Hole),
    /// It cannot be fully interpreted.
    Unclear {
        /// What is not understood.
        why: String,
    },
}

/// A statement that lets a user of the auth account in without MFA.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hole {
    /// The statement's `Sid`, or `#2` for the second.
    pub statement: String,
    /// Whom it names: a principal as the document has it.
    pub principal: String,
    /// Whether a bare key passes; else only a session made without a code does.
    pub bare_key: bool,
}

/// The accounts that a trust policy may name, as far as the config knows them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownAccounts {
    /// The account with the IAM users.
    pub auth: AccountId,
    /// `o-…`, where the config names it.
    pub organization: Option<String>,
    /// Accounts of the same organization: those of the config, and the management account.
    pub members: BTreeSet<AccountId>,
    /// Accounts outside the organization that the config lists as trusted.
    pub trusted: Vec<AccountId>,
}

/// The role's account, and the others around it.
#[derive(Clone, Copy)]
struct Setting<'a> {
    own: AccountId,
    known: &'a KnownAccounts,
}

impl KnownAccounts {
    /// Knows the auth account only.
    pub fn only(auth: AccountId) -> Self {
        Self { auth, organization: None, members: BTreeSet::new(), trusted: Vec::new() }
    }
}

/// Reads the trust policy document (JSON) of a role in the account `own`.
pub fn read(document: &str, own: AccountId, known: &KnownAccounts) -> TrustPolicy {
    let setting = Setting { own, known };
    match document::parse(document) {
        Ok(statements) => TrustPolicy {
            users: users(&statements, setting),
            doors: door::doors(&statements, setting),
        },
        Err(why) => {
            TrustPolicy { users: Reading::Unclear { why: sanitize(&why) }, doors: Vec::new() }
        }
    }
}

/// How the document treats the auth account's users.
fn users(statements: &[Statement], setting: Setting<'_>) -> Reading {
    let auth = setting.known.auth;
    let caller = |kind| Caller { kind, home: Home::Auth, account: Some(auth), stranger: false };
    let mut doubt = None;
    for kind in [CallerKind::Key, CallerKind::SessionWithoutMfa] {
        let caller = caller(kind);
        if denied(statements, &caller, None, setting) {
            continue;
        }
        for statement in allowing(statements) {
            let Some(principal) = statement.user_principal(auth) else { continue };
            match statement.holds(&caller, setting) {
                Holds::Never => {}
                Holds::Unclear(why) => doubt = doubt.or(Some(why)),
                Holds::Always | Holds::Perhaps => {
                    return Reading::Open(Hole {
                        statement: sanitize(&statement.name),
                        principal: sanitize(principal),
                        bare_key: kind == CallerKind::Key,
                    });
                }
            }
        }
    }
    if let Some(why) = doubt {
        return Reading::Unclear { why: sanitize(&why) };
    }
    let with_mfa = caller(CallerKind::SessionWithMfa);
    let lets_in = |statement: &Statement| {
        statement.user_principal(auth).is_some()
            && statement.holds(&with_mfa, setting) != Holds::Never
    };
    if allowing(statements).any(lets_in) && !denied(statements, &with_mfa, None, setting) {
        Reading::AsksMfa
    } else {
        Reading::Closed
    }
}

/// The statements that allow `sts:AssumeRole`.
fn allowing(statements: &[Statement]) -> impl Iterator<Item = &Statement> {
    statements.iter().filter(|statement| statement.allows && statement.covers(Action::AssumeRole))
}

/// Whether a Deny is sure to strike the caller, whoever it is in particular.
///
/// `principal` is the text by which an Allow named it: a Deny of the same text strikes, too.
fn denied(
    statements: &[Statement],
    caller: &Caller<'_>,
    principal: Option<&str>,
    setting: Setting<'_>,
) -> bool {
    statements.iter().any(|statement| {
        !statement.allows
            && statement.covers(caller.action())
            && statement.names_all(caller, principal)
            && statement.holds(caller, setting) == Holds::Always
    })
}

#[cfg(test)]
mod door_tests;
#[cfg(test)]
mod tests;
