//! The broker: the only way to credentials. A request goes in; a pass or a refusal comes out.

use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::domain::account::{Flow, Target};
use crate::domain::config::{Auth, KeySource, StoreChoice};
use crate::domain::fault::{Exit, Fault};
use crate::domain::ids::{AccessKeyId, MfaSerial, RoleArn, SessionName};
use crate::domain::import::organization::Member;
use crate::domain::pass::{
    Asking, AuthStanding, CodeWanted, Complaint, Device, Live, Pass, Refusal, Request, Standing,
};
use crate::domain::secret::{AccessKey, Credentials, MfaCode};

use super::access_key::{self, owner};
use super::aws::{Aws, Doing, Failure, Kind, Signer};
use super::diary::Diary;
use super::person::Person;
use super::sessions::{self, AuthOrigin, LAST_MARGIN, RoleOrigin, Session, Who};
use super::store::lock::{Held, Holder, PromptLock, Waited, Wish};
use super::store::spent::{Marked, SpentCodes};
use super::store::vault::{self, Name, Vault};
use super::{aws, codes};

/// An authenticator shows a new code every so many seconds (RFC 6238, as AWS uses it).
const STEP: i64 = 30;
/// An auth session with less life than this is not worth another call.
const AUTH_MARGIN: SignedDuration = SignedDuration::from_mins(1);

/// Issues passes for one auth account.
pub struct Broker {
    auth: Auth,
    vault: Vault,
    spent: SpentCodes,
    store: StoreChoice,
    shared: PathBuf,
    verb: String,
    diary: Option<Diary>,
    person: Box<dyn Person>,
    clock: fn() -> Timestamp,
    aws: OnceCell<Aws>,
    key: RefCell<Option<Rc<AccessKey>>>,
    /// The right to ask for a code: held from the question until the answer was used or given up.
    turn: RefCell<Option<Turn>>,
}

/// The right to ask for a code, and what the code is for.
struct Turn {
    lock: PromptLock,
    held: Held,
    who: Who,
    since: Timestamp,
}

impl Turn {
    fn is_superseded(&self) -> bool {
        self.lock
            .superseded(&self.held)
            .is_ok_and(|holder| holder.is_some())
    }
}

/// What a broker works with.
pub struct Means {
    /// Where sessions rest.
    pub vault: Vault,
    /// Where the access key rests, if the config leaves it to the store.
    pub store: StoreChoice,
    /// The folder that every sekisho of this person shares: locks, spent codes, sealed keys.
    pub shared: PathBuf,
    /// What this process does, as other processes name it: `exec dev-tanaka`.
    pub verb: String,
    /// Where every newly issued role session is noted, if anywhere.
    pub diary: Option<Diary>,
    /// The person who waits.
    pub person: Box<dyn Person>,
    /// The time, UTC.
    pub clock: fn() -> Timestamp,
}

impl Broker {
    /// A broker for one auth account. Nothing is read or called before the first request.
    pub fn new(auth: Auth, means: Means) -> Self {
        Self {
            auth,
            vault: means.vault,
            spent: SpentCodes::new(&means.shared),
            store: means.store,
            shared: means.shared,
            verb: means.verb,
            diary: means.diary,
            person: means.person,
            clock: means.clock,
            aws: OnceCell::new(),
            key: RefCell::new(None),
            turn: RefCell::new(None),
        }
    }

    /// Uses this key instead of looking for one, until `rest`.
    pub fn hold(&self, key: AccessKey) {
        *self.key.borrow_mut() = Some(Rc::new(key));
    }

    /// Gives a pass into a target: from the cache, through the auth session, or with a code.
    pub async fn issue(&self, request: &Request) -> Result<Pass, Refusal> {
        let target = request.target.target();
        let who = self.who().await?;
        let name = SessionName::of(&who.user);
        let (target, mut notes) = self.within_maximum(target);
        let cached = self.cached(&who, &target);
        let cached = match cached {
            Some(session) if session.is_fresh(request.terms.renew, (self.clock)()) => {
                return Ok(self.pass(session, notes));
            }
            cached => cached,
        };
        let entered = match target.flow() {
            Flow::Shared => self.enter_shared(&who, &target, &name, request).await,
            Flow::Direct => {
                self.enter_direct(&who, &target, &name, request, &mut notes)
                    .await
            }
        };
        match (entered, cached) {
            // Nobody can be asked, but what is there still serves a while.
            (Err(Refusal::Code(_)), Some(session))
                if request.terms.asking == Asking::Never
                    && session.life((self.clock)()).0 > LAST_MARGIN =>
            {
                Ok(self.pass(session, notes))
            }
            (Err(refusal), _) => {
                if let Refusal::Fault(_) = refusal {
                    // The list stays open with it: nobody is asked for a code any more.
                    self.abandon();
                }
                Err(refusal)
            }
            (Ok((session, serial)), _) => {
                self.turn.take();
                let made_for = &session.origin.target;
                let id = sessions::role_id(&self.auth, &who.key, &serial, made_for, &name);
                sessions::put(&self.vault, &id, &session, (self.clock)());
                notes.extend(self.note(&session.origin));
                Ok(self.pass(session, notes))
            }
        }
    }

