//! `console`: the sign-in URL, and how it travels.

use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use base64::prelude::{BASE64_STANDARD, Engine};
use sekisho::emulator::{FaultInjection, Injection, Times};

use super::stage::{Ran, Stage, until};
use crate::emulator::stage::PHONE;
use crate::pty::terminal::{Pty, command};
use crate::support::{as_nobody, program, without_terminal};

/// Notes its arguments and waits until it is told to fetch.
const BROWSER: &str = "#!/bin/sh\n\
    printf '%s\\n' \"$@\" > arguments.tmp; env > environment; mv arguments.tmp arguments\n\
    while ! [ -e go ]; do sleep 0.05; done\n\
    curl -s -o page -w '%{http_code} %{redirect_url}\\n' \"$1\" > fetched.tmp\n\
    curl -s -o page -w '%{http_code}\\n' \"$1\" > again.tmp || true\n\
    mv again.tmp again; mv fetched.tmp fetched\n";

fn stage() -> Stage {
    let stage = Stage::new();
    stage.sign_in();
    prepare_browser(&stage);
    stage
}

fn prepare_browser(stage: &Stage) {
    stage.write("browser", BROWSER);
    std::fs::set_permissions(stage.path("browser"), std::fs::Permissions::from_mode(0o755))
        .unwrap();
}

/// Every argument list on this machine.
fn all_arguments() -> Vec<u8> {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let lists = processes.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    lists.collect::<Vec<_>>().concat()
}

#[test]
fn the_browser_gets_a_link_that_works_once_and_no_url_is_ever_an_argument() {
    let Some(_) = program("curl") else { return };
    let stage = stage();
    let mut command = stage.sekisho(&["console", "dev", "--service", "cloudformation"]);
    command.env("BROWSER", format!("{} %s --account", stage.path("browser").display()));
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let arguments = until("the browser", || std::fs::read_to_string(stage.path("arguments")).ok());
    let arguments: Vec<&str> = arguments.lines().collect();
    let [link, "--account"] = arguments[..] else { panic!("{arguments:?}") };
    let port = link.strip_prefix("http://127.0.0.1:").unwrap().split('/').next().unwrap();
    // The right port is not enough, and a page that leads here is refused.
    let curl = |arguments: &[&str]| {
        let mut command = stage.program("curl");
        command.args(["-s", "-o", "/dev/null", "-w", "%{http_code}"]).args(arguments);
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    };
    assert_eq!(curl(&[&format!("http://127.0.0.1:{port}/")]), "404");
    assert_eq!(curl(&["-H", "Sec-Fetch-Site: cross-site", link]), "403");
    assert_eq!(curl(&["-H", "Host: evil.example", link]), "403");
    let seen = all_arguments();
    stage.write("go", "");
    let ran = Ran::of(&child.wait_with_output().unwrap());
    assert_eq!((ran.code, ran.stdout.as_str()), (0, ""), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("the console of dev/Developer is open, and the console ends at "),
        "{}",
        ran.stderr
    );
    let fetched = until("the page", || std::fs::read_to_string(stage.path("fetched")).ok());
    let again = String::from_utf8(stage.read("again")).unwrap();
    assert!(!again.starts_with("303"), "the link works once: {again}");
    let (status, url) = fetched.trim().split_once(' ').unwrap();
    assert_eq!(status, "303");
    let start =
        format!("{}/federation?Action=login&Issuer=sekisho&Destination=", stage.emulator.url());
    let rest = url.strip_prefix(&start).unwrap_or_else(|| panic!("{url}"));
    let (destination, token) = rest.split_once("&SigninToken=").unwrap();
    assert_eq!(
        destination,
        "https%3A%2F%2Fconsole.aws.amazon.com%2Fcloudformation%2Fhome%3Fregion%3Deu-west-1"
    );
    let text = String::from_utf8_lossy(&seen);
    assert!(text.contains(link), "the look at the arguments sees the browser's");
    assert!(!text.contains("SigninToken") && !text.contains(token));
    let environment = String::from_utf8(stage.read("environment")).unwrap();
    assert!(!environment.contains("AWS_ACCESS_KEY_ID"), "{environment}");
    let call = stage.emulator.calls().into_iter().find(|call| call.service == "signin").unwrap();
    assert_eq!((call.action.as_str(), call.status), ("getSigninToken", Some(200)));
}

