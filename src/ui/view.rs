//! The whole screen: a function from the model to a frame.

use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::fit::{truncate, width};
use super::layout::{Columns, SMALLEST};
use super::list::{draw_list, title_line};
use super::model::{Mode, Model};
use super::theme::GUARD;
use super::time_left::{Life, ago, left};
use super::{compact, popup};
use crate::domain::duration::show_duration;
use crate::domain::guard::Guard;
use crate::domain::ids::Name;
use crate::domain::keymap::{Action, KeyCode, TABLE};
use crate::domain::pass::SignedInBy;
use crate::domain::text::sanitize;

/// In a narrower window the number of marked rows stands behind their glyph.
const NARROW: u16 = 40;

/// Draws the whole screen.
pub fn draw(frame: &mut Frame<'_>, model: &Model) {
    let area = frame.area();
    if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
        return compact::draw_tiny(frame, model);
    }
    let [header, warnings, filter, titles, list, rule, details, footer] =
        model.heights().areas(area);
    frame.render_widget(header_line(model, area.width), header);
    draw_warnings(frame, model, warnings);
    draw_filter(frame, model, filter);
    let columns = Columns::of(area.width, model.widest);
    frame.render_widget(title_line(model, columns), titles);
    draw_list(frame, model, columns, list);
    frame.render_widget(rule_line(model, area.width), rule);
    draw_details(frame, model, details);
    frame.render_widget(footer_line(model, area.width), footer);
    popup::draw(frame, model);
}

fn header_line(model: &Model, window: u16) -> Line<'static> {
    let (setup, theme, glyphs) = (&model.setup, model.setup.theme, model.setup.theme.glyphs);
    let user = model.status.user.as_ref();
    let account = setup.auth_account.map(|account| account.dashed());
    let who = match (user, account) {
        (Some(user), Some(account)) => format!("{user} @ {account}"),
        (_, account) => account.unwrap_or_default(),
    };
    let auth = model.status.auth.as_ref().filter(|auth| auth.expires > model.now);
    let (mfa, style, device) = match auth {
        Some(auth) => {
            let (glyph, style) = match Life::of(auth.expires, model.now) {
                Life::Live => (glyphs.live, theme.live()),
                Life::Ending | Life::Expired => (glyphs.ending, theme.warning()),
            };
            let left = left(auth.expires, model.now);
            match auth.by {
                SignedInBy::Code => {
                    let device = format!(" ({})", sanitize(&auth.device));
                    (format!("MFA {glyph} {left}"), style, device)
                }
                SignedInBy::Console => {
                    (format!("console {glyph} {left}"), style, " (at most)".to_owned())
                }
            }
        }
        None => (format!("MFA {}", glyphs.none), Style::new(), String::new()),
    };
    let store = model.status.store.unwrap_or_default();
    let nested = match (setup.here, setup.depth) {
        (Some(row), _) => format!("in {}   ", sanitize(&model.target(row).name())),
        (None, 0) => String::new(),
        (None, depth) => format!("nested {depth}   "),
    };
    // The least important first: in a narrow window each is dropped before the next one.
    let mut parts = [
        (store.to_owned(), true),
        ("sekisho   ".to_owned(), true),
        (device, true),
        (nested, true),
        (format!("{who}   "), true),
    ];
    let shown = |parts: &[(String, bool); 5], i: usize| match &parts[i] {
        (text, true) => text.clone(),
        _ => String::new(),
    };
    let taken = |parts: &[(String, bool); 5]| -> usize {
        2 + width(&mfa) + (0..5).map(|i| width(&shown(parts, i))).sum::<usize>() + 3
    };
    for i in 0..5 {
        if taken(&parts) > usize::from(window) {
            parts[i].1 = false;
        }
    }
    let gap = usize::from(window).saturating_sub(taken(&parts)) + 3;
    Line::from(vec![
        Span::raw(" "),
        Span::styled(shown(&parts, 1), theme.selected()),
        Span::raw(shown(&parts, 4)),
        Span::styled(mfa.clone(), style),
        Span::raw(shown(&parts, 2)),
        Span::raw(" ".repeat(gap)),
        Span::raw(shown(&parts, 3)),
        Span::raw(shown(&parts, 0)),
    ])
}

