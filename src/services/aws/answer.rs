//! A session as STS sent it. Nothing of it is used before it was checked, by the clock of whoever asked for it.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::domain::ids::AccessKeyId;
use crate::domain::secret::{Credentials, Secret};

use super::Failure;

/// How much later than asked for a session may end: the clocks may differ by that much.
const TOLERANCE: SignedDuration = SignedDuration::from_mins(5);

/// Temporary credentials that were received.
pub struct Received {
    credentials: Credentials,
    asked: Duration,
    sender: Sender,
    call: &'static str,
}

/// Who answers at the endpoint that was called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sender {
    /// AWS, whose temporary key ids begin with `ASIA`.
    Aws,
    /// An emulator, which may hand out others.
    Emulator,
}

impl Received {
    /// Reads the answer to a call that asked for a session of a duration.
    pub(super) fn read(
        answer: Option<&aws_sdk_sts::types::Credentials>,
        asked: Duration,
        sender: Sender,
        call: &'static str,
    ) -> Result<Self, Failure> {
        let garbled = || Failure::garbled(call);
        let answer = answer.ok_or_else(garbled)?;
        let id: AccessKeyId = answer.access_key_id().parse().map_err(|_| garbled())?;
        let expires = Timestamp::from_second(answer.expiration().secs()).map_err(|_| garbled())?;
        let credentials = Credentials {
            id,
            secret: Secret::new(answer.secret_access_key().to_owned()),
            token: Secret::new(answer.session_token().to_owned()),
            expires,
        };
        Ok(Self::of(credentials, asked, sender, call))
    }

    /// Credentials as another endpoint sent them.
    pub(super) fn of(
        credentials: Credentials,
        asked: Duration,
        sender: Sender,
        call: &'static str,
    ) -> Self {
        Self { credentials, asked, sender, call }
    }

    /// The credentials, if they can be what was asked for.
    pub fn checked(self, now: Timestamp) -> Result<Credentials, Failure> {
        let Self { credentials, asked, sender, call } = self;
        let latest = SignedDuration::try_from(asked)
            .ok()
            .and_then(|asked| now.checked_add(asked + TOLERANCE).ok())
            .unwrap_or(Timestamp::MAX);
        let wrong =
            |what: &str| Err(Failure::implausible(&format!("the session of {call} {what}")));
        if sender == Sender::Aws && !credentials.id.is_temporary() {
            wrong("has the id of a long-term key")
        } else if !credentials.secret.is_printable() {
            wrong("has no usable secret access key")
        } else if !credentials.token.is_printable() {
            wrong("has no usable session token")
        } else if credentials.expires <= now {
            wrong(&format!("has already expired, at {}", utc(credentials.expires)))
        } else if credentials.expires > latest {
            wrong(&format!(
                "would last until {}, and {} min were asked for",
                utc(credentials.expires),
                asked.as_secs() / 60
            ))
        } else {
            Ok(credentials)
        }
    }
}

fn utc(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    fn now() -> Timestamp {
        Timestamp::from_second(1_800_000_000).unwrap()
    }

    /// What is wrong with an answer, if anything.
    fn wrong(sender: Sender, id: &str, secret: &str, token: &str, left: i64) -> Option<String> {
        let credentials = Credentials {
            id: id.parse().unwrap(),
            secret: Secret::new(secret.into()),
            token: Secret::new(token.into()),
            expires: now() + SignedDuration::from_secs(left),
        };
        let received = Received { credentials, asked: HOUR, sender, call: "sts:AssumeRole" };
        received.checked(now()).err().map(|failure| failure.message)
    }

    #[test]
    fn a_session_ends_after_now_and_hardly_later_than_asked() {
        let at = |left| wrong(Sender::Aws, "ASIAIOSFODNN7EXAMPLE", "s", "t", left);
        for fine in [1, 900, 3600, 3600 + 300] {
            assert_eq!(at(fine), None, "{fine}");
        }
        for past in [0, -1, -1_800_000_000] {
            assert!(at(past).unwrap().contains("already expired"), "{past}");
        }
        for late in [3600 + 301, 10 * 365 * 24 * 3600] {
            assert!(at(late).unwrap().contains("60 min were asked for"), "{late}");
        }
    }

    #[test]
    fn every_part_is_there() {
        let with =
            |secret, token| wrong(Sender::Emulator, "ASIAIOSFODNN7EXAMPLE", secret, token, 60);
        assert_eq!(with("s/+=", "t"), None);
        for blank in ["", " ", "a\nb", "a\u{0}", "ä"] {
            assert!(with(blank, "t").unwrap().contains("no usable secret"), "{blank:?}");
            assert!(with("s", blank).unwrap().contains("no usable session token"), "{blank:?}");
        }
    }

    #[test]
    fn aws_gives_no_long_term_key_for_a_session_and_an_emulator_may() {
        let from = |sender, id| wrong(sender, id, "s", "t", 60);
        let long_term = from(Sender::Aws, "AKIAIOSFODNN7EXAMPLE").unwrap();
        assert!(long_term.contains("the id of a long-term key"), "{long_term}");
        assert_eq!(from(Sender::Emulator, "AKIAIOSFODNN7EXAMPLE"), None);
        assert_eq!(from(Sender::Aws, "ASIAIOSFODNN7EXAMPLE"), None);
    }
}
