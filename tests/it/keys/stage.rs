//! A home, an emulated organization, and the real program between them.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use portable_pty::CommandBuilder;
use sekisho::domain::rotation::{KeyEntry, StoredKey};
use sekisho::domain::secret::{AccessKey, Secret};
use sekisho::emulator::{
    self, Account, Document, EmulatedDevice, Emulator, Organization, Policy, Role,
};
use sekisho::services::store::access_keys::KeyHome;
use sekisho::services::store::slot::Slot;

use crate::pty::terminal;
use crate::support::{at_home, without_terminal};

pub const BINARY: &str = env!("CARGO_BIN_EXE_sekisho");
pub const AUTH: &str = "111111111111";
pub const KEY: &str = "AKIATANAKA0000000001";
pub const SECRET: &str = "CANARY/tanaka+wJalrXUtnFEMIK7MDENGbPxRfi";
pub const SERIAL: &str = "arn:aws:iam::111111111111:mfa/tanaka";
pub const PASSPHRASE: &str = "Correct-Horse-CANARY";

/// Where the config takes the key from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// The environment, set for every command.
    Env,
    /// The sealed file; `Stage::store_key` fills it.
    File,
    /// The keychain, which is not there unless a test starts one.
    Keyring,
    /// Wherever it can be kept.
    Auto,
}

/// Where codes come from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Codes {
    /// A program that counts how often it is asked.
    Program,
    /// A person.
    Person,
}

pub struct Stage {
    pub emulator: Emulator,
    pub home: tempfile::TempDir,
    key: Key,
}

impl Stage {
    pub fn new(key: Key, codes: Codes) -> Self {
        let home = tempfile::Builder::new().prefix("home").tempdir().unwrap();
        let stage = Self { emulator: Emulator::start(organization()).unwrap(), home, key };
        for folder in ["tmp", "run", ".config/sekisho", ".aws"] {
            let folder = stage.path(folder);
            fs::create_dir_all(&folder).unwrap();
            fs::set_permissions(&folder, PermissionsExt::from_mode(0o700)).unwrap();
        }
        stage.configure(codes);
        stage.next_code();
        stage
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn configure(&self, codes: Codes) {
        let key = match self.key {
            Key::Env => "env",
            Key::File => "file",
            Key::Keyring => "keyring",
            Key::Auto => "auto",
        };
        let store = if self.key == Key::Auto { "auto" } else { "file" };
        let home = self.home.path().display();
        let command = match codes {
            Codes::Program => {
                format!("[/bin/sh, -c, \"echo asked >> {home}/asked; cat {home}/code\"]")
            }
            Codes::Person => "null".to_owned(),
        };
        let account = |n| format!("  - {{name: dev-{n}, id: \"22222222222{n}\"}}\n");
        let accounts: Vec<String> = (1..=8).map(account).collect();
        let config = format!(
            "version: 1\nauth:\n  account: \"{AUTH}\"\n  user: tanaka\n  key: {key}\n  mfa_command: {command}\n  \
             mfa: [{{serial: {SERIAL}, label: phone}}]\n  region: ap-northeast-1\n  endpoint_url: {}\n\
             defaults: {{roles: [Developer], region: ap-northeast-1}}\nstore: {store}\naccounts:\n{}",
            self.emulator.url(),
            accounts.concat(),
        );
        let file = self.path(".config/sekisho/config.yaml");
        fs::write(&file, config).unwrap();
        fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).unwrap();
    }

    /// Lets the device show its next code, and writes it down for the program that gives codes.
    pub fn next_code(&self) -> String {
        self.emulator.advance(Duration::from_secs(30));
        let code = self.emulator.code(SERIAL).unwrap();
        fs::write(self.path("code"), &code).unwrap();
        code
    }

    /// How often the program that gives codes was run.
    pub fn asked(&self) -> usize {
        fs::read_to_string(self.path("asked")).map_or(0, |asked| asked.lines().count())
    }

    /// How often an action was called.
    pub fn calls(&self, action: &str) -> usize {
        let calls = self.emulator.calls();
        calls.iter().filter(|call| call.action == action).count()
    }

    /// The variables of every command beside HOME, PATH and the like.
    fn variables(&self) -> Vec<(&'static str, String)> {
        let folder = |name| self.path(name).to_str().unwrap().to_owned();
        let mut variables = vec![
            ("TMPDIR", folder("tmp")),
            ("XDG_RUNTIME_DIR", folder("run")),
            ("SHELL", "/bin/sh".to_owned()),
        ];
        if self.key == Key::Env {
            variables.push(("AWS_ACCESS_KEY_ID", KEY.to_owned()));
            variables.push(("AWS_SECRET_ACCESS_KEY", SECRET.to_owned()));
        }
        variables
    }

