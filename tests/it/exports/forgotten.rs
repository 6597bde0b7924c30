//! What `logout` forgets stays forgotten, whatever is in flight meanwhile.

use std::time::Duration;

use sekisho::emulator::{FaultInjection, Injection, Times};

use super::stage::{Stage, until};

/// The records of sessions on disk.
fn records(stage: &Stage) -> Vec<String> {
    let folder = stage.path(".local/state/sekisho/sessions");
    let names = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> =
        names.map(|file| file.file_name().to_string_lossy().into_owned()).collect();
    names.retain(|name| ["auth-", "role-", "warm-"].iter().any(|kind| name.starts_with(kind)));
    names.sort();
    names
}

/// Runs `exec dev` with a slow AWS, and `logout` with these arguments before the answer has come.
fn logout_in_flight(logout: &[&str]) -> Stage {
    let stage = Stage::new();
    stage.sign_in();
    stage.emulator.inject(Injection {
        action: Some("AssumeRole".into()),
        what: FaultInjection::Latency(Duration::from_secs(2)),
        times: Times::Next(1),
    });
    let mut exec =
        stage.sekisho(&["--scope", "read-only", "exec", "dev", "--", "true"]).spawn().unwrap();
    let asked = || stage.emulator.calls().iter().filter(|call| call.action == "AssumeRole").count();
    until("AWS is asked", || (asked() == 2).then_some(()));
    let ran = stage.run(logout);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(exec.try_wait().unwrap().is_none(), "the answer came before the logout");
    // What was begun goes on: the person asked for it.
    assert!(exec.wait().unwrap().success());
    stage
}

#[test]
fn an_answer_in_flight_does_not_undo_a_logout_of_everything() {
    let stage = logout_in_flight(&["logout", "--all"]);
    assert_eq!(records(&stage), [""; 0]);
}

#[test]
fn an_answer_in_flight_does_not_undo_a_logout() {
    let stage = logout_in_flight(&["logout"]);
    assert_eq!(records(&stage), [""; 0]);
}

#[test]
fn an_answer_in_flight_does_not_undo_the_logout_of_its_target() {
    let stage = logout_in_flight(&["logout", "dev"]);
    let left = records(&stage);
    assert!(left.iter().all(|name| name.starts_with("auth-")), "{left:?}");
}

#[test]
fn what_begins_after_a_logout_is_kept() {
    let stage = logout_in_flight(&["logout", "--all"]);
    stage.emulator.advance(Duration::from_secs(30));
    stage.sign_in();
    let kinds: Vec<String> = records(&stage).iter().map(|name| name[..4].to_owned()).collect();
    assert_eq!(kinds[..2], ["auth", "role"]);
}
