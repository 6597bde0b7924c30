//! Patterns with `*` (any text, also none) and `?` (any one character), as IAM, file names and `include` use them.

/// Whether a pattern matches a whole text.
///
/// It goes back to the last star only, so the cost is at most pattern times text, however many stars there are.
pub fn matches(pattern: &str, text: &str) -> bool {
    let (mut pattern, mut text) = (pattern.chars(), text.chars());
    // What follows the last star, and the text that the star has not taken yet.
    let mut last_star = None;
    loop {
        let mut rest = pattern.clone();
        match (rest.next(), text.clone().next()) {
            (None, None) => return true,
            (Some('*'), _) => {
                last_star = Some((rest.clone(), text.clone()));
                pattern = rest;
            }
            (Some(_), None) => return false,
            (Some(wanted), Some(found)) if wanted == '?' || wanted == found => {
                pattern = rest;
                text.next();
            }
            (_, Some(_)) => {
                let Some((after, left)) = &mut last_star else {
                    return false;
                };
                left.next();
                (pattern, text) = (after.clone(), left.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_question_marks() {
        for (pattern, text, fits) in [
            ("*.yaml", "a.yaml", true),
            ("*.yaml", "a.yml", false),
            ("a*b*c", "aXbXbc", true),
            ("a*b*c", "aXbXb", false),
            ("?.yaml", "開.yaml", true),
            ("*", "", true),
            ("?", "", false),
            ("", "", true),
            ("", "a", false),
            ("a*", "a", true),
            ("*ab", "aab", true),
            ("a?*c", "abc", true),
            ("a?*c", "ac", false),
            ("s?s:*role", "sts:assumerole", true),
            ("sts:*x", "sts:assumerole", false),
            ("a*b*c", "aXbYbZc", true),
        ] {
            assert_eq!(matches(pattern, text), fits, "{pattern} {text}");
        }
    }

    #[test]
    fn no_pattern_takes_long() {
        assert!(!matches(&"*a".repeat(50), &"a".repeat(49)));
        let hostile = "*a".repeat(1000) + "b";
        assert!(!matches(&hostile, &"a".repeat(2000)));
    }
}
