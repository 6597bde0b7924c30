//! A model test: whatever happens between any two moments, what is entered is what the config says at the moment of
//! entry, or it is refused; and what `logout` forgot is not handed out again.
//!
//! It can fail. Each of these was taken out once, and the test failed: the second `check_current` of `Context::issue`;
//! `answer.stamps.iter().all(Stamp::holds)` in `WarmRequest::answer`; the guard's `clear` in `warm::answer`; the comparison of
//! epochs in `Sealed::put`.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::*;

use super::args::Common;
use super::context::Context;
use super::emulated::Demo;
use super::out::Out;
use super::prompt::{self, Codes};
use super::runtime::block_on;
use super::warm;
use super::world::World;
use crate::domain::account::{Overrides, Target};
use crate::domain::config::Strictness;
use crate::domain::confirmation::Cleared;
use crate::domain::fault::{Exit, Fault};
use crate::domain::guard::Guard;
use crate::domain::ids::{AccessKeyId, MfaSerial};
use crate::domain::known::Known;
use crate::domain::pass::{Asking, NotIssued, Pass, Renew, Terms};
use crate::domain::secret::MfaCode;
use crate::emulator::{Emulator, FaultInjection, Injection, Times};
use crate::services::aws::{Aws, Signer};
use crate::services::child::environment::Inherited;
use crate::services::config::{files, stamps};

const NAMES: [&str; 3] = ["dev", "ops", "spare"];
const IDS: [&str; 3] = ["222222222222", "333333333333", "444444444444"];
const DEVICE: &str = "arn:aws:iam::111111111111:mfa/tanaka";

/// What changes under the feet of whoever enters.
#[derive(Debug, Clone, Copy)]
enum Change {
    /// The names get other accounts: all of them, moved on by so many.
    Move(usize),
    /// An account's guard in the main file is set or taken away.
    Guard(usize, bool),
    /// A file that guards an account appears where a wildcard finds it, or goes.
    Team(Option<usize>),
    Logout,
    LogoutOf(usize),
    /// The key is no longer in use, as at the end of a rotation.
    Rotate,
}

/// One step of somebody's day.
#[derive(Debug, Clone, Copy)]
enum Step {
    Change(Change),
    /// An entry is begun: the config is read and the guard is passed, or not.
    Begin(Entry),
    /// The oldest that was begun goes on: with a code where one is needed, to AWS where nothing is cached.
    End,
    /// An entry from begin to end.
    Enter(Entry),
    /// The same with a renewal, and something changes before AWS has answered.
    EnterDuring(Entry, Change),
    /// The short cut.
    Warm(Entry),
}

/// What somebody types.
#[derive(Debug, Clone, Copy)]
struct Entry {
    name: &'static str,
    /// With `--confirm NAME`.
    confirmed: bool,
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        (1..3_usize).prop_map(Change::Move),
        (0..3_usize, any::<bool>()).prop_map(|(at, on)| Change::Guard(at, on)),
        proptest::option::of(0..3_usize).prop_map(Change::Team),
        Just(Change::Logout),
        (0..3_usize).prop_map(Change::LogoutOf),
        Just(Change::Rotate),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let entry = || {
        (0..2_usize, any::<bool>()).prop_map(|(at, confirmed)| Entry { name: NAMES[at], confirmed })
    };
    prop_oneof![
        3 => change().prop_map(Step::Change),
        1 => entry().prop_map(Step::Begin),
        1 => Just(Step::End),
        4 => entry().prop_map(Step::Enter),
        2 => (entry(), change()).prop_map(|(entry, change)| Step::EnterDuring(entry, change)),
        4 => entry().prop_map(Step::Warm),
    ]
}

/// An entry that was begun.
struct Begun {
    context: Context,
    entry: Entry,
    cleared: Cleared,
    /// How many changes there had been.
    at: usize,
}

/// The config's author, its users, and AWS.
struct Stage {
    world: World,
    folder: tempfile::TempDir,
    moved: usize,
    guards: [bool; 3],
    edits: usize,
    changes: usize,
    codes: usize,
    /// What was handed out, and is still known.
    known: Vec<(AccessKeyId, Target)>,
    /// What must not be handed out any more.
    forgotten: BTreeSet<AccessKeyId>,
    begun: Vec<Begun>,
}

