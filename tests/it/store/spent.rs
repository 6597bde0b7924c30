//! Spent codes: refused for 90 s, in every process.

use std::fs;
use std::path::Path;

use sekisho::domain::ids::MfaSerial;
use sekisho::domain::secret::MfaCode;
use sekisho::services::store::spent::{CodeStatus, SpentCodes};

use super::{at, place};

fn phone() -> MfaSerial {
    "arn:aws:iam::111111111111:mfa/tanaka".parse().unwrap()
}

fn code(digits: &str) -> MfaCode {
    MfaCode::parse(digits).unwrap()
}

#[test]
fn a_code_is_spent_for_ninety_seconds_and_others_are_not() {
    let (_temp, dir) = place();
    let here = SpentCodes::new(&dir);
    let there = SpentCodes::new(&dir);
    assert_eq!(there.is_spent(&phone(), &code("123456"), at(0)), None);
    assert_eq!(here.mark(&phone(), &code("123456"), at(0)).unwrap(), CodeStatus::Fresh);
    for memory in [&here, &there] {
        assert_eq!(memory.is_spent(&phone(), &code("123456"), at(89)), Some(at(90)));
        assert_eq!(
            memory.mark(&phone(), &code("123456"), at(1)).unwrap(),
            CodeStatus::Spent(at(90))
        );
        assert_eq!(memory.is_spent(&phone(), &code("123456"), at(90)), None);
        assert_eq!(memory.is_spent(&phone(), &code("123457"), at(1)), None);
        let tablet = "arn:aws:iam::111111111111:mfa/tablet".parse().unwrap();
        assert_eq!(memory.is_spent(&tablet, &code("123456"), at(1)), None);
    }
    assert_eq!(there.mark(&phone(), &code("123456"), at(90)).unwrap(), CodeStatus::Fresh);
    there.unmark(&phone(), &code("123456")).unwrap();
    assert_eq!(there.is_spent(&phone(), &code("123456"), at(91)), None);
}

#[test]
fn clocks_may_jump() {
    let (_temp, dir) = place();
    let codes = SpentCodes::new(&dir);
    codes.mark(&phone(), &code("123456"), at(0)).unwrap();
    assert!(codes.is_spent(&phone(), &code("123456"), at(-30)).is_some());
    assert_eq!(codes.is_spent(&phone(), &code("123456"), at(-3600)), None);
    assert_eq!(codes.mark(&phone(), &code("123456"), at(-3600)).unwrap(), CodeStatus::Fresh);
}

#[test]
fn of_all_who_try_one_wins_and_no_mark_is_lost() {
    let (_temp, dir) = place();
    let fresh: usize = std::thread::scope(|scope| {
        let tries: Vec<_> = (0..8)
            .map(|i| {
                let dir = &dir;
                scope.spawn(move || {
                    // A memory of its own: what a process has.
                    let codes = SpentCodes::new(dir);
                    let own = code(&format!("00000{i}"));
                    assert_eq!(codes.mark(&phone(), &own, at(0)).unwrap(), CodeStatus::Fresh);
                    usize::from(
                        codes.mark(&phone(), &code("123456"), at(0)).unwrap() == CodeStatus::Fresh,
                    )
                })
            })
            .collect();
        tries.into_iter().map(|attempt| attempt.join().unwrap()).sum()
    });
    assert_eq!(fresh, 1);
    let later = SpentCodes::new(&dir);
    for i in 0..8 {
        assert!(later.is_spent(&phone(), &code(&format!("00000{i}")), at(1)).is_some());
    }
}

#[test]
fn the_file_says_neither_code_nor_device_and_may_be_damaged() {
    let (_temp, dir) = place();
    let codes = SpentCodes::new(&dir);
    codes.mark(&phone(), &code("123456"), at(0)).unwrap();
    let file = dir.join("spent");
    let bytes = fs::read(&file).unwrap();
    assert!(!bytes.windows(6).any(|window| window == b"123456"));
    assert!(!bytes.windows(6).any(|window| window == b"tanaka"));

    for length in 0..bytes.len() {
        fs::write(&file, &bytes[..length]).unwrap();
        let codes = SpentCodes::new(&dir);
        assert_eq!(codes.is_spent(&phone(), &code("123456"), at(1)), None);
        assert_eq!(codes.mark(&phone(), &code("123456"), at(1)).unwrap(), CodeStatus::Fresh);
        assert!(SpentCodes::new(&dir).is_spent(&phone(), &code("123456"), at(2)).is_some());
    }
}

#[test]
fn where_nothing_can_be_written_the_process_still_remembers() {
    let codes = SpentCodes::new(Path::new("/proc/sekisho"));
    assert!(codes.mark(&phone(), &code("123456"), at(0)).is_err());
    assert_eq!(codes.is_spent(&phone(), &code("123456"), at(1)), Some(at(90)));
    assert_eq!(codes.mark(&phone(), &code("123456"), at(1)).unwrap(), CodeStatus::Spent(at(90)));
}
