//! Both flows on the wire: every call counted.

use sekisho::domain::account::Target;
use sekisho::domain::fault::Exit;
use sekisho::domain::flow::Flow;
use sekisho::domain::guard::Guard;
use sekisho::domain::scope::Scope;
use sekisho::emulator::{DirectMfa, Document, FaultInjection, Times};

use super::stage::*;
use crate::emulator::stage::{allow, permit};

#[test]
fn two_calls_at_first_one_for_each_further_account_then_none() {
    let stage = Stage::new();
    let (dev, other) = (target(DEV, HOUR), target(OTHER, HOUR));
    let asked = wanted(stage.issue(&dev, None, PERSON));
    assert_eq!(asked.user.as_str(), "alice");
    assert_eq!((asked.flow, asked.rejection), (Flow::Shared, None));
    assert_eq!(asked.until.duration_since(now()).as_hours(), 11);
    assert_eq!(stage.wire(), [""; 0], "a code is asked for before any call");

    let pass = stage.enter_with_code(&dev);
    assert_eq!(stage.wire(), ["GetSessionToken 43200 s +code", "AssumeRole dev 3600 s"]);
    assert_eq!((pass.user.as_str(), pass.flow), ("alice", Flow::Shared));
    let life = pass.credentials.expires.duration_since(now());
    assert_eq!((life.as_mins() + 1) / 60, 1);

    let second = stage.enter(&other);
    assert_eq!(stage.wire(), ["AssumeRole other 3600 s"]);
    assert_eq!(second.target, other);
    assert_ne!(second.credentials.id, pass.credentials.id);

    for (target, pass) in [(&dev, &pass), (&other, &second)] {
        assert_eq!(stage.enter(target).credentials.id, pass.credentials.id);
    }
    assert_eq!(stage.wire(), [""; 0]);
}

#[test]
fn a_cached_session_leads_where_it_is_asked_to() {
    let stage = Stage::new();
    stage.enter_with_code(&target(DEV, HOUR));
    stage.wire();
    let elsewhere = Target {
        region: Some("us-west-2".parse().unwrap()),
        guard: Guard::Warn,
        ..target(DEV, HOUR)
    };
    let pass = stage.enter(&elsewhere);
    assert_eq!(pass.target, elsewhere);
    assert!(stage.wire().is_empty(), "a region changes no credentials");
}

#[test]
fn the_credentials_are_the_persons_in_that_account() {
    let stage = Stage::new();
    let pass = stage.enter_with_code(&target(DEV, HOUR));
    let credentials = aws_credential_types::Credentials::new(
        pass.credentials.id.as_str(),
        pass.credentials.secret.expose(),
        Some(pass.credentials.token.expose().to_owned()),
        None,
        "test",
    );
    let caller = run(sts(&stage.emulator, credentials).get_caller_identity().send()).unwrap();
    assert_eq!(caller.account(), Some(DEV));
    assert_eq!(caller.arn(), Some("arn:aws:sts::222222222222:assumed-role/Developer/alice"));
}

#[test]
fn the_direct_flow_is_one_call_and_needs_a_code_each_time() {
    let stage = Stage::with(
        |organization| {
            for role in &mut organization.roles {
                role.max_session = 4 * 3600;
            }
        },
        |_| {},
    );
    let dev = target(DEV, 4 * HOUR);
    let asked = wanted(stage.issue(&dev, None, PERSON));
    assert_eq!(asked.flow, Flow::Direct);
    assert_eq!(asked.until.duration_since(now()).as_hours(), 3);

    let pass = stage.enter_with_code(&dev);
    assert_eq!(stage.wire(), ["AssumeRole dev 14400 s +code"]);
    assert_eq!(pass.flow, Flow::Direct);
    assert_eq!(stage.enter(&dev).credentials.id, pass.credentials.id);
    wanted(stage.issue(&target(OTHER, 4 * HOUR), None, PERSON));
    assert_eq!(stage.wire(), [""; 0]);
}

#[test]
fn a_role_that_gives_less_is_stepped_down_and_remembered() {
    let stage = Stage::new();
    let long = target(DEV, 4 * HOUR);
    // The code is spent on the refusal, so the shared flow needs the next one.
    let asked = wanted(stage.issue(&long, Some(stage.code(PHONE)), PERSON));
    assert_eq!(stage.wire(), ["AssumeRole dev 14400 s +code ValidationError"]);
    assert_eq!(asked.flow, Flow::Shared);
    let rejection = asked.rejection.unwrap();
    assert!(rejection.what.contains("allows sessions up to 1h"), "{rejection:?}");
    assert!(rejection.next_code_at.is_some());

    let pass = given(stage.issue(&long, Some(stage.next_code()), PERSON));
    assert_eq!(stage.wire(), ["GetSessionToken 43200 s +code", "AssumeRole dev 3600 s"]);
    assert_eq!((pass.flow, pass.target.duration), (Flow::Shared, HOUR));
    assert!(pass.notes[0].contains("allows sessions up to 1h"), "{:?}", pass.notes);

    assert_eq!(stage.enter(&long).credentials.id, pass.credentials.id);
    assert_eq!(stage.wire(), [""; 0]);
    stage.broker.forget(&long);
    assert!(stage.enter(&long).notes[0].contains("allows sessions up to 1h"));
    assert_eq!(stage.wire(), ["AssumeRole dev 3600 s"]);
}

#[test]
fn a_step_down_goes_through_a_live_auth_session_without_another_code() {
    let stage = Stage::new();
    stage.enter_with_code(&target(OTHER, HOUR));
    stage.wire();
    let long = target(DEV, 4 * HOUR);
    let pass = given(stage.issue(&long, Some(stage.next_code()), PERSON));
    assert_eq!(pass.flow, Flow::Shared);
    assert!(pass.notes[0].contains("allows sessions up to 1h"), "{:?}", pass.notes);
    assert_eq!(
        stage.wire(),
        ["AssumeRole dev 14400 s +code ValidationError", "AssumeRole dev 3600 s"]
    );
}

