//! What is typed, as words: where each is looked for, and how it must match.

use super::letters::{Letters, search_fold};

/// From how many digits a word is looked for at the start of an id's groups, and from how many anywhere in it.
const OF_A_GROUP: usize = 3;
const ANYWHERE: usize = 4;

/// From how many letters a pair of them may be transposed.
const TYPO: usize = 4;

/// Where a word is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Any,
    Tag,
    Role,
    Region,
    Id,
    /// In nothing that is written: the row must be in this state, or in one that does not exist.
    State(Option<State>),
}

/// A state of a row that changes by itself: `is:live`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// A session is live.
    Live,
    /// It has a star.
    Starred,
}

/// How a word must match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Whole, abbreviated, or with two letters transposed.
    Plain,
    /// Whole: `'word`.
    Whole,
    /// At the start of a text: `^word`.
    Start,
    /// At its end: `word$`.
    End,
    /// The whole text: `^word$`.
    All,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) field: Field,
    pub(super) form: Form,
    /// Whether what matches is left out: `!word`.
    pub(super) excludes: bool,
    pub(super) text: String,
    pub(super) letters: Letters,
    /// The digits of a word that could be part of an id.
    pub(super) digits: Option<String>,
    /// The letters, where two of them may be transposed.
    pub(super) typo: Option<Vec<char>>,
    /// The letters that an abbreviation consists of; digits that follow each other stay together.
    pub(super) units: Vec<String>,
}

impl Word {
    /// Reads a word; `default` is where it is looked for unless it says so itself.
    pub(super) fn parse(word: &str, default: Field) -> Option<Self> {
        let (excludes, text) = match word.strip_prefix('!') {
            Some(text) => (true, text),
            None => (false, word),
        };
        let (field, text) = field(text).unwrap_or((default, text));
        let (start, rest) = match (text.strip_prefix('^'), text.strip_prefix('\'')) {
            (Some(rest), _) => (Form::Start, rest),
            (_, Some(rest)) => (Form::Whole, rest),
            _ => (Form::Plain, text),
        };
        let (form, text) = match (start, rest.strip_suffix('$')) {
            (Form::Start, Some(text)) => (Form::All, text),
            (_, Some(text)) => (Form::End, text),
            (form, None) => (form, rest),
        };
        if let Field::State(_) = field {
            let state = [("live", State::Live), ("starred", State::Starred)];
            let state = state.into_iter().find(|(name, _)| name.starts_with(text));
            let field = Field::State(state.map(|(_, state)| state));
            return (!text.is_empty()).then(|| Self::new(field, Form::Whole, excludes, text));
        }
        (!text.is_empty()).then(|| Self::new(field, form, excludes, text))
    }

    fn new(field: Field, form: Form, excludes: bool, text: &str) -> Self {
        let is_id = text.bytes().all(|b| b.is_ascii_digit() || b == b'-');
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        let of_id = match field {
            Field::Id => !digits.is_empty(),
            Field::Any => is_id && digits.len() >= OF_A_GROUP,
            _ => false,
        };
        let letters: Vec<char> = text.chars().collect();
        let may_be_typo = form == Form::Plain
            && !excludes
            && letters.len() >= TYPO
            && letters.iter().all(|c| c.is_alphabetic());
        let mut units: Vec<String> = Vec::new();
        for c in &letters {
            match units.last_mut() {
                Some(unit)
                    if c.is_ascii_digit() && unit.ends_with(|c: char| c.is_ascii_digit()) =>
                {
                    unit.push(*c);
                }
                _ => units.push(c.to_string()),
            }
        }
        Self {
            field,
            form,
            excludes,
            letters: Letters::of(text),
            digits: of_id.then_some(digits),
            typo: may_be_typo.then_some(letters),
            units,
            text: text.to_owned(),
        }
    }

    /// Whether the word is looked for in every text; what is said about an end is about the name's.
    pub(super) fn is_anywhere(&self) -> bool {
        self.field == Field::Any && matches!(self.form, Form::Plain | Form::Whole)
    }

    /// Whether the word may match anywhere in an id, not only at the start of a group.
    pub(super) fn matches_inside_ids(&self) -> bool {
        let digits = self.digits.as_ref().map_or(0, String::len);
        self.field == Field::Id || digits >= ANYWHERE
    }

    /// Whether whatever matches this word also matches `wider`, so that only that has to be searched.
    fn narrows(&self, wider: &Self) -> bool {
        if [self.field, wider.field].iter().any(|field| matches!(field, Field::State(_))) {
            return false; // a state changes meanwhile
        }
        let is_longer = self.field == wider.field
            && self.form == wider.form
            && matches!(self.form, Form::Plain | Form::Whole | Form::Start)
            && !self.excludes
            && !wider.excludes
            && self.text.starts_with(&wider.text);
        // From a certain length on a word may match what a shorter one does not.
        let same_ids = self.digits.is_none()
            || wider.digits.is_some() && self.matches_inside_ids() == wider.matches_inside_ids();
        let same_typos = self.typo.is_none() || wider.typo.is_some();
        self == wider || is_longer && same_ids && same_typos
    }
}

/// The field that a word names, and the rest of it.
fn field(word: &str) -> Option<(Field, &str)> {
    let (name, rest) = word.split_once(':')?;
    let field = match name {
        "tag" => Field::Tag,
        "role" => Field::Role,
        "region" => Field::Region,
        "id" => Field::Id,
        "is" => Field::State(None),
        _ => return None,
    };
    Some((field, rest))
}

/// The words of a query. What follows a slash is a role, as in `account/role`.
pub(super) fn words(query: &str) -> Vec<Word> {
    let query = search_fold(query);
    let mut words = Vec::new();
    for typed in query.split_whitespace() {
        for (i, part) in typed.split('/').enumerate() {
            let default = if i == 0 { Field::Any } else { Field::Role };
            words.extend(Word::parse(part, default));
        }
    }
    words
}

pub(super) fn narrows(words: &[Word], wider: &[Word]) -> bool {
    words.len() >= wider.len() && words.iter().zip(wider).all(|(word, wider)| word.narrows(wider))
}
