//! The result as a screen, in the real program on a terminal.

use crate::keys::stage::{BINARY, Codes, Key, Stage};
use crate::pty::terminal::Pty;

#[test]
fn the_result_opens_as_a_list_and_the_report_follows_it() {
    let stage = Stage::new(Key::Env, Codes::Program);
    let mut pty = Pty::spawn(stage.in_terminal(BINARY, &["verify", "--rate", "100"]));
    pty.wait_until("the question", |screen| screen.contains("continue? [y/N]"));
    pty.send("y\r");
    pty.wait_until("the list", |screen| screen.contains("copy remedy"));
    pty.send("\r");
    pty.wait_until("the details", |screen| screen.contains("Esc back"));
    pty.send("\u{1b}");
    pty.wait_until("the list again", |screen| screen.contains("Esc close"));
    pty.send("\u{4}");
    let (code, words) = pty.last_words();
    assert_eq!(code, 6, "{words}");
    assert!(words.contains("8 accounts: 8 "), "{words}");
    assert!(words.contains("Not tried:"), "{words}");
}

#[test]
fn whoever_asks_for_no_question_gets_text() {
    let stage = Stage::new(Key::Env, Codes::Program);
    let mut pty = Pty::spawn(stage.in_terminal(BINARY, &["verify", "--yes", "--rate", "100"]));
    let (code, words) = pty.last_words();
    assert_eq!(code, 6, "{words}");
    assert!(words.contains("8 accounts: 8 ") && !words.contains("copy remedy"), "{words}");
}
