//! Checks of what is kept next to sekisho's key: other tools' plain text keys, TOTP seeds, programs that print codes.

use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::domain::config::{Argv, KeySource};
use crate::domain::ini::{self, Content};
use crate::domain::profiles::Parts;
use crate::domain::text::count;
use crate::services::aws::SharedFiles;
use crate::services::child::helper_program::trusted_program;
use crate::services::child::process;
use crate::services::config::paths::with_home;

use super::{DoctorInput, Health, Row};

/// How much of a file is read.
const MAX_FILE_BYTES: u64 = 1 << 20;

pub(super) fn rows(input: &DoctorInput<'_>) -> Vec<Row> {
    vec![
        plain_keys(input),
        session_caches(input),
        profile(input),
        managed_profiles(input),
        seeds(input),
        mfa_command(input),
    ]
}

/// The start of a regular file, as text.
pub(super) fn read(path: &Path) -> Option<String> {
    // Without NONBLOCK, opening a FIFO would block for ever.
    let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let file = std::fs::OpenOptions::new().read(true).custom_flags(flags).open(path).ok()?;
    file.metadata().ok().filter(std::fs::Metadata::is_file)?;
    let mut bytes = Vec::new();
    file.take(MAX_FILE_BYTES).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// The user's own AWS files.
fn shared_files(input: &DoctorInput<'_>) -> Vec<PathBuf> {
    let Ok(paths) = input.paths else { return Vec::new() };
    let env = |name: &str| input.env.get(name).map(Into::into);
    SharedFiles::find(env, &paths.home).both().map(Path::to_owned).into()
}

/// Whether the profile exists that the config takes the key from.
fn profile(input: &DoctorInput<'_>) -> Row {
    const ID: &str = "profile";
    let Some(KeySource::Profile(wanted)) = input.settings().map(|config| &config.auth.key) else {
        return Row::ok(ID, "the config names no profile");
    };
    let exists = shared_files(input).iter().filter_map(|file| read(file)).any(|text| {
        ini::lines(&text).any(|line| match line.content {
            Content::Section(name) => ini::profile_name(name).unwrap_or(name) == wanted,
            _ => false,
        })
    });
    // Where the key was looked for, its own row says that it is missing.
    if exists || matches!(input.key, Some(Err(_))) {
        return Row::ok(ID, format!("the key comes from profile {wanted}"));
    }
    Row::new(ID, Health::Fail, format!("`auth.key` names profile {wanted}, which AWS's files lack"))
        .remedy("correct the name in `auth.key`, or use the store: `sekisho key add`, then `auth.key: auto`")
}

/// The profiles of an AWS file that contain secrets: those with long-term keys, those with sessions.
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
    for line in ini::lines(text) {
        match line.content {
            Content::Section(name) => {
                let name = ini::profile_name(name).unwrap_or(name).to_owned();
                close(std::mem::replace(&mut section, (name, false, false)));
            }
            Content::Setting { key, value } | Content::Continuation { key, value }
                if !value.is_empty() =>
            {
                match key.to_ascii_lowercase().as_str() {
                    "aws_secret_access_key" => section.1 = true,
                    "aws_session_token" | "aws_security_token" => section.2 = true,
                    _ => {}
                }
            }
            _ => {}
        }
    }
    close(section);
    (keys, sessions)
}

fn plain_keys(input: &DoctorInput<'_>) -> Row {
    const ID: &str = "plain-text-keys";
    let (mut keys, mut sessions) = (Vec::new(), Vec::new());
    for file in shared_files(input) {
        let (mut own_keys, mut own_sessions) = profiles(&read(&file).unwrap_or_default());
        keys.append(&mut own_keys);
        sessions.append(&mut own_sessions);
    }
    if let [first, ..] = &keys[..] {
        let first = shlex::try_quote(first).unwrap_or_default();
        return Row::new(ID, Health::Fail, format!("access keys in plain text, in profile {}", keys.join(", ")))
            .remedy(format!("sekisho key import {first}; a key of another account: delete it, or move it to that account's tool"));
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
        "delete those profiles; `sekisho profiles` makes equivalent ones without secrets on disk",
    )
}

