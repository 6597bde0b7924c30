//! Whose key enters which roles: a config has one IAM user, so roles of different ones are never mixed.

use std::collections::HashMap;

use super::most;
use super::profiles::{Key, OtherWay, Profile};
use super::remarks::named;
use crate::domain::ids::{AccountId, MfaSerial, Partition, Region, RoleArn};
use crate::domain::text::{sanitize, shell_quoted};

/// What the command line and the config that is there say about the import; the rest is guessed from the files.
#[derive(Debug, Clone, Default)]
pub struct ImportOptions {
    /// The auth account; else the one of the user who enters most roles.
    pub auth_account: Option<AccountId>,
    /// The region; else the default profile's, else the one named most often.
    pub region: Option<Region>,
    /// Only roles of this partition; else the one with most roles.
    pub partition: Option<Partition>,
    /// Only roles that are entered with this profile's key.
    pub source: Option<String>,
    /// The devices of the config that is there: whose they are is the user to take.
    pub devices: Vec<MfaSerial>,
    /// The profile that the config takes its key from.
    pub key_profile: Option<String>,
}

impl ImportOptions {
    /// Whether a profile's `credential_process` prints the access key of an IAM user. The profile cannot tell, so
    /// the command line, or the config that is there, has to have named it.
    pub(super) fn prints_a_key(&self, profile: &Profile) -> bool {
        let is_named = |name: &Option<String>| name.as_ref() == Some(&profile.name);
        profile.other_way == Some(OtherWay::Process)
            && [&self.source, &self.key_profile].into_iter().any(is_named)
    }
}

/// A profile whose role can be entered.
pub(super) struct Candidate<'a> {
    pub(super) profile: &'a Profile,
    pub(super) arn: RoleArn,
    pub(super) partition: Partition,
    /// The profile whose key enters it.
    pub(super) root: &'a Profile,
    /// It, and those on the way to the key.
    pub(super) hops: Vec<&'a Profile>,
    /// The account it is entered from, where the files say so.
    pub(super) origin: Option<AccountId>,
    pub(super) device: Option<&'a str>,
}

impl<'a> Candidate<'a> {
    /// The id of the access key that enters it, where the files hold it.
    pub(super) fn key(&self) -> Option<&'a str> {
        self.root.get(Key::AccessKeyId)
    }
}

/// What tells one IAM user from another.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Trait<'a> {
    /// The id of an access key.
    Key(&'a str),
    /// A profile whose key is elsewhere, as in aws-vault's keychain.
    Profile(&'a str),
    Device(&'a str),
}

/// The roles that one IAM user enters in one partition.
pub(super) struct Identity<'a> {
    /// The user's account, where the files tell it.
    pub(super) account: Option<AccountId>,
    pub(super) partition: Partition,
    pub(super) candidates: Vec<Candidate<'a>>,
}

/// Roles that are entered by somebody else, and so are not in the config.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherIdentity {
    /// The profile with the key.
    pub source: String,
    /// The account of the key's user, where the files tell it.
    pub account: Option<AccountId>,
    /// `Some` where the source alone does not tell these roles from the others.
    pub partition: Option<Partition>,
    /// The profiles with the roles.
    pub profiles: Vec<String>,
}

impl OtherIdentity {
    /// What was left out.
    pub fn line(&self) -> String {
        let names: Vec<&str> = self.profiles.iter().map(String::as_str).collect();
        let account = self.account.map(|id| format!(" of account {id}")).unwrap_or_default();
        let partition =
            self.partition.map(|it| format!(" in partition {}", it.name())).unwrap_or_default();
        format!(
            "left out, entered with the key of profile {}{account}{partition}; a config has one IAM user: {}",
            sanitize(&self.source),
            named(&names)
        )
    }

    /// The words of `import aws-config` that take these roles.
    pub fn options(&self) -> String {
        let mut words = format!("--source {}", shell_quoted(&self.source));
        match self.account {
            Some(account) => words.push_str(&format!(" --account {account}")),
            None => words.push_str(" --account 12DIGITS"),
        }
        if let Some(partition) = self.partition {
            words.push_str(&format!(" --partition {}", partition.name()));
        }
        words
    }
}

