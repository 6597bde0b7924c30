//! `import aws-config --write` into a config that is there: what is said, asked and named.

use std::path::Path;

use super::{Said, run, sekisho};

const CONFIG: &str = r#"auth:
  account: "111111111111"
  mfa: [arn:aws:iam::111111111111:mfa/tanaka]
defaults: {roles: [Developer], region: eu-west-1}
include: [team.yaml]
accounts:
  - {name: dev, id: "222222222222", roles: [Developer]}  # mine
  - {name: quiet, id: "233333333333", roles: [Developer], hide: true}
  - {name: one, id: "244444444444", roles: &both [Developer, ReadOnly]}
  - {name: two, id: "255555555555", roles: *both}
  - {id: "266666666666", color: red}
"#;

const TEAM: &str = r#"accounts:
  - {name: team, id: "266666666666", roles: [Developer]}
  - {name: payments, id: "277777777777", roles: [Developer]}
"#;

const KEYS: &str = "[main]
aws_access_key_id = AKIAMAIN000000000001
aws_secret_access_key = canary
[client key]
aws_access_key_id = AKIAOTHER00000000001
aws_secret_access_key = canary
";

fn profile(name: &str, arn: &str, more: &str) -> String {
    let source = if more.contains("source_profile") { "" } else { "source_profile = main\n" };
    format!("[profile {name}]\nrole_arn = arn:aws:iam::{arn}\n{source}{more}\n")
}

fn write(home: &Path, profiles: &[String]) {
    std::fs::create_dir_all(home.join(".aws")).unwrap();
    let device = "mfa_serial = arn:aws:iam::111111111111:mfa/tanaka\n";
    let text = format!("[profile main]\n{device}{}", profiles.concat());
    std::fs::write(home.join(".aws/config"), text).unwrap();
    std::fs::write(home.join(".aws/credentials"), KEYS).unwrap();
    std::fs::write(home.join("config.yaml"), CONFIG).unwrap();
    std::fs::write(home.join("team.yaml"), TEAM).unwrap();
}

fn import(home: &Path, more: &[&str]) -> Option<Said> {
    let mut command = sekisho(home)?;
    command.env("SEKISHO_CONFIG", home.join("config.yaml"));
    Some(run(command, &[&["import", "aws-config", "--write"], more].concat(), "", home))
}

fn config(home: &Path) -> String {
    std::fs::read_to_string(home.join("config.yaml")).unwrap()
}

#[test]
fn what_is_new_is_added_after_it_was_shown_and_the_rest_is_named() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let client = "source_profile = client key\nmfa_serial = arn:aws:iam::999999999999:mfa/t";
    write(
        home,
        &[
            profile("dev-admin", "222222222222:role/ops/Admin", "duration_seconds = 7200"),
            profile("dev", "222222222222:role/Developer", "external_id = other"),
            profile("payments", "288888888888:role/Developer", ""),
            profile("payments-prod", "299999999999:role/Developer", "region = us-east-1"),
            profile("included", "277777777777:role/Admin", ""),
            profile("overlaid", "266666666666:role/Admin", ""),
            profile("shared", "255555555555:role/Admin", ""),
            profile("anchored", "244444444444:role/Admin", ""),
            profile("hidden", "233333333333:role/Developer", ""),
            profile("client", "288888888888:role/Client", client),
            profile("code", "222222222222:role/Code", "mfa_process = ykman oath"),
            profile("key ring", "222222222222:role/Ring", "mfa_serial = GAHT12345678"),
        ],
    );
    let Some(asked) = import(home, &[]) else { return };
    assert_eq!((asked.code, config(home).as_str()), (4, CONFIG), "{}", asked.whole());
    let said = import(home, &["--yes"]).unwrap();
    insta::assert_snapshot!(said.whole());
    insta::assert_snapshot!(config(home));
    assert!(import(home, &["--yes"]).unwrap().stderr.contains("is up to date"));
}

