//! Which roles were used and starred. It only breaks ties in the list's order.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::ids::RoleArn;

/// How long until a use counts half.
const HALF_LIFE: Duration = Duration::from_hours(14 * 24);
/// How many roles are remembered; the stalest go first.
const MAX_ENTRIES: usize = 1_000;
/// The highest count, so that a damaged file cannot fix the order for ever.
const CEILING: f64 = 1e6;

/// Uses and stars by role.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct History {
    uses: BTreeMap<RoleArn, Usage>,
    stars: BTreeSet<RoleArn>,
}

/// A count that decays: each use adds one.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Usage {
    count: f64,
    last: Timestamp,
}

/// One thing to remember about a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HistoryEvent {
    /// A session in it was opened.
    Used,
    /// It was given a star.
    Starred,
    /// Its star was taken away.
    Unstarred,
}

impl Usage {
    fn at(self, now: Timestamp) -> f64 {
        // A clock that went back ages nothing.
        let age = now.duration_since(self.last).as_secs_f64().max(0.0);
        self.count.clamp(0.0, CEILING) * (-age / HALF_LIFE.as_secs_f64()).exp2()
    }
}

impl History {
    /// Notes an event, and drops the stalest uses beyond the limit.
    pub fn note(&mut self, role: &RoleArn, event: HistoryEvent, now: Timestamp) {
        match event {
            HistoryEvent::Starred => {
                self.stars.insert(role.clone());
            }
            HistoryEvent::Unstarred => {
                self.stars.remove(role);
            }
            HistoryEvent::Used => {
                let count = self.frecency(role, now) + 1.0;
                self.uses.insert(role.clone(), Usage { count, last: now });
                self.prune(now);
            }
        }
    }

    fn prune(&mut self, now: Timestamp) {
        while self.uses.len() > MAX_ENTRIES {
            let stalest = self
                .uses
                .iter()
                .min_by(|(_, a), (_, b)| a.at(now).total_cmp(&b.at(now)))
                .map(|(role, _)| role.clone());
            if let Some(role) = stalest {
                self.uses.remove(&role);
            }
        }
    }

    /// How often and how lately a role was used; 0 where never.
    pub fn frecency(&self, role: &RoleArn, now: Timestamp) -> f64 {
        self.uses.get(role).map_or(0.0, |usage| usage.at(now))
    }

    /// Whether a role was ever used.
    pub fn was_used(&self, role: &RoleArn) -> bool {
        self.uses.contains_key(role)
    }

    /// Whether a role has a star.
    pub fn is_starred(&self, role: &RoleArn) -> bool {
        self.stars.contains(role)
    }

    /// When a role was entered last, as far as is remembered.
    pub fn last_used(&self, role: &RoleArn) -> Option<Timestamp> {
        self.uses.get(role).map(|usage| usage.last)
    }

    /// The roles with a star.
    pub fn starred(&self) -> impl Iterator<Item = &RoleArn> {
        self.stars.iter()
    }

    /// The roles to favour, the best first: the starred ones, then those used often and lately.
    pub fn favourites(&self, now: Timestamp) -> Vec<RoleArn> {
        let mut all: Vec<&RoleArn> = self.stars.iter().chain(self.uses.keys()).collect();
        let key = |role| (self.is_starred(role), self.frecency(role, now));
        all.sort_by(|a, b| {
            let ((star_a, use_a), (star_b, use_b)) = (key(a), key(b));
            star_b.cmp(&star_a).then(use_b.total_cmp(&use_a)).then(a.cmp(b))
        });
        all.dedup();
        all.into_iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role(n: usize) -> RoleArn {
        format!("arn:aws:iam::{n:012}:role/Developer").parse().unwrap()
    }

    fn day(n: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + n * 86_400).unwrap()
    }

    #[test]
    fn a_star_comes_before_any_use_and_lately_before_long_ago() {
        let mut history = History::default();
        for _ in 0..5 {
            history.note(&role(1), HistoryEvent::Used, day(0));
        }
        history.note(&role(2), HistoryEvent::Used, day(59));
        history.note(&role(3), HistoryEvent::Starred, day(59));
        assert_eq!(history.favourites(day(0)), [role(3), role(1), role(2)]);
        // Five uses 60 days ago weigh 5 / 2^(60/14), about a quarter of one.
        assert!((history.frecency(&role(1), day(60)) - 0.256).abs() < 0.01);
        assert_eq!(history.favourites(day(60)), [role(3), role(2), role(1)]);
        history.note(&role(3), HistoryEvent::Unstarred, day(60));
        assert_eq!(history.favourites(day(60)), [role(2), role(1)]);
    }

    #[test]
    fn it_is_bounded_and_survives_a_wild_file_and_a_clock_that_went_back() {
        let mut history = History::default();
        for n in 0..=MAX_ENTRIES {
            history.note(&role(n), HistoryEvent::Used, day(i64::try_from(n).unwrap()));
        }
        assert_eq!(history.uses.len(), MAX_ENTRIES);
        assert!(!history.uses.contains_key(&role(0)), "the stalest is gone");
        let json = r#"{"uses":{"arn:aws:iam::000000000001:role/Developer":
            {"count":1e300,"last":"2030-01-01T00:00:00Z"}},"later":1}"#;
        let wild: History = serde_json::from_str(json).unwrap();
        assert!(wild.frecency(&role(1), day(0)) <= CEILING);
        let copy: History = serde_json::from_str(&serde_json::to_string(&wild).unwrap()).unwrap();
        assert_eq!(copy, wild);
    }
}
