//! The command line as types: the arguments of every verb. What a verb does is in `verbs/`, one file each.
//!
//! Doc comments here are what `--help` prints.

use std::ffi::OsString;
use std::num::NonZeroU16;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Args, Command, CommandFactory, Parser, Subcommand, ValueEnum};

use crate::domain::account::Overrides;
use crate::domain::config::check_endpoint;
use crate::domain::duration::parse_duration;
use crate::domain::ids::{
    AccountId, Malformed, MfaSerial, Name, Partition, Region, RoleName, UserName,
};
use crate::domain::import::organization::{AccountTemplate, TagFilter};
use crate::domain::policy;
use crate::domain::profiles::{NameTemplate, Setting};
use crate::domain::scope::Scope;
use crate::services::child::environment::{Inherited, Syntax};
use crate::services::child::shell::{CommandName, Hookable};
use crate::services::console::Page;

use super::suggestions::{self, Suggested};

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
    /// When to use colours: auto, always or never; NO_COLOR is respected
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
    /// Try sekisho in an emulated organisation: no AWS account, no network
    #[command(
        after_help = "Examples:\n  sekisho demo\n  sekisho demo exec dev-tanaka -- aws sts get-caller-identity\n  sekisho demo --serve"
    )]
    Demo {
        /// Keep the organisation running, and print how to use it from another terminal
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

/// How many commands of `each` run at once.
pub const JOBS: u16 = 8;

/// Where `each` runs what, and how it reports.
#[derive(Debug, Default, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct EachArgs {
    /// Names, patterns and labels of targets
    #[arg(value_name = "SELECT", required_unless_present = "retry_failed")]
    pub select: Vec<String>,
    /// The command and its arguments
    #[arg(last = true, value_name = "COMMAND", required_unless_present = "list")]
    pub command: Vec<OsString>,
    /// This role in every account [default: each account's first that fits]
    #[arg(long, value_name = "NAME")]
    pub role: Option<RoleName>,
    /// How many run at once
    #[arg(short, long, value_name = "N", default_value_t = JOBS, value_parser = clap::value_parser!(u16).range(1..=500))]
    pub jobs: u16,
    /// Show which targets are meant, and run nothing
    #[arg(long, conflicts_with_all = ["command", "retry_failed"])]
    pub list: bool,
    /// Run without asking
    #[arg(long)]
    pub yes: bool,
    /// Start nothing more once one has failed
    #[arg(long)]
    pub fail_fast: bool,
    /// Write each target's output to DIR/ACCOUNT.out and .err instead
    #[arg(long, value_name = "DIR")]
    pub output_dir: Option<PathBuf>,
    /// What every command reads
    #[arg(long, value_name = "FILE")]
    pub stdin_file: Option<PathBuf>,
    /// Print a report as JSON
    #[arg(long)]
    pub json: bool,
    /// The targets that failed in this report, instead of SELECT
    #[arg(long, value_name = "REPORT", conflicts_with_all = ["select", "role"])]
    pub retry_failed: Option<PathBuf>,
}

/// What `list` lists, and in which form.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Print a JSON array
    #[arg(long)]
    pub json: bool,
    /// Only targets that match, best first: words, tag:NAME, role:NAME, region:NAME
    #[arg(long, value_name = "QUERY")]
    pub filter: Option<String>,
}

/// Which console page, and whether a browser opens.
#[derive(Debug, Args)]
pub struct ConsoleArgs {
    /// The account, or account/role; without one, that of the subshell, else the list opens
    pub target: Option<String>,
    /// Print the sign-in URL instead; anyone who has the URL is signed in
    #[arg(long)]
    pub print: bool,
    /// Put it into the terminal's clipboard instead (OSC 52), over ssh too; it is valid for 15 minutes
    #[arg(long, conflicts_with = "print")]
    pub copy: bool,
    /// Sign the browser out first, where it holds another session. AWS does not document this
    #[arg(long)]
    pub sign_out: bool,
    /// The page to open: a service as named in the console's URL (ec2), a path (s3/buckets/x) or a URL of the console
    #[arg(
        long,
        value_name = "PAGE",
        value_parser = Suggested::<Page>::of(suggestions::SERVICES),
        hide_possible_values = true
    )]
    pub service: Option<Page>,
}

