//! AWS's names, parsed once: a value that exists matches AWS's grammar.
//!
//! Grammars: the IAM and STS API references, and AWS's partition table (`partitions.json`).

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::text;

/// Why a text is not what it should be: one clause that fits after the text itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub String);

fn malformed<T>(why: impl Into<String>) -> Result<T, Malformed> {
    Err(Malformed(why.into()))
}

/// Serde goes through `Display` and `FromStr`, so that no door leads around the grammar.
macro_rules! as_text {
    ($($name:ident),*) => {$(
        impl TryFrom<String> for $name {
            type Error = Malformed;
            fn try_from(text: String) -> Result<Self, Malformed> {
                text.parse()
            }
        }
        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.to_string()
            }
        }
    )*};
}

/// A text newtype with a grammar.
macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $check:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(std::sync::Arc<str>);

        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = Malformed;
            fn from_str(text: &str) -> Result<Self, Malformed> {
                let check: fn(&str) -> Result<(), Malformed> = $check;
                check(text).map(|()| Self(text.into()))
            }
        }

        as_text!($name);
    };
}

fn within(text: &str, least: usize, most: usize, extra: &str, what: &str) -> Result<(), Malformed> {
    let length = text.chars().count();
    if length < least || length > most {
        return malformed(format!(
            "{what} has {least} to {most} characters, not {length}"
        ));
    }
    match text
        .chars()
        .find(|c| !(c.is_ascii_alphanumeric() || extra.contains(*c)))
    {
        Some(c) => malformed(format!(
            "{what} holds letters, digits and {extra} only, not {c:?}"
        )),
        None => Ok(()),
    }
}

/// An AWS account id: exactly 12 digits, leading zeros kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AccountId([u8; 12]);

impl AccountId {
    /// The id as a person reads it: `2222-2222-2222`.
    pub fn dashed(&self) -> String {
        let id = self.to_string();
        format!("{}-{}-{}", &id[..4], &id[4..8], &id[8..])
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(std::str::from_utf8(&self.0).unwrap_or_default())
    }
}

impl FromStr for AccountId {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        match <[u8; 12]>::try_from(text.as_bytes()) {
            Ok(digits) if digits.iter().all(u8::is_ascii_digit) => Ok(Self(digits)),
            _ => malformed("an account id is exactly 12 digits"),
        }
    }
}
as_text!(AccountId);

/// A part of AWS with its own accounts, credentials and host names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Partition {
    /// `aws`
    Aws,
    /// `aws-cn`
    China,
    /// `aws-us-gov`
    GovCloud,
    /// `aws-eusc`
    EuSovereign,
    /// `aws-iso`
    Iso,
    /// `aws-iso-b`
    IsoB,
    /// `aws-iso-e`
    IsoE,
    /// `aws-iso-f`
    IsoF,
}

impl Partition {
    /// Every partition, as the SDK's table has them.
    pub const ALL: [Self; 8] = [
        Self::Aws,
        Self::China,
        Self::GovCloud,
        Self::EuSovereign,
        Self::Iso,
        Self::IsoB,
        Self::IsoE,
        Self::IsoF,
    ];

