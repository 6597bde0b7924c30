//! The guardrail documents: evaluated by an engine that is not ours, checked by AWS's own linter, and whole.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use sekisho::domain::account::{Account, Catalog, Role, SessionOptions};
use sekisho::domain::config::{
    AfterShell, Auth, Config, Guardrails, KeySource, ListPrefs, Order, PromptCompat, RenewPref,
    ShellPrefs, StoreChoice, Symbols,
};
use sekisho::domain::guard::Guard;
use sekisho::domain::policy::{Documents, Format, Kind, render};
use sekisho::domain::scope::Scope;
use serde_json::{Value, json};

use crate::support::program;

fn role(name: &str, path: &str, hours: u64, scope: Scope) -> Arc<Role> {
    Arc::new(Role {
        name: name.parse().unwrap(),
        path: path.parse().unwrap(),
        duration: Duration::from_hours(hours),
        region: None,
        guard: Guard::None,
        session: SessionOptions {
            scope,
            ..SessionOptions::default()
        },
    })
}

fn account(name: &str, id: &str, roles: Vec<Arc<Role>>) -> Account {
    Account {
        name: name.parse().unwrap(),
        id: id.parse().unwrap(),
        aliases: Vec::new(),
        roles,
        region: None,
        color: None,
        guard: Guard::None,
        tags: Vec::new(),
        note: None,
    }
}

fn config() -> Config {
    let region = "ap-northeast-1".parse().unwrap();
    let developer = || role("Developer", "/", 1, Scope::Full);
    let mut admin = role("Admin", "/ops/", 4, Scope::Full);
    let tags = &mut Arc::make_mut(&mut admin).session.tags;
    tags.insert("purpose".into(), "operations".into());
    let accounts = vec![
        account("dev-tanaka", "222222222222", vec![developer(), admin]),
        account(
            "canary",
            "333333333333",
            vec![developer(), role("ReadOnly", "/", 1, Scope::ReadOnly)],
        ),
    ];
    Config {
        auth: Auth {
            account: "111111111111".parse().unwrap(),
            user: Some("tanaka".parse().unwrap()),
            key: KeySource::Auto,
            mfa: Vec::new(),
            mfa_command: None,
            region,
            session: Duration::from_hours(12),
            endpoint_url: None,
        },
        catalog: Catalog::new(accounts, None),
        store: StoreChoice::Auto,
        shell: ShellPrefs {
            program: None,
            renew: RenewPref::Prompt,
            mark_prompt: true,
            prompt_compat: PromptCompat::Auto,
        },
        list: ListPrefs {
            after_shell: AfterShell::List,
            order: Order::Frecency,
            query: String::new(),
            symbols: Symbols::Auto,
            keys: std::collections::BTreeMap::new(),
        },
        browser: None,
        audit: true,
        guardrails: Some(Guardrails {
            organization: Some("o-a1b2c3d4e5".into()),
            management_account: Some("999999999999".parse().unwrap()),
            sandbox_ou: Some("ou-a1b2-c3d4e5f6".into()),
            regions: ["ap-northeast-1", "us-east-1"]
                .map(|r| r.parse().unwrap())
                .to_vec(),
            instance_types: ["t3.*", "t4g.*"].map(String::from).to_vec(),
            monthly_budget_usd: Some(50),
            exempt_roles: vec!["arn:aws:iam::*:role/provisioning/*".into()],
            trusted_accounts: vec!["555555555555".parse().unwrap()],
            trusted_issuers: ["accounts.google.com", "urn:example:idp"]
                .map(String::from)
                .to_vec(),
            max_key_age: Duration::from_hours(90 * 24),
        }),
    }
}

fn set(format: Format) -> Documents {
    render(&config(), format).unwrap()
}

fn text<'a>(set: &'a Documents, file: &str) -> &'a str {
    let found = set.files.iter().find(|document| document.file == file);
    &found.unwrap_or_else(|| panic!("no {file}")).text
}

/// Writes a set where other programs can read it.
fn write(set: &Documents) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for document in &set.files {
        let file = dir.path().join(&document.file);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, &document.text).unwrap();
    }
    dir
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The engine's folder, made by `tests/it/policy/install.sh`; or says aloud that the test is skipped.
fn engine() -> Option<PathBuf> {
    let tools = root().join("target/policy-tools");
    if tools
        .join("node_modules/@cloud-copilot/iam-simulate")
        .is_dir()
    {
        return Some(tools);
    }
    assert!(
        std::env::var_os("CI").is_none(),
        "run tests/it/policy/install.sh first: CI skips nothing"
    );
    let _ = writeln!(
        std::io::stderr(),
        "SKIPPED, tests/it/policy/install.sh was not run: the guardrails were not evaluated"
    );
    None
}