/// Whether the profiles are printed, written or removed.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct ProfilesArgs {
    /// Write the block, after showing a diff
    #[arg(long)]
    pub write: bool,
    /// Remove the block
    #[arg(long, conflicts_with_all = ["write", "include_guarded"])]
    pub remove: bool,
    /// Include targets that need a confirmation: their profiles contain it
    #[arg(long)]
    pub include_guarded: bool,
    /// Name the profiles by a template of {account}, {id} and {role}
    #[arg(long, value_name = "TEMPLATE", conflicts_with = "remove")]
    pub name: Option<NameTemplate>,
    /// Add a setting to each, e.g. output=json; may be repeated
    #[arg(long, value_name = "KEY=VALUE", conflicts_with_all = ["remove", "plain"])]
    pub set: Vec<Setting>,
    /// Print profiles with `mfa_serial` for colleagues without sekisho
    #[arg(long, conflicts_with_all = ["write", "remove"])]
    pub plain: bool,
    /// Write without asking
    #[arg(long)]
    pub yes: bool,
}

/// What `env` prints, and for which shell.
#[derive(Debug, Args)]
pub struct EnvArgs {
    /// The account, or account/role; without one, the list opens
    pub target: Option<String>,
    /// The shell that evaluates the output [default: the current one]
    #[arg(long, value_name = "SHELL")]
    pub shell: Option<ShellName>,
    /// Output format
    #[arg(long, value_name = "FORMAT", default_value = "export")]
    pub format: Format,
    /// Unset everything that sekisho sets, whatever the target
    #[arg(long)]
    pub unset: bool,
    /// Print nothing unless a live session answers; never asks (exit code 4)
    #[arg(long, requires = "target", conflicts_with = "unset")]
    pub or_nothing: bool,
    /// Print secrets even on a terminal
    #[arg(long)]
    pub show: bool,
}

/// A shell language.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[expect(missing_docs, reason = "the names are the shells")]
pub enum ShellName {
    Bash,
    Zsh,
    Fish,
    #[value(name = "powershell", alias = "pwsh")]
    PowerShell,
    Nu,
}

impl From<ShellName> for Syntax {
    fn from(name: ShellName) -> Self {
        match name {
            ShellName::Bash => Self::Bash,
            ShellName::Zsh => Self::Zsh,
            ShellName::Fish => Self::Fish,
            ShellName::PowerShell => Self::PowerShell,
            ShellName::Nu => Self::Nu,
        }
    }
}

/// What `switch` and `refresh` print for the shell hook: `--hook values`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Records;

impl FromStr for Records {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        if text == "values" {
            return Ok(Self);
        }
        // Older hooks name the shell, and would run the output as code.
        Err(Malformed(
            "this shell's hook is an older sekisho's: load it again, or open a new shell".into(),
        ))
    }
}

/// The formats of `env`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Shell code to evaluate
    Export,
    /// Print a JSON object
    Json,
    /// NAME=value lines
    Dotenv,
}

/// Reads the name of a shell that takes hooks and completions.
fn hookable() -> impl TypedValueParser<Value = Hookable> {
    let parse = |name: String| Hookable::ALL.into_iter().find(|shell| shell.name() == name);
    PossibleValuesParser::new(Hookable::ALL.map(Hookable::name))
        .try_map(move |name| parse(name).ok_or_else(|| Malformed("no such shell".into())))
}

/// What `verify` probes, and how it reports.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// Accounts or account/roles [default: all whose guard is not `confirm`]
    #[arg(value_name = "TARGET")]
    pub targets: Vec<String>,
    /// Do not ask before probing, and print the report without opening it as a list
    #[arg(long)]
    pub yes: bool,
    /// Print the report as JSON
    #[arg(long)]
    pub json: bool,
    /// Show every finding, not only what is wrong
    #[arg(long, conflicts_with = "json")]
    pub all: bool,
    /// Maximum calls per second
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub rate: u32,
    /// Write the evidence to a file as well: .html, .md or .json
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// The language of that file
    #[arg(long, value_enum, default_value_t, requires = "report")]
    pub lang: ReportLanguage,
    /// Check such a file instead of verifying; calls nothing
    #[arg(long, value_name = "FILE", exclusive = true)]
    pub check: Option<PathBuf>,
    /// What an administrator reads instead.
    #[command(flatten)]
    pub instead: AdministratorArgs,
}

