//! The switcher in windows too small for a popup, or even for the list.

use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::text::Line;
use ratatui::widgets::Clear;

use super::field::{Field, Hidden};
use super::fit::{truncate, width, wrap};
use super::layout::SMALLEST;
use super::model::{CodeBox, Mode, Model, RunBox};
use super::theme::GUARD;
use super::time_left::elapsed;
use crate::domain::account::Target;
use crate::domain::fault::Fault;
use crate::domain::text::sanitize;

/// A popup's field on one line, where the popup does not fit.
pub(super) struct OneLineField {
    before: String,
    typed: String,
    cursor: usize,
    after: String,
}

impl OneLineField {
    /// For the code: `code 123___ account/role`.
    pub(super) fn of_code(model: &Model, code_box: &CodeBox) -> Self {
        let typed = code_box.digits.shown();
        let blanks = 6_usize.saturating_sub(typed.len());
        let rejection = code_box.wanted.rejection.as_ref();
        let message = rejection.map_or("", |rejection| &rejection.what);
        Self {
            before: "code ".to_owned(),
            cursor: typed.len(),
            typed: format!("{typed}{}", model.setup.theme.glyphs.blank_digit.repeat(blanks)),
            after: format!(" {} {message}", code_box.switch.target.target()),
        }
    }

    /// For the passphrase, as dots.
    pub(super) fn of_passphrase(
        model: &Model,
        typed: &Hidden,
        refused: Option<&Fault>,
        window: u16,
    ) -> Self {
        let before = "passphrase ".to_owned();
        let room = usize::from(window).saturating_sub(width(&before) + 1);
        let dots = dots(model, typed, room);
        let message = refused.map_or("", |fault| &fault.what);
        Self { cursor: width(&dots), typed: dots, after: format!(" {message}"), before }
    }

    /// For a guarded target's name.
    pub(super) fn of_confirm(target: &Target, field: &Field, window: u16) -> Self {
        let before = format!("{GUARD} type {}: ", target.account);
        // In the smallest window what is typed matters more than what to type.
        let before = truncate(&before, usize::from(window) / 2, "");
        let (typed, cursor) = field.shown(usize::from(window).saturating_sub(width(&before)));
        Self { typed: typed.to_owned(), cursor, before, after: String::new() }
    }

    /// For a command line.
    pub(super) fn of_run(run: &RunBox, window: u16) -> Self {
        let verb = if window < 30 { "" } else { "run in " };
        let before = match &run.name {
            Some(_) => format!("{GUARD} name: "),
            None => format!("{verb}{}: ", run.targets.len()),
        };
        let (typed, cursor) = run.field().shown(usize::from(window).saturating_sub(width(&before)));
        let after = run.hint.map_or(String::new(), |hint| format!(" {hint}"));
        Self { typed: typed.to_owned(), cursor, before, after }
    }

    /// Draws it over the first line.
    pub(super) fn draw(self, frame: &mut Frame<'_>, model: &Model) {
        let area = frame.area();
        let line = Rect { height: 1.min(area.height), ..area };
        let column = u16::try_from(width(&self.before) + self.cursor).unwrap_or(u16::MAX);
        let text = format!("{}{}{}", self.before, self.typed, sanitize(&self.after));
        frame.render_widget(Clear, line);
        frame.render_widget(Line::styled(text, model.setup.theme.selected()), line);
        let column = column.min(area.width.saturating_sub(1));
        frame.set_cursor_position(Position::new(area.x + column, area.y));
    }
}

/// A dot for each character of a hidden text, at most `room` of them.
pub(super) fn dots(model: &Model, typed: &Hidden, room: usize) -> String {
    model.setup.theme.glyphs.hidden.repeat(typed.len().min(room))
}

/// What a window that is too small says, in as many words as it has room for.
pub(super) fn too_small(area: Rect) -> String {
    let (width, height) = SMALLEST;
    let message = format!("window too small, {width}x{height} at least");
    if wrap(&message, area.width.into()).len() <= area.height.into() {
        message
    } else {
        format!("needs {width}x{height}")
    }
}

/// Draws a window that is too small for the list; the keys still work.
pub(super) fn draw_tiny(frame: &mut Frame<'_>, model: &Model) {
    let area = frame.area();
    let message = match &model.mode {
        Mode::Code(code_box) => return OneLineField::of_code(model, code_box).draw(frame, model),
        Mode::Passphrase { typed, refused, .. } => {
            let compact = OneLineField::of_passphrase(model, typed, refused.as_ref(), area.width);
            return compact.draw(frame, model);
        }
        Mode::Confirm { target, field, .. } => {
            return OneLineField::of_confirm(target, field, area.width).draw(frame, model);
        }
        Mode::Run(run) => return OneLineField::of_run(run, area.width).draw(frame, model),
        Mode::Waiting { since, .. } => format!("waiting {}", elapsed(*since, model.now)),
        Mode::Fault { fault, .. } | Mode::SignIn { fault, .. } => sanitize(&fault.what),
        Mode::Loading { .. } | Mode::Browse | Mode::Help { .. } => too_small(area),
    };
    let lines = wrap(&message, area.width.into());
    for (text, row) in lines.into_iter().zip(area.rows()) {
        frame.render_widget(Line::raw(text), row);
    }
}
