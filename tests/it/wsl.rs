//! WSL, by look-alikes: its variable, programs with the names of Windows's on the PATH, no Secret Service, and a clock that fell
//! behind while the laptop slept. On Windows itself nobody has run this.

use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, Engine};

use crate::exports::stage::{Ran, Stage, until};
use crate::keys::stage as keys;
use crate::pty::terminal::{Pty, command};
use crate::support::program;

/// As wslu's does, it asks for the head first, and gives up where nothing answers.
const WSLVIEW: &str = "#!/bin/sh\n\
    [ -n \"$(curl --head --silent \"$1\" | head -n 1)\" ] || exit 1\n\
    curl -s -o page -w '%{http_code} wslview' \"$1\" > fetched.tmp; mv fetched.tmp fetched\n";

/// As Windows's does, it takes a link with a `=` for a folder, and ends with 1 whatever it did: here always before the browser
/// follows the link, since somebody has to learn of its end first.
const EXPLORER: &str = "#!/bin/sh\n\
    case $1 in *=*) exit 1 ;; esac\n\
    me=$$\n\
    (while kill -0 $me 2>/dev/null; do sleep 0.05; done\n\
    curl -s -o page -w '%{http_code} explorer.exe' \"$1\" > fetched.tmp; mv fetched.tmp fetched) &\n\
    exit 1\n";

/// Keeps what it is given.
const CLIP: &str = "#!/bin/sh\ncat > clip.tmp && mv clip.tmp clip\n";

/// Puts programs of Windows's into the home, and returns a PATH with them.
fn with_windows(stage: &Stage, programs: &[(&str, &[u8])]) -> OsString {
    for (name, text) in programs {
        stage.write(&format!("windows/{name}"), text);
        let mode = PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(stage.path(&format!("windows/{name}")), mode).unwrap();
    }
    let path = std::env::var_os("PATH").unwrap();
    let folders = std::iter::once(stage.path("windows")).chain(std::env::split_paths(&path));
    std::env::join_paths(folders).unwrap()
}

/// The program in a terminal of WSL's.
fn in_terminal(stage: &Stage, path: &OsString, arguments: &[&str], ssh: bool) -> Pty {
    let mut builder = command(env!("CARGO_BIN_EXE_sekisho"), stage.home());
    for (name, value) in stage.sekisho(&[]).get_envs() {
        builder.env(name, value.unwrap_or_default());
    }
    builder.env("WSL_DISTRO_NAME", "Ubuntu");
    builder.env("PATH", path);
    if ssh {
        builder.env("SSH_CONNECTION", "192.0.2.1 5 192.0.2.2 22");
    }
    builder.args(arguments);
    Pty::spawn(builder)
}

/// What `clip.exe` was given, if anything; each time once.
fn clipped(stage: &Stage) -> Option<String> {
    let bytes = std::fs::read(stage.path("clip")).ok()?;
    std::fs::remove_file(stage.path("clip")).unwrap();
    let (units, rest) = bytes.as_chunks::<2>();
    assert!(rest.is_empty(), "{bytes:?}");
    Some(
        String::from_utf16(&units.iter().map(|unit| u16::from_le_bytes(*unit)).collect::<Vec<_>>())
            .unwrap(),
    )
}

#[test]
fn the_browser_is_that_of_windows() {
    let Some(_) = program("curl") else { return };
    let (wslview, explorer) =
        (("wslview", WSLVIEW.as_bytes()), ("explorer.exe", EXPLORER.as_bytes()));
    for (programs, fetched_by) in
        [(&[wslview, explorer][..], "303 wslview"), (&[explorer], "303 explorer.exe")]
    {
        let stage = Stage::new();
        stage.sign_in();
        let path = with_windows(&stage, programs);
        let mut command = stage.sekisho(&["console", "dev"]);
        let ran = command.env("WSL_DISTRO_NAME", "Ubuntu").env("PATH", path).output().unwrap();
        let ran = Ran::of(&ran);
        assert!(ran.code == 0 && ran.stderr.contains("is open"), "{fetched_by}: {}", ran.stderr);
        let fetched = until("the page", || std::fs::read_to_string(stage.path("fetched")).ok());
        assert_eq!(fetched, fetched_by);
    }
}

#[test]
fn without_a_browser_of_windows_the_url_is_offered() {
    let stage = Stage::new();
    stage.sign_in();
    let mut command = stage.sekisho(&["console", "dev"]);
    command.env("WSL_DISTRO_NAME", "Ubuntu").env("PATH", "/nonexistent");
    let ran = Ran::of(&command.output().unwrap());
    let why = "wslview or explorer.exe or xdg-open was not found, and BROWSER is not set";
    assert!(ran.code == 1 && ran.stderr.contains(why), "{}", ran.stderr);
    assert!(ran.stderr.contains("--print"), "{}", ran.stderr);
}

