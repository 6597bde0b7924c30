//! Accounts, roles and defaults as a file writes them: what an included file may carry, and no more.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use unicode_normalization::UnicodeNormalization;

use super::reader::{Fields, Reader, quoted};
use super::tree::{self, Item, Node};
use super::{At, Complaint, Mark, Spot};
use crate::domain::account::{Color, SessionOptions};
use crate::domain::guard::Guard;
use crate::domain::ids::{AccountId, Name, Region, RoleName, RolePath};
use crate::domain::scope::Scope;

pub(super) const GUARDS: &[&str] = &["none", "warn", "confirm"];
const COLORS: &[&str] = &[
    "black",
    "red",
    "green",
    "yellow",
    "blue",
    "magenta",
    "cyan",
    "gray",
    "darkgray",
    "lightred",
    "lightgreen",
    "lightyellow",
    "lightblue",
    "lightmagenta",
    "lightcyan",
    "white",
];
const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

/// An account as one file writes it; what it leaves open is `None`.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) id: At<AccountId>,
    pub(super) name: Option<At<Name>>,
    pub(super) aliases: Option<At<Vec<Name>>>,
    pub(super) roles: Option<At<Vec<RoleEntry>>>,
    pub(super) region: Option<At<Region>>,
    pub(super) color: Option<At<Color>>,
    pub(super) guard: Option<At<Guard>>,
    pub(super) tags: Option<At<Vec<Arc<str>>>>,
    pub(super) note: Option<At<String>>,
    pub(super) hide: bool,
}

/// A role as one file writes it.
#[derive(Debug, Clone)]
pub(super) struct RoleEntry {
    pub(super) name: RoleName,
    pub(super) mark: Mark,
    /// The long form, which few roles need.
    pub(super) more: Option<Box<RoleDetails>>,
}

/// What the long form of a role adds to its name.
#[derive(Debug, Clone, Default)]
pub(super) struct RoleDetails {
    pub(super) path: Option<RolePath>,
    pub(super) duration: Option<At<Duration>>,
    pub(super) region: Option<Region>,
    pub(super) guard: Option<At<Guard>>,
    /// Without the policy, which may stand in a file of its own.
    pub(super) session: SessionOptions,
    pub(super) policy: Option<At<Policy>>,
}

/// An inline session policy, or where it is.
#[derive(Debug, Clone)]
pub(super) enum Policy {
    /// JSON.
    Inline(String),
    /// A file beside the one that names it.
    File(String),
}

/// What holds for a file's accounts unless they say otherwise.
#[derive(Debug, Default)]
pub(super) struct Defaults {
    pub(super) roles: Option<At<Vec<RoleEntry>>>,
    pub(super) region: Option<At<Region>>,
    pub(super) duration: Option<At<Duration>>,
}

/// The part that every file may have.
#[derive(Debug)]
pub(super) struct Listed {
    pub(super) path: PathBuf,
    pub(super) defaults: Defaults,
    pub(super) entries: Vec<Entry>,
    pub(super) complaints: Vec<Complaint>,
}

/// An included file, taken apart.
#[derive(Debug)]
pub struct IncludedFile(pub(super) Listed);

impl IncludedFile {
    /// Takes an included file apart. `number` is its position among a config's files, the main one being 0.
    pub fn parse(path: &Path, number: u32, text: &str) -> Self {
        let mut reader = Reader::new(path, number, text);
        let (pairs, entries) = read_entries(&mut reader, text);
        let mut top = Fields::of(&mut reader, &pairs, Spot { line: 1, column: 1 });
        let defaults = take_defaults(&mut top, &mut reader);
        take_accounts(&mut top, &mut reader);
        top.close(&mut reader);
        Self(Listed {
            path: path.to_owned(),
            defaults,
            entries,
            complaints: reader.into_complaints(),
        })
    }

    /// Adds a complaint about the file as a whole.
    pub fn complain(&mut self, what: &str, fix: Option<&str>) {
        let complaint = Complaint::new(&self.0.path, Spot::default(), what, fix);
        self.0.complaints.push(complaint);
    }
}

