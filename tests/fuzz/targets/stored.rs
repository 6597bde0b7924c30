//! What else comes from disks and keychains: no bytes bring a reader down, or are taken for what they are not.

#![no_main]

use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use libfuzzer_sys::fuzz_target;
use sekisho::domain::ids::MfaSerial;
use sekisho::domain::rotation::{KeyEntry, StoredKey};
use sekisho::domain::secret::{AccessKey, MfaCode, Secret};
use sekisho::domain::text::sanitize;
use sekisho::services::store::keyfile::Header;
use sekisho::services::store::lock::LockHolder;
use sekisho::services::store::slot::Slot;
use sekisho::services::store::spent::Ledger;
use sekisho::services::store::{access_keys, datakey};
use sha2::{Digest, Sha256};

// Every reader reads every input: a seed is a file as it is stored.
fuzz_target!(|bytes: &[u8]| {
    let now = Timestamp::from_second(1_800_000_000).unwrap();
    key_file(bytes);
    key_entry(bytes);
    entry_with_secret(&String::from_utf8_lossy(bytes), now);
    spent_codes(bytes, now);
    data_key(bytes, now);
    holder(bytes, now);
});

fn key_file(bytes: &[u8]) {
    let whole = |body: &[u8]| [body, &Sha256::digest(body)[..8]].concat();
    let path = Path::new("a.key");
    if Header::read(bytes, path).is_ok() {
        assert!(bytes == whole(&bytes[..bytes.len() - 8]), "a damaged file was read");
    }
    // No fuzzer guesses a checksum, so it is given one.
    if Header::read(&whole(bytes), path).is_ok() {
        let number = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
        let cost = [number(10), number(14), number(18)];
        assert!(cost[0] <= 1 << 20 && cost[1] <= 64 && cost[2] <= 16, "{cost:?}");
    }
}

fn slot() -> Slot {
    Slot { account: "111111111111".parse().unwrap(), endpoint: None }
}

fn key_entry(bytes: &[u8]) {
    if let Ok(entry) = access_keys::read(bytes, &slot()) {
        comes_back(&entry);
    }
}

fn entry_with_secret(secret: &str, created: Timestamp) {
    let key = AccessKey {
        id: "AKIAIOSFODNN7EXAMPLE".parse().unwrap(),
        secret: Secret::new(secret.to_owned()),
    };
    comes_back(&KeyEntry { current: Some(StoredKey { key, created }), ..KeyEntry::default() });
}

fn comes_back(entry: &KeyEntry) {
    let kept = access_keys::to_bytes(entry, &slot()).unwrap();
    let back = access_keys::read(&kept, &slot()).unwrap();
    assert!(kept == access_keys::to_bytes(&back, &slot()).unwrap());
}

fn spent_codes(bytes: &[u8], now: Timestamp) {
    let serial: MfaSerial = "arn:aws:iam::111111111111:mfa/tanaka".parse().unwrap();
    let code = MfaCode::parse("123456").unwrap();
    let kept = Ledger::from_bytes(bytes).to_bytes();
    let Some((salt, marks)) = bytes.split_at_checked(16) else {
        return;
    };
    assert!(bytes.starts_with(&kept) && bytes.len() - kept.len() < 40);

    // No fuzzer guesses a hash, so the first mark is given that of the code.
    let Some((_, rest)) = marks.split_at_checked(32) else {
        return;
    };
    let hash = Sha256::digest([salt, serial.as_str().as_bytes(), &[0], b"123456"].concat());
    let marked = [salt, &hash, rest].concat();
    if let Some(until) = Ledger::from_bytes(&marked).find(&serial, &code, now) {
        assert!(now < until && until < now + SignedDuration::from_secs(180));
    }
}

fn data_key(bytes: &[u8], now: Timestamp) {
    if let Some(key) = datakey::unpack(bytes, now) {
        let until = i64::from_be_bytes(bytes[..8].try_into().unwrap());
        assert!(until > now.as_second(), "a key outlived its time");
        if let Ok(until) = Timestamp::from_second(until) {
            assert_eq!(*datakey::pack(&key, until), bytes);
        }
    }
}

fn holder(bytes: &[u8], now: Timestamp) {
    let holder = LockHolder::read(bytes);
    assert_eq!(holder.verb, sanitize(&holder.verb), "unfit for a screen");
    let _ = holder.may_be_taken_over(now);
}
