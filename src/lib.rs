//! sekisho (関所, a checkpoint): a terminal switcher for AWS accounts.
//!
//! The picker is a function from a catalogue to a choice; the broker is a function from a request to
//! a pass; the command line joins them. Imports flow rightwards only:
//!
//! ```text
//! main ── cli ──┬── ui ────────┐
//!               ├── services ──┼── domain
//!               └── emulator   ┘
//! ```
//!
//! `ui` does not know AWS exists; `services` does not know a screen exists; `emulator` knows only the
//! AWS wire. `ARCHITECTURE.md` describes the life of one switch.

pub mod cli;
pub mod domain;
pub mod emulator;
pub mod services;
pub mod ui;
