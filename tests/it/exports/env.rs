//! `env` and `switch`: warm, they say what they say cold.

use std::process::Command;
use std::time::{Duration, SystemTime};

use super::stage::{Ran, Stage, until};
use crate::pty::terminal::{Pty, command};

/// A guard that is passed, a depth that stays, and every form of the text.
const WAYS: [&[&str]; 7] = [
    &["env", "dev"],
    &["env", "dev", "--shell", "fish"],
    &["env", "dev", "--format", "json"],
    &["env", "dev", "--format", "dotenv", "--show"],
    &["env", "dev", "--region", "us-east-2"],
    &["env", "prod", "--confirm", "live"],
    &["switch", "dev", "--hook", "zsh"],
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
        (&["switch", "dev", "--hook", "bash"], 4),
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
        let mut command = way(&stage, &[&["refresh", "--hook", "bash"][..], more].concat());
        command.envs(entered);
        if let Some(region) = region {
            command.env("AWS_REGION", region);
        }
        let ran = Ran::of(&command.output().unwrap());
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        ran.stdout
    };
    let kept = refresh(Some("us-west-2"), &[]);
    assert!(kept.contains("SEKISHO_SCOPE='read-only'"), "{kept}");
    assert!(kept.contains("AWS_REGION='us-west-2'"), "{kept}");
    let quietly = refresh(Some("us-west-2"), &["--quiet"]);
    assert!(quietly.contains("SEKISHO_SCOPE='read-only'"), "{quietly}");
    // The person's own change of the region stays too, and an option wins.
    let own = refresh(Some("ap-northeast-1"), &[]);
    assert!(own.contains("AWS_REGION='ap-northeast-1'"), "{own}");
    let asked = refresh(Some("us-west-2"), &["--scope", "full", "--region", "eu-west-2"]);
    assert!(asked.contains("SEKISHO_SCOPE='full'"), "{asked}");
    assert!(asked.contains("AWS_REGION='eu-west-2'"), "{asked}");
    // Without one in the shell, the config's.
    assert!(refresh(None, &[]).contains("AWS_REGION='eu-west-1'"));
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
