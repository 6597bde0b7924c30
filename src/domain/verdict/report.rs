//! The report: what `verify --json` prints. Fields are only ever added; `schema` rises where one changes meaning.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::fault::Exit;
use crate::domain::ids::{AccountId, Name, RoleArn, UserName};
use crate::domain::text::count;
use crate::domain::trust::TrustPolicy;

use super::{
    Against, Evidence, Finding, Guardrail, Outcome, Quarantine, SignInMfa, Signed, Verdict,
};

/// The meaning of the report's fields.
pub const SCHEMA: u32 = 1;

/// Everything one run of `verify` found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Who answered. On an emulator nothing is proved.
    #[serde(rename = "ground")]
    pub against: Against,
    /// When the run began, UTC.
    pub at: Timestamp,
    /// The account with the IAM users.
    pub auth_account: AccountId,
    /// Whose key was tried; absent where `GetCallerIdentity` was refused.
    pub user: Option<UserName>,
    /// The key's last four characters; absent where a console sign-in was tried.
    pub access_key: Option<String>,
    /// The console sign-in that was tried in a key's place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sign_in: Option<SignIn>,
    /// Proxies and certificates between here and AWS.
    pub detours: Vec<String>,
    /// Why there was no positive control; absent where there was one.
    pub control_missing: Option<String>,
    /// Whether AWS has quarantined the key.
    pub quarantine: Option<Quarantine>,
    /// sekisho's version.
    pub version: String,
    /// The host that STS was called at.
    pub endpoint: String,
    /// SHA-256 of the config file, hexadecimal; absent where there is none.
    pub config_sha256: Option<String>,
    /// The user itself.
    pub key: Vec<Finding>,
    /// The calls about the user itself, in order.
    pub probes: Vec<ProbeRecord>,
    /// The accounts, in the config's order.
    pub accounts: Vec<AccountReport>,
    /// Guarded targets that were not named, and so not tried.
    pub left_out: Vec<String>,
    /// What no run of `verify` tries.
    pub not_tried: Vec<String>,
}

/// A console sign-in that was tried in a key's place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignIn {
    /// Whose it is: `sekisho login`, or `aws login, profile work`.
    pub of: String,
    /// Why nothing was tried with it; absent where it was.
    pub missing: Option<String>,
}

/// What was found about one account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountReport {
    /// What the config calls it.
    pub name: Name,
    /// Its 12 digits.
    pub id: AccountId,
    /// When it was probed, UTC.
    pub at: Timestamp,
    /// The roles that were tried.
    pub roles: Vec<RoleReport>,
    /// Its other roles.
    pub back_doors: Finding,
    /// Others than the auth account's users.
    pub other_doors: Finding,
    /// The account's own IAM users.
    pub local_users: Finding,
    /// Every trust policy that was read.
    pub trust_policies: Vec<RoleTrust>,
    /// The calls about it, in order.
    pub probes: Vec<ProbeRecord>,
}

/// One call of a run, as evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeRecord {
    /// When it was answered, UTC.
    pub at: Timestamp,
    /// Who signed it.
    pub by: Signed,
    /// The action and its parameters.
    pub call: String,
    /// What came back.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// AWS's id of the request, as in CloudTrail; absent where no answer came.
    pub request_id: Option<String>,
    /// What it shows.
    pub shows: String,
}

