//! A cache of large configs in parsed form, valid until one of the config's files changes.
//!
//! Parsing YAML takes a quarter of a second for 10,000 accounts, reading the cache a tenth of that. Neither holds a
//! secret.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::domain::config::{Config, Strictness};
use crate::domain::fault::Fault;
use crate::domain::text::sanitize;

use super::files::{self, ReadFrom};
use super::paths::Paths;
use super::stamps::Stamp;
use crate::services::store::files::Dir;

/// Smaller configs are parsed faster than a cache is worth.
const WORTH_IT: u64 = 128 * 1024;
const LIMIT: u64 = 256 * 1024 * 1024;

/// A config, its warnings, and what it was read from.
pub struct LoadedConfig {
    /// Without faulty entries of included files.
    pub config: Config,
    /// About its included files, one line each.
    pub warnings: Vec<String>,
    /// Unchanged files mean an unchanged config.
    pub read_from: ReadFrom,
}

/// The first line of a cache file: enough to decide whether the rest is still valid.
#[derive(Serialize, Deserialize)]
struct Header {
    version: String,
    config: PathBuf,
    read_from: Vec<Stamp>,
    warnings: Vec<String>,
}

/// Loads the config at a path, from the cache where nothing has changed.
pub fn load(path: &Path, paths: &Paths) -> Result<LoadedConfig, Fault> {
    let name = format!("config-{}", short_hash(path));
    if let Some(understood) = cached(&name, path, paths) {
        return Ok(understood);
    }
    let (loaded, read_from) = files::load(path, Some(&paths.home), Strictness::Tolerant)?;
    let warnings =
        loaded.warnings.iter().map(|diagnostic| sanitize(&diagnostic.to_string())).collect();
    let understood = LoadedConfig { config: loaded.config, warnings, read_from };
    let size: u64 = understood.read_from.0.iter().map(Stamp::size).sum();
    if size >= WORTH_IT {
        // Without it the next start parses again: no harm done.
        let _ = keep(&name, path, paths, &understood);
    }
    Ok(understood)
}

fn cached(name: &str, path: &Path, paths: &Paths) -> Option<LoadedConfig> {
    let bytes = Dir::open(&paths.cache).ok()??.read(name, LIMIT).ok()??;
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    let (header, body) = bytes.split_at(end);
    let header: Header = serde_json::from_slice(header).ok()?;
    let holds = header.version == env!("CARGO_PKG_VERSION")
        && header.config == path
        && header.read_from.iter().all(Stamp::holds);
    if !holds {
        return None;
    }
    Some(LoadedConfig {
        config: serde_json::from_slice(body).ok()?,
        read_from: ReadFrom(header.read_from),
        warnings: header.warnings,
    })
}

fn keep(name: &str, path: &Path, paths: &Paths, understood: &LoadedConfig) -> Option<()> {
    let header = Header {
        version: env!("CARGO_PKG_VERSION").into(),
        config: path.to_owned(),
        read_from: understood.read_from.0.clone(),
        warnings: understood.warnings.clone(),
    };
    let mut bytes = serde_json::to_vec(&header).ok()?;
    bytes.push(b'\n');
    serde_json::to_writer(&mut bytes, &understood.config).ok()?;
    Dir::create(&paths.cache).ok()?.write(name, &bytes).ok()
}

fn short_hash(path: &Path) -> String {
    hex::encode(&Sha256::digest(path.as_os_str().as_encoded_bytes())[..8])
}
