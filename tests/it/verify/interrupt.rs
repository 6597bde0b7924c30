//! Ctrl-C in the real program, on a terminal.

use crate::keys::stage::{BINARY, Codes, Key, Stage};
use crate::pty::terminal::Pty;

#[test]
fn interrupted_it_prints_how_far_it_is_and_goes_on_from_there() {
    let stage = Stage::new(Key::Env, Codes::Program);
    let mut pty = Pty::spawn(stage.in_terminal(BINARY, &["verify", "--yes", "--rate", "10"]));
    pty.wait_until("some accounts", |screen| {
        (1..8).any(|done| screen.contains(&format!("{done} of 8 accounts")))
    });
    pty.send("\u{3}");
    let (code, words) = pty.last_words();
    assert_eq!(code, 130, "{words}");
    assert!(words.contains("of 8 accounts done; run again to go on"), "{words}");

    stage.next_code();
    let before = stage.calls("AssumeRole");
    let output = stage.command(&["verify", "--yes", "--rate", "100"]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("8 accounts: 8 "), "{text}");
    let again = stage.calls("AssumeRole") - before;
    assert!(again < 8 * 3, "{again}: accounts that were done are not asked again");
}
