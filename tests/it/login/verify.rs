//! `verify` with a console sign-in in a key's place: what it enters without a code, and what that shows.

use serde_json::Value;

use sekisho::emulator::{EmulatedDevice, LoginMfa, Organization, Role};
use sekisho::services::verify::evidence::check;

use super::stage::{Stage, aws_keys_end, aws_login, user};
use crate::emulator::stage::{AUTH, DEV, PHONE, allow, guard, permit, trust};
use crate::exports::stage::Ran;
use crate::pty::terminal::{Pty, command};
use crate::support::program;

/// With a sign-in that carries MFA information, or none, and a user who may list her devices.
fn stage(mfa: LoginMfa, organise: impl FnOnce(&mut Organization)) -> Stage {
    let stage = Stage::with(
        |config| config,
        |organization| {
            organization.quirks.login_mfa = mfa;
            permit(organization, allow("iam:ListMFADevices", "*"));
            organise(organization);
        },
    );
    stage.sign_in();
    stage
}

/// Removes the role without MFA: it is a back door into the others' account.
fn close(organization: &mut Organization) {
    organization.roles.retain(|role| role.name != "Open");
}

fn verify(stage: &Stage, arguments: &[&str]) -> (Ran, Value) {
    let ran = stage.run(&[&["verify", "--yes", "--json"], arguments].concat());
    let report = serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{}", ran.stderr));
    (ran, report)
}

/// What is said of one role's guardrail: the verdict and why.
fn said(report: &Value, role: &str, guardrail: &str) -> (String, String) {
    let roles = report["accounts"].as_array().unwrap().iter();
    let roles = roles.flat_map(|account| account["roles"].as_array().unwrap());
    let role = roles
        .into_iter()
        .find(|it| it["role"].as_str().unwrap().ends_with(&format!("/{role}")))
        .unwrap_or_else(|| panic!("{role}: {report:#}"));
    let findings = role["findings"].as_array().unwrap();
    let finding = findings.iter().find(|it| it["guardrail"] == guardrail).unwrap();
    let text = |name: &str| finding[name].as_str().unwrap().to_owned();
    (text("verdict"), text("because"))
}

#[test]
fn a_role_that_refuses_it_and_takes_it_with_a_code_shows_that_it_carries_no_mfa() {
    let Some(_) = program("curl") else { return };
    let stage = stage(LoginMfa::Absent, close);
    let before = stage.calls();
    let code = stage.emulator.code(PHONE).unwrap();
    let ran = stage.run_with_code(&["verify", "dev/Developer", "--yes", "--json"], &code);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(ran.code, 6, "held, since an emulator proves nothing: {}", ran.stderr);
    let (verdict, because) = said(&report, "Developer", "sign_in");
    assert_eq!(verdict, "held", "{because}");
    assert!(because.starts_with("refused without a code, entered with one"), "{because}");
    assert_eq!(said(&report, "Developer", "trust").0, "held");
    assert_eq!(report["sign_in"]["mfa"], "absent");
    assert_eq!(report["access_key"], Value::Null);
    let wire = stage.wire(before);
    let expected = [
        "GetCallerIdentity",
        "AssumeRole Developer AccessDenied",
        "AssumeRole Developer +code",
        "GetRole",
        "ListRoles",
        "ListUsers",
    ];
    assert_eq!(wire, expected);
}

