//! sekisho's own files: opened by descriptor, never through a link, checked after opening, replaced atomically.

use std::ffi::{OsStr, OsString};
use std::fs::{DirBuilder, File, Permissions};
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rustix::fs::{AtFlags, CWD, Gid, Mode, OFlags};
use rustix::io::Errno;
use zeroize::Zeroizing;

use super::file_lock::Lock;
use crate::domain::fault::{Exit, Fault};
use crate::domain::text::sanitize;

/// How the names of half-written files start; `sweep` finds them by it.
const TEMPORARY: &str = ".tmp-";

/// How long to wait for another process's short write.
const PATIENCE: Duration = Duration::from_secs(5);

/// A file or directory that cannot be used, and why.
#[derive(Debug, thiserror::Error)]
#[error("{} {why}", sanitize(&path.to_string_lossy()))]
pub struct FileError {
    /// The file or directory.
    pub path: PathBuf,
    /// What is wrong with it.
    pub why: Why,
}

/// What is wrong with a file or directory; worded to follow its path.
#[derive(Debug, thiserror::Error)]
pub enum Why {
    /// Another user could have written it.
    #[error("belongs to another user")]
    Foreign,
    /// Its mode gives other users access.
    #[error("is open to other users (mode {mode:03o})")]
    Open {
        /// The permission bits it has.
        mode: u32,
        /// The permission bits it should have.
        wanted: u32,
    },
    /// A link, or something else than the file or directory expected.
    #[error("is a link or not of the kind expected")]
    Link,
    /// It is larger than anything sekisho writes there.
    #[error("is longer than {0} bytes")]
    TooLong(u64),
    /// Another process has held its lock for too long.
    #[error("is locked by another process")]
    Locked,
    /// The system call failed.
    #[error("{0}")]
    Io(#[from] io::Error),
}

impl FileError {
    /// The three lines for a person; `what` is what could not be done because of it.
    pub fn fault(&self, what: impl Into<String>) -> Fault {
        let path = self.path.to_string_lossy();
        let quoted = shlex::try_quote(&path).unwrap_or_default();
        let fault = Fault::new(Exit::Fault, what).because(self.to_string());
        match &self.why {
            Why::Foreign => fault.fix(format!("sudo chown -R \"$(id -un)\" {quoted}")),
            Why::Open { wanted, .. } => fault.fix(format!("chmod {wanted:o} {quoted}")),
            Why::Link | Why::TooLong(_) => fault.fix(format!("move it away: mv {quoted} ~/")),
            Why::Locked => fault.fix("wait for the other process, or stop it"),
            Why::Io(_) => fault.fix("sekisho doctor"),
        }
    }

    fn at(path: PathBuf) -> impl FnOnce(Errno) -> Self {
        move |errno| {
            let why = match errno {
                Errno::LOOP | Errno::NOTDIR => Why::Link,
                errno => Why::Io(errno.into()),
            };
            Self { path, why }
        }
    }
}

/// What a directory looked like at some time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint {
    /// When its names last changed: seconds and nanoseconds.
    changed: (i128, i128),
    /// How many there were: the clock of a file system may stand still between two changes.
    names: usize,
}

/// A directory of sekisho's, held open: it cannot be replaced while in use.
pub struct Dir {
    fd: File,
    path: PathBuf,
}

impl Dir {
    /// Opens a directory, if it exists; it must belong to this user and be closed to others.
    pub fn open(path: &Path) -> Result<Option<Self>, FileError> {
        Self::open_at(CWD, path, path)
    }

    /// The same for a directory inside another one of sekisho's: neither may be a link.
    pub fn open_inside(path: &Path) -> Result<Option<Self>, FileError> {
        let (outer, name) = outer_and_name(path);
        Self::open(outer)?.map_or(Ok(None), |outer| Self::open_at(&outer.fd, name, path))
    }

