//! The diary: who entered what, and when.

use std::os::unix::fs::PermissionsExt;

use super::stage::Stage;

const DIARY: &str = ".local/state/sekisho/diary.jsonl";

#[test]
fn every_issued_session_is_a_line_and_a_cached_one_is_not() {
    let stage = Stage::new();
    stage.sign_in();
    for _ in 0..2 {
        assert_eq!(stage.run(&["exec", "dev", "--", "true", "argument"]).code, 0);
        assert_eq!(
            stage.run(&["exec", "--scope", "read-only", "dev", "--", "true", "argument"]).code,
            0
        );
    }
    let text = String::from_utf8(stage.read(DIARY)).unwrap();
    let mut lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for line in &mut lines {
        let time: jiff::Timestamp = line["time"].take().as_str().unwrap().parse().unwrap();
        assert!(jiff::Timestamp::now().duration_since(time).as_secs() < 600);
        assert!(line["parent"].take().is_string(), "{text}");
    }
    let shown: Vec<String> = lines.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(shown.join("\n"), @r#"
    {"time":null,"target":"dev/Developer","flow":"shared","scope":"full","verb":"credential-process","agent":null,"parent":null}
    {"time":null,"target":"dev/Developer","flow":"shared","scope":"read-only","verb":"exec","agent":null,"parent":null}
    "#);
    assert!(!text.contains("argument"), "{text}");
    let mode = std::fs::metadata(stage.path(DIARY)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn audit_off_writes_nothing() {
    let stage = Stage::with("audit: off", "");
    stage.sign_in();
    assert!(!stage.path(DIARY).exists());
}
