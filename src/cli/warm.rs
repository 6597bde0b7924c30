//! The short cut of `exec`, `env`, `switch` and `credential-process`: a cached answer that is still valid.

use jiff::Timestamp;

use crate::domain::config::StoreChoice;
use crate::domain::confirmation::Confirmation;
use crate::domain::ids::RoleArn;
use crate::domain::pass::{Pass, Renew};
use crate::services::child::environment::{self, Environment, Inherited};
use crate::services::config::paths::Paths;
use crate::services::session::history::{HistoryFile, ShellId};
use crate::services::session::warm::{WarmAnswer, WarmRequest};

use super::args::Common;
use super::local_clock::local_clock;
use super::out::Out;
use super::wording;
use super::world::World;

/// The pass of an earlier request in the same words.
///
/// `None` wherever anything has changed or must be asked: the long way finds out what.
pub fn pass(
    world: &World,
    common: &Common,
    inherited: &Inherited,
    name: &str,
    renew: Renew,
    out: Out,
) -> Option<Pass> {
    answer(world, common, inherited, name, renew, out).map(|(pass, _)| pass)
}

/// The same, with the answer that it was kept in.
fn answer(
    world: &World,
    common: &Common,
    inherited: &Inherited,
    name: &str,
    renew: Renew,
    out: Out,
) -> Option<(Pass, WarmAnswer)> {
    let paths = world.paths().ok()?;
    let vault = world.vault(StoreChoice::Auto, &paths);
    let overrides = common.overrides(inherited);
    let config = world.config_source(common).ok()?;
    let now = Timestamp::now();
    let driver = inherited.driver();
    let request = WarmRequest::new(config.id(), name, &overrides, &driver);
    let answer = request.answer(&vault, now)?;
    let session = answer.session(&vault, now).filter(|session| session.is_fresh(renew, now))?;
    let confirmation = common.confirmation().map_or(Confirmation::Absent, Confirmation::Typed);
    let cleared = answer.target.clone().clear(confirmation, &driver).ok()?;
    if cleared.is_narrowed() {
        return None; // the sessions of the answer are not those that an agent gets
    }
    if let Some(line) = wording::guard(cleared.target()) {
        out.warn(&line);
    }
    if let (true, Some(agent)) = (answer.narrowed, driver.agent()) {
        out.warn(&wording::narrowed(cleared.target(), agent));
    }
    let pass = session.into_pass(cleared.target().clone(), Vec::new());
    Some((pass, answer))
}

/// A target as it was entered: its environment, and what there is to say.
pub struct Entry {
    /// What the child or the calling shell gets.
    pub environment: Environment,
    /// The target's name.
    target: String,
    role: RoleArn,
    /// How many of our shells surround the child, or the calling shell.
    depth: u32,
    expires: Timestamp,
    quiet: bool,
}

impl Entry {
    /// A pass as an environment.
    pub fn new(
        pass: Pass,
        context: &environment::Context,
        inherited: &Inherited,
        quiet: bool,
    ) -> Self {
        let (target, expires) = (pass.target.name(), pass.credentials.expires);
        let (role, depth) = (pass.target.role.clone(), context.depth);
        let environment = Environment::of(pass, context, inherited);
        Self { environment, target, role, depth, expires, quiet }
    }

    /// Counts the entry for the list's order.
    pub fn record(&self, paths: &Paths) {
        HistoryFile::new(paths).enter(&self.role, ShellId::at(self.depth), Timestamp::now());
    }

    /// Says what was entered and until when, unless the config wants it quiet.
    pub fn announce(&self, out: Out) {
        if !self.quiet {
            let until = local_clock(out).moment(self.expires, Timestamp::now());
            out.info(&wording::entered(&self.target, Some(&until), &[], ""));
        }
    }
}

/// That pass, entered; `depth` is how many of our shells surround it.
pub fn entry(
    world: &World,
    common: &Common,
    inherited: &Inherited,
    name: &str,
    depth: u32,
    out: Out,
) -> Option<Entry> {
    let (pass, answer) = answer(world, common, inherited, name, Renew::ByFlow, out)?;
    let context = environment::Context {
        compat: answer.compat,
        endpoint_url: answer.endpoint_url,
        ..world.child_context(common, inherited, depth)
    };
    Some(Entry::new(pass, &context, inherited, answer.quiet))
}
