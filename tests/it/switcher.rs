//! The whole program in a real terminal, under a real shell.

mod day;
mod desk;
mod ends;
mod panic;
mod waits;

pub use desk::shown_code;
