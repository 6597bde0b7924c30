//! Profiles for other tools: a block between two marker lines in `~/.aws/config`. Everything outside it is
//! kept byte for byte, so the file is handled as bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use super::account::Target;
use super::ids::{AccountId, Malformed};
use super::ini::{self, Content};

/// The line before the block.
const BEGIN: &str = "# >>> sekisho profiles >>>";
/// The same where the file's last line had no end: taking the block away takes the line break too.
const BEGIN_JOINED: &str = "# >>> sekisho profiles, after a line without an end >>>";
/// The line after the block.
const END: &str = "# <<< sekisho profiles <<<";

/// A profile whose credentials come from sekisho.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// The name after `--profile`.
    pub name: String,
    /// The value of `credential_process`.
    pub process: String,
    /// The region of its tools.
    pub region: Option<String>,
}

/// A setting for every profile: `output=json`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    key: String,
    value: String,
}

impl FromStr for Setting {
    type Err = Malformed;

    /// Settings that decide whose credentials a profile gives are refused.
    fn from_str(text: &str) -> Result<Self, Malformed> {
        const DECISIVE: [&str; 8] =
            ["aws_", "sso_", "role_", "source_", "credential_", "login_", "web_identity_", "mfa_"];
        let (key, value) =
            text.split_once('=').ok_or_else(|| Malformed("expected KEY=VALUE".into()))?;
        let (key, value) = (key.trim().to_ascii_lowercase(), value.trim());
        let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if key.is_empty() || !key.chars().all(is_plain) {
            return Err(Malformed(
                "a setting's name has letters, digits and underscores only".into(),
            ));
        }
        if DECISIVE.iter().any(|start| key.starts_with(start)) || key == "external_id" {
            return Err(Malformed(format!("{key} decides whose credentials the profile gives")));
        }
        if value.is_empty() || !is_one_line(value) {
            return Err(Malformed(
                "a value is one line of text, and \" #\" or \" ;\" would start a comment".into(),
            ));
        }
        Ok(Self { key, value: value.to_owned() })
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.key, self.value)
    }
}

/// Whether a text can stand behind `key = ` and is read as it stands by every SDK.
pub fn is_one_line(text: &str) -> bool {
    !text.contains(char::is_control) && !text.contains(" #") && !text.contains(" ;")
}

/// The block's text for some profiles, each with these settings; `made_by` is the command that makes it again.
pub fn body(profiles: &[Profile], settings: &[Setting], made_by: &str) -> String {
    let mut text = format!(
        "# Written by `{made_by}`; `sekisho profiles --remove` takes it away. Edits here are lost.\n"
    );
    let is_set = |key: &str| settings.iter().any(|setting| setting.key == key);
    for Profile { name, process, region } in profiles {
        text += &format!("[profile {name}]\ncredential_process = {process}\n");
        if let Some(region) = region.as_ref().filter(|_| !is_set("region")) {
            text += &format!("region = {region}\n");
        }
        for Setting { key, value } in settings {
            text += &format!("{key} = {value}\n");
        }
    }
    text
}

/// How profiles are named: `{account}-{role}`, with `{id}` for the account's id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameTemplate(String);

impl FromStr for NameTemplate {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let mut rest = text.to_owned();
        for placeholder in ["{account}", "{id}", "{role}"] {
            rest = rest.replace(placeholder, "");
        }
        if rest == text {
            return Err(Malformed("it must contain {account}, {id} or {role}".into()));
        }
        match rest.chars().find(|c| !is_of_name(*c)) {
            Some(c) => Err(Malformed(format!(
                "{c} may not stand in a profile's name: only letters, digits and _-.@+%:/ are read by every SDK; the \
                 placeholders are {{account}}, {{id}} and {{role}}"
            ))),
            None => Ok(Self(text.to_owned())),
        }
    }
}

impl fmt::Display for NameTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a template does not name some targets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unnamed {
    /// Nothing of the account's name is left in ASCII.
    #[error("the name of account {0} is not in ASCII")]
    NotAscii(AccountId),
    /// Another target has the same name.
    #[error("{1} would be called {0}, and so would {2}")]
    Twice(String, String, String),
    /// It would stand for every profile.
    #[error("{0} would be called default, which acts wherever no profile is named")]
    Default(String),
}

