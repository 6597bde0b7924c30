//! The event loop of the switcher: the only asynchronous code of the screen.
//!
//! It waits for keys, for the clock and for one future, gives each to `update`, and does what comes back through [`Host`].

use std::future::{Future, pending, poll_fn};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use crossterm::event::Event;
use futures_core::Stream;
use jiff::{SignedDuration, Timestamp};
use ratatui::Terminal;
use ratatui::backend::Backend;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::input::Input;
use super::key_events;
use super::model::{DeviceCode, Effect, Mode, Model, Msg, Outcome, SwitcherSetup};
use super::screen::{self, Screen};
use super::time_left;
use super::update::update;
use super::view::draw;
use crate::domain::account::{Catalog, Target};
use crate::domain::fault::Fault;
use crate::domain::history::HistoryEvent;
use crate::domain::ids::{MfaSerial, RoleArn};
use crate::domain::pass::{NotIssued, Pass, Request, SessionStatus};
use crate::domain::secret::Secret;

/// After what time it is looked whether a connection that was opened early is still open.
const LINE_AGE: SignedDuration = SignedDuration::from_secs(20);

/// What the switcher needs from the program around it.
pub trait Host {
    /// The time; a test's host sets it.
    fn now(&self) -> Timestamp;

    /// Waits for the next change of the screen, on the clock of `now`.
    fn sleep(&self, time: Duration) -> impl Future<Output = ()> {
        tokio::time::sleep(time)
    }

    /// Loads the accounts and the list's settings: for a model that was made without them, and where they have changed.
    fn catalog(&self) -> impl Future<Output = Result<(SwitcherSetup, Arc<Catalog>), Fault>>;

    /// Gets a pass. Dropping the future cancels it.
    fn issue(&self, request: Request) -> impl Future<Output = Result<Pass, NotIssued>>;

    /// What a pending request is doing, e.g. that another process is asking for the code.
    fn news(&self) -> Option<String> {
        None
    }

    /// Takes the code prompt over from the process that is showing it.
    fn ask_here(&self) {}

    /// Gives the code prompt up: the person cancelled.
    fn give_up(&self) {}

    /// Whether the code box here is obsolete: another process asks for the code now, or already has the
    /// session that it opens.
    fn is_overtaken(&self) -> bool {
        false
    }

    /// Starts to open the connection that the next request will need; returns at once.
    fn open_line(&self) {}

    /// The sessions that are live now.
    fn status(&self) -> SessionStatus;

    /// Forgets a target's role session here.
    fn forget(&self, target: &Target);

    /// Remembers a star, or that it was taken away.
    fn remember(&self, role: &RoleArn, event: HistoryEvent);

    /// The code that a device shows now, where the device is the demo's own.
    fn device_code(&self, serial: &MfaSerial) -> Option<DeviceCode>;

    /// Puts text into the terminal's clipboard.
    fn copy(&self, text: &str) -> io::Result<()> {
        screen::copy(text)
    }

    /// The same for a URL that signs in whoever has it.
    fn copy_url(&self, url: &Secret) -> io::Result<()>;

    /// Makes the terminal report the mouse, or leave it alone.
    fn capture_mouse(&self, on: bool) -> io::Result<()> {
        screen::capture_mouse(on)
    }

    /// Stops the program as a job of its shell; returns when it goes on.
    fn suspend(&self) -> io::Result<()> {
        screen::suspend()
    }
}

/// Opens the screen, runs the switcher on the terminal's own keys, and restores the terminal.
///
/// An error of `is_missing` means that there is no terminal to draw on. TERM, HUP and INT end it like a
/// key would; tokio's handlers for them stay installed afterwards.
pub async fn pick<H: Host>(model: &mut Model, host: &H) -> io::Result<Outcome> {
    let mut signals = Signals::listen()?;
    let mut screen = Screen::enter()?;
    tokio::select! {
        biased;
        signal = signals.next() => Ok(Outcome::Signalled(signal)),
        outcome = run(&mut screen.0, Input::open()?, model, host) => outcome,
    }
}

/// The signals that end a screen as a key would. Listened to before the terminal is raw.
pub(super) struct Signals {
    terminated: Signal,
    hung_up: Signal,
    interrupted: Signal,
}

impl Signals {
    pub(super) fn listen() -> io::Result<Self> {
        Ok(Self {
            terminated: signal(SignalKind::terminate())?,
            hung_up: signal(SignalKind::hangup())?,
            interrupted: signal(SignalKind::interrupt())?,
        })
    }

    /// The next one's number.
    pub(super) async fn next(&mut self) -> u8 {
        tokio::select! {
            biased;
            _ = self.terminated.recv() => 15,
            _ = self.hung_up.recv() => 1,
            _ = self.interrupted.recv() => 2,
        }
    }
}

