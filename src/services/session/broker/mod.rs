//! The broker: the only way to credentials. It answers a request with a pass, or with why there is none.
//!
//! ```text
//! issue ─┬─ identity   whose key it is, which devices generate codes, the key itself
//!        ├─ status     what is cached and live
//!        ├─ flows      the calls to STS ── asking   which process may prompt, and which code may be sent
//!        └─ login      the same with a console sign-in in the key's place
//! ```

mod asking;
mod flows;
mod identity;
mod login;
mod status;

use std::cell::{OnceCell, RefCell};
use std::path::PathBuf;
use std::rc::{Rc, Weak};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::domain::account::Target;
use crate::domain::agents::{Allowance, Driver};
use crate::domain::config::{Auth, StoreChoice};
use crate::domain::fault::{Exit, Fault};
use crate::domain::flow::Flow;
use crate::domain::ids::{MfaSerial, SessionName};
use crate::domain::import::organization::{Member, Selection};
use crate::domain::pass::{Asking, NotIssued, Pass, Renew, Request, Terms};
use crate::domain::secret::{AccessKey, Credentials, MfaCode};

use super::backoff::Backoff;
use super::diary::Diary;
use super::facts::Facts;
use super::interaction::Interaction;
use super::issued::Issued;
use super::sessions::{self, CachedSession, RoleOrigin, Source};
use crate::services::aws::{Aws, Signer};
use crate::services::console::browser::Launcher;
use crate::services::login::record::Remembered;
use crate::services::store::spent::SpentCodes;
use crate::services::store::vault::Vault;

use asking::{CodeRequest, HeldPrompt};

/// Issues passes for one auth account.
pub struct Broker {
    auth: Auth,
    vault: Vault,
    facts: Facts,
    backoff: Backoff,
    spent: SpentCodes,
    store: StoreChoice,
    shared: PathBuf,
    verb: String,
    driver: Driver,
    agents: Allowance,
    diary: Option<Diary>,
    issued: Option<Issued>,
    browser: Option<Launcher>,
    remembered: Option<Remembered>,
    interaction: Box<dyn Interaction>,
    clock: fn() -> Timestamp,
    signed_in: OnceCell<bool>,
    aws: RefCell<Option<Rc<Aws>>>,
    /// The same client as long as somebody else holds it.
    lent: RefCell<Weak<Aws>>,
    key: RefCell<Option<Rc<AccessKey>>>,
    /// Held from the prompt for a code until the code was used or the prompt given up.
    held_prompt: RefCell<Option<HeldPrompt>>,
}

/// What a broker depends on.
pub struct BrokerDeps {
    /// Where sessions are kept.
    pub vault: Vault,
    /// What was learned from AWS before.
    pub facts: Facts,
    /// When a renewal that failed is tried again.
    pub backoff: Backoff,
    /// Where the access key is kept, if the config leaves that to sekisho.
    pub store: StoreChoice,
    /// The directory shared by all of this user's sekisho processes: locks, spent codes, sealed keys.
    pub shared: PathBuf,
    /// The command this process runs, as other processes show it: `exec dev-tanaka`.
    pub verb: String,
    /// Who runs this command.
    pub driver: Driver,
    /// What an agent gets where no target is meant.
    pub agents: Allowance,
    /// Where newly issued role sessions are recorded, if anywhere.
    pub diary: Option<Diary>,
    /// Where is remembered which role a session is for; `None` where nothing is to be written (`store: none`).
    pub issued: Option<Issued>,
    /// The browser for console sign-ins; `None` where none may be opened.
    pub browser: Option<Launcher>,
    /// Who signed in at the console before; `None` where nothing is to be written (`store: none`).
    pub remembered: Option<Remembered>,
    /// How to reach the user.
    pub interaction: Box<dyn Interaction>,
    /// The clock, a parameter so that tests can set the time.
    pub clock: fn() -> Timestamp,
}

impl Broker {
    /// A broker for one auth account. Nothing is read or called before the first request.
    pub fn new(auth: Auth, deps: BrokerDeps) -> Self {
        Self {
            auth,
            vault: deps.vault,
            facts: deps.facts,
            backoff: deps.backoff,
            spent: SpentCodes::new(&deps.shared),
            store: deps.store,
            shared: deps.shared,
            verb: deps.verb,
            driver: deps.driver,
            agents: deps.agents,
            diary: deps.diary,
            issued: deps.issued,
            browser: deps.browser,
            remembered: deps.remembered,
            interaction: deps.interaction,
            clock: deps.clock,
            signed_in: OnceCell::new(),
            aws: RefCell::new(None),
            lent: RefCell::new(Weak::new()),
            key: RefCell::new(None),
            held_prompt: RefCell::new(None),
        }
    }

