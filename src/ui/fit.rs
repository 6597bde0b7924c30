//! Text cut or wrapped to a width: widths are display widths, and nothing is cut inside a grapheme.

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// How many columns a text takes.
pub fn width(text: &str) -> usize {
    text.width()
}

/// Cuts a text to at most `max` columns, with `ellipsis` where something is lost.
pub fn truncate(text: &str, max: usize, ellipsis: &str) -> String {
    if width(text) <= max {
        return text.to_owned();
    }
    let room = max.saturating_sub(width(ellipsis));
    let mut cut = String::new();
    let mut used = 0;
    for grapheme in text.graphemes(true) {
        used += width(grapheme);
        if used > room {
            break;
        }
        cut.push_str(grapheme);
    }
    if width(ellipsis) <= max {
        cut.push_str(ellipsis);
    }
    cut
}

/// Breaks a text into lines of at most `max` columns: between words, or inside one that is longer
/// than a line.
pub fn wrap(text: &str, max: usize) -> Vec<String> {
    let max = max.max(1);
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        if !line.is_empty() && width(&line) + 1 + width(word) <= max {
            line.push(' ');
            line.push_str(word);
            continue;
        }
        if !line.is_empty() {
            lines.push(std::mem::take(&mut line));
        }
        for grapheme in word.graphemes(true) {
            if !line.is_empty() && width(&line) + width(grapheme) > max {
                lines.push(std::mem::take(&mut line));
            }
            line.push_str(grapheme);
        }
    }
    lines.push(line);
    lines
}

/// Breaks a line like `wrap`; its indent stays, for all of its lines.
pub fn hanging(line: &str, max: usize) -> Vec<String> {
    let text = line.trim_start_matches(' ');
    let indent = &line[..line.len() - text.len()];
    let lines = wrap(text, max.saturating_sub(width(indent)));
    lines.into_iter().map(|text| format!("{indent}{text}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_letters_take_two_columns_and_are_never_halved() {
        assert_eq!(truncate("開発-田中", 9, "…"), "開発-田中");
        assert_eq!(truncate("開発-田中", 8, "…"), "開発-田…");
        assert_eq!(truncate("開発-田中", 7, "…"), "開発-…");
        assert_eq!(truncate("開発", 1, "…"), "…");
        assert_eq!(truncate("e\u{301}e\u{301}e\u{301}", 2, "~"), "e\u{301}~");
        assert_eq!(truncate("abc", 0, "…"), "");
    }

    #[test]
    fn lines_break_between_words_and_only_then_inside() {
        assert_eq!(wrap("the code was used", 8), ["the code", "was used"]);
        assert_eq!(wrap("arn:aws:iam::1", 6), ["arn:aw", "s:iam:", ":1"]);
        assert_eq!(wrap("田中太郎", 3), ["田", "中", "太", "郎"]);
        assert_eq!(wrap("", 5), [""]);
        assert_eq!(hanging("  the code was used", 10), ["  the code", "  was used"]);
        assert_eq!(hanging("", 10), [""]);
    }
}
