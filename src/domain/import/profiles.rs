//! AWS's shared config file, as far as roles are concerned. A secret in it is never looked at.

use std::collections::HashMap;

use crate::domain::ini::{self, Content};

/// The most profiles of one file; a config has room for as many accounts.
const MAX_PROFILES: usize = 20_000;
/// The longest name of a profile, in bytes.
const MAX_NAME: usize = 256;
/// The longest value, in bytes; an external id has 1,224 at most.
const MAX_VALUE: usize = 2_048;
/// How many `include_profile` are followed.
const MAX_INCLUDES: usize = 8;

/// How many settings of a profile are remembered by name only, so that they can be named.
const MAX_OTHERS: usize = 24;
/// The longest name of a setting that is remembered.
const MAX_SETTING: usize = 64;

/// The profiles of AWS's shared files, in their order.
#[derive(Debug, Default)]
pub struct Profiles {
    all: Vec<Profile>,
    by_name: HashMap<String, usize>,
    /// Sections of the config file that AWS's tools pass over, since `profile` is missing before the name.
    unread: Vec<String>,
}

/// What a profile says about roles.
#[derive(Debug, Default)]
pub struct Profile {
    /// What it is called.
    pub name: String,
    values: HashMap<Key, String>,
    /// How it gets credentials, if not by a role or a long-term key.
    pub other_way: Option<OtherWay>,
    /// The names of its settings that nothing here understands.
    pub others: Vec<String>,
}

/// A key of a profile that is taken over, or decides whether the profile is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are the keys")]
pub enum Key {
    RoleArn,
    SourceProfile,
    /// aws-vault's key: a profile inherits from the one it names.
    IncludeProfile,
    CredentialSource,
    AccessKeyId,
    /// Whether the key is a session's, not the token itself.
    SessionToken,
    LoginSession,
    MfaSerial,
    /// aws-vault's key: a program that prints a code.
    MfaProcess,
    Region,
    DurationSeconds,
    /// awsume's name for it.
    RoleDuration,
    ExternalId,
    RoleSessionName,
    /// aws-vault's keys.
    SessionTags,
    TransitiveSessionTags,
    SourceIdentity,
    EndpointUrl,
    GrantedColor,
    AwsAccountId,
}

/// A way to credentials that does not start at an IAM user's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum OtherWay {
    /// IAM Identity Center: any `sso_…` or `granted_sso_…` key.
    Sso,
    /// A program that prints credentials: `credential_process`.
    Process,
    /// A token of an identity provider.
    WebIdentity,
    /// The credentials of the machine it runs on.
    Machine,
}

/// Which of the shared files is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum File {
    Config,
    Credentials,
}

impl Key {
    fn of(word: &str) -> Option<Self> {
        Some(match word {
            "role_arn" => Self::RoleArn,
            "source_profile" => Self::SourceProfile,
            "include_profile" | "parent_profile" => Self::IncludeProfile,
            "credential_source" => Self::CredentialSource,
            "aws_access_key_id" => Self::AccessKeyId,
            "aws_session_token" | "aws_security_token" => Self::SessionToken,
            "login_session" => Self::LoginSession,
            "mfa_serial" => Self::MfaSerial,
            "mfa_process" => Self::MfaProcess,
            "region" => Self::Region,
            "duration_seconds" => Self::DurationSeconds,
            "role_duration" => Self::RoleDuration,
            "external_id" => Self::ExternalId,
            "role_session_name" => Self::RoleSessionName,
            "session_tags" => Self::SessionTags,
            "transitive_session_tags" => Self::TransitiveSessionTags,
            "source_identity" => Self::SourceIdentity,
            "endpoint_url" => Self::EndpointUrl,
            "granted_color" => Self::GrantedColor,
            "aws_account_id" => Self::AwsAccountId,
            _ => return None,
        })
    }
}

impl OtherWay {
    fn of(word: &str) -> Option<Self> {
        Some(match word {
            "credential_process" => Self::Process,
            "web_identity_token_file" | "web_identity_token_process" => Self::WebIdentity,
            "credential_source" => Self::Machine,
            word if word.starts_with("sso_") || word.starts_with("granted_sso_") => Self::Sso,
            _ => return None,
        })
    }
}

impl Profiles {
    /// Reads a config file. What cannot be understood is passed over, as AWS's own tools do.
    pub fn parse(config: &str) -> Self {
        Self::read(config, "")
    }

    /// Reads both files; of a setting in both, the credentials file's counts, as with botocore.
    pub fn read(config: &str, credentials: &str) -> Self {
        let mut profiles = Self::default();
        profiles.add(config, File::Config);
        profiles.add(credentials, File::Credentials);
        profiles
    }

    fn add(&mut self, text: &str, file: File) {
        let mut current: Option<usize> = None;
        // Of a key that a file has twice, the last counts; between the files, the credentials'.
        for line in ini::lines(text) {
            match line.content {
                Content::Section(name) => {
                    current = self.section(name, file).and_then(|name| self.entry(name));
                }
                Content::Setting { key, value } => {
                    if let Some(profile) = current.and_then(|at| self.all.get_mut(at)) {
                        profile.set(&key.to_ascii_lowercase(), ini::without_comment(value));
                    }
                }
                // What is nested in a key, as in `s3 =`, is no key of the profile.
                _ => {}
            }
        }
    }

