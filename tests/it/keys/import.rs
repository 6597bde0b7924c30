//! A key on its way into the store.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use sekisho::emulator::{FaultInjection, Injection, Times};

use super::stage::{BINARY, Codes, KEY, Key, PASSPHRASE, SECRET, Stage, plain};
use crate::pty::terminal::Pty;

fn new_passphrase(pty: &mut Pty) {
    pty.wait_for("new passphrase for the access key's file: ");
    pty.line(PASSPHRASE);
    pty.wait_for("repeat the passphrase: ");
    pty.line(PASSPHRASE);
}

fn credentials(stage: &Stage) -> String {
    let text = format!(
        "# mine; aws_secret_access_key = CANARY-in-a-comment\n[other]\naws_access_key_id = AKIAOTHER00000000001\n\
         aws_secret_access_key = CANARY/other\n\n[work]\nregion = eu-west-1\naws_access_key_id = {KEY}\n\
         aws_secret_access_key = {SECRET}\noutput = json\n"
    );
    // Linked on intent, and readable by the group.
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
    let diff = pty.wait_for("remove these lines? [y/N]");
    insta::assert_snapshot!("import_diff", plain(&stage, &diff));
    assert!(!diff.contains("CANARY"), "{diff}");
    pty.line("y");
    new_passphrase(&mut pty);
    pty.wait_for("rotate it now? [y/N]");
    pty.line("n");
    assert_eq!(pty.wait(), 0, "{}", pty.screen());
    let file = stage.path("dotfiles-credentials");
    let gone = format!("aws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}\n");
    assert_eq!(fs::read_to_string(&file).unwrap(), before.replace(&gone, ""));
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o640);
    assert!(stage.path(".aws/credentials").is_symlink());
    let stored = stage.stored().unwrap().current.unwrap();
    assert_eq!((stored.key.id.as_str(), stored.key.secret.expose()), (KEY, SECRET));
    assert!(!pty.transcript().contains("CANARY"));
    assert!(!stage.path("dotfiles-credentials.sekisho-backup").exists());
}

#[test]
fn profiles_that_other_tools_enter_with_the_key_are_named_before_it_moves() {
    let stage = Stage::new(Key::File, Codes::Program);
    credentials(&stage);
    let config = "[profile work]\nregion = eu-west-1\n[profile dev]\nsource_profile = work\nrole_arn = a\n\
        [profile prod]\nsource_profile = other\nrole_arn = b\n";
    fs::write(stage.path(".aws/config"), config).unwrap();
    let mut pty = Pty::spawn(stage.in_terminal(BINARY, &["key", "import", "--profile", "work"]));
    let said = pty.wait_for("remove these lines? [y/N]");
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        said.contains("will not find the key of dev any more (source_profile = work)"),
        "{said}"
    );
    assert!(!said.contains("prod"), "{said}");
    pty.line("");
    assert_eq!(pty.wait(), 130);
}

