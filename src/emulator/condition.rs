//! The `Condition` element: operators over the keys of a request.
//!
//! Semantics: the IAM User Guide, "IAM JSON policy elements: Condition operators". A key that is absent
//! makes a positive operator false, a negated one true, and `...IfExists` true.

use std::cmp::Ordering;

use jiff::Timestamp;

use super::pattern::{Keys, like};

/// One operator over one key.
#[derive(Debug, Clone)]
pub(super) struct Condition {
    key: String,
    values: Vec<String>,
    /// The operator; or operator and key, where one of them is not known.
    operator: Result<Operator, String>,
}

#[derive(Debug, Clone, Copy)]
struct Operator {
    test: Test,
    negated: bool,
    absent: Absent,
    quantifier: Quantifier,
}

#[derive(Debug, Clone, Copy)]
enum Test {
    Text,
    TextAnyCase,
    Pattern,
    Arn,
    Bool,
    Null,
    Number(&'static [Ordering]),
    Date(&'static [Ordering]),
}

/// What an absent key means.
#[derive(Debug, Clone, Copy)]
enum Absent {
    /// False; true where the operator is negated.
    Fails,
    /// `...IfExists`.
    Holds,
}

/// How the values of one key count.
#[derive(Debug, Clone, Copy)]
enum Quantifier {
    Single,
    Any,
    All,
}

/// Keys that some request here may carry; those ending in `/` are families.
const KNOWN_KEYS: [&str; 29] = [
    "aws:currenttime",
    "aws:epochtime",
    "aws:multifactorauthage",
    "aws:multifactorauthpresent",
    "aws:principalaccount",
    "aws:principalarn",
    "aws:principalisawsservice",
    "aws:principalorgid",
    "aws:principalservicename",
    "aws:principaltag/",
    "aws:principaltype",
    "aws:requestedregion",
    "aws:requesttag/",
    "aws:resourceaccount",
    "aws:resourceorgid",
    "aws:resourcetag/",
    "aws:securetransport",
    "aws:sourceaccount",
    "aws:sourceidentity",
    "aws:tagkeys",
    "aws:tokenissuetime",
    "aws:userid",
    "aws:username",
    "aws:viaawsservice",
    "ec2:instancetype",
    "sts:externalid",
    "sts:rolesessionname",
    "sts:sourceidentity",
    "sts:transitivetagkeys",
];

/// The condition keys that a document may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Vocabulary {
    /// Those that the emulated services know.
    Emulated,
    /// Every key: one that the request does not carry is absent.
    AnyKey,
}

impl Condition {
    pub(super) fn new(
        operator: &str,
        key: &str,
        values: Vec<String>,
        vocabulary: Vocabulary,
    ) -> Self {
        let lower = key.to_ascii_lowercase();
        let known = vocabulary == Vocabulary::AnyKey
            || KNOWN_KEYS
                .iter()
                .any(|name| lower == *name || (name.ends_with('/') && lower.starts_with(name)));
        let operator = known
            .then(|| Operator::parse(operator))
            .flatten()
            .ok_or_else(|| format!("{operator} {key}"));
        Self { key: lower, values, operator }
    }

