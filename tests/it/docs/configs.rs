//! Configs and policies in the documentation. A block ```` ```yaml ```` is a config of sekisho's, whole or a part; YAML
//! of other programs is ```` ```yml ````.

use std::path::Path;

use sekisho::domain::config::{MainFile, Strictness, assemble};
use sekisho::domain::known::Known;

use super::markdown::{Block, Page, manual};

fn blocks<'a>(page: &'a Page, language: &'a str) -> impl Iterator<Item = &'a Block> {
    page.blocks.iter().filter(move |block| block.info.split(' ').next() == Some(language))
}

/// A part of a config with what it lacks to be one.
fn completed(part: &str) -> String {
    let has = |key: &str| part.lines().any(|line| line.starts_with(&format!("{key}:")));
    let mut text = String::new();
    for (key, value) in [
        ("version", "1"),
        ("auth", "{account: \"111111111111\"}"),
        ("defaults", "{roles: [Developer], region: ap-northeast-1}"),
        (
            "accounts",
            "[{name: all, id: \"222222222222\", tags: [production], roles: [Developer, Admin]}]",
        ),
    ] {
        if !has(key) {
            text.push_str(&format!("{key}: {value}\n"));
        }
    }
    text + part
}

#[test]
fn every_config_is_one() {
    let mut checked = 0;
    for page in manual() {
        for block in blocks(page, "yaml") {
            checked += 1;
            let main = MainFile::parse(Path::new("config.yaml"), &completed(&block.text));
            let policy = &mut |_, _: &str| Ok(r#"{"Version":"2012-10-17","Statement":[]}"#.into());
            let loaded = assemble(main, Vec::new(), Strictness::Strict, &Known::default(), policy);
            if let Err(diagnostics) = loaded {
                panic!("{}:{}: {diagnostics:#?}", page.name(), block.line);
            }
        }
    }
    assert!(checked > 10, "only {checked} configs were found");
}

#[test]
fn every_json_is_json() {
    let mut checked = 0;
    for page in manual() {
        for block in blocks(page, "json") {
            checked += 1;
            let parsed = serde_json::from_str::<serde_json::Value>(&block.text);
            assert!(parsed.is_ok(), "{}:{}: {parsed:?}", page.name(), block.line);
        }
    }
    assert!(checked > 3, "only {checked} were found");
}
