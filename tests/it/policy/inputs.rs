//! What the config says too much, too little or wrongly.

use std::collections::BTreeSet;
use std::sync::Arc;

use sekisho::domain::account::Catalog;
use sekisho::domain::policy::{Format, Language, PolicyKind, render};
use sekisho::domain::scope::Scope;
use serde_json::{Value, json};

use super::{account, changed, config, role, text};

#[test]
fn a_long_list_becomes_several_policies_and_an_endless_one_a_fault() {
    let with_roles = |count: usize| {
        let mut config = config();
        let roles =
            (0..count).map(|i| role(&format!("Developer-of-the-team-{i:03}"), "/", 1, Scope::Full));
        config.catalog = Catalog::new(vec![account("dev", "222222222222", roles.collect())], None);
        render(&config, Format::Json, Language::English)
    };
    let set = with_roles(60).unwrap();
    let parts: Vec<_> = set
        .files
        .iter()
        .filter(|d| d.file.starts_with("organization/scp-sandbox/identity-"))
        .collect();
    assert!(parts.len() > 1, "60 roles fit one policy");
    let protected: BTreeSet<String> = parts
        .iter()
        .flat_map(|part| {
            let policy: Value = serde_json::from_str(&part.text).unwrap();
            assert!(policy.to_string().len() <= 5120);
            policy["Statement"].as_array().unwrap().clone()
        })
        .filter(|statement| statement["Sid"].as_str().unwrap().starts_with("ProtectSwitchRoles"))
        .flat_map(|statement| statement["Resource"].as_array().unwrap().clone())
        .map(|arn| arn.as_str().unwrap().to_owned())
        .collect();
    assert_eq!(protected.len(), 60, "every role stays protected");

    let faults = with_roles(120).unwrap_err();
    assert!(
        faults
            .iter()
            .any(|fault| fault.what.contains("policy switch") && fault.what.contains("5120")),
        "{faults:#?}"
    );
}

#[test]
fn what_is_missing_or_wrong_is_named_by_its_key() {
    let exempt = |pattern: &'static str| changed(|_, g| g.exempt_roles = vec![pattern.into()]);
    let two_paths = changed(|c, _| {
        let accounts =
            [("a", "222222222222", "/"), ("b", "333333333333", "/x/")].map(|(name, id, path)| {
                account(name, id, vec![role("Developer", path, 1, Scope::Full)])
            });
        c.catalog = Catalog::new(accounts.to_vec(), None);
    });
    let pattern_path = changed(|c, _| {
        c.catalog = Catalog::new(
            vec![account("a", "222222222222", vec![role("Developer", "/*/", 1, Scope::Full)])],
            None,
        );
    });
    for (config, key) in [
        (changed(|_, g| g.organization = None), "guardrails.organization"),
        (changed(|_, g| g.organization = Some("o-\"x".into())), "guardrails.organization"),
        (changed(|_, g| g.sandbox_ou = None), "guardrails.sandbox_ou"),
        (changed(|_, g| g.management_account = None), "guardrails.management_account"),
        (changed(|c, g| g.management_account = Some(c.auth.account)), "auth.account"),
        (changed(|_, g| g.instance_types = vec!["t3 micro".into()]), "guardrails.instance_types"),
        (changed(|_, g| g.trusted_issuers = vec!["a b".into()]), "guardrails.trusted_issuers"),
        (changed(|c, _| c.catalog = Catalog::default()), "`accounts`"),
        (two_paths, "`accounts`"),
        (pattern_path, "`accounts`"),
        (exempt("role/provisioning/*"), "guardrails.exempt_roles"),
        (exempt("arn:aws-cn:iam::*:role/provisioning/*"), "guardrails.exempt_roles"),
        (exempt("arn:aws:iam::*:user/*"), "guardrails.exempt_roles"),
        (exempt("arn:aws:iam::*:role/*"), "guardrails.exempt_roles"),
        (exempt("arn:aws:iam::*:role/Dev*"), "guardrails.exempt_roles"),
        (exempt("arn:aws:iam::*:role/ops/*"), "guardrails.exempt_roles"),
    ] {
        let faults = render(&config, Format::Json, Language::English).unwrap_err();
        assert!(faults.len() == 1 && faults[0].what.contains(key), "{key}: {faults:#?}");
    }
    let two = changed(|_, g| (g.sandbox_ou, g.management_account) = (None, None));
    let faults = render(&two, Format::Terraform, Language::English).unwrap_err();
    assert_eq!(faults.len(), 2, "all at once");
}

