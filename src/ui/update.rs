//! The only transition function: from a message to the next state and an effect.

use std::mem;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::field::Field;
use super::help::RETRY;
use super::key_events::{ENTER, typed_ahead};
use super::layout::Widest;
use super::model::{Effect, Intent, Mode, Model, Mouse, Msg, Offer, OpenIn, Outcome, Retry};
use super::popup::lines_to_scroll;
use super::time_left;
use crate::domain::account::{Catalog, TargetRef};
use crate::domain::config::Order;
use crate::domain::guard::Guard;
use crate::domain::history::{History, HistoryEvent};
use crate::domain::ids::RoleArn;
use crate::domain::keymap::{Action, Key, KeyCode};
use crate::domain::scope::Scope;
use crate::domain::search::{RowStates, Search};
use crate::domain::secret::MfaCode;

/// How long after the sixth digit an Enter is ignored: the digit has submitted the code already, and
/// people press Enter by habit.
const HABIT: Duration = Duration::from_secs(1);

/// Applies a message that arrived at `now`; returns what the loop has to do.
pub fn update(model: &mut Model, now: Timestamp, msg: Msg) -> Effect {
    model.now = now;
    let effect = match msg {
        Msg::Opened { size } => model.open(size),
        Msg::Key(key) => {
            model.typed = true;
            model.key(key)
        }
        Msg::Pasted(text) => model.paste(&text),
        Msg::Mouse(mouse) => {
            model.mouse(mouse);
            Effect::None
        }
        Msg::Resized(width, height) => {
            model.size = (width, height);
            Effect::None
        }
        Msg::Tick => {
            model.follow_states();
            model.make_offer();
            Effect::None
        }
        Msg::Overtaken => model.overtaken(),
        Msg::StatusChanged(status) => {
            model.status = status;
            model.follow_states();
            Effect::None
        }
        Msg::Loaded(Ok(loaded)) => {
            let (setup, catalog) = *loaded;
            let is_first = model.search.total() == 0;
            model.setup = setup;
            if is_first && model.filter.text().is_empty() && !model.typed {
                model.filter = model.first_filter();
            }
            model.load(catalog);
            Effect::None
        }
        Msg::Loaded(Err(fault)) if model.search.total() == 0 => {
            Effect::Leave(Outcome::Failed(fault))
        }
        // What was loaded before stays.
        Msg::Loaded(Err(fault)) => {
            model.mode = Mode::Fault { fault, retry: Some(Retry::Load), top: 0 };
            Effect::None
        }
        Msg::Issued(answer) => model.answer(*answer),
    };
    model.scroll();
    effect
}

impl Model {
    fn open(&mut self, size: (u16, u16)) -> Effect {
        self.size = size;
        self.submitted = None;
        self.typed = false;
        if let Mode::Loading { since, .. } = &mut self.mode {
            *since = self.now;
            return Effect::Load;
        }
        if !matches!(self.mode, Mode::SignIn { .. }) {
            self.mode = Mode::Browse;
        }
        if self.selected().is_some_and(|row| self.guard(row) > Guard::None) {
            self.preselect();
        }
        Effect::None
    }

    pub(super) fn load(&mut self, catalog: Arc<Catalog>) {
        let before = self.selected().map(|row| self.search.catalog().role_arn(row));
        self.keep_marks(&catalog);
        // A row may be another target now.
        self.scopes.clear();
        self.widest = Widest::of(&catalog);
        self.search = Search::new(catalog, &self.favourites());
        self.search_again();
        self.mode = match mem::replace(&mut self.mode, Mode::Browse) {
            Mode::Loading { then: Some(fault), .. } => Mode::Fault { fault, retry: None, top: 0 },
            _ => Mode::Browse,
        };
        self.preselect();
        if let Some(before) = before {
            self.select(&before);
        }
    }

    /// The config's own filter. What is typed is a word of its own.
    pub(super) fn first_filter(&self) -> Field {
        let query = self.setup.query.trim_end();
        Field::new(&if query.is_empty() { String::new() } else { format!("{query} ") })
    }

    /// Goes back to the list after something was entered: without the filter, in the order that `history` makes now, the
    /// cursor on the row that was left, unless that is guarded.
    pub fn come_back(&mut self, history: History, left: &RoleArn, now: Timestamp) {
        self.now = now;
        self.history = history;
        self.filter.clear();
        self.search.rank(&self.favourites());
        self.search_again();
        self.preselect();
        self.select(left);
    }

    /// Puts the cursor on a role's row, if it matches and is not guarded.
    fn select(&mut self, role: &RoleArn) {
        let is_it = |row: TargetRef| {
            self.guard(row) == Guard::None && self.search.catalog().role_arn(row) == *role
        };
        let mut hits = 0..self.search.len();
        let found = hits.find(|at| self.search.hit(*at).is_some_and(is_it));
        self.cursor = found.or(self.cursor);
    }

