//! Sessions of a console sign-in (`auth.key: login`, or a profile with `login_session`): keys of a quarter of an hour in the
//! auth session's place, renewed for half a day, and role sessions through them.
//!
//! Whether such keys carry MFA into a trust policy, AWS does not say: every role is tried without a code first.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::domain::account::Target;
use crate::domain::config::KeySource;
use crate::domain::fault::{Exit, Fault};
use crate::domain::flow::Flow;
use crate::domain::ids::{MfaSerial, SessionName, UserArn};
use crate::domain::pass::{Asking, NotIssued, Request};
use crate::domain::secret::{Credentials, MfaCode, Secret};
use crate::services::aws::{self, Doing, FailureKind, SharedFiles, Signer};
use crate::services::config::paths::{Ids, Paths};
use crate::services::login::cli_cache::CliLogin;
use crate::services::login::record::Login;
use crate::services::login::{self, Elsewhere, Unchecked};
use crate::services::session::sessions::{
    self, AuthOrigin, CachedSession, RoleOrigin, Source, Who,
};
use crate::services::store::files::{Dir, FileError};
use crate::services::store::lock::{LockHolder, PromptGuard, PromptLock, WaitOutcome};
use crate::services::store::record::RecordKind;
use crate::services::store::vault::Epoch;

use super::Broker;
use super::asking::{CodeRequest, Prompt};

/// When keys are renewed: AWS's own clients do it here, too.
const MARGIN: SignedDuration = SignedDuration::from_mins(5);
/// The least that must be left of keys that could not be renewed.
const LEAST: SignedDuration = SignedDuration::from_secs(30);
/// How long another process's renewal is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

const LOCK: &str = "login.lock";
const PAUSE: Duration = Duration::from_millis(50);

/// What a code is for where a trust policy wants one.
const PER_ROLE: &str = "this role wants MFA, which a console sign-in does not prove to it: a code for each role, and each hour";

/// The same where a role has just refused the sign-in alone.
pub(super) const TRIED: &str =
    "the role refused the console sign-in without a code; the code is for trying again";

/// Why there are no keys.
enum NoKeys {
    /// Somebody has to sign in.
    SignIn(Option<Fault>),
    /// It failed.
    Fault(Fault),
}

impl From<FileError> for NoKeys {
    fn from(error: FileError) -> Self {
        Self::Fault(error.fault("the console sign-in cannot be renewed"))
    }
}

impl Broker {
    /// Whether sessions come from a console sign-in, sekisho's own or that of AWS's client.
    pub fn has_login(&self) -> Result<bool, Fault> {
        Ok(self.auth.key == KeySource::Login || self.cli_login()?.is_some())
    }

    /// The same for whoever asks often: the profile is looked at once.
    pub(super) fn is_signed_in(&self) -> bool {
        *self.signed_in.get_or_init(|| self.has_login().unwrap_or(false))
    }

    /// When sekisho's own console sign-in ends at the latest, UTC.
    pub fn login_ends(&self) -> Option<Timestamp> {
        let is_ours = self.auth.key == KeySource::Login;
        is_ours.then(|| Login::get(&self.vault, &self.auth, (self.clock)()))?.map(|it| it.ends())
    }

    /// Keys of the console sign-in, renewed where they have to be. Nobody is asked to sign in.
    pub async fn session_without_asking(&self) -> Result<Credentials, NotIssued> {
        let who = self.who_signed_in(Asking::Never).await?.ok_or(NotIssued::SignIn(None))?;
        Ok(self.login_keys(&who, Asking::Never).await?.credentials)
    }

    /// Begins a sign-in by a browser on another machine.
    pub fn sign_in_elsewhere(&self) -> Result<Elsewhere, Fault> {
        Elsewhere::begin(&*self.aws()?, &self.auth)
    }

    /// Ends it with what was pasted. Returns when the sign-in ends at the latest, UTC.
    pub async fn pasted(&self, begun: Elsewhere, pasted: &Secret) -> Result<Timestamp, Fault> {
        let epoch = self.vault.epoch();
        let unchecked = begun.finish(&*self.aws()?, pasted).await?;
        self.keep(unchecked, epoch).await?;
        Ok(self.login_ends().unwrap_or_else(|| (self.clock)()))
    }

