//! Wildcards and variables in policies.
//!
//! Grammar: the IAM User Guide, "IAM policy elements: Variables and tags".

use std::collections::BTreeMap;

/// The condition keys of one request: lower-case name → values. A key that is absent has no entry.
pub(super) type Keys = BTreeMap<String, Vec<String>>;

/// Matches `*` (any run) and `?` (any one character).
pub(super) fn like(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    // Where to resume when a literal run after the last star fails.
    let mut retry: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                retry = Some((p + 1, t + 1));
                p += 1;
            }
            Some(&c) if c == '?' || c == text[t] => (p, t) = (p + 1, t + 1),
            _ => match retry {
                Some((after_star, from)) => {
                    (p, t) = (after_star, from);
                    retry = Some((after_star, from + 1));
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|&c| c == '*')
}

/// Replaces `${key}` and `${key, 'default'}`; what has no value stays, and so matches nothing.
pub(super) fn substitute(text: &str, keys: &Keys) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let Some((inside, tail)) = after.split_once('}') else {
            break;
        };
        out.push_str(before);
        let (key, default) = match inside.split_once(',') {
            Some((key, default)) => (key, Some(default.trim().trim_matches('\''))),
            None => (inside, None),
        };
        let found = keys.get(&key.trim().to_ascii_lowercase()).and_then(|values| values.first());
        match found.map(String::as_str).or(default) {
            Some(value) => out.push_str(value),
            None => out.extend(["${", inside, "}"]),
        }
        rest = tail;
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards() {
        for (pattern, text, matches) in [
            ("*", "", true),
            ("a*c?e", "abbcde", true),
            ("a*c", "acb", false),
            ("role/*", "role/a/b", true),
            ("?", "", false),
            ("*ab*ab", "xabab", true),
        ] {
            assert_eq!(like(pattern, text), matches, "{pattern} {text}");
        }
    }

    #[test]
    fn variables_may_have_defaults() {
        let keys = Keys::from([("aws:username".into(), vec!["alice".into()])]);
        assert_eq!(
            substitute("a/${aws:username}/${aws:x, 'none'}/${aws:y}", &keys),
            "a/alice/none/${aws:y}"
        );
    }
}
