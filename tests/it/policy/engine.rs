//! The request table, evaluated by two engines: ours, as `policy --check` runs it, and one that is not ours.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sekisho::domain::policy::{Bearing, Document, Format, Language, Row, Wanted, render, requests};
use sekisho::emulator::{self, Attachment, Outcome, Ruling, Simulated};
use serde_json::{Value, json};

use super::{changed, config, root};
use crate::support::program;

/// A policy, as it is attached and as our engine reads it.
pub(super) struct Attached {
    pub document: Document,
    pub read: emulator::Document,
}

pub(super) fn attached(config: &sekisho::domain::config::Config) -> Vec<Attached> {
    let files = render(config, Format::Json, Language::English).unwrap().files;
    let policies = files.into_iter().filter(|document| document.kind.is_policy());
    policies
        .map(|document| {
            let read = emulator::Document::parse_any_key(&document.text).unwrap();
            Attached { document, read }
        })
        .collect()
}

/// A row as our engine asks it.
pub(super) fn simulated(row: &Row) -> Simulated<'_> {
    let request = &row.request;
    let keys = request.keys.iter();
    Simulated {
        action: &request.action,
        resource: &request.resource,
        principal: &request.principal,
        home: request.home.as_deref(),
        account: &request.account,
        keys: keys.map(|(key, values)| (key.to_ascii_lowercase(), values.clone())).collect(),
        is_admin: request.is_admin,
        asks_trust: request.asks_trust(),
    }
}

pub(super) const fn attachment(bearing: Bearing) -> Attachment {
    match bearing {
        Bearing::Identity => Attachment::Identity,
        Bearing::ServiceControl => Attachment::ServiceControl,
        Bearing::ResourceControl => Attachment::ResourceControl,
        Bearing::Trust => Attachment::Resource,
    }
}

/// The trust policy of a role that is not in the documents.
pub(super) fn other_trust(row: &Row, simulated: &Simulated<'_>) -> Option<Ruling> {
    let trust = row.request.trust.as_ref()?;
    let read = emulator::Document::parse_any_key(&trust.to_string()).unwrap();
    Some(simulated.ruling(Attachment::Resource, &read))
}

pub(super) fn holds(wanted: Wanted, outcome: Outcome) -> bool {
    match wanted {
        Wanted::Allow => outcome == Outcome::Allowed,
        Wanted::Deny => outcome != Outcome::Allowed,
        Wanted::Undenied => outcome != Outcome::Denied,
    }
}

fn ours(row: &Row, documents: &[Attached]) -> Outcome {
    let simulated = simulated(row);
    let bearing = documents.iter().filter_map(|attached| {
        let bearing = row.request.bearing(&attached.document)?;
        Some(simulated.ruling(attachment(bearing), &attached.read))
    });
    let rulings: Vec<Ruling> = bearing.chain(other_trust(row, &simulated)).collect();
    simulated.conclude(&rulings).outcome
}

/// Configs that turn every option of the guardrails the other way.
fn variants() -> Vec<(&'static str, sekisho::domain::config::Config)> {
    vec![
        ("everything set", config()),
        (
            "lists empty",
            changed(|_, g| {
                g.regions.clear();
                g.instance_types.clear();
                g.allowed_models.clear();
                g.allowed_products.clear();
                g.trusted_accounts.clear();
                g.trusted_issuers.clear();
                g.exempt_roles.clear();
                g.monthly_budget_usd = None;
                g.allow_ses_smtp = true;
            }),
        ),
        ("models without products", changed(|_, g| g.allowed_products.clear())),
        ("no organization", {
            let mut config = config();
            config.guardrails = None;
            config
        }),
    ]
}

#[test]
fn every_row_is_right_whatever_the_config_sets() {
    for (name, config) in variants() {
        let documents = attached(&config);
        let table = requests(&config).unwrap();
        let wrong: Vec<String> = table
            .rows
            .iter()
            .filter_map(|row| {
                let got = ours(row, &documents);
                (!holds(row.wanted, got)).then(|| described(row, &format!("{got:?}")))
            })
            .collect();
        let unused: usize = table.unused.iter().map(|unused| unused.rows).sum();
        let _ = writeln!(std::io::stderr(), "{name}: {} rows, {unused} unused", table.rows.len());
        assert!(wrong.is_empty(), "{name}: {wrong:#?}");
    }
    let table = requests(&config()).unwrap();
    assert_eq!(table.unused, [], "the tests' config uses every row");
    assert!(table.rows.len() >= 400, "only {} rows", table.rows.len());
}

