//! Commands in the documentation. A block ```` ```sh ```` runs in a demo; a second word says why one does not, and then
//! its command lines are only parsed:
//!
//! | second word | because it |
//! |---|---|
//! | `aws` | needs an AWS account, or a real access key |
//! | `machine` | installs something, or changes the reader's own files |
//! | `programs` | calls programs that need not be there |
//! | `terminal` | opens the list or a subshell |

use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use clap::error::ErrorKind;
use sekisho::cli::args::{CommandLine, Verb};

use super::markdown::{Block, Page, manual};
use super::script::commands;
use crate::pty::terminal::{self, Pty};
use crate::support::{at_home, program};
use crate::verbs::home::SEKISHO;

const MARKS: [&str; 4] = ["aws", "machine", "programs", "terminal"];

/// Why the second word of a block's info keeps it from being run; `None` where it is run.
fn mark(block: &Block) -> Option<&str> {
    block.info.strip_prefix("sh").map(str::trim).filter(|mark| !mark.is_empty())
}

fn is_shell(block: &Block) -> bool {
    block.info.split(' ').next() == Some("sh")
}

/// The arguments of sekisho, where a command runs it.
fn arguments(words: &[String]) -> Option<&[String]> {
    let is_before = |word: &&String| {
        ["nohup", "time", "exec", "do", "then", "if", "!"].contains(&word.as_str())
            || word.split_once('=').is_some_and(|(name, _)| !name.starts_with('-'))
    };
    let before = words.iter().take_while(is_before).count();
    match &words[before..] {
        [program, arguments @ ..] if program == "sekisho" => Some(arguments),
        [cargo, run, dashes, arguments @ ..]
            if (&**cargo, &**run, &**dashes) == ("cargo", "run", "--") =>
        {
            Some(arguments)
        }
        _ => None,
    }
}

/// Why sekisho would not take these arguments, if it would not.
fn parse(arguments: &[String]) -> Result<(), clap::Error> {
    let line = std::iter::once("sekisho").chain(arguments.iter().map(String::as_str));
    let line: Vec<OsString> = line.map(OsString::from).collect();
    let parsed = match CommandLine::parse_words(&line) {
        Err(error)
            if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) =>
        {
            return Ok(());
        }
        parsed => parsed?,
    };
    // What follows `demo` is a command line of its own.
    match parsed.verb {
        // A mistyped verb would be a name, too.
        Some(Verb::Name(name)) => {
            let is_example = |word: &String| word == "-" || word == "NAME" || word.contains("dev");
            let is_name = name.words.iter().all(is_example);
            is_name.then_some(()).ok_or_else(|| clap::Error::new(ErrorKind::InvalidSubcommand))
        }
        Some(Verb::Demo { verb, .. }) if !verb.is_empty() => {
            let text = |word: OsString| word.into_string().unwrap();
            parse(&verb.into_iter().map(text).collect::<Vec<_>>())
        }
        _ => Ok(()),
    }
}

