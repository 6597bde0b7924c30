//! A cursor points at a value of a file, reads it, and notes what is wrong with it.
//!
//! A reading method that fails notes why and returns `None`, and the caller goes on to the next value, so that all
//! faults of a file are reported at once. The cursor of a key that is absent or null points at nothing: every reading
//! of it is `None`, without a fault.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::fmt::Display;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::{Error as NoSuchWord, StrDeserializer};

use super::diagnostic::{MAX_DIAGNOSTICS, quoted};
use super::schema::{Section, belongs_to_main_file};
use super::tree::{Broken, Item, Node};
use super::{At, Diagnostic, Pos, SourceRef};
use crate::domain::ids::{Malformed, Region, RoleName};
use crate::domain::text::nearest;

/// One file being read, and what was noted about it.
///
/// Its cursors share it, hence the cells.
pub(super) struct Document<'t> {
    path: &'t Path,
    /// The file's position in [`Provenances::files`](super::Provenances::files).
    number: u32,
    text: &'t str,
    diagnostics: RefCell<Vec<Diagnostic>>,
    /// How many faults there were; unknown keys are none.
    faults: Cell<usize>,
    /// Whether the file was not read to its end: then nothing is called missing.
    cut_short: Cell<bool>,
    /// Where the settings are, by dotted key.
    places: RefCell<Vec<(String, SourceRef)>>,
    // Words that a long config repeats share their text.
    pub(super) regions: RefCell<HashMap<Box<str>, Region>>,
    pub(super) roles: RefCell<HashMap<Box<str>, RoleName>>,
    pub(super) tags: RefCell<HashSet<Arc<str>>>,
}

impl<'t> Document<'t> {
    pub(super) fn new(path: &'t Path, number: u32, text: &'t str) -> Self {
        Self {
            path,
            number,
            text,
            diagnostics: RefCell::default(),
            faults: Cell::default(),
            cut_short: Cell::default(),
            places: RefCell::default(),
            regions: RefCell::default(),
            roles: RefCell::default(),
            tags: RefCell::default(),
        }
    }

    /// A cursor at the file's top mapping.
    pub(super) fn top<'c>(&'c self, top: &'c Item) -> Cursor<'c> {
        let top = self.cursor(top);
        top.enter(Section::Top).unwrap_or(top)
    }

    /// A cursor at one of the file's values.
    pub(super) fn cursor<'c>(&'c self, item: &'c Item) -> Cursor<'c> {
        Cursor { document: self, item: Some(item), pos: item.pos, section: Section::Top }
    }

    /// Notes that the rest of the file was not read.
    pub(super) fn broken(&self, broken: &Broken) {
        self.cut_short.set(true);
        let conflict = self.text.lines().any(|line| line.starts_with("<<<<<<< "));
        let fix = conflict.then_some("this looks like a merge conflict; resolve it first");
        self.faults.update(|n| n + 1);
        self.note(broken.pos, &broken.why, fix);
    }

    fn note(&self, pos: Pos, what: &str, fix: Option<&str>) {
        if !self.is_full() {
            self.diagnostics.borrow_mut().push(Diagnostic::new(self.path, pos, what, fix));
        }
    }

    /// Whether the file was not read to its end.
    pub(super) fn is_cut_short(&self) -> bool {
        self.cut_short.get()
    }

    /// Whether so much is wrong that the rest need not be read.
    pub(super) fn is_full(&self) -> bool {
        self.diagnostics.borrow().len() >= MAX_DIAGNOSTICS
    }

    /// The diagnostics, and where the settings are.
    pub(super) fn close(self) -> (Vec<Diagnostic>, Vec<(String, SourceRef)>) {
        (self.diagnostics.into_inner(), self.places.into_inner())
    }
}

/// A place in a file that is being read.
#[derive(Clone, Copy)]
pub(super) struct Cursor<'c> {
    pub(super) document: &'c Document<'c>,
    /// `None` where the key is absent or null.
    item: Option<&'c Item>,
    /// Where the value is; where there is none, its mapping.
    pos: Pos,
    /// The section that was entered last.
    section: Section,
}

/// A pair of a mapping whose keys are the person's own.
pub(super) struct Pair<'c> {
    pub(super) name: &'c str,
    pub(super) key: Cursor<'c>,
    pub(super) value: Cursor<'c>,
}

impl<'c> Cursor<'c> {
    /// Another value of the file.
    pub(super) fn to(self, item: &'c Item) -> Self {
        Self { item: Some(item), pos: item.pos, ..self }
    }

