//! Signing in: who is taken, what the redirect answers, what lies on disk.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;

use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD, Engine};
use sekisho::emulator::{FaultInjection, RefreshReuse, Times};

use super::stage::{Stage, user};
use crate::emulator::stage::{AUTH, visit};
use crate::exports::stage::Ran;
use crate::pty::terminal::{Pty, command};
use crate::support::{as_nobody, optional, program};

#[test]
fn from_nothing_to_a_role_without_any_key() {
    let Some(_) = program("curl") else { return };
    let stage = Stage::new();
    let before = stage.run(&["credential-process", "dev/Open"]);
    assert_eq!((before.code, before.stdout.as_str()), (4, ""), "{}", before.stderr);
    assert!(before.stderr.contains("a console sign-in is needed"), "{}", before.stderr);
    assert!(before.stderr.contains("sekisho login"), "{}", before.stderr);
    assert_eq!(stage.calls(), 0);

    let ran = stage.sign_in();
    let (name, until) = ("signed in as alice (console sign-in) until ", " at the latest, ");
    assert!(ran.stderr.contains(name) && ran.stderr.contains(until), "{}", ran.stderr);
    assert!(ran.stderr.contains(&format!("sign in to account {AUTH} as alice in the browser")));
    let page = String::from_utf8(stage.read("page")).unwrap();
    assert!(page.contains("Signed in."), "{page}");
    assert_eq!(stage.wire(0), ["AuthorizeOAuth2Access", "CreateOAuth2Token", "GetCallerIdentity"]);
    let again = stage.sign_in();
    assert!(again.stderr.contains("already signed in as alice"), "{}", again.stderr);
    assert_eq!(stage.calls(), 3, "nothing was asked");

    let document = stage.run(&["credential-process", "dev/Open"]).said();
    assert!(document.contains("ASIA"));
    assert_eq!(stage.wire(3), ["AssumeRole Open"]);
    let status = stage.run(&["status"]).said();
    assert!(status.contains("at the latest") && status.contains("console sign-in"), "{status}");
    let json: serde_json::Value =
        serde_json::from_str(&stage.run(&["status", "--json"]).said()).unwrap();
    assert_eq!((&json["key"], &json["user"]), (&"login".into(), &"alice".into()));
    assert_eq!(json["auth_session"]["device"], "console sign-in");
    let left = json["auth_session"]["seconds_left"].as_i64().unwrap();
    assert!((43_000..=43_200).contains(&left), "{left}");
}

#[test]
fn who_signed_in_is_checked_before_anything_is_kept() {
    let Some(_) = program("curl") else { return };
    let stage = Stage::new();
    for (console, said) in [
        (user("bob"), ["as bob, not as alice", "`auth.user` is alice"]),
        (format!("arn:aws:iam::{AUTH}:root"), ["not signed in as an IAM user", ":root"]),
        (
            "arn:aws:sts::222222222222:assumed-role/Open/alice".into(),
            ["not signed in as an IAM user", "assumed-role/Open/alice"],
        ),
        (
            "arn:aws:iam::222222222222:user/alice".into(),
            ["as alice of account 222222222222", "auth account is 111111111111"],
        ),
    ] {
        stage.emulator.with(|organization| organization.console = Some(console.clone()));
        let ran = stage.run(&["login"]);
        assert_eq!(ran.code, 2, "{console}: {}", ran.stderr);
        assert!(said.iter().all(|text| ran.stderr.contains(text)), "{console}: {}", ran.stderr);
        assert_eq!(stage.records(), [""; 0], "{console}");
    }
}

