//! A text's letters: folded for searching, and as a set.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use crate::domain::text::fold;

/// Folds a text for searching: as names are compared, and without accents.
pub(super) fn search_fold(text: &str) -> String {
    let folded = fold(text);
    if folded.is_ascii() {
        return folded;
    }
    // The marks of kana are others, and stay: が is not か.
    let is_accent = |c: &char| is_combining_mark(*c) && ('\u{300}'..'\u{370}').contains(c);
    folded.nfd().filter(|c| !is_accent(c)).nfc().collect()
}

/// The set of a text's characters, folded into 64 bits: a fast "cannot match".
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Letters(pub(super) u64);

impl Letters {
    pub(super) fn of(text: &str) -> Self {
        Self(text.chars().fold(0, |set, c| {
            let bit = match c {
                'a'..='z' => u32::from(c) - u32::from('a'),
                '0'..='9' => 26 + u32::from(c) - u32::from('0'),
                _ => 36 + u32::from(c) % 28,
            };
            set | 1 << bit
        }))
    }

    pub(super) fn contains(self, other: Self) -> bool {
        other.0 & !self.0 == 0
    }

    /// In how many characters two texts differ at least.
    pub(super) fn difference(self, other: Self) -> u32 {
        (self.0 ^ other.0).count_ones().div_ceil(2)
    }
}
