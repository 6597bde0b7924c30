//! `serve --port`: credentials for a machine that the endpoint's port is forwarded to, by a real ssh and sshd.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};

use super::stage::Stage;
use crate::support::program;

/// A port that was free a moment ago.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Key files, and the configuration of a server that takes the user's key and the variables of `serve`. Its connection is
/// ssh's own pipe, not a port.
fn configure(stage: &Stage) -> Option<String> {
    let (sshd, keygen) = (program("sshd")?, program("ssh-keygen")?);
    for name in ["host", "me"] {
        let file = stage.path(name);
        let made = Command::new(&keygen)
            .args(["-q", "-t", "ed25519", "-N", "", "-f"])
            .arg(&file)
            .status()
            .unwrap();
        assert!(made.success());
    }
    if rustix::process::geteuid().is_root() {
        // Debian's start script does the same.
        let _ = std::fs::create_dir(Path::new("/run/sshd"));
    }
    let home = stage.home().display();
    stage.write(
        "sshd_config",
        format!(
            "HostKey {home}/host\nAuthorizedKeysFile {home}/me.pub\nStrictModes no\nUsePAM no\nPidFile none\n\
             PermitRootLogin yes\nAcceptEnv AWS_CONTAINER_* AWS_REGION\n"
        ),
    );
    let ssh_config = format!(
        "Host far\n  User {user}\n  IdentityFile {home}/me\n  IdentitiesOnly yes\n  StrictHostKeyChecking no\n  \
         UserKnownHostsFile /dev/null\n  LogLevel ERROR\n  ExitOnForwardFailure yes\n  BatchMode yes\n  \
         ProxyCommand {sshd} -i -f {home}/sshd_config\n",
        user = nix::unistd::User::from_uid(nix::unistd::getuid()).unwrap().unwrap().name,
        sshd = sshd.display(),
    );
    stage.write("ssh_config", &ssh_config);
    Some(format!("{home}/ssh_config"))
}

#[test]
fn a_program_on_another_machine_gets_credentials_through_a_forwarded_port() {
    let stage = Stage::new();
    let Some(config) = configure(&stage) else { return };
    stage.sign_in();
    let (port, far) = (free_port(), free_port());
    let forward = format!("{far}:127.0.0.1:{port}");
    let (port, far) = (port.to_string(), far.to_string());
    // Over there its variables name the port of over here, where they are the same; this machine is both.
    let ask = format!(
        "curl -sS -H \"Authorization: $AWS_CONTAINER_AUTHORIZATION_TOKEN\" \
         \"$(echo $AWS_CONTAINER_CREDENTIALS_FULL_URI | sed s/:{port}/:{far}/)\"; env | grep AWS_; exit 7"
    );
    let mut words = vec!["serve", "dev", "--port", &port, "--", "ssh", "-F", &config];
    words.extend(["-R", &forward, "-o", "SendEnv=AWS_CONTAINER_* AWS_REGION", "far", &ask]);
    let output = stage.sekisho(&words).stdin(Stdio::null()).output().unwrap();
    let (stdout, stderr) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert_eq!(output.status.code(), Some(7), "{stdout}{stderr}");
    assert!(stdout.contains(r#""AccountId":"222222222222""#), "{stdout}");
    assert!(stdout.contains(&format!("=http://127.0.0.1:{port}/credentials\n")), "{stdout}");
    assert!(stdout.contains("AWS_REGION=eu-west-1\n"), "{stdout}");
    assert!(!stdout.contains("AWS_ACCESS_KEY_ID="), "the long-lived key stays here: {stdout}");
}

#[test]
fn a_port_in_use_is_named_before_the_command_runs() {
    let stage = Stage::new();
    stage.sign_in();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let output = stage
        .sekisho(&["serve", "dev", "--port", &port, "--", "touch", "ran"])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains(&format!("cannot listen on port {port} of 127.0.0.1")), "{stderr}");
    assert!(stderr.contains("--port"), "{stderr}");
    assert!(!stage.path("ran").exists());
}
