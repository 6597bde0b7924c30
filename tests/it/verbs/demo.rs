//! `demo` without the list: any verb in it, and nothing left behind.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use sha2::{Digest, Sha256};

use super::home::SEKISHO;
use crate::pty::terminal::Pty;
use crate::support::{at_home, hear_signals, kept_answers, program, without_terminal};

/// The program in an empty home, without a terminal.
fn command(home: &Path, arguments: &[&str]) -> Option<Command> {
    let mut command = at_home(SEKISHO, home);
    command.args(arguments).env("TMPDIR", tmp(home));
    without_terminal(&command)
}

fn tmp(home: &Path) -> PathBuf {
    let tmp = home.join("tmp");
    std::fs::create_dir_all(&tmp).unwrap();
    tmp
}

/// Everything in a home.
fn everything(home: &Path) -> BTreeSet<PathBuf> {
    let mut all = BTreeSet::new();
    let mut open = vec![home.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path.clone());
            }
            all.insert(path);
        }
    }
    all
}

/// Nothing but the folder for temporary files, and that is empty.
#[track_caller]
fn untouched(home: &Path) {
    assert_eq!(everything(home), BTreeSet::from([tmp(home)]));
}

/// Whether the kernel holds a data key for the sessions of a demo in `folder`.
fn kernel_knows(folder: &Path) -> bool {
    let sessions = folder.join("state/sessions");
    let digest = Sha256::digest(sessions.as_os_str().as_encoded_bytes());
    let name: Vec<String> = digest[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    let name = name.concat();
    std::fs::read_to_string("/proc/keys").is_ok_and(|keys| keys.contains(&name))
}

/// A demo that `--serve` keeps running.
struct Served {
    child: Child,
    descriptor: PathBuf,
    seed: [u8; 20],
}

impl Served {
    fn start(home: &Path) -> Option<Self> {
        hear_signals();
        let mut child =
            command(home, &["demo", "--serve"])?.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let descriptor = lines
            .map_while(Result::ok)
            .find_map(|line| line.strip_prefix("export SEKISHO_DEMO=").map(PathBuf::from))
            .unwrap();
        let text = std::fs::read(&descriptor).unwrap();
        let known: serde_json::Value = serde_json::from_slice(&text).unwrap();
        let seed = serde_json::from_value(known["seeds"][0][1].clone()).unwrap();
        Some(Self { child, descriptor, seed })
    }

    /// A verb where nobody gives a code; `None` where it was not answered by the warm path.
    fn warm(&self, home: &Path, arguments: &[&str]) -> Option<String> {
        let sessions = self.descriptor.with_file_name("state").join("sessions");
        let before = kept_answers(&sessions);
        let mut command = command(home, arguments).unwrap();
        let output = command.env("SEKISHO_DEMO", &self.descriptor).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {stderr}");
        let is_warm = !before.is_empty() && kept_answers(&sessions) == before;
        is_warm.then(|| String::from_utf8(output.stdout).unwrap())
    }

    /// A verb in another terminal, with the device's code on stdin.
    fn run(&self, home: &Path, arguments: &[&str]) -> (i32, String, String) {
        let mut child = command(home, &[&["--mfa-code", "-"], arguments].concat())
            .unwrap()
            .env("SEKISHO_DEMO", &self.descriptor)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let code = sekisho::emulator::code(&self.seed, jiff::Timestamp::now());
        let mut stdin = child.stdin.take().unwrap();
        let _ = std::io::Write::write_all(&mut stdin, format!("{code}\n").as_bytes());
        drop(stdin);
        let output = child.wait_with_output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn ended(child: &mut Child) -> Option<i32> {
    let end = Instant::now() + Duration::from_secs(30);
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        assert!(Instant::now() < end, "still running");
        std::thread::yield_now();
    }
}

#[test]
fn the_config_of_the_demo_is_the_example() {
    let home = tempfile::tempdir().unwrap();
    let Some(mut command) = command(home.path(), &["demo", "config", "show"]) else {
        return;
    };
    let output = command.output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0));
    for name in ["dev-tanaka", "開発-田中", "production-like"] {
        assert!(stdout.contains(name), "{stdout}");
    }
    untouched(home.path());
}

