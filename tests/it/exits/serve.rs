//! `serve`: the endpoint under friends and strangers.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sekisho::emulator::{Injection, Misbehaviour, Times};

use super::stage::{DEADLINE, Stage, until};

/// A child that tells the endpoint and waits for a line.
const TELL: &str = r#"echo "$AWS_CONTAINER_CREDENTIALS_FULL_URI $AWS_CONTAINER_AUTHORIZATION_TOKEN"; read -r line; exit ${line:-7}"#;

struct Served {
    child: Child,
    address: String,
    token: String,
}

impl Served {
    fn new(stage: &Stage) -> Self {
        let mut command = stage.sekisho(&["serve", "dev", "--", "sh", "-c", TELL]);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap())
            .read_line(&mut line)
            .unwrap();
        let (uri, token) = line.trim().split_once(' ').unwrap();
        let address = uri
            .strip_prefix("http://")
            .unwrap()
            .strip_suffix("/credentials")
            .unwrap();
        assert!(
            address.starts_with("127.0.0.1:") && token.len() == 64,
            "{line}"
        );
        Self {
            address: address.to_owned(),
            token: token.to_owned(),
            child,
        }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream
    }

    /// Sends bytes as they are and reads the whole answer.
    fn raw(&self, request: &str) -> String {
        let mut stream = self.connect();
        let _ = stream.write_all(request.as_bytes());
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    }

    fn request(&self, method: &str, path: &str, host: &str, headers: &str) -> String {
        self.raw(&format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\n{headers}\r\n"
        ))
    }

    fn good(&self) -> String {
        self.request(
            "GET",
            "/credentials",
            &self.address,
            &format!("Authorization: {}\r\n", self.token),
        )
    }

    fn end(mut self) -> i32 {
        writeln!(self.child.stdin.take().unwrap(), "5").unwrap();
        self.child.wait().unwrap().code().unwrap()
    }
}

fn document(answer: &str) -> serde_json::Value {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(
        head.starts_with("HTTP/1.1 200 ")
            && head.to_lowercase().contains("cache-control: no-store"),
        "{head}"
    );
    serde_json::from_str(body).unwrap()
}

#[test]
fn the_right_request_is_answered_and_no_other() {
    let stage = Stage::new();
    stage.sign_in();
    let served = Served::new(&stage);
    let found = document(&served.good());
    let keys: Vec<_> = found.as_object().unwrap().keys().collect();
    assert_eq!(
        keys,
        [
            "AccessKeyId",
            "SecretAccessKey",
            "Token",
            "Expiration",
            "AccountId"
        ]
    );
    let secrets = ["SecretAccessKey", "Token", "AccessKeyId"]
        .map(|name| found[name].as_str().unwrap().to_owned());

    let (host, token) = (
        served.address.as_str(),
        format!("Authorization: {}\r\n", served.token),
    );
    let port = host.rsplit(':').next().unwrap();
    let other = format!("localhost:{port}");
    let wrong = format!("Authorization: {}x\r\n", &served.token[..63]);
    let with = |more: &str| format!("{token}{more}\r\n");
    for (status, answer) in [
        (403, served.request("GET", "/credentials", host, "")),
        (403, served.request("GET", "/credentials", host, &wrong)),
        (
            403,
            served.request("GET", "/credentials", host, &format!("{wrong}{token}")),
        ),
        (
            403,
            served.request(
                "GET",
                "/credentials",
                host,
                &format!("Authorization: Bearer {}\r\n", served.token),
            ),
        ),
        // DNS rebinding: a page of evil.example that resolves to us.
        (
            403,
            served.request(
                "GET",
                "/credentials",
                &format!("evil.example:{port}"),
                &token,
            ),
        ),
        (403, served.request("GET", "/credentials", &other, &token)),
        (
            403,
            served.request("GET", "/credentials", "127.0.0.1", &token),
        ),
        (
            403,
            served.request("GET", "/credentials", host, &with(&format!("Host: {host}"))),
        ),
        (
            403,
            served.request("GET", &format!("http://{host}/credentials"), host, &token),
        ),
        (
            403,
            served.raw(&format!("GET /credentials HTTP/1.0\r\n{token}\r\n")),
        ),
        (
            403,
            served.request("GET", "/credentials", host, &with("Origin: null")),
        ),
        (
            403,
            served.request("GET", "/credentials", host, &with("Sec-Fetch-Mode: cors")),
        ),
        (405, served.request("POST", "/credentials", host, &token)),
        (405, served.request("HEAD", "/credentials", host, &token)),
        (405, served.request("OPTIONS", "/credentials", host, &token)),
        (
            400,
            served.raw(&format!(
                "GET /credentials HTTP/1.1\r\nHost: {host}\r\n{token}Content-Length: 4\r\n\r\nbody"
            )),
        ),
        (404, served.request("GET", "/", host, &token)),
        (404, served.request("GET", "/credentials?x=1", host, &token)),
        (
            404,
            served.request("GET", "/credentials/../x", host, &token),
        ),
    ] {
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} "))
                || answer.starts_with(&format!("HTTP/1.0 {status} ")),
            "{status}: {answer}"
        );
        assert!(
            secrets.iter().all(|secret| !answer.contains(secret)),
            "{answer}"
        );
    }
    let long = served.request(
        "GET",
        "/credentials",
        host,
        &with(&format!("X: {}", "x".repeat(100_000))),
    );
    assert!(
        !long.contains(&secrets[0]) && !long.starts_with("HTTP/1.1 200"),
        "{long}"
    );
    assert!(
        !served
            .raw("\u{16}\u{3}\u{1}nonsense\r\n\r\n")
            .contains(&secrets[0])
    );
    document(&served.good());
    assert_eq!(served.end(), 5, "the child's own code");
}

