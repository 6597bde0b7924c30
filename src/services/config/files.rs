//! Finds a config and everything it names, reads it within bounds, and has `domain::config` join it.

use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::fs::{File, Permissions};
use std::io::{ErrorKind, Read as _};
use std::iter;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Component, Path, PathBuf};

use jiff::Timestamp;
use rustix::fs::OFlags;

use super::access::{self, Access};
use super::glob::{self, Expanded};
use super::paths::{home, with_home};
use super::stamps::Stamp;
use crate::domain::config::{
    Argv, Diagnostic, Include, IncludedFile, Loaded, MAX_ACCOUNTS, MainFile, Pos, Strictness,
    assemble,
};
use crate::domain::fault::{Exit, Fault};
use crate::domain::known::Known;
use crate::services::store::files;

/// The largest config, in bytes, and the most that it includes; 10,000 accounts take a sixth of it.
const MAX_CONFIG: u64 = 16 << 20;
/// The largest file with a session policy, in bytes; AWS takes 2,048 characters without the spaces.
const MAX_POLICY: u64 = 64 << 10;
/// The most files one config includes.
const MAX_INCLUDES: usize = 1_000;

/// Everything a config was read from, each stamped before it was read. While none of it changes, the config is the
/// same.
///
/// The main file first, then the included ones, the folders that wildcards were matched in, the files that were looked
/// for there and are missing, and session policies.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReadFrom(pub Vec<Stamp>);

impl ReadFrom {
    fn stamp(&mut self, path: &Path) {
        self.0.push(Stamp::of(path, Timestamp::now()));
    }

    /// The paths, folders and missing files among them.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.0.iter().map(Stamp::path)
    }

    /// Whether no change is seen in any of it.
    pub fn is_unchanged(&self) -> bool {
        self.0.iter().all(Stamp::is_unchanged)
    }
}

/// Where the config is: `--config`, `$SEKISHO_CONFIG`, else `sekisho/config.yaml` in the XDG config folder.
///
/// Absolute; whether the file is there shows in [`load`].
pub fn locate(
    named: Option<&Path>,
    variable: impl Fn(&str) -> Option<OsString>,
    user: u32,
) -> Result<PathBuf, Fault> {
    let set = |name: &str| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(path) = named.map(Path::to_owned).or_else(|| set("SEKISHO_CONFIG")) {
        return std::path::absolute(&path).map_err(|why| {
            Fault::new(Exit::Usage, format!("the config's path cannot be used: {}", path.display()))
                .because(why.to_string())
        });
    }
    // XDG Base Directory Specification: a relative path is to be ignored.
    let folder = set("XDG_CONFIG_HOME")
        .filter(|path| path.is_absolute())
        .or_else(|| home(&variable, user).map(|home| home.join(".config")));
    folder.map(|folder| folder.join("sekisho/config.yaml")).ok_or_else(|| {
        Fault::new(Exit::Usage, "there is no place to look for a config")
            .because("neither HOME nor XDG_CONFIG_HOME is set, and the user database names no home")
            .fix("name the file: sekisho --config FILE")
    })
}

/// Reads the config at `path` and everything it names; `home` is what `~` means, `known` what is remembered of its
/// included targets.
///
/// Fails with every diagnostic at once, or with why the main file cannot be read.
pub fn load(
    path: &Path,
    home: Option<&Path>,
    strictness: Strictness,
    known: &Known,
) -> Result<(Loaded, ReadFrom), Fault> {
    load_as(path, None, home, strictness, known)
}

/// Reads the config at `path` as if its main file held another text.
pub fn preview(path: &Path, text: &str, home: Option<&Path>) -> Result<Loaded, Fault> {
    let strictness = Strictness::Tolerant;
    load_as(path, Some(text), home, strictness, &Known::default()).map(|(loaded, _)| loaded)
}

fn load_as(
    path: &Path,
    text: Option<&str>,
    home: Option<&Path>,
    strictness: Strictness,
    known: &Known,
) -> Result<(Loaded, ReadFrom), Fault> {
    let mut from = ReadFrom::default();
    from.stamp(path);
    let read = read(path, MAX_CONFIG).map_err(|unread| unread.fault(path))?;
    let mut main = MainFile::parse(path, text.unwrap_or(&read.text));
    match read.access {
        Access::Own => {}
        Access::Shared(who) => main.complain(Pos::default(), &shared(who), Some(&chmod(path))),
        Access::Unknown => main.warn(Pos::default(), access::NO_MODES, None),
    }
    for exposed in access::exposed(path, home) {
        let tell = if exposed.is_certain { MainFile::complain } else { MainFile::warn };
        tell(&mut main, Pos::default(), &exposed.what, Some(&exposed.fix));
    }
    let includes = include(&mut main, read.identity, home, &mut from);
    let named: Vec<PathBuf> = iter::once(path)
        .chain(includes.iter().map(IncludedFile::path))
        .map(Path::to_owned)
        .collect();
    let mut policies: HashMap<PathBuf, Result<String, String>> = HashMap::new();
    let loaded = assemble(main, includes, strictness, known, &mut |file, name| {
        let (path, may_leave) = (&named[file as usize], file == 0);
        let policy = policy_path(path, name, home, may_leave)?;
        let read = |policy: &PathBuf| {
            from.stamp(policy);
            read_policy(policy, home, may_leave)
        };
        policies.entry(policy).or_insert_with_key(read).clone()
    });
    match loaded {
        Ok(loaded) => Ok((loaded, from)),
        Err(diagnostics) => Err(Diagnostic::fault(&diagnostics)),
    }
}

