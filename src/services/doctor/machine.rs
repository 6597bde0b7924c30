//! Checks of the machine: directories, config, store, environment, shell, terminal.

use std::path::{Path, PathBuf};

use crate::domain::agents::{self, Driver};
use crate::domain::config::{Config, KeySource, StoreChoice, Symbols};
use crate::domain::ids::Endpoints;
use crate::domain::text::{count, sanitize};
use crate::services::aws;
use crate::services::child::environment::IDENTITY;
use crate::services::config::paths::RuntimeDir;
use crate::services::store::datakey::KeyPlace;
use crate::services::store::files::Dir;
use crate::services::store::keychain::{self, KeychainError};

use super::{DoctorInput, Health, LoginState, Row};

pub(super) fn rows(input: &DoctorInput<'_>) -> Vec<Row> {
    vec![
        directories(input),
        runtime_dir(input),
        config(input),
        store(input),
        sessions(input),
        keyring_file(input),
        key(input),
        stray_variables(input),
        agent(input),
        endpoint(input),
        proxy(input),
        ca_bundle(input),
        hook(input),
        terminal(input),
        glyphs(input),
    ]
}

fn directories(input: &DoctorInput<'_>) -> Row {
    const ID: &str = "directories";
    let paths = match input.paths {
        Ok(paths) => paths,
        Err(fault) => return Row::fault(ID, Health::Fail, fault),
    };
    let ours = [Some(paths.state.as_path()), Some(paths.cache.as_path()), paths.runtime.usable()];
    for path in ours.into_iter().flatten() {
        if let Err(error) = Dir::open(path) {
            return Row::fault(
                ID,
                Health::Fail,
                &error.fault("cannot use one of sekisho's directories"),
            );
        }
    }
    Row::ok(ID, "sekisho's directories are closed to other users")
}

fn runtime_dir(input: &DoctorInput<'_>) -> Row {
    const ID: &str = "runtime-dir";
    let runtime = input.paths.ok().map(|paths| &paths.runtime);
    match runtime {
        None => Row::new(ID, Health::Skipped, "there is no home directory"),
        Some(RuntimeDir::Unset) => Row::ok(ID, "XDG_RUNTIME_DIR is not set, and not needed"),
        Some(RuntimeDir::Usable(_)) => Row::ok(ID, "XDG_RUNTIME_DIR is your own"),
        Some(refused @ RuntimeDir::Refused { .. }) => {
            Row::new(ID, Health::Warn, refused.refusal().unwrap_or_default()).remedy(
                "unset it, or begin a session of your own: `su -l`, ssh; in WSL restart the distribution",
            )
        }
    }
}

fn config(input: &DoctorInput<'_>) -> Row {
    const ID: &str = "config";
    match input.config {
        Err(fault) => Row::fault(ID, Health::Fail, fault),
        Ok(loaded) if is_management(&loaded.config) => Row::new(
            ID,
            Health::Fail,
            "the auth account is the organization's management account, where SCPs do not apply",
        )
        .remedy(
            "move the IAM users to a member account and name that in `auth.account`, or correct \
             `guardrails.management_account`",
        ),
        Ok(loaded) => match &loaded.warnings[..] {
            [] => Row::ok(ID, count(loaded.config.catalog.accounts().len(), "account")),
            [first, rest @ ..] => {
                let more = if rest.is_empty() {
                    String::new()
                } else {
                    format!(" (and {} more)", rest.len())
                };
                Row::new(ID, Health::Warn, format!("{first}{more}")).remedy("sekisho config check")
            }
        },
    }
}

/// Whether the IAM users live in the account that the organization's guardrails do not bind.
fn is_management(config: &Config) -> bool {
    let guardrails = config.guardrails.as_ref();
    guardrails.and_then(|guardrails| guardrails.management_account) == Some(config.auth.account)
}

