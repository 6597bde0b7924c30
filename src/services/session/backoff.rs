//! When a renewal that failed is tried again: after 1, 2, 4 … 60 s, counted over all processes together.
//!
//! What is live serves meanwhile, so that a program that asks at every call does not call AWS as often.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::domain::text::sanitize;
use crate::services::store::files::{Dir, FileError};
use crate::services::store::record::Name;

const FIRST: SignedDuration = SignedDuration::from_secs(1);
const LONGEST: SignedDuration = SignedDuration::from_secs(60);
/// A failure counts as the next one of a row until this long after the pause before it.
const ROW: SignedDuration = SignedDuration::from_mins(2);
const MAX_BYTES: u64 = 4 * 1024;

/// The pause between renewals for one auth identity.
pub struct Backoff {
    /// The folder of the sessions, and the mark's name there; `None` where nothing is to be written.
    shared: Option<(PathBuf, String)>,
    /// What this process noted: it counts even where the file cannot be written.
    own: RefCell<Option<Mark>>,
}

#[derive(Clone, Serialize, Deserialize)]
struct Mark {
    /// Before this, no renewal is tried.
    until: Timestamp,
    /// In seconds.
    pause: i64,
    /// Why the last one failed, in a line.
    why: String,
}

impl Backoff {
    /// The pause that all processes with these sessions keep. Reads and writes nothing yet.
    pub fn new(sessions: &Path, identity: &Name) -> Self {
        let mark = format!("backoff-{}", hex::encode(&identity[..16]));
        Self { shared: Some((sessions.to_owned(), mark)), own: RefCell::default() }
    }

    /// A pause of this process alone.
    pub fn in_memory() -> Self {
        Self { shared: None, own: RefCell::default() }
    }

    /// Why the last renewal failed, where it is too early for the next.
    pub fn pending(&self, now: Timestamp) -> Option<String> {
        let mark = self.mark(now)?;
        (mark.until > now).then(|| sanitize(&mark.why))
    }

    /// A renewal failed.
    pub fn failed(&self, why: &str, now: Timestamp) {
        let before =
            self.mark(now).filter(|mark| mark.until.checked_add(ROW).is_ok_and(|end| end > now));
        if before.as_ref().is_some_and(|mark| mark.until > now) {
            return; // another process has failed meanwhile, and its pause holds for both
        }
        let pause = before.map_or(FIRST, |mark| {
            SignedDuration::from_secs(mark.pause.clamp(1, LONGEST.as_secs()) * 2).min(LONGEST)
        });
        let until = now.checked_add(pause).unwrap_or(now);
        let mark = Mark { until, pause: pause.as_secs(), why: why.to_owned() };
        // Where it cannot be written, the other processes try on their own.
        let _ = self.write(&mark);
        *self.own.borrow_mut() = Some(mark);
    }

    /// A renewal succeeded.
    pub fn end(&self) {
        self.own.take();
        if let Some((sessions, name)) = &self.shared
            && let Ok(Some(dir)) = Dir::open_inside(sessions)
        {
            let _ = dir.remove(name);
        }
    }

    /// The mark, if it can be one: after a jump of the clock it may be far ahead.
    fn mark(&self, now: Timestamp) -> Option<Mark> {
        let shared = self.read();
        let own = self.own.borrow().clone();
        shared
            .into_iter()
            .chain(own)
            .filter(|mark| mark.until.duration_since(now) <= LONGEST)
            .max_by_key(|mark| mark.until)
    }

    fn read(&self) -> Option<Mark> {
        let (sessions, name) = self.shared.as_ref()?;
        let bytes = Dir::open_inside(sessions).ok()??.read(name, MAX_BYTES).ok()??;
        serde_json::from_slice(&bytes).ok()
    }

    fn write(&self, mark: &Mark) -> Result<(), FileError> {
        let Some((sessions, name)) = &self.shared else { return Ok(()) };
        let bytes = serde_json::to_vec(mark).unwrap_or_default();
        Dir::create_inside(sessions)?.write(name, &bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ME: Name = [1; 32];

    fn at(milliseconds: i64) -> Timestamp {
        Timestamp::from_millisecond(1_800_000_000_000 + milliseconds).unwrap()
    }

    #[test]
    fn the_pause_doubles_up_to_a_minute_for_every_process() {
        let folder = tempfile::tempdir().unwrap();
        let sessions = folder.path().join("state/sessions");
        let (one, other) = (Backoff::new(&sessions, &ME), Backoff::new(&sessions, &ME));
        let stranger = Backoff::new(&sessions, &[2; 32]);
        let mut now = 0;
        for pause in [1, 2, 4, 8, 16, 32, 60, 60] {
            assert_eq!(one.pending(at(now)), None, "{pause}");
            one.failed("no answer\u{1b}", at(now));
            for backoff in [&one, &other] {
                let pending = backoff.pending(at(now + pause * 1000 - 1));
                assert_eq!(pending.as_deref(), Some("no answer␛"), "{pause}");
                assert_eq!(backoff.pending(at(now + pause * 1000)), None, "{pause}");
            }
            assert_eq!(stranger.pending(at(now)), None);
            now += pause * 1000;
        }
        other.end();
        assert_eq!(Backoff::new(&sessions, &ME).pending(at(now - 1)), None);
    }

    #[test]
    fn it_begins_anew_after_a_success_and_after_a_while() {
        let backoff = Backoff::in_memory();
        let pauses =
            |now| [999, 1000, 1999].map(|later: i64| backoff.pending(at(now + later)).is_some());
        backoff.failed("a", at(0));
        backoff.failed("a", at(1000));
        assert_eq!(pauses(1000), [true, true, true]);
        backoff.end();
        backoff.failed("a", at(3000));
        assert_eq!(pauses(3000), [true, false, false]);
        backoff.failed("a", at(4000 + 120_000));
        assert_eq!(pauses(124_000), [true, false, false], "the row was broken");
    }

    #[test]
    fn failures_at_once_count_once() {
        let folder = tempfile::tempdir().unwrap();
        let sessions = folder.path().join("state/sessions");
        for backoff in [Backoff::new(&sessions, &ME), Backoff::new(&sessions, &ME)] {
            backoff.failed("a", at(0));
        }
        assert_eq!(Backoff::new(&sessions, &ME).pending(at(1000)), None);
    }

    #[test]
    fn a_mark_further_ahead_than_a_minute_is_void_and_so_is_a_damaged_one() {
        let folder = tempfile::tempdir().unwrap();
        let sessions = folder.path().join("state/sessions");
        let write = |mark: &Mark| Backoff::new(&sessions, &ME).write(mark).unwrap();
        let ahead = |seconds: i64| Mark { until: at(seconds * 1000), pause: 60, why: "a".into() };
        write(&ahead(60));
        let fresh = || Backoff::new(&sessions, &ME);
        assert!(fresh().pending(at(0)).is_some());
        write(&ahead(61));
        assert_eq!(fresh().pending(at(0)), None);
        fresh().failed("b", at(0));
        assert_eq!(fresh().pending(at(500)).as_deref(), Some("b"), "and it is replaced");
        assert_eq!(fresh().pending(at(1000)), None);
        let name = fresh().shared.unwrap().1;
        std::fs::write(sessions.join(name), "{damaged").unwrap();
        assert_eq!(fresh().pending(at(0)), None);
    }
}
