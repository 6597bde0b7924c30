//! How services reach the user while they work.

use crate::domain::secret::Secret;

use crate::services::store::keyfile::{Passphrase, Unasked};

/// The user, as services see them: progress lines out, a passphrase or a takeover request in.
pub trait Interaction {
    /// Shows one line about what is going on.
    fn notify(&self, line: &str);

    /// Whether a user can be prompted.
    fn is_available(&self) -> bool;

    /// Prompts for the passphrase of the sealed key file.
    fn passphrase(&self, which: Passphrase) -> Result<Secret, Unasked>;

    /// Whether the user asked, since the last call, to take the code prompt over from another process.
    fn takeover_requested(&self) -> bool;
}
