//! What the verbs answer: exit code, stdout, stderr.

use sekisho::domain::secret::Secret;
use sekisho::services::store::access_keys::KeyHome;
use sekisho::services::store::slot::Slot;

use super::stage::{BINARY, Codes, KEY, Key, PASSPHRASE, SECRET, Stage, told};
use crate::pty::terminal::Pty;

#[test]
fn a_day_of_login_status_and_logout() {
    // `logout` names every process of a target, other tests' too: these targets are in no other test.
    let stage = Stage::new(Key::Env, Codes::Program);
    let shown = |arguments: &[&str]| told(&stage, &stage.run(arguments));
    insta::assert_snapshot!("status_before", shown(&["status"]));
    insta::assert_snapshot!("login", shown(&["login"]));
    insta::assert_snapshot!("login_again", shown(&["login"]));
    assert!(stage.run(&["exec", "dev-6", "--", "true"]).status.success());
    assert!(
        stage.run(&["exec", "dev-5", "--scope", "read-only", "--", "true"]).status.code().is_some()
    );
    insta::assert_snapshot!("status", shown(&["status"]));
    insta::assert_snapshot!("key_status", shown(&["key", "status"]));
    insta::assert_snapshot!("logout_target", shown(&["logout", "dev-6"]));
    insta::assert_snapshot!("logout", shown(&["logout"]));
    insta::assert_snapshot!("logout_again", shown(&["logout", "--all"]));
    assert_eq!(stage.asked(), 1, "one code for all of it");
}

#[test]
fn status_is_a_stable_object() {
    let stage = Stage::new(Key::Env, Codes::Program);
    assert!(stage.run(&["exec", "dev-1", "--", "true"]).status.success());
    let output = stage.run(&["status", "--json"]);
    let status: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let keys: Vec<&String> = status.as_object().unwrap().keys().collect();
    assert_eq!(
        keys,
        [
            "schema",
            "version",
            "auth_account",
            "user",
            "key",
            "sessions",
            "agent",
            "detours",
            "changed_targets",
            "auth_session",
            "role_sessions"
        ]
    );
    assert_eq!(status["auth_session"]["device"], "phone");
    let role = &status["role_sessions"][0];
    assert_eq!(role["target"], "dev-1/Developer");
    assert_eq!(role["role_arn"], "arn:aws:iam::222222222221:role/Developer");
    assert_eq!((&role["scope"], &role["flow"]), (&"full".into(), &"shared".into()));
    // The emulated clock is 30 s ahead of ours.
    assert!((3500..=3700).contains(&role["seconds_left"].as_i64().unwrap()));
    assert!(role["expires"].as_str().unwrap().ends_with('Z'));
}

#[test]
fn key_status_as_json_tells_what_aws_knows() {
    let stage = Stage::new(Key::Env, Codes::Program);
    let ask = || -> serde_json::Value {
        serde_json::from_slice(&stage.run(&["key", "status", "--json"]).stdout).unwrap()
    };
    assert_eq!(ask()["aws"], serde_json::Value::Null);
    assert!(stage.run(&["login"]).status.success());
    let status = ask();
    assert_eq!(status["id"], KEY);
    assert_eq!((&status["age_days"], &status["aws"]["active"]), (&40.into(), &true.into()));
    assert_eq!(status["aws"]["last_used"]["service"], "sts");
    assert_eq!(stage.asked(), 1, "nobody is asked for a code");
}

#[test]
fn a_logout_names_the_shells_that_keep_a_session() {
    let stage = Stage::new(Key::Env, Codes::Program);
    let shell = Pty::spawn(
        stage.in_terminal(BINARY, &["exec", "dev-3", "--", "/bin/sh", "-c", "echo ready; cat"]),
    );
    shell.wait_for("ready");
    let output = stage.run(&["logout"]);
    let told = String::from_utf8(output.stderr).unwrap();
    let line = format!("in sh (pid {})", shell.pid());
    assert!(told.contains(&line), "{told}");
}

