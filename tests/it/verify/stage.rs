//! An organization with every guardrail closed, and `verify` in it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use sekisho::domain::account::{SessionOptions, Target};
use sekisho::domain::config::{Auth, KeySource};
use sekisho::domain::fault::Fault;
use sekisho::domain::guard::Guard;
use sekisho::domain::ids::{Endpoints, MfaSerial};
use sekisho::domain::secret::{AccessKey, MfaCode, Secret};
use sekisho::domain::trust::KnownAccounts;
use sekisho::domain::verdict::report::Report;
use sekisho::domain::verdict::{Guardrail, Verdict};
use sekisho::emulator::{
    Account, Document, EmulatedDevice, Emulator, Organization, Policy, Role, User,
};
use sekisho::services::aws::Aws;
use sekisho::services::store::files::Dir;
use sekisho::services::store::vault::Vault;
use sekisho::services::verify::{Chosen, Plan, Progress, Verifier};

pub const AUTH: &str = "111111111111";
pub const DEV: &str = "222222222222";
pub const KEY: &str = "AKIATANAKA0000000001";
pub const SECRET: &str = "tanaka/secret+1";
pub const PHONE: &str = "arn:aws:iam::111111111111:mfa/tanaka-phone";
/// Fast enough for tests.
pub const RATE: u32 = 100_000;

/// Denies everything without MFA, in AWS's own way.
pub const GUARD: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny",
    "NotAction":["sts:GetSessionToken","iam:ListMFADevices"],"Resource":"*",
    "Condition":{"BoolIfExists":{"aws:MultiFactorAuthPresent":"false"}}}}"#;
pub const ENTER: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["sts:AssumeRole","iam:ListMFADevices"],"Resource":"*"}}"#;
const RCP: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Principal":"*","Action":"sts:AssumeRole",
    "Resource":"*","Condition":{"StringEquals":{"aws:PrincipalType":"User"},
    "BoolIfExists":{"aws:MultiFactorAuthPresent":"false"}}}}"#;
pub const MFA: &str = r#"{"Bool":{"aws:MultiFactorAuthPresent":"true"}}"#;

pub fn trust(condition: &str) -> Document {
    let text = format!(
        r#"{{"Version":"2012-10-17","Statement":{{"Sid":"Enter","Effect":"Allow","Principal":{{"AWS":"arn:aws:iam::{AUTH}:root"}},
            "Action":"sts:AssumeRole","Condition":{condition}}}}}"#
    );
    Document::parse(&text).unwrap()
}

pub fn inline(text: &str) -> Policy {
    Policy::inline(text).unwrap()
}

pub fn add_account(organization: &mut Organization, id: &str, name: &str) {
    let mut account = Account::new(id, name);
    let arn = "arn:aws:organizations::999999999999:policy/o-1/resource_control_policy/p-mfa";
    account.rcps.push(Policy::managed(arn, RCP).unwrap());
    organization.accounts.push(account);
    let mut role = Role::new(id, "Developer", trust(MFA));
    role.policies.push(Policy::aws("arn:aws:iam::aws:policy/AdministratorAccess").unwrap());
    organization.roles.push(role);
}

pub fn organization() -> Organization {
    let mut organization = Organization::new(AUTH, "999999999999");
    let mut tanaka = User::new("tanaka");
    tanaka.keys.push(sekisho::emulator::AccessKey::new(KEY, SECRET));
    tanaka
        .devices
        .push(EmulatedDevice::Totp { serial: PHONE.into(), seed: *b"12345678901234567890" });
    tanaka.policies = vec![inline(GUARD), inline(ENTER)];
    organization.users.push(tanaka);
    add_account(&mut organization, DEV, "dev-tanaka");
    organization
}

pub fn start(change: impl FnOnce(&mut Organization)) -> Emulator {
    let mut organization = organization();
    change(&mut organization);
    Emulator::start(organization).unwrap()
}

pub fn auth(url: &str, account: &str) -> Auth {
    Auth {
        account: account.parse().unwrap(),
        user: None,
        key: KeySource::Auto,
        mfa: Vec::new(),
        mfa_command: None,
        region: "ap-northeast-1".parse().unwrap(),
        session: std::time::Duration::from_hours(12),
        endpoint_url: Some(url.to_owned()),
        endpoints: Endpoints::Standard,
    }
}

pub fn key(id: &str, secret: &str) -> AccessKey {
    AccessKey { id: id.parse().unwrap(), secret: Secret::new(secret.to_owned()) }
}

/// The organization's own accounts.
pub fn known() -> KnownAccounts {
    KnownAccounts {
        auth: AUTH.parse().unwrap(),
        organization: Some("o-sekisho42x".into()),
        members: [DEV, "999999999999"].map(|id| id.parse().unwrap()).into(),
        trusted: Vec::new(),
    }
}

pub fn target(account: &str, id: &str, guard: Guard) -> Target {
    Target {
        account: account.parse().unwrap(),
        aliases: Vec::new(),
        id: id.parse().unwrap(),
        role: format!("arn:aws:iam::{id}:role/Developer").parse().unwrap(),
        region: None,
        duration: std::time::Duration::from_hours(1),
        guard,
        agents: sekisho::domain::agents::Allowance::Full,
        change: None,
        color: None,
        session: SessionOptions::default(),
    }
}

pub fn plan() -> Plan {
    Plan::new(vec![target("dev-tanaka", DEV, Guard::None)], Chosen::All)
}

pub fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

pub type Code = Option<(MfaSerial, MfaCode)>;

/// The phone's current code.
pub fn code(emulator: &Emulator) -> Code {
    let digits = emulator.code(PHONE)?;
    Some((PHONE.parse().unwrap(), MfaCode::parse(&digits).unwrap()))
}

/// Runs a plan and remembers it in a directory, where one is given.
pub async fn verify_in(
    emulator: &Emulator,
    plan: &Plan,
    state: Option<(&Dir, &Vault)>,
    progress: impl Fn(Progress),
) -> Result<Report, Fault> {
    let auth = auth(&emulator.url(), AUTH);
    let verifier = Verifier {
        aws: &Aws::new(&auth).unwrap(),
        auth: &auth,
        known: &known(),
        config_sha256: None,
        state,
        rate: RATE,
        now: &Timestamp::now,
    };
    let ask = async |fault: Option<&Fault>| {
        if fault.is_some() { None } else { code(emulator) }
    };
    verifier.run(&key(KEY, SECRET), plan, ask, progress).await
}

pub fn verify(emulator: &Emulator) -> Report {
    run(verify_in(emulator, &plan(), None, |_| {})).unwrap_or_else(|fault| panic!("{fault:?}"))
}

/// The verdict on each guardrail.
pub fn verdicts(report: &Report) -> BTreeMap<Guardrail, Verdict> {
    report.findings().map(|finding| (finding.guardrail, finding.verdict)).collect()
}
