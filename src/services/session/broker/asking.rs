//! Whose turn it is to ask for a code, and which code may be sent.

use std::rc::Rc;
use std::time::Duration;

use jiff::Timestamp;

use crate::domain::account::Flow;
use crate::domain::ids::MfaSerial;
use crate::domain::pass::{Asking, CodeDevice, CodeRejection, CodeWanted, NotIssued};
use crate::domain::secret::{AccessKey, MfaCode};
use crate::services::aws::{Doing, Failure, FailureKind};
use crate::services::session::codes;
use crate::services::session::sessions::{self, AuthOrigin, CachedSession, Who};
use crate::services::store::files::FileError;
use crate::services::store::lock::{
    LockHolder, PromptGuard, PromptLock, WaitOutcome, WaiterChoice,
};
use crate::services::store::spent::Marked;

use super::Broker;

/// An authenticator shows a new code every so many seconds (RFC 6238, as AWS uses it).
const STEP: i64 = 30;

/// What a code is wanted for.
pub(super) struct CodeRequest<'a> {
    /// Whose devices give it.
    pub who: &'a Who,
    /// The flow that it opens.
    pub flow: Flow,
    /// Until when what it opens will last, UTC.
    pub until: Timestamp,
}

impl CodeRequest<'_> {
    /// Wants a person to give the code; `rejection` says why the last one did not do.
    pub fn refusal(&self, rejection: Option<CodeRejection>) -> NotIssued {
        let devices = self
            .who
            .devices
            .iter()
            .map(|(serial, label)| CodeDevice { serial: serial.clone(), label: label.clone() });
        NotIssued::Code(CodeWanted {
            user: self.who.user.clone(),
            devices: devices.collect(),
            flow: self.flow,
            until: self.until,
            rejection,
        })
    }
}

/// The right to ask for a code, and what the code is for.
pub(super) struct PromptTurn {
    lock: PromptLock,
    held: PromptGuard,
    who: Who,
    since: Timestamp,
}

impl PromptTurn {
    fn is_superseded(&self) -> bool {
        self.lock.superseded(&self.held).is_ok_and(|holder| holder.is_some())
    }
}

impl Broker {
    /// Whether the code that was asked for is no longer needed here: another process has taken the prompt over,
    /// or has got the session.
    pub fn is_overtaken(&self) -> bool {
        let prompt_turn = self.prompt_turn.borrow();
        prompt_turn.as_ref().is_some_and(|prompt_turn| {
            prompt_turn.is_superseded()
                || self.live_auth_session(&prompt_turn.who, prompt_turn.since).is_some()
        })
    }

    /// Waits until this process may ask for a code, or until another one has got the auth session.
    pub(super) async fn await_turn(
        &self,
        who: &Who,
        since: Timestamp,
    ) -> Option<CachedSession<AuthOrigin>> {
        let unlocked = |error: FileError| {
            self.interaction
                .notify(&format!("other sekisho processes may ask for a code too: {error}"));
        };
        let lock =
            PromptLock::new(&self.shared, &sessions::who_id(&self.auth)).map_err(unlocked).ok()?;
        let mine = self.prompt_turn.borrow_mut().take();
        if let Some(prompt_turn) = mine
            && !prompt_turn.is_superseded()
        {
            *self.prompt_turn.borrow_mut() = Some(prompt_turn);
            return None;
        }
        let mut told = None;
        let tell = |holder: &LockHolder| self.tell(holder, &mut told);
        match lock.wait(&self.verb, self.clock, || self.live_auth_session(who, since), tell).await {
            Ok(WaitOutcome::Found(session)) => Some(session),
            Ok(WaitOutcome::Mine(held)) => {
                *self.prompt_turn.borrow_mut() =
                    Some(PromptTurn { lock, held, who: who.clone(), since });
                None
            }
            Err(error) => {
                unlocked(error);
                None
            }
        }
    }

