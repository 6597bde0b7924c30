//! The set as a whole: complete, within AWS's limits, the same policies in every form, clean to other linters.

use std::collections::BTreeSet;
use std::process::Command;

use sekisho::domain::policy::{Documents, Format, Language, PolicyKind, render, written};
use serde_json::Value;

use super::{changed, config, root, set, text};
use crate::support::program;

/// Writes a set where other programs can read it.
fn write(set: &Documents) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for document in &set.files {
        let file = dir.path().join(&document.file);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, &document.text).unwrap();
    }
    dir
}

#[test]
fn every_statement_has_its_why_and_no_why_is_left_over() {
    let mut sids = BTreeSet::new();
    let no_products = changed(|_, g| g.allowed_products.clear());
    let further = render(&no_products, Format::Json, Language::English).unwrap().files;
    for document in set(Format::Json).files.into_iter().chain(further) {
        let Ok(policy) = serde_json::from_str::<Value>(&document.text) else {
            continue;
        };
        for statement in policy["Statement"].as_array().into_iter().flatten() {
            let sid = statement["Sid"].as_str().unwrap();
            assert!(sid.bytes().all(|b| b.is_ascii_alphanumeric()), "AWS takes no such Sid: {sid}");
            sids.insert(sid.to_owned());
        }
    }
    for file in ["WHY.md", "WHY.ja.md"] {
        let why = std::fs::read_to_string(root().join("assets/policies").join(file)).unwrap();
        let explained: BTreeSet<String> =
            why.split("**").skip(1).step_by(2).map(str::to_owned).collect();
        assert_eq!(sids, explained, "{file}");
    }
}

#[test]
fn every_name_is_filled_and_every_policy_is_within_its_limit() {
    for format in [Format::Json, Format::CloudFormation, Format::Terraform] {
        let set = set(format);
        let mut files = BTreeSet::new();
        for document in &set.files {
            assert!(!document.text.contains("{{"), "{} has an unfilled name", document.file);
            assert!(
                document.text.ends_with('\n') && files.insert(&document.file),
                "{}",
                document.file
            );
            if let (Ok(policy), Some(limit)) =
                (serde_json::from_str::<Value>(&document.text), document.kind.limit())
            {
                let length = policy.to_string().chars().count();
                assert!(length <= limit, "{} has {length} characters", document.file);
            }
        }
        let manifest: Value = serde_json::from_str(text(&set, "manifest.json")).unwrap();
        let listed =
            manifest["documents"].as_array().unwrap().iter().map(|d| d["file"].as_str().unwrap());
        let written = files
            .iter()
            .map(|file| file.as_str())
            .filter(|file| !["manifest.json", "README.md"].contains(file));
        assert_eq!(listed.collect::<BTreeSet<_>>(), written.collect());
    }
}

/// Every policy document in a template, CloudFormation's own functions resolved for an account.
fn embedded(template: &Value, account: &str) -> BTreeSet<String> {
    fn resolve(value: &Value, account: &str) -> Value {
        match value {
            Value::Object(entries) => match entries.get("Fn::Sub").and_then(Value::as_str) {
                Some(text) => text.replace("${AWS::AccountId}", account).into(),
                None => entries.iter().map(|(k, v)| (k.clone(), resolve(v, account))).collect(),
            },
            Value::Array(items) => items.iter().map(|item| resolve(item, account)).collect(),
            other => other.clone(),
        }
    }
    let mut found = BTreeSet::new();
    match template {
        Value::Object(entries) if entries.contains_key("Statement") => {
            found.insert(resolve(template, account).to_string());
        }
        Value::Object(entries) => {
            for value in entries.values() {
                found.extend(embedded(value, account));
            }
        }
        Value::Array(items) => {
            for value in items {
                found.extend(embedded(value, account));
            }
        }
        _ => {}
    }
    found
}

#[test]
fn stacks_and_modules_carry_the_very_policies_that_were_evaluated() {
    let json = set(Format::Json);
    let policies: Vec<_> =
        json.files.iter().filter(|document| document.kind.limit().is_some()).collect();
    let stacks = set(Format::CloudFormation);
    let parse = |file: &str| serde_yaml::from_str::<Value>(text(&stacks, file)).unwrap();
    let organization = parse("organization.yaml");
    let body =
        organization["Resources"]["SwitchRoles"]["Properties"]["TemplateBody"].as_str().unwrap();
    assert_eq!(
        body,
        text(&stacks, "dev-account.yaml"),
        "the StackSet carries the template that stands beside it"
    );

    let mut carried = embedded(&parse("auth-account.yaml"), "");
    carried.extend(embedded(&organization, ""));
    for account in ["222222222222", "333333333333"] {
        carried.extend(embedded(&parse("dev-account.yaml"), account));
    }
    for policy in &policies {
        let compact = serde_json::from_str::<Value>(&policy.text).unwrap().to_string();
        assert!(carried.contains(&compact), "no stack carries {}", policy.file);
    }
    let modules = set(Format::Terraform);
    for policy in policies.iter().filter(|policy| policy.kind != PolicyKind::TrustPolicy) {
        assert_eq!(text(&modules, &policy.file), policy.text);
    }
    assert_eq!(text(&modules, "organization/dev-account.yaml"), body);
    let rules = parse("config-rules.yaml");
    let rules: BTreeSet<String> = rules["Resources"]
        .as_object()
        .unwrap()
        .values()
        .map(|rule| rule["Properties"].to_string())
        .collect();
    let listed: Vec<Value> =
        serde_json::from_str(text(&json, "auth-account/config-rules.json")).unwrap();
    assert_eq!(rules, listed.iter().map(Value::to_string).collect());
}

