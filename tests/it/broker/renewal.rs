//! When a cached session is renewed, and what happens where it cannot be.

use jiff::SignedDuration;
use sekisho::domain::pass::{Renew, Terms};
use sekisho::emulator::Organization;

use super::stage::*;

fn renew(renew: Renew) -> Terms {
    Terms { renew, ..PERSON }
}

fn long_roles(organization: &mut Organization) {
    for role in &mut organization.roles {
        role.max_session = 12 * 3600;
    }
}

#[test]
fn the_shared_flow_renews_below_half_a_life() {
    let stage = Stage::new();
    let dev = target(DEV, HOUR);
    let first = stage.enter_with_code(&dev);
    stage.wire();
    stage.pass(29);
    assert_eq!(stage.enter(&dev).credentials.id, first.credentials.id);
    stage.pass(2);
    let second = stage.enter(&dev);
    assert_ne!(second.credentials.id, first.credentials.id);
    assert_eq!(stage.wire(), ["AssumeRole dev 3600 s"]);
}

#[test]
fn the_direct_flow_serves_until_its_last_five_minutes() {
    let stage = Stage::with(long_roles, |_| {});
    let dev = target(DEV, 4 * HOUR);
    let first = stage.enter_with_code(&dev);
    stage.pass(4 * 60 - 6);
    assert_eq!(stage.enter(&dev).credentials.id, first.credentials.id);
    stage.pass(2);
    wanted(stage.issue(&dev, None, PERSON));
}

#[test]
fn a_margin_may_be_named_and_renewal_may_be_now() {
    let stage = Stage::new();
    let dev = target(DEV, HOUR);
    let first = stage.enter_with_code(&dev);
    stage.wire();
    stage.pass(39);
    let below = |seconds| given(stage.issue(&dev, None, renew(Renew::Below(seconds))));
    assert_eq!(below(1200).credentials.id, first.credentials.id);
    stage.pass(2);
    let second = below(1200);
    assert_ne!(second.credentials.id, first.credentials.id);
    assert_eq!(stage.wire(), ["AssumeRole dev 3600 s"]);
    let third = given(stage.issue(&dev, None, renew(Renew::Now)));
    assert_ne!(third.credentials.id, second.credentials.id);
    assert_eq!(stage.wire(), ["AssumeRole dev 3600 s"]);
}

#[test]
fn where_nobody_can_be_asked_what_is_left_still_serves() {
    let quarter = |auth: &mut sekisho::domain::config::Auth| auth.session = HOUR / 4;
    let stage = Stage::with(|_| {}, quarter);
    let dev = target(DEV, HOUR);
    let first = stage.enter_with_code(&dev);
    stage.wire();
    stage.pass(40); // the auth session is over, and under half the role session's life is left
    wanted(stage.issue(&dev, None, PERSON));
    let pass = given(stage.issue(&dev, None, NOBODY));
    assert_eq!(pass.credentials.id, first.credentials.id);
    stage.pass(20);
    wanted(stage.issue(&dev, None, NOBODY));
    assert_eq!(stage.wire(), [""; 0]);
}

#[test]
fn an_auth_session_that_aws_no_longer_takes_is_renewed_once() {
    let stage = Stage::new();
    stage.enter_with_code(&target(DEV, HOUR));
    stage.wire();
    // Dead at AWS, alive by our clock.
    stage.emulator.advance(13 * HOUR);
    wanted(stage.issue(&target(OTHER, HOUR), None, PERSON));
    assert_eq!(stage.wire(), ["AssumeRole other 3600 s ExpiredToken"]);
    stage.emulator.set_time(now() + SignedDuration::from_secs(30)); // a session by the other clock is refused
    stage.enter_with_code(&target(OTHER, HOUR));
    assert_eq!(stage.wire(), ["GetSessionToken 43200 s +code", "AssumeRole other 3600 s"]);

    // With the code at hand, in one go.
    stage.pass(12 * 60 - 2);
    stage.emulator.advance(2 * HOUR / 60);
    given(stage.issue(&target(OTHER, HOUR), Some(stage.code(PHONE)), renew(Renew::Now)));
    assert_eq!(
        stage.wire(),
        [
            "AssumeRole other 3600 s ExpiredToken",
            "GetSessionToken 43200 s +code",
            "AssumeRole other 3600 s"
        ]
    );
}

#[test]
fn a_session_that_is_forgotten_here_is_got_again() {
    let stage = Stage::new();
    let dev = target(DEV, HOUR);
    let first = stage.enter_with_code(&dev);
    stage.enter(&target(OTHER, HOUR));
    stage.wire();
    stage.broker.forget(&dev);
    assert_eq!(stage.broker.status().roles.len(), 1);
    assert_ne!(stage.enter(&dev).credentials.id, first.credentials.id);
    assert_eq!(stage.wire(), ["AssumeRole dev 3600 s"]);
}
