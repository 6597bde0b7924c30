//! What the hook does in a shell: `switch`, `refresh`, the renewal at the prompt, credentials of others taken back. A
//! script stands in sekisho's place.

use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use sekisho::cli::args::verbs;
use sekisho::domain::config::{PromptCompat, RenewPref, ShellPrefs};
use sekisho::domain::pass::Pass;
use sekisho::services::child::environment::{
    Context, Environment, Form, Inherited, Masking, Syntax,
};
use sekisho::services::child::shell::{CommandName, Hookable, hook};

use super::driver::{FAR, Task, pass};
use super::subshell::{SHELLS, home, start};
use super::terminal::Pty;
use crate::support::{at_home, program, until};

/// Stands for sekisho: notes how it was called, says `answer`, ends with `code`.
struct Stand {
    home: tempfile::TempDir,
    syntax: Syntax,
}

impl Stand {
    fn new(shell: &str, rc: &str, text: &str) -> Self {
        use std::os::unix::fs::PermissionsExt;
        let home = home(rc, text);
        let program = home.path().join("bin/sekisho");
        std::fs::create_dir_all(program.parent().unwrap()).unwrap();
        // fish asks for completions as one types.
        let script = "#!/bin/sh\n[ \"$1\" != completions ] || exit 0\necho \"$*\" >> ~/calls\ncat ~/answer\nexit $(cat ~/code)\n";
        std::fs::write(&program, script).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        let syntax = Syntax::ALL.into_iter().find(|s| s.name() == shell).unwrap();
        let stand = Self { home, syntax };
        stand.answer("true\n", 1);
        stand
    }

    fn path(&self) -> &Path {
        self.home.path()
    }

    fn program(&self) -> PathBuf {
        self.path().join("bin/sekisho")
    }

    fn answer(&self, text: &str, code: u8) {
        std::fs::write(self.path().join("answer"), text).unwrap();
        std::fs::write(self.path().join("code"), code.to_string()).unwrap();
    }

    /// Answers with a pass into another account, as `switch` prints it.
    fn grant(&self, account: &str, expires: &str) {
        let environment = environment(pass(account, expires));
        self.answer(environment.render(Form::Records, Masking::Shown).expose(), 0);
    }

    /// Writes what `env` prints in this shell's language.
    fn env(&self, file: &str, environment: &Environment) {
        let text = environment.render(Form::Export(self.syntax), Masking::Shown);
        std::fs::write(self.path().join(file), text.expose()).unwrap();
    }

    fn calls(&self) -> Vec<String> {
        let calls = std::fs::read_to_string(self.path().join("calls")).unwrap_or_default();
        calls.lines().map(str::to_owned).collect()
    }

    fn task(&self, shell: &Path) -> Task {
        Task { sekisho: self.program(), ..Task::new(shell, self.path()) }
    }
}

fn environment(pass: Pass) -> Environment {
    let context = Context { depth: 1, ..Context::default() };
    Environment::of(pass, &context, &Inherited::default())
}

fn each(test: impl Fn(&str, &Path, Stand)) {
    each_with(["", "", ""], test);
}

/// With start-up files for bash, zsh and fish.
fn each_with(files: [&str; 3], test: impl Fn(&str, &Path, Stand)) {
    for ((shell, rc), text) in SHELLS.into_iter().zip(files) {
        if let Some(program) = program(shell) {
            test(shell, &program, Stand::new(shell, rc, text));
        }
    }
}

/// A shell's value of a variable, as a child sees it.
fn child_sees(pty: &mut Pty, stand: &Stand, name: &str) -> Option<String> {
    pty.line("env > seen.tmp; mv seen.tmp seen");
    let seen = until("the environment", || std::fs::read_to_string(stand.path().join("seen")).ok());
    std::fs::remove_file(stand.path().join("seen")).unwrap();
    let start = format!("{name}=");
    seen.lines().find_map(|line| line.strip_prefix(&start)).map(str::to_owned)
}

