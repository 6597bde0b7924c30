//! Every kind of door opened in turn in the emulated organization: found, named by its kind, and none invented.

use std::time::Duration;

use jiff::Timestamp;
use sekisho::domain::fault::Exit;
use sekisho::domain::guard::Guard;
use sekisho::domain::trust::DoorKind;
use sekisho::domain::verdict::Evidence;
use sekisho::domain::verdict::Guardrail::{self, BackDoors, LocalUsers, OtherDoors, Trust};
use sekisho::domain::verdict::Verdict::{NotProved, Open, Unconfirmed};
use sekisho::domain::verdict::report::{AccountReport, Report};
use sekisho::emulator::{
    AccessKey, Document, FaultInjection, Injection, KeyStatus, LastUsed, Organization, Role, Times,
    User,
};
use sekisho::services::verify::text::{self, Detail};
use sekisho::services::verify::{Chosen, Plan};

use super::stage::*;

/// A statement beside the one that asks the auth account's users for MFA, on the very role that is verified.
fn beside(statement: &str) -> impl FnOnce(&mut Organization) {
    let own = trust(MFA).source().replace("\"Statement\":{", "\"Statement\":[{");
    let text = format!("{},{statement}]}}", own.strip_suffix('}').unwrap());
    move |organization| {
        organization.role(DEV, "Developer").unwrap().trust = Document::parse(&text).unwrap();
    }
}

fn doors(report: &Report) -> Vec<DoorKind> {
    let evidence = report.accounts[0].other_doors.evidence.iter();
    evidence
        .filter_map(|evidence| match evidence {
            Evidence::Door { door, .. } => Some(door.kind),
            _ => None,
        })
        .collect()
}

fn allow(principal: &str, action: &str, condition: &str) -> String {
    format!(
        r#"{{"Sid":"Other","Effect":"Allow","Principal":{principal},"Action":"sts:{action}","Condition":{condition}}}"#
    )
}

