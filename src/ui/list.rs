//! The rows of the list and the titles of their columns.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use unicode_segmentation::UnicodeSegmentation;

use super::fit::{truncate, width, wrap};
use super::layout::{Columns, MARGIN, more_text, role_text};
use super::model::{Mode, Model, Offer};
use super::theme::GUARD;
use super::time_left::{Life, elapsed, left};
use crate::domain::account::TargetRef;
use crate::domain::guard::Guard;
use crate::domain::keymap::Action;
use crate::domain::text::sanitize;

pub(super) fn title_line(model: &Model, columns: Columns) -> Line<'static> {
    let cell = |title: &str, width: u16| cell(title, &[], width, Style::new(), Style::new(), "");
    let session = if columns.session > 1 { "SESSION" } else { "" };
    let catalog = model.search.catalog();
    let noted = model.visible().any(|row| catalog.row(row).0.note.is_some());
    let cells = [
        cell("ACCOUNT", columns.name),
        cell("ID", columns.id),
        cell("ROLE", columns.role),
        cell("REGION", columns.region),
        cell(session, columns.session),
        cell(if noted { "TAGS; NOTE" } else { "TAGS" }, columns.more),
    ];
    joined("    ".into(), cells, columns.gap).style(model.setup.theme.faint())
}

/// The cells that have any width, with gaps between them.
fn joined(margin: Span<'static>, cells: [Vec<Span<'static>>; 6], gap: u16) -> Line<'static> {
    let mut spans = vec![margin];
    for cell in cells.into_iter().filter(|cell| !cell.is_empty()) {
        if spans.len() > 1 {
            spans.push(" ".repeat(gap.into()).into());
        }
        spans.extend(cell);
    }
    Line::from(spans)
}

/// A text cut or padded to its column, the matched letters in their own style.
pub(super) fn cell(
    text: &str,
    highlight: &[usize],
    column: u16,
    style: Style,
    highlight_style: Style,
    ellipsis: &str,
) -> Vec<Span<'static>> {
    let column = usize::from(column);
    if column == 0 {
        return Vec::new();
    }
    let shown = truncate(text, column, ellipsis);
    let mut spans: Vec<Span<'static>> = Vec::new();
    for (at, grapheme) in shown.grapheme_indices(true) {
        let style = if highlight.contains(&at) && text[at..].starts_with(grapheme) {
            style.patch(highlight_style)
        } else {
            style
        };
        match spans.last_mut() {
            Some(span) if span.style == style => span.content.to_mut().push_str(grapheme),
            _ => spans.push(Span::styled(grapheme.to_owned(), style)),
        }
    }
    spans.push(" ".repeat(column.saturating_sub(width(&shown))).into());
    spans
}

/// Draws the rows, or says why there are none.
pub(super) fn draw_list(frame: &mut Frame<'_>, model: &Model, columns: Columns, area: Rect) {
    if model.search.is_empty() {
        let text = match (&model.mode, model.search.total()) {
            (Mode::Loading { since, .. }, _) => {
                format!("reading the accounts, {}", elapsed(*since, model.now))
            }
            (_, 0) => "no accounts yet; to add some: sekisho import".to_owned(),
            _ => match &model.offer {
                Offer::Made(Some(meant)) => {
                    let key = model.setup.keymap.keys(Action::Mark).next();
                    let takes = key.map_or(String::new(), |key| format!(" {key} takes it"));
                    format!("no matches; did you mean {}?{takes}", sanitize(meant))
                }
                Offer::Made(None) | Offer::Pending => {
                    "no matches; Esc clears the filter".to_owned()
                }
            },
        };
        let room = area.width.saturating_sub(MARGIN);
        for (text, line) in wrap(&text, room.into()).into_iter().zip(area.rows()) {
            let line = Rect { x: line.x + MARGIN, width: room, ..line };
            frame.render_widget(Line::raw(text), line);
        }
        return;
    }
    let mut above = None;
    for ((at, row), line) in (model.top..).zip(model.visible()).zip(area.rows()) {
        let selected = model.cursor == Some(at);
        let repeats = above.replace(row.account) == Some(row.account);
        if selected {
            // From the guard's column on, to the end: the mark stays beside it.
            let ground = Rect { x: line.x + 2, width: line.width.saturating_sub(2), ..line };
            frame.buffer_mut().set_style(ground, model.setup.theme.painted());
        }
        frame.render_widget(row_line(model, columns, row, selected, repeats), line);
    }
}

