//! Cached sessions: what is remembered, and under which name.
//!
//! A session's name is a hash over everything that changes its credentials, so no change of config can
//! ever return another role's session.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, Zeroizing};

use crate::domain::account::{Flow, SessionOptions, Target};
use crate::domain::config::Auth;
use crate::domain::ids::{AccessKeyId, MfaSerial, SessionName, UserName};
use crate::domain::pass::{Pass, Renew};
use crate::domain::secret::{Credentials, Secret};

use crate::services::store::record::{Name, RecordKind};
use crate::services::store::vault::Vault;

/// A session that cannot be renewed without a person still serves while it has this much left.
pub const LAST_MARGIN: Duration = Duration::from_mins(5);

/// What a cached session was made from, beside the secrets.
pub trait About: Serialize + for<'de> Deserialize<'de> {
    /// Where such sessions stand in the vault.
    const KIND: RecordKind;
}

/// An auth session's origin.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AuthOrigin {
    /// The key it was got with.
    pub key: AccessKeyId,
    /// Whose it is.
    pub user: UserName,
    /// The device that gave the code.
    pub serial: MfaSerial,
    /// What the person calls the device.
    pub device: String,
    /// When it was got, UTC.
    pub obtained: Timestamp,
}

/// A role session's origin.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RoleOrigin {
    /// The key behind it.
    pub key: AccessKeyId,
    /// Whose it is.
    pub user: UserName,
    /// How it was made.
    pub flow: Flow,
    /// Where it leads.
    pub target: Target,
    /// When it was got, UTC.
    pub obtained: Timestamp,
}

impl About for AuthOrigin {
    const KIND: RecordKind = RecordKind::AuthSession;
}

impl About for RoleOrigin {
    const KIND: RecordKind = RecordKind::RoleSession;
}

/// A live session and where it came from.
pub struct CachedSession<A> {
    /// The secrets.
    pub credentials: Credentials,
    /// Everything else.
    pub origin: A,
}

impl CachedSession<RoleOrigin> {
    /// Whether it lives long enough not to be renewed.
    pub fn is_fresh(&self, renew: Renew, now: Timestamp) -> bool {
        let (left, whole) = self.life(now);
        match (renew, self.origin.flow) {
            (Renew::Now, _) => false,
            // A session shorter than that is renewed halfway, not at every call.
            (Renew::Below(seconds), _) => {
                left >= Duration::from_secs(seconds.into()).min(whole / 2)
            }
            (Renew::ByFlow, Flow::Shared) => left * 2 >= whole,
            (Renew::ByFlow, Flow::Direct) => left > LAST_MARGIN,
        }
    }

    /// The pass that it gives into a target: the same role, perhaps in another region than it was made for.
    pub fn into_pass(self, target: Target, notes: Vec<String>) -> Pass {
        let Self { credentials, origin } = self;
        Pass { target, credentials, flow: origin.flow, user: origin.user, notes }
    }

    /// How much of its life is left, and how long that was at first.
    pub fn life(&self, now: Timestamp) -> (Duration, Duration) {
        let span = |from: Timestamp| {
            Duration::try_from(self.credentials.expires.duration_since(from)).unwrap_or_default()
        };
        (span(now), span(self.origin.obtained))
    }
}

/// What is known of the person behind the key: spares a call to AWS the next time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Who {
    /// The key's id.
    pub key: AccessKeyId,
    /// The IAM user.
    pub user: UserName,
    /// The devices that can give codes: serial and label, the last used first.
    pub devices: Vec<(MfaSerial, String)>,
}

/// Hashes what identifies a record. The fields are named, so no two of them can run together.
fn id_of(what: &impl Serialize) -> Name {
    let mut text = serde_json::to_vec(what).unwrap_or_default();
    let id = Sha256::digest(&text).into();
    text.zeroize();
    id
}

/// The name of an auth session.
pub fn auth_id(auth: &Auth, key: &AccessKeyId, serial: &MfaSerial) -> Name {
    #[derive(Serialize)]
    struct Inputs<'a> {
        what: &'static str,
        key: &'a AccessKeyId,
        serial: &'a MfaSerial,
        partition: &'static str,
        endpoint: Option<&'a str>,
        seconds: u64,
    }
    id_of(&Inputs {
        what: "auth session",
        key,
        serial,
        partition: auth.region.partition().name(),
        endpoint: auth.endpoint_url.as_deref(),
        seconds: auth.session.as_secs(),
    })
}

