//! `verify --users`: the credential report of the auth account, as a table and with what is wrong in it.

use std::fmt::Write;

use crate::domain::fault::{Exit, Fault};
use crate::domain::text::count;
use crate::domain::verdict::users::{Password, ReportedKey, UserCredentials, UsersReport};
use crate::services::aws::{Aws, Signer};
use crate::services::verify::users::users;

use super::{administrator, first_few};
use crate::cli::args::VerifyArgs;
use crate::cli::columns::align;
use crate::cli::context::Context;
use crate::cli::runtime::block_on;

/// Up to so many users are shown one by one; of more only those with a finding are named.
const FEW: usize = 20;

/// Reads the report and prints it.
pub fn run(context: &Context, arguments: &VerifyArgs) -> Result<Exit, Fault> {
    let auth = &context.config().auth;
    let purpose = "to read the credential report";
    let (own, via) = administrator(context, arguments.instead.via.as_deref(), purpose)?;
    let aws = Aws::new(auth)?;
    let report =
        block_on(users(&aws, Signer::Session(via.as_ref().unwrap_or(&own)), auth, |waited| {
            let seconds = waited.as_secs();
            context.out.progress(&format!("waiting for AWS to make the report, {seconds} s"));
        }));
    context.out.progress("");
    let report = report?;
    if arguments.json {
        context.out.json(&report);
    } else {
        context.out.print(&text(&report, arguments.all));
    }
    Ok(report.exit())
}

/// The report for a person.
fn text(report: &UsersReport, all: bool) -> String {
    let mut text = format!(
        "sekisho {}, verify --users of {}, at {}\n{} of {}, read as {}\n\n",
        report.version,
        report.at.strftime("%Y-%m-%d %H:%M UTC"),
        report.endpoint,
        count(people(report).count(), "user"),
        report.account.dashed(),
        report.read_as,
    );
    for finding in &report.findings {
        let (name, because) = (finding.problem.name(), finding.problem.because());
        if finding.users.is_empty() {
            let _ = writeln!(text, "{name}: {because}");
        } else {
            let who = first_few(&finding.users);
            let many = count(finding.users.len(), "user");
            let _ = writeln!(text, "{name}: {many}: {who}\n    {because}");
        }
        let _ = writeln!(text, "    → {}", finding.problem.remedy());
    }
    if report.findings.is_empty() {
        text.push_str(
            "No findings: every password and every active key has an MFA device beside it.\n",
        );
    }
    let is_many = people(report).count() > FEW && !all;
    let shown = |user: &&UserCredentials| !is_many || report.problems(user).next().is_some();
    let rows: Vec<&UserCredentials> = report.users.iter().filter(shown).collect();
    let rest = rows.len().saturating_sub(if is_many { FEW } else { rows.len() });
    let rows = rows.into_iter().take(if is_many { FEW } else { usize::MAX });
    let cells = rows.map(|user| {
        [
            user.user.clone().unwrap_or_else(|| "(root user)".into()),
            if user.mfa { "MFA".into() } else { "no MFA".into() },
            user.password.as_ref().map_or_else(|| "none".into(), Password::to_string),
            key(user, 1),
            key(user, 2),
        ]
    });
    let head = ["USER", "MFA", "PASSWORD", "KEY 1", "KEY 2"].map(str::to_owned);
    let table: Vec<[String; 5]> = std::iter::once(head).chain(cells).collect();
    if table.len() > 1 {
        let _ = write!(text, "\n{}", align(&table));
    }
    if is_many {
        let more = if rest > 0 { format!("{rest} more with findings; ") } else { String::new() };
        let _ = writeln!(text, "\n{more}sekisho verify --users --all shows every user");
    }
    let _ = writeln!(text, "\n{}", summary(report));
    text
}

fn people(report: &UsersReport) -> impl Iterator<Item = &UserCredentials> {
    report.users.iter().filter(|user| user.user.is_some())
}

fn key(user: &UserCredentials, number: u8) -> String {
    let key = user.keys.iter().find(|key| key.number == number);
    key.map_or_else(|| "none".into(), ReportedKey::to_string)
}

/// One line: what the users have.
fn summary(report: &UsersReport) -> String {
    let having =
        |has: fn(&UserCredentials) -> bool| people(report).filter(|user| has(user)).count();
    let active = people(report).flat_map(|user| &user.keys).filter(|key| key.active).count();
    let findings = people(report).filter(|user| report.problems(user).next().is_some());
    format!(
        "{}: {} with MFA, {} with a password, {}; {} with findings.",
        count(people(report).count(), "user"),
        having(|user| user.mfa),
        having(|user| user.password.is_some()),
        count(active, "active key"),
        findings.count(),
    )
}
