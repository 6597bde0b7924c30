//! The switcher with everything it works with: the list of `ui`, and the services behind it.

mod host;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use clap::CommandFactory;
use clap::error::ErrorKind;
use jiff::Timestamp;
use rustix::process::Signal;

use crate::domain::account::{Catalog, Overrides};
use crate::domain::agents::{Allowance, Driver};
use crate::domain::batch::{self, Report};
use crate::domain::config::{Config, Order, Symbols};
use crate::domain::fault::{Exit, Fault};
use crate::domain::ids::RoleArn;
use crate::domain::keymap::Keymap;
use crate::domain::local_clock::LocalClock;
use crate::domain::pass::Pass;
use crate::domain::text::count;
use crate::services::child::signals::Ending;
use crate::services::console::FormerSession;
use crate::services::session::history::HistoryFile;
use crate::services::store::files::Dir;
use crate::services::verify;
use crate::ui::model::{Enters, MarkedRun, Model, OpenIn, Outcome, SwitcherSetup};
use crate::ui::theme::{Paint, Theme};
use crate::ui::{self, screen};

use super::args::{CommandLine, Common};
use super::console;
use super::context::Context;
use super::local_clock::local_clock;
use super::out::Out;
use super::prompt;
use super::runtime::block_on;
use super::terminal::Terminal;
use super::verbs::each;
use super::wording::glyphs;
use super::world::{ConfigReader, World};

use host::{ConfigState, Loading, SwitcherHost, not_read};

/// How long the first frame waits for the config: a small one is read by then.
const PATIENCE: Duration = Duration::from_millis(10);

/// How a list opens.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Start {
    /// The first filter; the config's own where it is empty.
    pub query: String,
    /// A line in the footer's place until the first key.
    pub notice: Option<String>,
}

/// What came of a list that opens once.
pub enum Chosen {
    /// A target was chosen, and its pass issued.
    Pass(Box<Pass>),
    /// The list was left without a choice, or could not be opened.
    Nothing(Exit),
}

/// How the list was left.
pub enum Left {
    /// With a pass for a shell.
    With(Box<Pass>),
    /// By its own key.
    Quit,
    /// By an interrupt or a signal.
    Ended(Exit),
}

/// Lets a target be chosen from the list, once.
pub fn choose_once(context: &Rc<Context>, enters: Enters, start: &Start) -> Result<Chosen, Fault> {
    Ok(match block_on(Switcher::over(Rc::clone(context), enters, start)?.choose())? {
        Left::With(pass) => Chosen::Pass(pass),
        Left::Quit => Chosen::Nothing(Exit::Cancelled),
        Left::Ended(exit) => Chosen::Nothing(exit),
    })
}

/// A pass into the named target, else into one from the list. Without a terminal a missing target is a wrong usage of `verb`.
pub fn pass_into(
    context: &Rc<Context>,
    target: Option<&str>,
    verb: &str,
    spare: Duration,
    enters: Enters,
) -> Result<Chosen, Fault> {
    match target {
        Some(name) => context.pass(name, spare).map(|pass| Chosen::Pass(pass.into())),
        None if !can_choose() => {
            Ok(Chosen::Nothing(missing_argument(verb, "<TARGET>", context.out)))
        }
        None => choose_once(context, enters, &Start::default()),
    }
}

/// Whether there is a terminal for a list.
pub fn can_choose() -> bool {
    Terminal::open().is_some()
}

/// Reports a command line that lacks an argument, as clap does.
pub fn missing_argument(verb: &str, argument: &str, out: Out) -> Exit {
    let mut command = CommandLine::command();
    command.build();
    let what = format!("the following required arguments were not provided:\n  {argument}");
    let verb = command.find_subcommand(verb).cloned();
    let error = verb.unwrap_or(command).error(ErrorKind::MissingRequiredArgument, what);
    out.usage_error(&error)
}

/// The list, kept between two subshells.
pub struct Switcher {
    model: Model,
    host: SwitcherHost,
}

impl Switcher {
    /// A list that can be drawn before a large config is read.
    pub async fn open(world: &World, common: Common, query: &str, out: Out) -> Result<Self, Fault> {
        let enters = Enters::Subshell;
        let reader = ConfigReader::start(world, &common)?;
        let loading = Loading { world: world.clone(), common, out, reader, before: None };
        let host = SwitcherHost { enters, config: RefCell::new(ConfigState::Loading(loading)) };
        if let Ok(read) = tokio::time::timeout(PATIENCE, host.loaded()).await {
            let context = read?;
            return Ok(Self { model: model(&context, enters, query)?, host });
        }
        let history = HistoryFile::new(&world.paths()?).read();
        Ok(Self { model: Model::new(unread_setup(enters, out), history, query), host })
    }

