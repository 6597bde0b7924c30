//! Codes, keys, durations and lifetimes: each rule opened and closed.

use std::time::Duration;

use aws_credential_types::Credentials;
use sekisho::emulator::{KeyStatus, Role};

use super::stage::*;

const WRONG_CODE: &str = "MultiFactorAuthentication failed with invalid MFA one time pass code.";
const WRONG_SERIAL: &str = "MultiFactorAuthentication failed, unable to validate MFA code.  Please verify your \
    MFA serial number is valid and associated with this user.";
const ONE_OF_TWO: &str =
    "MultiFactorAuthentication failed, must provide both MFA serial number and one time pass code.";
const INVALID: &str = "The security token included in the request is invalid";

fn denied(text: &str) -> (u16, String, String) {
    (403, "AccessDenied".into(), text.into())
}

fn invalid(text: &str) -> (u16, String, String) {
    (400, "ValidationError".into(), text.into())
}

#[test]
fn serials_and_codes() {
    let cases = [
        (Some(PHONE), Some("000000"), denied(WRONG_CODE)),
        (Some("arn:aws:iam::111111111111:mfa/bob"), Some("000000"), denied(WRONG_SERIAL)),
        (Some("arn:aws:iam::111111111111:user/alice"), Some("000000"), denied(WRONG_SERIAL)),
        (Some(PASSKEY), Some("000000"), denied(WRONG_SERIAL)),
        (Some(PHONE), None, denied(ONE_OF_TWO)),
        (None, Some("000000"), denied(ONE_OF_TWO)),
        (
            Some(PHONE),
            Some("12345x"),
            invalid(
                r"1 validation error detected: Value '12345x' at 'tokenCode' failed to satisfy constraint: Member must satisfy regular expression pattern: [\d]*",
            ),
        ),
        (
            Some("short"),
            Some("12345"),
            invalid(
                "2 validation errors detected: Value 'short' at 'serialNumber' failed to satisfy constraint: \
                 Member must have length greater than or equal to 9; Value '12345' at 'tokenCode' failed to \
                 satisfy constraint: Member must have length greater than or equal to 6",
            ),
        ),
    ];
    run(async {
        let emulator = start(|_| {});
        for (serial, code, expected) in cases {
            let request =
                alice(&emulator).get_session_token().set_serial_number(serial.map(Into::into));
            let refused = request.set_token_code(code.map(Into::into)).send().await;
            assert_eq!(why(refused), expected, "{serial:?} {code:?}");
        }
    });
}

#[test]
fn a_code_works_once_even_where_the_call_is_refused() {
    run(async {
        let emulator = start(|_| {});
        let code = emulator.code(PHONE).unwrap();
        let nowhere = ROLE.replace("Developer", "Nobody");
        let request = alice(&emulator).assume_role().role_arn(nowhere).role_session_name("alice");
        let refused = request.serial_number(PHONE).token_code(&code).send().await;
        assert!(why(refused).2.contains("is not authorized to perform: sts:AssumeRole"));
        let request = |serial: &str, code: &str| {
            alice(&emulator).get_session_token().serial_number(serial).token_code(code).send()
        };
        assert_eq!(why(request(PHONE, &code).await), denied(WRONG_CODE));
        // Another device is not touched, and neither is the next code.
        assert!(request(TABLET, &emulator.code(TABLET).unwrap()).await.is_ok());
        emulator.advance(Duration::from_secs(30));
        assert!(request(PHONE, &emulator.code(PHONE).unwrap()).await.is_ok());
        assert_eq!(why(request(PHONE, &code).await), denied(WRONG_CODE));
    });
}

#[test]
fn keys_and_tokens_belong_together() {
    run(async {
        let emulator = start(|_| {});
        let given = alice(&emulator).get_session_token().send().await.unwrap();
        let other = alice(&emulator).get_session_token().send().await.unwrap();
        let (given, other) = (given.credentials().unwrap(), other.credentials().unwrap());
        let mixed = |id: &str, secret: &str, token: Option<&str>| {
            Credentials::new(id, secret, token.map(Into::into), None, "test")
        };
        let (id, secret) = (given.access_key_id(), given.secret_access_key());
        for (what, credentials) in [
            ("an unknown key", key("AKIANOBODY0000000001", SECRET)),
            ("a stray token", mixed(KEY, SECRET, Some(given.session_token()))),
            ("a session without its token", mixed(id, secret, None)),
            ("a session with another's token", mixed(id, secret, Some(other.session_token()))),
        ] {
            let refused = sts(&emulator, credentials).get_caller_identity().send().await;
            assert_eq!(
                why(refused),
                (403, "InvalidClientTokenId".into(), INVALID.into()),
                "{what}"
            );
        }
        let (status, code, text) =
            why(sts(&emulator, key(KEY, "wrong")).get_caller_identity().send().await);
        assert_eq!((status, code.as_str()), (403, "SignatureDoesNotMatch"));
        assert_eq!(
            text,
            "The request signature we calculated does not match the signature you provided. Check your AWS \
             Secret Access Key and signing method. Consult the service documentation for details."
        );
        let call = emulator.calls().pop().unwrap();
        assert_eq!(call.key.as_deref(), Some(KEY));
        assert_eq!(
            (call.status, call.error.as_deref()),
            (Some(403), Some("SignatureDoesNotMatch"))
        );
        assert!(sts(&emulator, session(Some(given))).get_caller_identity().send().await.is_ok());
    });
}

