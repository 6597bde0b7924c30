//! `verify --users`: the credential report of the auth account, read by the real program.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use sekisho::emulator::{
    AccessKey, EmulatedDevice, Emulator, KeyStatus, LastUsed, Organization, Password, Policy, Role,
    User,
};

use super::stage::*;
use crate::import::{self, Said};

const READ: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["iam:GenerateCredentialReport",
    "iam:GetCredentialReport","sts:AssumeRole"],"Resource":"*"}}"#;

fn ago(days: u64) -> Timestamp {
    Timestamp::now() - Duration::from_hours(24 * days)
}

fn key(days: u64, used: Option<u64>) -> AccessKey {
    let mut key = AccessKey::new("AKIAOTHER00000000001", "other");
    key.created = ago(days);
    key.last_used = used.map(|days| LastUsed {
        at: ago(days),
        service: "s3".into(),
        region: "ap-northeast-1".into(),
    });
    key
}

const UNUSED: Password = Password { last_used: None };

fn used(days: u64) -> Password {
    Password { last_used: Some(ago(days)) }
}

fn user(name: &str, keys: Vec<AccessKey>, device: bool, password: Option<Password>) -> User {
    let mut user = User::new(name);
    user.keys = keys;
    if device {
        let serial = format!("arn:aws:iam::{AUTH}:u2f/user/{name}/key");
        user.devices.push(EmulatedDevice::Fido { serial });
    }
    user.password = password;
    user
}

/// The organization with an administrator; `change` adds users.
fn administered(change: impl FnOnce(&mut Organization)) -> Emulator {
    start(|organization| {
        organization.user("tanaka").unwrap().policies = vec![inline(GUARD), inline(READ)];
        change(organization);
    })
}

/// Everything that can be wrong.
fn careless(organization: &mut Organization) {
    organization.root_mfa = false;
    organization.root_keys.push(key(900, Some(800)));
    let mut inactive = key(700, None);
    inactive.status = KeyStatus::Inactive;
    organization.users.extend([
        user("abe", Vec::new(), false, Some(used(3))),
        user("ito,jiro", vec![key(10, Some(1))], false, None),
        user("kato", vec![key(200, Some(1)), key(5, Some(0))], true, Some(UNUSED)),
        user("mori", vec![key(400, Some(120)), inactive], true, None),
        user("ueda", Vec::new(), true, Some(used(1))),
    ]);
}

/// `verify --users` with these words; `None` where the program cannot be started.
pub fn ask(emulator: &Emulator, home: &Path, config: &str, words: &[&str]) -> Option<Said> {
    let config = format!(
        "auth:\n  account: \"{AUTH}\"\n  user: tanaka\n  key: env\n  mfa: [{PHONE}]\n  endpoint_url: {}\nstore: none\n\
         defaults: {{region: ap-northeast-1, roles: [Developer]}}\n{config}",
        emulator.url()
    );
    std::fs::write(home.join("config.yaml"), config).unwrap();
    let mut command = import::sekisho(home)?;
    command
        .env("AWS_ACCESS_KEY_ID", KEY)
        .env("AWS_SECRET_ACCESS_KEY", SECRET)
        .env("SEKISHO_CONFIG", home.join("config.yaml"));
    let code = format!("{}\n", emulator.code(PHONE).unwrap());
    let words = [&["verify", "--mfa-code", "-"], words].concat();
    Some(import::run(command, &words, &code, home))
}

const ACCOUNTS: &str = "accounts: [{name: dev-tanaka, id: \"222222222222\"}]\n";

fn users(emulator: &Emulator, words: &[&str]) -> Option<Said> {
    let home = tempfile::tempdir().unwrap();
    ask(emulator, home.path(), ACCOUNTS, &[&["--users"], words].concat())
}

/// A text without what differs from run to run.
fn steady(text: &str, emulator: &Emulator) -> String {
    let dates = regex(text);
    dates.replace(emulator.url().trim_start_matches("http://"), "HOST")
}

/// Dates become `DATE`.
fn regex(text: &str) -> String {
    let mut steady = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("20") {
        let (before, after) = rest.split_at(at);
        steady.push_str(before);
        let is_date = after.len() >= 10
            && after.as_bytes()[..10].iter().enumerate().all(|(i, byte)| match i {
                4 | 7 => *byte == b'-',
                _ => byte.is_ascii_digit(),
            });
        if is_date {
            steady.push_str("DATE");
            rest = &after[10..];
            if rest.starts_with(' ') && rest.get(3..4) == Some(":") {
                rest = &rest[6..];
            }
        } else {
            steady.push_str("20");
            rest = &after[2..];
        }
    }
    steady + rest
}

