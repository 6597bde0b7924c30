//! Judges what else opens an account: doors for others than the auth account's users, and keys of its own users.

use std::collections::BTreeMap;

use crate::domain::trust::{Door, DoorKind, DoorStanding, Reading};

use super::report::{LocalUser, RoleTrust};
use super::{Evidence, Finding, Guardrail, Outcome, RunContext, Signed, Verdict};

/// Whether the bare key, or the console sign-in, enters roles of the auth account, by the role's ARN.
pub type Hops = BTreeMap<String, Outcome>;

/// Judges the doors of an account's roles. `listed` says why not all roles are known, if so.
pub fn judge_doors(
    roles: &[RoleTrust],
    listed: &Result<(), Outcome>,
    hops: &Hops,
    context: &RunContext,
) -> Finding {
    let doors: Vec<(&str, &Door)> = roles
        .iter()
        .flat_map(|role| role.policy.doors.iter().map(|door| (role.role.as_str(), door)))
        .collect();
    let hop = |door: &Door| hops.get(&door.principal).filter(|_| door.kind == DoorKind::AuthRole);
    // A sign-in that gets there may carry MFA information.
    let is_entered =
        |door: &Door| context.by == Signed::Key && hop(door) == Some(&Outcome::Allowed);
    let is_open = |door: &Door| door.standing() == DoorStanding::Open || is_entered(door);
    let of = |wanted: &dyn Fn(&Door) -> bool| -> Vec<(&str, &Door)> {
        doors.iter().copied().filter(|(_, door)| wanted(door)).collect()
    };
    let open = of(&is_open);
    let others = of(&|door| !is_open(door) && door.standing() == DoorStanding::ForOthers);
    let bound = doors.len() - open.len() - others.len();
    let unclear = roles
        .iter()
        .filter(|role| {
            matches!(role.policy.users, Reading::Unclear { .. }) && role.policy.doors.is_empty()
        })
        .count();
    let (verdict, because) = match (&open[..], &others[..], listed) {
        ([_, ..], ..) => (Verdict::Open, format!("anybody outside may enter: {}", by_kind(&open))),
        (_, [_, ..], _) => {
            let many = others.len();
            let plural = if many == 1 { "" } else { "s" };
            (Verdict::NotProved, format!("{many} door{plural} for others: {}", by_kind(&others)))
        }
        (.., Err(why)) => {
            (Verdict::NotProved, format!("the account's roles could not be listed: {why}"))
        }
        _ if unclear > 0 => {
            (Verdict::NotProved, format!("{unclear} trust policies cannot be fully interpreted"))
        }
        _ if bound > 0 => (
            context.against.stands(),
            format!("read: MFA or a condition binds each of {bound} doors for others"),
        ),
        _ => (context.against.stands(), "read: nobody else is let in".into()),
    };
    let evidence = open.into_iter().chain(others).map(|(role, door)| Evidence::Door {
        role: role.to_owned(),
        door: door.clone(),
        hop: hop(door).cloned(),
        hop_by: (context.by != Signed::Key).then_some(context.by),
    });
    Finding {
        guardrail: Guardrail::OtherDoors,
        verdict,
        because,
        evidence: evidence.collect(),
        remedy: remedy(verdict),
    }
}

/// `2 × foreign account, 1 × OIDC issuer`
fn by_kind(doors: &[(&str, &Door)]) -> String {
    let mut counts: BTreeMap<DoorKind, usize> = BTreeMap::new();
    for (_, door) in doors {
        *counts.entry(door.kind).or_default() += 1;
    }
    let parts: Vec<String> =
        counts.into_iter().map(|(kind, many)| format!("{many} × {}", kind.name())).collect();
    parts.join(", ")
}

/// Judges the account's own IAM users: an active key of one opens the account without any of the guardrails.
pub fn judge_local_users(users: &Result<Vec<LocalUser>, Outcome>, context: &RunContext) -> Finding {
    let finding = |verdict, because: String, evidence| Finding {
        guardrail: Guardrail::LocalUsers,
        verdict,
        because,
        evidence,
        remedy: match verdict {
            Verdict::Proved | Verdict::Unconfirmed => None,
            _ if users.is_ok() => Some(
                "delete these keys, or deny the account's IAM users everything without MFA: \
                 `sekisho policy --write DIR`, organization"
                    .into(),
            ),
            _ => Some(
                "let the role call iam:ListUsers, iam:ListAccessKeys and iam:GetAccessKeyLastUsed"
                    .into(),
            ),
        },
    };
    let users = match users {
        Ok(users) => users,
        Err(why) => {
            let because = format!("the account's IAM users could not be listed: {why}");
            return finding(Verdict::NotProved, because, Vec::new());
        }
    };
    let with_keys: Vec<&LocalUser> =
        users.iter().filter(|user| user.keys.iter().any(|key| key.active)).collect();
    let evidence =
        users.iter().filter(|user| !user.keys.is_empty()).cloned().map(Evidence::LocalUser);
    match with_keys.len() {
        0 => finding(
            context.against.stands(),
            format!("none of the account's {} IAM users has an active access key", users.len()),
            evidence.collect(),
        ),
        many => finding(
            Verdict::NotProved,
            format!(
                "{many} of the account's IAM users {} an active access key, which opens what the user may do",
                if many == 1 { "has" } else { "have" }
            ),
            evidence.collect(),
        ),
    }
}

fn remedy(verdict: Verdict) -> Option<String> {
    let text = match verdict {
        Verdict::Open => {
            "remove the statement, or bind it: a foreign account by sts:ExternalId or aws:PrincipalOrgID, \
             an issuer by its `sub` (and `aud`); an account that you trust goes into guardrails.trusted_accounts"
        }
        Verdict::NotProved => {
            "have each of them reviewed: who may use it, and whether it asks for MFA on its side"
        }
        _ => return None,
    };
    Some(text.into())
}
