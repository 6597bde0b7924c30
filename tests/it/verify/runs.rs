//! How a run goes: what it calls, asks, leaves out, remembers, and what it makes of failures.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::io::Write;

use jiff::Timestamp;
use sekisho::domain::fault::{Exit, Fault};
use sekisho::domain::guard::Guard;
use sekisho::domain::secret::MfaCode;
use sekisho::domain::verdict::Guardrail::{Trust, User, Writes};
use sekisho::domain::verdict::Verdict;
use sekisho::emulator::{Emulator, FaultInjection, Injection, KeyStatus, Times};
use sekisho::services::aws::Aws;
use sekisho::services::store::files::Dir;
use sekisho::services::store::vault::Vault;
use sekisho::services::verify::text::{self, Detail};
use sekisho::services::verify::{Chosen, Plan, Verifier, marks};

use super::stage::*;

#[test]
fn it_changes_nothing_asks_for_one_code_and_enters_powerless() {
    let emulator = start(|_| {});
    verify(&emulator);
    let calls = emulator.calls();
    let actions: BTreeSet<&str> = calls.iter().map(|call| call.action.as_str()).collect();
    let known = BTreeSet::from([
        "AssumeRole",
        "CreateInternetGateway",
        "DescribeOrganization",
        "DescribeRegions",
        "GetAccountSummary",
        "GetCallerIdentity",
        "GetFederationToken",
        "GetRole",
        "GetSessionToken",
        "ListBuckets",
        "ListRoles",
        "ListUsers",
        "RunInstances",
    ]);
    assert_eq!(actions, known);
    assert_eq!(calls.iter().filter(|call| call.with_code).count(), 1);
    let entries = calls.iter().filter(|call| call.action == "AssumeRole");
    assert!(entries.clone().all(|call| call.seconds == Some(900)));
    assert_eq!(entries.count(), 3, "the key, the session without MFA, the control");
    for call in calls
        .iter()
        .filter(|call| ["RunInstances", "GetFederationToken"].contains(&call.action.as_str()))
    {
        assert_eq!(call.status, Some(403), "{call:?}");
    }
}

#[test]
fn guarded_targets_are_left_out_unless_named() {
    let emulator = start(|organization| add_account(organization, "333333333333", "prod"));
    let targets = vec![
        target("dev-tanaka", DEV, Guard::Warn),
        target("prod", "333333333333", Guard::Confirm),
    ];
    let report =
        run(verify_in(&emulator, &Plan::new(targets.clone(), Chosen::All), None, |_| {})).unwrap();
    assert_eq!(report.left_out, ["prod/Developer"]);
    assert_eq!(report.accounts.len(), 1);
    let report =
        run(verify_in(&emulator, &Plan::new(targets, Chosen::ByName), None, |_| {})).unwrap();
    assert!(report.left_out.is_empty());
    assert_eq!(report.accounts.len(), 2);
}

#[test]
fn a_code_that_is_not_taken_is_asked_for_again() {
    let emulator = start(|_| {});
    let auth = auth(&emulator.url(), AUTH);
    let (aws, key) = (Aws::new(&auth).unwrap(), key(KEY, SECRET));
    let verifier = Verifier {
        aws: &aws,
        auth: &auth,
        known: &known(),
        config_sha256: None,
        state: None,
        rate: RATE,
        now: &Timestamp::now,
    };
    let faults = RefCell::new(Vec::new());
    let ask = async |fault: Option<&Fault>| {
        faults.borrow_mut().push(fault.map(|fault| fault.what.clone()));
        let right = code(&emulator)?;
        let wrong = if right.1.expose() == "000000" { "000001" } else { "000000" };
        Some(if fault.is_none() { (right.0, MfaCode::parse(wrong).unwrap()) } else { right })
    };
    let report = run(verifier.run(&key, &plan(), ask, |_| {})).unwrap();
    assert_eq!(report.control_missing, None);
    assert_eq!(faults.into_inner(), [None, Some("AWS did not accept the code".into())]);
}

