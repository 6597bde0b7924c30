//! What IAM's credential report says about an account's users, and which of them have credentials that a thief could
//! use. `verify --users` reads it.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_getting-report.html>

use std::fmt;

use jiff::Timestamp;
use serde::Serialize;

use crate::domain::fault::Exit;
use crate::domain::ids::AccountId;
use crate::domain::text::{count, sanitize};

/// The meaning of the report's fields.
pub const SCHEMA: u32 = 1;
/// A key that is unused for so many days is not needed.
const UNUSED_DAYS: i64 = 90;
/// The name of the root user in the report.
const ROOT: &str = "<root_account>";

/// Everything that `verify --users` found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UsersReport {
    /// [`SCHEMA`].
    pub schema: u32,
    /// When AWS made the report, UTC: it makes a new one every four hours at most.
    pub at: Timestamp,
    /// The account.
    pub account: AccountId,
    /// Who read it.
    pub read_as: String,
    /// sekisho's version.
    pub version: String,
    /// The host that STS was called at.
    pub endpoint: String,
    /// The findings, the root user's first.
    pub findings: Vec<UsersFinding>,
    /// Every user, in AWS's order.
    pub users: Vec<UserCredentials>,
}

/// The credentials of one user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UserCredentials {
    /// The IAM name; absent for the root user.
    pub user: Option<String>,
    /// The password of the console; absent where there is none.
    pub password: Option<Password>,
    /// Whether any MFA device is active.
    pub mfa: bool,
    /// Access keys, active or not, with their number in the report.
    pub keys: Vec<ReportedKey>,
    /// Active signing certificates.
    pub certificates: u8,
}

/// A password of the console.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Password {
    /// When somebody last signed in with it, UTC; absent where nobody did, or AWS does not know.
    pub last_used: Option<Timestamp>,
}

/// An access key as the report has it. It does not name its id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReportedKey {
    /// 1 or 2.
    pub number: u8,
    /// Whether requests may be signed with it.
    pub active: bool,
    /// Its age when the report was made.
    pub age_days: Option<i64>,
    /// When it was last used, UTC; absent where it never was, or AWS does not know.
    pub last_used: Option<Timestamp>,
    /// The service that it was last used for.
    pub last_service: Option<String>,
}

/// What is wrong with some users.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UsersFinding {
    /// What it is.
    pub problem: Problem,
    /// Who; empty where it is about the root user.
    pub users: Vec<String>,
}

/// A credential that should not be there, or lacks its second factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Problem {
    /// The root user has an active access key.
    RootKey,
    /// The root user has no MFA device.
    RootWithoutMfa,
    /// A password opens the console alone.
    PasswordWithoutMfa,
    /// An active key, and no device: whoever finds the key may enrol one.
    KeyWithoutDevice,
    /// Two active keys.
    TwoActiveKeys,
    /// An active key that is not used.
    UnusedKey,
}

impl Problem {
    /// In the order of the report.
    const ALL: [Self; 6] = [
        Self::RootKey,
        Self::RootWithoutMfa,
        Self::PasswordWithoutMfa,
        Self::KeyWithoutDevice,
        Self::TwoActiveKeys,
        Self::UnusedKey,
    ];

