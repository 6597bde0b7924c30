//! `import organizations` in the embedded organisation.

use std::path::Path;
use std::process::Command;

use sekisho::emulator::{
    AccessKey, Account, AccountStatus, Document, EmulatedDevice, Emulator, Organisation, Policy,
    Role, User,
};

use super::{Said, run, sekisho};

const PHONE: &str = "arn:aws:iam::111111111111:mfa/tanaka";
const LIST: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"organizations:ListAccounts","Resource":"*"}}"#;
const ENTER: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"*"}}"#;
const TRUST: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111111111111:root"},"Action":"sts:AssumeRole"}}"#;

/// Forty-five dev accounts, one of them suspended: three pages.
fn start(policy: &str) -> Emulator {
    let mut organisation = Organisation::new("111111111111", "999999999999");
    for n in 0..45u64 {
        let id = (222_222_222_222 + n).to_string();
        let mut account = Account::new(&id, &format!("Team {}/Dev", n % 9));
        if n == 7 {
            account.status = AccountStatus::Suspended;
        }
        organisation.accounts.push(account);
    }
    let mut user = User::new("tanaka");
    user.keys.push(AccessKey::new("AKIATANAKA0000000001", "secret"));
    user.devices
        .push(EmulatedDevice::Totp { serial: PHONE.into(), seed: *b"12345678901234567890" });
    user.policies.push(Policy::inline(policy).unwrap());
    organisation.users.push(user);
    let mut role = Role::new("999999999999", "Auditor", Document::parse(TRUST).unwrap());
    role.policies.push(Policy::inline(LIST).unwrap());
    organisation.roles.push(role);
    Emulator::start(organisation).unwrap()
}

/// The program with a config for the emulator.
fn program(emulator: &Emulator, home: &Path) -> Option<Command> {
    let config = format!(
        "auth:\n  account: \"111111111111\"\n  user: tanaka\n  key: env\n  mfa: [{PHONE}]\n  endpoint_url: {}\nstore: none\n\
         defaults: {{region: eu-west-1, roles: [Developer]}}\naccounts: [{{name: management, id: \"999999999999\", roles: [Auditor]}}]\n",
        emulator.url()
    );
    std::fs::write(home.join("config.yaml"), config).unwrap();
    let mut command = sekisho(home)?;
    command
        .env("AWS_ACCESS_KEY_ID", "AKIATANAKA0000000001")
        .env("AWS_SECRET_ACCESS_KEY", "secret")
        .env("SEKISHO_CONFIG", home.join("config.yaml"));
    Some(command)
}

fn import(emulator: &Emulator, home: &Path, more: &[&str]) -> Option<Said> {
    let words = [&["import", "organizations", "--mfa-code", "-"], more].concat();
    let code = format!("{}\n", emulator.code(PHONE).unwrap());
    Some(run(program(emulator, home)?, &words, &code, home))
}

#[test]
fn every_active_account_comes_over() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let emulator = start(LIST);
    let Some(said) = import(&emulator, home, &["--role", "Developer"]) else {
        return;
    };
    insta::assert_snapshot!(said.whole());
    std::fs::write(home.join("accounts.yaml"), &said.stdout).unwrap();
    let config = std::fs::read_to_string(home.join("config.yaml")).unwrap();
    std::fs::write(home.join("main.yaml"), format!("include: [accounts.yaml]\n{config}")).unwrap();
    let check =
        run(sekisho(home).unwrap(), &["config", "check", "--config", "main.yaml"], "", home);
    assert_eq!(check.code, 0, "{}", check.whole());
    assert!(check.stderr.contains("45 accounts"), "{}", check.whole());
}

#[test]
fn a_refusal_says_who_may_list() {
    let home = tempfile::tempdir().unwrap();
    let emulator = start(ENTER);
    let Some(said) = import(&emulator, home.path(), &[]) else {
        return;
    };
    insta::assert_snapshot!(said.whole());
}

#[test]
fn a_role_of_the_management_account_may_list() {
    let home = tempfile::tempdir().unwrap();
    let emulator = start(ENTER);
    let Some(said) = import(&emulator, home.path(), &["--via", "management"]) else {
        return;
    };
    assert_eq!(said.code, 0, "{}", said.whole());
    assert_eq!(said.stdout.matches("- name:").count(), 44);
    assert!(!said.stdout.contains("defaults:"));
}

#[test]
fn without_a_code_nobody_is_listed() {
    let home = tempfile::tempdir().unwrap();
    let emulator = start(LIST);
    let Some(command) = program(&emulator, home.path()) else {
        return;
    };
    let said = run(command, &["import", "organizations"], "", home.path());
    insta::assert_snapshot!(said.whole());
}
