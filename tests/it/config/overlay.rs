//! The main file laid over included ones: who wins, and what nobody can loosen.

use sekisho::domain::account::{Account, Overrides};
use sekisho::domain::config::Loaded;
use sekisho::domain::guard::Guard;

use super::{loaded, told};

const HEAD: &str =
    "auth: {account: \"111111111111\", region: us-east-1}\ninclude: [team1.yaml, team2.yaml]\n";

fn account<'l>(loaded: &'l Loaded, name: &str) -> &'l Account {
    let catalog = &loaded.config.catalog;
    catalog.row(catalog.find(name).unwrap()).0
}

#[test]
fn an_entry_in_the_main_file_overlays_the_included_account() {
    let team = "
defaults: {roles: [Developer, Admin], region: eu-west-1}
accounts:
  - {name: sandbox-17, id: '222222222222', color: red, guard: warn, tags: [sandbox], note: theirs}
  - {name: other, id: '222222222223'}
  - {name: noise, id: '222222222224'}
";
    let main = format!(
        "{HEAD}accounts:
  - {{id: '222222222222', name: mine, aliases: [m], color: green, guard: none, tags: [own], note: ours, region: us-west-2}}
  - {{id: '222222222224', hide: true}}
"
    );
    let loaded = loaded(&main, &[team]);
    assert_eq!(told(&loaded.warnings), "");
    let mine = account(&loaded, "m");
    assert_eq!(mine.name.as_str(), "mine");
    assert_eq!(mine.note.as_deref(), Some("ours"));
    assert_eq!(mine.tags, ["own".into()]);
    assert_eq!(mine.region.as_ref().unwrap().as_str(), "us-west-2");
    assert_eq!(mine.roles.len(), 2);
    assert_eq!(mine.guard, Guard::Warn, "an overlay loosened a guard");
    assert!(loaded.config.catalog.find("sandbox-17").is_err());
    assert!(loaded.config.catalog.find("noise").is_err());
    assert_eq!(loaded.config.catalog.accounts().len(), 2);
}

#[test]
fn guards_combine_to_the_strictest() {
    let team = "
accounts:
  - {name: a, id: '222222222222', roles: [{name: Admin, guard: confirm}, Developer], tags: [Production]}
  - {name: b, id: '222222222223', roles: [Admin, Developer], guard: confirm}
";
    let main = format!(
        "{HEAD}min_guard: {{production: warn, ADMIN: warn}}
accounts:
  - {{id: '222222222222', roles: [Admin, Developer]}}
  - {{id: '222222222223', guard: none}}
"
    );
    let loaded = loaded(&main, &[team]);
    let guard = |target: &str| {
        let catalog = &loaded.config.catalog;
        catalog.resolve(catalog.find(target).unwrap(), &Overrides::default()).guard
    };
    assert_eq!(guard("a/Admin"), Guard::Confirm, "the main file's role list dropped the guard");
    assert_eq!(guard("a/Developer"), Guard::Warn);
    assert_eq!(guard("b/Developer"), Guard::Confirm);
    assert_eq!(account(&loaded, "b").roles[0].guard, Guard::Warn);
}

#[test]
fn what_agents_get_is_the_strictest_of_the_included_files_and_the_own_word() {
    let teams = [
        "
defaults: {roles: [Developer], agents: read-only}
accounts:
  - {name: a, id: '222222222222', roles: [{name: Admin, agents: refuse}, Developer]}
  - {name: b, id: '222222222223', agents: full, guard: warn}
  - {name: c, id: '222222222224', agents: full}
  - {name: d, id: '222222222225', guard: confirm}
",
        "
defaults: {roles: [Developer], agents: refuse}
accounts:
  - {name: c, id: '222222222224'}
",
    ];
    let gets = |main: &str| {
        let loaded = loaded(&format!("{HEAD}{main}"), &teams);
        let catalog = &loaded.config.catalog;
        let names = ["a/Admin", "a/Developer", "b", "c", "d"];
        names.map(|name| {
            let row = catalog.find(name).unwrap();
            catalog.resolve(row, &Overrides::default()).agents.name()
        })
    };
    let alone = ["refuse", "read-only", "read-only", "refuse", "refuse"];
    assert_eq!(gets(""), alone, "`full` in an included file lets nobody in");
    // The person's own word goes before what follows from the guard, and not below what included files say.
    let own = "accounts:
  - {id: '222222222222', roles: [Admin, {name: Developer, agents: refuse}]}
  - {id: '222222222223', agents: full}
  - {id: '222222222224', agents: full}
";
    assert_eq!(gets(own), ["refuse", "refuse", "full", "refuse", "refuse"]);
    let full = "defaults: {agents: full}";
    assert_eq!(gets(full), ["refuse", "read-only", "full", "refuse", "read-only"]);
    assert_eq!(gets("defaults: {agents: refuse}"), ["refuse"; 5]);
}

