//! The broker: the only way to credentials. A request goes in; a pass or a refusal comes out.
//!
//! ```text
//! issue ─┬─ identity   whose key it is, which devices give codes, the key itself
//!        ├─ status   what is cached and live
//!        └─ flows      the calls to STS ── asking   whose turn it is to ask, and which code may be sent
//! ```

mod asking;
mod flows;
mod identity;
mod status;

use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;

use jiff::{SignedDuration, Timestamp};

use crate::domain::account::{Flow, Target};
use crate::domain::config::{Auth, StoreChoice};
use crate::domain::fault::Fault;
use crate::domain::ids::{MfaSerial, SessionName};
use crate::domain::import::organization::Member;
use crate::domain::pass::{Asking, NotIssued, Pass, Request};
use crate::domain::secret::{AccessKey, Credentials, MfaCode};

use super::diary::Diary;
use super::facts::Facts;
use super::interaction::Interaction;
use super::sessions::{self, CachedSession, LAST_MARGIN, RoleOrigin};
use crate::services::aws::{Aws, Signer};
use crate::services::store::spent::SpentCodes;
use crate::services::store::vault::Vault;

use asking::{CodeRequest, PromptTurn};

/// Issues passes for one auth account.
pub struct Broker {
    auth: Auth,
    vault: Vault,
    facts: Facts,
    spent: SpentCodes,
    store: StoreChoice,
    shared: PathBuf,
    verb: String,
    diary: Option<Diary>,
    interaction: Box<dyn Interaction>,
    clock: fn() -> Timestamp,
    aws: RefCell<Option<Rc<Aws>>>,
    key: RefCell<Option<Rc<AccessKey>>>,
    /// The right to ask for a code: held from the question until the answer was used or given up.
    prompt_turn: RefCell<Option<PromptTurn>>,
}

/// What a broker works with.
pub struct BrokerDeps {
    /// Where sessions rest.
    pub vault: Vault,
    /// What is known already.
    pub facts: Facts,
    /// Where the access key rests, if the config leaves it to the store.
    pub store: StoreChoice,
    /// The folder that every sekisho of this person shares: locks, spent codes, sealed keys.
    pub shared: PathBuf,
    /// What this process does, as other processes name it: `exec dev-tanaka`.
    pub verb: String,
    /// Where every newly issued role session is noted, if anywhere.
    pub diary: Option<Diary>,
    /// The person who waits.
    pub interaction: Box<dyn Interaction>,
    /// The time, UTC.
    pub clock: fn() -> Timestamp,
}

impl Broker {
    /// A broker for one auth account. Nothing is read or called before the first request.
    pub fn new(auth: Auth, means: BrokerDeps) -> Self {
        Self {
            auth,
            vault: means.vault,
            facts: means.facts,
            spent: SpentCodes::new(&means.shared),
            store: means.store,
            shared: means.shared,
            verb: means.verb,
            diary: means.diary,
            interaction: means.interaction,
            clock: means.clock,
            aws: RefCell::new(None),
            key: RefCell::new(None),
            prompt_turn: RefCell::new(None),
        }
    }

    /// Uses this key instead of looking for one, until `rest`.
    pub fn preload_key(&self, key: AccessKey) {
        *self.key.borrow_mut() = Some(Rc::new(key));
    }

    /// Gives a pass into a target: from the cache, through the auth session, or with a code.
    pub async fn issue(&self, request: &Request) -> Result<Pass, NotIssued> {
        let answer = Box::pin(self.enter(request)).await; // else the futures nest too deep for rustc
        if !matches!(answer, Err(NotIssued::Code(_) | NotIssued::Passphrase(_))) {
            // Nobody is asked for anything any more, though the list may stay open for hours.
            self.release_secrets();
        }
        answer
    }

    async fn enter(&self, request: &Request) -> Result<Pass, NotIssued> {
        let target = request.target.target();
        if let Some(passphrase) = &request.passphrase {
            self.key_opened_with(Some(passphrase)).await?;
        }
        let who = self.who().await?;
        let name = SessionName::of(&who.user);
        let (target, mut notes) = self.within_maximum(target);
        let cached = self.cached(&who, &target);
        let cached = match cached {
            Some(session) if session.is_fresh(request.terms.renew, (self.clock)()) => {
                return Ok(self.pass(session, target, notes));
            }
            cached => cached,
        };
        let entered = match target.flow() {
            Flow::Shared => self.enter_shared(&who, &target, &name, request).await,
            Flow::Direct => self.enter_direct(&who, &target, &name, request, &mut notes).await,
        };
        match (entered, cached) {
            // Nobody can be asked, but what is there still serves a while.
            (Err(NotIssued::Code(_)), Some(session))
                if request.terms.asking == Asking::Never
                    && session.life((self.clock)()).0 > LAST_MARGIN =>
            {
                Ok(self.pass(session, target, notes))
            }
            (Err(refusal), _) => Err(refusal),
            (Ok((session, serial)), _) => {
                // Not always what was asked: a role may give less.
                let target = session.origin.target.clone();
                let id = sessions::role_id(&self.auth, &who.key, &serial, &target, &name);
                sessions::put(&self.vault, &id, &session, (self.clock)());
                notes.extend(self.note(&session.origin));
                Ok(self.pass(session, target, notes))
            }
        }
    }

