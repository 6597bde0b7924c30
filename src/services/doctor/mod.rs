//! Checks for common problems, and for whatever weakens the protection of the key. Most checks work offline.
//!
//! Everything checked is in [`DoctorInput`]; the only files read are those under its directories. The output is
//! redacted, so that it can be pasted into a ticket.

mod beside;
mod machine;
mod online;
pub mod traces;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use crate::domain::config::{Config, Loaded};
use crate::domain::fault::Fault;
use crate::domain::ids::{AccessKeyId, AccountId};
use crate::domain::text::sanitize;
use crate::domain::verdict::report::VerifiedMark;

use super::config::paths::Paths;
use super::store::datakey::KeyPlace;
use super::store::keychain::KeychainError;

pub use online::Online;

/// One check and its result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// The check's name, stable for scripts.
    pub id: &'static str,
    /// How serious the result is.
    pub verdict: Health,
    /// What was found, in one sentence.
    pub what: String,
    /// What to do about it, if anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

/// The result of a check, ordered from best to worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    /// No problem found.
    Ok,
    /// Does not apply here, or was not asked for.
    Skipped,
    /// Could not be determined.
    Unknown,
    /// Works, but is less secure or less convenient than it could be.
    Warn,
    /// Does not work, or leaves the key unprotected.
    Fail,
}

/// Everything that the checks look at.
pub struct DoctorInput<'a> {
    /// sekisho's own environment; variables that are not UTF-8 are left out.
    pub env: &'a BTreeMap<String, String>,
    /// Where sekisho's directories are.
    pub paths: Result<&'a Paths, &'a Fault>,
    /// The config with its warnings, or why it could not be read.
    pub config: Result<&'a Loaded, &'a Fault>,
    /// The result of probing the OS keychain.
    pub keychain: Result<(), &'a KeychainError>,
    /// Where the key to the sessions can be kept, or why nowhere; no place with `store: none`. `None` without a config.
    pub sessions: Option<Result<Option<KeyPlace>, &'a str>>,
    /// The access key; `None` where it was not read (its passphrase could not be prompted for).
    pub key: Option<Result<&'a AccessKeyId, &'a Fault>>,
    /// Whether somebody is signed in at the console, where that is in the key's place.
    pub login: LoginState,
    /// AWS's answers; `None` offline.
    pub online: Option<&'a Online>,
    /// The last verification of each account.
    pub marks: &'a BTreeMap<AccountId, VerifiedMark>,
    /// The time to compare ages with, UTC.
    pub now: Timestamp,
}

/// A console sign-in in the key's place.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LoginState {
    /// The config names a key.
    #[default]
    Unused,
    /// It does not, and nobody is signed in.
    SignedOut,
    /// Somebody is, until then at the latest, UTC.
    Until(Timestamp),
}

/// Runs every check, always in the same order.
pub fn examine(input: &DoctorInput<'_>) -> Vec<Row> {
    let mut rows = machine::rows(input);
    rows.extend(beside::rows(input));
    rows.extend(online::rows(input));
    let home = input.paths.ok().map(|paths| paths.home.to_string_lossy());
    for row in &mut rows {
        row.what = redact(&row.what, home.as_deref());
        row.remedy = row.remedy.as_deref().map(|text| redact(text, home.as_deref()));
    }
    rows
}

/// The rows as `--json` prints them.
pub fn json(rows: &[Row]) -> String {
    let worst = rows.iter().map(|row| row.verdict).max();
    let value = serde_json::json!({
        "schema": 1,
        "version": env!("CARGO_PKG_VERSION"),
        "system": format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        "verdict": worst,
        "checks": rows,
    });
    format!("{value:#}")
}

/// The rows as text, each with its remedy below.
pub fn text(rows: &[Row]) -> String {
    let mut lines = vec![format!(
        "sekisho {} on {} {}",
        env!("CARGO_PKG_VERSION"),
        std::env::consts::OS,
        std::env::consts::ARCH
    )];
    for row in rows {
        lines.push(format!("{:<8} {:<15} {}", row.verdict.word(), row.id, row.what));
        lines.extend(row.remedy.iter().map(|remedy| format!("{:<24} → {remedy}", "")));
    }
    lines.join("\n") + "\n"
}

