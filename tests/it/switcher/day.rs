//! A day's work: list, code, subshell, back to the list, the next account.

use super::switcher_pty::{SwitcherPty, shown_code};
use crate::support::program;

#[test]
fn a_day_in_the_demo() {
    let Some(mut switcher_pty) = SwitcherPty::new() else { return };
    switcher_pty.open("demo");
    assert!(switcher_pty.pty.has_screen());
    switcher_pty.pty.send("suz");
    switcher_pty
        .pty
        .wait_until("one match", |screen| screen.contains("1 / ") && screen.contains("dev-suzuki"));
    switcher_pty.pty.send("\r");

    // A wrong code: the box stays and says why.
    let screen = switcher_pty.pty.wait_for("the device shows");
    assert!(screen.contains("MFA code") && screen.contains("dev-suzuki/Developer"), "{screen}");
    let wrong = if shown_code(&screen) == "000000" { "111111" } else { "000000" };
    switcher_pty.pty.send(wrong);
    let screen = switcher_pty.pty.wait_for("AWS did not accept the code");
    assert!(screen.contains("MFA code"), "{screen}");
    // The same digits never reach AWS again.
    switcher_pty.pty.send(wrong);
    switcher_pty.pty.wait_for("used already");
    let code = shown_code(&switcher_pty.pty.screen());
    switcher_pty.pty.send(&code);
    switcher_pty.inside("dev-suzuki");

    // Every key is the child's, ^C too.
    switcher_pty.pty.line("sh -c 'echo REA\"\"DY; exec cat > typed'");
    switcher_pty.pty.wait_for("READY");
    let typed = "the quick brown fox jumps over 13 lazy dogs? /:;!#*+-_=.,~ q j k ";
    for key in typed.chars() {
        switcher_pty.pty.send(&key.to_string());
    }
    switcher_pty.pty.send("\r\u{4}");
    switcher_pty.pty.line("wc -c < typed; echo FI''N");
    switcher_pty.pty.wait_for("FIN");
    let seen = std::fs::read_to_string(switcher_pty.home.path().join("typed")).unwrap();
    assert_eq!(seen, format!("{typed}\n"));
    switcher_pty.pty.line("sh -c 'echo RUN\"\"NING; exec cat'");
    switcher_pty.pty.wait_for("RUNNING");
    let prompts = |screen: &str| screen.matches("[dev-suzuki/Developer]").count();
    let before = prompts(&switcher_pty.pty.screen());
    switcher_pty.pty.send("\u{3}");
    switcher_pty.pty.wait_until("a new prompt", |screen| prompts(screen) > before);
    switcher_pty.pty.line("echo interrup''ted $? $SEKISHO_TARGET");
    switcher_pty.pty.wait_for("interrupted 130 dev-suzuki/Developer");
    if program("aws").is_some() {
        switcher_pty.pty.line("aws sts get-caller-identity --query Arn --output text");
        switcher_pty.pty.wait_for("arn:aws:sts::244424442444:assumed-role/Developer/tanaka");
    }

    // Back in the list, on the row that was left.
    switcher_pty.pty.line("exit 3");
    let screen = switcher_pty.pty.wait_for("left dev-suzuki/Developer, exit code 3");
    assert!(screen.contains("demo folder"), "where sessions rest by now");
    assert!(!screen.contains("› suz") && screen.contains("▌  dev-suzuki"), "{screen}");
    assert!(screen.contains('●'), "{screen}");
    assert!(switcher_pty.pty.has_screen());

    // A second account opens without a code.
    switcher_pty.choose("tanaka dev");
    switcher_pty.inside("dev-tanaka");
    switcher_pty.pty.line("exit");
    switcher_pty.pty.wait_for("left dev-tanaka/Developer");
    switcher_pty.pty.send("\u{4}");
    assert_eq!(switcher_pty.ended(), 0);

    // Nothing stays behind.
    let left: Vec<_> = std::fs::read_dir(switcher_pty.home.path().join("tmp")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn one_code_opens_every_account_on_the_wire_too() {
    let Some(mut switcher_pty) = SwitcherPty::with("min_guard: {}", &[]) else {
        return;
    };
    switcher_pty.open("");
    switcher_pty.choose("dev");
    switcher_pty.give_code();
    switcher_pty.inside("dev");
    switcher_pty.pty.line("exit");
    switcher_pty.pty.wait_for("left dev/Developer");
    // The other account is guarded: its name is typed, no code.
    switcher_pty.pty.send("\u{15}");
    switcher_pty.choose("prod");
    switcher_pty.pty.wait_for("type the account's name");
    switcher_pty.pty.send("prod\r");
    switcher_pty.inside("prod");
    switcher_pty.pty.line("exit");
    switcher_pty.pty.wait_for("left prod/Developer");
    switcher_pty.choose("prod");
    switcher_pty.pty.wait_for("type the account's name");
    switcher_pty.pty.send("\u{1b}");
    switcher_pty.pty.wait_until("the list", |screen| !screen.contains("type the account's name"));
    switcher_pty.pty.send("\u{3}");
    assert_eq!(switcher_pty.ended(), 130);
    let calls: Vec<_> =
        switcher_pty.home.emulator.calls().into_iter().map(|call| call.action).collect();
    assert_eq!(calls, ["GetSessionToken", "AssumeRole", "AssumeRole"]);
}

/// From account to account without leaving the shell: the list knows where one was in the end, what was used, and inside
/// it marks where one is.
#[test]
fn a_switch_is_a_switch_and_what_is_left_is_what_one_was_in_last() {
    let Some(mut switcher_pty) = SwitcherPty::new() else { return };
    switcher_pty.open("demo");
    switcher_pty.choose("suz");
    let screen = switcher_pty.pty.wait_for("the device shows");
    switcher_pty.pty.send(&shown_code(&screen));
    switcher_pty.inside("dev-suzuki");
    switcher_pty.pty.line("for n in 1 2 3; do sekisho exec dev-tanaka -- true; done; sekisho");
    let screen = switcher_pty.pty.wait_until("the list", |screen| screen.contains("Esc quit"));
    assert!(screen.contains("⏎ switch") && screen.contains("in dev-suzuki/Developer"), "{screen}");
    assert!(screen.contains("→") && screen.contains("▌  dev-tanaka"), "{screen}");
    switcher_pty.pty.send("\r");
    switcher_pty.inside("dev-tanaka");
    switcher_pty.pty.line("sekisho status");
    let screen = switcher_pty.pty.wait_for("this shell");
    let line = screen.lines().find(|line| line.ends_with("this shell")).unwrap();
    assert!(line.starts_with("dev-tanaka/Developer"), "{screen}");
    switcher_pty.pty.line("clear; exit 3");
    let screen = switcher_pty.pty.wait_for("left dev-tanaka/Developer, exit code 3");
    assert!(screen.contains("▌  dev-tanaka"), "{screen}");
    switcher_pty.pty.send("\u{4}");
    assert_eq!(switcher_pty.ended(), 0);
}

#[test]
fn a_pasted_code_fills_the_box() {
    let Some(mut switcher_pty) = SwitcherPty::new() else { return };
    switcher_pty.open("");
    switcher_pty.choose("dev");
    switcher_pty.pty.wait_for("MFA code");
    let code = switcher_pty.home.code();
    let (first, second) = code.trim().split_at(3);
    switcher_pty.pty.send(&format!("\u{1b}[200~{first} {second}\r\n\u{1b}[201~"));
    switcher_pty.inside("dev");
    assert!(switcher_pty.home.emulator.calls()[0].with_code);
}

#[test]
fn without_colour_nothing_is_coloured() {
    let Some(mut switcher_pty) = SwitcherPty::with("", &[("NO_COLOR", "1")]) else {
        return;
    };
    switcher_pty.open("");
    switcher_pty.pty.send("\u{1b}");
    assert_eq!(switcher_pty.ended(), 0);
    let transcript = switcher_pty.pty.transcript();
    let sgr = transcript.split("\u{1b}[").skip(1).filter_map(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != ';')?;
        rest[end..].starts_with('m').then(|| rest[..end].to_owned())
    });
    for codes in sgr {
        let coloured = codes
            .split(';')
            .any(|code| matches!(code.as_bytes(), [b'3' | b'4', b'0'..=b'8'] | [b'9', _]));
        assert!(!coloured, "\\e[{codes}m");
    }
}
