//! `config show`: the effective config in YAML-like lines, each value with where it comes from.

use std::fmt::Write as _;

use serde::Serialize;
use unicode_width::UnicodeWidthStr as _;

use super::scalar::{list, scalar};
use super::schema::Section;
use super::{
    AccountProvenance, Auth, Config, Guardrails, KeySource, Loaded, MfaDevice, Provenance,
    Provenances, RoleProvenance, SourceRef,
};
use crate::domain::account::{Account, Role};
use crate::domain::agents::Allowance;
use crate::domain::duration::show_duration;
use crate::domain::guard::Guard;
use crate::domain::ids::{AccountId, Name, PolicyArn, Region, RolePath};
use crate::domain::scope::Scope;
use crate::domain::text::sanitize;

/// The column of the provenances, where the values leave room.
const ORIGIN_COLUMN: usize = 52;

/// The effective config, each value with where it comes from: `file:line`, default, or `min_guard`.
pub fn render(loaded: &Loaded) -> String {
    let provenances = &loaded.provenances;
    let mut page = Page { provenances, text: String::new() };
    let kinds = std::iter::once("main file").chain(std::iter::repeat("included"));
    for (file, kind) in provenances.files.iter().zip(kinds) {
        let _ = writeln!(page.text, "# {kind}: {}", sanitize(&file.to_string_lossy()));
    }
    page.config(&loaded.config);
    page.text
}

struct Page<'o> {
    provenances: &'o Provenances,
    text: String,
}

