//! Who but its owner may write a file: they could make sekisho run anything.

use std::fs::{File, Metadata};
use std::os::unix::fs::MetadataExt as _;

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
    let mode = metadata.mode();
    let access = if mode & 0o002 != 0 {
        Access::Shared("everyone")
    } else if mode & 0o020 != 0 && !is_own_private_group(metadata.gid()) {
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
