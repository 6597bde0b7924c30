//! Wire errors → faults. Codes and message prefixes are matched, never the SDK's variants: AWS sends
//! `ExpiredToken` where its model says `ExpiredTokenException`.
//!
//! Texts: `docs/aws-facts.md` §3, and
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html>.

use std::error::Error;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use jiff::{SignedDuration, Timestamp};

use crate::domain::account::{Flow, Target};
use crate::domain::fault::{Exit, Fault};
use crate::domain::text::{sanitize, without_codes};

/// What kind of failure it is, as far as the broker acts on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// The code is wrong or was used before: AWS gives both the same text.
    Code,
    /// The serial is nobody's, or another user's.
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
    /// A session was used where only a long-term key serves.
    NotAKey,
    /// STS is off in the region.
    RegionOff,
    /// A session policy is malformed or too large.
    Policy,
    /// AWS throttles, or fails itself.
    Busy,
    /// No answer: no network, a timeout, TLS, a proxy.
    Unreachable,
    /// An answer that makes no sense.
    Garbled,
    /// Anything else that AWS says.
    Other,
}

/// A call that failed.
#[derive(Debug, Clone)]
pub struct Failure {
    /// What the broker acts on.
    pub kind: FailureKind,
    /// AWS's error code, e.g. `AccessDenied`.
    pub code: Option<String>,
    /// AWS's message, or the network's, sanitized.
    pub message: String,
    /// Where the answer's `Date`, or its text, differs from our clock: how far ours is ahead.
    skew: Option<SignedDuration>,
    request_id: Option<String>,
    status: Option<u16>,
    /// Whether nothing can have reached AWS.
    unsent: bool,
}

/// What was being done, for the fault's words.
#[derive(Debug, Clone, Copy)]
pub enum Doing<'a> {
    /// Asking who we are, or which devices there are.
    Asking,
    /// Getting the auth session.
    SigningIn,
    /// Entering a target.
    Entering(&'a Target, Flow),
}

