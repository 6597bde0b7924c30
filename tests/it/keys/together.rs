//! The switcher, an `exec` and a `credential-process` at one lock: one of them asks, all are served.

use aws_credential_types::Credentials;

use rustix::process::{Pid, Signal, kill_process};
use sekisho::emulator::{FaultInjection, Injection, Times};

use super::stage::{BINARY, Codes, Key, Stage, kill, until};
use crate::emulator::stage::{run, sts};
use crate::pty::terminal::Pty;

const SHOW: &str = "echo child $SEKISHO_TARGET $AWS_ACCESS_KEY_ID $AWS_ACCOUNT_ID";

/// A way to start a process that may ask for a code. Each wants an account of its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Invocation {
    Switcher,
    Exec,
    Process,
}
use Invocation::{Exec, Process, Switcher};

impl Invocation {
    fn account(self) -> &'static str {
        match self {
            Switcher => "dev-1",
            Exec => "dev-2",
            Process => "dev-3",
        }
    }

    /// What the others call it.
    fn verb(self) -> String {
        match self {
            Switcher => "pick".to_owned(),
            Exec => format!("exec {}", self.account()),
            Process => format!("credential-process {}", self.account()),
        }
    }
}

/// A process in a terminal of its own.
struct Party {
    kind: Invocation,
    pty: Pty,
}

impl Party {
    /// Starts it, with `child` as what an `exec` runs.
    fn with_child(stage: &Stage, kind: Invocation, child: &str) -> Self {
        let command = match kind {
            Switcher => stage.in_terminal(BINARY, &[]),
            Exec => {
                stage.in_terminal(BINARY, &["exec", kind.account(), "--", "/bin/sh", "-c", child])
            }
            // Whoever calls it reads its stdout.
            Process => stage.in_terminal(
                "/bin/sh",
                &["-c", &format!("exec {BINARY} {} --prompt > printed", kind.verb())],
            ),
        };
        let pty = Pty::spawn(command);
        Self { kind, pty }
    }

    fn start(stage: &Stage, kind: Invocation) -> Self {
        Self::with_child(stage, kind, SHOW)
    }

    /// Lets it want its session: a switcher's row has to be entered.
    fn want(&mut self) {
        if self.kind == Switcher {
            self.pty.wait_for("Esc quit");
            self.pty.send(self.kind.account());
            self.pty.wait_for("1 / ");
            self.pty.send("\r");
        }
    }

    /// What the person reads: in a popup, where one is open. Without line breaks.
    fn text(&self) -> String {
        let screen = self.pty.screen();
        let read = |line: &'_ str| -> Vec<String> {
            let popup = line.split_once('│').and_then(|(_, rest)| rest.rsplit_once('│'));
            let line = popup.map_or(line, |(inside, _)| inside);
            line.split_whitespace().map(str::to_owned).collect()
        };
        screen.lines().flat_map(read).collect::<Vec<_>>().join(" ")
    }

    /// Whether its prompt is open.
    fn asks(&self) -> bool {
        match self.kind {
            Switcher => self.text().contains("user tanaka, device phone"),
            Exec | Process => {
                let screen = self.pty.screen();
                let last = screen.trim_end().lines().last();
                last.is_some_and(|line| line.starts_with("code from phone:"))
            }
        }
    }

    fn name(&self) -> String {
        format!("`sekisho {}` (pid {})", self.kind.verb(), self.pty.pid())
    }

    /// Waits until the person was told that another one asks.
    #[track_caller]
    fn hears(&self, holder: &Self) {
        self.reads(&format!("{} asks for the code: waiting for it", holder.name()));
    }

    #[track_caller]
    fn reads(&self, what: &str) {
        until(&format!("{:?} reads {what}", self.kind), || {
            self.text().contains(what).then_some(())
        });
    }

    #[track_caller]
    fn prompts(&self) {
        until(&format!("{:?} asks", self.kind), || self.asks().then_some(()));
    }

    fn give(&mut self, code: &str) {
        self.pty.send(code);
        if self.kind != Switcher {
            self.pty.send("\r");
        }
    }

    /// Waits for its result, which must be its own account's.
    #[track_caller]
    fn is_served(&mut self, stage: &Stage) {
        let account = self.kind.account();
        let child = format!("child {account}/Developer ASIA");
        match self.kind {
            Switcher => {
                self.pty.wait_until("a prompt of /bin/sh", |screen| {
                    let last = screen.trim().lines().last().unwrap_or_default();
                    ["#", "$"].contains(&last.trim()) && !screen.contains("Esc quit")
                });
                self.pty.line(SHOW);
                self.pty.wait_for(&child);
            }
            Exec => {
                assert_eq!(self.pty.wait(), 0, "{}", self.pty.screen());
                self.pty.wait_for(&child);
            }
            Process => {
                assert_eq!(self.pty.wait(), 0, "{}", self.pty.screen());
                let printed = std::fs::read(stage.path("printed")).unwrap();
                opens(stage, &printed, account);
            }
        }
    }
}

