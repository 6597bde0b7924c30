//! What stands before a dangerous target, in every verb.

use serde::{Deserialize, Serialize};

/// How a target is guarded. The stricter is the greater: guards combine by `max`.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Guard {
    /// Nothing stands before it.
    #[default]
    None,
    /// A banner.
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
