//! The switcher: list → (code) → subshell → back to the list.

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::oneshot;

use crate::domain::account::{Catalog, Overrides, Target};
use crate::domain::config::{AfterShell, Order, Symbols};
use crate::domain::fault::{Exit, Fault};
use crate::domain::history::HistoryEvent;
use crate::domain::ids::{MfaSerial, RoleArn};
use crate::domain::keymap::Keymap;
use crate::domain::pass::{NotIssued, Pass, Request, SessionStatus};
use crate::services::config::cache::{self, LoadedConfig};
use crate::services::session::history::HistoryFile;
use crate::services::store::files::Dir;
use crate::services::verify;
use crate::ui::model::{DeviceCode, Model, OpenIn, Outcome, SwitcherSetup};
use crate::ui::theme::{Glyphs, Paint, Theme};
use crate::ui::{self, Host, screen};

use super::console;
use crate::cli::args::Common;
use crate::cli::context::{Context, block_on};
use crate::cli::out::Out;
use crate::cli::world::{self, World};

/// How long the first frame waits for the config: a small one is there by then.
const PATIENCE: Duration = Duration::from_millis(10);

/// Opens the list, and comes back to it after every subshell.
pub fn run(world: &World, common: Common, query: &str, out: Out) -> Result<Exit, Fault> {
    block_on(async {
        let mut reading = read_aside(world, &common)?;
        let opened = OnceCell::new();
        let early = tokio::time::timeout(PATIENCE, &mut reading).await;
        let opening = Opening { world, common, out, reading: RefCell::new(Some(reading)) };
        if let Ok(read) = early {
            opening.finish(read, &opened)?;
        }
        let mut switcher = Switcher::new(ConfigState::Opening(&opened, &opening), query)?;
        loop {
            let choice = switcher.choose().await?;
            let Some(context) = opened.get() else {
                return Ok(choice.exit());
            };
            let (name, exit) = match choice {
                Choice::Left(exit) => return Ok(exit),
                Choice::Enter(OpenIn::Shell, pass) => {
                    (pass.target.name(), context.run_shell(*pass, None).await)
                }
                Choice::Enter(OpenIn::Console, pass) => {
                    let told = open_console(context, &pass)
                        .await
                        .unwrap_or_else(|fault| fault.in_a_line());
                    switcher.model.say(told);
                    continue;
                }
            };
            let after = match exit {
                Ok(exit) if context.config().list.after_shell == AfterShell::Exit => {
                    return Ok(exit);
                }
                Ok(exit) if exit.code() == 0 => format!("left {name}"),
                Ok(exit) => format!("left {name}, exit code {}", exit.code()),
                Err(fault) => fault.in_a_line(),
            };
            switcher.model.say(after);
        }
    })?
}

/// Opens a target's console; a line stands on the terminal while the browser is on its way.
async fn open_console(context: &Context, pass: &Pass) -> Result<String, Fault> {
    let browser = console::browser(context)?;
    context.out.info(&format!("opening the console of {}", pass.target));
    console::open(context, &browser, pass, None).await
}

/// Opens the list once, for a pass or the way it was left.
pub fn choose(context: &Context) -> Result<Result<Pass, Exit>, Fault> {
    block_on(async {
        let mut switcher = Switcher::new(ConfigState::Open(context), "")?;
        Ok(match switcher.choose().await? {
            Choice::Left(Exit::Done) => Err(Exit::Cancelled),
            Choice::Left(exit) => Err(exit),
            Choice::Enter(_, pass) => Ok(*pass),
        })
    })?
}

/// The answer of a thread that reads the config.
type Reading = oneshot::Receiver<Result<LoadedConfig, Fault>>;