/// A row; where it repeats the account above it, only its role stands out.
fn row_line(
    model: &Model,
    columns: Columns,
    row: TargetRef,
    selected: bool,
    repeats: bool,
) -> Line<'static> {
    let (theme, glyphs) = (model.setup.theme, model.setup.theme.glyphs);
    let catalog = model.search.catalog();
    let (account, role) = catalog.row(row);
    let highlight = model.search.highlight(row);
    let base = if selected { theme.painted() } else { Style::new() };
    let of_account = if repeats && !selected { theme.faint() } else { base };
    // On its ground the row under the cursor has no other colours: they would be blocks there.
    let coloured = |style: Style, color: Style| if selected { style } else { style.patch(color) };
    let lit = coloured(Style::new().add_modifier(Modifier::UNDERLINED), theme.highlight());
    let text = |text: &str, highlight: &[usize], column, style: Style| {
        cell(text, highlight, column, style, lit, glyphs.ellipsis)
    };
    // `2222-2222-2222`: a dash after the fourth and the eighth digit.
    let id_highlight: Vec<usize> = highlight.id.iter().map(|digit| digit + digit / 4).collect();
    let (session, session_style) = match model.live(row) {
        None => (glyphs.none.to_owned(), base),
        Some(live) => {
            let (glyph, style) = match Life::of(live.expires, model.now) {
                Life::Live => (glyphs.live, theme.live()),
                Life::Ending | Life::Expired => (glyphs.ending, theme.warning()),
            };
            let time = left(live.expires, model.now);
            (format!("{glyph} {time}"), coloured(base, style))
        }
    };
    let session = match columns.session {
        1 => session.graphemes(true).next().unwrap_or_default().to_owned(),
        _ => session,
    };
    let region = catalog.region(row).map_or("", |region| region.as_str());
    let more = match (columns.more, repeats) {
        (0, _) | (_, true) => String::new(),
        _ => more_text(account),
    };
    let cells = [
        text(
            account.name.as_str(),
            &highlight.name,
            columns.name,
            coloured(of_account, theme.account(account.color)),
        ),
        text(&account.id.dashed(), &id_highlight, columns.id, of_account),
        text(&role_text(role.name.as_str(), model.scope(row)), &highlight.role, columns.role, base),
        text(region, &highlight.region, columns.region, base),
        text(&session, &[], columns.session, session_style),
        text(&sanitize(&more), &[], columns.more, if selected { base } else { theme.faint() }),
    ];
    let starred = model.history.is_starred(&catalog.role_arn(row));
    // What a command will run in matters more than where one is, and that more than what one likes.
    let (mark, mark_style) = if model.marked.contains(&row) {
        (glyphs.marked, theme.accent())
    } else if model.setup.here == Some(row) {
        (glyphs.here, theme.live())
    } else if starred {
        (glyphs.star, theme.warning())
    } else {
        (" ", Style::new())
    };
    let (guard, guard_style) = match model.guard(row) {
        Guard::None => (" ", base),
        Guard::Warn | Guard::Confirm => (GUARD, base.patch(theme.danger())),
    };
    let mut line = joined(Span::styled(format!("{guard} "), guard_style), cells, columns.gap);
    if selected {
        // The gaps between the cells, too.
        for span in &mut line.spans {
            span.style = base.patch(span.style);
        }
    }
    let cursor = if selected { glyphs.cursor } else { " " };
    line.spans.insert(0, Span::styled(cursor, theme.accent()));
    line.spans.insert(0, Span::styled(mark, mark_style));
    line
}
