//! Keys in, screen out: the switcher on a terminal in memory, with a scripted world behind it.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::{pending, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use crossterm::event::{
    Event, KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind,
};
use futures_core::Stream;
use jiff::Timestamp;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::style::Style;
use sekisho::domain::account::{Catalog, Overrides, Target};
use sekisho::domain::fault::Fault;
use sekisho::domain::flow::Flow;
use sekisho::domain::history::{History, HistoryEvent};
use sekisho::domain::ids::{MfaSerial, RoleArn};
use sekisho::domain::keymap::{self, Key};
use sekisho::domain::pass::{
    AuthStatus, CodeDevice, CodeRejection, CodeWanted, Live, NotIssued, Pass, Request,
    SessionStatus, SignedInBy,
};
use sekisho::domain::secret::{Credentials, Secret};
use sekisho::ui::model::{DeviceCode, Model, Outcome, SwitcherSetup};
use sekisho::ui::theme::{ASCII, Paint, UNICODE};

use sekisho::ui::{Host, draw, run};
use unicode_width::UnicodeWidthStr;

use super::fixture::{catalog, setup};

/// When every test begins: 09:00:10 UTC, ten seconds into a code.
pub const START: i64 = 1_787_302_810;

/// What the world answers to one request.
pub enum Answer {
    /// The pass.
    Pass,
    /// The pass, with something to say.
    PassNoting(&'static str),
    /// A code is wanted: the flow, the rejection.
    Code(Flow, Option<CodeRejection>),
    /// The passphrase is wanted, and what was wrong with the last one.
    Passphrase(Option<Fault>),
    /// A fault.
    Fault(Fault),
    /// The config has changed, and how.
    Outdated(Fault),
    /// Nothing, ever.
    Hang,
    /// The answer after that, so long later.
    After(Duration, Box<Answer>),
}

/// What reading the config comes to.
type Loaded = Result<(SwitcherSetup, Arc<Catalog>), Fault>;

/// The scripted world.
pub struct World {
    clock: Rc<Clock>,
    pub answers: RefCell<VecDeque<Answer>>,
    pub status: RefCell<SessionStatus>,
    pub catalog: RefCell<Option<Loaded>>,
    /// What was asked and done, one line each.
    pub seen: RefCell<Vec<String>>,
    pub demo_code: Option<&'static str>,
    pub news: Option<&'static str>,
    /// How much time passes whenever it is asked for: a slow terminal.
    pub slowness: Duration,
    /// Whether another process has the prompt by now.
    pub overtaken: bool,
}

impl World {
    fn note(&self, line: String) {
        self.seen.borrow_mut().push(line);
    }

    fn pass(&self, target: &Target, notes: Vec<String>) -> Pass {
        let expires = self.now().checked_add(target.duration).unwrap();
        let live = Live { expires, flow: target.flow() };
        let mut status = self.status.borrow_mut();
        status.roles.insert(target.role.clone(), live);
        Pass {
            target: target.clone(),
            credentials: Credentials {
                id: "ASIAEXAMPLEEXAMPLE01".parse().unwrap(),
                secret: Secret::new("secret".into()),
                token: Secret::new("token".into()),
                expires,
            },
            flow: target.flow(),
            user: "tanaka".parse().unwrap(),
            notes,
            unrenewed: None,
        }
    }
}

impl Host for World {
    fn now(&self) -> Timestamp {
        let elapsed = self.clock.now.get() + self.slowness;
        self.clock.now.set(elapsed);
        Timestamp::from_second(START).unwrap().checked_add(elapsed).unwrap()
    }

    async fn catalog(&self) -> Result<(SwitcherSetup, Arc<Catalog>), Fault> {
        let catalog = self.catalog.borrow_mut().take();
        match catalog {
            Some(catalog) => catalog,
            None => pending().await,
        }
    }

    fn news(&self) -> Option<String> {
        self.news.map(Into::into)
    }

    fn ask_here(&self) {
        self.note("ask here".into());
    }

    fn give_up(&self) {
        self.note("give up".into());
    }

    fn is_overtaken(&self) -> bool {
        self.overtaken
    }