/// Reads the config on a thread of its own, so that a frame can be drawn meanwhile.
fn read_aside(world: &World, common: &Common) -> Result<Reading, Fault> {
    let (done, reading) = oneshot::channel();
    let paths = world.paths()?;
    match world {
        // Built in, and small.
        World::Demo(_) => {
            let _ = done.send(world.read_config(common, &paths));
        }
        World::Real => {
            let path = world::config_path(common)?;
            std::thread::spawn(move || {
                // Nobody waits any more where the list was left meanwhile.
                let _ = done.send(cache::load(&path, &paths));
            });
        }
    }
    Ok(reading)
}

/// A context whose config is being read.
struct Opening<'a> {
    world: &'a World,
    common: Common,
    out: Out,
    reading: RefCell<Option<Reading>>,
}

impl Opening<'_> {
    fn finish(
        &self,
        read: Result<Result<LoadedConfig, Fault>, oneshot::error::RecvError>,
        opened: &OnceCell<Context>,
    ) -> Result<(), Fault> {
        let understood =
            read.map_err(|_| Fault::new(Exit::Fault, "the config's reader died"))??;
        let (world, common) = (self.world.clone(), self.common.clone());
        let paths = world.paths()?;
        let context = Context::with_config(world, common, "pick", self.out, paths, understood)?;
        // Filled once: the reading can be taken only once.
        let _ = opened.set(context);
        Ok(())
    }
}

/// A context that is there, or on its way.
enum ConfigState<'a> {
    Open(&'a Context),
    Opening(&'a OnceCell<Context>, &'a Opening<'a>),
}

impl ConfigState<'_> {
    fn get(&self) -> Option<&Context> {
        match self {
            Self::Open(context) => Some(context),
            Self::Opening(opened, _) => opened.get(),
        }
    }
}

/// The list, kept between two subshells.
struct Switcher<'a> {
    model: Model,
    host: SwitcherHost<'a>,
}

/// What came of showing the list.
enum Choice {
    Left(Exit),
    Enter(OpenIn, Box<Pass>),
}

impl Choice {
    fn exit(self) -> Exit {
        match self {
            Self::Left(exit) => exit,
            Self::Enter(..) => Exit::Done,
        }
    }
}

impl<'a> Switcher<'a> {
    fn new(held: ConfigState<'a>, query: &str) -> Result<Self, Fault> {
        let ready = |context: &Context| {
            let (setup, catalog) = setup(context)?;
            let history = HistoryFile::new(context.paths()).read();
            let query = if query.is_empty() { &context.config().list.query } else { query };
            Ok(Model::new(setup, history, query).with_catalog(catalog, Timestamp::now()))
        };
        let model = match &held {
            ConfigState::Open(context) => ready(context)?,
            ConfigState::Opening(opened, opening) => {
                if let Some(context) = opened.get() {
                    ready(context)?
                } else {
                    let history = HistoryFile::new(&opening.world.paths()?).read();
                    Model::new(unread_setup(opening.out), history, query)
                }
            }
        };
        Ok(Self { model, host: SwitcherHost { held } })
    }

    async fn choose(&mut self) -> Result<Choice, Fault> {
        let outcome =
            ui::pick(&mut self.model, &self.host).await.map_err(|error| no_screen(&error))?;
        if let Some(context) = self.host.held.get() {
            context.broker().release_secrets();
        }
        Ok(match outcome {
            Outcome::Quit => Choice::Left(Exit::Done),
            Outcome::Cancelled => Choice::Left(Exit::Cancelled),
            Outcome::Signalled(signal) => Choice::Left(Exit::Child(128 + signal)),
            Outcome::Failed(fault) => return Err(fault),
            Outcome::Enter(open_in, pass) => {
                for note in &pass.notes {
                    if let Some(context) = self.host.held.get() {
                        context.out.warn(note);
                    }
                }
                Choice::Enter(open_in, pass)
            }
        })
    }
}

