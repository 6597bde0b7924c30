//! The machine: directories, config, store, environment, shell, terminal.

use std::path::{Path, PathBuf};

use crate::domain::config::{KeySource, StoreChoice, Symbols};
use crate::domain::text::count;
use crate::services::aws;
use crate::services::child::environment::IDENTITY;
use crate::services::store::datakey::KeyPlace;
use crate::services::store::files::Dir;
use crate::services::store::keychain::{self, KeychainError};

use super::{DoctorInput, Health, Row};

pub(super) fn rows(setup: &DoctorInput<'_>) -> Vec<Row> {
    vec![
        directories(setup),
        config(setup),
        store(setup),
        sessions(setup),
        keyring_file(setup),
        key(setup),
        stray_variables(setup),
        endpoint(setup),
        proxy(setup),
        ca_bundle(setup),
        hook(setup),
        terminal(setup),
        glyphs(setup),
    ]
}

fn directories(setup: &DoctorInput<'_>) -> Row {
    const ID: &str = "directories";
    let paths = match setup.paths {
        Ok(paths) => paths,
        Err(fault) => return Row::fault(ID, Health::Fail, fault),
    };
    let ours = [Some(&paths.state), Some(&paths.cache), paths.runtime.as_ref()];
    for path in ours.into_iter().flatten() {
        if let Err(error) = Dir::open(path) {
            return Row::fault(
                ID,
                Health::Fail,
                &error.fault("a directory of sekisho's cannot be used"),
            );
        }
    }
    Row::ok(ID, "sekisho's own directories are closed to others")
}

