//! The sealed key file: asked once, never guessed, never lost.

use std::cell::RefCell;
use std::fs;
use std::path::Path;

use sekisho::domain::fault::{Exit, Fault};
use sekisho::domain::rotation::{KeyEntry, StoredKey};
use sekisho::domain::secret::{AccessKey, Secret};
use sekisho::services::store::access_keys::{KeyError, KeyHome};
use sekisho::services::store::keyfile::{KeyFile, KeyFileError, Passphrase, Unasked};
use sekisho::services::store::slot::Slot;
use sha2::{Digest, Sha256};

use super::{at, place};

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

fn slot() -> Slot {
    Slot { account: "111111111111".parse().unwrap(), endpoint: None }
}

fn entry() -> KeyEntry {
    let key = AccessKey {
        id: "AKIAIOSFODNN7EXAMPLE".parse().unwrap(),
        secret: Secret::new(SECRET.into()),
    };
    let created = at(0);
    KeyEntry { current: Some(StoredKey { key, created }), ..KeyEntry::default() }
}

/// A person who types `answer`, and what they were asked.
struct Person {
    answer: &'static str,
    asked: RefCell<Vec<Passphrase>>,
}

fn person(answer: &'static str) -> Person {
    Person { answer, asked: RefCell::default() }
}

impl Person {
    fn load(&self, home: &KeyHome) -> Result<Option<KeyEntry>, KeyError> {
        home.load(&slot(), &mut |which| self.answer(which))
    }

    fn save(&self, home: &KeyHome) -> Result<(), KeyError> {
        home.save(&slot(), &entry(), &mut |which| self.answer(which))
    }

    #[expect(clippy::unnecessary_wraps, reason = "the type of an asker")]
    fn answer(&self, which: Passphrase) -> Result<Secret, Unasked> {
        self.asked.borrow_mut().push(which);
        Ok(Secret::new(self.answer.into()))
    }
}

fn secret(entry: Option<KeyEntry>) -> String {
    entry.unwrap().current.unwrap().key.secret.expose().to_owned()
}

/// A home with one key in it, whose passphrase is `correct horse`.
fn filled(state: &Path) -> KeyHome {
    let home = KeyHome::file(state);
    home.probe().unwrap();
    person("correct horse").save(&home).unwrap();
    home
}

fn forget(state: &Path) {
    KeyFile::new(&state.join("keys")).forget_passphrase(&slot());
}

#[test]
fn the_passphrase_is_asked_once_a_login() {
    let (_temp, state) = place();
    let home = KeyHome::file(&state);
    assert!(person("x").load(&home).unwrap().is_none());

    let person = person("correct horse");
    person.save(&home).unwrap();
    assert_eq!(person.asked.take(), [Passphrase::New]);
    let bytes = fs::read(state.join("keys/111111111111.key")).unwrap();
    for canary in [SECRET, "AKIAIOSFODNN7EXAMPLE", "correct horse"] {
        assert!(!bytes.windows(canary.len()).any(|window| window == canary.as_bytes()));
    }

    assert_eq!(secret(person.load(&home).unwrap()), SECRET);
    if person.asked.take().is_empty() {
        person.save(&home).unwrap();
        assert_eq!(person.asked.take(), []);
    } else {
        super::skip("the kernel keeps no keys here, so the passphrase is asked each time");
    }

    forget(&state);
    assert_eq!(secret(person.load(&home).unwrap()), SECRET);
    assert_eq!(person.asked.take(), [Passphrase::Existing]);
    assert!(home.remove(&slot()).unwrap());
    assert!(person.load(&home).unwrap().is_none());
    assert!(!home.remove(&slot()).unwrap());
}

#[test]
fn a_wrong_passphrase_opens_and_replaces_nothing() {
    let (_temp, state) = place();
    let home = filled(&state);
    forget(&state);
    let file = state.join("keys/111111111111.key");
    let before = fs::read(&file).unwrap();
    for answer in ["correct hors", "correct horse "] {
        let error = person(answer).load(&home).err().unwrap();
        assert!(matches!(error, KeyError::File(KeyFileError::WrongPassphrase)));
        assert_eq!(error.fault().what, "the passphrase is wrong");
        assert!(person(answer).save(&home).is_err());
    }
    let error = person("").load(&home).err().unwrap();
    assert!(matches!(error, KeyError::File(KeyFileError::EmptyPassphrase)));
    let nobody = home
        .load(&slot(), &mut |_| Err(Unasked::Never(Fault::new(Exit::NeedsPerson, "no terminal"))));
    assert_eq!(nobody.err().unwrap().fault().exit, Exit::NeedsPerson);
    assert_eq!(fs::read(&file).unwrap(), before);
    assert_eq!(secret(person("correct horse").load(&home).unwrap()), SECRET);
    home.remove(&slot()).unwrap();
}

#[test]
fn every_flipped_byte_and_every_truncation_is_told_from_a_wrong_passphrase() {
    let (_temp, state) = place();
    let home = filled(&state);
    let file = state.join("keys/111111111111.key");
    let good = fs::read(&file).unwrap();
    let refused = |bytes: &[u8], case: &str| {
        fs::write(&file, bytes).unwrap();
        let never = person("correct horse");
        let error = never.load(&home).err().unwrap();
        assert!(
            matches!(error, KeyError::File(KeyFileError::Damaged(_) | KeyFileError::Future(_))),
            "{case}: {error}"
        );
        assert!(never.save(&home).is_err(), "{case}: a damaged file is not overwritten");
        assert!(never.asked.take().is_empty(), "{case}");
    };
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 0x55;
        refused(&bad, &format!("byte {at}"));
    }
    for length in 0..good.len() {
        refused(&good[..length], &format!("length {length}"));
    }
    fs::write(&file, &good).unwrap();
    assert_eq!(secret(person("correct horse").load(&home).unwrap()), SECRET);
    home.remove(&slot()).unwrap();
}

#[test]
fn a_header_that_asks_for_too_little_or_too_much_is_refused_before_anything_is_derived() {
    let (_temp, state) = place();
    let home = filled(&state);
    let file = state.join("keys/111111111111.key");
    let good = fs::read(&file).unwrap();
    for (at, number) in [
        (10, 19 * 1024 - 1),
        (10, 1024 * 1024 + 1),
        (10, u32::MAX),
        (14, 1),
        (14, 0),
        (14, u32::MAX),
        (18, 0),
        (18, 17),
    ] {
        let mut bad = good[..good.len() - 8].to_vec();
        bad[at..at + 4].copy_from_slice(&u32::to_be_bytes(number));
        let checksum = Sha256::digest(&bad);
        bad.extend_from_slice(&checksum[..8]);
        fs::write(&file, &bad).unwrap();
        let never = person("correct horse");
        let error = never.load(&home).err().unwrap();
        assert!(
            matches!(error, KeyError::File(KeyFileError::Unreasonable(_))),
            "{at} {number}: {error}"
        );
        assert!(never.asked.take().is_empty());
    }
    fs::write(&file, &good).unwrap();
    home.remove(&slot()).unwrap();
}

#[test]
fn a_file_of_another_slot_does_not_open() {
    let (_temp, state) = place();
    let home = filled(&state);
    let other = Slot { account: "222222222222".parse().unwrap(), endpoint: None };
    fs::copy(state.join("keys/111111111111.key"), state.join("keys/222222222222.key")).unwrap();
    let stolen = home.load(&other, &mut |_| Ok(Secret::new("correct horse".into())));
    assert!(matches!(stolen.err().unwrap(), KeyError::File(KeyFileError::WrongPassphrase)));
    home.remove(&slot()).unwrap();
}