    /// Uses this key instead of looking for one, until `release_secrets`.
    pub fn preload_key(&self, key: AccessKey) {
        *self.key.borrow_mut() = Some(Rc::new(key));
    }

    /// Issues a pass into a target: from the cache, through the auth session, or with a code.
    pub async fn issue(&self, request: &Request) -> Result<Pass, NotIssued> {
        let answer = Box::pin(self.enter(request)).await; // else the futures nest too deep for rustc
        if !matches!(answer, Err(NotIssued::Code(_) | NotIssued::Passphrase(_))) {
            // No prompt is open any more, and the switcher may stay open for hours.
            self.release_secrets();
        }
        answer
    }

    async fn enter(&self, request: &Request) -> Result<Pass, NotIssued> {
        let begun = self.vault.epoch();
        let target = request.target.target();
        if let Some(fault) = target.vain_scope() {
            return Err(NotIssued::Fault(fault));
        }
        if let Some(passphrase) = &request.passphrase {
            self.key_opened_with(Some(passphrase)).await?;
        }
        let who = self.who(self.asking(request.terms.asking, target.agents)).await?;
        let name = SessionName::of(&who.user);
        let (target, mut notes) = self.within_maximum(target);
        let live = match self.cached(&who, &target) {
            Some(session) if session.is_fresh(request.terms.renew, (self.clock)()) => {
                return Ok(self.pass(session, target, notes));
            }
            cached => cached.filter(|session| self.still_serves(session, request.terms)),
        };
        let live = match (live, self.backoff.pending((self.clock)())) {
            (Some(session), Some(why)) if request.code.is_none() => {
                let pass = self.pass(session, target, notes);
                return Ok(Pass { unrenewed: Some(why), ..pass });
            }
            (live, _) => live,
        };
        let entered = match (&who.source, target.flow()) {
            (Source::Login(_), _) => {
                Box::pin(self.enter_signed_in(&who, &target, &name, request)).await
            }
            (_, Flow::Shared) => self.enter_shared(&who, &target, &name, request).await,
            (_, Flow::Direct) => self.enter_direct(&who, &target, &name, request, &mut notes).await,
        };
        match entered {
            Ok((session, serial)) => {
                self.backoff.end();
                // Not always what was asked for: the role's maximum may be lower.
                let target = session.origin.target.clone();
                let id =
                    sessions::role_id(&self.auth, &who.source, serial.as_ref(), &target, &name);
                sessions::put(&self.vault, begun, &id, &session, (self.clock)());
                if let Some(issued) = &self.issued {
                    // Where it fails, a guarded target asks at its next renewal.
                    let _ = issued.remember(&session.credentials, &target, (self.clock)());
                }
                notes.extend(self.note(&session.origin));
                Ok(self.pass(session, target, notes))
            }
            Err(refusal) => {
                let why = self.not_refused(&refusal, request.terms);
                match live.filter(|session| self.still_serves(session, request.terms)) {
                    // What was forgotten meanwhile is withheld.
                    Some(session) if why.is_some() && self.vault.epoch() == begun => {
                        Ok(Pass { unrenewed: why, ..self.pass(session, target, notes) })
                    }
                    _ => Err(refusal),
                }
            }
        }
    }

    /// Whether a live session may be handed out where it cannot be renewed.
    fn still_serves(&self, session: &CachedSession<RoleOrigin>, terms: Terms) -> bool {
        terms.renew != Renew::Now && session.life((self.clock)()).0 > terms.spare
    }

    /// Why there is no new session, where nobody refused one: something failed, or nobody may be asked. After a failure the
    /// next try waits.
    fn not_refused(&self, refusal: &NotIssued, terms: Terms) -> Option<String> {
        match refusal {
            NotIssued::Fault(fault) if fault.exit == Exit::Fault => {
                let why = fault.in_a_line();
                self.backoff.failed(&why, (self.clock)());
                Some(why)
            }
            NotIssued::Fault(_) | NotIssued::Outdated(_) => None,
            NotIssued::Code(wanted) => (terms.asking == Asking::Never)
                .then(|| format!("an MFA code of {} is needed: `sekisho login`", wanted.user)),
            NotIssued::SignIn(_) => (terms.asking == Asking::Never)
                .then(|| "a console sign-in is needed: `sekisho login`".into()),
            NotIssued::Passphrase(_) => (terms.asking == Asking::Never).then(|| {
                "the passphrase of the access key's file is needed: `sekisho login`".into()
            }),
        }
    }

