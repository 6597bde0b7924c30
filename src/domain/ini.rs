//! The lines of AWS's shared files, `~/.aws/config` and `~/.aws/credentials`.
//!
//! Lines are read as botocore reads them, with Python's `configparser`: `=` or `:` ends a key, and a
//! line indented further than the key above it continues that key's value. Where botocore rejects the
//! whole file (a repeated section or key, a line that is neither), this reads on, so that each caller
//! decides what it can work with. Two things are read more tolerantly: a byte order mark, and blanks or
//! a comment around `[section]`.
//!
//! <https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html>

use std::ops::Range;

/// A line, and the bytes that hold it, its end included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line<'a> {
    /// Where it is in the text; ranges follow each other without a gap.
    pub range: Range<usize>,
    /// The line, read.
    pub content: Content<'a>,
}

/// What a line says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content<'a> {
    /// `[name]`; empty where the bracket is not closed, so that no key below joins the section above.
    Section(&'a str),
    /// `key = value`; the value may be empty.
    Setting {
        /// As written: keys are compared without regard to case.
        key: &'a str,
        /// Trimmed, but with what looks like a comment behind it: see [`without_comment`].
        value: &'a str,
    },
    /// More of the value of the key above, or a setting nested in it.
    Continuation {
        /// The key that is continued.
        key: &'a str,
        /// The line, trimmed.
        value: &'a str,
    },
    /// `# …` or `; …`, at any indentation.
    Comment,
    /// Nothing but blanks.
    Blank,
    /// A line that botocore rejects.
    Unreadable,
}

/// The lines of a text, in order.
pub fn lines(text: &str) -> impl Iterator<Item = Line<'_>> {
    let mut at = 0;
    // The last key of the section, and how far it is indented.
    let mut open: Option<(&str, usize)> = None;
    std::iter::from_fn(move || {
        let rest = text.get(at..).filter(|rest| !rest.is_empty())?;
        let range = at..at + line_len(rest);
        let line = text[range.clone()].trim_start_matches('\u{FEFF}');
        at = range.end;
        Some(Line { range, content: content(line, &mut open) })
    })
}

/// The length of the first line with its end, which is `\n`, `\r\n` or `\r` as in Python's text files.
fn line_len(text: &str) -> usize {
    match text.find(['\n', '\r']) {
        None => text.len(),
        Some(end) if text[end..].starts_with("\r\n") => end + 2,
        Some(end) => end + 1,
    }
}

