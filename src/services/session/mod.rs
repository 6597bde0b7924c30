//! Sessions: how they are obtained, where they are remembered, what was learned on the way.

pub mod access_key;
pub mod broker;
pub mod codes;
pub mod diary;
pub mod facts;
pub mod history;
pub mod interaction;
pub mod sessions;
pub mod warm;
