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
    block_on(switch(context, query))?
}

async fn switch(context: &Context, query: &str) -> Result<Exit, Fault> {
    let config = context.config();
    let host = Outside { context, history: HistoryFile::new(context.paths()) };
    let catalog = Arc::new(config.catalog.clone());
    let query = if query.is_empty() { &config.list.query } else { query };
    let mut model = Model::new(setup(context)?, host.history.read(), query)
        .with_catalog(catalog, Timestamp::now());
    context.bench().face_the_screen();
    loop {
        let outcome = ui::pick(&mut model, &host).await.map_err(no_screen)?;
        context.broker().abandon();
        let pass = match outcome {
            Outcome::Quit => return Ok(Exit::Done),
            Outcome::Cancelled => return Ok(Exit::Cancelled),
            Outcome::Failed(fault) => return Err(fault),
            Outcome::Signalled(signal) => return Ok(Exit::Child(128 + signal)),
            Outcome::Enter(Door::Shell, pass) => pass,
            Outcome::Enter(Door::Console, _) => continue,
        };
        let name = pass.target.name();
        for note in &pass.notes {
            context.out.warn(note);
        }
        let exit = match context.run_shell(pass, None).await {
            Ok(exit) => exit,
            Err(fault) => {
                model.say(format!("{}: {}", fault.what, fault.why.join("; ")));
                continue;
            }
        };
        if config.list.after_shell == AfterShell::Exit {
            return Ok(exit);
        }
        model.say(match exit.code() {
            0 => format!("left {name}"),
            code => format!("left {name}, exit code {code}"),
        });
    }
}

fn setup(context: &Context) -> Result<Setup, Fault> {
    let config = context.config();
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
        .unwrap_or_default();
    let term = std::env::var("TERM").unwrap_or_default();
    let paint = if context.out.color() { Paint::Color } else { Paint::Plain };
    let keymap = Keymap::new(&config.list.keys)
        .map_err(|why| Fault::new(Exit::Usage, "the config's keys do not work").because(why.to_string()))?;
    Ok(Setup {
        auth_account: config.auth.account,
        store: context.broker().vault().label().to_owned(),
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
        return Fault::new(Exit::NeedsPerson, "there is no terminal to show the list on")
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
