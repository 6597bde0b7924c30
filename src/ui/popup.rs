//! The popups over the list: code, confirmation, passphrase, command line, waiting, fault, help.

use ratatui::Frame;
use ratatui::layout::{Constraint, Position, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear};

use super::compact::{OneLineField, dots};
use super::field::{Field, Hidden};
use super::fit::{truncate, width, wrap};
use super::help::{self, HelpLine, RETRY};
use super::layout::role_text;
use super::model::{CodeBox, Intent, Mode, Model, RunBox};
use super::theme::{GUARD, Theme};
use super::time_left::{elapsed, left, seconds_left, step_left};
use crate::domain::account::Target;
use crate::domain::confirmation::Unconfirmed;
use crate::domain::fault::Fault;
use crate::domain::guard::Guard;
use crate::domain::keymap::Action;
use crate::domain::text::{count, sanitize};

/// The widest a popup gets, borders included.
const WIDEST: u16 = 66;
/// The columns of the six cells: `1 2 3   4 5 6`.
const CELLS: [u16; 6] = [0, 2, 4, 8, 10, 12];

/// A popup's content, before its size is known.
pub(super) struct Popup {
    pub title: &'static str,
    pub style: Style,
    pub lines: Vec<Line<'static>>,
    /// In the lower border.
    pub foot: Option<String>,
    /// Where the terminal's cursor goes: the line, and the column in it.
    pub cursor: Option<(u16, u16)>,
}

/// Draws the mode's popup, if it has one.
pub fn draw(frame: &mut Frame<'_>, model: &Model) {
    let area = frame.area();
    let room = room(area);
    let fits = |popup: &Popup| popup.lines.len() + 2 <= usize::from(area.height);
    let popup = match &model.mode {
        Mode::Browse | Mode::Loading { .. } => return,
        Mode::Code(code_box) => {
            let popup = code(model, code_box, room);
            if !fits(&popup) {
                return OneLineField::of_code(model, code_box).draw(frame, model);
            }
            popup
        }
        Mode::Passphrase { switch, typed, refused } => {
            let refused = refused.as_ref();
            let popup = passphrase(model, switch.target.target(), typed, refused, room);
            if !fits(&popup) {
                let compact = OneLineField::of_passphrase(model, typed, refused, area.width);
                return compact.draw(frame, model);
            }
            popup
        }
        Mode::Confirm { target, field, refused, .. } => {
            let popup = confirm(model, target, field, *refused, room);
            if !fits(&popup) {
                return OneLineField::of_confirm(target, field, area.width).draw(frame, model);
            }
            popup
        }
        Mode::Run(run) => {
            let shape = shape_of_run(run, (area.width, area.height));
            if shape.page == 0 {
                return OneLineField::of_run(run, area.width).draw(frame, model);
            }
            command_line(model, run, &shape, room)
        }
        Mode::Waiting { switch, since, news, .. } => {
            let mut popup = waiting(model, switch.target.target(), switch.intent, *since, room);
            if let Some(news) = news {
                text(&mut popup.lines, news, room, model.setup.theme.warning());
            }
            popup
        }
        Mode::Fault { top, .. } | Mode::SignIn { top, .. } | Mode::Help { top, .. } => {
            let Some(popup) = scrolling(model, area) else { return };
            popup.page((*top).into(), area.height)
        }
    };
    popup.draw(frame, model.setup.theme);
}

/// The whole of a box that scrolls where the window is too low for it; without its blank lines there.
fn scrolling(model: &Model, area: Rect) -> Option<Popup> {
    let room = room(area);
    let mut popup = match &model.mode {
        Mode::Fault { fault, retry, .. } => failed(model, fault, retry.is_some(), room),
        Mode::SignIn { target, fault, .. } => sign_in(model, target, fault, room),
        Mode::Help { back, .. } => {
            help(model.setup.theme, help::title(back), help::lines(model, back), area)
        }
        _ => return None,
    };
    if popup.lines.len() + 2 > usize::from(area.height) {
        popup.lines.retain(|line| line.width() > 0);
    }
    Some(popup)
}

/// How many lines the mode's box has that scrolls; none where it has no such box.
pub(super) fn lines_to_scroll(model: &Model) -> usize {
    let (width, height) = model.size;
    scrolling(model, Rect { width, height, ..Rect::ZERO }).map_or(0, |popup| popup.lines.len())
}

