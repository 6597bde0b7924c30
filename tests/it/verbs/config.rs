//! `config check`, `config show` and `config example`, and a config that is missing or wrong.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;

use super::home::Home;

#[test]
fn without_a_config_a_way_to_one_is_shown() {
    let home = Home::new();
    std::fs::remove_dir_all(home.path().join(".config")).unwrap();
    let Some(said) = home.run(&["exec", "dev", "--", "true"]) else {
        return;
    };
    insta::assert_snapshot!(said.whole(), @"
    exit 2
    ── stdout
    ── stderr
    sekisho: there is no config at ~/.config/sekisho/config.yaml
       fix  make one: sekisho init
       fix  or from your AWS profiles: sekisho import aws-config --write
       fix  or look around first, without an AWS account: sekisho demo
    ");
    let check = home.run(&["config", "check"]).unwrap();
    assert_eq!(check.stderr, said.stderr);
}

#[test]
fn every_complaint_about_a_config_at_once() {
    let home = Home::new();
    home.write(
        "version: 1\nauth: {account: 11111111111, sesion: 12h}\naccounts:\n  - name: a/b\n    id: 1e11\n",
    );
    let Some(said) = home.run(&["config", "check"]) else {
        return;
    };
    insta::assert_snapshot!(said.whole(), @r#"
    exit 2
    ── stdout
    ── stderr
    sekisho: the config has 5 errors; nothing was run
         -  ~/.config/sekisho/config.yaml:2:7: `auth.region` is missing; add region: ap-northeast-1
         -  ~/.config/sekisho/config.yaml:2:17: `11111111111`: an account id is exactly 12 digits; if that is the account, write "011111111111"
         -  ~/.config/sekisho/config.yaml:2:30: unknown key `sesion`; did you mean `session`?
         -  ~/.config/sekisho/config.yaml:4:11: `a/b`: a name cannot contain /, which separates account and role
         -  ~/.config/sekisho/config.yaml:5:9: `1e11`: an account id is exactly 12 digits; if that is the account, write "100000000000"
       fix  fix these, then run `sekisho config check`
    "#);
    let other = home.run(&["exec", "dev", "--", "true"]).unwrap();
    assert_eq!((other.code, other.stderr), (2, said.stderr));
}

#[test]
fn a_sound_config_is_said_to_be_so_and_shown_with_origins() {
    let home = Home::new();
    let Some(said) = home.run(&["config", "check"]) else {
        return;
    };
    insta::assert_snapshot!(said.whole(), @"
    exit 0
    ── stdout
    ── stderr
    sekisho: the config is valid: 2 accounts
    ");
    let said = home.run(&["config", "show"]).unwrap();
    assert_eq!((said.code, said.stderr.as_str()), (0, ""));
    insta::assert_snapshot!(said.stdout);
}

#[test]
fn the_example_is_printed_without_a_config_and_is_one() {
    let home = Home::new();
    home.write("{{{");
    let Some(said) = home.run(&["config", "example"]) else {
        return;
    };
    assert_eq!((said.code, said.stderr.as_str()), (0, ""));
    std::fs::write(home.path().join("example.yaml"), &said.stdout).unwrap();
    let said = home.run(&["--config", "example.yaml", "config", "check"]).unwrap();
    assert_eq!(said.stderr, "sekisho: the config is valid: 8 accounts\n");
}

#[test]
fn a_config_may_be_named() {
    let home = Home::new();
    let from = home.path().join(".config/sekisho/config.yaml");
    std::fs::rename(from, home.path().join("other.yaml")).unwrap();
    let Some(said) = home.run(&["--config", "other.yaml", "config", "check"]) else {
        return;
    };
    assert_eq!(said.code, 0, "{}", said.stderr);
    let said = home
        .run_with_code(&[
            "--config",
            "other.yaml",
            "--mfa-code",
            "-",
            "exec",
            "dev",
            "--",
            "sh",
            "-c",
            "echo $SEKISHO_CONFIG",
        ])
        .unwrap();
    assert_eq!((said.stdout.as_str(), said.code), ("~/other.yaml\n", 0), "{}", said.stderr);
    assert_eq!(home.run(&["--config", "none.yaml", "config", "check"]).unwrap().code, 2);
}

#[test]
fn a_name_that_looks_like_another_is_named_by_every_verb() {
    let home = Home::with("include: [team.yaml]");
    // A Cyrillic е.
    let team = "accounts: [{name: dеv, id: '222222222230', roles: [Developer]}]\n";
    std::fs::write(home.path().join(".config/sekisho/team.yaml"), team).unwrap();
    for verb in [
        &["list"][..],
        &["list", "--json"],
        &["status"],
        &["credential-process", "dev"],
        &["exec", "dev", "--", "true"],
        &["shell", "dev"],
        &["config", "show"],
    ] {
        let Some(said) = home.run(verb) else { return };
        let looks_alike = said.stderr.matches("the name `dеv` looks like `dev`").count();
        assert_eq!(looks_alike, 1, "{verb:?}: {}", said.stderr);
        assert!(said.stderr.contains("mixes scripts"), "{verb:?}: {}", said.stderr);
        assert!(said.stderr.contains("222222222230"), "{verb:?}: {}", said.stderr);
    }
    let check = home.run(&["config", "check"]).unwrap();
    assert_eq!(check.code, 2, "what others wrote is refused where it is checked");
}

/// Each verb that reads the config says the same, and runs nothing.
#[test]
fn a_config_that_another_user_could_have_written_runs_nothing() {
    let marker =
        "mfa_command: [/bin/sh, -c, 'echo ran > marker; echo 123456']\n  region: eu-west-1";
    let home = Home::new();
    let file = home.path().join(".config/sekisho/config.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    home.write(&text.replace("region: eu-west-1\n  endpoint", &format!("{marker}\n  endpoint")));
    let folder = file.parent().unwrap();
    std::fs::set_permissions(folder, PermissionsExt::from_mode(0o777)).unwrap();
    for verb in [&["config", "check"][..], &["exec", "dev", "--", "true"], &["list"], &["login"]] {
        let Some(said) = home.run(verb) else { return };
        assert_eq!((said.code, said.stdout.as_str()), (2, ""), "{verb:?}: {}", said.stderr);
        let what = "~/.config/sekisho is writable by everyone, who could make sekisho run anything";
        assert!(said.stderr.contains(what), "{verb:?}: {}", said.stderr);
        assert!(said.stderr.contains("chmod o-w ~/.config/sekisho"), "{verb:?}: {}", said.stderr);
    }
    let doctor = home.run(&["doctor"]).unwrap();
    assert!(
        doctor.stdout.contains("~/.config/sekisho is writable by everyone"),
        "{}",
        doctor.stdout
    );
    assert!(!home.path().join("marker").exists());
    std::fs::set_permissions(folder, PermissionsExt::from_mode(0o755)).unwrap();
    assert_eq!(home.run(&["config", "check"]).unwrap().code, 0);
    assert_ne!(home.run(&["exec", "dev", "--", "true"]).unwrap().code, 0, "it is no right code");
    assert!(home.path().join("marker").exists(), "the same config runs it where it is safe");
}

/// As in a store of nix: the file is root's, read-only, and linked.
#[test]
fn a_config_in_roots_store_is_right_for_everybody() {
    if !rustix::process::geteuid().is_root() {
        return crate::store::skip("only root runs as another user");
    }
    let home = Home::new();
    let file = home.path().join(".config/sekisho/config.yaml");
    let store = home.path().join("store");
    std::fs::create_dir(&store).unwrap();
    std::fs::rename(&file, store.join("config.yaml")).unwrap();
    std::os::unix::fs::symlink(store.join("config.yaml"), &file).unwrap();
    std::fs::set_permissions(store.join("config.yaml"), PermissionsExt::from_mode(0o444)).unwrap();
    for place in [home.path(), &home.path().join(".config"), file.parent().unwrap(), &file] {
        std::os::unix::fs::lchown(place, Some(65_534), Some(65_534)).unwrap();
    }
    let Some(mut command) = home.command(&["config", "check"]) else { return };
    let output = command.uid(65_534).gid(65_534).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}
