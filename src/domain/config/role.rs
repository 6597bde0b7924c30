//! Roles as a file writes them, with everything that goes into `AssumeRole`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::cursor::Cursor;
use super::diagnostic::quoted;
use super::schema::Section;
use super::tree::Node;
use super::values::{HOUR, MINUTE};
use super::{At, SourceRef};
use crate::domain::account::SessionOptions;
use crate::domain::agents::Allowance;
use crate::domain::guard::Guard;
use crate::domain::ids::{Region, RoleName, RolePath};
use crate::domain::scope::Scope;

/// A role as one file writes it.
#[derive(Debug, Clone)]
pub(super) struct RoleEntry {
    pub(super) name: RoleName,
    pub(super) source: SourceRef,
    /// The long form, which few roles need.
    pub(super) more: Option<Box<RoleDetails>>,
}

/// What the long form of a role adds to its name.
#[derive(Debug, Clone, Default)]
pub(super) struct RoleDetails {
    pub(super) path: Option<RolePath>,
    pub(super) duration: Option<At<Duration>>,
    pub(super) region: Option<Region>,
    pub(super) guard: Option<At<Guard>>,
    pub(super) agents: Option<At<Allowance>>,
    /// Without the policy, which may be in a file of its own.
    pub(super) session: SessionOptions,
    pub(super) policy: Option<At<Policy>>,
    /// Where each of its keys is.
    pub(super) sources: Vec<(&'static str, SourceRef)>,
}

/// An inline session policy, or where it is.
#[derive(Debug, Clone)]
pub(super) enum Policy {
    /// JSON without spaces.
    Inline(String),
    /// A file beside the one that names it.
    File(String),
}

/// The roles of an account or of `defaults`: at least one, each once.
pub(super) fn roles(list: Cursor<'_>) -> Option<Vec<RoleEntry>> {
    let roles = list.list(role)?;
    if roles.is_empty() {
        list.fault("an account needs at least one role", None);
        return None;
    }
    for (i, role) in roles.iter().enumerate() {
        if roles[..i].iter().any(|other| other.name == role.name) {
            let what = format!("the role {} is listed twice", quoted(role.name.as_str()));
            list.moved(role.source).fault(what, Some("keep one of them"));
            return None;
        }
    }
    Some(roles)
}

fn role(element: Cursor<'_>) -> Option<RoleEntry> {
    let source = element.source();
    if !element.is_mapping() {
        return Some(RoleEntry { name: element.role_name()?, source, more: None });
    }
    element.sound(|| {
        let role = element.enter(Section::Role)?;
        let tags = role.key("tags");
        let (has_tags, tags) = (!tags.is_absent(), session_tags(tags));
        // Names of tags that are faulty themselves are not complained about.
        let transitive = role.key("transitive_tags");
        let transitive = match &tags {
            None if has_tags => None,
            tags => transitive_tags(transitive, tags.as_ref().unwrap_or(&BTreeMap::new())),
        };
        let session = SessionOptions {
            scope: role.key("scope").one_of(&Scope::ALL.map(Scope::name)).unwrap_or_default(),
            policy_arns: role.key("policy_arns").list(Cursor::parsed).unwrap_or_default(),
            policy: None,
            external_id: role.key("external_id").parsed(),
            tags: tags.unwrap_or_default(),
            transitive_tags: transitive.unwrap_or_default(),
            source_identity: role.key("source_identity").parsed(),
        };
        let managed = session.policy_arns.len() + usize::from(session.scope != Scope::Full);
        if managed > 10 {
            let what = "managed session policies, the scope's included; AWS allows 10";
            role.fault(format_args!("{managed} {what}"), None);
        }
        let limits = (15 * MINUTE..=12 * HOUR, ", AWS's limits for a role");
        let more = RoleDetails {
            path: role.key("path").parsed(),
            duration: role.key("duration").at(|it| it.duration(limits.0, limits.1)),
            region: role.key("region").region(),
            guard: role.key("guard").at(Cursor::guard),
            agents: role.key("agents").at(Cursor::agents),
            policy: role.key("policy").at(policy),
            session,
            sources: role.sources(),
        };
        let name = role.required("name", "Developer").role_name()?;
        Some(RoleEntry { name, source, more: Some(Box::new(more)) })
    })
}

/// Session tags within the limits of AWS STS (API reference, `Tag`).
fn session_tags(mapping: Cursor<'_>) -> Option<BTreeMap<String, String>> {
    let Node::Map(pairs) = mapping.node()? else {
        mapping.fault("session tags must be keys and values", Some("write {key: value}"));
        return None;
    };
    mapping.sound(|| {
        let mut tags = BTreeMap::new();
        for (key, value) in pairs {
            let (key, value) = (mapping.to(key), mapping.to(value));
            let (Some(name), Some(text)) = (key.text(), value.text()) else {
                continue;
            };
            if let Some(what) = session_tag_key_fault(name) {
                key.fault(what, None);
            } else if let Some(what) = session_tag_value_fault(text) {
                value.fault(what, None);
            } else if tags.keys().any(|other: &String| other.eq_ignore_ascii_case(name)) {
                key.fault(format_args!("the session tag {} is set twice", quoted(name)), None);
            } else {
                tags.insert(name.to_owned(), text.to_owned());
            }
        }
        if tags.len() > 50 {
            mapping.fault("AWS allows at most 50 session tags", None);
        }
        Some(tags)
    })
}

/// Why AWS would not take the key of a session tag.
pub fn session_tag_key_fault(key: &str) -> Option<&'static str> {
    if !(1..=128).contains(&key.chars().count()) || !key.chars().all(is_tag_char) {
        return Some("a session tag's key is 1 to 128 letters, digits, spaces and _.:/=+-@");
    }
    let is_reserved = key.to_ascii_lowercase().starts_with("aws:");
    is_reserved.then_some("a session tag's key cannot start with aws:")
}

