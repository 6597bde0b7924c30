//! What is stored: sealed sessions, the access key, and the locks between processes.
//!
//! ```text
//! vault ───────┬─ sealed    the format of a record ── cipher
//!              └─ datakey   where the key to the records is kept ── kernel, keychain or files
//! access_keys ─┬─ keychain  the access key on a desktop
//!              └─ keyfile   ... and elsewhere ── cipher, kernel, files
//! sealed_log                entries of a long run ── vault, cipher
//! lock, spent               between processes ── files ── file_lock
//! ```

pub mod access_keys;
mod cipher;
pub mod datakey;
pub mod file_lock;
pub mod files;
mod kernel;
pub mod keychain;
pub mod keyfile;
pub mod lock;
pub mod process_memory;
pub mod record;
pub mod sealed;
pub mod sealed_log;
pub mod slot;
pub mod spent;
pub mod vault;

use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::io::Errno;

/// Random bytes from the system, for salts, nonces and file names.
fn random<const N: usize>() -> Result<[u8; N], Errno> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| Errno::IO)?;
    Ok(bytes)
}

/// Locks a mutex. Its data is consistent even where a holder panicked, so poisoning is ignored.
fn guard<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
