//! Cached sessions: what a record holds, and its name in the vault.
//!
//! A session's name is a hash of everything that its credentials depend on, so that a changed config never finds
//! another role's session.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, Zeroizing};

use crate::domain::account::{SessionOptions, Target};
use crate::domain::config::Auth;
use crate::domain::flow::Flow;
use crate::domain::ids::{AccessKeyId, MfaSerial, SessionName, UserArn, UserName};
use crate::domain::pass::{Pass, Renew};
use crate::domain::secret::{Credentials, Secret};

use crate::services::store::record::{Name, RecordKind};
use crate::services::store::vault::{Epoch, Vault};

/// A session that cannot be renewed without a prompt is used while it has more than this left.
pub const LAST_MARGIN: Duration = Duration::from_mins(5);

/// What is stored with a cached session besides the secrets.
pub trait Origin: Serialize + for<'de> Deserialize<'de> {
    /// The kind of record in the vault.
    const KIND: RecordKind;
}

/// What sessions are obtained with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Source {
    /// The access key of this id.
    Key(AccessKeyId),
    /// This user's console sign-in. The ids of its keys change all the time.
    Login(UserArn),
}

impl Source {
    /// The access key's id, where it is one.
    pub fn key(&self) -> Option<&AccessKeyId> {
        match self {
            Self::Key(id) => Some(id),
            Self::Login(_) => None,
        }
    }
}

/// An auth session's origin.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AuthOrigin {
    /// What it was obtained with.
    #[serde(rename = "key")]
    pub source: Source,
    /// The IAM user it belongs to.
    pub user: UserName,
    /// The device that generated the code; none where nobody typed one.
    pub serial: Option<MfaSerial>,
    /// The device's label in the config, or its short name; else how it was obtained.
    pub device: String,
    /// When it was obtained, UTC.
    pub obtained: Timestamp,
}

/// A role session's origin.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RoleOrigin {
    /// What it was obtained with.
    #[serde(rename = "key")]
    pub source: Source,
    /// The IAM user it belongs to.
    pub user: UserName,
    /// The flow it was obtained by.
    pub flow: Flow,
    /// The target it was obtained for.
    pub target: Target,
    /// When it was obtained, UTC.
    pub obtained: Timestamp,
}

impl Origin for AuthOrigin {
    const KIND: RecordKind = RecordKind::AuthSession;
}

impl Origin for RoleOrigin {
    const KIND: RecordKind = RecordKind::RoleSession;
}

/// A live session and where it came from.
pub struct CachedSession<A> {
    /// The temporary credentials, with their expiry.
    pub credentials: Credentials,
    /// What they were obtained for, and how.
    pub origin: A,
}

impl CachedSession<RoleOrigin> {
    /// Whether it has enough time left not to be renewed.
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

    /// The pass into a target with this session: the same role, perhaps in another region than it was obtained for.
    pub fn into_pass(self, target: Target, notes: Vec<String>) -> Pass {
        let Self { credentials, origin } = self;
        Pass { target, credentials, flow: origin.flow, user: origin.user, notes, unrenewed: None }
    }

    /// The time it has left, and its whole duration.
    pub fn life(&self, now: Timestamp) -> (Duration, Duration) {
        let span = |from: Timestamp| {
            Duration::try_from(self.credentials.expires.duration_since(from)).unwrap_or_default()
        };
        (span(now), span(self.origin.obtained))
    }
}

/// Who gets sessions, remembered to spare a call to AWS the next time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Who {
    /// What this is about: another key in its place makes it useless.
    #[serde(rename = "key")]
    pub source: Source,
    /// The IAM user's name, which role sessions are named after.
    pub user: UserName,
    /// The devices that can generate codes: serial and label, the last used first. With a console sign-in there may be none,
    /// or they are not known yet.
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
pub fn auth_id(auth: &Auth, source: &Source, serial: Option<&MfaSerial>) -> Name {
    #[derive(Serialize)]
    struct Inputs<'a> {
        what: &'static str,
        key: &'a Source,
        serial: Option<&'a MfaSerial>,
        partition: &'static str,
        endpoint: Option<&'a str>,
        seconds: u64,
    }
    id_of(&Inputs {
        what: "auth session",
        key: source,
        serial,
        partition: auth.region.partition().name(),
        endpoint: auth.endpoint(),
        seconds: auth.session.as_secs(),
    })
}

/// The name of a role session.
pub fn role_id(
    auth: &Auth,
    source: &Source,
    serial: Option<&MfaSerial>,
    target: &Target,
    name: &SessionName,
) -> Name {
    #[derive(Serialize)]
    struct Inputs<'a> {
        what: &'static str,
        key: &'a Source,
        serial: Option<&'a MfaSerial>,
        endpoint: Option<&'a str>,
        role: &'a str,
        flow: Flow,
        seconds: u64,
        name: &'a SessionName,
        options: &'a SessionOptions,
    }
    id_of(&Inputs {
        what: "role session",
        key: source,
        serial,
        endpoint: auth.endpoint(),
        role: target.role.as_str(),
        flow: target.flow(),
        seconds: target.duration.as_secs(),
        name,
        options: &target.session,
    })
}

/// The name of what is known about the owner of a config's key.
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
    id_of(&Inputs { what: "maximum", endpoint: auth.endpoint(), role: target.role.as_str() })
}

/// A session as it is stored. The texts are borrowed when written, and moved into secrets when read.
#[derive(Serialize, Deserialize)]
struct Record<T, A> {
    id: AccessKeyId,
    secret: T,
    token: T,
    expires: Timestamp,
    origin: A,
}

/// Stores a session. This is the one place where its secrets become bytes; the vault seals them.
///
/// `begun` is the epoch in which it was asked for: where that has ended, the session is not kept.
pub fn put<A: Origin>(
    vault: &Vault,
    begun: Epoch,
    id: &Name,
    session: &CachedSession<A>,
    now: Timestamp,
) {
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
        vault.put_since(begun, A::KIND, id, &bytes, credentials.expires, now);
    }
}

/// Reads a session that has not expired.
pub fn get<A: Origin>(vault: &Vault, id: &Name, now: Timestamp) -> Option<CachedSession<A>> {
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
pub fn all<A: Origin>(vault: &Vault, now: Timestamp) -> Vec<(Name, CachedSession<A>)> {
    vault
        .list(A::KIND, now)
        .into_iter()
        .filter_map(|(id, _)| Some((id, get(vault, &id, now)?)))
        .collect()
}

/// Forgets every session made with a source.
pub fn forget_made_with(vault: &Vault, source: &Source, now: Timestamp) {
    for (id, session) in all::<AuthOrigin>(vault, now) {
        if session.origin.source == *source {
            let _ = vault.remove(RecordKind::AuthSession, &id);
        }
    }
    for (id, session) in all::<RoleOrigin>(vault, now) {
        if session.origin.source == *source {
            let _ = vault.remove(RecordKind::RoleSession, &id);
        }
    }
}