/// Reads another program's text file, within the bounds of a config; or why it cannot be read.
pub fn read_foreign(path: &Path) -> Result<String, String> {
    read(path, MAX_CONFIG).map(|content| content.text).map_err(|unread| unread.why)
}

/// What a whole config that has been made here will mean, once it is at `path`.
pub fn read_new(path: &Path, text: &str) -> Result<Loaded, Fault> {
    let main = MainFile::parse(path, text);
    let read_policy = &mut |_, _: &str| Err("it is not written yet".to_owned());
    assemble(main, Vec::new(), Strictness::Strict, &Known::default(), read_policy)
        .map_err(|diagnostics| Diagnostic::fault(&diagnostics))
}

/// Writes a whole config that has been made here, 0600 in a folder 0700 where they are new.
///
/// What `config check` would refuse is not written.
pub fn write(path: &Path, text: &str) -> Result<(), Fault> {
    read_new(path, text)?;
    put(path, text, "the config cannot be written")
}

/// The files that the config at a path has a program for, each with that program.
pub fn updates(path: &Path, home: Option<&Path>) -> Result<Vec<(PathBuf, Argv)>, Fault> {
    let read = read(path, MAX_CONFIG).map_err(|unread| unread.fault(path))?;
    let base = path.parent().unwrap_or(Path::new("/"));
    let main = MainFile::parse(path, &read.text);
    let of = |include: &Include| {
        let argv = include.update.clone()?;
        Some((base.join(with_home(&include.file, home).ok()?), argv))
    };
    Ok(main.include().iter().filter_map(of).collect())
}

/// Writes a whole file for `include`, unless `config check` would find an error in it; 0600 where it is new.
pub fn write_included(path: &Path, text: &str) -> Result<(), Fault> {
    let included = IncludedFile::parse(path, 1, text);
    if let Some(diagnostic) = included.diagnostics().first() {
        let shown = crate::domain::text::sanitize(&path.to_string_lossy());
        return Err(Fault::new(Exit::Fault, format!("{shown} was not written"))
            .because(crate::domain::text::sanitize(&diagnostic.to_string())));
    }
    put(path, text, "the file cannot be written")
}

/// Whether a text could be an accounts file, right or wrong.
pub fn is_accounts(path: &Path, text: &str) -> bool {
    IncludedFile::parse(path, 1, text).is_accounts_file()
}

/// Puts an included file back as it was, right or wrong.
pub fn put_back(path: &Path, text: &str) -> Result<(), Fault> {
    put(path, text, "the file cannot be put back")
}

/// Notes that a file is as it should be: from now on its age counts.
pub fn touch(path: &Path) {
    // Without it the file is called old although it is not: no harm done.
    let now = std::time::SystemTime::now();
    let _ = File::options().append(true).open(path).and_then(|file| file.set_modified(now));
}

/// Replaces a config by one that was made of it, and that [`preview`] has read.
pub fn replace(path: &Path, before: &str, text: &str) -> Result<(), Fault> {
    if read_foreign(path).as_deref() != Ok(before) {
        let shown = crate::domain::text::sanitize(&path.to_string_lossy());
        return Err(Fault::new(Exit::Fault, format!("{shown} was not changed"))
            .because("another program changed it in the meantime")
            .fix("run the command again"));
    }
    put(path, text, "the config cannot be written")
}

fn put(path: &Path, text: &str, failed: &str) -> Result<(), Fault> {
    if text.len() as u64 > MAX_CONFIG {
        let what = format!("this would be a config of more than {} MiB", MAX_CONFIG >> 20);
        return Err(Fault::new(Exit::Usage, what));
    }
    files::write_through(path, text.as_bytes()).map_err(|error| error.fault(failed))?;
    // A file that others could write keeps its mode on the way; as a config it would be refused.
    let tighten = std::fs::metadata(path).and_then(|metadata| {
        let tight = Permissions::from_mode(metadata.mode() & 0o777 & !0o022);
        std::fs::set_permissions(path, tight)
    });
    tighten.map_err(|error| {
        Fault::new(Exit::Fault, "the config's mode cannot be set").because(error.to_string())
    })
}

