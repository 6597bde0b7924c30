//! Which profiles have a role that an IAM user's key enters, and whose key that is.

use std::collections::HashSet;

use super::identities::{Candidate, ImportOptions};
use super::profiles::{Key, OtherWay, Profile, Profiles};
use super::remarks::{Remark, Remarks};
use crate::domain::ids::{AccountId, RoleArn};

/// The profiles whose role an IAM user enters; remarks on the others.
pub(super) fn candidates<'a>(
    profiles: &'a Profiles,
    options: &ImportOptions,
    remarks: &mut Remarks<'a>,
) -> Vec<Candidate<'a>> {
    remarks.unread(profiles.unread());
    // Profiles that only serve others need no role: leaving them out is not worth a remark.
    let served: HashSet<&str> = profiles
        .iter()
        .flat_map(|profile| [Key::SourceProfile, Key::IncludeProfile].map(|key| profile.get(key)))
        .flatten()
        .chain(["default"])
        .collect();
    let mut candidates = Vec::new();
    for profile in profiles.iter() {
        match candidate(profiles, options, profile) {
            Ok(candidate) => candidates.push(candidate),
            Err(Remark::NoRole) if served.contains(profile.name.as_str()) => {}
            Err(why) => remarks.note(why, profile),
        }
    }
    candidates
}

fn candidate<'a>(
    profiles: &'a Profiles,
    options: &ImportOptions,
    profile: &'a Profile,
) -> Result<Candidate<'a>, Remark> {
    let Some(arn) = profiles.inherited(profile, Key::RoleArn) else {
        let way = profile.other_way.filter(|_| !options.prints_a_key(profile));
        return Err(way.map_or(Remark::NoRole, Remark::Way));
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
    let hops = hops(profiles, options, profile)?;
    let root = *hops.last().ok_or(Remark::NoSource)?;
    // aws-vault gives the default profile's device to all that have a key in its keychain.
    let default = profiles.get("default");
    let default = default.filter(|default| !root.has_key() || root.name == default.name);
    let inherited = |key| {
        let mut near = hops.iter().copied().chain(default);
        near.find_map(|profile| profiles.inherited(profile, key))
    };
    let device = inherited(Key::MfaSerial);
    let account = hops.iter().skip(1).find_map(|hop| profiles.inherited(hop, Key::AwsAccountId));
    let login = root.get(Key::LoginSession);
    Ok(Candidate {
        profile,
        arn,
        partition,
        root,
        origin: device.and_then(owner).or_else(|| account?.parse().ok()).or_else(|| owner(login?)),
        hops,
        device,
    })
}

/// The profiles from a role's to the one with the key, as AWS's tools and aws-vault follow them.
fn hops<'a>(
    profiles: &'a Profiles,
    options: &ImportOptions,
    profile: &'a Profile,
) -> Result<Vec<&'a Profile>, Remark> {
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
        if options.prints_a_key(source) {
            return Ok(hops);
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

/// The account that a device or user belongs to, FIDO devices included; hardware numbers tell none.
pub(super) fn owner(arn: &str) -> Option<AccountId> {
    arn.strip_prefix("arn:")?.split(':').nth(3)?.parse().ok()
}
