//! What may have been meant where nothing matches.

use std::collections::BTreeSet;

use super::Search;
use super::letters::{Letters, search_fold};
use super::query::{Field, Form, words};

/// The words of a catalog that a mistyped one may mean.
pub(super) struct Vocabulary(Vec<(Letters, usize, String)>);

impl Vocabulary {
    fn of(search: &Search) -> Self {
        let names = search.accounts.iter().flat_map(|entry| &entry.names).map(AsRef::as_ref);
        let labels = [&search.roles, &search.tags].into_iter().flat_map(|table| &table.0);
        let mut all: BTreeSet<&str> = BTreeSet::new();
        for text in names.chain(labels.map(|text| text.folded.as_str())) {
            all.insert(text);
            all.extend(text.split(|c: char| !c.is_alphanumeric()));
        }
        let is_word = |text: &&str| {
            text.chars().count() > 2 && !text.contains(char::is_whitespace) && !text.contains('/')
        };
        let words = all.into_iter().filter(is_word);
        Self(words.map(|w| (Letters::of(w), w.chars().count(), w.to_owned())).collect())
    }

    /// The word with the fewest differences, if it is near enough.
    fn nearest(&self, typed: &str) -> Option<&str> {
        let (letters, length) = (Letters::of(typed), typed.chars().count());
        let most = length.div_ceil(3);
        let near = self.0.iter().filter(|(theirs, count, _)| {
            count.abs_diff(length) <= most && theirs.difference(letters) as usize <= most
        });
        near.map(|(_, _, word)| (strsim::osa_distance(typed, word), word.as_str()))
            .filter(|(distance, _)| (1..=most).contains(distance))
            .min()
            .map(|(_, word)| word)
    }
}

impl Search {
    /// The query that may have been meant: with the nearest word in the place of each that nothing matches. `None` unless
    /// that finds something.
    pub fn nearest(&mut self, query: &str) -> Option<String> {
        let vocabulary = self.vocabulary.take().unwrap_or_else(|| Vocabulary::of(self));
        let meant = self.replaced(query, &vocabulary);
        self.vocabulary = Some(vocabulary);
        meant
    }

    fn replaced(&self, query: &str, vocabulary: &Vocabulary) -> Option<String> {
        let all: Vec<u32> = (0..super::number(self.rows.len())).collect();
        let finds = |query: &str| !self.search(words(query), &all, None).hits.is_empty();
        let typed: Vec<&str> = query.split_whitespace().collect();
        let is_plain = |word: &str| match &words(word)[..] {
            [word] => word.field == Field::Any && word.form == Form::Plain && !word.excludes,
            _ => false,
        };
        let nearest = |word: &str| vocabulary.nearest(&search_fold(word)).map(str::to_owned);
        let in_vain = |word: &str| is_plain(word) && !finds(word);
        if typed.iter().any(|word| in_vain(word)) {
            let meant = typed
                .iter()
                .map(|word| if in_vain(word) { nearest(word) } else { Some((*word).to_owned()) });
            let meant = meant.collect::<Option<Vec<_>>>()?.join(" ");
            return finds(&meant).then_some(meant);
        }
        // Each word is somewhere, but not in one row: one of them may be another word.
        let plain = (0..typed.len()).filter(|at| is_plain(typed[*at]));
        let other = plain.filter_map(|at| {
            let other = nearest(typed[at])?;
            Some([&typed[..at], &[other.as_str()], &typed[at + 1..]].concat().join(" "))
        });
        other.into_iter().find(|meant| finds(meant))
    }
}
