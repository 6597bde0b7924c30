//! The command line as types: the verbs and what is common to them; the arguments of single verbs are in `args/verbs.rs`.
//! What a verb does is in `verbs/`, one file each.
//!
//! Doc comments here are what `--help` prints.

use std::ffi::OsString;
use std::num::NonZeroU16;
use std::path::PathBuf;
use std::time::Duration;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Args, Command, CommandFactory, Parser, Subcommand, ValueEnum};

use crate::domain::account::Overrides;
use crate::domain::duration::parse_duration;
use crate::domain::ids::{Malformed, Region};
use crate::domain::scope::Scope;
use crate::services::child::environment::Inherited;
use crate::services::child::shell::{CommandName, Hookable};

use super::suggestions::{self, Suggested};

mod verbs;

pub use verbs::*;

/// Switch between AWS accounts in the terminal, with one MFA code a day
#[derive(Debug, Parser)]
#[command(
    name = "sekisho",
    version,
    about,
    disable_help_subcommand = true,
    infer_subcommands = false,
    after_help = "Without a command, the switcher opens: type to filter, Enter for a subshell, ? for help.\n\
                  `sekisho NAME` enters the target of that name; `sekisho -` this terminal's previous one.\n\
                  To try it without an AWS account: sekisho demo"
)]
pub struct CommandLine {
    /// The options of every verb.
    #[command(flatten)]
    pub common: Common,
    /// What to do; the switcher if nothing is named.
    #[command(subcommand)]
    pub verb: Option<Verb>,
}

impl CommandLine {
    /// Parses a whole command line, the program's name included.
    pub fn parse_words(words: &[OsString]) -> Result<Self, clap::Error> {
        let escape = words.iter().position(|word| word == "--");
        // What follows the first `--` is the command: clap would take its first word for a target that is not there.
        if let Some(escape) = escape
            && let Ok(mut line) = Self::parse_verb(&words[..escape])
            && let Some(command) = line.verb.as_mut().and_then(Verb::command)
        {
            let rest = escape + usize::from(command.is_empty());
            command.extend_from_slice(&words[rest..]);
            return Ok(line);
        }
        Self::parse_verb(words).or_else(|error| {
            if error.kind() == ErrorKind::DisplayHelp {
                return Err(documented().try_get_matches_from(words).err().unwrap_or(error));
            }
            let named = if escape.is_none() { Self::parse_name(words, &error) } else { None };
            named.ok_or(error)
        })
    }

    /// Reads a line whose first word is no verb, and made clap fail with `error`.
    fn parse_name(words: &[OsString], error: &clap::Error) -> Option<Self> {
        let Some(ContextValue::String(word)) = error.get(ContextKind::InvalidSubcommand) else {
            return None;
        };
        let NameLine { common, name } = NameLine::try_parse_from(words).ok()?;
        // Not a wrong word after a verb that has verbs of its own.
        let is_first = name.words.first() == Some(word) && !verbs().contains(word);
        is_first.then_some(Self { common, verb: Some(Verb::Name(name)) })
    }

    /// Clap builds every verb it is given before it reads a word, which costs more than a warm switch. So the verbs of a
    /// warm switch are tried alone first; every other line, and every error and help text, comes from the whole.
    fn parse_verb(words: &[OsString]) -> Result<Self, clap::Error> {
        let mut names = words.iter().filter_map(|word| word.to_str());
        if names.any(SessionVerb::has_subcommand)
            && let Ok(SessionLine { common, verb }) = SessionLine::try_parse_from(words)
        {
            return Ok(Self { common, verb: Some(Verb::Session(verb)) });
        }
        Self::try_parse_from(words)
    }
}

/// A command line with one of the session verbs: the same words as in [`CommandLine`].
#[derive(Debug, Parser)]
#[command(name = "sekisho", disable_help_subcommand = true)]
struct SessionLine {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    verb: SessionVerb,
}

/// A command line that begins with no verb.
#[derive(Debug, Parser)]
#[command(name = "sekisho", disable_help_flag = true)]
struct NameLine {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    name: NameArgs,
}

