//! A call that hangs is given up at once, and its code with it.

use std::time::{Duration, Instant};

use sekisho::emulator::{Injection, Misbehaviour, Times};

use super::desk::Desk;

#[test]
fn esc_cancels_a_hanging_call_at_once() {
    let Some(mut desk) = Desk::new() else { return };
    desk.home.emulator.inject(Injection {
        action: None,
        times: Times::UntilCleared,
        what: Misbehaviour::Hang,
    });
    desk.open("");
    desk.choose("dev");
    desk.pty.wait_for("MFA code");
    let code = desk.home.code();
    desk.pty.send(code.trim());
    desk.pty.wait_for("Esc cancels");
    desk.until("called", || !desk.home.emulator.calls().is_empty());
    let asked = Instant::now();
    desk.pty.send("\u{1b}");
    desk.pty.wait_for("cancelled");
    // A call is given up by itself after ten seconds.
    assert!(asked.elapsed() < Duration::from_secs(5));
    desk.home.emulator.clear();

    // AWS may have seen the code: it is not sent again. (An Enter soon after a sixth digit is a habit.)
    desk.until("a second later", || asked.elapsed() > Duration::from_secs(1));
    desk.pty.send("\r");
    desk.pty.wait_for("MFA code");
    desk.pty.send(code.trim());
    desk.pty.wait_for("used already");
    assert_eq!(desk.home.emulator.calls().len(), 1);
    desk.home.emulator.advance(Duration::from_secs(30));
    desk.give_code();
    desk.inside("dev");
}