#[test]
fn the_clipboard_is_that_of_windows() {
    let stage = Stage::new();
    stage.sign_in();
    let path = with_windows(&stage, &[("clip.exe", CLIP.as_bytes())]);
    let copy = ["console", "dev", "--copy"];
    let (code, said) = in_terminal(&stage, &path, &copy, false).last_words();
    let url = clipped(&stage).unwrap();
    let start = format!("{}/federation?Action=login&", stage.emulator.url());
    assert!(code == 0 && url.starts_with(&start) && url.trim_end() == url, "{url} {said}");
    assert!(said.contains("to the clipboard (clip.exe); anyone who has it"), "{said}");
    assert!(!said.contains("Signin") && !said.contains("\u{1b}]52;"), "{said}");

    // Over ssh it would be the far machine's; and where Windows's programs cannot be started, there is none.
    let no_interop = with_windows(&stage, &[("clip.exe", b"MZ\x90\0")]);
    for (path, ssh) in [(&path, true), (&no_interop, false)] {
        let (code, said) = in_terminal(&stage, path, &copy, ssh).last_words();
        let (_, rest) = said.split_once("\u{1b}]52;c;").unwrap_or_else(|| panic!("{said}"));
        let url = BASE64_STANDARD.decode(rest.split_once('\u{7}').unwrap().0).unwrap();
        assert!(code == 0 && url.starts_with(start.as_bytes()), "{said}");
        assert!(said.contains("to the terminal's clipboard (OSC 52); anyone"), "{said}");
        assert_eq!(clipped(&stage), None);
    }
}

#[test]
fn japanese_reaches_the_clipboard_of_windows() {
    let stage = Stage::with(
        "",
        "  - {name: 開発-田中, id: \"444444444444\", roles: [{name: Developer, path: /dev/}]}\n",
    );
    let path = with_windows(&stage, &[("clip.exe", CLIP.as_bytes())]);
    let mut pty = in_terminal(&stage, &path, &[], false);
    pty.wait_for("Reader");
    pty.send("開発");
    pty.wait_until("the filter", |screen| !screen.contains("Reader"));
    pty.send("\u{19}");
    pty.wait_for("sent to the clipboard: ");
    let copied = until("the clipboard", || clipped(&stage));
    assert!(copied.starts_with("sekisho ") && copied.contains("開発-田中"), "{copied}");
    pty.send("\u{3}");
    assert_eq!(pty.wait(), 130);
}

/// WSL has no Secret Service unless one is installed, and `XDG_RUNTIME_DIR` may name a folder that nobody made.
#[test]
fn without_a_secret_service_the_key_is_kept_in_a_sealed_file() {
    let stage = keys::Stage::new(keys::Key::Auto, keys::Codes::Program);
    std::fs::write(stage.path("key"), format!("{}\n{}\n", keys::KEY, keys::SECRET)).unwrap();
    let wsl = |script: String| {
        let mut builder = stage.in_terminal("/bin/sh", &["-c", &script]);
        builder.env("WSL_DISTRO_NAME", "Ubuntu");
        builder.env("XDG_RUNTIME_DIR", stage.path("nobody-made-it"));
        let mut pty = Pty::spawn(builder);
        pty.attend(|screen| {
            let asks = screen.trim_end();
            let is_passphrase = asks.ends_with("passphrase:") || asks.ends_with("key's file:");
            is_passphrase.then(|| keys::PASSPHRASE.to_owned())
        })
    };
    let (code, said) = wsl(format!("{} key add < key", keys::BINARY));
    let note = "no D-Bus session bus: the key goes into a sealed file";
    assert!(code == 0 && said.contains(note), "{said}");
    let (code, said) =
        wsl(format!("{} exec dev-1 -- sh -c 'echo \"<$SEKISHO_TARGET>\"'", keys::BINARY));
    assert!(code == 0 && said.contains("<dev-1/Developer>"), "{said}");
    let (_, said) = wsl(format!("{} doctor --offline", keys::BINARY));
    assert!(said.contains("a sealed file with a passphrase"), "{said}");
}

#[test]
fn a_clock_that_stood_still_while_the_laptop_slept_is_named() {
    let stage = Stage::new();
    stage.emulator.advance(Duration::from_mins(40));
    let ran = stage.run_with_code(&["credential-process", "dev"]);
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    assert!(ran.stderr.contains("40 minutes behind"), "{}", ran.stderr);
    assert!(ran.stderr.contains("in WSL: sudo hwclock -s"), "{}", ran.stderr);
}