impl CommandLine {
    /// The same without what confirms in a person's place, `--confirm` and `--yes`, where `is_void` says so.
    #[must_use]
    pub fn without_confirmations(mut self, is_void: impl FnOnce() -> bool) -> Self {
        let yes = self.verb.as_mut().and_then(Verb::yes);
        if (!self.common.confirm.is_empty() || yes.as_ref().is_some_and(|yes| **yes)) && is_void() {
            if let Some(yes) = yes {
                *yes = false;
            }
            self.common.confirm.clear();
        }
        self
    }
}

/// What stands in a verb's place: a target's name, `-`, or words to look for.
#[derive(Debug, Args)]
pub struct NameArgs {
    /// The words; at least one.
    #[arg(required = true)]
    pub words: Vec<String>,
    /// How the calling hook reads the output.
    #[arg(long, hide = true)]
    pub hook: Option<Records>,
}

/// Every verb, and every other name of one.
pub fn verbs() -> Vec<String> {
    let command = CommandLine::command();
    let names = command.get_subcommands().flat_map(clap::Command::get_name_and_visible_aliases);
    names.map(str::to_owned).collect()
}

/// Options of every verb.
#[derive(Debug, Clone, Default, Args)]
pub struct Common {
    /// The config file [default: ~/.config/sekisho/config.yaml]
    #[arg(long, global = true, value_name = "FILE", help_heading = "Common options")]
    pub config: Option<PathBuf>,
    /// When to use colors: auto, always or never; NO_COLOR is respected
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        default_value = "auto",
        hide_default_value = true,
        hide_possible_values = true,
        help_heading = "Common options"
    )]
    pub color: ColorWhen,
    /// Print more details on stderr, never a secret
    #[arg(short, long, global = true, action = clap::ArgAction::Count, help_heading = "Common options")]
    pub verbose: u8,
    /// Read the MFA code from stdin
    #[arg(long, global = true, value_name = "-", value_parser = ["-"], hide_possible_values = true, help_heading = "Common options")]
    pub mfa_code: Option<String>,
    /// Use this region
    #[arg(
        long,
        global = true,
        value_name = "REGION",
        value_parser = Suggested::<Region>::of(suggestions::REGIONS),
        hide_possible_values = true,
        help_heading = "Common options"
    )]
    pub region: Option<Region>,
    /// Session duration; more than 1h needs an MFA code of its own
    #[arg(long, global = true, value_name = "15m..12h", value_parser = session_duration, help_heading = "Common options")]
    pub duration: Option<Duration>,
    /// What the session may do: full or read-only
    #[arg(
        long,
        global = true,
        value_name = "SCOPE",
        value_parser = Suggested::<Scope>::of(&["full", "read-only"]),
        hide_possible_values = true,
        help_heading = "Common options"
    )]
    pub scope: Option<Scope>,
    /// Confirm a guarded account by its name
    #[arg(long, global = true, value_name = "NAME", help_heading = "Common options")]
    pub confirm: Vec<String>,
}

impl Common {
    /// These options, and the other's where these are not given.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            config: self.config.or(other.config),
            color: if self.color == ColorWhen::Auto { other.color } else { self.color },
            verbose: self.verbose.max(other.verbose),
            mfa_code: self.mfa_code.or(other.mfa_code),
            region: self.region.or(other.region),
            duration: self.duration.or(other.duration),
            scope: self.scope.or(other.scope),
            confirm: if self.confirm.is_empty() { other.confirm } else { self.confirm },
        }
    }

    /// What was given to pass a single target's guard.
    pub fn confirmation(&self) -> Option<&str> {
        self.confirm.first().map(String::as_str)
    }

    /// What these options and the environment change about every target.
    pub fn overrides(&self, inherited: &Inherited) -> Overrides {
        Overrides {
            region: self.region.clone(),
            ambient_region: inherited.own_region(),
            duration: self.duration,
            scope: self.scope,
        }
    }

    /// The config that was named by option or variable, absolute: a child that runs sekisho finds the same one.
    pub fn named_config(&self, inherited: &Inherited) -> Option<PathBuf> {
        let variable = || inherited.get("SEKISHO_CONFIG").map(PathBuf::from);
        let named = self.config.clone().or_else(variable)?;
        std::path::absolute(named).ok()
    }
}