fn content<'a>(line: &'a str, open: &mut Option<(&'a str, usize)>) -> Content<'a> {
    let trimmed = line.trim();
    let indent = line.len() - line.trim_start().len();
    if trimmed.is_empty() {
        return Content::Blank;
    }
    if trimmed.starts_with(['#', ';']) {
        return Content::Comment;
    }
    if let Some((key, _)) = open.filter(|(_, of_key)| indent > *of_key) {
        return Content::Continuation { key, value: trimmed };
    }
    if let Some(header) = trimmed.strip_prefix('[') {
        *open = None;
        return Content::Section(header.split_once(']').map_or("", |(name, _)| name.trim()));
    }
    match trimmed.split_once(['=', ':']) {
        Some((key, value)) if !key.trim().is_empty() => {
            let key = key.trim();
            *open = Some((key, indent));
            Content::Setting { key, value: value.trim() }
        }
        _ => Content::Unreadable,
    }
}

/// The profile of a section: `[profile name]`, `[profile "na me"]`, `[default]`, and `[name]` as the
/// credentials file has it. `None` for sections of other kinds.
pub fn profile_name(section: &str) -> Option<&str> {
    let (kind, name) = section
        .split_once(char::is_whitespace)
        .map_or((section, ""), |(kind, name)| (kind, name.trim()));
    let unquoted = |quote: char| name.strip_prefix(quote)?.strip_suffix(quote);
    let name = unquoted('"').or_else(|| unquoted('\'')).unwrap_or(name);
    match (kind, name) {
        ("profile", "") | ("" | "sso-session" | "services" | "plugins" | "preview", _) => None,
        ("profile", name) => Some(name),
        _ => Some(section),
    }
}

/// A value without the comment behind it.
///
/// The SDKs end a value at ` #` and ` ;`; botocore does not. For values that hold no blank both agree.
pub fn without_comment(value: &str) -> &str {
    let starts = |(at, c): &(usize, char)| {
        matches!(c, '#' | ';') && value[..*at].ends_with(char::is_whitespace)
    };
    let end = value.char_indices().find(starts).map(|(at, _)| at);
    value[..end.unwrap_or(value.len())].trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    type Expected = &'static [(&'static str, &'static str, &'static str)];

    /// Every section, key and value, a value's lines joined as `configparser` joins them.
    fn read(text: &str) -> Vec<(String, String, String)> {
        let mut all: Vec<(String, String, String)> = Vec::new();
        let mut section = "";
        for line in lines(text) {
            match line.content {
                Content::Section(name) => section = name,
                Content::Setting { key, value } => {
                    all.push((section.to_owned(), key.to_lowercase(), value.to_owned()));
                }
                Content::Continuation { value, .. } => {
                    let (_, _, whole) = all.last_mut().unwrap();
                    *whole += "\n";
                    *whole += value;
                }
                Content::Comment | Content::Blank | Content::Unreadable => {}
            }
        }
        all
    }

    /// The right column is what `botocore.configloader.raw_config_parse(…, parse_subsections=False)`
    /// of botocore 1.44 on Python 3.11 returned for the left one.
    #[test]
    fn texts_are_read_as_botocore_reads_them() {
        let table: &[(&str, Expected)] = &[
            ("[a]\nk = v\n", &[("a", "k", "v")]),
            ("[a]\nk: v\n", &[("a", "k", "v")]),
            ("[a]\nk:v=w\n", &[("a", "k", "v=w")]),
            ("[a]\nk = v:w\n", &[("a", "k", "v:w")]),
            ("[a]\nK = V\n", &[("a", "k", "V")]),
            ("[a]\nk =\n", &[("a", "k", "")]),
            ("[a]\nmy key = v w\n", &[("a", "my key", "v w")]),
            ("[a b]\nk = \"v\"\n", &[("a b", "k", "\"v\"")]),
            ("  [a]\nk = v", &[("a", "k", "v")]),
            ("[a] # b\nk = v\n", &[("a", "k", "v")]),
            ("[a]\n  k = v\n  l = w\n", &[("a", "k", "v"), ("a", "l", "w")]),
            ("[a]\n  k = v\nl = w\n", &[("a", "k", "v"), ("a", "l", "w")]),
            ("[a]\nk = v\n  l = w\n", &[("a", "k", "v\nl = w")]),
            ("[a]\n\tk = v\n        l = w\n", &[("a", "k", "v\nl = w")]),
            (
                "[a]\ns3 =\n  m = 1\n  n: 2\nk = v\n",
                &[("a", "s3", "\nm = 1\nn: 2"), ("a", "k", "v")],
            ),
            ("[a]\n  s3 =\n    m = 1\n  k = v\n", &[("a", "s3", "\nm = 1"), ("a", "k", "v")]),
            ("[a]\nk = v\n  [b]\nl = w\n", &[("a", "k", "v\n[b]"), ("a", "l", "w")]),
            ("[a]\nk = v\n   # no\n  w\n", &[("a", "k", "v\nw")]),
            ("[a]\n# k = v\n; l = w\n  # m = x\nk = v\n", &[("a", "k", "v")]),
            ("[a]\nk = v # c\nl = x#y\n", &[("a", "k", "v # c"), ("a", "l", "x#y")]),
            ("[a]\r\nk = v\r\n\r\n[b]\r\nk = w\r\n", &[("a", "k", "v"), ("b", "k", "w")]),
            ("[a]\rk = v\r", &[("a", "k", "v")]),
        ];
        for (text, expected) in table {
            let expected: Vec<_> = expected
                .iter()
                .map(|(section, key, value)| {
                    (section.to_string(), key.to_string(), value.to_string())
                })
                .collect();
            assert_eq!(read(text), expected, "{text:?}");
        }
    }

    #[test]
    fn where_botocore_rejects_a_file_the_rest_is_read() {
        for (text, key) in [
            ("\u{FEFF}[a]\nk = v\n", Some("a")),
            ("[ a ]\nk = v\n", Some("a")),
            ("[a]\nword\n= w\nk = v\n", Some("a")),
            ("[a]\n[a]\nk = v\n", Some("a")),
            ("[b]\n[a\nk = v\n", Some("")),
            ("[b]\n[]\nk = v\n", Some("")),
        ] {
            let found = read(text);
            assert_eq!(found.first().map(|(section, ..)| &**section), key, "{text:?}");
            assert_eq!(found.len(), 1, "{text:?}");
        }
    }

    #[test]
    fn ranges_cover_the_text() {
        let text = "\u{FEFF}[é]\r\nk = v\r  w\n\r\n# c\nlast: 1";
        let ranges: Vec<_> = lines(text).map(|line| line.range).collect();
        let parts: Vec<_> = ranges.iter().map(|range| &text[range.clone()]).collect();
        assert_eq!(parts, ["\u{FEFF}[é]\r\n", "k = v\r", "  w\n", "\r\n", "# c\n", "last: 1"]);
    }

    #[test]
    fn a_section_names_a_profile() {
        for (section, name) in [
            ("profile a", Some("a")),
            ("profile \"a b\"", Some("a b")),
            ("profile 'a b'", Some("a b")),
            ("profile\ta", Some("a")),
            ("default", Some("default")),
            ("a", Some("a")),
            // botocore wants quotes here; people leave them out.
            ("profile a b", Some("a b")),
            ("profiles", Some("profiles")),
            ("profile", None),
            ("", None),
            ("sso-session s", None),
            ("services s", None),
            ("plugins", None),
        ] {
            assert_eq!(profile_name(section), name, "{section}");
        }
    }
}