    /// Enters a mapping whose keys the schema knows, and notes duplicate and unknown ones.
    pub(super) fn enter(self, section: Section) -> Option<Self> {
        for pair in self.pairs(section.title())? {
            match section.key(pair.name) {
                Some(key) if self.may_say(section, key) => {
                    let dotted = section.dotted(key).filter(|_| !pair.value.is_null());
                    if let Some(dotted) = dotted {
                        pair.value.place(dotted);
                    }
                }
                known => pair.key.unknown(pair.name, known.is_some(), section),
            }
        }
        Some(Self { section, ..self })
    }

    /// The value under a key of the section that was entered.
    pub(super) fn key(self, name: &'static str) -> Self {
        debug_assert!(self.section.key(name).is_some(), "{name} is missing in the schema");
        let item = self
            .find(name)
            .filter(|item| !matches!(item.node, Node::Null) && self.may_say(self.section, name));
        Self { item, pos: item.map_or(self.pos, |item| item.pos), ..self }
    }

    /// The same for a key that must be there; `example` shows how.
    pub(super) fn required(self, name: &'static str, example: &str) -> Self {
        let value = self.key(name);
        if value.is_absent() && !self.document.cut_short.get() {
            let fix = format!("add {name}: {example}");
            let dotted = self.section.dotted(name).unwrap_or_else(|| name.to_owned());
            self.fault(format_args!("`{dotted}` is missing"), Some(&fix));
        }
        value
    }

    /// A list, each element read by `read`.
    pub(super) fn list<T>(self, read: impl Fn(Self) -> Option<T>) -> Option<Vec<T>> {
        let (what, fix) = match &self.item?.node {
            Node::List(items) => {
                // Every element is read, so that every fault in them is seen.
                let values: Vec<Option<T>> = items.iter().map(|item| read(self.to(item))).collect();
                return values.into_iter().collect();
            }
            Node::Map(_) => ("expected a list, found keys", None),
            Node::Null | Node::Bare | Node::Text(_) => {
                ("expected a list, found one word", Some(format!("write [{}]", self.text()?)))
            }
        };
        self.fault(what, fix.as_deref());
        None
    }

    /// The pairs of a mapping, `title` in a fault; of duplicates, which are noted, the first.
    pub(super) fn pairs(self, title: &str) -> Option<impl Iterator<Item = Pair<'c>>> {
        let Node::Map(pairs) = &self.item?.node else {
            self.fault(format_args!("{title} must be keys and values"), None);
            return None;
        };
        Some(pairs.iter().enumerate().filter_map(move |(i, (key, value))| {
            let (key, value) = (self.to(key), self.to(value));
            let name = key.text()?;
            if let Some((first, _)) =
                pairs[..i].iter().find(|(other, _)| self.is_named(other, name))
            {
                let line = first.pos.line;
                let what = format!("{} is set twice; the first is on line {line}", quoted(name));
                key.fault(what, Some("keep one of them"));
                return None;
            }
            Some(Pair { name, key, value })
        }))
    }

    fn find(self, name: &str) -> Option<&'c Item> {
        let Node::Map(pairs) = &self.item?.node else {
            return None;
        };
        pairs.iter().find(|(key, _)| self.is_named(key, name)).map(|(_, value)| value)
    }

    fn is_named(self, key: &Item, name: &str) -> bool {
        match &key.node {
            Node::Text(text) => text == name,
            Node::Bare => key.source(self.document.text) == name,
            Node::Null | Node::List(_) | Node::Map(_) => false,
        }
    }

    fn may_say(self, section: Section, key: &str) -> bool {
        self.document.number == 0 || !section.is_main_only(key)
    }
}

