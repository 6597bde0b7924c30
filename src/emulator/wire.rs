//! AWS's protocols: Query with XML responses (STS, IAM, EC2), JSON 1.1 (Organizations), REST XML (S3).

use http::request::Parts;

use super::encoding::{escape, percent_decode};
use super::error::AwsError;
use super::sigv4::Signature;

/// A parsed request.
#[derive(Debug)]
pub(super) struct Inbound {
    pub parts: Parts,
    pub body: Vec<u8>,
    pub service: String,
    pub action: String,
    pub fields: Fields,
    /// Absent for the sign-in endpoint, which checks the session in its own field.
    pub signature: Option<Signature>,
}

/// The fields of a Query request, or those of a JSON one that are plain text or numbers.
#[derive(Debug, Default)]
pub(super) struct Fields(Vec<(String, String)>);

#[derive(Debug, Clone, Default)]
pub(super) struct Reply {
    pub status: u16,
    /// `text/xml` where it is empty.
    pub content_type: &'static str,
    /// `x-amzn-errortype`
    pub error_type: Option<&'static str>,
    /// Where a browser is to go on to.
    pub location: Option<String>,
    pub body: Vec<u8>,
}

/// A service's protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dialect {
    Query(&'static str),
    Ec2,
    S3,
    Json,
    SignIn,
    /// The token endpoint of the console's sign-in.
    Token,
    /// What a browser gets there.
    Page,
}

/// The service name for the sign-in endpoint, which is no service on AWS.
pub(super) const SIGN_IN: &str = "signin";

/// The actions of the console's sign-in for programs.
pub(super) const AUTHORIZE: &str = "AuthorizeOAuth2Access";
pub(super) const CREATE_TOKEN: &str = "CreateOAuth2Token";
pub(super) const CONFIRMATION: &str = "confirmation";

impl Inbound {
    /// Finds service and action: by path for sign-in, else by the signature's scope.
    pub(super) fn read(parts: Parts, body: Vec<u8>) -> Result<Self, AwsError> {
        let mut fields = Fields::form(parts.uri.query().unwrap_or_default());
        let text = String::from_utf8_lossy(&body);
        if ["/federation", "/oauth"].contains(&parts.uri.path()) {
            fields.0.append(&mut Fields::form(&text).0);
            return Ok(Self {
                service: SIGN_IN.into(),
                action: fields.get("Action").unwrap_or_default().into(),
                fields,
                signature: None,
                body,
                parts,
            });
        }
        let of_login = match (parts.method.as_str(), parts.uri.path()) {
            ("GET", "/v1/authorize") => Some(AUTHORIZE),
            ("GET", "/v1/sessions/confirmation") => Some(CONFIRMATION),
            ("POST", "/v1/token") => Some(CREATE_TOKEN),
            _ => None,
        };
        if let Some(action) = of_login {
            fields.0.append(&mut Fields::json(&text).0);
            return Ok(Self {
                service: SIGN_IN.into(),
                action: action.into(),
                fields,
                signature: None,
                body,
                parts,
            });
        }
        let signature = Signature::read(&parts)?;
        let target = parts.headers.get("x-amz-target").and_then(|value| value.to_str().ok());
        let action = match (target, signature.service.as_str()) {
            (Some(target), _) => {
                fields.0.append(&mut Fields::json(&text).0);
                target.rsplit('.').next().unwrap_or_default().to_owned()
            }
            (None, "s3") => "ListBuckets".into(),
            (None, _) => {
                fields.0.append(&mut Fields::form(&text).0);
                fields.get("Action").unwrap_or_default().into()
            }
        };
        Ok(Self {
            service: signature.service.clone(),
            action,
            fields,
            signature: Some(signature),
            body,
            parts,
        })
    }

    /// The name in a policy: `sts:AssumeRole`.
    pub(super) fn permission(&self) -> String {
        format!("{}:{}", self.service, self.action)
    }
}

impl Fields {
    fn form(text: &str) -> Self {
        let decode = |part: &str| percent_decode(&part.replace('+', " "));
        let pairs = text.split('&').filter(|pair| !pair.is_empty());
        Self(
            pairs
                .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
                .map(|(name, value)| (decode(name), decode(value)))
                .collect(),
        )
    }

    fn json(text: &str) -> Self {
        let Ok(serde_json::Value::Object(map)) = serde_json::from_str(text) else {
            return Self::default();
        };
        Self(
            map.into_iter()
                .filter_map(|(name, value)| match value {
                    serde_json::Value::String(text) => Some((name, text)),
                    serde_json::Value::Number(number) => Some((name, number.to_string())),
                    _ => None,
                })
                .collect(),
        )
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
    }

