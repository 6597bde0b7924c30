//! The list's filter: a query and a catalog become ranked rows.
//!
//! Every word of the query must match a row somewhere. A word's rank is its best tier: exact, prefix, word start,
//! substring, two letters transposed, abbreviated, in the note; in each, what ends with a word comes before what goes on,
//! and a name before an alias. A role, tag or region counts where a word of it begins, a tier less than a name would. The
//! row's rank is the sum. Favourites, then the config's order, break ties.
//!
//! Fast at 30,000 rows because a longer query searches only the survivors of the shorter one, roles, tags and regions are
//! scored once a word, and the fuzzy matcher sees only what is left.

mod highlight;
mod letters;
mod matching;
mod nearest;
mod query;

use std::collections::HashMap;
use std::sync::Arc;

use fuzzy_matcher::FuzzyMatcher;
use fuzzy_matcher::skim::SkimMatcherV2;

use jiff::Timestamp;

use super::account::{Account, Catalog, TargetRef};
use super::history::History;
use super::ids::{AccountId, RoleArn};
use super::pass::SessionStatus;
pub use highlight::Highlight;
use letters::{Letters, search_fold};
use matching::{MatchKind, Score, Tier, abbreviates, find, find_transposed, in_id, starts_word};
use nearest::Vocabulary;
pub use query::State;
use query::{Field, Form, Word, narrows, words};

/// How many earlier queries are kept for going back a letter.
const DEPTH: usize = 16;

/// A catalog with a query applied to it.
pub struct Search {
    catalog: Arc<Catalog>,
    accounts: Vec<Entry>,
    rows: Vec<Row>,
    roles: Table,
    tags: Table,
    regions: Table,
    /// Row numbers, the favourites first; and back.
    order: Vec<u32>,
    place: Vec<u32>,
    matcher: SkimMatcherV2,
    /// The empty query, and those typed on top of it, each narrower than the one before.
    levels: Vec<Level>,
    /// Made when something is looked for in vain.
    vocabulary: Option<Vocabulary>,
}

/// What tells the states of rows, which are not in the catalog.
pub struct RowStates<'a> {
    /// The live sessions.
    pub status: &'a SessionStatus,
    /// The stars.
    pub history: &'a History,
    /// When a session is live.
    pub now: Timestamp,
}

impl RowStates<'_> {
    fn has(&self, state: State, catalog: &Catalog, row: TargetRef) -> bool {
        let id = catalog.row(row).0.id;
        // The whole ARN only where the account is right: it has to be put together.
        let is_it = |role: &RoleArn| role.account() == id && *role == catalog.role_arn(row);
        match state {
            State::Live => {
                let live = self.status.roles.iter().filter(|(_, live)| live.expires > self.now);
                live.map(|(role, _)| role).any(is_it)
            }
            State::Starred => self.history.starred().any(is_it),
        }
    }
}

/// What is searched of an account.
struct Entry {
    /// The name, then the aliases, folded.
    names: Box<[Box<str>]>,
    id: [u8; 12],
    note: Option<Box<str>>,
    tags: Box<[u32]>,
    letters: Letters,
    first_row: u32,
}

#[derive(Clone, Copy)]
struct Row {
    account: u32,
    role: u32,
    role_text: u32,
    region_text: Option<u32>,
}

/// Texts that many rows share, each kept once.
#[derive(Default)]
struct Table(Vec<Text>);

struct Text {
    folded: String,
    original: String,
}

struct Level {
    words: Vec<Word>,
    /// The matching rows, ascending.
    rows: Vec<u32>,
    /// Rank and place of each, the best first.
    hits: Vec<Hit>,
}

/// `!score` in the upper half, the place in the lower: ascending is best first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Hit(u64);

impl Hit {
    fn new(score: Score, place: u32) -> Self {
        Self((u64::from(!score) << 32) | u64::from(place))
    }

