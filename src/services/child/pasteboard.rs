//! The clipboard of a Mac: its Terminal ignores the escape sequence that others take (OSC 52).

use std::io::{self, Write};
use std::process::{Command, Stdio};

/// Puts text into it. `false` where there is none to put it into: on other systems, and over ssh, where it would be that of the
/// machine at the far end.
pub fn put(text: &str) -> io::Result<bool> {
    if !cfg!(target_os = "macos") || std::env::var_os("SSH_CONNECTION").is_some() {
        return Ok(false);
    }
    let mut pbcopy = Command::new("/usr/bin/pbcopy")
        .env("LC_CTYPE", "UTF-8") // else it takes the bytes for Mac Roman
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    if let Some(mut stdin) = pbcopy.stdin.take() {
        stdin.write_all(text.as_bytes())?;
    }
    Ok(pbcopy.wait()?.success())
}
