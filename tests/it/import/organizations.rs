//! `import organizations` in the embedded organization.

use std::path::Path;
use std::process::Command;

use sekisho::emulator::{
    AccessKey, Account, AccountStatus, Document, EmulatedDevice, Emulator, FaultInjection,
    Injection, Organization, Policy, Role, Times, User,
};

use super::{Said, run, sekisho};

const PHONE: &str = "arn:aws:iam::111111111111:mfa/tanaka";
const LIST: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"organizations:ListAccounts","Resource":"*"}}"#;
const ENTER: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"*"}}"#;
const TRUST: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111111111111:root"},"Action":"sts:AssumeRole"}}"#;

/// Forty-five dev accounts, one of them suspended: three pages.
fn start(policy: &str) -> Emulator {
    let mut organization = Organization::new("111111111111", "999999999999");
    for n in 0..45u64 {
        let id = (222_222_222_222 + n).to_string();
        let mut account = Account::new(&id, &format!("Team {}/Dev", n % 9));
        if n == 7 {
            account.status = AccountStatus::Suspended;
        }
        organization.accounts.push(account);
    }
    let mut user = User::new("tanaka");
    user.keys.push(AccessKey::new("AKIATANAKA0000000001", "secret"));
    user.devices
        .push(EmulatedDevice::Totp { serial: PHONE.into(), seed: *b"12345678901234567890" });
    user.policies.push(Policy::inline(policy).unwrap());
    organization.users.push(user);
    let mut role = Role::new("999999999999", "Auditor", Document::parse(TRUST).unwrap());
    role.policies.push(Policy::inline(LIST).unwrap());
    organization.roles.push(role);
    Emulator::start(organization).unwrap()
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

/// Runs it with a file to keep.
fn keep(emulator: &Emulator, home: &Path, more: &[&str]) -> Option<Said> {
    if !home.join("config.yaml").exists() {
        program(emulator, home)?;
    }
    let mut command = sekisho(home)?;
    command
        .env("AWS_ACCESS_KEY_ID", "AKIATANAKA0000000001")
        .env("AWS_SECRET_ACCESS_KEY", "secret")
        .env("SEKISHO_CONFIG", home.join("config.yaml"));
    // Each run signs in with a code of its own.
    emulator.advance(std::time::Duration::from_secs(30));
    let code = format!("{}\n", emulator.code(PHONE).unwrap());
    let words = ["import", "organizations", "--mfa-code", "-", "--write", "accounts.yaml"];
    Some(run(command, &[&words[..], more].concat(), &code, home))
}

fn text(home: &Path, file: &str) -> String {
    std::fs::read_to_string(home.join(file)).unwrap()
}

fn rename(emulator: &Emulator, id: &str, name: &str) {
    emulator.with(|organization| {
        let account = organization.accounts.iter_mut().find(|account| account.id == id).unwrap();
        name.clone_into(&mut account.name);
    });
}

/// Three accounts: two in a unit, one of them tagged.
fn small() -> Emulator {
    let emulator = start(&LIST.replace("organizations:ListAccounts", "organizations:*"));
    emulator.with(|organization| {
        organization
            .accounts
            .retain(|account| ["111111111111", "999999999999"].contains(&account.id.as_str()));
        for (id, name, units) in [
            ("222222222222", "prod", &["Workloads", "Prod"][..]),
            ("233333333333", "dev", &["Workloads", "Dev"]),
            ("244444444444", "sandbox", &[]),
        ] {
            let mut account = Account::new(id, name);
            account.units = units.iter().map(|unit| (*unit).to_owned()).collect();
            organization.accounts.push(account);
        }
        let dev = organization.accounts.iter_mut().find(|account| account.name == "dev").unwrap();
        dev.tags.push(("team".into(), "payments".into()));
    });
    emulator
}

#[test]
fn a_file_is_kept_and_included_and_who_is_known_keeps_the_name() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let emulator = small();
    let Some(asked) = keep(&emulator, home, &["--role", "Developer"]) else { return };
    assert_eq!(asked.code, 4, "{}", asked.whole());
    assert!(!home.join("accounts.yaml").exists());
    let first = keep(&emulator, home, &["--role", "Developer", "--yes"]).unwrap();
    insta::assert_snapshot!(first.whole().replace(emulator.url().as_str(), "URL"));
    insta::assert_snapshot!(text(home, "accounts.yaml"));
    let config = text(home, "config.yaml");
    assert!(config.contains("\ninclude: [accounts.yaml]\naccounts:"), "{config}");
    let check = || keep(&emulator, home, &["--role", "Developer", "--check"]).unwrap();
    assert_eq!(check().code, 0, "{}", check().whole());

    // Administrators rename theirs; a newcomer is called as a known one.
    rename(&emulator, "222222222222", "dev");
    emulator.with(|it| it.accounts.push(Account::new("255555555555", "Sandbox")));
    let old = text(home, "accounts.yaml");
    let outdated = check();
    assert_eq!((outdated.code, text(home, "accounts.yaml")), (1, old), "{}", outdated.whole());
    let second = keep(&emulator, home, &["--role", "Developer", "--yes"]).unwrap();
    assert_eq!(second.code, 0, "{}", second.whole());
    assert_eq!(text(home, "config.yaml"), config, "it is included already");
    insta::assert_snapshot!(text(home, "accounts.yaml"));
}

