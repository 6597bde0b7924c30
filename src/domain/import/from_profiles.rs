//! Profiles of `~/.aws/config` become a config, or additions to one: roles by account, and the account they are entered
//! from.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::Duration;

pub use super::identities::ImportOptions;
use super::identities::{Candidate, Identity, OtherIdentity, choose, identities};
use super::merge::{Additions, Existing, Home, Place, differs};
use super::profiles::{Key, OtherWay, Profile, Profiles};
use super::remarks::{Remark, Remarks};
use super::{LOOKS_LIKE_PRODUCTION, Names, is_production, most, ranked, shared_part};
use crate::domain::account::Color;
use crate::domain::config::draft::{Draft, DraftAccount, DraftAuth, DraftGuard, DraftRole};
use crate::domain::config::{Argv, MfaDevice, session_tag_key_fault, session_tag_value_fault};
use crate::domain::fault::{Exit, Fault};
use crate::domain::flow::Flow;
use crate::domain::guard::Guard;
use crate::domain::ids::{AccountId, MfaSerial, Region, RoleArn};

/// IAM allows a user this many devices.
const MAX_DEVICES: usize = 8;
/// The most roles of one account: the longest list that a config takes.
pub(super) const MAX_ROLES: usize = 1_000;
/// How many profiles a comment names.
const NAMED: usize = 8;
/// AWS allows a session this many tags.
const MAX_TAGS: usize = 50;

/// The result of an import.
#[derive(Debug)]
pub struct Imported {
    /// The config, ready to be written.
    pub draft: Draft,
    /// What is not in it, or not as it was: one line each.
    pub remarks: Vec<String>,
    /// How many profiles became roles.
    pub taken: usize,
    /// The profile whose key enters them.
    pub source: String,
    /// Where the region of what names none comes from.
    pub region_from: &'static str,
    /// Roles that other users enter.
    pub others: Vec<OtherIdentity>,
}

/// What an import adds to a config that is there.
#[derive(Debug)]
pub struct Merge {
    /// What is new.
    pub additions: Additions,
    /// What was not added, or not as it was: one line each.
    pub remarks: Vec<String>,
    /// Roles that other users enter.
    pub others: Vec<OtherIdentity>,
}

/// Makes a config of profiles.
///
/// Fails where no profile has a role to assume, or none names the auth account.
pub fn convert(profiles: &Profiles, options: &ImportOptions) -> Result<Imported, Fault> {
    let mut import = Import { profiles, remarks: Remarks::default() };
    let (identity, others) = import.identity(options)?;
    let account = options.auth_account.or(identity.account).ok_or_else(|| {
        let source = identity.source();
        let fault = Fault::new(Exit::Usage, "cannot tell which account is the auth account")
            .because(format!("most roles are entered with the key of profile {source}, and no profile has an mfa_serial that names its account, such as arn:aws:iam::111111111111:mfa/NAME"))
            .fix("name the account your IAM user lives in: sekisho import aws-config --account 111111111111");
        others.iter().fold(fault, |fault, other| {
            fault.fix(format!("or take other roles: sekisho import aws-config {}", other.options()))
        })
    })?;
    let (region, region_from) = import.region(options, &identity);
    let mfa = import.devices(account, &identity);
    let mfa_command = import.mfa_command(&identity);
    let source = identity.source().to_owned();
    let groups = import.groups(&identity);
    let taken = groups.iter().map(|group| group.roles.len()).sum();
    let mut names = Names::default();
    let accounts =
        groups.into_iter().map(|group| import.account(group, &mut names, Some(&region))).collect();
    Ok(Imported {
        draft: Draft {
            heading: Vec::new(),
            auth: Some(DraftAuth {
                account,
                user: None,
                key: None,
                mfa,
                mfa_command,
                endpoint_url: None,
            }),
            roles: Vec::new(),
            region: Some(region),
            accounts,
        },
        remarks: import.remarks.lines(),
        taken,
        source,
        region_from,
        others,
    })
}

/// What profiles add to a config that is there. `options` names its auth account and partition.
pub fn merge(
    profiles: &Profiles,
    options: &ImportOptions,
    existing: &Existing<'_>,
) -> Result<Merge, Fault> {
    let mut import = Import { profiles, remarks: Remarks::default() };
    let (identity, others) = import.identity(options)?;
    if identity.account.is_none() {
        identity.candidates.iter().for_each(|it| import.remarks.note(Remark::Unproved, it.profile));
    }
    for candidate in &identity.candidates {
        let is_new = |device: &&str| {
            !options.devices.is_empty()
                && !options.devices.iter().any(|known| known.as_str() == *device)
        };
        if candidate.device.as_ref().is_some_and(is_new) {
            import.remarks.note(Remark::NewDevice, candidate.profile);
        }
        if !existing.has_mfa_command() && import.mfa_process(candidate).is_some() {
            import.remarks.note(Remark::MfaProcessNamed, candidate.profile);
        }
    }
    let mut names = Names::taken(existing.names());
    let mut additions = Additions::default();
    for group in import.groups(&identity) {
        match existing.place(group.id) {
            Place::New => {
                let account = import.account(group, &mut names, existing.default_region());
                additions.accounts.push(account);
            }
            place => {
                let roles = import.new_roles(group, &place);
                if !roles.1.is_empty() {
                    additions.roles.push(roles);
                }
            }
        }
    }
    Ok(Merge { additions, remarks: import.remarks.lines(), others })
}

