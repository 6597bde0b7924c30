//! What the list calls on: the config that is read meanwhile, and the broker behind it.

use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Poll, ready};

use jiff::Timestamp;

use super::setup;
use crate::cli::args::Common;
use crate::cli::context::Context;
use crate::cli::out::Out;
use crate::cli::wording;
use crate::cli::world::{ConfigReader, World};
use crate::domain::account::{Catalog, Target};
use crate::domain::fault::{Exit, Fault};
use crate::domain::history::HistoryEvent;
use crate::domain::ids::{MfaSerial, RoleArn};
use crate::domain::pass::{NotIssued, Pass, Request, SessionStatus};
use crate::domain::secret::Secret;
use crate::services::session::history::HistoryFile;
use crate::ui::Host;
use crate::ui::model::{DeviceCode, Enters, SwitcherSetup};

/// What the list calls on.
pub(super) struct SwitcherHost {
    pub(super) enters: Enters,
    pub(super) config: RefCell<ConfigState>,
}

/// The config of the list.
pub(super) enum ConfigState {
    /// A thread reads it.
    Loading(Loading),
    /// It is read, and the store is open.
    Loaded(Rc<Context>),
}

/// What makes a context of the config once it is read.
pub(super) struct Loading {
    pub(super) world: World,
    pub(super) common: Common,
    pub(super) out: Out,
    pub(super) reader: ConfigReader,
    /// What was read before it changed.
    pub(super) before: Option<Rc<Context>>,
}

impl SwitcherHost {
    /// The context, if the config is read; the one before while it is read again.
    pub(super) fn context(&self) -> Option<Rc<Context>> {
        match &*self.config.borrow() {
            ConfigState::Loading(loading) => loading.before.clone(),
            ConfigState::Loaded(context) => Some(Rc::clone(context)),
        }
    }

    /// Starts to read the config again.
    pub(super) fn read_again(&self) -> Result<(), Fault> {
        let context = self.context().ok_or_else(not_read)?;
        let (world, common) = (context.world().clone(), context.common().clone());
        let reader = ConfigReader::start(&world, &common)?;
        let out = context.out;
        let loading = Loading { world, common, out, reader, before: Some(context) };
        *self.config.borrow_mut() = ConfigState::Loading(loading);
        Ok(())
    }

    /// The context, as soon as the config is read.
    pub(super) async fn loaded(&self) -> Result<Rc<Context>, Fault> {
        poll_fn(|cx| {
            let mut state = self.config.borrow_mut();
            let context = match &mut *state {
                ConfigState::Loaded(context) => return Poll::Ready(Ok(Rc::clone(context))),
                ConfigState::Loading(Loading { world, common, out, reader, before }) => {
                    const VERB: &str = "pick";
                    let read = ready!(reader.poll(cx)).map(|loaded| world.adopt(loaded));
                    let new = read.and_then(|loaded| match before {
                        Some(before) => before.with_new_config(loaded, VERB),
                        None => {
                            Context::with_config(world.clone(), common.clone(), VERB, *out, loaded)
                        }
                    });
                    match (new, before.take()) {
                        (Ok(context), _) => context,
                        (Err(fault), None) => return Poll::Ready(Err(fault)),
                        (Err(fault), Some(before)) => {
                            *state = ConfigState::Loaded(before);
                            return Poll::Ready(Err(fault));
                        }
                    }
                }
            };
            let context = Rc::new(context);
            *state = ConfigState::Loaded(Rc::clone(&context));
            Poll::Ready(Ok(context))
        })
        .await
    }
}

impl Host for SwitcherHost {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    async fn catalog(&self) -> Result<(SwitcherSetup, Arc<Catalog>), Fault> {
        setup(&*self.loaded().await?, self.enters)
    }

    async fn issue(&self, request: Request) -> Result<Pass, NotIssued> {
        let context = self.context().ok_or_else(not_read)?;
        context.user().attach_tui();
        context.preload_demo_key()?;
        let target = request.target.target();
        let name = target.name();
        let narrowed = request.target.is_narrowed().then(|| context.driver().agent()).flatten();
        let narrowed = narrowed.map(|agent| wording::narrowed(target, agent));
        match context.issue(&name, &request).await {
            Ok(mut pass) => {
                pass.notes.extend(narrowed);
                Ok(pass)
            }
            Err(NotIssued::Outdated(fault)) => {
                self.read_again()?;
                let fix = vec!["choose again: the list shows what the config says now".to_owned()];
                Err(NotIssued::Outdated(Fault { fix, ..fault }))
            }
            answer => answer,
        }
    }

    fn news(&self) -> Option<String> {
        self.context()?.user().last_line()
    }

    fn ask_here(&self) {
        if let Some(context) = self.context() {
            context.user().request_takeover();
        }
    }

    fn open_line(&self) {
        if let Some(context) = self.context() {
            context.broker().open_line();
        }
    }

    fn give_up(&self) {
        if let Some(context) = self.context() {
            context.broker().release_secrets();
        }
    }

    fn is_overtaken(&self) -> bool {
        let context = self.context();
        context.is_some_and(|context| context.broker().is_overtaken())
    }

    fn status(&self) -> SessionStatus {
        self.context().map(|context| context.broker().status()).unwrap_or_default()
    }

    fn forget(&self, target: &Target) {
        if let Some(context) = self.context() {
            context.broker().forget(target);
        }
    }

    fn remember(&self, role: &RoleArn, event: HistoryEvent) {
        if let Some(context) = self.context() {
            HistoryFile::new(context.paths()).note(role, event, Timestamp::now());
        }
    }

    fn copy(&self, text: &str) -> std::io::Result<()> {
        Out::copy(text)
    }

    fn copy_url(&self, url: &Secret) -> std::io::Result<()> {
        Out::copy_secret(url)
    }

    fn device_code(&self, serial: &MfaSerial) -> Option<DeviceCode> {
        let context = self.context()?;
        let code = context.world().demo()?.code(serial, Timestamp::now());
        code.map(DeviceCode)
    }
}

pub(super) fn not_read() -> Fault {
    Fault::new(Exit::Fault, "the config has not been read")
}
