//! Lengths of time as people write them.

use std::time::Duration;

use super::ids::Malformed;

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
    number.checked_mul(unit).map(Duration::from_secs).ok_or_else(wrong)
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
        for wrong in ["", "1", "h", "1.5h", "-1h", "1w", "99999999999999999999h"] {
            assert!(parse_duration(wrong).is_err(), "{wrong}");
        }
    }
}
