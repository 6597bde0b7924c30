//! Each guardrail opened in turn: what is open is found, and nothing else is called open.

use sekisho::domain::fault::Exit;
use sekisho::domain::verdict::Guardrail::{
    self, BackDoors, Device, Federation, LocalUsers, Organization, OtherDoors, Reads, Trust, User,
    Writes,
};
use sekisho::domain::verdict::Quarantine;
use sekisho::domain::verdict::Verdict::{self, Masked, NotProved, Open, Unconfirmed};
use sekisho::emulator::{Document, Organisation, Policy, Role};

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
    change: impl FnOnce(&mut Organisation),
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

fn guard(organisation: &mut Organisation, text: &str) {
    organisation.user("tanaka").unwrap().policies[0] = inline(text);
}

fn allow(organisation: &mut Organisation, action: &str) {
    let text =
        format!(r#"{{"Statement":{{"Effect":"Allow","Action":"{action}","Resource":"*"}}}}"#);
    organisation.user("tanaka").unwrap().policies.push(inline(&text));
}

fn without_guard(organisation: &mut Organisation) {
    organisation.user("tanaka").unwrap().policies.remove(0);
}

fn without_rcp(organisation: &mut Organisation) {
    organisation.account(DEV).unwrap().rcps.clear();
}

fn set_trust(organisation: &mut Organisation, condition: &str) {
    organisation.role(DEV, "Developer").unwrap().trust = trust(condition);
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
        |organisation| {
            without_guard(organisation);
            without_rcp(organisation);
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
        |organisation| {
            guard(organisation, &with(r#""Bool":{"aws:MultiFactorAuthPresent":"false"}"#));
            without_rcp(organisation);
        },
        &everything,
    );
    opened(
        "Null lets a session without MFA pass",
        |organisation| {
            guard(organisation, &with(r#""Null":{"aws:MultiFactorAuthPresent":"true"}"#));
            without_rcp(organisation);
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
            |organisation| {
                guard(organisation, &sparing(action));
                allow(organisation, action);
            },
            &[(guardrail, Open)],
        );
    }
    opened(
        "spared, allowed nowhere",
        |organisation| guard(organisation, &sparing("iam:ListUsers")),
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
        opened(condition, |organisation| set_trust(organisation, condition), &[(Trust, Open)]);
    }
    opened(
        "not understood",
        |organisation| {
            let text = trust(MFA).source().replace("\"Sid\"", "\"Comment\":\"x\",\"Sid\"");
            organisation.role(DEV, "Developer").unwrap().trust = Document::parse(&text).unwrap();
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
        |organisation| {
            without_rcp(organisation);
            without_guard(organisation);
            set_trust(organisation, "{}");
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
        |organisation| organisation.roles.push(door("Lambda", service)),
        &[],
    );
    let report = verify(&start(|organisation| {
        organisation.roles.push(door("Legacy", anyone));
    }));
    assert_eq!(verdicts(&report)[&BackDoors], Open);
    let evidence = &report.accounts[0].back_doors.evidence;
    assert_eq!(evidence.len(), 1);
    assert!(evidence[0].to_string().contains("role/old/Legacy"), "{}", evidence[0]);
}

#[test]
fn a_user_without_a_device_is_found() {
    let report = verify(&start(|organisation| {
        organisation.user("tanaka").unwrap().devices.clear();
    }));
    assert_eq!(verdicts(&report)[&Device], Open);
    assert_eq!(report.control_missing.as_deref(), Some("no code was given"));
    assert!(report.findings().all(|finding| !finding.verdict.stands()));
}

#[test]
fn a_trust_policy_that_may_not_be_read_is_masked_or_shown_by_the_refusals() {
    let blind = |organisation: &mut Organisation| {
        organisation.role(DEV, "Developer").unwrap().policies.clear();
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
        |organisation| {
            blind(organisation);
            without_guard(organisation);
            without_rcp(organisation);
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
        |organisation| organisation.roles.clear(),
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
    let report = verify(&start(|organisation| {
        let tanaka = organisation.user("tanaka").unwrap();
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
