//! The texts of `verify`: before a run, what it will call and who will see it; after it, what it found.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use crate::domain::config::Auth;
use crate::domain::text::{count, sanitize};
use crate::domain::verdict::report::{AccountReport, Report};
use crate::domain::verdict::{Against, Evidence, Finding, Guardrail, Quarantine, Verdict};

use super::{CALLS, Plan, Verifier};

/// Up to so many accounts are shown one by one; more are grouped by finding.
const FEW: usize = 3;
/// The most findings that are shown of many accounts.
const MAX_GROUPS: usize = 12;
/// The most pieces of evidence that are shown for one finding about many accounts.
const MAX_EVIDENCE: usize = 3;

/// How much is shown of what is in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// One line each.
    Problems,
    /// Every finding with its evidence.
    All,
}

/// What will be called with a key, and what CloudTrail will show of it: a paragraph a line. Printed before the person is asked.
pub fn preface(plan: &Plan, verifier: &Verifier<'_>) -> String {
    let Verifier { auth, rate, .. } = verifier;
    let (accounts, roles) = (plan.accounts.len(), plan.roles());
    let calls: Vec<&str> =
        CALLS.iter().flat_map(|(_, calls)| calls.iter()).map(|call| call.action()).collect();
    let user_calls = 3 + calls.len() * 2;
    let many = user_calls + roles * 4 + accounts * 2;
    let minutes = u64::try_from(many).unwrap_or_default() / (u64::from(*rate).max(1) * 60);
    let long = match minutes {
        0 => String::new(),
        minutes => format!(": {minutes} min; if interrupted, it resumes the next time"),
    };
    let text = emulated(auth)
        + &format!(
            "sekisho verify tries what a thief would, with your own key, and changes nothing:\n\
             \x20 as the key alone, and as a session made without a code:\n\
             \x20   {} (all must be refused; those that write are dry runs)\n\
             \x20 as both, and as a session made with your code (the positive control):\n\
             \x20   sts:AssumeRole into {} of {}, 15 min, denied everything; {READS}\n\
             \x20 as the key alone: sts:AssumeRole into roles of the auth account that these trust by name\n\
             About {many} calls, at most {rate} a second{long}. No session is kept.\n\n",
            calls.join(", "),
            count(roles, "role"),
            count(accounts, "account"),
        );
    text + &seen_by(auth) + &left_out(plan)
}

/// The same with a console sign-in in a key's place.
pub fn preface_signed_in(plan: &Plan, verifier: &Verifier<'_>) -> String {
    let Verifier { auth, rate, .. } = verifier;
    let (accounts, roles) = (plan.accounts.len(), plan.roles());
    let text = emulated(auth)
        + &format!(
            "sekisho verify tries what your console sign-in opens without a code, and changes nothing:\n\
             \x20 as the sign-in alone: sts:AssumeRole into {} of {}, 15 min, denied everything, and into roles of \
             the auth account that these trust by name\n\
             \x20 through a role that it entered, or else with a code, one an account (the positive control): {READS}\n\
             \x20 as the sign-in alone: iam:ListMFADevices\n\
             At most {rate} calls a second. No session is kept.\n\n",
            count(roles, "role"),
            count(accounts, "account"),
        );
    text + &seen_by(auth) + &left_out(plan)
}

/// What the positive control may do.
const READS: &str = "the control may read trust policies (iam:GetRole, iam:ListRoles), and list the account's own users and the age of \
    their keys (iam:ListUsers, iam:ListAccessKeys, iam:GetAccessKeyLastUsed)";

fn seen_by(auth: &Auth) -> String {
    format!(
        "Who will see it: CloudTrail of the auth account {} shows every call, the refused ones with errorCode \
         AccessDenied, from your address, user agent \"sekisho\". A dev account shows only entries that succeed. \
         GuardDuty or a SIEM may take the refusals for reconnaissance: tell whoever watches them.\n",
        auth.account.dashed()
    )
}

fn left_out(plan: &Plan) -> String {
    match &plan.left_out[..] {
        [] => String::new(),
        names => {
            format!("\nLeft out because guarded, name them to include: {}\n", names.join(", "))
        }
    }
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
        let _ = writeln!(
            text,
            "Between here and AWS: {detour}. It may answer instead of AWS, so nothing is proved."
        );
    }
    heading(&mut text, report);
    let user = report.user.as_ref().map_or("unknown user", |user| user.as_str());
    let _ = writeln!(text, "{user}, {}, of {}", report.tried(), report.auth_account.dashed());
    for finding in &report.key {
        self::finding(&mut text, "  ", finding, detail);
    }
    if let Some(mfa) = report.sign_in_mfa() {
        let _ = writeln!(text, "{}", mfa.sentence());
    }
    if report.accounts.len() > FEW && detail == Detail::Problems {
        groups(&mut text, report);
    } else {
        for account in &report.accounts {
            self::account(&mut text, account, report.against, detail);
        }
    }
    if report.findings().any(|finding| finding.verdict == Verdict::Masked) {
        text.push_str(
            "\nmasked: another guardrail refused first, so this one could not be observed from here.\n",
        );
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

/// One line: how many accounts have which verdict.
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

/// Program, time and endpoint: what a reader of a saved report asks first.
fn heading(text: &mut String, report: &Report) {
    let minute = |at: jiff::Timestamp| at.strftime("%Y-%m-%d %H:%M UTC").to_string();
    let (at, oldest) = (minute(report.at), minute(report.oldest()));
    let since =
        if at == oldest { String::new() } else { format!(" (oldest account probed {oldest})") };
    let _ =
        writeln!(text, "sekisho {}, verify of {at}{since}, at {}", report.version, report.endpoint);
}

/// What several accounts have in common: one finding, about roles of some names.
#[derive(Default)]
struct Group<'a> {
    subjects: BTreeSet<&'a str>,
    accounts: Vec<&'a AccountReport>,
    /// Of the first account.
    finding: Option<&'a Finding>,
}

