//! Which targets `each` is for: words and patterns taken literally, never a guess.
//!
//! Words of one kind are alternatives, kinds must all hold, `!` excludes. Of an account, the first role that fits is taken.

use super::account::{Account, Catalog, Role, TargetRef};
use super::ids::{Name, Region, RoleName};
use super::text::{fold, nearest};
use super::wildcard;

/// What a word is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// A name, an alias or an id; after a slash, a role.
    Name,
    Id,
    Role,
    Region,
    Tag,
    State,
}

/// What `is:` asks about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// A session of it is live.
    Live,
    /// It is starred in the list.
    Starred,
}

impl State {
    const ALL: [Self; 2] = [Self::Live, Self::Starred];

    const fn name(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Starred => "starred",
        }
    }
}

/// A word of the selection, folded.
#[derive(Debug, Clone)]
struct Word {
    kind: Kind,
    pattern: String,
    /// As it was typed, for faults.
    typed: String,
    excludes: bool,
}

/// Words that select targets.
#[derive(Debug, Clone)]
pub struct Selection(Vec<Word>);

/// A selection that means nothing: what happened, and what may have been meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unselectable {
    /// In one line.
    pub what: String,
    /// Names that are in the config, best first.
    pub nearest: Vec<String>,
}

/// The targets that were selected, in the config's order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selected {
    /// At most one row of each account.
    pub rows: Vec<TargetRef>,
    /// Accounts that fit, but do not have the role that was asked for.
    pub without_role: Vec<Name>,
}

impl Selection {
    /// Reads words such as `dev-*`, `tag:sandbox`, `role:Admin`, `region:eu-*`, `id:2222*`, `is:live`, `!dev-1`.
    pub fn parse(words: &[String]) -> Result<Self, Unselectable> {
        words.iter().map(|word| Word::parse(word)).collect::<Result<_, _>>().map(Self)
    }

    /// The rows that fit. Every word must fit something: one that does not is a slip.
    pub fn select(
        &self,
        catalog: &Catalog,
        role: Option<&RoleName>,
        is: impl Fn(State, TargetRef) -> bool,
    ) -> Result<Selected, Unselectable> {
        let rows: Vec<Row<'_>> = catalog.rows().map(|row| Row::of(catalog, row)).collect();
        for word in &self.0 {
            if !rows.iter().any(|row| word.fits(row, &is)) {
                return Err(word.fits_nothing(catalog));
            }
        }
        let mut selected = Selected::default();
        for roles in rows.chunk_by(|one, next| one.at.account == next.at.account) {
            let mut fitting = roles.iter().filter(|row| self.fits(row, &is)).peekable();
            let Some(first) = fitting.peek() else { continue };
            let name = &first.account.name;
            match fitting.find(|row| role.is_none_or(|role| row.role.name == *role)) {
                Some(row) => selected.rows.push(row.at),
                None => selected.without_role.push(name.clone()),
            }
        }
        Ok(selected)
    }

    fn fits(&self, row: &Row<'_>, is: &impl Fn(State, TargetRef) -> bool) -> bool {
        let (excluding, wanted): (Vec<&Word>, Vec<&Word>) =
            self.0.iter().partition(|word| word.excludes);
        let is_wanted = wanted.iter().all(|word| {
            let mut alternatives = wanted.iter().filter(|other| other.kind == word.kind);
            alternatives.any(|word| word.fits(row, is))
        });
        is_wanted && !excluding.iter().any(|word| word.fits(row, is))
    }
}

/// A row with what words are compared with, folded.
struct Row<'a> {
    at: TargetRef,
    account: &'a Account,
    role: &'a Role,
    names: Vec<String>,
    id: String,
    region: Option<&'a Region>,
}

impl<'a> Row<'a> {
    fn of(catalog: &'a Catalog, at: TargetRef) -> Self {
        let (account, role) = catalog.row(at);
        let names = account.names().map(|name| fold(name.as_str())).collect();
        Self { at, account, role, names, id: account.id.to_string(), region: catalog.region(at) }
    }
}

