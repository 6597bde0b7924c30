//! The documentation: links lead somewhere, commands are commands and run, tables agree with the code, the Japanese
//! pages with the English ones.

mod commands;
mod config_keys;
mod configs;
mod languages;
mod links;
pub mod markdown;
mod permissions;
mod reference;
mod script;