/// Streams a file: its accounts become entries, the other pairs of its top mapping are returned.
pub(super) fn read_entries(reader: &mut Reader<'_>, text: &str) -> (Vec<(Item, Item)>, Vec<Entry>) {
    let mut entries = Vec::new();
    let (pairs, broken) = tree::read(text, &mut |item| {
        entries.extend(entry(reader, &item));
        !reader.is_full()
    });
    if let Some(broken) = broken.filter(|_| !reader.is_full()) {
        reader.fault(broken.spot, broken.why, None);
    }
    (pairs, entries)
}

/// Ticks `accounts` off, whose elements have been streamed already.
pub(super) fn take_accounts(top: &mut Fields<'_>, reader: &mut Reader<'_>) {
    if let Some(item) = top.take("accounts")
        && !matches!(item.node, Node::List(_))
    {
        reader.fault(
            item.spot,
            "`accounts` is a list",
            Some("begin each account with `- `".into()),
        );
    }
}

pub(super) fn take_defaults<'i>(top: &mut Fields<'i>, reader: &mut Reader<'i>) -> Defaults {
    let Some(item) = top.take("defaults") else {
        return Defaults::default();
    };
    let Some(fields) = Fields::open(reader, item, "`defaults`") else {
        return Defaults::default();
    };
    let mut fields = fields.in_section("defaults");
    let defaults = Defaults {
        roles: fields.get(reader, "roles", roles),
        region: fields.get(reader, "region", Reader::region),
        duration: fields.get(reader, "duration", |reader, item| {
            let why = "; over 1h every account would ask for its own code";
            reader.duration(item, 15 * MINUTE..=HOUR, why)
        }),
    };
    fields.close(reader);
    defaults
}

/// An account, or nothing where one of its values is faulty.
fn entry(reader: &mut Reader<'_>, item: &Item) -> Option<Entry> {
    let before = reader.faults();
    let mut fields = Fields::open(reader, item, "an account")?;
    let id = fields.need(reader, "id", "\"222222222222\"", account_id);
    let name = fields.get(reader, "name", Reader::parsed);
    let aliases = fields.get(reader, "aliases", |reader, item| {
        reader.list(item, Reader::parsed)
    });
    let roles = fields.get(reader, "roles", roles);
    let region = fields.get(reader, "region", Reader::region);
    let color = fields.get(reader, "color", |reader, item| reader.choice(item, COLORS));
    let guard = fields.get(reader, "guard", guard);
    let tags = fields.get(reader, "tags", |reader, item| {
        reader.list(item, Reader::tag)
    });
    let note = fields.get(reader, "note", Reader::line);
    let hide = fields.get(reader, "hide", flag);
    fields.close(reader);
    (reader.faults() == before).then_some(Entry {
        id: id?,
        name,
        aliases,
        roles,
        region,
        color,
        guard,
        tags,
        note,
        hide: hide.is_some_and(|hide| hide.value),
    })
}

fn roles(reader: &mut Reader<'_>, item: &Item) -> Option<Vec<RoleEntry>> {
    let roles = reader.list(item, role)?;
    if roles.is_empty() {
        reader.fault(item.spot, "an account has at least one role", None);
        return None;
    }
    for (i, role) in roles.iter().enumerate() {
        if roles[..i].iter().any(|other| other.name == role.name) {
            let what = format!("the role {} is here twice", quoted(role.name.as_str()));
            reader.fault(role.mark.spot, what, Some("keep one of them".into()));
            return None;
        }
    }
    Some(roles)
}

