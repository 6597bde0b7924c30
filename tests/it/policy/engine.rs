//! An IAM engine that is not ours judges `requests.txt`, with every statement and condition in place and without each.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sekisho::domain::policy::{Documents, Format, PolicyKind};
use serde_json::{Value, json};

use super::{root, set};
use crate::support::program;

/// The engine's folder, made by `tests/it/policy/install.sh`; or says aloud that the test is skipped.
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

/// What the engine says about every request, and about every statement and condition taken out.
fn evaluate(set: &Documents, tools: &Path, node: &Path) -> Value {
    let here = root().join("tests/it/policy");
    let read = |name: &str| std::fs::read_to_string(here.join(name)).unwrap();
    let documents: Vec<Value> = set
        .files
        .iter()
        .filter(|document| document.kind.limit().is_some() && document.kind != PolicyKind::StackSetTemplate)
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
    child.stdin.take().unwrap().write_all(input.to_string().as_bytes()).unwrap();
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
            format!("requests.txt:{}: wanted {}, got {}", row["line"], row["want"], row["got"])
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
    assert!(unfelt.is_empty(), "no request tells whether these stand: {unfelt:#?}");
    assert_eq!(answer["unknown_actions"], json!([]), "AWS has no such actions");
}