/// Runs the switcher on a terminal until a row is chosen or the person quits.
///
/// The input is dropped on return: a reader left behind would take keys that are meant for a child.
pub async fn run<S, B, H>(
    terminal: &mut Terminal<B>,
    mut input: S,
    model: &mut Model,
    host: &H,
) -> io::Result<Outcome>
where
    S: Stream<Item = io::Result<Event>> + Unpin,
    B: Backend,
    B::Error: Send + Sync + 'static,
    H: Host,
{
    let size = terminal.size().map_err(io::Error::other)?;
    let opened = Msg::Opened { size: (size.width, size.height) };
    update(model, host.now(), Msg::StatusChanged(host.status()));
    let mut effect = update(model, host.now(), opened);
    let mut work: Option<Work<'_>> = None;
    let mut pauses = Pauses::default();
    // When the last event came. Those without a pause between them came together, however long drawing took.
    let mut came: Option<Timestamp> = None;
    let mut has_mouse = false;
    let mut line_opened: Option<Timestamp> = None;
    loop {
        if model.setup.mouse != has_mouse {
            has_mouse = model.setup.mouse;
            host.capture_mouse(has_mouse)?;
        }
        match effect {
            Effect::None => {}
            Effect::Load => {
                work =
                    Some(Box::pin(async move { Msg::Loaded(host.catalog().await.map(Box::new)) }));
            }
            Effect::Ask(request) => {
                work =
                    Some(Box::pin(async move { Msg::Issued(Box::new(host.issue(request).await)) }));
            }
            Effect::AskHere => host.ask_here(),
            Effect::GiveUp => host.give_up(),
            Effect::Forget(target) => {
                host.forget(&target);
                update(model, host.now(), Msg::StatusChanged(host.status()));
            }
            Effect::Remember(role, event) => host.remember(&role, event),
            Effect::Copy(text) => host.copy(&text)?,
            Effect::CopyUrl(url) => host.copy_url(&url)?,
            Effect::Suspend => {
                host.suspend()?;
                // Forgets what was drawn. `clear` would ask the terminal for its cursor, and wait for that.
                let size = terminal.size().map_err(io::Error::other)?;
                terminal.resize(size.into()).map_err(io::Error::other)?;
            }
            Effect::Leave(outcome) => return Ok(outcome),
        }
        if !model.is_waiting() {
            work = None;
        }
        match &mut model.mode {
            Mode::Code(code_box) => {
                code_box.shown = code_box.device().and_then(|d| host.device_code(&d.serial));
            }
            Mode::Waiting { news, .. } => *news = host.news(),
            _ => {}
        }
        terminal.draw(|frame| draw(frame, model)).map_err(io::Error::other)?;

        if model.will_ask() && line_opened.is_none_or(|then| host.now() > then + LINE_AGE) {
            line_opened = Some(host.now());
            host.open_line();
        }
        let nap = time_left::next_change(model);
        let (at, msg) = tokio::select! {
            biased;
            answer = ready(&mut work) => {
                work = None;
                update(model, host.now(), Msg::StatusChanged(host.status()));
                (host.now(), Some(answer))
            }
            event = next(&mut input, &mut pauses) => match event {
                Some(event) => {
                    let at = came.filter(|_| !pauses.since_last).unwrap_or_else(|| host.now());
                    (came, pauses.since_last) = (Some(at), false);
                    (at, message(event?, pauses.typed_ahead()))
                }
                // The terminal is gone.
                None => return Ok(Outcome::Cancelled),
            },
            () = passed(host, nap) => (host.now(), Some(match model.mode {
                Mode::Code(_) | Mode::Passphrase { .. } if host.is_overtaken() => Msg::Overtaken,
                _ => Msg::Tick,
            })),
        };
        effect = msg.map_or(Effect::None, |msg| update(model, at, msg));
    }
}

type Work<'a> = Pin<Box<dyn Future<Output = Msg> + 'a>>;

/// The answer, when there is one.
async fn ready(work: &mut Option<Work<'_>>) -> Msg {
    match work {
        Some(work) => work.await,
        None => pending().await,
    }
}

/// Whether the input has paused: been empty when it was looked at.
#[derive(Default)]
pub(super) struct Pauses {
    ever: bool,
    since_last: bool,
}

impl Pauses {
    /// Until the input pauses for the first time, its keys were typed before the terminal was raw.
    pub(super) fn typed_ahead(&self) -> bool {
        !self.ever
    }
}

/// The next event; notes when the input has paused.
pub(super) async fn next<S>(input: &mut S, pauses: &mut Pauses) -> Option<io::Result<Event>>
where
    S: Stream<Item = io::Result<Event>> + Unpin,
{
    poll_fn(|cx| {
        let event = Pin::new(&mut *input).poll_next(cx);
        if event.is_pending() {
            *pauses = Pauses { ever: true, since_last: true };
        }
        event
    })
    .await
}

/// Waits until the screen changes by itself next.
async fn passed(host: &impl Host, nap: Option<Duration>) {
    match nap {
        Some(nap) => host.sleep(nap).await,
        None => pending().await,
    }
}

/// The message that a terminal event means, if any.
pub(super) fn message(event: Event, typed_ahead: bool) -> Option<Msg> {
    match event {
        Event::Key(event) => key_events::key(event)
            .map(|key| Msg::Key(if typed_ahead { key_events::typed_ahead(key) } else { key })),
        Event::Paste(text) => Some(Msg::Pasted(text)),
        Event::Resize(width, height) => Some(Msg::Resized(width, height)),
        Event::Mouse(event) => key_events::mouse(event).map(Msg::Mouse),
        Event::FocusGained | Event::FocusLost => None,
    }
}
