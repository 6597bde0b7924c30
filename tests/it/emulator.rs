//! The embedded organization, driven by the real SDK, by boto3, by the aws CLI, and by raw bytes.

mod clients;
mod faults;
mod login;
mod rules;
mod sessions;
pub mod stage;
mod wire;
