//! What the emulated organization consists of: plain data that tests may change while it runs.

use std::time::Duration;

use jiff::Timestamp;

use super::policy::{Document, Malformed};

/// An organization: one auth account with users, and the accounts they may enter.
#[derive(Debug, Clone)]
pub struct Organization {
    /// `aws`, `aws-cn`, `aws-us-gov`, …
    pub partition: String,
    /// `o-…`
    pub id: String,
    /// The account that owns the organization.
    pub management: String,
    /// The account with the IAM users; it may also list the organization (delegated administrator).
    pub auth: String,
    /// Every account, the auth account and the management account included.
    pub accounts: Vec<Account>,
    /// The IAM users of the auth account.
    pub users: Vec<User>,
    /// The IAM groups of the auth account.
    pub groups: Vec<Group>,
    /// Access keys of the auth account's root user.
    pub root_keys: Vec<AccessKey>,
    /// Whether the auth account's root user has an MFA device.
    pub root_mfa: bool,
    /// Control policies with a name, attached to accounts, units or the root. They bind as an account's own do.
    pub control_policies: Vec<ControlPolicy>,
    /// The roles of all accounts.
    pub roles: Vec<Role>,
    /// The ARN of whoever is signed in to the console in the browser that comes here: a user, root, or a role's session.
    pub console: Option<String>,
    /// How AWS behaves where it differs.
    pub quirks: AwsQuirks,
}

/// Behaviour of AWS that differs between services, regions or years.
#[derive(Debug, Clone)]
pub struct AwsQuirks {
    /// How far a signature's time may lie from the clock: 5 or 15 min.
    pub skew: Duration,
    /// How long a new access key is not known yet.
    pub key_propagation: Duration,
    /// Which policies see that `AssumeRole` carried a code.
    pub direct_mfa: DirectMfa,
    /// Whether the keys of a console sign-in carry the MFA that was passed there.
    pub login_mfa: LoginMfa,
    /// What becomes of a refresh token that was used before.
    pub refresh_reuse: RefreshReuse,
    /// How often `GenerateCredentialReport` answers that it is not done yet.
    pub report_waits: u32,
}

/// Whether the keys of a console sign-in carry the MFA that was passed there. AWS does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginMfa {
    /// `aws:MultiFactorAuthPresent` is false.
    Absent,
    /// It is true.
    Carried,
}

/// What becomes of a refresh token that was used before: AWS's model and its documentation differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefreshReuse {
    /// It gets the same answer again.
    Replayed,
    /// It is refused.
    Refused,
}

/// Who sees `aws:MultiFactorAuthPresent` where `AssumeRole` itself carries the code.
///
/// AWS documents only the trust policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DirectMfa {
    /// All policies: a deny-without-MFA guard lets the direct flow pass.
    Everywhere,
    /// The role's side only: such a guard refuses the direct flow.
    RoleOnly,
}

/// An account of the organization.
#[derive(Debug, Clone)]
pub struct Account {
    /// 12 digits.
    pub id: String,
    /// What Organizations calls it.
    pub name: String,
    /// Names of the organizational units from the root down; none is the root itself.
    pub units: Vec<String>,
    /// Tags that Organizations lists.
    pub tags: Vec<(String, String)>,
    /// Whether it is in use.
    pub status: AccountStatus,
    /// Regions where STS is switched off.
    pub sts_off: Vec<String>,
    /// Service control policies; only their denies count, as with `FullAWSAccess` attached beside them.
    pub scps: Vec<Policy>,
    /// Resource control policies; only their denies count.
    pub rcps: Vec<Policy>,
    /// IAM users of an account other than the auth account. They can be listed; their keys sign nothing here.
    pub users: Vec<User>,
}

/// An account's state as Organizations lists it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountStatus {
    /// Accounts that can be entered.
    Active,
    /// Closed, and kept for 90 days.
    Suspended,
}

/// An IAM user of the auth account.
#[derive(Debug, Clone)]
pub struct User {
    /// The IAM name.
    pub name: String,
    /// Long-term keys, at most two.
    pub keys: Vec<AccessKey>,
    /// MFA devices, at most eight.
    pub devices: Vec<EmulatedDevice>,
    /// Identity policies, inline and attached.
    pub policies: Vec<Policy>,
    /// IAM tags, seen as `aws:PrincipalTag/…`.
    pub tags: Vec<(String, String)>,
    /// The password of the console, where there is one. Nobody can sign in with it here.
    pub password: Option<Password>,
}

