//! Each guardrail opened in turn: what is open is found, and nothing else is called open.

use sekisho::domain::fault::Exit;
use sekisho::domain::verdict::Guardrail::{
    self, BackDoors, Device, Federation, LocalUsers, Organization, OtherDoors, Reads, Trust, User,
    Writes,
};
use sekisho::domain::verdict::Quarantine;
use sekisho::domain::verdict::Verdict::{self, Masked, NotProved, Open, Unconfirmed};
use sekisho::emulator::{self, Document, Policy, Role};

use super::stage::*;

/// What is said where everything is closed; a row names only what differs.
const CLOSED: [(Guardrail, Verdict); 10] = [
    (Reads, Unconfirmed),
    (Writes, Unconfirmed),
    (Federation, Unconfirmed),
    (Device, Unconfirmed),
    (User, Unconfirmed),
    (Trust, Unconfirmed),
    (Organization, Masked),
    (BackDoors, Unconfirmed),
    (OtherDoors, Unconfirmed),
    (LocalUsers, Unconfirmed),
];

/// Opens something; then holds every verdict against the closed ones and the differences.
fn opened(
    name: &str,
    change: impl FnOnce(&mut emulator::Organization),
    differences: &[(Guardrail, Verdict)],
) {
    let report = verify(&start(change));
    let mut expected: std::collections::BTreeMap<_, _> = CLOSED.into_iter().collect();
    expected.extend(differences.iter().copied());
    assert_eq!(verdicts(&report), expected, "{name}");
    let open = expected.values().any(|verdict| *verdict == Open);
    let exit = if open { Exit::Open } else { Exit::Undecided };
    assert_eq!(report.exit(), exit, "{name}");
}

fn guard(organization: &mut emulator::Organization, text: &str) {
    organization.user("tanaka").unwrap().policies[0] = inline(text);
}

