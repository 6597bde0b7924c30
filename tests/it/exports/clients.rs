//! Programs that nobody here wrote, on `credential_process` and on the served endpoint. The SDKs alone are in `sdks`.

use std::process::Command;

use super::stage::{Ran, Stage};
use crate::support::{optional, program};

const ARN: &str = "arn:aws:sts::222222222222:assumed-role/Developer/alice";

/// How a client gets its credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Exec,
    Profile,
    Serve,
}

pub const WAYS: [Way; 3] = [Way::Exec, Way::Profile, Way::Serve];

impl Way {
    /// How the documentation calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Exec => "exec",
            Self::Profile => "profile",
            Self::Serve => "serve",
        }
    }

    /// What a client's command line is put behind.
    pub fn command(self, stage: &Stage) -> Command {
        match self {
            Self::Exec => stage.sekisho(&["exec", "dev", "--"]),
            Self::Serve => stage.sekisho(&["serve", "dev", "--"]),
            Self::Profile => {
                // The client must not see the key. sekisho, which the profile runs, has a live session.
                let mut command = stage.program("env");
                command.env("AWS_PROFILE", "sekisho-dev-developer");
                command
            }
        }
    }
}

/// A home that is signed in and has the profiles.
fn stage() -> Stage {
    let stage = Stage::new();
    stage.sign_in();
    stage.run(&["profiles", "--write", "--yes"]).said();
    stage
}

/// Runs a client; it is told nothing but the way.
fn run(stage: &Stage, way: Way, client: &Command) -> Ran {
    let mut command = way.command(stage);
    command.arg(client.get_program()).args(client.get_args());
    command.envs(client.get_envs().filter_map(|(name, value)| Some((name, value?))));
    Ran::of(&command.output().unwrap())
}

fn calls(stage: &Stage, action: &str) -> usize {
    stage.emulator.calls().iter().filter(|call| call.action == action).count()
}

fn works(client: &Command) {
    let stage = stage();
    for way in WAYS {
        let entered = calls(&stage, "AssumeRole");
        let ran = run(&stage, way, client);
        assert_eq!((ran.code, ran.stdout.trim()), (0, ARN), "{way:?}: {}", ran.stderr);
        assert_eq!(calls(&stage, "AssumeRole"), entered, "{way:?}: the session was there");
    }
}

#[test]
fn the_aws_cli() {
    let Some(aws) = program("aws") else { return };
    let mut client = Command::new(aws);
    client.args(["sts", "get-caller-identity", "--query", "Arn", "--output", "text"]);
    works(&client);
}

#[test]
fn boto3_renews_through_the_endpoint_without_a_word() {
    let Some(python) = program("python3") else {
        return;
    };
    let stage = stage();
    // A session of 15 min is below botocore's margin from the start: it fetches at every call.
    let script = "import boto3\nc = boto3.client('sts')\nfor _ in range(3): print(c.get_caller_identity()['Arn'])";
    let mut command = stage.sekisho(&["serve", "dev", "--duration", "15m", "--"]);
    let ran = Ran::of(&command.arg(python).args(["-c", script]).output().unwrap());
    assert_eq!((ran.code, ran.stdout), (0, format!("{ARN}\n").repeat(3)), "{}", ran.stderr);
    assert_eq!(ran.stderr, "");
}

#[test]
fn the_aws_cli_shows_our_one_line() {
    let Some(aws) = program("aws") else { return };
    let stage = stage();
    stage.forget();
    let mut client = Command::new(aws);
    client.args(["sts", "get-caller-identity"]);
    let ran = run(&stage, Way::Profile, &client);
    assert_ne!(ran.code, 0);
    insta::assert_snapshot!(ran.stderr.trim(), @"Error when retrieving credentials from custom-process: sekisho: an MFA code is needed to open dev/Developer, and prompting is not allowed: run `sekisho login` in a terminal first, or pipe the code: `--mfa-code -`");
}

#[test]
fn terraforms_s3_backend() {
    let (Some(terraform), Some(moto)) = (optional("terraform"), program("moto_server")) else {
        return;
    };
    let stage = stage();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut s3 = stage.program(moto);
    s3.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
    s3.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    let mut s3 = s3.spawn().unwrap();
    super::stage::until("moto", || std::net::TcpStream::connect(("127.0.0.1", port)).ok());
    let url = format!("http://127.0.0.1:{port}");
    let mut bucket = stage.program("curl");
    bucket.args(["-s", "-f", "-X", "PUT", &format!("{url}/states")]);
    let made = bucket.output().unwrap();
    stage.write(
        "tf/main.tf",
        "terraform {\n  backend \"s3\" {\n    bucket = \"states\"\n    key = \"a\"\n    use_path_style = true\n  }\n}\n",
    );
    let mut client = Command::new(terraform);
    client.args(["-chdir=tf", "init", "-reconfigure", "-input=false", "-no-color"]);
    client
        .env("AWS_ENDPOINT_URL_S3", &url)
        .env("CHECKPOINT_DISABLE", "1")
        .env("AWS_REGION", "us-east-1");
    let ran: Vec<(Way, Ran)> = WAYS.map(|way| (way, run(&stage, way, &client))).into();
    let _ = s3.kill();
    let _ = s3.wait();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stdout));
    for (way, ran) in ran {
        assert_eq!(ran.code, 0, "{way:?}: {}{}", ran.stdout, ran.stderr);
        assert!(
            ran.stdout.contains("Successfully configured the backend \"s3\""),
            "{way:?}: {}",
            ran.stdout
        );
    }
}