    fn score(self) -> Score {
        !u32::try_from(self.0 >> 32).unwrap_or_default()
    }

    fn place(self) -> usize {
        usize::try_from(self.0 & 0xFFFF_FFFF).unwrap_or_default()
    }
}

impl Table {
    fn intern<'a>(&mut self, seen: &mut HashMap<&'a str, u32>, text: &'a str) -> u32 {
        *seen.entry(text).or_insert_with(|| {
            self.0.push(Text { folded: search_fold(text), original: text.to_owned() });
            number(self.0.len() - 1)
        })
    }

    /// Every text's score for one word.
    fn scores(&self, score: impl Fn(&Text) -> Score) -> Vec<Score> {
        self.0.iter().map(score).collect()
    }
}

fn number(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

/// One word, with what it scores on every shared text.
struct Scored<'a> {
    word: &'a Word,
    roles: Vec<Score>,
    tags: Vec<Score>,
    regions: Vec<Score>,
}

impl Search {
    /// Prepares a catalog for searching, with the empty query applied.
    ///
    /// `favourites` stand first among rows that match equally, the best first.
    pub fn new(catalog: Arc<Catalog>, favourites: &[RoleArn]) -> Self {
        let mut accounts = Vec::with_capacity(catalog.accounts().len());
        let mut rows = Vec::new();
        let (mut roles, mut tags, mut regions) = <(Table, Table, Table)>::default();
        let mut seen = <[HashMap<&str, u32>; 3]>::default();
        for row in catalog.rows() {
            let (account, role) = catalog.row(row);
            if row.role == 0 {
                let own = account.tags.iter().map(|tag| tags.intern(&mut seen[0], tag)).collect();
                accounts.push(Entry::new(account, own, rows.len()));
            }
            let region = catalog.region(row);
            rows.push(Row {
                account: row.account,
                role: row.role,
                role_text: roles.intern(&mut seen[1], role.name.as_str()),
                region_text: region.map(|region| regions.intern(&mut seen[2], region.as_str())),
            });
        }
        let mut search = Self {
            catalog,
            accounts,
            rows,
            roles,
            tags,
            regions,
            order: Vec::new(),
            place: Vec::new(),
            matcher: SkimMatcherV2::default().ignore_case().use_cache(true),
            levels: Vec::new(),
            vocabulary: None,
        };
        search.rank(favourites);
        search
    }

    /// Puts these roles first among rows that match equally, the best first. The query is empty afterwards.
    pub fn rank(&mut self, favourites: &[RoleArn]) {
        let mut wanted: HashMap<AccountId, Vec<(u32, &RoleArn)>> = HashMap::new();
        for (rank, role) in (0..).zip(favourites) {
            wanted.entry(role.account()).or_default().push((rank, role));
        }
        let mut first: Vec<(u32, u32)> = Vec::new();
        for (number, row) in (0..).zip(&self.rows) {
            let account = &self.catalog.accounts()[row.account as usize];
            if let Some(roles) = wanted.get(&account.id) {
                let arn = self.catalog.role_arn(row.target());
                let rank = roles.iter().find(|(_, role)| **role == arn);
                first.extend(rank.map(|(rank, _)| (*rank, number)));
            }
        }
        first.sort_unstable();
        self.place = vec![u32::MAX; self.rows.len()];
        self.order = first.into_iter().map(|(_, row)| row).collect();
        for (place, row) in (0..).zip(&self.order) {
            self.place[*row as usize] = place;
        }
        for row in 0..number(self.rows.len()) {
            if self.place[row as usize] == u32::MAX {
                self.place[row as usize] = number(self.order.len());
                self.order.push(row);
            }
        }
        let all = 0..number(self.rows.len());
        self.levels = vec![Level {
            words: Vec::new(),
            hits: all.clone().map(|place| Hit::new(0, place)).collect(),
            rows: all.collect(),
        }];
    }

