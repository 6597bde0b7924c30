//! However it ends, the terminal is what it was.

use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::switcher_pty::{SwitcherPty, number, signal};
use crate::emulator::stage::DEV;
use crate::pty::terminal::{Pty, command};
use crate::support::{program, until};
use crate::verbs::home::{Home, SEKISHO};

#[test]
fn quitting_and_cancelling() {
    let Some(mut switcher_pty) = SwitcherPty::new() else { return };
    switcher_pty.open("");
    switcher_pty.pty.send("\u{1b}");
    assert_eq!(switcher_pty.ended(), 0);
    switcher_pty.pty.line("clear");
    switcher_pty.pty.wait_until("a clear screen", |screen| !screen.contains("LEFT"));
    switcher_pty.open("");
    switcher_pty.pty.send("\u{3}");
    assert_eq!(switcher_pty.ended(), 130);
}

#[test]
fn signals() {
    for (sent, code) in [(Signal::TERM, 143), (Signal::HUP, 129)] {
        for verb in ["", "demo"] {
            let Some(mut switcher_pty) = SwitcherPty::new() else { return };
            switcher_pty.open(verb);
            signal(switcher_pty.pty.foreground(), sent);
            assert_eq!(switcher_pty.ended(), code, "{verb}");
            let left = std::fs::read_dir(switcher_pty.home.path().join("tmp")).unwrap().count();
            assert_eq!(left, 0, "{verb}");
        }
    }
}

#[test]
fn a_fault_goes_back_to_the_list() {
    let Some(mut switcher_pty) = SwitcherPty::new() else { return };
    switcher_pty.home.emulator.with(|organization| organization.roles.clear());
    switcher_pty.open("");
    switcher_pty.choose("dev");
    switcher_pty.give_code();
    let screen = switcher_pty.pty.wait_for("AWS refused to open dev/Developer");
    assert!(screen.contains("what to do"), "{screen}");
    switcher_pty.pty.send("\u{1b}");
    switcher_pty.pty.wait_until("the list", |screen| !screen.contains("what to do"));
    switcher_pty.pty.send("\u{3}");
    assert_eq!(switcher_pty.ended(), 130);
}

#[test]
fn a_config_that_changes_behind_the_list_shows_in_it() {
    let Some(mut switcher_pty) = SwitcherPty::new() else { return };
    let file = switcher_pty.home.path().join(".config/sekisho/config.yaml");
    let edit = |from: &str, to: &str| {
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.contains(from), "{text}");
        std::fs::write(&file, text.replace(from, to)).unwrap();
    };
    switcher_pty.open("");
    edit(DEV, "444444444444");
    switcher_pty.choose("dev");
    let screen = switcher_pty.pty.wait_for("the config has changed under");
    assert!(screen.contains("choose again"), "{screen}");
    switcher_pty.pty.send("\u{1b}");
    switcher_pty.pty.wait_until("the list with the new id", |screen| {
        screen.contains("4444-4444-4444") && !screen.contains("what to do")
    });
    edit("444444444444", DEV);
    switcher_pty.pty.send("\r");
    switcher_pty.pty.wait_for("the config has changed under");
    switcher_pty.pty.send("\u{1b}");
    switcher_pty.pty.wait_until("the list with the new id", |screen| {
        screen.contains("2222-2222-2222") && !screen.contains("what to do")
    });
    switcher_pty.pty.send("\r");
    switcher_pty.give_code();
    switcher_pty.inside("dev");
    // What changes under a subshell is there when the list comes back, with the sessions of this process.
    edit("  - name: prod\n", "  - name: staging\n");
    switcher_pty.pty.line("exit");
    switcher_pty.pty.wait_until("the new name", |screen| {
        screen.contains("left dev/Developer") || screen.contains("staging")
    });
    switcher_pty.pty.send("\u{15}");
    switcher_pty.pty.wait_for("staging");
    switcher_pty.choose("dev");
    switcher_pty.inside("dev");
    switcher_pty.pty.line("exit");
    switcher_pty.pty.wait_for("left dev/Developer");
    // A broken one ends nothing that is open.
    edit("auth:", "auht:");
    switcher_pty.pty.send("\u{15}dev\r");
    switcher_pty.pty.wait_for("the config has");
    switcher_pty.pty.send("\u{3}");
    assert_eq!(switcher_pty.ended(), 130);
}

