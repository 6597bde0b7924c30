//! MFA codes: RFC 6238 with six digits, 30 s and SHA-1, one step either way, each code once.

use std::collections::BTreeSet;

use jiff::Timestamp;
use totp_rs::{Builder, Secret, Totp};

/// The steps already used, by device.
#[derive(Debug, Default)]
pub(super) struct SpentCodes(BTreeSet<(String, u64)>);

/// The code that a device shows at a time.
pub fn code(seed: &[u8; 20], at: Timestamp) -> String {
    totp(seed).generate(seconds(at)).to_string()
}

impl SpentCodes {
    /// Takes a code, once: true when it is one of the device's and was not taken before.
    pub(super) fn take(
        &mut self,
        serial: &str,
        seed: &[u8; 20],
        code: &str,
        now: Timestamp,
    ) -> bool {
        totp(seed)
            .check(code, seconds(now))
            .is_some_and(|step| self.0.insert((serial.to_owned(), step)))
    }
}

fn totp(seed: &[u8; 20]) -> Totp {
    // The other `build` can fail only for digits and seeds that are not these.
    Builder::new().with_secret(Secret::from(*seed)).build_noncompliant()
}

fn seconds(at: Timestamp) -> u64 {
    u64::try_from(at.as_second()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEED: &[u8; 20] = b"12345678901234567890";

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn the_vectors_of_rfc_6238() {
        // Appendix B, SHA-1, the last six of its eight digits.
        for (second, digits) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(code(SEED, at(second)), digits);
        }
    }

    #[test]
    fn one_step_either_way() {
        let now = 1_700_000_000;
        for (offset, accepted) in [(-60, false), (-30, true), (0, true), (30, true), (60, false)] {
            let shown = code(SEED, at(now + offset));
            let taken = SpentCodes::default().take("serial", SEED, &shown, at(now));
            assert_eq!(taken, accepted, "{offset} s");
        }
    }

    #[test]
    fn each_code_once_a_device() {
        let (now, mut spent) = (at(1_700_000_000), SpentCodes::default());
        let shown = code(SEED, now);
        assert!(spent.take("one", SEED, &shown, now));
        assert!(!spent.take("one", SEED, &shown, now));
        assert!(!spent.take("one", SEED, &shown, at(1_700_000_030)));
        assert!(spent.take("two", SEED, &shown, now));
        assert!(!spent.take("one", SEED, "12345", now));
    }
}
