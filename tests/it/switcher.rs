//! The whole program in a real terminal, under a real shell.

mod day;
mod ends;
mod line;
mod marks;
mod panic;
mod switcher_pty;
mod waits;
mod way_in;

pub use switcher_pty::shown_code;
