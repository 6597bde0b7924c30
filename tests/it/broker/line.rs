//! The connection is opened while a person types: after the code there are two round trips, for a second role one, and no
//! handshake.

use std::time::Duration;

use super::stage::*;
use crate::relay::{Crossed, Relay};

/// A stage behind a slow line.
fn behind_a_relay() -> (Stage, Relay) {
    let twelve_hours = |role: &mut sekisho::emulator::Role| role.max_session = 12 * 3600;
    let mut stage = Stage::with(|all| all.roles.iter_mut().for_each(twelve_hours), |_| {});
    let relay = Relay::to(&stage.emulator.url());
    stage.auth.endpoint_url = Some(relay.url());
    stage.broker = stage.another();
    (stage, relay)
}

/// Opens the line and waits until it is there, as while a person types.
async fn opened(stage: &Stage, relay: &Relay) {
    let before = relay.crossed();
    stage.broker.open_line();
    while relay.crossed().connections == before.connections {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(relay.crossed().round_trips, before.round_trips, "nothing is sent ahead");
}

#[test]
fn two_round_trips_after_the_code_and_one_for_a_second_role() {
    let (stage, relay) = behind_a_relay();
    run(async {
        let dev = target(DEV, HOUR);
        lend(&stage.broker);
        wanted(stage.broker.issue(&request(&dev, None, PERSON)).await);
        assert_eq!(relay.crossed(), Crossed::default(), "that a code is needed is known here");
        opened(&stage, &relay).await;
        let code = stage.code(PHONE);
        given(stage.broker.issue(&request(&dev, Some(code), PERSON)).await);
        assert_eq!(relay.crossed(), Crossed { connections: 1, round_trips: 2 });

        lend(&stage.broker);
        opened(&stage, &relay).await;
        given(stage.broker.issue(&request(&target(OTHER, HOUR), None, PERSON)).await);
        assert_eq!(relay.crossed(), Crossed { connections: 2, round_trips: 3 });
    });
    assert_eq!(stage.emulator.calls().len(), 3, "each as an ordinary call");
}

#[test]
fn whoever_is_faster_than_the_line_waits_for_it() {
    let (stage, relay) = behind_a_relay();
    run(async {
        lend(&stage.broker);
        stage.broker.open_line();
        stage.broker.open_line();
        let code = stage.code(PHONE);
        given(stage.broker.issue(&request(&target(DEV, HOUR), Some(code), PERSON)).await);
    });
    assert_eq!(relay.crossed(), Crossed { connections: 1, round_trips: 2 });
}

#[test]
fn a_line_that_was_closed_meanwhile_is_silently_opened_again() {
    let (stage, relay) = behind_a_relay();
    run(async {
        lend(&stage.broker);
        opened(&stage, &relay).await;
        relay.close();
        let code = stage.code(PHONE);
        given(stage.broker.issue(&request(&target(DEV, HOUR), Some(code), PERSON)).await);
    });
    assert_eq!(relay.crossed().round_trips, 2);
    assert!(stage.ears.0.borrow().is_empty());
}

#[test]
fn a_line_that_cannot_be_opened_is_no_fault_of_its_own() {
    let stage = Stage::new();
    let mut auth = stage.auth.clone();
    auth.endpoint_url = Some("http://127.0.0.1:1".into());
    let broker = stage.configured(&auth);
    run(async {
        broker.open_line();
        tokio::task::yield_now().await;
        broker.open_line();
        broker.release_secrets();
        broker.open_line();
    });
    assert!(stage.ears.0.borrow().is_empty());
}

#[test]
fn a_direct_entry_is_one_round_trip() {
    let (stage, relay) = behind_a_relay();
    run(async {
        lend(&stage.broker);
        opened(&stage, &relay).await;
        let long = target(DEV, 4 * HOUR);
        given(stage.broker.issue(&request(&long, Some(stage.code(PHONE)), PERSON)).await);
    });
    assert_eq!(relay.crossed(), Crossed { connections: 1, round_trips: 1 });
}
