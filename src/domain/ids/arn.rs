//! ARNs: of roles, of managed policies, and of the devices that make codes.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{AccountId, Malformed, Partition, RoleName, RolePath, UserName, malformed, within};

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
        Self { name_at: text.len() - name.as_str().len(), text: text.into(), account }
    }

    /// The ARN as it was read.
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

    /// The part between `role` and the name, `/` for most.
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
        let (path, name) =
            resource.strip_prefix("role").and_then(|r| r.rsplit_once('/')).ok_or_else(wrong)?;
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

    /// The account a virtual device belongs to; a hardware token's number names none.
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
            Some(("user", name)) => {
                malformed(format!("this names the user; the device is usually mfa/{name}"))
            }
            _ => {
                malformed("a virtual device's serial looks like arn:aws:iam::111111111111:mfa/NAME")
            }
        }
    }
}
as_text!(MfaSerial);

/// The ARN of an IAM user: `arn:aws:iam::111111111111:user/path/NAME`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UserArn {
    text: std::sync::Arc<str>,
    account: AccountId,
    user: UserName,
}

impl UserArn {
    /// The ARN as it was read.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The partition that the account is in.
    pub fn partition(&self) -> Partition {
        let named = self.text.split(':').nth(1).and_then(|name| name.parse().ok());
        named.unwrap_or(Partition::Aws)
    }

    /// The account that the user is in.
    pub fn account(&self) -> AccountId {
        self.account
    }

    /// The user's name, without its path.
    pub fn user(&self) -> &UserName {
        &self.user
    }
}

impl fmt::Display for UserArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl FromStr for UserArn {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        let wrong =
            || Malformed("a user's ARN looks like arn:aws:iam::111111111111:user/NAME".into());
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        let ["arn", partition, "iam", "", account, resource] = parts[..] else {
            return Err(wrong());
        };
        partition.parse::<Partition>()?;
        let (path, name) =
            resource.strip_prefix("user").and_then(|r| r.rsplit_once('/')).ok_or_else(wrong)?;
        format!("{path}/").parse::<RolePath>()?;
        Ok(Self { text: text.into(), account: account.parse()?, user: name.parse()? })
    }
}
as_text!(UserArn);

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn role_arns_round_trip_and_know_their_sessions() {
        let text = "arn:aws-cn:iam::222222222222:role/ops/x/Admin";
        let arn: RoleArn = text.parse().unwrap();
        assert_eq!((arn.as_str(), arn.name(), arn.partition()), (text, "Admin", "aws-cn"));
        assert!(arn.is_assumed_by("arn:aws-cn:sts::222222222222:assumed-role/Admin/tanaka"));
        assert!(!arn.is_assumed_by("arn:aws-cn:sts::222222222223:assumed-role/Admin/tanaka"));
        assert!(!arn.is_assumed_by("arn:aws-cn:sts::222222222222:assumed-role/Admin2/tanaka"));
        assert!("arn:aws:iam::222222222222:roleX".parse::<RoleArn>().is_err());
    }

    #[test]
    fn users_are_told_from_roles_and_root() {
        let arn: UserArn = "arn:aws:iam::111111111111:user/staff/tanaka".parse().unwrap();
        assert_eq!(
            (arn.user().as_str(), arn.account().to_string().as_str()),
            ("tanaka", "111111111111")
        );
        for wrong in [
            "arn:aws:iam::111111111111:root",
            "arn:aws:sts::111111111111:assumed-role/Admin/tanaka",
            "arn:aws:iam::111111111111:users/tanaka",
            "arn:aws:iam::1111:user/tanaka",
            "arn:aws:iam::111111111111:user/",
            "arn:aws:iam::111111111111:user/\u{1b}[31m/x",
            "arn:moon:iam::111111111111:user/x",
        ] {
            assert!(wrong.parse::<UserArn>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn devices_that_cannot_give_codes_are_refused_with_the_reason() {
        assert!("arn:aws:iam::111111111111:mfa/tanaka".parse::<MfaSerial>().is_ok());
        assert!("GAHT12345678".parse::<MfaSerial>().is_ok());
        let fido =
            "arn:aws:iam::111111111111:u2f/user/tanaka/key-ABC".parse::<MfaSerial>().unwrap_err();
        assert!(fido.0.contains("security key"), "{fido}");
        let user = "arn:aws:iam::111111111111:user/tanaka".parse::<MfaSerial>().unwrap_err();
        assert!(user.0.contains("mfa/tanaka"), "{user}");
    }
}