    /// Gets the auth session now, so that later requests need no code. Returns when it ends, UTC.
    pub async fn sign_in(
        &self,
        code: Option<&(MfaSerial, MfaCode)>,
        asking: Asking,
    ) -> Result<Timestamp, Refusal> {
        let who = self.who().await?;
        let session = self
            .auth_session(&who, code, asking, Timestamp::MIN)
            .await?;
        self.turn.take();
        Ok(session.credentials.expires)
    }

    /// The access key, for verbs that are about the key itself.
    pub async fn access_key(&self) -> Result<Rc<AccessKey>, Refusal> {
        self.key().await
    }

    /// A fresh code for a verb that sends it itself: the command's, else what a person is to be asked.
    pub async fn fresh_code(
        &self,
        given: Option<&(MfaSerial, MfaCode)>,
    ) -> Result<(MfaSerial, MfaCode), Refusal> {
        let who = self.who().await?;
        let until = (self.clock)() + SignedDuration::try_from(Flow::SHARED_MAX).unwrap_or_default();
        self.code(&who, given, Asking::Allowed, Flow::Direct, until)
            .await
    }

    /// An auth session whose MFA is at most `age` old: what changing one's own key takes.
    pub async fn fresh_session(
        &self,
        age: SignedDuration,
        code: Option<&(MfaSerial, MfaCode)>,
        asking: Asking,
    ) -> Result<Credentials, Refusal> {
        let who = self.who().await?;
        let since = (self.clock)().checked_sub(age).unwrap_or(Timestamp::MIN);
        let session = self.auth_session(&who, code, asking, since).await?;
        self.turn.take();
        Ok(session.credentials)
    }

    /// Reads the access key now, so that a sealed file's passphrase is asked for here and not later.
    pub async fn unlock(&self) -> Result<(), Refusal> {
        self.key().await.map(drop)
    }

    /// The accounts of the auth account's organisation, listed with the auth session.
    pub async fn members(
        &self,
        code: Option<&(MfaSerial, MfaCode)>,
        asking: Asking,
    ) -> Result<Vec<Member>, Refusal> {
        let who = self.who().await?;
        let session = self
            .auth_session(&who, code, asking, Timestamp::MIN)
            .await?;
        self.turn.take();
        let signer = Signer::Session(&session.credentials);
        Ok(self.aws()?.members(signer).await?)
    }

    /// The accounts of the organisation that a pass leads into.
    pub async fn members_through(&self, pass: &Pass) -> Result<Vec<Member>, Fault> {
        let signer = Signer::Session(&pass.credentials);
        self.aws()?.members(signer).await
    }

    /// What is live right now, of this config's key. Reads the cache only.
    pub fn standing(&self) -> Standing {
        let now = (self.clock)();
        let Some(who) = self.known() else {
            return Standing {
                user: self.auth.user.clone(),
                ..Standing::default()
            };
        };
        let auth = self
            .live_auth_session(&who, Timestamp::MIN)
            .map(|session| AuthStanding {
                expires: session.credentials.expires,
                device: session.origin.device,
            });
        let mut roles: HashMap<RoleArn, Live> = HashMap::new();
        for (name, session) in sessions::all::<RoleOrigin>(&self.vault, now) {
            let (origin, expires) = (session.origin, session.credentials.expires);
            if self
                .names_for(&who, &origin.target)
                .all(|ours| ours != name)
            {
                continue; // another key's, endpoint's or config's
            }
            let live = Live {
                expires,
                flow: origin.flow,
            };
            let longest = roles.entry(origin.target.role).or_insert(live);
            if longest.expires < expires {
                *longest = live;
            }
        }
        Standing {
            user: Some(who.user),
            auth,
            roles,
        }
    }

