//! `policy`: what is printed for programs, what is written, and what `--check` says to edited files.

use super::home::Home;

const CONFIG: &str = r#"
version: 1
auth: {account: "111111111111", user: tanaka, region: ap-northeast-1}
guardrails:
  organization: o-a1b2c3d4e5
  management_account: "999999999999"
  sandbox_ou: ou-a1b2-c3d4e5f6
  regions: [ap-northeast-1]
  allowed_models: [amazon.nova-*]
  allow_ses_smtp: true
accounts:
  - {name: dev-tanaka, id: "222222222222", roles: [Developer]}
"#;

#[test]
fn stdout_is_json_for_programs_and_stderr_says_which_is_which() {
    let home = Home::new();
    home.write(CONFIG);
    let Some(said) = home.run(&["policy"]) else {
        return;
    };
    assert_eq!(said.code, 0, "{}", said.stderr);
    let documents: Result<Vec<serde_json::Value>, _> =
        serde_json::Deserializer::from_str(&said.stdout).into_iter().collect();
    let documents = documents.unwrap();
    let listed = documents.last().unwrap()["documents"].as_array().unwrap().len();
    assert_eq!(listed + 1, documents.len(), "the manifest comes last");
    assert!(said.stderr.contains("# auth-account/switch.json →"), "{}", said.stderr);
    assert!(said.stderr.contains(" of 5120 characters)"), "sizes are printed: {}", said.stderr);
}

#[test]
fn a_check_holds_on_what_was_written_and_names_what_an_edit_opened() {
    let home = Home::new();
    home.write(CONFIG);
    let Some(said) = home.run(&["policy", "--check"]) else {
        return;
    };
    assert_eq!(said.code, 0, "{}", said.stdout);
    assert!(said.stdout.contains("denied by auth-account/managed/users.json DenyAllWithoutMfa"));
    assert!(said.stderr.contains(" wrong") && said.stderr.contains("not evaluated"));
    for format in ["json", "cloudformation", "terraform"] {
        let folder = home.path().join(format);
        let dir = folder.to_str().unwrap();
        assert_eq!(
            home.run(&["policy", "--format", format, "--write", dir, "--yes"]).unwrap().code,
            0
        );
        let said = home.run(&["policy", "--check", dir]).unwrap();
        assert_eq!(said.code, 0, "{format}: {}", said.stdout);
    }
    let file = home.path().join("json/organization/scp-sandbox/identity.json");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("arn:aws:iam::*:user/*", "arn:aws:iam::*:user/people/*"))
        .unwrap();
    let said =
        home.run(&["policy", "--check", home.path().join("json").to_str().unwrap()]).unwrap();
    assert_eq!(said.code, 1);
    let wrong: Vec<&str> = said.stdout.lines().filter(|line| line.starts_with("WRONG")).collect();
    assert!(
        wrong.iter().any(|line| line.contains("devuser bare lambda:InvokeFunction")),
        "{wrong:#?}"
    );
    let empty = home.run(&["policy", "--check", "/nowhere"]).unwrap();
    assert_eq!(empty.code, 2, "{}", empty.stderr);
}

#[test]
fn the_readme_is_in_japanese_on_request() {
    let home = Home::new();
    home.write(CONFIG);
    let folder = home.path().join("ja");
    let dir = folder.to_str().unwrap();
    let Some(said) = home.run(&["policy", "--lang", "ja", "--write", dir, "--yes"]) else {
        return;
    };
    assert_eq!(said.code, 0, "{}", said.stderr);
    let readme = std::fs::read_to_string(folder.join("README.md")).unwrap();
    assert!(readme.contains("アクセスキーだけでは") && readme.contains("**DenyAllWithoutMfa**"));
    assert!(!readme.contains("{{"));
}
