//! `exec`: this process becomes the command.

use std::path::Path;
use std::process::{Command, Output};

use super::driver::{SECRET, Task};
use crate::support::program;

fn exec(argv: &[&str], home: &Path) -> Output {
    let mut task = Task::new(Path::new("/bin/sh"), home);
    task.exec = Some(argv.iter().map(ToString::to_string).collect());
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
    let expected = format!(
        "<{}><a b><><$(id)><--help><*><{SECRET}><none>",
        std::process::id()
    );
    assert!(stdout.ends_with(&expected), "{stdout}");
    assert_eq!(output.status.code(), Some(7));
}

#[test]
fn a_command_that_cannot_run_is_126_and_one_that_is_not_there_127() {
    let home = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str, mode: u32| {
        use std::os::unix::fs::PermissionsExt;
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
    if program("sh").is_none() {
        return;
    }
    use std::os::unix::fs::PermissionsExt;
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("script");
    std::fs::write(&path, "exit 3\n").unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    let output = exec(&[path.to_str().unwrap()], home.path());
    assert_eq!(output.status.code(), Some(3));
}