#[test]
fn a_key_that_does_not_work_is_a_fault_and_no_proof() {
    let emulator = start(|organization| {
        organization.user("tanaka").unwrap().keys[0].status = KeyStatus::Inactive;
    });
    let fault = run(verify_in(&emulator, &plan(), None, |_| {})).unwrap_err();
    assert_eq!(fault.what, "AWS does not know this access key");
    let emulator =
        start(|organization| organization.user("tanaka").unwrap().keys[0].secret = "other".into());
    let fault = run(verify_in(&emulator, &plan(), None, |_| {})).unwrap_err();
    assert_eq!(fault.exit, Exit::Refused);
}

fn injected(action: &str, fault: FaultInjection) -> Emulator {
    let emulator = start(|_| {});
    emulator.inject(Injection {
        action: Some(action.into()),
        times: Times::UntilCleared,
        what: fault,
    });
    emulator
}

#[test]
fn throttling_and_a_network_that_fails_prove_nothing() {
    let report = verify(&injected("RunInstances", FaultInjection::Throttle));
    assert_eq!(verdicts(&report)[&Writes], Verdict::NotProved);
    let report = verify(&injected("AssumeRole", FaultInjection::Reset));
    let verdicts = verdicts(&report);
    assert_eq!((verdicts[&User], verdicts[&Trust]), (Verdict::NotProved, Verdict::NotProved));
    let report = verify(&injected("AssumeRole", FaultInjection::Garbage));
    assert!(report.accounts[0].findings().all(|finding| finding.verdict == Verdict::NotProved));
}

/// Forty accounts, one of them open.
fn many() -> (Emulator, Plan) {
    let ids: Vec<String> = (0..40).map(|n| format!("3000000000{n:02}")).collect();
    let emulator = start(|organization| {
        for id in &ids {
            add_account(organization, id, &format!("dev-{id}"));
        }
        organization.role(&ids[7], "Developer").unwrap().trust = trust("{}");
    });
    let targets = ids.iter().map(|id| target(&format!("dev-{id}"), id, Guard::None));
    (emulator, Plan::new(targets.collect(), Chosen::All))
}

/// The roles that were called, in that order.
fn entered(emulator: &Emulator) -> Vec<String> {
    let calls = emulator.calls().into_iter();
    calls.filter_map(|call| call.role).collect()
}

#[test]
fn a_run_that_was_cut_off_goes_on_where_it_was() {
    let (emulator, plan) = many();
    let home = tempfile::tempdir().unwrap();
    let (state, vault) = (Dir::create(&home.path().join("state")).unwrap(), Vault::in_memory());
    let done = Cell::new(0);
    run(async {
        let enough = tokio::sync::Notify::new();
        let progress = |progress: sekisho::services::verify::Progress| {
            assert_eq!(progress.total, 40);
            done.set(progress.done);
            if progress.done >= 20 {
                enough.notify_one();
            }
        };
        tokio::select! {
            biased;
            () = enough.notified() => {}
            _ = verify_in(&emulator, &plan, Some((&state, &vault)), progress) => panic!("not cut off"),
        }
    });
    assert!((20..40).contains(&done.get()));
    assert!(marks(&state).is_empty());
    // A line torn by the cut is no line.
    let journal = home.path().join("state/verify.journal");
    std::fs::OpenOptions::new()
        .append(true)
        .open(&journal)
        .unwrap()
        .write_all(b"{\"name\":\"dev")
        .unwrap();

    let next_code = || emulator.advance(std::time::Duration::from_secs(30));
    next_code();
    let before = entered(&emulator).len();
    let first = Cell::new(None);
    let progress = |progress: sekisho::services::verify::Progress| {
        if first.get().is_none() {
            first.set(Some(progress.done));
        }
    };
    let report = run(verify_in(&emulator, &plan, Some((&state, &vault)), progress)).unwrap();
    // The open one is younger than an hour: none is probed again. (What was under way at the cut may arrive late.)
    assert_eq!(first.get(), Some(done.get()));
    let again: BTreeSet<String> = entered(&emulator).drain(before..).collect();
    assert_eq!(again.len(), 40 - done.get());
    assert_eq!(report.accounts.len(), 40);
    let names: Vec<String> = report.accounts.iter().map(|account| account.id.to_string()).collect();
    assert!(names.is_sorted(), "in the config's order");
    assert_eq!(report.exit(), Exit::Open);

    let marks = marks(&state);
    assert_eq!(marks.len(), 40);
    let open: Vec<String> = marks
        .iter()
        .filter(|(_, mark)| mark.verdict == Verdict::Open)
        .map(|(id, _)| id.to_string())
        .collect();
    assert_eq!(open, ["300000000007"]);
    assert_eq!(marks.values().filter(|mark| mark.verdict == Verdict::Unconfirmed).count(), 39);

    // A complete run leaves nothing to take over.
    next_code();
    let before = entered(&emulator).len();
    run(verify_in(&emulator, &plan, Some((&state, &vault)), |_| {})).unwrap();
    assert_eq!(entered(&emulator).len() - before, 120);
}