fn setup(context: &Context) -> Result<(SwitcherSetup, Arc<Catalog>), Fault> {
    let config = context.config();
    let keymap = Keymap::new(&config.list.keys).map_err(|why| {
        Fault::new(Exit::Usage, "the config's keys do not work").because(why.to_string())
    })?;
    let setup = SwitcherSetup {
        auth_account: Some(config.auth.account),
        detours: context.detours(),
        warnings: context.warnings().to_vec(),
        depth: context.inherited().depth(),
        exec: context.command("exec"),
        overrides: context.overrides(),
        keymap,
        order: config.list.order,
        verified: Dir::open(&context.paths().state)
            .ok()
            .flatten()
            .map(|dir| verify::marks(&dir))
            .unwrap_or_default(),
        theme: theme(config.list.symbols, context.out),
    };
    Ok((setup, Arc::new(config.catalog.clone())))
}

/// What can be shown before the config is read.
fn unread_setup(out: Out) -> SwitcherSetup {
    SwitcherSetup {
        auth_account: None,
        detours: Vec::new(),
        warnings: Vec::new(),
        depth: 0,
        exec: String::new(),
        overrides: Overrides::default(),
        keymap: Keymap::default(),
        order: Order::default(),
        verified: BTreeMap::new(),
        theme: theme(Symbols::Auto, out),
    }
}

fn theme(symbols: Symbols, out: Out) -> Theme {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
        .unwrap_or_default();
    let term = std::env::var("TERM").unwrap_or_default();
    let paint = if out.color() { Paint::Color } else { Paint::Plain };
    Theme::new(Glyphs::choose(symbols, &locale, &term), paint)
}

fn no_screen(error: &std::io::Error) -> Fault {
    if screen::is_missing(error) {
        return Fault::new(Exit::NeedsPerson, "there is no terminal to show the list on")
            .fix("name the target: `sekisho exec TARGET -- COMMAND`");
    }
    Fault::new(Exit::Fault, "the terminal failed").because(error.to_string())
}

/// The world outside the switcher.
struct SwitcherHost<'a> {
    held: ConfigState<'a>,
}

impl Host for SwitcherHost<'_> {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    async fn catalog(&self) -> Result<(SwitcherSetup, Arc<Catalog>), Fault> {
        if let ConfigState::Opening(opened, opening) = &self.held {
            let reading = opening.reading.borrow_mut().take();
            if let Some(reading) = reading {
                opening.finish(reading.await, opened)?;
            }
        }
        self.held.get().map_or_else(|| Err(not_read()), setup)
    }

    async fn issue(&self, request: Request) -> Result<Pass, NotIssued> {
        let context = self.held.get().ok_or_else(not_read)?;
        context.user().attach_tui();
        context.lend_demo_key()?;
        context.broker().issue(&request).await
    }

    fn news(&self) -> Option<String> {
        self.held.get()?.user().last_line()
    }

    fn ask_here(&self) {
        if let Some(context) = self.held.get() {
            context.user().request_takeover();
        }
    }

    fn give_up(&self) {
        if let Some(context) = self.held.get() {
            context.broker().release_secrets();
        }
    }

    fn is_overtaken(&self) -> bool {
        let context = self.held.get();
        context.is_some_and(|context| context.broker().is_overtaken())
    }

    fn status(&self) -> SessionStatus {
        self.held.get().map(|context| context.broker().status()).unwrap_or_default()
    }

    fn forget(&self, target: &Target) {
        if let Some(context) = self.held.get() {
            context.broker().forget(target);
        }
    }

    fn remember(&self, role: &RoleArn, event: HistoryEvent) {
        if let Some(context) = self.held.get() {
            HistoryFile::new(context.paths()).note(role, event, Timestamp::now());
        }
    }

    fn device_code(&self, serial: &MfaSerial) -> Option<DeviceCode> {
        let demo = self.held.get()?.world().demo()?;
        demo.code(serial, Timestamp::now()).map(DeviceCode)
    }
}

fn not_read() -> Fault {
    Fault::new(Exit::Fault, "the config has not been read")
}
