//! The `guardrails` section, checked against the grammars of AWS Organizations and IAM.

use std::ops::RangeInclusive;

use super::Guardrails;
use super::cursor::Cursor;
use super::diagnostic::quoted;
use super::schema::Section;
use super::values::DAY;
use crate::domain::ids::{AccountId, Partition};

pub(super) fn guardrails(section: Cursor<'_>) -> Option<Guardrails> {
    let rails = section.enter(Section::Guardrails)?;
    let max_key_age = rails.key("max_key_age").duration(DAY..=3650 * DAY, "");
    Some(Guardrails {
        organization: organization(rails.key("organization")),
        management_account: rails.key("management_account").account_id(),
        sandbox_ou: unit(rails.key("sandbox_ou")),
        regions: rails.key("regions").list(Cursor::region).unwrap_or_default(),
        instance_types: rails.key("instance_types").list(instance_type).unwrap_or_default(),
        monthly_budget_usd: dollars(rails.key("monthly_budget_usd")),
        exempt_roles: rails.key("exempt_roles").list(role_pattern).unwrap_or_default(),
        trusted_accounts: rails
            .key("trusted_accounts")
            .list(Cursor::account_id)
            .unwrap_or_default(),
        trusted_issuers: rails.key("trusted_issuers").list(Cursor::line).unwrap_or_default(),
        allowed_models: rails.key("allowed_models").list(model).unwrap_or_default(),
        allowed_products: rails.key("allowed_products").list(product).unwrap_or_default(),
        allow_ses_smtp: rails.key("allow_ses_smtp").flag().unwrap_or_default(),
        max_key_age: max_key_age.unwrap_or(90 * DAY),
    })
}

fn organization(value: Cursor<'_>) -> Option<String> {
    fitting(value, is_organization, "an organization id looks like o-a1b2c3d4e5")
}

fn unit(value: Cursor<'_>) -> Option<String> {
    fitting(value, is_unit, "an organizational unit id looks like ou-a1b2-c3d4e5f6")
}

fn instance_type(value: Cursor<'_>) -> Option<String> {
    fitting(value, is_instance_type, "an instance type looks like t3.micro or t3.*")
}

fn role_pattern(value: Cursor<'_>) -> Option<String> {
    let rule = "a role pattern is a full ARN, e.g. arn:aws:iam::*:role/provisioning/*";
    fitting(value, is_role_pattern, rule)
}

fn model(value: Cursor<'_>) -> Option<String> {
    let rule = "a model id looks like anthropic.claude-* or amazon.nova-lite-v1:0";
    fitting(value, is_model, rule)
}

fn product(value: Cursor<'_>) -> Option<String> {
    fitting(
        value,
        is_product,
        "a product id has letters, digits and dashes, e.g. prod-a1b2c3d4e5f6g",
    )
}

fn fitting(value: Cursor<'_>, fits: fn(&str) -> bool, rule: &str) -> Option<String> {
    let text = value.text()?;
    if fits(text) {
        return Some(text.to_owned());
    }
    value.fault(format_args!("{}: {rule}", quoted(text)), None);
    None
}

fn dollars(value: Cursor<'_>) -> Option<u32> {
    let text = value.text()?;
    let dollars = text.parse().ok().filter(|dollars| *dollars > 0);
    if dollars.is_none() {
        value.fault(format_args!("{} is not a whole number of US dollars", quoted(text)), None);
    }
    dollars
}

fn is_lower_alphanumeric(text: &str, length: RangeInclusive<usize>) -> bool {
    length.contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
}

/// AWS Organizations API reference, `Organization.Id`.
fn is_organization(text: &str) -> bool {
    text.strip_prefix("o-").is_some_and(|id| is_lower_alphanumeric(id, 10..=32))
}

/// AWS Organizations API reference, `OrganizationalUnit.Id`.
fn is_unit(text: &str) -> bool {
    text.strip_prefix("ou-").and_then(|id| id.split_once('-')).is_some_and(|(root, id)| {
        is_lower_alphanumeric(root, 4..=32) && is_lower_alphanumeric(id, 8..=32)
    })
}

fn is_instance_type(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b".-*?".contains(&b))
}

fn is_model(text: &str) -> bool {
    (1..=140).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._:*?".contains(&b))
}

/// AWS Marketplace's product ids: `prod-…`, or the UUIDs of model products.
fn is_product(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

/// A role's ARN whose account, path and name may hold `*`.
fn is_role_pattern(text: &str) -> bool {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let ["arn", partition, "iam", "", account, resource] = parts[..] else {
        return false;
    };
    (partition == "*" || partition.parse::<Partition>().is_ok())
        && (account == "*" || account.parse::<AccountId>().is_ok())
        && resource.strip_prefix("role/").is_some_and(|name| {
            !name.is_empty()
                && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"/*_+=,.@-".contains(&b))
        })
}
