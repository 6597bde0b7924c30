//! Real files: globs, session policies, permissions.

use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt as _, lchown, symlink};
use std::path::{Path, PathBuf};

use sekisho::domain::config::{Loaded, Strictness};
use sekisho::domain::fault::{Exit, Fault};
use sekisho::domain::known::Known;
use sekisho::services::config::files::{ReadFrom, load};

const HEAD: &str = "auth: {account: \"111111111111\", region: us-east-1}\ndefaults: {roles: [R]}\n";

/// A folder of one's own with files in it.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        for (name, text) in files {
            let path = folder.path(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, text).unwrap();
            folder.mode(name, 0o600);
        }
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().canonicalize().unwrap().join(name)
    }

    fn mode(&self, name: &str, mode: u32) {
        std::fs::set_permissions(self.path(name), Permissions::from_mode(mode)).unwrap();
    }

    fn load(&self) -> Result<(Loaded, ReadFrom), Fault> {
        self.load_at("config.yaml", "")
    }

    /// Loads a config from a home further down.
    fn load_at(&self, config: &str, home: &str) -> Result<(Loaded, ReadFrom), Fault> {
        load(&self.path(config), Some(&self.path(home)), Strictness::Tolerant, &Known::default())
    }
}

fn paths(from: &ReadFrom) -> Vec<PathBuf> {
    from.0.iter().map(|stamp| stamp.path().to_owned()).collect()
}

fn account(name: &str, id: u64) -> String {
    format!("accounts: [{{name: {name}, id: '{id:012}'}}]\n")
}

#[test]
fn includes_and_globs_are_read_once_and_remembered() {
    let main = format!("{HEAD}include: [~/team/*.yaml, team/a.yaml, none/*.yaml]\n");
    let folder = Folder::new(&[
        ("config.yaml", &main),
        ("team/b.yaml", &account("b", 2)),
        ("team/a.yaml", &account("a", 1)),
    ]);
    let (loaded, from) = folder.load().unwrap();
    let names: Vec<&str> =
        loaded.config.catalog.accounts().iter().map(|a| a.name.as_str()).collect();
    assert_eq!(names, ["a", "b"]);
    assert_eq!(
        paths(&from),
        ["config.yaml", "team", "team/a.yaml", "team/b.yaml", "team/a.yaml", "none"]
            .map(|name| folder.path(name))
    );
    assert_eq!(loaded.warnings.len(), 1);
    assert!(loaded.warnings[0].what.contains("matches no file"));
}

#[test]
fn a_missing_include_and_a_loop_are_complaints_of_the_main_file() {
    let main = format!("{HEAD}include: [gone.yaml, config.yaml, team, ~you/x.yaml]\n");
    let folder = Folder::new(&[("config.yaml", &main), ("team/a.yaml", "")]);
    let fault = folder.load().unwrap_err();
    for (place, what) in [
        ("3:11", "there is no such file"),
        ("3:22", "the main config file itself"),
        ("3:35", "it is a directory"),
        ("3:41", "only ~/ is supported"),
    ] {
        assert!(
            fault.items.iter().any(|why| why.contains(place) && why.contains(what)),
            "{place} {what}: {:#?}",
            fault.items
        );
    }
}

#[test]
fn an_include_that_cannot_be_read_is_left_out() {
    let main = format!("{HEAD}include: [bad.yaml, good.yaml]\n");
    let folder = Folder::new(&[("config.yaml", &main), ("good.yaml", &account("good", 1))]);
    std::fs::write(folder.path("bad.yaml"), b"\xff\xfe").unwrap();
    let (loaded, _) = folder.load().unwrap();
    assert_eq!(loaded.config.catalog.accounts().len(), 1);
    assert!(loaded.warnings[0].what.contains("not UTF-8"), "{:?}", loaded.warnings);
}

#[test]
fn who_may_write_the_config_may_say_what_runs() {
    let folder = Folder::new(&[
        ("config.yaml", &format!("{HEAD}include: [team.yaml]\n")),
        ("team.yaml", ""),
    ]);
    assert_eq!(folder.load().unwrap().0.warnings, []);
    folder.mode("team.yaml", 0o666);
    let (loaded, _) = folder.load().unwrap();
    assert!(loaded.warnings[0].to_string().contains("writable by everyone"));
    assert!(loaded.warnings[0].to_string().contains("chmod go-w"));
    folder.mode("config.yaml", 0o602);
    let fault = folder.load().unwrap_err();
    assert!(fault.items[0].contains("writable by everyone"), "{fault:?}");
    folder.mode("config.yaml", 0o644);
    assert!(folder.load().is_ok());
}

