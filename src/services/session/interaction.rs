//! The person who waits while the services work.

use crate::domain::secret::Secret;

use crate::services::store::keyfile::{Passphrase, Unasked};

/// The person who waits.
pub trait Person {
    /// Hears one line about what is going on.
    fn hear(&self, line: &str);

    /// Whether anybody is there to answer.
    fn is_there(&self) -> bool;

    /// Gives the passphrase of the sealed key file.
    fn passphrase(&self, which: Passphrase) -> Result<Secret, Unasked>;

    /// Whether the person wants to be asked here, while another process asks. Heard once.
    fn wants_the_prompt(&self) -> bool;
}
