//! The request table, tested by the documents: with any statement, condition or listed element taken out of them,
//! some row must come out wrong. What none notices is a survivor, and each of those has a reason here.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write as _;

use sekisho::domain::policy::{PolicyKind, requests};
use sekisho::emulator::{self, Ruling};
use serde_json::Value;

use super::config;
use super::engine::{attached, attachment, holds, other_trust, simulated};

/// What is taken out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Statement,
    Condition,
    Element,
}

/// A statement without a part of it; without anything, nothing is left.
struct Mutant {
    part: Part,
    what: String,
    rest: Option<Value>,
}

fn mutants(statement: &Value) -> Vec<Mutant> {
    let mut found = vec![Mutant { part: Part::Statement, what: String::new(), rest: None }];
    for key in ["Action", "NotAction", "Resource", "NotResource"] {
        for (what, rest) in without_elements(&statement[key]) {
            let mut changed = statement.clone();
            changed[key] = rest;
            let what = format!("{key} {what}");
            found.push(Mutant { part: Part::Element, what, rest: Some(changed) });
        }
    }
    for (operator, tests) in statement["Condition"].as_object().into_iter().flatten() {
        for (key, values) in tests.as_object().into_iter().flatten() {
            let mut changed = statement.clone();
            let condition = changed["Condition"].as_object_mut().unwrap();
            let rest = condition[operator].as_object_mut().unwrap();
            rest.remove(key);
            if rest.is_empty() {
                condition.remove(operator);
            }
            if condition.is_empty() {
                changed.as_object_mut().unwrap().remove("Condition");
            }
            let what = format!("{operator} {key}");
            found.push(Mutant { part: Part::Condition, what, rest: Some(changed) });
            for (value, rest) in without_elements(values) {
                let mut changed = statement.clone();
                changed["Condition"][operator][key] = rest;
                let what = format!("{operator} {key} {value}");
                found.push(Mutant { part: Part::Element, what, rest: Some(changed) });
            }
        }
    }
    found
}

/// A list without each of its elements; the last one of a list cannot go.
fn without_elements(list: &Value) -> Vec<(String, Value)> {
    let items = list.as_array().filter(|items| items.len() > 1);
    let items = items.map(Vec::as_slice).unwrap_or_default();
    (0..items.len())
        .map(|i| {
            let mut rest = items.to_vec();
            let gone = rest.remove(i);
            (gone.as_str().unwrap_or_default().to_owned(), Value::from(rest))
        })
        .collect()
}

fn alone(statement: &Value) -> emulator::Document {
    let policy = serde_json::json!({"Version": "2012-10-17", "Statement": [statement]});
    emulator::Document::parse_any_key(&policy.to_string()).unwrap()
}

/// A statement, with the places (document, statement) where it stands: trust policies are one family, made from one
/// template.
struct Family {
    name: String,
    statement: Value,
    places: Vec<(usize, usize)>,
}

/// Survivors that are no gap of the table, by the end of their name.
const EXPLAINED: [(&str, &str); 0] = [];

