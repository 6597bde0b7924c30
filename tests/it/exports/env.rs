//! `env` and `switch`: warm, they say what they say cold.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use sekisho::domain::local_clock::LocalClock;

use super::stage::{Ran, Stage, until};
use crate::pty::terminal::{Pty, command};
use crate::support::{optional, program};
use crate::verbs::home::Home;

/// A guard that is passed, a depth that stays, and every form of the text.
const WAYS: [&[&str]; 7] = [
    &["env", "dev"],
    &["env", "dev", "--shell", "fish"],
    &["env", "dev", "--format", "json"],
    &["env", "dev", "--format", "dotenv", "--show"],
    &["env", "dev", "--region", "us-east-2"],
    &["env", "prod", "--confirm", "live"],
    &["switch", "dev", "--hook", "values"],
];

const CONFIG: &str = ".config/sekisho/config.yaml";

fn way(stage: &Stage, arguments: &[&str]) -> Command {
    let mut command = stage.sekisho(arguments);
    command.env("SEKISHO_DEPTH", "2").env("SHELL", "/bin/sh");
    command
}

/// Signed in, with a config that is trusted only once it is dated back.
fn signed_in() -> Stage {
    let stage = Stage::new();
    edit(&stage, "guard: confirm", "guard: confirm\n    aliases: [live]");
    stage.date_config(SystemTime::now() + Duration::from_hours(1));
    stage.sign_in();
    stage
}

fn edit(stage: &Stage, from: &str, to: &str) {
    let config = String::from_utf8(stage.read(CONFIG)).unwrap();
    assert!(config.contains(from));
    stage.write(CONFIG, config.replace(from, to));
}

/// Waits until the warm path answers.
fn warm(stage: &Stage, arguments: &[&str]) -> Ran {
    until("the warm path", || stage.warm(&mut way(stage, arguments)))
}

#[test]
fn warm_is_the_same_as_cold_and_calls_nobody() {
    let stage = signed_in();
    let cold = WAYS.map(|arguments| {
        assert!(stage.warm(&mut way(&stage, arguments)).is_none(), "{arguments:?}");
        Ran::of(&way(&stage, arguments).output().unwrap())
    });
    assert!(cold[0].stdout.contains("SEKISHO_DEPTH='2'"));
    stage.date_config(SystemTime::UNIX_EPOCH);
    for arguments in WAYS {
        warm(&stage, arguments);
    }
    let calls = stage.emulator.calls().len();
    for (arguments, cold) in WAYS.into_iter().zip(cold) {
        let warm = stage.warm(&mut way(&stage, arguments)).unwrap();
        assert_eq!(
            (warm.code, warm.stdout, warm.stderr),
            (0, cold.stdout, cold.stderr),
            "{arguments:?}"
        );
    }
    assert_eq!(stage.emulator.calls().len(), calls);
}

#[test]
fn a_region_holds_though_the_session_was_made_for_another() {
    let stage = signed_in();
    let elsewhere = ["env", "dev", "--region", "us-east-2"];
    let cold = stage.run(&elsewhere).said();
    assert!(cold.contains("AWS_REGION='us-east-2'"), "{cold}");
    stage.date_config(SystemTime::UNIX_EPOCH);
    let stayed = warm(&stage, &elsewhere).said();
    assert!(stayed.contains("AWS_REGION='us-east-2'"), "{stayed}");
    let home = warm(&stage, &["env", "dev"]).said();
    assert!(home.contains("AWS_REGION='eu-west-1'"), "{home}");
}

#[test]
fn a_guard_stands_before_the_warm_path_too() {
    let stage = signed_in();
    let refused = |name, other| {
        for (confirm, code) in [(&[][..], 4), (&["--confirm", other], 2)] {
            let ran = stage.run(&[&["env", name], confirm].concat());
            assert_eq!((ran.code, ran.stdout.as_str()), (code, ""), "{confirm:?}");
        }
    };
    stage.date_config(SystemTime::UNIX_EPOCH);
    warm(&stage, &["env", "prod", "--confirm", "prod"]);
    refused("prod", "dev");
    // Raised over a session that was made without it.
    warm(&stage, &["env", "dev"]);
    edit(&stage, "note: for", "guard: confirm\n    note: for");
    refused("dev", "prod");
    warm(&stage, &["env", "dev", "--confirm", "dev"]);
    refused("dev", "prod");
}

