//! Programs that the config names to get a code or a key from (`mfa_command`, `key_command`).
//!
//! What they print is believed, so a program that other users could have put there is not run.

use std::ffi::OsStr;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, kill_process};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};
use zeroize::Zeroizing;

use super::signals::Ending;
use crate::domain::text::sanitize;
use crate::services::config::access;
use crate::services::config::paths::{Ids, home, with_home};

/// How much a program may print.
const MAX_OUTPUT_BYTES: usize = 64 * 1024;
/// How long a program, and what it has started, may take to end after a signal.
const STRAGGLERS: Duration = Duration::from_secs(2);

/// Where a program's stderr goes.
pub enum Stderr<'a> {
    /// To the terminal: the program may ask something there.
    Inherited,
    /// Line by line to this.
    Lines(&'a dyn Fn(&str)),
}

/// How long a program may run, and how much it may print.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// It is killed after this.
    pub time: Duration,
    /// More is no answer.
    pub bytes: usize,
}

/// Runs a program to its end and returns its stdout, or says why there is none. `setting` is the config's key.
///
/// It gets no `AWS_*` variable and no stdin, and is killed after `limit`.
pub async fn run(
    setting: &str,
    argv: &[String],
    limit: Duration,
    stderr: Stderr<'_>,
) -> Result<Zeroizing<Vec<u8>>, String> {
    let limits = Limits { time: limit, bytes: MAX_OUTPUT_BYTES };
    finish(start(command(setting, argv)?, &stderr)?, limits, stderr).await
}

/// Why a program has no answer.
pub enum Unfinished {
    /// It failed.
    Failed(String),
    /// A signal came that ends sekisho.
    Interrupted,
}

/// The same in a config's folder, for that config: a sekisho that the program runs finds it, too.
///
/// A signal that ends sekisho goes to the program, which gets a moment to end: nothing of it writes afterwards.
pub async fn run_for(
    config: &Path,
    setting: &str,
    argv: &[String],
    limits: Limits,
    stderr: Stderr<'_>,
    ending: &mut Ending,
) -> Result<Zeroizing<Vec<u8>>, Unfinished> {
    let mut command = command(setting, argv).map_err(Unfinished::Failed)?;
    command.env("SEKISHO_CONFIG", config);
    command.current_dir(config.parent().unwrap_or(Path::new("/")));
    let child = start(command, &stderr).map_err(Unfinished::Failed)?;
    let pid = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
    let mut finished = pin!(finish(child, limits, stderr));
    tokio::select! {
        biased;
        signal = ending.recv() => {
            if let Some(pid) = pid {
                let _ = kill_process(pid, signal); // where it fails, the program has just ended
            }
            let _ = tokio::time::timeout(STRAGGLERS, &mut finished).await;
            Err(Unfinished::Interrupted)
        }
        finished = &mut finished => finished.map_err(Unfinished::Failed),
    }
}

fn command(setting: &str, argv: &[String]) -> Result<Command, String> {
    let (name, arguments) = argv.split_first().map_or(("", &[][..]), |(p, a)| (p.as_str(), a));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let program = trusted_program(setting, name, &path)?;
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
    for (variable, _) in std::env::vars_os() {
        if variable.to_string_lossy().starts_with("AWS_") {
            command.env_remove(variable);
        }
    }
    Ok(command)
}

fn start(mut command: Command, stderr: &Stderr<'_>) -> Result<Child, String> {
    command.stderr(match stderr {
        Stderr::Inherited => Stdio::inherit(),
        Stderr::Lines(_) => Stdio::piped(),
    });
    command.spawn().map_err(|error| error.to_string())
}

async fn finish(
    mut child: Child,
    limits: Limits,
    stderr: Stderr<'_>,
) -> Result<Zeroizing<Vec<u8>>, String> {
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let on_line = |line: &str| {
        if let Stderr::Lines(on_line) = stderr {
            on_line(line);
        }
    };
    let run = async {
        let (printed, last) =
            tokio::try_join!(read(out, limits.bytes), async { Ok(forward(err, on_line).await) })?;
        let status = child.wait().await.map_err(|error| error.to_string())?;
        failure(status, last).map_or(Ok(printed), Err)
    };
    let late = |_| Err(format!("it took longer than {} s", limits.time.as_secs()));
    tokio::time::timeout(limits.time, run).await.unwrap_or_else(late)
}

/// Why a program that has ended is not to be believed; `last` is the last line of its stderr.
fn failure(status: ExitStatus, last: Option<String>) -> Option<String> {
    let how = match (status.code(), status.signal()) {
        (Some(0), _) => return None,
        (Some(code), _) => format!("it ended with exit code {code}"),
        (None, signal) => format!("it was killed by signal {}", signal.unwrap_or_default()),
    };
    Some(last.map_or_else(|| how.clone(), |line| format!("{how}: {line}")))
}

async fn read(
    stream: Option<impl AsyncRead + Unpin>,
    limit: usize,
) -> Result<Zeroizing<Vec<u8>>, String> {
    // What may be a secret never grows, so leaves no copy.
    let mut bytes = Zeroizing::new(Vec::with_capacity(2 * MAX_OUTPUT_BYTES));
    if let Some(stream) = stream {
        let _ = stream.take(limit as u64 + 1).read_to_end(&mut bytes).await;
    }
    if bytes.len() > limit {
        return Err(format!("it printed more than {} KiB", limit / 1024));
    }
    Ok(bytes)
}