/// What the engine says about every request, and about every statement and condition taken out.
fn evaluate(set: &Documents, tools: &Path, node: &Path) -> Value {
    let here = root().join("tests/it/policy");
    let read = |name: &str| std::fs::read_to_string(here.join(name)).unwrap();
    let documents: Vec<Value> = set
        .files
        .iter()
        .filter(|document| document.kind.limit().is_some() && document.kind != Kind::StackSetTemplate)
        .map(|document| {
            let policy: Value = serde_json::from_str(&document.text).unwrap();
            json!({"file": document.file, "kind": document.kind, "target": document.target, "policy": policy})
        })
        .collect();
    let world: Value = serde_json::from_str(&read("world.json")).unwrap();
    let input = json!({"world": world, "requests": read("requests.txt"), "documents": documents});
    let mut child = Command::new(node)
        .args([here.join("simulate.mjs").as_path(), tools])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.to_string().as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "the engine failed");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn an_independent_engine_agrees_with_every_row_and_feels_every_statement() {
    let (Some(node), Some(tools)) = (program("node"), engine()) else {
        return;
    };
    let answer = evaluate(&set(Format::Json), &tools, &node);
    let rows = answer["rows"].as_array().unwrap();
    assert!(rows.len() >= 80, "only {} requests", rows.len());
    let wrong: Vec<String> = rows
        .iter()
        .filter(|row| row["agrees"] != true)
        .map(|row| {
            format!(
                "requests.txt:{}: wanted {}, got {}",
                row["line"], row["want"], row["got"]
            )
        })
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    let mutants = answer["mutants"].as_array().unwrap();
    let unfelt: Vec<String> = mutants
        .iter()
        .filter(|mutant| mutant["line"] == 0)
        .map(|mutant| format!("{} without {}", mutant["file"], mutant["what"]))
        .collect();
    assert!(mutants.len() > 100, "only {} mutants", mutants.len());
    assert!(
        unfelt.is_empty(),
        "no request tells whether these stand: {unfelt:#?}"
    );
    assert_eq!(
        answer["unknown_actions"],
        json!([]),
        "AWS has no such actions"
    );
}

#[test]
fn every_statement_has_its_why_and_no_why_is_left_over() {
    let mut sids = BTreeSet::new();
    for document in set(Format::Json).files {
        let Ok(policy) = serde_json::from_str::<Value>(&document.text) else {
            continue;
        };
        for statement in policy["Statement"].as_array().into_iter().flatten() {
            let sid = statement["Sid"].as_str().unwrap();
            assert!(
                sid.bytes().all(|b| b.is_ascii_alphanumeric()),
                "AWS takes no such Sid: {sid}"
            );
            sids.insert(sid.to_owned());
        }
    }
    let why = std::fs::read_to_string(root().join("assets/policies/WHY.md")).unwrap();
    let explained: BTreeSet<String> = why
        .split("**")
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect();
    assert_eq!(sids, explained);
}

#[test]
fn every_name_is_filled_and_every_policy_is_within_its_limit() {
    for format in [Format::Json, Format::CloudFormation, Format::Terraform] {
        let set = set(format);
        let mut files = BTreeSet::new();
        for document in &set.files {
            assert!(
                !document.text.contains("{{"),
                "{} has an unfilled name",
                document.file
            );
            assert!(
                document.text.ends_with('\n') && files.insert(&document.file),
                "{}",
                document.file
            );
            if let (Ok(policy), Some(limit)) = (
                serde_json::from_str::<Value>(&document.text),
                document.kind.limit(),
            ) {
                let length = policy.to_string().chars().count();
                assert!(length <= limit, "{} has {length} characters", document.file);
            }
        }
        let manifest: Value = serde_json::from_str(text(&set, "manifest.json")).unwrap();
        let listed = manifest["documents"]
            .as_array()
            .unwrap()
            .iter()
            .map(|d| d["file"].as_str().unwrap());
        let written = files
            .iter()
            .map(|file| file.as_str())
            .filter(|file| !["manifest.json", "README.md"].contains(file));
        assert_eq!(listed.collect::<BTreeSet<_>>(), written.collect());
    }
}

