//! Prompts as people have them: marked once, status kept, nothing in a name run.

use sekisho::domain::config::PromptCompat;

use super::driver::Task;
use super::subshell::{SHELLS, home, start};
use crate::support::{program, until};

/// Rc files that make prompts in their own ways: the shell, the text, what else stands in the prompt.
const PROMPTS: [(&str, &str, &str); 22] = [
    ("bash", "PS1='mine> '\n", "mine> "),
    ("bash", "PS1='a> '; PROMPT_COMMAND='PS1=\"own> \"; '\n", "own> "),
    ("bash", "PROMPT_COMMAND=('PS1=\"arr> \"' ':')\n", "arr> "),
    ("bash", "export PROMPT_COMMAND='true;'; PS1='exp> '; set -u\n", "exp> "),
    ("bash", "IFS=$'\\n'; PS1='ifs> '; alias local=false export=false shift=false\n", "ifs> "),
    ("zsh", "PROMPT='mine> '\n", "mine> "),
    ("zsh", "precmd() { PROMPT='pre> ' }\n", "pre> "),
    ("zsh", "f() { PROMPT='late> '; psvar=(x) }; precmd_functions=(f)\n", "late> "),
    ("zsh", "setopt prompt_subst ksh_arrays sh_word_split no_unset; PROMPT='odd> '\n", "odd> "),
    ("zsh", "alias -g local=false y=z T='|'; alias typeset=false; PROMPT='ali> '\n", "ali> "),
    ("bash", "set -o posix; PS1='psx> '\n", "psx> "),
    ("bash", "alias command=false builtin=false set=false unset=false; PS1='als> '\n", "als> "),
    ("zsh", "alias command=false builtin=false emulate=false; PROMPT='als> '\n", "als> "),
    ("zsh", "emulate sh; PS1='sh> '\n", "sh> "),
    ("zsh", "emulate ksh; PS1='ksh> '\n", "ksh> "),
    ("zsh", "setopt prompt_bang; PS1='bang> '\n", "bang> "),
    (
        "fish",
        "alias printf=false; alias contains=false; function fish_prompt; echo 'ali> '; end\n",
        "ali> ",
    ),
    ("fish", "function fish_prompt; echo 'mine> '; end\n", "mine> "),
    ("fish", "function fish_prompt; echo \"st$status> \"; end\n", "st0> "),
    ("fish", "fish_vi_key_bindings\n", "root"),
    ("zsh", "alias sekisho='sekisho -v' ls='ls -x'; PROMPT='own> '\n", "own> "),
    ("bash", "alias sekisho='sekisho -v' ls='ls -x'; PS1='own> '\n", "own> "),
];

#[test]
fn every_prompt_is_marked_once() {
    for (shell, text, own) in PROMPTS {
        let Some(program) = program(shell) else {
            continue;
        };
        let (_, rc) = SHELLS.iter().find(|(name, _)| *name == shell).unwrap();
        let home = home(rc, text);
        let mut pty = start(&Task::new(&program, home.path()), home.path());
        for round in 1..=3 {
            pty.line(&format!("echo round''-{round}"));
            pty.wait_until(&format!("a prompt after {round} in {shell} with {text}"), |s| {
                let after = s.split(&format!("\nround-{round}")).nth(1).unwrap_or("");
                after.contains("[dev-tanaka/Developer] ") && after.contains(own.trim_end())
            });
        }
        let screen = pty.screen();
        assert!(!screen.contains("Developer] [dev"), "{shell} {text}: {screen}");
        assert!(!screen.contains("not found"), "{shell} {text}: {screen}");
        assert!(!screen.contains("unbound"), "{shell} {text}: {screen}");
        assert!(!screen.contains("parameter not set"), "{shell} {text}: {screen}");
    }
}

#[test]
fn a_name_is_shown_and_never_run() {
    for (shell, rc) in SHELLS {
        let Some(program) = program(shell) else {
            continue;
        };
        let home = home(rc, "");
        let mut task = Task::new(&program, home.path());
        task.account = r"$(touch x)`touch y`%n\u 開発".into();
        let mut pty = start(&task, home.path());
        pty.line("ls; echo FI''N");
        let screen = pty.wait_for("FIN");
        assert!(!home.path().join("x").exists(), "{shell}: {screen}");
        assert!(!home.path().join("y").exists(), "{shell}: {screen}");
    }
}

#[test]
fn the_status_of_the_last_command_is_kept() {
    for (shell, rc) in SHELLS {
        let Some(program) = program(shell) else {
            continue;
        };
        let own = match shell {
            "bash" => "PS1='<$?> '\n",
            "zsh" => "PROMPT='<%?> '\n",
            _ => "function fish_prompt; echo \"<$status> \"; end\n",
        };
        let home = home(rc, own);
        let mut pty = start(&Task::new(&program, home.path()), home.path());
        pty.line("sh -c 'exit 42'");
        pty.wait_for("[dev-tanaka/Developer] <42>");
        pty.line("sh -c 'exit 43'");
        pty.wait_for("<43>");
        match shell {
            "fish" => pty.line("echo S$status"),
            _ => pty.line("echo S$?"),
        }
        pty.wait_for("S43");
    }
}

