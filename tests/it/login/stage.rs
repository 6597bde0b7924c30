//! A home whose config has no key, and a browser that does as it is told.

use std::ops::Deref;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};

use sekisho::domain::config::{Auth, KeySource};
use sekisho::domain::ids::Endpoints;
use sekisho::emulator::{Call, FaultInjection, Injection, Organization, Role, Times};
use sekisho::services::login::record::Login;
use sekisho::services::session::sessions::{self, AuthOrigin};
use sekisho::services::store::datakey::KeyPlace;
use sekisho::services::store::vault::Vault;

use sha2::{Digest, Sha256};

use crate::emulator::stage::{AUTH, DEV, allow, permit, trust};
use crate::exports::stage::{Ran, Stage as Home};

/// Follows every redirect, and keeps the last page.
const BROWSER: &str = "#!/bin/sh\ncurl -sL -o page \"$1\"\n";
/// Notes its arguments, and goes nowhere.
const NOTES: &str =
    "#!/bin/sh\nprintf '%s\\n' \"$@\" > arguments.tmp; mv arguments.tmp arguments\n";

/// What a test plays on: Alice is signed in to the console. `Open` lets her in without MFA, `Developer` wants it.
pub struct Stage(Home);

impl Deref for Stage {
    type Target = Home;
    fn deref(&self) -> &Home {
        &self.0
    }
}

impl Stage {
    /// A config that names the user and her phone.
    pub fn new() -> Self {
        Self::with(|config| config, |_| {})
    }

    /// The same with another config, another organization.
    pub fn with(
        configure: impl FnOnce(String) -> String,
        organise: impl FnOnce(&mut Organization),
    ) -> Self {
        let home = Home::new();
        home.emulator.with(|organization| {
            organization.quirks.skew = std::time::Duration::from_hours(48);
            let mut role = Role::new(DEV, "Open", trust("{}"));
            role.path = "/dev/".into();
            role.policies.push(allow("*", "*"));
            organization.roles.push(role);
            let client = "arn:aws:signin:*:*:oauth2/public-client/*";
            permit(organization, allow("signin:*", client));
            organization.user("bob").unwrap().policies.push(allow("signin:*", client));
            organization.console = Some(user("alice"));
            organise(organization);
        });
        let stage = Self(home);
        let config = String::from_utf8(stage.read(".config/sekisho/config.yaml")).unwrap();
        let config = config.replace("key: env", "key: login").replace(
            "roles: [{name: Developer",
            "roles: [{name: Open, path: /dev/}, {name: Developer",
        );
        stage.write(".config/sekisho/config.yaml", configure(config));
        stage.program_file("browser", BROWSER);
        stage.program_file("notes", NOTES);
        stage
    }

    fn program_file(&self, name: &str, text: &str) {
        self.write(name, text);
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(self.path(name), mode).unwrap();
    }

    /// The program under test without any key in its environment.
    pub fn sekisho(&self, arguments: &[&str]) -> Command {
        let mut command = self.program(env!("CARGO_BIN_EXE_sekisho"));
        command.args(arguments).env("BROWSER", self.path("browser"));
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(&self.sekisho(arguments).output().unwrap())
    }

    /// Runs a verb with a code on stdin.
    pub fn run_with_code(&self, arguments: &[&str], code: &str) -> Ran {
        use std::io::Write;
        let mut command = self.sekisho(&arguments[..1]);
        command.args(["--mfa-code", "-"]).args(&arguments[1..]).stdin(Stdio::piped());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        writeln!(child.stdin.take().unwrap(), "{code}").unwrap();
        Ran::of(&child.wait_with_output().unwrap())
    }