#[test]
fn what_the_config_does_not_say_is_left_out_and_said() {
    let bare = changed(|c, g| {
        g.regions.clear();
        g.instance_types.clear();
        g.trusted_accounts.clear();
        g.trusted_issuers.clear();
        g.monthly_budget_usd = None;
        let mut accounts = c.catalog.accounts().to_vec();
        let developer = || vec![role("Developer", "/", 1, Scope::Full)];
        accounts.push(account("auth", "111111111111", developer()));
        accounts.push(account("payer", "999999999999", developer()));
        c.catalog = Catalog::new(accounts, None);
    });
    for format in [Format::Json, Format::CloudFormation, Format::Terraform] {
        let set = render(&bare, format, Language::English).unwrap();
        let left_out: Vec<&str> = set.left_out.iter().map(|left| left.what.as_str()).collect();
        assert_eq!(
            left_out,
            [
                "the switch roles of auth (111111111111)",
                "the switch roles of payer (999999999999)",
                "the limit to regions",
                "the limit to instance types",
                "the limit to web identity issuers",
                "the limit to SAML issuers",
                "budgets and the brake",
            ]
        );
        for left in &left_out {
            assert!(
                text(&set, "README.md").contains(left)
                    && text(&set, "manifest.json").contains(left)
            );
        }
        let japanese = render(&bare, format, Language::Japanese).unwrap();
        for left in &japanese.left_out {
            let readme = text(&japanese, "README.md");
            assert!(readme.contains(&left.japanese.join(" (")) && !readme.contains(&left.what));
        }
        for document in &set.files {
            assert!(
                !document.file.contains("brake") && !document.file.contains("budget"),
                "{}",
                document.file
            );
            let guarded =
                document.kind != PolicyKind::Readme && document.kind != PolicyKind::Manifest;
            assert!(!guarded || !document.text.contains("WorkInTheseRegions"), "{}", document.file);
        }
    }
    // No trusted account means none: the exception vanishes, never the denial.
    let set = render(&bare, Format::Json, Language::English).unwrap();
    let rcp: Value =
        serde_json::from_str(text(&set, "organization/rcp-sandbox/entrance.json")).unwrap();
    let statements = rcp["Statement"].as_array().unwrap();
    assert_eq!(
        statements[2]["Condition"]["StringNotEqualsIfExists"],
        json!({"aws:PrincipalOrgID": "o-a1b2c3d4e5"})
    );
    // Federation is limited only where its issuers are listed.
    let sids: Vec<&str> = statements.iter().map(|s| s["Sid"].as_str().unwrap()).collect();
    assert_eq!(sids, ["UsersEnterWithMfa", "UsersReadWithMfa", "StrangersStayOut"]);
}

#[test]
fn another_partition_names_no_arn_of_this_one() {
    let china = changed(|c, g| {
        c.auth.region = "cn-north-1".parse().unwrap();
        g.exempt_roles.clear();
        let accounts = c.catalog.accounts().to_vec();
        c.catalog = Catalog::new(accounts, Some("cn-north-1".parse().unwrap()));
    });
    for format in [Format::Json, Format::CloudFormation, Format::Terraform] {
        for document in render(&china, format, Language::English).unwrap().files {
            assert!(
                document.kind == PolicyKind::Readme || !document.text.contains("arn:aws:"),
                "{}",
                document.file
            );
        }
    }
}

