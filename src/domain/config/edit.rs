//! Additions to a config that is there: new accounts, roles and MFA devices, every other byte as it was.
//!
//! `places` says where each value begins and ends; text is only ever inserted. Whoever writes the result reads
//! it first: a value that was not understood here shows as an account that is missing or changed there.

use std::collections::{HashMap, HashSet};

use granit_parser::StructureStyle;

use super::Argv;
use super::draft::{DraftAccount, DraftRole};
use super::places::{self, Node, Value};
use super::scalar::{list, scalar};
use crate::domain::ids::{AccountId, MfaSerial, Name};
use crate::domain::text::sanitize;

/// What is added to a config.
#[derive(Debug, Default)]
pub struct Additions {
    /// Devices that `auth.mfa` does not have.
    pub devices: Vec<MfaSerial>,
    /// The program for codes, where there is none.
    pub mfa_command: Option<Argv>,
    /// Accounts that the config does not have.
    pub accounts: Vec<DraftAccount>,
    /// Roles of accounts that it has.
    pub roles: Vec<(AccountId, Vec<DraftRole>)>,
}

impl Additions {
    /// Whether nothing is new.
    pub fn is_empty(&self) -> bool {
        let Self { devices, mfa_command, accounts, roles } = self;
        devices.is_empty() && mfa_command.is_none() && accounts.is_empty() && roles.is_empty()
    }

    /// How many roles are new.
    pub fn roles(&self) -> usize {
        let of_accounts = self.accounts.iter().map(|account| account.roles.len());
        of_accounts.chain(self.roles.iter().map(|(_, roles)| roles.len())).sum()
    }
}

/// A config's text and where the things in it are that something can be added to.
pub struct Layout<'t> {
    text: &'t str,
    top: Value,
    /// The accounts of the file by id, as positions in the list.
    by_id: HashMap<AccountId, usize>,
    /// The anchors that aliases name: what is changed there changes elsewhere, too.
    aliased: HashSet<usize>,
}

/// A text to be inserted at a position.
struct Insertion {
    at: usize,
    text: String,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Within a line.
    Inline,
    /// Whole lines, at the beginning of one.
    Lines,
    /// A comment at the end of a line, unless something else is inserted there.
    Comment,
}

impl<'t> Layout<'t> {
    /// Finds its way through a config. `None` where it is no mapping.
    pub fn parse(text: &'t str) -> Option<Self> {
        let (top, aliased) = places::read(text)?;
        let mut layout = Self { text, top, by_id: HashMap::new(), aliased };
        let ids = layout.accounts().iter().map(|account| account.get("id")?.scalar()?.parse().ok());
        let ids: Vec<Option<AccountId>> = ids.collect();
        let ids = ids.into_iter().enumerate().filter_map(|(at, id)| Some((id?, at)));
        layout.by_id = ids.collect();
        Some(layout)
    }

    /// Whether the file itself has an entry for an account.
    pub fn has(&self, id: AccountId) -> bool {
        self.by_id.contains_key(&id)
    }

    /// Whether an account's entry lists its roles itself.
    pub fn lists_roles(&self, id: AccountId) -> bool {
        self.account(id).is_some_and(|account| account.get("roles").is_some())
    }

    /// Whether a role can be added to an account's entry alone.
    pub fn takes_roles(&self, id: AccountId) -> bool {
        let Some(account) = self.account(id) else { return false };
        let roles = account.get("roles");
        if self.is_aliased(account) || roles.is_some_and(|roles| self.is_aliased(roles)) {
            return false;
        }
        match roles.map(|roles| &roles.node) {
            Some(Node::List { items, .. }) => !items.is_empty(),
            Some(_) => false,
            None => account.get("<<").is_none() && self.default_roles().is_some(),
        }
    }

    /// Whether a device can be added to those of `auth.mfa`.
    pub fn takes_devices(&self) -> bool {
        self.devices().is_some_and(|devices| {
            matches!(&devices.node, Node::List { items, .. } if !items.is_empty())
                && !self.is_aliased(devices)
        })
    }

    /// Whether `auth.mfa_command` can be added.
    pub fn takes_mfa_command(&self) -> bool {
        self.auth().is_some_and(|auth| {
            matches!(&auth.node, Node::Map { pairs, .. } if !pairs.is_empty())
                && auth.get("mfa_command").is_none()
        })
    }

