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
use crate::domain::agents::Driver;
use crate::domain::confirmation::{Cleared, Confirmation, Unconfirmed};
use crate::domain::flow::Flow;
use crate::domain::guard::Guard;
use crate::domain::keymap::{Action, Key, KeyCode};

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

    /// Opens the box. What is guarded by `confirm`, or has changed, is left out at first: there a name must be typed.
    pub(super) fn ask_for_line(&mut self) {
        let (targets, left_out) = self.past_guards(&[]);
        let is_longer = self.setup.overrides.duration.is_some_and(|it| it > Flow::SHARED_MAX);
        self.mode = Mode::Run(RunBox {
            targets,
            left_out,
            line: Field::default(),
            name: None,
            confirmed: Vec::new(),
            top: 0,
            typed: None,
            hint: is_longer.then_some("sessions last 1h here: a longer one takes a code for each"),
        });
    }

    /// The marked targets that are entered, and those that are not; `confirmed` are names that were typed.
    fn past_guards(&self, confirmed: &[String]) -> (Vec<Cleared>, Vec<(Target, Unconfirmed)>) {
        let driver = &self.setup.driver;
        let (mut targets, mut left_out) = (Vec::new(), Vec::new());
        for row in &self.marked {
            let target = self.target(*row);
            // A longer session would take a code for each.
            let target = Target { duration: target.duration.min(Flow::SHARED_MAX), ..target };
            let names = if takes_a_name(&target, driver) { confirmed } else { &[] };
            let by_name = names
                .iter()
                .find_map(|name| target.clone().clear(Confirmation::Typed(name), driver).ok());
            let passed = match by_name {
                Some(cleared) => Ok(cleared),
                None => target.clone().clear(Confirmation::Absent, driver),
            };
            match passed {
                Ok(cleared) => targets.push(cleared),
                Err(unconfirmed) => left_out.push((target, unconfirmed)),
            }
        }
        (targets, left_out)
    }

    /// Takes in what the typed name confirms.
    fn confirm_name(&mut self) {
        let Mode::Run(run) = &self.mode else { return };
        let Some(name) = &run.name else { return };
        let mut confirmed = run.confirmed.clone();
        confirmed.push(name.text().to_owned());
        let is_empty = name.text().trim().is_empty();
        let (targets, left_out) = self.past_guards(&confirmed);
        let driver = self.setup.driver.clone();
        let Mode::Run(run) = &mut self.mode else { return };
        // What is typed next is typed anew, and so is an Enter.
        run.typed = Some(self.now);
        run.name = None;
        if is_empty {
            return;
        }
        if targets.len() == run.targets.len() {
            run.hint = Some("that is the name of no guarded account here");
            run.name = Some(Field::default());
            return;
        }
        (run.targets, run.left_out, run.confirmed) = (targets, left_out, confirmed);
        run.name = run.can_confirm(&driver).then(Field::default);
    }

    pub(super) fn key_in_run(&mut self, key: Key, action: Option<Action>) -> Effect {
        let is_naming = matches!(&self.mode, Mode::Run(run) if run.name.is_some());
        if typed_ahead(key) == ENTER {
            if is_naming {
                self.confirm_name();
                return Effect::None;
            }
            return self.run_line();
        }
        match action {
            _ if key.code == KeyCode::Tab => {
                if let Mode::Run(run) = &mut self.mode {
                    run.hint = None;
                    let can_confirm = !is_naming && run.can_confirm(&self.setup.driver);
                    run.name = can_confirm.then(Field::default);
                }
            }
            Some(Action::Up) => self.scroll_run(|top, _| top.saturating_sub(1)),
            Some(Action::Down) => self.scroll_run(|top, _| top + 1),
            Some(Action::PageUp) => self.scroll_run(usize::saturating_sub),
            Some(Action::PageDown) => self.scroll_run(|top, page| top + page),
            _ => {
                if let Mode::Run(run) = &mut self.mode {
                    run.hint = None;
                    run.typed = Some(self.now);
                    run.field_mut().edit(key);
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
    /// Whether a name can be typed that takes in a target.
    pub(super) fn can_confirm(&self, driver: &Driver) -> bool {
        self.left_out.iter().any(|(target, _)| takes_a_name(target, driver))
    }

    /// The field that has the keys.
    pub(super) fn field(&self) -> &Field {
        self.name.as_ref().unwrap_or(&self.line)
    }

    fn field_mut(&mut self) -> &mut Field {
        self.name.as_mut().unwrap_or(&mut self.line)
    }

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
        let field = self.field_mut();
        let before = field.text().len();
        field.insert(&line);
        let is_lost = field.text().len() == before && !line.is_empty();
        self.hint = is_lost.then_some("too long: a command line has 1,024 bytes at most");
        self.typed = Some(now);
    }
}

/// Whether a target's name, typed in the box, is enough: how one has changed is not shown here, and agents never confirm.
fn takes_a_name(target: &Target, driver: &Driver) -> bool {
    target.guard == Guard::Confirm && target.change.is_none() && *driver == Driver::Person
}
