//! The keys of a mapping, asked for one by one, so that what nobody asked for is known to be unknown.

use std::borrow::Cow;

use super::reader::{Reader, quoted};
use super::tree::{Item, Node};
use super::{At, Pos};
use crate::domain::text::nearest;

/// The keys of one mapping, taken one by one; what is left at the end is unknown.
pub(super) struct Fields<'i> {
    pairs: Vec<(Cow<'i, str>, Pos, Option<&'i Item>)>,
    known: Vec<&'static str>,
    /// Where the mapping begins.
    pub(super) pos: Pos,
    /// The dotted key of the mapping, where its values' places are kept for `config show`.
    section: Option<&'static str>,
}

impl<'i> Fields<'i> {
    /// The pairs of an item that must be a mapping. Notes duplicates.
    pub(super) fn open<'t: 'i>(
        reader: &mut Reader<'t>,
        item: &'i Item,
        what: &str,
    ) -> Option<Self> {
        let Node::Map(pairs) = &item.node else {
            reader.fault(item.pos, format_args!("{what} is keys and values"), None);
            return None;
        };
        Some(Self::of(reader, pairs, item.pos))
    }

    /// The pairs of a mapping that begins at `pos`.
    pub(super) fn of<'t: 'i>(reader: &mut Reader<'t>, pairs: &'i [(Item, Item)], pos: Pos) -> Self {
        let mut fields =
            Self { pairs: Vec::with_capacity(pairs.len()), known: Vec::new(), pos, section: None };
        for (key, value) in pairs {
            let Some(name) = reader.text(key) else {
                continue;
            };
            if let Some((_, first, _)) = fields.pairs.iter().find(|(known, ..)| *known == name) {
                let what = format!("{} is here twice, first in line {}", quoted(&name), first.line);
                reader.fault(key.pos, what, Some("keep one of them"));
                continue;
            }
            fields.pairs.push((name, key.pos, Some(value)));
        }
        fields
    }

    /// The same, with every value's place kept under `section.key`.
    pub(super) fn in_section(mut self, section: &'static str) -> Self {
        self.section = Some(section);
        self
    }

    /// The pairs themselves, where the keys are the person's own.
    pub(super) fn into_pairs(self) -> Vec<((Cow<'i, str>, Pos), &'i Item)> {
        let pair = |(name, pos, item): (_, _, Option<_>)| Some(((name, pos), item?));
        self.pairs.into_iter().filter_map(pair).collect()
    }

    /// Whether there is something under a key that nobody took yet.
    pub(super) fn has(&self, key: &str) -> bool {
        let is_value = |item: Option<&Item>| item.is_some_and(|i| !matches!(i.node, Node::Null));
        self.pairs.iter().any(|(name, _, item)| name == key && is_value(*item))
    }

    /// The item under a key, unless it is absent or null.
    pub(super) fn take(&mut self, key: &'static str) -> Option<&'i Item> {
        self.known.push(key);
        let (_, _, item) = self.pairs.iter_mut().find(|(name, ..)| name == key)?;
        item.take().filter(|item| !matches!(item.node, Node::Null))
    }

    /// The value under a key, unless it is absent, null or faulty.
    pub(super) fn get<'t, T>(
        &mut self,
        reader: &mut Reader<'t>,
        key: &'static str,
        read: impl FnOnce(&mut Reader<'t>, &'i Item) -> Option<T>,
    ) -> Option<At<T>> {
        let item = self.take(key)?;
        let source = reader.source(item.pos);
        if let Some(section) = self.section {
            let dot = if section.is_empty() { "" } else { "." };
            reader.settings.push((format!("{section}{dot}{key}"), source));
        }
        read(reader, item).map(|value| At { value, source })
    }

    /// The same for a key that must be there; `example` shows how.
    pub(super) fn need<'t, T>(
        &mut self,
        reader: &mut Reader<'t>,
        key: &'static str,
        example: &str,
        read: impl FnOnce(&mut Reader<'t>, &'i Item) -> Option<T>,
    ) -> Option<At<T>> {
        if !self.has(key) && !reader.cut_short {
            let fix = format!("add {key}: {example}");
            reader.fault(self.pos, format_args!("`{key}` is missing"), Some(&fix));
        }
        self.get(reader, key, read)
    }

    /// Ticks off a key that has no place here, saying so. Like an unknown key, it is ignored.
    pub(super) fn refuse(&mut self, reader: &mut Reader<'_>, key: &'static str, why: &str) {
        let pair = self.pairs.iter_mut().find(|(name, ..)| name == key);
        if let Some((_, pos, item @ Some(_))) = pair {
            *item = None;
            reader.note(*pos, why, None);
        }
    }

    /// Notes what is left: unknown keys, each with the nearest known one. They are ignored in an
    /// included file, so they do not count as faults.
    pub(super) fn close(self, reader: &mut Reader<'_>) {
        for (name, pos, item) in &self.pairs {
            if item.is_none() {
                continue;
            }
            let secret = ["secret", "password", "access_key", "token"];
            let fix = if secret.iter().any(|word| name.to_ascii_lowercase().contains(word)) {
                Some(
                    "a config never holds a secret; the key goes into the store: sekisho key add"
                        .to_owned(),
                )
            } else {
                nearest(name, self.known.iter().copied())
                    .first()
                    .map(|near| format!("did you mean `{near}`?"))
            };
            let what = format!("unknown key {}", quoted(name));
            reader.note(*pos, &what, fix.as_deref());
        }
    }
}
