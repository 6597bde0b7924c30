//! Whose key or sign-in it is, which devices generate codes, and the key itself: each read or asked for once.

use std::rc::Rc;

use crate::domain::config::{KeySource, MfaDevice};
use crate::domain::fault::{Exit, Fault};
use crate::domain::ids::{AccessKeyId, MfaSerial, UserName};
use crate::domain::pass::{Asking, NotIssued};
use crate::domain::secret::{AccessKey, Secret};
use crate::services::aws::{self, Doing, FailureKind, Signer};
use crate::services::session::access_key::{self, owner};
use crate::services::session::sessions::{self, Source, Who};

use super::Broker;

impl Broker {
    /// Who gets the sessions: from the config or from what was learned before, otherwise from AWS. With a console sign-in
    /// somebody may have to sign in for that.
    pub(super) async fn who(&self, asking: Asking) -> Result<Who, NotIssued> {
        if let Some(who) = Box::pin(self.who_signed_in(asking)).await? {
            return Ok(who);
        }
        let known = self.known();
        let key_id = self.key_id(known.as_ref()).await?;
        if let Some(known) = known.filter(|known| known.source.key() == Some(&key_id)) {
            return Ok(known);
        }
        let user = match &self.auth.user {
            Some(user) => user.clone(),
            None => self.ask_user().await?,
        };
        let devices = if self.auth.mfa.is_empty() {
            self.ask_devices(&user).await?
        } else {
            self.configured_devices()
        };
        let who = Who { source: Source::Key(key_id), user, devices };
        let id = sessions::who_id(&self.auth);
        self.facts.remember(&id, &who, (self.clock)());
        Ok(who)
    }

    /// The devices that the config names: serial and label.
    pub(super) fn configured_devices(&self) -> Vec<(MfaSerial, String)> {
        let label = |d: &MfaDevice| d.label.clone().unwrap_or_else(|| d.serial.short().to_owned());
        self.auth.mfa.iter().map(|device| (device.serial.clone(), label(device))).collect()
    }

    pub(super) fn known(&self) -> Option<Who> {
        self.facts.recall(&sessions::who_id(&self.auth), (self.clock)())
    }

    /// Lists the device that generated the last accepted code first.
    pub(super) fn prefer(&self, who: &Who, serial: &MfaSerial) {
        let mut who = who.clone();
        who.devices.sort_by_key(|(other, _)| other != serial);
        let id = sessions::who_id(&self.auth);
        self.facts.remember(&id, &who, (self.clock)());
    }

    async fn ask_user(&self) -> Result<UserName, NotIssued> {
        let key = self.key().await?;
        let caller = self
            .aws()?
            .caller_identity(Signer::Key(&key))
            .await
            .map_err(|failure| failure.fault(Doing::Asking))?;
        Ok(owner(&self.auth, &key.id, &caller)?)
    }

    async fn ask_devices(&self, user: &UserName) -> Result<Vec<(MfaSerial, String)>, NotIssued> {
        let key = self.key().await?;
        let add = "name the device in the config: `auth: {mfa: [{serial: arn:aws:iam::…:mfa/…}]}`";
        let serials =
            self.aws()?.mfa_devices(Signer::Key(&key), user).await.map_err(|failure| {
                let fault = failure.fault(Doing::Asking);
                if matches!(failure.kind, FailureKind::Denied | FailureKind::IdentityDeny) {
                    Fault::new(Exit::Refused, "AWS does not let you list your MFA devices")
                        .because("your IAM user may not call iam:ListMFADevices with the bare key")
                        .fix(add)
                } else {
                    fault
                }
            })?;
        let (usable, refused): (Vec<_>, Vec<_>) =
            serials.iter().map(|serial| serial.parse::<MfaSerial>()).partition(Result::is_ok);
        let devices: Vec<_> = usable
            .into_iter()
            .flatten()
            .map(|serial| (serial.clone(), serial.short().to_owned()))
            .collect();
        if devices.is_empty() {
            let fault = Fault::new(
                Exit::Refused,
                format!("{user} has no MFA device that generates six-digit codes"),
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

    /// The key's id, without opening a keychain where it is known.
    async fn key_id(&self, known: Option<&Who>) -> Result<AccessKeyId, NotIssued> {
        if let Some(key) = self.key.borrow().as_ref() {
            return Ok(key.id.clone());
        }
        let known = known.and_then(|who| who.source.key());
        match (&self.auth.key, known) {
            // Such a key changes through sekisho only, which then forgets its owner.
            (
                KeySource::Auto | KeySource::Keyring | KeySource::File | KeySource::Command(_),
                Some(key),
            ) => Ok(key.clone()),
            // In a sekisho shell the environment holds a role session instead of the key; the auth session still works.
            (KeySource::Env, Some(known)) => {
                Ok(aws::from_environment().map_or_else(|_| known.clone(), |key| key.id.clone()))
            }
            _ => Ok(self.key().await?.id.clone()),
        }
    }

    /// The access key, read once and kept until `release_secrets`.
    pub(super) async fn key(&self) -> Result<Rc<AccessKey>, NotIssued> {
        self.key_opened_with(None).await
    }

    /// As `key`; `passphrase` opens a sealed file without a prompt.
    pub(super) async fn key_opened_with(
        &self,
        passphrase: Option<&Secret>,
    ) -> Result<Rc<AccessKey>, NotIssued> {
        if let Some(key) = self.key.borrow().as_ref() {
            return Ok(Rc::clone(key));
        }
        let interaction = self.interaction.as_ref();
        let key =
            access_key::load(&self.auth, self.store, &self.shared, interaction, passphrase).await?;
        let key = Rc::new(key);
        *self.key.borrow_mut() = Some(Rc::clone(&key));
        Ok(key)
    }
}
