//! Parses the sources and enforces the rules of `ARCHITECTURE.md`: which room may import which, and what may be named
//! where.

mod planted;
mod sources;

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use sources::Sources;

/// Which rooms each room may import.
const ROOMS: [(&str, &[&str]); 6] = [
    ("domain", &[]),
    ("services", &["domain"]),
    ("ui", &["domain"]),
    ("emulator", &[]),
    ("cli", &["ui", "services", "emulator", "domain"]),
    ("main.rs", &["cli"]),
];

/// What only some files may name: crates, paths, methods and macros (a trailing `_` stands for any ending).
const HOMES: [(&str, &[&str]); 14] = [
    ("aws_sdk_", &["services/aws/"]),
    ("aws_config", &["services/aws/"]),
    ("aws_smithy_", &["services/aws/"]),
    ("aws_credential_types", &["services/aws/"]),
    ("ratatui", &["ui/"]),
    ("crossterm", &["ui/"]),
    ("std::fs", &["services/", "cli/"]),
    (
        "std::io::stdout",
        &["cli/out.rs", "cli/verbs/env.rs", "cli/verbs/list.rs", "cli/verbs/verify.rs"],
    ),
    ("std::io::stderr", &["cli/out.rs", "cli/verbs/verify.rs", "ui/screen.rs", "ui/input.rs"]),
    ("print!", &[]),
    ("println!", &[]),
    ("eprint!", &[]),
    ("eprintln!", &[]),
    ("dbg!", &[]),
];

/// Who may read the clock.
const CLOCK_READERS: [&str; 3] = ["services/", "cli/", "emulator/"];

/// The crates that `domain` may name: none does I/O, reads a clock or draws random numbers unasked.
const PURE_CRATES: [&str; 26] = [
    "std",
    "core",
    "alloc",
    "jiff",
    "serde",
    "serde_json",
    "serde_yaml",
    "granit_parser",
    "thiserror",
    "zeroize",
    "subtle",
    "caseless",
    "fuzzy_matcher",
    "unicode_normalization",
    "unicode_script",
    "unicode_security",
    "unicode_segmentation",
    "unicode_width",
    "shlex",
    "similar",
    "strsim",
    "http", // `Uri`
    "percent_encoding",
    "form_urlencoded",
    "hex",
    "base64",
];

/// What is impure in them.
const IMPURE: [&str; 12] = [
    "std::fs",
    "std::io",
    "std::net",
    "std::env",
    "std::os",
    "std::process",
    "std::thread",
    "std::hash::RandomState",
    "std::collections::hash_map::RandomState",
    "jiff::tz::TimeZone::system",
    "jiff::tz::TimeZone::get",
    "jiff::tz::db",
];

/// What is pure in that.
const PURE: [&str; 3] = ["std::process::ExitCode", "std::net::Ip_", "std::net::AddrParseError"];

/// Where a secret's text may be looked at: on its way to AWS, into a child's environment, into the sealed store, to the
/// browser, to stdout.
const SECRET_READERS: [&str; 16] = [
    "services/aws/mod.rs",
    "services/aws/federation.rs",
    "services/aws/token.rs",
    "services/child/environment/mod.rs",
    "services/child/environment/render.rs",
    "services/child/export.rs",
    "services/child/serve.rs",
    "services/login/protocol.rs",
    "services/login/record.rs",
    "services/session/issued.rs",
    "services/session/sessions.rs",
    "services/store/keyfile.rs",
    "services/store/access_keys.rs",
    "services/store/spent.rs",
    "services/console/mod.rs",
    "cli/out.rs",
];