/// What `verify` reads for administrators.
#[derive(Debug, Args)]
pub struct AdministratorArgs {
    /// Read the auth account's credential report instead, as an administrator: every user's keys, MFA, password
    #[arg(long, group = "reading", conflicts_with_all = ["targets", "report", "rate", "yes"])]
    pub users: bool,
    /// Compare what is attached in the organization with what `policy` generates instead, statement by statement
    #[arg(long, group = "reading", conflicts_with_all = ["targets", "report", "rate", "yes"])]
    pub drift: bool,
    /// With --users or --drift: read with this role, e.g. of the management account
    #[arg(long, value_name = "TARGET", requires = "reading")]
    pub via: Option<String>,
}

/// The languages of what people read: reports, README.md.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum ReportLanguage {
    /// English
    #[default]
    En,
    /// Japanese
    Ja,
}

/// Whether `doctor` uses the network, and how it reports.
#[derive(Debug, Clone, Copy, Args)]
pub struct DoctorArgs {
    /// Make no network calls
    #[arg(long)]
    pub offline: bool,
    /// Print the results as JSON
    #[arg(long)]
    pub json: bool,
}

/// What `policy` generates, and where it is written.
#[derive(Debug, Args)]
pub struct PolicyArgs {
    /// Output format
    #[arg(long, value_name = "FORMAT", default_value = "json")]
    pub format: PolicyFormat,
    /// Write the documents to this directory, after showing a diff
    #[arg(long, value_name = "DIR")]
    pub write: Option<PathBuf>,
    /// Write without asking
    #[arg(long, requires = "write")]
    pub yes: bool,
    /// Evaluate a table of over 1,000 requests on the documents in this directory, edited ones too; without DIR
    /// on those that would be generated
    #[arg(long, value_name = "DIR", num_args = 0..=1, conflicts_with_all = ["write", "format"])]
    pub check: Option<Option<PathBuf>>,
    /// Language of README.md
    #[arg(long, value_name = "LANGUAGE", default_value = "en")]
    pub lang: ReportLanguage,
}

impl From<ReportLanguage> for policy::Language {
    fn from(language: ReportLanguage) -> Self {
        match language {
            ReportLanguage::En => Self::English,
            ReportLanguage::Ja => Self::Japanese,
        }
    }
}

/// The formats of `policy`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PolicyFormat {
    /// Plain policies, to deploy by other means
    Json,
    /// Stacks, and a StackSet for the dev accounts
    #[value(name = "cloudformation", alias = "cfn")]
    CloudFormation,
    /// Two root modules around the JSON policies
    #[value(alias = "tf")]
    Terraform,
}

impl From<PolicyFormat> for policy::Format {
    fn from(format: PolicyFormat) -> Self {
        match format {
            PolicyFormat::Json => Self::Json,
            PolicyFormat::CloudFormation => Self::CloudFormation,
            PolicyFormat::Terraform => Self::Terraform,
        }
    }
}

const INIT_HELP: &str = "Examples:\n  sekisho init\n  sekisho init --key profile:default --from aws-config --region eu-west-1 --yes";

/// What `init` asks, as options: what is given is not asked.
#[derive(Debug, Default, Args)]
pub struct InitArgs {
    /// The access key: - (stdin), env, profile:NAME, or store (sekisho's own)
    #[arg(
        long,
        value_name = "WHERE",
        value_parser = Suggested::<InitKey>::of(&["-", "env", "store"]),
        hide_possible_values = true
    )]
    pub key: Option<InitKey>,
    /// Copy a key of --key env or --key profile:NAME into the store; without it, it is read there each time
    #[arg(long)]
    pub store_key: bool,
    /// Take a passphrase for the key's file that is easily guessed
    #[arg(long)]
    pub weak_passphrase: bool,
    /// The account of the IAM user [default: learned from AWS]
    #[arg(long, value_name = "ID")]
    pub account: Option<AccountId>,
    /// The IAM user [default: learned from AWS]
    #[arg(long, value_name = "NAME")]
    pub user: Option<UserName>,
    /// An MFA device; may be repeated [default: listed by AWS]
    #[arg(long, value_name = "SERIAL")]
    pub mfa_serial: Vec<MfaSerial>,
    /// Where the accounts come from; several with commas
    #[arg(long, value_name = "SOURCE", value_delimiter = ',')]
    pub from: Vec<InitFrom>,
    /// An account to switch to; may be repeated
    #[arg(long, value_name = "NAME=ID", value_parser = named_account)]
    pub dev_account: Vec<(Name, AccountId)>,
    /// The role in accounts that name none
    #[arg(long, value_name = "NAME")]
    pub role: Option<RoleName>,
    /// An emulator to call in AWS's place
    #[arg(long, value_name = "URL", value_parser = endpoint_url)]
    pub endpoint_url: Option<String>,
    /// Write without asking, in place of another stored key too, and do not open the list
    #[arg(long)]
    pub yes: bool,
    /// Other tools print a shell hook here: an error names `sekisho hook`
    #[arg(hide = true)]
    pub shell: Option<String>,
}