/// A password of the console.
#[derive(Debug, Clone, Copy)]
pub struct Password {
    /// When it was last used, UTC.
    pub last_used: Option<Timestamp>,
}

/// An IAM group of the auth account.
#[derive(Debug, Clone)]
pub struct Group {
    /// The IAM name.
    pub name: String,
    /// The users in it, by name.
    pub members: Vec<String>,
    /// Policies, inline (without an ARN) and attached.
    pub policies: Vec<Policy>,
}

/// A control policy of the organization.
#[derive(Debug, Clone)]
pub struct ControlPolicy {
    /// `p-…`
    pub id: String,
    /// Its name.
    pub name: String,
    /// What it controls.
    pub kind: ControlKind,
    /// What it says; only its denies count.
    pub policy: Policy,
    /// The ids of the accounts, units and roots that it is attached to.
    pub targets: Vec<String>,
}

/// What a control policy controls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ControlKind {
    /// What an account's own principals may do.
    Service,
    /// What may be done to an account's resources.
    Resource,
}

/// A long-term access key.
#[derive(Debug, Clone)]
pub struct AccessKey {
    /// `AKIA…`
    pub id: String,
    /// The secret that signs; it opens nothing real.
    pub secret: String,
    /// Whether requests may be signed with it.
    pub status: KeyStatus,
    /// When it was made, UTC.
    pub created: Timestamp,
    /// The last request it signed.
    pub last_used: Option<LastUsed>,
}

/// What `iam:UpdateAccessKey` sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyStatus {
    /// Requests signed with it are accepted.
    Active,
    /// Refused like a key that does not exist.
    Inactive,
}

/// What `iam:GetAccessKeyLastUsed` answers.
#[derive(Debug, Clone)]
pub struct LastUsed {
    /// When it was used, UTC.
    pub at: Timestamp,
    /// The service that was called.
    pub service: String,
    /// The region of the signature.
    pub region: String,
}

/// An MFA device of a user.
#[derive(Debug, Clone)]
pub enum EmulatedDevice {
    /// Makes codes of six digits (RFC 6238, SHA-1, 30 s).
    Totp {
        /// `arn:aws:iam::ID:mfa/NAME`, or a hardware serial.
        serial: String,
        /// The shared secret, raw: the 160 bits that RFC 4226 recommends.
        seed: [u8; 20],
    },
    /// A security key or passkey: console only.
    Fido {
        /// `arn:aws:iam::ID:u2f/user/NAME/…`
        serial: String,
    },
}

/// A policy and, where it is a managed one, its ARN: denials name it.
#[derive(Debug, Clone)]
pub struct Policy {
    /// None for inline policies.
    pub arn: Option<String>,
    /// Its statements.
    pub document: Document,
}

/// A role in one of the accounts.
#[derive(Debug, Clone)]
pub struct Role {
    /// The account that it is in.
    pub account: String,
    /// `/` or `/a/b/`.
    pub path: String,
    /// The IAM name.
    pub name: String,
    /// Who may assume it.
    pub trust: Document,
    /// `MaxSessionDuration`, seconds: 3600 to 43200.
    pub max_session: u32,
    /// What its sessions may do.
    pub policies: Vec<Policy>,
}

impl Organization {
    /// An organization with an auth account, a management account and nothing else.
    pub fn new(auth: &str, management: &str) -> Self {
        Self {
            partition: "aws".into(),
            id: "o-sekisho42x".into(),
            management: management.into(),
            auth: auth.into(),
            accounts: vec![Account::new(management, "management"), Account::new(auth, "auth")],
            users: Vec::new(),
            groups: Vec::new(),
            root_keys: Vec::new(),
            root_mfa: true,
            control_policies: Vec::new(),
            roles: Vec::new(),
            console: None,
            quirks: AwsQuirks {
                skew: Duration::from_mins(15),
                key_propagation: Duration::ZERO,
                direct_mfa: DirectMfa::Everywhere,
                login_mfa: LoginMfa::Absent,
                refresh_reuse: RefreshReuse::Replayed,
                report_waits: 0,
            },
        }
    }

    /// The user with this name.
    pub fn user(&mut self, name: &str) -> Option<&mut User> {
        self.users.iter_mut().find(|user| user.name == name)
    }

    /// The role with this name in an account.
    pub fn role(&mut self, account: &str, name: &str) -> Option<&mut Role> {
        self.roles.iter_mut().find(|role| role.account == account && role.name == name)
    }

