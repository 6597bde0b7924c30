//! One file being read: its text, its faults, and the ways to take a value out of a tree item.
//!
//! Every reading function notes its own fault and returns `None`, so that the caller goes on to the next.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::{Error as NoSuchWord, StrDeserializer};

use super::diagnostic::MAX_DIAGNOSTICS;
use super::tree::{Item, Node};
use super::{Diagnostic, Pos, SourceRef};
use crate::domain::duration::{parse_duration, show_duration};
use crate::domain::ids::{Malformed, Region, RoleName};
use crate::domain::text::{is_deceptive, nearest};

/// The most characters of a text that a person will see.
const MAX_LINE: usize = 1_000;

/// One file being read.
pub(super) struct Reader<'t> {
    /// The file's text.
    text: &'t str,
    path: &'t Path,
    /// The file's number in every [`SourceRef`].
    file: u32,
    diagnostics: Vec<Diagnostic>,
    /// How many faults there were; unknown keys are none.
    faults: usize,
    /// Whether the file was not read to its end: then nothing is called missing.
    pub(super) cut_short: bool,
    /// Where the settings stand, by dotted key. The main file's only.
    pub(super) settings: Vec<(String, SourceRef)>,
    // Words that a long config repeats share their text.
    regions: HashMap<Box<str>, Region>,
    roles: HashMap<Box<str>, RoleName>,
    tags: HashSet<Arc<str>>,
}

impl<'t> Reader<'t> {
    pub(super) fn new(path: &'t Path, file: u32, text: &'t str) -> Self {
        Self {
            text,
            path,
            file,
            diagnostics: Vec::new(),
            faults: 0,
            cut_short: false,
            settings: Vec::new(),
            regions: HashMap::new(),
            roles: HashMap::new(),
            tags: HashSet::new(),
        }
    }

    pub(super) fn source(&self, pos: Pos) -> SourceRef {
        SourceRef { file: self.file, pos }
    }

    /// Notes a fault: what is wrong, and how to mend it.
    pub(super) fn fault(&mut self, pos: Pos, what: impl Display, fix: Option<&str>) {
        self.faults += 1;
        self.note(pos, &what.to_string(), fix);
    }

    /// Notes that the rest of the file was not read.
    pub(super) fn broken(&mut self, pos: Pos, why: &str) {
        self.cut_short = true;
        let conflict = self.text.lines().any(|line| line.starts_with("<<<<<<< "));
        let fix = conflict.then_some("this looks like a merge conflict; resolve it first");
        self.fault(pos, why, fix);
    }

    /// Notes what is ignored.
    pub(super) fn note(&mut self, pos: Pos, what: &str, fix: Option<&str>) {
        if self.is_full() {
            return;
        }
        self.diagnostics.push(Diagnostic::new(self.path, pos, what, fix));
    }

    /// Whether so much is wrong that the rest need not be read.
    pub(super) fn is_full(&self) -> bool {
        self.diagnostics.len() >= MAX_DIAGNOSTICS
    }

    /// How many faults there were up to now: an entry during which it grew is dropped.
    pub(super) fn faults(&self) -> usize {
        self.faults
    }

    pub(super) fn into_diagnostics(self) -> Vec<Diagnostic> {
        self.diagnostics
    }

