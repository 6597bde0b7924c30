//! Codes: wrong, used, cancelled on the way, from a program.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use jiff::SignedDuration;
use sekisho::domain::pass::CodeRejection;
use sekisho::emulator::{FaultInjection, Times};

use super::stage::*;

#[test]
fn a_wrong_code_is_asked_for_again_and_never_sent_twice() {
    let stage = Stage::new();
    let dev = target(DEV, HOUR);
    let asked = wanted(stage.issue(&dev, Some(stage.wrong_code()), PERSON));
    assert_eq!(stage.wire(), ["GetSessionToken 43200 s +code AccessDenied"]);
    let rejection = asked.rejection.unwrap();
    assert_eq!(rejection.what, "AWS did not accept the code");
    assert!(rejection.why.len() > 1);
    let wait = rejection.next_code_at.unwrap().duration_since(now());
    assert!((0..=30).contains(&wait.as_secs()), "{wait}");

    // The same digits: refused here, with a countdown.
    let CodeRejection { what, next_code_at, .. } =
        wanted(stage.issue(&dev, Some(stage.wrong_code()), PERSON)).rejection.unwrap();
    assert!(what.contains("used already"), "{what}");
    assert!(next_code_at.unwrap() > now());
    // ... in every process, as soon as this one no longer asks.
    stage.broker.release_secrets();
    let other = run(stage.another().issue(&request(&dev, Some(stage.wrong_code()), PERSON)));
    assert!(wanted(other).rejection.unwrap().what.contains("used already"));
    assert_eq!(stage.wire(), [""; 0]);

    // Other digits: at once.
    stage.enter_with_code(&dev);
    assert_eq!(stage.wire(), ["GetSessionToken 43200 s +code", "AssumeRole dev 3600 s"]);
}

#[test]
fn a_used_code_may_be_tried_again_after_90_seconds() {
    let stage = Stage::new();
    let dev = target(DEV, HOUR);
    wanted(stage.issue(&dev, Some(stage.wrong_code()), PERSON));
    move_clock(SignedDuration::from_secs(91));
    stage.wire();
    wanted(stage.issue(&dev, Some(stage.wrong_code()), PERSON));
    assert_eq!(stage.wire(), ["GetSessionToken 43200 s +code AccessDenied"]);
}

#[test]
fn a_call_that_was_given_up_keeps_its_code_spent() {
    let stage = Stage::new();
    let dev = target(DEV, HOUR);
    stage.inject("GetSessionToken", Times::UntilCleared, FaultInjection::Hang);
    let request = request(&dev, Some(stage.code(PHONE)), PERSON);
    run(async {
        let arrived = async {
            while stage.emulator.calls().is_empty() {
                tokio::task::yield_now().await;
            }
        };
        // Esc drops the future: nothing has to end first.
        tokio::select! {
            answer = stage.broker.issue(&request) => panic!("{}", answer.is_ok()),
            () = arrived => {}
        }
    });
    stage.emulator.clear();
    stage.wire();
    let asked = wanted(stage.issue(&dev, request.code, PERSON));
    assert!(asked.rejection.unwrap().what.contains("used already"));
    assert_eq!(stage.wire(), [""; 0]);
    given(stage.issue(&dev, Some(stage.next_code()), PERSON));
}

#[test]
fn a_device_is_chosen_and_offered_first_the_next_time() {
    let stage = Stage::with(|_| {}, |auth| auth.mfa.push(device(TABLET, "tablet")));
    let dev = target(DEV, HOUR);
    let labels = || -> Vec<String> {
        let asked = wanted(stage.issue(&dev, None, PERSON));
        asked.devices.into_iter().map(|device| device.label).collect()
    };
    assert_eq!(labels(), ["phone", "tablet"]);
    given(stage.issue(&dev, Some(stage.code(TABLET)), PERSON));
    assert_eq!(stage.broker.status().auth.unwrap().device, "tablet");
    stage.enter(&target(OTHER, HOUR));
    stage.pass(13 * 60);
    assert_eq!(labels(), ["tablet", "phone"]);
}

