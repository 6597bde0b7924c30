//! Whoever answers what is not given as an option: a person at a terminal, or nobody.

use crate::cli::prompt;
use crate::cli::terminal::Terminal;
use crate::domain::fault::{Exit, Fault};
use crate::domain::ids::Malformed;
use crate::services::child::environment::Inherited;

/// The person, if there is one.
pub struct Person(Option<Terminal>);

impl Person {
    /// Looks for a terminal.
    pub fn new() -> Self {
        Self(Terminal::open())
    }

    /// Whether there is anybody to ask.
    pub fn is_there(&self) -> bool {
        self.0.is_some()
    }

    /// The terminal to ask on; `option` is what would answer in its place.
    pub fn terminal(&mut self, what: &str, option: &str) -> Result<&mut Terminal, Fault> {
        self.0.as_mut().ok_or_else(|| nobody(what, option))
    }

    /// Asks until the answer can be read; an empty one is the default.
    pub fn ask<T>(
        &mut self,
        question: &str,
        default: Option<&str>,
        option: &str,
        read: impl Fn(&str) -> Result<T, Malformed>,
    ) -> Result<T, Fault> {
        let terminal = self.terminal(question, option)?;
        let shown = default.map(|default| format!(" [{default}]")).unwrap_or_default();
        loop {
            let line = terminal.ask(&format!("{question}{shown}: "))?;
            let answer = if line.is_empty() { default.unwrap_or_default() } else { &line };
            match read(answer) {
                Ok(value) => return Ok(value),
                Err(why) => terminal.show(&format!("  → {why}")),
            }
        }
    }

    /// Asks for a yes or a no.
    pub fn yes(&mut self, question: &str, default: bool, option: &str) -> Result<bool, Fault> {
        let terminal = self.terminal(question, option)?;
        let choice = if default { "[Y/n]" } else { "[y/N]" };
        loop {
            match terminal.ask(&format!("{question} {choice} "))?.to_lowercase().as_str() {
                "" => return Ok(default),
                "y" | "yes" => return Ok(true),
                "n" | "no" => return Ok(false),
                _ => terminal.show("  → y or n"),
            }
        }
    }

    /// Shows a line, where somebody reads it.
    pub fn show(&mut self, line: &str) {
        if let Some(terminal) = &mut self.0 {
            terminal.show(line);
        }
    }
}

/// The fault of a question that nobody answers.
fn nobody(what: &str, option: &str) -> Fault {
    let fault =
        Fault::new(Exit::NeedsPerson, "there is no terminal to ask on, so no config was written");
    if let ("--yes", Some(agent)) = (option, Inherited::current().driver().agent()) {
        return prompt::only_a_person_confirms(fault, agent);
    }
    fault
        .because(format!("not given as an option: {what}"))
        .fix(format!("add {option}"))
        .fix("or run `sekisho init` in a terminal; `sekisho help init` lists every option")
}