/// The common options that a verb uses, by its path, besides `--config`, `--color` and `--verbose`, which all use.
///
/// Every verb accepts all of them, since scripts and `demo` pass them on; help and completion show these.
pub fn used_options(path: &str) -> &'static [&'static str] {
    const SESSION: &[&str] = &["mfa_code", "region", "duration", "scope", "confirm"];
    match path {
        "" | "shell" | "exec" | "env" | "switch" | "refresh" | "serve" | "each" | "console"
        | "credential-process" => SESSION,
        "pick" | "profiles" => &["region", "duration", "scope"],
        "verify" | "import organizations" => &["mfa_code", "confirm"],
        "login" | "key rotate" | "key leaked" => &["mfa_code"],
        "init" => &["mfa_code", "region"],
        _ => &[],
    }
}

/// The command line as help, the manual and completion show it: each verb with the options that it uses.
pub fn documented() -> Command {
    fn shown(command: Command, path: &str) -> Command {
        let used = used_options(path);
        let is_unused = |arg: &Arg| {
            let id = arg.get_id().as_str();
            used_options("").contains(&id) && !used.contains(&id)
        };
        let command = command.mut_args(|arg| if is_unused(&arg) { arg.hide(true) } else { arg });
        command.mut_subcommands(|verb| {
            let path = format!("{path} {}", verb.get_name());
            shown(verb, path.trim_start())
        })
    }
    let mut command = CommandLine::command();
    // Gives every verb the common options.
    command.build();
    shown(command, "")
}

