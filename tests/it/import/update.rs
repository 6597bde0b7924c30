//! `config update`: the programs of `include`.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, SystemTime};

use rustix::process::{Pid, Signal, kill_process};

use super::{Said, run, sekisho};
use crate::pty::terminal::{self, Pty};
use crate::support::{at_home, hear_signals, until};

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

/// What there is to say of a file: its text, mode and time, and where it is a link, where to.
fn state(file: &Path) -> (String, u32, SystemTime, Option<PathBuf>) {
    let metadata = file.metadata().unwrap();
    let (mode, modified) = (metadata.permissions().mode(), metadata.modified().unwrap());
    (std::fs::read_to_string(file).unwrap(), mode, modified, file.read_link().ok())
}

#[test]
fn an_update_that_is_interrupted_or_refused_leaves_the_file_as_it_was() {
    hear_signals();
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let signals = [Signal::INT, Signal::TERM, Signal::HUP];
    let scripts = [
        "cp after.yaml team.yaml; touch started; exec sleep 600",
        "rm team.yaml; cp after.yaml team.yaml; chmod 644 team.yaml; touch started; exec sleep 600",
        // One that writes again when it is told to end.
        "trap 'kill $!; cp after.yaml team.yaml; exit 1' INT TERM HUP; echo '#' >> team.yaml; touch started; sleep 600 & wait",
    ];
    for (signal, (script, is_link)) in
        signals.into_iter().zip(scripts.into_iter().zip([false, true, false]))
    {
        write(home, script);
        let _ = std::fs::remove_file(home.join("started"));
        let file = home.join("team.yaml");
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
        if is_link {
            std::fs::rename(&file, home.join("real.yaml")).unwrap();
            std::os::unix::fs::symlink("real.yaml", &file).unwrap();
        }
        let old = SystemTime::now() - Duration::from_hours(24);
        std::fs::File::options().append(true).open(&file).unwrap().set_modified(old).unwrap();
        let before = state(&file);
        let mut command = at_home(env!("CARGO_BIN_EXE_sekisho"), home);
        command
            .args(["config", "update", "--yes"])
            .env("SEKISHO_CONFIG", home.join("config.yaml"))
            .stderr(Stdio::piped());
        let child = command.spawn().unwrap();
        until("the program has written", || home.join("started").exists().then_some(()));
        let meanwhile = state(&file);
        kill_process(Pid::from_child(&child), signal).unwrap();
        let said = child.wait_with_output().unwrap();
        let stderr = String::from_utf8(said.stderr).unwrap();
        assert_eq!(said.status.code(), Some(130), "{stderr}");
        assert!(stderr.contains("interrupted"), "{stderr}");
        assert_ne!(meanwhile, before, "it had written");
        assert_eq!(state(&file), before, "{signal:?} {script}");
        let _ = std::fs::remove_file(&file);
    }
}

#[test]
fn ctrl_c_at_the_question_is_a_no() {
    for keys in ["\u{3}", "n\r"] {
        let home = tempfile::tempdir().unwrap();
        let home = home.path();
        write(home, "cp after.yaml team.yaml");
        let before = state(&home.join("team.yaml"));
        let mut command = terminal::command(env!("CARGO_BIN_EXE_sekisho"), home);
        command.args(["config", "update"]);
        command.env("SEKISHO_CONFIG", home.join("config.yaml"));
        let mut sekisho = Pty::spawn(command);
        sekisho.wait_for("[y/N]");
        assert_eq!(team(home), AFTER);
        sekisho.send(keys);
        let (code, said) = sekisho.last_words();
        assert_eq!((code, state(&home.join("team.yaml"))), (130, before), "{said}");
    }
}
