//! Links, the index and the length of pages.

use std::path::{Component, Path, PathBuf};

use super::markdown::{PAGES, manual, page, root};

/// Longer pages are hard to find anything in.
const MAX_LINES: usize = 200;

/// `a/b/../c` as `a/c`.
fn plain(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                out.pop();
            }
            Component::CurDir => {}
            part => out.push(part),
        }
    }
    out
}

#[test]
fn every_link_leads_somewhere() {
    let mut broken = Vec::new();
    let mut checked = 0;
    for page in PAGES.iter() {
        for (line, target) in page.links() {
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            checked += 1;
            let (file, anchor) = target.split_once('#').unwrap_or((&target, ""));
            let path = match file {
                "" => page.path.clone(),
                file => plain(&page.path.parent().unwrap().join(file)),
            };
            let there = PAGES.iter().find(|other| other.path == path);
            let leads = match there {
                Some(other) => anchor.is_empty() || other.anchors().iter().any(|a| a == anchor),
                None => anchor.is_empty() && root().join(&path).exists(),
            };
            if !leads {
                broken.push(format!("{}:{line}: {target}", page.name()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
    assert!(checked > 100, "only {checked} links were found");
}

#[test]
fn every_page_is_in_the_index_and_the_index_in_readme() {
    for (index, readme) in [("docs/README.md", "README.md"), ("docs/ja/README.md", "README.ja.md")]
    {
        let named = |from: &str| {
            let page = page(from);
            let folder = page.path.parent().unwrap();
            let links = page.links().into_iter();
            let path = |(_, link): (usize, String)| {
                plain(&folder.join(link.split('#').next().unwrap_or_default()))
            };
            links.map(path).collect::<Vec<_>>()
        };
        let (indexed, linked) = (named(index), named(readme));
        assert!(linked.contains(&PathBuf::from(index)), "{readme} does not link {index}");
        let folder = Path::new(index).parent().unwrap();
        for page in PAGES.iter().filter(|page| page.path.parent() == Some(folder)) {
            let is_listed = page.path == Path::new(index) || indexed.contains(&page.path);
            assert!(is_listed, "{index} does not list {}", page.name());
        }
    }
}

#[test]
fn pages_are_short() {
    for page in manual() {
        let lines = page.text.lines().count();
        assert!(lines < MAX_LINES, "{}: {lines} lines; split it", page.name());
    }
}
