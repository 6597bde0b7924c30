//! Reads the sources and holds the import rules of `ARCHITECTURE.md`.

use std::path::Path;

/// Which rooms each room may know.
const RULES: [(&str, &[&str]); 5] = [
    ("domain", &["domain"]),
    ("services", &["services", "domain"]),
    ("ui", &["ui", "domain"]),
    ("emulator", &["emulator"]),
    ("cli", &["cli", "ui", "services", "emulator", "domain"]),
];

/// Crates and std parts that only some files may name: what, and where it may stand.
const HOMES: [(&str, &[&str]); 8] = [
    ("aws_sdk_", &["services/aws"]),
    ("aws_config", &["services/aws"]),
    ("aws_smithy", &["services/aws"]),
    ("ratatui", &["ui/"]),
    ("crossterm", &["ui/"]),
    ("std::fs", &["services/", "cli/"]),
    ("Timestamp::now", &["services/", "cli/", "emulator/"]),
    ("println!", &["cli/out.rs"]),
];

/// Where a secret's text may be looked at: on its way to AWS, into a child's environment, into the sealed store, to the
/// browser, to stdout.
const SECRET_READERS: [&str; 12] = [
    "services/aws/mod.rs",
    "services/aws/federation.rs",
    "services/child/environment/mod.rs",
    "services/child/environment/render.rs",
    "services/child/export.rs",
    "services/child/serve.rs",
    "services/session/sessions.rs",
    "services/store/keyfile.rs",
    "services/store/access_keys.rs",
    "services/store/spent.rs",
    "services/console/mod.rs",
    "cli/out.rs",
];

fn sources() -> Vec<(String, String)> {
    fn walk(dir: &Path, out: &mut Vec<std::path::PathBuf>) {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, out);
            } else if path.extension().is_some_and(|e| e == "rs") {
                out.push(path);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    walk(&root, &mut files);
    files
        .into_iter()
        .map(|file| {
            let text = std::fs::read_to_string(&file).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            let code = code
                .lines()
                .filter(|line| !line.trim_start().starts_with("//"))
                .collect::<Vec<_>>()
                .join("\n");
            (file.strip_prefix(&root).unwrap().to_str().unwrap().to_owned(), code)
        })
        .collect()
}

#[test]
fn imports_flow_one_way() {
    let mut wrong = Vec::new();
    for (file, code) in sources() {
        let Some((_, allowed)) =
            RULES.iter().find(|(room, _)| file.starts_with(&format!("{room}/")))
        else {
            continue;
        };
        for (room, _) in RULES {
            if code.contains(&format!("crate::{room}")) && !allowed.contains(&room) {
                wrong.push(format!("{file} knows {room}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn each_kind_of_thing_has_one_home() {
    let mut wrong = Vec::new();
    for (file, code) in sources() {
        for (what, homes) in HOMES {
            if code.contains(what) && !homes.iter().any(|home| file.starts_with(home)) {
                wrong.push(format!("{file} names {what}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn secrets_are_looked_at_in_a_countable_few_places() {
    let files = sources();
    let looks = |file: &str| {
        let (_, code) = files.iter().find(|(name, _)| name == file).unwrap();
        code.contains(".expose()")
    };
    let readers: Vec<&str> =
        files.iter().map(|(file, _)| file.as_str()).filter(|file| looks(file)).collect();
    for file in &readers {
        assert!(SECRET_READERS.contains(file), "{file} looks at a secret");
    }
    for reader in SECRET_READERS {
        assert!(readers.contains(&reader), "{reader} no longer does");
    }
}

#[test]
fn the_rules_see_what_they_forbid() {
    let files = sources();
    assert!(files.len() > 10, "no sources found");
    assert!(
        files
            .iter()
            .any(|(file, code)| file.starts_with("services/") && code.contains("crate::domain"))
    );
}
