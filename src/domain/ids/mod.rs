//! AWS's names, parsed once: a value that exists matches AWS's grammar.
//!
//! Grammars: the IAM and STS API references, and AWS's partition table (`partitions.json`).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{lookalike, text};

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
        pub struct $name(pub(super) std::sync::Arc<str>);

        impl $name {
            /// The name as it was written.
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

mod arn;
mod endpoints;
mod partition;

pub use arn::{MfaSerial, PolicyArn, RoleArn, UserArn};
pub use endpoints::Endpoints;
pub use partition::{Partition, Region};

fn within(text: &str, least: usize, most: usize, extra: &str, what: &str) -> Result<(), Malformed> {
    let length = text.chars().count();
    if length < least || length > most {
        return malformed(format!("{what} has {least} to {most} characters, not {length}"));
    }
    match text.chars().find(|c| !(c.is_ascii_alphanumeric() || extra.contains(*c))) {
        Some(c) => malformed(format!("{what} holds letters, digits and {extra} only, not {c:?}")),
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

    /// Whether it is `/`.
    pub fn is_root(&self) -> bool {
        self.as_str() == "/"
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
        Self(if name.len() < 2 { format!("{name}-").into() } else { name.into() })
    }
}

text_id!(
    /// The text that a third party has to send (`sts:ExternalId`).
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
            return malformed("a name cannot contain /, which separates account and role");
        }
        let fault = |what: &str, c: char| {
            malformed(format!("a name holds no {what}, here U+{:04X}", u32::from(c)))
        };
        if let Some(c) = name.chars().find(|c| text::is_deceptive(*c)) {
            return fault("invisible characters", c);
        }
        if let Some(c) = lookalike::undefined(name) {
            return fault("private or unassigned characters", c);
        }
        if let Some(c) = lookalike::misused_mark(name) {
            return fault("combining marks that no spelling needs", c);
        }
        Ok(Self(name.into()))
    }
}
as_text!(Name);

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
        for wrong in
            ["1e11", "0o17", "12345678901", "1234-5678-9012", "１２３４５６７８９０１２", ""]
        {
            assert!(wrong.parse::<AccountId>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn names_hide_nothing() {
        for right in [
            "開発-田中",
            "R&D 100%",
            "Müller",
            "Mu\u{308}ller",
            "か\u{3099}",
            "ẹ\u{301}",
            "ＤＥＶ　①",
            "İzmir",
            "🔥 prod",
            "ไทย",
        ] {
            assert!(right.parse::<Name>().is_ok(), "{right:?}");
        }
        for wrong in [
            "",
            " x",
            "-x",
            "a/b",
            "a\nb",
            "a\u{202e}b",
            "a\u{200b}",
            "a\u{2800}",
            "a\u{1bca0}",
            "a\u{fff0}",
            "a\u{fffc}",
            "a\u{e000}",
            "a\u{f8ff}",
            "a\u{378}",
            "a\u{10ffff}",
            "a\u{332}",
            "a\u{20dd}",
            "e\u{301}\u{301}",
            "i\u{307}",
        ] {
            assert!(wrong.parse::<Name>().is_err(), "{wrong:?}");
        }
    }
}
