//! The way in without the list, and to the list where a name does not do.

use super::switcher_pty::{SwitcherPty, shown_code};
use crate::support::program;

/// Starts a demo's subshell by a name in the verb's place, and gives the code on the terminal.
fn enter(switcher_pty: &mut SwitcherPty, arguments: &str, account: &str) {
    switcher_pty.pty.line(&format!("$SEKISHO {arguments}; echo EN''DED $?"));
    let screen = switcher_pty.pty.wait_for("code from");
    let code = shown_code(&screen);
    switcher_pty.pty.line(&code);
    switcher_pty.inside(account);
}

#[test]
fn a_name_switches_and_a_dash_goes_back_in_every_shell() {
    for shell in ["bash", "zsh", "fish"] {
        if program(shell).is_none() {
            continue;
        }
        let Some(mut switcher_pty) = SwitcherPty::new() else { return };
        enter(&mut switcher_pty, &format!("demo shell dev-suzuki --shell {shell}"), "dev-suzuki");
        switcher_pty.pty.line("clear; sekisho dev-tanaka");
        switcher_pty.inside("dev-tanaka");
        // What a command was run in is no target that one was in.
        switcher_pty.pty.line("clear; sekisho exec dev-sato -- echo d''one");
        switcher_pty.pty.wait_for("done");
        switcher_pty.pty.line("clear; sekisho -");
        switcher_pty.inside("dev-suzuki");
        switcher_pty.pty.line("clear; sekisho switch -");
        switcher_pty.inside("dev-tanaka");
        if program("setsid").is_some() {
            switcher_pty.pty.line("clear; setsid -w $SEKISHO -");
            switcher_pty.pty.wait_for("this terminal has no previous target");
        }
        // zsh completes where the person's own start-up files turn that on.
        if shell != "zsh" {
            switcher_pty.pty.send("sekisho exec dev-suzuki/\t");
            switcher_pty.pty.wait_for("sekisho exec dev-suzuki/Developer");
            switcher_pty.pty.send("\u{15}");
        }
        // What is no name is looked for.
        switcher_pty.pty.line("clear; sekisho sat");
        switcher_pty.pty.wait_until("the list", |screen| {
            screen.contains("› sat")
                && screen.contains("▌  dev-sato")
                && screen.contains("⏎ switch")
        });
        switcher_pty.pty.send("\r");
        switcher_pty.inside("dev-sato");
        switcher_pty.pty.line("clear; sekisho exce");
        switcher_pty.pty.wait_for("there is no command exce; did you mean exec?");
        switcher_pty.pty.send("\u{3}");
        switcher_pty.inside("dev-sato");
        switcher_pty.pty.line("clear; exit 0");
        switcher_pty.pty.wait_for("ENDED 0");
    }
}

#[test]
fn a_name_opens_a_subshell_and_words_the_list() {
    let Some(mut switcher_pty) = SwitcherPty::new() else { return };
    enter(&mut switcher_pty, "demo dev-suzuki", "dev-suzuki");
    switcher_pty.pty.line("clear; exit");
    switcher_pty.pty.wait_for("ENDED 0");
    switcher_pty.pty.line("clear; $SEKISHO demo suz dev; echo EN''DED $?");
    switcher_pty.pty.wait_until("one row", |screen| {
        screen.contains("› suz dev")
            && screen.contains("▌  dev-suzuki")
            && screen.contains("⏎ shell")
    });
    switcher_pty.pty.send("\u{3}");
    switcher_pty.pty.wait_for("ENDED 130");
}

#[test]
fn where_nothing_was_entered_before_a_dash_opens_the_list() {
    let Some(mut switcher_pty) = SwitcherPty::new() else { return };
    switcher_pty.pty.line("$SEKISHO demo -; echo EN''DED $?");
    switcher_pty.pty.wait_for("this terminal has no previous target");
    switcher_pty.pty.send("\u{3}");
    switcher_pty.pty.wait_for("ENDED 130");
}

