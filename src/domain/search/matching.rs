//! One word against one text.

use crate::domain::text::fold;

/// How well a word matches; 0 is not at all.
pub(super) type Score = u32;

/// How well a word matches a text; the better match is the greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Tier {
    Fuzzy = 1,
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
        ((self as Score) << 10) | kind as Score
    }
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
}

/// Where a word is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Any,
    Tag,
    Role,
    Region,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) field: Field,
    pub(super) text: String,
    pub(super) letters: Letters,
    /// The digits of a word that could be part of an id.
    pub(super) digits: Option<String>,
}

impl Word {
    fn parse(text: &str) -> Option<Self> {
        let fields = [("tag:", Field::Tag), ("role:", Field::Role), ("region:", Field::Region)];
        let (field, text) = fields
            .into_iter()
            .find_map(|(prefix, field)| Some((field, text.strip_prefix(prefix)?)))
            .unwrap_or((Field::Any, text));
        if text.is_empty() {
            return None;
        }
        let is_id = text.bytes().all(|b| b.is_ascii_digit() || b == b'-');
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        Some(Self {
            field,
            letters: Letters::of(text),
            digits: (field == Field::Any && is_id && !digits.is_empty()).then_some(digits),
            text: text.to_owned(),
        })
    }

    /// Whether whatever matches this word also matches `wider`.
    fn narrows(&self, wider: &Self) -> bool {
        self.field == wider.field
            && self.text.starts_with(&wider.text)
            && (self.digits.is_none() || wider.digits.is_some())
    }
}

/// The words of a query. A slash separates like a space, so that `account/role` finds its target.
pub(super) fn words(query: &str) -> Vec<Word> {
    fold(query).split(|c: char| c.is_whitespace() || c == '/').filter_map(Word::parse).collect()
}

pub(super) fn narrows(words: &[Word], wider: &[Word]) -> bool {
    words.len() >= wider.len() && words.iter().zip(wider).all(|(word, wider)| word.narrows(wider))
}

/// Whether a word begins at `at`: after a separator, at a change of script, at a camel's hump.
fn starts_word(text: &str, original: &str, at: usize) -> bool {
    let (Some(before), Some(here)) = (text[..at].chars().next_back(), text[at..].chars().next())
    else {
        return true;
    };
    let hump = || {
        let bytes = original.as_bytes();
        original.is_ascii() && bytes[at].is_ascii_uppercase() && bytes[at - 1].is_ascii_lowercase()
    };
    !before.is_alphanumeric() || before.is_ascii() != here.is_ascii() || hump()
}

/// The best place where a whole word (never empty) occurs in a text, and how well it matches there.
pub(super) fn whole(text: &str, original: &str, word: &str) -> Option<(Tier, usize)> {
    // For texts this short, looking at every place beats building a searcher.
    let (text_bytes, word_bytes) = (text.as_bytes(), word.as_bytes());
    let last = text.len().checked_sub(word.len())?;
    let mut inside = None;
    for at in 0..=last {
        // UTF-8 synchronises itself: a whole word is only found where a character begins.
        if text_bytes[at] != word_bytes[0] || !text_bytes[at..].starts_with(word_bytes) {
            continue;
        }
        if at == 0 {
            let exact = text.len() == word.len();
            return Some((if exact { Tier::Exact } else { Tier::Prefix }, 0));
        }
        if starts_word(text, original, at) {
            return Some((Tier::WordStart, at));
        }
        inside = inside.or(Some((Tier::Substring, at)));
    }
    inside
}

/// Whether a word's letters occur in a text in their order.
pub(super) fn is_subsequence(text: &str, word: &str) -> bool {
    let mut rest = text.chars();
    word.chars().all(|c| rest.any(|t| t == c))
}

/// How well a word of digits matches an id, whose groups of four count as words.
pub(super) fn in_id(id: &str, digits: &str) -> Option<(Tier, usize)> {
    let at = id.find(digits)?;
    Some(if at == 0 && digits.len() == id.len() {
        (Tier::Exact, 0)
    } else if at == 0 {
        (Tier::Prefix, 0)
    } else if let Some(group) = [4, 8].into_iter().find(|g| id[*g..].starts_with(digits)) {
        (Tier::WordStart, group)
    } else {
        (Tier::Substring, at)
    })
}
