//! `~/.aws/credentials`: removes a profile's access key and keeps everything else byte for byte.

use std::ops::Range;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::domain::fault::{Exit, Fault};
use crate::domain::ini::{self, Content};
use crate::domain::secret::{AccessKey, Secret};
use crate::domain::text::{nearest, sanitize};

use super::key_sources::long_term;
use super::shared_files::{KEY_ID as ID, KEY_SECRET as SECRET, TOKENS};
use crate::services::store::files::{FileError, write_through};

/// The shared credentials file, as it was read.
pub struct CredentialsFile {
    path: PathBuf,
    text: Zeroizing<String>,
}

/// A profile's access key, and its lines in the file.
pub struct Found {
    /// A long-term key, checked to be one.
    pub key: AccessKey,
    lines: Vec<Range<usize>>,
}

impl CredentialsFile {
    /// Reads the file; it must be UTF-8.
    pub fn read(path: PathBuf) -> Result<Self, Fault> {
        let shown = sanitize(&path.to_string_lossy());
        let wrong = |why: String| {
            Fault::new(Exit::Usage, format!("{shown} cannot be read"))
                .because(why)
                .fix("set the file's path: `export AWS_SHARED_CREDENTIALS_FILE=…`")
                .fix("or type the key: `sekisho key add`")
        };
        let bytes = Zeroizing::new(std::fs::read(&path).map_err(|error| wrong(error.to_string()))?);
        let text = std::str::from_utf8(&bytes).map_err(|_| wrong("it is not UTF-8".into()))?;
        Ok(Self { text: Zeroizing::new(text.to_owned()), path })
    }

    /// Its path, for messages and diffs.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Finds a profile's long-term key.
    pub fn find(&self, profile: &str) -> Result<Found, Fault> {
        let file = sanitize(&self.path.to_string_lossy());
        let shown = sanitize(profile);
        let settings: Vec<Setting<'_>> = settings(&self.text).collect();
        if !settings.iter().any(|setting| setting.profile == profile) {
            let mut names: Vec<&str> = settings.iter().map(|setting| setting.profile).collect();
            names.dedup();
            let fault =
                Fault::new(Exit::Usage, format!("{file} has no profile {shown} with a key"))
                    .because("it may be in ~/.aws/config, which sekisho does not change");
            return Err(match nearest(profile, names.iter().copied()).first() {
                Some(near) => fault.fix(format!("sekisho key import --profile {}", sanitize(near))),
                None if names.is_empty() => fault.fix("sekisho key add"),
                None => fault.fix(format!("the profiles there: {}", sanitize(&names.join(", ")))),
            });
        }
        let all = |names: &[&str]| -> Vec<&Setting<'_>> {
            let of_profile = settings.iter().filter(|s| s.profile == profile);
            of_profile
                .filter(|s| names.iter().any(|name| s.name.eq_ignore_ascii_case(name)))
                .collect()
        };
        let (ids, secrets) = (all(&[ID]), all(&[SECRET]));
        let ([id], [secret]) = (&ids[..], &secrets[..]) else {
            return Err(Fault::new(
                Exit::Usage,
                format!("profile {shown} does not contain exactly one access key"),
            )
            .because(format!("in {file} it has {} {ID} and {} {SECRET}", ids.len(), secrets.len()))
            .fix("correct the file, or type the key: `sekisho key add`"));
        };
        let origin = format!("profile {shown}");
        let is_session = !all(&TOKENS).is_empty();
        Ok(Found {
            key: long_term(id.value, Secret::new(secret.value.to_owned()), is_session, &origin)?,
            lines: vec![id.line.clone(), secret.line.clone()],
        })
    }

    /// The file without the key's two lines.
    pub fn without(&self, found: &Found) -> Zeroizing<String> {
        // As large as the whole: a buffer that grows leaves an unwiped copy behind.
        let mut rest = Zeroizing::new(String::with_capacity(self.text.len()));
        let mut from = 0;
        let mut gone = found.lines.clone();
        gone.sort_by_key(|line| line.start);
        for line in gone {
            rest.push_str(&self.text[from..line.start]);
            from = line.end;
        }
        rest.push_str(&self.text[from..]);
        rest
    }

    /// The file before and after, for a diff: every value is masked, also in comments.
    pub fn masked(&self, rest: &str) -> (String, String) {
        (masked(&self.text), masked(rest))
    }

    /// Replaces the file, through links and with its mode kept, after making a backup if asked to.
    ///
    /// Returns the backup's path. Fails where the file has changed since it was read.
    pub fn replace(&self, rest: &str, backup: bool) -> Result<Option<PathBuf>, Fault> {
        let fault = |error: FileError| error.fault("the credentials file was not changed");
        let now = std::fs::read(&self.path).map(Zeroizing::new);
        if now.map_or(true, |bytes| **bytes != *self.text.as_bytes()) {
            return Err(Fault::new(Exit::Fault, "the credentials file was not changed")
                .because("another program has changed it in the meantime")
                .fix("run `sekisho key import` again"));
        }
        let copy = backup.then(|| {
            let mut name = self.path.as_os_str().to_owned();
            name.push(".sekisho-backup");
            PathBuf::from(name)
        });
        if let Some(copy) = &copy {
            write_through(copy, self.text.as_bytes()).map_err(fault)?;
        }
        write_through(&self.path, rest.as_bytes()).map_err(fault)?;
        Ok(copy)
    }
}

/// A line of a profile: `name = value`, or what continues the value on the line above.
struct Setting<'a> {
    profile: &'a str,
    name: &'a str,
    value: &'a str,
    /// The whole line, its end included.
    line: Range<usize>,
}

