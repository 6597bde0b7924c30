//! What lies beside sekisho's key: other tools' plain text keys, TOTP seeds, the programs that give codes.

use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::domain::config::{Argv, KeySource};
use crate::services::session::codes::trusted_program;

use super::{DoctorInput, Health, Row};

/// How much of a file is looked at.
const MAX_FILE_BYTES: u64 = 1 << 20;

pub(super) fn rows(setup: &DoctorInput<'_>) -> Vec<Row> {
    vec![plain_keys(setup), seeds(setup), mfa_command(setup)]
}

/// The text of a regular file of reasonable size, as far as it is text.
pub(super) fn read(path: &Path) -> Option<String> {
    // Without NONBLOCK a FIFO would hold us up for ever.
    let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let file = std::fs::OpenOptions::new().read(true).custom_flags(flags).open(path).ok()?;
    file.metadata().ok().filter(std::fs::Metadata::is_file)?;
    let mut bytes = Vec::new();
    file.take(MAX_FILE_BYTES).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// AWS's shared files, where the environment or custom has them.
fn shared_files(setup: &DoctorInput<'_>) -> Vec<PathBuf> {
    let home = setup.paths.ok().map(|paths| paths.home.join(".aws"));
    [("AWS_SHARED_CREDENTIALS_FILE", "credentials"), ("AWS_CONFIG_FILE", "config")]
        .into_iter()
        .filter_map(|(variable, name)| {
            let named = setup.set(variable).map(PathBuf::from);
            named.or_else(|| Some(home.as_ref()?.join(name)))
        })
        .collect()
}

/// The profiles of an AWS file that hold secrets: long-term keys, and sessions.
///
/// <https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html>
fn profiles(text: &str) -> (Vec<String>, Vec<String>) {
    let (mut keys, mut sessions) = (Vec::new(), Vec::new());
    let mut section = (String::new(), false, false);
    let mut close = |(name, secret, token): (String, bool, bool)| {
        if secret && token {
            sessions.push(name);
        } else if secret {
            keys.push(name);
        }
    };
    for line in text.lines().map(str::trim) {
        if let Some(header) = line.strip_prefix('[') {
            let name = header.split(']').next().unwrap_or_default().trim();
            let name = name.strip_prefix("profile ").unwrap_or(name).trim().to_owned();
            close(std::mem::replace(&mut section, (name, false, false)));
        } else if let Some((name, value)) = line.split_once('=')
            && !value.trim().is_empty()
        {
            match name.trim().to_ascii_lowercase().as_str() {
                "aws_secret_access_key" => section.1 = true,
                "aws_session_token" | "aws_security_token" => section.2 = true,
                _ => {}
            }
        }
    }
    close(section);
    (keys, sessions)
}

fn plain_keys(setup: &DoctorInput<'_>) -> Row {
    const ID: &str = "plain-text-keys";
    let (mut keys, mut sessions) = (Vec::new(), Vec::new());
    for file in shared_files(setup) {
        let (mut own_keys, mut own_sessions) = profiles(&read(&file).unwrap_or_default());
        keys.append(&mut own_keys);
        sessions.append(&mut own_sessions);
    }
    if let [first, ..] = &keys[..] {
        let first = shlex::try_quote(first).unwrap_or_default();
        return Row::new(ID, Health::Fail, format!("access keys in plain text, of profile {}", keys.join(", ")))
            .remedy(format!("sekisho key import {first}; another account's: delete it, or keep it in that account's own tool"));
    }
    if sessions.is_empty() {
        return Row::ok(ID, "none in ~/.aws");
    }
    Row::new(
        ID,
        Health::Warn,
        format!("another tool writes sessions in plain text, to profile {}", sessions.join(", ")),
    )
    .remedy(
        "delete those profiles; `sekisho profiles` gives tools the same without secrets on disk",
    )
}

/// A seed makes codes for ever: beside the key it turns two factors into one.
fn seeds(setup: &DoctorInput<'_>) -> Row {
    const ID: &str = "totp-seed";
    let found = |place: String| {
        Row::new(ID, Health::Fail, format!("a TOTP seed lies beside the key: {place}"))
            .remedy("enrol a new device, delete this seed, and keep the new one on a phone or a hardware token")
    };
    if let Some(argv) = setup.settings().and_then(|config| config.auth.mfa_command.as_ref())
        && argv.iter().skip(1).any(|argument| is_seed(argument) || argument.contains("otpauth://"))
    {
        return found("an argument of mfa_command in the config".into());
    }
    let Ok(paths) = setup.paths else {
        return Row::new(ID, Health::Skipped, "there is no home directory");
    };
    let mut files = shared_files(setup);
    for folder in [&paths.config, &paths.home.join(".aws")] {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        files.extend(entries.map(|entry| entry.path()));
    }
    files.push(paths.home.join(".2fa")); // rsc.io/2fa keeps its seeds there
    files.sort();
    files.dedup();
    for file in files {
        let text = read(&file).unwrap_or_default();
        if file.ends_with(".2fa") && !text.trim().is_empty() || text.lines().any(names_seed) {
            return found(file.display().to_string());
        }
    }
    Row::ok(ID, "none in ~/.aws and the config's folder")
}

/// Whether a line of a config file holds a seed, by its form or by what tools call it.
fn names_seed(line: &str) -> bool {
    if line.contains("otpauth://") {
        return true;
    }
    let Some((name, value)) = line.split_once(['=', ':']) else {
        return false;
    };
    let name = name.trim().to_ascii_lowercase();
    let names = ["totp", "mfa_secret", "mfa_seed", "mfa_key", "otp_secret", "otp_seed"];
    names.iter().any(|known| name.contains(known)) && is_seed(value.trim().trim_matches('"'))
}

/// Whether a text looks like a base32 secret of at least 80 bits (RFC 4648): no word of a language does.
fn is_seed(text: &str) -> bool {
    let digits: String = text.chars().filter(|c| !matches!(c, ' ' | '-' | '=')).collect();
    let base32 = |b: u8| b.is_ascii_alphabetic() || (b'2'..=b'7').contains(&b);
    digits.len() >= 16
        && digits.bytes().all(base32)
        && (digits.bytes().any(|b| b.is_ascii_digit())
            || digits.bytes().all(|b| b.is_ascii_uppercase()))
}

fn mfa_command(setup: &DoctorInput<'_>) -> Row {
    const ID: &str = "mfa-command";
    let auth = setup.settings().map(|config| &config.auth);
    let Some((auth, argv)) = auth.and_then(|auth| Some((auth, auth.mfa_command.as_ref()?))) else {
        return Row::ok(ID, "none: codes are typed");
    };
    let path = setup.set("PATH").unwrap_or_default();
    let name = program(argv);
    if let Err(why) = trusted_program(name, path.as_ref()) {
        return Row::new(ID, Health::Fail, format!("{name} is not run: {why}"))
            .remedy("name a program that only you or root can write, by its absolute path");
    }
    match &auth.key {
        KeySource::Command(key) if program(key) == name => Row::new(
            ID,
            Health::Warn,
            format!("{name} gives both the key and its codes: who opens it has both factors"),
        )
        .remedy("keep the codes on a phone or a hardware token"),
        _ => Row::ok(ID, format!("{name} gives codes")),
    }
}

fn program(argv: &Argv) -> &str {
    argv.first().map(String::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_found_profile_by_profile() {
        let text = "[default]\naws_access_key_id = AKIA\naws_secret_access_key = x\n\n[ profile a b ]\n\
            AWS_SECRET_ACCESS_KEY=y\naws_session_token=z\n[c]\nregion=x\n# aws_secret_access_key = q\n[d]\naws_secret_access_key =\n";
        let (keys, sessions) = profiles(text);
        assert_eq!((keys, sessions), (vec!["default".into()], vec!["a b".to_owned()]));
    }

    #[test]
    fn a_seed_is_told_from_words() {
        for seed in ["JBSWY3DPEHPK3PXP", "jbsw y3dp ehpk 3pxp", "ABCDEFGHIJKLMNOP"] {
            assert!(is_seed(seed), "{seed}");
        }
        for word in [
            "/usr/bin/authenticator",
            "authenticatorapplication",
            "AKIA1890",
            "arn:aws:iam::1:mfa/x",
            "123456",
        ] {
            assert!(!is_seed(word), "{word}");
        }
        assert!(names_seed("mfa_secret = JBSWY3DPEHPK3PXP") && names_seed("x otpauth://totp/x"));
        assert!(!names_seed("mfa_serial = arn:aws:iam::111111111111:mfa/tanaka"));
    }
}
