//! From checked inputs to files: the policies first, then the form that was asked for around them.

use serde_json::{Value, json};

use super::input::{Inputs, SwitchRole};
use super::size::{length, policy, split};
use super::template::{Scope, Statement, Values};
use super::{Document, Documents, Format, Kind};
use crate::domain::config::Config;
use crate::domain::fault::{Exit, Fault};

/// A template of `assets/policies/`.
macro_rules! asset {
    ($file:literal) => {
        include_str!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/assets/policies/",
            $file
        ))
    };
}

/// CloudFormation's word for the account that a stack is in.
const THIS_ACCOUNT: &str = "${AWS::AccountId}";
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
    Ok(Documents {
        files,
        left_out: inputs.left_out,
    })
}

/// One policy, within its limit.
struct Policy {
    name: String,
    kind: Kind,
    statements: Vec<Statement>,
}

impl Policy {
    fn text(&self) -> String {
        pretty(&policy(&self.statements))
    }

    fn document(&self, file: String, target: impl Into<String>) -> Document {
        Document {
            file,
            kind: self.kind,
            target: target.into(),
            text: self.text() + "\n",
        }
    }

    /// What a template's section needs of it.
    fn scope(&self) -> Scope {
        let kind = match self.kind {
            Kind::ResourceControlPolicy => "RESOURCE_CONTROL_POLICY",
            _ => "SERVICE_CONTROL_POLICY",
        };
        Scope::default()
            .text("id", logical_id(&self.name))
            .text("name", &self.name)
            .text("type", kind)
            .text("document", self.text())
    }
}

/// Every policy, whatever the form.
struct Policies {
    managed: Vec<Policy>,
    switch: Policy,
    auth: Vec<Policy>,
    sandbox: Vec<Policy>,
    brake: Option<Policy>,
    /// Trust policies as CloudFormation writes them, in the order of the inputs' roles.
    trust: Vec<Policy>,
    config_rules: Value,
}

impl Policies {
    fn of(inputs: &Inputs<'_>) -> Result<Self, Vec<Fault>> {
        let values = values(inputs);
        let users = values.statements(asset!("auth-account/users.json"));
        let foundation = values.statements(asset!("organization/scp-foundation.json"));

        let mut auth: Vec<Statement> = users.clone();
        auth.extend(values.statements(asset!("auth-account/scp.json")));
        let every_user = inputs.iam_arn("*", "user/*");
        for statement in &mut auth {
            bind_to(statement, &every_user);
        }
        auth.extend(foundation.clone());

        let mut places = Vec::new();
        if !inputs.guardrails.regions.is_empty() {
            places.extend(values.statements(asset!("organization/scp-regions.json")));
        }
        places.extend(values.statements(asset!("organization/scp-detectors.json")));
        let mut spending = Vec::new();
        if !inputs.guardrails.instance_types.is_empty() {
            spending.extend(values.statements(asset!("organization/scp-instances.json")));
        }
        spending.extend(values.statements(asset!("organization/scp-commitments.json")));
        let mut identity = foundation;
        identity.extend(values.statements(asset!("organization/scp-identity.json")));
        let rcp = values.statements(asset!("organization/rcp.json"));
        let self_service = values.statements(asset!("auth-account/self-service.json"));

        let scp = Kind::ServiceControlPolicy;
        let mut faults = Vec::new();
        let mut fit = |name: &str, kind, statements| fitted(name, kind, statements, &mut faults);
        let managed = [
            fit("users", Kind::ManagedPolicy, users),
            fit("self-service", Kind::ManagedPolicy, self_service),
        ]
        .into_iter()
        .flatten()
        .collect();
        let sandbox = [
            fit("identity", scp, identity),
            fit("places", scp, places),
            fit("spending", scp, spending),
            fit("entrance", Kind::ResourceControlPolicy, rcp),
        ]
        .into_iter()
        .flatten()
        .collect();
        let auth = fit("users", scp, auth);
        let brake = inputs.guardrails.monthly_budget_usd.map(|_| {
            let statements = values.statements(asset!("organization/scp-brake.json"));
            whole("brake", scp, statements)
        });
        let switch = values.statements(asset!("auth-account/switch.json"));
        let switch = whole("switch", Kind::GroupPolicy, switch);
        let trust: Vec<Policy> = inputs
            .roles
            .iter()
            .map(|role| trust(role, &values, THIS_ACCOUNT))
            .collect();
        let alone = trust.iter().chain([&switch]).chain(&brake);
        faults.extend(alone.filter_map(|policy| over(policy, policy.kind.limit()?)));
        if !faults.is_empty() {
            return Err(faults);
        }
        Ok(Self {
            managed,
            switch,
            auth,
            sandbox,
            brake,
            trust,
            config_rules: values.json(asset!("auth-account/config-rules.json")),
        })
    }

