//! `verify --drift`: what is attached in an emulated organization, compared by the real program with what it renders.

use std::collections::BTreeSet;
use std::path::Path;

use sekisho::emulator::{
    ControlKind, ControlPolicy, Document, Emulator, Group, Organization, Policy, Role, User,
};
use serde_json::Value;

use super::stage::*;
use super::users::ask;
use crate::import::{self, Said};

const READ_ORGANIZATION: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["organizations:List*","organizations:Describe*"],"Resource":"*"}}"#;
const READ_IAM: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["iam:GetAccountAuthorizationDetails","sts:AssumeRole"],"Resource":"*"}}"#;
const UNITS: [&str; 2] = ["Workloads", "Sandboxes"];

fn unit(organization: &Organization, depth: usize) -> String {
    organization.unit(&UNITS.map(str::to_owned)[..depth])
}

/// The config, for the emulated organization's ids.
fn config(organization: &Organization) -> String {
    format!(
        "accounts: [{{name: dev-tanaka, id: \"{DEV}\"}}, {{name: management, id: \"999999999999\", roles: [Auditor]}}]\n\
         guardrails:\n  organization: {}\n  management_account: \"999999999999\"\n  sandbox_ou: {}\n  \
         regions: [ap-northeast-1, us-east-1]\n  instance_types: [\"t3.*\", \"t4g.*\"]\n  monthly_budget_usd: 50\n",
        organization.id,
        unit(organization, 2),
    )
}

/// The JSON files that `policy --write` makes: path and text.
fn rendered(emulator: &Emulator, home: &Path, config: &str) -> Option<Vec<(String, String)>> {
    let text = format!(
        "auth: {{account: \"{AUTH}\", user: tanaka, endpoint_url: \"{}\"}}\ndefaults: {{region: ap-northeast-1, roles: [Developer]}}\n{config}",
        emulator.url()
    );
    std::fs::write(home.join("policy.yaml"), text).unwrap();
    let words = ["policy", "--config", "policy.yaml", "--write", "policies", "--yes"];
    let said = import::run(import::sekisho(home)?, &words, "", home);
    assert_eq!(said.code, 0, "{}", said.whole());
    let mut files = Vec::new();
    let mut open = vec![home.join("policies")];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "json") {
                let name = path.strip_prefix(home.join("policies")).unwrap();
                let text = std::fs::read_to_string(&path).unwrap();
                files.push((name.to_str().unwrap().to_owned(), text));
            }
        }
    }
    files.sort();
    Some(files)
}

/// Deploys the files as the README among them says, as somebody's own tool would spell them.
fn deploy(organization: &mut Organization, files: &[(String, String)]) {
    let (sandbox, auth) = (unit(organization, 2), organization.auth.clone());
    let mut group = Group {
        name: "sekisho-developers".into(),
        members: vec!["tanaka".into()],
        policies: Vec::new(),
    };
    for (number, (file, text)) in (1..).zip(files) {
        let stem = Path::new(file).file_stem().unwrap().to_str().unwrap();
        let text = respelled(text);
        let parse = || Document::parse_any_key(&text).unwrap();
        let (prefix, kind, targets) = match file.split('/').collect::<Vec<_>>()[..] {
            ["auth-account", "managed", _] => {
                let arn = format!("arn:aws:iam::{AUTH}:policy/sekisho-{stem}");
                group.policies.push(Policy { arn: Some(arn), document: parse() });
                continue;
            }
            ["auth-account", "switch.json"] => {
                group.policies.push(Policy { arn: None, document: parse() });
                continue;
            }
            ["organization", "scp-sandbox", _] => ("", ControlKind::Service, vec![sandbox.clone()]),
            ["organization", "rcp-sandbox", _] => {
                ("", ControlKind::Resource, vec![sandbox.clone()])
            }
            ["organization", "scp-auth-account", _] => {
                ("auth-", ControlKind::Service, vec![auth.clone()])
            }
            ["organization", "brake.json"] => ("", ControlKind::Service, Vec::new()),
            _ => continue,
        };
        let name = format!("sekisho-{prefix}{stem}");
        let arn = format!("arn:aws:organizations::999999999999:policy/o-x/p-{number}");
        organization.control_policies.push(ControlPolicy {
            id: format!("p-{number:08}"),
            name,
            kind,
            policy: Policy { arn: Some(arn), document: parse() },
            targets,
        });
    }
    organization.groups.push(group);
}

/// The same policy as another hand would write it: lists turned round, lists of one without brackets.
fn respelled(text: &str) -> String {
    fn turn(value: Value) -> Value {
        match value {
            Value::Array(items) if items.len() == 1 && items[0].is_string() => items[0].clone(),
            Value::Array(items) => items.into_iter().rev().map(turn).collect(),
            Value::Object(entries) => entries.into_iter().map(|(k, v)| (k, turn(v))).collect(),
            other => other,
        }
    }
    turn(serde_json::from_str(text).unwrap()).to_string()
}

/// The organization with everything deployed, and an auditor in the management account.
struct Deployed {
    emulator: Emulator,
    config: String,
    home: tempfile::TempDir,
}

