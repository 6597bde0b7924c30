//! Reads as much of Markdown as the documentation uses.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// One Markdown file of the repository.
pub struct Page {
    /// Relative to the repository.
    pub path: PathBuf,
    pub text: String,
    /// The fenced code blocks.
    pub blocks: Vec<Block>,
    /// The lines outside of them, with their numbers.
    pub prose: Vec<(usize, String)>,
}

/// A fenced code block.
pub struct Block {
    /// What follows the opening fence: the language, then what sets the block apart.
    pub info: String,
    /// Without the fence's own indentation.
    pub text: String,
    /// The line of the opening fence.
    pub line: usize,
}

/// Every Markdown file of the repository, by path.
pub static PAGES: LazyLock<Vec<Page>> = LazyLock::new(|| {
    let mut paths = Vec::new();
    let mut open = vec![root().to_owned()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                let is_ours = !["target", "tests", "node_modules"].contains(&&*name);
                open.extend((is_ours && !name.starts_with('.')).then_some(path));
            } else if path.extension().is_some_and(|extension| extension == "md") {
                paths.push(path);
            }
        }
    }
    paths.sort();
    let read = |path: &PathBuf| {
        let text = std::fs::read_to_string(path).unwrap();
        Page::parse(path.strip_prefix(root()).unwrap(), text)
    };
    paths.iter().map(read).collect()
});

/// The repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A page by its path.
pub fn page(path: &str) -> &'static Page {
    PAGES.iter().find(|page| page.path == Path::new(path)).unwrap_or_else(|| panic!("no {path}"))
}

/// The pages for people who use sekisho, in both languages. The fact sheet is for those who change it.
pub fn manual() -> impl Iterator<Item = &'static Page> {
    PAGES.iter().filter(|page| {
        let name = page.name();
        name.starts_with("README") || (name.starts_with("docs/") && name != "docs/aws-facts.md")
    })
}

impl Page {
    fn parse(path: &Path, text: String) -> Self {
        let (mut blocks, mut prose) = (Vec::new(), Vec::new());
        let mut open: Option<(usize, Block)> = None;
        for (line, content) in (1..).zip(text.lines()) {
            let bare = content.trim_start();
            let indent = content.len() - bare.len();
            match (open.take(), bare.strip_prefix("```")) {
                (None, Some(info)) => {
                    let info = info.trim().to_owned();
                    open = Some((indent, Block { info, text: String::new(), line }));
                }
                (None, None) => prose.push((line, content.to_owned())),
                (Some((_, block)), Some("")) => blocks.push(block),
                (Some((indent, mut block)), _) => {
                    let blanks = content.len() - bare.len();
                    block.text.push_str(&content[indent.min(blanks)..]);
                    block.text.push('\n');
                    open = Some((indent, block));
                }
            }
        }
        assert!(open.is_none(), "{}: a code block is not closed", path.display());
        Self { path: path.to_owned(), text, blocks, prose }
    }

    /// Its path with slashes.
    pub fn name(&self) -> String {
        self.path.to_string_lossy().into_owned()
    }

    /// Its headings, without their marks and backticks.
    pub fn headings(&self) -> Vec<String> {
        let heading = |(_, line): &(usize, String)| {
            let text = line.trim_start_matches('#');
            let level = line.len() - text.len();
            ((1..=6).contains(&level) && text.starts_with(' ')).then(|| text.trim().to_owned())
        };
        self.prose.iter().filter_map(heading).collect()
    }

    /// What links name to reach its headings, as GitHub makes them.
    pub fn anchors(&self) -> Vec<String> {
        let mut anchors: Vec<String> = Vec::new();
        for heading in self.headings() {
            let kept = |c: &char| c.is_alphanumeric() || [' ', '-', '_'].contains(c);
            let plain: String = heading.chars().filter(kept).collect();
            let anchor = plain.to_lowercase().replace(' ', "-");
            let again = anchors.iter().filter(|other| **other == anchor).count();
            anchors.push(if again == 0 { anchor } else { format!("{anchor}-{again}") });
        }
        anchors
    }

    /// Where its links and pictures lead, with the line of each.
    pub fn links(&self) -> Vec<(usize, String)> {
        let mut links = Vec::new();
        for (line, text) in &self.prose {
            let text = without_code(text);
            for (before, end) in [("](", ')'), ("src=\"", '"'), ("srcset=\"", '"')] {
                for part in text.split(before).skip(1) {
                    let target = part.split(end).next().unwrap_or_default();
                    links.push((*line, target.to_owned()));
                }
            }
        }
        links
    }

