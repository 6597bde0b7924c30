//! The short cut of `exec`, `env`, `switch` and `credential-process`: an answer that was given before and still holds.

use std::path::PathBuf;

use jiff::Timestamp;

use crate::domain::config::{PromptCompat, StoreChoice};
use crate::domain::guard::Confirmation;
use crate::domain::pass::{Pass, Renew};
use crate::services::child::environment::{Environment, Inherited};
use crate::services::session::warm::{WarmAnswer, WarmRequest};

use super::args::Common;
use super::child;
use super::context::{self, Context};
use super::world::{self, World};

/// The pass that was given before for these very words, and what its environment is told besides.
///
/// `None` wherever anything is new: the long way finds out what, and asks what there is to ask.
pub fn pass(
    world: &World,
    common: &Common,
    inherited: &Inherited,
    name: &str,
    renew: Renew,
) -> Option<(Pass, PromptCompat)> {
    let paths = world.paths().ok()?;
    let vault = world.vault(StoreChoice::Auto, &paths);
    let overrides = context::overrides(common, inherited);
    let config = config_path(world, common)?;
    let now = Timestamp::now();
    let answer = WarmRequest::new(&config, name, &overrides).answer(&vault, now)?;
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
    Some(child::environment(world, common, inherited, compat, pass, depth))
}

/// Keeps the answer to a request for the next time.
pub fn keep(context: &Context, name: &str, pass: &Pass) {
    let Some(config) = config_path(context.world(), context.common()) else {
        return;
    };
    let answer = WarmAnswer::new(
        context.stamps(),
        pass.target.clone(),
        context.broker().names(&pass.target),
        context.config().shell.prompt_compat,
    );
    let overrides = context.overrides();
    let vault = context.broker().vault();
    WarmRequest::new(&config, name, &overrides).keep(
        vault,
        &answer,
        pass.credentials.expires,
        Timestamp::now(),
    );
}

/// Which config is meant; the demo's is built in.
fn config_path(world: &World, common: &Common) -> Option<PathBuf> {
    match world {
        World::Demo(demo) => {
            let named = common.config.as_deref().or(demo.config());
            Some(named.unwrap_or(demo.folder()).to_owned())
        }
        World::Real => world::config_path(common).ok(),
    }
}