    /// The program without a terminal, stdin null.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.program(BINARY);
        command.args(arguments);
        without_terminal(&command).unwrap()
    }

    /// Any program in this home, stdin null.
    pub fn program(&self, name: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = at_home(name, self.home.path());
        command.envs(self.variables());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    pub fn run_with_input(&self, arguments: &[&str], input: &str) -> Output {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // A program that refuses early closes its end.
        let _ = stdin.write_all(input.as_bytes());
        drop(stdin);
        child.wait_with_output().unwrap()
    }

    /// Any program for a terminal of its own.
    pub fn in_terminal(&self, program: impl AsRef<Path>, arguments: &[&str]) -> CommandBuilder {
        let mut command = terminal::command(program.as_ref(), self.home.path());
        command.args(arguments);
        for (name, value) in self.variables() {
            command.env(name, value);
        }
        command
    }

    fn slot(&self) -> Slot {
        Slot { account: AUTH.parse().unwrap(), endpoint: Some(self.emulator.url()) }
    }

    fn key_home(&self) -> KeyHome {
        KeyHome::file(&self.path(".local/state/sekisho"))
    }

    /// Puts the user's key into the sealed file.
    pub fn store_key(&self) {
        let key = AccessKey { id: KEY.parse().unwrap(), secret: Secret::new(SECRET.into()) };
        let entry = KeyEntry {
            current: Some(StoredKey { key, created: jiff::Timestamp::now() }),
            ..KeyEntry::default()
        };
        let mut ask = |_| Ok(Secret::new(PASSPHRASE.into()));
        self.key_home().save(&self.slot(), &entry, &mut ask).unwrap();
    }

    /// What is in the sealed file.
    pub fn stored(&self) -> Option<KeyEntry> {
        let mut ask = |_| Ok(Secret::new(PASSPHRASE.into()));
        self.key_home().load(&self.slot(), &mut ask).unwrap()
    }

    /// Makes the next process ask for the passphrase.
    pub fn forget_passphrase(&self) {
        if let KeyHome::File(file) = self.key_home() {
            file.forget_passphrase(&self.slot());
        }
    }

    /// The user's keys at AWS.
    pub fn keys(&self) -> Vec<emulator::AccessKey> {
        self.emulator.with(|organization| organization.user("tanaka").unwrap().keys.clone())
    }
}

impl Drop for Stage {
    /// The kernel keeps data keys and file keys for hours, and a user may have 200.
    fn drop(&mut self) {
        let _ = self.run(&["logout", "--all"]);
    }
}

/// Tanaka may enter eight accounts, and care for the own key, all behind MFA.
fn organization() -> Organization {
    let mut organization = Organization::new(AUTH, "999999999999");
    let mut user = emulator::User::new("tanaka");
    user.keys.push(emulator::AccessKey::new(KEY, SECRET));
    user.devices
        .push(EmulatedDevice::Totp { serial: SERIAL.into(), seed: *b"12345678901234567890" });
    for policy in [
        r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["sts:AssumeRole","iam:*AccessKey*"],"Resource":"*"}}"#,
        r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","NotAction":["sts:GetSessionToken"],"Resource":"*",
            "Condition":{"BoolIfExists":{"aws:MultiFactorAuthPresent":"false"}}}}"#,
    ] {
        user.policies.push(Policy::inline(policy).unwrap());
    }
    organization.users.push(user);
    for n in 1..=8 {
        let id = format!("22222222222{n}");
        let trust = format!(
            r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Principal":{{"AWS":"arn:aws:iam::{AUTH}:root"}},
                "Action":"sts:AssumeRole","Condition":{{"Bool":{{"aws:MultiFactorAuthPresent":"true"}}}}}}}}"#
        );
        let trust = Document::parse(&trust).unwrap();
        organization.accounts.push(Account::new(&id, "dev"));
        organization.roles.push(Role::new(&id, "Developer", trust));
    }
    organization
}

/// Looks again and again until something holds.
pub use crate::support::until;

pub fn kill(pid: i32) {
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}

/// Exit code, stdout and stderr as one text, with everything that differs from run to run replaced.
pub fn told(stage: &Stage, output: &Output) -> String {
    let text = format!(
        "exit {}\n--- stdout\n{}--- stderr\n{}",
        output.status.code().unwrap_or(-1),
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    plain(stage, &text)
}

/// A text with home, port, instants and spans replaced.
pub fn plain(stage: &Stage, text: &str) -> String {
    let text = text
        .replace(stage.home.path().to_str().unwrap(), "HOME")
        .replace(&stage.emulator.url(), "http://127.0.0.1:PORT");
    let is_time = |word: &str| {
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        word.len() == 10 && word.split('-').count() == 3 && word.split('-').all(digits)
            || word.len() == 5 && word.split(':').count() == 2 && word.split(':').all(digits)
    };
    let lines = text.lines().map(|line| {
        let words: Vec<&str> = line.split(' ').collect();
        let mut out: Vec<String> = Vec::new();
        for (at, word) in words.iter().enumerate() {
            let after = word.trim_end_matches([',', ')']);
            let rest = &word[after.len()..];
            let is_span = (after.ends_with('m') || after.ends_with('h'))
                && after[..after.len() - 1].parse::<u32>().is_ok();
            if is_time(after) {
                // A time of today has no date.
                if out.last().is_some_and(|last| last == "TIME") {
                    out.pop();
                }
                out.push("TIME".to_owned() + rest);
            } else if is_span && at > 0 && out.last().is_some_and(|last| last == "SPAN") {
                out.pop();
                out.push("SPAN".to_owned() + rest);
            } else if is_span {
                out.push("SPAN".to_owned() + rest);
            } else {
                out.push((*word).to_owned());
            }
        }
        // That column is as wide as the widest time, and its head.
        let line = out.join(" ");
        let cut = ["TIME  ", "UNTIL  "]
            .into_iter()
            .find_map(|word| line.split_once(word).map(|(before, after)| (before, word, after)));
        match cut {
            Some((before, word, after)) => format!("{before}{word}{}", after.trim_start()),
            None => line,
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}
