//! The name of a stored access key.

use sha2::{Digest, Sha256};

use super::hex;
use crate::domain::ids::AccountId;

/// Which key: an auth account's, at AWS or at one other endpoint.
///
/// The endpoint is part of the name, so a key can never be used for another, nor overwritten by it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// The auth account.
    pub account: AccountId,
    /// `auth.endpoint_url`; `None` for AWS's own hosts.
    pub endpoint: Option<String>,
}

impl Slot {
    /// The entry's name in the keychain.
    pub(super) fn name(&self) -> String {
        match &self.endpoint {
            None => format!("access-key:{}", self.account),
            Some(endpoint) => format!("access-key:{}@{endpoint}", self.account),
        }
    }

    /// The entry's file.
    pub(super) fn file_name(&self) -> String {
        match &self.endpoint {
            None => format!("{}.key", self.account),
            Some(endpoint) => {
                let digest = Sha256::digest(endpoint);
                format!("{}-{}.key", self.account, hex(&digest[..8]))
            }
        }
    }
}
