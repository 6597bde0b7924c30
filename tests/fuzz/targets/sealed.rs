//! Sealed records: no bytes bring the reader down, and nothing opens but what was sealed.

#![no_main]

use jiff::Timestamp;
use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use sekisho::services::store::datakey::KeyPlace;
use sekisho::services::store::record::{Name, RecordKind};
use sekisho::services::store::sealed::{Header, key_id, open, seal};
use zeroize::Zeroizing;

const KEY: [u8; 32] = [1; 32];
const NAME: Name = [7; 32];

const PLACES: [KeyPlace; 4] =
    [KeyPlace::Kernel, KeyPlace::Keychain, KeyPlace::Runtime, KeyPlace::Demo];
const KINDS: [RecordKind; 3] = [RecordKind::AuthSession, RecordKind::RoleSession, RecordKind::Warm];

fuzz_target!(|bytes: &[u8]| {
    any_bytes(bytes);
    // An input that is too short for a record and its changes tells nothing.
    let _ = a_changed_record(&mut Unstructured::new(bytes));
});

/// Nobody seals under this key but `a_changed_record`, whose nonces are random: no input can open.
fn any_bytes(bytes: &[u8]) {
    let key = Zeroizing::new(KEY);
    assert!(open(&key, &NAME, bytes).is_err(), "a forged record opened");
    if let Ok(header) = Header::read(bytes) {
        // Magic, version, place, kind, expiry: the reader took nothing for something else.
        let again = seal(&key, header.place, header.kind, &NAME, header.expires, b"").unwrap();
        assert_eq!(again[..19], bytes[..19]);
        assert_eq!(header.key_id, bytes[19..27]);
    }
}

/// Seals a record, changes it, and opens it: it opens if, and only if, it is what it was.
fn a_changed_record(input: &mut Unstructured<'_>) -> Result<()> {
    let key = Zeroizing::new(KEY);
    let place = *input.choose(&PLACES)?;
    let kind = *input.choose(&KINDS)?;
    let seconds = input.int_in_range(0..=4_102_444_800_i64)?;
    let expires = Timestamp::from_second(seconds).unwrap();
    let mut name: Name = NAME;
    let mut edits = Vec::new();
    for _ in 0..input.int_in_range(0..=3)? {
        edits.push((input.arbitrary::<u8>()?, input.arbitrary::<u16>()?, input.arbitrary::<u8>()?));
    }
    let plain = input.bytes(input.len())?;

    let sealed = seal(&key, place, kind, &NAME, expires, plain).unwrap();
    let header = Header::read(&sealed).unwrap();
    assert_eq!((header.place, header.kind), (place, kind));
    assert_eq!((header.expires, header.key_id), (expires, key_id(&key)));

    let mut changed = sealed.clone();
    for (what, at, byte) in edits {
        let at = usize::from(at);
        match what % 5 {
            0 => changed.truncate(at),
            1 => changed.insert(at % (changed.len() + 1), byte),
            2 => name[at % name.len()] ^= byte,
            _ if changed.is_empty() => {}
            3 => drop(changed.remove(at % changed.len())),
            _ => {
                let at = at % changed.len();
                changed[at] ^= byte;
            }
        }
    }
    match open(&key, &name, &changed) {
        Ok(opened) => {
            assert!(changed == sealed && name == NAME, "a changed record opened");
            assert_eq!(opened[..], *plain);
        }
        Err(why) => assert!(changed != sealed || name != NAME, "a record of ours {why}"),
    }
    Ok(())
}
