//! The roles of profiles become accounts of a config, or roles of accounts that are there.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::Duration;

use super::identities::{Candidate, Identity};
use super::merge::{Home, Place, differs};
use super::profiles::{Key, Profile, Profiles};
use super::remarks::{Remark, Remarks};
use super::{LOOKS_LIKE_PRODUCTION, Names, is_production, shared_part};
use crate::domain::account::Color;
use crate::domain::config::draft::{DraftAccount, DraftGuard, DraftRole};
use crate::domain::config::{session_tag_key_fault, session_tag_value_fault};
use crate::domain::flow::Flow;
use crate::domain::guard::Guard;
use crate::domain::ids::{AccountId, Region};

/// The most roles of one account: the longest list that a config takes.
const MAX_ROLES: usize = 1_000;
/// How many profiles a comment names.
const NAMED: usize = 8;
/// AWS allows a session this many tags.
const MAX_TAGS: usize = 50;

/// Makes accounts and roles of profiles.
pub(super) struct Accounts<'a, 'r> {
    pub(super) profiles: &'a Profiles,
    pub(super) remarks: &'r mut Remarks<'a>,
}

impl<'a> Accounts<'a, '_> {
    /// The roles by account, in the order of the first profile of each.
    pub(super) fn groups(&mut self, identity: &Identity<'a>) -> Vec<Group<'a>> {
        let mut groups: Vec<Group<'a>> = Vec::new();
        let mut by_id: HashMap<AccountId, usize> = HashMap::new();
        let mut seen: HashSet<(AccountId, &str)> = HashSet::new();
        for candidate in &identity.candidates {
            let id = candidate.arn.account();
            if !seen.insert((id, candidate.arn.name())) {
                self.remarks.note(Remark::Twice, candidate.profile);
                continue;
            }
            let at = *by_id.entry(id).or_insert_with(|| {
                groups.push(Group { id, roles: Vec::new() });
                groups.len() - 1
            });
            if groups[at].roles.len() == MAX_ROLES {
                self.remarks.note(Remark::TooMany, candidate.profile);
                continue;
            }
            let role = self.role(candidate);
            groups[at].roles.push((candidate.profile, role));
        }
        groups
    }

    fn role(&mut self, candidate: &Candidate<'a>) -> DraftRole {
        let profile = candidate.profile;
        let (tags, transitive_tags) = self.tags(profile);
        DraftRole {
            path: candidate.arn.path(),
            duration: self.duration(profile),
            region: self.value(profile, Key::Region, Remark::Region, |text| {
                let region: Option<Region> = text.parse().ok();
                region.filter(|region| region.partition() == candidate.partition)
            }),
            external_id: self
                .value(profile, Key::ExternalId, Remark::ExternalId, |text| text.parse().ok()),
            source_identity: self.value(
                profile,
                Key::SourceIdentity,
                Remark::SourceIdentity,
                |text| text.parse().ok(),
            ),
            tags,
            transitive_tags,
            ..DraftRole::named(candidate.arn.role_name())
        }
    }

    /// Notes what a role's profile says and no config does.
    fn note_lost(&mut self, profile: &'a Profile) {
        for (key, remark) in
            [(Key::RoleSessionName, Remark::SessionName), (Key::EndpointUrl, Remark::Endpoint)]
        {
            if self.profiles.inherited(profile, key).is_some() {
                self.remarks.note(remark, profile);
            }
        }
        profile.others.iter().for_each(|setting| self.remarks.setting(setting, profile));
    }

    fn duration(&mut self, profile: &'a Profile) -> Option<Duration> {
        let key = [Key::DurationSeconds, Key::RoleDuration]
            .into_iter()
            .find(|key| self.profiles.inherited(profile, *key).is_some())?;
        let duration = self.value(profile, key, Remark::Duration, |text| {
            let seconds = text.parse().ok().filter(|seconds| (900..=43_200).contains(seconds));
            seconds.map(Duration::from_secs)
        });
        if duration.is_some_and(|duration| duration > Flow::SHARED_MAX) {
            self.remarks.note(Remark::Direct, profile);
        }
        duration.filter(|duration| *duration != Flow::SHARED_MAX)
    }

    /// aws-vault's `session_tags`, and those that go on.
    fn tags(&mut self, profile: &'a Profile) -> (BTreeMap<String, String>, BTreeSet<String>) {
        let text = self.value(profile, Key::SessionTags, Remark::SessionTags, session_tags);
        let tags = text.unwrap_or_default();
        let transitive =
            self.value(profile, Key::TransitiveSessionTags, Remark::SessionTags, |text| {
                let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
                names
                    .map(|name| tags.keys().find(|tag| tag.eq_ignore_ascii_case(name)).cloned())
                    .collect()
            });
        let transitive = transitive.unwrap_or_default();
        (tags, transitive)
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

    /// A group as an account of its own.
    pub(super) fn account(
        &mut self,
        group: Group<'a>,
        names: &mut Names,
        default: Option<&Region>,
    ) -> DraftAccount {
        let profiles: Vec<&Profile> = group.roles.iter().map(|(profile, _)| *profile).collect();
        let called: Vec<&str> = profiles.iter().map(|profile| profile.name.as_str()).collect();
        let name = names.name(shared_part(&called), group.id);
        let is_renamed = called != [name.as_str()];
        let comment = is_renamed.then(|| match called[..] {
            [only] => format!("profile {only}"),
            ref many if many.len() <= NAMED => format!("profiles {}", many.join(", ")),
            ref many => {
                format!("profiles {} and {} more", many[..NAMED].join(", "), many.len() - NAMED)
            }
        });
        let is_guarded = is_production(name.as_str()) || called.iter().all(|it| is_production(it));
        let colors: Vec<Option<Color>> = profiles.iter().map(|it| color(it)).collect();
        let color = colors.iter().flatten().copied().next();
        for (profile, mut own) in profiles.iter().zip(colors) {
            let is_set = profile.get(Key::GrantedColor).is_some();
            if is_set && own.take().is_none_or(|own| Some(own) != color) {
                self.remarks.setting("granted_color", profile);
            }
            self.note_lost(profile);
        }
        let mut roles = Vec::new();
        for (profile, mut role) in group.roles {
            if is_guarded || looks_guarded(profile, &role) {
                self.remarks.note(Remark::Guarded, profile);
                role.guard = (!is_guarded).then_some(GUARD);
            }
            roles.push(role);
        }
        let effective = |role: &DraftRole| role.region.as_ref().or(default).cloned();
        let first = roles.first().and_then(effective);
        let is_one = roles.iter().all(|role| effective(role) == first);
        let region = first.filter(|region| is_one && Some(region) != default);
        for role in &mut roles {
            role.region.take_if(|region| is_one || Some(&*region) == default);
        }
        DraftAccount {
            roles,
            region,
            color,
            guard: is_guarded.then_some(GUARD),
            comment,
            ..DraftAccount::new(name, group.id)
        }
    }

    /// The roles of a group that an account of the config does not have yet.
    pub(super) fn new_roles(
        &mut self,
        group: Group<'a>,
        place: &Place<'_>,
    ) -> (AccountId, Vec<DraftRole>) {
        let mut roles = Vec::new();
        for (profile, mut role) in group.roles {
            let Place::There { account, region, home } = place else {
                self.remarks.note(Remark::Hidden, profile);
                continue;
            };
            if let Some(known) = account.roles.iter().find(|known| known.name == role.name) {
                if differs(&role, known) {
                    self.remarks.note(Remark::Differs, profile);
                }
                continue;
            }
            let elsewhere = match home {
                Home::MainFile => None,
                Home::Include => Some(Remark::Included),
                Home::Shared => Some(Remark::Shared),
            };
            if let Some(elsewhere) = elsewhere {
                self.remarks.note(elsewhere, profile);
                continue;
            }
            if account.roles.len() + roles.len() >= MAX_ROLES {
                self.remarks.note(Remark::TooMany, profile);
                continue;
            }
            role.region.take_if(|own| Some(&*own) == *region);
            let is_guarded = is_production(account.name.as_str()) || looks_guarded(profile, &role);
            if is_guarded && account.guard < Guard::Confirm {
                self.remarks.note(Remark::Guarded, profile);
                role.guard = Some(GUARD);
            }
            if profile.get(Key::GrantedColor).is_some() {
                self.remarks.setting("granted_color", profile);
            }
            self.note_lost(profile);
            roles.push(role);
        }
        (group.id, roles)
    }
}

/// The roles of one account, each with its profile.
pub(super) struct Group<'a> {
    pub(super) id: AccountId,
    pub(super) roles: Vec<(&'a Profile, DraftRole)>,
}

/// What stands before production until somebody decides otherwise.
const GUARD: DraftGuard = DraftGuard { guard: Guard::Confirm, why: LOOKS_LIKE_PRODUCTION };

fn looks_guarded(profile: &Profile, role: &DraftRole) -> bool {
    is_production(&profile.name) || is_production(role.name.as_str())
}

/// granted's colours are those of Firefox's containers.
fn color(profile: &Profile) -> Option<Color> {
    Some(match profile.get(Key::GrantedColor)? {
        "red" => Color::Red,
        "orange" => Color::LightRed,
        "yellow" => Color::Yellow,
        "green" => Color::Green,
        "turquoise" => Color::Cyan,
        "blue" => Color::Blue,
        "purple" => Color::Magenta,
        "pink" => Color::LightMagenta,
        _ => return None,
    })
}

/// `key=value,key=value`, as aws-vault writes them.
fn session_tags(text: &str) -> Option<BTreeMap<String, String>> {
    let mut tags: BTreeMap<String, String> = BTreeMap::new();
    for pair in text.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=')?;
        let (name, value) = (name.trim(), value.trim());
        let is_new = !tags.keys().any(|other| other.eq_ignore_ascii_case(name));
        let fault = session_tag_key_fault(name).or_else(|| session_tag_value_fault(value));
        if !is_new || fault.is_some() {
            return None;
        }
        tags.insert(name.to_owned(), value.to_owned());
    }
    (tags.len() <= MAX_TAGS).then_some(tags)
}
