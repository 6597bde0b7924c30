//! The heights and widths of the screen's parts, as plain numbers, so that scrolling can use them too; and their places in a window.

use ratatui::layout::{Constraint, Layout, Rect};

use super::fit::width;
use crate::domain::account::{Account, Catalog, TargetRef};
use crate::domain::scope::Scope;

/// A window smaller than this shows no list.
pub const SMALLEST: (u16, u16) = (20, 4);
/// The most warnings under the header; the last line may say how many more there are.
const WARNINGS: u16 = 3;
/// The columns before an account's name: mark or star, cursor, guard, and one that keeps them off the name.
pub const MARGIN: u16 = 4;
/// The columns between two columns, where there is room.
const GAP: u16 = 3;

/// The height of each part of the screen, from the top; together they fill it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the parts")]
pub struct Heights {
    pub header: u16,
    pub warnings: u16,
    pub filter: u16,
    pub titles: u16,
    pub list: u16,
    pub rule: u16,
    pub details: u16,
    pub footer: u16,
}

impl Heights {
    /// The parts' places in a window, from the top.
    pub fn areas(self, window: Rect) -> [Rect; 8] {
        let Self { header, warnings, filter, titles, list, rule, details, footer } = self;
        let parts = [header, warnings, filter, titles, list, rule, details, footer];
        window.layout(&Layout::vertical(parts.map(Constraint::Length)))
    }

    /// Divides a window's height; what matters less goes first when it is low.
    pub fn of(height: u16, warnings: usize) -> Self {
        let from = |least: u16, lines: u16| if height >= least { lines } else { 0 };
        let warnings = u16::try_from(warnings).unwrap_or(u16::MAX).min(WARNINGS);
        let mut parts = Self {
            header: 1,
            warnings: from(10, warnings),
            filter: 1,
            titles: from(8, 1),
            list: 0,
            rule: from(12, 1),
            details: from(12, 2) + from(16, 1),
            footer: from(6, 1),
        };
        let around = parts.header
            + parts.warnings
            + parts.filter
            + parts.titles
            + parts.rule
            + parts.details
            + parts.footer;
        parts.list = height.saturating_sub(around);
        parts
    }
}

impl Heights {
    /// How many lines are above the list.
    pub fn above_the_list(self) -> u16 {
        self.header + self.warnings + self.filter + self.titles
    }
}

/// The widest text of each column, in the whole catalog, so that columns stand still while scrolling.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Widest {
    name: u16,
    role: u16,
    region: u16,
    more: u16,
}

impl Widest {
    /// Measures every row of a catalog once.
    pub fn of(catalog: &Catalog) -> Self {
        let measure = |text: &str| u16::try_from(width(text)).unwrap_or(u16::MAX);
        let mut widest = Self::default();
        for row in catalog.rows() {
            let (account, role) = catalog.row(row);
            if row.role == 0 {
                widest.name = widest.name.max(measure(account.name.as_str()));
                widest.more = widest.more.max(measure(&more_text(account)));
            }
            let region = catalog.region(row).map_or("", |region| region.as_str());
            widest.region = widest.region.max(measure(region));
            widest.role(catalog, row, role.session.scope);
        }
        widest
    }

    /// Makes room for a row's role in a scope.
    pub fn role(&mut self, catalog: &Catalog, row: TargetRef, scope: Scope) {
        let text = role_text(catalog.row(row).1.name.as_str(), scope);
        self.role = self.role.max(u16::try_from(width(&text)).unwrap_or(u16::MAX));
    }
}

/// A role with its scope, as the list shows it.
pub fn role_text(role: &str, scope: Scope) -> String {
    match scope {
        Scope::Full => role.to_owned(),
        Scope::ReadOnly => format!("{role} ({})", scope.name()),
    }
}

/// An account's tags and note, as the list shows them where there is room.
pub fn more_text(account: &Account) -> String {
    let tags = (!account.tags.is_empty()).then(|| account.tags.join(", "));
    let parts: Vec<String> = tags.into_iter().chain(account.note.clone()).collect();
    parts.join("; ")
}

/// The width of each column; 0 where it is folded away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the columns")]
pub struct Columns {
    pub name: u16,
    pub id: u16,
    pub role: u16,
    pub region: u16,
    pub session: u16,
    pub more: u16,
    /// The columns between two of them.
    pub gap: u16,
}

impl Columns {
    /// A whole session: `● 11h 42m`.
    const SESSION: u16 = 9;
    /// The least room for tags and note.
    const MORE: u16 = 12;

    /// Divides a window's width: first tags and note go, then the region, then the id, then the time left, then the gaps.
    pub fn of(window: u16, widest: Widest) -> Self {
        let room = window.saturating_sub(MARGIN);
        let mut columns = Self {
            name: widest.name.clamp(7, 40),
            id: 14,
            role: widest.role.clamp(4, 32),
            region: widest.region.clamp(6, 24),
            session: Self::SESSION,
            more: 0,
            gap: GAP,
        };
        // The last column of the window stays empty.
        let free = room.saturating_sub(columns.total() + GAP + 1);
        if widest.more > 0 && free >= Self::MORE.min(widest.more) {
            columns.more = free.min(widest.more.max(Self::MORE));
        }
        if columns.total() > room {
            columns.region = 0;
        }
        if columns.total() > room {
            columns.id = 0;
        }
        if columns.total() > room {
            columns.session = 1;
        }
        if columns.total() > room {
            columns.gap = 1;
        }
        if columns.total() > room {
            let texts = room.saturating_sub(columns.session + 2 * columns.gap);
            columns.role = columns.role.min(texts * 2 / 5);
            columns.name = columns.name.min(texts - columns.role);
        }
        columns
    }

    fn total(self) -> u16 {
        let columns = [self.name, self.id, self.role, self.region, self.session, self.more];
        let shown = columns.iter().filter(|width| **width > 0).count();
        columns.iter().sum::<u16>() + self.gap * u16::try_from(shown).unwrap_or(0).saturating_sub(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_fill_every_window_and_the_list_always_has_room() {
        for height in SMALLEST.1..200 {
            for warnings in 0..5 {
                let h = Heights::of(height, warnings);
                let sum = h.header
                    + h.warnings
                    + h.filter
                    + h.titles
                    + h.list
                    + h.rule
                    + h.details
                    + h.footer;
                assert_eq!(sum, height);
                assert!(h.list >= 2, "{height} {h:?}");
            }
        }
    }

    #[test]
    fn columns_fold_by_priority_and_never_overflow() {
        let widest = Widest { name: 12, role: 9, region: 14, more: 30 };
        let of = |window| Columns::of(window, widest);
        assert_eq!((of(160).more, of(100).more, of(80).more), (30, 22, 0));
        assert_eq!((of(80).region, of(80).id), (14, 14));
        assert_eq!((of(70).region, of(70).id), (0, 14));
        assert_eq!((of(45).id, of(45).session), (0, 9));
        assert_eq!((of(35).session, of(35).role, of(35).gap), (1, 9, 3));
        assert_eq!((of(28).name, of(28).role, of(28).gap), (12, 9, 1));
        for window in SMALLEST.0..200 {
            assert!(of(window).total() <= window - MARGIN, "{window} {:?}", of(window));
            assert!(of(window).name >= 8, "{window} {:?}", of(window));
        }
    }
}
