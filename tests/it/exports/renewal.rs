//! A renewal is one of the very session that the shell holds. Anything else is an entry, with guard and all.

use super::stage::{Ran, Stage};

const REFRESH: [&str; 3] = ["refresh", "--hook", "values"];

/// The credentials that `env` prints for a target.
fn entered(stage: &Stage, arguments: &[&str]) -> Vec<(String, String)> {
    let ran = stage.run(&[arguments, &["--format", "json"]].concat());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let json: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let set = json["set"].as_object().or(json.as_object()).unwrap();
    set.iter()
        .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
        .collect()
}

fn refresh(stage: &Stage, variables: &[(String, String)], more: &[&str]) -> Ran {
    let mut command = stage.sekisho(&[&REFRESH[..], more].concat());
    command.envs(variables.iter().cloned());
    Ran::of(&command.output().unwrap())
}

fn with(variables: &[(String, String)], name: &str, value: &str) -> Vec<(String, String)> {
    let mut changed: Vec<_> = variables.iter().filter(|(n, _)| n != name).cloned().collect();
    changed.push((name.to_owned(), value.to_owned()));
    changed
}

fn calls(stage: &Stage) -> usize {
    stage.emulator.calls().len()
}

#[test]
fn variables_that_name_a_guarded_target_do_not_enter_it() {
    let stage = Stage::new();
    stage.sign_in();
    let dev = entered(&stage, &["env", "dev"]);
    let before = calls(&stage);
    let claimed = with(&dev, "SEKISHO_TARGET", "prod/Developer");
    for quiet in [&["--quiet"][..], &[]] {
        let ran = refresh(&stage, &claimed, quiet);
        assert_eq!((ran.code, ran.stdout.as_str()), (4, ""), "{}", ran.stderr);
    }
    // Nor does a key id from CloudTrail with another secret.
    let prod = entered(&stage, &["--confirm", "prod", "env", "prod"]);
    let before_forged = calls(&stage);
    let forged = with(&prod, "AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY");
    let ran = refresh(&stage, &forged, &["--quiet"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (4, ""), "{}", ran.stderr);
    assert_eq!(
        (calls(&stage), before_forged),
        (before_forged, before + 1),
        "nothing was asked of AWS"
    );
}

#[test]
fn a_wider_scope_of_a_guarded_target_is_no_renewal() {
    let stage = Stage::new();
    stage.sign_in();
    let narrow = entered(&stage, &["--confirm", "prod", "--scope", "read-only", "env", "prod"]);
    let ran = refresh(&stage, &with(&narrow, "SEKISHO_SCOPE", "full"), &["--quiet"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (4, ""), "{}", ran.stderr);
    assert_eq!(refresh(&stage, &narrow, &["--quiet"]).code, 0);
}

#[test]
fn the_shells_own_session_is_renewed_without_asking_again() {
    let stage = Stage::new();
    stage.sign_in();
    let prod = entered(&stage, &["--confirm", "prod", "env", "prod"]);
    // As if it had expired here, while the session for the day still lives.
    let sessions = stage.path(".local/state/sekisho/sessions");
    for file in std::fs::read_dir(sessions).unwrap().flatten() {
        if file.file_name().to_string_lossy().starts_with("role-") {
            std::fs::remove_file(file.path()).unwrap();
        }
    }
    let ran = refresh(&stage, &prod, &["--quiet"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stdout.contains("SEKISHO_TARGET\u{1f}prod/Developer\u{1e}"), "{}", ran.stdout);
    let secret = &prod.iter().find(|(name, _)| name == "AWS_SECRET_ACCESS_KEY").unwrap().1;
    let remembered = String::from_utf8(stage.read(".local/state/sekisho/issued.json")).unwrap();
    assert!(!remembered.contains(secret.as_str()));
}
