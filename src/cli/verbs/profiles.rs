//! `profiles`: a profile for every target, in a block of `~/.aws/config` that is sekisho's own.

use std::io::ErrorKind;
use std::path::Path;

use crate::domain::account::{Overrides, Target};
use crate::domain::duration::show_duration;
use crate::domain::fault::{Exit, Fault};
use crate::domain::guard::Guard;
use crate::domain::profiles::{self, Damaged, Parts, Profile, is_one_line};
use crate::domain::text::{sanitize, shell_quoted};
use crate::services::aws::SharedFiles;
use crate::services::child::process;
use crate::services::store::files::write_through;

use crate::cli::args::ProfilesArgs;
use crate::cli::context::Context;
use crate::cli::{diff, prompt};

/// Prints, writes or removes the block; the rest of the file stays byte for byte.
pub fn run(context: &Context, arguments: &ProfilesArgs) -> Result<Exit, Fault> {
    if arguments.plain {
        let targets = targets(context, arguments);
        let names = names(arguments, &targets)?;
        context.out.print(&profiles::plain(&targets, &names, context.config().auth.account));
        return Ok(Exit::Done);
    }
    let SharedFiles { credentials, config } = files(context)?;
    let body = (!arguments.remove).then(|| body(context, arguments)).transpose()?;
    let file = read(&config)?;
    let parts = Parts::of(&file).map_err(|Damaged(line)| damaged(&config, line))?;
    if let Some(body) = &body {
        refuse_duplicates(body, &parts, &config)?;
        let elsewhere = read(&credentials)?;
        if let Ok(parts) = Parts::of(&elsewhere) {
            refuse_duplicates(body, &parts, &credentials)?;
        }
    }
    if !arguments.write && !arguments.remove {
        context.out.print(&body.unwrap_or_default());
        return Ok(Exit::Done);
    }
    let shown = sanitize(&config.to_string_lossy());
    let before = String::from_utf8_lossy(parts.body().unwrap_or_default());
    let difference = diff::unified(&before, body.as_deref().unwrap_or_default(), &shown);
    if difference.is_empty() {
        context.out.info(&format!("{shown} is up to date"));
        return Ok(Exit::Done);
    }
    context.out.print(&difference);
    if !arguments.yes {
        prompt::confirm(&format!("write this to {shown}?"))?;
    }
    let after = body.map_or_else(|| parts.without(), |body| parts.with(&body));
    write_through(&config, &after)
        .map_err(|error| error.fault(format!("{shown} cannot be written")))?;
    context.out.info(&format!("wrote {shown}"));
    Ok(Exit::Done)
}

/// AWS's shared files. A demo has its own.
fn files(context: &Context) -> Result<SharedFiles, Fault> {
    let Some(demo) = context.world().demo() else { return SharedFiles::current() };
    let folder = demo.folder().join("aws");
    Ok(SharedFiles { credentials: folder.join("credentials"), config: folder.join("config") })
}

fn read(path: &Path) -> Result<Vec<u8>, Fault> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(bytes),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => {
            let path = sanitize(&path.to_string_lossy());
            Err(Fault::new(Exit::Fault, format!("{path} cannot be read"))
                .because(error.to_string()))
        }
    }
}

/// Every target that needs no confirmation, and the others where they are included.
fn targets(context: &Context, arguments: &ProfilesArgs) -> Vec<Target> {
    let catalog = &context.config().catalog;
    let overrides = Overrides {
        ambient_region: None, // the file outlives this shell
        ..context.overrides()
    };
    let targets = catalog.rows().map(|row| catalog.resolve(row, &overrides));
    let (guarded, open): (Vec<Target>, Vec<Target>) =
        targets.partition(|target| target.guard == Guard::Confirm && !arguments.include_guarded);
    if !guarded.is_empty() {
        let count = guarded.len();
        context.out.info(&format!(
            "guarded targets left out: {count} (`--include-guarded` includes them)"
        ));
    }
    open
}

/// The targets' names, by the template or by sekisho's own rule.
fn names(arguments: &ProfilesArgs, targets: &[Target]) -> Result<Vec<String>, Fault> {
    let Some(template) = &arguments.name else { return Ok(profiles::names(targets)) };
    template.names(targets).map_err(|why| {
        Fault::new(Exit::Usage, format!("the names of the profiles cannot be `{template}`"))
            .because(why.to_string())
            .fix("use {id} in the template, or a prefix")
    })
}

