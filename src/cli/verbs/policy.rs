//! `policy`: the guardrails as documents, printed, written into a folder, or checked there.

mod check;

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use crate::domain::fault::{Exit, Fault};
use crate::domain::policy::{self, Document, Documents, PolicyKind};
use crate::domain::text::{count, sanitize};

use crate::cli::args::{PolicyArgs, PolicyFormat};
use crate::cli::context::Context;
use crate::cli::diff;
use crate::cli::prompt;

/// Renders the documents, or checks them; shows what would change before a file is written.
pub fn run(context: &Context, arguments: &PolicyArgs) -> Result<Exit, Fault> {
    if let Some(folder) = &arguments.check {
        return check::run(context, folder.as_deref());
    }
    let language = arguments.lang.into();
    let documents = policy::render(context.config(), arguments.format.into(), language)
        .map_err(|faults| first_of(context, faults))?;
    for left_out in &documents.left_out {
        context.out.warn(&format!("left out: {} ({})", left_out.what, left_out.why));
    }
    if let Some(folder) = &arguments.write {
        write(context, &documents, folder, arguments.yes)
    } else {
        print(context, &documents, arguments.format);
        Ok(Exit::Done)
    }
}

/// Prints all faults but the first, which is returned.
pub(super) fn first_of(context: &Context, faults: Vec<Fault>) -> Fault {
    let mut faults = faults.into_iter();
    let first = faults.next();
    for fault in faults {
        context.out.fault(&fault);
    }
    first.unwrap_or_else(|| Fault::new(Exit::Fault, "no document could be rendered"))
}

/// The documents on stdout, for programs; which is which on stderr. README.md is for people and only written.
fn print(context: &Context, documents: &Documents, format: PolicyFormat) {
    for document in &documents.files {
        if document.kind == PolicyKind::Readme {
            continue;
        }
        let size = match (document.length(), document.kind.limit()) {
            (Some(length), Some(limit)) => format!(" ({length} of {limit} characters)"),
            _ => String::new(),
        };
        context.out.info(&format!("# {} → {}{size}", document.file, document.target));
        let between = if format == PolicyFormat::CloudFormation { "---\n" } else { "" };
        context.out.print(&format!("{between}{}\n", document.text.trim_end()));
    }
    context.out.info("README.md, which says how to deploy them, comes with --write DIR");
}

fn write(
    context: &Context,
    documents: &Documents,
    folder: &Path,
    yes: bool,
) -> Result<Exit, Fault> {
    let failed = |path: &Path, error: std::io::Error| {
        Fault::new(Exit::Fault, format!("{} cannot be written", sanitize(&path.to_string_lossy())))
            .because(error.to_string())
    };
    let mut changed: Vec<&Document> = Vec::new();
    for document in &documents.files {
        let path = folder.join(&document.file);
        let before = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            Err(error) => return Err(failed(&path, error)),
        };
        let difference = diff::unified(&before, &document.text, &document.file);
        if !difference.is_empty() {
            context.out.print(&difference);
            changed.push(document);
        }
    }
    if changed.is_empty() {
        context.out.info("every document is up to date");
        return Ok(Exit::Done);
    }
    let files = count(changed.len(), "file");
    if !yes {
        prompt::confirm(&format!("write {files} into {}?", sanitize(&folder.to_string_lossy())))?;
    }
    for document in changed {
        let path = folder.join(&document.file);
        let parent = path.parent().unwrap_or(folder);
        fs::create_dir_all(parent).map_err(|error| failed(parent, error))?;
        let mut file =
            tempfile::NamedTempFile::new_in(parent).map_err(|error| failed(&path, error))?;
        std::io::Write::write_all(&mut file, document.text.as_bytes())
            .map_err(|error| failed(&path, error))?;
        make_readable(file.as_file()).map_err(|error| failed(&path, error))?;
        file.persist(&path).map_err(|error| failed(&path, error.error))?;
    }
    context
        .out
        .info(&format!("wrote {files}; see README.md there for the order to deploy them in"));
    Ok(Exit::Done)
}

/// Documents are for colleagues and pipelines: not secret, so not 0600 like a temporary file.
fn make_readable(file: &fs::File) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(fs::Permissions::from_mode(0o644))
}
