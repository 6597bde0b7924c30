use super::*;
use crate::domain::trust::Hole;

const USER: &str = "User: arn:aws:iam::111111111111:user/t is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::222222222222:role/Developer";

fn denied(suffix: &str) -> Outcome {
    Outcome::refused("AccessDenied", &format!("{USER}{suffix}"))
}

fn identity() -> Outcome {
    denied(" with an explicit deny in an identity-based policy")
}

fn rcp() -> Outcome {
    denied(
        " with an explicit deny in a resource control policy: arn:aws:organizations::999999999999:policy/o-1/resource_control_policy/p-1",
    )
}

fn run() -> RunContext {
    RunContext {
        against: Against::Aws,
        control: Ok(()),
        names_policies: true,
        quarantine: None,
        by: Signed::Key,
    }
}

fn hole() -> Reading {
    Reading::Open(Hole { statement: "Enter".into(), principal: "*".into(), bare_key: true })
}

/// The verdicts on user, trust and organization.
fn role(
    key: Outcome,
    session: Option<Outcome>,
    trust: Result<Reading, Outcome>,
    context: &RunContext,
) -> [Verdict; 3] {
    let seen = RoleEvidence {
        role: "arn:aws:iam::222222222222:role/Developer".parse().unwrap(),
        key,
        session,
        control: Outcome::Allowed,
        trust,
    };
    judge_role(&seen, context).map(|finding| finding.verdict)
}

fn calls(outcomes: &[(Signed, &str, Outcome)], context: &RunContext) -> Verdict {
    let probes = outcomes.iter().map(|(by, call, outcome)| Probe {
        by: *by,
        call: (*call).into(),
        outcome: outcome.clone(),
    });
    judge_calls(Guardrail::Reads, probes.collect(), context).verdict
}

#[test]
fn causes_are_read_from_the_end_of_the_message() {
    use PolicyType::{IdentityBased, PermissionsBoundary, ResourceControl, ServiceControl};
    let explicit = |policy_type, policy: Option<&str>| Cause::ExplicitDeny {
        policy_type,
        policy: policy.map(Into::into),
    };
    for (suffix, cause) in [
        ("", Cause::Unnamed),
        (" with an explicit deny in an identity-based policy", explicit(IdentityBased, None)),
        (
            " with an explicit deny in an identity-based policy: arn:aws:iam::aws:policy/AWSCompromisedKeyQuarantineV3",
            explicit(IdentityBased, Some("arn:aws:iam::aws:policy/AWSCompromisedKeyQuarantineV3")),
        ),
        (" with an explicit deny in a service control policy", explicit(ServiceControl, None)),
        (
            " with an explicit deny in a resource control policy. Encoded authorization failure message: abc",
            explicit(ResourceControl, None),
        ),
        (" with an explicit deny in a permissions boundary", explicit(PermissionsBoundary, None)),
        (
            " because no identity-based policy allows the sts:AssumeRole action",
            Cause::NoAllow { policy_type: IdentityBased },
        ),
        (
            " because no permissions boundary allows the sts:AssumeRole action",
            Cause::NoAllow { policy_type: PermissionsBoundary },
        ),
        (" with an explicit deny in a dream", Cause::Unnamed),
    ] {
        assert_eq!(denied(suffix).cause(), Some(&cause), "{suffix}");
    }
}

#[test]
fn refusals_that_prove_nothing_are_undecided_or_moot() {
    for code in [
        "InvalidClientTokenId",
        "InvalidAccessKeyId",
        "AuthFailure",
        "Throttling",
        "SignatureDoesNotMatch",
    ] {
        assert!(matches!(Outcome::refused(code, "x"), Outcome::Undecided { .. }), "{code}");
    }
    for code in ["InvalidAMIID.NotFound", "MissingParameter", "InvalidAction", "ValidationError"] {
        assert!(matches!(Outcome::refused(code, "x"), Outcome::Moot { .. }), "{code}");
    }
    assert_eq!(
        Outcome::refused("DryRunOperation", "Request would have succeeded"),
        Outcome::Allowed
    );
}

