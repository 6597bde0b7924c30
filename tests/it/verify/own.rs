//! sekisho's own documents, as `policy` renders them, put into the organization: `verify` finds them closed.

use sekisho::domain::config::Strictness;
use sekisho::domain::known::Known;
use sekisho::domain::policy::{Format, Language, PolicyKind, render};
use sekisho::domain::verdict::Guardrail::{
    BackDoors, Device, Federation, LocalUsers, Organization, OtherDoors, Reads, Trust, User, Writes,
};
use sekisho::domain::verdict::Verdict::{Masked, Unconfirmed};
use sekisho::emulator::{self, Document};
use sekisho::services::config::files;

use super::stage::*;

const CONFIG: &str = r#"
version: 1
auth: {account: "111111111111", region: ap-northeast-1}
guardrails:
  organization: o-sekisho42x
  management_account: "999999999999"
  sandbox_ou: ou-a1b2-c3d4e5f6
  exempt_roles: ["arn:aws:iam::*:role/provisioning/*"]
accounts:
  - {name: dev-tanaka, id: "222222222222", roles: [Developer]}
"#;

#[test]
fn the_documents_of_policy_hold() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("config.yaml");
    std::fs::write(&file, CONFIG).unwrap();
    let (loaded, _) = files::load(&file, None, Strictness::Strict, &Known::default()).unwrap();
    let documents = render(&loaded.config, Format::Json, Language::English).unwrap();
    let texts = |kind: PolicyKind| {
        let of = documents.files.iter().filter(move |document| document.kind == kind);
        of.map(|document| document.text.as_str())
    };
    let change = |organization: &mut emulator::Organization| {
        let tanaka = organization.user("tanaka").unwrap();
        tanaka.tags = vec![("sekisho-Developer".into(), DEV.into())];
        tanaka.policies = texts(PolicyKind::GroupPolicy)
            .chain(texts(PolicyKind::ManagedPolicy))
            .map(inline)
            .collect();
        assert!(tanaka.policies.len() > 1, "guard and switch");
        let dev = organization.account(DEV).unwrap();
        dev.rcps = texts(PolicyKind::ResourceControlPolicy).map(inline).collect();
        assert!(!dev.rcps.is_empty());
        let trust = texts(PolicyKind::TrustPolicy).next().unwrap();
        organization.role(DEV, "Developer").unwrap().trust = Document::parse(trust).unwrap();
    };
    let emulator = start(change);
    let report = verify(&emulator);
    let expected = [
        (Reads, Unconfirmed),
        (Writes, Unconfirmed),
        (Federation, Unconfirmed),
        (Device, Unconfirmed),
        (User, Unconfirmed),
        (Trust, Unconfirmed),
        (Organization, Masked),
        (BackDoors, Unconfirmed),
        (OtherDoors, Unconfirmed),
        (LocalUsers, Unconfirmed),
    ];
    assert_eq!(verdicts(&report), expected.into_iter().collect(), "{}", report.json());
    let unknown: Vec<String> = emulator.calls().into_iter().flat_map(|call| call.unknown).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}
