//! Requests without an SDK client, signed here (`SigV4`): IAM, Organizations, and `verify`'s probes.
//!
//! An SDK of the few calls that sekisho makes would be a seventh of every build.

use std::time::SystemTime;

use aws_sigv4::http_request::{
    PayloadChecksumKind, SignableBody, SignableRequest, SigningSettings, sign,
};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::http::HttpConnector;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::{ConnectorError, SdkError};
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::error::ErrorMetadata;
use jiff::{SignedDuration, Timestamp};

use crate::domain::ids::Region;
use crate::domain::text::percent_encoded;

use super::{Aws, CALL, Failure, FailureKind, PAUSES, Signer};

/// Signs and sends requests without an SDK client.
#[derive(Clone)]
pub struct RawClient<'a> {
    aws: &'a Aws,
    /// What CloudTrail shows beside the caller.
    agent: String,
}

/// The user agent of every request, without what evidence adds.
pub(super) const AGENT: &str = concat!("sekisho/", env!("CARGO_PKG_VERSION"), " app/sekisho");

/// The content type of the Query protocol.
const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

/// A request before it is signed.
pub(super) struct Request<'a> {
    service: &'static str,
    method: &'static str,
    headers: Vec<(&'static str, &'a str)>,
    body: String,
}

impl<'a> Request<'a> {
    /// A `GET` of a service's root.
    pub(super) fn get(service: &'static str) -> Self {
        Self { service, method: "GET", headers: Vec::new(), body: String::new() }
    }

    /// A request of the JSON 1.1 protocol.
    /// <https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html>
    pub(super) fn json(service: &'static str, target: &'a str, body: String) -> Self {
        let headers =
            vec![("content-type", "application/x-amz-json-1.1"), ("x-amz-target", target)];
        Self { service, method: "POST", headers, body }
    }

    /// A request of the Query protocol.
    /// <https://smithy.io/2.0/aws/protocols/aws-query-protocol.html>
    pub(super) fn query(
        service: &'static str,
        version: &str,
        action: &str,
        fields: &[(&str, &str)],
    ) -> Self {
        let all = [("Action", action), ("Version", version)];
        let encoded: Vec<String> = all
            .iter()
            .chain(fields)
            .map(|(name, value)| format!("{name}={}", percent_encoded(value)))
            .collect();
        Self { service, method: "POST", headers: vec![FORM], body: encoded.join("&") }
    }
}

impl Aws {
    /// A client for the calls that no SDK client makes.
    pub fn raw(&self) -> RawClient<'_> {
        RawClient { aws: self, agent: AGENT.into() }
    }
}

