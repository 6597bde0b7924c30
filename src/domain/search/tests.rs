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
            agents: crate::domain::agents::AgentRule::default(),
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
    search.filter(query, None);
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
    search.filter("dev", None);
    search.rank(&[gone, suzuki]);
    assert_eq!(found(&mut search, "dev")[0], "dev-suzuki/Developer", "a tie");
    assert_eq!(search.ties(), 3, "three names begin with dev, the fourth only its role");
    assert_eq!(found(&mut search, "dev-tanaka")[0], "dev-tanaka/Developer", "exact wins");
    assert_eq!(found(&mut search, "")[0], "dev-suzuki/Developer");
    let row = search.hit(0).unwrap();
    assert_eq!((search.position(row), search.ties()), (Some(0), 4));
    search.filter("田中", None);
    assert_eq!(search.position(row), None);
}

#[test]
fn the_matched_letters_are_those_that_are_shown() {
    let mut search = team();
    let mut highlight = |query: &str, row| {
        search.filter(query, None);
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

/// A company as it might be: the queries below are typed into it.
fn company() -> Search {
    let developer = ["Developer", "ReadOnly"];
    let all = ["Developer", "ReadOnly", "Admin"];
    let of = |name: &str, id: &str, aliases: &[&str], roles: &[&str], tags: &[&str]| {
        account(name, id, aliases, roles, tags)
    };
    let in_region = |region: &str, account: Account| Account {
        region: Some(region.parse().unwrap()),
        ..account
    };
    let noted = |note: &str, account: Account| Account { note: Some(note.into()), ..account };
    Search::new(
        catalog(vec![
            of("sandbox-0001", "300000000001", &[], &developer, &["sandbox"]),
            of("sandbox-0042", "300000000042", &[], &developer, &["sandbox"]),
            of("sandbox-0420", "300000000420", &[], &developer, &["sandbox"]),
            of("sandbox-142", "300000000142", &[], &developer, &["sandbox"]),
            of("payments-prod", "420000000002", &[], &all, &["critical"]),
            of("payments-dev", "410000000001", &["pay"], &developer, &["sandbox"]),
            of("payments-staging", "430000000003", &[], &developer, &[]),
            of("platform-prod", "510077770001", &[], &all, &["critical"]),
            of("platform-dev", "520000000002", &[], &developer, &[]),
            noted(
                "owned by the analytics guild",
                of("data-lake-prod", "610000000001", &["lake"], &all, &[]),
            ),
            of("data-lake-dev", "620000000002", &[], &developer, &[]),
            of("developer-tools", "630000000003", &[], &["ReadOnly"], &[]),
            of("dlp-scanner", "640000000004", &[], &["Operator"], &["security"]),
            of("dev-tanaka", "222222222222", &["mine"], &developer, &["sandbox"]),
            of("dev-suzuki", "244424442444", &[], &developer, &["sandbox"]),
            of("dev-satomi", "255525552555", &[], &developer, &["sandbox"]),
            of("dev-sato", "266626662666", &[], &developer, &["sandbox"]),
            of("staging", "710000000001", &[], &developer, &["shared"]),
            in_region(
                "eu-central-1",
                of("staging-eu", "720000000002", &[], &developer, &["shared"]),
            ),
            of("web-prod", "730000000003", &["www"], &all, &["critical"]),
            of("web-dev", "740000000004", &[], &developer, &[]),
            of("café-pos", "750000000005", &[], &["Developer"], &["retail"]),
            of("cafeteria", "760000000006", &[], &["Developer"], &["retail"]),
            of("開発-田中", "233323332333", &["kaihatsu-tanaka"], &["Developer"], &[]),
            of("開発-佐藤", "233423342334", &[], &["Developer"], &["検証"]),
            noted(
                "決済チームの共有アカウント",
                of("本番-決済", "233523352335", &[], &["Developer", "Admin"], &["critical"]),
            ),
            of("ｶﾞﾝﾏ検証", "233623362336", &[], &["Developer"], &[]),
            of("administration", "810000000001", &[], &["ReadOnly"], &[]),
            of("log-archive", "820000000002", &[], &["Auditor"], &["security"]),
            of("security-audit", "830000000003", &[], &["Auditor", "Admin"], &["security"]),
            in_region(
                "us-west-2",
                of("ml-research-gpu", "840000000004", &["gpu"], &developer, &[]),
            ),
            of("MobileAppBeta", "850000000005", &[], &developer, &[]),
            of("backup7", "860000000006", &[], &["Operator"], &[]),
        ]),
        &[],
    )
}

/// Queries, and the row that must come first.
const MEANT: [(&str, &str); 92] = [
    // A whole name, its start, the start of a word in it, a part.
    ("staging", "staging/Developer"),
    ("stag", "staging/Developer"),
    ("web", "web-prod/Developer"),
    ("prod", "payments-prod/Developer"),
    ("lake", "data-lake-prod/Developer"),
    ("tanaka", "dev-tanaka/Developer"),
    ("suzu", "dev-suzuki/Developer"),
    ("zuki", "dev-suzuki/Developer"),
    ("sato", "dev-sato/Developer"),
    ("satom", "dev-satomi/Developer"),
    ("research", "ml-research-gpu/Developer"),
    ("archive", "log-archive/Auditor"),
    ("mobile", "MobileAppBeta/Developer"),
    ("beta", "MobileAppBeta/Developer"),
    ("app", "MobileAppBeta/Developer"),
    // The role does not swamp names.
    ("dlp", "dlp-scanner/Operator"),
    ("dev", "dev-tanaka/Developer"),
    ("developer", "developer-tools/ReadOnly"),
    ("admin", "administration/ReadOnly"),
    ("audit", "security-audit/Auditor"),
    // Several words.
    ("payments dev", "payments-dev/Developer"),
    ("dev payments", "payments-dev/Developer"),
    ("pay prod", "payments-prod/Developer"),
    ("plat dev", "platform-dev/Developer"),
    ("web prod admin", "web-prod/Admin"),
    ("prod admin lake", "data-lake-prod/Admin"),
    ("tan read", "dev-tanaka/ReadOnly"),
    ("payments critical", "payments-prod/Developer"),
    ("eu dev", "staging-eu/Developer"),
    ("kaihatsu", "開発-田中/Developer"),
    // Aliases.
    ("mine", "dev-tanaka/Developer"),
    ("www", "web-prod/Developer"),
    ("gpu", "ml-research-gpu/Developer"),
    ("pay", "payments-dev/Developer"),
    // account/role.
    ("web-prod/admin", "web-prod/Admin"),
    ("lake/adm", "data-lake-prod/Admin"),
    ("dev-sato/ReadOnly", "dev-sato/ReadOnly"),
    ("pay/read", "payments-dev/ReadOnly"),
    // Abbreviated, mistyped.
    ("dvtnk", "dev-tanaka/Developer"),
    ("pymd", "payments-dev/Developer"),
    ("sdbx", "sandbox-0001/Developer"),
    ("mlgpu", "ml-research-gpu/Developer"),
    ("pamyents", "payments-prod/Developer"),
    ("apyments dev", "payments-dev/Developer"),
    ("suzkui", "dev-suzuki/Developer"),
    ("satgin", "staging/Developer"),
    ("platfrom", "platform-prod/Developer"),
    // Numbers.
    ("42", "sandbox-0042/Developer"),
    ("0042", "sandbox-0042/Developer"),
    ("1", "sandbox-0001/Developer"),
    ("420", "sandbox-0420/Developer"),
    ("142", "sandbox-142/Developer"),
    ("7", "backup7/Operator"),
    ("sandbox 42", "sandbox-0042/Developer"),
    ("sbx142", "sandbox-142/Developer"),
    // Ids, with dashes or without.
    ("222222222222", "dev-tanaka/Developer"),
    ("2444-2444", "dev-suzuki/Developer"),
    ("7777", "platform-prod/Developer"),
    ("777", "platform-prod/Developer"),
    ("id:77", "platform-prod/Developer"),
    ("id:840", "ml-research-gpu/Developer"),
    // Japanese, accents, width.
    ("田中", "開発-田中/Developer"),
    ("佐藤", "開発-佐藤/Developer"),
    ("開発", "開発-田中/Developer"),
    ("検証", "開発-佐藤/Developer"),
    ("マ検証", "ｶﾞﾝﾏ検証/Developer"),
    ("ガンマ", "ｶﾞﾝﾏ検証/Developer"),
    ("ｗｅｂ", "web-prod/Developer"),
    ("cafe", "café-pos/Developer"),
    ("café", "café-pos/Developer"),
    // Labels and notes.
    ("retail", "café-pos/Developer"),
    ("tag:sec", "dlp-scanner/Operator"),
    ("role:admin", "payments-prod/Admin"),
    ("role:op scan", "dlp-scanner/Operator"),
    ("region:us", "ml-research-gpu/Developer"),
    ("west", "ml-research-gpu/Developer"),
    ("analytics", "data-lake-prod/Developer"),
    ("guild admin", "data-lake-prod/Admin"),
    ("チーム", "本番-決済/Developer"),
    // As in fzf.
    ("payments !prod", "payments-dev/Developer"),
    ("web !dev", "web-prod/Developer"),
    ("prod !admin !payments", "platform-prod/Developer"),
    ("^dev$", ""),
    ("^stag", "staging/Developer"),
    ("prod$", "payments-prod/Developer"),
    ("^web !prod", "web-dev/Developer"),
    ("'sndbx", ""),
    ("'audit", "security-audit/Auditor"),
    ("^staging$", "staging/Developer"),
    ("!role:developer web", "web-prod/ReadOnly"),
    ("！prod ｗｅｂ", "web-dev/Developer"),
    ("is:live", ""),
];

#[test]
fn people_find_what_they_mean() {
    let mut search = company();
    let mut wrong = Vec::new();
    for (query, first) in MEANT {
        let rows = found(&mut search, query);
        if rows.first().map_or("", String::as_str) != first {
            wrong.push(format!("{query}: not {first} but {rows:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_is_not_meant_is_left_out() {
    let mut search = company();
    for (query, unwanted) in [
        ("dlp", "payments-prod/Developer"),
        ("12", "sandbox-0001/Developer"),
        ("30", "sandbox-0042/Developer"),
        ("payments !prod", "payments-prod/Developer"),
        ("web !admin", "web-prod/Admin"),
        ("^dev", "payments-dev/Developer"),
        ("^dev", "web-prod/Developer"),
        ("dev$", "dev-tanaka/Developer"),
        ("'pymnts", "payments-dev/Developer"),
        ("か", "ｶﾞﾝﾏ検証/Developer"),
        ("243", "sandbox-142/Developer"),
    ] {
        let rows = found(&mut search, query);
        assert!(!rows.iter().any(|row| row == unwanted), "{query}: {rows:?}");
    }
    let all = found(&mut search, "");
    for open in ["!", "'", "^", "$", "tag:", "is:", "id:", "/", "!tag:"] {
        assert_eq!(found(&mut search, open), all, "{open} alone is not a word yet");
    }
    // A role stays where only a part of its name is unwanted.
    assert!(found(&mut search, "web !dev").contains(&"web-prod/Developer".to_owned()));
}

#[test]
fn where_nothing_matches_the_nearest_is_offered() {
    let mut search = company();
    for (query, meant) in [
        ("tanakq", Some("tanaka")),
        ("dev-tanqka", Some("dev-tanaka")),
        ("plattform prod", Some("platform prod")),
        ("paymemts/admin", None),
        ("web adnin", Some("web admin")),
        ("xqzzzy", None),
        ("!web tanakq", Some("!web tanaka")),
        ("tanaka suzuki", None),
    ] {
        assert!(found(&mut search, query).is_empty(), "{query}");
        assert_eq!(search.nearest(query).as_deref(), meant, "{query}");
    }
}

#[test]
fn states_are_asked_for_each_time() {
    let mut search = company();
    let now = Timestamp::from_second(1_800_000_000).unwrap();
    let role =
        |id: &str| -> RoleArn { format!("arn:aws:iam::{id}:role/Developer").parse().unwrap() };
    let (mut status, mut history) = (SessionStatus::default(), History::default());
    let mut rows = |query: &str, status: &SessionStatus, history: &History, now| {
        search.filter(query, Some(&RowStates { status, history, now }));
        let name = |at| search.catalog().row(search.hit(at).unwrap()).0.name.to_string();
        (0..search.len()).map(name).collect::<Vec<_>>()
    };
    assert!(rows("is:live", &status, &history, now).is_empty());
    let expires = now + jiff::SignedDuration::from_secs(60);
    let live = crate::domain::pass::Live { expires, flow: crate::domain::flow::Flow::Shared };
    status.roles.insert(role("222222222222"), live);
    assert_eq!(rows("is:live", &status, &history, now), ["dev-tanaka"]);
    assert_eq!(rows("is:l", &status, &history, now), ["dev-tanaka"], "half typed");
    assert_eq!(rows("dev is:live", &status, &history, now), ["dev-tanaka"]);
    assert!(!rows("dev !is:live", &status, &history, now).is_empty());
    assert!(rows("is:live", &status, &history, expires).is_empty(), "over");
    history.note(&role("266626662666"), crate::domain::history::HistoryEvent::Starred, now);
    assert_eq!(rows("is:starred", &status, &history, now), ["dev-sato"]);
    assert!(rows("is:odd", &status, &history, now).is_empty());
}

/// Words that often match one another, so that narrowing has something to go wrong with.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-c0-2-]{1,5}",
        2 => "[ab開発ガ]{1,3}",
        2 => "[!'^/$é]",
        1 => Just("tag:a".to_owned()),
        1 => Just("role:".to_owned()),
        1 => Just("id:".to_owned()),
        1 => Just("is:".to_owned()),
        1 => Just("か\u{3099}".to_owned()),
        2 => Just(" ".to_owned()),
    ]
}

proptest! {
    #[test]
    fn narrowing_finds_what_searching_from_scratch_finds(
        texts in proptest::collection::vec("[a-cA-C開発ガ0-2é][a-cA-C0-2開発ガ -]{0,6}[a-c]", 1..20),
        queries in proptest::collection::vec(proptest::collection::vec(piece(), 0..4), 1..8),
    ) {
        let accounts: Vec<Account> = (0u64..).zip(&texts).map(|(n, name)| {
            let id = format!("{:012}", n * 101_010_101);
            let tags = &["ab", "ba"][..usize::from(n % 2 == 0)];
            let note = (n % 3 == 0).then(|| "a cab 開発".into());
            Account { note, ..account(name, &id, &[], &["Abc", "Cab"], tags) }
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

    #[test]
    fn an_added_letter_never_brings_a_name_back_unless_it_makes_a_typo(
        names in proptest::collection::vec("[a-c][a-cA-C0-2-]{0,10}[a-c0-2]", 1..12),
        word in "[a-c][a-c0-2]{1,8}",
    ) {
        let numbered = (0u64..).zip(&names);
        let accounts = numbered.map(|(n, name)| account(name, &format!("9{n:011}"), &[], &["R"], &[]));
        let mut search = Search::new(catalog(accounts.collect()), &[]);
        let mut gone: Vec<TargetRef> = Vec::new();
        for length in 1..=word.len() {
            let typed = &word[..length];
            search.filter(typed, None);
            let read = words(typed);
            for row in search.catalog().rows() {
                let matches = search.position(row).is_some();
                if !matches {
                    gone.push(row);
                } else if gone.contains(&row) {
                    let name = search.catalog().row(row).0.name.as_str();
                    let score = search.name_score(&search_fold(name), name, &read[0], MatchKind::Name);
                    prop_assert_eq!(score >> 11, Tier::Typo as Score, "{} came back to {}", name, typed);
                    gone.retain(|other| *other != row);
                }
            }
        }
    }
}
