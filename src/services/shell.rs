//! The subshell: which shell, how it starts, what it is told. The snippets in `assets/shell` are
//! constants that read variables: no value is ever written into code.

use std::ffi::{OsStr, OsString};
use std::fs::{self, DirBuilder};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::environment::{Environment, IDENTITY, Inherited};
use super::process::{find, is_executable, run_block};
use crate::domain::config::{PromptCompat, RenewPref, ShellPrefs};
use crate::domain::fault::{Exit, Fault};
use crate::domain::ids::Malformed;
use crate::domain::text::sanitize;

const RC_BASH: &str = include_str!("../../assets/shell/rc.bash");
const HOOK_BASH: &str = include_str!("../../assets/shell/hook.bash");
const ENV_ZSH: &str = include_str!("../../assets/shell/zshenv.zsh");
const RC_ZSH: &str = include_str!("../../assets/shell/rc.zsh");
const HOOK_ZSH: &str = include_str!("../../assets/shell/hook.zsh");
const RC_FISH: &str = include_str!("../../assets/shell/rc.fish");
const HOOK_FISH: &str = include_str!("../../assets/shell/hook.fish");

/// How the second copies of what is set are called; the snippets take them away at once.
const COPY: &str = "__SEKISHO_SET_";

/// A shell that sekisho can teach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hookable {
    /// bash, 3.2 and later.
    Bash,
    /// zsh
    Zsh,
    /// fish, 3.2 and later.
    Fish,
}

impl Hookable {
    /// Every one, in the order help lists them.
    pub const ALL: [Self; 3] = [Self::Bash, Self::Zsh, Self::Fish];

    /// The name in `hook SHELL`, and what the snippets say with `--hook`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bash => "bash",
            Self::Zsh => "zsh",
            Self::Fish => "fish",
        }
    }

    /// The shell a program is, by its name: `zsh`, `/bin/zsh-5.9`, `-bash`.
    fn of(program: &Path) -> Option<Self> {
        let name = family(program)?;
        Self::ALL.into_iter().find(|shell| shell.name() == name)
    }
}

/// Shells that a person may be sitting in.
const SHELLS: [&str; 14] = [
    "bash", "zsh", "fish", "sh", "dash", "ash", "ksh", "mksh", "nu", "pwsh", "elvish", "xonsh",
    "tcsh", "csh",
];

/// A program's name without a login shell's dash and a version.
fn family(program: &Path) -> Option<&str> {
    let name = program.file_name()?.to_str()?;
    let name = name.strip_prefix('-').unwrap_or(name);
    Some(name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.' || c == '-'))
}

/// The command that a hook defines: a plain word, since it becomes code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandName(String);

impl Default for CommandName {
    fn default() -> Self {
        Self("sekisho".into())
    }
}

impl std::str::FromStr for CommandName {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        let plain = text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
        if plain && text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
            Ok(Self(text.into()))
        } else {
            Err(Malformed("a command is letters, digits, _ and -".into()))
        }
    }
}

/// What `sekisho hook SHELL` prints.
///
/// It defines a function that runs `sekisho switch --hook SHELL [ARGUMENT…]` and
/// `sekisho refresh --hook SHELL [--quiet]` and evaluates what they print, if they succeed.
pub fn hook(shell: Hookable, name: &CommandName, prefs: &ShellPrefs) -> String {
    let mark = if prefs.mark_prompt { "on" } else { "off" };
    let compat = match prefs.prompt_compat {
        PromptCompat::Auto => "auto",
        PromptCompat::None => "none",
        PromptCompat::AwsVault => "aws-vault",
    };
    let renewal = match prefs.renew {
        RenewPref::Prompt => "prompt",
        RenewPref::Serve | RenewPref::Off => "off",
    };
    let name = &name.0;
    let settings = [
        ("__sekisho_name", name.as_str()),
        ("__sekisho_prompt_mark", mark),
        ("__sekisho_prompt_compat", compat),
        ("__sekisho_renewal", renewal),
    ]
    .map(|(variable, word)| match shell {
        Hookable::Bash => format!("{variable}={word}\n"),
        Hookable::Zsh => format!("typeset -g {variable}={word}\n"),
        Hookable::Fish => format!("set -g {variable} {word}\n"),
    })
    .concat();
    match shell {
        Hookable::Bash => format!(
            "{settings}{HOOK_BASH}{name}() {{ __sekisho \"$@\"; }}\n\
             eval \"$__sekisho_aliases\"\nunset __sekisho_aliases\n"
        ),
        // Not `{name}() …`: an alias of that name would be expanded.
        Hookable::Zsh => format!("{settings}{HOOK_ZSH}functions[{name}]='__sekisho \"$@\"'\n"),
        Hookable::Fish => {
            format!("{settings}{HOOK_FISH}function {name}\n    __sekisho $argv\nend\n")
        }
    }
}