/// What is wrong with a config that nobody but its owner should be able to replace; nothing where it is read.
fn exposed(loaded: Result<(Loaded, ReadFrom), Fault>) -> Vec<String> {
    match loaded {
        Ok((loaded, _)) => {
            assert_eq!(loaded.warnings, []);
            Vec::new()
        }
        Err(fault) => {
            assert_eq!(fault.exit, Exit::Usage);
            // The target of a link may be in a store that is nobody's to change.
            assert!(!fault.items.concat().contains("chown"), "{fault:?}");
            fault.items
        }
    }
}

#[test]
fn nobody_else_may_write_a_folder_above_the_config() {
    let folder = Folder::new(&[("a/home/b/config.yaml", HEAD), ("a/other/c/config.yaml", HEAD)]);
    for (config, place, mode, is_fine) in [
        ("a/home/b/config.yaml", "a/home/b", 0o777, false),
        ("a/home/b/config.yaml", "a/home/b", 0o703, false),
        ("a/home/b/config.yaml", "a/home/b", 0o1777, true),
        ("a/home/b/config.yaml", "a/home/b", 0o2775, true),
        ("a/home/b/config.yaml", "a/home", 0o777, false),
        // sshd stops at home, too.
        ("a/home/b/config.yaml", "a", 0o777, true),
        ("a/other/c/config.yaml", "a/other/c", 0o777, false),
        ("a/other/c/config.yaml", "a/other", 0o777, false),
        ("a/other/c/config.yaml", "a", 0o777, false),
        ("a/other/c/config.yaml", "a", 0o1777, true),
        ("a/other/c/config.yaml", "a/home", 0o777, true),
    ] {
        folder.mode(place, mode);
        let told = exposed(folder.load_at(config, "a/home"));
        folder.mode(place, 0o700);
        match &told[..] {
            [] => assert!(is_fine, "{config} in {place} {mode:o}"),
            [line] => {
                let full = folder.path(place);
                let what = format!("{} is writable by everyone", full.display());
                assert!(!is_fine && line.contains(&what), "{line}");
                assert!(line.contains(&format!("chmod o-w {}", full.display())), "{line}");
            }
            more => panic!("{more:?}"),
        }
        assert!(exposed(folder.load_at(config, "a/home")).is_empty());
    }
}

#[test]
fn a_link_to_the_config_is_judged_at_both_ends() {
    let folder = Folder::new(&[("home/b/readme", ""), ("store/x/files/config.yaml", HEAD)]);
    std::fs::create_dir(folder.path("generation")).unwrap();
    // As home-manager makes them: the folder is a link into a generation, its files are links into a store.
    symlink("../generation", folder.path("home/sekisho")).unwrap();
    symlink(folder.path("store/x/files"), folder.path("generation/files")).unwrap();
    symlink("files/config.yaml", folder.path("generation/config.yaml")).unwrap();
    let load = || exposed(folder.load_at("home/sekisho/config.yaml", "home"));
    assert!(load().is_empty());
    for place in ["home", "generation", "store/x/files", "store/x", "store"] {
        folder.mode(place, 0o777);
        let told = load();
        folder.mode(place, 0o700);
        let [line] = &told[..] else { panic!("{place}: {told:?}") };
        let what = format!("{} is writable by everyone", folder.path(place).display());
        assert!(line.contains(&what), "{line}");
    }
    folder.mode("home/b", 0o777);
    assert!(load().is_empty(), "nothing leads through it");
}

#[test]
fn the_config_and_what_leads_to_it_belong_to_the_user_or_root() {
    if !rustix::process::geteuid().is_root() {
        return crate::store::skip("only root gives files away");
    }
    let folder = Folder::new(&[("home/b/config.yaml", HEAD), ("store/config.yaml", HEAD)]);
    symlink(folder.path("store/config.yaml"), folder.path("home/link.yaml")).unwrap();
    let load = |config| exposed(folder.load_at(config, "home"));
    assert!(load("home/b/config.yaml").is_empty() && load("home/link.yaml").is_empty());
    for (config, place) in [
        ("home/b/config.yaml", "home/b/config.yaml"),
        ("home/b/config.yaml", "home/b"),
        ("home/b/config.yaml", "home"),
        ("home/link.yaml", "home/link.yaml"),
        ("home/link.yaml", "store/config.yaml"),
        ("home/link.yaml", "store"),
    ] {
        lchown(folder.path(place), Some(1234), None).unwrap();
        let told = load(config);
        lchown(folder.path(place), Some(0), None).unwrap();
        let [line] = &told[..] else { panic!("{place}: {told:?}") };
        let what = format!("{} belongs to user 1234", folder.path(place).display());
        assert!(line.contains(&what), "{line}");
    }
}