impl Deployed {
    fn new() -> Option<Self> {
        let emulator = start(|organization| {
            organization.account(DEV).unwrap().units = UNITS.map(str::to_owned).into();
            // Not in the group, which binds its members: an administrator.
            organization.user("tanaka").unwrap().policies = vec![inline(GUARD), inline(READ_IAM)];
            organization.users.push(User::new("suzuki"));
            let mut role = Role::new("999999999999", "Auditor", trust(MFA));
            role.policies.push(inline(READ_ORGANIZATION));
            organization.roles.push(role);
        });
        let home = tempfile::tempdir().unwrap();
        let config = emulator.with(|organization| config(organization));
        let files = rendered(&emulator, home.path(), &config)?;
        emulator.with(|organization| {
            deploy(organization, &files);
            organization.groups[0].members = vec!["suzuki".into(), "tanaka".into()];
        });
        Some(Self { emulator, config, home })
    }

    fn asks(&self, words: &[&str]) -> Said {
        // Each code works once.
        self.emulator.advance(std::time::Duration::from_secs(30));
        ask(&self.emulator, self.home.path(), &self.config, &[&["--drift"], words].concat())
            .unwrap()
    }

    /// The report by the management account's auditor.
    fn audited(&self) -> (i32, Value) {
        let said = self.asks(&["--via", "management", "--json"]);
        let report = serde_json::from_str(&said.stdout);
        (said.code, report.unwrap_or_else(|error| panic!("{error}: {}", said.whole())))
    }

    /// Changes the text of a control policy, or of a policy of the group.
    fn edit(&self, name: &str, change: impl Fn(&mut Value)) {
        self.emulator.with(|organization| {
            let of_group = organization.groups.iter_mut().flat_map(|group| &mut group.policies);
            let of_group = of_group.filter(|policy| {
                policy.arn.as_ref().is_some_and(|arn| arn.ends_with(&format!("/{name}")))
            });
            let control = organization.control_policies.iter_mut().filter(|one| one.name == name);
            let mut edited = 0;
            for policy in control.map(|one| &mut one.policy).chain(of_group) {
                let mut value = serde_json::from_str(policy.document.source()).unwrap();
                change(&mut value);
                policy.document = Document::parse_any_key(&value.to_string()).unwrap();
                edited += 1;
            }
            assert_eq!(edited, 1, "{name}");
        });
    }
}

/// Set, drift and `Sid` of everything that is not the same.
fn drifted(report: &Value) -> Vec<(String, String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let places = report["places"].as_array().unwrap().iter();
    places
        .flat_map(|place| {
            let statements = place["statements"].as_array().unwrap().iter();
            statements
                .filter(|one| one["drift"] != "same")
                .map(|one| (text(&place["set"]), text(&one["drift"]), text(&one["sid"])))
        })
        .collect()
}

fn drift(set: &str, drift: &str, sid: &str) -> (String, String, String) {
    (set.into(), drift.into(), sid.into())
}

#[test]
fn what_was_deployed_as_rendered_has_not_drifted() {
    let Some(deployed) = Deployed::new() else { return };
    let said = deployed.asks(&["--via", "management"]);
    assert_eq!(said.code, 0, "{}", said.whole());
    let (code, report) = deployed.audited();
    assert_eq!((code, drifted(&report)), (0, Vec::new()));
    let sets: BTreeSet<&str> = report["places"]
        .as_array()
        .unwrap()
        .iter()
        .map(|place| place["set"].as_str().unwrap())
        .collect();
    assert_eq!(sets, BTreeSet::from(["auth-scp", "brake", "sandbox-rcp", "sandbox-scp", "users"]));
    for place in report["places"].as_array().unwrap() {
        let reader = place["read_as"].as_str().unwrap();
        let own = place["set"] == "users";
        assert_eq!(own, reader.ends_with(":user/tanaka"), "{reader}");
        assert_eq!(!own, reader.ends_with("assumed-role/Auditor/tanaka"), "{reader}");
    }
    for call in deployed.emulator.calls() {
        let reads = ["Get", "List", "Describe", "AssumeRole"].iter();
        assert!(reads.clone().any(|verb| call.action.starts_with(verb)), "{call:?}");
    }
}

#[test]
fn each_drift_is_found_and_none_is_invented() {
    let Some(deployed) = Deployed::new() else { return };
    let statements = |value: &mut Value| value["Statement"].as_array_mut().unwrap().clone();
    let first = std::cell::RefCell::new(String::new());
    // One statement less in the sandbox, an action less in the auth account, one more in the brake.
    deployed.edit("sekisho-places", |value| {
        let mut left = statements(value);
        *first.borrow_mut() = left.remove(0)["Sid"].as_str().unwrap().to_owned();
        value["Statement"] = left.into();
    });
    let missing = first.take();
    deployed.edit("sekisho-users", |value| {
        let mut left = statements(value);
        *first.borrow_mut() = left[0]["Sid"].as_str().unwrap().to_owned();
        left[0]["Effect"] = "Allow".into();
        value["Statement"] = left.into();
    });
    let changed = first.take();
    deployed.edit("sekisho-brake", |value| {
        let mut more = statements(value);
        let extra = r#"{"Sid":"DenyMore","Effect":"Deny","Action":"foo:*","Resource":"*"}"#;
        more.push(serde_json::from_str(extra).unwrap());
        value["Statement"] = more.into();
    });
    let (code, report) = deployed.audited();
    assert_eq!(code, 1);
    let mut found = drifted(&report);
    found.sort();
    assert_eq!(
        found,
        [
            drift("brake", "extra", "DenyMore"),
            drift("sandbox-scp", "missing", &missing),
            drift("users", "changed", &changed)
        ]
    );
    let said = deployed.asks(&["--via", "management"]);
    let host = deployed.emulator.url();
    let steady = said.whole().replace(host.trim_start_matches("http://"), "HOST");
    let steady: Vec<&str> = steady.lines().filter(|line| !line.starts_with("sekisho 0.")).collect();
    insta::assert_snapshot!("verify_drift", steady.join("\n"));
}

