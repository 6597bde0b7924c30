//! Diffs, shown before a file is changed.

use similar::{ChangeTag, TextDiff};

use crate::domain::text::sanitize;

/// The changed lines between two texts with three lines around them; empty where they are equal.
pub fn unified(before: &str, after: &str, name: &str) -> String {
    if before == after {
        return String::new();
    }
    let diff = TextDiff::from_lines(before, after);
    let mut text = format!("--- {name}\n+++ {name}\n", name = sanitize(name));
    for group in diff.grouped_ops(3) {
        text.push_str("@@\n");
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let sign = match change.tag() {
                ChangeTag::Delete => '-',
                ChangeTag::Insert => '+',
                ChangeTag::Equal => ' ',
            };
            text.push(sign);
            text.push_str(&sanitize(change.value().trim_end_matches(['\r', '\n'])));
            text.push('\n');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_changes_is_shown() {
        let before: Vec<String> = (1..=20).map(|n| format!("line {n}\n")).collect();
        let before = before.concat();
        let after = before.replace("line 10\n", "line ten\n");
        let diff = unified(&before, &after, "file");
        assert!(diff.contains("-line 10\n+line ten\n"));
        assert!(!diff.contains("line 1\n") && !diff.contains("line 20"));
        assert_eq!(unified(&before, &before, "file"), "");
    }
}