fn store(input: &DoctorInput<'_>) -> Row {
    const ID: &str = "store";
    let Some(config) = input.settings() else {
        return Row::new(ID, Health::Skipped, "no config, so the key's store is not known");
    };
    let wanted = config.store == StoreChoice::Keyring || config.auth.key == KeySource::Keyring;
    let unused = matches!(config.store, StoreChoice::File | StoreChoice::None)
        || config.auth.key == KeySource::Login;
    match input.keychain {
        _ if unused && !wanted => Row::ok(ID, "not used: the config chooses another store"),
        Ok(()) => Row::ok(ID, format!("the {} works", keychain::LABEL)),
        Err(error) if wanted => Row::fault(ID, Health::Fail, &error.fault()),
        Err(error @ KeychainError::Waiting) => Row::fault(ID, Health::Warn, &error.fault()),
        Err(error) => Row::new(
            ID,
            Health::Warn,
            format!("{error}: the access key is kept in a sealed file with a passphrase instead"),
        )
        .remedy(error.fault().fix.into_iter().next().unwrap_or_default()),
    }
}

fn sessions(input: &DoctorInput<'_>) -> Row {
    const ID: &str = "sessions";
    const REMEDY: &str = "allow keyctl in the container's seccomp profile, or run a Secret Service";
    let Some(sessions) = input.sessions else {
        return Row::new(ID, Health::Skipped, "no config, so the sessions' store is not known");
    };
    match sessions {
        Ok(None) => Row::ok(ID, "kept in memory only, as the config says"),
        Ok(Some(KeyPlace::Runtime)) => Row::new(
            ID,
            Health::Warn,
            "the key to the sessions is a file in XDG_RUNTIME_DIR, which any of your programs can read",
        )
        .remedy(REMEDY),
        Ok(Some(place)) => Row::ok(ID, format!("the key to the sessions is kept in: {}", place.label())),
        Err(why) => Row::new(
            ID,
            Health::Warn,
            format!("sessions are kept in memory only, so every process asks for a code: {why}"),
        )
        .remedy(REMEDY),
    }
}

/// GNOME's keyring is stored in plain text if its password is empty.
fn keyring_file(input: &DoctorInput<'_>) -> Row {
    const ID: &str = "keyring-file";
    let Ok(paths) = input.paths else {
        return Row::new(ID, Health::Skipped, "there is no home directory");
    };
    let data =
        input.set("XDG_DATA_HOME").map_or_else(|| paths.home.join(".local/share"), PathBuf::from);
    let files = std::fs::read_dir(data.join("keyrings")).into_iter().flatten().flatten();
    let plain = files.map(|entry| entry.path()).find(|path| {
        path.extension().is_some_and(|extension| extension == "keyring")
            && super::beside::read(path)
                .is_some_and(|text| text.trim_start().starts_with("[keyring]"))
    });
    match plain {
        None => Row::ok(ID, "no keyring is stored in plain text"),
        Some(path) => Row::new(
            ID,
            Health::Fail,
            format!("{} is not encrypted: its password is empty", path.display()),
        )
        .remedy("set a password for it in seahorse, then `sekisho key rotate`"),
    }
}

fn key(input: &DoctorInput<'_>) -> Row {
    const ID: &str = "access-key";
    let Some(config) = input.settings() else {
        return Row::new(ID, Health::Skipped, "no config, so the key's source is not known");
    };
    let plain = match &config.auth.key {
        KeySource::Env => Some("the environment, which every program here can read"),
        KeySource::Profile(_) => Some("a plain text file"),
        KeySource::Auto
        | KeySource::Keyring
        | KeySource::File
        | KeySource::Command(_)
        | KeySource::Login => None,
    };
    match (input.key, plain) {
        (None, _) if input.login != LoginState::Unused => {
            Row::ok(ID, "none: a console sign-in is in its place")
        }
        (None, _) => Row::new(ID, Health::Skipped, "the key was not read"),
        (Some(Err(fault)), _) => Row::fault(ID, Health::Fail, fault),
        (Some(Ok(id)), None) => Row::ok(ID, format!("found key {}", id.short())),
        (Some(Ok(id)), Some(place)) => {
            Row::new(ID, Health::Warn, format!("key {} comes from {place}", id.short()))
                .remedy("sekisho key import, then `auth.key: auto`")
        }
    }
}