impl ProbeRecord {
    /// What an outcome of a call shows, by who signed it.
    pub const fn shows(by: Signed, outcome: &Outcome) -> &'static str {
        match (by, outcome) {
            (_, Outcome::Undecided { .. }) => "nothing: it was not answered, or not made",
            (_, Outcome::Moot { .. }) => "nothing: rejected before permissions were checked",
            (Signed::Key, Outcome::Allowed) => "the key alone may do this",
            (Signed::Key, Outcome::Denied { .. }) => "the key alone may not do this",
            (Signed::SessionWithoutMfa, Outcome::Allowed) => {
                "a session made without a code may do this"
            }
            (Signed::SessionWithoutMfa, Outcome::Denied { .. }) => {
                "a session made without a code may not do this"
            }
            (Signed::SignIn, Outcome::Allowed) => "the console sign-in may do this without a code",
            (Signed::SignIn, Outcome::Denied { .. }) => {
                "the console sign-in may not do this without a code"
            }
            (Signed::SessionWithMfa | Signed::SignInWithCode, Outcome::Allowed) => {
                "positive control: with a code it is allowed, so a refusal without one means something"
            }
            (Signed::SessionWithMfa | Signed::SignInWithCode, Outcome::Denied { .. }) => {
                "no positive control: a code does not help either"
            }
            (Signed::Reader, Outcome::Allowed) => "what was read is what AWS has on record",
            (Signed::Reader, Outcome::Denied { .. }) => "nothing: it may not be read",
        }
    }
}

/// A role's trust policy, as it was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleTrust {
    /// The role's ARN.
    pub role: String,
    /// SHA-256 of the document, hexadecimal.
    pub sha256: String,
    /// What it says.
    #[serde(flatten)]
    pub policy: TrustPolicy,
}

/// An IAM user inside an account that is entered by roles.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalUser {
    /// The IAM name.
    pub user: String,
    /// Access keys, active or not.
    pub keys: Vec<LocalKey>,
}

/// An access key of such a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalKey {
    /// The key's last four characters.
    pub access_key: String,
    /// Whether requests may be signed with it.
    pub active: bool,
    /// Its age when it was listed.
    pub age_days: i64,
    /// When it was last used, UTC; absent where it never was, or AWS does not know.
    pub last_used: Option<Timestamp>,
    /// The service it was last used for.
    pub last_service: Option<String>,
}

impl fmt::Display for LocalUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "user {}:", self.user)?;
        for (n, key) in self.keys.iter().enumerate() {
            let state = if key.active { "active" } else { "inactive" };
            let comma = if n == 0 { "" } else { ";" };
            let age = count(usize::try_from(key.age_days).unwrap_or(0), "day");
            write!(f, "{comma} key {}, {state}, {age} old, ", key.access_key)?;
            match (key.last_used, &key.last_service) {
                (Some(at), Some(service)) => {
                    write!(f, "last used {} for {service}", at.strftime("%Y-%m-%d"))?;
                }
                (Some(at), None) => write!(f, "last used {}", at.strftime("%Y-%m-%d"))?,
                (None, _) => f.write_str("never used")?,
            }
        }
        Ok(())
    }
}

/// What was found about one role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleReport {
    /// The role.
    pub role: RoleArn,
    /// One finding a guardrail.
    pub findings: Vec<Finding>,
}

/// What the switcher shows of an account's last verification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifiedMark {
    /// When, UTC.
    pub at: Timestamp,
    /// The account's verdict as a whole.
    pub verdict: Verdict,
}

/// What no run of `verify` tries; said in every report.
pub const NOT_TRIED: [&str; 5] = [
    "calls other than those listed: a policy may still allow the key something else",
    "users other than the key's own, except by trust policies",
    "roles that were left out, and accounts that are not in the config",
    "the organization's policies, except where AWS names them in a refusal",
    "enrolling a device or making a key: such calls would change something",
];

/// What no run of `verify` with a console sign-in tries.
pub const NOT_TRIED_SIGNED_IN: [&str; 6] = [
    "a sign-in by somebody without MFA: that it carries no MFA information, this one does not show",
    "access keys: the config names none, but the user may have some",
    "what the user may do in the auth account itself",
    "users other than the one who signed in, except by trust policies",
    "roles that were left out, and accounts that are not in the config",
    "the organization's policies, except where AWS names them in a refusal",
];

impl RoleReport {
    /// Whether the role's trust policy was read and asks for MFA on every way in.
    fn trust_is_read(&self) -> bool {
        self.findings.iter().any(|finding| {
            let read = |evidence: &Evidence| matches!(evidence, Evidence::TrustPolicy { .. });
            finding.guardrail == Guardrail::Trust
                && finding.verdict.stands()
                && finding.evidence.iter().any(read)
        })
    }

