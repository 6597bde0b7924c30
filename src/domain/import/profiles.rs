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

/// The profiles of a file, in its order.
#[derive(Debug, Default)]
pub struct Profiles {
    all: Vec<Profile>,
    by_name: HashMap<String, usize>,
}

/// What a profile says about roles.
#[derive(Debug, Default)]
pub struct Profile {
    /// What it is called.
    pub name: String,
    values: HashMap<Key, String>,
    /// How it gets credentials, if not by a role or a long-term key.
    pub other_way: Option<OtherWay>,
}

/// A key of a profile that is taken over, or decides whether the profile is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are the keys")]
pub enum Key {
    RoleArn,
    SourceProfile,
    /// aws-vault's key: a profile inherits from the one it names.
    IncludeProfile,
    MfaSerial,
    Region,
    DurationSeconds,
    ExternalId,
    AwsAccountId,
}

/// A way to credentials that does not start at an IAM user's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OtherWay {
    /// IAM Identity Center: any `sso_…` key.
    Sso,
    /// A program that prints credentials: `credential_process`.
    Process,
    /// A token of an identity provider.
    WebIdentity,
    /// The credentials of the machine it runs on.
    Machine,
}

impl Key {
    fn of(word: &str) -> Option<Self> {
        Some(match word {
            "role_arn" => Self::RoleArn,
            "source_profile" => Self::SourceProfile,
            "include_profile" => Self::IncludeProfile,
            "mfa_serial" => Self::MfaSerial,
            "region" => Self::Region,
            "duration_seconds" => Self::DurationSeconds,
            "external_id" => Self::ExternalId,
            "aws_account_id" => Self::AwsAccountId,
            _ => return None,
        })
    }
}

impl OtherWay {
    fn of(word: &str) -> Option<Self> {
        Some(match word {
            "credential_process" => Self::Process,
            "web_identity_token_file" => Self::WebIdentity,
            "credential_source" => Self::Machine,
            word if word.starts_with("sso_") => Self::Sso,
            _ => return None,
        })
    }
}

impl Profiles {
    /// Reads a file. What cannot be understood is passed over, as AWS's own tools do.
    pub fn parse(text: &str) -> Self {
        let mut profiles = Self::default();
        let mut current: Option<usize> = None;
        for line in ini::lines(text) {
            match line.content {
                Content::Section(name) => {
                    current = ini::profile_name(name).and_then(|name| profiles.entry(name));
                }
                Content::Setting { key, value } => {
                    if let Some(profile) = current.and_then(|at| profiles.all.get_mut(at)) {
                        profile.set(&key.to_ascii_lowercase(), ini::without_comment(value));
                    }
                }
                // What is nested in a key, as in `s3 =`, is no key of the profile.
                _ => {}
            }
        }
        profiles
    }

    /// Every profile, in the file's order.
    pub fn iter(&self) -> impl Iterator<Item = &Profile> {
        self.all.iter()
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

    fn set(&mut self, word: &str, value: &str) {
        let is_value = (1..=MAX_VALUE).contains(&value.len());
        if let Some(way) = OtherWay::of(word) {
            self.other_way = self.other_way.or(is_value.then_some(way));
        } else if let Some(key) = Key::of(word).filter(|_| is_value) {
            self.values.insert(key, value.to_owned());
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
        assert_eq!(region("[default]\n[plain]").len(), 2);
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
        let text = "[a]\naws_secret_access_key = canary\nsso_start_url = canary\ncredential_process = canary\n";
        assert!(!format!("{:?}", Profiles::parse(text)).contains("canary"));
    }

    #[test]
    fn a_hostile_file_stays_small() {
        let many = (0..200_000).map(|n| format!("[{n}]")).collect::<Vec<_>>().join("\n");
        assert_eq!(Profiles::parse(&many).iter().count(), MAX_PROFILES);
        let long = format!("[{0}]\n[a]\nregion = {0}\nexternal_id = x\n", "y".repeat(1 << 20));
        let profiles = Profiles::parse(&long);
        let sizes: usize = profiles.iter().map(|p| format!("{p:?}").len()).sum();
        assert!(sizes < 1_000, "{sizes}");
    }
}
