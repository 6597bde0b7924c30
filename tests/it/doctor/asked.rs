//! Set-ups that only AWS can tell are broken; here the embedded organization answers.

use std::time::Duration;

use sekisho::domain::config::{Auth, KeySource};
use sekisho::domain::ids::Endpoints;
use sekisho::domain::secret::{AccessKey, MfaCode, Secret};
use sekisho::emulator::{EmulatedDevice, Emulator, KeyStatus, Organization, Policy, User};
use sekisho::services::aws::Aws;
use sekisho::services::doctor::Health::{self, Fail, Unknown, Warn};
use sekisho::services::doctor::Online;

use super::stage::Machine;

const KEY: &str = "AKIATANAKA0000000001";
const PHONE: &str = "arn:aws:iam::111111111111:mfa/phone";

fn organization() -> Organization {
    let mut organization = Organization::new("111111111111", "999999999999");
    let mut tanaka = User::new("tanaka");
    tanaka.keys.push(sekisho::emulator::AccessKey::new(KEY, "secret"));
    tanaka.devices.push(EmulatedDevice::Totp { serial: PHONE.into(), seed: [7; 20] });
    let own = r#"{"Statement":{"Effect":"Allow","Action":["iam:List*"],"Resource":"*"}}"#;
    tanaka.policies.push(Policy::inline(own).unwrap());
    organization.users.push(tanaka);
    organization
}

/// What the organization answers after a change, on an otherwise sound machine.
fn asked(change: impl FnOnce(&Emulator)) -> Machine {
    let emulator = Emulator::start(organization()).unwrap();
    change(&emulator);
    asked_at(&emulator.url())
}

fn client(url: &str) -> (Aws, AccessKey, tokio::runtime::Runtime) {
    let auth = Auth {
        account: "111111111111".parse().unwrap(),
        user: None,
        key: KeySource::Auto,
        mfa: Vec::new(),
        mfa_command: None,
        region: "ap-northeast-1".parse().unwrap(),
        session: Duration::from_hours(12),
        endpoint_url: Some(url.to_owned()),
        endpoints: Endpoints::Standard,
    };
    let key = AccessKey { id: KEY.parse().unwrap(), secret: Secret::new("secret".into()) };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    (Aws::new(&auth).unwrap(), key, runtime)
}

fn asked_at(url: &str) -> Machine {
    let (aws, key, runtime) = client(url);
    let online = runtime.block_on(Online::ask(&aws, Some(&key), None)).unwrap();
    let mut machine = Machine::sound();
    machine.online = Some(online);
    machine
}

fn user(emulator: &Emulator, change: impl FnOnce(&mut User)) {
    emulator.with(|organization| change(organization.user("tanaka").unwrap()));
}

#[test]
fn a_sound_user_has_no_complaint() {
    let rows = asked(|_| {}).examine();
    assert!(rows.iter().all(|row| row.verdict == Health::Ok), "{rows:#?}");
}

#[test]
fn an_emulator_is_not_called_aws() {
    let rows = asked(|_| {}).examine();
    for id in ["clock", "key-accepted"] {
        let row = rows.iter().find(|row| row.id == id).unwrap();
        assert!(
            row.what.contains("127.0.0.1:") && !row.what.contains("AWS accepts"),
            "{}",
            row.what
        );
    }
}

/// A bare key is denied everything, as it should be; a session with MFA is not.
#[test]
fn a_live_session_asks_what_the_bare_key_may_not() {
    let emulator = Emulator::start(organization()).unwrap();
    user(&emulator, |user| {
        let deny = r#"{"Statement":{"Effect":"Deny","NotAction":"sts:GetSessionToken","Resource":"*",
            "Condition":{"BoolIfExists":{"aws:MultiFactorAuthPresent":"false"}}}}"#;
        user.policies.push(Policy::inline(deny).unwrap());
    });
    let (aws, key, runtime) = client(&emulator.url());
    let code = MfaCode::parse(&emulator.code(PHONE).unwrap()).unwrap();
    let life = Duration::from_hours(1);
    let serial = PHONE.parse().unwrap();
    let session = runtime.block_on(aws.session_token(&key, &serial, &code, life)).unwrap();
    let session = session.checked(jiff::Timestamp::now()).unwrap();
    let rows = |key: Option<&AccessKey>, session| {
        let mut machine = Machine::sound();
        machine.online = Some(runtime.block_on(Online::ask(&aws, key, session)).unwrap());
        let rows = machine.examine();
        ["key-accepted", "key-age", "mfa-device"].map(|id| {
            let row = rows.iter().find(|row| row.id == id).unwrap();
            (row.verdict, row.what.clone())
        })
    };
    let [accepted, age, device] = rows(Some(&key), None);
    assert_eq!((accepted.0, age.0, device.0), (Health::Ok, Unknown, Unknown));
    let [accepted, age, device] = rows(Some(&key), Some(&session));
    assert_eq!((accepted.0, age.0, device.0), (Health::Ok, Health::Ok, Health::Ok));
    assert!(accepted.1.contains("accepts the key"), "{}", accepted.1);
    let [accepted, age, _] = rows(None, Some(&session));
    assert_eq!((accepted.0, age.0), (Health::Ok, Health::Ok));
    assert!(accepted.1.contains("accepts a session of the key"), "{}", accepted.1);
}

