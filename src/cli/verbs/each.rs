//! `each SELECT… -- CMD`: one command in many targets at once, behind one code.

mod run;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use crate::domain::account::{Overrides, Target, TargetRef};
use crate::domain::batch::{LeftOut, Report, SCHEMA};
use crate::domain::confirmation::{Cleared, Confirmation, Unconfirmed};
use crate::domain::duration::show_duration;
use crate::domain::fault::{Exit, Fault};
use crate::domain::guard::Guard;
use crate::domain::selection::{Selection, State, Unselectable};
use crate::domain::text::{count, sanitize, shell_quoted};
use crate::services::child::process;
use crate::services::child::shell::Shell;
use crate::services::session::history::HistoryFile;
use crate::ui::fit;
use crate::ui::model::MarkedRun;

use crate::cli::args::{EachArgs, JOBS};
use crate::cli::columns::align;
use crate::cli::context::Context;
use crate::cli::prompt;
use crate::cli::runtime::block_on;
use crate::cli::wording;

use run::Run;

/// The longest session of the shared flow: a longer one would take a code for each target.
const HOUR: Duration = Duration::from_hours(1);

/// Up to so many targets are all in the table; of more, only those that failed.
const SHORT_TABLE: usize = 30;

/// Runs the command in every selected target.
pub fn run(context: &Context, arguments: &EachArgs) -> Result<Exit, Fault> {
    context.print_warnings();
    let (targets, mut left_out) = match &arguments.retry_failed {
        Some(report) => failed_before(context, report)?,
        None => selected(context, arguments)?,
    };
    tell(context, &left_out);
    let (cleared, guarded) = past_guards(context, targets)?;
    tell(context, &guarded);
    left_out.extend(guarded);
    if arguments.list {
        let names = cleared.iter().map(|cleared| format!("{}\n", cleared.target()));
        context.out.print(&names.collect::<String>());
        return Ok(Exit::Done);
    }
    let name = arguments.command.first().map(OsString::as_os_str).unwrap_or_default();
    process::find(name, context.inherited().get("PATH"))?;
    if cleared.is_empty() && arguments.retry_failed.is_some() && left_out.is_empty() {
        context.out.info("nothing failed in that report");
        return Ok(Exit::Done);
    }
    if let (true, false, Some(agent)) =
        (cleared.is_empty(), left_out.is_empty(), context.driver().agent())
    {
        return Err(Fault::new(
            Exit::NeedsPerson,
            "an AI agent may not enter any of these targets",
        )
        .because(agent.to_string())
        .fix("run the command yourself, in a terminal of your own"));
    }
    if cleared.is_empty() {
        return Err(Fault::new(Exit::Usage, "no target is selected")
            .fix("`sekisho each SELECT --list` shows which targets are meant"));
    }
    ask(context, arguments, &cleared)?;
    let run = Run::new(context, arguments, cleared)?;
    let report = block_on(run.all(left_out))?;
    table(context, &report);
    if arguments.json {
        context.out.json(&report);
    }
    Ok(report.exit())
}

/// Runs a line of the person's shell in targets that were marked in the list. It has shown them, so nothing is asked.
pub async fn in_marked(context: &Context, marked: MarkedRun) -> Result<Report, Fault> {
    let shell = Shell::choose(context.config().shell.program.as_deref(), context.inherited())?;
    let command = shell.command(&marked.line);
    let arguments = EachArgs { command, jobs: JOBS, ..EachArgs::default() };
    let many = count(marked.targets.len(), "target");
    context.out.info(&format!("`{}` in {many}", sanitize(&marked.line)));
    let left_out = marked.left_out.iter().map(|(target, unconfirmed)| LeftOut {
        target: target.name(),
        reason: why_left_out(context, target, *unconfirmed),
    });
    let left_out: Vec<LeftOut> = left_out.collect();
    tell(context, &left_out);
    tell_narrowed(context, &marked.targets);
    let report = Run::new(context, &arguments, marked.targets)?.all(left_out).await?;
    table(context, &report);
    Ok(report)
}

fn tell(context: &Context, left_out: &[LeftOut]) {
    for left in left_out {
        context.out.info(&format!("{} is left out: {}", left.target, left.reason));
    }
}

