//! What kind of failure an error on the wire is. `fault_text` words it for a person.
//!
//! No text of the SDK's is taken over: those are written for its developers.
//!
//! Codes and messages: `docs/aws-facts.md` §3.

use std::error::Error;
use std::io;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use jiff::{SignedDuration, Timestamp};

use crate::domain::text::{sanitize, without_codes};

use super::http::TooLong;

/// What kind of failure it is, as far as the broker acts on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// The code is wrong or was used before: AWS sends the same text for both.
    Code,
    /// The serial does not exist, or is another user's.
    Device,
    /// The role's maximum is below the duration asked for.
    OverMaximum,
    /// Over an hour through an auth session.
    OverChained,
    /// An explicit deny in a policy of the IAM user.
    IdentityDeny,
    /// Any other refusal.
    Denied,
    /// The session that signed has expired.
    Expired,
    /// The key or session that signed is unknown, inactive or deleted.
    Unknown,
    /// The secret is wrong, or the clock is off.
    Signature,
    /// A session was used where a long-term key is needed.
    NotAKey,
    /// The console sign-in has ended: in time, by a new password, or its code came too late.
    SignInOver,
    /// The console's sign-in does not accept what it was sent.
    SignInRefused,
    /// STS is off in the region.
    RegionOff,
    /// A session policy is malformed or too large.
    Policy,
    /// AWS throttles, or has an internal error.
    Busy,
    /// No answer: no network, a timeout, TLS, a proxy.
    Unreachable,
    /// A response that cannot be understood.
    Garbled,
    /// A response that cannot be right: a session that is over already.
    Implausible,
    /// Any other error code.
    Other,
}

/// What keeps an answer from coming.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Obstacle {
    /// The server's certificate.
    Certificate,
    /// A server that does not speak TLS.
    PlainServer,
    /// The proxy.
    Proxy,
    /// A host name without an address.
    Name,
    /// Nothing is heard.
    Silence,
    /// Something else on the way.
    Other,
}

/// A call that failed.
#[derive(Debug, Clone)]
pub struct Failure {
    /// What the broker acts on.
    pub kind: FailureKind,
    /// AWS's error code, e.g. `AccessDenied`.
    pub code: Option<String>,
    /// AWS's message, sanitized, or what is wrong with the answer or the network.
    pub message: String,
    /// For [`FailureKind::Unreachable`].
    pub(super) obstacle: Option<Obstacle>,
    /// How far our clock is ahead of the response's `Date`, or of the time in its text; `None` where they agree.
    pub(super) skew: Option<SignedDuration>,
    pub(super) request_id: Option<String>,
    pub(super) status: Option<u16>,
    /// Whether certainly nothing reached AWS.
    pub(super) unsent: bool,
}

impl Failure {
    /// Reads an SDK error. A code echoed in its text is masked by `asked_with_code`.
    pub(super) fn of<E>(error: &SdkError<E, HttpResponse>) -> Self
    where
        E: Error + ProvideErrorMetadata + 'static,
    {
        let response = error.raw_response();
        let status = response.map(|response| response.status().as_u16());
        let header =
            |name: &str| response.and_then(|r| r.headers().get(name)).map(ToOwned::to_owned);
        let (code, message) = match (error.code(), response.and_then(|r| r.body().bytes())) {
            (None, Some(body)) => wrapped(body).unzip(),
            (code, _) => (code, error.message()),
        };
        let code = code.map(sanitize);
        let is_answered = matches!(error, SdkError::ServiceError(_) | SdkError::ResponseError(_));
        let failing = status.is_some_and(|status| status >= 500 || status == 429);
        let (kind, obstacle, message) = match (message.map(sanitize), &code) {
            (message, Some(code)) if is_answered => {
                let message = message.unwrap_or_default();
                let kind = match classify(code, &message) {
                    FailureKind::Other | FailureKind::SignInRefused if failing => FailureKind::Busy,
                    kind => kind,
                };
                (kind, None, message)
            }
            (message, _) if is_answered => {
                let kind = if failing { FailureKind::Busy } else { FailureKind::Garbled };
                (kind, None, message.unwrap_or_else(|| not_awss(response)))
            }
            _ if chain(error).any(<dyn Error>::is::<TooLong>) => {
                (FailureKind::Garbled, None, TooLong.to_string())
            }
            _ => {
                let (obstacle, message) = obstacle(error);
                (FailureKind::Unreachable, Some(obstacle), message)
            }
        };
        Self {
            kind,
            obstacle,
            skew: header("date").and_then(|date| skew(&date)).or_else(|| skew_in_text(&message)),
            request_id: header("x-amzn-requestid")
                .or_else(|| header("x-amz-request-id"))
                .map(|id| sanitize(&id)),
            unsent: kind == FailureKind::Unreachable && is_connect(error),
            code,
            message,
            status,
        }
    }

