//! How the broker reaches the user: on stderr and the terminal, in the list, or not at all.

use std::cell::RefCell;
use std::rc::Rc;

use crate::domain::pass::NotIssued;
use crate::domain::secret::Secret;
use crate::services::session::interaction::Interaction;
use crate::services::store::keyfile::{Passphrase, Unasked};

use super::out::Out;
use super::prompt;
use super::terminal::{self, Terminal};

/// The user, through the channel that is in use now.
pub struct UserInteraction(RefCell<UserChannel>);

enum UserChannel {
    /// A verb without the list: lines go to stderr, and Enter on the terminal takes the prompt over.
    Terminal(Out),
    /// The list: it shows the last line, and reports the key that takes the prompt over.
    Tui { last_line: Option<String>, takeover: bool },
    /// There is no user: a program calls on its own, or the terminal belongs to a child.
    None,
}

impl UserInteraction {
    /// A user at the terminal, with lines on stderr.
    pub fn new(out: Out) -> Self {
        Self(RefCell::new(UserChannel::Terminal(out)))
    }

    /// Moves to the list, with no line and no takeover yet.
    pub fn attach_tui(&self) {
        *self.0.borrow_mut() = UserChannel::Tui { last_line: None, takeover: false };
    }

    /// Moves from the list to the terminal, with lines on stderr.
    pub fn attach_terminal(&self, out: Out) {
        *self.0.borrow_mut() = UserChannel::Terminal(out);
    }

    /// Leaves no channel until the guard is dropped: no prompts and no lines in between.
    pub fn detach(&self) -> Detached<'_> {
        Detached { user: self, channel: self.0.replace(UserChannel::None) }
    }

    /// The last line from the broker, for the list.
    pub fn last_line(&self) -> Option<String> {
        match &*self.0.borrow() {
            UserChannel::Terminal(_) | UserChannel::None => None,
            UserChannel::Tui { last_line, .. } => last_line.clone(),
        }
    }

    /// The user of the list wants to be asked here, although another process asks.
    pub fn request_takeover(&self) {
        if let UserChannel::Tui { takeover, .. } = &mut *self.0.borrow_mut() {
            *takeover = true;
        }
    }
}

/// Puts the channel back when dropped.
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
