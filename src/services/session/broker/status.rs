//! What is cached and live: looked up, listed, forgotten. Nothing here calls AWS or prompts.

use std::collections::HashMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::domain::account::Target;
use crate::domain::confirmation::Cleared;
use crate::domain::flow::Flow;
use crate::domain::ids::{AccessKeyId, RoleArn, SessionName};
use crate::domain::pass::{AuthStatus, Live, Pass, SessionStatus, SignedInBy};
use crate::domain::secret::Credentials;
use crate::services::login::record::Login;
use crate::services::session::sessions::{
    self, AuthOrigin, CachedSession, RoleOrigin, Source, Who,
};
use crate::services::store::record::{Name, RecordKind};

use super::Broker;

/// How a console sign-in is called beside the devices.
const CONSOLE: &str = "console sign-in";

/// An auth session that expires sooner than this is not used any more.
const AUTH_MARGIN: SignedDuration = SignedDuration::from_mins(1);

impl Broker {
    /// The live sessions of this config's key. Reads the cache only.
    pub fn status(&self) -> SessionStatus {
        let now = (self.clock)();
        let store = self.vault.label();
        let longest = self.is_signed_in().then_some(Flow::SHARED_MAX);
        let Some(who) = self.known() else {
            return SessionStatus {
                user: self.auth.user.clone(),
                store,
                longest,
                ..SessionStatus::default()
            };
        };
        let auth = match self.login_ends() {
            Some(expires) => {
                let device = CONSOLE.to_owned();
                Some(AuthStatus { expires, device, by: SignedInBy::Console })
            }
            None => self.live_auth_session(&who, Timestamp::MIN).map(|session| AuthStatus {
                expires: session.credentials.expires,
                device: session.origin.device,
                by: SignedInBy::Code,
            }),
        };
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
        SessionStatus { user: Some(who.user), auth, roles, store, longest }
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
        self.known()?.source.key().cloned()
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

    /// Forgets the sessions made with this config's key or console sign-in here. They stay valid at AWS until they expire.
    pub fn sign_out(&self) {
        // Before and after: a renewal in flight keeps its sign-in only where it finds one, and not past an epoch.
        Login::forget(&self.vault, &self.auth);
        self.end_epoch();
        Login::forget(&self.vault, &self.auth);
        if let Some(who) = self.known() {
            sessions::forget_made_with(&self.vault, &who.source, (self.clock)());
        }
    }

    /// Forgets a key that is no longer in use: its owner, the sessions made with it, the key itself.
    pub fn forget_key(&self, key: &AccessKeyId) {
        self.end_epoch();
        let now = (self.clock)();
        sessions::forget_made_with(&self.vault, &Source::Key(key.clone()), now);
        self.facts.forget(|who: &Who| who.source.key() == Some(key));
        self.release_secrets();
    }

    /// Forgets everything of every config, by destroying the key that sessions are sealed with.
    pub fn forget_everything(&self) -> Result<(), String> {
        Login::forget_all(&self.vault, (self.clock)());
        self.facts.clear();
        if let Some(remembered) = &self.remembered {
            remembered.clear();
        }
        self.vault.forget_all()
    }

    /// Keeps the answers to requests in flight from undoing what is forgotten now.
    fn end_epoch(&self) {
        // Where this fails the folder takes no writes, so nothing is kept in it either.
        let _ = self.vault.end_epoch();
    }

    /// The names of a target's sessions in the vault: one for each device, and one without a code where none is needed. Reads the cache only.
    pub fn names(&self, target: &Target) -> Vec<Name> {
        self.known().map(|who| self.names_for(&who, target).collect()).unwrap_or_default()
    }

    fn names_for(&self, who: &Who, target: &Target) -> impl Iterator<Item = Name> {
        let session = SessionName::of(&who.user);
        let codeless = matches!(who.source, Source::Login(_)).then_some(None);
        let serials =
            codeless.into_iter().chain(who.devices.iter().map(|(serial, _)| Some(serial)));
        serials
            .map(move |serial| sessions::role_id(&self.auth, &who.source, serial, target, &session))
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
        let serials = match who.source {
            Source::Key(_) => who.devices.iter().map(|(serial, _)| Some(serial)).collect(),
            Source::Login(_) => vec![None],
        };
        serials
            .into_iter()
            .map(|serial| sessions::auth_id(&self.auth, &who.source, serial))
            .filter_map(|id| sessions::get::<AuthOrigin>(&self.vault, &id, now + AUTH_MARGIN))
            .filter(|session| session.origin.obtained >= since)
            .max_by_key(|session| session.credentials.expires)
    }
}