/// Every finding once, with the accounts that it is about; the worst first.
fn groups(text: &mut String, report: &Report) {
    let mut groups: BTreeMap<(Reverse<Verdict>, Guardrail, String), Group> = BTreeMap::new();
    // What stands, by what it is about and in how many accounts.
    let mut standing: BTreeMap<(&str, Guardrail), usize> = BTreeMap::new();
    for account in &report.accounts {
        let id = account.id.to_string();
        let roles = account
            .roles
            .iter()
            .flat_map(|role| role.findings.iter().map(move |finding| (role.role.name(), finding)));
        let own = [&account.back_doors, &account.other_doors, &account.local_users];
        for (subject, finding) in roles.chain(own.map(|finding| ("account", finding))) {
            if finding.verdict.stands() {
                *standing.entry((subject, finding.guardrail)).or_default() += 1;
                continue;
            }
            let because = finding.because.replace(&id, "ACCOUNT");
            let key = (Reverse(finding.verdict), finding.guardrail, because);
            let group = groups.entry(key).or_default();
            group.subjects.insert(subject);
            group.finding = group.finding.or(Some(finding));
            if group.accounts.last().is_none_or(|last| last.id != account.id) {
                group.accounts.push(account);
            }
        }
    }
    let rest = groups.len().saturating_sub(MAX_GROUPS);
    for ((verdict, guardrail, because), group) in groups.into_iter().take(MAX_GROUPS) {
        let (name, word) = (guardrail.name(), verdict.0.word());
        let accounts = count(group.accounts.len(), "account");
        let subjects = first_few(group.subjects.into_iter());
        let _ = writeln!(text, "{subjects}: {name} {word} in {accounts}: {because}");
        let names = group.accounts.iter().map(|account| account.name.as_str());
        let _ = writeln!(text, "    {}", first_few(names));
        let (Some(finding), Some(first)) = (group.finding, group.accounts.first()) else {
            continue;
        };
        if verdict.0 == Verdict::Masked {
            continue;
        }
        let evidence = finding.evidence.iter().filter(|evidence| tells(evidence));
        for evidence in evidence.take(MAX_EVIDENCE) {
            let _ = writeln!(text, "    {}: {evidence}", first.name);
        }
        if let Some(remedy) = &finding.remedy {
            let _ = writeln!(text, "    → {remedy}");
        }
    }
    if rest > 0 {
        let _ = writeln!(text, "and {rest} more findings: sekisho verify --all shows every one");
    }
    let mut lines: BTreeMap<(&str, usize), Vec<&str>> = BTreeMap::new();
    for ((subject, guardrail), many) in standing {
        lines.entry((subject, many)).or_default().push(guardrail.name());
    }
    let word = report.against.stands().word();
    for ((subject, many), guardrails) in lines.into_iter().take(MAX_GROUPS) {
        let (guardrails, accounts) = (guardrails.join(", "), count(many, "account"));
        let _ = writeln!(text, "{subject}: {guardrails} {word} in {accounts}");
    }
}

/// Names, the first few of many.
fn first_few<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> String {
    let many = names.len();
    let named: Vec<&str> = names.take(FEW + 2).collect();
    match many - named.len() {
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}

/// Whether evidence says more than the finding's own words: a refusal that was expected does not.
fn tells(evidence: &Evidence) -> bool {
    !matches!(evidence, Evidence::Probe(_))
}

fn account(text: &mut String, account: &AccountReport, against: Against, detail: Detail) {
    let verdict = account.verdict(against);
    let stands = verdict.stands() && detail == Detail::Problems;
    let roles: Vec<&str> = account.roles.iter().map(|role| role.role.name()).collect();
    let roles = if stands { format!(" ({})", roles.join(", ")) } else { String::new() };
    let _ = writeln!(text, "{}, {}: {}{roles}", account.name, account.id.dashed(), verdict.word());
    if stands {
        return;
    }
    for role in &account.roles {
        let _ = writeln!(text, "  {}", role.role.name());
        for finding in &role.findings {
            self::finding(text, "    ", finding, detail);
        }
    }
    for own in [&account.back_doors, &account.other_doors, &account.local_users] {
        finding(text, "  ", own, detail);
    }
}

fn finding(text: &mut String, indent: &str, finding: &Finding, detail: Detail) {
    let (name, word) = (finding.guardrail.name(), finding.verdict.word());
    let _ = writeln!(text, "{indent}{name:<13} {word:<11} {}", finding.because);
    if finding.verdict.stands() && detail == Detail::Problems {
        return;
    }
    let shown =
        matches!(finding.verdict, Verdict::Open | Verdict::NotProved) || detail == Detail::All;
    for evidence in finding.evidence.iter().filter(|_| shown) {
        let _ = writeln!(text, "{indent}    {evidence}");
    }
    if let Some(remedy) = &finding.remedy {
        let _ = writeln!(text, "{indent}    → {remedy}");
    }
}
