//! What touches the world: AWS, the store, the shell, files. Knows no screen.

pub mod environment;
pub mod process;
pub mod shell;
