//! What holds for every text.

use std::fmt::Write as _;

use proptest::prelude::*;

use sekisho::domain::account::{Color, TargetRef};
use sekisho::domain::config::Strictness;
use sekisho::domain::guard::Guard;
use sekisho::domain::ids::Region;

use super::{config, told};

/// A main file that includes others.
const MAIN: &str = "auth: {account: '111111111111', region: us-east-1}
include: [team1.yaml]
defaults: {roles: [R]}
accounts: [{name: own, id: '222222222221', aliases: [mine]}]
";

/// Text that is nearly a config: the grammar's own words in any order.
fn near_yaml() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "auth",
        "accounts",
        "defaults",
        "roles",
        "name",
        "id",
        "policy",
        "tags",
        "keys",
        "min_guard",
        "include",
        ":",
        ": ",
        "- ",
        "\n",
        "  ",
        "\n  - ",
        "{",
        "}",
        "[",
        "]",
        ", ",
        "\"",
        "'",
        "|\n",
        "&a ",
        "*a",
        "<<: ",
        "222222222222",
        "1h",
        "null",
        "!!str ",
        "#",
        "\t",
        "\u{202e}",
        "開発",
        "? ",
        "---\n",
        "%",
        "true",
    ]);
    prop::collection::vec(word, 0..60).prop_map(|words| words.concat())
}

proptest! {
    #[test]
    fn any_text_is_read_or_told_why_not(text in any::<String>(), other in near_yaml()) {
        for text in [&text, &other] {
            for strictness in [Strictness::Tolerant, Strictness::Strict] {
                for main in [text, MAIN] {
                    if let Err(complaints) = config(main, &[text], strictness) {
                        prop_assert!((1..=100).contains(&complaints.len()));
                    }
                }
            }
        }
    }

    /// Whatever stands in an included file, the main file's accounts and the way to sign in stay.
    #[test]
    fn no_include_stops_or_changes_the_main_file(text in near_yaml()) {
        let alone = super::loaded(MAIN, &[]).config;
        let joined = super::loaded(MAIN, &[&text]).config;
        prop_assert_eq!(&alone.auth, &joined.auth);
        prop_assert!(joined.catalog.accounts().starts_with(alone.catalog.accounts()));
    }

    #[test]
    fn what_is_written_is_what_is_read(
        accounts in prop::collection::btree_map(
            "[a-z][a-z0-9-]{0,20}",
            (0..1_000_000_000_000u64, 0..3usize, prop::option::of(15..720u64), "[a-zA-Z0-9 ]{1,20}"),
            1..8,
        ),
    ) {
        let guards = ["none", "warn", "confirm"];
        let mut text = String::from("auth: {account: \"111111111111\", region: us-east-1}\naccounts:\n");
        let mut ids = std::collections::BTreeSet::new();
        let accounts: Vec<_> = accounts.into_iter().filter(|(_, (id, ..))| ids.insert(*id)).collect();
        for (name, (id, guard, minutes, note)) in &accounts {
            let duration = minutes.map(|m| format!(", duration: {m}m")).unwrap_or_default();
            let _ = writeln!(
                text,
                "  - {{name: {name:?}, id: {id:012}, guard: {}, color: red, note: {:?}, roles: [{{name: R{duration}}}]}}",
                guards[*guard], format!("n{note}"),
            );
        }
        let no_includes: [&str; 0] = [];
        let loaded = config(&text, &no_includes, Strictness::Strict).map_err(|c| told(&c)).map_err(TestCaseError::fail)?;
        let read = loaded.config.catalog.accounts();
        prop_assert_eq!(read.len(), accounts.len());
        for (read, (name, (id, guard, minutes, note))) in read.iter().zip(&accounts) {
            prop_assert_eq!(read.name.as_str(), name);
            prop_assert_eq!(read.id.to_string(), format!("{id:012}"));
            prop_assert_eq!(read.guard, [Guard::None, Guard::Warn, Guard::Confirm][*guard]);
            prop_assert_eq!(read.roles[0].duration.as_secs(), minutes.unwrap_or(60) * 60);
            prop_assert_eq!(read.note.clone(), Some(format!("n{note}")));
            prop_assert_eq!(read.color, Some(Color::Red));
        }
        let first = loaded.config.catalog.region(TargetRef { account: 0, role: 0 });
        // The auth account's, where none is named for the accounts.
        prop_assert_eq!(first.map(Region::as_str), Some("us-east-1"));
    }
}