#[test]
fn a_name_that_would_lead_elsewhere_stops_the_write() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let emulator = small();
    let Some(first) = keep(&emulator, home, &["--role", "Developer", "--yes"]) else { return };
    assert_eq!(first.code, 0, "{}", first.whole());
    emulator.with(|organization| {
        organization.accounts.retain(|account| account.id != "222222222222");
        organization.accounts.push(Account::new("266666666666", "prod"));
    });
    let old = text(home, "accounts.yaml");
    let stopped = keep(&emulator, home, &["--role", "Developer", "--yes"]).unwrap();
    assert_eq!((stopped.code, text(home, "accounts.yaml")), (1, old), "{}", stopped.whole());
    assert!(stopped.stderr.contains("prod was 222222222222 and would be 266666666666"));
    let meant = ["--role", "Developer", "--yes", "--confirm", "prod"];
    let meant = keep(&emulator, home, &meant).unwrap();
    assert_eq!(meant.code, 0, "{}", meant.whole());
    assert!(text(home, "accounts.yaml").contains("name: prod\n    id: \"266666666666\""));
}

#[test]
fn a_file_of_somebody_elses_and_a_broken_list_leave_everything_as_it_was() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let emulator = small();
    std::fs::write(home.join("accounts.yaml"), "accounts: []  # mine\n").unwrap();
    let Some(foreign) = keep(&emulator, home, &["--yes"]) else { return };
    assert_eq!(foreign.code, 2, "{}", foreign.whole());
    assert_eq!(text(home, "accounts.yaml"), "accounts: []  # mine\n");
    std::fs::remove_file(home.join("accounts.yaml")).unwrap();
    assert_eq!(keep(&emulator, home, &["--role", "Developer", "--yes"]).unwrap().code, 0);
    let old = text(home, "accounts.yaml");
    emulator.with(|organization| {
        for n in 0..30u64 {
            let id = (300_000_000_000 + n).to_string();
            organization.accounts.push(Account::new(&id, &id.replace('3', "x")));
        }
    });
    // The second page does not come.
    emulator.inject(Injection {
        action: Some("ListAccounts".into()),
        times: Times::Next(1),
        what: FaultInjection::Late(std::time::Duration::ZERO, Box::new(FaultInjection::Garbage)),
    });
    let broken = keep(&emulator, home, &["--role", "Developer", "--yes"]).unwrap();
    assert_eq!((broken.code, text(home, "accounts.yaml")), (1, old), "{}", broken.whole());
}

#[test]
fn units_and_tags_choose_and_a_template_names() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let emulator = small();
    let unit = emulator.with(|it| it.unit(&["Workloads".to_owned()]));
    for (more, expected) in [
        (&["--ou", unit.as_str()][..], &["dev", "prod"][..]),
        (&["--ou", "Workloads/Dev"], &["dev"]),
        (&["--ou", "Workloads/Dev", "--ou", "Workloads"], &["dev", "prod"]),
        (&["--tag", "team"], &["dev"]),
        (&["--tag", "team=payments", "--ou", "Workloads"], &["dev"]),
        (&["--tag", "team=other"], &[]),
        (&["--name", "{ou}-{name}"], &["Dev-dev", "Prod-prod", "Root-sandbox"]),
        (&["--name", "{name}-{id}", "--tag", "team"], &["dev-233333333333"]),
    ] {
        let _ = std::fs::remove_file(home.join("accounts.yaml"));
        let _ = std::fs::remove_file(home.join("config.yaml"));
        let more = [&["--role", "Developer", "--yes"], more].concat();
        let Some(said) = keep(&emulator, home, &more) else { return };
        assert_eq!(said.code, 0, "{}", said.whole());
        let written = text(home, "accounts.yaml");
        let names: Vec<&str> =
            written.lines().filter_map(|line| line.trim().strip_prefix("- name: ")).collect();
        let names: Vec<&str> = names.iter().map(|it| it.split("  #").next().unwrap()).collect();
        assert_eq!(names, expected, "{more:?}\n{written}");
    }
    let nowhere = keep(&emulator, home, &["--ou", "Workloads/Nowhere", "--yes"]).unwrap();
    assert_eq!(nowhere.code, 2, "{}", nowhere.whole());
}

#[test]
fn five_thousand_accounts_come_over_although_aws_throttles() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let emulator = small();
    emulator.with(|organization| {
        for n in 0..5_000u64 {
            let id = (300_000_000_000 + n).to_string();
            organization.accounts.push(Account::new(&id, &format!("team-{}", n % 4_000)));
        }
    });
    emulator.inject(Injection {
        action: Some("ListAccounts".into()),
        times: Times::Next(4),
        what: FaultInjection::Throttle,
    });
    let Some(said) = keep(&emulator, home, &["--role", "Developer", "--yes"]) else { return };
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert_eq!(text(home, "accounts.yaml").matches("- name:").count(), 5_003);
    let check =
        run(sekisho(home).unwrap(), &["config", "check", "--config", "config.yaml"], "", home);
    assert!(check.stderr.contains("5004 accounts"), "{}", check.whole());
}
