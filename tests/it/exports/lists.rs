//! `list`, `completions`, `man`.

use std::process::Command;

use super::stage::{Ran, Stage};
use crate::pty::terminal::{Pty, command};
use crate::support::program;

#[test]
fn one_target_a_line_when_piped() {
    let stage = Stage::new();
    assert_eq!(stage.run(&["list"]).said(), "dev/Developer\ndev/Reader\nprod/Developer\n");
    assert_eq!(stage.run(&["ls", "--filter", "tag:sandbox read"]).said(), "dev/Reader\n");
    assert_eq!(stage.run(&["list", "--filter", "nothing at all"]).said(), "");
}

/// cron and service managers may set none.
#[test]
fn a_home_in_the_user_database_is_enough() {
    let stage = Stage::new();
    let mut command = stage.sekisho(&["list"]);
    command.env_remove("HOME");
    for (name, folder) in [
        ("XDG_CONFIG_HOME", ".config"),
        ("XDG_STATE_HOME", ".local/state"),
        ("XDG_CACHE_HOME", ".cache"),
    ] {
        command.env(name, stage.path(folder));
    }
    let ran = Ran::of(&command.output().unwrap());
    assert_eq!(ran.said(), "dev/Developer\ndev/Reader\nprod/Developer\n");
}

#[test]
fn json_has_the_fields_that_help_names() {
    let stage = Stage::new();
    stage.sign_in();
    let text = stage.run(&["list", "--json"]).said();
    let mut list: serde_json::Value = serde_json::from_str(&text).unwrap();
    let expires = list[0]["expires"].take();
    let expires: jiff::Timestamp = expires.as_str().unwrap().parse().unwrap();
    assert!(expires > jiff::Timestamp::now());
    let help = stage.run(&["list", "--help"]).said();
    for field in list[0].as_object().unwrap().keys() {
        assert!(help.split_whitespace().any(|word| word == field), "{field} is not documented");
    }
    let first: Vec<String> = list[0]
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, value)| format!("{name}: {value}"))
        .collect();
    insta::assert_snapshot!(first.join("\n"), @r#"
    target: "dev/Developer"
    account: "dev"
    account_id: "222222222222"
    aliases: ["mine"]
    role: "Developer"
    role_arn: "arn:aws:iam::222222222222:role/dev/Developer"
    region: "eu-west-1"
    duration_seconds: 3600
    flow: "shared"
    scope: "full"
    guard: "none"
    agents: "full"
    changes: []
    tags: ["sandbox"]
    note: "for experiments"
    expires: null
    "#);
    assert_eq!(list[1]["flow"], "direct");
    assert_eq!(
        (&list[2]["guard"], &list[2]["expires"]),
        (&"confirm".into(), &serde_json::Value::Null)
    );
}

