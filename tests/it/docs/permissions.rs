//! The policies of `docs/permissions.md` are enough for everything the page says they are for, and give nothing
//! without a code.

use sekisho::emulator::{Document, Policy};

use super::markdown::page;
use crate::keys::stage::{BINARY, Codes, Key, PASSPHRASE, Stage};
use crate::pty::terminal::Pty;

/// Runs a verb in a terminal, typing the passphrase where it is asked for.
fn run(stage: &Stage, arguments: &[&str]) -> (u32, String) {
    stage.next_code();
    Pty::spawn(stage.in_terminal(BINARY, arguments)).attend(|screen| {
        let is_asked = screen.trim_end().ends_with("passphrase of the access key's file:");
        is_asked.then(|| PASSPHRASE.to_owned())
    })
}

/// A home whose user and roles have exactly what the page says.
fn stage(key: Key, with_allow: bool) -> Stage {
    let blocks = page("docs/permissions.md").blocks.iter();
    let json: Vec<&str> =
        blocks.filter(|block| block.info == "json").map(|block| &*block.text).collect();
    let [allow, deny, trust, ..] = json[..] else { panic!("three policies: {json:?}") };
    let stage = Stage::new(key, Codes::Program);
    if key == Key::File {
        stage.store_key();
    }
    stage.emulator.with(|organization| {
        let policies = [Some(deny), with_allow.then_some(allow)];
        let policies = policies.into_iter().flatten();
        organization.user("tanaka").unwrap().policies =
            policies.map(|text| Policy::inline(text).unwrap()).collect();
        let trust = Document::parse(trust).unwrap();
        organization.role("222222222221", "Developer").unwrap().trust = trust;
    });
    stage
}

#[test]
fn the_policies_of_the_page_are_enough() {
    let stage = stage(Key::File, true);
    for arguments in [
        &["login"][..],
        &["exec", "dev-1", "--", "true"],
        &["exec", "dev-1", "--duration", "1h", "--scope", "read-only", "--", "true"],
        &["key", "status"],
        &["key", "rotate", "--yes"],
        &["key", "rotate", "--finish", "--yes"],
    ] {
        let (code, said) = run(&stage, arguments);
        let done = code == 0 || said.contains("there is no rotation to finish");
        assert!(done, "{arguments:?}: {code}\n{said}");
    }
}

#[test]
fn doctor_finds_them_sufficient() {
    let (_, said) = run(&stage(Key::Env, true), &["doctor"]);
    for row in ["ok       key-accepted", "ok       mfa-device"] {
        assert!(said.contains(row), "{row}\n{said}");
    }
}

#[test]
fn without_them_nothing_is_entered() {
    let stage = stage(Key::File, false);
    let (code, said) = run(&stage, &["exec", "dev-1", "--", "true"]);
    assert_eq!(code, 3, "{said}");
}