    /// The name that stands in ARNs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::China => "aws-cn",
            Self::GovCloud => "aws-us-gov",
            Self::EuSovereign => "aws-eusc",
            Self::Iso => "aws-iso",
            Self::IsoB => "aws-iso-b",
            Self::IsoE => "aws-iso-e",
            Self::IsoF => "aws-iso-f",
        }
    }

    /// The region where its IAM is.
    /// <https://docs.aws.amazon.com/general/latest/gr/iam-service.html>
    pub fn home(self) -> Region {
        let region = match self {
            Self::Aws => "us-east-1",
            Self::China => "cn-north-1",
            Self::GovCloud => "us-gov-west-1",
            Self::EuSovereign => "eusc-de-east-1",
            Self::Iso => "us-iso-east-1",
            Self::IsoB => "us-isob-east-1",
            Self::IsoE => "eu-isoe-west-1",
            Self::IsoF => "us-isof-south-1",
        };
        Region(region.into())
    }

    /// What follows `sts.REGION.` in the regional endpoint's host.
    pub const fn host_suffix(self) -> &'static str {
        match self {
            Self::Aws | Self::GovCloud => "amazonaws.com",
            Self::China => "amazonaws.com.cn",
            Self::EuSovereign => "amazonaws.eu",
            Self::Iso => "c2s.ic.gov",
            Self::IsoB => "sc2s.sgov.gov",
            Self::IsoE => "cloud.adc-e.uk",
            Self::IsoF => "csp.hci.ic.gov",
        }
    }

    /// The hosts of the console's sign-in and of the console; none where neither is public.
    /// <https://docs.aws.amazon.com/general/latest/gr/signin-service.html>
    pub const fn console_hosts(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Aws => Some(("signin.aws.amazon.com", "console.aws.amazon.com")),
            Self::China => Some(("signin.amazonaws.cn", "console.amazonaws.cn")),
            Self::GovCloud => Some((
                "signin.amazonaws-us-gov.com",
                "console.amazonaws-us-gov.com",
            )),
            Self::EuSovereign => Some(("signin.amazonaws-eusc.eu", "console.amazonaws-eusc.eu")),
            Self::Iso | Self::IsoB | Self::IsoE | Self::IsoF => None,
        }
    }

    fn of(region: &str) -> Option<Self> {
        let (rest, number) = region.rsplit_once('-')?;
        if number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let (area, place) = rest.rsplit_once('-')?;
        if place.is_empty()
            || !place
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'_')
        {
            return None;
        }
        Some(match area {
            "us" | "eu" | "ap" | "sa" | "ca" | "me" | "af" | "il" | "mx" => Self::Aws,
            "cn" => Self::China,
            "us-gov" => Self::GovCloud,
            "eusc-de" => Self::EuSovereign,
            "us-iso" => Self::Iso,
            "us-isob" => Self::IsoB,
            "eu-isoe" => Self::IsoE,
            "us-isof" => Self::IsoF,
            _ => return None,
        })
    }
}

impl FromStr for Partition {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        Self::ALL
            .into_iter()
            .find(|partition| partition.name() == text)
            .ok_or_else(|| Malformed("no such AWS partition".into()))
    }
}

text_id!(
    /// An AWS region, e.g. `ap-northeast-1`.
    Region,
    |text| match Partition::of(text) {
        Some(_) => Ok(()),
        None => malformed("not an AWS region, which looks like ap-northeast-1"),
    }
);

impl Region {
    /// The partition this region belongs to.
    pub fn partition(&self) -> Partition {
        Partition::of(self.as_str()).unwrap_or(Partition::Aws)
    }
}

text_id!(
    /// An IAM role's name, without its path.
    RoleName,
    |text| within(text, 1, 64, "_+=,.@-", "a role name")
);

text_id!(
    /// An IAM user's name, without its path.
    UserName,
    |text| within(text, 1, 64, "_+=,.@-", "a user name")
);

text_id!(
    /// An IAM path: `/`, or `/a/b/`.
    RolePath,
    |text| {
        let fits = text.starts_with('/')
            && text.ends_with('/')
            && text.len() <= 512
            && text.bytes().all(|b| (0x21..0x7F).contains(&b));
        if fits { Ok(()) } else { malformed("a path starts and ends with / and holds printable ASCII") }
    }
);

impl RolePath {
    /// The path of a role that has none: `/`.
    pub fn root() -> Self {
        Self("/".into())
    }
}

