//! From marked rows to a command line: marking, and the box that asks for the line.

use std::collections::HashSet;
use std::mem;
use std::time::Duration;

use jiff::Timestamp;

use super::field::Field;
use super::key_events::{ENTER, typed_ahead};
use super::model::{Effect, Enters, MarkedRun, Mode, Model, Outcome, RunBox};
use super::popup::shape_of_run;
use crate::domain::account::{Catalog, Target};
use crate::domain::confirmation::Confirmation;
use crate::domain::flow::Flow;
use crate::domain::keymap::{Action, Key};

/// An Enter so soon after the text came with it: from a paste that the terminal does not announce. Nobody types so fast,
/// and the loop gives events without a pause between them one time.
const PASTED: Duration = Duration::from_millis(30);

impl Model {
    /// Whether rows can be marked: where Enter opens a subshell and comes back.
    pub(super) fn can_mark(&self) -> bool {
        self.setup.enters == Enters::Subshell
    }

    /// Marks the row under the cursor, or takes its mark away, and goes on.
    pub(super) fn mark(&mut self, on: impl Fn(usize) -> usize) {
        if !self.can_mark() {
            return;
        }
        if let Some(row) = self.selected()
            && !self.marked.remove(&row)
        {
            self.marked.insert(row);
        }
        self.move_to(on);
    }

    /// Takes all marks away.
    pub fn unmark(&mut self) {
        self.marked.clear();
    }

    /// Keeps the marks of the roles that another catalog has, too.
    pub(super) fn keep_marks(&mut self, next: &Catalog) {
        let before = self.search.catalog();
        let roles: HashSet<_> = self.marked.iter().map(|row| before.role_arn(*row)).collect();
        if !roles.is_empty() {
            self.marked = next.rows().filter(|row| roles.contains(&next.role_arn(*row))).collect();
        }
    }

    /// Opens the box. What is guarded by `confirm`, or has changed, is left out: there a name must be typed.
    pub(super) fn ask_for_line(&mut self) {
        let (mut targets, mut left_out) = (Vec::new(), Vec::new());
        for row in &self.marked {
            let target = self.target(*row);
            // A longer session would take a code for each.
            let target = Target { duration: target.duration.min(Flow::SHARED_MAX), ..target };
            match target.clone().clear(Confirmation::Absent, &self.setup.driver) {
                Ok(cleared) => targets.push(cleared),
                Err(unconfirmed) => left_out.push((target, unconfirmed)),
            }
        }
        let line = Field::default();
        self.mode = Mode::Run(RunBox { targets, left_out, line, top: 0, typed: None, hint: None });
    }

    pub(super) fn key_in_run(&mut self, key: Key, action: Option<Action>) -> Effect {
        if typed_ahead(key) == ENTER {
            return self.run_line();
        }
        match action {
            Some(Action::Up) => self.scroll_run(|top, _| top.saturating_sub(1)),
            Some(Action::Down) => self.scroll_run(|top, _| top + 1),
            Some(Action::PageUp) => self.scroll_run(usize::saturating_sub),
            Some(Action::PageDown) => self.scroll_run(|top, page| top + page),
            _ => {
                if let Mode::Run(run) = &mut self.mode {
                    run.hint = None;
                    run.typed = Some(self.now);
                    run.line.edit(key);
                }
            }
        }
        Effect::None
    }

    /// Scrolls the targets by what `to` makes of the first one shown and a page; they end at the last.
    pub(super) fn scroll_run(&mut self, to: impl Fn(usize, usize) -> usize) {
        let size = self.size;
        if let Mode::Run(run) = &mut self.mode {
            let page = shape_of_run(run, size).page;
            let all = run.targets.len() + run.left_out.len();
            run.top = to(run.top, page).min(all.saturating_sub(page));
        }
    }

    fn run_line(&mut self) -> Effect {
        let mut run = match mem::replace(&mut self.mode, Mode::Browse) {
            Mode::Run(run) => run,
            other => {
                self.mode = other;
                return Effect::None;
            }
        };
        if let Some(hint) = run.objection(self.now) {
            run.hint = Some(hint);
            run.typed = Some(self.now);
            self.mode = Mode::Run(run);
            return Effect::None;
        }
        let RunBox { targets, left_out, line, .. } = run;
        let line = line.text().trim().to_owned();
        Effect::Leave(Outcome::Run(MarkedRun { targets, left_out, line }))
    }
}

impl RunBox {
    /// Why an Enter runs nothing now.
    fn objection(&self, now: Timestamp) -> Option<&'static str> {
        let is_pasted =
            self.typed.is_some_and(|then| now.duration_since(then).unsigned_abs() < PASTED);
        if is_pasted {
            Some("that Enter came as fast as a paste: press it again to run")
        } else if self.targets.is_empty() {
            Some("nothing to run in: all are left out")
        } else if self.line.text().trim().is_empty() {
            Some("type a command line first")
        } else {
            None
        }
    }

    /// Takes a pasted text as one visible line. It never runs anything.
    pub(super) fn paste(&mut self, text: &str, now: Timestamp) {
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        // A backslash at its end joins a line to the next one.
        let line = text.trim_matches('\n').replace("\\\n", " ").replace('\n', " ");
        let before = self.line.text().len();
        self.line.insert(&line);
        let is_lost = self.line.text().len() == before && !line.is_empty();
        self.hint = is_lost.then_some("too long: a command line has 1,024 bytes at most");
        self.typed = Some(now);
    }
}
