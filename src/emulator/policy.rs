//! One engine for every kind of policy: identity, trust, session, service control, resource control.
//!
//! Grammar and semantics: the IAM User Guide, "IAM JSON policy elements reference". What the engine
//! does not know fails closed (an Allow does not apply, a Deny does) and is named in the decision.

use serde_json::Value;

use super::condition::{Condition, Vocabulary};
use super::pattern::{Keys, like, substitute};

/// A policy document as AWS stores it: its own text, parsed.
#[derive(Debug, Clone)]
pub struct Document {
    source: String,
    statements: Vec<Statement>,
    /// Documents older than 2012-10-17 take `${...}` literally.
    variables: bool,
}

/// Why a text is not a policy document, in AWS's words where they are known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub String);

#[derive(Debug, Clone)]
struct Statement {
    /// Its `Sid`, or `#2` for the second.
    name: String,
    effect: Effect,
    actions: Selector,
    /// Absent in trust policies: the role itself.
    resources: Option<Selector>,
    /// Absent in identity policies: whoever they are attached to.
    principals: Option<Principals>,
    conditions: Vec<Condition>,
    /// Elements the engine does not know.
    unknown: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Effect {
    Allow,
    Deny,
}

/// `Action` or `NotAction`, `Resource` or `NotResource`.
#[derive(Debug, Clone)]
struct Selector {
    negated: bool,
    patterns: Vec<String>,
}

#[derive(Debug, Clone)]
enum Principals {
    Anyone,
    /// ARNs and account ids under `AWS`, services, identity providers.
    Named(Vec<String>),
}

/// The request that a policy decides on.
#[derive(Debug)]
pub(super) struct PolicyRequest<'a> {
    pub action: &'a str,
    pub resource: &'a str,
    pub keys: &'a Keys,
    /// The caller's own ARNs: a user's; a role's and its session's.
    pub arns: &'a [String],
    pub account: &'a str,
}

/// A document's decision on one request.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct PolicyDecision {
    pub denies: bool,
    pub allows: bool,
    /// It allows the caller by name, not only the caller's account.
    pub by_name: bool,
    /// Elements that the engine does not know, and so decided against the caller.
    pub unknown: Vec<String>,
    /// The first statement that denies, and the first that allows.
    pub denied_by: Option<String>,
    pub allowed_by: Option<String>,
}

impl Document {
    /// Reads a document.
    ///
    /// # Errors
    /// Text that AWS would refuse too: no JSON, no statements, elements of the wrong shape.
    pub fn parse(source: &str) -> Result<Self, Malformed> {
        Self::parse_with(source, Vocabulary::Emulated)
    }

    /// Reads a document whose conditions may name the keys of any AWS service.
    ///
    /// # Errors
    /// As [`Document::parse`].
    pub fn parse_any_key(source: &str) -> Result<Self, Malformed> {
        Self::parse_with(source, Vocabulary::AnyKey)
    }

    fn parse_with(source: &str, vocabulary: Vocabulary) -> Result<Self, Malformed> {
        let root: Value = serde_json::from_str(source)
            .map_err(|_| Malformed("This policy contains invalid Json".into()))?;
        let syntax = || Malformed("Syntax errors in policy.".into());
        let statements = match root.get("Statement").ok_or_else(syntax)? {
            Value::Array(list) => (1..)
                .zip(list)
                .map(|(number, one)| Statement::parse(one, number, vocabulary))
                .collect::<Option<Vec<_>>>(),
            one => Statement::parse(one, 1, vocabulary).map(|statement| vec![statement]),
        };
        Ok(Self {
            source: source.to_owned(),
            statements: statements.ok_or_else(syntax)?,
            variables: root.get("Version").and_then(Value::as_str) == Some("2012-10-17"),
        })
    }

    /// The text it was read from.
    pub fn source(&self) -> &str {
        &self.source
    }

    pub(super) fn decision(&self, request: &PolicyRequest) -> PolicyDecision {
        let mut decision = PolicyDecision::default();
        for statement in &self.statements {
            statement.apply(request, self.variables, &mut decision);
        }
        decision
    }
}

