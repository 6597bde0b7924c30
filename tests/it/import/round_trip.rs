//! Profiles → import → merge → the ARNs that botocore resolves, into configs of every way of writing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use proptest::prelude::*;
use serde_json::Value;

use sekisho::domain::account::Catalog;
use sekisho::domain::config::edit::Layout;
use sekisho::domain::config::{Auth, Loaded, MainFile, Strictness, assemble};
use sekisho::domain::ids::{ExternalId, MfaSerial, RoleArn};
use sekisho::domain::import::from_profiles::{ImportOptions, merge};
use sekisho::domain::import::merge::{Existing, is_only_added};
use sekisho::domain::import::profiles::Profiles;
use sekisho::domain::known::Known;

use super::aws_config::{near_config, read};
use super::{run, sekisho};
use crate::support::program;

const SHAPES: &str = include_str!("shapes.txt");
const RESOLVE: &str = include_str!("resolve.py");
/// The key of the config's own user; roles behind any other are not taken.
const OURS: &str = "AKIAMAIN000000000001";

const BLOCK: &str = r#"# mine
version: 1
auth:
  account: "111111111111"
  mfa: [arn:aws:iam::111111111111:mfa/tanaka]   # phone
defaults: {roles: [Developer, {name: Ops, path: /ops/}], region: ap-northeast-1}

accounts:
  # sandboxes
  - name: dev          # daily
    id: "222222222222"
    aliases: [mine]
    guard: warn
    tags: [sandbox]
    roles: [Developer]   # the only one
    # roles: [Old]

  - name: stage
    id: "233333333333"
    note: |-
      free text
    # more of it
  # the end
min_guard: {sandbox: warn}
"#;

const UNINDENTED: &str = "version: 1
auth: {account: 111111111111}
defaults:
  roles:
  - Developer
  - 'a,b'
  region: eu-west-1
accounts:
- id: 222222222222
  name: dev
  aliases: [mine]
  roles:
  - Developer   # one
  - name: Extra
    path: /x/
    # of ours
- id: 233333333333
  name: stage";

const BRACES: &str = r#"version: 1
auth: {account: "111111111111", region: us-east-1}
defaults: {roles: [Developer]}
accounts: [{name: dev, id: "222222222222", aliases: [mine], roles: [Developer]}, {name: stage, id: "233333333333"}]  # all
store: file
"#;

const LINES_IN_BRACES: &str = r#"version: 1
auth: {account: "111111111111", region: us-east-1}
defaults: {roles: [Developer]}
accounts: [
    {
      name: dev,
      id: "222222222222",
      aliases: [mine],
      roles: [
        Developer,  # first
        {name: Extra, duration: 2h},
      ],
    },
    {name: stage, id: "233333333333", },  # last
]
"#;

const JSON: &str = r#"{"version": 1, "auth": {"account": "111111111111", "region": "us-east-1"},
 "defaults": {"roles": ["Developer"]},
 "accounts": [
  {"name": "dev", "id": "222222222222", "aliases": ["mine"], "roles": ["Developer"]},
  {"name": "stage", "id": "233333333333"}
 ]}
"#;

const EMPTY: &str =
    "version: 1\nauth: {account: \"111111111111\", region: us-east-1}\naccounts: []  # none yet\n";

const NONE: &str = "version: 1\nauth: {account: \"111111111111\", region: us-east-1}\n\n# files\nstore: file  # here\n# accounts: []\n";

const NULL: &str = "---\nversion: 1\nauth: {account: \"111111111111\", region: us-east-1}\naccounts:  # to come\n\nstore: file\n...\n";

const DOCUMENT: &str = "---\nversion: 1\nauth: {account: \"111111111111\", region: us-east-1}\nstore: file\n...\n# after the end\n";

const SPACED: &str = r#"version: 1
auth: {account: "111111111111", region: us-east-1}
accounts:
    -   name: dev
        id: "222222222222"
        aliases: [mine]
        roles:
            -   name: Developer
                guard: confirm

    -
        name: stage
        id: "233333333333"
        roles: &all [Developer]
"#;

fn olds() -> Vec<String> {
    let windows = BLOCK.replace('\n', "\r\n");
    let marked = format!("\u{FEFF}{BLOCK}");
    let mut olds: Vec<String> =
        [BLOCK, UNINDENTED, BRACES, LINES_IN_BRACES, JSON, EMPTY, NONE, NULL, DOCUMENT, SPACED]
            .map(str::to_owned)
            .to_vec();
    olds.extend([windows, marked]);
    olds
}

struct Shape {
    name: &'static str,
    /// Roles that aws-vault resolves, and botocore does not.
    also: Vec<&'static str>,
    config: String,
    credentials: String,
}

