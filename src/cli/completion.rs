//! What a shell offers for the next word, by clap's own model of the command line. The scripts in `assets/shell` ask for it
//! with every key.

use std::collections::BTreeSet;

use clap::builder::ValueHint;
use clap::{Arg, Command};

use crate::domain::account::Catalog;

/// What may stand in the place of the last word.
#[derive(Debug, PartialEq, Eq)]
pub enum Completion {
    /// One of these words, each with what it does.
    Words(Vec<(String, String)>),
    /// Another program's word: its command line begins at this one, the program's name being 0.
    Command(usize),
    /// A path.
    Files,
}

/// Where the names of targets come from.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The file that `--config` names.
    pub config: Option<String>,
    /// Whether the line begins with `demo`.
    pub demo: bool,
}

/// A line, read up to the last word.
struct Line<'c> {
    root: &'c Command,
    command: &'c Command,
    /// How many words that are no options follow the verb.
    plain: usize,
    /// The option whose value comes next.
    wants: Option<&'c Arg>,
    place: Place,
}

/// Completes the last of `words`, the first of which is the program's name. `root` is built.
pub fn complete(
    root: &Command,
    words: &[String],
    catalog: impl FnOnce(&Place) -> Option<Catalog>,
) -> Completion {
    let Some((current, before)) = words.split_last() else { return Completion::Words(Vec::new()) };
    let mut line = Line { root, command: root, plain: 0, wants: None, place: Place::default() };
    for (at, word) in before.iter().enumerate().skip(1) {
        if let Some(answer) = line.read(at, word) {
            return answer;
        }
    }
    let catalog = || catalog(&line.place).unwrap_or_default();
    if let Some(option) = line.wants {
        return line.values(option, current, catalog);
    }
    if let Some((option, value)) = current.split_once('=')
        && let Some(arg) = option.strip_prefix("--").and_then(|name| line.option(name))
    {
        return match line.values(arg, value, catalog) {
            Completion::Words(words) => {
                let whole = |(word, about)| (format!("{option}={word}"), about);
                Completion::Words(words.into_iter().map(whole).collect())
            }
            other => other,
        };
    }
    if current.starts_with('-') {
        return Completion::Words(line.options());
    }
    if line.runs_command() && line.plain == 1 && !line.wants_escape() {
        return Completion::Command(before.len());
    }
    if line.plain == 0 && line.command.has_subcommands() {
        let mut words = verbs(line.command);
        if line.is_root() {
            words.extend(targets(&catalog()));
        }
        return Completion::Words(words);
    }
    match line.positional() {
        Some(arg) => line.values(arg, current, catalog),
        None => Completion::Words(Vec::new()),
    }
}

impl<'c> Line<'c> {
    /// Reads a word; an answer where what follows is another program's, or nobody's.
    fn read(&mut self, at: usize, word: &str) -> Option<Completion> {
        if let Some(option) = self.wants.take() {
            if option.get_id() == "config" {
                self.place.config = Some(word.to_owned());
            }
            return None;
        }
        if word == "--" {
            let nobodys = Completion::Words(Vec::new());
            return Some(if self.runs_command() { Completion::Command(at + 1) } else { nobodys });
        }
        if let Some(option) = word.strip_prefix("--") {
            match option.split_once('=') {
                Some(("config", file)) => self.place.config = Some(file.to_owned()),
                Some(_) => {}
                None => self.wants = self.option(option),
            }
        } else if word.len() > 1 && word.starts_with('-') {
            let last = word.chars().last();
            self.wants =
                self.command.get_opts().find(|arg| arg.get_short() == last && takes_value(arg));
        } else if self.plain == 0
            && let Some(verb) = self.command.find_subcommand(word)
        {
            // What follows `demo` is a line of its own.
            if verb.get_name() == "demo" { self.place.demo = true } else { self.command = verb }
        } else {
            self.plain += 1;
            if self.runs_command() && !self.wants_escape() && self.plain == 2 {
                return Some(Completion::Command(at));
            }
        }
        None
    }

    fn is_root(&self) -> bool {
        std::ptr::eq(self.root, self.command)
    }