/// The program's own sources.
static TREE: LazyLock<Sources> = LazyLock::new(|| {
    fn walk(dir: &Path, out: &mut Vec<PathBuf>) {
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
    let mut paths = Vec::new();
    walk(&root, &mut paths);
    paths.sort();
    let read = |path: &PathBuf| {
        let name = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
        (name, std::fs::read_to_string(path).unwrap())
    };
    let files: Vec<(String, String)> = paths.iter().map(read).collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    Sources::parse(&files)
});

fn room(file: &str) -> &str {
    file.split_once('/').map_or(file, |(room, _)| room)
}

/// Whether a path is this one or below it.
fn is_or_below(path: &str, what: &str) -> bool {
    if let Some(start) = what.strip_suffix('_') {
        return path.starts_with(start);
    }
    path.strip_prefix(what).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

fn stands_in(file: &str, homes: &[&str]) -> bool {
    homes.iter().any(|home| file.starts_with(home))
}

/// Imports that are not allowed from one file to another.
fn wrong_arrows(tree: &Sources, is_wrong: impl Fn(&str, &str) -> bool) -> Vec<String> {
    tree.arrows()
        .map(|(from, to, line)| (&tree.files[from].name, &tree.files[to].name, line))
        .filter(|(from, to, _)| is_wrong(from, to))
        .map(|(from, to, line)| format!("{from}:{line} names {to}"))
        .collect()
}

/// An import against the order of the rooms.
fn is_against_the_order(from: &str, to: &str) -> bool {
    let (from, to) = (room(from), room(to));
    let rule = ROOMS.iter().find(|(room, _)| *room == from);
    from != to && to != "lib.rs" && !rule.is_some_and(|(_, rooms)| rooms.contains(&to))
}

/// A verb that takes something from the file that calls the verbs.
fn is_from_verb_to_caller(from: &str, to: &str) -> bool {
    from.starts_with("cli/verbs/") && to == "cli/mod.rs"
}

/// Files of a room that name each other in a circle: the shortest one through each file. A module and its own child may.
fn circles(tree: &Sources) -> Vec<String> {
    let mut arrows: BTreeMap<usize, Vec<(usize, usize)>> = BTreeMap::new();
    for (from, to, line) in tree.arrows() {
        let (a, b) = (&tree.files[from], &tree.files[to]);
        if room(&a.name) == room(&b.name) && !a.is_parent_or_child(b) {
            arrows.entry(from).or_default().push((to, line));
        }
    }
    let mut found: BTreeMap<BTreeSet<usize>, String> = BTreeMap::new();
    for start in 0..tree.files.len() {
        let mut came_from: BTreeMap<usize, (usize, usize)> = BTreeMap::new();
        let mut queue = VecDeque::from([start]);
        while let Some(at) = queue.pop_front() {
            for &(next, line) in arrows.get(&at).into_iter().flatten() {
                if let Entry::Vacant(entry) = came_from.entry(next) {
                    entry.insert((at, line));
                    queue.push_back(next);
                }
            }
        }
        let mut text = tree.files[start].name.clone();
        let mut files = BTreeSet::new();
        let mut at = start;
        while let Some(&(before, line)) = came_from.get(&at)
            && files.insert(before)
        {
            text = format!("{}:{line} → {text}", tree.files[before].name);
            at = before;
        }
        if files.contains(&start) {
            found.entry(files).or_insert(text);
        }
    }
    found.into_values().collect()
}

/// Things that stand outside of their home.
fn strays(tree: &Sources) -> Vec<String> {
    let mut found = Vec::new();
    for file in &tree.files {
        for (what, line) in &file.foreign {
            let homes = HOMES.iter().filter(|(kind, _)| is_or_below(what, kind));
            for (_, homes) in homes {
                if !stands_in(&file.name, homes) {
                    found.push(format!("{}:{line} names {what}", file.name));
                }
            }
            if reads_clock(what) && !stands_in(&file.name, &CLOCK_READERS) {
                found.push(format!("{}:{line} reads the clock: {what}", file.name));
            }
        }
    }
    found
}

/// Whether this foreign path reads a clock, or is the type of one that does.
fn reads_clock(path: &str) -> bool {
    path.ends_with("::now")
        || ["std::time::Instant", "std::time::SystemTime"].iter().any(|it| is_or_below(path, it))
}

/// What `domain` names though it does I/O, waits, reads a clock or is left to chance.
fn impurities(tree: &Sources) -> Vec<String> {
    let is_one_of = |what: &str, list: &[&str]| list.iter().any(|it| is_or_below(what, it));
    let is_other_crate = |what: &str| {
        let name = what.split_once("::").map_or("std", |(name, _)| name);
        let is_type = PRIMITIVES.contains(&name) || name.starts_with(char::is_uppercase);
        !is_type && !PURE_CRATES.contains(&name)
    };
    let mut found = Vec::new();
    for file in tree.files.iter().filter(|file| room(&file.name) == "domain") {
        for (what, line) in &file.foreign {
            let is_impure = is_one_of(what, &IMPURE) && !is_one_of(what, &PURE);
            if what == "async" || is_impure || reads_clock(what) || is_other_crate(what) {
                found.push(format!("{}:{line} names {what}", file.name));
            }
        }
    }
    found
}

/// Lower-case names before `::` that are no crates.
const PRIMITIVES: [&str; 17] = [
    "bool", "char", "str", "u8", "u16", "u32", "u64", "u128", "usize", "i8", "i16", "i32", "i64",
    "i128", "isize", "f32", "f64",
];

/// Files that look at a secret's text.
fn secret_readers(tree: &Sources) -> Vec<&str> {
    let exposes = |what: &(String, usize)| what.0 == ".expose()";
    let files = tree.files.iter().filter(|file| file.foreign.iter().any(exposes));
    files.map(|file| file.name.as_str()).collect()
}

#[test]
fn imports_flow_one_way() {
    let wrong = wrong_arrows(&TREE, is_against_the_order);
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn verbs_do_not_import_from_their_caller() {
    let wrong = wrong_arrows(&TREE, is_from_verb_to_caller);
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn files_of_a_room_form_no_circle() {
    let circles = circles(&TREE);
    assert!(circles.is_empty(), "{circles:#?}");
}

#[test]
fn domain_is_pure() {
    let impure = impurities(&TREE);
    assert!(impure.is_empty(), "{impure:#?}");
}

#[test]
fn each_kind_of_thing_has_one_home() {
    let strays = strays(&TREE);
    assert!(strays.is_empty(), "{strays:#?}");
}

#[test]
fn secrets_are_looked_at_in_a_countable_few_places() {
    let found = secret_readers(&TREE);
    for file in &found {
        assert!(SECRET_READERS.contains(file), "{file} looks at a secret");
    }
    for reader in SECRET_READERS {
        assert!(found.contains(&reader), "{reader} no longer does");
    }
}

#[test]
fn the_whole_tree_is_read() {
    let names = |file: &&sources::File| !file.arrows.is_empty();
    assert!(TREE.files.len() > 100, "{} files", TREE.files.len());
    assert!(TREE.files.iter().filter(names).count() > 100, "few files name another");
}
