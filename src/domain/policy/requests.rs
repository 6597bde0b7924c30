//! The request table: who asks for what in which situation, and what the documents have to say to it.
//!
//! The tables stand in `assets/policies/requests/`, written with placeholders; here they get the ids, roles and
//! lists of a config. Nothing is evaluated here: `policy --check` and the tests do that, each by its own engine.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::input::Inputs;
use super::roles::SwitchRole;
use super::{Document, PolicyKind};
use crate::domain::config::Config;
use crate::domain::fault::{Exit, Fault};
use crate::domain::wildcard::matches;

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

/// What a placeholder stands for, or why it stands for nothing here.
type Meaning = Result<String, &'static str>;

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

/// What the tables' placeholders stand for in a config.
struct Placeholders<'a> {
    inputs: &'a Inputs<'a>,
    meanings: BTreeMap<&'static str, Meaning>,
    region: String,
}

impl<'a> Placeholders<'a> {
    fn of(inputs: &'a Inputs<'a>) -> Self {
        let regions = &inputs.guardrails.regions;
        let region = regions.first().map_or_else(|| inputs.region.clone(), ToString::to_string);
        let mut meanings = BTreeMap::from(places(inputs, &region));
        meanings.extend(listed(inputs));
        Self { inputs, meanings, region }
    }

    /// Fills a text; the inner error is why the config has no use for it.
    fn fill(&self, text: &str) -> Result<Meaning, String> {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let (name, tail) = after.split_once('}').ok_or("an open brace")?;
            out.push_str(before);
            match self.meanings.get(name).ok_or_else(|| format!("unknown name {name}"))? {
                Ok(text) => out.push_str(text),
                Err(why) => return Ok(Err(why)),
            }
            rest = tail;
        }
        Ok(Ok(out + rest))
    }

    /// Any resource of an action's service.
    fn sample(&self, action: &str, account: &str) -> String {
        let service = action.split(':').next().unwrap_or_default();
        format!("arn:{}:{service}:{}:{account}:any/any", self.inputs.partition.name(), self.region)
    }

    fn is_sandbox(&self, account: &str) -> bool {
        self.inputs.organization.is_some()
            && self.inputs.accounts.iter().any(|id| id.to_string() == account)
    }

    /// Whether the account is in the organisation.
    fn is_member(&self, account: &str) -> bool {
        self.is_sandbox(account) || account == self.inputs.auth_account.to_string()
    }

    /// What AWS adds to every request.
    fn standard_keys(&self, request: &mut Request, tag: Option<&str>) {
        let keys = &mut request.keys;
        let mut set = |key: &str, value: &str| keys.insert(key.to_owned(), vec![value.to_owned()]);
        set("aws:PrincipalIsAWSService", "false");
        set("aws:RequestedRegion", &self.region);
        set("aws:PrincipalArn", &request.principal);
        let name = request.principal.rsplit('/').next().unwrap_or_default();
        let is_user = request.principal.contains(":user/");
        let is_member =
            |account: &str| self.inputs.organization.as_ref().filter(|_| self.is_member(account));
        if let Some(home) = &request.home {
            let is_role = request.principal.contains(":role/");
            let kind = if is_user {
                "User"
            } else if is_role {
                "AssumedRole"
            } else {
                "Account"
            };
            set("aws:PrincipalAccount", home);
            set("aws:PrincipalType", kind);
            if let Some(organization) = is_member(home) {
                set("aws:PrincipalOrgID", organization.id);
            }
        }
        if is_user {
            set("aws:username", name);
        }
        for role in tag.iter().flat_map(|_| &self.inputs.roles) {
            set(&format!("aws:PrincipalTag/{}", role.tag()), tag.unwrap_or_default());
        }
        if request.resource != "*" {
            set("aws:ResourceAccount", &request.account);
            match is_member(&request.account) {
                Some(organization) => set("aws:ResourceOrgID", organization.id),
                None => set("aws:ResourceOrgID", "o-zzzzzzzzzz"),
            };
        }
        if request.action == "sts:AssumeRole" {
            set("sts:RoleSessionName", name);
            let asked = self.inputs.roles.iter().find(|role| {
                request.resource.ends_with(&format!(":role{}{}", role.path, role.name))
            });
            if let Some(external_id) = asked.and_then(|role| role.external_id.as_ref()) {
                set("sts:ExternalId", external_id);
            }
        }
    }
}

