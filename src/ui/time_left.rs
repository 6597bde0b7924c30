//! Time left as text, and when that text changes next.

use std::time::Duration;

use jiff::Timestamp;

use super::model::{Mode, Model};

pub use crate::domain::duration::{ago, left};

/// Seconds left when a session counts as about to expire. The subshell's warning uses the same limit.
const ENDING: i64 = 10 * 60;

/// How long keys pause before what may have been meant is looked for.
const PAUSE: Duration = Duration::from_millis(250);

/// How much of a session is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// At least ten minutes.
    Live,
    /// Less than ten minutes.
    Ending,
    /// Nothing: it has expired.
    Expired,
}

impl Life {
    /// For a session that expires at `expires`.
    pub fn of(expires: Timestamp, now: Timestamp) -> Self {
        match seconds_left(expires, now) {
            ..=0 => Self::Expired,
            1..ENDING => Self::Ending,
            _ => Self::Live,
        }
    }
}

/// Whole seconds from now until then; negative when it has passed.
pub fn seconds_left(then: Timestamp, now: Timestamp) -> i64 {
    then.duration_since(now).as_secs()
}

/// How long something has been going on: `3 s`.
pub fn elapsed(since: Timestamp, now: Timestamp) -> String {
    format!("{} s", now.duration_since(since).as_secs().max(0))
}

/// Seconds until an authenticator shows its next code (RFC 6238, steps of 30 s).
pub fn step_left(now: Timestamp) -> i64 {
    30 - now.as_second().rem_euclid(30)
}

/// How long until a text on this screen changes by itself; `None` where nothing counts.
///
/// Never under a second, so that an idle screen wakes once a second at most; once for what is looked for in a pause.
pub fn next_change(model: &Model) -> Option<Duration> {
    let now = model.now;
    if model.owes_an_offer() {
        return Some(PAUSE);
    }
    let second = Some(Duration::from_secs(1));
    match &model.mode {
        Mode::Loading { .. } | Mode::Waiting { .. } | Mode::Passphrase { .. } | Mode::Code(_) => {
            return second;
        }
        Mode::Browse
        | Mode::Confirm { .. }
        | Mode::Run(_)
        | Mode::Fault { .. }
        | Mode::SignIn { .. }
        | Mode::Help { .. } => {}
    }
    let auth = model.status.auth.iter().map(|auth| auth.expires);
    let rows = model.visible().filter_map(|row| model.live(row)).map(|live| live.expires);
    auth.chain(rows)
        // The last second counts too: at its end the session is gone from the screen.
        .filter(|expires| *expires > now)
        .map(|expires| seconds_left(expires, now))
        .map(|left| if left < 60 { 1 } else { left % 60 + 1 })
        .min()
        .and_then(|seconds| u64::try_from(seconds).ok())
        .map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_left_is_short_and_never_negative() {
        let now = Timestamp::UNIX_EPOCH;
        let at = |seconds| Timestamp::from_second(seconds).unwrap();
        for (seconds, text) in [
            (-5, "0s"),
            (0, "0s"),
            (59, "59s"),
            (60, "1m"),
            (3599, "59m"),
            (3600, "1h 00m"),
            (42_130, "11h 42m"),
        ] {
            assert_eq!(left(at(seconds), now), text);
        }
        assert_eq!(Life::of(at(600), now), Life::Live);
        assert_eq!(Life::of(at(599), now), Life::Ending);
        assert_eq!(Life::of(at(0), now), Life::Expired);
        assert_eq!((step_left(at(0)), step_left(at(29)), step_left(at(-1))), (30, 1, 1));
    }
}
