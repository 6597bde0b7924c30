//! Signature Version 4, checked: the canonical request is rebuilt from what arrived.
//!
//! Steps: the IAM User Guide, "Create a signed AWS API request".

use std::time::{Duration, UNIX_EPOCH};

use aws_sigv4::sign::v4::{calculate_signature, generate_signing_key};
use http::request::Parts;
use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::encoding::{percent_decode, percent_encode};
use super::error::AwsError;

/// The `Authorization` header and the time of a signed request.
#[derive(Debug)]
pub(super) struct Signature {
    pub key: String,
    /// `YYYYMMDD` of the credential scope.
    date: String,
    pub region: String,
    pub service: String,
    signed_headers: Vec<String>,
    hex: String,
    /// `X-Amz-Date`.
    time: Timestamp,
}

/// `X-Amz-Date`: ISO 8601 without punctuation, UTC.
const FORMAT: &str = "%Y%m%dT%H%M%SZ";

impl Signature {
    pub(super) fn read(parts: &Parts) -> Result<Self, AwsError> {
        let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
        let authorization = header("authorization").ok_or_else(|| {
            AwsError::new(
                403,
                "MissingAuthenticationToken",
                "Request is missing Authentication Token",
            )
        })?;
        let incomplete = |what: String| AwsError::new(400, "IncompleteSignature", what);
        let fields = authorization.strip_prefix("AWS4-HMAC-SHA256 ").ok_or_else(|| {
            incomplete("Unsupported AWS 'algorithm': only AWS4-HMAC-SHA256 is known".into())
        })?;
        let (mut credential, mut signed, mut signature) = (None, None, None);
        for field in fields.split(',').map(str::trim) {
            let (name, value) = field.split_once('=').ok_or_else(|| {
                incomplete(format!(
                    "'{field}' not a valid key=value pair (missing equal-sign) in Authorization header: '{authorization}'."
                ))
            })?;
            match name {
                "Credential" => credential = Some(value),
                "SignedHeaders" => signed = Some(value),
                "Signature" => signature = Some(value),
                _ => {}
            }
        }
        let missing = |name: &str| {
            incomplete(format!(
                "Authorization header requires '{name}' parameter. Authorization={authorization}"
            ))
        };
        let scope = credential.ok_or_else(|| missing("Credential"))?;
        let [key, date, region, service, "aws4_request"] = scope.split('/').collect::<Vec<_>>()[..]
        else {
            return Err(incomplete(format!(
                "Credential must have 5 slash-delimited elements, got '{scope}'"
            )));
        };
        let time = header("x-amz-date")
            .and_then(|text| jiff::civil::DateTime::strptime(FORMAT, text).ok())
            .and_then(|time| jiff::tz::TimeZone::UTC.to_timestamp(time).ok())
            .ok_or_else(|| missing("X-Amz-Date"))?;
        Ok(Self {
            key: key.into(),
            date: date.into(),
            region: region.into(),
            service: service.into(),
            signed_headers: signed
                .ok_or_else(|| missing("SignedHeaders"))?
                .split(';')
                .map(Into::into)
                .collect(),
            hex: signature.ok_or_else(|| missing("Signature"))?.into(),
            time,
        })
    }

    /// Whether the request is of our time, within the window, and signed with the secret.
    pub(super) fn verify(
        &self,
        parts: &Parts,
        body: &[u8],
        secret: &str,
        now: Timestamp,
        window: Duration,
    ) -> Result<(), AwsError> {
        let refuse = |what: String| Err(AwsError::new(403, "SignatureDoesNotMatch", what));
        let show = |time: Timestamp| time.strftime(FORMAT).to_string();
        let (minutes, time) = (window.as_secs() / 60, show(self.time));
        if self.time < now - window {
            let (limit, now) = (show(now - window), show(now));
            return refuse(format!(
                "Signature expired: {time} is now earlier than {limit} ({now} - {minutes} min.)"
            ));
        }
        if self.time > now + window {
            let (limit, now) = (show(now + window), show(now));
            return refuse(format!(
                "Signature not yet current: {time} is still later than {limit} ({now} + {minutes} min.)"
            ));
        }
        if !time.starts_with(&self.date) {
            return refuse(format!(
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '{}' != '{}', from '{time}'.",
                self.date,
                &time[..8]
            ));
        }
        if !self.signed_headers.iter().any(|name| name == "host") {
            return refuse(
                "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.".into(),
            );
        }
        let since_1970 =
            Duration::from_secs(u64::try_from(self.time.as_second()).unwrap_or_default());
        let key =
            generate_signing_key(secret, UNIX_EPOCH + since_1970, &self.region, &self.service);
        let to_sign = format!(
            "AWS4-HMAC-SHA256\n{time}\n{}/{}/{}/aws4_request\n{}",
            self.date,
            self.region,
            self.service,
            hash(self.canonical(parts, body)?.as_bytes())
        );
        if calculate_signature(key, to_sign.as_bytes()) == self.hex {
            return Ok(());
        }
        refuse(
            "The request signature we calculated does not match the signature you provided. Check your AWS Secret \
             Access Key and signing method. Consult the service documentation for details."
                .into(),
        )
    }

