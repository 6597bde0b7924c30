//! One request against the documents of an organization, without running one: what `policy --check` asks.
//!
//! Order of the checks: the IAM User Guide, "Policy evaluation logic". `FullAWSAccess` and `RCPFullAWSAccess` count as
//! attached, so control policies only deny.

use std::collections::BTreeMap;

use super::policy::{Document, PolicyDecision, PolicyRequest};

/// How a document is attached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attachment {
    /// To the caller.
    Identity,
    /// To the caller's account or a unit above it.
    ServiceControl,
    /// To the resource's account or a unit above it.
    ResourceControl,
    /// To the resource: a trust policy.
    Resource,
}

/// A request as the documents see it.
#[derive(Debug, Clone)]
pub struct Simulated<'a> {
    /// `SERVICE:Action`
    pub action: &'a str,
    /// The resource's ARN, or `*`.
    pub resource: &'a str,
    /// The caller's ARN, or a service's name.
    pub principal: &'a str,
    /// The caller's account; services and federated identities have none.
    pub home: Option<&'a str>,
    /// The resource's account.
    pub account: &'a str,
    /// Condition keys, in lower case.
    pub keys: BTreeMap<String, Vec<String>>,
    /// A policy that allows everything is attached to the caller, too.
    pub is_admin: bool,
    /// The resource is a role, whose trust policy must allow as well.
    pub asks_trust: bool,
}

/// What one attached document says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ruling {
    attachment: Attachment,
    decision: PolicyDecision,
}

/// What all of them say together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conclusion {
    /// The outcome.
    pub outcome: Outcome,
    /// The position of the deciding document among the rulings, and its statement; absent where nothing allows, or
    /// where what allows is not one of the documents.
    pub by: Option<(usize, String)>,
    /// Operators and elements that were not understood and so counted against the caller.
    pub unknown: Vec<String>,
}

/// The outcome of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Every layer that must allow it does.
    Allowed,
    /// Nothing denies it, but something that must allow it does not.
    NotAllowed,
    /// A statement denies it.
    Denied,
}

impl Simulated<'_> {
    /// What a document says to the request.
    pub fn ruling(&self, attachment: Attachment, document: &Document) -> Ruling {
        let arns = [self.principal.to_owned()];
        let decision = document.decision(&PolicyRequest {
            action: self.action,
            resource: self.resource,
            keys: &self.keys,
            arns: &arns,
            account: self.home.unwrap_or_default(),
        });
        Ruling { attachment, decision }
    }

    /// What the rulings come to.
    pub fn conclude(&self, rulings: &[Ruling]) -> Conclusion {
        let unknown = rulings.iter().flat_map(|ruling| ruling.decision.unknown.clone()).collect();
        let concluded = |outcome, by| Conclusion { outcome, by, unknown };
        if self.action == "sts:GetCallerIdentity" {
            // AWS answers it whatever the policies say.
            return concluded(Outcome::Allowed, None);
        }
        let denial = (0..).zip(rulings).find_map(|(at, ruling)| {
            ruling.decision.denied_by.clone().map(|statement| (at, statement))
        });
        if denial.is_some() {
            return concluded(Outcome::Denied, denial);
        }
        let allowed = |attachment| {
            (0..).zip(rulings).filter(move |(_, ruling)| ruling.attachment == attachment).find_map(
                |(at, ruling)| ruling.decision.allowed_by.clone().map(|statement| (at, statement)),
            )
        };
        let (identity, trust) = (allowed(Attachment::Identity), allowed(Attachment::Resource));
        let by_identity = self.is_admin || identity.is_some();
        let named = rulings
            .iter()
            .any(|ruling| ruling.attachment == Attachment::Resource && ruling.decision.by_name);
        let passes = match (self.asks_trust, self.home) {
            (false, _) => by_identity,
            (true, None) => trust.is_some(),
            (true, Some(home)) if home == self.account => trust.is_some() && (by_identity || named),
            (true, Some(_)) => trust.is_some() && by_identity,
        };
        if passes {
            concluded(Outcome::Allowed, trust.or(identity))
        } else {
            concluded(Outcome::NotAllowed, None)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USER: &str = "arn:aws:iam::111111111111:user/alice";
    const ROLE: &str = "arn:aws:iam::222222222222:role/Developer";

    fn outcome(is_admin: bool, home: Option<&str>, documents: &[(Attachment, &str)]) -> Outcome {
        let request = Simulated {
            action: "sts:AssumeRole",
            resource: ROLE,
            principal: USER,
            home,
            account: "222222222222",
            keys: BTreeMap::new(),
            is_admin,
            asks_trust: true,
        };
        let rulings: Vec<Ruling> = documents
            .iter()
            .map(|(attachment, statement)| {
                let text = format!(r#"{{"Version":"2012-10-17","Statement":[{statement}]}}"#);
                request.ruling(*attachment, &Document::parse_any_key(&text).unwrap())
            })
            .collect();
        request.conclude(&rulings).outcome
    }

    #[test]
    fn a_role_in_another_account_opens_to_both_sides_only() {
        let trusts = (
            Attachment::Resource,
            r#"{"Effect":"Allow","Principal":{"AWS":"111111111111"},"Action":"sts:AssumeRole"}"#,
        );
        let denies = (
            Attachment::ResourceControl,
            r#"{"Effect":"Deny","Principal":"*","Action":"sts:*","Resource":"*",
                "Condition":{"Null":{"ec2:InstanceType":"true"}}}"#,
        );
        let (abroad, at_home) = (Some("111111111111"), Some("222222222222"));
        assert_eq!(outcome(true, abroad, &[trusts]), Outcome::Allowed);
        assert_eq!(outcome(false, abroad, &[trusts]), Outcome::NotAllowed);
        assert_eq!(outcome(true, abroad, &[]), Outcome::NotAllowed);
        assert_eq!(outcome(true, abroad, &[trusts, denies]), Outcome::Denied);
        // Trust by name is enough within an account, trust by account is not.
        let named = (
            Attachment::Resource,
            r#"{"Effect":"Allow","Action":"sts:AssumeRole",
                "Principal":{"AWS":"arn:aws:iam::111111111111:user/alice"}}"#,
        );
        assert_eq!(outcome(false, at_home, &[named]), Outcome::Allowed);
        assert_eq!(outcome(false, abroad, &[named]), Outcome::NotAllowed);
    }
}
