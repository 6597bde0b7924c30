//! The command line: joins the switcher and the services, one file a verb.

pub mod args;
mod child;
mod columns;
mod completion;
mod console;
mod context;
mod diff;
mod emulated;
mod interaction;
#[cfg(test)]
mod interleavings;
mod local_clock;
mod new_config;
pub mod out;
mod prompt;
mod runtime;
mod suggestions;
mod switcher;
mod terminal;
mod verbs;
mod wanted;
mod warm;
mod wording;
mod world;

use std::ffi::OsString;
use std::iter;
use std::rc::Rc;

use clap::error::{ContextKind, ContextValue};
use clap::{CommandFactory, FromArgMatches};

use crate::domain::fault::{Exit, Fault};
use crate::domain::text::sanitize;
use crate::services::child::environment::Inherited;
use crate::services::store::process_memory;

use args::{CommandLine, Common, ImportVerb, SessionVerb, Verb};
use context::Context;
use out::Out;
use verbs::logout::Selection;
use verbs::{
    completions, credential_process, demo, doctor, each, env, exec, hook, import, init, key, list,
    login, logout, name, pick, policy, profiles, serve, shell, status, verify,
};
use world::World;

/// Runs one command line.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> Exit {
    // Before anything secret is read. `std::env` was filled by the loader, so `/proc/self/environ` is not missed.
    let hidden = process_memory::hide_memory();
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let line = match CommandLine::parse_words(&arguments) {
        Ok(line) => line,
        Err(error) => return usage_error(&error, &arguments, Common::default()),
    };
    let out = Out::new(&line.common);
    if let Err(error) = hidden {
        out.warn(&format!("other programs of yours can read this process's memory: {error}"));
    }
    let exit = World::of_environment()
        .and_then(|world| run_in(&world, line, out))
        .unwrap_or_else(|fault| out.fault(&fault));
    out.ended(exit)
}

/// Runs one command line in the real world or in a demo.
fn run_in(world: &World, line: CommandLine, out: Out) -> Result<Exit, Fault> {
    // What an agent writes on a command line is no person's answer.
    let is_driven_by_agent = || Inherited::current().driver().agent().is_some();
    let line = line.without_confirmations(is_driven_by_agent);
    let context = |common, verb: String| Context::open(world.clone(), common, &verb, out);
    match line.verb.unwrap_or(Verb::Pick { query: Vec::new() }) {
        Verb::Pick { query } => pick::run(world, line.common, &query.join(" "), out),
        Verb::Name(name) => name::run(world, line.common, &name, out),
        Verb::Shell { target, shell } => {
            let context = context(line.common, with_target("shell", target.as_deref()))?;
            shell::run(&Rc::new(context), "shell", target.as_deref(), shell.as_deref())
        }
        Verb::Session(SessionVerb::Exec { target, command }) if command.is_empty() => {
            let context = context(line.common, with_target("shell", target.as_deref()))?;
            shell::run(&Rc::new(context), "exec", target.as_deref(), None)
        }
        Verb::Session(verb) => run_session_verb(world, line.common, verb, out),
        Verb::Hook { shell, cmd } => Ok(hook::run(world, line.common, shell, &cmd, out)),
        Verb::Refresh { quiet, hook } => {
            env::refresh(&context(line.common, "refresh".into())?, hook, quiet)
        }
        Verb::List(arguments) => Ok(list::run(&context(line.common, "list".into())?, &arguments)),
        Verb::Profiles(arguments) => {
            profiles::run(&context(line.common, "profiles".into())?, &arguments)
        }
        Verb::Serve { target, port, command } => {
            let context = context(line.common, with_target("serve", target.as_deref()))?;
            serve::run(&Rc::new(context), target.as_deref(), port, &command)
        }
        Verb::Each(arguments) => each::run(&context(line.common, "each".into())?, &arguments),
        Verb::Console(arguments) => {
            let verb = with_target("console", arguments.target.as_deref());
            verbs::console::run(&Rc::new(context(line.common, verb)?), &arguments)
        }
        Verb::Completions { shell } => Ok(completions::script(shell, out)),
        Verb::Complete { words } => Ok(completions::words(world, &line.common, &words, out)),
        Verb::Help { verb } => Ok(help(&verb)),
        Verb::Man { verb } => completions::man(verb.as_deref(), out),
        Verb::Login { remote, target } => {
            let place = if remote { login::Browser::Elsewhere } else { login::Browser::Here };
            login::run(&context(line.common, "login".into())?, target.as_deref(), place)
        }
        Verb::Logout { target, all } => {
            let selection = match &target {
                Some(target) => Selection::Target(target),
                None if all => Selection::Everything,
                None => Selection::Ours,
            };
            logout::run(&context(line.common, "logout".into())?, &selection)
        }
        Verb::Status { format: Some(format), .. } => status::line(world, line.common, &format, out),
        Verb::Status { json, .. } => Ok(status::run(&context(line.common, "status".into())?, json)),
        Verb::Key { what } => key::run(&context(line.common, "key".into())?, &what),
        Verb::Init(arguments) => init::run(world, &line.common, &arguments, out),
        Verb::Import { what } => match what {
            ImportVerb::AwsConfig(arguments) => {
                import::profiles(world, &line.common, &arguments, out)
            }
            ImportVerb::Organizations(arguments) => import::organizations::run(
                &context(line.common, "import organizations".into())?,
                &arguments,
            ),
        },
        Verb::Config { what } => verbs::config::run(&line.common, world, &what, out),
        Verb::Verify(arguments) if arguments.check.is_some() => verify::check(out, &arguments),
        Verb::Verify(arguments) if arguments.instead.users => {
            verify::users::run(&context(line.common, "verify --users".into())?, &arguments)
        }
        Verb::Verify(arguments) if arguments.instead.drift => {
            verify::drift::run(&context(line.common, "verify --drift".into())?, &arguments)
        }
        Verb::Verify(arguments) => verify::run(&context(line.common, "verify".into())?, &arguments),
        Verb::Doctor(arguments) => Ok(doctor::run(world, &line.common, arguments, out)),
        Verb::Policy(arguments) => policy::run(&context(line.common, "policy".into())?, &arguments),
        Verb::Demo { serve: true, .. } => demo::serve(&line.common, out),
        Verb::Demo { verb, .. } if world.demo().is_some() => {
            run_in_demo(world, verb, line.common, out)
        }
        Verb::Demo { .. } => demo::run_again(&line.common),
    }
}

