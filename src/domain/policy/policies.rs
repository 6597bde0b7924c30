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
        let guardrails = inputs.guardrails;
        let foundation = values.statements(asset!("organization/scp-foundation.json"));
        let users = values.statements(asset!("auth-account/users.json"));

        // What the users' own policy denies, for users outside the group as well.
        let mut auth = users.clone();
        auth.extend(values.statements(asset!("auth-account/scp.json")));
        let every_user = inputs.iam_arn("*", "user/*");
        for statement in &mut auth {
            bind_to(statement, &every_user);
        }
        auth.extend(foundation.clone());

        let mut identity = foundation;
        identity.extend(values.statements(asset!("organization/scp-identity.json")));
        let mut places = values.statements(asset!("organization/scp-detectors.json"));
        if !guardrails.regions.is_empty() {
            places.extend(values.statements(asset!("organization/scp-regions.json")));
        }
        let mut spending = values.statements(asset!("organization/scp-commitments.json"));
        if !guardrails.instance_types.is_empty() {
            spending.extend(values.statements(asset!("organization/scp-instances.json")));
        }
        let entrance = values.statements(asset!("organization/rcp.json"));
        let self_service = values.statements(asset!("auth-account/self-service.json"));
        let brake = guardrails.monthly_budget_usd.map(|_| {
            let statements = values.statements(asset!("organization/scp-brake.json"));
            whole("brake", PolicyKind::ServiceControlPolicy, statements)
        });
        let switch = values.statements(asset!("auth-account/switch.json"));
        let switch = whole("switch", PolicyKind::GroupPolicy, switch);
        let roles = inputs.roles.iter();
        let trust: Vec<Policy> = roles.map(|role| trust(role, &values, THIS_ACCOUNT)).collect();

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
        let own = vec![("users", users), ("self-service", self_service)];
        let managed = fit(PolicyKind::ManagedPolicy, own, MANAGED_PER_GROUP);
        let auth = fit(PolicyKind::ServiceControlPolicy, vec![("users", auth)], SCPS_PER_TARGET);
        let scps = vec![("identity", identity), ("places", places), ("spending", spending)];
        let mut sandbox = fit(PolicyKind::ServiceControlPolicy, scps, SCPS_PER_TARGET);
        let rcps = vec![("entrance", entrance)];
        sandbox.extend(fit(PolicyKind::ResourceControlPolicy, rcps, RCPS_PER_TARGET));
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

/// What the policy templates name.
pub(super) fn values(inputs: &Inputs<'_>) -> Values {
    let switch_roles: Vec<String> = inputs
        .roles
        .iter()
        .map(|role| inputs.iam_arn("*", &format!("role{}{}", role.path, role.name)))
        .collect();
    let mut session_actions: Vec<&str> =
        inputs.roles.iter().flat_map(|role| role.session_actions.clone()).collect();
    session_actions.sort_unstable();
    session_actions.dedup();
    let key_age_days = (inputs.guardrails.max_key_age.as_secs() / 86_400).max(1);
    Values::default()
        .one("partition", inputs.partition.name())
        .one("auth_account", inputs.auth_account)
        .one("organization", inputs.organization)
        .one("session_seconds", inputs.session_seconds.to_string())
        .one("key_age_days", key_age_days.to_string())
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
pub(super) fn trust(role: &SwitchRole, values: &Values, account: &str) -> Policy {
    let external_id: Vec<&String> = role.external_id.iter().collect();
    let values = values
        .clone()
        .one("account", account)
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
    .because("a list of the config stands in it: the roles of `accounts`, or `exempt_roles`, `regions`, `instance_types` or trusted parties of `guardrails`")
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
