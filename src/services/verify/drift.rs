//! `verify --drift`: reads what is attached in the organization and in the auth account, and compares it with what
//! `policy` renders. Every call reads.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::domain::config::{Auth, Guardrails};
use crate::domain::fault::Fault;
use crate::domain::ids::AccountId;
use crate::domain::policy::Document;
use crate::domain::policy::drift::{
    AttachedPolicy, Drift, DriftReport, PlaceDrift, PolicySet, SCHEMA, Unread,
};
use crate::domain::text::sanitize;
use crate::services::aws::{
    AccountPolicies, Aws, CallerIdentity, ControlPolicy, ControlType, Doing, Failure, FailureKind,
    RawClient, Signer,
};

/// What the policies are called where they were deployed as `policy` says.
const OURS: &str = "sekisho-";
/// The policy that only a budget's action attaches.
const BRAKE: &str = "sekisho-brake";

/// Whose credentials read what.
#[derive(Clone, Copy)]
pub struct Readers<'a> {
    /// The person's own session in the auth account.
    pub own: Signer<'a>,
    /// A role's, for the organization.
    pub via: Option<Signer<'a>>,
}

/// Compares.
pub async fn drift(
    aws: &Aws,
    readers: Readers<'_>,
    auth: &Auth,
    guardrails: Option<&Guardrails>,
    rendered: &[Document],
    now: Timestamp,
) -> Result<DriftReport, Fault> {
    let mut sets: BTreeMap<PolicySet, Vec<&Document>> = BTreeMap::new();
    for document in rendered {
        if let Some(set) = PolicySet::of(document) {
            sets.entry(set).or_default().push(document);
        }
    }
    let mut report = DriftReport {
        schema: SCHEMA,
        at: now,
        version: env!("CARGO_PKG_VERSION").into(),
        endpoint: aws.sts_host(),
        places: Vec::new(),
        unread: Vec::new(),
    };
    let signer = readers.via.unwrap_or(readers.own);
    let who = async |signer| {
        aws.caller_identity(signer).await.map_err(|failure| failure.fault(Doing::Asking))
    };
    let caller = who(signer).await?;
    // A role of another account cannot read the auth account's IAM; the person's own session may.
    let own = match readers.via {
        Some(via) if caller.account == auth.account => (via, caller.clone()),
        Some(_) => (readers.own, who(readers.own).await?),
        None => (readers.own, caller.clone()),
    };
    if let Some(documents) = sets.remove(&PolicySet::Users) {
        let read = aws.account_policies(own.0).await;
        users_policy(&mut report, read, &documents, &own.1, auth.account)?;
    }
    let unit = guardrails.and_then(|guardrails| guardrails.sandbox_ou.as_deref());
    if let Some(unit) = unit.filter(|_| !sets.is_empty()) {
        let reading = Reading { client: aws.raw(), signer, caller: &caller };
        reading.organization(&mut report, &sets, unit, &auth.account.to_string()).await?;
    }
    report.unread = merged(report.unread);
    Ok(report)
}

/// The group that has the users' policy, and who is outside it.
fn users_policy(
    report: &mut DriftReport,
    read: Result<AccountPolicies, Failure>,
    documents: &[&Document],
    caller: &CallerIdentity,
    auth: AccountId,
) -> Result<(), Fault> {
    let account = match read {
        Ok(account) => account,
        Err(failure) => {
            let who = format!(
                "an administrator of the auth account {auth} may: --via TARGET names a role there"
            );
            let what = PolicySet::Users.name();
            let call = "iam:GetAccountAuthorizationDetails";
            report.unread.push(unread(&failure, what, call, caller, who)?);
            return Ok(());
        }
    };
    let compare = |target: &str, policies: &[AttachedPolicy]| {
        let policies: Vec<AttachedPolicy> = policies
            .iter()
            .map(|policy| AttachedPolicy {
                name: sanitize(&policy.name),
                text: policy.text.clone(),
            })
            .collect();
        let place = PlaceDrift::compare(PolicySet::Users, target, documents, &policies);
        PlaceDrift { read_as: sanitize(&caller.arn), ..place }
    };
    // The groups that have at least one of its statements; where none has, the policy is nowhere.
    let holders: Vec<(&str, PlaceDrift)> = account
        .groups
        .iter()
        .map(|(name, policies)| {
            (name.as_str(), compare(&format!("group {}", sanitize(name)), policies))
        })
        .filter(|(_, place)| place.count(Drift::Same) + place.count(Drift::Changed) > 0)
        .collect();
    let outside = account
        .users
        .iter()
        .filter(|(_, groups)| !groups.iter().any(|of| holders.iter().any(|(name, _)| name == of)))
        .map(|(user, _)| sanitize(user))
        .collect();
    let mut places: Vec<PlaceDrift> = holders.into_iter().map(|(_, place)| place).collect();
    if places.is_empty() {
        places.push(compare(&format!("every group of {auth}"), &[]));
    }
    places[0].users_outside = outside;
    report.places.append(&mut places);
    Ok(())
}

/// Reads the organization.
struct Reading<'a> {
    client: RawClient<'a>,
    signer: Signer<'a>,
    caller: &'a CallerIdentity,
}

/// A control policy and what it is attached to.
struct Attached {
    policy: ControlPolicy,
    targets: Vec<String>,
    /// Its JSON, for those that bind one of the places.
    text: Option<String>,
}

