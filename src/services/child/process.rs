//! Runs commands: in place of this process, or as a child in the foreground of its terminal.

use std::convert::Infallible;
use std::ffi::{CString, OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::spawn::{PosixSpawnAttr, PosixSpawnFileActions, PosixSpawnFlags, posix_spawn};
use nix::sys::signal::{SigSet, SigmaskHow, Signal as NixSignal};
use rustix::fs::{Access, access};
use rustix::process::{Pid, WaitOptions, WaitStatus, kill_process, waitpid};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetpgrp, tcsetattr, tcsetpgrp};
use tokio::signal::unix::{SignalKind, signal};

use super::environment::{Block, Environment, Inherited};
use super::signals::Forwarded;
use crate::domain::fault::{Exit, Fault};
use crate::domain::text::sanitize;

/// The program that runs, by the path under which it is found after an upgrade too: on the PATH, else as it was called.
/// Package managers put a link there, whose target has a version in its path.
pub fn own_program() -> Result<PathBuf, Fault> {
    let called = PathBuf::from(std::env::args_os().next().unwrap_or_default());
    let path = std::env::var_os("PATH").unwrap_or_default();
    match std::env::current_exe() {
        Ok(running) => Ok(stable_path(&running, &called, &path).unwrap_or(running)),
        // Without /proc: found again as the shell found it.
        Err(error) => find(called.as_os_str(), Some(&path))
            .ok()
            .and_then(|found| std::path::absolute(found).ok())
            .ok_or_else(|| {
                Fault::new(Exit::Fault, "cannot find sekisho's own executable")
                    .because(error.to_string())
            }),
    }
}

/// A path to the file `running` that an upgrade keeps, if there is one.
fn stable_path(running: &Path, called: &Path, path: &OsStr) -> Option<PathBuf> {
    let file = running.canonicalize().ok()?;
    let name = called.file_name().unwrap_or(OsStr::new("sekisho"));
    let on_path = std::env::split_paths(path).filter(|folder| folder.is_absolute());
    let as_called = called.components().nth(1).and_then(|_| std::path::absolute(called).ok());
    on_path
        .map(|folder| folder.join(name))
        .chain(as_called)
        .find(|candidate| candidate.canonicalize().is_ok_and(|found| found == file))
}

/// Replaces this process by a command. Returns only if that failed: 127 not found, 126 cannot run.
///
/// A real `execve`: same pid, no wrapper, the arguments untouched.
pub fn exec(environment: &Environment, inherited: &Inherited, argv: &[OsString]) -> Fault {
    match try_exec(environment, inherited, argv) {
        Ok(never) => match never {},
        Err(fault) => fault,
    }
}

fn try_exec(
    environment: &Environment,
    inherited: &Inherited,
    argv: &[OsString],
) -> Result<Infallible, Fault> {
    let (name, arguments) = argv.split_first().ok_or_else(no_command)?;
    let block = environment.block(inherited).map_err(|error| cannot_run(name, &error))?;
    let program = find(name, block.get("PATH"))?;
    let mut command = Command::new(program);
    command.arg0(name).args(arguments).env_clear();
    command.envs(block.variables());
    Err(cannot_run(name, &command.exec()))
}

/// Runs a command to its end, in the foreground of this terminal, and returns its exit status.
///
/// Needs a tokio runtime with I/O. While the child runs, it handles Ctrl-C and job control, what a supervisor sends is
/// passed on to it, and this process holds none of its secrets. Afterwards this process takes the terminal back.
pub async fn run(
    environment: Environment,
    inherited: &Inherited,
    argv: &[OsString],
) -> Result<Exit, Fault> {
    let name = argv.first().ok_or_else(no_command)?;
    let block = environment.block(inherited).map_err(|error| cannot_run(name, &error))?;
    drop(environment);
    let program = find(name, block.get("PATH"))?;
    run_block(&program, argv, block).await.map_err(|error| cannot_run(name, &error))
}

