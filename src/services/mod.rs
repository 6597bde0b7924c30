//! What touches the world: AWS, the store, the shell, files. Knows no screen.

pub mod aws;
pub mod codes;
pub mod config_files;
pub mod hygiene;
pub mod paths;
pub mod rotation;
pub mod store;
