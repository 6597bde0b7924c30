//! What runs with the credentials: a subshell, a command, or a child that is served fresh ones.

use std::cell::Cell;
use std::num::NonZeroU16;
use std::time::Duration;

use jiff::Timestamp;

use crate::domain::config::{AfterShell, RenewPref};
use crate::domain::confirmation::Cleared;
use crate::domain::fault::{Exit, Fault};
use crate::domain::pass::{Asking, NotIssued, Pass, Renew, Request, Terms};
use crate::domain::text::sanitize;
use crate::services::aws::SharedFiles;
use crate::services::child::environment::{self, Endpoint, Environment};
use crate::services::child::export;
use crate::services::child::process;
use crate::services::child::running;
use crate::services::child::serve::Server;
use crate::services::child::shared_config::SharedConfig;
use crate::services::child::shell::{Shell, Subshell};
use crate::services::store::files::Dir;

use super::args::verbs;
use super::context::Context;
use super::prompt;
use super::runtime::block_on;
use super::terminal::Title;
use super::warm::Entry;
use super::wording;

/// What the endpoint had for the last who asked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Served {
    Fresh,
    /// An older session: renewing it failed.
    Unrenewed,
    Nothing,
}

impl Served {
    fn of(pass: &Pass) -> Self {
        if pass.unrenewed.is_some() { Self::Unrenewed } else { Self::Fresh }
    }
}

impl Context {
    /// Opens a subshell, on a runtime of its own, and waits for its end.
    pub fn open_shell(&self, pass: Pass, asked: Option<&str>) -> Result<Exit, Fault> {
        block_on(self.run_shell(pass, asked, AfterShell::Exit))
    }

    /// Runs a subshell to its end; `then` is what follows it. While it runs, this process holds no secret.
    pub async fn run_shell(
        &self,
        pass: Pass,
        asked: Option<&str>,
        then: AfterShell,
    ) -> Result<Exit, Fault> {
        let prefs = &self.config().shell;
        let shell = Shell::choose(asked.or(prefs.program.as_deref()), self.inherited())?;
        let sekisho = process::own_program()?;
        let runtime_dir = self.runtime_dir()?;
        let verbs = verbs();
        let subshell = Subshell {
            shell: &shell,
            sekisho: &sekisho,
            runtime_dir: runtime_dir.path(),
            prefs,
            verbs: &verbs,
        };
        self.announce_shell(&pass, then);
        self.record_entry(&pass.target.role, self.inherited().depth() + 1);
        let _title = prefs.mark_prompt.then(|| Title::set(&pass.target.name())).flatten();
        let child = async |environment| subshell.run(environment, self.inherited()).await;
        if prefs.renew == RenewPref::Serve {
            return self.serve(pass, None, child).await;
        }
        let entry = self.entry(pass, self.inherited().depth() + 1);
        self.broker().release_secrets();
        let exit = child(entry.environment).await;
        self.preload_demo_key()?;
        exit
    }

    /// Says what is entered, until when, and where `exit` leads, unless the config wants it quiet.
    fn announce_shell(&self, pass: &Pass, then: AfterShell) {
        let config = self.config();
        if config.quiet {
            return;
        }
        // Under `serve` the session is renewed as long as the shell runs.
        let ends = config.shell.renew != RenewPref::Serve;
        let until = ends.then(|| self.moment(pass.credentials.expires));
        let outer = self.inherited().get("SEKISHO_TARGET").map(|name| name.to_string_lossy());
        let inside = outer.map(|outer| format!("inside {}", sanitize(&outer)));
        let exit = match (then, &inside) {
            (AfterShell::List, _) => Some("exit returns to the list".to_owned()),
            (AfterShell::Exit, Some(_)) => Some("exit returns there".to_owned()),
            (AfterShell::Exit, None) => None,
        };
        let more: Vec<String> = inside.into_iter().chain(exit).collect();
        let dot = wording::glyphs(config.list.symbols).dot;
        let name = pass.target.name();
        self.out.info(&wording::entered(&name, until.as_deref(), &more, dot));
    }

    /// Where files lie that a child needs while it runs: in the runtime directory, else beside the state.
    fn runtime_dir(&self) -> Result<Dir, Fault> {
        let runtime = &self.paths().runtime;
        let refusal = match runtime.usable().map(Dir::create) {
            Some(Ok(dir)) => return Ok(dir),
            Some(Err(error)) => Some(format!("XDG_RUNTIME_DIR is not used: {error}")),
            None => runtime.refusal(),
        };
        if let Some(line) = refusal {
            self.out.warn(&line);
        }
        Dir::create(&self.paths().state.join("run"))
            .map_err(|error| error.fault("the subshell's start-up files cannot be written"))
    }

