//! AWS's shared files: where the user's own are, and what a profile in them says.
//!
//! <https://docs.aws.amazon.com/sdkref/latest/guide/file-location.html>

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::domain::fault::Fault;
use crate::domain::ids::AccessKeyId;
use crate::domain::ini::{self, Content};
use crate::domain::text::sanitize;
use crate::services::config::paths::{Ids, Paths, with_home};

/// Names the config file; in a served child, sekisho's copy.
pub const CONFIG_FILE: &str = "AWS_CONFIG_FILE";
/// In a served child: what `AWS_CONFIG_FILE` was before, empty where it was not set.
pub const ORIGINAL_CONFIG: &str = "SEKISHO_AWS_CONFIG_FILE";
/// Names the credentials file.
const CREDENTIALS_FILE: &str = "AWS_SHARED_CREDENTIALS_FILE";

/// The settings that make an access key.
pub(super) const KEY_ID: &str = "aws_access_key_id";
pub(super) const KEY_SECRET: &str = "aws_secret_access_key";
/// The settings that make it a session; the second is botocore's old name.
pub(super) const TOKENS: [&str; 2] = ["aws_session_token", "aws_security_token"];

/// Whether a setting is one of those that credentials consist of.
pub fn is_credential(setting: &str) -> bool {
    [KEY_ID, KEY_SECRET].iter().chain(&TOKENS).any(|name| setting.eq_ignore_ascii_case(name))
}

/// The user's own `AWS_CONFIG_FILE`, in a served child, too. Empty means unset.
pub fn own_config_variable<V: AsRef<OsStr>>(env: impl Fn(&str) -> Option<V>) -> Option<V> {
    let value = env(ORIGINAL_CONFIG).or_else(|| env(CONFIG_FILE));
    value.filter(|path| !path.as_ref().is_empty())
}

/// The user's own `AWS_PROFILE`: in a served child it names sekisho's profile.
pub fn own_profile_variable(env: impl Fn(&str) -> Option<OsString>) -> Option<String> {
    if env(ORIGINAL_CONFIG).is_some() {
        return None;
    }
    env("AWS_PROFILE").and_then(|name| name.into_string().ok()).filter(|name| !name.is_empty())
}

/// The user's own files, never sekisho's copy for a served child.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedFiles {
    /// `~/.aws/credentials`
    pub credentials: PathBuf,
    /// `~/.aws/config`
    pub config: PathBuf,
}

/// The settings of a profile by their names in lower case.
pub(super) type Settings = BTreeMap<String, Zeroizing<String>>;

impl SharedFiles {
    /// Finds them from this process's environment.
    pub fn current() -> Result<Self, Fault> {
        let env = |name: &str| std::env::var_os(name);
        Ok(Self::find(env, &Paths::find(env, Ids::current())?.home))
    }

    /// Finds them from an environment; `home` is where they are by default, and what `~` means.
    pub fn find(env: impl Fn(&str) -> Option<OsString>, home: &Path) -> Self {
        let named = |path: OsString| with_home(&path, Some(home)).unwrap_or_else(|_| path.into());
        let credentials = env(CREDENTIALS_FILE).filter(|path| !path.is_empty());
        let default = |name| home.join(".aws").join(name);
        Self {
            credentials: credentials.map_or_else(|| default("credentials"), named),
            config: own_config_variable(env).map_or_else(|| default("config"), named),
        }
    }

    /// Both, the credentials file first.
    pub fn both(&self) -> [&Path; 2] {
        [&self.credentials, &self.config]
    }

    /// What a profile says; of a setting in both files, the credentials file's.
    ///
    /// `Err` says which file cannot be read, or that neither has the profile.
    pub(super) fn profile(&self, name: &str) -> Result<Settings, String> {
        let mut found: Option<Settings> = None;
        for file in self.both() {
            let bytes = match std::fs::read(file).map(Zeroizing::new) {
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                read => read.map_err(|error| format!("{}: {error}", shown(file)))?,
            };
            let text = std::str::from_utf8(&bytes);
            let text = text.map_err(|_| format!("{} is not UTF-8", shown(file)))?;
            for (section, setting) in settings(text) {
                if section != name {
                    continue;
                }
                let profile = found.get_or_insert_default();
                if let Some((key, value)) = setting {
                    profile
                        .entry(key.to_ascii_lowercase())
                        .or_insert_with(|| Zeroizing::new(value.to_owned()));
                }
            }
        }
        let files = self.both().map(shown).join(" nor ");
        found.ok_or_else(|| format!("neither {files} has it"))
    }
}