    /// The sign-in of AWS's client that the config's profile names; `None` where it names a key, or nothing.
    fn cli_login(&self) -> Result<Option<CliLogin>, Fault> {
        let KeySource::Profile(profile) = &self.auth.key else { return Ok(None) };
        let Some(session) = aws::login_session(profile, &SharedFiles::current()?) else {
            return Ok(None);
        };
        let home = Paths::find(|name| std::env::var_os(name), Ids::current())?.home;
        Ok(Some(CliLogin { profile: profile.clone(), session, home }))
    }

    /// Who signed in; where nobody has, somebody must. `None` where the config names a key.
    pub(super) async fn who_signed_in(&self, asking: Asking) -> Result<Option<Who>, NotIssued> {
        if let Some(login) = self.cli_login()? {
            let user = login::owner(&self.auth, None, login.session.trim())?;
            return Ok(Some(self.signed_in_as(&user)));
        }
        if self.auth.key != KeySource::Login {
            return Ok(None);
        }
        if let Some(known) = self.known() {
            return Ok(Some(known));
        }
        let kept = || Login::get(&self.vault, &self.auth, (self.clock)()).map(|login| login.user);
        if kept().is_none() {
            self.sign_in_at_console(None, asking).await?;
        }
        let user = kept().ok_or_else(forgotten)?;
        Ok(Some(self.signed_in_as(&user)))
    }

    /// What is remembered of a user who signed in: devices that are known already stay so.
    fn signed_in_as(&self, user: &UserArn) -> Who {
        let source = Source::Login(user.clone());
        if let Some(known) = self.known().filter(|known| known.source == source) {
            return known;
        }
        let who = Who { source, user: user.user().clone(), devices: self.configured_devices() };
        self.facts.remember(&sessions::who_id(&self.auth), &who, (self.clock)());
        who
    }

    /// Keys of the console sign-in: those that live, else renewed, else somebody signs in.
    pub(super) async fn login_keys(
        &self,
        who: &Who,
        asking: Asking,
    ) -> Result<CachedSession<AuthOrigin>, NotIssued> {
        if let Some(login) = self.cli_login()? {
            let now = (self.clock)();
            let origin = login_origin(who, "aws login", now);
            return Ok(CachedSession { credentials: login.keys(now)?, origin });
        }
        if let Some(keys) = self.kept_keys(who, MARGIN) {
            return Ok(keys);
        }
        match self.renewed_keys(who).await {
            Ok(keys) => Ok(keys),
            Err(NoKeys::Fault(fault)) => Err(fault.into()),
            Err(NoKeys::SignIn(why)) => self.sign_in_at_console(why, asking).await,
        }
    }

    fn kept_keys(&self, who: &Who, spare: SignedDuration) -> Option<CachedSession<AuthOrigin>> {
        let id = sessions::auth_id(&self.auth, &who.source, None);
        sessions::get(&self.vault, &id, (self.clock)() + spare)
    }

