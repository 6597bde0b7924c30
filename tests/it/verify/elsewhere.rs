//! `verify` against what is not AWS: moto, which checks nothing, and an endpoint that refuses everything.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use sekisho::domain::fault::Exit;
use sekisho::domain::secret::MfaCode;
use sekisho::domain::verdict::report::Report;
use sekisho::domain::verdict::{Guardrail, Verdict};
use sekisho::services::aws::Aws;
use sekisho::services::verify::Verifier;
use sekisho::services::verify::text::{self, Detail};

use super::stage::*;
use crate::support::program;

fn verify_at(url: &str, account: &str) -> (Report, String) {
    let auth = auth(url, account);
    let (aws, key) = (Aws::new(&auth).unwrap(), key("AKIAIOSFODNN7EXAMPLE", SECRET));
    let verifier = Verifier {
        aws: &aws,
        auth: &auth,
        key: &key,
        known: &known(),
        config_sha256: None,
        state: None,
        rate: RATE,
        now: &Timestamp::now,
    };
    let ask =
        async |_: Option<&_>| Some((PHONE.parse().unwrap(), MfaCode::parse("123456").unwrap()));
    let report =
        run(verifier.run(&plan(), ask, |_| {})).unwrap_or_else(|fault| panic!("{fault:?}"));
    let text = text::report(&report, &auth, Detail::All);
    (report, text)
}

#[test]
fn an_endpoint_that_refuses_everything_is_never_called_proved() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            std::thread::spawn(move || {
                let mut request = vec![0; 65536];
                while stream.read(&mut request).is_ok_and(|n| n > 0) {
                    let message = "User: arn:aws:iam::111111111111:user/tanaka is not authorized to perform: \
                        sts:AssumeRole on resource: * with an explicit deny in an identity-based policy";
                    let body = format!(
                        "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code>\
                         <Message>{message}</Message></Error></ErrorResponse>"
                    );
                    let head = format!(
                        "HTTP/1.1 403 Forbidden\r\ncontent-type: text/xml\r\ncontent-length: {}\r\n\r\n",
                        body.len()
                    );
                    if stream.write_all((head + &body).as_bytes()).is_err() {
                        return;
                    }
                }
            });
        }
    });
    let (report, text) = verify_at(&url, AUTH);
    assert!(report.findings().all(|finding| finding.verdict == Verdict::NotProved));
    assert_eq!(report.exit(), Exit::Undecided);
    assert!(text.starts_with("EMULATED: http://127.0.0.1:"), "{text}");
    assert!(!text.replace("not proved", "").contains("proved"), "{text}");
    let json = report.json();
    assert!(
        json.contains("\"ground\": \"emulated\"")
            && !json.replace("not_proved", "").contains("proved")
    );
}

/// A moto that ends with its test.
struct Moto {
    child: Child,
    url: String,
}

impl Moto {
    fn start() -> Option<Self> {
        let server = program("moto_server")?;
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = Command::new(server)
            .args(["-H", "127.0.0.1", "-p", &port.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let moto = Self { child, url: format!("http://127.0.0.1:{port}") };
        let since = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(since.elapsed() < Duration::from_mins(1), "moto does not start");
            std::thread::yield_now();
        }
        Some(moto)
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn moto_checks_nothing_and_is_open_everywhere() {
    let Some(moto) = Moto::start() else { return };
    let (report, text) = verify_at(&moto.url, "123456789012");
    let verdicts = verdicts(&report);
    for (guardrail, verdict) in &verdicts {
        match guardrail {
            // It took a code, and the account has no other role: neither is open.
            Guardrail::Device
            | Guardrail::BackDoors
            | Guardrail::OtherDoors
            | Guardrail::LocalUsers => {
                assert_ne!(*verdict, Verdict::Open, "{text}");
            }
            _ => assert_eq!(*verdict, Verdict::Open, "{guardrail:?}\n{text}"),
        }
    }
    assert_eq!(report.exit(), Exit::Open);
    assert!(text.starts_with("EMULATED"), "{text}");
}
