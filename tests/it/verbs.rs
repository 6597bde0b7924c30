//! The real program on its command line: what it prints, how it ends, what its child gets.

mod changes;
mod config;
mod demo;
mod each;
mod endpoints;
mod exec;
pub mod home;
mod moto;
mod policy;
mod usage;
