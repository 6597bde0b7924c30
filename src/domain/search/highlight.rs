//! The letters that a query matched, for the rows on the screen only.

use fuzzy_matcher::FuzzyMatcher;
use unicode_segmentation::UnicodeSegmentation;

use super::Search;
use super::matching::{Field, MatchKind, Word, in_id, whole};
use crate::domain::account::TargetRef;
use crate::domain::text::fold;

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
        for word in &self.level().words {
            let looks_in = |field| word.field == Field::Any || word.field == field;
            let fuzzy = |text: &str, kind| self.score(&fold(text), text, &word.text, kind);
            let digits = word.digits.as_deref().and_then(|digits| {
                let (tier, at) = in_id(entry.id(), digits)?;
                Some((tier, at..at + digits.len()))
            });
            let mut scores = [0; 4];
            if word.field == Field::Any {
                scores[0] = fuzzy(name, MatchKind::Name);
                scores[1] = digits.as_ref().map_or(0, |(tier, _)| tier.score(MatchKind::Alias));
            }
            if looks_in(Field::Role) {
                scores[2] = fuzzy(role, MatchKind::Role);
            }
            if looks_in(Field::Region) {
                let found = whole(&fold(region), region, &word.text);
                scores[3] = found.map_or(0, |(tier, _)| tier.score(MatchKind::Label));
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
        let folded = fold(original);
        let characters: Vec<usize> = match whole(&folded, original, &word.text) {
            Some((_, at)) => {
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
            .flat_map(|(at, grapheme)| fold(grapheme).chars().map(|_| at).collect::<Vec<_>>())
            .collect();
        characters.into_iter().filter_map(|index| origin.get(index).copied()).collect()
    }
}