/// Asks for the link and is gone before the answer, again and again.
const BURNER: &str = "\
import socket, struct, sys
port, path = int(sys.argv[1]), sys.argv[2]
for n in range(60):
    s = socket.create_connection(('127.0.0.1', port))
    s.sendall(('GET /%s HTTP/1.1\\r\\nHost: 127.0.0.1\\r\\n\\r\\n' % path).encode())
    if n % 2:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    s.close()
";

#[test]
fn another_user_who_reads_the_link_can_neither_follow_nor_burn_it() {
    let (Some(mut follow), Some(mut burn)) = (as_nobody("curl"), as_nobody("python3")) else {
        return;
    };
    let stage = stage();
    let mut command = stage.sekisho(&["console", "dev"]);
    command.env("BROWSER", stage.path("browser"));
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let arguments = until("the browser", || std::fs::read_to_string(stage.path("arguments")).ok());
    let link = arguments.trim();
    let (port, path) = link.strip_prefix("http://127.0.0.1:").unwrap().split_once('/').unwrap();
    let followed = follow.args(["-s", "-i", link]).output().unwrap();
    assert!(!followed.status.success() && followed.stdout.is_empty(), "{followed:?}");
    let burnt = burn.args(["-c", BURNER, port, path]).status().unwrap();
    assert!(burnt.success());
    assert!(child.try_wait().unwrap().is_none(), "it is not said to be open");
    stage.write("go", "");
    let ran = Ran::of(&child.wait_with_output().unwrap());
    assert!(ran.code == 0 && ran.stderr.contains("is open"), "{}", ran.stderr);
    let fetched = until("the page", || std::fs::read_to_string(stage.path("fetched")).ok());
    assert!(fetched.starts_with("303 "), "{fetched}");
}

#[test]
fn the_url_is_printed_on_demand_in_either_flow() {
    let stage = stage();
    let shared = stage.run(&["console", "dev", "--print"]);
    assert!(shared.stderr.contains("anyone with this URL"), "{}", shared.stderr);
    let url = shared.said();
    assert!(url.starts_with(&stage.emulator.url()) && url.lines().count() == 1, "{url}");
    // A code works once; the emulator's device shows the next one after its step.
    stage.emulator.advance(std::time::Duration::from_secs(30));
    let code = stage.emulator.code(PHONE).unwrap();
    let mut direct = stage.sekisho(&["console", "dev/Reader", "--print", "--mfa-code", "-"]);
    let mut child =
        direct.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), format!("{code}\n").as_bytes())
        .unwrap();
    let url = Ran::of(&child.wait_with_output().unwrap()).said();
    assert!(url.contains("region%3Dus-west-2"), "{url}");
    // The emulator refuses a SessionDuration for chained sessions, as AWS does: both passed.
    assert_eq!(stage.emulator.calls().iter().filter(|call| call.service == "signin").count(), 2);
}

/// Goes where it is led, and notes what came of it.
const FOLLOW: &str = "#!/bin/sh\n\
    curl -s -L -o page -w '%{num_redirects} %{url_effective}\\n' \"$1\" > fetched.tmp; mv fetched.tmp fetched\n";

#[test]
fn a_browser_is_signed_in_and_before_that_signed_out_on_demand() {
    let Some(_) = program("curl") else { return };
    let stage = stage();
    stage.write("browser", FOLLOW);
    for (arguments, redirects, actions) in [
        (&["console", "dev"][..], 1, &["getSigninToken", "login"][..]),
        (&["console", "dev", "--sign-out"], 2, &["getSigninToken", "logout", "login"]),
    ] {
        let _ = std::fs::remove_file(stage.path("fetched"));
        let known = stage.emulator.calls().len();
        let mut command = stage.sekisho(arguments);
        let ran = Ran::of(&command.env("BROWSER", stage.path("browser")).output().unwrap());
        assert!(ran.code == 0 && ran.stderr.contains("is open"), "{}", ran.stderr);
        let fetched = until("the page", || std::fs::read_to_string(stage.path("fetched")).ok());
        let login = format!("{redirects} {}/federation?Action=login&", stage.emulator.url());
        assert!(fetched.starts_with(&login), "{fetched}");
        let page = String::from_utf8(stage.read("page")).unwrap();
        let role = "signed in as arn:aws:iam::222222222222:role/dev/Developer";
        assert!(page.contains(role) && page.contains("console/home?region=eu-west-1"), "{page}");
        let calls = stage.emulator.calls().into_iter().skip(known);
        let done: Vec<String> =
            calls.filter(|call| call.service == "signin").map(|call| call.action).collect();
        assert_eq!(done, actions);
    }
    let url = stage.run(&["console", "dev", "--sign-out", "--print"]).said();
    let start = format!("{}/oauth?Action=logout&redirect_uri=http%3A%2F%2F", stage.emulator.url());
    assert!(url.starts_with(&start) && url.lines().count() == 1, "{url}");
}

