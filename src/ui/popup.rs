//! What stands over the list: the code box, the confirmation, the wait, the fault, the help.

use ratatui::Frame;
use ratatui::layout::{Constraint, Position, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear};

use super::clock::{left, seconds_left, step_left};
use super::fit::{truncate, width, wrap};
use super::layout::SMALLEST;
use super::model::{CodeBox, Mode, Model, Purpose};
use super::theme::GUARD;
use super::view::elapsed;
use crate::domain::account::{Flow, Target};
use crate::domain::fault::Fault;
use crate::domain::guard::Guard;
use crate::domain::keys::TABLE;
use crate::domain::text::sanitize;

/// The widest a popup gets, borders included.
const WIDEST: u16 = 66;
/// The columns of the six cells: `1 2 3   4 5 6`.
const CELLS: [u16; 6] = [0, 2, 4, 8, 10, 12];

/// What stands in a popup, before it has a size.
struct Popup {
    title: &'static str,
    style: Style,
    lines: Vec<Line<'static>>,
    /// Where the terminal's cursor stands: the line, and the column in it.
    cursor: Option<(u16, u16)>,
}

/// Draws what the mode calls for, over the list.
pub fn draw(frame: &mut Frame<'_>, model: &Model) {
    let area = frame.area();
    let room = area.width.min(WIDEST).saturating_sub(4);
    let popup = match &model.mode {
        Mode::Browse | Mode::Loading { .. } => return,
        Mode::Code(code_box) => {
            let popup = code(model, code_box, room);
            if popup.lines.len() + 2 > usize::from(area.height) {
                return draw_code_line(frame, model, code_box);
            }
            popup
        }
        Mode::Confirm {
            target,
            field,
            refused,
            ..
        } => {
            let wrong = refused.is_some();
            confirm(model, target, field, wrong, room)
        }
        Mode::Waiting { errand, since, .. } => {
            waiting(model, errand.target.target(), errand.purpose, *since, room)
        }
        Mode::Fault(fault) => failed(model, fault, room),
        Mode::Help { top, .. } => help(model, *top, room),
    };
    popup.draw(frame, model);
}

