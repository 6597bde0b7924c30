//! Lengths of time as people write them.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::ids::Malformed;
use super::text::count;

/// A length of time as people write it: `90d`, `12h`, `15m`, `3600s`, or several units from large to small: `1h30m`.
/// Whole seconds.
pub fn parse_duration(text: &str) -> Result<Duration, Malformed> {
    let wrong = || Malformed("a duration looks like 15m, 1h30m or 12h".into());
    let (mut total, mut last, mut rest) = (0_u64, u64::MAX, text);
    while !rest.is_empty() || last == u64::MAX {
        let split = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let number: u64 = rest[..split].parse().map_err(|_| wrong())?;
        let unit = match rest.as_bytes()[split] {
            b's' => 1,
            b'm' => 60,
            b'h' => 3600,
            b'd' => 86_400,
            _ => return Err(wrong()),
        };
        if unit >= last {
            return Err(wrong());
        }
        let seconds = number.checked_mul(unit).ok_or_else(wrong)?;
        total = total.checked_add(seconds).ok_or_else(wrong)?;
        (last, rest) = (unit, &rest[split + 1..]);
    }
    Ok(Duration::from_secs(total))
}

/// The time from now until then: `11h 42m`, `47m`, `42s`; never below zero.
pub fn left(then: Timestamp, now: Timestamp) -> String {
    let seconds = then.duration_since(now).as_secs().max(0);
    match seconds {
        3600.. => format!("{}h {:02}m", seconds / 3600, seconds / 60 % 60),
        60.. => format!("{}m", seconds / 60),
        _ => format!("{seconds}s"),
    }
}

/// How long ago something was, in the largest whole unit: `just now`, `5m ago`, `3d ago`.
pub fn ago(then: Timestamp, now: Timestamp) -> String {
    match now.duration_since(then).as_secs() {
        86_400.. => format!("{}d ago", now.duration_since(then).as_hours() / 24),
        3600.. => format!("{}h ago", now.duration_since(then).as_hours()),
        60.. => format!("{}m ago", now.duration_since(then).as_mins()),
        _ => "just now".to_owned(),
    }
}

/// How old something is, in words: `less than a minute`, `12 minutes`, `47 hours`, `90 days`.
pub fn age(age: SignedDuration) -> String {
    let (number, unit) = match age.as_secs() {
        172_800.. => (age.as_hours() / 24, "day"),
        3600.. => (age.as_hours(), "hour"),
        60.. => (age.as_mins(), "minute"),
        _ => return "less than a minute".to_owned(),
    };
    count(usize::try_from(number).unwrap_or(0), unit)
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
    fn what_is_past_is_told_in_its_largest_unit() {
        let at = |seconds| Timestamp::from_second(seconds).unwrap();
        for (seconds, since, old) in [
            (-5, "just now", "less than a minute"),
            (59, "just now", "less than a minute"),
            (60, "1m ago", "1 minute"),
            (3599, "59m ago", "59 minutes"),
            (3600, "1h ago", "1 hour"),
            (86_399, "23h ago", "23 hours"),
            (86_400, "1d ago", "24 hours"),
            (172_800, "2d ago", "2 days"),
        ] {
            assert_eq!(
                (
                    ago(at(0), at(seconds)).as_str(),
                    age(SignedDuration::from_secs(seconds)).as_str()
                ),
                (since, old)
            );
        }
    }

    #[test]
    fn durations_are_read_and_shown() {
        for (text, seconds) in [("15m", 900), ("12h", 43_200), ("90d", 7_776_000), ("61s", 61)] {
            let duration = parse_duration(text).unwrap();
            assert_eq!((duration.as_secs(), show_duration(duration).as_str()), (seconds, text));
        }
        for (text, seconds) in [("1h30m", 5_400), ("1d12h", 129_600), ("1m1s", 61), ("0h15m", 900)]
        {
            assert_eq!(parse_duration(text).unwrap().as_secs(), seconds, "{text}");
        }
        let wrong = [
            "",
            "1",
            "h",
            "1.5h",
            "-1h",
            "1w",
            "99999999999999999999h",
            "1h30",
            "30m1h",
            "1h1h",
            "1h 30m",
            "1hé",
        ];
        for wrong in wrong {
            assert!(parse_duration(wrong).is_err(), "{wrong}");
        }
    }
}
