//! Profiles of `~/.aws/config` become a config: roles by account, and the account they are entered from.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::time::Duration;

use super::profiles::{Key, OtherWay, Profile, Profiles};
use super::remarks::{Remark, Remarks};
use super::{Names, shared_part};
use crate::domain::config::MfaDevice;
use crate::domain::config::draft::{Draft, DraftAccount, DraftAuth, DraftRole};
use crate::domain::fault::{Exit, Fault};
use crate::domain::flow::Flow;
use crate::domain::ids::{AccountId, MfaSerial, Partition, Region, RoleArn};

/// IAM allows a user this many devices.
const MAX_DEVICES: usize = 8;
/// The most roles of one account: the longest list that a config takes.
const MAX_ROLES: usize = 1_000;
/// How many profiles a comment names.
const NAMED: usize = 8;

/// What the command line says about the config; the rest is guessed from the file.
#[derive(Debug, Clone, Default)]
pub struct ImportOptions {
    /// The auth account; else the one that most MFA devices belong to.
    pub auth_account: Option<AccountId>,
    /// The region; else the default profile's, else the one named most often.
    pub region: Option<Region>,
}

/// The result of an import.
#[derive(Debug)]
pub struct Imported {
    /// The config, ready to be written.
    pub draft: Draft,
    /// What is not in it, or not as it was: one line each.
    pub remarks: Vec<String>,
    /// How many profiles became roles.
    pub taken: usize,
}

/// A profile whose role can be entered.
struct Candidate<'a> {
    profile: &'a Profile,
    arn: RoleArn,
    partition: Partition,
    /// The profile whose key enters it; it may lie among the credentials.
    source: Option<&'a str>,
    /// The account it is entered from, where the file says so.
    origin: Option<AccountId>,
    device: Option<&'a str>,
}

/// Makes a config of a file's profiles.
///
/// Fails where no profile has a role to assume, or none names the auth account.
pub fn convert(profiles: &Profiles, options: &ImportOptions) -> Result<Imported, Fault> {
    let mut import = Import { profiles, remarks: Remarks::default() };
    let mut candidates = import.candidates();
    if candidates.is_empty() {
        let fault = Fault::new(Exit::Fault, "no profile has a role that sekisho can assume");
        let fault = import.remarks.lines().into_iter().fold(fault, Fault::because);
        return Err(fault.fix("start from a few questions instead: sekisho init"));
    }
    share_origins(&mut candidates);
    let account = options
        .auth_account
        .or_else(|| most(candidates.iter().filter_map(|candidate| candidate.origin)));
    let account = account.ok_or_else(|| {
        Fault::new(Exit::Usage, "cannot tell which account is the auth account")
            .because("no profile has an mfa_serial that names one, such as arn:aws:iam::111111111111:mfa/NAME")
            .fix("name the account your IAM user lives in: sekisho import aws-config --account 111111111111")
    })?;
    candidates.retain(|candidate| import.is_entered_from(account, candidate));
    let partition =
        most(candidates.iter().map(|candidate| candidate.partition)).ok_or_else(|| {
            Fault::new(Exit::Usage, format!("no profile is entered from {account}"))
                .because("the mfa_serial of every role profile belongs to another account")
                .fix("leave out --account to use the account that most profiles name")
        })?;
    candidates.retain(|candidate| {
        let is_here = candidate.partition == partition;
        if !is_here {
            let why = Remark::OtherPartition(candidate.partition.name());
            import.remarks.note(why, candidate.profile);
        }
        is_here
    });
    let region = import.region(options, partition, &candidates);
    let mfa = import.devices(account, &candidates);
    let (accounts, taken) = import.accounts(&candidates, &region);
    Ok(Imported {
        draft: Draft {
            heading: Vec::new(),
            auth: Some(DraftAuth { account, user: None, mfa }),
            roles: Vec::new(),
            region: Some(region),
            accounts,
        },
        remarks: import.remarks.lines(),
        taken,
    })
}

struct Import<'a> {
    profiles: &'a Profiles,
    remarks: Remarks<'a>,
}

