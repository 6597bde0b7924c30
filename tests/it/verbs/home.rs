//! A home with a config, an organization behind it, and the program without a terminal.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use sekisho::emulator::{Account, Emulator, Organization, Role};

use crate::emulator::stage::{self, DEV, KEY, PHONE, SECRET};
use crate::support::{at_home, without_terminal};

/// The guarded account.
pub const PROD: &str = "333333333333";

/// The program under test.
pub const SEKISHO: &str = env!("CARGO_BIN_EXE_sekisho");

/// Alice's home: the account `dev`, and `prod` behind a guard.
pub struct Home {
    pub dir: tempfile::TempDir,
    pub emulator: Emulator,
}

/// What a run said, and how it ended.
pub struct Said {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Home {
    pub fn new() -> Self {
        Self::with("")
    }

    /// With more keys of the config, at its top.
    pub fn with(more: &str) -> Self {
        let emulator = stage::start(organise);
        let accounts = format!(
            r#"  - name: dev
    id: "{DEV}"
    aliases: [mine]
    roles: [{{name: Developer, path: /dev/}}]
  - name: prod
    id: "{PROD}"
    aliases: [live]
    guard: confirm
    roles: [{{name: Developer, path: /dev/}}]
"#
        );
        Self::of(emulator, more, &accounts)
    }

    /// An organization's, with the lines of the config's `accounts`.
    pub fn of(emulator: Emulator, more: &str, accounts: &str) -> Self {
        let home = Self { dir: tempfile::tempdir().unwrap(), emulator };
        home.write(&format!(
            r#"version: 1
{more}
auth:
  account: "111111111111"
  user: alice
  key: env
  mfa: [{{serial: "{PHONE}", label: phone}}]
  region: eu-west-1
  endpoint_url: {}
defaults: {{region: eu-west-1}}
store: none
accounts:
{accounts}"#,
            home.emulator.url()
        ));
        home
    }

    /// Writes the config.
    pub fn write(&self, text: &str) {
        let folder = self.dir.path().join(".config/sekisho");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("config.yaml"), text).unwrap();
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The variables of Alice's key.
    pub fn key() -> [(&'static str, &'static str); 2] {
        [("AWS_ACCESS_KEY_ID", KEY), ("AWS_SECRET_ACCESS_KEY", SECRET)]
    }

    /// What the phone shows, as a line for stdin.
    pub fn code(&self) -> String {
        format!("{}\n", self.emulator.code(PHONE).unwrap())
    }

    /// The program in this home, without a terminal of any kind; `None` where that cannot be had.
    pub fn command(&self, arguments: &[&str]) -> Option<Command> {
        let mut command = at_home(SEKISHO, self.path());
        command.args(arguments).env("TMPDIR", self.path()).envs(Self::key());
        without_terminal(&command)
    }

    /// Runs it with nothing on stdin.
    pub fn run(&self, arguments: &[&str]) -> Option<Said> {
        let mut command = self.command(arguments)?;
        Some(self.said(command.stdin(Stdio::null()).output().unwrap()))
    }

    /// Runs it with the phone's code on stdin.
    pub fn run_with_code(&self, arguments: &[&str]) -> Option<Said> {
        self.feed(arguments, &self.code())
    }

    /// Runs it with a text on stdin.
    pub fn feed(&self, arguments: &[&str], stdin: &str) -> Option<Said> {
        let mut child = self
            .command(arguments)?
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // Who does not read it is no fault of the test's.
        let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
        Some(self.said(child.wait_with_output().unwrap()))
    }

    /// What was said, without what differs from run to run.
    fn said(&self, output: Output) -> Said {
        let text = |bytes: Vec<u8>| {
            let port = self.emulator.url();
            let port = port.rsplit(':').next().unwrap();
            String::from_utf8(bytes)
                .unwrap()
                .replace(self.path().to_str().unwrap(), "~")
                .replace(port, "PORT")
        };
        Said {
            code: output.status.code().unwrap_or(-1),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }
}

impl Said {
    /// Both streams and the code, for a snapshot.
    pub fn whole(&self) -> String {
        format!("exit {}\n── stdout\n{}── stderr\n{}", self.code, self.stdout, self.stderr)
    }
}

fn organise(organization: &mut Organization) {
    organization.accounts.push(Account::new(PROD, "prod"));
    let mfa = r#"{"Bool":{"aws:MultiFactorAuthPresent":"true"}}"#;
    let mut role = Role::new(PROD, "Developer", stage::trust(mfa));
    role.path = "/dev/".into();
    organization.roles.push(role);
    for role in &mut organization.roles {
        role.max_session = 4 * 3600;
    }
}
