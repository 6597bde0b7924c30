//! A cache of large configs in parsed form, valid until one of the config's files changes.
//!
//! Parsing YAML takes a quarter of a second for 10,000 accounts, reading the cache a tenth of that. Neither holds a
//! secret.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::domain::config::{Config, Loaded, Strictness};
use crate::domain::fault::Fault;
use crate::domain::known::Known;
use crate::domain::text::{count, sanitize};

use super::files::{self, ReadFrom};
use super::known::{KnownFile, short_hash};
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

/// Loads the config at a path, from the cache where nothing has changed, and remembers what its included targets are.
pub fn load(path: &Path, paths: &Paths) -> Result<LoadedConfig, Fault> {
    let name = format!("config-{}", short_hash(path));
    if let Some(understood) = cached(&name, path, paths) {
        return Ok(understood);
    }
    let (loaded, read_from, remembering) = load_and_remember(path, paths)?;
    let warnings =
        loaded.warnings.iter().map(|diagnostic| sanitize(&diagnostic.to_string())).collect();
    let mut understood = LoadedConfig { config: loaded.config, warnings, read_from };
    let size: u64 = understood.read_from.0.iter().map(Stamp::size).sum();
    if size >= WORTH_IT {
        // Without it the next start parses again: no harm done.
        let _ = keep(&name, path, paths, &understood);
    }
    understood.warnings.extend(remembering);
    Ok(understood)
}

/// Parses the config, compares its included targets with what is remembered of them, and remembers what is new. The last
/// of the answer is what there is to say about that.
fn load_and_remember(
    path: &Path,
    paths: &Paths,
) -> Result<(Loaded, ReadFrom, Option<String>), Fault> {
    /// How often another process may be first.
    const TRIES: u32 = 5;
    let memory = KnownFile::of(&paths.state, path);
    let mut tried = 0;
    loop {
        tried += 1;
        let stamp = memory.stamp();
        let found = memory.read();
        let known = found.as_ref().ok().and_then(Option::clone).unwrap_or_default();
        let (loaded, mut read_from) =
            files::load(path, Some(&paths.home), Strictness::Tolerant, &known)?;
        if loaded.known == known {
            // Without included targets there is nothing that a memory could change.
            read_from.0.extend((!known.is_empty()).then_some(stamp));
            return Ok((loaded, read_from, None));
        }
        let (stamp, said) = match (memory.replace(&known, &loaded.known), found) {
            (Ok(None), _) if tried < TRIES => continue,
            (Ok(None), _) => (stamp, None),
            (Ok(Some(stamp)), Err(why)) => {
                (stamp, Some(format!("{why}: {}", begun(&loaded.known))))
            }
            (Ok(Some(stamp)), Ok(None)) => (stamp, Some(begun(&loaded.known))),
            (Ok(Some(stamp)), Ok(Some(_))) => (stamp, None),
            (Err(error), _) => {
                let said = format!("what included accounts are cannot be remembered: {error}");
                (stamp, Some(said))
            }
        };
        read_from.0.push(stamp);
        return Ok((loaded, read_from, said));
    }
}

fn begun(known: &Known) -> String {
    let many = count(known.len(), "included account");
    format!("{many} remembered; when one changes, entering it asks for its name")
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