fn config(setup: &DoctorInput<'_>) -> Row {
    const ID: &str = "config";
    match setup.config {
        Err(fault) => Row::fault(ID, Health::Fail, fault),
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

fn store(setup: &DoctorInput<'_>) -> Row {
    const ID: &str = "store";
    let Some(config) = setup.settings() else {
        return Row::new(ID, Health::Skipped, "there is no config to say where secrets rest");
    };
    let wanted = config.store == StoreChoice::Keyring || config.auth.key == KeySource::Keyring;
    let unused = matches!(config.store, StoreChoice::File | StoreChoice::None);
    match setup.keychain {
        _ if unused && !wanted => Row::ok(ID, "the config wants no keychain"),
        Ok(()) => Row::ok(ID, format!("the {} takes entries", keychain::LABEL)),
        Err(error) if wanted => Row::fault(ID, Health::Fail, &error.fault()),
        Err(error @ KeychainError::Waiting) => Row::fault(ID, Health::Warn, &error.fault()),
        Err(error) => Row::new(
            ID,
            Health::Warn,
            format!("{error}: the access key rests in a sealed file with a passphrase"),
        )
        .remedy(error.fault().fix.into_iter().next().unwrap_or_default()),
    }
}

fn sessions(setup: &DoctorInput<'_>) -> Row {
    const ID: &str = "sessions";
    const REMEDY: &str =
        "let the container use keyctl (its seccomp profile), or run a Secret Service";
    let Some(sessions) = setup.sessions else {
        return Row::new(ID, Health::Skipped, "there is no config to say where sessions rest");
    };
    match sessions {
        Ok(None) => Row::ok(ID, "the config wants sessions in memory only"),
        Ok(Some(KeyPlace::Runtime)) => Row::new(
            ID,
            Health::Warn,
            "the key to the sessions is a file in XDG_RUNTIME_DIR: any program of yours can read it",
        )
        .remedy(REMEDY),
        Ok(Some(place)) => Row::ok(ID, format!("the key to the sessions: {}", place.label())),
        Err(why) => Row::new(
            ID,
            Health::Warn,
            format!("sessions stay in memory, so every process asks for a code: {why}"),
        )
        .remedy(REMEDY),
    }
}

/// GNOME's keyring writes in plain text where its password is empty.
fn keyring_file(setup: &DoctorInput<'_>) -> Row {
    const ID: &str = "keyring-file";
    let Ok(paths) = setup.paths else {
        return Row::new(ID, Health::Skipped, "there is no home directory");
    };
    let data =
        setup.set("XDG_DATA_HOME").map_or_else(|| paths.home.join(".local/share"), PathBuf::from);
    let files = std::fs::read_dir(data.join("keyrings")).into_iter().flatten().flatten();
    let plain = files.map(|entry| entry.path()).find(|path| {
        path.extension().is_some_and(|extension| extension == "keyring")
            && super::beside::read(path)
                .is_some_and(|text| text.trim_start().starts_with("[keyring]"))
    });
    match plain {
        None => Row::ok(ID, "no keyring is kept in plain text"),
        Some(path) => Row::new(
            ID,
            Health::Fail,
            format!("{} is not encrypted: its password is empty", path.display()),
        )
        .remedy("set a password for it in seahorse, then `sekisho key rotate`"),
    }
}

fn key(setup: &DoctorInput<'_>) -> Row {
    const ID: &str = "access-key";
    let Some(config) = setup.settings() else {
        return Row::new(ID, Health::Skipped, "there is no config to say where the key is");
    };
    let plain = match &config.auth.key {
        KeySource::Env => Some("the environment, which every program here can read"),
        KeySource::Profile(_) => Some("a plain text file"),
        KeySource::Auto | KeySource::Keyring | KeySource::File | KeySource::Command(_) => None,
    };
    match (setup.key, plain) {
        (None, _) => Row::new(ID, Health::Skipped, "the key was not looked for"),
        (Some(Err(fault)), _) => Row::fault(ID, Health::Fail, fault),
        (Some(Ok(id)), None) => Row::ok(ID, format!("key {} is at hand", id.short())),
        (Some(Ok(id)), Some(place)) => {
            Row::new(ID, Health::Warn, format!("key {} comes from {place}", id.short()))
                .remedy("sekisho key import, then `auth.key: auto`")
        }
    }
}

fn stray_variables(setup: &DoctorInput<'_>) -> Row {
    const ID: &str = "environment";
    if setup.set("SEKISHO_TARGET").is_some() {
        return Row::ok(ID, "this is a sekisho shell");
    }
    let own = setup.settings().is_some_and(|config| config.auth.key == KeySource::Env);
    let is_key = |name: &str| own && matches!(name, "AWS_ACCESS_KEY_ID" | "AWS_SECRET_ACCESS_KEY");
    let stray: Vec<&str> = setup
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
        format!("set here, and undone in every sekisho shell: {}", stray.join(", ")),
    )
    .remedy("find where they are exported: a .profile, a direnv file, another tool's shell")
}

fn endpoint(setup: &DoctorInput<'_>) -> Row {
    const ID: &str = "endpoint";
    if let Some(url) = setup.settings().and_then(|config| config.auth.endpoint_url.as_deref()) {
        return Row::new(ID, Health::Warn, format!("sekisho itself calls {url}, not AWS"))
            .remedy("remove `auth.endpoint_url` from the config, unless an emulator is meant");
    }
    let names: Vec<&str> = setup
        .env
        .keys()
        .map(String::as_str)
        .filter(|name| name.starts_with("AWS_ENDPOINT_URL") && setup.set(name).is_some())
        .collect();
    if names.is_empty() {
        return Row::ok(ID, "AWS's own hosts");
    }
    Row::new(
        ID,
        Health::Warn,
        format!("other tools go where {} says; sekisho itself does not", names.join(", ")),
    )
    .remedy("unset it unless an emulator is meant")
}

fn proxy(setup: &DoctorInput<'_>) -> Row {
    const ID: &str = "proxy";
    let names = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
    let Some((name, value)) = names.iter().find_map(|name| Some((name, setup.set(name)?))) else {
        return Row::ok(ID, "none");
    };
    let url = if value.contains("://") { value.to_owned() } else { format!("http://{value}") };
    if url.contains('@') {
        return Row::new(
            ID,
            Health::Warn,
            format!("{name} is {url}, with a password in it"),
        )
        .remedy(
            "every child process sees it: use a proxy that needs none, or a local one that adds it",
        );
    }
    Row::ok(ID, format!("{name} is {url}"))
}

fn ca_bundle(setup: &DoctorInput<'_>) -> Row {
    const ID: &str = "ca-bundle";
    match setup.set("AWS_CA_BUNDLE") {
        None => Row::ok(ID, "the system's certificates"),
        Some(path) => match aws::read_ca_bundle(Path::new(path)) {
            Ok(_) => Row::ok(ID, format!("{path}, beside the system's certificates")),
            Err(fault) => Row::fault(ID, Health::Fail, &fault),
        },
    }
}

fn hook(setup: &DoctorInput<'_>) -> Row {
    const ID: &str = "hook";
    if setup.set("SEKISHO_DEPTH").is_some() {
        return Row::ok(ID, "this is a sekisho shell, which has it");
    }
    let (Ok(paths), Some(shell)) = (setup.paths, setup.set("SHELL")) else {
        return Row::new(ID, Health::Skipped, "SHELL is not set");
    };
    let home = &paths.home;
    let (files, line) = match shell.rsplit('/').next().unwrap_or_default() {
        "bash" => (
            vec![home.join(".bashrc"), home.join(".bash_profile"), home.join(".profile")],
            "eval \"$(sekisho hook bash)\"",
        ),
        "zsh" => {
            let folder = setup.set("ZDOTDIR").map_or_else(|| home.clone(), PathBuf::from);
            (vec![folder.join(".zshrc"), folder.join(".zshenv")], "eval \"$(sekisho hook zsh)\"")
        }
        "fish" => {
            let config =
                setup.set("XDG_CONFIG_HOME").map_or_else(|| home.join(".config"), PathBuf::from);
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
        return Row::ok(ID, "sekisho switch acts on your shells");
    }
    let file = files.first().map(|file| file.display().to_string()).unwrap_or_default();
    Row::new(
        ID,
        Health::Warn,
        "`sekisho switch` cannot act on your shell: the hook is not in its rc file",
    )
    .remedy(format!("add to {file}: {line}"))
}

/// What the locale says about characters: `LC_ALL`, else `LC_CTYPE`, else `LANG` (POSIX).
fn locale<'a>(setup: &'a DoctorInput<'_>) -> &'a str {
    ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|name| setup.set(name)).unwrap_or_default()
}

fn terminal(setup: &DoctorInput<'_>) -> Row {
    const ID: &str = "terminal";
    match setup.set("TERM") {
        None | Some("dumb") => {
            return Row::new(
                ID,
                Health::Warn,
                "the terminal cannot place a cursor: TERM is dumb or not set",
            )
            .remedy("use the list in a terminal; `sekisho exec TARGET` works anywhere");
        }
        Some(_) => {}
    }
    let locale = locale(setup);
    let charset = locale.split('.').nth(1).unwrap_or_default().to_ascii_lowercase();
    if charset.starts_with("utf-8") || charset.starts_with("utf8") {
        return Row::ok(ID, format!("UTF-8 ({locale})"));
    }
    Row::new(ID, Health::Warn, "the locale is not UTF-8: names that are not ASCII will not show")
        .remedy("export LANG=C.UTF-8")
}

fn glyphs(setup: &DoctorInput<'_>) -> Row {
    const ID: &str = "glyphs";
    let symbols = setup.settings().map_or(Symbols::Auto, |config| config.list.symbols);
    let locale = locale(setup);
    let wide = ["ja", "zh", "ko"].iter().any(|language| locale.starts_with(language));
    if symbols == Symbols::Ascii || !wide {
        return Row::ok(ID, "no glyph is of doubtful width here");
    }
    Row::new(ID, Health::Warn, format!("under {locale} some terminals draw ● and borders two cells wide"))
        .remedy("where the list looks torn: `symbols: ascii` in the config, or ambiguous width 1 in the terminal")
}
