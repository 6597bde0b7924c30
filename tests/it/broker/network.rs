//! No answer, or one that makes no sense: the fault, and what becomes of the code.

use std::io::Write;
use std::net::{Ipv4Addr, TcpListener};

use sekisho::domain::fault::{Exit, Fault};
use sekisho::emulator::{FaultInjection, Times};

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
    why  invalid utf-8 sequence of 1 bytes from index 10
    why  something between here and AWS answered instead: a proxy, a captive portal, an emulator
    fix  check `auth.endpoint_url`, HTTPS_PROXY and the network
    ");
    stage.wire();
    wanted(stage.issue(&dev, Some(code(PHONE, &digits)), PERSON));
    assert_eq!(stage.wire(), [""; 0]);
}

#[test]
fn a_portal_that_answers_with_a_page_is_not_aws() {
    let stage = Stage::new();
    for (status, body) in [
        (200, "<html><body>Please sign in to the hotel</body></html>"),
        (403, "<html>blocked by policy</html>"),
        (302, ""),
        (200, ""),
    ] {
        let body = body.as_bytes().to_vec();
        stage.inject("GetSessionToken", Times::Next(1), FaultInjection::Raw { status, body });
        let code = stage.next_code();
        let fault = faulted(stage.issue(&target(DEV, HOUR), Some(code), PERSON));
        assert_eq!(fault.what, "the response cannot be understood", "{status}: {fault:?}");
        assert_eq!(fault.exit, Exit::Fault);
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
    why  received corrupt message of type InvalidContentType
    why  the server there does not use TLS: `https` where `http` is meant, or a proxy
    fix  check `auth.endpoint_url` and HTTPS_PROXY
    ");
}
