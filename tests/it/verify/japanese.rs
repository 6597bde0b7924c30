//! The report in Japanese: every sentence that a finding can have is translated.

use std::path::Path;

use jiff::Timestamp;
use sekisho::domain::verdict::report::{NOT_TRIED, NOT_TRIED_SIGNED_IN};
use sekisho::emulator::{Document, KeyStatus, User};
use sekisho::services::verify::evidence::{Evidence, Form, Language, japanese};

use super::stage::*;

/// The files whose sentences a report shows.
const FILES: [&str; 8] = [
    "domain/verdict/calls.rs",
    "domain/verdict/doors.rs",
    "domain/verdict/role.rs",
    "domain/verdict/sign_in.rs",
    "domain/trust/condition.rs",
    "domain/trust/document.rs",
    "services/verify/run.rs",
    "services/verify/sign_in.rs",
];

/// Literals of those files that no report shows as they stand; the report below shows what is made of the last three.
const NOT_SHOWN: [&str; 8] = [
    "sekisho login",
    "the console sign-in",
    "sts:AssumeRole RoleArn=",
    "sts:GetSessionToken DurationSeconds=",
    " UserName={",
    "which shows nothing",
    "door{plural} for others",
    "IAM users {} an active access key",
];

/// The string literals of a source, as the compiler reads them, without those in comments, attributes and tests.
fn literals(source: &str) -> Vec<String> {
    let code = source.split("#[cfg(test)]").next().unwrap();
    let code: Vec<&str> = code
        .lines()
        .filter(|line| !line.trim_start().starts_with("//") && !line.trim_start().starts_with("#["))
        .collect();
    let mut found = Vec::new();
    let code = code.join("\n");
    let mut chars = code.chars().peekable();
    while let Some(c) = chars.next() {
        if c == '\'' {
            // A character, or a lifetime: neither holds a string.
            let next = chars.next();
            if next == Some('\\') {
                chars.next();
            }
            if chars.peek() == Some(&'\'') {
                chars.next();
            }
            continue;
        }
        if c != '"' {
            continue;
        }
        let mut literal = String::new();
        while let Some(c) = chars.next() {
            match c {
                '"' => break,
                '\\' => match chars.next() {
                    Some('\n') => {
                        while chars.peek().is_some_and(|c| c.is_whitespace()) {
                            chars.next();
                        }
                    }
                    Some(c) => literal.push(c),
                    None => {}
                },
                c => literal.push(c),
            }
        }
        found.push(literal);
    }
    found
}

/// A format string with something in its places; braces that stand for themselves stay.
fn filled(literal: &str) -> String {
    let mut text = String::new();
    let mut rest = literal;
    while let Some((before, after)) = rest.split_once('{') {
        text.push_str(before);
        let (name, after) = after.split_once('}').unwrap_or(("", after));
        let is_place = name.chars().all(|c| c.is_ascii_alphanumeric() || "_.".contains(c));
        text.push_str(&if is_place { "X1".to_owned() } else { format!("{{{name}}}") });
        rest = after;
    }
    text + rest
}

#[test]
fn every_sentence_has_its_japanese() {
    let mut missing = Vec::new();
    let mut sentences = 0;
    for file in FILES {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(file);
        for literal in literals(&std::fs::read_to_string(path).unwrap()) {
            let words = literal.split(' ').filter(|word| word.chars().any(char::is_alphabetic));
            let is_sentence = words.filter(|word| !word.contains('{')).count() > 1;
            if !is_sentence || NOT_SHOWN.iter().any(|part| literal.contains(part)) {
                continue;
            }
            sentences += 1;
            if japanese(&filled(&literal)).is_none() {
                missing.push(format!("{file}: {literal}"));
            }
        }
    }
    assert!(sentences > 70, "{sentences}");
    assert!(missing.is_empty(), "{missing:#?}");
    let not_tried = NOT_TRIED.iter().chain(&NOT_TRIED_SIGNED_IN);
    for english in not_tried {
        assert!(japanese(english).is_some(), "{english}");
    }
}

/// The Japanese report of an organization with most kinds of findings.
fn report() -> String {
    let emulator = start(|organization| {
        add_account(organization, "333333333333", "payments");
        let foreign = r#"{"Statement":[{"Effect":"Allow","Principal":{"AWS":"666666666666"},"Action":"sts:AssumeRole"},
            {"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111111111111:root"},"Action":"sts:AssumeRole",
             "Condition":{"Bool":{"aws:MultiFactorAuthPresent":"true"}}},
            {"Effect":"Allow","Principal":{"Federated":"token.actions.githubusercontent.com"},"Action":"sts:AssumeRoleWithWebIdentity"}]}"#;
        organization.role(DEV, "Developer").unwrap().trust = Document::parse(foreign).unwrap();
        let mut user = User::new("smtp");
        user.keys.push(sekisho::emulator::AccessKey::new("AKIASMTP000000000001", "x"));
        let mut old = sekisho::emulator::AccessKey::new("AKIASMTP000000000002", "x");
        old.status = KeyStatus::Inactive;
        user.keys.push(old);
        organization.account("333333333333").unwrap().users.push(user);
        organization.role("333333333333", "Developer").unwrap().trust = trust("{}");
    });
    let targets = [("dev-tanaka", DEV), ("payments", "333333333333")]
        .map(|(name, id)| target(name, id, sekisho::domain::guard::Guard::None));
    let plan = sekisho::services::verify::Plan::new(
        targets.into(),
        sekisho::services::verify::Chosen::All,
    );
    let mut report = run(verify_in(&emulator, &plan, None, |_| {})).unwrap();
    report.at = Timestamp::UNIX_EPOCH;
    Evidence::new(report, Language::Ja).file(Form::Markdown)
}

#[test]
fn a_japanese_report_has_no_english_sentence() {
    let report = report();
    let page = report.split("```json").next().unwrap();
    // Four words in a row, none of them a name: names have capitals, digits or signs.
    let is_word = |word: &str| word.len() > 1 && word.chars().all(|c| c.is_ascii_lowercase());
    for line in page.lines() {
        for cell in line.split('|') {
            let words: Vec<&str> = cell.split([' ', ',', '(', ')']).collect();
            let english = words.windows(4).find(|four| four.iter().all(|word| is_word(word)));
            assert!(english.is_none(), "{english:?} in {cell}");
        }
    }
    for text in [
        "組織外のアカウント × 1",
        "有効なアクセスキーを持つ",
        "ステートメント Enter が、MFA なしで",
    ] {
        assert!(page.contains(text), "{text}\n{page}");
    }
}
