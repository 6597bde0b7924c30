//! Trust policies, read for one question: does MFA stand before every way into the role?
//!
//! The document is weighed for three imagined users of the auth account: a bare key, a session made without a
//! code, and a session made with one. Whatever else a condition asks (an external id, an address, a tag) a thief
//! may meet, so it protects nothing here. What cannot be interpreted is never taken for sound.
//!
//! Semantics: the IAM User Guide, "Condition operators" and "Global condition context keys".

mod condition;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::ids::AccountId;
use super::text::sanitize;
use super::wildcard;
use condition::{Condition, Holds};

/// What a trust policy says about the auth account's users.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reading", rename_all = "snake_case")]
pub enum Reading {
    /// Every statement that lets them in asks for MFA.
    AsksMfa,
    /// No statement lets them in, with MFA or without.
    Closed,
    /// A statement lets them in without MFA.
    Open(Hole),
    /// It cannot be fully interpreted.
    Unclear {
        /// What is not understood.
        why: String,
    },
}

/// A statement that lets somebody in without MFA.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hole {
    /// The statement's `Sid`, or `#2` for the second.
    pub statement: String,
    /// Whom it names: a principal as the document has it.
    pub principal: String,
    /// Whether a bare key passes; else only a session made without a code does.
    pub bare_key: bool,
}

/// Who asks to be let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ModelCaller {
    Key,
    SessionWithoutMfa,
    SessionWithMfa,
}

/// A statement that bears on `sts:AssumeRole`.
struct Statement {
    name: String,
    allows: bool,
    principals: Principals,
    conditions: Vec<Condition>,
}

/// Whom a statement concerns, as far as the auth account's users go.
enum Principals {
    /// All of them: the account, or anybody.
    Every(String),
    /// Some of them, by name.
    Named(String),
    Nobody,
}

/// Reads a trust policy document (JSON) for the users of the auth account.
pub fn read(document: &str, auth: AccountId) -> Reading {
    let unclear = |why: String| Reading::Unclear { why: sanitize(&why) };
    let statements = match parse(document, auth) {
        Ok(statements) => statements,
        Err(why) => return unclear(why),
    };
    let mut doubt = None;
    for caller in [ModelCaller::Key, ModelCaller::SessionWithoutMfa] {
        if denied(&statements, caller, auth) {
            continue;
        }
        for statement in statements.iter().filter(|statement| statement.allows) {
            let (Principals::Every(principal) | Principals::Named(principal)) =
                &statement.principals
            else {
                continue;
            };
            match statement.holds(caller, auth) {
                Holds::Never => {}
                Holds::Unclear(why) => doubt = doubt.or(Some(why)),
                Holds::Always | Holds::Perhaps => {
                    return Reading::Open(Hole {
                        statement: sanitize(&statement.name),
                        principal: sanitize(principal),
                        bare_key: caller == ModelCaller::Key,
                    });
                }
            }
        }
    }
    if let Some(why) = doubt {
        return unclear(why);
    }
    let with_mfa = ModelCaller::SessionWithMfa;
    let lets_in = |statement: &Statement| {
        statement.allows
            && !matches!(statement.principals, Principals::Nobody)
            && statement.holds(with_mfa, auth) != Holds::Never
    };
    if statements.iter().any(lets_in) && !denied(&statements, with_mfa, auth) {
        Reading::AsksMfa
    } else {
        Reading::Closed
    }
}

/// Whether a Deny is sure to strike the caller, whoever it is in particular.
fn denied(statements: &[Statement], caller: ModelCaller, auth: AccountId) -> bool {
    statements.iter().any(|statement| {
        !statement.allows
            && matches!(statement.principals, Principals::Every(_))
            && statement.holds(caller, auth) == Holds::Always
    })
}

/// The statements that bear on `sts:AssumeRole`.
fn parse(document: &str, auth: AccountId) -> Result<Vec<Statement>, String> {
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
        let statement = Statement::parse(map, &name, auth).map_err(in_statement)?;
        statements.extend(statement);
    }
    Ok(statements)
}

