//! Which shell to start.

use std::ffi::{OsStr, OsString};
use std::iter;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, getppid};

use super::Hookable;
use crate::domain::fault::{Exit, Fault};
use crate::domain::text::sanitize;
use crate::services::child::environment::{Inherited, Syntax};
use crate::services::child::process::{find, is_executable};

/// Shells that sekisho may have been started from.
const SHELLS: [&str; 16] = [
    "bash", "zsh", "fish", "sh", "dash", "ash", "ksh", "mksh", "oksh", "yash", "nu", "pwsh",
    "elvish", "xonsh", "tcsh", "csh",
];

/// A program's name without a login shell's dash and a version.
pub(super) fn family(program: &Path) -> Option<&str> {
    let name = program.file_name()?.to_str()?;
    let name = name.strip_prefix('-').unwrap_or(name);
    Some(name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.' || c == '-'))
}

/// A shell to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shell {
    pub(super) program: PathBuf,
    pub(super) hookable: Option<Hookable>,
}

impl Shell {
    /// Chooses the requested one (`--shell`, else the config's), the shell that sekisho was started from, `$SHELL`, or
    /// `/bin/sh`. Fails only where the requested one cannot be run.
    pub fn choose(asked: Option<&str>, inherited: &Inherited) -> Result<Self, Fault> {
        if let Some(name) = asked {
            let program = find(OsStr::new(name), inherited.get("PATH"))?;
            if !is_executable(&program) {
                let name = sanitize(name);
                return Err(Fault::new(Exit::CannotRun, format!("{name} cannot be run"))
                    .because("it is not an executable file"));
            }
            return Ok(Self::at(program));
        }
        let login = || inherited.get("SHELL").map(PathBuf::from);
        let program = ancestor()
            .or_else(|| login().filter(|program| is_shell(program)))
            .unwrap_or_else(|| "/bin/sh".into());
        Ok(Self::at(program))
    }

    fn at(program: PathBuf) -> Self {
        let hookable = Hookable::of(&program);
        Self { program, hookable }
    }

    /// The hook for it, if there is one: switching, renewal and the prompt's mark need it.
    pub fn hookable(&self) -> Option<Hookable> {
        self.hookable
    }

    /// The words that run a command line in it. Every shell takes one this way.
    pub fn command(&self, line: &str) -> Vec<OsString> {
        vec![self.program.clone().into(), "-c".into(), line.into()]
    }

    /// The program's file name, sanitized.
    pub fn name(&self) -> String {
        let name = self.program.file_name().unwrap_or_default();
        sanitize(&name.to_string_lossy())
    }
}

/// Whether `$SHELL` can be used: service accounts have `nologin` or `false` there.
fn is_shell(program: &Path) -> bool {
    let refuses = matches!(family(program), Some("nologin" | "false" | "true"));
    program.is_absolute() && is_executable(program) && !refuses
}

/// The nearest interactive shell among this process's ancestors; `cargo run` or `make` may stand between.
fn ancestor() -> Option<PathBuf> {
    ancestors().find(Process::is_interactive_shell).map(|process| process.program)
}

/// The shell that evaluates what this process prints: the nearest one among its ancestors, be it a person's or a script's.
pub fn surrounding() -> Option<Hookable> {
    surrounding_shell().and_then(|process| Hookable::of(&process.program))
}

/// The language of that shell. Where none is known, or one without a language of its own here, POSIX.
pub fn surrounding_language() -> Syntax {
    surrounding_shell().map_or(Syntax::Bash, |process| language(&process.program))
}

fn surrounding_shell() -> Option<Process> {
    ancestors().find(Process::is_shell)
}

fn language(shell: &Path) -> Syntax {
    match family(shell) {
        Some("zsh") => Syntax::Zsh,
        Some("fish") => Syntax::Fish,
        Some("nu") => Syntax::Nu,
        Some("pwsh") => Syntax::PowerShell,
        _ => Syntax::Bash,
    }
}

struct Process {
    program: PathBuf,
    arguments: Vec<String>,
    parent: Option<Pid>,
}

impl Process {
    fn is_shell(&self) -> bool {
        family(&self.program).is_some_and(|name| SHELLS.contains(&name))
    }

    fn is_interactive_shell(&self) -> bool {
        self.is_shell() && is_interactive(&self.arguments) && is_executable(&self.program)
    }
}

/// The processes above this one, the nearest first.
fn ancestors() -> impl Iterator<Item = Process> {
    const MOST: usize = 64;
    let mut above = getppid();
    iter::from_fn(move || {
        let process = look_up(above?)?;
        above = process.parent;
        Some(process)
    })
    .take(MOST)
}

#[cfg(target_os = "linux")]
fn look_up(pid: Pid) -> Option<Process> {
    use std::fs;

    let folder = PathBuf::from(format!("/proc/{}", pid.as_raw_nonzero()));
    let status = fs::read_to_string(folder.join("status")).ok()?;
    let parent = status.lines().find_map(|line| line.strip_prefix("PPid:"))?.trim();
    let arguments = fs::read(folder.join("cmdline")).unwrap_or_default();
    let arguments: Vec<String> = arguments
        .split(|byte| *byte == 0)
        .filter(|argument| !argument.is_empty())
        .map(|argument| String::from_utf8_lossy(argument).into_owned())
        .collect();
    // Unreadable for another user's process, which is not the shell looked for.
    let file = fs::read_link(folder.join("exe")).unwrap_or_default();
    Some(Process {
        program: program(&file, arguments.first().map(String::as_str)),
        arguments,
        parent: Pid::from_raw(parent.parse().ok()?),
    })
}

