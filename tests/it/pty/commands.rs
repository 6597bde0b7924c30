//! `exec`: this process becomes the command.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use super::driver::{Errand, SECRET, Task};
use super::terminal::Pty;

fn exec(argv: &[&str], home: &Path) -> Output {
    let mut task = Task::new(Path::new("/bin/sh"), home);
    task.errand = Errand::Exec(argv.iter().map(ToString::to_string).collect());
    // Without a terminal: the command line and environment of the driver, as they are.
    let built = task.command(home);
    let mut command = Command::new(&built.get_argv()[0]);
    command.args(&built.get_argv()[1..]).env_clear();
    for (name, value) in built.iter_full_env_as_str() {
        command.env(name, value);
    }
    command.env("AWS_PROFILE", "production");
    command.output().unwrap()
}

#[test]
fn the_command_takes_this_processs_place() {
    let home = tempfile::tempdir().unwrap();
    let script =
        "printf '<%s>' \"$PPID\" \"$@\" \"$AWS_SECRET_ACCESS_KEY\" \"${AWS_PROFILE-none}\"; exit 7";
    let arguments = ["sh", "-c", script, "sh", "a b", "", "$(id)", "--help", "*"];
    let output = exec(&arguments, home.path());
    let stdout = String::from_utf8(output.stdout).unwrap();
    // No wrapper: the parent of the command is the test itself.
    let expected = format!("<{}><a b><><$(id)><--help><*><{SECRET}><none>", std::process::id());
    assert!(stdout.ends_with(&expected), "{stdout}");
    assert_eq!(output.status.code(), Some(7));
}

#[test]
fn a_command_that_cannot_run_is_126_and_one_that_is_not_there_127() {
    let home = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str, mode: u32| {
        let path = home.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let plain = write("plain", "text", 0o644);
    let orphan = write("orphan", "#!/nonexistent/interpreter\n", 0o755);
    let folder = home.path().to_str().unwrap();
    for (name, code) in [
        ("no-such-program-here", 127),
        ("/nonexistent/program", 127),
        (orphan.as_str(), 127),
        (plain.as_str(), 126),
        (folder, 126),
    ] {
        let output = exec(&[name], home.path());
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{name}: {stderr}");
        assert!(!stderr.contains("canary"), "{stderr}");
    }
}

#[test]
fn a_script_without_a_first_line_runs_as_in_a_shell() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("script");
    std::fs::write(&path, "exit 3\n").unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    let output = exec(&[path.to_str().unwrap()], home.path());
    assert_eq!(output.status.code(), Some(3));
}

/// Runs a command as a child, in a terminal.
fn child(argv: &[&str], home: &Path) -> Pty {
    let mut task = Task::new(Path::new("/bin/sh"), home);
    task.errand = Errand::Run(argv.iter().map(ToString::to_string).collect());
    Pty::spawn(task.command(home))
}

#[test]
fn a_childs_end_is_told_as_a_shell_would() {
    let home = tempfile::tempdir().unwrap();
    for (script, code) in [("exit 0", 0), ("exit 7", 7), ("kill -9 $$", 137), ("kill $$", 143)] {
        let mut pty = child(&["sh", "-c", script], home.path());
        pty.wait_for(&format!("ENDED {code}"));
        pty.line("");
        assert_eq!(pty.wait(), code, "{script}");
    }
}

#[test]
fn an_interrupt_ends_the_child_alone() {
    let home = tempfile::tempdir().unwrap();
    let mut pty = child(&["sh", "-c", "echo RUN\"\"NING; exec sleep 1000"], home.path());
    pty.wait_for("RUNNING");
    pty.send("\u{3}");
    pty.wait_for("ENDED 130");
    pty.line("hello");
    pty.wait_for("READ hello");
    // The same for ^\\, here as signal 3.
    let mut pty =
        child(&["sh", "-c", "ulimit -c 0; echo RUN\"\"NING; exec sleep 1000"], home.path());
    pty.wait_for("RUNNING");
    pty.send("\u{1c}");
    pty.wait_for("ENDED 131");
}

#[test]
fn a_child_starts_with_default_signals() {
    let home = tempfile::tempdir().unwrap();
    if !Path::new("/proc/self/status").exists() {
        return;
    }
    let pty = child(&["grep", "Sig[BI]", "/proc/self/status"], home.path());
    let screen = pty.wait_for("ENDED 0");
    for name in ["SigBlk", "SigIgn"] {
        let line = screen.lines().find(|line| line.starts_with(name)).unwrap();
        let mask = u64::from_str_radix(line.rsplit([' ', '\t']).next().unwrap(), 16).unwrap();
        // 32 and 33 are glibc's own; its posix_spawn ignores them in every child.
        assert_eq!(mask & 0x7fff_ffff, 0, "{screen}");
    }
}

/// Every readable, writable byte of a process.
#[cfg(target_os = "linux")]
pub fn memory(pid: i32) -> Vec<u8> {
    use std::os::unix::fs::FileExt;
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
    let mem = std::fs::File::open(format!("/proc/{pid}/mem")).unwrap();
    let mut all = Vec::new();
    for line in maps.lines().filter(|line| line.contains(" rw")) {
        let (from, to) = line.split(' ').next().unwrap().split_once('-').unwrap();
        let from = u64::from_str_radix(from, 16).unwrap();
        let to = u64::from_str_radix(to, 16).unwrap();
        let mut part = vec![0; usize::try_from(to - from).unwrap()];
        if mem.read_exact_at(&mut part, from).is_ok() {
            all.extend(part);
        }
    }
    all
}

#[cfg(target_os = "linux")]
#[test]
fn the_parent_holds_no_secret_while_the_child_runs() {
    let home = tempfile::tempdir().unwrap();
    // Made now: a constant would stand in this binary, which is also the driver's.
    let secret: String = (0..40)
        .map(|i| {
            char::from(b'a' + u8::try_from((std::process::id() / 7 + i * i * 5) % 26).unwrap())
        })
        .collect();
    let file = home.path().join("secret");
    std::fs::write(&file, &secret).unwrap();
    for errand in [Errand::Subshell, Errand::Run(vec!["sh".into(), "-c".into(), "cat".into()])] {
        let Some(bash) = crate::support::program("bash") else { return };
        let mut task = Task::new(&bash, home.path());
        task.errand = errand;
        task.secret = Some(file.clone());
        let mut command = task.command(home.path());
        command.env("PS1", "$ ");
        let mut pty = Pty::spawn(command);
        pty.line("echo RUN\"\"NING");
        pty.wait_for("RUN");
        pty.wait_until("the child", |_| {
            // The driver's work is done by one of its threads.
            let tasks = std::fs::read_dir(format!("/proc/{}/task", pty.pid())).unwrap();
            let mut children = tasks.map(|task| {
                std::fs::read_to_string(task.unwrap().path().join("children")).unwrap_or_default()
            });
            children.any(|children| {
                let child = children.split_whitespace().next().map(str::to_owned);
                child.is_some_and(|child| {
                    let environ = std::fs::read(format!("/proc/{child}/environ"));
                    environ.is_ok_and(|e| contains(&e, secret.as_bytes()))
                })
            })
        });
        assert!(contains(&memory(pty.pid()), b"SEKISHO_TEST_DRIVER"), "the search sees nothing");
        // The child may be there an instant before its parent goes on.
        pty.wait_until("a parent without the secret", |_| {
            !contains(&memory(pty.pid()), secret.as_bytes())
        });
    }
}

#[cfg(target_os = "linux")]
pub fn contains(all: &[u8], part: &[u8]) -> bool {
    all.windows(part.len()).any(|window| window == part)
}