fn role(reader: &mut Reader<'_>, item: &Item) -> Option<RoleEntry> {
    let mark = reader.mark(item.spot);
    if !matches!(item.node, Node::Map(_)) {
        let name = reader.role_name(item)?;
        return Some(RoleEntry {
            name,
            mark,
            more: None,
        });
    }
    let before = reader.faults();
    let mut fields = Fields::open(reader, item, "a role")?;
    let name = fields.need(reader, "name", "Developer", Reader::role_name);
    let details = RoleDetails {
        path: value(fields.get(reader, "path", Reader::parsed)),
        duration: fields.get(reader, "duration", |reader, item| {
            reader.duration(item, 15 * MINUTE..=12 * HOUR, ", AWS's limits for a role")
        }),
        region: value(fields.get(reader, "region", Reader::region)),
        guard: fields.get(reader, "guard", guard),
        session: SessionOptions {
            scope: value(fields.get(reader, "scope", scope)).unwrap_or_default(),
            policy_arns: value(fields.get(reader, "policy_arns", |reader, item| {
                reader.list(item, Reader::parsed)
            }))
            .unwrap_or_default(),
            policy: None,
            external_id: value(fields.get(reader, "external_id", Reader::parsed)),
            tags: value(fields.get(reader, "tags", session_tags)).unwrap_or_default(),
            source_identity: value(fields.get(reader, "source_identity", Reader::parsed)),
        },
        policy: fields.get(reader, "policy", policy),
    };
    fields.close(reader);
    let managed =
        details.session.policy_arns.len() + usize::from(details.session.scope != Scope::Full);
    if managed > 10 {
        reader.fault(
            item.spot,
            format_args!("{managed} managed session policies, the scope's included; AWS takes 10"),
            None,
        );
    }
    (reader.faults() == before).then_some(RoleEntry {
        name: name?.value,
        mark,
        more: Some(Box::new(details)),
    })
}

fn value<T>(at: Option<At<T>>) -> Option<T> {
    at.map(|at| at.value)
}

pub(super) fn guard(reader: &mut Reader<'_>, item: &Item) -> Option<Guard> {
    reader.choice(item, GUARDS)
}

fn scope(reader: &mut Reader<'_>, item: &Item) -> Option<Scope> {
    reader.choice(item, &Scope::ALL.map(Scope::name))
}

/// `true` or `false`, however YAML's users spell them.
fn flag(reader: &mut Reader<'_>, item: &Item) -> Option<bool> {
    let word = reader.word(item, &["on", "off", "yes", "no"])?;
    Some(matches!(word, "on" | "yes"))
}

/// An account id, judged by its source text: YAML would read `0o17` and `1e11` as numbers.
pub(super) fn account_id(reader: &mut Reader<'_>, item: &Item) -> Option<AccountId> {
    let text = reader.text(item)?;
    text.parse()
        .map_err(|_| {
            let fix = match twelve_digits(&text) {
                Some(digits) => format!("if that is the account, write \"{digits}\""),
                None => "write the 12 digits in quotes, e.g. \"012345678901\"".to_owned(),
            };
            let what = format!("{}: an account id is exactly 12 digits", quoted(&text));
            reader.fault(item.spot, what, Some(fix));
        })
        .ok()
}

/// The 12 digits that a misspelt id may have meant.
fn twelve_digits(text: &str) -> Option<String> {
    let plain: String = text
        .nfkc()
        .filter(|c| !matches!(c, '-' | '_' | ' ' | '.'))
        .collect();
    if (1..=12).contains(&plain.len()) && plain.bytes().all(|b| b.is_ascii_digit()) {
        return Some(format!("{plain:0>12}"));
    }
    let radix = |prefix: &str, radix| {
        let digits = plain.strip_prefix(prefix)?;
        u64::from_str_radix(digits, radix).ok()
    };
    let number = radix("0o", 8).or_else(|| radix("0x", 16)).or_else(|| {
        let (digits, zeros) = plain.split_once(['e', 'E'])?;
        let zeros: u32 = zeros.trim_start_matches('+').parse().ok()?;
        digits
            .parse::<u64>()
            .ok()?
            .checked_mul(10u64.checked_pow(zeros)?)
    })?;
    let digits = format!("{number:0>12}");
    (digits.len() == 12).then_some(digits)
}

