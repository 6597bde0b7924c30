//! Programs that the config names to get a code or a key from (`mfa_command`, `key_command`).
//!
//! What they print is believed, so a program that other users could have put there is not run.

use std::ffi::OsStr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};
use tokio::process::Command;
use zeroize::Zeroizing;

use crate::domain::text::sanitize;
use crate::services::config::paths::{Ids, home};

/// How much a program may print.
const MAX_OUTPUT_BYTES: u64 = 64 * 1024;

/// Where a program's stderr goes.
pub enum Stderr<'a> {
    /// To the terminal: the program may ask something there.
    Inherited,
    /// Line by line to this.
    Lines(&'a dyn Fn(&str)),
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
    let (name, arguments) = argv.split_first().map_or(("", &[][..]), |(p, a)| (p.as_str(), a));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let program = trusted_program(setting, name, &path)?;
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
    command.stderr(match stderr {
        Stderr::Inherited => Stdio::inherit(),
        Stderr::Lines(_) => Stdio::piped(),
    });
    for (variable, _) in std::env::vars_os() {
        if variable.to_string_lossy().starts_with("AWS_") {
            command.env_remove(variable);
        }
    }
    let mut child = command.spawn().map_err(|error| error.to_string())?;
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let on_line = |line: &str| {
        if let Stderr::Lines(on_line) = stderr {
            on_line(line);
        }
    };
    let run = async {
        let (printed, last) = tokio::join!(read(out), forward(err, on_line));
        (child.wait().await, printed, last)
    };
    let (status, printed, last) = tokio::time::timeout(limit, run)
        .await
        .map_err(|_| format!("it took longer than {} s", limit.as_secs()))?;
    let status = status.map_err(|error| error.to_string())?;
    if !status.success() {
        let reason = last.map(|line| format!(": {line}")).unwrap_or_default();
        return Err(format!("it ended with {status}{reason}"));
    }
    Ok(printed)
}

async fn read(stream: Option<impl AsyncRead + Unpin>) -> Zeroizing<Vec<u8>> {
    // Never grows, so leaves no copy of what may be a secret.
    let mut bytes = Zeroizing::new(Vec::with_capacity(64 * 1024));
    if let Some(stream) = stream {
        let _ = stream.take(MAX_OUTPUT_BYTES).read_to_end(&mut bytes).await;
    }
    bytes
}

/// Passes each line on and returns the last one.
async fn forward(stream: Option<impl AsyncRead + Unpin>, on_line: impl Fn(&str)) -> Option<String> {
    let mut lines = BufReader::new(stream?.take(MAX_OUTPUT_BYTES)).lines();
    let mut last = None;
    while let Ok(Some(line)) = lines.next_line().await {
        let line = sanitize(&line);
        on_line(&line);
        last = Some(line);
    }
    last
}

/// Resolves a program to an absolute file that no other user could have put there: `~/…`, an absolute path, or a name that
/// is looked up in the directories of `path`.
pub fn trusted_program(setting: &str, name: &str, path: &OsStr) -> Result<PathBuf, String> {
    let in_home = name.strip_prefix("~/").and_then(|rest| {
        let home = home(|name| std::env::var_os(name), Ids::current().effective.0)?;
        Some(home.join(rest))
    });
    if let Some(file) = in_home.or_else(|| name.contains('/').then(|| PathBuf::from(name))) {
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

/// Whether a file and its directory are root's or this user's and nobody else may write them.
///
/// A group may: package managers install as `user:admin 0775` (Homebrew) or `root:staff 2775` (Debian).
fn is_trusted(file: &Path) -> bool {
    let me = rustix::process::geteuid().as_raw();
    file.parent().into_iter().chain([file]).all(|place| {
        place.metadata().is_ok_and(|m| (m.uid() == 0 || m.uid() == me) && m.mode() & 0o002 == 0)
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

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
