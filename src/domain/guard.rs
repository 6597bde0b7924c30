//! Guards: how much a target asks for before it is entered, in every verb.

use serde::{Deserialize, Serialize};

/// How a target is guarded. The stricter is the greater: guards combine by `max`.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Guard {
    /// It is entered without a question.
    #[default]
    None,
    /// A banner warns; nothing has to be typed.
    Warn,
    /// The account's name, alias or id must be typed.
    Confirm,
}

impl Guard {
    /// The word for it in a config.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Warn => "warn",
            Self::Confirm => "confirm",
        }
    }
}