    /// What it is, in a few words.
    pub const fn name(self) -> &'static str {
        match self {
            Self::RootKey => "the root user has an access key",
            Self::RootWithoutMfa => "the root user has no MFA device",
            Self::PasswordWithoutMfa => "password without MFA",
            Self::KeyWithoutDevice => "active key without an MFA device",
            Self::TwoActiveKeys => "two active keys",
            Self::UnusedKey => "active key unused for 90 days",
        }
    }

    /// Why it matters.
    pub const fn because(self) -> &'static str {
        match self {
            Self::RootKey => "no policy of the account binds it",
            Self::RootWithoutMfa => "its password alone opens everything",
            Self::PasswordWithoutMfa => {
                "the password alone opens the console, where a device can be enrolled"
            }
            Self::KeyWithoutDevice => {
                "whoever finds the key may enrol a device of their own, unless a policy denies it"
            }
            Self::TwoActiveKeys => "one is enough, except during a rotation",
            Self::UnusedKey => "it can only leak",
        }
    }

    /// What to do about it.
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::RootKey => {
                "sign in as root and delete it; or remove the member accounts' root credentials from the management account"
            }
            Self::RootWithoutMfa => {
                "enrol a device for it, or remove the root credentials from the management account"
            }
            Self::PasswordWithoutMfa => {
                "have them enrol a device today, or: aws iam delete-login-profile --user-name USER"
            }
            Self::KeyWithoutDevice => {
                "aws iam update-access-key --status Inactive --user-name USER --access-key-id ID, until a device is enrolled"
            }
            Self::TwoActiveKeys => {
                "end the rotation: sekisho key rotate --finish, or delete the older one"
            }
            Self::UnusedKey => {
                "aws iam update-access-key --status Inactive --user-name USER --access-key-id ID; delete it a week later"
            }
        }
    }

    /// Whether a user has it, at the time of the report.
    fn holds(self, user: &UserCredentials, at: Timestamp) -> bool {
        let is_root = user.user.is_none();
        let active = || user.keys.iter().filter(|key| key.active);
        match self {
            Self::RootKey => is_root && active().count() > 0,
            Self::RootWithoutMfa => is_root && user.password.is_some() && !user.mfa,
            Self::PasswordWithoutMfa => !is_root && user.password.is_some() && !user.mfa,
            Self::KeyWithoutDevice => !is_root && active().count() > 0 && !user.mfa,
            Self::TwoActiveKeys => !is_root && active().count() > 1,
            Self::UnusedKey => !is_root && active().any(|key| key.is_unused(at)),
        }
    }
}

impl ReportedKey {
    /// Whether it was not used lately; a key that was never used counts from its creation.
    fn is_unused(&self, at: Timestamp) -> bool {
        let idle = self.last_used.map(|used| days(used, at)).or(self.age_days);
        idle.is_some_and(|idle| idle >= UNUSED_DAYS)
    }
}

/// What a credential report says of the users.
///
/// # Errors
/// A text that is no credential report, with what is wrong with it.
pub fn read(csv: &str, at: Timestamp) -> Result<Vec<UserCredentials>, String> {
    let mut lines = csv.lines().filter(|line| !line.trim().is_empty());
    let header = lines.next().map(|line| fields(line.trim_start_matches('\u{feff}')));
    let header = header.ok_or("it is empty")?;
    let column = |name: &str| {
        header.iter().position(|field| field == name).ok_or(format!("it has no column {name}"))
    };
    let name = column("user")?;
    let (enabled, signed_in) = (column("password_enabled")?, column("password_last_used")?);
    let mfa = column("mfa_active")?;
    let key = |n: u8| -> Result<_, String> {
        let of = |what: &str| column(&format!("access_key_{n}_{what}"));
        Ok((n, of("active")?, of("last_rotated")?, of("last_used_date")?, of("last_used_service")?))
    };
    let keys = [key(1)?, key(2)?];
    // Old reports end before the certificates.
    let certificates: Vec<usize> =
        (1..=2).filter_map(|n| column(&format!("cert_{n}_active")).ok()).collect();
    let mut users = Vec::new();
    for line in lines {
        let row = joined(fields(line), header.len());
        if row.len() != header.len() {
            return Err(format!(
                "a line has {} fields, and there are {} columns",
                row.len(),
                header.len()
            ));
        }
        let is = |at: usize| row[at].eq_ignore_ascii_case("true");
        let keys = keys.iter().filter_map(|&(number, active, made, used, service)| {
            let made = time(&row[made]);
            // A key that is not there is inactive and was never made.
            (is(active) || made.is_some()).then(|| ReportedKey {
                number,
                active: is(active),
                age_days: made.map(|made| days(made, at)),
                last_used: time(&row[used]),
                last_service: Some(sanitize(&row[service])).filter(|name| name != "N/A"),
            })
        });
        let user = Some(row[name].as_str()).filter(|name| *name != ROOT);
        // For the root user AWS says `not_supported`; it has a password, unless the report says that it has none.
        let has = is(enabled) || user.is_none() && !row[enabled].eq_ignore_ascii_case("false");
        let password = has.then(|| Password { last_used: time(&row[signed_in]) });
        users.push(UserCredentials {
            user: user.map(sanitize),
            password,
            mfa: is(mfa),
            keys: keys.collect(),
            certificates: certificates.iter().map(|at| u8::from(is(*at))).sum(),
        });
    }
    if users.is_empty() { Err("it names nobody".into()) } else { Ok(users) }
}

