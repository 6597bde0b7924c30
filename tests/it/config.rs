//! The config: the documented example, bad and hostile files, overlays, guards, permissions.

mod bad;
mod files;
mod hostile;
mod overlay;
mod properties;

use std::path::Path;

use sekisho::domain::config::{Complaint, IncludedFile, Loaded, MainFile, Strictness, assemble};

const EXAMPLE: &str = include_str!("../../config.example.yaml");

/// A config from texts alone: the main file, then included ones named `team1.yaml`, `team2.yaml`, …
fn config(
    main: &str,
    includes: &[impl AsRef<str>],
    strictness: Strictness,
) -> Result<Loaded, Vec<Complaint>> {
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
    config(main, includes, Strictness::Tolerant)
        .map_err(|complaints| told(&complaints))
        .unwrap()
}

fn told(complaints: &[Complaint]) -> String {
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
    insta::assert_snapshot!(
        "show_example",
        sekisho::domain::config::show::render(&loaded)
    );
}

#[test]
fn the_example_documents_every_key() {
    // The keys of an empty config are those that its reader asks for: misspell each and it is named.
    for key in [
        "version",
        "auth",
        "account",
        "user",
        "key",
        "key_command",
        "mfa",
        "serial",
        "label",
        "mfa_command",
        "region",
        "session",
        "endpoint_url",
        "defaults",
        "roles",
        "duration",
        "store",
        "shell",
        "renew",
        "prompt",
        "prompt_compat",
        "after_shell",
        "order",
        "query",
        "symbols",
        "browser",
        "audit",
        "keys",
        "min_guard",
        "guardrails",
        "organization",
        "management_account",
        "sandbox_ou",
        "regions",
        "instance_types",
        "monthly_budget_usd",
        "exempt_roles",
        "trusted_accounts",
        "trusted_issuers",
        "max_key_age",
        "include",
        "accounts",
        "name",
        "id",
        "aliases",
        "path",
        "external_id",
        "scope",
        "policy_arns",
        "policy",
        "tags",
        "source_identity",
        "guard",
        "color",
        "note",
        "hide",
    ] {
        assert!(
            EXAMPLE.contains(&format!("{key}:")),
            "{key} is not documented"
        );
    }
}

#[test]
fn ten_thousand_accounts_are_cached_as_they_are() {
    let loaded = loaded(&large(10_000), &[]);
    let config = loaded.config;
    assert_eq!(config.catalog.rows().count(), 30_000);
    let json = serde_json::to_string(&config).unwrap();
    assert_eq!(
        serde_json::from_str::<sekisho::domain::config::Config>(&json).unwrap(),
        config
    );
}