#[test]
fn a_deny_that_does_not_see_the_codes_call_names_the_shared_flow() {
    let stage = Stage::with(
        |organization| {
            organization.quirks.direct_mfa = DirectMfa::RoleOnly;
            permit(organization, guard());
            organization.role(DEV, "Developer").unwrap().max_session = 4 * 3600;
        },
        |_| {},
    );
    let fault = faulted(stage.issue(&target(DEV, 4 * HOUR), Some(stage.code(PHONE)), PERSON));
    assert_eq!(fault.exit, Exit::Refused);
    assert!(fault.why[1].contains("direct flow"), "{fault:?}");
    assert!(fault.fix[0].contains("dev/Developer --duration 1h"), "{fault:?}");
    // ... which works.
    given(stage.issue(&target(DEV, HOUR), Some(stage.next_code()), PERSON));
}

#[test]
fn throttles_are_tried_again_only_where_no_code_is_carried() {
    let stage = Stage::new();
    stage.inject("GetSessionToken", Times::Next(1), FaultInjection::Throttle);
    let fault = faulted(stage.issue(&target(DEV, HOUR), Some(stage.code(PHONE)), PERSON));
    assert_eq!(fault.exit, Exit::Fault);
    assert_eq!(stage.wire(), ["GetSessionToken 43200 s +code Throttling"]);

    stage.inject("AssumeRole", Times::Next(1), FaultInjection::ServerError(503));
    given(stage.issue(&target(DEV, HOUR), Some(stage.next_code()), PERSON));
    assert_eq!(
        stage.wire(),
        [
            "GetSessionToken 43200 s +code",
            "AssumeRole dev 3600 s ServiceUnavailable",
            "AssumeRole dev 3600 s"
        ]
    );
}

#[test]
fn an_answer_for_another_role_is_refused_and_not_kept() {
    let stage = Stage::new();
    stage.enter_with_code(&target(OTHER, HOUR));
    stage.wire();
    let dev = target(DEV, HOUR);
    for arn in [
        "arn:aws:sts::333333333333:assumed-role/Developer/alice",
        "arn:aws:sts::222222222222:assumed-role/Admin/alice",
        "arn:aws-cn:sts::222222222222:assumed-role/Developer/alice",
        "",
    ] {
        let body = format!(
            r#"<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult>
            <AssumedRoleUser><AssumedRoleId>AROA1:alice</AssumedRoleId><Arn>{arn}</Arn></AssumedRoleUser>
            <Credentials><AccessKeyId>ASIAANOTHERROLE00000</AccessKeyId><SecretAccessKey>canary-secret</SecretAccessKey>
            <SessionToken>canary-token</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>
            </AssumeRoleResult></AssumeRoleResponse>"#
        );
        let what = FaultInjection::Raw { status: 200, body: body.into_bytes() };
        stage.inject("AssumeRole", Times::Next(1), what);
        let fault = faulted(stage.issue(&dev, None, PERSON));
        assert_eq!(fault.what, "the response cannot be understood", "{arn}");
        assert!(!format!("{fault:?}").contains("canary"), "{fault:?}");
        assert_eq!(stage.wire().len(), 1);
    }
    assert_ne!(stage.enter(&dev).credentials.id.as_str(), "ASIAANOTHERROLE00000");
    assert_eq!(stage.wire(), ["AssumeRole dev 3600 s"]);
}

#[test]
fn transitive_tags_are_sent_as_such() {
    let needs = r#"{"ForAnyValue:StringEquals":{"sts:TransitiveTagKeys":"team"}}"#;
    let stage = Stage::with(
        |organization| {
            let more = trust(needs).source().replace("sts:AssumeRole", "sts:*");
            let role = organization.role(DEV, "Developer").unwrap();
            role.trust = Document::parse(&more).unwrap();
            permit(organization, allow("sts:TagSession", "*"));
        },
        |_| {},
    );
    let mut target = target(DEV, HOUR);
    target.session.tags.insert("team".into(), "blue".into());
    target.session.transitive_tags.insert("team".into());
    let pass = stage.enter_with_code(&target);
    target.session.transitive_tags.clear();
    let fault = faulted(stage.issue(&target, None, PERSON));
    assert_eq!(
        fault.exit,
        Exit::Refused,
        "another session than {:?}: {fault:?}",
        pass.credentials.id
    );
}

#[test]
fn a_scope_that_the_roles_own_policies_would_widen_is_refused() {
    let stage = Stage::new();
    let mut target = target(DEV, HOUR);
    target.session.scope = Scope::ReadOnly;
    target.session.policy_arns = vec!["arn:aws:iam::aws:policy/PowerUserAccess".parse().unwrap()];
    let fault = faulted(stage.issue(&target, None, PERSON));
    assert_eq!(fault.exit, Exit::Usage);
    assert!(fault.what.ends_with("cannot be entered read-only"), "{fault:?}");
    target.session.policy_arns.clear();
    target.session.policy = Some(r#"{"Version":"2012-10-17","Statement":[]}"#.into());
    assert_eq!(faulted(stage.issue(&target, None, PERSON)).exit, Exit::Usage);
    assert_eq!(stage.wire(), [""; 0]);
    // The scope's own policy, named in the role too, widens nothing.
    target.session.policy = None;
    target.session.policy_arns = vec!["arn:aws:iam::aws:policy/ReadOnlyAccess".parse().unwrap()];
    stage.enter_with_code(&target);
}
