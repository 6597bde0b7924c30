//! `serve`: the endpoint under friends and strangers.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sekisho::emulator::{FaultInjection, Injection, Times};

use super::stage::{DEADLINE, Stage, until};
use crate::pty::terminal::{Pty, command};
use crate::support::{as_nobody, hear_signals, program};

/// A child that tells the endpoint and waits for a line.
const TELL: &str = r#"echo "$AWS_CONTAINER_CREDENTIALS_FULL_URI $AWS_CONTAINER_AUTHORIZATION_TOKEN"; read -r line; exit ${line:-7}"#;

pub struct Served {
    child: Child,
    address: String,
    token: String,
}

impl Served {
    pub fn new(stage: &Stage) -> Self {
        let mut command = stage.sekisho(&["serve", "dev", "--", "sh", "-c", TELL]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let (uri, token) = line.trim().split_once(' ').unwrap();
        let address = uri.strip_prefix("http://").unwrap().strip_suffix("/credentials").unwrap();
        assert!(address.starts_with("127.0.0.1:") && token.len() == 64, "{line}");
        Self { address: address.to_owned(), token: token.to_owned(), child }
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
        self.raw(&format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\n{headers}\r\n"))
    }

    pub fn good(&self) -> String {
        self.request(
            "GET",
            "/credentials",
            &self.address,
            &format!("Authorization: {}\r\n", self.token),
        )
    }

    fn end(self) -> i32 {
        self.ended().0
    }

    /// The exit code, and what was said on stderr.
    pub fn ended(mut self) -> (i32, String) {
        writeln!(self.child.stdin.take().unwrap(), "5").unwrap();
        let output = self.child.wait_with_output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
    }
}

pub fn document(answer: &str) -> serde_json::Value {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(
        head.starts_with("HTTP/1.1 200 ")
            && head.to_lowercase().contains("cache-control: no-store"),
        "{head}"
    );
    serde_json::from_str(body).unwrap()
}

/// What is answered to whom: status, method, path, Host, then headers.
const REQUESTS: &str = "
    200 GET /credentials HERE TOKEN
    403 GET /credentials HERE
    403 GET /credentials HERE WRONG
    403 GET /credentials HERE WRONG TOKEN
    403 GET /credentials HERE BEARER
    403 GET /credentials evil.example:PORT TOKEN
    200 GET /credentials localhost:PORT TOKEN
    200 GET /credentials 127.0.0.1 TOKEN
    200 GET /credentials [::1]:1 TOKEN
    200 GET /credentials localhost TOKEN
    403 GET /credentials localhost
    403 GET /credentials localhost.evil.example TOKEN
    403 GET /credentials 127.0.0.1.evil.example:PORT TOKEN
    403 GET /credentials 127.0.0.1:x TOKEN
    403 GET /credentials 127.0.0.1: TOKEN
    403 GET /credentials 127.0.0.2 TOKEN
    403 GET /credentials HERE TOKEN Host:HERE
    403 GET http://HERE/credentials HERE TOKEN
    403 GET /credentials HERE TOKEN Origin:null
    403 GET /credentials HERE TOKEN Origin:http://HERE
    403 GET /credentials HERE TOKEN Sec-Fetch-Mode:cors
    403 GET /credentials HERE TOKEN Sec-Fetch-Site:none
    405 POST /credentials HERE TOKEN
    405 HEAD /credentials HERE TOKEN
    405 OPTIONS /credentials HERE TOKEN
    400 GET /credentials HERE TOKEN Content-Length:4
    400 GET /credentials HERE TOKEN Transfer-Encoding:chunked
    404 GET / HERE TOKEN
    404 GET /credentials?x=1 HERE TOKEN
    404 GET /credentials/../x HERE TOKEN
    200 GET /credentials HERE TOKEN";

#[test]
fn the_right_request_is_answered_and_no_other() {
    let stage = Stage::new();
    stage.sign_in();
    let served = Served::new(&stage);
    let found = document(&served.good());
    let keys: Vec<&String> = found.as_object().unwrap().keys().collect();
    assert_eq!(keys[..3], ["AccessKeyId", "SecretAccessKey", "Token"]);
    assert_eq!(keys[3..], ["Expiration", "AccountId"]);
    let secrets: Vec<&str> = keys[..3].iter().map(|key| found[*key].as_str().unwrap()).collect();
    let leaks = |answer: &str| secrets.iter().any(|secret| answer.contains(secret));

    let port = served.address.rsplit(':').next().unwrap();
    let filled = REQUESTS.replace("HERE", &served.address).replace("PORT", port);
    for line in filled.trim().lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [status, method, path, host, ref headers @ ..] = words[..] else {
            panic!("{line}");
        };
        let header = |word: &&str| match *word {
            "TOKEN" => format!("Authorization: {}\r\n", served.token),
            "WRONG" => format!("Authorization: {}x\r\n", &served.token[..63]),
            "BEARER" => format!("Authorization: Bearer {}\r\n", served.token),
            other => format!("{}\r\n", other.replacen(':', ": ", 1)),
        };
        let headers: String = headers.iter().map(header).collect();
        let answer = served.request(method, path, host, &headers);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{line}: {answer}");
        assert_eq!(leaks(&answer), status == "200", "{line}: {answer}");
    }
    let token = format!("Authorization: {}\r\n", served.token);
    for raw in [
        format!("GET /credentials HTTP/1.0\r\n{token}\r\n"),
        format!(
            "GET /credentials HTTP/1.1\r\nHost: {}\r\n{token}X: {}\r\n\r\n",
            served.address,
            "x".repeat(100_000)
        ),
        "\u{16}\u{3}\u{1}nonsense\r\n\r\n".to_owned(),
    ] {
        let answer = served.raw(&raw);
        assert!(!answer.contains(" 200 ") && !leaks(&answer), "{answer}");
    }
    document(&served.good());
    assert_eq!(served.end(), 5, "the child's own code");
}

#[test]
fn a_thousand_ask_at_once() {
    let stage = Stage::new();
    stage.sign_in();
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
    let roles: Vec<_> =
        std::fs::read_dir(&forget).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(!roles.is_empty());
    for path in
        roles.iter().filter(|path| path.file_name().unwrap().to_str().unwrap().contains("role"))
    {
        std::fs::remove_file(path).unwrap();
    }
    let entered =
        || stage.emulator.calls().iter().filter(|call| call.action == "AssumeRole").count();
    let before = entered();
    stage.emulator.inject(Injection {
        action: Some("AssumeRole".into()),
        times: Times::UntilCleared,
        what: FaultInjection::Latency(Duration::from_millis(300)),
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
fn connections_that_never_finish_do_not_keep_others_waiting() {
    let stage = Stage::new();
    stage.sign_in();
    let served = Served::new(&stage);
    let mut slow: Vec<TcpStream> = (0..400).map(|_| served.connect()).collect();
    for stream in &mut slow {
        let _ = stream.write_all(b"GET /cred");
    }
    document(&served.good());
    // It was not because of their time being over.
    for stream in &mut slow[200..] {
        stream.set_nonblocking(true).unwrap();
        let open = stream.read(&mut [0]).map_err(|error| error.kind());
        assert_eq!(open, Err(std::io::ErrorKind::WouldBlock));
        stream.set_nonblocking(false).unwrap();
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

/// Opens 400 connections that ask nothing, then asks with the right token, and prints what it got.
const STRANGER: &str = "\
import socket, sys
port, token = int(sys.argv[1]), sys.argv[2]
def connect(family, address):
    s = socket.socket(family)
    s.settimeout(60)
    s.connect((address, port))
    return s
idle = [connect(socket.AF_INET, '127.0.0.1') for _ in range(400)]
got = b''
for family, address in (socket.AF_INET, '127.0.0.1'), (socket.AF_INET6, '::ffff:127.0.0.1'):
    try:
        s = connect(family, address)
        s.sendall(('GET /credentials HTTP/1.1\\r\\nHost: 127.0.0.1\\r\\nAuthorization: %s\\r\\n\\r\\n' % token).encode())
        while part := s.recv(4096):
            got += part
    except ConnectionError:
        pass
print('got', got, flush=True)
sys.stdin.readline()
";

#[test]
fn another_user_gets_nothing_even_with_the_token_and_keeps_nobody_waiting() {
    let Some(mut stranger) = as_nobody("python3") else { return };
    let stage = Stage::new();
    stage.sign_in();
    let served = Served::new(&stage);
    let port = served.address.rsplit(':').next().unwrap();
    stranger.args(["-c", STRANGER, port, &served.token]);
    let mut stranger = stranger.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut got = String::new();
    BufReader::new(stranger.stdout.as_mut().unwrap()).read_line(&mut got).unwrap();
    assert_eq!(got, "got b''\n");
    document(&served.good());
    drop(stranger.stdin.take());
    stranger.wait().unwrap();
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
    assert!(answer.contains("needs an MFA code") && answer.contains("sekisho login"), "{answer}");
    assert_eq!(served.end(), 5);
}

#[test]
fn the_child_has_no_static_credentials() {
    let stage = Stage::new();
    stage.sign_in();
    let ran = stage.run(&["serve", "dev", "--", "env"]).said();
    assert!(!ran.contains("AWS_ACCESS_KEY_ID") && !ran.contains("AWS_SESSION_TOKEN="), "{ran}");
    assert!(
        ran.contains("SEKISHO_TARGET=dev/Developer") && ran.contains("AWS_REGION=eu-west-1"),
        "{ran}"
    );
    assert_eq!(stage.run(&["serve", "dev", "--", "no-such-program"]).code, 127);
    assert_eq!(stage.run(&["serve", "prod", "--", "true"]).code, 4);
}

#[test]
fn a_subshell_may_be_served_too() {
    let (Some(_), Some(_)) = (program("bash"), program("curl")) else {
        return;
    };
    let stage = Stage::with("renew: serve\nshell: bash", "");
    stage.sign_in();
    let mut builder = command(env!("CARGO_BIN_EXE_sekisho"), stage.home());
    for (name, value) in stage.sekisho(&[]).get_envs() {
        builder.env(name, value.unwrap_or_default());
    }
    builder.args(["shell", "dev"]);
    let mut pty = Pty::spawn(builder);
    pty.wait_for("[dev/Developer]");
    pty.line("curl -s -H \"Authorization: $AWS_CONTAINER_AUTHORIZATION_TOKEN\" \"$AWS_CONTAINER_CREDENTIALS_FULL_URI\" > got; echo K${AWS_ACCESS_KEY_ID-none}");
    pty.wait_for("Knone");
    assert!(stage.read("got").starts_with(b"{\"AccessKeyId\":\"ASIA"));
    pty.line("exit 3");
    assert_eq!(pty.wait(), 3);
}

/// Starts `serve` under a shell line that ends in `exec`, with a child that tells when it is ready.
fn with_child(stage: &Stage, before: &str, script: &str) -> Option<Child> {
    let shell = program("sh")?;
    let line =
        format!("{before}exec {} serve dev -- sh -c '{script}'", env!("CARGO_BIN_EXE_sekisho"));
    let mut command = stage.program(shell);
    command.args(["-c", &line]).env("AWS_ACCESS_KEY_ID", crate::emulator::stage::KEY);
    command.env("AWS_SECRET_ACCESS_KEY", crate::emulator::stage::SECRET);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut ready = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut ready).unwrap();
    assert_eq!(ready, "ready\n");
    Some(child)
}

fn send(child: &Child, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_child(child);
    rustix::process::kill_process(pid, signal).unwrap();
}

#[test]
fn a_supervisors_signals_reach_the_child() {
    use rustix::process::Signal;
    hear_signals();
    let stage = Stage::new();
    stage.sign_in();
    for (name, signal) in [
        ("TERM", Signal::TERM),
        ("HUP", Signal::HUP),
        ("USR1", Signal::USR1),
        ("USR2", Signal::USR2),
        ("INT", Signal::INT),
        ("QUIT", Signal::QUIT),
        ("WINCH", Signal::WINCH),
    ] {
        let script = format!("trap \"exit 9\" {name}; echo ready; while :; do sleep 0.05; done");
        let Some(mut child) = with_child(&stage, "", &script) else { return };
        send(&child, signal);
        assert_eq!(child.wait().unwrap().code(), Some(9), "{name}");
    }
}

#[test]
fn programs_that_outlive_the_child_are_named() {
    if !cfg!(target_os = "linux") {
        return;
    }
    let stage = Stage::new();
    stage.sign_in();
    let start = "sleep 1000 > /dev/null 2>&1 < /dev/null & echo $!";
    let ran = stage.run(&["serve", "dev", "--", "sh", "-c", start]);
    let pid: i32 = ran.stdout.trim().parse().unwrap();
    // Another endpoint's: not named again.
    let other = stage.run(&["serve", "dev", "--", "sh", "-c", start]);
    let another: i32 = other.stdout.trim().parse().unwrap();
    for pid in [pid, another] {
        let pid = rustix::process::Pid::from_raw(pid).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    }
    assert_eq!(ran.code, 0);
    let named = format!("has ended: sleep (pid {pid});");
    assert!(ran.stderr.contains(&named), "{}", ran.stderr);
    assert!(
        other.stderr.contains(&format!("has ended: sleep (pid {another});")),
        "{}",
        other.stderr
    );
    let quiet = stage.run(&["serve", "dev", "--", "sh", "-c", "sleep 0.05 & exit 3"]);
    assert_eq!((quiet.code, quiet.stderr.as_str()), (3, ""), "what is about to end is not named");
}

#[test]
fn a_signal_that_was_ignored_stays_ignored() {
    let stage = Stage::new();
    stage.sign_in();
    let script = "echo ready; read -r line; exit 5";
    let Some(mut child) = with_child(&stage, "trap \"\" HUP; ", script) else { return };
    send(&child, rustix::process::Signal::HUP);
    // As after `nohup … &` when the terminal closes. Were it to end by the signal, it would not answer this.
    writeln!(child.stdin.take().unwrap()).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(5));
}