/// Where options of the Java virtual machine stand.
const JAVA_OPTIONS: [&str; 7] = [
    "JAVA_TOOL_OPTIONS",
    "JDK_JAVA_OPTIONS",
    "_JAVA_OPTIONS",
    "JAVA_OPTS",
    "MAVEN_OPTS",
    "GRADLE_OPTS",
    "SBT_OPTS",
];

/// The system properties by which the SDKs for Java know who they are, before they look at any variable.
const JAVA_IDENTITY: [&str; 9] = [
    "aws.accessKeyId",
    "aws.secretAccessKey",
    "aws.secretKey",
    "aws.sessionToken",
    "aws.profile",
    "aws.roleArn",
    "aws.webIdentityTokenFile",
    "aws.configFile",
    "aws.sharedCredentialsFile",
];

/// The variable with such properties in it, and their names.
fn java_identity(input: &DoctorInput<'_>) -> Option<(&'static str, String)> {
    JAVA_OPTIONS.into_iter().find_map(|variable| {
        let options = input.set(variable)?;
        let is_set = |name: &&str| {
            options.split_whitespace().any(|word| {
                let property = word.trim_start_matches(['"', '\'']).strip_prefix("-D");
                property.and_then(|property| property.split('=').next()) == Some(*name)
            })
        };
        let names: Vec<&str> = JAVA_IDENTITY.into_iter().filter(is_set).collect();
        (!names.is_empty()).then(|| (variable, names.join(", ")))
    })
}

fn stray_variables(input: &DoctorInput<'_>) -> Row {
    const ID: &str = "environment";
    if let Some((variable, names)) = java_identity(input) {
        let what = format!("{variable} sets {names}, which Java programs use before variables");
        return Row::new(ID, Health::Warn, what)
            .remedy(format!("take these properties out of {variable}"));
    }
    let in_shell = input.set("SEKISHO_TARGET").is_some();
    let profile =
        ["AWS_PROFILE", "AWS_DEFAULT_PROFILE"].into_iter().find(|name| input.set(name).is_some());
    // Under `serve` there is no key, and the profile is sekisho's.
    if let (Some(profile), Some(_)) = (profile, input.set("AWS_ACCESS_KEY_ID")) {
        let (whose, remedy) = if in_shell {
            ("this shell's account", "`sekisho exec TARGET -- COMMAND` runs one command elsewhere")
        } else {
            (
                "the key in AWS_ACCESS_KEY_ID",
                "do not export the key: `sekisho key add`, then `auth.key: auto`; or `unset AWS_ACCESS_KEY_ID` for these commands",
            )
        };
        let what = format!("{profile} is set, but nearly every SDK uses {whose}");
        return Row::new(ID, Health::Warn, what).remedy(remedy);
    }
    if in_shell {
        return Row::ok(ID, "this is a sekisho shell");
    }
    let own = input.settings().is_some_and(|config| config.auth.key == KeySource::Env);
    let is_key = |name: &str| own && matches!(name, "AWS_ACCESS_KEY_ID" | "AWS_SECRET_ACCESS_KEY");
    let stray: Vec<&str> = input
        .env
        .keys()
        .map(String::as_str)
        .filter(|name| name.starts_with("AWS_") && IDENTITY.contains(name) && !is_key(name))
        .collect();
    if stray.is_empty() {
        return Row::ok(ID, "no other tool's credentials are set");
    }
    Row::new(
        ID,
        Health::Warn,
        format!("set here, and removed in every sekisho shell: {}", stray.join(", ")),
    )
    .remedy("find where they are exported: a .profile, a direnv file, another tool's shell")
}

