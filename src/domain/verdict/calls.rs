//! Judges the calls of the user itself: what the key may do in its own account.

use super::{
    Cause, Evidence, Finding, Guardrail, Outcome, Probe, Quarantine, RunContext, Signed, Verdict,
    worst,
};

/// What the quarantine denies, among the calls that are probed.
/// <https://github.com/zoph-io/MAMIP> `policies/AWSCompromisedKeyQuarantineV3`
const QUARANTINED: [&str; 5] = [
    "sts:GetSessionToken",
    "sts:GetFederationToken",
    "iam:ListUsers",
    "ec2:RunInstances",
    "s3:ListAllMyBuckets",
];

/// What is known of the user's MFA devices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeviceEvidence {
    /// AWS took a code from one.
    TookCode,
    /// AWS lists so many, of which so many make codes.
    Listed {
        /// All of them.
        all: usize,
        /// Those that make six-digit codes.
        codes: usize,
    },
    /// They could not be listed.
    Unknown(Outcome),
}

/// Judges calls that must be refused without MFA, by whoever signed them.
pub fn judge_calls(guardrail: Guardrail, probes: Vec<Probe>, context: &RunContext) -> Finding {
    let sets = [Signed::Key, Signed::SessionWithoutMfa]
        .into_iter()
        .map(|by| probes.iter().filter(|probe| probe.by == by).collect())
        .filter(|set: &Vec<&Probe>| !set.is_empty());
    let (verdict, because) = worst(sets.map(|set| judge_set(&set, context)));
    Finding {
        guardrail,
        verdict,
        because,
        evidence: probes.into_iter().map(Evidence::Probe).collect(),
        remedy: match verdict {
            Verdict::NotProved if context.control.is_ok() => Some(
                "AWS's answers do not show it: have an administrator read the user's policies in the auth account"
                    .into(),
            ),
            _ => remedy(guardrail, verdict),
        },
    }
}

fn judge_set(probes: &[&Probe], context: &RunContext) -> (Verdict, String) {
    let names = |set: &[&Probe]| {
        let calls: Vec<&str> = set.iter().map(|probe| probe.call.as_str()).collect();
        calls.join(", ")
    };
    let pick = |test: &dyn Fn(&Probe) -> bool| -> Vec<&Probe> {
        probes.iter().copied().filter(|probe| test(probe)).collect()
    };
    let allowed = pick(&|probe| probe.outcome == Outcome::Allowed);
    if let [first, ..] = allowed[..] {
        let why = format!("AWS lets the {} call {}", first.by.name(), names(&allowed));
        return (Verdict::Open, why);
    }
    if let Err(why) = &context.control {
        return (Verdict::NotProved, format!("there is no positive control: {why}"));
    }
    let cause_is =
        |probe: &Probe, test: fn(&Cause) -> bool| probe.outcome.cause().is_some_and(test);
    let quarantined = |probe: &Probe| {
        cause_is(probe, Cause::is_quarantine)
            || context.quarantine == Some(Quarantine::Suspected)
                && QUARANTINED.contains(&probe.call.as_str())
    };
    let denied = pick(&|probe| cause_is(probe, Cause::is_own_deny) && !quarantined(probe));
    let lacking = pick(&|probe| cause_is(probe, Cause::is_own_lack));
    let undecided = pick(&|probe| matches!(probe.outcome, Outcome::Undecided { .. }));
    match (&denied[..], &lacking[..], &undecided[..]) {
        ([], [first, ..], _) => (
            Verdict::Open,
            format!(
                "no policy denies the {} {}: AWS refuses only because none allows it, and the next one attached may",
                first.by.name(),
                names(&lacking)
            ),
        ),
        ([], [], _) if probes.iter().any(|probe| quarantined(probe)) => {
            (Verdict::Masked, "AWS's quarantine of a leaked key refuses first".into())
        }
        (_, _, [_, ..]) => (Verdict::NotProved, format!("undecided: {}", names(&undecided))),
        ([], [], []) => (Verdict::NotProved, "AWS names no policy that denies it".into()),
        (_, [_, ..], _) => (
            Verdict::NotProved,
            format!("the deny spares {}, which only no policy allows", names(&lacking)),
        ),
        ([_, ..], [], []) => {
            let moot = pick(&|probe| matches!(probe.outcome, Outcome::Moot { .. }));
            let why = "refused, and AWS names the deny".to_owned();
            let but = "rejected before permissions were checked, which shows nothing";
            (
                context.against.stands(),
                match moot[..] {
                    [] => why,
                    _ => format!("{why}; but {}: {but}", names(&moot)),
                },
            )
        }
    }
}

/// Judges whether a thief who holds the key could enrol a device of their own.
pub fn judge_device(device: &DeviceEvidence, context: &RunContext) -> Finding {
    let (verdict, because) = match device {
        DeviceEvidence::TookCode => (context.against.stands(), "AWS took a code of the user's device".into()),
        DeviceEvidence::Listed { all: 0, .. } => (
            Verdict::Open,
            "the user has no MFA device: whoever holds the key may enrol one, and then passes every guardrail"
                .into(),
        ),
        DeviceEvidence::Listed { codes: 0, .. } => (
            Verdict::NotProved,
            "the user's only devices are security keys, which API calls cannot use".into(),
        ),
        DeviceEvidence::Listed { codes, .. } => (
            Verdict::NotProved,
            format!("AWS lists {codes} that make codes, but none was tried"),
        ),
        DeviceEvidence::Unknown(outcome) => (Verdict::NotProved, format!("iam:ListMFADevices: {outcome}")),
    };
    Finding {
        guardrail: Guardrail::Device,
        verdict,
        because,
        evidence: Vec::new(),
        remedy: remedy(Guardrail::Device, verdict),
    }
}

fn remedy(guardrail: Guardrail, verdict: Verdict) -> Option<String> {
    let text = match (verdict, guardrail) {
        (Verdict::Proved | Verdict::Unconfirmed, _) => return None,
        (Verdict::Open, Guardrail::Device) => {
            "enrol an authenticator app in the console now, and rotate the key: `sekisho key rotate`"
        }
        (Verdict::Open, Guardrail::Federation) => {
            "deny sts:GetFederationToken to every user: `sekisho policy --write DIR`, auth account, NoOtherSessions"
        }
        (Verdict::Open, _) => {
            "deny every user everything without MFA (BoolIfExists): `sekisho policy --write DIR`, auth account, DenyAllWithoutMfa"
        }
        (Verdict::Masked, _) => {
            "rotate the key from another machine, answer AWS's case, have the quarantine policy detached, verify again"
        }
        (_, Guardrail::Device) => "run `sekisho verify` with a code from your device",
        _ => "verify again with a code, or read the user's policies in the auth account",
    };
    Some(text.into())
}
