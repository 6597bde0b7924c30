//! Who else may write a file, or put another in its place: they could make sekisho run anything.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{File, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};

use crate::domain::text::{sanitize, shell_quoted};

/// Why a file or folder is not to be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// It belongs to neither this user nor root, but to this one.
    Owner(u32),
    /// Everyone may write it.
    Everyone,
}

/// What is wrong with a file or folder that must be this user's or root's, and not for everyone to write.
///
/// A group may: package managers install as `user:admin 0775` (Homebrew) or `root:staff 2775` (Debian).
pub fn flaw(metadata: &Metadata) -> Option<Flaw> {
    let owner = metadata.uid();
    if owner != 0 && owner != me() {
        return Some(Flaw::Owner(owner));
    }
    is_open(metadata).then_some(Flaw::Everyone)
}

fn is_open(metadata: &Metadata) -> bool {
    metadata.mode() & 0o002 != 0
}

fn me() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// Something that lets others change a file, or put another one in its place.
pub(super) struct Exposed {
    pub(super) what: String,
    pub(super) fix: String,
    /// Whether its file system keeps owners and modes.
    pub(super) is_certain: bool,
}

/// What lets others change a file or put another one in its place: as sshd's `StrictModes`, but a sticky folder is no
/// fault. Who may write the file itself, [`of`] says.
///
/// Looked at are its owner, its folders up to home or `/`, and of each link on the way the same.
pub(super) fn exposed(path: &Path, home: Option<&Path>) -> Vec<Exposed> {
    let way = Way::to(path);
    let home = home.and_then(|home| home.canonicalize().ok());
    let mut exposed: Vec<Exposed> = way.files().filter_map(foreign_file).collect();
    let mut seen: BTreeSet<&Path> = BTreeSet::new();
    for file in way.files() {
        for folder in file.ancestors().skip(1) {
            if !seen.insert(folder) {
                break;
            }
            exposed.extend(exposed_folder(folder));
            if home.as_deref() == Some(folder) {
                break;
            }
        }
    }
    exposed
}

/// The links that a path leads through, and the file at its end, each by a path without further links.
struct Way {
    links: Vec<PathBuf>,
    file: PathBuf,
}

impl Way {
    fn to(path: &Path) -> Self {
        /// As Linux's own limit.
        const MAX_LINKS: usize = 40;
        let (mut links, mut at) = (Vec::new(), PathBuf::from("/"));
        let mut rest = parts(path);
        while let Some(part) = rest.pop() {
            if part == ".." {
                at.pop();
                continue;
            }
            at.push(part);
            let Ok(target) = at.read_link() else { continue };
            if links.len() == MAX_LINKS {
                break;
            }
            links.push(at.clone());
            if target.is_absolute() {
                at = PathBuf::from("/");
            } else {
                at.pop();
            }
            rest.extend(parts(&target));
        }
        Self { links, file: at }
    }

    fn files(&self) -> impl Iterator<Item = &Path> {
        self.links.iter().chain([&self.file]).map(PathBuf::as_path)
    }
}

/// The parts of a path, the last one first.
fn parts(path: &Path) -> Vec<OsString> {
    let parts = path.components().rev();
    parts
        .filter(|part| matches!(part, Component::Normal(_) | Component::ParentDir))
        .map(|part| part.as_os_str().to_owned())
        .collect()
}

/// A file or link of another user's. A link's own mode says nothing.
fn foreign_file(file: &Path) -> Option<Exposed> {
    let metadata = file.symlink_metadata().ok()?;
    let Flaw::Owner(owner) = flaw(&metadata)? else { return None };
    let fix = "copy it to a folder of your own, and use the copy: sekisho --config FILE";
    Some(Exposed::new(file, file.parent()?, &format!("belongs to user {owner}"), fix.to_owned()))
}

fn exposed_folder(folder: &Path) -> Option<Exposed> {
    let metadata = folder.symlink_metadata().ok()?;
    let elsewhere = || "move the config to a folder of your own".to_owned();
    let chmod = || format!("chmod o-w {}", shell_quoted(&folder.to_string_lossy()));
    let (who, fix) = match flaw(&metadata)? {
        Flaw::Owner(owner) => (format!("belongs to user {owner}"), elsewhere()),
        // There nobody replaces another's file: `/tmp`.
        Flaw::Everyone if metadata.mode() & 0o1000 != 0 => return None,
        Flaw::Everyone => {
            let fix = if metadata.uid() == me() { chmod() } else { elsewhere() };
            ("is writable by everyone".to_owned(), fix)
        }
    };
    Some(Exposed::new(folder, folder, &who, fix))
}

