//! How a guard is passed: the one way from a target to one that the broker takes.

use super::account::Target;
use super::guard::Guard;
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

/// A target whose guard has been passed. The broker takes nothing else.
#[derive(Debug, Clone)]
pub struct Cleared(Target);

/// A guard that was not passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unconfirmed {
    /// Nothing was typed.
    Missing,
    /// Something else was typed.
    Mismatch,
}

impl Target {
    /// Passes the target's guard, or says what is missing.
    pub fn clear(self, confirmation: Confirmation<'_>) -> Result<Cleared, Unconfirmed> {
        match (self.guard, confirmation) {
            (Guard::Confirm, Confirmation::Absent) => Err(Unconfirmed::Missing),
            (Guard::Confirm, Confirmation::Typed(text)) if !self.answers_to(text) => {
                Err(Unconfirmed::Mismatch)
            }
            _ => Ok(Cleared(self)),
        }
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
        &self.0
    }
}
