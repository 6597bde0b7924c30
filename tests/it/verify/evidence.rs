//! `verify --report` and `--check`: what a person reads is what the hash chain covers, and nothing in it is markup.

use jiff::Timestamp;
use sekisho::emulator::Document;
use sekisho::services::aws::{Aws, Signer};
use sekisho::services::verify::Verifier;
use sekisho::services::verify::evidence::{Evidence, Form, Language, check};

use super::stage::*;
use super::users::ask;
use crate::support::optional;

const FORMS: [Form; 3] = [Form::Html, Form::Markdown, Form::Json];

/// The evidence of a run in an organization where a foreign account gets in, by a statement with a hostile name.
fn evidence(language: Language) -> Evidence {
    let emulator = start(|organization| {
        let text = r#"{"Statement":[{"Sid":"</script><script>alert(1)</script>","Effect":"Allow","Principal":{"AWS":"666666666666"},
            "Action":"sts:AssumeRole"},{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111111111111:root"},
            "Action":"sts:AssumeRole","Condition":{"Bool":{"aws:MultiFactorAuthPresent":"true"}}}]}"#;
        organization.role(DEV, "Developer").unwrap().trust = Document::parse(text).unwrap();
    });
    let report = verify(&emulator);
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
    let mut evidence = Evidence::new(report, language);
    run(verifier.anchor(Signer::Key(&key), &mut evidence)).unwrap();
    evidence
}

#[test]
fn each_call_is_kept_with_its_time_and_request_id() {
    let evidence = evidence(Language::En);
    let account = &evidence.report.accounts[0];
    for probe in evidence.report.probes.iter().chain(&account.probes) {
        assert!(probe.request_id.is_some(), "{probe:?}");
        assert!(probe.at >= evidence.report.at, "{probe:?}");
    }
    let calls: Vec<&str> = account.probes.iter().map(|probe| probe.call.as_str()).collect();
    let role =
        format!("sts:AssumeRole RoleArn=arn:aws:iam::{DEV}:role/Developer DurationSeconds=900");
    assert_eq!(calls[0], format!("{role} Policy=deny-all"));
    assert_eq!(calls[2], format!("{role} Policy=read-only"));
    assert_eq!(calls[3..], ["iam:GetRole RoleName=Developer", "iam:ListRoles", "iam:ListUsers"]);
    assert_eq!(account.trust_policies[0].sha256.len(), 64);
    let anchor = evidence.anchor.as_ref().unwrap();
    assert!(anchor.call.ends_with(evidence.head()) && anchor.request_id.is_some(), "{anchor:?}");
}

#[test]
fn a_file_is_consistent_until_somebody_changes_it() {
    let evidence = evidence(Language::En);
    let id = evidence.anchor.as_ref().unwrap().request_id.clone().unwrap();
    for form in FORMS {
        let file = evidence.file(form);
        let line = check(&file).unwrap_or_else(|fault| panic!("{form:?} {fault:?}"));
        assert!(
            line.starts_with(&format!("consistent; authentic where CloudTrail's event {id}")),
            "{line}"
        );
        // The outcome of a probe, in the data.
        let changed = file.replacen("explicit_deny", "no_allow", 1);
        let fault = check(&changed).unwrap_err();
        assert_eq!(fault.what, "the report is not what sekisho wrote", "{form:?}");
        assert!(!file.contains(SECRET) && !file.contains(KEY));
    }
    // What people read, and not the data.
    for (form, shown) in
        [(Form::Html, "<td class=\"open\">OPEN</td>"), (Form::Markdown, "| OPEN |")]
    {
        let file = evidence.file(form);
        assert!(file.contains(shown), "{file}");
        let fault = check(&file.replacen(shown, &shown.replace("OPEN", "proved"), 1)).unwrap_err();
        assert!(fault.why[0].contains("people read"), "{fault:?}");
    }
    // An account less.
    let mut fewer = evidence.clone();
    fewer.report.accounts.clear();
    assert!(check(&fewer.file(Form::Json)).unwrap_err().why[0].contains("added or removed"));
    // Another account's verdict.
    let mut other = evidence.clone();
    other.report.accounts[0].other_doors.because = "nobody".into();
    assert!(check(&other.file(Form::Html)).unwrap_err().why[0].contains("dev-tanaka"));
    for nothing in ["", "{}", "<html></html>", "# Title"] {
        assert!(check(nothing).is_err(), "{nothing}");
    }
}

#[test]
fn a_page_loads_nothing_and_takes_no_text_for_markup() {
    for language in [Language::En, Language::Ja] {
        let file = evidence(language).file(Form::Html);
        assert!(file.contains("default-src 'none'"));
        assert_eq!(file.matches("<script").count(), 1, "the data");
        assert_eq!(file.matches("</script>").count(), 1);
        for outside in ["src=", "href=", "url(", "@import"] {
            assert!(!file.contains(outside), "{outside}");
        }
        check(&file).unwrap();
    }
    let japanese = evidence(Language::Ja).file(Form::Markdown);
    assert!(
        japanese.contains("信頼ポリシー") && japanese.contains("組織外のアカウント"),
        "{japanese}"
    );
}

#[test]
fn a_report_is_written_where_one_is_and_the_findings_are_shown_even_if_not() {
    let home = tempfile::tempdir().unwrap();
    let emulator = start(|_| {});
    let accounts = "accounts: [{name: dev-tanaka, id: \"222222222222\"}]\n";
    let words = ["--yes", "--rate", "100", "--report", "proof.html"];
    let Some(said) = ask(&emulator, home.path(), accounts, &words) else { return };
    assert_eq!(said.code, 6, "{}", said.whole());
    assert!(said.stderr.contains("wrote proof.html; its hash "), "{}", said.stderr);
    check(&std::fs::read_to_string(home.path().join("proof.html")).unwrap()).unwrap();

    emulator.advance(std::time::Duration::from_secs(30));
    let words = ["--yes", "--rate", "100", "--report", "/proc/proof.html"];
    let said = ask(&emulator, home.path(), accounts, &words).unwrap();
    assert_eq!(said.code, 1, "{}", said.whole());
    assert!(said.stderr.contains("the report cannot be written"), "{}", said.stderr);
    assert!(said.stdout.contains("1 account: 1 held"), "{}", said.stdout);
}

/// Shows the page in a browser, where one is installed. `SEKISHO_PICTURES=DIR` keeps the pictures.
#[test]
fn a_browser_shows_the_page() {
    let Some(chromium) = optional("chromium") else { return };
    let home = tempfile::tempdir().unwrap();
    for (language, name) in [(Language::En, "en"), (Language::Ja, "ja")] {
        let page = home.path().join(format!("{name}.html"));
        std::fs::write(&page, evidence(language).file(Form::Html)).unwrap();
        let dir = std::env::var_os("SEKISHO_PICTURES").map_or(home.path().to_owned(), Into::into);
        let picture = dir.join(format!("report-{name}.png"));
        let output = std::process::Command::new(&chromium)
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--window-size=1300,2600"])
            .arg(format!("--user-data-dir={}", home.path().join("profile").display()))
            .arg(format!("--screenshot={}", picture.display()))
            .arg(format!("file://{}", page.display()))
            .output()
            .unwrap();
        let size = std::fs::metadata(&picture).map(|picture| picture.len()).unwrap_or_default();
        assert!(size > 20_000, "{}", String::from_utf8_lossy(&output.stderr));
    }
}
