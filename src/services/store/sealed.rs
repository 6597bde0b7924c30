//! The format of a sealed record, version 1: a pure function of its bytes.
//!
//! ```text
//! "sekisho\0"  version  place  kind  expires  key id  nonce  ciphertext and tag
//!     8           1       1      1    8, BE     8       24     XChaCha20-Poly1305
//! ```
//!
//! Everything before the ciphertext, and the record's name, is associated data: no record can be passed
//! off as another, nor have its expiry changed.

use jiff::Timestamp;
use rustix::io::Errno;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::cipher;
use super::datakey::KeyPlace;
use super::kernel::Key;
use super::record::{Name, RecordKind};

const MAGIC: &[u8; 8] = b"sekisho\0";
const VERSION: u8 = 1;
const HEADER: usize = 27;

/// What precedes the ciphertext. Authenticated only once the record has been opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Where the data key was kept when the record was sealed.
    pub place: KeyPlace,
    /// What the record holds.
    pub kind: RecordKind,
    /// When it expires, UTC.
    pub expires: Timestamp,
    /// Which data key sealed it.
    pub key_id: [u8; 8],
}

/// Why a record cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unsealable {
    /// Truncated, changed, or not a sekisho record.
    #[error("is damaged")]
    Damaged,
    /// Written by a newer sekisho.
    #[error("was written by a newer sekisho")]
    Future,
}

impl Header {
    /// Reads the header of a record.
    pub fn read(record: &[u8]) -> Result<Self, Unsealable> {
        let (magic, rest) = record.split_first_chunk().ok_or(Unsealable::Damaged)?;
        if magic != MAGIC {
            return Err(Unsealable::Damaged);
        }
        match rest.first() {
            Some(&VERSION) if record.len() >= HEADER + cipher::OVERHEAD => {}
            Some(&version) if version > VERSION => return Err(Unsealable::Future),
            _ => return Err(Unsealable::Damaged),
        }
        let (expires, rest) = rest[3..].split_first_chunk().ok_or(Unsealable::Damaged)?;
        let (key_id, _) = rest.split_first_chunk().ok_or(Unsealable::Damaged)?;
        Ok(Self {
            place: KeyPlace::from_byte(record[9]).ok_or(Unsealable::Damaged)?,
            kind: RecordKind::from_byte(record[10]).ok_or(Unsealable::Damaged)?,
            expires: Timestamp::from_second(i64::from_be_bytes(*expires))
                .map_err(|_| Unsealable::Damaged)?,
            key_id: *key_id,
        })
    }
}

/// Identifies a data key without revealing it: tells a lost key from a damaged record.
pub fn key_id(key: &Key) -> [u8; 8] {
    let digest =
        Sha256::new().chain_update(b"sekisho data key id").chain_update(&key[..]).finalize();
    let mut id = [0; 8];
    id.copy_from_slice(&digest[..8]);
    id
}

/// Seals a record; `Errno` where the system cannot supply random bytes.
pub fn seal(
    key: &Key,
    place: KeyPlace,
    kind: RecordKind,
    name: &Name,
    expires: Timestamp,
    plain: &[u8],
) -> Result<Vec<u8>, Errno> {
    let mut record = Vec::with_capacity(HEADER + cipher::OVERHEAD + plain.len());
    record.extend_from_slice(MAGIC);
    record.extend_from_slice(&[VERSION, place.byte(), kind.byte()]);
    record.extend_from_slice(&expires.as_second().to_be_bytes());
    record.extend_from_slice(&key_id(key));
    cipher::seal(key, name, record, plain)
}

/// Opens a record; fails unless key, name and every byte are right.
pub fn open(key: &Key, name: &Name, record: &[u8]) -> Result<Zeroizing<Vec<u8>>, Unsealable> {
    Header::read(record)?;
    cipher::open(key, name, HEADER, record).ok_or(Unsealable::Damaged)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NAME: Name = [7; 32];

    fn key(byte: u8) -> Key {
        Zeroizing::new([byte; 32])
    }

    fn sealed(plain: &[u8]) -> Vec<u8> {
        let until = Timestamp::from_second(1_800_000_000).unwrap();
        seal(&key(1), KeyPlace::Kernel, RecordKind::RoleSession, &NAME, until, plain).unwrap()
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let record = sealed(b"a session");
        for at in 0..record.len() {
            for bit in 0..8 {
                let mut flipped = record.clone();
                flipped[at] ^= 1 << bit;
                assert!(open(&key(1), &NAME, &flipped).is_err(), "byte {at} bit {bit}");
            }
        }
    }

    #[test]
    fn every_truncation_and_extension_is_noticed() {
        let record = sealed(b"a session");
        for length in 0..record.len() {
            assert!(open(&key(1), &NAME, &record[..length]).is_err(), "{length}");
        }
        let longer = [&record[..], b"x"].concat();
        assert!(open(&key(1), &NAME, &longer).is_err());
    }

    #[test]
    fn a_newer_version_is_told_from_damage() {
        let mut record = sealed(b"a session");
        record[8] = VERSION + 1;
        assert_eq!(Header::read(&record), Err(Unsealable::Future));
        record[8] = 0;
        assert_eq!(Header::read(&record), Err(Unsealable::Damaged));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        #[test]
        fn what_was_sealed_comes_back_under_its_own_name_and_key_only(
            plain in proptest::collection::vec(any::<u8>(), 0..4096),
            name in any::<[u8; 32]>(),
            other in any::<[u8; 32]>(),
            secret in any::<[u8; 32]>(),
            seconds in 0..4_102_444_800_i64,
        ) {
            prop_assume!(name != other && secret != other);
            let key = Zeroizing::new(secret);
            let until = Timestamp::from_second(seconds).unwrap();
            let record = seal(&key, KeyPlace::Runtime, RecordKind::AuthSession, &name, until, &plain).unwrap();
            let header = Header::read(&record).unwrap();
            prop_assert_eq!((header.expires, header.key_id), (until, key_id(&key)));
            prop_assert_eq!(&open(&key, &name, &record).unwrap()[..], &plain[..]);
            prop_assert!(open(&key, &other, &record).is_err());
            prop_assert!(open(&Zeroizing::new(other), &name, &record).is_err());
            if plain.len() >= 16 {
                prop_assert!(!record.windows(16).any(|window| window == &plain[..16]));
            }
        }
    }

    proptest! {
        // A fuzzer's work, as far as it goes without one: bytes with and without a likely start.
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        #[test]
        fn the_reader_survives_any_bytes(
            likely in any::<bool>(),
            mut bytes in proptest::collection::vec(any::<u8>(), 0..160),
        ) {
            if likely {
                let start = [MAGIC.as_slice(), &[VERSION, 1, 1]].concat();
                bytes.splice(..bytes.len().min(start.len()), start);
            }
            let _ = Header::read(&bytes);
            prop_assert!(open(&key(1), &NAME, &bytes).is_err());
        }
    }
}
