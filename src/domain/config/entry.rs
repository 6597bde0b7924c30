//! Accounts, roles and defaults as a file writes them: what an included file may carry, and no more.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use unicode_normalization::UnicodeNormalization;

use super::fields::Fields;
use super::reader::{Reader, quoted};
use super::role::{RoleEntry, roles};
use super::tree::{self, Item, Node};
use super::{At, Diagnostic, Pos};
use crate::domain::account::Color;
use crate::domain::guard::Guard;
use crate::domain::ids::{AccountId, Name, Region};

const GUARDS: &[&str] = &["none", "warn", "confirm"];
/// What only the main file may say.
const MAIN_KEYS: [&str; 19] = [
    "auth",
    "store",
    "shell",
    "renew",
    "prompt",
    "prompt_compat",
    "after_shell",
    "order",
    "query",
    "symbols",
    "browser",
    "audit",
    "keys",
    "min_guard",
    "guardrails",
    "include",
    "key",
    "key_command",
    "mfa_command",
];
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
    /// Tags that an overlay replaced: `min_guard` still knows them.
    pub(super) replaced_tags: Vec<Arc<str>>,
    pub(super) note: Option<At<String>>,
    pub(super) hide: bool,
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
    pub(super) diagnostics: Vec<Diagnostic>,
}

/// The most accounts of one file.
pub const MAX_ACCOUNTS: usize = 50_000;

/// An included file, taken apart.
#[derive(Debug)]
pub struct IncludedFile(pub(super) Listed);

impl IncludedFile {
    /// Takes an included file apart. `number` is its position among a config's files, the main one being 0.
    pub fn parse(path: &Path, number: u32, text: &str) -> Self {
        let mut reader = Reader::new(path, number, text);
        let (pairs, entries) = read_entries(&mut reader, text);
        let mut top = Fields::of(&mut reader, &pairs, Pos { line: 1, column: 1 });
        let defaults = take_defaults(&mut top, &mut reader);
        take_accounts(&mut top, &mut reader);
        // Harmless, and often copied.
        top.take("version");
        for key in MAIN_KEYS {
            let why = format!("an included file cannot say `{key}`; only the main file can");
            top.refuse(&mut reader, key, &why);
        }
        top.close(&mut reader);
        Self(Listed {
            path: path.to_owned(),
            defaults,
            entries,
            diagnostics: reader.into_diagnostics(),
        })
    }

    /// How many accounts are in it.
    pub fn len(&self) -> usize {
        self.0.entries.len()
    }

    /// Whether no account is in it.
    pub fn is_empty(&self) -> bool {
        self.0.entries.is_empty()
    }

    /// Adds a diagnostic about the file as a whole.
    pub fn complain(&mut self, what: &str, fix: Option<&str>) {
        let diagnostic = Diagnostic::new(&self.0.path, Pos::default(), what, fix);
        self.0.diagnostics.push(diagnostic);
    }
}

/// Streams a file: its accounts become entries, the other pairs of its top mapping are returned.
pub(super) fn read_entries(reader: &mut Reader<'_>, text: &str) -> (Vec<(Item, Item)>, Vec<Entry>) {
    let mut entries = Vec::new();
    let (pairs, broken) = tree::read(text, &mut |item| {
        if entries.len() == MAX_ACCOUNTS {
            return ControlFlow::Break("a file has at most 50,000 accounts");
        }
        entries.extend(entry(reader, &item));
        if reader.is_full() {
            return ControlFlow::Break("too many faults; the rest was not read");
        }
        ControlFlow::Continue(())
    });
    if let Some(broken) = broken.filter(|_| !reader.is_full()) {
        reader.broken(broken.pos, &broken.why);
    }
    (pairs, entries)
}

/// Ticks `accounts` off, whose elements have been streamed already.
pub(super) fn take_accounts(top: &mut Fields<'_>, reader: &mut Reader<'_>) {
    if let Some(item) = top.take("accounts")
        && !matches!(item.node, Node::List(_))
    {
        reader.fault(item.pos, "`accounts` is a list", Some("begin each account with `- `"));
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
    let aliases = fields.get(reader, "aliases", |reader, item| reader.list(item, Reader::parsed));
    let roles = fields.get(reader, "roles", roles);
    let region = fields.get(reader, "region", Reader::region);
    let color = fields.get(reader, "color", |reader, item| reader.choice(item, COLORS));
    let guard = fields.get(reader, "guard", guard);
    let tags = fields.get(reader, "tags", |reader, item| reader.list(item, Reader::tag));
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
        replaced_tags: Vec::new(),
        note,
        hide: hide.is_some_and(|hide| hide.value),
    })
}

pub(super) fn guard(reader: &mut Reader<'_>, item: &Item) -> Option<Guard> {
    reader.choice(item, GUARDS)
}

/// `true` or `false`, however YAML's users spell them.
fn flag(reader: &mut Reader<'_>, item: &Item) -> Option<bool> {
    let text = reader.text(item)?;
    match &*text {
        "true" | "on" | "yes" => Some(true),
        "false" | "off" | "no" => Some(false),
        _ => {
            let what = format!("{} is neither true nor false", quoted(&text));
            reader.fault(item.pos, what, None);
            None
        }
    }
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
            reader.fault(item.pos, what, Some(&fix));
        })
        .ok()
}

/// The 12 digits that a misspelt id may have meant.
fn twelve_digits(text: &str) -> Option<String> {
    let plain: String = text.nfkc().filter(|c| !matches!(c, '-' | '_' | ' ' | '.')).collect();
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
        digits.parse::<u64>().ok()?.checked_mul(10u64.checked_pow(zeros)?)
    })?;
    let digits = format!("{number:0>12}");
    (digits.len() == 12).then_some(digits)
}
