//! What the documents are rendered from: the config's guardrails, checked together.

use std::borrow::Cow;

use super::LeftOut;
use super::roles::{SwitchRole, is_plain, switch_roles};
use crate::domain::config::{Config, Guardrails};
use crate::domain::fault::{Exit, Fault};
use crate::domain::ids::{AccountId, Partition};
use crate::domain::wildcard;

/// Roles that deploy `StackSets`: AWS makes them in every account, and no guardrail may stop them.
const STACKSET_EXECUTION: &str = "role/stacksets-exec-*";

/// The organization that the control policies are attached in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Organization<'a> {
    pub(super) id: &'a str,
    /// The organizational unit of the sandbox accounts.
    pub(super) unit: &'a str,
    pub(super) management: AccountId,
}

/// Everything the documents need, valid as a whole.
#[derive(Debug)]
pub(super) struct Inputs<'a> {
    pub(super) partition: Partition,
    pub(super) region: String,
    pub(super) auth_account: AccountId,
    pub(super) session_seconds: u64,
    /// Absent: only the policies that IAM itself takes are rendered.
    pub(super) organization: Option<Organization<'a>>,
    pub(super) guardrails: Cow<'a, Guardrails>,
    pub(super) exempt_roles: Vec<String>,
    pub(super) web_issuers: Vec<String>,
    pub(super) saml_issuers: Vec<String>,
    pub(super) accounts: Vec<AccountId>,
    pub(super) roles: Vec<SwitchRole>,
    pub(super) left_out: Vec<LeftOut>,
}

impl<'a> Inputs<'a> {
    /// Reads the config; every fault at once, each naming its key.
    pub(super) fn of(config: &'a Config) -> Result<Self, Vec<Fault>> {
        let guardrails = match &config.guardrails {
            Some(guardrails) => Cow::Borrowed(guardrails),
            None => Cow::Owned(Guardrails::default()),
        };
        let mut faults = Vec::new();
        let partition = config.auth.region.partition();
        let organization = config
            .guardrails
            .as_ref()
            .and_then(|guardrails| organization(guardrails, config.auth.account, &mut faults));
        for pattern in &guardrails.instance_types {
            check_words("instance_types", Some(pattern), "", &mut faults);
        }
        let management = guardrails.management_account;
        let mut left_out = Vec::new();
        let roles = switch_roles(config, partition, management, &mut left_out, &mut faults);
        let exempt_roles = exempt_roles(&guardrails, partition, &roles, &mut faults);
        let (web_issuers, saml_issuers) = issuers(&guardrails.trusted_issuers, &mut faults);
        if !faults.is_empty() {
            return Err(faults);
        }
        if organization.is_some() {
            note_missing(&guardrails, &web_issuers, &saml_issuers, &mut left_out);
        } else {
            left_out.push(LeftOut::new([
                "service and resource control policies, the StackSet and the budgets",
                "`guardrails` has no `organization`, `management_account` and `sandbox_ou`",
                "サービスコントロールポリシー (SCP)、リソースコントロールポリシー (RCP)、StackSet、予算",
                "`guardrails` に `organization`、`management_account`、`sandbox_ou` がない",
            ]));
        }
        let mut accounts: Vec<AccountId> =
            roles.iter().flat_map(|role| role.accounts.clone()).collect();
        accounts.sort_unstable();
        accounts.dedup();
        Ok(Self {
            partition,
            region: config.auth.region.to_string(),
            auth_account: config.auth.account,
            session_seconds: config.auth.session.as_secs(),
            organization,
            guardrails,
            exempt_roles,
            web_issuers,
            saml_issuers,
            accounts,
            roles,
            left_out,
        })
    }

    /// `arn:PARTITION:iam::ACCOUNT:RESOURCE`
    pub(super) fn iam_arn(&self, account: &str, resource: &str) -> String {
        format!("arn:{}:iam::{account}:{resource}", self.partition.name())
    }
}