/// [`run`], for a program that has been found and an environment that is complete.
pub(in crate::services) async fn run_block(
    program: &Path,
    argv: &[OsString],
    block: Block,
) -> io::Result<Exit> {
    let terminal = Terminal::save();
    // Before the spawn: a signal in between must not end this process. Listeners, not SIG_IGN, which the child would
    // inherit.
    let mut ended = signal(SignalKind::child())?;
    let mut forwarded = Forwarded::listen()?;
    let child = spawn(program, argv, &block, &PosixSpawnFileActions::init()?)?;
    drop(block);
    let status = loop {
        if let Some((_, status)) = waitpid(Some(child), WaitOptions::NOHANG)? {
            break status;
        }
        // If kill fails, the child has just ended: the next iteration sees it.
        tokio::select! {
            _ = ended.recv() => {}
            signal = forwarded.recv() => { let _ = kill_process(child, signal); }
        }
    };
    if let Some(terminal) = terminal {
        terminal.take_back();
    }
    Ok(exit_of(status))
}

pub(super) fn exit_of(status: WaitStatus) -> Exit {
    let code = match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => code,
        (None, Some(signal)) => 128 + signal,
        (None, None) => 1,
    };
    Exit::Child(u8::try_from(code).unwrap_or(1))
}

/// Not the standard library's `Command`: it keeps unwiped copies of the environment.
pub(super) fn spawn(
    program: &Path,
    argv: &[OsString],
    block: &Block,
    actions: &PosixSpawnFileActions,
) -> io::Result<Pid> {
    let argv: Vec<CString> =
        argv.iter().map(|argument| CString::new(argument.as_bytes())).collect::<Result<_, _>>()?;
    let mut attributes = PosixSpawnAttr::init()?;
    // Undoes for the child what Rust and tokio changed in this process.
    let mut defaults = SigSet::empty();
    defaults.add(NixSignal::SIGPIPE);
    attributes.set_sigdefault(&defaults)?;
    attributes.set_sigmask(&SigSet::empty())?;
    attributes.set_flags(
        PosixSpawnFlags::POSIX_SPAWN_SETSIGDEF | PosixSpawnFlags::POSIX_SPAWN_SETSIGMASK,
    )?;
    let child = posix_spawn(program, actions, &attributes, &argv, block.entries())?;
    Pid::from_raw(child.as_raw()).ok_or_else(|| io::Error::other("the child has no process id"))
}

/// The terminal and its settings from before a child ran.
struct Terminal {
    tty: std::fs::File,
    /// The process group of this process, in the foreground.
    group: Pid,
    settings: Termios,
}

impl Terminal {
    /// `None` without a terminal, or where this process is in the background.
    fn save() -> Option<Self> {
        let tty = std::fs::OpenOptions::new().read(true).write(true).open("/dev/tty").ok()?;
        let group = tcgetpgrp(&tty).ok()?;
        (group.as_raw_pid() == nix::unistd::getpgrp().as_raw()).then_some(())?;
        let settings = tcgetattr(&tty).ok()?;
        Some(Self { tty, group, settings })
    }

    /// Makes this process group the terminal's foreground again and restores the settings.
    ///
    /// A shell killed with -9 does neither; then the next read would stop this process (SIGTTIN). Errors are ignored: they
    /// mean that the terminal is gone.
    fn take_back(&self) {
        let mut blocked = SigSet::empty();
        blocked.add(NixSignal::SIGTTOU);
        let mask = blocked.thread_swap_mask(SigmaskHow::SIG_BLOCK);
        let _ = tcsetpgrp(&self.tty, self.group);
        let _ = tcsetattr(&self.tty, OptionalActions::Drain, &self.settings);
        if let Ok(mask) = mask {
            let _ = mask.thread_set_mask();
        }
    }
}