    /// The accounts of the file that have a name, in its order.
    pub fn named(&self) -> Vec<(AccountId, Name)> {
        let mut named: Vec<(usize, AccountId, Name)> = self
            .by_id
            .iter()
            .filter_map(|(id, at)| {
                let name = self.accounts()[*at].get("name")?.scalar()?.parse().ok()?;
                Some((*at, *id, name))
            })
            .collect();
        named.sort_by_key(|(at, ..)| *at);
        named.into_iter().map(|(_, id, name)| (id, name)).collect()
    }

    /// The text with one more file to include; `None` where there is no place for it.
    pub fn including(&self, file: &str) -> Option<String> {
        let Node::Map { style, pairs } = &self.top.node else { return None };
        let file = scalar(file);
        let insertion = match pairs.iter().find(|(key, _)| key.is("include")) {
            Some((key, value)) => match &value.node {
                Node::Scalar { .. } if value.start == value.end => {
                    let colon = self.text[key.end..].find(':')? + 1;
                    let (at, text) = (key.end + colon, format!(" [{file}]"));
                    Insertion { at, text, kind: Kind::Inline }
                }
                Node::List { items, .. } if items.is_empty() => {
                    Insertion { at: value.start + 1, text: file, kind: Kind::Inline }
                }
                Node::List { .. } => {
                    self.appended(value, &[file], String::clone, |file, indent| {
                        format!("{indent}- {file}\n")
                    })?
                }
                _ => return None,
            },
            None if *style == StructureStyle::Flow => {
                let at = pairs.last()?.1.last_byte(self.text);
                let text = format!(", \"include\": [{file}]");
                Insertion { at, text, kind: Kind::Inline }
            }
            // Before the accounts, and before the comments on them.
            None => {
                let accounts = pairs.iter().find(|(key, _)| key.is("accounts"));
                let at = if let Some((key, _)) = accounts {
                    let mut at = self.line_start(key.start);
                    while let Some(before) = self.comment_above(at) {
                        at = before;
                    }
                    at
                } else {
                    self.after_lines(self.top.last_byte(self.text), usize::MAX)
                };
                let indent = self.indent(pairs.first()?.0.start);
                let after = self.text[at..].lines().next();
                let has_paragraphs = self.text[..at].ends_with("\n\n") && after.is_some();
                let gap = if has_paragraphs { "\n" } else { "" };
                let text = format!("{indent}include: [{file}]\n{gap}");
                Insertion { at, text, kind: Kind::Lines }
            }
        };
        Some(self.inserted(vec![insertion]))
    }

    /// The beginning of the line above one, where a comment fills that.
    fn comment_above(&self, at: usize) -> Option<usize> {
        let above = self.text[..at].strip_suffix('\n')?;
        let start = self.line_start(above.len());
        above[start..].trim_start().starts_with('#').then_some(start)
    }

    /// The text with additions; `None` where there is no place for them.
    pub fn with(&self, additions: &Additions) -> Option<String> {
        let mut insertions = Vec::new();
        if !additions.devices.is_empty() {
            let in_line = |device: &MfaSerial| scalar(device.as_str());
            let line =
                |device: &MfaSerial, indent: &str| format!("{indent}- {}\n", in_line(device));
            let devices = self.devices()?;
            insertions.push(self.appended(devices, &additions.devices, in_line, line)?);
        }
        if let Some(argv) = &additions.mfa_command {
            let pair = format!("mfa_command: {}", list(argv));
            insertions.extend(self.with_pair(self.auth()?, &pair, None)?);
        }
        for (id, roles) in &additions.roles {
            insertions.extend(self.roles_insertions(self.account(*id)?, roles)?);
        }
        if !additions.accounts.is_empty() {
            insertions.push(self.accounts_insertion(&additions.accounts)?);
        }
        Some(self.inserted(insertions))
    }

    /// Whether an alias names it, so that what is added there is added elsewhere, too.
    fn is_aliased(&self, value: &Value) -> bool {
        self.aliased.contains(&value.anchor)
    }

    /// The section `auth`, unless it is written elsewhere or serves others, too.
    fn auth(&self) -> Option<&Value> {
        self.top.get("auth").filter(|auth| !self.is_aliased(auth))
    }

    fn devices(&self) -> Option<&Value> {
        self.auth()?.get("mfa")
    }

    fn accounts(&self) -> &[Value] {
        match self.top.get("accounts").map(|accounts| &accounts.node) {
            Some(Node::List { items, .. }) => items,
            _ => &[],
        }
    }

    fn account(&self, id: AccountId) -> Option<&Value> {
        self.accounts().get(*self.by_id.get(&id)?)
    }

