//! The name of a stored access key.

use sha2::{Digest, Sha256};

use crate::domain::ids::AccountId;

/// Which stored key: an auth account's, for AWS or for another endpoint.
///
/// The endpoint is part of the name, so that an emulator's key is never sent to AWS, nor AWS's to an emulator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// The auth account that the key belongs to.
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

    /// The entry's file, where keys are kept in files.
    pub(super) fn file_name(&self) -> String {
        match &self.endpoint {
            None => format!("{}.key", self.account),
            Some(endpoint) => {
                let digest = Sha256::digest(endpoint);
                format!("{}-{}.key", self.account, hex::encode(&digest[..8]))
            }
        }
    }
}
