//! How a guard is passed: the one way from a target to one that the broker takes.

use super::account::Target;
use super::agents::{Agent, Allowance, Driver};
use super::fault::{Exit, Fault};
use super::guard::Guard;
use super::scope::Scope;
use super::text::fold;

/// What a person gave to pass a guard.
#[derive(Debug, Clone, Copy)]
pub enum Confirmation<'a> {
    /// Nothing was typed, nor given on the command line.
    Absent,
    /// A text typed in the box, at the prompt, or given as `--confirm`.
    Typed(&'a str),
    /// The target was entered before and is only being renewed: renewal never asks again.
    Renewal,
}

/// A target whose guard has been passed, in the scope that its driver may have. The broker takes nothing else.
#[derive(Debug, Clone)]
pub struct Cleared {
    target: Target,
    narrowed: bool,
}

/// A guard that was not passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unconfirmed {
    /// Nothing was typed.
    Missing,
    /// Something else was typed.
    Mismatch,
    /// An agent drives, and may not enter it: [`Target::refusal`] says why.
    Refused,
}

impl Target {
    /// Passes the target's guard, or says what is missing. What an agent may have of it holds for renewals, too.
    pub fn clear(
        mut self,
        confirmation: Confirmation<'_>,
        driver: &Driver,
    ) -> Result<Cleared, Unconfirmed> {
        let has = driver.has(self.agents);
        if has == Allowance::Refuse || has == Allowance::ReadOnly && self.session.widen_read_only()
        {
            return Err(Unconfirmed::Refused);
        }
        match (self.guard, confirmation) {
            (Guard::Confirm, Confirmation::Absent) => return Err(Unconfirmed::Missing),
            (Guard::Confirm, Confirmation::Typed(text)) if !self.answers_to(text) => {
                return Err(Unconfirmed::Mismatch);
            }
            _ => {}
        }
        let narrowed = has == Allowance::ReadOnly && self.session.scope != Scope::ReadOnly;
        if narrowed {
            self.session.scope = Scope::ReadOnly;
        }
        Ok(Cleared { target: self, narrowed })
    }

    /// Why an agent may not enter it.
    pub fn refusal(&self, agent: &Agent) -> Fault {
        let (why, setting) = match (self.agents, self.guard) {
            (Allowance::ReadOnly, _) => (
                "agents get read-only sessions there, which the role's own `policy` or `policy_arns` would widen",
                "`agents: full`",
            ),
            (_, Guard::Confirm) => (
                "the target has `guard: confirm`, which keeps agents out unless the config lets them in",
                "`agents: read-only` or `agents: full`",
            ),
            _ => ("the config has `agents: refuse`", "`agents: read-only` or `agents: full`"),
        };
        Fault::new(Exit::NeedsPerson, format!("an AI agent may not enter {self}"))
            .because(format!("{agent}, and {why}"))
            .fix("run the command yourself, in a terminal of your own")
            .fix(format!("or let agents in: {setting} for it in the main config file"))
    }

    /// Whether a text is the account's name, one of its aliases, or its id with or without dashes.
    fn answers_to(&self, text: &str) -> bool {
        let text = fold(text.trim());
        std::iter::once(&self.account).chain(&self.aliases).any(|name| fold(name.as_str()) == text)
            || text == self.id.to_string()
            || text == self.id.dashed()
    }
}

impl Cleared {
    /// The target behind the guard.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Whether an agent gets it in a narrower scope than was asked for.
    pub fn is_narrowed(&self) -> bool {
        self.narrowed
    }
}