    /// The roles of `defaults`, as elements of a list in brackets.
    fn default_roles(&self) -> Option<Vec<String>> {
        match &self.top.get("defaults")?.get("roles")?.node {
            Node::List { items, .. } => items.iter().map(|item| item.in_line(self.text)).collect(),
            _ => None,
        }
    }

    fn roles_insertions(&self, account: &Value, roles: &[DraftRole]) -> Option<Vec<Insertion>> {
        let guard = roles.iter().find_map(|role| role.guard.as_ref()).map(|guard| guard.why);
        let Some(list) = account.get("roles") else {
            // The defaults' roles no longer hold once an account has its own.
            let own = roles.iter().map(DraftRole::in_braces);
            let all: Vec<String> = self.default_roles()?.into_iter().chain(own).collect();
            return self.with_pair(account, &format!("roles: [{}]", all.join(", ")), guard);
        };
        let block = |role: &DraftRole, indent: &str| indented(&role.to_string(), 6, indent);
        let insertion = self.appended(list, roles, DraftRole::in_braces, block)?;
        // A block has its comments in it.
        let is_inline = insertion.kind == Kind::Inline;
        let comment = self.comment_behind(insertion.at, guard.filter(|_| is_inline));
        Some([insertion].into_iter().chain(comment).collect())
    }

    /// Elements at the end of a list that has some, as parts of a line or as lines.
    fn appended<T>(
        &self,
        list: &Value,
        elements: &[T],
        in_line: impl Fn(&T) -> String,
        lines: impl Fn(&T, &str) -> String,
    ) -> Option<Insertion> {
        let Node::List { style, items } = &list.node else { return None };
        let end = items.last()?.last_byte(self.text);
        Some(if *style == StructureStyle::Flow {
            let text = elements.iter().flat_map(|it| [", ".to_owned(), in_line(it)]).collect();
            Insertion { at: end, text, kind: Kind::Inline }
        } else {
            let indent = self.indent(self.dash(list.start, items.first()?));
            let text = elements.iter().map(|element| lines(element, &indent)).collect();
            let at = self.after_lines(end, indent.len());
            Insertion { at, text, kind: Kind::Lines }
        })
    }

    /// A key and its value, in one line, at the end of a mapping that has some.
    fn with_pair(
        &self,
        mapping: &Value,
        pair: &str,
        comment: Option<&str>,
    ) -> Option<Vec<Insertion>> {
        let Node::Map { style, pairs } = &mapping.node else { return None };
        if *style == StructureStyle::Flow {
            let at = pairs.last()?.1.last_byte(self.text);
            let insertion = Insertion { at, text: format!(", {pair}"), kind: Kind::Inline };
            let comment = self.comment_behind(at, comment);
            return Some([insertion].into_iter().chain(comment).collect());
        }
        let indent = self.indent(pairs.first()?.0.start);
        let comment = comment.map(|why| format!("  # {why}")).unwrap_or_default();
        let at = self.after_lines(mapping.last_byte(self.text), indent.len());
        let text = format!("{indent}{pair}{comment}\n");
        Some(vec![Insertion { at, text, kind: Kind::Lines }])
    }

    /// A comment at the end of a line, where nothing but brackets stands between.
    fn comment_behind(&self, at: usize, comment: Option<&str>) -> Option<Insertion> {
        let rest = self.text[at..].split(['\r', '\n']).next().unwrap_or_default();
        let is_free = rest.chars().all(|c| " \t]},".contains(c));
        let at = at + rest.len();
        comment.filter(|_| is_free).map(|comment| Insertion {
            at,
            text: format!("  # {}", sanitize(comment)),
            kind: Kind::Comment,
        })
    }

