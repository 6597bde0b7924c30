//! What a name stood for is remembered: an included target that changes asks for its name.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::PathBuf;

use sekisho::domain::account::Overrides;
use sekisho::domain::config::{Loaded, Strictness};
use sekisho::domain::guard::Guard;
use sekisho::domain::known::Known;
use sekisho::services::config::cache::{self, LoadedConfig};
use sekisho::services::config::known::KnownFile;
use sekisho::services::config::paths::{Paths, RuntimeDir};

use super::{config_with, large, told};

const HEAD: &str = "auth: {account: \"111111111111\", region: us-east-1}
include: [team1.yaml, team2.yaml]
";

const MAIN: &str = "auth: {account: \"111111111111\", region: us-east-1}
include: [team1.yaml, team2.yaml]
min_guard: {production: confirm, Crown: warn}
";

const PAY: &str =
    "accounts: [{name: payments, id: '333333333333', aliases: [pay], roles: [Developer, Admin]}]";

/// Readings of a config, one after the other, and what is remembered between them.
#[derive(Default)]
struct Readings(Known);

impl Readings {
    fn of(main: &str, includes: &[&str]) -> Self {
        let mut readings = Self::default();
        assert_eq!(readings.changed(main, includes), [""; 0], "what is new has not changed");
        readings
    }

    fn read(&mut self, main: &str, includes: &[&str]) -> Loaded {
        let mut loaded = config_with(&self.0, main, includes, Strictness::Tolerant)
            .map_err(|e| told(&e))
            .unwrap();
        // As in its file.
        let json = serde_json::to_string(&loaded.known).unwrap();
        self.0 = serde_json::from_str(&json).unwrap();
        assert_eq!(self.0, loaded.known);
        let waiting = loaded.config.catalog.changed().count();
        let is_said = loaded.warnings.first().is_some_and(|warning| {
            warning.what.starts_with(&format!("{waiting} included target"))
                && warning.fix.as_ref().unwrap().contains("sekisho config accept")
        });
        assert_eq!(is_said, waiting > 0, "{:?}", loaded.warnings);
        loaded.warnings.retain(|warning| !warning.what.contains("included target"));
        loaded
    }

    /// The targets that have changed, each with how.
    fn changed(&mut self, main: &str, includes: &[&str]) -> Vec<String> {
        let loaded = self.read(main, includes);
        let catalog = &loaded.config.catalog;
        let targets = catalog.rows().map(|row| catalog.resolve(row, &Overrides::default()));
        let changed = targets.filter(|target| target.change.is_some());
        changed
            .map(|target| {
                assert_eq!(target.guard, Guard::Confirm, "{target}");
                format!("{target}: {}", target.changes().join("; "))
            })
            .collect()
    }

    /// Accepts what an account is now.
    fn accept(&mut self, main: &str, includes: &[&str], account: &str) {
        let loaded = self.read(main, includes);
        let catalog = &loaded.config.catalog;
        let id = catalog.row(catalog.find(account).unwrap()).0.id;
        let read = loaded.read.iter().find(|read| read.id == id).unwrap();
        self.0.accept(read);
    }
}

#[test]
fn another_account_behind_a_name_asks_until_it_is_accepted() {
    let mut readings = Readings::of(MAIN, &[PAY]);
    assert_eq!(readings.changed(MAIN, &[PAY]), [""; 0]);
    let other = &PAY.replace("333333333333", "444444444444");
    let expected = [
        "payments/Developer: payments was arn:aws:iam::333333333333:role/Developer, now it is \
         arn:aws:iam::444444444444:role/Developer",
        "payments/Admin: payments was arn:aws:iam::333333333333:role/Admin, now it is \
         arn:aws:iam::444444444444:role/Admin",
    ];
    for _ in 0..3 {
        assert_eq!(readings.changed(MAIN, &[other]), expected);
    }
    assert_eq!(readings.changed(MAIN, &[PAY]), [""; 0], "it is back");
    readings.accept(MAIN, &[other], "pay");
    assert_eq!(readings.changed(MAIN, &[other]), [""; 0]);
    assert_eq!(readings.changed(MAIN, &[PAY]).len(), 2, "now this is the change");
}