    /// The profile of a section: in the config file only `default` goes without `profile` before it.
    fn section<'t>(&mut self, section: &'t str, file: File) -> Option<&'t str> {
        let name = ini::profile_name(section)?;
        if file == File::Config && name == section && name != "default" {
            if self.unread.len() < MAX_PROFILES && name.len() <= MAX_NAME {
                self.unread.push(name.to_owned());
            }
            return None;
        }
        Some(name)
    }

    /// Every profile, in the files' order.
    pub fn iter(&self) -> impl Iterator<Item = &Profile> {
        self.all.iter()
    }

    /// The sections of the config file that are no profiles, since `profile` is missing.
    pub fn unread(&self) -> impl Iterator<Item = &str> {
        self.unread.iter().map(String::as_str).filter(|name| !self.by_name.contains_key(*name))
    }

    /// The profile of a name.
    pub fn get(&self, name: &str) -> Option<&Profile> {
        self.by_name.get(name).map(|at| &self.all[*at])
    }

    /// What a profile says itself, or inherits from those it includes.
    pub fn inherited<'a>(&'a self, profile: &'a Profile, key: Key) -> Option<&'a str> {
        let above = |profile: &&Profile| self.get(profile.get(Key::IncludeProfile)?);
        std::iter::successors(Some(profile), above)
            .take(MAX_INCLUDES)
            .find_map(|profile| profile.get(key))
    }

    /// The place of a profile, made where it is new: sections of one name are one profile.
    fn entry(&mut self, name: &str) -> Option<usize> {
        if let Some(at) = self.by_name.get(name) {
            return Some(*at);
        }
        let at = self.all.len();
        if at == MAX_PROFILES || name.len() > MAX_NAME {
            return None;
        }
        self.by_name.insert(name.to_owned(), at);
        self.all.push(Profile { name: name.to_owned(), ..Profile::default() });
        Some(at)
    }
}

impl Profile {
    /// What it says itself.
    pub fn get(&self, key: Key) -> Option<&str> {
        self.values.get(&key).map(String::as_str)
    }

    /// Whether it has an access key of its own.
    pub fn has_key(&self) -> bool {
        self.values.contains_key(&Key::AccessKeyId)
    }

    fn set(&mut self, word: &str, value: &str) {
        let is_value = (1..=MAX_VALUE).contains(&value.len());
        if let Some(way) = OtherWay::of(word).filter(|_| is_value) {
            self.other_way = self.other_way.or(Some(way));
        }
        match Key::of(word) {
            Some(Key::SessionToken) => {
                self.values.insert(Key::SessionToken, String::new());
            }
            Some(key) if is_value => {
                self.values.insert(key, value.to_owned());
            }
            Some(_) => {}
            None => {
                let is_secret = word == "aws_secret_access_key" || OtherWay::of(word).is_some();
                let is_new = !self.others.iter().any(|other| other == word);
                if !is_secret
                    && is_new
                    && word.len() <= MAX_SETTING
                    && self.others.len() < MAX_OTHERS
                {
                    self.others.push(word.to_owned());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn region(text: &str) -> Vec<(String, Option<String>)> {
        let profiles = Profiles::parse(text);
        let region = |profile: &Profile| profile.get(Key::Region).map(ToOwned::to_owned);
        profiles.iter().map(|profile| (profile.name.clone(), region(profile))).collect()
    }

    #[test]
    fn headings_are_read_as_people_write_them() {
        for heading in [
            "[profile a b]",
            "[ profile   \"a b\" ]  # [x]",
            "[profile 'a b']\r",
            "\u{FEFF}[profile a b]",
        ] {
            let text = format!("{heading}\nregion = x\n");
            assert_eq!(region(&text), [("a b".into(), Some("x".into()))], "{text}");
        }
        assert_eq!(region("[default]\n[plain]\n[profile]").len(), 1, "as botocore reads it");
        let unread = Profiles::read("[plain]\n[both]\n", "[both]\n");
        assert_eq!(unread.unread().collect::<Vec<_>>(), ["plain"]);
        for other in
            ["[sso-session s]", "[services s]", "[plugins]", "[]", "[profile]", "[profile ]"]
        {
            assert_eq!(region(&format!("{other}\nregion = x")), [], "{other}");
        }
    }

    #[test]
    fn values_lose_comments_and_continuations() {
        let text = "region = stray\n[profile a]\r\nREGION=x ; why\r\n# no\r\ns3 =\r\n  region = nested\r\n\r\n[profile b]\n  s3 =\n    region = nested\n  region : y#1 # two\n\tregion\n[profile a]\nregion = z\n";
        let (a, b) = (Some("z".into()), Some("y#1".into()));
        assert_eq!(region(text), [("a".into(), a), ("b".into(), b)]);
    }

    #[test]
    fn what_is_included_is_inherited_even_in_a_circle() {
        let text =
            "[profile a]\ninclude_profile = b\n[profile b]\ninclude_profile = a\nregion = x\n";
        let profiles = Profiles::parse(text);
        let a = profiles.get("a").unwrap();
        assert_eq!(profiles.inherited(a, Key::Region), Some("x"));
        assert_eq!(profiles.inherited(a, Key::MfaSerial), None);
    }

    #[test]
    fn secrets_are_not_kept() {
        let text = "[profile a]\naws_secret_access_key = canary\nsso_start_url = canary\ncredential_process = canary\n";
        assert!(!format!("{:?}", Profiles::parse(text)).contains("canary"));
    }

    #[test]
    fn a_hostile_file_stays_small() {
        let many = (0..200_000).map(|n| format!("[profile {n}]")).collect::<Vec<_>>().join("\n");
        assert_eq!(Profiles::parse(&many).iter().count(), MAX_PROFILES);
        let long = format!(
            "[profile {0}]\n[profile a]\nregion = {0}\nexternal_id = x\n",
            "y".repeat(1 << 20)
        );
        let profiles = Profiles::parse(&long);
        let sizes: usize = profiles.iter().map(|p| format!("{p:?}").len()).sum();
        assert!(sizes < 1_000, "{sizes}");
    }
}