/// The caches in which AWS's own CLI keeps sessions in plain text.
fn session_caches(input: &DoctorInput<'_>) -> Row {
    const ID: &str = "session-caches";
    let Ok(paths) = input.paths else {
        return Row::new(ID, Health::Skipped, "there is no home directory");
    };
    let login = input.set("AWS_LOGIN_CACHE_DIRECTORY").map_or_else(
        || paths.home.join(".aws/login/cache"),
        |named| with_home(named, Some(&paths.home)).unwrap_or_else(|_| named.into()),
    );
    let caches = [login, paths.home.join(".aws/cli/cache")].map(|folder| {
        let files = std::fs::read_dir(&folder).into_iter().flatten().flatten();
        let sessions = files.filter(|file| file.path().extension().is_some_and(|e| e == "json"));
        (sessions.count(), folder)
    });
    let found = caches.iter().filter(|(sessions, _)| *sessions > 0);
    let found: Vec<String> =
        found.map(|(sessions, folder)| format!("{sessions} in {}", folder.display())).collect();
    if found.is_empty() {
        return Row::ok(ID, "the AWS CLI has cached no sessions");
    }
    Row::new(ID, Health::Warn, format!("the AWS CLI keeps sessions in plain text: {}", found.join(", ")))
        .remedy("`aws logout` ends those of `aws login`; delete the others, and use sekisho's profiles instead")
}

/// Whether the profiles that `profiles --write` has made work: their programs are there, and no key in the credentials
/// file goes before them, as one does that `aws configure --profile` has put there.
fn managed_profiles(input: &DoctorInput<'_>) -> Row {
    const ID: &str = "profiles";
    let Ok(paths) = input.paths else {
        return Row::new(ID, Health::Skipped, "there is no home directory");
    };
    let env = |name: &str| input.env.get(name).map(Into::into);
    let SharedFiles { credentials, config } = SharedFiles::find(env, &paths.home);
    let file = read(&config).unwrap_or_default();
    let Ok(Some(block)) = Parts::of(file.as_bytes()).map(|parts| parts.body()) else {
        return Row::ok(ID, "sekisho has written none");
    };
    let block = String::from_utf8_lossy(block);
    let programs: Vec<String> = ini::lines(&block)
        .filter_map(|line| match line.content {
            Content::Setting { key: "credential_process", value } => {
                shlex::split(value)?.into_iter().next()
            }
            _ => None,
        })
        .collect();
    let (keys, sessions) = profiles(&read(&credentials).unwrap_or_default());
    let own = ini::lines(&block).filter_map(|line| match line.content {
        Content::Section(name) => ini::profile_name(name),
        _ => None,
    });
    if let Some(name) = { own }.find(|own| keys.iter().chain(&sessions).any(|name| name == own)) {
        let credentials = credentials.display();
        let what =
            format!("{credentials} has keys for {name}: most SDKs use them instead of sekisho");
        return Row::new(ID, Health::Fail, what)
            .remedy(format!("remove the section [{name}] from {credentials}"));
    }
    let is_gone = |program: &&String| !process::is_executable(Path::new(program));
    let gone: Vec<&String> = programs.iter().filter(is_gone).collect();
    match gone.first() {
        None => Row::ok(ID, count(programs.len(), "profile")),
        Some(first) => Row::new(
            ID,
            Health::Fail,
            format!(
                "{} of {} call a program that is gone: {first}",
                gone.len(),
                count(programs.len(), "profile")
            ),
        )
        .remedy("`sekisho profiles --write`, with the options that the first line of sekisho's block names"),
    }
}

/// A seed generates codes for ever: whoever copies it together with the key has both factors.
fn seeds(input: &DoctorInput<'_>) -> Row {
    const ID: &str = "totp-seed";
    let found = |place: String| {
        Row::new(
            ID,
            Health::Fail,
            format!("a TOTP seed is stored on the same machine as the key: {place}"),
        )
        .remedy("register a new device, on a phone or a hardware token, and delete this seed")
    };
    if let Some(argv) = input.settings().and_then(|config| config.auth.mfa_command.as_ref())
        && argv.iter().skip(1).any(|argument| holds_seed(argument))
    {
        return found("an argument of mfa_command in the config".into());
    }
    let Ok(paths) = input.paths else {
        return Row::new(ID, Health::Skipped, "there is no home directory");
    };
    let mut files = shared_files(input);
    for folder in [&paths.config, &paths.home.join(".aws")] {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        files.extend(entries.map(|entry| entry.path()));
    }
    files.push(paths.home.join(".2fa")); // where rsc.io/2fa keeps its seeds
    files.sort();
    files.dedup();
    for file in files {
        let text = read(&file).unwrap_or_default();
        let is_of_mfa = file.file_name().is_some_and(|name| name.to_string_lossy().contains("mfa"));
        let found_in = |line: &str| names_seed(line, is_of_mfa);
        if file.ends_with(".2fa") && !text.trim().is_empty() || text.lines().any(found_in) {
            return found(file.display().to_string());
        }
    }
    Row::ok(ID, "none in ~/.aws or in the config's directory")
}

/// Whether a line of a config file contains a seed, by its form and the name that tools give it; any name, in a file
/// that is all about MFA.
fn names_seed(line: &str, is_of_mfa: bool) -> bool {
    if line.contains("otpauth://") {
        return true;
    }
    let Some((name, value)) = line.split_once(['=', ':']) else {
        return false;
    };
    let name = name.trim().to_ascii_lowercase();
    let names = ["otp", "mfa", "2fa", "seed", "_process"];
    (is_of_mfa || names.iter().any(|known| name.contains(known))) && holds_seed(value)
}