/// Who drives, and by which variable sekisho knows.
fn agent(input: &DoctorInput<'_>) -> Row {
    const ID: &str = "agent";
    let driver = |with_override: bool| {
        let names = input.env.iter().filter(|(name, _)| with_override || *name != agents::OVERRIDE);
        Driver::of(names.map(|(name, value)| (name.as_bytes(), value.as_bytes())))
    };
    match (driver(true), driver(false)) {
        (Driver::Agent(agent), _) => {
            let what = format!("{agent}: it gets what the config's `agents` allows");
            Row::ok(ID, what).remedy(format!("`export {}=0` if that is you", agents::OVERRIDE))
        }
        (Driver::Person, Driver::Agent(agent)) => Row::ok(
            ID,
            format!(
                "{} is set, but {}=0 says that a person runs sekisho",
                agent.variable,
                agents::OVERRIDE
            ),
        ),
        (Driver::Person, Driver::Person) => Row::ok(ID, "no AI agent runs this command"),
    }
}

fn endpoint(input: &DoctorInput<'_>) -> Row {
    const ID: &str = "endpoint";
    if let Some(url) = input.settings().and_then(|config| config.auth.endpoint_url.as_deref()) {
        return Row::new(ID, Health::Warn, format!("sekisho calls {url}, not AWS"))
            .remedy("remove `auth.endpoint_url` from the config, unless you use an emulator");
    }
    let names: Vec<&str> = input
        .env
        .keys()
        .map(String::as_str)
        .filter(|name| name.starts_with("AWS_ENDPOINT_URL") && input.set(name).is_some())
        .collect();
    if names.is_empty() {
        let (fips, dual) =
            (input.set("AWS_USE_FIPS_ENDPOINT"), input.set("AWS_USE_DUALSTACK_ENDPOINT"));
        return match Endpoints::of(fips, dual).name() {
            Some(kind) => Row::ok(ID, format!("AWS's own hosts ({kind})")),
            None => Row::ok(ID, "AWS's own hosts"),
        };
    }
    Row::new(ID, Health::Warn, format!("other tools use {}; sekisho does not", names.join(", ")))
        .remedy("unset it, unless you use an emulator")
}

fn proxy(input: &DoctorInput<'_>) -> Row {
    const ID: &str = "proxy";
    let names = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
    let Some((name, value)) = names.iter().find_map(|name| Some((name, input.set(name)?))) else {
        return Row::ok(ID, "none");
    };
    let url = if value.contains("://") { value.to_owned() } else { format!("http://{value}") };
    if url.contains('@') {
        return Row::new(
            ID,
            Health::Warn,
            format!("{name} is {url} and contains a password"),
        )
        .remedy(
            "every child process can read it: use a proxy without a password, or a local one that adds it",
        );
    }
    Row::ok(ID, format!("{name} is {url}"))
}

fn ca_bundle(input: &DoctorInput<'_>) -> Row {
    const ID: &str = "ca-bundle";
    match input.set("AWS_CA_BUNDLE") {
        None => Row::ok(ID, "the system's certificates"),
        Some(path) => match aws::read_ca_bundle(Path::new(path)) {
            Ok(_) => Row::ok(ID, format!("{path}, in addition to the system's certificates")),
            Err(fault) => Row::fault(ID, Health::Fail, &fault),
        },
    }
}

