//! `list`: the targets, for people, for scripts and for programs.

use std::io::IsTerminal;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;

use crate::domain::account::{Catalog, TargetRef};
use crate::domain::fault::Exit;
use crate::domain::guard::Guard;
use crate::domain::ids::{Name, Region};
use crate::domain::search::{RowStates, Search};
use crate::services::session::history::HistoryFile;
use crate::ui::time_left;

use crate::cli::args::ListArgs;
use crate::cli::columns::align;
use crate::cli::context::Context;

/// One target as `--json` tells it. Fields may be added; none is renamed or removed.
#[derive(Serialize)]
struct Entry<'a> {
    /// `account/role`, as every verb takes it.
    target: String,
    account: &'a str,
    /// 12 digits.
    account_id: String,
    aliases: Vec<&'a str>,
    role: &'a str,
    role_arn: String,
    region: Option<Region>,
    duration_seconds: u64,
    /// `shared` or `direct`.
    flow: &'static str,
    /// `full` or `read-only`.
    scope: &'static str,
    /// `none`, `warn` or `confirm`.
    guard: Guard,
    /// What an AI agent gets: `full`, `read-only` or `refuse`.
    agents: &'static str,
    /// What has changed about it and is not accepted yet, for people.
    changes: Vec<String>,
    tags: &'a [Arc<str>],
    note: Option<&'a str>,
    /// When the session that lives here ends: RFC 3339, UTC, whole seconds.
    expires: Option<String>,
}

/// Lists the targets: aligned on a terminal, one a line when piped, or as JSON.
pub fn run(context: &Context, arguments: &ListArgs) -> Exit {
    let catalog = &context.config().catalog;
    context.print_warnings();
    let rows = match &arguments.filter {
        Some(query) => found(context, query),
        None => catalog.rows().collect(),
    };
    if arguments.json {
        context.out.json(&entries(context, &rows));
        return Exit::Done;
    }
    let text = if std::io::stdout().is_terminal() {
        table(context, &rows)
    } else {
        let name = |row: &TargetRef| format!("{}\n", target_name(catalog, *row));
        rows.iter().map(name).collect()
    };
    context.out.print(&text);
    Exit::Done
}

fn target_name(catalog: &Catalog, row: TargetRef) -> String {
    let (account, role) = catalog.row(row);
    format!("{}/{}", account.name, role.name)
}

/// What the list's filter finds, the best first.
fn found(context: &Context, query: &str) -> Vec<TargetRef> {
    let mut search = Search::new(Arc::new(context.config().catalog.clone()), &[]);
    let history = HistoryFile::new(context.paths()).read();
    let status = context.broker().status();
    let states = RowStates { status: &status, history: &history, now: Timestamp::now() };
    search.filter(query, Some(&states));
    (0..search.len()).filter_map(|at| search.hit(at)).collect()
}

fn entries<'a>(context: &'a Context, rows: &[TargetRef]) -> Vec<Entry<'a>> {
    let catalog = &context.config().catalog;
    let (status, overrides) = (context.broker().status(), context.overrides());
    rows.iter()
        .map(|row| {
            let (account, role) = catalog.row(*row);
            let target = status.as_entered(catalog.resolve(*row, &overrides));
            let live = status.roles.get(&target.role);
            Entry {
                target: target.name(),
                changes: target.changes(),
                account: account.name.as_str(),
                account_id: account.id.to_string(),
                aliases: account.aliases.iter().map(Name::as_str).collect(),
                role: role.name.as_str(),
                role_arn: target.role.to_string(),
                flow: target.flow().name(),
                region: target.region,
                duration_seconds: target.duration.as_secs(),
                scope: target.session.scope.name(),
                guard: target.guard,
                agents: target.agents.name(),
                tags: &account.tags,
                note: account.note.as_deref(),
                expires: live.map(|live| live.expires.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()),
            }
        })
        .collect()
}

fn table(context: &Context, rows: &[TargetRef]) -> String {
    let catalog = &context.config().catalog;
    let (status, overrides) = (context.broker().status(), context.overrides());
    let now = Timestamp::now();
    let head = ["ACCOUNT", "ID", "ROLE", "GUARD", "REGION", "SESSION"].map(str::to_owned);
    let body = rows.iter().map(|row| {
        let target = catalog.resolve(*row, &overrides);
        let live = status.roles.get(&target.role);
        [
            target.account.to_string(),
            target.id.dashed(),
            target.role.name().to_owned(),
            match target.guard {
                Guard::None => String::new(),
                guard => guard.name().to_owned(),
            },
            target.region.map_or_else(String::new, |r| r.to_string()),
            live.map(|live| time_left::left(live.expires, now)).unwrap_or_default(),
        ]
    });
    let rows: Vec<_> = std::iter::once(head).chain(body).collect();
    align(&rows)
}
