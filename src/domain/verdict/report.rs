//! The report: what `verify --json` prints. Fields are only ever added; `schema` rises where one changes meaning.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::fault::Exit;
use crate::domain::ids::{AccountId, Name, RoleArn, UserName};

use super::{Against, Evidence, Finding, Guardrail, Quarantine, Verdict};

/// The meaning of the report's fields.
pub const SCHEMA: u32 = 1;

/// Everything one run of `verify` found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
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
    /// The key's last four characters.
    pub access_key: String,
    /// Proxies and certificates between here and AWS.
    pub detours: Vec<String>,
    /// Why there was no positive control; absent where there was one.
    pub control_missing: Option<String>,
    /// Whether AWS has quarantined the key.
    pub quarantine: Option<Quarantine>,
    /// The user itself.
    pub key: Vec<Finding>,
    /// The accounts, in the config's order.
    pub accounts: Vec<AccountReport>,
    /// Guarded targets that were not named, and so not tried.
    pub left_out: Vec<String>,
    /// What no run of `verify` tries.
    pub not_tried: Vec<&'static str>,
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
    "the organisation's policies, except where AWS names them in a refusal",
    "enrolling a device or making a key: such calls would change something",
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
        roles.max().unwrap_or(Verdict::NotProved).max(self.back_doors.verdict)
    }

    /// Every finding about the account.
    pub fn findings(&self) -> impl Iterator<Item = &Finding> {
        let roles = self.roles.iter().flat_map(|role| &role.findings);
        roles.chain(std::iter::once(&self.back_doors))
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

    /// How the program ends: proved, an open guardrail, or undecided. An emulator never proves anything.
    pub fn exit(&self) -> Exit {
        match self.verdict() {
            Verdict::Proved => Exit::Done,
            Verdict::Open => Exit::Open,
            Verdict::HoldsOnEmulator | Verdict::Masked | Verdict::NotProved => Exit::Undecided,
        }
    }

    /// What `--json` prints: the report, with `verdict` for the whole and for each account.
    pub fn json(&self) -> String {
        let mut value = serde_json::to_value(self).unwrap_or_default();
        value["verdict"] = serde_json::json!(self.verdict());
        for (n, account) in self.accounts.iter().enumerate() {
            value["accounts"][n]["verdict"] = serde_json::json!(account.verdict(self.against));
        }
        format!("{value:#}")
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
            access_key: "…0001".into(),
            detours: Vec::new(),
            control_missing: None,
            quarantine: None,
            key: vec![finding(Guardrail::Reads, against.stands(), Vec::new())],
            accounts: vec![AccountReport {
                name: "dev".parse().unwrap(),
                id: "222222222222".parse().unwrap(),
                at: Timestamp::UNIX_EPOCH,
                roles: vec![RoleReport { role, findings }],
                back_doors: finding(Guardrail::BackDoors, against.stands(), Vec::new()),
            }],
            left_out: Vec::new(),
            not_tried: NOT_TRIED.to_vec(),
        }
    }

    #[test]
    fn masked_is_good_enough_only_behind_a_trust_policy_that_was_read() {
        use Verdict::{HoldsOnEmulator, Masked, NotProved, Open, Proved};
        for (against, user, trust, read, exit) in [
            (Against::Aws, Proved, Proved, true, Exit::Done),
            (Against::Aws, Masked, Proved, true, Exit::Done),
            (Against::Aws, Proved, Proved, false, Exit::Undecided),
            (Against::Aws, Proved, Masked, false, Exit::Undecided),
            (Against::Aws, Proved, NotProved, true, Exit::Undecided),
            (Against::Aws, Open, Proved, true, Exit::Open),
            (Against::Emulated, HoldsOnEmulator, HoldsOnEmulator, true, Exit::Undecided),
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
