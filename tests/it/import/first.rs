//! `init` in the embedded organization: in a real terminal, and as a verb without one.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use portable_pty::CommandBuilder;
use sekisho::emulator::{
    AccessKey, Account, Document, EmulatedDevice, Emulator, KeyStatus, Organization, Policy, Role,
    User,
};

use super::{Said, mode, run, sekisho};
use crate::pty::terminal::{Pty, command};
use crate::support::program;

const BINARY: &str = env!("CARGO_BIN_EXE_sekisho");
const KEY: &str = "AKIATANAKA0000000001";
const SECRET: &str = "CANARY/tanaka+wJalrXUtnFEMIK7MDENGbPxRfi";
const PHONE: &str = "arn:aws:iam::111111111111:mfa/phone";
const PASSPHRASE: &str = "Correct-Horse-CANARY";
/// A first account, its role and region.
const DEV: [&str; 6] =
    ["--dev-account", "dev=222222222222", "--role", "Developer", "--region", "eu-west-1"];
/// What the asking ends with.
const WRITE: &str = "config.yaml? [Y/n]";

/// What tanaka may do with the key alone, and with a code.
#[derive(Clone, Copy, PartialEq, Eq)]
enum May {
    /// List the devices, and the organization's accounts.
    List,
    /// List the devices only.
    ListDevices,
    /// Nothing without a code.
    Nothing,
}

struct Stage {
    emulator: Emulator,
    home: tempfile::TempDir,
}

impl Stage {
    fn new(may: May) -> Self {
        let mut organization = Organization::new("111111111111", "999999999999");
        let mut user = User::new("tanaka");
        user.keys.push(AccessKey::new(KEY, SECRET));
        let seed = *b"12345678901234567890";
        user.devices.push(EmulatedDevice::Totp { serial: PHONE.into(), seed });
        let allow = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["sts:AssumeRole","iam:ListMFADevices","organizations:ListAccounts"],"Resource":"*"}}"#;
        let deny = r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","NotAction":"sts:GetSessionToken","Resource":"*",
            "Condition":{"BoolIfExists":{"aws:MultiFactorAuthPresent":"false"}}}}"#;
        let allow = match may {
            May::ListDevices => allow.replace("organizations:ListAccounts", "sts:TagSession"),
            _ => allow.to_owned(),
        };
        user.policies.push(Policy::inline(&allow).unwrap());
        if may == May::Nothing {
            user.policies.push(Policy::inline(deny).unwrap());
        }
        organization.users.push(user);
        organization.root_keys.push(AccessKey::new("AKIAROOT000000000001", SECRET));
        for (id, name) in [("222222222222", "dev"), ("333333333333", "Team/Data")] {
            let trust = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111111111111:root"},
                "Action":"sts:AssumeRole","Condition":{"Bool":{"aws:MultiFactorAuthPresent":"true"}}}}"#;
            organization.accounts.push(Account::new(id, name));
            organization.roles.push(Role::new(id, "Developer", Document::parse(trust).unwrap()));
        }
        let home = tempfile::Builder::new().prefix("home").tempdir().unwrap();
        let stage = Self { emulator: Emulator::start(organization).unwrap(), home };
        for folder in ["run", "tmp", ".aws"] {
            fs::create_dir_all(stage.path(folder)).unwrap();
        }
        fs::set_permissions(stage.path("run"), std::os::unix::fs::PermissionsExt::from_mode(0o700))
            .unwrap();
        stage
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn config(&self) -> PathBuf {
        self.path(".config/sekisho/config.yaml")
    }

    /// The config, with the emulator's port replaced.
    fn written(&self) -> String {
        let text = fs::read_to_string(self.config()).unwrap();
        text.replace(&self.emulator.url(), "http://127.0.0.1:PORT")
    }

    fn profiles(&self) {
        fs::write(
            self.path(".aws/config"),
            "[default]\nregion = eu-west-3\nmfa_serial = arn:aws:iam::111111111111:mfa/phone\n\
             [profile dev-a]\nrole_arn = arn:aws:iam::222222222222:role/Developer\nsource_profile = default\n\
             [profile other]\nsso_session = x\n",
        )
        .unwrap();
    }

    fn credentials(&self) {
        let text = format!(
            "[default]\naws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}\n[session]\naws_access_key_id = ASIATANAKA0000000001\naws_secret_access_key = x\naws_session_token = y\n"
        );
        fs::write(self.path(".aws/credentials"), text).unwrap();
    }

    fn terminal(&self, arguments: &[&str]) -> CommandBuilder {
        let mut program = command(BINARY, self.home.path());
        program.args(arguments);
        program.env("XDG_RUNTIME_DIR", self.path("run"));
        program.env("TMPDIR", self.path("tmp"));
        program.env("SHELL", "/bin/sh");
        program
    }

    /// `init` in a terminal.
    fn init(&self, arguments: &[&str]) -> Pty {
        let url = self.emulator.url();
        Pty::spawn(self.terminal(&[&["init", "--endpoint-url", &url], arguments].concat()))
    }

    /// The program without a terminal.
    fn verb(&self) -> Option<Command> {
        let mut command = sekisho(self.home.path())?;
        command.env("XDG_RUNTIME_DIR", self.path("run")).env("TMPDIR", self.path("tmp"));
        command.env("PATH", std::env::var_os("PATH").unwrap());
        Some(command)
    }

    /// `init` without a terminal.
    fn run(&self, arguments: &[&str], stdin: &str) -> Option<Said> {
        let url = self.emulator.url();
        let words = [&["init", "--endpoint-url", &url], arguments].concat();
        Some(run(self.verb()?, &words, stdin, self.home.path()))
    }

    /// The same with the key in the environment.
    fn run_with_env(&self, arguments: &[&str]) -> Option<Said> {
        let url = self.emulator.url();
        let words = [&["init", "--key", "env", "--endpoint-url", &url], arguments].concat();
        let mut command = self.verb()?;
        command.env("AWS_ACCESS_KEY_ID", KEY).env("AWS_SECRET_ACCESS_KEY", SECRET);
        Some(run(command, &words, "", self.home.path()))
    }

    /// Lets somebody be signed in to the console, and tanaka enter the role `Open` of dev without MFA. Returns the browser.
    fn console(&self, signed_in: &str) -> PathBuf {
        let trust = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111111111111:root"},
            "Action":"sts:AssumeRole"}}"#;
        let sign_in = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"signin:*","Resource":"*"}}"#;
        self.emulator.with(|organization| {
            organization.console = Some(signed_in.to_owned());
            organization.roles.push(Role::new(
                "222222222222",
                "Open",
                Document::parse(trust).unwrap(),
            ));
            let user = organization.user("tanaka").unwrap();
            user.policies.push(Policy::inline(sign_in).unwrap());
        });
        let browser = self.path("browser");
        fs::write(&browser, "#!/bin/sh\ncurl -sL -o page \"$1\"\n").unwrap();
        fs::set_permissions(&browser, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        browser
    }

    /// `init` in a terminal, with a browser.
    fn init_with(&self, browser: &Path, arguments: &[&str]) -> Pty {
        let url = self.emulator.url();
        let mut program = self.terminal(&[&["init", "--endpoint-url", &url], arguments].concat());
        program.env("BROWSER", browser);
        Pty::spawn(program)
    }

    /// The config is sound.
    fn checks(&self) {
        let check = run(self.verb().unwrap(), &["config", "check"], "", self.home.path());
        assert_eq!(check.code, 0, "{}", check.whole());
    }

    fn next_code(&self) -> String {
        self.emulator.advance(Duration::from_secs(30));
        self.emulator.code(PHONE).unwrap()
    }

    fn calls(&self) -> Vec<String> {
        self.emulator.calls().iter().map(|call| call.action.clone()).collect()
    }
}