#[test]
fn on_a_terminal_it_asks_for_one_code_and_shows_what_it_found() {
    let Some(_) = program("curl") else { return };
    let stage = stage(LoginMfa::Absent, close);
    let mut builder = command(env!("CARGO_BIN_EXE_sekisho"), stage.home());
    builder.args(["verify", "dev/Developer", "dev/Reader"]);
    for (name, value) in stage.sekisho(&[]).get_envs() {
        builder.env(name, value.unwrap_or_default());
    }
    let mut pty = Pty::spawn(builder);
    let screen = pty.wait_for("continue? [y/N]");
    assert!(screen.contains("with a code, one an account (the positive control)"), "{screen}");
    pty.line("y");
    pty.wait_for("for the positive control, dev/Developer (direct: for this role only until");
    pty.line(&stage.emulator.code(PHONE).unwrap());
    let screen = pty.wait_for("copy remedy");
    assert!(screen.contains("The sign-in carries no MFA information that counts"), "{screen}");
    pty.send("\u{4}");
    let (code, words) = pty.last_words();
    assert_eq!(code, 6, "{words}");
    assert!(words.contains("dev, 2222-2222-2222: held (Developer, Reader)"), "{words}");
}

#[test]
fn a_sign_in_that_carries_mfa_is_no_open_door() {
    let Some(_) = program("curl") else { return };
    let stage = stage(LoginMfa::Carried, |organization| {
        permit(organization, guard());
        close(organization);
    });
    let before = stage.calls();
    let (ran, report) = verify(&stage, &["dev/Developer"]);
    assert_eq!(ran.code, 6, "{}", ran.stderr);
    let (verdict, because) = said(&report, "Developer", "sign_in");
    assert_eq!(verdict, "held", "{because}");
    assert!(because.ends_with("the sign-in carries MFA information"), "{because}");
    assert_eq!(report["sign_in"]["mfa"], "carried");
    assert!(!ran.stdout.contains("\"open\""), "{}", ran.stdout);
    assert!(stage.wire(before).iter().all(|call| !call.contains("+code")));
    // What one sign-in cannot show is said.
    assert!(ran.stdout.contains("a sign-in by somebody without MFA"), "{}", ran.stdout);
    let text = stage.run(&["verify", "dev/Developer", "--yes"]).stdout;
    for line in [
        "alice, console sign-in (sekisho login), of 1111-1111-1111",
        "MFA device    held        AWS lists MFA devices of the user, 3 in all: a sign-in asks for one",
        "The sign-in carries MFA information: a role whose trust policy asks for it let it in without a code.",
        "dev, 2222-2222-2222: held (Developer)",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
}

#[test]
fn a_role_that_asks_for_no_mfa_is_open_whatever_the_sign_in_carries() {
    let Some(_) = program("curl") else { return };
    for mfa in [LoginMfa::Absent, LoginMfa::Carried] {
        let stage = stage(mfa, |_| {});
        let (ran, report) = verify(&stage, &["dev/Open"]);
        assert_eq!(ran.code, 5, "{}", ran.stderr);
        let (verdict, because) = said(&report, "Open", "sign_in");
        assert_eq!(verdict, "open", "{because}");
        let why = "statement #1 of the trust policy asks for no MFA, so whether the sign-in carries MFA information cannot be told";
        assert!(because.contains(why), "{because}");
        assert_eq!(report["sign_in"]["mfa"], "unknown");
    }
}

#[test]
fn beside_an_open_role_the_other_is_read_without_any_code() {
    let Some(_) = program("curl") else { return };
    let stage = stage(LoginMfa::Absent, |_| {});
    let (ran, report) = verify(&stage, &["dev/Open", "dev/Developer"]);
    assert_eq!(ran.code, 5, "{}", ran.stderr);
    let (verdict, because) = said(&report, "Developer", "sign_in");
    assert_eq!(
        (verdict.as_str(), because.as_str()),
        ("held", "refused without a code, and the trust policy asks for MFA")
    );
    assert_eq!(said(&report, "Open", "sign_in").0, "open");
    assert_eq!(report["sign_in"]["mfa"], "unknown", "nothing tells that a code helps");
}

#[test]
fn what_cannot_be_told_is_not_proved() {
    let Some(_) = program("curl") else { return };
    let unreadable = |organization: &mut Organization| {
        organization.role(DEV, "Developer").unwrap().policies = vec![allow("s3:*", "*")];
    };
    let carried = stage(LoginMfa::Carried, unreadable);
    let (_, report) = verify(&carried, &["dev/Developer"]);
    let (verdict, because) = said(&report, "Developer", "sign_in");
    assert_eq!(verdict, "not_proved", "{because}");
    assert!(because.contains("which cannot be told: it was not read: AccessDenied"), "{because}");
    assert_eq!(report["sign_in"]["mfa"], "unknown");
    // Refused, and nobody gives a code: the role may not exist.
    let absent = stage(LoginMfa::Absent, |_| {});
    let (ran, report) = verify(&absent, &["dev/Developer", "dev/Reader"]);
    assert_eq!(ran.code, 6);
    for role in ["Developer", "Reader"] {
        let (verdict, because) = said(&report, role, "sign_in");
        assert_eq!(verdict, "not_proved", "{because}");
        assert!(because.ends_with("the role may not exist"), "{because}");
    }
    assert_eq!(ran.stderr.matches("MFA code").count(), 1, "asked for once: {}", ran.stderr);
    assert!(ran.stderr.contains("dev/Developer"), "{}", ran.stderr);
}

#[test]
fn where_nobody_is_signed_in_nothing_is_tried_and_the_command_is_named() {
    let Some(_) = program("curl") else { return };
    let stage = Stage::new();
    let (ran, report) = verify(&stage, &["dev/Developer"]);
    assert_eq!((ran.code, stage.calls()), (6, 0), "{}", ran.stderr);
    let (verdict, because) = said(&report, "Developer", "sign_in");
    assert_eq!(
        (verdict.as_str(), because.as_str()),
        ("not_proved", "not tried: a console sign-in is needed")
    );
    assert_eq!(report["sign_in"]["missing"], "a console sign-in is needed");
    // Without a question, since there is nothing to ask about.
    let text = stage.run(&["verify", "dev/Developer"]);
    assert_eq!(text.code, 6, "{}", text.stderr);
    assert!(text.stdout.contains("→ run `sekisho login`"), "{}", text.stdout);
    assert!(!text.stdout.contains("nothing here tells"), "nothing was tried: {}", text.stdout);
    assert!(!stage.path(".local/state/sekisho/verify.json").exists(), "no verdict is remembered");
    let file = stage.run(&["verify", "dev/Developer", "--yes", "--report", "r.json"]);
    assert!(file.stderr.contains("nobody is signed in"), "{}", file.stderr);
    check(&String::from_utf8(stage.read("r.json")).unwrap()).unwrap();
}

#[test]
fn a_role_of_the_auth_account_is_tried_by_the_sign_in() {
    let Some(_) = program("curl") else { return };
    let stage = stage(LoginMfa::Carried, |organization| {
        let statement = format!(
            r#"{{"Version":"2012-10-17","Statement":[
                {{"Effect":"Allow","Principal":{{"AWS":"{AUTH}"}},"Action":"sts:AssumeRole",
                  "Condition":{{"Bool":{{"aws:MultiFactorAuthPresent":"true"}}}}}},
                {{"Effect":"Allow","Principal":{{"AWS":"arn:aws:iam::{AUTH}:role/deploy"}},"Action":"sts:AssumeRole"}}]}}"#
        );
        organization.role(DEV, "Developer").unwrap().trust =
            sekisho::emulator::Document::parse(&statement).unwrap();
        organization.roles.push(Role::new(AUTH, "deploy", trust("{}")));
    });
    let (_, report) = verify(&stage, &["dev/Developer"]);
    let doors = &report["accounts"][0]["other_doors"];
    // It may have got there by its MFA information.
    assert_eq!(doors["verdict"], "not_proved", "{doors:#}");
    let door = &doors["evidence"][0];
    assert_eq!((&door["hop"]["outcome"], &door["hop_by"]), (&"allowed".into(), &"sign_in".into()));
    let text = stage.run(&["verify", "dev/Developer", "--yes"]).stdout;
    assert!(text.contains("; from the console sign-in: allowed"), "{text}");
}

