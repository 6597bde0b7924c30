//! Surroundings that fail: a runtime directory that is somebody else's, a file system without locks.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use super::stage::{Ran, Stage};
use crate::emulator::stage::PHONE;
use crate::pty::terminal::{Pty, command};
use crate::support::program;

/// What `XDG_RUNTIME_DIR` may name and nobody can use, each with why.
fn useless(stage: &Stage) -> Vec<(String, &'static str)> {
    stage.write("file", "");
    let dir = |name: &str, mode| {
        std::fs::create_dir_all(stage.path(name)).unwrap();
        std::fs::set_permissions(stage.path(name), PermissionsExt::from_mode(mode)).unwrap();
        stage.path(name).to_str().unwrap().to_owned()
    };
    let mut found = vec![
        (stage.path("missing").to_str().unwrap().to_owned(), "does not exist"),
        (stage.path("file").to_str().unwrap().to_owned(), "is not a directory"),
        (dir("open", 0o777), "can be written by other users"),
    ];
    if rustix::process::geteuid().is_root() {
        let foreign = dir("foreign", 0o700);
        std::os::unix::fs::chown(&foreign, Some(12_345), Some(12_345)).unwrap();
        found.push((foreign, "belongs to another user"));
    } else {
        found.push((dir("read-only", 0o500), "cannot be written to"));
    }
    found
}

fn is_untouched(place: &str) -> bool {
    std::fs::read_dir(place).map_or(true, |mut files| files.next().is_none())
}

#[test]
fn a_useless_runtime_directory_is_as_good_as_none() {
    let stage = Stage::new();
    stage.sign_in();
    for (place, why) in useless(&stage) {
        let run = |arguments: &[&str]| {
            Ran::of(&stage.sekisho(arguments).env("XDG_RUNTIME_DIR", &place).output().unwrap())
        };
        let served = run(&["serve", "dev", "--", "sh", "-c", "cat \"$AWS_CONFIG_FILE\""]);
        assert_eq!(served.code, 0, "{place}: {}", served.stderr);
        assert!(served.stdout.contains("[profile sekisho-"), "{}", served.stdout);
        assert_eq!(served.stderr.lines().count(), 1, "{}", served.stderr);
        assert!(served.stderr.contains("XDG_RUNTIME_DIR is not used: "), "{}", served.stderr);
        assert!(served.stderr.contains(why), "{place}: {}", served.stderr);
        let exec = run(&["exec", "dev", "--", "true"]);
        assert_eq!((exec.code, exec.stderr.as_str()), (0, ""), "it needs none");
        let told = run(&["doctor", "--json"]).stdout;
        let told: serde_json::Value = serde_json::from_str(&told).unwrap();
        let rows = told["checks"].as_array().unwrap();
        let row = rows.iter().find(|row| row["id"] == "runtime-dir").unwrap();
        assert_eq!(row["verdict"], "warn", "{row}");
        assert!(row["what"].as_str().unwrap().contains(why), "{row}");
        assert!(is_untouched(&place), "{place}: something was put there");
    }
}

#[test]
fn a_subshell_opens_whatever_the_runtime_directory() {
    if program("bash").is_none() {
        return;
    }
    let stage = Stage::with("shell: bash", "");
    stage.sign_in();
    for (place, _) in useless(&stage) {
        let mut builder = command(env!("CARGO_BIN_EXE_sekisho"), stage.home());
        for (name, value) in stage.sekisho(&[]).get_envs() {
            builder.env(name, value.unwrap_or_default());
        }
        builder.env("XDG_RUNTIME_DIR", &place);
        builder.args(["shell", "dev"]);
        let mut pty = Pty::spawn(builder);
        pty.wait_for("[dev/Developer]");
        pty.line("exit 3");
        assert_eq!(pty.wait(), 3, "{place}");
        assert!(is_untouched(&place), "{place}: something was put there");
    }
}

/// The program on a file system that refuses locks with an error.
fn without_locks(stage: &Stage, strace: &Path, error: &str, arguments: &[&str]) -> Command {
    let own = stage.sekisho(arguments);
    let mut traced = stage.program(strace);
    traced.args(["-f", "-qq", "-o", "/dev/null", "-e", "trace=flock"]);
    traced.arg(format!("--inject=flock:error={error}"));
    traced.arg(own.get_program()).args(own.get_args());
    traced.envs(own.get_envs().filter_map(|(name, value)| Some((name, value?))));
    traced
}

#[test]
fn without_locks_one_code_serves_every_command_and_one_line_says_so() {
    if !cfg!(target_os = "linux") {
        return crate::store::skip("only Linux has strace");
    }
    let Some(strace) = program("strace") else { return };
    for error in ["ENOLCK", "EOPNOTSUPP", "EINVAL"] {
        let stage = Stage::new();
        let run = |arguments: &[&str], code: &str| {
            let mut command = without_locks(&stage, &strace, error, arguments);
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
            let mut child = command.spawn().unwrap();
            let _ = child.stdin.take().unwrap().write_all(code.as_bytes());
            Ran::of(&child.wait_with_output().unwrap())
        };
        let code = format!("{}\n", stage.emulator.code(PHONE).unwrap());
        let first = run(&["exec", "dev", "--mfa-code", "-", "--", "true"], &code);
        assert_eq!(first.code, 0, "{error}: {}", first.stderr);
        assert_eq!(first.stderr.lines().count(), 1, "{error}: {}", first.stderr);
        assert!(first.stderr.contains("a file system without locks"), "{}", first.stderr);
        // In other words, so that the config is read and the session looked for.
        let second = run(&["exec", "mine", "--", "true"], "");
        assert_eq!((second.code, second.stderr.as_str()), (0, ""), "{error}");
        let third = run(&["--scope", "read-only", "exec", "dev", "--", "true"], "");
        assert_eq!(third.code, 0, "{error}: {}", third.stderr);
        assert_eq!(third.stderr.lines().count(), 1, "{error}: {}", third.stderr);
        let tokens = stage.emulator.calls();
        let tokens = tokens.iter().filter(|call| call.action == "GetSessionToken").count();
        assert_eq!(tokens, 1, "{error}");
    }
}