/// The columns for a popup's text.
pub(super) fn room(area: Rect) -> u16 {
    area.width.min(WIDEST).saturating_sub(4)
}

impl Popup {
    pub(super) fn new(title: &'static str, style: Style, lines: Vec<Line<'static>>) -> Self {
        Self { title, style, lines, foot: None, cursor: None }
    }

    /// A page of it, where the window is too low for all; the lower border says where in it that is.
    pub(super) fn page(mut self, top: usize, window: u16) -> Self {
        let (many, page) = (self.lines.len(), usize::from(window.saturating_sub(2)));
        if many > page {
            let (first, last) = (top + 1, (top + page).min(many));
            self.foot = Some(format!("{first} to {last} of {many}; Up, Down scroll"));
            self.lines.drain(..top.min(many));
        }
        self
    }

    pub(super) fn draw(self, frame: &mut Frame<'_>, theme: Theme) {
        let area = frame.area();
        let height = u16::try_from(self.lines.len() + 2).unwrap_or(u16::MAX).min(area.height);
        let across = area.width.min(WIDEST);
        let place = area.centered(Constraint::Length(across), Constraint::Length(height));
        let block = Block::bordered()
            .border_set(theme.glyphs.border)
            .border_style(self.style)
            .title(Line::styled(format!(" {} ", self.title), self.style));
        let block = match self.foot {
            Some(foot) => block.title_bottom(Line::styled(format!(" {foot} "), self.style)),
            None => block,
        };
        let inner = block.inner(place);
        frame.render_widget(Clear, place);
        // Half a wide letter would take the border's place.
        if let Some(left) = place.x.checked_sub(1) {
            for y in place.top()..place.bottom() {
                let cell = &mut frame.buffer_mut()[(left, y)];
                if width(cell.symbol()) > 1 {
                    cell.set_symbol(" ");
                }
            }
        }
        frame.render_widget(block, place);
        for (line, row) in self.lines.into_iter().zip(inner.rows()) {
            let text = Rect { x: row.x + 1, width: row.width.saturating_sub(2), ..row };
            frame.render_widget(line, text);
        }
        if let Some((line, column)) = self.cursor {
            let x = (inner.x + 1 + column).min(inner.right().saturating_sub(1));
            let y = (inner.y + line).min(inner.bottom().saturating_sub(1));
            frame.set_cursor_position(Position::new(x, y));
        }
    }
}

/// Wrapped lines in one style.
pub(super) fn text(lines: &mut Vec<Line<'static>>, text: &str, room: u16, style: Style) {
    let wrapped = wrap(&sanitize(text), room.into());
    lines.extend(wrapped.into_iter().map(|line| Line::styled(line, style)));
}

/// A point of a list: its further lines begin where its text does.
pub(super) fn point(lines: &mut Vec<Line<'static>>, one: &str, room: u16, theme: Theme) {
    let dot = format!("{} ", theme.glyphs.dot);
    let wrapped = wrap(&sanitize(one), usize::from(room).saturating_sub(width(&dot)));
    lines.extend(wrapped.into_iter().enumerate().map(|(at, line)| {
        let before = if at == 0 { dot.clone() } else { " ".repeat(width(&dot)) };
        Line::from(before + &line)
    }));
}

/// A text and what stands at the right end of its line; the text gives way.
fn two_ends(left: &str, right: &str, room: u16, ellipsis: &str) -> String {
    let left = truncate(left, usize::from(room).saturating_sub(width(right) + 1), ellipsis);
    let pad = usize::from(room).saturating_sub(width(&left) + width(right));
    format!("{left}{}{right}", " ".repeat(pad))
}

/// The first lines of every popup about a target: its name and id, and its banner.
fn heading(model: &Model, target: &Target, room: u16) -> Vec<Line<'static>> {
    let theme = model.setup.theme;
    let id = target.id.dashed();
    let name = target.name();
    let pad = usize::from(room).checked_sub(width(&name) + width(&id));
    let named = theme.selected().patch(theme.account(target.color));
    let mut lines = match pad {
        Some(pad @ 1..) => {
            vec![Line::from(vec![Span::styled(name, named), " ".repeat(pad).into(), id.into()])]
        }
        _ => vec![
            Line::styled(truncate(&name, room.into(), theme.glyphs.ellipsis), named),
            id.into(),
        ],
    };
    if target.guard > Guard::None {
        let changes = target.changes();
        let banner = if changes.is_empty() { "guarded target" } else { "changed target" };
        lines.push(Line::styled(format!("{GUARD} {banner}"), theme.danger()));
        for change in changes {
            text(&mut lines, &change, room, theme.warning());
        }
    }
    lines
}

