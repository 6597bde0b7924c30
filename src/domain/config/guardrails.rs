//! What `policy` makes the guardrails from, in the grammars of AWS Organizations and IAM.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::Guardrails;
use super::entry::account_id;
use super::fields::Fields;
use super::reader::{Reader, quoted};
use super::settings::value;
use super::tree::Item;
use crate::domain::ids::{AccountId, Partition};

const DAY: Duration = Duration::from_hours(24);

/// The `guardrails` section.
pub(super) fn guardrails<'i>(reader: &mut Reader<'i>, item: &'i Item) -> Option<Guardrails> {
    let mut fields = Fields::open(reader, item, "`guardrails`")?.in_section("guardrails");
    let of = |what: &'static str, fits: fn(&str) -> bool| {
        move |reader: &mut Reader<'_>, item: &Item| {
            let text = reader.text(item)?.into_owned();
            if fits(&text) {
                return Some(text);
            }
            reader.fault(item.pos, format_args!("{}: {what}", quoted(&text)), None);
            None
        }
    };
    let organization = of("an organisation looks like o-a1b2c3d4e5", is_organization);
    let unit = of("an organisational unit looks like ou-a1b2-c3d4e5f6", is_unit);
    let instance_type = of("an instance type looks like t3.micro or t3.*", is_instance_type);
    let exempt_role = of(
        "a role pattern is a whole ARN, e.g. arn:aws:iam::*:role/provisioning/*",
        is_role_pattern,
    );
    let rails = Guardrails {
        organization: value(fields.get(reader, "organization", organization)),
        management_account: value(fields.get(reader, "management_account", account_id)),
        sandbox_ou: value(fields.get(reader, "sandbox_ou", unit)),
        regions: list(&mut fields, reader, "regions", Reader::region),
        instance_types: list(&mut fields, reader, "instance_types", instance_type),
        monthly_budget_usd: value(fields.get(reader, "monthly_budget_usd", dollars)),
        exempt_roles: list(&mut fields, reader, "exempt_roles", exempt_role),
        trusted_accounts: list(&mut fields, reader, "trusted_accounts", account_id),
        trusted_issuers: list(&mut fields, reader, "trusted_issuers", Reader::line),
        max_key_age: value(fields.get(reader, "max_key_age", |reader, item| {
            reader.duration(item, DAY..=3650 * DAY, "")
        }))
        .unwrap_or(90 * DAY),
    };
    fields.close(reader);
    Some(rails)
}

fn list<'i, T>(
    fields: &mut Fields<'i>,
    reader: &mut Reader<'i>,
    key: &'static str,
    read: impl Fn(&mut Reader<'i>, &Item) -> Option<T>,
) -> Vec<T> {
    value(fields.get(reader, key, |reader, item| reader.list(item, read))).unwrap_or_default()
}

fn dollars(reader: &mut Reader<'_>, item: &Item) -> Option<u32> {
    let text = reader.text(item)?;
    match text.parse() {
        Ok(dollars) if dollars > 0 => Some(dollars),
        _ => {
            let what = format!("{} is no whole number of US dollars", quoted(&text));
            reader.fault(item.pos, what, None);
            None
        }
    }
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
