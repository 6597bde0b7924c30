//! Texts as YAML scalars, for everything here that writes YAML: `init`, `import` and `config show`.

use std::fmt::Write as _;

use crate::domain::text::is_deceptive;

/// What YAML 1.1 or 1.2 reads as something else than text.
const NOT_TEXT: [&str; 9] = ["null", "true", "false", "yes", "no", "on", "off", "y", "n"];

/// A text that YAML reads back unchanged: as it is where it looks like a word or a path, else in double quotes.
///
/// Deceptive characters are escaped, so that the result is fit for a screen. YAML knows other escapes than
/// Rust or JSON (YAML 1.2 §5.7), e.g. no `\u{…}`.
pub(super) fn scalar(text: &str) -> String {
    let is_plain = text.starts_with(|c: char| c.is_alphabetic() || c == '/')
        && text.ends_with(|c: char| c.is_alphanumeric() || c == '/')
        && text.chars().all(|c| is_word_char(c) && !is_deceptive(c))
        && !NOT_TEXT.contains(&text.to_lowercase().as_str());
    if is_plain {
        return text.to_owned();
    }
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            c if is_deceptive(c) || is_noncharacter(c) => {
                let _ = write!(quoted, "\\U{:08X}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted + "\""
}

/// Texts as a YAML list in one line.
pub(super) fn list(texts: &[impl AsRef<str>]) -> String {
    let texts: Vec<String> = texts.iter().map(|text| scalar(text.as_ref())).collect();
    format!("[{}]", texts.join(", "))
}

fn is_word_char(c: char) -> bool {
    c.is_alphanumeric() || "-_./@+=:".contains(c)
}

/// YAML 1.2 §5.1 excludes these two; the others of their kind are allowed.
fn is_noncharacter(c: char) -> bool {
    matches!(c, '\u{FFFE}' | '\u{FFFF}')
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use proptest::prelude::*;

    use super::super::tree::{self, Item, Node};
    use super::*;

    /// What YAML makes of a text as a value, in a list, as a key and as a value in braces.
    fn read_back(text: &str) -> Vec<String> {
        let scalar = scalar(text);
        let list = list(&[text]);
        // YAML 1.2 §7.4.2: an implicit key has at most 1,024 characters.
        let key = if scalar.chars().count() < 1_000 { &scalar } else { "k" };
        let yaml = format!("block: {scalar}\nlist: {list}\nbraces: {{{key}: {scalar}}}\n");
        let (top, broken) = tree::read(&yaml, &mut |_| ControlFlow::Continue(()));
        assert!(broken.is_none(), "{broken:?}\n{yaml}");
        let mut texts = Vec::new();
        let Node::Map(pairs) = &top.node else { panic!("{yaml}") };
        for (_, value) in pairs {
            collect(value, &yaml, &mut texts);
        }
        if key == "k" {
            texts.retain(|text| text != "k");
            texts.push(text.to_owned());
        }
        texts
    }

    fn collect(item: &Item, yaml: &str, texts: &mut Vec<String>) {
        match &item.node {
            Node::Text(text) => texts.push(text.clone()),
            Node::Bare => texts.push(item.source(yaml).to_owned()),
            Node::Null => texts.push("(null)".to_owned()),
            Node::List(items) => items.iter().for_each(|item| collect(item, yaml, texts)),
            Node::Map(pairs) => pairs.iter().for_each(|(key, value)| {
                collect(key, yaml, texts);
                collect(value, yaml, texts);
            }),
        }
    }

    /// What YAML's own grammar could trip over.
    fn hostile() -> impl Strategy<Value = String> {
        let piece = prop::sample::select(vec![
            "a",
            "é",
            "田",
            "1",
            "0x1F",
            "1e5",
            "12:30",
            ".inf",
            "null",
            "~",
            "yes",
            "<<",
            "=",
            ": ",
            ":",
            " #",
            "#",
            "- ",
            "-",
            "? ",
            "?",
            "[",
            "]",
            "{",
            "}",
            ",",
            "&a",
            "*a",
            "!t",
            "|",
            ">",
            "'",
            "\"",
            "\\",
            "%",
            "@",
            "`",
            "---",
            "...",
            " ",
            "  ",
            "\t",
            "\n",
            "\r",
            "\r\n",
            "\0",
            "\u{1b}[2J",
            "\u{7f}",
            "\u{85}",
            "\u{a0}",
            "\u{200b}",
            "\u{2028}",
            "\u{202e}",
            "\u{feff}",
            "\u{fffe}",
            "\u{ffff}",
            "\u{1fffe}",
            "\u{e000}",
            "\u{10ffff}",
        ]);
        prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn what_is_written_is_what_is_read(any in any::<String>(), hostile in hostile()) {
            for text in [any, hostile] {
                prop_assert_eq!(read_back(&text), vec![text; 4]);
            }
        }

        #[test]
        fn nothing_deceptive_is_written(text in hostile()) {
            prop_assert!(!scalar(&text).chars().any(is_deceptive));
        }
    }

    #[test]
    fn words_stay_plain_and_the_rest_is_quoted() {
        for (text, written) in [
            ("Developer", "Developer"),
            ("arn:aws:iam::aws:policy/ReadOnlyAccess", "arn:aws:iam::aws:policy/ReadOnlyAccess"),
            ("/ops/", "/ops/"),
            ("開発-田中", "開発-田中"),
            ("on", "\"on\""),
            ("012345678901", "\"012345678901\""),
            ("a: b", "\"a: b\""),
            ("a\u{202e}b", "\"a\\U0000202Eb\""),
            ("a\u{e9}\u{1b}", "\"a\u{e9}\\U0000001B\""),
            ("two\nlines", "\"two\\nlines\""),
            ("", "\"\""),
        ] {
            assert_eq!(scalar(text), written);
        }
    }
}
