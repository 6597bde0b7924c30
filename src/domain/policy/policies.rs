//! What the policies say: the templates filled, and each within AWS's limits.

use serde_json::{Value, json};

use super::input::Inputs;
use super::roles::SwitchRole;
use super::size::{length, policy, split};
use super::template::{Statement, Values};
use super::{Document, PolicyKind};
use crate::domain::fault::{Exit, Fault};

/// CloudFormation's word for the account that a stack is in.
pub(super) const THIS_ACCOUNT: &str = "${AWS::AccountId}";
/// The most managed policies that AWS attaches to a group, unless it is asked for more.
const MANAGED_PER_GROUP: usize = 10;
/// The most service control policies that AWS attaches to one target beside its own `FullAWSAccess`.
const SCPS_PER_TARGET: usize = 9;
/// The same for resource control policies.
const RCPS_PER_TARGET: usize = 4;

/// One policy, within its limit.
pub(super) struct Policy {
    pub(super) name: String,
    pub(super) kind: PolicyKind,
    pub(super) statements: Vec<Statement>,
}

impl Policy {
    /// Its JSON.
    pub(super) fn text(&self) -> String {
        pretty(&policy(&self.statements))
    }

    /// Its own file.
    pub(super) fn document(&self, file: String, target: impl Into<String>) -> Document {
        Document { file, kind: self.kind, target: target.into(), text: self.text() + "\n" }
    }
}

/// Every policy, whatever the form.
pub(super) struct Policies {
    /// The group's managed policies.
    pub(super) managed: Vec<Policy>,
    /// The group's inline policy.
    pub(super) switch: Policy,
    /// What binds the auth account.
    pub(super) auth: Vec<Policy>,
    /// What binds the sandbox accounts: service control policies, then resource control policies.
    pub(super) sandbox: Vec<Policy>,
    /// What a budget's action attaches; only with a budget.
    pub(super) brake: Option<Policy>,
    /// Trust policies as CloudFormation writes them, in the order of the inputs' roles.
    pub(super) trust: Vec<Policy>,
    /// AWS Config's rules for the auth account.
    pub(super) config_rules: Value,
}

