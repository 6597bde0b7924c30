//! What is cached and live: looked up, listed, forgotten. Nothing here calls AWS or prompts.

use std::collections::HashMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::domain::account::Target;
use crate::domain::confirmation::Cleared;
use crate::domain::ids::{AccessKeyId, RoleArn, SessionName};
use crate::domain::pass::{AuthStatus, Live, Pass, SessionStatus};
use crate::domain::secret::Credentials;
use crate::services::session::sessions::{self, AuthOrigin, CachedSession, RoleOrigin, Who};
use crate::services::store::record::{Name, RecordKind};

use super::Broker;

/// An auth session that expires sooner than this is not used any more.
const AUTH_MARGIN: SignedDuration = SignedDuration::from_mins(1);

impl Broker {
    /// The live sessions of this config's key. Reads the cache only.
    pub fn status(&self) -> SessionStatus {
        let now = (self.clock)();
        let store = self.vault.label();
        let Some(who) = self.known() else {
            return SessionStatus {
                user: self.auth.user.clone(),
                store,
                ..SessionStatus::default()
            };
        };
        let auth = self.live_auth_session(&who, Timestamp::MIN).map(|session| AuthStatus {
            expires: session.credentials.expires,
            device: session.origin.device,
        });
        let mut roles: HashMap<RoleArn, Live> = HashMap::new();
        for (name, session) in sessions::all::<RoleOrigin>(&self.vault, now) {
            let (origin, expires) = (session.origin, session.credentials.expires);
            if self.names_for(&who, &origin.target).all(|ours| ours != name) {
                continue; // another key's, endpoint's or config's
            }
            let live = Live { expires, flow: origin.flow };
            let longest = roles.entry(origin.target.role).or_insert(live);
            if longest.expires < expires {
                *longest = live;
            }
        }
        SessionStatus { user: Some(who.user), auth, roles, store }
    }

    /// Forgets a role's sessions here. They stay valid at AWS until they expire.
    pub fn forget(&self, target: &Target) {
        self.end_epoch();
        for (id, session) in sessions::all::<RoleOrigin>(&self.vault, (self.clock)()) {
            if session.origin.target.role == target.role {
                let _ = self.vault.remove(RecordKind::RoleSession, &id);
            }
        }
    }

    /// The key's id, where it is known without reading the key.
    pub fn known_key(&self) -> Option<AccessKeyId> {
        self.known().map(|who| who.key)
    }

    /// The live auth session, if there is one. Reads the cache only.
    pub fn known_auth_session(&self) -> Option<Credentials> {
        let session = self.live_auth_session(&self.known()?, Timestamp::MIN)?;
        Some(session.credentials)
    }

    /// Every live role session with its target, other configs' too, in no order.
    pub fn live_roles(&self) -> Vec<(Target, Live)> {
        let sessions = sessions::all::<RoleOrigin>(&self.vault, (self.clock)());
        let live = sessions.into_iter().map(|(_, session)| {
            let live = Live { expires: session.credentials.expires, flow: session.origin.flow };
            (session.origin.target, live)
        });
        live.collect()
    }

    /// Forgets the sessions made with this config's key here. They stay valid at AWS until they expire.
    pub fn sign_out(&self) {
        self.end_epoch();
        if let Some(key) = self.known_key() {
            sessions::forget_made_with(&self.vault, &key, (self.clock)());
        }
    }

    /// Forgets a key that is no longer in use: its owner, the sessions made with it, the key itself.
    pub fn forget_key(&self, key: &AccessKeyId) {
        self.end_epoch();
        let now = (self.clock)();
        sessions::forget_made_with(&self.vault, key, now);
        self.facts.forget(|who: &Who| who.key == *key);
        self.release_secrets();
    }

    /// Forgets everything of every config, by destroying the key that sessions are sealed with.
    pub fn forget_everything(&self) -> Result<(), String> {
        self.facts.clear();
        self.vault.forget_all()
    }

    /// Keeps the answers to requests in flight from undoing what is forgotten now.
    fn end_epoch(&self) {
        // Where this fails the folder takes no writes, so nothing is kept in it either.
        let _ = self.vault.end_epoch();
    }

    /// The names of a target's sessions in the vault, one for each device. Reads the cache only.
    pub fn names(&self, target: &Target) -> Vec<Name> {
        self.known().map(|who| self.names_for(&who, target).collect()).unwrap_or_default()
    }

    fn names_for(&self, who: &Who, target: &Target) -> impl Iterator<Item = Name> {
        let session = SessionName::of(&who.user);
        let serials = who.devices.iter().map(|(serial, _)| serial);
        serials.map(move |serial| sessions::role_id(&self.auth, &who.key, serial, target, &session))
    }

    /// A target's session as it is, if more than `spare` of it is left. Never calls AWS.
    pub fn live(&self, target: &Cleared, spare: Duration) -> Option<Pass> {
        let (target, notes) = self.within_maximum(target.target());
        let session = self.cached(&self.known()?, &target)?;
        let serves = session.life((self.clock)()).0 > spare;
        serves.then(|| self.pass(session, target, notes))
    }

    /// A target's session; of several, the one that expires last.
    pub(super) fn cached(&self, who: &Who, target: &Target) -> Option<CachedSession<RoleOrigin>> {
        let now = (self.clock)();
        self.names_for(who, target)
            .filter_map(|name| sessions::get(&self.vault, &name, now))
            .max_by_key(|session| session.credentials.expires)
    }

    /// The auth session that expires last; never one obtained before `since`.
    pub(super) fn live_auth_session(
        &self,
        who: &Who,
        since: Timestamp,
    ) -> Option<CachedSession<AuthOrigin>> {
        let now = (self.clock)();
        who.devices
            .iter()
            .map(|(serial, _)| sessions::auth_id(&self.auth, &who.key, serial))
            .filter_map(|id| sessions::get::<AuthOrigin>(&self.vault, &id, now + AUTH_MARGIN))
            .filter(|session| session.origin.obtained >= since)
            .max_by_key(|session| session.credentials.expires)
    }
}