/// The organization; without any of its keys there is none, with some of them the others are missing.
fn organization<'a>(
    guardrails: &'a Guardrails,
    auth: AccountId,
    faults: &mut Vec<Fault>,
) -> Option<Organization<'a>> {
    let (id, unit) = (guardrails.organization.as_deref(), guardrails.sandbox_ou.as_deref());
    let management = guardrails.management_account;
    if id.is_none() && unit.is_none() && management.is_none() {
        return None;
    }
    let describe = "aws organizations describe-organization --query Organization";
    let id = required(id, "organization", &format!("{describe}.Id"), faults);
    let list = "aws organizations list-organizational-units-for-parent --parent-id r-…";
    let unit = required(unit, "sandbox_ou", list, faults);
    let account = format!("{describe}.MasterAccountId");
    let management = required(management, "management_account", &account, faults);
    if management == Some(auth) {
        faults.push(
            Fault::new(Exit::Usage, format!("`auth.account` {auth} is the management account"))
                .because("service control policies do not bind it, so only the users' own policy would hold there")
                .fix("keep the IAM users in a member account of the organization"),
        );
    }
    check_words("organization", id, "o-", faults);
    check_words("sandbox_ou", unit, "ou-", faults);
    Some(Organization { id: id?, unit: unit?, management: management? })
}

fn required<T>(value: Option<T>, key: &str, command: &str, faults: &mut Vec<Fault>) -> Option<T> {
    if value.is_none() {
        faults.push(
            Fault::new(Exit::Usage, format!("`guardrails.{key}` is missing"))
                .because("the other keys of the organization are set, and the documents need all of them")
                .fix(format!("add it to the config; `{command}` prints it")),
        );
    }
    value
}

/// The ids end up in policies, templates and commands: letters, digits and a few marks only.
fn check_words(key: &str, text: Option<&str>, prefix: &str, faults: &mut Vec<Fault>) {
    let Some(text) = text else { return };
    let plain = |c: char| c.is_ascii_alphanumeric() || "-.*?".contains(c);
    if !text.starts_with(prefix) || text.len() <= prefix.len() || !text.chars().all(plain) {
        faults.push(
            Fault::new(Exit::Usage, format!("`guardrails.{key}`: {text:?} is not one")).fix(
                format!(
                    "write it as AWS prints it{}",
                    if prefix.is_empty() { String::new() } else { format!(": {prefix}…") }
                ),
            ),
        );
    }
}

/// The config's patterns and AWS's own `StackSet` roles. A pattern that a switch role matches would exempt
/// the developers themselves.
fn exempt_roles(
    guardrails: &Guardrails,
    partition: Partition,
    roles: &[SwitchRole],
    faults: &mut Vec<Fault>,
) -> Vec<String> {
    let start = format!("arn:{}:iam::", partition.name());
    for pattern in &guardrails.exempt_roles {
        let key = "guardrails.exempt_roles";
        let parts = pattern.strip_prefix(&start).and_then(|rest| rest.split_once(':'));
        let whole = parts.filter(|(account, resource)| {
            (*account == "*" || account.parse::<AccountId>().is_ok())
                && resource.strip_prefix("role/").is_some_and(|name| !name.is_empty())
                && is_plain(&resource.replace(['*', '?'], ""))
        });
        let Some((_, resource)) = whole else {
            faults.push(
                Fault::new(
                    Exit::Usage,
                    format!("`{key}`: {pattern:?} is not a full role ARN pattern"),
                )
                .fix(format!("write it like {start}*:role/provisioning/*")),
            );
            continue;
        };
        let caught = roles
            .iter()
            .find(|role| wildcard::matches(resource, &format!("role{}{}", role.path, role.name)));
        if let Some(role) = caught {
            faults.push(
                Fault::new(
                    Exit::Usage,
                    format!("`{key}`: {pattern} also matches the switch role {}", role.name),
                )
                .because("whoever switches into it would be exempt from every guardrail")
                .fix("give provisioning roles a path of their own and name that path"),
            );
        }
    }
    let mut patterns = guardrails.exempt_roles.clone();
    patterns.push(format!("{start}*:{STACKSET_EXECUTION}"));
    patterns.dedup();
    patterns
}