    /// The worst finding; what is masked counts as standing behind a trust policy that was read.
    fn verdict(&self, against: Against) -> Verdict {
        let excused = self.trust_is_read();
        let verdicts = self.findings.iter().map(|finding| match finding.verdict {
            Verdict::Masked if excused => against.stands(),
            verdict => verdict,
        });
        verdicts.max().unwrap_or(Verdict::NotProved)
    }
}

impl AccountReport {
    /// The account's verdict as a whole: its worst finding.
    ///
    /// Masked guardrails count as standing where the trust policy was read and is sound.
    pub fn verdict(&self, against: Against) -> Verdict {
        let roles = self.roles.iter().map(|role| role.verdict(against));
        let account = [&self.back_doors, &self.other_doors, &self.local_users];
        let account = account.into_iter().map(|finding| finding.verdict);
        roles.max().unwrap_or(Verdict::NotProved).max(account.max().unwrap_or(Verdict::NotProved))
    }

    /// Every finding about the account.
    pub fn findings(&self) -> impl Iterator<Item = &Finding> {
        let roles = self.roles.iter().flat_map(|role| &role.findings);
        roles.chain([&self.back_doors, &self.other_doors, &self.local_users])
    }
}

impl Report {
    /// The worst verdict of all.
    pub fn verdict(&self) -> Verdict {
        let key = self.key.iter().map(|finding| finding.verdict);
        let accounts = self.accounts.iter().map(|account| account.verdict(self.against));
        key.chain(accounts)
            .chain(self.accounts.is_empty().then_some(Verdict::NotProved))
            .max()
            .unwrap_or(Verdict::NotProved)
    }

    /// Whether the console sign-in carries MFA information; absent where none was tried.
    pub fn sign_in_mfa(&self) -> Option<SignInMfa> {
        let sign_in = self.sign_in.as_ref()?;
        let roles = self.accounts.iter().flat_map(|account| &account.roles);
        let seen: Vec<SignInMfa> = roles.map(|role| SignInMfa::of(&role.findings)).collect();
        let told = [SignInMfa::Carried, SignInMfa::Absent].into_iter();
        let told = told.into_iter().find(|mfa| seen.contains(mfa));
        told.or_else(|| sign_in.missing.is_none().then_some(SignInMfa::Unknown))
    }

    /// Whose key, or which sign-in, was tried.
    pub fn tried(&self) -> String {
        match (&self.access_key, &self.sign_in) {
            (Some(key), _) => format!("key {key}"),
            (None, Some(sign_in)) => format!("console sign-in ({})", sign_in.of),
            (None, None) => "no key".into(),
        }
    }

    /// How the program ends: proved, an open guardrail, or undecided. An emulator never proves anything.
    pub fn exit(&self) -> Exit {
        match self.verdict() {
            Verdict::Proved => Exit::Done,
            Verdict::Open => Exit::Open,
            Verdict::Unconfirmed | Verdict::Masked | Verdict::NotProved => Exit::Undecided,
        }
    }

    /// What `--json` prints: the report, with `verdict` for the whole and for each account.
    pub fn json(&self) -> String {
        let mut value = serde_json::to_value(self).unwrap_or_default();
        value["verdict"] = serde_json::json!(self.verdict());
        if let Some(mfa) = self.sign_in_mfa() {
            value["sign_in"]["mfa"] = mfa.word().into();
        }
        for (n, account) in self.accounts.iter().enumerate() {
            value["accounts"][n]["verdict"] = serde_json::json!(account.verdict(self.against));
        }
        format!("{value:#}")
    }

    /// When the oldest of its accounts was probed, which an earlier, interrupted run may have done.
    pub fn oldest(&self) -> Timestamp {
        self.accounts.iter().map(|account| account.at).fold(self.at, Timestamp::min)
    }

    /// Every finding, the user's own first.
    pub fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.key.iter().chain(self.accounts.iter().flat_map(AccountReport::findings))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::trust::Reading;
    use crate::domain::verdict::{Outcome, Probe, Signed};

