//! Which of AWS's own hosts are called: the first request goes through a proxy that only notes where to.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use super::home::{Home, Said};
use crate::emulator::stage::PHONE;

/// A proxy that connects nobody.
struct Proxy {
    url: String,
    asked: mpsc::Receiver<String>,
}

impl Proxy {
    fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (note, asked) = mpsc::channel();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut line = String::new();
                let _ = BufReader::new(&stream).read_line(&mut line);
                let _ = note.send(line);
                let _ = stream.write_all(b"HTTP/1.1 502 Bad Gateway\r\n\r\n");
            }
        });
        Self { url, asked }
    }

    /// The host that was asked for next.
    fn host(&self) -> String {
        let line = self.asked.recv_timeout(Duration::from_mins(1)).unwrap();
        let host = line.strip_prefix("CONNECT ").and_then(|rest| rest.split(' ').next());
        host.unwrap_or_else(|| panic!("{line}")).to_owned()
    }
}

/// A config for AWS itself; without `mfa` IAM is asked for the devices.
fn configure(home: &Home, region: &str, mfa: &str) {
    home.write(&format!(
        "version: 1\nauth: {{account: \"111111111111\", user: alice, key: env, region: {region}{mfa}}}\n\
         store: none\naccounts: [{{name: dev, id: \"222222222222\", roles: [Developer]}}]\n"
    ));
}

fn enter(home: &Home, change: impl FnOnce(&mut Command)) -> Option<Said> {
    let mut command = home.command(&["--mfa-code", "-", "exec", "dev", "--", "true"])?;
    change(&mut command);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let _ = child.stdin.take().unwrap().write_all(b"123456\n");
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let code = output.status.code().unwrap();
    Some(Said { code, stdout: text(output.stdout), stderr: text(output.stderr) })
}

#[test]
fn the_variables_for_fips_and_dual_stack_are_obeyed() {
    let (home, proxy) = (Home::new(), Proxy::start());
    let mfa = format!(", mfa: [{{serial: \"{PHONE}\"}}]");
    let (fips, dual) = ("AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT");
    for (region, variables, host) in [
        ("us-east-2", &[][..], "sts.us-east-2.amazonaws.com"),
        ("us-east-2", &[(fips, "false"), (dual, "")], "sts.us-east-2.amazonaws.com"),
        ("us-east-2", &[(fips, "true")], "sts-fips.us-east-2.amazonaws.com"),
        ("ap-northeast-1", &[(dual, "TRUE")], "sts.ap-northeast-1.api.aws"),
        ("us-east-2", &[(fips, "true"), (dual, "true")], "sts-fips.us-east-2.api.aws"),
        ("us-gov-west-1", &[(fips, "true")], "sts.us-gov-west-1.amazonaws.com"),
    ] {
        configure(&home, region, &mfa);
        let said = enter(&home, |command| {
            command.env("HTTPS_PROXY", &proxy.url).envs(variables.iter().copied());
        });
        let Some(said) = said else { return };
        assert_eq!(proxy.host(), format!("{host}:443"));
        assert_eq!(said.code, 1, "{}", said.stderr);
        assert!(said.stderr.contains("the proxy did not connect"), "{}", said.stderr);
    }
    configure(&home, "us-east-2", "");
    for (variable, host) in [(fips, "iam-fips.amazonaws.com"), (dual, "iam.global.api.aws")] {
        enter(&home, |command| {
            command.env("HTTPS_PROXY", &proxy.url).env(variable, "true");
        });
        assert_eq!(proxy.host(), format!("{host}:443"));
    }
}

#[test]
fn a_child_calls_the_emulator_that_its_session_is_of() {
    let home = Home::new();
    let show = ["exec", "dev", "--", "sh", "-c", "echo ${AWS_ENDPOINT_URL-none}"];
    let arguments = [&["--mfa-code", "-"], &show[..]].concat();
    let Some(said) = home.run_with_code(&arguments) else { return };
    assert_eq!(said.stdout, "http://127.0.0.1:PORT\n", "{}", said.stderr);
    home.emulator.advance(Duration::from_secs(30));
    let mut command = home.command(&arguments).unwrap();
    command.env("AWS_ENDPOINT_URL", "http://localhost:4566");
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(home.code().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.stdout, b"http://localhost:4566\n", "one's own stays");
}
