//! The inputs of STS calls and their constraints, in the words of AWS's validation.
//!
//! Limits: the STS API reference, version 2011-06-15.

use super::error::AwsError;
use super::organization::Policy;
use super::pattern::Keys;
use super::policy::Document;
use super::state::SessionTags;
use super::wire::Fields;

/// The constraint on a text parameter.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    least: usize,
    most: usize,
    /// Allowed characters besides `\w`; `None` allows every one.
    more: Option<&'static str>,
    /// The pattern as AWS quotes it.
    pattern: &'static str,
}

const fn shape(least: usize, most: usize, more: &'static str, pattern: &'static str) -> Shape {
    Shape { least, most, more: Some(more), pattern }
}

pub(super) const FEDERATED_NAME: Shape = shape(2, 32, "+=,.@-", r"[\w+=,.@-]*");
const SESSION_NAME: Shape = shape(2, 64, "+=,.@-", r"[\w+=,.@-]*");
const EXTERNAL_ID: Shape = shape(2, 1224, "+=,.@:/-", r"[\w+=,.@:\/-]*");
const SERIAL_NUMBER: Shape = shape(9, 256, "+=/:,.@-", r"[\w+=/:,.@-]*");
const ROLE_ARN: Shape = Shape { least: 20, most: 2048, more: None, pattern: "" };
const POLICY: Shape = Shape { least: 1, most: 2048, more: None, pattern: "" };

/// The inputs of `AssumeRole`.
pub(super) struct RoleRequest<'a> {
    pub arn: &'a str,
    pub name: &'a str,
    pub seconds: Option<u32>,
    pub mfa: (Option<&'a str>, Option<&'a str>),
    pub policies: SessionPolicies<'a>,
    pub tags: Vec<(String, String)>,
    /// `TransitiveTagKeys`: which of them, as the request spells them.
    pub transitive: Vec<&'a str>,
    /// `SourceIdentity`.
    pub source: Option<&'a str>,
    external_id: Option<&'a str>,
}

impl<'a> RoleRequest<'a> {
    /// Reads and checks them.
    pub(super) fn read(fields: &'a Fields) -> Result<Self, AwsError> {
        let mut check = Check::default();
        let seconds = check.seconds(fields, 43_200)?;
        let arn = check.text(fields, "RoleArn", ROLE_ARN);
        let name = check.text(fields, "RoleSessionName", SESSION_NAME);
        check.required(arn, "roleArn");
        check.required(name, "roleSessionName");
        let request = Self {
            arn: arn.unwrap_or_default(),
            name: name.unwrap_or_default(),
            seconds,
            mfa: check.mfa(fields),
            policies: SessionPolicies::read(fields, &mut check),
            tags: fields
                .list("Tags", ".Key")
                .zip(fields.list("Tags", ".Value"))
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .collect(),
            transitive: fields.list("TransitiveTagKeys", "").collect(),
            source: check.text(fields, "SourceIdentity", SESSION_NAME),
            external_id: check.text(fields, "ExternalId", EXTERNAL_ID),
        };
        check.at_most_50("tags", request.tags.len());
        check.at_most_50("transitiveTagKeys", request.transitive.len());
        check.done()?;
        request.check_tags()?;
        let [_, _, "iam", "", account, resource] =
            request.arn.splitn(6, ':').collect::<Vec<_>>()[..]
        else {
            return Err(invalid(format!("{} is invalid", request.arn)));
        };
        if account.is_empty() || !resource.starts_with("role/") {
            return Err(invalid(format!("{} is invalid", request.arn)));
        }
        Ok(request)
    }

    /// Tag keys are the same whatever their case.
    fn check_tags(&self) -> Result<(), AwsError> {
        let is_among = |key: &str, tags: &[(String, String)]| {
            tags.iter().any(|(other, _)| other.eq_ignore_ascii_case(key))
        };
        let mut tags = (1..).zip(&self.tags);
        if tags.any(|(after, (key, _))| is_among(key, &self.tags[after..])) {
            return Err(invalid_parameter(
                "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
            ));
        }
        if !self.transitive.iter().all(|key| is_among(key, &self.tags)) {
            return Err(invalid_parameter(
                "The specified transitive tag key must be included in the requested tags.",
            ));
        }
        Ok(())
    }

    /// The tags of a session that is entered from one with these transitive tags, and which of them are transitive.
    pub(super) fn tags_after(
        &self,
        inherited: &[(String, String)],
    ) -> Result<SessionTags, AwsError> {
        let is_inherited =
            |key: &str| inherited.iter().any(|(other, _)| other.eq_ignore_ascii_case(key));
        if self.tags.iter().any(|(key, _)| is_inherited(key)) {
            return Err(invalid_parameter(
                "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key \
                 from the calling session.",
            ));
        }
        let is_transitive =
            |key: &str| self.transitive.iter().any(|other| other.eq_ignore_ascii_case(key));
        let own = |transitive| {
            self.tags.iter().filter(move |(key, _)| is_transitive(key) == transitive).cloned()
        };
        Ok(SessionTags {
            transitive: inherited.iter().cloned().chain(own(true)).collect(),
            others: own(false).collect(),
        })
    }

