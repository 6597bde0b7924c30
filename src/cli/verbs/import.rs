//! `import`: accounts from AWS profiles or from AWS Organizations.

pub mod organizations;

use std::path::Path;

use zeroize::Zeroizing;

use crate::domain::config::KeySource;
use crate::domain::config::edit::{Additions, Layout};
use crate::domain::fault::{Exit, Fault};
use crate::domain::import::OtherIdentity;
use crate::domain::import::from_profiles::{ImportOptions, convert, merge};
use crate::domain::import::merge::{Existing, is_only_added};
use crate::domain::import::profiles::Profiles;
use crate::domain::text::{count, sanitize, shell_quoted};
use crate::services::{aws::SharedFiles, config::files};

use crate::cli::args::{AwsConfigArgs, Common};
use crate::cli::new_config::HEADING;
use crate::cli::out::Out;
use crate::cli::world::World;
use crate::cli::{diff, prompt};

/// Makes a config of the roles in `~/.aws/config`, and prints or writes it; or adds them to the one that is there.
pub fn profiles(
    world: &World,
    common: &Common,
    arguments: &AwsConfigArgs,
    out: Out,
) -> Result<Exit, Fault> {
    let destination = arguments.write.then(|| world.new_config_path(common)).transpose()?;
    let shared = SharedFiles::current()?;
    let file = arguments.profile_file.as_ref().unwrap_or(&shared.config);
    let profiles = read_profiles(file, &shared.credentials, out)?;
    let options = ImportOptions {
        auth_account: arguments.account,
        region: common.region.clone(),
        partition: arguments.partition,
        source: arguments.source.clone(),
        ..ImportOptions::default()
    };
    // Not `exists`: a link that leads nowhere is somebody's too.
    if let Some(path) = destination.as_ref().filter(|path| path.symlink_metadata().is_ok()) {
        return merge_into(path, world, &profiles, options, arguments, out);
    }
    let source = sanitize(&file.to_string_lossy());
    let mut imported = convert(&profiles, &options)?;
    imported.draft.heading = HEADING.map(str::to_owned).to_vec();
    imported.draft.heading.push(format!("Made from {source} by `sekisho import aws-config`."));
    let yaml = imported.draft.to_string();
    let place = world.new_config_path(common).ok();
    tell(&imported.remarks, &imported.others, place.as_deref(), arguments, out);
    if let Some(region) = &imported.draft.region {
        out.info(&format!("default region: {region}, {}; another: --region", imported.region_from));
    }
    let summary = format!(
        "{}, {} from {source}, entered with the key of profile {}",
        count(imported.draft.accounts.len(), "account"),
        count(imported.taken, "role"),
        sanitize(&imported.source),
    );
    let Some(path) = destination else {
        out.print(&yaml);
        let is_there = place.is_some_and(|path| path.symlink_metadata().is_ok());
        let what = if is_there { "add what is new to the config" } else { "use it as the config" };
        out.info(&format!("{summary}; add --write to {what}"));
        return Ok(Exit::Done);
    };
    out.info(&summary);
    let shown = sanitize(&path.to_string_lossy());
    out.print(&diff::unified("", &yaml, &path.to_string_lossy()));
    if !arguments.yes {
        prompt::confirm(&format!("write {shown}?"))?;
    }
    files::write(&path, &yaml)?;
    out.info(&format!("wrote {shown}"));
    let profile = shell_quoted(&imported.source);
    let is_read_there = imported.draft.auth.is_some_and(|auth| auth.key.is_some());
    out.info(&if is_read_there {
        format!("the access key is read from profile {profile} each time; to store it instead: sekisho key add, and `auth.key: auto`")
    } else {
        format!("next: `sekisho key import --profile {profile}` moves the access key out of ~/.aws/credentials; `sekisho key add` asks for it")
    });
    Ok(Exit::Done)
}

/// The profiles of both shared files. A key in them is not looked at.
pub fn read_profiles(config: &Path, credentials: &Path, out: Out) -> Result<Profiles, Fault> {
    let is_there = |path: &Path| path.symlink_metadata().is_ok();
    let read = |path: &Path| files::read_foreign(path).map(Zeroizing::new);
    let roles = match read(config) {
        Ok(text) => text,
        // Roles may all be among the credentials.
        Err(_) if !is_there(config) && is_there(credentials) => Zeroizing::default(),
        Err(why) => {
            let source = sanitize(&config.to_string_lossy());
            return Err(Fault::new(Exit::Usage, format!("{source} cannot be read"))
                .because(why)
                .fix("use another file: --profile-file FILE")
                .fix("or answer a few questions: sekisho init"));
        }
    };
    let keys = match read(credentials) {
        Ok(text) => text,
        Err(why) => {
            if is_there(credentials) {
                let source = sanitize(&credentials.to_string_lossy());
                out.warn(&format!("{source} cannot be read, so its profiles are left out: {why}"));
            }
            Zeroizing::default()
        }
    };
    Ok(Profiles::read(&roles, &keys))
}