fn allow(organization: &mut emulator::Organization, action: &str) {
    let text =
        format!(r#"{{"Statement":{{"Effect":"Allow","Action":"{action}","Resource":"*"}}}}"#);
    organization.user("tanaka").unwrap().policies.push(inline(&text));
}

fn without_guard(organization: &mut emulator::Organization) {
    organization.user("tanaka").unwrap().policies.remove(0);
}

fn without_rcp(organization: &mut emulator::Organization) {
    organization.account(DEV).unwrap().rcps.clear();
}

fn set_trust(organization: &mut emulator::Organization, condition: &str) {
    organization.role(DEV, "Developer").unwrap().trust = trust(condition);
}

#[test]
fn nothing_is_open_where_all_is_closed() {
    opened("closed", |_| {}, &[]);
}

#[test]
fn a_missing_user_guard_is_found() {
    opened(
        "no guard, an RCP stands",
        without_guard,
        &[
            (Reads, Open),
            (Writes, Open),
            (Federation, Open),
            (User, Masked),
            (Organization, Unconfirmed),
        ],
    );
    opened(
        "no guard, only the trust policy stands",
        |organization| {
            without_guard(organization);
            without_rcp(organization);
        },
        &[
            (Reads, Open),
            (Writes, Open),
            (Federation, Open),
            (User, Open),
            (Organization, NotProved),
        ],
    );
}

#[test]
fn guards_that_look_right_and_are_not_are_found() {
    let with = |condition: &str| {
        GUARD.replace(r#""BoolIfExists":{"aws:MultiFactorAuthPresent":"false"}"#, condition)
    };
    let everything = [
        (Reads, Open),
        (Writes, Open),
        (Federation, Open),
        (User, Open),
        (Organization, NotProved),
    ];
    opened(
        "Bool lets the bare key pass",
        |organization| {
            guard(organization, &with(r#""Bool":{"aws:MultiFactorAuthPresent":"false"}"#));
            without_rcp(organization);
        },
        &everything,
    );
    opened(
        "Null lets a session without MFA pass",
        |organization| {
            guard(organization, &with(r#""Null":{"aws:MultiFactorAuthPresent":"true"}"#));
            without_rcp(organization);
        },
        &[(Reads, Open), (Writes, Open), (User, Open), (Organization, NotProved)],
    );
}

#[test]
fn a_call_that_the_guard_spares_is_found() {
    let sparing = |action: &str| {
        GUARD.replace(r#""iam:ListMFADevices""#, &format!(r#""iam:ListMFADevices","{action}""#))
    };
    for (action, guardrail) in [
        ("s3:ListAllMyBuckets", Reads),
        ("iam:ListUsers", Reads),
        ("organizations:DescribeOrganization", Reads),
        ("ec2:RunInstances", Writes),
        ("sts:GetFederationToken", Federation),
    ] {
        opened(
            action,
            |organization| {
                guard(organization, &sparing(action));
                allow(organization, action);
            },
            &[(guardrail, Open)],
        );
    }
    opened(
        "spared, allowed nowhere",
        |organization| guard(organization, &sparing("iam:ListUsers")),
        &[(Reads, NotProved)],
    );
}

#[test]
fn a_trust_policy_without_mfa_is_found_behind_closed_guards() {
    for condition in [
        "{}",
        r#"{"BoolIfExists":{"aws:MultiFactorAuthPresent":"true"}}"#,
        r#"{"Null":{"aws:MultiFactorAuthPresent":"false"}}"#,
    ] {
        opened(condition, |organization| set_trust(organization, condition), &[(Trust, Open)]);
    }
    opened(
        "not understood",
        |organization| {
            let text = trust(MFA).source().replace("\"Sid\"", "\"Comment\":\"x\",\"Sid\"");
            organization.role(DEV, "Developer").unwrap().trust = Document::parse(&text).unwrap();
        },
        &[
            (Trust, NotProved),
            (User, NotProved),
            (Organization, NotProved),
            (BackDoors, NotProved),
            (OtherDoors, NotProved),
            (LocalUsers, NotProved),
        ],
    );
}

#[test]
fn a_missing_rcp_hides_behind_the_user_guard_and_is_never_called_held() {
    opened("no RCP", without_rcp, &[]);
    opened(
        "no RCP, nothing before the trust policy",
        |organization| {
            without_rcp(organization);
            without_guard(organization);
            set_trust(organization, "{}");
        },
        &[
            (Reads, Open),
            (Writes, Open),
            (Federation, Open),
            (User, Open),
            (Trust, Open),
            (Organization, Open),
        ],
    );
}

#[test]
fn back_doors_are_found() {
    let door = |name: &str, trust: &str| {
        let mut role = Role::new(DEV, name, Document::parse(trust).unwrap());
        role.path = "/old/".into();
        role
    };
    let anyone = r#"{"Statement":{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole",
        "Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-sekisho42x"}}}}"#;
    let service = r#"{"Statement":{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}}"#;
    opened(
        "a service's role",
        |organization| organization.roles.push(door("Lambda", service)),
        &[],
    );
    let report = verify(&start(|organization| {
        organization.roles.push(door("Legacy", anyone));
    }));
    assert_eq!(verdicts(&report)[&BackDoors], Open);
    let evidence = &report.accounts[0].back_doors.evidence;
    assert_eq!(evidence.len(), 1);
    assert!(evidence[0].to_string().contains("role/old/Legacy"), "{}", evidence[0]);
}

#[test]
fn a_user_without_a_device_is_found() {
    let report = verify(&start(|organization| {
        organization.user("tanaka").unwrap().devices.clear();
    }));
    assert_eq!(verdicts(&report)[&Device], Open);
    assert_eq!(report.control_missing.as_deref(), Some("no code was given"));
    assert!(report.findings().all(|finding| !finding.verdict.stands()));
}

#[test]
fn a_trust_policy_that_may_not_be_read_is_masked_or_shown_by_the_refusals() {
    let blind = |organization: &mut emulator::Organization| {
        organization.role(DEV, "Developer").unwrap().policies.clear();
    };
    opened(
        "cannot be read",
        blind,
        &[
            (Trust, Masked),
            (BackDoors, NotProved),
            (OtherDoors, NotProved),
            (LocalUsers, NotProved),
        ],
    );
    opened(
        "cannot be read, but nothing else refuses",
        |organization| {
            blind(organization);
            without_guard(organization);
            without_rcp(organization);
        },
        &[
            (Reads, Open),
            (Writes, Open),
            (Federation, Open),
            (User, Open),
            (Organization, NotProved),
            (BackDoors, NotProved),
            (OtherDoors, NotProved),
            (LocalUsers, NotProved),
        ],
    );
}

#[test]
fn a_role_that_does_not_exist_is_not_proved() {
    opened(
        "no such role",
        |organization| organization.roles.clear(),
        &[
            (User, NotProved),
            (Trust, NotProved),
            (Organization, NotProved),
            (BackDoors, NotProved),
            (OtherDoors, NotProved),
            (LocalUsers, NotProved),
        ],
    );
}

#[test]
fn the_quarantine_is_shouted_and_proves_nothing() {
    let arn = "arn:aws:iam::aws:policy/AWSCompromisedKeyQuarantineV3";
    let report = verify(&start(|organization| {
        let tanaka = organization.user("tanaka").unwrap();
        tanaka.policies.insert(0, Policy::aws(arn).unwrap());
    }));
    assert_eq!(report.quarantine, Some(Quarantine::Named));
    assert!(report.control_missing.as_deref().unwrap().contains(arn));
    assert!(report.findings().all(|finding| !finding.verdict.stands()));
    let auth = auth("http://127.0.0.1:1", AUTH);
    let text = sekisho::services::verify::text::report(
        &report,
        &auth,
        sekisho::services::verify::text::Detail::Problems,
    );
    assert!(text.contains("AWS HAS QUARANTINED THIS KEY"), "{text}");
}
