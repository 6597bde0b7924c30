//! What touches the world: AWS, the store, the shell, files. Knows no screen.

pub mod config_files;
