//! `exec`: the child's environment and fate, and what stands before it.

use std::process::Stdio;

use super::home::{Home, Said};
use crate::emulator::stage::SECRET;

/// Runs a script in `dev`, with a code.
fn in_dev(home: &Home, options: &[&str], script: &str) -> Option<Said> {
    let mut arguments = vec!["--mfa-code", "-"];
    arguments.extend(options);
    arguments.extend(["exec", "dev", "--", "sh", "-c", script]);
    home.run_with_code(&arguments)
}

const SHOW: &str = "env | grep -E '^(AWS_|SEKISHO_)' | grep -vE 'KEY|TOKEN|EXPIRATION' | sort";

#[test]
fn the_child_gets_the_whole_contract() {
    let home = Home::new();
    let Some(said) = in_dev(&home, &[], SHOW) else {
        return;
    };
    insta::assert_snapshot!(said.whole(), @"
    exit 0
    ── stdout
    AWS_ACCOUNT_ID=222222222222
    AWS_DEFAULT_REGION=eu-west-1
    AWS_ENDPOINT_URL=http://127.0.0.1:PORT
    AWS_REGION=eu-west-1
    SEKISHO_ACCOUNT=dev
    SEKISHO_ACCOUNT_ID=222222222222
    SEKISHO_DEPTH=1
    SEKISHO_ENDPOINT_URL=http://127.0.0.1:PORT
    SEKISHO_GUARD=none
    SEKISHO_REGION=eu-west-1
    SEKISHO_ROLE=Developer
    SEKISHO_SCOPE=full
    SEKISHO_TARGET=dev/Developer
    ── stderr
    ");
    let script = "echo ${AWS_ACCESS_KEY_ID%${AWS_ACCESS_KEY_ID#ASIA}} ${#AWS_SESSION_TOKEN}; \
        [ \"$AWS_CREDENTIAL_EXPIRATION\" = \"$AWS_SESSION_EXPIRATION\" ] && echo same";
    home.emulator.advance(std::time::Duration::from_secs(30));
    let said = in_dev(&home, &[], script).unwrap();
    assert!(said.stdout.starts_with("ASIA "), "{}", said.stdout);
    assert!(said.stdout.ends_with("\nsame\n"), "{}", said.stdout);
}

#[test]
fn options_reach_aws_and_the_child() {
    let home = Home::new();
    let options = ["--region", "us-west-2", "--duration", "30m", "--scope", "read-only"];
    let Some(said) = in_dev(&home, &options, SHOW) else {
        return;
    };
    insta::assert_snapshot!(said.whole(), @"
    exit 0
    ── stdout
    AWS_ACCOUNT_ID=222222222222
    AWS_DEFAULT_REGION=us-west-2
    AWS_ENDPOINT_URL=http://127.0.0.1:PORT
    AWS_REGION=us-west-2
    SEKISHO_ACCOUNT=dev
    SEKISHO_ACCOUNT_ID=222222222222
    SEKISHO_DEPTH=1
    SEKISHO_ENDPOINT_URL=http://127.0.0.1:PORT
    SEKISHO_GUARD=none
    SEKISHO_REGION=us-west-2
    SEKISHO_ROLE=Developer
    SEKISHO_SCOPE=read-only
    SEKISHO_TARGET=dev/Developer
    ── stderr
    ");
    assert_eq!(home.emulator.calls()[1].seconds, Some(1800));

    home.emulator.advance(std::time::Duration::from_secs(30));
    let said = in_dev(&home, &["--duration", "2h"], "true").unwrap();
    assert_eq!(said.code, 0, "{}", said.stderr);
    let calls = home.emulator.calls();
    assert_eq!((calls.len(), calls[2].seconds, calls[2].with_code), (3, Some(7200), true));
}

#[test]
fn the_command_takes_sekishos_place_and_keeps_its_words() {
    let home = Home::new();
    let arguments = [
        "--mfa-code",
        "-",
        "exec",
        "dev",
        "--",
        "sh",
        "-c",
        "printf '<%s>' $$ \"$@\"; cat; exit 7",
        "sh",
        "a b",
        "",
        "$(id)",
        "--help",
        "*",
    ];
    let Some(mut command) = home.command(&arguments) else {
        return;
    };
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let pid = child.id();
    let mut stdin = child.stdin.take().unwrap();
    // What follows the code on stdin is the command's.
    std::io::Write::write_all(&mut stdin, format!("{}the rest\n", home.code()).as_bytes()).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        format!("<{pid}><a b><><$(id)><--help><*>the rest\n")
    );
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
    assert_eq!(output.status.code(), Some(7));
}

#[test]
fn a_command_that_cannot_run_says_so() {
    let home = Home::new();
    std::fs::write(home.path().join("plain"), "text").unwrap();
    for (command, code) in [("no-such-program", 127), ("./plain", 126), ("/", 126)] {
        home.emulator.advance(std::time::Duration::from_secs(30));
        let arguments = ["--mfa-code", "-", "exec", "dev", "--", command];
        let Some(said) = home.run_with_code(&arguments) else {
            return;
        };
        assert_eq!(said.code, code, "{command}: {}", said.stderr);
        assert!(said.stderr.contains(command), "{}", said.stderr);
    }
}

#[test]
fn nobody_to_ask_is_4() {
    let home = Home::new();
    let Some(said) = home.run(&["exec", "dev", "--", "true"]) else {
        return;
    };
    insta::assert_snapshot!(said.whole(), @"
    exit 4
    ── stdout
    ── stderr
    sekisho: an MFA code is needed to open dev/Developer, and there is no terminal to ask on
       why  there is no MFA session, or it has expired
       fix  run `sekisho login` in a terminal first, or pipe the code: `--mfa-code -`
    ");
    let longer = home.run(&["exec", "dev", "--duration", "2h", "--", "true"]).unwrap();
    insta::assert_snapshot!(longer.stderr, @"
    sekisho: an MFA code is needed to open dev/Developer, and there is no terminal to ask on
       why  a session of more than 1h needs a code of its own
       fix  pipe the code: `--mfa-code -`, or take 1h: `--duration 1h`
    ");
    assert!(home.emulator.calls().is_empty());
}

#[test]
fn a_code_on_stdin_is_taken_or_refused() {
    let home = Home::new();
    let run =
        |stdin: &str| home.feed(&["--mfa-code", "-", "exec", "dev", "--", "echo", "in"], stdin);
    let Some(said) = run("") else { return };
    assert_eq!(said.code, 2, "{}", said.stderr);
    assert_eq!(run("12345\n").unwrap().code, 2);
    assert!(home.emulator.calls().is_empty());

    let refused = run("000000\n").unwrap();
    insta::assert_snapshot!(refused.whole(), @"
    exit 3
    ── stdout
    ── stderr
    sekisho: AWS did not accept the code
       why  a digit was mistyped
        or  it was used before, or its 30 seconds have passed: each code works once
        or  it came from another device than the one named
        or  the device's clock is off
       fix  wait for the device's next code and use that one
    ");
    // Used: no second call.
    let again = run("000000\n").unwrap();
    assert_eq!(again.code, 3, "{}", again.stderr);
    assert!(again.stderr.contains("used already"), "{}", again.stderr);
    assert_eq!(home.emulator.calls().len(), 1);

    let digits = home.code();
    let spaced = format!("{} {}", &digits[..3], &digits[3..]);
    assert_eq!(run(&spaced).unwrap().stdout, "in\n");
}

#[test]
fn a_guarded_account_wants_its_name() {
    let home = Home::new();
    let run = |confirm: &[&str]| {
        home.emulator.advance(std::time::Duration::from_secs(30));
        let mut arguments = vec!["--mfa-code", "-", "exec", "prod"];
        arguments.extend(confirm);
        arguments.extend(["--", "echo", "in"]);
        home.run_with_code(&arguments)
    };
    let Some(said) = run(&[]) else { return };
    insta::assert_snapshot!(said.whole(), @"
    exit 4
    ── stdout
    ── stderr
    sekisho: prod is guarded, and there is no terminal to confirm on
       fix  add `--confirm prod`
    ");
    let wrong = run(&["--confirm", "dev"]).unwrap();
    insta::assert_snapshot!(wrong.whole(), @"
    exit 2
    ── stdout
    ── stderr
    sekisho: prod was not confirmed: another name was typed
       fix  type the account's name, alias or id
    ");
    assert!(home.emulator.calls().is_empty(), "no call before the guard");
    for name in ["prod", "live", "333333333333", "3333-3333-3333"] {
        let said = run(&["--confirm", name]).unwrap();
        assert_eq!((said.code, said.stdout.as_str()), (0, "in\n"), "{name}: {}", said.stderr);
    }
}

#[test]
fn aws_refuses_is_3_and_v_says_what_it_said() {
    let home = Home::new();
    home.emulator.with(|organization| organization.roles.clear());
    let Some(said) = in_dev(&home, &[], "true") else {
        return;
    };
    insta::assert_snapshot!(said.whole(), @"
    exit 3
    ── stdout
    ── stderr
    sekisho: AWS refused to open dev/Developer
       why  the role's trust policy does not allow you: it names another user, requires a more recent MFA code, or requires an external id
        or  the role does not exist: AWS sends the same error (check account id, role name and path)
        or  your IAM user may not assume it
       fix  check the role arn:aws:iam::222222222222:role/dev/Developer and its trust policy
    ");
    home.emulator.advance(std::time::Duration::from_secs(30));
    let code = home.code();
    let said = in_dev(&home, &["-vv"], "true").unwrap();
    assert_eq!(said.code, 3);
    assert!(said.stderr.contains("AccessDenied: User:"), "{}", said.stderr);
    assert!(said.stderr.contains("request id"), "{}", said.stderr);
    for secret in [SECRET, code.trim()] {
        assert!(!said.stderr.contains(secret), "{}", said.stderr);
    }
}

#[test]
fn a_session_in_the_environment_is_no_key() {
    let home = Home::new();
    let Some(mut command) = home.command(&["exec", "dev", "--", "true"]) else {
        return;
    };
    let output =
        command.env("AWS_SESSION_TOKEN", "canary-token").stdin(Stdio::null()).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(
        stderr.contains("AWS_SESSION_TOKEN") || stderr.contains("session, not an access key"),
        "{stderr}"
    );
    assert!(!stderr.contains("canary"), "{stderr}");
}

#[test]
fn the_servers_are_out_of_reach_is_1() {
    let home = Home::new();
    let config = home.path().join(".config/sekisho/config.yaml");
    let text = std::fs::read_to_string(&config).unwrap();
    let dead = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    home.write(&text.replace(&home.emulator.url(), &dead));
    let Some(said) = in_dev(&home, &[], "true") else {
        return;
    };
    assert_eq!(said.code, 1, "{}", said.stderr);
    assert!(said.stderr.contains("AWS cannot be reached"), "{}", said.stderr);
}

/// A program that gives the key is believed, so it is run as carefully as `mfa_command`.
#[test]
fn the_program_that_gives_the_key_is_trusted_only_where_others_cannot_have_put_it() {
    use std::os::unix::fs::PermissionsExt;
    let home = Home::new();
    let folder = home.path().join("bin");
    std::fs::create_dir(&folder).unwrap();
    let script = format!(
        "#!/bin/sh\nenv | grep -c ^AWS_ > {}/seen\n\
         echo '{{\"Version\":1,\"AccessKeyId\":\"{}\",\"SecretAccessKey\":\"{SECRET}\"}}'\n",
        home.path().display(),
        crate::emulator::stage::KEY,
    );
    let program = folder.join("give-key");
    std::fs::write(&program, script).unwrap();
    let mode = |path: &std::path::Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    let config = std::fs::read_to_string(home.path().join(".config/sekisho/config.yaml")).unwrap();
    let exec = |command: &str| {
        home.write(&config.replace("key: env", &format!("key_command: [\"{command}\"]")));
        home.emulator.advance(std::time::Duration::from_secs(30));
        in_dev(&home, &[], "echo entered")
    };
    mode(&folder, 0o775);
    mode(&program, 0o755);
    for name in [program.to_str().unwrap(), "~/bin/give-key"] {
        let Some(said) = exec(name) else { return };
        assert_eq!((said.code, said.stdout.as_str()), (0, "entered\n"), "{}", said.stderr);
        let seen = std::fs::read_to_string(home.path().join("seen")).unwrap();
        assert_eq!(seen.trim(), "0", "it gets no AWS_ variable");
    }
    let said = exec("bin/give-key").unwrap();
    assert!(said.code != 0 && said.stderr.contains("must be absolute"), "{}", said.stderr);
    mode(&folder, 0o777);
    std::fs::remove_file(home.path().join("seen")).unwrap();
    let said = exec(program.to_str().unwrap()).unwrap();
    assert!(said.code != 0 && said.stderr.contains("other users can write"), "{}", said.stderr);
    assert!(!home.path().join("seen").exists(), "it was run");
}

/// Without a terminal nobody can type a code: why the program gave none comes first.
#[test]
fn what_mfa_command_lacks_is_said_first() {
    use std::os::unix::fs::PermissionsExt;
    let home = Home::new();
    let folder = home.path().join("open");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("token"), "#!/bin/sh\necho 123456\n").unwrap();
    for (path, mode) in [(folder.join("token"), 0o755), (folder.clone(), 0o777)] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }
    let open = folder.join("token");
    let sh = |script: &str| format!(r#"["/bin/sh", "-c", "{script}"]"#);
    let config = std::fs::read_to_string(home.path().join(".config/sekisho/config.yaml")).unwrap();
    for (command, says) in [
        (r#"["no-such-program"]"#.to_owned(), "no-such-program failed: it is not on the PATH"),
        (r#"["/no/such"]"#.to_owned(), "/no/such failed: there is no such file"),
        (format!(r#"["{}"]"#, open.display()), "failed: other users can write to"),
        (sh("echo locked >&2; exit 3"), "failed: it ended with exit code 3: locked"),
        (sh("kill -9 $$"), "failed: it was killed by signal 9"),
        (sh("head -c 70000 /dev/zero"), "failed: it printed more than 64 KiB"),
        (sh("echo 12345"), "failed: its output contains no stand-alone six digits"),
        (sh("echo 000000"), "AWS did not accept the code"),
    ] {
        home.write(&config.replace("key: env", &format!("key: env\n  mfa_command: {command}")));
        for arguments in [&["exec", "dev", "--", "true"][..], &["env", "dev"]] {
            let Some(said) = home.run(arguments) else { return };
            // Its own stderr may come before.
            let own = said.stderr.lines().find(|line| *line != "sekisho: locked").unwrap();
            // The second time, AWS is not asked with the same digits.
            let again = says.starts_with("AWS") && own.contains("used already");
            assert!(own.contains(says) || again, "{arguments:?} {command}: {}", said.stderr);
            assert_eq!(said.code, 4, "{}", said.stderr);
            assert!(said.stderr.contains("run `sekisho login`"), "{}", said.stderr);
        }
    }
}

/// The same of the program that gives the key.
#[test]
fn what_key_command_lacks_is_said_first() {
    let home = Home::new();
    let sh = |script: &str| format!(r#"["/bin/sh", "-c", "{script}"]"#);
    let config = std::fs::read_to_string(home.path().join(".config/sekisho/config.yaml")).unwrap();
    for (command, says) in [
        (r#"["no-such-program"]"#.to_owned(), "no-such-program failed: it is not on the PATH"),
        (r#"["/no/such"]"#.to_owned(), "/no/such failed: there is no such file"),
        (sh("exit 3"), "/bin/sh failed: it ended with exit code 3"),
        (sh("kill -9 $$"), "/bin/sh failed: it was killed by signal 9"),
        (sh("head -c 70000 /dev/zero"), "/bin/sh failed: it printed more than 64 KiB"),
        (sh("echo locked"), "/bin/sh failed: line 1: not JSON"),
    ] {
        home.write(&config.replace("key: env", &format!("key_command: {command}")));
        let Some(said) = in_dev(&home, &[], "true") else { return };
        let first = said.stderr.lines().next().unwrap();
        assert_eq!(first, format!("sekisho: key_command {says}"), "{}", said.stderr);
        // A line is all that SDKs show.
        let process = ["--mfa-code", "-", "credential-process", "dev"];
        let said = home.run_with_code(&process).unwrap();
        assert!(
            said.stderr.starts_with(&format!("sekisho: key_command {says}")),
            "{}",
            said.stderr
        );
    }
    assert!(home.emulator.calls().is_empty());
}