    fn json(&self, inputs: &Inputs<'_>) -> Vec<Document> {
        let mut files = self.auth_account(inputs);
        files.extend(self.control_policies(inputs));
        let values = values(inputs);
        for role in &inputs.roles {
            for account in &role.accounts {
                let policy = trust(role, &values, &account.to_string());
                let file = format!("dev-account/{account}/{}.trust.json", role.name);
                let arn = inputs.iam_arn(
                    &account.to_string(),
                    &format!("role{}{}", role.path, role.name),
                );
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
        files.push(
            self.switch
                .document("auth-account/switch.json".into(), &group),
        );
        files.push(Document {
            file: "auth-account/config-rules.json".into(),
            kind: Kind::ConfigRules,
            target: inputs.auth_account.to_string(),
            text: pretty(&self.config_rules) + "\n",
        });
        files
    }

    /// The JSON files of the organisation.
    fn control_policies(&self, inputs: &Inputs<'_>) -> Vec<Document> {
        let sandbox = self.sandbox.iter().map(|policy| {
            let folder = match policy.kind {
                Kind::ResourceControlPolicy => "rcp-sandbox",
                _ => "scp-sandbox",
            };
            policy.document(
                format!("organization/{folder}/{}.json", policy.name),
                inputs.unit,
            )
        });
        let auth = self.auth.iter().map(|policy| {
            let file = format!("organization/scp-auth-account/{}.json", policy.name);
            policy.document(file, inputs.auth_account.to_string())
        });
        let brake = self.brake.iter().map(|policy| {
            policy.document(
                "organization/brake.json".into(),
                "an account over its budget",
            )
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
            kind: Kind::StackTemplate,
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
                files.push(template(
                    &format!("budgets-{}.yaml", i + 1),
                    &management,
                    text,
                ));
            }
        }
        files
    }

    fn terraform(&self, inputs: &Inputs<'_>) -> Vec<Document> {
        let scope = self.scope(inputs);
        let module = |file: &str, target: String, text: String| Document {
            file: file.into(),
            kind: Kind::TerraformModule,
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
                kind: Kind::Data,
                target: inputs.management.to_string(),
                text: pretty(&json!(inputs.accounts)) + "\n",
            });
        }
        files
    }

    /// The template that the StackSet carries to every account.
    fn dev_account(&self, inputs: &Inputs<'_>) -> Document {
        Document {
            file: "dev-account.yaml".into(),
            kind: Kind::StackSetTemplate,
            target: inputs.unit.into(),
            text: self
                .scope(inputs)
                .render(asset!("cloudformation/dev-account.yaml")),
        }
    }

    /// What every template may name.
    fn scope(&self, inputs: &Inputs<'_>) -> Scope {
        let scopes = |policies: &[Policy]| policies.iter().map(Policy::scope).collect::<Vec<_>>();
        let roles = inputs.roles.iter().zip(&self.trust).map(|(role, trust)| {
            let document = pretty(&with_sub(policy(&trust.statements)));
            Scope::default()
                .text("id", role_id(role))
                .text("name", &role.name)
                .text("path", &role.path)
                .text("seconds", role.seconds)
                .text("document", document)
        });
        let rules = self
            .config_rules
            .as_array()
            .into_iter()
            .flatten()
            .map(|rule| {
                let name = rule["ConfigRuleName"].as_str().unwrap_or_default();
                Scope::default()
                    .text("id", logical_id(name))
                    .text("properties", pretty(rule))
            });
        names(inputs)
            .text("switch", self.switch.text())
            .section("managed", scopes(&self.managed))
            .section("sandbox", scopes(&self.sandbox))
            .section(
                "auth",
                self.auth
                    .iter()
                    .map(|p| {
                        p.scope()
                            .text("id", format!("Auth{}", logical_id(&p.name)))
                            .text("name", format!("auth-{}", p.name))
                    })
                    .collect(),
            )
            .section("brake", self.brake.iter().map(Policy::scope).collect())
            .section("roles", roles.collect())
            .section("rules", rules.collect())
    }
}

/// The ids that templates name.
fn names(inputs: &Inputs<'_>) -> Scope {
    Scope::default()
        .text("partition", inputs.partition.name())
        .text("auth_account", inputs.auth_account)
        .text("management", inputs.management)
        .text("organization", inputs.organization)
        .text("unit", inputs.unit)
        .text(
            "budget",
            inputs.guardrails.monthly_budget_usd.unwrap_or_default(),
        )
}

fn values(inputs: &Inputs<'_>) -> Values {
    let switch_roles: Vec<String> = inputs
        .roles
        .iter()
        .map(|role| inputs.iam_arn("*", &format!("role{}{}", role.path, role.name)))
        .collect();
    let mut session_actions: Vec<&str> = inputs
        .roles
        .iter()
        .flat_map(|role| role.session_actions.clone())
        .collect();
    session_actions.sort_unstable();
    session_actions.dedup();
    let key_age_days = (inputs.guardrails.max_key_age.as_secs() / 86_400).max(1);
    Values::default()
        .one("partition", inputs.partition.name())
        .one("auth_account", inputs.auth_account)
        .one("organization", inputs.organization)
        .one("session_seconds", inputs.session_seconds)
        .one("key_age_days", key_age_days)
        .many("switch_roles", &switch_roles)
        .many("session_actions", &session_actions)
        .many("exempt_roles", &inputs.exempt_roles)
        .many("regions", &inputs.guardrails.regions)
        .many("instance_types", &inputs.guardrails.instance_types)
        .many("trusted_accounts", &inputs.guardrails.trusted_accounts)
        .many("web_issuers", &inputs.web_issuers)
        .many("saml_issuers", &inputs.saml_issuers)
}