#[test]
fn a_changed_config_is_seen_at_once() {
    let stage = signed_in();
    stage.date_config(SystemTime::UNIX_EPOCH);
    let before = warm(&stage, &["env", "dev"]).said();
    assert!(before.contains("AWS_REGION='eu-west-1'"), "{before}");
    edit(&stage, "defaults: {region: eu-west-1", "defaults: {region: us-west-2");
    let after = stage.run(&["env", "dev"]).said();
    assert!(after.contains("AWS_REGION='us-west-2'"), "{after}");
}

#[test]
fn what_cannot_be_had_prints_nothing() {
    let stage = Stage::new();
    for (arguments, code) in [
        (&["env", "dev"][..], 4),
        (&["env", "nobody"], 2),
        (&["switch", "dev"], 2),
        (&["switch", "dev", "--hook", "values"], 4),
        // An older hook would run the output as code.
        (&["switch", "dev", "--hook", "bash"], 2),
    ] {
        let ran = stage.run(arguments);
        assert_eq!((ran.code, ran.stdout.as_str()), (code, ""), "{arguments:?}");
    }
    let unset = stage.run(&["env", "--unset", "--shell", "bash"]).said();
    assert!(unset.starts_with("unset "), "{unset}");
}

#[test]
fn secrets_are_masked_on_a_terminal() {
    let stage = signed_in();
    stage.date_config(SystemTime::UNIX_EPOCH);
    warm(&stage, &["env", "dev"]);
    for (way, shown) in [("env dev", false), ("env dev --show", true)] {
        let mut builder = command("/bin/sh", stage.home());
        for (name, value) in stage.sekisho(&[]).get_envs() {
            builder.env(name, value.unwrap_or_default());
        }
        let program = env!("CARGO_BIN_EXE_sekisho");
        builder.args(["-c", &format!("{program} {way}; echo ENDED $?; read x")]);
        let screen = Pty::spawn(builder).wait_for("ENDED 0");
        for hint in ["secrets are masked on a terminal", "AWS_SECRET_ACCESS_KEY='********'"] {
            assert_eq!(screen.contains(hint), !shown, "{screen}");
        }
    }
}

/// A shell keeps the scope and the region that it was opened with, whatever the config says.
#[test]
fn a_renewal_changes_the_credentials_and_nothing_else() {
    let stage = signed_in();
    let entered = [
        ("SEKISHO_TARGET", "dev/Developer"),
        ("SEKISHO_SCOPE", "read-only"),
        ("SEKISHO_REGION", "us-west-2"),
    ];
    let refresh = |region: Option<&str>, more: &[&str]| {
        let mut command = way(&stage, &[&["refresh", "--hook", "values"][..], more].concat());
        command.envs(entered);
        if let Some(region) = region {
            command.env("AWS_REGION", region);
        }
        let ran = Ran::of(&command.output().unwrap());
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        ran.stdout
    };
    let kept = refresh(Some("us-west-2"), &[]);
    assert!(kept.contains("SEKISHO_SCOPE\u{1f}read-only\u{1e}"), "{kept}");
    assert!(kept.contains("AWS_REGION\u{1f}us-west-2\u{1e}"), "{kept}");
    let quietly = refresh(Some("us-west-2"), &["--quiet"]);
    assert!(quietly.contains("SEKISHO_SCOPE\u{1f}read-only\u{1e}"), "{quietly}");
    // The person's own change of the region stays too, and an option wins.
    let own = refresh(Some("ap-northeast-1"), &[]);
    assert!(own.contains("AWS_REGION\u{1f}ap-northeast-1\u{1e}"), "{own}");
    let asked = refresh(Some("us-west-2"), &["--scope", "full", "--region", "eu-west-2"]);
    assert!(asked.contains("SEKISHO_SCOPE\u{1f}full\u{1e}"), "{asked}");
    assert!(asked.contains("AWS_REGION\u{1f}eu-west-2\u{1e}"), "{asked}");
    // Without one in the shell, the config's.
    assert!(refresh(None, &[]).contains("AWS_REGION\u{1f}eu-west-1\u{1e}"));
}

/// A config that cannot be read, or none, leaves no live credentials in the shell.
#[test]
fn everything_can_be_unset_without_a_valid_config() {
    let stage = Stage::new();
    let expected = stage.run(&["env", "--unset", "--shell", "bash"]).said();
    for config in [Some("{{{"), None] {
        let file = stage.path(".config/sekisho/config.yaml");
        match config {
            Some(text) => std::fs::write(file, text).unwrap(),
            None => std::fs::remove_file(file).unwrap(),
        }
        for target in [&[][..], &["dev"]] {
            let ran = stage.run(&[&["env", "--unset", "--shell", "bash"], target].concat());
            assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
            assert_eq!(ran.said(), expected);
        }
        assert_eq!(stage.run(&["hook", "bash"]).code, 0);
    }
}

