//! The organization's state while it runs: its clock, issued sessions, spent codes, recorded calls.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};

use super::Call;
use super::authenticator::SpentCodes;
use super::error::AwsError;
use super::faults::Injections;
use super::organization::{Organization, Policy};

/// Everything behind the wire.
#[derive(Debug)]
pub(super) struct State {
    pub organization: Organization,
    pub sessions: Vec<IssuedSession>,
    pub signin_tokens: Vec<SigninToken>,
    /// Codes of console sign-ins that no program has exchanged yet.
    pub authorization_codes: Vec<AuthorizationCode>,
    /// The programs that console sign-ins have let in.
    pub logins: Vec<ConsoleLogin>,
    /// The proofs of possession that were seen, and when they were made.
    pub proofs: BTreeSet<(String, Timestamp)>,
    pub spent: SpentCodes,
    pub calls: Vec<Call>,
    pub injections: Injections,
    /// Policy elements that the emulator does not know, met while answering the current request.
    pub unknown: Vec<String>,
    /// When the auth account's credential report is made and how often it is still asked for in vain.
    pub credential_report: Option<(Timestamp, u32)>,
    /// How far the organization's clock is from the system's.
    offset: SignedDuration,
}

/// Whose credentials they are.
#[derive(Debug, Clone)]
pub(super) enum Holder {
    Root,
    User(String),
    Role(RoleSession),
    Federated { user: String, name: String },
}

/// What a role session was made with.
#[derive(Debug, Clone)]
pub(super) struct RoleSession {
    pub arn: String,
    pub name: String,
    /// Entered with temporary credentials.
    pub chained: bool,
    pub source_identity: Option<String>,
    pub tags: SessionTags,
}

/// The tags of a role session.
#[derive(Debug, Clone, Default)]
pub(super) struct SessionTags {
    /// Those that go on to the sessions entered from it.
    pub transitive: Vec<(String, String)>,
    pub others: Vec<(String, String)>,
}

/// A token that signs a browser in.
#[derive(Debug)]
pub(super) struct SigninToken {
    pub token: String,
    /// The role's ARN, or a federated user's name.
    pub role: String,
    pub expires: Timestamp,
}

/// What a browser brings a program after a console sign-in.
#[derive(Debug)]
pub(super) struct AuthorizationCode {
    pub code: String,
    pub client: String,
    pub redirect: String,
    pub challenge: String,
    pub arn: String,
    pub expires: Timestamp,
}

/// A console sign-in that a program renews its keys with.
#[derive(Debug)]
pub(super) struct ConsoleLogin {
    pub arn: String,
    pub client: String,
    /// The key that every renewal must be proved with.
    pub thumbprint: String,
    pub refresh: String,
    /// The refresh token before, what it was answered with, and how long it is so again.
    pub previous: Option<(String, String, Timestamp)>,
    pub began: Timestamp,
}

/// Who issued temporary credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Issuer {
    Sts,
    /// The token endpoint of the console's sign-in.
    SignIn,
}

/// Temporary credentials that were issued.
#[derive(Debug, Clone)]
pub(super) struct IssuedSession {
    pub id: String,
    pub secret: String,
    pub token: String,
    pub issued: Timestamp,
    pub expires: Timestamp,
    /// When MFA was passed, where it was.
    pub mfa: Option<Timestamp>,
    pub holder: Holder,
    pub issuer: Issuer,
    /// Session policies, where it was made with some.
    pub policies: Option<Vec<Policy>>,
}

impl State {
    pub(super) fn new(organization: Organization) -> Self {
        Self {
            organization,
            sessions: Vec::new(),
            signin_tokens: Vec::new(),
            authorization_codes: Vec::new(),
            logins: Vec::new(),
            proofs: BTreeSet::new(),
            spent: SpentCodes::default(),
            calls: Vec::new(),
            injections: Injections::default(),
            unknown: Vec::new(),
            credential_report: None,
            offset: SignedDuration::ZERO,
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        Timestamp::now() + self.offset
    }

    pub(super) fn advance(&mut self, by: Duration) {
        self.offset += SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX);
    }

    pub(super) fn set_time(&mut self, now: Timestamp) {
        self.offset = now.duration_since(Timestamp::now());
    }

    pub(super) fn end_role_sessions(&mut self) {
        let now = self.now();
        let of_roles =
            self.sessions.iter_mut().filter(|session| matches!(session.holder, Holder::Role(_)));
        of_roles.for_each(|session| session.expires = now);
    }

    /// Issues temporary credentials for so many seconds.
    pub(super) fn issue(
        &mut self,
        holder: Holder,
        seconds: u32,
        mfa: Option<Timestamp>,
        policies: Option<Vec<Policy>>,
    ) -> Result<IssuedSession, AwsError> {
        let issued = self.now();
        let session = IssuedSession {
            id: random("ASIA", KEY_ID, 16)?,
            secret: random("", BASE64, 40)?,
            // The real ones begin like this and are a few hundred characters long.
            token: random("IQoJb3JpZ2luX2Vj", BASE64, 340)? + "==",
            issued,
            expires: issued + SignedDuration::from_secs(seconds.into()),
            mfa,
            holder,
            issuer: Issuer::Sts,
            policies,
        };
        self.sessions.retain(|session| session.expires + SignedDuration::from_hours(24) > issued);
        self.sessions.push(session.clone());
        Ok(session)
    }
}

/// The characters of key ids and unique ids.
pub(super) const KEY_ID: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
pub(super) const BASE64: &[u8] =
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// A random name. The alphabet's length is a power of two, so that every letter is equally likely.
pub(super) fn random(prefix: &str, alphabet: &[u8], length: usize) -> Result<String, AwsError> {
    let mut bytes = vec![0; length];
    getrandom::fill(&mut bytes).map_err(|_| {
        AwsError::new(500, "InternalFailure", "The system's random number generator failed.")
    })?;
    Ok(spell(prefix, alphabet, &bytes))
}

/// A unique id that is the same for the same thing: `AIDA…`, `AROA…`.
pub(super) fn unique_id(prefix: &str, of: &str) -> String {
    spell(prefix, KEY_ID, &Sha256::digest(of)[..17])
}

/// The id of an organizational thing: lower-case letters and digits.
pub(super) fn unit_id(prefix: &str, of: &str, length: usize) -> String {
    spell(prefix, b"abcdefghijklmnopqrstuvwxyz012345", &Sha256::digest(of)[..length])
}

fn spell(prefix: &str, alphabet: &[u8], bytes: &[u8]) -> String {
    let letters =
        bytes.iter().map(|byte| char::from(alphabet[usize::from(*byte) % alphabet.len()]));
    prefix.chars().chain(letters).collect()
}

pub(super) fn request_id() -> String {
    let mut bytes = [0; 16];
    // Without randomness the id is all zeros: it is only printed.
    let _ = getrandom::fill(&mut bytes);
    let hex = hex::encode(bytes);
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}
