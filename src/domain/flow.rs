//! The two ways to a role session, and which of them a duration needs.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The way a role session is requested.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Flow {
    /// Through the auth session: one code for all, at most 1 h each.
    Shared,
    /// `AssumeRole` carries the code itself: up to the role's maximum, one code each.
    Direct,
}

impl Flow {
    /// The longest session that AWS allows through an auth session (role chaining).
    pub const SHARED_MAX: Duration = Duration::from_hours(1);

    /// The flow a duration needs.
    pub fn of(duration: Duration) -> Self {
        if duration <= Self::SHARED_MAX { Self::Shared } else { Self::Direct }
    }

    /// The word for it on screens.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Shared => "shared",
            Self::Direct => "direct",
        }
    }

    /// What one code is good for.
    pub const fn reach(self) -> &'static str {
        match self {
            Self::Shared => "for every account",
            Self::Direct => "for this role only",
        }
    }
}