    fn open_at(base: impl AsFd, name: &Path, path: &Path) -> Result<Option<Self>, FileError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = match rustix::fs::openat(base, name, flags, Mode::empty()) {
            Ok(fd) => File::from(fd),
            Err(Errno::NOENT) => return Ok(None),
            Err(errno) => return Err(FileError::at(path.to_owned())(errno)),
        };
        check(&fd, path, 0o700)?;
        let path = path.to_owned();
        Ok(Some(Self { fd, path }))
    }

    /// Opens a directory of sekisho's, creating it and its parents (0700) where they are missing.
    pub fn create(path: &Path) -> Result<Self, FileError> {
        if let Some(dir) = Self::open(path)? {
            return Ok(dir);
        }
        let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
        made.map_err(|error| FileError { path: path.to_owned(), why: error.into() })?;
        Self::open(path)?.ok_or_else(|| FileError::at(path.to_owned())(Errno::NOENT))
    }

    /// The same inside another directory of sekisho's: neither may be a link.
    pub fn create_inside(path: &Path) -> Result<Self, FileError> {
        let (outer, name) = outer_and_name(path);
        let outer = Self::create(outer)?;
        match rustix::fs::mkdirat(&outer.fd, name, Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(errno) => return Err(FileError::at(path.to_owned())(errno)),
        }
        Self::open_at(&outer.fd, name, path)?
            .ok_or_else(|| FileError::at(path.to_owned())(Errno::NOENT))
    }

    /// The path it was opened by, for messages.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads a file of at most `limit` bytes, if there is one.
    pub fn read(&self, name: &str, limit: u64) -> Result<Option<Zeroizing<Vec<u8>>>, FileError> {
        // Without NONBLOCK, opening a planted FIFO would block for ever.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let fd = match rustix::fs::openat(&self.fd, name, flags, Mode::empty()) {
            Ok(fd) => File::from(fd),
            Err(Errno::NOENT) => return Ok(None),
            Err(errno) => return Err(self.error(name)(errno)),
        };
        let path = self.path.join(name);
        let size = check(&fd, &path, 0o600)?;
        if size > limit {
            let why = Why::TooLong(limit);
            return Err(FileError { path, why });
        }
        let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(size).unwrap_or(0) + 1));
        match fd.take(limit).read_to_end(&mut bytes) {
            Ok(_) => Ok(Some(bytes)),
            Err(error) => Err(FileError { path, why: error.into() }),
        }
    }

    /// Replaces a file (0600); on failure the old one stays as it was.
    ///
    /// The bytes are on the disk when this returns.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<(), FileError> {
        let own = |file: &File| file.set_permissions(Permissions::from_mode(0o600));
        replace(&self.fd, name, bytes, own)
            .map_err(|error| FileError { path: self.path.join(name), why: error.into() })
    }

    /// Adds a line to the end of a file (0600), without waiting for the disk; returns how long the file was before.
    pub fn append(&self, name: &str, line: &[u8]) -> Result<u64, FileError> {
        let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE;
        let flags = flags | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(&self.fd, name, flags, Mode::RUSR | Mode::WUSR)
            .map_err(self.error(name))?;
        let mut file = File::from(fd);
        let path = self.path.join(name);
        let size = check(&file, &path, 0o600)?;
        // One write: lines of several processes do not mix.
        file.write_all(line).map_err(|error| FileError { path, why: error.into() })?;
        Ok(size)
    }

    /// Removes a file; returns whether there was one.
    pub fn remove(&self, name: &str) -> Result<bool, FileError> {
        match rustix::fs::unlinkat(&self.fd, name, AtFlags::empty()) {
            Ok(()) => rustix::fs::fsync(&self.fd).map(|()| true).map_err(self.error(name)),
            Err(Errno::NOENT) => Ok(false),
            Err(errno) => Err(self.error(name)(errno)),
        }
    }

    /// Renames a file, replacing any file of that name.
    pub fn rename(&self, from: &str, to: &str) -> Result<(), FileError> {
        rustix::fs::renameat(&self.fd, from, &self.fd, to).map_err(self.error(from))
    }

    /// The names of its files, without half-written ones; in no order.
    pub fn names(&self) -> Result<Vec<String>, FileError> {
        let names = self.all_names()?;
        let own = |name: &OsString| !name.as_bytes().starts_with(TEMPORARY.as_bytes());
        Ok(names.into_iter().filter(own).filter_map(|name| name.into_string().ok()).collect())
    }

    /// Removes what killed processes left half-written more than an hour ago.
    pub fn sweep(&self, now: Timestamp) -> Result<(), FileError> {
        for name in self.all_names()? {
            if !name.as_bytes().starts_with(TEMPORARY.as_bytes()) {
                continue;
            }
            let stat = rustix::fs::statat(&self.fd, &name, AtFlags::SYMLINK_NOFOLLOW);
            if stat.is_ok_and(|stat| now.as_second() - stat.st_mtime > 3600) {
                let _ = rustix::fs::unlinkat(&self.fd, &name, AtFlags::empty());
            }
        }
        Ok(())
    }

    /// What changes when a file is created, renamed or removed here.
    pub fn fingerprint(&self) -> Result<Fingerprint, FileError> {
        let stat = rustix::fs::fstat(&self.fd).map_err(self.error(""))?;
        let changed = (i128::from(stat.st_mtime), i128::from(stat.st_mtime_nsec));
        Ok(Fingerprint { changed, names: self.names()?.len() })
    }

    /// Takes a lock if no other process of this machine holds it.
    pub fn try_lock(&self, name: &str) -> Result<Option<Lock>, FileError> {
        let taken = Lock::take(&self.fd, name, self.lock_file(name)?);
        taken.map_err(|error| FileError { path: self.path.join(name), why: error.into() })
    }

    /// Opens a file to lock, creating it where it is missing. It is never removed: a lock on a removed file would
    /// exclude no other process.
    pub fn lock_file(&self, name: &str) -> Result<File, FileError> {
        let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::WUSR;
        let fd = rustix::fs::openat(&self.fd, name, flags | OFlags::CREATE, mode)
            .map_err(self.error(name))?;
        let file = File::from(fd);
        check(&file, &self.path.join(name), 0o600)?;
        Ok(file)
    }

    /// Takes the lock of a short critical section, waiting a few seconds at most.
    ///
    /// It is released when it is dropped, or when the process dies.
    pub fn lock(&self, name: &str) -> Result<Lock, FileError> {
        let since = Instant::now();
        loop {
            if let Some(lock) = self.try_lock(name)? {
                return Ok(lock);
            }
            if since.elapsed() >= PATIENCE {
                let (path, why) = (self.path.join(name), Why::Locked);
                return Err(FileError { path, why });
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Whether it is in memory only (tmpfs), so that nothing in it is written to a disk.
    #[cfg(target_os = "linux")]
    pub fn is_in_memory(&self) -> bool {
        /// `TMPFS_MAGIC` of linux/magic.h.
        const TMPFS: u64 = 0x0102_1994;
        rustix::fs::fstatfs(&self.fd)
            .is_ok_and(|fs| u64::try_from(fs.f_type).is_ok_and(|kind| kind == TMPFS))
    }

    /// Not supported on this platform.
    #[cfg(not(target_os = "linux"))]
    pub fn is_in_memory(&self) -> bool {
        false
    }

    fn all_names(&self) -> Result<Vec<OsString>, FileError> {
        let listing = rustix::fs::Dir::read_from(&self.fd).map_err(self.error("."))?;
        let mut names = Vec::new();
        for entry in listing {
            let entry = entry.map_err(self.error("."))?;
            let name = entry.file_name().to_bytes();
            if name != b"." && name != b".." {
                names.push(OsString::from_vec(name.to_vec()));
            }
        }
        Ok(names)
    }

    fn error(&self, name: &str) -> impl FnOnce(Errno) -> FileError + use<> {
        FileError::at(self.path.join(name))
    }
}

/// Replaces a file that the user may have linked on purpose (`~/.aws/config`): the link stays, its target is replaced,
/// with its mode and group kept. A new file is 0600.
///
/// Fails where the target belongs to another user or does not exist.
pub fn write_through(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let fail = |why| {
        let path = path.to_owned();
        FileError { path, why }
    };
    let io = |error: io::Error| fail(error.into());
    let target = match path.canonicalize() {
        Ok(target) => target,
        // There is nothing yet, not even a dangling link. A bare name is in the current directory.
        Err(error) if error.kind() == io::ErrorKind::NotFound && !path.is_symlink() => {
            std::path::absolute(path).map_err(io)?
        }
        Err(error) => return Err(io(error)),
    };
    let (Some(parent), Some(name)) = (target.parent(), target.file_name()) else {
        return Err(fail(Why::Link));
    };
    let made = DirBuilder::new().recursive(true).mode(0o700).create(parent);
    let dir = made.and_then(|()| File::open(parent)).map_err(io)?;
    let old = match target.symlink_metadata() {
        Ok(old) if !old.is_file() => return Err(fail(Why::Link)),
        Ok(old) if old.uid() != me() => return Err(fail(Why::Foreign)),
        Ok(old) => Some(old),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(io(error)),
    };
    replace(&dir, name, bytes, |file| {
        let Some(old) = old else {
            return file.set_permissions(Permissions::from_mode(0o600));
        };
        let mut mode = old.mode() & 0o777;
        let group = Gid::from_raw(old.gid());
        let keeps_group = file.metadata()?.gid() == old.gid();
        if !keeps_group && rustix::fs::fchown(file, None, Some(group)).is_err() {
            mode &= 0o707; // the group changes, so its permissions go
        }
        file.set_permissions(Permissions::from_mode(mode))
    })
    .map_err(io)
}

/// Random name in the same directory → bytes → fsync → rename → fsync of the directory.
fn replace(
    dir: &File,
    name: impl AsRef<OsStr>,
    bytes: &[u8],
    set_mode: impl FnOnce(&File) -> io::Result<()>,
) -> io::Result<()> {
    let temporary = format!("{TEMPORARY}{}", hex::encode(super::random::<8>()?));
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mode = Mode::RUSR | Mode::WUSR;
    let mut file = File::from(rustix::fs::openat(dir, &temporary, flags, mode)?);
    let written = set_mode(&file)
        .and_then(|()| file.write_all(bytes))
        .and_then(|()| file.sync_all())
        .and_then(|()| Ok(rustix::fs::renameat(dir, &temporary, dir, name.as_ref())?));
    if written.is_err() {
        let _ = rustix::fs::unlinkat(dir, &temporary, AtFlags::empty());
    }
    written.and_then(|()| dir.sync_all())
}

/// The directory that contains `path`, and its name there.
fn outer_and_name(path: &Path) -> (&Path, &Path) {
    let outer = path.parent().unwrap_or(path);
    (outer, path.strip_prefix(outer).unwrap_or(path))
}

/// Checks the kind, owner and mode of an open file (`wanted`: 0600) or directory (0700); returns its size.
fn check(open: &File, path: &Path, wanted: u32) -> Result<u64, FileError> {
    let fail = |why| {
        let path = path.to_owned();
        Err(FileError { path, why })
    };
    let meta = match open.metadata() {
        Ok(meta) => meta,
        Err(error) => return fail(error.into()),
    };
    let mode = meta.mode() & 0o777;
    let right_kind = match wanted {
        0o700 => meta.is_dir(),
        _ => meta.is_file(),
    };
    if !right_kind {
        fail(Why::Link)
    } else if meta.uid() != me() {
        fail(Why::Foreign)
    } else if mode & 0o077 != 0 {
        fail(Why::Open { mode, wanted })
    } else {
        Ok(meta.len())
    }
}

fn me() -> u32 {
    rustix::process::geteuid().as_raw()
}