#[test]
fn a_subshell_that_is_killed_leads_back_to_the_list() {
    let Some(mut switcher_pty) = SwitcherPty::new() else { return };
    switcher_pty.open("");
    switcher_pty.choose("dev");
    switcher_pty.give_code();
    switcher_pty.inside("dev");
    switcher_pty.pty.line("echo $$ > pid; echo FI''N");
    switcher_pty.pty.wait_for("FIN");
    signal(number(&switcher_pty.home.path().join("pid")), Signal::KILL);
    switcher_pty.pty.wait_for("left dev/Developer, exit code 137");
    switcher_pty.pty.send("\u{3}");
    assert_eq!(switcher_pty.ended(), 130);
}

/// It was: whenever a key and the last stream's wake-up were noticed together.
#[test]
fn a_key_typed_while_the_list_comes_back_is_not_lost() {
    let Some(mut switcher_pty) = SwitcherPty::new() else { return };
    switcher_pty.open("");
    switcher_pty.choose("dev");
    switcher_pty.give_code();
    for _ in 0..10 {
        switcher_pty.inside("dev");
        switcher_pty.pty.line("exit");
        switcher_pty.pty.wait_for("left dev/Developer");
        switcher_pty.pty.send("\u{15}de");
        switcher_pty.pty.wait_for("› de ");
        switcher_pty.pty.send("v\r");
    }
    switcher_pty.inside("dev");
    switcher_pty.pty.line("exit");
    switcher_pty.pty.wait_for("left dev/Developer");
    switcher_pty.pty.send("\u{3}");
    assert_eq!(switcher_pty.ended(), 130);
}

/// More than the reader takes at once, as a paste in a terminal that marks none.
#[test]
fn a_flood_of_keys_is_heard_to_its_end() {
    let Some(mut switcher_pty) = SwitcherPty::new() else { return };
    switcher_pty.open("");
    switcher_pty.pty.send(&format!("{}zq", "a\u{7f}".repeat(650)));
    switcher_pty.pty.wait_for("› zq ");
    switcher_pty.pty.send("\u{3}");
    assert_eq!(switcher_pty.ended(), 130);
}

/// The window is closed, and no signal tells: the list ends by itself, and does not spin on a dead terminal.
#[test]
fn a_terminal_that_is_gone_ends_the_list() {
    closed_after("", |_| true);
}

/// The same in the middle of a key: crossterm is reading then.
#[cfg(target_os = "linux")]
#[test]
fn a_terminal_that_is_gone_in_the_middle_of_a_key_ends_the_list() {
    // read(2) of standard input, by its numbers on x86-64 and aarch64; only root may see it.
    let reads = |list: i32| {
        let call = std::fs::read_to_string(format!("/proc/{list}/syscall")).unwrap_or_default();
        ["0 0x0 ", "63 0x0 "].iter().any(|read| call.starts_with(read))
    };
    if !rustix::process::geteuid().is_root() {
        return crate::store::skip("only root can see that the list is reading");
    }
    closed_after("\u{1b}[", reads);
}

/// Closes the window of a list once it has taken some keys.
#[track_caller]
fn closed_after(keys: &str, has_taken: impl Fn(i32) -> bool) {
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
    pty.send(keys);
    until("the list has taken the keys", || has_taken(list).then_some(()));
    signal(pty.pid(), Signal::KILL);
    pty.wait();
    // It may stay as a zombie: not every process 1 of a container waits for orphans.
    let is_zombie = || {
        let stat = std::fs::read_to_string(format!("/proc/{list}/stat")).unwrap_or_default();
        stat.rsplit_once(')').is_some_and(|(_, rest)| rest.starts_with(" Z"))
    };
    let gone = || kill_process(Pid::from_raw(list).unwrap(), Signal::CONT).is_err() || is_zombie();
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
    let Some(mut switcher_pty) = SwitcherPty::with("after_shell: exit", &[]) else {
        return;
    };
    switcher_pty.open("");
    switcher_pty.choose("dev");
    switcher_pty.give_code();
    switcher_pty.inside("dev");
    switcher_pty.pty.line("exit 5");
    assert_eq!(switcher_pty.ended(), 5);
}

