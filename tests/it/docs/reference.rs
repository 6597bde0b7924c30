//! Tables that repeat what the code knows: config keys, verbs and options, variables, exit codes, JSON fields, checks,
//! messages.
//!
//! The tables of config keys are made from the schema and the comments of `config.example.yaml`; where they are out of
//! date, `env -u CI INSTA_UPDATE=always cargo test --test it -- docs::reference` writes them, as it writes snapshots.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use clap::CommandFactory;
use sekisho::cli::args::CommandLine;
use sekisho::domain::config::schema::Section;
use sekisho::domain::fault::Exit;
use sekisho::domain::keymap;
use sekisho::services::child::environment::IDENTITY;

use super::markdown::{Page, page, root, spans};
use crate::verbs::home::SEKISHO;

/// A key in `config.example.yaml`.
struct Example {
    value: String,
    comment: String,
}

/// Splits `value  # comment`.
fn split_comment(text: &str) -> (&str, &str) {
    let (mut quote, mut before) = (None, ' ');
    for (at, c) in text.char_indices() {
        match quote {
            Some(open) if c == open => quote = None,
            // An apostrophe inside a word quotes nothing.
            None if matches!(c, '"' | '\'') && " [{".contains(before) => quote = Some(c),
            None if c == '#' && before == ' ' => return (text[..at].trim(), text[at + 1..].trim()),
            _ => {}
        }
        before = c;
    }
    (text.trim(), "")
}

/// The section whose keys stand below these.
fn section(parents: &[(usize, String)]) -> Option<Section> {
    let names: Vec<&str> = parents.iter().map(|(_, name)| name.as_str()).collect();
    Some(match names[..] {
        [] => Section::Top,
        ["auth"] => Section::Auth,
        ["auth", "mfa"] => Section::Device,
        ["defaults"] => Section::Defaults,
        ["guardrails"] => Section::Guardrails,
        ["accounts"] => Section::Account,
        ["accounts", "roles"] => Section::Role,
        _ => return None,
    })
}

/// What the example says about each key: the comment behind it, else those above it, else its chapter's title.
fn examples() -> BTreeMap<(String, String), Example> {
    let text = std::fs::read_to_string(root().join("config.example.yaml")).unwrap();
    let mut found: BTreeMap<(String, String), Example> = BTreeMap::new();
    let mut parents: Vec<(usize, String)> = Vec::new();
    let (mut title, mut above) = (String::new(), Vec::new());
    for line in text.lines() {
        // A key that is commented out documents itself all the same.
        let line = line.replacen("# - ", "- ", 1).replacen("# hide:", "hide:", 1);
        let dashed = line.trim_start();
        let dashed = dashed.strip_prefix("- ").unwrap_or(dashed);
        let indent = line.len() - dashed.len();
        let is_key =
            |key: &str| !key.is_empty() && key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        let Some((key, rest)) = dashed.split_once(':').filter(|(key, _)| is_key(key)) else {
            match dashed.strip_prefix('#') {
                Some(comment) if comment.ends_with('─') => {
                    title = comment.trim_matches(['─', ' ']).to_owned();
                }
                Some(comment) => above.push(comment.trim().to_owned()),
                None => above.clear(),
            }
            continue;
        };
        parents.retain(|(outer, _)| *outer < indent);
        if let Some(section) = section(&parents) {
            let (value, comment) = split_comment(rest);
            let comments = [comment.to_owned(), above.join(" "), std::mem::take(&mut title)];
            let comment = comments.into_iter().find(|comment| !comment.is_empty());
            let known = found
                .entry((format!("{section:?}"), key.to_owned()))
                .or_insert(Example { value: value.to_owned(), comment: String::new() });
            if known.comment.is_empty() {
                known.comment = comment.unwrap_or_default();
            }
        }
        parents.push((indent, key.to_owned()));
        above.clear();
    }
    found
}

/// The language of a page, where the tables differ.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Language {
    English,
    Japanese,
}