fn signal(pid: i32, signal: Signal) {
    kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
}

/// Holds the document of `credential-process` against AWS: its credentials are in that account.
#[track_caller]
fn opens(stage: &Stage, document: &[u8], account: &str) {
    let document: serde_json::Value = serde_json::from_slice(document).unwrap();
    let text = |name: &str| document[name].as_str().unwrap().to_owned();
    let credentials = Credentials::new(
        text("AccessKeyId"),
        text("SecretAccessKey"),
        Some(text("SessionToken")),
        None,
        "test",
    );
    let caller = run(sts(&stage.emulator, credentials).get_caller_identity().send()).unwrap();
    let id = format!("22222222222{}", account.strip_prefix("dev-").unwrap());
    assert_eq!(caller.account(), Some(id.as_str()));
}

/// A `credential-process` that may ask nobody, although it has a terminal: its exit code.
fn silent(stage: &Stage) -> u32 {
    let script = format!("exec {BINARY} credential-process dev-4 > silent");
    let mut pty = Pty::spawn(stage.in_terminal("/bin/sh", &["-c", &script]));
    let (code, said) = pty.last_words();
    assert!(!said.contains("code from"), "{said}");
    assert_eq!(code == 4, said.contains("prompting is not allowed"), "{said}");
    code
}

/// Which of them asks; exactly one does, once the others have been told.
#[track_caller]
fn holder(parties: &[Party]) -> usize {
    until("one asks and two wait", || {
        let waits = |party: &&Party| party.text().contains("asks for the code: waiting for it");
        let asking = parties.iter().filter(|party| party.asks()).count();
        let waiting = parties.iter().filter(waits).count();
        (asking == 1 && waiting == 2).then_some(())
    });
    parties.iter().position(Party::asks).unwrap()
}

#[test]
fn one_code_serves_a_switcher_an_exec_and_a_credential_process() {
    for first in [None, Some(Switcher), Some(Exec), Some(Process)] {
        let stage = Stage::new(Key::Env, Codes::Person);
        let mut parties = Vec::new();
        if let Some(first) = first {
            parties.push(Party::start(&stage, first));
            parties[0].want();
            parties[0].prompts();
        }
        let others = [Switcher, Exec, Process].into_iter().filter(|kind| Some(*kind) != first);
        parties.extend(others.map(|kind| Party::start(&stage, kind)));
        for party in &mut parties[usize::from(first.is_some())..] {
            party.want();
        }
        let holder = holder(&parties);
        assert!(first.is_none() || holder == 0, "{first:?}");
        for (at, party) in parties.iter().enumerate() {
            if at != holder {
                party.hears(&parties[holder]);
            }
        }
        assert_eq!(silent(&stage), 4);
        assert_eq!(stage.calls("GetSessionToken"), 0);

        parties[holder].give(&stage.next_code());
        for party in &mut parties {
            party.is_served(&stage);
        }
        assert_eq!(silent(&stage), 0);
        opens(&stage, &std::fs::read(stage.path("silent")).unwrap(), "dev-4");
        assert_eq!(stage.calls("GetSessionToken"), 1);
        assert_eq!(stage.calls("AssumeRole"), 4);
    }
}

#[test]
fn who_leaves_or_gives_up_harms_nobody_else() {
    let stage = Stage::new(Key::Env, Codes::Person);
    let start = |kind| Party::start(&stage, kind);
    let mut switcher = start(Switcher);
    switcher.want();
    switcher.prompts();
    let [mut exec, mut process] = [Exec, Process].map(start);
    exec.hears(&switcher);
    process.hears(&switcher);

    process.pty.send("\u{3}");
    assert_ne!(process.pty.wait(), 0);
    assert!(switcher.asks() && !exec.asks());

    switcher.pty.send("\u{1b}");
    exec.prompts();
    assert!(!switcher.asks());
    switcher.pty.send("\r");
    switcher.hears(&exec);
    exec.pty.send("\u{3}");
    assert_ne!(exec.pty.wait(), 0);
    switcher.prompts();

    let mut exec = start(Exec);
    exec.hears(&switcher);
    switcher.give(&stage.next_code());
    switcher.is_served(&stage);
    exec.is_served(&stage);
    assert_eq!(stage.calls("GetSessionToken"), 1);
}