/// The name of a role session.
pub fn role_id(
    auth: &Auth,
    key: &AccessKeyId,
    serial: &MfaSerial,
    target: &Target,
    name: &SessionName,
) -> Name {
    #[derive(Serialize)]
    struct Inputs<'a> {
        what: &'static str,
        key: &'a AccessKeyId,
        serial: &'a MfaSerial,
        endpoint: Option<&'a str>,
        role: &'a str,
        flow: Flow,
        seconds: u64,
        name: &'a SessionName,
        options: &'a SessionOptions,
    }
    id_of(&Inputs {
        what: "role session",
        key,
        serial,
        endpoint: auth.endpoint_url.as_deref(),
        role: target.role.as_str(),
        flow: target.flow(),
        seconds: target.duration.as_secs(),
        name,
        options: &target.session,
    })
}

/// The name of what is known about the person behind a config's key.
pub fn who_id(auth: &Auth) -> Name {
    #[derive(Serialize)]
    struct Inputs<'a> {
        what: &'static str,
        auth: &'a Auth,
    }
    id_of(&Inputs { what: "who", auth })
}

/// The name of a role's learned maximum.
pub fn maximum_id(auth: &Auth, target: &Target) -> Name {
    #[derive(Serialize)]
    struct Inputs<'a> {
        what: &'static str,
        endpoint: Option<&'a str>,
        role: &'a str,
    }
    id_of(&Inputs {
        what: "maximum",
        endpoint: auth.endpoint_url.as_deref(),
        role: target.role.as_str(),
    })
}

/// How a session stands in the vault. The texts are borrowed on the way in and wrapped on the way out.
#[derive(Serialize, Deserialize)]
struct Record<T, A> {
    id: AccessKeyId,
    secret: T,
    token: T,
    expires: Timestamp,
    origin: A,
}

/// Writes a session down. This is the one place where its secrets become bytes; they are sealed next.
pub fn put<A: About>(vault: &Vault, id: &Name, session: &CachedSession<A>, now: Timestamp) {
    let credentials = &session.credentials;
    let record = Record {
        id: credentials.id.clone(),
        secret: credentials.secret.expose(),
        token: credentials.token.expose(),
        expires: credentials.expires,
        origin: &session.origin,
    };
    let mut bytes = Zeroizing::new(Vec::with_capacity(16 * 1024)); // never grows, so leaves no copy
    if serde_json::to_writer(&mut *bytes, &record).is_ok() {
        vault.put(A::KIND, id, &bytes, credentials.expires, now);
    }
}

/// Reads a session that has not expired.
pub fn get<A: About>(vault: &Vault, id: &Name, now: Timestamp) -> Option<CachedSession<A>> {
    let bytes = vault.get(A::KIND, id, now)?;
    let record: Record<String, A> = serde_json::from_slice(&bytes).ok()?;
    let credentials = Credentials {
        id: record.id,
        secret: Secret::new(record.secret),
        token: Secret::new(record.token),
        expires: record.expires,
    };
    (credentials.expires > now).then_some(CachedSession { credentials, origin: record.origin })
}

/// Every live session of a kind.
pub fn all<A: About>(vault: &Vault, now: Timestamp) -> Vec<(Name, CachedSession<A>)> {
    vault
        .list(A::KIND, now)
        .into_iter()
        .filter_map(|(id, _)| Some((id, get(vault, &id, now)?)))
        .collect()
}

/// Forgets every session made with a key.
pub fn forget_made_with(vault: &Vault, key: &AccessKeyId, now: Timestamp) {
    for (id, session) in all::<AuthOrigin>(vault, now) {
        if session.origin.key == *key {
            let _ = vault.remove(RecordKind::AuthSession, &id);
        }
    }
    for (id, session) in all::<RoleOrigin>(vault, now) {
        if session.origin.key == *key {
            let _ = vault.remove(RecordKind::RoleSession, &id);
        }
    }
}
