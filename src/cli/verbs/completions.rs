//! `completions SHELL` and `man`, made at run time from the very types that read the command line.

use std::collections::BTreeSet;

use clap::CommandFactory;
use clap_complete::aot::{self, Shell};

use crate::domain::fault::{Exit, Fault};
use crate::services::child::shell::Hookable;

use crate::cli::args::CommandLine;
use crate::cli::out::Out;

const BASH: &str = include_str!("../../../assets/shell/complete.bash");
const ZSH: &str = include_str!("../../../assets/shell/complete.zsh");
const FISH: &str = include_str!("../../../assets/shell/complete.fish");

/// What each of our snippets leaves open: the verbs whose first word is a target.
const VERBS: &str = "__TARGET_VERBS__";
/// ... and the options whose next word is their value.
const OPTIONS: &str = "__VALUE_OPTIONS__";

/// Prints a completion script: clap's own, and what completes targets.
pub fn completions(shell: Hookable, out: Out) -> Exit {
    let mut command = CommandLine::command();
    let (verbs, options) = (target_verbs(&command), value_options(&command));
    let filled = |snippet: &str, between: &str| {
        snippet.replace(VERBS, &verbs.join(between)).replace(OPTIONS, &options.join(between))
    };
    let mut script = Vec::new();
    let clap_shell = match shell {
        Hookable::Bash => Shell::Bash,
        Hookable::Zsh => Shell::Zsh,
        Hookable::Fish => Shell::Fish,
    };
    aot::generate(clap_shell, &mut command, "sekisho", &mut script);
    let script = String::from_utf8_lossy(&script);
    out.print(&match shell {
        Hookable::Bash => format!("{script}\n{}", filled(BASH, "|")),
        // Before the script: its last lines run it.
        Hookable::Zsh => format!(
            "#compdef sekisho\n{ZSH}\n{}",
            with_targets(script.trim_start_matches("#compdef sekisho\n"))
        ),
        Hookable::Fish => format!("{script}\n{}", filled(FISH, " ")),
    });
    Exit::Done
}

/// Prints the manual page of sekisho, or of one verb.
pub fn man(verb: Option<&str>, out: Out) -> Result<Exit, Fault> {
    let mut command = CommandLine::command();
    command.build();
    let command = match verb {
        None => command,
        Some(name) => command.find_subcommand(name).cloned().ok_or_else(|| {
            Fault::new(
                Exit::Usage,
                format!("unknown command: {}", crate::domain::text::sanitize(name)),
            )
            .fix("`sekisho --help` lists the commands")
        })?,
    };
    let mut page = Vec::new();
    // Into memory: cannot fail.
    let _ = clap_mangen::Man::new(command).render(&mut page);
    out.print(&String::from_utf8_lossy(&page));
    Ok(Exit::Done)
}

/// The verbs, and their aliases, that take a target first.
fn target_verbs(command: &clap::Command) -> Vec<String> {
    let takes_target = |verb: &&clap::Command| {
        let first = verb.get_positionals().next();
        first.is_some_and(|argument| argument.get_id() == "target") && !verb.is_hide_set()
    };
    let verbs = command.get_subcommands().filter(takes_target);
    let names =
        verbs.flat_map(|verb| std::iter::once(verb.get_name()).chain(verb.get_all_aliases()));
    names.map(str::to_owned).collect()
}

/// The long options, of any verb, that take a value.
fn value_options(command: &clap::Command) -> Vec<String> {
    let commands = std::iter::once(command).chain(command.get_subcommands());
    let arguments = commands.flat_map(clap::Command::get_arguments);
    let valued = arguments.filter(|argument| argument.get_action().takes_values());
    let names: BTreeSet<&str> = valued.filter_map(clap::Arg::get_long).collect();
    names.into_iter().map(|name| format!("--{name}")).collect()
}

/// Puts our completer where clap's zsh script would complete files for a target.
fn with_targets(script: &str) -> String {
    let line = |line: &str| {
        let is_target = line.starts_with("':target -- ") || line.starts_with("'::target -- ");
        match line.strip_suffix(":_default' \\").filter(|_| is_target) {
            Some(start) => format!("{start}:_sekisho_targets' \\\n"),
            None => format!("{line}\n"),
        }
    };
    script.lines().map(line).collect()
}
