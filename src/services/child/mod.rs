//! Child processes: their environment, how they start, and the endpoint that serves them credentials.

pub mod environment;
pub mod export;
pub mod helper_program;
pub mod loopback;
pub mod output_files;
pub mod pasteboard;
mod peer;
pub mod piped;
pub mod process;
pub mod running;
pub mod serve;
pub mod shared_config;
pub mod shell;
pub mod signals;
