//! Secrets at rest: sealed sessions, the access key's home, and the locks between processes.
//!
//! ```text
//! vault ───────┬─ sealed    the format of a record ── cipher
//!              └─ datakey   where the key to the records is kept ── kernel, keychain or files
//! access_keys ─┬─ keychain  the access key on a desktop
//!              └─ keyfile   ... and elsewhere ── cipher, kernel, files
//! sealed_log                entries of a long run ── vault, cipher
//! lock, spent               between processes ── files
//! ```

pub mod access_keys;
mod cipher;
pub mod datakey;
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

/// Bytes nobody can guess.
fn random<const N: usize>() -> Result<[u8; N], Errno> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| Errno::IO)?;
    Ok(bytes)
}

/// Lower-case hexadecimal, for file names.
pub(super) fn hex(bytes: &[u8]) -> String {
    const DIGITS: [u8; 16] = *b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|digit| char::from(DIGITS[usize::from(digit)]))
        .collect()
}

/// The bytes behind lower-case hexadecimal of exactly their length.
fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digit = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else {
        return None;
    };
    let pairs: &[[u8; 2]; N] = pairs.try_into().ok()?;
    let mut bytes = [0; N];
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(bytes)
}

/// Locks a mutex; what it holds is whole even where a holder panicked.
fn guard<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
