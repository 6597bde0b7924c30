//! One word against one text.

use super::query::{Form, Word};

/// How well a word matches; 0 is not at all.
pub(super) type Score = u32;

/// How well a word matches a text; the better match is the greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Tier {
    /// In the account's note.
    Note,
    /// Abbreviated.
    Fuzzy,
    /// With two letters transposed.
    Typo,
    Substring,
    WordStart,
    Prefix,
    Exact,
}

/// What kind of text matched; it settles which of two equal tiers is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum MatchKind {
    Label,
    Role,
    Alias,
    Name,
}

impl Tier {
    pub(super) fn score(self, kind: MatchKind) -> Score {
        ((self as Score) << 11) + 1 + kind as Score
    }
}

/// Where a whole word was found in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Found {
    pub(super) tier: Tier,
    /// Whether no letter of the text's own word follows.
    pub(super) is_word: bool,
    pub(super) at: usize,
}

impl Found {
    pub(super) fn score(self, kind: MatchKind) -> Score {
        self.tier.score(kind) + (Score::from(self.is_word) << 10)
    }

    /// As a label's, which counts a tier less than a name, after every name there, and only where a word of it begins.
    pub(super) fn label_score(self, kind: MatchKind) -> Score {
        let tier = match self.tier {
            Tier::Exact => Tier::Prefix,
            Tier::Prefix => Tier::WordStart,
            Tier::WordStart => Tier::Substring,
            _ => return 0,
        };
        tier.score(kind)
    }
}

/// What a character is part of: a word ends where this changes.
#[derive(PartialEq, Eq)]
enum Class {
    Separator,
    Digit,
    Letter,
    /// A script that puts no spaces between words: each of its characters may begin one.
    Unspaced,
}

impl Class {
    fn of(c: char) -> Self {
        match c {
            '0'..='9' => Self::Digit,
            c if c.is_ascii_alphabetic() => Self::Letter,
            '\u{0E00}'..='\u{0EFF}'
            | '\u{3040}'..='\u{30FF}'
            | '\u{3400}'..='\u{9FFF}'
            | '\u{F900}'..='\u{FAFF}'
            | '\u{20000}'..='\u{3FFFF}' => Self::Unspaced,
            c if c.is_alphanumeric() => Self::Letter,
            _ => Self::Separator,
        }
    }
}

/// Whether a word begins at `at`: after a separator, between letters and digits, at a camel's hump; a number begins after
/// its leading zeros, too.
pub(super) fn starts_word(text: &str, original: &str, at: usize) -> bool {
    let (Some(before), Some(here)) = (text[..at].chars().next_back(), text[at..].chars().next())
    else {
        return true;
    };
    let hump = || {
        let bytes = original.as_bytes();
        original.is_ascii() && bytes[at].is_ascii_uppercase() && bytes[at - 1].is_ascii_lowercase()
    };
    let after_zeros = || {
        let number = text[..at].trim_end_matches('0');
        number.len() < at && !number.ends_with(|c: char| c.is_ascii_digit())
    };
    match (Class::of(before), Class::of(here)) {
        (_, Class::Unspaced) => true,
        (Class::Digit, Class::Digit) => after_zeros(),
        (Class::Letter, Class::Letter) => hump(),
        (before, here) => before != here,
    }
}

/// The best place where a whole word occurs in a text, in the form that it must have, and how well it matches there.
pub(super) fn find(text: &str, original: &str, word: &Word) -> Option<Found> {
    let (text_bytes, word_bytes) = (text.as_bytes(), word.text.as_bytes());
    let last = text.len().checked_sub(word_bytes.len())?;
    let places = match word.form {
        Form::Plain | Form::Whole => 0..=last,
        Form::Start => 0..=0,
        Form::End => last..=last,
        Form::All if last == 0 => 0..=0,
        Form::All => return None,
    };
    let mut best: Option<Found> = None;
    // For texts this short, looking at every place beats building a searcher.
    for at in places {
        // UTF-8 synchronises itself: a whole word is only found where a character begins.
        if text_bytes[at] != word_bytes[0] || !text_bytes[at..].starts_with(word_bytes) {
            continue;
        }
        let end = at + word_bytes.len();
        let is_word = end == text.len() || starts_word(text, original, end);
        let tier = match at {
            0 if end == text.len() => Tier::Exact,
            0 => Tier::Prefix,
            _ if starts_word(text, original, at) => Tier::WordStart,
            _ => Tier::Substring,
        };
        let found = Found { tier, is_word, at };
        let rank = |found: &Found| (found.tier, found.is_word);
        if best.as_ref().is_none_or(|best| rank(best) < rank(&found)) {
            best = Some(found);
        }
        if tier >= Tier::Prefix || tier == Tier::WordStart && is_word {
            break; // nothing better can follow
        }
    }
    best
}

/// Where a word of a text is this word with two neighbouring letters transposed.
pub(super) fn find_transposed(text: &str, original: &str, word: &[char]) -> Option<usize> {
    let begins = |at: &usize| starts_word(text, original, *at);
    let is_it = |at: &usize| is_transposed(&text[*at..], word);
    text.char_indices().map(|(at, _)| at).filter(is_it).find(begins)
}

fn is_transposed(text: &str, word: &[char]) -> bool {
    let mut text = text.chars();
    let (mut at, mut transposed) = (0, false);
    while at < word.len() {
        match (text.next(), word.get(at + 1)) {
            (Some(c), _) if c == word[at] => at += 1,
            (Some(c), Some(next)) if !transposed && c == *next && text.next() == Some(word[at]) => {
                (at, transposed) = (at + 2, true);
            }
            _ => return false,
        }
    }
    transposed
}

/// Whether a word abbreviates a text: its letters occur in their order, the first one where a word begins.
pub(super) fn abbreviates(text: &str, original: &str, units: &[String]) -> bool {
    let Some((first, others)) = units.split_first() else { return false };
    let begins =
        |at: &usize| text[*at..].starts_with(first.as_str()) && starts_word(text, original, *at);
    let Some(at) = text.char_indices().map(|(at, _)| at).find(begins) else { return false };
    let mut rest = &text[at + first.len()..];
    others.iter().all(|unit| match rest.find(unit.as_str()) {
        Some(at) => {
            rest = &rest[at + unit.len()..];
            true
        }
        None => false,
    })
}

/// How well a word of digits matches an id, whose groups of four count as words. All of it is exact; a part counts a
/// tier less than in a name.
pub(super) fn in_id(id: &str, digits: &str, inside: bool, form: Form) -> Option<Found> {
    let starts = |at: usize| id[at..].starts_with(digits);
    let group = [0, 4, 8].into_iter().find(|at| starts(*at));
    let at = match form {
        Form::Start | Form::All => Some(0).filter(|at| starts(*at)),
        Form::End => id.len().checked_sub(digits.len()).filter(|at| starts(*at)),
        Form::Plain | Form::Whole => group.or_else(|| id.find(digits).filter(|_| inside)),
    }?;
    let end = at + digits.len();
    let (is_exact, is_word) = (digits.len() == id.len(), end.is_multiple_of(4));
    let tier = match at {
        0 if is_exact => Tier::Exact,
        _ if form == Form::All => return None,
        0 => Tier::WordStart,
        _ => Tier::Substring,
    };
    Some(Found { tier, is_word: is_exact || is_word && group.is_some(), at })
}
