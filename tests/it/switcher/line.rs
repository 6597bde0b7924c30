//! The connection is there before the code is, in the list and at the prompt; while one types, time passes.

use std::sync::Arc;

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::switcher_pty::{SwitcherPty, shown_code};
use crate::relay::{Crossed, Relay};
use crate::support::program;

/// A terminal whose config leads through a slow line.
fn behind_a_relay() -> Option<(SwitcherPty, Relay)> {
    let switcher_pty = SwitcherPty::with("min_guard: {}", &[])?;
    let relay = Relay::to(&switcher_pty.home.emulator.url());
    through(&switcher_pty, &relay);
    Some((switcher_pty, relay))
}

/// Makes the config lead through a relay.
fn through(switcher_pty: &SwitcherPty, relay: &Relay) {
    let file = switcher_pty.home.path().join(".config/sekisho/config.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace(&switcher_pty.home.emulator.url(), &relay.url())).unwrap();
}

#[test]
fn the_list_opens_the_line_while_one_types() {
    let Some((mut switcher_pty, relay)) = behind_a_relay() else { return };
    let crossed = |connections, round_trips| Crossed { connections, round_trips };
    switcher_pty.open("");
    switcher_pty.choose("dev");
    switcher_pty.pty.wait_for("MFA code");
    switcher_pty.until("a connection", || relay.crossed().connections == 1);
    assert_eq!(relay.crossed(), crossed(1, 0), "not a byte before the code");
    switcher_pty.give_code();
    switcher_pty.inside("dev");
    assert_eq!(relay.crossed(), crossed(1, 2));
    switcher_pty.pty.line("exit");
    switcher_pty.pty.wait_for("left dev/Developer");
    assert_eq!(relay.crossed().connections, 1, "nobody typed yet");
    // The first key opens it where an auth session lives.
    switcher_pty.pty.send("p");
    switcher_pty.until("a connection", || relay.crossed().connections == 2);
    assert_eq!(relay.crossed(), crossed(2, 2), "not a byte before Enter");
    switcher_pty.pty.send("rod");
    switcher_pty.pty.wait_for("› prod");
    switcher_pty.pty.send("\r");
    switcher_pty.pty.wait_for("type the account's name");
    switcher_pty.pty.send("prod\r");
    switcher_pty.inside("prod");
    assert_eq!(relay.crossed(), crossed(2, 3));
}

#[test]
fn the_prompt_opens_the_line_and_counts_down() {
    let Some((mut switcher_pty, relay)) = behind_a_relay() else { return };
    switcher_pty.pty.line("$SEKISHO exec dev -- sh -c 'echo IN\"\"SIDE'");
    let screen = switcher_pty.pty.wait_for("code from phone:");
    let seconds = |screen: &str| {
        let (_, rest) = screen.rsplit_once("a new code in ").unwrap();
        rest.split(' ').next().unwrap().to_owned()
    };
    let first = seconds(&screen);
    switcher_pty.until("a connection", || relay.crossed().connections == 1);
    assert_eq!(relay.crossed().round_trips, 0, "not a byte before the code");
    // Half a code is typed, and stays, while the line above it changes.
    let code = switcher_pty.home.code();
    switcher_pty.pty.send(&code[..3]);
    let screen = switcher_pty.pty.wait_until("a second less", |screen| {
        seconds(screen) != first && screen.contains(&format!("code from phone: {}", &code[..3]))
    });
    assert_eq!(screen.matches("a new code in").count(), 1, "{screen}");
    switcher_pty.pty.send(&format!("{}\r", code[3..].trim()));
    switcher_pty.pty.wait_for("INSIDE");
    assert_eq!(relay.crossed(), Crossed { connections: 1, round_trips: 2 });
}

/// As with AWS: the server is checked, and after the code there is no handshake.
#[test]
fn over_tls_too_the_handshake_lies_before_the_code() {
    let (Some(openssl), Some(mut switcher_pty)) =
        (program("openssl"), SwitcherPty::with("min_guard: {}", &[]))
    else {
        return;
    };
    let at = |name: &str| switcher_pty.home.path().join(name);
    let made = std::process::Command::new(openssl)
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
        ])
        .args(["-subj", "/CN=relay", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE", "-keyout"])
        .args([at("key.pem").as_os_str(), "-out".as_ref(), at("cert.pem").as_os_str()])
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    let certificate = CertificateDer::from_pem_file(at("cert.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(at("key.pem")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let relay = Relay::tls(&switcher_pty.home.emulator.url(), config);
    through(&switcher_pty, &relay);
    switcher_pty.pty.line("AWS_CA_BUNDLE=cert.pem $SEKISHO exec dev -- sh -c 'echo IN\"\"SIDE'");
    switcher_pty.pty.wait_for("code from phone:");
    switcher_pty.until("a handshake", || relay.crossed().connections == 1);
    assert_eq!(relay.crossed().round_trips, 0, "not a byte before the code");
    let code = switcher_pty.home.code();
    switcher_pty.pty.send(&format!("{}\r", code.trim()));
    switcher_pty.pty.wait_for("INSIDE");
    assert_eq!(relay.crossed(), Crossed { connections: 1, round_trips: 2 });
}

#[test]
fn the_demos_line_follows_its_device() {
    let Some(mut switcher_pty) = SwitcherPty::new() else { return };
    switcher_pty.pty.line("$SEKISHO demo exec dev-suzuki -- sh -c 'echo IN\"\"SIDE'");
    let screen = switcher_pty.pty.wait_for("code from phone:");
    assert!(screen.contains("; the next in "), "{screen}");
    switcher_pty.pty.send(&format!("{}\r", shown_code(&screen)));
    switcher_pty.pty.wait_for("INSIDE");
}