impl Drop for Stage {
    /// The kernel keeps data keys for hours, and a user may have 200.
    fn drop(&mut self) {
        if let Some(command) = self.verb() {
            run(command, &["logout", "--all"], "", self.home.path());
        }
    }
}

/// Every file below a folder.
fn files(folder: &Path) -> BTreeSet<PathBuf> {
    let mut all = BTreeSet::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.path().is_dir() {
            all.append(&mut files(&entry.path()));
        } else {
            all.insert(entry.path());
        }
    }
    all
}

fn answer(pty: &mut Pty, question: &str, answer: &str) {
    pty.wait_for(question);
    pty.line(answer);
}

fn paste_key(pty: &mut Pty) {
    answer(pty, "access key, in any form", &format!("{KEY}\r{SECRET}"));
}

fn new_passphrase(pty: &mut Pty) {
    answer(pty, "new passphrase for the access key's file: ", PASSPHRASE);
    answer(pty, "repeat the passphrase: ", PASSPHRASE);
}

#[test]
fn from_a_pasted_key_to_a_subshell() {
    let stage = Stage::new(May::List);
    let mut pty = stage.init(&[]);
    let csv = format!("\u{1b}[200~Access key ID,Secret access key\r{KEY},{SECRET}\u{1b}[201~");
    answer(&mut pty, "access key, in any form (not shown): ", &csv);
    pty.wait_for("the key is tanaka's in account 1111-1111-1111");
    pty.wait_for("1 MFA device: phone");
    answer(&mut pty, "region [ap-northeast-1]: ", "mars-1");
    answer(&mut pty, "→ ", "eu-west-1");
    answer(&mut pty, "organization's accounts?", "");
    answer(&mut pty, "account to switch to", "2222");
    answer(&mut pty, "exactly 12 digits", "2222-2222-2222");
    answer(&mut pty, "name for it [dev-tanaka]: ", "");
    answer(&mut pty, "role to assume in accounts that name none [Developer]: ", "");
    assert!(!stage.config().exists(), "nothing before the last answer");
    answer(&mut pty, WRITE, "");
    new_passphrase(&mut pty);
    // The list, and the first switch.
    pty.wait_until("the list", |screen| {
        screen.contains("ACCOUNT") && screen.contains("dev-tanaka")
    });
    pty.send("\r");
    pty.wait_for("user tanaka, device phone");
    pty.send(&stage.next_code());
    pty.wait_until("the subshell", |screen| !screen.contains("MFA"));
    pty.line("echo in $AWS_ACCOUNT_ID");
    pty.wait_for("in 222222222222");
    assert!(!pty.transcript().contains("CANARY"), "{}", pty.transcript());
    insta::assert_snapshot!("pasted", stage.written());
    let path = stage.config();
    assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
    stage.checks();
}

