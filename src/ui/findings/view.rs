//! Draws the findings: the list like the switcher's, the details and the help over it.

use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::super::compact::too_small;
use super::super::fit::{truncate, width, wrap};
use super::super::help::key_line;
use super::super::layout::SMALLEST;
use super::super::list::cell;
use super::super::popup::{Popup, help, point, room, text};
use super::super::theme::{GUARD, Theme};
use super::{FILTERS, Findings, KEYS, Mode, Row};
use crate::domain::keymap::{Action, KeyCode};
use crate::domain::text::{count, sanitize};
use crate::domain::verdict::{Evidence, Verdict};

/// The longest word of a verdict.
const VERDICT: usize = 10;

/// Draws the whole screen.
pub fn draw(frame: &mut Frame<'_>, findings: &Findings<'_>) {
    let area = frame.area();
    if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
        let message = too_small(area);
        for (text, row) in wrap(&message, area.width.into()).into_iter().zip(area.rows()) {
            frame.render_widget(Line::raw(text), row);
        }
        return;
    }
    let [header, warnings, filter, titles, list, rule, summary, footer] =
        findings.heights().areas(area);
    let theme = findings.theme;
    frame.render_widget(head(findings, area.width), header);
    for (warning, line) in findings.warnings.iter().zip(warnings.rows()) {
        let warning = format!(" {GUARD} {}", shown(theme, warning));
        let warning = truncate(&warning, line.width.into(), theme.glyphs.ellipsis);
        frame.render_widget(Line::styled(warning, theme.warning()), line);
    }
    draw_filter(frame, findings, filter);
    let columns = Columns::of(area.width, findings.widest);
    let title = row(theme, columns, ["VERDICT", "ACCOUNT", "ROLE", "GUARDRAIL", "WHY"], None);
    frame.render_widget(title.style(theme.faint()), titles);
    draw_list(frame, findings, columns, list);
    let line = theme.glyphs.rule.repeat(usize::from(area.width).saturating_sub(2));
    frame.render_widget(Line::styled(format!(" {line}"), theme.faint()), rule);
    draw_summary(frame, findings, summary);
    frame.render_widget(foot(findings, area.width), footer);
    match findings.mode {
        Mode::List => {}
        Mode::Details { top } => {
            if let Some(popup) = details(findings) {
                popup.page(top, area.height).draw(frame, theme);
            }
        }
        Mode::Help { top } => {
            let keys =
                KEYS.iter().map(|(action, _, does)| key_line(&findings.keymap, *action, does));
            let words = FILTERS.iter().map(|(word, does)| ((*word).to_owned(), *does));
            help(theme, "keys", keys.chain(words).collect(), area)
                .page(top.into(), area.height)
                .draw(frame, theme);
        }
    }
}