/// When output is coloured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum ColorWhen {
    /// On a terminal, unless `NO_COLOR` is set or it is dumb.
    #[default]
    Auto,
    /// Even into a pipe.
    Always,
    /// Not even on a terminal.
    Never,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Choose an account from the list (the default)
    #[command(after_help = "Example: sekisho pick sandbox tokyo")]
    Pick {
        /// Initial filter of the list
        #[arg(value_name = "QUERY")]
        query: Vec<String>,
    },
    /// Open a subshell in an account
    #[command(after_help = "Example: sekisho shell dev-tanaka/Developer")]
    Shell {
        /// The account, or account/role; without one, the list opens
        target: Option<String>,
        /// The shell to start
        #[arg(long, value_name = "PROGRAM")]
        shell: Option<String>,
    },
    /// A verb that gets a session.
    #[command(flatten)]
    Session(SessionVerb),
    /// Print the shell hook that `sekisho switch` and `sekisho refresh` need
    #[command(
        after_help = "In ~/.bashrc: eval \"$(sekisho hook bash)\"\nIn ~/.zshrc: eval \"$(sekisho hook zsh)\"\nIn config.fish: sekisho hook fish | source"
    )]
    Hook {
        /// bash, zsh or fish
        #[arg(value_parser = hookable())]
        shell: Hookable,
        /// Name of the command to define
        #[arg(long, value_name = "NAME", default_value = "sekisho")]
        cmd: CommandName,
    },
    /// Renew this shell's session now (needs the hook; subshells have it)
    #[command(after_help = "Example: sekisho refresh")]
    Refresh {
        /// Do not prompt, and print nothing
        #[arg(long)]
        quiet: bool,
        /// How the calling hook reads the output
        #[arg(long, hide = true)]
        hook: Option<Records>,
    },
    /// List the targets: as a table on a terminal, one per line when piped
    #[command(visible_alias = "ls", after_help = LIST_HELP)]
    List(ListArgs),
    /// Generate a profile per target for other tools, in a block of ~/.aws/config
    #[command(
        after_help = "Examples:\n  sekisho profiles\n  sekisho profiles --write --name '{account}-{role}' --set output=json\n  aws --profile sekisho-dev-tanaka-developer s3 ls"
    )]
    Profiles(ProfilesArgs),
    /// Run one command and serve it fresh credentials for as long as it runs
    #[command(
        after_help = "Examples:\n  sekisho serve dev-tanaka -- terraform apply\n  sekisho serve dev-tanaka --port 9911 -- ssh -R 9911:127.0.0.1:9911 HOST"
    )]
    Serve {
        /// The account, or account/role; without one, the list opens
        target: Option<String>,
        /// Listen on this port of 127.0.0.1, for one that is forwarded to another machine; else on a free one
        #[arg(long)]
        port: Option<NonZeroU16>,
        /// The command and its arguments
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "COMMAND")]
        command: Vec<OsString>,
    },
    /// Run one command in many accounts, with one MFA code
    #[command(after_help = EACH_HELP)]
    Each(EachArgs),
    /// Sign in to the web console
    #[command(
        after_help = "Examples:\n  sekisho console dev-tanaka --service cloudformation\n  sekisho console dev-tanaka --copy"
    )]
    Console(ConsoleArgs),
    /// Print a shell completion script; it completes targets too
    #[command(
        after_help = "bash: eval \"$(sekisho completions bash)\"\nzsh:  sekisho completions zsh > \"${fpath[1]}/_sekisho\"\nfish: sekisho completions fish | source"
    )]
    Completions {
        /// bash, zsh or fish
        #[arg(value_parser = hookable())]
        shell: Hookable,
    },
    /// Print the help of sekisho or of one command
    #[command(after_help = "Example: sekisho help exec")]
    Help {
        /// The command
        verb: Vec<String>,
    },
    /// Print the manual page of sekisho or of one command
    #[command(after_help = "Example: sekisho man | man -l -")]
    Man {
        /// The command
        verb: Option<String>,
    },
    /// Sign in for all accounts: with one MFA code, or in the browser
    #[command(
        after_help = "Examples:\n  sekisho login\n  sekisho login --remote\nFor the web console: sekisho console TARGET"
    )]
    Login {
        /// Sign in with a browser on another machine: shows a URL, and takes the code that the page there shows (auth.key: login)
        #[arg(long)]
        remote: bool,
        /// Other tools take one here: an error names the command to use instead
        #[arg(hide = true)]
        target: Option<String>,
    },
    /// Delete the cached sessions, and list what stays valid at AWS
    #[command(
        after_help = "Examples:\n  sekisho logout\n  sekisho logout dev-tanaka/Developer\n  sekisho logout --all"
    )]
    Logout {
        /// Only this account's role; without it, all sessions of this config
        target: Option<String>,
        /// All sessions and remembered passphrases of all configs, made unreadable even in backups
        #[arg(long, conflicts_with = "target")]
        all: bool,
    },
    /// Show active sessions, when they expire and where they are stored
    #[command(after_help = STATUS_HELP)]
    Status {
        /// Print a JSON object
        #[arg(long)]
        json: bool,
        /// Print a line for a status bar: this shell's session, else each live one
        #[arg(long, value_name = "TEMPLATE", conflicts_with = "json")]
        format: Option<String>,
    },
    /// Manage the stored access key: add, import, rotate, remove, status
    #[command(
        after_help = "Examples:\n  sekisho key import --profile default\n  sekisho key rotate"
    )]
    Key {
        /// The action
        #[command(subcommand)]
        what: KeyVerb,
    },
    /// Create a config: asks for the access key, then learns the rest from AWS
    #[command(after_help = INIT_HELP)]
    Init(InitArgs),
    /// Import accounts from AWS profiles or from AWS Organizations
    #[command(after_help = "Example: sekisho import aws-config --write")]
    Import {
        /// The source
        #[command(subcommand)]
        what: ImportVerb,
    },
    /// Check the config, show its effective values, or print an example
    #[command(after_help = "Examples:\n  sekisho config check\n  sekisho config example | less")]
    Config {
        /// The action
        #[command(subcommand)]
        what: ConfigVerb,
    },
    /// Verify that a leaked access key alone gives no access
    #[command(
        after_help = "Examples:\n  sekisho verify\n  sekisho verify dev-tanaka --json\n  sekisho verify --report proof.html\n  sekisho verify --check proof.html\n  sekisho verify --users\n  sekisho verify --drift --via management/Auditor\n\nExit code: 0 everything proved, 5 something is OPEN, 6 undecided.\nOf --users and --drift: 0 nothing to report, 1 findings, 6 a part could not be read."
    )]
    Verify(VerifyArgs),
    /// Diagnose common problems and weak security settings of this machine
    #[command(after_help = "Example: sekisho doctor --offline")]
    Doctor(DoctorArgs),
    /// Generate the AWS policies that make a leaked access key useless, or check generated ones
    #[command(
        after_help = "Examples:\n  sekisho policy --format cloudformation --write guardrails/\n  sekisho policy | jq .\n  sekisho policy --check guardrails/\n\nExit of --check: 0 every row as wanted, 1 a row is wrong."
    )]
    Policy(PolicyArgs),
    /// Try sekisho in an emulated organization: no AWS account, no network
    #[command(
        after_help = "Examples:\n  sekisho demo\n  sekisho demo exec dev-tanaka -- aws sts get-caller-identity\n  sekisho demo --serve"
    )]
    Demo {
        /// Keep the organization running, and print how to use it from another terminal
        #[arg(long)]
        serve: bool,
        /// The command to run in it, with its arguments
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "VERB")]
        verb: Vec<OsString>,
    },
    /// Print what may stand in the place of the last word, for the completion scripts.
    #[command(name = "__complete", hide = true)]
    Complete {
        /// The command line up to the cursor, the program's name included.
        #[arg(last = true)]
        words: Vec<String>,
    },
    /// No verb: a line that begins with something else.
    #[command(skip)]
    Name(NameArgs),
}

