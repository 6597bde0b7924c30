//! Accounts, roles and defaults as a file writes them: what an included file may carry, and no more.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::cursor::{Cursor, Document};
use super::role::{RoleEntry, roles};
use super::schema::Section;
use super::tree::{self, Item, Node};
use super::values::{HOUR, MINUTE};
use super::{Argv, At, Diagnostic, Pos};
use crate::domain::account::Color;
use crate::domain::agents::Allowance;
use crate::domain::guard::Guard;
use crate::domain::ids::{AccountId, Name, Region, RoleName};

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
    pub(super) agents: Option<At<Allowance>>,
    /// What the `defaults` of its file say about agents, where that is an included one.
    pub(super) default_agents: Option<At<Allowance>>,
    /// What other files say about agents, for the account and for its roles.
    pub(super) other_agents: Option<At<Allowance>>,
    pub(super) role_agents: Vec<(RoleName, At<Allowance>)>,
    pub(super) tags: Option<At<Vec<Arc<str>>>>,
    /// Tags that other files give the account and that are not shown: `min_guard` still knows them.
    pub(super) other_tags: Vec<Arc<str>>,
    /// Guards that other files put before its roles.
    pub(super) role_guards: Vec<(RoleName, At<Guard>)>,
    pub(super) note: Option<At<String>>,
    pub(super) hide: bool,
    /// Whether the main file has an entry for the same account.
    pub(super) is_overlaid: bool,
}

/// Values for a file's accounts that have none of their own.
#[derive(Debug, Default)]
pub(super) struct Defaults {
    pub(super) roles: Option<At<Vec<RoleEntry>>>,
    pub(super) region: Option<At<Region>>,
    pub(super) duration: Option<At<Duration>>,
    pub(super) agents: Option<At<Allowance>>,
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

/// From which age on a watched file is pointed out, unless the config says otherwise.
pub(super) const STALE_AFTER: Duration = Duration::from_hours(30 * 24);

/// The beginning of the first line of a file that `import organizations --write` keeps: only such a file is written
/// again.
pub const OWN_FILE: &str = "Written by `sekisho import organizations`.";

/// Whether `import organizations --write` keeps a file with this text.
pub fn is_own_file(text: &str) -> bool {
    text.strip_prefix("# ").is_some_and(|text| text.starts_with(OWN_FILE))
}

/// What is included, as the main file says it.
#[derive(Debug, Clone)]
pub struct Include {
    /// A file, or files by a glob.
    pub file: String,
    /// Where that stands.
    pub pos: Pos,
    /// A program that makes the file anew, or prints it.
    pub update: Option<Argv>,
    /// From which age on it is pointed out.
    pub stale_after: StaleAfter,
}

/// From which age on an included file is pointed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StaleAfter {
    /// Nothing is said: only a file of sekisho's own is, after 30 days.
    Unsaid,
    /// Never.
    Never,
    /// From this one on.
    Age(Duration),
}

/// An included file, taken apart.
#[derive(Debug)]
pub struct IncludedFile {
    pub(super) listed: Listed,
    /// From which age on it is pointed out.
    pub(super) stale_after: Option<Duration>,
    /// Whether `config update` makes it anew.
    pub(super) has_update: bool,
    is_accounts_file: bool,
}

impl IncludedFile {
    /// Takes an included file apart. `number` is its position among a config's files, the main one being 0.
    pub fn parse(path: &Path, number: u32, text: &str) -> Self {
        let document = Document::new(path, number, text);
        let (top, entries) = read_entries(&document, text);
        let defaults = defaults(document.top(&top));
        let is_accounts_file = is_accounts_file(&top, text, document.is_cut_short());
        let (mut diagnostics, _) = document.close();
        if !is_accounts_file {
            // It may be anything that somebody linked there, and diagnostics quote what they are about.
            let what = "this is not an accounts file: it has none of a config's keys";
            diagnostics = vec![Diagnostic::new(path, Pos::default(), what, None)];
        }
        let stale_after = is_own_file(text).then_some(STALE_AFTER);
        let listed = Listed { path: path.to_owned(), defaults, entries, diagnostics };
        Self { listed, stale_after, has_update: false, is_accounts_file }
    }

    /// Takes over what its include says about its age.
    pub fn included_by(&mut self, include: &Include) {
        self.has_update = include.update.is_some();
        match include.stale_after {
            StaleAfter::Unsaid => {}
            StaleAfter::Never => self.stale_after = None,
            StaleAfter::Age(age) => self.stale_after = Some(age),
        }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.listed.path
    }