    /// Filters and orders the rows by a query; without `states` no row is in any.
    pub fn filter(&mut self, query: &str, states: Option<&RowStates<'_>>) {
        self.narrow(words(query), states);
    }

    /// Whether the rows that match may change by themselves.
    pub fn follows_states(&self) -> bool {
        self.level().words.iter().any(|word| matches!(word.field, Field::State(_)))
    }

    fn narrow(&mut self, words: Vec<Word>, states: Option<&RowStates<'_>>) {
        // The first level is the empty query: everything narrows it.
        while self.levels.len() > 1 && !narrows(&words, &self.level().words) {
            self.levels.pop();
        }
        if self.level().words == words {
            return;
        }
        let level = self.search(words, &self.level().rows, states);
        if self.levels.len() == DEPTH {
            self.levels.remove(1);
        }
        self.levels.push(level);
    }

    fn level(&self) -> &Level {
        &self.levels[self.levels.len() - 1]
    }

    /// Searches some rows, ascending.
    fn search(&self, words: Vec<Word>, among: &[u32], states: Option<&RowStates<'_>>) -> Level {
        let scored: Vec<Scored<'_>> = words.iter().map(|word| self.score_shared(word)).collect();
        let (mut rows, mut hits) = (Vec::new(), Vec::new());
        let mut own: Vec<Score> = Vec::with_capacity(words.len());
        for group in among.chunk_by(|a, b| self.account_of(*a) == self.account_of(*b)) {
            let account = self.account_of(group[0]);
            own.clear();
            own.extend(scored.iter().map(|word| self.score_account(word, account)));
            for &number in group {
                let row = self.rows[number as usize];
                let total = scored.iter().zip(&own).try_fold(0, |total, (scored, own)| {
                    let best = match scored.word.field {
                        Field::State(state) => {
                            let known = state.zip(states);
                            let has = known.is_some_and(|(state, states)| {
                                states.has(state, &self.catalog, row.target())
                            });
                            Score::from(has)
                        }
                        _ => scored.row(row).max(*own),
                    };
                    match (scored.word.excludes, best) {
                        (false, 0) => None,
                        (false, best) => Some(total + best),
                        (true, 0) => Some(total),
                        (true, _) => None,
                    }
                });
                if let Some(score) = total {
                    rows.push(number);
                    hits.push(Hit::new(score, self.place[number as usize]));
                }
            }
        }
        hits.sort_unstable();
        Level { words, rows, hits }
    }

    fn account_of(&self, row: u32) -> u32 {
        self.rows[row as usize].account
    }

