//! Roles as a file writes them, with everything that goes into `AssumeRole`.

use std::collections::BTreeMap;
use std::time::Duration;

use super::entry::guard;
use super::fields::Fields;
use super::reader::{Reader, quoted};
use super::tree::{Item, Node};
use super::{At, SourceRef};
use crate::domain::account::SessionOptions;
use crate::domain::guard::Guard;
use crate::domain::ids::{Region, RoleName, RolePath};
use crate::domain::scope::Scope;

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

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
    /// Without the policy, which may stand in a file of its own.
    pub(super) session: SessionOptions,
    pub(super) policy: Option<At<Policy>>,
    /// Where the keys stand that keep no place of their own.
    pub(super) places: Vec<(&'static str, SourceRef)>,
}

/// An inline session policy, or where it is.
#[derive(Debug, Clone)]
pub(super) enum Policy {
    /// JSON.
    Inline(String),
    /// A file beside the one that names it.
    File(String),
}

/// The roles of an account or of `defaults`: at least one, each once.
pub(super) fn roles(reader: &mut Reader<'_>, item: &Item) -> Option<Vec<RoleEntry>> {
    let roles = reader.list(item, role)?;
    if roles.is_empty() {
        reader.fault(item.pos, "an account has at least one role", None);
        return None;
    }
    for (i, role) in roles.iter().enumerate() {
        if roles[..i].iter().any(|other| other.name == role.name) {
            let what = format!("the role {} is here twice", quoted(role.name.as_str()));
            reader.fault(role.source.pos, what, Some("keep one of them"));
            return None;
        }
    }
    Some(roles)
}

fn role(reader: &mut Reader<'_>, item: &Item) -> Option<RoleEntry> {
    let source = reader.source(item.pos);
    if !matches!(item.node, Node::Map(_)) {
        let name = reader.role_name(item)?;
        return Some(RoleEntry { name, source, more: None });
    }
    let before = reader.faults();
    let mut fields = Fields::open(reader, item, "a role")?;
    let name = fields.need(reader, "name", "Developer", Reader::role_name);
    let mut places = Vec::new();
    let duration = fields.get(reader, "duration", |reader, item| {
        reader.duration(item, 15 * MINUTE..=12 * HOUR, ", AWS's limits for a role")
    });
    let guard = fields.get(reader, "guard", guard);
    let policy = fields.get(reader, "policy", policy);
    places.extend(policy.as_ref().map(|at| ("policy", at.source)));
    let mut placed = Placed { fields: &mut fields, reader, places: &mut places };
    let path = placed.get("path", Reader::parsed);
    let region = placed.get("region", Reader::region);
    let session = SessionOptions {
        scope: placed.get("scope", scope).unwrap_or_default(),
        policy_arns: placed
            .get("policy_arns", |reader, item| reader.list(item, Reader::parsed))
            .unwrap_or_default(),
        policy: None,
        external_id: placed.get("external_id", Reader::parsed),
        tags: placed.get("tags", session_tags).unwrap_or_default(),
        source_identity: placed.get("source_identity", Reader::parsed),
    };
    fields.close(reader);
    let managed = session.policy_arns.len() + usize::from(session.scope != Scope::Full);
    if managed > 10 {
        reader.fault(
            item.pos,
            format_args!("{managed} managed session policies, the scope's included; AWS takes 10"),
            None,
        );
    }
    (reader.faults() == before).then_some(RoleEntry {
        name: name?.value,
        source,
        more: Some(Box::new(RoleDetails {
            path,
            duration,
            region,
            guard,
            session,
            policy,
            places,
        })),
    })
}

/// Takes values out of a role's long form and keeps their places on a list.
struct Placed<'f, 'i, 't> {
    fields: &'f mut Fields<'i>,
    reader: &'f mut Reader<'t>,
    places: &'f mut Vec<(&'static str, SourceRef)>,
}