impl RawClient<'_> {
    /// The same with a mark in its user agent, which CloudTrail keeps.
    pub(super) fn marked(&self, mark: &str) -> Self {
        Self { agent: format!("{AGENT} {mark}"), ..self.clone() }
    }

    /// Sends a request, up to three times while AWS throttles or fails.
    pub(super) async fn send_retrying(
        &self,
        signer: Signer<'_>,
        request: &Request<'_>,
    ) -> Result<HttpResponse, Failure> {
        for pause in PAUSES {
            match self.send_once(signer, request).await {
                Err(failure) if failure.kind == FailureKind::Busy => {
                    tokio::time::sleep(pause).await;
                }
                done => return done,
            }
        }
        self.send_once(signer, request).await
    }

    /// Sends a request whose second try could do harm.
    pub(super) async fn send_once(
        &self,
        signer: Signer<'_>,
        request: &Request<'_>,
    ) -> Result<HttpResponse, Failure> {
        self.send_accepted(self.signed(signer, request).ok_or_else(unbuildable)?).await
    }

    /// Sends a request as it is; an error that is answered is a failure.
    pub(super) async fn send_accepted(
        &self,
        request: HttpRequest,
    ) -> Result<HttpResponse, Failure> {
        let response = self.send(request).await?;
        if response.status().is_success() {
            return Ok(response);
        }
        let error = error_in(&String::from_utf8_lossy(response.body().bytes().unwrap_or_default()));
        Err(Failure::of(&SdkError::service_error(error, response)))
    }

    /// How far this machine's clock is ahead of AWS's, by the `Date` of any answer of STS; unsigned.
    pub async fn clock(&self) -> Result<SignedDuration, Failure> {
        let garbled = || Failure::garbled("a GET of STS");
        let (url, _) = self.endpoint_of("sts");
        let request = unsigned(&Request::get("sts"), &url, AGENT).ok_or_else(unbuildable)?;
        let response = self.send(request).await?;
        let date = response.headers().get("date").ok_or_else(garbled)?;
        let theirs = jiff::fmt::rfc2822::DateTimeParser::new()
            .parse_timestamp(date)
            .map_err(|_| garbled())?;
        Ok(Timestamp::now().duration_since(theirs))
    }

    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, Failure> {
        let sent = tokio::time::timeout(CALL, self.aws.connector.call(request)).await;
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
    fn signed(&self, signer: Signer<'_>, request: &Request<'_>) -> Option<HttpRequest> {
        let (url, region) = self.endpoint_of(request.service);
        let mut settings = SigningSettings::default();
        if request.service == "s3" {
            settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        }
        let identity = signer.sdk().into();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(region.as_str())
            .name(request.service)
            .time(SystemTime::now())
            .settings(settings)
            .build()
            .ok()?
            .into();
        let signable = SignableRequest::new(
            request.method,
            url.as_str(),
            request.headers.iter().copied(),
            SignableBody::Bytes(request.body.as_bytes()),
        );
        let (instructions, _) = sign(signable.ok()?, &parameters).ok()?.into_parts();
        let mut signed = unsigned(request, &url, &self.agent)?;
        for (name, value) in instructions.headers() {
            signed.headers_mut().try_insert(name.to_owned(), value.to_owned()).ok()?;
        }
        Some(signed)
    }
}

fn unsigned(request: &Request<'_>, url: &str, agent: &str) -> Option<HttpRequest> {
    let mut unsigned = HttpRequest::new(SdkBody::from(request.body.as_str()));
    unsigned.set_method(request.method).ok()?;
    unsigned.set_uri(url).ok()?;
    for (name, value) in &request.headers {
        unsigned.headers_mut().insert(*name, (*value).to_owned());
    }
    unsigned.headers_mut().insert("user-agent", agent.to_owned());
    Some(unsigned)
}

fn unbuildable() -> Failure {
    Failure::garbled("nothing").because("the endpoint is not a URL")
}

/// AWS's error code and message, in XML (Query, EC2, S3) or one of its kinds of JSON.
fn error_in(body: &str) -> ErrorMetadata {
    let mut error = ErrorMetadata::builder();
    if let Ok(json) = serde_json::from_str::<serde_json::Value>(body) {
        let text = |name: &str| json.get(name).and_then(serde_json::Value::as_str);
        // The console's sign-in calls it `error`.
        if let Some(code) = text("__type").or(text("error")) {
            error = error.code(code.rsplit('#').next().unwrap_or(code));
        }
        if let Some(message) = text("message").or(text("Message")) {
            error = error.message(message);
        }
    } else if let Ok(document) = roxmltree::Document::parse(body) {
        let text = |name: &str| {
            document.descendants().find(|node| node.has_tag_name(name)).and_then(|node| node.text())
        };
        if let Some(code) = text("Code") {
            error = error.code(code);
        }
        if let Some(message) = text("Message") {
            error = error.message(message);
        }
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
            r#"{"error":"Denied","message":"a <b> &amp;"}"#,
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
        let request = Request::query("iam", "1", "Do", &[("A", "x y/ü"), ("B", "~1")]);
        assert_eq!(request.body, "Action=Do&Version=1&A=x%20y%2F%C3%BC&B=~1");
    }
}
