//! Requests of which only the answer's kind matters: `verify`'s probes, and the clock for `doctor`.
//!
//! They cover services for which no SDK is linked, so they are signed here and sent as they are. None
//! changes anything: they read, or set `DryRun`.

use std::time::SystemTime;

use aws_sigv4::http_request::{
    PayloadChecksumKind, SignableBody, SignableRequest, SigningSettings, sign,
};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::http::{HttpConnector, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::{ConnectorError, SdkError};
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use aws_smithy_types::error::ErrorMetadata;
use jiff::{SignedDuration, Timestamp};

use crate::domain::fault::Fault;
use crate::domain::ids::{Partition, Region};

use super::{Aws, CALL, Failure, PAUSES, Signer, http};
use crate::services::aws::failure::Kind;

/// How much of a refusal is read: AWS's are a few hundred bytes.
const MOST: usize = 64 * 1024;

/// A call that a bare key must not be able to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// `s3:ListAllMyBuckets`
    ListBuckets,
    /// `ec2:DescribeRegions`
    DescribeRegions,
    /// `iam:ListUsers`
    ListUsers,
    /// `iam:GetAccountSummary`
    AccountSummary,
    /// `organizations:DescribeOrganization`
    DescribeOrganization,
    /// `ec2:RunInstances`, with `DryRun`.
    RunInstances,
    /// `ec2:CreateInternetGateway`, with `DryRun`: it names nothing that could be missing.
    CreateInternetGateway,
    /// `sts:GetFederationToken`, narrowed to nothing, for 15 min; the answer is not read.
    FederationToken,
}

/// A policy that allows nothing.
pub(super) const DENY_ALL: &str =
    r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}"#;

impl Call {
    /// The action, as policies name it.
    pub const fn action(self) -> &'static str {
        match self {
            Self::ListBuckets => "s3:ListAllMyBuckets",
            Self::DescribeRegions => "ec2:DescribeRegions",
            Self::ListUsers => "iam:ListUsers",
            Self::AccountSummary => "iam:GetAccountSummary",
            Self::DescribeOrganization => "organizations:DescribeOrganization",
            Self::RunInstances => "ec2:RunInstances",
            Self::CreateInternetGateway => "ec2:CreateInternetGateway",
            Self::FederationToken => "sts:GetFederationToken",
        }
    }

    fn service(self) -> &'static str {
        self.action().split(':').next().unwrap_or_default()
    }

    /// The form fields of a Query request; empty for S3 and Organizations.
    fn form(self) -> Vec<(&'static str, &'static str)> {
        const EC2: (&str, &str) = ("Version", "2016-11-15");
        const IAM: (&str, &str) = ("Version", "2010-05-08");
        const DRY: (&str, &str) = ("DryRun", "true");
        match self {
            Self::ListBuckets | Self::DescribeOrganization => Vec::new(),
            Self::DescribeRegions => vec![("Action", "DescribeRegions"), EC2],
            Self::ListUsers => vec![("Action", "ListUsers"), IAM, ("MaxItems", "1")],
            Self::AccountSummary => vec![("Action", "GetAccountSummary"), IAM],
            Self::RunInstances => vec![
                ("Action", "RunInstances"),
                EC2,
                DRY,
                ("ImageId", "ami-00000000000000000"),
                ("InstanceType", "t3.nano"),
                ("MinCount", "1"),
                ("MaxCount", "1"),
            ],
            Self::CreateInternetGateway => vec![("Action", "CreateInternetGateway"), EC2, DRY],
            Self::FederationToken => vec![
                ("Action", "GetFederationToken"),
                ("Version", "2011-06-15"),
                ("Name", "sekisho-verify"),
                ("DurationSeconds", "900"),
                ("Policy", DENY_ALL),
            ],
        }
    }
}

/// Sends signed requests of its own.
pub struct Prober<'a> {
    aws: &'a Aws,
    connector: SharedHttpConnector,
}

impl Aws {
    /// A prober; fails where `AWS_CA_BUNDLE` is unusable.
    pub fn prober(&self) -> Result<Prober<'_>, Fault> {
        let plain = self
            .endpoint
            .as_deref()
            .is_some_and(|url| url.starts_with("http://"));
        Ok(Prober {
            aws: self,
            connector: http::connector(plain)?,
        })
    }
}

