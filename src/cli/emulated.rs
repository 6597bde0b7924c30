//! A demo as a value: an emulated organization that this process runs or belongs to, and the folder it keeps to.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::account::{Catalog, Role};
use crate::domain::config::{
    Auth, Config, Diagnostic, KeySource, Loaded, MainFile, StoreChoice, Strictness, assemble,
};
use crate::domain::fault::{Exit, Fault};
use crate::domain::ids::{AccountId, MfaSerial};
use crate::domain::known::Known;
use crate::domain::secret::{AccessKey, Secret};
use crate::domain::text::shell_quoted;
use crate::emulator::{self, Document, EmulatedDevice, Emulator, Organization};
use crate::services::child::environment::around_proxy;
use crate::services::store::files::Dir;

/// Names the demo that a process belongs to: the path of its descriptor.
pub const VARIABLE: &str = "SEKISHO_DEMO";

/// The descriptor's file in the folder of a demo, and the largest that is read, in bytes.
const DESCRIPTOR: &str = "demo.json";
const MAX_BYTES: u64 = 64 * 1024;

/// The documented example: the config a demo runs on where none is named.
pub const EXAMPLE: &str = include_str!("../../config.example.yaml");

/// What diagnostics and the warm path call the example.
pub const EXAMPLE_NAME: &str = "config.example.yaml";

/// The account that SCPs would not bind.
const MANAGEMENT: &str = "999999999999";

/// How to reach a running demo. It opens nothing but the emulator, so it may lie in a file.
#[derive(Clone, Serialize, Deserialize)]
struct Descriptor {
    url: String,
    key_id: String,
    secret: String,
    /// The config that the organization was made from; `None` is the example.
    config: Option<PathBuf>,
    /// Serial and shared secret of each authenticator.
    seeds: Vec<(MfaSerial, [u8; 20])>,
}

/// A demo that this process runs, or lives in.
pub struct Demo {
    descriptor: Descriptor,
    folder: PathBuf,
    /// Where this process is the one that runs it: dropping this ends the organization, then its folder.
    #[cfg_attr(not(test), expect(dead_code, reason = "runs until it is dropped"))]
    running: Option<(Emulator, tempfile::TempDir)>,
}

impl Demo {
    /// Starts an organization that fits a config.
    ///
    /// `path` is where the config is from; `None` is the example.
    pub fn start(config: &Config, path: Option<PathBuf>) -> Result<Self, Fault> {
        let wrong = |error: io::Error| {
            Fault::new(Exit::Fault, "the demo cannot start")
                .because(error.to_string())
                .fix("check that the temporary directory is writable")
        };
        let seeds: Vec<(MfaSerial, [u8; 20])> = config
            .auth
            .mfa
            .iter()
            .map(|device| Ok((device.serial.clone(), random::<20>()?)))
            .collect::<io::Result<_>>()
            .map_err(wrong)?;
        let key_id = format!("AKIADEMO{}", text(&random::<12>().map_err(wrong)?));
        let secret = text(&random::<40>().map_err(wrong)?);
        let organization = organization(&config.auth, &config.catalog, &key_id, &secret, &seeds);
        let emulator = Emulator::start(organization).map_err(wrong)?;
        let folder = tempfile::Builder::new()
            .prefix("sekisho-demo-")
            .permissions(PermissionsExt::from_mode(0o700))
            .tempdir()
            .map_err(wrong)?;
        let descriptor = Descriptor { url: emulator.url(), key_id, secret, seeds, config: path };
        Dir::create(folder.path())
            .and_then(|dir| {
                dir.write(DESCRIPTOR, &serde_json::to_vec(&descriptor).unwrap_or_default())
            })
            .map_err(|error| wrong(io::Error::other(error.to_string())))?;
        Ok(Self { descriptor, folder: folder.path().to_owned(), running: Some((emulator, folder)) })
    }

