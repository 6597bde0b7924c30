//! The config as types that cannot be invalid. The format is documented in `config.example.yaml`.
//!
//! From text to types: `tree` parses YAML and keeps every value's place; a `cursor` reads values out of the tree,
//! by the keys of `schema`; `settings`, `guardrails`, `entry` and `role` make types of them; `join` and `assemble` make
//! one config of all files. `show` prints the result, `draft` writes a new file; `edit`
//! adds to one that is there, at the `places` of its values.

mod assemble;
mod cursor;
mod diagnostic;
pub mod draft;
pub mod edit;
mod entry;
mod guardrails;
mod join;
mod places;
mod role;
mod scalar;
pub mod schema;
mod settings;
pub mod show;
mod tree;
mod values;

pub use assemble::{ReadPolicy, assemble};
pub use diagnostic::{Diagnostic, Location, Pos, Strictness};
pub use entry::{Include, IncludedFile, MAX_ACCOUNTS, OWN_FILE, StaleAfter, is_own_file};
pub use role::{session_tag_key_fault, session_tag_value_fault};
pub use settings::{MainFile, check_endpoint};

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::account::Catalog;
use super::agents::Allowance;
use super::ids::{AccountId, Endpoints, MfaSerial, Region, UserName};
use super::known::{Known, ReadAccount};

/// A whole config, all files joined.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Config {
    /// The auth account and how to sign in to it.
    pub auth: Auth,
    /// The accounts to enter.
    pub catalog: Catalog,
    /// Where secrets are stored.
    pub store: StoreChoice,
    /// How subshells start, renew and look.
    pub shell: ShellPrefs,
    /// How the list of accounts looks and behaves.
    pub list: ListPrefs,
    /// How the console is opened; `None` is the platform's way.
    pub browser: Option<Vec<String>>,
    /// Whether issued sessions are noted in the diary.
    pub audit: bool,
    /// Whether nothing is said on entry.
    pub quiet: bool,
    /// What the `defaults` let agents have: all there is to say where no target is meant.
    pub agents: Option<Allowance>,
    /// What `policy` renders and `doctor` holds the key's age against.
    pub guardrails: Option<Guardrails>,
    /// The included files that are pointed out once they are old.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub watched: Vec<WatchedFile>,
}

/// An included file that is pointed out once it is old.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchedFile {
    /// The file.
    pub path: PathBuf,
    /// From which age on.
    pub stale_after: Duration,
    /// Whether `config update` makes it anew.
    pub has_update: bool,
}

/// The auth account and how to sign in to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Auth {
    /// The account with the IAM users.
    pub account: AccountId,
    /// The IAM user; else learned from `sts:GetCallerIdentity`.
    pub user: Option<UserName>,
    /// Where the access key comes from.
    pub key: KeySource,
    /// Devices that make codes; where empty, `iam:ListMFADevices` is asked.
    pub mfa: Vec<MfaDevice>,
    /// A program that prints a code.
    pub mfa_command: Option<Argv>,
    /// The region of the STS endpoint.
    pub region: Region,
    /// How long one code lasts: 15 min to 36 h.
    pub session: Duration,
    /// An emulator instead of AWS: https, or http on loopback.
    pub endpoint_url: Option<String>,
    /// Which of AWS's own endpoints are called. It is not in the config: variables say it.
    #[serde(default, skip_serializing_if = "Endpoints::is_standard")]
    pub endpoints: Endpoints,
}

#[cfg(test)]
impl Auth {
    /// One for tests, whose sessions come from here.
    pub(crate) fn sample(key: KeySource) -> Self {
        Self {
            account: "111111111111".parse().unwrap(),
            user: None,
            key,
            mfa: Vec::new(),
            mfa_command: None,
            region: "eu-west-1".parse().unwrap(),
            session: Duration::from_hours(12),
            endpoint_url: None,
            endpoints: Endpoints::Standard,
        }
    }
}

impl Auth {
    /// What tells the sessions of its endpoint from those of others; `None` for AWS's usual ones.
    pub fn endpoint(&self) -> Option<&str> {
        self.endpoint_url.as_deref().or(self.endpoints.name())
    }

