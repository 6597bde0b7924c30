//! `key rotate`: a new key for an old one, step by step as `domain/rotation.rs` defines, each step stored before
//! the next. Killed anywhere, the same command goes on.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

use crate::cli::context::Context;
use crate::cli::prompt::{self, Codes};
use crate::cli::runtime::block_on;
use crate::cli::wording;
use crate::domain::fault::{Exit, Fault};
use crate::domain::ids::AccessKeyId;
use crate::domain::rotation::{Done, Stage, Step, next, record};
use crate::domain::rotation::{KeyEntry, StoredKey};
use crate::domain::secret::Credentials;
use crate::services::aws::{Aws, Doing, Failure, FailureKind, Signer};
use crate::services::session::access_key::{KeyStore, is_stored, nothing_stored, owner};
use crate::services::store::access_keys::KeyHome;

/// The guardrails let one's own key be changed for 15 min after a code; this leaves time to act.
const FRESH: SignedDuration = SignedDuration::from_mins(10);

/// How long IAM may take to know a new key everywhere. Usually seconds.
const PATIENCE: Duration = Duration::from_mins(1);

/// Rotates the stored key, or goes on with a rotation.
pub fn run(context: &Context, finish: bool, yes: bool) -> Result<Exit, Fault> {
    let key_store = context.key_store();
    block_on(async { Rotation::open(context, &key_store).await?.run(finish, yes).await })
}

/// A rotation of the stored key, under way or not.
pub(super) struct Rotation<'a> {
    context: &'a Context,
    aws: Aws,
    key_store: &'a KeyStore,
    home: &'a KeyHome,
    entry: KeyEntry,
    /// An auth session young enough to change keys with.
    session: Option<Credentials>,
    codes: Codes,
}

impl<'a> Rotation<'a> {
    /// Reads what is stored.
    pub(super) async fn open(context: &'a Context, key_store: &'a KeyStore) -> Result<Self, Fault> {
        let auth = &context.config().auth;
        if !is_stored(auth) {
            return Err(Fault::new(Exit::Usage, "the access key is not in the store")
                .because(format!("the config takes it from {}", wording::key_source(&auth.key)))
                .fix("put it there first: `sekisho key add` or `sekisho key import`, and `auth.key: auto`")
                .fix("or rotate it where it lives"));
        }
        let found = key_store.find(context.interaction()).await;
        let found = found.map_err(|error| key_store.unfound(auth, &error))?;
        let (home, entry) = found.ok_or_else(|| nothing_stored(auth))?;
        let aws = Aws::new(auth)?;
        Ok(Self { context, aws, key_store, home, entry, session: None, codes: context.codes() })
    }

    /// The key in use.
    pub(super) fn current(&self) -> Option<AccessKeyId> {
        self.entry.current.as_ref().map(|stored| stored.key.id.clone())
    }

    /// Whether a key is stored, in use or not.
    pub(super) fn holds(&self, id: &AccessKeyId) -> bool {
        self.stored(id).is_some()
    }

    /// When a stored key was made.
    pub(super) fn created(&self, id: &AccessKeyId) -> Option<Timestamp> {
        self.stored(id).map(|stored| stored.created)
    }

    fn stored(&self, id: &AccessKeyId) -> Option<&StoredKey> {
        let mut both = self.entry.current.iter().chain(&self.entry.spare);
        both.find(|stored| stored.key.id == *id)
    }

    /// The user's name, as AWS knows it.
    pub(super) async fn user(&self) -> String {
        let configured = self.context.config().auth.user.as_ref().map(ToString::to_string);
        if let (None, Some(current)) = (&configured, &self.entry.current) {
            let caller = self.aws.caller_identity(Signer::Key(&current.key)).await;
            if let Some(user) = caller.ok().and_then(|caller| caller.user) {
                return user.to_string();
            }
        }
        configured.unwrap_or_else(|| "USER".into())
    }

