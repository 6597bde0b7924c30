//! `import`: accounts from AWS profiles or from AWS Organizations.

use std::path::Path;

use zeroize::Zeroizing;

use crate::domain::fault::{Exit, Fault};
use crate::domain::import::from_profiles::{ImportOptions, convert};
use crate::domain::import::organization;
use crate::domain::import::profiles::Profiles;
use crate::domain::pass::Terms;
use crate::domain::text::{count, sanitize};
use crate::services::{aws::SharedFiles, config::files};

use crate::cli::args::{AwsConfigArgs, Common, OrganizationsArgs};
use crate::cli::context::Context;
use crate::cli::new_config::HEADING;
use crate::cli::out::Out;
use crate::cli::runtime::block_on;
use crate::cli::world::World;
use crate::cli::{diff, prompt};

/// Makes a config of the roles in `~/.aws/config`, and prints or writes it.
pub fn profiles(
    world: &World,
    common: &Common,
    arguments: &AwsConfigArgs,
    out: Out,
) -> Result<Exit, Fault> {
    let destination = arguments.write.then(|| world.new_config_path(common)).transpose()?;
    let config = SharedFiles::current()?.config;
    let file = arguments.profile_file.as_ref().unwrap_or(&config);
    let source = sanitize(&file.to_string_lossy());
    // It may hold a key, although none belongs there.
    let text = Zeroizing::new(files::read_foreign(file).map_err(|why| {
        Fault::new(Exit::Usage, format!("{source} cannot be read"))
            .because(why)
            .fix("use another file: --profile-file FILE")
            .fix("or answer a few questions: sekisho init")
    })?);
    let options = ImportOptions { auth_account: arguments.account, region: common.region.clone() };
    let mut imported = convert(&Profiles::parse(&text), &options)?;
    imported.draft.heading = HEADING.map(str::to_owned).to_vec();
    imported.draft.heading.push(format!("Made from {source} by `sekisho import aws-config`."));
    let yaml = imported.draft.to_string();
    for remark in &imported.remarks {
        out.warn(remark);
    }
    let summary = format!(
        "{}, {} from {source}",
        count(imported.draft.accounts.len(), "account"),
        count(imported.taken, "role")
    );
    let Some(path) = destination else {
        out.print(&yaml);
        out.info(&format!("{summary}; add --write to use it as the config"));
        return Ok(Exit::Done);
    };
    out.info(&summary);
    write(&path, &yaml, arguments.yes, out)
}

/// Makes a text the config, after showing what changes.
fn write(path: &Path, yaml: &str, yes: bool, out: Out) -> Result<Exit, Fault> {
    let shown = sanitize(&path.to_string_lossy());
    let is_there = path.symlink_metadata().is_ok();
    let before = if is_there {
        files::read_foreign(path).map_err(|why| {
            let what = format!("{shown} cannot be read, so it is not replaced");
            Fault::new(Exit::Usage, what).because(why)
        })?
    } else {
        String::new()
    };
    let difference = diff::unified(&before, yaml, &path.to_string_lossy());
    if difference.is_empty() {
        out.info(&format!("{shown} is up to date"));
        return Ok(Exit::Done);
    }
    out.print(&difference);
    if !yes {
        prompt::confirm(&if is_there {
            format!("overwrite {shown}?")
        } else {
            format!("write {shown}?")
        })?;
    }
    files::write(path, yaml)?;
    out.info(&format!("wrote {shown}"));
    out.info("next: `sekisho key import` moves the access key from ~/.aws/credentials; `sekisho key add` asks for it");
    Ok(Exit::Done)
}

/// Prints the organisation's accounts as a file for `include`.
pub fn organizations(context: &Context, arguments: OrganizationsArgs) -> Result<Exit, Fault> {
    let members = match &arguments.via {
        Some(target) => {
            let pass = context.pass(target, Terms::LAST_SECONDS)?;
            block_on(context.broker().members_through(&pass))?
        }
        None => block_on(prompt::members(context.broker(), &mut context.codes()))?,
    };
    let auth = context.config().auth.account;
    let has_role = arguments.role.is_some();
    let (mut draft, remarks) = organization::convert(members, auth, arguments.role);
    draft.heading = vec![
        "The organisation's active accounts, by `sekisho import organizations`. For `include:` in sekisho's config.".into(),
    ];
    context.out.print(&draft.to_string());
    for remark in &remarks {
        context.out.warn(remark);
    }
    let accounts = count(draft.accounts.len(), "account");
    context.out.info(&if has_role {
        accounts
    } else {
        format!("{accounts}; their roles are those of the config's `defaults`")
    });
    context
        .out
        .info("next: save this to a file and add it to the config: include: [accounts.yaml]");
    Ok(Exit::Done)
}