#[test]
fn a_session_policy_of_the_main_file_is_as_safe_as_the_main_file() {
    let main = format!(
        "{HEAD}accounts: [{{name: a, id: '000000000001', roles: [{{name: R, policy: p/x.json}}]}}]\n"
    );
    let folder = Folder::new(&[("config.yaml", &main), ("p/x.json", POLICY)]);
    assert!(policy_is_read(&folder));
    folder.mode("p", 0o777);
    let told = folder.load().unwrap_err().items;
    assert!(told[0].contains("/p is writable by everyone"), "{told:?}");
}

const POLICY: &str = "{\"Version\": \"2012-10-17\", \"Statement\": []}";

/// Whether the account `a`, in the file that names the policy, came through.
fn policy_is_read(folder: &Folder) -> bool {
    folder.load().is_ok_and(|(loaded, _)| {
        let accounts = loaded.config.catalog.accounts();
        accounts.first().is_some_and(|a| a.roles[0].session.policy.is_some())
    })
}

#[test]
fn an_included_file_reads_nothing_outside_its_folder() {
    let names = |policy: &Path| {
        format!(
            "accounts: [{{name: a, id: '000000000001', roles: [{{name: R, policy: {}}}]}}]\n",
            policy.display()
        )
    };
    let main = format!("{HEAD}include: [team/t.yaml]\n");
    let folder = Folder::new(&[
        ("config.yaml", &main),
        ("secret.json", POLICY),
        ("team/t.yaml", ""),
        ("team/p.json", POLICY),
        ("team/deep/p.json", POLICY),
    ]);
    symlink(folder.path("secret.json"), folder.path("team/link.json")).unwrap();
    for (policy, is_read) in [
        (PathBuf::from("p.json"), true),
        ("./deep/p.json".into(), true),
        ("../secret.json".into(), false),
        ("link.json".into(), false),
        (folder.path("secret.json"), false),
        ("~/secret.json".into(), false),
    ] {
        std::fs::write(folder.path("team/t.yaml"), names(&policy)).unwrap();
        assert_eq!(policy_is_read(&folder), is_read, "{}", policy.display());
    }
    // The main file is one's own and may.
    let main = format!("{HEAD}{}", names(Path::new("~/secret.json")));
    std::fs::write(folder.path("config.yaml"), main).unwrap();
    assert!(policy_is_read(&folder));
    let (_, from) = folder.load().unwrap();
    assert!(paths(&from).contains(&folder.path("secret.json")));
}

#[test]
fn a_folder_full_of_files_is_not_read_to_its_end() {
    let main = format!("{HEAD}include: [team/*]\n");
    let folder = Folder::new(&[("config.yaml", &main), ("team/0000.yaml", "")]);
    for n in 1..=1_000 {
        std::fs::write(folder.path(&format!("team/{n:04}.yaml")), "").unwrap();
    }
    let (loaded, from) = folder.load().unwrap();
    assert_eq!(from.0.len(), 1_002);
    let last = loaded.warnings.first().unwrap();
    assert!(last.what.contains("too much is included"), "{last}");
}

#[test]
fn includes_with_the_same_account_only_make_it_stricter() {
    let main = format!("{HEAD}min_guard: {{crown: confirm}}\ninclude: [a.yaml, b.yaml]\n");
    let entry = |more: &str| format!("accounts:\n  - name: x\n    id: '000000000001'\n{more}");
    let guards = |first: &str, second: &str| {
        let folder = Folder::new(&[
            ("config.yaml", &main),
            ("a.yaml", &entry(first)),
            ("b.yaml", &entry(second)),
        ]);
        let (loaded, _) = folder.load().unwrap();
        let warned =
            loaded.warnings.iter().any(|warning| warning.what.contains("is already listed in"));
        assert!(warned, "the second is named: {:?}", loaded.warnings);
        let accounts = loaded.config.catalog.accounts().iter();
        accounts.map(|account| account.guard.max(account.roles[0].guard).name()).collect::<Vec<_>>()
    };
    let (plain, warn) = ("    roles: [R]\n", "    guard: warn\n");
    assert_eq!(guards(plain, "    guard: confirm\n"), ["confirm"]);
    assert_eq!(guards("    guard: confirm\n", warn), ["confirm"]);
    assert_eq!(guards(plain, "    tags: [crown]\n"), ["confirm"], "min_guard by the other's tag");
    assert_eq!(guards(plain, "    roles: [{name: R, guard: confirm}]\n"), ["confirm"]);
    // A role that comes from `defaults` is meant by its name, too.
    assert_eq!(guards("    note: n\n", "    roles: [{name: R, guard: confirm}]\n"), ["confirm"]);
    let hide = "    hide: true\n";
    assert_eq!(guards(hide, warn), ["warn"], "no file hides what another one guards");
    assert!(guards(hide, plain).is_empty());
    assert!(guards(hide, "    guard: confirm\n    hide: true\n").is_empty());
}

