//! Instants as people read them: by the clock on their wall. JSON, the environment and evidence are in UTC.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// A time zone to show instants in.
#[derive(Debug, Clone)]
pub struct LocalClock(TimeZone);

impl LocalClock {
    /// Coordinated universal time.
    pub const UTC: Self = Self(TimeZone::UTC);

    /// The clock of a time zone.
    pub const fn new(zone: TimeZone) -> Self {
        Self(zone)
    }

    /// `02:19`, with the date where that is not today: `2026-11-28 02:19`.
    pub fn moment(&self, instant: Timestamp, now: Timestamp) -> String {
        let [then, today] = [instant, now].map(|instant| self.0.to_datetime(instant));
        let form = if then.date() == today.date() { "%H:%M" } else { "%Y-%m-%d %H:%M" };
        then.strftime(form).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_date_is_shown_where_it_is_not_todays() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let now = at("2026-11-27T14:30:00Z");
        let tokyo = LocalClock::new(TimeZone::posix("JST-9").unwrap());
        for (instant, utc, local) in [
            ("2026-11-27T14:59:00Z", "14:59", "23:59"),
            ("2026-11-27T15:00:00Z", "15:00", "2026-11-28 00:00"),
            ("2026-11-26T15:00:00Z", "2026-11-26 15:00", "00:00"),
            ("2026-11-28T02:19:59Z", "2026-11-28 02:19", "2026-11-28 11:19"),
        ] {
            assert_eq!(LocalClock::UTC.moment(at(instant), now), utc);
            assert_eq!(tokyo.moment(at(instant), now), local);
        }
    }
}
