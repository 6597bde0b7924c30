//! The broker against the embedded organization: what goes over the wire, and what comes back.

mod answers;
mod codes;
mod discovery;
mod faults;
mod flows;
mod identity;
mod line;
mod network;
mod renewal;
mod stage;
mod stuck;
