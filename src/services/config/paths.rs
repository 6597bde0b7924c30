//! Where sekisho's directories are: the XDG Base Directory Specification, and macOS's own places.

use std::ffi::OsString;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::Access;

use crate::domain::fault::{Exit, Fault};
use crate::domain::text::sanitize;

/// sekisho's own directories. None of them need exist yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    /// The user's home, absolute.
    pub home: PathBuf,
    /// `config.yaml` and what lies beside it.
    pub config: PathBuf,
    /// What must be kept: the sealed key file, locks, the diary, stars.
    pub state: PathBuf,
    /// What may be lost at any time: sealed sessions.
    pub cache: PathBuf,
    /// What is deleted at logout.
    pub runtime: RuntimeDir,
}

/// `$XDG_RUNTIME_DIR`, which `su`, `tmux` and WSL may leave set to something that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RuntimeDir {
    /// It is not set.
    Unset,
    /// sekisho's own directory in it.
    Usable(PathBuf),
    /// It cannot be used, and why: everything is as if it were not set.
    Refused {
        /// What it is set to.
        path: PathBuf,
        /// What is wrong with that, worded to follow the path.
        why: String,
    },
}

impl RuntimeDir {
    /// Looks at the directory that the variable names.
    pub fn of(named: Option<PathBuf>, user: u32) -> Self {
        let Some(path) = named else { return Self::Unset };
        let why = match std::fs::metadata(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => "does not exist".to_owned(),
            Err(error) => format!("cannot be looked at: {error}"),
            Ok(meta) if !meta.is_dir() => "is not a directory".to_owned(),
            Ok(meta) if meta.uid() != user => "belongs to another user".to_owned(),
            Ok(meta) if meta.mode() & 0o022 != 0 => "can be written by other users".to_owned(),
            Ok(_) => match rustix::fs::access(&path, Access::WRITE_OK | Access::EXEC_OK) {
                Ok(()) => return Self::Usable(path.join("sekisho")),
                Err(errno) => format!("cannot be written to: {}", std::io::Error::from(errno)),
            },
        };
        Self::Refused { path, why }
    }

    /// sekisho's own directory, where there is one to use.
    pub fn usable(&self) -> Option<&Path> {
        match self {
            Self::Usable(path) => Some(path),
            Self::Unset | Self::Refused { .. } => None,
        }
    }

    /// Why the variable is not obeyed, in a line.
    pub fn refusal(&self) -> Option<String> {
        let Self::Refused { path, why } = self else { return None };
        Some(format!("XDG_RUNTIME_DIR is not used: {} {why}", sanitize(&path.to_string_lossy())))
    }
}

/// The user's home: `HOME`, else what the user database says. Absolute.
///
/// The database is asked only where it must be: on some machines it is on the network.
pub fn home(env: impl Fn(&str) -> Option<OsString>, user: u32) -> Option<PathBuf> {
    let named = env("HOME").map(PathBuf::from);
    let known = || nix::unistd::User::from_uid(user.into()).ok().flatten().map(|user| user.dir);
    named.filter(|home| home.is_absolute()).or_else(known).filter(|home| home.is_absolute())
}

/// Who runs the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ids {
    /// The user's own ids.
    pub real: (u32, u32),
    /// The user and group whose rights it has.
    pub effective: (u32, u32),
}

impl Ids {
    /// This process's.
    pub fn current() -> Self {
        use rustix::process::{getegid, geteuid, getgid, getuid};
        Self {
            real: (getuid().as_raw(), getgid().as_raw()),
            effective: (geteuid().as_raw(), getegid().as_raw()),
        }
    }
}

impl Paths {
    /// Finds the directories from an environment.
    ///
    /// Refuses setuid and setgid, `sudo` and `doas` that kept another user's HOME, and a user without a home. An XDG
    /// variable that is not absolute is ignored, as the specification says.
    pub fn find(env: impl Fn(&str) -> Option<OsString>, ids: Ids) -> Result<Self, Fault> {
        if ids.real != ids.effective {
            return Err(Fault::new(Exit::Usage, "sekisho does not run with another user's rights")
                .because("its file is setuid or setgid")
                .fix("chmod ug-s \"$(command -v sekisho)\""));
        }
        let absolute = |name: &str| env(name).map(PathBuf::from).filter(|p| p.is_absolute());
        let user = ids.effective.0;
        let Some(home) = home(&env, user) else {
            return Err(Fault::new(Exit::Usage, "there is no home directory")
                .because(format!("HOME is not set, and the user database has none of user {user}"))
                .fix("set HOME to a directory of your own"));
        };
        let through = ["SUDO_UID", "DOAS_USER"].iter().any(|name| env(name).is_some());
        if through && owner(&home).is_some_and(|owner| owner != user) {
            return Err(Fault::new(Exit::Usage, "sekisho will not write into another user's home")
                .because(format!("sudo kept HOME={}", sanitize(&home.to_string_lossy())))
                .fix("run it without sudo")
                .fix("to run entirely as that user: sudo -H sekisho …"));
        }
        let place = |name: &str, otherwise: &str| {
            absolute(name).unwrap_or_else(|| home.join(otherwise)).join("sekisho")
        };
        let (state, cache) = if cfg!(target_os = "macos") {
            ("Library/Application Support", "Library/Caches")
        } else {
            (".local/state", ".cache")
        };
        // macOS has one of each user's own, and empties it.
        let temporary = || cfg!(target_os = "macos").then(|| absolute("TMPDIR")).flatten();
        Ok(Self {
            config: place("XDG_CONFIG_HOME", ".config"),
            state: place("XDG_STATE_HOME", state),
            cache: place("XDG_CACHE_HOME", cache),
            runtime: RuntimeDir::of(absolute("XDG_RUNTIME_DIR").or_else(temporary), user),
            home,
        })
    }
}

