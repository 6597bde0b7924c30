//! The `Condition` element, evaluated for somebody whose other circumstances are not known.

use crate::domain::ids::AccountId;
use crate::domain::wildcard;

use super::Setting;
use super::caller::{Caller, Fact, is_shared};

/// Whether a condition, or a whole statement, holds for a caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Holds {
    Always,
    /// It depends on something that a thief may meet.
    Perhaps,
    Never,
    Unclear(String),
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
    /// `StringEqualsIgnoreCase`
    TextIgnoringCase,
    Pattern,
    Arn,
    /// Numbers, dates, addresses: known, but never evaluated.
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

    /// Whether it holds for a caller.
    pub(super) fn holds(&self, caller: &Caller<'_>, setting: Setting<'_>) -> Holds {
        let sure = |yes: bool| if yes { Holds::Always } else { Holds::Never };
        let wants = |text: &str| self.values.iter().any(|value| value.eq_ignore_ascii_case(text));
        let perhaps = |yes: bool| if yes { Holds::Perhaps } else { Holds::Never };
        let Operator { test, negated, absent } = self.operator;
        let account = caller.account.map(|id: AccountId| id.to_string()).unwrap_or_default();
        match (test, caller.fact(&self.key, &account, setting)) {
            (Test::Null, Fact::Absent) => sure(wants("true")),
            (_, Fact::Unknown) => Holds::Perhaps,
            (Test::Null, _) => sure(wants("false")),
            (_, Fact::Absent) => sure(match absent {
                Absent::Plain => negated,
                Absent::Passes => true,
                Absent::Fails => false,
            }),
            (_, Fact::Some) => Holds::Perhaps,
            (_, Fact::OtherOrganization) if negated => {
                let ours = setting.known.organization.as_ref();
                let only_ours = ours.is_some_and(|ours| self.values.iter().all(|id| id == ours));
                if only_ours { Holds::Always } else { Holds::Perhaps }
            }
            (_, Fact::SomeArn | Fact::SomeAccount | Fact::Other) if negated => Holds::Perhaps,
            (_, Fact::SomeArn) => {
                perhaps(self.values.iter().any(|value| caller.may_have_arn(value, setting)))
            }
            (_, Fact::SomeAccount) => {
                perhaps(self.values.iter().any(|value| caller.may_be_of(value, setting)))
            }
            // Only these are in every request.
            (_, Fact::Other | Fact::OtherOrganization)
                if matches!(absent, Absent::Passes)
                    && !self.key.ends_with(":sub")
                    && !self.key.ends_with(":aud")
                    && self.key != "aws:userid" =>
            {
                Holds::Perhaps
            }
            (Test::Text | Test::TextIgnoringCase | Test::Pattern | Test::Arn, Fact::Other) => {
                perhaps(self.values.iter().any(|value| self.is_loose(value)))
            }
            (_, Fact::OtherOrganization) => perhaps(self.values.iter().any(|value| {
                let id = value.split('/').next().unwrap_or_default();
                let ours = setting.known.organization.as_deref();
                id.contains(['*', '?', '$']) || ours.is_some_and(|ours| ours != id)
            })),
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
            (_, Fact::Other | Fact::Is(_)) => {
                Holds::Unclear(format!("{} is tested in an odd way", self.key))
            }
        }
    }

    /// Whether a value of this condition also matches what strangers have.
    fn is_loose(&self, value: &str) -> bool {
        if value.contains("${") {
            return true;
        }
        let exact = matches!(self.operator.test, Test::Text | Test::TextIgnoringCase);
        if exact || !value.contains(['*', '?']) {
            return false;
        }
        let fixed = value.split(['*', '?']).next().unwrap_or_default();
        match self.key.rsplit_once(':') {
            // arn:aws:SERVICE:REGION:ACCOUNT:…
            Some((_, "sourcearn")) => {
                value.split(':').nth(4).is_none_or(|account| account.parse::<AccountId>().is_err())
            }
            // `repo:OWNER/…`, `organization:NAME:…`: the issuer's own words and a name.
            Some((issuer, _)) if is_shared(issuer) => fixed.matches([':', '/']).count() < 2,
            Some(("sts" | "aws", _)) => fixed.len() < 8,
            _ => fixed.is_empty(),
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
            "StringEqualsIgnoreCase" => (Test::TextIgnoringCase, false),
            "StringNotEqualsIgnoreCase" => (Test::TextIgnoringCase, true),
            "IpAddress" | "BinaryEquals" => (Test::Other, false),
            "NotIpAddress" | "NumericNotEquals" | "DateNotEquals" => (Test::Other, true),
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
