//! The letters that a query matched, for the rows on the screen only.

use fuzzy_matcher::FuzzyMatcher;
use unicode_segmentation::UnicodeSegmentation;

use super::Search;
use super::letters::search_fold;
use super::matching::{MatchKind, find, find_transposed, in_id};
use super::query::{Field, Word};
use crate::domain::account::TargetRef;

/// The letters of a row that the query matched, as byte offsets into the texts that are shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Highlight {
    /// In the account's name.
    pub name: Vec<usize>,
    /// In the id's 12 digits.
    pub id: Vec<usize>,
    /// In the role's name.
    pub role: Vec<usize>,
    /// In the region.
    pub region: Vec<usize>,
}

impl Search {
    /// The letters of a row that the query matched: for each word, in the text that matched best.
    pub fn highlight(&self, row: TargetRef) -> Highlight {
        let mut highlight = Highlight::default();
        let (account, role) = self.catalog.row(row);
        let entry = &self.accounts[row.account as usize];
        let region = self.catalog.region(row);
        let (name, role) = (account.name.as_str(), role.name.as_str());
        let region = region.map_or("", |region| region.as_str());
        for word in self.level().words.iter().filter(|word| !word.excludes) {
            let in_field = |field| word.field == field || word.is_anywhere();
            let label = |text: &str, kind| {
                find(&search_fold(text), text, word).map_or(0, |found| found.label_score(kind))
            };
            let digits = word.digits.as_deref().and_then(|digits| {
                let found = in_id(entry.id(), digits, word.matches_inside_ids(), word.form)?;
                Some((found.score(MatchKind::Alias), found.at..found.at + digits.len()))
            });
            let mut scores = [0; 4];
            if word.field == Field::Any {
                scores[0] = self.name_score(&search_fold(name), name, word, MatchKind::Name);
            }
            scores[1] = digits.as_ref().map_or(0, |(score, _)| *score);
            if in_field(Field::Role) {
                scores[2] = label(role, MatchKind::Role);
            }
            if in_field(Field::Region) {
                scores[3] = label(region, MatchKind::Label);
            }
            let best = scores.into_iter().max().filter(|best| *best > 0);
            match scores.iter().position(|score| Some(*score) == best) {
                Some(0) => highlight.name.extend(self.letters(name, word)),
                Some(1) => highlight.id.extend(digits.into_iter().flat_map(|(_, at)| at)),
                Some(2) => highlight.role.extend(self.letters(role, word)),
                Some(3) => highlight.region.extend(self.letters(region, word)),
                _ => {}
            }
        }
        highlight
    }

    /// The byte offsets of a text's letters that a word matched.
    fn letters(&self, original: &str, word: &Word) -> Vec<usize> {
        let folded = search_fold(original);
        let whole = find(&folded, original, word).map(|found| found.at);
        let transposed = || find_transposed(&folded, original, word.typo.as_deref()?);
        let characters: Vec<usize> = match whole.or_else(transposed) {
            Some(at) => {
                let first = folded[..at].chars().count();
                (first..first + word.text.chars().count()).collect()
            }
            None => self
                .matcher
                .fuzzy_indices(&folded, &word.text)
                .map(|(_, indices)| indices)
                .unwrap_or_default(),
        };
        // Folding may change a text's length: each folded character knows where it came from.
        let origin: Vec<usize> = original
            .grapheme_indices(true)
            .flat_map(|(at, part)| search_fold(part).chars().map(|_| at).collect::<Vec<_>>())
            .collect();
        characters.into_iter().filter_map(|index| origin.get(index).copied()).collect()
    }
}
