//! From checked inputs to files: the policies first, then the form that was asked for around them.

use serde_json::{Value, json};

use super::input::{Inputs, Organization};
use super::policies::{Policies, Policy, THIS_ACCOUNT, pretty, too_long, trust, values};
use super::roles::{SwitchRole, logical_id};
use super::size::policy;
use super::template::Scope;
use super::{Document, Documents, Format, Language, PolicyKind};
use crate::domain::config::Config;
use crate::domain::fault::Fault;

/// The most accounts of one budgets stack: two resources each, and AWS takes 500.
const ACCOUNTS_PER_STACK: usize = 200;

/// The most accounts that the README names for each role.
const ACCOUNTS_NAMED: usize = 8;

/// Renders the guardrails of a config. Every fault names the config's key.
pub fn render(
    config: &Config,
    format: Format,
    language: Language,
) -> Result<Documents, Vec<Fault>> {
    let inputs = Inputs::of(config)?;
    let policies = Policies::of(&inputs)?;
    let mut files = match format {
        Format::Json => policies.json(&inputs),
        Format::CloudFormation => policies.cloudformation(&inputs),
        Format::Terraform => policies.terraform(&inputs),
    };
    for file in &files {
        check_template(file)?;
    }
    files.push(manifest(&files, &inputs, format));
    files.push(readme(&inputs, format, language));
    Ok(Documents { files, left_out: inputs.left_out })
}

impl Policies {
    fn json(&self, inputs: &Inputs<'_>) -> Vec<Document> {
        let mut files = self.auth_account(inputs);
        if let Some(organization) = inputs.organization {
            files.extend(self.control_policies(inputs, organization));
        }
        let values = values(inputs);
        for role in &inputs.roles {
            for account in &role.accounts {
                let policy = trust(role, &values, &account.to_string());
                let file = format!("dev-account/{account}/{}.trust.json", role.name);
                let arn = inputs
                    .iam_arn(&account.to_string(), &format!("role{}{}", role.path, role.name));
                files.push(policy.document(file, arn));
            }
        }
        files
    }

    /// The JSON files of the auth account.
    fn auth_account(&self, inputs: &Inputs<'_>) -> Vec<Document> {
        let group = inputs.iam_arn(&inputs.auth_account.to_string(), "group/sekisho-developers");
        let mut files: Vec<Document> = self
            .managed
            .iter()
            .map(|policy| {
                policy.document(format!("auth-account/managed/{}.json", policy.name), &group)
            })
            .collect();
        files.push(self.switch.document("auth-account/switch.json".into(), &group));
        files.push(Document {
            file: "auth-account/config-rules.json".into(),
            kind: PolicyKind::ConfigRules,
            target: inputs.auth_account.to_string(),
            text: pretty(&self.config_rules) + "\n",
        });
        files
    }

    /// The JSON files of the organization.
    fn control_policies(
        &self,
        inputs: &Inputs<'_>,
        organization: Organization<'_>,
    ) -> Vec<Document> {
        let sandbox = self.sandbox.iter().map(|policy| {
            let folder = match policy.kind {
                PolicyKind::ResourceControlPolicy => "rcp-sandbox",
                _ => "scp-sandbox",
            };
            policy
                .document(format!("organization/{folder}/{}.json", policy.name), organization.unit)
        });
        let auth = self.auth.iter().map(|policy| {
            let file = format!("organization/scp-auth-account/{}.json", policy.name);
            policy.document(file, inputs.auth_account.to_string())
        });
        let brake = self.brake.iter().map(|policy| {
            policy.document("organization/brake.json".into(), "an account over its budget")
        });
        sandbox.chain(auth).chain(brake).collect()
    }

    fn cloudformation(&self, inputs: &Inputs<'_>) -> Vec<Document> {
        let scope = self.scope(inputs);
        let auth = inputs.auth_account.to_string();
        let template = |file: &str, target: &str, text: String| Document {
            file: file.into(),
            kind: PolicyKind::StackTemplate,
            target: target.into(),
            text,
        };
        let dev_account = self.dev_account(inputs);
        let mut files = vec![template(
            "auth-account.yaml",
            &auth,
            scope.render(asset!("cloudformation/auth-account.yaml")),
        )];
        if let Some(organization) = inputs.organization {
            let scope = scope.clone().text("dev_account", &dev_account.text);
            let text = scope.render(asset!("cloudformation/organization.yaml"));
            files.push(template("organization.yaml", &organization.management.to_string(), text));
        }
        files.push(dev_account);
        files.push(template(
            "config-rules.yaml",
            &auth,
            scope.render(asset!("cloudformation/config-rules.yaml")),
        ));
        if let (Some(organization), Some(_)) = (inputs.organization, &self.brake) {
            for (i, accounts) in inputs.accounts.chunks(ACCOUNTS_PER_STACK).enumerate() {
                let quoted: Vec<String> = accounts.iter().map(|id| format!("\"{id}\"")).collect();
                let scope = scope.clone().text("accounts", quoted.join(", "));
                let text = scope.render(asset!("cloudformation/budgets.yaml"));
                let management = organization.management.to_string();
                files.push(template(&format!("budgets-{}.yaml", i + 1), &management, text));
            }
        }
        files
    }