/// One generated table: the words of its head, and rows of code, meaning and, for keys, whether included files take it.
struct Table {
    name: String,
    code: Vec<[String; 2]>,
    meaning: Vec<String>,
    included: Option<Vec<bool>>,
}

fn tables() -> Vec<Table> {
    let examples = examples();
    let of = |section: Section| {
        let known = |key: &&'static str| {
            let example = examples.get(&(format!("{section:?}"), (*key).to_owned()));
            example.unwrap_or_else(|| panic!("config.example.yaml has no {key} of {section:?}"))
        };
        let keys = section.keys();
        for key in keys {
            assert!(
                !known(key).comment.is_empty(),
                "config.example.yaml does not explain {key} of {section:?}"
            );
        }
        Table {
            name: format!("{section:?}").to_lowercase(),
            code: keys.iter().map(|key| [(*key).to_owned(), known(key).value.clone()]).collect(),
            meaning: keys.iter().map(|key| known(key).comment.clone()).collect(),
            included: Some(keys.iter().map(|key| !section.is_main_only(key)).collect()),
        }
    };
    let actions = Table {
        name: "actions".into(),
        code: keymap::TABLE.iter().map(|row| [row.name.to_owned(), row.keys.join(" ")]).collect(),
        meaning: keymap::TABLE.iter().map(|row| row.help.to_owned()).collect(),
        included: None,
    };
    Section::ALL.into_iter().map(of).chain([actions]).collect()
}

/// Plain text with inline code, as a table's cell.
fn escaped(text: &str) -> String {
    let mut is_code = false;
    let mut cell = String::new();
    for c in text.chars() {
        is_code ^= c == '`';
        if c == '|' || (c == '*' && !is_code) {
            cell.push('\\');
        }
        cell.push(c);
    }
    cell
}

impl Table {
    /// The table in a page's language. What is known in Japanese stays, by its key.
    fn render(&self, language: Language, known: &BTreeMap<String, String>) -> String {
        let japanese = language == Language::Japanese;
        let head = match (&self.included, japanese) {
            (Some(_), false) => {
                "| key | example | meaning | in an included file |\n|---|---|---|---|\n"
            }
            (Some(_), true) => {
                "| キー | 例 | 意味 | インクルードしたファイルで |\n|---|---|---|---|\n"
            }
            (None, false) => "| action | keys | does |\n|---|---|---|\n",
            (None, true) => "| アクション | キー | 動作 |\n|---|---|---|\n",
        };
        let mut text = head.to_owned();
        let code = |value: &str| {
            if value.is_empty() {
                String::new()
            } else {
                format!("`{}`", value.replace('|', "\\|"))
            }
        };
        for (at, [key, example]) in self.code.iter().enumerate() {
            let english = escaped(&self.meaning[at]);
            let meaning = known.get(key).filter(|_| japanese).unwrap_or(&english);
            text.push_str(&format!("| {} | {} | {meaning} |", code(key), code(example)));
            if let Some(included) = &self.included {
                text.push_str(match (included[at], japanese) {
                    (true, false) => " yes |",
                    (false, false) => " no |",
                    (true, true) => " 可 |",
                    (false, true) => " 不可 |",
                });
            }
            text.push('\n');
        }
        text
    }

    fn marks(&self) -> [String; 2] {
        [format!("<!-- generated: {} -->\n", self.name), format!("<!-- end: {} -->", self.name)]
    }
}

/// The page with its tables made anew.
fn regenerated(page: &Page, language: Language) -> String {
    let mut text = page.text.clone();
    for table in tables() {
        let [begin, end] = table.marks();
        let (before, rest) =
            text.split_once(&begin).unwrap_or_else(|| panic!("{}: no {begin}", page.name()));
        let (old, after) = rest.split_once(&end).unwrap();
        let mut known = BTreeMap::new();
        for row in old.lines().skip(2) {
            let cells: Vec<&str> = row.split(" | ").collect();
            if let ([key], Some(meaning)) = (&spans(cells[0])[..], cells.get(2)) {
                known.insert(key.clone(), meaning.trim_end_matches([' ', '|']).to_owned());
            }
        }
        text = format!("{before}{begin}{}{end}{after}", table.render(language, &known));
    }
    text
}