/// Every policy document in a template, CloudFormation's own functions resolved for an account.
fn embedded(template: &Value, account: &str) -> BTreeSet<String> {
    fn resolve(value: &Value, account: &str) -> Value {
        match value {
            Value::Object(entries) => match entries.get("Fn::Sub").and_then(Value::as_str) {
                Some(text) => text.replace("${AWS::AccountId}", account).into(),
                None => entries
                    .iter()
                    .map(|(k, v)| (k.clone(), resolve(v, account)))
                    .collect(),
            },
            Value::Array(items) => items.iter().map(|item| resolve(item, account)).collect(),
            other => other.clone(),
        }
    }
    let mut found = BTreeSet::new();
    match template {
        Value::Object(entries) if entries.contains_key("Statement") => {
            found.insert(resolve(template, account).to_string());
        }
        Value::Object(entries) => entries
            .values()
            .for_each(|value| found.extend(embedded(value, account))),
        Value::Array(items) => items
            .iter()
            .for_each(|value| found.extend(embedded(value, account))),
        _ => {}
    }
    found
}

#[test]
fn stacks_and_modules_carry_the_very_policies_that_were_evaluated() {
    let json = set(Format::Json);
    let policies: Vec<_> = json
        .files
        .iter()
        .filter(|document| document.kind.limit().is_some())
        .collect();
    let stacks = set(Format::CloudFormation);
    let parse = |file: &str| serde_yaml::from_str::<Value>(text(&stacks, file)).unwrap();
    let organization = parse("organization.yaml");
    let body = organization["Resources"]["SwitchRoles"]["Properties"]["TemplateBody"]
        .as_str()
        .unwrap();
    assert_eq!(
        body,
        text(&stacks, "dev-account.yaml"),
        "the StackSet carries the template that stands beside it"
    );

    let mut carried = embedded(&parse("auth-account.yaml"), "");
    carried.extend(embedded(&organization, ""));
    for account in ["222222222222", "333333333333"] {
        carried.extend(embedded(&parse("dev-account.yaml"), account));
    }
    for policy in &policies {
        let compact = serde_json::from_str::<Value>(&policy.text)
            .unwrap()
            .to_string();
        assert!(
            carried.contains(&compact),
            "no stack carries {}",
            policy.file
        );
    }
    let modules = set(Format::Terraform);
    for policy in policies
        .iter()
        .filter(|policy| policy.kind != Kind::TrustPolicy)
    {
        assert_eq!(text(&modules, &policy.file), policy.text);
    }
    assert_eq!(text(&modules, "organization/dev-account.yaml"), body);
    let rules = parse("config-rules.yaml");
    let rules: BTreeSet<String> = rules["Resources"]
        .as_object()
        .unwrap()
        .values()
        .map(|rule| rule["Properties"].to_string())
        .collect();
    let listed: Vec<Value> =
        serde_json::from_str(text(&json, "auth-account/config-rules.json")).unwrap();
    assert_eq!(rules, listed.iter().map(Value::to_string).collect());
}

#[test]
fn awss_own_linter_finds_nothing() {
    let Some(lint) = program("cfn-lint") else {
        return;
    };
    let set = set(Format::CloudFormation);
    let dir = write(&set);
    let templates = set
        .files
        .iter()
        .filter(|document| document.file.ends_with(".yaml"));
    let output = Command::new(lint)
        .current_dir(&dir)
        .args(templates.map(|document| &document.file))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
}

#[test]
fn terraform_would_format_nothing() {
    let Some(terraform) = program("terraform") else {
        return;
    };
    let dir = write(&set(Format::Terraform));
    let output = Command::new(terraform)
        .args(["fmt", "-check", "-diff", "-recursive"])
        .arg(dir.path())
        .env("CHECKPOINT_DISABLE", "1")
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
}

