//! Tables that repeat what the code knows: verbs and options, variables, exit codes, JSON fields, checks, messages.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::CommandFactory;
use sekisho::cli::args::CommandLine;
use sekisho::domain::fault::Exit;
use sekisho::services::child::environment::IDENTITY;

use super::commands::answer;
use super::markdown::{page, root, spans};
use crate::pty::terminal::{self, Pty};
use crate::verbs::home::SEKISHO;

#[test]
fn every_verb_and_option_is_listed() {
    type Options = BTreeSet<String>;
    fn walk(command: &clap::Command, path: &str, verbs: &mut Vec<(String, Options)>) {
        for verb in command.get_subcommands().filter(|verb| !verb.is_hide_set()) {
            let path = format!("{path} {}", verb.get_name());
            if verb.has_subcommands() {
                walk(verb, &path, verbs);
                continue;
            }
            let own = verb.get_arguments().filter(|a| !a.is_hide_set() && !a.is_global_set());
            let names = own.filter_map(clap::Arg::get_long).filter(|long| *long != "help");
            verbs.push((path, names.map(|long| format!("--{long}")).collect()));
        }
    }
    let mut verbs = Vec::new();
    walk(&CommandLine::command(), "sekisho", &mut verbs);
    let rows = page("docs/verbs.md").rows();
    for (verb, options) in verbs {
        let is_it = |span: &String| *span == verb || span.starts_with(&format!("{verb} "));
        let (line, cells) = rows
            .iter()
            .find(|(_, cells)| spans(&cells[0]).iter().any(is_it))
            .unwrap_or_else(|| panic!("docs/verbs.md does not list {verb}"));
        let words = cells[1..].join(" ");
        let words = words.split(|c: char| !(c.is_alphanumeric() || c == '-'));
        let listed: Options = words
            .filter(|word| word.len() > 2 && word.starts_with("--"))
            .map(str::to_owned)
            .collect();
        assert_eq!(listed, options, "docs/verbs.md:{line}: {verb}");
    }
    let common = page("docs/verbs.md").table("Options of every verb");
    let command = CommandLine::command();
    let globals =
        command.get_arguments().filter(|a| a.is_global_set()).filter_map(clap::Arg::get_long);
    for option in globals {
        let listed = common.iter().any(|row| row[0].contains(&format!("--{option}")));
        assert!(listed, "docs/verbs.md does not list --{option}");
    }
}

#[test]
fn exit_codes_are_those_of_the_program() {
    let code = |exit: Exit| match exit {
        // A new one must be listed below, too.
        Exit::Done
        | Exit::Fault
        | Exit::Usage
        | Exit::Refused
        | Exit::NeedsPerson
        | Exit::Open
        | Exit::Undecided
        | Exit::CannotRun
        | Exit::NotFound
        | Exit::Cancelled
        | Exit::Child(_) => exit.code().to_string(),
    };
    let all = [
        Exit::Done,
        Exit::Fault,
        Exit::Usage,
        Exit::Refused,
        Exit::NeedsPerson,
        Exit::Open,
        Exit::Undecided,
        Exit::CannotRun,
        Exit::NotFound,
        Exit::Cancelled,
    ];
    let table = page("docs/reference.md").table("Exit codes");
    let listed: Vec<&str> = table.iter().map(|row| row[0].trim_matches('`')).collect();
    let expected: Vec<String> = all.map(code).into_iter().chain(["128+N".to_owned()]).collect();
    assert_eq!(listed, expected);
}

/// The sources without their tests, joined where a text goes on in the next line.
fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let mut open = vec![root().join(folder)];
    let mut found = Vec::new();
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        let joined: Vec<&str> = code.split("\\\n").map(str::trim_start).collect();
        found.push((path, joined.concat()));
    }
    found
}

/// Whether a word names an environment variable that matters here.
fn is_variable(word: &str) -> bool {
    let starts = [
        "AWS_", "AMAZON_", "AWSUME_", "AWSU_", "GRANTED_", "ASSUMED_", "SEKISHO_", "XDG_", "SSH_",
        "SUDO_", "DOAS_", "WSL_", "NO_", "LC_",
    ];
    let shape = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    let (body, is_pattern) = word.strip_suffix('*').map_or((word, false), |body| (body, true));
    let named =
        starts.iter().any(|start| body.starts_with(start) && (is_pattern || body != *start));
    body.chars().all(shape) && (named || body.ends_with("_PROXY"))
}

