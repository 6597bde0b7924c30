//! What AWS is asked about the key: whose it is, which devices there are.

use sekisho::domain::fault::Exit;
use sekisho::emulator::{EmulatedDevice, KeyStatus};

use super::stage::*;

#[test]
fn user_and_devices_are_asked_for_once() {
    let stage = Stage::with(
        |organization| permit(organization, allow("iam:ListMFADevices", "*")),
        |auth| {
            auth.user = None;
            auth.mfa = Vec::new();
        },
    );
    let asked = wanted(stage.issue(&target(DEV, HOUR), None, PERSON));
    assert_eq!(stage.wire(), ["GetCallerIdentity", "ListMFADevices"]);
    assert_eq!(asked.user.as_str(), "alice");
    let labels: Vec<_> = asked.devices.iter().map(|device| &*device.label).collect();
    // Her passkey can give no code.
    assert_eq!(labels, ["alice-phone", TABLET]);

    stage.enter_with_code(&target(DEV, HOUR));
    assert_eq!(stage.wire(), ["GetSessionToken 43200 s +code", "AssumeRole dev 3600 s"]);
    stage.enter(&target(OTHER, HOUR));
    assert_eq!(stage.wire(), ["AssumeRole other 3600 s"]);
    assert_eq!(stage.broker.status().user.unwrap().as_str(), "alice");
}

#[test]
fn a_user_with_nothing_but_a_passkey_is_told_why() {
    let stage = Stage::with(
        |organization| {
            permit(organization, allow("iam:ListMFADevices", "*"));
            let serial = PASSKEY.into();
            organization.user("alice").unwrap().devices = vec![EmulatedDevice::Fido { serial }];
        },
        |auth| auth.mfa = Vec::new(),
    );
    let fault = faulted(stage.issue(&target(DEV, HOUR), None, PERSON));
    assert_eq!(fault.exit, Exit::Refused);
    assert_eq!(fault.what, "alice has no MFA device that generates six-digit codes");
    assert!(fault.why[0].contains("security key"), "{fault:?}");
}

#[test]
fn a_user_without_any_device_is_told_so() {
    let stage = Stage::with(
        |organization| {
            permit(organization, allow("iam:ListMFADevices", "*"));
            organization.user("alice").unwrap().devices = Vec::new();
        },
        |auth| auth.mfa = Vec::new(),
    );
    let fault = faulted(stage.issue(&target(DEV, HOUR), None, PERSON));
    assert_eq!(fault.why, ["no MFA device is registered"]);
}

#[test]
fn devices_that_may_not_be_listed_are_named_in_the_config() {
    let stage = Stage::with(|_| {}, |auth| auth.mfa = Vec::new());
    let fault = faulted(stage.issue(&target(DEV, HOUR), None, PERSON));
    assert_eq!(fault.exit, Exit::Refused);
    assert!(fault.why[0].contains("iam:ListMFADevices"), "{fault:?}");
    assert!(fault.fix[0].contains("auth: {mfa:"), "{fault:?}");
}

#[test]
fn a_key_of_another_account_is_named_as_such() {
    let stage = Stage::with(
        |_| {},
        |auth| {
            auth.user = None;
            auth.account = "444455556666".parse().unwrap();
        },
    );
    let fault = faulted(stage.issue(&target(DEV, HOUR), None, PERSON));
    assert_eq!(fault.exit, Exit::Usage);
    assert!(fault.what.ends_with("belongs to account 111111111111"), "{fault:?}");
    assert!(!format!("{fault:?}").contains(KEY), "a key is named by its end");
}

#[test]
fn an_inactive_key_is_named_and_what_it_opened_still_serves() {
    let stage = Stage::new();
    stage.enter_with_code(&target(DEV, HOUR));
    stage.emulator.with(|organization| {
        organization.user("alice").unwrap().keys[0].status = KeyStatus::Inactive;
    });
    // AWS does not end the sessions of a key that is deactivated.
    stage.enter(&target(OTHER, HOUR));

    let (dev, code) = (target(DEV, HOUR), stage.next_code());
    let fault = faulted(run(stage.another().issue(&request(&dev, Some(code), PERSON))));
    assert_eq!(fault.exit, Exit::Refused);
    assert_eq!(fault.what, "AWS does not know this access key");
    assert!(fault.why[0].contains("deactivated"), "{fault:?}");
}
