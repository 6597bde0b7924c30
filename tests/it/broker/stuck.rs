//! Renewing fails, and what is live still serves.

use std::time::Duration;

use jiff::SignedDuration;
use sekisho::domain::fault::Exit;
use sekisho::domain::pass::{NotIssued, Pass, Renew, Terms};
use sekisho::emulator::{FaultInjection, Times};

use super::stage::*;

const CHILD: Terms = Terms { spare: Terms::SHORTEST_STAY, ..PERSON };

/// A session that is due to be renewed, and an STS that fails.
fn stuck() -> (Stage, Pass) {
    let stage = Stage::new();
    let pass = stage.enter_with_code(&target(DEV, HOUR));
    stage.pass(31);
    stage.wire();
    fail(&stage, FaultInjection::Garbage);
    (stage, pass)
}

fn fail(stage: &Stage, what: FaultInjection) {
    stage.inject("AssumeRole", Times::UntilCleared, what);
}

fn seconds(stage: &Stage, seconds: u64) {
    stage.emulator.advance(Duration::from_secs(seconds));
    move_clock(SignedDuration::from_secs(seconds.try_into().unwrap()));
}

#[test]
fn a_fault_that_is_no_refusal_withholds_nothing() {
    for (what, why) in [
        (FaultInjection::ServerError(500), "AWS is busy or failing"),
        (FaultInjection::Throttle, "AWS is busy or failing"),
        (FaultInjection::Reset, "AWS cannot be reached"),
        (FaultInjection::Garbage, "the response cannot be understood"),
    ] {
        let (stage, first) = stuck();
        stage.emulator.clear();
        fail(&stage, what);
        let pass = stage.enter(&target(DEV, HOUR));
        assert_eq!(pass.credentials.id, first.credentials.id);
        assert_eq!(pass.credentials.expires, first.credentials.expires, "its true end");
        assert!(pass.unrenewed.as_ref().unwrap().starts_with(why), "{:?}", pass.unrenewed);
        let warning = pass.warning(now()).unwrap();
        assert!(warning.starts_with(&format!("dev/Developer was not renewed ({why}")), "{warning}");
        assert!(warning.ends_with("); its session ends in 28m"), "{warning}");
        assert!(!warning.contains('\n'));
    }
}

#[test]
fn a_refusal_withholds() {
    let (stage, _) = stuck();
    stage.emulator.clear();
    stage.emulator.with(|organization| organization.roles.clear());
    let fault = faulted(stage.issue(&target(DEV, HOUR), None, PERSON));
    assert_eq!(fault.exit, Exit::Refused);
}

#[test]
fn it_serves_to_its_last_seconds_and_a_child_wants_a_minute() {
    let (stage, first) = stuck();
    let dev = target(DEV, HOUR);
    seconds(&stage, 29 * 60 - 61); // 61 s are left
    assert_eq!(given(stage.issue(&dev, None, CHILD)).credentials.id, first.credentials.id);
    seconds(&stage, 2);
    assert_eq!(faulted(stage.issue(&dev, None, CHILD)).exit, Exit::Fault);
    assert_eq!(stage.enter(&dev).credentials.id, first.credentials.id);
    seconds(&stage, 48); // 11 s
    assert_eq!(stage.enter(&dev).credentials.id, first.credentials.id);
    seconds(&stage, 2);
    assert_eq!(faulted(stage.issue(&dev, None, PERSON)).exit, Exit::Fault);
}

#[test]
fn who_asks_for_a_new_one_is_told_that_there_is_none() {
    let (stage, _) = stuck();
    let terms = Terms { renew: Renew::Now, ..PERSON };
    assert_eq!(faulted(stage.issue(&target(DEV, HOUR), None, terms)).exit, Exit::Fault);
}

#[test]
fn renewals_back_off_and_begin_anew_after_a_success() {
    let (stage, first) = stuck();
    let dev = target(DEV, HOUR);
    for pause in [1, 2, 4, 8, 16, 32, 60, 60] {
        stage.enter(&dev);
        assert_eq!(stage.wire().len(), 1, "before the pause of {pause} s");
        for _ in 0..3 {
            let pass = stage.enter(&dev);
            assert!(pass.unrenewed.unwrap().starts_with("the response cannot be understood"));
        }
        assert_eq!(stage.wire(), [""; 0], "in the pause of {pause} s");
        seconds(&stage, pause);
    }
    stage.emulator.clear();
    let second = stage.enter(&dev);
    assert!(second.unrenewed.is_none() && second.credentials.id != first.credentials.id);
    stage.pass(31);
    fail(&stage, FaultInjection::Garbage);
    stage.wire();
    stage.enter(&dev);
    seconds(&stage, 1);
    stage.enter(&dev);
    assert_eq!(stage.wire().len(), 2, "one second again");
}

#[test]
fn where_nothing_is_live_each_who_asks_is_tried() {
    let (stage, _) = stuck();
    stage.enter(&target(DEV, HOUR));
    stage.wire();
    for _ in 0..2 {
        assert_eq!(faulted(stage.issue(&target(OTHER, HOUR), None, PERSON)).exit, Exit::Fault);
    }
    assert_eq!(stage.wire().len(), 2);
}

#[test]
fn what_was_forgotten_meanwhile_is_withheld() {
    type Forget = fn(&Stage);
    let forgets: [Forget; 3] = [
        |stage| stage.broker.sign_out(),
        |stage| stage.broker.forget(&target(DEV, HOUR)),
        |stage| stage.broker.forget_everything().unwrap(),
    ];
    for forget in forgets {
        let (stage, _) = stuck();
        stage.emulator.clear();
        let late = FaultInjection::Late(Duration::from_millis(200), FaultInjection::Garbage.into());
        fail(&stage, late);
        let request = request(&target(DEV, HOUR), None, PERSON);
        let answer = run(async {
            let forgotten = async {
                while stage.wire().is_empty() {
                    tokio::task::yield_now().await;
                }
                forget(&stage);
            };
            tokio::join!(stage.broker.issue(&request), forgotten).0
        });
        assert_eq!(faulted(answer).exit, Exit::Fault);
    }
}

#[test]
fn with_mfa_over_it_serves_to_its_last_seconds() {
    let stage = Stage::with(|_| {}, |auth| auth.session = HOUR / 4);
    let dev = target(DEV, HOUR);
    let first = stage.enter_with_code(&dev);
    stage.pass(59);
    seconds(&stage, 48); // 12 s, less what the test took
    stage.wire();
    let pass = given(stage.issue(&dev, None, NOBODY));
    assert_eq!(pass.credentials.id, first.credentials.id);
    assert_eq!(pass.credentials.expires, first.credentials.expires);
    assert_eq!(pass.unrenewed.unwrap(), "an MFA code of alice is needed: `sekisho login`");
    seconds(&stage, 3);
    assert!(matches!(stage.issue(&dev, None, NOBODY), Err(NotIssued::Code(_))));
    assert_eq!(stage.wire(), [""; 0], "nobody is asked in vain");
}