/// What a file held.
struct Content {
    text: String,
    access: Access,
    /// Device and inode.
    identity: (u64, u64),
}

/// Why a file could not be read.
struct Unread {
    kind: ErrorKind,
    why: String,
}

impl Unread {
    fn new(kind: ErrorKind, why: impl Into<String>) -> Self {
        let why = why.into();
        Self { kind, why }
    }

    /// The fault where it is the main file.
    fn fault(self, path: &Path) -> Fault {
        let path = crate::domain::text::sanitize(&path.to_string_lossy());
        if self.kind == ErrorKind::NotFound {
            return Fault::new(Exit::Usage, format!("there is no config at {path}"))
                .fix("make one: sekisho init")
                .fix("or from your AWS profiles: sekisho import aws-config --write")
                .fix("or look around first, without an AWS account: sekisho demo");
        }
        Fault::new(Exit::Usage, format!("the config {path} cannot be read"))
            .because(self.why)
            .fix("fix the file, or use another: sekisho --config FILE")
    }
}

/// Reads a regular UTF-8 file of at most `limit` bytes.
fn read(path: &Path, limit: u64) -> Result<Content, Unread> {
    let failed = |error: std::io::Error| {
        let why = match error.kind() {
            ErrorKind::NotFound => "there is no such file".to_owned(),
            ErrorKind::PermissionDenied => "you may not read it".to_owned(),
            _ => error.to_string(),
        };
        Unread::new(error.kind(), why)
    };
    // Without O_NONBLOCK, opening a FIFO would wait for a writer.
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = File::options()
        .read(true)
        .custom_flags(flags.bits().cast_signed())
        .open(path)
        .map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if metadata.is_dir() {
        return Err(Unread::new(ErrorKind::IsADirectory, "it is a directory"));
    }
    if !metadata.is_file() {
        return Err(Unread::new(ErrorKind::InvalidInput, "it is a pipe or device, not a file"));
    }
    let too_large = || {
        let why = format!("it is larger than {} KiB", limit >> 10);
        Unread::new(ErrorKind::FileTooLarge, why)
    };
    if metadata.len() > limit {
        return Err(too_large());
    }
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or(0) + 1);
    // It may have grown since.
    (&file).take(limit + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > limit {
        return Err(too_large());
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = good.split(|b| *b == b'\n').count();
        Unread::new(ErrorKind::InvalidData, format!("it is not UTF-8, first in line {line}"))
    })?;
    Ok(Content {
        text,
        access: access::of(&file, &metadata),
        identity: (metadata.dev(), metadata.ino()),
    })
}

fn shared(who: &str) -> String {
    format!("this file is writable by {who}, who could make sekisho run anything")
}

fn chmod(path: &Path) -> String {
    let path = path.to_string_lossy();
    let path = shlex::try_quote(&path).map_or_else(|_| "FILE".to_owned(), Into::into);
    format!("chmod go-w {path}")
}

/// The files that a config includes, while they are being read.
struct Includes<'a> {
    main: &'a mut MainFile,
    /// The main file's identity.
    itself: (u64, u64),
    seen: HashSet<(u64, u64)>,
    from: &'a mut ReadFrom,
    files: Vec<IncludedFile>,
    /// How many bytes and accounts there is still room for.
    bytes: u64,
    accounts: usize,
}

/// Reads what the main file includes, each file once.
fn include(
    main: &mut MainFile,
    itself: (u64, u64),
    home: Option<&Path>,
    from: &mut ReadFrom,
) -> Vec<IncludedFile> {
    let base = main.path().parent().unwrap_or(Path::new("/")).to_owned();
    let wanted: Vec<Include> = main.include().to_vec();
    let mut includes = Includes {
        main,
        itself,
        seen: HashSet::from([itself]),
        from,
        files: Vec::new(),
        bytes: MAX_CONFIG,
        accounts: MAX_ACCOUNTS,
    };
    for include in &wanted {
        match glob::expand(&include.file, &base, home, Timestamp::now()) {
            Ok(expanded) => includes.pattern(include, expanded),
            Err(why) => {
                let what = format!("`{}` cannot be included: {why}", include.file);
                includes.main.complain(include.pos, &what, None);
            }
        }
    }
    includes.files
}

