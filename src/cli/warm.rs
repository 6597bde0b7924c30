//! The short cut of `exec`, `env`, `switch` and `credential-process`: a cached answer that is still valid.

use jiff::Timestamp;

use crate::domain::config::{PromptCompat, StoreChoice};
use crate::domain::confirmation::Confirmation;
use crate::domain::pass::{Pass, Renew};
use crate::services::child::environment::{Environment, Inherited};
use crate::services::session::warm::WarmRequest;

use super::args::Common;
use super::world::World;

/// The pass of an earlier request in the same words, and the prompt setting of the config it was made with.
///
/// `None` wherever anything has changed or must be asked: the long way finds out what.
pub fn pass(
    world: &World,
    common: &Common,
    inherited: &Inherited,
    name: &str,
    renew: Renew,
) -> Option<(Pass, PromptCompat)> {
    let paths = world.paths().ok()?;
    let vault = world.vault(StoreChoice::Auto, &paths);
    let overrides = common.overrides(inherited);
    let config = world.config_source(common).ok()?;
    let now = Timestamp::now();
    let answer = WarmRequest::new(config.id(), name, &overrides).answer(&vault, now)?;
    let session = answer.session(&vault, now).filter(|session| session.is_fresh(renew, now))?;
    let confirmation = common.confirm.as_deref().map_or(Confirmation::Absent, Confirmation::Typed);
    let compat = answer.compat;
    let cleared = answer.target.clear(confirmation).ok()?;
    let pass = session.into_pass(cleared.target().clone(), Vec::new());
    Some((pass, compat))
}

/// The environment that carries that pass; `depth` is how many of our shells surround it.
pub fn environment(
    world: &World,
    common: &Common,
    inherited: &Inherited,
    name: &str,
    depth: u32,
) -> Option<Environment> {
    let (pass, compat) = pass(world, common, inherited, name, Renew::ByFlow)?;
    let context = world.child_context(common, inherited, compat, depth);
    Some(Environment::of(pass, &context, inherited))
}
