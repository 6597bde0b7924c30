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

#[test]
fn no_line_before_the_question_is_wider_than_the_terminal_or_a_hundred_columns() {
    let stage = Stage::new(Key::Env, Codes::Program);
    let piped = stage.run(&["verify", "--yes"]);
    let text = String::from_utf8(piped.stdout).unwrap();
    // The report begins as the preface does.
    let (preface, _) = text.rsplit_once("EMULATED").unwrap();
    let widths: Vec<usize> = preface.lines().map(|line| line.chars().count()).collect();
    assert!(widths.iter().all(|width| *width <= 100), "{preface}");
    assert!(widths.iter().any(|width| *width > 80), "{preface}");
    let mut pty = Pty::spawn(stage.in_terminal(BINARY, &["verify"]));
    let screen = pty.wait_until("the question", |screen| screen.contains("continue? [y/N]"));
    // Words are whole on an 80-column terminal.
    assert!(screen.lines().any(|line| line.trim_end().ends_with("the refused ones")), "{screen}");
    pty.send("n\r");
    pty.last_words();
}