#[test]
fn a_key_that_is_inactive_or_too_new_is_unknown() {
    run(async {
        let emulator = start(|_| {});
        let call = || async { alice(&emulator).get_caller_identity().send().await };
        let status = |status| {
            emulator
                .with(|organization| organization.user("alice").unwrap().keys[0].status = status);
        };
        status(KeyStatus::Inactive);
        assert_eq!(why(call().await).1, "InvalidClientTokenId");
        status(KeyStatus::Active);
        assert!(call().await.is_ok());
        let now = emulator.now();
        emulator.with(|organization| {
            organization.quirks.key_propagation = Duration::from_secs(10);
            organization.user("alice").unwrap().keys[0].created = now;
        });
        assert_eq!(why(call().await).1, "InvalidClientTokenId");
        emulator.advance(Duration::from_secs(10));
        assert!(call().await.is_ok());
    });
}

#[test]
fn sessions_expire_by_the_emulators_clock() {
    run(async {
        let emulator = start(|organization| organization.quirks.skew = Duration::from_hours(24));
        let request = alice(&emulator).get_session_token().duration_seconds(900);
        let client = sts(&emulator, session(request.send().await.unwrap().credentials()));
        assert!(client.get_caller_identity().send().await.is_ok());
        emulator.advance(Duration::from_secs(901));
        assert_eq!(
            why(client.get_caller_identity().send().await),
            (
                403,
                "ExpiredToken".into(),
                "The security token included in the request is expired".into()
            )
        );
    });
}

#[test]
fn a_clock_that_is_off_is_told_the_servers_time() {
    run(async {
        let emulator = start(|_| {});
        let real = emulator.now();
        for (offset, words) in [(20, "Signature expired: "), (-20, "Signature not yet current: ")] {
            emulator.set_time(real + jiff::SignedDuration::from_mins(offset));
            let (status, code, text) = why(alice(&emulator).get_caller_identity().send().await);
            assert_eq!((status, code.as_str()), (403, "SignatureDoesNotMatch"));
            assert!(text.starts_with(words), "{text}");
        }
        emulator.set_time(real + jiff::SignedDuration::from_mins(14));
        assert!(alice(&emulator).get_caller_identity().send().await.is_ok());
    });
}

#[test]
fn session_credentials_make_no_sessions() {
    run(async {
        let emulator = start(|_| {});
        let session = mfa_session(&emulator).await;
        let text = |action| denied(&format!("Cannot call {action} with session credentials"));
        assert_eq!(why(session.get_session_token().send().await), text("GetSessionToken"));
        let refused = session.get_federation_token().name("alice").send().await;
        assert_eq!(why(refused), text("GetFederationToken"));
    });
}

#[test]
fn federation_needs_a_permission_and_opens_no_role() {
    run(async {
        let emulator = start(|_| {});
        let federate =
            || async { alice(&emulator).get_federation_token().name("alice").send().await };
        assert_eq!(
            why(federate().await),
            denied(
                "User: arn:aws:iam::111111111111:user/alice is not authorized to perform: sts:GetFederationToken on \
                 resource: arn:aws:sts::111111111111:federated-user/alice because no identity-based policy allows \
                 the sts:GetFederationToken action"
            )
        );
        emulator.with(|organization| {
            organization.user("alice").unwrap().policies = vec![allow("*", "*")];
        });
        let federated = sts(&emulator, session(federate().await.unwrap().credentials()));
        let me = federated.get_caller_identity().send().await.unwrap();
        assert_eq!(me.arn(), Some("arn:aws:sts::111111111111:federated-user/alice"));
        let refused =
            federated.assume_role().role_arn(ROLE).role_session_name("alice").send().await;
        assert_eq!(why(refused).1, "AccessDenied");
    });
}