impl SharedFiles {
    /// The profiles with an access key, and its id; not those with a session. A file that cannot be read has none.
    pub fn profiles_with_keys(&self) -> Vec<(String, AccessKeyId)> {
        let mut names: Vec<String> = Vec::new();
        for file in self.both() {
            let Ok(bytes) = std::fs::read(file).map(Zeroizing::new) else { continue };
            for (name, _) in settings(std::str::from_utf8(&bytes).unwrap_or_default()) {
                if !names.iter().any(|known| known == name) {
                    names.push(name.to_owned());
                }
            }
        }
        let id = |name: &String| {
            let profile = self.profile(name).ok()?;
            // What follows a blank is a comment.
            let id = profile.get(KEY_ID)?.split_whitespace().next()?.parse::<AccessKeyId>().ok()?;
            let is_session = TOKENS.iter().any(|token| profile.contains_key(*token));
            let is_key = profile.contains_key(KEY_SECRET) && !is_session && !id.is_temporary();
            is_key.then_some(id)
        };
        names.iter().filter_map(|name| Some((name.clone(), id(name)?))).collect()
    }
}

/// Every profile with each of its settings, once without any for its section.
fn settings(text: &str) -> impl Iterator<Item = (&str, Option<(&str, &str)>)> {
    let mut profile = None;
    ini::lines(text).filter_map(move |line| match line.content {
        Content::Section(section) => {
            profile = ini::profile_name(section);
            Some((profile?, None))
        }
        Content::Setting { key, value } => Some((profile?, Some((key, value)))),
        _ => None,
    })
}

fn shown(file: &Path) -> String {
    sanitize(&file.to_string_lossy())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(env: &[(&str, &str)]) -> [String; 2] {
        let get = |name: &str| {
            env.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value))
        };
        SharedFiles::find(get, Path::new("/home/t")).both().map(|file| file.display().to_string())
    }

    #[test]
    fn the_users_own_files_are_found_in_a_served_child_too() {
        let own = ["/home/t/.aws/credentials", "/home/t/.aws/config"];
        assert_eq!(find(&[]), own);
        assert_eq!(find(&[(CONFIG_FILE, ""), (CREDENTIALS_FILE, "")]), own);
        assert_eq!(
            find(&[(CONFIG_FILE, "~/x"), (CREDENTIALS_FILE, "/c")]),
            ["/c", "/home/t/x"],
            "botocore and the SDKs expand ~"
        );
        assert_eq!(find(&[(CONFIG_FILE, "/run/copy"), (ORIGINAL_CONFIG, "")]), own);
        assert_eq!(find(&[(CONFIG_FILE, "/run/copy"), (ORIGINAL_CONFIG, "~/x")])[1], "/home/t/x");
    }

    #[test]
    fn a_profile_is_read_from_both_files_as_botocore_reads_them() {
        let dir = tempfile::tempdir().unwrap();
        let files = SharedFiles {
            credentials: dir.path().join("credentials"),
            config: dir.path().join("config"),
        };
        assert!(files.profile("default").unwrap_err().starts_with("neither "));
        let config =
            "[profile my team]\n  region: eu-west-1\n  AWS_Access_Key_Id: other\n[default]\n";
        std::fs::write(&files.config, config).unwrap();
        std::fs::write(&files.credentials, "[my team]\naws_access_key_id = AKIA\n").unwrap();
        let profile = files.profile("my team").unwrap();
        let values: Vec<_> = profile.iter().map(|(key, value)| (&**key, &***value)).collect();
        assert_eq!(values, [(KEY_ID, "AKIA"), ("region", "eu-west-1")]);
        assert!(files.profile("default").unwrap().is_empty());
        std::fs::write(&files.config, b"\xff").unwrap();
        assert!(files.profile("default").unwrap_err().contains("config is not UTF-8"));
    }
}
