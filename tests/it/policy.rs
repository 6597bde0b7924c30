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
use sekisho::domain::fault::Fault;
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
    let accounts = vec![
        account(
            "dev-tanaka",
            "222222222222",
            vec![developer(), role("Admin", "/ops/", 4, Scope::Full)],
        ),
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