#[test]
fn what_an_included_file_takes_away_asks() {
    let pay = |id: &str, more: &str, role: &str| {
        format!("accounts: [{{name: pay, id: '{id}', {more} roles: [{role}]}}]")
    };
    let three = "333333333333";
    let confirm = pay(three, "guard: confirm,", "Developer");
    let plain = pay(three, "", "Developer");
    let overlay = format!("{MAIN}accounts: [{{name: mine, id: '{three}', roles: [Developer]}}]\n");
    let lowered = "mine/Developer: its guard was `confirm`, now included files say `none`";
    let by_typo = pay(three, "guard: confrim,", "Developer");
    for (what, main, before, after, expected) in [
        (
            "an account's guard",
            MAIN,
            vec![&confirm],
            vec![&plain],
            "its guard was `confirm`, now included files say `none`",
        ),
        (
            "a role's guard",
            MAIN,
            vec![&pay(three, "", "{name: Developer, guard: warn}")],
            vec![&plain],
            "its guard was `warn`, now included files say `none`",
        ),
        (
            "a tag that min_guard knows",
            MAIN,
            vec![&pay(three, "tags: [Production],", "Developer")],
            vec![&plain],
            "its guard was `confirm`, now included files say `none`",
        ),
        ("one of two files", MAIN, vec![&plain, &confirm], vec![&plain], "its guard was `confirm`"),
        (
            "a slip in one of two files",
            MAIN,
            vec![&plain, &confirm],
            vec![&plain, &by_typo],
            "its guard was `confirm`",
        ),
        ("the file under an overlay", &overlay, vec![&confirm], vec![], lowered),
        ("the entry under an overlay", &overlay, vec![&confirm], vec![&by_typo], lowered),
        (
            "the role's path",
            MAIN,
            vec![&plain],
            vec![&pay(three, "", "{name: Developer, path: /x/}")],
            "pay/Developer was arn:aws:iam::333333333333:role/Developer, now it is arn:aws:iam::333333333333:role/x/Developer",
        ),
        (
            "the partition",
            MAIN,
            vec![&plain],
            vec![&pay(three, "region: cn-north-1,", "Developer")],
            "now it is arn:aws-cn:iam::333333333333:role/Developer",
        ),
        (
            "the role that the name alone means",
            MAIN,
            vec![&plain],
            vec![&pay(three, "", "Admin, Developer")],
            "pay/Admin: pay was arn:aws:iam::333333333333:role/Developer, now it is arn:aws:iam::333333333333:role/Admin",
        ),
    ] {
        asks(what, main, &before, &after, expected);
    }
}

#[test]
fn an_included_file_that_lets_agents_have_more_asks() {
    let pay = |more: &str, role: &str| {
        format!("accounts: [{{name: pay, id: '333333333333', {more} roles: [{role}]}}]")
    };
    let plain = pay("", "Developer");
    for (what, before, after, expected) in [
        (
            "an account's word about agents",
            vec![&pay("agents: refuse,", "Developer")],
            vec![&plain],
            "its `agents` was `refuse`, now included files say `full`",
        ),
        (
            "a role's word about agents, under one for its account",
            vec![&pay("agents: read-only,", "{name: Developer, agents: refuse}")],
            vec![&pay("agents: read-only,", "Developer")],
            "its `agents` was `refuse`, now included files say `read-only`",
        ),
        (
            "the word of a file's defaults about agents",
            vec![&format!("defaults: {{agents: refuse}}\n{plain}")],
            vec![&plain],
            "its `agents` was `refuse`, now included files say `full`",
        ),
        (
            "a word about agents in one of two files",
            vec![&plain, &pay("agents: refuse,", "Developer")],
            vec![&plain],
            "its `agents` was `refuse`",
        ),
    ] {
        asks(what, MAIN, &before, &after, expected);
    }
}

/// One target asks, time after time, until that is accepted.
fn asks(what: &str, main: &str, before: &[&String], after: &[&String], expected: &str) {
    let before: Vec<&str> = before.iter().map(|text| text.as_str()).collect();
    let after: Vec<&str> = after.iter().map(|text| text.as_str()).collect();
    let mut readings = Readings::of(main, &before);
    for _ in 0..2 {
        let changed = readings.changed(main, &after);
        assert_eq!(changed.len(), 1, "{what}: {changed:?}");
        assert!(changed[0].contains(expected), "{what}: {changed:?}");
    }
    let account = changed_account(main);
    readings.accept(main, &after, account);
    assert_eq!(readings.changed(main, &after), [""; 0], "{what} is accepted");
    assert_eq!(readings.changed(main, &after), [""; 0], "{what} stays accepted");
}

