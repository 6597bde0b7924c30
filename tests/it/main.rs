//! One integration binary, so that the AWS SDK links once.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

mod broker;
mod compat;
mod config;
mod docs;
mod doctor;
mod emulator;
mod exports;
mod import;
mod isolation;
mod keys;
mod layers;
mod login;
mod policy;
mod pty;
mod relay;
mod screens;
mod secrets;
mod store;
mod support;
mod switcher;
mod verbs;
mod verify;
mod wsl;
