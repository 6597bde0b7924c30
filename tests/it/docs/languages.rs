//! The Japanese pages: one for each English page, with the same code.

use std::path::{Path, PathBuf};

use super::markdown::{Block, PAGES, Page, manual, spans};

impl Page {
    pub fn is_japanese(&self) -> bool {
        self.path.starts_with("docs/ja") || self.path == Path::new("README.ja.md")
    }

    /// Where its Japanese page is.
    fn japanese(&self) -> PathBuf {
        if self.path == Path::new("README.md") {
            "README.ja.md".into()
        } else {
            Path::new("docs/ja").join(self.path.file_name().unwrap())
        }
    }
}

/// A block without its comments, which are prose.
fn code(block: &Block) -> (String, Vec<String>) {
    let bare = |line: &str| {
        let comment = line.starts_with('#').then_some(0).or_else(|| line.find(" #"));
        line[..comment.unwrap_or(line.len())].trim_end().to_owned()
    };
    let lines = block.text.lines().map(bare).filter(|line| !line.trim().is_empty());
    (block.info.clone(), lines.collect())
}

/// The inline code of each row of its tables.
fn table_code(page: &Page) -> Vec<Vec<String>> {
    let code = |(_, cells): &(usize, Vec<String>)| {
        let mut all: Vec<String> = cells.iter().flat_map(|cell| spans(cell)).collect();
        all.sort();
        all
    };
    page.rows().iter().map(code).collect()
}

/// How many kana and kanji a text has.
fn japanese_letters(text: &str) -> usize {
    let is_japanese =
        |c: &char| ('\u{3041}'..='\u{30ff}').contains(c) || ('\u{4e00}'..='\u{9fff}').contains(c);
    text.chars().filter(is_japanese).count()
}

#[test]
fn each_page_has_its_japanese_one_with_the_same_code() {
    let mut expected = Vec::new();
    for english in manual().filter(|page| !page.is_japanese()) {
        let path = english.japanese();
        let japanese = PAGES.iter().find(|page| page.path == path);
        let japanese = japanese.unwrap_or_else(|| panic!("there is no {}", path.display()));
        expected.push(path);
        let name = japanese.name();
        assert_eq!(japanese.blocks.len(), english.blocks.len(), "{name}: code blocks");
        for (ours, theirs) in japanese.blocks.iter().zip(&english.blocks) {
            assert_eq!(code(ours), code(theirs), "{name}:{}", ours.line);
        }
        let (ours, theirs) = (table_code(japanese), table_code(english));
        for (at, (ours, theirs)) in ours.iter().zip(&theirs).enumerate() {
            let (line, _) = japanese.rows()[at];
            assert_eq!(ours, theirs, "{name}:{line}");
        }
        assert_eq!(ours.len(), theirs.len(), "{name}: rows of tables");
        assert_eq!(japanese.headings().len(), english.headings().len(), "{name}: headings");
        let letters = japanese_letters(&japanese.text);
        assert!(letters * 8 > english.text.len(), "{name} is not in Japanese: {letters} letters");
    }
    for page in manual().filter(|page| page.is_japanese()) {
        assert!(expected.contains(&page.path), "{} has no English page", page.name());
    }
}