#[test]
fn whoever_has_no_device_signs_in_by_the_password_alone() {
    let Some(_) = program("curl") else { return };
    let none = |organization: &mut Organization| {
        organization.user("alice").unwrap().devices.clear();
    };
    let stage = stage(LoginMfa::Carried, none);
    let (ran, report) = verify(&stage, &["dev/Developer"]);
    assert_eq!(ran.code, 5, "{}", ran.stderr);
    assert_eq!(report["key"][0]["verdict"], "open");
    assert!(said(&report, "Developer", "sign_in").1.starts_with("refused without a code"));
    let passkey = |organization: &mut Organization| {
        let devices = &mut organization.user("alice").unwrap().devices;
        devices.retain(|device| matches!(device, EmulatedDevice::Fido { .. }));
    };
    stage.emulator.with(|organization| {
        let serial = crate::emulator::stage::PASSKEY.into();
        organization.user("alice").unwrap().devices.push(EmulatedDevice::Fido { serial });
        passkey(organization);
    });
    let (_, report) = verify(&stage, &["dev/Developer"]);
    assert_eq!(report["key"][0]["verdict"], "held", "a passkey is a device there: {report:#}");
}

#[test]
fn a_profile_of_awss_own_client_is_tried_as_well() {
    let Some(_) = program("curl") else { return };
    let stage = stage(LoginMfa::Carried, |_| {});
    aws_login(&stage, "work", &user("alice"));
    let (_, report) = verify(&stage, &["dev/Developer"]);
    assert_eq!(said(&report, "Developer", "sign_in").0, "held");
    assert_eq!(report["sign_in"]["of"], "aws login, profile work");
    aws_keys_end(&stage, &user("alice"));
    let text = stage.run(&["verify", "dev/Developer"]);
    assert_eq!(text.code, 6, "{}", text.stderr);
    let expired = "not tried: the keys of profile work have expired";
    assert!(text.stdout.contains(expired), "{}", text.stdout);
    assert!(
        text.stdout.contains("→ aws sts get-caller-identity --profile work"),
        "{}",
        text.stdout
    );
}