impl<'a> Import<'a> {
    /// The profiles whose role an IAM user enters; remarks on the others.
    fn candidates(&mut self) -> Vec<Candidate<'a>> {
        let profiles = self.profiles;
        // Profiles that only serve others need no role: leaving them out is not worth a remark.
        let served: HashSet<&str> = profiles
            .iter()
            .flat_map(|profile| {
                [Key::SourceProfile, Key::IncludeProfile].map(|key| profile.get(key))
            })
            .flatten()
            .chain(["default"])
            .collect();
        let mut candidates = Vec::new();
        for profile in profiles.iter() {
            match (self.candidate(profile), profile.get(Key::RoleArn)) {
                (Ok(candidate), _) => candidates.push(candidate),
                (Err(_), None) if served.contains(profile.name.as_str()) => {}
                (Err(why), _) => self.remarks.note(why, profile),
            }
        }
        candidates
    }

    fn candidate(&self, profile: &'a Profile) -> Result<Candidate<'a>, Remark> {
        let profiles = self.profiles;
        let way = |profile: &Profile| {
            Err(match profile.other_way {
                None => return Ok(()),
                Some(OtherWay::Sso) => Remark::Sso,
                Some(OtherWay::Process) => Remark::Process,
                Some(OtherWay::WebIdentity) => Remark::WebIdentity,
                Some(OtherWay::Machine) => Remark::Machine,
            })
        };
        way(profile)?;
        let arn: RoleArn =
            profile.get(Key::RoleArn).ok_or(Remark::NoRole)?.parse().map_err(|_| Remark::NoArn)?;
        let partition = arn.partition().parse().map_err(|_| Remark::NoArn)?;
        // A source that is not in the file lies among the credentials, with a key of its own.
        let source_name = profiles.inherited(profile, Key::SourceProfile);
        let source = source_name
            .and_then(|name| profiles.get(name))
            .filter(|source| source.name != profile.name);
        if let Some(source) = source {
            if source.get(Key::RoleArn).is_some() {
                return Err(Remark::Chain);
            }
            // A program may well print the user's own key.
            if source.other_way != Some(OtherWay::Process) {
                way(source)?;
            }
        }
        let near = [Some(profile), source, profiles.get("default")];
        let inherited =
            |key| near.iter().flatten().find_map(|profile| profiles.inherited(profile, key));
        let device = inherited(Key::MfaSerial);
        let account = source.and_then(|source| profiles.inherited(source, Key::AwsAccountId));
        Ok(Candidate {
            profile,
            arn,
            partition,
            source: source_name,
            origin: device.and_then(owner).or_else(|| account?.parse().ok()),
            device,
        })
    }

    fn is_entered_from(&mut self, account: AccountId, candidate: &Candidate<'a>) -> bool {
        let other = candidate.origin.filter(|origin| *origin != account);
        if let Some(other) = other {
            self.remarks.note(Remark::OtherAuth(other), candidate.profile);
        }
        other.is_none()
    }

    /// The region of what names none.
    fn region(
        &self,
        options: &ImportOptions,
        partition: Partition,
        candidates: &[Candidate<'a>],
    ) -> Region {
        let named = |profile: &'a Profile| {
            let region: Region = self.profiles.inherited(profile, Key::Region)?.parse().ok()?;
            (region.partition() == partition).then_some(region)
        };
        let given = options.region.clone();
        given
            .filter(|region| region.partition() == partition)
            .or_else(|| named(self.profiles.get("default")?))
            .or_else(|| most(candidates.iter().filter_map(|candidate| named(candidate.profile))))
            .unwrap_or_else(|| partition.home())
    }

    /// The devices of the auth account, the one that most profiles name first.
    fn devices(&mut self, account: AccountId, candidates: &[Candidate<'a>]) -> Vec<MfaDevice> {
        let mut serials: Vec<MfaSerial> = Vec::new();
        for candidate in candidates {
            let Some(text) = candidate.device else {
                continue;
            };
            match text.parse::<MfaSerial>() {
                Ok(serial) if owner(text).is_none_or(|owner| owner == account) => {
                    serials.push(serial);
                }
                _ => self.remarks.note(Remark::Device, candidate.profile),
            }
        }
        let device = |serial| MfaDevice { serial, label: None };
        ranked(serials).into_iter().take(MAX_DEVICES).map(device).collect()
    }

    /// The accounts in the order of their first profile, and how many profiles are in them.
    fn accounts(
        &mut self,
        candidates: &[Candidate<'a>],
        default: &Region,
    ) -> (Vec<DraftAccount>, usize) {
        let mut groups: Vec<Group<'a>> = Vec::new();
        let mut by_id: HashMap<AccountId, usize> = HashMap::new();
        let mut seen: HashSet<(AccountId, &str)> = HashSet::new();
        let mut taken = 0;
        for candidate in candidates {
            let id = candidate.arn.account();
            if !seen.insert((id, candidate.arn.name())) {
                self.remarks.note(Remark::Twice, candidate.profile);
                continue;
            }
            let at = *by_id.entry(id).or_insert_with(|| {
                groups.push(Group { id, profiles: Vec::new(), roles: Vec::new() });
                groups.len() - 1
            });
            if groups[at].roles.len() == MAX_ROLES {
                self.remarks.note(Remark::TooMany, candidate.profile);
                continue;
            }
            let role = self.role(candidate);
            groups[at].profiles.push(&candidate.profile.name);
            groups[at].roles.push(role);
            taken += 1;
        }
        let mut names = Names::default();
        let accounts = groups.into_iter().map(|group| group.account(&mut names, default));
        (accounts.collect(), taken)
    }

    fn role(&mut self, candidate: &Candidate<'a>) -> DraftRole {
        let profile = candidate.profile;
        let duration = self.value(profile, Key::DurationSeconds, Remark::Duration, |text| {
            let seconds = text.parse().ok().filter(|seconds| (900..=43_200).contains(seconds));
            seconds.map(Duration::from_secs)
        });
        if duration.is_some_and(|duration| duration > Flow::SHARED_MAX) {
            self.remarks.note(Remark::Direct, profile);
        }
        DraftRole {
            name: candidate.arn.role_name(),
            path: candidate.arn.path(),
            duration: duration.filter(|duration| *duration != Flow::SHARED_MAX),
            region: self.value(profile, Key::Region, Remark::Region, |text| {
                let region: Option<Region> = text.parse().ok();
                region.filter(|region| region.partition() == candidate.partition)
            }),
            external_id: self
                .value(profile, Key::ExternalId, Remark::ExternalId, |text| text.parse().ok()),
        }
    }

    /// A profile's value, with a remark where it cannot be taken over.
    fn value<T>(
        &mut self,
        profile: &'a Profile,
        key: Key,
        bad: Remark,
        read: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        let value = read(self.profiles.inherited(profile, key)?);
        if value.is_none() {
            self.remarks.note(bad, profile);
        }
        value
    }
}

/// The profiles of one account.
struct Group<'a> {
    id: AccountId,
    profiles: Vec<&'a str>,
    roles: Vec<DraftRole>,
}

impl Group<'_> {
    fn account(mut self, names: &mut Names, default: &Region) -> DraftAccount {
        let name = names.name(shared_part(&self.profiles), self.id);
        let is_renamed = self.profiles != [name.as_str()];
        let comment = is_renamed.then(|| match self.profiles[..] {
            [only] => format!("profile {only}"),
            ref many if many.len() <= NAMED => format!("profiles {}", many.join(", ")),
            ref many => {
                format!("profiles {} and {} more", many[..NAMED].join(", "), many.len() - NAMED)
            }
        });
        let effective = |role: &DraftRole| role.region.clone().unwrap_or_else(|| default.clone());
        let first = self.roles.first().map(effective);
        let is_one = self.roles.iter().all(|role| Some(effective(role)) == first);
        let region = first.filter(|region| is_one && region != default);
        for role in &mut self.roles {
            role.region.take_if(|region| is_one || region == default);
        }
        DraftAccount { name, id: self.id, roles: self.roles, region, comment }
    }
}

