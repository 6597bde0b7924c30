//! Faults on demand, as the real SDK meets it.

use std::time::Duration;

use aws_sdk_sts::error::SdkError;
use sekisho::emulator::{Emulator, FaultInjection, Injection, Times};

use super::stage::*;

fn inject(emulator: &Emulator, what: FaultInjection) {
    let action = Some("GetSessionToken".to_owned());
    emulator.inject(Injection { action, times: Times::Next(1), what });
}

#[test]
fn refusals_on_demand_come_once_and_are_recorded() {
    run(async {
        let emulator = start(|_| {});
        for (what, status, code) in [
            (FaultInjection::Throttle, 400, "Throttling"),
            (FaultInjection::ServerError(500), 500, "InternalFailure"),
            (FaultInjection::ServerError(503), 503, "ServiceUnavailable"),
            (
                FaultInjection::Raw {
                    status: 418,
                    body: b"<ErrorResponse><Error><Code>Odd</Code></Error></ErrorResponse>"
                        .to_vec(),
                },
                418,
                "Odd",
            ),
        ] {
            inject(&emulator, what);
            assert!(alice(&emulator).get_caller_identity().send().await.is_ok());
            let (seen, name, _) = why(alice(&emulator).get_session_token().send().await);
            assert_eq!((seen, name.as_str()), (status, code));
            assert_eq!(emulator.calls().pop().unwrap().status, Some(status));
            assert!(alice(&emulator).get_session_token().send().await.is_ok());
        }
    });
}

#[test]
fn broken_connections_spend_the_code_all_the_same() {
    run(async {
        let emulator = start(|_| {});
        let code = emulator.code(PHONE).unwrap();
        let call = |code: String| {
            alice(&emulator).get_session_token().serial_number(PHONE).token_code(code).send()
        };
        inject(&emulator, FaultInjection::Reset);
        let reset = call(code.clone()).await.unwrap_err();
        let SdkError::DispatchFailure(failure) = &reset else { panic!("{reset:?}") };
        assert!(failure.is_io(), "{failure:?}");
        assert!(format!("{failure:?}").contains("ConnectionReset"), "{failure:?}");
        assert_eq!(emulator.calls()[0].status, None);
        assert!(why(call(code).await).2.contains("invalid MFA one time pass code"));

        inject(&emulator, FaultInjection::Garbage);
        let garbage = alice(&emulator).get_session_token().send().await;
        // An HTTP 200 that does not parse: the SDK reports an error without a code.
        assert_eq!(why(garbage), (200, String::new(), String::new()));
    });
}

#[test]
fn late_answers_and_none_at_all() {
    run(async {
        let emulator = start(|_| {});
        inject(&emulator, FaultInjection::Latency(Duration::from_millis(50)));
        let asked = std::time::Instant::now();
        assert!(alice(&emulator).get_session_token().send().await.is_ok());
        assert!(asked.elapsed() >= Duration::from_millis(50));

        emulator.inject(Injection {
            action: None,
            times: Times::UntilCleared,
            what: FaultInjection::Hang,
        });
        let before = emulator.calls().len();
        let client = alice(&emulator);
        let arrived = async {
            while emulator.calls().len() == before {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::select! {
            answer = client.get_session_token().send() => panic!("{answer:?}"),
            () = arrived => {}
        }
        emulator.clear();
        assert!(alice(&emulator).get_session_token().send().await.is_ok());
        assert_eq!(emulator.calls().iter().filter(|call| call.status.is_none()).count(), 1);
    });
}