impl<'i, 't> Placed<'_, 'i, 't> {
    fn get<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&mut Reader<'t>, &'i Item) -> Option<T>,
    ) -> Option<T> {
        let at = self.fields.get(self.reader, key, read)?;
        self.places.push((key, at.source));
        Some(at.value)
    }
}

fn scope(reader: &mut Reader<'_>, item: &Item) -> Option<Scope> {
    reader.choice(item, &Scope::ALL.map(Scope::name))
}

/// Session tags within the limits of AWS STS (API reference, `Tag`).
fn session_tags(reader: &mut Reader<'_>, item: &Item) -> Option<BTreeMap<String, String>> {
    let Node::Map(pairs) = &item.node else {
        reader.fault(item.pos, "session tags are keys and values", Some("write {key: value}"));
        return None;
    };
    let before = reader.faults();
    let mut tags = BTreeMap::new();
    for (key, value) in pairs {
        let (Some(name), Some(text)) = (reader.text(key), reader.text(value)) else {
            continue;
        };
        if !(1..=128).contains(&name.chars().count()) || !name.chars().all(is_tag_char) {
            reader.fault(
                key.pos,
                "a session tag's key is 1 to 128 letters, digits, spaces and _.:/=+-@",
                None,
            );
        } else if name.to_ascii_lowercase().starts_with("aws:") {
            reader.fault(key.pos, "a session tag's key cannot start with aws:", None);
        } else if text.chars().count() > 256 || !text.chars().all(is_tag_char) {
            reader.fault(
                value.pos,
                "a session tag's value is at most 256 letters, digits, spaces and _.:/=+-@",
                None,
            );
        } else if tags.keys().any(|other: &String| other.eq_ignore_ascii_case(&name)) {
            reader.fault(
                key.pos,
                format_args!("the session tag {} is here twice", quoted(&name)),
                None,
            );
        } else {
            tags.insert(name.into_owned(), text.into_owned());
        }
    }
    if tags.len() > 50 {
        reader.fault(item.pos, "AWS takes at most 50 session tags", None);
    }
    (reader.faults() == before).then_some(tags)
}

fn is_tag_char(c: char) -> bool {
    c.is_alphanumeric() || c == ' ' || "_.:/=+-@".contains(c)
}

/// An inline policy, as JSON text or as the YAML that JSON is; or a file.
fn policy(reader: &mut Reader<'_>, item: &Item) -> Option<Policy> {
    let json = if matches!(item.node, Node::Map(_)) {
        json(reader, item)?
    } else {
        let text = reader.text(item)?;
        if !text.trim_start().starts_with('{') {
            return Some(Policy::File(reader.line(item)?));
        }
        text.into_owned()
    };
    match session_policy(&json) {
        Ok(policy) => Some(Policy::Inline(policy)),
        Err(why) => {
            reader.fault(item.pos, why, None);
            None
        }
    }
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
        length => Err(format!("the session policy has {length} characters; AWS takes 2048")),
    }
}

/// A YAML value as the JSON it spells.
fn json(reader: &mut Reader<'_>, item: &Item) -> Option<String> {
    fn value(reader: &mut Reader<'_>, item: &Item) -> Option<serde_json::Value> {
        Some(match &item.node {
            Node::Null => serde_json::Value::Null,
            Node::Text(text) => text.as_str().into(),
            Node::Bare => {
                let text = reader.text(item)?;
                serde_json::from_str(&text).unwrap_or_else(|_| text.into())
            }
            Node::List(items) => {
                items.iter().map(|item| value(reader, item)).collect::<Option<_>>()?
            }
            Node::Map(pairs) => serde_json::Value::Object(
                pairs
                    .iter()
                    .map(|(key, item)| Some((reader.text(key)?.into_owned(), value(reader, item)?)))
                    .collect::<Option<_>>()?,
            ),
        })
    }
    value(reader, item).map(|value| value.to_string())
}
