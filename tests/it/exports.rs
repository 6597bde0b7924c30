//! Every way out, by the real program against the emulated organization: exit code, stdout, stderr; and
//! the clients that take what comes out.

mod agents;
mod clients;
mod console;
mod diary;
mod env;
mod forgotten;
mod forwarded;
mod known;
mod lists;
mod places;
mod process;
mod profiles;
mod renewal;
#[path = "clients/rust/who.rs"]
mod rust_client;
mod sdks;
mod serve;
mod serve_profiles;
pub mod stage;
mod stuck;
mod traps;
