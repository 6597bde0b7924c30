//! The day on which sekisho has a bug: however it ends, nobody learns a secret.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::process::Output;
use std::rc::Rc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use jiff::{SignedDuration, Timestamp};
use rustix::process::{Pid, Resource, Signal, getrlimit, kill_process, setrlimit};
use sekisho::domain::account::Overrides;
use sekisho::domain::agents::{Allowance, Driver};
use sekisho::domain::confirmation::Confirmation;
use sekisho::domain::pass::{Asking, Renew, Request, Terms};
use sekisho::domain::secret::{MfaCode, Secret};
use sekisho::emulator::{FaultInjection, Times};
use sekisho::services::config::cache;
use sekisho::services::config::paths::{Ids, Paths};
use sekisho::services::session::backoff::Backoff;
use sekisho::services::session::broker::{Broker, BrokerDeps};
use sekisho::services::session::diary::Diary;
use sekisho::services::session::facts::Facts;
use sekisho::services::session::interaction::Interaction;
use sekisho::services::session::issued::Issued;
use sekisho::services::session::sessions::who_id;
use sekisho::services::store::datakey::KeyPlace;
use sekisho::services::store::keyfile::{Passphrase, Unasked};
use sekisho::services::store::process_memory::hide_memory;
use sekisho::services::store::vault::Vault;

use super::Day;
use crate::emulator::stage::run;
use crate::keys::stage::{BINARY, PASSPHRASE, SERIAL, until};

/// How often the clock may still be read; the reading after that is a bug.
static READINGS: AtomicUsize = AtomicUsize::new(usize::MAX);

/// How far the organization's clock is ahead, which moves on with each code, in seconds.
static AHEAD: AtomicI64 = AtomicI64::new(0);

fn clock_with_a_bug() -> Timestamp {
    let left = READINGS.fetch_sub(1, Ordering::Relaxed);
    assert_ne!(left, 0, "a bug");
    Timestamp::now() + SignedDuration::from_secs(AHEAD.load(Ordering::Relaxed))
}

struct Owner;

impl Interaction for Owner {
    fn notify(&self, _: &str) {}

    fn is_available(&self) -> bool {
        true
    }

    fn passphrase(&self, _: Passphrase) -> Result<Secret, Unasked> {
        Ok(Secret::new(PASSPHRASE.into()))
    }

    fn takeover_requested(&self) -> bool {
        false
    }
}

/// Enters an account as `exec` does, from the sealed key to the sealed session.
#[test]
#[ignore = "started by the test below, in a process of its own"]
fn work_with_a_bug() {
    let variable = |name: &str| std::env::var(name).ok();
    let Some(readings) = variable("SEKISHO_TEST_BUG") else {
        return;
    };
    hide_memory().unwrap();
    let core = getrlimit(Resource::Core);
    let most = rustix::process::Rlimit { current: core.maximum, ..core };
    setrlimit(Resource::Core, most).unwrap();

    let paths = Paths::find(|name| std::env::var_os(name), Ids::current()).unwrap();
    let file = paths.config.join("config.yaml");
    let config = cache::load(&file, &paths).unwrap().config;
    let row = config.catalog.find("dev-1").unwrap();
    let target = config.catalog.resolve(row, &Overrides::default());
    let sessions = paths.state.join("sessions");
    let deps = BrokerDeps {
        browser: None,
        remembered: None,
        vault: Vault::new(&sessions, KeyPlace::FILE, paths.runtime.usable()),
        facts: Facts::new(&paths.state),
        backoff: Backoff::new(&sessions, &who_id(&config.auth)),
        store: config.store,
        verb: "exec dev-1".into(),
        driver: Driver::Person,
        agents: Allowance::Full,
        diary: Some(Diary::new(&paths.state, "exec dev-1")),
        issued: Some(Issued::new(&paths.state)),
        interaction: Box::new(Owner),
        clock: clock_with_a_bug,
        shared: paths.state,
    };
    let broker = Broker::new(config.auth, deps);
    let code = MfaCode::parse(&variable("SEKISHO_TEST_CODE").unwrap()).unwrap();
    let terms =
        Terms { renew: Renew::ByFlow, asking: Asking::Allowed, spare: Terms::SHORTEST_STAY };
    let request = Request::new(target.clear(Confirmation::Absent, &Driver::Person).unwrap(), terms)
        .with_code(Some((SERIAL.parse().unwrap(), code)));
    let key = run(broker.access_key())
        .map_or_else(|refusal| panic!("{:?}", refusal.into_fault()), |key| Rc::downgrade(&key));
    assert_eq!(key.strong_count(), 1, "the broker holds it");
    AHEAD.store(variable("SEKISHO_TEST_AHEAD").unwrap().parse().unwrap(), Ordering::Relaxed);
    READINGS.store(readings.parse().unwrap(), Ordering::Relaxed);
    let ended = catch_unwind(AssertUnwindSafe(move || run(broker.issue(&request)).is_ok()));
    READINGS.store(usize::MAX, Ordering::Relaxed);
    assert_eq!(key.strong_count(), 0, "dropping it wipes it");
    match ended {
        Ok(entered) => assert!(entered, "the work itself is in order"),
        Err(bug) => resume_unwind(bug),
    }
}

