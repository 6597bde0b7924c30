//! The request table: who asks for what in which situation, and what the documents have to say to it.
//!
//! The tables stand in `assets/policies/requests/`, written with placeholders; here they get the ids, roles and
//! lists of a config. Nothing is evaluated here: `policy --check` and the tests do that, each by its own engine.

mod placeholders;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::input::Inputs;
use super::{Document, PolicyKind};
use crate::domain::config::Config;
use crate::domain::fault::{Exit, Fault};
use placeholders::Placeholders;

/// Which table a row is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RequestTable {
    /// What must be refused, and what must stay possible beside it.
    Guards,
    /// A developer's ordinary work, which no guardrail may stop.
    OrdinaryDay,
}

impl RequestTable {
    /// The name of its file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Guards => "guards",
            Self::OrdinaryDay => "ordinary-day",
        }
    }
}

/// What a row wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Wanted {
    /// Allowed by every layer.
    Allow,
    /// Refused by any layer.
    Deny,
    /// Explicitly denied by no layer: AWS asks for no permission.
    Undenied,
}

/// How a document bears on a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bearing {
    /// The caller's own policy.
    Identity,
    /// What binds the caller's account.
    ServiceControl,
    /// What binds the resource's account.
    ResourceControl,
    /// The trust policy of the role that is asked for.
    Trust,
}

/// One request, with everything that AWS would know about it.
#[derive(Debug, Clone, Serialize)]
pub struct Request {
    /// The caller's name in the table, and the situation.
    pub who: String,
    /// `SERVICE:Action`
    pub action: String,
    /// The ARN, or `*`.
    pub resource: String,
    /// The table names no resource in particular.
    pub any_resource: bool,
    /// The caller's ARN, or a service's name.
    pub principal: String,
    /// The caller's account; a service has none.
    pub home: Option<String>,
    /// The resource's account.
    pub account: String,
    /// Condition keys.
    pub keys: BTreeMap<String, Vec<String>>,
    /// Those of them that the row itself sets.
    pub own_keys: Vec<String>,
    /// `AdministratorAccess` is attached to the caller.
    pub is_admin: bool,
    /// The trust policy of a role that is not in the documents.
    pub trust: Option<Value>,
    layers: Vec<Layer>,
}

impl Request {
    /// How a document bears on it, if at all.
    pub fn bearing(&self, document: &Document) -> Option<Bearing> {
        if document.kind == PolicyKind::TrustPolicy {
            return (document.target == self.resource).then_some(Bearing::Trust);
        }
        let layer = Layer::of(document)?;
        // `switch` is part of `group`.
        let met = self.layers.contains(&layer)
            || (layer == Layer::Switch && self.layers.contains(&Layer::Group));
        met.then_some(match layer {
            Layer::Group | Layer::Switch => Bearing::Identity,
            Layer::Auth | Layer::Sandbox | Layer::Brake => Bearing::ServiceControl,
            Layer::Rcp => Bearing::ResourceControl,
        })
    }

    /// Whether a role's trust policy has a say.
    pub fn asks_trust(&self) -> bool {
        self.action.starts_with("sts:AssumeRole") || self.action == "sts:TagSession"
    }
}

/// A row of a table.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// Its table.
    pub table: RequestTable,
    /// Its line there.
    pub line: usize,
    /// The request.
    pub request: Request,
    /// What is wanted.
    pub wanted: Wanted,
}

/// Rows that a config has no use for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unused {
    /// Why, naming the config's key.
    pub why: String,
    /// How many rows.
    pub rows: usize,
}

