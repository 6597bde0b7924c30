//! Accounts and a set-up as a person might have them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use sekisho::domain::account::{Account, Catalog, Color, Overrides, Role, SessionOptions};
use sekisho::domain::config::Order;
use sekisho::domain::guard::Guard;
use sekisho::domain::ids::RolePath;
use sekisho::domain::keymap::Keymap;
use sekisho::domain::local_clock::LocalClock;
use sekisho::ui::model::{Enters, SwitcherSetup};
use sekisho::ui::theme::{Glyphs, Paint, Theme};

/// Accounts as a person might have them.
pub fn catalog() -> Catalog {
    let account = |name: &str, id: &str, alias: &str, roles: &[Role], tags: &[&str]| Account {
        name: name.parse().unwrap(),
        id: id.parse().unwrap(),
        aliases: alias.split_whitespace().map(|alias| alias.parse().unwrap()).collect(),
        roles: roles.iter().cloned().map(Arc::new).collect(),
        region: None,
        color: None,
        guard: Guard::None,
        tags: tags.iter().map(|tag| Arc::from(*tag)).collect(),
        note: None,
        is_included: false,
    };
    let developer = role("Developer", 1);
    let read_only = role("ReadOnly", 1);
    let both = [developer.clone(), read_only];
    Catalog::new(
        vec![
            account("dev-tanaka", "222222222222", "mine", &both, &["sandbox", "payments"]),
            account("dev-suzuki", "012345678901", "", &both, &["sandbox"]),
            Account {
                region: Some("us-west-2".parse().unwrap()),
                note: Some("shared by the team".into()),
                ..account(
                    "開発-田中",
                    "233323332333",
                    "kaihatsu-tanaka",
                    std::slice::from_ref(&developer),
                    &[],
                )
            },
            account("staging", "444444444444", "", std::slice::from_ref(&developer), &["shared"]),
            Account {
                guard: Guard::Warn,
                color: Some(Color::Yellow),
                ..account("prod-web", "555555555555", "", std::slice::from_ref(&developer), &[])
            },
            Account {
                guard: Guard::Confirm,
                color: Some(Color::Red),
                ..account(
                    "prod-payments",
                    "666666666666",
                    "prod-pay",
                    &[role("Admin", 4)],
                    &["payments"],
                )
            },
        ],
        Some("ap-northeast-1".parse().unwrap()),
    )
}

/// A role that lasts so many hours.
pub fn role(name: &str, hours: u64) -> Role {
    Role {
        name: name.parse().unwrap(),
        path: RolePath::root(),
        duration: Duration::from_hours(hours),
        region: None,
        guard: Guard::None,
        agents: sekisho::domain::agents::AgentRule::default(),
        change: None,
        session: SessionOptions::default(),
    }
}

/// The usual facts about the person's set-up.
pub fn setup(glyphs: &'static Glyphs, paint: Paint) -> SwitcherSetup {
    SwitcherSetup {
        auth_account: Some("111111111111".parse().unwrap()),
        detours: Vec::new(),
        warnings: Vec::new(),
        depth: 0,
        query: String::new(),
        mouse: false,
        here: None,
        enters: Enters::Subshell,
        exec: "sekisho exec".into(),
        driver: sekisho::domain::agents::Driver::Person,
        overrides: Overrides::default(),
        keymap: Keymap::new(&BTreeMap::new()).unwrap(),
        order: Order::Frecency,
        verified: BTreeMap::new(),
        clock: LocalClock::UTC,
        theme: Theme::new(glyphs, paint),
    }
}