fn shapes() -> Vec<Shape> {
    let shape = |text: &'static str| {
        let (name, text) = text.split_once('\n').unwrap();
        let (config, credentials) = text.split_once("--- credentials\n").unwrap_or((text, ""));
        let also = |line: &&str| line.starts_with("also = ");
        let lines = |lines: Vec<&str>| lines.iter().flat_map(|line| [line, "\n"]).collect();
        Shape {
            name,
            also: config.lines().filter_map(|line| line.strip_prefix("also = ")).collect(),
            config: lines(config.lines().filter(|line| !also(line)).collect()),
            credentials: credentials.to_owned(),
        }
    };
    SHAPES.split("=== ").skip(1).map(shape).collect()
}

/// What botocore makes of each shape: by profile, its last AssumeRole call or why there is none.
fn resolved(folders: &[std::path::PathBuf]) -> Option<BTreeMap<String, BTreeMap<String, Value>>> {
    let python = program("python3")?;
    let mut command = Command::new(python);
    command.args(["-c", RESOLVE]).args(folders).env_clear();
    let kept = ["PATH", "HOME", "VIRTUAL_ENV"];
    command.envs(kept.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
    let output = command.env("AWS_EC2_METADATA_DISABLED", "true").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    if said.contains("No module named 'botocore'") {
        return program("botocore").map(|_| unreachable!("a module is no program"));
    }
    Some(serde_json::from_slice(&output.stdout).unwrap_or_else(|why| panic!("{why}: {said}")))
}

fn arns(catalog: &Catalog) -> BTreeSet<String> {
    catalog.rows().map(|row| catalog.role_arn(row).to_string()).collect()
}

/// Whether a text is another one with nothing but insertions.
fn has_only_insertions(before: &str, after: &str) -> bool {
    let mut rest = after.bytes();
    before.bytes().all(|byte| rest.any(|other| other == byte))
}

#[test]
fn every_shape_ends_as_the_arns_that_botocore_resolves() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    if sekisho(home).is_none() {
        return;
    }
    let shapes = shapes();
    assert!(shapes.len() >= 40);
    let folders: Vec<_> = (0..shapes.len()).map(|n| home.join(format!("{n}"))).collect();
    for (shape, folder) in shapes.iter().zip(&folders) {
        std::fs::create_dir(folder).unwrap();
        std::fs::write(folder.join("config"), &shape.config).unwrap();
        std::fs::write(folder.join("credentials"), &shape.credentials).unwrap();
    }
    let Some(resolved) = resolved(&folders) else { return };
    let olds = olds();
    for (n, (shape, folder)) in shapes.iter().zip(&folders).enumerate() {
        let calls = &resolved[&n.to_string()];
        // Where roles are added to accounts that are there, every way of writing counts; all with all take minutes.
        let ways: Vec<&String> = if shape.name.contains("new role") {
            olds.iter().collect()
        } else {
            vec![&olds[n % olds.len()], &olds[(n * 5 + 1) % olds.len()]]
        };
        for old in ways {
            check(home, shape, calls, folder, old);
        }
    }
}