    /// The option of that name that takes a value.
    fn option(&self, name: &str) -> Option<&'c Arg> {
        self.command.get_opts().find(|arg| arg.get_long() == Some(name) && takes_value(arg))
    }

    /// Whether the verb runs a command in an account.
    fn runs_command(&self) -> bool {
        self.command.get_positionals().any(|arg| arg.get_id() == "command")
    }

    /// Whether that command stands after `--` only.
    fn wants_escape(&self) -> bool {
        self.command.get_positionals().any(Arg::is_last_set)
    }

    /// The argument that the next plain word is.
    fn positional(&self) -> Option<&'c Arg> {
        let args: Vec<&Arg> =
            self.command.get_positionals().filter(|arg| !arg.is_last_set()).collect();
        let takes_many =
            |arg: &&&Arg| arg.get_num_args().is_some_and(|range| range.max_values() > 1);
        let arg = args.get(self.plain).or(args.last().filter(takes_many))?;
        (!arg.is_hide_set()).then_some(*arg)
    }

    fn options(&self) -> Vec<(String, String)> {
        let demo = self.root.find_subcommand("demo").filter(|_| self.place.demo && self.is_root());
        let commands = std::iter::once(self.command).chain(demo);
        let args = commands.flat_map(Command::get_arguments).filter(|arg| !arg.is_hide_set());
        let names =
            args.filter_map(|arg| Some((format!("--{}", arg.get_long()?), about(arg.get_help()))));
        let names: BTreeSet<(String, String)> = names.collect();
        names.into_iter().collect()
    }

    /// The values of an argument.
    fn values(&self, arg: &Arg, current: &str, catalog: impl FnOnce() -> Catalog) -> Completion {
        let possible = arg.get_possible_values();
        if !possible.is_empty() {
            let visible = possible.iter().filter(|value| !value.is_hide_set());
            let words = visible.map(|value| (value.get_name().to_owned(), about(value.get_help())));
            return Completion::Words(words.collect());
        }
        let is_accept = self.command.get_name() == "accept";
        let value_name =
            arg.get_value_names().and_then(|names| names.first()).map_or("", |n| n.as_str());
        Completion::Words(match (arg.get_id().as_str(), value_name) {
            ("confirm", _) => accounts(&catalog()),
            ("name", _) if is_accept => accounts(&catalog()),
            ("role", _) => labels(&catalog(), Label::Role, ""),
            (_, "TARGET") => targets(&catalog()),
            (_, "SELECT" | "QUERY") => selection(&catalog(), current),
            (_, "VERB") => verbs(self.root),
            _ if matches!(arg.get_value_hint(), ValueHint::AnyPath) => return Completion::Files,
            _ => Vec::new(),
        })
    }
}

fn takes_value(arg: &Arg) -> bool {
    arg.get_action().takes_values()
}

/// The first line of a help text.
fn about(help: Option<&clap::builder::StyledStr>) -> String {
    let help = help.map(ToString::to_string).unwrap_or_default();
    help.lines().next().unwrap_or_default().to_owned()
}

fn verbs(command: &Command) -> Vec<(String, String)> {
    let shown = command.get_subcommands().filter(|verb| !verb.is_hide_set());
    shown.map(|verb| (verb.get_name().to_owned(), about(verb.get_about()))).collect()
}

fn bare(words: impl IntoIterator<Item = String>) -> Vec<(String, String)> {
    words.into_iter().map(|word| (word, String::new())).collect()
}

fn accounts(catalog: &Catalog) -> Vec<(String, String)> {
    bare(catalog.accounts().iter().map(|account| account.name.to_string()))
}

/// Every word that names a target: account names, and `account/role`.
fn targets(catalog: &Catalog) -> Vec<(String, String)> {
    let names = catalog.accounts().iter().flat_map(|account| {
        let roles = account.roles.iter().map(|role| format!("{}/{}", account.name, role.name));
        std::iter::once(account.name.to_string()).chain(roles)
    });
    bare(names)
}

/// What targets are selected by, besides their names.
#[derive(Clone, Copy)]
enum Label {
    Tag,
    Role,
    Region,
}

fn labels(catalog: &Catalog, label: Label, prefix: &str) -> Vec<(String, String)> {
    let rows = catalog.rows();
    let words: BTreeSet<String> = rows
        .flat_map(|row| {
            let (account, role) = catalog.row(row);
            match label {
                Label::Tag => account.tags.iter().map(ToString::to_string).collect(),
                Label::Role => vec![role.name.to_string()],
                Label::Region => catalog.region(row).map(ToString::to_string).into_iter().collect(),
            }
        })
        .collect();
    bare(words.into_iter().map(|word| format!("{prefix}{word}")))
}

/// The words of `each` and of the list's filter: names and labels, `!` before each where it is typed.
fn selection(catalog: &Catalog, current: &str) -> Vec<(String, String)> {
    let mut words = accounts(catalog);
    for (label, prefix) in
        [(Label::Tag, "tag:"), (Label::Role, "role:"), (Label::Region, "region:")]
    {
        words.extend(labels(catalog, label, prefix));
    }
    words.extend(bare(["is:live".to_owned(), "is:starred".to_owned()]));
    if current.starts_with('!') {
        for (word, _) in &mut words {
            word.insert(0, '!');
        }
    }
    words
}

