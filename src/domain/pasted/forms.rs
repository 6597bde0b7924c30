//! The forms themselves: JSON, CSV, and lines with labels.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use zeroize::Zeroizing;

use super::{Found, Other, Value, clean};

/// What a label says about its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Label {
    Id,
    Secret,
    Token,
    Other(Other),
    /// Known, so that no value is taken for it, and of no interest.
    Beside,
}

/// Labels by their letters alone, so that `aws_access_key_id`, `AccessKeyId` and `Access key ID` are one.
const LABELS: &[(&str, Label)] = &[
    ("accesskeyid", Label::Id),
    ("awsaccesskeyid", Label::Id),
    ("accesskey", Label::Id),
    ("awsaccesskey", Label::Id),
    ("secretaccesskey", Label::Secret),
    ("awssecretaccesskey", Label::Secret),
    ("secretkey", Label::Secret),
    ("awssecretkey", Label::Secret),
    ("sessiontoken", Label::Token),
    ("awssessiontoken", Label::Token),
    ("securitytoken", Label::Token),
    ("awssecuritytoken", Label::Token),
    ("password", Label::Other(Other::ConsolePassword)),
    ("consolepassword", Label::Other(Other::ConsolePassword)),
    ("consoleloginlink", Label::Other(Other::ConsolePassword)),
    ("consolesigninurl", Label::Other(Other::ConsolePassword)),
    ("servicepassword", Label::Other(Other::ServicePassword)),
    ("smtppassword", Label::Other(Other::ServicePassword)),
    ("awsbearertokenbedrock", Label::Other(Other::Bedrock)),
    ("servicecredentialsecret", Label::Other(Other::Bedrock)),
    ("servicespecificcredentialid", Label::Other(Other::ServicePassword)),
    ("ssosession", Label::Other(Other::IdentityCenter)),
    ("ssostarturl", Label::Other(Other::IdentityCenter)),
    ("ssoaccountid", Label::Other(Other::IdentityCenter)),
    ("starturl", Label::Other(Other::IdentityCenter)),
    ("accesstoken", Label::Other(Other::IdentityCenter)),
    ("loginsession", Label::Other(Other::ConsoleLogin)),
    ("dpopkey", Label::Other(Other::ConsoleLogin)),
    ("rolearn", Label::Other(Other::Role)),
    ("credentialprocess", Label::Other(Other::Process)),
    ("username", Label::Beside),
    ("status", Label::Beside),
    ("createdate", Label::Beside),
    ("version", Label::Beside),
    ("region", Label::Beside),
    ("awsregion", Label::Beside),
    ("awsdefaultregion", Label::Beside),
    ("output", Label::Beside),
    ("mfaserial", Label::Beside),
    ("defaultregionname", Label::Beside),
    ("defaultoutputformat", Label::Beside),
];

/// How many words a label has at most: `AWS Secret Access Key`.
const LABEL_WORDS: usize = 4;

/// The label that a text is, whatever stands between its letters.
fn label(text: &str) -> Option<Label> {
    let is_between = |c: char| matches!(c, ' ' | '\t' | '_' | '-' | '"' | '\'' | '`' | '*');
    let is_label = |c: char| c.is_ascii_alphabetic() || is_between(c);
    if text.len() > 40 || !text.chars().all(is_label) {
        return None;
    }
    let letters = || text.chars().filter(char::is_ascii_alphabetic).map(|c| c.to_ascii_lowercase());
    let known = LABELS.iter().find(|(name, _)| name.chars().eq(letters()));
    known.map(|(_, label)| *label)
}

impl<'a> Found<'a> {
    /// Whether another value of this label would be another key's.
    fn has(&self, label: Label) -> bool {
        match label {
            Label::Id => self.id.is_some(),
            Label::Secret => self.secret.is_some(),
            Label::Token | Label::Other(_) | Label::Beside => false,
        }
    }

    fn put(&mut self, label: Label, value: Value<'a>) {
        let is_there = !clean(value.as_str()).is_empty();
        match label {
            Label::Id if is_there => self.id = Some(value),
            Label::Secret if is_there => self.secret = Some(value),
            Label::Token if is_there => self.has_token = true,
            // The most telling comes last in AWS's own files.
            Label::Other(other) if is_there => self.other = Some(other),
            _ => {}
        }
    }
}

/// Everything in a text that could be a key.
pub fn found(text: &str) -> Vec<Found<'_>> {
    if text.starts_with(['{', '['])
        && let Ok(Json(found)) = serde_json::from_str::<Json<'_>>(text)
    {
        return found;
    }
    let mut lines = text.split(['\n', '\r']).filter(|line| !line.trim().is_empty());
    let header = lines.next().and_then(Header::read);
    match header {
        Some(header) => lines.map(|line| header.row(line)).collect(),
        None => labelled(text),
    }
}