#[test]
fn another_keys_journal_is_not_taken_over() {
    let (emulator, plan) = many();
    let home = tempfile::tempdir().unwrap();
    let (state, vault) = (Dir::create(&home.path().join("state")).unwrap(), Vault::in_memory());
    state
        .write("verify.journal", b"{\"run\":\"other\",\"at\":\"2026-01-01T00:00:00Z\"}\n")
        .unwrap();
    let first = Cell::new(usize::MAX);
    let progress =
        |progress: sekisho::services::verify::Progress| first.set(first.get().min(progress.done));
    run(verify_in(&emulator, &plan, Some((&state, &vault)), progress)).unwrap();
    assert_eq!(first.get(), 0);
}

/// The port changes from run to run.
fn shown(text: &str, emulator: &Emulator) -> String {
    let port = emulator.url().rsplit(':').next().unwrap().to_owned();
    let text = text
        .replace(&emulator.url(), "http://EMULATOR")
        .replace(&format!("127.0.0.1:{port}"), "EMULATOR")
        .replace(env!("CARGO_PKG_VERSION"), "VERSION");
    let lines = text.lines().map(|line| match line.split_once(", verify of ") {
        Some((program, rest)) => {
            format!("{program}, verify of DATE{}", &rest["2026-01-01 00:00 UTC".len()..])
        }
        None => line.to_owned(),
    });
    lines.collect::<Vec<_>>().join("\n") + "\n"
}

#[test]
fn what_a_person_reads() {
    let emulator = start(|organization| {
        organization.role(DEV, "Developer").unwrap().trust = trust("{}");
    });
    let auth = auth(&emulator.url(), AUTH);
    let aws = Aws::new(&auth).unwrap();
    let verifier = Verifier {
        aws: &aws,
        auth: &auth,
        known: &known(),
        config_sha256: None,
        state: None,
        rate: 20,
        now: &Timestamp::now,
    };
    insta::assert_snapshot!("verify_preface", shown(&text::preface(&plan(), &verifier), &emulator));
    let many = (0..5_000).map(|n| target(&format!("dev-{n}"), &format!("{n:012}"), Guard::None));
    let long = text::preface(&Plan::new(many.collect(), Chosen::All), &verifier);
    assert!(
        long.contains(
            "About 30019 calls, at most 20 a second: 25 min; if interrupted, it resumes the next time."
        ),
        "{long}"
    );
    let report = verify(&emulator);
    let problems = text::report(&report, &auth, Detail::Problems);
    insta::assert_snapshot!("verify_problems", shown(&problems, &emulator));
    let all = text::report(&report, &auth, Detail::All);
    assert!(
        all.contains(
            "sts:AssumeRole, key alone: AccessDenied, explicit deny in an identity-based policy"
        ),
        "{all}"
    );
    for text in [problems, all] {
        assert!(!text.replace("not proved", "").contains("proved"), "{text}");
        assert!(!text.contains(SECRET) && !text.contains(KEY), "{text}");
    }
}
