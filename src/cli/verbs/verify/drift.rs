//! `verify --drift`: what is attached, compared with what `policy` generates from this config.

use std::fmt::Write;

use jiff::Timestamp;

use crate::domain::fault::{Exit, Fault};
use crate::domain::policy::drift::{
    Difference, Drift, DriftReport, PlaceDrift, PolicySet, StatementDrift,
};
use crate::domain::policy::{Format, Language, render};
use crate::domain::text::count;
use crate::services::aws::{Aws, Signer};
use crate::services::verify::drift::{Readers, drift};

use super::{administrator, first_few};
use crate::cli::args::VerifyArgs;
use crate::cli::context::Context;
use crate::cli::runtime::block_on;
use crate::cli::verbs::policy::first_of;

/// What the comparison leaves out, since something else tells.
const NOT_COMPARED: &str =
    "Not compared: the roles' trust policies (`sekisho verify` reads them), Config rules, budgets.";

/// Reads, compares and prints.
pub fn run(context: &Context, arguments: &VerifyArgs) -> Result<Exit, Fault> {
    let config = context.config();
    let rendered = render(config, Format::Json, Language::English)
        .map_err(|faults| first_of(context, faults))?;
    let purpose = "to read the attached policies";
    let (own, via) = administrator(context, arguments.instead.via.as_deref(), purpose)?;
    let readers = Readers { own: Signer::Session(&own), via: via.as_ref().map(Signer::Session) };
    let aws = Aws::new(&config.auth)?;
    let now = Timestamp::now();
    let report = block_on(drift(
        &aws,
        readers,
        &config.auth,
        config.guardrails.as_ref(),
        &rendered.files,
        now,
    ))?;
    if arguments.json {
        context.out.json(&report);
    } else {
        context.out.print(&text(&report, arguments.all));
    }
    for left in &rendered.left_out {
        let (what, why) = (&left.what, &left.why);
        context.out.info(&format!("not generated, so not compared: {what} ({why})"));
    }
    Ok(report.exit())
}

/// The report for a person.
fn text(report: &DriftReport, all: bool) -> String {
    let mut text = format!(
        "sekisho {}, verify --drift of {}, at {}\n",
        report.version,
        report.at.strftime("%Y-%m-%d %H:%M UTC"),
        report.endpoint
    );
    for place in &report.places {
        self::place(&mut text, place, all);
    }
    for unread in &report.unread {
        let _ = writeln!(
            text,
            "\nNot read: {}\n    {} as {}: {}\n    → {}",
            unread.what, unread.call, unread.read_as, unread.why, unread.who
        );
    }
    let _ = writeln!(text, "\n{NOT_COMPARED}\n\n{}", summary(report));
    text
}

fn place(text: &mut String, place: &PlaceDrift, all: bool) {
    let (same, of) = (place.count(Drift::Same), place.statements.len());
    let of = of - place.count(Drift::Extra);
    let (set, target) = (place.set.name(), &place.target);
    let _ = writeln!(text, "\n{set}, {target}: {same} of {} as generated", count(of, "statement"));
    let _ = writeln!(text, "  read as {}", place.read_as);
    if same == 0 && of == place.count(Drift::Missing) {
        text.push_str(match place.set {
            PolicySet::Brake => "  no policy has its name, sekisho-brake\n",
            _ => "  none of them is attached\n",
        });
        if all {
            place.statements.iter().for_each(|statement| self::statement(text, statement));
        }
    } else {
        let shown = |statement: &&StatementDrift| all || statement.drift != Drift::Same;
        place
            .statements
            .iter()
            .filter(shown)
            .for_each(|statement| self::statement(text, statement));
    }
    if !place.unattached.is_empty() {
        let names = first_few(&place.unattached);
        let _ = writeln!(text, "  exists, and is attached neither there nor above: {names}");
    }
    if !place.users_outside.is_empty() {
        let (many, who) =
            (count(place.users_outside.len(), "user"), first_few(&place.users_outside));
        let _ = writeln!(text, "  {many} in no group that has it: {who}");
        text.push_str("    → aws iam add-user-to-group --group-name GROUP --user-name USER\n");
    }
    if !place.others.is_empty() {
        let _ = writeln!(text, "  attached as well, not generated: {}", first_few(&place.others));
    }
    if place.count(Drift::Same) < place.statements.len() {
        text.push_str("  → sekisho policy --write DIR writes what belongs there, and a README with the commands\n");
    }
}

fn statement(text: &mut String, statement: &StatementDrift) {
    let sid = if statement.sid.is_empty() { "(no Sid)" } else { &statement.sid };
    let place = match (&statement.policy, &statement.document) {
        (Some(policy), _) => format!("in {policy}"),
        (None, document) => document.clone().unwrap_or_default(),
    };
    let _ = writeln!(text, "  {:<8} {sid}, {place}", statement.drift.word());
    for Difference { element, rendered, attached } in &statement.differences {
        let values = |what: &str, values: &[String]| {
            if values.is_empty() {
                String::new()
            } else {
                format!("; only {what}: {}", first_few(values))
            }
        };
        let (ours, theirs) = (values("generated", rendered), values("attached", attached));
        let _ = writeln!(text, "           {element}{ours}{theirs}");
    }
}

/// One line: how many statements stand how.
fn summary(report: &DriftReport) -> String {
    let parts = [Drift::Same, Drift::Missing, Drift::Changed, Drift::Extra].map(|drift| {
        let many: usize = report.places.iter().map(|place| place.count(drift)).sum();
        format!("{many} {}", drift.word())
    });
    let unread = match report.unread.len() {
        0 => String::new(),
        many => format!("; {} refused", count(many, "call")),
    };
    format!("Statements: {}{unread}.", parts.join(", "))
}