    /// A list over a context that is open already.
    pub fn over(context: Rc<Context>, enters: Enters, start: &Start) -> Result<Self, Fault> {
        let mut model = model(&context, enters, &start.query)?;
        if let Some(notice) = &start.notice {
            model.say(notice);
        }
        let config = RefCell::new(ConfigState::Loaded(context));
        Ok(Self { model, host: SwitcherHost { enters, config } })
    }

    /// Shows the list until a pass for a shell is issued, or it is left; what else is chosen is done in between. No secret is kept afterwards.
    pub async fn choose(&mut self) -> Result<Left, Fault> {
        loop {
            match self.show().await? {
                Outcome::Enter(OpenIn::Console, pass) if self.host.enters != Enters::Console => {
                    self.open_console(&pass).await?;
                }
                Outcome::Run(marked) => {
                    if let Some(signal) = self.run_in_marked(marked).await? {
                        return Ok(Left::Ended(ended_by(signal.as_raw())));
                    }
                }
                Outcome::Enter(_, pass) => return Ok(Left::With(pass)),
                Outcome::Quit => return Ok(Left::Quit),
                Outcome::Cancelled => return Ok(Left::Ended(Exit::Cancelled)),
                Outcome::Signalled(signal) => return Ok(Left::Ended(ended_by(signal.into()))),
                Outcome::Failed(fault) => return Err(fault),
            }
        }
    }

    /// Runs a command line in the marked targets, on the terminal's own screen, and makes the list ready again. The signal
    /// that ends sekisho meanwhile, if one does; Ctrl-C only ends the run, or the pause after it.
    async fn run_in_marked(&mut self, marked: MarkedRun) -> Result<Option<Signal>, Fault> {
        let context = self.context()?;
        let mut ending = Ending::listen().map_err(|error| {
            Fault::new(Exit::Fault, "cannot listen to signals").because(error.to_string())
        })?;
        context.user().attach_terminal(context.out);
        let report = match each::in_marked(&context, marked).await {
            Ok(report) => report,
            Err(fault) => {
                self.model.say(fault.in_a_line());
                return Ok(None);
            }
        };
        self.model.unmark();
        self.model.say(outcome_line(&report));
        // One that the run took for its own end.
        while let Some(signal) = arrived(&mut ending).await {
            if signal != Signal::INT {
                return Ok(Some(signal));
            }
        }
        let signal = prompt::wait_for_enter("sekisho: Enter returns to the list ", &mut ending);
        Ok(signal.await.filter(|signal| *signal != Signal::INT))
    }

    /// Opens a target's console, and makes the list ready for the next choice. Where no browser comes for the sign-in URL,
    /// the list offers it.
    async fn open_console(&mut self, pass: &Pass) -> Result<(), Fault> {
        let context = self.context()?;
        let role = &pass.target.role;
        let opened = async {
            console::open(&context, &console::browser(&context)?, pass, None, FormerSession::Kept)
                .await
        };
        let fault = tokio::select! {
            opened = opened => match opened {
                Ok(line) => {
                    self.come_back(role, line);
                    return Ok(());
                }
                Err(fault) => fault,
            },
            _ = tokio::signal::ctrl_c() => {
                self.come_back(role, "cancelled".to_owned());
                return Ok(());
            }
        };
        // An agent's transcript is no place for what signs in whoever reads it.
        if context.driver().has(pass.target.agents) != Allowance::Full {
            self.come_back(role, fault.in_a_line());
            return Ok(());
        }
        match console::url(&context, pass, None, FormerSession::Kept).await {
            Ok((url, _)) => {
                self.come_back(role, String::new());
                self.model.offer_url(pass.target.clone(), fault, url);
            }
            Err(_) => self.come_back(role, fault.in_a_line()),
        }
        Ok(())
    }

    async fn show(&mut self) -> Result<Outcome, Fault> {
        if self.host.context().is_some_and(|context| context.is_outdated()) {
            self.host.read_again()?;
            self.model.load_again();
        }
        let outcome = ui::pick(&mut self.model, &self.host).await;
        if let Some(context) = self.host.context() {
            context.broker().release_secrets();
            if let Ok(Outcome::Enter(_, pass)) = &outcome {
                context.print_notes(pass);
            }
        }
        outcome.map_err(|error| no_screen(&error))
    }