impl Cursor<'_> {
    /// Notes a fault: what is wrong, and how to fix it.
    pub(super) fn fault(self, what: impl Display, fix: Option<&str>) {
        self.document.faults.update(|n| n + 1);
        self.document.note(self.pos, &what.to_string(), fix);
    }

    /// Notes a key that is ignored. It is no fault: an included file may be made for a newer sekisho.
    fn unknown(self, name: &str, is_known: bool, section: Section) {
        let misplaced = is_known || (section == Section::Top && belongs_to_main_file(name));
        if misplaced && self.document.number > 0 {
            let what =
                format!("`{name}` is not allowed in an included file, only in the main file");
            return self.document.note(self.pos, &what, None);
        }
        let secret = ["secret", "password", "access_key", "token"];
        let fix = if secret.iter().any(|word| name.to_ascii_lowercase().contains(word)) {
            Some("a config must not contain secrets; store the key with: sekisho key add".into())
        } else {
            let keys = section.keys().iter().copied().filter(|key| self.may_say(section, key));
            let near = nearest(name, keys);
            near.first().map(|near| format!("did you mean `{near}`?"))
        };
        self.document.note(self.pos, &format!("unknown key {}", quoted(name)), fix.as_deref());
    }

    /// What `read` returns, unless it noted a fault: a value with a fault in it is dropped whole.
    pub(super) fn sound<T>(self, read: impl FnOnce() -> Option<T>) -> Option<T> {
        let before = self.document.faults.get();
        read().filter(|_| self.document.faults.get() == before)
    }

    /// Remembers the value's place as that of a setting, for `config show`.
    pub(super) fn place(self, dotted: String) {
        self.document.places.borrow_mut().push((dotted, self.source()));
    }

    /// The same value, noted at another place of the file.
    pub(super) fn moved(self, source: SourceRef) -> Self {
        Self { pos: source.pos, ..self }
    }

    pub(super) fn source(self) -> SourceRef {
        SourceRef { file: self.document.number, pos: self.pos }
    }

    /// Where the keys of the section are.
    pub(super) fn sources(self) -> Vec<(&'static str, SourceRef)> {
        let keys = self.section.keys().iter();
        keys.map(|key| (*key, self.key(key)))
            .filter(|(_, value)| !value.is_absent())
            .map(|(name, value)| (name, value.source()))
            .collect()
    }
}

impl<'c> Cursor<'c> {
    pub(super) fn is_absent(self) -> bool {
        self.item.is_none()
    }

    fn is_null(self) -> bool {
        self.item.is_none_or(|item| matches!(item.node, Node::Null))
    }

    pub(super) fn is_mapping(self) -> bool {
        matches!(self.node(), Some(Node::Map(_)))
    }

    /// Whether the value is just this text.
    pub(super) fn is_text(self, text: &str) -> bool {
        matches!(self.node(), Some(Node::Text(found)) if found == text)
    }

    /// The value as the file has it, for what no other method reads.
    pub(super) fn node(self) -> Option<&'c Node> {
        self.item.map(|item| &item.node)
    }

    /// The value that `read` makes, and where it is.
    pub(super) fn at<T>(self, read: impl FnOnce(Self) -> Option<T>) -> Option<At<T>> {
        let source = self.source();
        read(self).map(|value| At { value, source })
    }

    /// A text; numbers and booleans count as they are written.
    pub(super) fn text(self) -> Option<&'c str> {
        let item = self.item?;
        let found = match &item.node {
            Node::Text(text) => return Some(text),
            Node::Bare => return Some(item.source(self.document.text)),
            Node::Null => "nothing",
            Node::List(_) => "a list",
            Node::Map(_) => "keys",
        };
        self.fault(format_args!("expected one word or text, found {found}"), None);
        None
    }

    /// A value with a grammar.
    pub(super) fn parsed<T: FromStr<Err = Malformed>>(self) -> Option<T> {
        self.checked(self.text()?, T::from_str)
    }

    /// What a check makes of a text that belongs to this place.
    pub(super) fn checked<T>(
        self,
        text: &str,
        check: impl FnOnce(&str) -> Result<T, Malformed>,
    ) -> Option<T> {
        check(text).map_err(|why| self.fault(format_args!("{}: {why}", quoted(text)), None)).ok()
    }

    /// One of a few words. `true` and `false` count as `on` and `off`, which some YAML tools make of them.
    pub(super) fn word<'w>(self, words: &[&'w str]) -> Option<&'w str> {
        let text = self.text()?;
        let meant = match (self.node(), text) {
            (Some(Node::Bare), "true") => "on",
            (Some(Node::Bare), "false") => "off",
            (_, other) => other,
        };
        if let Some(word) = words.iter().find(|word| **word == meant) {
            return Some(word);
        }
        let near = nearest(text, words.iter().copied());
        let fix = near.first().map(|word| format!("did you mean {word}?"));
        self.fault(
            format_args!("{} is not one of {}", quoted(text), words.join(", ")),
            fix.as_deref(),
        );
        None
    }

    /// One of a few words that serde knows as `T`.
    pub(super) fn one_of<'w, T: Deserialize<'w>>(self, words: &[&'w str]) -> Option<T> {
        let word: StrDeserializer<'w, NoSuchWord> = self.word(words)?.into_deserializer();
        T::deserialize(word).ok()
    }
}