#[test]
fn what_was_written_is_read_again_in_every_format() {
    let json = set(Format::Json);
    let policies = |files: &[sekisho::domain::policy::Document]| {
        let of = files.iter().filter(|document| document.kind.is_policy());
        of.map(|document| {
            let policy: Value = serde_json::from_str(&document.text).unwrap();
            (document.file.clone(), document.target.clone(), policy.to_string())
        })
        .collect::<BTreeSet<_>>()
    };
    let no_targets = |set: BTreeSet<(String, String, String)>| {
        set.into_iter().map(|(file, _, text)| (file, text)).collect::<BTreeSet<_>>()
    };
    for format in [Format::Json, Format::CloudFormation, Format::Terraform] {
        let files = set(format).files.into_iter().filter(|d| d.kind != PolicyKind::Readme);
        // `policy --check` reads JSON and YAML only.
        let files: Vec<(String, String)> = files
            .filter(|d| d.kind != PolicyKind::TerraformModule)
            .map(|d| (d.file, d.text))
            .collect();
        let read = written(&files, &json.files).unwrap();
        assert_eq!(no_targets(policies(&read)), no_targets(policies(&json.files)), "{format:?}");
        let trusts = |set: BTreeSet<(String, String, String)>| {
            set.into_iter().filter(|(file, ..)| file.contains("trust")).collect::<Vec<_>>()
        };
        assert_eq!(trusts(policies(&read)), trusts(policies(&json.files)), "{format:?}");
    }
}

#[test]
fn without_an_organization_what_needs_none_is_rendered() {
    let mut alone = config();
    alone.guardrails = None;
    for format in [Format::Json, Format::CloudFormation, Format::Terraform] {
        let set = render(&alone, format, Language::English).unwrap();
        let policies: Vec<_> = set.files.iter().filter(|d| d.kind.limit().is_some()).collect();
        let files: Vec<&str> = set.files.iter().map(|d| d.file.as_str()).collect();
        assert!(
            !set.files.iter().any(|d| d.file.starts_with("organization")),
            "nothing for an organization: {files:?}"
        );
        assert_eq!(set.left_out.len(), 1, "{:?}", set.left_out);
        for document in &policies {
            assert!(!document.text.contains("ResourceOrgID"), "{}", document.file);
        }
        let readme = text(&set, "README.md");
        assert!(readme.contains("Without an organization") && !readme.contains("{{"), "{readme}");
    }
    let set = render(&alone, Format::Json, Language::English).unwrap();
    let switch: Value = serde_json::from_str(text(&set, "auth-account/switch.json")).unwrap();
    let entered = &switch["Statement"][0];
    assert_eq!(entered["Condition"], Value::Null);
    assert!(
        !entered["Resource"].to_string().contains("::*:"),
        "only the config's own accounts: {entered}"
    );
}

#[test]
fn awss_own_linter_finds_nothing() {
    let Some(lint) = program("cfn-lint") else {
        return;
    };
    let mut alone = config();
    alone.guardrails = None;
    for set in [
        set(Format::CloudFormation),
        render(&alone, Format::CloudFormation, Language::English).unwrap(),
    ] {
        lint_templates(&lint, &set);
    }
}

fn lint_templates(lint: &std::path::Path, set: &Documents) {
    let dir = write(set);
    let templates = set.files.iter().filter(|document| {
        matches!(document.kind, PolicyKind::StackTemplate | PolicyKind::StackSetTemplate)
    });
    let output = Command::new(lint)
        .current_dir(&dir)
        .args(templates.map(|document| &document.file))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn terraform_would_format_nothing() {
    let Some(terraform) = program("terraform") else {
        return;
    };
    let dir = write(&set(Format::Terraform));
    let output = Command::new(terraform)
        .args(["fmt", "-check", "-diff", "-recursive"])
        .arg(dir.path())
        .env("CHECKPOINT_DISABLE", "1")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn the_manifest_and_the_readme_read_well() {
    let set = set(Format::CloudFormation);
    insta::assert_snapshot!("policy_manifest", text(&set, "manifest.json"));
    let (how, why) = text(&set, "README.md").split_once("## Each statement, and why").unwrap();
    insta::assert_snapshot!("policy_readme", how);
    assert!(why.contains("**DenyAllWithoutMfa**"));
}