#[test]
fn a_demo_of_a_named_config_uses_that_config_in_every_verb() {
    let home = tempfile::tempdir().unwrap();
    let config = home.path().join("tmp/c.yaml");
    tmp(home.path());
    let text = "version: 1
auth: {account: \"111111111111\", region: eu-west-3, user: sato}
accounts:
  - {name: only-here, id: \"222222222222\", roles: [Developer]}
";
    std::fs::write(&config, text).unwrap();
    let named = config.to_str().unwrap();
    for (verb, shown) in [
        (&["config", "check"][..], ": 1 account\n"),
        (&["config", "show"], "only-here"),
        (&["doctor", "--offline"], "1 account"),
        (&["list"], "only-here/Developer\n"),
        (&["profiles"], "only-here"),
    ] {
        for arguments in [
            &[&["demo", "--config", named], verb].concat(),
            &[&["--config", named, "demo"], verb].concat(),
            &[&["demo"], verb, &["--config", named]].concat(),
        ] {
            let Some(mut command) = command(home.path(), arguments) else {
                return;
            };
            let output = command.output().unwrap();
            let text = [output.stdout, output.stderr].concat();
            let text = String::from_utf8(text).unwrap();
            assert!(text.contains(shown), "{arguments:?}: {text}");
            assert!(!text.contains("dev-tanaka"), "{arguments:?}: {text}");
        }
    }
}

#[test]
fn a_verb_that_fails_in_a_demo_keeps_its_exit_code() {
    let home = tempfile::tempdir().unwrap();
    for (arguments, code) in [
        (&["demo", "exec", "nobody", "--", "true"][..], 2),
        (&["demo", "exce"], 2),
        (&["demo", "exec", "dev-tanaka", "--", "true"], 4),
        (&["demo", "exec", "prod", "--", "true"], 4),
    ] {
        let Some(mut command) = command(home.path(), arguments) else {
            return;
        };
        let output = command.output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {stderr}");
        untouched(home.path());
    }
}

#[test]
fn a_served_demo_is_reached_from_another_terminal_and_leaves_nothing() {
    let home = tempfile::tempdir().unwrap();
    let Some(mut served) = Served::start(home.path()) else {
        return;
    };
    let folder = served.descriptor.parent().unwrap().to_owned();
    let show = "echo $SEKISHO_TARGET $AWS_ENDPOINT_URL; test -n \"$AWS_SESSION_TOKEN\"";
    let (code, stdout, stderr) =
        served.run(home.path(), &["exec", "dev-tanaka", "--", "sh", "-c", show]);
    assert_eq!(code, 0, "{stderr}");
    assert!(stdout.starts_with("dev-tanaka/Developer http://127.0.0.1:"), "{stdout}");
    // A second account, no code: nobody is there to give one.
    let mut second = command(home.path(), &["exec", "dev-suzuki", "--", "true"]).unwrap();
    let second = second.env("SEKISHO_DEMO", &served.descriptor).output().unwrap();
    assert_eq!(second.status.code(), Some(0), "{}", String::from_utf8_lossy(&second.stderr));
    assert!(!kernel_knows(&folder), "a demo's data key stays in its folder");
    if let Some(aws) = program("aws") {
        let identity = ["sts", "get-caller-identity", "--query", "Arn", "--output", "text"];
        let (code, stdout, stderr) = served.run(
            home.path(),
            &[&["exec", "dev-tanaka", "--", aws.to_str().unwrap()], &identity[..]].concat(),
        );
        assert_eq!(code, 0, "{stderr}");
        assert_eq!(stdout.trim(), "arn:aws:sts::222222222222:assumed-role/Developer/tanaka");
        let _ = std::fs::remove_dir_all(home.path().join(".aws"));
    }

    kill_process(Pid::from_child(&served.child), Signal::TERM).unwrap();
    ended(&mut served.child);
    untouched(home.path());
}

#[test]
fn a_served_demo_removes_its_folder_when_its_terminal_goes_away() {
    let home = tempfile::tempdir().unwrap();
    let Some(mut served) = Served::start(home.path()) else {
        return;
    };
    let folder = served.descriptor.parent().unwrap().to_owned();
    assert!(folder.exists());
    kill_process(Pid::from_child(&served.child), Signal::HUP).unwrap();
    assert_eq!(ended(&mut served.child), Some(0));
    assert!(!folder.exists(), "{}", folder.display());
    untouched(home.path());
}

#[test]
fn a_served_demo_has_a_warm_path_that_needs_no_organization() {
    let home = tempfile::tempdir().unwrap();
    let Some(served) = Served::start(home.path()) else {
        return;
    };
    let verbs = [
        (&["exec", "dev-tanaka", "--", "env"][..], "AWS_SESSION_TOKEN="),
        (&["credential-process", "dev-tanaka"], "\"SessionToken\":"),
        (&["env", "dev-tanaka"], "export AWS_SESSION_TOKEN="),
    ];
    let (code, _, stderr) = served.run(home.path(), verbs[0].0);
    assert_eq!(code, 0, "{stderr}");
    // Whoever calls it now waits for ever.
    kill_process(Pid::from_child(&served.child), Signal::STOP).unwrap();
    for (verb, token) in verbs {
        let said = served.warm(home.path(), verb);
        assert!(said.is_some_and(|said| said.contains(token)), "{verb:?}");
    }
}

#[test]
fn a_demo_asks_at_the_prompt_and_shows_the_code() {
    let home = tempfile::tempdir().unwrap();
    let mut command = crate::pty::terminal::command(SEKISHO, home.path());
    command.env("TMPDIR", tmp(home.path()));
    command.args([
        "demo",
        "exec",
        "dev-tanaka",
        "--",
        "sh",
        "-c",
        "echo \"<$SEKISHO_TARGET>\"; exit 7",
    ]);
    let before = everything(home.path());
    let mut pty = Pty::spawn(command);
    let screen = pty.wait_for("code from phone:");
    pty.line(&crate::switcher::shown_code(&screen));
    pty.wait_for("<dev-tanaka/Developer>");
    assert_eq!(pty.wait(), 7);
    assert_eq!(everything(home.path()), before);
}

#[test]
fn a_demo_that_is_ended_at_the_prompt_leaves_nothing() {
    for (signal, code) in [(Signal::TERM, 143), (Signal::HUP, 129)] {
        let home = tempfile::tempdir().unwrap();
        let mut command = crate::pty::terminal::command(SEKISHO, home.path());
        command.env("TMPDIR", tmp(home.path()));
        command.args(["demo", "exec", "dev-tanaka", "--", "true"]);
        let before = everything(home.path());
        let mut pty = Pty::spawn(command);
        pty.wait_for("code from phone:");
        kill_process(Pid::from_raw(pty.pid()).unwrap(), signal).unwrap();
        assert_eq!(pty.wait(), code);
        assert_eq!(everything(home.path()), before);
    }
}

/// What a demo would do with a real key: nothing.
#[test]
fn a_real_key_and_a_demo_never_meet() {
    let home = tempfile::tempdir().unwrap();
    let real =
        "[default]\naws_access_key_id = AKIATANAKA0000000001\naws_secret_access_key = CANARY\n";
    std::fs::create_dir(home.path().join(".aws")).unwrap();
    std::fs::write(home.path().join(".aws/credentials"), real).unwrap();
    tmp(home.path());
    let before = everything(home.path());
    let Some(mut served) = Served::start(home.path()) else { return };
    for verb in [
        &["key", "import", "--yes"][..],
        &["key", "add"],
        &["key", "rotate", "--yes"],
        &["key", "leaked", "--yes"],
        &["key", "remove", "--yes"],
        &["key", "status"],
    ] {
        for demo in [&["demo"][..], &[]] {
            let mut command = command(home.path(), &[demo, verb].concat()).unwrap();
            if demo.is_empty() {
                command.env("SEKISHO_DEMO", &served.descriptor);
            }
            let output = command.output().unwrap();
            let stderr = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(2), "{demo:?} {verb:?}: {stderr}");
            assert!(stderr.contains("never uses a real one"), "{stderr}");
        }
    }
    kill_process(Pid::from_child(&served.child), Signal::TERM).unwrap();
    ended(&mut served.child);
    assert_eq!(std::fs::read_to_string(home.path().join(".aws/credentials")).unwrap(), real);
    assert_eq!(everything(home.path()), before);
}

/// The descriptor names a config, whose `mfa_command` would run: only one's own is believed.
#[test]
fn a_descriptor_that_another_user_could_have_written_is_not_used() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("demo");
    std::fs::create_dir(&folder).unwrap();
    let file = folder.join("demo.json");
    let mode = |path: &std::path::Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    let write = |url: &str| {
        let text = format!(
            r#"{{"url":"{url}","key_id":"AKIADEMOAAAAAAAAAAAA","secret":"x","config":null,"seeds":[]}}"#
        );
        std::fs::write(&file, text).unwrap();
        mode(&file, 0o600);
    };
    let list = |descriptor: &std::path::Path| {
        let mut command = command(home.path(), &["list"])?;
        Some(command.env("SEKISHO_DEMO", descriptor).output().unwrap())
    };
    let here = "http://127.0.0.1:9";
    mode(&folder, 0o700);
    write(here);
    let Some(output) = list(&file) else { return };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let refused = |descriptor: &std::path::Path, why: &str| {
        let output = list(descriptor).unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(
            (output.status.code(), &output.stdout[..]),
            (Some(1), &b""[..]),
            "{why}: {stderr}"
        );
        assert!(stderr.contains("names a demo that is not used"), "{why}: {stderr}");
    };
    mode(&folder, 0o777);
    refused(&file, "a folder that others can write");
    mode(&folder, 0o700);
    mode(&file, 0o666);
    refused(&file, "a file that others can write");
    write("http://10.0.0.1:80");
    refused(&file, "an organization elsewhere");
    write(here);
    let link = home.path().join("link");
    symlink(&folder, &link).unwrap();
    refused(&link.join("demo.json"), "a folder that is a link");
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(&folder, Some(65_534), None).unwrap();
        refused(&file, "another user's folder");
    }
}

