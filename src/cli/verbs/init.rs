//! `init`: a first config, from a few questions or from the documented example.

use std::path::Path;

use crate::domain::config::MfaDevice;
use crate::domain::config::draft::{Draft, DraftAccount, DraftAuth};
use crate::domain::fault::{Exit, Fault};
use crate::domain::ids::{AccountId, Malformed, MfaSerial, Name, Region, RoleName, UserName};
use crate::domain::text::{sanitize, shell_quoted};
use crate::services::config::files;

use crate::cli::args::Common;
use crate::cli::emulated::EXAMPLE;
use crate::cli::new_config::HEADING;
use crate::cli::out::Out;
use crate::cli::terminal::Terminal;
use crate::cli::world::World;

/// Makes a config where there is none.
pub fn run(
    world: &World,
    common: &Common,
    force: bool,
    shell: Option<&str>,
    out: Out,
) -> Result<Exit, Fault> {
    if let Some(shell) = shell {
        return Err(Fault::new(Exit::Usage, "`init` creates a config").fix(format!(
            "for the shell hook: `sekisho hook {}`",
            shell_quoted(&sanitize(shell))
        )));
    }
    let path = world.new_config_path(common)?;
    let shown = sanitize(&path.to_string_lossy());
    // Not `exists`: a link that leads nowhere is somebody's too.
    if path.symlink_metadata().is_ok() && !force {
        return Err(Fault::new(Exit::Usage, format!("the config already exists: {shown}"))
            .fix("to see it: sekisho config show")
            .fix("to overwrite it: sekisho init --force"));
    }
    if let Some(mut terminal) = Terminal::open() {
        let draft = questions(&mut terminal, common, &world.paths()?.home)?;
        files::write(&path, &draft.to_string())?;
        out.info(&format!("wrote {shown}"));
    } else {
        files::write(&path, &skeleton())?;
        out.info(&format!("wrote {shown}"));
        out.info("there is no terminal to ask on, so its ids and names are examples: replace them");
    }
    out.info("next: sekisho key add");
    Ok(Exit::Done)
}

fn questions(terminal: &mut Terminal, common: &Common, home: &Path) -> Result<Draft, Fault> {
    terminal
        .show("A few questions for a first config. Press Enter to accept the value in [brackets].");
    if home.join(".aws/config").exists() {
        terminal.show("(To import the roles in ~/.aws/config instead: ^C, then sekisho import aws-config --write)");
    }
    let account = ask(terminal, "auth account (the one with your IAM user), 12 digits", None, id)?;
    let user = ask(terminal, "your IAM user's name (empty: looked up at AWS)", None, optional)?;
    let device = |text: &str| {
        let serial: Option<MfaSerial> = optional(text)?;
        let owner = serial.as_ref().and_then(MfaSerial::account);
        match owner.filter(|owner| *owner != account) {
            Some(owner) => Err(Malformed(format!("this device belongs to account {owner}"))),
            None => Ok(serial),
        }
    };
    let serial = ask(terminal, "your MFA device's serial (empty: looked up at AWS)", None, device)?;
    let region = common.region.clone().map_or_else(ambient_region, |region| region.to_string());
    let region: Region = ask(terminal, "region", Some(&region), str::parse)?;
    let dev: AccountId = ask(terminal, "an account to switch to, 12 digits", None, id)?;
    let name =
        user.as_ref().map_or_else(|| "dev".to_owned(), |user: &UserName| format!("dev-{user}"));
    let name: Name = ask(terminal, "a name for it", Some(&name), str::parse)?;
    let role: RoleName = ask(terminal, "the role in it", Some("Developer"), str::parse)?;
    let mfa = serial.map(|serial| MfaDevice { serial, label: None });
    Ok(Draft {
        heading: HEADING.map(str::to_owned).to_vec(),
        auth: Some(DraftAuth { account, user, mfa: mfa.into_iter().collect(), mfa_command: None }),
        roles: vec![role],
        region: Some(region),
        accounts: vec![DraftAccount::new(name, dev)],
    })
}

/// Asks until the answer can be read.
fn ask<T>(
    terminal: &mut Terminal,
    question: &str,
    default: Option<&str>,
    read: impl Fn(&str) -> Result<T, Malformed>,
) -> Result<T, Fault> {
    let shown = default.map(|default| format!(" [{default}]")).unwrap_or_default();
    loop {
        let line = terminal.ask(&format!("  {question}{shown}: "))?;
        let answer = if line.is_empty() { default.unwrap_or_default() } else { &line };
        match read(answer) {
            Ok(value) => return Ok(value),
            Err(why) => terminal.show(&format!("  → {why}")),
        }
    }
}

/// An account id as people copy it, dashes and all.
fn id(text: &str) -> Result<AccountId, Malformed> {
    text.replace(['-', ' '], "").parse()
}

/// What may be left out.
fn optional<T: std::str::FromStr<Err = Malformed>>(text: &str) -> Result<Option<T>, Malformed> {
    if text.is_empty() { Ok(None) } else { text.parse().map(Some) }
}

/// The region that AWS's own tools would use, else the example's.
fn ambient_region() -> String {
    ["AWS_REGION", "AWS_DEFAULT_REGION"]
        .iter()
        .filter_map(|name| std::env::var(name).ok()?.parse::<Region>().ok())
        .map(|region| region.to_string())
        .next()
        .unwrap_or_else(|| "ap-northeast-1".to_owned())
}

/// The documented example's chapters that every config has, with its first account.
fn skeleton() -> String {
    let mut text = HEADING.map(|line| format!("# {line}\n")).concat();
    text.push_str("\nversion: 1\n");
    let chapters = EXAMPLE.split("\n# ── ").skip(1);
    for chapter in chapters {
        let body = chapter.split_once('\n').map_or("", |(_, body)| body);
        let wanted = ["auth:", "defaults:", "accounts:"];
        if wanted.iter().any(|key| body.starts_with(key)) {
            let first = body.split("\n\n").next().unwrap_or_default().trim_end();
            let heading = chapter.lines().next().unwrap_or_default();
            text.extend(["\n# ── ", heading, "\n", first, "\n"]);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::known::Known;

    #[test]
    fn the_skeleton_is_a_small_config() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sekisho/config.yaml");
        files::write(&path, &skeleton()).unwrap();
        let strict = crate::domain::config::Strictness::Strict;
        let config = files::load(&path, None, strict, &Known::default()).unwrap().0.config;
        assert_eq!(config.catalog.accounts().len(), 1);
        assert!(config.guardrails.is_none());
    }
}
