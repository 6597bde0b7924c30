//! The config: the documented example, bad files, hostile files, overlays and guards.

use std::path::Path;

use sekisho::domain::config::{Complaint, IncludedFile, Loaded, MainFile, Strictness, assemble};

const EXAMPLE: &str = include_str!("../../config.example.yaml");

/// A config from texts alone: the main file, then included ones named `team1.yaml`, `team2.yaml`, …
fn config(main: &str, includes: &[&str], strictness: Strictness) -> Result<Loaded, Vec<Complaint>> {
    let includes = (1..).zip(includes).map(|(number, text)| {
        IncludedFile::parse(Path::new(&format!("team{number}.yaml")), number, text)
    });
    let main = MainFile::parse(Path::new("config.yaml"), main);
    assemble(main, includes.collect(), strictness, &mut |file, name| {
        Err(format!("file {file} has no {name} beside it"))
    })
}

fn told(complaints: &[Complaint]) -> String {
    let lines: Vec<String> = complaints.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

#[test]
fn the_example_is_a_config_without_complaints() {
    let loaded = config(EXAMPLE, &[], Strictness::Strict)
        .map_err(|c| told(&c))
        .unwrap();
    assert_eq!(loaded.warnings, []);
    assert_eq!(loaded.config.catalog.accounts().len(), 8);
}