impl Includes<'_> {
    fn pattern(&mut self, include: &Include, expanded: Expanded) {
        let (pattern, pos) = (&include.file, include.pos);
        self.from.0.extend(expanded.stamps);
        let inside = expanded.folder.map(|folder| folder.canonicalize().unwrap_or(folder));
        if expanded.files.is_empty() {
            let what = format!("`{pattern}` matches no file");
            self.main.warn(pos, &what, None);
        }
        for path in expanded.files {
            if self.accounts == 0 || self.files.len() == MAX_INCLUDES {
                let what = format!("`{pattern}`: too much is included; the rest was left out");
                self.main.warn(pos, &what, None);
                return;
            }
            // A file named in full may be a link to anywhere: its name was the person's choice.
            if let Some(folder) = &inside
                && !path.canonicalize().is_ok_and(|real| real.starts_with(folder))
            {
                let what = format!("{} is a link that leads out of its folder", path.display());
                let fix = "name the file itself in `include`, or remove the link";
                self.main.warn(pos, &what, Some(fix));
                continue;
            }
            self.from.stamp(&path);
            let (what, mistake) = match read(&path, self.bytes) {
                Ok(content) if self.seen.insert(content.identity) => {
                    self.parse(&path, &content, include);
                    continue;
                }
                // A glob may well find the main file; a path that names it is a loop.
                Ok(content) if content.identity != self.itself || inside.is_some() => continue,
                Ok(_) => (format!("`{pattern}` is the main config file itself"), true),
                Err(Unread { kind, why }) => {
                    let mistake = matches!(kind, ErrorKind::NotFound | ErrorKind::IsADirectory);
                    if mistake && inside.is_some() {
                        continue;
                    }
                    (format!("{} cannot be included: {why}", path.display()), mistake)
                }
            };
            if mistake {
                self.main.complain(pos, &what, None);
            } else {
                self.main.warn(pos, &what, None);
            }
        }
    }

    fn parse(&mut self, path: &Path, content: &Content, include: &Include) {
        let number = u32::try_from(self.files.len() + 1).unwrap_or(u32::MAX);
        let mut file = IncludedFile::parse(path, number, &content.text);
        file.included_by(include);
        if let Access::Shared(who) = content.access {
            file.complain(&shared(who), Some(&chmod(path)));
        }
        self.bytes = self.bytes.saturating_sub(content.text.len() as u64);
        self.accounts = self.accounts.saturating_sub(file.len());
        self.files.push(file);
    }
}

/// Where the session policy is that a config file names. An included file stays within its own folder.
fn policy_path(
    config: &Path,
    name: &str,
    home: Option<&Path>,
    may_leave: bool,
) -> Result<PathBuf, String> {
    let folder = config.parent().unwrap_or(Path::new("/"));
    if may_leave {
        return Ok(folder.join(with_home(name, home)?));
    }
    let outside = || "an included file names no file outside its own folder".to_owned();
    let plain = Path::new(name)
        .components()
        .all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    if !plain {
        return Err(outside());
    }
    // Through links too: where it really is counts.
    let real = |path: &Path| path.canonicalize().map_err(|why| why.to_string());
    let path = real(&folder.join(name))?;
    if path.starts_with(real(folder)?) { Ok(path) } else { Err(outside()) }
}

/// Reads a session policy: of the main file's, nobody else may write any, since they could widen it.
fn read_policy(path: &Path, home: Option<&Path>, is_mine: bool) -> Result<String, String> {
    let exposed = if is_mine { access::exposed(path, home) } else { Vec::new() };
    if let Some(exposed) = exposed.into_iter().find(|exposed| exposed.is_certain) {
        return Err(exposed.what);
    }
    match read(path, MAX_POLICY) {
        Err(unread) => Err(unread.why),
        Ok(Content { access: Access::Shared(who), .. }) if is_mine => Err(shared(who)),
        Ok(content) => Ok(content.text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_config_is_named_or_where_xdg_says() {
        let at = |named: Option<&str>, set: &[(&str, &str)]| {
            let variable = |name: &str| {
                set.iter().find(|(n, _)| *n == name).map(|(_, value)| OsString::from(value))
            };
            let unknown = u32::MAX - 9;
            locate(named.map(Path::new), variable, unknown).map(|path| path.display().to_string())
        };
        let home = ("HOME", "/h");
        assert_eq!(at(Some("/c"), &[("SEKISHO_CONFIG", "/e"), home]).unwrap(), "/c");
        assert_eq!(at(None, &[("SEKISHO_CONFIG", "/e"), home]).unwrap(), "/e");
        assert_eq!(
            at(None, &[("SEKISHO_CONFIG", ""), ("XDG_CONFIG_HOME", "/x"), home]).unwrap(),
            "/x/sekisho/config.yaml"
        );
        assert_eq!(
            at(None, &[("XDG_CONFIG_HOME", "relative"), home]).unwrap(),
            "/h/.config/sekisho/config.yaml"
        );
        assert_eq!(at(None, &[]).unwrap_err().exit, Exit::Usage);
    }
}
