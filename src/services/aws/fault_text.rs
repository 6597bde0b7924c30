//! The three lines for a person: what failed, why, and what to do about it. `failure` says what kind of failure it is.
//!
//! Causes and fixes: `docs/aws-facts.md` §3, and
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html>.

use jiff::SignedDuration;

use super::SET_CLOCK;
use super::failure::{Failure, FailureKind, Obstacle};
use crate::domain::account::Target;
use crate::domain::fault::{Exit, Fault};
use crate::domain::flow::Flow;

/// What was being done, for the fault's words.
#[derive(Debug, Clone, Copy)]
pub enum Doing<'a> {
    /// Reading: who the caller is, which devices and keys it has.
    Asking,
    /// Getting the auth session.
    SigningIn,
    /// Exchanging what a browser brought, or renewing the keys of a console sign-in.
    ConsoleSignIn,
    /// Assuming a target's role.
    Entering(&'a Target, Flow),
}

impl Failure {
    /// The fault for a person.
    pub fn fault(&self, doing: Doing<'_>) -> Fault {
        let fault = match self.kind {
            FailureKind::Code => Fault::new(Exit::Refused, "AWS did not accept the code")
                .because("a digit was mistyped")
                .because("it was used before, or its 30 seconds have passed: each code works once")
                .because("it came from another device than the one named")
                .because("the device's clock is off")
                .fix("wait for the next code and try again"),
            FailureKind::Device => Fault::new(Exit::Refused, "AWS does not know the MFA device for this user")
                .because("the serial in the config is not this user's: a device's name need not be the user's")
                .because("the device was removed or replaced")
                .fix("compare `auth.mfa` with the console's Security credentials page; `sekisho doctor` lists your devices"),
            FailureKind::OverMaximum | FailureKind::OverChained => {
                Fault::new(Exit::Refused, "the role does not allow sessions this long")
                    .because("the role's maximum session duration is lower")
                    .fix("use a shorter one, e.g. `--duration 1h`, or raise the role's MaxSessionDuration")
            }
            FailureKind::IdentityDeny | FailureKind::Denied => self.denied(doing),
            FailureKind::Expired => Fault::new(Exit::Refused, "the session has expired")
                .because("AWS no longer accepts the cached credentials")
                .fix("try again: sekisho gets a new session"),
            FailureKind::Unknown => Fault::new(Exit::Refused, "AWS does not know this access key")
                .because("the key was deactivated, deleted or rotated")
                .because("AWS deactivated it after it leaked: look for a case in the console")
                .because("it belongs to another partition (China, GovCloud) than the region")
                .fix("check the key in the IAM console, then `sekisho key add`"),
            FailureKind::Signature => self.signature(),
            FailureKind::NotAKey => Fault::new(Exit::Usage, "a session was given where an access key is needed")
                .because("the key came with AWS_SESSION_TOKEN, or from a profile that holds a session")
                .fix("point `auth.key` at the IAM user's long-term key (AKIA…)"),
            FailureKind::SignInOver => self.sign_in_over(),
            FailureKind::SignInRefused => Fault::new(Exit::Refused, "AWS did not accept the console sign-in")
                .because(self.said())
                .because("it was used already, or belongs to another region")
                .fix("sign in again: `sekisho login`"),
            FailureKind::RegionOff => Fault::new(Exit::Refused, "STS is switched off in this region")
                .because("the account's administrator deactivated it, or the region is opt-in")
                .fix("set `auth.region` to a region that is on, or activate STS in the IAM console's account settings"),
            FailureKind::Policy => self.policy(),
            FailureKind::Busy => Fault::new(Exit::Fault, "AWS is busy or failing")
                .because(self.said())
                .fix("try again in a moment; https://health.aws.amazon.com lists outages"),
            FailureKind::Unreachable => self.unreachable(),
            FailureKind::Garbled => Fault::new(Exit::Fault, "the response cannot be understood")
                .because(self.message.clone())
                .because("something between here and AWS answered instead: a captive portal, a proxy, an emulator")
                .fix("sign in to the network in a browser, and check HTTPS_PROXY and `auth.endpoint_url`"),
            FailureKind::Implausible => Fault::new(Exit::Fault, "AWS's response is not plausible")
                .because(self.message.clone())
                .because("this machine's clock is off")
                .because("something between here and AWS answered instead: a proxy, an emulator")
                .fix("`sekisho doctor` compares the clock with AWS's, and names what is in between"),
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
                .because("AWS found it in a public place and treats it as leaked")
                .fix("deactivate it in the IAM console now, and check in CloudTrail what it was used for")
                .fix("answer the case that AWS opened, create a new key, then `sekisho key add`");
        }
        if let Doing::ConsoleSignIn = doing {
            return Fault::new(Exit::Refused, "your IAM user is not allowed to sign in a program")
                .because(self.said())
                .because("your IAM user lacks signin:AuthorizeOAuth2Access or signin:CreateOAuth2Token (the managed policy SignInLocalDevelopmentAccess allows both)")
                .because("a policy that denies everything without MFA, or a policy of the organization, denies them")
                .fix("have them allowed, then `sekisho login`; or use an access key: `auth.key: auto`");
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
                        "the deny may not recognize the code sent in this call (direct flow)",
                    )
                    .fix(format!("use the shared flow: `sekisho shell {target} --duration 1h`")),
                Flow::Shared => fault.fix(format!(
                    "find the statement in your IAM user's policies that denies sts:AssumeRole on {role}"
                )),
            }
        } else if message.contains("no identity-based policy allows") {
            fault
                .because("no policy of your IAM user allows it")
                .fix(format!("have your IAM user allowed sts:AssumeRole on {role}"))
        } else if message.contains("permissions boundary") {
            fault
                .because("your IAM user's permissions boundary does not allow it")
                .fix(format!("have the boundary allow sts:AssumeRole on {role}"))
        } else if let Some(kind) = ["service", "resource"]
            .into_iter()
            .find(|kind| message.contains(&format!("{kind} control policy")))
        {
            fault.because(format!("a {kind} control policy of the organization denies it")).fix(
                format!(
                    "ask its administrators about sts:AssumeRole on {role}; `-v` shows AWS's message"
                ),
            )
        } else {
            fault
                .because("the role's trust policy does not allow you: it names another user, requires a more recent MFA code, or requires an external id")
                .because("the role does not exist: AWS sends the same error (check account id, role name and path)")
                .because("your IAM user may not assume it")
                .fix(format!("check the role {role} and its trust policy"))
        }
    }

    fn sign_in_over(&self) -> Fault {
        if self.skew.is_some() {
            let what = self.clock();
            return Fault::new(Exit::Refused, what)
                .because("AWS accepts a proof of possession only close to the time it was made")
                .fix(format!("set the clock: {SET_CLOCK}; then `sekisho login`"));
        }
        let fault = Fault::new(Exit::Refused, "the console sign-in has expired");
        match self.code.as_deref() {
            Some("USER_CREDENTIALS_CHANGED") => {
                fault.because("the user's password has changed since")
            }
            Some("AUTHCODE_EXPIRED") => {
                fault.because("the browser's code arrived too late, or was already used")
            }
            _ => fault.because("it lasts 12 hours at most"),
        }
        .fix("sign in again: `sekisho login`")
    }

    /// AWS packs policies and tags into a binary form of its own, whose size cannot be computed beforehand.
    /// <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>
    fn policy(&self) -> Fault {
        if self.code.as_deref() == Some("PackedPolicyTooLarge") {
            return Fault::new(Exit::Refused, "the session policies and tags are too large together")
                .because(self.message.clone())
                .because("`scope`, `policy`, `policy_arns` and `tags` share one size limit, which AWS measures in a packed form")
                .fix("shorten the role's `policy`, or remove tags or policy_arns")
                .fix("move the policy into a managed one in that account, and name it in `policy_arns`");
        }
        Fault::new(Exit::Refused, "AWS did not accept the session policy")
            .because(self.message.clone())
            .because("the role's `policy` in the config is JSON, but no valid policy")
            .because("a `policy_arns` entry, or the scope's ReadOnlyAccess, does not exist in that account's partition")
            .fix("correct the role's `policy`: `aws accessanalyzer validate-policy --policy-type IDENTITY_POLICY --policy-document file://…` shows where it is wrong")
    }

    fn signature(&self) -> Fault {
        let text = &self.message;
        if !(text.starts_with("Signature expired") || text.starts_with("Signature not yet current"))
        {
            return Fault::new(Exit::Refused, "AWS did not accept the signature")
                .because("the secret access key is wrong: cut off, or with a hidden character")
                .because("a proxy changes the request")
                .fix("enter the key again: `sekisho key add`");
        }
        let what = self.clock();
        Fault::new(Exit::Refused, what)
            .because(
                "AWS rejects requests whose time differs from its own by more than a few minutes",
            )
            .because("a virtual machine or WSL was suspended, and its clock did not catch up")
            .fix(format!("set the clock: {SET_CLOCK}"))
    }

    /// How far this machine's clock is off.
    fn clock(&self) -> String {
        match self.skew {
            Some(off) if off.is_negative() => {
                format!("this machine's clock is {} behind", minutes(off))
            }
            Some(off) => format!("this machine's clock is {} ahead", minutes(off)),
            None => "this machine's clock is off".into(),
        }
    }

    fn unreachable(&self) -> Fault {
        let fault = Fault::new(Exit::Fault, "AWS cannot be reached").because(self.message.clone());
        match self.obstacle.unwrap_or(Obstacle::Other) {
            Obstacle::Certificate => fault
                .because("a proxy on the way inspects TLS with a certificate of its own")
                .fix("add its certificate: `export AWS_CA_BUNDLE=/path/to/company.pem`"),
            Obstacle::Proxy => fault.fix(
                "check HTTPS_PROXY and its user name and password, or add the host to NO_PROXY",
            ),
            Obstacle::PlainServer => fault
                .because("`https` where `http` is meant, or a proxy")
                .fix("check `auth.endpoint_url` and HTTPS_PROXY"),
            Obstacle::Name => fault
                .because("there is no network, or its DNS does not know the host")
                .because("the region has no FIPS or dual-stack endpoint, and a variable asks for one")
                .fix("check the network and `auth.region`; cached sessions still work"),
            Obstacle::Silence => fault
                .because("the network drops the connection: a VPN that is off, a firewall, a proxy that is not configured")
                .fix("check the network and HTTPS_PROXY"),
            Obstacle::Other => fault.fix("check the network; cached sessions still work"),
        }
    }

    /// AWS's own message, with its code.
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
    use crate::services::aws::failure::classify;

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
    fn a_skew_is_worded_in_units_that_help() {
        let worded = |seconds| minutes(SignedDuration::from_secs(seconds));
        assert_eq!(
            [worded(20), worded(-300), worded(-25_196)],
            ["a minute", "5 minutes", "7 hours"].map(String::from)
        );
    }
}