/// Session tags within the limits of AWS STS (API reference, `Tag`).
fn session_tags(reader: &mut Reader<'_>, item: &Item) -> Option<BTreeMap<String, String>> {
    let Node::Map(pairs) = &item.node else {
        reader.fault(
            item.spot,
            "session tags are keys and values",
            Some("write {key: value}".into()),
        );
        return None;
    };
    let before = reader.faults();
    let mut tags = BTreeMap::new();
    for (key, value) in pairs {
        let (Some(name), Some(text)) = (reader.text(key), reader.text(value)) else {
            continue;
        };
        if !(1..=128).contains(&name.chars().count()) || !name.chars().all(is_tag_char) {
            reader.fault(
                key.spot,
                "a session tag's key is 1 to 128 letters, digits, spaces and _.:/=+-@",
                None,
            );
        } else if name.to_ascii_lowercase().starts_with("aws:") {
            reader.fault(key.spot, "a session tag's key cannot start with aws:", None);
        } else if text.chars().count() > 256 || !text.chars().all(is_tag_char) {
            reader.fault(
                value.spot,
                "a session tag's value is at most 256 letters, digits, spaces and _.:/=+-@",
                None,
            );
        } else if tags
            .keys()
            .any(|other: &String| other.eq_ignore_ascii_case(&name))
        {
            reader.fault(
                key.spot,
                format_args!("the session tag {} is here twice", quoted(&name)),
                None,
            );
        } else {
            tags.insert(name.into_owned(), text.into_owned());
        }
    }
    if tags.len() > 50 {
        reader.fault(item.spot, "AWS takes at most 50 session tags", None);
    }
    (reader.faults() == before).then_some(tags)
}

fn is_tag_char(c: char) -> bool {
    c.is_alphanumeric() || c == ' ' || "_.:/=+-@".contains(c)
}

/// An inline policy, as JSON text or as the YAML that JSON is; or a file.
fn policy(reader: &mut Reader<'_>, item: &Item) -> Option<Policy> {
    let json = match &item.node {
        Node::Map(_) => json(reader, item)?,
        _ => {
            let text = reader.text(item)?;
            if !text.trim_start().starts_with('{') {
                return Some(Policy::File(reader.line(item)?));
            }
            text.into_owned()
        }
    };
    match session_policy(&json) {
        Ok(policy) => Some(Policy::Inline(policy)),
        Err(why) => {
            reader.fault(item.spot, why, None);
            None
        }
    }
}

/// A session policy without its spaces, or why AWS would not take it.
pub(super) fn session_policy(json: &str) -> Result<String, String> {
    let policy: serde_json::Value = serde_json::from_str(json)
        .map_err(|why| format!("the session policy is not JSON: {why}"))?;
    if policy.get("Statement").is_none() {
        return Err("the session policy has no Statement".to_owned());
    }
    let compact = policy.to_string();
    // STS API reference, AssumeRole, `Policy`.
    match compact.chars().count() {
        0..=2048 => Ok(compact),
        length => Err(format!(
            "the session policy has {length} characters; AWS takes 2048"
        )),
    }
}

/// A YAML value as the JSON it spells.
fn json(reader: &mut Reader<'_>, item: &Item) -> Option<String> {
    fn value(reader: &mut Reader<'_>, item: &Item) -> Option<serde_json::Value> {
        Some(match &item.node {
            Node::Null => serde_json::Value::Null,
            Node::Text(text) => text.as_str().into(),
            Node::Bare => {
                let text = reader.text(item)?;
                serde_json::from_str(&text).unwrap_or_else(|_| text.into())
            }
            Node::List(items) => items
                .iter()
                .map(|item| value(reader, item))
                .collect::<Option<_>>()?,
            Node::Map(pairs) => serde_json::Value::Object(
                pairs
                    .iter()
                    .map(|(key, item)| Some((reader.text(key)?.into_owned(), value(reader, item)?)))
                    .collect::<Option<_>>()?,
            ),
        })
    }
    value(reader, item).map(|value| value.to_string())
}
