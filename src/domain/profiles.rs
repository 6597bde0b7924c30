//! Profiles for other tools: a block between two marker lines in `~/.aws/config`. Everything outside it is
//! kept byte for byte, so the file is handled as bytes.

use std::collections::{BTreeMap, BTreeSet};

use super::account::Target;
use super::ids::AccountId;
use super::ini::{self, Content};

/// The line before the block.
const BEGIN: &str = "# >>> sekisho profiles >>>";
/// The same where the file's last line had no end: taking the block away takes the line break too.
const BEGIN_JOINED: &str = "# >>> sekisho profiles, after a line without an end >>>";
/// The line after the block.
const END: &str = "# <<< sekisho profiles <<<";
const NOTE: &str = "# Written by `sekisho profiles --write`; `sekisho profiles --remove` takes it away. Edits here are lost.";

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

/// The block's text for some profiles.
pub fn body(profiles: &[Profile]) -> String {
    let section = |profile: &Profile| {
        let region = profile.region.as_ref().map(|region| format!("region = {region}\n"));
        format!(
            "[profile {}]\ncredential_process = {}\n{}",
            profile.name,
            profile.process,
            region.unwrap_or_default()
        )
    };
    format!("{NOTE}\n") + &profiles.iter().map(section).collect::<String>()
}

/// Profiles for colleagues without sekisho: AWS's own tools ask for the code, once for each profile and hour.
///
/// The trust policies that `policy` renders want the user's name as the session's, so it is set. What differs from
/// person to person is in capitals; nothing of the one who prints it is in it.
pub fn plain(targets: &[Target], auth: AccountId) -> String {
    let mut text = "\
# Profiles that need no sekisho. Replace USER-NAME by your IAM user name and DEVICE-NAME by the name of your MFA device
# (`aws iam list-mfa-devices`), and have your access key in the profile `default` of ~/.aws/credentials.
"
    .to_owned();
    for (target, name) in targets.iter().zip(names(targets)) {
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
