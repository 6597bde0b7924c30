//! The inputs of STS calls and their constraints, in the words of AWS's validation.
//!
//! Limits: the STS API reference, version 2011-06-15.

use super::organisation::Policy;
use super::policy::Document;
use super::wire::{Fields, Refusal};

/// Session tags.
pub(super) fn tags(fields: &Fields) -> Vec<(String, String)> {
    let keys = fields.list("Tags", ".Key");
    keys.zip(fields.list("Tags", ".Value"))
        .map(|(key, value)| (key.into(), value.into()))
        .collect()
}

/// Regular-expression `\w` of AWS's patterns, and more characters.
pub(super) fn word(c: char, more: &str) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || more.contains(c)
}

/// The session policies of a request, as they came.
pub(super) struct SessionPolicies<'a> {
    inline: Option<&'a str>,
    arns: Vec<&'a str>,
}

impl<'a> SessionPolicies<'a> {
    pub(super) fn read(fields: &'a Fields, check: &mut Check) -> Self {
        let inline = check.text(fields, "Policy", (1, 2048), |_| true, "");
        Self {
            inline,
            arns: fields.list("PolicyArns", ".arn").collect(),
        }
    }

    pub(super) fn parse(&self) -> Result<Option<Vec<Policy>>, Refusal> {
        if self.inline.is_none() && self.arns.is_empty() {
            return Ok(None);
        }
        let mut policies: Vec<Policy> = self
            .arns
            .iter()
            .filter_map(|arn| Policy::aws(arn))
            .collect();
        if let Some(text) = self.inline {
            let document = Document::parse(text)
                .map_err(|why| Refusal::new(400, "MalformedPolicyDocument", why.to_string()))?;
            policies.push(Policy {
                arn: None,
                document,
            });
        }
        Ok(Some(policies))
    }

    /// The percentage of the packed limit that policies and tags use; AWS's own packing is not public.
    pub(super) fn packed(&self, tags: &[(String, String)]) -> Result<Option<usize>, Refusal> {
        let bytes = self.inline.map_or(0, str::len)
            + self.arns.iter().map(|arn| arn.len()).sum::<usize>()
            + tags
                .iter()
                .map(|(key, value)| key.len() + value.len())
                .sum::<usize>();
        let percent = (bytes * 100).div_ceil(2048);
        match percent {
            0 => Ok(None),
            1..=100 => Ok(Some(percent)),
            _ => Err(Refusal::new(
                400,
                "PackedPolicyTooLarge",
                format!(
                    "Packed policy consumes {percent}% of allotted space, please use smaller policy."
                ),
            )),
        }
    }
}

/// Collects every violated constraint, as AWS reports them: all at once.
#[derive(Default)]
pub(super) struct Check(Vec<String>);

impl Check {
    fn fails(&mut self, value: &str, field: &str, constraint: &str) {
        self.0.push(format!(
            "Value '{value}' at '{field}' failed to satisfy constraint: {constraint}"
        ));
    }

    pub(super) fn required(&mut self, value: Option<&str>, field: &str) {
        if value.is_none() {
            self.0.push(format!(
                "Value null at '{field}' failed to satisfy constraint: Member must not be null"
            ));
        }
    }

    pub(super) fn text<'a>(
        &mut self,
        fields: &'a Fields,
        name: &str,
        (least, most): (usize, usize),
        allowed: impl Fn(char) -> bool,
        pattern: &str,
    ) -> Option<&'a str> {
        let value = fields.get(name)?;
        let field = name[..1].to_ascii_lowercase() + &name[1..];
        let length = value.chars().count();
        if !value.chars().all(allowed) {
            self.fails(
                value,
                &field,
                &format!("Member must satisfy regular expression pattern: {pattern}"),
            );
        }
        if length < least {
            self.fails(
                value,
                &field,
                &format!("Member must have length greater than or equal to {least}"),
            );
        }
        if length > most {
            self.fails(
                value,
                &field,
                &format!("Member must have length less than or equal to {most}"),
            );
        }
        Some(value)
    }

    pub(super) fn mfa<'a>(&mut self, fields: &'a Fields) -> (Option<&'a str>, Option<&'a str>) {
        (
            self.text(
                fields,
                "SerialNumber",
                (9, 256),
                |c| word(c, "+=/:,.@-"),
                r"[\w+=/:,.@-]*",
            ),
            self.text(
                fields,
                "TokenCode",
                (6, 6),
                |c| c.is_ascii_digit(),
                r"[\d]*",
            ),
        )
    }

    pub(super) fn seconds(&mut self, fields: &Fields, most: u32) -> Result<Option<u32>, Refusal> {
        let Some(text) = fields.get("DurationSeconds") else {
            return Ok(None);
        };
        let seconds: u32 = text
            .parse()
            .map_err(|_| Refusal::new(400, "MalformedInput", "Could not parse DurationSeconds"))?;
        if seconds < 900 {
            self.fails(
                text,
                "durationSeconds",
                "Member must have value greater than or equal to 900",
            );
        }
        if seconds > most {
            self.fails(
                text,
                "durationSeconds",
                &format!("Member must have value less than or equal to {most}"),
            );
        }
        Ok(Some(seconds))
    }

    pub(super) fn done(self) -> Result<(), Refusal> {
        let errors = match self.0.len() {
            0 => return Ok(()),
            1 => "1 validation error".to_owned(),
            n => format!("{n} validation errors"),
        };
        Err(Refusal::new(
            400,
            "ValidationError",
            format!("{errors} detected: {}", self.0.join("; ")),
        ))
    }
}