    /// Makes a new key, proves it and deactivates the leaked one, which stays stored until it is deleted.
    pub(super) async fn replace(&mut self, leaked: &AccessKeyId, yes: bool) -> Result<(), Fault> {
        loop {
            match self.next_step().await? {
                Step::Delete(id) if id == *leaked => return Ok(()),
                // The old key of an earlier rotation, inactive already, takes the new key's place.
                Step::Delete(id) => {
                    self.delete(&id).await?;
                    self.save(Done::Deleted)?;
                }
                // Somebody deleted it.
                Step::Create if !self.holds(leaked) => return Ok(()),
                Step::Forget => self.save(Done::Deleted)?,
                step => self.advance(step, yes).await?,
            }
        }
    }

    /// Waits until AWS refuses a stored key.
    pub(super) async fn prove_dead(&self, id: &AccessKeyId) -> Result<(), Fault> {
        let Some(stored) = self.stored(id) else {
            return Ok(());
        };
        let since = Instant::now();
        loop {
            match self.aws.caller_identity(Signer::Key(&stored.key)).await {
                Err(failure) if failure.kind == FailureKind::Unknown => return Ok(()),
                Err(failure) if since.elapsed() > PATIENCE => {
                    return Err(failure.fault(Doing::Asking));
                }
                Ok(_) if since.elapsed() > PATIENCE => {
                    return Err(Fault::new(Exit::Fault, format!("AWS still accepts {id}"))
                        .because(
                            "it was deactivated, and IAM may take a while to apply that everywhere",
                        )
                        .fix("run `sekisho key leaked` again in a minute"));
                }
                _ => tokio::time::sleep(Duration::from_secs(1)).await,
            }
        }
    }

    async fn next_step(&mut self) -> Result<Step, Fault> {
        if let (Some(Stage::Deactivated | Stage::ReadyToDelete), Some(old)) =
            (self.entry.stage, &self.entry.spare)
        {
            self.context.broker().forget_key(&old.key.id);
        }
        let listed = self.iam(async |aws, signer| aws.access_keys(signer).await).await?;
        let step = next(&self.entry, &listed).map_err(|hindrance| hindrance.fault())?;
        self.context.out.debug(&format!("rotation: {step:?}"));
        Ok(step)
    }

    async fn run(mut self, finish: bool, yes: bool) -> Result<Exit, Fault> {
        let out = self.context.out;
        loop {
            let step = self.next_step().await?;
            match step {
                Step::Create if finish && self.entry.stage.is_none() => {
                    return Err(Fault::new(Exit::Usage, "there is no rotation to finish")
                        .fix("start one: sekisho key rotate"));
                }
                Step::Delete(id) => {
                    if !finish && !yes && !prompt::offer(&format!("delete the old key {id} now?")) {
                        out.info(&format!("{id} can still be reactivated in the IAM console; to delete it: sekisho key rotate --finish"));
                        return Ok(Exit::Done);
                    }
                    self.delete(&id).await?;
                    self.save(Done::Deleted)?;
                    out.info(&format!("{id} is deleted; the rotation is complete"));
                    return Ok(Exit::Done);
                }
                Step::Forget => {
                    let done =
                        !matches!(self.entry.stage, Some(Stage::Creating { .. } | Stage::Created));
                    let gone = self.entry.spare.as_ref().map(|gone| gone.key.id.clone());
                    self.save(Done::Deleted)?;
                    if let Some(gone) = gone {
                        self.context.broker().forget_key(&gone);
                        out.info(&format!("{gone} no longer exists at AWS"));
                    }
                    if done {
                        out.info("the rotation is complete");
                        return Ok(Exit::Done);
                    }
                }
                step => self.advance(step, yes).await?,
            }
        }
    }

