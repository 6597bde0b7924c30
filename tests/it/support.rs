//! What several tests need: programs that may be missing, and places that are nobody's home.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant, SystemTime};

use rustix::process::Signal;
use sekisho::services::store::datakey::KeyPlace;
use sekisho::services::store::vault::Vault;

/// Finds a program on the PATH, or says aloud that its test is skipped.
///
/// Under `CI=true` everything is installed, so a missing program is a failure.
pub fn program(name: &str) -> Option<PathBuf> {
    let found = optional(name);
    assert!(
        found.is_some() || std::env::var_os("CI").is_none(),
        "{name} is not installed, and CI skips nothing"
    );
    found
}

/// Finds a program that not every system has a package of, so that even CI may lack it, or says aloud that its test is skipped.
pub fn optional(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|dir| dir.join(name)).find(|file| file.is_file());
    if found.is_none() {
        // Not `eprintln!`: the test harness would swallow it.
        let _ = writeln!(
            std::io::stderr(),
            "SKIPPED, {name} is not installed: {}",
            std::thread::current().name().unwrap_or("?")
        );
    }
    found
}

/// Lets children hear the signals that tests send: what a shell starts in the background, or `nohup` starts, ignores some
/// of them, and so would everything below.
pub fn hear_signals() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        for signal in [Signal::HUP, Signal::INT, Signal::QUIT, Signal::TERM] {
            // A signal with a handler is back at its default in a child; here the handler does what the default would.
            let always = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
            signal_hook::flag::register_conditional_default(signal.as_raw(), always).unwrap();
        }
    });
}

/// Runs a program as another user, or says aloud that its test is skipped: only root can.
pub fn as_nobody(name: &str) -> Option<Command> {
    if !rustix::process::geteuid().is_root() {
        let _ = writeln!(
            std::io::stderr(),
            "SKIPPED, only root can be another user: {}",
            std::thread::current().name().unwrap_or("?")
        );
        return None;
    }
    // One that is found in root's home would be out of reach.
    let everyones = Path::new("/usr/bin").join(name);
    let found = if everyones.is_file() { everyones } else { program(name)? };
    let mut command = Command::new(program("setpriv")?);
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(found).current_dir("/");
    Some(command)
}

/// Makes a FIFO: by `mkfifo(1)`, because macOS has no `mknodat`.
pub fn make_fifo(path: &Path) {
    let status = Command::new("mkfifo").args(["-m", "600"]).arg(path).status().unwrap();
    assert!(status.success(), "mkfifo: {status}");
}

/// The answers that a folder of sessions keeps for the warm path. Who reads the config keeps a new one, so a run
/// that leaves them as they are was warm.
pub fn kept_answers(sessions: &Path) -> BTreeSet<(OsString, u64, SystemTime)> {
    let Ok(entries) = std::fs::read_dir(sessions) else {
        return BTreeSet::new();
    };
    entries
        .map(|entry| {
            let entry = entry.unwrap();
            let known = entry.metadata().unwrap();
            (entry.file_name(), known.ino(), known.modified().unwrap())
        })
        .filter(|(name, ..)| name.to_str().is_some_and(|name| name.starts_with("warm-")))
        .collect()
}

/// Destroys the data key of a home: the kernel would keep it for hours, and a user may have 200 of them.
pub fn forget_data_key(home: &Path) {
    let sessions = home.join(".local/state/sekisho/sessions");
    let _ = Vault::new(&sessions, KeyPlace::FILE, None).forget_all();
}

/// Waits until `look` finds something, for a minute at most.
pub fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let since = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(since.elapsed() < Duration::from_mins(1), "never: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
