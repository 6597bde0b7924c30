//! The document as statements: whom each names, what it lets them call, on which conditions.

use serde_json::{Map, Value};

use crate::domain::ids::AccountId;
use crate::domain::wildcard;

use super::Setting;
use super::caller::{Action, Caller};
use super::condition::{Condition, Holds};

/// A statement that bears on one of the calls at least.
pub(super) struct Statement {
    pub name: String,
    pub allows: bool,
    pub principals: Vec<Principal>,
    actions: Vec<Action>,
    conditions: Vec<Condition>,
}

/// One principal, as the document names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Principal {
    pub text: String,
    pub kind: PrincipalKind,
}

/// What a principal is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum PrincipalKind {
    /// `*`
    Anyone,
    /// Every principal of an account.
    Account(AccountId),
    User(AccountId),
    Role(AccountId),
    /// An issuer's host and path.
    Oidc(String),
    /// A provider's name.
    Saml(String),
    Service,
    /// A principal that was deleted, or one that never calls STS.
    Nobody,
}

/// The statements that bear on entering the role.
pub(super) fn parse(document: &str) -> Result<Vec<Statement>, String> {
    let root: Value = serde_json::from_str(document).map_err(|_| "it is not JSON".to_owned())?;
    let list = match root.get("Statement") {
        Some(Value::Array(list)) => list.as_slice(),
        Some(one @ Value::Object(_)) => std::slice::from_ref(one),
        _ => return Err("it has no Statement".into()),
    };
    let mut statements = Vec::new();
    for (number, value) in (1..).zip(list) {
        let name = match value.get("Sid").and_then(Value::as_str) {
            Some(sid) if !sid.is_empty() => sid.to_owned(),
            _ => format!("#{number}"),
        };
        let in_statement = |why| format!("statement {name}: {why}");
        let map = value.as_object().ok_or_else(|| in_statement("not an object".into()))?;
        let statement = Statement::parse(map, &name).map_err(in_statement)?;
        statements.extend(statement);
    }
    Ok(statements)
}

impl Statement {
    /// `None` where it opens nothing.
    fn parse(map: &Map<String, Value>, name: &str) -> Result<Option<Self>, String> {
        const KNOWN: [&str; 7] =
            ["Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Condition"];
        if let Some(other) = map.keys().find(|key| !KNOWN.contains(&key.as_str())) {
            return Err(format!("unknown element {other}"));
        }
        let (patterns, negated) = match (map.get("Action"), map.get("NotAction")) {
            (Some(actions), None) => (texts(actions)?, false),
            (None, Some(actions)) => (texts(actions)?, true),
            _ => return Err("it needs one of Action and NotAction".into()),
        };
        let covered = |name: &str| {
            patterns.iter().any(|pattern| wildcard::matches(&pattern.to_ascii_lowercase(), name))
                != negated
        };
        let actions: Vec<Action> = Action::ALL
            .into_iter()
            .filter(|(_, name)| covered(name))
            .map(|(action, _)| action)
            .collect();
        let allows = match map.get("Effect").and_then(Value::as_str) {
            Some("Allow") => true,
            Some("Deny") => false,
            _ => return Err("its Effect is neither Allow nor Deny".into()),
        };
        let principals = match (map.get("Principal"), map.get("NotPrincipal")) {
            (Some(value), None) => principals(value)?,
            // Whom a Deny spares is not worth knowing: such a Deny counts for nothing.
            (None, Some(_)) if !allows => Vec::new(),
            (None, Some(_)) => return Err("NotPrincipal lets in whoever is not named".into()),
            _ => return Err("it needs one of Principal and NotPrincipal".into()),
        };
        let mut conditions = Vec::new();
        let blocks = match map.get("Condition") {
            None => &Map::new(),
            Some(value) => value.as_object().ok_or("Condition is no object")?,
        };
        for (operator, tests) in blocks {
            let tests = tests.as_object().ok_or("Condition is malformed")?;
            for (key, values) in tests {
                conditions.push(Condition::new(operator, key, texts(values)?)?);
            }
        }
        let statement = Self { name: name.to_owned(), allows, principals, actions, conditions };
        Ok((!statement.actions.is_empty()).then_some(statement))
    }

    pub(super) fn covers(&self, action: Action) -> bool {
        self.actions.contains(&action)
    }