    /// An emulator on this machine, which the tools of a child must call, too.
    pub fn loopback_endpoint(&self) -> Option<&str> {
        let is_here = |url: &&str| {
            let url: Option<http::Uri> = url.parse().ok();
            url.is_some_and(|url| url.host().is_some_and(settings::is_loopback))
        };
        self.endpoint_url.as_deref().filter(is_here)
    }
}

/// A device as the config names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MfaDevice {
    /// What STS takes as `SerialNumber`.
    pub serial: MfaSerial,
    /// The user's own name for it, e.g. `phone`.
    pub label: Option<String>,
}

/// A program and its arguments; never empty, never run through a shell.
pub type Argv = Vec<String>;

/// Where the access key comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeySource {
    /// The config's `store`.
    Auto,
    /// The OS keychain only.
    Keyring,
    /// The sealed key file.
    File,
    /// `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`.
    Env,
    /// A profile of `~/.aws/credentials`.
    Profile(String),
    /// A program that prints AWS's credential-process JSON.
    Command(Argv),
    /// There is none: a console sign-in is in its place.
    Login,
}

/// Where secrets are stored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StoreChoice {
    /// The keychain where one works, else the sealed file.
    #[default]
    Auto,
    /// The OS keychain only.
    Keyring,
    /// Sealed files only.
    File,
    /// Sessions in memory only.
    None,
}

/// How subshells start, renew and look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShellPrefs {
    /// The shell to start; `None` is the parent shell, else `$SHELL`.
    pub program: Option<String>,
    /// How a subshell outlives its hour.
    pub renew: RenewPref,
    /// Whether its prompt is marked.
    pub mark_prompt: bool,
    /// Other tools' variables that prompts know.
    pub prompt_compat: PromptCompat,
}

impl Default for ShellPrefs {
    fn default() -> Self {
        Self {
            program: None,
            renew: RenewPref::default(),
            mark_prompt: true,
            prompt_compat: PromptCompat::default(),
        }
    }
}

/// How a subshell outlives its hour.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RenewPref {
    /// The shell's hook renews the session when the prompt is drawn.
    #[default]
    Prompt,
    /// SDKs fetch fresh credentials from an endpoint on loopback.
    Serve,
    /// It does not: the session ends after its hour.
    Off,
}

/// Other tools' variables that prompts know.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PromptCompat {
    /// `AWS_VAULT` where starship or powerlevel10k draws the prompt.
    #[default]
    Auto,
    /// No variable of another tool is set.
    None,
    /// `AWS_VAULT` always.
    AwsVault,
}

/// How the list of accounts looks and behaves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListPrefs {
    /// What follows a subshell.
    pub after_shell: AfterShell,
    /// The order of rows that match equally.
    pub order: Order,
    /// The filter that the list starts with.
    pub query: String,
    /// Which glyphs it is drawn with.
    pub symbols: Symbols,
    /// Whether it takes the mouse's wheel and clicks.
    pub mouse: bool,
    /// Keys by action, replacing the action's own.
    pub keys: BTreeMap<String, Vec<String>>,
}

/// What follows a subshell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AfterShell {
    /// The list again, where it was.
    #[default]
    List,
    /// sekisho exits.
    Exit,
}

/// The order of rows that match equally.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// Stars, then what is used often and lately.
    #[default]
    Frecency,
    /// As in the config.
    Config,
}

/// Which glyphs the list is drawn with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Symbols {
    /// ASCII on dumb terminals and without UTF-8.
    #[default]
    Auto,
    /// Unicode on every terminal.
    Unicode,
    /// No ambiguous-width glyph at all.
    Ascii,
}

