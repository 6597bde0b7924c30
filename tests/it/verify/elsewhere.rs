//! `verify` against what is not AWS: moto, which checks nothing, and an endpoint that refuses everything.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use sekisho::domain::fault::Exit;
use sekisho::domain::secret::MfaCode;
use sekisho::domain::verdict::report::Report;
use sekisho::domain::verdict::{Guardrail, Verdict};
use sekisho::services::aws::Aws;
use sekisho::services::verify::Verifier;
use sekisho::services::verify::text::{self, Detail};

use super::stage::*;
use crate::import;
use crate::support::program;

fn verify_at(url: &str, account: &str) -> (Report, String) {
    let auth = auth(url, account);
    let (aws, key) = (Aws::new(&auth).unwrap(), key("AKIAIOSFODNN7EXAMPLE", SECRET));
    let verifier = Verifier {
        aws: &aws,
        auth: &auth,
        known: &known(),
        config_sha256: None,
        state: None,
        rate: RATE,
        now: &Timestamp::now,
    };
    let ask =
        async |_: Option<&_>| Some((PHONE.parse().unwrap(), MfaCode::parse("123456").unwrap()));
    let report =
        run(verifier.run(&key, &plan(), ask, |_| {})).unwrap_or_else(|fault| panic!("{fault:?}"));
    let text = text::report(&report, &auth, Detail::All);
    (report, text)
}

#[test]
fn an_endpoint_that_refuses_everything_is_never_called_proved() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            std::thread::spawn(move || {
                let mut request = vec![0; 65536];
                while stream.read(&mut request).is_ok_and(|n| n > 0) {
                    let message = "User: arn:aws:iam::111111111111:user/tanaka is not authorized to perform: \
                        sts:AssumeRole on resource: * with an explicit deny in an identity-based policy";
                    let body = format!(
                        "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code>\
                         <Message>{message}</Message></Error></ErrorResponse>"
                    );
                    let head = format!(
                        "HTTP/1.1 403 Forbidden\r\ncontent-type: text/xml\r\ncontent-length: {}\r\n\r\n",
                        body.len()
                    );
                    if stream.write_all((head + &body).as_bytes()).is_err() {
                        return;
                    }
                }
            });
        }
    });
    let (report, text) = verify_at(&url, AUTH);
    assert!(report.findings().all(|finding| finding.verdict == Verdict::NotProved));
    assert_eq!(report.exit(), Exit::Undecided);
    assert!(text.starts_with("EMULATED: http://127.0.0.1:"), "{text}");
    assert!(!text.replace("not proved", "").contains("proved"), "{text}");
    let json = report.json();
    assert!(
        json.contains("\"ground\": \"emulated\"")
            && !json.replace("not_proved", "").contains("proved")
    );
}

/// A moto that ends with its test.
struct Moto {
    child: Child,
    url: String,
}

