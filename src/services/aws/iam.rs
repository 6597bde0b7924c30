//! IAM: a user's own access keys.
//!
//! Creating is never retried: a first try whose answer was lost may have created a key, and IAM allows only two.

use aws_sdk_iam::types::StatusType;
use jiff::Timestamp;

use crate::domain::ids::AccessKeyId;
use crate::domain::rotation::KeyAtAws;
use crate::domain::rotation::StoredKey;
use crate::domain::secret::{AccessKey, Secret};

use super::{Aws, Failure, Signer, retry_busy};

/// Where and when a key was last used, according to IAM, which lags by up to half an hour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastUse {
    /// The time of the call, UTC.
    pub at: Timestamp,
    /// The service called, e.g. `sts`.
    pub service: String,
    /// The region of the call.
    pub region: String,
}

impl Aws {
    /// `iam:ListAccessKeys` for the signer's own user.
    pub async fn access_keys(&self, signer: Signer<'_>) -> Result<Vec<KeyAtAws>, Failure> {
        self.list_access_keys(signer, None).await
    }

    /// `iam:ListUsers`: the names of all IAM users of the signer's account.
    pub async fn user_names(&self, signer: Signer<'_>) -> Result<Vec<String>, Failure> {
        let client = self.iam(signer);
        let mut names = Vec::new();
        let mut marker = None;
        loop {
            let page = client.list_users().max_items(1000).set_marker(marker);
            let answer = retry_busy(|| page.clone().send()).await?;
            names.extend(answer.users().iter().map(|user| user.user_name().to_owned()));
            marker = answer.marker().filter(|_| answer.is_truncated()).map(ToOwned::to_owned);
            if marker.is_none() {
                return Ok(names);
            }
        }
    }

    /// `iam:ListAccessKeys` for a named user, or for the signer's own.
    pub async fn list_access_keys(
        &self,
        signer: Signer<'_>,
        user: Option<&str>,
    ) -> Result<Vec<KeyAtAws>, Failure> {
        let client = self.iam(signer);
        let call = client.list_access_keys().set_user_name(user.map(ToOwned::to_owned));
        let answer = retry_busy(|| call.clone().send()).await?;
        let keys = answer.access_key_metadata().iter().map(|key| {
            Some(KeyAtAws {
                id: key.access_key_id()?.parse().ok()?,
                active: key.status() == Some(&StatusType::Active),
                created: timestamp(key.create_date()?)?,
            })
        });
        keys.collect::<Option<_>>().ok_or_else(|| Failure::garbled("iam:ListAccessKeys"))
    }

    /// `iam:GetAccessKeyLastUsed`; `None` for a key that was never used.
    pub async fn last_use(
        &self,
        signer: Signer<'_>,
        id: &AccessKeyId,
    ) -> Result<Option<LastUse>, Failure> {
        let client = self.iam(signer);
        let call = || client.get_access_key_last_used().access_key_id(id.as_str()).send();
        let answer = retry_busy(call).await?;
        Ok(answer.access_key_last_used().and_then(|used| {
            Some(LastUse {
                at: timestamp(used.last_used_date()?)?,
                service: crate::domain::text::sanitize(used.service_name()),
                region: crate::domain::text::sanitize(used.region()),
            })
        }))
    }

    /// `iam:CreateAccessKey` for the signer's own user.
    pub async fn create_access_key(&self, signer: Signer<'_>) -> Result<StoredKey, Failure> {
        let garbled = || Failure::garbled("iam:CreateAccessKey");
        let answer = self
            .iam(signer)
            .create_access_key()
            .send()
            .await
            .map_err(|error| Failure::of(&error))?;
        let made = answer.access_key().ok_or_else(garbled)?;
        let key = AccessKey {
            id: made.access_key_id().parse().map_err(|_| garbled())?,
            secret: Secret::new(made.secret_access_key().to_owned()),
        };
        if key.id.is_temporary() || !key.secret.is_printable() {
            return Err(garbled());
        }
        Ok(StoredKey { key, created: made.create_date().and_then(timestamp).ok_or_else(garbled)? })
    }

    /// `iam:UpdateAccessKey`, to `Inactive`.
    pub async fn deactivate_access_key(
        &self,
        signer: Signer<'_>,
        id: &AccessKeyId,
    ) -> Result<(), Failure> {
        let client = self.iam(signer);
        let call = || {
            client
                .update_access_key()
                .access_key_id(id.as_str())
                .status(StatusType::Inactive)
                .send()
        };
        retry_busy(call).await.map(drop)
    }

    /// `iam:DeleteAccessKey`, which cannot be undone.
    pub async fn delete_access_key(
        &self,
        signer: Signer<'_>,
        id: &AccessKeyId,
    ) -> Result<(), Failure> {
        let client = self.iam(signer);
        retry_busy(|| client.delete_access_key().access_key_id(id.as_str()).send()).await.map(drop)
    }
}

fn timestamp(at: &aws_smithy_types::DateTime) -> Option<Timestamp> {
    Timestamp::from_second(at.secs()).ok()
}
