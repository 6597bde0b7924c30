//! The bench where a person waits: hears what the broker says, on the screen or on stderr.

use std::cell::RefCell;
use std::rc::Rc;

use crate::domain::pass::Refusal;
use crate::domain::secret::Secret;
use crate::services::session::interaction::Person;
use crate::services::store::keyfile::{Passphrase, Unasked};

use super::out::Out;
use super::prompt;
use super::terminal::{self, Terminal};

/// Where the broker's words go, and where the person's one wish comes from.
pub struct Bench(RefCell<Seat>);

enum Seat {
    /// A verb without the list: words go to stderr, Enter on the terminal is the wish.
    Terminal(Out),
    /// The list: it shows the last line and tells of the wish.
    Screen { line: Option<String>, wish: bool },
    /// Nobody waits: a program asks on its own.
    Empty,
}

impl Bench {
    /// A bench before stderr.
    pub fn new(out: Out) -> Self {
        Self(RefCell::new(Seat::Terminal(out)))
    }

    /// Moves before the screen, with nothing said yet.
    pub fn face_the_screen(&self) {
        *self.0.borrow_mut() = Seat::Screen { line: None, wish: false };
    }

    /// Empties the bench: nobody may be asked or told anything until what this gives is dropped.
    pub fn leave(&self) -> Away<'_> {
        Away { bench: self, seat: self.0.replace(Seat::Empty) }
    }

    /// What was said last, for the screen.
    pub fn last_line(&self) -> Option<String> {
        match &*self.0.borrow() {
            Seat::Terminal(_) | Seat::Empty => None,
            Seat::Screen { line, .. } => line.clone(),
        }
    }

    /// The person at the screen wants the prompt.
    pub fn ask_here(&self) {
        if let Seat::Screen { wish, .. } = &mut *self.0.borrow_mut() {
            *wish = true;
        }
    }
}

/// A person who will be back in the same seat.
pub struct Away<'a> {
    bench: &'a Bench,
    seat: Seat,
}

impl Drop for Away<'_> {
    fn drop(&mut self) {
        self.bench.0.replace(std::mem::replace(&mut self.seat, Seat::Empty));
    }
}

impl Person for Rc<Bench> {
    fn hear(&self, text: &str) {
        match &mut *self.0.borrow_mut() {
            Seat::Terminal(out) => out.say(text),
            Seat::Screen { line, .. } => *line = Some(text.to_owned()),
            Seat::Empty => {}
        }
    }

    fn is_there(&self) -> bool {
        match &*self.0.borrow() {
            Seat::Terminal(_) => Terminal::open().is_some(),
            Seat::Screen { .. } => true,
            Seat::Empty => false,
        }
    }

    fn passphrase(&self, which: Passphrase) -> Result<Secret, Unasked> {
        match &*self.0.borrow() {
            Seat::Terminal(_) => prompt::passphrase(which).map_err(Unasked::Never),
            Seat::Screen { .. } => Err(Unasked::NotYet),
            Seat::Empty => Err(Unasked::Never(Refusal::Passphrase(None).into_fault())),
        }
    }

    fn wants_the_prompt(&self) -> bool {
        match &mut *self.0.borrow_mut() {
            Seat::Terminal(_) => terminal::enter_was_pressed(),
            Seat::Screen { wish, .. } => std::mem::take(wish),
            Seat::Empty => false,
        }
    }
}