    /// The condition keys that this request has.
    pub(super) fn keys(&self) -> Keys {
        let mut keys = Keys::from([("sts:rolesessionname".to_owned(), vec![self.name.to_owned()])]);
        for (key, value) in
            [("sts:externalid", self.external_id), ("sts:sourceidentity", self.source)]
        {
            keys.extend(value.map(|value| (key.to_owned(), vec![value.to_owned()])));
        }
        if !self.transitive.is_empty() {
            let transitive = self.transitive.iter().map(|key| (*key).to_owned());
            keys.insert("sts:transitivetagkeys".into(), transitive.collect());
        }
        for (key, value) in &self.tags {
            keys.entry("aws:tagkeys".into()).or_default().push(key.clone());
            keys.insert(
                format!("aws:requesttag/{}", key.to_ascii_lowercase()),
                vec![value.clone()],
            );
        }
        keys
    }
}

fn invalid_parameter(message: &str) -> AwsError {
    AwsError::new(400, "InvalidParameterValue", message)
}

/// A `ValidationError`.
pub(super) fn invalid(message: impl Into<String>) -> AwsError {
    AwsError::new(400, "ValidationError", message)
}

/// The session policies of a request.
pub(super) struct SessionPolicies<'a> {
    inline: Option<&'a str>,
    arns: Vec<&'a str>,
}

impl<'a> SessionPolicies<'a> {
    pub(super) fn read(fields: &'a Fields, check: &mut Check) -> Self {
        let inline = check.text(fields, "Policy", POLICY);
        Self { inline, arns: fields.list("PolicyArns", ".arn").collect() }
    }

    pub(super) fn parse(&self) -> Result<Option<Vec<Policy>>, AwsError> {
        if self.inline.is_none() && self.arns.is_empty() {
            return Ok(None);
        }
        let mut policies: Vec<Policy> =
            self.arns.iter().filter_map(|arn| Policy::aws(arn)).collect();
        if let Some(text) = self.inline {
            let document = Document::parse(text)
                .map_err(|why| AwsError::new(400, "MalformedPolicyDocument", why.to_string()))?;
            policies.push(Policy { arn: None, document });
        }
        Ok(Some(policies))
    }

    /// The percentage of the packed limit that policies and tags use; AWS's own packing is not public.
    pub(super) fn packed(&self, tags: &[(String, String)]) -> Result<Option<usize>, AwsError> {
        let bytes = self.inline.map_or(0, str::len)
            + self.arns.iter().map(|arn| arn.len()).sum::<usize>()
            + tags.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>();
        let percent = (bytes * 100).div_ceil(2048);
        match percent {
            0 => Ok(None),
            1..=100 => Ok(Some(percent)),
            _ => Err(AwsError::new(
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

    fn at_most_50(&mut self, field: &str, length: usize) {
        if length > 50 {
            let constraint = "Member must have length less than or equal to 50";
            self.fails(&format!("[{length} members]"), field, constraint);
        }
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
        shape: Shape,
    ) -> Option<&'a str> {
        let value = fields.get(name)?;
        let field = name[..1].to_ascii_lowercase() + &name[1..];
        let Shape { least, most, more, pattern } = shape;
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if more.is_some_and(|more| !value.chars().all(|c| word(c) || more.contains(c))) {
            self.pattern(value, &field, pattern);
        }
        let length = value.chars().count();
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

    fn pattern(&mut self, value: &str, field: &str, pattern: &str) {
        self.fails(
            value,
            field,
            &format!("Member must satisfy regular expression pattern: {pattern}"),
        );
    }

    /// `SerialNumber` and `TokenCode`.
    pub(super) fn mfa<'a>(&mut self, fields: &'a Fields) -> (Option<&'a str>, Option<&'a str>) {
        let serial = self.text(fields, "SerialNumber", SERIAL_NUMBER);
        let code =
            self.text(fields, "TokenCode", Shape { least: 6, most: 6, more: None, pattern: "" });
        if let Some(code) = code.filter(|code| !code.chars().all(|c| c.is_ascii_digit())) {
            self.pattern(code, "tokenCode", r"[\d]*");
        }
        (serial, code)
    }

    pub(super) fn seconds(&mut self, fields: &Fields, most: u32) -> Result<Option<u32>, AwsError> {
        let Some(text) = fields.get("DurationSeconds") else {
            return Ok(None);
        };
        let seconds: u32 = text
            .parse()
            .map_err(|_| AwsError::new(400, "MalformedInput", "Could not parse DurationSeconds"))?;
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

    pub(super) fn done(self) -> Result<(), AwsError> {
        let errors = match self.0.len() {
            0 => return Ok(()),
            1 => "1 validation error".to_owned(),
            n => format!("{n} validation errors"),
        };
        Err(invalid(format!("{errors} detected: {}", self.0.join("; "))))
    }
}