#[test]
fn an_included_file_does_not_decide_who_people_are() {
    let main = format!("{HEAD}include: [a.yaml]\n");
    let role = "{name: R, tags: {team: red}, transitive_tags: [team], source_identity: mallory, external_id: abc}";
    let text = format!("accounts: [{{name: x, id: '000000000001', roles: [{role}]}}]\n");
    let folder = Folder::new(&[("config.yaml", &main), ("a.yaml", &text)]);
    let (loaded, _) = folder.load().unwrap();
    let session = &loaded.config.catalog.accounts()[0].roles[0].session;
    assert!(session.tags.is_empty() && session.source_identity.is_none(), "{session:?}");
    assert!(session.transitive_tags.is_empty(), "{session:?}");
    assert!(session.external_id.is_some(), "it belongs to the role");
    for key in ["tags", "transitive_tags", "source_identity"] {
        let what = format!("`{key}` is not allowed in an included file, only in the main file");
        assert!(loaded.warnings.iter().any(|warning| warning.what == what), "{key}");
    }
}

#[test]
fn what_a_wildcard_finds_is_inside_its_folder() {
    let main = format!("{HEAD}include: [team/*.yaml]\n");
    let folder = Folder::new(&[
        ("config.yaml", &main),
        ("team/a.yaml", &account("a", 1)),
        ("other/b.yaml", &account("b", 2)),
        ("shadow", "root:$6$verysecret:19000::::::\n"),
    ]);
    symlink(folder.path("other/b.yaml"), folder.path("team/b.yaml")).unwrap();
    symlink(folder.path("shadow"), folder.path("team/shadow.yaml")).unwrap();
    symlink(folder.path("team/a.yaml"), folder.path("team/again.yaml")).unwrap();
    let (loaded, _) = folder.load().unwrap();
    let names: Vec<&str> =
        loaded.config.catalog.accounts().iter().map(|a| a.name.as_str()).collect();
    assert_eq!(names, ["a"]);
    let told: Vec<String> = loaded.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(told.iter().filter(|line| line.contains("leads out of its folder")).count(), 2);
    assert!(!told.concat().contains("verysecret"), "{told:?}");
}

#[test]
fn a_file_that_is_named_may_be_a_link_but_what_is_no_accounts_file_is_not_quoted() {
    let main = format!("{HEAD}include: [b.yaml, s.yaml]\n");
    for secret in
        ["root:$6$verysecret:19000::::::\n", "verysecret: {a: 1}\n", "verysecret", "[verysecret"]
    {
        let folder = Folder::new(&[
            ("config.yaml", &main),
            ("store/b.yaml", &account("b", 2)),
            ("shadow", secret),
        ]);
        symlink(folder.path("store/b.yaml"), folder.path("b.yaml")).unwrap();
        symlink(folder.path("shadow"), folder.path("s.yaml")).unwrap();
        let (loaded, _) = folder.load().unwrap();
        assert_eq!(loaded.config.catalog.accounts().len(), 1);
        let told: Vec<String> = loaded.warnings.iter().map(ToString::to_string).collect();
        assert!(told.iter().any(|line| line.contains("not an accounts file")), "{told:?}");
        assert!(!told.concat().contains("verysecret"), "{told:?}");
    }
}

#[test]
fn a_file_that_a_wildcard_would_find_is_missed_as_long_as_it_is_not_there() {
    let main = format!("{HEAD}include: [team/*/accounts.yaml]\n");
    let folder = Folder::new(&[
        ("config.yaml", &main),
        ("team/a/accounts.yaml", &account("a", 1)),
        ("team/b/readme", ""),
    ]);
    let (_, from) = folder.load().unwrap();
    assert!(from.is_unchanged());
    std::fs::write(folder.path("team/b/accounts.yaml"), account("b", 2)).unwrap();
    assert!(!from.is_unchanged());
}