#[test]
fn devices_and_programs_for_codes_are_added_where_nothing_else_would_change() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let known = profile("known", "222222222222:role/Developer", "");
    let second = profile(
        "second",
        "222222222222:role/Developer",
        "mfa_serial = arn:aws:iam::111111111111:mfa/second\nmfa_process = pass 'otp x'",
    );
    let other = "mfa_serial = arn:aws:iam::999999999999:mfa/t";
    let foreign = profile("foreign", "222222222222:role/Developer", other);
    let mfa = "mfa: [arn:aws:iam::111111111111:mfa/tanaka]";
    let added = "arn:aws:iam::111111111111:mfa/second";
    let command = "mfa_command: [pass, \"otp x\"]";
    // The config's `auth.mfa`, what becomes of it, and what is said.
    for (before, after, said) in [
        (
            mfa.to_owned(),
            format!("mfa: [arn:aws:iam::111111111111:mfa/tanaka, {added}]\n  {command}"),
            "added 1 new MFA device and `mfa_command` to",
        ),
        (
            "mfa: [GAHT12345678]".to_owned(),
            String::new(),
            "is not in the config's `auth.mfa`, and nothing shows that it is the same user's; if it is, add it by hand: known, second",
        ),
        (
            "mfa: [GAHT12345678] ".to_owned(),
            String::new(),
            "nothing shows that its codes are for the config's user; if they are, set `auth.mfa_command`: second",
        ),
        (
            "mfa:\n    - serial: arn:aws:iam::111111111111:mfa/tanaka\n      label: phone  # a\n  # b\n  mfa_command: [other]".to_owned(),
            format!("mfa:\n    - serial: arn:aws:iam::111111111111:mfa/tanaka\n      label: phone  # a\n    - {added}\n  # b\n  mfa_command: [other]"),
            "imported without mfa_process: a config has one `mfa_command`, and none with a secret in it: second",
        ),
        (
            mfa.replace('[', "&both [") + "\n  mfa_command: *both",
            String::new(),
            "`auth` or `auth.mfa` is a YAML alias or anchor or comes from a merge key; add it by hand: second",
        ),
        (
            "mfa: &both [arn:aws:iam::111111111111:mfa/tanaka]\n  user: tanaka".to_owned(),
            format!("mfa: &both [arn:aws:iam::111111111111:mfa/tanaka, {added}]\n  user: tanaka\n  {command}"),
            "added 1 new MFA device and `mfa_command` to",
        ),
        // Without a list, AWS is asked for the devices.
        ("user: tanaka".to_owned(), format!("user: tanaka\n  {command}"), "added `mfa_command` to"),
    ] {
        write(home, &[known.clone(), second.clone(), foreign.clone()]);
        let before = CONFIG.replace(mfa, &before);
        std::fs::write(home.join("config.yaml"), &before).unwrap();
        let Some(whole) = import(home, &["--yes"]) else { return };
        let after = if after.is_empty() { before.clone() } else { CONFIG.replace(mfa, &after) };
        assert_eq!(config(home), after, "{}", whole.whole());
        assert!(whole.stderr.contains(said), "{said}: {}", whole.whole());
    }
}

#[test]
fn roles_of_another_key_become_a_config_by_the_command_that_is_named() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let client = "source_profile = client key\nmfa_serial = arn:aws:iam::999999999999:mfa/t";
    write(
        home,
        &[
            profile("dev", "288888888888:role/Developer", ""),
            profile("client", "299999999999:role/Client", client),
        ],
    );
    let Some(said) = import(home, &["--yes"]) else { return };
    let command = said.stderr.lines().find_map(|line| line.split_once("of their own: sekisho "));
    let command = command.unwrap_or_else(|| panic!("{}", said.whole())).1;
    let words = shlex::split(&command.replace('~', home.to_str().unwrap())).unwrap();
    let words: Vec<&str> = words.iter().map(String::as_str).chain(["--yes"]).collect();
    let second = run(sekisho(home).unwrap(), &words, "", home);
    assert_eq!(second.code, 0, "{}", second.whole());
    let config = std::fs::read_to_string(home.join("client-key.yaml")).unwrap();
    insta::assert_snapshot!(config.replace(home.to_str().unwrap(), "~"));
}

#[test]
fn a_config_of_another_account_or_with_errors_is_left_alone() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    write(home, &[profile("dev", "288888888888:role/Developer", "")]);
    for (more, why) in [
        (&["--account", "999999999999", "--yes"][..], "is 111111111111, not 999999999999"),
        (&["--partition", "aws-cn", "--yes"], "is for partition aws, not aws-cn"),
        (&["--source", "client key", "--yes"], "with the key of profile client key"),
    ] {
        let Some(said) = import(home, more) else { return };
        assert_eq!((said.code, config(home).as_str()), (2, CONFIG), "{}", said.whole());
        assert!(said.stderr.contains(why), "{}", said.whole());
    }
    let faulty = CONFIG.replace("mfa:", "mfaa:");
    std::fs::write(home.join("config.yaml"), &faulty).unwrap();
    let said = import(home, &["--yes"]).unwrap();
    assert_eq!((said.code, config(home)), (2, faulty), "{}", said.whole());
    assert!(said.stderr.contains("config.yaml:3:3"), "{}", said.whole());
}

#[test]
fn a_linked_config_stays_a_link() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    write(home, &[profile("new", "288888888888:role/Developer", "")]);
    std::fs::create_dir(home.join("dotfiles")).unwrap();
    std::fs::rename(home.join("config.yaml"), home.join("dotfiles/c.yaml")).unwrap();
    std::os::unix::fs::symlink("dotfiles/c.yaml", home.join("config.yaml")).unwrap();
    let Some(said) = import(home, &["--yes"]) else { return };
    assert_eq!(said.code, 0, "{}", said.whole());
    assert!(home.join("config.yaml").is_symlink());
    assert!(config(home).contains("name: new"));
}

#[test]
fn aws_vaults_session_settings_and_granteds_colours_come_along() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    write(
        home,
        &[
            profile(
                "tagged",
                "288888888888:role/Developer",
                "session_tags = team=a b,cost=1\ntransitive_session_tags = Team\nsource_identity = tanaka\n\
                 mfa_process = pass otp aws | head -1\ngranted_color = pink\noutput = json",
            ),
            profile("big-prod", "299999999999:role/Developer", ""),
            profile(
                "big-test",
                "299999999999:role/ProdSupport",
                "mfa_process = oathtool -b JBSWY3DPEHPK3PXPAA",
            ),
        ],
    );
    std::fs::remove_file(home.join("config.yaml")).unwrap();
    let Some(said) = import(home, &["--yes"]) else { return };
    insta::assert_snapshot!(said.whole());
    assert!(!said.whole().contains("JBSWY3DP") && !said.whole().contains("canary"));
}