    fn favourites(&self) -> Vec<RoleArn> {
        match self.setup.order {
            Order::Frecency => self.history.favourites(self.now),
            Order::Config => Vec::new(),
        }
    }

    /// Puts the cursor on the best row. Where favourites alone set rows apart, not on a guarded one.
    fn preselect(&mut self) {
        let unguarded = (0..self.search.ties()).find(|at| {
            let row = self.search.hit(*at);
            row.is_some_and(|row| self.guard(row) == Guard::None)
        });
        let typed = !self.filter.text().trim().is_empty() && !self.search.is_empty();
        self.cursor = unguarded.or(typed.then_some(0));
        self.top = 0;
    }

    /// Keeps the cursor among the rows that match and the screen around the cursor.
    fn scroll(&mut self) {
        let page = usize::from(self.heights().list).max(1);
        let last = self.search.len().saturating_sub(1);
        self.cursor = self.cursor.filter(|_| !self.search.is_empty()).map(|at| at.min(last));
        let at = self.cursor.unwrap_or(self.top);
        self.top = self.top.clamp((at + 1).saturating_sub(page), at);
        self.top = self.top.min((last + 1).saturating_sub(page));
    }

    fn key(&mut self, key: Key) -> Effect {
        let action = self.setup.keymap.action(key);
        match action {
            Some(Action::Quit) => return Effect::Leave(Outcome::Cancelled),
            Some(Action::Suspend) => return Effect::Suspend,
            _ => {}
        }
        let submitted = self.submitted.take();
        let habit =
            submitted.is_some_and(|then| self.now.duration_since(then).unsigned_abs() < HABIT);
        if habit && key == ENTER {
            return Effect::None;
        }
        self.notice = None;
        match (&mut self.mode, action) {
            (Mode::Loading { .. }, _) => self.key_while_loading(key, action),
            (Mode::Waiting { .. }, _) => {
                self.submitted = submitted;
                if action == Some(Action::Back) {
                    self.mode = Mode::Browse;
                    self.say("cancelled");
                    return Effect::GiveUp;
                }
                if typed_ahead(key) == ENTER {
                    return Effect::AskHere;
                }
                Effect::None
            }
            // Before the help: `?` may be a letter of a passphrase.
            (Mode::Passphrase { .. }, _) => self.key_in_passphrase(key, action),
            (Mode::Run(run), Some(Action::Back)) if run.name.is_some() => {
                run.name = None;
                Effect::None
            }
            (Mode::Run(_), Some(Action::Help)) if key.is_text() => self.key_in_run(key, None),
            (Mode::Help { .. }, _) => self.key_in_help(key, action),
            (_, Some(Action::Help)) => {
                let back = Box::new(mem::replace(&mut self.mode, Mode::Browse));
                self.mode = Mode::Help { back, top: 0 };
                Effect::None
            }
            (Mode::Browse, _) => self.key_in_list(key, action),
            (Mode::Code(_), Some(Action::Back)) => {
                self.mode = Mode::Browse;
                Effect::GiveUp
            }
            (_, Some(Action::Back)) => {
                self.mode = Mode::Browse;
                Effect::None
            }
            (Mode::Fault { .. }, _) => self.key_in_fault(key, action),
            (Mode::SignIn { .. }, _) => self.key_in_sign_in(key, action),
            (Mode::Confirm { .. }, _) => self.key_in_confirm(key),
            (Mode::Run(_), _) => self.key_in_run(key, action),
            (Mode::Code(_), _) => self.key_in_code(key),
        }
    }

    fn key_while_loading(&mut self, key: Key, action: Option<Action>) -> Effect {
        match action {
            Some(Action::Back) if self.filter.text().is_empty() => Effect::Leave(Outcome::Quit),
            Some(Action::Back | Action::ClearFilter) => {
                self.filter.clear();
                Effect::None
            }
            Some(_) => Effect::None,
            None if is_end_of_input(key) && self.filter.text().is_empty() => {
                Effect::Leave(Outcome::Quit)
            }
            None => {
                self.filter.edit(key);
                Effect::None
            }
        }
    }

    fn key_in_fault(&mut self, key: Key, action: Option<Action>) -> Effect {
        if self.scroll_by(action) {
            return Effect::None;
        }
        let Mode::Fault { retry, .. } = &mut self.mode else {
            return Effect::None;
        };
        if key == RETRY || action == Some(Action::Renew) {
            return match retry.take() {
                Some(Retry::Switch(switch)) => self.ask(*switch, None, None),
                Some(Retry::Load) => {
                    self.mode = Mode::Loading { since: self.now, then: None };
                    Effect::Load
                }
                None => Effect::None,
            };
        }
        if typed_ahead(key) == ENTER {
            self.mode = Mode::Browse;
        }
        Effect::None
    }