#[test]
fn a_logout_of_everything_leaves_nothing_to_open() {
    let stage = Stage::new(Key::Env, Codes::Program);
    assert!(stage.run(&["login"]).status.success());
    let sessions = stage.path(".local/state/sekisho/sessions");
    let saved: Vec<_> = std::fs::read_dir(&sessions)
        .unwrap()
        .map(|file| file.unwrap().path())
        .filter(|file| !file.ends_with("lock"))
        .map(|file| (std::fs::read(&file).unwrap(), file))
        .collect();
    assert!(stage.run(&["logout", "--all"]).status.success());
    // A backup that brings the files back brings no session back.
    for (bytes, file) in saved {
        std::fs::write(&file, bytes).unwrap();
        std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600))
            .unwrap();
    }
    let status = stage.run(&["status", "--json"]);
    let status: serde_json::Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!(status["auth_session"], serde_json::Value::Null);
}

#[test]
fn faults_are_told_with_their_remedy() {
    let stage = Stage::new(Key::Env, Codes::Person);
    let shown = |stage: &Stage, arguments: &[&str]| told(stage, &stage.run(arguments));
    insta::assert_snapshot!("login_without_a_terminal", shown(&stage, &["login"]));
    insta::assert_snapshot!("login_target", shown(&stage, &["login", "dev-1"]));
    insta::assert_snapshot!("rotate_without_a_stored_key", shown(&stage, &["key", "rotate"]));
    insta::assert_snapshot!("add_nothing", shown(&stage, &["key", "add"]));
    insta::assert_snapshot!("import_nothing", shown(&stage, &["key", "import"]));
    insta::assert_snapshot!("logout_unknown", shown(&stage, &["logout", "dev-11"]));
    let password = "User name,Password,Console sign-in URL\ntanaka,CANARY,https://x\n";
    let output = stage.run_with_input(&["key", "add"], password);
    insta::assert_snapshot!("add_password", told(&stage, &output));
    let session = format!("ASIATANAKA0000000001\n{SECRET}\n");
    let output = stage.run_with_input(&["key", "add"], &session);
    insta::assert_snapshot!("add_session", told(&stage, &output));

    let stage = Stage::new(Key::Keyring, Codes::Program);
    insta::assert_snapshot!("no_keychain", shown(&stage, &["login"]));
    let key = format!("{KEY}\n{SECRET}\n");
    let output = stage.run_with_input(&["key", "add"], &key);
    insta::assert_snapshot!("add_no_keychain", told(&stage, &output));

    let stage = Stage::new(Key::File, Codes::Program);
    insta::assert_snapshot!("no_key", shown(&stage, &["login"]));
    stage.store_key();
    stage.forget_passphrase();
    insta::assert_snapshot!("no_one_to_give_the_passphrase", shown(&stage, &["login"]));
    insta::assert_snapshot!("remove_without_a_terminal", shown(&stage, &["key", "remove"]));
}

#[test]
fn doctor_looks_at_the_key_where_nobody_must_be_asked_for_it() {
    let stage = Stage::new(Key::File, Codes::Program);
    let checks = || {
        let output = stage.run(&["doctor", "--json"]);
        let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let checks = found["checks"].as_array().unwrap().clone();
        ["access-key", "key-accepted", "key-age"].map(|id| {
            let check = checks.iter().find(|check| check["id"] == id).unwrap();
            check["verdict"].as_str().unwrap().to_owned()
        })
    };
    assert_eq!(checks()[0], "fail", "there is none");
    stage.store_key();
    assert_eq!(checks(), ["ok", "ok", "unknown"], "its passphrase is remembered");
    assert!(stage.run(&["login"]).status.success());
    assert_eq!(checks(), ["ok", "ok", "ok"], "the session asks for its age");
    stage.forget_passphrase();
    assert_eq!(checks(), ["ok", "ok", "ok"], "the session is enough");
    stage.run(&["logout"]);
    assert_eq!(checks(), ["skipped", "skipped", "skipped"], "somebody would have to be asked");
}