/// The first line of a table.
struct Header {
    separator: char,
    labels: Vec<Option<Label>>,
}

impl Header {
    /// A line is one if it names two things, and holds no value.
    fn read(line: &str) -> Option<Self> {
        // Excel writes semicolons in half of Europe, and copies with tabs.
        [',', '\t', ';'].into_iter().find_map(|separator| {
            let labels: Vec<_> = cells(line, separator).into_iter().map(label).collect();
            (labels.iter().flatten().count() >= 2).then_some(Self { separator, labels })
        })
    }

    fn row<'a>(&self, line: &'a str) -> Found<'a> {
        let mut row = Found::default();
        for (label, cell) in self.labels.iter().zip(cells(line, self.separator)) {
            if let Some(label) = label {
                row.put(*label, Value::Part(cell));
            }
        }
        row
    }
}

/// The cells of a line, without their quotes.
fn cells(line: &str, separator: char) -> Vec<&str> {
    let mut is_quoted = false;
    let parts = line.split(|c: char| {
        is_quoted ^= c == '"';
        c == separator && !is_quoted
    });
    parts.map(|cell| cell.trim().trim_matches('"')).collect()
}

/// Lines that say what they hold: assignments, a credentials file, a page's text. Values without any label count by place.
fn labelled(text: &str) -> Vec<Found<'_>> {
    let mut all = vec![Found::default()];
    let mut bare = Vec::new();
    let mut waiting = None;
    for line in text.split(['\n', '\r']).map(str::trim) {
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if line.starts_with('[') && line.ends_with(']') {
            all.push(Found::default());
            waiting = None;
            continue;
        }
        let Line { pairs, open, words } = read_line(line);
        if pairs.is_empty() && open.is_none() {
            match (waiting.take(), &words[..]) {
                (Some(label), [value]) => put(&mut all, label, value),
                _ => bare.extend(words),
            }
            continue;
        }
        for (label, value) in pairs {
            put(&mut all, label, value);
        }
        waiting = open;
    }
    complete(&mut all, &bare);
    all
}

/// Adds a value to the last of what was found, or begins the next key.
fn put<'a>(all: &mut Vec<Found<'a>>, label: Label, value: &'a str) {
    if all.last().is_none_or(|last| last.has(label)) {
        all.push(Found::default());
    }
    if let Some(last) = all.last_mut() {
        last.put(label, Value::Part(value));
    }
}

/// Takes values without a label for what is missing.
fn complete<'a>(all: &mut [Found<'a>], bare: &[&'a str]) {
    let mut named = all.iter_mut().filter(|one| one.id.is_some() || one.secret.is_some());
    match (named.next(), named.next(), bare) {
        (Some(one), None, [value]) if one.id.is_none() => one.id = Some(Value::Part(value)),
        (Some(one), None, [value]) if one.secret.is_none() => one.secret = Some(Value::Part(value)),
        (None, _, [one, other]) => {
            let is_swapped = is_key_id(clean(other)) && !is_key_id(clean(one));
            let (id, secret) = if is_swapped { (other, one) } else { (one, other) };
            if let Some(first) = all.first_mut() {
                first.put(Label::Id, Value::Part(id));
                first.put(Label::Secret, Value::Part(secret));
            }
        }
        _ => {}
    }
}

/// What a line says.
#[derive(Default)]
struct Line<'a> {
    /// Labels with their values.
    pairs: Vec<(Label, &'a str)>,
    /// A label at its end, whose value may be on the next line.
    open: Option<Label>,
    /// Its words, where it has no label.
    words: Vec<&'a str>,
}

fn read_line(line: &str) -> Line<'_> {
    let mut read = Line::default();
    let words = words(line);
    for (at, word) in words.iter().enumerate() {
        let text = &line[word.clone()];
        // `aws configure` asks `AWS Access Key ID [None]: `.
        let is_separator = matches!(text, "=" | ":" | "=>" | "->");
        if is_separator || text.starts_with('[') && text.ends_with("]:") {
            continue;
        }
        let own = word.start + scope(text);
        let ends = line[own..word.end].match_indices([':', '=']).map(|(end, _)| own + end);
        let firsts = &words[at.saturating_sub(LABEL_WORDS - 1)..at];
        let begins = || firsts.iter().map(|word| word.start).chain([own]);
        // The longest: `Secret access key` ends with `access key`.
        let named = |end| begins().find_map(|begin| label(line.get(begin..end)?));
        let found = ends.chain([word.end]).find_map(|end| Some((named(end)?, end)));
        let found =
            found.map(|(label, end)| (label, line.get(end + 1..word.end).unwrap_or_default()));
        match (found, read.open.take()) {
            (Some((label, value)), _) if clean(value).is_empty() => read.open = Some(label),
            (Some(pair), _) => read.pairs.push(pair),
            (None, Some(label)) => read.pairs.push((label, text)),
            (None, None) => {}
        }
    }
    if read.pairs.is_empty() && read.open.is_none() {
        read.words = words.into_iter().map(|word| &line[word]).collect();
    }
    read
}