fn draw_warnings(frame: &mut Frame<'_>, model: &Model, area: Rect) {
    let theme = model.setup.theme;
    let all: Vec<&str> = model.lines_to_warn().collect();
    let room = usize::from(area.height);
    for (i, line) in area.rows().enumerate() {
        let more = all.len() - i;
        let text = if i + 1 == room && more > 1 {
            format!("and {more} more: sekisho config check")
        } else {
            sanitize(all[i])
        };
        let text = truncate(&format!(" {GUARD} {text}"), line.width.into(), theme.glyphs.ellipsis);
        frame.render_widget(Line::styled(text, theme.warning()), line);
    }
}

fn draw_filter(frame: &mut Frame<'_>, model: &Model, area: Rect) {
    let theme = model.setup.theme;
    let marked = match model.marked.len() {
        0 => String::new(),
        many if area.width < NARROW => format!("{}{many}  ", theme.glyphs.marked),
        many => format!("{many} marked   "),
    };
    let count = format!("{} / {} ", model.search.len(), model.search.total());
    let prompt = format!(" {} ", theme.glyphs.prompt);
    let room =
        usize::from(area.width).saturating_sub(width(&prompt) + width(&marked) + width(&count) + 1);
    let (text, cursor) = model.filter.shown(room);
    let column = width(&prompt) + cursor;
    let pad = room.saturating_sub(width(text)) + 1;
    frame.render_widget(
        Line::from(vec![
            Span::styled(prompt, theme.accent()),
            Span::raw(text.to_owned()),
            Span::raw(" ".repeat(pad)),
            Span::styled(marked, theme.accent()),
            Span::styled(count, theme.faint()),
        ]),
        area,
    );
    if matches!(model.mode, Mode::Browse | Mode::Loading { .. }) {
        let column = u16::try_from(column).unwrap_or(0).min(area.width.saturating_sub(1));
        frame.set_cursor_position(Position::new(area.x + column, area.y));
    }
}

/// The rule above the details; for a guarded row it is a banner.
fn rule_line(model: &Model, window: u16) -> Line<'static> {
    let theme = model.setup.theme;
    let rule = theme.glyphs.rule;
    let guard = model.selected().map(|row| (model.guard(row), row));
    let notice = match guard {
        Some((Guard::Warn, _)) => "guarded: check the account first",
        Some((Guard::Confirm, row)) if model.search.catalog().row(row).1.change.is_some() => {
            "changed: entering asks for its name"
        }
        Some((Guard::Confirm, _)) => "guarded: entering asks for its name",
        _ => {
            return Line::styled(
                format!(" {}", rule.repeat(usize::from(window).saturating_sub(2))),
                theme.faint(),
            );
        }
    };
    let name = guard.map_or(String::new(), |(_, row)| {
        // The role is named where it alone is guarded.
        let (account, role) = model.search.catalog().row(row);
        let of_role = role.guard > account.guard;
        if of_role { model.target(row).name() } else { account.name.to_string() }
    });
    let text = format!(" {rule}{rule} {GUARD} {name} is {notice} ");
    let text = truncate(&text, usize::from(window).saturating_sub(1), theme.glyphs.ellipsis);
    let rest = usize::from(window).saturating_sub(width(&text) + 1);
    Line::styled(format!("{text}{}", rule.repeat(rest)), theme.danger())
}