    fn key_in_sign_in(&mut self, key: Key, action: Option<Action>) -> Effect {
        if self.scroll_by(action) {
            return Effect::None;
        }
        if action == Some(Action::Copy) {
            if let Mode::SignIn { url, .. } = mem::replace(&mut self.mode, Mode::Browse) {
                self.say("sent to the clipboard: the sign-in URL, valid for 15 minutes");
                return Effect::CopyUrl(url);
            }
        } else if typed_ahead(key) == ENTER {
            self.mode = Mode::Browse;
        }
        Effect::None
    }

    fn mouse(&mut self, mouse: Mouse) {
        match (&mut self.mode, mouse) {
            (Mode::Browse, Mouse::Up) => self.move_to(|at| at.saturating_sub(1)),
            (Mode::Browse, Mouse::Down) => self.move_to(|at| at + 1),
            (Mode::Browse, Mouse::Click { line }) => {
                let heights = self.heights();
                let row = usize::from(line).checked_sub(usize::from(heights.above_the_list()));
                let at =
                    row.filter(|row| *row < usize::from(heights.list)).map(|row| self.top + row);
                self.cursor = at.filter(|at| *at < self.search.len()).or(self.cursor);
            }
            (Mode::Run(_), Mouse::Up) => self.scroll_run(|top, _| top.saturating_sub(1)),
            (Mode::Run(_), Mouse::Down) => self.scroll_run(|top, _| top + 1),
            (Mode::Help { .. } | Mode::Fault { .. } | Mode::SignIn { .. }, Mouse::Up) => {
                self.scroll_box(|top, _| top.saturating_sub(1));
            }
            (Mode::Help { .. } | Mode::Fault { .. } | Mode::SignIn { .. }, Mouse::Down) => {
                self.scroll_box(|top, _| top.saturating_add(1));
            }
            _ => {}
        }
    }

    /// Scrolls the box of a text by what `to` makes of its first line and a page; it ends at its last line.
    fn scroll_box(&mut self, to: impl Fn(u16, u16) -> u16) {
        let page = self.size.1.saturating_sub(2).max(1);
        let lines = u16::try_from(lines_to_scroll(self)).unwrap_or(u16::MAX);
        if let Mode::Help { top, .. } | Mode::Fault { top, .. } | Mode::SignIn { top, .. } =
            &mut self.mode
        {
            *top = to(*top, page).min(lines.saturating_sub(page));
        }
    }

    /// Scrolls by a key; `false` where it is none for that.
    fn scroll_by(&mut self, action: Option<Action>) -> bool {
        match action {
            Some(Action::Up) => self.scroll_box(|top, _| top.saturating_sub(1)),
            Some(Action::Down) => self.scroll_box(|top, _| top.saturating_add(1)),
            Some(Action::PageUp) => self.scroll_box(u16::saturating_sub),
            Some(Action::PageDown) => self.scroll_box(u16::saturating_add),
            Some(Action::First) => self.scroll_box(|_, _| 0),
            Some(Action::Last) => self.scroll_box(|_, _| u16::MAX),
            _ => return false,
        }
        true
    }

    fn key_in_help(&mut self, key: Key, action: Option<Action>) -> Effect {
        let ends = matches!(action, Some(Action::Help | Action::Back)) || typed_ahead(key) == ENTER;
        if !self.scroll_by(action)
            && ends
            && let Mode::Help { back, .. } = mem::replace(&mut self.mode, Mode::Browse)
        {
            self.mode = *back;
        }
        Effect::None
    }

    fn key_in_list(&mut self, key: Key, action: Option<Action>) -> Effect {
        let page = usize::from(self.heights().list).max(1);
        match action {
            Some(Action::Shell) if !self.marked.is_empty() => self.ask_for_line(),
            Some(Action::Shell) => return self.want(Intent::Enter(OpenIn::Shell)),
            Some(Action::Console) => return self.want(Intent::Enter(OpenIn::Console)),
            Some(Action::Renew) => return self.want(Intent::Renew),
            Some(Action::Copy) => return self.copy(),
            Some(Action::Star) => return self.star(),
            Some(Action::Forget) => return self.forget(),
            Some(Action::Scope) => self.cycle_scope(),
            Some(Action::Back) if self.filter.text().is_empty() => {
                if self.marked.is_empty() {
                    return Effect::Leave(Outcome::Quit);
                }
                self.unmark();
            }
            Some(Action::Back | Action::ClearFilter) => {
                self.filter.clear();
                self.refilter();
            }
            Some(Action::DeleteWord) => {
                self.filter.delete_word();
                self.refilter();
            }
            Some(Action::Mark) if self.search.is_empty() || !self.can_mark() => self.take_offer(),
            Some(Action::Mark) => self.mark(|at| at + 1),
            Some(Action::MarkUp) => self.mark(|at| at.saturating_sub(1)),
            Some(Action::Up) => self.move_to(|at| at.saturating_sub(1)),
            Some(Action::Down) => self.move_to(|at| at + 1),
            Some(Action::PageUp) => self.move_to(|at| at.saturating_sub(page)),
            Some(Action::PageDown) => self.move_to(|at| at + page),
            Some(Action::First) => self.move_to(|_| 0),
            Some(Action::Last) => self.move_to(|_| usize::MAX),
            Some(Action::Help | Action::Suspend | Action::Quit) => {}
            None if is_end_of_input(key) && self.filter.text().is_empty() => {
                return Effect::Leave(Outcome::Quit);
            }
            None => {
                if self.filter.changes_by(key) {
                    self.refilter();
                }
            }
        }
        Effect::None
    }