fn unread() -> Result<Reading, Outcome> {
    Err(unnamed())
}

fn unnamed() -> Outcome {
    denied("")
}

fn lacking() -> Outcome {
    denied(" because no identity-based policy allows the sts:AssumeRole action")
}

fn busy() -> Outcome {
    Outcome::undecided("Throttling")
}

#[test]
fn a_role_is_judged_guardrail_by_guardrail() {
    use Verdict::{Masked, NotProved, Open, Proved};
    for (key, session, trust, verdicts) in [
        // All closed: the user's side refuses first.
        (identity(), Some(identity()), Ok(Reading::AsksMfa), [Proved, Proved, Masked]),
        (identity(), None, Ok(Reading::AsksMfa), [Proved, Proved, Masked]),
        (identity(), Some(identity()), unread(), [Proved, Masked, Masked]),
        (lacking(), Some(lacking()), Ok(Reading::AsksMfa), [Proved, Proved, Masked]),
        // The trust policy open behind a closed user policy.
        (identity(), Some(identity()), Ok(hole()), [Proved, Open, Masked]),
        // The user policy open before a closed trust policy.
        (unnamed(), Some(unnamed()), Ok(Reading::AsksMfa), [Open, Proved, NotProved]),
        (unnamed(), Some(unnamed()), unread(), [Open, Proved, NotProved]),
        // The user policy open before a resource control policy.
        (rcp(), Some(rcp()), Ok(Reading::AsksMfa), [Masked, Proved, Proved]),
        (rcp(), Some(rcp()), Ok(hole()), [Masked, Open, Proved]),
        // A user policy that forgets sessions made without a code.
        (identity(), Some(unnamed()), Ok(Reading::AsksMfa), [Open, Proved, NotProved]),
        (identity(), Some(Outcome::Allowed), Ok(hole()), [Open, Open, Open]),
        // All open, whatever the document pretends.
        (Outcome::Allowed, Some(Outcome::Allowed), Ok(Reading::AsksMfa), [Open, Open, Open]),
        // Nothing is concluded from silence.
        (busy(), Some(identity()), unread(), [NotProved, NotProved, NotProved]),
        (busy(), Some(busy()), Ok(Reading::AsksMfa), [NotProved, Proved, NotProved]),
        (
            identity(),
            Some(identity()),
            Ok(Reading::Unclear { why: "?".into() }),
            [Proved, NotProved, Masked],
        ),
        (identity(), Some(identity()), Ok(Reading::Closed), [Proved, NotProved, Masked]),
    ] {
        let shown = format!("{key} / {session:?} / {trust:?}");
        assert_eq!(role(key, session, trust, &run()), verdicts, "{shown}");
    }
}

#[test]
fn a_refusal_without_a_name_proves_nothing_where_aws_names_none() {
    let run = RunContext { names_policies: false, ..run() };
    assert_eq!(
        role(denied(""), Some(denied("")), Err(denied("")), &run),
        [Verdict::NotProved, Verdict::Masked, Verdict::NotProved]
    );
}

#[test]
fn without_the_control_nothing_is_proved_and_open_stays_open() {
    let run = RunContext { control: Err("no code was given".into()), ..run() };
    assert_eq!(role(identity(), None, Err(denied("")), &run), [Verdict::NotProved; 3]);
    assert_eq!(role(Outcome::Allowed, None, Err(denied("")), &run), [Verdict::Open; 3]);
    assert_eq!(calls(&[(Signed::Key, "iam:ListUsers", identity())], &run), Verdict::NotProved);
    assert_eq!(calls(&[(Signed::Key, "iam:ListUsers", Outcome::Allowed)], &run), Verdict::Open);
    assert_eq!(
        judge_device(&DeviceEvidence::Listed { all: 1, codes: 1 }, &run).verdict,
        Verdict::NotProved
    );
    assert_eq!(
        judge_device(&DeviceEvidence::Listed { all: 0, codes: 0 }, &run).verdict,
        Verdict::Open
    );
}

