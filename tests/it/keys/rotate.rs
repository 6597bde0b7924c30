//! A rotation that is killed everywhere, and never leaves the person without a working key.

use sekisho::emulator::{FaultInjection, Injection, KeyStatus, Times};

use super::stage::{BINARY, Codes, KEY, Key, PASSPHRASE, Stage, kill, until};
use crate::pty::terminal::Pty;
use crate::support::program;

fn stage() -> Stage {
    let stage = Stage::new(Key::File, Codes::Program);
    stage.store_key();
    stage
}

const ROTATE: [&str; 4] = ["key", "rotate", "--finish", "--yes"];

/// Waits for the end; types the passphrase where the kernel does not remember it.
fn finish(pty: &mut Pty) -> u32 {
    let mut typed = 0;
    until("the end of a rotation", || {
        let asked = pty.screen().matches("passphrase of the access key's file: ").count();
        if asked > typed {
            typed = asked;
            pty.line(PASSPHRASE);
        }
        pty.has_ended().then_some(())
    });
    pty.wait()
}

/// One of the stored keys is active at AWS, with the very secret that is stored.
#[track_caller]
fn works(stage: &Stage, when: &str) {
    let entry = stage.stored().expect("an entry");
    let stored: Vec<_> = entry.current.iter().chain(&entry.spare).collect();
    let keys = stage.keys();
    let working = keys.iter().any(|key| {
        key.status == KeyStatus::Active
            && stored.iter().any(|stored| {
                stored.key.id.as_str() == key.id && stored.key.secret.expose() == key.secret
            })
    });
    assert!(working, "no stored key works {when}: {keys:?}");
}

/// Rotates to the end, begun by `--finish` or not.
#[track_caller]
fn resume(stage: &Stage, when: &str) {
    stage.next_code();
    // `--finish` refuses to begin; a rotation killed before its first note has not begun.
    let begun = stage.stored().unwrap().stage.is_some() || stage.stored().unwrap().spare.is_some();
    let arguments: &[&str] = if begun { &ROTATE } else { &["key", "rotate", "--yes"] };
    let mut pty = Pty::spawn(stage.in_terminal(BINARY, arguments));
    assert_eq!(finish(&mut pty), 0, "{when}: {}", pty.screen());
    let (entry, keys) = (stage.stored().unwrap(), stage.keys());
    let current = entry.current.unwrap().key;
    assert_eq!(keys.len(), 1, "{when}: {keys:?}");
    assert_eq!(
        (keys[0].id.as_str(), &*keys[0].secret),
        (current.id.as_str(), current.secret.expose())
    );
    assert!(keys[0].status == KeyStatus::Active && keys[0].id != KEY, "{when}");
    assert!(entry.spare.is_none() && entry.stage.is_none(), "{when}");
}

#[test]
fn a_rotation_replaces_the_key_step_by_step() {
    let stage = stage();
    stage.emulator.with(|organization| {
        organization.quirks.key_propagation = std::time::Duration::from_secs(1);
    });
    let mut pty = Pty::spawn(stage.in_terminal(BINARY, &["key", "rotate"]));
    until("the offer to delete", || {
        if pty.screen().contains("passphrase of the access key's file: ") {
            pty.line(PASSPHRASE);
        }
        pty.screen().contains("delete the old key").then_some(())
    });
    let old = stage.keys().into_iter().find(|key| key.id == KEY).unwrap();
    assert_eq!(old.status, KeyStatus::Inactive);
    works(&stage, "before the old key is deleted");
    pty.line("n");
    assert_eq!(finish(&mut pty), 0);
    pty.wait_for("sekisho key rotate --finish");

    resume(&stage, "after the offer was declined");
    let new = stage.stored().unwrap().current.unwrap().key.id;
    // The old key's session is forgotten, so the next use asks, and it uses the new key.
    stage.next_code();
    let output = stage.run(&["exec", "dev-1", "--", "true"]);
    assert!(output.status.success(), "{output:?}");
    let calls = stage.emulator.calls();
    let last = calls.iter().rfind(|call| call.action == "GetSessionToken");
    assert_eq!(last.unwrap().key.as_deref(), Some(new.as_str()));
}

