//! Attached policies compared with rendered ones, statement by statement. `verify --drift` reads what is attached.
//!
//! Two statements are the same where they say the same: neither the order of a list nor a single string in a list's
//! place counts, nor the case of actions and condition keys, nor the `Sid`. A `Sid` pairs statements that differ.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use super::{Document, PolicyKind};
use crate::domain::fault::Exit;

/// The meaning of the report's fields.
pub const SCHEMA: u32 = 1;
/// The version of a document that names none.
const OLDEST: &str = "2008-10-17";

/// Everything that `verify --drift` found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DriftReport {
    /// [`SCHEMA`].
    pub schema: u32,
    /// When it was read, UTC.
    pub at: Timestamp,
    /// sekisho's version.
    pub version: String,
    /// The host that STS was called at.
    pub endpoint: String,
    /// What was compared.
    pub places: Vec<PlaceDrift>,
    /// What could not be read.
    pub unread: Vec<Unread>,
}

/// Where policies are attached, with those that belong there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlaceDrift {
    /// Which of the rendered sets.
    pub set: PolicySet,
    /// The unit, account or group.
    pub target: String,
    /// Whose credentials read it.
    pub read_as: String,
    /// Every statement that was rendered, then those that are attached beyond them.
    pub statements: Vec<StatementDrift>,
    /// Attached policies that have nothing in common with the rendered ones: name and where.
    pub others: Vec<String>,
    /// Policies under sekisho's names that are attached neither here nor above.
    pub unattached: Vec<String>,
    /// For the users' policy: users that it does not bind, since they are outside the group.
    pub users_outside: Vec<String>,
}

/// The sets of policies that `policy` renders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PolicySet {
    /// The users' policy in the auth account.
    Users,
    /// Service control policies of the sandbox unit.
    SandboxScp,
    /// Resource control policies of the sandbox unit.
    SandboxRcp,
    /// Service control policies of the auth account.
    AuthScp,
    /// The policy that a budget's action attaches.
    Brake,
}

/// One statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StatementDrift {
    /// Its `Sid`.
    pub sid: String,
    /// How it stands.
    pub drift: Drift,
    /// The rendered file that it is in; absent for an extra one.
    pub document: Option<String>,
    /// The attached policy that it is in; absent for a missing one.
    pub policy: Option<String>,
    /// For a changed one: what differs.
    pub differences: Vec<Difference>,
}

/// How a statement stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Drift {
    /// Attached as it was rendered.
    Same,
    /// Rendered, and not attached.
    Missing,
    /// Attached, and it says something else.
    Changed,
    /// Attached, and not rendered.
    Extra,
}

/// One element that differs between two statements.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// `Action`, `Condition.StringEquals.aws:principalorgid`, …
    pub element: String,
    /// Values that only the rendered one has.
    pub rendered: Vec<String>,
    /// Values that only the attached one has.
    pub attached: Vec<String>,
}

/// A call that was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unread {
    /// What it would have told.
    pub what: String,
    /// The call, which is the permission's name too.
    pub call: String,
    /// What AWS said.
    pub why: String,
    /// Who was refused.
    pub read_as: String,
    /// Who may make it, or what to look at.
    pub who: String,
}

/// A policy as it is attached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttachedPolicy {
    /// Its name, and where it is attached if not here.
    pub name: String,
    /// Its JSON.
    pub text: String,
}

/// A statement's elements, each with its values.
type Elements = BTreeMap<String, BTreeSet<String>>;

/// A statement with its origin.
struct Statement<'a> {
    sid: String,
    elements: Elements,
    origin: &'a str,
}

impl PolicySet {
    /// The set that a rendered document belongs to, if it is one that is compared.
    pub fn of(document: &Document) -> Option<Self> {
        let within = |folder: &str| document.file.starts_with(folder);
        match document.kind {
            PolicyKind::ManagedPolicy | PolicyKind::GroupPolicy => Some(Self::Users),
            PolicyKind::ResourceControlPolicy => Some(Self::SandboxRcp),
            PolicyKind::ServiceControlPolicy if within("organization/scp-sandbox/") => {
                Some(Self::SandboxScp)
            }
            PolicyKind::ServiceControlPolicy if within("organization/scp-auth-account/") => {
                Some(Self::AuthScp)
            }
            PolicyKind::ServiceControlPolicy => Some(Self::Brake),
            _ => None,
        }
    }

    /// What it is called.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Users => "the users' policy",
            Self::SandboxScp => "service control policies of the sandbox unit",
            Self::SandboxRcp => "resource control policies of the sandbox unit",
            Self::AuthScp => "service control policies of the auth account",
            Self::Brake => "the budget's brake",
        }
    }
}

impl Drift {
    /// The word in reports.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Missing => "missing",
            Self::Changed => "changed",
            Self::Extra => "extra",
        }
    }
}

impl DriftReport {
    /// How the program ends.
    pub fn exit(&self) -> Exit {
        match () {
            () if self.places.iter().any(PlaceDrift::has_drifted) => Exit::Fault,
            () if self.unread.is_empty() => Exit::Done,
            () => Exit::Undecided,
        }
    }
}

