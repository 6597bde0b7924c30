//! A day's work: list, code, subshell, back to the list, the next account.

use super::desk::{Desk, shown_code};
use crate::support::program;

#[test]
fn a_day_in_the_demo() {
    let Some(mut desk) = Desk::new() else { return };
    desk.open("demo");
    assert!(desk.pty.has_screen());
    desk.pty.send("suz");
    desk.pty
        .wait_until("one match", |screen| screen.contains("1 / ") && screen.contains("dev-suzuki"));
    desk.pty.send("\r");

    // A wrong code: the box stays and says why.
    let screen = desk.pty.wait_for("the device shows");
    assert!(screen.contains("MFA code") && screen.contains("dev-suzuki/Developer"), "{screen}");
    let wrong = if shown_code(&screen) == "000000" { "111111" } else { "000000" };
    desk.pty.send(wrong);
    let screen = desk.pty.wait_for("AWS did not take the code");
    assert!(screen.contains("MFA code"), "{screen}");
    // The same digits never reach AWS again.
    desk.pty.send(wrong);
    desk.pty.wait_for("used already");
    let code = shown_code(&desk.pty.screen());
    desk.pty.send(&code);
    desk.inside("dev-suzuki");

    // Every key is the child's, ^C too.
    desk.pty.line("sh -c 'echo REA\"\"DY; exec cat > typed'");
    desk.pty.wait_for("READY");
    let typed = "the quick brown fox jumps over 13 lazy dogs? /:;!#*+-_=.,~ q j k ";
    for key in typed.chars() {
        desk.pty.send(&key.to_string());
    }
    desk.pty.send("\r\u{4}");
    desk.pty.line("wc -c < typed; echo FI''N");
    desk.pty.wait_for("FIN");
    let seen = std::fs::read_to_string(desk.home.path().join("typed")).unwrap();
    assert_eq!(seen, format!("{typed}\n"));
    desk.pty.line("sh -c 'echo RUN\"\"NING; exec cat'");
    desk.pty.wait_for("RUNNING");
    let prompts = |screen: &str| screen.matches("[dev-suzuki/Developer]").count();
    let before = prompts(&desk.pty.screen());
    desk.pty.send("\u{3}");
    desk.pty.wait_until("a new prompt", |screen| prompts(screen) > before);
    desk.pty.line("echo interrup''ted $? $SEKISHO_TARGET");
    desk.pty.wait_for("interrupted 130 dev-suzuki/Developer");
    if program("aws").is_some() {
        desk.pty.line("aws sts get-caller-identity --query Arn --output text");
        desk.pty.wait_for("arn:aws:sts::244424442444:assumed-role/Developer/tanaka");
    }

    // Back in the list, where it was.
    desk.pty.line("exit 3");
    let screen = desk.pty.wait_for("left dev-suzuki/Developer, exit code 3");
    assert!(screen.contains("demo folder"), "where sessions rest by now");
    assert!(screen.contains("› suz") && screen.contains('●'), "{screen}");
    assert!(desk.pty.has_screen());

    // A second account opens without a code.
    desk.pty.send("\u{15}");
    desk.choose("tanaka dev");
    desk.inside("dev-tanaka");
    desk.pty.line("exit");
    desk.pty.wait_for("left dev-tanaka/Developer");
    desk.pty.send("\u{1b}");
    desk.pty.wait_until("an empty filter", |screen| !screen.contains("› tanaka"));
    desk.pty.send("\u{1b}");
    assert_eq!(desk.ended(), 0);

    // Nothing stays behind.
    let left: Vec<_> = std::fs::read_dir(desk.home.path().join("tmp")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn one_code_opens_every_account_on_the_wire_too() {
    let Some(mut desk) = Desk::with("min_guard: {}", &[]) else {
        return;
    };
    desk.open("");
    desk.choose("dev");
    desk.give_code();
    desk.inside("dev");
    desk.pty.line("exit");
    desk.pty.wait_for("left dev/Developer");
    // The other account is guarded: its name is typed, no code.
    desk.pty.send("\u{15}");
    desk.choose("prod");
    desk.pty.wait_for("type the account's name");
    desk.pty.send("prod\r");
    desk.inside("prod");
    desk.pty.line("exit");
    desk.pty.wait_for("left prod/Developer");
    desk.pty.send("\r");
    desk.pty.wait_for("type the account's name");
    desk.pty.send("\u{1b}");
    desk.pty.wait_until("the list", |screen| !screen.contains("type the account's name"));
    desk.pty.send("\u{3}");
    assert_eq!(desk.ended(), 130);
    let calls: Vec<_> = desk.home.emulator.calls().into_iter().map(|call| call.action).collect();
    assert_eq!(calls, ["GetSessionToken", "AssumeRole", "AssumeRole"]);
}

#[test]
fn a_pasted_code_fills_the_box() {
    let Some(mut desk) = Desk::new() else { return };
    desk.open("");
    desk.choose("dev");
    desk.pty.wait_for("MFA code");
    let code = desk.home.code();
    let (first, second) = code.trim().split_at(3);
    desk.pty.send(&format!("\u{1b}[200~{first} {second}\r\n\u{1b}[201~"));
    desk.inside("dev");
    assert!(desk.home.emulator.calls()[0].with_code);
}

#[test]
fn without_colour_nothing_is_coloured() {
    let Some(mut desk) = Desk::with("", &[("NO_COLOR", "1")]) else {
        return;
    };
    desk.open("");
    desk.pty.send("\u{1b}");
    assert_eq!(desk.ended(), 0);
    let transcript = desk.pty.transcript();
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
