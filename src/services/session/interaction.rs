//! The person who waits while the services work.

use crate::domain::secret::Secret;

use crate::services::store::keyfile::{Passphrase, Unasked};

/// The person who waits.
pub trait Interaction {
    /// Hears one line about what is going on.
    fn notify(&self, line: &str);

    /// Whether anybody is there to answer.
    fn is_available(&self) -> bool;

    /// Gives the passphrase of the sealed key file.
    fn passphrase(&self, which: Passphrase) -> Result<Secret, Unasked>;

    /// Whether the person wants to be asked here, while another process asks. Heard once.
    fn takeover_requested(&self) -> bool;
}
