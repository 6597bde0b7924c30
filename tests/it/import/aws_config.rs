//! `import aws-config`: realistic files, hostile ones, and the way into the config.

use std::path::Path;

use proptest::prelude::*;

use sekisho::domain::config::{Config, MainFile, Strictness, assemble};
use sekisho::domain::import::from_profiles::{ImportOptions, convert};
use sekisho::domain::import::profiles::Profiles;
use sekisho::domain::known::Known;

use super::{mode, run, sekisho};

const AWS_VAULT: &str = include_str!("aws-vault.config");
const AWSUME: &str = include_str!("awsume.config");
const PARTITIONS: &str = include_str!("partitions.config");

pub fn read(yaml: &str) -> Config {
    let main = MainFile::parse(Path::new("config.yaml"), yaml);
    let read = &mut |_, _: &str| Err("no file".to_owned());
    let loaded = assemble(main, Vec::new(), Strictness::Strict, &Known::default(), read);
    loaded.unwrap_or_else(|complaints| panic!("{}\n{yaml}", complaints[0])).config
}

/// The config made of a file, and the remarks.
fn made(text: &str, options: &ImportOptions) -> (String, Config) {
    let imported = convert(&Profiles::parse(text), options).unwrap();
    let yaml = imported.draft.to_string();
    let config = read(&yaml);
    let roles: usize = config.catalog.accounts().iter().map(|account| account.roles.len()).sum();
    assert_eq!(roles, imported.taken);
    (format!("{yaml}\n{}", imported.remarks.join("\n")), config)
}

#[test]
fn aws_vaults_way_of_writing() {
    insta::assert_snapshot!(made(AWS_VAULT, &ImportOptions::default()).0);
}

#[test]
fn awsumes_way_of_writing() {
    insta::assert_snapshot!(made(AWSUME, &ImportOptions::default()).0);
}

/// granted keeps an IAM user's key behind a program, as 1Password does: only the person can say what it prints.
#[test]
fn a_named_program_that_prints_the_key_is_a_source_of_roles() {
    let text = "[profile base]\nregion = eu-west-1\ncredential_process = granted credential-process --profile base\n\
        [profile dev]\nrole_arn = arn:aws:iam::222222222222:role/Developer\nsource_profile = base\n\
        mfa_serial = arn:aws:iam::111111111111:mfa/tanaka\n";
    let profiles = Profiles::parse(text);
    let fault = convert(&profiles, &ImportOptions::default()).unwrap_err();
    assert!(fault.why.iter().any(|why| why.contains("--source PROFILE: dev")), "{fault:?}");
    let named = ImportOptions { source: Some("base".into()), ..ImportOptions::default() };
    let (text, config) = made(text, &named);
    assert!(text.contains("key: profile:base"), "{text}");
    assert!(!text.contains("left out"), "{text}");
    assert!(config.catalog.find("dev/Developer").is_ok());
}

#[test]
fn each_partition_is_a_world_of_its_own() {
    let (text, config) = made(PARTITIONS, &ImportOptions::default());
    insta::assert_snapshot!(text);
    let row = config.catalog.find("cn-a").unwrap();
    assert_eq!(
        config.catalog.role_arn(row).as_str(),
        "arn:aws-cn:iam::222222222222:role/Developer"
    );
}

#[test]
fn lines_may_end_as_on_windows() {
    let options = ImportOptions::default();
    let windows = format!("\u{FEFF}{}", AWS_VAULT.replace('\n', "\r\n"));
    assert_eq!(made(&windows, &options).0, made(AWS_VAULT, &options).0);
}

#[test]
fn another_auth_account_and_region_can_be_named() {
    let options = ImportOptions {
        auth_account: Some("999999999999".parse().unwrap()),
        region: Some("sa-east-1".parse().unwrap()),
        ..ImportOptions::default()
    };
    let (_, config) = made(AWSUME, &options);
    let names: Vec<&str> = config.catalog.accounts().iter().map(|a| a.name.as_str()).collect();
    assert_eq!(names, ["other-company"]);
    assert_eq!(config.auth.account.to_string(), "999999999999");
    assert_eq!(config.auth.region.as_str(), "sa-east-1");
}

#[test]
fn where_nothing_tells_the_auth_account_it_is_asked_for() {
    let text = "[profile a]\nrole_arn = arn:aws:iam::222222222222:role/R\nsource_profile = key\n[profile key]\n";
    let fault = convert(&Profiles::parse(text), &ImportOptions::default()).unwrap_err();
    insta::assert_snapshot!(format!("{fault:#?}"));
    let tells = format!("{text}aws_account_id = 111111111111\n");
    assert_eq!(made(&tells, &ImportOptions::default()).1.auth.account.to_string(), "111111111111");
    let nothing =
        convert(&Profiles::parse("[profile a]\nsso_session = s\n"), &ImportOptions::default());
    assert!(nothing.unwrap_err().why[0].contains("Identity Center"));
}