/// The block: every target's profile.
fn body(context: &Context, arguments: &ProfilesArgs) -> Result<String, Fault> {
    let open = targets(context, arguments);
    let names = names(arguments, &open)?;
    let command = command(context)?;
    let profile = |(target, name): (&Target, String)| {
        // By id: it needs no quotes, whatever the account is called.
        let id = target.id;
        let confirm = match target.guard {
            Guard::Confirm => format!(" --confirm {id}"),
            Guard::None | Guard::Warn => String::new(),
        };
        Profile {
            name,
            process: format!("{command}{confirm} {id}/{}", target.role.name()),
            region: target.region.as_ref().map(ToString::to_string),
        }
    };
    let all: Vec<Profile> = open.iter().zip(names).map(profile).collect();
    Ok(profiles::body(&all, &arguments.set, &made_by(context, arguments)))
}

/// The command that writes this block again.
fn made_by(context: &Context, arguments: &ProfilesArgs) -> String {
    let mut words = vec!["sekisho".to_owned(), "profiles".to_owned(), "--write".to_owned()];
    let mut option =
        |name: &str, value: &str| words.push(format!("{name} {}", shell_quoted(value)));
    if let Some(template) = &arguments.name {
        option("--name", &template.to_string());
    }
    for setting in &arguments.set {
        option("--set", &setting.to_string());
    }
    if let Some(scope) = context.common().scope {
        option("--scope", scope.name());
    }
    if let Some(duration) = context.common().duration {
        option("--duration", &show_duration(duration));
    }
    if arguments.include_guarded {
        words.push("--include-guarded".to_owned());
    }
    words.join(" ")
}

/// How sekisho is called from anywhere, as it was called now.
fn command(context: &Context) -> Result<String, Fault> {
    let mut words = vec![word(&process::own_program()?)?, "credential-process".into()];
    if let Some(config) = context.named_config() {
        words.extend(["--config".into(), word(&config)?]);
    }
    if let Some(scope) = context.common().scope {
        words.extend(["--scope".into(), scope.name().into()]);
    }
    if let Some(duration) = context.common().duration {
        words.extend(["--duration".into(), show_duration(duration)]);
    }
    Ok(words.join(" "))
}

/// A path as one word for every SDK: some start a shell, some split the words themselves, the Go SDK v1 does both.
fn word(path: &Path) -> Result<String, Fault> {
    let refused = |why: &str| {
        let path = sanitize(&path.to_string_lossy());
        Fault::new(Exit::Usage, format!("{path} cannot be used in ~/.aws/config"))
            .because(why)
            .fix("move it, or link to it from a path without such characters")
    };
    let text = path.to_str().ok_or_else(|| refused("it is not UTF-8"))?;
    if !is_one_line(text) {
        return Err(refused(
            "a path there is one line of text, and \" #\" or \" ;\" would start a comment",
        ));
    }
    if let Some(c) = text.chars().find(|c| "'\"$`\\".contains(*c)) {
        return Err(refused(&format!("the SDKs do not agree on what {c} means there")));
    }
    Ok(shell_quoted(text))
}

fn refuse_duplicates(body: &str, parts: &Parts<'_>, file: &Path) -> Result<(), Fault> {
    let others = parts.others();
    let ours = Parts::of(body.as_bytes()).map(|parts| parts.others()).unwrap_or_default();
    match ours.intersection(&others).next() {
        None => Ok(()),
        Some(name) => {
            let file = sanitize(&file.to_string_lossy());
            Err(Fault::new(Exit::Usage, format!("the profile {name} already exists"))
                .because(format!("{file} has it outside sekisho's block"))
                .fix("rename or remove that profile, then try again"))
        }
    }
}

fn damaged(file: &Path, line: usize) -> Fault {
    let file = sanitize(&file.to_string_lossy());
    Fault::new(Exit::Usage, format!("sekisho's block in {file} is damaged"))
        .because(format!("the marker in line {line} has no counterpart"))
        .fix("remove the lines from `# >>> sekisho profiles` to `# <<< sekisho profiles`, then try again")
}