    async fn issue(&self, request: Request) -> Result<Pass, NotIssued> {
        let target = request.target.target().clone();
        let code = request.code.as_ref().map_or(String::new(), |(serial, code)| {
            format!(" with {} of {}", code.expose(), serial.short())
        });
        let code = match &request.passphrase {
            Some(passphrase) => format!("{code} opened with {}", passphrase.expose()),
            None => code,
        };
        let scope = target.session.scope.name();
        self.note(format!("issue {target} {scope} {:?}{code}", request.terms.renew));
        let mut answer = self.answers.borrow_mut().pop_front().expect("an answer is scripted");
        while let Answer::After(wait, then) = answer {
            self.clock.sleep(wait).await;
            answer = *then;
        }
        match answer {
            Answer::Pass => Ok(self.pass(&target, Vec::new())),
            Answer::PassNoting(note) => Ok(self.pass(&target, vec![note.into()])),
            Answer::Fault(fault) => Err(fault.into()),
            Answer::Outdated(fault) => Err(NotIssued::Outdated(fault)),
            Answer::Passphrase(refused) => Err(NotIssued::Passphrase(refused)),
            Answer::Code(flow, rejection) => Err(NotIssued::Code(CodeWanted {
                user: "tanaka".parse().unwrap(),
                devices: [("phone", "tanaka"), ("yubikey", "tanaka-key")]
                    .map(|(label, name)| CodeDevice {
                        serial: format!("arn:aws:iam::111111111111:mfa/{name}").parse().unwrap(),
                        label: label.into(),
                    })
                    .into(),
                flow,
                until: self.now().checked_add(Duration::from_hours(12)).unwrap(),
                note: None,
                rejection,
            })),
            Answer::Hang | Answer::After(..) => pending().await,
        }
    }

    fn status(&self) -> SessionStatus {
        self.status.borrow().clone()
    }

    fn forget(&self, target: &Target) {
        self.status.borrow_mut().roles.remove(&target.role);
        self.note(format!("forget {target}"));
    }

    fn remember(&self, role: &RoleArn, event: HistoryEvent) {
        self.note(format!("{event:?} {role}"));
    }

    fn device_code(&self, serial: &MfaSerial) -> Option<DeviceCode> {
        self.demo_code.filter(|_| serial.short() == "tanaka").map(|code| DeviceCode(code.into()))
    }

    async fn sleep(&self, time: Duration) {
        self.clock.sleep(time).await;
    }

    fn copy(&self, text: &str) -> io::Result<()> {
        self.note(format!("copy {text:?}"));
        Ok(())
    }

    fn copy_url(&self, url: &Secret) -> io::Result<()> {
        self.note(format!("copy the URL {:?}", url.expose()));
        Ok(())
    }

    fn capture_mouse(&self, on: bool) -> io::Result<()> {
        self.note(format!("mouse {}", if on { "on" } else { "off" }));
        Ok(())
    }

    fn suspend(&self) -> io::Result<()> {
        self.note("suspend".into());
        Ok(())
    }
}

/// The switcher, its terminal and its world.
pub struct Stage {
    pub model: Model,
    pub terminal: Terminal<TestBackend>,
    pub world: World,
}

impl Stage {
    /// The usual accounts in a window of this size.
    pub fn new(width: u16, height: u16) -> Self {
        Self::with(width, height, setup(&UNICODE, Paint::Color), History::default(), catalog())
    }

    /// The usual accounts, in ASCII and without colours.
    pub fn ascii(width: u16, height: u16) -> Self {
        Self::with(width, height, setup(&ASCII, Paint::Plain), History::default(), catalog())
    }

    pub fn with(
        width: u16,
        height: u16,
        setup: SwitcherSetup,
        history: History,
        catalog: Catalog,
    ) -> Self {
        let now = Timestamp::from_second(START).unwrap();
        Self {
            model: Model::new(setup, history, "").with_catalog(Arc::new(catalog), now),
            terminal: Terminal::new(TestBackend::new(width, height)).unwrap(),
            world: World {
                clock: Rc::default(),
                answers: RefCell::default(),
                status: RefCell::new(SessionStatus {
                    store: Some("keyring"),
                    ..SessionStatus::default()
                }),
                catalog: RefCell::default(),
                seen: RefCell::default(),
                demo_code: None,
                news: None,
                slowness: Duration::ZERO,
                overtaken: false,
            },
        }
    }

