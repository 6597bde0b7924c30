//! `key leaked`: a new key, the leaked one dead, and a page of what is left to do.

use sekisho::emulator::KeyStatus;

use super::stage::{BINARY, Codes, KEY, Key, PASSPHRASE, SECRET, Stage, kill, until};
use crate::pty::terminal::Pty;

fn stage() -> Stage {
    let stage = Stage::new(Key::File, Codes::Program);
    stage.store_key();
    let history = format!("ls\nexport AWS_ACCESS_KEY_ID={KEY}\n");
    std::fs::write(stage.path(".bash_history"), history).unwrap();
    stage
}

/// Runs to the end; types the passphrase where the kernel does not remember it.
fn finish(pty: &mut Pty) -> u32 {
    let mut typed = 0;
    until("the end", || {
        let asked = pty.screen().matches("passphrase of the access key's file: ").count();
        if asked > typed {
            typed = asked;
            pty.line(PASSPHRASE);
        }
        pty.has_ended().then_some(())
    });
    pty.wait()
}

/// The leaked key is inactive and stored beside a new one that works.
#[track_caller]
fn replaced(stage: &Stage) {
    let keys = stage.keys();
    let old = keys.iter().find(|key| key.id == KEY).unwrap();
    assert_eq!(old.status, KeyStatus::Inactive);
    let entry = stage.stored().unwrap();
    let current = entry.current.unwrap().key;
    let new = keys.iter().find(|key| key.id == current.id.as_str()).unwrap();
    assert!(new.status == KeyStatus::Active && new.secret == current.secret.expose());
    assert_eq!(keys.len(), 2, "the leaked key is evidence, and stays");
}

#[test]
fn the_leaked_key_is_replaced_and_dead_and_the_page_says_what_is_left() {
    for (language, words) in [
        ("en", ["AWS refuses it since", "To the security officer", ".bash_history: 2"]),
        ("ja", ["AWS が拒否することを確認", "セキュリティ担当者への報告文", ".bash_history: 2"]),
    ] {
        let stage = stage();
        let page = stage.path("page");
        let shell = format!("{BINARY} key leaked --lang {language} > {}", page.display());
        let mut pty = Pty::spawn(stage.in_terminal("/bin/sh", &["-c", &shell]));
        assert_eq!(finish(&mut pty), 0, "{}", pty.screen());
        replaced(&stage);
        let page = std::fs::read_to_string(page).unwrap();
        for word in words {
            assert!(page.contains(word), "{word}\n{page}");
        }
        let lookup = format!("AttributeKey=AccessKeyId,AttributeValue={KEY}");
        assert!(page.contains(&lookup) && page.contains("aws:TokenIssueTime"), "{page}");
        assert!(!page.contains(SECRET), "{page}");
    }
}

#[test]
fn killed_on_the_way_it_goes_on() {
    for action in ["CreateAccessKey", "UpdateAccessKey"] {
        let stage = stage();
        let mut pty = Pty::spawn(stage.in_terminal(BINARY, &["key", "leaked"]));
        until("the call", || {
            if pty.screen().contains("passphrase of the access key's file: ") {
                pty.line(PASSPHRASE);
            }
            (stage.calls(action) > 0 || pty.has_ended()).then_some(())
        });
        kill(pty.pid());
        stage.next_code();
        let mut pty = Pty::spawn(stage.in_terminal(BINARY, &["key", "leaked", "--yes"]));
        assert_eq!(finish(&mut pty), 0, "{action}: {}", pty.screen());
        replaced(&stage);
    }
}

#[test]
fn without_a_device_it_says_what_another_person_must_do() {
    let stage = stage();
    stage.emulator.with(|organization| {
        organization.user("tanaka").unwrap().devices.clear();
    });
    let mut pty = Pty::spawn(stage.in_terminal(BINARY, &["key", "leaked"]));
    assert_ne!(finish(&mut pty), 0);
    pty.wait_for("aws iam update-access-key --user-name tanaka");
}