fn check(home: &Path, shape: &Shape, calls: &BTreeMap<String, Value>, folder: &Path, before: &str) {
    let path = folder.join("merged.yaml");
    std::fs::write(&path, before).unwrap();
    let import = || {
        let mut command = sekisho(home).unwrap();
        command
            .env("AWS_CONFIG_FILE", folder.join("config"))
            .env("AWS_SHARED_CREDENTIALS_FILE", folder.join("credentials"))
            .env("SEKISHO_CONFIG", &path);
        run(command, &["import", "aws-config", "--write", "--yes"], "", home)
    };
    let said = import();
    let after = std::fs::read_to_string(&path).unwrap();
    let context = || format!("{}\n{before}\n{after}\n{}", shape.name, said.whole());
    assert_eq!(said.code, 0, "{}", context());
    assert!(!said.whole().contains("canary"), "{}", context());

    let is_ours = |call: &&Value| {
        let is_of_partition = call["arn"]
            .as_str()
            .is_some_and(|arn| arn.starts_with("arn:aws:") && arn.contains("role/"));
        call["key"] == OURS && call["hops"] == 1 && is_of_partition
    };
    let taken: Vec<&Value> = calls.values().filter(is_ours).collect();
    let (old, new) = (read(before), read(&after));
    let mut expected = arns(&old.catalog);
    expected.extend(shape.also.iter().map(|arn| (*arn).to_owned()));
    // Botocore sends what AWS would refuse; such an ARN is no role's.
    let is_arn = |arn: &&str| arn.parse::<RoleArn>().is_ok();
    expected.extend(
        taken.iter().filter_map(|call| call["arn"].as_str()).filter(is_arn).map(ToOwned::to_owned),
    );
    assert_eq!(arns(&new.catalog), expected, "{}", context());
    assert!(has_only_insertions(before, &after), "{}", context());

    // What was there stands as it was, under its names and guards.
    for account in old.catalog.accounts() {
        let now = new.catalog.accounts().iter().find(|now| now.id == account.id).unwrap();
        let mut now = now.clone();
        now.roles.truncate(account.roles.len());
        assert_eq!(&now, account, "{}", context());
    }
    // So does what signs in, with the devices and the program of its own user.
    let (was, now) = (&old.auth, &new.auth);
    let mut kept = now.clone();
    kept.mfa.truncate(was.mfa.len());
    kept.mfa_command.clone_from(&was.mfa_command);
    assert_eq!(&kept, was, "{}", context());
    let has = |auth: &Auth, serial: &str| auth.mfa.iter().any(|it| it.serial.as_str() == serial);
    let devices: Vec<&str> = taken.iter().filter_map(|call| call["device"].as_str()).collect();
    let is_same_user = devices.iter().any(|device| has(was, device));
    for device in devices {
        let is_one = is_same_user && device.parse::<MfaSerial>().is_ok();
        assert_eq!(has(now, device), is_one, "{device}: {}", context());
    }
    for call in &taken {
        let row = new.catalog.rows().find(|row| new.catalog.role_arn(*row).as_str() == call["arn"]);
        let Some(row) =
            row.filter(|row| !arns(&old.catalog).contains(new.catalog.role_arn(*row).as_str()))
        else {
            continue;
        };
        let role = new.catalog.row(row).1;
        let external_id = role.session.external_id.as_ref().map(ExternalId::as_str);
        assert_eq!(external_id, call["external_id"].as_str(), "{}", context());
        if let Some(seconds) = call["duration"].as_u64().filter(|seconds| *seconds >= 900) {
            assert_eq!(role.duration.as_secs(), seconds, "{}", context());
        }
    }
    // Nothing is lost silently: a role that is not there is named with its profile.
    for (profile, call) in calls {
        let is_there = call["arn"].as_str().is_some_and(|arn| arns(&new.catalog).contains(arn));
        let is_named = said.stderr.contains(profile.as_str()) || !shape.also.is_empty();
        assert!(is_there || is_named, "{profile}: {call}\n{}", context());
    }
    let again = import();
    assert!(again.stderr.contains("is up to date"), "{}\n{}", again.whole(), context());
    assert_eq!(std::fs::read_to_string(&path).unwrap(), after);
}

fn load(text: &str) -> Loaded {
    let main = MainFile::parse(Path::new("config.yaml"), text);
    let read = &mut |_, _: &str| Err("no file".to_owned());
    assemble(main, Vec::new(), Strictness::Strict, &Known::default(), read)
        .unwrap_or_else(|complaints| panic!("{}\n{text}", complaints[0]))
}

proptest! {
    /// Whatever the profiles say, however the config is written: there is a place for what is new.
    #[test]
    fn whatever_is_new_finds_its_place(
        profiles in near_config(), many in 1..4usize, n in any::<prop::sample::Index>(),
    ) {
        let old = &olds()[n.index(olds().len())];
        let key = "[profile k]\naws_access_key_id = A\nmfa_serial = arn:aws:iam::111111111111:mfa/tanaka\n";
        let role = |n| {
            let arn = format!("arn:aws:iam::22222222222{}:role/p/R{n}", n + 1);
            format!("[profile r{n}]\nrole_arn = {arn}\nsource_profile = k\n")
        };
        let roles = (0..many).map(role).collect::<Vec<_>>().concat();
        let profiles = Profiles::parse(&format!("{key}{roles}{profiles}"));
        let before = load(old);
        let layout = Layout::parse(old).unwrap();
        let auth_account = Some(before.config.auth.account);
        let auth = &before.config.auth;
        let options = ImportOptions {
            auth_account,
            partition: Some(auth.region.partition()),
            devices: auth.mfa.iter().map(|device| device.serial.clone()).collect(),
            ..ImportOptions::default()
        };
        if let Ok(merge) = merge(&profiles, &options, &Existing::new(&before, &layout)) {
            let after = layout.with(&merge.additions).expect("there is a place");
            prop_assert!(has_only_insertions(old, &after));
            prop_assert!(is_only_added(&before.config, &load(&after).config, &merge.additions), "{}", after);
        }
    }
}