/// Another config's key file, whose passphrase the kernel remembers.
#[test]
fn a_logout_says_what_it_leaves_and_one_of_everything_leaves_no_passphrase() {
    let stage = Stage::new(Key::File, Codes::Program);
    stage.store_key();
    assert!(stage.run(&["login"]).status.success());
    let home = KeyHome::file(&stage.path(".local/state/sekisho"));
    let other = Slot { account: "444444444444".parse().unwrap(), endpoint: None };
    let asked = |slot: &Slot| {
        let mut asked = false;
        let mut ask = |_| {
            asked = true;
            Ok(Secret::new(PASSPHRASE.into()))
        };
        home.load(slot, &mut ask).unwrap();
        asked
    };
    let entry = stage.stored().unwrap();
    home.save(&other, &entry, &mut |_| Ok(Secret::new(PASSPHRASE.into()))).unwrap();
    assert!(!asked(&other), "the kernel remembers it");
    let said = |arguments: &[&str]| String::from_utf8(stage.run(arguments).stderr).unwrap();
    let left = "still on this machine: a key file's passphrase, remembered for up to 24h; `sekisho logout --all` deletes it";
    let ours = said(&["logout"]);
    assert!(ours.contains(left), "{ours}");
    stage.next_code();
    assert!(!asked(&other) && stage.run(&["login"]).status.success());
    let all = said(&["logout", "--all"]);
    assert!(!all.contains("still on this machine"), "{all}");
    assert!(asked(&other), "the other config's too");
    assert_eq!(stage.run(&["login"]).status.code(), Some(4), "and this one's");
}

#[test]
fn a_wrong_passphrase_is_said_and_the_right_one_is_asked_once() {
    let stage = Stage::new(Key::File, Codes::Program);
    stage.store_key();
    stage.forget_passphrase();
    let login = |passphrase: &str| {
        let mut pty = Pty::spawn(stage.in_terminal(BINARY, &["login"]));
        pty.wait_for("passphrase of the access key's file: ");
        pty.line(passphrase);
        let (code, said) = pty.last_words();
        assert!(!said.contains(passphrase));
        (code, said)
    };
    let (code, screen) = login("something else");
    assert_eq!(code, 1, "{screen}");
    assert!(screen.contains("the passphrase is wrong"), "{screen}");
    let (code, screen) = login(PASSPHRASE);
    assert_eq!(code, 0, "{screen}");
    assert!(screen.contains("signed in as tanaka (phone) until"), "{screen}");
    // What a live session spares is asked by `login` all the same, so that nothing asks for it later.
    stage.forget_passphrase();
    let (code, screen) = login(PASSPHRASE);
    assert_eq!(code, 0, "{screen}");
    assert!(screen.contains("already signed in"), "{screen}");
    assert_eq!(stage.asked(), 1);
}

#[test]
fn the_list_asks_for_the_passphrase_before_the_code() {
    let stage = Stage::new(Key::File, Codes::Person);
    stage.store_key();
    stage.forget_passphrase();
    let mut pty = Pty::spawn(stage.in_terminal(BINARY, &[]));
    pty.wait_for("dev-1");
    pty.send("dev-1\r");
    pty.wait_for("passphrase of the access key's file");
    pty.line("something else");
    let screen = pty.wait_for("the passphrase is wrong");
    assert!(!screen.contains("something else"), "{screen}");
    pty.line(PASSPHRASE);
    pty.wait_for("user tanaka, device phone");
    pty.send(&stage.next_code());
    pty.wait_until("the subshell", |screen| !screen.contains("MFA"));
    pty.line("echo in $AWS_ACCOUNT_ID");
    pty.wait_for("in 222222222221");
    assert_eq!(stage.calls("GetSessionToken"), 1);
    // Asked once per login, like everything else.
    pty.line("exit");
    pty.wait_for("left dev-1/Developer");
    pty.send("\u{15}dev-2\r");
    pty.wait_until("the second subshell", |screen| !screen.contains("MFA"));
    pty.line("echo in $AWS_ACCOUNT_ID");
    pty.wait_for("in 222222222222");
}