impl Verb {
    /// The `--yes` of a verb that asks.
    fn yes(&mut self) -> Option<&mut bool> {
        match self {
            Self::Profiles(ProfilesArgs { yes, .. })
            | Self::Each(EachArgs { yes, .. })
            | Self::Init(InitArgs { yes, .. })
            | Self::Import {
                what:
                    ImportVerb::AwsConfig(AwsConfigArgs { yes, .. })
                    | ImportVerb::Organizations(OrganizationsArgs { yes, .. }),
            }
            | Self::Config {
                what: ConfigVerb::Accept { yes, .. } | ConfigVerb::Update { yes, .. },
            }
            | Self::Verify(VerifyArgs { yes, .. })
            | Self::Policy(PolicyArgs { yes, .. })
            | Self::Key {
                what:
                    KeyVerb::Add { yes, .. }
                    | KeyVerb::Import { yes, .. }
                    | KeyVerb::Rotate { yes, .. }
                    | KeyVerb::Leaked { yes, .. }
                    | KeyVerb::Remove { yes },
            } => Some(yes),
            _ => None,
        }
    }

    /// The command that a verb runs in an account, where it runs one.
    fn command(&mut self) -> Option<&mut Vec<OsString>> {
        match self {
            Self::Session(SessionVerb::Exec { command, .. }) | Self::Serve { command, .. } => {
                Some(command)
            }
            _ => None,
        }
    }
}

/// The verbs that a live session answers without anything else being read.
#[derive(Debug, Subcommand)]
pub enum SessionVerb {
    /// Run one command with an account's credentials
    #[command(after_help = "Example: sekisho exec dev-tanaka -- terraform plan")]
    Exec {
        /// The account, or account/role; without one, the list opens
        target: Option<String>,
        /// The command and its arguments; without one, a subshell opens
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "COMMAND")]
        command: Vec<OsString>,
    },
    /// Print an account's credentials as variables, for `eval "$(sekisho env TARGET)"`
    #[command(
        after_help = "Examples:\n  eval \"$(sekisho env dev-tanaka)\"\n  sekisho env dev-tanaka --format dotenv > .env\n  eval \"$(sekisho env --unset)\""
    )]
    Env(EnvArgs),
    /// Switch this shell to another account (needs the hook; subshells have it)
    #[command(
        after_help = "Examples:\n  sekisho switch payments-dev/Developer\n  sekisho switch -"
    )]
    Switch {
        /// The account, or account/role; `-` for this terminal's previous one; without one, the list opens
        target: Option<String>,
        /// How the calling hook reads the output
        #[arg(long, hide = true)]
        hook: Option<Records>,
    },
    /// Print credentials as JSON, for `credential_process` in ~/.aws/config
    #[command(
        after_help = "Never prompts unless --prompt is given. An error is one line on stderr.\n\
                      Example: credential_process = sekisho credential-process dev-tanaka"
    )]
    CredentialProcess {
        /// The account, or account/role
        target: String,
        /// Prompt for a code or a confirmation on the terminal
        #[arg(long)]
        prompt: bool,
    },
}