/// Where `init` takes the access key from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InitKey {
    /// Stdin, in any form that `key add` takes.
    Stdin,
    /// `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`.
    Env,
    /// A profile of the AWS files.
    Profile(String),
    /// sekisho's store.
    Store,
}

impl FromStr for InitKey {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        match (text, text.strip_prefix("profile:")) {
            ("-", _) => Ok(Self::Stdin),
            ("env", _) => Ok(Self::Env),
            ("store", _) => Ok(Self::Store),
            (_, Some(name)) if !name.is_empty() => Ok(Self::Profile(name.to_owned())),
            _ => Err(Malformed("the key is at -, env, profile:NAME or store".into())),
        }
    }
}

/// Where `init` takes accounts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum InitFrom {
    /// The roles in ~/.aws/config.
    AwsConfig,
    /// The organization's accounts.
    Organization,
    /// Nowhere.
    None,
}

/// `NAME=ID`.
fn named_account(text: &str) -> Result<(Name, AccountId), Malformed> {
    let (name, id) =
        text.rsplit_once('=').ok_or_else(|| Malformed("an account is named NAME=ID".into()))?;
    Ok((name.parse()?, id.parse()?))
}

fn endpoint_url(text: &str) -> Result<String, Malformed> {
    check_endpoint(text).map(|()| text.to_owned())
}

/// Where accounts are imported from.
#[derive(Debug, Subcommand)]
pub enum ImportVerb {
    /// Create a config from the roles in ~/.aws/config, or add what is new to the one that is there; the access key is not copied
    #[command(
        after_help = "Examples:\n  sekisho import aws-config | less\n  sekisho import aws-config --write"
    )]
    AwsConfig(AwsConfigArgs),
    /// List the organisation's active accounts, or keep them in a file that the config includes
    ///
    /// An account that is known keeps its name; a new one of the same name gets its id as a suffix. A name that would lead
    /// to another account stops the write, unless `--confirm NAME`: accounts can be renamed by their own administrators.
    #[command(
        after_help = "Examples:\n  sekisho import organizations --role Developer\n  sekisho import organizations --role Developer --ou Workloads/Dev --write accounts.yaml\n  sekisho import organizations --role Developer --write accounts.yaml --check"
    )]
    Organizations(OrganizationsArgs),
}

/// What `import aws-config` reads, and whether it writes.
#[derive(Debug, Args)]
pub struct AwsConfigArgs {
    /// The file to read [default: the AWS config file, ~/.aws/config]
    #[arg(long, value_name = "FILE")]
    pub profile_file: Option<PathBuf>,
    /// The auth account [default: the account of the user who enters most roles]
    #[arg(long, value_name = "ID")]
    pub account: Option<AccountId>,
    /// Only roles that are entered with this profile's key [default: the key that enters most]
    #[arg(long, value_name = "PROFILE")]
    pub source: Option<String>,
    /// Only roles of this partition: aws, aws-cn, aws-us-gov, aws-eusc [default: the one with most roles]
    #[arg(long, value_name = "NAME")]
    pub partition: Option<Partition>,
    /// Write it as the config, or add it to the one that is there, after showing a diff
    #[arg(long)]
    pub write: bool,
    /// Write without asking
    #[arg(long, requires = "write")]
    pub yes: bool,
}