    fn finding(guardrail: Guardrail, verdict: Verdict, evidence: Vec<Evidence>) -> Finding {
        Finding { guardrail, verdict, because: String::new(), evidence, remedy: None }
    }

    fn report(against: Against, user: Verdict, trust: Verdict, read: bool) -> Report {
        let role: RoleArn = "arn:aws:iam::222222222222:role/Developer".parse().unwrap();
        let evidence = Evidence::TrustPolicy { role: role.to_string(), reading: Reading::AsksMfa };
        let findings = vec![
            finding(Guardrail::User, user, Vec::new()),
            finding(Guardrail::Trust, trust, if read { vec![evidence] } else { Vec::new() }),
            finding(Guardrail::Organization, Verdict::Masked, Vec::new()),
        ];
        Report {
            schema: SCHEMA,
            against,
            at: Timestamp::UNIX_EPOCH,
            auth_account: "111111111111".parse().unwrap(),
            user: None,
            access_key: Some("…0001".into()),
            sign_in: None,
            detours: Vec::new(),
            control_missing: None,
            quarantine: None,
            version: "0.0.0".into(),
            endpoint: "sts.ap-northeast-1.amazonaws.com".into(),
            config_sha256: None,
            probes: Vec::new(),
            key: vec![finding(Guardrail::Reads, against.stands(), Vec::new())],
            accounts: vec![AccountReport {
                name: "dev".parse().unwrap(),
                id: "222222222222".parse().unwrap(),
                at: Timestamp::UNIX_EPOCH,
                roles: vec![RoleReport { role, findings }],
                back_doors: finding(Guardrail::BackDoors, against.stands(), Vec::new()),
                other_doors: finding(Guardrail::OtherDoors, against.stands(), Vec::new()),
                local_users: finding(Guardrail::LocalUsers, against.stands(), Vec::new()),
                trust_policies: Vec::new(),
                probes: Vec::new(),
            }],
            left_out: Vec::new(),
            not_tried: NOT_TRIED.map(Into::into).into(),
        }
    }

    #[test]
    fn masked_is_good_enough_only_behind_a_trust_policy_that_was_read() {
        use Verdict::{Masked, NotProved, Open, Proved, Unconfirmed};
        for (against, user, trust, read, exit) in [
            (Against::Aws, Proved, Proved, true, Exit::Done),
            (Against::Aws, Masked, Proved, true, Exit::Done),
            (Against::Aws, Proved, Proved, false, Exit::Undecided),
            (Against::Aws, Proved, Masked, false, Exit::Undecided),
            (Against::Aws, Proved, NotProved, true, Exit::Undecided),
            (Against::Aws, Open, Proved, true, Exit::Open),
            (Against::Emulated, Unconfirmed, Unconfirmed, true, Exit::Undecided),
        ] {
            let report = report(against, user, trust, read);
            assert_eq!(report.exit(), exit, "{against:?} {user:?} {trust:?} {read}");
        }
    }

    #[test]
    fn a_report_without_accounts_proves_nothing() {
        let mut report = report(Against::Aws, Verdict::Proved, Verdict::Proved, true);
        report.accounts.clear();
        assert_eq!(report.exit(), Exit::Undecided);
    }

    #[test]
    fn the_json_is_what_scripts_read() {
        let mut report = report(Against::Aws, Verdict::Open, Verdict::Proved, true);
        let message =
            "x with an explicit deny in an identity-based policy: arn:aws:iam::1:policy/p";
        let outcomes = [
            Outcome::Allowed,
            Outcome::refused("AccessDenied", message),
            Outcome::refused("AccessDenied", "because no identity-based policy allows it"),
            Outcome::refused("AccessDenied", ""),
            Outcome::refused("MissingParameter", ""),
            Outcome::undecided("no network"),
        ];
        report.key[0].evidence = outcomes
            .map(|outcome| {
                let (by, call) = (Signed::SessionWithoutMfa, "ec2:DescribeRegions".into());
                Evidence::Probe(Probe { by, call, outcome })
            })
            .into();
        insta::assert_snapshot!(report.json());
    }
}
