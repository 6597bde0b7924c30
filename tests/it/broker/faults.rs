//! Every answer of STS that refuses, from its bytes to the words a person reads.
//!
//! The texts are AWS's own: <https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html>
//! and public issue threads.

use sekisho::domain::fault::Fault;
use sekisho::domain::pass::NotIssued;
use sekisho::emulator::{FaultInjection, Times};

use super::network::told;
use super::stage::*;

/// A refusal on the wire: what it means, the call, HTTP status, code, text.
type Row = (&'static str, &'static str, u16, &'static str, &'static str);

const TOKEN: &str = "GetSessionToken";
const ROLE: &str = "AssumeRole";
const DENIED: &str = "User: arn:aws:iam::111111111111:user/alice is not authorized to perform: sts:AssumeRole \
    on resource: arn:aws:iam::222222222222:role/dev/Developer";

const ROWS: [Row; 26] = [
    (
        "wrong or reused code",
        TOKEN,
        403,
        "AccessDenied",
        "MultiFactorAuthentication failed with invalid MFA one time pass code. ",
    ),
    (
        "wrong, foreign or FIDO serial",
        TOKEN,
        403,
        "AccessDenied",
        "MultiFactorAuthentication failed, unable to validate MFA code.  Please verify your MFA serial number is valid and associated with this user.",
    ),
    (
        "only one of serial and code",
        TOKEN,
        403,
        "AccessDenied",
        "MultiFactorAuthentication failed, must provide both MFA serial number and one time pass code.",
    ),
    (
        "a code that is not six digits",
        TOKEN,
        400,
        "ValidationError",
        "1 validation error detected: Value '123456' at 'tokenCode' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\d]*",
    ),
    (
        "a session instead of a key",
        TOKEN,
        403,
        "AccessDenied",
        "Cannot call GetSessionToken with session credentials",
    ),
    (
        "quarantined key",
        TOKEN,
        403,
        "AccessDenied",
        "User: arn:aws:iam::111111111111:user/alice is not authorized to perform: sts:GetSessionToken on resource: * with an explicit deny in an identity-based policy: arn:aws:iam::aws:policy/AWSCompromisedKeyQuarantineV3",
    ),
    (
        "unknown or inactive key",
        TOKEN,
        403,
        "InvalidClientTokenId",
        "The security token included in the request is invalid.",
    ),
    (
        "wrong secret",
        TOKEN,
        403,
        "SignatureDoesNotMatch",
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.",
    ),
    (
        "clock behind",
        TOKEN,
        403,
        "SignatureDoesNotMatch",
        "Signature expired: 20160609T184512Z is now earlier than 20160610T013008Z (20160610T014508Z - 15 min.)",
    ),
    (
        "clock ahead",
        TOKEN,
        403,
        "InvalidSignatureException",
        "Signature not yet current: 20160610T020000Z is still later than 20160610T013000Z (20160610T011500Z + 15 min.)",
    ),
    (
        "STS off in the region",
        TOKEN,
        403,
        "RegionDisabledException",
        "STS is not activated in this region for account:111111111111. Your account administrator can activate STS in this region using the IAM Console.",
    ),
    (
        "hidden character in the key",
        TOKEN,
        400,
        "IncompleteSignature",
        "'x' not a valid key=value pair (missing equal-sign) in Authorization header: 'AWS4-HMAC-SHA256 Credential=x'.",
    ),
    ("throttled", TOKEN, 400, "Throttling", "Rate exceeded"),
    (
        "AWS fails",
        TOKEN,
        500,
        "InternalFailure",
        "The request processing has failed because of an unknown error, exception or failure.",
    ),
    ("anything else", TOKEN, 400, "SomethingNew", "A text\u{202e} that nobody\u{9b}31m has seen."),
    ("trust policy, or no such role", ROLE, 403, "AccessDenied", DENIED),
    (
        "explicit deny of the user",
        ROLE,
        403,
        "AccessDenied",
        "User: arn:aws:iam::111111111111:user/alice is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::222222222222:role/dev/Developer with an explicit deny in an identity-based policy",
    ),
    (
        "nothing allows it",
        ROLE,
        403,
        "AccessDenied",
        "User: arn:aws:iam::111111111111:user/alice is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::222222222222:role/dev/Developer because no identity-based policy allows the sts:AssumeRole action",
    ),
    (
        "service control policy",
        ROLE,
        403,
        "AccessDenied",
        "User: arn:aws:iam::111111111111:user/alice is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::222222222222:role/dev/Developer with an explicit deny in a service control policy: arn:aws:organizations::999999999999:policy/o-a1b2c3d4e5/service_control_policy/p-ab1cd2ef",
    ),
    (
        "resource control policy",
        ROLE,
        403,
        "AccessDenied",
        "User: arn:aws:iam::111111111111:user/alice is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::222222222222:role/dev/Developer with an explicit deny in a resource control policy",
    ),
    (
        "permissions boundary",
        ROLE,
        403,
        "AccessDenied",
        "User: arn:aws:iam::111111111111:user/alice is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::222222222222:role/dev/Developer because no permissions boundary allows the sts:AssumeRole action",
    ),
    ("root user", ROLE, 403, "AccessDenied", "Roles may not be assumed by root accounts."),
    (
        "over the role's maximum",
        ROLE,
        400,
        "ValidationError",
        "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
    ),
    (
        "chained for over an hour",
        ROLE,
        400,
        "ValidationError",
        "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.",
    ),
    (
        "policies and tags too big",
        ROLE,
        400,
        "PackedPolicyTooLarge",
        "Packed policy consumes 137% of allotted space, please use smaller policy.",
    ),
    ("bad session policy", ROLE, 400, "MalformedPolicyDocument", "Syntax errors in policy."),
];

