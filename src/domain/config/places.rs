//! Where each value of a YAML text begins and ends, as the parser's events say it.

use std::collections::HashSet;

use granit_parser::{Event, Parser, ScalarStyle, Span, StrInput, StructureStyle};

use super::scalar::scalar;

/// As deep as a config may be nested.
const MAX_DEPTH: usize = 64;

/// A value and where it is, in bytes.
pub(super) struct Value {
    pub(super) node: Node,
    /// Its anchor; 0 where it has none.
    pub(super) anchor: usize,
    pub(super) start: usize,
    pub(super) end: usize,
}

pub(super) enum Node {
    Scalar {
        text: String,
        style: ScalarStyle,
    },
    List {
        style: StructureStyle,
        items: Vec<Value>,
    },
    Map {
        style: StructureStyle,
        pairs: Vec<(Value, Value)>,
    },
    /// What an alias stands for is written elsewhere, and serves others, too.
    Alias,
}

/// The value of a config, and the anchors that aliases in it name. `None` where it is no YAML.
pub(super) fn read(text: &str) -> Option<(Value, HashSet<usize>)> {
    let mut reader = Reader { parser: Parser::new_from_str(text), aliased: HashSet::new() };
    loop {
        match reader.parser.next_event()?.ok()? {
            (Event::StreamEnd, _) => return None,
            (event, span) if event.is_node() => {
                let top = reader.value(event, span, 0)?;
                return Some((top, reader.aliased));
            }
            _ => {}
        }
    }
}

impl Value {
    pub(super) fn get(&self, name: &str) -> Option<&Self> {
        let Node::Map { pairs, .. } = &self.node else { return None };
        pairs.iter().find(|(key, _)| key.is(name)).map(|(_, value)| value)
    }

    pub(super) fn is(&self, name: &str) -> bool {
        self.scalar() == Some(name)
    }

    pub(super) fn scalar(&self) -> Option<&str> {
        match &self.node {
            Node::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    /// Where its text ends. A block has no end of its own: its last value's counts.
    pub(super) fn last_byte(&self, text: &str) -> usize {
        match &self.node {
            Node::List { style: StructureStyle::Block, items } => {
                items.last().map_or(self.end, |last| last.last_byte(text))
            }
            Node::Map { style: StructureStyle::Block, pairs } => {
                pairs.last().map_or(self.end, |(key, value)| {
                    if value.start == value.end { key.end } else { value.last_byte(text) }
                })
            }
            _ => self.start + text[self.start..self.end].trim_end().len(),
        }
    }

    /// It as part of a line, in brackets; `None` where an alias is in it.
    pub(super) fn in_line(&self, text: &str) -> Option<String> {
        Some(match &self.node {
            Node::Alias => return None,
            Node::Scalar { text: value, style: ScalarStyle::Plain } => {
                let is_free = !value.contains(['\n', ',', '[', ']', '{', '}']);
                if is_free { text[self.start..self.end].to_owned() } else { scalar(value) }
            }
            Node::Scalar { text: value, .. } => scalar(value),
            Node::List { items, .. } => {
                let items: Option<Vec<String>> =
                    items.iter().map(|item| item.in_line(text)).collect();
                format!("[{}]", items?.join(", "))
            }
            Node::Map { pairs, .. } => {
                let pairs: Option<Vec<String>> = pairs
                    .iter()
                    .map(|(key, value)| {
                        Some(format!("{}: {}", key.in_line(text)?, value.in_line(text)?))
                    })
                    .collect();
                format!("{{{}}}", pairs?.join(", "))
            }
        })
    }
}

/// Makes values of the parser's events.
struct Reader<'t> {
    parser: Parser<'t, StrInput<'t>>,
    aliased: HashSet<usize>,
}

/// What comes next in a list or mapping.
enum Step {
    Value(Value),
    /// Its end, and where that is.
    End(usize),
}

impl<'t> Reader<'t> {
    /// The value that begins with an event.
    fn value(&mut self, event: Event<'t>, span: Span, depth: usize) -> Option<Value> {
        if depth == MAX_DEPTH {
            return None;
        }
        let start = span.start.byte_offset()?;
        let mut end = span.end.byte_offset()?;
        let (node, anchor) = match event {
            Event::Alias(anchor) => {
                self.aliased.insert(anchor);
                (Node::Alias, 0)
            }
            Event::Scalar(text, style, anchor, _) => {
                (Node::Scalar { text: text.into_owned(), style }, anchor)
            }
            Event::SequenceStart(style, anchor, _) => {
                let mut items = Vec::new();
                end = loop {
                    match self.next(depth)? {
                        Step::Value(item) => items.push(item),
                        Step::End(end) => break end,
                    }
                };
                (Node::List { style, items }, anchor)
            }
            Event::MappingStart(style, anchor, _) => {
                let mut pairs = Vec::new();
                end = loop {
                    let key = match self.next(depth)? {
                        Step::Value(key) => key,
                        Step::End(end) => break end,
                    };
                    let Step::Value(value) = self.next(depth)? else { return None };
                    pairs.push((key, value));
                };
                (Node::Map { style, pairs }, anchor)
            }
            _ => return None,
        };
        Some(Value { node, anchor, start, end })
    }

    /// What comes next in a list or mapping.
    fn next(&mut self, depth: usize) -> Option<Step> {
        loop {
            let (event, span) = self.parser.next_event()?.ok()?;
            match event {
                Event::SequenceEnd | Event::MappingEnd => {
                    return Some(Step::End(span.end.byte_offset()?));
                }
                event if event.is_node() => {
                    return self.value(event, span, depth + 1).map(Step::Value);
                }
                _ => {}
            }
        }
    }
}
