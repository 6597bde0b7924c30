//! Every key that a config may hold: the one table of them.
//!
//! From it follow the complaints about unknown keys with the nearest known one, what an included file cannot say, the
//! places that are kept for `config show`, and its order.

/// A mapping whose keys are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    /// The top mapping of a file.
    Top,
    /// `auth`
    Auth,
    /// An element of `auth.mfa` in its long form.
    Device,
    /// An element of `include` in its long form.
    Include,
    /// `defaults`
    Defaults,
    /// `guardrails`
    Guardrails,
    /// An element of `accounts`.
    Account,
    /// An element of `roles` in its long form.
    Role,
}

impl Section {
    /// All of them, outermost first.
    pub const ALL: [Self; 8] = [
        Self::Top,
        Self::Auth,
        Self::Device,
        Self::Include,
        Self::Defaults,
        Self::Guardrails,
        Self::Account,
        Self::Role,
    ];

    /// Its keys, in the order in which they are documented and shown.
    #[rustfmt::skip]
    pub const fn keys(self) -> &'static [&'static str] {
        match self {
            Self::Top => &[
                "version", "auth", "defaults", "store", "shell", "renew", "prompt", "prompt_compat", "after_shell",
                "order", "query", "symbols", "browser", "audit", "quiet", "mouse", "keys", "min_guard", "guardrails", "include", "accounts",
            ],
            Self::Auth => &[
                "account", "user", "key", "key_command", "mfa", "mfa_command", "region", "session", "endpoint_url",
            ],
            Self::Device => &["serial", "label"],
            Self::Include => &["file", "update", "stale_after"],
            Self::Defaults => &["roles", "region", "duration", "agents"],
            Self::Guardrails => &[
                "organization", "management_account", "sandbox_ou", "regions", "instance_types", "monthly_budget_usd",
                "exempt_roles", "trusted_accounts", "trusted_issuers", "allowed_models", "allowed_products",
                "allow_ses_smtp", "max_key_age",
            ],
            Self::Account => &[
                "name", "id", "aliases", "region", "color", "guard", "agents", "tags", "note", "hide", "roles",
            ],
            Self::Role => &[
                "name", "path", "duration", "region", "guard", "agents", "scope", "policy_arns", "policy", "external_id", "tags",
                "transitive_tags", "source_identity",
            ],
        }
    }

    /// Whether a key is allowed in the main file only. Included files may be written by others, so they cannot run a
    /// program, choose a key or lower a guard.
    pub fn is_main_only(self, key: &str) -> bool {
        match self {
            // `version` is harmless, and often copied.
            Self::Top => !["version", "defaults", "accounts"].contains(&key),
            Self::Auth | Self::Device | Self::Include | Self::Guardrails => true,
            // Included files decide where people go, not who they are there.
            Self::Role => ["tags", "transitive_tags", "source_identity"].contains(&key),
            Self::Defaults | Self::Account => false,
        }
    }

    /// Its own name for a key of that name.
    pub(super) fn key(self, name: &str) -> Option<&'static str> {
        self.keys().iter().find(|key| **key == name).copied()
    }

    /// What a fault calls it.
    pub(super) const fn title(self) -> &'static str {
        match self {
            Self::Top => "a config",
            Self::Auth => "`auth`",
            Self::Device => "a device",
            Self::Include => "an include",
            Self::Defaults => "`defaults`",
            Self::Guardrails => "`guardrails`",
            Self::Account => "an account",
            Self::Role => "a role",
        }
    }

    /// A setting's key with its section before it, e.g. `auth.region`; `None` in sections that are no settings.
    pub(super) fn dotted(self, key: &str) -> Option<String> {
        match self {
            Self::Top => Some(key.to_owned()),
            Self::Auth => Some(format!("auth.{key}")),
            Self::Guardrails => Some(format!("guardrails.{key}")),
            Self::Device | Self::Include | Self::Defaults | Self::Account | Self::Role => None,
        }
    }
}

/// Whether a name is a key somewhere in the main file, and nowhere in an included one.
pub(super) fn belongs_to_main_file(name: &str) -> bool {
    let mut sections = Section::ALL.iter().filter(|section| section.key(name).is_some()).peekable();
    sections.peek().is_some() && sections.all(|section| section.is_main_only(name))
}
