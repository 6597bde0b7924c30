//! Data and rules, and nothing that acts: no I/O, no clock, no async.
//!
//! Text becomes values here, once, and a value that exists is valid.

pub mod account;
pub mod agents;
pub mod batch;
pub mod config;
pub mod confirmation;
pub mod duration;
pub mod fault;
pub mod flow;
pub mod guard;
pub mod history;
pub mod ids;
pub mod import;
pub mod ini;
pub mod keymap;
pub mod known;
pub mod local_clock;
pub mod lookalike;
pub mod pass;
pub mod passphrase;
pub mod pasted;
pub mod policy;
pub mod profiles;
pub mod rotation;
pub mod scope;
pub mod search;
pub mod secret;
pub mod selection;
pub mod text;
pub mod trust;
pub mod verdict;
pub mod wildcard;