/// One key belongs to one account: what some of its profiles tell holds for the others.
fn share_origins(candidates: &mut [Candidate<'_>]) {
    let mut told: HashMap<&str, Vec<AccountId>> = HashMap::new();
    for candidate in &*candidates {
        if let (Some(source), Some(origin)) = (candidate.source, candidate.origin) {
            told.entry(source).or_default().push(origin);
        }
    }
    let origins: HashMap<&str, AccountId> =
        told.into_iter().filter_map(|(source, origins)| Some((source, most(origins)?))).collect();
    for candidate in candidates {
        let shared = || origins.get(candidate.source?).copied();
        candidate.origin = candidate.origin.or_else(shared);
    }
}

/// The account that a device belongs to, FIDO devices included; hardware numbers tell none.
fn owner(serial: &str) -> Option<AccountId> {
    serial.strip_prefix("arn:")?.split(':').nth(3)?.parse().ok()
}

/// Each value once, the most frequent first; of equals, the one that came first.
fn ranked<T: Clone + Eq + Hash>(values: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut counts: HashMap<T, usize> = HashMap::new();
    let mut order = Vec::new();
    for value in values {
        let count = counts.entry(value.clone()).or_default();
        *count += 1;
        if *count == 1 {
            order.push(value);
        }
    }
    order.sort_by_key(|value| std::cmp::Reverse(counts.get(value).copied()));
    order
}

fn most<T: Clone + Eq + Hash>(values: impl IntoIterator<Item = T>) -> Option<T> {
    ranked(values).into_iter().next()
}
