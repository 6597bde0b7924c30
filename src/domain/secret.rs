//! Secrets: no Debug, no Clone, no Display, no Serialize; wiped on drop.
//!
//! `expose` is the only way in, and `tests/it/layers.rs` holds the list of those who use it: the calls to AWS, the
//! child's environment and the texts that carry it, the sealed store, the console's sign-in, the writer of stdout.

use jiff::Timestamp;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::ids::AccessKeyId;
use super::passphrase::{self, Weakness};

/// A text that must never be shown, logged or written unsealed.
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes the text over; the caller keeps no copy.
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text itself, for the one place that must have it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether it is there and only of what AWS's secrets are made of: printable ASCII without blanks.
    pub fn is_printable(&self) -> bool {
        !self.0.is_empty() && self.0.bytes().all(|byte| byte.is_ascii_graphic())
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether this is the same text, in a time that does not tell where the two differ.
    pub fn is(&self, given: &[u8]) -> bool {
        self.0.as_bytes().ct_eq(given).into()
    }

    /// Whether two secrets are the same text.
    pub fn same_as(&self, other: &Self) -> bool {
        self.is(other.0.as_bytes())
    }

    /// A second one, where two have to have it.
    #[must_use]
    pub fn copy(&self) -> Self {
        Self(self.0.clone())
    }

    /// Why it is easily guessed as a passphrase, by somebody who knows these names.
    pub fn weakness(&self, names: &[&str]) -> Option<Weakness> {
        passphrase::weakness(&self.0, names)
    }

    /// The same without outer white space.
    #[must_use]
    pub fn trimmed(&self) -> Self {
        Self::new(self.0.trim().to_owned())
    }

    /// The same as a line.
    #[must_use]
    pub fn line(&self) -> Self {
        Self::new(format!("{}\n", *self.0))
    }
}

/// An IAM user's long-term access key.
pub struct AccessKey {
    /// `AKIA…`
    pub id: AccessKeyId,
    /// The secret access key.
    pub secret: Secret,
}

/// Temporary credentials: an auth session's or a role session's.
pub struct Credentials {
    /// `ASIA…`
    pub id: AccessKeyId,
    /// The secret access key.
    pub secret: Secret,
    /// The session token.
    pub token: Secret,
    /// AWS's `Expiration`, UTC.
    pub expires: Timestamp,
}

/// A six-digit code from an authenticator.
pub struct MfaCode(Zeroizing<String>);

impl MfaCode {
    /// Reads a code as a person types or pastes it: full-width digits count, spaces are dropped.
    ///
    /// `None` unless exactly six digits remain.
    pub fn parse(text: &str) -> Option<Self> {
        let mut digits = Zeroizing::new(String::with_capacity(8));
        for c in text.chars().filter(|c| !c.is_whitespace()) {
            digits.push(digit(c)?);
        }
        (digits.len() == 6).then_some(Self(digits))
    }

    /// The same code once more.
    #[must_use]
    pub fn copy(&self) -> Self {
        Self(self.0.clone())
    }

    /// The digits themselves, for the one request that carries them.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// The ASCII form of a half-width or full-width digit.
pub fn digit(c: char) -> Option<char> {
    match c {
        '0'..='9' => Some(c),
        '０'..='９' => char::from_u32(u32::from(c) - 0xFEE0),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_six_digits_however_they_are_typed() {
        assert_eq!(MfaCode::parse(" 123 456\n").unwrap().expose(), "123456");
        assert_eq!(MfaCode::parse("１２３４５６").unwrap().expose(), "123456");
        for wrong in ["", "12345", "1234567", "12345a", "cccccckdvvul", "-12345"] {
            assert!(MfaCode::parse(wrong).is_none(), "{wrong}");
        }
    }
}