    /// Says who asks for the code, once, and once more when the prompt may be taken over.
    fn tell(&self, holder: &LockHolder, told: &mut Option<(u32, bool)>) -> WaiterChoice {
        let ripe = holder.may_be_taken_over((self.clock)());
        if *told != Some((holder.pid, ripe)) {
            *told = Some((holder.pid, ripe));
            if ripe {
                // An Enter from before the offer is no answer to it.
                self.interaction.takeover_requested();
            }
            let name = format!("`sekisho {}` (pid {})", holder.verb, holder.pid);
            self.interaction.notify(&if ripe {
                format!("{name} still asks for the code; Enter asks here instead")
            } else {
                format!("{name} asks for the code: waiting for it")
            });
        }
        if ripe && self.interaction.takeover_requested() {
            WaiterChoice::TakeOver
        } else {
            WaiterChoice::Wait
        }
    }

    /// What a call that carries a code takes: the access key, then a code that has not been used.
    ///
    /// The key comes first: a passphrase or a locked keychain must not cost a code its 30 seconds. It is
    /// not fetched where nobody will give a code.
    pub(super) async fn key_and_code(
        &self,
        want: &CodeRequest<'_>,
        given: Option<&(MfaSerial, MfaCode)>,
        asking: Asking,
    ) -> Result<(Rc<AccessKey>, (MfaSerial, MfaCode)), NotIssued> {
        let command = match asking {
            Asking::Allowed => self.auth.mfa_command.as_ref(),
            Asking::Never => None,
        };
        let somebody = asking == Asking::Allowed && self.interaction.is_available();
        if given.is_none() && command.is_none() && !somebody {
            return Err(want.refusal(None));
        }
        let key = self.key().await?;
        let code = self.code(want, given, asking).await?;
        Ok((key, code))
    }

    /// A code that has not been used: the one given, else the command's, else a person must give one.
    pub(super) async fn code(
        &self,
        want: &CodeRequest<'_>,
        given: Option<&(MfaSerial, MfaCode)>,
        asking: Asking,
    ) -> Result<(MfaSerial, MfaCode), NotIssued> {
        let wanted = |rejection| want.refusal(rejection);
        if let Some((serial, code)) = given {
            if let Some(until) = self.spend(serial, code) {
                return Err(wanted(Some(CodeRejection {
                    what: "this code was used already: each code works once".into(),
                    why: Vec::new(),
                    next_code_at: Some(self.next_step().min(until)),
                })));
            }
            return Ok((serial.clone(), code.copy()));
        }
        let (Asking::Allowed, Some(argv)) = (asking, &self.auth.mfa_command) else {
            return Err(wanted(None));
        };
        let serial = &want.who.devices.first().ok_or_else(|| wanted(None))?.0;
        for waited in [false, true] {
            let hear = |line: &str| self.interaction.notify(line);
            let code = codes::from_command(argv, hear).await.map_err(|fault| {
                wanted(Some(CodeRejection { what: fault.what, why: fault.why, next_code_at: None }))
            })?;
            if self.spend(serial, &code).is_none() {
                return Ok((serial.clone(), code));
            }
            if !waited {
                self.interaction.notify("the code was used already: waiting for the next one");
                self.until(self.next_step()).await;
            }
        }
        Err(wanted(Some(CodeRejection {
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
    pub(super) fn refuse_code(
        &self,
        want: &CodeRequest<'_>,
        failure: &Failure,
        doing: Doing<'_>,
        (serial, code): &(MfaSerial, MfaCode),
    ) -> NotIssued {
        if !failure.spends_code() {
            // At worst the same digits are refused here for 90 s.
            let _ = self.spent.unmark(serial, code);
        }
        let fault = failure.fault(doing);
        if failure.kind != FailureKind::Code {
            return fault.into();
        }
        want.refusal(Some(CodeRejection {
            what: fault.what,
            why: fault.why,
            next_code_at: Some(self.next_step()),
        }))
    }

    /// When the authenticator shows its next code.
    pub(super) fn next_step(&self) -> Timestamp {
        let second = (self.clock)().as_second();
        Timestamp::from_second((second / STEP + 1) * STEP).unwrap_or(Timestamp::MAX)
    }

    async fn until(&self, instant: Timestamp) {
        let wait = instant.duration_since((self.clock)());
        tokio::time::sleep(Duration::try_from(wait).unwrap_or_default()).await;
    }
}
