//! What several tests need: programs that may be missing, and places that are nobody's home.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
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

/// The environment of a program at home in `home`: nothing of the person's who runs the tests.
///
/// The folders are named because macOS has others, and the bus because without its address the one of the login is found,
/// with the person's keychain. macOS finds that by `HOME`, and sekisho uses none but the own home's.
pub fn environment(home: &Path) -> [(&'static str, OsString); 6] {
    let bus = format!("unix:path={}/no-bus", home.display());
    [
        ("HOME", home.into()),
        ("PATH", std::env::var_os("PATH").unwrap_or_default()),
        ("XDG_CONFIG_HOME", home.join(".config").into()),
        ("XDG_STATE_HOME", home.join(".local/state").into()),
        ("XDG_CACHE_HOME", home.join(".cache").into()),
        ("DBUS_SESSION_BUS_ADDRESS", bus.into()),
    ]
}

/// A program at home in `home`, with nothing else in its environment and nothing on stdin.
pub fn at_home(program: impl AsRef<OsStr>, home: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear().envs(environment(home)).current_dir(home).stdin(Stdio::null());
    command
}

/// A command of [`at_home`] in a session of its own, which has no controlling terminal, whoever runs the test. `None` where
/// that cannot be had.
pub fn without_terminal(command: &Command) -> Option<Command> {
    let mut alone = own_session()?;
    alone.arg(command.get_program()).args(command.get_args());
    alone.env_clear().envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    alone.current_dir(command.get_current_dir()?).stdin(Stdio::null());
    Some(alone)
}

/// What runs its arguments in a session of their own, in its own place: `setsid(1)`, or perl, where macOS has none.
pub fn own_session() -> Option<Command> {
    if cfg!(target_os = "macos") {
        return perl_session();
    }
    let mut command = Command::new(program("setsid")?);
    command.arg("--wait");
    Some(command)
}

fn perl_session() -> Option<Command> {
    let mut command = Command::new(program("perl")?);
    command.args([
        "-MPOSIX=setsid",
        "-e",
        "setsid() > 0 or die $!; exec {$ARGV[0]} @ARGV or exit 127",
    ]);
    Some(command)
}

#[test]
fn perl_gives_a_session_as_setsid_does() {
    let home = tempfile::tempdir().unwrap();
    let script = at_home("sh", home.path());
    for starter in [own_session(), perl_session()] {
        let Some(mut command) = starter else { continue };
        command
            .arg(script.get_program())
            .args(["-c", "ps -o sid= -p $$; echo $$; (: </dev/tty); exit 7"]);
        let output = command.output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        let words: Vec<&str> = said.split_whitespace().collect();
        assert!(words.len() == 2 && words[0] == words[1], "it leads its session: {said}");
        assert_eq!(output.status.code(), Some(7));
        assert!(!output.stderr.is_empty(), "there is no /dev/tty");
    }
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