impl Statement {
    fn parse(value: &Value, number: usize, vocabulary: Vocabulary) -> Option<Self> {
        let map = value.as_object()?;
        let selector = |plain: &str, not: &str| match (map.get(plain), map.get(not)) {
            (Some(value), None) => {
                strings(value).map(|patterns| Selector { negated: false, patterns })
            }
            (None, Some(value)) => {
                strings(value).map(|patterns| Selector { negated: true, patterns })
            }
            _ => None,
        };
        let mut conditions = Vec::new();
        if let Some(blocks) = map.get("Condition") {
            for (operator, tests) in blocks.as_object()? {
                for (key, values) in tests.as_object()? {
                    conditions.push(Condition::new(operator, key, strings(values)?, vocabulary));
                }
            }
        }
        let known = [
            "Sid",
            "Effect",
            "Action",
            "NotAction",
            "Resource",
            "NotResource",
            "Principal",
            "Condition",
        ];
        let sid = map.get("Sid").and_then(Value::as_str).filter(|sid| !sid.is_empty());
        Some(Self {
            name: sid.map_or_else(|| format!("#{number}"), str::to_owned),
            effect: match map.get("Effect")?.as_str()? {
                "Allow" => Effect::Allow,
                "Deny" => Effect::Deny,
                _ => return None,
            },
            actions: selector("Action", "NotAction")?,
            resources: if map.contains_key("Resource") || map.contains_key("NotResource") {
                Some(selector("Resource", "NotResource")?)
            } else {
                None
            },
            principals: match map.get("Principal") {
                None => None,
                Some(value) => Some(Principals::parse(value)?),
            },
            conditions,
            unknown: map.keys().filter(|key| !known.contains(&key.as_str())).cloned().collect(),
        })
    }

    fn apply(&self, request: &PolicyRequest, variables: bool, decision: &mut PolicyDecision) {
        let value = |text: &str| {
            if variables { substitute(text, request.keys) } else { text.to_owned() }
        };
        let action = request.action.to_ascii_lowercase();
        let acts = self.actions.selects(|pattern| like(&pattern.to_ascii_lowercase(), &action));
        let touches = self.resources.as_ref().is_none_or(|resources| {
            resources.selects(|pattern| like(&value(pattern), request.resource))
        });
        let named = match &self.principals {
            None | Some(Principals::Anyone) => Some(true),
            Some(Principals::Named(names)) => names
                .iter()
                .filter_map(|name| names_caller(name, request))
                .reduce(|one, other| one || other),
        };
        let (true, true, Some(by_name)) = (acts, touches, named) else {
            return;
        };
        let mut unknown = self.unknown.clone();
        for condition in &self.conditions {
            match condition.holds(request.keys, value) {
                Ok(true) => {}
                Ok(false) => return,
                Err(what) => unknown.push(what),
            }
        }
        match self.effect {
            Effect::Deny => {
                decision.denies = true;
                decision.denied_by.get_or_insert_with(|| self.name.clone());
            }
            Effect::Allow if unknown.is_empty() => {
                decision.allows = true;
                decision.allowed_by.get_or_insert_with(|| self.name.clone());
                decision.by_name |= by_name;
            }
            Effect::Allow => {}
        }
        decision.unknown.append(&mut unknown);
    }
}

impl Selector {
    fn selects(&self, matches: impl Fn(&str) -> bool) -> bool {
        self.patterns.iter().any(|pattern| matches(pattern)) != self.negated
    }
}

impl Principals {
    fn parse(value: &Value) -> Option<Self> {
        match value {
            Value::String(star) if star == "*" => Some(Self::Anyone),
            Value::Object(map) => {
                let mut names = Vec::new();
                for kind in ["AWS", "Service", "Federated"] {
                    names.extend(map.get(kind).map_or_else(|| Some(Vec::new()), strings)?);
                }
                let anyone = names.iter().any(|name| name == "*");
                Some(if anyone { Self::Anyone } else { Self::Named(names) })
            }
            _ => None,
        }
    }
}

/// Whether a principal names the caller: by name (`Some(true)`), by account (`Some(false)`), or not.
fn names_caller(name: &str, request: &PolicyRequest) -> Option<bool> {
    if request.arns.iter().any(|arn| arn == name) {
        return Some(true);
    }
    let account = match name.strip_suffix(":root") {
        Some(arn) => arn.rsplit(':').next().unwrap_or_default(),
        None => name,
    };
    (account == request.account).then_some(false)
}

