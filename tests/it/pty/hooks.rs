//! `switch`, `refresh` and the renewal at the prompt, with a script in sekisho's place.

use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use sekisho::domain::config::{PromptCompat, RenewPref, ShellPrefs};
use sekisho::services::child::environment::{
    Context, Environment, Form, Inherited, Masking, Syntax,
};
use sekisho::services::child::shell::{CommandName, Hookable, hook};

use super::driver::{FAR, Task, pass};
use super::subshell::{SHELLS, home, start};
use super::terminal::Pty;
use crate::support::program;

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
        let script = "#!/bin/sh\necho \"$*\" >> ~/calls\ncat ~/answer\nexit $(cat ~/code)\n";
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

    /// Answers with a pass into another account, as `env` prints it.
    fn grant(&self, account: &str, expires: &str) {
        let context = Context { depth: 1, ..Context::default() };
        let inherited = Inherited::default();
        let environment = Environment::of(pass(account, expires), &context, &inherited);
        let text = environment.render(Form::Export(self.syntax), Masking::Shown);
        self.answer(text.expose(), 0);
    }

    fn calls(&self) -> Vec<String> {
        let calls = std::fs::read_to_string(self.path().join("calls")).unwrap_or_default();
        calls.lines().map(str::to_owned).collect()
    }

    fn task(&self, shell: &Path) -> Task {
        Task { sekisho: self.program(), ..Task::new(shell, self.path()) }
    }
}

fn each(test: impl Fn(&str, &Path, Stand)) {
    for (shell, rc) in SHELLS {
        if let Some(program) = program(shell) {
            test(shell, &program, Stand::new(shell, rc, ""));
        }
    }
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
        pty.line("sekisho refresh");
        pty.line("sekisho list --json | cat");
        pty.line("sekisho switch --help > /dev/null");
        pty.line("env > seen; echo FI''N");
        pty.wait_for("FIN");
        let seen = std::fs::read_to_string(stand.path().join("seen")).unwrap();
        assert!(seen.contains("SEKISHO_TARGET=third/Developer\n"), "{shell}");
        assert!(seen.contains("SEKISHO_DEPTH=1\n"), "{shell}");
        let expected = [
            format!("switch --hook {shell} prod-billing --region us-east-1"),
            format!("switch --hook {shell}"),
            format!("switch --hook {shell} other"),
            format!("refresh --hook {shell}"),
            "list --json".into(),
            "switch --help".into(),
        ];
        assert_eq!(stand.calls(), expected, "{shell}");
    });
}

#[test]
fn nothing_is_evaluated_when_it_failed() {
    each(|shell, program, stand| {
        let mut pty = start(&stand.task(program), stand.path());
        stand.answer("touch evaluated\n", 3);
        pty.line("sekisho switch x; or true; sekisho refresh");
        pty.line(if shell == "fish" { "echo S$status" } else { "echo S$?" });
        pty.wait_for("S3");
        assert!(!stand.path().join("evaluated").exists(), "{shell}");
        pty.wait_for("[dev-tanaka/Developer]");
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
        assert_eq!(stand.calls(), [format!("refresh --hook {shell} --quiet")]);
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
        std::fs::write(stand.path().join("hook"), hook(kind, &name, &prefs)).unwrap();
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
        stand.answer(
            match shell {
                "fish" => "set -eg SEKISHO_TARGET; or true;\n",
                _ => "unset SEKISHO_TARGET\n",
            },
            0,
        );
        pty.line("sk refresh; echo FI''N");
        pty.wait_until("an unmarked prompt", |screen| {
            let after = screen.split("\nFIN").nth(1).unwrap_or("");
            after.contains("own>") && !after.contains('[')
        });
    }
}
