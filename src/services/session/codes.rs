//! Codes from a program (`mfa_command`), instead of typed ones.

use std::ffi::OsStr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};
use tokio::process::Command;
use zeroize::Zeroizing;

use crate::domain::config::Argv;
use crate::domain::fault::{Exit, Fault};
use crate::domain::secret::MfaCode;
use crate::domain::text::sanitize;

/// How long the program may take: long enough to touch a security key.
const LIMIT: Duration = Duration::from_secs(30);
/// How much it may print.
const MAX_OUTPUT_BYTES: u64 = 64 * 1024;

/// Runs the program and takes the first stand-alone six digits of its stdout.
///
/// It gets no `AWS_*` variable and no stdin; its stderr is passed to `on_line`, line by line.
pub async fn from_command(argv: &Argv, on_line: impl Fn(&str)) -> Result<MfaCode, Fault> {
    let (name, arguments) = argv.split_first().map_or(("", &[][..]), |(p, a)| (p.as_str(), a));
    let wrong = |why: String| {
        Fault::new(Exit::Fault, format!("mfa_command printed no code: {}", sanitize(name)))
            .because(why)
            .fix("run the command by hand, or type the code")
    };
    let path = std::env::var_os("PATH").unwrap_or_default();
    let program = trusted_program(name, &path).map_err(&wrong)?;
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.kill_on_drop(true);
    for (variable, _) in std::env::vars_os() {
        if variable.to_string_lossy().starts_with("AWS_") {
            command.env_remove(variable);
        }
    }
    let mut child = command.spawn().map_err(|error| wrong(error.to_string()))?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let run = async {
        let (printed, last) = tokio::join!(read(stdout), forward(stderr, &on_line));
        (child.wait().await, printed, last)
    };
    let (status, printed, last) = tokio::time::timeout(LIMIT, run)
        .await
        .map_err(|_| wrong(format!("it took longer than {} s", LIMIT.as_secs())))?;
    let status = status.map_err(|error| wrong(error.to_string()))?;
    if !status.success() {
        let said = last.map(|line| format!(": {line}")).unwrap_or_default();
        return Err(wrong(format!("it ended with {status}{said}")));
    }
    first_code(&printed)
        .ok_or_else(|| wrong("its output contains no stand-alone six digits".into()))
}

async fn read(stream: Option<impl AsyncRead + Unpin>) -> Zeroizing<String> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(4096));
    if let Some(stream) = stream {
        let _ = stream.take(MAX_OUTPUT_BYTES).read_to_end(&mut bytes).await;
    }
    Zeroizing::new(String::from_utf8_lossy(&bytes).into_owned())
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

/// The first run of exactly six digits with no letter or digit next to it.
fn first_code(text: &str) -> Option<MfaCode> {
    text.split(|c: char| !c.is_alphanumeric())
        .find(|word| word.len() == 6 && word.bytes().all(|b| b.is_ascii_digit()))
        .and_then(MfaCode::parse)
}

/// Resolves a program to an absolute file in a directory that no other user can write to.
pub(in crate::services) fn trusted_program(name: &str, path: &OsStr) -> Result<PathBuf, String> {
    if name.contains('/') {
        let file = Path::new(name);
        return if file.is_absolute() {
            Ok(file.to_owned())
        } else {
            Err("a path in mfa_command must be absolute".into())
        };
    }
    let mut passed_over = None;
    for folder in std::env::split_paths(path).filter(|folder| folder.is_absolute()) {
        let file = folder.join(name);
        if !file.metadata().is_ok_and(|m| m.is_file() && m.mode() & 0o111 != 0) {
            continue;
        }
        if [&folder, &file].into_iter().all(|place| is_ours_alone(place)) {
            return Ok(file);
        }
        passed_over = Some(file);
    }
    Err(match passed_over {
        Some(file) => {
            format!(
                "other users can write to {} or its directory",
                sanitize(&file.to_string_lossy())
            )
        }
        None => "it is not on the PATH".into(),
    })
}

/// Whether only root or this user can change a file or directory.
fn is_ours_alone(place: &Path) -> bool {
    let me = rustix::process::geteuid().as_raw();
    place.metadata().is_ok_and(|m| {
        let group_is_ours = m.gid() == rustix::process::getegid().as_raw() && m.gid() == me;
        let loose = if group_is_ours { 0o002 } else { 0o022 };
        (m.uid() == 0 || m.uid() == me) && m.mode() & loose == 0
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_code_stands_alone() {
        for (text, code) in [
            ("123456\n", Some("123456")),
            ("AWS:tanaka  654321\n", Some("654321")),
            ("1234567 a123456 12345 000001", Some("000001")),
            ("code=123456;", Some("123456")),
            ("no digits", None),
            ("１２３４５６", None),
        ] {
            let found = first_code(text);
            assert_eq!(found.as_ref().map(MfaCode::expose), code, "{text}");
        }
    }

    #[test]
    fn a_program_in_a_folder_that_others_can_write_is_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("token");
        std::fs::write(&file, "#!/bin/sh\n").unwrap();
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o755)).unwrap();
        let path = dir.path().as_os_str();
        assert_eq!(trusted_program("token", path).unwrap(), file);
        std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o777)).unwrap();
        assert!(trusted_program("token", path).unwrap_err().contains("other users can write"));
        assert!(trusted_program("./token", path).unwrap_err().contains("absolute"));
        assert!(trusted_program("nothing-here", path).is_err());
    }

    #[test]
    fn a_command_gives_a_code_without_aws_variables() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let run = |script: &str| {
            let argv = vec!["/bin/sh".to_owned(), "-c".into(), script.into()];
            let said = std::cell::RefCell::new(Vec::new());
            let code = runtime.block_on(from_command(&argv, |line| {
                said.borrow_mut().push(line.to_owned());
            }));
            (code.map(|code| code.expose().to_owned()), said.into_inner())
        };
        let (code, said) = run("echo touch >&2; env | grep -c ^AWS_ >&2; echo your code: 246810");
        assert_eq!(
            (code.unwrap().as_str(), said[0].as_str(), said[1].as_str()),
            ("246810", "touch", "0")
        );
        let (code, _) = run("echo locked >&2; exit 3");
        assert!(code.unwrap_err().why[0].contains("locked"));
    }
}