fn tell_narrowed(context: &Context, cleared: &[Cleared]) {
    let narrowed: Vec<&Cleared> = cleared.iter().filter(|it| it.is_narrowed()).collect();
    match (&narrowed[..], context.driver().agent()) {
        ([one], Some(agent)) => context.out.warn(&wording::narrowed(one.target(), agent)),
        ([_, _, ..], Some(agent)) => {
            context.out.warn(&format!("{} targets are read-only here: {agent}", narrowed.len()));
        }
        _ => {}
    }
}

fn why_left_out(context: &Context, target: &Target, unconfirmed: Unconfirmed) -> String {
    match (unconfirmed, context.driver().agent(), &target.changes()[..]) {
        (Unconfirmed::Refused, Some(agent), _) => format!("an AI agent may not enter it ({agent})"),
        (_, Some(agent), _) => format!("it is guarded, and only a person confirms ({agent})"),
        (_, None, []) => "it is guarded".to_owned(),
        (_, None, changes) => format!("it has changed ({})", changes.join("; ")),
    }
}

/// The targets that the words select, in the config's order.
fn selected(context: &Context, arguments: &EachArgs) -> Result<(Vec<Target>, Vec<LeftOut>), Fault> {
    let unselectable = |wrong: Unselectable| {
        let fault = Fault::new(Exit::Usage, sanitize(&wrong.what));
        match &wrong.nearest[..] {
            [] => fault
                .fix("`sekisho list` shows every target, and `sekisho each --help` how to select"),
            near => fault.fix(format!("did you mean {}?", near.join(", "))),
        }
    };
    let catalog = &context.config().catalog;
    let (status, history) = (context.broker().status(), HistoryFile::new(context.paths()).read());
    let is = |state, row: TargetRef| {
        let role = catalog.role_arn(row);
        match state {
            State::Live => status.roles.contains_key(&role),
            State::Starred => history.is_starred(&role),
        }
    };
    let selection = Selection::parse(&arguments.select).map_err(unselectable)?;
    let selected = selection.select(catalog, arguments.role.as_ref(), is).map_err(unselectable)?;
    let overrides = overrides(context)?;
    let targets = selected.rows.iter().map(|row| resolve(context, *row, &overrides)).collect();
    let role = arguments.role.as_ref().map(ToString::to_string).unwrap_or_default();
    let left_out = selected.without_role.iter().map(|account| LeftOut {
        target: account.to_string(),
        reason: format!("it has no role {role}"),
    });
    Ok((targets, left_out.collect()))
}

/// The targets that did not succeed by a report, as far as their names still mean the same.
fn failed_before(context: &Context, path: &Path) -> Result<(Vec<Target>, Vec<LeftOut>), Fault> {
    let unreadable = |why: String| {
        let path = sanitize(&path.to_string_lossy());
        Fault::new(Exit::Usage, format!("{path} is not a report of `sekisho each --json`"))
            .because(why)
    };
    let text = std::fs::read(path).map_err(|error| unreadable(error.to_string()))?;
    let report: Report =
        serde_json::from_slice(&text).map_err(|error| unreadable(sanitize(&error.to_string())))?;
    if report.schema != SCHEMA {
        return Err(unreadable(format!("its schema is {}, not {SCHEMA}", report.schema)));
    }
    let (overrides, catalog) = (overrides(context)?, &context.config().catalog);
    let (mut targets, mut left_out) = (Vec::new(), Vec::new());
    for done in report.failed() {
        match catalog.find(&done.target).map(|row| resolve(context, row, &overrides)) {
            Ok(target) if target.role == done.role_arn => targets.push(target),
            Ok(target) => left_out.push(LeftOut {
                target: target.name(),
                reason: format!("it is {} now, and was {}", target.role, done.role_arn),
            }),
            Err(_) => left_out.push(LeftOut {
                target: sanitize(&done.target),
                reason: "it is no longer in the config".into(),
            }),
        }
    }
    Ok((targets, left_out))
}

fn overrides(context: &Context) -> Result<Overrides, Fault> {
    let overrides = context.overrides();
    match overrides.duration {
        Some(duration) if duration > HOUR => {
            Err(Fault::new(Exit::Usage, "sessions of `each` last an hour at most")
                .because(format!(
                    "--duration {} needs an MFA code for every target",
                    show_duration(duration)
                ))
                .fix("leave --duration out"))
        }
        _ => Ok(overrides),
    }
}