impl Word {
    fn parse(typed: &str) -> Result<Self, Unselectable> {
        let (excludes, word) = match typed.strip_prefix('!') {
            Some(word) => (true, word),
            None => (false, typed),
        };
        let kinds = [
            ("id:", Kind::Id),
            ("role:", Kind::Role),
            ("region:", Kind::Region),
            ("tag:", Kind::Tag),
            ("is:", Kind::State),
        ];
        let labelled =
            kinds.into_iter().find_map(|(label, kind)| Some((kind, word.strip_prefix(label)?)));
        let (kind, pattern) = labelled.unwrap_or((Kind::Name, word));
        let wrong = |what: String| Unselectable { what, nearest: Vec::new() };
        if pattern.is_empty() {
            return Err(wrong(format!("`{typed}` selects nothing")));
        }
        if kind == Kind::State && state(pattern).is_none() {
            let known = State::ALL.map(State::name).join(" and is:");
            return Err(wrong(format!("`{typed}` is unknown: there are is:{known}")));
        }
        let pattern = match kind {
            Kind::Id => pattern.replace('-', ""),
            _ => fold(pattern),
        };
        Ok(Self { kind, pattern, typed: typed.to_owned(), excludes })
    }

    fn fits(&self, row: &Row<'_>, is: &impl Fn(State, TargetRef) -> bool) -> bool {
        let fits = |text: &str| wildcard::matches(&self.pattern, text);
        let has_role = |pattern: &str| wildcard::matches(pattern, &fold(row.role.name.as_str()));
        match self.kind {
            Kind::Name => {
                let (name, role) = match self.pattern.split_once('/') {
                    Some((name, role)) => (name, Some(role)),
                    None => (self.pattern.as_str(), None),
                };
                let is_named = row.names.iter().any(|text| wildcard::matches(name, text));
                let has_id = || wildcard::matches(&name.replace('-', ""), &row.id);
                // `*` alone is about names; a dash in a pattern of digits is only for reading.
                let is_id = || name.bytes().any(|byte| byte.is_ascii_digit()) && has_id();
                (is_named || is_id()) && role.is_none_or(has_role)
            }
            Kind::Id => fits(&row.id),
            Kind::Role => has_role(&self.pattern),
            Kind::Region => row.region.is_some_and(|region| fits(region.as_str())),
            Kind::Tag => row.account.tags.iter().any(|tag| fits(&fold(tag))),
            Kind::State => state(&self.pattern).is_some_and(|state| is(state, row.at)),
        }
    }

    fn fits_nothing(&self, catalog: &Catalog) -> Unselectable {
        let is_pattern = self.pattern.contains(['*', '?']);
        let names = catalog.accounts().iter().flat_map(Account::names).map(Name::as_str);
        let near = match self.kind {
            Kind::Name if !is_pattern => nearest(&self.pattern, names),
            _ => Vec::new(),
        };
        Unselectable {
            what: format!("`{}` fits no target", self.typed),
            nearest: near.into_iter().map(ToOwned::to_owned).collect(),
        }
    }
}