    /// Does a step that neither ends a rotation nor deletes the old key.
    async fn advance(&mut self, step: Step, yes: bool) -> Result<(), Fault> {
        let out = self.context.out;
        match step {
            Step::Create => self.create().await?,
            Step::DeleteLost(id) => {
                out.info(&format!(
                    "the last rotation was interrupted while AWS created {id}: its secret is lost"
                ));
                if !yes {
                    prompt::confirm(&format!("delete {id} and create another?"))?;
                }
                self.delete(&id).await?;
            }
            Step::ProveNew => {
                self.prove(self.entry.spare.as_ref()).await?;
                self.save(Done::Proved)?;
                let new = self.entry.current.as_ref().map(|new| &new.key.id);
                if let Some(new) = new {
                    out.info(&format!("{new} works and is now the key in use"));
                }
            }
            Step::Deactivate(id) => {
                let call = async |aws: &Aws, signer: Signer<'_>| {
                    aws.deactivate_access_key(signer, &id).await
                };
                self.iam(call).await?;
                self.save(Done::Deactivated)?;
                out.info(&format!("{id} is inactive at AWS; its cached sessions are deleted"));
            }
            Step::ReverifyNewKey => {
                self.prove(self.entry.current.as_ref()).await?;
                self.save(Done::Proved)?;
            }
            Step::GoBack => {
                self.save(Done::WentBack)?;
                out.warn(
                    "somebody deleted or deactivated the new key: the old one is in use again",
                );
            }
            Step::Delete(_) | Step::Forget => {} // the callers' own
        }
        Ok(())
    }

    async fn create(&mut self) -> Result<(), Fault> {
        self.save(Done::Intended(Timestamp::now()))?;
        let made = self.iam(async |aws, signer| aws.create_access_key(signer).await).await?;
        let id = made.key.id.clone();
        self.save(Done::Created(made))?;
        self.context.out.info(&format!("AWS created {id}; it is stored next to the old one"));
        Ok(())
    }

    async fn delete(&mut self, id: &AccessKeyId) -> Result<(), Fault> {
        self.iam(async |aws, signer| aws.delete_access_key(signer, id).await).await
    }

    /// Waits until AWS knows a key.
    async fn prove(&self, stored: Option<&StoredKey>) -> Result<(), Fault> {
        let auth = &self.context.config().auth;
        let key = &stored.ok_or_else(|| nothing_stored(auth))?.key;
        let since = Instant::now();
        let mut pause = Duration::from_millis(250);
        loop {
            match self.aws.caller_identity(Signer::Key(key)).await {
                Ok(caller) => return owner(auth, &key.id, &caller).map(drop),
                Err(failure)
                    if failure.kind == FailureKind::Unknown && since.elapsed() < PATIENCE =>
                {
                    self.context.out.debug("AWS does not know the new key yet");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_secs(5));
                }
                Err(failure) => {
                    return Err(failure
                        .fault(Doing::Asking)
                        .fix("nothing is lost: `sekisho key rotate` resumes here"));
                }
            }
        }
    }

    fn save(&mut self, done: Done) -> Result<(), Fault> {
        record(&mut self.entry, done);
        self.key_store.save(self.home, &self.entry, self.context.interaction())
    }

    /// A call to IAM, with a fresh code behind it: once more with another one, where AWS does not take the
    /// session, as when its key is inactive by now.
    async fn iam<T>(
        &mut self,
        call: impl AsyncFn(&Aws, Signer<'_>) -> Result<T, Failure>,
    ) -> Result<T, Fault> {
        let session = match self.session.take() {
            Some(session) => session,
            None => self.sign_in().await?,
        };
        let first = call(&self.aws, Signer::Session(&session)).await;
        let (answer, session) = match first {
            Err(failure) if matches!(failure.kind, FailureKind::Unknown | FailureKind::Expired) => {
                self.context.broker().sign_out();
                let session = self.sign_in().await?;
                (call(&self.aws, Signer::Session(&session)).await, session)
            }
            answer => (answer, session),
        };
        self.session = Some(session);
        answer.map_err(|failure| failure.fault(Doing::Asking))
    }

    async fn sign_in(&mut self) -> Result<Credentials, Fault> {
        let purpose = "to rotate the access key";
        prompt::fresh_session(self.context.broker(), FRESH, purpose, &mut self.codes).await
    }
}