#[test]
fn no_proxy_comes_between_a_demos_child_and_this_machine() {
    let home = tempfile::tempdir().unwrap();
    let Some(served) = Served::start(home.path()) else { return };
    for verb in ["exec", "serve"] {
        let show = [verb, "dev-tanaka", "--", "sh", "-c", "echo $NO_PROXY $no_proxy"];
        let (_, stdout, stderr) = served.run(home.path(), &show);
        let all = "127.0.0.1,localhost,[::1]";
        assert_eq!(stdout.trim(), format!("{all} {all}"), "{verb}: {stderr}");
    }
}

#[test]
fn a_demo_needs_no_procfs() {
    let Some(unshare) = program("unshare") else { return };
    let home = tempfile::tempdir().unwrap();
    let bare = |command: &str| {
        let mut child = at_home(&unshare, home.path());
        child.args(["--mount", "sh", "-c", &format!("mount -t tmpfs none /proc && {command}")]);
        child.env("TMPDIR", home.path()).output().unwrap()
    };
    if !bare("true").status.success() {
        // Not `eprintln!`: the test harness would swallow it.
        let _ = writeln!(
            std::io::stderr(),
            "SKIPPED, only root can hide /proc: a_demo_needs_no_procfs"
        );
        return;
    }
    let sekisho = env!("CARGO_BIN_EXE_sekisho");
    let output = bare(&format!("{sekisho} demo list"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(output.stdout.starts_with(b"dev-tanaka/Developer\n"), "{said}");
    let output = bare(&format!("ln -s {sekisho} here && PATH=$PWD:$PATH here demo list"));
    assert!(output.stdout.starts_with(b"dev-tanaka/Developer\n"), "on the PATH");
}
