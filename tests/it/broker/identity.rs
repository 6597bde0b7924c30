//! The name of a cached session: nothing that changes the credentials may keep it.

use proptest::prelude::*;
use sekisho::domain::account::Target;
use sekisho::domain::config::Auth;
use sekisho::domain::ids::{Endpoints, MfaSerial, SessionName, UserName};
use sekisho::domain::scope::Scope;
use sekisho::services::session::sessions::{Source, auth_id, role_id};

use super::stage::{DEV, HOUR, KEY, PHONE, Stage, TABLET, target};

/// Everything a session is made from.
#[derive(Clone)]
struct Inputs {
    auth: Auth,
    key: Source,
    serial: MfaSerial,
    target: Target,
    name: SessionName,
}

impl Inputs {
    fn role(&self) -> [u8; 32] {
        role_id(&self.auth, &self.key, Some(&self.serial), &self.target, &self.name)
    }

    fn auth(&self) -> [u8; 32] {
        auth_id(&self.auth, &self.key, Some(&self.serial))
    }
}

type Change = (&'static str, fn(&mut Inputs, &str));

fn name(text: &str) -> SessionName {
    SessionName::of(&text.parse::<UserName>().unwrap())
}

/// Every input, each with a way to change it into one that holds `word`.
const CHANGES: [Change; 15] = [
    ("the key", |i, _| {
        i.key = Source::Key("AKIAALICE00000000002".parse().unwrap());
    }),
    ("the device", |i, _| i.serial = TABLET.parse().unwrap()),
    ("the endpoint", |i, word| {
        i.auth.endpoint_url = Some(format!("https://{word}.example"));
    }),
    ("the partition", |i, _| {
        i.auth.region = "cn-north-1".parse().unwrap();
        let arn = i.target.role.as_str().replace("arn:aws:", "arn:aws-cn:");
        i.target.role = arn.parse().unwrap();
    }),
    ("the role", |i, word| {
        i.target.role = format!("arn:aws:iam::{DEV}:role/{word}").parse().unwrap();
    }),
    ("the duration", |i, word| {
        i.target.duration = HOUR / 2 + std::time::Duration::from_secs(word.len() as u64);
    }),
    ("the flow", |i, _| i.target.duration = 2 * HOUR),
    ("the session's name", |i, word| i.name = name(word)),
    ("the external id", |i, word| {
        i.target.session.external_id = Some(word.parse().unwrap());
    }),
    ("the tags", |i, word| {
        i.target.session.tags.insert("team".into(), word.into());
    }),
    ("the transitive tags", |i, word| {
        i.target.session.transitive_tags.insert(word.into());
    }),
    ("the managed policies", |i, word| {
        let arn = format!("arn:aws:iam::aws:policy/{word}");
        i.target.session.policy_arns.push(arn.parse().unwrap());
    }),
    ("the inline policy or scope", |i, word| {
        if word.len() % 2 == 0 {
            i.target.session.policy = Some(word.into());
        } else {
            i.target.session.scope = Scope::ReadOnly;
        }
    }),
    ("the source identity", |i, word| {
        i.target.session.source_identity = Some(word.parse().unwrap());
    }),
    ("the kind of AWS's endpoint", |i, word| {
        i.auth.endpoint_url = None;
        let is_short = word.len() % 2 == 0;
        i.auth.endpoints = if is_short { Endpoints::Fips } else { Endpoints::DualStack };
    }),
];

fn inputs() -> Inputs {
    Inputs {
        auth: Stage::new().auth,
        key: Source::Key(KEY.parse().unwrap()),
        serial: PHONE.parse().unwrap(),
        target: target(DEV, HOUR),
        name: name("alice"),
    }
}

#[test]
fn what_only_changes_the_looks_keeps_the_session() {
    let (plain, mut dressed) = (inputs(), inputs());
    dressed.auth = plain.auth.clone(); // another emulator is another endpoint
    dressed.target.account = "renamed".parse().unwrap();
    dressed.target.aliases = vec!["nick".parse().unwrap()];
    dressed.target.region = Some("us-east-1".parse().unwrap());
    dressed.target.guard = sekisho::domain::guard::Guard::Confirm;
    assert_eq!(plain.role(), dressed.role());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn what_changes_the_credentials_changes_the_name(
        picks in proptest::collection::btree_set(0..CHANGES.len(), 0..4),
        more in 0..CHANGES.len(),
        word in "[a-z]{2,8}",
    ) {
        prop_assume!(!picks.contains(&more) && word != "alice");
        // These two set the same field, as do partition and role.
        let both = |a: &str, b: &str| {
            let has = |name: &str| picks.iter().chain([&more]).any(|at| CHANGES[*at].0 == name);
            has(a) && has(b)
        };
        prop_assume!(!both("the duration", "the flow") && !both("the partition", "the role"));
        prop_assume!(!both("the endpoint", "the kind of AWS's endpoint"));
        let mut before = BASE.with(Clone::clone);
        for at in &picks {
            CHANGES[*at].1(&mut before, &word);
        }
        let mut after = before.clone();
        CHANGES[more].1(&mut after, &word);
        prop_assert_ne!(before.role(), after.role(), "{}", CHANGES[more].0);
        let shared = [
            "the key",
            "the device",
            "the endpoint",
            "the partition",
            "the kind of AWS's endpoint",
        ];
        prop_assert_eq!(before.auth() != after.auth(), shared.contains(&CHANGES[more].0));
    }

    /// Two fields that run together would name two sessions alike.
    #[test]
    fn a_text_means_another_thing_in_another_place(word in "[a-z]{2,8}", at in 7..CHANGES.len(), other in 7..CHANGES.len()) {
        prop_assume!(at != other && word != "alice");
        let with = |at: usize| {
            let mut inputs = BASE.with(Clone::clone);
            CHANGES[at].1(&mut inputs, &word);
            inputs.role()
        };
        prop_assert_ne!(with(at), with(other));
    }
}

thread_local! {
    static BASE: Inputs = inputs();
}
