//! The main flow on a server that nobody here wrote. moto takes any code.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::home::Home;
use crate::support::program;

/// A running moto.
struct Moto {
    child: Child,
    port: u16,
}

impl Moto {
    fn start() -> Option<Self> {
        let program = program("moto_server")?;
        let port = {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            listener.local_addr().unwrap().port()
        };
        let mut child = Command::new(program)
            .args(["-H", "127.0.0.1", "-p", &port.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let end = Instant::now() + Duration::from_mins(1);
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            assert!(child.try_wait().unwrap().is_none(), "moto_server has ended");
            assert!(Instant::now() < end, "moto_server does not listen");
            std::thread::yield_now();
        }
        Some(Self { child, port })
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn both_flows_on_moto() {
    let Some(moto) = Moto::start() else { return };
    let home = Home::new();
    let config = home.path().join(".config/sekisho/config.yaml");
    let text = std::fs::read_to_string(&config).unwrap();
    home.write(&text.replace(&home.emulator.url(), &format!("http://127.0.0.1:{}", moto.port)));
    let show = "echo $AWS_ACCOUNT_ID $SEKISHO_TARGET; test -n \"$AWS_SESSION_TOKEN\"";
    for (duration, code) in [("1h", "123456\n"), ("2h", "654321\n")] {
        let arguments =
            ["--mfa-code", "-", "--duration", duration, "exec", "dev", "--", "sh", "-c", show];
        let Some(said) = home.feed(&arguments, code) else {
            return;
        };
        assert_eq!(
            said.whole(),
            "exit 0\n── stdout\n222222222222 dev/Developer\n── stderr\n",
            "{duration}"
        );
    }
    assert!(home.emulator.calls().is_empty());
}