impl Day {
    /// The work, with a bug at the clock's reading of that number, on a cold cache.
    fn work_with_a_bug(&mut self, reading: usize) -> Output {
        let _ = fs::remove_dir_all(self.stage.path(".local/state/sekisho/sessions"));
        let code = self.stage.next_code();
        // The stage's own note of it.
        fs::remove_file(self.stage.path("code")).unwrap();
        let mut command = self.stage.program(std::env::current_exe().unwrap());
        command.args(["--exact", "secrets::bug::work_with_a_bug", "--ignored"]);
        command.arg("--nocapture");
        command.env("RUST_BACKTRACE", "full");
        command.env("SEKISHO_TEST_BUG", reading.to_string());
        command.env("SEKISHO_TEST_CODE", &code);
        let ahead = self.stage.emulator.now().duration_since(Timestamp::now()).as_secs();
        command.env("SEKISHO_TEST_AHEAD", ahead.to_string());
        let output = command.output().unwrap();
        let said = [&output.stdout[..], &output.stderr].concat();
        self.canaries.push(code);
        self.search(&format!("what was said at {reading}"), &said);
        self.search_files(self.stage.home.path());
        self.canaries.pop();
        output
    }
}

#[test]
fn a_bug_at_any_step_tells_no_secret_and_drops_the_key() {
    let mut day = Day::new();
    day.stage.store_key();
    let mut after_a_code = 0;
    for reading in 0.. {
        let calls = day.stage.calls("AssumeRole");
        let output = day.work_with_a_bug(reading);
        if output.status.success() {
            break;
        }
        // The bug, and not what the work asserts of itself.
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains("a bug"), "{said}");
        assert_eq!(said.matches(" panicked at ").count(), 1, "{said}");
        assert!(!output.status.core_dumped());
        after_a_code += day.stage.calls("AssumeRole") - calls;
    }
    // Key, code and both sessions were in memory then.
    assert!(after_a_code > 0);
}

#[test]
fn a_process_that_is_aborted_in_a_call_leaves_no_core() {
    if !cfg!(target_os = "linux") {
        return crate::store::skip("only Linux lets a process forbid its core file");
    }
    let day = Day::new();
    day.stage.store_key();
    let dumping = |script: &str| {
        let mut shell = day.stage.program("/bin/sh");
        let script = format!("ulimit -c unlimited && {script}");
        shell.args(["-c", &script]).spawn().unwrap()
    };
    let died = dumping("kill -ABRT $$").wait().unwrap();
    if !died.core_dumped() {
        return crate::store::skip("this machine writes no core files");
    }
    day.inject("AssumeRole", Times::UntilCleared, FaultInjection::Hang);
    let mut exec = dumping(&format!("exec setsid {BINARY} exec dev-1 -- true"));
    until("the last call", || (day.stage.calls("AssumeRole") == 1).then_some(()));
    let pid = Pid::from_child(&exec);
    kill_process(pid, Signal::ABORT).unwrap();
    let died = exec.wait().unwrap();
    assert_eq!(died.signal(), Some(Signal::ABORT.as_raw()));
    assert!(!died.core_dumped());
}
