//! The patterns of `include`: `~`, `*` and `?`.

use std::path::{Component, Path, PathBuf};

use jiff::Timestamp;

use super::paths::with_home;
use super::stamps::Stamp;
use crate::domain::wildcard;

/// The most entries of a folder that a glob looks at.
const MAX_ENTRIES: usize = 10_000;

/// The files that a pattern matches.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Expanded {
    /// The files, in order of their names. A plain path stands for itself, there or not.
    pub(super) files: Vec<PathBuf>,
    /// What decided which files these are, stamped before it was looked at: the folders that were listed, and the
    /// files that were looked for in them and are not there.
    pub(super) stamps: Vec<Stamp>,
    /// The folder in front of the first wildcard; `None` without one.
    pub(super) folder: Option<PathBuf>,
}

/// Expands a pattern, relative ones from `base`.
pub(super) fn expand(
    pattern: &str,
    base: &Path,
    home: Option<&Path>,
    now: Timestamp,
) -> Result<Expanded, String> {
    let pattern = base.join(with_home(pattern, home)?);
    let is_wild = |part: &Component<'_>| part.as_os_str().to_string_lossy().contains(['*', '?']);
    let mut expanded = Expanded { files: vec![PathBuf::new()], stamps: Vec::new(), folder: None };
    for part in pattern.components() {
        if !is_wild(&part) {
            for path in &mut expanded.files {
                path.push(part);
            }
            continue;
        }
        let wanted = part.as_os_str().to_string_lossy();
        let folders = std::mem::take(&mut expanded.files);
        for folder in &folders {
            expanded.stamps.push(Stamp::of(folder, now));
            expanded.files.extend(matching(folder, &wanted));
        }
        expanded.folder = expanded.folder.or_else(|| folders.into_iter().next());
    }
    if expanded.folder.is_some() {
        // A part without wildcard after one with may lead nowhere, yet.
        let (files, missing) = expanded.files.into_iter().partition(|file| file.is_file());
        expanded.files = files;
        let missing: Vec<PathBuf> = missing;
        expanded.stamps.extend(missing.iter().map(|path| Stamp::of(path, now)));
    }
    Ok(expanded)
}

/// What in a folder matches, in order of the names. Hidden files only where the dot is written.
fn matching(folder: &Path, pattern: &str) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut found: Vec<PathBuf> = entries
        .take(MAX_ENTRIES)
        .flatten()
        .filter(|entry| {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            (!name.starts_with('.') || pattern.starts_with('.'))
                && wildcard::matches(pattern, &name)
        })
        .map(|entry| entry.path())
        .collect();
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_list_folders_and_plain_paths_stand_for_themselves() {
        let dir = tempfile::tempdir().unwrap();
        for file in ["team/b.yaml", "team/a.yaml", "team/.c.yaml", "other/a.yaml", "team/d.txt"] {
            let path = dir.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        let found = |pattern: &str| {
            let expanded = expand(pattern, dir.path(), Some(dir.path()), Timestamp::now()).unwrap();
            let looked_at: Vec<PathBuf> =
                expanded.stamps.iter().map(|stamp| stamp.path().to_owned()).collect();
            let short = |paths: &[PathBuf]| -> Vec<String> {
                let parts = paths.iter().map(|p| p.strip_prefix(dir.path()).unwrap());
                parts.map(|p| p.display().to_string()).collect()
            };
            (short(&expanded.files), short(&looked_at))
        };
        let texts = |texts: &[&str]| texts.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(
            found("~/team/*.yaml"),
            (texts(&["team/a.yaml", "team/b.yaml"]), texts(&["team"]))
        );
        assert_eq!(found("*/a.yaml"), (texts(&["other/a.yaml", "team/a.yaml"]), texts(&[""])));
        assert_eq!(found("*/b.yaml"), (texts(&["team/b.yaml"]), texts(&["", "other/b.yaml"])));
        assert_eq!(found("gone.yaml"), (texts(&["gone.yaml"]), vec![]));
        assert!(expand("~you/x", dir.path(), None, Timestamp::now()).is_err());
    }
}