/// One string or a list of them; booleans and numbers count as their text, as in AWS.
fn strings(value: &Value) -> Option<Vec<String>> {
    let one = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        _ => None,
    };
    match value {
        Value::Array(list) => list.iter().map(one).collect(),
        value => one(value).map(|text| vec![text]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: &str = "arn:aws:iam::111111111111:user/alice";
    const ROLE: &str = "arn:aws:iam::222222222222:role/Developer";

    fn ask(document: &str, action: &str, resource: &str, keys: &[(&str, &str)]) -> PolicyDecision {
        let keys: Keys = keys
            .iter()
            .map(|(key, value)| (key.to_ascii_lowercase(), vec![(*value).to_owned()]))
            .collect();
        Document::parse(document).unwrap().decision(&PolicyRequest {
            action,
            resource,
            keys: &keys,
            arns: &[ALICE.to_owned()],
            account: "111111111111",
        })
    }

    fn trust(principal: &str, condition: &str, keys: &[(&str, &str)]) -> PolicyDecision {
        let document = format!(
            r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Principal":{principal},
                "Action":"sts:AssumeRole","Condition":{condition}}}}}"#
        );
        ask(&document, "sts:AssumeRole", ROLE, keys)
    }

    #[test]
    fn principals() {
        for (principal, allows, by_name) in [
            (r#"{"AWS":"arn:aws:iam::111111111111:user/alice"}"#, true, true),
            (r#"{"AWS":["arn:aws:iam::9:user/x","arn:aws:iam::111111111111:root"]}"#, true, false),
            (r#"{"AWS":"111111111111"}"#, true, false),
            (r#"{"AWS":"*"}"#, true, true),
            (r#""*""#, true, true),
            (r#"{"AWS":"arn:aws:iam::111111111111:user/bob"}"#, false, false),
            (r#"{"AWS":"arn:aws:iam::333333333333:root"}"#, false, false),
            (r#"{"Service":"ec2.amazonaws.com"}"#, false, false),
        ] {
            let decision = trust(principal, "{}", &[]);
            assert_eq!((decision.allows, decision.by_name), (allows, by_name), "{principal}");
        }
    }

    #[test]
    fn a_deny_wins_over_an_allow() {
        let decision = ask(
            r#"{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*"},
                {"Effect":"Deny","NotAction":["sts:GetSessionToken"],"Resource":"*"}]}"#,
            "sts:AssumeRole",
            ROLE,
            &[],
        );
        assert!(decision.denies && decision.allows);
    }

    #[test]
    fn resources_take_wildcards_and_variables() {
        let document = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"STS:assume*",
            "Resource":"arn:aws:iam::*:role/sandbox-${aws:username}"}}"#;
        let role = "arn:aws:iam::222222222222:role/sandbox-alice";
        let alice = [("aws:username", "alice")];
        assert!(ask(document, "sts:AssumeRole", role, &alice).allows);
        assert!(!ask(document, "sts:AssumeRole", role, &[("aws:username", "bob")]).allows);
        assert!(!ask(document, "sts:AssumeRole", role, &[]).allows);
        let old = document.replace("2012-10-17", "2008-10-17");
        assert!(!ask(&old, "sts:AssumeRole", role, &alice).allows);
    }

    #[test]
    fn what_is_unknown_fails_closed_and_is_named() {
        let anyone = r#"{"AWS":"*"}"#;
        let allow = trust(anyone, r#"{"IpAddress":{"aws:SourceIp":"127.0.0.0/8"}}"#, &[]);
        assert!(!allow.allows);
        assert_eq!(allow.unknown, ["IpAddress aws:SourceIp"]);
        let key = trust(anyone, r#"{"StringEquals":{"aws:SourceVpc":"vpc-1"}}"#, &[]);
        assert!(!key.allows);
        assert_eq!(key.unknown, ["StringEquals aws:SourceVpc"]);
        let deny = ask(
            r#"{"Statement":{"Effect":"Deny","Action":"*","Resource":"*",
                "Condition":{"IpAddress":{"aws:SourceIp":"::/0"}}}}"#,
            "sts:AssumeRole",
            ROLE,
            &[],
        );
        assert!(deny.denies);
    }

    #[test]
    fn malformed_documents_are_refused() {
        for (text, why) in [
            ("{", "This policy contains invalid Json"),
            ("{}", "Syntax errors in policy."),
            (r#"{"Statement":{"Effect":"Maybe","Action":"*"}}"#, "Syntax errors in policy."),
            (r#"{"Statement":{"Effect":"Allow"}}"#, "Syntax errors in policy."),
        ] {
            assert_eq!(Document::parse(text).unwrap_err().to_string(), why, "{text}");
        }
    }
}