#[test]
fn what_the_main_file_or_a_guard_still_keeps_from_agents_asks_for_nothing() {
    let pay = |more: &str| {
        format!("accounts: [{{name: pay, id: '333333333333', {more} roles: [Developer]}}]")
    };
    let refuse = format!("{MAIN}accounts: [{{id: '333333333333', agents: refuse}}]\n");
    for (main, before, after) in [
        (refuse.as_str(), "agents: refuse,", ""),
        (MAIN, "agents: refuse, guard: confirm,", "guard: confirm,"),
        (MAIN, "", "agents: refuse,"),
        (MAIN, "agents: full,", ""),
    ] {
        let mut readings = Readings::of(main, &[&pay(before)]);
        assert_eq!(readings.changed(main, &[&pay(after)]), [""; 0], "{before} {after}");
    }
}

fn changed_account(main: &str) -> &'static str {
    if main.contains("name: mine") { "mine" } else { "pay" }
}

#[test]
fn what_vanishes_is_remembered_until_it_comes_back() {
    let confirm = PAY.replace("aliases", "guard: confirm, aliases");
    let mut readings = Readings::of(MAIN, &[&confirm]);
    for gone in [&["accounts: []"][..], &[], &[&confirm.replace("confirm", "confrim")]] {
        assert_eq!(readings.changed(MAIN, gone), [""; 0]);
    }
    assert_eq!(readings.changed(MAIN, &[PAY]).len(), 2, "it is back without its guard");
    let other = confirm.replace("333333333333", "444444444444");
    assert_eq!(readings.changed(MAIN, &[&other]).len(), 2, "it is back as another");
    assert_eq!(readings.changed(MAIN, &[&confirm]), [""; 0]);
}

#[test]
fn a_role_that_vanishes_is_remembered_until_it_comes_back() {
    let roles = |admin: &str| PAY.replace("Admin", admin);
    let guarded = roles("{name: Admin, guard: confirm}");
    let mut readings = Readings::of(MAIN, &[&guarded]);
    for _ in 0..2 {
        assert_eq!(readings.changed(MAIN, &[&PAY.replace(", Admin", "")]), [""; 0]);
    }
    assert_eq!(
        readings.changed(MAIN, &[PAY]),
        ["payments/Admin: its guard was `confirm`, now included files say `none`"]
    );
    assert_eq!(readings.changed(MAIN, &[&guarded]), [""; 0]);
    readings.accept(MAIN, &[PAY], "pay");
    assert_eq!(readings.changed(MAIN, &[PAY]), [""; 0]);
}

#[test]
fn an_alias_that_moves_asks_where_it_leads_now() {
    let two = |pay: &str, live: &str| {
        format!(
            "accounts:\n  - {{name: a, id: '333333333333', aliases: [{pay}], roles: [R]}}\n  \
             - {{name: b, id: '444444444444', aliases: [{live}], roles: [R]}}\n"
        )
    };
    let mut readings = Readings::of(MAIN, &[&two("pay, PAY2", "live")]);
    assert_eq!(
        readings.changed(MAIN, &[&two("pay", "live, Pay2")]),
        [
            "b/R: pay2 was arn:aws:iam::333333333333:role/R, now it is arn:aws:iam::444444444444:role/R"
        ]
    );
    assert_eq!(readings.changed(MAIN, &[&two("live", "pay")]).len(), 2, "they are swapped");
    let swapped = two("live, new", "pay");
    readings.accept(MAIN, &[&swapped], "a");
    assert_eq!(readings.changed(MAIN, &[&swapped]).len(), 1, "the other is not accepted yet");
    readings.accept(MAIN, &[&swapped], "b");
    assert_eq!(readings.changed(MAIN, &[&swapped]), [""; 0]);
    // A name that is dropped may come back to where it was, and nowhere else.
    assert_eq!(readings.changed(MAIN, &[&two("live", "x")]), [""; 0]);
    assert_eq!(readings.changed(MAIN, &[&two("live", "pay")]), [""; 0]);
    assert_eq!(readings.changed(MAIN, &[&two("live, pay", "x")]).len(), 1);
}