fn in_minutes(minutes: i64) -> String {
    let at = Timestamp::now() + SignedDuration::from_mins(minutes);
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Draws another prompt and waits for it.
fn another_prompt(pty: &mut Pty, round: usize) {
    pty.line(&format!("echo round''-{round}"));
    pty.wait_until("another prompt", |screen| {
        let after = screen.split(&format!("\nround-{round}")).nth(1);
        after.is_some_and(|after| after.contains("/Developer]"))
    });
}

#[test]
fn the_subshell_switches_in_place() {
    each(|shell, program, stand| {
        let mut pty = start(&stand.task(program), stand.path());
        stand.grant("prod-billing", FAR);
        pty.line("sekisho switch prod-billing --region us-east-1");
        pty.wait_for("[prod-billing/Developer]");
        stand.grant("third", FAR);
        pty.line("sekisho");
        pty.wait_for("[third/Developer]");
        pty.line("sekisho shell other");
        pty.line("sekisho 'team: dev' --region us-east-1");
        pty.line("sekisho ls | cat");
        pty.line("sekisho -");
        pty.line("sekisho refresh");
        pty.line("sekisho list --json | cat");
        pty.line("sekisho switch --help > /dev/null");
        pty.line("env > seen; echo FI''N");
        pty.wait_for("FIN");
        let seen = std::fs::read_to_string(stand.path().join("seen")).unwrap();
        assert!(seen.contains("SEKISHO_TARGET=third/Developer\n"), "{shell}");
        assert!(seen.contains("SEKISHO_DEPTH=1\n"), "{shell}");
        let expected = [
            "switch --hook values prod-billing --region us-east-1",
            "switch --hook values",
            "switch --hook values other",
            "team: dev --hook values --region us-east-1",
            "ls",
            "- --hook values",
            "refresh --hook values",
            "list --json",
            "switch --help",
        ];
        assert_eq!(stand.calls(), expected, "{shell}");
    });
}

#[test]
fn nothing_is_taken_over_when_it_failed_and_nothing_is_ever_run() {
    each(|shell, program, stand| {
        let mut pty = start(&stand.task(program), stand.path());
        stand.answer("\u{1e}SEKISHO_TARGET\u{1f}evil/Role\u{1e}", 3);
        pty.line("sekisho switch x; or true; sekisho refresh");
        pty.line(if shell == "fish" { "echo S$status" } else { "echo S$?" });
        pty.wait_for("S3");
        pty.wait_for("[dev-tanaka/Developer]");
        // Code, in every place that a record has.
        let code = "touch ran\n\u{1e}$(touch ran)\u{1f}x\u{1e}A`touch ran`\u{1e}\
                    VALUE\u{1f}$(touch ran)`touch ran`(touch ran)\u{1e}touch ran\n";
        stand.answer(code, 0);
        pty.line("sekisho switch x");
        let value = child_sees(&mut pty, &stand, "VALUE");
        assert_eq!(value.unwrap(), "$(touch ran)`touch ran`(touch ran)", "{shell}");
        assert!(!stand.path().join("ran").exists(), "{shell}");
    });
}

#[test]
fn secrets_are_not_traced() {
    each(|shell, program, stand| {
        let mut pty = start(&stand.task(program), stand.path());
        stand.grant("traced", FAR);
        pty.line(match shell {
            "fish" => "set -g fish_trace 1",
            _ => "set -xv",
        });
        pty.line("sekisho switch traced");
        pty.wait_for("[traced/Developer]");
        pty.line("echo FI''N");
        pty.wait_for("FIN");
        let all = pty.transcript();
        assert!(all.contains("sekisho switch traced"), "{shell}: {all}");
        assert!(!all.contains("canary") && !all.contains("FwoGZX"), "{shell}: {all}");
        // Tracing is the person's again.
        pty.line(if shell == "fish" { "set -q fish_trace; and echo ON" } else { "echo \"<$-\"" });
        if shell == "fish" {
            pty.wait_for("\nON");
        } else {
            pty.wait_until("x among the flags", |screen| {
                screen.lines().any(|l| l.starts_with('<') && l.contains('x'))
            });
        }
    });
}

/// Audit traps as companies set them: every command, its last word, the arguments of every function.
const AUDITS: [&str; 3] = [
    "shopt -s extdebug; set -o functrace\n\
     audit() { printf '%s\\n' \"C:$BASH_COMMAND\" \"U:$1\" \"A:${BASH_ARGV[*]}\" >> ~/audit; }\n\
     trap 'audit \"$_\"' DEBUG; trap 'audit \"$_\"' RETURN; trap 'audit \"$_\"' ERR\n",
    "TRAPDEBUG() { print -r -- \"C:$ZSH_DEBUG_CMD\" \"U:$_\" >> ~/audit }\n\
     audit() { print -r -- \"P:$*\" >> ~/audit }; preexec_functions+=(audit)\n",
    "function audit --on-event fish_preexec --on-event fish_postexec; echo $argv >> ~/audit; end\n\
     set -g fish_trace 1\n",
];

#[test]
fn audit_traps_see_no_secret() {
    each_with(AUDITS, |shell, program, stand| {
        // The first prompt renews; then all that sets credentials, and all that takes them back.
        stand.grant("dev-tanaka", FAR);
        let task = Task { expires: in_minutes(-1), ..stand.task(program) };
        let mut pty = start(&task, stand.path());
        for verb in ["switch", "refresh"] {
            stand.grant(verb, FAR);
            pty.line(&format!("sekisho {verb}"));
            pty.wait_for(&format!("[{verb}/Developer]"));
        }
        pty.line(match shell {
            "fish" => "set -gx AWS_SECRET_ACCESS_KEY other",
            _ => "export AWS_SECRET_ACCESS_KEY=other",
        });
        pty.wait_for("something changed AWS_SECRET_ACCESS_KEY");
        pty.line("exit");
        pty.wait_for("ENDED 0");
        let calls = stand.calls();
        assert_eq!(calls.len(), 3, "{shell}: {calls:?}");
        let audit = std::fs::read_to_string(stand.path().join("audit")).unwrap();
        let seen = if shell == "fish" { pty.transcript() } else { audit.clone() };
        assert!(seen.contains("__sekisho_undo"), "{shell}: the trap sees our functions");
        for text in [audit, pty.transcript()] {
            assert!(!text.contains("canary") && !text.contains("FwoGZX"), "{shell}: {text}");
        }
    });
}

/// A tool as direnv is: as one leaves a directory it puts back what it found there before. Here, as a file appears.
const DIRENVS: [&str; 3] = [
    "leave() { [[ ! -e ~/leave ]] || { rm ~/leave; export AWS_ACCESS_KEY_ID=AKIAOWN AWS_PROFILE=prod; }; }\n\
     PROMPT_COMMAND=leave\n",
    "leave() { [[ ! -e ~/leave ]] || { rm ~/leave; export AWS_ACCESS_KEY_ID=AKIAOWN AWS_PROFILE=prod; } }\n\
     precmd_functions+=(leave); chpwd_functions+=(leave)\n",
    "function leave --on-event fish_prompt\n\
     test -e ~/leave; and rm ~/leave; and set -gx AWS_ACCESS_KEY_ID AKIAOWN; and set -gx AWS_PROFILE prod\n\
     end\n",
];

#[test]
fn what_another_tool_puts_here_is_taken_back_and_named() {
    each_with(DIRENVS, |shell, program, stand| {
        let mut pty = start(&stand.task(program), stand.path());
        pty.line("touch ~/leave");
        pty.wait_for(
            "something changed AWS_ACCESS_KEY_ID AWS_PROFILE; undone, this shell is in dev-tanaka/Developer",
        );
        let mut sees = |name: &str| child_sees(&mut pty, &stand, name);
        assert_eq!(sees("AWS_ACCESS_KEY_ID").unwrap(), "ASIA1234567890ABCDEF", "{shell}");
        assert_eq!(sees("AWS_PROFILE"), None, "{shell}");
        // The region is a setting.
        pty.line(match shell {
            "fish" => "set -gx AWS_REGION eu-west-1",
            _ => "export AWS_REGION=eu-west-1",
        });
        assert_eq!(child_sees(&mut pty, &stand, "AWS_REGION").unwrap(), "eu-west-1", "{shell}");
        let screen = pty.screen();
        assert_eq!(screen.matches("something changed").count(), 1, "{shell}: {screen}");
        // What is held is what the last switch has set.
        let mut third = pass("third", FAR);
        third.credentials.id = "ASIATHIRD00000000003".parse().unwrap();
        stand.answer(environment(third).render(Form::Records, Masking::Shown).expose(), 0);
        pty.line("sekisho switch third");
        pty.wait_for("[third/Developer]");
        pty.line("touch ~/leave");
        pty.wait_for("this shell is in third/Developer");
        assert_eq!(
            child_sees(&mut pty, &stand, "AWS_ACCESS_KEY_ID").unwrap(),
            "ASIATHIRD00000000003",
            "{shell}"
        );
        assert!(
            child_sees(&mut pty, &stand, "__sekisho_is_AWS_SESSION_TOKEN").is_none(),
            "{shell}"
        );
    });
}

/// The rest of the line would run with the other credentials.
#[test]
fn zsh_takes_back_what_a_change_of_directory_brings() {
    let Some(zsh) = program("zsh") else { return };
    let stand = Stand::new("zsh", ".zshrc", DIRENVS[1]);
    let mut pty = start(&stand.task(&zsh), stand.path());
    pty.line("touch ~/leave; cd /; env > ~/seen; cd ~; echo FI''N");
    let screen = pty.wait_for("\nFIN");
    assert!(screen.contains("something changed"), "{screen}");
    let seen = std::fs::read_to_string(stand.path().join("seen")).unwrap();
    assert!(
        seen.contains("AWS_ACCESS_KEY_ID=ASIA1234567890ABCDEF\n") && !seen.contains("AWS_PROFILE")
    );
}

#[test]
fn a_session_that_env_sets_stays_and_so_does_none() {
    each(|shell, program, stand| {
        let mut pty = start(&stand.task(program), stand.path());
        let mut other = pass("other", FAR);
        other.credentials.id = "ASIAOTHER00000000002".parse().unwrap();
        let other = environment(other);
        stand.env("other", &other);
        pty.line("source ./other");
        pty.wait_for("[other/Developer]");
        assert_eq!(
            child_sees(&mut pty, &stand, "AWS_ACCESS_KEY_ID").unwrap(),
            "ASIAOTHER00000000002",
            "{shell}"
        );
        // A name alone is no session.
        pty.line(match shell {
            "fish" => "set -gx SEKISHO_TARGET wrong/Name",
            _ => "export SEKISHO_TARGET=wrong/Name",
        });
        pty.wait_for("something changed SEKISHO_TARGET; undone, this shell is in other/Developer");
        let left = other.block(&Inherited::default()).unwrap();
        let left = left.variables().map(|(name, value)| (name.to_owned(), value.to_owned()));
        stand.env("unset", &Environment::cleared(&[], &left.collect()));
        pty.line("source ./unset");
        pty.line("echo FI''N");
        pty.wait_until("an unmarked prompt", |screen| {
            screen
                .split("\nFIN")
                .nth(1)
                .is_some_and(|after| !after.trim().is_empty() && !after.contains('['))
        });
        assert_eq!(pty.screen().matches("something changed").count(), 1, "{shell}");
        assert!(child_sees(&mut pty, &stand, "AWS_SECRET_ACCESS_KEY").is_none(), "{shell}");
    });
}

#[test]
fn what_is_held_is_not_exported_whatever_the_options_are() {
    each_with(["set -a\n", "setopt all_export\n", ""], |shell, program, stand| {
        let mut pty = start(&stand.task(program), stand.path());
        stand.grant("second", FAR);
        pty.line("sekisho switch second");
        pty.wait_for("[second/Developer]");
        pty.line("env > seen; echo FI''N");
        pty.wait_for("FIN");
        let seen = std::fs::read_to_string(stand.path().join("seen")).unwrap();
        assert_eq!(seen.matches("FwoGZX").count(), 1, "{shell}");
        assert_eq!(seen.matches("canary").count(), 1, "{shell}");
    });
}

#[test]
fn nothing_is_run_while_nothing_is_due() {
    each(|shell, program, stand| {
        let task = Task { expires: in_minutes(45), ..stand.task(program) };
        let mut pty = start(&task, stand.path());
        another_prompt(&mut pty, 1);
        assert!(stand.calls().is_empty(), "{shell}");
    });
}

#[test]
fn the_prompt_renews_silently() {
    each(|shell, program, stand| {
        stand.grant("dev-tanaka", &in_minutes(60));
        let task = Task { expires: in_minutes(-1), ..stand.task(program) };
        let mut pty = start(&task, stand.path());
        another_prompt(&mut pty, 1);
        another_prompt(&mut pty, 2);
        assert_eq!(stand.calls(), ["refresh --hook values --quiet"]);
        let screen = pty.screen();
        assert!(!screen.contains("sekisho:"), "{shell}: {screen}");
        let expires = in_minutes(50);
        pty.line("echo E=$AWS_CREDENTIAL_EXPIRATION");
        pty.wait_until("a later expiry", |screen| {
            let line = screen.lines().rev().find_map(|line| line.strip_prefix("E="));
            line.is_some_and(|seen| seen > expires.as_str())
        });
    });
}

#[test]
fn one_line_is_said_where_a_code_is_needed() {
    each(|shell, program, stand| {
        let task = Task { expires: in_minutes(-1), ..stand.task(program) };
        let mut pty = start(&task, stand.path());
        another_prompt(&mut pty, 1);
        another_prompt(&mut pty, 2);
        let screen = pty.screen();
        assert_eq!(screen.matches("has ended").count(), 1, "{shell}: {screen}");
        // Refused once a minute at most.
        assert_eq!(stand.calls().len(), 1, "{shell}");
        // A session that is nearly over: told with the minutes that are left. Halfway through what is
        // left of it comes first, so the clock has to pass: an expiry a few seconds away.
        let at = Timestamp::now() + SignedDuration::from_secs(8);
        stand.grant("dev-tanaka", &at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
        pty.line("sekisho refresh");
        another_prompt(&mut pty, 3);
        stand.answer("", 4);
        for round in 4.. {
            another_prompt(&mut pty, round);
            if pty.transcript().contains("ends in 1 min") {
                break;
            }
            assert!(Timestamp::now() < at, "{shell}: {}", pty.screen());
        }
    });
}

#[test]
fn renewal_can_be_off() {
    each(|shell, program, stand| {
        let task = Task { expires: in_minutes(-1), renew: RenewPref::Off, ..stand.task(program) };
        let mut pty = start(&task, stand.path());
        another_prompt(&mut pty, 1);
        assert!(stand.calls().is_empty(), "{shell}");
    });
}

#[test]
fn an_expiry_that_is_code_is_not_run() {
    each(|shell, program, stand| {
        let mut pty = start(&stand.task(program), stand.path());
        pty.line(match shell {
            "fish" => "set -gx AWS_CREDENTIAL_EXPIRATION 'x[(touch pwned)]'",
            _ => "export AWS_CREDENTIAL_EXPIRATION='x[$(touch pwned)]'",
        });
        another_prompt(&mut pty, 1);
        assert!(!stand.path().join("pwned").exists(), "{shell}");
        assert!(stand.calls().is_empty(), "{shell}");
    });
}

#[test]
fn a_hook_teaches_the_persons_own_shell() {
    for (shell, rc) in SHELLS {
        let Some(program) = program(shell) else {
            continue;
        };
        let kind = Hookable::ALL.into_iter().find(|k| k.name() == shell).unwrap();
        let prefs = ShellPrefs {
            program: None,
            renew: RenewPref::Prompt,
            mark_prompt: true,
            prompt_compat: PromptCompat::Auto,
        };
        let text = match shell {
            "fish" => "cat ~/hook | source\nfunction fish_prompt; echo 'own> '; end\n",
            _ => "alias -- sk=false\nunalias sk\neval \"$(cat ~/hook)\"\nPS1='own> '\n",
        };
        let stand = Stand::new(shell, rc, text);
        let name: CommandName = "sk".parse().unwrap();
        std::fs::write(stand.path().join("hook"), hook(kind, &name, &prefs, &verbs())).unwrap();
        let mut command = super::terminal::command(&program, stand.path());
        command.arg("-i");
        let path = std::env::var("PATH").unwrap();
        command.env("PATH", format!("{}/bin:{path}", stand.path().display()));
        let mut pty = Pty::spawn(command);
        let screen = pty.wait_for("own>");
        assert!(!screen.contains('['), "{shell}: {screen}");
        stand.grant("dev-sato", FAR);
        pty.line("sk switch dev-sato");
        pty.wait_for("[dev-sato/Developer] own>");
        stand.answer("\u{1e}SEKISHO_TARGET\u{1e}", 0);
        pty.line("sk refresh; echo FI''N");
        pty.wait_until("an unmarked prompt", |screen| {
            let after = screen.split("\nFIN").nth(1).unwrap_or("");
            after.contains("own>") && !after.contains('[')
        });
    }
}

/// The hook as `sekisho hook` prints it, in a file of the stand's home.
fn write_hook(stand: &Stand, shell: &str) {
    let kind = Hookable::ALL.into_iter().find(|k| k.name() == shell).unwrap();
    let text = hook(kind, &CommandName::default(), &ShellPrefs::default(), &verbs());
    std::fs::write(stand.path().join("hook"), text).unwrap();
}

/// Runs a script in a home with the stand on its PATH.
fn script(stand: &Stand, shell: &Path, arguments: &[&str]) -> (i32, String) {
    let mut command = at_home(shell, stand.path());
    let path = std::env::var("PATH").unwrap();
    command.args(arguments).env("PATH", format!("{}/bin:{path}", stand.path().display()));
    let output = command.output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap_or(-1), String::from_utf8(text).unwrap())
}

#[test]
fn a_strict_script_that_loads_the_hook_goes_on() {
    let body = "eval \"$(cat hook)\"\nsekisho switch x\necho \"in $SEKISHO_TARGET\"\n\
                __sekisho_prompt\necho end\n";
    for (shell, before) in [
        ("bash", "set -e\n"),
        ("bash", "set -eu -o pipefail\n"),
        ("bash", "set -o posix; set -e\n"),
        (
            "bash",
            "shopt -s expand_aliases; alias command=false builtin=false set=false unset=false\n",
        ),
        ("bash", "shopt -s expand_aliases; alias shopt=false local=false printf=false\n"),
        ("zsh", "set -e\n"),
        ("zsh", "setopt err_exit no_unset err_return\n"),
        ("zsh", "emulate sh; set -eu\n"),
        ("zsh", "emulate ksh; set -e\n"),
        ("zsh", "setopt ksh_arrays sh_word_split no_rcs ignore_braces no_bare_glob_qual\n"),
        (
            "zsh",
            "alias command=false builtin=false emulate=false local=false typeset=false zmodload=false\n",
        ),
    ] {
        let Some(program) = program(shell) else { continue };
        let stand = Stand::new(shell, "unused", "");
        write_hook(&stand, shell);
        stand.grant("second", FAR);
        let (code, text) = script(&stand, &program, &["-c", &format!("{before}{body}")]);
        assert_eq!((code, text.as_str()), (0, "in second/Developer\nend\n"), "{shell}: {before}");
        // What fails ends the script as any command does.
        stand.answer("", 3);
        let (code, text) = script(&stand, &program, &["-c", &format!("{before}{body}")]);
        let expected = if before.contains("-e") || before.contains("err_exit") { 3 } else { 0 };
        assert_eq!(code, expected, "{shell}: {before}: {text}");
    }
}

/// As macOS's bash 3.2: no EPOCHSECONDS, and no time in printf.
#[test]
fn a_bash_that_cannot_tell_the_time_asks_for_it_once() {
    use std::os::unix::fs::PermissionsExt;
    let Some(bash) = program("bash") else { return };
    let stand = Stand::new("bash", "unused", "");
    write_hook(&stand, "bash");
    let date = stand.path().join("bin/date");
    std::fs::write(&date, "#!/bin/sh\necho asked >> ~/asked\ncat ~/clock\n").unwrap();
    std::fs::set_permissions(&date, std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::write(stand.path().join("clock"), "1700000000\n").unwrap();
    stand.grant("dev", "2023-11-14T23:13:20Z"); // an hour later
    let body = "unset EPOCHSECONDS\n\
        printf() { case $3 in *'%('*) echo 'invalid format' >&2; return 1 ;; *) builtin printf \"$@\" ;; esac; }\n\
        eval \"$(cat hook)\"\nsekisho switch dev\n\
        asked() { wc -l < asked; wc -l < calls; }\n\
        for i in 1 2 3 4 5 6; do __sekisho_prompt; done; asked\n\
        SECONDS=99; __sekisho_prompt; SECONDS=0; __sekisho_prompt; __sekisho_prompt; asked\n\
        SECONDS=2690; __sekisho_prompt; asked\n\
        echo 1700002700 > clock; SECONDS=2701; __sekisho_prompt; asked\n";
    // The clock is asked once; again when SECONDS went back; not before the renewal is due; then again, and it renews.
    let (code, text) = script(&stand, &bash, &["-c", body]);
    let numbers: Vec<&str> = text.split_whitespace().collect();
    assert_eq!((code, numbers.join(" ").as_str()), (0, "1 1 2 1 2 1 3 2"), "{text}");
}

#[test]
fn a_prompt_that_cannot_be_changed_stays_and_no_error_is_printed() {
    for (shell, rc, text) in [
        ("bash", ".bashrc", "readonly PS1='own> '\n"),
        ("bash", ".bashrc", "readonly PROMPT_COMMAND=; PS1='own> '\n"),
        ("bash", ".bashrc", "readonly AWS_PROFILE=prod; PS1='own> '\n"),
        ("zsh", ".zshrc", "typeset -r PS1='own> '\n"),
        ("zsh", ".zshrc", "typeset -rx AWS_PROFILE=prod; PS1='own> '\n"),
    ] {
        let Some(program) = program(shell) else { continue };
        let stand = Stand::new(shell, rc, text);
        let mut pty = Pty::spawn(stand.task(&program).command(stand.path()));
        pty.wait_for("own>");
        for round in 1..=2 {
            pty.line(&format!("echo round''-{round}"));
            pty.wait_until("another prompt", |screen| {
                let after = screen.split(&format!("\nround-{round}")).nth(1);
                after.is_some_and(|after| after.contains("own>"))
            });
        }
        let screen = pty.screen();
        for error in ["readonly", "read-only", "not found"] {
            assert!(!screen.contains(error), "{shell} {text}: {screen}");
        }
        stand.grant("second", FAR);
        pty.line("sekisho switch; echo \"in $SEKISHO_TARGET\"");
        pty.wait_for("in second/Developer");
    }
}
