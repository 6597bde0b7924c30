//! What touches the world: AWS, the store, the shell, files. Knows no screen.

pub mod access_key;
pub mod aws;
pub mod broker;
pub mod codes;
pub mod config_cache;
pub mod config_files;
pub mod console;
pub mod credentials_file;
pub mod diary;
pub mod doctor;
pub mod environment;
pub mod export;
pub mod history;
pub mod hygiene;
mod loopback;
pub mod paths;
pub mod person;
pub mod process;
pub mod rotation;
pub mod running;
pub mod serve;
pub mod sessions;
pub mod shell;
pub mod stamps;
pub mod store;
pub mod verify;
pub mod warm;