#[test]
fn prompts_that_know_aws_vault_get_it_and_no_mark() {
    // What starship's own init scripts define, shortened.
    let starships = [
        "starship_precmd() { PS1=\"star($AWS_VAULT)> \"; }; PROMPT_COMMAND=starship_precmd\n",
        "prompt_starship_precmd() { : }; precmd_functions+=(prompt_starship_precmd)\n\
         setopt prompt_subst; PROMPT='star($AWS_VAULT)> '\n",
        "function starship; echo -n \"star($AWS_VAULT)> \"; end\n\
         function fish_prompt; starship prompt; end\n",
    ];
    for ((shell, rc), text) in SHELLS.into_iter().zip(starships) {
        let Some(program) = program(shell) else {
            continue;
        };
        let home = home(rc, text);
        let mut task = Task::new(&program, home.path());
        let pty = super::terminal::Pty::spawn(task.command(home.path()));
        let screen = pty.wait_for("star(dev-tanaka/Developer)> ");
        assert!(!screen.contains('['), "{shell}: {screen}");
        // Where the person wants none, the mark is ours again.
        task.compat = PromptCompat::None;
        let mut pty = start(&task, home.path());
        pty.line("env | grep -c ^AWS_VAULT; echo FI''N");
        let screen = pty.wait_for("FIN");
        assert!(screen.lines().any(|line| line.trim() == "0"), "{shell}: {screen}");
    }
}

#[test]
fn zsh_finds_its_files_where_zdotdir_says() {
    let Some(zsh) = program("zsh") else { return };
    // Set in the environment, or by ~/.zshenv; history stays the person's.
    for by_env in [true, false] {
        let home = home("dots/.zshrc", "MINE=yes; HISTFILE=$ZDOTDIR/history\n");
        let dots = home.path().join("dots");
        let task = Task::new(&zsh, home.path());
        let mut command = task.command(home.path());
        if by_env {
            command.env("ZDOTDIR", &dots);
        } else {
            std::fs::write(home.path().join(".zshenv"), "ZDOTDIR=~/dots\n").unwrap();
        }
        let mut pty = super::terminal::Pty::spawn(command);
        pty.wait_for("[dev-tanaka/Developer]");
        pty.line("echo \"<$MINE><$ZDOTDIR>\"; env | grep -c SEKISHO_Z");
        let screen = pty.wait_for(&format!("<yes><{}>", dots.to_str().unwrap()));
        assert!(!screen.contains("no such file"), "{screen}");
        pty.wait_until("a count", |screen| screen.lines().any(|line| line.trim() == "0"));
    }
}

#[test]
fn a_nested_shell_runs_nothing_of_ours() {
    let Some(bash) = program("bash") else { return };
    let home =
        home(".bashrc", "export PROMPT_COMMAND='true;'\n[[ ! -e nested ]] || PS1='nested> '\n");
    let mut pty = start(&Task::new(&bash, home.path()), home.path());
    pty.line("touch nested; bash");
    pty.wait_for("nested>");
    pty.line("echo FI''N");
    let screen = pty.wait_for("FIN");
    assert!(!screen.contains("not found"), "{screen}");
}

#[test]
fn the_mark_has_the_accounts_colour_and_its_guard() {
    use sekisho::domain::account::Color;
    use sekisho::domain::guard::Guard;
    for (shell, rc) in SHELLS {
        let Some(program) = program(shell) else {
            continue;
        };
        for (color, guard, no_color, mark, number) in [
            (Some(Color::Cyan), Guard::None, false, "[dev-tanaka/Developer]", Some(6)),
            (Some(Color::LightMagenta), Guard::Warn, false, "![dev-tanaka/Developer]", Some(13)),
            (None, Guard::Confirm, false, "![dev-tanaka/Developer]", Some(1)),
            (Some(Color::Red), Guard::Confirm, true, "![dev-tanaka/Developer]", None),
            (None, Guard::None, false, "[dev-tanaka/Developer]", None),
        ] {
            let own = match shell {
                "fish" => "function fish_prompt; echo 'own> '; end\n",
                _ => "PS1='own> '\n",
            };
            let home = home(rc, own);
            let task = Task { color, guard, ..Task::new(&program, home.path()) };
            let mut command = task.command(home.path());
            if no_color {
                command.env("NO_COLOR", "1");
            }
            let pty = super::terminal::Pty::spawn(command);
            pty.wait_for(&format!("{mark} own>"));
            assert_eq!(pty.screen().contains('!'), mark.contains('!'), "{shell}");
            let (color, after) = pty.colors(mark);
            let expected = number.map_or(vt100::Color::Default, vt100::Color::Idx);
            assert_eq!(color, expected, "{shell} {mark}");
            assert_eq!(after, vt100::Color::Default, "{shell}: the person's own prompt");
        }
    }
}

#[test]
fn the_title_names_the_target_at_every_prompt() {
    for (shell, rc) in SHELLS {
        let Some(program) = program(shell) else {
            continue;
        };
        // As Debian's bashrc and many a zshrc do.
        let own = match shell {
            "bash" => "PS1='\\[\\e]0;mine\\a\\]own> '\n",
            "zsh" => "precmd() { print -Pn '\\e]2;mine\\a' }; PROMPT='own> '\n",
            _ => "function fish_title; echo mine; end\nfunction fish_prompt; echo 'own> '; end\n",
        };
        let home = home(rc, own);
        let mut pty = start(&Task::new(&program, home.path()), home.path());
        pty.wait_for("own>");
        for round in 1..=2 {
            pty.line(&format!("echo round''-{round}"));
            pty.wait_until("another prompt", |screen| {
                let after = screen.split(&format!("\nround-{round}")).nth(1).unwrap_or("");
                after.contains("own>")
            });
            // Not in `wait_until`, which holds the screen.
            until("the title", || {
                let all = pty.transcript();
                let title = all.rsplit("\u{1b}]").find(|part| part.starts_with(['0', '2']))?;
                title.contains("dev-tanaka/Developer").then_some(())
            });
        }
    }
}
