//! What the placeholders of the request tables stand for in a config.

use std::collections::BTreeMap;

use super::super::input::Inputs;
use super::super::roles::SwitchRole;
use super::Request;
use crate::domain::wildcard::matches;

/// What a placeholder stands for, or why it stands for nothing here.
pub(super) type Meaning = Result<String, &'static str>;

/// What the tables' placeholders stand for in a config.
pub(super) struct Placeholders<'a> {
    inputs: &'a Inputs<'a>,
    meanings: BTreeMap<&'static str, Meaning>,
    region: String,
}

impl<'a> Placeholders<'a> {
    pub(super) fn of(inputs: &'a Inputs<'a>) -> Self {
        let regions = &inputs.guardrails.regions;
        let region = regions.first().map_or_else(|| inputs.region.clone(), ToString::to_string);
        let mut meanings = BTreeMap::from(places(inputs, &region));
        meanings.extend(listed(inputs));
        Self { inputs, meanings, region }
    }

    /// Fills a text; the inner error is why the config has no use for it.
    pub(super) fn fill(&self, text: &str) -> Result<Meaning, String> {
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
    pub(super) fn sample(&self, action: &str, account: &str) -> String {
        let service = action.split(':').next().unwrap_or_default();
        format!("arn:{}:{service}:{}:{account}:any/any", self.inputs.partition.name(), self.region)
    }

    pub(super) fn is_sandbox(&self, account: &str) -> bool {
        self.inputs.organization.is_some()
            && self.inputs.accounts.iter().any(|id| id.to_string() == account)
    }

    /// Whether the account is in the organization.
    pub(super) fn is_member(&self, account: &str) -> bool {
        self.is_sandbox(account) || account == self.inputs.auth_account.to_string()
    }

    /// What AWS adds to every request.
    pub(super) fn standard_keys(&self, request: &mut Request, tag: Option<&str>) {
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

/// An account outside every organization.
const STRANGER: &str = "666666666666";
const ELSEWHERE: [&str; 4] = ["sa-east-1", "eu-west-1", "us-west-2", "cn-northwest-1"];
const LARGE: [&str; 4] = ["p5.48xlarge", "x1e.32xlarge", "m7i.48xlarge", "c7i.24xlarge"];
const MODELS: [&str; 3] = ["anthropic.claude-opus-9", "meta.llama9-70b-v1:0", "cohere.command-x"];

/// Something that a pattern matches.
fn example(pattern: &str) -> String {
    pattern.replace('*', "micro").replace('?', "x")
}
