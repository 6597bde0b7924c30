//! `policy --check`: the shipped table of requests on the person's own documents.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::cli::context::Context;
use crate::domain::fault::{Exit, Fault};
use crate::domain::policy::{
    self, Bearing, Document, Format, Language, Request, Row, Wanted, requests,
};
use crate::domain::text::{count, sanitize};
use crate::emulator::{self, Attachment, Conclusion, Outcome, Simulated};

/// The largest file that is read, as for a config.
const LARGEST: u64 = 16 << 20;

/// Evaluates every row, prints its verdict and the statement that decides.
pub fn run(context: &Context, folder: Option<&Path>) -> Result<Exit, Fault> {
    let config = context.config();
    let first = |faults| super::first_of(context, faults);
    let rendered = policy::render(config, Format::Json, Language::English).map_err(first)?.files;
    let documents = match folder {
        None => rendered,
        Some(folder) => {
            let mut files = Vec::new();
            read(folder, folder, &mut files)?;
            let written = policy::written(&files, &rendered).map_err(first)?;
            if written.is_empty() {
                let folder = sanitize(&folder.to_string_lossy());
                return Err(Fault::new(Exit::Usage, format!("{folder} holds no policies"))
                    .fix(format!("write them first: `sekisho policy --write {folder}`")));
            }
            written
        }
    };
    let documents = parsed(&documents)?;
    let table = requests(config).map_err(first)?;
    let mut wrong = 0;
    for row in &table.rows {
        let conclusion = conclude(&row.request, &documents);
        let is_right = holds(row.wanted, conclusion.outcome);
        wrong += usize::from(!is_right);
        context.out.print(&line(row, &conclusion, is_right, &documents));
    }
    for unused in &table.unused {
        context.out.info(&format!("{} not evaluated: {}", count(unused.rows, "row"), unused.why));
    }
    let (rows, right) = (table.rows.len(), table.rows.len() - wrong);
    context.out.info(&format!("{}: {right} as wanted, {wrong} wrong", count(rows, "row")));
    Ok(if wrong == 0 { Exit::Done } else { Exit::Fault })
}

/// A policy, as it is attached and as the engine reads it.
type Parsed<'a> = (&'a Document, emulator::Document);

fn parsed(documents: &[Document]) -> Result<Vec<Parsed<'_>>, Fault> {
    documents
        .iter()
        .filter(|document| document.kind.is_policy())
        .map(|document| {
            let read = emulator::Document::parse_any_key(&document.text).map_err(|error| {
                Fault::new(Exit::Usage, format!("{} is not a policy", sanitize(&document.file)))
                    .because(error.to_string())
            })?;
            Ok((document, read))
        })
        .collect()
}

/// What the documents that bear on a request come to.
fn conclude(request: &Request, documents: &[Parsed<'_>]) -> Conclusion {
    let keys: BTreeMap<String, Vec<String>> = request
        .keys
        .iter()
        .map(|(key, values)| (key.to_ascii_lowercase(), values.clone()))
        .collect();
    let simulated = Simulated {
        action: &request.action,
        resource: &request.resource,
        principal: &request.principal,
        home: request.home.as_deref(),
        account: &request.account,
        keys,
        is_admin: request.is_admin,
        asks_trust: request.asks_trust(),
    };
    let bearing = documents
        .iter()
        .enumerate()
        .filter_map(|(at, (document, read))| Some((at, request.bearing(document)?, read)));
    let mut positions = Vec::new();
    let mut rulings = Vec::new();
    for (at, bearing, read) in bearing {
        positions.push(at);
        rulings.push(simulated.ruling(attachment(bearing), read));
    }
    if let Some(trust) = &request.trust
        && let Ok(read) = emulator::Document::parse_any_key(&trust.to_string())
    {
        positions.push(usize::MAX);
        rulings.push(simulated.ruling(Attachment::Resource, &read));
    }
    let mut conclusion = simulated.conclude(&rulings);
    // The position among all documents; the trust of a role that is not in them has none.
    conclusion.by = conclusion.by.and_then(|(at, statement)| {
        Some((*positions.get(at)?, statement)).filter(|(at, _)| *at != usize::MAX)
    });
    conclusion
}

fn attachment(bearing: Bearing) -> Attachment {
    match bearing {
        Bearing::Identity => Attachment::Identity,
        Bearing::ServiceControl => Attachment::ServiceControl,
        Bearing::ResourceControl => Attachment::ResourceControl,
        Bearing::Trust => Attachment::Resource,
    }
}

fn holds(wanted: Wanted, outcome: Outcome) -> bool {
    match wanted {
        Wanted::Allow => outcome == Outcome::Allowed,
        Wanted::Deny => outcome != Outcome::Allowed,
        Wanted::Undenied => outcome != Outcome::Denied,
    }
}

fn line(row: &Row, conclusion: &Conclusion, is_right: bool, documents: &[Parsed<'_>]) -> String {
    let mark = if is_right { "ok   " } else { "WRONG" };
    let outcome = match conclusion.outcome {
        Outcome::Allowed => "allowed",
        Outcome::NotAllowed => "not allowed",
        Outcome::Denied => "denied",
    };
    let by = match &conclusion.by {
        Some((at, statement)) => format!(" by {} {statement}", documents[*at].0.file),
        None if conclusion.outcome == Outcome::NotAllowed => " by any statement".into(),
        None => String::new(),
    };
    let unknown = if conclusion.unknown.is_empty() {
        String::new()
    } else {
        format!(" (not understood: {})", conclusion.unknown.join(", "))
    };
    let Row { table, line, request, .. } = row;
    let resource = if request.any_resource { "any" } else { &request.resource };
    let text = format!(
        "{mark} {}:{line} {} {} {}: {outcome}{by}{unknown}",
        table.name(),
        request.who,
        request.action,
        resource
    );
    sanitize(&text) + "\n"
}

/// Every JSON and YAML file below a folder, by its path there.
fn read(root: &Path, folder: &Path, files: &mut Vec<(String, String)>) -> Result<(), Fault> {
    let failed = |path: &Path, why: String| {
        let path = sanitize(&path.to_string_lossy());
        Fault::new(Exit::Usage, format!("{path} cannot be read")).because(why)
    };
    let entries = fs::read_dir(folder).map_err(|error| failed(folder, error.to_string()))?;
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        let Ok(about) = fs::symlink_metadata(&path) else { continue };
        if about.is_dir() && folder.components().count() < root.components().count() + 4 {
            read(root, &path, files)?;
        }
        let is_document = path.extension().is_some_and(|extension| {
            ["json", "yaml", "yml"].iter().any(|known| extension == *known)
        });
        if !about.is_file() || !is_document {
            continue;
        }
        if about.len() > LARGEST {
            return Err(failed(&path, "it is larger than 16 MiB".into()));
        }
        let text = fs::read_to_string(&path).map_err(|error| failed(&path, error.to_string()))?;
        let below = path.strip_prefix(root).unwrap_or(&path);
        files.push((below.to_string_lossy().into_owned(), text));
    }
    Ok(())
}
