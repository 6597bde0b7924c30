//! Remarks on profiles that were not imported, or not completely.

use std::collections::BTreeMap;
use std::fmt;

use super::profiles::{OtherWay, Profile};
use crate::domain::text::sanitize;

/// The most remarks that are printed.
const MAX_REMARKS: usize = 40;
/// How many profiles a remark names.
const NAMED: usize = 8;

/// Why a profile was left out, or a part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Remark {
    Way(OtherWay),
    Behind(OtherWay),
    Chain,
    NoSource,
    SourceMissing,
    SourceIsItself,
    NoArn,
    Hidden,
    Included,
    Shared,
    Twice,
    TooMany,
    NoRole,
    Differs,
    Direct,
    Guarded,
    Temporary,
    Login,
    Unproved,
    Duration,
    Region,
    ExternalId,
    Device,
    NewDevice,
    SessionTags,
    SourceIdentity,
    MfaProcess,
    MfaProcessNamed,
    AuthShared,
    SessionName,
    Endpoint,
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Way(OtherWay::Sso) => {
                "left out, uses IAM Identity Center (SSO), not an IAM user's key"
            }
            Self::Way(OtherWay::Process) => "left out, gets its session from a credential_process",
            Self::Way(OtherWay::WebIdentity) => "left out, uses a web identity token",
            Self::Way(OtherWay::Machine) => {
                "left out, uses the credentials of the machine it runs on"
            }
            Self::Behind(OtherWay::Sso) => {
                "left out, enters its role from a profile that uses IAM Identity Center (SSO)"
            }
            Self::Behind(OtherWay::Process) => {
                "left out, enters its role from a profile with a credential_process; if that prints an access key: --source PROFILE"
            }
            Self::Behind(OtherWay::WebIdentity) => {
                "left out, enters its role from a profile with a web identity token"
            }
            Self::Behind(OtherWay::Machine) => {
                "left out, enters its role from a profile that uses the machine's credentials"
            }
            Self::Chain => {
                "left out, assumes its role from another role; sekisho assumes every role from the auth account"
            }
            Self::NoSource => "left out, has no source_profile, so no key enters its role",
            Self::SourceMissing => "left out, its source_profile does not exist",
            Self::SourceIsItself => "left out, its source_profile leads back to itself",
            Self::NoArn => "left out, role_arn is not the ARN of a role",
            Self::Hidden => "left out, the config hides its account",
            Self::Included => {
                "left out, its account is in an included file; add the role there, or list the account's roles in the main file"
            }
            Self::Shared => {
                "left out, its account shares the list of its roles with others (a YAML alias, anchor or merge key), which would get the role, too; add it by hand"
            }
            Self::Twice => "left out, another profile has the same role",
            Self::TooMany => "left out, the account has too many roles",
            Self::NoRole => "left out, has no role_arn",
            Self::Differs => {
                "the config has this role with other settings; it was not changed"
            }
            Self::Direct => {
                "longer than 1h, so each session needs its own code; without `duration` one code serves all"
            }
            Self::Guarded => "looks like production, so it gets `guard: confirm`",
            Self::Temporary => {
                "its source holds a temporary session, not a long-term key; sekisho needs the IAM user's key"
            }
            Self::Login => {
                "its source signs in by `aws login`; see `auth.key` in `sekisho config example`"
            }
            Self::Unproved => {
                "no profile tells the account of its key; taken to be the config's auth account"
            }
            Self::Duration => "imported without its duration, which is not from 900 to 43200",
            Self::Region => "imported without region, which is not in the role's partition",
            Self::ExternalId => "imported without external_id, which AWS would reject",
            Self::Device => {
                "imported without mfa_serial, which makes no six-digit codes or belongs to another account"
            }
            Self::NewDevice => {
                "mfa_serial is not in the config's `auth.mfa`, and nothing shows that it is the same user's; if it is, add it by hand"
            }
            Self::SessionTags => "imported without session_tags, which AWS would reject",
            Self::SourceIdentity => "imported without source_identity, which AWS would reject",
            Self::MfaProcess => {
                "imported without mfa_process: a config has one `mfa_command`, and none with a secret in it"
            }
            Self::MfaProcessNamed => {
                "mfa_process was not imported, nothing shows that its codes are for the config's user; if they are, set `auth.mfa_command`"
            }
            Self::AuthShared => {
                "mfa_serial or mfa_process was not imported, `auth` or `auth.mfa` is a YAML alias or anchor or comes from a merge key; add it by hand"
            }
            Self::SessionName => {
                "imported without role_session_name; sekisho names sessions after the user"
            }
            Self::Endpoint => {
                "imported without endpoint_url; an emulator's belongs in `auth.endpoint_url`"
            }
        })
    }
}

/// The profiles that each remark is about.
#[derive(Default)]
pub(super) struct Remarks<'a> {
    by_kind: BTreeMap<Remark, Vec<&'a str>>,
    /// Settings that no config has, with the profiles that have them.
    settings: BTreeMap<&'a str, Vec<&'a str>>,
    /// Sections that AWS's tools do not read, with a role in them or not.
    unread: Vec<&'a str>,
}

impl<'a> Remarks<'a> {
    pub(super) fn note(&mut self, remark: Remark, profile: &'a Profile) {
        self.by_kind.entry(remark).or_default().push(&profile.name);
    }

    /// Notes a setting that is not taken over.
    pub(super) fn setting(&mut self, name: &'a str, profile: &'a Profile) {
        self.settings.entry(name).or_default().push(&profile.name);
    }

    pub(super) fn unread(&mut self, sections: impl Iterator<Item = &'a str>) {
        self.unread.extend(sections);
    }

    /// One line a remark, with the first few profiles it is about.
    pub(super) fn lines(&self) -> Vec<String> {
        let mut lines: Vec<String> = self
            .by_kind
            .iter()
            .map(|(remark, names)| format!("{remark}: {}", named(names)))
            .collect();
        if !self.unread.is_empty() {
            let sections: Vec<String> =
                self.unread.iter().map(|name| format!("[{name}]")).collect();
            let sections: Vec<&str> = sections.iter().map(String::as_str).collect();
            let why = "left out, not read by AWS's tools without `profile` before the name";
            lines.push(format!("{why}: {}", named(&sections)));
        }
        if !self.settings.is_empty() {
            let all: Vec<String> = self
                .settings
                .iter()
                .take(MAX_REMARKS)
                .map(|(setting, names)| match &names[..] {
                    [only] => format!("{} ({})", sanitize(setting), sanitize(only)),
                    many => format!("{} ({} profiles)", sanitize(setting), many.len()),
                })
                .collect();
            lines.push(format!("not imported, a config has no such settings: {}", all.join(", ")));
        }
        lines
    }
}

/// The first few names, and how many more there are.
pub fn named(names: &[&str]) -> String {
    let shown: Vec<String> = names.iter().take(NAMED).map(|name| sanitize(name)).collect();
    let more = match names.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("{}{more}", shown.join(", "))
}