    /// Whether it holds; an error names what is not understood.
    pub(super) fn holds(
        &self,
        keys: &Keys,
        value: impl Fn(&str) -> String,
    ) -> Result<bool, String> {
        let operator = self.operator.as_ref().map_err(Clone::clone)?;
        let actual = keys.get(&self.key);
        if let Test::Null = operator.test {
            return Ok(self.values.iter().any(|wanted| (wanted == "true") == actual.is_none()));
        }
        let Some(actual) = actual else {
            return Ok(match (operator.absent, operator.quantifier) {
                (Absent::Holds, _) | (_, Quantifier::All) => true,
                (Absent::Fails, Quantifier::Single) => operator.negated,
                (Absent::Fails, Quantifier::Any) => false,
            });
        };
        let wanted: Vec<String> = self.values.iter().map(|text| value(text)).collect();
        let one = |actual: &String| {
            wanted.iter().any(|wanted| operator.test.passes(actual, wanted)) != operator.negated
        };
        Ok(match operator.quantifier {
            Quantifier::All => actual.iter().all(one),
            Quantifier::Single | Quantifier::Any => actual.iter().any(one),
        })
    }
}

impl Operator {
    fn parse(text: &str) -> Option<Self> {
        use Ordering::{Equal, Greater, Less};
        let (quantifier, text) = match text.split_once(':') {
            None => (Quantifier::Single, text),
            Some(("ForAnyValue", rest)) => (Quantifier::Any, rest),
            Some(("ForAllValues", rest)) => (Quantifier::All, rest),
            Some(_) => return None,
        };
        let (absent, text) = match text.strip_suffix("IfExists") {
            Some(rest) => (Absent::Holds, rest),
            None => (Absent::Fails, text),
        };
        let order = |name: &str| -> Option<(&'static [Ordering], bool)> {
            Some(match name {
                "Equals" => (&[Equal], false),
                "NotEquals" => (&[Equal], true),
                "LessThan" => (&[Less], false),
                "LessThanEquals" => (&[Less, Equal], false),
                "GreaterThan" => (&[Greater], false),
                "GreaterThanEquals" => (&[Greater, Equal], false),
                _ => return None,
            })
        };
        let (test, negated) = match text {
            "StringEquals" => (Test::Text, false),
            "StringNotEquals" => (Test::Text, true),
            "StringEqualsIgnoreCase" => (Test::TextAnyCase, false),
            "StringNotEqualsIgnoreCase" => (Test::TextAnyCase, true),
            "StringLike" => (Test::Pattern, false),
            "StringNotLike" => (Test::Pattern, true),
            "ArnEquals" | "ArnLike" => (Test::Arn, false),
            "ArnNotEquals" | "ArnNotLike" => (Test::Arn, true),
            "Bool" => (Test::Bool, false),
            "Null" => (Test::Null, false),
            text => match (text.strip_prefix("Numeric"), text.strip_prefix("Date")) {
                (Some(name), _) => {
                    order(name).map(|(order, negated)| (Test::Number(order), negated))?
                }
                (_, Some(name)) => {
                    order(name).map(|(order, negated)| (Test::Date(order), negated))?
                }
                _ => return None,
            },
        };
        Some(Self { test, negated, absent, quantifier })
    }
}

impl Test {
    fn passes(self, actual: &str, wanted: &str) -> bool {
        match self {
            Self::Text => actual == wanted,
            Self::TextAnyCase | Self::Bool => actual.eq_ignore_ascii_case(wanted),
            Self::Pattern => like(wanted, actual),
            // The six parts of an ARN match one by one: a star does not cross a colon.
            Self::Arn => {
                let (wanted, actual) = (wanted.splitn(6, ':'), actual.splitn(6, ':'));
                wanted.clone().count() == actual.clone().count()
                    && wanted.zip(actual).all(|(wanted, actual)| like(wanted, actual))
            }
            Self::Null => false,
            Self::Number(orders) => match (actual.parse::<f64>(), wanted.parse::<f64>()) {
                (Ok(actual), Ok(wanted)) => {
                    actual.partial_cmp(&wanted).is_some_and(|order| orders.contains(&order))
                }
                _ => false,
            },
            Self::Date(orders) => match (instant(actual), instant(wanted)) {
                (Some(actual), Some(wanted)) => orders.contains(&actual.cmp(&wanted)),
                _ => false,
            },
        }
    }
}

/// RFC 3339, or seconds since 1970.
fn instant(text: &str) -> Option<Timestamp> {
    match text.parse::<i64>() {
        Ok(seconds) => Timestamp::from_second(seconds).ok(),
        Err(_) => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(operator: &str, key: &str, values: &[&str], actual: &[&str]) -> Result<bool, String> {
        let values = values.iter().map(|value| (*value).to_owned()).collect();
        let mut keys = Keys::new();
        if !actual.is_empty() {
            let actual = actual.iter().map(|value| (*value).to_owned()).collect();
            keys.insert(key.to_ascii_lowercase(), actual);
        }
        Condition::new(operator, key, values, Vocabulary::Emulated).holds(&keys, str::to_owned)
    }

    #[test]
    fn the_mfa_conditions_of_the_guide() {
        let mfa = "aws:MultiFactorAuthPresent";
        // Absent for a bare key, "false" for a session without MFA (docs/aws-facts.md §2).
        for (operator, wanted, key, session, with_mfa) in [
            ("Bool", "true", false, false, true),
            ("Bool", "false", false, true, false),
            ("BoolIfExists", "false", true, true, false),
            ("BoolIfExists", "true", true, false, true),
            ("Null", "true", true, false, false),
            ("Null", "false", false, true, true),
        ] {
            assert_eq!(holds(operator, mfa, &[wanted], &[]), Ok(key), "{operator} {wanted} key");
            assert_eq!(
                holds(operator, mfa, &[wanted], &["false"]),
                Ok(session),
                "{operator} {wanted}"
            );
            assert_eq!(
                holds(operator, mfa, &[wanted], &["true"]),
                Ok(with_mfa),
                "{operator} {wanted} mfa"
            );
        }
    }

    #[test]
    fn every_operator_opened_and_closed() {
        for (operator, key, wanted, open, closed) in [
            ("StringEquals", "sts:ExternalId", "a", "a", "A"),
            ("StringNotEquals", "sts:ExternalId", "a", "b", "a"),
            ("StringEqualsIgnoreCase", "aws:username", "a", "A", "b"),
            ("StringNotEqualsIgnoreCase", "aws:username", "a", "b", "A"),
            ("StringLike", "sts:RoleSessionName", "al*", "alice", "bob"),
            ("StringNotLike", "sts:RoleSessionName", "al*", "bob", "alice"),
            (
                "ArnLike",
                "aws:PrincipalArn",
                "arn:aws:iam::*:user/*",
                "arn:aws:iam::1:user/a",
                "arn:aws:iam::1:role/a",
            ),
            (
                "ArnLike",
                "aws:PrincipalArn",
                "arn:*:user/a",
                "arn:*:user/a",
                "arn:aws:iam::1:user/a",
            ),
            (
                "ArnNotEquals",
                "aws:PrincipalArn",
                "arn:aws:iam::1:user/a",
                "arn:aws:iam::1:user/b",
                "arn:aws:iam::1:user/a",
            ),
            ("NumericEquals", "aws:MultiFactorAuthAge", "10", "10", "11"),
            ("NumericNotEquals", "aws:MultiFactorAuthAge", "10", "11", "10"),
            ("NumericLessThan", "aws:MultiFactorAuthAge", "900", "899", "900"),
            ("NumericLessThanEquals", "aws:MultiFactorAuthAge", "900", "900", "901"),
            ("NumericGreaterThan", "aws:MultiFactorAuthAge", "900", "901", "900"),
            ("NumericGreaterThanEquals", "aws:MultiFactorAuthAge", "900", "900", "899"),
            (
                "DateLessThan",
                "aws:TokenIssueTime",
                "2026-01-01T00:00:00Z",
                "2025-12-31T23:59:59Z",
                "2026-01-01T00:00:00Z",
            ),
            ("DateGreaterThan", "aws:EpochTime", "1700000000", "1700000001", "1700000000"),
            ("ForAnyValue:StringEquals", "aws:TagKeys", "a", "a", "b"),
            ("ForAllValues:StringEquals", "aws:TagKeys", "a", "a", "b"),
        ] {
            assert_eq!(holds(operator, key, &[wanted], &[open]), Ok(true), "{operator} {open}");
            assert_eq!(
                holds(operator, key, &[wanted], &[closed]),
                Ok(false),
                "{operator} {closed}"
            );
        }
    }

    #[test]
    fn an_absent_key_fails_unless_negated_or_optional() {
        let age = "aws:MultiFactorAuthAge";
        assert_eq!(holds("NumericLessThan", age, &["900"], &[]), Ok(false));
        assert_eq!(holds("NumericLessThanIfExists", age, &["900"], &[]), Ok(true));
        assert_eq!(holds("StringNotEquals", "sts:ExternalId", &["x"], &[]), Ok(true));
        assert_eq!(holds("ForAnyValue:StringEquals", "aws:TagKeys", &["x"], &[]), Ok(false));
        assert_eq!(holds("ForAllValues:StringEquals", "aws:TagKeys", &["x"], &[]), Ok(true));
    }

    #[test]
    fn all_or_any_of_several_values() {
        let tags = "aws:TagKeys";
        assert_eq!(holds("ForAllValues:StringEquals", tags, &["a", "b"], &["a", "c"]), Ok(false));
        assert_eq!(holds("ForAnyValue:StringEquals", tags, &["a", "b"], &["a", "c"]), Ok(true));
        assert_eq!(holds("StringNotEquals", "sts:ExternalId", &["a", "b"], &["b"]), Ok(false));
    }

    #[test]
    fn strangers_are_named() {
        assert_eq!(
            holds("StringMaybe", "sts:ExternalId", &["a"], &["a"]),
            Err("StringMaybe sts:ExternalId".into())
        );
        assert_eq!(
            holds("ForSome:StringEquals", "aws:TagKeys", &["a"], &["a"]),
            Err("ForSome:StringEquals aws:TagKeys".into())
        );
        assert_eq!(holds("Bool", "aws:Moon", &["true"], &["true"]), Err("Bool aws:Moon".into()));
    }
}