impl NameTemplate {
    /// A name for each target, all different.
    pub fn names(&self, targets: &[Target]) -> Result<Vec<String>, Unnamed> {
        let mut taken: BTreeMap<String, &Target> = BTreeMap::new();
        let name = |target| {
            let account = target_account(target).filter(|_| self.0.contains("{account}"));
            let account = match account {
                Some(account) => account,
                None if self.0.contains("{account}") => return Err(Unnamed::NotAscii(target.id)),
                None => String::new(),
            };
            let name = self
                .0
                .replace("{account}", &account)
                .replace("{id}", &target.id.to_string())
                .replace("{role}", &readable(target.role.name()));
            if name == "default" {
                return Err(Unnamed::Default(target.name()));
            }
            match taken.insert(name.clone(), target) {
                Some(other) => Err(Unnamed::Twice(name, other.name(), target.name())),
                None => Ok(name),
            }
        };
        targets.iter().map(name).collect()
    }
}

/// An account's name in characters that every SDK reads; `None` where it is not in ASCII, since different names could
/// become the same.
fn target_account(target: &Target) -> Option<String> {
    let account = target.account.as_str();
    account.is_ascii().then(|| readable(account))
}

fn readable(text: &str) -> String {
    text.chars().map(|c| if is_of_name(c) { c } else { '-' }).collect()
}

/// Whether a character may stand in a profile's name for every SDK.
fn is_of_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_-.@+%:/".contains(c)
}

/// Profiles for colleagues without sekisho: AWS's own tools ask for the code, once for each profile and hour.
///
/// The trust policies that `policy` renders want the user's name as the session's, so it is set. What differs from
/// person to person is in capitals; nothing of the one who prints it is in it.
pub fn plain(targets: &[Target], names: &[String], auth: AccountId) -> String {
    let mut text = "\
# Profiles that need no sekisho. Replace USER-NAME by your IAM user name and DEVICE-NAME by the name of your MFA device
# (`aws iam list-mfa-devices`), and have your access key in the profile `default` of ~/.aws/credentials.
"
    .to_owned();
    for (target, name) in targets.iter().zip(names) {
        let partition = target.role.partition();
        text += &format!("[profile {name}]\n");
        let mut line = |key: &str, value: &str| text += &format!("{key} = {value}\n");
        line("role_arn", &target.role.to_string());
        line("source_profile", "default");
        line("mfa_serial", &format!("arn:{partition}:iam::{auth}:mfa/DEVICE-NAME"));
        line("role_session_name", "USER-NAME");
        line("duration_seconds", &target.duration.as_secs().to_string());
        if let Some(external_id) = &target.session.external_id {
            line("external_id", &external_id.to_string());
        }
        if let Some(region) = &target.region {
            line("region", &region.to_string());
        }
    }
    text
}

/// A name for each target: `sekisho-ACCOUNT-ROLE`, in ASCII, all different.
///
/// Where two would be the same, both carry their account's id: no name ever passes to another account
/// because one was added to the config.
pub fn names(targets: &[Target]) -> Vec<String> {
    let mut count: BTreeMap<String, usize> = BTreeMap::new();
    for target in targets {
        *count.entry(short(target)).or_default() += 1;
    }
    let mut taken = BTreeSet::new();
    let name = |target: &Target| {
        let mut name = short(target);
        if count[&name] > 1 {
            name = format!("{name}-{}", target.id);
        }
        let numbered = (2..).map(|number| format!("{name}-{number}"));
        let free =
            std::iter::once(name.clone()).chain(numbered).find(|name| taken.insert(name.clone()));
        free.unwrap_or_default()
    };
    targets.iter().map(name).collect()
}

fn short(target: &Target) -> String {
    let account = target.account.as_str();
    // Reduced to ASCII, different names could become the same.
    let account = if account.is_ascii() { slug(account) } else { target.id.to_string() };
    format!("sekisho-{account}-{}", slug(target.role.name()))
}