impl Moto {
    fn start() -> Option<Self> {
        let server = program("moto_server")?;
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = Command::new(server)
            .args(["-H", "127.0.0.1", "-p", &port.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let moto = Self { child, url: format!("http://127.0.0.1:{port}") };
        let since = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(since.elapsed() < Duration::from_mins(1), "moto does not start");
            std::thread::yield_now();
        }
        Some(moto)
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs Python with boto3 against a moto; `None` without it.
fn boto3(moto: &Moto, text: &str, home: &std::path::Path) -> Option<String> {
    let prelude = r#"
import boto3, glob, json, os, sys
def client(name, **more):
    more = more or dict(aws_access_key_id="AKIAIOSFODNN7EXAMPLE", aws_secret_access_key="x")
    return boto3.client(name, region_name="ap-northeast-1", endpoint_url=sys.argv[1], **more)
role = "arn:aws:iam::999999999999:role/Auditor"
c = client("sts").assume_role(RoleArn=role, RoleSessionName="seed")["Credentials"]
org = client("organizations", aws_access_key_id=c["AccessKeyId"], aws_secret_access_key=c["SecretAccessKey"],
    aws_session_token=c["SessionToken"])
iam = client("iam")
"#;
    let output = Command::new(program("python3")?)
        .args(["-c", &format!("{prelude}{text}"), &moto.url])
        .current_dir(home)
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    if stderr.contains("No module named 'boto3'") {
        return program("boto3").map(|_| unreachable!("a module is no program"));
    }
    assert!(output.status.success(), "{stderr}");
    Some(String::from_utf8(output.stdout).unwrap().trim().to_owned())
}

const SEED: &str = r#"
made = org.create_organization(FeatureSet="ALL")["Organization"]["Id"]
root = org.list_roots()["Roots"][0]["Id"]
for kind in ("SERVICE_CONTROL_POLICY", "RESOURCE_CONTROL_POLICY"):
    org.enable_policy_type(RootId=root, PolicyType=kind)
unit = org.create_organizational_unit(ParentId=root, Name="Sandboxes")["OrganizationalUnit"]["Id"]
iam.create_user(UserName="tanaka")
iam.create_user(UserName="old")
iam.create_access_key(UserName="tanaka")
iam.create_login_profile(UserName="old", Password="Passw0rd!x")
print(made, unit)
"#;

/// As the README among the documents says.
const DEPLOY: &str = r#"
group = dict(GroupName="sekisho-developers")
iam.create_group(**group)
iam.add_user_to_group(UserName="tanaka", **group)
name = lambda file: "sekisho-" + os.path.basename(file)[:-5]
for file in glob.glob("policies/auth-account/managed/*.json"):
    made = iam.create_policy(PolicyName=name(file), PolicyDocument=open(file).read())
    iam.attach_group_policy(PolicyArn=made["Policy"]["Arn"], **group)
switch = open("policies/auth-account/switch.json").read()
iam.put_group_policy(PolicyName="sekisho-switch", PolicyDocument=switch, **group)
unit = json.load(open("policies/unit.json"))
for folder, kind in (("scp-sandbox", "SERVICE_CONTROL_POLICY"), ("rcp-sandbox", "RESOURCE_CONTROL_POLICY")):
    for file in glob.glob("policies/organization/%s/*.json" % folder):
        made = org.create_policy(Name=name(file), Description="x", Type=kind, Content=json.dumps(json.load(open(file))))
        org.attach_policy(PolicyId=made["Policy"]["PolicySummary"]["Id"], TargetId=unit)
"#;

#[test]
fn moto_answers_what_administrators_ask() {
    let Some(moto) = Moto::start() else { return };
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let Some(ids) = boto3(&moto, SEED, home) else { return };
    let (organization, unit) = ids.split_once(' ').unwrap();
    let config = format!(
        "auth: {{account: \"123456789012\", user: tanaka, key: env, mfa: [\"arn:aws:iam::123456789012:mfa/tanaka\"], \
         endpoint_url: \"{}\"}}\nstore: none\ndefaults: {{region: ap-northeast-1, roles: [Developer]}}\n\
         guardrails: {{organization: {organization}, management_account: \"999999999999\", sandbox_ou: {unit}}}\n\
         accounts: [{{name: dev-tanaka, id: \"{DEV}\"}}, {{name: management, id: \"999999999999\", roles: [Auditor]}}]\n",
        moto.url
    );
    std::fs::write(home.join("config.yaml"), config).unwrap();
    // Each code works once, whoever takes it.
    let asks = |code: &str, words: &[&str]| {
        let mut command = import::sekisho(home).unwrap();
        command
            .env("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
            .env("AWS_SECRET_ACCESS_KEY", "x")
            .env("SEKISHO_CONFIG", home.join("config.yaml"));
        let words = [&["--mfa-code", "-"], words].concat();
        import::run(command, &words, &format!("{code}\n"), home)
    };
    let said = asks("123456", &["verify", "--users"]);
    assert_eq!(said.code, 1, "{}", said.whole());
    for found in
        ["password without MFA: 1 user: old", "active key without an MFA device: 1 user: tanaka"]
    {
        assert!(said.stdout.contains(found), "{}", said.whole());
    }
    let said = asks("", &["policy", "--write", "policies", "--yes"]);
    assert_eq!(said.code, 0, "{}", said.whole());
    std::fs::write(home.join("policies/unit.json"), format!("\"{unit}\"")).unwrap();
    boto3(&moto, DEPLOY, home).unwrap();
    let said = asks("123457", &["verify", "--drift", "--via", "management", "--json"]);
    let report: serde_json::Value =
        serde_json::from_str(&said.stdout).unwrap_or_else(|_| panic!("{}", said.whole()));
    for place in report["places"].as_array().unwrap() {
        let statements = place["statements"].as_array().unwrap();
        let drifts: BTreeSet<&str> =
            statements.iter().map(|one| one["drift"].as_str().unwrap()).collect();
        let expected = if place["set"] == "auth-scp" { "missing" } else { "same" };
        assert_eq!(drifts, BTreeSet::from([expected]), "{place:#}");
    }
    assert_eq!(report["places"].as_array().unwrap().len(), 4);
    assert_eq!(report["places"][0]["users_outside"], serde_json::json!(["old"]));
}

#[test]
fn moto_checks_nothing_and_is_open_everywhere() {
    let Some(moto) = Moto::start() else { return };
    let (report, text) = verify_at(&moto.url, "123456789012");
    let verdicts = verdicts(&report);
    for (guardrail, verdict) in &verdicts {
        match guardrail {
            // It took a code, and the account has no other role: neither is open.
            Guardrail::Device
            | Guardrail::BackDoors
            | Guardrail::OtherDoors
            | Guardrail::LocalUsers => {
                assert_ne!(*verdict, Verdict::Open, "{text}");
            }
            _ => assert_eq!(*verdict, Verdict::Open, "{guardrail:?}\n{text}"),
        }
    }
    assert_eq!(report.exit(), Exit::Open);
    assert!(text.starts_with("EMULATED"), "{text}");
}