    fn accounts_insertion(&self, accounts: &[DraftAccount]) -> Option<Insertion> {
        let Node::Map { style: of_top, pairs } = &self.top.node else { return None };
        let blocks = |indent: &str, separator: &str| -> String {
            let block = |account: &DraftAccount| indented(&account.to_string(), 2, indent);
            accounts.iter().flat_map(|it| [separator.to_owned(), block(it)]).collect()
        };
        let Some((key, value)) = pairs.iter().find(|(key, _)| key.is("accounts")) else {
            let first = pairs.first().filter(|_| *of_top == StructureStyle::Block)?;
            let indent = self.indent(first.0.start);
            let end = self.after_lines(self.top.last_byte(self.text), usize::MAX);
            let rest = &self.text[end..];
            let is_comment = |line: &str| line.trim().is_empty() || line.trim().starts_with('#');
            let at = if rest.lines().all(is_comment) { self.text.len() } else { end };
            let text = format!("\n{indent}accounts:\n{}", blocks(&format!("{indent}  "), ""));
            return Some(Insertion { at, text, kind: Kind::Lines });
        };
        match &value.node {
            // `accounts:` with nothing behind it.
            Node::Scalar { .. } if value.start == value.end && *of_top == StructureStyle::Block => {
                let indent = format!("{}  ", self.indent(key.start));
                let at = self.after_lines(key.end, usize::MAX);
                Some(Insertion { at, text: blocks(&indent, ""), kind: Kind::Lines })
            }
            Node::List { style: StructureStyle::Block, items } => {
                let indent = self.indent(self.dash(value.start, items.first()?));
                let last = items.last()?;
                let before = items.len().checked_sub(2).map(|before| &items[before]);
                let is_apart = before.is_some_and(|before| {
                    let between = &self.text[before.last_byte(self.text)..last.start];
                    between.lines().skip(1).any(|line| line.trim().is_empty())
                });
                let at = self.after_lines(last.last_byte(self.text), indent.len());
                let text = blocks(&indent, if is_apart { "\n" } else { "" });
                Some(Insertion { at, text, kind: Kind::Lines })
            }
            Node::List { style: StructureStyle::Flow, items } => {
                Some(self.accounts_in_brackets(accounts, value, items))
            }
            _ => None,
        }
    }

    fn accounts_in_brackets(
        &self,
        accounts: &[DraftAccount],
        list: &Value,
        items: &[Value],
    ) -> Insertion {
        let (at, mut text) = match items.last() {
            Some(last) => (last.last_byte(self.text), ",".to_owned()),
            None => (list.start + 1, String::new()),
        };
        let indent = match items.last() {
            Some(last) if self.is_first_on_line(last.start) => self.indent(last.start),
            _ => "  ".to_owned(),
        };
        for (i, account) in accounts.iter().enumerate() {
            text.push_str(&format!("\n{indent}{}", account.in_braces()));
            if i + 1 < accounts.len() {
                text.push(',');
            }
            let comment = account.comments();
            if !comment.is_empty() {
                text.push_str(&format!("  # {comment}"));
            }
        }
        let rest = self.text[at..].split(['\r', '\n']).next().unwrap_or_default().trim();
        if !rest.is_empty() && !rest.starts_with('#') {
            text.push('\n');
        }
        Insertion { at, text, kind: Kind::Inline }
    }

    /// Where the first element's dash is. A list begins there, but for one that is not indented.
    fn dash(&self, start: usize, first: &Value) -> usize {
        if self.text[start..].starts_with('-') {
            return start;
        }
        self.text[..first.start].rfind('-').unwrap_or(start)
    }

    /// The blanks that put a line below a position.
    fn indent(&self, at: usize) -> String {
        let line = &self.text[self.line_start(at)..at];
        line.trim_start_matches('\u{FEFF}').chars().map(|_| ' ').collect()
    }

    fn line_start(&self, at: usize) -> usize {
        self.text[..at].rfind(['\r', '\n']).map_or(0, |end| end + 1)
    }

    fn is_first_on_line(&self, at: usize) -> bool {
        self.text[self.line_start(at)..at].trim().is_empty()
    }

    /// The beginning of the line behind a position, and behind comments that are indented further than `indent`.
    fn after_lines(&self, at: usize, indent: usize) -> usize {
        let line = |at: usize| {
            let rest = &self.text[at..];
            at + rest.split_inclusive('\n').next().map_or(0, str::len)
        };
        let mut end = line(at);
        loop {
            let next = &self.text[end..line(end)];
            let depth = next.len() - next.trim_start().len();
            if !next.trim_start().starts_with('#') || depth <= indent {
                return end;
            }
            end = line(end);
        }
    }

    fn inserted(&self, mut insertions: Vec<Insertion>) -> String {
        let others: HashSet<usize> = insertions
            .iter()
            .filter(|insertion| insertion.kind != Kind::Comment)
            .map(|insertion| insertion.at)
            .collect();
        insertions.retain(|it| it.kind != Kind::Comment || !others.contains(&it.at));
        insertions.sort_by_key(|insertion| insertion.at);
        let is_windows = self.text.split_once('\n').is_some_and(|(line, _)| line.ends_with('\r'));
        let end = if is_windows { "\r\n" } else { "\n" };
        let mut result = String::new();
        let mut copied = 0;
        for Insertion { at, text, kind } in insertions {
            result.push_str(&self.text[copied..at]);
            if kind == Kind::Lines && !result.is_empty() && !result.ends_with('\n') {
                result.push_str(end);
            }
            result.push_str(&text.replace('\n', end));
            copied = at;
        }
        result.push_str(&self.text[copied..]);
        result
    }
}

