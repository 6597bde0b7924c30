//! A config made from what another tool already knows: AWS profiles, an organization.

mod accounts;
mod candidates;
pub mod from_profiles;
mod identities;
pub mod merge;
pub mod organization;
pub mod profiles;
mod remarks;
pub mod update;

use std::collections::{HashMap, HashSet};
use std::hash::Hash;

use super::ids::{AccountId, Name};
use super::lookalike;
use super::text::{fold, is_deceptive};

/// The longest foreign name that is kept whole, in characters; it leaves room for an account id.
const MAX_NAME: usize = 100;

pub use identities::OtherIdentity;
pub use remarks::named;

/// The comment beside the guard of what [`is_production`].
const LOOKS_LIKE_PRODUCTION: &str = "looks like production";

/// Whether a name says that it is about production: `prod`, `payments-prd`, `ProdAdmin`, `本番`; not `nonprod`.
fn is_production(name: &str) -> bool {
    let name = fold(&spaced(name));
    if name.contains("本番") {
        return true;
    }
    let words: Vec<&str> =
        name.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    words.iter().enumerate().any(|(at, word)| {
        let word = word.trim_end_matches(|c: char| c.is_ascii_digit());
        let before = at.checked_sub(1).map(|before| words[before]);
        matches!(word, "prod" | "prods" | "production" | "prd" | "live")
            && !before.is_some_and(|before| matches!(before, "non" | "not" | "no" | "pre"))
    })
}

/// With a space before each word of `camelCase`.
fn spaced(name: &str) -> String {
    let mut spaced = String::new();
    let mut before = ' ';
    for c in name.chars() {
        if c.is_uppercase() && before.is_lowercase() {
            spaced.push(' ');
        }
        spaced.push(c);
        before = c;
    }
    spaced
}

/// Each value once, the most frequent first; of equals, the one that came first.
fn ranked<T: Clone + Eq + Hash>(values: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut counts: HashMap<T, usize> = HashMap::new();
    let mut order = Vec::new();
    for value in values {
        let count = counts.entry(value.clone()).or_default();
        *count += 1;
        if *count == 1 {
            order.push(value);
        }
    }
    order.sort_by_key(|value| std::cmp::Reverse(counts.get(value).copied()));
    order
}

fn most<T: Clone + Eq + Hash>(values: impl IntoIterator<Item = T>) -> Option<T> {
    ranked(values).into_iter().next()
}

/// Hands out names that a config takes, each once.
#[derive(Default)]
struct Names {
    folded: HashSet<String>,
}

impl Names {
    /// Those that are free beside the names of a config that is there.
    fn taken<'n>(names: impl Iterator<Item = &'n Name>) -> Self {
        Self { folded: names.map(|name| fold(name.as_str())).collect() }
    }

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
    fn production_is_recognised_and_its_opposite_is_not() {
        for name in [
            "prod",
            "PROD",
            "payments-prod",
            "prod2-eu",
            "acme.production",
            "prd",
            "ProdAdmin",
            "appProd",
            "live",
            "本番-決済",
            "ｐｒｏｄ",
        ] {
            assert!(is_production(name), "{name}");
        }
        for name in [
            "nonprod",
            "non-prod",
            "preprod",
            "pre-prod",
            "product",
            "products",
            "reproduction",
            "dev",
            "delivery",
            "producer",
            "NonProd",
        ] {
            assert!(!is_production(name), "{name}");
        }
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
