//! The guardrail documents: evaluated by an engine that is not ours, checked by AWS's own linter, and whole.

mod documents;
mod engine;
mod inputs;
mod mutation;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sekisho::domain::account::{Account, Catalog, Role, SessionOptions};
use sekisho::domain::config::{
    AfterShell, Auth, Config, Guardrails, KeySource, ListPrefs, Order, PromptCompat, RenewPref,
    ShellPrefs, StoreChoice, Symbols,
};
use sekisho::domain::guard::Guard;
use sekisho::domain::ids::Endpoints;
use sekisho::domain::policy::{Documents, Format, Language, render};
use sekisho::domain::scope::Scope;

fn role(name: &str, path: &str, hours: u64, scope: Scope) -> Arc<Role> {
    Arc::new(Role {
        name: name.parse().unwrap(),
        path: path.parse().unwrap(),
        duration: Duration::from_hours(hours),
        region: None,
        guard: Guard::None,
        agents: sekisho::domain::agents::AgentRule::default(),
        change: None,
        session: SessionOptions { scope, ..SessionOptions::default() },
    })
}

fn account(name: &str, id: &str, roles: Vec<Arc<Role>>) -> Account {
    Account {
        name: name.parse().unwrap(),
        id: id.parse().unwrap(),
        aliases: Vec::new(),
        roles,
        region: None,
        color: None,
        guard: Guard::None,
        tags: Vec::new(),
        note: None,
        is_included: false,
    }
}

/// A whole organization: two accounts, every guardrail.
fn config() -> Config {
    let region = "ap-northeast-1".parse().unwrap();
    let developer = || role("Developer", "/", 1, Scope::Full);
    let mut admin = role("Admin", "/ops/", 4, Scope::Full);
    let tags = &mut Arc::make_mut(&mut admin).session.tags;
    tags.insert("intent".into(), "operations".into());
    let accounts = vec![
        account("dev-tanaka", "222222222222", vec![developer(), admin]),
        account(
            "canary",
            "333333333333",
            vec![developer(), role("ReadOnly", "/", 1, Scope::ReadOnly)],
        ),
    ];
    Config {
        auth: Auth {
            account: "111111111111".parse().unwrap(),
            user: Some("tanaka".parse().unwrap()),
            key: KeySource::Auto,
            mfa: Vec::new(),
            mfa_command: None,
            region,
            session: Duration::from_hours(12),
            endpoint_url: None,
            endpoints: Endpoints::Standard,
        },
        catalog: Catalog::new(accounts, None),
        agents: None,
        store: StoreChoice::Auto,
        shell: ShellPrefs {
            program: None,
            renew: RenewPref::Prompt,
            mark_prompt: true,
            prompt_compat: PromptCompat::Auto,
        },
        list: ListPrefs {
            after_shell: AfterShell::List,
            order: Order::Frecency,
            query: String::new(),
            symbols: Symbols::Auto,
            mouse: false,
            keys: std::collections::BTreeMap::new(),
        },
        browser: None,
        quiet: false,
        audit: true,
        watched: Vec::new(),
        guardrails: Some(Guardrails {
            organization: Some("o-a1b2c3d4e5".into()),
            management_account: Some("999999999999".parse().unwrap()),
            sandbox_ou: Some("ou-a1b2-c3d4e5f6".into()),
            regions: ["ap-northeast-1", "us-east-1"].map(|r| r.parse().unwrap()).to_vec(),
            instance_types: ["t3.*", "t4g.*"].map(String::from).to_vec(),
            monthly_budget_usd: Some(50),
            exempt_roles: vec!["arn:aws:iam::*:role/provisioning/*".into()],
            trusted_accounts: vec!["555555555555".parse().unwrap()],
            trusted_issuers: ["accounts.google.com", "urn:example:idp"].map(String::from).to_vec(),
            allowed_models: ["amazon.nova-*", "anthropic.claude-haiku-*"]
                .map(String::from)
                .to_vec(),
            allowed_products: vec!["prod-a1b2c3d4e5f6g".into()],
            allow_ses_smtp: false,
            max_key_age: Duration::from_hours(90 * 24),
        }),
    }
}

/// The config with one thing changed.
fn changed(change: impl FnOnce(&mut Config, &mut Guardrails)) -> Config {
    let mut config = config();
    let mut guardrails = config.guardrails.take().unwrap();
    change(&mut config, &mut guardrails);
    config.guardrails = Some(guardrails);
    config
}

fn set(format: Format) -> Documents {
    render(&config(), format, Language::English).unwrap()
}

fn text<'a>(set: &'a Documents, file: &str) -> &'a str {
    let found = set.files.iter().find(|document| document.file == file);
    &found.unwrap_or_else(|| panic!("no {file}")).text
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
