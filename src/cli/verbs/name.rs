//! `sekisho NAME` and `sekisho -`: a target in a verb's place.

use std::rc::Rc;

use crate::domain::fault::{Exit, Fault};
use crate::domain::text::sanitize;
use crate::services::child::environment::Inherited;

use crate::cli::args::{Common, NameArgs};
use crate::cli::context::Context;
use crate::cli::out::Out;
use crate::cli::wanted::{PREVIOUS, Wanted, nearest_verb, unknown_word};
use crate::cli::world::World;

use super::{env, pick, shell};

/// Enters what the words mean: by a subshell, or in the shell whose hook calls.
pub fn run(world: &World, common: Common, name: &NameArgs, out: Out) -> Result<Exit, Fault> {
    let inherited = Inherited::current();
    let words = &name.words[..];
    let word = if let [word] = words { Some(word.as_str()) } else { None };
    let depth = inherited.depth() + u32::from(name.hook.is_none());
    let previous = match word {
        Some(PREVIOUS) => Some(Wanted::previous(&world.paths()?, &inherited, depth)?),
        _ => None,
    };
    if name.hook.is_some() {
        let known = previous.as_ref().map_or(word, Wanted::name).map(str::to_owned);
        let wanted =
            |context: &Context| previous.map_or_else(|| Wanted::of_words(context, words), Ok);
        return env::switch_to(world, common, &inherited, known.as_deref(), wanted, out);
    }
    let verb = format!("shell {}", words.join(" "));
    let context = Context::open(world.clone(), common, &verb, out).map_err(|fault| {
        let what = format!("unknown command: {}", sanitize(&words[0]));
        match nearest_verb(&words[0]) {
            None => fault,
            Some(_) => unknown_word(&words[0], what).because(fault.in_a_line()),
        }
    });
    let context = Rc::new(context?);
    match previous.map_or_else(|| Wanted::of_words(&context, words), Ok)? {
        Wanted::Target(name) => shell::run(&context, "shell", Some(&name), None),
        Wanted::List(start) => pick::over(context, &start),
    }
}
