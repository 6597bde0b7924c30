//! Roles from a console sign-in: without a code, with one, renewed, and through AWS's own client.

use std::process::Stdio;
use std::time::Duration;

use sekisho::emulator::{EmulatedDevice, FaultInjection, LoginMfa, RefreshReuse, Times};

use super::stage::{Stage, aws_keys_end, aws_login, aws_profile, user};
use crate::emulator::stage::{PHONE, allow, permit};
use crate::exports::stage::Ran;
use crate::pty::terminal::{Pty, command};
use crate::support::program;

#[test]
fn where_the_trust_policy_wants_mfa_a_code_goes_with_the_call() {
    let Some(_) = program("curl") else { return };
    let stage = Stage::new();
    stage.sign_in();
    let before = stage.calls();
    let nobody = stage.run(&["exec", "dev/Developer", "--", "true"]);
    assert_eq!((nobody.code, nobody.stdout.as_str()), (4, ""), "{}", nobody.stderr);
    assert!(nobody.stderr.contains("a code for each role, and each hour"), "{}", nobody.stderr);
    let code = stage.emulator.code(PHONE).unwrap();
    let ran = stage.run_with_code(&["exec", "dev/Developer", "--", "true"], &code);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let denied = "AssumeRole Developer AccessDenied";
    let with_code = "AssumeRole Developer +code";
    // Where nobody can be asked, once more: for what is live.
    assert_eq!(stage.wire(before), [denied, denied, denied, with_code]);
    // Within its hour nothing is asked; another role wants a code of its own.
    stage.run(&["credential-process", "dev/Developer"]).said();
    assert_eq!(stage.calls(), before + 4);
    assert_eq!(stage.run(&["credential-process", "dev/Reader"]).code, 4);
    let flow = stage.run(&["status"]).said();
    assert!(flow.contains("direct"), "{flow}");
    // The console of such a session ends with it.
    let url = stage.run(&["console", "dev/Developer", "--print"]);
    assert_eq!(url.code, 0, "{}", url.stderr);
}

#[test]
fn a_wrong_code_is_one_and_no_device_is_said() {
    let Some(_) = program("curl") else { return };
    let stage = Stage::with(
        |config| {
            let line = config.lines().find(|line| line.contains("mfa:")).unwrap().to_owned();
            config.replace(&format!("{line}\n"), "")
        },
        |organization| permit(organization, allow("iam:ListMFADevices", "*")),
    );
    stage.sign_in();
    let wrong = stage.run_with_code(&["exec", "dev/Developer", "--", "true"], "000000");
    assert!(
        wrong.code == 3 && wrong.stderr.contains("did not accept the code"),
        "{}",
        wrong.stderr
    );
    stage.run(&["logout", "--all"]).said();
    stage.emulator.with(|organization| {
        let devices = &mut organization.user("alice").unwrap().devices;
        devices.retain(|device| matches!(device, EmulatedDevice::Fido { .. }));
    });
    stage.sign_in();
    let none = stage.run(&["exec", "dev/Developer", "--", "true"]);
    assert_eq!(none.code, 3, "{}", none.stderr);
    assert!(none.stderr.contains("AWS does not accept passkeys here"), "{}", none.stderr);
    stage.run(&["credential-process", "dev/Open"]).said();
}

#[test]
fn where_the_keys_do_carry_mfa_no_code_is_asked_for() {
    let Some(_) = program("curl") else { return };
    let stage = Stage::with(
        |config| config,
        |organization| organization.quirks.login_mfa = LoginMfa::Carried,
    );
    stage.sign_in();
    stage.run(&["credential-process", "dev/Developer"]).said();
}