    /// Gets the auth session now, so that later requests need no code. Returns when it, or the console sign-in, ends, UTC. An agent gets it for
    /// targets of which it has that much, or for none.
    pub async fn sign_in(
        &self,
        agents: Option<Allowance>,
        code: Option<&(MfaSerial, MfaCode)>,
        asking: Asking,
    ) -> Result<Timestamp, NotIssued> {
        let asking = self.asking(asking, agents.unwrap_or(self.agents));
        let who = self.who(asking).await?;
        let session = self.auth_session(&who, code, asking, Timestamp::MIN).await?;
        self.held_prompt.take();
        Ok(self.login_ends().unwrap_or(session.credentials.expires))
    }

    /// The access key, for verbs that are about the key itself.
    pub async fn access_key(&self) -> Result<Rc<AccessKey>, NotIssued> {
        self.key().await
    }

    /// An unused code for a verb that sends it itself: `mfa_command`'s, otherwise the user must be asked.
    pub async fn fresh_code(
        &self,
        given: Option<&(MfaSerial, MfaCode)>,
        life: Duration,
    ) -> Result<(MfaSerial, MfaCode), NotIssued> {
        let asking = self.asking(Asking::Allowed, self.agents);
        let who = self.who(asking).await?;
        let (who, flow, note) = match who.source {
            Source::Key(_) => (who, Flow::Shared, None),
            Source::Login(_) => {
                (self.with_code_devices(&who).await?, Flow::Direct, Some(login::TRIED))
            }
        };
        let want = CodeRequest {
            who: &who,
            flow,
            until: (self.clock)() + SignedDuration::try_from(life).unwrap_or_default(),
            note,
        };
        self.code(&want, given, asking).await
    }

    /// An auth session whose MFA is at most `age` old: AWS policies may require that for changing one's own key.
    pub async fn fresh_session(
        &self,
        age: SignedDuration,
        code: Option<&(MfaSerial, MfaCode)>,
        asking: Asking,
    ) -> Result<Credentials, NotIssued> {
        let asking = self.asking(asking, self.agents);
        let who = self.who(asking).await?;
        let since = (self.clock)().checked_sub(age).unwrap_or(Timestamp::MIN);
        let session = self.auth_session(&who, code, asking, since).await?;
        self.held_prompt.take();
        Ok(session.credentials)
    }

    /// Reads the access key now, so that a sealed file's passphrase is asked for here and not later.
    pub async fn unlock(&self) -> Result<(), NotIssued> {
        self.key().await.map(drop)
    }

    /// The accounts of the auth account's organization, listed with the auth session.
    pub async fn members(
        &self,
        selection: &Selection,
        code: Option<&(MfaSerial, MfaCode)>,
        asking: Asking,
    ) -> Result<Vec<Member>, NotIssued> {
        let asking = self.asking(asking, self.agents);
        let who = self.who(asking).await?;
        let session = self.auth_session(&who, code, asking, Timestamp::MIN).await?;
        self.held_prompt.take();
        let signer = Signer::Session(&session.credentials);
        Ok(self.aws()?.members(signer, selection).await?)
    }

    /// The accounts of the organization that a pass leads into.
    pub async fn members_through(
        &self,
        pass: &Pass,
        selection: &Selection,
    ) -> Result<Vec<Member>, Fault> {
        let signer = Signer::Session(&pass.credentials);
        self.aws()?.members(signer, selection).await
    }

    /// Starts to open the connection that the next request will need, while a person types. Nothing is sent.
    pub fn open_line(&self) {
        if let Ok(aws) = self.aws() {
            aws.open_line();
        }
    }

    /// Wipes the access key and releases the prompt lock: this process holds neither while a child runs or the
    /// switcher waits for a key.
    pub fn release_secrets(&self) {
        self.key.take();
        self.aws.take(); // its connections keep AWS's last answers
        self.held_prompt.take();
    }

    /// The vault, for verbs that inspect or empty it.
    pub fn vault(&self) -> &Vault {
        &self.vault
    }

    /// Records a new role session in the diary; returns a notice for the user where that fails.
    fn note(&self, origin: &RoleOrigin) -> Option<String> {
        let agent = self.driver.agent().map(|agent| &*agent.name);
        let diary = self.diary.as_ref()?;
        let noted = diary.note(&origin.target, origin.flow, agent, (self.clock)());
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

    /// The connections to AWS, for whoever makes many requests: they stay open as long as this is held.
    pub fn connections(&self) -> Result<Rc<Aws>, Fault> {
        self.aws()
    }

    fn aws(&self) -> Result<Rc<Aws>, Fault> {
        if let Some(aws) = self.aws.borrow().as_ref() {
            return Ok(Rc::clone(aws));
        }
        let lent = self.lent.borrow().upgrade();
        let aws = lent.map_or_else(|| Aws::new(&self.auth).map(Rc::new), Ok)?;
        *self.aws.borrow_mut() = Some(Rc::clone(&aws));
        *self.lent.borrow_mut() = Rc::downgrade(&aws);
        Ok(aws)
    }
}