/// Sorts roles by who enters them, in the order of the first profile.
pub(super) fn identities(candidates: Vec<Candidate<'_>>) -> Vec<Identity<'_>> {
    let mut users = Users::default();
    let found: Vec<usize> = candidates.iter().map(|candidate| users.of(candidate)).collect();
    let found: Vec<usize> = found.into_iter().map(|user| users.root(user)).collect();
    // One key belongs to one account: what some of its profiles tell holds for the others.
    let mut told: HashMap<usize, Vec<AccountId>> = HashMap::new();
    for (user, candidate) in found.iter().zip(&candidates) {
        told.entry(*user).or_default().extend(candidate.origin);
    }
    let accounts: HashMap<usize, AccountId> =
        told.into_iter().filter_map(|(user, told)| Some((user, most(told)?))).collect();
    let mut identities: Vec<Identity<'_>> = Vec::new();
    let mut places: HashMap<(usize, Option<AccountId>, Partition), usize> = HashMap::new();
    for (user, candidate) in found.into_iter().zip(candidates) {
        let account = candidate.origin.or_else(|| accounts.get(&user).copied());
        let partition = candidate.partition;
        let place = *places.entry((user, account, partition)).or_insert_with(|| {
            identities.push(Identity { account, partition, candidates: Vec::new() });
            identities.len() - 1
        });
        identities[place].candidates.push(candidate);
    }
    identities
}

/// Sets of traits that belong to one user each.
#[derive(Default)]
struct Users<'a> {
    by_trait: HashMap<Trait<'a>, usize>,
    /// Each user's, or the one it was found to be.
    same_as: Vec<usize>,
}

impl<'a> Users<'a> {
    fn of(&mut self, candidate: &Candidate<'a>) -> usize {
        if let Some(key) = candidate.key() {
            return self.with(Trait::Key(key));
        }
        let user = self.with(Trait::Profile(&candidate.root.name));
        if let Some(device) = candidate.device {
            let other = self.with(Trait::Device(device));
            let (user, other) = (self.root(user), self.root(other));
            self.same_as[other] = user;
        }
        user
    }

    fn with(&mut self, it: Trait<'a>) -> usize {
        let same_as = &mut self.same_as;
        *self.by_trait.entry(it).or_insert_with(|| {
            same_as.push(same_as.len());
            same_as.len() - 1
        })
    }

    fn root(&self, mut user: usize) -> usize {
        while self.same_as[user] != user {
            user = self.same_as[user];
        }
        user
    }
}

impl Identity<'_> {
    /// The profile with the key.
    pub(super) fn source(&self) -> &str {
        self.candidates.first().map_or("", |candidate| &candidate.root.name)
    }

    fn is_of(&self, source: &str) -> bool {
        self.candidates.iter().any(|candidate| candidate.root.name == source)
    }

    /// Whether the config that is there belongs to this user.
    pub(super) fn is_users(&self, options: &ImportOptions) -> bool {
        let has_device = self.candidates.iter().any(|candidate| {
            let device = candidate.device;
            device.is_some_and(|it| options.devices.iter().any(|known| known.as_str() == it))
        });
        has_device || options.key_profile.as_ref().is_some_and(|profile| self.is_of(profile))
    }
}

/// The user whose roles are taken, and the others. `None` where none fits the options.
pub(super) fn choose<'a>(
    mut identities: Vec<Identity<'a>>,
    options: &ImportOptions,
) -> (Option<Identity<'a>>, Vec<OtherIdentity>) {
    let is_asked_for = |identity: &Identity<'_>| {
        options.source.as_ref().is_none_or(|source| identity.is_of(source))
            && options.partition.is_none_or(|partition| identity.partition == partition)
            && options
                .auth_account
                .is_none_or(|account| identity.account.is_none_or(|its| its == account))
    };
    let rank = |identity: &Identity<'_>| {
        let is_known = options.auth_account.is_some() && identity.account.is_some();
        (identity.is_users(options), is_known, identity.candidates.len())
    };
    let mut chosen: Option<usize> = None;
    for (at, identity) in identities.iter().enumerate().filter(|(_, it)| is_asked_for(it)) {
        if chosen.is_none_or(|best| rank(identity) > rank(&identities[best])) {
            chosen = Some(at);
        }
    }
    let chosen = chosen.map(|at| identities.remove(at));
    let has_source = |other: &Identity<'_>, source| {
        chosen.as_ref().is_some_and(|it| it.is_of(source) && it.partition != other.partition)
    };
    let others = identities
        .iter()
        .map(|other| OtherIdentity {
            source: other.source().to_owned(),
            account: other.account,
            partition: has_source(other, other.source()).then_some(other.partition),
            profiles: other.candidates.iter().map(|it| it.profile.name.clone()).collect(),
        })
        .collect();
    (chosen, others)
}
