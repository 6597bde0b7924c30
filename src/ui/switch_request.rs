//! The steps from a row to a pass: guard, request, passphrase, code, result.

use std::mem;

use super::field::{Digits, Field, Hidden};
use super::key_events::{ENTER, typed_ahead};
use super::model::{CodeBox, Effect, Intent, Mode, Model, Outcome, Retry, SwitchRequest};
use super::time_left;
use crate::domain::account::Target;
use crate::domain::confirmation::{Confirmation, Unconfirmed};
use crate::domain::fault::{Exit, Fault};
use crate::domain::ids::MfaSerial;
use crate::domain::keymap::{Action, Key, KeyCode};
use crate::domain::pass::{Asking, CodeWanted, NotIssued, Pass, Renew, Request, Terms};
use crate::domain::secret::{MfaCode, Secret};
use crate::domain::text::sanitize;

impl Model {
    pub(super) fn key_in_confirm(&mut self, key: Key) -> Effect {
        let Mode::Confirm { target, intent, field, refused } = &mut self.mode else {
            return Effect::None;
        };
        if typed_ahead(key) != ENTER {
            field.edit(key);
            return Effect::None;
        }
        match target.clone().clear(Confirmation::Typed(field.text()), &self.setup.driver) {
            Ok(target) => {
                let intent = *intent;
                self.ask(SwitchRequest { target, intent }, None, None)
            }
            Err(unconfirmed) => {
                *refused = Some(unconfirmed);
                field.clear();
                Effect::None
            }
        }
    }

    pub(super) fn key_in_passphrase(&mut self, key: Key, action: Option<Action>) -> Effect {
        let Mode::Passphrase { typed, switch, .. } = &mut self.mode else {
            return Effect::None;
        };
        if action == Some(Action::Back) {
            self.mode = Mode::Browse;
            return Effect::GiveUp;
        }
        match (key.ctrl, key.code) {
            _ if typed_ahead(key) == ENTER => {
                let (switch, passphrase) = (switch.clone(), typed.take());
                return self.ask(switch, None, Some(passphrase));
            }
            (false, KeyCode::Char(c)) => typed.insert(c.encode_utf8(&mut [0; 4])),
            (false, KeyCode::Backspace) | (true, KeyCode::Char('h')) => typed.pop(),
            (true, KeyCode::Char('u' | 'w')) => typed.clear(),
            _ => {}
        }
        Effect::None
    }

    pub(super) fn key_in_code(&mut self, key: Key) -> Effect {
        let Mode::Code(code_box) = &mut self.mode else {
            return Effect::None;
        };
        code_box.hint = None;
        match (key.ctrl, key.code) {
            (false, KeyCode::Char(c)) => {
                if let Some(code) = code_box.digits.push(c) {
                    return self.submit(code);
                }
            }
            (false, KeyCode::Backspace) | (true, KeyCode::Char('h')) => code_box.digits.pop(),
            (true, KeyCode::Char('u' | 'w')) => code_box.digits.clear(),
            (false, KeyCode::Tab) if !code_box.wanted.devices.is_empty() => {
                code_box.device = (code_box.device + 1) % code_box.wanted.devices.len();
            }
            (false, KeyCode::BackTab) if !code_box.wanted.devices.is_empty() => {
                let many = code_box.wanted.devices.len();
                code_box.device = (code_box.device + many - 1) % many;
            }
            _ => {}
        }
        Effect::None
    }

    /// Requests the pass again, with a code.
    pub(super) fn submit(&mut self, code: MfaCode) -> Effect {
        let code_box = match mem::replace(&mut self.mode, Mode::Browse) {
            Mode::Code(code_box) => code_box,
            other => {
                self.mode = other;
                return Effect::None;
            }
        };
        let Some(device) = code_box.device() else {
            return Effect::None;
        };
        self.submitted = Some(self.now);
        let serial = device.serial.clone();
        self.ask(code_box.switch, Some((serial, code)), None)
    }

    /// Requests the pass again without a code: the process that has the prompt now gets the session.
    pub(super) fn overtaken(&mut self) -> Effect {
        let switch = match &self.mode {
            Mode::Code(code_box) => code_box.switch.clone(),
            Mode::Passphrase { switch, .. } => switch.clone(),
            _ => return Effect::None,
        };
        self.ask(switch, None, None)
    }