    /// A response that cannot be understood.
    pub(super) fn garbled(call: &str) -> Self {
        Self {
            kind: FailureKind::Garbled,
            code: None,
            message: format!("the answer to {call} is not in AWS's form"),
            obstacle: None,
            skew: None,
            request_id: None,
            status: None,
            unsent: false,
        }
    }

    /// A response that cannot be right, and why.
    pub(super) fn implausible(why: &str) -> Self {
        Self { kind: FailureKind::Implausible, ..Self::garbled("") }.because(why)
    }

    /// Replaces the message by a more specific one.
    pub(super) fn because(mut self, why: &str) -> Self {
        self.message = sanitize(why);
        self
    }

    /// Marks that the request carried a code: AWS echoes it in some messages.
    pub(super) fn asked_with_code(mut self) -> Self {
        self.message = without_codes(&self.message);
        self
    }

    /// Whether the code that the request carried is, or may be, spent.
    pub fn spends_code(&self) -> bool {
        !self.unsent
    }
}

/// Codes and message prefixes are matched, never the SDK's variants: AWS sends `ExpiredToken` where its model says
/// `ExpiredTokenException`.
pub(super) fn classify(code: &str, message: &str) -> FailureKind {
    match code {
        "AccessDenied" | "AccessDeniedException" | "UnauthorizedOperation" => {
            if message
                .starts_with("MultiFactorAuthentication failed with invalid MFA one time pass code")
            {
                FailureKind::Code
            } else if message.starts_with("MultiFactorAuthentication failed") {
                FailureKind::Device
            } else if message.starts_with("Cannot call GetSessionToken with session credentials") {
                FailureKind::NotAKey
            } else if message.contains("explicit deny in an identity-based policy") {
                FailureKind::IdentityDeny
            } else {
                FailureKind::Denied
            }
        }
        "ValidationError" if message.contains("exceeds the MaxSessionDuration") => {
            FailureKind::OverMaximum
        }
        "ValidationError" if message.contains("1 hour session limit") => FailureKind::OverChained,
        "ExpiredToken" | "ExpiredTokenException" | "RequestExpired" => FailureKind::Expired,
        "InvalidClientTokenId"
        | "UnrecognizedClientException"
        | "AuthFailure"
        | "InvalidAccessKeyId" => FailureKind::Unknown,
        "SignatureDoesNotMatch" | "InvalidSignatureException" | "IncompleteSignature" => {
            FailureKind::Signature
        }
        "TOKEN_EXPIRED" | "AUTHCODE_EXPIRED" | "USER_CREDENTIALS_CHANGED" => {
            FailureKind::SignInOver
        }
        "INSUFFICIENT_PERMISSIONS" => FailureKind::Denied,
        "INVALID_REQUEST" | "invalid_grant" | "invalid_request" => FailureKind::SignInRefused,
        "RegionDisabledException" => FailureKind::RegionOff,
        "PackedPolicyTooLarge" | "MalformedPolicyDocument" => FailureKind::Policy,
        "Throttling"
        | "ThrottlingException"
        | "RequestThrottled"
        | "RequestThrottledException"
        | "TooManyRequestsException"
        | "RequestLimitExceeded"
        | "SlowDown"
        | "PriorRequestNotComplete"
        | "ServiceUnavailable"
        | "InternalFailure"
        | "InternalError" => FailureKind::Busy,
        _ => FailureKind::Other,
    }
}

/// Code and message of a body that the SDK cannot read: moto wraps `Error` in `Errors`.
fn wrapped(body: &[u8]) -> Option<(&str, &str)> {
    let (_, errors) = std::str::from_utf8(body).ok()?.split_once("<Errors>")?;
    let element = |open: &str, close: &str| {
        let (_, rest) = errors.split_once(open)?;
        rest.split_once(close).map(|(text, _)| text)
    };
    let message = element("<Message>", "</Message>").unwrap_or_default();
    Some((element("<Code>", "</Code>")?, message))
}

/// What is wrong with an answer that has no message of AWS's.
fn not_awss(response: Option<&HttpResponse>) -> String {
    let status = response.map_or(0, |response| response.status().as_u16());
    let body = response.and_then(|response| response.body().bytes()).unwrap_or_default();
    let start = String::from_utf8_lossy(&body[..body.len().min(256)]).to_ascii_lowercase();
    if ["<!doctype html", "<html"].iter().any(|tag| start.trim_start().starts_with(tag)) {
        format!("the answer is a web page (HTTP {status})")
    } else if status >= 300 {
        format!("the answer is HTTP {status} without AWS's error code")
    } else {
        "the answer is not in AWS's form".into()
    }
}