/// Passes each line on and returns the last one. What is beyond the limit is dropped: a full pipe would stop the program.
async fn forward(stream: Option<impl AsyncRead + Unpin>, on_line: impl Fn(&str)) -> Option<String> {
    let mut stream = stream?;
    let mut lines = BufReader::new((&mut stream).take(MAX_OUTPUT_BYTES as u64)).lines();
    let mut last = None;
    while let Ok(Some(line)) = lines.next_line().await {
        let line = sanitize(&line);
        on_line(&line);
        last = Some(line);
    }
    let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
    last
}

/// Resolves a program to an absolute file that no other user could have put there: `~/…`, an absolute path, or a name that
/// is looked up in the directories of `path`.
pub fn trusted_program(setting: &str, name: &str, path: &OsStr) -> Result<PathBuf, String> {
    if name.contains('/') {
        let home = home(|name| std::env::var_os(name), Ids::current().effective.0);
        let file = with_home(name, home.as_deref())?;
        return if !file.is_absolute() {
            Err(format!("a path in {setting} must be absolute or begin with ~/"))
        } else if !file.exists() {
            Err("there is no such file".into())
        } else if is_trusted(&file) {
            Ok(file)
        } else {
            Err(untrusted(&file))
        };
    }
    let mut passed_over = None;
    for folder in std::env::split_paths(path).filter(|folder| folder.is_absolute()) {
        let file = folder.join(name);
        if !file.metadata().is_ok_and(|m| m.is_file() && m.mode() & 0o111 != 0) {
            continue;
        }
        if is_trusted(&file) {
            return Ok(file);
        }
        passed_over = Some(file);
    }
    Err(passed_over.map_or_else(|| "it is not on the PATH".into(), |file| untrusted(&file)))
}

fn untrusted(file: &Path) -> String {
    let file = sanitize(&file.to_string_lossy());
    format!("other users can write to {file} or its directory")
}

/// Whether a file and its directory are root's or this user's, and not for everyone to write.
fn is_trusted(file: &Path) -> bool {
    let is_sound = |place: &Path| place.metadata().is_ok_and(|m| access::flaw(&m).is_none());
    file.parent().is_some_and(is_sound) && is_sound(file)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// What comes of a script.
    fn run_script(script: &str, limit: Duration) -> Result<Vec<u8>, String> {
        let argv = ["/bin/sh", "-c", script].map(str::to_owned);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let run = run("mfa_command", &argv, limit, Stderr::Lines(&|_| ()));
        runtime.block_on(run).map(|printed| printed.to_vec())
    }

    #[test]
    fn each_way_to_fail_has_its_reason() {
        let minute = Duration::from_mins(1);
        for (script, reason) in [
            ("echo locked >&2; exit 3", "it ended with exit code 3: locked"),
            ("kill -9 $$", "it was killed by signal 9"),
            ("head -c 70000 /dev/zero", "it printed more than 64 KiB"),
            ("trap '' PIPE; while :; do echo 123456; done", "it printed more than 64 KiB"),
        ] {
            assert_eq!(run_script(script, minute), Err(reason.to_owned()), "{script}");
        }
        let slow = run_script("sleep 60", Duration::from_millis(50));
        assert_eq!(slow, Err("it took longer than 0 s".into()));
        let chatty = run_script("head -c 200000 /dev/zero >&2; echo 123456", minute);
        assert_eq!(chatty, Ok(b"123456\n".to_vec()), "a full stderr stops nothing");
        assert_eq!(run_script("head -c 65536 /dev/zero", minute).unwrap().len(), 65536);
    }

    #[test]
    fn a_program_that_others_can_write_is_not_run() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("token");
        std::fs::write(&file, "#!/bin/sh\n").unwrap();
        let mode = |place: &Path, mode| {
            std::fs::set_permissions(place, PermissionsExt::from_mode(mode)).unwrap();
        };
        let full = file.to_str().unwrap();
        for (folder, program, is_fine) in [
            (0o755, 0o755, true),
            (0o775, 0o775, true),  // Homebrew's, and umask 002
            (0o2775, 0o755, true), // Debian's /usr/local
            (0o777, 0o755, false),
            (0o755, 0o757, false),
        ] {
            mode(dir.path(), folder);
            mode(&file, program);
            for name in ["token", full] {
                let found = trusted_program("key_command", name, dir.path().as_os_str());
                match found {
                    Ok(found) => assert!(is_fine && found == file, "{folder:o} {program:o} {name}"),
                    Err(why) => {
                        assert!(!is_fine && why.contains("other users can write"), "{name}: {why}");
                    }
                }
            }
        }
        let wrong =
            |name, path: &str| trusted_program("key_command", name, path.as_ref()).unwrap_err();
        mode(dir.path(), 0o755);
        assert!(
            wrong("./token", dir.path().to_str().unwrap()).contains("key_command must be absolute")
        );
        assert!(
            wrong("token", ".").contains("not on the PATH"),
            "the current directory is nobody's word"
        );
        assert!(wrong("nothing-here", "/usr/bin").contains("not on the PATH"));
    }
}