/// Both tables for one config.
#[derive(Debug, Clone)]
pub struct Requests {
    /// Every row that can be evaluated.
    pub rows: Vec<Row>,
    /// The others.
    pub unused: Vec<Unused>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum Layer {
    Group,
    Switch,
    Auth,
    Sandbox,
    Brake,
    Rcp,
}

impl Layer {
    fn of(document: &Document) -> Option<Self> {
        let within = |folder: &str| document.file.starts_with(folder);
        Some(match document.kind {
            PolicyKind::ManagedPolicy => Self::Group,
            PolicyKind::GroupPolicy => Self::Switch,
            PolicyKind::ResourceControlPolicy => Self::Rcp,
            PolicyKind::ServiceControlPolicy if within("organization/scp-auth-account/") => {
                Self::Auth
            }
            PolicyKind::ServiceControlPolicy if within("organization/scp-sandbox/") => {
                Self::Sandbox
            }
            PolicyKind::ServiceControlPolicy => Self::Brake,
            _ => return None,
        })
    }
}

/// `assets/policies/requests/world.json`
#[derive(Debug, Deserialize)]
struct World {
    principals: BTreeMap<String, Principal>,
    situations: BTreeMap<String, BTreeMap<String, String>>,
    trust: BTreeMap<String, Value>,
}

#[derive(Debug, Deserialize)]
struct Principal {
    arn: String,
    #[serde(default)]
    layers: Vec<Layer>,
    #[serde(default)]
    admin: bool,
    /// The accounts in the tags that open roles; absent: no such tag.
    tag: Option<String>,
    /// Placeholders that the principal makes sense with only.
    #[serde(default)]
    needs: String,
    /// Whether resource control policies are left away, to see the trust policy alone.
    #[serde(default)]
    without_rcp: bool,
}

/// The tables with a config's values.
///
/// # Errors
/// What keeps the documents from being rendered.
pub fn requests(config: &Config) -> Result<Requests, Vec<Fault>> {
    let inputs = Inputs::of(config)?;
    let tables = [
        (RequestTable::Guards, asset!("requests/guards.txt")),
        (RequestTable::OrdinaryDay, asset!("requests/ordinary-day.txt")),
    ];
    let broken = |why: String| {
        vec![Fault::new(Exit::Fault, "the request table of this sekisho is damaged").because(why)]
    };
    let world: World = serde_json::from_str(asset!("requests/world.json"))
        .map_err(|error| broken(error.to_string()))?;
    let values = Placeholders::of(&inputs);
    let mut found = Requests { rows: Vec::new(), unused: Vec::new() };
    for (table, text) in tables {
        for (line, text) in (1..).zip(text.lines()) {
            expand(table, line, text, &world, &values, &mut found)
                .map_err(|why| broken(format!("{}.txt:{line}: {why}", table.name())))?;
        }
    }
    Ok(found)
}

/// `WHO WITH ACTION RESOURCE [KEY=VALUE …] [?{NAME} …] => VERDICT`, where the first three may be lists with commas.
fn expand(
    table: RequestTable,
    line: usize,
    text: &str,
    world: &World,
    values: &Placeholders<'_>,
    found: &mut Requests,
) -> Result<(), String> {
    let text = text.split(" #").next().unwrap_or_default().trim();
    if text.is_empty() || text.starts_with('#') {
        return Ok(());
    }
    let (request, verdict) = text.split_once("=>").ok_or("no verdict")?;
    let words: Vec<&str> = request.split_whitespace().collect();
    let [who, with, actions, resource, context @ ..] = &words[..] else {
        return Err("too few words".into());
    };
    for who in who.split(',') {
        for with in with.split(',') {
            for action in actions.split(',') {
                let one = Line { who, with, action, resource, context, verdict: verdict.trim() };
                match one.row(world, values)? {
                    Ok((request, wanted)) => {
                        found.rows.push(Row { table, line, request, wanted });
                    }
                    Err(why) => match found.unused.iter_mut().find(|unused| unused.why == why) {
                        Some(unused) => unused.rows += 1,
                        None => found.unused.push(Unused { why: why.into(), rows: 1 }),
                    },
                }
            }
        }
    }
    Ok(())
}

/// One row as it is written.
struct Line<'a> {
    who: &'a str,
    with: &'a str,
    action: &'a str,
    resource: &'a str,
    context: &'a [&'a str],
    verdict: &'a str,
}

