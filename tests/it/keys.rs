//! The access key and the sessions it gives: one prompt for all, moved and rotated without ever being lost.

mod hostile;
mod import;
mod keychain;
mod leaked;
mod prompt;
mod rotate;
mod sources;
pub mod stage;
mod together;
mod verbs;
