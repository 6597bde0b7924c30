//! The `Condition` element, weighed for somebody whose other circumstances are not known.

use crate::domain::ids::AccountId;
use crate::domain::wildcard;

use super::ModelCaller;

/// Whether a condition, or a whole statement, holds for a caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Holds {
    Always,
    /// It depends on something that a thief may meet.
    Perhaps,
    Never,
    Unclear(String),
}

/// What a request says about a condition key.
enum Fact<'a> {
    Absent,
    Is(&'a str),
    /// Present, with a value that a thief may choose or happen to have.
    Some,
    /// It may be present or not.
    Unknown,
}

/// One operator over one key, in lower case.
pub(super) struct Condition {
    operator: Operator,
    key: String,
    values: Vec<String>,
}

#[derive(Clone, Copy)]
struct Operator {
    test: Test,
    negated: bool,
    absent: Absent,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Test {
    Null,
    Bool,
    Text,
    Pattern,
    Arn,
    /// Numbers, dates, addresses: known, but never weighed.
    Other,
}

/// What an absent key means to an operator.
#[derive(Clone, Copy)]
enum Absent {
    /// False; true where the operator is negated.
    Plain,
    /// `...IfExists` and `ForAllValues:`, which a missing key passes.
    Passes,
    /// `ForAnyValue:`
    Fails,
}

impl Condition {
    /// Fails with the operator's name where it is not known.
    pub(super) fn new(operator: &str, key: &str, values: Vec<String>) -> Result<Self, String> {
        let known = Operator::parse(operator).ok_or(format!("unknown operator {operator}"))?;
        Ok(Self { operator: known, key: key.to_ascii_lowercase(), values })
    }

    /// Whether it holds for a user of the auth account who calls in some way.
    pub(super) fn holds(&self, caller: ModelCaller, auth: AccountId) -> Holds {
        let sure = |yes: bool| if yes { Holds::Always } else { Holds::Never };
        let wants = |text: &str| self.values.iter().any(|value| value.eq_ignore_ascii_case(text));
        let Operator { test, negated, absent } = self.operator;
        let account = auth.to_string();
        match (test, fact(&self.key, caller, &account)) {
            (Test::Null, Fact::Absent) => sure(wants("true")),
            (Test::Null, Fact::Is(_) | Fact::Some) => sure(wants("false")),
            (_, Fact::Absent) => sure(match absent {
                Absent::Plain => negated,
                Absent::Passes => true,
                Absent::Fails => false,
            }),
            (_, Fact::Some) if self.key == "aws:principalarn" && !negated => {
                if self.values.iter().any(|value| may_be_user(value, &account)) {
                    Holds::Perhaps
                } else {
                    Holds::Never
                }
            }
            (_, Fact::Some | Fact::Unknown) => Holds::Perhaps,
            (_, Fact::Is(_)) if self.values.iter().any(|value| value.contains("${")) => {
                Holds::Unclear(format!("a variable is compared with {}", self.key))
            }
            (Test::Bool, Fact::Is(value)) => sure(wants(value) != negated),
            (Test::Text | Test::Pattern, Fact::Is(value)) if !is_mfa(&self.key) => {
                let same = |pattern: &String| match test {
                    Test::Pattern => wildcard::matches(pattern, value),
                    _ => pattern == value,
                };
                sure(self.values.iter().any(same) != negated)
            }
            (_, Fact::Is(_)) => Holds::Unclear(format!("{} is tested in an odd way", self.key)),
        }
    }
}

impl Operator {
    fn parse(text: &str) -> Option<Self> {
        let (set, text) = match text.split_once(':') {
            None => (Absent::Plain, text),
            Some(("ForAnyValue", rest)) => (Absent::Fails, rest),
            Some(("ForAllValues", rest)) => (Absent::Passes, rest),
            Some(_) => return None,
        };
        let (absent, text) = match text.strip_suffix("IfExists") {
            Some(rest) => (Absent::Passes, rest),
            None => (set, text),
        };
        let (test, negated) = match text {
            "Null" => (Test::Null, false),
            "Bool" => (Test::Bool, false),
            "StringEquals" => (Test::Text, false),
            "StringNotEquals" => (Test::Text, true),
            "StringLike" => (Test::Pattern, false),
            "StringNotLike" => (Test::Pattern, true),
            "ArnEquals" | "ArnLike" => (Test::Arn, false),
            "ArnNotEquals" | "ArnNotLike" => (Test::Arn, true),
            "IpAddress" | "BinaryEquals" | "StringEqualsIgnoreCase" => (Test::Other, false),
            "NotIpAddress" | "NumericNotEquals" | "DateNotEquals" | "StringNotEqualsIgnoreCase" => {
                (Test::Other, true)
            }
            other => {
                let order = other.strip_prefix("Numeric").or(other.strip_prefix("Date"))?;
                let known =
                    ["Equals", "LessThan", "LessThanEquals", "GreaterThan", "GreaterThanEquals"];
                known.contains(&order).then_some((Test::Other, false))?
            }
        };
        Some(Self { test, negated, absent })
    }
}

fn is_mfa(key: &str) -> bool {
    key == "aws:multifactorauthpresent"
}

/// The condition keys that tell the three callers apart, and those that no user's request has.
fn fact<'a>(key: &str, caller: ModelCaller, account: &'a str) -> Fact<'a> {
    match (key, caller) {
        ("aws:multifactorauthpresent", ModelCaller::SessionWithoutMfa)
        | ("aws:principalisawsservice" | "aws:viaawsservice", _) => Fact::Is("false"),
        ("aws:multifactorauthpresent", ModelCaller::SessionWithMfa) => Fact::Is("true"),
        ("aws:multifactorauthage", ModelCaller::SessionWithMfa)
        | ("aws:tokenissuetime", ModelCaller::SessionWithoutMfa | ModelCaller::SessionWithMfa)
        | ("aws:principalarn" | "aws:username" | "aws:userid", _) => Fact::Some,
        (
            "aws:multifactorauthpresent"
            | "aws:multifactorauthage"
            | "aws:tokenissuetime"
            | "aws:principalservicename"
            | "aws:sourcearn"
            | "aws:sourceaccount",
            _,
        ) => Fact::Absent,
        ("aws:principaltype", _) => Fact::Is("User"),
        ("aws:principalaccount", _) => Fact::Is(account),
        _ => Fact::Unknown,
    }
}

/// Whether a pattern may match the ARN of some user of the account.
fn may_be_user(pattern: &str, account: &str) -> bool {
    let parts: Vec<&str> = pattern.splitn(6, ':').collect();
    let [_, _, _, _, owner, resource] = parts[..] else {
        return true; // a star may cross the colons
    };
    let fixed = resource.split(['*', '?', '$']).next().unwrap_or_default();
    wildcard::matches(owner, account) && (fixed.starts_with("user/") || "user/".starts_with(fixed))
}