impl Page<'_> {
    fn config(&mut self, config: &Config) {
        let (shell, list_prefs) = (&config.shell, &config.list);
        for key in Section::Top.keys() {
            let value = match *key {
                "version" => "1".to_owned(),
                "store" => word(config.store),
                "shell" => shell.program.as_deref().map_or("auto".into(), scalar),
                "renew" => word(shell.renew),
                "prompt" => if shell.mark_prompt { "auto" } else { "off" }.to_owned(),
                "prompt_compat" => word(shell.prompt_compat),
                "after_shell" => word(list_prefs.after_shell),
                "order" => word(list_prefs.order),
                "query" => scalar(&list_prefs.query),
                "symbols" => word(list_prefs.symbols),
                "browser" => config.browser.as_deref().map_or("auto".into(), list),
                "audit" => if config.audit { "on" } else { "off" }.to_owned(),
                "quiet" => if config.quiet { "on" } else { "off" }.to_owned(),
                "mouse" => if list_prefs.mouse { "on" } else { "off" }.to_owned(),
                "keys" => braces(list_prefs.keys.iter().map(|(key, value)| (key, list(value)))),
                "auth" => {
                    self.auth(&config.auth);
                    continue;
                }
                "guardrails" => {
                    config.guardrails.iter().for_each(|rails| self.guardrails(rails));
                    continue;
                }
                "accounts" => {
                    self.accounts(config);
                    continue;
                }
                // `defaults`, `min_guard` and `include` are shown by what they do to the accounts.
                _ => continue,
            };
            self.setting(Section::Top, key, &value);
        }
    }

    fn auth(&mut self, auth: &Auth) {
        self.head(0, "auth");
        for key in Section::Auth.keys() {
            let value = match (*key, &auth.key) {
                ("account", _) => Some(quoted_id(auth.account)),
                ("user", _) => {
                    Some(auth.user.as_ref().map_or("(asked of AWS)", |user| user.as_str()).into())
                }
                ("key", KeySource::Auto) => Some("auto".to_owned()),
                ("key", KeySource::Keyring) => Some("keyring".to_owned()),
                ("key", KeySource::File) => Some("file".to_owned()),
                ("key", KeySource::Env) => Some("env".to_owned()),
                ("key", KeySource::Login) => Some("login".to_owned()),
                ("key", KeySource::Profile(name)) => Some(scalar(&format!("profile:{name}"))),
                ("key_command", KeySource::Command(argv)) => Some(list(argv)),
                ("mfa", _) if auth.mfa.is_empty() => Some("(asked of AWS)".to_owned()),
                ("mfa", _) => {
                    self.devices(&auth.mfa);
                    None
                }
                ("mfa_command", _) => auth.mfa_command.as_deref().map(list),
                ("region", _) => Some(auth.region.as_str().to_owned()),
                ("session", _) => Some(show_duration(auth.session)),
                ("endpoint_url", _) => auth.endpoint_url.as_deref().map(scalar),
                _ => None,
            };
            if let Some(value) = value {
                self.setting(Section::Auth, key, &value);
            }
        }
    }

    fn devices(&mut self, devices: &[MfaDevice]) {
        self.head(1, "mfa");
        for device in devices {
            let label = device.label.as_deref();
            let label = label.map(|label| format!(", label: {}", scalar(label)));
            let value = format!("{}{}}}", device.serial, label.unwrap_or_default());
            let provenance = self.setting_place(&format!("auth.mfa.{}", device.serial));
            self.line(2, "- {serial", &value, provenance);
        }
    }

    fn guardrails(&mut self, rails: &Guardrails) {
        self.head(0, "guardrails");
        for key in Section::Guardrails.keys() {
            let value = match *key {
                "organization" => rails.organization.clone(),
                "management_account" => rails.management_account.map(quoted_id),
                "sandbox_ou" => rails.sandbox_ou.clone(),
                "regions" => {
                    let regions: Vec<&str> = rails.regions.iter().map(Region::as_str).collect();
                    Some(list(&regions))
                }
                "instance_types" => Some(list(&rails.instance_types)),
                "monthly_budget_usd" => rails.monthly_budget_usd.map(|usd| usd.to_string()),
                "exempt_roles" => Some(list(&rails.exempt_roles)),
                "trusted_accounts" => {
                    let ids: Vec<_> =
                        rails.trusted_accounts.iter().map(ToString::to_string).collect();
                    Some(list(&ids))
                }
                "trusted_issuers" => Some(list(&rails.trusted_issuers)),
                "allowed_models" => Some(list(&rails.allowed_models)),
                "allowed_products" => Some(list(&rails.allowed_products)),
                "allow_ses_smtp" => Some(rails.allow_ses_smtp.to_string()),
                "max_key_age" => Some(show_duration(rails.max_key_age)),
                _ => None,
            };
            if let Some(value) = value {
                self.setting(Section::Guardrails, key, &value);
            }
        }
    }

    fn accounts(&mut self, config: &Config) {
        self.head(0, "accounts");
        let accounts = config.catalog.accounts().iter().zip(&self.provenances.accounts);
        for ((account, from), position) in accounts.zip(0..) {
            let default = config.catalog.default_region(position);
            self.account(account, account.region.as_ref().or(default), from);
        }
    }

    fn account(&mut self, account: &Account, region: Option<&Region>, from: &AccountProvenance) {
        for key in Section::Account.keys() {
            let (value, from) = match *key {
                "name" => (Some(scalar(account.name.as_str())), from.name),
                "id" => (Some(quoted_id(account.id)), from.id),
                "aliases" => {
                    let aliases: Vec<&str> = account.aliases.iter().map(Name::as_str).collect();
                    (unless_empty(&aliases), from.aliases)
                }
                "region" => (region.map(|region| region.as_str().to_owned()), from.region),
                "color" => (account.color.map(word), from.color),
                "guard" => (guard(account.guard), from.guard),
                "agents" => match from.agents {
                    Some((agents, from)) => (Some(agents.name().to_owned()), from),
                    None => continue,
                },
                "tags" => (unless_empty(&account.tags), from.tags),
                "note" => (account.note.as_deref().map(scalar), from.note),
                // `hide` leaves nothing to show; the roles follow.
                _ => continue,
            };
            self.element(1, key, value, from);
        }
        self.head(2, "roles");
        for (role, from) in account.roles.iter().zip(&from.roles) {
            self.role(role, account.guard, from);
        }
    }

    fn role(&mut self, role: &Role, accounts_guard: Guard, from: &RoleProvenance) {
        let session = &role.session;
        for key in Section::Role.keys() {
            let own = from.rest.iter().find(|(name, _)| name == key);
            let own = own.map_or(from.role, |(_, source)| Provenance::File(*source));
            let (value, from) = match *key {
                "name" => (Some(scalar(role.name.as_str())), from.role),
                "path" => {
                    let path = Some(&role.path).filter(|path| **path != RolePath::root());
                    (path.map(|path| scalar(path.as_str())), own)
                }
                "duration" => (Some(show_duration(role.duration)), from.duration),
                "region" => (role.region.as_ref().map(|region| region.as_str().to_owned()), own),
                "guard" => (guard(role.guard), from.guard),
                "agents" => {
                    let agents = role.agents.under(accounts_guard.max(role.guard));
                    let shown = agents != Allowance::Full || from.agents != Provenance::BuiltIn;
                    (shown.then(|| agents.name().to_owned()), from.agents)
                }
                "scope" => {
                    let scope = Some(session.scope).filter(|scope| *scope != Scope::Full);
                    (scope.map(|scope| scope.name().to_owned()), own)
                }
                "policy_arns" => {
                    let arns: Vec<&str> =
                        session.policy_arns.iter().map(PolicyArn::as_str).collect();
                    (unless_empty(&arns), own)
                }
                "policy" => (session.policy.as_deref().map(scalar), own),
                "external_id" => (session.external_id.as_ref().map(|id| scalar(id.as_str())), own),
                "tags" => {
                    let tags = session.tags.iter().map(|(key, value)| (key, scalar(value)));
                    ((!session.tags.is_empty()).then(|| braces(tags)), own)
                }
                "transitive_tags" => {
                    let names: Vec<&String> = session.transitive_tags.iter().collect();
                    (unless_empty(&names), own)
                }
                "source_identity" => {
                    (session.source_identity.as_ref().map(|id| scalar(id.as_str())), own)
                }
                _ => continue,
            };
            self.element(3, key, value, from);
        }
    }

    fn head(&mut self, depth: usize, key: &str) {
        let _ = writeln!(self.text, "{:1$}{key}:", "", depth * 2);
    }

    fn line(&mut self, depth: usize, key: &str, value: &str, provenance: Provenance) {
        let line = format!("{:1$}{key}: {value}", "", depth * 2);
        let pad = ORIGIN_COLUMN.saturating_sub(line.width());
        let provenance = self.provenance(provenance);
        let _ = writeln!(self.text, "{line}{:pad$}  # {provenance}", "");
    }

    /// A value of a list's element at `depth`, which begins with its name.
    fn element(&mut self, depth: usize, key: &str, value: Option<String>, from: Provenance) {
        let Some(value) = value else { return };
        match key {
            "name" => self.line(depth, "- name", &value, from),
            key => self.line(depth + 1, key, &value, from),
        }
    }

    /// A setting of the main file.
    fn setting(&mut self, section: Section, key: &str, value: &str) {
        let provenance = self.setting_place(&section.dotted(key).unwrap_or_default());
        let depth = usize::from(section != Section::Top);
        self.line(depth, key, value, provenance);
    }

    /// Where a setting is; absent means default.
    fn setting_place(&self, dotted: &str) -> Provenance {
        let source = self.provenances.settings.get(dotted);
        source.map_or(Provenance::BuiltIn, |source| Provenance::File(*source))
    }

    fn place(&self, source: SourceRef) -> String {
        let file = self.provenances.files.get(source.file as usize);
        let file = file.map(|file| sanitize(&file.to_string_lossy())).unwrap_or_default();
        format!("{file}:{}", source.pos.line)
    }

    fn provenance(&self, provenance: Provenance) -> String {
        match provenance {
            Provenance::BuiltIn => "default".to_owned(),
            Provenance::File(source) => self.place(source),
            Provenance::Defaults(source) => format!("defaults {}", self.place(source)),
            Provenance::MinGuard(source) => format!("min_guard {}", self.place(source)),
            Provenance::Changed => "changed, see: sekisho config accept".to_owned(),
        }
    }
}

/// The word that serde and the config know a choice by.
fn word(value: impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}

fn guard(guard: Guard) -> Option<String> {
    (guard != Guard::None).then(|| word(guard))
}

fn quoted_id(id: AccountId) -> String {
    format!("\"{id}\"")
}

fn unless_empty(texts: &[impl AsRef<str>]) -> Option<String> {
    (!texts.is_empty()).then(|| list(texts))
}

fn braces<'t>(pairs: impl Iterator<Item = (&'t String, String)>) -> String {
    let pairs: Vec<String> =
        pairs.map(|(key, value)| format!("{}: {value}", scalar(key))).collect();
    format!("{{{}}}", pairs.join(", "))
}
