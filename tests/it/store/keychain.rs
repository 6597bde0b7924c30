//! A real Secret Service, and each way in which it fails.

#![cfg(target_os = "linux")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use sekisho::domain::rotation::{KeyEntry, StoredKey};
use sekisho::domain::secret::{AccessKey, Secret};
use sekisho::services::store::access_keys::KeyHome;
use sekisho::services::store::datakey::KeyPlace;
use sekisho::services::store::keychain::{self, KeychainError};
use sekisho::services::store::record::RecordKind;
use sekisho::services::store::slot::Slot;
use sekisho::services::store::vault::Vault;
use tempfile::TempDir;

use super::{again, again_args, at, say, second};
use crate::support::program;

const PROBES: &str = "store::keychain::probes";
const ROUND_TRIP: &str = "store::keychain::keeps_keys_and_data_keys";

/// Starts gnome-keyring with this password on its stdin.
const UNLOCKED: &str =
    "printf 'ci-password\\n' | gnome-keyring-daemon --unlock --components=secrets >/dev/null";

/// Runs a script, then a test of this file, on a bus of its own in a home of its own.
fn on_a_bus(home: &Path, config: Option<&Path>, script: &str, test: &str) -> Option<Output> {
    let bus = program("dbus-run-session")?;
    program("gnome-keyring-daemon")?;
    let runtime = home.join("run");
    fs::create_dir_all(&runtime).unwrap();
    fs::set_permissions(&runtime, fs::Permissions::from_mode(0o700)).unwrap();
    let mut command = Command::new(bus);
    if let Some(config) = config {
        command.arg("--config-file").arg(config);
    }
    command
        .args(["--", "bash", "-c"])
        .arg(format!(
            "{script}\n\"$@\"\ncode=$?\n[ -z \"$daemon\" ] || kill -KILL $daemon\nexit $code"
        ))
        .arg("bash")
        .arg(std::env::current_exe().unwrap())
        .args(again_args(test))
        .env_remove("DISPLAY")
        .env_remove("WAYLAND_DISPLAY")
        .env("HOME", home)
        .env("XDG_RUNTIME_DIR", &runtime)
        .env(super::SECOND, home);
    Some(command.output().unwrap())
}

/// The second process: says what the probe found, and how long it took.
#[test]
fn probes() {
    let Some(_) = second() else { return };
    let since = Instant::now();
    let probe = keychain::probe();
    assert!(since.elapsed() < Duration::from_secs(4), "a probe takes 2 s at most");
    say(&format!("PROBED {probe:?}"));
    if let Err(error) = probe {
        let fault = error.fault();
        assert!(!fault.why.is_empty() && !fault.fix.is_empty(), "{fault:?}");
    }
    // A wait for the unlocking can be cancelled, and leaving the process waits for nobody.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let _ = runtime.block_on(async {
        tokio::time::timeout(Duration::from_millis(100), keychain::unlock()).await
    });
    drop(runtime);
    assert!(since.elapsed() < Duration::from_secs(5), "a cancelled wait is over");
}

fn probed(output: &Output) -> String {
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    let line = stdout.lines().find_map(|line| line.split_once("PROBED "));
    line.unwrap_or_else(|| panic!("{output:?}")).1.to_owned()
}

fn expect(output: &Output, error: &KeychainError) {
    assert_eq!(probed(output), format!("Err({error:?})"));
}

#[test]
fn no_bus() {
    let home = tempfile::tempdir().unwrap();
    let output = again(PROBES, "here")
        .env("HOME", home.path())
        .env("XDG_RUNTIME_DIR", home.path())
        .env("DBUS_SESSION_BUS_ADDRESS", format!("unix:path={}/none", home.path().display()))
        .output()
        .unwrap();
    expect(&output, &KeychainError::NoBus);
}

#[test]
fn a_bus_without_a_secret_service() {
    let home = tempfile::tempdir().unwrap();
    let config = home.path().join("bus.conf");
    let text = r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>unix:tmpdir=/tmp</listen><policy context="default">
<allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy></busconfig>"#;
    fs::write(&config, text).unwrap();
    let Some(output) = on_a_bus(home.path(), Some(&config), "", PROBES) else {
        return;
    };
    expect(&output, &KeychainError::NoProvider);
}