/// How the accounts are listed, and the role they get.
#[derive(Debug, Args)]
pub struct OrganizationsArgs {
    /// The role in every account [default: the config's `defaults`]
    #[arg(long, value_name = "NAME")]
    pub role: Option<RoleName>,
    /// Use this target for the calls, e.g. a role in the management account
    #[arg(long, value_name = "TARGET")]
    pub via: Option<String>,
    /// Only accounts in this organizational unit and below: its id, or the names from the root, Workloads/Dev; repeatable
    #[arg(long, value_name = "OU")]
    pub ou: Vec<String>,
    /// Only accounts with this tag in AWS Organizations; repeatable, all must hold
    #[arg(long, value_name = "KEY[=VALUE]")]
    pub tag: Vec<TagFilter>,
    /// How new accounts are named, with {name}, {id} and {ou} [default: {name}]
    #[arg(long, value_name = "TEMPLATE")]
    pub name: Option<AccountTemplate>,
    /// Keep them in this file, after showing a diff, and have the config include it
    #[arg(long, value_name = "FILE")]
    pub write: Option<PathBuf>,
    /// Write nothing: exit 1 where the file is out of date
    #[arg(long, requires = "write")]
    pub check: bool,
    /// Write without asking
    #[arg(long, requires = "write", conflicts_with = "check")]
    pub yes: bool,
}

/// What to do with the config.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum ConfigVerb {
    /// Report all problems, in included files too
    #[command(after_help = "Example: sekisho config check")]
    Check,
    /// Print the effective config, and where each value comes from
    #[command(after_help = "Example: sekisho config show | less")]
    Show,
    /// Print an example that explains every key
    #[command(after_help = "Example: sekisho config example > ~/.config/sekisho/config.yaml")]
    Example,
    /// Run the programs of `include` that have an `update`, show what they change, and ask
    #[command(
        after_help = "Examples:\n  sekisho config update\n  sekisho config update accounts.yaml --yes"
    )]
    Update {
        /// Only this file
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
        /// Take what they made without asking
        #[arg(long)]
        yes: bool,
    },
    /// Show what has changed about included targets, and accept it
    ///
    /// Where an included file lets a name lead to another role, or takes a guard away, the target asks for its name until
    /// the change is accepted here.
    #[command(
        after_help = "Examples:\n  sekisho config accept\n  sekisho config accept payments-dev --yes"
    )]
    Accept {
        /// Only this account's changes
        name: Option<String>,
        /// Accept without asking
        #[arg(long)]
        yes: bool,
    },
}

/// What to do with the access key.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum KeyVerb {
    /// Add a key: pasted without echo, or on stdin; AWS's CSV or JSON, credentials file, export lines, or id and secret
    #[command(
        after_help = "Examples:\n  sekisho key add\n  sekisho key add < ~/Downloads/tanaka_accessKeys.csv\n  aws iam create-access-key | sekisho key add"
    )]
    Add {
        /// Replace another key without asking
        #[arg(long)]
        yes: bool,
        /// Take a passphrase for the key's file that is easily guessed
        #[arg(long)]
        weak_passphrase: bool,
    },
    /// Move a profile's key out of ~/.aws/credentials
    #[command(after_help = "Example: sekisho key import --profile default")]
    Import {
        /// The profile [default: the active AWS profile, else default]
        #[arg(long, value_name = "NAME")]
        profile: Option<String>,
        /// Keep a copy of the file, which still contains the key
        #[arg(long)]
        backup: bool,
        /// Move without asking
        #[arg(long)]
        yes: bool,
        /// Take a passphrase for the key's file that is easily guessed
        #[arg(long)]
        weak_passphrase: bool,
    },
    /// Replace the key with a new one, or resume an interrupted rotation
    #[command(after_help = "Examples:\n  sekisho key rotate\n  sekisho key rotate --finish")]
    Rotate {
        /// Delete the old key too
        #[arg(long)]
        finish: bool,
        /// Delete keys without asking
        #[arg(long)]
        yes: bool,
    },
    /// Replace a key that has leaked, deactivate it, and print what is left to do
    #[command(after_help = "Examples:\n  sekisho key leaked\n  sekisho key leaked --lang ja")]
    Leaked {
        /// Delete keys without asking
        #[arg(long)]
        yes: bool,
        /// The language of the page
        #[arg(long, value_enum, default_value_t)]
        lang: ReportLanguage,
    },
    /// Remove the key from this machine
    #[command(after_help = "Example: sekisho key remove")]
    Remove {
        /// Remove without asking
        #[arg(long)]
        yes: bool,
    },
    /// Show the key's age, state and last use
    #[command(after_help = "Example: sekisho key status --json | jq .")]
    Status {
        /// Print a JSON object
        #[arg(long)]
        json: bool,
    },
}

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
    const LINES: [&str; 12] = [
        "profiles --yes",
        "each dev --yes -- true",
        "init --yes",
        "import aws-config --write --yes",
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
