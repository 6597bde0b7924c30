//! One file per verb: what it does with its arguments, which are defined in `cli/args.rs`.

pub mod completions;
pub mod config;
pub mod console;
pub mod credential_process;
pub mod demo;
pub mod doctor;
pub mod each;
pub mod env;
pub mod exec;
pub mod hook;
pub mod import;
pub mod init;
pub mod key;
pub mod list;
pub mod login;
pub mod logout;
pub mod name;
pub mod pick;
pub mod policy;
pub mod profiles;
pub mod serve;
pub mod shell;
pub mod status;
pub mod verify;