fn draw_details(frame: &mut Frame<'_>, model: &Model, area: Rect) {
    let Some(row) = model.selected() else {
        return;
    };
    let glyphs = model.setup.theme.glyphs;
    let (account, _) = model.search.catalog().row(row);
    let target = model.status.as_entered(model.target(row));
    let dot = format!(" {} ", glyphs.dot);
    let mut facts = vec![
        target.role.to_string(),
        format!("{}, {}", target.flow().name(), show_duration(target.duration)),
    ];
    facts.extend((!account.tags.is_empty()).then(|| account.tags.join(", ")));
    let aliases: Vec<&str> = account.aliases.iter().map(Name::as_str).collect();
    let mut more = Vec::new();
    if let Some(live) = model.live(row) {
        let until = model.setup.clock.moment(live.expires, model.now);
        more.push(format!("until {until}, {} left", left(live.expires, model.now)));
    }
    if let Some(then) = model.history.last_used(&target.role) {
        more.push(format!("last used {}", ago(then, model.now)));
    }
    more.extend((!aliases.is_empty()).then(|| format!("also {}", aliases.join(", "))));
    more.extend(account.note.clone());
    more.extend(model.setup.verified.get(&account.id).map(|mark| {
        let ago = ago(mark.at, model.now);
        format!("verified {ago}: {}", mark.verdict.word())
    }));
    let lines = [
        facts.join(&dot),
        format!("$ {} {}", model.command(row), if glyphs.ellipsis == "~" { "..." } else { "…" }),
        more.join(&dot),
    ];
    for (text, line) in lines.iter().zip(area.rows()) {
        let text = format!("    {}", sanitize(text));
        let text = truncate(&text, usize::from(line.width).saturating_sub(1), glyphs.ellipsis);
        frame.render_widget(Line::raw(text), line);
    }
}

fn footer_line(model: &Model, window: u16) -> Line<'static> {
    let theme = model.setup.theme;
    if let Some(notice) = &model.notice {
        let text =
            truncate(&format!(" {}", sanitize(notice)), window.into(), theme.glyphs.ellipsis);
        return Line::styled(text, theme.accent());
    }
    let in_list = matches!(model.mode, Mode::Browse);
    // Without accounts there is nothing to do with one.
    let has_rows = model.search.total() > 0;
    let is_typing = matches!(model.mode, Mode::Run(_));
    let run_in = format!("run in {}", model.marked.len());
    let hints = TABLE.iter().filter_map(|binding| {
        let label = match binding.action {
            Action::Back if matches!(model.mode, Mode::Waiting { .. }) => "cancel",
            Action::Back if !in_list && !matches!(model.mode, Mode::Loading { .. }) => "back",
            Action::Back if !model.filter.text().is_empty() => "clear",
            Action::Back if !model.marked.is_empty() => "unmark",
            // There `?` is a letter.
            Action::Help if matches!(model.mode, Mode::Passphrase { .. }) => return None,
            Action::Back | Action::Help => binding.footer?,
            Action::Shell if in_list && !model.marked.is_empty() => &run_in,
            Action::Shell if in_list && has_rows => model.setup.enters.texts().0,
            Action::Renew if matches!(model.mode, Mode::Fault { retry: Some(_), .. }) => "retry",
            Action::Copy if matches!(model.mode, Mode::SignIn { .. }) => "copy the URL",
            _ => binding.footer.filter(|_| in_list && has_rows)?,
        };
        let mut keys = model.setup.keymap.keys(binding.action);
        let key = keys.find(|key| !(is_typing && key.is_text()))?;
        let key = match key.code {
            KeyCode::Enter if !key.ctrl && !key.alt => theme.glyphs.enter.to_owned(),
            _ => key.to_string(),
        };
        let needed = matches!(binding.action, Action::Shell | Action::Help | Action::Back);
        Some((key, label, needed))
    });
    let hints: Vec<(String, &str, bool)> = hints.collect();
    let taken = |key: &str, label: &str| width(key) + 1 + width(label) + 3;
    let needed: usize =
        hints.iter().filter(|hint| hint.2).map(|(key, label, _)| taken(key, label)).sum();
    // One column before the first hint; the three after the last one may be cut.
    let mut room = (usize::from(window) + 2).saturating_sub(needed);
    let mut spans: Vec<Span<'static>> = vec![" ".into()];
    for (key, label, needed) in &hints {
        if !needed {
            let Some(rest) = room.checked_sub(taken(key, label)) else {
                continue;
            };
            room = rest;
        }
        spans.push(Span::styled(key.clone(), theme.key()));
        spans.push(format!(" {label}   ").into());
    }
    Line::from(spans)
}