#[test]
fn a_role_that_a_code_does_not_open_is_not_proved() {
    let seen = RoleEvidence {
        role: "arn:aws:iam::222222222222:role/Typo".parse().unwrap(),
        key: denied(""),
        session: Some(denied("")),
        control: denied(""),
        trust: Err(Outcome::undecided("not entered")),
    };
    let verdicts = judge_role(&seen, &run()).map(|finding| finding.verdict);
    assert_eq!(verdicts, [Verdict::NotProved; 3]);
}

#[test]
fn calls_are_judged_by_what_denies_them() {
    let lacking =
        || denied(" because no identity-based policy allows the s3:ListAllMyBuckets action");
    let scp = || denied(" with an explicit deny in a service control policy");
    let needs_mfa =
        || Outcome::Denied { code: "InvalidClientTokenId".into(), cause: Cause::IamNeedsMfa };
    let moot = || Outcome::refused("InvalidAMIID.NotFound", "");
    let key = |outcome| (Signed::Key, "s3:ListAllMyBuckets", outcome);
    let session = |outcome| (Signed::SessionWithoutMfa, "iam:ListUsers", outcome);
    for (seen, verdict) in [
        (vec![key(identity())], Verdict::Proved),
        (vec![key(scp())], Verdict::Proved),
        (vec![key(identity()), key(denied(""))], Verdict::Proved),
        (vec![key(identity()), key(moot())], Verdict::Proved),
        (vec![key(identity()), session(identity()), session(needs_mfa())], Verdict::Proved),
        (vec![key(identity()), key(Outcome::Allowed)], Verdict::Open),
        (vec![key(identity()), session(Outcome::Allowed)], Verdict::Open),
        (vec![key(lacking())], Verdict::Open),
        (vec![key(identity()), session(lacking()), session(needs_mfa())], Verdict::Open),
        (vec![key(identity()), key(lacking())], Verdict::NotProved),
        (vec![key(identity()), key(Outcome::undecided("no network"))], Verdict::NotProved),
        (vec![key(denied(""))], Verdict::NotProved),
        (vec![key(moot())], Verdict::NotProved),
        (vec![session(needs_mfa())], Verdict::NotProved),
        (vec![], Verdict::NotProved),
    ] {
        assert_eq!(calls(&seen, &run()), verdict, "{seen:?}");
    }
}

#[test]
fn the_quarantine_masks_what_it_denies() {
    let named = denied(
        " with an explicit deny in an identity-based policy: arn:aws:iam::aws:policy/AWSCompromisedKeyQuarantineV3",
    );
    assert!(named.cause().unwrap().is_quarantine());
    let buckets = |outcome: &Outcome| (Signed::Key, "s3:ListAllMyBuckets", outcome.clone());
    let regions = |outcome: &Outcome| (Signed::Key, "ec2:DescribeRegions", outcome.clone());
    let quarantined = |how| RunContext { quarantine: Some(how), ..run() };
    let run = quarantined(Quarantine::Named);
    assert_eq!(calls(&[buckets(&named)], &run), Verdict::Masked);
    assert_eq!(calls(&[buckets(&named), regions(&identity())], &run), Verdict::Proved);
    let run = quarantined(Quarantine::Suspected);
    assert_eq!(calls(&[buckets(&identity())], &run), Verdict::Masked);
}