fn described(row: &Row, got: &str) -> String {
    let request = &row.request;
    format!(
        "{}:{} {} {} {}: wanted {:?}, got {got}",
        row.table.name(),
        row.line,
        request.who,
        request.action,
        request.resource,
        row.wanted
    )
}

/// The engine's folder, made by `tests/it/policy/install.sh`; or a notice that the test is skipped.
fn engine() -> Option<PathBuf> {
    let tools = root().join("target/policy-tools");
    if tools.join("node_modules/@cloud-copilot/iam-simulate").is_dir() {
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

/// What the engine says about every row.
fn theirs(rows: &[Row], documents: &[Attached], tools: &Path, node: &Path) -> Value {
    let policies: Vec<Value> = documents
        .iter()
        .map(|Attached { document, .. }| {
            let policy: Value = serde_json::from_str(&document.text).unwrap();
            json!({"file": document.file, "policy": policy})
        })
        .collect();
    let rows: Vec<Value> = rows
        .iter()
        .map(|row| {
            let bearing: BTreeMap<usize, String> = documents
                .iter()
                .enumerate()
                .filter_map(|(at, attached)| {
                    Some((at, format!("{:?}", row.request.bearing(&attached.document)?)))
                })
                .collect();
            json!({"request": row.request, "bearing": bearing})
        })
        .collect();
    let input = json!({"rows": rows, "documents": policies});
    let mut child = Command::new(node)
        .args([root().join("tests/it/policy/simulate.mjs").as_path(), tools])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "the engine failed");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Condition keys and actions that AWS has and the engine's data lacks: their rows are left to our engine.
const NOT_IN_ITS_DATA: [&str; 4] = [
    "aws-marketplace:ProductId",
    "bedrock:InferenceProfileArn", // for CreateModelInvocationJob only
    "ec2:Attribute/InstanceType",
    "signin:CreateOAuth2TokenWithIAM",
];

#[test]
fn an_independent_engine_agrees_with_every_row() {
    let (Some(node), Some(tools)) = (program("node"), engine()) else {
        return;
    };
    let config = config();
    let documents = attached(&config);
    let rows = requests(&config).unwrap().rows;
    let answer = theirs(&rows, &documents, &tools, &node);
    let mut wrong = Vec::new();
    let mut left = Vec::new();
    for (row, answer) in rows.iter().zip(answer["rows"].as_array().unwrap()) {
        let lacks = answer["ignored"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let lacks: Vec<&str> = lacks.chain([row.request.action.as_str()]).collect();
        if lacks.iter().any(|name| NOT_IN_ITS_DATA.contains(name)) {
            left.push(described(row, "left to our engine"));
            continue;
        }
        let their_outcome = match answer["got"].as_str() {
            Some("Allowed") => Outcome::Allowed,
            Some("ExplicitlyDenied") => Outcome::Denied,
            Some("ImplicitlyDenied") => Outcome::NotAllowed,
            _ => {
                wrong.push(described(row, &answer.to_string()));
                continue;
            }
        };
        let ignores = answer["ignored"].as_array().is_some_and(|keys| !keys.is_empty());
        let our_outcome = ours(row, &documents);
        if ignores || !holds(row.wanted, their_outcome) || their_outcome != our_outcome {
            wrong.push(described(row, &format!("{answer}, we {our_outcome:?}")));
        }
    }
    let _ = writeln!(std::io::stderr(), "{} rows, left to our engine: {left:#?}", rows.len());
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(left.len() <= 16, "{left:#?}");
    let unknown: Vec<&str> = answer["unknown_actions"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .filter(|unknown| !NOT_IN_ITS_DATA.iter().any(|known| unknown.ends_with(known)))
        .collect();
    assert!(unknown.is_empty(), "AWS has no such actions: {unknown:#?}");
}