/// Lines that were indented by `from`, indented otherwise.
fn indented(lines: &str, from: usize, indent: &str) -> String {
    lines.lines().flat_map(|line| [indent, &line[from..], "\n"]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "version: 1
auth:
  account: 111111111111
  mfa:
  - serial: GAHT12345678  # key ring
    label: token
  # - lost
defaults: {roles: [Developer, {name: Ops, path: /ops/}]}
accounts:
- id: 222222222222
  name: dev
  roles:
  - Developer   # one
  - name: Extra
    path: /x/
    # of ours
- id: 233333333333
  name: stage
- name: test
  id: \"244444444444\"
  roles: [Developer]  # only this";

    #[test]
    fn additions_stand_where_a_person_would_write_them() {
        let layout = Layout::parse(TEXT).unwrap();
        assert!(layout.takes_devices() && layout.takes_mfa_command());
        let id = |text: &str| text.parse::<AccountId>().unwrap();
        let account = |name: &str, of: &str| DraftAccount {
            roles: vec![DraftRole::named("R".parse().unwrap())],
            ..DraftAccount::new(name.parse().unwrap(), id(of))
        };
        let role = |name: &str| {
            let name = DraftRole::named(name.parse().unwrap());
            DraftRole { path: "/p/".parse().unwrap(), ..name }
        };
        let roles = vec![
            (id("222222222222"), vec![role("A"), DraftRole::named("B".parse().unwrap())]),
            (id("233333333333"), vec![role("A")]),
            (id("244444444444"), vec![role("A")]),
        ];
        let accounts = vec![account("a", "255555555555"), account("b", "266666666666")];
        let devices = vec!["arn:aws:iam::111111111111:mfa/t".parse().unwrap()];
        let mfa_command = Some(vec!["sh".to_owned(), "-c".to_owned(), "pass | head -1".to_owned()]);
        let additions = Additions { devices, mfa_command, accounts, roles };
        insta::assert_snapshot!(layout.with(&additions).unwrap(), @r#"
        version: 1
        auth:
          account: 111111111111
          mfa:
          - serial: GAHT12345678  # key ring
            label: token
          - arn:aws:iam::111111111111:mfa/t
          mfa_command: [sh, "-c", "pass | head -1"]
          # - lost
        defaults: {roles: [Developer, {name: Ops, path: /ops/}]}
        accounts:
        - id: 222222222222
          name: dev
          roles:
          - Developer   # one
          - name: Extra
            path: /x/
            # of ours
          - name: A
            path: /p/
          - B
        - id: 233333333333
          name: stage
          roles: [Developer, {name: Ops, path: /ops/}, {name: A, path: /p/}]
        - name: test
          id: "244444444444"
          roles: [Developer, {name: A, path: /p/}]  # only this
        - name: a
          id: "255555555555"
          roles: [R]
        - name: b
          id: "266666666666"
          roles: [R]
        "#);
    }

    #[test]
    fn a_file_is_included_wherever_includes_stand() {
        for (before, after) in [
            ("include: []\n", "include: [\"~/t.yaml\"]\n"),
            ("include: [a]  # x\n", "include: [a, \"~/t.yaml\"]  # x\n"),
            ("include: [a, ]\n", "include: [a, \"~/t.yaml\", ]\n"),
            ("include:  # none\nstore: file\n", "include: [\"~/t.yaml\"]  # none\nstore: file\n"),
            ("include:\n- a\nquiet: on\n", "include:\n- a\n- \"~/t.yaml\"\nquiet: on\n"),
            (
                "include:\n  - file: a\n    update: [b]\n",
                "include:\n  - file: a\n    update: [b]\n  - \"~/t.yaml\"\n",
            ),
            (
                "store: file\n\n# mine\naccounts: []",
                "store: file\n\ninclude: [\"~/t.yaml\"]\n\n# mine\naccounts: []",
            ),
            ("store: file", "store: file\ninclude: [\"~/t.yaml\"]\n"),
            ("{store: file}\n", "{store: file, \"include\": [\"~/t.yaml\"]}\n"),
            ("x: &a [b]\ninclude: *a\n", ""),
        ] {
            let made = Layout::parse(before).unwrap().including("~/t.yaml").unwrap_or_default();
            assert_eq!(made, after, "{before}");
        }
    }
}
