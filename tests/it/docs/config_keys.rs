//! The tables of config keys in `docs/config.md` and of actions in `docs/keys.md`: made from the schema and from the comments of `config.example.yaml`.
//!
//! Where they are out of date, `env -u CI INSTA_UPDATE=always cargo test --test it -- docs::config_keys` writes them, as it
//! writes snapshots. The Japanese page keeps its explanations, by key; a new one is in English until it is translated.

use std::collections::BTreeMap;

use sekisho::domain::config::schema::Section;
use sekisho::domain::keymap;

use super::markdown::{Page, hold_up_to_date, page, regenerate, root, spans};

/// A key in `config.example.yaml`.
struct Example {
    value: String,
    comment: String,
}

/// Splits `value  # comment`.
fn split_comment(text: &str) -> (&str, &str) {
    let (mut quote, mut before) = (None, ' ');
    for (at, c) in text.char_indices() {
        match quote {
            Some(open) if c == open => quote = None,
            // An apostrophe inside a word quotes nothing.
            None if matches!(c, '"' | '\'') && " [{".contains(before) => quote = Some(c),
            None if c == '#' && before == ' ' => return (text[..at].trim(), text[at + 1..].trim()),
            _ => {}
        }
        before = c;
    }
    (text.trim(), "")
}

/// The section whose keys stand below these.
fn section(parents: &[(usize, String)]) -> Option<Section> {
    let names: Vec<&str> = parents.iter().map(|(_, name)| name.as_str()).collect();
    Some(match names[..] {
        [] => Section::Top,
        ["auth"] => Section::Auth,
        ["auth", "mfa"] => Section::Device,
        ["include"] => Section::Include,
        ["defaults"] => Section::Defaults,
        ["guardrails"] => Section::Guardrails,
        ["accounts"] => Section::Account,
        ["accounts", "roles"] => Section::Role,
        _ => return None,
    })
}

/// What the example says about each key: the comment behind it, else those above it, else its chapter's title.
fn examples() -> BTreeMap<(String, String), Example> {
    let text = std::fs::read_to_string(root().join("config.example.yaml")).unwrap();
    let mut found: BTreeMap<(String, String), Example> = BTreeMap::new();
    let mut parents: Vec<(usize, String)> = Vec::new();
    let (mut title, mut above) = (String::new(), Vec::new());
    for line in text.lines() {
        // A key that is commented out documents itself all the same.
        let line = line.replacen("# - ", "- ", 1).replacen("# hide:", "hide:", 1);
        let line = line.replacen("#   update:", "  update:", 1);
        let line = line.replacen("#   stale_after:", "  stale_after:", 1);
        let dashed = line.trim_start();
        let dashed = dashed.strip_prefix("- ").unwrap_or(dashed);
        let indent = line.len() - dashed.len();
        let is_key =
            |key: &str| !key.is_empty() && key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        let Some((key, rest)) = dashed.split_once(':').filter(|(key, _)| is_key(key)) else {
            match dashed.strip_prefix('#') {
                Some(comment) if comment.ends_with('─') => {
                    comment.trim_matches(['─', ' ']).clone_into(&mut title);
                }
                Some(comment) => above.push(comment.trim().to_owned()),
                None => above.clear(),
            }
            continue;
        };
        parents.retain(|(outer, _)| *outer < indent);
        if let Some(section) = section(&parents) {
            let (value, comment) = split_comment(rest);
            let comments = [comment.to_owned(), above.join(" "), std::mem::take(&mut title)];
            let comment = comments.into_iter().find(|comment| !comment.is_empty());
            let known = found
                .entry((format!("{section:?}"), key.to_owned()))
                .or_insert(Example { value: value.to_owned(), comment: String::new() });
            if known.comment.is_empty() {
                known.comment = comment.unwrap_or_default();
            }
        }
        parents.push((indent, key.to_owned()));
        above.clear();
    }
    found
}

/// The language of a page, where the tables differ.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Language {
    English,
    Japanese,
}

/// One generated table: the words of its head, and rows of code, meaning and, for keys, whether included files take it.
struct Table {
    name: String,
    code: Vec<[String; 2]>,
    meaning: Vec<String>,
    included: Option<Vec<bool>>,
}

