//! How easily a passphrase is guessed: a lower bound only, what passes may still be weak.
//!
//! What people type instead of choosing (names, common words, runs, repetitions, years) counts as one character each, since
//! those who guess try such parts first.

use super::text::fold;

/// The fewest characters of a passphrase.
const MIN_CHARS: usize = 12;

/// The fewest characters and guessable parts.
const MIN_PARTS: usize = 8;

/// Why a passphrase is easily guessed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Weakness {
    /// Whoever has the file tries all of that length.
    #[error("it has fewer than {MIN_CHARS} characters")]
    Short,
    /// Little is left without names, common words, runs and repetitions.
    #[error("it consists mostly of names, common words, runs or repetitions")]
    Guessable,
}

/// The first words of those who guess.
const COMMON: [&str; 40] = [
    "passphrase",
    "password",
    "passwort",
    "passwd",
    "iloveyou",
    "letmein",
    "welcome",
    "dragon",
    "monkey",
    "sunshine",
    "princess",
    "football",
    "baseball",
    "superman",
    "batman",
    "master",
    "shadow",
    "changeme",
    "qwerty",
    "administrator",
    "admin",
    "root",
    "secret",
    "hello",
    "login",
    "access",
    "sekisho",
    "amazon",
    "cloud",
    "default",
    "trustno1",
    "whatever",
    "company",
    "office",
    "summer",
    "winter",
    "spring",
    "autumn",
    "test",
    "aws",
];

/// Neighbours on a keyboard, by rows and columns.
const ROWS: [&str; 9] = [
    "qwertyuiop",
    "asdfghjkl",
    "zxcvbnm",
    "qwertzuiop",
    "azertyuiop",
    "1qaz2wsx3edc4rfv5tgb6yhn",
    "qazwsxedcrfvtgb",
    "1q2w3e4r5t6y7u8i9o0p",
    "!@#$%^&*()",
];

/// Why a passphrase is easily guessed by somebody who knows these names; `None` where nothing speaks for it.
pub fn weakness(passphrase: &str, names: &[&str]) -> Option<Weakness> {
    if passphrase.chars().count() < MIN_CHARS {
        return Some(Weakness::Short);
    }
    let text: Vec<char> = fold(passphrase).chars().collect();
    let words: Vec<Vec<char>> =
        names.iter().chain(&COMMON).map(|word| plain(&fold(word))).collect();
    let mut parts = 0;
    let mut at = 0;
    while at < text.len() && parts < MIN_PARTS {
        at += guessable(&text, at, &words).max(1);
        parts += 1;
    }
    (parts < MIN_PARTS).then_some(Weakness::Guessable)
}

/// The length of the longest part that is guessed at once, from here; 0 for none.
fn guessable(text: &[char], at: usize, words: &[Vec<char>]) -> usize {
    let rest = &text[at..];
    let read = plain(&rest.iter().collect::<String>());
    let word = words.iter().filter(|word| word.len() > 2 && read.starts_with(word)).map(Vec::len);
    let year = rest.len() >= 4
        && (rest.starts_with(&['1', '9']) || rest.starts_with(&['2', '0']))
        && rest[2..4].iter().all(char::is_ascii_digit);
    word.chain([run(rest), row(rest), repetition(text, at)])
        .chain(year.then_some(4))
        .max()
        .filter(|length| *length > 2)
        .unwrap_or(0)
}

/// Letters as they are meant where digits and signs stand for them.
fn plain(text: &str) -> Vec<char> {
    let meant = |c| match c {
        '0' => 'o',
        '1' | '!' => 'i',
        '3' => 'e',
        '4' | '@' => 'a',
        '5' | '$' => 's',
        '7' => 't',
        other => other,
    };
    text.chars().map(meant).collect()
}

/// How many characters follow each other as in `abcd`, `4321` or `aaaa`.
fn run(text: &[char]) -> usize {
    let step = |pair: &[char]| i64::from(u32::from(pair[1])) - i64::from(u32::from(pair[0]));
    let steps: Vec<i64> = text.windows(2).map(step).collect();
    match steps.first() {
        Some(first) if first.abs() <= 1 => {
            1 + steps.iter().take_while(|step| *step == first).count()
        }
        _ => 0,
    }
}

/// How many characters are neighbours on a keyboard, in either direction.
fn row(text: &[char]) -> usize {
    let forwards = ROWS.iter().map(|row| row.chars().collect::<Vec<char>>());
    let both = forwards.flat_map(|row| [row.clone(), row.into_iter().rev().collect()]);
    let common = |row: Vec<char>| {
        let from = |start: usize| row[start..].iter().zip(text).take_while(|(a, b)| a == b).count();
        (0..row.len()).map(from).max().unwrap_or(0)
    };
    both.map(common).max().unwrap_or(0)
}

/// How many characters from here repeat what stands before them.
fn repetition(text: &[char], at: usize) -> usize {
    let same =
        |from: usize| text[at..].iter().zip(&text[from..]).take_while(|(a, b)| a == b).count();
    (0..at).map(same).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_guessed_first_is_told_from_what_is_not() {
        let names = ["tanaka", "111111111111", "dev-payments"];
        for (passphrase, expected) in [
            ("abc", Some(Weakness::Short)),
            ("Xk3-plume-7", Some(Weakness::Short)),
            ("aaaaaaaaaaaaaaaa", Some(Weakness::Guessable)),
            ("abcabcabcabcabc", Some(Weakness::Guessable)),
            ("abcdefghijklmnop", Some(Weakness::Guessable)),
            ("123456789012345", Some(Weakness::Guessable)),
            ("qwertyuiop[]asdf", Some(Weakness::Guessable)),
            ("1qaz2wsx3edc!QAZ", Some(Weakness::Guessable)),
            ("password1234", Some(Weakness::Guessable)),
            ("P@ssw0rd-2026!", Some(Weakness::Guessable)),
            ("passphrasepassphrase", Some(Weakness::Guessable)),
            ("Tanaka-Tanaka-1", Some(Weakness::Guessable)),
            ("tanaka111111111111", Some(Weakness::Guessable)),
            ("sekisho-aws-2026", Some(Weakness::Guessable)),
            ("dev-payments-admin", Some(Weakness::Guessable)),
            ("ｐａｓｓｗｏｒｄ１２３４", Some(Weakness::Guessable)),
            ("correct horse battery staple", None),
            ("Correct-Horse-CANARY", None),
            ("关所关所的旧路上有三棵松树和桥", None),
            ("sankt-florian hilft nie", None),
            ("w7Kq.ZtR2vLp", None),
        ] {
            assert_eq!(weakness(passphrase, &names), expected, "{passphrase}");
        }
    }
}