fn state(word: &str) -> Option<State> {
    State::ALL.into_iter().find(|state| state.name() == word)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::domain::account::SessionOptions;
    use crate::domain::guard::Guard;
    use crate::domain::ids::RolePath;

    fn catalog() -> Catalog {
        let role = |name: &str| {
            Arc::new(Role {
                name: name.parse().unwrap(),
                path: RolePath::root(),
                duration: Duration::from_hours(1),
                region: None,
                guard: Guard::None,
                agents: crate::domain::agents::AgentRule::default(),
                change: None,
                session: SessionOptions::default(),
            })
        };
        let account =
            |name: &str, id: &str, alias: &[&str], tags: &[&str], roles: &[&str]| Account {
                name: name.parse().unwrap(),
                id: id.parse().unwrap(),
                aliases: alias.iter().map(|alias| alias.parse().unwrap()).collect(),
                roles: roles.iter().map(|name| role(name)).collect(),
                region: (name == "dev-2").then(|| "eu-west-1".parse().unwrap()),
                color: None,
                guard: Guard::None,
                tags: tags.iter().map(|tag| Arc::from(*tag)).collect(),
                note: None,
                is_included: false,
            };
        let all = ["Developer", "Admin"];
        Catalog::new(
            vec![
                account("dev-1", "222222222222", &["mine"], &["sandbox"], &all),
                account("dev-2", "222200000000", &[], &["sandbox", "team-a"], &all),
                account("開発-田中", "012345678901", &[], &["team-a"], &["ReadOnly"]),
                account("prod", "666666666666", &[], &[], &all),
            ],
            Some("ap-northeast-1".parse().unwrap()),
        )
    }

    fn select(words: &str, role: Option<&str>) -> Result<Vec<String>, Unselectable> {
        let catalog = catalog();
        let words: Vec<String> = words.split_whitespace().map(ToOwned::to_owned).collect();
        let role = role.map(|role| role.parse().unwrap());
        let is = |state, row: TargetRef| state == State::Live && row.account == 3;
        let selected = Selection::parse(&words)?.select(&catalog, role.as_ref(), is)?;
        let name = |row: &TargetRef| {
            let (account, role) = catalog.row(*row);
            format!("{}/{}", account.name, role.name)
        };
        Ok(selected.rows.iter().map(name).collect())
    }

    #[test]
    fn words_of_a_kind_are_alternatives_and_kinds_must_all_hold() {
        for (words, targets) in [
            ("dev-1", &["dev-1/Developer"][..]),
            ("dev-*", &["dev-1/Developer", "dev-2/Developer"]),
            ("MINE prod", &["dev-1/Developer", "prod/Developer"]),
            ("dev-?/Admin", &["dev-1/Admin", "dev-2/Admin"]),
            ("2222-2222-2222", &["dev-1/Developer"]),
            ("2222*", &["dev-1/Developer", "dev-2/Developer"]),
            ("id:0123*", &["開発-田中/ReadOnly"]),
            ("tag:sandbox", &["dev-1/Developer", "dev-2/Developer"]),
            ("tag:team-a tag:sandbox region:eu-*", &["dev-2/Developer"]),
            ("tag:sandbox !dev-2", &["dev-1/Developer"]),
            ("* !tag:*", &["prod/Developer"]),
            ("role:Admin", &["dev-1/Admin", "dev-2/Admin", "prod/Admin"]),
            ("dev-* !role:Developer", &["dev-1/Admin", "dev-2/Admin"]),
            ("is:live", &["prod/Developer"]),
            ("開発*", &["開発-田中/ReadOnly"]),
            ("dev-1 role:ReadOnly", &[]),
        ] {
            assert_eq!(select(words, None).unwrap(), targets, "{words}");
        }
    }

    #[test]
    fn a_word_that_fits_nothing_is_a_slip_even_where_it_excludes() {
        for (words, what, near) in [
            ("dev-3", "`dev-3` fits no target", &["dev-1", "dev-2"][..]),
            ("dev-* !prd", "`!prd` fits no target", &["prod"]),
            ("dev", "`dev` fits no target", &[]),
            ("tag:none", "`tag:none` fits no target", &[]),
            ("is:starred", "`is:starred` fits no target", &[]),
            ("is:old", "`is:old` is unknown: there are is:live and is:starred", &[]),
            ("tag:", "`tag:` selects nothing", &[]),
        ] {
            let fault = select(words, None).unwrap_err();
            assert_eq!(fault.what, what);
            assert!(near.iter().all(|near| fault.nearest.iter().any(|n| n == near)), "{fault:?}");
        }
    }

    #[test]
    fn one_role_of_each_account_is_taken() {
        assert_eq!(
            select("*", Some("Admin")).unwrap(),
            ["dev-1/Admin", "dev-2/Admin", "prod/Admin"]
        );
        let selected = Selection::parse(&["*".into()]).unwrap();
        let admin = "Admin".parse().unwrap();
        let selected = selected.select(&catalog(), Some(&admin), |_, _| false).unwrap();
        assert_eq!(selected.without_role[0].as_str(), "開発-田中");
    }
}