    /// Forgets a role's sessions here. They stay valid at AWS until they expire.
    pub fn forget(&self, target: &Target) {
        for (id, session) in sessions::all::<RoleOrigin>(&self.vault, (self.clock)()) {
            if session.origin.target.role == target.role {
                let _ = self.vault.remove(vault::Kind::RoleSession, &id);
            }
        }
    }

    /// The key's id, as far as it is known without reading the key.
    pub fn known_key(&self) -> Option<AccessKeyId> {
        self.known().map(|who| who.key)
    }

    /// Every live role session with its target, other configs' too, in no order.
    pub fn live_roles(&self) -> Vec<(Target, Live)> {
        let sessions = sessions::all::<RoleOrigin>(&self.vault, (self.clock)());
        let live = sessions.into_iter().map(|(_, session)| {
            let live = Live {
                expires: session.credentials.expires,
                flow: session.origin.flow,
            };
            (session.origin.target, live)
        });
        live.collect()
    }

    /// Forgets the sessions made with this config's key here. They stay valid at AWS until they expire.
    pub fn sign_out(&self) {
        if let Some(key) = self.known_key() {
            sessions::forget_made_with(&self.vault, &key, (self.clock)());
        }
    }

    /// Forgets a key that is no longer in use: whose it is, the sessions made with it, the key itself.
    pub fn forget_key(&self, key: &AccessKeyId) {
        let now = (self.clock)();
        sessions::forget_made_with(&self.vault, key, now);
        sessions::forget_owner(&self.vault, key, now);
        self.rest();
    }

    /// Gives up a code that was asked for, so that another process may ask.
    pub fn abandon(&self) {
        self.turn.take();
    }

    /// Whether the code that was asked for is no longer needed here: another process has taken the prompt over,
    /// or has got the session.
    pub fn is_overtaken(&self) -> bool {
        let turn = self.turn.borrow();
        turn.as_ref().is_some_and(|turn| {
            turn.is_superseded() || self.live_auth_session(&turn.who, turn.since).is_some()
        })
    }

    /// Wipes the access key: while a child runs, the parent holds none.
    pub fn rest(&self) {
        self.key.take();
        self.turn.take();
    }

    /// The vault, for verbs that look at it or empty it.
    pub fn vault(&self) -> &Vault {
        &self.vault
    }

    /// Notes a new role session in the diary. What to tell the person where that fails.
    fn note(&self, origin: &RoleOrigin) -> Option<String> {
        let noted = self
            .diary
            .as_ref()?
            .note(&origin.target, origin.flow, (self.clock)());
        let error = noted.err()?;
        Some(format!("this session is not in the diary: {error}"))
    }

    fn pass(&self, session: Session<RoleOrigin>, mut notes: Vec<String>) -> Pass {
        notes.extend(self.vault.take_warning());
        session.into_pass(notes)
    }

    /// Where a target's sessions lie in the vault, one name for each device. Reads the cache only.
    pub fn names(&self, target: &Target) -> Vec<Name> {
        self.known()
            .map(|who| self.names_for(&who, target).collect())
            .unwrap_or_default()
    }

    fn names_for(&self, who: &Who, target: &Target) -> impl Iterator<Item = Name> {
        let session = SessionName::of(&who.user);
        let serials = who.devices.iter().map(|(serial, _)| serial);
        serials.map(move |serial| sessions::role_id(&self.auth, &who.key, serial, target, &session))
    }

    /// A target whose role is known to give less than asked, brought down to what it gives.
    fn within_maximum(&self, target: &Target) -> (Target, Vec<String>) {
        let id = sessions::maximum_id(&self.auth, target);
        let known = sessions::recall::<u64>(&self.vault, &id, (self.clock)());
        match known {
            Some(most) if target.duration.as_secs() > most => {
                let note =
                    format!("{target} gives sessions of 1h at most; going on in the shared flow");
                (
                    Target {
                        duration: Duration::from_secs(most),
                        ..target.clone()
                    },
                    vec![note],
                )
            }
            _ => (target.clone(), Vec::new()),
        }
    }

    fn cached(&self, who: &Who, target: &Target) -> Option<Session<RoleOrigin>> {
        let now = (self.clock)();
        self.names_for(who, target)
            .filter_map(|name| sessions::get(&self.vault, &name, now))
            .max_by_key(|session| session.credentials.expires)
    }

