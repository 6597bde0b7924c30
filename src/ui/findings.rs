//! The result of `verify` as a screen: every finding a row, with a filter, details and the remedy to copy.
//!
//! Keys, field, popups and terminal are the switcher's; `view` draws.

mod view;

use std::io;

use crossterm::event::Event;
use futures_core::Stream;
use ratatui::Terminal;
use ratatui::backend::Backend;

use super::event_loop::{Pauses, Signals, message, next};
use super::field::Field;
use super::fit::width;
use super::input::Input;
use super::key_events::{ENTER, typed_ahead};
use super::layout::Heights;
use super::model::Msg;
use super::screen::{self, Screen};
use super::theme::Theme;
use crate::domain::keymap::{Action, Key, KeyCode, Keymap};
use crate::domain::text::{fold, sanitize};
use crate::domain::verdict::report::Report;
use crate::domain::verdict::{Against, Finding, Verdict};

pub use view::draw;

/// What the keys do here, in the order of footer and help: the word in the footer, the line in the help.
const KEYS: [(Action, Option<&str>, &str); 14] = [
    (Action::Shell, Some("details"), "show the whole finding"),
    (Action::Copy, Some("copy remedy"), "copy what to do about it"),
    (Action::Help, Some("help"), "show this help"),
    (Action::Back, Some("close"), "clear the filter, then close"),
    (Action::Up, None, "the row above"),
    (Action::Down, None, "the row below"),
    (Action::PageUp, None, "a page up"),
    (Action::PageDown, None, "a page down"),
    (Action::First, None, "the first row"),
    (Action::Last, None, "the last row"),
    (Action::ClearFilter, None, "clear the filter"),
    (Action::DeleteWord, None, "delete the filter's last word"),
    (Action::Suspend, None, "suspend; `fg` resumes"),
    (Action::Quit, None, "close (also ^D on an empty filter)"),
];
/// What a word of the filter can begin with.
const FILTERS: &[(&str, &str)] =
    &[("WORD", "only findings with this word, e.g. open"), ("!WORD", "only those without it")];

/// The state of the screen.
pub struct Findings<'a> {
    theme: Theme,
    keymap: Keymap,
    /// Who, which key, when; the last is dropped first.
    head: [String; 3],
    /// What stands over everything: an emulator, a missing control.
    warnings: Vec<String>,
    rows: Vec<Row<'a>>,
    widest: [usize; 3],
    /// The rows that match.
    hits: Vec<usize>,
    filter: Field,
    /// The position among the hits.
    cursor: usize,
    top: usize,
    size: (u16, u16),
    notice: Option<String>,
    mode: Mode,
}

/// One finding.
struct Row<'a> {
    /// The account's name; `user` for the user's own.
    account: &'a str,
    /// The account's id and the role's ARN, where it is about one.
    about: Vec<String>,
    role: &'a str,
    finding: &'a Finding,
    /// Everything that the filter looks at, folded.
    text: String,
}

/// What the keys go to.
enum Mode {
    List,
    Details { top: usize },
    Help { top: u16 },
}

/// What the loop has to do.
enum Effect {
    None,
    Copy(String),
    Suspend,
    Close,
}

/// How the screen was left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// By a key, or because the terminal is gone.
    Closed,
    /// By a signal: exit 128 + its number.
    Signalled(u8),
}

/// What the screen does outside its window.
pub struct Desk<'a> {
    /// Puts text into the terminal's clipboard.
    pub copy: &'a dyn Fn(&str) -> io::Result<()>,
    /// Stops the program as a job of its shell.
    pub suspend: &'a dyn Fn() -> io::Result<()>,
}

