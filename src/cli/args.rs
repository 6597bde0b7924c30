//! The command line as types. Every verb's arguments stand here; what it does stands in its own file.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::domain::account::Overrides;
use crate::domain::duration::parse_duration;
use crate::domain::ids::{AccountId, Malformed, Region, RoleName};
use crate::domain::policy;
use crate::domain::scope::Scope;
use crate::services::child::environment::{Inherited, Syntax};
use crate::services::child::shell::{CommandName, Hookable};
use crate::services::console::Service;

/// One MFA code opens every account for the day; a leaked key opens nothing.
#[derive(Debug, Parser)]
#[command(
    name = "sekisho",
    version,
    about,
    disable_help_subcommand = true,
    infer_subcommands = false,
    after_help = "Without a verb the switcher opens: type to filter, Enter for a subshell, ? for help.\n\
                  New here? `sekisho demo` shows it all in an emulated organisation."
)]
pub struct CommandLine {
    /// What holds for every verb.
    #[command(flatten)]
    pub common: Common,
    /// What to do; the switcher if nothing is named.
    #[command(subcommand)]
    pub verb: Option<Verb>,
}

/// Options of every verb.
#[derive(Debug, Clone, Default, Args)]
pub struct Common {
    /// The config file [default: ~/.config/sekisho/config.yaml]
    #[arg(long, global = true, value_name = "FILE", help_heading = "Common options")]
    pub config: Option<PathBuf>,
    /// Colours: auto, always or never; NO_COLOR is obeyed
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
    /// Say more on stderr, never a secret; -vv for still more
    #[arg(short, long, global = true, action = clap::ArgAction::Count, help_heading = "Common options")]
    pub verbose: u8,
    /// Read the MFA code from stdin
    #[arg(long, global = true, value_name = "-", value_parser = ["-"], hide_possible_values = true, help_heading = "Common options")]
    pub mfa_code: Option<String>,
    /// Work in this region
    #[arg(long, global = true, value_name = "REGION", help_heading = "Common options")]
    pub region: Option<Region>,
    /// Ask for a session this long; over 1h takes a code of its own
    #[arg(long, global = true, value_name = "15m..12h", value_parser = session_duration, help_heading = "Common options")]
    pub duration: Option<Duration>,
    /// Narrow the session: full or read-only
    #[arg(long, global = true, value_name = "SCOPE", help_heading = "Common options")]
    pub scope: Option<Scope>,
    /// Pass the guard of the account with this name
    #[arg(long, global = true, value_name = "NAME", help_heading = "Common options")]
    pub confirm: Option<String>,
}

impl Common {
    /// These options, and the other's where these say nothing.
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
            confirm: self.confirm.or(other.confirm),
        }
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

