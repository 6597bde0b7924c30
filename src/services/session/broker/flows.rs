//! The two ways from a key to a role session: through the auth session (shared), or with a code in the same call (direct).

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::domain::account::Target;
use crate::domain::flow::Flow;
use crate::domain::ids::{MfaSerial, SessionName};
use crate::domain::pass::{Asking, CodeRejection, CodeWanted, NotIssued, Request};
use crate::domain::secret::MfaCode;
use crate::services::aws::{Doing, FailureKind, Signer};
use crate::services::session::sessions::{
    self, AuthOrigin, CachedSession, RoleOrigin, Source, Who,
};
use crate::services::store::record::RecordKind;

use super::Broker;
use super::asking::CodeRequest;

impl Broker {
    /// The target with its duration lowered to the role's maximum, where that is known, or to what a console sign-in gives;
    /// and a notice if so.
    pub(super) fn within_maximum(&self, target: &Target) -> (Target, Vec<String>) {
        if target.duration > Flow::SHARED_MAX && self.is_signed_in() {
            let note =
                format!("a console sign-in gives sessions up to 1h: {target} is entered for 1h");
            return (Target { duration: Flow::SHARED_MAX, ..target.clone() }, vec![note]);
        }
        let id = sessions::maximum_id(&self.auth, target);
        let known = self.facts.recall::<u64>(&id, (self.clock)());
        match known {
            Some(most) if target.duration.as_secs() > most => {
                let note = format!("{target} allows sessions up to 1h; using the shared flow");
                let lowered = Target { duration: Duration::from_secs(most), ..target.clone() };
                (lowered, vec![note])
            }
            _ => (target.clone(), Vec::new()),
        }
    }

    /// A role session through the auth session, and the device that session was obtained with.
    pub(super) async fn enter_shared(
        &self,
        who: &Who,
        target: &Target,
        name: &SessionName,
        request: &Request,
    ) -> Result<(CachedSession<RoleOrigin>, Option<MfaSerial>), NotIssued> {
        let (code, asking) =
            (request.code.as_ref(), self.asking(request.terms.asking, target.agents));
        let mut tried_again = false;
        loop {
            let auth = self.auth_session(who, code, asking, Timestamp::MIN).await?;
            let signer = Signer::Session(&auth.credentials);
            let answer = self.aws()?.assume_role(signer, target, target.duration, name, None).await;
            match answer.and_then(|received| received.checked((self.clock)())) {
                Ok(credentials) => {
                    let origin = self.origin(who, target, Flow::Shared);
                    let session = CachedSession { credentials, origin };
                    return Ok((session, auth.origin.serial));
                }
                // The cached auth session is no longer valid at AWS: expired, or its key was replaced.
                Err(failure)
                    if matches!(failure.kind, FailureKind::Expired | FailureKind::Unknown)
                        && !tried_again =>
                {
                    let id =
                        sessions::auth_id(&self.auth, &who.source, auth.origin.serial.as_ref());
                    let _ = self.vault.remove(RecordKind::AuthSession, &id);
                    tried_again = true;
                }
                Err(failure) => {
                    return Err(failure.fault(Doing::Entering(target, Flow::Shared)).into());
                }
            }
        }
    }

