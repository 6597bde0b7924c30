//! YAML text as a tree in which every value has its position.
//!
//! A generic tree that is lowered by hand can report all faults at once: a derived struct stops at the first. The
//! long part, `accounts`, is passed on one element at a time and never held in memory whole. Every limit that keeps
//! a hostile file small is set here.

use std::fmt;
use std::ops::ControlFlow;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, de};
use serde_yaml::budget::BudgetBreach;
use serde_yaml::options::DuplicateKeyPolicy;
use serde_yaml::{Budget, Error, MessageFormatter, Options, Spanned, UserMessageFormatter};

use super::Pos;

/// The most keys of one mapping.
const MAX_KEYS: usize = 256;

/// The most elements of one list, `accounts` excepted.
const MAX_ELEMENTS: usize = 1_000;

/// Takes one account; a break says why the rest is not read.
pub(super) type Sink<'f> = dyn FnMut(Item) -> ControlFlow<&'static str> + 'f;

/// A value and its position.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) node: Node,
    pub(super) pos: Pos,
    /// Where the value's own characters begin in the file, and how many bytes they are.
    raw: (usize, usize),
}

/// A value without its position.
#[derive(Debug)]
pub(super) enum Node {
    /// `null`, `~` or nothing.
    Null,
    /// An unquoted boolean or number: its meaning is its source text, see [`Item::source`].
    Bare,
    Text(String),
    List(Vec<Item>),
    /// Pairs in their order, duplicates included.
    Map(Vec<(Item, Item)>),
}

impl Item {
    /// The characters of the file that make this value: `0o17` stays `0o17`.
    pub(super) fn source<'t>(&self, text: &'t str) -> &'t str {
        let (start, length) = self.raw;
        text.get(start..start + length).unwrap_or_default().trim()
    }

    /// An empty value in the same place.
    fn here(&self) -> Self {
        Self { node: Node::Null, pos: self.pos, raw: (0, 0) }
    }
}

impl From<serde_yaml::Location> for Pos {
    fn from(location: serde_yaml::Location) -> Self {
        let narrow = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
        Self { line: narrow(location.line()), column: narrow(location.column()) }
    }
}

/// What ended the reading of a file before its end.
#[derive(Debug)]
pub(super) struct Broken {
    pub(super) pos: Pos,
    pub(super) why: String,
}

/// Takes a file apart: `account` gets each element of a list under `accounts` at once and says whether
/// to go on; the top mapping is returned without them, with what ended the reading early.
pub(super) fn read(text: &str, account: &mut Sink<'_>) -> (Item, Option<Broken>) {
    const START: Pos = Pos { line: 1, column: 1 };
    let mut pairs = Vec::new();
    let top = Top { pairs: &mut pairs, account };
    let outcome = serde_yaml::with_deserializer_from_str_with_options(text, options(), |yaml| {
        yaml.deserialize_any(top)
    });
    let broken = outcome
        .err()
        .map(|error| Broken { pos: error.location().map_or(START, Pos::from), why: why(&error) });
    (Item { node: Node::Map(pairs), pos: START, raw: (0, 0) }, broken)
}