/// What is wrong, the worst first.
pub fn judge(users: &[UserCredentials], at: Timestamp) -> Vec<UsersFinding> {
    let findings = Problem::ALL.into_iter().filter_map(|problem| {
        let mut about = users.iter().filter(|user| problem.holds(user, at)).peekable();
        about.peek()?;
        Some(UsersFinding { problem, users: about.filter_map(|user| user.user.clone()).collect() })
    });
    findings.collect()
}

impl UsersReport {
    /// How the program ends.
    pub fn exit(&self) -> Exit {
        if self.findings.is_empty() { Exit::Done } else { Exit::Fault }
    }

    /// What is wrong with one user.
    pub fn problems<'a>(&'a self, user: &'a UserCredentials) -> impl Iterator<Item = Problem> + 'a {
        Problem::ALL.into_iter().filter(|problem| problem.holds(user, self.at))
    }
}

/// As a cell of a table: `active, 40 days, used 2026-11-25 (sts)`.
impl fmt::Display for ReportedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.active { "active" } else { "inactive" })?;
        if let Some(days) = self.age_days {
            write!(f, ", {}", count(usize::try_from(days).unwrap_or(0), "day"))?;
        }
        match (self.last_used, &self.last_service) {
            (Some(at), Some(service)) => write!(f, ", used {} ({service})", day(at)),
            (Some(at), None) => write!(f, ", used {}", day(at)),
            (None, _) => f.write_str(", never used"),
        }
    }
}

impl fmt::Display for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.last_used {
            Some(at) => write!(f, "used {}", day(at)),
            None => f.write_str("never used"),
        }
    }
}

fn day(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d").to_string()
}

fn days(since: Timestamp, at: Timestamp) -> i64 {
    at.duration_since(since).as_hours().max(0) / 24
}

/// A date of the report; `N/A`, `no_information` and `not_supported` are none.
fn time(field: &str) -> Option<Timestamp> {
    field.parse().ok()
}

/// The fields of a line (RFC 4180).
fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    let mut chars = line.trim_end_matches('\r').chars().peekable();
    while let Some(c) = chars.next() {
        let at = fields.len() - 1;
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                fields[at].push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            c => fields[at].push(c),
        }
    }
    fields
}

