//! A small organization and a client for it.

use std::time::Duration;

use aws_credential_types::Credentials;
use aws_sdk_sts::Client;
use aws_sdk_sts::config::retry::RetryConfig;
use aws_sdk_sts::config::timeout::TimeoutConfig;
use aws_sdk_sts::config::{BehaviorVersion, Region};
use aws_sdk_sts::error::{ProvideErrorMetadata, SdkError};
use sekisho::emulator::{
    AccessKey, Account, Document, EmulatedDevice, Emulator, Organization, Policy, Role, User,
};

pub const AUTH: &str = "111111111111";
pub const DEV: &str = "222222222222";
pub const KEY: &str = "AKIAALICE00000000001";
pub const SECRET: &str = "alice/secret+1";
pub const PHONE: &str = "arn:aws:iam::111111111111:mfa/alice-phone";
pub const TABLET: &str = "GAHT12345678";
pub const PASSKEY: &str = "arn:aws:iam::111111111111:u2f/user/alice/key-ABC";
pub const ROLE: &str = "arn:aws:iam::222222222222:role/dev/Developer";

/// Alice may enter `DEV` as `Developer`, with MFA; nothing else guards it.
pub fn organization() -> Organization {
    let mut organization = Organization::new(AUTH, "999999999999");
    organization.accounts.push(Account::new(DEV, "dev"));
    let mut alice = User::new("alice");
    alice.keys.push(AccessKey::new(KEY, SECRET));
    alice.devices = vec![
        EmulatedDevice::Totp { serial: PHONE.into(), seed: *b"12345678901234567890" },
        EmulatedDevice::Totp { serial: TABLET.into(), seed: *b"abcdefghijklmnopqrst" },
        EmulatedDevice::Fido { serial: PASSKEY.into() },
    ];
    alice.policies.push(allow("sts:AssumeRole", "arn:aws:iam::*:role/*"));
    organization.users.push(alice);
    let mut bob = User::new("bob");
    let serial = "arn:aws:iam::111111111111:mfa/bob".into();
    bob.devices.push(EmulatedDevice::Totp { serial, seed: [7; 20] });
    organization.users.push(bob);
    let mut role =
        Role::new(DEV, "Developer", trust(r#"{"Bool":{"aws:MultiFactorAuthPresent":"true"}}"#));
    role.path = "/dev/".into();
    role.policies.push(allow("*", "*"));
    organization.roles.push(role);
    organization
}

/// The auth account, under a condition.
pub fn trust(condition: &str) -> Document {
    let text = format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"AWS":"arn:aws:iam::{AUTH}:root"}},
            "Action":"sts:AssumeRole","Condition":{condition}}}]}}"#
    );
    Document::parse(&text).unwrap()
}

pub fn allow(action: &str, resource: &str) -> Policy {
    inline("Allow", action, resource, "{}")
}

pub fn inline(effect: &str, action: &str, resource: &str, condition: &str) -> Policy {
    let text = format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"{effect}","Action":"{action}",
            "Resource":"{resource}","Condition":{condition}}}]}}"#
    );
    Policy::inline(&text).unwrap()
}

/// AWS's own sample, `DenyAllExceptListedIfNoMFA`.
pub fn guard() -> Policy {
    Policy::inline(
        r#"{"Version":"2012-10-17","Statement":[{"Sid":"DenyAllExceptListedIfNoMFA","Effect":"Deny",
            "NotAction":["iam:ListMFADevices","sts:GetSessionToken"],"Resource":"*",
            "Condition":{"BoolIfExists":{"aws:MultiFactorAuthPresent":"false"}}}]}"#,
    )
    .unwrap()
}

/// Gives Alice one more policy.
pub fn permit(organization: &mut Organization, policy: Policy) {
    organization.user("alice").unwrap().policies.push(policy);
}

pub fn start(change: impl FnOnce(&mut Organization)) -> Emulator {
    let mut organization = organization();
    change(&mut organization);
    Emulator::start(organization).unwrap()
}

/// An STS client that tries once.
pub fn sts(emulator: &Emulator, credentials: Credentials) -> Client {
    let config = aws_sdk_sts::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-west-1"))
        .credentials_provider(credentials)
        .endpoint_url(emulator.url())
        .retry_config(RetryConfig::disabled())
        .timeout_config(TimeoutConfig::builder().operation_timeout(Duration::from_secs(5)).build())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build();
    Client::from_conf(config)
}

pub fn alice(emulator: &Emulator) -> Client {
    sts(emulator, key(KEY, SECRET))
}

pub fn key(id: &str, secret: &str) -> Credentials {
    Credentials::new(id, secret, None, None, "test")
}

pub fn session(credentials: Option<&aws_sdk_sts::types::Credentials>) -> Credentials {
    let credentials = credentials.unwrap();
    Credentials::new(
        credentials.access_key_id(),
        credentials.secret_access_key(),
        Some(credentials.session_token().to_owned()),
        None,
        "test",
    )
}

/// A GetSessionToken session, with MFA by the phone's current code.
pub async fn mfa_session(emulator: &Emulator) -> Client {
    let code = emulator.code(PHONE).unwrap();
    let answer =
        alice(emulator).get_session_token().serial_number(PHONE).token_code(code).send().await;
    sts(emulator, session(answer.unwrap().credentials()))
}

/// Why a call failed: status, code, message.
pub fn why<T, E>(result: Result<T, SdkError<E>>) -> (u16, String, String)
where
    E: ProvideErrorMetadata,
{
    let Err(error) = result else { panic!("it was let through") };
    let status = error.raw_response().map_or(0, |response| response.status().as_u16());
    let meta = error.meta();
    (status, meta.code().unwrap_or_default().into(), meta.message().unwrap_or_default().into())
}

/// Runs a test's calls on a current-thread runtime.
pub fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// A GetSessionToken session without MFA.
pub async fn plain_session(emulator: &Emulator) -> Client {
    let answer = alice(emulator).get_session_token().send().await.unwrap();
    sts(emulator, session(answer.credentials()))
}

/// An answer over plain HTTP.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    head: String,
    pub body: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        lines.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, text)| text)
    }
}

/// Sends a request to a port of this machine, as a browser without a mind of its own.
pub fn visit(method: &str, url: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    use std::io::{Read, Write};
    let rest = url.strip_prefix("http://").unwrap();
    let (host, path) = rest.split_at(rest.find('/').unwrap());
    let mut text = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    if method != "GET" {
        text.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    let mut stream = std::net::TcpStream::connect(host).unwrap();
    stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    stream.write_all((text + "\r\n" + body).as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head: head.into(), body: body.into() }
}