#[test]
fn nothing_is_proved_on_emulated_ground() {
    let run = RunContext { against: Against::Emulated, ..run() };
    let verdicts = role(identity(), None, Ok(Reading::AsksMfa), &run);
    assert_eq!(verdicts, [Verdict::Unconfirmed, Verdict::Unconfirmed, Verdict::Masked]);
    assert_eq!(calls(&[(Signed::Key, "iam:ListUsers", identity())], &run), Verdict::Unconfirmed);
    assert_eq!(judge_device(&DeviceEvidence::TookCode, &run).verdict, Verdict::Unconfirmed);
    let proxy = RunContext { against: Against::Intercepted, ..run.clone() };
    let verdicts = role(identity(), None, Ok(Reading::AsksMfa), &proxy);
    assert_eq!(verdicts, [Verdict::Unconfirmed, Verdict::Unconfirmed, Verdict::Masked]);
    let back_doors = judge_back_doors(Ok(vec![]), &run);
    assert_eq!(back_doors.verdict, Verdict::Unconfirmed);
}

#[test]
fn back_doors_are_named() {
    let roles = |readings: &[Reading]| {
        let named = (0..).zip(readings).map(|(n, reading)| (format!("role-{n}"), reading.clone()));
        Ok(named.collect())
    };
    let unclear = Reading::Unclear { why: "?".into() };
    let open = judge_back_doors(roles(&[Reading::Closed, hole(), unclear.clone()]), &run());
    assert_eq!((open.verdict, open.evidence.len()), (Verdict::Open, 1));
    assert_eq!(
        open.evidence[0].to_string(),
        "trust policy of role-1: statement Enter lets a bare key of * in"
    );
    let doubt = judge_back_doors(roles(&[Reading::AsksMfa, unclear]), &run());
    assert_eq!((doubt.verdict, doubt.evidence.len()), (Verdict::NotProved, 1));
    assert_eq!(judge_back_doors(Err(denied("")), &run()).verdict, Verdict::NotProved);
}

#[test]
fn an_entry_by_a_sign_in_is_open_only_where_the_trust_policy_is_known_to_ask_for_no_mfa() {
    use Outcome::Allowed;
    use Reading::{AsksMfa, Closed};
    use SignInMfa::{Absent, Carried, Unknown};
    use Verdict::{NotProved, Open, Proved};
    let unclear = || Reading::Unclear { why: "unknown operator X".into() };
    let unread = || Err(denied(""));
    for (entered, control, trust, expected, mfa) in [
        (Allowed, None, Ok(AsksMfa), [Proved, Proved], Carried),
        (Allowed, None, Ok(hole()), [Open, Open], Unknown),
        (Allowed, None, Ok(unclear()), [NotProved, NotProved], Unknown),
        (Allowed, None, Ok(Closed), [NotProved, NotProved], Unknown),
        (Allowed, None, unread(), [NotProved, NotProved], Unknown),
        (denied(""), Some(Allowed), Ok(AsksMfa), [Proved, Proved], Absent),
        (identity(), Some(Allowed), unread(), [Proved, NotProved], Absent),
        (denied(""), None, Ok(AsksMfa), [Proved, Proved], Unknown),
        (denied(""), None, Ok(hole()), [NotProved, Open], Unknown),
        (denied(""), Some(denied("")), unread(), [NotProved, NotProved], Unknown),
        (denied(""), None, unread(), [NotProved, NotProved], Unknown),
        // Another role of the account was read, and this one lets no user in, as it should.
        (denied(""), None, Ok(Closed), [NotProved, Proved], Unknown),
        (Outcome::undecided("throttled"), None, unread(), [NotProved, NotProved], Unknown),
    ] {
        let role = "arn:aws:iam::222222222222:role/Developer".parse().unwrap();
        let seen = SignInEvidence { role, entered, control, trust };
        let findings = judge_sign_in(&seen, &run());
        let verdicts = [findings[0].verdict, findings[1].verdict];
        assert_eq!((verdicts, SignInMfa::of(&findings)), (expected, mfa), "{seen:?}");
        for finding in findings {
            let wants = !finding.verdict.stands();
            assert_eq!(finding.remedy.is_some(), wants, "{finding:?}");
        }
    }
}
