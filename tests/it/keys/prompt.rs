//! Eight processes, one code.

use std::process::{Child, Stdio};

use super::stage::{BINARY, Codes, Key, Stage, kill, until};
use crate::pty::terminal::Pty;

const SHOW: &str = "echo child $SEKISHO_TARGET $AWS_ACCESS_KEY_ID $AWS_ACCOUNT_ID";

#[test]
fn eight_processes_at_once_run_the_code_program_once() {
    let stage = Stage::new(Key::Env, Codes::Program);
    let children: Vec<Child> = (1..=8)
        .map(|n| {
            let target = format!("dev-{n}");
            let mut command = stage.command(&["exec", &target, "--", "/bin/sh", "-c", SHOW]);
            command.stdout(Stdio::piped()).stderr(Stdio::piped());
            command.spawn().unwrap()
        })
        .collect();
    for (n, child) in (1..).zip(children) {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let printed = String::from_utf8(output.stdout).unwrap();
        let start = format!("child dev-{n}/Developer ASIA");
        assert!(printed.starts_with(&start), "{printed}");
        assert!(printed.ends_with(&format!(" 22222222222{n}\n")), "{printed}");
    }
    assert_eq!(stage.asked(), 1);
    assert_eq!(stage.calls("GetSessionToken"), 1);
    assert_eq!(stage.calls("AssumeRole"), 8);
}

/// The terminals that ask for the code now.
fn asking(terminals: &[Pty]) -> Vec<usize> {
    let asks = |(at, pty): (usize, &Pty)| pty.screen().contains("code from phone:").then_some(at);
    terminals.iter().enumerate().filter_map(asks).collect()
}

fn open(stage: &Stage, count: usize) -> Vec<Pty> {
    (1..=count)
        .map(|n| {
            let target = format!("dev-{n}");
            let arguments = ["exec", &target, "--", "/bin/sh", "-c", SHOW];
            Pty::spawn(stage.in_terminal(BINARY, &arguments))
        })
        .collect()
}

#[test]
fn eight_terminals_at_once_ask_one_person_once() {
    let stage = Stage::new(Key::Env, Codes::Person);
    let mut terminals = open(&stage, 8);
    until("one asks and seven wait", || {
        let waits = |pty: &&Pty| pty.screen().contains("asks for the code: waiting for it");
        let waiting = terminals.iter().filter(waits).count();
        (asking(&terminals).len() == 1 && waiting == 7).then_some(())
    });
    let holder = asking(&terminals)[0];
    let name = format!("`sekisho exec dev-{}` (pid {})", holder + 1, terminals[holder].pid());
    let code = stage.next_code();
    terminals[holder].line(&code);
    for (at, pty) in terminals.iter_mut().enumerate() {
        assert_eq!(pty.wait(), 0, "{}", pty.screen());
        let screen = pty.wait_for(&format!("child dev-{}/Developer ASIA", at + 1));
        assert!(at == holder || screen.contains(&name), "{screen}");
        assert!(!screen.contains(&code) || at == holder, "{screen}");
    }
    assert_eq!(stage.calls("GetSessionToken"), 1);
}

#[test]
fn a_holder_that_is_killed_gives_the_prompt_to_the_next() {
    let stage = Stage::new(Key::Env, Codes::Person);
    let mut terminals = open(&stage, 3);
    let one_asks = |terminals: &[Pty]| {
        until("one asks", || (asking(terminals).len() == 1).then(|| asking(terminals)[0]))
    };
    let first = one_asks(&terminals);
    let mut dead = terminals.remove(first);
    kill(dead.pid());
    dead.wait();
    let second = one_asks(&terminals);
    // A waiter that leaves harms nobody.
    let waiter = 1 - second;
    terminals[waiter].wait_for("waiting for it");
    terminals[waiter].send("\u{3}");
    assert_ne!(terminals[waiter].wait(), 0);
    terminals[second].line(&stage.next_code());
    assert_eq!(terminals[second].wait(), 0);
    terminals[second].wait_for("/Developer ASIA");
    assert_eq!(stage.calls("GetSessionToken"), 1);
}