#[test]
fn the_config_reference_is_up_to_date() {
    let mut stale = Vec::new();
    for (path, language) in
        [("docs/config.md", Language::English), ("docs/ja/config.md", Language::Japanese)]
    {
        let page = page(path);
        let text = regenerated(page, language);
        if text == page.text {
            continue;
        }
        if std::env::var("INSTA_UPDATE").is_ok_and(|how| how == "always") {
            std::fs::write(root().join(path), text).unwrap();
        } else {
            stale.push(path);
        }
    }
    assert!(stale.is_empty(), "{stale:?}: INSTA_UPDATE=always writes the tables anew");
}

#[test]
fn every_key_is_explained_in_japanese() {
    for (line, cells) in page("docs/ja/config.md").rows() {
        if let [key, _, meaning, ..] = &cells[..] {
            let is_japanese = meaning.chars().any(|c| ('\u{3041}'..='\u{9fff}').contains(&c));
            assert!(is_japanese, "docs/ja/config.md:{line}: {key}: {meaning}");
        }
    }
}

#[test]
fn every_verb_and_option_is_listed() {
    fn walk(command: &clap::Command, path: &str, wanted: &mut Vec<(String, Vec<String>)>) {
        for verb in command.get_subcommands().filter(|verb| !verb.is_hide_set()) {
            let path = format!("{path} {}", verb.get_name());
            if verb.has_subcommands() {
                walk(verb, &path, wanted);
                continue;
            }
            let own = verb.get_arguments().filter(|a| !a.is_hide_set() && !a.is_global_set());
            let options = own.filter_map(clap::Arg::get_long).map(|long| format!("--{long}"));
            wanted.push((path, options.filter(|option| option != "--help").collect()));
        }
    }
    let mut wanted = Vec::new();
    walk(&CommandLine::command(), "sekisho", &mut wanted);
    let rows = page("docs/verbs.md").rows();
    let mut missing = Vec::new();
    for (verb, options) in wanted {
        let is_about = |cell: &str| {
            let named = spans(cell)
                .into_iter()
                .any(|span| span == verb || span.starts_with(&format!("{verb} ")));
            named
        };
        let about: Vec<String> = rows
            .iter()
            .filter(|(_, cells)| is_about(&cells[0]))
            .map(|(_, cells)| cells.join(" "))
            .collect();
        if about.is_empty() {
            missing.push(verb);
            continue;
        }
        let said = about.join(" ");
        let words: BTreeSet<&str> =
            said.split(|c: char| !(c.is_alphanumeric() || c == '-')).collect();
        missing.extend(
            options
                .into_iter()
                .filter(|o| !words.contains(o.as_str()))
                .map(|o| format!("{verb} {o}")),
        );
    }
    assert!(missing.is_empty(), "docs/verbs.md does not list {missing:#?}");
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
        "AWS_", "AWSUME_", "AWSU_", "GRANTED_", "ASSUMED_", "SEKISHO_", "XDG_", "SSH_", "SUDO_",
        "DOAS_", "WSL_", "NO_", "LC_",
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
    let mut command = crate::pty::terminal::command("sh", home.path());
    command.env("TMPDIR", home.path());
    let script = "exec \"$0\" demo \"$@\" > out";
    command.args(["-c", script, SEKISHO]);
    command.args(arguments);
    let mut pty = crate::pty::terminal::Pty::spawn(command);
    let mut answered = false;
    crate::support::until("the end of a verb", || {
        let screen = pty.screen();
        if !answered && screen.trim_end().ends_with("code from phone:") {
            answered = true;
            pty.line(&crate::switcher::shown_code(&screen));
        }
        pty.has_ended().then_some(())
    });
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
fn every_check_of_doctor_is_explained() {
    let report = demo_json(&["doctor", "--offline", "--json"]);
    let ids = report["checks"].as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap());
    let table = page("docs/troubleshooting.md").table("What doctor checks");
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
