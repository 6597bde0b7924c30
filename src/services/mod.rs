//! What touches the world: AWS, the store, the shell, files. Knows no screen.

pub mod aws;
pub mod child;
pub mod config;
pub mod console;
pub mod doctor;
pub mod login;
pub mod session;
pub mod store;
pub mod verify;