    #[track_caller]
    pub fn sign_in(&self) -> Ran {
        let ran = self.run(&["login"]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        ran
    }

    /// `sekisho login` with a browser that the test is; returns the link that it was started with.
    pub fn begin(&self) -> (Child, String) {
        let mut command = self.sekisho(&["login"]);
        command.env("BROWSER", self.path("notes"));
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let arguments = crate::support::until("the browser", || {
            std::fs::read_to_string(self.path("arguments")).ok()
        });
        (child, arguments.trim().to_owned())
    }

    /// What went over the wire since so many calls, one line each.
    pub fn wire(&self, from: usize) -> Vec<String> {
        self.emulator.calls()[from..].iter().map(told).collect()
    }

    pub fn calls(&self) -> usize {
        self.emulator.calls().len()
    }

    /// Lets requests to the token endpoint go wrong.
    pub fn refuse_tokens(&self, times: Times, what: FaultInjection) {
        let action = Some("CreateOAuth2Token".into());
        self.emulator.inject(Injection { action, times, what });
    }

    /// What is kept of the sign-in.
    pub fn kept(&self) -> Option<Login> {
        let sessions = self.path(".local/state/sekisho/sessions");
        let vault = Vault::new(&sessions, KeyPlace::FILE, None);
        let auth = Auth {
            account: AUTH.parse().unwrap(),
            user: Some("alice".parse().unwrap()),
            key: KeySource::Login,
            mfa: Vec::new(),
            mfa_command: None,
            region: "eu-west-1".parse().unwrap(),
            session: std::time::Duration::from_hours(12),
            endpoint_url: Some(self.emulator.url()),
            endpoints: Endpoints::Standard,
        };
        Login::get(&vault, &auth, jiff::Timestamp::now())
    }

    /// The names of the records that lie on disk: `auth`, `login`, `role`, `warm`.
    pub fn records(&self) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.path(".local/state/sekisho/sessions")) else {
            return Vec::new();
        };
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut kinds: Vec<String> = names
            .filter_map(|name| Some(name.split_once('-')?.0.to_owned()))
            .filter(|kind| ["auth", "login", "role", "warm"].contains(&kind.as_str()))
            .collect();
        kinds.sort();
        kinds
    }
}

/// The ARN of a user of the auth account.
pub fn user(name: &str) -> String {
    format!("arn:aws:iam::{AUTH}:user/{name}")
}

fn told(call: &Call) -> String {
    let role = call.role.as_deref().and_then(|role| role.rsplit('/').next());
    let words = [
        Some(call.action.as_str()),
        role,
        call.with_code.then_some("+code"),
        call.error.as_deref(),
    ];
    words.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// Makes the config name a profile that somebody signed in for with AWS's own client.
pub fn aws_profile(stage: &Stage, profile: &str, arn: &str) {
    let config = String::from_utf8(stage.read(".config/sekisho/config.yaml")).unwrap();
    let config = config.replace("key: login", &format!("key: profile:{profile}"));
    stage.write(".config/sekisho/config.yaml", config);
    let profile = format!("[profile {profile}]\nlogin_session = {arn}\nregion = eu-west-1\n");
    stage.write(".aws/config", profile);
}

/// The same, with the keys of the sign-in here in its cache.
pub fn aws_login(stage: &Stage, profile: &str, arn: &str) {
    aws_profile(stage, profile, arn);
    let vault = Vault::new(&stage.path(".local/state/sekisho/sessions"), KeyPlace::FILE, None);
    let now = jiff::Timestamp::now();
    let (_, keys) = sessions::all::<AuthOrigin>(&vault, now).pop().unwrap();
    let document = serde_json::json!({
        "accessToken": {
            "accessKeyId": keys.credentials.id.as_str(),
            "secretAccessKey": keys.credentials.secret.expose(),
            "sessionToken": keys.credentials.token.expose(),
            "accountId": AUTH,
            "expiresAt": keys.credentials.expires.strftime(MOMENT).to_string(),
        },
        "tokenType": "aws_sigv4", "clientId": "c", "refreshToken": "r", "idToken": "i", "dpopKey": "k",
    });
    stage.write(&aws_cache(arn), document.to_string());
}

/// Lets the keys in that cache end now.
pub fn aws_keys_end(stage: &Stage, arn: &str) {
    let mut document: serde_json::Value =
        serde_json::from_slice(&stage.read(&aws_cache(arn))).unwrap();
    let now = jiff::Timestamp::now().strftime(MOMENT).to_string();
    document["accessToken"]["expiresAt"] = now.into();
    stage.write(&aws_cache(arn), document.to_string());
}

/// The file of an identity in the cache of AWS's clients.
pub fn aws_cache(arn: &str) -> String {
    format!(".aws/login/cache/{}.json", hex::encode(Sha256::digest(arn)))
}

/// How AWS's clients write a time.
const MOMENT: &str = "%Y-%m-%dT%H:%M:%SZ";
