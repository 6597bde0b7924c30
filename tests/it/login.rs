//! `auth.key: login`, by the real program against the emulated organization; a plain HTTP client is the browser.

mod clients;
mod roles;
mod sign_in;
mod stage;
mod verify;