/// The person's region through two accounts and back, by what `env` and `exec` print.
#[test]
fn the_persons_region_outlives_the_second_account() {
    let stage = Stage::with("", "");
    edit(&stage, "defaults: {region: eu-west-1, ", "defaults: {");
    stage.sign_in();
    // `dev` names no region, `dev/Reader` does.
    let step = |variables: &[(String, String)], arguments: &[&str]| {
        let mut command = stage.sekisho(&[arguments, &["--format", "json"]].concat());
        command.envs(variables.iter().cloned());
        let said = Ran::of(&command.output().unwrap()).said();
        let set: BTreeMap<String, String> = serde_json::from_str(&said).unwrap();
        set.into_iter().collect::<Vec<_>>()
    };
    let region = |variables: &[(String, String)], name: &str| {
        let found = variables.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.clone())
    };
    for name in ["AWS_REGION", "AWS_DEFAULT_REGION"] {
        let own = [(name.to_owned(), "ap-south-1".to_owned())];
        let first = step(&own, &["env", "dev"]);
        assert_eq!(region(&first, "AWS_REGION").unwrap(), "ap-south-1");
        let second = step(&first, &["env", "dev"]);
        assert_eq!(region(&second, "AWS_REGION").unwrap(), "ap-south-1");
        let unset = step(&second, &["env", "--unset"]);
        assert_eq!(unset, own);
        // The same in a nested `exec`.
        let program = env!("CARGO_BIN_EXE_sekisho");
        let mut nested = stage.sekisho(&["exec", "dev", "--", program, "exec", "dev", "--", "env"]);
        nested.envs(own);
        let said = Ran::of(&nested.output().unwrap()).said();
        assert!(
            said.contains("AWS_REGION=ap-south-1\n") && said.contains("SEKISHO_DEPTH=2\n"),
            "{said}"
        );
    }
    // Nobody names one: the auth account's.
    let first = step(&[], &["env", "dev"]);
    assert_eq!(region(&first, "AWS_REGION").unwrap(), "eu-west-1");
    assert_eq!(step(&first, &["env", "--unset"]), []);
    assert_eq!(stage.run(&["config", "check"]).code, 0);
}

/// The nearest shell decides, a script's too, and not the one that the person likes.
#[test]
fn env_speaks_the_language_of_the_shell_that_runs_it() {
    let stage = signed_in();
    stage.date_config(SystemTime::UNIX_EPOCH);
    let folder = Path::new(env!("CARGO_BIN_EXE_sekisho")).parent().unwrap();
    let run = |program: &Path, arguments: &[&str], login: &str| {
        let mut command = stage.program(program);
        command.args(arguments).envs(Home::key()).env("SHELL", login);
        let path = std::env::var("PATH").unwrap();
        command.env("PATH", format!("{}:{path}", folder.display()));
        Ran::of(&command.output().unwrap()).said()
    };
    let posix = "export SEKISHO_TARGET='dev/Developer';";
    let env = "sekisho env dev; true";
    let nested = format!("bash -c '{env}'");
    for (shell, arguments, login, expected) in [
        ("bash", &["-c", env][..], "/usr/bin/fish", posix),
        ("dash", &["-c", env], "/usr/bin/fish", posix),
        ("zsh", &["-fc", env], "/usr/bin/fish", posix),
        ("fish", &["-Nc", env], "/bin/bash", "set -gx SEKISHO_TARGET 'dev/Developer';"),
        ("fish", &["-Nc", &nested], "/usr/bin/fish", posix),
        ("bash", &["-c", "timeout 60 env A=b sekisho env dev; true"], "/usr/bin/fish", posix),
    ] {
        let Some(program) = program(shell) else { continue };
        let said = run(&program, arguments, login);
        assert!(said.contains(expected), "{shell} {arguments:?}: {said}");
    }
    // A recipe of make runs in sh, whoever started make.
    if let (Some(make), Some(fish)) = (optional("make"), program("fish")) {
        stage.write("Makefile", format!("all:\n\t@{env}\n"));
        let said = run(&fish, &["-Nc", &format!("{} -s; true", make.display())], "/usr/bin/fish");
        assert!(said.contains(posix), "{said}");
    }
    // By name: a copy of dash stands for shells that are not here, and its file is gone while it runs.
    let Some(dash) = program("dash") else { return };
    for (name, expected) in [
        ("nu", "$env.SEKISHO_TARGET = \"dev/Developer\""),
        ("pwsh", "$env:SEKISHO_TARGET = 'dev/Developer'"),
        ("fish", "set -gx SEKISHO_TARGET 'dev/Developer';"),
        ("mksh", posix),
        ("tcsh", posix),
    ] {
        let copy = stage.path(name);
        std::fs::copy(&dash, &copy).unwrap();
        for env in [env, &format!("rm {}; {env}", copy.display())] {
            let said = run(&copy, &["-c", env], "/usr/bin/fish");
            assert!(said.contains(expected), "{name} {env}: {said}");
        }
    }
}