    /// Renews the keys, in one process at a time. The next refresh token is stored before the new keys are used.
    async fn renewed_keys(&self, who: &Who) -> Result<CachedSession<AuthOrigin>, NoKeys> {
        let begun = self.vault.epoch();
        let dir = Dir::create(&self.shared)?;
        let since = std::time::Instant::now();
        let _held = loop {
            if let Some(lock) = dir.try_lock(LOCK)? {
                break lock;
            }
            if since.elapsed() > PATIENCE {
                return Err(NoKeys::Fault(
                    Fault::new(Exit::Fault, "the console sign-in could not be renewed")
                        .because("another sekisho has been renewing it for half a minute")
                        .fix("try again"),
                ));
            }
            tokio::time::sleep(PAUSE).await;
        };
        if let Some(keys) = self.kept_keys(who, MARGIN) {
            return Ok(keys);
        }
        let Some(login) = Login::get(&self.vault, &self.auth, (self.clock)()) else {
            return Err(NoKeys::SignIn(None));
        };
        let aws = self.aws().map_err(NoKeys::Fault)?;
        let site = aws.sign_in_site(&login.region).map_err(NoKeys::Fault)?;
        match login::renew(&aws, &site, &login).await {
            Ok((refresh, keys)) => {
                let login = Login { refresh, ..login };
                // Forgetting a role ends the epoch, too, and must not lose the next refresh token.
                let epoch = self.vault.epoch();
                let is_kept = Login::get(&self.vault, &self.auth, (self.clock)()).is_some();
                Ok(self.keep_keys(&login, keys, who, if is_kept { epoch } else { begun }))
            }
            Err(failure) => {
                let fault = failure.fault(Doing::ConsoleSignIn);
                match failure.kind {
                    FailureKind::SignInOver => {
                        Login::forget(&self.vault, &self.auth);
                        Err(NoKeys::SignIn(Some(fault)))
                    }
                    FailureKind::SignInRefused => Err(NoKeys::SignIn(Some(fault))),
                    _ => self.kept_keys(who, LEAST).ok_or(NoKeys::Fault(fault)),
                }
            }
        }
    }

    /// Stores a sign-in, then the keys that came with it.
    fn keep_keys(
        &self,
        login: &Login,
        credentials: Credentials,
        who: &Who,
        begun: Epoch,
    ) -> CachedSession<AuthOrigin> {
        let now = (self.clock)();
        login.put(&self.vault, begun, &self.auth, now);
        let origin = login_origin(who, "console sign-in", login.since);
        let session = CachedSession { credentials, origin };
        let id = sessions::auth_id(&self.auth, &who.source, None);
        sessions::put(&self.vault, begun, &id, &session, now);
        session
    }

    /// Checks whose a sign-in is, and keeps it.
    async fn keep(
        &self,
        unchecked: Unchecked,
        begun: Epoch,
    ) -> Result<CachedSession<AuthOrigin>, Fault> {
        let before = self.remembered.as_ref().and_then(|it| it.user(&self.auth));
        let (login, keys) = unchecked.checked(&*self.aws()?, &self.auth, before.as_ref()).await?;
        if let Some(remembered) = &self.remembered {
            // Where it fails, the next sign-in counts as the first.
            let _ = remembered.remember(&self.auth, login.user.user());
        }
        let who = self.signed_in_as(&login.user);
        let session = self.keep_keys(&login, keys, &who, begun);
        self.vault.purge((self.clock)());
        Ok(session)
    }

    /// Has somebody sign in in the browser, where there is one to ask: in one process at a time, as one prompt for a code.
    async fn sign_in_at_console(
        &self,
        why: Option<Fault>,
        asking: Asking,
    ) -> Result<CachedSession<AuthOrigin>, NotIssued> {
        // For an agent that has less than everything no browser is opened: one that is signed in needs no person.
        if asking != Asking::Allowed || !self.interaction.is_available() {
            return Err(NotIssued::SignIn(why));
        }
        if let Some(why) = why {
            self.interaction.notify(&why.in_a_line());
        }
        self.open_browser().await
    }

    /// Has somebody sign in in the browser now. Returns when that ends at the latest, UTC.
    pub async fn sign_in_here(&self) -> Result<Timestamp, NotIssued> {
        if self.asking(Asking::Allowed, self.agents) != Asking::Allowed {
            let fault = Fault::new(Exit::NeedsPerson, "no browser is opened for an AI agent");
            return Err(fault
                .because("the config limits what agents get, and a browser that is already signed in would not ask you")
                .fix("sign in yourself: `sekisho login` in a terminal without the agent")
                .into());
        }
        self.open_browser().await?;
        Ok(self.login_ends().unwrap_or_else(|| (self.clock)()))
    }