/// When to colour.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum ColorWhen {
    /// Where a terminal shows it.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Choose an account from the list (the default)
    Pick {
        /// The list's first filter
        #[arg(value_name = "QUERY")]
        query: Vec<String>,
    },
    /// Open a subshell in an account
    #[command(after_help = "Example: sekisho shell dev-tanaka/Developer")]
    Shell {
        /// The account, or account/role
        target: String,
        /// The shell to start
        #[arg(long, value_name = "PROGRAM")]
        shell: Option<String>,
    },
    /// Run one command with an account's credentials
    #[command(after_help = "Example: sekisho exec dev-tanaka -- terraform plan")]
    Exec {
        /// The account, or account/role
        target: String,
        /// The command and its arguments; without one, a subshell opens
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "COMMAND")]
        command: Vec<OsString>,
    },
    /// Print an account's environment, for `eval "$(sekisho env TARGET)"`
    #[command(
        after_help = "Examples:\n  eval \"$(sekisho env dev-tanaka)\"\n  sekisho env dev-tanaka --format dotenv > .env\n  eval \"$(sekisho env --unset)\""
    )]
    Env(EnvArgs),
    /// Print the hook that lets `sekisho switch` and `refresh` act on your shell
    #[command(
        after_help = "In ~/.bashrc: eval \"$(sekisho hook bash)\"\nIn ~/.zshrc: eval \"$(sekisho hook zsh)\"\nIn config.fish: sekisho hook fish | source"
    )]
    Hook {
        /// bash, zsh or fish
        #[arg(value_parser = hookable())]
        shell: Hookable,
        /// The command to define
        #[arg(long, value_name = "NAME", default_value = "sekisho")]
        cmd: CommandName,
    },
    /// Go to another account in this very shell (needs the hook; every subshell has it)
    Switch {
        /// The account, or account/role; without it the list opens
        target: Option<String>,
        /// Which shell evaluates what is printed
        #[arg(long, hide = true, value_parser = hookable())]
        hook: Option<Hookable>,
    },
    /// Renew this shell's session now (needs the hook; every subshell has it)
    Refresh {
        /// Ask nobody and say nothing
        #[arg(long)]
        quiet: bool,
        /// Which shell evaluates what is printed
        #[arg(long, hide = true, value_parser = hookable())]
        hook: Option<Hookable>,
    },
    /// List the targets: aligned on a terminal, one a line when piped
    #[command(visible_alias = "ls", after_help = LIST_HELP)]
    List(ListArgs),
    /// Print credentials as JSON, for `credential_process` in ~/.aws/config
    #[command(
        after_help = "Never asks and fails in one line, unless --prompt allows asking on the terminal.\n\
                      Example: credential_process = sekisho credential-process dev-tanaka"
    )]
    CredentialProcess {
        /// The account, or account/role
        target: String,
        /// Ask for a code or a confirmation on the terminal
        #[arg(long)]
        prompt: bool,
    },
    /// Give other tools a profile for every target, in a block of ~/.aws/config
    #[command(
        after_help = "Examples:\n  sekisho profiles\n  sekisho profiles --write\n  aws --profile sekisho-dev-tanaka-developer s3 ls"
    )]
    Profiles(ProfilesArgs),
    /// Run one command whose tools fetch fresh credentials for as long as it runs
    #[command(after_help = "Example: sekisho serve dev-tanaka -- terraform apply")]
    Serve {
        /// The account, or account/role
        target: String,
        /// The command and its arguments
        #[arg(
            trailing_var_arg = true,
            allow_hyphen_values = true,
            required = true,
            value_name = "COMMAND"
        )]
        command: Vec<OsString>,
    },
    /// Sign in to the web console
    #[command(
        after_help = "Examples:\n  sekisho console dev-tanaka --service cloudformation\n  sekisho console dev-tanaka --print | clip"
    )]
    Console(ConsoleArgs),
    /// Print a completion script; targets complete too
    #[command(
        after_help = "bash: eval \"$(sekisho completions bash)\"\nzsh:  sekisho completions zsh > \"${fpath[1]}/_sekisho\"\nfish: sekisho completions fish | source"
    )]
    Completions {
        /// bash, zsh or fish
        #[arg(value_parser = hookable())]
        shell: Hookable,
    },
    /// Print the manual page, or a verb's
    #[command(after_help = "Example: sekisho man | man -l -")]
    Man {
        /// The verb
        verb: Option<String>,
    },
    /// Get the session of the day now: one code, every account
    #[command(after_help = "Example: sekisho login\nFor the web console: sekisho console TARGET")]
    Login {
        /// A habit from other tools: answered with where to go
        #[arg(hide = true)]
        target: Option<String>,
    },
    /// Forget sessions here, and say what stays valid at AWS
    #[command(
        after_help = "Examples:\n  sekisho logout\n  sekisho logout dev-tanaka/Developer\n  sekisho logout --all"
    )]
    Logout {
        /// Only this account's role; without it, this config's every session
        target: Option<String>,
        /// Every session of every config, unreadable even in a backup
        #[arg(long, conflicts_with = "target")]
        all: bool,
    },
    /// Show what is live, until when, and where it rests
    #[command(after_help = "Example: sekisho status --json | jq .auth_session.seconds_left")]
    Status {
        /// One JSON object
        #[arg(long)]
        json: bool,
    },
    /// Keep the access key in the store: add, import, rotate, remove, status
    #[command(
        after_help = "Examples:\n  sekisho key import --profile default\n  sekisho key rotate"
    )]
    Key {
        /// What to do with it
        #[command(subcommand)]
        what: KeyVerb,
    },
    /// Make a first config
    #[command(
        after_help = "Example: sekisho init\nFrom what AWS's own tools know: sekisho import aws-config --write"
    )]
    Init {
        /// Replace the config that is there
        #[arg(long)]
        force: bool,
        /// A habit from other tools, whose `init` prints a shell hook
        #[arg(hide = true)]
        shell: Option<String>,
    },
    /// Take over accounts that something else already knows
    Import {
        /// From where
        #[command(subcommand)]
        what: ImportVerb,
    },
    /// Check the config, or show what it means
    Config {
        /// Which of the two
        #[command(subcommand)]
        what: ConfigVerb,
    },
    /// Prove that a leaked key opens nothing
    #[command(
        after_help = "Examples:\n  sekisho verify\n  sekisho verify dev-tanaka --json\n\nExit: 0 all proved, 5 something is OPEN, 6 undecided."
    )]
    Verify(VerifyArgs),
    /// Look for what commonly goes wrong here, and what weakens the promise
    #[command(after_help = "Example: sekisho doctor --offline")]
    Doctor(DoctorArgs),
    /// Render the guardrails that make a leaked key worthless
    #[command(
        after_help = "Examples:\n  sekisho policy --format cloudformation --write guardrails/\n  sekisho policy --format json | less"
    )]
    Policy(PolicyArgs),
    /// Try everything in an emulated organisation; needs no account and no network
    #[command(
        after_help = "Examples:\n  sekisho demo\n  sekisho demo exec dev-tanaka -- aws sts get-caller-identity\n  sekisho demo --serve"
    )]
    Demo {
        /// Keep the organisation running and print how to reach it
        #[arg(long)]
        serve: bool,
        /// The verb to run in it, with its arguments
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "VERB")]
        verb: Vec<OsString>,
    },
}