#[test]
fn killed_at_every_call_a_rotation_is_resumed() {
    for call in 1.. {
        let stage = stage();
        let strike = |times, what| {
            let action = None;
            stage.emulator.inject(Injection { action, times, what });
        };
        if call > 1 {
            strike(Times::Next(call - 1), FaultInjection::Latency(std::time::Duration::ZERO));
        }
        strike(Times::Next(1), FaultInjection::Hang);
        let mut pty = Pty::spawn(stage.in_terminal(BINARY, &["key", "rotate", "--yes"]));
        let reached = usize::try_from(call).unwrap();
        let ended = until("the call that hangs", || {
            if pty.screen().ends_with("passphrase of the access key's file:") {
                pty.line(PASSPHRASE);
            }
            let hangs = stage.emulator.calls().len() == reached;
            (hangs || pty.has_ended()).then(|| pty.has_ended())
        });
        if ended {
            assert_eq!(pty.wait(), 0, "{}", pty.screen());
            assert!(call > 8, "a rotation takes more calls than {call}");
            break;
        }
        kill(pty.pid());
        pty.wait();
        stage.emulator.clear();
        let when = format!("after the kill at call {call}");
        works(&stage, &when);
        resume(&stage, &when);
    }
}

#[test]
fn killed_at_every_write_a_rotation_is_resumed() {
    let Some(strace) = program("strace") else {
        return;
    };
    for write in 1.. {
        let stage = stage();
        let inject = format!("inject=renameat,renameat2:signal=KILL:when={write}");
        let trace = stage.path("trace");
        let mut arguments = vec!["-f", "-o", trace.to_str().unwrap(), "-e", &inject, BINARY];
        arguments.extend(["key", "rotate", "--yes"]);
        let mut pty = Pty::spawn(stage.in_terminal(&strace, &arguments));
        let code = finish(&mut pty);
        let when = format!("after the kill at write {write}");
        works(&stage, &when);
        if code == 0 {
            assert!(write > 8, "a rotation writes more often than {write}");
            break;
        }
        resume(&stage, &when);
    }
}

#[test]
fn a_second_key_that_is_not_ours_is_left_alone() {
    let stage = stage();
    let other = sekisho::emulator::AccessKey::new("AKIAOTHER00000000001", "other");
    stage.emulator.with(|organization| {
        let user = organization.user("tanaka").unwrap();
        user.keys.push(other);
    });
    let mut pty = Pty::spawn(stage.in_terminal(BINARY, &ROTATE));
    assert_eq!(finish(&mut pty), 1);
    pty.wait_for("the user has a second access key, AKIAOTHER00000000001");
    assert_eq!(stage.keys().len(), 2);
    works(&stage, "after the refusal");
}

#[test]
fn without_a_rotation_there_is_nothing_to_finish() {
    let stage = stage();
    let mut pty = Pty::spawn(stage.in_terminal(BINARY, &ROTATE));
    assert_eq!(finish(&mut pty), 2);
    pty.wait_for("there is no rotation to finish");
    assert_eq!(stage.keys().len(), 1);
}

#[test]
fn two_at_once_do_not_change_the_key() {
    let stage = stage();
    stage.emulator.inject(Injection {
        action: Some("CreateAccessKey".into()),
        times: Times::Next(1),
        what: FaultInjection::Hang,
    });
    let mut first = Pty::spawn(stage.in_terminal(BINARY, &["key", "rotate", "--yes"]));
    until("the new key at AWS", || {
        if first.screen().ends_with("passphrase of the access key's file:") {
            first.line(PASSPHRASE);
        }
        (stage.keys().len() == 2).then_some(())
    });
    for second in [&["key", "rotate", "--yes"][..], &["key", "remove", "--yes"]] {
        let (calls, output) = (stage.emulator.calls().len(), stage.run(second));
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains("another process is changing"), "{said}");
        assert_eq!(stage.emulator.calls().len(), calls);
    }
    assert!(stage.run(&["key", "status"]).status.success());
    kill(first.pid());
    first.wait();
    stage.emulator.clear();
    resume(&stage, "after the first was killed");
}