/// A verb and its target, as others who wait for the same code are told it.
fn with_target(verb: &str, target: Option<&str>) -> String {
    target.map_or_else(|| verb.to_owned(), |target| format!("{verb} {target}"))
}

/// `help VERB…` is `VERB… --help`.
fn help(verbs: &[String]) -> Exit {
    let words = |verbs: &[String]| -> Vec<OsString> {
        let line = iter::once("sekisho").chain(verbs.iter().map(String::as_str));
        line.chain(iter::once("--help")).map(OsString::from).collect()
    };
    match (CommandLine::parse_words(&words(verbs)), verbs) {
        (Err(error), _) => usage_error(&error, &words(verbs), Common::default()),
        // `demo` leaves it to the verb that follows.
        (Ok(_), [_, rest @ ..]) => help(rest),
        (Ok(_), []) => Exit::Done,
    }
}

/// Runs a verb that a live session answers without a config.
fn run_session_verb(
    world: &World,
    common: Common,
    verb: SessionVerb,
    out: Out,
) -> Result<Exit, Fault> {
    match verb {
        SessionVerb::Exec { target, command } => {
            exec::run(world, common, target.as_deref(), &command, out)
        }
        SessionVerb::Env(arguments) => env::run(world, common, &arguments, out),
        SessionVerb::Switch { target, hook } => {
            env::switch(world, common, hook, target.as_deref(), out)
        }
        SessionVerb::CredentialProcess { target, prompt } => {
            Ok(credential_process::run(world, common, &target, prompt, out))
        }
    }
}

/// Runs the verb that follows `demo`, once this process is in a demo.
fn run_in_demo(
    world: &World,
    verb: Vec<OsString>,
    common: Common,
    out: Out,
) -> Result<Exit, Fault> {
    let arguments: Vec<OsString> = iter::once("sekisho".into()).chain(verb).collect();
    match CommandLine::parse_words(&arguments) {
        Ok(line) => run_in(world, CommandLine { common: line.common.or(common), ..line }, out),
        Err(error) => Ok(usage_error(&error, &arguments, common)),
    }
}

/// Reports a command line that cannot be parsed; `common` are the options before these arguments.
fn usage_error(error: &clap::Error, arguments: &[OsString], common: Common) -> Exit {
    let matches = CommandLine::command().ignore_errors(true).try_get_matches_from(arguments).ok();
    let read = matches.as_ref().and_then(|matches| Common::from_arg_matches(matches).ok());
    let common = read.unwrap_or_default().or(common);
    let out = Out::new(&common);
    // Clap explains a wrong word after a verb well enough: `key` and `config` have few.
    let after_verb = matches.is_some_and(|matches| matches.subcommand_name().is_some());
    match error.get(ContextKind::InvalidSubcommand) {
        Some(ContextValue::String(word)) if !after_verb => {
            out.fault(&wanted::unknown_word(word, format!("unknown command: {}", sanitize(word))))
        }
        _ => out.usage_error(error),
    }
}