    /// A Query list: `Name.member.1`, `Name.member.2`, …, each with the suffix.
    pub(super) fn list<'a>(
        &'a self,
        name: &'a str,
        suffix: &'a str,
    ) -> impl Iterator<Item = &'a str> {
        (1..).map_while(move |n| self.get(&format!("{name}.member.{n}{suffix}")))
    }
}

impl AwsError {
    /// An action that the service does not have, or that is not emulated.
    pub(super) fn unknown_action(inbound: &Inbound) -> Self {
        let version = inbound.fields.get("Version").unwrap_or("NO_VERSION_SPECIFIED");
        let message = format!("Could not find operation {} for version {version}", inbound.action);
        Self::new(400, "InvalidAction", message)
    }

    /// The same error as another service words it.
    fn in_dialect(mut self, dialect: Dialect) -> Self {
        let ec2_auth = "AWS was not able to validate the provided access credentials";
        let (status, code, message) = match (dialect, self.code) {
            (Dialect::Ec2, "InvalidClientTokenId" | "SignatureDoesNotMatch") => {
                (401, "AuthFailure", Some(ec2_auth))
            }
            (Dialect::Ec2, "ExpiredToken") => (400, "RequestExpired", Some("Request has expired.")),
            (Dialect::Ec2, "AccessDenied") => (403, "UnauthorizedOperation", None),
            (Dialect::Ec2, "Throttling") => {
                (503, "RequestLimitExceeded", Some("Request limit exceeded."))
            }
            (Dialect::S3, "InvalidClientTokenId") => {
                let text = "The AWS Access Key Id you provided does not exist in our records.";
                (403, "InvalidAccessKeyId", Some(text))
            }
            (Dialect::S3, "ExpiredToken") => {
                (400, "ExpiredToken", Some("The provided token has expired."))
            }
            (Dialect::S3, "Throttling") => {
                (503, "SlowDown", Some("Please reduce your request rate."))
            }
            (Dialect::Json, "InvalidClientTokenId") => {
                let text = "The security token included in the request is invalid.";
                (400, "UnrecognizedClientException", Some(text))
            }
            (Dialect::Json, "SignatureDoesNotMatch") => (400, "InvalidSignatureException", None),
            (Dialect::Json, "ExpiredToken") => (400, "ExpiredTokenException", None),
            (Dialect::Json, "AccessDenied") => (400, "AccessDeniedException", None),
            (Dialect::Json, "Throttling") => (400, "ThrottlingException", None),
            (Dialect::Json, "InvalidAction") => (400, "UnknownOperationException", None),
            (Dialect::Token, "Throttling") => (429, "INVALID_REQUEST", None),
            (Dialect::Token, "InternalFailure" | "ServiceUnavailable") => {
                (500, "server_error", None)
            }
            (_, code) => (self.status, code, None),
        };
        if (dialect, code) == (Dialect::Ec2, "UnauthorizedOperation") {
            self.message.insert_str(0, "You are not authorized to perform this operation. ");
        }
        let message = message.map_or(self.message, Into::into);
        Self { status, code, message }
    }
}

impl Dialect {
    fn of(service: &str, action: &str) -> Self {
        match service {
            "iam" => Self::Query("https://iam.amazonaws.com/doc/2010-05-08/"),
            "organizations" => Self::Json,
            "ec2" => Self::Ec2,
            "s3" => Self::S3,
            SIGN_IN if action == "getSigninToken" => Self::SignIn,
            SIGN_IN if action == CREATE_TOKEN => Self::Token,
            SIGN_IN => Self::Page,
            _ => Self::Query("https://sts.amazonaws.com/doc/2011-06-15/"),
        }
    }
}

impl Reply {
    /// Wraps a service's result or error in its protocol's envelope; also returns the error's code.
    pub(super) fn new(
        service: &str,
        action: &str,
        result: Result<String, AwsError>,
        request_id: &str,
    ) -> (Self, Option<&'static str>) {
        let dialect = Dialect::of(service, action);
        match result {
            Ok(inner) => (Self::success(dialect, action, &inner, request_id), None),
            Err(error) => {
                let error = error.in_dialect(dialect);
                (Self::failure(dialect, &error, request_id), Some(error.code))
            }
        }
    }

