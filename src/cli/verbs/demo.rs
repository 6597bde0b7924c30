//! `demo`: the real program in an emulated organization. No account, no network, nothing left behind.

use std::ffi::OsString;
use std::iter;

use crate::domain::config::Strictness;
use crate::domain::fault::{Exit, Fault};
use crate::services::child::environment::{Environment, Inherited};
use crate::services::child::process;
use crate::services::child::signals::Ending;

use crate::cli::args::Common;
use crate::cli::emulated::Demo;
use crate::cli::out::Out;
use crate::cli::runtime::block_on;
use crate::cli::world::{ConfigSource, World};

/// Keeps an organization running for other terminals until it is interrupted.
pub fn serve(common: &Common, out: Out) -> Result<Exit, Fault> {
    let demo = start(common)?;
    block_on(async {
        // Before the directions: whoever has read them may end it at once.
        let mut signals = Ending::listen().map_err(|error| {
            Fault::new(Exit::Fault, "cannot wait for signals").because(error.to_string())
        })?;
        out.print(&demo.directions());
        signals.recv().await;
        Ok(Exit::Done)
    })
}

/// Runs this very command line again, in an organization of its own.
///
/// In a process of its own, so that the organization outlives an `exec` and its folder is removed however the
/// verb ends.
pub fn run_again(common: &Common) -> Result<Exit, Fault> {
    let demo = start(common)?;
    let program = process::own_program()?;
    let argv: Vec<OsString> =
        iter::once(program.into()).chain(std::env::args_os().skip(1)).collect();
    let inherited = Inherited::current();
    let environment = Environment::without_pass(demo.environment(), &inherited);
    block_on(process::run(environment, &inherited, &argv))
}

/// Starts a demo of the config that `--config` names, else of the example.
fn start(common: &Common) -> Result<Demo, Fault> {
    let source = ConfigSource::named(common.config.as_deref())?;
    let loaded = source.inspect(Some(&World::Real.paths()?), Strictness::Tolerant)?;
    Demo::start(&loaded.config, source.into_file())
}