    /// Joins the demo whose subshell this process runs in.
    ///
    /// The descriptor names a config, and with it programs to run: it is read only where no other user can have written
    /// it. The folder of a demo that has ended may have been made again by somebody else.
    pub fn join(descriptor: &Path) -> Result<Self, Fault> {
        let gone = |error: String| {
            Fault::new(Exit::Fault, "the demo this shell belongs to has ended")
                .because(error)
                .fix("leave this shell, then run `sekisho demo` again")
        };
        let untrusted = |why: String| {
            Fault::new(Exit::Fault, format!("{VARIABLE} names a demo that is not used"))
                .because(why)
                .fix("leave this shell, then run `sekisho demo` again")
        };
        if descriptor.as_os_str().is_empty() {
            return Err(untrusted("the variable is set, and empty".into()));
        }
        let folder = descriptor.parent().map(Path::to_owned).unwrap_or_default();
        let name = descriptor.file_name().unwrap_or_default().to_string_lossy();
        let dir = Dir::open(&folder).map_err(|error| untrusted(error.to_string()))?;
        let dir = dir.ok_or_else(|| gone(format!("{} is gone", folder.display())))?;
        let text = dir.read(&name, MAX_BYTES).map_err(|error| untrusted(error.to_string()))?;
        let text = text.ok_or_else(|| gone(format!("{} is gone", descriptor.display())))?;
        let known: Descriptor =
            serde_json::from_slice(&text).map_err(|error| gone(error.to_string()))?;
        if !known.url.starts_with("http://127.0.0.1:") {
            return Err(untrusted("its organization is not on this machine".into()));
        }
        Ok(Self { descriptor: known, folder, running: None })
    }

    /// The organization, where this process runs it.
    #[cfg(test)]
    pub fn emulator(&self) -> Option<&Emulator> {
        self.running.as_ref().map(|(emulator, _)| emulator)
    }

    /// The config that the organization was made from; `None` is the example.
    pub fn config(&self) -> Option<&Path> {
        self.descriptor.config.as_deref()
    }

    /// Turns a config towards the emulator.
    pub fn adopt(&self, config: &mut Config) {
        config.auth.endpoint_url = Some(self.descriptor.url.clone());
        // Neither a real key nor a real code is for the emulator, and a keychain lies outside the demo's folder.
        // A browser that comes here is signed in as the demo's user.
        if config.auth.key != KeySource::Login {
            config.auth.key = KeySource::Auto;
        }
        config.auth.mfa_command = None;
        config.store = StoreChoice::File;
    }

    /// The demo user's key. It opens nothing but the emulator.
    pub fn key(&self) -> Result<AccessKey, Fault> {
        let id = self.descriptor.key_id.parse().map_err(|why| {
            Fault::new(Exit::Fault, "the demo's descriptor is damaged").because(format!("{why}"))
        })?;
        Ok(AccessKey { id, secret: Secret::new(self.descriptor.secret.clone()) })
    }

    /// What a device shows at an instant, UTC.
    pub fn code(&self, serial: &MfaSerial, now: jiff::Timestamp) -> Option<String> {
        let (_, seed) = self.descriptor.seeds.iter().find(|(other, _)| other == serial)?;
        Some(emulator::code(seed, now))
    }

    /// Where everything the demo writes lies.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What every child gets beside its credentials, so that its tools meet the emulator.
    pub fn environment(&self) -> Vec<(String, String)> {
        let given = std::env::var("NO_PROXY").or_else(|_| std::env::var("no_proxy"));
        let no_proxy = around_proxy(&given.unwrap_or_default());
        vec![
            (VARIABLE.into(), self.folder.join(DESCRIPTOR).to_string_lossy().into_owned()),
            ("AWS_ENDPOINT_URL".into(), self.descriptor.url.clone()),
            ("NO_PROXY".into(), no_proxy.clone()),
            ("no_proxy".into(), no_proxy),
        ]
    }

    /// How to reach the demo from another terminal, as lines that a shell can read.
    pub fn directions(&self) -> String {
        let mut lines =
            String::from("# The organization runs until this command ends. In another terminal:\n");
        for (name, value) in self.environment().iter().filter(|(name, _)| name != "no_proxy") {
            lines.push_str(&format!("export {name}={}\n", shell_quoted(value)));
        }
        lines.push_str(&format!(
            "# its key: AWS_ACCESS_KEY_ID={} AWS_SECRET_ACCESS_KEY={}\n",
            self.descriptor.key_id, self.descriptor.secret
        ));
        lines
    }
}

fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(bytes)
}

/// Random bytes as letters and digits.
fn text(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    bytes.iter().map(|byte| char::from(LETTERS[usize::from(byte % 32)])).collect()
}