/// As AWS writes it.
fn aws(code: &str, text: &str) -> String {
    format!(
        "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type>\
         <Code>{code}</Code><Message>{text}</Message></Error>\
         <RequestId>c6104cbe-af31-11e0-8154-cbc7ccf896c7</RequestId></ErrorResponse>"
    )
}

/// As moto writes it.
fn moto(code: &str, text: &str) -> String {
    format!(
        "<ErrorResponse><Errors><Error><Code>{code}</Code><Message>{text}</Message>\
         <Type>Sender</Type></Error></Errors></ErrorResponse>"
    )
}

/// What a person reads, in the code box or in the fault's.
fn shown(row: &Row, envelope: fn(&str, &str) -> String) -> String {
    let (_, action, status, code, text) = *row;
    let stage = Stage::new();
    let body = envelope(code, text).into_bytes();
    stage.inject(action, Times::UntilCleared, FaultInjection::Raw { status, body });
    match stage.issue(&target(DEV, HOUR), Some(stage.code(PHONE)), PERSON) {
        Ok(_) => panic!("{code} opened it"),
        Err(NotIssued::Fault(fault)) => {
            safe(&fault);
            told(&fault)
        }
        Err(NotIssued::Code(wanted)) => {
            let rejection = wanted.rejection.unwrap();
            let mut text = format!("the box stays open\nwhat {}\n", rejection.what);
            for why in &rejection.why {
                text.push_str(&format!("why  {why}\n"));
            }
            text
        }
        Err(other) => panic!("{code}: {:?}", other.into_fault()),
    }
}

/// No secret, no key id in full, no code, no control character.
fn safe(fault: &Fault) {
    let text = format!("{}{}", told(fault), fault.detail.as_deref().unwrap_or_default());
    for forbidden in [SECRET, KEY, "123456", "\u{9b}", "\u{202e}"] {
        assert!(!text.contains(forbidden), "{forbidden:?} in {text}");
    }
}

#[test]
fn every_refusal_is_told_in_three_lines() {
    let mut all = String::new();
    for row in &ROWS {
        let (name, action, status, code, _) = row;
        let text = shown(row, aws);
        assert_eq!(text, shown(row, moto), "{name}: both envelopes");
        all.push_str(&format!("── {name} ({action}, {status} {code})\n{text}\n"));
    }
    insta::assert_snapshot!(all);
}

#[test]
fn v_shows_awss_own_words_and_request_id() {
    let stage = Stage::with(|organization| organization.roles.clear(), |_| {});
    let fault = faulted(stage.issue(&target(DEV, HOUR), Some(stage.code(PHONE)), PERSON));
    let detail = fault.detail.unwrap();
    assert!(detail.starts_with(&format!("AccessDenied: {DENIED}")), "{detail}");
    let id = detail.rsplit_once("(request id ").unwrap().1.trim_end_matches(')');
    assert_eq!(id.len(), 36, "{detail}");
}