/// Whether a value or an argument is a seed, or a command line with one: `oathtool -b --totp SEED`.
fn holds_seed(value: &str) -> bool {
    let is_hex = |word: &str| word.len() >= 32 && word.bytes().all(|b| b.is_ascii_hexdigit());
    let words = value.split([' ', '\t', '=', ',']).map(|word| word.trim_matches(['"', '\'']));
    value.contains("otpauth://")
        || is_seed(value.trim().trim_matches('"'))
        || words.clone().any(is_seed)
        || value.contains("oathtool") && words.clone().any(is_hex)
}

/// Whether a text looks like a base32 secret of at least 80 bits (RFC 4648), which ordinary words do not.
fn is_seed(text: &str) -> bool {
    let digits: String = text.chars().filter(|c| !matches!(c, ' ' | '-' | '=')).collect();
    let is_digit = |b: u8| (b'2'..=b'7').contains(&b);
    let all = |is_letter: fn(&u8) -> bool| digits.bytes().all(|b| is_letter(&b) || is_digit(b));
    // The ids of access keys and roles have the same form.
    let is_id = digits.len() <= 21 && digits.starts_with('A') && digits.get(2..4) == Some("IA");
    digits.len() >= 16
        && !is_id
        && (all(u8::is_ascii_uppercase)
            || all(u8::is_ascii_lowercase) && digits.bytes().any(is_digit))
}

fn mfa_command(input: &DoctorInput<'_>) -> Row {
    const ID: &str = "mfa-command";
    let auth = input.settings().map(|config| &config.auth);
    let Some((auth, argv)) = auth.and_then(|auth| Some((auth, auth.mfa_command.as_ref()?))) else {
        return Row::ok(ID, "none: codes are typed");
    };
    let path = input.set("PATH").unwrap_or_default();
    let name = program(argv);
    if let Err(why) = trusted_program("mfa_command", name, path.as_ref()) {
        return Row::new(ID, Health::Fail, format!("sekisho does not run {name}: {why}"))
            .remedy("use the absolute path of a program that only you or root can write to");
    }
    match &auth.key {
        KeySource::Command(key) if program(key) == name => Row::new(
            ID,
            Health::Warn,
            format!("{name} returns both the key and the codes: whoever opens it has both factors"),
        )
        .remedy("keep the codes on a phone or a hardware token"),
        _ => Row::ok(ID, format!("codes come from {name}")),
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
            AWS_SECRET_ACCESS_KEY=y\naws_session_token=z\n[c]\nregion=x\n[e]\naws_secret_access_key: x\n[f]\naws_secret_access_key =\n  x\n# aws_secret_access_key = q\n[d]\naws_secret_access_key =\n";
        let (keys, sessions) = profiles(text);
        assert_eq!(
            (keys, sessions),
            (["default", "e", "f"].map(String::from).to_vec(), vec!["a b".to_owned()])
        );
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
            "AKIAIOSFODNN7EXAMPLE",
            "wJalrXUtnFEMIK7MDENGbPxRfiCYZEXAMPLEKEYA",
            "arn:aws:iam::1:mfa/x",
            "123456",
        ] {
            assert!(!is_seed(word), "{word}");
        }
        for line in [
            "mfa_secret = JBSWY3DPEHPK3PXP",
            "totp: jbsw y3dp ehpk 3pxp",
            "x otpauth://totp/x",
            "mfa_process = oathtool --totp -b JBSWY3DPEHPK3PXP",
            "mfa_process = oathtool --totp --base32 'JBSWY3DPEHPK3PXP'",
            "credential_process = aws-totp --secret=JBSWY3DPEHPK3PXP",
            "mfa_process=/usr/bin/oathtool --totp 3132333435363738393031323334353637383930",
        ] {
            assert!(names_seed(line, false), "{line}");
        }
        for line in [
            "mfa_serial = arn:aws:iam::111111111111:mfa/tanaka",
            "mfa_serial = GAHT12345678",
            "mfa_process = ykman oath accounts code -s aws",
            "credential_process = /home/t/bin/sekisho credential-process 222222222222/Developer",
            "value: JBSWY3DPEHPK3PXP",
            "aws_access_key_id = AKIAIOSFODNN7EXAMPLE",
        ] {
            assert!(!names_seed(line, false), "{line}");
        }
        assert!(names_seed("  value: JBSWY3DPEHPK3PXP", true));
        assert!(!names_seed("  arn: arn:aws:iam::111111111111:mfa/tanaka", true));
    }
}
