//! The arguments of single verbs, and the values that they take.
//!
//! Doc comments here are what `--help` prints.

use std::ffi::OsString;
use std::path::PathBuf;
use std::str::FromStr;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand, ValueEnum};

use crate::domain::config::check_endpoint;
use crate::domain::ids::{AccountId, Malformed, MfaSerial, Name, Partition, RoleName, UserName};
use crate::domain::import::organization::{AccountTemplate, TagFilter};
use crate::domain::policy;
use crate::domain::profiles::{NameTemplate, Setting};
use crate::services::child::environment::Syntax;
use crate::services::child::shell::Hookable;
use crate::services::console::Page;

use crate::cli::suggestions::{self, Suggested};

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
pub(super) fn hookable() -> impl TypedValueParser<Value = Hookable> {
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

/// What `init` asks, as options: what is given is not asked.
#[derive(Debug, Default, Args)]
pub struct InitArgs {
    /// The access key: - (stdin), env, profile:NAME, store (sekisho's own), or login (none: the browser signs in)
    #[arg(
        long,
        value_name = "WHERE",
        value_parser = Suggested::<InitKey>::of(&["-", "env", "store", "login"]),
        hide_possible_values = true
    )]
    pub key: Option<InitKey>,
    /// Copy a key of --key env or --key profile:NAME into the store; without it, it is read there each time
    #[arg(long)]
    pub store_key: bool,
    /// Take a passphrase for the key's file that is easily guessed
    #[arg(long)]
    pub weak_passphrase: bool,
    /// The account of the IAM user [default: learned from AWS; --key login needs it]
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
    /// Nowhere: a browser signs in at the console.
    Login,
}

impl FromStr for InitKey {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        match (text, text.strip_prefix("profile:")) {
            ("-", _) => Ok(Self::Stdin),
            ("env", _) => Ok(Self::Env),
            ("store", _) => Ok(Self::Store),
            ("login", _) => Ok(Self::Login),
            (_, Some(name)) if !name.is_empty() => Ok(Self::Profile(name.to_owned())),
            _ => {
                Err(Malformed("the key is at -, env, profile:NAME or store; login is none".into()))
            }
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
    /// List the organization's active accounts, or keep them in a file that the config includes
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
