//! The table of keys: what each does in the list, its word in the footer, its line in the help.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use super::ids::Malformed;
use super::text::nearest;

/// What a key can do in the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the table below says what each does")]
pub enum Action {
    Shell,
    Console,
    Copy,
    Scope,
    Star,
    Renew,
    Help,
    Back,
    Forget,
    Mark,
    MarkUp,
    Up,
    Down,
    PageUp,
    PageDown,
    First,
    Last,
    ClearFilter,
    DeleteWord,
    Suspend,
    Quit,
}

/// An action with its default keys and its texts.
pub struct Binding {
    /// The action that the keys trigger.
    pub action: Action,
    /// The action's name in the config's `keys`.
    pub name: &'static str,
    /// The keys, unless the config says otherwise; the first one is shown.
    pub keys: &'static [&'static str],
    /// The word in the footer, for the few that are shown there.
    pub footer: Option<&'static str>,
    /// The line in the help.
    pub help: &'static str,
}

const fn row(
    action: Action,
    name: &'static str,
    keys: &'static [&'static str],
    footer: Option<&'static str>,
    help: &'static str,
) -> Binding {
    Binding { action, name, keys, footer, help }
}

/// Every action, in the order of footer and help.
pub const TABLE: &[Binding] = &[
    row(Action::Shell, "shell", &["enter"], Some("shell"), "open a subshell in the account"),
    row(Action::Console, "console", &["ctrl-o"], Some("console"), "sign in to the web console"),
    row(Action::Copy, "copy", &["ctrl-y"], Some("copy command"), "copy the equivalent command"),
    row(Action::Scope, "scope", &["ctrl-t"], Some("scope"), "limit the session, e.g. to read-only"),
    row(Action::Star, "star", &["ctrl-s"], Some("star"), "keep the account near the top"),
    row(Action::Renew, "renew", &["ctrl-r"], Some("renew"), "renew the session now"),
    row(Action::Help, "help", &["?", "f1"], Some("help"), "show this help"),
    row(Action::Back, "back", &["esc"], Some("quit"), "clear the filter, the marks, then quit"),
    row(Action::Forget, "forget", &["ctrl-x"], None, "forget this row's session on this machine"),
    row(Action::Mark, "mark", &["tab"], None, "mark the row; Enter asks for a command"),
    row(Action::MarkUp, "mark-up", &["shift-tab"], None, "mark the row and go up"),
    row(Action::Up, "up", &["up", "ctrl-p", "ctrl-k"], None, "the row above"),
    row(Action::Down, "down", &["down", "ctrl-n", "ctrl-j"], None, "the row below"),
    row(Action::PageUp, "page-up", &["pageup"], None, "a page up"),
    row(Action::PageDown, "page-down", &["pagedown"], None, "a page down"),
    row(Action::First, "first", &["home"], None, "the first row"),
    row(Action::Last, "last", &["end"], None, "the last row"),
    row(Action::ClearFilter, "clear-filter", &["ctrl-u"], None, "clear the filter"),
    row(Action::DeleteWord, "delete-word", &["ctrl-w"], None, "delete the filter's last word"),
    row(Action::Suspend, "suspend", &["ctrl-z"], None, "suspend; `fg` resumes"),
    row(Action::Quit, "quit", &["ctrl-c"], None, "quit (also ^D on an empty filter)"),
];

/// What a word of the filter can begin with, for the help.
pub const FILTERS: &[(&str, &str)] = &[
    ("tag:WORD", "only accounts with this tag"),
    ("role: region:", "only matching roles or regions"),
    ("id:DIGITS", "only matching account ids"),
    ("is:live", "only live sessions; is:starred: only stars"),
    ("!WORD", "without what matches"),
    ("'WORD", "WORD as it is, not abbreviated"),
    ("^WORD WORD$", "names that begin or end with it"),
    ("NAME/ROLE", "what follows a slash is a role"),
];

/// The keys that edit what is typed, for the help.
pub const EDITING: &[(&str, &str)] = &[
    ("^A ^E", "the start, the end of what is typed"),
    ("M-b M-f", "a word back, a word on"),
    ("Left Right", "a character back, on"),
];