#[test]
fn a_row_notices_every_statement_and_nearly_everything_in_them() {
    let config = config();
    let documents = attached(&config);
    let rows = requests(&config).unwrap().rows;
    let mut families: Vec<Family> = Vec::new();
    let mut statements: Vec<Vec<emulator::Document>> = Vec::new();
    for (at, attached) in documents.iter().enumerate() {
        let policy: Value = serde_json::from_str(&attached.document.text).unwrap();
        let list = policy["Statement"].as_array().unwrap();
        statements.push(list.iter().map(alone).collect());
        for (i, statement) in list.iter().enumerate() {
            let sid = statement["Sid"].as_str().unwrap();
            let file = match attached.document.kind {
                PolicyKind::TrustPolicy => "dev-account/*.trust.json",
                _ => &attached.document.file,
            };
            let name = format!("{file} {sid}");
            match families.iter_mut().find(|family| family.name == name) {
                Some(family) => family.places.push((at, i)),
                None => families.push(Family {
                    name,
                    statement: statement.clone(),
                    places: vec![(at, i)],
                }),
            }
        }
    }
    // What every statement says to every row that it bears on.
    let asked: Vec<_> = rows.iter().map(simulated).collect();
    let rulings: Vec<Vec<((usize, usize), Ruling)>> = rows
        .iter()
        .zip(&asked)
        .map(|(row, simulated)| {
            let bearing = documents.iter().enumerate().filter_map(|(at, attached)| {
                Some((at, attachment(row.request.bearing(&attached.document)?)))
            });
            let of_statements = bearing.flat_map(|(at, attachment)| {
                statements[at]
                    .iter()
                    .enumerate()
                    .map(move |(i, read)| ((at, i), simulated.ruling(attachment, read)))
            });
            let other = other_trust(row, simulated).map(|ruling| ((usize::MAX, 0), ruling));
            of_statements.chain(other).collect()
        })
        .collect();
    let notices = |row: usize,
                   places: &[(usize, usize)],
                   changed: &[Option<emulator::Document>]| {
        let mut differs = false;
        let mut now = Vec::new();
        for (place, ruling) in &rulings[row] {
            let Some(i) = places.iter().position(|other| other == place) else {
                now.push(ruling.clone());
                continue;
            };
            let bearing = rows[row].request.bearing(&documents[place.0].document).unwrap();
            let new = changed[i].as_ref().map(|read| asked[row].ruling(attachment(bearing), read));
            differs |= new.as_ref() != Some(ruling);
            now.extend(new);
        }
        differs && !holds(rows[row].wanted, asked[row].conclude(&now).outcome)
    };
    let mut score: Vec<(Part, String, bool)> = Vec::new();
    for Family { name, statement, places } in &families {
        for mutant in mutants(statement) {
            // The same part of each statement of the family.
            let changed: Vec<Option<emulator::Document>> = places
                .iter()
                .map(|(at, i)| {
                    let policy: Value =
                        serde_json::from_str(&documents[*at].document.text).unwrap();
                    let same = mutants(&policy["Statement"][*i]);
                    let like =
                        same.into_iter().find(|m| m.part == mutant.part && alike(m, &mutant));
                    like.and_then(|m| m.rest).as_ref().map(alone)
                })
                .collect();
            let felt = (0..rows.len()).any(|row| notices(row, places, &changed));
            score.push((mutant.part, format!("{name} without {}", mutant.what), felt));
        }
    }
    report(&score);
}

/// Whether two mutants of one family lack the same thing: the account's id and the role differ.
fn alike(one: &Mutant, other: &Mutant) -> bool {
    let general = |what: &str| {
        let words = what.split(' ').map(|word| match word.split_once("PrincipalTag/") {
            Some(_) => "aws:PrincipalTag",
            None if word.starts_with('*') => "*",
            None => word,
        });
        words.collect::<Vec<_>>().join(" ")
    };
    general(&one.what) == general(&other.what)
}

fn report(score: &[(Part, String, bool)]) {
    let mut text = String::new();
    let mut unexplained = BTreeSet::new();
    for (part, least) in [(Part::Statement, 100), (Part::Condition, 95), (Part::Element, 80)] {
        let of: Vec<_> = score.iter().filter(|(of, ..)| *of == part).collect();
        let killed = of.iter().filter(|(.., felt)| *felt).count();
        let _ = writeln!(text, "{part:?}: {killed} of {} mutants killed", of.len());
        for (_, name, _) in of.iter().filter(|(.., felt)| !felt) {
            let why = EXPLAINED.iter().find(|(end, _)| name.ends_with(end));
            let _ = writeln!(text, "  survives: {name} ({})", why.map_or("?", |(_, why)| why));
            if why.is_none() {
                unexplained.insert(name.clone());
            }
        }
        assert!(killed * 100 >= of.len() * least, "{text}");
    }
    let _ = std::io::stderr().write_all(text.as_bytes());
    assert!(unexplained.is_empty(), "{text}");
}