impl Completion {
    /// As the scripts read it: the kind, then a word a line, a tab before what it does.
    pub fn lines(&self) -> String {
        match self {
            Self::Command(from) => format!("command {from}\n"),
            Self::Files => "files\n".to_owned(),
            Self::Words(words) => {
                let line = |(word, about): &(String, String)| {
                    if about.is_empty() {
                        format!("{word}\n")
                    } else {
                        format!("{word}\t{about}\n")
                    }
                };
                std::iter::once("words\n".to_owned()).chain(words.iter().map(line)).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::documented;
    use crate::cli::emulated;

    /// The words that are offered, or the kind.
    fn offered(line: &str) -> Vec<String> {
        let words: Vec<String> = format!("sekisho {line}").split(' ').map(str::to_owned).collect();
        let catalog = |_: &Place| Some(emulated::example().unwrap().config.catalog);
        match complete(&documented(), &words, catalog) {
            Completion::Words(words) => words.into_iter().map(|(word, _)| word).collect(),
            other => vec![other.lines().trim_end().to_owned()],
        }
    }

    /// Those that begin as the last word does.
    fn fitting(line: &str) -> Vec<String> {
        let current = line.rsplit(' ').next().unwrap();
        offered(line).into_iter().filter(|word| word.starts_with(current)).collect()
    }

    #[test]
    fn every_place_has_its_words() {
        for (line, words) in [
            ("ex", "exec"),
            ("dev-sat", "dev-sato dev-sato/Developer"),
            ("demo ex", "exec"),
            ("demo exec dev-sat", "dev-sato dev-sato/Developer"),
            ("demo --ser", "--serve"),
            ("exec dev-sat", "dev-sato dev-sato/Developer"),
            ("exec --region us-east-1 dev-sat", "dev-sato dev-sato/Developer"),
            ("exec --sc", "--scope"),
            ("exec --scope r", "read-only"),
            ("exec --scope=r", "--scope=read-only"),
            ("exec --region eusc", "eusc-de-east-1"),
            ("exec --confirm dev-sat", "dev-sato"),
            ("env --format d", "dotenv"),
            ("env --shell po", "powershell"),
            ("policy --format c", "cloudformation"),
            ("policy --lang j", "ja"),
            ("console dev-sato --service wa", "wafv2"),
            ("verify dev-sato dev-tanaka/R", "dev-tanaka/ReadOnly"),
            ("verify --via dev-tanaka/R", "dev-tanaka/ReadOnly"),
            ("key ro", "rotate"),
            ("man ex", "exec"),
            ("help ex", "exec"),
            ("pick dev-sat", "dev-sato"),
            ("pick sato tag:sand", "tag:sandbox"),
            ("list --filter role:Re", "role:ReadOnly"),
            ("each dev-sat", "dev-sato"),
            ("each tag:sandbox !dev-sat", "!dev-sato"),
            ("each x is:", "is:live is:starred"),
            ("each --role Re", "ReadOnly"),
            ("config accept dev-sat", "dev-sato"),
            ("completions f", "fish"),
            ("login ", ""),
            ("logout dev-sat", "dev-sato dev-sato/Developer"),
            ("list --dur", ""),
            ("exec --dur", "--duration"),
        ] {
            assert_eq!(fitting(line).join(" "), words, "{line}");
        }
    }

    #[test]
    fn what_is_another_programs_is_left_to_it() {
        for (line, answer) in [
            ("exec dev-sato -- te", "command 4"),
            ("exec dev-sato te", "command 3"),
            ("exec dev-sato terraform pl", "command 3"),
            ("demo exec dev-sato -- terraform --pl", "command 5"),
            ("exec -- te", "command 3"),
            ("serve --region us-east-1 dev-sato -- npm ", "command 6"),
            ("each tag:sandbox -- ", "command 4"),
            ("--config ", "files"),
            ("each --output-dir ", "files"),
        ] {
            assert_eq!(offered(line), [answer], "{line}");
        }
    }

    #[test]
    fn the_names_are_those_of_the_config_that_the_line_names() {
        for (line, config, demo) in [
            ("--config a.yaml exec ", Some("a.yaml"), false),
            ("exec --config=a.yaml ", Some("a.yaml"), false),
            ("demo exec ", None, true),
        ] {
            let words: Vec<String> =
                format!("sekisho {line}").split(' ').map(str::to_owned).collect();
            let mut asked = None;
            complete(&documented(), &words, |place| {
                asked = Some((place.config.clone(), place.demo));
                None
            });
            assert_eq!(asked, Some((config.map(str::to_owned), demo)), "{line}");
        }
    }
}