/// Why AWS would not take the value of a session tag.
pub fn session_tag_value_fault(value: &str) -> Option<&'static str> {
    let is_good = value.chars().count() <= 256 && value.chars().all(is_tag_char);
    let what = "a session tag's value is at most 256 letters, digits, spaces and _.:/=+-@";
    (!is_good).then_some(what)
}

/// Names of session tags, as the tags spell them: AWS ignores the case of both.
fn transitive_tags(list: Cursor<'_>, tags: &BTreeMap<String, String>) -> Option<BTreeSet<String>> {
    let names = list.list(|element| {
        let name = element.text()?;
        let tag = tags.keys().find(|tag| tag.eq_ignore_ascii_case(name));
        if tag.is_none() {
            let what = format!("{} is not one of the role's `tags`", quoted(name));
            element.fault(what, Some("add it to `tags`, or remove it here"));
        }
        Some((element.source(), tag?))
    })?;
    let mut transitive = BTreeSet::new();
    for (source, tag) in names {
        if !transitive.insert(tag.clone()) {
            let what = format!("the session tag {} is listed twice", quoted(tag));
            list.moved(source).fault(what, Some("keep one of them"));
        }
    }
    Some(transitive)
}

fn is_tag_char(c: char) -> bool {
    c.is_alphanumeric() || c == ' ' || "_.:/=+-@".contains(c)
}

/// An inline policy, as JSON text or as the YAML that JSON is; or a file.
fn policy(value: Cursor<'_>) -> Option<Policy> {
    let json = if value.is_mapping() {
        json(value)?.to_string()
    } else {
        let text = value.text()?;
        if !text.trim_start().starts_with('{') {
            return value.line().map(Policy::File);
        }
        text.to_owned()
    };
    session_policy(&json).map_err(|why| value.fault(why, None)).ok().map(Policy::Inline)
}

/// A session policy without its spaces, or why AWS would not take it.
pub(super) fn session_policy(json: &str) -> Result<String, String> {
    let policy: serde_json::Value = serde_json::from_str(json)
        .map_err(|why| format!("the session policy is not JSON: {why}"))?;
    if policy.get("Statement").is_none() {
        return Err("the session policy has no Statement".to_owned());
    }
    let compact = policy.to_string();
    // STS API reference, AssumeRole, `Policy`.
    match compact.chars().count() {
        0..=2048 => Ok(compact),
        length => Err(format!("the session policy has {length} characters; AWS allows 2048")),
    }
}

/// A YAML value as the JSON it spells.
fn json(value: Cursor<'_>) -> Option<serde_json::Value> {
    Some(match value.node()? {
        Node::Null => serde_json::Value::Null,
        Node::Text(text) => text.as_str().into(),
        Node::Bare => {
            let text = value.text()?;
            serde_json::from_str(text).unwrap_or_else(|_| text.into())
        }
        Node::List(items) => {
            items.iter().map(|item| json(value.to(item))).collect::<Option<_>>()?
        }
        Node::Map(pairs) => {
            let pairs = pairs
                .iter()
                .map(|(key, item)| Some((value.to(key).text()?.to_owned(), json(value.to(item))?)));
            serde_json::Value::Object(pairs.collect::<Option<_>>()?)
        }
    })
}