const LIST_HELP: &str = "\
With --json, an array of objects. Fields may be added; none is renamed or removed:
  target account account_id aliases role role_arn region duration_seconds
  flow (shared, direct) scope (full, read-only) guard (none, warn, confirm)
  tags note expires (of the live session here: RFC 3339, UTC; else null)

Examples:
  sekisho list --filter 'tag:sandbox tokyo'
  sekisho list --json | jq -r '.[] | select(.expires) | .target'";

/// What `list` lists, and how.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// One JSON array
    #[arg(long)]
    pub json: bool,
    /// What this finds, the best first: words, and tag: role: region:
    #[arg(long, value_name = "QUERY")]
    pub filter: Option<String>,
    /// Every word that names a target, for completion scripts
    #[arg(long, hide = true, conflicts_with_all = ["json", "filter"])]
    pub names: bool,
}

/// Which console, and where it opens.
#[derive(Debug, Args)]
pub struct ConsoleArgs {
    /// The account, or account/role
    pub target: String,
    /// Print the URL instead; whoever has it is signed in
    #[arg(long)]
    pub print: bool,
    /// The page, as the console's address calls it: ec2, s3, cloudformation
    #[arg(long, value_name = "SERVICE")]
    pub service: Option<Service>,
}

/// What becomes of the profiles.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct ProfilesArgs {
    /// Write the block, after showing what changes
    #[arg(long)]
    pub write: bool,
    /// Take the block away again
    #[arg(long, conflicts_with_all = ["write", "include_guarded"])]
    pub remove: bool,
    /// Targets that want a confirmation too: their profiles carry it
    #[arg(long)]
    pub include_guarded: bool,
    /// Do not ask
    #[arg(long)]
    pub yes: bool,
}

/// What `env` prints, and for whom.
#[derive(Debug, Args)]
pub struct EnvArgs {
    /// The account, or account/role; without it the list opens
    pub target: Option<String>,
    /// The shell that evaluates it [default: the one you are in]
    #[arg(long, value_name = "SHELL")]
    pub shell: Option<ShellName>,
    /// Code to evaluate, or data
    #[arg(long, value_name = "FORMAT", default_value = "export")]
    pub format: Format,
    /// Take everything back that sekisho sets
    #[arg(long, conflicts_with = "target")]
    pub unset: bool,
    /// Show secrets on a terminal too
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

/// What `env` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Code to evaluate
    Export,
    /// One JSON object
    Json,
    /// NAME=value lines
    Dotenv,
}

/// The shells of hooks and completions, by name.
fn hookable() -> impl TypedValueParser<Value = Hookable> {
    let parse = |name: String| Hookable::ALL.into_iter().find(|shell| shell.name() == name);
    PossibleValuesParser::new(Hookable::ALL.map(Hookable::name))
        .try_map(move |name| parse(name).ok_or_else(|| Malformed("no such shell".into())))
}