#[test]
fn a_policy_above_counts_and_one_that_was_detached_does_not() {
    let Some(deployed) = Deployed::new() else { return };
    let move_to = |name: &str, targets: Vec<String>| {
        deployed.emulator.with(|organization| {
            let of = |one: &&mut ControlPolicy| one.name == name;
            organization.control_policies.iter_mut().find(of).unwrap().targets = targets;
        });
    };
    move_to("sekisho-places", vec![deployed.emulator.with(|o| unit(o, 1))]);
    move_to("sekisho-entrance", vec![deployed.emulator.with(|o| o.root())]);
    let (code, report) = deployed.audited();
    assert_eq!((code, drifted(&report)), (0, Vec::new()), "bound from above");
    move_to("sekisho-entrance", Vec::new());
    let (code, report) = deployed.audited();
    assert_eq!(code, 1);
    assert!(!drifted(&report).is_empty());
    assert!(
        drifted(&report).iter().all(|(set, drift, _)| set == "sandbox-rcp" && drift == "missing")
    );
    let places = report["places"].as_array().unwrap();
    let place = places.iter().find(|place| place["set"] == "sandbox-rcp").unwrap();
    assert!(place["unattached"][0].as_str().unwrap().starts_with("sekisho-entrance"), "{place}");
    move_to("sekisho-entrance", vec![DEV.into()]);
    assert_eq!(deployed.audited().0, 1, "one account is not the unit");
}

#[test]
fn users_outside_the_group_are_named() {
    let Some(deployed) = Deployed::new() else { return };
    deployed.emulator.with(|organization| organization.groups[0].members = vec!["tanaka".into()]);
    let (code, report) = deployed.audited();
    assert_eq!((code, &report["places"][0]["users_outside"]), (1, &serde_json::json!(["suzuki"])));
    deployed.emulator.with(|organization| organization.groups.clear());
    let said = deployed.asks(&["--via", "management"]);
    assert!(said.stdout.contains("none of them is attached"), "{}", said.stdout);
}

#[test]
fn what_may_not_be_read_is_named_with_who_may() {
    let Some(deployed) = Deployed::new() else { return };
    // The person's own session may read IAM, and nothing of the organization.
    let said = deployed.asks(&[]);
    assert_eq!(said.code, 6, "{}", said.whole());
    for text in [
        "organizations:ListPolicies as arn:aws:iam::111111111111:user/tanaka: User:",
        "the management account and delegated administrators may",
    ] {
        assert!(said.stdout.contains(text), "{text}\n{}", said.stdout);
    }
    assert!(said.stdout.contains("the users' policy, group sekisho-developers"), "{}", said.stdout);
    // And the other way round.
    deployed.emulator.with(|organization| {
        organization.user("tanaka").unwrap().policies[1] = inline(ENTER);
    });
    let said = deployed.asks(&["--via", "management"]);
    assert_eq!(said.code, 6, "{}", said.whole());
    assert!(
        said.stdout.contains(
            "iam:GetAccountAuthorizationDetails as arn:aws:iam::111111111111:user/tanaka: User:"
        ),
        "{}",
        said.stdout
    );
    assert!(
        said.stdout.contains("an administrator of the auth account 111111111111"),
        "{}",
        said.stdout
    );
}

#[test]
fn a_unit_that_is_not_there_is_no_drift() {
    let Some(deployed) = Deployed::new() else { return };
    let own = deployed.emulator.with(|organization| unit(organization, 2));
    let config = deployed.config.replace(&own, "ou-zzzz-00000000");
    let deployed = Deployed { config, ..deployed };
    let said = deployed.asks(&["--via", "management"]);
    assert!(said.stdout.contains("check that `guardrails.sandbox_ou`"), "{}", said.whole());
}

#[test]
fn without_an_organization_the_users_policy_is_compared() {
    let Some(deployed) = Deployed::new() else { return };
    let alone = deployed.config.split("guardrails").next().unwrap().to_owned();
    let deployed = Deployed { config: alone, ..deployed };
    let said = deployed.asks(&["--json"]);
    let report: Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(report["places"].as_array().unwrap().len(), 1, "{}", said.stdout);
    assert!(said.stderr.contains("not generated, so not compared"), "{}", said.stderr);
}