    /// The first account's first role.
    pub fn first_target() -> Target {
        let catalog = catalog();
        catalog.resolve(catalog.rows().next().unwrap(), &Overrides::default())
    }

    /// Scripts the next answers.
    pub fn answers<const N: usize>(self, answers: [Answer; N]) -> Self {
        self.world.answers.borrow_mut().extend(answers);
        self
    }

    /// A live auth session, and a role session with so many minutes left.
    pub fn signed_in(self, role: &str, minutes: u64) -> Self {
        let at = |m: u64| self.world.now().checked_add(Duration::from_mins(m)).unwrap();
        {
            let mut status = self.world.status.borrow_mut();
            status.user = Some("tanaka".parse().unwrap());
            status.auth =
                Some(AuthStatus { expires: at(702), device: "phone".into(), by: SignedInBy::Code });
            let live = Live { expires: at(minutes), flow: Flow::Shared };
            status.roles.insert(role.parse().unwrap(), live);
        }
        self
    }

    /// Types `dev<down><enter>`, `<paste:123 456>`, `<wait:2>` (seconds), `<size:20x5>`; at the end of
    /// the keys the terminal hangs up.
    pub fn keys(&mut self, keys: &str) -> Outcome {
        let clock = Rc::clone(&self.world.clock);
        let input = Keys { steps: parse(keys), clock: Rc::clone(&clock), until: None };
        let run = run(&mut self.terminal, input, &mut self.model, &self.world);
        clock.run(pin!(run)).unwrap()
    }

    /// Types, and takes a picture.
    pub fn shows(&mut self, keys: &str) -> String {
        self.keys(keys);
        // The terminal in memory does not know that a wide glyph covers two cells: draw afresh.
        self.terminal.clear().unwrap();
        self.terminal.draw(|frame| draw(frame, &self.model)).unwrap();
        self.picture()
    }

    /// The screen's text, without trailing spaces.
    pub fn picture(&mut self) -> String {
        picture(&self.terminal)
    }

    /// Where the cursor stands: line and column, from 0.
    pub fn cursor(&mut self) -> (u16, u16) {
        let position = self.terminal.get_cursor_position().unwrap();
        (position.y, position.x)
    }

    /// The style of the first cell of a text on the screen.
    pub fn style_of(&self, text: &str) -> Style {
        let buffer = self.terminal.backend().buffer();
        for y in 0..buffer.area.height {
            for x in 0..buffer.area.width {
                let rest: String =
                    (x..buffer.area.width).map(|x| buffer[(x, y)].symbol()).collect();
                if rest.starts_with(text) {
                    return buffer[(x, y)].style();
                }
            }
        }
        panic!("{text:?} is not on the screen");
    }

