//! Locks between this machine's processes, also in a folder on a file system that has none.
//!
//! The kernel keeps a lock for as long as its holder lives. Usually it is on the file itself (flock(2)). Some network file
//! systems refuse that; then the lock is a name that the kernel gives out once. It excludes this user's other processes on
//! this machine, which is what one prompt needs, but not those of other machines.

use std::fs::{File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt;

use rustix::io::Errno;
use sha2::{Digest, Sha256};

/// A held lock; released when dropped, or when the process dies.
#[derive(Debug)]
pub struct Lock(Held);

#[derive(Debug)]
enum Held {
    /// On the file, for everybody who has it.
    File(#[expect(dead_code, reason = "holds the lock")] File),
    /// By a name, for this machine.
    Name(#[expect(dead_code, reason = "holds the lock")] local::Held),
}

impl Lock {
    /// Takes the lock of a file in a folder; `None` where another process holds it.
    pub(super) fn take(folder: &File, name: &str, file: File) -> io::Result<Option<Self>> {
        match file.try_lock() {
            Ok(()) => Ok(Some(Self(Held::File(file)))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) if has_no_locks(&error) => {
                let held = local::take(&local_name(folder, name)?)?;
                Ok(held.map(|held| Self(Held::Name(held))))
            }
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Whether it says nothing to other machines that share the folder.
    pub fn is_local(&self) -> bool {
        matches!(self.0, Held::Name(_))
    }
}

/// Whether a file system refuses locks as such: NFS without a lock daemon, some FUSE ones.
fn has_no_locks(error: &io::Error) -> bool {
    let errno = Errno::from_io_error(error);
    errno.is_some_and(|errno| {
        [Errno::NOLCK, Errno::OPNOTSUPP, Errno::NOTSUP, Errno::NOSYS, Errno::INVAL].contains(&errno)
    })
}

/// What all processes of this user that mean the same folder and lock come to.
fn local_name(folder: &File, name: &str) -> io::Result<String> {
    let folder = folder.metadata()?;
    let me = rustix::process::geteuid().as_raw();
    let text = format!("{me}\n{}\n{}\n{name}", folder.dev(), folder.ino());
    Ok(format!("sekisho-lock-{}", hex::encode(&Sha256::digest(text)[..16])))
}

#[cfg(target_os = "linux")]
mod local {
    use std::io;
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr, UnixDatagram};

    /// An abstract socket (unix(7)): its name is no file, and free again when its holder is gone. Another user could hold the
    /// name, too: then there is no lock here, as without any.
    pub(super) type Held = UnixDatagram;

    /// Takes a name; `None` where it is taken.
    pub(super) fn take(name: &str) -> io::Result<Option<Held>> {
        match UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(name)?) {
            Ok(held) => Ok(Some(held)),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => Ok(None),
            Err(error) => Err(error),
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod local {
    use std::fs::{File, OpenOptions, TryLockError};
    use std::io;
    use std::os::unix::fs::{MetadataExt, OpenOptionsExt};

    /// A file in the system's own folder for temporary files, which on a Mac is the user's alone.
    pub(super) type Held = File;

    /// Takes a name; `None` where it is taken.
    pub(super) fn take(name: &str) -> io::Result<Option<Held>> {
        let folder = std::env::temp_dir();
        let meta = folder.metadata()?;
        if meta.uid() != rustix::process::geteuid().as_raw() || meta.mode() & 0o077 != 0 {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let mut options = OpenOptions::new();
        let file =
            options.write(true).create(true).truncate(false).mode(0o600).open(folder.join(name))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_given_out_once_and_freed_with_its_holder() {
        let folder = tempfile::tempdir().unwrap();
        let open = File::open(folder.path()).unwrap();
        let name = local_name(&open, "lock").unwrap();
        assert_ne!(name, local_name(&open, "other").unwrap());
        let held = local::take(&name).unwrap();
        assert!(held.is_some() && local::take(&name).unwrap().is_none());
        drop(held);
        assert!(local::take(&name).unwrap().is_some());
    }

    #[test]
    fn only_what_a_file_system_without_locks_answers_counts_as_such() {
        for (errno, is_one) in [
            (Errno::NOLCK, true),
            (Errno::OPNOTSUPP, true),
            (Errno::INVAL, true),
            (Errno::IO, false),
        ] {
            assert_eq!(has_no_locks(&errno.into()), is_one, "{errno:?}");
        }
    }
}
