//! However it ends, the terminal is what it was.

use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::desk::{Desk, number, signal};
use crate::pty::terminal::{Pty, command};
use crate::support::program;
use crate::verbs::home::{Home, SEKISHO};

#[test]
fn quitting_and_cancelling() {
    let Some(mut desk) = Desk::new() else { return };
    desk.open("");
    desk.pty.send("\u{1b}");
    assert_eq!(desk.ended(), 0);
    desk.pty.line("clear");
    desk.pty.wait_until("a clear screen", |screen| !screen.contains("LEFT"));
    desk.open("");
    desk.pty.send("\u{3}");
    assert_eq!(desk.ended(), 130);
}

#[test]
fn signals() {
    for (sent, code) in [(Signal::TERM, 143), (Signal::HUP, 129)] {
        for verb in ["", "demo"] {
            let Some(mut desk) = Desk::new() else { return };
            desk.open(verb);
            signal(desk.pty.foreground(), sent);
            assert_eq!(desk.ended(), code, "{verb}");
            let left = std::fs::read_dir(desk.home.path().join("tmp")).unwrap().count();
            assert_eq!(left, 0, "{verb}");
        }
    }
}

#[test]
fn a_fault_goes_back_to_the_list() {
    let Some(mut desk) = Desk::new() else { return };
    desk.home.emulator.with(|organisation| organisation.roles.clear());
    desk.open("");
    desk.choose("dev");
    desk.give_code();
    let screen = desk.pty.wait_for("AWS refused to open dev/Developer");
    assert!(screen.contains("what to do"), "{screen}");
    desk.pty.send("\u{1b}");
    desk.pty.wait_until("the list", |screen| !screen.contains("what to do"));
    desk.pty.send("\u{3}");
    assert_eq!(desk.ended(), 130);
}

#[test]
fn a_subshell_that_is_killed_leads_back_to_the_list() {
    let Some(mut desk) = Desk::new() else { return };
    desk.open("");
    desk.choose("dev");
    desk.give_code();
    desk.inside("dev");
    desk.pty.line("echo $$ > pid; echo FI''N");
    desk.pty.wait_for("FIN");
    signal(number(&desk.home.path().join("pid")), Signal::KILL);
    desk.pty.wait_for("left dev/Developer, exit code 137");
    desk.pty.send("\u{3}");
    assert_eq!(desk.ended(), 130);
}

/// It was: whenever a key and the last stream's wake-up were noticed together.
#[test]
fn a_key_typed_while_the_list_comes_back_is_not_lost() {
    let Some(mut desk) = Desk::new() else { return };
    desk.open("");
    desk.choose("dev");
    desk.give_code();
    for _ in 0..10 {
        desk.inside("dev");
        desk.pty.line("exit");
        desk.pty.wait_for("left dev/Developer");
        desk.pty.send("\u{15}de");
        desk.pty.wait_for("› de ");
        desk.pty.send("v\r");
    }
    desk.inside("dev");
    desk.pty.line("exit");
    desk.pty.wait_for("left dev/Developer");
    desk.pty.send("\u{3}");
    assert_eq!(desk.ended(), 130);
}

/// More than the reader takes at once, as a paste in a terminal that marks none.
#[test]
fn a_flood_of_keys_is_heard_to_its_end() {
    let Some(mut desk) = Desk::new() else { return };
    desk.open("");
    desk.pty.send(&format!("{}zq", "a\u{7f}".repeat(650)));
    desk.pty.wait_for("› zq ");
    desk.pty.send("\u{3}");
    assert_eq!(desk.ended(), 130);
}

/// The window is closed, and no signal tells: the list ends by itself, and does not spin on a dead terminal.
#[test]
fn a_terminal_that_is_gone_ends_the_list() {
    let (Some(script), Some(_)) = (program("script"), program("env")) else {
        return;
    };
    let home = Home::new();
    let inner = "echo $$ > pid; exec env --block-signal=HUP \"$SEKISHO\"";
    let mut shell = command(&script, home.path());
    shell.args(["-qec", inner, "/dev/null"]);
    shell.env("SHELL", "/bin/sh");
    shell.env("SEKISHO", SEKISHO);
    let mut pty = Pty::spawn(shell);
    pty.wait_for("ACCOUNT");
    let list = number(&home.path().join("pid"));
    signal(pty.pid(), Signal::KILL);
    pty.wait();
    let gone = || kill_process(Pid::from_raw(list).unwrap(), Signal::CONT).is_err();
    let end = Instant::now() + Duration::from_secs(10);
    while !gone() {
        if Instant::now() > end {
            signal(list, Signal::KILL);
            panic!("the list still runs");
        }
        std::thread::yield_now();
    }
}

#[test]
fn after_the_shell_it_may_end() {
    let Some(mut desk) = Desk::with("after_shell: exit", &[]) else {
        return;
    };
    desk.open("");
    desk.choose("dev");
    desk.give_code();
    desk.inside("dev");
    desk.pty.line("exit 5");
    assert_eq!(desk.ended(), 5);
}

#[test]
fn stopped_and_continued() {
    for verb in ["", "demo"] {
        let Some(mut desk) = Desk::new() else { return };
        desk.open(verb);
        desk.pty.send("dev");
        desk.pty.wait_for("› dev");
        desk.pty.send("\u{1a}");
        desk.pty.wait_for("Stopped");
        assert!(!desk.pty.has_screen() && desk.pty.has_cursor());
        desk.pty.line("clear; fg");
        desk.pty.wait_until("the list as it was", |screen| {
            screen.contains("› dev") && screen.contains("ACCOUNT")
        });
        assert!(desk.pty.has_screen());
        desk.pty.send("\u{3}");
        desk.until("ended", || !desk.pty.has_screen());
        assert!(desk.pty.has_cursor());
    }
}

#[test]
fn a_window_of_any_size() {
    let Some(mut desk) = Desk::new() else { return };
    desk.open("");
    for (columns, rows, shown) in
        [(30, 6, "dev"), (10, 3, "window"), (1, 1, ""), (200, 60, "ACCOUNT"), (10, 3, "window")]
    {
        desk.pty.resize(columns, rows);
        desk.pty.wait_until(shown, |screen| {
            screen.contains(shown)
                && screen.lines().all(|line| line.len() <= 4 * usize::from(columns))
        });
    }
    // Whatever is drawn, keys work.
    desk.pty.send("\u{3}");
    desk.until("ended", || !desk.pty.has_screen());
    desk.pty.resize(100, 30);
    assert_eq!(desk.ended(), 130);
}