impl Reading<'_> {
    async fn organization(
        &self,
        report: &mut DriftReport,
        sets: &BTreeMap<PolicySet, Vec<&Document>>,
        unit: &str,
        auth: &str,
    ) -> Result<(), Fault> {
        let mut above = BTreeMap::new();
        for place in [unit, auth] {
            match self.client.units_above(self.signer, place).await {
                Ok(units) => drop(above.insert(place, units)),
                Err(failure) => {
                    let what = format!("the units above {place}, whose policies bind it too");
                    let call = "organizations:ListParents";
                    report.unread.push(self.unread(&failure, &what, call)?);
                }
            }
        }
        let binds = |place: &str, target: &String| {
            target == place || above.get(place).is_some_and(|above| above.contains(target))
        };
        for (kind, own) in [
            (
                ControlType::Service,
                &[PolicySet::SandboxScp, PolicySet::AuthScp, PolicySet::Brake][..],
            ),
            (ControlType::Resource, &[PolicySet::SandboxRcp]),
        ] {
            let own: Vec<PolicySet> =
                own.iter().copied().filter(|set| sets.contains_key(set)).collect();
            if own.is_empty() {
                continue;
            }
            let relevant = |name: &str, targets: &[String]| {
                name == BRAKE || targets.iter().any(|at| binds(unit, at) || binds(auth, at))
            };
            let policies = match self.attached(kind, relevant).await {
                Ok(policies) => policies,
                Err((call, failure)) => {
                    let names: Vec<&str> = own.iter().map(|set| set.name()).collect();
                    report.unread.push(self.unread(&failure, &names.join(", "), call)?);
                    continue;
                }
            };
            let mut unattached: Vec<String> = policies
                .iter()
                .filter(|one| one.text.is_none() && one.policy.name.starts_with(OURS))
                .map(Attached::shown)
                .collect();
            for set in own {
                let place = match set {
                    PolicySet::AuthScp => auth,
                    _ => unit,
                };
                let there = policies.iter().filter_map(|one| {
                    let at = one.targets.iter().find(|target| binds(place, target));
                    let name = match (set, at) {
                        (PolicySet::Brake, _) => (one.policy.name == BRAKE).then(|| one.shown()),
                        _ if one.policy.name == BRAKE => None,
                        (_, Some(at)) if at == place => Some(one.shown()),
                        (_, Some(at)) => {
                            Some(format!("{}, attached to {}", one.shown(), sanitize(at)))
                        }
                        (_, None) => None,
                    };
                    Some(AttachedPolicy { name: name?, text: one.text.clone()? })
                });
                let target = if set == PolicySet::Brake { "the organization" } else { place };
                let there: Vec<AttachedPolicy> = there.collect();
                let compared = PlaceDrift::compare(set, target, &sets[&set], &there);
                report.places.push(PlaceDrift {
                    read_as: sanitize(&self.caller.arn),
                    unattached: if set == PolicySet::Brake {
                        Vec::new()
                    } else {
                        std::mem::take(&mut unattached)
                    },
                    ..compared
                });
            }
        }
        Ok(())
    }

    /// Every policy of a kind but AWS's own, with the text of those that are relevant.
    async fn attached(
        &self,
        kind: ControlType,
        relevant: impl Fn(&str, &[String]) -> bool,
    ) -> Result<Vec<Attached>, (&'static str, Failure)> {
        let (client, signer) = (&self.client, self.signer);
        let refused = |call| move |failure| (call, failure);
        let listed = client.control_policies(signer, kind).await;
        let mut policies = Vec::new();
        for policy in listed.map_err(refused("organizations:ListPolicies"))? {
            if policy.aws_managed {
                continue;
            }
            let targets = client.policy_targets(signer, &policy.id).await;
            let targets = targets.map_err(refused("organizations:ListTargetsForPolicy"))?;
            let text = if relevant(&policy.name, &targets) {
                let text = client.policy_text(signer, &policy.id).await;
                Some(text.map_err(refused("organizations:DescribePolicy"))?)
            } else {
                None
            };
            policies.push(Attached { policy, targets, text });
        }
        Ok(policies)
    }

    fn unread(&self, failure: &Failure, what: &str, call: &str) -> Result<Unread, Fault> {
        let who = "the management account and delegated administrators may: --via TARGET names a role there";
        unread(failure, what, call, self.caller, who.to_owned())
    }
}

impl Attached {
    fn shown(&self) -> String {
        sanitize(&format!("{} ({})", self.policy.name, self.policy.id))
    }
}

/// One entry for each call that was refused alike, with all that it would have told.
fn merged(unread: Vec<Unread>) -> Vec<Unread> {
    let mut merged: Vec<Unread> = Vec::new();
    for one in unread {
        let same = |other: &&mut Unread| {
            (&other.call, &other.why, &other.read_as) == (&one.call, &one.why, &one.read_as)
        };
        match merged.iter_mut().find(same) {
            Some(first) => first.what = format!("{}; {}", first.what, one.what),
            None => merged.push(one),
        }
    }
    merged
}

/// A refusal as a part of the report; what is none ends the run.
fn unread(
    failure: &Failure,
    what: &str,
    call: &str,
    caller: &CallerIdentity,
    who: String,
) -> Result<Unread, Fault> {
    let code = failure.code.as_deref().unwrap_or_default();
    let is_missing = code.ends_with("NotFoundException");
    let refused = matches!(failure.kind, FailureKind::Denied | FailureKind::IdentityDeny)
        || code.starts_with("AWSOrganizations");
    if !refused && !is_missing {
        return Err(failure.fault(Doing::Asking));
    }
    let who = if is_missing {
        "check that `guardrails.sandbox_ou` and `auth.account` belong to this organization".into()
    } else {
        who
    };
    Ok(Unread {
        what: what.to_owned(),
        call: call.to_owned(),
        why: failure.message.clone(),
        read_as: sanitize(&caller.arn),
        who,
    })
}
