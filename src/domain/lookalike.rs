//! Names that look like others, by UTS 39 (Unicode Security Mechanisms). What is ASCII costs next to nothing here.

use std::sync::LazyLock;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;
use unicode_script::{Script, UnicodeScript};
use unicode_security::GeneralSecurityProfile;
use unicode_security::mixed_script::AugmentedScriptSet;

/// The first character that is drawn by chance: private use, or not in Unicode.
pub fn undefined(text: &str) -> Option<char> {
    beyond_ascii(text).find(|c| c.script() == Script::Unknown)
}

/// The first combining mark that is in no language's common spelling, or hides on its letter: the same mark again, a
/// dot on an `i` (UTS 39, 5.4).
pub fn misused_mark(text: &str) -> Option<char> {
    if !beyond_ascii(text).any(is_combining_mark) {
        return None;
    }
    let is_foreign = |c: &char| is_combining_mark(*c) && !c.identifier_allowed();
    let (mut letter, mut last) = (' ', ' ');
    text.nfc().find(is_foreign).or_else(|| {
        text.nfd().find(|&c| {
            let is_mark = is_combining_mark(c);
            let hides = c == last || (c == '\u{307}' && "ijіј".contains(letter));
            letter = if is_mark { letter } else { c };
            last = c;
            is_mark && hides
        })
    })
}

/// A text without its undefined characters, and without any combining mark where one is misused.
pub fn without_misuse(text: &str) -> String {
    let is_kept = |c: &char| c.is_ascii() || c.script() != Script::Unknown;
    let text: String = text.chars().filter(is_kept).collect();
    match misused_mark(&text) {
        Some(_) => text.nfd().filter(|c| !is_combining_mark(*c)).collect(),
        None => text,
    }
}

/// What a text looks like: texts that are easily taken for each other have the same skeleton.
pub fn skeleton(text: &str) -> String {
    static ASCII: LazyLock<Vec<String>> = LazyLock::new(|| {
        let of =
            |byte| unicode_security::skeleton(char::from(byte).encode_utf8(&mut [0])).collect();
        (0..128u8).map(of).collect()
    });
    if text.is_ascii() {
        return text.bytes().map(|byte| ASCII[usize::from(byte)].as_str()).collect();
    }
    unicode_security::skeleton(text).collect()
}

/// Where a text begins to mix scripts as no language does, and of which script that character is.
///
/// Latin goes with every script in common use but Greek and Cyrillic, whose letters look like its own; Han, Hiragana and
/// Katakana are one, as are Han and Hangul, Han and Bopomofo (UTS 39, restriction level 4).
pub fn mixed_scripts(text: &str) -> Option<(char, &'static str)> {
    beyond_ascii(text).next()?;
    let (mut all, mut beside_latin) =
        (AugmentedScriptSet::default(), AugmentedScriptSet::default());
    let mixes = |c: &char| {
        let set = AugmentedScriptSet::for_char(*c);
        all.intersect_with(set);
        if !set.base.contains_script(Script::Latin) {
            beside_latin.intersect_with(set);
        }
        let has_one = |script: Script| {
            script.is_recommended() && ![Script::Greek, Script::Cyrillic].contains(&script)
        };
        let goes_with_latin = beside_latin.jpan
            || beside_latin.kore
            || beside_latin.hanb
            || beside_latin.base.iter().any(has_one);
        all.is_empty() && !goes_with_latin
    };
    text.chars().find(mixes).map(|c| (c, c.script().full_name()))
}

fn beyond_ascii(text: &str) -> impl Iterator<Item = char> {
    let from = text.bytes().position(|byte| !byte.is_ascii()).unwrap_or(text.len());
    text[from..].chars()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::text::is_deceptive;

    #[test]
    fn what_unicode_calls_ignorable_is_deceptive() {
        let ignorable =
            |c: &char| unicode_security::skeleton(c.encode_utf8(&mut [0; 4])).next().is_none();
        // None is in the planes between, and none can be added outside these (UAX 44, `Default_Ignorable_Code_Point`).
        let all = ('\0'..='\u{1FFFF}').chain('\u{E0000}'..='\u{E0FFF}');
        let missed: Vec<char> = all.filter(ignorable).filter(|c| !is_deceptive(*c)).collect();
        assert!(missed.is_empty(), "{missed:x?}");
    }

    #[test]
    fn the_table_for_ascii_says_what_the_standard_says() {
        let all: String = (' '..='~').collect();
        assert_eq!(skeleton(&all), unicode_security::skeleton(&all).collect::<String>());
    }

    #[test]
    fn texts_that_look_alike_have_one_skeleton() {
        for look in ["dеv-00001", "dev‐00001", "dev-0000l", "dev-ОOO01", "ｄev-00001"] {
            assert_eq!(skeleton(look), skeleton("dev-00001"), "{look}");
        }
        assert_eq!(skeleton("夕カ"), skeleton("タカ"));
        assert_ne!(skeleton("dev-00002"), skeleton("dev-00001"));
    }

    #[test]
    fn scripts_are_mixed_only_as_languages_mix_them() {
        for usual in [
            "dev-1",
            "開発テストひらdev①",
            "개발-dev",
            "ไทย-dev",
            "тест",
            "Παπα",
            "Müller",
            "R&D µs",
            "5€ ★",
        ] {
            assert_eq!(mixed_scripts(usual), None, "{usual}");
        }
        assert_eq!(mixed_scripts("dеv-1"), Some(('е', "Cyrillic")));
        assert_eq!(mixed_scripts("еdv-1"), Some(('d', "Latin")));
        assert_eq!(mixed_scripts("prоd"), Some(('о', "Cyrillic")));
        assert_eq!(mixed_scripts("devο"), Some(('ο', "Greek")));
        assert_eq!(mixed_scripts("devᎪ"), Some(('Ꭺ', "Cherokee")));
        assert_eq!(mixed_scripts("開発ไ"), Some(('ไ', "Thai")));
    }
}
