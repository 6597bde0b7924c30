//! XChaCha20-Poly1305 over a record: header ‖ nonce ‖ ciphertext ‖ tag.
//!
//! The header and the record's name are associated data. A nonce of 24 random bytes never repeats
//! (draft-irtf-cfrg-xchacha).

use chacha20poly1305::aead::{AeadInOut, KeyInit};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use rustix::io::Errno;
use zeroize::Zeroizing;

use super::kernel::Key;
use super::random;

const NONCE: usize = 24;
const TAG: usize = 16;

/// How much longer a record is than its header and its plain text.
pub const OVERHEAD: usize = NONCE + TAG;

/// Seals `plain` onto the header that `record` holds; `Errno` where the system cannot supply random bytes.
pub fn seal(key: &Key, name: &[u8], mut record: Vec<u8>, plain: &[u8]) -> Result<Vec<u8>, Errno> {
    let bound = [&record, name].concat();
    let nonce = random::<NONCE>()?;
    // Reserved first: growing later would leave a copy of the plain text behind.
    record.reserve_exact(OVERHEAD + plain.len());
    record.extend_from_slice(&nonce);
    let body_at = record.len();
    record.extend_from_slice(plain);
    let body = &mut record[body_at..];
    let tag = cipher(key)
        .encrypt_inout_detached(&XNonce::from(nonce), &bound, body.into())
        .map_err(|_| Errno::INVAL)?;
    record.extend_from_slice(&tag);
    Ok(record)
}

/// The plain text behind a header of `header` bytes; `None` unless key, name and every byte are right.
pub fn open(key: &Key, name: &[u8], header: usize, record: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (header, sealed) = record.split_at_checked(header)?;
    let (nonce, sealed) = sealed.split_first_chunk::<NONCE>()?;
    let (body, tag) = sealed.split_last_chunk::<TAG>()?;
    let bound = [header, name].concat();
    let mut plain = Zeroizing::new(body.to_vec());
    cipher(key)
        .decrypt_inout_detached(
            &XNonce::from(*nonce),
            &bound,
            plain.as_mut_slice().into(),
            tag.into(),
        )
        .ok()?;
    Some(plain)
}

fn cipher(key: &Key) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new((&**key).into())
}