impl PlaceDrift {
    /// Compares the policies that are attached in one place with those that were rendered for it.
    ///
    /// A policy that cannot be read as one is among the others: nothing of it was found.
    pub fn compare(
        set: PolicySet,
        target: &str,
        rendered: &[&Document],
        attached: &[AttachedPolicy],
    ) -> Self {
        let wanted: Vec<Statement<'_>> = rendered
            .iter()
            .flat_map(|document| statements(&document.text, &document.file))
            .collect();
        let mut there: Vec<Statement<'_>> =
            attached.iter().flat_map(|policy| statements(&policy.text, &policy.name)).collect();
        let mut own: BTreeSet<&str> = BTreeSet::new();
        let mut pair = |matches: &dyn Fn(&Statement<'_>, &Statement<'_>) -> bool,
                        wanted: &Statement<'_>| {
            let at = there.iter().position(|attached| matches(wanted, attached))?;
            let found = there.remove(at);
            own.insert(found.origin);
            Some(found)
        };
        // All that are the same come first: what is left over may then be paired by its `Sid`.
        let mut pairs: Vec<Option<Statement<'_>>> = wanted
            .iter()
            .map(|wanted| pair(&|wanted, attached| wanted.elements == attached.elements, wanted))
            .collect();
        for (wanted, found) in wanted.iter().zip(&mut pairs).filter(|(_, found)| found.is_none()) {
            *found = pair(
                &|wanted, attached| !wanted.sid.is_empty() && wanted.sid == attached.sid,
                wanted,
            );
        }
        let mut statements: Vec<StatementDrift> = wanted
            .iter()
            .zip(&pairs)
            .map(|(wanted, found)| {
                let differences = found
                    .as_ref()
                    .map_or_else(Vec::new, |found| differences(&wanted.elements, &found.elements));
                StatementDrift {
                    sid: wanted.sid.clone(),
                    drift: match found {
                        None => Drift::Missing,
                        Some(_) if differences.is_empty() => Drift::Same,
                        Some(_) => Drift::Changed,
                    },
                    document: Some(wanted.origin.to_owned()),
                    policy: found.as_ref().map(|found| found.origin.to_owned()),
                    differences,
                }
            })
            .collect();
        let extra = there.iter().filter(|attached| own.contains(attached.origin));
        statements.extend(extra.map(|attached| StatementDrift {
            sid: attached.sid.clone(),
            drift: Drift::Extra,
            document: None,
            policy: Some(attached.origin.to_owned()),
            differences: Vec::new(),
        }));
        let others = attached.iter().filter(|policy| !own.contains(policy.name.as_str()));
        Self {
            set,
            target: target.to_owned(),
            read_as: String::new(),
            statements,
            others: others.map(|policy| policy.name.clone()).collect(),
            unattached: Vec::new(),
            users_outside: Vec::new(),
        }
    }

    /// How many statements stand so.
    pub fn count(&self, drift: Drift) -> usize {
        self.statements.iter().filter(|statement| statement.drift == drift).count()
    }

    /// Whether anything is not as it was rendered.
    pub fn has_drifted(&self) -> bool {
        !self.users_outside.is_empty() || self.count(Drift::Same) < self.statements.len()
    }
}

/// The statements of a policy; none where it is not one.
fn statements<'a>(text: &str, origin: &'a str) -> Vec<Statement<'a>> {
    let Ok(document) = serde_json::from_str::<Value>(text) else { return Vec::new() };
    let version = document["Version"].as_str().unwrap_or(OLDEST);
    let statements = match &document["Statement"] {
        Value::Array(statements) => statements.iter().collect(),
        Value::Null => Vec::new(),
        one => vec![one],
    };
    statements
        .into_iter()
        .filter_map(|statement| {
            let map = statement.as_object()?;
            let mut elements = Elements::new();
            // Variables such as `${aws:username}` are text before 2012-10-17.
            put(&mut elements, "Version", &Value::from(version), str::to_owned);
            for (name, value) in map {
                match (name.as_str(), value) {
                    ("Sid", _) => {}
                    ("Condition", Value::Object(operators)) => {
                        for (operator, keys) in operators {
                            for (key, values) in keys.as_object().into_iter().flatten() {
                                let key = key.to_ascii_lowercase();
                                let name = format!("Condition.{operator}.{key}");
                                put(&mut elements, &name, values, str::to_owned);
                            }
                        }
                    }
                    ("Principal" | "NotPrincipal", Value::Object(kinds)) => {
                        for (kind, values) in kinds {
                            put(&mut elements, &format!("{name}.{kind}"), values, str::to_owned);
                        }
                    }
                    ("Action" | "NotAction", values) => {
                        put(&mut elements, name, values, str::to_ascii_lowercase);
                    }
                    (_, values) => put(&mut elements, name, values, str::to_owned),
                }
            }
            let sid = map.get("Sid").and_then(Value::as_str).unwrap_or_default();
            Some(Statement { sid: sid.to_owned(), elements, origin })
        })
        .collect()
}