fn code(model: &Model, code_box: &CodeBox, room: u16) -> Popup {
    let theme = model.setup.theme;
    let wanted = &code_box.wanted;
    let mut lines = heading(model, code_box.switch.target.target(), room);
    let device = code_box.device().map_or("", |device| &device.label);
    let devices = match wanted.devices.len() {
        0 | 1 => String::new(),
        many => format!(" ({} of {many}, Tab changes)", code_box.device + 1),
    };
    let ask = format!("user {}, device {device}{devices}", wanted.user);
    text(&mut lines, &ask, room, Style::new());
    let flow = format!(
        "{}: {} until {} ({})",
        wanted.flow.name(),
        wanted.flow.reach(),
        model.setup.clock.moment(wanted.until, model.now),
        left(wanted.until, model.now),
    );
    text(&mut lines, &flow, room, Style::new());
    if let Some(note) = wanted.note {
        text(&mut lines, note, room, Style::new());
    }
    for detour in &model.setup.detours {
        text(&mut lines, &format!("{GUARD} {detour}"), room, theme.warning());
    }
    lines.push(Line::default());
    let left_of_cells = room.saturating_sub(CELLS[5] + 1) / 2;
    let at = u16::try_from(lines.len()).unwrap_or(u16::MAX);
    let typed = code_box.digits.shown();
    let next = CELLS[typed.len().min(5)];
    lines.push(cells(model, typed, left_of_cells));
    lines.push(Line::default());
    if let Some(hint) = code_box.hint {
        text(&mut lines, hint, room, theme.warning());
    } else if let Some(rejection) = &wanted.rejection {
        text(&mut lines, &rejection.what, room, theme.danger());
        for why in &rejection.why {
            point(&mut lines, why, room, theme);
        }
    }
    let rejection = wanted.rejection.as_ref();
    let wait = rejection
        .and_then(|rejection| rejection.next_code_at)
        .map(|then| seconds_left(then, model.now));
    let step = step_left(model.now);
    if let Some(seconds @ 1..) = wait {
        let message = format!("wait for the next code: {seconds} s");
        text(&mut lines, &message, room, theme.warning());
    } else {
        let message = format!("the device shows a new code in {step} s");
        text(&mut lines, &message, room, Style::new());
    }
    if let Some(shown) = &code_box.shown {
        let message = format!("demo: the device shows {}", shown.0);
        text(&mut lines, &message, room, theme.live());
    }
    Popup {
        cursor: Some((at, left_of_cells + next)),
        ..Popup::new("MFA code", theme.accent(), lines)
    }
}

fn cells(model: &Model, typed: &str, indent: u16) -> Line<'static> {
    let theme = model.setup.theme;
    let mut line = " ".repeat(indent.into());
    let mut digits = typed.chars();
    for (i, _) in CELLS.iter().enumerate() {
        line.push_str(match i {
            0 => "",
            3 => "   ",
            _ => " ",
        });
        match digits.next() {
            Some(digit) => line.push(digit),
            None => line.push_str(theme.glyphs.blank_digit),
        }
    }
    Line::styled(line, theme.selected())
}

fn confirm(
    model: &Model,
    target: &Target,
    field: &Field,
    refused: Option<Unconfirmed>,
    room: u16,
) -> Popup {
    let theme = model.setup.theme;
    let mut lines = heading(model, target, room);
    let ask = "type the account's name, an alias or its id, then Enter; Esc goes back";
    text(&mut lines, ask, room, Style::new());
    let at = u16::try_from(lines.len()).unwrap_or(u16::MAX);
    let (typed, column) = field.shown(usize::from(room).saturating_sub(3));
    lines.push(Line::from(vec![
        Span::styled(format!("{} ", theme.glyphs.prompt), theme.danger()),
        Span::raw(typed.to_owned()),
    ]));
    let message = match refused {
        // A refused target never comes this far: its fault is shown instead.
        None | Some(Unconfirmed::Refused) => None,
        Some(Unconfirmed::Missing) => Some("nothing was typed".to_owned()),
        Some(Unconfirmed::Mismatch) => Some(format!("that is not {}", target.account)),
    };
    if let Some(message) = message {
        text(&mut lines, &message, room, theme.danger());
    }
    Popup {
        cursor: Some((at, 2 + u16::try_from(column).unwrap_or(0))),
        ..Popup::new("guarded", theme.danger(), lines)
    }
}