/// What kept an answer from coming: the system's own words where there are any.
fn obstacle<E: Error + 'static>(error: &SdkError<E, HttpResponse>) -> (Obstacle, String) {
    if let SdkError::TimeoutError(_) = error {
        return (Obstacle::Silence, format!("no answer came within {} s", super::CALL.as_secs()));
    }
    let says = |words: &str| chain(error).any(|error| error.to_string().contains(words));
    let tls = chain(error).find_map(tls_error);
    let (obstacle, message) = match tls {
        Some(rustls::Error::InvalidCertificate(reason)) => {
            (Obstacle::Certificate, untrusted(reason))
        }
        Some(rustls::Error::InvalidMessage(_)) => {
            (Obstacle::PlainServer, "the server there does not speak TLS")
        }
        Some(_) => (Obstacle::Other, "the TLS connection failed"),
        None if says("proxy authorization required") => {
            (Obstacle::Proxy, "the proxy wants a user name and a password")
        }
        None if says("tunnel error") => (Obstacle::Proxy, "the proxy did not connect"),
        None if says("dns error") => (Obstacle::Name, "the host's name has no address"),
        None if says("timeout") || says("timed out") => {
            (Obstacle::Silence, "the connection was not made in time")
        }
        None => match chain(error).filter_map(|error| error.downcast_ref::<io::Error>()).last() {
            Some(system) if system.raw_os_error().is_some() => {
                return (Obstacle::Other, sanitize(&system.to_string()));
            }
            _ if says("incomplete") || says("before message completed") => {
                (Obstacle::Other, "the connection was closed before the answer was complete")
            }
            _ => (Obstacle::Other, "the connection failed"),
        },
    };
    (obstacle, message.into())
}

fn untrusted(reason: &rustls::CertificateError) -> &'static str {
    use rustls::CertificateError as Reason;
    match reason {
        Reason::UnknownIssuer => "the server's certificate is of an unknown issuer",
        Reason::Expired | Reason::ExpiredContext { .. } => "the server's certificate has expired",
        Reason::NotValidYet | Reason::NotValidYetContext { .. } => {
            "the server's certificate is not valid yet: this machine's clock may be off"
        }
        Reason::NotValidForName | Reason::NotValidForNameContext { .. } => {
            "the server's certificate is for another host"
        }
        Reason::Revoked => "the server's certificate was revoked",
        _ => "the server's certificate is not valid",
    }
}

/// An error and its causes, outermost first.
fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| (*error).source())
}

/// A TLS error, also inside an I/O error, whose source it is not.
fn tls_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    error.downcast_ref().or_else(|| tls_error(error.downcast_ref::<io::Error>()?.get_ref()?))
}

/// Whether no connection was made, so that nothing was sent.
fn is_connect(error: &(dyn Error + 'static)) -> bool {
    chain(error).any(|error| {
        let text = error.to_string();
        text.contains("(Connect)") || text.contains("connect timeout") || text.contains("dns error")
    })
}

/// How far our clock is ahead of an answer's `Date` header (RFC 9110), where it is large enough to matter.
fn skew(date: &str) -> Option<SignedDuration> {
    let theirs = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(date).ok()?;
    let ahead = Timestamp::now().duration_since(theirs);
    (ahead.abs() > SignedDuration::from_mins(2)).then_some(ahead)
}

/// How far our clock is ahead, from `… 20160609T184512Z is now earlier than … (20160610T014508Z - 15 min.)`.
fn skew_in_text(text: &str) -> Option<SignedDuration> {
    let instants: Vec<Timestamp> = text
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| word.len() == 16)
        .filter_map(|word| {
            let civil = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", word).ok()?;
            jiff::tz::TimeZone::UTC.to_timestamp(civil).ok()
        })
        .collect();
    Some(instants.first()?.duration_since(*instants.last()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_clock_is_read_from_the_message() {
        let behind = "Signature expired: 20160609T184512Z is now earlier than 20160610T013008Z (20160610T014508Z - 15 min.)";
        assert_eq!(skew_in_text(behind).unwrap().as_mins(), -419);
        let ahead = "Signature not yet current: 20160610T020000Z is still later than 20160610T013000Z (20160610T011500Z + 15 min.)";
        assert!(skew_in_text(ahead).unwrap().is_positive());
        assert!(skew_in_text("nothing").is_none());
    }

    #[test]
    fn codes_and_prefixes_decide() {
        for (code, message, kind) in [
            (
                "AccessDenied",
                "MultiFactorAuthentication failed with invalid MFA one time pass code. ",
                FailureKind::Code,
            ),
            (
                "AccessDenied",
                "MultiFactorAuthentication failed, unable to validate MFA code.  Please verify",
                FailureKind::Device,
            ),
            (
                "AccessDenied",
                "User: x is not authorized to perform: sts:AssumeRole on resource: y",
                FailureKind::Denied,
            ),
            (
                "ExpiredToken",
                "The security token included in the request is expired",
                FailureKind::Expired,
            ),
            ("Throttling", "Rate exceeded", FailureKind::Busy),
            ("SomethingNew", "", FailureKind::Other),
        ] {
            assert_eq!(classify(code, message), kind, "{code} {message}");
        }
    }
}