fn tables() -> Vec<Table> {
    let examples = examples();
    let of = |section: Section| {
        let known = |key: &&'static str| {
            let example = examples.get(&(format!("{section:?}"), (*key).to_owned()));
            example.unwrap_or_else(|| panic!("config.example.yaml has no {key} of {section:?}"))
        };
        let keys = section.keys();
        for key in keys {
            assert!(
                !known(key).comment.is_empty(),
                "config.example.yaml does not explain {key} of {section:?}"
            );
        }
        Table {
            name: format!("{section:?}").to_lowercase(),
            code: keys.iter().map(|key| [(*key).to_owned(), known(key).value.clone()]).collect(),
            meaning: keys.iter().map(|key| known(key).comment.clone()).collect(),
            included: Some(keys.iter().map(|key| !section.is_main_only(key)).collect()),
        }
    };
    let actions = Table {
        name: "actions".into(),
        code: keymap::TABLE.iter().map(|row| [row.name.to_owned(), row.keys.join(" ")]).collect(),
        meaning: keymap::TABLE.iter().map(|row| row.help.to_owned()).collect(),
        included: None,
    };
    Section::ALL.into_iter().map(of).chain([actions]).collect()
}

/// Plain text with inline code, as a table's cell.
fn escaped(text: &str) -> String {
    let mut is_code = false;
    let mut cell = String::new();
    for c in text.chars() {
        is_code ^= c == '`';
        if c == '|' || (c == '*' && !is_code) {
            cell.push('\\');
        }
        cell.push(c);
    }
    cell
}

impl Table {
    /// The table in a page's language. What is known in Japanese stays, by its key.
    fn render(&self, language: Language, known: &BTreeMap<String, String>) -> String {
        let japanese = language == Language::Japanese;
        let head = match (&self.included, japanese) {
            (Some(_), false) => {
                "| key | example | meaning | in an included file |\n|---|---|---|---|\n"
            }
            (Some(_), true) => {
                "| キー | 例 | 意味 | インクルードしたファイルで |\n|---|---|---|---|\n"
            }
            (None, false) => "| action | keys | does |\n|---|---|---|\n",
            (None, true) => "| アクション | キー | 動作 |\n|---|---|---|\n",
        };
        let mut text = head.to_owned();
        let code = |value: &str| {
            if value.is_empty() {
                String::new()
            } else {
                format!("`{}`", value.replace('|', "\\|"))
            }
        };
        for (at, [key, example]) in self.code.iter().enumerate() {
            let english = escaped(&self.meaning[at]);
            let meaning = known.get(key).filter(|_| japanese).unwrap_or(&english);
            text.push_str(&format!("| {} | {} | {meaning} |", code(key), code(example)));
            if let Some(included) = &self.included {
                text.push_str(match (included[at], japanese) {
                    (true, false) => " yes |",
                    (false, false) => " no |",
                    (true, true) => " 可 |",
                    (false, true) => " 不可 |",
                });
            }
            text.push('\n');
        }
        text
    }
}

/// The page with its tables made anew; their names are added to `made`.
fn regenerated(page: &Page, language: Language, made: &mut Vec<String>) -> String {
    let mut text = page.text.clone();
    for table in tables() {
        let made_anew = regenerate(&text, &table.name, |old| {
            let mut known = BTreeMap::new();
            for row in old.lines().skip(2) {
                let cells: Vec<&str> = row.split(" | ").collect();
                if let ([key], Some(meaning)) = (&spans(cells[0])[..], cells.get(2)) {
                    known.insert(key.clone(), meaning.trim_end_matches([' ', '|']).to_owned());
                }
            }
            table.render(language, &known)
        });
        if let Some(made_anew) = made_anew {
            text = made_anew;
            made.push(table.name);
        }
    }
    text
}

#[test]
fn the_config_reference_is_up_to_date() {
    let all: Vec<String> = tables().into_iter().map(|table| table.name).collect();
    let mut pages = Vec::new();
    for (folder, language) in [("docs", Language::English), ("docs/ja", Language::Japanese)] {
        let mut made = Vec::new();
        for name in ["config.md", "keys.md"] {
            let path = format!("{folder}/{name}");
            let text = regenerated(page(&path), language, &mut made);
            pages.push((path, text));
        }
        assert_eq!(made, all, "{folder}: every table stands once");
    }
    hold_up_to_date(&pages);
}

#[test]
fn every_key_is_explained_in_japanese() {
    for path in ["docs/ja/config.md", "docs/ja/keys.md"] {
        for (line, cells) in page(path).rows() {
            if let [key, _, meaning, ..] = &cells[..] {
                let is_japanese = meaning.chars().any(|c| ('\u{3041}'..='\u{9fff}').contains(&c));
                assert!(is_japanese, "{path}:{line}: {key}: {meaning}");
            }
        }
    }
}