    async fn enter_shared(
        &self,
        who: &Who,
        target: &Target,
        name: &SessionName,
        request: &Request,
    ) -> Result<(Session<RoleOrigin>, MfaSerial), Refusal> {
        let mut tried_again = false;
        loop {
            let auth = self
                .auth_session(
                    who,
                    request.code.as_ref(),
                    request.terms.asking,
                    Timestamp::MIN,
                )
                .await?;
            let signer = Signer::Session(&auth.credentials);
            match self
                .aws()?
                .assume_role(signer, target, target.duration, name, None)
                .await
            {
                Ok(credentials) => {
                    let origin = self.origin(who, target, Flow::Shared);
                    return Ok((
                        Session {
                            credentials,
                            origin,
                        },
                        auth.origin.serial,
                    ));
                }
                // What was cached is dead at AWS: an expired session, or a key that was replaced.
                Err(failure)
                    if matches!(failure.kind, Kind::Expired | Kind::Unknown) && !tried_again =>
                {
                    let id = sessions::auth_id(&self.auth, &who.key, &auth.origin.serial);
                    let _ = self.vault.remove(vault::Kind::AuthSession, &id);
                    tried_again = true;
                }
                Err(failure) => {
                    return Err(failure.fault(Doing::Entering(target, Flow::Shared)).into());
                }
            }
        }
    }

    async fn enter_direct(
        &self,
        who: &Who,
        target: &Target,
        name: &SessionName,
        request: &Request,
        notes: &mut Vec<String>,
    ) -> Result<(Session<RoleOrigin>, MfaSerial), Refusal> {
        let now = (self.clock)();
        let until = now + SignedDuration::try_from(target.duration).unwrap_or_default();
        let (serial, code) = self
            .code(
                who,
                request.code.as_ref(),
                request.terms.asking,
                Flow::Direct,
                until,
            )
            .await?;
        let key = self.key().await?;
        let life = target.duration;
        let answer = self
            .aws()?
            .assume_role(
                Signer::Key(&key),
                target,
                life,
                name,
                Some((&serial, &code)),
            )
            .await;
        match answer {
            Ok(credentials) => {
                let origin = self.origin(who, target, Flow::Direct);
                Ok((
                    Session {
                        credentials,
                        origin,
                    },
                    serial,
                ))
            }
            Err(failure) if failure.kind == Kind::OverMaximum => {
                let most = Flow::SHARED_MAX.as_secs();
                let id = sessions::maximum_id(&self.auth, target);
                sessions::remember(&self.vault, &id, &most, now);
                let (target, stepped_down) = self.within_maximum(target);
                notes.extend(stepped_down);
                // The code is spent: only a live auth session, or the next code, goes on from here.
                let request = Request {
                    target: request.target.clone(),
                    code: None,
                    terms: request.terms,
                };
                Box::pin(self.enter_shared(who, &target, name, &request)).await.map_err(|refusal| {
                    with_complaint(refusal, format!("{target} gives sessions of 1h at most: going on in the shared flow, with the next code"), self.next_step())
                })
            }
            Err(failure) => Err(self.refuse_code(
                who,
                &failure,
                Doing::Entering(target, Flow::Direct),
                &serial,
                &code,
                Flow::Direct,
                until,
            )),
        }
    }

    /// The live auth session, or a new one; never one obtained before `since`.
    async fn auth_session(
        &self,
        who: &Who,
        code: Option<&(MfaSerial, MfaCode)>,
        asking: Asking,
        since: Timestamp,
    ) -> Result<Session<AuthOrigin>, Refusal> {
        if let Some(session) = self.live_auth_session(who, since) {
            return Ok(session);
        }
        if asking == Asking::Allowed
            && let Some(session) = self.await_turn(who, since).await
        {
            return Ok(session);
        }
        let now = (self.clock)();
        let until = now + SignedDuration::try_from(self.auth.session).unwrap_or_default();
        let (serial, code) = self.code(who, code, asking, Flow::Shared, until).await?;
        let key = self.key().await?;
        let credentials = match self
            .aws()?
            .session_token(&key, &serial, &code, self.auth.session)
            .await
        {
            Ok(credentials) => credentials,
            Err(failure) => {
                return Err(self.refuse_code(
                    who,
                    &failure,
                    Doing::SigningIn,
                    &serial,
                    &code,
                    Flow::Shared,
                    until,
                ));
            }
        };
        let label = who
            .devices
            .iter()
            .find(|(s, _)| *s == serial)
            .map(|(_, label)| label.clone());
        let origin = AuthOrigin {
            key: who.key.clone(),
            user: who.user.clone(),
            device: label.unwrap_or_else(|| serial.short().to_owned()),
            serial,
            obtained: now,
        };
        self.prefer(who, &origin.serial);
        let session = Session {
            credentials,
            origin,
        };
        let id = sessions::auth_id(&self.auth, &who.key, &session.origin.serial);
        sessions::put(&self.vault, &id, &session, now);
        Ok(session)
    }

