//! Remarks on profiles that were not imported, or not completely.

use std::collections::BTreeMap;
use std::fmt;

use super::profiles::Profile;
use crate::domain::ids::AccountId;
use crate::domain::text::sanitize;

/// The most remarks that are printed: each auth account that a file names makes one.
const MAX_REMARKS: usize = 24;
/// How many profiles a remark names.
const NAMED: usize = 8;

/// Why a profile was left out, or a part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Remark {
    Sso,
    Process,
    WebIdentity,
    Machine,
    Chain,
    NoArn,
    OtherAuth(AccountId),
    OtherPartition(&'static str),
    Twice,
    TooMany,
    NoRole,
    Direct,
    Duration,
    Region,
    ExternalId,
    Device,
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Sso => "left out, uses IAM Identity Center (SSO), not an IAM user's key",
            Self::Process => "left out, gets its session from a credential_process",
            Self::WebIdentity => "left out, uses a web identity token",
            Self::Machine => "left out, uses the credentials of the machine it runs on",
            Self::Chain => {
                "left out, assumes its role from another role; sekisho assumes every role from the auth account"
            }
            Self::NoArn => "left out, role_arn is not the ARN of a role",
            Self::OtherAuth(account) => {
                return write!(
                    f,
                    "left out, entered from {account}; a config has one auth account, so make another: --account {account}"
                );
            }
            Self::OtherPartition(partition) => {
                return write!(f, "left out, in {partition}, which the auth account cannot enter");
            }
            Self::Twice => "left out, another profile has the same role",
            Self::TooMany => "left out, the account has too many roles",
            Self::NoRole => "left out, has no role_arn",
            Self::Direct => {
                "longer than 1h, so each session needs its own code; without `duration` one code serves all"
            }
            Self::Duration => "imported without duration_seconds, which is not from 900 to 43200",
            Self::Region => "imported without region, which is not in the role's partition",
            Self::ExternalId => "imported without external_id, which AWS would reject",
            Self::Device => {
                "imported without mfa_serial, which makes no six-digit codes or belongs to another account"
            }
        };
        f.write_str(text)
    }
}

/// The profiles that each remark is about.
#[derive(Default)]
pub(super) struct Remarks<'a>(BTreeMap<Remark, Vec<&'a str>>);

impl<'a> Remarks<'a> {
    pub(super) fn note(&mut self, remark: Remark, profile: &'a Profile) {
        self.0.entry(remark).or_default().push(&profile.name);
    }

    /// One line a remark, with the first few profiles it is about.
    pub(super) fn lines(&self) -> Vec<String> {
        let line = |(remark, names): (&Remark, &Vec<&str>)| {
            let shown: Vec<String> = names.iter().take(NAMED).map(|name| sanitize(name)).collect();
            let more = match names.len().saturating_sub(NAMED) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            format!("{remark}: {}{more}", shown.join(", "))
        };
        let mut lines: Vec<String> = self.0.iter().take(MAX_REMARKS).map(line).collect();
        if self.0.len() > MAX_REMARKS {
            lines.push("and more of this kind".to_owned());
        }
        lines
    }
}
