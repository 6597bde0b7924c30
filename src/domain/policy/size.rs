//! AWS's size limits, and how a policy that is over one becomes several.

use serde_json::{Value, json};

use super::template::Statement;
use super::{Document, PolicyKind};

impl PolicyKind {
    /// Whether the document is one IAM policy.
    pub const fn is_policy(self) -> bool {
        matches!(
            self,
            Self::ManagedPolicy
                | Self::GroupPolicy
                | Self::TrustPolicy
                | Self::ServiceControlPolicy
                | Self::ResourceControlPolicy
        )
    }

    /// The most characters AWS takes, white space left out; `None` where no limit can be met.
    ///
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>,
    /// <https://docs.aws.amazon.com/organizations/latest/userguide/orgs_reference_limits.html>. Control
    /// policies keep the older, smaller limit, so that they fit every partition.
    pub const fn limit(self) -> Option<usize> {
        match self {
            Self::ManagedPolicy => Some(6144),
            Self::GroupPolicy | Self::ServiceControlPolicy | Self::ResourceControlPolicy => {
                Some(5120)
            }
            Self::TrustPolicy => Some(2048),
            Self::StackSetTemplate => Some(51_200),
            _ => None,
        }
    }
}

impl Document {
    /// How many of AWS's characters it takes: white space does not count in a policy; `None` where nothing is counted.
    pub fn length(&self) -> Option<usize> {
        self.kind.limit()?;
        let compact = serde_json::from_str::<Value>(&self.text).map(|policy| policy.to_string());
        Some(compact.unwrap_or_else(|_| self.text.clone()).chars().count())
    }
}

/// A statement that cannot be made to fit.
#[derive(Debug, PartialEq)]
pub(super) struct TooLong {
    pub(super) sid: String,
    pub(super) length: usize,
    pub(super) limit: usize,
}

/// The policy of these statements.
pub(super) fn policy(statements: &[Statement]) -> Value {
    json!({ "Version": "2012-10-17", "Statement": statements })
}

/// How many characters a policy of these statements has, white space left out.
pub(super) fn length(statements: &[Statement]) -> usize {
    policy(statements).to_string().chars().count()
}

/// Distributes statements over as few policies as fit, in their order.
pub(super) fn split(
    statements: Vec<Statement>,
    limit: usize,
) -> Result<Vec<Vec<Statement>>, TooLong> {
    let mut policies: Vec<Vec<Statement>> = Vec::new();
    for whole in statements {
        for statement in pieces(whole, limit)? {
            match policies.last_mut() {
                Some(last) => {
                    last.push(statement);
                    if length(last) > limit
                        && let Some(statement) = last.pop()
                    {
                        policies.push(vec![statement]);
                    }
                }
                None => policies.push(vec![statement]),
            }
        }
    }
    Ok(policies)
}

/// A statement, or where it alone is too long, several that together say the same: its actions or its
/// resources are dealt out. Conditions and exceptions (`NotAction`) cannot be, they mean the whole list.
fn pieces(statement: Statement, limit: usize) -> Result<Vec<Statement>, TooLong> {
    let mut pieces = vec![statement];
    let mut at = 0;
    while at < pieces.len() {
        let length = length(&pieces[at..=at]);
        if length <= limit {
            at += 1;
            continue;
        }
        let halves = halves(&pieces[at]).ok_or_else(|| TooLong {
            sid: sid(&pieces[at]).to_owned(),
            length,
            limit,
        })?;
        pieces.splice(at..=at, halves);
    }
    if pieces.len() > 1 {
        for (i, piece) in pieces.iter_mut().enumerate() {
            let numbered = format!("{}{}", sid(piece), i + 1);
            piece.insert("Sid".into(), numbered.into());
        }
    }
    Ok(pieces)
}

fn halves(statement: &Statement) -> Option<[Statement; 2]> {
    let (key, items) = ["Resource", "Action"].into_iter().find_map(|key| {
        let items = statement.get(key)?.as_array()?;
        (items.len() > 1).then_some((key, items))
    })?;
    let (left, right) = items.split_at(items.len() / 2);
    Some([left, right].map(|half| {
        let mut piece = statement.clone();
        piece.insert(key.into(), half.into());
        piece
    }))
}

/// What a statement is called.
pub(super) fn sid(statement: &Statement) -> &str {
    statement.get("Sid").and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statement(value: Value) -> Statement {
        let Value::Object(statement) = value else {
            panic!("a statement is an object");
        };
        statement
    }

    fn listing(key: &str, count: usize) -> Statement {
        let items: Vec<String> =
            (0..count).map(|i| format!("arn:aws:iam::*:role/Role{i:04}")).collect();
        statement(json!({"Sid": "Long", "Effect": "Deny", key: items, "Marker": "m"}))
    }

    #[test]
    fn statements_fill_policies_in_order_and_none_is_over() {
        let statements: Vec<Statement> = (0..9)
            .map(|i| statement(json!({"Sid": i.to_string(), "Pad": "x".repeat(900)})))
            .collect();
        let policies = split(statements.clone(), 5120).unwrap();
        assert_eq!(policies.iter().map(Vec::len).collect::<Vec<_>>(), [5, 4]);
        assert!(policies.iter().all(|p| length(p) <= 5120));
        assert_eq!(policies.concat(), statements);
    }

    #[test]
    fn a_limit_is_met_to_the_character() {
        let one = vec![statement(json!({"Sid": "A", "Action": "s3:*"}))];
        let exact = length(&one);
        assert_eq!(split(one.clone(), exact).unwrap().len(), 1);
        let error = split(one, exact - 1).unwrap_err();
        assert_eq!((error.length, error.limit, error.sid.as_str()), (exact, exact - 1, "A"));
    }

    #[test]
    fn a_long_statement_deals_out_its_resources_or_actions_and_nothing_else() {
        for key in ["Resource", "Action"] {
            let whole = listing(key, 400);
            let policies = split(vec![whole.clone()], 5120).unwrap();
            assert!(policies.len() > 2 && policies.iter().all(|p| length(p) <= 5120));
            let parts = policies.concat();
            let mut dealt: Vec<Value> = Vec::new();
            for part in &parts {
                dealt.extend(part[key].as_array().unwrap().clone());
                assert_eq!(
                    (&part["Effect"], &part["Marker"]),
                    (&whole["Effect"], &whole["Marker"])
                );
            }
            assert_eq!(Value::from(dealt), whole[key]);
            let mut sids: Vec<&str> = parts.iter().map(sid).collect();
            sids.dedup();
            assert_eq!(sids.len(), parts.len(), "statement names stay unique");
        }
        assert!(
            split(vec![listing("NotAction", 400)], 5120).is_err(),
            "exceptions mean the whole list"
        );
        assert!(split(vec![listing("NotResource", 400)], 5120).is_err());
    }
}