impl Exposed {
    fn new(place: &Path, folder: &Path, who: &str, fix: String) -> Self {
        let shown = sanitize(&place.to_string_lossy());
        Self {
            what: format!("{shown} {who}, who could make sekisho run anything"),
            fix,
            is_certain: !File::open(folder).is_ok_and(|folder| keeps_no_modes(&folder)),
        }
    }
}
/// Who but its owner may write a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// Nobody else.
    Own,
    /// These others, as words for a message.
    Shared(&'static str),
    /// The file system cannot say.
    Unknown,
}

/// The warning about [`Access::Unknown`].
pub(super) const NO_MODES: &str =
    "this file looks writable by others, and its file system keeps no modes to say otherwise";

/// Judges an open file.
pub(super) fn of(file: &File, metadata: &Metadata) -> Access {
    let access = if is_open(metadata) {
        Access::Shared("everyone")
    } else if metadata.mode() & 0o020 != 0 && !is_own_private_group(metadata.gid()) {
        Access::Shared("a group")
    } else {
        return Access::Own;
    };
    if keeps_no_modes(file) { Access::Unknown } else { access }
}

/// Whether the file lies on a FAT, NTFS, 9P (WSL's `/mnt/c`), SMB or FUSE file system, where modes are made up.
#[cfg(target_os = "linux")]
fn keeps_no_modes(file: &File) -> bool {
    // linux/magic.h and the drivers' own headers.
    const MADE_UP: [u32; 8] = [
        0x0000_4d44,
        0x2011_bab0,
        0x5346_544e,
        0x7366_746e,
        0x0102_1997,
        0xff53_4d42,
        0xfe53_4d42,
        0x6573_5546,
    ];
    rustix::fs::fstatfs(file).is_ok_and(|fs| {
        // The kernel's type of `f_type` differs by architecture; its low 32 bits are the number.
        let [a, b, c, d, ..] = fs.f_type.to_le_bytes();
        MADE_UP.contains(&u32::from_le_bytes([a, b, c, d]))
    })
}

#[cfg(not(target_os = "linux"))]
fn keeps_no_modes(_: &File) -> bool {
    false
}

fn is_own_private_group(gid: u32) -> bool {
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    let user = rustix::process::geteuid().as_raw();
    is_private_group(gid, user, &read("/etc/passwd"), &read("/etc/group"))
}

/// Whether nobody but `uid` is in a group, going by passwd(5) and group(5).
fn is_private_group(gid: u32, uid: u32, passwd: &str, group: &str) -> bool {
    let mut me = None;
    for line in passwd.lines() {
        let fields: Vec<&str> = line.split(':').collect();
        let [name, _, user, primary, ..] = fields[..] else {
            continue;
        };
        let in_group = primary.parse() == Ok(gid);
        if user.parse() == Ok(uid) {
            me = me.or(Some((name, in_group)));
        } else if in_group {
            return false;
        }
    }
    let Some((me, true)) = me else {
        // Accounts from LDAP are in no file; a private group has its user's number by custom.
        return me.is_none() && gid == uid;
    };
    group
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>())
        .filter(|fields| fields.get(2).is_some_and(|g| g.parse() == Ok(gid)))
        .all(|fields| {
            let members = fields.get(3).unwrap_or(&"");
            members.split(',').all(|member| member.is_empty() || member == me)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_private_while_nobody_else_is_in_it() {
        let passwd = "root:x:0:0::/root:/bin/sh\nme:x:1000:1000::/:\nyou:x:1001:100::/:\n";
        let group = |members: &str| format!("me:x:1000:{members}\nusers:x:100:me\n");
        assert!(is_private_group(1000, 1000, passwd, &group("")));
        assert!(is_private_group(1000, 1000, passwd, &group("me")));
        assert!(!is_private_group(1000, 1000, passwd, &group("me,you")));
        assert!(!is_private_group(100, 1000, passwd, &group("")));
        let shared = format!("{passwd}she:x:1002:1000::/:\n");
        assert!(!is_private_group(1000, 1000, &shared, &group("")));
        // From LDAP.
        assert!(is_private_group(5000, 5000, passwd, &group("")));
        assert!(!is_private_group(5001, 5000, passwd, &group("")));
    }
}