#[test]
fn a_long_list_becomes_several_policies_and_an_endless_one_a_fault() {
    let with_roles = |count: usize| {
        let mut config = config();
        let roles = (0..count).map(|i| {
            role(
                &format!("Developer-of-the-team-{i:03}"),
                "/",
                1,
                Scope::Full,
            )
        });
        config.catalog = Catalog::new(vec![account("dev", "222222222222", roles.collect())], None);
        render(&config, Format::Json)
    };
    let set = with_roles(60).unwrap();
    let parts: Vec<_> = set
        .files
        .iter()
        .filter(|d| d.file.starts_with("organization/scp-sandbox/identity-"))
        .collect();
    assert!(parts.len() > 1, "60 roles fit one policy");
    let protected: BTreeSet<String> = parts
        .iter()
        .flat_map(|part| {
            let policy: Value = serde_json::from_str(&part.text).unwrap();
            assert!(policy.to_string().len() <= 5120);
            policy["Statement"].as_array().unwrap().clone()
        })
        .filter(|statement| {
            statement["Sid"]
                .as_str()
                .unwrap()
                .starts_with("ProtectSwitchRoles")
        })
        .flat_map(|statement| statement["Resource"].as_array().unwrap().clone())
        .map(|arn| arn.as_str().unwrap().to_owned())
        .collect();
    assert_eq!(protected.len(), 60, "every role stays protected");

    let faults = with_roles(120).unwrap_err();
    assert!(
        faults
            .iter()
            .any(|fault| fault.what.contains("policy switch") && fault.what.contains("5120")),
        "{faults:#?}"
    );
}

/// A config with one thing changed.
fn changed(change: impl FnOnce(&mut Config, &mut Guardrails)) -> Config {
    let mut config = config();
    let mut guardrails = config.guardrails.take().unwrap();
    change(&mut config, &mut guardrails);
    config.guardrails = Some(guardrails);
    config
}

#[test]
fn what_is_missing_or_wrong_is_named_by_its_key() {
    let exempt = |pattern: &'static str| changed(|_, g| g.exempt_roles = vec![pattern.into()]);
    let mut none = config();
    none.guardrails = None;
    let two_paths = changed(|c, _| {
        let accounts = [("a", "222222222222", "/"), ("b", "333333333333", "/x/")];
        let accounts = accounts.map(|(name, id, path)| {
            account(name, id, vec![role("Developer", path, 1, Scope::Full)])
        });
        c.catalog = Catalog::new(accounts.to_vec(), None);
    });
    let pattern_path = changed(|c, _| {
        c.catalog = Catalog::new(
            vec![account(
                "a",
                "222222222222",
                vec![role("Developer", "/*/", 1, Scope::Full)],
            )],
            None,
        );
    });
    for (config, key) in [
        (none, "`guardrails`"),
        (
            changed(|_, g| g.organization = None),
            "guardrails.organization",
        ),
        (
            changed(|_, g| g.organization = Some("o-\"x".into())),
            "guardrails.organization",
        ),
        (changed(|_, g| g.sandbox_ou = None), "guardrails.sandbox_ou"),
        (
            changed(|_, g| g.management_account = None),
            "guardrails.management_account",
        ),
        (
            changed(|c, g| g.management_account = Some(c.auth.account)),
            "auth.account",
        ),
        (
            changed(|_, g| g.instance_types = vec!["t3 micro".into()]),
            "guardrails.instance_types",
        ),
        (
            changed(|_, g| g.trusted_issuers = vec!["a b".into()]),
            "guardrails.trusted_issuers",
        ),
        (changed(|c, _| c.catalog = Catalog::default()), "`accounts`"),
        (two_paths, "`accounts`"),
        (pattern_path, "`accounts`"),
        (exempt("role/provisioning/*"), "guardrails.exempt_roles"),
        (
            exempt("arn:aws-cn:iam::*:role/provisioning/*"),
            "guardrails.exempt_roles",
        ),
        (exempt("arn:aws:iam::*:user/*"), "guardrails.exempt_roles"),
        (exempt("arn:aws:iam::*:role/*"), "guardrails.exempt_roles"),
        (
            exempt("arn:aws:iam::*:role/Dev*"),
            "guardrails.exempt_roles",
        ),
        (
            exempt("arn:aws:iam::*:role/ops/*"),
            "guardrails.exempt_roles",
        ),
    ] {
        let faults = render(&config, Format::Json).unwrap_err();
        assert!(
            faults.len() == 1 && faults[0].what.contains(key),
            "{key}: {faults:#?}"
        );
    }
    let all =
        changed(|_, g| (g.organization, g.sandbox_ou, g.management_account) = (None, None, None));
    assert_eq!(
        render(&all, Format::Terraform).unwrap_err().len(),
        3,
        "all at once"
    );
}

