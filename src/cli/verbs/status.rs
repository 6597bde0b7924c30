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
//! | `key` | where the access key comes from: `auto`, `keyring`, `file`, `env`, `profile:NAME`, `command`, `login` |
//! | `sessions` | where sessions are stored, e.g. `kernel keyring`; null before the first one |
//! | `agent` | the AI agent that asks, as it is called, or null for a person |
//! | `detours` | proxies, endpoints and certificates between here and AWS's own hosts, one text each |
//! | `changed_targets` | how many included targets have changed and wait for `config accept` |
//! | `auth_session` | null, or `expires` (RFC 3339, UTC), `seconds_left`, `device`; of a console sign-in the latest end that is possible |
//! | `role_sessions` | each with `target`, `role_arn`, `scope`, `flow`, `expires`, `seconds_left`, `here` (this shell's) |

use jiff::Timestamp;
use serde::Serialize;

use crate::domain::account::Target;
use crate::domain::config::KeySource;
use crate::domain::fault::{Exit, Fault};
use crate::domain::ids::{AccountId, Region, UserName};
use crate::domain::local_clock::LocalClock;
use crate::domain::pass::{Live, SignedInBy};
use crate::domain::text::{filled, sanitize};
use crate::services::aws;
use crate::services::child::environment::Inherited;
use crate::ui::time_left;

use crate::cli::args::Common;
use crate::cli::columns::align;
use crate::cli::context::Context;
use crate::cli::local_clock::local_clock;
use crate::cli::out::Out;
use crate::cli::wording::key_source;
use crate::cli::world::World;

#[derive(Serialize)]
struct Status {
    schema: u8,
    version: u8,
    auth_account: AccountId,
    user: Option<UserName>,
    key: String,
    sessions: Option<&'static str>,
    agent: Option<String>,
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
    /// Whether it may end before.
    #[serde(skip)]
    is_limit: bool,
}

#[derive(Serialize)]
struct RoleSession {
    target: String,
    role_arn: String,
    scope: &'static str,
    flow: &'static str,
    expires: Timestamp,
    seconds_left: i64,
    here: bool,
}

/// What `--format` may name.
const FIELDS: [&str; 9] =
    ["target", "account", "id", "role", "region", "scope", "guard", "until", "left"];

/// A session as a status line shows it.
struct Line {
    target: String,
    account: String,
    id: String,
    role: String,
    region: String,
    scope: String,
    guard: String,
    /// `None` under `serve`, where it is renewed.
    expires: Option<Timestamp>,
}

/// Prints a line for a status bar: the session of the shell that asks, else each live one. Nothing is called, and inside a
/// shell nothing is read.
pub fn line(world: &World, common: Common, format: &str, out: Out) -> Result<Exit, Fault> {
    let inherited = Inherited::current();
    let lines = if let Some(line) = Line::of_environment(&inherited) {
        vec![line]
    } else {
        let context = Context::open(world.clone(), common, "status", out)?;
        let roles = context.broker().status().roles;
        let mut live = context.broker().live_roles();
        live.retain(|(target, _)| roles.contains_key(&target.role));
        live.sort_by_key(|(target, live)| (target.name(), live.expires));
        live.into_iter().map(|(target, live)| Line::of_session(&target, live)).collect()
    };
    let (clock, now) = (local_clock(out), Timestamp::now());
    for line in lines {
        let value = |field: &str| line.value(field, &clock, now);
        let text = filled(format, value).map_err(|field| {
            Fault::new(Exit::Usage, format!("--format has no field {}", sanitize(&field)))
                .fix(format!("use {}", FIELDS.map(|field| format!("{{{field}}}")).join(" ")))
        })?;
        out.print(&format!("{}\n", sanitize(&text)));
    }
    Ok(Exit::Done)
}

impl Line {
    fn of_environment(inherited: &Inherited) -> Option<Self> {
        let get = |name: &str| {
            inherited
                .get(name)
                .map(|value| value.to_string_lossy().into_owned())
                .unwrap_or_default()
        };
        inherited.get("SEKISHO_TARGET")?;
        Some(Self {
            target: get("SEKISHO_TARGET"),
            account: get("SEKISHO_ACCOUNT"),
            id: get("SEKISHO_ACCOUNT_ID"),
            role: get("SEKISHO_ROLE"),
            region: get("AWS_REGION"),
            scope: get("SEKISHO_SCOPE"),
            guard: get("SEKISHO_GUARD"),
            expires: inherited.parsed("SEKISHO_EXPIRATION"),
        })
    }

