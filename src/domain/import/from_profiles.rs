//! Profiles of `~/.aws/config` become a config, or additions to one: roles by account, and the account they are entered
//! from.

use super::accounts::Accounts;
use super::candidates::{candidates, owner};
pub use super::identities::ImportOptions;
use super::identities::{Candidate, Identity, OtherIdentity, choose, identities};
use super::merge::{Existing, Place};
use super::profiles::{Key, Profile, Profiles};
use super::remarks::{Remark, Remarks};
use super::{Names, most, ranked};
use crate::domain::config::draft::{Draft, DraftAuth};
use crate::domain::config::edit::Additions;
use crate::domain::config::{Argv, KeySource, MfaDevice};
use crate::domain::fault::{Exit, Fault};
use crate::domain::ids::{AccountId, MfaSerial, Region};

/// IAM allows a user this many devices.
const MAX_DEVICES: usize = 8;

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
    let prints_a_key = profiles.get(&source).is_some_and(|it| options.prints_a_key(it));
    let key = prints_a_key.then(|| KeySource::Profile(source.clone()));
    let mut makes = Accounts { profiles, remarks: &mut import.remarks };
    let groups = makes.groups(&identity);
    let taken = groups.iter().map(|group| group.roles.len()).sum();
    let mut names = Names::default();
    let accounts =
        groups.into_iter().map(|group| makes.account(group, &mut names, Some(&region))).collect();
    Ok(Imported {
        draft: Draft {
            heading: Vec::new(),
            auth: Some(DraftAuth {
                account,
                user: None,
                key,
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
    let devices = import.new_devices(options, existing, &identity);
    let mfa_command = import.new_mfa_command(options, existing, &identity);
    let mut names = Names::taken(existing.names());
    let mut additions = Additions { devices, mfa_command, ..Additions::default() };
    let mut makes = Accounts { profiles, remarks: &mut import.remarks };
    for group in makes.groups(&identity) {
        match existing.place(group.id) {
            Place::New => {
                let account = makes.account(group, &mut names, existing.default_region());
                additions.accounts.push(account);
            }
            place => {
                let roles = makes.new_roles(group, &place);
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
        let candidates = candidates(self.profiles, options, &mut self.remarks);
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

    /// The devices that a config with a list of them does not have. Without a list, AWS is asked for them.
    fn new_devices(
        &mut self,
        options: &ImportOptions,
        existing: &Existing<'_>,
        identity: &Identity<'a>,
    ) -> Vec<MfaSerial> {
        let Some(account) = options.auth_account.filter(|_| !options.devices.is_empty()) else {
            return Vec::new();
        };
        let mut new: Vec<MfaSerial> =
            self.devices(account, identity).into_iter().map(|device| device.serial).collect();
        new.retain(|serial| !options.devices.contains(serial));
        let obstacle = obstacle(existing.takes_devices(), Remark::NewDevice, options, identity);
        let Some(obstacle) = obstacle else { return new };
        for candidate in &identity.candidates {
            if new.iter().any(|serial| candidate.device == Some(serial.as_str())) {
                self.remarks.note(obstacle, candidate.profile);
            }
        }
        Vec::new()
    }

    /// The program for codes of a config that has none.
    fn new_mfa_command(
        &mut self,
        options: &ImportOptions,
        existing: &Existing<'_>,
        identity: &Identity<'a>,
    ) -> Option<Argv> {
        let new = match existing.mfa_command() {
            None => self.mfa_command(identity)?,
            Some(known) => {
                self.note_processes(identity, Remark::MfaProcess, |own| own != Some(known));
                return None;
            }
        };
        let takes = existing.takes_mfa_command();
        let Some(obstacle) = obstacle(takes, Remark::MfaProcessNamed, options, identity) else {
            return Some(new);
        };
        self.note_processes(identity, obstacle, |own| own == Some(&new));
        None
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
        self.note_processes(identity, Remark::MfaProcess, |own| {
            own.is_none() || own != argv.as_ref()
        });
        argv
    }

    /// Notes the profiles with a program for codes that is like this.
    fn note_processes(
        &mut self,
        identity: &Identity<'a>,
        remark: Remark,
        is_meant: impl Fn(Option<&Argv>) -> bool,
    ) {
        for candidate in &identity.candidates {
            if self.mfa_process(candidate).is_some_and(|text| is_meant(argv(text).as_ref())) {
                self.remarks.note(remark, candidate.profile);
            }
        }
    }
}

/// Why what signs in is not added to a config: it has no place for it, or it may be another user's.
fn obstacle(
    has_place: bool,
    is_unproved: Remark,
    options: &ImportOptions,
    identity: &Identity<'_>,
) -> Option<Remark> {
    if !options.devices.is_empty() && !identity.is_users(options) {
        Some(is_unproved)
    } else {
        (!has_place).then_some(Remark::AuthShared)
    }
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
