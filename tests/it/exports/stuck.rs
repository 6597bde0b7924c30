//! Renewing fails or takes long, and what is live still serves; in every verb that hands sessions out.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use sekisho::emulator::{FaultInjection, Injection, Times};

use super::serve::{Served, document};
use super::stage::{Ran, Stage, until};
use crate::support::without_terminal;

const SHOW: [&str; 6] = ["exec", "dev", "--", "sh", "-c", "echo $AWS_CREDENTIAL_EXPIRATION"];

fn inject(stage: &Stage, what: FaultInjection) {
    let action = Some("AssumeRole".to_owned());
    stage.emulator.inject(Injection { action, times: Times::UntilCleared, what });
}

fn entered(stage: &Stage) -> usize {
    stage.emulator.calls().iter().filter(|call| call.action == "AssumeRole").count()
}

/// A role session with so much life left, that cannot be renewed.
fn stuck(left: Duration) -> (Stage, Timestamp) {
    let stage = Stage::new();
    stage.sign_in();
    let expires = stage.age(left);
    inject(&stage, FaultInjection::Garbage);
    (stage, expires)
}

fn text(expires: Timestamp) -> String {
    expires.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Runs without a terminal, whoever runs the test.
fn alone(run: &Command) -> Option<Ran> {
    Some(Ran::of(&without_terminal(run)?.output().unwrap()))
}

#[test]
fn every_verb_hands_out_what_is_live_with_one_line() {
    let (stage, expires) = stuck(Duration::from_mins(15));
    for arguments in [&SHOW[..], &["env", "dev"], &["credential-process", "dev"]] {
        let ran = stage.run(arguments);
        assert_eq!(ran.code, 0, "{arguments:?}: {}", ran.stderr);
        assert!(ran.stdout.contains(&text(expires)), "{arguments:?}: {}", ran.stdout);
        assert_eq!(ran.stderr.lines().count(), 1, "{arguments:?}: {}", ran.stderr);
        let line = "warning: dev/Developer was not renewed (the response cannot be understood: ";
        assert!(ran.stderr.contains(line), "{}", ran.stderr);
        assert!(ran.stderr.contains("; its session ends in 14m"), "{}", ran.stderr);
    }
    let served = Served::new(&stage);
    for _ in 0..3 {
        assert_eq!(document(&served.good())["Expiration"], text(expires));
    }
    let (code, said) = served.ended();
    assert_eq!(code, 5);
    assert_eq!(said.matches("was not renewed").count(), 1, "{said}");
}

#[test]
fn a_child_wants_a_minute_and_who_asks_again_ten_seconds() {
    let (stage, expires) = stuck(Duration::from_secs(45));
    for (arguments, code) in
        [(&SHOW[..], 1), (&["env", "dev"], 0), (&["credential-process", "dev"], 0)]
    {
        let ran = stage.run(arguments);
        assert_eq!(ran.code, code, "{arguments:?}: {}", ran.stderr);
        assert_eq!(ran.stdout.contains(&text(expires)), code == 0, "{}", ran.stdout);
    }
    stage.age(Duration::from_secs(9));
    for arguments in [&["env", "dev"], &["credential-process", "dev"]] {
        let ran = stage.run(arguments);
        assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{arguments:?}: {}", ran.stderr);
    }
}

/// The mark that the processes share.
fn mark(stage: &Stage) -> PathBuf {
    let folder = std::fs::read_dir(stage.path(".local/state/sekisho/sessions")).unwrap();
    let mut files = folder.map(|file| file.unwrap().path());
    files.find(|file| file.file_name().unwrap().to_str().unwrap().starts_with("backoff-")).unwrap()
}

#[test]
fn processes_back_off_together_and_a_mark_far_ahead_is_void() {
    let (stage, _) = stuck(Duration::from_mins(15));
    let run = || {
        let before = entered(&stage);
        let ran = stage.run(&["credential-process", "dev"]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        (entered(&stage) - before, ran.stderr)
    };
    assert_eq!(run().0, 1);
    let until = |seconds| {
        let until = Timestamp::now() + SignedDuration::from_secs(seconds);
        let text = format!(r#"{{"until":"{until}","pause":32,"why":"another one failed"}}"#);
        std::fs::write(mark(&stage), text).unwrap();
    };
    until(50);
    let (calls, said) = run();
    assert_eq!(calls, 0);
    assert!(said.contains("(another one failed)"), "{said}");
    until(120);
    assert_eq!(run().0, 1);
    stage.emulator.clear();
    until(-1);
    assert_eq!(run(), (1, String::new()));
    assert!(
        !std::fs::read_dir(stage.path(".local/state/sekisho/sessions")).unwrap().any(|file| file
            .unwrap()
            .file_name()
            .to_str()
            .unwrap()
            .starts_with("backoff-"))
    );
}

#[test]
fn while_sts_is_slow_serve_answers_at_once_and_renews_behind() {
    let stage = Stage::new();
    stage.sign_in();
    let served = Served::new(&stage);
    let expires = text(stage.age(Duration::from_mins(15)));
    inject(&stage, FaultInjection::Latency(Duration::from_secs(4)));
    let before = entered(&stage);
    for _ in 0..20 {
        let asked = Instant::now();
        assert_eq!(document(&served.good())["Expiration"], expires);
        assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
    }
    assert_eq!(entered(&stage), before + 1, "one renewal in flight");
    until("the renewed session", || {
        (document(&served.good())["Expiration"] != *expires).then_some(())
    });
    assert_eq!(entered(&stage), before + 1);
    assert_eq!(served.ended(), (5, String::new()), "nothing went wrong");
}

#[test]
fn what_logout_forgot_serve_withholds() {
    for arguments in [&["logout"][..], &["logout", "--all"], &["logout", "dev"]] {
        let stage = Stage::new();
        stage.sign_in();
        let served = Served::new(&stage);
        stage.age(Duration::from_mins(15));
        inject(&stage, FaultInjection::Garbage);
        document(&served.good());
        assert_eq!(stage.run(arguments).code, 0);
        let answer = served.good();
        assert!(answer.starts_with("HTTP/1.1 503 "), "{arguments:?}: {answer}");
    }
}

#[test]
fn a_renewal_in_flight_does_not_outlive_a_logout() {
    let stage = Stage::new();
    stage.sign_in();
    let served = Served::new(&stage);
    stage.age(Duration::from_mins(15));
    inject(&stage, FaultInjection::Latency(Duration::from_secs(2)));
    let before = entered(&stage);
    document(&served.good());
    until("AWS is asked", || (entered(&stage) > before).then_some(()));
    assert_eq!(stage.run(&["logout"]).code, 0);
    let answer = served.good();
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(answer.contains("needs an MFA code"), "{answer}");
}

#[test]
fn with_mfa_over_serve_goes_on_to_the_last_seconds() {
    let stage = Stage::new();
    stage.sign_in();
    let served = Served::new(&stage);
    stage.forget_auth();
    let expires = text(stage.age(Duration::from_mins(4)));
    for _ in 0..3 {
        assert_eq!(document(&served.good())["Expiration"], expires);
    }
    stage.age(Duration::from_secs(8));
    let answer = served.good();
    assert!(
        answer.starts_with("HTTP/1.1 503 ") && answer.contains("needs an MFA code"),
        "{answer}"
    );
    let (_, said) = served.ended();
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), 2, "{said}");
    assert!(lines[0].contains("was not renewed (an MFA code of alice is needed"), "{said}");
    assert!(lines[1].contains("needs an MFA code to be renewed"), "{said}");
}

#[test]
fn where_nobody_can_be_asked_for_a_code_what_is_live_serves() {
    let stage = Stage::new();
    stage.sign_in();
    stage.forget_auth();
    let expires = text(stage.age(Duration::from_mins(20)));
    let Some(ran) = alone(&stage.sekisho(&SHOW)) else { return };
    assert_eq!((ran.code, ran.stdout.trim()), (0, expires.as_str()), "{}", ran.stderr);
    assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("there is no terminal to ask on"), "{}", ran.stderr);
    stage.age(Duration::from_secs(40));
    assert_eq!(alone(&stage.sekisho(&SHOW)).unwrap().code, 4);
}

#[test]
fn the_prompts_renewal_leaves_a_shell_what_it_has() {
    let stage = Stage::new();
    stage.sign_in();
    let json = stage.run(&["env", "dev", "--format", "json"]).said();
    stage.forget_auth();
    stage.age(Duration::from_mins(9));
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let set = json["set"].as_object().or(json.as_object()).unwrap();
    let mut refresh = stage.sekisho(&["refresh", "--hook", "values", "--quiet"]);
    refresh.envs(set.iter().filter_map(|(name, value)| Some((name, value.as_str()?))));
    let ran = Ran::of(&refresh.output().unwrap());
    // So that the prompt says when it ends; with the same session again it would say nothing.
    assert_eq!((ran.code, ran.stdout.as_str()), (4, ""), "{}", ran.stderr);
}