/// Who was verified, and how many findings have which verdict.
fn head(findings: &Findings<'_>, window: u16) -> Line<'static> {
    let theme = findings.theme;
    let order =
        [Verdict::Open, Verdict::NotProved, Verdict::Masked, Verdict::Unconfirmed, Verdict::Proved];
    let counts = order.into_iter().map(|verdict| (findings.count(verdict), verdict));
    let mut spans = Vec::new();
    for (many, verdict) in counts.filter(|(many, _)| *many > 0) {
        let text = format!("{many} {}   ", verdict.word());
        spans.push(Span::styled(text, style(theme, verdict)));
    }
    let taken: usize = spans.iter().map(|span| width(&span.content)).sum();
    let room = usize::from(window).saturating_sub(taken + 1);
    let mut head = Vec::new();
    let mut used = 0;
    let parts = findings.head.iter().map(|part| (shown(theme, part), Style::new()));
    for (part, style) in parts.chain([("sekisho verify".to_owned(), theme.selected())]) {
        if used + width(&part) + 3 > room {
            break;
        }
        used += width(&part) + 3;
        head.push(Span::styled(format!("{part}   "), style));
    }
    // The counts end with three spaces, of which the window needs one.
    let gap = " ".repeat((room + 2).saturating_sub(used).max(1));
    Line::from([vec![Span::raw(" ")], head, vec![Span::raw(gap)], spans].concat())
}

fn draw_filter(frame: &mut Frame<'_>, findings: &Findings<'_>, area: Rect) {
    let theme = findings.theme;
    let count = format!("{} / {} ", findings.hits.len(), findings.rows.len());
    let prompt = format!(" {} ", theme.glyphs.prompt);
    let room = usize::from(area.width).saturating_sub(width(&prompt) + width(&count) + 1);
    let (text, cursor) = findings.filter.shown(room);
    let pad = " ".repeat(room.saturating_sub(width(text)) + 1);
    let line = vec![
        Span::styled(prompt.clone(), theme.accent()),
        Span::raw(text.to_owned()),
        Span::raw(pad),
        Span::styled(count, theme.faint()),
    ];
    frame.render_widget(Line::from(line), area);
    if matches!(findings.mode, Mode::List) {
        let column = u16::try_from(width(&prompt) + cursor).unwrap_or(0);
        let column = column.min(area.width.saturating_sub(1));
        frame.set_cursor_position(Position::new(area.x + column, area.y));
    }
}

/// The widths of account, role, guardrail and the rest; 0 where a column is folded away.
#[derive(Clone, Copy)]
struct Columns([u16; 5]);

impl Columns {
    /// What says least about the row folds away first: the role, then the guardrail.
    fn of(window: u16, widest: [usize; 3]) -> Self {
        const MOST: [usize; 3] = [24, 20, 12];
        const WHY: usize = 20;
        let room = usize::from(window).saturating_sub(4 + VERDICT);
        let mut columns = [0, 1, 2].map(|at| widest[at].clamp(4, MOST[at]));
        let taken = |columns: &[usize; 3]| {
            columns.iter().filter(|column| **column > 0).map(|column| column + 2).sum::<usize>()
        };
        for at in [1, 2] {
            if taken(&columns) + WHY > room {
                columns[at] = 0;
            }
        }
        columns[0] = columns[0].min(room.saturating_sub(2));
        let why = room.saturating_sub(taken(&columns) + 2);
        let column = |width: usize| u16::try_from(width).unwrap_or(0);
        Self([VERDICT, columns[0], columns[1], columns[2], why].map(column))
    }
}

/// The cells that have any width.
fn row(
    theme: Theme,
    columns: Columns,
    texts: [&str; 5],
    styled: Option<(Verdict, bool)>,
) -> Line<'static> {
    let selected = styled.is_some_and(|(_, selected)| selected);
    let base = if selected { theme.selected() } else { Style::new() };
    let margin = if selected {
        Span::styled(format!(" {} ", theme.glyphs.cursor), theme.accent())
    } else {
        "   ".into()
    };
    let mut spans = vec![margin];
    for (at, (text, width)) in texts.into_iter().zip(columns.0).enumerate() {
        if width == 0 {
            continue;
        }
        if spans.len() > 1 {
            spans.push("  ".into());
        }
        let own = match styled {
            Some((verdict, _)) if at == 0 => base.patch(style(theme, verdict)),
            _ => base,
        };
        spans.extend(cell(&shown(theme, text), &[], width, own, own, theme.glyphs.ellipsis));
    }
    Line::from(spans)
}

/// Text for this screen: where it is ASCII, without the signs that sekisho's own sentences have.
fn shown(theme: Theme, text: &str) -> String {
    let text = sanitize(text);
    if theme.glyphs.ellipsis == "~" {
        return text.replace('…', "~").replace('→', "->").replace('×', "x");
    }
    text
}

/// The colour of a verdict; its word says the same.
fn style(theme: Theme, verdict: Verdict) -> Style {
    match verdict {
        Verdict::Open => theme.danger(),
        Verdict::NotProved => theme.warning(),
        Verdict::Masked => Style::new(),
        Verdict::Unconfirmed | Verdict::Proved => theme.live(),
    }
}

