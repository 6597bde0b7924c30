//! Real shells in a real terminal.
//!
//! [`terminal`] is the harness, for any program; [`driver`] runs one library function in a process of
//! its own.

pub mod commands;
mod driver;
mod hooks;
mod prompts;
mod rendered;
mod subshell;
pub mod terminal;