#[test]
fn without_a_user_in_the_config_the_first_one_is_remembered() {
    let Some(_) = program("curl") else { return };
    let stage = Stage::with(|config| config.replace("  user: alice\n", ""), |_| {});
    stage.sign_in();
    stage.run(&["logout"]).said();
    stage.emulator.with(|organization| organization.console = Some(user("bob")));
    let ran = stage.run(&["login"]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert!(ran.stderr.contains("as bob, not as alice"), "{}", ran.stderr);
    assert!(ran.stderr.contains("this machine was signed in as alice"), "{}", ran.stderr);
    assert_eq!(stage.records(), [""; 0]);
    // Somebody else's machine from now on.
    stage.run(&["logout", "--all"]).said();
    assert!(stage.sign_in().stderr.contains("signed in as bob"));
}

#[test]
fn link_and_redirect_answer_once_and_only_what_belongs_to_the_sign_in() {
    let stage = Stage::new();
    let (child, link) = stage.begin();
    assert!(link.starts_with("http://127.0.0.1:") && !link.contains("authorize"), "{link}");
    let code = |url: &str, headers: &[(&str, &str)]| visit("GET", url, headers, "").status;
    assert_eq!(code(&link, &[("Sec-Fetch-Site", "cross-site")]), 403, "a web page leads here");
    let sent = visit("GET", &link, &[], "");
    let authorize = sent.header("location").unwrap().to_owned();
    assert_eq!((sent.status, sent.header("referrer-policy")), (303, Some("no-referrer")));
    assert!(
        authorize.starts_with(&format!("{}/v1/authorize?response_type=code", stage.emulator.url()))
    );
    let lists = std::fs::read_dir("/proc").unwrap().flatten();
    let seen: Vec<u8> = lists
        .filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok())
        .flatten()
        .collect();
    let challenge = authorize.rsplit_once("code_challenge=").unwrap().1;
    assert!(!String::from_utf8_lossy(&seen).contains(challenge), "in nobody's arguments");

    let back = visit("GET", &authorize, &[], "").header("location").unwrap().to_owned();
    let (callback, query) = back.split_once('?').unwrap();
    assert!(callback.starts_with("http://127.0.0.1:") && callback.ends_with("/oauth/callback"));
    let origin = callback.strip_suffix("/oauth/callback").unwrap();
    assert_eq!(code(&format!("{origin}/"), &[]), 404);
    assert_eq!(code(&format!("{origin}/favicon.ico"), &[]), 404);
    assert_eq!(code(callback, &[]), 403);
    assert_eq!(code(&format!("{callback}?code=x&state=y"), &[]), 403, "another state");
    assert_eq!(code(&format!("{callback}?error=x&state=y"), &[]), 403);
    assert_eq!(code(&back, &[("Origin", "https://evil.example")]), 403);
    let posted = visit("POST", callback, &[], query);
    assert_eq!(posted.status, 405);
    let page = visit("GET", &back, &[("Sec-Fetch-Site", "cross-site")], "");
    assert_eq!((page.status, page.header("cache-control")), (200, Some("no-store")));
    let secret = query.split(['=', '&']).nth(1).unwrap();
    assert!(page.body.contains("Signed in.") && !page.body.contains(secret), "{}", page.body);
    let ran = Ran::of(&child.wait_with_output().unwrap());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(!ran.stderr.contains(challenge) && !ran.stderr.contains(secret), "{}", ran.stderr);
}

#[test]
fn what_the_console_refuses_is_said() {
    let stage = Stage::new();
    let (child, link) = stage.begin();
    let authorize = visit("GET", &link, &[], "").header("location").unwrap().to_owned();
    let back = visit("GET", &authorize, &[], "").header("location").unwrap().to_owned();
    let (callback, query) = back.split_once('?').unwrap();
    let state = query.split('&').find(|field| field.starts_with("state=")).unwrap();
    let refusal = format!("{callback}?error=access_denied&{state}");
    assert_eq!(visit("GET", &refusal, &[], "").status, 200);
    let ran = Ran::of(&child.wait_with_output().unwrap());
    assert!(ran.code == 3 && ran.stderr.contains("access_denied"), "{}", ran.stderr);

    let Some(_) = program("curl") else { return };
    for (code, exit, said) in [
        ("AUTHCODE_EXPIRED", 3, "arrived too late"),
        ("INVALID_REQUEST", 3, "did not accept"),
        ("INSUFFICIENT_PERMISSIONS", 3, "SignInLocalDevelopmentAccess"),
        ("server_error", 1, "busy or failing"),
    ] {
        let before = stage.calls();
        stage.refuse_tokens(Times::UntilCleared, FaultInjection::TokenError(code));
        let ran = stage.run(&["login"]);
        assert!(ran.code == exit && ran.stderr.contains(said), "{code}: {}", ran.stderr);
        let asked = stage.wire(before).iter().filter(|it| it.starts_with("CreateOAuth2")).count();
        assert_eq!(asked, 1, "{code}: a code is never sent twice");
        stage.emulator.clear();
    }
    assert_eq!(stage.records(), [""; 0]);
}