    /// How many accounts are in it.
    pub fn len(&self) -> usize {
        self.listed.entries.len()
    }

    /// Whether it has one of a config's keys, or is empty.
    pub fn is_accounts_file(&self) -> bool {
        self.is_accounts_file
    }

    /// What is wrong with it.
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.listed.diagnostics
    }

    /// Whether no account is in it.
    pub fn is_empty(&self) -> bool {
        self.listed.entries.is_empty()
    }

    /// Adds a diagnostic about the file as a whole.
    pub fn complain(&mut self, what: &str, fix: Option<&str>) {
        let diagnostic = Diagnostic::new(&self.listed.path, Pos::default(), what, fix);
        self.listed.diagnostics.push(diagnostic);
    }
}

/// Whether a file has a key that a config has; an empty file does no harm. Of a file that cannot be read to its end,
/// a line that begins like one is enough.
fn is_accounts_file(top: &Item, text: &str, is_cut_short: bool) -> bool {
    let is_key = |name: &str| Section::ALL.iter().any(|section| section.key(name).is_some());
    match &top.node {
        _ if is_cut_short => {
            text.lines().any(|line| line.split_once(':').is_some_and(|(name, _)| is_key(name)))
        }
        Node::Null => true,
        Node::Map(pairs) => {
            pairs.is_empty()
                || pairs
                    .iter()
                    .any(|(key, _)| matches!(&key.node, Node::Text(name) if is_key(name)))
        }
        Node::Bare | Node::Text(_) | Node::List(_) => false,
    }
}

/// Streams a file: its accounts become entries one by one, its top mapping is returned without them.
pub(super) fn read_entries(document: &Document<'_>, text: &str) -> (Item, Vec<Entry>) {
    let mut entries = Vec::new();
    let (top, broken) = tree::read(text, &mut |item| {
        if entries.len() == MAX_ACCOUNTS {
            return ControlFlow::Break("a file has at most 50,000 accounts");
        }
        entries.extend(entry(document.cursor(&item)));
        if document.is_full() {
            return ControlFlow::Break("too many errors; the rest of the file was not read");
        }
        ControlFlow::Continue(())
    });
    if let Some(broken) = broken.filter(|_| !document.is_full()) {
        document.broken(&broken);
    }
    (top, entries)
}

/// The keys that every file may have; `accounts` has been streamed already.
pub(super) fn defaults(top: Cursor<'_>) -> Defaults {
    let accounts = top.key("accounts");
    if accounts.node().is_some_and(|node| !matches!(node, Node::List(_))) {
        accounts.fault("`accounts` must be a list", Some("begin each account with `- `"));
    }
    let Some(defaults) = top.key("defaults").enter(Section::Defaults) else {
        return Defaults::default();
    };
    let why = "; over 1h every account would ask for its own code";
    Defaults {
        roles: defaults.key("roles").at(roles),
        region: defaults.key("region").at(Cursor::region),
        duration: defaults.key("duration").at(|it| it.duration(15 * MINUTE..=HOUR, why)),
        agents: defaults.key("agents").at(Cursor::agents),
    }
}

/// An account, or nothing where one of its values is faulty.
fn entry(element: Cursor<'_>) -> Option<Entry> {
    element.sound(|| {
        let account = element.enter(Section::Account)?;
        Some(Entry {
            name: account.key("name").at(Cursor::parsed),
            aliases: account.key("aliases").at(|it| it.list(Cursor::parsed)),
            roles: account.key("roles").at(roles),
            region: account.key("region").at(Cursor::region),
            color: account.key("color").at(|it| it.one_of(COLORS)),
            guard: account.key("guard").at(Cursor::guard),
            agents: account.key("agents").at(Cursor::agents),
            default_agents: None,
            other_agents: None,
            role_agents: Vec::new(),
            tags: account.key("tags").at(|it| it.list(Cursor::tag)),
            other_tags: Vec::new(),
            role_guards: Vec::new(),
            note: account.key("note").at(Cursor::line),
            hide: account.key("hide").flag().unwrap_or_default(),
            is_overlaid: false,
            // Last: without an id there is no entry, but the faults above are noted.
            id: account.required("id", "\"222222222222\"").at(Cursor::account_id)?,
        })
    })
}