#[test]
fn without_a_key_the_browser_signs_in_and_then_the_list_opens() {
    let Some(_) = program("curl") else { return };
    let stage = Stage::new(May::List);
    let browser = stage.console("arn:aws:iam::111111111111:user/tanaka");
    let mut pty = stage.init_with(&browser, &[]);
    pty.wait_for("press Enter to sign in");
    answer(&mut pty, "access key, in any form (not shown): ", "");
    pty.wait_for("with only a passkey you cannot enter it");
    pty.wait_for("sekisho verify TARGET");
    answer(&mut pty, "account of your IAM user, 12 digits: ", "1111-1111-1111");
    answer(&mut pty, "your IAM user's name", "");
    answer(&mut pty, "region [ap-northeast-1]: ", "eu-west-1");
    answer(&mut pty, "account to switch to", "2222-2222-2222");
    answer(&mut pty, "name for it [dev]: ", "");
    answer(&mut pty, "role to assume in accounts that name none [Developer]: ", "Open");
    pty.wait_for(WRITE);
    assert!(!stage.config().exists(), "nothing before the last answer");
    assert_eq!(stage.calls(), [""; 0]);
    pty.line("y");
    pty.wait_until("the list", |screen| screen.contains("ACCOUNT") && screen.contains("dev"));
    let transcript = pty.transcript();
    assert!(transcript.contains("signed in as tanaka (console sign-in)"), "{transcript}");
    let wire = ["AuthorizeOAuth2Access", "CreateOAuth2Token", "GetCallerIdentity"];
    assert_eq!(stage.calls(), wire);
    pty.send("\r");
    pty.wait_for("exit returns to the list");
    pty.line("echo in $AWS_ACCOUNT_ID");
    pty.wait_for("in 222222222222");
    insta::assert_snapshot!("keyless", stage.written());
    stage.checks();

    // The wrong session in the browser: nobody is signed in, and the config is there for the next attempt.
    let other = Stage::new(May::List);
    let browser = other.console("arn:aws:iam::222222222222:user/tanaka");
    let options = ["--key", "login", "--account", "111111111111", "--region", "eu-west-1"];
    let accounts = ["--dev-account", "dev=222222222222", "--role", "Open"];
    let mut pty = other.init_with(&browser, &[&options[..], &accounts].concat());
    answer(&mut pty, WRITE, "y");
    let (code, screen) = pty.last_words();
    assert_eq!(code, 2, "{screen}");
    assert!(screen.contains("tanaka of account 222222222222"), "{screen}");
    assert!(other.written().contains("key: login"));
}

#[test]
fn without_a_key_and_without_a_terminal_options_suffice() {
    let Some(_) = program("curl") else { return };
    let stage = Stage::new(May::List);
    let browser = stage.console("arn:aws:iam::111111111111:user/tanaka");
    let mut options = vec!["--key", "login", "--region", "eu-west-1"];
    let Some(said) = stage.run(&options, "") else { return };
    assert_eq!(said.code, 4, "{}", said.whole());
    assert!(said.stderr.contains("fix  add --account ID"), "{}", said.whole());
    options.extend(["--account", "111111111111", "--role", "Open", "--yes"]);
    let refused = stage.run(&[&options[..], &["--from", "organization"]].concat(), "").unwrap();
    assert_eq!(refused.code, 2, "{}", refused.whole());
    assert!(refused.stderr.contains("sekisho import organizations"), "{}", refused.whole());
    let foreign = ["--from", "none", "--mfa-serial", "arn:aws:iam::222222222222:mfa/x"];
    let refused = stage.run(&[&options[..], &foreign].concat(), "").unwrap();
    assert!(refused.code == 2 && refused.stderr.contains("belongs to account 222222222222"));
    assert!(!stage.config().exists());

    options.extend([
        "--user",
        "tanaka",
        "--mfa-serial",
        PHONE,
        "--dev-account",
        "dev=222222222222",
    ]);
    let said = stage.run(&options, "").unwrap();
    insta::assert_snapshot!("keyless_said", said.whole());
    insta::assert_snapshot!("keyless_options", stage.written());
    assert_eq!(stage.calls(), [""; 0]);
    let verb = |words: &[&str]| {
        let mut command = stage.verb().unwrap();
        command.env("BROWSER", &browser);
        run(command, words, "", stage.home.path())
    };
    let said = verb(&["config", "check"]);
    assert_eq!(said.code, 0, "{}", said.whole());
    let said = verb(&["login"]);
    assert!(said.stderr.contains("signed in as tanaka (console sign-in)"), "{}", said.whole());
    let said = verb(&["exec", "dev", "--", "/bin/sh", "-c", "echo in $AWS_ACCOUNT_ID"]);
    assert_eq!(said.stdout, "in 222222222222\n", "{}", said.whole());
    // As the refusal above says.
    let said = verb(&["import", "organizations"]);
    assert!(said.code == 0 && said.stdout.contains("Team-Data"), "{}", said.whole());
}

