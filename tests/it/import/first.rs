//! `init`: on a terminal, without one, and where there is a config already.

use super::{mode, run, sekisho};
use crate::pty::terminal::{Pty, command};

#[test]
fn a_few_answers_make_a_config() {
    let home = tempfile::tempdir().unwrap();
    let mut program = command(env!("CARGO_BIN_EXE_sekisho"), home.path());
    program.arg("init");
    program.env("AWS_REGION", "eu-west-3");
    let mut pty = Pty::spawn(program);
    for (question, answer) in [
        ("auth account", "1111"),
        ("exactly 12 digits", "1111-1111-1111"),
        ("IAM user's name", "tanaka"),
        ("MFA device", "arn:aws:iam::222222222222:mfa/tanaka"),
        ("belongs to account 222222222222", "arn:aws:iam::111111111111:mfa/phone"),
        ("[eu-west-3]", ""),
        ("an account to switch to", "012345678901"),
        ("[dev-tanaka]", ""),
        ("[Developer]", "Admin"),
    ] {
        pty.wait_for(question);
        pty.line(answer);
    }
    pty.wait_for("next: sekisho key add");
    assert_eq!(pty.wait(), 0);
    let path = home.path().join(".config/sekisho/config.yaml");
    insta::assert_snapshot!(std::fs::read_to_string(&path).unwrap());
    assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));

    let mut program = command(env!("CARGO_BIN_EXE_sekisho"), home.path());
    program.args(["config", "check"]);
    let mut pty = Pty::spawn(program);
    pty.wait_for("1 account");
    assert_eq!(pty.wait(), 0);
}

#[test]
fn an_interrupted_one_leaves_nothing() {
    let home = tempfile::tempdir().unwrap();
    let mut program = command(env!("CARGO_BIN_EXE_sekisho"), home.path());
    program.arg("init");
    let mut pty = Pty::spawn(program);
    pty.wait_for("auth account");
    pty.send("\u{4}");
    assert_eq!(pty.wait(), 130);
    assert!(!home.path().join(".config/sekisho").exists());
}

#[test]
fn without_a_terminal_the_example_is_written() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let Some(command) = sekisho(home) else { return };
    insta::assert_snapshot!(run(command, &["init"], "", home).whole());
    let path = home.join(".config/sekisho/config.yaml");
    insta::assert_snapshot!(std::fs::read_to_string(&path).unwrap());
    assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
    assert_eq!(run(sekisho(home).unwrap(), &["config", "check"], "", home).code, 0);
}

#[test]
fn a_config_is_never_overwritten_unasked() {
    use std::os::unix::fs::PermissionsExt;
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let Some(command) = sekisho(home) else { return };
    let path = home.join("own.yaml");
    std::fs::write(&path, "mine").unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).unwrap();
    let said = run(command, &["init", "--config", "own.yaml"], "", home);
    insta::assert_snapshot!(said.whole());
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "mine");
    let forced =
        run(sekisho(home).unwrap(), &["init", "--force", "--config", "own.yaml"], "", home);
    assert_eq!(forced.code, 0, "{}", forced.whole());
    assert_eq!(mode(&path), 0o644);
    let check = run(sekisho(home).unwrap(), &["config", "check", "--config", "own.yaml"], "", home);
    assert_eq!(check.code, 0, "{}", check.whole());
}

#[test]
fn ways_to_begin_are_shown_where_there_is_no_config() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let Some(command) = sekisho(home) else { return };
    insta::assert_snapshot!(run(command, &["shell", "dev"], "", home).whole());
    let habit = run(sekisho(home).unwrap(), &["init", "zsh"], "", home);
    insta::assert_snapshot!(habit.whole());
    let demo = run(sekisho(home).unwrap(), &["demo", "init"], "", home);
    insta::assert_snapshot!(demo.whole());
}