/// What `verify` probes, and how it tells.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// Accounts or account/roles; without any, every one that is not guarded by `confirm`
    #[arg(value_name = "TARGET")]
    pub targets: Vec<String>,
    /// Do not ask before probing
    #[arg(long)]
    pub yes: bool,
    /// A report for programs
    #[arg(long)]
    pub json: bool,
    /// Show every finding, not only what is wrong
    #[arg(long, conflicts_with = "json")]
    pub all: bool,
    /// The most calls a second
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub rate: u32,
}

/// How `doctor` looks, and how it tells.
#[derive(Debug, Clone, Copy, Args)]
pub struct DoctorArgs {
    /// Call nothing
    #[arg(long)]
    pub offline: bool,
    /// Rows for programs
    #[arg(long)]
    pub json: bool,
}

/// What `policy` renders, and where to.
#[derive(Debug, Args)]
pub struct PolicyArgs {
    /// The form of the documents
    #[arg(long, value_name = "FORMAT", default_value = "json")]
    pub format: PolicyFormat,
    /// Write them into this folder, after showing what changes
    #[arg(long, value_name = "DIR")]
    pub write: Option<PathBuf>,
    /// Write without asking
    #[arg(long, requires = "write")]
    pub yes: bool,
}

/// The form of the documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PolicyFormat {
    /// Policies to deploy by your own means
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

/// Where accounts are taken over from.
#[derive(Debug, Subcommand)]
pub enum ImportVerb {
    /// The roles in ~/.aws/config, as a config; the access key is not copied
    #[command(
        after_help = "Examples:\n  sekisho import aws-config | less\n  sekisho import aws-config --write"
    )]
    AwsConfig(AwsConfigArgs),
    /// The active accounts of the organisation, as a file for `include`
    #[command(
        after_help = "Example: sekisho import organizations --role Developer > ~/.config/sekisho/accounts.yaml"
    )]
    Organizations(OrganizationsArgs),
}

/// What `import aws-config` reads, and where to.
#[derive(Debug, Args)]
pub struct AwsConfigArgs {
    /// The file to read [default: the one that AWS's tools read, ~/.aws/config]
    #[arg(long, value_name = "FILE")]
    pub profile_file: Option<PathBuf>,
    /// The auth account [default: the one that most MFA devices belong to]
    #[arg(long, value_name = "ID")]
    pub account: Option<AccountId>,
    /// Make it the config, after showing what changes
    #[arg(long)]
    pub write: bool,
    /// Write without asking
    #[arg(long, requires = "write")]
    pub yes: bool,
}

/// How the organisation is listed.
#[derive(Debug, Args)]
pub struct OrganizationsArgs {
    /// The role of every account [default: what the config's `defaults` say]
    #[arg(long, value_name = "NAME")]
    pub role: Option<RoleName>,
    /// List through this target, e.g. a role of the management account
    #[arg(long, value_name = "TARGET")]
    pub via: Option<String>,
}

/// What to do with the config.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Subcommand)]
pub enum ConfigVerb {
    /// Every complaint at once; strict in included files too
    Check,
    /// The effective config, each value with its origin
    Show,
}

/// What to do with the access key.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum KeyVerb {
    /// Type a key without echo, or pipe it in: two lines, AWS's JSON, or the console's CSV
    #[command(
        after_help = "Examples:\n  sekisho key add\n  aws iam create-access-key | sekisho key add"
    )]
    Add {
        /// Replace another key without asking
        #[arg(long)]
        yes: bool,
    },
    /// Move a profile's key out of ~/.aws/credentials
    #[command(after_help = "Example: sekisho key import --profile default")]
    Import {
        /// The profile [default: the one in use, else default]
        #[arg(long, value_name = "NAME")]
        profile: Option<String>,
        /// Keep a copy of the file, which still holds the key
        #[arg(long)]
        backup: bool,
        /// Move without asking
        #[arg(long)]
        yes: bool,
    },
    /// Replace the key by a new one; goes on where it was cut off
    #[command(after_help = "Examples:\n  sekisho key rotate\n  sekisho key rotate --finish")]
    Rotate {
        /// Delete the old key too
        #[arg(long)]
        finish: bool,
        /// Delete what has to be deleted without asking
        #[arg(long)]
        yes: bool,
    },
    /// Remove the key from this machine
    Remove {
        /// Remove without asking
        #[arg(long)]
        yes: bool,
    },
    /// Show the key's age, activity and last use
    Status {
        /// One JSON object
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