#[test]
fn by_a_browser_elsewhere_its_code_is_pasted() {
    let stage = Stage::new();
    let pty = |arguments: &[&str], browser: &str| {
        let mut builder = command(env!("CARGO_BIN_EXE_sekisho"), stage.home());
        builder.args(arguments);
        for (name, value) in stage.sekisho(&[]).get_envs() {
            builder.env(name, value.unwrap_or_default());
        }
        builder.env("BROWSER", browser);
        builder
    };
    let url_on = |pty: &Pty| {
        let text = pty.wait_for("the code that the page shows");
        let start = text.find(&format!("{}/v1/authorize?", stage.emulator.url())).unwrap();
        let url = text[start..].split("sekisho:").next().unwrap();
        url.chars().filter(|c| !c.is_whitespace()).collect::<String>()
    };
    let shown = |url: &str| {
        let to = visit("GET", url, &[], "").header("location").unwrap().to_owned();
        let page = visit("GET", &to, &[], "").body;
        page.split("<pre id=\"code\">").nth(1).unwrap().split('<').next().unwrap().to_owned()
    };
    let mut remote = Pty::spawn(pty(&["login", "--remote"], ""));
    let url = url_on(&remote);
    assert!(url.contains("cross-device"), "{url}");
    remote.line(&shown(&url));
    remote.wait_for("signed in as alice (console sign-in)");
    assert_eq!(remote.wait(), 0);
    assert!(stage.kept().is_some());

    // A code of another sign-in, and where no browser can be opened.
    stage.run(&["logout"]).said();
    let mut builder = pty(&["login"], "");
    builder.env("SSH_CONNECTION", "192.0.2.1 5 192.0.2.2 22");
    let mut ssh = Pty::spawn(builder);
    let own = url_on(&ssh);
    assert_ne!(own, url);
    ssh.wait_for("this is an ssh session");
    ssh.line(&shown(&url));
    ssh.wait_for("this is not the code of this sign-in");
    assert_eq!(ssh.wait(), 2);
    assert!(stage.kept().is_none());
    let nowhere = stage.sekisho(&["login"]).env("BROWSER", "").env("PATH", "/x").output().unwrap();
    assert_eq!(nowhere.status.code(), Some(4), "{}", String::from_utf8_lossy(&nowhere.stderr));
}

/// Every file below a folder.
fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[test]
fn refresh_token_and_key_lie_nowhere_in_clear() {
    let Some(_) = program("curl") else { return };
    let stage = Stage::with(
        |config| config,
        |organization| organization.quirks.refresh_reuse = RefreshReuse::Refused,
    );
    stage.sign_in();
    let mut canaries: Vec<Vec<u8>> = Vec::new();
    for renewed in [false, true] {
        if renewed {
            stage.forget_auth();
            stage.run(&["credential-process", "dev/Open"]).said();
        }
        let kept = stage.kept().unwrap();
        let (refresh, pkcs8) = (kept.refresh.expose().as_bytes().to_vec(), kept.key.pkcs8());
        let private = pkcs8[36..68].to_vec();
        canaries.push(BASE64_STANDARD.encode(&refresh).trim_end_matches('=').into());
        canaries.push(hex::encode(&private).into());
        canaries.push(BASE64_URL_SAFE_NO_PAD.encode(&private).into());
        canaries.push(BASE64_STANDARD.encode(pkcs8).trim_end_matches('=').into());
        canaries.extend([refresh, private]);
    }
    assert_ne!(canaries[4], canaries[10], "it was renewed");
    let all = files(stage.home());
    assert!(all.iter().any(|file| file.to_string_lossy().contains("/login-")), "{all:?}");
    for file in all {
        let bytes = std::fs::read(&file).unwrap();
        for canary in &canaries {
            let found = bytes.windows(canary.len()).any(|window| window == canary);
            assert!(!found, "{}", file.display());
        }
    }
    // Verbose, too.
    stage.forget_auth();
    let ran = stage.run(&["credential-process", "dev/Reader", "-vv"]);
    let kept = stage.kept().unwrap();
    assert!(!ran.stderr.contains(kept.refresh.expose()), "{}", ran.stderr);
}

#[test]
fn logging_out_forgets_the_sign_in_and_says_what_goes_on() {
    let Some(_) = program("curl") else { return };
    let stage = Stage::new();
    stage.sign_in();
    stage.run(&["credential-process", "dev/Open"]).said();
    let ran = stage.run(&["logout"]);
    assert_eq!(ran.code, 0);
    for text in ["console sign-in of alice", "at most until", "sign out there"] {
        assert!(ran.stderr.contains(text), "{text}: {}", ran.stderr);
    }
    assert_eq!(stage.records(), [""; 0]);
    assert_eq!(stage.run(&["credential-process", "dev/Open"]).code, 4);
    // What was begun before a `logout` is not kept.
    let (child, link) = stage.begin();
    stage.run(&["logout"]).said();
    let authorize = visit("GET", &link, &[], "").header("location").unwrap().to_owned();
    let back = visit("GET", &authorize, &[], "").header("location").unwrap().to_owned();
    visit("GET", &back, &[], "");
    child.wait_with_output().unwrap();
    assert_eq!(stage.records(), [""; 0]);
}

#[test]
fn the_doctor_knows_the_sign_in_and_what_nobody_has_proved() {
    let Some(_) = program("curl") else { return };
    let stage = Stage::new();
    let before = stage.run(&["doctor"]).stdout;
    assert!(
        before.contains("nobody is signed in") && before.contains("→ sekisho login"),
        "{before}"
    );
    stage.sign_in();
    let after = stage.run(&["doctor"]).stdout;
    for text in [
        "none: a console sign-in is in its place",
        "accepts the keys of the console sign-in",
        "whether that proves MFA to a role's trust policy, AWS does not say",
        "sekisho verify TARGET",
        "not verified in the last 30 days",
    ] {
        assert!(after.contains(text), "{text}: {after}");
    }
}

