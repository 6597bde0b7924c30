//! Named session policies. They guard against slips, not against malice.

use serde::{Deserialize, Serialize};

use super::ids::{Malformed, Partition, PolicyArn};

/// How far a role session is limited.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// Everything the role may do.
    #[default]
    Full,
    /// AWS's managed `ReadOnlyAccess`.
    ReadOnly,
}

impl Scope {
    /// Every scope, in the order `^T` cycles them.
    pub const ALL: [Self; 2] = [Self::Full, Self::ReadOnly];

    /// The name in config, options and `SEKISHO_SCOPE`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::ReadOnly => "read-only",
        }
    }

    /// The managed policy that makes the scope, if it needs one.
    pub fn policy_arn(self, partition: Partition) -> Option<PolicyArn> {
        match self {
            Self::Full => None,
            Self::ReadOnly => {
                format!("arn:{}:iam::aws:policy/ReadOnlyAccess", partition.name()).parse().ok()
            }
        }
    }
}

impl std::str::FromStr for Scope {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        Self::ALL
            .into_iter()
            .find(|scope| scope.name() == text)
            .ok_or_else(|| Malformed("a scope is full or read-only".into()))
    }
}