/// The organization a config describes: its user, and its roles with the trust policies they should have.
fn organization(
    auth: &Auth,
    catalog: &Catalog,
    key_id: &str,
    secret: &str,
    seeds: &[(MfaSerial, [u8; 20])],
) -> Organization {
    let mut organization = Organization::new(&auth.account.to_string(), MANAGEMENT);
    let name = auth.user.as_ref().map_or("tanaka", |user| user.as_str());
    let mut user = emulator::User::new(name);
    user.keys = vec![emulator::AccessKey::new(key_id, secret)];
    user.devices = seeds
        .iter()
        .map(|(serial, seed)| EmulatedDevice::Totp { serial: serial.as_str().into(), seed: *seed })
        .collect();
    user.policies = [ALLOW_SWITCH, DENY_WITHOUT_MFA]
        .iter()
        .filter_map(|text| emulator::Policy::inline(text).ok())
        .collect();
    organization.console = Some(format!("arn:aws:iam::{}:user/{name}", auth.account));
    organization.users = vec![user];
    organization.users.extend(colleagues());
    for account in catalog.accounts() {
        organization
            .accounts
            .push(emulator::Account::new(&account.id.to_string(), account.name.as_str()));
        for role in &account.roles {
            let Ok(trust) = Document::parse(&trust(auth.account, name, role)) else {
                continue;
            };
            let mut entry = emulator::Role::new(&account.id.to_string(), role.name.as_str(), trust);
            entry.path = role.path.as_str().into();
            entry.max_session =
                u32::try_from(role.duration.as_secs()).unwrap_or(3600).clamp(3600, 43_200);
            entry.policies = emulator::Policy::aws("arn:aws:iam::aws:policy/AdministratorAccess")
                .into_iter()
                .collect();
            organization.roles.push(entry);
        }
    }
    organization
}

/// Users who did not take care, for `verify --users`. Their keys sign nothing.
fn colleagues() -> [emulator::User; 2] {
    let (mut suzuki, mut ito) = (emulator::User::new("suzuki"), emulator::User::new("ito"));
    suzuki.password = Some(emulator::Password { last_used: None });
    let mut unused = emulator::AccessKey::new("AKIADEMO000000000ITO", "");
    unused.created = jiff::Timestamp::now() - Duration::from_hours(24 * 400);
    ito.keys.push(unused);
    [suzuki, ito]
}

const ALLOW_SWITCH: &str = r#"{"Version":"2012-10-17","Statement":{"Sid":"Switch","Effect":"Allow",
    "Action":["sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity","iam:ListMFADevices","iam:ListAccessKeys","iam:GetAccessKeyLastUsed",
    "iam:GenerateCredentialReport","iam:GetCredentialReport","iam:GetAccountAuthorizationDetails",
    "organizations:ListAccounts","signin:AuthorizeOAuth2Access","signin:CreateOAuth2Token"],"Resource":"*"}}"#;

const DENY_WITHOUT_MFA: &str = r#"{"Version":"2012-10-17","Statement":{"Sid":"DenyWithoutMfa","Effect":"Deny",
    "NotAction":["iam:ListMFADevices","sts:GetSessionToken"],"Resource":"*",
    "Condition":{"BoolIfExists":{"aws:MultiFactorAuthPresent":"false"}}}}"#;

/// A trust policy that lets the user in, with MFA, as `sekisho policy` would write it.
fn trust(auth: AccountId, user: &str, role: &Role) -> String {
    let mut condition = serde_json::json!({"Bool": {"aws:MultiFactorAuthPresent": "true"}});
    if let Some(external_id) = &role.session.external_id {
        condition["StringEquals"] = serde_json::json!({"sts:ExternalId": external_id});
    }
    serde_json::json!({
        "Version": "2012-10-17",
        "Statement": {
            "Effect": "Allow",
            "Principal": {"AWS": format!("arn:aws:iam::{auth}:user/{user}")},
            "Action": ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"],
            "Condition": condition,
        },
    })
    .to_string()
}

/// Reads the documented example.
pub fn example() -> Result<Loaded, Fault> {
    let main = MainFile::parse(Path::new(EXAMPLE_NAME), EXAMPLE);
    let read = &mut |_, _: &str| Err("the example reads no other file".to_owned());
    assemble(main, Vec::new(), Strictness::Strict, &Known::default(), read)
        .map_err(|diagnostics| Diagnostic::fault(&diagnostics))
}