impl Prober<'_> {
    /// Makes a call and tells whether it was let through. Throttled calls are tried again.
    pub async fn probe(&self, signer: Signer<'_>, call: Call) -> Result<(), Failure> {
        for pause in PAUSES {
            match self.once(signer, call).await {
                Err(failure) if failure.kind == Kind::Busy => tokio::time::sleep(pause).await,
                done => return done,
            }
        }
        self.once(signer, call).await
    }

    /// How far this machine's clock is ahead of AWS's, by the `Date` of any answer of STS; unsigned.
    pub async fn clock(&self) -> Result<SignedDuration, Failure> {
        let (url, _) = self.place("sts");
        let response = self
            .send(request("GET", &url, Vec::new(), "").ok_or_else(garbled)?)
            .await?;
        let date = response.headers().get("date").ok_or_else(garbled)?;
        let theirs = jiff::fmt::rfc2822::DateTimeParser::new()
            .parse_timestamp(date)
            .map_err(|_| garbled())?;
        Ok(Timestamp::now().duration_since(theirs))
    }

    async fn once(&self, signer: Signer<'_>, call: Call) -> Result<(), Failure> {
        let request = self.signed(signer, call).ok_or_else(garbled)?;
        let mut response = self.send(request).await?;
        if response.status().is_success() {
            return Ok(()); // the answer, and any credentials in it, dropped unread
        }
        let mut text = Vec::new();
        let mut body = ByteStream::new(response.take_body());
        let read = async {
            while let Ok(Some(bytes)) = body.try_next().await {
                text.extend_from_slice(&bytes);
                if text.len() > MOST {
                    break;
                }
            }
        };
        let _ = tokio::time::timeout(CALL, read).await;
        let error = said(&String::from_utf8_lossy(&text));
        Err(Failure::of(&SdkError::service_error(error, response)))
    }

    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, Failure> {
        let sent = tokio::time::timeout(CALL, self.connector.call(request)).await;
        let error = match sent {
            Ok(Ok(response)) => return Ok(response),
            Ok(Err(error)) => error,
            Err(elapsed) => ConnectorError::timeout(elapsed.into()),
        };
        Err(Failure::of(
            &SdkError::<ErrorMetadata, _>::dispatch_failure(error),
        ))
    }

    /// Where a service is, and the region its signature names.
    /// <https://docs.aws.amazon.com/general/latest/gr/aws-service-information.html>
    fn place(&self, service: &str) -> (String, String) {
        let region = self.aws.region.as_ref();
        let partition = region
            .parse()
            .as_ref()
            .map_or(Partition::Aws, Region::partition);
        let suffix = partition.host_suffix();
        let home = match (partition, service) {
            (Partition::Aws, _) => "us-east-1",
            (Partition::China, "organizations") => "cn-northwest-1",
            (Partition::China, _) => "cn-north-1",
            (Partition::GovCloud, _) => "us-gov-west-1",
            (Partition::EuSovereign, _) => "eusc-de-east-1",
            (Partition::Iso, _) => "us-iso-east-1",
            (Partition::IsoB, _) => "us-isob-east-1",
            (Partition::IsoE, _) => "eu-isoe-west-1",
            (Partition::IsoF, _) => "us-isof-south-1",
        };
        let (host, region) = match (service, partition) {
            ("iam", Partition::Aws) => (format!("iam.{suffix}"), home),
            ("iam", Partition::GovCloud) => (format!("iam.us-gov.{suffix}"), home),
            ("iam" | "organizations", _) => (format!("{service}.{home}.{suffix}"), home),
            _ => (format!("{service}.{region}.{suffix}"), region),
        };
        let url = match &self.aws.endpoint {
            Some(url) => format!("{}/", url.trim_end_matches('/')),
            None => format!("https://{host}/"),
        };
        (url, region.to_owned())
    }

    /// `None` where the request cannot be built: an endpoint that is no URL.
    fn signed(&self, signer: Signer<'_>, call: Call) -> Option<HttpRequest> {
        let (url, region) = self.place(call.service());
        let form = call.form();
        let body = match call {
            Call::ListBuckets => String::new(),
            Call::DescribeOrganization => "{}".into(),
            _ => encode(&form),
        };
        let method = if call == Call::ListBuckets {
            "GET"
        } else {
            "POST"
        };
        let headers = match call {
            Call::ListBuckets => Vec::new(),
            Call::DescribeOrganization => vec![
                ("content-type", "application/x-amz-json-1.1"),
                (
                    "x-amz-target",
                    "AWSOrganizationsV20161128.DescribeOrganization",
                ),
            ],
            _ => vec![("content-type", "application/x-www-form-urlencoded")],
        };
        let mut settings = SigningSettings::default();
        if call == Call::ListBuckets {
            settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        }
        let identity = signer.sdk().into();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(&region)
            .name(call.service())
            .time(SystemTime::now())
            .settings(settings)
            .build()
            .ok()?
            .into();
        let signable = SignableRequest::new(
            method,
            url.as_str(),
            headers.iter().copied(),
            SignableBody::Bytes(body.as_bytes()),
        );
        let (instructions, _) = sign(signable.ok()?, &parameters).ok()?.into_parts();
        let mut request = request(method, &url, headers, &body)?;
        for (name, value) in instructions.headers() {
            request
                .headers_mut()
                .try_insert(name.to_owned(), value.to_owned())
                .ok()?;
        }
        Some(request)
    }
}

