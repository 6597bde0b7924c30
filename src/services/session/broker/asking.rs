//! Which process may prompt for a code, and which code may be sent.

use std::rc::Rc;
use std::time::Duration;

use jiff::Timestamp;

use crate::domain::agents::{Allowance, Driver};
use crate::domain::config::Argv;
use crate::domain::flow::Flow;
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
use crate::services::store::spent::CodeStatus;

use super::Broker;

/// An authenticator shows a new code every so many seconds (RFC 6238, as AWS uses it).
const STEP: i64 = 30;

/// What a code is needed for.
pub(super) struct CodeRequest<'a> {
    /// The user whose devices generate it.
    pub who: &'a Who,
    /// The flow that sends it.
    pub flow: Flow,
    /// When the session obtained with it will expire, UTC.
    pub until: Timestamp,
    /// What else there is to say about it.
    pub note: Option<&'static str>,
}

/// What one process asks for while others wait.
#[derive(Debug, Clone, Copy)]
pub(super) enum Prompt {
    /// A code.
    Code,
    /// A sign-in in the browser.
    SignIn,
}

impl Prompt {
    /// What the process does, and what is offered in its place.
    const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Code => ("asks for the code", "Enter asks here instead"),
            Self::SignIn => ("signs in in the browser", "Enter signs in here instead"),
        }
    }
}

impl CodeRequest<'_> {
    /// The answer "a code is needed"; `rejection` says why the last one was not accepted.
    pub fn not_issued(&self, rejection: Option<CodeRejection>) -> NotIssued {
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
            note: self.note,
            rejection,
        })
    }
}

/// The prompt lock, held by this process, and whom the code is for.
pub(super) struct HeldPrompt {
    lock: PromptLock,
    held: PromptGuard,
    who: Who,
    since: Timestamp,
}

impl HeldPrompt {
    fn is_superseded(&self) -> bool {
        self.lock.superseded_by(&self.held).is_ok_and(|holder| holder.is_some())
    }
}

impl Broker {
    /// Whether the code that was asked for is no longer needed here: another process has taken the prompt over,
    /// or has obtained the session.
    pub fn is_overtaken(&self) -> bool {
        self.held_prompt.borrow().as_ref().is_some_and(|prompt| {
            prompt.is_superseded() || self.live_auth_session(&prompt.who, prompt.since).is_some()
        })
    }

    /// Waits until this process may prompt for a code (`None`), or until another one has obtained the auth session.
    pub(super) async fn await_prompt(
        &self,
        who: &Who,
        since: Timestamp,
    ) -> Option<CachedSession<AuthOrigin>> {
        let without_lock = |error: FileError| {
            self.interaction
                .notify(&format!("other sekisho processes may ask for a code too: {error}"));
        };
        let lock = PromptLock::new(&self.shared, &sessions::who_id(&self.auth))
            .map_err(without_lock)
            .ok()?;
        let prompt = self.held_prompt.borrow_mut().take();
        if let Some(prompt) = prompt
            && !prompt.is_superseded()
        {
            *self.held_prompt.borrow_mut() = Some(prompt);
            return None;
        }
        let mut reported = None;
        let on_holder =
            |holder: &LockHolder| self.report_holder(holder, Prompt::Code, &mut reported);
        let look = || self.live_auth_session(who, since);
        match lock.wait(&self.verb, self.clock, look, on_holder).await {
            Ok(WaitOutcome::Found(session)) => Some(session),
            Ok(WaitOutcome::Acquired(held)) => {
                *self.held_prompt.borrow_mut() =
                    Some(HeldPrompt { lock, held, who: who.clone(), since });
                None
            }
            Err(error) => {
                without_lock(error);
                None
            }
        }
    }

    /// Reports which process prompts, once, and again when the prompt may be taken over.
    pub(super) fn report_holder(
        &self,
        holder: &LockHolder,
        prompt: Prompt,
        reported: &mut Option<(u32, bool)>,
    ) -> WaiterChoice {
        let abandoned = holder.may_be_taken_over((self.clock)());
        if *reported != Some((holder.pid, abandoned)) {
            *reported = Some((holder.pid, abandoned));
            if abandoned {
                // Discards an Enter from before the offer: it was not an answer to it.
                self.interaction.takeover_requested();
            }
            let name = format!("`sekisho {}` (pid {})", holder.verb, holder.pid);
            let (does, offer) = prompt.words();
            self.interaction.notify(&if abandoned {
                format!("{name} still {does}; {offer}")
            } else {
                format!("{name} {does}: waiting for it")
            });
        }
        if abandoned && self.interaction.takeover_requested() {
            WaiterChoice::TakeOver
        } else {
            WaiterChoice::Wait
        }
    }

