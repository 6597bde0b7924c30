//! What `verify` says: beforehand, what it will call and who will see it; afterwards, what it found.

use std::fmt::Write;

use crate::domain::config::Auth;
use crate::domain::text::{count, sanitize};
use crate::domain::verdict::report::{AccountReport, Report};
use crate::domain::verdict::{Against, Finding, Quarantine, Verdict};

use super::{CALLS, Plan, Verifier};

/// How much of the accounts that stand is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// One line each.
    Problems,
    /// Every finding with its evidence.
    All,
}

/// What will be called, and what CloudTrail will show of it. Printed before the person is asked.
pub fn preface(plan: &Plan, verifier: &Verifier<'_>) -> String {
    let Verifier { auth, rate, .. } = verifier;
    let (accounts, roles) = (plan.accounts.len(), plan.roles());
    let calls: Vec<&str> =
        CALLS.iter().flat_map(|(_, calls)| calls.iter()).map(|call| call.action()).collect();
    let user_calls = 3 + calls.len() * 2;
    let many = user_calls + roles * 4 + accounts;
    // Interrupted, it goes on from there the next time.
    let minutes = u64::try_from(many).unwrap_or_default() / (u64::from(*rate).max(1) * 60);
    let long = match minutes {
        0 => String::new(),
        minutes => format!(": {minutes} min; cut off, it goes on from there"),
    };
    let text = emulated(auth);
    let mut text = text
        + &format!(
            "sekisho verify tries what a thief would, with your own key, and changes nothing:\n\
         \x20 as the key alone, and as a session made without a code:\n\
         \x20   {}\n\
         \x20   (all must be refused; those that write are dry runs)\n\
         \x20 as both, and as a session made with your code (the positive control):\n\
         \x20   sts:AssumeRole into {} of {}, 15 min, denied everything;\n\
         \x20   the control may call iam:GetRole and iam:ListRoles, to read trust policies\n\
         About {many} calls, at most {rate} a second{long}. No session is kept.\n\n\
         Who will see it: CloudTrail of the auth account {} shows every call, the refused ones with\n\
         errorCode AccessDenied, from your address, user agent \"sekisho\". A dev account shows only\n\
         entries that succeed. GuardDuty or a SIEM may take the refusals for reconnaissance: tell\n\
         whoever watches them.\n",
            wrapped(&calls),
            count(roles, "role"),
            count(accounts, "account"),
            auth.account.dashed(),
        );
    if !plan.left_out.is_empty() {
        let _ = writeln!(
            text,
            "\nLeft out because guarded, name them to include: {}",
            plan.left_out.join(", ")
        );
    }
    text
}

/// The report for a person.
pub fn report(report: &Report, auth: &Auth, detail: Detail) -> String {
    let mut text = emulated(auth);
    match report.quarantine {
        Some(Quarantine::Named) => text.push_str(
            "!! AWS HAS QUARANTINED THIS KEY: it was seen in public, and AWS opened a case.\n\
             !! Rotate it now: sekisho key rotate. What it was used for is in CloudTrail.\n\n",
        ),
        Some(Quarantine::Suspected) => text.push_str(
            "!! A policy denies this user sts:GetSessionToken. AWS does so to keys it has seen in public.\n\
             !! Look for AWSCompromisedKeyQuarantine among the user's policies, and for a case in the console.\n\n",
        ),
        None => {}
    }
    if let Some(why) = &report.control_missing {
        let _ = writeln!(
            text,
            "No positive control: {why}.\nWithout one a refusal shows nothing: only open guardrails are found.\n"
        );
    }
    let between = report.detours.iter().filter(|line| !line.starts_with("endpoint "));
    for detour in between {
        let _ = writeln!(text, "Between here and AWS: {detour}");
    }
    let user = report.user.as_ref().map_or("unknown user", |user| user.as_str());
    let _ =
        writeln!(text, "{user}, key {}, of {}", report.access_key, report.auth_account.dashed());
    for finding in &report.key {
        self::finding(&mut text, "  ", finding, detail);
    }
    for account in &report.accounts {
        self::account(&mut text, account, report.against, detail);
    }
    if !report.left_out.is_empty() {
        let _ = writeln!(text, "\nLeft out because guarded: {}", report.left_out.join(", "));
    }
    let _ = writeln!(text, "\nNot tried:");
    for what in &report.not_tried {
        let _ = writeln!(text, "  {what}");
    }
    let _ = writeln!(text, "\n{}", summary(report));
    text
}

/// One line: how many accounts stand how.
pub fn summary(report: &Report) -> String {
    let standing = |verdict| {
        let of =
            report.accounts.iter().filter(|account| account.verdict(report.against) == verdict);
        of.count()
    };
    let order = [Verdict::Open, Verdict::NotProved, Verdict::Masked, report.against.stands()];
    let parts: Vec<String> = order
        .into_iter()
        .map(|verdict| (standing(verdict), verdict.word()))
        .filter(|(many, _)| *many > 0)
        .map(|(many, word)| format!("{many} {word}"))
        .collect();
    let user = report.key.iter().map(|finding| finding.verdict).max().unwrap_or(Verdict::NotProved);
    let accounts = count(report.accounts.len(), "account");
    format!("The user: {}. {accounts}: {}.", user.word(), parts.join(", "))
}

fn emulated(auth: &Auth) -> String {
    auth.endpoint_url.as_deref().map_or_else(String::new, |url| {
        format!(
            "EMULATED: {} answers, not AWS. What follows says nothing about AWS.\n\n",
            sanitize(url)
        )
    })
}

fn account(text: &mut String, account: &AccountReport, against: Against, detail: Detail) {
    let verdict = account.verdict(against);
    let _ = writeln!(text, "{}, {}: {}", account.name, account.id.dashed(), verdict.word());
    if verdict.stands() && detail == Detail::Problems {
        return;
    }
    for role in &account.roles {
        let _ = writeln!(text, "  {}", role.role.name());
        for finding in &role.findings {
            self::finding(text, "    ", finding, detail);
        }
    }
    finding(text, "  ", &account.back_doors, detail);
}

fn finding(text: &mut String, indent: &str, finding: &Finding, detail: Detail) {
    let (name, word) = (finding.guardrail.name(), finding.verdict.word());
    let _ = writeln!(text, "{indent}{name:<13} {word:<11} {}", finding.because);
    if finding.verdict.stands() && detail == Detail::Problems {
        return;
    }
    let telling =
        matches!(finding.verdict, Verdict::Open | Verdict::NotProved) || detail == Detail::All;
    for evidence in finding.evidence.iter().filter(|_| telling) {
        let _ = writeln!(text, "{indent}    {evidence}");
    }
    if let Some(remedy) = &finding.remedy {
        let _ = writeln!(text, "{indent}    → {remedy}");
    }
}

/// Words joined by commas, four a line.
fn wrapped(words: &[&str]) -> String {
    let lines: Vec<String> = words.chunks(4).map(|words| words.join(", ")).collect();
    lines.join(",\n    ")
}