#[test]
fn an_import_that_is_declined_or_fails_changes_nothing() {
    let stage = Stage::new(Key::File, Codes::Program);
    let before = credentials(&stage);
    let unchanged = || {
        assert_eq!(fs::read_to_string(stage.path(".aws/credentials")).unwrap(), before);
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

/// Whatever fails on the way, the key is in the file or in the store, and what is left to do is said.
#[test]
fn a_key_is_not_cut_out_before_aws_took_it_and_the_store_holds_it() {
    let stage = Stage::new(Key::File, Codes::Program);
    let before = credentials(&stage);
    let file = stage.path("dotfiles-credentials");
    let import = ["key", "import", "--profile", "work", "--yes"];
    for what in [FaultInjection::Reset, FaultInjection::ServerError(500), FaultInjection::Garbage] {
        stage.emulator.inject(Injection {
            action: Some("GetCallerIdentity".into()),
            times: Times::UntilCleared,
            what: what.clone(),
        });
        let output = stage.run(&import);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(matches!(output.status.code(), Some(1 | 3)), "{what:?}: {said}");
        assert!(
            said.contains("dotfiles-credentials") || said.contains("was not changed"),
            "{said}"
        );
        assert_eq!(fs::read_to_string(&file).unwrap(), before, "{what:?}");
        assert!(stage.stored().is_none(), "{what:?}");
        stage.emulator.clear();
    }
    // No file may be larger than the limit: as where the disk is full.
    let limited = |kibibytes: u32| {
        let script = format!(
            "trap '' XFSZ; ulimit -f {kibibytes}; exec {BINARY} key import --profile work --yes"
        );
        let mut pty = Pty::spawn(stage.in_terminal("/bin/bash", &["-c", &script]));
        // Where nothing can be written, no passphrase is asked for.
        if kibibytes > 0 {
            new_passphrase(&mut pty);
        }
        let (code, said) = pty.last_words();
        assert_eq!(code, 1, "{said}");
        said
    };
    let said = limited(0);
    assert!(said.contains("was not changed"), "{said}");
    assert_eq!(fs::read_to_string(&file).unwrap(), before);
    assert!(stage.stored().is_none());
    // The key fits, the rest of the file does not.
    let long = before + "# " + &"x".repeat(64 * 1024) + "\n";
    fs::write(&file, &long).unwrap();
    let said = limited(16);
    assert!(said.contains("the key is in the store, and still in"), "{said}");
    assert_eq!(fs::read_to_string(&file).unwrap(), long);
    assert_eq!(stage.stored().unwrap().current.unwrap().key.secret.expose(), SECRET);
    // As it says: once more.
    assert_eq!(Pty::spawn(stage.in_terminal(BINARY, &import)).last_words().0, 0);
    assert!(!fs::read_to_string(&file).unwrap().contains(KEY));
}

#[test]
fn a_key_that_is_typed_is_not_shown() {
    let stage = Stage::new(Key::File, Codes::Program);
    let mut pty = Pty::spawn(stage.in_terminal(BINARY, &["key", "add"]));
    pty.wait_for("access key, in any form (not shown): ");
    pty.line(KEY);
    pty.wait_for("secret access key of …0001 (not shown): ");
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
    pty.wait_for("any form (not shown): ");
    pty.line(KEY);
    pty.wait_for("…0001 (not shown): ");
    pty.send("\u{3}");
    let screen = pty.wait_until("the end", |screen| screen.contains("left 130\necho"));
    assert!(!screen.contains("-echo"), "{screen}");
}

#[test]
fn a_key_is_pasted_in_any_form_and_not_shown() {
    let csv = format!("Access key ID,Secret access key\r{KEY},{SECRET}\r");
    let exports = format!("export AWS_ACCESS_KEY_ID={KEY}\rexport AWS_SECRET_ACCESS_KEY={SECRET}");
    for (text, end) in [
        // As a terminal marks a paste; one that ends a line needs no Enter.
        (format!("\u{1b}[200~{csv}\u{1b}[201~"), ""),
        (format!("\u{1b}[200~{exports}\u{1b}[201~"), "\r"),
        // As it comes where the terminal does not mark it.
        (csv, ""),
        (exports, "\r"),
    ] {
        let stage = Stage::new(Key::File, Codes::Program);
        let mut pty = Pty::spawn(stage.in_terminal(BINARY, &["key", "add"]));
        pty.wait_for("access key, in any form (not shown): ");
        pty.send(&text);
        pty.send(end);
        new_passphrase(&mut pty);
        assert_eq!(pty.wait(), 0, "{}", pty.screen());
        pty.wait_for("stored AKIATANAKA0000000001 of tanaka (sealed file)");
        assert!(!pty.transcript().contains("CANARY"), "{}", pty.transcript());
        assert_eq!(stage.stored().unwrap().current.unwrap().key.secret.expose(), SECRET);
    }
}

#[test]
fn what_is_pasted_and_no_key_stays_off_the_screen_and_out_of_the_shell() {
    let stage = Stage::new(Key::File, Codes::Program);
    let script = format!("{BINARY} key add; echo left $?; cat");
    let mut pty = Pty::spawn(stage.in_terminal("/bin/sh", &["-c", &script]));
    pty.wait_for("any form (not shown): ");
    pty.send("User name,Password,Console sign-in URL\rtanaka,CANARY!,https://x\r");
    let screen = pty.wait_for("left 2");
    assert!(
        screen.contains("what was entered contains a console password, not an access key"),
        "{screen}"
    );
    pty.line("the next");
    pty.wait_for("the next");
    assert!(!pty.transcript().contains("CANARY"), "{}", pty.transcript());
}

#[test]
fn only_a_working_key_of_the_configs_own_user_is_stored() {
    let stage = Stage::new(Key::File, Codes::Program);
    let root = sekisho::emulator::AccessKey::new("AKIAROOT000000000001", SECRET);
    let mut bob = sekisho::emulator::User::new("bob");
    bob.keys.push(sekisho::emulator::AccessKey::new("AKIABOB0000000000001", SECRET));
    stage.emulator.with(|organization| {
        organization.root_keys.push(root);
        organization.users.push(bob);
    });
    for (id, secret, code, what) in [
        ("AKIAROOT000000000001", SECRET, 2, "the access key does not belong to an IAM user"),
        ("AKIABOB0000000000001", SECRET, 2, "the access key …0001 belongs to bob"),
        ("AKIANOBODY0000000001", SECRET, 3, "AWS does not know this access key"),
        (KEY, "CANARY-cut-off", 3, "AWS did not accept the signature"),
    ] {
        let output = stage.run_with_input(&["key", "add"], &format!("{id}\n{secret}\n"));
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(said.contains(what) && !said.contains("CANARY"), "{said}");
    }
    assert!(stage.stored().is_none());
}

#[test]
fn a_passphrase_that_is_easily_guessed_is_taken_only_on_request() {
    let add = |options: &str| {
        let stage = Stage::new(Key::File, Codes::Program);
        fs::write(stage.path("key"), format!("{KEY}\n{SECRET}\n")).unwrap();
        let script = format!("{BINARY} key add {options} < key");
        let pty = Pty::spawn(stage.in_terminal("/bin/sh", &["-c", &script]));
        (stage, pty)
    };
    let (stage, mut pty) = add("");
    for (weak, why) in
        [("abc", "fewer than 12 characters"), ("Tanaka-111111111111", "mostly of names")]
    {
        for _ in 0..2 {
            pty.wait_for("passphrase");
            pty.line(weak);
        }
        pty.wait_for(why);
        assert!(stage.stored().is_none());
    }
    for _ in 0..2 {
        pty.line(PASSPHRASE);
    }
    let (code, said) = pty.last_words();
    assert!(code == 0 && said.contains("insist on it: --weak-passphrase"), "{said}");
    assert!(stage.stored().is_some());

    let (stage, mut pty) = add("--weak-passphrase");
    for _ in 0..2 {
        pty.line("abc");
    }
    let (code, said) = pty.last_words();
    assert!(code == 0 && said.contains("the passphrase is easily guessed: it has fewer"), "{said}");
    drop(stage);
}

#[test]
fn another_key_is_replaced_only_where_that_is_meant() {
    let stage = Stage::new(Key::File, Codes::Program);
    stage.store_key();
    let other = sekisho::emulator::AccessKey::new("AKIATANAKA0000000002", "CANARY/other");
    stage.emulator.with(|organization| organization.user("tanaka").unwrap().keys.push(other));
    fs::write(stage.path("key"), "AKIATANAKA0000000002\nCANARY/other\n").unwrap();
    for (answer, code, kept) in [("n", 130, KEY), ("y", 0, "AKIATANAKA0000000002")] {
        let script = format!("{BINARY} key add < key");
        let mut pty = Pty::spawn(stage.in_terminal("/bin/sh", &["-c", &script]));
        pty.wait_for("replace the stored key AKIATANAKA0000000001 by AKIATANAKA0000000002? [y/N]");
        pty.line(answer);
        assert_eq!(pty.last_words().0, code);
        assert_eq!(stage.stored().unwrap().current.unwrap().key.id.as_str(), kept);
    }
}

#[test]
fn without_a_keychain_the_key_goes_into_a_sealed_file_and_that_is_said() {
    let stage = Stage::new(Key::Auto, Codes::Program);
    let file = stage.path("key");
    fs::write(&file, format!("{KEY}\n{SECRET}\n")).unwrap();
    let script = format!("{BINARY} key add < {}", file.display());
    let mut pty = Pty::spawn(stage.in_terminal("/bin/sh", &["-c", &script]));
    new_passphrase(&mut pty);
    let (code, said) = pty.last_words();
    assert_eq!(code, 0, "{said}");
    let note = "no D-Bus session bus: the key goes into a sealed file";
    assert!(said.contains(note) && !said.contains("CANARY"), "{said}");
    assert_eq!(stage.stored().unwrap().current.unwrap().key.secret.expose(), SECRET);
}

#[test]
fn a_stored_key_goes_with_its_sessions() {
    let stage = Stage::new(Key::File, Codes::Program);
    stage.store_key();
    let run = |arguments: &[&str]| Pty::spawn(stage.in_terminal(BINARY, arguments)).last_words();
    assert_eq!(run(&["login"]).0, 0);
    let (code, screen) = run(&["key", "remove", "--yes"]);
    assert_eq!(code, 0, "{screen}");
    assert!(screen.contains("the key itself stays active at AWS"), "{screen}");
    assert!(stage.stored().is_none());
    let (code, screen) = run(&["exec", "dev-1", "--", "true"]);
    assert_eq!(code, 2, "{screen}");
    assert!(screen.contains("there is no access key in the store"), "{screen}");
}