struct Import<'a> {
    profiles: &'a Profiles,
    remarks: Remarks<'a>,
}

impl<'a> Import<'a> {
    /// The user whose roles are taken, and what is left of the others.
    fn identity(
        &mut self,
        options: &ImportOptions,
    ) -> Result<(Identity<'a>, Vec<OtherIdentity>), Fault> {
        let candidates = self.candidates();
        if candidates.is_empty() {
            let fault = Fault::new(Exit::Fault, "no profile has a role that sekisho can assume");
            let fault = self.remarks.lines().into_iter().fold(fault, Fault::because);
            return Err(fault.fix("answer a few questions instead: sekisho init"));
        }
        let (chosen, others) = choose(identities(candidates), options);
        let Some(identity) = chosen else {
            let asked = [
                options.auth_account.map(|it| format!("from {it}")),
                options.source.as_ref().map(|it| format!("with the key of profile {it}")),
                options.partition.map(|it| format!("in partition {}", it.name())),
            ];
            let asked: Vec<String> = asked.into_iter().flatten().collect();
            let what = format!("no profile is entered {}", asked.join(" and "));
            let fault = others
                .iter()
                .fold(Fault::new(Exit::Usage, what), |fault, other| fault.because(other.line()));
            return Err(fault.fix(
                "leave out --account, --source and --partition to take the roles of most profiles",
            ));
        };
        for candidate in &identity.candidates {
            if candidate.root.get(Key::SessionToken).is_some() {
                self.remarks.note(Remark::Temporary, candidate.profile);
            }
            if !candidate.root.has_key() && candidate.root.get(Key::LoginSession).is_some() {
                self.remarks.note(Remark::Login, candidate.profile);
            }
        }
        Ok((identity, others))
    }