fn draw_list(frame: &mut Frame<'_>, findings: &Findings<'_>, columns: Columns, area: Rect) {
    let theme = findings.theme;
    if findings.hits.is_empty() {
        let text = truncate(
            "   no matches; Esc clears the filter",
            area.width.into(),
            theme.glyphs.ellipsis,
        );
        return frame.render_widget(Line::raw(text), area);
    }
    let shown = findings.hits.iter().enumerate().skip(findings.top);
    for ((at, hit), line) in shown.zip(area.rows()) {
        let Row { account, role, finding, .. } = &findings.rows[*hit];
        let (word, name) = (finding.verdict.word(), finding.guardrail.name());
        let texts = [word, account, role, name, &finding.because];
        let styled = Some((finding.verdict, at == findings.cursor));
        frame.render_widget(row(theme, columns, texts, styled), line);
    }
}

/// The row under the cursor: why, what to do, how much there is to see.
fn draw_summary(frame: &mut Frame<'_>, findings: &Findings<'_>, area: Rect) {
    let Some(row) = findings.selected() else { return };
    let theme = findings.theme;
    let finding = &row.finding;
    let remedy = finding.remedy.as_ref().map_or_else(String::new, |remedy| format!("→ {remedy}"));
    let seen = match finding.evidence.len() {
        0 => "nothing more to show".to_owned(),
        many => count(many, "observation"),
    };
    let about = row
        .about
        .last()
        .map_or_else(|| seen.clone(), |about| format!("{about} {} {seen}", theme.glyphs.dot));
    for (text, line) in [&finding.because, &remedy, &about].into_iter().zip(area.rows()) {
        let text = format!("   {}", shown(theme, text));
        let room = usize::from(line.width).saturating_sub(1);
        frame.render_widget(Line::raw(truncate(&text, room, theme.glyphs.ellipsis)), line);
    }
}

fn foot(findings: &Findings<'_>, window: u16) -> Line<'static> {
    let theme = findings.theme;
    if let Some(notice) = &findings.notice {
        let text = truncate(&format!(" {notice}"), window.into(), theme.glyphs.ellipsis);
        return Line::styled(text, theme.accent());
    }
    let mut spans: Vec<Span<'static>> = vec![" ".into()];
    for (action, label, _) in KEYS {
        let label = match (action, &findings.mode) {
            (Action::Back, Mode::Details { .. } | Mode::Help { .. }) => Some("back"),
            (Action::Back, Mode::List) if !findings.filter.text().is_empty() => Some("clear"),
            (Action::Shell, Mode::Details { .. })
            | (Action::Shell | Action::Copy, Mode::Help { .. }) => None,
            _ => label,
        };
        let key = findings.keymap.keys(action).next();
        let (Some(label), Some(key)) = (label, key) else { continue };
        let key = match key.code {
            KeyCode::Enter if !key.ctrl && !key.alt => theme.glyphs.enter.to_owned(),
            _ => key.to_string(),
        };
        spans.push(Span::styled(key, theme.key()));
        spans.push(format!(" {label}   ").into());
    }
    Line::from(spans)
}

/// The whole finding under the cursor.
pub(super) fn details(findings: &Findings<'_>) -> Option<Popup> {
    let row = findings.selected()?;
    let (theme, finding) = (findings.theme, &row.finding);
    let area = Rect::new(0, 0, findings.size.0, findings.size.1);
    let room = room(area);
    let style = style(theme, finding.verdict);
    let mut lines = Vec::new();
    let heading = if row.role.is_empty() {
        row.account.to_owned()
    } else {
        format!("{}/{}", row.account, row.role)
    };
    text(&mut lines, &heading, room, theme.selected());
    for about in &row.about {
        text(&mut lines, about, room, Style::new());
    }
    lines.push(Line::default());
    let verdict = format!("{}: {}", finding.guardrail.name(), finding.verdict.word());
    text(&mut lines, &verdict, room, style);
    text(&mut lines, &shown(theme, &finding.because), room, Style::new());
    let part = |lines: &mut Vec<Line<'static>>, title: &str, texts: Vec<String>| {
        if !texts.is_empty() {
            lines.push(Line::default());
            lines.push(Line::styled(title.to_owned(), theme.key()));
        }
        for one in texts {
            point(lines, &shown(theme, &one), room, theme);
        }
    };
    part(&mut lines, "what was seen", finding.evidence.iter().map(Evidence::to_string).collect());
    part(&mut lines, "what to do", finding.remedy.iter().cloned().collect());
    Some(Popup::new(finding.verdict.word(), style, lines))
}