impl Statement {
    /// `None` where it is not about `sts:AssumeRole`.
    fn parse(
        map: &Map<String, Value>,
        name: &str,
        auth: AccountId,
    ) -> Result<Option<Self>, String> {
        const KNOWN: [&str; 7] =
            ["Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Condition"];
        if let Some(other) = map.keys().find(|key| !KNOWN.contains(&key.as_str())) {
            return Err(format!("unknown element {other}"));
        }
        let assumes = |patterns: Vec<String>| {
            let mut patterns = patterns.iter();
            patterns
                .any(|pattern| wildcard::matches(&pattern.to_ascii_lowercase(), "sts:assumerole"))
        };
        let about = match (map.get("Action"), map.get("NotAction")) {
            (Some(actions), None) => assumes(texts(actions)?),
            (None, Some(actions)) => !assumes(texts(actions)?),
            _ => return Err("it needs one of Action and NotAction".into()),
        };
        let allows = match map.get("Effect").and_then(Value::as_str) {
            Some("Allow") => true,
            Some("Deny") => false,
            _ => return Err("its Effect is neither Allow nor Deny".into()),
        };
        let principals = match (map.get("Principal"), map.get("NotPrincipal")) {
            (Some(value), None) => Principals::parse(value, auth)?,
            // Whom a Deny spares is not worth knowing: such a Deny counts for nothing.
            (None, Some(_)) if !allows => Principals::Nobody,
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
        Ok(about.then(|| Self { name: name.to_owned(), allows, principals, conditions }))
    }

    fn holds(&self, caller: ModelCaller, auth: AccountId) -> Holds {
        let mut all = Holds::Always;
        for condition in &self.conditions {
            match (condition.holds(caller, auth), &all) {
                (Holds::Never, _) => return Holds::Never,
                (Holds::Unclear(why), _) => all = Holds::Unclear(why),
                (Holds::Perhaps, Holds::Always) => all = Holds::Perhaps,
                _ => {}
            }
        }
        all
    }
}

impl Principals {
    fn parse(value: &Value, auth: AccountId) -> Result<Self, String> {
        let map = match value {
            Value::String(star) if star == "*" => return Ok(Self::Every("*".into())),
            Value::Object(map) => map,
            _ => return Err("its Principal is malformed".into()),
        };
        let mut found = Self::Nobody;
        for (kind, names) in map {
            match kind.as_str() {
                "AWS" => {}
                "Service" | "Federated" | "CanonicalUser" => continue,
                other => return Err(format!("unknown kind of principal {other}")),
            }
            for name in texts(names)? {
                match Self::of(&name, auth)? {
                    every @ Self::Every(_) => return Ok(every),
                    named @ Self::Named(_) => found = named,
                    Self::Nobody => {}
                }
            }
        }
        Ok(found)
    }

    /// What one `AWS` principal means. Role sessions carry no MFA and are not the users' own door.
    fn of(name: &str, auth: AccountId) -> Result<Self, String> {
        if name == "*" || name.parse() == Ok(auth) {
            return Ok(Self::Every(name.into()));
        }
        // A deleted user or role is shown by its unique id; nobody can be it again.
        let is_id = name.len() >= 16 && name.bytes().all(|b| b.is_ascii_alphanumeric());
        if is_id && (name.starts_with("AIDA") || name.starts_with("AROA"))
            || name.parse::<AccountId>().is_ok()
        {
            return Ok(Self::Nobody);
        }
        let parts: Vec<&str> = name.splitn(6, ':').collect();
        let ["arn", _, "iam" | "sts", "", account, resource] = parts[..] else {
            return Err(format!("principal {name} is not understood"));
        };
        if account.parse() != Ok(auth) {
            return match account.parse::<AccountId>() {
                Ok(_) => Ok(Self::Nobody),
                Err(_) => Err(format!("principal {name} is not understood")),
            };
        }
        match resource.split_once('/').map_or(resource, |(kind, _)| kind) {
            "root" => Ok(Self::Every(name.into())),
            "user" | "federated-user" => Ok(Self::Named(name.into())),
            "role" | "assumed-role" => Ok(Self::Nobody),
            _ => Err(format!("principal {name} is not understood")),
        }
    }
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

#[cfg(test)]
mod tests;
