use proptest::prelude::*;

use super::*;
use crate::domain::account::{Role, SessionOptions};
use crate::domain::guard::Guard;
use crate::domain::ids::RolePath;

fn account(name: &str, id: &str, aliases: &[&str], roles: &[&str], tags: &[&str]) -> Account {
    let role = |name: &&str| {
        Arc::new(Role {
            name: name.parse().unwrap(),
            path: RolePath::root(),
            duration: std::time::Duration::from_hours(1),
            region: None,
            guard: Guard::None,
            change: None,
            session: SessionOptions::default(),
        })
    };
    Account {
        name: name.parse().unwrap(),
        id: id.parse().unwrap(),
        aliases: aliases.iter().map(|alias| alias.parse().unwrap()).collect(),
        roles: roles.iter().map(role).collect(),
        region: None,
        color: None,
        guard: Guard::None,
        tags: tags.iter().map(|tag| Arc::from(*tag)).collect(),
        note: None,
        is_included: false,
    }
}

fn catalog(accounts: Vec<Account>) -> Arc<Catalog> {
    Arc::new(Catalog::new(accounts, "ap-northeast-1".parse().ok()))
}

fn found(search: &mut Search, query: &str) -> Vec<String> {
    search.filter(query);
    (0..search.len())
        .map(|at| {
            let (account, role) = search.catalog().row(search.hit(at).unwrap());
            format!("{}/{}", account.name, role.name)
        })
        .collect()
}

fn names(query: &str, names: &[&str]) -> Vec<String> {
    let numbered = (0..).zip(names);
    let accounts = numbered.map(|(n, name)| account(name, &format!("{n:012}"), &[], &["R"], &[]));
    let mut search = Search::new(catalog(accounts.collect()), &[]);
    let rows = found(&mut search, query).into_iter();
    rows.map(|row| row.trim_end_matches("/R").to_owned()).collect()
}

#[test]
fn exact_comes_first_then_prefix_word_start_substring_fuzzy() {
    let all = ["d-e-v", "sandevon", "my-dev-1", "dev-tanaka", "dev", "other"];
    assert_eq!(names("dev", &all), ["dev", "dev-tanaka", "my-dev-1", "sandevon", "d-e-v"]);
    assert_eq!(names("DEV", &all), names("ｄｅｖ", &all), "case and width are folded");
    assert_eq!(
        names("tanaka", &["xtanaka", "DevTanaka", "開発tanaka"]),
        ["DevTanaka", "開発tanaka", "xtanaka"]
    );
    assert_eq!(names("a-a", &["xa-a-a"]), ["xa-a-a"]);
    assert!(names("dev", &["vdx"]).is_empty());
}

#[test]
fn japanese_is_found_whole_and_in_parts() {
    let all = ["開発-田中", "開発-鈴木", "本番", "ｶﾞﾝﾏ"];
    assert_eq!(names("田中", &all), ["開発-田中"]);
    assert_eq!(names("開木", &all), ["開発-鈴木"]);
    assert_eq!(names("開発", &all), ["開発-田中", "開発-鈴木"]);
    assert_eq!(names("ガン", &all), ["ｶﾞﾝﾏ"]);
}

fn team() -> Search {
    Search::new(
        catalog(vec![
            account(
                "dev-tanaka",
                "222222222222",
                &["mine"],
                &["Developer", "ReadOnly"],
                &["sandbox", "pay"],
            ),
            account("dev-suzuki", "012345678901", &[], &["Developer"], &["sandbox"]),
            account("開発-田中", "233323332333", &["kaihatsu-tanaka"], &["Developer"], &[]),
        ]),
        &[],
    )
}

#[test]
fn every_word_must_match_somewhere() {
    let mut search = team();
    let tanaka = "dev-tanaka/Developer dev-tanaka/ReadOnly 開発-田中/Developer";
    for (query, rows) in [
        ("tan dev", tanaka),
        ("mine read", "dev-tanaka/ReadOnly"),
        ("only", "dev-tanaka/ReadOnly"),
        ("dev-tanaka/ReadOnly", "dev-tanaka/ReadOnly"),
        ("2222-2222-2222", "dev-tanaka/Developer dev-tanaka/ReadOnly"),
        ("0123", "dev-suzuki/Developer"),
        ("2333", "開発-田中/Developer"),
        ("tag:pay", "dev-tanaka/Developer dev-tanaka/ReadOnly"),
        ("TAG:sand suz", "dev-suzuki/Developer"),
        ("role:read", "dev-tanaka/ReadOnly"),
        ("role:dev tan", "dev-tanaka/Developer 開発-田中/Developer"),
        ("region:northeast suzuki", "dev-suzuki/Developer"),
        ("region:us", ""),
        (
            "tag:",
            "dev-tanaka/Developer dev-tanaka/ReadOnly dev-suzuki/Developer 開発-田中/Developer",
        ),
        ("test", ""),
        ("tan xyz", ""),
    ] {
        assert_eq!(found(&mut search, query).join(" "), rows, "{query}");
    }
    assert_eq!((search.len(), search.total()), (0, 4));
}