text_id!(
    /// An access key id: `AKIA…` (long-term) or `ASIA…` (of a session).
    AccessKeyId,
    |text| {
        let fits = (16..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if fits { Ok(()) } else { malformed("an access key id is 16 to 128 letters and digits") }
    }
);

impl AccessKeyId {
    /// Whether this names temporary credentials.
    pub fn is_temporary(&self) -> bool {
        self.as_str().starts_with("ASIA")
    }

    /// The last four characters behind an ellipsis, to tell keys apart on a screen.
    pub fn short(&self) -> String {
        format!("…{}", &self.as_str()[self.as_str().len() - 4..])
    }
}

text_id!(
    /// The name of a role session, as CloudTrail shows it.
    SessionName,
    |text| within(text, 2, 64, "_+=,.@-", "a session name")
);

impl SessionName {
    /// A user's name made to fit the grammar of a session name.
    pub fn of(user: &UserName) -> Self {
        let name = user.as_str();
        Self(if name.len() < 2 {
            format!("{name}-").into()
        } else {
            name.into()
        })
    }
}

text_id!(
    /// What a third party gives to be let in (`sts:ExternalId`).
    ExternalId,
    |text| within(text, 2, 1224, "_+=,.@:/-", "an external id")
);

text_id!(
    /// Who is really behind a role session (`sts:SourceIdentity`).
    SourceIdentity,
    |text| {
        if text.to_ascii_lowercase().starts_with("aws:") {
            return malformed("a source identity cannot start with aws:");
        }
        within(text, 2, 64, "_+=,.@-", "a source identity")
    }
);

text_id!(
    /// A managed policy's ARN.
    PolicyArn,
    |text| {
        let mut parts = text.splitn(6, ':');
        let fits = parts.next() == Some("arn")
            && parts.next().is_some_and(|p| p.parse::<Partition>().is_ok())
            && parts.next() == Some("iam")
            && parts.next() == Some("")
            && parts.next().is_some_and(|a| a == "aws" || a.parse::<AccountId>().is_ok())
            && parts.next().is_some_and(|r| r.strip_prefix("policy/").is_some_and(|n| !n.is_empty() && n.is_ascii()));
        if fits { Ok(()) } else { malformed("a policy ARN looks like arn:aws:iam::aws:policy/ReadOnlyAccess") }
    }
);

/// The full name of a role: `arn:aws:iam::222222222222:role/path/Name`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RoleArn {
    text: std::sync::Arc<str>,
    account: AccountId,
    name_at: usize,
}

impl RoleArn {
    /// Builds the ARN of a role.
    pub fn new(partition: Partition, account: AccountId, path: &RolePath, name: &RoleName) -> Self {
        let text = format!("arn:{}:iam::{account}:role{path}{name}", partition.name());
        Self {
            name_at: text.len() - name.as_str().len(),
            text: text.into(),
            account,
        }
    }

    /// The whole ARN.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The account the role lives in.
    pub fn account(&self) -> AccountId {
        self.account
    }

    /// The role's name, without its path.
    pub fn name(&self) -> &str {
        &self.text[self.name_at..]
    }

    /// The role's name, as a value of its own.
    pub fn role_name(&self) -> RoleName {
        RoleName(self.name().into())
    }

    /// The role's path.
    pub fn path(&self) -> RolePath {
        let before = &self.text[..self.name_at];
        let start = before.find('/').unwrap_or(self.name_at - 1);
        RolePath(before[start..].into())
    }

    /// The partition's name, e.g. `aws`.
    pub fn partition(&self) -> &str {
        self.text.split(':').nth(1).unwrap_or_default()
    }

    /// Whether STS's answer (`arn:aws:sts::ID:assumed-role/NAME/SESSION`) names this very account and role.
    pub fn is_assumed_by(&self, assumed: &str) -> bool {
        let mut parts = assumed.splitn(6, ':');
        parts.next() == Some("arn")
            && parts.next() == Some(self.partition())
            && parts.next() == Some("sts")
            && parts.next() == Some("")
            && parts.next() == Some(&self.account.to_string())
            && parts
                .next()
                .and_then(|resource| resource.strip_prefix("assumed-role/"))
                .and_then(|rest| rest.split_once('/'))
                .is_some_and(|(role, _)| role == self.name())
    }
}