/// Notes the values of an element: one or a list, text or not.
fn put(elements: &mut Elements, name: &str, values: &Value, normal: impl Fn(&str) -> String) {
    let values = match values {
        Value::Array(values) => values.as_slice(),
        one => std::slice::from_ref(one),
    };
    let texts = values.iter().map(|value| match value {
        Value::String(text) => normal(text),
        other => other.to_string(),
    });
    elements.entry(name.to_owned()).or_default().extend(texts);
}

fn differences(rendered: &Elements, attached: &Elements) -> Vec<Difference> {
    let names: BTreeSet<&String> = rendered.keys().chain(attached.keys()).collect();
    let nothing = BTreeSet::new();
    let differences = names.into_iter().filter_map(|name| {
        let of = |elements: &'_ Elements| elements.get(name).unwrap_or(&nothing).clone();
        let (rendered, attached) = (of(rendered), of(attached));
        let only = |a: &BTreeSet<String>, b: &BTreeSet<String>| a.difference(b).cloned().collect();
        (rendered != attached).then(|| Difference {
            element: name.clone(),
            rendered: only(&rendered, &attached),
            attached: only(&attached, &rendered),
        })
    });
    differences.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str = r#"{"Version":"2012-10-17","Statement":[
        {"Sid":"DenyLeaving","Effect":"Deny","Action":"organizations:LeaveOrganization","Resource":"*"},
        {"Sid":"DenyRegions","Effect":"Deny","NotAction":["iam:*","sts:*"],"Resource":"*",
         "Condition":{"StringNotEquals":{"aws:RequestedRegion":["us-east-1","ap-northeast-1"]}}}]}"#;

    fn compare(attached: &[(&str, &str)]) -> PlaceDrift {
        let document = Document {
            file: "organization/scp-sandbox/places.json".into(),
            kind: PolicyKind::ServiceControlPolicy,
            target: "ou-1".into(),
            text: DOCUMENT.into(),
        };
        let attached: Vec<AttachedPolicy> = attached
            .iter()
            .map(|(name, text)| AttachedPolicy { name: (*name).into(), text: (*text).into() })
            .collect();
        PlaceDrift::compare(PolicySet::SandboxScp, "ou-1", &[&document], &attached)
    }

    fn drifts(place: &PlaceDrift) -> Vec<(&str, Drift)> {
        place.statements.iter().map(|one| (one.sid.as_str(), one.drift)).collect()
    }

    #[test]
    fn spelling_order_and_file_do_not_count() {
        let place = compare(&[
            (
                "a",
                r#"{"Version":"2012-10-17","Statement":{"Sid":"Other","Effect":"Deny","Resource":["*"],
                "NotAction":["STS:*","iam:*"],"Condition":{"StringNotEquals":{"AWS:requestedregion":["ap-northeast-1","us-east-1"]}}}}"#,
            ),
            (
                "b",
                r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":["organizations:LeaveOrganization"],"Resource":"*"}]}"#,
            ),
        ]);
        assert_eq!(drifts(&place), [("DenyLeaving", Drift::Same), ("DenyRegions", Drift::Same)]);
        assert!(!place.has_drifted() && place.others.is_empty());
    }

    #[test]
    fn missing_changed_and_extra_statements_are_told_apart() {
        let changed = DOCUMENT.replace("\"ap-northeast-1\"", "\"eu-west-1\"").replace(
            r#"{"Sid":"DenyLeaving","Effect":"Deny","Action":"organizations:LeaveOrganization","Resource":"*"}"#,
            r#"{"Sid":"DenyFoo","Effect":"Deny","Action":"foo:*","Resource":"*"}"#,
        );
        let foreign = r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"x:*","Resource":"*"}}"#;
        let place = compare(&[("ours", &changed), ("baseline", foreign), ("damaged", "no policy")]);
        assert_eq!(
            drifts(&place),
            [
                ("DenyLeaving", Drift::Missing),
                ("DenyRegions", Drift::Changed),
                ("DenyFoo", Drift::Extra)
            ]
        );
        assert_eq!(place.others, ["baseline", "damaged"]);
        assert_eq!(
            place.statements[1].differences,
            [Difference {
                element: "Condition.StringNotEquals.aws:requestedregion".into(),
                rendered: vec!["ap-northeast-1".into()],
                attached: vec!["eu-west-1".into()],
            }]
        );
    }

    #[test]
    fn an_older_version_is_a_change_and_nothing_attached_is_all_missing() {
        let older = DOCUMENT.replace("2012-10-17", "2008-10-17");
        let place = compare(&[("ours", &older)]);
        assert_eq!(place.count(Drift::Changed), 2);
        assert_eq!(place.statements[0].differences[0].element, "Version");
        assert_eq!(compare(&[]).count(Drift::Missing), 2);
        // The same statement attached twice is once too many.
        let twice = compare(&[("a", DOCUMENT), ("b", DOCUMENT)]);
        assert_eq!((twice.count(Drift::Same), twice.count(Drift::Extra)), (2, 0));
        assert_eq!(twice.others, ["b"]);
    }
}