/// A path with its leading `~/` made the home directory.
pub fn with_home(path: impl AsRef<Path>, home: Option<&Path>) -> Result<PathBuf, String> {
    let path = path.as_ref();
    match path.strip_prefix("~") {
        Ok(rest) => home
            .map(|home| home.join(rest))
            .ok_or_else(|| "there is no home directory, so ~/ cannot be used".to_owned()),
        Err(_) if path.as_os_str().as_encoded_bytes().starts_with(b"~") => {
            Err("only ~/ is supported; write other home directories in full".to_owned())
        }
        Err(_) => Ok(path.to_owned()),
    }
}

fn owner(dir: &Path) -> Option<u32> {
    std::fs::metadata(dir).ok().map(|meta| meta.uid())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ME: Ids = Ids { real: (1000, 1000), effective: (1000, 1000) };

    fn find(env: &[(&str, &str)], ids: Ids) -> Result<Paths, Fault> {
        let lookup = |name: &str| {
            env.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value))
        };
        Paths::find(lookup, ids)
    }

    #[test]
    fn xdg_variables_win_where_they_are_absolute() {
        let paths = find(
            &[("HOME", "/home/t"), ("XDG_CONFIG_HOME", "/etc/t"), ("XDG_CACHE_HOME", "relative")],
            ME,
        )
        .unwrap();
        assert_eq!(paths.config, Path::new("/etc/t/sekisho"));
        assert_eq!(paths.runtime, RuntimeDir::Unset);
        if cfg!(target_os = "linux") {
            assert_eq!(paths.cache, Path::new("/home/t/.cache/sekisho"));
            assert_eq!(paths.state, Path::new("/home/t/.local/state/sekisho"));
        }
    }

    #[test]
    fn a_runtime_directory_is_ones_own_or_none() {
        use std::os::unix::fs::PermissionsExt;
        let home = tempfile::tempdir().unwrap();
        let me = owner(home.path()).unwrap();
        let at = |name: &str| home.path().join(name);
        let dir = |name: &str, mode| {
            std::fs::create_dir(at(name)).unwrap();
            std::fs::set_permissions(at(name), PermissionsExt::from_mode(mode)).unwrap();
        };
        dir("own", 0o700);
        dir("open", 0o777);
        dir("shared", 0o770);
        std::fs::write(at("file"), "").unwrap();
        let of = |name: &str, user| RuntimeDir::of(Some(at(name)), user);
        assert_eq!(of("own", me), RuntimeDir::Usable(at("own/sekisho")));
        assert_eq!(RuntimeDir::of(None, me), RuntimeDir::Unset);
        for (found, why) in [
            (of("own", me + 1), "belongs to another user"),
            (of("missing", me), "does not exist"),
            (of("file", me), "is not a directory"),
            (of("open", me), "can be written by other users"),
            (of("shared", me), "can be written by other users"),
        ] {
            let refusal = found.refusal().unwrap();
            assert!(refusal.ends_with(why) && found.usable().is_none(), "{refusal}");
        }
        if me != 0 {
            dir("read-only", 0o500);
            assert!(of("read-only", me).refusal().unwrap().contains("cannot be written to"));
        }
    }

    #[test]
    fn borrowed_rights_are_refused() {
        let setuid = Ids { effective: (0, 1000), ..ME };
        let setgid = Ids { effective: (1000, 0), ..ME };
        for ids in [setuid, setgid] {
            let fault = find(&[("HOME", "/home/t")], ids).unwrap_err();
            assert_eq!(fault.exit, Exit::Usage);
        }
    }

    #[test]
    fn sudo_with_another_home_is_refused_and_with_ones_own_is_not() {
        let home = tempfile::tempdir().unwrap();
        let env = [("HOME", home.path().to_str().unwrap()), ("SUDO_UID", "1000")];
        let owner = owner(home.path()).unwrap();
        let own = Ids { real: (owner, 0), effective: (owner, 0) };
        assert!(find(&env, own).is_ok());
        let other = Ids { real: (owner + 1, 0), effective: (owner + 1, 0) };
        let fault = find(&env, other).unwrap_err();
        assert!(fault.why[0].contains(home.path().to_str().unwrap()), "{fault:?}");
        assert!(find(&env[..1], other).is_ok(), "a container's root may have any HOME");
    }

    #[test]
    fn without_home_the_user_database_tells() {
        let passwd = std::fs::read_to_string("/etc/passwd").unwrap();
        let root = passwd.lines().find(|line| line.split(':').nth(2) == Some("0")).unwrap();
        let expected = Path::new(root.split(':').nth(5).unwrap());
        let root = Ids { real: (0, 0), effective: (0, 0) };
        for env in [&[][..], &[("HOME", "")], &[("HOME", "relative")]] {
            assert_eq!(find(env, root).unwrap().home, expected);
        }
    }

    #[test]
    fn no_home_is_said() {
        let unknown = Ids { real: (u32::MAX - 9, 1), effective: (u32::MAX - 9, 1) };
        assert!(find(&[], unknown).unwrap_err().why[0].contains("HOME"));
        assert!(find(&[("HOME", "here")], unknown).is_err());
    }
}
