//! Foreign text: what may stand in a name, how names compare, and the one sanitizer before any screen.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, PercentEncode, utf8_percent_encode};
use unicode_normalization::UnicodeNormalization;

/// Folds a text for comparing and searching: NFKC, then full Unicode case folding.
pub fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    caseless::default_case_fold_str(&text.nfkc().collect::<String>()).nfkc().collect()
}

/// Whether a character can falsify what a screen shows: controls, bidirectional marks, zero-width and other invisible
/// characters, line and paragraph separators, letters and symbols that are drawn as nothing.
pub fn is_deceptive(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{00AD}' | '\u{034F}' | '\u{061C}' | '\u{115F}' | '\u{1160}' | '\u{1680}' | '\u{17B4}' | '\u{17B5}'
            | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}' | '\u{2800}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}'
            | '\u{FFF0}'..='\u{FFFC}' | '\u{13441}' | '\u{13442}' | '\u{16FE4}' | '\u{1BCA0}'..='\u{1BCA3}'
            | '\u{1D159}' | '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{E0FFF}')
}

/// Makes text from AWS, the config, the environment or a child fit for a screen or a log.
///
/// Deceptive characters become visible stand-ins (`␛`, `<U+202E>`); a newline becomes a space.
pub fn sanitize(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\t' => clean.push(' '),
            '\r' => {}
            '\u{0}'..='\u{1F}' => clean.push(char::from_u32(0x2400 + u32::from(c)).unwrap_or('?')),
            '\u{7F}' => clean.push('\u{2421}'),
            c if is_deceptive(c) => clean.extend(format!("<U+{:04X}>", u32::from(c)).chars()),
            c => clean.push(c),
        }
    }
    clean
}

/// A template with its `{fields}` filled in; `{{` and `}}` are braces. Fails with the first field that has no value.
pub fn filled(template: &str, value: impl Fn(&str) -> Option<String>) -> Result<String, String> {
    let mut text = String::with_capacity(2 * template.len());
    let mut rest = template;
    while let Some(at) = rest.find(['{', '}']) {
        let (before, from) = rest.split_at(at);
        text.push_str(before);
        rest = if let Some(after) = from.strip_prefix("{{") {
            text.push('{');
            after
        } else if let Some(after) = from.strip_prefix("}}") {
            text.push('}');
            after
        } else if let Some((field, after)) =
            from.strip_prefix('{').and_then(|from| from.split_once('}'))
        {
            text.push_str(&value(field).ok_or(field)?);
            after
        } else {
            return Err(from.to_owned());
        };
    }
    text.push_str(rest);
    Ok(text)
}

/// A number and a noun that takes an `s`: `1 account`, `2 accounts`.
pub fn count(many: usize, noun: &str) -> String {
    format!("{many} {noun}{}", if many == 1 { "" } else { "s" })
}

/// Replaces every run of exactly six digits, so that an answer cannot echo the code that was sent.
pub fn without_codes(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut digits = String::new();
    for c in text.chars().map(Some).chain([None]) {
        match c {
            Some(c) if c.is_ascii_digit() => digits.push(c),
            other => {
                out.push_str(if digits.len() == 6 { "······" } else { &digits });
                digits.clear();
                out.extend(other);
            }
        }
    }
    out
}

/// Escapes every byte but RFC 3986's unreserved characters: valid in queries and forms, and what signatures are made of.
///
/// A space becomes `%20`, not a form's `+`, which AWS does not accept in a signed request.
pub fn percent_encoded(text: &str) -> PercentEncode<'_> {
    const RESERVED: &AsciiSet =
        &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    utf8_percent_encode(text, RESERVED)
}

/// The candidates nearest to a mistyped word: at most three, by distance, then those that contain it or are inside it. None
/// that is far off, unless it is one of these.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let word = fold(word);
    let far = word.chars().count() / 2 + 1;
    let mut ranked: Vec<(usize, bool, &str)> = candidates
        .into_iter()
        .map(|candidate| {
            let folded = fold(candidate);
            let inside = !word.is_empty() && (folded.contains(&word) || word.contains(&folded));
            (strsim::osa_distance(&word, &folded), !inside, candidate)
        })
        .filter(|(distance, is_apart, _)| *distance < far || !is_apart)
        .collect();
    ranked.sort_unstable();
    ranked.dedup();
    ranked.into_iter().take(3).map(|(.., candidate)| candidate).collect()
}

/// A text as one word of a POSIX shell. A NUL, which no word can contain, makes it empty.
pub fn shell_quoted(text: &str) -> String {
    shlex::try_quote(text).map_or_else(|_| "''".to_owned(), std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_filled_or_its_wrong_field_named() {
        let value = |field: &str| (field == "a").then(|| "{x}".to_owned());
        assert_eq!(filled("{a}/{a} {{a}} é", value).unwrap(), "{x}/{x} {a} é");
        assert_eq!(filled("", value).unwrap(), "");
        for (template, field) in [("{b}", "b"), ("x {", "{"), ("a } b", "} b"), ("{}", "")] {
            assert_eq!(filled(template, value).unwrap_err(), field);
        }
    }

    #[test]
    fn folding_sees_through_width_and_case() {
        assert_eq!(fold("ＤＥＶ-Straße"), fold("dev-STRASSE"));
        assert_eq!(fold("ｶﾞ"), fold("ガ"));
    }

    #[test]
    fn the_sanitizer_leaves_nothing_that_moves_a_cursor() {
        assert_eq!(
            sanitize("a\u{1b}[31mb\u{202e}c\u{7f}\u{9b}d\ne"),
            "a␛[31mb<U+202E>c␡<U+009B>d e"
        );
        assert!(!sanitize("\u{200b}\u{2028}\u{feff}").chars().any(is_deceptive));
    }

    #[test]
    fn only_runs_of_six_digits_are_masked() {
        assert_eq!(
            without_codes("Value '123456' at 222222222222, 12345, 1234567"),
            "Value '······' at 222222222222, 12345, 1234567"
        );
        assert_eq!(without_codes("123456"), "······");
    }

    #[test]
    fn one_takes_no_s() {
        assert_eq!(
            [0, 1, 2].map(|many| count(many, "account")),
            ["0 accounts", "1 account", "2 accounts"]
        );
    }

    #[test]
    fn a_mistyped_word_finds_its_neighbours() {
        let keys = ["duration", "region", "roles", "session"];
        assert_eq!(nearest("durration", keys), ["duration"]);
        assert_eq!(nearest("reigon", keys), ["region"]);
        assert!(nearest("xyzzy", keys).is_empty());
        let keys = ["mfa", "mfa_command", "user"];
        assert_eq!(nearest("mfa_comand", keys), ["mfa_command", "mfa"], "by distance first");
        assert_eq!(nearest("dev", ["dev-tanaka", "deb", "prod"]), ["deb", "dev-tanaka"]);
        // At one distance, one that contains the word.
        assert_eq!(nearest("ac", ["ab", "aac"]), ["aac", "ab"]);
    }
}
