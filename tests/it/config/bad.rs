//! Each bad config: a fixture in `bad/` and a snapshot of what is said about it.

use std::fmt::Write as _;

use super::{Strictness, config, told};

#[test]
fn every_bad_config_is_told_what_is_wrong_and_how_to_mend_it() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/config/bad");
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert!(names.len() > 20);
    for name in names {
        let text = std::fs::read_to_string(format!("{folder}/{name}")).unwrap();
        // Included files follow the main one in the fixture.
        let mut parts = text.split("#--- included\n");
        let main = parts.next().unwrap();
        let includes: Vec<&str> = parts.collect();
        let mut said = String::new();
        for strictness in [Strictness::Tolerant, Strictness::Strict] {
            let outcome = match config(main, &includes, strictness) {
                Ok(loaded) => {
                    assert!(!loaded.warnings.is_empty(), "nothing is said about {name}");
                    format!("warnings\n{}", told(&loaded.warnings))
                }
                Err(complaints) => {
                    assert!(!complaints.is_empty(), "{name} fails without a reason");
                    format!("complaints\n{}", told(&complaints))
                }
            };
            // A main file's faults are the same either way.
            if !said.contains(&outcome) {
                let _ = write!(said, "{strictness:?} {outcome}\n\n");
            }
        }
        insta::assert_snapshot!(name.trim_end_matches(".yaml").to_owned(), said);
    }
}