#[test]
fn favourites_break_ties_and_nothing_more() {
    let mut search = team();
    let suzuki = "arn:aws:iam::012345678901:role/Developer".parse().unwrap();
    let gone = "arn:aws:iam::999999999999:role/Gone".parse().unwrap();
    search.filter("dev");
    search.rank(&[gone, suzuki]);
    assert_eq!(found(&mut search, "dev")[0], "dev-suzuki/Developer", "a tie");
    assert_eq!(search.ties(), 3, "three names begin with dev, the fourth only its role");
    assert_eq!(found(&mut search, "dev-tanaka")[0], "dev-tanaka/Developer", "exact wins");
    assert_eq!(found(&mut search, "")[0], "dev-suzuki/Developer");
    let row = search.hit(0).unwrap();
    assert_eq!((search.position(row), search.ties()), (Some(0), 4));
    search.filter("田中");
    assert_eq!(search.position(row), None);
}

#[test]
fn the_matched_letters_are_those_that_are_shown() {
    let mut search = team();
    let mut highlight = |query: &str, row| {
        search.filter(query);
        search.highlight(row)
    };
    let first = TargetRef { account: 0, role: 0 };
    let third = TargetRef { account: 2, role: 0 };
    let name = |name: Vec<usize>| Highlight { name, ..Highlight::default() };
    assert_eq!(highlight("tan", first), name(vec![4, 5, 6]));
    assert_eq!(highlight("dtk", first), name(vec![0, 4, 8]), "fuzzy");
    assert_eq!(highlight("田", third), name(vec![7]), "byte offsets");
    assert_eq!(highlight("2222", first).id, [0, 1, 2, 3]);
    assert_eq!(highlight("2-3332", third).id, [0, 1, 2, 3, 4]);
    assert_eq!(highlight("role:dev", first).role, [0, 1, 2]);
    assert_eq!(highlight("north", first).region, [3, 4, 5, 6, 7]);
    assert_eq!(highlight("mine", first), Highlight::default(), "aliases are not in the list");
    assert_eq!(highlight("", first), Highlight::default());
}

/// Words that often match one another, so that narrowing has something to go wrong with.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-c0-2-]{1,4}",
        "[ab開発ガ]{1,3}",
        Just("tag:a".to_owned()),
        Just("role:".to_owned()),
        Just("か\u{3099}".to_owned()),
        Just(" ".to_owned()),
    ]
}

proptest! {
    #[test]
    fn narrowing_finds_what_searching_from_scratch_finds(
        texts in proptest::collection::vec("[a-cA-C開発ガ0-2][a-cA-C0-2開発ガ -]{0,6}[a-c]", 1..20),
        queries in proptest::collection::vec(proptest::collection::vec(piece(), 0..4), 1..8),
    ) {
        let accounts: Vec<Account> = (0u64..).zip(&texts).map(|(n, name)| {
            let id = format!("{:012}", n * 101_010_101);
            account(name, &id, &[], &["Abc", "Cab"], &["ab", "ba"][..usize::from(n % 2 == 0)])
        }).collect();
        let catalog = catalog(accounts);
        let mut typed = Search::new(Arc::clone(&catalog), &[]);
        for query in queries {
            let query: Vec<char> = query.concat().chars().collect();
            // Typed letter by letter, then taken back by half.
            let lengths = (0..=query.len()).chain((query.len() / 2..query.len()).rev());
            for length in lengths {
                let query: String = query[..length].iter().collect();
                let mut fresh = Search::new(Arc::clone(&catalog), &[]);
                prop_assert_eq!(found(&mut typed, &query), found(&mut fresh, &query), "{:?}", query);
                for at in 0..typed.len() {
                    let row = typed.hit(at).unwrap();
                    prop_assert_eq!(typed.position(row), Some(at));
                    let (account, _) = catalog.row(row);
                    let highlight = typed.highlight(row);
                    prop_assert!(highlight.name.iter().all(|at| account.name.as_str().is_char_boundary(*at)));
                }
            }
        }
    }
}