/// The line's time is local, the environment's is UTC.
#[test]
fn a_subshell_from_the_list_says_that_exit_returns_there() {
    let Some(mut switcher_pty) = SwitcherPty::with("", &[("TZ", "JST-9")]) else { return };
    switcher_pty.open("");
    switcher_pty.choose("dev");
    switcher_pty.give_code();
    switcher_pty.inside("dev");
    switcher_pty.pty.line("echo \"local $(date -d \"$SEKISHO_EXPIRATION\" +%H:%M)\"");
    let screen = switcher_pty.pty.wait_for("\nlocal ");
    let local = screen.split("\nlocal ").nth(1).unwrap().lines().next().unwrap();
    let line = screen.lines().find(|line| line.contains("exit returns to the list")).unwrap();
    assert!(line.starts_with("sekisho: dev/Developer until "), "{line}");
    assert!(line.ends_with(&format!("{local} · exit returns to the list")), "{line}, not {local}");
}

#[test]
fn stopped_and_continued() {
    for verb in ["", "demo"] {
        let Some(mut switcher_pty) = SwitcherPty::new() else { return };
        switcher_pty.open(verb);
        switcher_pty.pty.send("dev");
        switcher_pty.pty.wait_for("› dev");
        switcher_pty.pty.send("\u{1a}");
        switcher_pty.pty.wait_for("Stopped");
        assert!(!switcher_pty.pty.has_screen() && switcher_pty.pty.has_cursor());
        switcher_pty.pty.line("clear; fg");
        switcher_pty.pty.wait_until("the list as it was", |screen| {
            screen.contains("› dev") && screen.contains("ACCOUNT")
        });
        assert!(switcher_pty.pty.has_screen());
        switcher_pty.pty.send("\u{3}");
        switcher_pty.until("ended", || !switcher_pty.pty.has_screen());
        assert!(switcher_pty.pty.has_cursor());
    }
}

#[test]
fn a_window_of_any_size() {
    let Some(mut switcher_pty) = SwitcherPty::new() else { return };
    // Shorter than the narrowest window with text: a shell that draws a wrapped prompt anew wipes the line above it.
    switcher_pty.pty.line("PS1='> '");
    switcher_pty.open("");
    for (columns, rows, shown) in [
        (30, 6, "dev"),
        (10, 3, "needs 20x4"),
        (1, 1, ""),
        (200, 60, "ACCOUNT"),
        (10, 3, "needs 20x4"),
    ] {
        switcher_pty.pty.resize(columns, rows);
        switcher_pty.pty.wait_until(shown, |screen| {
            screen.contains(shown)
                && screen.lines().all(|line| line.len() <= 4 * usize::from(columns))
        });
    }
    // Whatever is drawn, keys work.
    switcher_pty.pty.send("\u{3}");
    switcher_pty.until("ended", || !switcher_pty.pty.has_screen());
    switcher_pty.pty.resize(100, 30);
    assert_eq!(switcher_pty.ended(), 130);
}

#[test]
fn the_list_says_what_has_changed_and_wants_the_name() {
    let Some(mut switcher_pty) = SwitcherPty::with("include: [team.yaml]", &[]) else { return };
    let file = switcher_pty.home.path().join(".config/sekisho/team.yaml");
    let team = |id: &str| {
        let text = format!("accounts: [{{name: team, id: '{id}', roles: [Developer]}}]\n");
        std::fs::write(&file, text).unwrap();
    };
    team("444444444444");
    switcher_pty.pty.line("$SEKISHO list; echo REMEM''BERED");
    switcher_pty.pty.wait_for("REMEMBERED");
    team("555555555555");
    // At a terminal without the list.
    switcher_pty.pty.line("clear; $SEKISHO exec team -- true; echo AN''SWERED $?");
    let screen = switcher_pty.pty.wait_for("Type its name to enter team/Developer");
    assert!(screen.contains("now it is arn:aws:iam::555555555555:role/Developer"), "{screen}");
    switcher_pty.pty.send("other\r");
    switcher_pty.pty.wait_for("ANSWERED 2");
    switcher_pty.open("");
    switcher_pty.pty.wait_for("1 included target changed");
    switcher_pty.choose("team");
    let screen = switcher_pty.pty.wait_for("changed target");
    assert!(screen.contains("was arn:aws:iam::444444444444:role/Developer"), "{screen}");
    switcher_pty.pty.send("team\r");
    switcher_pty.pty.wait_for("MFA code");
    switcher_pty.pty.send("\u{3}");
    assert_eq!(switcher_pty.ended(), 130);
}
