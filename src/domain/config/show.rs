//! The effective config as a person reads it: YAML-like lines, each value with its provenance.

use std::fmt::Write as _;

use serde::Serialize;
use unicode_width::UnicodeWidthStr as _;

use super::scalar::{list, scalar};
use super::{
    AccountProvenance, Auth, Guardrails, KeySource, Loaded, Provenance, Provenances,
    RoleProvenance, SourceRef,
};
use crate::domain::account::{Account, Role};
use crate::domain::duration::show_duration;
use crate::domain::guard::Guard;
use crate::domain::ids::{Name, PolicyArn, Region, RolePath};
use crate::domain::scope::Scope;
use crate::domain::text::sanitize;

/// The column of the provenances, where the values leave room.
const ORIGIN_COLUMN: usize = 52;

/// The effective config, each value with where it comes from: `file:line`, default, or `min_guard`.
pub fn render(loaded: &Loaded) -> String {
    let (config, provenances) = (&loaded.config, &loaded.provenances);
    let mut page = Page { provenances, text: String::new() };
    for (file, what) in provenances
        .files
        .iter()
        .zip(std::iter::once("main file").chain(std::iter::repeat("included")))
    {
        let _ = writeln!(page.text, "# {what}: {}", sanitize(&file.to_string_lossy()));
    }
    page.setting(0, "version", "1");
    page.head(0, "auth");
    auth(&mut page, &config.auth);
    page.setting(0, "store", &word(config.store));
    page.setting(
        0,
        "shell",
        config.shell.program.as_deref().map_or("auto".into(), scalar).as_str(),
    );
    page.setting(0, "renew", &word(config.shell.renew));
    page.setting(0, "prompt", if config.shell.mark_prompt { "auto" } else { "off" });
    page.setting(0, "prompt_compat", &word(config.shell.prompt_compat));
    page.setting(0, "after_shell", &word(config.list.after_shell));
    page.setting(0, "order", &word(config.list.order));
    page.setting(0, "query", &scalar(&config.list.query));
    page.setting(0, "symbols", &word(config.list.symbols));
    let browser = config.browser.as_deref();
    page.setting(0, "browser", &browser.map_or("auto".into(), list));
    page.setting(0, "audit", if config.audit { "on" } else { "off" });
    let keys = config.list.keys.iter();
    let keys: Vec<String> =
        keys.map(|(action, keys)| format!("{action}: {}", list(keys))).collect();
    page.setting(0, "keys", &format!("{{{}}}", keys.join(", ")));
    if let Some(rails) = &config.guardrails {
        page.head(0, "guardrails");
        guardrails(&mut page, rails);
    }
    page.head(0, "accounts");
    let accounts = config.catalog.accounts().iter().zip(&provenances.accounts);
    for ((account, from), position) in accounts.zip(0..) {
        let region = account.region.as_ref().or_else(|| config.catalog.default_region(position));
        page.account(account, region, from);
    }
    page.text
}

struct Page<'o> {
    provenances: &'o Provenances,
    text: String,
}

impl Page<'_> {
    fn head(&mut self, depth: usize, key: &str) {
        let _ = writeln!(self.text, "{:1$}{key}:", "", depth * 2);
    }

    fn line(&mut self, depth: usize, key: &str, value: &str, provenance: Provenance) {
        let line = format!("{:1$}{key}: {value}", "", depth * 2);
        let pad = ORIGIN_COLUMN.saturating_sub(line.width());
        let provenance = self.provenance(provenance);
        let _ = writeln!(self.text, "{line}{:pad$}  # {provenance}", "");
    }

    /// A setting of the main file: absent means default.
    fn setting(&mut self, depth: usize, dotted: &str, value: &str) {
        let provenance = self
            .provenances
            .settings
            .get(dotted)
            .map_or(Provenance::BuiltIn, |source| Provenance::File(*source));
        let key = dotted.rsplit('.').next().unwrap_or(dotted);
        self.line(depth, key, value, provenance);
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
        }
    }

    fn account(&mut self, account: &Account, region: Option<&Region>, from: &AccountProvenance) {
        self.line(1, "- name", &scalar(account.name.as_str()), from.name);
        self.line(2, "id", &format!("\"{}\"", account.id), from.id);
        if !account.aliases.is_empty() {
            let aliases: Vec<&str> = account.aliases.iter().map(Name::as_str).collect();
            self.line(2, "aliases", &list(&aliases), from.aliases);
        }
        if let Some(region) = region {
            self.line(2, "region", region.as_str(), from.region);
        }
        if let Some(color) = account.color {
            self.line(2, "color", &word(color), from.color);
        }
        if account.guard != Guard::None {
            self.line(2, "guard", &word(account.guard), from.guard);
        }
        if !account.tags.is_empty() {
            self.line(2, "tags", &list(&account.tags), from.tags);
        }
        if let Some(note) = &account.note {
            self.line(2, "note", &scalar(note), from.note);
        }
        self.head(2, "roles");
        for (role, from) in account.roles.iter().zip(&from.roles) {
            self.role(role, from);
        }
    }

    fn role(&mut self, role: &Role, from: &RoleProvenance) {
        let rest = |key| {
            let place = from.rest.iter().find(|(name, _)| *name == key);
            place.map_or(from.role, |(_, source)| Provenance::File(*source))
        };
        self.line(3, "- name", &scalar(role.name.as_str()), from.role);
        if role.path != RolePath::root() {
            self.line(4, "path", &scalar(role.path.as_str()), rest("path"));
        }
        self.line(4, "duration", &show_duration(role.duration), from.duration);
        if let Some(region) = &role.region {
            self.line(4, "region", region.as_str(), rest("region"));
        }
        if role.guard != Guard::None {
            self.line(4, "guard", &word(role.guard), from.guard);
        }
        let session = &role.session;
        if session.scope != Scope::Full {
            self.line(4, "scope", session.scope.name(), rest("scope"));
        }
        if !session.policy_arns.is_empty() {
            let arns: Vec<&str> = session.policy_arns.iter().map(PolicyArn::as_str).collect();
            self.line(4, "policy_arns", &list(&arns), rest("policy_arns"));
        }
        if let Some(policy) = &session.policy {
            self.line(4, "policy", &scalar(policy), rest("policy"));
        }
        if let Some(id) = &session.external_id {
            self.line(4, "external_id", &scalar(id.as_str()), rest("external_id"));
        }
        if !session.tags.is_empty() {
            let pair =
                |(key, value): (&String, &String)| format!("{}: {}", scalar(key), scalar(value));
            let tags: Vec<String> = session.tags.iter().map(pair).collect();
            self.line(4, "tags", &format!("{{{}}}", tags.join(", ")), rest("tags"));
        }
        if let Some(identity) = &session.source_identity {
            self.line(4, "source_identity", &scalar(identity.as_str()), rest("source_identity"));
        }
    }
}