/// What the line on entry says of an instant, on a clock nine hours before UTC's.
fn in_tokyo(instant: &str) -> String {
    let clock = LocalClock::new(TimeZone::posix("JST-9").unwrap());
    clock.moment(instant.parse().unwrap(), Timestamp::now())
}

#[test]
fn switch_and_refresh_say_until_when_by_the_persons_clock() {
    let stage = signed_in();
    let run = |arguments: &[&str]| {
        let mut command = way(&stage, arguments);
        command.env("TZ", "JST-9").env("SEKISHO_TARGET", "dev/Developer");
        Ran::of(&command.output().unwrap())
    };
    let expires = |ran: &Ran| {
        let record =
            ran.stdout.split('\u{1e}').find_map(|r| r.strip_prefix("SEKISHO_EXPIRATION\u{1f}"));
        record.unwrap().to_owned()
    };
    for verb in [&["switch", "dev", "--hook", "values"][..], &["refresh", "--hook", "values"]] {
        let ran = run(verb);
        let until = in_tokyo(&expires(&ran));
        assert_eq!(ran.stderr, format!("sekisho: dev/Developer until {until}\n"), "{verb:?}");
    }
    for silent in [
        &["refresh", "--hook", "values", "--quiet"][..],
        &["env", "dev"],
        &["exec", "dev", "--", "true"],
    ] {
        assert_eq!(run(silent).stderr, "", "{silent:?}");
    }
    // Also where the warm path answers.
    edit(&stage, "defaults:", "quiet: on\ndefaults:");
    assert_eq!(run(&["switch", "dev", "--hook", "values"]).stderr, "");
    assert_eq!(run(&["refresh", "--hook", "values"]).stderr, "");
    stage.date_config(SystemTime::UNIX_EPOCH);
    assert_eq!(warm(&stage, &["switch", "dev", "--hook", "values"]).stderr, "");
}

#[test]
fn a_zone_that_cannot_be_read_is_said_once_and_times_are_in_utc() {
    let stage = signed_in();
    let mut command = stage.sekisho(&["status"]);
    let ran = Ran::of(&command.env("TZ", "Mars/Olympus").output().unwrap());
    assert_eq!(
        ran.stderr,
        "sekisho: warning: the time zone Mars/Olympus cannot be read: times are in UTC\n"
    );
    // Two times stand in it.
    assert_eq!(
        ran.stdout.matches("left").count() + ran.stdout.matches("LEFT").count(),
        2,
        "{}",
        ran.stdout
    );
}

