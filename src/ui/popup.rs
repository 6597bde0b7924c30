//! The popups over the list: code, confirmation, passphrase, waiting, fault, help.

use ratatui::Frame;
use ratatui::layout::{Constraint, Position, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear};

use super::compact::{OneLineField, dots};
use super::field::{Field, Hidden};
use super::fit::{truncate, width, wrap};
use super::model::{CodeBox, Intent, Mode, Model};
use super::theme::{GUARD, Theme};
use super::time_left::{elapsed, left, seconds_left, step_left};
use crate::domain::account::Target;
use crate::domain::confirmation::Unconfirmed;
use crate::domain::fault::Fault;
use crate::domain::flow::Flow;
use crate::domain::guard::Guard;
use crate::domain::keymap::{Action, FILTERS, Keymap, TABLE};
use crate::domain::text::sanitize;

/// The widest a popup gets, borders included.
const WIDEST: u16 = 66;
/// The columns of the six cells: `1 2 3   4 5 6`.
const CELLS: [u16; 6] = [0, 2, 4, 8, 10, 12];

/// A popup's content, before its size is known.
pub(super) struct Popup {
    pub title: &'static str,
    pub style: Style,
    pub lines: Vec<Line<'static>>,
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
        Mode::Waiting { switch, since, news, .. } => {
            let mut popup = waiting(model, switch.target.target(), switch.intent, *since, room);
            if let Some(news) = news {
                text(&mut popup.lines, news, room, model.setup.theme.warning());
            }
            popup
        }
        Mode::Fault(fault) => {
            let mut popup = failed(model, fault, room);
            if !fits(&popup) {
                popup.lines.retain(|line| line.width() > 0);
            }
            popup
        }
        Mode::Help { top, .. } => {
            let setup = &model.setup;
            let rows = TABLE.iter().map(|binding| {
                let help = match binding.action {
                    Action::Shell => setup.enters.texts().1,
                    _ => binding.help,
                };
                (binding.action, help)
            });
            help(&setup.keymap, setup.theme, rows, FILTERS, *top, room)
        }
    };
    popup.draw(frame, model.setup.theme);
}

/// The columns for a popup's text.
pub(super) fn room(area: Rect) -> u16 {
    area.width.min(WIDEST).saturating_sub(4)
}

impl Popup {
    pub(super) fn draw(self, frame: &mut Frame<'_>, theme: Theme) {
        let area = frame.area();
        let height = u16::try_from(self.lines.len() + 2).unwrap_or(u16::MAX).min(area.height);
        let width = area.width.min(WIDEST);
        let place = area.centered(Constraint::Length(width), Constraint::Length(height));
        let block = Block::bordered()
            .border_set(theme.glyphs.border)
            .border_style(self.style)
            .title(Line::styled(format!(" {} ", self.title), self.style));
        let inner = block.inner(place);
        frame.render_widget(Clear, place);
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
    let ask = format!("code of {} from {device}{devices}", wanted.user);
    text(&mut lines, &ask, room, Style::new());
    let opens = match wanted.flow {
        Flow::Shared => "opens every account",
        Flow::Direct => "opens only this role",
    };
    let flow = format!(
        "{}: {opens} until {} ({})",
        wanted.flow.name(),
        model.setup.clock.moment(wanted.until, model.now),
        left(wanted.until, model.now),
    );
    text(&mut lines, &flow, room, Style::new());
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
            text(&mut lines, &format!("{} {why}", theme.glyphs.dot), room, Style::new());
        }
    }
    let rejection = wanted.rejection.as_ref();
    let wait = rejection
        .and_then(|rejection| rejection.next_code_at)
        .map(|then| seconds_left(then, model.now));
    let step = step_left(model.now);
    match (&code_box.shown, wait) {
        (Some(shown), _) => {
            let message = format!("demo: the device shows {} for {step} s", shown.0);
            text(&mut lines, &message, room, theme.live());
        }
        (None, Some(seconds @ 1..)) => {
            let message = format!("wait for the next code: {seconds} s");
            text(&mut lines, &message, room, theme.warning());
        }
        (None, _) => {
            let message = format!("the device shows a new code in {step} s");
            text(&mut lines, &message, room, Style::new());
        }
    }
    Popup {
        title: "MFA code",
        style: theme.accent(),
        lines,
        cursor: Some((at, left_of_cells + next)),
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
        None => None,
        Some(Unconfirmed::Missing) => Some("nothing was typed".to_owned()),
        Some(Unconfirmed::Mismatch) => Some(format!("that is not {}", target.account)),
    };
    if let Some(message) = message {
        text(&mut lines, &message, room, theme.danger());
    }
    Popup {
        title: "guarded",
        style: theme.danger(),
        lines,
        cursor: Some((at, 2 + u16::try_from(column).unwrap_or(0))),
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
            let why = format!("{} {why}", theme.glyphs.dot);
            text(&mut lines, &why, room, Style::new());
        }
    }
    Popup { title: "passphrase", style: theme.accent(), lines, cursor: Some((at, column)) }
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
    Popup { title: "wait", style: model.setup.theme.accent(), lines, cursor: None }
}

fn failed(model: &Model, fault: &Fault, room: u16) -> Popup {
    let theme = model.setup.theme;
    let mut lines = Vec::new();
    text(&mut lines, &fault.what, room, theme.danger());
    let part = |lines: &mut Vec<Line<'static>>, title: &str, texts: &[String]| {
        if !texts.is_empty() {
            lines.push(Line::default());
            lines.push(Line::styled(title.to_owned(), theme.key()));
        }
        for one in texts {
            text(lines, &format!("{} {one}", theme.glyphs.dot), room, Style::new());
        }
    };
    part(&mut lines, "why", &fault.why);
    part(&mut lines, "what is wrong", &fault.items);
    part(&mut lines, "what to do", &fault.fix);
    lines.push(Line::default());
    text(&mut lines, "Enter or Esc goes back to the list", room, theme.faint());
    Popup { title: "failed", style: theme.danger(), lines, cursor: None }
}

/// The keys and what each does, then the words of the filter.
pub(super) fn help(
    keymap: &Keymap,
    theme: Theme,
    rows: impl Iterator<Item = (Action, &'static str)>,
    filters: &'static [(&str, &str)],
    top: u16,
    room: u16,
) -> Popup {
    let rows = rows.map(|(action, help)| {
        let keys: Vec<String> = keymap.keys(action).map(|key| key.to_string()).collect();
        (format!("{:<14} ", keys.join(" ")), help)
    });
    let filters = filters.iter().map(|(word, message)| (format!("{word:<14} "), *message));
    let lines = rows
        .chain(filters)
        .skip(top.into())
        .map(|(keys, message)| {
            let message =
                truncate(message, usize::from(room).saturating_sub(15), theme.glyphs.ellipsis);
            Line::from(vec![Span::styled(keys, theme.key()), message.into()])
        })
        .collect();
    Popup { title: "keys", style: theme.accent(), lines, cursor: None }
}
