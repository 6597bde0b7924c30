//! Secrets at rest on a real file system, a real kernel keyring, real locks and a real Secret Service.

mod files;
mod vault;

use std::path::PathBuf;
use std::process::Command;

use jiff::Timestamp;
use tempfile::TempDir;

/// A time that no clock shows.
fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

/// A place that is nobody's home, and a directory of ours in it that need not exist.
fn place() -> (TempDir, PathBuf) {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("sekisho/sessions");
    (temp, dir)
}

/// Whether the tests run as root: then owners can be changed, and modes hold nobody back.
fn root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Runs one test of this file again in a process of its own, told by `SEKISHO_TEST_ROLE` what to do.
///
/// The test starts with `let Some(role) = role() else { … }`.
fn again(test: &str, role: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env("SEKISHO_TEST_ROLE", role);
    command
}

/// What this process was told to do, where it is such a second process.
fn role() -> Option<String> {
    std::env::var("SEKISHO_TEST_ROLE").ok()
}
