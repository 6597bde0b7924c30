//! `config update`: the programs of `include`.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::{Said, run, sekisho};

const BEFORE: &str = "accounts:
  - {name: payments, id: \"222222222222\", roles: [Developer], guard: warn}
  - {name: dev, id: \"233333333333\", roles: [Developer]}
  - {name: old, id: \"244444444444\", roles: [Developer]}
";

const AFTER: &str = "accounts:
  - {name: payments, id: \"222222222222\", roles: [Developer]}
  - {name: dev, id: \"299999999999\", roles: [Developer]}
  - {name: new, id: \"255555555555\", roles: [Developer, Admin]}
";

/// A config whose included file is renewed by a shell script.
fn write(home: &Path, script: &str) {
    let program = home.join("renew");
    std::fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let config = format!(
        "auth: {{account: \"111111111111\", region: us-east-1}}\ninclude:\n  - file: team.yaml\n    update: [{}, --now]\naccounts: []\n",
        program.display()
    );
    std::fs::write(home.join("config.yaml"), config).unwrap();
    std::fs::write(home.join("team.yaml"), BEFORE).unwrap();
    std::fs::write(home.join("after.yaml"), AFTER).unwrap();
}

fn update(home: &Path, more: &[&str]) -> Option<Said> {
    let mut command = sekisho(home)?;
    command.env("SEKISHO_CONFIG", home.join("config.yaml")).env("PATH", "/usr/bin:/bin");
    command.env("AWS_SECRET_ACCESS_KEY", "canary").current_dir("/");
    Some(run(command, &[&["config", "update"], more].concat(), "", home))
}

fn team(home: &Path) -> String {
    std::fs::read_to_string(home.join("team.yaml")).unwrap()
}

#[test]
fn what_a_program_writes_is_shown_and_put_back_unless_it_is_taken() {
    for script in ["cp after.yaml team.yaml; env >&2; echo done", "cat after.yaml; env >&2"] {
        let home = tempfile::tempdir().unwrap();
        let home = home.path();
        write(home, script);
        let Some(asked) = update(home, &[]) else { return };
        assert_eq!((asked.code, team(home).as_str()), (4, BEFORE), "{}", asked.whole());
        assert!(!asked.whole().contains("canary"), "{}", asked.whole());
        assert!(asked.stderr.contains("SEKISHO_CONFIG=~/config.yaml"), "{}", asked.whole());
        let taken = update(home, &["--yes"]).unwrap();
        assert_eq!((taken.code, team(home).as_str()), (0, AFTER), "{}", taken.whole());
        let changes: Vec<&str> =
            taken.stderr.lines().filter(|line| line.starts_with("   ")).collect();
        insta::allow_duplicates! {
            insta::assert_snapshot!(changes.join("\n"), @"
               re-pointed  dev/Developer: arn:aws:iam::233333333333:role/Developer → arn:aws:iam::299999999999:role/Developer
               less guarded  payments/Developer: warn → none
               gone  old/Developer: arn:aws:iam::244444444444:role/Developer
               new  new/Admin: arn:aws:iam::255555555555:role/Admin
               new  new/Developer: arn:aws:iam::255555555555:role/Developer
            ");
        }
        assert!(taken.stderr.contains("2 targets will ask for a name"), "{}", taken.whole());
        assert!(update(home, &["--yes"]).unwrap().stderr.contains("is up to date"));
    }
}

#[test]
fn a_program_that_fails_or_prints_something_else_changes_nothing() {
    for (script, why) in [
        ("echo 'accounts: []' > team.yaml; echo sorry >&2; exit 3", "it ended with exit code 3"),
        ("echo 'accounts: [{name: a/b, id: x}]'", "was not written"),
        ("rm team.yaml", "cannot be read"),
    ] {
        let home = tempfile::tempdir().unwrap();
        let home = home.path();
        write(home, script);
        let Some(said) = update(home, &["--yes"]) else { return };
        assert_ne!(said.code, 0, "{script}: {}", said.whole());
        assert!(said.stderr.contains(why), "{}", said.whole());
        assert_eq!(team(home), BEFORE, "{script}");
    }
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    write(home, "echo 'Already up to date.'");
    let Some(said) = update(home, &["--yes"]) else { return };
    assert_eq!((said.code, team(home).as_str()), (0, BEFORE), "{}", said.whole());
    assert!(said.stderr.contains("Already up to date."), "{}", said.whole());
}

#[test]
fn only_a_trusted_program_of_a_sound_main_file_runs() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    write(home, "touch ran; cat after.yaml");
    let open = std::fs::Permissions::from_mode(0o777);
    std::fs::set_permissions(home.join("renew"), open).unwrap();
    let Some(said) = update(home, &["--yes"]) else { return };
    assert_eq!(said.code, 1, "{}", said.whole());
    std::fs::set_permissions(home.join("renew"), std::fs::Permissions::from_mode(0o755)).unwrap();

    let sound = std::fs::read_to_string(home.join("config.yaml")).unwrap();
    std::fs::write(home.join("config.yaml"), format!("{sound}nonsense: 1\n")).unwrap();
    assert_eq!(update(home, &["--yes"]).unwrap().code, 2);
    std::fs::write(home.join("config.yaml"), sound.replace("team.yaml", "\"*.yaml\"")).unwrap();
    assert_eq!(update(home, &["--yes"]).unwrap().code, 2);
    // An included file names no program: its own `include` is passed over.
    let included = "include: [{file: after.yaml, update: [/bin/sh, -c, touch ran]}]\n";
    std::fs::write(home.join("team.yaml"), format!("{included}{BEFORE}")).unwrap();
    let main = "auth: {account: \"111111111111\", region: us-east-1}\ninclude: [team.yaml]\n";
    std::fs::write(home.join("config.yaml"), main).unwrap();
    let none = update(home, &["--yes"]).unwrap();
    assert_eq!(none.code, 2, "{}", none.whole());
    assert!(none.stderr.contains("no included file has a program"), "{}", none.whole());
    assert!(!home.join("ran").exists());
}

#[test]
fn a_file_that_is_not_there_yet_is_made() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    write(home, "cat after.yaml");
    std::fs::remove_file(home.join("team.yaml")).unwrap();
    let Some(asked) = update(home, &["team.yaml"]) else { return };
    assert_eq!(asked.code, 4, "{}", asked.whole());
    assert!(!home.join("team.yaml").exists());
    let said = update(home, &["team.yaml", "--yes"]).unwrap();
    assert_eq!((said.code, team(home).as_str()), (0, AFTER), "{}", said.whole());
    let other = update(home, &["other.yaml", "--yes"]).unwrap();
    assert_eq!(other.code, 2, "{}", other.whole());
}

#[test]
fn what_was_checked_is_not_old() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    write(home, "exit 0");
    let file = std::fs::File::options().append(true).open(home.join("team.yaml")).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_hours(40 * 24)).unwrap();
    let Some(said) = update(home, &["--yes"]) else { return };
    assert!(said.stderr.contains("is up to date"), "{}", said.whole());
    let age = home.join("team.yaml").metadata().unwrap().modified().unwrap().elapsed().unwrap();
    assert!(age < Duration::from_mins(1), "{age:?}");
}