#[test]
fn durations() {
    const MAX: &str =
        "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.";
    const CHAINED: &str = "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by \
        role chaining.";
    let range = |value, bound: &str| {
        format!(
            "1 validation error detected: Value '{value}' at 'durationSeconds' failed to satisfy constraint: \
             Member must have value {bound}"
        )
    };
    run(async {
        let emulator = start(|organization| {
            let role = organization.role(DEV, "Developer").unwrap();
            role.max_session = 7200;
            role.trust = trust("{}");
        });
        let (direct, chained) = (alice(&emulator), mfa_session(&emulator).await);
        for (client, seconds, expected) in [
            (&direct, 900, None),
            (&direct, 7200, None),
            (&direct, 7201, Some(MAX.to_owned())),
            (&direct, 899, Some(range(899, "greater than or equal to 900"))),
            (&direct, 43_201, Some(range(43_201, "less than or equal to 43200"))),
            (&chained, 3600, None),
            (&chained, 3601, Some(CHAINED.to_owned())),
        ] {
            let request = client.assume_role().role_arn(ROLE).role_session_name("alice");
            let result = request.duration_seconds(seconds).send().await;
            if let Some(text) = expected {
                assert_eq!(why(result), invalid(&text));
                continue;
            }
            let expires = result.unwrap().credentials().unwrap().expiration().secs();
            let left = expires - emulator.now().as_second();
            assert!((left - i64::from(seconds)).abs() <= 2, "{seconds}: {left}");
        }
        let refused = direct.get_session_token().duration_seconds(129_601).send().await;
        assert_eq!(why(refused), invalid(&range(129_601, "less than or equal to 129600")));
    });
}

#[test]
fn from_role_to_role_is_chaining_too() {
    run(async {
        let emulator = start(|organization| {
            organization.role(DEV, "Developer").unwrap().trust = trust("{}");
            let text = trust("{}")
                .source()
                .replace("111111111111:root", "222222222222:role/dev/Developer");
            let document = sekisho::emulator::Document::parse(&text).unwrap();
            let mut second = Role::new(DEV, "Second", document);
            second.max_session = 7200;
            organization.roles.push(second);
        });
        let request = alice(&emulator).assume_role().role_arn(ROLE).role_session_name("alice");
        let role = sts(&emulator, session(request.send().await.unwrap().credentials()));
        let enter = |seconds| {
            let request = role.assume_role().role_arn("arn:aws:iam::222222222222:role/Second");
            request.role_session_name("alice").duration_seconds(seconds).send()
        };
        assert!(enter(3600).await.is_ok());
        assert_eq!(why(enter(7200).await).1, "ValidationError");
    });
}

#[test]
fn parameters_are_held_to_their_patterns() {
    run(async {
        let emulator = start(|_| {});
        for (arn, name, expected) in [
            (
                ROLE,
                "a b",
                r"1 validation error detected: Value 'a b' at 'roleSessionName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\w+=,.@-]*",
            ),
            (
                "arn:aws:iam::222222222222:user/x",
                "alice",
                "arn:aws:iam::222222222222:user/x is invalid",
            ),
        ] {
            let refused =
                alice(&emulator).assume_role().role_arn(arn).role_session_name(name).send().await;
            assert_eq!(why(refused), invalid(expected));
        }
    });
}

#[test]
fn session_policies_are_read_weighed_and_counted() {
    run(async {
        let emulator = start(|organization| {
            organization.role(DEV, "Developer").unwrap().trust =
                sekisho::emulator::Document::parse(
                    &trust("{}").source().replace("sts:AssumeRole", "sts:*"),
                )
                .unwrap();
            organization.user("alice").unwrap().policies = vec![allow("sts:*", "*")];
        });
        let client = alice(&emulator);
        let enter = || client.assume_role().role_arn(ROLE).role_session_name("alice");
        let small = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}"#;
        assert!(enter().policy(small).send().await.is_ok());
        assert_eq!(
            why(enter().policy("{").send().await),
            (400, "MalformedPolicyDocument".into(), "This policy contains invalid Json".into())
        );
        let mut request = enter().policy(small);
        for n in 0..10 {
            let tag =
                aws_sdk_sts::types::Tag::builder().key(format!("k{n}")).value("v".repeat(250));
            request = request.tags(tag.build().unwrap());
        }
        assert_eq!(
            why(request.send().await),
            (
                400,
                "PackedPolicyTooLarge".into(),
                "Packed policy consumes 128% of allotted space, please use smaller policy.".into()
            )
        );
    });
}