/// What `policy` renders (`config.example.yaml` describes each key).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guardrails {
    /// `o-…`
    pub organization: Option<String>,
    /// The account that SCPs do not bind.
    pub management_account: Option<AccountId>,
    /// `ou-…`
    pub sandbox_ou: Option<String>,
    /// Where developers may work.
    pub regions: Vec<Region>,
    /// Patterns of instance types that may be started.
    pub instance_types: Vec<String>,
    /// The budget of one account, US dollars a month.
    pub monthly_budget_usd: Option<u32>,
    /// Full role ARN patterns that the guardrails exempt, and protect.
    pub exempt_roles: Vec<String>,
    /// Accounts outside the organization that may assume roles.
    pub trusted_accounts: Vec<AccountId>,
    /// Web identity and SAML issuers.
    pub trusted_issuers: Vec<String>,
    /// Bedrock model ids, patterns allowed; empty: no limit.
    pub allowed_models: Vec<String>,
    /// AWS Marketplace products that may be subscribed to.
    pub allowed_products: Vec<String>,
    /// Whether IAM users of sandbox accounts may send mail without MFA.
    pub allow_ses_smtp: bool,
    /// When a key is too old.
    pub max_key_age: Duration,
}

impl Default for Guardrails {
    fn default() -> Self {
        Self {
            organization: None,
            management_account: None,
            sandbox_ou: None,
            regions: Vec::new(),
            instance_types: Vec::new(),
            monthly_budget_usd: None,
            exempt_roles: Vec::new(),
            trusted_accounts: Vec::new(),
            trusted_issuers: Vec::new(),
            allowed_models: Vec::new(),
            allowed_products: Vec::new(),
            allow_ses_smtp: false,
            max_key_age: Duration::from_hours(90 * 24),
        }
    }
}

/// A config, its warnings, and where its values come from.
#[derive(Debug)]
pub struct Loaded {
    /// What its files make together.
    pub config: Config,
    /// What was left out, and why.
    pub warnings: Vec<Diagnostic>,
    /// Where it comes from.
    pub provenances: Provenances,
    /// The region of accounts of the main file that name none.
    pub default_region: Option<Region>,
    /// The accounts to be remembered, as they are now.
    pub read: Vec<ReadAccount>,
    /// What is remembered after this reading.
    pub known: Known,
}

/// Where every value of a config comes from, for `config show`.
#[derive(Debug, Default)]
pub struct Provenances {
    /// The files, the main one first; a [`SourceRef`] holds a position in this list.
    pub files: Vec<PathBuf>,
    /// Settings by dotted key, e.g. `auth.key`; what is absent is a default.
    pub settings: BTreeMap<String, SourceRef>,
    /// The accounts, in the catalog's order.
    pub accounts: Vec<AccountProvenance>,
}

/// Where a value of an account or role comes from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Provenance {
    /// No file sets it.
    #[default]
    BuiltIn,
    /// A file sets it there.
    File(SourceRef),
    /// A file's `defaults` set it.
    Defaults(SourceRef),
    /// `min_guard` raised it.
    MinGuard(SourceRef),
    /// A change that is not accepted yet raised it.
    Changed,
}

impl Provenance {
    /// Whether an included file set it.
    fn is_included(self) -> bool {
        matches!(self, Self::File(source) | Self::Defaults(source) if source.file != 0)
    }
}

/// Where the values of one account come from.
#[derive(Debug)]
#[expect(missing_docs, reason = "the fields are the account's")]
pub struct AccountProvenance {
    pub name: Provenance,
    pub id: Provenance,
    pub aliases: Provenance,
    pub region: Provenance,
    pub color: Provenance,
    pub guard: Provenance,
    /// Its own word about agents: what comes of it is each role's.
    pub agents: Option<(Allowance, Provenance)>,
    pub tags: Provenance,
    pub note: Provenance,
    /// The roles, in their order.
    pub roles: Vec<RoleProvenance>,
}

/// Where the values of one role come from.
#[derive(Debug)]
pub struct RoleProvenance {
    /// The role itself, and what it says of itself.
    pub role: Provenance,
    /// Where its duration comes from.
    pub duration: Provenance,
    /// What made its guard as strict as it is.
    pub guard: Provenance,
    /// What decides about agents; built in where that is the guard.
    pub agents: Provenance,
    /// Where the keys of its long form are.
    pub rest: Vec<(&'static str, SourceRef)>,
}

/// A place in one of a config's files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceRef {
    /// The file's position in [`Provenances::files`].
    pub file: u32,
    /// The position in that file.
    pub pos: Pos,
}

/// A value and where it is.
#[derive(Debug, Clone, Copy)]
struct At<T> {
    value: T,
    source: SourceRef,
}