    /// Starts a switch to the row under the cursor; its guard comes first.
    pub(super) fn want(&mut self, intent: Intent) -> Effect {
        let Some(row) = self.selected() else {
            return Effect::None;
        };
        let target = self.target(row);
        let confirmation = match intent {
            Intent::Renew if self.live(row).is_some() => Confirmation::Renewal,
            _ => Confirmation::Absent,
        };
        match (target.clone().clear(confirmation, &self.setup.driver), self.setup.driver.agent()) {
            (Ok(target), _) => return self.ask(SwitchRequest { target, intent }, None, None),
            (Err(Unconfirmed::Refused), Some(agent)) => {
                self.mode = Mode::Fault { fault: target.refusal(agent), retry: None, top: 0 };
            }
            (Err(_), _) => {
                let field = Field::default();
                self.mode = Mode::Confirm { target, intent, field, refused: None };
            }
        }
        Effect::None
    }

    pub(super) fn ask(
        &mut self,
        switch: SwitchRequest,
        code: Option<(MfaSerial, MfaCode)>,
        passphrase: Option<Secret>,
    ) -> Effect {
        let renew = match switch.intent {
            Intent::Enter(_) => Renew::ByFlow,
            Intent::Renew => Renew::Now,
        };
        let terms = Terms { renew, asking: Asking::Allowed, spare: Terms::SHORTEST_STAY };
        let request =
            Request::new(switch.target.clone(), terms).with_code(code).with_passphrase(passphrase);
        self.mode = Mode::Waiting {
            switch,
            device: request.code.as_ref().map(|(serial, _)| serial.clone()),
            since: self.now,
            news: None,
        };
        Effect::Ask(request)
    }

    pub(super) fn answer(&mut self, answer: Result<Pass, NotIssued>) -> Effect {
        let (switch, device) = match mem::replace(&mut self.mode, Mode::Browse) {
            Mode::Waiting { switch, device, .. } => (switch, device),
            other => {
                self.mode = other;
                return Effect::None;
            }
        };
        match answer {
            Ok(pass) => return self.passed(switch.intent, pass),
            Err(refusal @ (NotIssued::Fault(_) | NotIssued::SignIn(_))) => {
                let fault = refusal.into_fault();
                let retry = Some(Retry::Switch(Box::new(switch)));
                self.mode = Mode::Fault { fault, retry, top: 0 };
            }
            Err(NotIssued::Outdated(fault)) => {
                self.mode = Mode::Loading { since: self.now, then: Some(fault) };
                return Effect::Load;
            }
            Err(NotIssued::Passphrase(refused)) => {
                self.mode = Mode::Passphrase { switch, typed: Hidden::default(), refused };
            }
            Err(NotIssued::Code(wanted)) => self.mode = code_box(switch, wanted, device.as_ref()),
        }
        Effect::None
    }

    fn passed(&mut self, intent: Intent, pass: Pass) -> Effect {
        match intent {
            Intent::Enter(open_in) => Effect::Leave(Outcome::Enter(open_in, Box::new(pass))),
            Intent::Renew => {
                let left = time_left::left(pass.credentials.expires, self.now);
                let mut notice = vec![format!("{} renewed: {left}", pass.target)];
                notice.extend(pass.notes);
                self.say(sanitize(&notice.join("; ")));
                Effect::None
            }
        }
    }
}

/// The code box, on the device of the code that was just rejected, if one was.
fn code_box(switch: SwitchRequest, wanted: CodeWanted, device: Option<&MfaSerial>) -> Mode {
    if wanted.devices.is_empty() {
        let target: &Target = switch.target.target();
        let fault = Fault::new(
            Exit::Fault,
            format!("{target} needs an MFA code, but the IAM user has no device that makes one"),
        )
        .because("no authenticator app or hardware token is registered")
        .fix("register one in the IAM console: Security credentials, Multi-factor authentication");
        return Mode::Fault { fault, retry: Some(Retry::Switch(Box::new(switch))), top: 0 };
    }
    let before = wanted.devices.iter().position(|d| Some(&d.serial) == device);
    Mode::Code(CodeBox {
        switch,
        wanted,
        device: before.unwrap_or(0),
        digits: Digits::default(),
        hint: None,
        shown: None,
    })
}