impl Popup {
    fn draw(self, frame: &mut Frame<'_>, model: &Model) {
        let area = frame.area();
        let height = u16::try_from(self.lines.len() + 2)
            .unwrap_or(u16::MAX)
            .min(area.height);
        let width = area.width.min(WIDEST);
        let place = area.centered(Constraint::Length(width), Constraint::Length(height));
        let block = Block::bordered()
            .border_set(model.setup.theme.glyphs.border)
            .border_style(self.style)
            .title(Line::styled(format!(" {} ", self.title), self.style));
        let inner = block.inner(place);
        frame.render_widget(Clear, place);
        frame.render_widget(block, place);
        for (line, row) in self.lines.into_iter().zip(inner.rows()) {
            let text = Rect {
                x: row.x + 1,
                width: row.width.saturating_sub(2),
                ..row
            };
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
fn text(lines: &mut Vec<Line<'static>>, text: &str, room: u16, style: Style) {
    let wrapped = wrap(&sanitize(text), room.into());
    lines.extend(wrapped.into_iter().map(|line| Line::styled(line, style)));
}

/// What every popup about a target begins with: its name and id, and its banner.
fn heading(model: &Model, target: &Target, room: u16) -> Vec<Line<'static>> {
    let theme = model.setup.theme;
    let id = target.id.dashed();
    let name = target.name();
    let pad = usize::from(room).checked_sub(width(&name) + width(&id));
    let named = theme.selected().patch(theme.account(target.color));
    let mut lines = match pad {
        Some(pad @ 1..) => vec![Line::from(vec![
            Span::styled(name, named),
            " ".repeat(pad).into(),
            id.into(),
        ])],
        _ => vec![
            Line::styled(truncate(&name, room.into(), theme.glyphs.ellipsis), named),
            id.into(),
        ],
    };
    if target.guard > Guard::None {
        let banner = format!("{GUARD} guarded target");
        lines.push(Line::styled(banner, theme.danger()));
    }
    lines
}

fn code(model: &Model, code_box: &CodeBox, room: u16) -> Popup {
    let theme = model.setup.theme;
    let wanted = &code_box.wanted;
    let mut lines = heading(model, code_box.errand.target.target(), room);
    let device = code_box.device().map_or("", |device| &device.label);
    let devices = match wanted.devices.len() {
        0 | 1 => String::new(),
        many => format!(" ({} of {many}, Tab changes)", code_box.device + 1),
    };
    let ask = format!("code of {} from {device}{devices}", wanted.user);
    text(&mut lines, &ask, room, Style::new());
    let opens = match wanted.flow {
        Flow::Shared => "opens every account",
        Flow::Direct => "opens this role alone",
    };
    let flow = format!(
        "{}: {opens} for {}, until {} UTC",
        wanted.flow.name(),
        left(wanted.until, model.now),
        wanted.until.strftime("%b %e %H:%M"),
    );
    text(&mut lines, &flow, room, Style::new());
    for detour in &model.setup.detours {
        text(
            &mut lines,
            &format!("{GUARD} {detour}"),
            room,
            theme.warning(),
        );
    }
    lines.push(Line::default());
    let left_of_cells = room.saturating_sub(CELLS[5] + 1) / 2;
    let at = u16::try_from(lines.len()).unwrap_or(u16::MAX);
    let typed = code_box.digits.shown();
    let next = CELLS[typed.len().min(5)];
    lines.push(cells(model, typed, left_of_cells));
    lines.push(Line::default());
    let mut step = format!("the device shows a new code in {} s", step_left(model.now));
    if let Some(shown) = &code_box.shown {
        step = format!("demo: it shows {} for {} s", shown.0, step_left(model.now));
    }
    text(&mut lines, &step, room, Style::new());
    if let Some(hint) = code_box.hint {
        text(&mut lines, hint, room, theme.warning());
    } else if let Some(complaint) = &wanted.complaint {
        text(&mut lines, &complaint.what, room, theme.danger());
        for why in &complaint.why {
            text(
                &mut lines,
                &format!("{} {why}", theme.glyphs.dot),
                room,
                Style::new(),
            );
        }
        let next_code = complaint
            .next_code_at
            .map(|then| seconds_left(then, model.now));
        match next_code {
            Some(seconds @ 1..) => {
                text(
                    &mut lines,
                    &format!("next code in {seconds} s"),
                    room,
                    theme.warning(),
                );
            }
            Some(_) => text(&mut lines, "there is a new code now", room, theme.live()),
            None => {}
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
    field: &super::field::Field,
    wrong: bool,
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
    if wrong {
        let says = format!("that was not {}", target.account);
        text(&mut lines, &says, room, theme.danger());
    }
    Popup {
        title: "guarded",
        style: theme.danger(),
        lines,
        cursor: Some((at, 2 + u16::try_from(column).unwrap_or(0))),
    }
}

fn waiting(
    model: &Model,
    target: &Target,
    purpose: Purpose,
    since: jiff::Timestamp,
    room: u16,
) -> Popup {
    let mut lines = heading(model, target, room);
    let doing = match purpose {
        Purpose::Enter(_) => "asking for a session",
        Purpose::Renew => "asking for a fresh session",
    };
    let says = format!("{doing}, {}; Esc cancels", elapsed(model, since));
    text(&mut lines, &says, room, Style::new());
    Popup {
        title: "wait",
        style: model.setup.theme.accent(),
        lines,
        cursor: None,
    }
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
            text(
                lines,
                &format!("{} {one}", theme.glyphs.dot),
                room,
                Style::new(),
            );
        }
    };
    part(&mut lines, "why", &fault.why);
    part(&mut lines, "what to do", &fault.fix);
    lines.push(Line::default());
    text(
        &mut lines,
        "Enter or Esc goes back to the list",
        room,
        theme.faint(),
    );
    Popup {
        title: "it did not work",
        style: theme.danger(),
        lines,
        cursor: None,
    }
}

fn help(model: &Model, top: u16, room: u16) -> Popup {
    let theme = model.setup.theme;
    let rows = TABLE.iter().map(|binding| {
        let keys = model
            .setup
            .keymap
            .keys(binding.action)
            .map(|key| key.to_string());
        let keys = keys.collect::<Vec<_>>().join(" ");
        (format!("{keys:<14} "), binding.help)
    });
    let filters = [(
        "tag:WORD",
        "only accounts with such a tag; also role: and region:",
    )];
    let filters = filters.map(|(word, says)| (format!("{word:<14} "), says));
    let lines = rows
        .chain(filters)
        .skip(top.into())
        .map(|(keys, says)| {
            let says = truncate(
                says,
                usize::from(room).saturating_sub(15),
                theme.glyphs.ellipsis,
            );
            Line::from(vec![Span::styled(keys, theme.key()), says.into()])
        })
        .collect();
    Popup {
        title: "keys",
        style: theme.accent(),
        lines,
        cursor: None,
    }
}

/// The code box where there is room for one line only.
fn draw_code_line(frame: &mut Frame<'_>, model: &Model, code_box: &CodeBox) {
    let area = frame.area();
    let line = Rect {
        height: 1.min(area.height),
        ..area
    };
    let typed = code_box.digits.shown();
    let blank = model.setup.theme.glyphs.blank_digit;
    let blanks = blank.repeat(6_usize.saturating_sub(typed.len()));
    let target = code_box.errand.target.target();
    let told = code_box
        .wanted
        .complaint
        .as_ref()
        .map_or("", |complaint| complaint.what.as_str());
    let text = format!("code {typed}{blanks} {target} {}", sanitize(told));
    frame.render_widget(Clear, line);
    frame.render_widget(Line::styled(text, model.setup.theme.selected()), line);
    let column = u16::try_from(5 + typed.len()).unwrap_or(0);
    frame.set_cursor_position(Position::new(
        area.x + column.min(area.width.saturating_sub(1)),
        area.y,
    ));
}

/// What stands in a window that is too small for the list; the keys work all the same.
pub fn draw_tiny(frame: &mut Frame<'_>, model: &Model) {
    let area = frame.area();
    if let Mode::Code(code_box) = &model.mode {
        return draw_code_line(frame, model, code_box);
    }
    let (width, height) = SMALLEST;
    let says = match &model.mode {
        Mode::Confirm { target, field, .. } => {
            format!("type {}: {}", target.account, field.text())
        }
        Mode::Waiting { since, .. } => format!("waiting {}", elapsed(model, *since)),
        Mode::Fault(fault) => sanitize(&fault.what),
        Mode::Loading { .. } | Mode::Browse | Mode::Help { .. } => {
            format!("window too small, {width}x{height} at least")
        }
        Mode::Code(_) => String::new(),
    };
    let lines = wrap(&says, area.width.into());
    for (text, row) in lines.into_iter().zip(area.rows()) {
        frame.render_widget(Line::raw(text), row);
    }
}