    fn success(dialect: Dialect, action: &str, inner: &str, request_id: &str) -> Self {
        let body = match dialect {
            Dialect::Query(namespace) => {
                let result = match inner {
                    "" => String::new(),
                    inner => format!("  <{action}Result>{inner}</{action}Result>\n"),
                };
                format!(
                    "<{action}Response xmlns=\"{namespace}\">\n{result}  <ResponseMetadata>\n    \
                     <RequestId>{request_id}</RequestId>\n  </ResponseMetadata>\n</{action}Response>\n"
                )
            }
            Dialect::Ec2 => format!(
                "{XML}<{action}Response xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\">\n    \
                 <requestId>{request_id}</requestId>{inner}</{action}Response>"
            ),
            Dialect::S3 => format!(
                "{XML}<ListAllMyBucketsResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{inner}</ListAllMyBucketsResult>"
            ),
            Dialect::Json | Dialect::SignIn | Dialect::Token | Dialect::Page => inner.to_owned(),
        };
        Self {
            status: 200,
            content_type: dialect.content_type(),
            body: body.into_bytes(),
            ..Self::default()
        }
    }

    fn failure(dialect: Dialect, error: &AwsError, request_id: &str) -> Self {
        let AwsError { status, code, message } = error;
        let text = escape(message);
        let body = match dialect {
            Dialect::Query(namespace) => {
                let side = if *status >= 500 { "Receiver" } else { "Sender" };
                format!(
                    "<ErrorResponse xmlns=\"{namespace}\">\n  <Error>\n    <Type>{side}</Type>\n    \
                     <Code>{code}</Code>\n    <Message>{text}</Message>\n  </Error>\n  \
                     <RequestId>{request_id}</RequestId>\n</ErrorResponse>\n"
                )
            }
            Dialect::Ec2 => format!(
                "{XML}<Response><Errors><Error><Code>{code}</Code><Message>{text}</Message></Error></Errors>\
                 <RequestID>{request_id}</RequestID></Response>"
            ),
            Dialect::S3 => format!(
                "{XML}<Error><Code>{code}</Code><Message>{text}</Message>\
                 <RequestId>{request_id}</RequestId><HostId>{request_id}</HostId></Error>"
            ),
            Dialect::Json => serde_json::json!({ "__type": code, "Message": message }).to_string(),
            Dialect::Token => serde_json::json!({ "error": code, "message": message }).to_string(),
            Dialect::SignIn | Dialect::Page => {
                format!("<html><body><h1>{code}</h1>{text}</body></html>")
            }
        };
        Self {
            status: *status,
            content_type: dialect.content_type(),
            error_type: (dialect == Dialect::Token).then(|| error.type_of_token()),
            location: None,
            body: body.into_bytes(),
        }
    }
}

impl Dialect {
    fn content_type(self) -> &'static str {
        match self {
            Self::Query(_) => "text/xml",
            Self::Ec2 => "text/xml;charset=UTF-8",
            Self::S3 => "application/xml",
            Self::Json => "application/x-amz-json-1.1",
            Self::SignIn | Self::Token => "application/json",
            Self::Page => "text/html; charset=utf-8",
        }
    }
}

const XML: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_and_their_lists() {
        let fields = Fields::form("A=1+2&PolicyArns.member.1.arn=x&PolicyArns.member.2.arn=y%2B&B");
        assert_eq!(fields.get("A"), Some("1 2"));
        assert_eq!(fields.list("PolicyArns", ".arn").collect::<Vec<_>>(), ["x", "y+"]);
        assert_eq!(fields.get("B"), Some(""));
        assert_eq!(
            Fields::json(r#"{"MaxResults":5,"NextToken":"t","X":[]}"#).get("MaxResults"),
            Some("5")
        );
    }

    #[test]
    fn errors_in_every_dialect() {
        let say = |service| {
            let answer = Reply::new(service, "X", Err(AwsError::invalid_token()), "id").0;
            (answer.status, String::from_utf8(answer.body).unwrap())
        };
        let expected = "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\n  <Error>\n    <Type>Sender</Type>\n    \
            <Code>InvalidClientTokenId</Code>\n    <Message>The security token included in the request is invalid</Message>\n  \
            </Error>\n  <RequestId>id</RequestId>\n</ErrorResponse>\n";
        assert_eq!(say("sts").1, expected);
        for (service, status, code) in [
            ("sts", 403, "InvalidClientTokenId"),
            ("ec2", 401, "AuthFailure"),
            ("s3", 403, "InvalidAccessKeyId"),
            ("organizations", 400, "UnrecognizedClientException"),
        ] {
            let (said, body) = say(service);
            assert_eq!(said, status);
            assert!(body.contains(code), "{body}");
        }
    }
}