    /// Waits until this process may ask for a code, or until another one has got the auth session.
    async fn await_turn(&self, who: &Who, since: Timestamp) -> Option<Session<AuthOrigin>> {
        let lock = match PromptLock::new(&self.shared, &sessions::who_id(&self.auth)) {
            Ok(lock) => lock,
            Err(error) => {
                self.person.hear(&format!(
                    "other sekisho processes may ask for a code too: {error}"
                ));
                return None;
            }
        };
        let mine = self.turn.borrow_mut().take();
        if let Some(turn) = mine
            && !turn.is_superseded()
        {
            *self.turn.borrow_mut() = Some(turn);
            return None;
        }
        let mut told = None;
        let tell = |holder: &Holder| self.tell(holder, &mut told);
        match lock
            .wait(
                &self.verb,
                self.clock,
                || self.live_auth_session(who, since),
                tell,
            )
            .await
        {
            Ok(Waited::Found(session)) => Some(session),
            Ok(Waited::Mine(held)) => {
                *self.turn.borrow_mut() = Some(Turn {
                    lock,
                    held,
                    who: who.clone(),
                    since,
                });
                None
            }
            Err(error) => {
                self.person.hear(&format!(
                    "other sekisho processes may ask for a code too: {error}"
                ));
                None
            }
        }
    }

    /// Says who asks for the code, once, and once more when the prompt may be taken over.
    fn tell(&self, holder: &Holder, told: &mut Option<(u32, bool)>) -> Wish {
        let ripe = holder.may_be_taken_over((self.clock)());
        if *told != Some((holder.pid, ripe)) {
            *told = Some((holder.pid, ripe));
            if ripe {
                // An Enter from before the offer is no answer to it.
                self.person.wants_the_prompt();
            }
            let name = format!("`sekisho {}` (pid {})", holder.verb, holder.pid);
            self.person.hear(&if ripe {
                format!("{name} still asks for the code; Enter asks here instead")
            } else {
                format!("{name} asks for the code: waiting for it")
            });
        }
        if ripe && self.person.wants_the_prompt() {
            Wish::TakeOver
        } else {
            Wish::Wait
        }
    }

    fn live_auth_session(&self, who: &Who, since: Timestamp) -> Option<Session<AuthOrigin>> {
        let now = (self.clock)();
        who.devices
            .iter()
            .map(|(serial, _)| sessions::auth_id(&self.auth, &who.key, serial))
            .filter_map(|id| sessions::get::<AuthOrigin>(&self.vault, &id, now + AUTH_MARGIN))
            .filter(|session| session.origin.obtained >= since)
            .max_by_key(|session| session.credentials.expires)
    }

    /// A code that has not been used: the one given, else the command's, else a person must give one.
    async fn code(
        &self,
        who: &Who,
        given: Option<&(MfaSerial, MfaCode)>,
        asking: Asking,
        flow: Flow,
        until: Timestamp,
    ) -> Result<(MfaSerial, MfaCode), Refusal> {
        let wanted = |complaint| Refusal::Code(Self::wanted(who, flow, until, complaint));
        if let Some((serial, code)) = given {
            if let Some(until) = self.spend(serial, code) {
                return Err(wanted(Some(Complaint {
                    what: "this code was used already: each code works once".into(),
                    why: Vec::new(),
                    next_code_at: Some(self.next_step().min(until)),
                })));
            }
            return Ok((
                serial.clone(),
                MfaCode::parse(code.expose()).ok_or_else(|| wanted(None))?,
            ));
        }
        let (Asking::Allowed, Some(argv)) = (asking, &self.auth.mfa_command) else {
            return Err(wanted(None));
        };
        let serial = &who.devices.first().ok_or_else(|| wanted(None))?.0;
        for waited in [false, true] {
            let hear = |line: &str| self.person.hear(line);
            let code = codes::from_command(argv, hear).await.map_err(|fault| {
                wanted(Some(Complaint {
                    what: fault.what,
                    why: fault.why,
                    next_code_at: None,
                }))
            })?;
            if self.spend(serial, &code).is_none() {
                return Ok((serial.clone(), code));
            }
            if !waited {
                self.person
                    .hear("the code was used already: waiting for the next one");
                self.until(self.next_step()).await;
            }
        }
        Err(wanted(Some(Complaint {
            what: "mfa_command gave a used code twice".into(),
            why: vec!["the device's clock is off".into()],
            next_code_at: Some(self.next_step()),
        })))
    }

