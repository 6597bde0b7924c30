//! The access key in a real Secret Service, from its arrival to its removal.

#![cfg(target_os = "linux")]

use super::stage::{BINARY, Codes, KEY, Key, SECRET, Stage};
use crate::support::program;

#[test]
fn a_key_lives_rotates_and_ends_in_the_keychain() {
    let (Some(bus), Some(_)) = (program("dbus-run-session"), program("gnome-keyring-daemon"))
    else {
        return;
    };
    let stage = Stage::new(Key::Keyring, Codes::Program);
    std::fs::write(stage.path("key"), format!("{KEY}\n{SECRET}\n")).unwrap();
    let script = format!(
        "printf 'ci-password\\n' | gnome-keyring-daemon --unlock --components=secrets >/dev/null
        set -e
        {BINARY} key add < key; rm key
        {BINARY} login
        {BINARY} key rotate --yes
        {BINARY} key status
        {BINARY} key remove --yes
        {BINARY} key status && exit 99 || echo \"ended $?\" >&2"
    );
    let mut command = stage.program(bus);
    let output = command.args(["--", "bash", "-c", &script]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let told = [
        format!("stored {KEY} of tanaka (Secret Service)"),
        "signed in as tanaka (phone)".into(),
        format!("{KEY} is deleted; the rotation is complete"),
        "the key itself stays active at AWS".into(),
        "there is no access key in the store".into(),
        "ended 2".into(),
    ];
    let mut rest = &*said;
    for line in told {
        let (_, after) = rest.split_once(&line).unwrap_or_else(|| panic!("no {line:?}: {said}"));
        rest = after;
    }
    let status = String::from_utf8_lossy(&output.stdout);
    assert!(status.contains("kept in     Secret Service"), "{status}");
    assert!(status.contains(&stage.keys()[0].id), "{status}");
}