/// A row where a name with commas, which IAM allows, was not quoted: it is in the first two columns, name and ARN.
fn joined(row: Vec<String>, columns: usize) -> Vec<String> {
    let more = row.len().saturating_sub(columns);
    if more == 0 || more % 2 == 1 {
        return row;
    }
    let in_each = more / 2 + 1;
    let (name, rest) = row.split_at(in_each);
    let (arn, rest) = rest.split_at(in_each);
    let mut joined = vec![name.join(","), arn.join(",")];
    joined.extend_from_slice(rest);
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "user,arn,user_creation_time,password_enabled,password_last_used,password_last_changed,password_next_rotation,mfa_active,access_key_1_active,access_key_1_last_rotated,access_key_1_last_used_date,access_key_1_last_used_region,access_key_1_last_used_service,access_key_2_active,access_key_2_last_rotated,access_key_2_last_used_date,access_key_2_last_used_region,access_key_2_last_used_service,cert_1_active,cert_1_last_rotated,cert_2_active,cert_2_last_rotated";

    fn at() -> Timestamp {
        "2026-11-27T09:00:00Z".parse().unwrap()
    }

    fn report(rows: &[&str]) -> Vec<UserCredentials> {
        read(&format!("{HEADER}\r\n{}\r\n", rows.join("\r\n")), at()).unwrap()
    }

    fn found(rows: &[&str]) -> Vec<(Problem, Vec<String>)> {
        judge(&report(rows), at()).into_iter().map(|found| (found.problem, found.users)).collect()
    }

    const ROOT_GOOD: &str = "<root_account>,arn:aws:iam::111111111111:root,2020-01-01T00:00:00+00:00,not_supported,2026-01-01T00:00:00+00:00,not_supported,not_supported,true,false,N/A,N/A,N/A,N/A,false,N/A,N/A,N/A,N/A,false,N/A,false,N/A";
    const GOOD: &str = "tanaka,arn:aws:iam::111111111111:user/tanaka,2026-01-05T09:00:00+00:00,true,2026-11-20T09:00:00+00:00,2026-01-05T09:00:00+00:00,N/A,true,true,2026-10-18T09:00:00+00:00,2026-11-25T10:00:00+00:00,ap-northeast-1,sts,false,N/A,N/A,N/A,N/A,false,N/A,false,N/A";

    #[test]
    fn a_sound_account_has_no_findings() {
        let users = report(&[ROOT_GOOD, GOOD]);
        assert_eq!(users[0].user, None);
        let tanaka = &users[1];
        assert_eq!(tanaka.keys[0].to_string(), "active, 40 days, used 2026-11-25 (sts)");
        assert_eq!(tanaka.password.as_ref().unwrap().to_string(), "used 2026-11-20");
        assert_eq!(tanaka.keys.len(), 1);
        assert!(judge(&users, at()).is_empty());
    }

    #[test]
    fn every_problem_is_found_alone() {
        let root = |key: &str, mfa: &str| {
            format!(
                "<root_account>,arn:aws:iam::111111111111:root,2020-01-01T00:00:00+00:00,not_supported,N/A,not_supported,not_supported,{mfa},{key},2020-01-01T00:00:00+00:00,N/A,N/A,N/A,false,N/A,N/A,N/A,N/A,false,N/A,false,N/A"
            )
        };
        let user = |password: &str, mfa: &str, first: &str, second: &str| {
            format!(
                "x,arn:aws:iam::111111111111:user/x,2020-01-01T00:00:00+00:00,{password},no_information,N/A,N/A,{mfa},{first},{second},false,N/A,false,N/A"
            )
        };
        let (used, unused) = (
            "true,2026-11-01T09:00:00+00:00,2026-11-25T10:00:00+00:00,us-east-1,sts",
            "true,2026-01-01T09:00:00+00:00,N/A,N/A,N/A",
        );
        let (stale, inactive, none) = (
            "true,2026-01-01T09:00:00+00:00,2026-08-01T00:00:00+00:00,us-east-1,s3",
            "false,2020-01-01T09:00:00+00:00,N/A,N/A,N/A",
            "false,N/A,N/A,N/A,N/A",
        );
        let x = || vec!["x".to_owned()];
        for (row, expected) in [
            (root("true", "true"), vec![(Problem::RootKey, vec![])]),
            (root("false", "false"), vec![(Problem::RootWithoutMfa, vec![])]),
            // Its credentials were removed by the management account.
            (root("false", "false").replace("not_supported,N/A,not", "FALSE,N/A,not"), vec![]),
            (user("true", "false", none, none), vec![(Problem::PasswordWithoutMfa, x())]),
            (user("false", "false", used, none), vec![(Problem::KeyWithoutDevice, x())]),
            (user("false", "true", used, used), vec![(Problem::TwoActiveKeys, x())]),
            (user("false", "true", unused, none), vec![(Problem::UnusedKey, x())]),
            (user("false", "true", stale, inactive), vec![(Problem::UnusedKey, x())]),
            (user("false", "true", used, inactive), vec![]),
            (user("false", "false", inactive, inactive), vec![]),
            (user("false", "false", none, none), vec![]),
        ] {
            assert_eq!(found(&[&row]), expected, "{row}");
        }
    }

    #[test]
    fn names_with_commas_and_quotes_are_read() {
        let comma = GOOD.replace("tanaka", "tanaka,taro");
        assert_eq!(report(&[&comma])[0].user.as_deref(), Some("tanaka,taro"));
        let quoted = GOOD.replacen("tanaka", "\"tanaka,taro\"", 1).replacen(
            "arn:aws:iam::111111111111:user/tanaka",
            "\"arn:aws:iam::111111111111:user/tanaka,taro\"",
            1,
        );
        assert_eq!(report(&[&quoted])[0].user.as_deref(), Some("tanaka,taro"));
    }

    #[test]
    fn what_is_no_report_is_an_error() {
        for text in ["", "<html>", "user,arn\nx,y\n", HEADER] {
            assert!(read(text, at()).is_err(), "{text}");
        }
        assert!(read(&format!("{HEADER}\ntanaka,arn\n"), at()).is_err());
    }
}