    /// Marks a code as spent before it is sent. Until when it stays so, if it was spent before.
    fn spend(&self, serial: &MfaSerial, code: &MfaCode) -> Option<Timestamp> {
        match self.spent.mark(serial, code, (self.clock)()) {
            Ok(Marked::Spent(until)) => Some(until),
            // An error means that other processes do not see the mark: AWS would tell them.
            Ok(Marked::Fresh) | Err(_) => None,
        }
    }

    /// What a failed call with a code means: another code may help, or it is a fault.
    #[expect(
        clippy::too_many_arguments,
        reason = "the two callers have them at hand"
    )]
    fn refuse_code(
        &self,
        who: &Who,
        failure: &Failure,
        doing: Doing<'_>,
        serial: &MfaSerial,
        code: &MfaCode,
        flow: Flow,
        until: Timestamp,
    ) -> Refusal {
        if !failure.spends_code() {
            // At worst the same digits are refused here for 90 s.
            let _ = self.spent.unmark(serial, code);
        }
        let fault = failure.fault(doing);
        if failure.kind != Kind::Code {
            return fault.into();
        }
        let next = Some(self.next_step());
        let complaint = Complaint {
            what: fault.what,
            why: fault.why,
            next_code_at: next,
        };
        Refusal::Code(Self::wanted(who, flow, until, Some(complaint)))
    }

    fn wanted(who: &Who, flow: Flow, until: Timestamp, complaint: Option<Complaint>) -> CodeWanted {
        let devices = who.devices.iter();
        CodeWanted {
            user: who.user.clone(),
            devices: devices
                .map(|(serial, label)| Device {
                    serial: serial.clone(),
                    label: label.clone(),
                })
                .collect(),
            flow,
            until,
            complaint,
        }
    }

    /// When the authenticator shows its next code.
    fn next_step(&self) -> Timestamp {
        let second = (self.clock)().as_second();
        Timestamp::from_second((second / STEP + 1) * STEP).unwrap_or(Timestamp::MAX)
    }

    async fn until(&self, instant: Timestamp) {
        let wait = instant.duration_since((self.clock)());
        tokio::time::sleep(Duration::try_from(wait).unwrap_or_default()).await;
    }

    fn origin(&self, who: &Who, target: &Target, flow: Flow) -> RoleOrigin {
        RoleOrigin {
            key: who.key.clone(),
            user: who.user.clone(),
            flow,
            target: target.clone(),
            obtained: (self.clock)(),
        }
    }

    /// The person behind the key: from the config, from memory, else from AWS, once.
    async fn who(&self) -> Result<Who, Refusal> {
        let known = self.known();
        let key_id = self.key_id(known.as_ref()).await?;
        if let Some(known) = known.filter(|known| known.key == key_id) {
            return Ok(known);
        }
        let user = match &self.auth.user {
            Some(user) => user.clone(),
            None => self.ask_user().await?,
        };
        let devices = if self.auth.mfa.is_empty() {
            self.ask_devices(&user).await?
        } else {
            let label = |d: &crate::domain::config::MfaDevice| {
                d.label
                    .clone()
                    .unwrap_or_else(|| d.serial.short().to_owned())
            };
            self.auth
                .mfa
                .iter()
                .map(|device| (device.serial.clone(), label(device)))
                .collect()
        };
        let who = Who {
            key: key_id,
            user,
            devices,
        };
        let id = sessions::who_id(&self.auth);
        sessions::remember(&self.vault, &id, &who, (self.clock)());
        Ok(who)
    }

    fn known(&self) -> Option<Who> {
        sessions::recall(&self.vault, &sessions::who_id(&self.auth), (self.clock)())
    }

    /// Puts the device that gave the last good code first.
    fn prefer(&self, who: &Who, serial: &MfaSerial) {
        let mut who = who.clone();
        who.devices.sort_by_key(|(other, _)| other != serial);
        let id = sessions::who_id(&self.auth);
        sessions::remember(&self.vault, &id, &who, (self.clock)());
    }

    async fn ask_user(&self) -> Result<crate::domain::ids::UserName, Refusal> {
        let key = self.key().await?;
        let caller = self
            .aws()?
            .caller_identity(Signer::Key(&key))
            .await
            .map_err(|failure| failure.fault(Doing::Asking))?;
        Ok(owner(&self.auth, &key.id, caller)?)
    }

    async fn ask_devices(
        &self,
        user: &crate::domain::ids::UserName,
    ) -> Result<Vec<(MfaSerial, String)>, Refusal> {
        let key = self.key().await?;
        let add = "name the device in the config: `auth: {mfa: [{serial: arn:aws:iam::…:mfa/…}]}`";
        let serials = self
            .aws()?
            .mfa_devices(Signer::Key(&key), user)
            .await
            .map_err(|failure| {
                let fault = failure.fault(Doing::Asking);
                if matches!(failure.kind, Kind::Denied | Kind::IdentityDeny) {
                    Fault::new(Exit::Refused, "AWS does not say which MFA devices you have")
                        .because("your IAM user may not call iam:ListMFADevices with the bare key")
                        .fix(add)
                } else {
                    fault
                }
            })?;
        let (usable, refused): (Vec<_>, Vec<_>) = serials
            .iter()
            .map(|serial| serial.parse::<MfaSerial>())
            .partition(Result::is_ok);
        let devices: Vec<_> = usable
            .into_iter()
            .flatten()
            .map(|serial| (serial.clone(), serial.short().to_owned()))
            .collect();
        if devices.is_empty() {
            let fault = Fault::new(
                Exit::Refused,
                format!("{user} has no device that gives six-digit codes"),
            );
            let fault = match refused.into_iter().find_map(Result::err) {
                Some(why) => fault.because(why.to_string()),
                None => fault.because("no MFA device is registered"),
            };
            return Err(fault
                .fix("register an authenticator app in the IAM console, Security credentials, then try again")
                .into());
        }
        Ok(devices)
    }

    /// The key's id, without touching a keychain where it is known.
    async fn key_id(&self, known: Option<&Who>) -> Result<AccessKeyId, Refusal> {
        if let Some(key) = self.key.borrow().as_ref() {
            return Ok(key.id.clone());
        }
        match (&self.auth.key, known) {
            // Changed through sekisho alone, which forgets what it knew.
            (
                KeySource::Auto | KeySource::Keyring | KeySource::File | KeySource::Command(_),
                Some(who),
            ) => Ok(who.key.clone()),
            // In a subshell of ours the environment holds a session; a live auth session still serves.
            (KeySource::Env, Some(who)) => {
                Ok(aws::from_environment().map_or_else(|_| who.key.clone(), |key| key.id.clone()))
            }
            _ => Ok(self.key().await?.id.clone()),
        }
    }

    /// The access key, read once and kept until `rest`.
    async fn key(&self) -> Result<Rc<AccessKey>, Refusal> {
        if let Some(key) = self.key.borrow().as_ref() {
            return Ok(Rc::clone(key));
        }
        let person = self.person.as_ref();
        let key = access_key::load(&self.auth, self.store, &self.shared, person).await?;
        let key = Rc::new(key);
        *self.key.borrow_mut() = Some(Rc::clone(&key));
        Ok(key)
    }

    fn aws(&self) -> Result<&Aws, Fault> {
        if let Some(aws) = self.aws.get() {
            return Ok(aws);
        }
        let aws = Aws::new(&self.auth)?;
        Ok(self.aws.get_or_init(|| aws))
    }
}

fn with_complaint(refusal: Refusal, what: String, next: Timestamp) -> Refusal {
    match refusal {
        Refusal::Code(wanted) => Refusal::Code(CodeWanted {
            complaint: Some(Complaint {
                what,
                why: Vec::new(),
                next_code_at: Some(next),
            }),
            ..wanted
        }),
        fault @ Refusal::Fault(_) => fault,
    }
}