fn hook(input: &DoctorInput<'_>) -> Row {
    const ID: &str = "hook";
    // The hook says so to what it starts.
    if input.set("SEKISHO_HOOK").is_some() {
        return Row::ok(ID, "this shell has it");
    }
    let (Ok(paths), Some(shell)) = (input.paths, input.set("SHELL")) else {
        return Row::new(ID, Health::Skipped, "SHELL is not set");
    };
    let home = &paths.home;
    let (files, line) = match shell.rsplit('/').next().unwrap_or_default() {
        "bash" => {
            let mut files = [".bashrc", ".bash_profile", ".profile"].map(|name| home.join(name));
            if cfg!(target_os = "macos") {
                // Terminal.app starts login shells, which do not read ~/.bashrc.
                files.swap(0, 1);
            }
            (files.to_vec(), "eval \"$(sekisho hook bash)\"")
        }
        "zsh" => {
            let folder = input.set("ZDOTDIR").map_or_else(|| home.clone(), PathBuf::from);
            (vec![folder.join(".zshrc"), folder.join(".zshenv")], "eval \"$(sekisho hook zsh)\"")
        }
        "fish" => {
            let config =
                input.set("XDG_CONFIG_HOME").map_or_else(|| home.join(".config"), PathBuf::from);
            let more =
                std::fs::read_dir(config.join("fish/conf.d")).into_iter().flatten().flatten();
            let mut files = vec![config.join("fish/config.fish")];
            files.extend(more.map(|entry| entry.path()));
            (files, "sekisho hook fish | source")
        }
        other => {
            return Row::new(ID, Health::Skipped, format!("there is no hook for {other}"));
        }
    };
    let there = |file: &PathBuf| {
        let text = super::beside::read(file).unwrap_or_default();
        text.lines()
            .any(|line| !line.trim_start().starts_with('#') && line.contains("sekisho hook"))
    };
    if files.iter().any(there) {
        return Row::ok(ID, "`sekisho switch` works in your shells");
    }
    let file = files.first().map(|file| file.display().to_string()).unwrap_or_default();
    let what = match input.set("SEKISHO_TARGET") {
        // A plain `bash` or tmux in a subshell.
        Some(target) => format!(
            "this shell has the credentials of {} and no mark at its prompt: its rc file does not load the hook",
            sanitize(target)
        ),
        None => "`sekisho switch` does not work in your shell: its rc file does not load the hook"
            .into(),
    };
    Row::new(ID, Health::Warn, what).remedy(format!("add to {file}: {line}"))
}

/// The locale for characters: `LC_ALL`, otherwise `LC_CTYPE`, otherwise `LANG` (POSIX).
fn locale<'a>(input: &'a DoctorInput<'_>) -> &'a str {
    ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|name| input.set(name)).unwrap_or_default()
}

fn terminal(input: &DoctorInput<'_>) -> Row {
    const ID: &str = "terminal";
    match input.set("TERM") {
        None | Some("dumb") => {
            return Row::new(
                ID,
                Health::Warn,
                "the switcher cannot be shown: TERM is dumb or not set",
            )
            .remedy(
                "use a terminal that can move the cursor; `sekisho exec TARGET` works anywhere",
            );
        }
        Some(_) => {}
    }
    let locale = locale(input);
    let charset = locale.split('.').nth(1).unwrap_or_default().to_ascii_lowercase();
    if charset.starts_with("utf-8") || charset.starts_with("utf8") {
        return Row::ok(ID, format!("UTF-8 ({locale})"));
    }
    Row::new(
        ID,
        Health::Warn,
        "the locale is not UTF-8: names that are not ASCII are not shown correctly",
    )
    .remedy("export LANG=C.UTF-8")
}

fn glyphs(input: &DoctorInput<'_>) -> Row {
    const ID: &str = "glyphs";
    let symbols = input.settings().map_or(Symbols::Auto, |config| config.list.symbols);
    let locale = locale(input);
    let wide = ["ja", "zh", "ko"].iter().any(|language| locale.starts_with(language));
    if symbols == Symbols::Ascii || !wide {
        return Row::ok(ID, "no glyph has an ambiguous width in this locale");
    }
    Row::new(ID, Health::Warn, format!("with {locale}, some terminals draw ● and borders two cells wide"))
        .remedy("if the list looks broken: set `symbols: ascii` in the config, or ambiguous width 1 in the terminal")
}