    /// A role session by one call with the code in it, and the device that generated the code.
    pub(super) async fn enter_direct(
        &self,
        who: &Who,
        target: &Target,
        name: &SessionName,
        request: &Request,
        notes: &mut Vec<String>,
    ) -> Result<(CachedSession<RoleOrigin>, Option<MfaSerial>), NotIssued> {
        let now = (self.clock)();
        let want = CodeRequest {
            who,
            flow: Flow::Direct,
            until: now + SignedDuration::try_from(target.duration).unwrap_or_default(),
            note: None,
        };
        let asking = self.asking(request.terms.asking, target.agents);
        let (key, code) = self.key_and_code(&want, request.code.as_ref(), asking).await?;
        let answer = self
            .aws()?
            .assume_role(Signer::Key(&key), target, target.duration, name, Some((&code.0, &code.1)))
            .await;
        match answer.and_then(|received| received.checked((self.clock)())) {
            Ok(credentials) => {
                let origin = self.origin(who, target, Flow::Direct);
                let session = CachedSession { credentials, origin };
                Ok((session, Some(code.0)))
            }
            Err(failure) if failure.kind == FailureKind::OverMaximum => {
                let most = Flow::SHARED_MAX.as_secs();
                let id = sessions::maximum_id(&self.auth, target);
                self.facts.remember(&id, &most, now);
                let (target, stepped_down) = self.within_maximum(target);
                notes.extend(stepped_down);
                // The code is spent: this needs a live auth session, or the next code.
                let request = Request::new(request.target.clone(), request.terms);
                let entered = Box::pin(self.enter_shared(who, &target, name, &request)).await;
                entered.map_err(|not_issued| self.with_the_next_code(not_issued, &target))
            }
            Err(failure) => {
                let doing = Doing::Entering(target, Flow::Direct);
                Err(self.refuse_code(&want, &failure, doing, &code))
            }
        }
    }

    /// The live auth session, or a new one; never one obtained before `since`.
    pub(super) async fn auth_session(
        &self,
        who: &Who,
        code: Option<&(MfaSerial, MfaCode)>,
        asking: Asking,
        since: Timestamp,
    ) -> Result<CachedSession<AuthOrigin>, NotIssued> {
        if let Source::Login(_) = who.source {
            return Box::pin(self.login_keys(who, asking)).await; // else the futures nest too deep
        }
        let begun = self.vault.epoch();
        if let Some(session) = self.live_auth_session(who, since) {
            return Ok(session);
        }
        if asking != Asking::Never
            && let Some(session) = self.await_prompt(who, since).await
        {
            return Ok(session);
        }
        let now = (self.clock)();
        let want = CodeRequest {
            who,
            flow: Flow::Shared,
            until: now + SignedDuration::try_from(self.auth.session).unwrap_or_default(),
            note: None,
        };
        let (key, code) = self.key_and_code(&want, code, asking).await?;
        let answer = self.aws()?.session_token(&key, &code.0, &code.1, self.auth.session).await;
        let credentials = answer
            .and_then(|received| received.checked((self.clock)()))
            .map_err(|failure| self.refuse_code(&want, &failure, Doing::SigningIn, &code))?;
        let (serial, _) = code;
        let label = who.devices.iter().find(|(known, _)| *known == serial);
        let origin = AuthOrigin {
            source: who.source.clone(),
            user: who.user.clone(),
            device: label.map_or_else(|| serial.short().to_owned(), |(_, label)| label.clone()),
            serial: Some(serial.clone()),
            obtained: now,
        };
        self.prefer(who, &serial);
        let session = CachedSession { credentials, origin };
        let id = sessions::auth_id(&self.auth, &who.source, Some(&serial));
        sessions::put(&self.vault, begun, &id, &session, now);
        // A good time: it comes once a day or so, and the user has just waited for a code anyway.
        self.vault.purge(now);
        Ok(session)
    }

    pub(super) fn origin(&self, who: &Who, target: &Target, flow: Flow) -> RoleOrigin {
        RoleOrigin {
            source: who.source.clone(),
            user: who.user.clone(),
            flow,
            target: target.clone(),
            obtained: (self.clock)(),
        }
    }

    /// Adds to a code prompt why a code is asked for again, right after one was spent.
    fn with_the_next_code(&self, not_issued: NotIssued, target: &Target) -> NotIssued {
        let NotIssued::Code(wanted) = not_issued else {
            return not_issued;
        };
        NotIssued::Code(CodeWanted {
            rejection: Some(CodeRejection {
                what: format!(
                    "{target} allows sessions up to 1h: using the shared flow, with the next code"
                ),
                why: Vec::new(),
                next_code_at: Some(self.next_step()),
            }),
            ..wanted
        })
    }
}