#[test]
fn of_two_processes_one_opens_the_browser_and_both_are_signed_in() {
    let stage = Stage::new();
    let (first, link) = stage.begin();
    let mut second = stage.sekisho(&["login"]);
    second.env("BROWSER", "false"); // it would fail
    let mut second = second.stderr(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(second.stderr.take().unwrap()).lines().map_while(Result::ok);
    let waits = said.next().unwrap();
    assert!(
        waits.contains("`sekisho login` (pid ") && waits.contains("signs in in the browser"),
        "{waits}"
    );
    let authorize = visit("GET", &link, &[], "").header("location").unwrap().to_owned();
    let back = visit("GET", &authorize, &[], "").header("location").unwrap().to_owned();
    visit("GET", &back, &[], "");
    assert_eq!(Ran::of(&first.wait_with_output().unwrap()).code, 0);
    assert!(second.wait().unwrap().success());
    assert!(said.last().unwrap().contains("signed in as alice"));
    let keys = stage.wire(0).iter().filter(|call| call.starts_with("CreateOAuth2Token")).count();
    assert_eq!(keys, 1);
}

#[test]
fn for_an_agent_that_has_less_than_everything_no_browser_is_opened() {
    let Some(_) = program("curl") else { return };
    let stage = Stage::with(
        |config| config.replace("defaults: {", "defaults: {agents: read-only, "),
        |_| {},
    );
    let driven = |arguments: &[&str]| {
        Ran::of(&stage.sekisho(arguments).env("CLAUDECODE", "1").output().unwrap())
    };
    let ran = driven(&["login"]);
    assert!(
        ran.code == 4 && ran.stderr.contains("no browser is opened for an AI agent"),
        "{}",
        ran.stderr
    );
    assert_eq!((stage.calls(), stage.path("page").exists()), (0, false));
    // A person's sign-in serves it as the config says.
    stage.sign_in();
    let ran = driven(&["exec", "dev/Open", "--", "sh", "-c", "echo $SEKISHO_SCOPE"]);
    assert!(ran.code == 0 && ran.stdout.contains("read-only"), "{}{}", ran.stdout, ran.stderr);
}

#[test]
fn another_user_can_neither_follow_the_link_nor_answer_the_redirect() {
    let stage = Stage::new();
    let (child, link) = stage.begin();
    let stranger = |url: &str| {
        let output = as_nobody("curl")?.args(["-s", "-i", url]).output().unwrap();
        assert!(!output.status.success() && output.stdout.is_empty(), "{output:?}");
        Some(())
    };
    if stranger(&link).is_none() {
        let _ = rustix::process::kill_process(
            rustix::process::Pid::from_child(&child),
            rustix::process::Signal::TERM,
        );
        return;
    }
    let authorize = visit("GET", &link, &[], "").header("location").unwrap().to_owned();
    let back = visit("GET", &authorize, &[], "").header("location").unwrap().to_owned();
    stranger(&back);
    assert_eq!(visit("GET", &back, &[], "").status, 200);
    let ran = Ran::of(&child.wait_with_output().unwrap());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
}

#[test]
fn a_demo_of_a_config_without_a_key_signs_in_by_the_browser_too() {
    let Some(_) = program("curl") else { return };
    let stage = Stage::new();
    let config = stage.path(".config/sekisho/config.yaml");
    let ran = stage.run(&["--config", config.to_str().unwrap(), "demo", "login"]);
    assert!(
        ran.code == 0 && ran.stderr.contains("signed in as alice (console sign-in)"),
        "{}",
        ran.stderr
    );
    assert_eq!(stage.calls(), 0, "in an organization of its own");
    assert_eq!(stage.records(), [""; 0]);
}

/// No plain client: what Chromium sends (and what it asks for on its own, a favicon) is admitted, and the page is shown.
#[test]
fn a_real_browser_signs_in() {
    let Some(chromium) = optional("chromium") else { return };
    let stage = Stage::new();
    let profile = stage.path("chromium");
    let mut command = stage.sekisho(&["login"]);
    command.env(
        "BROWSER",
        format!(
            "{} --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run --user-data-dir={} \
             --screenshot={} %s",
            chromium.display(),
            profile.display(),
            stage.path("page.png").display(),
        ),
    );
    let ran = Ran::of(&command.output().unwrap());
    assert!(ran.code == 0 && ran.stderr.contains("signed in as alice"), "{}", ran.stderr);
    assert_eq!(stage.wire(0), ["AuthorizeOAuth2Access", "CreateOAuth2Token", "GetCallerIdentity"]);
    stage.run(&["credential-process", "dev/Open"]).said();
}
