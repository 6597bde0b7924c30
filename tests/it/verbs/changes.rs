//! The config is edited while a code is awaited: what is entered is what the config says then, or nothing is.

use std::io::Write as _;
use std::process::Stdio;

use super::home::{Home, PROD};
use crate::emulator::stage::DEV;
use crate::support::until;

/// Runs `exec dev` and edits the config after the prompt has opened, before the code is given.
fn exec_while(home: &Home, edit: impl Fn(&str) -> String) -> Option<(i32, String, String)> {
    let file = home.path().join(".config/sekisho/config.yaml");
    let config = std::fs::read_to_string(&file).unwrap();
    let script = "echo entered $SEKISHO_ACCOUNT_ID";
    let mut child = home
        .command(&["--mfa-code", "-", "exec", "dev", "--", "sh", "-c", script])?
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let state = home.path().join(".local/state/sekisho");
    until("the prompt", || {
        let names = std::fs::read_dir(&state).ok()?.flatten();
        names
            .map(|file| file.file_name())
            .find(|name| name.to_string_lossy().starts_with("prompt-"))
    });
    home.write(&edit(&config));
    child.stdin.take().unwrap().write_all(home.code().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Some((output.status.code().unwrap(), text(&output.stdout), text(&output.stderr)))
}

#[test]
fn a_guard_that_was_added_meanwhile_is_not_bypassed() {
    let home = Home::new();
    let guarded =
        |config: &str| config.replace("aliases: [mine]", "aliases: [mine]\n    guard: confirm");
    let Some((code, stdout, stderr)) = exec_while(&home, guarded) else { return };
    assert_eq!((code, stdout.as_str()), (2, ""), "{stderr}");
    assert!(stderr.contains("nothing was entered: the config has changed under dev"), "{stderr}");
    assert!(stderr.contains("guarded by `confirm`"), "{stderr}");
}

#[test]
fn another_account_behind_the_name_is_not_entered_as_the_old_one() {
    let home = Home::new();
    let moved = |config: &str| config.replace(DEV, "444444444444");
    let Some((code, stdout, stderr)) = exec_while(&home, moved) else { return };
    assert_eq!((code, stdout.as_str()), (2, ""), "{stderr}");
    assert!(stderr.contains(&format!("account 444444444444, before it was {DEV}")), "{stderr}");
}

#[test]
fn an_alias_that_moved_meanwhile_is_not_followed_to_the_old_account() {
    let home = Home::new();
    let text = std::fs::read_to_string(home.path().join(".config/sekisho/config.yaml")).unwrap();
    // `dev` is an alias here, and moves from one account to the other.
    home.write(&text.replace("name: dev\n", "name: first\n").replace("[mine]", "[dev]"));
    let moved = |config: &str| config.replace("[dev]", "[mine]").replace("[live]", "[live, dev]");
    let Some((code, stdout, stderr)) = exec_while(&home, moved) else { return };
    assert_eq!((code, stdout.as_str()), (2, ""), "{stderr}");
    assert!(stderr.contains(&format!("account {PROD}, before it was {DEV}")), "{stderr}");
}

#[test]
fn an_edit_that_changes_nothing_about_the_target_stops_nobody() {
    let home = Home::new();
    let longer = |config: &str| format!("{config}# nothing\n");
    let Some((code, stdout, stderr)) = exec_while(&home, longer) else { return };
    assert_eq!((code, stdout), (0, format!("entered {DEV}\n")), "{stderr}");
}

#[test]
fn a_config_that_broke_meanwhile_enters_nothing() {
    let home = Home::new();
    let Some((code, stdout, stderr)) = exec_while(&home, |_| "{{{".into()) else { return };
    assert_eq!((code, stdout.as_str()), (2, ""), "{stderr}");
}
