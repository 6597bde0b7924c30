//! The config as files: where they are, what they may be, whether they have changed.

pub mod access;
pub mod cache;
pub mod files;
mod glob;
pub mod known;
pub mod paths;
pub mod renewal;
pub mod stamps;
