//! The person who waits while the services work.

use crate::domain::fault::Fault;
use crate::domain::secret::Secret;

use super::store::keyfile::Passphrase;

/// The person who waits.
pub trait Person {
    /// Hears one line about what is going on.
    fn hear(&self, line: &str);

    /// Gives the passphrase of the sealed key file.
    fn passphrase(&self, which: Passphrase) -> Result<Secret, Fault>;

    /// Whether the person wants to be asked here, while another process asks. Heard once.
    fn wants_the_prompt(&self) -> bool;
}