#[test]
fn another_process_waits_while_one_asks() {
    let stage = Stage::new();
    let dev = target(DEV, HOUR);
    wanted(stage.issue(&dev, None, PERSON));
    let other = stage.another();
    let request = request(&dev, None, PERSON);
    run(async {
        let told = async {
            while stage.ears.0.borrow().is_empty() {
                tokio::task::yield_now().await;
            }
            stage.broker.release_secrets();
            std::future::pending::<()>().await;
        };
        tokio::select! {
            answer = other.issue(&request) => assert!(wanted(answer).rejection.is_none()),
            () = told => {}
        }
    });
    let heard = stage.ears.0.borrow();
    assert!(heard[0].contains("`sekisho exec dev`"), "{heard:?}");
    assert!(heard[0].ends_with("asks for the code: waiting for it"), "{heard:?}");
}

/// A program that prints the lines of `codes`, one a run.
fn printer(dir: &Path) -> Vec<String> {
    let file = dir.join("token");
    let script = "#!/bin/sh\ncd \"${0%/*}\"\necho run >> runs\nsed -n \"$(wc -l < runs | tr -d ' ')p\" codes\n";
    std::fs::write(&file, script).unwrap();
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o755)).unwrap();
    vec![file.to_str().unwrap().to_owned()]
}

fn runs(dir: &Path) -> usize {
    std::fs::read_to_string(dir.join("runs")).map_or(0, |text| text.lines().count())
}

#[test]
fn a_program_gives_the_code_and_waits_for_the_next_where_it_was_used() {
    let dir = tempfile::tempdir().unwrap();
    let stage = Stage::with(
        |organization| {
            for role in &mut organization.roles {
                role.max_session = 4 * 3600;
            }
        },
        |auth| auth.mfa_command = Some(printer(dir.path())),
    );
    // Both clocks stand just before the next step: its code is near.
    let into = SignedDuration::from_millis(now().as_millisecond().rem_euclid(30_000));
    move_clock(SignedDuration::from_millis(29_500) - into);
    stage.emulator.set_time(now());
    let first = stage.emulator.code(PHONE).unwrap();
    let seed = b"12345678901234567890";
    let next = sekisho::emulator::code(seed, now() + SignedDuration::from_secs(30));
    std::fs::write(dir.path().join("codes"), format!("your code: {first}\n{first}\n{next}\n"))
        .unwrap();

    stage.enter(&target(DEV, 2 * HOUR));
    assert_eq!(runs(dir.path()), 1);
    assert_eq!(stage.wire(), ["AssumeRole dev 7200 s +code"]);
    stage.enter(&target(OTHER, 2 * HOUR));
    assert_eq!(runs(dir.path()), 3);
    assert_eq!(stage.wire(), ["AssumeRole other 7200 s +code"]);
    let heard = stage.ears.0.borrow();
    assert!(heard[0].contains("waiting for the next one"), "{heard:?}");
}

#[test]
fn a_program_that_fails_leaves_the_prompt_to_the_person() {
    let stage = Stage::with(
        |_| {},
        |auth| {
            let script = "echo touch the key >&2; exit 3";
            auth.mfa_command = Some(vec!["/bin/sh".into(), "-c".into(), script.into()]);
        },
    );
    let dev = target(DEV, HOUR);
    let rejection = wanted(stage.issue(&dev, None, PERSON)).rejection.unwrap();
    let why = "mfa_command /bin/sh failed: it ended with exit code 3: touch the key";
    assert_eq!(rejection.what, why);
    assert_eq!(*stage.ears.0.borrow(), ["touch the key"]);
    stage.enter_with_code(&dev);
}

#[test]
fn no_program_runs_where_nobody_may_be_asked() {
    let dir = tempfile::tempdir().unwrap();
    let stage = Stage::with(|_| {}, |auth| auth.mfa_command = Some(printer(dir.path())));
    std::fs::write(dir.path().join("codes"), stage.emulator.code(PHONE).unwrap()).unwrap();
    let dev = target(DEV, HOUR);
    assert!(wanted(stage.issue(&dev, None, NOBODY)).rejection.is_none());
    assert_eq!((runs(dir.path()), stage.wire().len()), (0, 0));
    stage.enter(&dev);
    assert_eq!(runs(dir.path()), 1);
}