/// Finds a command as a shell would: on `path`, unless its name contains a slash.
pub fn find(name: &OsStr, path: Option<&OsStr>) -> Result<PathBuf, Fault> {
    let shown = sanitize(&name.to_string_lossy());
    if name.as_bytes().contains(&b'/') {
        let program = PathBuf::from(name);
        return match program.try_exists() {
            Ok(true) => Ok(program),
            _ => Err(Fault::new(Exit::NotFound, format!("{shown} was not found"))
                .because("there is no such file")),
        };
    }
    // POSIX leaves the search without a PATH open; these are the directories that every login has.
    let path = path.unwrap_or(OsStr::new("/usr/local/bin:/usr/bin:/bin"));
    let candidates = || std::env::split_paths(path).map(|folder| folder.join(name));
    if let Some(program) = candidates().find(|file| is_executable(file)) {
        return Ok(program);
    }
    if let Some(file) = candidates().find(|file| file.is_file()) {
        let file = sanitize(&file.to_string_lossy());
        return Err(Fault::new(Exit::CannotRun, format!("{shown} cannot be run"))
            .because(format!("{file} is not executable"))
            .fix(format!("chmod +x {file}")));
    }
    Err(Fault::new(Exit::NotFound, format!("{shown} was not found"))
        .because("it is not on the PATH"))
}

/// The name of the program that started this process: no path, no arguments.
#[cfg(target_os = "linux")]
pub fn parent_name() -> Option<String> {
    let parent = rustix::process::getppid()?.as_raw_nonzero();
    let name = std::fs::read_to_string(format!("/proc/{parent}/comm")).ok()?;
    Some(sanitize(name.trim_end()))
}

/// The name of the program that started this process: no path, no arguments.
#[cfg(not(target_os = "linux"))]
pub fn parent_name() -> Option<String> {
    let parent = rustix::process::getppid()?.as_raw_nonzero().to_string();
    let listed = Command::new("/bin/ps").args(["-o", "comm=", "-p", &parent]).output().ok()?;
    let path = String::from_utf8_lossy(&listed.stdout).trim().to_owned();
    Some(sanitize(path.rsplit('/').next()?))
}

/// Whether a file can be run by this user.
pub(in crate::services) fn is_executable(file: &Path) -> bool {
    file.is_file() && access(file, Access::EXEC_OK).is_ok()
}

pub(super) fn no_command() -> Fault {
    Fault::new(Exit::Usage, "there is no command to run")
}

pub(super) fn cannot_run(name: &OsStr, error: &io::Error) -> Fault {
    let exit = match error.kind() {
        io::ErrorKind::NotFound => Exit::NotFound,
        _ => Exit::CannotRun,
    };
    let name = sanitize(&name.to_string_lossy());
    let fault = Fault::new(exit, format!("{name} cannot be run"));
    match (error.kind(), error.raw_os_error()) {
        (io::ErrorKind::NotFound, _) => {
            fault.because("the interpreter in its first line (#!) does not exist")
        }
        (io::ErrorKind::PermissionDenied, _) => fault.because("it is not executable"),
        (_, Some(code)) if code == rustix::io::Errno::NOEXEC.raw_os_error() => fault.because(
            "it is not a program for this machine, and its first line (#!) names no interpreter",
        ),
        (_, Some(code)) if code == rustix::io::Errno::TOOBIG.raw_os_error() => {
            fault.because("its arguments and environment are too large")
        }
        _ => fault.because(sanitize(&error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_named_by_a_path_that_an_upgrade_keeps() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        for folder in ["Cellar/0.1.0/bin", "bin", "other"] {
            std::fs::create_dir_all(at(folder)).unwrap();
        }
        let running = at("Cellar/0.1.0/bin/sekisho");
        for file in [&running, &at("other/sekisho")] {
            std::fs::write(file, "").unwrap();
        }
        std::os::unix::fs::symlink(&running, at("bin/sekisho")).unwrap();
        let path = std::env::join_paths([at("other"), at("bin")]).unwrap();
        let stable = |called: &Path, path: &OsStr| stable_path(&running, called, path);
        for called in [Path::new("sekisho"), &running, &at("bin/sekisho")] {
            assert_eq!(stable(called, &path), Some(at("bin/sekisho")), "{}", called.display());
        }
        // Not on the PATH: as it was called.
        let elsewhere = OsStr::new("/nonexistent:.");
        assert_eq!(stable(&at("bin/sekisho"), elsewhere), Some(at("bin/sekisho")));
        assert_eq!(stable(&running, elsewhere), Some(running.clone()));
        assert_eq!(stable(Path::new("sekisho"), elsewhere), None);
        assert_eq!(stable(&at("other/sekisho"), elsewhere), None, "another program");
    }
}