/// The list has asked in a box before; the terminal is asked on by a question.
#[test]
fn a_run_in_marked_rows_asks_for_the_passphrase_on_the_terminal() {
    let stage = Stage::new(Key::File, Codes::Person);
    stage.store_key();
    stage.forget_passphrase();
    let mut pty = Pty::spawn(stage.in_terminal(BINARY, &[]));
    pty.wait_for("dev-1");
    pty.send("dev-1\r");
    pty.wait_for("passphrase of the access key's file");
    pty.send("\u{1b}");
    pty.wait_until("the list", |screen| !screen.contains("passphrase"));
    pty.send("\t\r");
    pty.wait_for("runs in 1 target");
    pty.send("echo in $AWS_ACCOUNT_ID");
    pty.wait_for("› echo in $AWS_ACCOUNT_ID");
    pty.send_until("\r", "the question", |screen| {
        screen.contains("passphrase of the access key's file: ")
    });
    assert!(!pty.has_screen());
    pty.line(PASSPHRASE);
    pty.wait_for("code from phone");
    pty.line(&stage.next_code());
    pty.wait_for("in 222222222221");
    let screen = pty.wait_for("Enter returns to the list");
    assert!(screen.contains("1 of 1 succeeded"), "{screen}");
}

#[test]
fn where_there_is_no_keychain_a_wrong_passphrase_is_what_is_told() {
    let stage = Stage::new(Key::Auto, Codes::Program);
    stage.store_key();
    stage.forget_passphrase();
    let mut pty = Pty::spawn(stage.in_terminal(BINARY, &["login"]));
    pty.wait_for("passphrase of the access key's file: ");
    pty.line("something else");
    let (code, said) = pty.last_words();
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("the passphrase is wrong"), "{said}");
    assert_eq!(stage.asked(), 0, "no code is spent on a key that does not open");
}

/// ... and where there is neither, that is told before anything about keychains.
#[test]
fn where_there_is_no_key_anywhere_that_is_what_is_told_first() {
    let stage = Stage::new(Key::Auto, Codes::Program);
    for arguments in [&["verify", "--yes"][..], &["login"], &["key", "status"]] {
        let ran = String::from_utf8(stage.run(arguments).stderr).unwrap();
        let first = "sekisho: there is no access key in the store\n   why  none was added for the auth account 111111111111";
        let then = "or  it is in a keychain that this login does not reach: no D-Bus session bus\n   fix  sekisho key add";
        assert!(ran.contains(first) && ran.contains(then), "{arguments:?}: {ran}");
    }
}

/// ... whatever else is remembered of the day.
#[cfg(target_os = "linux")]
#[test]
fn the_data_key_lives_as_long_as_the_session_of_the_day() {
    use sha2::{Digest, Sha256};
    let stage = Stage::new(Key::Env, Codes::Program);
    assert!(stage.run(&["login"]).status.success());
    let dir = stage.path(".local/state/sekisho/sessions");
    let digest = Sha256::digest(dir.as_os_str().as_encoded_bytes());
    let digest = u64::from_be_bytes(digest[..8].try_into().unwrap());
    let digest = format!("{digest:016x}");
    let keys = std::fs::read_to_string("/proc/keys").unwrap_or_default();
    let Some(key) = keys.lines().find(|line| line.contains(&digest)) else {
        return crate::store::skip("the kernel keyring keeps no key here");
    };
    // `11h`: a longer life would be counted in days.
    let life = key.split_whitespace().nth(3).unwrap();
    assert!(["12h", "11h"].contains(&life), "{key}");
}

#[test]
fn what_is_over_is_removed_with_the_next_login() {
    let stage = Stage::new(Key::Env, Codes::Program);
    assert!(stage.run(&["login"]).status.success());
    let sessions = stage.path(".local/state/sekisho/sessions");
    let count = || {
        let files = std::fs::read_dir(&sessions).unwrap();
        files.filter(|file| !file.as_ref().unwrap().path().ends_with("lock")).count()
    };
    assert_eq!(count(), 1);
    // A record of the same file format that ended long ago, or claims so.
    let record = std::fs::read_dir(&sessions)
        .unwrap()
        .flatten()
        .map(|file| file.path())
        .find(|file| !file.ends_with("lock"))
        .unwrap();
    let mut bytes = std::fs::read(&record).unwrap();
    bytes[11..19].copy_from_slice(&1_000_000_000_i64.to_be_bytes());
    let old = sessions.join(format!("auth-{}", "ab".repeat(32)));
    std::fs::copy(&record, &old).unwrap();
    std::fs::write(&old, bytes).unwrap();
    assert_eq!(count(), 2);
    std::fs::remove_file(&record).unwrap();
    stage.next_code();
    assert!(stage.run(&["login"]).status.success());
    assert_eq!(count(), 1);
    assert!(!old.exists());
}