/// A role's trust policy in an account.
fn trust(role: &SwitchRole, values: &Values, account: &str) -> Policy {
    let external_id: Vec<&String> = role.external_id.iter().collect();
    let values = values
        .clone()
        .one("account", account)
        .many("external_id", &external_id)
        .many("session_actions", &role.session_actions);
    whole(
        &role.name,
        Kind::TrustPolicy,
        values.statements(asset!("dev-account/trust.json")),
    )
}

fn whole(name: &str, kind: Kind, statements: Vec<Statement>) -> Policy {
    Policy {
        name: name.into(),
        kind,
        statements,
    }
}

/// One policy where the statements fit, several with numbers where they do not.
fn fitted(
    name: &str,
    kind: Kind,
    statements: Vec<Statement>,
    faults: &mut Vec<Fault>,
) -> Vec<Policy> {
    match split(statements, kind.limit().unwrap_or(usize::MAX)) {
        Ok(parts) if parts.len() == 1 => parts
            .into_iter()
            .map(|part| whole(name, kind, part))
            .collect(),
        Ok(parts) => (1..)
            .zip(parts)
            .map(|(i, part)| whole(&format!("{name}-{i}"), kind, part))
            .collect(),
        Err(long) => {
            faults.push(too_long(
                &format!("the statement {}", long.sid),
                long.length,
                long.limit,
            ));
            Vec::new()
        }
    }
}

fn over(policy: &Policy, limit: usize) -> Option<Fault> {
    let length = length(&policy.statements);
    (length > limit).then(|| too_long(&format!("the policy {}", policy.name), length, limit))
}

fn too_long(what: &str, length: usize, limit: usize) -> Fault {
    Fault::new(Exit::Usage, format!("{what} has {length} characters, and AWS takes {limit}"))
        .because("a list of the config stands in it whole: roles, `exempt_roles`, `regions`, `instance_types` or trusted parties of `guardrails`")
        .fix("shorten the list with patterns, e.g. one path for all exempt roles")
}

fn check_template(file: &Document) -> Result<(), Vec<Fault>> {
    let length = file.text.chars().count();
    match file.kind {
        Kind::StackSetTemplate if Some(length) > file.kind.limit() => Err(vec![too_long(
            &file.file,
            length,
            file.kind.limit().unwrap_or_default(),
        )]),
        _ => Ok(()),
    }
}

/// Narrows a statement to callers whose ARN is like `arn`.
fn bind_to(statement: &mut Statement, arn: &str) {
    let condition = statement.entry("Condition").or_insert_with(|| json!({}));
    condition["ArnLike"] = json!({ "aws:PrincipalArn": arn });
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
        kind: Kind::Manifest,
        target: String::new(),
        text: pretty(&manifest) + "\n",
    }
}

fn readme(inputs: &Inputs<'_>, format: Format) -> Document {
    let grants = |role: &SwitchRole| {
        let policy = if role.read_only {
            "ReadOnlyAccess"
        } else {
            "AdministratorAccess"
        };
        inputs.iam_arn("aws", &format!("policy/{policy}"))
    };
    let parameters: Vec<String> = inputs
        .roles
        .iter()
        .map(|role| format!("{}Policies={}", role_id(role), grants(role)))
        .collect();
    let variables: Vec<String> = inputs
        .roles
        .iter()
        .map(|role| format!("{}Policies=[\"{}\"]", role_id(role), grants(role)))
        .collect();
    let own: Vec<String> = inputs
        .accounts
        .iter()
        .take(19)
        .map(ToString::to_string)
        .collect();
    let budgets = inputs.guardrails.monthly_budget_usd.map_or("", |_| {
        ", and `budgets-1.yaml` and its further numbers in the management account, with `--capabilities CAPABILITY_AUTO_EXPAND --parameter-overrides NotifyEmail=…`"
    });
    let left_out = inputs.left_out.iter().map(|left| {
        Scope::default()
            .text("what", &left.what)
            .text("why", &left.why)
    });
    let only = |wanted: Format| {
        if format == wanted {
            vec![Scope::default()]
        } else {
            Vec::new()
        }
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
        kind: Kind::Readme,
        target: String::new(),
        text: scope.render(asset!("README.md")),
    }
}

/// `ops-Admin` → `OpsAdmin`: CloudFormation's names have letters and digits only.
fn logical_id(name: &str) -> String {
    let mut id = String::new();
    let mut upper = true;
    for c in name.chars() {
        if !c.is_ascii_alphanumeric() {
            upper = true;
        } else if std::mem::take(&mut upper) {
            id.push(c.to_ascii_uppercase());
        } else {
            id.push(c);
        }
    }
    id
}

fn role_id(role: &SwitchRole) -> String {
    format!("Role{}", logical_id(&role.name))
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}