fn auth(page: &mut Page<'_>, auth: &Auth) {
    page.setting(1, "auth.account", &format!("\"{}\"", auth.account));
    let user = auth.user.as_ref();
    page.setting(1, "auth.user", user.map_or("(asked of AWS)", |user| user.as_str()));
    match &auth.key {
        KeySource::Auto => page.setting(1, "auth.key", "auto"),
        KeySource::Keyring => page.setting(1, "auth.key", "keyring"),
        KeySource::File => page.setting(1, "auth.key", "file"),
        KeySource::Env => page.setting(1, "auth.key", "env"),
        KeySource::Profile(name) => {
            page.setting(1, "auth.key", &scalar(&format!("profile:{name}")))
        }
        KeySource::Command(argv) => page.setting(1, "auth.key_command", &list(argv)),
    }
    if auth.mfa.is_empty() {
        page.setting(1, "auth.mfa", "(asked of AWS)");
    }
    if !auth.mfa.is_empty() {
        page.head(1, "mfa");
    }
    for device in &auth.mfa {
        let label = device
            .label
            .as_deref()
            .map(scalar)
            .map(|label| format!(", label: {label}"))
            .unwrap_or_default();
        let source = page.provenances.settings.get(&format!("auth.mfa.{}", device.serial));
        let provenance = source.map_or(Provenance::BuiltIn, |source| Provenance::File(*source));
        page.line(2, "- {serial", &format!("{}{label}}}", device.serial), provenance);
    }
    if let Some(argv) = &auth.mfa_command {
        page.setting(1, "auth.mfa_command", &list(argv));
    }
    page.setting(1, "auth.region", auth.region.as_str());
    page.setting(1, "auth.session", &show_duration(auth.session));
    if let Some(url) = &auth.endpoint_url {
        page.setting(1, "auth.endpoint_url", &scalar(url));
    }
}

fn guardrails(page: &mut Page<'_>, rails: &Guardrails) {
    let mut set = |key: &str, value: Option<String>| {
        if let Some(value) = value {
            page.setting(1, &format!("guardrails.{key}"), &value);
        }
    };
    set("organization", rails.organization.clone());
    set("management_account", rails.management_account.map(|id| format!("\"{id}\"")));
    set("sandbox_ou", rails.sandbox_ou.clone());
    let regions: Vec<&str> = rails.regions.iter().map(Region::as_str).collect();
    set("regions", Some(list(&regions)));
    set("instance_types", Some(list(&rails.instance_types)));
    set("monthly_budget_usd", rails.monthly_budget_usd.map(|n| n.to_string()));
    set("exempt_roles", Some(list(&rails.exempt_roles)));
    let trusted: Vec<String> = rails.trusted_accounts.iter().map(ToString::to_string).collect();
    set("trusted_accounts", Some(list(&trusted)));
    set("trusted_issuers", Some(list(&rails.trusted_issuers)));
    set("max_key_age", Some(show_duration(rails.max_key_age)));
}

/// The word that serde and the config know a choice by.
fn word(value: impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}
