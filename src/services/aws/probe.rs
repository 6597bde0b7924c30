//! Requests without an SDK client: `verify`'s probes, of which only success or failure matters, the list of an
//! organisation's accounts, and the clock for `doctor`.
//!
//! They are signed here (`SigV4`). None changes anything: they read, or set `DryRun`. See `docs/aws-facts.md` §8.

use std::time::SystemTime;

use aws_sigv4::http_request::{
    PayloadChecksumKind, SignableBody, SignableRequest, SigningSettings, sign,
};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::http::{HttpConnector, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::{ConnectorError, SdkError};
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::error::ErrorMetadata;
use jiff::{SignedDuration, Timestamp};

use crate::domain::fault::Fault;
use crate::domain::ids::Region;
use crate::domain::text::percent_encoded;

use super::{Aws, CALL, Failure, FailureKind, PAUSES, Signer, http};

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
    /// `ec2:CreateInternetGateway`, with `DryRun`: it needs no existing resource.
    CreateInternetGateway,
    /// `sts:GetFederationToken` with a policy that denies everything, for 15 min; the answer is not read.
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

/// Signs and sends requests without an SDK client.
#[derive(Clone)]
pub struct Prober<'a> {
    aws: &'a Aws,
    connector: SharedHttpConnector,
    /// What CloudTrail shows beside the caller.
    agent: String,
}

/// The user agent of every request, without what evidence adds.
const AGENT: &str = concat!("sekisho/", env!("CARGO_PKG_VERSION"), " app/sekisho");

impl Aws {
    /// A prober for this account; fails where `AWS_CA_BUNDLE` is unusable.
    pub fn prober(&self) -> Result<Prober<'_>, Fault> {
        let plain = self.endpoint.as_deref().is_some_and(|url| url.starts_with("http://"));
        Ok(Prober { aws: self, connector: http::connector(plain)?, agent: AGENT.into() })
    }
}

impl Prober<'_> {
    /// Makes a call; `Ok` if AWS allowed it. Throttled calls are retried.
    pub async fn probe(&self, signer: Signer<'_>, call: Call) -> Result<(), Failure> {
        // The answer, and any credentials in it, is dropped unread.
        self.send_retrying(signer, &call.wire()).await.map(drop)
    }

    /// `sts:GetCallerIdentity` with a mark in the user agent, which CloudTrail keeps.
    pub async fn leave_mark(&self, signer: Signer<'_>, mark: &str) -> Result<(), Failure> {
        let marked = Prober { agent: format!("{AGENT} {mark}"), ..self.clone() };
        let wire = Wire {
            service: "sts",
            method: "POST",
            headers: vec![("content-type", "application/x-www-form-urlencoded")],
            body: "Action=GetCallerIdentity&Version=2011-06-15".into(),
        };
        marked.send_retrying(signer, &wire).await.map(drop)
    }

    /// Sends a request, up to three times while AWS throttles or fails.
    pub(super) async fn send_retrying(
        &self,
        signer: Signer<'_>,
        wire: &Wire<'_>,
    ) -> Result<HttpResponse, Failure> {
        for pause in PAUSES {
            match self.once(signer, wire).await {
                Err(failure) if failure.kind == FailureKind::Busy => {
                    tokio::time::sleep(pause).await;
                }
                done => return done,
            }
        }
        self.once(signer, wire).await
    }

    /// How far this machine's clock is ahead of AWS's, by the `Date` of any answer of STS; unsigned.
    pub async fn clock(&self) -> Result<SignedDuration, Failure> {
        let (url, _) = self.endpoint_of("sts");
        let response = self.send(request("GET", &url, &[], "", AGENT).ok_or_else(garbled)?).await?;
        let date = response.headers().get("date").ok_or_else(garbled)?;
        let theirs = jiff::fmt::rfc2822::DateTimeParser::new()
            .parse_timestamp(date)
            .map_err(|_| garbled())?;
        Ok(Timestamp::now().duration_since(theirs))
    }

    async fn once(&self, signer: Signer<'_>, wire: &Wire<'_>) -> Result<HttpResponse, Failure> {
        let request = self.signed(signer, wire).ok_or_else(garbled)?;
        let response = self.send(request).await?;
        if response.status().is_success() {
            return Ok(response);
        }
        let error = error_in(&String::from_utf8_lossy(response.body().bytes().unwrap_or_default()));
        Err(Failure::of(&SdkError::service_error(error, response)))
    }

    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, Failure> {
        let sent = tokio::time::timeout(CALL, self.connector.call(request)).await;
        let error = match sent {
            Ok(Ok(response)) => return Ok(response),
            Ok(Err(error)) => error,
            Err(elapsed) => ConnectorError::timeout(elapsed.into()),
        };
        Err(Failure::of(&SdkError::<ErrorMetadata, _>::dispatch_failure(error)))
    }

    /// A service's URL, and the region to sign for.
    fn endpoint_of(&self, service: &str) -> (String, Region) {
        let (host, region) = self.aws.endpoints.host(service, &self.aws.region);
        let url = match &self.aws.endpoint {
            Some(url) => format!("{}/", url.trim_end_matches('/')),
            None => format!("https://{host}/"),
        };
        (url, region)
    }

    /// `None` where the request cannot be built: the endpoint is not a URL.
    fn signed(&self, signer: Signer<'_>, wire: &Wire<'_>) -> Option<HttpRequest> {
        let (url, region) = self.endpoint_of(wire.service);
        let mut settings = SigningSettings::default();
        if wire.service == "s3" {
            settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        }
        let identity = signer.sdk().into();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(region.as_str())
            .name(wire.service)
            .time(SystemTime::now())
            .settings(settings)
            .build()
            .ok()?
            .into();
        let signable = SignableRequest::new(
            wire.method,
            url.as_str(),
            wire.headers.iter().copied(),
            SignableBody::Bytes(wire.body.as_bytes()),
        );
        let (instructions, _) = sign(signable.ok()?, &parameters).ok()?.into_parts();
        let mut request = request(wire.method, &url, &wire.headers, &wire.body, &self.agent)?;
        for (name, value) in instructions.headers() {
            request.headers_mut().try_insert(name.to_owned(), value.to_owned()).ok()?;
        }
        Some(request)
    }
}

