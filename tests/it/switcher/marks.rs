//! A command line in the marked rows: from the list to the main screen, and back to the list.

use rustix::process::Signal;

use super::switcher_pty::{SwitcherPty, signal};

/// A switcher in whose config nothing is guarded, its list open and both rows marked.
fn marked() -> Option<SwitcherPty> {
    let mut switcher_pty = SwitcherPty::new()?;
    let file = switcher_pty.home.path().join(".config/sekisho/config.yaml");
    let config = std::fs::read_to_string(file).unwrap();
    switcher_pty.home.write(&config.replace("guard: confirm", "guard: none"));
    switcher_pty.open("");
    switcher_pty.pty.send("\t\t");
    switcher_pty.pty.wait_for("2 marked");
    switcher_pty.pty.send("\r");
    switcher_pty.pty.wait_for("runs in 2 targets");
    Some(switcher_pty)
}

impl SwitcherPty {
    /// Pastes a command line, presses Enter, and gives the code.
    #[track_caller]
    fn run_in_marked(&mut self, line: &str) {
        self.pty.send(&format!("\u{1b}[200~{line}\r\n\u{1b}[201~"));
        let first: String = line.chars().take(50).collect();
        self.pty.wait_for(&format!("› {first}"));
        assert!(self.pty.has_screen(), "a paste runs nothing");
        // An Enter that comes as fast as a paste does not count.
        self.pty.send_until("\r", "the code prompt", |screen| screen.contains("code from phone"));
        assert!(!self.pty.has_screen());
        let code = self.home.code();
        self.pty.line(code.trim());
    }

    fn pid_of_sekisho(&self) -> i32 {
        self.pty.foreground()
    }
}

#[test]
fn two_are_marked_one_code_runs_the_line_in_both_and_the_list_comes_back() {
    let Some(mut switcher_pty) = marked() else { return };
    let line = "echo in $SEKISHO_TARGET; test $SEKISHO_ACCOUNT = dev || exit 7";
    switcher_pty.run_in_marked(line);
    let screen = switcher_pty.pty.wait_for("Enter returns to the list");
    assert!(screen.contains(&format!("sekisho: `{line}` in 2 targets")), "{screen}");
    assert!(screen.contains("dev/Developer  │ in dev/Developer"), "{screen}");
    assert!(screen.contains("prod/Developer │ in prod/Developer"), "{screen}");
    assert!(screen.contains("1 of 2 succeeded, 1 did not"), "{screen}");
    assert!(screen.contains("TARGET          EXIT"), "{screen}");
    assert!(!screen.contains("[y/N]"), "the box was the question\n{screen}");
    switcher_pty.pty.line("");
    let screen = switcher_pty.pty.wait_for("ran in 2 targets, 1 failed");
    assert!(switcher_pty.pty.has_screen() && !screen.contains("marked"), "{screen}");
    // The sessions are the list's too: no other code.
    switcher_pty.choose("dev");
    switcher_pty.inside("dev");
    switcher_pty.pty.line("exit");
    switcher_pty.pty.wait_for("left dev/Developer");
    switcher_pty.pty.send("\u{4}");
    assert_eq!(switcher_pty.ended(), 0);
    let with_code: Vec<bool> =
        switcher_pty.home.emulator.calls().iter().map(|call| call.with_code).collect();
    assert_eq!(with_code.iter().filter(|with| **with).count(), 1, "{with_code:?}");
}

#[test]
fn an_interrupt_ends_the_run_and_a_signal_ends_sekisho() {
    let Some(mut switcher_pty) = marked() else { return };
    switcher_pty.run_in_marked("echo sta''rted; exec sleep 600");
    switcher_pty.pty.wait_until("both run", |screen| {
        screen.matches("Developer  │ started").count() == 1
            && screen.contains("prod/Developer │ started")
    });
    switcher_pty.pty.send("\u{3}");
    switcher_pty.pty.wait_for("Enter returns to the list");
    // One more goes back, as Enter does.
    switcher_pty.pty.send("\u{3}");
    switcher_pty.pty.wait_for("ran in 2 targets, 2 failed");
    // Nothing is left to ask for: the second run needs no code.
    switcher_pty.pty.send("\t\r");
    switcher_pty.pty.wait_for("runs in 1 target");
    switcher_pty.pty.send("true");
    switcher_pty.pty.wait_for("› true");
    switcher_pty.pty.send_until("\r", "the end", |screen| screen.contains("returns to the list"));
    signal(switcher_pty.pid_of_sekisho(), Signal::TERM);
    assert_eq!(switcher_pty.ended(), 143);
}