/// Accounts, roles and regions.
fn places(inputs: &Inputs<'_>, region: &str) -> [(&'static str, Meaning); 20] {
    let arn = |service: &str, region: &str, account: &str| {
        format!("arn:{}:{service}:{region}:{account}:", inputs.partition.name())
    };
    let iam = |account: String| arn("iam", "", &account);
    let resource = |role: &SwitchRole| format!("role{}{}", role.path, role.name);
    let first_of = |role: &SwitchRole| role.accounts[0].to_string();
    // The role of the most accounts, in the first of them.
    let most = inputs.roles.iter().map(|role| role.accounts.len()).max();
    let is_common = |role: &&SwitchRole| Some(role.accounts.len()) == most;
    let role = inputs.roles.iter().find(is_common).unwrap_or(&inputs.roles[0]);
    let last = inputs.roles.last().unwrap_or(role);
    let dev = first_of(role);
    let other =
        role.accounts.get(1).map(ToString::to_string).ok_or("every role is in one account only");
    let tagging = inputs.roles.iter().find(|role| !role.session_actions.is_empty());
    let second = inputs.roles.iter().find(|other| {
        other.name != role.name && other.accounts.iter().any(|id| id.to_string() == dev)
    });
    let exempt = inputs.guardrails.exempt_roles.first().map(|pattern| {
        let here = pattern.replacen("::*:", &format!("::{dev}:"), 1);
        here.replace('*', "pipeline").replace('?', "x")
    });
    let organization = inputs.organization.map(|organization| organization.id.to_owned());
    let partner = inputs.guardrails.trusted_accounts.first().map(|id| iam(id.to_string()));
    [
        ("auth", Ok(iam(inputs.auth_account.to_string()))),
        ("auth_id", Ok(inputs.auth_account.to_string())),
        ("dev", Ok(iam(dev.clone()))),
        ("dev_id", Ok(dev.clone())),
        ("other_id", other.clone()),
        ("other_with_role", other.map(iam)),
        ("foreign", Ok(iam(STRANGER.into()))),
        ("partner", partner.ok_or("`guardrails.trusted_accounts` is empty")),
        ("partition", Ok(inputs.partition.name().to_owned())),
        ("region", Ok(region.to_owned())),
        ("ec2", Ok(arn("ec2", region, &dev))),
        ("aws", Ok(format!("{region}:{dev}"))),
        ("role", Ok(resource(role))),
        ("role_name", Ok(role.name.clone())),
        ("second_role", second.map(resource).ok_or("the account has one role only")),
        ("last_role", Ok(resource(last))),
        ("last_account", Ok(iam(first_of(last)))),
        (
            "tagging",
            tagging
                .map(|role| iam(first_of(role)) + &resource(role))
                .ok_or("no role has session tags or a source identity"),
        ),
        ("org", organization.ok_or("`guardrails.organization` is not set")),
        ("exempt", exempt.ok_or("`guardrails.exempt_roles` is empty")),
    ]
}

/// What the lists of the guardrails allow, and what they do not.
fn listed(inputs: &Inputs<'_>) -> [(&'static str, Meaning); 16] {
    let rails = &inputs.guardrails;
    let regions: Vec<String> = rails.regions.iter().map(ToString::to_string).collect();
    let (no_regions, no_types, no_models) = (
        "`guardrails.regions` is empty",
        "`guardrails.instance_types` is empty",
        "`guardrails.allowed_models` is empty",
    );
    let first = |list: &[String], why| list.first().map(|text| example(text)).ok_or(why);
    let second = |list: &[String], why| list.get(1).map(|text| example(text)).ok_or(why);
    let outside = |candidates: &[&str], list: &[String], why| {
        let is_free = |candidate: &&&str| !list.iter().any(|pattern| matches(pattern, candidate));
        let free = candidates.iter().find(is_free).filter(|_| !list.is_empty());
        free.map(|text| (*text).to_owned()).ok_or(why)
    };
    let verdict = |allowed: bool| Ok(if allowed { "allow" } else { "deny" }.to_owned());
    let budget = rails.monthly_budget_usd.map(|usd| usd.to_string());
    let own_model = first(&rails.allowed_models, no_models);
    [
        ("regions", first(&regions, no_regions)),
        ("second_region", second(&regions, "`guardrails.regions` has fewer than two entries")),
        ("elsewhere", outside(&ELSEWHERE, &regions, no_regions)),
        ("type", first(&rails.instance_types, no_types)),
        (
            "second_type",
            second(&rails.instance_types, "`guardrails.instance_types` has fewer than two entries"),
        ),
        ("large", outside(&LARGE, &rails.instance_types, no_types)),
        ("budget", budget.ok_or("`guardrails.monthly_budget_usd` is not set")),
        ("some_model", own_model.clone().or_else(|_| Ok("amazon.nova-lite-v1:0".into()))),
        ("model", own_model),
        (
            "second_model",
            second(&rails.allowed_models, "`guardrails.allowed_models` has fewer than two entries"),
        ),
        ("other_model", outside(&MODELS, &rails.allowed_models, no_models)),
        ("product", first(&rails.allowed_products, "`guardrails.allowed_products` is empty")),
        ("issuer", first(&inputs.web_issuers, "`guardrails.trusted_issuers` has no web identity")),
        ("saml_issuer", first(&inputs.saml_issuers, "`guardrails.trusted_issuers` has no SAML")),
        ("if_smtp", verdict(rails.allow_ses_smtp)),
        (
            "if_agreements",
            verdict(rails.allowed_models.is_empty() || !rails.allowed_products.is_empty()),
        ),
    ]
}

/// An account outside every organisation.
const STRANGER: &str = "666666666666";
const ELSEWHERE: [&str; 4] = ["sa-east-1", "eu-west-1", "us-west-2", "cn-northwest-1"];
const LARGE: [&str; 4] = ["p5.48xlarge", "x1e.32xlarge", "m7i.48xlarge", "c7i.24xlarge"];
const MODELS: [&str; 3] = ["anthropic.claude-opus-9", "meta.llama9-70b-v1:0", "cohere.command-x"];

/// Something that a pattern matches.
fn example(pattern: &str) -> String {
    pattern.replace('*', "micro").replace('?', "x")
}