#[test]
fn the_main_file_is_the_persons_own_word() {
    let confirm = PAY.replace("aliases", "guard: confirm, aliases");
    let crown = PAY.replace("aliases", "tags: [production], aliases");
    let own = |id: &str, guard: &str| {
        format!("{MAIN}accounts: [{{name: own, id: '{id}', guard: {guard}, roles: [Developer]}}]\n")
    };
    let overlay = |more: &str| format!("{MAIN}accounts: [{{id: '333333333333', {more}}}]\n");
    let roles = |path: &str| format!("{MAIN}defaults: {{roles: [{{name: R, path: {path}}}]}}\n");
    let bare = "accounts: [{name: bare, id: '333333333333'}]";
    for (what, before, after) in [
        (
            "a target of its own",
            (own("222222222222", "confirm"), vec![]),
            (own("222222222223", "none"), vec![]),
        ),
        (
            "its part of a guard",
            (overlay("guard: confirm"), vec![PAY]),
            (overlay("note: n"), vec![PAY]),
        ),
        (
            "min_guard",
            (MAIN.to_owned(), vec![&crown]),
            (MAIN.replace("production: confirm, ", ""), vec![&crown]),
        ),
        ("a name", (overlay("name: x"), vec![PAY]), (overlay("name: y"), vec![PAY])),
        (
            "a name that was included",
            (MAIN.to_owned(), vec![PAY]),
            (own("222222222222", "none").replace("own", "pay"), vec![]),
        ),
        (
            "an account that it takes over",
            (MAIN.to_owned(), vec![&confirm]),
            (own("333333333333", "none").replace("own", "payments"), vec![]),
        ),
        ("its default roles", (roles("/a/"), vec![bare]), (roles("/b/"), vec![bare])),
        ("its roles", (overlay("roles: [A]"), vec![PAY]), (overlay("roles: [B]"), vec![PAY])),
    ] {
        let mut readings = Readings::of(&before.0, &before.1);
        assert_eq!(readings.changed(&after.0, &after.1), [""; 0], "{what}");
    }
}

#[test]
fn what_is_new_or_stricter_is_remembered_at_once() {
    let new = "accounts: [{name: new, id: '444444444444', roles: [R]}]";
    let stricter = PAY.replace("aliases", "guard: warn, aliases");
    let mut readings = Readings::of(MAIN, &[PAY]);
    assert_eq!(readings.changed(MAIN, &[&stricter]), [""; 0]);
    assert_eq!(readings.changed(MAIN, &[PAY, new]).len(), 2, "the guard of a moment ago is known");
    let moved = new.replace("444444444444", "555555555555");
    assert_eq!(readings.changed(MAIN, &[&stricter, &moved]).len(), 1, "so is the new one");
}

#[test]
fn ten_thousand_included_accounts_are_remembered_and_compared() {
    let include = large(10_000).split_once("defaults:").unwrap().1.to_owned();
    let include = format!("defaults:{include}");
    let mut readings = Readings::of(MAIN, &[&include]);
    assert_eq!(readings.0.len(), 10_000);
    let one = include.replace("\"200000000017\"", "\"300000000017\"");
    assert_eq!(readings.changed(MAIN, &[&one]).len(), 3);
}

/// A home with a config, an included file and sekisho's directories.
struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Self {
        let home = Self(tempfile::tempdir().unwrap());
        home.write("config.yaml", HEAD);
        home.write("team1.yaml", PAY);
        home.write("team2.yaml", "");
        home
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(0o600)).unwrap();
    }

    fn load(&self) -> LoadedConfig {
        let [config, state, cache] = ["", "state", "cache"].map(|name| self.path(name));
        let paths = Paths { home: self.path(""), config, state, cache, runtime: RuntimeDir::Unset };
        cache::load(&self.path("config.yaml"), &paths).unwrap()
    }

    fn memory(&self) -> PathBuf {
        let names = fs::read_dir(self.path("state")).unwrap().map(|file| file.unwrap().path());
        let mut files = names.filter(|path| path.extension().is_some_and(|end| end == "json"));
        files.next().unwrap()
    }
}

