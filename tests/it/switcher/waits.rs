//! A call that hangs is given up at once, and its code with it.

use std::time::{Duration, Instant};

use sekisho::emulator::{FaultInjection, Injection, Times};

use super::switcher_pty::SwitcherPty;

#[test]
fn esc_cancels_a_hanging_call_at_once() {
    let Some(mut switcher_pty) = SwitcherPty::new() else { return };
    switcher_pty.home.emulator.inject(Injection {
        action: None,
        times: Times::UntilCleared,
        what: FaultInjection::Hang,
    });
    switcher_pty.open("");
    switcher_pty.choose("dev");
    switcher_pty.pty.wait_for("MFA code");
    let code = switcher_pty.home.code();
    switcher_pty.pty.send(code.trim());
    switcher_pty.pty.wait_for("Esc cancels");
    switcher_pty.until("called", || !switcher_pty.home.emulator.calls().is_empty());
    let asked = Instant::now();
    switcher_pty.pty.send("\u{1b}");
    switcher_pty.pty.wait_for("cancelled");
    // A call is given up by itself after ten seconds.
    assert!(asked.elapsed() < Duration::from_secs(5));
    switcher_pty.home.emulator.clear();

    // AWS may have seen the code: it is not sent again. (An Enter soon after a sixth digit is a habit.)
    switcher_pty.until("a second later", || asked.elapsed() > Duration::from_secs(1));
    switcher_pty.pty.send("\r");
    switcher_pty.pty.wait_for("MFA code");
    switcher_pty.pty.send(code.trim());
    switcher_pty.pty.wait_for("used already");
    assert_eq!(switcher_pty.home.emulator.calls().len(), 1);
    switcher_pty.home.emulator.advance(Duration::from_secs(30));
    switcher_pty.give_code();
    switcher_pty.inside("dev");
}