impl Stage {
    fn new() -> Self {
        stamps::SETTLED_AT_ONCE.set(true);
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("team")).unwrap();
        std::fs::write(folder.path().join("config.yaml"), text(0, [false; 3], 0)).unwrap();
        let path = folder.path().join("config.yaml");
        let (loaded, _) =
            files::load(&path, None, Strictness::Tolerant, &Known::default()).unwrap();
        let demo = Demo::start(&loaded.config, Some(path)).unwrap();
        Self {
            world: World::Demo(Rc::new(demo)),
            folder,
            moved: 0,
            guards: [false; 3],
            edits: 0,
            changes: 0,
            codes: 0,
            known: Vec::new(),
            forgotten: BTreeSet::new(),
            begun: Vec::new(),
        }
    }

    fn config(&self) -> PathBuf {
        self.folder.path().join("config.yaml")
    }

    fn demo(&self) -> &Demo {
        self.world.demo().unwrap()
    }

    fn emulator(&self) -> &Emulator {
        self.demo().emulator().unwrap()
    }

    fn common(&self, entry: Entry) -> Common {
        let confirm = entry.confirmed.then(|| entry.name.to_owned());
        Common {
            config: Some(self.config()),
            confirm: confirm.into_iter().collect(),
            ..Common::default()
        }
    }

    fn open(&self, entry: Entry) -> Context {
        let common = self.common(entry);
        let out = Out::new(&common);
        let loaded = self.world.load(&common).unwrap();
        // Whatever drives the tests, a person enters.
        let (nobody, world) = (Inherited::default(), self.world.clone());
        Context::in_environment(nobody, world, common, "exec", out, loaded).unwrap()
    }

    /// A process that enters nothing.
    fn other(&self) -> Context {
        self.open(Entry { name: "dev", confirmed: false })
    }

    fn warm(&self, entry: Entry) -> Option<Pass> {
        let (common, inherited) = (self.common(entry), Inherited::default());
        warm::pass(&self.world, &common, &inherited, entry.name, Renew::ByFlow, Out::new(&common))
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Change(change) => self.change(change),
            Step::Begin(entry) => {
                let begun = self.begin(entry);
                self.begun.extend(begun);
            }
            Step::End if self.begun.is_empty() => {}
            Step::End => {
                let begun = self.begun.remove(0);
                self.end(&begun, None);
            }
            Step::Enter(entry) => self.enter(entry, None),
            Step::EnterDuring(entry, change) => self.enter(entry, Some(change)),
            Step::Warm(entry) => {
                if let Some(pass) = self.warm(entry) {
                    self.entered(entry, &pass);
                }
            }
        }
    }

    fn change(&mut self, change: Change) {
        self.changes += 1;
        let forget = |stage: &mut Self, which: &dyn Fn(&Target) -> bool| {
            let known = std::mem::take(&mut stage.known);
            let (gone, kept) = known.into_iter().partition(|(_, target)| which(target));
            stage.known = kept;
            stage.forgotten.extend(Vec::into_iter(gone).map(|(id, _)| id));
        };
        match change {
            Change::Move(by) => {
                self.moved += by;
                self.write();
            }
            Change::Guard(at, on) => {
                self.guards[at] = on;
                self.write();
            }
            Change::Team(at) => {
                let file = self.folder.path().join("team/guards.yaml");
                match at {
                    Some(at) => {
                        self.edits += 1;
                        let text = format!(
                            "accounts: [{{name: guarded, id: \"{}\", guard: confirm, roles: [Developer]}}]\n{}\n",
                            IDS[at],
                            "#".repeat(self.edits)
                        );
                        std::fs::write(file, text).unwrap();
                    }
                    None => drop(std::fs::remove_file(file)),
                }
            }
            Change::Logout => {
                self.other().broker().forget_everything().unwrap();
                forget(self, &|_| true);
            }
            Change::LogoutOf(at) => {
                let context = self.other();
                if let Ok(target) = context.target(NAMES[at]) {
                    context.broker().forget(&target);
                    forget(self, &|known| known.role == target.role);
                }
            }
            Change::Rotate => {
                let key = self.demo().key().unwrap();
                self.other().broker().forget_key(&key.id);
                forget(self, &|_| true);
            }
        }
    }

    /// Replaces the config. No two of them are of the same length: two edits within a tick of the file system's clock
    /// could not be told apart otherwise.
    fn write(&mut self) {
        self.edits += 1;
        std::fs::write(self.config(), text(self.moved, self.guards, self.edits)).unwrap();
    }

    fn enter(&mut self, entry: Entry, during: Option<Change>) {
        if let Some(begun) = self.begin(entry) {
            self.end(&begun, during);
        }
    }

    fn begin(&self, entry: Entry) -> Option<Begun> {
        let context = self.open(entry);
        let target = context.target(entry.name).unwrap();
        let confirm = entry.confirmed.then_some(entry.name);
        let cleared =
            prompt::clear_on(target, confirm, context.driver(), context.out, || None).ok();
        assert!(!entry.confirmed || cleared.is_some(), "the name was given");
        cleared.map(|cleared| Begun { context, entry, cleared, at: self.changes })
    }

    fn end(&mut self, begun: &Begun, during: Option<Change>) {
        let undisturbed = begun.at == self.changes && during.is_none();
        let before = self.changes;
        let mut entered = self.try_to_enter(begun, during);
        let happened = self.changes > before;
        if entered.as_ref().is_err_and(|fault| fault.exit == Exit::NeedsPerson) {
            begun.context.preload_demo_key().unwrap();
            let code = self.code();
            let signed_in = begun.context.broker().sign_in(None, Some(&code), Asking::Never);
            block_on(async { signed_in.await.map_err(NotIssued::into_fault) }).unwrap();
            entered = self.try_to_enter(begun, None);
        }
        match entered {
            Ok(pass) => {
                self.entered(begun.entry, &pass);
                // Begun before: it may be used, and must not be kept.
                if happened && matches!(during, Some(Change::Logout | Change::Rotate)) {
                    self.forgotten.insert(pass.credentials.id);
                }
            }
            Err(fault) => assert!(!undisturbed, "refused without a reason: {fault:?}"),
        }
    }

    /// Enters; `during` happens as soon as AWS is asked.
    fn try_to_enter(&mut self, begun: &Begun, mut during: Option<Change>) -> Result<Pass, Fault> {
        let Begun { context, entry, cleared, .. } = begun;
        context.preload_demo_key().unwrap();
        let asked = self.emulator().calls().len();
        let renew = if during.is_some() { Renew::Now } else { Renew::ByFlow };
        if during.is_some() {
            self.emulator().inject(Injection {
                action: Some("AssumeRole".into()),
                times: Times::UntilCleared,
                what: FaultInjection::Latency(Duration::from_millis(20)),
            });
        }
        let spare = Terms::LAST_SECONDS;
        let entered = block_on(async {
            let stage = RefCell::new(&mut *self);
            let entry = context.enter(entry.name, cleared.clone(), renew, spare, Codes::Nobody);
            let happens = async {
                while let Some(change) = during {
                    tokio::task::yield_now().await;
                    let mut stage = stage.borrow_mut();
                    if stage.emulator().calls().len() > asked {
                        stage.change(change);
                        during = None;
                    }
                }
                std::future::pending().await
            };
            tokio::select! {
                entered = entry => entered,
                never = happens => never,
            }
        });
        self.emulator().clear();
        entered
    }

    fn code(&mut self) -> (MfaSerial, MfaCode) {
        self.codes += 1;
        self.emulator().advance(Duration::from_secs(30)); // each code works once
        let code = self.emulator().code(DEVICE).unwrap();
        (DEVICE.parse().unwrap(), MfaCode::parse(&code).unwrap())
    }

    /// Holds what was entered against the config as it is now, and against AWS.
    fn entered(&mut self, entry: Entry, pass: &Pass) {
        let Entry { name, confirmed } = entry;
        let (loaded, _) =
            files::load(&self.config(), None, Strictness::Tolerant, &Known::default()).unwrap();
        let catalog = &loaded.config.catalog;
        let says = catalog.resolve(catalog.find(name).unwrap(), &Overrides::default());
        assert_eq!(pass.target.role, says.role, "{name}");
        assert!(says.guard != Guard::Confirm || confirmed, "{name} is guarded");
        let id = &pass.credentials.id;
        assert!(!self.forgotten.contains(id), "{name}: it was forgotten");
        self.known.push((id.clone(), pass.target.clone()));
        let mut auth = loaded.config.auth;
        auth.endpoint_url = Some(self.emulator().url());
        let caller = block_on(async {
            let aws = Aws::new(&auth)?;
            let caller = aws.caller_identity(Signer::Session(&pass.credentials)).await;
            Ok::<_, Fault>(caller.unwrap())
        });
        assert_eq!(caller.unwrap().account, says.id, "{name}");
    }
}