#[test]
fn a_stack_for_five_thousand_accounts_is_no_larger_than_for_one() {
    let of = |count: u64| {
        changed(|c, _| {
            let roles = vec![
                role("Developer", "/", 1, Scope::Full),
                role("ReadOnly", "/", 1, Scope::ReadOnly),
            ];
            let accounts = (0..count).map(|i| {
                let id = format!("{:012}", 700_000_000_000 + i);
                account(&format!("dev-{i}"), &id, roles.clone())
            });
            c.catalog = Catalog::new(accounts.collect(), None);
        })
    };
    let stack = |count| render(&of(count), Format::CloudFormation, Language::English).unwrap();
    let (one, many) = (stack(1), stack(5000));
    for file in ["auth-account.yaml", "organization.yaml", "dev-account.yaml"] {
        assert_eq!(text(&one, file), text(&many, file), "{file}");
    }
    let budgets = many.files.iter().filter(|d| d.file.starts_with("budgets-"));
    let sizes: Vec<usize> = budgets.map(|d| d.text.len()).collect();
    assert!(sizes.len() == 25 && sizes.iter().all(|size| *size < 51_200), "{sizes:?}");
    // The tag names account and role, so who enters is decided by the tags, not by the template.
    assert!(text(&many, "dev-account.yaml").contains("aws:PrincipalTag/sekisho-ReadOnly"));
}

#[test]
fn the_copied_commands_grant_no_more_than_the_config_asks_for() {
    let narrowed = changed(|c, _| {
        let mut auditor = role("Auditor", "/", 1, Scope::Full);
        Arc::make_mut(&mut auditor).session.policy_arns =
            vec!["arn:aws:iam::aws:policy/SecurityAudit".parse().unwrap()];
        let roles = vec![
            auditor,
            role("Developer", "/team/", 2, Scope::Full),
            role("Mixed", "/", 1, Scope::ReadOnly),
            role("read-only", "/", 1, Scope::Full),
        ];
        let other = vec![role("Mixed", "/", 1, Scope::Full)];
        let accounts =
            vec![account("a", "222222222222", roles), account("b", "333333333333", other)];
        c.catalog = Catalog::new(accounts, None);
    });
    let stack = render(&narrowed, Format::CloudFormation, Language::English).unwrap();
    let readme = text(&stack, "README.md");
    for grant in [
        "AuditorPolicies=arn:aws:iam::aws:policy/ReadOnlyAccess",
        "DeveloperPolicies=arn:aws:iam::aws:policy/AdministratorAccess",
        "MixedPolicies=arn:aws:iam::aws:policy/ReadOnlyAccess",
        "ReadOnlyPolicies=arn:aws:iam::aws:policy/ReadOnlyAccess",
        "--tags 'Key=sekisho-Developer,Value=OWN-ACCOUNT-ID'",
    ] {
        assert!(readme.contains(grant), "{grant}: {readme}");
    }
    let json = render(&narrowed, Format::Json, Language::English).unwrap();
    let readme = text(&json, "README.md");
    for command in [
        "aws iam create-role --role-name 'Developer' --path '/team/' --max-session-duration 7200",
        "aws iam attach-role-policy --role-name 'Mixed' --policy-arn arn:aws:iam::aws:policy/ReadOnlyAccess",
    ] {
        assert!(readme.contains(command), "{command}: {readme}");
    }
    let comma = changed(|c, _| {
        let roles = vec![role("a,b", "/", 1, Scope::Full)];
        c.catalog = Catalog::new(vec![account("a", "222222222222", roles)], None);
    });
    let faults = render(&comma, Format::Json, Language::English).unwrap_err();
    assert!(faults.len() == 1 && faults[0].what.contains("comma"), "{faults:#?}");
}

#[test]
fn many_accounts_get_several_budget_stacks() {
    let many = changed(|c, _| {
        let roles = vec![role("Developer", "/", 1, Scope::Full)];
        let accounts = (0..450).map(|i| {
            account(&format!("dev-{i}"), &format!("{:012}", 700_000_000_000_u64 + i), roles.clone())
        });
        c.catalog = Catalog::new(accounts.collect(), None);
    });
    let set = render(&many, Format::CloudFormation, Language::English).unwrap();
    let budgets: Vec<_> =
        set.files.iter().filter(|document| document.file.starts_with("budgets-")).collect();
    assert_eq!(budgets.len(), 3);
    let budgeted: usize =
        budgets.iter().map(|document| document.text.matches("\"7000").count()).sum();
    assert_eq!(budgeted, 450);
    assert!(
        text(&set, "dev-account.yaml").len() < 51_200,
        "the StackSet does not grow with the accounts"
    );
}
