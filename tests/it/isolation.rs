//! Tests reach neither the home nor the keychain of the person who runs them.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use crate::support::at_home;

/// What reads or writes a keychain, in the test's own process: on a Mac, the developer's login Keychain.
const KEYCHAIN: [&str; 8] = [
    "KeyPlace::AUTO",
    "KeyPlace::KEYRING",
    "KeyPlace::Keychain",
    "KeyHome::Keychain",
    "KeyStore::new",
    "keychain::probe",
    "keychain::unlock",
    "keychain::{",
];

/// What a broker of the test's own process must not be told: it would look in the keychain.
const KEPT_THERE: [&str; 4] =
    ["KeySource::Auto", "KeySource::Keyring", "StoreChoice::Auto", "StoreChoice::Keyring"];

/// Who empties an environment by itself: `support` for all, and three that start no sekisho, or one that is told everything.
const OWN_ENVIRONMENT: [&str; 7] = [
    "emulator/clients.rs",  // boto3 and the aws CLI
    "import/round_trip.rs", // python3
    "isolation.rs",
    "pty/commands.rs", // what `pty/terminal.rs` sets
    "pty/rendered.rs", // shells
    "pty/terminal.rs", // `support::environment`
    "support.rs",
];

fn sources() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    let (mut found, mut folders) = (Vec::new(), vec![root.clone()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|kind| kind == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                found.push((path.strip_prefix(&root).unwrap().to_owned(), text));
            }
        }
    }
    found
}

/// The complaints about one file of tests.
fn complaints(file: &Path, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut refuse = |words: &[&str], why: &str| {
        let named = words.iter().filter(|word| text.contains(*word));
        found.extend(named.map(|word| format!("{}: {word}: {why}", file.display())));
    };
    if !text.contains("#![cfg(target_os = \"linux\")]") {
        refuse(&KEYCHAIN, "on a Mac that is the developer's own keychain");
    }
    if text.contains("Broker::new(") {
        refuse(&KEPT_THERE, "this broker could look in the developer's keychain");
    }
    if !OWN_ENVIRONMENT.iter().any(|known| file == Path::new(known)) {
        refuse(&["env_clear("], "start it by support::at_home");
    }
    refuse(
        &[
            "Command::new(env!(\"CARGO_BIN_EXE_sekisho\"))",
            "Command::new(SEKISHO)",
            "Command::new(BINARY)",
        ],
        "start it by support::at_home",
    );
    found
}

#[test]
fn no_test_names_a_keychain_or_starts_sekisho_at_the_developers_home() {
    let sources = sources();
    assert!(sources.len() > 100, "{}", sources.len());
    let others = sources.iter().filter(|(file, _)| file != Path::new("isolation.rs"));
    let found: Vec<String> = others.flat_map(|(file, text)| complaints(file, text)).collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
    for planted in [
        "KeyHome::Keychain.save(",
        "keychain::probe()",
        "Broker::new(Auth { key: KeySource::Auto",
        "Command::new(x).env_clear()",
        "Command::new(SEKISHO)",
    ] {
        assert_eq!(complaints(Path::new("some.rs"), planted).len(), 1, "{planted}");
    }
}

/// A login's session bus is found without its address, in `$XDG_RUNTIME_DIR`.
#[test]
fn a_program_of_a_test_does_not_call_on_the_session_bus() {
    let home = tempfile::tempdir().unwrap();
    let runtime = home.path().join("run");
    std::fs::create_dir(&runtime).unwrap();
    std::fs::set_permissions(&runtime, PermissionsExt::from_mode(0o700)).unwrap();
    let bus = UnixListener::bind(runtime.join("bus")).unwrap();
    bus.set_nonblocking(true).unwrap();
    let mut doctor = at_home(env!("CARGO_BIN_EXE_sekisho"), home.path());
    doctor.args(["doctor", "--offline"]).env("XDG_RUNTIME_DIR", &runtime).output().unwrap();
    assert_eq!(bus.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    if cfg!(target_os = "linux") {
        doctor.env_remove("DBUS_SESSION_BUS_ADDRESS").output().unwrap();
        assert!(bus.accept().is_ok(), "without the address it is found");
    }
}