    fn terraform(&self, inputs: &Inputs<'_>) -> Vec<Document> {
        let scope = self.scope(inputs);
        let module = |file: &str, target: String, text: String| Document {
            file: file.into(),
            kind: PolicyKind::TerraformModule,
            target,
            text,
        };
        let mut files = vec![module(
            "auth-account/main.tf",
            inputs.auth_account.to_string(),
            scope.render(asset!("terraform/auth-account.tf")),
        )];
        files.extend(self.auth_account(inputs));
        let mut dev_account = self.dev_account(inputs);
        if let Some(organization) = inputs.organization {
            let management = organization.management.to_string();
            let text = scope.render(asset!("terraform/organization.tf"));
            files.push(module("organization/main.tf", management.clone(), text));
            files.extend(self.control_policies(inputs, organization));
            dev_account.file.insert_str(0, "organization/");
            if self.brake.is_some() {
                files.push(Document {
                    file: "organization/accounts.json".into(),
                    kind: PolicyKind::Data,
                    target: management,
                    text: pretty(&json!(inputs.accounts)) + "\n",
                });
            }
        }
        files.push(dev_account);
        files
    }

    /// The template of one account's roles; with an organization a `StackSet` carries it to every account.
    fn dev_account(&self, inputs: &Inputs<'_>) -> Document {
        let (kind, target) = match inputs.organization {
            Some(organization) => (PolicyKind::StackSetTemplate, organization.unit),
            None => (PolicyKind::StackTemplate, "every dev account"),
        };
        Document {
            file: "dev-account.yaml".into(),
            kind,
            target: target.into(),
            text: self.scope(inputs).render(asset!("cloudformation/dev-account.yaml")),
        }
    }

    /// What every template may name.
    fn scope(&self, inputs: &Inputs<'_>) -> Scope {
        let managed =
            self.managed.iter().map(|policy| block(policy, logical_id(&policy.name), &policy.name));
        // Organizations takes one change at a time, so each policy waits for the one before.
        let mut before = None;
        let mut queue = |policy: &Policy, id: String, name: &str| {
            let after = before.replace(id.clone()).unwrap_or_default();
            block(policy, id, name).text("after", after)
        };
        let sandbox: Vec<Scope> = self
            .sandbox
            .iter()
            .map(|policy| queue(policy, logical_id(&policy.name), &policy.name))
            .collect();
        let auth: Vec<Scope> = self
            .auth
            .iter()
            .map(|policy| {
                let name = format!("auth-{}", policy.name);
                queue(policy, logical_id(&name), &name)
            })
            .collect();
        let brake: Vec<Scope> = self
            .brake
            .iter()
            .map(|policy| queue(policy, logical_id(&policy.name), &policy.name))
            .collect();
        let roles = inputs.roles.iter().zip(&self.trust).map(|(role, trust)| {
            Scope::default()
                .text("id", &role.id)
                .text("name", &role.name)
                .text("path", &role.path)
                .text("seconds", role.seconds.to_string())
                .text("document", pretty(&with_sub(policy(&trust.statements))))
        });
        let rules = self.config_rules.as_array().into_iter().flatten().map(|rule| {
            let name = rule["ConfigRuleName"].as_str().unwrap_or_default();
            Scope::default().text("id", logical_id(name)).text("properties", pretty(rule))
        });
        let organized = inputs.organization.is_some();
        names(inputs)
            .section("organized", only(organized))
            .section("alone", only(!organized))
            .text("switch", self.switch.text())
            .section("managed", managed.collect())
            .section("sandbox", sandbox)
            .section("auth", auth)
            .section("brake", brake)
            .section("roles", roles.collect())
            .section("rules", rules.collect())
    }
}

/// A section that is there or not.
fn only(wanted: bool) -> Vec<Scope> {
    if wanted { vec![Scope::default()] } else { Vec::new() }
}

/// A policy as a section of a template.
fn block(policy: &Policy, id: String, name: &str) -> Scope {
    let kind = match policy.kind {
        PolicyKind::ResourceControlPolicy => "RESOURCE_CONTROL_POLICY",
        _ => "SERVICE_CONTROL_POLICY",
    };
    Scope::default()
        .text("id", id)
        .text("name", name)
        .text("type", kind)
        .text("document", policy.text())
}

