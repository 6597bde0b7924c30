//! The config: the documented example, bad and hostile files, overlays, guards, permissions.

mod bad;
mod files;
mod hostile;
mod overlay;
mod properties;

use std::collections::BTreeSet;
use std::path::Path;

use sekisho::domain::config::{Diagnostic, IncludedFile, Loaded, MainFile, Strictness, assemble};

const EXAMPLE: &str = include_str!("../../config.example.yaml");

/// A config from texts alone: the main file, then included ones named `team1.yaml`, `team2.yaml`, …
fn config(
    main: &str,
    includes: &[impl AsRef<str>],
    strictness: Strictness,
) -> Result<Loaded, Vec<Diagnostic>> {
    let includes = (1..).zip(includes).map(|(number, text)| {
        let path = format!("team{number}.yaml");
        IncludedFile::parse(Path::new(&path), number, text.as_ref())
    });
    let main = MainFile::parse(Path::new("config.yaml"), main);
    assemble(main, includes.collect(), strictness, &mut |file, name| {
        Err(format!("file {file} has no {name} beside it"))
    })
}

/// What a tolerant reading makes of texts that hold no fault in the main file.
fn loaded(main: &str, includes: &[&str]) -> Loaded {
    config(main, includes, Strictness::Tolerant).map_err(|complaints| told(&complaints)).unwrap()
}

fn told(complaints: &[Diagnostic]) -> String {
    let lines: Vec<String> = complaints.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

/// 10,000 accounts with three roles each, seven keys an account, as a program would write them.
fn large(accounts: usize) -> String {
    use std::fmt::Write as _;
    let mut text = String::from(
        "auth: {account: \"111111111111\", region: us-east-1}\ndefaults: {region: us-east-1}\naccounts:\n",
    );
    for n in 0..accounts {
        let _ = write!(
            text,
            "  - name: account-{n:05}\n    id: \"{:012}\"\n    aliases: [a{n}]\n    region: ap-northeast-{}\n    \
             tags: [team-{}, sandbox]\n    note: number {n} of many\n    roles: [Developer, ReadOnly, {{name: Admin, duration: 2h}}]\n",
            200_000_000_000 + n,
            n % 3 + 1,
            n % 40,
        );
    }
    text
}

#[test]
fn the_example_is_a_config_without_complaints() {
    let includes: [&str; 0] = [];
    let loaded = config(EXAMPLE, &includes, Strictness::Strict)
        .map_err(|complaints| told(&complaints))
        .unwrap();
    assert_eq!(told(&loaded.warnings), "");
    assert_eq!(loaded.config.catalog.accounts().len(), 8);
    assert!(loaded.config.catalog.find("開発-田中").is_ok());
    insta::assert_snapshot!("show_example", sekisho::domain::config::show::render(&loaded));
}

/// The keys that the sources ask a file for.
fn known_keys() -> BTreeSet<String> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/domain/config");
    let mut keys = BTreeSet::new();
    for file in std::fs::read_dir(folder).unwrap() {
        let code = std::fs::read_to_string(file.unwrap().path()).unwrap();
        let code = code.split_whitespace().collect::<Vec<_>>().join(" ");
        for before in ["reader, \"", "placed.get(\"", ".take(\"", "placed.get( \"", ".take( \""] {
            let asked = code.split(before).skip(1);
            keys.extend(asked.filter_map(|rest| rest.split('"').next().map(str::to_owned)));
        }
    }
    keys
}

#[test]
fn the_example_documents_every_key() {
    let keys = known_keys();
    assert!(keys.len() > 50, "{keys:?}");
    for key in keys {
        let is_there = EXAMPLE.contains(&format!("{key}:"));
        assert!(is_there, "{key} is not documented");
    }
}

#[test]
fn ten_thousand_accounts_are_cached_as_they_are() {
    let loaded = loaded(&large(10_000), &[]);
    let config = loaded.config;
    assert_eq!(config.catalog.rows().count(), 30_000);
    let json = serde_json::to_string(&config).unwrap();
    assert_eq!(serde_json::from_str::<sekisho::domain::config::Config>(&json).unwrap(), config);
}