/// How the box for a command line divides a window.
pub(super) struct RunShape {
    /// How many of the targets it shows; none where it has no room for itself.
    pub page: usize,
    /// How many lines what is typed takes.
    typed: usize,
}

/// The columns of a box's text that its field takes in a row: two are the prompt's, one is the cursor's.
fn field_room(room: u16) -> usize {
    usize::from(room).saturating_sub(3)
}

/// What is typed is seen as a whole, as long as one target is.
pub(super) fn shape_of_run(run: &RunBox, (width, height): (u16, u16)) -> RunShape {
    // Borders, heading, a blank line, the question, the hint.
    const AROUND: u16 = 6;
    let free = usize::from(height.saturating_sub(AROUND));
    let lines = run.field().wrapped(field_room(room(Rect { width, ..Rect::ZERO }))).0.len();
    let typed = lines.min(free.saturating_sub(1)).max(1);
    RunShape { page: free.saturating_sub(typed), typed }
}

/// The box for a command line: a page of the targets, those at the end that it would not run in, and what is typed.
fn command_line(model: &Model, run: &RunBox, shape: &RunShape, room: u16) -> Popup {
    let (theme, ellipsis) = (model.setup.theme, model.setup.theme.glyphs.ellipsis);
    let cut = |text: &str| truncate(text, room.into(), ellipsis);
    let row = |target: &Target, right: &str, style: Style| {
        let guard = if target.guard > Guard::None { GUARD } else { " " };
        let role = role_text(target.role.name(), target.session.scope);
        let name = format!("{guard} {}/{role}", target.account);
        Line::styled(two_ends(&name, right, room, ellipsis), style)
    };
    let entered = run.targets.iter().map(|cleared| {
        let target = cleared.target();
        row(target, &target.id.dashed(), theme.account(target.color))
    });
    let left_out = run.left_out.iter().map(|(target, unconfirmed)| {
        let why = match unconfirmed {
            Unconfirmed::Refused => "no agents",
            _ if target.change.is_some() => "changed",
            _ => "guarded",
        };
        row(target, &format!("left out: {why}"), theme.danger())
    });
    let (all, page) = (run.targets.len() + run.left_out.len(), shape.page);
    let top = run.top.min(all.saturating_sub(page));
    let mut head = format!("runs in {}", count(run.targets.len(), "target"));
    match run.left_out.len() {
        0 => {}
        1 => head.push_str("; 1 is left out"),
        many => head.push_str(&format!("; {many} are left out")),
    }
    let mut lines = vec![Line::styled(cut(&head), theme.selected())];
    lines.extend(entered.chain(left_out).skip(top).take(page));
    lines.push(Line::default());
    let (ask, of_prompt) = if run.name.is_some() {
        let ask = "type a guarded account's name, then Enter; Esc goes back";
        (ask, theme.danger())
    } else if run.can_confirm(&model.setup.driver) {
        let ask = "command line, then Enter; Tab: guarded accounts; Esc goes back";
        (ask, theme.accent())
    } else {
        ("command line for your shell, then Enter; Esc goes back", theme.accent())
    };
    lines.push(cut(ask).into());
    let (typed, (line, column)) = run.field().wrapped(field_room(room));
    let first = (line + 1).saturating_sub(shape.typed);
    let at = lines.len() + line - first;
    for (i, typed) in typed.iter().enumerate().skip(first).take(shape.typed) {
        let prompt = if i == 0 { theme.glyphs.prompt } else { " " };
        lines.push(Line::from(vec![
            Span::styled(format!("{prompt} "), of_prompt),
            Span::raw((*typed).to_owned()),
        ]));
    }
    lines.push(Line::styled(cut(run.hint.unwrap_or_default()), theme.warning()));
    let last = (top + page).min(all);
    let cursor = |at: usize| u16::try_from(at).unwrap_or(u16::MAX);
    Popup {
        foot: (all > page).then(|| format!("{} to {last} of {all}; Up, Down scroll", top + 1)),
        cursor: Some((cursor(at), cursor(2 + column))),
        ..Popup::new("run a command", theme.accent(), lines)
    }
}