#[test]
fn the_url_goes_into_the_clipboard_of_the_terminal_and_is_not_shown() {
    let stage = stage();
    let mut builder = command(env!("CARGO_BIN_EXE_sekisho"), stage.home());
    for (name, value) in stage.sekisho(&[]).get_envs() {
        builder.env(name, value.unwrap_or_default());
    }
    // Over ssh no browser would open: this needs none.
    builder.env("SSH_CONNECTION", "192.0.2.1 5 192.0.2.2 22");
    builder.args(["console", "dev", "--copy"]);
    let mut pty = Pty::spawn(builder);
    let (code, said) = pty.last_words();
    let (before, rest) = said.split_once("\u{1b}]52;c;").unwrap_or_else(|| panic!("{said}"));
    let (encoded, after) = rest.split_once('\u{7}').unwrap();
    let url = String::from_utf8(BASE64_STANDARD.decode(encoded).unwrap()).unwrap();
    let start = format!("{}/federation?Action=login&", stage.emulator.url());
    assert!(url.starts_with(&start) && url.trim_end() == url, "{url}");
    let shown = format!("{before}{after}").replace("\r\n", "\n");
    assert!(!shown.contains("Signin") && shown.contains("valid for 15 minutes"), "{shown}");
    assert_eq!(code, 0);

    let signins = || stage.emulator.calls().iter().filter(|call| call.service == "signin").count();
    let known = signins();
    for (term, why) in [("dumb", "TERM is \"dumb\""), ("xterm", "/dev/tty: ")] {
        let copying = stage.sekisho(&["console", "dev", "--copy"]);
        let Some(mut nowhere) = without_terminal(&copying) else { return };
        let ran = Ran::of(&nowhere.env("TERM", term).output().unwrap());
        assert!(ran.code == 1 && ran.stderr.contains(why), "{}", ran.stderr);
        assert!(ran.stdout.is_empty() && ran.stderr.contains("--print"), "{}", ran.stderr);
    }
    assert_eq!(signins(), known, "no URL is made where nothing can take it");
    assert_eq!(stage.run(&["console", "dev", "--copy", "--print"]).code, 2);
}

#[test]
fn in_a_subshell_it_is_the_console_of_its_own_session() {
    let stage = stage();
    let sekisho = env!("CARGO_BIN_EXE_sekisho");
    let console = [sekisho, "console", "--print", "--service", "s3/buckets/x"];
    // A guarded account, too: this is no new entry.
    let inside = ["exec", "prod", "--confirm", "prod", "--"];
    let url = stage.run(&[&inside[..], &console].concat()).said();
    assert!(url.contains("%2Fs3%2Fbuckets%2Fx%3Fregion%3Deu-west-1&"), "{url}");
    // A variable alone makes no subshell.
    let mut command = stage.sekisho(&console[1..]);
    let claimed = Ran::of(&command.env("SEKISHO_TARGET", "prod/Developer").output().unwrap());
    assert_ne!(claimed.code, 0, "{}", claimed.stdout);
    let outside = stage.run(&console[1..]);
    assert!(outside.code == 2 && outside.stderr.contains("sekisho console"), "{}", outside.stderr);
    let elsewhere = stage.run(&["console", "dev", "--print", "--service", "https://evil.example/"]);
    assert_eq!((elsewhere.code, elsewhere.stdout.as_str()), (2, ""));
}

#[test]
fn a_browser_in_the_home_gets_values_encoded_where_they_stand_in_another_url() {
    let Some(_) = program("curl") else { return };
    let stage = Stage::with(
        r#"browser: ["~/browser", "{url}", "--name={name}", "ext+container:name={name}&url={url}"]"#,
        "",
    );
    stage.sign_in();
    prepare_browser(&stage);
    stage.write("go", "");
    let ran = stage.run(&["console", "dev"]);
    assert!(ran.code == 0 && ran.stderr.contains("is open"), "{}", ran.stderr);
    let arguments = String::from_utf8(stage.read("arguments")).unwrap();
    let arguments: Vec<&str> = arguments.lines().collect();
    let [link, "--name=dev/Developer", container] = arguments[..] else { panic!("{arguments:?}") };
    let encoded = link.replace(':', "%3A").replace('/', "%2F");
    assert_eq!(container, format!("ext+container:name=dev%2FDeveloper&url={encoded}"));
}