impl<'a> Findings<'a> {
    /// The findings of a report, the worst first.
    pub fn new(report: &'a Report, theme: Theme, keymap: Keymap) -> Self {
        let own = report.key.iter().map(|finding| Row::new("user", Vec::new(), "", finding));
        let accounts = report.accounts.iter().flat_map(|account| {
            let (name, id) = (account.name.as_str(), account.id.dashed());
            let of_account = id.clone();
            let roles = account.roles.iter().flat_map(move |role| {
                let about = vec![id.clone(), role.role.to_string()];
                let row = move |finding| Row::new(name, about.clone(), role.role.name(), finding);
                role.findings.iter().map(row)
            });
            let own = [&account.back_doors, &account.other_doors, &account.local_users];
            roles.chain(own.map(|finding| Row::new(name, vec![of_account.clone()], "", finding)))
        });
        let mut rows: Vec<Row<'a>> = own.chain(accounts).collect();
        rows.sort_by_key(|row| std::cmp::Reverse(row.finding.verdict));
        let widest = |of: fn(&Row<'a>) -> &'a str| rows.iter().map(|row| width(of(row))).max();
        let widest = [
            widest(|row| row.account),
            widest(|row| row.role),
            widest(|row| row.finding.guardrail.name()),
        ];
        let mut warnings = Vec::new();
        match report.against {
            Against::Aws => {}
            Against::Emulated => warnings.push(format!(
                "EMULATED: {} answers, not AWS. This says nothing about AWS.",
                report.endpoint
            )),
            Against::Intercepted => warnings.push(format!(
                "{}: it may answer instead of AWS, so nothing is proved",
                report.detours.join(", ")
            )),
        }
        warnings
            .extend(report.control_missing.iter().map(|why| format!("no positive control: {why}")));
        warnings.extend(report.sign_in_mfa().map(|mfa| mfa.sentence().to_owned()));
        let user = report.user.as_ref().map_or("unknown user", |user| user.as_str());
        let mut findings = Self {
            theme,
            keymap,
            head: [
                format!("{user} @ {}", report.auth_account.dashed()),
                report.tried(),
                report.at.strftime("%Y-%m-%d %H:%M UTC").to_string(),
            ],
            warnings,
            rows,
            widest: widest.map(Option::unwrap_or_default),
            hits: Vec::new(),
            filter: Field::default(),
            cursor: 0,
            top: 0,
            size: (0, 0),
            notice: None,
            mode: Mode::List,
        };
        findings.refilter();
        findings
    }

    /// How many findings have a verdict.
    fn count(&self, verdict: Verdict) -> usize {
        self.rows.iter().filter(|row| row.finding.verdict == verdict).count()
    }

    fn selected(&self) -> Option<&Row<'a>> {
        self.rows.get(*self.hits.get(self.cursor)?)
    }

    fn heights(&self) -> Heights {
        Heights::of(self.size.1, self.warnings.len())
    }

    fn refilter(&mut self) {
        let filter = fold(self.filter.text());
        let words: Vec<(bool, &str)> = filter
            .split_whitespace()
            .map(|word| word.strip_prefix('!').map_or((true, word), |word| (false, word)))
            .filter(|(_, word)| !word.is_empty())
            .collect();
        let matches =
            |row: &Row| words.iter().all(|(wanted, word)| row.text.contains(word) == *wanted);
        self.hits =
            (0..).zip(&self.rows).filter(|(_, row)| matches(row)).map(|(at, _)| at).collect();
        (self.cursor, self.top) = (0, 0);
    }

    fn update(&mut self, msg: Msg) -> Effect {
        let effect = match msg {
            Msg::Key(key) => self.key(key),
            Msg::Pasted(text) if matches!(self.mode, Mode::List) => {
                self.filter.insert(&text);
                self.refilter();
                Effect::None
            }
            Msg::Resized(width, height) => {
                self.size = (width, height);
                Effect::None
            }
            _ => Effect::None,
        };
        let page = usize::from(self.heights().list).max(1);
        let last = self.hits.len().saturating_sub(1);
        self.cursor = self.cursor.min(last);
        self.top = self.top.clamp((self.cursor + 1).saturating_sub(page), self.cursor);
        self.top = self.top.min((last + 1).saturating_sub(page));
        effect
    }

    fn key(&mut self, key: Key) -> Effect {
        self.notice = None;
        let action = self.keymap.action(key);
        match (action, &mut self.mode) {
            (Some(Action::Quit), _) => return Effect::Close,
            (Some(Action::Suspend), _) => return Effect::Suspend,
            (Some(Action::Copy), Mode::List | Mode::Details { .. }) => return self.copy(),
            (_, Mode::List) => return self.key_in_list(key, action),
            (Some(Action::Help), Mode::Details { .. }) => self.mode = Mode::Help { top: 0 },
            (Some(Action::Back | Action::Help | Action::Shell), _) => self.mode = Mode::List,
            _ if typed_ahead(key) == ENTER => self.mode = Mode::List,
            (Some(action), Mode::Details { top }) => {
                let page = usize::from(self.size.1.saturating_sub(2)).max(1);
                let moved = moved(action, *top, page).unwrap_or(*top);
                let lines = view::details(self).map_or(0, |popup| popup.lines.len());
                self.mode = Mode::Details { top: moved.min(lines.saturating_sub(page)) };
            }
            (Some(action), Mode::Help { top }) => {
                let page = usize::from(self.size.1.saturating_sub(2)).max(1);
                let moved = moved(action, usize::from(*top), page).unwrap_or(usize::from(*top));
                let lines = KEYS.len() + FILTERS.len();
                let top = u16::try_from(moved.min(lines.saturating_sub(page))).unwrap_or(0);
                self.mode = Mode::Help { top };
            }
            (None, _) => {}
        }
        Effect::None
    }

