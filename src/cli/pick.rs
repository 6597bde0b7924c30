//! The switcher: list → (code) → subshell → back to the list.

use std::future::Future;
use std::sync::Arc;

use jiff::Timestamp;

use crate::domain::account::{Catalog, Target};
use crate::domain::config::AfterShell;
use crate::domain::fault::{Exit, Fault};
use crate::domain::history::Deed;
use crate::domain::ids::{MfaSerial, RoleArn};
use crate::domain::keys::Keymap;
use crate::domain::pass::{Pass, Refusal, Request, Standing};
use crate::services::aws;
use crate::services::history::HistoryFile;
use crate::ui::model::{DeviceCode, Door, Model, Outcome, Setup};
use crate::ui::theme::{Glyphs, Paint, Theme};
use crate::ui::{self, Host, screen};

use super::context::{Context, block_on};

/// Opens the list, and comes back to it after every subshell.
pub fn run(context: &Context, query: &str) -> Result<Exit, Fault> {
    block_on(async {
        let mut switcher = Switcher::new(context, query)?;
        loop {
            let (name, exit) = match switcher.choose().await? {
                Choice::Left(exit) => return Ok(exit),
                Choice::Enter(Door::Shell, pass) => {
                    (pass.target.name(), context.run_shell(pass, None).await)
                }
                Choice::Enter(Door::Console, _) => continue,
            };
            let after = match exit {
                Ok(exit) if context.config().list.after_shell == AfterShell::Exit => {
                    return Ok(exit);
                }
                Ok(exit) if exit.code() == 0 => format!("left {name}"),
                Ok(exit) => format!("left {name}, exit code {}", exit.code()),
                Err(fault) => format!("{} {}", fault.what, fault.why.join("; ")),
            };
            switcher.model.say(after);
        }
    })?
}

/// Opens the list once, for a pass or the way it was left.
pub fn choose(context: &Context) -> Result<Result<Pass, Exit>, Fault> {
    block_on(async {
        let mut switcher = Switcher::new(context, "")?;
        Ok(match switcher.choose().await? {
            Choice::Left(Exit::Done) => Err(Exit::Cancelled),
            Choice::Left(exit) => Err(exit),
            Choice::Enter(_, pass) => Ok(pass),
        })
    })?
}

/// The list, kept between two subshells.
struct Switcher<'a> {
    context: &'a Context,
    model: Model,
    host: Outside<'a>,
}

/// What came of showing the list.
enum Choice {
    Left(Exit),
    Enter(Door, Pass),
}

impl<'a> Switcher<'a> {
    fn new(context: &'a Context, query: &str) -> Result<Self, Fault> {
        let config = context.config();
        let host = Outside {
            context,
            history: HistoryFile::new(context.paths()),
        };
        let query = if query.is_empty() {
            &config.list.query
        } else {
            query
        };
        let catalog = Arc::new(config.catalog.clone());
        let model = Model::new(setup(context)?, host.history.read(), query);
        let model = model.with_catalog(catalog, Timestamp::now());
        context.bench().face_the_screen();
        Ok(Self {
            context,
            model,
            host,
        })
    }

    async fn choose(&mut self) -> Result<Choice, Fault> {
        let outcome = ui::pick(&mut self.model, &self.host)
            .await
            .map_err(no_screen)?;
        self.context.broker().abandon();
        Ok(match outcome {
            Outcome::Quit => Choice::Left(Exit::Done),
            Outcome::Cancelled => Choice::Left(Exit::Cancelled),
            Outcome::Signalled(signal) => Choice::Left(Exit::Child(128 + signal)),
            Outcome::Failed(fault) => return Err(fault),
            Outcome::Enter(door, pass) => {
                for note in &pass.notes {
                    self.context.out.warn(note);
                }
                Choice::Enter(door, pass)
            }
        })
    }
}

fn setup(context: &Context) -> Result<Setup, Fault> {
    let config = context.config();
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
        .unwrap_or_default();
    let term = std::env::var("TERM").unwrap_or_default();
    let paint = if context.out.color() {
        Paint::Color
    } else {
        Paint::Plain
    };
    let keymap = Keymap::new(&config.list.keys).map_err(|why| {
        Fault::new(Exit::Usage, "the config's keys do not work").because(why.to_string())
    })?;
    Ok(Setup {
        auth_account: config.auth.account,
        store: context
            .broker()
            .vault()
            .label()
            .unwrap_or("no session kept yet")
            .to_owned(),
        detours: aws::detours(&config.auth),
        warnings: context.warnings().to_vec(),
        depth: context.inherited().depth(),
        exec: "sekisho exec".to_owned(),
        overrides: context.overrides(),
        keymap,
        order: config.list.order,
        theme: Theme::new(Glyphs::choose(config.list.symbols, &locale, &term), paint),
    })
}

fn no_screen(error: std::io::Error) -> Fault {
    if screen::is_missing(&error) {
        return Fault::new(
            Exit::NeedsPerson,
            "there is no terminal to show the list on",
        )
        .fix("name the target: `sekisho exec TARGET -- COMMAND`");
    }
    Fault::new(Exit::Fault, "the terminal failed").because(error.to_string())
}

/// The world outside the switcher.
struct Outside<'a> {
    context: &'a Context,
    history: HistoryFile,
}

impl Host for Outside<'_> {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn catalog(&self) -> impl Future<Output = Result<Arc<Catalog>, Fault>> {
        std::future::ready(Ok(Arc::new(self.context.config().catalog.clone())))
    }

    async fn issue(&self, request: Request) -> Result<Pass, Refusal> {
        self.context.broker().issue(&request).await
    }

    fn standing(&self) -> Standing {
        self.context.broker().standing()
    }

    fn forget(&self, target: &Target) {
        self.context.broker().forget(target);
    }

    fn remember(&self, role: &RoleArn, deed: Deed) {
        self.history.note(role, deed, Timestamp::now());
    }

    fn device_code(&self, serial: &MfaSerial) -> Option<DeviceCode> {
        let demo = self.context.world().demo()?;
        demo.code(serial, Timestamp::now()).map(DeviceCode)
    }
}