    /// Gets the auth session now, so that later requests need no code. Returns when it ends, UTC.
    pub async fn sign_in(
        &self,
        code: Option<&(MfaSerial, MfaCode)>,
        asking: Asking,
    ) -> Result<Timestamp, NotIssued> {
        let who = self.who().await?;
        let session = self.auth_session(&who, code, asking, Timestamp::MIN).await?;
        self.prompt_turn.take();
        Ok(session.credentials.expires)
    }

    /// The access key, for verbs that are about the key itself.
    pub async fn access_key(&self) -> Result<Rc<AccessKey>, NotIssued> {
        self.key().await
    }

    /// A fresh code for a verb that sends it itself: the command's, else what a person is to be asked.
    pub async fn fresh_code(
        &self,
        given: Option<&(MfaSerial, MfaCode)>,
    ) -> Result<(MfaSerial, MfaCode), NotIssued> {
        let who = self.who().await?;
        let want = CodeRequest {
            who: &who,
            flow: Flow::Direct,
            until: (self.clock)() + SignedDuration::try_from(Flow::SHARED_MAX).unwrap_or_default(),
        };
        self.code(&want, given, Asking::Allowed).await
    }

    /// An auth session whose MFA is at most `age` old: what changing one's own key takes.
    pub async fn fresh_session(
        &self,
        age: SignedDuration,
        code: Option<&(MfaSerial, MfaCode)>,
        asking: Asking,
    ) -> Result<Credentials, NotIssued> {
        let who = self.who().await?;
        let since = (self.clock)().checked_sub(age).unwrap_or(Timestamp::MIN);
        let session = self.auth_session(&who, code, asking, since).await?;
        self.prompt_turn.take();
        Ok(session.credentials)
    }

    /// Reads the access key now, so that a sealed file's passphrase is asked for here and not later.
    pub async fn unlock(&self) -> Result<(), NotIssued> {
        self.key().await.map(drop)
    }

    /// The accounts of the auth account's organisation, listed with the auth session.
    pub async fn members(
        &self,
        code: Option<&(MfaSerial, MfaCode)>,
        asking: Asking,
    ) -> Result<Vec<Member>, NotIssued> {
        let who = self.who().await?;
        let session = self.auth_session(&who, code, asking, Timestamp::MIN).await?;
        self.prompt_turn.take();
        let signer = Signer::Session(&session.credentials);
        Ok(self.aws()?.members(signer).await?)
    }

    /// The accounts of the organisation that a pass leads into.
    pub async fn members_through(&self, pass: &Pass) -> Result<Vec<Member>, Fault> {
        let signer = Signer::Session(&pass.credentials);
        self.aws()?.members(signer).await
    }

    /// Wipes the access key and lets another process ask for the code: while a child runs or the list waits, this
    /// one holds neither.
    pub fn release_secrets(&self) {
        self.key.take();
        self.aws.take(); // its connections keep AWS's last answers
        self.prompt_turn.take();
    }

    /// The vault, for verbs that look at it or empty it.
    pub fn vault(&self) -> &Vault {
        &self.vault
    }

    /// Notes a new role session in the diary. What to tell the person where that fails.
    fn note(&self, origin: &RoleOrigin) -> Option<String> {
        let noted = self.diary.as_ref()?.note(&origin.target, origin.flow, (self.clock)());
        let error = noted.err()?;
        Some(format!("this session is not in the diary: {error}"))
    }

    fn pass(
        &self,
        session: CachedSession<RoleOrigin>,
        target: Target,
        mut notes: Vec<String>,
    ) -> Pass {
        notes.extend(self.vault.take_warning());
        notes.extend(self.facts.take_warning());
        session.into_pass(target, notes)
    }

    fn aws(&self) -> Result<Rc<Aws>, Fault> {
        if let Some(aws) = self.aws.borrow().as_ref() {
            return Ok(Rc::clone(aws));
        }
        let aws = Rc::new(Aws::new(&self.auth)?);
        *self.aws.borrow_mut() = Some(Rc::clone(&aws));
        Ok(aws)
    }
}
