//! Sessions: how they are obtained and cached, and what was learned from AWS on the way.

pub mod access_key;
pub mod backoff;
pub mod broker;
pub mod codes;
pub mod diary;
pub mod facts;
pub mod history;
pub mod interaction;
pub mod issued;
pub mod sessions;
pub mod warm;