    /// The inline code of its prose and tables, with the line of each.
    pub fn spans(&self) -> Vec<(usize, String)> {
        let of = |(line, text): &(usize, String)| {
            spans(text).into_iter().map(|span| (*line, span)).collect::<Vec<_>>()
        };
        self.prose.iter().flat_map(of).collect()
    }

    /// The rows of its tables without the lines between head and body, as cells, with the line of each.
    pub fn rows(&self) -> Vec<(usize, Vec<String>)> {
        let row = |(line, text): &(usize, String)| {
            let inner = text.trim().strip_prefix('|')?.strip_suffix('|')?;
            let cells: Vec<String> =
                cells(inner).iter().map(|cell| cell.trim().to_owned()).collect();
            let is_rule = cells.iter().all(|cell| cell.bytes().all(|b| b == b'-' || b == b':'));
            (!is_rule).then_some((*line, cells))
        };
        self.prose.iter().filter_map(row).collect()
    }

    /// The rows of the table below a heading, without its head.
    pub fn table(&self, heading: &str) -> Vec<Vec<String>> {
        let starts = |(_, line): &&(usize, String)| line.trim_start_matches('#').trim() == heading;
        let (from, _) = self.prose.iter().find(starts).unwrap_or_else(|| {
            panic!("{}: no heading {heading:?}", self.name());
        });
        let next = self.prose.iter().find(|(line, text)| line > from && text.starts_with('#'));
        let until = next.map_or(usize::MAX, |(line, _)| *line);
        let rows = self.rows().into_iter().filter(|(line, _)| (*from..until).contains(line));
        rows.skip(1).map(|(_, cells)| cells).collect()
    }
}

/// A page's text with what stands between `<!-- generated: NAME -->` and `<!-- end: NAME -->` made anew from what was there;
/// `None` where it has no such part.
pub fn regenerate(text: &str, name: &str, make: impl FnOnce(&str) -> String) -> Option<String> {
    let (begin, end) = (format!("<!-- generated: {name} -->\n"), format!("<!-- end: {name} -->"));
    let (before, rest) = text.split_once(&begin)?;
    let (old, after) = rest.split_once(&end)?;
    Some(format!("{before}{begin}{}{end}{after}", make(old)))
}

/// Fails where pages are not what they should be, or writes them as `INSTA_UPDATE=always` writes snapshots.
pub fn hold_up_to_date(texts: &[(String, String)]) {
    let mut stale = Vec::new();
    for (path, text) in texts {
        if *text == page(path).text {
            continue;
        }
        if std::env::var("INSTA_UPDATE").is_ok_and(|how| how == "always") {
            std::fs::write(root().join(path), text).unwrap();
        } else {
            stale.push(format!("{path}: {}", changed_lines(&page(path).text, text)));
        }
    }
    assert!(stale.is_empty(), "INSTA_UPDATE=always writes the tables anew:\n{}", stale.join("\n"));
}

/// The lines in which two texts differ.
fn changed_lines(old: &str, new: &str) -> String {
    similar::TextDiff::from_lines(old, new).unified_diff().context_radius(0).to_string()
}

/// The inline code of a text.
pub fn spans(text: &str) -> Vec<String> {
    let parts: Vec<&str> = text.split('`').collect();
    parts.iter().skip(1).step_by(2).map(|span| span.replace("\\|", "|")).collect()
}

/// A line with its inline code taken out.
fn without_code(text: &str) -> String {
    text.split('`').step_by(2).collect()
}

/// The cells of a table's row: `\|` does not end one.
fn cells(row: &str) -> Vec<String> {
    let mut cells = vec![String::new()];
    let mut escaped = false;
    for c in row.chars() {
        if c == '|' && !escaped {
            cells.push(String::new());
        } else if let Some(cell) = cells.last_mut() {
            cell.push(c);
        }
        escaped = c == '\\';
    }
    cells
}

#[test]
fn the_parts_of_a_page_are_found() {
    let text = "# `A`, b!\n\n## `A`, b!\n[x](y.md#z) `[no](no)`\n| a | `b \\| c` |\n|---|:-:|\n  ```sh programs\n    one\n  ```\n";
    let page = Page::parse(Path::new("p.md"), text.into());
    assert_eq!(page.anchors(), ["a-b", "a-b-1"]);
    assert_eq!(page.links(), [(4, "y.md#z".to_owned())]);
    assert_eq!(page.spans().last().unwrap().1, "b | c");
    assert_eq!(page.rows(), [(5, vec!["a".to_owned(), "`b \\| c`".to_owned()])]);
    let [block] = &page.blocks[..] else { panic!("one block") };
    assert_eq!((&*block.info, &*block.text, block.line), ("sh programs", "  one\n", 7));
}
