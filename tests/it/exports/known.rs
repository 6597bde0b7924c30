//! An included target that has changed asks for its name, in every verb, until the change is accepted.

use super::stage::{Ran, Stage, until};

const TEAM: &str = "accounts: [{name: team, id: '222222222222', aliases: [t], roles: [{name: Developer, path: /dev/}]}]\n";
const FILE: &str = ".config/sekisho/team.yaml";

/// Whose account `team` of the team's file is.
fn whose(id: &str) -> String {
    TEAM.replace("222222222222", id)
}

/// Alice, whose accounts come from her team.
fn stage() -> Stage {
    let stage = Stage::with("include: [team.yaml]", "");
    let config = String::from_utf8(stage.read(".config/sekisho/config.yaml")).unwrap();
    stage.write(".config/sekisho/config.yaml", config.split_once("accounts:\n").unwrap().0);
    stage.write(FILE, TEAM);
    stage
}

const ENTER: [&str; 5] = ["exec", "team", "--", "sh", "-c"];

/// Enters `team`, and prints which account that is.
fn enter(stage: &Stage, more: &[&str]) -> Ran {
    let script = ["echo $SEKISHO_ACCOUNT_ID"];
    stage.run(&[more, &ENTER, &script].concat())
}

/// Enters `team` until that is answered by the warm path.
fn warm_up(stage: &Stage, account: &str) {
    until("a warm answer", || {
        let arguments = [&ENTER[..], &["echo $SEKISHO_ACCOUNT_ID"]].concat();
        let ran = stage.warm(&mut stage.sekisho(&arguments))?;
        assert_eq!(ran.said(), format!("{account}\n"));
        Some(())
    });
}