/// How long the mark of the environment is that a word begins with in PowerShell and in nu.
fn scope(word: &str) -> usize {
    const SCOPES: [&str; 2] = ["$env:", "$env."];
    let is_first = |scope: &&&str| {
        word.get(..scope.len()).is_some_and(|head| head.eq_ignore_ascii_case(scope))
    };
    SCOPES.iter().find(is_first).map_or(0, |scope| scope.len())
}

/// What stands between blanks, commas and brackets; neither half of a key contains one.
fn words(text: &str) -> Vec<Range<usize>> {
    let is_end = |c: char| c.is_whitespace() || matches!(c, ',' | ';' | '{' | '}' | '(' | ')');
    let mut all = Vec::new();
    let mut at = 0;
    for word in text.split(is_end) {
        let range = at..at + word.len();
        at = range.end + text[range.end..].chars().next().map_or(0, char::len_utf8);
        if !clean(word).is_empty() {
            all.push(range);
        }
    }
    all
}

/// The only id and the only secret in a text that are written as AWS writes them.
pub fn unmistakable(text: &str) -> Option<(&str, &str)> {
    let words = words(text);
    let parts = || words.iter().flat_map(|word| text[word.clone()].split(['=', ':'])).map(clean);
    let only = |is: fn(&str) -> bool| {
        let mut all = parts().filter(|part| is(part));
        let first = all.next()?;
        all.all(|other| other == first).then_some(first)
    };
    Some((only(is_key_id)?, only(is_secret)?))
}

/// Whether it is written as AWS writes the id of a long-term key.
pub fn is_key_id(text: &str) -> bool {
    let is_upper = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit();
    text.starts_with("AKIA") && (16..=32).contains(&text.len()) && text.bytes().all(is_upper)
}

/// Whether it is written as AWS writes a secret access key: 30 bytes in base64. Not what hashes look like.
pub fn is_secret(text: &str) -> bool {
    text.len() == 40
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/'))
        && !text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// The objects of a JSON text, each what was found in it. Texts are borrowed, so that no unwiped copy of a secret is made.
struct Json<'a>(Vec<Found<'a>>);

impl<'de: 'a, 'a> Deserialize<'de> for Json<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Node::deserialize(deserializer)? {
            Node::Found(found) => Ok(Self(found)),
            Node::Text(_) | Node::Nothing => Ok(Self(Vec::new())),
        }
    }
}

enum Node<'a> {
    Text(Value<'a>),
    Found(Vec<Found<'a>>),
    Nothing,
}

impl<'de: 'a, 'a> Deserialize<'de> for Node<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Node<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("JSON")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Node<'de>, E> {
                Ok(Node::Text(Value::Part(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Node<'de>, E> {
                Ok(Node::Text(Value::Unescaped(Zeroizing::new(text.to_owned()))))
            }

            fn visit_bool<E>(self, _: bool) -> Result<Node<'de>, E> {
                Ok(Node::Nothing)
            }

            fn visit_i64<E>(self, _: i64) -> Result<Node<'de>, E> {
                Ok(Node::Nothing)
            }

            fn visit_u64<E>(self, _: u64) -> Result<Node<'de>, E> {
                Ok(Node::Nothing)
            }

            fn visit_f64<E>(self, _: f64) -> Result<Node<'de>, E> {
                Ok(Node::Nothing)
            }

            fn visit_unit<E>(self) -> Result<Node<'de>, E> {
                Ok(Node::Nothing)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node<'de>, A::Error> {
                let mut found = Vec::new();
                while let Some(item) = items.next_element::<Node<'de>>()? {
                    if let Node::Found(more) = item {
                        found.extend(more);
                    }
                }
                Ok(Node::Found(found))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node<'de>, A::Error> {
                let mut own = Found::default();
                let mut found = Vec::new();
                while let Some((name, value)) = map.next_entry::<Cow<'de, str>, Node<'de>>()? {
                    match value {
                        Node::Text(value) => own.put(label(&name).unwrap_or(Label::Beside), value),
                        Node::Found(more) => found.extend(more),
                        Node::Nothing => {}
                    }
                }
                found.insert(0, own);
                Ok(Node::Found(found))
            }
        }
        deserializer.deserialize_any(Reader)
    }
}