fn slug(text: &str) -> String {
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() || c == '_' { c.to_ascii_lowercase() } else { '-' }
    };
    let text: String = text.chars().map(plain).collect();
    let words = text.split('-').filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-")
}

/// A config file taken apart at the marks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parts<'a> {
    before: &'a [u8],
    joined: bool,
    body: Option<&'a [u8]>,
    after: &'a [u8],
}

/// Marks that do not pair up, and the line (from 1) of the first such mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Damaged(pub usize);

impl<'a> Parts<'a> {
    /// Takes a file apart; one without marks is all before.
    pub fn of(file: &'a [u8]) -> Result<Self, Damaged> {
        let mut offset = 0;
        let mut begin: Option<(usize, usize, usize, bool)> = None;
        let mut parts: Option<Self> = None;
        for (number, line) in (1..).zip(file.split_inclusive(|byte| *byte == b'\n')) {
            let (start, end) = (offset, offset + line.len());
            offset = end;
            let mark = line.trim_ascii();
            let joined = mark == BEGIN_JOINED.as_bytes();
            if joined || mark == BEGIN.as_bytes() {
                if begin.is_some() || parts.is_some() {
                    return Err(Damaged(number));
                }
                begin = Some((number, start, end, joined));
            } else if mark == END.as_bytes() {
                let (_, from, to, joined) = begin.take().ok_or(Damaged(number))?;
                let before = &file[..from];
                parts = Some(Self {
                    before: if joined {
                        before.strip_suffix(b"\n").unwrap_or(before)
                    } else {
                        before
                    },
                    joined,
                    body: Some(&file[to..start]),
                    after: &file[end..],
                });
            }
        }
        match begin {
            Some((number, ..)) => Err(Damaged(number)),
            None => Ok(parts.unwrap_or(Self {
                before: file,
                joined: !file.is_empty() && !file.ends_with(b"\n"),
                body: None,
                after: &[],
            })),
        }
    }

    /// The text between the marks.
    pub fn body(&self) -> Option<&'a [u8]> {
        self.body
    }

    /// The file with this between the marks.
    pub fn with(&self, body: &str) -> Vec<u8> {
        let begin = if self.joined { format!("\n{BEGIN_JOINED}\n") } else { format!("{BEGIN}\n") };
        let end = format!("{END}\n");
        [self.before, begin.as_bytes(), body.as_bytes(), end.as_bytes(), self.after].concat()
    }

    /// The file without the block.
    pub fn without(&self) -> Vec<u8> {
        [self.before, self.after].concat()
    }

    /// The profiles outside the block.
    pub fn others(&self) -> BTreeSet<String> {
        let names = |part| {
            let text = String::from_utf8_lossy(part);
            let sections = ini::lines(&text).filter_map(|line| match line.content {
                Content::Section(name) => ini::profile_name(name).map(str::to_owned),
                _ => None,
            });
            sections.collect::<Vec<_>>()
        };
        [self.before, self.after].into_iter().flat_map(names).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_outside_the_block_are_found() {
        let file = "\u{FEFF}[profile one]\nnote =\n  [nested]\n[sso-session two]\r\n\
             [ profile\t\"dev one\" ] # mine\n[default]\r\nregion = [x]\n# [profile dev]\n";
        let parts = Parts::of(file.as_bytes()).unwrap();
        let others: Vec<_> = parts.others().into_iter().collect();
        assert_eq!(others, ["default", "dev one", "one"]);
    }

    #[test]
    fn marks_that_do_not_pair_up_are_refused() {
        for (text, line) in [
            (format!("a\n{BEGIN}\n"), 2),
            (format!("{END}\n"), 1),
            (format!("{BEGIN}\n{BEGIN}\n{END}\n"), 2),
            (format!("{BEGIN}\n{END}\n{BEGIN}\n{END}\n"), 3),
        ] {
            assert_eq!(Parts::of(text.as_bytes()), Err(Damaged(line)), "{text}");
        }
    }

    #[test]
    fn a_slug_is_plain_ascii() {
        assert_eq!(slug("Dev  Tanaka's_1 "), "dev-tanaka-s_1");
        assert_eq!(slug("+=,.@-"), "");
    }
}