    fn of_session(target: &Target, live: Live) -> Self {
        Self {
            target: target.name(),
            account: target.account.to_string(),
            id: target.id.to_string(),
            role: target.role.name().to_owned(),
            region: target.region.as_ref().map(Region::to_string).unwrap_or_default(),
            scope: target.session.scope.name().to_owned(),
            guard: target.guard.name().to_owned(),
            expires: Some(live.expires),
        }
    }

    fn value(&self, field: &str, clock: &LocalClock, now: Timestamp) -> Option<String> {
        Some(match field {
            "target" => self.target.clone(),
            "account" => self.account.clone(),
            "id" => self.id.clone(),
            "role" => self.role.clone(),
            "region" => self.region.clone(),
            "scope" => self.scope.clone(),
            "guard" => self.guard.clone(),
            "until" => self.expires.map(|then| clock.moment(then, now)).unwrap_or_default(),
            "left" => self.expires.map(|then| time_left::left(then, now)).unwrap_or_default(),
            _ => return None,
        })
    }
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
        context.out.print(&status.for_people(context, now));
    }
    Exit::Done
}

fn status(context: &Context, now: Timestamp) -> Status {
    let (auth, broker) = (&context.config().auth, context.broker());
    let status = broker.status();
    let here = context.here().map(|row| context.config().catalog.role_arn(row));
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
            here: here.as_ref() == Some(&target.role),
        })
        .collect();
    role_sessions
        .sort_by(|a, b| (!a.here, &a.target, a.expires).cmp(&(!b.here, &b.target, b.expires)));
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
            KeySource::Login => "login".into(),
            KeySource::Profile(name) => format!("profile:{name}"),
            KeySource::Command(_) => "command".into(),
        },
        sessions: status.store,
        agent: context.driver().agent().map(|agent| agent.name.clone()),
        detours: aws::detours(auth),
        changed_targets: context.config().catalog.changed().count(),
        auth_session: status.auth.map(|auth| AuthSession {
            expires: auth.expires,
            seconds_left: time_left::seconds_left(auth.expires, now),
            device: auth.device,
            is_limit: auth.by == SignedInBy::Console,
        }),
        role_sessions,
    }
}

impl Status {
    fn for_people(&self, context: &Context, now: Timestamp) -> String {
        let account = self.auth_account.dashed();
        let user = match &self.user {
            Some(user) => format!("{user} @ {account}"),
            None => format!("not known yet @ {account}"),
        };
        let signed_in = match &self.auth_session {
            Some(auth) => format!(
                "until {}{}, {} left ({})",
                context.moment(auth.expires),
                if auth.is_limit { " at the latest" } else { "" },
                time_left::left(auth.expires, now),
                sanitize(&auth.device)
            ),
            None => "no".into(),
        };
        let mut rows = vec![
            ["user".to_owned(), user],
            ["signed in".into(), signed_in],
            ["access key".into(), key_source(&context.config().auth.key)],
            ["sessions".into(), self.sessions.unwrap_or("none yet").into()],
        ];
        let agent = context.driver().agent();
        rows.extend(agent.map(|agent| ["agent".into(), agent.to_string()]));
        rows.extend(self.detours.iter().map(|detour| ["detour".into(), detour.clone()]));
        let mut text = align(&rows);
        if !self.role_sessions.is_empty() {
            let head = ["TARGET", "SCOPE", "FLOW", "UNTIL", "LEFT", ""].map(str::to_owned);
            let live = self.role_sessions.iter().map(|session| {
                [
                    session.target.clone(),
                    session.scope.into(),
                    session.flow.into(),
                    context.moment(session.expires),
                    time_left::left(session.expires, now),
                    if session.here { "this shell".into() } else { String::new() },
                ]
            });
            let rows: Vec<_> = std::iter::once(head).chain(live).collect();
            text.push('\n');
            text.push_str(&align(&rows));
        }
        text
    }
}
