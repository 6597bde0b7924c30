//! Lengths of time as people write them.

use std::time::Duration;

use jiff::Timestamp;

use super::ids::Malformed;

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