#[test]
fn every_kind_of_door_is_found_and_none_is_invented() {
    use DoorKind::{
        AuthRole, ForeignAccount, IdentityCenter, Oidc, Organization, OwnAccount, Saml, Service,
    };
    let assume = "AssumeRole";
    let web = "AssumeRoleWithWebIdentity";
    let saml = "AssumeRoleWithSAML";
    let github = r#"{"Federated":"arn:aws:iam::222222222222:oidc-provider/token.actions.githubusercontent.com"}"#;
    let okta = r#"{"Federated":"arn:aws:iam::222222222222:saml-provider/okta"}"#;
    let center =
        r#"{"Federated":"arn:aws:iam::222222222222:saml-provider/AWSSSO_1_DO_NOT_DELETE"}"#;
    let aud = r#"{"StringEquals":{"SAML:aud":"https://signin.aws.amazon.com/saml"}}"#;
    let sub = r#"{"StringLike":{"token.actions.githubusercontent.com:sub":"repo:us/*"}}"#;
    for (statement, verdict, expected) in [
        (allow(r#"{"AWS":"666666666666"}"#, assume, "{}"), Open, vec![ForeignAccount]),
        (
            allow(
                r#"{"AWS":"666666666666"}"#,
                assume,
                r#"{"StringEquals":{"sts:ExternalId":"7f3a"}}"#,
            ),
            Unconfirmed,
            vec![],
        ),
        // Its administrator makes the devices there.
        (
            allow(
                r#"{"AWS":"666666666666"}"#,
                assume,
                r#"{"Bool":{"aws:MultiFactorAuthPresent":"true"}}"#,
            ),
            NotProved,
            vec![ForeignAccount],
        ),
        (
            allow(r#"{"AWS":"arn:aws:iam::111111111111:role/deploy"}"#, assume, "{}"),
            NotProved,
            vec![AuthRole],
        ),
        (allow(r#"{"AWS":"222222222222"}"#, assume, "{}"), NotProved, vec![OwnAccount]),
        (allow(r#"{"AWS":"999999999999"}"#, assume, "{}"), NotProved, vec![Organization]),
        (allow(github, web, "{}"), Open, vec![Oidc]),
        (allow(github, web, sub), Unconfirmed, vec![]),
        (allow(okta, saml, "{}"), Open, vec![Saml]),
        (allow(okta, saml, aud), NotProved, vec![Saml]),
        (allow(center, saml, aud), NotProved, vec![IdentityCenter]),
        (
            allow(r#"{"Service":"rolesanywhere.amazonaws.com"}"#, assume, "{}"),
            NotProved,
            vec![Service],
        ),
        (allow(r#"{"Service":"ec2.amazonaws.com"}"#, assume, "{}"), Unconfirmed, vec![]),
    ] {
        let report = verify(&start(beside(&statement)));
        let verdicts = verdicts(&report);
        let of = |guardrail: Guardrail| verdicts[&guardrail];
        assert_eq!((of(OtherDoors), doors(&report)), (verdict, expected), "{statement}");
        assert_eq!((of(Trust), of(BackDoors)), (Unconfirmed, Unconfirmed), "{statement}");
        let exit = if verdict == Open { Exit::Open } else { Exit::Undecided };
        assert_eq!(report.exit(), exit, "{statement}");
    }
}

/// A role of the auth account that the bare key may enter, or not.
fn with_hop(open: bool) -> Report {
    let trusted = allow(r#"{"AWS":"arn:aws:iam::111111111111:role/deploy"}"#, "AssumeRole", "{}");
    verify(&start(move |organization| {
        beside(&trusted)(organization);
        let deploy = Role::new(AUTH, "deploy", trust("{}"));
        organization.roles.push(deploy);
        if open {
            organization.user("tanaka").unwrap().policies.remove(0);
        }
    }))
}

#[test]
fn a_role_of_the_auth_account_is_tried_with_the_bare_key() {
    let closed = with_hop(false);
    assert_eq!(verdicts(&closed)[&OtherDoors], NotProved);
    let shown = closed.accounts[0].other_doors.evidence[0].to_string();
    assert!(shown.contains("from the key alone: AccessDenied, explicit deny"), "{shown}");
    let open = with_hop(true);
    assert_eq!(verdicts(&open)[&OtherDoors], Open);
    let shown = open.accounts[0].other_doors.evidence[0].to_string();
    assert!(shown.ends_with("from the key alone: allowed"), "{shown}");
}

#[test]
fn roles_that_cannot_be_tried_are_named_as_not_tried() {
    let statement = allow(
        r#"{"AWS":"111111111111"}"#,
        "AssumeRole",
        r#"{"StringEquals":{"aws:PrincipalType":"AssumedRole"}}"#,
    );
    let report = verify(&start(beside(&statement)));
    assert_eq!(verdicts(&report)[&OtherDoors], NotProved);
    let shown = report.accounts[0].other_doors.evidence[0].to_string();
    assert!(shown.ends_with("from the key alone: not tried"), "{shown}");
}

fn local(organization: &mut Organization, status: KeyStatus) {
    let mut user = User::new("legacy-ci");
    let mut key = AccessKey::new("AKIALEGACY0000000007", "x");
    key.status = status;
    key.created = Timestamp::now() - Duration::from_hours(24 * 400);
    let at = "2026-01-02T03:04:05Z".parse().unwrap();
    key.last_used = Some(LastUsed { at, service: "s3".into(), region: "eu-west-1".into() });
    user.keys.push(key);
    organization.account(DEV).unwrap().users.extend([user, User::new("nobody")]);
}

#[test]
fn keys_of_users_inside_the_account_are_reported_with_age_and_last_use() {
    let emulator = start(|organization| local(organization, KeyStatus::Active));
    let report = verify(&emulator);
    assert_eq!(verdicts(&report)[&LocalUsers], NotProved);
    let finding = &report.accounts[0].local_users;
    assert_eq!(finding.evidence.len(), 1);
    assert_eq!(
        finding.evidence[0].to_string(),
        "user legacy-ci: key …0007, active, 400 days old, last used 2026-01-02 for s3"
    );
    let text = text::report(&report, &auth(&emulator.url(), AUTH), Detail::Problems);
    assert!(text.contains("legacy-ci") && !text.contains("AKIALEGACY"), "{text}");

    let inactive = verify(&start(|organization| local(organization, KeyStatus::Inactive)));
    assert_eq!(verdicts(&inactive)[&LocalUsers], Unconfirmed);
    assert_eq!(inactive.accounts[0].local_users.evidence.len(), 1, "an inactive key is shown, too");
}

#[test]
fn a_list_of_roles_that_lacks_the_role_itself_proves_nothing() {
    let emulator = start(|_| {});
    let body = r#"<ListRolesResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><ListRolesResult><Roles></Roles>
        <IsTruncated>false</IsTruncated></ListRolesResult></ListRolesResponse>"#;
    emulator.inject(Injection {
        action: Some("ListRoles".into()),
        times: Times::UntilCleared,
        what: FaultInjection::Raw { status: 200, body: body.into() },
    });
    let report = verify(&emulator);
    let verdicts = verdicts(&report);
    assert_eq!((verdicts[&BackDoors], verdicts[&OtherDoors]), (NotProved, NotProved));
    assert!(report.accounts[0].back_doors.because.contains("does not contain arn:"), "{report:?}");
}

/// Three hundred accounts with two roles each, one of them open everywhere, and one exception: what was seen of
/// one account, with the ids and names of the others.
#[test]
fn many_accounts_with_the_same_finding_are_one_finding() {
    let one = |odd: bool| {
        let emulator = start(|organization| {
            let mut leaky = Role::new(DEV, "Leaky", trust("{}"));
            leaky.policies = organization.role(DEV, "Developer").unwrap().policies.clone();
            organization.roles.push(leaky);
            if odd {
                let trust = r#"{"Statement":{"Effect":"Allow","Principal":{"AWS":"666666666666"},"Action":"sts:AssumeRole"}}"#;
                organization.roles.push(Role::new(DEV, "Old", Document::parse(trust).unwrap()));
            }
        });
        let developer = target("dev-tanaka", DEV, Guard::None);
        let mut leaky = developer.clone();
        leaky.role = format!("arn:aws:iam::{DEV}:role/Leaky").parse().unwrap();
        let plan = Plan::new(vec![developer, leaky], Chosen::All);
        run(verify_in(&emulator, &plan, None, |_| {})).unwrap()
    };
    let (mut report, odd) = (one(false), one(true));
    let at = |account: &AccountReport, n: usize| -> AccountReport {
        let text = serde_json::to_string(account).unwrap();
        let text = text.replace(DEV, &format!("3000000{n:05}"));
        serde_json::from_str(&text.replace("dev-tanaka", &format!("dev-{n:05}"))).unwrap()
    };
    report.accounts = (0..300)
        .map(|n| at(if n == 7 { &odd.accounts[0] } else { &report.accounts[0] }, n))
        .collect();
    let text = text::report(&report, &auth("http://127.0.0.1:1", AUTH), Detail::Problems);
    assert!(text.lines().count() < 60, "{text}");
    let find = |line: &str| text.lines().position(|found| found.contains(line));
    let everywhere = find("Leaky: trust policy OPEN in 300 accounts");
    let exception = find("account: other doors OPEN in 1 account: anybody outside may enter");
    assert!(everywhere.is_some() && exception.is_some(), "{text}");
    assert!(text.contains("300 accounts: 300 OPEN"), "{text}");
}