impl Failure {
    /// Reads an SDK error. The code that may stand in its text is masked by `asked_with_code`.
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
        let message = match (error, message, status) {
            (_, Some(message), _) => sanitize(message),
            (SdkError::TimeoutError(_), ..) => {
                format!("no answer came within {} s", super::CALL.as_secs())
            }
            (SdkError::ServiceError(_), None, Some(status @ 300..)) => {
                format!("the answer is HTTP {status} without AWS's error code")
            }
            _ => reason(error),
        };
        let kind = match (error, &code) {
            (SdkError::ServiceError(_), Some(code)) => classify(code, &message),
            (SdkError::ServiceError(_) | SdkError::ResponseError(_), _)
                if status.is_some_and(|status| status >= 500 || status == 429) =>
            {
                FailureKind::Busy
            }
            (SdkError::ServiceError(_) | SdkError::ResponseError(_), _) => FailureKind::Garbled,
            _ => FailureKind::Unreachable,
        };
        Self {
            kind: if kind == FailureKind::Other && status.is_some_and(|s| s >= 500) {
                FailureKind::Busy
            } else {
                kind
            },
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

    /// An answer that makes no sense.
    pub(super) fn garbled(call: &str) -> Self {
        Self {
            kind: FailureKind::Garbled,
            code: None,
            message: format!("the answer to {call} makes no sense"),
            skew: None,
            request_id: None,
            status: None,
            unsent: false,
        }
    }

    /// Says more about an answer that makes no sense.
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

    /// The fault for a person.
    pub fn fault(&self, doing: Doing<'_>) -> Fault {
        let fault = match self.kind {
            FailureKind::Code => Fault::new(Exit::Refused, "AWS did not take the code")
                .because("it was used before, or its 30 seconds were over: each code works once")
                .because("it came from another device than the one named")
                .because("the device's clock is off")
                .fix("wait for the next code and try again"),
            FailureKind::Device => Fault::new(Exit::Refused, "AWS does not know the MFA device for this user")
                .because("the serial in the config is not this user's: a device's name need not be the user's")
                .because("the device was removed or replaced")
                .fix("compare `auth.mfa` with the console's Security credentials page; `sekisho doctor` lists your devices"),
            FailureKind::OverMaximum | FailureKind::OverChained => {
                Fault::new(Exit::Refused, "AWS does not give a session this long")
                    .because("the role's maximum session duration is lower")
                    .fix("ask for less, e.g. `--duration 1h`, or raise the role's MaxSessionDuration")
            }
            FailureKind::IdentityDeny | FailureKind::Denied => self.denied(doing),
            FailureKind::Expired => Fault::new(Exit::Refused, "the session has expired")
                .because("AWS no longer takes the credentials that were cached")
                .fix("try again: a new session is made"),
            FailureKind::Unknown => Fault::new(Exit::Refused, "AWS does not know this access key")
                .because("the key was deactivated, deleted or rotated")
                .because("AWS deactivated it after it leaked: look for a case in the console")
                .because("it belongs to another partition (China, GovCloud) than the region")
                .fix("check the key in the IAM console, then `sekisho key add`"),
            FailureKind::Signature => self.signature(),
            FailureKind::NotAKey => Fault::new(Exit::Usage, "a session was given where an access key is needed")
                .because("AWS_SESSION_TOKEN or a profile's session was taken for the key")
                .fix("point `auth.key` at the IAM user's long-term key (AKIA…)"),
            FailureKind::RegionOff => Fault::new(Exit::Refused, "STS is switched off in this region")
                .because("the account's administrator deactivated it, or the region is opt-in")
                .fix("set `auth.region` to a region that is on, or activate STS in the IAM console's account settings"),
            FailureKind::Policy => self.policy(),
            FailureKind::Busy => Fault::new(Exit::Fault, "AWS is busy or failing")
                .because(self.said())
                .fix("try again in a moment; https://health.aws.amazon.com tells of outages"),
            FailureKind::Unreachable => self.unreachable(),
            FailureKind::Garbled => Fault::new(Exit::Fault, "the answer makes no sense")
                .because(self.message.clone())
                .because("something between here and AWS answered instead: a proxy, a captive portal, an emulator")
                .fix("check `auth.endpoint_url`, HTTPS_PROXY and the network"),
            FailureKind::Other => Fault::new(Exit::Refused, "AWS refused").because(self.said()).fix(
                "`-v` shows AWS's code and request id; `sekisho doctor` looks for the usual causes",
            ),
        };
        match self.detail() {
            Some(detail) => fault.detail(detail),
            None => fault,
        }
    }

    fn denied(&self, doing: Doing<'_>) -> Fault {
        let message = &self.message;
        if message.contains("AWSCompromisedKeyQuarantine") {
            return Fault::new(Exit::Refused, "AWS has put this access key in quarantine")
                .because("AWS found it in public and takes it for leaked")
                .fix("deactivate it in the IAM console now, and see what it did in CloudTrail")
                .fix("answer the case AWS opened, make a new key, then `sekisho key add`");
        }
        let Doing::Entering(target, flow) = doing else {
            return Fault::new(Exit::Refused, "AWS refused")
                .because(self.said())
                .fix("`sekisho doctor` looks for the usual causes");
        };
        let fault = Fault::new(Exit::Refused, format!("AWS refused to open {target}"));
        let role = &target.role;
        if message.contains("Roles may not be assumed by root") {
            fault
                .because("the access key is the root user's, which may assume no role")
                .fix("use an IAM user's key, and delete the root user's key")
        } else if message.contains("explicit deny in an identity-based policy") {
            let fault = fault.because("a policy of your IAM user denies it");
            match flow {
                Flow::Direct => fault
                    .because(
                        "the deny may not see the code that this very call carries (direct flow)",
                    )
                    .fix(format!("use the shared flow: `sekisho shell {target} --duration 1h`")),
                Flow::Shared => fault.fix(format!(
                    "look in your IAM user's policies for what denies sts:AssumeRole on {role}"
                )),
            }
        } else if message.contains("no identity-based policy allows") {
            fault
                .because("no policy of your IAM user allows it")
                .fix(format!("have sts:AssumeRole on {role} allowed to your IAM user"))
        } else if message.contains("permissions boundary") {
            fault
                .because("your IAM user's permissions boundary does not allow it")
                .fix(format!("have the boundary allow sts:AssumeRole on {role}"))
        } else if let Some(kind) = ["service", "resource"]
            .into_iter()
            .find(|kind| message.contains(&format!("{kind} control policy")))
        {
            fault.because(format!("a {kind} control policy of the organisation denies it")).fix(
                format!(
                    "ask those who keep it about sts:AssumeRole on {role}; `-v` shows AWS's words"
                ),
            )
        } else {
            fault
                .because("the role's trust policy does not let you in: another user, an older MFA than it takes, a missing external id")
                .because("the role does not exist: AWS answers the same (check account id, role name and path)")
                .because("your IAM user may not assume it")
                .fix(format!("check the role {role} and its trust policy"))
        }
    }

    /// AWS packs policies and tags into a binary form of its own, whose size nobody can tell beforehand.
    /// <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>
    fn policy(&self) -> Fault {
        if self.code.as_deref() == Some("PackedPolicyTooLarge") {
            return Fault::new(Exit::Refused, "the session policies and tags are too large together")
                .because(self.message.clone())
                .because("AWS packs `scope`, `policy`, `policy_arns` and `tags` into one space of its own measure")
                .fix("shorten the role's `policy`, or take tags or policy_arns away")
                .fix("move the policy into a managed one in that account, and name it in `policy_arns`");
        }
        Fault::new(Exit::Refused, "AWS does not take the session policy")
            .because(self.message.clone())
            .because("the role's `policy` in the config is JSON, but no valid policy")
            .because("a `policy_arns` entry, or the scope's ReadOnlyAccess, does not exist in that account's partition")
            .fix("mend the role's `policy`: `aws accessanalyzer validate-policy --policy-type IDENTITY_POLICY --policy-document file://…` says where")
    }

    fn signature(&self) -> Fault {
        let text = &self.message;
        if !(text.starts_with("Signature expired") || text.starts_with("Signature not yet current"))
        {
            return Fault::new(Exit::Refused, "AWS does not take the signature")
                .because("the secret access key is wrong: cut off, or with a hidden character")
                .because("a proxy changes the request")
                .fix("enter the key again: `sekisho key add`");
        }
        let what = match self.skew {
            Some(off) if off.is_negative() => {
                format!("this machine's clock is {} behind", minutes(off))
            }
            Some(off) => format!("this machine's clock is {} ahead", minutes(off)),
            None => "this machine's clock is off".into(),
        };
        Fault::new(Exit::Refused, what)
            .because("AWS takes no request signed more than a few minutes off its own time")
            .because("a virtual machine or WSL slept and did not catch up")
            .fix("set the clock: `sudo timedatectl set-ntp true`; in WSL `sudo hwclock -s`")
    }

    fn unreachable(&self) -> Fault {
        let text = self.message.to_ascii_lowercase();
        let fault = Fault::new(Exit::Fault, "AWS cannot be reached").because(self.message.clone());
        if text.contains("certificate") || text.contains("unknownissuer") {
            fault
                .because("a proxy on the way inspects TLS with a certificate of its own")
                .fix("give its certificate: `export AWS_CA_BUNDLE=/path/to/company.pem`")
        } else if text.contains("tunnel") || text.contains("proxy") {
            fault.fix(
                "check HTTPS_PROXY and its user name and password, or add the host to NO_PROXY",
            )
        } else if text.contains("corrupt message") {
            fault
                .because("what answers there does not speak TLS: `https` where `http` is meant, or a proxy")
                .fix("check `auth.endpoint_url` and HTTPS_PROXY")
        } else if text.contains("timed out")
            || text.contains("timeout")
            || text.starts_with("no answer")
        {
            fault
                .because("the network drops the connection: a VPN that is off, a firewall, a proxy that is not set")
                .fix("check the network and HTTPS_PROXY")
        } else {
            fault.fix("check the network; live sessions still open their targets")
        }
    }

    /// AWS's own words.
    fn said(&self) -> String {
        match (&self.code, self.status) {
            (Some(code), _) => format!("AWS says {code}: {}", self.message),
            (None, Some(status)) => format!("AWS answered with HTTP {status}"),
            (None, None) => self.message.clone(),
        }
    }

    fn detail(&self) -> Option<String> {
        let code = self.code.as_deref()?;
        let id = self.request_id.as_deref().unwrap_or("-");
        Some(format!("{code}: {} (request id {id})", self.message))
    }
}

fn classify(code: &str, message: &str) -> FailureKind {
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

/// Code and message of a body that the SDK does not read: moto has `Errors` around `Error`.
fn wrapped(body: &[u8]) -> Option<(&str, &str)> {
    let (_, errors) = std::str::from_utf8(body).ok()?.split_once("<Errors>")?;
    let element = |open: &str, close: &str| {
        let (_, rest) = errors.split_once(open)?;
        rest.split_once(close).map(|(text, _)| text)
    };
    let message = element("<Message>", "</Message>").unwrap_or_default();
    Some((element("<Code>", "</Code>")?, message))
}

/// The network's own words: the last error of the chain says it best.
fn reason(error: &dyn Error) -> String {
    let last = std::iter::successors(Some(error), |error| (*error).source()).last();
    sanitize(&last.map(ToString::to_string).unwrap_or_default())
}

/// Whether the connection never stood, so that nothing was sent.
fn is_connect(error: &dyn Error) -> bool {
    std::iter::successors(Some(error), |error| (*error).source()).any(|error| {
        let text = error.to_string();
        text.contains("(Connect)") || text.contains("connect timeout") || text.contains("dns error")
    })
}

/// How far our clock is ahead of an answer's `Date` header (RFC 9110), where it is worth a word.
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

fn minutes(off: SignedDuration) -> String {
    let minutes = (off.abs().as_secs() + 30) / 60;
    match minutes {
        0 | 1 => "a minute".into(),
        m if m < 120 => format!("{m} minutes"),
        m => format!("{} hours", m / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_clock_is_read_from_the_message() {
        let behind = "Signature expired: 20160609T184512Z is now earlier than 20160610T013008Z (20160610T014508Z - 15 min.)";
        assert_eq!(minutes(skew_in_text(behind).unwrap()), "7 hours");
        assert!(skew_in_text(behind).unwrap().is_negative());
        let ahead = "Signature not yet current: 20160610T020000Z is still later than 20160610T013000Z (20160610T011500Z + 15 min.)";
        assert!(skew_in_text(ahead).unwrap().is_positive());
        assert!(skew_in_text("nothing").is_none());
    }

    #[test]
    fn a_policy_too_large_and_one_that_is_none_are_told_apart() {
        let told = |code: &str, message: &str| {
            let failure = Failure {
                kind: classify(code, message),
                code: Some(code.into()),
                message: message.into(),
                ..Failure::garbled("sts:AssumeRole")
            };
            failure.fault(Doing::Asking)
        };
        let large = told("PackedPolicyTooLarge", "Packed policy consumes 112% of allotted space");
        assert!(large.what.contains("too large") && large.why[0].contains("112%"), "{large:?}");
        assert!(large.fix.iter().any(|fix| fix.contains("policy_arns")), "{large:?}");
        let malformed = told("MalformedPolicyDocument", "Syntax error at position (1,9)");
        assert!(malformed.why[0].contains("(1,9)") && malformed.fix[0].contains("validate-policy"));
        assert_eq!((large.exit, malformed.exit), (Exit::Refused, Exit::Refused));
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
