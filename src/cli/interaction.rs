//! The user where a person waits: hears what the broker says, on the screen or on stderr.

use std::cell::RefCell;
use std::rc::Rc;

use crate::domain::pass::NotIssued;
use crate::domain::secret::Secret;
use crate::services::session::interaction::Interaction;
use crate::services::store::keyfile::{Passphrase, Unasked};

use super::out::Out;
use super::prompt;
use super::terminal::{self, Terminal};

/// Where the broker's words go, and where the person's one wish comes from.
pub struct UserInteraction(RefCell<UserChannel>);

enum UserChannel {
    /// A verb without the list: words go to stderr, Enter on the terminal is the wish.
    Terminal(Out),
    /// The list: it shows the last line and tells of the wish.
    Tui { last_line: Option<String>, takeover: bool },
    /// Nobody waits: a program asks on its own.
    None,
}

impl UserInteraction {
    /// A user before stderr.
    pub fn new(out: Out) -> Self {
        Self(RefCell::new(UserChannel::Terminal(out)))
    }

    /// Moves before the screen, with nothing said yet.
    pub fn attach_tui(&self) {
        *self.0.borrow_mut() = UserChannel::Tui { last_line: None, takeover: false };
    }

    /// Empties the user: nobody may be asked or told anything until what this gives is dropped.
    pub fn detach(&self) -> Detached<'_> {
        Detached { user: self, channel: self.0.replace(UserChannel::None) }
    }

    /// What was said last, for the screen.
    pub fn last_line(&self) -> Option<String> {
        match &*self.0.borrow() {
            UserChannel::Terminal(_) | UserChannel::None => None,
            UserChannel::Tui { last_line, .. } => last_line.clone(),
        }
    }

    /// The person at the screen wants the prompt.
    pub fn request_takeover(&self) {
        if let UserChannel::Tui { takeover, .. } = &mut *self.0.borrow_mut() {
            *takeover = true;
        }
    }
}

/// A person who will be back in the same channel.
pub struct Detached<'a> {
    user: &'a UserInteraction,
    channel: UserChannel,
}

impl Drop for Detached<'_> {
    fn drop(&mut self) {
        self.user.0.replace(std::mem::replace(&mut self.channel, UserChannel::None));
    }
}

impl Interaction for Rc<UserInteraction> {
    fn notify(&self, text: &str) {
        match &mut *self.0.borrow_mut() {
            UserChannel::Terminal(out) => out.info(text),
            UserChannel::Tui { last_line, .. } => *last_line = Some(text.to_owned()),
            UserChannel::None => {}
        }
    }

    fn is_available(&self) -> bool {
        match &*self.0.borrow() {
            UserChannel::Terminal(_) => Terminal::open().is_some(),
            UserChannel::Tui { .. } => true,
            UserChannel::None => false,
        }
    }

    fn passphrase(&self, which: Passphrase) -> Result<Secret, Unasked> {
        match &*self.0.borrow() {
            UserChannel::Terminal(_) => prompt::passphrase(which).map_err(Unasked::Never),
            UserChannel::Tui { .. } => Err(Unasked::NotYet),
            UserChannel::None => Err(Unasked::Never(NotIssued::Passphrase(None).into_fault())),
        }
    }

    fn takeover_requested(&self) -> bool {
        match &mut *self.0.borrow_mut() {
            UserChannel::Terminal(_) => terminal::enter_was_pressed(),
            UserChannel::Tui { takeover, .. } => std::mem::take(takeover),
            UserChannel::None => false,
        }
    }
}
