//! One prompt, between real processes.

use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use jiff::Timestamp;
use sekisho::services::store::lock::{
    LockAttempt, LockHolder, PromptGuard, PromptLock, WaitOutcome, WaiterChoice,
};

use super::{again, at, place, say, second, until};
use crate::support::program;

const ME: [u8; 32] = [3; 32];

fn mine(attempt: LockAttempt) -> PromptGuard {
    match attempt {
        LockAttempt::Acquired(held) => held,
        LockAttempt::HeldBy(holder) => panic!("{holder:?} has it"),
    }
}

/// Takes a lock that was given back just now. A process that another test starts may hold it for a moment longer: it
/// inherits every file until it runs its program.
fn given_back(lock: &PromptLock, now: Timestamp) -> PromptGuard {
    until("the turn is free", || match lock.try_acquire("pick", now).unwrap() {
        LockAttempt::Acquired(held) => Some(held),
        LockAttempt::HeldBy(_) => None,
    })
}

fn busy(attempt: LockAttempt) -> LockHolder {
    match attempt {
        LockAttempt::HeldBy(holder) => holder,
        LockAttempt::Acquired(_) => panic!("nobody had it"),
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
}

#[test]
fn an_abandoned_prompt_can_be_taken_over_and_its_holder_learns_it() {
    let (_temp, dir) = place();
    let [first, second, third] = [(); 3].map(|()| PromptLock::new(&dir, &ME).unwrap());
    let held = mine(first.try_acquire("pick", at(0)).unwrap());
    let holder = busy(second.try_acquire("exec \u{1b}dev", at(1)).unwrap());
    assert_eq!(
        (holder.pid, holder.since, holder.verb.as_str()),
        (std::process::id(), at(0), "pick")
    );
    busy(second.take_over("exec", at(9)).unwrap());
    assert!(first.superseded_by(&held).unwrap().is_none());

    let newer = mine(second.take_over("exec \u{1b}dev", at(10)).unwrap());
    assert_eq!(first.superseded_by(&held).unwrap().unwrap().verb, "exec ␛dev");
    assert!(second.superseded_by(&newer).unwrap().is_none());

    // The one who lost it gives up; the turn is still taken.
    drop(held);
    assert_eq!(busy(third.try_acquire("env", at(11)).unwrap()).since, at(10));
    busy(third.take_over("env", at(12)).unwrap());
    let newest = mine(third.take_over("env", at(20)).unwrap());
    assert!(second.superseded_by(&newer).unwrap().is_some());
    drop((newer, newest));
    drop(given_back(&first, at(21)));

    let other = PromptLock::new(&dir, &[4; 32]).unwrap();
    let _held = given_back(&first, at(22));
    mine(other.try_acquire("pick", at(22)).unwrap());
}

#[test]
fn a_holder_line_with_the_last_number_there_is_can_be_taken_over() {
    let (_temp, dir) = place();
    let lock = PromptLock::new(&dir, &ME).unwrap();
    let _held = mine(lock.try_acquire("pick", at(0)).unwrap());
    let slot = fs::read_dir(&dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_some_and(|end| end == "0"))
        .unwrap();
    fs::write(slot, format!("{} 1 0 pick\n", u64::MAX)).unwrap();
    mine(lock.take_over("exec", at(20)).unwrap());
}

#[test]
fn holders_that_all_sit_stopped_end_the_taking_over() {
    let (_temp, dir) = place();
    let lock = PromptLock::new(&dir, &ME).unwrap();
    let held: Vec<PromptGuard> =
        (0..4).map(|i| mine(lock.take_over("pick", at(i * 10)).unwrap())).collect();
    busy(lock.take_over("pick", at(1000)).unwrap());
    drop(held);
    given_back(&lock, at(1001));
}

#[test]
fn a_cancelled_wait_harms_nobody() {
    let (_temp, dir) = place();
    let lock = PromptLock::new(&dir, &ME).unwrap();
    let held = mine(lock.try_acquire("pick", at(0)).unwrap());
    let waiter = PromptLock::new(&dir, &ME).unwrap();
    let mut told = Vec::new();
    let cancelled = block_on(async {
        let wait = waiter.wait(
            "exec",
            || at(60),
            || None::<()>,
            |holder| {
                told.push(holder.verb.clone());
                WaiterChoice::Wait
            },
        );
        tokio::time::timeout(Duration::from_millis(100), wait).await
    });
    assert!(cancelled.is_err());
    assert!(told.len() > 1 && told.iter().all(|verb| verb == "pick"));
    assert!(lock.superseded_by(&held).unwrap().is_none());

    let taken = block_on(waiter.wait("exec", || at(60), || None::<()>, |_| WaiterChoice::TakeOver));
    assert!(matches!(taken, Ok(WaitOutcome::Acquired(_))));
    drop(taken);
    let found = block_on(waiter.wait("exec", || at(60), || Some(7), |_| WaiterChoice::Wait));
    assert!(matches!(found, Ok(WaitOutcome::Found(7))));
}

/// The second process: waits for the session or the turn, and prompts at its turn.
#[test]
fn wants_a_session() {
    let Some(dir) = second() else { return };
    let lock = PromptLock::new(&dir, &ME).unwrap();
    let session = dir.join("session");
    let waited = block_on(lock.wait(
        "exec",
        Timestamp::now,
        || fs::read_to_string(&session).ok(),
        |_| WaiterChoice::Wait,
    ));
    let text = match waited.unwrap() {
        WaitOutcome::Found(text) => text,
        WaitOutcome::Acquired(held) => {
            let mut log =
                OpenOptions::new().create(true).append(true).open(dir.join("prompts")).unwrap();
            writeln!(log, "asked").unwrap();
            // Long enough for the others to come and wait.
            std::thread::sleep(Duration::from_millis(300));
            fs::write(dir.join("session.new"), "opened").unwrap();
            fs::rename(dir.join("session.new"), &session).unwrap();
            drop(held);
            "opened".into()
        }
    };
    assert_eq!(text, "opened");
}

/// Lets eight such processes want a session at once.
#[track_caller]
fn eight_ask_once(process: impl Fn(&Path) -> Command) {
    let (_temp, dir) = place();
    let children: Vec<_> =
        (0..8).map(|_| process(&dir).stdout(Stdio::null()).spawn().unwrap()).collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(fs::read_to_string(dir.join("prompts")).unwrap(), "asked\n");
}

#[test]
fn eight_processes_ask_once() {
    eight_ask_once(|dir| again("store::lock::wants_a_session", dir.to_str().unwrap()));
}

/// As on NFS without a lock daemon.
#[test]
fn on_a_file_system_without_locks_eight_processes_ask_once_too() {
    if !cfg!(target_os = "linux") {
        return super::skip("only Linux has strace");
    }
    let Some(strace) = program("strace") else { return };
    eight_ask_once(|dir| {
        let process = again("store::lock::wants_a_session", dir.to_str().unwrap());
        let mut traced = Command::new(&strace);
        traced.args(["-f", "-qq", "-o", "/dev/null", "-e", "trace=flock"]);
        traced.arg("--inject=flock:error=ENOLCK").arg(process.get_program());
        traced.args(process.get_args());
        traced.envs(process.get_envs().filter_map(|(name, value)| Some((name, value?))));
        traced
    });
}

/// The second process: takes the turn and never gives it back.
#[test]
fn holds_for_ever() {
    let Some(dir) = second() else { return };
    let lock = PromptLock::new(&dir, &ME).unwrap();
    let _held = mine(lock.try_acquire("shell dev-tanaka", Timestamp::now()).unwrap());
    say("HELD");
    let _ = std::io::stdin().lock().read_line(&mut String::new());
}

#[test]
fn a_killed_holder_releases_the_turn() {
    let (_temp, dir) = place();
    let mut child = again("store::lock::holds_for_ever", dir.to_str().unwrap())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.map_while(Result::ok).any(|line| line.contains("HELD")));
    let lock = PromptLock::new(&dir, &ME).unwrap();
    let holder = busy(lock.try_acquire("exec", Timestamp::now()).unwrap());
    assert_eq!((holder.pid, holder.verb.as_str()), (child.id(), "shell dev-tanaka"));
    child.kill().unwrap();
    child.wait().unwrap();
    given_back(&lock, Timestamp::now());
}