#[test]
fn thousands_of_profiles_become_a_config() {
    let profile = |n: u64| {
        format!(
            "[profile p{n}]\nrole_arn = arn:aws:iam::{:012}:role/p/R\nsource_profile = k\nregion = eu-west-{}\n\
             external_id = x{n}\nduration_seconds = 7200",
            300_000_000_000 + n % 20_000,
            n % 3 + 1,
        )
    };
    let device = "mfa_serial = arn:aws:iam::111111111111:mfa/t";
    let profiles: Vec<String> = (0..25_000).map(profile).collect();
    let text = format!("[default]\n{device}\n[profile k]\n{}", profiles.join("\n"));
    let imported = convert(&Profiles::parse(&text), &ImportOptions::default()).unwrap();
    let config = read(&imported.draft.to_string());
    assert_eq!(config.catalog.accounts().len(), 19_998, "of 20,000 profiles, two are no roles");
    // One account with more roles than a list may have.
    let profile = |n| {
        format!(
            "[profile p{n}]\nrole_arn = arn:aws:iam::222222222222:role/R{n}\nsource_profile = k\n{device}"
        )
    };
    let one = (0..2_000).map(profile).collect::<Vec<_>>().join("\n") + "\n[profile k]\n";
    assert_eq!(made(&one, &ImportOptions::default()).1.catalog.accounts()[0].roles.len(), 1_000);
}

/// Lines that are nearly an AWS config, in any order.
pub fn near_config() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        "(\\[profile |\\[|\\[ profile \")[a-c/ -]{0,3}(\"\\]|\\]|)",
        "(role_arn|mfa_serial)( = |=|: )arn:aws(-cn|):iam::(1{12}|2{12}|0{12}|x):(role|mfa|u2f)/(a/)?[A-C]{0,2}",
        "(source_profile|include_profile|external_id) = [a-c/ -]{0,3}",
        "(aws_access_key_id|mfa_process|session_tags|source_identity|granted_color|role_duration) = [a-c=,]{0,3}",
        "region = (us-east-1|cn-north-1|x)",
        "duration_seconds = (900|3600|7200|99999|-1)",
        "aws_account_id = (1{12}|2{12})",
        any::<String>(),
    ];
    prop::collection::vec(line, 0..60).prop_map(|lines| lines.join("\n"))
}

proptest! {
    #[test]
    fn whatever_is_made_is_a_config(text in near_config(), account in prop::option::of("[12]{12}")) {
        let account = account.map(|id| id.parse().unwrap());
        let options = ImportOptions { auth_account: account, ..ImportOptions::default() };
        if let Ok(imported) = convert(&Profiles::parse(&text), &options) {
            let config = read(&imported.draft.to_string());
            prop_assert_eq!(config.catalog.rows().count(), imported.taken);
            for remark in imported.remarks {
                prop_assert!(!remark.chars().any(sekisho::domain::text::is_deceptive), "{}", remark);
            }
        }
    }
}

#[test]
fn the_program_prints_a_config_that_it_takes() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let Some(command) = sekisho(home) else { return };
    std::fs::create_dir(home.join(".aws")).unwrap();
    std::fs::write(home.join(".aws/config"), AWSUME).unwrap();
    let said = run(command, &["import", "aws-config"], "", home);
    insta::assert_snapshot!(said.whole());
    assert!(!said.whole().to_lowercase().contains("canary"));
    assert!(!home.join(".config").exists(), "nothing is written without --write");
    std::fs::write(home.join("config.yaml"), &said.stdout).unwrap();
    let check = ["config", "check", "--config", "config.yaml"];
    assert_eq!(run(sekisho(home).unwrap(), &check, "", home).code, 0);
}

#[test]
fn the_program_writes_it_after_showing_it() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let Some(mut command) = sekisho(home) else {
        return;
    };
    std::fs::write(home.join("elsewhere"), PARTITIONS).unwrap();
    command.env("AWS_CONFIG_FILE", home.join("elsewhere"));
    let words = ["import", "aws-config", "--write"];
    let asked = run(command, &words, "", home);
    insta::assert_snapshot!(asked.whole());
    let path = home.join(".config/sekisho/config.yaml");
    assert!(!path.exists());

    let words = ["import", "aws-config", "--profile-file", "elsewhere", "--write", "--yes"];
    let again = || run(sekisho(home).unwrap(), &words, "", home);
    assert_eq!(again().code, 0);
    assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
    assert!(again().stderr.contains("is up to date"));
    // What is no config is not added to, nor replaced.
    std::fs::write(&path, "version: 1\n").unwrap();
    let refused = again();
    assert_eq!(refused.code, 2, "{}", refused.whole());
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "version: 1\n");
}

#[test]
fn a_file_that_cannot_be_read_is_said() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let Some(command) = sekisho(home) else { return };
    insta::assert_snapshot!(run(command, &["import", "aws-config"], "", home).whole());
    std::fs::write(home.join("latin"), b"[profile caf\xe9]\n").unwrap();
    let huge = std::fs::File::create(home.join("huge")).unwrap();
    huge.set_len(1 << 30).unwrap();
    for (file, why) in [
        ("latin", "not UTF-8"),
        ("huge", "larger than"),
        (".", "directory"),
        ("/dev/zero", "device"),
    ] {
        let said = run(
            sekisho(home).unwrap(),
            &["import", "aws-config", "--profile-file", file],
            "",
            home,
        );
        assert_eq!(said.code, 2, "{}", said.whole());
        assert!(said.stderr.contains(why), "{}", said.whole());
    }
}