const INIT_HELP: &str = "Examples:\n  sekisho init\n  sekisho init --key profile:default --from aws-config --region eu-west-1 --yes";

const EACH_HELP: &str = "\
SELECT is taken literally: a name, alias or id, with * and ?; name/role; tag:NAME role:NAME region:NAME id:DIGITS
is:live is:starred. Words of one kind are alternatives, kinds must all hold, !WORD excludes. Of each account the first
role that fits is taken. Accounts guarded by `confirm` are left out unless named by --confirm.

The command reads nothing; each line of its output has the target before it. With --json a report is printed instead of
stdout's lines, which go to stderr: {schema started ended interrupted left_out targets}, a target has
{target role_arn outcome (ran, failed, not_started) exit last_stderr error seconds}.

Exit code: 0 if all succeeded, otherwise the highest; 130 if interrupted.

Examples:
  sekisho each 'dev-*' -- aws s3 ls
  sekisho each tag:sandbox '!dev-tanaka' --role ReadOnly -- aws ec2 describe-instances
  sekisho each 'dev-*' --json --yes -- ./audit.sh > report.json
  sekisho each --retry-failed report.json -- ./audit.sh";

const STATUS_HELP: &str = "\
With --format: {target} {account} {id} {role} {region} {scope} {guard} {until} {left}

Examples:
  sekisho status --json | jq .auth_session.seconds_left
  sekisho status --format '{account}/{role} {left}'";

const LIST_HELP: &str = "\
With --json, an array of objects. Fields may be added; none is renamed or removed:
  target account account_id aliases role role_arn region duration_seconds
  flow (shared, direct) scope (full, read-only) guard (none, warn, confirm)
  agents (what an AI agent gets: full, read-only, refuse)
  changes (of an included target, until `config accept`; [] if there are none)
  tags note expires (of the cached session: RFC 3339, UTC; null if there is none)

Examples:
  sekisho list --filter 'tag:sandbox tokyo'
  sekisho list --json | jq -r '.[] | select(.expires) | .target'";

/// A session's length as AWS takes it: 15 minutes to 12 hours.
fn session_duration(text: &str) -> Result<Duration, Malformed> {
    let duration = parse_duration(text)?;
    let (least, most) = (Duration::from_mins(15), Duration::from_hours(12));
    if (least..=most).contains(&duration) {
        Ok(duration)
    } else {
        Err(Malformed("a session lasts 15m to 12h".into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every verb that has `--yes`, as a line.
    const LINES: [&str; 14] = [
        "profiles --yes",
        "each dev --yes -- true",
        "init --yes",
        "import aws-config --write --yes",
        "import organizations --write accounts.yaml --yes",
        "config update --yes",
        "config accept --yes",
        "verify --yes",
        "policy --write out --yes",
        "key add --yes",
        "key import --yes",
        "key rotate --yes",
        "key leaked --yes",
        "key remove --yes",
    ];

    #[test]
    fn nothing_confirms_in_a_persons_place_where_that_is_void() {
        fn verbs_with_yes(command: &clap::Command) -> usize {
            let own = command.get_arguments().filter(|it| it.get_long() == Some("yes")).count();
            own + command.get_subcommands().map(verbs_with_yes).sum::<usize>()
        }
        let parse = |line: &str| {
            let words = ["sekisho", "--confirm", "dev"].into_iter().chain(line.split(' '));
            CommandLine::parse_words(&words.map(OsString::from).collect::<Vec<_>>()).unwrap()
        };
        assert_eq!(verbs_with_yes(&CommandLine::command()), LINES.len());
        for line in LINES {
            for is_void in [true, false] {
                let mut kept = parse(line).without_confirmations(|| is_void);
                let yes = *kept.verb.as_mut().and_then(Verb::yes).expect(line);
                assert_eq!((yes, kept.common.confirm.is_empty()), (!is_void, is_void), "{line}");
            }
        }
        // Who drives is asked only where it matters.
        let plain = |line: &str| {
            let words = std::iter::once("sekisho").chain(line.split(' ')).map(OsString::from);
            CommandLine::parse_words(&words.collect::<Vec<_>>()).unwrap()
        };
        let _ = plain("exec dev -- true").without_confirmations(|| panic!("nothing confirms"));
    }
}