#[test]
fn a_thousand_ask_at_once_and_aws_is_asked_once() {
    let stage = Stage::new();
    stage.sign_in();
    // Forgets the session on the way, so that the first request renews.
    let served = Served::new(&stage);
    let calls = stage.emulator.calls().len();
    let (next, good) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..64 {
            scope.spawn(|| {
                while next.fetch_add(1, Ordering::Relaxed) < 1000 {
                    document(&served.good());
                    good.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    assert_eq!(good.into_inner(), 1000);
    assert_eq!(stage.emulator.calls().len(), calls, "the session was fresh");
    assert_eq!(served.end(), 5);
}

#[test]
fn those_who_wait_are_answered_by_one_call() {
    let stage = Stage::new();
    stage.sign_in();
    let mut served = Served::new(&stage);
    // The sealed sessions go; the auth session among them would be missed, so only dev's is taken.
    let forget = stage.path(".local/state/sekisho/sessions");
    let roles: Vec<_> = std::fs::read_dir(&forget)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert!(!roles.is_empty());
    for path in roles
        .iter()
        .filter(|path| path.file_name().unwrap().to_str().unwrap().contains("role"))
    {
        std::fs::remove_file(path).unwrap();
    }
    let entered = || {
        stage
            .emulator
            .calls()
            .iter()
            .filter(|call| call.action == "AssumeRole")
            .count()
    };
    let before = entered();
    stage.emulator.inject(Injection {
        action: Some("AssumeRole".into()),
        times: Times::UntilCleared,
        what: Misbehaviour::Latency(Duration::from_millis(300)),
    });
    std::thread::scope(|scope| {
        for _ in 0..20 {
            scope.spawn(|| document(&served.good()));
        }
    });
    assert_eq!(entered(), before + 1);
    // The child is killed: the endpoint ends with it, and its code is told as a shell would.
    served.child.stdin.take();
    let status = served.child.wait().unwrap();
    assert_eq!(status.code(), Some(7));
    assert!(TcpStream::connect(&served.address).is_err());
}

#[test]
fn strangers_who_never_finish_do_not_keep_friends_waiting() {
    let stage = Stage::new();
    stage.sign_in();
    let served = Served::new(&stage);
    let mut slow: Vec<TcpStream> = (0..200).map(|_| served.connect()).collect();
    for stream in &mut slow {
        let _ = stream.write_all(b"GET /cred");
    }
    // And one that asks rightly and never reads.
    let mut silent = served.connect();
    let request = format!(
        "GET /credentials HTTP/1.1\r\nHost: {}\r\nAuthorization: {}\r\n\r\n",
        served.address, served.token
    );
    silent.write_all(request.as_bytes()).unwrap();
    document(&served.good());
    let gone = until("the slow ones being sent away", || {
        let mut byte = [0];
        let ended = slow
            .iter_mut()
            .all(|stream| matches!(stream.read(&mut byte), Ok(0) | Err(_)) || byte[0] != 0);
        ended.then_some(true)
    });
    assert!(gone);
    let _ = silent.shutdown(Shutdown::Both);
    assert_eq!(served.end(), 5);
}

#[test]
fn where_a_code_is_needed_it_says_so_and_asks_nobody() {
    let stage = Stage::new();
    stage.sign_in();
    let served = Served::new(&stage);
    stage.forget();
    let answer = served.good();
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(
        answer.contains("needs an MFA code") && answer.contains("sekisho login"),
        "{answer}"
    );
    assert_eq!(served.end(), 5);
}

#[test]
fn the_child_has_no_static_credentials() {
    let stage = Stage::new();
    stage.sign_in();
    let ran = stage.run(&["serve", "dev", "--", "env"]).said();
    assert!(
        !ran.contains("AWS_ACCESS_KEY_ID") && !ran.contains("AWS_SESSION_TOKEN="),
        "{ran}"
    );
    assert!(
        ran.contains("SEKISHO_TARGET=dev/Developer") && ran.contains("AWS_REGION=eu-west-1"),
        "{ran}"
    );
    assert_eq!(
        stage.run(&["serve", "dev", "--", "no-such-program"]).code,
        127
    );
    assert_eq!(stage.run(&["serve", "prod", "--", "true"]).code, 4);
}

#[test]
fn a_subshell_may_be_served_too() {
    let Some(_) = crate::support::program("bash") else {
        return;
    };
    let stage = Stage::with("renew: serve\nshell: bash", "");
    stage.sign_in();
    let mut builder = crate::pty::terminal::command(env!("CARGO_BIN_EXE_sekisho"), stage.home());
    for (name, value) in stage.sekisho(&[]).get_envs() {
        builder.env(name, value.unwrap_or_default());
    }
    builder.args(["shell", "dev"]);
    let mut pty = crate::pty::terminal::Pty::spawn(builder);
    pty.wait_for("[dev/Developer]");
    pty.line("curl -s -H \"Authorization: $AWS_CONTAINER_AUTHORIZATION_TOKEN\" \"$AWS_CONTAINER_CREDENTIALS_FULL_URI\" > got; echo K${AWS_ACCESS_KEY_ID-none}");
    pty.wait_for("Knone");
    assert!(stage.read("got").starts_with(b"{\"AccessKeyId\":\"ASIA"));
    pty.line("exit 3");
    assert_eq!(pty.wait(), 3);
}