    async fn open_browser(&self) -> Result<CachedSession<AuthOrigin>, NotIssued> {
        let launcher = self.browser.as_ref().ok_or(NotIssued::SignIn(None))?;
        let begun = self.vault.epoch();
        let (lock, held) = match self.await_sign_in().await {
            Ok(WaitOutcome::Found(keys)) => return Ok(keys),
            Ok(WaitOutcome::Acquired(held)) => held,
            Err(error) => return Err(error.fault("nobody can sign in").into()),
        };
        let aws = self.aws()?;
        let notify = |line: &str| self.interaction.notify(line);
        let unchecked = tokio::select! {
            unchecked = Box::pin(login::through_browser(&aws, &self.auth, launcher, &notify)) => unchecked?,
            keys = self.signed_in_elsewhere(&lock, &held) => return keys,
        };
        Ok(self.keep(unchecked, begun).await?)
    }

    /// Waits until this process may open the browser, or another one has signed in.
    async fn await_sign_in(
        &self,
    ) -> Result<WaitOutcome<CachedSession<AuthOrigin>, (PromptLock, PromptGuard)>, FileError> {
        let lock = PromptLock::new(&self.shared, &sessions::who_id(&self.auth))?;
        let mut reported = None;
        let on_holder =
            |holder: &LockHolder| self.report_holder(holder, Prompt::SignIn, &mut reported);
        let outcome = lock.wait(&self.verb, self.clock, || self.new_keys(), on_holder).await?;
        Ok(match outcome {
            WaitOutcome::Found(keys) => WaitOutcome::Found(keys),
            WaitOutcome::Acquired(held) => WaitOutcome::Acquired((lock, held)),
        })
    }

    /// The keys of a sign-in that another process has just kept.
    fn new_keys(&self) -> Option<CachedSession<AuthOrigin>> {
        let login = Login::get(&self.vault, &self.auth, (self.clock)())?;
        let who = self.signed_in_as(&login.user);
        self.kept_keys(&who, MARGIN)
    }

    /// Ends where another process has signed in, or has taken the browser over.
    async fn signed_in_elsewhere(
        &self,
        lock: &PromptLock,
        held: &PromptGuard,
    ) -> Result<CachedSession<AuthOrigin>, NotIssued> {
        loop {
            tokio::time::sleep(PAUSE * 5).await;
            if let Some(keys) = self.new_keys() {
                return Ok(keys);
            }
            if lock.superseded_by(held).is_ok_and(|holder| holder.is_some()) {
                return Err(Fault::new(Exit::Fault, "another sekisho process is signing in")
                    .because("the browser was opened again there")
                    .fix("finish that one, then try again")
                    .into());
            }
        }
    }

    /// A role session through the console sign-in: without a code, and where AWS refuses that, with one. Then the device
    /// that generated it is returned, too.
    pub(super) async fn enter_signed_in(
        &self,
        who: &Who,
        target: &Target,
        name: &SessionName,
        request: &Request,
    ) -> Result<(CachedSession<RoleOrigin>, Option<MfaSerial>), NotIssued> {
        let asking = self.asking(request.terms.asking, target.agents);
        let until = (self.clock)() + SignedDuration::try_from(target.duration).unwrap_or_default();
        let mut keys = self.login_keys(who, asking).await?;
        let mut tried_again = false;
        let denied = loop {
            if request.code.is_some() {
                break None;
            }
            let signer = Signer::Session(&keys.credentials);
            let answer = self.aws()?.assume_role(signer, target, target.duration, name, None).await;
            match answer.and_then(|received| received.checked((self.clock)())) {
                Ok(credentials) => {
                    let origin = self.origin(who, target, Flow::Shared);
                    return Ok((CachedSession { credentials, origin }, None));
                }
                Err(failure)
                    if matches!(failure.kind, FailureKind::Expired | FailureKind::Unknown)
                        && !tried_again =>
                {
                    self.forget_keys(who);
                    keys = self.login_keys(who, asking).await?;
                    tried_again = true;
                }
                Err(failure)
                    if matches!(failure.kind, FailureKind::Denied | FailureKind::IdentityDeny) =>
                {
                    break Some(failure);
                }
                Err(failure) => {
                    return Err(failure.fault(Doing::Entering(target, Flow::Shared)).into());
                }
            }
        };
        let who = self.with_devices(who, &keys.credentials).await;
        let want = CodeRequest { who: &who, flow: Flow::Direct, until, note: Some(PER_ROLE) };
        if let Some(failure) = &denied
            && who.devices.is_empty()
        {
            return Err(
                without_a_device(failure.fault(Doing::Entering(target, Flow::Shared))).into()
            );
        }
        let code = self.code(&want, request.code.as_ref(), asking).await?;
        self.enter_with_code(&want, target, name, &keys.credentials, code).await
    }