#[test]
fn each_careless_user_is_named_with_what_is_wrong() {
    let emulator = administered(careless);
    let Some(said) = users(&emulator, &[]) else { return };
    insta::assert_snapshot!("verify_users", steady(&said.whole(), &emulator));
    let calls: Vec<String> = emulator.calls().into_iter().map(|call| call.action).collect();
    let reads =
        ["GetSessionToken", "GetCallerIdentity", "GenerateCredentialReport", "GetCredentialReport"];
    assert!(calls.iter().all(|call| reads.contains(&call.as_str())), "{calls:?}");
}

#[test]
fn a_sound_account_ends_well_and_a_slow_report_is_waited_for() {
    let emulator = administered(|organization| organization.quirks.report_waits = 1);
    let Some(said) = users(&emulator, &["--json"]) else { return };
    assert_eq!(said.code, 0, "{}", said.whole());
    let report: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(report["schema"], 1);
    assert_eq!(report["read_as"], format!("arn:aws:iam::{AUTH}:user/tanaka"));
    assert_eq!(report["findings"], serde_json::json!([]));
    let tanaka = &report["users"][1];
    assert_eq!(tanaka["keys"][0]["active"], true);
    assert_eq!(tanaka["keys"][0]["age_days"], 40);
    let asked =
        emulator.calls().into_iter().filter(|call| call.action == "GenerateCredentialReport");
    assert_eq!(asked.count(), 3);
}

#[test]
fn three_hundred_users_fit_on_a_page() {
    let emulator = administered(|organization| {
        careless(organization);
        let more = (0..300).map(|n| match n % 3 {
            0 => user(&format!("user-{n:03}"), vec![key(40, Some(1))], true, None),
            1 => user(&format!("user-{n:03}"), vec![key(400, None)], false, Some(UNUSED)),
            _ => user(&format!("user-{n:03}"), vec![key(300, Some(200))], true, None),
        });
        organization.users.extend(more);
    });
    let Some(said) = users(&emulator, &[]) else { return };
    assert_eq!(said.code, 1, "{}", said.whole());
    let lines = said.stdout.lines().count();
    assert!(lines < 60, "{lines} lines\n{}", said.stdout);
    assert!(said.stdout.contains("101 users: abe"), "{}", said.stdout);
    let all = users(&administered(careless), &["--all"]).unwrap();
    assert!(all.stdout.contains("ueda"), "{}", all.stdout);
}

#[test]
fn whoever_may_not_is_told_which_permission_it_takes_and_who_has_it() {
    let emulator = start(|_| {});
    let Some(said) = users(&emulator, &[]) else { return };
    insta::assert_snapshot!("verify_users_refused", steady(&said.whole(), &emulator));
}

#[test]
fn a_role_of_the_auth_account_may_and_one_of_another_may_not() {
    let emulator = administered(|organization| {
        organization.user("tanaka").unwrap().policies[1] = inline(ENTER);
        let mut role = Role::new(AUTH, "Auditor", trust(MFA));
        role.policies.push(Policy::inline(READ).unwrap());
        organization.roles.push(role);
    });
    let home = tempfile::tempdir().unwrap();
    let accounts = format!(
        "accounts: [{{name: dev-tanaka, id: \"{DEV}\"}}, {{name: auth, id: \"{AUTH}\", roles: [Auditor]}}]\n"
    );
    let Some(said) = ask(&emulator, home.path(), &accounts, &["--users", "--via", "auth"]) else {
        return;
    };
    assert_eq!(said.code, 0, "{}", said.whole());
    assert!(said.stdout.contains("assumed-role/Auditor/tanaka"), "{}", said.stdout);
    emulator.advance(Duration::from_secs(30));
    let said = ask(&emulator, home.path(), &accounts, &["--users", "--via", "dev-tanaka"]).unwrap();
    assert_eq!(said.code, 2, "{}", said.whole());
    assert!(said.stderr.contains("the auth account 111111111111"), "{}", said.stderr);
}