#[test]
fn the_evidence_says_it_in_both_languages() {
    let Some(_) = program("curl") else { return };
    let stage = stage(LoginMfa::Carried, |_| {});
    for (file, language, texts) in [
        (
            "r.html",
            "en",
            [
                "<h1>What a console sign-in opens</h1>",
                "<td>alice, sekisho login</td>",
                "<td>The sign-in carries MFA information: ",
                "<td>sign-in</td>",
            ],
        ),
        (
            "r.ja.html",
            "ja",
            [
                "<h1>コンソールサインインで何が開くか</h1>",
                "<td>alice, sekisho login</td>",
                "このサインインは MFA 情報を持っている",
                "<td>コンソールサインイン</td>",
            ],
        ),
    ] {
        let arguments =
            ["verify", "dev/Developer", "dev/Open", "--yes", "--report", file, "--lang", language];
        let ran = stage.run(&arguments);
        assert_eq!(ran.code, 5, "{}", ran.stderr);
        let page = String::from_utf8(stage.read(file)).unwrap();
        for text in texts {
            assert!(page.contains(text), "{language}: {text}");
        }
        let line = check(&page).unwrap();
        assert!(line.starts_with("consistent; authentic where CloudTrail's event"), "{line}");
        let data = page.split("<script").next().unwrap();
        if language == "ja" {
            let is_word =
                |word: &str| word.len() > 1 && word.chars().all(|c| c.is_ascii_lowercase());
            for cell in data.split("<body>").nth(1).unwrap().split(['<', '>']) {
                let words: Vec<&str> = cell.split([' ', ',', '(', ')']).collect();
                let english = words.windows(4).find(|four| four.iter().all(|word| is_word(word)));
                assert!(english.is_none(), "{cell}");
            }
        }
    }
}
