//! The config: the documented example, bad and hostile files, overlays, guards, permissions.

mod bad;
mod files;
mod hostile;
mod known;
mod overlay;
mod properties;

use std::path::Path;

use sekisho::domain::config::schema::Section;
use sekisho::domain::config::{Diagnostic, IncludedFile, Loaded, MainFile, Strictness, assemble};
use sekisho::domain::known::Known;

const EXAMPLE: &str = include_str!("../../config.example.yaml");

/// A config from texts alone: the main file, then included ones named `team1.yaml`, `team2.yaml`, …
fn config(
    main: &str,
    includes: &[impl AsRef<str>],
    strictness: Strictness,
) -> Result<Loaded, Vec<Diagnostic>> {
    config_with(&Known::default(), main, includes, strictness)
}

/// The same where something is remembered of included targets.
fn config_with(
    known: &Known,
    main: &str,
    includes: &[impl AsRef<str>],
    strictness: Strictness,
) -> Result<Loaded, Vec<Diagnostic>> {
    let includes = (1..).zip(includes).map(|(number, text)| {
        let path = format!("team{number}.yaml");
        IncludedFile::parse(Path::new(&path), number, text.as_ref())
    });
    let main = MainFile::parse(Path::new("config.yaml"), main);
    assemble(main, includes.collect(), strictness, known, &mut |file, name| {
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

/// Every key of the schema, with its section.
fn keys() -> impl Iterator<Item = (Section, &'static str)> {
    Section::ALL.iter().flat_map(|section| section.keys().iter().map(|key| (*section, *key)))
}

#[test]
fn the_example_documents_every_key() {
    for (section, key) in keys() {
        let is_there = EXAMPLE.contains(&format!("{key}:"));
        assert!(is_there, "{key} of {section:?} is not documented");
    }
}

/// A main file, else sound, in which one key has a value that no key takes, and the line of that key.
fn with_bad(section: Section, key: &str) -> (String, usize) {
    let bad = |indent: &str| format!("\n{indent}{key}: [[]]");
    let (before, after) = match section {
        Section::Top => ("#".to_owned(), bad("")),
        Section::Auth => ("auth:".to_owned(), bad("  ")),
        Section::Device => ("auth:\n  mfa:\n  -".to_owned(), bad("    ")),
        Section::Include => ("include:\n  -".to_owned(), bad("    ")),
        Section::Defaults => ("defaults:".to_owned(), bad("  ")),
        Section::Guardrails => ("guardrails:".to_owned(), bad("  ")),
        Section::Account => ("accounts:\n  -".to_owned(), bad("    ")),
        Section::Role => ("defaults:\n  roles:\n  -".to_owned(), bad("    ")),
    };
    let line = before.lines().count() + 1;
    (before + &after, line)
}

#[test]
fn every_key_of_the_schema_is_read() {
    for (section, key) in keys() {
        let (text, line) = with_bad(section, key);
        let includes: [&str; 0] = [];
        let complaints = config(&text, &includes, Strictness::Strict).unwrap_err();
        let about_it = complaints.iter().any(|complaint| {
            complaint.place.pos.line as usize == line && !complaint.what.contains("unknown key")
        });
        assert!(about_it, "{key} of {section:?} takes anything:\n{text}\n{}", told(&complaints));
    }
}

#[test]
fn an_included_file_says_no_key_of_the_main_file() {
    let main = "auth: {account: '111111111111', region: us-east-1}\n";
    // What a role there may not have has a test of its own.
    let main_only = keys().filter(|(section, key)| section.is_main_only(key));
    for (section, key) in main_only.filter(|(section, _)| *section != Section::Role) {
        let loaded = loaded(main, &[&format!("{key}: x\n")]);
        let said = told(&loaded.warnings);
        let refused = said.contains(&format!("`{key}` is not allowed in an included file"));
        // An included file may say `region`, but below `defaults` and in accounts.
        assert_eq!(refused, key != "region", "{key} of {section:?}: {said}");
    }
}

#[test]
fn config_show_shows_every_key_in_the_order_of_the_schema() {
    let text = EXAMPLE
        .replace("mfa_command: null", "mfa_command: [code]")
        .replace("endpoint_url: null", "endpoint_url: https://sts.example.com")
        .replace("policy: null", "policy: '{\"Statement\": []}'");
    let page = sekisho::domain::config::show::render(&loaded(&text, &[]));
    // These three show in the accounts; `key_command` takes the place of `key`, `hide` leaves nothing.
    let elsewhere = ["defaults", "min_guard", "include", "key_command", "hide"];
    for section in
        [Section::Top, Section::Auth, Section::Guardrails, Section::Account, Section::Role]
    {
        let depth = match section {
            Section::Top => "",
            Section::Account => "    ",
            Section::Role => "        ",
            _ => "  ",
        };
        let mut keys = section.keys().iter().filter(|key| !elsewhere.contains(key));
        let shown = |key: &&str| page.contains(&format!("\n{depth}{key}:"));
        let missing: Vec<_> = keys.by_ref().filter(|key| !shown(key) && **key != "name").collect();
        assert!(missing.is_empty(), "{missing:?} of {section:?}\n{page}");
    }
    let positions: Vec<usize> = Section::Top
        .keys()
        .iter()
        .filter(|key| !elsewhere.contains(key))
        .map(|key| if *key == "version" { 0 } else { page.find(&format!("\n{key}:")).unwrap() })
        .collect();
    assert!(positions.is_sorted(), "{positions:?}\n{page}");
}

#[test]
fn ten_thousand_accounts_are_cached_as_they_are() {
    let loaded = loaded(&large(10_000), &[]);
    let config = loaded.config;
    assert_eq!(config.catalog.rows().count(), 30_000);
    let json = serde_json::to_string(&config).unwrap();
    assert_eq!(serde_json::from_str::<sekisho::domain::config::Config>(&json).unwrap(), config);
}