impl FromStr for Action {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        TABLE.iter().find(|b| b.name == text).map(|b| b.action).ok_or_else(|| {
            let near = nearest(text, TABLE.iter().map(|b| b.name));
            Malformed(match near.first() {
                Some(near) => format!("no such action; did you mean {near}?"),
                None => "no such action; `?` in the switcher lists them".into(),
            })
        })
    }
}

/// A key with its modifiers, as `ctrl-n` writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key {
    /// Whether Ctrl is held.
    pub ctrl: bool,
    /// Whether Alt is held.
    pub alt: bool,
    /// The key without its modifiers.
    pub code: KeyCode,
}

/// A key without its modifiers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are the keys")]
pub enum KeyCode {
    Char(char),
    F(u8),
    Enter,
    Esc,
    Tab,
    BackTab,
    Backspace,
    Delete,
    Up,
    Down,
    Left,
    Right,
    Home,
    End,
    PageUp,
    PageDown,
}

impl Key {
    /// Whether it is typed into a text.
    pub const fn is_text(self) -> bool {
        matches!(self.code, KeyCode::Char(_)) && !self.ctrl && !self.alt
    }
}

impl FromStr for Key {
    type Err = Malformed;

    /// Reads `ctrl-n`, `alt-x`, `f5`, `enter`, `?`.
    fn from_str(text: &str) -> Result<Self, Malformed> {
        let (mut ctrl, mut alt, mut rest) = (false, false, text);
        loop {
            if let Some(r) = rest.strip_prefix("ctrl-").filter(|r| !r.is_empty()) {
                (ctrl, rest) = (true, r);
            } else if let Some(r) = rest.strip_prefix("alt-").filter(|r| !r.is_empty()) {
                (alt, rest) = (true, r);
            } else {
                break;
            }
        }
        let mut chars = rest.chars();
        let code = match (chars.next(), chars.next()) {
            (Some(c), None) if !c.is_control() && c != ' ' => KeyCode::Char(c),
            _ => match rest {
                "enter" => KeyCode::Enter,
                "esc" => KeyCode::Esc,
                "tab" => KeyCode::Tab,
                "shift-tab" => KeyCode::BackTab,
                "backspace" => KeyCode::Backspace,
                "delete" => KeyCode::Delete,
                "up" => KeyCode::Up,
                "down" => KeyCode::Down,
                "left" => KeyCode::Left,
                "right" => KeyCode::Right,
                "home" => KeyCode::Home,
                "end" => KeyCode::End,
                "pageup" => KeyCode::PageUp,
                "pagedown" => KeyCode::PageDown,
                "space" => KeyCode::Char(' '),
                _ => match rest.strip_prefix('f').and_then(|n| n.parse().ok()) {
                    Some(n @ 1..=12) => KeyCode::F(n),
                    _ => {
                        return Err(Malformed(
                            "a key looks like ctrl-n, alt-x, f5, enter or pageup".into(),
                        ));
                    }
                },
            },
        };
        let code = match code {
            KeyCode::Char(c) if ctrl => KeyCode::Char(c.to_ascii_lowercase()),
            code => code,
        };
        Ok(Self { ctrl, alt, code })
    }
}

impl fmt::Display for Key {
    /// As the footer shows it: `^N`, `M-x`, `⏎`-less ASCII names otherwise.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.alt {
            f.write_str("M-")?;
        }
        match self.code {
            KeyCode::Char(c) if self.ctrl => write!(f, "^{}", c.to_ascii_uppercase()),
            KeyCode::Char(' ') => f.write_str("Space"),
            KeyCode::Char(c) => write!(f, "{c}"),
            KeyCode::F(n) => write!(f, "F{n}"),
            KeyCode::BackTab => f.write_str("Shift-Tab"),
            code => {
                if self.ctrl {
                    f.write_str("C-")?;
                }
                write!(f, "{code:?}")
            }
        }
    }
}

/// Which key does what, the config's choices included.
#[derive(Debug, Clone)]
pub struct Keymap(Vec<(Key, Action)>);

