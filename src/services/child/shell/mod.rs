//! The subshell: which shell, how it starts, and the hook in it. The snippets in `assets/shell` are constants that read
//! variables: no value is ever inserted into code.

mod choice;

use std::ffi::OsString;
use std::fs::{self, DirBuilder};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::environment::{self, Environment, Inherited};
use super::process::run_block;
use crate::domain::config::{PromptCompat, RenewPref, ShellPrefs};
use crate::domain::fault::{Exit, Fault};
use crate::domain::ids::Malformed;
use crate::domain::text::sanitize;

use choice::family;
pub use choice::{Shell, surrounding, surrounding_language};

const RC_BASH: &str = include_str!("../../../../assets/shell/rc.bash");
const HOOK_BASH: &str = include_str!("../../../../assets/shell/hook.bash");
const ENV_ZSH: &str = include_str!("../../../../assets/shell/zshenv.zsh");
const RC_ZSH: &str = include_str!("../../../../assets/shell/rc.zsh");
const HOOK_ZSH: &str = include_str!("../../../../assets/shell/hook.zsh");
const OUTSIDE_ZSH: &str = include_str!("../../../../assets/shell/hook-outside.zsh");
const RC_FISH: &str = include_str!("../../../../assets/shell/rc.fish");
const HOOK_FISH: &str = include_str!("../../../../assets/shell/hook.fish");

/// fish reads it when the first completion is asked for.
const COMPLETIONS_FISH: &str = "command $__sekisho_bin completions fish | source\n";

/// The prefix of the second copies of variables; the start-up snippets read and remove them.
const COPY: &str = "__SEKISHO_SET_";

/// A shell that sekisho has a hook for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hookable {
    /// bash, 3.2 and later; tested with 5.2.
    Bash,
    /// zsh; tested with 5.9.
    Zsh,
    /// fish, 3.4 and later; tested with 3.6.
    Fish,
}

impl Hookable {
    /// All of them, in the order that help lists them.
    pub const ALL: [Self; 3] = [Self::Bash, Self::Zsh, Self::Fish];

    /// The name in `hook SHELL`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bash => "bash",
            Self::Zsh => "zsh",
            Self::Fish => "fish",
        }
    }

    /// The shell that a program is, by its name: `zsh`, `/bin/zsh-5.9`, `-bash`.
    fn of(program: &Path) -> Option<Self> {
        let name = family(program)?;
        Self::ALL.into_iter().find(|shell| shell.name() == name)
    }
}

/// The name of the command that a hook defines: a plain word, since it is inserted into code.
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
        let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
        if plain && text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
            Ok(Self(text.into()))
        } else {
            Err(Malformed("a command name may contain letters, digits, _ and -".into()))
        }
    }
}

/// Where a hook's text takes its settings.
const SETTINGS: &str = "__SETTINGS__\n";

/// What `sekisho hook SHELL` prints.
///
/// It defines a function that runs `sekisho switch --hook values [ARGUMENT…]` and `sekisho refresh --hook values
/// [--quiet]`, and does what their output says if they succeed. A word that is none of `verbs` is a target's name: it
/// stands in `switch`'s place.
pub fn hook(shell: Hookable, name: &CommandName, prefs: &ShellPrefs, verbs: &[String]) -> String {
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
    let watched: Vec<&str> = environment::watched().collect();
    let watched = match shell {
        Hookable::Bash => format!("('{}')", watched.join("' '")),
        Hookable::Zsh => format!("'({})'", watched.join("|")),
        Hookable::Fish => format!("'^(?:{})$'", watched.join("|").replace('*', ".*")),
    };
    let verbs = match shell {
        Hookable::Bash | Hookable::Zsh => format!("({})", verbs.join(" ")),
        Hookable::Fish => verbs.join(" "),
    };
    let settings = [
        ("name", name.0.as_str()),
        ("prompt_mark", mark),
        ("prompt_compat", compat),
        ("renewal", renewal),
        ("watched", &watched),
        ("verbs", &verbs),
    ]
    .map(|(setting, value)| match shell {
        Hookable::Bash => format!("__sekisho_{setting}={value}\n"),
        Hookable::Zsh => format!("typeset -g __sekisho_{setting}={value}\n"),
        Hookable::Fish => format!("set -g __sekisho_{setting} {value}\n"),
    })
    .concat();
    match shell {
        Hookable::Bash => HOOK_BASH.replace(SETTINGS, &settings),
        // The functions keep the options that they are defined under.
        Hookable::Zsh => format!(
            "\\builtin \\emulate zsh -o no_aliases -o no_xtrace -o no_verbose -c '{}'\n{OUTSIDE_ZSH}",
            HOOK_ZSH.replace(SETTINGS, &settings).replace('\'', r"'\''")
        ),
        Hookable::Fish => HOOK_FISH.replace(SETTINGS, &settings),
    }
}