#[test]
fn an_included_file_takes_nothing_from_the_main_one() {
    let main = format!(
        "{HEAD}defaults: {{roles: [R]}}
min_guard: {{production: confirm, Production: warn}}
accounts:
  - {{name: mine, id: '222222222222'}}
  - {{name: x, id: '222222222223', tags: [own]}}
"
    );
    let thief = "
accounts:
  - {name: foo, id: '222222222222', aliases: [X], hide: true, note: added}
  - {name: bar, id: '222222222223', tags: [PRODUCTION]}
  - {name: '2222-2222-2222', id: '222222222224'}
  - {name: free, id: '222222222225', aliases: [mine]}
  - {name: later, id: '222222222226', aliases: [free]}
";
    let loaded = loaded(&main, &[thief]);
    let mine = account(&loaded, "mine");
    assert_eq!(
        (mine.id.to_string().as_str(), mine.note.as_deref()),
        ("222222222222", Some("added"))
    );
    assert_eq!(account(&loaded, "X").name.as_str(), "x");
    assert_eq!(account(&loaded, "x").guard, Guard::Confirm, "replacing a tag dropped its guard");
    assert_eq!(account(&loaded, "222222222222").name.as_str(), "mine");
    // An entry that was dropped holds no name.
    assert_eq!(account(&loaded, "free").name.as_str(), "later");
    assert_eq!(loaded.config.catalog.accounts().len(), 3);
}

#[test]
fn each_file_has_its_own_defaults_and_the_main_files_fill_in() {
    let europe = "
defaults: {roles: [Team], region: cn-north-1}
accounts: [{name: theirs, id: '222222222223'}]
";
    let plain = "accounts: [{name: plain, id: '222222222224'}]";
    let main = format!(
        "{HEAD}defaults: {{roles: [Developer], region: us-west-2, duration: 30m}}
accounts: [{{name: own, id: '222222222222'}}]
"
    );
    let loaded = loaded(&main, &[europe, plain]);
    let catalog = &loaded.config.catalog;
    let target = |name: &str| catalog.resolve(catalog.find(name).unwrap(), &Overrides::default());
    assert_eq!(target("own").role.as_str(), "arn:aws:iam::222222222222:role/Developer");
    assert_eq!(target("theirs").role.as_str(), "arn:aws-cn:iam::222222222223:role/Team");
    assert_eq!(target("plain").role.as_str(), "arn:aws:iam::222222222224:role/Developer");
    assert_eq!(target("plain").region.unwrap().as_str(), "us-west-2");
    assert_eq!(target("theirs").duration.as_secs(), 1800);
}

#[test]
fn an_account_that_left_the_included_file_stops_nobody() {
    let main =
        format!("{HEAD}defaults: {{roles: [R]}}\naccounts: [{{id: '222222222222', note: mine}}]\n");
    let loaded = loaded(&main, &["accounts: []"]);
    assert!(told(&loaded.warnings).contains("no included file has 222222222222"));
}

#[test]
fn ordinary_names_look_like_none_other() {
    let main = format!(
        "{HEAD}defaults: {{roles: [R]}}
accounts:
  - {{name: 開発-田中, id: '222222222222', aliases: [kaihatsu, テスト環境-dev, ｶﾞ]}}
  - {{name: 개발-dev, id: '222222222223', aliases: [ไทย-dev, тест, Παπα]}}
  - {{name: Müller R&D 100%, id: '222222222224', aliases: [Ünal, ẹ́kọ́, \"Mu\\u0308nz\"]}}
  - {{name: dev-00001, id: '222222222225', aliases: [dev-O0001, DEV-0000l]}}
"
    );
    assert_eq!(told(&loaded(&main, &[]).warnings), "");
}