    /// What the world was asked and told.
    pub fn seen(&self) -> Vec<String> {
        self.world.seen.borrow().clone()
    }
}

/// Keys for a screen that has no world behind it, and the clock that runs it.
pub fn typed(keys: &str) -> (Keys, Rc<Clock>) {
    let clock = Rc::<Clock>::default();
    (Keys { steps: parse(keys), clock: Rc::clone(&clock), until: None }, clock)
}

/// A terminal's text, without trailing spaces.
pub fn picture(terminal: &Terminal<TestBackend>) -> String {
    let buffer = terminal.backend().buffer().clone();
    let mut picture = String::new();
    for y in 0..buffer.area.height {
        let mut line = String::new();
        let mut x = 0;
        while x < buffer.area.width {
            let symbol = buffer[(x, y)].symbol();
            line.push_str(symbol);
            x += u16::try_from(symbol.width()).unwrap().max(1);
        }
        picture.push_str(line.trim_end());
        picture.push('\n');
    }
    picture.trim_end().to_owned()
}

enum Step {
    Event(Event),
    Wait(Duration),
}

fn parse(keys: &str) -> VecDeque<Step> {
    let mut steps = VecDeque::new();
    let mut rest = keys;
    while let Some(c) = rest.chars().next() {
        let (word, after) = match rest.strip_prefix('<').and_then(|r| r.split_once('>')) {
            Some((word, after)) => (word, after),
            None => rest.split_at(c.len_utf8()),
        };
        rest = after;
        let step = if let Some(text) = word.strip_prefix("paste:") {
            Step::Event(Event::Paste(text.replace("\\n", "\n")))
        } else if let Some(seconds) = word.strip_prefix("wait:") {
            Step::Wait(Duration::from_secs_f64(seconds.parse().unwrap()))
        } else if let Some(line) = word.strip_prefix("click:") {
            mouse(MouseEventKind::Down(MouseButton::Left), line.parse().unwrap())
        } else if let Some(turn) = word.strip_prefix("wheel:") {
            let up = turn == "up";
            mouse(if up { MouseEventKind::ScrollUp } else { MouseEventKind::ScrollDown }, 0)
        } else if let Some((width, height)) =
            word.strip_prefix("size:").and_then(|s| s.split_once('x'))
        {
            Step::Event(Event::Resize(width.parse().unwrap(), height.parse().unwrap()))
        } else if word == " " {
            Step::Event(event("space".parse().unwrap()))
        } else {
            Step::Event(event(word.parse().unwrap_or_else(|_| panic!("{word:?} is not a key"))))
        };
        steps.push_back(step);
    }
    steps
}

fn mouse(kind: MouseEventKind, row: u16) -> Step {
    Step::Event(Event::Mouse(MouseEvent { kind, column: 10, row, modifiers: KeyModifiers::NONE }))
}

/// A key as crossterm reports it.
pub fn event(key: Key) -> Event {
    let code = match key.code {
        keymap::KeyCode::Char(c) => KeyCode::Char(c),
        keymap::KeyCode::F(n) => KeyCode::F(n),
        keymap::KeyCode::Enter => KeyCode::Enter,
        keymap::KeyCode::Esc => KeyCode::Esc,
        keymap::KeyCode::Tab => KeyCode::Tab,
        keymap::KeyCode::BackTab => KeyCode::BackTab,
        keymap::KeyCode::Backspace => KeyCode::Backspace,
        keymap::KeyCode::Delete => KeyCode::Delete,
        keymap::KeyCode::Up => KeyCode::Up,
        keymap::KeyCode::Down => KeyCode::Down,
        keymap::KeyCode::Left => KeyCode::Left,
        keymap::KeyCode::Right => KeyCode::Right,
        keymap::KeyCode::Home => KeyCode::Home,
        keymap::KeyCode::End => KeyCode::End,
        keymap::KeyCode::PageUp => KeyCode::PageUp,
        keymap::KeyCode::PageDown => KeyCode::PageDown,
    };
    let mut modifiers = KeyModifiers::NONE;
    modifiers.set(KeyModifiers::CONTROL, key.ctrl);
    modifiers.set(KeyModifiers::ALT, key.alt);
    Event::Key(KeyEvent::new(code, modifiers))
}

pub struct Keys {
    steps: VecDeque<Step>,
    clock: Rc<Clock>,
    until: Option<Duration>,
}

impl Stream for Keys {
    type Item = io::Result<Event>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(until) = self.until {
                ready!(self.clock.poll(until));
                self.until = None;
            }
            match self.steps.pop_front() {
                None => return Poll::Ready(None),
                Some(Step::Event(event)) => return Poll::Ready(Some(Ok(event))),
                Some(Step::Wait(time)) => self.until = Some(self.clock.now.get() + time),
            }
        }
    }
}

/// A clock that jumps to the next thing that is waited for, once nothing else can happen.
#[derive(Default)]
pub struct Clock {
    now: Cell<Duration>,
    next: Cell<Option<Duration>>,
}

impl Clock {
    fn poll(&self, until: Duration) -> Poll<()> {
        if self.now.get() >= until {
            return Poll::Ready(());
        }
        self.next.set(Some(self.next.get().map_or(until, |next| next.min(until))));
        Poll::Pending
    }

    async fn sleep(&self, time: Duration) {
        let until = self.now.get() + time;
        poll_fn(|_| self.poll(until)).await;
    }

    pub fn run<F: Future>(&self, mut future: Pin<&mut F>) -> F::Output {
        let mut cx = Context::from_waker(Waker::noop());
        loop {
            self.next.set(None);
            if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
                return output;
            }
            self.now.set(self.next.get().expect("something is waited for"));
        }
    }
}