    /// The context, once the config is read: it always is when the list has issued a pass.
    pub fn context(&self) -> Result<Rc<Context>, Fault> {
        self.host.context().ok_or_else(not_read)
    }

    /// Makes the list ready for the next choice: `left` is the role that was left, `line` is shown.
    pub fn come_back(&mut self, left: &RoleArn, line: String) {
        if let Some(context) = self.host.context() {
            let history = HistoryFile::new(context.paths()).read();
            self.model.come_back(history, left, Timestamp::now());
        }
        if !line.is_empty() {
            self.model.say(line);
        }
    }
}

fn ended_by(signal: i32) -> Exit {
    Exit::Child(u8::try_from(128 + signal).unwrap_or(u8::MAX))
}

/// A signal that has come already: the runtime gets one turn to notice it.
async fn arrived(ending: &mut Ending) -> Option<Signal> {
    tokio::select! {
        biased;
        signal = ending.recv() => Some(signal),
        () = tokio::task::yield_now() => None,
    }
}

/// `ran in 3 targets, 1 failed`
fn outcome_line(report: &Report) -> String {
    let not_started =
        report.targets.iter().filter(|done| done.outcome == batch::Outcome::NotStarted).count();
    let failed = report.failed().count() - not_started;
    let mut line = format!("ran in {}", count(report.targets.len() - not_started, "target"));
    for (many, what) in [(failed, "failed"), (not_started, "not started")] {
        if many > 0 {
            line.push_str(&format!(", {many} {what}"));
        }
    }
    line
}

/// A list of everything the config names; the config's own query where none is given.
fn model(context: &Context, enters: Enters, query: &str) -> Result<Model, Fault> {
    let (setup, catalog) = setup(context, enters)?;
    let history = HistoryFile::new(context.paths()).read();
    Ok(Model::new(setup, history, query).with_catalog(catalog, Timestamp::now()))
}

fn setup(context: &Context, enters: Enters) -> Result<(SwitcherSetup, Arc<Catalog>), Fault> {
    let config = context.config();
    let setup = SwitcherSetup {
        auth_account: Some(config.auth.account),
        detours: context.detours(),
        warnings: [context.warnings().to_vec(), context.stale_files()].concat(),
        depth: context.inherited().depth(),
        query: config.list.query.clone(),
        mouse: config.list.mouse,
        here: context.here(),
        enters,
        exec: context.command("exec"),
        driver: context.driver().clone(),
        overrides: context.overrides(),
        keymap: keymap(config)?,
        order: config.list.order,
        verified: Dir::open(&context.paths().state)
            .ok()
            .flatten()
            .map(|dir| verify::marks(&dir))
            .unwrap_or_default(),
        theme: theme(config.list.symbols, context.out),
        clock: local_clock(context.out),
    };
    Ok((setup, Arc::new(config.catalog.clone())))
}

/// What can be shown before the config is read.
fn unread_setup(enters: Enters, out: Out) -> SwitcherSetup {
    SwitcherSetup {
        auth_account: None,
        detours: Vec::new(),
        warnings: Vec::new(),
        depth: 0,
        query: String::new(),
        mouse: false,
        here: None,
        enters,
        exec: String::new(),
        driver: Driver::Person,
        overrides: Overrides::default(),
        keymap: Keymap::default(),
        order: Order::default(),
        verified: BTreeMap::new(),
        theme: theme(Symbols::Auto, out),
        clock: LocalClock::UTC,
    }
}

/// The keys that a config asks for.
pub fn keymap(config: &Config) -> Result<Keymap, Fault> {
    Keymap::new(&config.list.keys).map_err(|why| {
        Fault::new(Exit::Usage, "the config's key bindings are not valid").because(why.to_string())
    })
}

/// Colours and glyphs as a config and the terminal call for.
pub fn theme(symbols: Symbols, out: Out) -> Theme {
    let paint = if out.color() { Paint::Color } else { Paint::Plain };
    Theme::new(glyphs(symbols), paint)
}

fn no_screen(error: &std::io::Error) -> Fault {
    if screen::is_missing(error) {
        return Fault::new(Exit::NeedsPerson, "there is no terminal to show the list on")
            .fix("name the target: `sekisho exec TARGET -- COMMAND`");
    }
    Fault::new(Exit::Fault, "the terminal failed").because(error.to_string())
}