    fn key_in_list(&mut self, key: Key, action: Option<Action>) -> Effect {
        let page = usize::from(self.heights().list).max(1);
        let end_of_input = key.ctrl && !key.alt && key.code == KeyCode::Char('d');
        match action {
            Some(Action::Shell) if self.selected().is_some() => {
                self.mode = Mode::Details { top: 0 };
            }
            Some(Action::Help) => self.mode = Mode::Help { top: 0 },
            Some(Action::Back) if self.filter.text().is_empty() => return Effect::Close,
            Some(Action::Back | Action::ClearFilter) => {
                self.filter.clear();
                self.refilter();
            }
            Some(Action::DeleteWord) => {
                self.filter.delete_word();
                self.refilter();
            }
            Some(action) => {
                self.cursor = moved(action, self.cursor, page).unwrap_or(self.cursor);
            }
            None if end_of_input && self.filter.text().is_empty() => return Effect::Close,
            None => {
                if self.filter.changes_by(key) {
                    self.refilter();
                }
            }
        }
        Effect::None
    }

    fn copy(&mut self) -> Effect {
        let Some(row) = self.selected() else { return Effect::None };
        let remedy = row.finding.remedy.as_deref().filter(|remedy| !remedy.starts_with("nothing:"));
        let remedy = remedy.map(sanitize);
        if let Some(remedy) = remedy {
            self.notice = Some(format!("sent to the clipboard: {remedy}"));
            Effect::Copy(remedy)
        } else {
            self.notice = Some("there is nothing to do about it".into());
            Effect::None
        }
    }
}

impl<'a> Row<'a> {
    fn new(account: &'a str, about: Vec<String>, role: &'a str, finding: &'a Finding) -> Self {
        let (verdict, guardrail) = (finding.verdict.word(), finding.guardrail.name());
        let digits: String = about.join(" ").replace('-', "");
        let all = [verdict, account, &about.join(" "), &digits, guardrail, &finding.because];
        Self { text: fold(&all.join(" ")), account, about, role, finding }
    }
}

/// Where a key of movement leads to; the end of the list is not looked at.
fn moved(action: Action, at: usize, page: usize) -> Option<usize> {
    match action {
        Action::Up => Some(at.saturating_sub(1)),
        Action::Down => Some(at + 1),
        Action::PageUp => Some(at.saturating_sub(page)),
        Action::PageDown => Some(at + page),
        Action::First => Some(0),
        Action::Last => Some(usize::MAX - 1),
        _ => None,
    }
}

/// Opens the screen and shows the findings until a key closes it; `copy` puts text into the clipboard. An error of
/// `screen::is_missing` says that there is no terminal.
pub async fn show(
    findings: &mut Findings<'_>,
    copy: impl Fn(&str) -> io::Result<()>,
) -> io::Result<Left> {
    let mut signals = Signals::listen()?;
    let mut screen = Screen::enter()?;
    let desk = Desk { copy: &copy, suspend: &screen::suspend };
    tokio::select! {
        biased;
        signal = signals.next() => Ok(Left::Signalled(signal)),
        left = run(&mut screen.0, Input::open()?, findings, &desk) => left,
    }
}

/// Runs the screen on a terminal.
pub async fn run<S, B>(
    terminal: &mut Terminal<B>,
    mut input: S,
    findings: &mut Findings<'_>,
    desk: &Desk<'_>,
) -> io::Result<Left>
where
    S: Stream<Item = io::Result<Event>> + Unpin,
    B: Backend,
    B::Error: Send + Sync + 'static,
{
    let size = terminal.size().map_err(io::Error::other)?;
    let mut effect = findings.update(Msg::Resized(size.width, size.height));
    let mut pauses = Pauses::default();
    loop {
        match effect {
            Effect::None => {}
            Effect::Copy(text) => (desk.copy)(&text)?,
            Effect::Suspend => {
                (desk.suspend)()?;
                let size = terminal.size().map_err(io::Error::other)?;
                terminal.resize(size.into()).map_err(io::Error::other)?;
            }
            Effect::Close => return Ok(Left::Closed),
        }
        terminal.draw(|frame| draw(frame, findings)).map_err(io::Error::other)?;
        let Some(event) = next(&mut input, &mut pauses).await else {
            return Ok(Left::Closed);
        };
        effect =
            message(event?, pauses.typed_ahead()).map_or(Effect::None, |msg| findings.update(msg));
    }
}