impl Default for Keymap {
    /// The table's own keys.
    fn default() -> Self {
        let keys = TABLE.iter().flat_map(|binding| {
            binding.keys.iter().filter_map(|key| Some((key.parse().ok()?, binding.action)))
        });
        Self(keys.collect())
    }
}

impl Keymap {
    /// The table, with the config's `keys` in place of an action's own.
    ///
    /// A plain character never becomes a key, `?` excepted: it belongs to the filter. A key has one meaning.
    pub fn new(chosen: &BTreeMap<String, Vec<String>>) -> Result<Self, Malformed> {
        let mut keys: Vec<(Key, &Binding)> = Vec::new();
        for binding in TABLE {
            let own = chosen
                .get(binding.name)
                .map(|keys| keys.iter().map(String::as_str).collect::<Vec<_>>());
            for text in own.as_deref().unwrap_or(binding.keys) {
                let key: Key = text.parse()?;
                Self::check(key, binding.action)?;
                match keys.iter().find(|(known, _)| *known == key) {
                    None => keys.push((key, binding)),
                    Some((_, other)) if other.action == binding.action => {}
                    Some((_, other)) => {
                        return Err(Malformed(format!(
                            "{text} is a key of {} and of {}; choose another one for either",
                            other.name, binding.name
                        )));
                    }
                }
            }
        }
        Ok(Self(keys.into_iter().map(|(key, binding)| (key, binding.action)).collect()))
    }

    /// Whether a key may stand for an action at all.
    pub fn check(key: Key, action: Action) -> Result<(), Malformed> {
        match key.code {
            KeyCode::Char('?') if key.is_text() && action == Action::Help => Ok(()),
            _ if key.is_text() => Err(Malformed(
                "a plain character belongs to the filter; use ctrl-, alt- or a function key".into(),
            )),
            _ => Ok(()),
        }
    }

    /// What a key does.
    pub fn action(&self, key: Key) -> Option<Action> {
        self.0.iter().find(|(k, _)| *k == key).map(|(_, action)| *action)
    }

    /// The keys of an action, the one to show first.
    pub fn keys(&self, action: Action) -> impl Iterator<Item = Key> + '_ {
        self.0.iter().filter(move |(_, a)| *a == action).map(|(key, _)| *key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_a_keymap() {
        let keymap = Keymap::new(&BTreeMap::new()).unwrap();
        for binding in TABLE {
            assert_eq!(binding.name.parse::<Action>().unwrap(), binding.action);
            for key in binding.keys {
                assert_eq!(keymap.action(key.parse().unwrap()), Some(binding.action), "{key}");
            }
        }
    }

    #[test]
    fn a_choice_replaces_and_never_steals() {
        let chosen =
            |action: &str, key: &str| BTreeMap::from([(action.to_owned(), vec![key.to_owned()])]);
        let keymap = Keymap::new(&chosen("renew", "f5")).unwrap();
        assert_eq!(keymap.keys(Action::Renew).map(|k| k.to_string()).collect::<Vec<_>>(), ["F5"]);
        assert_eq!(keymap.action("ctrl-r".parse().unwrap()), None);
        for (key, other) in
            [("ctrl-o", "console and of renew"), ("ctrl-u", "renew and of clear-filter")]
        {
            let refused = Keymap::new(&chosen("renew", key)).unwrap_err().0;
            assert_eq!(
                refused,
                format!("{key} is a key of {other}; choose another one for either")
            );
        }
        let swapped = BTreeMap::from([
            ("renew".to_owned(), vec!["ctrl-u".to_owned(), "ctrl-u".to_owned()]),
            ("clear-filter".to_owned(), vec!["ctrl-r".to_owned()]),
        ]);
        let keymap = Keymap::new(&swapped).unwrap();
        assert_eq!(keymap.action("ctrl-u".parse().unwrap()), Some(Action::Renew));
        assert_eq!(keymap.action("ctrl-r".parse().unwrap()), Some(Action::ClearFilter));
        assert!(Keymap::new(&chosen("renew", "r")).is_err());
        assert!("ctrl-".parse::<Key>().is_err());
    }
}