/// The program that a process is, from its file and the name it was called by.
#[cfg(target_os = "linux")]
fn program(file: &Path, called: Option<&str>) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;

    // So the kernel calls a file that was replaced, as by an upgrade.
    let bytes = file.as_os_str().as_bytes();
    let file = Path::new(OsStr::from_bytes(bytes.strip_suffix(b" (deleted)").unwrap_or(bytes)));
    match called {
        // One file for many programs.
        Some(called) if family(file) == Some("busybox") => {
            file.with_file_name(Path::new(called).file_name().unwrap_or_default())
        }
        _ => file.to_owned(),
    }
}

#[cfg(not(target_os = "linux"))]
fn look_up(pid: Pid) -> Option<Process> {
    listed(pid, "/bin/ps")
}

/// A process as `ps` lists it: its parent, and the words that it was started with.
#[cfg(any(test, not(target_os = "linux")))]
fn listed(pid: Pid, ps: &str) -> Option<Process> {
    let output = std::process::Command::new(ps)
        .args(["-ww", "-o", "ppid=,command=", "-p", &pid.as_raw_nonzero().to_string()])
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let mut words = text.split_ascii_whitespace();
    let parent = Pid::from_raw(words.next()?.parse().ok()?);
    let arguments: Vec<String> = words.map(str::to_owned).collect();
    let called = PathBuf::from(arguments.first()?);
    // A login shell is called `-zsh`, without a directory.
    let named = family(&called).map(|name| Path::new("/bin").join(name));
    let program = if called.is_absolute() { called } else { named.unwrap_or(called) };
    Some(Process { program, arguments, parent })
}

/// Whether a shell with these arguments is interactive: no script, no `-c`.
fn is_interactive(arguments: &[String]) -> bool {
    let rest = arguments.get(1..).unwrap_or_default();
    if rest.iter().any(|argument| argument == "-i") {
        return true;
    }
    let runs_code = |a: &String| a == "--command" || !a.starts_with("--") && a.contains('c');
    rest.iter().all(|a| a.starts_with('-') && !runs_code(a))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_or_dash_c_is_no_shell_to_go_back_to() {
        let interactive = |line: &str| {
            let arguments: Vec<String> = line.split(' ').map(str::to_owned).collect();
            is_interactive(&arguments)
        };
        for line in ["-zsh", "bash", "bash --login", "bash --rcfile x -i", "zsh -l", "fish -i -C x"]
        {
            assert!(interactive(line), "{line}");
        }
        for line in ["bash script.sh", "sh -c sekisho", "bash -ec x", "fish --command x"] {
            assert!(!interactive(line), "{line}");
        }
    }

    #[test]
    fn a_shell_has_its_own_language_and_others_have_posix() {
        for (shell, expected) in [
            ("/bin/sh", Syntax::Bash),
            ("/usr/bin/dash", Syntax::Bash),
            ("/bin/zsh-5.9", Syntax::Zsh),
            ("-fish", Syntax::Fish),
            ("/opt/nu", Syntax::Nu),
            ("/opt/microsoft/powershell/7/pwsh", Syntax::PowerShell),
            ("/bin/tcsh", Syntax::Bash),
        ] {
            assert_eq!(language(Path::new(shell)), expected, "{shell}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_program_is_known_though_its_file_was_replaced_or_is_many() {
        for (file, called, expected) in [
            ("/usr/bin/fish", "fish", "/usr/bin/fish"),
            ("/usr/bin/fish (deleted)", "fish", "/usr/bin/fish"),
            ("/bin/busybox", "/bin/ash", "/bin/ash"),
            ("/bin/busybox", "-sh", "/bin/-sh"),
            ("/usr/bin/python3.11", "zsh", "/usr/bin/python3.11"),
        ] {
            assert_eq!(program(Path::new(file), Some(called)), Path::new(expected));
        }
    }

    #[test]
    fn one_call_of_ps_tells_a_process() {
        use std::io::Write;
        use std::os::unix::process::CommandExt;
        use std::process::{Command, Stdio};
        for (called, program) in [("-bash", "/bin/bash"), ("/opt/bin/zsh", "/opt/bin/zsh")] {
            let mut shell = Command::new("sh");
            shell.arg0(called).stdin(Stdio::piped());
            let mut child = shell.spawn().unwrap();
            let pid = Pid::from_child(&child);
            let process = listed(pid, "ps").unwrap();
            child.stdin.take().unwrap().write_all(b"exit\n").unwrap();
            child.wait().unwrap();
            assert_eq!(process.program, Path::new(program));
            assert_eq!(process.arguments, [called]);
            assert_eq!(process.parent, Pid::from_raw(std::process::id().try_into().unwrap()));
        }
    }

    #[test]
    fn the_shell_asked_for_must_be_there() {
        let path = [("PATH".into(), "/nonexistent".into())].into_iter().collect();
        let fault = Shell::choose(Some("zsh"), &path).unwrap_err();
        assert_eq!(fault.exit, Exit::NotFound);
        let fault = Shell::choose(Some("/etc/passwd"), &path).unwrap_err();
        assert_eq!(fault.exit, Exit::CannotRun);
    }

    #[test]
    fn nologin_is_no_shell() {
        assert!(is_shell(Path::new("/bin/sh")));
        for program in ["/usr/sbin/nologin", "/bin/false", "sh", "", "/nonexistent/zsh"] {
            assert!(!is_shell(Path::new(program)), "{program}");
        }
    }
}