    async fn enter_with_code(
        &self,
        want: &CodeRequest<'_>,
        target: &Target,
        name: &SessionName,
        keys: &Credentials,
        code: (MfaSerial, MfaCode),
    ) -> Result<(CachedSession<RoleOrigin>, Option<MfaSerial>), NotIssued> {
        let sent = Some((&code.0, &code.1));
        let signer = Signer::Session(keys);
        let answer = self.aws()?.assume_role(signer, target, target.duration, name, sent).await;
        let credentials =
            answer.and_then(|received| received.checked((self.clock)())).map_err(|failure| {
                self.refuse_code(want, &failure, Doing::Entering(target, Flow::Shared), &code)
            })?;
        self.prefer(want.who, &code.0);
        let origin = self.origin(want.who, target, Flow::Direct);
        Ok((CachedSession { credentials, origin }, Some(code.0)))
    }

    /// The same user with the devices that generate codes, as far as AWS tells them.
    async fn with_devices(&self, who: &Who, keys: &Credentials) -> Who {
        if !who.devices.is_empty() {
            return who.clone();
        }
        let Ok(aws) = self.aws() else { return who.clone() };
        let serials = aws.mfa_devices(Signer::Session(keys), &who.user).await.unwrap_or_default();
        let devices: Vec<_> = serials
            .iter()
            .filter_map(|serial| serial.parse::<MfaSerial>().ok())
            .map(|serial| (serial.clone(), serial.short().to_owned()))
            .collect();
        let who = Who { devices, ..who.clone() };
        self.facts.remember(&sessions::who_id(&self.auth), &who, (self.clock)());
        who
    }

    /// The same, where a code is to be had: fails where no device makes any.
    pub(super) async fn with_code_devices(&self, who: &Who) -> Result<Who, NotIssued> {
        let keys = self.login_keys(who, Asking::Never).await?.credentials;
        let who = self.with_devices(who, &keys).await;
        if who.devices.is_empty() {
            let fault = Fault::new(
                Exit::NeedsPerson,
                "no device of yours is known that generates six-digit codes",
            );
            return Err(fault
                .because("AWS lists none for you, and does not accept passkeys here")
                .fix("register an authenticator app beside the passkey, or name the device in `auth.mfa`")
                .into());
        }
        Ok(who)
    }

    /// Forgets keys that AWS no longer takes. The sign-in stays.
    fn forget_keys(&self, who: &Who) {
        let id = sessions::auth_id(&self.auth, &who.source, None);
        let _ = self.vault.remove(RecordKind::AuthSession, &id);
    }
}

/// The origin of keys; `how` stands where a device would.
fn login_origin(who: &Who, how: &str, obtained: Timestamp) -> AuthOrigin {
    AuthOrigin {
        source: who.source.clone(),
        user: who.user.clone(),
        serial: None,
        device: how.to_owned(),
        obtained,
    }
}

/// The fault of a role that nobody without a code device can enter.
fn without_a_device(mut fault: Fault) -> Fault {
    fault.why.insert(
        0,
        "the role requires MFA, which a console sign-in may not prove, and no device of yours is known that generates six-digit codes: AWS does not accept passkeys here".into(),
    );
    fault
        .fix("register an authenticator app beside the passkey, or have the role's trust policy drop the MFA condition for you")
        .fix("if you have one that AWS does not list for you, name it in `auth.mfa`")
}

fn forgotten() -> Fault {
    Fault::new(Exit::Fault, "the console sign-in was deleted")
        .because("`sekisho logout` ran in the meantime")
        .fix("sign in again: `sekisho login`")
}