    /// The principal by which it names users of the auth account: all of them where it can, else some.
    pub(super) fn user_principal(&self, auth: AccountId) -> Option<&str> {
        let all = |principal: &&Principal| {
            matches!(principal.kind, PrincipalKind::Anyone)
                || principal.kind == PrincipalKind::Account(auth)
        };
        let some = |principal: &&Principal| principal.kind == PrincipalKind::User(auth);
        let named = self.principals.iter().find(all).or(self.principals.iter().rfind(some));
        named.map(|principal| principal.text.as_str())
    }

    /// Whether it names every caller of that kind, or the very principal that is asked about.
    pub(super) fn names_all(&self, caller: &Caller<'_>, principal: Option<&str>) -> bool {
        self.principals.iter().any(|own| match &own.kind {
            PrincipalKind::Anyone => true,
            PrincipalKind::Account(id) => caller.account == Some(*id),
            _ => Some(own.text.as_str()) == principal,
        })
    }

    pub(super) fn holds(&self, caller: &Caller<'_>, setting: Setting<'_>) -> Holds {
        let mut all = Holds::Always;
        for condition in &self.conditions {
            match (condition.holds(caller, setting), &all) {
                (Holds::Never, _) => return Holds::Never,
                (Holds::Unclear(why), _) => all = Holds::Unclear(why),
                (Holds::Perhaps, Holds::Always) => all = Holds::Perhaps,
                _ => {}
            }
        }
        all
    }
}

fn principals(value: &Value) -> Result<Vec<Principal>, String> {
    let map = match value {
        Value::String(star) if star == "*" => {
            return Ok(vec![Principal { text: "*".into(), kind: PrincipalKind::Anyone }]);
        }
        Value::Object(map) => map,
        _ => return Err("its Principal is malformed".into()),
    };
    let mut found = Vec::new();
    for (kind, names) in map {
        for text in texts(names)? {
            let kind = match kind.as_str() {
                "AWS" => aws(&text)?,
                "Federated" => federated(&text)?,
                "Service" => PrincipalKind::Service,
                "CanonicalUser" => PrincipalKind::Nobody,
                other => return Err(format!("unknown kind of principal {other}")),
            };
            found.push(Principal { text, kind });
        }
    }
    Ok(found)
}

/// What an `AWS` principal means.
fn aws(name: &str) -> Result<PrincipalKind, String> {
    if name == "*" {
        return Ok(PrincipalKind::Anyone);
    }
    if let Ok(account) = name.parse() {
        return Ok(PrincipalKind::Account(account));
    }
    // A deleted user or role is shown by its unique id; nobody can be it again.
    let is_id = name.len() >= 16 && name.bytes().all(|b| b.is_ascii_alphanumeric());
    if is_id && (name.starts_with("AIDA") || name.starts_with("AROA")) {
        return Ok(PrincipalKind::Nobody);
    }
    let unknown = || format!("principal {name} is not understood");
    let parts: Vec<&str> = name.splitn(6, ':').collect();
    let ["arn", _, "iam" | "sts", "", account, resource] = parts[..] else {
        return Err(unknown());
    };
    let account = account.parse().map_err(|_| unknown())?;
    match resource.split_once('/').map_or(resource, |(kind, _)| kind) {
        "root" => Ok(PrincipalKind::Account(account)),
        "user" | "federated-user" => Ok(PrincipalKind::User(account)),
        "role" | "assumed-role" => Ok(PrincipalKind::Role(account)),
        _ => Err(unknown()),
    }
}

/// What a `Federated` principal means: a provider's ARN, or the host of an issuer that AWS knows by itself.
fn federated(name: &str) -> Result<PrincipalKind, String> {
    if let Some((_, provider)) = name.split_once(":saml-provider/") {
        return Ok(PrincipalKind::Saml(provider.to_owned()));
    }
    let issuer = match name.split_once(":oidc-provider/") {
        Some((_, issuer)) => issuer,
        None if name == "*" || (name.contains('.') && !name.contains(':')) => name,
        None => return Err(format!("principal {name} is not understood")),
    };
    Ok(PrincipalKind::Oidc(issuer.to_ascii_lowercase()))
}

/// One text or a list of them; booleans and numbers count as their text, as in AWS.
fn texts(value: &Value) -> Result<Vec<String>, String> {
    let one = |value: &Value| match value {
        Value::String(text) => Ok(text.clone()),
        Value::Bool(_) | Value::Number(_) => Ok(value.to_string()),
        _ => Err("a value is no text".to_owned()),
    };
    match value {
        Value::Array(list) => list.iter().map(one).collect(),
        value => one(value).map(|text| vec![text]),
    }
}
