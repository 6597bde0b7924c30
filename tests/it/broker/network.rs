//! No answer, or one that makes no sense: the fault, and what becomes of the code.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use sekisho::domain::fault::{Exit, Fault};
use sekisho::domain::import::organization::Selection;
use sekisho::domain::pass::NotIssued;
use sekisho::domain::secret::{AccessKey, Credentials, Secret};
use sekisho::emulator::{FaultInjection, Times};
use sekisho::services::aws::{Aws, Signer};
use sekisho::services::console::FormerSession;

use super::stage::*;

/// A fault as a person reads it.
pub fn told(fault: &Fault) -> String {
    let mut text = format!("exit {}\nwhat {}\n", fault.exit.code(), fault.what);
    for why in &fault.why {
        text.push_str(&format!("why  {why}\n"));
    }
    for fix in &fault.fix {
        text.push_str(&format!("fix  {fix}\n"));
    }
    text
}

/// A port of this machine where nothing listens.
fn dead_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap().port()
}

#[test]
fn a_refused_connection_gives_the_code_back() {
    let dead = format!("http://127.0.0.1:{}", dead_port());
    let stage = Stage::new();
    let dev = target(DEV, HOUR);
    let mut offline = stage.auth.clone();
    offline.endpoint_url = Some(dead);
    let offline = stage.configured(&offline);
    let digits = stage.emulator.code(PHONE).unwrap();
    let fault = faulted(run(offline.issue(&request(&dev, Some(code(PHONE, &digits)), PERSON))));
    insta::assert_snapshot!(told(&fault), @r"
    exit 1
    what AWS cannot be reached
    why  Connection refused (os error 111)
    fix  check the network; cached sessions still work
    ");
    // It never left this machine.
    given(stage.issue(&dev, Some(code(PHONE, &digits)), PERSON));
}

#[test]
fn a_reset_keeps_the_code_spent() {
    let stage = Stage::new();
    let dev = target(DEV, HOUR);
    let digits = stage.emulator.code(PHONE).unwrap();
    stage.inject("GetSessionToken", Times::Next(1), FaultInjection::Reset);
    let fault = faulted(stage.issue(&dev, Some(code(PHONE, &digits)), PERSON));
    insta::assert_snapshot!(told(&fault), @r"
    exit 1
    what AWS cannot be reached
    why  Connection reset by peer (os error 104)
    fix  check the network; cached sessions still work
    ");
    assert_eq!(stage.wire(), ["GetSessionToken 43200 s +code unanswered"]);
    wanted(stage.issue(&dev, Some(code(PHONE, &digits)), PERSON));
    assert_eq!(stage.wire(), [""; 0]);
}

#[test]
fn garbage_is_told_without_being_shown() {
    let stage = Stage::new();
    let dev = target(DEV, HOUR);
    let digits = stage.emulator.code(PHONE).unwrap();
    stage.inject("GetSessionToken", Times::Next(1), FaultInjection::Garbage);
    let fault = faulted(stage.issue(&dev, Some(code(PHONE, &digits)), PERSON));
    insta::assert_snapshot!(told(&fault), @r"
    exit 1
    what the response cannot be understood
    why  the answer is not in AWS's form
    why  something between here and AWS answered instead: a captive portal, a proxy, an emulator
    fix  sign in to the network in a browser, and check HTTPS_PROXY and `auth.endpoint_url`
    ");
    stage.wire();
    wanted(stage.issue(&dev, Some(code(PHONE, &digits)), PERSON));
    assert_eq!(stage.wire(), [""; 0]);
}

#[test]
fn a_portal_that_answers_with_a_page_is_not_aws() {
    let stage = Stage::new();
    for (status, body, says) in [
        (200, "<html><body>Please sign in to the hotel</body></html>", "a web page (HTTP 200)"),
        (200, "\n<!DOCTYPE HTML><HTML>sign in", "a web page (HTTP 200)"),
        (403, "<html>blocked by policy</html>", "a web page (HTTP 403)"),
        (302, "", "HTTP 302 without AWS's error code"),
        (200, "", "not in AWS's form"),
        (200, "<portal xmlns=\"x\" a=\"b\"/>", "not in AWS's form"),
        (200, "<GetSessionTokenResponse><GetSessionTokenResult><Cred", "not in AWS's form"),
        (200, "<GetSessionTokenResponse><Else/></GetSessionTokenResponse>", "not in AWS's form"),
        (200, "{\"error\": \"sign in\"}", "not in AWS's form"),
    ] {
        let body = body.as_bytes().to_vec();
        stage.inject("GetSessionToken", Times::Next(1), FaultInjection::Raw { status, body });
        let code = stage.next_code();
        let fault = faulted(stage.issue(&target(DEV, HOUR), Some(code), PERSON));
        assert_eq!(fault.what, "the response cannot be understood", "{status}: {fault:?}");
        assert_eq!(fault.exit, Exit::Fault);
        assert!(fault.why[0].contains(says), "{says}: {fault:?}");
        let said = told(&fault);
        for dump in ["{", "(\"", "StartEl", "Error", "expected", "sign in to the hotel", "blocked"]
        {
            assert!(!said.contains(dump), "{said}");
        }
    }
}

#[test]
fn an_answer_that_never_comes_is_given_up_after_ten_seconds() {
    let stage = Stage::new();
    stage.inject("GetSessionToken", Times::UntilCleared, FaultInjection::Hang);
    let fault = faulted(stage.issue(&target(DEV, HOUR), Some(stage.code(PHONE)), PERSON));
    insta::assert_snapshot!(told(&fault), @r"
    exit 1
    what AWS cannot be reached
    why  no answer came within 10 s
    why  the network drops the connection: a VPN that is off, a firewall, a proxy that is not configured
    fix  check the network and HTTPS_PROXY
    ");
    assert_eq!(stage.wire().len(), 1, "a call with a code is not tried again");
}

#[test]
fn a_port_that_speaks_no_tls_is_told() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().take(1) {
            let _ = stream.unwrap().write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });
    let stage =
        Stage::with(|_| {}, |auth| auth.endpoint_url = Some(format!("https://127.0.0.1:{port}")));
    let fault = faulted(stage.issue(&target(DEV, HOUR), Some(stage.code(PHONE)), PERSON));
    insta::assert_snapshot!(told(&fault), @r"
    exit 1
    what AWS cannot be reached
    why  the server there does not speak TLS
    why  `https` where `http` is meant, or a proxy
    fix  check `auth.endpoint_url` and HTTPS_PROXY
    ");
}

/// A server whose answer does not end before 64 MiB, and how much of it was sent.
fn endless() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let sent = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&sent);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 8192]);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
            let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000)).into_bytes();
            while count.load(Ordering::Relaxed) < 64 << 20 && stream.write_all(&chunk).is_ok() {
                count.fetch_add(chunk.len(), Ordering::Relaxed);
            }
        }
    });
    (url, sent)
}