#[test]
fn a_profile_of_awss_own_sign_in_says_who_that_is() {
    let stage = Stage::new(May::List);
    let user = "arn:aws:iam::111111111111:user/staff/tanaka";
    fs::write(
        stage.path(".aws/config"),
        format!(
            "[profile work]\nlogin_session = {user}\n\
             [profile root]\nlogin_session = arn:aws:iam::111111111111:root\n[profile sso]\nsso_session = x\n"
        ),
    )
    .unwrap();
    let init = |key: &str, more: &[&str]| {
        let options = ["--region", "eu-west-1", "--from", "none", "--role", "Developer", "--yes"];
        let key = ["--key", key, "--dev-account", "dev=222222222222"];
        stage.run(&[&key[..], &options, more].concat(), "")
    };
    let Some(root) = init("profile:root", &[]) else { return };
    assert!(root.code == 2 && root.stderr.contains("as an IAM user"), "{}", root.whole());
    let sso = init("profile:sso", &[]).unwrap();
    assert!(sso.code == 2 && sso.stderr.contains("never meet an MFA condition"), "{}", sso.whole());
    for (option, value) in [("--account", "222222222222"), ("--user", "suzuki")] {
        let other = init("profile:work", &[option, value]).unwrap();
        assert_eq!(other.code, 2, "{}", other.whole());
        let why = format!("{option} names {value}");
        assert!(other.stderr.contains(user) && other.stderr.contains(&why), "{}", other.whole());
    }
    assert!(!stage.config().exists());

    let said = init("profile:work", &[]).unwrap();
    assert_eq!(said.code, 0, "{}", said.whole());
    for line in ["to find out, with such a role: sekisho verify TARGET", "next: sekisho\n"] {
        assert!(said.stderr.contains(line), "{line}: {}", said.whole());
    }
    assert_eq!(stage.calls(), [""; 0]);
    insta::assert_snapshot!(stage.written(), @r#"
    # The config of sekisho. It holds no secrets, and needs no access key: `aws login` signs in.
    # `sekisho config check` reports errors in it, `sekisho config show` prints every value and its source.
    # `sekisho config example` explains every key.
    version: 1

    auth:
      account: "111111111111"
      user: tanaka
      key: profile:work
      endpoint_url: http://127.0.0.1:PORT

    defaults:
      roles: [Developer]
      region: eu-west-1

    accounts:
      - name: dev
        id: "222222222222"
    "#);
    let exec = ["exec", "dev", "--", "true"];
    let exec = run(stage.verb().unwrap(), &exec, "", stage.home.path());
    assert_eq!(exec.code, 4, "{}", exec.whole());
    assert!(exec.stderr.contains("aws login --profile work"), "{}", exec.whole());
}

#[test]
fn a_profiles_key_and_roles_are_found_and_offered() {
    let stage = Stage::new(May::Nothing);
    stage.profiles();
    stage.credentials();
    let mut program = stage.terminal(&["init", "--endpoint-url", &stage.emulator.url()]);
    program.env("AWS_ACCESS_KEY_ID", KEY);
    program.env("AWS_SECRET_ACCESS_KEY", SECRET);
    let mut pty = Pty::spawn(program);
    let screen = pty.wait_for("number [1]: ");
    // The same key once; the session is none.
    assert!(
        screen.contains("1  environment, …0001") && screen.contains("2  another key"),
        "{screen}"
    );
    assert!(screen.contains("3  none: sign in with the browser"), "{screen}");
    pty.line("4");
    answer(&mut pty, "→ a number from 1 to 3", "1");
    answer(&mut pty, "copy it into the keychain", "n");
    pty.wait_for("AWS does not let you list your MFA devices");
    answer(&mut pty, "serial of your MFA device", "arn:aws:iam::222222222222:mfa/phone");
    answer(&mut pty, "belongs to account 222222222222", "");
    answer(&mut pty, "region [eu-west-3]: ", "");
    pty.wait_for("~/.aws/config has 1 account with 1 role: dev-a");
    answer(&mut pty, "import them? [Y/n]", "");
    answer(&mut pty, "organization's accounts?", "n");
    answer(&mut pty, WRITE, "y");
    pty.wait_until("the list", |screen| screen.contains("ACCOUNT") && screen.contains("dev-a"));
    pty.send("\u{3}");
    assert_eq!(pty.wait(), 130);
    insta::assert_snapshot!("profiles", stage.written());
    assert_eq!(files(&stage.path(".local/state/sekisho/keys")), BTreeSet::new());
}

#[test]
fn the_organizations_accounts_join_with_one_code_for_the_day() {
    let stage = Stage::new(May::List);
    stage.profiles();
    stage.credentials();
    let mut pty = stage.init(&["--key", "profile:default"]);
    answer(&mut pty, "region [eu-west-3]: ", "");
    answer(&mut pty, "import them? [Y/n]", "y");
    answer(&mut pty, "organization's accounts?", "y");
    answer(&mut pty, "code from phone: ", &stage.next_code());
    answer(&mut pty, "role to assume in accounts that name none", "");
    answer(&mut pty, WRITE, "");
    pty.wait_until("the list", |screen| {
        screen.contains("ACCOUNT") && screen.contains("dev-a") && screen.contains("Team-Data")
    });
    pty.send("Team\r");
    pty.wait_until("the subshell", |screen| !screen.contains("MFA"));
    pty.line("echo in $AWS_ACCOUNT_ID");
    pty.wait_for("in 333333333333");
    let codes = stage.calls().iter().filter(|call| *call == "GetSessionToken").count();
    assert_eq!(codes, 1);
    insta::assert_snapshot!("organization", stage.written());
}

#[test]
fn where_the_organization_refuses_it_goes_on() {
    let stage = Stage::new(May::ListDevices);
    stage.credentials();
    let mut pty = stage.init(&["--key", "profile:default", "--region", "eu-west-1"]);
    answer(&mut pty, "organization's accounts?", "y");
    answer(&mut pty, "code from phone: ", &stage.next_code());
    pty.wait_for("organizations:ListAccounts");
    answer(&mut pty, "account to switch to", "222222222222");
    answer(&mut pty, "name for it", "dev");
    answer(&mut pty, "role to assume in accounts that name none", "");
    answer(&mut pty, WRITE, "");
    pty.wait_until("the list", |screen| screen.contains("ACCOUNT") && screen.contains("dev"));
    // The code was not for nothing.
    pty.send("\r");
    pty.wait_until("the subshell", |screen| !screen.contains("MFA"));
    pty.line("echo in $AWS_ACCOUNT_ID");
    pty.wait_for("in 222222222222");
}

#[test]
fn a_key_of_another_partition_brings_its_region() {
    let stage = Stage::new(May::List);
    stage.emulator.with(|organization| organization.partition = "aws-cn".to_owned());
    let mut pty =
        stage.init(&["--dev-account", "dev=222222222222", "--role", "Developer", "--yes"]);
    paste_key(&mut pty);
    answer(&mut pty, "region [cn-north-1]: ", "eu-west-1");
    answer(&mut pty, "eu-west-1 is in partition aws, the auth account in aws-cn", "cn-northwest-1");
    new_passphrase(&mut pty);
    pty.wait_for("next: sekisho");
    assert!(stage.written().contains("region: cn-northwest-1"), "{}", stage.written());
}

#[test]
fn another_stored_key_is_replaced_only_where_that_is_meant() {
    let stage = Stage::new(May::List);
    let other = "AKIATANAKA0000000002";
    stage.emulator.with(|organization| {
        organization.user("tanaka").unwrap().keys.push(AccessKey::new(other, SECRET));
    });
    let options =
        ["--dev-account", "dev=222222222222", "--role", "Developer", "--region", "eu-west-1"];
    let begin = |yes: &[&str], id: &str| {
        let mut pty = stage.init(&[&options[..], yes].concat());
        answer(&mut pty, "access key, in any form", &format!("{id}\r{SECRET}"));
        pty
    };
    let mut pty = begin(&["--yes"], KEY);
    new_passphrase(&mut pty);
    assert_eq!(pty.wait(), 0, "{}", pty.screen());
    fs::remove_file(stage.config()).unwrap();

    let mut pty = begin(&[], other);
    answer(&mut pty, WRITE, "y");
    answer(&mut pty, &format!("replace the stored key {KEY} by {other}? [y/N]"), "n");
    assert_eq!(pty.wait(), 130);
    assert!(!stage.config().exists());
    let mut pty = begin(&["--yes"], other);
    pty.wait_for(&format!("stored {other} of tanaka"));
    assert_eq!(pty.wait(), 0);
    assert!(stage.config().exists());
}

#[test]
fn a_key_that_is_none_or_is_refused_is_asked_for_again() {
    let stage = Stage::new(May::List);
    let mut pty = stage.init(&DEV);
    let question = "access key, in any form (not shown): ";
    answer(&mut pty, question, &format!("ASIATANAKA0000000001\r{SECRET}"));
    pty.wait_for("contains a session, not an access key");
    let asked = |n| move |screen: &str| screen.matches(question).count() == n;
    pty.wait_until("asked again", asked(2));
    pty.line(&format!("AKIANOBODY0000000001\r{SECRET}"));
    pty.wait_for("AWS does not know this access key");
    pty.wait_until("asked again", asked(3));
    pty.line(&format!("AKIAROOT000000000001\r{SECRET}"));
    pty.wait_for("the access key does not belong to an IAM user");
    pty.wait_until("asked again", asked(4));
    pty.line(&format!("{KEY}\r{SECRET}"));
    answer(&mut pty, WRITE, "");
    new_passphrase(&mut pty);
    pty.wait_until("the list", |screen| screen.contains("ACCOUNT") && screen.contains("dev"));
    assert!(!pty.transcript().contains("CANARY"), "{}", pty.transcript());
}

#[test]
fn without_a_network_a_person_says_what_aws_would() {
    let stage = Stage::new(May::List);
    let closed = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    let mut pty = Pty::spawn(stage.terminal(&["init", "--endpoint-url", &closed]));
    paste_key(&mut pty);
    pty.wait_for("cannot be reached");
    answer(&mut pty, "ask AWS again?", "y");
    pty.wait_until("asked again", |screen| screen.matches("ask AWS again?").count() == 2);
    pty.line("n");
    answer(&mut pty, "account of your IAM user, 12 digits: ", "1111-1111-1111");
    answer(&mut pty, "your IAM user's name", "tanaka");
    answer(&mut pty, "[arn:aws:iam::111111111111:mfa/tanaka]: ", PHONE);
    answer(&mut pty, "region [", "eu-west-1");
    answer(&mut pty, "account to switch to", "");
    answer(&mut pty, WRITE, "");
    new_passphrase(&mut pty);
    // No account, so no list.
    pty.wait_for("next: add accounts");
    assert_eq!(pty.wait(), 0);
    let text = stage.written();
    assert!(text.contains("user: tanaka") && text.contains(PHONE), "{text}");
    assert!(text.contains("accounts: []"), "{text}");
}

#[test]
fn a_device_is_waited_for() {
    let stage = Stage::new(May::List);
    let take = |devices: Vec<EmulatedDevice>| {
        stage.emulator.with(|organization| organization.user("tanaka").unwrap().devices = devices);
    };
    let serial = "arn:aws:iam::111111111111:u2f/user/tanaka/key-ABC".to_owned();
    take(vec![EmulatedDevice::Fido { serial }]);
    let mut pty = stage.init(&[&DEV[..], &["--yes"]].concat());
    paste_key(&mut pty);
    let screen = pty.wait_for("Enter when there is one");
    assert!(screen.contains("tanaka has no MFA device that generates six-digit codes"), "{screen}");
    assert!(screen.contains("security key") && screen.contains("Assign MFA device"), "{screen}");
    let (serial, seed) = (PHONE.to_owned(), *b"12345678901234567890");
    take(vec![EmulatedDevice::Totp { serial, seed }]);
    pty.line("");
    pty.wait_for("1 MFA device: phone");
    new_passphrase(&mut pty);
    // Who says yes beforehand gets no list.
    pty.wait_for("next: sekisho");
    assert_eq!(pty.wait(), 0);
}

#[test]
fn a_key_that_is_copied_or_stored_already_needs_no_paste() {
    let stage = Stage::new(May::List);
    stage.credentials();
    let options = [&DEV[..], &["--yes"]].concat();
    let mut pty = stage.init(&options);
    answer(&mut pty, "number [1]: ", "");
    answer(&mut pty, "copy it into the keychain", "");
    new_passphrase(&mut pty);
    pty.wait_for("to remove it there: sekisho key import --profile default");
    assert_eq!(pty.wait(), 0);
    assert!(!stage.written().contains("key:"), "{}", stage.written());

    // Another machine's config is lost, the key is not.
    fs::remove_file(stage.config()).unwrap();
    fs::remove_file(stage.path(".aws/credentials")).unwrap();
    let mut pty = stage.init(&[&options[..], &["--account", "111111111111"]].concat());
    pty.wait_for("1  sekisho's store, …0001");
    answer(&mut pty, "number [1]: ", "");
    pty.wait_for("next: sekisho");
    assert_eq!(pty.wait(), 0);
    fs::remove_file(stage.config()).unwrap();
    let stored = ["--key", "store", "--account", "111111111111"];
    let Some(said) = stage.run(&[&options[..], &stored].concat(), "") else { return };
    assert_eq!(said.code, 0, "{}", said.whole());
}

/// ^C and ^D at each question in turn: what was there stays, and nothing else is there.
#[test]
fn whoever_leaves_on_the_way_leaves_nothing() {
    let questions = [
        ("number [1]: ", "1"),
        ("copy it into the keychain", "y"),
        ("serial of your MFA device", ""),
        ("region [", "eu-west-1"),
        ("import them?", "n"),
        ("organization's accounts?", "y"),
        ("code from phone: ", "CODE"),
        ("role to assume in accounts that name none", "Developer"),
        (WRITE, "y"),
        ("new passphrase", PASSPHRASE),
        ("repeat the passphrase: ", PASSPHRASE),
    ];
    let stage = Stage::new(May::Nothing);
    stage.profiles();
    stage.credentials();
    // The lock of the prompt and the hashes of spent codes stay, as after any code.
    let is_kept = |path: &PathBuf| !path.starts_with(stage.path(".local/state"));
    let before = files(stage.home.path());
    for key in ["\u{3}", "\u{4}"] {
        for last in 0..questions.len() {
            let mut pty = stage.init(&[]);
            for (question, text) in &questions[..last] {
                pty.wait_for(question);
                if *text == "CODE" {
                    pty.line(&stage.next_code());
                } else {
                    pty.line(text);
                }
            }
            let (question, _) = questions[last];
            pty.wait_for(question);
            pty.send(key);
            let code = pty.wait();
            assert!(
                code == 130 || key == "\u{3}" && code != 0,
                "{code} at {question}: {}",
                pty.screen()
            );
            let after: BTreeSet<PathBuf> =
                files(stage.home.path()).into_iter().filter(is_kept).collect();
            assert_eq!(after, before, "{question}");
            assert_eq!(
                files(&stage.path(".local/state/sekisho/keys")),
                BTreeSet::new(),
                "{question}"
            );
            let sessions = files(&stage.path(".local/state/sekisho/sessions"));
            assert!(
                sessions.iter().all(|file| !file.to_string_lossy().contains("auth-")),
                "{sessions:?}"
            );
        }
    }
}

#[test]
fn without_a_terminal_and_without_options_nothing_is_written() {
    let stage = Stage::new(May::Nothing);
    stage.profiles();
    stage.credentials();
    let before = files(stage.home.path());
    let Some(command) = stage.verb() else { return };
    let said = run(command, &["init"], "", stage.home.path());
    insta::assert_snapshot!(said.whole(), @"
    exit 4
    --- stdout
    --- stderr
    sekisho: there is no terminal to ask on, so no config was written
       why  not given as an option: the access key
       fix  add --key -, --key env, --key profile:NAME, --key store or --key login
       fix  or run `sekisho init` in a terminal; `sekisho help init` lists every option
    ");
    // Each question in turn, with what answers it.
    let mut options: Vec<&str> = Vec::new();
    for (named, given) in [
        ("--mfa-serial SERIAL", &["--mfa-serial", PHONE][..]),
        ("--from aws-config, --from organization", &["--dev-account", "dev=222222222222"]),
        ("--role NAME", &["--role", "Developer"]),
        ("--yes", &["--yes"]),
    ] {
        let said = stage.run_with_env(&options).unwrap();
        assert_eq!(said.code, 4, "{}", said.whole());
        assert!(said.stderr.contains(&format!("fix  add {named}")), "{}", said.whole());
        assert!(said.stderr.contains("no config was written"), "{}", said.whole());
        assert_eq!(files(stage.home.path()), before);
        options.extend(given);
    }
    let said = stage.run_with_env(&options).unwrap();
    assert_eq!(said.code, 0, "{}", said.whole());
    insta::assert_snapshot!("options", stage.written());
}

#[test]
fn every_answer_has_an_option() {
    let stage = Stage::new(May::List);
    stage.profiles();
    stage.credentials();
    let Some(said) = stage.run(&["--key", "profile:default", "--from", "aws-config", "--yes"], "")
    else {
        return;
    };
    assert_eq!(said.code, 0, "{}", said.whole());
    insta::assert_snapshot!("from_aws_config", said.whole());
    let text = stage.written();
    assert!(text.contains("key: profile:default") && text.contains("region: eu-west-3"), "{text}");
    // It works: a code, and a role.
    let code = stage.next_code() + "\n";
    let words =
        ["exec", "--mfa-code", "-", "dev-a", "--", "/bin/sh", "-c", "echo in $AWS_ACCOUNT_ID"];
    let said = run(stage.verb().unwrap(), &words, &code, stage.home.path());
    assert_eq!(said.stdout, "in 222222222222\n", "{}", said.whole());

    // The organization takes a code.
    fs::remove_file(stage.config()).unwrap();
    let code = stage.next_code() + "\n";
    let options = [
        "--key",
        "profile:default",
        "--from",
        "aws-config,organization",
        "--role",
        "Developer",
        "--yes",
        "--mfa-code",
        "-",
    ];
    let said = stage.run(&options, &code).unwrap();
    assert_eq!(said.code, 0, "{}", said.whole());
    assert!(stage.written().contains("Team-Data"), "{}", stage.written());
}

#[test]
fn what_cannot_be_is_said_and_nothing_is_written() {
    let stage = Stage::new(May::List);
    let before = files(stage.home.path());
    let key = |id: &str| format!("{id}\n{SECRET}\n");
    let options = [&["--key", "-"], &DEV[..], &["--yes"]].concat();
    for (more, stdin, code, what) in [
        (&[][..], key("AKIANOBODY0000000001"), 3, "AWS does not know this access key"),
        (&[], key("AKIAROOT000000000001"), 2, "does not belong to an IAM user"),
        (&[], "CANARY".to_owned(), 2, "stdin contains no access key"),
        (&[], key("ASIATANAKA0000000001"), 2, "stdin contains a session"),
        (&["--account", "222222222222"], key(KEY), 2, "…0001 belongs to account 111111111111"),
        (&["--user", "sato"], key(KEY), 2, "…0001 belongs to tanaka"),
        (
            &["--mfa-serial", "arn:aws:iam::222222222222:mfa/x"],
            key(KEY),
            2,
            "belongs to account 222222222222",
        ),
        (&["--mfa-code", "-"], key(KEY), 2, "stdin cannot hold both"),
        (&["--from", "aws-config"], key(KEY), 2, ".aws/config cannot be read"),
        // No keychain here, and nobody to give a passphrase.
        (&[], key(KEY), 4, "passphrase is needed"),
        (&["--key", "profile:none"], String::new(), 2, "profile none contains no access key"),
        (&["--key", "store"], String::new(), 2, "needs the account"),
        (&["--key", "store", "--account", "111111111111"], String::new(), 1, "D-Bus session bus"),
        (&["--region", "cn-north-1"], key(KEY), 2, "partition"),
    ] {
        let mut words = options.clone();
        for pair in more.chunks(2) {
            match words.iter().position(|word| *word == pair[0]) {
                Some(at) => words[at + 1] = pair[1],
                None => words.extend(pair),
            }
        }
        let Some(said) = stage.run(&words, &stdin) else { return };
        assert_eq!(said.code, code, "{more:?} {}", said.whole());
        assert!(said.stderr.contains(what) && !said.stderr.contains("CANARY"), "{}", said.whole());
        let state = stage.path(".local/state");
        let after: BTreeSet<_> =
            files(stage.home.path()).into_iter().filter(|file| !file.starts_with(&state)).collect();
        assert_eq!(after, before, "{more:?}");
    }
    stage.emulator.with(|organization| {
        organization.user("tanaka").unwrap().keys[0].status = KeyStatus::Inactive;
    });
    assert_eq!(stage.run(&options, &key(KEY)).unwrap().code, 3);
}

#[test]
fn a_config_is_never_overwritten() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let path = home.join("own.yaml");
    fs::write(&path, "mine").unwrap();
    let Some(command) = sekisho(home) else { return };
    let said = run(command, &["init", "--config", "own.yaml"], "", home);
    insta::assert_snapshot!("overwrite", said.whole());
    // A link that leads nowhere is somebody's, too.
    let link = home.join("link.yaml");
    std::os::unix::fs::symlink("nowhere", &link).unwrap();
    let said = run(sekisho(home).unwrap(), &["init", "--config", "link.yaml"], "", home);
    assert_eq!(said.code, 2, "{}", said.whole());
    assert_eq!(fs::read_to_string(&path).unwrap(), "mine");

    // One that somebody makes meanwhile stays as well.
    let stage = Stage::new(May::List);
    let mut pty = stage.init(&DEV);
    paste_key(&mut pty);
    pty.wait_for(WRITE);
    fs::create_dir_all(stage.config().parent().unwrap()).unwrap();
    fs::write(stage.config(), "mine").unwrap();
    pty.line("y");
    let (code, screen) = pty.last_words();
    assert_eq!(code, 2, "{screen}");
    assert!(screen.contains("the config already exists"), "{screen}");
    assert_eq!(fs::read_to_string(stage.config()).unwrap(), "mine");
    assert_eq!(files(&stage.path(".local/state/sekisho/keys")), BTreeSet::new());
}

#[test]
fn ways_to_begin_are_shown_where_there_is_no_config() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let Some(command) = sekisho(home) else { return };
    insta::assert_snapshot!("ways", run(command, &["shell", "dev"], "", home).whole());
    let habit = run(sekisho(home).unwrap(), &["init", "zsh"], "", home);
    insta::assert_snapshot!("habit", habit.whole());
    let demo = run(sekisho(home).unwrap(), &["demo", "init"], "", home);
    insta::assert_snapshot!("demo", demo.whole());
}