    /// What a call with a code needs: the access key, and a code that has not been used.
    ///
    /// The key comes first: a code must not expire during a passphrase prompt or while the keychain is unlocked. It is
    /// not read where no code can be had.
    pub(super) async fn key_and_code(
        &self,
        want: &CodeRequest<'_>,
        given: Option<&(MfaSerial, MfaCode)>,
        asking: Asking,
    ) -> Result<(Rc<AccessKey>, (MfaSerial, MfaCode)), NotIssued> {
        let command = self.command(asking);
        let can_prompt = asking != Asking::Never && self.interaction.is_available();
        if given.is_none()
            && let (Asking::Person, Some(_), Driver::Agent(agent)) =
                (asking, &self.auth.mfa_command, &self.driver)
        {
            self.interaction.notify(&format!("mfa_command is not run: {agent}"));
        }
        if given.is_none() && command.is_none() && !can_prompt {
            return Err(want.not_issued(None));
        }
        let key = self.key().await?;
        let code = self.code(want, given, asking).await?;
        Ok((key, code))
    }

    /// A code that has not been used: the one given, or the command's; otherwise the user must be asked.
    pub(super) async fn code(
        &self,
        want: &CodeRequest<'_>,
        given: Option<&(MfaSerial, MfaCode)>,
        asking: Asking,
    ) -> Result<(MfaSerial, MfaCode), NotIssued> {
        let wanted = |rejection| want.not_issued(rejection);
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
        let Some(argv) = self.command(asking) else {
            return Err(wanted(None));
        };
        let serial = &want.who.devices.first().ok_or_else(|| wanted(None))?.0;
        for waited in [false, true] {
            let on_line = |line: &str| self.interaction.notify(line);
            let code = codes::from_command(argv, on_line).await.map_err(|fault| {
                wanted(Some(CodeRejection { what: fault.what, why: fault.why, next_code_at: None }))
            })?;
            if self.spend(serial, &code).is_none() {
                return Ok((serial.clone(), code));
            }
            if !waited {
                self.interaction.notify("the code was used already: waiting for the next one");
                self.sleep_until(self.next_step()).await;
            }
        }
        Err(wanted(Some(CodeRejection {
            what: "mfa_command printed a used code twice".into(),
            why: vec!["the device's clock is off".into()],
            next_code_at: Some(self.next_step()),
        })))
    }

    /// How a code may be asked for: for an agent that has less than everything, no program makes one.
    pub(super) fn asking(&self, asking: Asking, agents: Allowance) -> Asking {
        match asking {
            Asking::Allowed if self.driver.has(agents) != Allowance::Full => Asking::Person,
            asking => asking,
        }
    }

    /// The program that makes codes, where it may be run.
    fn command(&self, asking: Asking) -> Option<&Argv> {
        match asking {
            Asking::Allowed => self.auth.mfa_command.as_ref(),
            Asking::Person | Asking::Never => None,
        }
    }

    /// Marks a code as spent, before it is sent. If it was spent before, returns until when it stays so.
    fn spend(&self, serial: &MfaSerial, code: &MfaCode) -> Option<Timestamp> {
        match self.spent.mark(serial, code, (self.clock)()) {
            Ok(CodeStatus::Spent(until)) => Some(until),
            // On an error other processes do not see the mark: at worst AWS rejects their code.
            Ok(CodeStatus::Fresh) | Err(_) => None,
        }
    }

    /// What to answer when a call with a code has failed: ask for another code where that may help, otherwise a fault.
    pub(super) fn refuse_code(
        &self,
        want: &CodeRequest<'_>,
        failure: &Failure,
        doing: Doing<'_>,
        (serial, code): &(MfaSerial, MfaCode),
    ) -> NotIssued {
        if !failure.spends_code() {
            // If this fails, the same digits are rejected here for 90 s.
            let _ = self.spent.unmark(serial, code);
        }
        let fault = failure.fault(doing);
        if failure.kind != FailureKind::Code {
            return fault.into();
        }
        want.not_issued(Some(CodeRejection {
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

    async fn sleep_until(&self, instant: Timestamp) {
        let wait = instant.duration_since((self.clock)());
        tokio::time::sleep(Duration::try_from(wait).unwrap_or_default()).await;
    }
}