#[test]
fn no_fault_shows_a_secret() {
    let stage = stage();
    let mut document = stage.run(&["credential-process", "dev"]).said();
    document.retain(|c| c != '\n');
    let document: serde_json::Value = serde_json::from_str(&document).unwrap();
    let page = |body: &str| FaultInjection::Raw { status: 200, body: body.as_bytes().to_vec() };
    for misbehaviour in [
        FaultInjection::Reset,
        FaultInjection::Garbage,
        FaultInjection::ServerError(500),
        page("<html>sign in to the network"),
        page("{\"SigninToken\": \"\"}"),
        page("{\"SigninToken\": \"a\\nb\"}"),
    ] {
        stage.emulator.clear();
        stage.emulator.inject(Injection {
            action: Some("getSigninToken".into()),
            times: Times::UntilCleared,
            what: misbehaviour.clone(),
        });
        let ran = stage.run(&["console", "dev", "--print", "-vv"]);
        assert!(
            [1, 3].contains(&ran.code) && ran.stdout.is_empty(),
            "{misbehaviour:?}: {}",
            ran.stderr
        );
        assert!(ran.stderr.contains("fix"), "{}", ran.stderr);
        for name in ["SecretAccessKey", "SessionToken"] {
            assert!(!ran.stderr.contains(document[name].as_str().unwrap()), "{}", ran.stderr);
        }
        assert!(
            !ran.stderr.contains("SigninToken") && !ran.stderr.contains("Session="),
            "{}",
            ran.stderr
        );
    }
}

#[test]
fn over_ssh_and_without_a_browser_the_url_is_offered() {
    let stage = stage();
    let run = |change: &dyn Fn(&mut Command)| {
        let mut command = stage.sekisho(&["console", "dev"]);
        change(&mut command);
        Ran::of(&command.output().unwrap())
    };
    let ssh = run(&|command| {
        command.env("SSH_CONNECTION", "192.0.2.1 5 192.0.2.2 22");
    });
    assert_eq!((ssh.code, ssh.stdout.as_str()), (1, ""));
    insta::assert_snapshot!(ssh.stderr, @r#"
    sekisho: cannot open a browser
       why  this is an ssh session: the browser would open on this machine, not on yours
       fix  sekisho console TARGET --print    (for 15 minutes, anyone with the URL can sign in)
       fix  sekisho console TARGET --copy     (the same, into your terminal's clipboard)
       fix  set `browser` in the config: [firefox, "{url}"]
    "#);
    let none = run(&|command| {
        command.env("PATH", "/nonexistent");
    });
    assert!(none.code == 1 && none.stderr.contains("--print"), "{}", none.stderr);
    let fails = run(&|command| {
        command.env("BROWSER", "false");
    });
    assert!(fails.code == 1 && fails.stderr.contains("--print"), "{}", fails.stderr);
    let wrong = stage.run(&["console", "dev", "--service", "../x"]);
    assert_eq!(wrong.code, 2);
}

#[test]
fn the_list_opens_consoles_too() {
    let Some(_) = program("curl") else { return };
    let stage = stage();
    stage.write("go", "");
    let mut builder = command(env!("CARGO_BIN_EXE_sekisho"), stage.home());
    for (name, value) in stage.sekisho(&[]).get_envs() {
        builder.env(name, value.unwrap_or_default());
    }
    builder.env("BROWSER", stage.path("browser"));
    let mut pty = Pty::spawn(builder);
    pty.wait_for("Reader");
    pty.send("developer dev");
    pty.wait_until("the filter", |screen| !screen.contains("Reader"));
    pty.send("\u{f}");
    pty.wait_for("the console of dev/Developer is open");
    pty.send("\u{3}");
    assert_eq!(pty.wait(), 130);
    let arguments = String::from_utf8(stage.read("arguments")).unwrap();
    assert!(arguments.starts_with("http://127.0.0.1:"), "{arguments}");
    assert!(!pty.transcript().contains("SigninToken"));
}