#[test]
fn columns_on_a_terminal() {
    let stage = Stage::with("", "  - {name: 開発-田中, id: \"444444444444\"}\n");
    let mut builder = command(env!("CARGO_BIN_EXE_sekisho"), stage.home());
    builder.arg("list");
    let pty = Pty::spawn(builder);
    let screen = pty.wait_for("prod");
    insta::assert_snapshot!(screen.trim_end(), @"
    ACCOUNT    ID              ROLE       GUARD    REGION     SESSION
    dev        2222-2222-2222  Developer           eu-west-1
    dev        2222-2222-2222  Reader              us-west-2
    prod       3333-3333-3333  Developer  confirm  eu-west-1
    開発-田中  4444-4444-4444  Developer           eu-west-1
    ");
}

#[test]
fn a_hostile_name_is_completed_and_never_run() {
    let Some(bash) = program("bash") else { return };
    let stage = Stage::with(
        "",
        "  - {name: \"x $(touch gotcha) `touch gotcha` 'y'\", id: \"444444444444\"}\n",
    );
    let script = r#"
        eval "$(sekisho completions bash)"
        complete() { :; }
        try() {
            COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMP_LINE="$*"
            _sekisho sekisho "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
            printf '%s|' "${COMPREPLY[@]}"
            echo
        }
        try sekisho exec d
        try sekisho --color never console pro
        try sekisho shell x
        try sekisho completions ''
        try sekisho exec --reg
        try sekisho exec --region us-east-1 pro
        try sekisho serve dev -- ls xyz
    "#;
    let ran = with_program(&stage, Command::new(bash).args(["--norc", "-c", script]));
    insta::assert_snapshot!(ran.stdout, @r"
    dev|dev/Developer|dev/Reader|
    prod|prod/Developer|
    x\ \$\(touch\ gotcha\)\ \`touch\ gotcha\`\ \'y\'|x\ \$\(touch\ gotcha\)\ \`touch\ gotcha\`\ \'y\'/Developer|
    bash|zsh|fish|
    --region|
    prod|prod/Developer|
    |
    ");
    assert_eq!(ran.stderr, "");
    assert!(!stage.path("gotcha").exists());
}

#[test]
fn bash_completes_names_with_colons_and_values_as_one_types() {
    let Some(bash) = program("bash") else { return };
    let stage = Stage::with(
        "",
        "  - {name: \"team:dev one\", id: \"444444444444\"}\n  - {name: \"team:x@y=z\", id: \"555555555555\"}\n",
    );
    stage.write("nobody.txt", "");
    let mut builder = command(bash, stage.home());
    builder.args(["--norc", "-i"]);
    builder.env("PATH", path_with_sekisho());
    builder.env("PS1", "$ ");
    let mut pty = Pty::spawn(builder);
    pty.line("eval \"$(sekisho completions bash)\"; echo RE''ADY");
    pty.wait_for("READY");
    for (typed, whole) in [
        ("sekisho exec team:d\t", "sekisho exec team:dev\\ one"),
        ("sekisho console 'x' --service cloudfo\t", "--service cloudformation "),
        ("sekisho env team:x\t", "sekisho env team:x@y=z"),
        ("sekisho env team:x@\t", "sekisho env team:x@y=z"),
        ("sekisho env team:x@y=\t", "sekisho env team:x@y=z"),
        ("sekisho env team:x@y=z/\t", "sekisho env team:x@y=z/Developer "),
        ("sekisho env --region eusc\t", "sekisho env --region eusc-de-east-1 "),
        ("sekisho env --region=eusc\t", "sekisho env --region=eusc-de-east-1 "),
        ("sekisho env --scope=\tr\t", "sekisho env --scope=read-only "),
        ("sekisho env --region=eusc-de-east-1 team:d\t", "1 team:dev\\ one"),
        ("sekisho logout pro\t", "sekisho logout prod"),
        ("sekisho prod/\t", "sekisho prod/Developer "),
        ("sekisho -v hel\t", "sekisho -v help "),
        ("sekisho demo exec dev-tanaka/R\t", "sekisho demo exec dev-tanaka/ReadOnly "),
        ("sekisho env --format d\t", "sekisho env --format dotenv "),
        ("sekisho man creden\t", "sekisho man credential-process "),
        ("sekisho each tag:sa\t", "sekisho each tag:sandbox "),
        ("sekisho exec dev -- printen\t", "sekisho exec dev -- printenv "),
        ("sekisho exec nobody\t\t-", "sekisho exec nobody-"),
    ] {
        pty.send(typed);
        pty.wait_until(whole, |screen| {
            let line = screen.lines().last().unwrap_or_default();
            format!("{line} ").contains(whole)
        });
        pty.send("\u{15}\u{c}");
        pty.wait_until("an empty screen", |screen| screen.trim() == "$");
    }
    pty.line("exit");
}

#[test]
fn fish_completes_as_one_types() {
    let Some(fish) = program("fish") else { return };
    let stage = Stage::new();
    stage.write(".local/share/fish/generated_completions/none", "");
    let offered = |lines: &[&str]| {
        let asked: Vec<String> = lines.iter().map(|line| format!("complete -C '{line}'")).collect();
        let asked = asked.join("; ");
        let script = format!(
            "sekisho completions fish | source; complete -c tool -f -a 'alpha beta'; \
             function tool; end; {asked}"
        );
        with_program(&stage, Command::new(&fish).args(["--no-config", "-c", &script])).said()
    };
    assert_eq!(
        offered(&[
            "sekisho exec d",
            "sekisho serve pr",
            "sekisho exec dev /nowh",
            "sekisho env dev --region eusc",
            "sekisho console dev --service wa",
            "sekisho env --scope=r",
            "sekisho demo exec dev-tanaka/R",
            "sekisho each tag:s",
            "sekisho exec dev -- tool al",
            "sekisho each dev -- tool be",
            "sekisho serve --region us-east-1 dev tool al",
        ]),
        "dev\ndev/Developer\ndev/Reader\nprod\nprod/Developer\neusc-de-east-1\nwafv2\n--scope=read-only\n\
         dev-tanaka/ReadOnly\ntag:sandbox\nalpha\nbeta\nalpha\n"
    );
    assert_eq!(
        offered(&["sekisho creden", "sekisho exec --dur"]),
        "credential-process\tPrint credentials as JSON, for `credential_process` in ~/.aws/config\n\
         --duration\tSession duration; more than 1h needs an MFA code of its own\n"
    );
    assert!(offered(&["sekisho exec dev -- printen"]).contains("printenv"));
    stage.write("here.yaml", "");
    assert!(offered(&["sekisho --config her"]).contains("here.yaml"));
}

#[test]
fn zsh_completes_as_one_types() {
    let Some(zsh) = program("zsh") else { return };
    let stage = Stage::with("", "  - {name: \"team:dev one\", id: \"444444444444\"}\n");
    stage.write("here.yaml", "");
    let mut builder = command(zsh, stage.home());
    builder.args(["-f", "-i"]);
    builder.env("PATH", path_with_sekisho());
    builder.env("PS1", "$ ");
    let mut pty = Pty::spawn(builder);
    pty.line(
        "sekisho completions zsh > _sekisho; fpath=($PWD $fpath); autoload -Uz compinit && compinit -u -D; \
         tool() { : }; _tool() { compadd alpha beta }; compdef _tool tool; unsetopt auto_list; echo RE''ADY",
    );
    pty.wait_for("READY");
    pty.send("\u{c}");
    for (typed, whole) in [
        ("sekisho exec team\t", "sekisho exec team:dev\\ one"),
        ("sekisho exec prod/\t", "sekisho exec prod/Developer "),
        ("sekisho prod/\t", "sekisho prod/Developer "),
        ("sekisho creden\t", "sekisho credential-process "),
        ("sekisho env --region eusc\t", "sekisho env --region eusc-de-east-1 "),
        ("sekisho env --scope=r\t", "sekisho env --scope=read-only "),
        ("sekisho env --format d\t", "sekisho env --format dotenv "),
        ("sekisho exec --dur\t", "sekisho exec --duration "),
        ("sekisho demo exec dev-tanaka/R\t", "sekisho demo exec dev-tanaka/ReadOnly "),
        ("sekisho each tag:s\t", "sekisho each tag:sandbox "),
        ("sekisho exec dev -- tool al\t", "sekisho exec dev -- tool alpha "),
        ("sekisho each dev -- tool be\t", "sekisho each dev -- tool beta "),
        ("sekisho serve dev printen\t", "sekisho serve dev printenv "),
        ("sekisho --config her\t", "sekisho --config here.yaml "),
    ] {
        pty.send(typed);
        pty.wait_until(whole, |screen| {
            screen.lines().any(|line| format!("{line} ").contains(whole))
        });
        pty.send("\u{15}\u{c}");
        pty.wait_until("an empty screen", |screen| screen.trim() == "$");
    }
    pty.line("exit");
}

#[test]
fn the_manual_is_a_page() {
    let stage = Stage::new();
    let page = stage.run(&["man"]).said();
    assert!(page.contains(".TH sekisho 1"), "{page}");
    let page = stage.run(&["man", "credential-process"]).said();
    assert!(page.contains(".TH sekisho-credential-process 1") && page.contains("prompt"), "{page}");
    let wrong = stage.run(&["man", "nonsense"]);
    assert_eq!((wrong.code, wrong.stdout.as_str()), (2, ""));
}

/// Runs a shell in the stage's home, with the program under test on its PATH.
fn with_program(stage: &Stage, shell: &mut Command) -> Ran {
    let mut command = stage.program(shell.get_program());
    command.args(shell.get_args()).env("PATH", path_with_sekisho());
    Ran::of(&command.output().unwrap())
}

fn path_with_sekisho() -> String {
    let folder = std::path::Path::new(env!("CARGO_BIN_EXE_sekisho")).parent().unwrap();
    format!("{}:{}", folder.display(), std::env::var("PATH").unwrap())
}
