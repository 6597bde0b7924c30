//! The clipboard of the desktop itself, where not every terminal takes the escape sequence (OSC 52): of a Mac, whose Terminal
//! ignores it, and of Windows around WSL, whose older console does.

use std::env::var_os;
use std::io::{self, Write};
use std::process::{Command, Stdio};

use zeroize::Zeroizing;

use super::process;

/// Puts text into it, and returns by which program. `None` where there is none to put it into: on other systems, and over
/// ssh, where it would be that of the machine at the far end.
pub fn put(text: &str) -> io::Result<Option<&'static str>> {
    if var_os("SSH_CONNECTION").is_some() {
        return Ok(None);
    }
    if cfg!(target_os = "macos") {
        let mut pbcopy = Command::new("/usr/bin/pbcopy");
        pbcopy.env("LC_CTYPE", "UTF-8"); // else it takes the bytes for Mac Roman
        return Ok(feed(pbcopy, text.as_bytes())?.then_some("pbcopy"));
    }
    if var_os("WSL_DISTRO_NAME").is_some()
        && let Ok(clip) = process::find("clip.exe".as_ref(), var_os("PATH").as_deref())
        // Windows's programs cannot be started where interop is off: then the terminal's.
        && feed(Command::new(clip), &utf16(text)).unwrap_or(false)
    {
        return Ok(Some("clip.exe"));
    }
    Ok(None)
}

/// Whether a program takes what it is fed.
fn feed(mut program: Command, bytes: &[u8]) -> io::Result<bool> {
    let mut child =
        program.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(bytes)?;
    }
    Ok(child.wait()?.success())
}

/// As `clip.exe` knows it in every code page: UTF-16, the low byte first, without a mark.
fn utf16(text: &str) -> Zeroizing<Vec<u8>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(2 * text.len())); // never reallocated: that would leave an unwiped copy
    bytes.extend(text.encode_utf16().flat_map(u16::to_le_bytes));
    bytes
}
