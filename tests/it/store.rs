//! Secrets at rest on a real file system, a real kernel keyring, real locks and a real Secret Service.

mod files;
mod hygiene;
mod keychain;
mod keyfile;
mod lock;
mod spent;
mod vault;

use std::io::Write;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tempfile::TempDir;

/// A time that no clock shows.
fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

/// A place that is nobody's home, and a directory of ours in it that need not exist.
fn place() -> (TempDir, PathBuf) {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("sekisho/here");
    (temp, dir)
}

/// Whether the tests run as root: then owners can be changed, and modes hold nobody back.
fn root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Says aloud that a test cannot run here; a failure under CI.
pub fn skip(why: &str) {
    assert!(std::env::var_os("CI").is_none(), "{why}");
    let _ = writeln!(std::io::stderr(), "SKIPPED, {why}");
}

/// Looks again and again until something holds.
fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let since = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(since.elapsed() < Duration::from_secs(30), "never: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Runs a test of this binary again, in a process of its own that finds `place` through [`second`].
fn again(test: &str, place: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(again_args(test)).env(SECOND, place);
    command
}

fn again_args(test: &str) -> [&str; 4] {
    ["--exact", test, "--nocapture", "--test-threads=1"]
}

const SECOND: &str = "SEKISHO_TEST_SECOND";

/// What such a second process was given; `None` in the first, where its part of the test does not run.
fn second() -> Option<PathBuf> {
    std::env::var_os(SECOND).map(PathBuf::from)
}

/// What such a second process tells the first: a line on stdout, past the test harness.
fn say(line: &str) {
    std::io::stdout().write_all(format!("{line}\n").as_bytes()).unwrap();
}
