//! Fault injection: makes chosen calls fail in a chosen way.

use std::time::Duration;

use super::error::AwsError;
use super::wire::Reply;

/// A fault, and the calls that get it.
#[derive(Debug, Clone)]
pub struct Injection {
    /// `AssumeRole`, `GetSessionToken`, …; `None` is any.
    pub action: Option<String>,
    /// For how many of these calls.
    pub times: Times,
    /// What goes wrong.
    pub what: FaultInjection,
}

/// How many calls get an injected fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Times {
    /// The next so many calls.
    Next(u32),
    /// Until [`super::Emulator::clear`].
    UntilCleared,
}

/// What can go wrong.
#[derive(Debug, Clone)]
pub enum FaultInjection {
    /// The response is delayed.
    Latency(Duration),
    /// Something else goes wrong, and only after a while.
    Late(Duration, Box<FaultInjection>),
    /// The call is acted on (a code is spent), then the connection is reset.
    Reset,
    /// The call is acted on (a code is spent), and no response is ever sent.
    Hang,
    /// Not acted on: `Throttling`, HTTP 400.
    Throttle,
    /// Not acted on: a status of 500 and up, in AWS's form.
    ServerError(u16),
    /// Not acted on: an error of the token endpoint, e.g. `USER_CREDENTIALS_CHANGED`.
    TokenError(&'static str),
    /// Not acted on: bytes that are no XML, HTTP 200.
    Garbage,
    /// Not acted on: these very bytes.
    Raw {
        /// The response's HTTP status.
        status: u16,
        /// The response's body, sent unchanged.
        body: Vec<u8>,
    },
}

/// The pending injections, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Injections(Vec<Injection>);

impl Injections {
    pub(super) fn push(&mut self, injection: Injection) {
        self.0.push(injection);
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// The fault for a call, used up where it is counted.
    pub(super) fn take(&mut self, action: &str) -> Option<FaultInjection> {
        let at = self.0.iter().position(|injection| {
            injection.times != Times::Next(0)
                && injection.action.as_deref().is_none_or(|wanted| wanted == action)
        })?;
        let injection = &mut self.0[at];
        let what = injection.what.clone();
        if let Times::Next(left) = &mut injection.times {
            *left -= 1;
            if *left == 0 {
                self.0.remove(at);
            }
        }
        Some(what)
    }
}

impl FaultInjection {
    /// How long the response is held back, and what goes wrong then.
    pub(super) fn delayed(self) -> (Duration, Option<Self>) {
        match self {
            Self::Latency(delay) => (delay, None),
            Self::Late(delay, what) => (delay, Some(*what)),
            what => (Duration::ZERO, Some(what)),
        }
    }

    /// Whether the call gets no response.
    pub(super) fn loses_response(&self) -> bool {
        match self {
            Self::Late(_, what) => what.loses_response(),
            what => matches!(what, Self::Reset | Self::Hang),
        }
    }

    /// The response instead of acting on the call; `None` where it is acted on.
    pub(super) fn instead(&self) -> Option<Result<Reply, AwsError>> {
        let raw = |status, body| Reply { status, body, ..Reply::default() };
        Some(match self {
            Self::Late(_, what) => return what.instead(),
            Self::Latency(_) | Self::Reset | Self::Hang => return None,
            Self::Throttle => Err(AwsError::throttled()),
            Self::ServerError(503) => {
                Err(AwsError::new(503, "ServiceUnavailable", "Service Unavailable"))
            }
            Self::ServerError(status) => Err(AwsError::new(
                *status,
                "InternalFailure",
                "The request processing has failed because of an unknown error, exception or failure.",
            )),
            Self::TokenError(code) => Err(AwsError::of_token(code, "Refused on demand")),
            Self::Garbage => Ok(raw(200, b"\x1b[31m<not \xff xml".to_vec())),
            Self::Raw { status, body } => Ok(raw(*status, body.clone())),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn injections_are_used_up_in_order_and_by_action() {
        let mut injections = Injections::default();
        let mut push = |action: Option<&str>, times, fault| {
            injections.push(Injection { action: action.map(Into::into), times, what: fault });
        };
        push(Some("AssumeRole"), Times::Next(1), FaultInjection::Throttle);
        push(None, Times::UntilCleared, FaultInjection::Hang);
        assert!(matches!(injections.take("GetSessionToken"), Some(FaultInjection::Hang)));
        assert!(matches!(injections.take("AssumeRole"), Some(FaultInjection::Throttle)));
        assert!(matches!(injections.take("AssumeRole"), Some(FaultInjection::Hang)));
        injections.clear();
        assert!(injections.take("AssumeRole").is_none());
    }
}
