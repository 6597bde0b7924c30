//! `doctor` on broken set-ups, one test each: the one thing that is wrong is found, and nothing else.

mod asked;
mod broken;
mod stage;
