//! What STS answers is checked before it is used: what cannot be right is neither stored nor handed out.

use jiff::{SignedDuration, Timestamp};
use sekisho::domain::fault::{Exit, Fault};
use sekisho::emulator::{FaultInjection, Organization, Times};

use super::network::told;
use super::stage::*;

const MIN: SignedDuration = SignedDuration::from_mins(1);
const ASIA: &str = "<AccessKeyId>ASIAALICE00000000001</AccessKeyId>";
const HIDDEN: &str = "<SecretAccessKey>a+b/c</SecretAccessKey>";
const TOKEN: &str = "<SessionToken>IQoJb3JpZ2luX2Vj==</SessionToken>";

fn expiration(at: Timestamp) -> String {
    format!("<Expiration>{}</Expiration>", at.strftime("%Y-%m-%dT%H:%M:%SZ"))
}

/// An answer as STS writes it, with these parts of the credentials.
fn answer(action: &str, parts: &str) -> FaultInjection {
    let arn = format!("arn:aws:sts::{DEV}:assumed-role/Developer/alice");
    let body = format!(
        "<{action}Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><{action}Result>\
         <AssumedRoleUser><Arn>{arn}</Arn><AssumedRoleId>AROA:alice</AssumedRoleId></AssumedRoleUser>\
         <Credentials>{parts}</Credentials></{action}Result></{action}Response>"
    );
    FaultInjection::Raw { status: 200, body: body.into_bytes() }
}

/// Credentials that cannot be right where `asked` was asked for, and what is said about them.
fn implausible(asked: SignedDuration) -> Vec<(String, &'static str)> {
    let end = |at| format!("{ASIA}{HIDDEN}{TOKEN}{}", expiration(at));
    let fine = expiration(now() + asked);
    vec![
        (end(now() - MIN), "already expired"),
        (format!("{ASIA}{HIDDEN}{TOKEN}"), "already expired"),
        (end(now() + asked + 6 * MIN), "min were asked for"),
        (end(now() + SignedDuration::from_hours(10 * 365 * 24)), "min were asked for"),
        (format!("{ASIA}<SecretAccessKey/>{TOKEN}{fine}"), "no usable secret access key"),
        (format!("{ASIA}{TOKEN}{fine}"), "no usable secret access key"),
        (format!("{ASIA}{HIDDEN}<SessionToken></SessionToken>{fine}"), "no usable session token"),
        (format!("{ASIA}{HIDDEN}{fine}"), "no usable session token"),
    ]
}

#[track_caller]
fn is_refused(fault: &Fault, says: &str) {
    assert_eq!(fault.what, "AWS's response is not plausible", "{says}: {fault:?}");
    assert!(fault.why[0].contains(says), "{says}: {fault:?}");
    assert_eq!(fault.exit, Exit::Fault);
}

#[test]
fn an_auth_session_that_cannot_be_right_is_not_kept() {
    for (parts, says) in implausible(SignedDuration::from_hours(12)) {
        let stage = Stage::new();
        stage.inject("GetSessionToken", Times::Next(1), answer("GetSessionToken", &parts));
        let code = stage.code(PHONE);
        let again = (code.0.clone(), code.1.copy());
        is_refused(&faulted(stage.issue(&target(DEV, HOUR), Some(code), PERSON)), says);
        assert_eq!(stage.wire(), ["GetSessionToken 43200 s +code"], "no role was asked for");
        assert!(stage.broker.status().auth.is_none());
        // AWS may have taken the code.
        let asked = wanted(stage.issue(&target(DEV, HOUR), Some(again), PERSON));
        assert!(asked.rejection.unwrap().what.contains("used already"));
    }
}

#[test]
fn a_role_session_that_cannot_be_right_is_not_handed_out() {
    for (parts, says) in implausible(SignedDuration::from_hours(1)) {
        let stage = Stage::new();
        stage.enter_with_code(&target(OTHER, HOUR));
        stage.inject("AssumeRole", Times::Next(1), answer("AssumeRole", &parts));
        is_refused(&faulted(stage.issue(&target(DEV, HOUR), None, PERSON)), says);
        assert_eq!(stage.broker.status().roles.len(), 1);
        stage.enter(&target(DEV, HOUR));
    }
}

#[test]
fn nor_is_one_of_the_direct_flow() {
    let long = |organization: &mut Organization| {
        for role in &mut organization.roles {
            role.max_session = 12 * 3600;
        }
    };
    for (parts, says) in implausible(SignedDuration::from_hours(4)) {
        let stage = Stage::with(long, |_| {});
        stage.inject("AssumeRole", Times::Next(1), answer("AssumeRole", &parts));
        let code = Some(stage.code(PHONE));
        is_refused(&faulted(stage.issue(&target(DEV, 4 * HOUR), code, PERSON)), says);
        assert!(stage.broker.status().roles.is_empty());
    }
}

#[test]
fn clocks_may_differ_by_a_few_minutes_and_the_brokers_own_decides() {
    let stage = Stage::new();
    // The broker's clock, and nobody else's: an answer by the system's would be far off.
    move_clock(SignedDuration::from_hours(30));
    let end = now() + SignedDuration::from_hours(12) + 4 * MIN;
    let parts = format!("{ASIA}{HIDDEN}{TOKEN}{}", expiration(end));
    stage.inject("GetSessionToken", Times::Next(1), answer("GetSessionToken", &parts));
    let short = format!("{ASIA}{HIDDEN}{TOKEN}{}", expiration(now() + MIN));
    stage.inject("AssumeRole", Times::Next(1), answer("AssumeRole", &short));
    let pass = given(stage.issue(&target(DEV, HOUR), Some(stage.code(PHONE)), PERSON));
    assert_eq!(pass.credentials.id.as_str(), "ASIAALICE00000000001");
    assert_eq!(stage.broker.status().auth.unwrap().expires.as_second(), end.as_second());
}

#[test]
fn the_likely_causes_are_named() {
    let stage = Stage::new();
    let parts = format!("{ASIA}{HIDDEN}{TOKEN}<Expiration>2001-01-01T00:00:00Z</Expiration>");
    stage.inject("GetSessionToken", Times::Next(1), answer("GetSessionToken", &parts));
    let fault = faulted(stage.issue(&target(DEV, HOUR), Some(stage.code(PHONE)), PERSON));
    insta::assert_snapshot!(told(&fault), @r"
    exit 1
    what AWS's response is not plausible
    why  the session of sts:GetSessionToken has already expired, at 2001-01-01 00:00 UTC
    why  this machine's clock is off
    why  something between here and AWS answered instead: a proxy, an emulator
    fix  `sekisho doctor` compares the clock with AWS's, and names what is in between
    ");
}