#[test]
fn environment_variables_are_those_of_the_program() {
    let mut read = BTreeSet::new();
    for (path, text) in sources("src") {
        if !path.starts_with(root().join("src/emulator")) {
            read.extend(text.split('"').filter(|word| is_variable(word)).map(str::to_owned));
        }
    }
    read.extend(IDENTITY.map(str::to_owned));
    let page = page("docs/reference.md");
    let documented: BTreeSet<String> =
        page.spans().into_iter().map(|(_, span)| span).filter(|span| is_variable(span)).collect();
    let missing: Vec<_> = read.difference(&documented).collect();
    assert!(missing.is_empty(), "docs/reference.md does not say what these are for: {missing:#?}");
    let known: String =
        sources("src").into_iter().chain(sources("assets/shell")).map(|(_, text)| text).collect();
    let unknown: Vec<_> =
        documented.iter().filter(|name| !known.contains(name.trim_end_matches('*'))).collect();
    assert!(unknown.is_empty(), "docs/reference.md names {unknown:#?}, which the code does not");
    let set = page.table("Set in a child");
    let set: BTreeSet<String> = set.iter().flat_map(|row| spans(&row[0])).collect();
    let printed = demo_json(&["env", "dev-tanaka", "--format", "json"]);
    for name in printed.as_object().unwrap().keys() {
        // These belong to the demo.
        if !["SEKISHO_DEMO", "AWS_ENDPOINT_URL", "NO_PROXY", "no_proxy"].contains(&name.as_str()) {
            assert!(set.contains(name), "docs/reference.md does not say that {name} is set");
        }
    }
}

/// What a verb prints as JSON in a demo.
fn demo_json(arguments: &[&str]) -> serde_json::Value {
    let home = tempfile::tempdir().unwrap();
    let mut command = terminal::command("sh", home.path());
    command.env("TMPDIR", home.path());
    command.args(["-c", "exec \"$0\" demo \"$@\" > out", SEKISHO]);
    command.args(arguments);
    Pty::spawn(command).attend(answer);
    let text = std::fs::read_to_string(home.path().join("out")).unwrap();
    serde_json::from_str(&text).unwrap_or_else(|why| panic!("{arguments:?}: {why}\n{text}"))
}

#[test]
fn json_fields_are_those_of_the_program() {
    fn fields(value: &serde_json::Value) -> BTreeSet<String> {
        let object = value.as_array().map_or(value, |list| &list[0]);
        object.as_object().unwrap().keys().cloned().collect()
    }
    for (heading, arguments) in [
        ("`list --json`", &["list", "--json"][..]),
        ("`status --json`", &["status", "--json"]),
        ("`doctor --json`", &["doctor", "--offline", "--json"]),
        ("`verify --json`", &["verify", "dev-tanaka", "--yes", "--json"]),
    ] {
        let table = page("docs/reference.md").table(heading);
        let documented: BTreeSet<String> = table.iter().flat_map(|row| spans(&row[0])).collect();
        assert_eq!(documented, fields(&demo_json(arguments)), "{heading}");
    }
}

#[test]
fn the_variables_of_agents_are_those_of_the_program() {
    let known = sekisho::domain::agents::MARKERS.map(|marker| marker.variable.to_owned());
    for (path, heading) in [
        ("docs/agents.md", "How an agent is recognized"),
        ("docs/ja/agents.md", "エージェントの見分け方"),
    ] {
        let listed: Vec<String> =
            page(path).table(heading).iter().flat_map(|row| spans(&row[0])).collect();
        assert_eq!(listed, known, "{path}");
    }
}

#[test]
fn every_check_of_doctor_is_explained() {
    let report = demo_json(&["doctor", "--offline", "--json"]);
    let ids = report["checks"].as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap());
    let table = page("docs/doctor.md").table("What doctor checks");
    let listed: Vec<String> = table.iter().flat_map(|row| spans(&row[0])).collect();
    assert_eq!(listed, ids.map(str::to_owned).collect::<Vec<_>>());
}

#[test]
fn messages_are_those_of_the_program() {
    let sources: Vec<_> = sources("src").into_iter().chain(sources("assets/shell")).collect();
    let page = page("docs/troubleshooting.md");
    let headings: Vec<&str> =
        page.prose.iter().filter_map(|(_, line)| line.strip_prefix("### ")).collect();
    assert!(headings.len() > 20, "{headings:?}");
    for heading in &headings {
        let parts: Vec<&str> = heading.split('…').map(str::trim).collect();
        let says = |line: &str| parts.iter().all(|part| line.contains(part));
        let is_said = sources.iter().any(|(_, text)| text.lines().any(says));
        assert!(is_said, "the program does not say {heading:?}");
    }
    // Everything that AWS's errors become has its section.
    let file = Path::new("services/aws/fault_text.rs");
    let (_, text) = sources.iter().find(|(path, _)| path.ends_with(file)).unwrap();
    for fault in text.split("Fault::new(").skip(1) {
        let text = fault.split('"').nth(1).unwrap();
        let before = fault.split('"').next().unwrap();
        if before.contains(';') || before.contains(", what)") {
            continue; // worded elsewhere
        }
        let mut shown = text.to_owned();
        while let (Some(from), Some(to)) = (shown.find('{'), shown.find('}')) {
            shown.replace_range(from..=to, "…");
        }
        assert!(headings.contains(&shown.as_str()), "docs/troubleshooting.md lacks {shown:?}");
    }
}