    /// Moves the cursor; the first move of all only shows it.
    pub(super) fn move_to(&mut self, to: impl Fn(usize) -> usize) {
        let at = self.cursor.map_or_else(|| to(0).saturating_sub(1), &to);
        self.cursor = Some(at.min(self.search.len().saturating_sub(1)));
    }

    fn refilter(&mut self) {
        self.search_again();
        self.preselect();
    }

    fn search_again(&mut self) {
        let query = self.filter.text();
        let states = RowStates { status: &self.status, history: &self.history, now: self.now };
        self.search.filter(query, Some(&states));
        self.offer = Offer::Pending;
    }

    fn make_offer(&mut self) {
        if self.owes_an_offer() {
            self.offer = Offer::Made(self.search.nearest(self.filter.text()));
        }
    }

    /// Searches again where what matches changes by itself (`is:live`); the cursor stays on its row.
    fn follow_states(&mut self) {
        if self.search.follows_states() {
            let row = self.selected();
            self.search_again();
            self.cursor = row.and_then(|row| self.search.position(row)).or(self.cursor);
        }
    }

    /// Takes the query that was offered where nothing matched.
    fn take_offer(&mut self) {
        self.make_offer();
        if let Offer::Made(Some(meant)) = &self.offer {
            self.filter = Field::new(meant);
            self.refilter();
        }
    }

    fn paste(&mut self, text: &str) -> Effect {
        self.notice = None;
        match &mut self.mode {
            Mode::Loading { .. } => self.filter.insert(text),
            Mode::Browse => {
                self.filter.insert(text);
                self.refilter();
            }
            Mode::Confirm { field, .. } => field.insert(text),
            Mode::Run(run) => run.paste(text, self.now),
            Mode::Passphrase { typed, .. } => typed.insert(text),
            Mode::Code(code_box) => match MfaCode::parse(text) {
                Some(code) => return self.submit(code),
                None => code_box.hint = Some("the pasted text is not a six-digit code"),
            },
            Mode::Waiting { .. } | Mode::Fault { .. } | Mode::SignIn { .. } | Mode::Help { .. } => {
            }
        }
        Effect::None
    }

    fn copy(&mut self) -> Effect {
        let Some(row) = self.selected() else {
            return Effect::None;
        };
        let command = self.command(row);
        self.say(format!("sent to the clipboard: {command}"));
        Effect::Copy(format!("{command} "))
    }

    fn star(&mut self) -> Effect {
        let Some(row) = self.selected() else {
            return Effect::None;
        };
        let role = self.search.catalog().role_arn(row);
        let event = if self.history.is_starred(&role) {
            HistoryEvent::Unstarred
        } else {
            HistoryEvent::Starred
        };
        self.history.note(&role, event, self.now);
        self.search.rank(&self.favourites());
        self.search_again();
        self.cursor = self.search.position(row);
        Effect::Remember(role, event)
    }

    fn forget(&mut self) -> Effect {
        let Some(row) = self.selected() else {
            return Effect::None;
        };
        let target = self.target(row);
        let Some(live) = self.live(row) else {
            self.say(format!("{target} has no session here"));
            return Effect::None;
        };
        let left = time_left::left(live.expires, self.now);
        self.say(format!("{target}: session deleted here, still valid at AWS for {left}"));
        Effect::Forget(target)
    }

    fn cycle_scope(&mut self) {
        let Some(row) = self.selected() else {
            return;
        };
        let now = self.scope(row);
        let at = Scope::ALL.iter().position(|scope| *scope == now);
        let next = Scope::ALL[at.map_or(0, |at| (at + 1) % Scope::ALL.len())];
        self.scopes.insert(row, next);
        self.widest.role(self.search.catalog(), row, next);
    }
}

fn is_end_of_input(key: Key) -> bool {
    key.ctrl && !key.alt && key.code == KeyCode::Char('d')
}
