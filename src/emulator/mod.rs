//! An emulated organization on loopback: strict where AWS is, with a clock that tests can move.
//!
//! It implements AWS's wire protocols and uses nothing else of this program. One thread serves it; dropping the
//! [`Emulator`] ends that thread. Its keys and seeds open nothing real, so they are plain text here.

mod authenticator;
mod caller;
mod condition;
mod encoding;
mod error;
mod faults;
mod iam;
mod inventory;
mod login;
mod organization;
mod organizations;
mod parameters;
mod pattern;
mod policy;
mod probes;
mod rules;
mod server;
mod signin;
mod sigv4;
mod simulation;
mod state;
mod sts;
mod wire;

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::oneshot;

pub use authenticator::code;
pub use faults::{FaultInjection, Injection, Times};
pub use organization::{
    AccessKey, Account, AccountStatus, AwsQuirks, ControlKind, ControlPolicy, DirectMfa,
    EmulatedDevice, Group, KeyStatus, LastUsed, LoginMfa, Organization, Password, Policy,
    RefreshReuse, Role, User,
};
pub use policy::{Document, Malformed};
pub use simulation::{Attachment, Conclusion, Outcome, Ruling, Simulated};

use state::State;

/// An emulated organization on a thread and port of its own; dropping it stops both.
#[derive(Debug)]
pub struct Emulator {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// A request that arrived, and how it was answered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Call {
    /// The name in the signature's scope: `sts`, `iam`, …; `signin` for the console's own endpoints.
    pub service: String,
    /// `AssumeRole`, …
    pub action: String,
    /// The access key id that signed, or claims to have.
    pub key: Option<String>,
    /// The HTTP status; none where no answer was sent.
    pub status: Option<u16>,
    /// AWS's error code, where the call failed.
    pub error: Option<String>,
    /// Whether a `TokenCode` came along.
    pub with_code: bool,
    /// `DurationSeconds`, where it was sent.
    pub seconds: Option<u32>,
    /// `RoleArn`, where it was sent.
    pub role: Option<String>,
    /// Policy elements that the emulator does not know and held against the caller.
    pub unknown: Vec<String>,
}

impl Emulator {
    /// Starts on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// No port is free, or the thread cannot be started.
    pub fn start(organization: Organization) -> io::Result<Self> {
        Self::start_on(organization, 0)
    }

    /// Starts on a given port of 127.0.0.1; 0 is any.
    ///
    /// # Errors
    /// The port is taken, or the thread cannot be started.
    pub fn start_on(organization: Organization, port: u16) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let state = Arc::new(Mutex::new(State::new(organization)));
        let (stop, stopped) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let served = Arc::clone(&state);
        let thread = std::thread::Builder::new()
            .name("emulator".into())
            .spawn(move || runtime.block_on(server::serve(listener, served, stopped)))?;
        Ok(Self { address, state, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it listens: `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Every request so far, in the order of arrival.
    pub fn calls(&self) -> Vec<Call> {
        lock(&self.state).calls.clone()
    }

    /// Makes later calls fail.
    pub fn inject(&self, injection: Injection) {
        lock(&self.state).injections.push(injection);
    }

    /// Removes all injected faults.
    pub fn clear(&self) {
        lock(&self.state).injections.clear();
    }

    /// The organization's time, UTC.
    pub fn now(&self) -> Timestamp {
        lock(&self.state).now()
    }

    /// Moves the organization's clock forward.
    pub fn advance(&self, by: Duration) {
        lock(&self.state).advance(by);
    }

    /// Sets the organization's clock; it runs on from there.
    pub fn set_time(&self, now: Timestamp) {
        lock(&self.state).set_time(now);
    }

    /// Ends every role session that STS has issued: AWS calls them expired from now on.
    pub fn end_role_sessions(&self) {
        lock(&self.state).end_role_sessions();
    }

    /// The code that a device shows by the organization's clock.
    pub fn code(&self, serial: &str) -> Option<String> {
        lock(&self.state).code(serial)
    }

    /// Looks at the organization or changes it, between two requests.
    pub fn with<R>(&self, change: impl FnOnce(&mut Organization) -> R) -> R {
        change(&mut lock(&self.state).organization)
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A poisoned lock is taken all the same: a test that panicked has not broken the state.
fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