/// A request before it is signed.
pub(super) struct Wire<'a> {
    service: &'static str,
    method: &'static str,
    headers: Vec<(&'static str, &'a str)>,
    body: String,
}

impl<'a> Wire<'a> {
    /// A request of the JSON 1.1 protocol.
    /// <https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html>
    pub(super) fn json(service: &'static str, target: &'a str, body: String) -> Self {
        let headers =
            vec![("content-type", "application/x-amz-json-1.1"), ("x-amz-target", target)];
        Self { service, method: "POST", headers, body }
    }
}

impl Call {
    fn wire(self) -> Wire<'static> {
        let service = self.service();
        match self {
            Self::ListBuckets => {
                Wire { service, method: "GET", headers: Vec::new(), body: String::new() }
            }
            Self::DescribeOrganization => {
                let target = "AWSOrganizationsV20161128.DescribeOrganization";
                Wire::json(service, target, "{}".into())
            }
            _ => Wire {
                service,
                method: "POST",
                headers: vec![("content-type", "application/x-www-form-urlencoded")],
                body: encode(&self.form()),
            },
        }
    }
}

fn garbled() -> Failure {
    Failure::garbled("a probe")
}

fn request(
    method: &str,
    url: &str,
    headers: &[(&'static str, &str)],
    body: &str,
    agent: &str,
) -> Option<HttpRequest> {
    let mut request = HttpRequest::new(SdkBody::from(body));
    request.set_method(method).ok()?;
    request.set_uri(url).ok()?;
    for (name, value) in headers {
        request.headers_mut().insert(*name, (*value).to_owned());
    }
    request.headers_mut().insert("user-agent", agent.to_owned());
    Some(request)
}

fn encode(form: &[(&str, &str)]) -> String {
    let fields: Vec<String> =
        form.iter().map(|(name, value)| format!("{name}={}", percent_encoded(value))).collect();
    fields.join("&")
}

/// AWS's error code and message, in XML (Query, EC2, S3) or JSON.
fn error_in(body: &str) -> ErrorMetadata {
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
        let plain =
            [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")];
        Some(plain.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to)))
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
    fn errors_are_read_in_every_protocol() {
        for body in [
            "<ErrorResponse><Error><Type>Sender</Type><Code>Denied</Code><Message>a &lt;b&gt; &amp;amp;</Message></Error></ErrorResponse>",
            r#"{"__type":"com.amazon#Denied","Message":"a <b> &amp;"}"#,
            r#"{"__type":"Denied","message":"a <b> &amp;"}"#,
        ] {
            let error = error_in(body);
            assert_eq!(
                (error.code(), error.message()),
                (Some("Denied"), Some("a <b> &amp;")),
                "{body}"
            );
        }
        assert_eq!(error_in("<html>").code(), None);
    }

    #[test]
    fn forms_are_escaped() {
        assert_eq!(encode(&[("A", "x y/ü"), ("B", "~1")]), "A=x%20y%2F%C3%BC&B=~1");
    }
}