#[test]
fn a_guard_that_warns_speaks_in_every_verb_once() {
    let stage = Stage::with(
        "",
        "  - {name: risky, id: \"222222222222\", guard: warn, roles: [{name: Developer, path: /dev/}]}\n",
    );
    edit(
        &stage,
        "  - name: dev\n    id: \"222222222222\"\n",
        "  - name: other\n    id: \"444444444444\"\n",
    );
    stage.date_config(SystemTime::now() + Duration::from_hours(1));
    let ran = stage.run_with_code(&["credential-process", "risky"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let line = "sekisho: warning: risky/Developer is guarded (guard: warn)\n";
    let verbs: [&[&str]; 7] = [
        &["env", "risky"],
        &["switch", "risky", "--hook", "values"],
        &["exec", "risky", "--", "true"],
        &["exec", "risky/Developer", "--", "true"],
        &["serve", "risky", "--", "true"],
        &["credential-process", "risky"],
        &["console", "risky", "--print"],
    ];
    let check = || {
        for verb in verbs {
            let ran = Ran::of(&way(&stage, verb).output().unwrap());
            assert_eq!(
                (ran.code, ran.stderr.matches(line).count()),
                (0, 1),
                "{verb:?}: {}",
                ran.stderr
            );
        }
    };
    check();
    stage.date_config(SystemTime::UNIX_EPOCH);
    warm(&stage, &["env", "risky"]);
    check();
    // Going on is no entry.
    let entered = stage.run(&["env", "risky", "--format", "json"]).said();
    let entered: BTreeMap<String, String> = serde_json::from_str(&entered).unwrap();
    let mut refresh = stage.sekisho(&["refresh", "--hook", "values"]);
    let ran = Ran::of(&refresh.envs(entered).output().unwrap());
    assert_eq!((ran.code, ran.stderr.contains("guarded")), (0, false), "{}", ran.stderr);
}

/// `cd` into a directory must not hang, nor ask.
#[test]
fn or_nothing_prints_only_what_nobody_is_asked_for() {
    let stage = Stage::with("", "");
    let or_nothing = |name: &str| stage.run(&["env", "--or-nothing", name]);
    // Not signed in: nothing is called, and a program for codes is not run.
    edit(&stage, "  region: eu-west-1", "  mfa_command: [touch, asked]\n  region: eu-west-1");
    let ran = or_nothing("dev");
    assert_eq!(
        (ran.code, ran.stdout.as_str(), ran.stderr.lines().count()),
        (4, "", 1),
        "{}",
        ran.stderr
    );
    assert!(stage.emulator.calls().is_empty() && !stage.path("asked").exists());
    edit(&stage, "  mfa_command: [touch, asked]\n", "");
    stage.sign_in();
    assert_eq!(or_nothing("dev").said(), stage.run(&["env", "dev"]).said());
    // The auth session alone is enough, for one call.
    let calls = stage.emulator.calls().len();
    assert!(or_nothing("dev/Reader").code == 4, "over an hour it asks for a code of its own");
    let shared = stage.run(&["env", "--or-nothing", "dev/Reader", "--duration", "1h"]).said();
    assert!(shared.contains("SEKISHO_TARGET='dev/Reader';"), "{shared}");
    assert_eq!(stage.emulator.calls().len(), calls + 1);
    let guarded = or_nothing("prod");
    assert_eq!((guarded.code, guarded.stdout.as_str()), (4, ""));
    for wrong in [&["env", "--or-nothing"][..], &["env", "--or-nothing", "--unset", "dev"]] {
        assert_eq!(stage.run(wrong).code, 2, "{wrong:?}");
    }
}

#[test]
fn a_status_line_is_this_shells_session_or_each_live_one() {
    const FORMAT: &str = "{account}/{role} {id} {region} {guard} {until} {left} {{}}";
    let stage = signed_in();
    let expires = (Timestamp::now() + SignedDuration::from_secs(47 * 60 + 30))
        .strftime("%Y-%m-%dT%H:%M:%SZ")
        .to_string();
    let line = |format: &str, variables: &[(&str, &str)]| {
        let mut command = stage.sekisho(&["status", "--format", format]);
        Ran::of(&command.env("TZ", "JST-9").envs(variables.iter().copied()).output().unwrap())
    };
    let inside = [
        ("SEKISHO_TARGET", "prod/Admin"),
        ("SEKISHO_ACCOUNT", "prod"),
        ("SEKISHO_ACCOUNT_ID", "333333333333"),
        ("SEKISHO_ROLE", "Admin"),
        ("SEKISHO_GUARD", "confirm"),
        ("SEKISHO_EXPIRATION", &expires),
        ("AWS_REGION", "us-west-2"),
    ];
    let expected =
        format!("prod/Admin 333333333333 us-west-2 confirm {} 47m {{}}\n", in_tokyo(&expires));
    let calls = stage.emulator.calls().len();
    assert_eq!(line(FORMAT, &inside).said(), expected);
    let live = line(FORMAT, &[]).said();
    assert!(
        live.starts_with("dev/Developer 222222222222 eu-west-1 none ") && live.ends_with("m {}\n"),
        "{live}"
    );
    let wrong = line("{account} {colour}", &[]);
    assert_eq!((wrong.code, wrong.stdout.as_str()), (2, ""));
    assert!(
        wrong.stderr.contains("no field colour") && wrong.stderr.contains("{account}"),
        "{}",
        wrong.stderr
    );
    stage.forget();
    assert_eq!(line(FORMAT, &[]).said(), "");
    // Inside a shell not even the config is read.
    stage.write(CONFIG, "{{{");
    assert_eq!(line(FORMAT, &inside).said(), expected);
    assert_eq!(stage.emulator.calls().len(), calls);
}

/// A subshell of bash, up to its prompt.
fn subshell(stage: &Stage, variables: &[(&str, &str)]) -> Option<Pty> {
    let bash = program("bash")?;
    let mut builder = command(env!("CARGO_BIN_EXE_sekisho"), stage.home());
    for (name, value) in stage.sekisho(&[]).get_envs() {
        builder.env(name, value.unwrap_or_default());
    }
    builder.args(["shell", "dev", "--shell", bash.to_str().unwrap()]);
    for (name, value) in variables {
        builder.env(name, value);
    }
    let pty = Pty::spawn(builder);
    pty.wait_for("dev/Developer]");
    Some(pty)
}

#[test]
fn a_subshell_says_where_one_is_and_gives_the_title_back() {
    let stage = signed_in();
    let Some(mut pty) = subshell(&stage, &[("TZ", "JST-9")]) else { return };
    pty.line("echo \"E=$SEKISHO_EXPIRATION\"; echo FI''N");
    let screen = pty.wait_for("\nFIN");
    let expires = screen.lines().find_map(|line| line.strip_prefix("E=")).unwrap();
    let first = screen.lines().next().unwrap();
    assert_eq!(first, format!("sekisho: dev/Developer until {}", in_tokyo(expires)));
    pty.line("exit");
    let (code, all) = pty.last_words();
    assert_eq!(code, 0);
    let begins = all.find("\u{1b}[22;0t\u{1b}]2;dev/Developer\u{7}").unwrap();
    let ends = all.rfind("\u{1b}[23;0t").unwrap();
    assert!(begins < ends && ends > all.rfind("\u{1b}]2;").unwrap(), "{all:?}");
    // Nested.
    let nested = [("SEKISHO_TARGET", "outer/Role"), ("SEKISHO_DEPTH", "1")];
    let pty = subshell(&stage, &nested).unwrap();
    let screen = pty.screen();
    assert!(screen.contains(" · inside outer/Role · exit returns there"), "{screen}");
    // Where nothing is wanted, or a terminal has no title.
    edit(&stage, "defaults:", "quiet: on\ndefaults:");
    let pty = subshell(&stage, &[("TERM", "dumb")]).unwrap();
    let all = pty.transcript();
    assert!(
        !all.contains("until") && !all.contains("\u{1b}[22;0t") && !all.contains("\u{1b}]2;"),
        "{all:?}"
    );
}

/// The recipe of docs/shells.md, in bash as direnv runs an `.envrc`: strict, with its own output apart.
#[test]
fn the_recipe_for_direnv_enters_or_stays_out() {
    let Some(bash) = program("bash") else { return };
    let stage = Stage::new();
    edit(&stage, "aliases: [mine]", "aliases: [mine, dev-tanaka]");
    let page =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/shells.md"))
            .unwrap();
    let recipe =
        page.lines().find(|line| line.contains("session=$(sekisho env --or-nothing")).unwrap();
    stage.write(".envrc", recipe);
    let folder = Path::new(env!("CARGO_BIN_EXE_sekisho")).parent().unwrap();
    let load = || {
        let mut command = stage.program(&bash);
        let script = "set -euo pipefail; shopt -s gnu_errfmt nullglob extglob; exec 3>&1 1>&2; source ./.envrc; env >&3";
        let path = std::env::var("PATH").unwrap();
        command
            .args(["-c", script])
            .envs(Home::key())
            .env("PATH", format!("{}:{path}", folder.display()));
        Ran::of(&command.output().unwrap())
    };
    let outside = load();
    assert_eq!((outside.code, outside.stderr.lines().count()), (0, 1), "{}", outside.stderr);
    assert!(outside.stderr.contains("sekisho login"), "{}", outside.stderr);
    assert!(
        !outside.stdout.contains("SEKISHO_") && outside.stdout.contains("AWS_ACCESS_KEY_ID=AKIA")
    );
    stage.sign_in();
    let inside = load();
    assert_eq!((inside.code, inside.stderr.as_str()), (0, ""));
    assert!(inside.stdout.contains("SEKISHO_TARGET=dev/Developer\n"), "{}", inside.stdout);
    assert!(inside.stdout.contains("AWS_ACCESS_KEY_ID=ASIA"), "{}", inside.stdout);
}