impl fmt::Display for RoleArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl FromStr for RoleArn {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        let wrong =
            || Malformed("a role ARN looks like arn:aws:iam::222222222222:role/Developer".into());
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        let ["arn", partition, "iam", "", account, resource] = parts[..] else {
            return Err(wrong());
        };
        let (path, name) = resource
            .strip_prefix("role")
            .and_then(|r| r.rsplit_once('/'))
            .ok_or_else(wrong)?;
        Ok(Self::new(
            partition.parse()?,
            account.parse()?,
            &format!("{path}/").parse()?,
            &name.parse()?,
        ))
    }
}
as_text!(RoleArn);

/// The serial of a device that makes six-digit codes: a virtual device's ARN, or a hardware token's number.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MfaSerial(std::sync::Arc<str>);

impl MfaSerial {
    /// The text that STS takes as `SerialNumber`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The account a virtual device belongs to; a hardware token's number tells none.
    pub fn account(&self) -> Option<AccountId> {
        self.0.split(':').nth(4)?.parse().ok()
    }

    /// What a person would call the device: the ARN's last part, or the token's number.
    pub fn short(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }
}

impl fmt::Display for MfaSerial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for MfaSerial {
    type Err = Malformed;

    /// Refuses, with the reason, what can never give a code: FIDO devices and users.
    fn from_str(text: &str) -> Result<Self, Malformed> {
        within(text, 9, 256, "_+=/:,.@-", "an MFA serial")?;
        if !text.starts_with("arn:") {
            return Ok(Self(text.into()));
        }
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        let ["arn", partition, "iam", "", account, resource] = parts[..] else {
            return malformed(
                "a virtual device's serial looks like arn:aws:iam::111111111111:mfa/NAME",
            );
        };
        partition.parse::<Partition>()?;
        account.parse::<AccountId>()?;
        match resource.split_once('/') {
            Some(("mfa", name)) if !name.is_empty() => Ok(Self(text.into())),
            Some(("u2f", _)) => malformed(
                "this is a security key: AWS takes only six-digit codes here; register an authenticator app as a second device",
            ),
            Some(("user", name)) => malformed(format!(
                "this names the user; the device is usually mfa/{name}"
            )),
            _ => {
                malformed("a virtual device's serial looks like arn:aws:iam::111111111111:mfa/NAME")
            }
        }
    }
}
as_text!(MfaSerial);

/// What people call an account: no `/`, no leading `-`, no outer spaces, nothing deceptive.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(std::sync::Arc<str>);

impl Name {
    /// The name as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for Name {
    type Err = Malformed;
    fn from_str(name: &str) -> Result<Self, Malformed> {
        if name.is_empty() {
            return malformed("a name cannot be empty");
        }
        if name.chars().count() > 128 {
            return malformed("a name has at most 128 characters");
        }
        if name.trim() != name {
            return malformed("a name has no outer spaces");
        }
        if name.starts_with('-') {
            return malformed("a name cannot start with -, it would read as an option");
        }
        if name.contains('/') {
            return malformed("a name holds no /, which stands between account and role");
        }
        match name.chars().find(|c| text::is_deceptive(*c)) {
            Some(c) => malformed(format!(
                "a name holds no invisible characters, here U+{:04X}",
                u32::from(c)
            )),
            None => Ok(Self(name.into())),
        }
    }
}
as_text!(Name);

/// A length of time as the config writes it: `90d`, `12h`, `15m`, `3600s`. Whole seconds.
pub fn parse_duration(text: &str) -> Result<Duration, Malformed> {
    let wrong = || Malformed("a duration looks like 15m, 1h or 12h".into());
    let split = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
    let number: u64 = text[..split].parse().map_err(|_| wrong())?;
    let unit = match &text[split..] {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return Err(wrong()),
    };
    number
        .checked_mul(unit)
        .map(Duration::from_secs)
        .ok_or_else(wrong)
}