#[test]
fn what_the_config_does_not_say_is_left_out_and_said() {
    let bare = changed(|c, g| {
        g.regions.clear();
        g.instance_types.clear();
        g.trusted_accounts.clear();
        g.trusted_issuers.clear();
        g.monthly_budget_usd = None;
        let mut accounts = c.catalog.accounts().to_vec();
        let developer = || vec![role("Developer", "/", 1, Scope::Full)];
        accounts.push(account("auth", "111111111111", developer()));
        accounts.push(account("payer", "999999999999", developer()));
        c.catalog = Catalog::new(accounts, None);
    });
    for format in [Format::Json, Format::CloudFormation, Format::Terraform] {
        let set = render(&bare, format).unwrap();
        let left_out: Vec<&str> = set.left_out.iter().map(|left| left.what.as_str()).collect();
        assert_eq!(
            left_out,
            [
                "the switch roles of auth (111111111111)",
                "the switch roles of payer (999999999999)",
                "the limit to regions",
                "the limit to instance types",
                "budgets and the brake",
            ]
        );
        for left in &left_out {
            assert!(
                text(&set, "README.md").contains(left)
                    && text(&set, "manifest.json").contains(left)
            );
        }
        for document in &set.files {
            assert!(
                !document.file.contains("brake") && !document.file.contains("budget"),
                "{}",
                document.file
            );
            let guarded = document.kind != Kind::Readme && document.kind != Kind::Manifest;
            assert!(
                !guarded || !document.text.contains("WorkInTheseRegions"),
                "{}",
                document.file
            );
        }
    }
    // Nobody trusted means nobody: the exceptions vanish, never the denial.
    let set = render(&bare, Format::Json).unwrap();
    let rcp: Value =
        serde_json::from_str(text(&set, "organization/rcp-sandbox/entrance.json")).unwrap();
    assert_eq!(
        rcp["Statement"][1]["Condition"]["StringNotEqualsIfExists"],
        json!({"aws:PrincipalOrgID": "o-a1b2c3d4e5"})
    );
    assert_eq!(
        (
            &rcp["Statement"][2]["Condition"],
            &rcp["Statement"][3]["Condition"]
        ),
        (&Value::Null, &Value::Null)
    );
}

#[test]
fn another_partition_names_no_arn_of_this_one() {
    let china = changed(|c, g| {
        c.auth.region = "cn-north-1".parse().unwrap();
        g.exempt_roles.clear();
        let accounts = c.catalog.accounts().to_vec();
        c.catalog = Catalog::new(accounts, Some("cn-north-1".parse().unwrap()));
    });
    for format in [Format::Json, Format::CloudFormation, Format::Terraform] {
        for document in render(&china, format).unwrap().files {
            assert!(
                document.kind == Kind::Readme || !document.text.contains("arn:aws:"),
                "{}",
                document.file
            );
        }
    }
}

#[test]
fn many_accounts_get_several_budget_stacks() {
    let many = changed(|c, _| {
        let roles = vec![role("Developer", "/", 1, Scope::Full)];
        let accounts = (0..450).map(|i| {
            account(
                &format!("dev-{i}"),
                &format!("{:012}", 700_000_000_000_u64 + i),
                roles.clone(),
            )
        });
        c.catalog = Catalog::new(accounts.collect(), None);
    });
    let set = render(&many, Format::CloudFormation).unwrap();
    let budgets: Vec<_> = set
        .files
        .iter()
        .filter(|document| document.file.starts_with("budgets-"))
        .collect();
    assert_eq!(budgets.len(), 3);
    let budgeted: usize = budgets
        .iter()
        .map(|document| document.text.matches("\"7000").count())
        .sum();
    assert_eq!(budgeted, 450);
    assert!(
        text(&set, "dev-account.yaml").len() < 51_200,
        "the StackSet does not grow with the accounts"
    );
}

#[test]
fn the_manifest_and_the_readme_read_well() {
    let set = set(Format::CloudFormation);
    insta::assert_snapshot!("policy_manifest", text(&set, "manifest.json"));
    let (how, why) = text(&set, "README.md")
        .split_once("## Each statement, and why")
        .unwrap();
    insta::assert_snapshot!("policy_readme", how);
    assert!(why.contains("**DenyAllWithoutMfa**"));
}
