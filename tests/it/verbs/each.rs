//! `each`: which targets are meant, one code for all, and what is told of each.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use sekisho::domain::batch::Report;
use sekisho::emulator::{Account, FaultInjection, Injection, Role, Times};

use super::home::{Home, Said};
use crate::emulator::stage;
use crate::support::hear_signals;

/// `each` in a home, with a code on stdin.
fn each(home: &Home, arguments: &[&str]) -> Option<Said> {
    home.run_with_code(&[&["--mfa-code", "-", "each"], arguments].concat())
}

/// In both accounts, `prod` confirmed.
fn in_both(home: &Home, arguments: &[&str]) -> Option<Said> {
    each(home, &[&["dev", "prod", "--confirm", "prod", "--yes"], arguments].concat())
}

/// What was said, without how long it took.
fn timeless(said: &Said) -> String {
    let is_time = |word: &str| {
        let digits = word.strip_suffix('s').unwrap_or(word);
        !digits.is_empty()
            && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
            && (word.ends_with('s') || word.contains('.'))
    };
    let line = |line: &str| {
        let words = line.split(' ').map(|word| if is_time(word) { "TIME" } else { word });
        words.collect::<Vec<_>>().join(" ") + "\n"
    };
    said.whole().lines().map(line).collect()
}