    /// The item's text; numbers and booleans count as they are written.
    pub(super) fn text<'i>(&mut self, item: &'i Item) -> Option<Cow<'i, str>>
    where
        't: 'i,
    {
        let found = match &item.node {
            Node::Text(text) => return Some(Cow::Borrowed(text)),
            Node::Bare => return Some(Cow::Borrowed(item.source(self.text))),
            Node::Null => "nothing",
            Node::List(_) => "a list",
            Node::Map(_) => "keys",
        };
        self.fault(item.pos, format_args!("one word or text belongs here, not {found}"), None);
        None
    }

    /// A text that a person will see: nothing invisible, nothing that moves a cursor.
    pub(super) fn line(&mut self, item: &Item) -> Option<String> {
        let text = self.text(item)?.into_owned();
        let fault = match text.chars().find(|c| is_deceptive(*c)) {
            Some('\n') => "this text is one line".to_owned(),
            Some(c) => {
                format!("this text holds no invisible characters, here U+{:04X}", u32::from(c))
            }
            None if text.trim().is_empty() => "this text is empty".to_owned(),
            None if text.chars().count() > MAX_LINE => {
                format!("this text has more than {MAX_LINE} characters")
            }
            None => return Some(text),
        };
        self.fault(item.pos, fault, None);
        None
    }

    /// A value with a grammar.
    pub(super) fn parsed<T: FromStr<Err = Malformed>>(&mut self, item: &Item) -> Option<T> {
        let text = self.text(item)?;
        text.parse()
            .map_err(|why| self.fault(item.pos, format_args!("{}: {why}", quoted(&text)), None))
            .ok()
    }

    /// A region; equal ones share their text.
    pub(super) fn region(&mut self, item: &Item) -> Option<Region> {
        let text = self.text(item)?;
        if let Some(known) = self.regions.get(&*text) {
            return Some(known.clone());
        }
        let region: Region = self.parsed(item)?;
        self.regions.insert(text.into(), region.clone());
        Some(region)
    }

    /// A role's name; equal ones share their text.
    pub(super) fn role_name(&mut self, item: &Item) -> Option<RoleName> {
        let text = self.text(item)?;
        if let Some(known) = self.roles.get(&*text) {
            return Some(known.clone());
        }
        let role: RoleName = self.parsed(item)?;
        self.roles.insert(text.into(), role.clone());
        Some(role)
    }

    /// A tag; equal ones share their text.
    pub(super) fn tag(&mut self, item: &Item) -> Option<Arc<str>> {
        let text = self.line(item)?;
        if let Some(known) = self.tags.get(&*text) {
            return Some(known.clone());
        }
        let tag: Arc<str> = text.into();
        self.tags.insert(tag.clone());
        Some(tag)
    }

    /// A duration between two others.
    pub(super) fn duration(
        &mut self,
        item: &Item,
        range: RangeInclusive<Duration>,
        why: &str,
    ) -> Option<Duration> {
        let text = self.text(item)?;
        let duration = match parse_duration(&text) {
            Ok(duration) => duration,
            Err(wrong) => {
                let seconds = text.parse().ok().map(Duration::from_secs);
                let fix = seconds.map(|d| format!("write {}", show_duration(d)));
                self.fault(item.pos, format_args!("{}: {wrong}", quoted(&text)), fix.as_deref());
                return None;
            }
        };
        if range.contains(&duration) {
            return Some(duration);
        }
        let (least, most) = (show_duration(*range.start()), show_duration(*range.end()));
        let near = duration.clamp(*range.start(), *range.end());
        self.fault(
            item.pos,
            format_args!("{} is not within {least} to {most}{why}", quoted(&text)),
            Some(&format!("write {}", show_duration(near))),
        );
        None
    }

    /// One of a few words. `true` and `false` count as `on` and `off`, which some YAML tools make of them.
    pub(super) fn word<'w>(&mut self, item: &Item, words: &[&'w str]) -> Option<&'w str> {
        let text = self.text(item)?;
        let meant = match (&item.node, &*text) {
            (Node::Bare, "true") => "on",
            (Node::Bare, "false") => "off",
            (_, other) => other,
        };
        if let Some(word) = words.iter().find(|word| **word == meant) {
            return Some(word);
        }
        let near = nearest(&text, words.iter().copied());
        let fix = near.first().map(|word| format!("did you mean {word}?"));
        self.fault(
            item.pos,
            format_args!("{} is none of {}", quoted(&text), words.join(", ")),
            fix.as_deref(),
        );
        None
    }

    /// One of a few words that serde knows as `T`.
    pub(super) fn choice<'w, T: Deserialize<'w>>(
        &mut self,
        item: &Item,
        words: &[&'w str],
    ) -> Option<T> {
        let word: StrDeserializer<'w, NoSuchWord> = self.word(item, words)?.into_deserializer();
        T::deserialize(word).ok()
    }

    /// A list, each element read by `read`.
    pub(super) fn list<T>(
        &mut self,
        item: &Item,
        read: impl Fn(&mut Self, &Item) -> Option<T>,
    ) -> Option<Vec<T>> {
        match &item.node {
            Node::List(items) => {
                // Every element is read, so that every fault in them is seen.
                let values: Vec<Option<T>> = items.iter().map(|item| read(self, item)).collect();
                values.into_iter().collect()
            }
            Node::Map(_) => {
                self.fault(item.pos, "a list belongs here, not keys", None);
                None
            }
            Node::Null | Node::Bare | Node::Text(_) => {
                let text = self.text(item)?;
                self.fault(
                    item.pos,
                    "a list belongs here, not one word",
                    Some(&format!("write [{text}]")),
                );
                None
            }
        }
    }

    /// A program and its arguments, which no shell will see.
    pub(super) fn argv(&mut self, item: &Item) -> Option<Vec<String>> {
        if let Node::Text(line) = &item.node {
            let words = shlex::split(line).unwrap_or_default();
            let fix = format!("write [{}]", words.join(", "));
            let fix = (!words.is_empty()).then_some(fix.as_str());
            self.fault(item.pos, "a command is a list of its words; no shell reads it", fix);
            return None;
        }
        let argv = self.list(item, |reader, word| reader.text(word).map(Cow::into_owned))?;
        if argv.first().is_none_or(String::is_empty) || argv.iter().any(|a| a.contains('\0')) {
            self.fault(item.pos, "a command begins with its program", None);
            return None;
        }
        Some(argv)
    }
}

/// A foreign text in a message: in backticks, cut where it is long, and never a secret access key.
pub(super) fn quoted(text: &str) -> String {
    let mut words = text.split(|c: char| !c.is_ascii_alphanumeric() && !"/+".contains(c));
    if words.any(is_key_like) {
        return "`(40 random characters: a secret?)`".to_owned();
    }
    let mut shown: String = text.chars().take(60).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    format!("`{shown}`")
}

/// Whether a word looks like a secret access key: 40 characters of Base64 with all kinds among them.
fn is_key_like(word: &str) -> bool {
    let any = |kind: fn(&u8) -> bool| word.bytes().any(|b| kind(&b));
    word.len() == 40
        && any(u8::is_ascii_uppercase)
        && any(u8::is_ascii_lowercase)
        && any(u8::is_ascii_digit)
}
