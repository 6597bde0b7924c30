//! A config made from what another tool already knows: AWS profiles, an organisation.

pub mod from_profiles;
pub mod organization;
pub mod profiles;
mod remarks;

use std::collections::HashSet;

use super::ids::{AccountId, Name};
use super::lookalike;
use super::text::{fold, is_deceptive};

/// The longest foreign name that is kept whole, in characters; it leaves room for an account id.
const MAX_NAME: usize = 100;

/// Hands out names that a config takes, each once.
#[derive(Default)]
struct Names {
    folded: HashSet<String>,
}

impl Names {
    /// The nearest free name to a foreign one.
    fn name(&mut self, foreign: &str, id: AccountId) -> Name {
        let clean: String = lookalike::without_misuse(foreign)
            .chars()
            .filter(|c| !is_deceptive(*c))
            .map(|c| if c == '/' { '-' } else { c })
            .take(MAX_NAME)
            .collect();
        let clean = clean.trim_start_matches(|c: char| c == '-' || c.is_whitespace());
        let clean = match clean.trim_end() {
            "" => "account",
            clean => clean,
        };
        let mut tried = 0_u32;
        loop {
            let wanted = match tried {
                0 => clean.to_owned(),
                1 => format!("{clean}-{id}"),
                n => format!("{clean}-{id}-{n}"),
            };
            tried += 1;
            if let Ok(name) = wanted.parse::<Name>()
                && !reads_as_id(&wanted)
                && self.folded.insert(fold(&wanted))
            {
                return name;
            }
        }
    }
}

/// Whether a name looks like an account's id, which the config accepts only as the name of that account.
fn reads_as_id(name: &str) -> bool {
    fold(name).replace('-', "").parse::<AccountId>().is_ok()
}

/// What the profiles of one account have in common: `dev` of `dev-admin` and `dev-readonly`; else the first.
fn shared_part<'a>(profiles: &[&'a str]) -> &'a str {
    let is_separator = |c: char| "-_./@:+ ".contains(c);
    let Some((first, others)) = profiles.split_first() else {
        return "";
    };
    // Every part of the first that starts it or ends it, the longest first.
    let ends = first.match_indices(is_separator).map(|(at, _)| &first[..at]).rev();
    let starts = first.match_indices(is_separator).map(|(at, c)| &first[at + c.len()..]);
    let starts_with = |part: &str| {
        others.iter().all(|other| {
            let rest = other.strip_prefix(part);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(is_separator))
        })
    };
    let ends_with = |part: &str| {
        others.iter().all(|other| {
            let rest = other.strip_suffix(part);
            rest.is_some_and(|rest| rest.is_empty() || rest.ends_with(is_separator))
        })
    };
    let is_word = |part: &&str| part.chars().any(char::is_alphanumeric);
    std::iter::once(*first)
        .chain(ends)
        .filter(is_word)
        .find(|part| starts_with(part))
        .or_else(|| starts.filter(is_word).find(|part| ends_with(part)))
        .unwrap_or(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_fit_and_unique() {
        let mut names = Names::default();
        let id: AccountId = "222222222222".parse().unwrap();
        let mut name = |text: &str| names.name(text, id).to_string();
        assert_eq!(name("team/dev"), "team-dev");
        assert_eq!(name("--team-dev "), "team-dev-222222222222");
        assert_eq!(name("ＴＥＡＭ-dev"), "ＴＥＡＭ-dev-222222222222-2");
        assert_eq!(name("\u{202e}\u{0}"), "account");
        assert_eq!(name("\u{e000}p\u{332}ro\u{301}d\u{378}"), "prod");
        assert_eq!(name("333333333333"), "333333333333-222222222222");
        assert_eq!(name("開発 環境"), "開発 環境");
        assert_eq!(name(&"x".repeat(500)).len(), MAX_NAME);
    }

    #[test]
    fn what_profiles_share_names_their_account() {
        for (profiles, shared) in [
            (&["dev"][..], "dev"),
            (&["dev-admin", "dev-readonly"], "dev"),
            (&["dev", "dev/admin"], "dev"),
            (&["team-a1", "team-a2"], "team"),
            (&["admin@dev", "reader@dev"], "dev"),
            (&["開発 admin", "開発 reader"], "開発"),
            (&["left", "right"], "left"),
            (&["-a", "-b"], "-a"),
        ] {
            assert_eq!(shared_part(profiles), shared, "{profiles:?}");
        }
    }
}