    /// The account with this id.
    pub fn account(&mut self, id: &str) -> Option<&mut Account> {
        self.accounts.iter_mut().find(|account| account.id == id)
    }

    pub(super) fn user_arn(&self, name: &str) -> String {
        format!("arn:{}:iam::{}:user/{name}", self.partition, self.auth)
    }

    pub(super) fn role_arn(&self, role: &Role) -> String {
        format!("arn:{}:iam::{}:role{}{}", self.partition, role.account, role.path, role.name)
    }

    pub(super) fn keys_mut(&mut self) -> impl Iterator<Item = &mut AccessKey> {
        let users = self.users.iter_mut().flat_map(|user| &mut user.keys);
        self.root_keys.iter_mut().chain(users)
    }

    pub(super) fn find_user(&self, name: &str) -> Option<&User> {
        self.users.iter().find(|user| user.name == name)
    }

    /// The IAM users of an account.
    pub(super) fn users_of(&self, account: &str) -> &[User] {
        if account == self.auth {
            return &self.users;
        }
        self.find_account(account).map_or(&[], |account| &account.users)
    }

    pub(super) fn find_account(&self, id: &str) -> Option<&Account> {
        self.accounts.iter().find(|account| account.id == id)
    }

    pub(super) fn find_role(&self, arn: &str) -> Option<&Role> {
        self.roles.iter().find(|role| self.role_arn(role) == arn)
    }
}

impl Account {
    /// An active account in the root.
    pub fn new(id: &str, name: &str) -> Self {
        Self {
            id: id.into(),
            name: name.into(),
            units: Vec::new(),
            tags: Vec::new(),
            status: AccountStatus::Active,
            sts_off: Vec::new(),
            scps: Vec::new(),
            rcps: Vec::new(),
            users: Vec::new(),
        }
    }
}

impl User {
    /// A user without keys, devices or policies.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            keys: Vec::new(),
            devices: Vec::new(),
            policies: Vec::new(),
            tags: Vec::new(),
            password: None,
        }
    }
}

impl AccessKey {
    /// An active key, some months old.
    pub fn new(id: &str, secret: &str) -> Self {
        Self {
            id: id.into(),
            secret: secret.into(),
            status: KeyStatus::Active,
            created: Timestamp::now() - Duration::from_hours(24 * 40),
            last_used: None,
        }
    }
}

impl EmulatedDevice {
    /// What STS takes as `SerialNumber`.
    pub fn serial(&self) -> &str {
        match self {
            Self::Totp { serial, .. } | Self::Fido { serial } => serial,
        }
    }
}

impl Role {
    /// A role without permissions, one hour at most, in the path `/`.
    pub fn new(account: &str, name: &str, trust: Document) -> Self {
        Self {
            account: account.into(),
            path: "/".into(),
            name: name.into(),
            trust,
            max_session: 3600,
            policies: Vec::new(),
        }
    }
}

impl Policy {
    /// An inline policy from its JSON text.
    ///
    /// # Errors
    /// The text is no policy document.
    pub fn inline(json: &str) -> Result<Self, Malformed> {
        Ok(Self { arn: None, document: Document::parse(json)? })
    }

    /// A managed policy from its ARN and JSON text.
    ///
    /// # Errors
    /// The text is no policy document.
    pub fn managed(arn: &str, json: &str) -> Result<Self, Malformed> {
        Ok(Self { arn: Some(arn.into()), document: Document::parse(json)? })
    }

    /// The AWS managed policy of an ARN, shortened to what can be called here; `None` for others.
    pub fn aws(arn: &str) -> Option<Self> {
        let text = match arn.rsplit_once("policy/")?.1 {
            "AdministratorAccess" => ADMINISTRATOR,
            "ReadOnlyAccess" => READ_ONLY,
            "AWSCompromisedKeyQuarantineV3" => QUARANTINE,
            _ => return None,
        };
        Self::managed(arn, text).ok()
    }
}

const ADMINISTRATOR: &str =
    r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;

const READ_ONLY: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Resource":"*","Action":[
    "ec2:Describe*","iam:Get*","iam:List*","organizations:Describe*","organizations:List*","s3:List*"]}}"#;

const QUARANTINE: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Resource":"*","Action":[
    "sts:GetSessionToken","sts:GetFederationToken","iam:CreateAccessKey","iam:ListUsers",
    "iam:UpdateAccessKey","ec2:RunInstances","s3:ListAllMyBuckets"]}}"#;