/// Says what was left out; roles of other users with the command that makes a config of them.
fn tell(
    remarks: &[String],
    others: &[OtherIdentity],
    config: Option<&Path>,
    arguments: &AwsConfigArgs,
    out: Out,
) {
    for remark in remarks {
        out.warn(remark);
    }
    let folder = config.and_then(Path::parent).unwrap_or(Path::new("."));
    let file = arguments.profile_file.as_ref();
    let file =
        file.map(|file| format!(" --profile-file {}", shell_quoted(&file.to_string_lossy())));
    for other in others {
        out.warn(&other.line());
        let plain = |c: char| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '-' };
        let name: String = other.source.chars().map(plain).collect();
        let partition = other.partition.map(|it| format!("-{}", it.name())).unwrap_or_default();
        let path = folder.join(format!("{name}{partition}.yaml"));
        out.info(&format!(
            "for a config of their own: sekisho import aws-config --config {}{} {} --write",
            shell_quoted(&path.to_string_lossy()),
            file.as_deref().unwrap_or_default(),
            other.options()
        ));
    }
}

/// Adds what is new to the config at a path, after showing it.
fn merge_into(
    path: &Path,
    world: &World,
    profiles: &Profiles,
    mut options: ImportOptions,
    arguments: &AwsConfigArgs,
    out: Out,
) -> Result<Exit, Fault> {
    let shown = sanitize(&path.to_string_lossy());
    let home = world.paths()?.home;
    let before = files::read_foreign(path).map_err(|why| {
        Fault::new(Exit::Usage, format!("{shown} cannot be read, so nothing is added to it"))
            .because(why)
    })?;
    let loaded = files::preview(path, &before, Some(&home)).map_err(|fault| {
        fault.fix("nothing is added to a config with errors; without --write a new one is printed")
    })?;
    let auth = &loaded.config.auth;
    if let Some(other) = options.auth_account.filter(|account| *account != auth.account) {
        let what = format!("the auth account of {shown} is {}, not {other}", auth.account);
        return Err(Fault::new(Exit::Usage, what)
            .because("a config has one auth account")
            .fix("write another config: --config FILE"));
    }
    let partition = auth.region.partition();
    if let Some(other) = options.partition.filter(|other| *other != partition) {
        let what = format!("{shown} is for partition {}, not {}", partition.name(), other.name());
        return Err(Fault::new(Exit::Usage, what)
            .because("an access key works only in its own partition")
            .fix("write another config: --config FILE"));
    }
    let no_place = || {
        Fault::new(Exit::Fault, format!("{shown} has no place where import could add accounts"))
            .because("`accounts` must be a list of its own in the main file")
            .fix("print them instead, and add them by hand: sekisho import aws-config")
    };
    let layout = Layout::parse(&before).ok_or_else(no_place)?;
    let existing = Existing::new(&loaded, &layout);
    options.auth_account = Some(auth.account);
    options.partition = Some(partition);
    options.devices = auth.mfa.iter().map(|device| device.serial.clone()).collect();
    options.key_profile = match &auth.key {
        KeySource::Profile(name) => Some(name.clone()),
        _ => None,
    };
    let merge = merge(profiles, &options, &existing)?;
    tell(&merge.remarks, &merge.others, Some(path), arguments, out);
    let additions = &merge.additions;
    if additions.is_empty() {
        out.info(&format!("{shown} is up to date"));
        return Ok(Exit::Done);
    }
    let after = layout.with(additions).ok_or_else(no_place)?;
    let is_sound = files::preview(path, &after, Some(&home))
        .is_ok_and(|now| is_only_added(&loaded.config, &now.config, additions));
    if !is_sound {
        return Err(no_place());
    }
    out.print(&diff::unified(&before, &after, &path.to_string_lossy()));
    let summary = summary(additions);
    if !arguments.yes {
        prompt::confirm(&format!("add {summary} to {shown}?"))?;
    }
    files::replace(path, &before, &after)?;
    out.info(&format!("added {summary} to {shown}"));
    Ok(Exit::Done)
}

/// What is new, in words.
fn summary(additions: &Additions) -> String {
    let Additions { accounts, devices, mfa_command, .. } = additions;
    let counted = |many: usize, what: &str| (many > 0).then(|| count(many, what));
    let parts = [
        counted(accounts.len(), "new account"),
        counted(additions.roles(), "new role"),
        counted(devices.len(), "new MFA device"),
        mfa_command.as_ref().map(|_| "`mfa_command`".to_owned()),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    match parts.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, before)) => format!("{} and {last}", before.join(", ")),
        None => String::new(),
    }
}