fn settings(text: &str) -> impl Iterator<Item = Setting<'_>> {
    let mut profile = None;
    ini::lines(text).filter_map(move |line| {
        let (name, value) = match line.content {
            Content::Section(name) => {
                profile = Some(name).filter(|name| !name.is_empty());
                return None;
            }
            // So that a key on several lines, which no tool reads, counts as more than one.
            Content::Setting { key, value } | Content::Continuation { key, value } => (key, value),
            Content::Comment | Content::Blank | Content::Unreadable => return None,
        };
        Some(Setting {
            profile: profile?,
            name,
            // Neither half of a key contains a space, so what follows one is a comment.
            value: value.split_whitespace().next().unwrap_or_default(),
            line: line.range,
        })
    })
}

fn masked(text: &str) -> String {
    const MASK: &str = "········";
    let mask = |line: ini::Line<'_>| {
        let whole = &text[line.range];
        let (content, end) = whole.split_at(whole.trim_end().len());
        let mark = content.find(['=', ':']).map(|at| content.split_at(at + 1));
        match (line.content, mark) {
            (Content::Section(_) | Content::Blank, _) | (Content::Comment, None) => {
                whole.to_owned()
            }
            (Content::Setting { key, .. }, Some((name, value))) if key.eq_ignore_ascii_case(ID) => {
                let value = value.split_whitespace().next().unwrap_or_default();
                match value.get(value.len().saturating_sub(4)..) {
                    Some(last) if value.len() >= 16 => format!("{name} …{last}{end}"),
                    _ => format!("{name} {MASK}{end}"),
                }
            }
            (Content::Setting { .. } | Content::Comment, Some((name, _))) => {
                format!("{name} {MASK}{end}")
            }
            // All of it may be a secret, up to the `=` of its padding.
            _ => {
                let indent = content.len() - content.trim_start().len();
                format!("{}{MASK}{end}", &content[..indent])
            }
        }
    };
    ini::lines(text).map(mask).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\u{FEFF}# keep me = secret-in-a-comment\r\n[default]\r\nregion=eu-west-1\r\n\
        aws_access_key_id=AKIAIOSFODNN7EXAMPLE\r\n  # indented\r\nAWS_Secret_Access_Key = wJalrXUtnFEMI/K7MDENG # mine\r\n\
        s3 =\r\n  max_queue_size = 1\r\n[ other ]\naws_access_key_id = AKIAI44QH8DHBEXAMPLE\n\
        aws_secret_access_key = je7MtGbClwBF\naws_session_token = x\n[twice]\naws_access_key_id = AKIAI44QH8DHBEXAMPLE\n\
        aws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = je7MtGbClwBF\n[last]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = x/y+z=";

    fn file() -> CredentialsFile {
        CredentialsFile {
            path: "/home/t/.aws/credentials".into(),
            text: Zeroizing::new(TEXT.to_owned()),
        }
    }

    #[test]
    fn a_key_goes_and_the_rest_stays_byte_for_byte() {
        let found = file().find("default").unwrap();
        assert_eq!(found.key.id.as_str(), "AKIAIOSFODNN7EXAMPLE");
        assert_eq!(found.key.secret.expose(), "wJalrXUtnFEMI/K7MDENG");
        let expected = TEXT
            .replacen("aws_access_key_id=AKIAIOSFODNN7EXAMPLE\r\n", "", 1)
            .replace("AWS_Secret_Access_Key = wJalrXUtnFEMI/K7MDENG # mine\r\n", "");
        assert_eq!(*file().without(&found), expected);
        let found = file().find("last").unwrap();
        assert_eq!(found.key.secret.expose(), "x/y+z=");
        assert!(file().without(&found).ends_with("[last]\n"));
    }

    #[test]
    fn sessions_duplicates_and_unknown_profiles_are_refused() {
        let what = |profile| file().find(profile).err().unwrap();
        assert!(what("other").what.contains("a session, not an access key"));
        assert!(what("twice").what.contains("exactly one access key"));
        assert!(what("defualt").fix[0].contains("--profile default"));
    }

    #[test]
    fn settings_are_found_as_the_aws_cli_finds_them() {
        let text = "[default]\n  aws_access_key_id: AKIAIOSFODNN7EXAMPLE\n  aws_secret_access_key: x/y+z=\n  s3 =\n    aws_access_key_id = nested\n";
        let file = CredentialsFile { path: PathBuf::new(), text: Zeroizing::new(text.to_owned()) };
        let found = file.find("default").unwrap();
        assert_eq!(found.key.secret.expose(), "x/y+z=");
        let rest = "[default]\n  s3 =\n    aws_access_key_id = nested\n";
        assert_eq!(*file.without(&found), rest);
        let masked = "[default]\n  aws_access_key_id: …MPLE\n  aws_secret_access_key: ········\n  s3 = ········\n    ········\n";
        assert_eq!(file.masked(rest).0, masked);
    }

    #[test]
    fn a_key_on_several_lines_is_refused() {
        let text = "[default]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key =\n  x/y+z=\n";
        let file = CredentialsFile { path: PathBuf::new(), text: Zeroizing::new(text.to_owned()) };
        assert!(file.find("default").err().unwrap().what.contains("exactly one access key"));
    }

    #[test]
    fn a_diff_shows_no_value() {
        let found = file().find("default").unwrap();
        let (before, after) = file().masked(&file().without(&found));
        assert!(before.contains("aws_access_key_id= …MPLE\r\n"), "{before}");
        for secret in ["wJalr", "je7Mt", "x/y+z", "secret-in", "AKIA"] {
            assert!(!before.contains(secret) && !after.contains(secret));
        }
    }
}