#[test]
fn an_old_key() {
    let machine = asked(|emulator| {
        user(emulator, |user| {
            user.keys[0].created -= Duration::from_hours(24 * 100);
        });
    });
    let row = machine.complains("key-age", Fail);
    assert!(row.what.contains("140 days old; the limit is 90"), "{}", row.what);
}

#[test]
fn two_active_keys() {
    let machine = asked(|emulator| {
        let second = sekisho::emulator::AccessKey::new("AKIATANAKA0000000002", "other");
        user(emulator, |user| user.keys.push(second));
    });
    machine.complains("key-age", Warn);
}

#[test]
fn a_key_without_an_mfa_device() {
    asked(|emulator| user(emulator, |user| user.devices.clear())).complains("mfa-device", Fail);
}

#[test]
fn only_security_keys() {
    let serial = "arn:aws:iam::111111111111:u2f/user/tanaka/key-ABC".to_owned();
    let machine = asked(|emulator| {
        user(emulator, |user| {
            user.devices = vec![EmulatedDevice::Fido { serial }];
        });
    });
    let row = machine.complains("mfa-device", Fail);
    assert!(row.what.contains("security keys"), "{}", row.what);
}

#[test]
fn a_serial_of_nobody_in_the_config() {
    let machine = asked(|_| {});
    let mfa =
        "region: ap-northeast-1\n  mfa: [{serial: \"arn:aws:iam::111111111111:mfa/old-phone\"}]";
    machine.configure("region: ap-northeast-1", mfa);
    let row = machine.complains("mfa-device", Fail);
    assert!(row.remedy.unwrap().contains("mfa/phone"));
}

#[test]
fn a_key_that_was_deactivated() {
    let machine =
        asked(|emulator| user(emulator, |user| user.keys[0].status = KeyStatus::Inactive));
    let row = machine.complains("key-accepted", Fail);
    assert!(row.what.contains("does not know this access key"), "{}", row.what);
}

#[test]
fn a_key_of_another_account() {
    let machine = asked(|_| {});
    machine.configure("\"111111111111\"", "\"333333333333\"");
    machine.complains("key-accepted", Fail);
}

#[test]
fn sts_switched_off_in_the_region() {
    let machine = asked(|emulator| {
        let off = vec!["ap-northeast-1".to_owned()];
        emulator.with(|organization| organization.account("111111111111").unwrap().sts_off = off);
    });
    let row = machine.complains("key-accepted", Fail);
    assert!(row.what.contains("STS is switched off"), "{}", row.what);
}

#[test]
fn a_user_who_may_not_ask_is_unknown_not_sound() {
    let machine = asked(|emulator| user(emulator, |user| user.policies.clear()));
    let rows = machine.examine();
    let verdict = |id: &str| rows.iter().find(|row| row.id == id).unwrap().verdict;
    assert_eq!((verdict("key-age"), verdict("mfa-device")), (Unknown, Unknown));
    assert_eq!(verdict("key-accepted"), Health::Ok);
}

/// Answers every request with a `Date` of its own.
fn dated(date: &'static str) -> String {
    use std::io::{Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let _ = stream.read(&mut vec![0; 65536]);
            let message = "Signature expired: 20160609T184512Z is now earlier than 20160610T013008Z (20160610T014508Z - 15 min.)";
            let body = format!(
                "<ErrorResponse><Error><Code>SignatureDoesNotMatch</Code><Message>{message}</Message></Error></ErrorResponse>"
            );
            let head = format!(
                "HTTP/1.1 403 Forbidden\r\ndate: {date}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            );
            let _ = stream.write_all(head.as_bytes());
        }
    });
    url
}

#[test]
fn a_clock_that_is_off() {
    let machine = asked_at(&dated("Mon, 01 Jan 2024 00:00:00 GMT"));
    let rows = machine.examine();
    let row = rows.iter().find(|row| row.id == "clock").unwrap();
    assert_eq!(row.verdict, Fail);
    assert!(row.what.contains("min ahead of AWS's"), "{}", row.what);
    let accepted = rows.iter().find(|row| row.id == "key-accepted").unwrap();
    assert!(accepted.what.contains("clock"), "{}", accepted.what);
}

#[test]
fn no_network() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let rows = asked_at(&url).examine();
    let unknown: Vec<_> =
        rows.iter().filter(|row| row.verdict == Unknown).map(|row| row.id).collect();
    assert_eq!(unknown, ["clock", "key-accepted"]);
    assert!(rows.iter().all(|row| row.verdict <= Unknown), "{rows:#?}");
}
