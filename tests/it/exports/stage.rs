//! A home with a config, an organization behind it, and the program in between.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, SystemTime};

use jiff::{SignedDuration, Timestamp};
use sekisho::emulator::{Account, Emulator, Role};
use sekisho::services::session::sessions::{self, RoleOrigin};
use sekisho::services::store::datakey::KeyPlace;
use sekisho::services::store::vault::Vault;

use crate::emulator::stage::{KEY, PHONE, SECRET, allow, start, trust};
use crate::support::{at_home, forget_data_key, kept_answers};

/// How long a condition may take on a loaded machine.
pub const DEADLINE: Duration = Duration::from_mins(1);

pub struct Stage {
    pub emulator: Emulator,
    home: tempfile::TempDir,
}

/// How a run ended and what it said.
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Drop for Stage {
    fn drop(&mut self) {
        forget_data_key(self.home());
    }
}

impl Stage {
    /// Alice, `dev` (Developer, Reader), and `prod`, which is guarded.
    pub fn new() -> Self {
        Self::with("", "")
    }

    /// The same, with more top-level lines and more accounts (YAML, two blanks in).
    pub fn with(settings: &str, accounts: &str) -> Self {
        let emulator = start(|organization| {
            organization.accounts.push(Account::new("333333333333", "prod"));
            for (id, name) in [("333333333333", "Developer"), ("222222222222", "Reader")] {
                let mut role =
                    Role::new(id, name, trust(r#"{"Bool":{"aws:MultiFactorAuthPresent":"true"}}"#));
                role.path = "/dev/".into();
                role.max_session = 14_400;
                role.policies.push(allow("*", "*"));
                organization.roles.push(role);
            }
        });
        let home = tempfile::tempdir().unwrap();
        let stage = Self { emulator, home };
        let url = stage.emulator.url();
        let config = format!(
            r#"version: 1
auth:
  account: "111111111111"
  user: alice
  key: env
  mfa: [{{serial: "{PHONE}", label: phone}}]
  region: eu-west-1
  endpoint_url: {url}
defaults: {{region: eu-west-1, roles: [Developer]}}
{settings}
accounts:
  - name: dev
    id: "222222222222"
    aliases: [mine]
    tags: [sandbox]
    note: for experiments
    roles: [{{name: Developer, path: /dev/}}, {{name: Reader, path: /dev/, duration: 2h, region: us-west-2}}]
  - name: prod
    id: "333333333333"
    guard: confirm
    roles: [{{name: Developer, path: /dev/}}]
{accounts}"#
        );
        stage.write(".config/sekisho/config.yaml", &config);
        stage
    }

    pub fn home(&self) -> &Path {
        self.home.path()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.home().join(name)
    }

    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    /// Any program in this home, with nothing else in its environment.
    pub fn program(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = at_home(program, self.home());
        command
            .env("LANG", "C.UTF-8")
            .env("NO_PROXY", "127.0.0.1")
            .env("AWS_ENDPOINT_URL", self.emulator.url())
            .env("AWS_EC2_METADATA_DISABLED", "true");
        command
    }

    /// The program under test, with Alice's key.
    pub fn sekisho(&self, arguments: &[&str]) -> Command {
        let mut command = self.program(env!("CARGO_BIN_EXE_sekisho"));
        command.args(arguments).env("AWS_ACCESS_KEY_ID", KEY).env("AWS_SECRET_ACCESS_KEY", SECRET);
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(&self.sekisho(arguments).output().unwrap())
    }

    /// Runs a command; `None` where it was not answered by the warm path.
    pub fn warm(&self, command: &mut Command) -> Option<Ran> {
        let sessions = self.path(".local/state/sekisho/sessions");
        let before = kept_answers(&sessions);
        let ran = Ran::of(&command.output().unwrap());
        (!before.is_empty() && kept_answers(&sessions) == before).then_some(ran)
    }

    /// Dates the config: in a future it is never settled, so no answer from it is kept.
    pub fn date_config(&self, at: SystemTime) {
        let config = self.path(".config/sekisho/config.yaml");
        let config = File::options().write(true).open(config).unwrap();
        config.set_modified(at).unwrap();
    }

    /// Runs a verb with the phone's current code on stdin.
    pub fn run_with_code(&self, arguments: &[&str]) -> Ran {
        let code = self.emulator.code(PHONE).unwrap();
        let mut command = self.sekisho(arguments);
        command
            .args(["--mfa-code", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        writeln!(child.stdin.take().unwrap(), "{code}").unwrap();
        Ran::of(&child.wait_with_output().unwrap())
    }

    /// Takes every session away; who one is stays known.
    pub fn forget(&self) {
        for entry in std::fs::read_dir(self.path(".local/state/sekisho/sessions")).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if ["auth", "role", "warm"].iter().any(|kind| name.starts_with(kind)) {
                std::fs::remove_file(self.path(".local/state/sekisho/sessions").join(name))
                    .unwrap();
            }
        }
    }

    /// Takes the auth session away: MFA is over.
    pub fn forget_auth(&self) {
        let folder = self.path(".local/state/sekisho/sessions");
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            if entry.file_name().to_str().unwrap().starts_with("auth-") {
                std::fs::remove_file(entry.path()).unwrap();
            }
        }
    }

    /// Leaves the role sessions so much life, of an hour; returns when they end.
    pub fn age(&self, left: Duration) -> Timestamp {
        let vault = Vault::new(&self.path(".local/state/sekisho/sessions"), KeyPlace::FILE, None);
        let now = Timestamp::now();
        let expires = now + SignedDuration::try_from(left).unwrap();
        for (name, mut session) in sessions::all::<RoleOrigin>(&vault, now) {
            session.credentials.expires = expires;
            session.origin.obtained = expires - SignedDuration::from_hours(1);
            sessions::put(&vault, vault.epoch(), &name, &session, now);
        }
        expires
    }

    /// Gets the auth session, and with it a role session for `dev`.
    pub fn sign_in(&self) {
        let ran = self.run_with_code(&["credential-process", "dev"]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
    }
}

impl Ran {
    pub fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
        }
    }

    /// stdout of a run that succeeded.
    #[track_caller]
    pub fn said(self) -> String {
        assert_eq!(self.code, 0, "{}{}", self.stdout, self.stderr);
        self.stdout
    }

    /// All of it, for a snapshot; this machine's temporary folder and ports masked.
    pub fn shown(&self, stage: &Stage) -> String {
        let home = stage.home().to_str().unwrap().to_owned();
        let text = format!("{}exit {}\n{}", self.stdout, self.code, self.stderr);
        text.replace(&home, "HOME").replace(env!("CARGO_BIN_EXE_sekisho"), "/bin/sekisho")
    }
}

/// Looks again and again until there is something.
pub use crate::support::until;
