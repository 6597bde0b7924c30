//! `credential-process`: what SDKs run.

use super::stage::{Ran, Stage};
use crate::emulator::stage::PHONE;
use crate::pty::terminal::{Pty, command};

#[test]
fn without_a_session_it_says_one_line_and_asks_nobody() {
    let stage = Stage::new();
    let ran = stage.run(&["credential-process", "dev"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (4, ""));
    insta::assert_snapshot!(ran.stderr, @"sekisho: an MFA code is needed to open dev/Developer, and prompting is not allowed: run `sekisho login` in a terminal first, or pipe the code: `--mfa-code -`");
    assert!(stage.emulator.calls().is_empty(), "{:?}", stage.emulator.calls());
}

#[test]
fn prompting_without_a_terminal_says_one_line_too() {
    let stage = Stage::new();
    let prompting = stage.sekisho(&["credential-process", "--prompt", "dev"]);
    let Some(mut alone) = crate::support::without_terminal(&prompting) else { return };
    let ran = Ran::of(&alone.output().unwrap());
    assert_eq!((ran.code, ran.stdout.as_str()), (4, ""));
    assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
}

#[test]
fn a_person_may_be_asked_on_the_terminal_while_stdout_is_a_pipe() {
    let stage = Stage::new();
    let mut builder = command("/bin/sh", stage.home());
    for (name, value) in stage.sekisho(&[]).get_envs() {
        builder.env(name, value.unwrap_or_default());
    }
    let program = env!("CARGO_BIN_EXE_sekisho");
    builder.args([
        "-c",
        &format!("{program} credential-process --prompt dev > document; echo ENDED $?; read x"),
    ]);
    let mut pty = Pty::spawn(builder);
    pty.wait_for("code from phone:");
    pty.line(&stage.emulator.code(PHONE).unwrap());
    pty.wait_for("ENDED 0");
    assert!(stage.read("document").starts_with(b"{\"Version\":1,"));
}

#[test]
fn the_document_is_awss_own() {
    let stage = Stage::new();
    let ran = stage.run_with_code(&["credential-process", "dev"]);
    assert_eq!(ran.stderr, "");
    let document: serde_json::Value = serde_json::from_str(&ran.said()).unwrap();
    let keys: Vec<_> = document.as_object().unwrap().keys().collect();
    assert_eq!(
        keys,
        ["Version", "AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration", "AccountId"]
    );
    assert_eq!(document["Version"], 1);
    assert_eq!(document["AccountId"], "222222222222");
    assert!(document["AccessKeyId"].as_str().unwrap().starts_with("ASIA"));
    let expires: jiff::Timestamp = document["Expiration"].as_str().unwrap().parse().unwrap();
    let left = expires.duration_since(jiff::Timestamp::now()).as_mins();
    assert!((50..=60).contains(&left), "{left}");
    // Warm: the same again, and AWS is not called.
    let calls = stage.emulator.calls().len();
    let again: serde_json::Value =
        serde_json::from_str(&stage.run(&["credential-process", "dev"]).said()).unwrap();
    assert_eq!(again, document);
    assert_eq!(stage.emulator.calls().len(), calls);
}

#[test]
fn a_short_session_is_not_renewed_at_every_call() {
    let stage = Stage::new();
    stage.sign_in();
    let run = || stage.run(&["credential-process", "dev", "--duration", "15m"]).said();
    let first = run();
    assert_eq!(run(), first);
}

#[test]
fn the_auth_session_opens_further_targets_and_the_direct_flow_needs_a_code() {
    let stage = Stage::new();
    stage.sign_in();
    let ran = stage.run(&["credential-process", "dev/Developer"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    let direct = stage.run(&["credential-process", "dev/Reader"]);
    assert_eq!((direct.code, direct.stdout.as_str()), (4, ""));
}

#[test]
fn a_guard_is_passed_by_name_only() {
    let stage = Stage::new();
    stage.sign_in();
    let ran = stage.run(&["credential-process", "prod"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (4, ""));
    insta::assert_snapshot!(ran.stderr, @"sekisho: prod is guarded, and there is no terminal to confirm on: add `--confirm prod`");
    let ran = stage.run(&["credential-process", "prod", "--confirm", "dev"]);
    assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.lines().count()), (2, "", 1));
    for _ in 0..2 {
        // Cold, then warm: the guard stands before both.
        stage.run(&["credential-process", "prod", "--confirm", "prod"]).said();
        assert_eq!(stage.run(&["credential-process", "prod"]).code, 4);
    }
}

#[test]
fn faults_are_one_line() {
    let stage = Stage::new();
    for (arguments, code) in
        [(["credential-process", "nobody"], 2), (["credential-process", "dev/Nobody"], 2)]
    {
        let ran = stage.run(&arguments);
        assert_eq!(
            (ran.code, ran.stdout.as_str(), ran.stderr.lines().count()),
            (code, "", 1),
            "{}",
            ran.stderr
        );
    }
    let mut broken = stage.sekisho(&["credential-process", "dev"]);
    stage.write("broken.yaml", "version: 1\nauht: {}\n");
    let output = broken.env("SEKISHO_CONFIG", stage.path("broken.yaml")).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(String::from_utf8(output.stderr).unwrap().lines().count(), 1);
}
