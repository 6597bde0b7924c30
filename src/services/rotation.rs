//! How an access key is rotated: a pure function from what is stored and what AWS says to the next step.

use serde::{Deserialize, Serialize};

/// How far a rotation has come: the journal, stored with the keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// AWS is about to be asked for a new key: a second key that appears now is ours.
    Creating,
    /// The new key is stored as the spare.
    Created,
    /// The new key has answered, and is the current one; the old one is the spare.
    Swapped,
    /// The old key is inactive at AWS.
    Deactivated,
    /// The new key has answered since: the old one may be deleted.
    Settled,
}