/// The shortest text that `parse_duration` reads back as this duration.
pub fn show_duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        s if s >= 172_800 && s.is_multiple_of(86_400) => format!("{}d", s / 86_400),
        s if s > 0 && s.is_multiple_of(3600) => format!("{}h", s / 3600),
        s if s > 0 && s.is_multiple_of(60) => format!("{}m", s / 60),
        s => format!("{s}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn account_ids_keep_their_zeros_and_refuse_everything_else() {
        let id: AccountId = "012345678901".parse().unwrap();
        assert_eq!(
            (id.to_string().as_str(), id.dashed().as_str()),
            ("012345678901", "0123-4567-8901")
        );
        for wrong in [
            "1e11",
            "0o17",
            "12345678901",
            "1234-5678-9012",
            "１２３４５６７８９０１２",
            "",
        ] {
            assert!(wrong.parse::<AccountId>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn regions_tell_their_partition() {
        for (region, partition) in [
            ("ap-northeast-1", Partition::Aws),
            ("cn-north-1", Partition::China),
            ("us-gov-west-1", Partition::GovCloud),
            ("eusc-de-east-1", Partition::EuSovereign),
            ("us-isob-east-1", Partition::IsoB),
        ] {
            assert_eq!(
                region.parse::<Region>().unwrap().partition(),
                partition,
                "{region}"
            );
        }
        for wrong in [
            "us-east1",
            "",
            "us-east-",
            "mars-north-1",
            "us--1",
            "us-east-1/x",
        ] {
            assert!(wrong.parse::<Region>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn role_arns_round_trip_and_know_their_sessions() {
        let text = "arn:aws-cn:iam::222222222222:role/ops/x/Admin";
        let arn: RoleArn = text.parse().unwrap();
        assert_eq!(
            (arn.as_str(), arn.name(), arn.partition()),
            (text, "Admin", "aws-cn")
        );
        assert!(arn.is_assumed_by("arn:aws-cn:sts::222222222222:assumed-role/Admin/tanaka"));
        assert!(!arn.is_assumed_by("arn:aws-cn:sts::222222222223:assumed-role/Admin/tanaka"));
        assert!(!arn.is_assumed_by("arn:aws-cn:sts::222222222222:assumed-role/Admin2/tanaka"));
        assert!(
            "arn:aws:iam::222222222222:roleX"
                .parse::<RoleArn>()
                .is_err()
        );
    }

    #[test]
    fn devices_that_cannot_give_codes_are_refused_with_the_reason() {
        assert!(
            "arn:aws:iam::111111111111:mfa/tanaka"
                .parse::<MfaSerial>()
                .is_ok()
        );
        assert!("GAHT12345678".parse::<MfaSerial>().is_ok());
        let fido = "arn:aws:iam::111111111111:u2f/user/tanaka/key-ABC"
            .parse::<MfaSerial>()
            .unwrap_err();
        assert!(fido.0.contains("security key"), "{fido}");
        let user = "arn:aws:iam::111111111111:user/tanaka"
            .parse::<MfaSerial>()
            .unwrap_err();
        assert!(user.0.contains("mfa/tanaka"), "{user}");
    }

    #[test]
    fn durations_are_read_and_shown() {
        for (text, seconds) in [
            ("15m", 900),
            ("12h", 43_200),
            ("90d", 7_776_000),
            ("61s", 61),
        ] {
            let duration = parse_duration(text).unwrap();
            assert_eq!(
                (duration.as_secs(), show_duration(duration).as_str()),
                (seconds, text)
            );
        }
        for wrong in ["", "1", "h", "1.5h", "-1h", "1w", "99999999999999999999h"] {
            assert!(parse_duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn names_hide_nothing() {
        assert!("開発-田中".parse::<Name>().is_ok());
        for wrong in ["", " x", "-x", "a/b", "a\u{202e}b", "a\u{200b}", "a\nb"] {
            assert!(wrong.parse::<Name>().is_err(), "{wrong:?}");
        }
    }
}
