//! Configs and policies in the documentation. A block ```` ```yaml ```` is a config of sekisho's, whole or a part; YAML
//! of other programs is ```` ```yml ````.

use std::path::Path;

use sekisho::domain::config::{IncludedFile, MainFile, Strictness, assemble};
use sekisho::domain::known::Known;

use super::markdown::{Block, Page, manual};

fn blocks<'a>(page: &'a Page, language: &'a str) -> impl Iterator<Item = &'a Block> {
    page.blocks.iter().filter(move |block| block.info.split(' ').next() == Some(language))
}

/// A part of a config with what it lacks to be one. What begins with `version` is one as it stands: people copy it.
fn completed(part: &str) -> String {
    if part.starts_with("version:") {
        return part.to_owned();
    }
    let has = |key: &str| part.lines().any(|line| line.starts_with(&format!("{key}:")));
    let mut text = String::from("version: 1\n");
    for (key, value) in [
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

/// The list of accounts that a page shows, as the file that its whole configs include.
fn shared(page: &Page) -> Vec<IncludedFile> {
    let lists = blocks(page, "yaml").filter(|block| block.text.starts_with("defaults:\n"));
    (1..)
        .zip(lists)
        .map(|(number, list)| IncludedFile::parse(Path::new("accounts.yaml"), number, &list.text))
        .collect()
}

#[test]
fn every_config_is_one() {
    let mut checked = 0;
    for page in manual() {
        for block in blocks(page, "yaml") {
            checked += 1;
            let main = MainFile::parse(Path::new("config.yaml"), &completed(&block.text));
            let policy = &mut |_, _: &str| Ok(r#"{"Version":"2012-10-17","Statement":[]}"#.into());
            let is_whole = block.text.starts_with("version:") && block.text.contains("\ninclude:");
            let included = if is_whole { shared(page) } else { Vec::new() };
            let loaded = assemble(main, included, Strictness::Strict, &Known::default(), policy);
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
