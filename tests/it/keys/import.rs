//! A key on its way into the store.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use super::stage::{BINARY, Codes, KEY, Key, PASSPHRASE, SECRET, Stage, plain};
use crate::pty::terminal::Pty;

fn new_passphrase(pty: &mut Pty) {
    pty.wait_for("new passphrase for the access key's file: ");
    pty.line(PASSPHRASE);
    pty.wait_for("the same again: ");
    pty.line(PASSPHRASE);
}

fn credentials(stage: &Stage) -> String {
    let text = format!(
        "# mine; aws_secret_access_key = CANARY-in-a-comment\n[other]\naws_access_key_id = AKIAOTHER00000000001\n\
         aws_secret_access_key = CANARY/other\n\n[work]\nregion = eu-west-1\naws_access_key_id = {KEY}\n\
         aws_secret_access_key = {SECRET}\noutput = json\n"
    );
    // Linked on purpose, and readable by the group.
    let file = stage.path("dotfiles-credentials");
    fs::write(&file, &text).unwrap();
    fs::set_permissions(&file, PermissionsExt::from_mode(0o640)).unwrap();
    symlink(&file, stage.path(".aws/credentials")).unwrap();
    text
}

#[test]
fn a_profiles_key_moves_into_the_store_and_the_rest_stays() {
    let stage = Stage::new(Key::File, Codes::Program);
    let before = credentials(&stage);
    let mut pty = Pty::spawn(stage.in_terminal(BINARY, &["key", "import", "--profile", "work"]));
    let diff = pty.wait_for("take these lines out? [y/N]");
    insta::assert_snapshot!("import_diff", plain(&stage, &diff));
    assert!(!diff.contains("CANARY"), "{diff}");
    pty.line("y");
    new_passphrase(&mut pty);
    pty.wait_for("rotate it now? [y/N]");
    pty.line("n");
    assert_eq!(pty.wait(), 0, "{}", pty.screen());
    let file = stage.path("dotfiles-credentials");
    let gone = format!("aws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}\n");
    assert_eq!(
        fs::read_to_string(&file).unwrap(),
        before.replace(&gone, "")
    );
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o640);
    assert!(stage.path(".aws/credentials").is_symlink());
    let stored = stage.stored().unwrap().current.unwrap();
    assert_eq!(
        (stored.key.id.as_str(), stored.key.secret.expose()),
        (KEY, SECRET)
    );
    assert!(!pty.transcript().contains("CANARY"));
    assert!(!stage.path("dotfiles-credentials.sekisho-backup").exists());
}

#[test]
fn an_import_that_is_declined_or_fails_changes_nothing() {
    let stage = Stage::new(Key::File, Codes::Program);
    let before = credentials(&stage);
    let unchanged = || {
        assert_eq!(
            fs::read_to_string(stage.path(".aws/credentials")).unwrap(),
            before
        );
        assert!(stage.stored().is_none());
    };
    let import = ["key", "import", "--profile", "work"];
    let mut pty = Pty::spawn(stage.in_terminal(BINARY, &import));
    pty.wait_for("[y/N]");
    pty.line("");
    assert_eq!(pty.wait(), 130);
    unchanged();
    // AWS does not know the other profile's key.
    let mut pty =
        Pty::spawn(stage.in_terminal(BINARY, &["key", "import", "--profile", "other", "--yes"]));
    assert_eq!(pty.wait(), 3, "{}", pty.screen());
    unchanged();
    // No terminal: neither a confirmation nor a passphrase.
    assert_eq!(stage.run(&import).status.code(), Some(4));
    unchanged();
    let yes = ["key", "import", "--profile", "work", "--yes"];
    assert_eq!(stage.run(&yes).status.code(), Some(4));
    unchanged();
}

#[test]
fn a_key_typed_is_not_shown_and_one_of_another_account_is_not_stored() {
    let stage = Stage::new(Key::File, Codes::Program);
    let mut pty = Pty::spawn(stage.in_terminal(BINARY, &["key", "add"]));
    pty.wait_for("access key id: ");
    pty.line(KEY);
    pty.wait_for("secret access key (not shown): ");
    pty.send("mistyped");
    pty.send("\u{15}");
    pty.send(SECRET);
    pty.send("x\u{7f}");
    pty.line("");
    new_passphrase(&mut pty);
    assert_eq!(pty.wait(), 0, "{}", pty.screen());
    pty.wait_for("stored AKIATANAKA0000000001 of tanaka (sealed file)");
    assert!(!pty.transcript().contains("CANARY") && !pty.transcript().contains("mistyped"));
    let stored = stage.stored().unwrap().current.unwrap();
    assert_eq!(stored.key.secret.expose(), SECRET);

    // ^C leaves the terminal as it was.
    let script = format!(
        "{BINARY} key add; echo left $?; stty -a | tr ' ' '\\n' | grep -x -e -echo -e echo"
    );
    let mut pty = Pty::spawn(stage.in_terminal("/bin/sh", &["-c", &script]));
    pty.wait_for("access key id: ");
    pty.line(KEY);
    pty.wait_for("(not shown): ");
    pty.send("\u{3}");
    let screen = pty.wait_until("the end", |screen| screen.contains("left 130\necho"));
    assert!(!screen.contains("-echo"), "{screen}");
}

#[test]
fn a_stored_key_goes_with_its_sessions() {
    let stage = Stage::new(Key::File, Codes::Program);
    stage.store_key();
    let run = |arguments: &[&str]| {
        let mut pty = Pty::spawn(stage.in_terminal(BINARY, arguments));
        let code = pty.wait();
        (code, pty.screen())
    };
    assert_eq!(run(&["login"]).0, 0);
    let (code, screen) = run(&["key", "remove", "--yes"]);
    assert_eq!(code, 0, "{screen}");
    assert!(
        screen.contains("the key itself stays active at AWS"),
        "{screen}"
    );
    assert!(stage.stored().is_none());
    let (code, screen) = run(&["exec", "dev-1", "--", "true"]);
    assert_eq!(code, 2, "{screen}");
    assert!(
        screen.contains("there is no access key in the store"),
        "{screen}"
    );
}