/// A subshell to run.
pub struct Subshell<'a> {
    /// The shell to run.
    pub shell: &'a Shell,
    /// The absolute path of sekisho itself, which the shell's functions call.
    pub sekisho: &'a Path,
    /// sekisho's directory for the start-up files, mode 0700; they contain no secret.
    pub runtime_dir: &'a Path,
    /// The prompt's mark, renewal, other tools' prompt variables.
    pub prefs: &'a ShellPrefs,
    /// sekisho's verbs.
    pub verbs: &'a [String],
}

impl Subshell<'_> {
    /// Runs the shell to its end, in the foreground of this terminal, and returns its exit status.
    ///
    /// It is interactive and reads the user's own start-up files first; then the environment is set again, since these
    /// may have changed it. Otherwise as [`super::process::run`].
    pub async fn run(
        &self,
        environment: Environment,
        inherited: &Inherited,
    ) -> Result<Exit, Fault> {
        self.start(environment, inherited).await.map_err(|error| {
            let shell = sanitize(&self.shell.program.to_string_lossy());
            Fault::new(Exit::CannotRun, format!("{shell} could not be started"))
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

    /// Writes the start-up files, unless they exist. Returns the file to read, for zsh its directory.
    fn write(&self, shell: Hookable) -> io::Result<PathBuf> {
        let hook = hook(shell, &CommandName::default(), self.prefs, self.verbs);
        let files = match shell {
            Hookable::Bash => vec![("bashrc", format!("{RC_BASH}{hook}"))],
            Hookable::Zsh => {
                vec![(".zshenv", ENV_ZSH.to_owned()), (".zshrc", format!("{RC_ZSH}{hook}"))]
            }
            Hookable::Fish => vec![
                ("init.fish", format!("{RC_FISH}{hook}")),
                ("completions/sekisho.fish", COMPLETIONS_FISH.to_owned()),
            ],
        };
        let mut hash = Sha256::new();
        for (_, text) in &files {
            hash.update(text);
        }
        let name = format!("{}-{}", shell.name(), hex::encode(&hash.finalize()[..8]));
        let folder = self.runtime_dir.join(name);
        for (name, text) in &files {
            let path = folder.join(name);
            let beside = path.parent().unwrap_or(&folder);
            DirBuilder::new().mode(0o700).recursive(true).create(beside)?;
            if fs::read(&path).is_ok_and(|there| there == text.as_bytes()) {
                continue;
            }
            // Under a temporary name first: another process may be reading it. Mode 0600.
            let mut file = tempfile::NamedTempFile::new_in(beside)?;
            file.write_all(text.as_bytes())?;
            file.persist(&path)?;
        }
        Ok(match (shell, &files[..]) {
            (Hookable::Zsh, _) | (_, []) => folder,
            (_, [(name, _), ..]) => folder.join(name),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_is_known_by_its_name() {
        for (program, shell) in [
            ("/bin/bash", Some(Hookable::Bash)),
            ("-zsh", Some(Hookable::Zsh)),
            ("/usr/bin/zsh-5.9", Some(Hookable::Zsh)),
            ("/usr/bin/fish", Some(Hookable::Fish)),
            ("/bin/sh", None),
            ("/bin/rbash", None),
            ("/opt/bash-wrapper", None),
        ] {
            assert_eq!(Hookable::of(Path::new(program)), shell, "{program}");
        }
    }

    #[test]
    fn a_command_name_is_a_plain_word() {
        for name in ["sekisho", "sk", "_s-2"] {
            assert!(name.parse::<CommandName>().is_ok(), "{name}");
        }
        for name in ["", "a b", "a;id", "$(id)", "-x", "1a", "関所"] {
            assert!(name.parse::<CommandName>().is_err(), "{name}");
        }
    }
}
