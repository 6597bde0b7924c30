//! 32-byte keys in the kernel's *user* keyring: in memory, per uid, gone at reboot or expiry.
//!
//! See keyrings(7) and user-keyring(7). Permissions are widened from the possessor to the uid: a second ssh login, tmux
//! and user services do not possess the keyring (`pam_keyinit`), but belong to the same user.

use std::time::Duration;

use zeroize::Zeroizing;

/// A stored key; wiped on drop.
pub type Key = Zeroizing<[u8; 32]>;

/// The kernel keyring does not work here: blocked by a container's seccomp filter or a quota, or not Linux.
#[derive(Debug, thiserror::Error)]
#[error("the kernel keyring cannot be used: {0}")]
pub struct Refused(String);

#[cfg(target_os = "linux")]
pub use linux::{get, keep, put, revoke};
#[cfg(not(target_os = "linux"))]
pub use none::{get, keep, put, revoke};

#[cfg(target_os = "linux")]
mod linux {
    use linux_keyutils::{
        Key as Handle, KeyError, KeyPermissionsBuilder, KeyRing, KeyRingIdentifier, Permission,
    };

    use super::{Duration, Key, Refused, Zeroizing};

    /// Reads a key, if there is one.
    pub fn get(name: &str) -> Result<Option<Key>, Refused> {
        let Some(handle) = find(name)? else {
            return Ok(None);
        };
        let mut key = Zeroizing::new([0; 32]);
        match if_present(handle.read(&mut *key))? {
            Some(32) => Ok(Some(key)),
            _ => Ok(None),
        }
    }

    /// Stores a key for `life`. Overwrites one of the same name, so look for one first, under a lock.
    pub fn put(name: &str, key: &Key, life: Duration) -> Result<(), Refused> {
        let handle = ring()?.add_key(name, &key[..]).map_err(refused)?;
        open_to_uid(handle, life).inspect_err(|_| {
            let _ = handle.revoke();
        })
    }

    /// Makes an existing key expire after `life` from now.
    pub fn keep(name: &str, life: Duration) -> Result<(), Refused> {
        find(name)?.map_or(Ok(()), |handle| open_to_uid(handle, life))
    }

    /// Wipes the key from the kernel, for every process; returns whether there was one.
    pub fn revoke(name: &str) -> Result<bool, Refused> {
        let Some(handle) = find(name)? else {
            return Ok(false);
        };
        let revoked = if_present(handle.revoke())?.is_some();
        // Otherwise the revoked key counts against the quota for some minutes.
        let _ = ring()?.unlink_key(handle);
        Ok(revoked)
    }

    fn ring() -> Result<KeyRing, Refused> {
        KeyRing::from_special_id(KeyRingIdentifier::User, true).map_err(refused)
    }

    fn find(name: &str) -> Result<Option<Handle>, Refused> {
        if_present(ring()?.search(name))
    }

    /// Sets permissions and timeout. A write clears both, so both are set after every write.
    fn open_to_uid(handle: Handle, life: Duration) -> Result<(), Refused> {
        let uid = Permission::VIEW
            | Permission::READ
            | Permission::WRITE
            | Permission::SEARCH
            | Permission::LINK
            | Permission::SETATTR;
        let permissions = KeyPermissionsBuilder::builder()
            .posessor(Permission::ALL)
            .user(uid)
            .group(Permission::empty())
            .world(Permission::empty())
            .build();
        handle.set_perms(permissions).map_err(refused)?;
        // A timeout of 0 means that the key never expires.
        let seconds = usize::try_from(life.as_secs()).unwrap_or(1).max(1);
        handle.set_timeout(seconds).map_err(refused)
    }

    /// Missing, expired and revoked keys all count as absent.
    fn if_present<T>(result: Result<T, KeyError>) -> Result<Option<T>, Refused> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(KeyError::KeyDoesNotExist | KeyError::KeyExpired | KeyError::KeyRevoked) => {
                Ok(None)
            }
            Err(error) => Err(refused(error)),
        }
    }

    fn refused(error: KeyError) -> Refused {
        Refused(error.to_string())
    }
}

#[cfg(not(target_os = "linux"))]
mod none {
    use super::{Duration, Key, Refused};

    fn refused<T>() -> Result<T, Refused> {
        Err(Refused("not supported on this platform".into()))
    }

    /// Not supported on this platform.
    pub fn get(_: &str) -> Result<Option<Key>, Refused> {
        refused()
    }

    /// Not supported on this platform.
    pub fn put(_: &str, _: &Key, _: Duration) -> Result<(), Refused> {
        refused()
    }

    /// Not supported on this platform.
    pub fn keep(_: &str, _: Duration) -> Result<(), Refused> {
        refused()
    }

    /// Not supported on this platform.
    pub fn revoke(_: &str) -> Result<bool, Refused> {
        refused()
    }
}