#[test]
fn one_code_opens_all_and_each_is_told_of() {
    let home = Home::new();
    let script =
        "echo in $SEKISHO_TARGET; cat; test $SEKISHO_ACCOUNT = dev || { echo no >&2; exit 7; }";
    let Some(said) = in_both(&home, &["-j", "1", "--", "sh", "-c", script]) else { return };
    insta::assert_snapshot!(timeless(&said), @"
    exit 7
    ── stdout
    dev/Developer  | in dev/Developer
    prod/Developer | in prod/Developer
    ── stderr
    prod/Developer | no
    sekisho: 1 of 2 succeeded, 1 did not; TIME
    TARGET          EXIT  SECONDS  LAST LINE OF STDERR
    dev/Developer   0     TIME
    prod/Developer  7     TIME      no
    ");
    let calls = home.emulator.calls();
    let with_code: Vec<bool> = calls.iter().map(|call| call.with_code).collect();
    assert_eq!(with_code.iter().filter(|with| **with).count(), 1, "{with_code:?}");
}

#[test]
fn a_guarded_account_is_left_out_and_named() {
    let home = Home::new();
    let Some(said) = home.run(&["each", "*", "--list"]) else { return };
    insta::assert_snapshot!(said.whole(), @"
    exit 0
    ── stdout
    dev/Developer
    ── stderr
    sekisho: prod/Developer is left out: it is guarded: add --confirm prod to include it
    ");
    let said = home.run(&["each", "prod", "--", "true"]).unwrap();
    insta::assert_snapshot!(said.whole(), @"
    exit 2
    ── stdout
    ── stderr
    sekisho: prod/Developer is left out: it is guarded: add --confirm prod to include it
    sekisho: no target is selected
       fix  `sekisho each SELECT --list` shows which targets are meant
    ");
    let said = home.run(&["each", "dev", "--confirm", "dev", "--", "true"]).unwrap();
    insta::assert_snapshot!(said.whole(), @"
    exit 2
    ── stdout
    ── stderr
    sekisho: --confirm dev confirms none of the selected targets
       fix  give the name, alias or id of a selected account whose guard is `confirm`
    ");
    assert!(home.emulator.calls().is_empty());
}

#[test]
fn nothing_is_run_where_nobody_is_asked_or_the_words_fit_nothing() {
    let home = Home::new();
    let lines: [&[&str]; 5] = [
        &["dev", "prod", "--confirm", "prod", "--", "true"],
        &["dve", "--", "true"],
        &["dev", "!tag:x", "--", "true"],
        &["dev", "--duration", "2h", "--", "true"],
        &["dev", "--", "no-such-program"],
    ];
    let mut all = String::new();
    for arguments in lines {
        let Some(said) = home.run(&[&["each"], arguments].concat()) else { return };
        all.push_str(&format!("# each {}\n{}\n", arguments.join(" "), said.whole()));
    }
    insta::assert_snapshot!(all, @"
    # each dev prod --confirm prod -- true
    exit 4
    ── stdout
    ── stderr
      dev/Developer
      prod/Developer
    sekisho: a confirmation is needed, and there is no terminal to ask on
       fix  to confirm without a prompt, add `--yes`

    # each dve -- true
    exit 2
    ── stdout
    ── stderr
    sekisho: `dve` fits no target
       fix  did you mean dev?

    # each dev !tag:x -- true
    exit 2
    ── stdout
    ── stderr
    sekisho: `!tag:x` fits no target
       fix  `sekisho list` shows every target, and `sekisho each --help` how to select

    # each dev --duration 2h -- true
    exit 2
    ── stdout
    ── stderr
    sekisho: sessions of `each` last an hour at most
       why  --duration 2h needs an MFA code for every target
       fix  leave --duration out

    # each dev -- no-such-program
    exit 127
    ── stdout
    ── stderr
    sekisho: no-such-program was not found
       why  it is not on the PATH
    ");
    assert!(home.emulator.calls().is_empty());
}

#[test]
fn a_report_names_what_failed_and_takes_it_up_again() {
    let home = Home::new();
    let script = "echo on stdout; echo on stderr >&2; test $SEKISHO_ACCOUNT = dev";
    let Some(said) = in_both(&home, &["--json", "--", "sh", "-c", script]) else { return };
    assert_eq!(said.code, 1);
    assert!(said.stderr.contains("| on stdout\n"), "{}", said.stderr);
    let report: Report = serde_json::from_str(&said.stdout).unwrap();
    let failed: Vec<&str> = report.failed().map(|done| done.target.as_str()).collect();
    assert_eq!(failed, ["prod/Developer"]);

    std::fs::write(home.path().join("report.json"), &said.stdout).unwrap();
    home.emulator.advance(Duration::from_secs(30));
    let again = [
        "--retry-failed",
        "report.json",
        "--confirm",
        "prod",
        "--",
        "sh",
        "-c",
        "echo $SEKISHO_TARGET",
    ];
    let said = each(&home, &again).unwrap();
    assert_eq!((said.code, said.stdout.as_str()), (0, "prod/Developer | prod/Developer\n"));

    // Its name has come to mean another role.
    let config = home.path().join(".config/sekisho/config.yaml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.replace("333333333333", "444444444444")).unwrap();
    let said = home.run(&[&["each"], &again[..]].concat()).unwrap();
    assert!(
        said.stderr.contains(
            "prod/Developer is left out: it is arn:aws:iam::444444444444:role/dev/Developer now"
        ),
        "{}",
        said.stderr
    );

    std::fs::write(home.path().join("report.json"), "{}").unwrap();
    let said = home.run(&[&["each"], &again[..]].concat()).unwrap();
    assert!(
        said.code == 2 && said.stderr.contains("report.json is not a report of"),
        "{}",
        said.stderr
    );
}

#[test]
fn output_goes_into_files_and_input_comes_from_one() {
    let home = Home::new();
    std::fs::write(home.path().join("input"), "given\n").unwrap();
    let options = ["--output-dir", "out", "--stdin-file", "input", "--", "sh", "-c"];
    // Longer than the longest line behind a prefix, another system's line end, and no end.
    let script =
        "cat; head -c 70000 /dev/zero | tr '\\0' x; printf 'a\\r\\nend'; echo $SEKISHO_ACCOUNT >&2";
    let Some(said) = in_both(&home, &[&options[..], &[script]].concat()) else {
        return;
    };
    assert_eq!((said.code, said.stdout.as_str()), (0, ""), "{}", said.stderr);
    let file = |name: &str| std::fs::read_to_string(home.path().join("out").join(name)).unwrap();
    for account in ["dev", "prod"] {
        assert_eq!(
            file(&format!("{account}.out")),
            format!("given\n{}a\r\nend", "x".repeat(70_000))
        );
        assert_eq!(file(&format!("{account}.err")), format!("{account}\n"));
    }
}

#[test]
fn output_that_does_not_fit_its_file_is_a_failure() {
    let home = Home::new();
    std::fs::create_dir(home.path().join("out")).unwrap();
    std::os::unix::fs::symlink("/dev/full", home.path().join("out/dev.err")).unwrap();
    std::fs::create_dir(home.path().join("out/prod.out")).unwrap();
    let script = "touch ran-$SEKISHO_ACCOUNT; echo lost >&2; cat";
    let options = ["--output-dir", "out", "--json", "--", "sh", "-c", script];
    let Some(said) = in_both(&home, &options) else { return };
    let report: Report = serde_json::from_str(&said.stdout).unwrap();
    let reasons: Vec<&str> = report.failed().map(|done| done.outcome.reason()).collect();
    assert_eq!((said.code, reasons.len()), (1, 2), "{}", said.whole());
    assert!(said.stdout.contains("its output is not whole: out/dev.err cannot be written"));
    assert!(said.stdout.contains("out/prod.out cannot be written"), "{}", said.whole());
    let has_run = |account: &str| home.path().join(format!("ran-{account}")).exists();
    assert!(has_run("dev") && !has_run("prod"), "what has no place for its output is not started");
}

#[test]
fn after_a_failure_or_an_interrupt_nothing_more_is_started() {
    hear_signals();
    let home = Home::new();
    let Some(said) = in_both(&home, &["-j", "1", "--fail-fast", "--json", "--", "false"]) else {
        return;
    };
    let report: Report = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!((said.code, report.failed().count(), report.interrupted), (1, 2, false));
    assert!(said.stdout.contains("\"not_started\""), "{}", said.stdout);

    home.emulator.advance(Duration::from_secs(30));
    let script = "trap 'echo told; kill $!; exit 9' INT; sleep 600 & echo ready; wait";
    let arguments = [
        "--mfa-code",
        "-",
        "each",
        "dev",
        "prod",
        "--confirm",
        "prod",
        "--yes",
        "-j",
        "1",
        "--",
        "sh",
        "-c",
        script,
    ];
    let mut command = home.command(&arguments).unwrap();
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), home.code().as_bytes()).unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert_eq!(lines.next().unwrap(), "dev/Developer  | ready");
    kill_process(Pid::from_raw(child.id().try_into().unwrap()).unwrap(), Signal::INT).unwrap();
    assert_eq!(lines.next().unwrap(), "dev/Developer  | told");
    assert_eq!(lines.next(), None);
    let ended = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(130), "{stderr}");
    assert!(stderr.contains("prod/Developer  -"), "{stderr}");
}

#[test]
fn lines_are_whole_long_ones_are_cut_and_a_process_left_behind_is_not_waited_for() {
    let home = Home::new();
    let script =
        "head -c 65537 /dev/zero | tr '\\0' x; echo; printf 'a\\r\\nb'; sleep 600 & echo $! >&2";
    let Some(said) = each(&home, &["dev", "--", "sh", "-c", script]) else { return };
    let left = said.stderr.lines().next().unwrap().rsplit(' ').next().unwrap().parse().unwrap();
    kill_process(Pid::from_raw(left).unwrap(), Signal::KILL).unwrap();
    let lines: Vec<&str> =
        said.stdout.lines().map(|line| line.split_once(" | ").unwrap().1).collect();
    let lengths: Vec<usize> = lines.iter().map(|line| line.len()).collect();
    assert_eq!((lengths, lines[2], lines[3]), (vec![65536, 1, 1, 1], "a", "b"));
}

#[test]
fn throttling_is_waited_out() {
    let home = Home::new();
    // The client tries three times at once; then all wait.
    let injection = Injection {
        action: Some("AssumeRole".into()),
        times: Times::Next(4),
        what: FaultInjection::Throttle,
    };
    home.emulator.inject(injection);
    let Some(said) = in_both(&home, &["--", "true"]) else { return };
    assert_eq!(said.code, 0, "{}", said.stderr);
}

/// A home with so many accounts beside the usual two.
fn many(count: usize) -> Home {
    let mut text = String::new();
    let id = |n: usize| format!("7{n:011}");
    let emulator = stage::start(|organization| {
        for n in 0..count {
            organization.accounts.push(Account::new(&id(n), &format!("many-{n}")));
            let trust = stage::trust(r#"{"Bool":{"aws:MultiFactorAuthPresent":"true"}}"#);
            organization.roles.push(Role::new(&id(n), "Developer", trust));
        }
    });
    for n in 0..count {
        text.push_str(&format!("  - {{name: many-{n}, id: \"{}\", roles: [Developer]}}\n", id(n)));
    }
    Home::of(emulator, "", &text)
}

#[test]
fn lines_of_two_hundred_at_once_are_never_torn() {
    let home = many(200);
    // Each writes 20 lines of 2,000 letters in pieces, as programs with small buffers do.
    let script = r"n=0; while [ $n -lt 20 ]; do for p in 1 2 3 4; do printf '%0500d' $n; done; echo; n=$((n+1)); done";
    let Some(said) = each(&home, &["many-*", "-j", "200", "--yes", "--", "sh", "-c", script])
    else {
        return;
    };
    assert_eq!(said.code, 0, "{}", said.stderr);
    let mut next = std::collections::HashMap::<&str, usize>::new();
    for line in said.stdout.lines() {
        let (target, text) = line.split_once('|').unwrap();
        let n = next.entry(target.trim()).or_default();
        assert_eq!(text, format!(" {}", format!("{n:0500}").repeat(4)));
        *n += 1;
    }
    assert!(next.len() == 200 && next.values().all(|lines| *lines == 20), "{next:?}");
    let codes = home.emulator.calls().iter().filter(|call| call.with_code).count();
    assert_eq!(codes, 1);
}

/// `SEKISHO_ACCOUNTS=5000 cargo test --release --test it -- --ignored --nocapture each::many`: killed half-way, taken up.
#[test]
#[ignore = "takes minutes"]
#[expect(clippy::print_stdout, reason = "its figures are for a person")]
fn many_accounts_behind_one_code() {
    let count = std::env::var("SEKISHO_ACCOUNTS").map_or(5000, |count| count.parse().unwrap());
    let home = many(count);
    // Else the second run would have no session to go on with.
    let config = home.path().join(".config/sekisho/config.yaml");
    let text = std::fs::read_to_string(config).unwrap();
    home.write(&text.replace("store: none", "store: file"));
    let begun = std::time::Instant::now();
    let arguments = ["--mfa-code", "-", "each", "*", "-j", "32", "--yes", "--json", "--", "true"];
    let Some(mut command) = home.command(&arguments) else { return };
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), home.code().as_bytes()).unwrap();
    let pid = Pid::from_raw(child.id().try_into().unwrap()).unwrap();
    let peak = || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", pid.as_raw_nonzero()));
        let status = status.unwrap_or_default();
        status.lines().find(|line| line.starts_with("VmHWM")).map(ToOwned::to_owned)
    };
    while home.emulator.calls().len() < count / 2 {
        std::thread::sleep(Duration::from_millis(50));
    }
    println!("{count} accounts, half-way after {:.1?}: {:?}", begun.elapsed(), peak());
    kill_process(pid, Signal::INT).unwrap();
    let ended = child.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(130));
    std::fs::write(home.path().join("report.json"), &ended.stdout).unwrap();
    home.emulator.advance(Duration::from_secs(30));
    let rest = ["--retry-failed", "report.json", "-j", "32", "--yes", "--json", "--", "true"];
    let said = each(&home, &rest).unwrap();
    let report: Report = serde_json::from_str(&said.stdout).unwrap();
    let calls = home.emulator.calls();
    let codes = calls.iter().filter(|call| call.with_code).count();
    println!(
        "{} in the second run; {} calls, {codes} codes, {:.1?}",
        report.targets.len(),
        calls.len(),
        begun.elapsed()
    );
    crate::support::forget_data_key(home.path());
    assert_eq!((said.code, codes), (0, 1), "{}", said.stderr);
    // What was asked for when the first run was interrupted is asked for again.
    assert!((count + 1..=count + 1 + 32).contains(&calls.len()), "{}", calls.len());
}