/// Issuers as web identity names them (without a scheme) and as SAML does (as they stand).
fn issuers(trusted: &[String], faults: &mut Vec<Fault>) -> (Vec<String>, Vec<String>) {
    for issuer in trusted {
        if issuer.is_empty()
            || !issuer.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~:/?=&%+@".contains(&b))
        {
            faults.push(
                Fault::new(Exit::Usage, format!("`guardrails.trusted_issuers`: {issuer:?} is not an issuer"))
                    .fix("write a web identity issuer like token.actions.githubusercontent.com, a SAML issuer as its metadata's entityID"),
            );
        }
    }
    let web = trusted.iter().filter(|issuer| !issuer.starts_with("urn:"));
    let web =
        web.map(|issuer| issuer.trim_start_matches("https://").trim_end_matches('/').to_owned());
    // A bare host is how AWS names a web identity provider; a SAML entityID is a URI.
    let saml = trusted.iter().filter(|issuer| issuer.contains(':'));
    (web.collect(), saml.cloned().collect())
}

fn note_missing(
    guardrails: &Guardrails,
    web_issuers: &[String],
    saml_issuers: &[String],
    left_out: &mut Vec<LeftOut>,
) {
    let empty =
        |key: &str| [format!("`guardrails.{key}` is empty"), format!("`guardrails.{key}` が空")];
    let no_issuer = |kind: &str, japanese: &str| {
        [
            format!("`guardrails.trusted_issuers` names no {kind} issuer"),
            format!("`guardrails.trusted_issuers` に {japanese} の発行者がない"),
        ]
    };
    let no_budget = [
        "`guardrails.monthly_budget_usd` is not set".to_owned(),
        "`guardrails.monthly_budget_usd` が設定されていない".to_owned(),
    ];
    let (types, budget) = (&guardrails.instance_types, guardrails.monthly_budget_usd);
    let missing = [
        (
            guardrails.regions.is_empty(),
            ["the limit to regions", "リージョンの制限"],
            empty("regions"),
        ),
        (
            types.is_empty(),
            ["the limit to instance types", "インスタンスタイプの制限"],
            empty("instance_types"),
        ),
        (
            guardrails.allowed_models.is_empty(),
            ["the limit to models", "モデルの制限"],
            empty("allowed_models"),
        ),
        (
            web_issuers.is_empty(),
            ["the limit to web identity issuers", "ウェブ ID の発行者の制限"],
            no_issuer("web identity", "ウェブ ID"),
        ),
        (
            saml_issuers.is_empty(),
            ["the limit to SAML issuers", "SAML の発行者の制限"],
            no_issuer("SAML", "SAML"),
        ),
        (budget.is_none(), ["budgets and the brake", "予算とブレーキ"], no_budget),
    ];
    for (_, [what, what_ja], [why, why_ja]) in missing.into_iter().filter(|(is, ..)| *is) {
        left_out.push(LeftOut::new([what.to_owned(), why, what_ja.to_owned(), why_ja]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_iam_matches_them() {
        for (pattern, text) in [
            ("role/*", "role/Developer"),
            ("role/Dev*", "role/Developer"),
            ("role/*/Admin", "role/ops/x/Admin"),
            ("role/Admi?", "role/Admin"),
        ] {
            assert!(wildcard::matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [
            ("role/provisioning/*", "role/Developer"),
            ("role/Admin?", "role/Admin"),
            ("role/dev*", "role/Developer"),
        ] {
            assert!(!wildcard::matches(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn issuers_are_named_as_each_protocol_names_them() {
        let trusted = [
            "token.actions.githubusercontent.com",
            "https://idp.example.com/x/",
            "urn:example:idp",
        ]
        .map(String::from);
        let (web, saml) = issuers(&trusted, &mut Vec::new());
        assert_eq!(web, ["token.actions.githubusercontent.com", "idp.example.com/x"]);
        assert_eq!(saml, ["https://idp.example.com/x/", "urn:example:idp"]);
    }
}