impl Health {
    /// The word in reports.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Skipped => "skipped",
            Self::Unknown => "unknown",
            Self::Warn => "WARN",
            Self::Fail => "FAIL",
        }
    }
}

impl Row {
    fn new(id: &'static str, verdict: Health, what: impl AsRef<str>) -> Self {
        Self { id, verdict, what: sanitize(what.as_ref()), remedy: None }
    }

    fn ok(id: &'static str, what: impl AsRef<str>) -> Self {
        Self::new(id, Health::Ok, what)
    }

    fn fault(id: &'static str, verdict: Health, fault: &Fault) -> Self {
        let why = fault.reason().map(|why| format!(": {why}")).unwrap_or_default();
        let row = Self::new(id, verdict, format!("{}{why}", fault.what));
        match fault.fix.first() {
            Some(fix) => row.remedy(fix),
            None => row,
        }
    }

    fn remedy(mut self, remedy: impl AsRef<str>) -> Self {
        self.remedy = Some(sanitize(remedy.as_ref()));
        self
    }
}

impl DoctorInput<'_> {
    fn set(&self, name: &str) -> Option<&str> {
        self.env.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    fn settings(&self) -> Option<&Config> {
        self.config.ok().map(|loaded| &loaded.config)
    }
}

/// Removes what does not belong into a ticket: the home directory, account ids, key ids, passwords in URLs.
fn redact(text: &str, home: Option<&str>) -> String {
    let home = home.map(|home| home.trim_end_matches('/')).filter(|home| !home.is_empty());
    let text = home.map_or_else(|| text.to_owned(), |home| without_home(text, home));
    let mut out = String::with_capacity(text.len());
    let mut word = String::new();
    for c in text.chars().map(Some).chain([None]) {
        match c {
            Some(c) if c.is_ascii_alphanumeric() => word.push(c),
            other => {
                out.push_str(&redact_word(&word));
                word.clear();
                out.extend(other);
            }
        }
    }
    without_userinfo(&out)
}

/// Replaces the home directory by `~`, except where a longer name starts with it.
fn without_home(text: &str, home: &str) -> String {
    let mut parts = text.split(home);
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let longer = part.starts_with(|c: char| c.is_alphanumeric() || c == '-' || c == '_');
        out.push_str(if longer { home } else { "~" });
        out.push_str(part);
    }
    out
}

fn redact_word(word: &str) -> String {
    let last = |from: usize| word.get(word.len() - from..).unwrap_or_default();
    if word.len() == 12 && word.bytes().all(|b| b.is_ascii_digit()) {
        format!("········{}", last(4))
    } else if word.len() >= 16 && (word.starts_with("AKIA") || word.starts_with("ASIA")) {
        format!("{}…{}", &word[..4], last(4))
    } else {
        word.to_owned()
    }
}

/// Drops `user:password@` from every URL.
fn without_userinfo(text: &str) -> String {
    let mut parts = text.split("://");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(|c: char| c == '/' || c.is_whitespace()).unwrap_or(part.len());
        let (authority, rest) = part.split_at(end);
        let host = authority.rsplit('@').next().unwrap_or_default();
        out.push_str("://");
        out.push_str(host);
        out.push_str(rest);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_belong_into_a_ticket_is_removed() {
        let text = "key AKIAIOSFODNN7EXAMPLE of 111111111111 in /home/t/.aws, http://u:p@proxy:3128/x 1234";
        assert_eq!(
            redact(text, Some("/home/t/")),
            "key AKIA…MPLE of ········1111 in ~/.aws, http://proxy:3128/x 1234"
        );
        assert_eq!(redact("/home/t2 /home/t", Some("/home/t")), "/home/t2 ~");
    }

    #[test]
    fn rows_are_printed_with_their_remedies() {
        let rows = [
            Row::ok("clock", "on time"),
            Row::new("hook", Health::Warn, "not there").remedy("add it"),
        ];
        assert!(
            text(&rows)
                .contains("ok       clock           on time\nWARN     hook            not there\n")
        );
        assert!(json(&rows).contains("\"verdict\": \"warn\""));
    }
}
