//! A broker, the organization it calls, and a clock that both go by.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use sekisho::domain::account::{SessionOptions, Target};
use sekisho::domain::agents::{Allowance, Driver};
use sekisho::domain::config::{Auth, KeySource, MfaDevice, StoreChoice};
use sekisho::domain::confirmation::Confirmation;
use sekisho::domain::fault::Fault;
use sekisho::domain::guard::Guard;
use sekisho::domain::ids::{Endpoints, MfaSerial, Partition, RoleArn};
use sekisho::domain::pass::{Asking, CodeWanted, NotIssued, Pass, Renew, Request, Terms};
use sekisho::domain::secret::{AccessKey, MfaCode, Secret};
use sekisho::emulator::{
    Account, Call, Emulator, FaultInjection, Injection, Organization, Role, Times,
};
use sekisho::services::session::backoff::Backoff;
use sekisho::services::session::broker::{Broker, BrokerDeps};
use sekisho::services::session::facts::Facts;
use sekisho::services::session::interaction::Interaction;
use sekisho::services::store::keyfile::{Passphrase, Unasked};
use sekisho::services::store::vault::Vault;

pub use crate::emulator::stage::{
    AUTH, DEV, KEY, PASSKEY, PHONE, SECRET, TABLET, allow, guard, permit, run, sts, trust,
};

/// A second account with the same role.
pub const OTHER: &str = "333333333333";

pub const HOUR: Duration = Duration::from_hours(1);

/// What may be asked of a cached session: the flow's own margin, and a person who can be asked.
pub const PERSON: Terms =
    Terms { renew: Renew::ByFlow, asking: Asking::Allowed, spare: Terms::LAST_SECONDS };

/// The same, with nobody there.
pub const NOBODY: Terms = Terms { asking: Asking::Never, ..PERSON };

thread_local! {
    /// How far this test's clock is ahead. A thread runs one test.
    static AHEAD: Cell<SignedDuration> = const { Cell::new(SignedDuration::ZERO) };
}

/// This test's time, UTC.
pub fn now() -> Timestamp {
    Timestamp::now() + AHEAD.get()
}

/// Moves the broker's clock, and nobody else's.
pub fn move_clock(by: SignedDuration) {
    AHEAD.set(AHEAD.get() + by);
}

/// Collects what the broker says to a person.
#[derive(Clone, Default)]
pub struct Ears(pub Rc<RefCell<Vec<String>>>);

impl Interaction for Ears {
    fn notify(&self, line: &str) {
        self.0.borrow_mut().push(line.to_owned());
    }

    fn is_available(&self) -> bool {
        true
    }

    fn passphrase(&self, _: Passphrase) -> Result<Secret, Unasked> {
        panic!("no test has a sealed key file")
    }

    fn takeover_requested(&self) -> bool {
        false
    }
}

/// What a test plays on.
pub struct Stage {
    pub emulator: Emulator,
    pub broker: Broker,
    pub ears: Ears,
    pub auth: Auth,
    home: tempfile::TempDir,
    seen: Cell<usize>,
}

impl Stage {
    /// Alice, who may enter two accounts with MFA; the config names her and her phone.
    pub fn new() -> Self {
        Self::with(|_| {}, |_| {})
    }