    /// Runs a child that fetches its credentials from an endpoint of ours, for as long as it runs.
    pub async fn serve(
        &self,
        pass: Pass,
        port: Option<NonZeroU16>,
        child: impl AsyncFnOnce(Environment) -> Result<Exit, Fault>,
    ) -> Result<Exit, Fault> {
        let cleared = prompt::clear_renewal(&pass.target, self.driver(), self.out)?;
        let server = Server::open(port).await.map_err(|error| match port {
            Some(port) => {
                Fault::new(Exit::Fault, format!("cannot listen on port {port} of 127.0.0.1"))
                    .because(error.to_string())
                    .fix("choose another --port, or none for any that is free")
            }
            None => Fault::new(Exit::Fault, "cannot open a local port to serve credentials")
                .because(error.to_string()),
        })?;
        let context = self.child_context(self.inherited().depth() + 1);
        let original = SharedFiles::current()?.config;
        // It goes with this value, after the child.
        let shared =
            SharedConfig::create(self.runtime_dir()?, &original, pass.target.region.as_ref())?;
        let endpoint = server.endpoint();
        let uri = endpoint.uri.clone();
        let environment =
            Environment::served(&pass.target, endpoint, &shared, &context, self.inherited());
        let said = Served::of(&pass);
        drop(pass);
        self.broker().release_secrets();
        // The terminal is the child's: no prompts, and only the first of several failures is reported.
        let _away = self.user().detach();
        let reported = Cell::new(said);
        let issue = async || {
            let issued = self.renewed(&cleared).await;
            let served = issued.as_ref().map_or(Served::Nothing, Served::of);
            if reported.replace(served) != served {
                match &issued {
                    Ok(pass) => {
                        pass.warning(Timestamp::now()).iter().for_each(|line| self.out.warn(line));
                    }
                    Err(fault) => drop(self.out.fault_line(fault)),
                }
            }
            issued.map(|pass| export::for_container(&pass))
        };
        let live = || {
            let pass = self.broker().live(&cleared, Terms::LAST_SECONDS)?;
            Some(export::for_container(&pass))
        };
        let exit = tokio::select! {
            exit = child(environment) => exit,
            never = server.run(issue, live) => match never {},
        };
        self.warn_of_survivors(&uri).await;
        self.preload_demo_key()?;
        exit
    }

    /// Names the programs that outlive a served child, and with it their endpoint.
    async fn warn_of_survivors(&self, uri: &str) {
        let look = || running::with_variable(Endpoint::VARIABLE, uri);
        if look().is_empty() {
            return;
        }
        // Some are about to end: what a terminal or a pipe was closed to, say.
        tokio::time::sleep(Duration::from_millis(200)).await;
        let survivors = look();
        let (shown, others) = survivors.split_at(survivors.len().min(5));
        if shown.is_empty() {
            return;
        }
        let mut names: Vec<String> = shown.iter().map(ToString::to_string).collect();
        names.extend((!others.is_empty()).then(|| format!("{} more", others.len())));
        self.out.warn(&format!(
            "still running with the endpoint that has ended: {}; it gives them no more credentials, and another user of \
             this machine could take its port and answer them: end them",
            names.join(", ")
        ));
    }

    /// A fresh session as the endpoint serves it. It never prompts and keeps no key.
    async fn renewed(&self, cleared: &Cleared) -> Result<Pass, Fault> {
        self.preload_demo_key()?;
        let terms = Terms {
            renew: Renew::Below(20 * 60), // botocore asks at every call once 15 min are left
            asking: Asking::Never,
            spare: Terms::LAST_SECONDS,
        };
        let request = Request::new(cleared.clone(), terms);
        let epoch = || self.broker().vault().epoch();
        let begun = epoch();
        let mut issued = self.broker().issue(&request).await;
        if epoch() != begun {
            // `logout` came in between, and it is asked once more whether there is a session.
            self.preload_demo_key()?;
            issued = self.broker().issue(&request).await;
        }
        self.broker().release_secrets();
        match issued {
            Ok(pass) => Ok(pass),
            Err(NotIssued::Code(_)) => {
                let name = cleared.target();
                Err(Fault::new(
                    Exit::NeedsPerson,
                    format!("the session of {name} needs an MFA code to be renewed"),
                )
                .fix("run `sekisho login` in another terminal"))
            }
            Err(refusal) => Err(refusal.into_fault()),
        }
    }

    /// Replaces this process by a command. Returns only if that failed.
    pub fn become_command(&self, pass: Pass, command: &[std::ffi::OsString]) -> Fault {
        let entry = self.entry(pass, self.inherited().depth() + 1);
        entry.record(self.paths());
        self.broker().release_secrets();
        process::exec(&entry.environment, self.inherited(), command)
    }

    /// A pass, entered; `depth` is how many of our shells surround the child.
    pub fn entry(&self, pass: Pass, depth: u32) -> Entry {
        Entry::new(pass, &self.child_context(depth), self.inherited(), self.config().quiet)
    }

    fn child_context(&self, depth: u32) -> environment::Context {
        let config = self.config();
        environment::Context {
            compat: config.shell.prompt_compat,
            endpoint_url: config.auth.loopback_endpoint().map(str::to_owned),
            ..self.world().child_context(self.common(), self.inherited(), depth)
        }
    }
}