/// A synopsis with its words in capitals filled in, where not every word will do.
fn filled(synopsis: &str) -> String {
    let word = |word: &str| match word.trim_matches(['[', ']']) {
        "VERB" => "list".to_owned(),
        "SHELL" => "bash".to_owned(),
        bare => bare.to_owned(),
    };
    synopsis.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

#[test]
fn every_command_line_is_one() {
    let mut wrong = Vec::new();
    let mut checked = 0;
    for page in manual() {
        for block in page.blocks.iter().filter(|block| is_shell(block)) {
            let place = format!("{}:{}", page.name(), block.line);
            if mark(block).is_some_and(|mark| !MARKS.contains(&mark)) {
                wrong.push(format!("{place}: `{}` is not one of {MARKS:?}", block.info));
            }
            for words in commands(&block.text) {
                let Some(arguments) = arguments(&words) else { continue };
                checked += 1;
                if let Err(error) = parse(arguments) {
                    wrong.push(format!("{place}: {}\n{error}", words.join(" ")));
                }
            }
        }
        for (line, span) in page.spans().into_iter().filter(|(_, span)| !span.contains('…')) {
            let words = commands(&filled(&span)).into_iter().next().unwrap_or_default();
            let Some(arguments) = arguments(&words).filter(|words| !words.is_empty()) else {
                continue;
            };
            checked += 1;
            // In prose a command may be named without its arguments.
            let is_short = |error: &clap::Error| {
                matches!(
                    error.kind(),
                    ErrorKind::MissingRequiredArgument
                        | ErrorKind::MissingSubcommand
                        | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
                )
            };
            if let Err(error) = parse(arguments).or_else(|e| is_short(&e).then_some(()).ok_or(e)) {
                wrong.push(format!("{}:{line}: `{span}`\n{error}", page.name()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(checked > 200, "only {checked} command lines were found");
}

/// Blocks in shells' own languages, as far as those shells are here.
#[test]
fn every_block_of_a_shell_can_be_parsed_by_it() {
    for (tag, shell) in [("sh", "bash"), ("zsh", "zsh"), ("fish", "fish")] {
        let Some(shell) = program(shell) else { continue };
        for page in manual() {
            let blocks = page.blocks.iter();
            for block in blocks.filter(|block| block.info.split(' ').next() == Some(tag)) {
                let output = Command::new(&shell).args(["-n", "-c", &block.text]).output().unwrap();
                let stderr = String::from_utf8_lossy(&output.stderr);
                assert!(output.status.success(), "{}:{}: {stderr}", page.name(), block.line);
            }
        }
    }
}

/// An organization of its own for every block: a code works once.
struct Demo {
    child: Child,
    descriptor: PathBuf,
}

impl Demo {
    fn start(home: &Path) -> Self {
        let mut child = at_home(SEKISHO, home)
            .args(["demo", "--serve"])
            .env("TMPDIR", home)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let named = |line: String| line.strip_prefix("export SEKISHO_DEMO=").map(PathBuf::from);
        let descriptor = { lines }.find_map(named).unwrap();
        Self { child, descriptor }
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let _ = self.child.wait();
    }
}

/// What a person would type, if the last line on the screen is a question.
pub fn answer(screen: &str) -> Option<String> {
    let question = screen.trim_end().lines().last()?;
    if question.ends_with("[y/N]") {
        Some("y".into())
    } else if question.starts_with("code from ") && question.ends_with(':') {
        Some(crate::switcher::shown_code(screen))
    } else {
        let (_, target) = question.split_once("Type its name to enter ")?;
        Some(target.split('/').next()?.to_owned())
    }
}

/// Runs a block in a terminal, in a demo; returns its exit code and what it said.
fn run(block: &Block, home: &Path) -> (u32, String) {
    let demo = Demo::start(home);
    let mut command = terminal::command(program("bash").unwrap(), home);
    command.args(["-euo", "pipefail", "-c", &block.text]);
    let path = std::env::var("PATH").unwrap();
    command.env("PATH", format!("{}:{path}", home.join("bin").display()));
    command.env("TMPDIR", home);
    command.env("SEKISHO_DEMO", &demo.descriptor);
    Pty::spawn(command).attend(answer)
}

/// Runs the blocks of a page in order, in one home.
fn run_page(page: &Page) -> usize {
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join("bin")).unwrap();
    symlink(SEKISHO, home.path().join("bin/sekisho")).unwrap();
    let blocks = page.blocks.iter().filter(|block| is_shell(block) && mark(block).is_none());
    blocks
        .map(|block| {
            let (code, said) = run(block, home.path());
            assert_eq!(code, 0, "{}:{}\n{}\n{said}", page.name(), block.line, block.text);
        })
        .count()
}

#[test]
fn every_block_runs_in_a_demo() {
    // The Japanese pages have the same blocks: `languages` compares them.
    let pages: Vec<&Page> = manual().filter(|page| !page.is_japanese()).collect();
    let run = std::thread::scope(|scope| {
        let runs: Vec<_> = pages.iter().map(|page| scope.spawn(move || run_page(page))).collect();
        runs.into_iter().map(|run| run.join().unwrap()).sum::<usize>()
    });
    assert!(run > 15, "only {run} blocks were run");
}
