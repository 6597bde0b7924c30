//! From checked inputs to files: the policies first, then the form that was asked for around them.

use serde_json::{Value, json};

use super::input::Inputs;
use super::policies::{Policies, Policy, THIS_ACCOUNT, pretty, too_long, trust, values};
use super::roles::{SwitchRole, logical_id};
use super::size::policy;
use super::template::Scope;
use super::{Document, Documents, Format, PolicyKind};
use crate::domain::config::Config;
use crate::domain::fault::Fault;

/// The most accounts of one budgets stack: two resources each, and AWS takes 500.
const ACCOUNTS_PER_STACK: usize = 200;

/// Renders the guardrails of a config. Every fault names the config's key.
pub fn render(config: &Config, format: Format) -> Result<Documents, Vec<Fault>> {
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
    files.push(readme(&inputs, format));
    Ok(Documents { files, left_out: inputs.left_out })
}

impl Policies {
    fn json(&self, inputs: &Inputs<'_>) -> Vec<Document> {
        let mut files = self.auth_account(inputs);
        files.extend(self.control_policies(inputs));
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

    /// The JSON files of the organisation.
    fn control_policies(&self, inputs: &Inputs<'_>) -> Vec<Document> {
        let sandbox = self.sandbox.iter().map(|policy| {
            let folder = match policy.kind {
                PolicyKind::ResourceControlPolicy => "rcp-sandbox",
                _ => "scp-sandbox",
            };
            policy.document(format!("organization/{folder}/{}.json", policy.name), inputs.unit)
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
        let management = inputs.management.to_string();
        let dev_account = self.dev_account(inputs);
        let organization = scope.clone().text("dev_account", &dev_account.text);
        let template = |file: &str, target: &str, text: String| Document {
            file: file.into(),
            kind: PolicyKind::StackTemplate,
            target: target.into(),
            text,
        };
        let mut files = vec![
            template(
                "auth-account.yaml",
                &auth,
                scope.render(asset!("cloudformation/auth-account.yaml")),
            ),
            template(
                "organization.yaml",
                &management,
                organization.render(asset!("cloudformation/organization.yaml")),
            ),
            dev_account,
            template(
                "config-rules.yaml",
                &auth,
                scope.render(asset!("cloudformation/config-rules.yaml")),
            ),
        ];
        if self.brake.is_some() {
            for (i, accounts) in inputs.accounts.chunks(ACCOUNTS_PER_STACK).enumerate() {
                let quoted: Vec<String> = accounts.iter().map(|id| format!("\"{id}\"")).collect();
                let scope = scope.clone().text("accounts", quoted.join(", "));
                let text = scope.render(asset!("cloudformation/budgets.yaml"));
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
        files.push(module(
            "organization/main.tf",
            inputs.management.to_string(),
            scope.render(asset!("terraform/organization.tf")),
        ));
        files.extend(self.control_policies(inputs));
        let mut dev_account = self.dev_account(inputs);
        dev_account.file.insert_str(0, "organization/");
        files.push(dev_account);
        if self.brake.is_some() {
            files.push(Document {
                file: "organization/accounts.json".into(),
                kind: PolicyKind::Data,
                target: inputs.management.to_string(),
                text: pretty(&json!(inputs.accounts)) + "\n",
            });
        }
        files
    }

    /// The template that the `StackSet` carries to every account.
    fn dev_account(&self, inputs: &Inputs<'_>) -> Document {
        Document {
            file: "dev-account.yaml".into(),
            kind: PolicyKind::StackSetTemplate,
            target: inputs.unit.into(),
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
        names(inputs)
            .text("switch", self.switch.text())
            .section("managed", managed.collect())
            .section("sandbox", sandbox)
            .section("auth", auth)
            .section("brake", brake)
            .section("roles", roles.collect())
            .section("rules", rules.collect())
    }
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
    Scope::default()
        .text("partition", inputs.partition.name())
        .text("auth_account", inputs.auth_account)
        .text("management", inputs.management)
        .text("organization", inputs.organization)
        .text("unit", inputs.unit)
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
        "organization": inputs.organization,
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

fn readme(inputs: &Inputs<'_>, format: Format) -> Document {
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
    let own: Vec<String> = inputs.accounts.iter().take(19).map(ToString::to_string).collect();
    let budgets = inputs.guardrails.monthly_budget_usd.map_or("", |_| {
        ", and `budgets-1.yaml` and its further numbers in the management account, with `--capabilities CAPABILITY_AUTO_EXPAND --parameter-overrides NotifyEmail=…`"
    });
    let left_out = inputs
        .left_out
        .iter()
        .map(|left| Scope::default().text("what", &left.what).text("why", &left.why));
    let only = |wanted: Format| {
        if format == wanted { vec![Scope::default()] } else { Vec::new() }
    };
    let scope = names(inputs)
        .text("format", format.name())
        .text("user", inputs.user.as_deref().unwrap_or("USER"))
        .text("own_accounts", own.join(" "))
        .text("role_parameters", parameters.join(" "))
        .text("role_variables", format!("{{{}}}", variables.join(", ")))
        .text("budgets_step", budgets)
        .text("why", asset!("WHY.md"))
        .section("left_out", left_out.collect())
        .section("json", only(Format::Json))
        .section("cloudformation", only(Format::CloudFormation))
        .section("terraform", only(Format::Terraform));
    Document {
        file: "README.md".into(),
        kind: PolicyKind::Readme,
        target: String::new(),
        text: scope.render(asset!("README.md")),
    }
}