#[test]
fn another_account_behind_a_name_is_entered_only_once_it_is_accepted() {
    let stage = stage();
    let ran = stage.run_with_code(&["credential-process", "team"]);
    assert!(ran.stderr.contains("1 included account remembered"), "{}", ran.stderr);
    ran.said();
    assert_eq!(enter(&stage, &[]).said(), "222222222222\n", "what is new asks for nothing");
    warm_up(&stage, "222222222222");

    stage.write(FILE, whose("333333333333"));
    let was = "team was arn:aws:iam::222222222222:role/dev/Developer, now it is arn:aws:iam::333333333333:role/dev/Developer";
    for verb in [
        &["exec", "team", "--", "true"][..],
        &["exec", "t", "--", "true"],
        &["exec", "333333333333", "--", "true"],
        &["env", "team"],
        &["shell", "team"],
        &["switch", "--hook", "values", "team"],
        &["credential-process", "team"],
        &["serve", "team", "--", "true"],
        &["console", "team", "--print"],
    ] {
        for _ in 0..2 {
            let ran = stage.run(verb);
            assert_eq!((ran.code, ran.stdout.as_str()), (4, ""), "{verb:?}: {}", ran.stderr);
            assert!(
                ran.stderr.contains("team has changed, and there is no terminal"),
                "{verb:?}: {}",
                ran.stderr
            );
            assert!(ran.stderr.contains(was), "{verb:?}: {}", ran.stderr);
            assert!(ran.stderr.contains("sekisho config accept"), "{verb:?}: {}", ran.stderr);
        }
    }
    let waits = "1 included target changed and will ask for a name until you accept it";
    for verb in [&["status"][..], &["list"], &["config", "check"]] {
        let ran = stage.run(verb);
        assert_eq!(
            (ran.code, ran.stderr.matches(waits).count()),
            (0, 1),
            "{verb:?}: {}",
            ran.stderr
        );
    }
    let status: serde_json::Value =
        serde_json::from_str(&stage.run(&["status", "--json"]).said()).unwrap();
    assert_eq!(status["changed_targets"], 1);
    let list: serde_json::Value =
        serde_json::from_str(&stage.run(&["list", "--json"]).said()).unwrap();
    assert_eq!((&list[0]["guard"], &list[0]["changes"][0]), (&"confirm".into(), &was.into()));
    let profiles = stage.run(&["profiles"]);
    assert!(profiles.stderr.contains("guarded targets left out: 1"), "{}", profiles.stderr);
    assert!(
        stage.run(&["config", "show"]).said().contains("# changed, see: sekisho config accept")
    );

    // A name that is typed enters once, and says what it enters.
    for _ in 0..2 {
        let ran = enter(&stage, &["--confirm", "team"]);
        assert!(ran.stderr.contains(was), "{}", ran.stderr);
        assert_eq!(ran.said(), "333333333333\n");
        assert_eq!(enter(&stage, &[]).code, 4, "that accepts nothing");
    }

    let ran = stage.run(&["config", "accept"]);
    assert_eq!(ran.code, 4, "{}", ran.stderr);
    assert!(ran.stderr.contains(was) && ran.stderr.contains("`--yes`"), "{}", ran.stderr);
    assert_eq!(stage.run(&["config", "accept", "nobody"]).code, 2);
    assert_eq!(enter(&stage, &[]).code, 4);
    let ran = stage.run(&["config", "accept", "t", "--yes"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(
        ran.stderr.contains(was) && ran.stderr.contains("accepted: 1 target"),
        "{}",
        ran.stderr
    );
    assert_eq!(enter(&stage, &[]).said(), "333333333333\n");
    warm_up(&stage, "333333333333");
    let ran = stage.run(&["config", "accept"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, "sekisho: there are no changes to accept\n"));
    assert!(!stage.run(&["list"]).stderr.contains("changed"));
}

#[test]
fn a_guard_that_a_push_takes_away_still_asks() {
    let stage = stage();
    stage.write(FILE, TEAM.replace("roles", "guard: confirm, roles"));
    stage.run_with_code(&["--confirm", "team", "credential-process", "team"]).said();
    for text in [
        TEAM.to_owned(),
        // By a slip: the entry is gone, then it is back.
        TEAM.replace("roles", "guard: confrim, roles"),
        TEAM.to_owned(),
    ] {
        stage.write(FILE, &text);
        let ran = enter(&stage, &[]);
        let is_there = !text.contains("confrim");
        assert_eq!(
            (ran.code, ran.stdout.as_str()),
            (if is_there { 4 } else { 2 }, ""),
            "{}",
            ran.stderr
        );
        let lowered = "its guard was `confirm`, now included files say `none`";
        assert_eq!(ran.stderr.contains(lowered), is_there, "{}", ran.stderr);
    }
    stage.run(&["config", "accept", "--yes"]);
    assert_eq!(enter(&stage, &[]).said(), "222222222222\n");
}

#[test]
fn the_main_file_may_change_without_asking() {
    let stage = stage();
    stage.write(FILE, "");
    let config = String::from_utf8(stage.read(".config/sekisho/config.yaml")).unwrap();
    stage.write(".config/sekisho/config.yaml", format!("{config}{TEAM}"));
    stage.run_with_code(&["credential-process", "team"]).said();
    assert_eq!(enter(&stage, &[]).said(), "222222222222\n");
    stage.write(".config/sekisho/config.yaml", format!("{config}{}", whose("333333333333")));
    assert_eq!(enter(&stage, &[]).said(), "333333333333\n");
}

/// A name that others have added may be one that somebody types by mistake.
#[test]
fn a_new_included_target_is_not_entered_by_its_name_alone() {
    let stage = stage();
    let ran = stage.run(&["t"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{}", ran.stderr);
    let why = "why  team/Developer comes from an included file, and was never entered before\n";
    assert!(ran.stderr.contains(why), "{}", ran.stderr);
    assert!(ran.stderr.contains("fix  sekisho shell team/Developer"), "{}", ran.stderr);
    stage.run_with_code(&["credential-process", "t"]).said();
    assert_eq!(stage.run(&["t"]).code, 2, "a program's request is no entry");
    stage.run(&["exec", "t", "--", "true"]).said();
    assert_eq!(stage.run(&["t"]).code, 0, "once it was entered");
    // What the main file names is the person's own word.
    let config = String::from_utf8(stage.read(".config/sekisho/config.yaml")).unwrap();
    stage.write(".local/state/sekisho/entries.log", "");
    assert_eq!(stage.run(&["t"]).code, 2);
    stage.write(
        ".config/sekisho/config.yaml",
        config + "accounts: [{name: ours, id: '222222222222'}]\n",
    );
    assert_eq!(stage.run(&["ours"]).code, 0);
}