#[test]
fn a_keychain_that_was_never_set_up() {
    let home = tempfile::tempdir().unwrap();
    let script = "gnome-keyring-daemon --start --components=secrets >/dev/null";
    let Some(output) = on_a_bus(home.path(), None, script, PROBES) else {
        return;
    };
    expect(&output, &KeychainError::NoCollection);
}

#[test]
fn a_locked_keychain_without_a_display() {
    let home = tempfile::tempdir().unwrap();
    let Some(first) = on_a_bus(home.path(), None, UNLOCKED, PROBES) else {
        return;
    };
    assert_eq!(probed(&first), "Ok(())");
    let script = UNLOCKED.replace("ci-password", "another");
    let output = on_a_bus(home.path(), None, &script, PROBES).unwrap();
    expect(&output, &KeychainError::Locked);
}

#[test]
fn a_daemon_that_hangs() {
    let home = tempfile::tempdir().unwrap();
    let script = "printf 'ci-password\\n' | gnome-keyring-daemon --unlock --foreground --components=secrets >/dev/null 2>&1 &
        for i in $(seq 500); do
            daemon=$(dbus-send --session --print-reply=literal --dest=org.freedesktop.DBus / \
                org.freedesktop.DBus.GetConnectionUnixProcessID string:org.freedesktop.secrets 2>/dev/null | grep -o '[0-9]*$') && break
            read -t 0.02 < <(:)
        done
        kill -STOP $daemon";
    let Some(output) = on_a_bus(home.path(), None, script, PROBES) else {
        return;
    };
    expect(&output, &KeychainError::Hung);
}

/// The second process: the key's home and the data key's, both in the keychain.
#[test]
fn keeps_keys_and_data_keys() {
    const KEYCHAIN: &[KeyPlace] = &[KeyPlace::Keychain];
    let Some(home) = second() else { return };
    let slot = Slot { account: "111111111111".parse().unwrap(), endpoint: None };
    let key = AccessKey {
        id: "AKIAIOSFODNN7EXAMPLE".parse().unwrap(),
        secret: Secret::new("a secret".into()),
    };
    let created = at(0);
    let entry = KeyEntry { current: Some(StoredKey { key, created }), ..KeyEntry::default() };
    let mut nobody = |_| panic!("a keychain asks by itself");
    assert!(KeyHome::Keychain.load(&slot, &mut nobody).unwrap().is_none());
    KeyHome::Keychain.save(&slot, &entry, &mut nobody).unwrap();
    KeyHome::Keychain.save(&slot, &entry, &mut nobody).unwrap();
    let back = KeyHome::Keychain.load(&slot, &mut nobody).unwrap().unwrap();
    assert_eq!(back.current.unwrap().key.secret.expose(), "a secret");
    assert!(KeyHome::Keychain.remove(&slot).unwrap());
    assert!(!KeyHome::Keychain.remove(&slot).unwrap());

    let dir = home.join("state/sessions");
    let first = Vault::new(&dir, KEYCHAIN, None);
    first.put(RecordKind::AuthSession, &[1; 32], b"a session", at(3600), at(0));
    assert_eq!((first.label(), first.take_warning()), (Some("Secret Service"), None));
    let other = Vault::new(&dir, KEYCHAIN, None);
    assert_eq!(&*other.get(RecordKind::AuthSession, &[1; 32], at(1)).unwrap(), b"a session");
    other.forget_all().unwrap();
    assert!(first.get(RecordKind::AuthSession, &[1; 32], at(1)).is_none());
    say("KEPT");
}

#[test]
fn an_unlocked_keychain_keeps_keys_and_data_keys() {
    let home: TempDir = tempfile::tempdir().unwrap();
    let Some(output) = on_a_bus(home.path(), None, UNLOCKED, ROUND_TRIP) else {
        return;
    };
    assert!(output.status.success(), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("KEPT"));
}