/// The parser's error in words that need no knowledge of YAML libraries.
fn why(error: &Error) -> String {
    match error {
        Error::AliasError { error, .. } | Error::WithSnippet { error, .. } => why(error),
        Error::Message { msg, .. } => msg.clone(),
        Error::MultipleDocuments { .. }
        | Error::Budget { breach: BudgetBreach::Documents { .. }, .. } => {
            "a file must be one YAML document; this is a second one".to_owned()
        }
        Error::Budget { breach: BudgetBreach::Depth { .. }, .. } => {
            "this is nested too deeply".to_owned()
        }
        Error::Budget { .. }
        | Error::AliasReplayCounterOverflow { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => {
            "too many values, aliases or merges for a config".to_owned()
        }
        other => UserMessageFormatter.format_message(other).into_owned(),
    }
}

/// Room for 20,000 accounts, and for nothing that grows faster than the file.
fn options() -> Options {
    let mut budget = Budget::default();
    budget.max_nodes = 600_000;
    budget.max_events = 1_500_000;
    budget.max_depth = 32;
    budget.flow_nesting_limit = 32;
    budget.max_documents = 1;
    budget.max_aliases = 1_000;
    budget.max_anchors = 1_000;
    budget.max_merge_keys = 1_000;
    budget.max_recorded_anchor_events = 50_000;
    budget.max_total_scalar_bytes = 32 << 20;
    let mut options = Options::default();
    options.budget = Some(budget);
    options.with_snippet = false;
    options.alias_limits.max_total_replayed_events = 50_000;
    // Duplicates are passed on, so that each is reported at its own position.
    options.duplicate_keys = DuplicateKeyPolicy::PassThrough;
    // `on`, `off`, 012345678901 and 1_000 stay text.
    options.strict_booleans = true;
    options.leading_zero_numbers_as_strings = true;
    options.underscored_numbers_as_strings = true;
    options
}

fn too_many_keys<E: de::Error>() -> E {
    E::custom(format!("a mapping has at most {MAX_KEYS} keys"))
}

fn no_mapping<E: de::Error>() -> E {
    E::custom("a config is keys and values, e.g. `version: 1`")
}

struct Top<'f, 's> {
    pairs: &'f mut Vec<(Item, Item)>,
    account: &'f mut Sink<'s>,
}

impl<'de> Visitor<'de> for Top<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("keys and values, e.g. `version: 1`")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E: de::Error>(self, _: &str) -> Result<(), E> {
        Err(no_mapping())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<(), A::Error> {
        Err(no_mapping())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<Item>()? {
            if self.pairs.len() == MAX_KEYS {
                return Err(too_many_keys());
            }
            let value = match &key.node {
                Node::Text(name) if name == "accounts" => {
                    Item { node: map.next_value_seed(Accounts(&mut *self.account))?, ..key.here() }
                }
                _ => map.next_value()?,
            };
            self.pairs.push((key, value));
        }
        Ok(())
    }
}

/// The value of `accounts`: a list's elements go their way at once and leave an empty list.
struct Accounts<'f, 's>(&'f mut Sink<'s>);

impl<'de> DeserializeSeed<'de> for Accounts<'_, '_> {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, yaml: D) -> Result<Node, D::Error> {
        yaml.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Accounts<'_, '_> {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of accounts")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_str<E>(self, text: &str) -> Result<Node, E> {
        Ok(Node::Text(text.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Node, A::Error> {
        AnyNode.visit_map(map)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Node, A::Error> {
        while let Some(element) = list.next_element::<Item>()? {
            if let ControlFlow::Break(why) = (self.0)(element) {
                return Err(A::Error::custom(why));
            }
        }
        Ok(Node::List(Vec::new()))
    }
}

impl<'de> Deserialize<'de> for Item {
    fn deserialize<D: Deserializer<'de>>(yaml: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Node>::deserialize(yaml)?;
        // Behind an alias the definition counts: that is the text to fix.
        let span = spanned.defined.span();
        let narrow = |n: Option<u64>| n.and_then(|n| usize::try_from(n).ok()).unwrap_or(0);
        Ok(Self {
            node: spanned.value,
            pos: spanned.defined.into(),
            raw: (narrow(span.byte_offset()), narrow(span.byte_len())),
        })
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(yaml: D) -> Result<Self, D::Error> {
        yaml.deserialize_any(AnyNode)
    }
}

struct AnyNode;

impl<'de> Visitor<'de> for AnyNode {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any YAML value")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, yaml: D) -> Result<Node, D::Error> {
        yaml.deserialize_any(self)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, yaml: D) -> Result<Node, D::Error> {
        yaml.deserialize_any(self)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Node, E> {
        Ok(Node::Bare)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Node, E> {
        Ok(Node::Bare)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Node, E> {
        Ok(Node::Bare)
    }

    fn visit_i128<E>(self, _: i128) -> Result<Node, E> {
        Ok(Node::Bare)
    }

    fn visit_u128<E>(self, _: u128) -> Result<Node, E> {
        Ok(Node::Bare)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Node, E> {
        Ok(Node::Bare)
    }

    fn visit_str<E>(self, text: &str) -> Result<Node, E> {
        Ok(Node::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Node, E> {
        Ok(Node::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Node, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            if items.len() == MAX_ELEMENTS {
                return Err(A::Error::custom(format!(
                    "a list has at most {MAX_ELEMENTS} elements"
                )));
            }
            items.push(item);
        }
        Ok(Node::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut pairs = Vec::new();
        while let Some(key) = map.next_key()? {
            if pairs.len() == MAX_KEYS {
                return Err(too_many_keys());
            }
            pairs.push((key, map.next_value()?));
        }
        Ok(Node::Map(pairs))
    }
}