fn garbled() -> Failure {
    Failure::garbled("a probe")
}

fn request(
    method: &str,
    url: &str,
    headers: Vec<(&'static str, &'static str)>,
    body: &str,
) -> Option<HttpRequest> {
    let mut request = HttpRequest::new(SdkBody::from(body));
    request.set_method(method).ok()?;
    request.set_uri(url).ok()?;
    for (name, value) in headers {
        request.headers_mut().insert(name, value);
    }
    // What CloudTrail shows beside the caller.
    let agent = concat!("sekisho/", env!("CARGO_PKG_VERSION"), " verify app/sekisho");
    request.headers_mut().insert("user-agent", agent);
    Some(request)
}

/// `application/x-www-form-urlencoded`, every byte but RFC 3986's unreserved ones escaped.
fn encode(form: &[(&str, &str)]) -> String {
    let escape = |text: &str| -> String {
        text.bytes()
            .map(|byte| match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                    char::from(byte).to_string()
                }
                _ => format!("%{byte:02X}"),
            })
            .collect()
    };
    let fields: Vec<String> = form
        .iter()
        .map(|(name, value)| format!("{name}={}", escape(value)))
        .collect();
    fields.join("&")
}

/// AWS's error code and message, in XML (Query, EC2, S3) or JSON.
fn said(body: &str) -> ErrorMetadata {
    let mut error = ErrorMetadata::builder();
    if let Ok(json) = serde_json::from_str::<serde_json::Value>(body) {
        let text = |name: &str| json.get(name).and_then(serde_json::Value::as_str);
        if let Some(code) = text("__type") {
            error = error.code(code.rsplit('#').next().unwrap_or(code));
        }
        if let Some(message) = text("message").or(text("Message")) {
            error = error.message(message);
        }
        return error.build();
    }
    let element = |name: &str| {
        let (_, rest) = body.split_once(&format!("<{name}>"))?;
        let (text, _) = rest.split_once(&format!("</{name}>"))?;
        let plain = [
            ("&lt;", "<"),
            ("&gt;", ">"),
            ("&quot;", "\""),
            ("&#39;", "'"),
            ("&amp;", "&"),
        ];
        Some(
            plain
                .iter()
                .fold(text.to_owned(), |text, (from, to)| text.replace(from, to)),
        )
    };
    if let Some(code) = element("Code") {
        error = error.code(code);
    }
    if let Some(message) = element("Message") {
        error = error.message(message);
    }
    error.build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_read_in_every_dialect() {
        for body in [
            "<ErrorResponse><Error><Type>Sender</Type><Code>Denied</Code><Message>a &lt;b&gt; &amp;amp;</Message></Error></ErrorResponse>",
            r#"{"__type":"com.amazon#Denied","Message":"a <b> &amp;"}"#,
            r#"{"__type":"Denied","message":"a <b> &amp;"}"#,
        ] {
            let error = said(body);
            assert_eq!(
                (error.code(), error.message()),
                (Some("Denied"), Some("a <b> &amp;")),
                "{body}"
            );
        }
        assert_eq!(said("<html>").code(), None);
    }

    #[test]
    fn forms_are_escaped() {
        assert_eq!(
            encode(&[("A", "x y/ü"), ("B", "~1")]),
            "A=x%20y%2F%C3%BC&B=~1"
        );
    }
}