impl Policies {
    /// Fills every template; the faults are lists too long for AWS.
    pub(super) fn of(inputs: &Inputs<'_>) -> Result<Self, Vec<Fault>> {
        let values = values(inputs);
        let mut users = values.statements(asset!("auth-account/users.json"));
        if inputs.organization.is_some() {
            users.extend(values.statements(asset!("auth-account/organization-only.json")));
        }
        let self_service = values.statements(asset!("auth-account/self-service.json"));
        let switch = values.statements(asset!("auth-account/switch.json"));
        let switch = whole("switch", PolicyKind::GroupPolicy, switch);
        let trust: Vec<Policy> =
            inputs.roles.iter().map(|role| trust(role, &values, THIS_ACCOUNT)).collect();
        let brake = inputs.organization.and(inputs.guardrails.monthly_budget_usd).map(|_| {
            let statements = values.statements(asset!("organization/scp-brake.json"));
            whole("brake", PolicyKind::ServiceControlPolicy, statements)
        });

        let mut faults = Vec::new();
        let alone = trust.iter().chain([&switch]).chain(&brake);
        faults.extend(alone.filter_map(|policy| over(policy, policy.kind.limit()?)));
        let mut fit = |kind, policies: Vec<(&str, Vec<Statement>)>, most| {
            let fitted = policies
                .into_iter()
                .flat_map(|(name, statements)| fitted(name, kind, statements, &mut faults))
                .collect::<Vec<_>>();
            if fitted.len() > most {
                faults.push(too_long("the policies of one target", fitted.len(), "policies", most));
            }
            fitted
        };
        let (mut auth, mut sandbox) = (Vec::new(), Vec::new());
        if inputs.organization.is_some() {
            let bound = vec![("users", auth_account(inputs, &values, &users))];
            auth = fit(PolicyKind::ServiceControlPolicy, bound, SCPS_PER_TARGET);
            let scps = sandbox_scps(inputs, &values);
            sandbox = fit(PolicyKind::ServiceControlPolicy, scps, SCPS_PER_TARGET);
            let rcps = vec![("entrance", sandbox_rcp(inputs, &values))];
            sandbox.extend(fit(PolicyKind::ResourceControlPolicy, rcps, RCPS_PER_TARGET));
        }
        let own = vec![("users", users), ("self-service", self_service)];
        let managed = fit(PolicyKind::ManagedPolicy, own, MANAGED_PER_GROUP);
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
}

/// What binds the auth account: the users' own denials once more, for users outside the group as well, and what no
/// user may touch there. Roles of the account are not bound.
fn auth_account(inputs: &Inputs<'_>, values: &Values, users: &[Statement]) -> Vec<Statement> {
    let mut statements = users.to_vec();
    statements.extend(values.statements(asset!("auth-account/scp.json")));
    let mut shared = values.statements(asset!("organization/scp-doors.json"));
    shared.extend(values.statements(asset!("organization/scp-detectors.json")));
    for statement in &mut shared {
        // The exemption of the sandbox accounts' roles: here the users are named instead.
        statement.remove("Condition");
    }
    statements.extend(shared);
    let every_user = inputs.iam_arn("*", "user/*");
    for statement in &mut statements {
        bind_to(statement, &every_user);
    }
    statements.extend(values.statements(asset!("organization/scp-foundation.json")));
    statements
}

/// The service control policies of the sandbox accounts, by name.
fn sandbox_scps(inputs: &Inputs<'_>, values: &Values) -> Vec<(&'static str, Vec<Statement>)> {
    let guardrails = &inputs.guardrails;
    let mut identity = values.statements(asset!("organization/scp-foundation.json"));
    identity.extend(values.statements(asset!("organization/scp-users.json")));
    identity.extend(values.statements(asset!("organization/scp-identity.json")));
    identity.extend(values.statements(asset!("organization/scp-doors.json")));
    let mut places = values.statements(asset!("organization/scp-detectors.json"));
    if !guardrails.regions.is_empty() {
        places.extend(values.statements(asset!("organization/scp-regions.json")));
    }
    let mut spending = values.statements(asset!("organization/scp-commitments.json"));
    if !guardrails.allowed_models.is_empty() {
        spending.extend(values.statements(asset!("organization/scp-models.json")));
        if guardrails.allowed_products.is_empty() {
            spending.extend(values.statements(asset!("organization/scp-model-agreements.json")));
        }
    }
    if !guardrails.instance_types.is_empty() {
        spending.extend(values.statements(asset!("organization/scp-instances.json")));
    }
    vec![("identity", identity), ("places", places), ("spending", spending)]
}

/// The sandbox accounts' resource control policy. Federation is limited only where its issuers are listed: an empty
/// list means that nobody said, not that nobody is trusted.
fn sandbox_rcp(inputs: &Inputs<'_>, values: &Values) -> Vec<Statement> {
    let mut statements = values.statements(asset!("organization/rcp.json"));
    if !inputs.web_issuers.is_empty() {
        statements.extend(values.statements(asset!("organization/rcp-web-identity.json")));
    }
    if !inputs.saml_issuers.is_empty() {
        statements.extend(values.statements(asset!("organization/rcp-saml.json")));
    }
    statements
}

/// What the policy templates name.
pub(super) fn values(inputs: &Inputs<'_>) -> Values {
    // With an organization its id binds the account; without one the accounts are named.
    let switch_roles: Vec<String> = inputs
        .roles
        .iter()
        .flat_map(|role| {
            let resource = format!("role{}{}", role.path, role.name);
            match inputs.organization {
                Some(_) => vec![inputs.iam_arn("*", &resource)],
                None => role
                    .accounts
                    .iter()
                    .map(|account| inputs.iam_arn(&account.to_string(), &resource))
                    .collect(),
            }
        })
        .collect();
    let mut session_actions: Vec<&str> =
        inputs.roles.iter().flat_map(|role| role.session_actions.clone()).collect();
    session_actions.sort_unstable();
    session_actions.dedup();
    let key_age_days = (inputs.guardrails.max_key_age.as_secs() / 86_400).max(1);
    let smtp_actions: &[&str] =
        if inputs.guardrails.allow_ses_smtp { &["ses:SendEmail", "ses:SendRawEmail"] } else { &[] };
    Values::default()
        .one("partition", inputs.partition.name())
        .one("auth_account", inputs.auth_account)
        .maybe("organization", inputs.organization.map(|o| o.id.to_owned()))
        .one("session_seconds", inputs.session_seconds.to_string())
        .one("key_age_days", key_age_days.to_string())
        .many("switch_roles", &switch_roles)
        .many("session_actions", &session_actions)
        .many("exempt_roles", &inputs.exempt_roles)
        .many("regions", &inputs.guardrails.regions)
        .many("instance_types", &inputs.guardrails.instance_types)
        .many("trusted_accounts", &inputs.guardrails.trusted_accounts)
        .many("smtp_actions", smtp_actions)
        .many("allowed_models", &inputs.guardrails.allowed_models)
        .many("allowed_products", &inputs.guardrails.allowed_products)
        .many("web_issuers", &inputs.web_issuers)
        .many("saml_issuers", &inputs.saml_issuers)
}

/// A role's trust policy in an account.
pub(super) fn trust(role: &SwitchRole, values: &Values, account: &str) -> Policy {
    let external_id: Vec<&String> = role.external_id.iter().collect();
    let values = values
        .clone()
        .one("account", account)
        .one("role_tag", role.tag())
        .many("external_id", &external_id)
        .many("session_actions", &role.session_actions);
    whole(&role.name, PolicyKind::TrustPolicy, values.statements(asset!("dev-account/trust.json")))
}

fn whole(name: &str, kind: PolicyKind, statements: Vec<Statement>) -> Policy {
    Policy { name: name.into(), kind, statements }
}

/// One policy where the statements fit, several with numbers where they do not.
fn fitted(
    name: &str,
    kind: PolicyKind,
    statements: Vec<Statement>,
    faults: &mut Vec<Fault>,
) -> Vec<Policy> {
    match split(statements, kind.limit().unwrap_or(usize::MAX)) {
        Ok(parts) if parts.len() == 1 => {
            parts.into_iter().map(|part| whole(name, kind, part)).collect()
        }
        Ok(parts) => {
            (1..).zip(parts).map(|(i, part)| whole(&format!("{name}-{i}"), kind, part)).collect()
        }
        Err(long) => {
            faults.push(too_long(
                &format!("the statement {}", long.sid),
                long.length,
                "characters",
                long.limit,
            ));
            Vec::new()
        }
    }
}

fn over(policy: &Policy, limit: usize) -> Option<Fault> {
    let length = length(&policy.statements);
    (length > limit)
        .then(|| too_long(&format!("the policy {}", policy.name), length, "characters", limit))
}

/// A fault about something over AWS's limit, counted in `unit`.
pub(super) fn too_long(what: &str, size: usize, unit: &str, limit: usize) -> Fault {
    Fault::new(
        Exit::Usage,
        format!("{what}: {size} {unit}, and AWS takes {limit}"),
    )
    .because("it contains a list from the config: the roles of `accounts`, or `exempt_roles`, `regions`, `instance_types` or trusted parties of `guardrails`")
    .fix("shorten the list with patterns, e.g. one path for all exempt roles")
}

/// Narrows a statement to callers whose ARN is like `arn`.
fn bind_to(statement: &mut Statement, arn: &str) {
    let condition = statement.entry("Condition").or_insert_with(|| json!({}));
    condition["ArnLike"] = json!({ "aws:PrincipalArn": arn });
}

/// JSON as people read it.
pub(super) fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}
