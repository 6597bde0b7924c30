//! `status`: the active sessions, when they expire, and where they are stored.
//!
//! `--json` prints one object; fields are added, never changed or taken away:
//!
//! | field | |
//! |---|---|
//! | `schema` | 1 |
//! | `version` | 1: the same number, by the name it had first |
//! | `auth_account` | the 12 digits |
//! | `user` | the IAM user, or null before the first call |
//! | `key` | where the access key comes from: `auto`, `keyring`, `file`, `env`, `profile:NAME`, `command` |
//! | `sessions` | where sessions are stored, e.g. `kernel keyring`; null before the first one |
//! | `detours` | proxies, endpoints and certificates between here and AWS's own hosts, one text each |
//! | `changed_targets` | how many included targets have changed and wait for `config accept` |
//! | `auth_session` | null, or `expires` (RFC 3339, UTC), `seconds_left`, `device` |
//! | `role_sessions` | each with `target`, `role_arn`, `scope`, `flow`, `expires`, `seconds_left` |

use jiff::Timestamp;
use serde::Serialize;

use crate::domain::config::KeySource;
use crate::domain::fault::Exit;
use crate::domain::ids::{AccountId, UserName};
use crate::domain::text::sanitize;
use crate::services::aws;
use crate::ui::time_left;

use crate::cli::columns::align;
use crate::cli::context::Context;
use crate::cli::wording::{date_time, key_source};

#[derive(Serialize)]
struct Status {
    schema: u8,
    version: u8,
    auth_account: AccountId,
    user: Option<UserName>,
    key: String,
    sessions: Option<&'static str>,
    detours: Vec<String>,
    changed_targets: usize,
    auth_session: Option<AuthSession>,
    role_sessions: Vec<RoleSession>,
}

#[derive(Serialize)]
struct AuthSession {
    expires: Timestamp,
    seconds_left: i64,
    device: String,
}

#[derive(Serialize)]
struct RoleSession {
    target: String,
    role_arn: String,
    scope: &'static str,
    flow: &'static str,
    expires: Timestamp,
    seconds_left: i64,
}

/// Shows the active sessions, without prompts or network calls.
pub fn run(context: &Context, json: bool) -> Exit {
    context.print_warnings();
    let now = Timestamp::now();
    let status = status(context, now);
    if let Some(warning) = context.broker().vault().take_warning() {
        context.out.warn(&warning);
    }
    if json {
        context.out.json(&status);
    } else {
        context.out.print(&status.for_people(&context.config().auth.key, now));
    }
    Exit::Done
}

fn status(context: &Context, now: Timestamp) -> Status {
    let (auth, broker) = (&context.config().auth, context.broker());
    let status = broker.status();
    let mut role_sessions: Vec<RoleSession> = broker
        .live_roles()
        .into_iter()
        // The vault is shared with other configs.
        .filter(|(target, _)| status.roles.contains_key(&target.role))
        .map(|(target, live)| RoleSession {
            target: target.name(),
            role_arn: target.role.as_str().to_owned(),
            scope: target.session.scope.name(),
            flow: live.flow.name(),
            expires: live.expires,
            seconds_left: time_left::seconds_left(live.expires, now),
        })
        .collect();
    role_sessions.sort_by(|a, b| (&a.target, a.expires).cmp(&(&b.target, b.expires)));
    Status {
        schema: 1,
        version: 1,
        auth_account: auth.account,
        user: status.user,
        key: match &auth.key {
            KeySource::Auto => "auto".into(),
            KeySource::Keyring => "keyring".into(),
            KeySource::File => "file".into(),
            KeySource::Env => "env".into(),
            KeySource::Profile(name) => format!("profile:{name}"),
            KeySource::Command(_) => "command".into(),
        },
        sessions: status.store,
        detours: aws::detours(auth),
        changed_targets: context.config().catalog.changed().count(),
        auth_session: status.auth.map(|auth| AuthSession {
            expires: auth.expires,
            seconds_left: time_left::seconds_left(auth.expires, now),
            device: auth.device,
        }),
        role_sessions,
    }
}

impl Status {
    fn for_people(&self, key: &KeySource, now: Timestamp) -> String {
        let account = self.auth_account.dashed();
        let user = match &self.user {
            Some(user) => format!("{user} @ {account}"),
            None => format!("not known yet @ {account}"),
        };
        let signed_in = match &self.auth_session {
            Some(auth) => format!(
                "until {}, {} left ({})",
                date_time(auth.expires),
                time_left::left(auth.expires, now),
                sanitize(&auth.device)
            ),
            None => "no".into(),
        };
        let mut rows = vec![
            ["user".to_owned(), user],
            ["signed in".into(), signed_in],
            ["access key".into(), key_source(key)],
            ["sessions".into(), self.sessions.unwrap_or("none yet").into()],
        ];
        rows.extend(self.detours.iter().map(|detour| ["detour".into(), detour.clone()]));
        let mut text = align(&rows);
        if !self.role_sessions.is_empty() {
            let head = ["TARGET", "SCOPE", "FLOW", "UNTIL", "LEFT"].map(str::to_owned);
            let live = self.role_sessions.iter().map(|session| {
                [
                    session.target.clone(),
                    session.scope.into(),
                    session.flow.into(),
                    date_time(session.expires),
                    time_left::left(session.expires, now),
                ]
            });
            let rows: Vec<_> = std::iter::once(head).chain(live).collect();
            text.push('\n');
            text.push_str(&align(&rows));
        }
        text
    }
}