impl Line<'_> {
    fn row(
        &self,
        world: &World,
        values: &Placeholders<'_>,
    ) -> Result<Result<(Request, Wanted), &'static str>, String> {
        let principal = world.principals.get(self.who).ok_or("unknown principal")?;
        let situation = world.situations.get(self.with).ok_or("unknown situation")?;
        let mut filled = Vec::new();
        for text in [principal.needs.as_str(), &principal.arn, self.resource, self.verdict]
            .into_iter()
            .chain(self.context.iter().copied())
            .chain(principal.tag.as_deref())
        {
            match values.fill(text)? {
                Ok(text) => filled.push(text),
                Err(why) => return Ok(Err(why)),
            }
        }
        let mut filled = filled.into_iter().skip(1);
        let mut next = || filled.next().unwrap_or_default();
        let (arn, resource, verdict) = (next(), next(), next());
        let context: Vec<String> = self.context.iter().map(|_| next()).collect();
        let tag = principal.tag.is_some().then(next);
        let wanted = match verdict.as_str() {
            "allow" => Wanted::Allow,
            "deny" => Wanted::Deny,
            "undenied" => Wanted::Undenied,
            other => return Err(format!("unknown verdict {other}")),
        };
        let home = arn.split(':').nth(4).filter(|id| !id.is_empty()).map(str::to_owned);
        let any_resource = resource == "any";
        let resource = match resource.as_str() {
            "self" => arn.clone(),
            "any" => values.sample(self.action, home.as_deref().unwrap_or_default()),
            other => other.to_owned(),
        };
        let account = resource.split(':').nth(4).filter(|id| !id.is_empty()).map(str::to_owned);
        let account = account.or_else(|| home.clone()).unwrap_or_default();
        let mut layers = principal.layers.clone();
        if values.is_sandbox(&account) && !principal.without_rcp {
            layers.push(Layer::Rcp);
        }
        let mut request = Request {
            who: format!("{} {}", self.who, self.with),
            action: self.action.into(),
            trust: None,
            keys: BTreeMap::new(),
            own_keys: Vec::new(),
            any_resource,
            principal: arn,
            home,
            account,
            resource,
            is_admin: principal.admin,
            layers,
        };
        if request.asks_trust() {
            for (role, statement) in &world.trust {
                if values.fill(role)?.is_ok_and(|role| role == request.resource) {
                    request.trust = Some(trust_of(statement, values)?);
                }
            }
        }
        values.standard_keys(&mut request, tag.as_deref());
        for (key, value) in situation {
            request.keys.insert(key.clone(), vec![value.clone()]);
        }
        for pair in context.iter().filter(|word| !word.starts_with('?')) {
            let (key, value) = pair.split_once('=').ok_or("a key without a value")?;
            if value.is_empty() {
                request.keys.remove(key);
            } else {
                let several = value.split('|').map(str::to_owned).collect();
                request.keys.insert(key.to_owned(), several);
                request.own_keys.push(key.to_owned());
            }
        }
        Ok(Ok((request, wanted)))
    }
}

fn trust_of(statement: &Value, values: &Placeholders<'_>) -> Result<Value, String> {
    fn fill(value: &Value, values: &Placeholders<'_>) -> Result<Value, String> {
        Ok(match value {
            // What means nothing in this config is a principal that nobody is.
            Value::String(text) => values.fill(text)?.unwrap_or_else(|_| "nobody".into()).into(),
            Value::Array(items) => {
                items.iter().map(|item| fill(item, values)).collect::<Result<_, _>>()?
            }
            Value::Object(entries) => entries
                .iter()
                .map(|(key, value)| Ok((key.clone(), fill(value, values)?)))
                .collect::<Result<serde_json::Map<_, _>, String>>()?
                .into(),
            other => other.clone(),
        })
    }
    let statement = fill(statement, values)?;
    Ok(serde_json::json!({ "Version": "2012-10-17", "Statement": [statement] }))
}