    /// The profiles whose role an IAM user enters; remarks on the others.
    fn candidates(&mut self) -> Vec<Candidate<'a>> {
        let profiles = self.profiles;
        self.remarks.unread(profiles.unread());
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
            match self.candidate(profile) {
                Ok(candidate) => candidates.push(candidate),
                Err(Remark::NoRole) if served.contains(profile.name.as_str()) => {}
                Err(why) => self.remarks.note(why, profile),
            }
        }
        candidates
    }

    fn candidate(&self, profile: &'a Profile) -> Result<Candidate<'a>, Remark> {
        let profiles = self.profiles;
        let Some(arn) = profiles.inherited(profile, Key::RoleArn) else {
            return Err(profile.other_way.map_or(Remark::NoRole, Remark::Way));
        };
        // These win over a source, or exclude it; the other ways do not.
        if let Some(way @ (OtherWay::WebIdentity | OtherWay::Machine)) = profile.other_way {
            return Err(Remark::Way(way));
        }
        if profiles.inherited(profile, Key::CredentialSource).is_some() {
            return Err(Remark::Way(OtherWay::Machine));
        }
        let arn: RoleArn = arn.parse().map_err(|_| Remark::NoArn)?;
        let partition = arn.partition().parse().map_err(|_| Remark::NoArn)?;
        let hops = self.hops(profile)?;
        let root = *hops.last().ok_or(Remark::NoSource)?;
        // aws-vault gives the default profile's device to all that have a key in its keychain.
        let default = profiles.get("default");
        let default = default.filter(|default| !root.has_key() || root.name == default.name);
        let inherited = |key| {
            let mut near = hops.iter().copied().chain(default);
            near.find_map(|profile| profiles.inherited(profile, key))
        };
        let device = inherited(Key::MfaSerial);
        let account =
            hops.iter().skip(1).find_map(|hop| profiles.inherited(hop, Key::AwsAccountId));
        let login = root.get(Key::LoginSession);
        Ok(Candidate {
            profile,
            arn,
            partition,
            root,
            origin: device
                .and_then(owner)
                .or_else(|| account?.parse().ok())
                .or_else(|| owner(login?)),
            hops,
            device,
        })
    }

    /// The profiles from a role's to the one with the key, as AWS's tools and aws-vault follow them.
    fn hops(&self, profile: &'a Profile) -> Result<Vec<&'a Profile>, Remark> {
        let profiles = self.profiles;
        let mut hops = vec![profile];
        let mut source_name =
            profiles.inherited(profile, Key::SourceProfile).ok_or(Remark::NoSource)?;
        loop {
            let source = profiles.get(source_name).ok_or(Remark::SourceMissing)?;
            let is_known = hops.iter().any(|hop| hop.name == source.name);
            hops.push(source);
            let way = |way| !is_known && source.other_way == Some(way);
            if way(OtherWay::Sso) || way(OtherWay::WebIdentity) {
                return Err(source.other_way.map_or(Remark::NoSource, Remark::Behind));
            }
            // A profile with a key is entered with that, even where it has a role, too.
            if source.has_key() {
                return Ok(hops);
            }
            if is_known {
                return Err(Remark::SourceIsItself);
            }
            if profiles.inherited(source, Key::RoleArn).is_some() {
                return Err(Remark::Chain);
            }
            if let Some(way) = source.other_way {
                return Err(Remark::Behind(way));
            }
            match profiles.inherited(source, Key::SourceProfile) {
                Some(next) => source_name = next,
                None => return Ok(hops),
            }
        }
    }

    /// The region of what names none, and where it comes from.
    fn region(&self, options: &ImportOptions, identity: &Identity<'a>) -> (Region, &'static str) {
        let partition = identity.partition;
        let named = |profile: &'a Profile| {
            let region: Region = self.profiles.inherited(profile, Key::Region)?.parse().ok()?;
            (region.partition() == partition).then_some(region)
        };
        let given = options.region.clone().filter(|region| region.partition() == partition);
        let of_default = || self.profiles.get("default").and_then(named);
        let frequent =
            || most(identity.candidates.iter().filter_map(|candidate| named(candidate.profile)));
        given
            .map(|region| (region, "as --region says"))
            .or_else(|| Some((of_default()?, "as in profile default")))
            .or_else(|| Some((frequent()?, "which most profiles name")))
            .unwrap_or_else(|| (partition.home(), "since no profile names one"))
    }

    /// The devices of the auth account, the one that most profiles name first.
    fn devices(&mut self, account: AccountId, identity: &Identity<'a>) -> Vec<MfaDevice> {
        let mut serials: Vec<MfaSerial> = Vec::new();
        for candidate in &identity.candidates {
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

    /// aws-vault's program for codes, of a role's profile or those behind it.
    fn mfa_process(&self, candidate: &Candidate<'a>) -> Option<&'a str> {
        let mut near = candidate.hops.iter().copied().chain(self.profiles.get("default"));
        near.find_map(|profile| self.profiles.inherited(profile, Key::MfaProcess))
    }

    /// The program for codes that most profiles name.
    fn mfa_command(&mut self, identity: &Identity<'a>) -> Option<Argv> {
        let of = |candidate: &Candidate<'a>| self.mfa_process(candidate);
        let text = most(identity.candidates.iter().filter_map(of));
        let argv = text.and_then(argv);
        let others: Vec<&'a Profile> = identity
            .candidates
            .iter()
            .filter(|candidate| {
                let own = self.mfa_process(candidate);
                own.is_some() && (argv.is_none() || own != text)
            })
            .map(|candidate| candidate.profile)
            .collect();
        for profile in others {
            self.remarks.note(Remark::MfaProcess, profile);
        }
        argv
    }

    /// The roles by account, in the order of the first profile of each.
    fn groups(&mut self, identity: &Identity<'a>) -> Vec<Group<'a>> {
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
    fn account(
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
    fn new_roles(&mut self, group: Group<'a>, place: &Place<'_>) -> (AccountId, Vec<DraftRole>) {
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
struct Group<'a> {
    id: AccountId,
    roles: Vec<(&'a Profile, DraftRole)>,
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

/// A shell's command line as words; one that needs a shell goes to it whole.
///
/// One that holds the seed of a device is not taken over: a config holds no secret.
fn argv(text: &str) -> Option<Argv> {
    const SEED: usize = 16;
    let is_seed = |word: &str| {
        word.len() >= SEED && word.chars().all(|c| matches!(c, 'A'..='Z' | '2'..='7' | '='))
            || word.len() >= 2 * SEED && word.chars().all(|c| c.is_ascii_hexdigit())
    };
    let words = shlex::split(text)?;
    let separators = |c: char| !(c.is_ascii_alphanumeric() || c == '=');
    if words.is_empty()
        || words.iter().any(|word| is_seed(word) || word.split(separators).any(is_seed))
        || words.iter().any(|word| word.contains(char::is_control))
    {
        return None;
    }
    if text.contains(['|', '&', ';', '<', '>', '$', '`', '*', '?', '~', '(', ')', '{', '}']) {
        return Some(vec!["sh".to_owned(), "-c".to_owned(), text.to_owned()]);
    }
    Some(words)
}

/// The account that a device or user belongs to, FIDO devices included; hardware numbers tell none.
fn owner(arn: &str) -> Option<AccountId> {
    arn.strip_prefix("arn:")?.split(':').nth(3)?.parse().ok()
}
