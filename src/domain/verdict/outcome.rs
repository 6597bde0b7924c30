//! What came back from a probe, read from AWS's error code and the end of its message.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::domain::text::sanitize;

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// AWS let it through.
    Allowed,
    /// AWS refused it.
    Denied {
        /// AWS's error code.
        code: String,
        /// Which policy AWS named.
        cause: Cause,
    },
    /// The request was rejected before permissions were checked.
    Moot {
        /// AWS's error code.
        code: String,
    },
    /// Nothing can be concluded: throttled, no network, key or session not accepted, not tried.
    Undecided {
        /// Why.
        why: String,
    },
}

/// Which policy AWS named as the reason of a refusal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum Cause {
    /// A policy denies it.
    ExplicitDeny {
        /// Of which kind.
        policy_type: PolicyType,
        /// Which one, where AWS tells.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        policy: Option<String>,
    },
    /// No policy allows it; nothing denies it.
    NoAllow {
        /// Which kind of policy lacks the Allow.
        policy_type: PolicyType,
    },
    /// IAM takes no session that was made without MFA, whatever the policies say.
    IamNeedsMfa,
    /// AWS did not say.
    Unnamed,
}

/// The kinds of policies that AWS names in refusals.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html>
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "AWS's own names")]
pub enum PolicyType {
    IdentityBased,
    ServiceControl,
    ResourceControl,
    PermissionsBoundary,
    SessionPolicy,
    ResourceBased,
    VpcEndpoint,
}

/// The policy that AWS attaches to users whose key it has seen in public.
const QUARANTINE: &str = "AWSCompromisedKeyQuarantine";

/// How codes begin that speak of a request's shape. `InvalidClientTokenId` and its kind are none of them.
const SHAPE: [&str; 7] = [
    "InvalidAction",
    "InvalidAMIID",
    "InvalidInput",
    "InvalidParameter",
    "MissingParameter",
    "UnknownOperation",
    "ValidationE",
];

impl Outcome {
    /// Reads a refusal of AWS: its error code and message.
    ///
    /// Codes that say something about the request's shape, not about permission, are `Moot`.
    pub fn refused(code: &str, message: &str) -> Self {
        let code = sanitize(code);
        match code.as_str() {
            // EC2 says so instead of acting; the other tells that the caller may ask.
            "DryRunOperation" | "AWSOrganizationsNotInUseException" => Self::Allowed,
            "AccessDenied" | "AccessDeniedException" | "UnauthorizedOperation" => {
                Self::Denied { code, cause: Cause::read(message) }
            }
            moot if SHAPE.iter().any(|prefix| moot.starts_with(prefix)) => Self::Moot { code },
            _ => Self::undecided(&format!("{code}: {}", sanitize(message))),
        }
    }

    /// An outcome that concludes nothing.
    pub fn undecided(why: &str) -> Self {
        Self::Undecided { why: sanitize(why) }
    }

    /// Which policy refused it, if it was refused.
    pub fn cause(&self) -> Option<&Cause> {
        match self {
            Self::Denied { cause, .. } => Some(cause),
            _ => None,
        }
    }
}

impl Cause {
    /// Reads the end of AWS's message: `… with an explicit deny in an identity-based policy: arn:…`.
    pub fn read(message: &str) -> Self {
        const KINDS: [(&str, PolicyType); 7] = [
            ("identity-based policy", PolicyType::IdentityBased),
            ("service control policy", PolicyType::ServiceControl),
            ("resource control policy", PolicyType::ResourceControl),
            ("permissions boundary", PolicyType::PermissionsBoundary),
            ("session policy", PolicyType::SessionPolicy),
            ("resource-based policy", PolicyType::ResourceBased),
            ("VPC endpoint policy", PolicyType::VpcEndpoint),
        ];
        let kind = |text: &str| {
            let text = text.strip_prefix("n ").or(text.strip_prefix(' '))?;
            let found = KINDS.iter().find(|(name, _)| text.starts_with(name))?;
            Some((found.1, text[found.0.len()..].to_owned()))
        };
        let explicit = message.split_once("with an explicit deny in a");
        if let Some((policy_type, rest)) = explicit.and_then(|(_, text)| kind(text)) {
            let named = rest.strip_prefix(": ").and_then(|rest| {
                let arn = rest.split_whitespace().next()?.trim_end_matches('.');
                arn.starts_with("arn:").then(|| sanitize(arn))
            });
            return Self::ExplicitDeny { policy_type, policy: named };
        }
        let lacking = message.split_once("because no");
        match lacking.and_then(|(_, text)| kind(text)) {
            Some((policy_type, rest)) if rest.starts_with(" allows") => {
                Self::NoAllow { policy_type }
            }
            _ => Self::Unnamed,
        }
    }

    /// Whether AWS named the quarantine that it puts on leaked keys.
    pub fn is_quarantine(&self) -> bool {
        matches!(self, Self::ExplicitDeny { policy: Some(arn), .. } if arn.contains(QUARANTINE))
    }

    /// Whether it is a deny on the caller's own side, other than the quarantine.
    pub(super) fn is_own_deny(&self) -> bool {
        matches!(self,
            Self::ExplicitDeny {
                policy_type: PolicyType::IdentityBased
                    | PolicyType::ServiceControl
                    | PolicyType::PermissionsBoundary,
                ..
            } if !self.is_quarantine())
    }

    /// Whether the caller's own side simply does not allow it.
    pub(super) fn is_own_lack(&self) -> bool {
        matches!(self, Self::NoAllow { policy_type } if *policy_type != PolicyType::ResourceBased)
    }
}

impl fmt::Display for PolicyType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::IdentityBased => "an identity-based policy",
            Self::ServiceControl => "a service control policy",
            Self::ResourceControl => "a resource control policy",
            Self::PermissionsBoundary => "a permissions boundary",
            Self::SessionPolicy => "a session policy",
            Self::ResourceBased => "a resource-based policy",
            Self::VpcEndpoint => "a VPC endpoint policy",
        })
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Allowed => f.write_str("allowed"),
            Self::Denied { code, cause } => match cause {
                Cause::ExplicitDeny { policy_type, policy } => {
                    write!(f, "{code}, explicit deny in {policy_type}")?;
                    policy.as_ref().map_or(Ok(()), |arn| write!(f, " ({arn})"))
                }
                Cause::NoAllow { policy_type } => write!(f, "{code}, not allowed by {policy_type}"),
                Cause::IamNeedsMfa => write!(f, "{code}: IAM takes no session without MFA"),
                Cause::Unnamed => write!(f, "{code}, no policy named"),
            },
            Self::Moot { code } => write!(f, "{code}: rejected before permissions were checked"),
            Self::Undecided { why } => write!(f, "undecided: {why}"),
        }
    }
}