/// The ids that templates name.
fn names(inputs: &Inputs<'_>) -> Scope {
    let budget = inputs.guardrails.monthly_budget_usd;
    let organization = inputs.organization.map(|o| (o.id, o.unit, o.management.to_string()));
    let (id, unit, management) = organization.unwrap_or_default();
    Scope::default()
        .text("partition", inputs.partition.name())
        .text("auth_account", inputs.auth_account)
        .text("management", management)
        .text("organization", id)
        .text("unit", unit)
        .text("budget", budget.unwrap_or_default().to_string())
}

fn check_template(file: &Document) -> Result<(), Vec<Fault>> {
    let length = file.text.chars().count();
    match file.kind {
        PolicyKind::StackSetTemplate if Some(length) > file.kind.limit() => Err(vec![too_long(
            &file.file,
            length,
            "characters",
            file.kind.limit().unwrap_or_default(),
        )]),
        _ => Ok(()),
    }
}

/// Wraps what names the stack's account in `Fn::Sub`; IAM's own variables stay as they are.
fn with_sub(value: Value) -> Value {
    match value {
        Value::String(text) if text.contains(THIS_ACCOUNT) => json!({ "Fn::Sub": text }),
        Value::Array(items) => items.into_iter().map(with_sub).collect(),
        Value::Object(entries) => entries.into_iter().map(|(k, v)| (k, with_sub(v))).collect(),
        other => other,
    }
}

fn manifest(files: &[Document], inputs: &Inputs<'_>, format: Format) -> Document {
    let documents: Vec<Value> = files
        .iter()
        .map(|file| json!({ "file": file.file, "kind": file.kind, "target": file.target }))
        .collect();
    let manifest = json!({
        "version": 1,
        "format": format,
        "organization": inputs.organization.map(|organization| organization.id),
        "documents": documents,
        "left_out": inputs.left_out,
    });
    Document {
        file: "manifest.json".into(),
        kind: PolicyKind::Manifest,
        target: String::new(),
        text: pretty(&manifest) + "\n",
    }
}

fn readme(inputs: &Inputs<'_>, format: Format, language: Language) -> Document {
    let (how, why) = match language {
        Language::English => (asset!("README.md"), asset!("WHY.md")),
        Language::Japanese => (asset!("README.ja.md"), asset!("WHY.ja.md")),
    };
    let grants = |role: &SwitchRole| {
        let policy = if role.read_only { "ReadOnlyAccess" } else { "AdministratorAccess" };
        inputs.iam_arn("aws", &format!("policy/{policy}"))
    };
    let parameters: Vec<String> =
        inputs.roles.iter().map(|role| format!("{}Policies={}", role.id, grants(role))).collect();
    let variables: Vec<String> = inputs
        .roles
        .iter()
        .map(|role| format!("{}Policies=[\"{}\"]", role.id, grants(role)))
        .collect();
    let roles = inputs.roles.iter().map(|role| {
        let accounts: Vec<String> =
            role.accounts.iter().take(ACCOUNTS_NAMED).map(ToString::to_string).collect();
        let more = if role.accounts.len() > ACCOUNTS_NAMED { " …" } else { "" };
        Scope::default()
            .text("name", &role.name)
            .text("path", &role.path)
            .text("seconds", role.seconds.to_string())
            .text("tag", role.tag())
            .text("grants", grants(role))
            .text("accounts", accounts.join(" ") + more)
    });
    let roles: Vec<Scope> = roles.collect();
    let left_out = inputs.left_out.iter().map(|left| {
        let [what, why] = left.in_language(language);
        Scope::default().text("what", what).text("why", why)
    });
    let organized = inputs.organization.is_some();
    // A section's scope replaces the outer sections, so the roles are handed down.
    let with_roles = |wanted: bool| {
        let scope = Scope::default().section("roles", roles.clone());
        if wanted { vec![scope] } else { Vec::new() }
    };
    let is = |wanted: Format| format == wanted;
    let (budget, by_role) = (inputs.guardrails.monthly_budget_usd.is_some(), roles.clone());
    let scope = names(inputs)
        .text("format", format.name())
        .text("role_parameters", parameters.join(" "))
        .text("role_variables", format!("{{{}}}", variables.join(", ")))
        .text("why", why)
        .section("left_out", left_out.collect())
        .section("by_role", by_role)
        .section("organized", only(organized))
        .section("alone", only(!organized))
        .section("budget", only(organized && budget && !is(Format::Json)))
        .section("json", with_roles(is(Format::Json)))
        .section("json_organized", only(is(Format::Json) && organized))
        .section("cloudformation", only(is(Format::CloudFormation) && organized))
        .section("cloudformation_alone", only(is(Format::CloudFormation) && !organized))
        .section("terraform", only(is(Format::Terraform) && organized))
        .section("terraform_alone", only(is(Format::Terraform) && !organized));
    Document {
        file: "README.md".into(),
        kind: PolicyKind::Readme,
        target: String::new(),
        text: scope.render(how),
    }
}