fn resolve(context: &Context, row: TargetRef, overrides: &Overrides) -> Target {
    let target = context.config().catalog.resolve(row, overrides);
    Target { duration: target.duration.min(HOUR), ..target }
}

/// Leaves out what is guarded by `confirm`, unless it was named.
fn past_guards(
    context: &Context,
    targets: Vec<Target>,
) -> Result<(Vec<Cleared>, Vec<LeftOut>), Fault> {
    let mut unused: BTreeSet<&str> = context.common().confirm.iter().map(String::as_str).collect();
    let (mut cleared, mut left_out) = (Vec::new(), Vec::new());
    let driver = context.driver();
    for target in targets {
        let by_name = context.common().confirm.iter().find_map(|name| {
            let passed = target.clone().clear(Confirmation::Typed(name), driver).ok()?;
            (target.guard == Guard::Confirm).then(|| unused.remove(name.as_str()));
            Some(passed)
        });
        let passed = match by_name {
            Some(passed) => Ok(passed),
            None => target.clone().clear(Confirmation::Absent, driver),
        };
        match passed {
            Ok(passed) => cleared.push(passed),
            Err(unconfirmed) => {
                let mut reason = why_left_out(context, &target, unconfirmed);
                if driver.agent().is_none() {
                    let account = shell_quoted(target.account.as_str());
                    reason.push_str(&format!(": add --confirm {account} to include it"));
                }
                left_out.push(LeftOut { target: target.name(), reason });
            }
        }
    }
    tell_narrowed(context, &cleared);
    match unused.first() {
        None => Ok((cleared, left_out)),
        Some(name) => Err(Fault::new(
            Exit::Usage,
            format!("--confirm {} confirms none of the selected targets", sanitize(name)),
        )
        .fix("give the name, alias or id of a selected account whose guard is `confirm`")),
    }
}

/// Asks before anything is run in several targets.
fn ask(context: &Context, arguments: &EachArgs, targets: &[Cleared]) -> Result<(), Fault> {
    let [_, _, ..] = targets else { return Ok(()) };
    if arguments.yes {
        return Ok(());
    }
    let lines = targets.iter().map(|cleared| {
        let target = cleared.target();
        let guard = wording::guard(target).map(|_| " (guarded)").unwrap_or_default();
        let name = context.out.colored(target.color, &target.name());
        format!("  {name}{guard}\n")
    });
    context.out.eprint(&lines.collect::<String>());
    let words: Vec<_> =
        arguments.command.iter().map(|word| shell_quoted(&word.to_string_lossy())).collect();
    let command = sanitize(&words.join(" "));
    prompt::confirm(&format!("run `{command}` in these {} targets?", targets.len()))
}

/// What became of them, on stderr.
fn table(context: &Context, report: &Report) {
    let failed = report.failed().count();
    let took = report.ended.duration_since(report.started).as_secs_f64();
    let all = report.targets.len();
    context.out.info(&match failed {
        0 => format!("{all} of {all} succeeded in {}", rough(took)),
        _ => format!("{} of {all} succeeded, {failed} did not; {}", all - failed, rough(took)),
    });
    let glyphs = wording::glyphs(context.config().list.symbols);
    let shown =
        report.targets.iter().filter(|done| all <= SHORT_TABLE || !done.outcome.is_success());
    let rows = shown.map(|done| {
        let exit = done.outcome.exit().map_or_else(|| "-".into(), |exit| exit.to_string());
        let reason = fit::truncate(done.outcome.reason(), 100, glyphs.ellipsis);
        [done.target.clone(), exit, format!("{:.1}", done.seconds), reason]
    });
    let head = ["TARGET", "EXIT", "SECONDS", "LAST LINE OF STDERR"].map(str::to_owned);
    let rows: Vec<_> = std::iter::once(head).chain(rows).collect();
    if rows.len() > 1 {
        context.out.eprint(&align(&rows));
    }
}

/// `12s`, `3m`, `2h`
fn rough(seconds: f64) -> String {
    match seconds {
        ..90.0 => format!("{seconds:.0}s"),
        ..5400.0 => format!("{:.0}m", seconds / 60.0),
        _ => format!("{:.0}h", seconds / 3600.0),
    }
}