    fn score_shared<'a>(&self, word: &'a Word) -> Scored<'a> {
        let when = |field: Field, table: &Table, kind: MatchKind| {
            if word.field != field && !word.is_anywhere() {
                return vec![0; table.0.len()];
            }
            table.scores(|text| match find(&text.folded, &text.original, word) {
                // A part of a label is too little to leave a row out: `!dev` is not about every Developer.
                Some(found) if word.excludes && word.field == Field::Any && !found.is_word => 0,
                Some(found) => found.label_score(kind),
                None => 0,
            })
        };
        Scored {
            word,
            roles: when(Field::Role, &self.roles, MatchKind::Role),
            tags: when(Field::Tag, &self.tags, MatchKind::Label),
            regions: when(Field::Region, &self.regions, MatchKind::Label),
        }
    }

    /// What a word scores on all that an account's rows have in common.
    fn score_account(&self, scored: &Scored<'_>, account: u32) -> Score {
        let (entry, word) = (&self.accounts[account as usize], scored.word);
        let tags = entry.tags.iter().map(|tag| scored.tags[*tag as usize]);
        let mut best = tags.max().unwrap_or(0);
        if let Some(digits) = &word.digits {
            let found = in_id(entry.id(), digits, word.matches_inside_ids(), word.form);
            best = best.max(found.map_or(0, |found| found.score(MatchKind::Alias)));
        }
        if word.field != Field::Any {
            return best;
        }
        if entry.letters.contains(word.letters) {
            let account = &self.catalog.accounts()[account as usize];
            let kinds = std::iter::once(MatchKind::Name).chain(std::iter::repeat(MatchKind::Alias));
            for ((name, folded), kind) in account.names().zip(&entry.names).zip(kinds) {
                best = best.max(self.name_score(folded, name.as_str(), word, kind));
            }
        }
        if let (0, Form::Plain | Form::Whole, false, Some(note)) =
            (best, word.form, word.excludes, &entry.note)
            && find(note, note, word).is_some_and(|found| found.tier >= Tier::WordStart)
        {
            best = Tier::Note.score(MatchKind::Label);
        }
        best
    }

    /// What a word scores on an account's name or alias.
    fn name_score(&self, text: &str, original: &str, word: &Word, kind: MatchKind) -> Score {
        if let Some(found) = find(text, original, word) {
            return found.score(kind);
        }
        if word.form != Form::Plain || word.excludes {
            return 0;
        }
        let typo = word.typo.as_deref();
        if let Some(at) = typo.and_then(|word| find_transposed(text, original, word)) {
            let end = at + word.text.len();
            let is_word = end == text.len() || starts_word(text, original, end);
            let place = 2 * Score::from(at == 0) + Score::from(is_word);
            return Tier::Typo.score(kind) + (place << 9);
        }
        if !abbreviates(text, original, &word.units) {
            return 0;
        }
        let points = self.matcher.fuzzy_match(text, &word.text).unwrap_or(0);
        let points = Score::try_from(points.clamp(0, 255)).unwrap_or(0);
        Tier::Fuzzy.score(kind) + (points << 2)
    }

    /// The catalog that is searched.
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// How many rows match.
    pub fn len(&self) -> usize {
        self.level().hits.len()
    }

    /// Whether no row matches.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many rows there are.
    pub fn total(&self) -> usize {
        self.rows.len()
    }

    /// The matching row at a position, the best at 0.
    pub fn hit(&self, at: usize) -> Option<TargetRef> {
        let hit = self.level().hits.get(at)?;
        Some(self.rows[self.order[hit.place()] as usize].target())
    }

    /// The position of a row among those that match.
    pub fn position(&self, row: TargetRef) -> Option<usize> {
        let number = self.accounts.get(row.account as usize)?.first_row + row.role;
        let place = *self.place.get(number as usize)? as usize;
        self.level().hits.iter().position(|hit| hit.place() == place)
    }

    /// How many rows at the top match equally well, so that only favourites set them apart.
    pub fn ties(&self) -> usize {
        let hits = &self.level().hits;
        let best = hits.first().map(|hit| hit.score());
        hits.partition_point(|hit| Some(hit.score()) == best)
    }
}

impl Entry {
    fn new(account: &Account, tags: Box<[u32]>, first_row: usize) -> Self {
        let names: Box<[Box<str>]> =
            account.names().map(|name| search_fold(name.as_str()).into_boxed_str()).collect();
        let mut id = [b'0'; 12];
        id.copy_from_slice(&account.id.to_string().as_bytes()[..12]);
        Self {
            letters: Letters(names.iter().fold(0, |set, name| set | Letters::of(name).0)),
            names,
            id,
            note: account.note.as_deref().map(|note| search_fold(note).into_boxed_str()),
            tags,
            first_row: number(first_row),
        }
    }

    fn id(&self) -> &str {
        std::str::from_utf8(&self.id).unwrap_or_default()
    }
}

impl Row {
    fn target(self) -> TargetRef {
        TargetRef { account: self.account, role: self.role }
    }
}

impl Scored<'_> {
    fn row(&self, row: Row) -> Score {
        let region = row.region_text.map_or(0, |r| self.regions[r as usize]);
        self.roles[row.role_text as usize].max(region)
    }
}

#[cfg(test)]
mod tests;