#[test]
fn longer_than_an_hour_is_an_hour_and_said() {
    let Some(_) = program("curl") else { return };
    let stage = Stage::new();
    stage.sign_in();
    let ran = stage.run(&["exec", "dev/Open", "--duration", "2h", "--", "true"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains("up to 1h"), "{}", ran.stderr);
    let seconds = stage.emulator.calls().last().unwrap().seconds;
    assert_eq!(seconds, Some(3600));
    // `Reader` has `duration: 2h`.
    let listed: serde_json::Value =
        serde_json::from_str(&stage.run(&["list", "--json"]).said()).unwrap();
    let reader = listed.as_array().unwrap().iter().find(|row| row["role"] == "Reader").unwrap();
    assert_eq!((&reader["flow"], &reader["duration_seconds"]), (&"shared".into(), &3600.into()));
    aws_profile(&stage, "work", &user("alice"));
    let listed: serde_json::Value =
        serde_json::from_str(&stage.run(&["list", "--json"]).said()).unwrap();
    assert!(
        listed.as_array().unwrap().iter().all(|row| row["duration_seconds"] == 3600),
        "a profile's sign-in too: {listed:#}"
    );
}

#[test]
fn keys_are_renewed_where_the_sign_in_was_begun_and_by_its_key() {
    let Some(_) = program("curl") else { return };
    let stage = Stage::with(
        |config| config,
        |organization| organization.quirks.refresh_reuse = RefreshReuse::Refused,
    );
    stage.sign_in();
    for skew in [0, 10] {
        // By a clock that is off, the proof is made again with AWS's time.
        stage.emulator.advance(Duration::from_mins(skew));
        stage.forget();
        let before = stage.calls();
        let ran = stage.run(&["credential-process", "dev/Open"]);
        // Of a session that ends so much later than asked for, nothing is kept.
        assert_eq!(ran.code, i32::from(skew > 0), "{}", ran.stderr);
        let expected: &[&str] = match skew {
            0 => &["CreateOAuth2Token", "AssumeRole Open"],
            _ => &["CreateOAuth2Token TOKEN_EXPIRED", "CreateOAuth2Token", "AssumeRole Open"],
        };
        assert_eq!(stage.wire(before), expected);
    }
    let region = stage.kept().unwrap().region;
    assert_eq!(region.as_str(), "eu-west-1");
}

#[test]
fn a_sign_in_that_is_over_is_forgotten_and_one_that_is_not_is_kept() {
    let Some(_) = program("curl") else { return };
    let stage = Stage::new();
    for (code, exit, kept, said) in [
        ("TOKEN_EXPIRED", 4, false, "the console sign-in has expired"),
        ("USER_CREDENTIALS_CHANGED", 4, false, "password has changed"),
        ("INVALID_REQUEST", 4, true, "did not accept"),
        ("INSUFFICIENT_PERMISSIONS", 3, true, "signin:CreateOAuth2Token"),
        ("server_error", 1, true, "busy or failing"),
    ] {
        stage.sign_in();
        stage.forget();
        stage.refuse_tokens(Times::UntilCleared, FaultInjection::TokenError(code));
        let ran = stage.run(&["exec", "dev/Open", "--", "true"]);
        assert!(ran.code == exit && ran.stdout.is_empty(), "{code}: {} {}", ran.code, ran.stderr);
        assert!(ran.stderr.contains(said), "{code}: {}", ran.stderr);
        assert_eq!(stage.kept().is_some(), kept, "{code}");
        stage.emulator.clear();
        if kept {
            stage.write(".local/state/sekisho/sessions/backoff.json", "");
            stage.run(&["logout"]).said();
        }
    }
    // Throttled, what is live is still used.
    stage.sign_in();
    stage.refuse_tokens(Times::UntilCleared, FaultInjection::Throttle);
    stage.run(&["credential-process", "dev/Open"]).said();
    stage.forget();
    let ran = stage.run(&["credential-process", "dev/Open"]);
    assert!(ran.code == 1 && ran.stderr.contains("busy"), "{}", ran.stderr);
    assert!(stage.kept().is_some());
}

#[test]
fn processes_that_renew_at_once_renew_once() {
    let Some(_) = program("curl") else { return };
    let stage = Stage::with(
        |config| config,
        |organization| organization.quirks.refresh_reuse = RefreshReuse::Refused,
    );
    stage.sign_in();
    stage.forget();
    let before = stage.calls();
    let slow = FaultInjection::Latency(Duration::from_millis(500));
    stage.refuse_tokens(Times::UntilCleared, slow);
    let start = |_| {
        let mut command = stage.sekisho(&["credential-process", "dev/Open"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let running: Vec<_> = (0..6).map(start).collect();
    for child in running {
        Ran::of(&child.wait_with_output().unwrap()).said();
    }
    let renewals = stage.wire(before).iter().filter(|it| it.starts_with("CreateOAuth2")).count();
    assert_eq!(renewals, 1);
}

#[test]
fn a_logout_during_a_renewal_forgets_what_it_names_and_no_more() {
    let Some(_) = program("curl") else { return };
    let stage = Stage::with(
        |config| config,
        |organization| organization.quirks.refresh_reuse = RefreshReuse::Refused,
    );
    for (logout, kept) in [(&["logout", "dev/Reader"][..], true), (&["logout"], false)] {
        stage.sign_in();
        stage.forget();
        stage.refuse_tokens(Times::Next(1), FaultInjection::Latency(Duration::from_secs(2)));
        let before = stage.calls();
        let mut command = stage.sekisho(&["credential-process", "dev/Open"]);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        crate::support::until("the renewal", || (stage.calls() > before).then_some(()));
        stage.run(logout).said();
        child.wait_with_output().unwrap();
        assert_eq!(stage.kept().is_some(), kept, "{logout:?}");
        stage.forget();
        let again = stage.run(&["credential-process", "dev/Open"]);
        assert_eq!(again.code, if kept { 0 } else { 4 }, "{logout:?}: {}", again.stderr);
    }
}

#[test]
fn the_list_opens_the_browser_by_itself() {
    let Some(_) = program("curl") else { return };
    let stage =
        Stage::with(|config| config.replace("accounts:\n", "shell: /bin/sh\naccounts:\n"), |_| {});
    let mut builder = command(env!("CARGO_BIN_EXE_sekisho"), stage.home());
    for (name, value) in stage.sekisho(&[]).get_envs() {
        builder.env(name, value.unwrap_or_default());
    }
    let mut pty = Pty::spawn(builder);
    pty.wait_for("Open");
    pty.send("reader");
    let screen = pty.wait_for("shared, 1h");
    assert!(!screen.contains("2h"), "{screen}");
    pty.send("\u{15}open");
    pty.wait_until("the filter", |screen| !screen.contains("Reader"));
    pty.send("\r");
    pty.wait_for("dev/Open until");
    pty.line("echo $SEKISHO_ROLE-$AWS_ACCESS_KEY_ID");
    pty.wait_for("Open-ASIA");
    pty.line("exit");
    pty.wait_for("console ● 11h");
    pty.send("\u{3}");
    assert_eq!(pty.wait(), 130);
}

#[test]
fn in_the_list_the_code_box_says_what_the_code_is_for() {
    let Some(_) = program("curl") else { return };
    let stage =
        Stage::with(|config| config.replace("accounts:\n", "shell: /bin/sh\naccounts:\n"), |_| {});
    stage.sign_in();
    let mut builder = command(env!("CARGO_BIN_EXE_sekisho"), stage.home());
    for (name, value) in stage.sekisho(&[]).get_envs() {
        builder.env(name, value.unwrap_or_default());
    }
    let mut pty = Pty::spawn(builder);
    pty.wait_for("Open");
    pty.send("developer dev");
    pty.wait_until("the filter", |screen| !screen.contains("Reader"));
    pty.send("\r");
    let screen = pty.wait_for("a code for each role");
    assert!(screen.contains("for this role only"), "{screen}");
    pty.send(&stage.emulator.code(PHONE).unwrap());
    pty.wait_for("dev/Developer until");
    pty.line("exit");
    pty.wait_for("console ● 11h");
    pty.send("\u{3}");
    assert_eq!(pty.wait(), 130);
}

#[test]
fn a_profile_of_awss_own_client_is_used_and_never_renewed() {
    let Some(_) = program("curl") else { return };
    let stage = Stage::new();
    stage.sign_in();
    let arn = user("alice");
    aws_profile(&stage, "work", &arn);
    let absent = stage.run(&["credential-process", "dev/Open"]);
    assert!(
        absent.code == 4 && absent.stderr.contains("aws login --profile work"),
        "{}",
        absent.stderr
    );
    aws_login(&stage, "work", &arn);
    let before = stage.calls();
    stage.run(&["credential-process", "dev/Open"]).said();
    assert_eq!(stage.wire(before), ["AssumeRole Open"]);
    stage.forget();
    let login = stage.run(&["login"]);
    assert!(login.code == 0 && login.stderr.contains("alice (aws login)"), "{}", login.stderr);
    aws_keys_end(&stage, &arn);
    stage.forget();
    let expired = stage.run(&["exec", "dev/Open", "--", "true"]);
    assert_eq!(expired.code, 4, "{}", expired.stderr);
    for text in ["have expired", "aws sts get-caller-identity --profile work", "auth.key: login"] {
        assert!(expired.stderr.contains(text), "{text}: {}", expired.stderr);
    }
    assert_eq!(stage.calls(), before + 1, "another tool's token is never used");
    // Of another user it is refused, and so is a session of IAM Identity Center.
    stage.write(".aws/config", format!("[profile work]\nlogin_session = {}\n", user("bob")));
    let bob = stage.run(&["credential-process", "dev/Open"]);
    assert!(bob.code == 2 && bob.stderr.contains("bob, not as alice"), "{}", bob.stderr);
    stage.write(".aws/config", "[profile work]\nsso_session = x\n");
    let sso = stage.run(&["exec", "dev/Open", "--", "true"]);
    assert!(sso.code == 2 && sso.stderr.contains("never meet an MFA condition"), "{}", sso.stderr);
}

#[test]
fn what_is_about_an_access_key_says_that_there_is_none() {
    let Some(_) = program("curl") else { return };
    let stage = Stage::new();
    stage.sign_in();
    let before = stage.calls();
    for arguments in [&["key", "status"][..], &["key", "rotate"], &["key", "leaked", "--yes"]] {
        let ran = stage.run(arguments);
        assert!(ran.code == 2 && ran.stdout.is_empty(), "{arguments:?}: {}", ran.stderr);
        assert!(
            ran.stderr.contains("there is no access key here"),
            "{arguments:?}: {}",
            ran.stderr
        );
    }
    assert_eq!(stage.calls(), before);
    let ran = stage.run(&["each", "dev", "--role", "Open", "--", "true"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
}