    fn canonical(&self, parts: &Parts, body: &[u8]) -> Result<String, AwsError> {
        // Every service but S3 signs the path encoded once more than it travels.
        let path = match self.service.as_str() {
            "s3" => parts.uri.path().to_owned(),
            _ => parts.uri.path().split('/').map(percent_encode).collect::<Vec<_>>().join("/"),
        };
        let mut query: Vec<String> = parts
            .uri
            .query()
            .unwrap_or_default()
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                let again = |text| percent_encode(&percent_decode(text));
                format!("{}={}", again(name), again(value))
            })
            .collect();
        query.sort();
        let mut headers = String::new();
        for name in &self.signed_headers {
            let values: Vec<String> = parts
                .headers
                .get_all(name)
                .iter()
                .filter_map(|value| value.to_str().ok())
                .map(|value| value.split_whitespace().collect::<Vec<_>>().join(" "))
                .collect();
            headers.extend([name, ":", &values.join(","), "\n"]);
        }
        let actual = hash(body);
        let claimed =
            parts.headers.get("x-amz-content-sha256").and_then(|value| value.to_str().ok());
        let payload = match claimed {
            Some("UNSIGNED-PAYLOAD") => "UNSIGNED-PAYLOAD".to_owned(),
            Some(claimed) if claimed != actual => {
                return Err(AwsError::new(
                    400,
                    "XAmzContentSHA256Mismatch",
                    "The provided 'x-amz-content-sha256' header does not match what was computed.",
                ));
            }
            _ => actual,
        };
        Ok(format!(
            "{}\n{path}\n{}\n{headers}\n{}\n{payload}",
            parts.method,
            query.join("&"),
            self.signed_headers.join(";")
        ))
    }
}

fn hash(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The worked example of the IAM User Guide ("iam:ListUsers").
    fn example() -> Parts {
        let request = http::Request::get("/?Action=ListUsers&Version=2010-05-08")
            .header("host", "iam.amazonaws.com")
            .header("content-type", "application/x-www-form-urlencoded; charset=utf-8")
            .header("x-amz-date", "20150830T123600Z")
            .header(
                "authorization",
                "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, \
                 SignedHeaders=content-type;host;x-amz-date, \
                 Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7",
            );
        request.body(()).unwrap().into_parts().0
    }

    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

    fn verdict(parts: &Parts, secret: &str, now: &str) -> Result<(), String> {
        Signature::read(parts)
            .and_then(|signature| {
                signature.verify(parts, b"", secret, now.parse().unwrap(), Duration::from_mins(15))
            })
            .map_err(|error| error.message)
    }

    #[test]
    fn the_guides_own_example_verifies() {
        assert_eq!(verdict(&example(), SECRET, "2015-08-30T12:36:10Z"), Ok(()));
        let wrong = verdict(&example(), "other", "2015-08-30T12:36:10Z").unwrap_err();
        assert!(wrong.starts_with("The request signature we calculated does not match"), "{wrong}");
    }

    #[test]
    fn the_window_names_both_times() {
        assert_eq!(
            verdict(&example(), SECRET, "2015-08-30T12:51:01Z").unwrap_err(),
            "Signature expired: 20150830T123600Z is now earlier than 20150830T123601Z (20150830T125101Z - 15 min.)"
        );
        assert_eq!(
            verdict(&example(), SECRET, "2015-08-30T12:20:00Z").unwrap_err(),
            "Signature not yet current: 20150830T123600Z is still later than 20150830T123500Z (20150830T122000Z + 15 min.)"
        );
    }

    #[test]
    fn a_changed_request_does_not_verify() {
        let mut parts = example();
        parts.uri = "/?Action=ListRoles&Version=2010-05-08".parse().unwrap();
        assert!(verdict(&parts, SECRET, "2015-08-30T12:36:10Z").is_err());
        // The order of the query does not matter.
        parts.uri = "/?Version=2010-05-08&Action=ListUsers".parse().unwrap();
        assert_eq!(verdict(&parts, SECRET, "2015-08-30T12:36:10Z"), Ok(()));
    }

    #[test]
    fn a_broken_header_is_incomplete() {
        for (header, says) in [
            ("AWS4-HMAC-SHA256 Credential=a/b", "Credential must have 5 slash-delimited elements"),
            ("AWS4-HMAC-SHA256 Credential", "not a valid key=value pair (missing equal-sign)"),
            ("AWS4-HMAC-SHA256 SignedHeaders=host", "requires 'Credential' parameter"),
            ("Basic abc", "Unsupported AWS 'algorithm'"),
        ] {
            let mut parts = example();
            parts.headers.insert("authorization", header.parse().unwrap());
            let error = Signature::read(&parts).unwrap_err();
            assert_eq!(error.code, "IncompleteSignature");
            assert!(error.message.contains(says), "{}", error.message);
        }
    }
}