#[test]
fn a_guard_asks_as_always() {
    let Some(mut switcher_pty) = SwitcherPty::new() else { return };
    switcher_pty.pty.line("$SEKISHO live; echo EN''DED $?");
    switcher_pty.pty.wait_for("Type its name to enter prod/Developer");
    switcher_pty.pty.line("dev");
    switcher_pty.pty.wait_for("ENDED 2");
}

#[test]
fn a_new_included_target_opens_in_the_list_under_the_cursor() {
    let Some(mut switcher_pty) = SwitcherPty::with("include: [team.yaml]", &[]) else { return };
    let team = "accounts: [{name: dev-team, id: '444444444444', roles: [Reader, Developer]}]\n";
    std::fs::write(switcher_pty.home.path().join(".config/sekisho/team.yaml"), team).unwrap();
    switcher_pty.pty.line("$SEKISHO 4444-4444-4444/Developer; echo EN''DED $?");
    let screen = switcher_pty.pty.wait_for("comes from an included file");
    let row = screen.lines().find(|line| line.contains('▌')).unwrap();
    assert!(row.contains("dev-team") && row.contains("Developer"), "{screen}");
    switcher_pty.pty.send("\u{3}");
    switcher_pty.pty.wait_for("ENDED 130");
    // By the verb, as before.
    switcher_pty.pty.line("clear; $SEKISHO shell dev-team/Developer");
    switcher_pty.pty.wait_for("code from");
    switcher_pty.pty.send("\u{4}");
}

#[test]
fn an_old_included_file_is_named_in_the_header() {
    let include = "include: [{file: team.yaml, stale_after: 2d}, other.yaml]";
    let Some(mut switcher_pty) = SwitcherPty::with(include, &[]) else { return };
    let folder = switcher_pty.home.path().join(".config/sekisho");
    for (name, id) in [("team", "444444444444"), ("other", "555555555555")] {
        let path = folder.join(format!("{name}.yaml"));
        std::fs::write(&path, format!("accounts: [{{name: of-{name}, id: '{id}', roles: [R]}}]\n"))
            .unwrap();
        let file = std::fs::File::options().append(true).open(path).unwrap();
        let age = std::time::Duration::from_hours(50 * 24);
        file.set_modified(std::time::SystemTime::now() - age).unwrap();
    }
    switcher_pty.pty.line("$SEKISHO; echo EN''DED $?");
    let screen = switcher_pty.pty.wait_for("team.yaml is 50 days old");
    assert!(!screen.contains("other.yaml is"), "nobody watches it: {screen}");
    switcher_pty.pty.send("\u{3}");
    switcher_pty.pty.wait_for("ENDED 130");
}

#[test]
fn verbs_without_a_target_open_the_list() {
    let Some(mut switcher_pty) = SwitcherPty::new() else { return };
    for (verb, footer) in [
        ("exec -- sh -c 'echo i\"\"n $SEKISHO_TARGET'", "⏎ run"),
        ("serve -- sh -c 'echo i\"\"n $SEKISHO_TARGET'", "⏎ run"),
        ("shell --shell sh", "⏎ shell"),
        ("exec", "⏎ shell"),
        ("console --print", "⏎ console"),
    ] {
        switcher_pty.pty.line("clear");
        switcher_pty.open(&format!("demo {verb}"));
        let screen = switcher_pty.pty.screen();
        assert!(screen.contains(footer), "{verb}: {screen}");
        if footer != "⏎ run" {
            switcher_pty.pty.send("\u{3}");
            assert_eq!(switcher_pty.ended(), 130, "{verb}");
            continue;
        }
        switcher_pty.choose("suz");
        let screen = switcher_pty.pty.wait_for("the device shows");
        switcher_pty.pty.send(&shown_code(&screen));
        switcher_pty.pty.wait_for("in dev-suzuki/Developer");
        assert_eq!(switcher_pty.ended(), 0, "{verb}");
    }
}
