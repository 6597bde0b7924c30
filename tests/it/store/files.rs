//! The file layer: a write happens whole or not at all.