/// A config in which the names stand for the accounts, moved on by so many.
fn text(moved: usize, guards: [bool; 3], edits: usize) -> String {
    let mut text = format!(
        "version: 1\nauth: {{account: \"111111111111\", user: tanaka, region: eu-west-1, \
         mfa: [{{serial: \"{DEVICE}\"}}]}}\naudit: off\ninclude: [team/*.yaml]\naccounts:\n"
    );
    for (at, name) in NAMES.iter().enumerate() {
        let id = (at + moved) % IDS.len();
        let guard = if guards[id] { "confirm" } else { "none" };
        text += &format!(
            "  - {{name: {name}, id: \"{}\", guard: {guard}, roles: [Developer]}}\n",
            IDS[id]
        );
    }
    text + &"#".repeat(edits) + "\n"
}

proptest! {
    #![proptest_config(ProptestConfig {
        max_shrink_iters: 64,
        failure_persistence: None,
        ..ProptestConfig::with_cases(48)
    })]

    #[test]
    fn what_is_entered_is_what_the_config_says_then_or_it_is_refused(
        steps in proptest::collection::vec(step(), 8..32),
    ) {
        let mut stage = Stage::new();
        for step in steps {
            // More codes would set the organization's clock too far ahead.
            if stage.codes < 9 {
                stage.step(step);
            }
        }
    }
}

/// The warm path, a cold entry and a code each occur: else the test above would show nothing.
#[test]
fn the_short_cut_is_taken_until_something_changes() {
    let mut stage = Stage::new();
    let dev = |confirmed| Entry { name: "dev", confirmed };
    stage.enter(dev(false), None);
    let first = stage.warm(dev(false)).unwrap();
    assert!(first.credentials.expires > Timestamp::now());
    for change in [Change::Guard(1, true), Change::Team(Some(1)), Change::Logout] {
        stage.change(change);
        assert!(stage.warm(dev(true)).is_none(), "{change:?}");
        stage.enter(dev(true), None);
        assert!(stage.warm(dev(true)).is_some(), "{change:?}");
    }
    assert_eq!(stage.codes, 2);
}
