//! The short cut of `exec`, `env`, `switch` and `credential-process`: a cached answer that is still valid.

use jiff::Timestamp;

use crate::domain::config::StoreChoice;
use crate::domain::confirmation::Confirmation;
use crate::domain::pass::{Pass, Renew};
use crate::services::child::environment::{self, Environment, Inherited};
use crate::services::session::warm::{WarmAnswer, WarmRequest};

use super::args::Common;
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
) -> Option<Pass> {
    answer(world, common, inherited, name, renew).map(|(pass, _)| pass)
}

/// The same, with the answer that it was kept in.
fn answer(
    world: &World,
    common: &Common,
    inherited: &Inherited,
    name: &str,
    renew: Renew,
) -> Option<(Pass, WarmAnswer)> {
    let paths = world.paths().ok()?;
    let vault = world.vault(StoreChoice::Auto, &paths);
    let overrides = common.overrides(inherited);
    let config = world.config_source(common).ok()?;
    let now = Timestamp::now();
    let answer = WarmRequest::new(config.id(), name, &overrides).answer(&vault, now)?;
    let session = answer.session(&vault, now).filter(|session| session.is_fresh(renew, now))?;
    let confirmation = common.confirm.as_deref().map_or(Confirmation::Absent, Confirmation::Typed);
    let cleared = answer.target.clone().clear(confirmation).ok()?;
    let pass = session.into_pass(cleared.target().clone(), Vec::new());
    Some((pass, answer))
}

/// The environment that carries that pass; `depth` is how many of our shells surround it.
pub fn environment(
    world: &World,
    common: &Common,
    inherited: &Inherited,
    name: &str,
    depth: u32,
) -> Option<Environment> {
    let (pass, answer) = answer(world, common, inherited, name, Renew::ByFlow)?;
    let context = environment::Context {
        compat: answer.compat,
        endpoint_url: answer.endpoint_url,
        ..world.child_context(common, inherited, depth)
    };
    Some(Environment::of(pass, &context, inherited))
}