fn passphrase(
    model: &Model,
    target: &Target,
    typed: &Hidden,
    refused: Option<&Fault>,
    room: u16,
) -> Popup {
    let theme = model.setup.theme;
    let mut lines = heading(model, target, room);
    let ask = "enter the passphrase of the access key's file";
    text(&mut lines, ask, room, Style::new());
    let at = u16::try_from(lines.len()).unwrap_or(u16::MAX);
    let dots = dots(model, typed, usize::from(room).saturating_sub(3));
    let column = 2 + u16::try_from(width(&dots)).unwrap_or(0);
    lines.push(Line::from(vec![
        Span::styled(format!("{} ", theme.glyphs.prompt), theme.accent()),
        Span::raw(dots),
    ]));
    if let Some(fault) = refused {
        text(&mut lines, &fault.what, room, theme.danger());
        for why in &fault.why {
            point(&mut lines, why, room, theme);
        }
    }
    Popup { cursor: Some((at, column)), ..Popup::new("passphrase", theme.accent(), lines) }
}

fn waiting(
    model: &Model,
    target: &Target,
    intent: Intent,
    since: jiff::Timestamp,
    room: u16,
) -> Popup {
    let mut lines = heading(model, target, room);
    let doing = match intent {
        Intent::Enter(_) => "requesting a session",
        Intent::Renew => "requesting a new session",
    };
    let message = format!("{doing}, {}; Esc cancels", elapsed(since, model.now));
    text(&mut lines, &message, room, Style::new());
    Popup::new("wait", model.setup.theme.accent(), lines)
}

fn failed(model: &Model, fault: &Fault, can_retry: bool, room: u16) -> Popup {
    let theme = model.setup.theme;
    let mut lines = Vec::new();
    text(&mut lines, &fault.what, room, theme.danger());
    let part = |lines: &mut Vec<Line<'static>>, title: &str, texts: &[String]| {
        if !texts.is_empty() {
            lines.push(Line::default());
            lines.push(Line::styled(title.to_owned(), theme.key()));
        }
        for one in texts {
            point(lines, one, room, theme);
        }
    };
    part(&mut lines, "why", &fault.why);
    part(&mut lines, "what is wrong", &fault.items);
    part(&mut lines, "what to do", &fault.fix);
    lines.push(Line::default());
    let back = "Enter or Esc goes back to the list";
    let keys = if can_retry { format!("{RETRY} tries again; {back}") } else { back.to_owned() };
    text(&mut lines, &keys, room, theme.faint());
    Popup::new("failed", theme.danger(), lines)
}

fn sign_in(model: &Model, target: &Target, fault: &Fault, room: u16) -> Popup {
    let theme = model.setup.theme;
    let mut lines = heading(model, target, room);
    text(&mut lines, &fault.what, room, theme.danger());
    for why in &fault.why {
        point(&mut lines, why, room, theme);
    }
    lines.push(Line::default());
    let key = |action| {
        let key = model.setup.keymap.keys(action).next();
        key.map_or_else(String::new, |key| key.to_string())
    };
    let offer = format!(
        "{} copies the sign-in URL for your own browser; for 15 minutes, anyone who has it is signed in",
        key(Action::Copy)
    );
    text(&mut lines, &offer, room, Style::new());
    lines.push(Line::default());
    let back = format!("{} goes back to the list", key(Action::Back));
    text(&mut lines, &back, room, theme.faint());
    Popup::new("console", theme.accent(), lines)
}

/// The whole help.
pub(super) fn help(theme: Theme, title: &'static str, all: Vec<HelpLine>, area: Rect) -> Popup {
    let room = room(area);
    let lines = all
        .into_iter()
        .map(|(keys, does)| {
            let keys = format!("{keys:<14} ");
            let left = usize::from(room).saturating_sub(width(&keys));
            let does = truncate(does, left, theme.glyphs.ellipsis);
            Line::from(vec![Span::styled(keys, theme.key()), does.into()])
        })
        .collect();
    Popup::new(title, theme.accent(), lines)
}