fn changed(loaded: &LoadedConfig) -> usize {
    loaded.config.catalog.changed().count()
}

#[test]
fn a_lost_or_damaged_memory_is_none_and_said_once() {
    let home = Home::new();
    let moved = PAY.replace("333333333333", "444444444444");
    let begun = "1 included account remembered";
    let said = home.load().warnings;
    assert!(said.len() == 1 && said[0].starts_with(begun), "{said:?}");
    assert_eq!(home.load().warnings, [""; 0]);
    assert_eq!(fs::metadata(home.memory()).unwrap().mode() & 0o777, 0o600);
    home.write("team1.yaml", &moved);
    assert_eq!(changed(&home.load()), 2);
    for (harm, told) in [
        (Box::new(|| fs::remove_file(home.memory()).unwrap()) as Box<dyn Fn()>, begun),
        (
            Box::new(|| fs::write(home.memory(), "{damaged").unwrap()),
            "is damaged: 1 included account",
        ),
        (
            Box::new(|| {
                fs::write(home.memory(), "{\"version\":9,\"config\":\"/\",\"accounts\":{}}")
                    .unwrap();
            }),
            "another version",
        ),
        (
            Box::new(|| {
                fs::set_permissions(home.memory(), fs::Permissions::from_mode(0o644)).unwrap();
            }),
            "is open to other users",
        ),
    ] {
        home.write("team1.yaml", PAY);
        harm();
        let loaded = home.load();
        let said = &loaded.warnings;
        assert!(said.len() == 1 && said[0].contains(told), "{told}: {said:?}");
        assert_eq!(home.load().warnings, [""; 0], "said once");
        home.write("team1.yaml", &moved);
        assert_eq!(changed(&home.load()), 2, "{told}: it is remembered again");
    }
}

#[test]
fn the_memory_is_written_only_when_something_is_new() {
    let home = Home::new();
    home.load();
    let written = || fs::metadata(home.memory()).unwrap().ino();
    let before = written();
    home.load();
    home.write("team1.yaml", &PAY.replace("333333333333", "444444444444"));
    home.load();
    home.write("team1.yaml", "");
    home.load();
    assert_eq!(written(), before);
    home.write("team2.yaml", "accounts: [{name: new, id: '555555555555', roles: [R]}]");
    home.load();
    assert_ne!(written(), before);
    // A config without includes leaves nothing.
    let alone = Home::new();
    alone.write("config.yaml", "auth: {account: '111111111111', region: us-east-1}\n");
    assert_eq!(alone.load().warnings, [""; 0]);
    assert!(!alone.path("state").exists());
}

#[test]
fn whoever_is_second_compares_with_what_the_first_remembered() {
    let home = Home::new();
    home.load();
    let memory = KnownFile::of(&home.path("state"), &home.path("config.yaml"));
    let known = memory.read().unwrap().unwrap();
    assert!(
        memory.replace(&Known::default(), &known).unwrap().is_none(),
        "it is not empty any more"
    );
    assert!(memory.replace(&known, &Known::default()).unwrap().is_some());
    home.write("team1.yaml", "");
    // Several at once: each leaves what all have seen.
    let names: Vec<String> = (0..8).map(|n| format!("team{n}.yaml")).collect();
    home.write("config.yaml", &HEAD.replace("team1.yaml, team2.yaml", "'team*.yaml'"));
    std::thread::scope(|scope| {
        for (n, name) in names.iter().enumerate() {
            let home = &home;
            scope.spawn(move || {
                home.write(name, &format!("accounts: [{{name: n{n}, id: '{n:012}', roles: [R]}}]"));
                home.load()
            });
        }
    });
    home.load();
    assert_eq!(memory.read().unwrap().unwrap().len(), 8);
}

#[test]
fn what_is_read_from_includes_the_memory() {
    let home = Home::new();
    let loaded = home.load();
    assert!(loaded.read_from.is_unchanged());
    fs::remove_file(home.memory()).unwrap();
    assert!(!loaded.read_from.is_unchanged(), "else a warm answer would outlive it");
}