#[test]
fn an_answer_without_end_is_given_up_after_a_mebibyte() {
    let (url, sent) = endless();
    let stage = Stage::with(|_| {}, |auth| auth.endpoint_url = Some(url));
    let aws = Aws::new(&stage.auth).unwrap();
    let session = Credentials {
        id: "ASIAALICE00000000001".parse().unwrap(),
        secret: Secret::new("secret".into()),
        token: Secret::new("token".into()),
        expires: now(),
    };
    let key = AccessKey { id: KEY.parse().unwrap(), secret: Secret::new(SECRET.into()) };
    let site = aws.console(sekisho::domain::ids::Partition::Aws, FormerSession::Kept).unwrap();
    let took = |what: &str, says: Option<String>| {
        // What the sockets hold is on the way, too.
        let sent = sent.swap(0, Ordering::Relaxed);
        assert!(sent < 16 << 20, "{what}: {sent} bytes");
        let says = says.unwrap_or_else(|| panic!("{what} was answered"));
        assert!(says.contains("longer than 4 MiB"), "{what}: {says}");
    };
    run(async {
        let call = aws.caller_identity(Signer::Key(&key)).await;
        took("an SDK's call", call.err().map(|failure| failure.message));
        let clock = aws.raw().clock().await;
        took("an unsigned probe", clock.err().map(|failure| failure.message));
        let listed = aws.members(Signer::Session(&session), &Selection::default()).await;
        took("a list of accounts", listed.err().map(|fault| fault.why.join(" ")));
        let token = aws.sign_in_token(&site, &session, None).await;
        took("a console's sign-in", token.err().map(|fault| fault.why.join(" ")));
    });
    let code = Some(stage.code(PHONE));
    let refused = run(stage.broker.issue(&request(&target(DEV, HOUR), code, PERSON)));
    let fault = refused.map_err(NotIssued::into_fault).err();
    took("a session", fault.map(|fault| fault.why.join(" ")));
}
