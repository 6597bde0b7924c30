//! Which shell to start.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, getppid};

use super::Hookable;
use crate::domain::fault::{Exit, Fault};
use crate::domain::text::sanitize;
use crate::services::child::environment::Inherited;
use crate::services::child::process::{find, is_executable};

/// Shells that sekisho may have been started from.
const SHELLS: [&str; 14] = [
    "bash", "zsh", "fish", "sh", "dash", "ash", "ksh", "mksh", "nu", "pwsh", "elvish", "xonsh",
    "tcsh", "csh",
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
    let mut pid = getppid()?;
    for _ in 0..8 {
        let process = look_up(pid)?;
        let known = family(&process.program).is_some_and(|name| SHELLS.contains(&name));
        if known && is_interactive(&process.arguments) && is_executable(&process.program) {
            return Some(process.program);
        }
        pid = process.parent?;
    }
    None
}

struct Process {
    program: PathBuf,
    arguments: Vec<String>,
    parent: Option<Pid>,
}

#[cfg(target_os = "linux")]
fn look_up(pid: Pid) -> Option<Process> {
    use std::fs;

    let folder = PathBuf::from(format!("/proc/{}", pid.as_raw_nonzero()));
    let status = fs::read_to_string(folder.join("status")).ok()?;
    let parent = status.lines().find_map(|line| line.strip_prefix("PPid:"))?.trim();
    let arguments = fs::read(folder.join("cmdline")).unwrap_or_default();
    Some(Process {
        // Unreadable for another user's process, which is not the shell looked for.
        program: fs::read_link(folder.join("exe")).unwrap_or_default(),
        arguments: arguments
            .split(|byte| *byte == 0)
            .filter(|argument| !argument.is_empty())
            .map(|argument| String::from_utf8_lossy(argument).into_owned())
            .collect(),
        parent: Pid::from_raw(parent.parse().ok()?),
    })
}

#[cfg(not(target_os = "linux"))]
fn look_up(pid: Pid) -> Option<Process> {
    let column = |name: &str| {
        let output = std::process::Command::new("/bin/ps")
            .args(["-o", name, "-p", &pid.as_raw_nonzero().to_string()])
            .output()
            .ok()?;
        let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        (!text.is_empty()).then_some(text)
    };
    let program = PathBuf::from(column("comm=")?);
    // A login shell's name is `-zsh`, without a directory.
    let named = family(&program).map(|name| Path::new("/bin").join(name));
    Some(Process {
        program: if program.is_absolute() { program } else { named? },
        arguments: column("command=")?.split(' ').map(str::to_owned).collect(),
        parent: Pid::from_raw(column("ppid=")?.parse().ok()?),
    })
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