#[test]
fn a_killed_switcher_gives_the_prompt_to_a_waiter() {
    let stage = Stage::new(Key::Env, Codes::Person);
    let mut switcher = Party::start(&stage, Switcher);
    switcher.want();
    switcher.prompts();
    let mut waiters = [Exec, Process].map(|kind| Party::start(&stage, kind));
    for waiter in &waiters {
        waiter.hears(&switcher);
    }
    kill(switcher.pty.pid());
    let next = until("a waiter asks", || waiters.iter().position(Party::asks));
    waiters[1 - next].hears(&waiters[next]);
    waiters[next].give(&stage.next_code());
    for waiter in &mut waiters {
        waiter.is_served(&stage);
    }
    assert_eq!(stage.calls("GetSessionToken"), 1);
}

#[test]
fn a_switcher_that_shows_a_fault_holds_nobody_up() {
    let stage = Stage::new(Key::Env, Codes::Person);
    stage.emulator.inject(Injection {
        action: Some("GetSessionToken".to_owned()),
        times: Times::Next(1),
        what: FaultInjection::Garbage,
    });
    let mut switcher = Party::start(&stage, Switcher);
    switcher.want();
    switcher.prompts();
    let mut exec = Party::start(&stage, Exec);
    exec.hears(&switcher);
    switcher.give(&stage.next_code());
    switcher.reads("Enter or Esc goes back to the list");
    exec.prompts();
    exec.give(&stage.next_code());
    exec.is_served(&stage);
}

#[test]
fn a_prompt_that_nobody_answers_is_taken_over_and_gives_way() {
    let ask_on = format!("{SHOW}; read line; echo got $line");
    let mut pairs =
        [(Exec, Switcher), (Switcher, Process), (Process, Exec)].map(|(first, next)| {
            let stage = Stage::new(Key::Env, Codes::Person);
            let mut holder = Party::with_child(&stage, first, &ask_on);
            holder.want();
            holder.prompts();
            let mut waiter = Party::start(&stage, next);
            waiter.want();
            waiter.hears(&holder);
            // Before it is offered, this is no wish.
            waiter.pty.send("\r");
            (stage, holder, waiter)
        });
    let [(_, exec, _), _, (_, stopped, _)] = &mut pairs;
    exec.pty.send("123");
    signal(stopped.pty.pid(), Signal::STOP);

    for (stage, holder, waiter) in &mut pairs {
        let offer = "still asks for the code; Enter asks here instead";
        waiter.reads(&format!("{} {offer}", holder.name()));
        assert!(!waiter.asks());
        waiter.pty.send("\r");
        waiter.prompts();
        if holder.kind != Process {
            holder.hears(waiter);
            assert!(!holder.asks());
        }
        waiter.give(&stage.next_code());
        waiter.is_served(stage);
        let prompted = waiter.pty.transcript();
        assert!(!prompted.contains("a code is exactly six digits"), "{prompted}");
    }

    let [(one, exec, _), (two, switcher, _), (three, stopped, _)] = &mut pairs;
    // Without a key pressed there; what was typed before is nobody's.
    exec.pty.wait_for("child dev-2/Developer ASIA");
    exec.pty.line("fine");
    exec.pty.wait_for("got fine");
    exec.is_served(one);
    switcher.is_served(two);
    // It reads a line before it can notice: the code in it stays good.
    let code = three.next_code();
    stopped.pty.line(&code);
    signal(stopped.pty.pid(), Signal::CONT);
    stopped.is_served(three);
    assert!(three.run(&["logout"]).status.success());
    let login = three.run_with_input(&["login", "--mfa-code", "-"], &format!("{code}\n"));
    assert!(login.status.success(), "{login:?}");
    for ((stage, ..), calls) in pairs.iter().zip([1, 1, 2]) {
        assert_eq!(stage.calls("GetSessionToken"), calls);
    }
}