/// A shell to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shell {
    program: PathBuf,
    hookable: Option<Hookable>,
}

impl Shell {
    /// Chooses: the one asked for (`--shell`, else config), the shell sekisho was started from,
    /// `$SHELL`, `/bin/sh`. Faults only where the one asked for cannot be run.
    pub fn choose(asked: Option<&str>, inherited: &Inherited) -> Result<Self, Fault> {
        if let Some(name) = asked {
            let program = find(OsStr::new(name), inherited.get("PATH"))?;
            if !is_executable(&program) {
                let name = sanitize(name);
                return Err(
                    Fault::new(Exit::CannotRun, format!("{name} cannot be run."))
                        .because("It is not an executable file."),
                );
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

    /// Whether switching, renewal and the prompt's mark work inside it.
    pub fn hookable(&self) -> Option<Hookable> {
        self.hookable
    }

    /// Its name as people say it.
    pub fn name(&self) -> String {
        let name = self.program.file_name().unwrap_or_default();
        sanitize(&name.to_string_lossy())
    }
}

/// Whether `$SHELL` is one: service accounts have `nologin` or `false` there.
fn is_shell(program: &Path) -> bool {
    let refuses = matches!(family(program), Some("nologin" | "false" | "true"));
    program.is_absolute() && is_executable(program) && !refuses
}

/// The nearest interactive shell among this process's ancestors; `cargo run` or `make` may stand between.
fn ancestor() -> Option<PathBuf> {
    let mut pid = rustix::process::getppid()?;
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
    parent: Option<rustix::process::Pid>,
}

#[cfg(target_os = "linux")]
fn look_up(pid: rustix::process::Pid) -> Option<Process> {
    let folder = PathBuf::from(format!("/proc/{}", pid.as_raw_nonzero()));
    let status = fs::read_to_string(folder.join("status")).ok()?;
    let parent = status
        .lines()
        .find_map(|line| line.strip_prefix("PPid:"))?
        .trim();
    let arguments = fs::read(folder.join("cmdline")).unwrap_or_default();
    Some(Process {
        // Another user's is unreadable: no shell of ours.
        program: fs::read_link(folder.join("exe")).unwrap_or_default(),
        arguments: arguments
            .split(|byte| *byte == 0)
            .filter(|argument| !argument.is_empty())
            .map(|argument| String::from_utf8_lossy(argument).into_owned())
            .collect(),
        parent: rustix::process::Pid::from_raw(parent.parse().ok()?),
    })
}

#[cfg(not(target_os = "linux"))]
fn look_up(pid: rustix::process::Pid) -> Option<Process> {
    let column = |name: &str| {
        let output = std::process::Command::new("/bin/ps")
            .args(["-o", name, "-p", &pid.as_raw_nonzero().to_string()])
            .output()
            .ok()?;
        let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        (!text.is_empty()).then_some(text)
    };
    let program = PathBuf::from(column("comm=")?);
    // A login shell calls itself `-zsh`, without a folder.
    let named = family(&program).map(|name| Path::new("/bin").join(name));
    Some(Process {
        program: if program.is_absolute() {
            program
        } else {
            named?
        },
        arguments: column("command=")?.split(' ').map(str::to_owned).collect(),
        parent: rustix::process::Pid::from_raw(column("ppid=")?.parse().ok()?),
    })
}

/// Whether a shell's arguments leave a person at its prompt: no script, no `-c`.
fn is_interactive(arguments: &[String]) -> bool {
    let rest = arguments.get(1..).unwrap_or_default();
    if rest.iter().any(|argument| argument == "-i") {
        return true;
    }
    let runs_code = |a: &String| a == "--command" || !a.starts_with("--") && a.contains('c');
    rest.iter().all(|a| a.starts_with('-') && !runs_code(a))
}

/// A subshell to run.
pub struct Subshell<'a> {
    /// The shell.
    pub shell: &'a Shell,
    /// sekisho's own program, absolute: what the shell's functions call.
    pub sekisho: &'a Path,
    /// Our own folder, mode 0700, where the start-up files are written; they hold no secret.
    pub runtime_dir: &'a Path,
    /// Mark, renewal, other tools' variables.
    pub prefs: &'a ShellPrefs,
}

impl Subshell<'_> {
    /// Runs the shell to its end, in the foreground of this terminal, and says how it ended.
    ///
    /// Interactive, the person's own start-up files first; then what is set and removed holds again.
    /// The rest is as in [`super::process::run`].
    pub async fn run(
        &self,
        environment: Environment,
        inherited: &Inherited,
    ) -> Result<Exit, Fault> {
        self.start(environment, inherited).await.map_err(|error| {
            let shell = sanitize(&self.shell.program.to_string_lossy());
            Fault::new(Exit::CannotRun, format!("{shell} could not be started."))
                .because(sanitize(&error.to_string()))
                .fix("sekisho shell TARGET --shell /bin/sh")
        })
    }

    async fn start(&self, environment: Environment, inherited: &Inherited) -> io::Result<Exit> {
        let mut block = environment.block(inherited)?;
        let mut argv = vec![self.shell.program.clone().into_os_string()];
        if let Some(shell) = self.shell.hookable {
            block.set("__SEKISHO_BIN", self.sekisho.as_os_str())?;
            let rc = self.write(shell)?;
            match shell {
                Hookable::Bash => argv.extend(["--rcfile".into(), rc.into(), "-i".into()]),
                Hookable::Zsh => {
                    if let Some(own) = inherited.get("ZDOTDIR") {
                        block.set("__SEKISHO_ZDOTDIR", own)?;
                    }
                    block.set("ZDOTDIR", rc.as_os_str())?;
                    argv.push("-i".into());
                }
                Hookable::Fish => {
                    block.set("__SEKISHO_RC", rc.as_os_str())?;
                    argv.extend(["-i", "-C", "source $__SEKISHO_RC"].map(OsString::from));
                }
            }
            environment.add_copies(COPY, &mut block)?;
        }
        drop(environment);
        run_block(&self.shell.program, &argv, block).await
    }

    /// Writes the start-up files, unless they are there, and says where: a file, for zsh a folder.
    fn write(&self, shell: Hookable) -> io::Result<PathBuf> {
        let hook = hook(shell, &CommandName::default(), self.prefs);
        let quoted = IDENTITY.map(|pattern| format!("'{pattern}'")).join(" ");
        let files = match shell {
            Hookable::Bash => vec![(
                "bashrc",
                format!("__sekisho_identity=({quoted})\n{RC_BASH}{hook}"),
            )],
            Hookable::Zsh => vec![
                (".zshenv", ENV_ZSH.to_owned()),
                (
                    ".zshrc",
                    format!("typeset -ga __sekisho_identity=({quoted})\n{RC_ZSH}{hook}"),
                ),
            ],
            Hookable::Fish => vec![(
                "init.fish",
                format!("set -g __sekisho_identity {quoted}\n{RC_FISH}{hook}"),
            )],
        };
        let mut hash = Sha256::new();
        for (_, text) in &files {
            hash.update(text);
        }
        let hash: String = hash.finalize()[..8]
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect();
        let folder = self.runtime_dir.join(format!("{}-{hash}", shell.name()));
        match DirBuilder::new().mode(0o700).create(&folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        for (name, text) in &files {
            let path = folder.join(name);
            if fs::read(&path).is_ok_and(|there| there == text.as_bytes()) {
                continue;
            }
            // Under a temporary name first: another sekisho may be reading it. Mode 0600.
            let mut file = tempfile::NamedTempFile::new_in(&folder)?;
            file.write_all(text.as_bytes())?;
            file.persist(&path)?;
        }
        Ok(match (shell, &files[..]) {
            (Hookable::Zsh, _) | (_, []) => folder,
            (_, [(name, _), ..]) => folder.join(name),
        })
    }
}
