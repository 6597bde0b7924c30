//! What is to be entered: a target by its exact name, this terminal's previous one, or what is chosen from the list. A
//! script's typing error must enter nothing, so a word that is no exact name opens the list, for a person only.

use jiff::Timestamp;

use crate::domain::fault::{Exit, Fault};
use crate::domain::ids::{AccountId, RoleArn};
use crate::domain::text::{fold, nearest, sanitize, shell_quoted};
use crate::services::child::environment::Inherited;
use crate::services::config::paths::Paths;
use crate::services::session::history::{HistoryFile, ShellId};

use super::args;
use super::context::Context;
use super::switcher::Start;
use super::terminal::Terminal;

/// The word for the previous target, as in `cd -`.
pub const PREVIOUS: &str = "-";

/// What is to be entered.
pub enum Wanted {
    /// The target of exactly this name.
    Target(String),
    /// What is chosen from the list.
    List(Start),
}

impl Wanted {
    /// Whatever is chosen.
    pub fn list() -> Self {
        Self::List(Start::default())
    }

    /// A target, by its exact name.
    pub fn target(name: &str) -> Self {
        Self::Target(name.to_owned())
    }

    /// The name of the target.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Target(name) => Some(name),
            Self::List(_) => None,
        }
    }

    /// The target that this terminal was in before the present one, by its role; `depth` is that of the shell that is to
    /// be in it. Where there is none, the list.
    pub fn previous(paths: &Paths, inherited: &Inherited, depth: u32) -> Result<Self, Fault> {
        let id = inherited.parsed::<AccountId>("SEKISHO_ACCOUNT_ID");
        let role = inherited.parsed::<String>("SEKISHO_ROLE");
        let is_here = |it: &RoleArn| Some(it.account()) == id && Some(it.name()) == role.as_deref();
        let history = HistoryFile::new(paths);
        match history.previous(ShellId::at(depth), is_here, Timestamp::now()) {
            Some(role) => Ok(Self::target(role.as_str())),
            None => listed(
                Start {
                    notice: Some("this terminal has no previous target".into()),
                    ..Start::default()
                },
                || {
                    Fault::new(Exit::Usage, "this terminal has no previous target")
                        .because("nothing else was entered in it")
                        .fix("name the target: `sekisho NAME`")
                },
            ),
        }
    }

    /// What words mean that begin with no verb.
    pub fn of_words(context: &Context, words: &[String]) -> Result<Self, Fault> {
        let catalog = &context.config().catalog;
        let query = words.join(" ");
        let [word] = words else {
            return listed(Start { query, ..Start::default() }, || unknown(context, words, &[]));
        };
        let row = match catalog.find(word) {
            Ok(row) => row,
            Err(target) => {
                let nearest = &target.nearest;
                let notice = notice(context, word);
                return listed(Start { query, notice }, || unknown(context, words, nearest));
            }
        };
        let (account, role) = catalog.row(row);
        let was_entered =
            || HistoryFile::new(context.paths()).read().was_used(&catalog.role_arn(row));
        if !account.is_included || was_entered() {
            return Ok(Self::target(word));
        }
        let name = format!("{}/{}", account.name, role.name);
        let why = format!("{name} comes from an included file, and was never entered before");
        let start = Start {
            query: format!("{} role:{}", account.name, role.name),
            notice: Some(format!("{why}: Enter opens it")),
        };
        listed(start, || {
            Fault::new(Exit::Usage, format!("{name} was not entered"))
                .because(why.clone())
                .fix(context.command(&format!("shell {}", shell_quoted(&name))))
        })
    }
}

/// The list, where there is a terminal to show it on.
fn listed(start: Start, otherwise: impl FnOnce() -> Fault) -> Result<Wanted, Fault> {
    if Terminal::open().is_some() { Ok(Wanted::List(start)) } else { Err(otherwise()) }
}

/// What to say over a list that finds nothing: the word may be a mistyped verb.
fn notice(context: &Context, word: &str) -> Option<String> {
    let folded = fold(word);
    let mut accounts = context.config().catalog.accounts().iter();
    if accounts.any(|account| account.names().any(|name| fold(name.as_str()).contains(&folded))) {
        return None;
    }
    let near = nearest_verb(word)?;
    Some(format!("there is no command {}; did you mean {near}?", sanitize(word)))
}

fn unknown(context: &Context, words: &[String], targets: &[String]) -> Fault {
    let what = format!("there is no command or target {}", sanitize(&words.join(" ")));
    let fault = unknown_word(&words[0], what);
    match targets {
        [] => fault,
        [near, ..] => {
            fault.fix(format!("did you mean `{}`?", context.command(&shell_quoted(near))))
        }
    }
}

/// The fault of a line that begins with no verb: `what`, and the verb that may have been meant.
pub fn unknown_word(word: &str, what: String) -> Fault {
    let fault = Fault::new(Exit::Usage, what);
    match nearest_verb(word) {
        Some(near) => fault.fix(format!("did you mean `sekisho {near}`?")),
        None => fault.fix("`sekisho --help` lists the commands, `sekisho list` the targets"),
    }
}

/// The verb that a mistyped one may have been meant as.
pub fn nearest_verb(word: &str) -> Option<String> {
    let verbs = args::verbs();
    nearest(word, verbs.iter().map(String::as_str)).first().map(ToString::to_string)
}