    /// The same with another organization, another config.
    pub fn with(
        organise: impl FnOnce(&mut Organization),
        configure: impl FnOnce(&mut Auth),
    ) -> Self {
        AHEAD.set(SignedDuration::ZERO);
        let emulator = crate::emulator::stage::start(|organization| {
            organization.quirks.skew = Duration::from_hours(48);
            organization.accounts.push(Account::new(OTHER, "other"));
            let mut role = Role::new(
                OTHER,
                "Developer",
                trust(r#"{"Bool":{"aws:MultiFactorAuthPresent":"true"}}"#),
            );
            role.path = "/dev/".into();
            organization.roles.push(role);
            organise(organization);
        });
        let mut auth = Auth {
            account: AUTH.parse().unwrap(),
            user: Some("alice".parse().unwrap()),
            // A broker that lent its key back looks for another, and not in the keychain of who runs the tests.
            key: KeySource::File,
            mfa: vec![device(PHONE, "phone")],
            mfa_command: None,
            region: "eu-west-1".parse().unwrap(),
            session: 12 * HOUR,
            endpoint_url: Some(emulator.url()),
            endpoints: Endpoints::Standard,
        };
        configure(&mut auth);
        let home = tempfile::tempdir().unwrap();
        let ears = Ears::default();
        Self {
            broker: broker(&auth, &home.path().join("state"), &ears),
            emulator,
            ears,
            auth,
            home,
            seen: Cell::new(0),
        }
    }

    /// Another process of the same interaction: it shares the folder, and has no session.
    pub fn another(&self) -> Broker {
        self.configured(&self.auth)
    }

    /// The same with another config.
    pub fn configured(&self, auth: &Auth) -> Broker {
        broker(auth, &self.home.path().join("state"), &self.ears)
    }

    /// What a device shows.
    pub fn code(&self, serial: &str) -> (MfaSerial, MfaCode) {
        code(serial, &self.emulator.code(serial).unwrap())
    }

    /// Six digits that no device shows around now.
    pub fn wrong_code(&self) -> (MfaSerial, MfaCode) {
        let near: Vec<String> = [-60, -30, 0, 30, 60]
            .into_iter()
            .map(|step| {
                sekisho::emulator::code(
                    b"12345678901234567890",
                    self.emulator.now() + SignedDuration::from_secs(step),
                )
            })
            .collect();
        let digits = ["000000", "111111", "222222", "333333", "444444", "555555"];
        let wrong = digits.into_iter().find(|digits| !near.iter().any(|n| n == digits));
        code(PHONE, wrong.unwrap())
    }

    /// Asks for a pass.
    pub fn issue(
        &self,
        target: &Target,
        code: Option<(MfaSerial, MfaCode)>,
        terms: Terms,
    ) -> Result<Pass, NotIssued> {
        lend(&self.broker);
        run(self.broker.issue(&request(target, code, terms)))
    }

    /// Enters without a code.
    #[track_caller]
    pub fn enter(&self, target: &Target) -> Pass {
        given(self.issue(target, None, PERSON))
    }

    /// Enters with the phone's code.
    #[track_caller]
    pub fn enter_with_code(&self, target: &Target) -> Pass {
        given(self.issue(target, Some(self.code(PHONE)), PERSON))
    }

    /// The phone's next code; the organization's clock moves with it.
    pub fn next_code(&self) -> (MfaSerial, MfaCode) {
        self.emulator.advance(Duration::from_secs(30));
        self.code(PHONE)
    }

    /// Time passes, here and there.
    pub fn pass(&self, minutes: u64) {
        let time = Duration::from_mins(minutes);
        self.emulator.advance(time);
        move_clock(time.try_into().unwrap());
    }

    /// What went over the wire since the last look.
    pub fn wire(&self) -> Vec<String> {
        let calls = self.emulator.calls();
        let from = self.seen.replace(calls.len());
        calls[from..].iter().map(told).collect()
    }

    /// Lets calls of one kind go wrong.
    pub fn inject(&self, action: &str, times: Times, what: FaultInjection) {
        self.emulator.inject(Injection { action: Some(action.into()), times, what });
    }
}

/// A broker in a process of its own, as far as anybody can tell.
fn broker(auth: &Auth, shared: &std::path::Path, ears: &Ears) -> Broker {
    let broker = Broker::new(
        auth.clone(),
        BrokerDeps {
            vault: Vault::in_memory(),
            facts: Facts::in_memory(),
            backoff: Backoff::in_memory(),
            store: StoreChoice::None,
            shared: shared.to_owned(),
            verb: "exec dev".into(),
            driver: Driver::Person,
            agents: Allowance::Full,
            interaction: Box::new(ears.clone()),
            diary: None,
            issued: None,
            browser: None,
            remembered: None,
            clock: now,
        },
    );
    lend(&broker);
    broker
}

/// The key that a broker works with until it rests.
pub fn lend(broker: &Broker) {
    broker.preload_key(AccessKey { id: KEY.parse().unwrap(), secret: Secret::new(SECRET.into()) });
}

pub fn device(serial: &str, label: &str) -> MfaDevice {
    MfaDevice { serial: serial.parse().unwrap(), label: Some(label.into()) }
}

pub fn code(serial: &str, digits: &str) -> (MfaSerial, MfaCode) {
    (serial.parse().unwrap(), MfaCode::parse(digits).unwrap())
}

/// Alice's role in an account, for so long.
pub fn target(account: &str, duration: Duration) -> Target {
    let id = account.parse().unwrap();
    let name = if account == DEV { "dev" } else { "other" };
    Target {
        account: name.parse().unwrap(),
        aliases: Vec::new(),
        id,
        role: RoleArn::new(
            Partition::Aws,
            id,
            &"/dev/".parse().unwrap(),
            &"Developer".parse().unwrap(),
        ),
        region: None,
        duration,
        guard: Guard::None,
        agents: sekisho::domain::agents::Allowance::Full,
        change: None,
        color: None,
        session: SessionOptions::default(),
    }
}

pub fn request(target: &Target, code: Option<(MfaSerial, MfaCode)>, terms: Terms) -> Request {
    Request::new(target.clone().clear(Confirmation::Absent, &Driver::Person).unwrap(), terms)
        .with_code(code)
}

/// The pass that must have been given.
#[track_caller]
pub fn given(answer: Result<Pass, NotIssued>) -> Pass {
    match answer {
        Ok(pass) => pass,
        Err(NotIssued::Code(wanted)) => panic!("{wanted:?}"),
        Err(refusal) => panic!("{:?}", refusal.into_fault()),
    }
}

/// The code that must have been wanted.
#[track_caller]
pub fn wanted(answer: Result<Pass, NotIssued>) -> CodeWanted {
    match answer {
        Ok(pass) => panic!("a pass into {}", pass.target),
        Err(NotIssued::Code(wanted)) => wanted,
        Err(refusal) => panic!("{:?}", refusal.into_fault()),
    }
}

/// The fault that must have happened.
#[track_caller]
pub fn faulted(answer: Result<Pass, NotIssued>) -> Fault {
    match answer {
        Ok(pass) => panic!("a pass into {}", pass.target),
        Err(NotIssued::Code(wanted)) => panic!("{wanted:?}"),
        Err(NotIssued::Fault(fault)) => fault,
        Err(other) => panic!("{:?}", other.into_fault()),
    }
}

/// One call in a line: `AssumeRole dev 3600 s`, `GetSessionToken 43200 s +code AccessDenied`.
fn told(call: &Call) -> String {
    let mut line = call.action.clone();
    if let Some(role) = &call.role {
        line.push_str(if role.contains(DEV) { " dev" } else { " other" });
    }
    if let Some(seconds) = call.seconds {
        line.push_str(&format!(" {seconds} s"));
    }
    if call.with_code {
        line.push_str(" +code");
    }
    if let Some(error) = &call.error {
        line.push_str(&format!(" {error}"));
    }
    if call.status.is_none() {
        line.push_str(" unanswered");
    }
    line
}
