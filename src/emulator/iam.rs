//! Identity and Access Management, API version 2010-05-08: what a key's owner and an auditor call.

use jiff::Timestamp;

use super::caller::Caller;
use super::encoding::{element, nest, percent_encode};
use super::error::AwsError;
use super::organization::{AccessKey, KeyStatus, Role};
use super::pattern::Keys;
use super::rules::{Grant, RequestedAction};
use super::state::{BASE64, Holder, KEY_ID, State, random, unique_id};
use super::wire::{Fields, Inbound};

impl State {
    pub(super) fn iam(&mut self, inbound: &Inbound, caller: &Caller) -> Result<String, AwsError> {
        let fields = &inbound.fields;
        match inbound.action.as_str() {
            "GetUser" => self.get_user(fields, caller),
            "ListUsers" => self.list_users(caller),
            "ListMFADevices" => self.list_mfa_devices(fields, caller),
            "ListAccessKeys" => self.list_access_keys(fields, caller),
            "GetAccessKeyLastUsed" => self.get_access_key_last_used(fields, caller),
            "CreateAccessKey" => self.create_access_key(fields, caller),
            "UpdateAccessKey" => self.update_access_key(fields, caller),
            "DeleteAccessKey" => self.delete_access_key(fields, caller),
            "GetRole" => self.get_role(fields, caller),
            "ListRoles" => self.list_roles(fields, caller),
            "GetAccountSummary" => self.get_account_summary(caller),
            "GenerateCredentialReport" => self.generate_credential_report(caller),
            "GetCredentialReport" => self.get_credential_report(caller),
            "GetAccountAuthorizationDetails" => self.authorization_details(fields, caller),
            _ => Err(AwsError::unknown_action(inbound)),
        }
    }

    pub(super) fn may(
        &mut self,
        caller: &Caller,
        action: &str,
        resource: &str,
    ) -> Result<(), AwsError> {
        let (grant, keys) = (Grant::Identity, Keys::new());
        self.authorise(
            caller,
            &RequestedAction { action, resource, grant, keys, code_passed: false },
        )
    }

    /// The user a request is about: the named one, else the caller; and whether the caller may.
    fn subject(
        &mut self,
        fields: &Fields,
        caller: &Caller,
        action: &str,
    ) -> Result<String, AwsError> {
        let name = match (fields.get("UserName"), &caller.holder) {
            (Some(name), _) => name.to_owned(),
            (None, Holder::User(name)) => name.clone(),
            (None, _) => {
                let text = "Must specify userName when calling with non-User credentials";
                return Err(AwsError::new(400, "ValidationError", text));
            }
        };
        // The users live in the auth account; a role elsewhere sees its own account's: none.
        let account = caller.account(&self.organization);
        let arn = format!("arn:{}:iam::{account}:user/{name}", self.organization.partition);
        self.may(caller, action, &arn)?;
        let found =
            self.organization.find_user(&name).filter(|_| account == self.organization.auth);
        found.ok_or_else(|| missing("user", "name", &name))?;
        Ok(name)
    }

    fn get_user(&mut self, fields: &Fields, caller: &Caller) -> Result<String, AwsError> {
        let name = self.subject(fields, caller, "iam:GetUser")?;
        Ok(user_element("User", &name, &self.organization.user_arn(&name)))
    }

    fn list_users(&mut self, caller: &Caller) -> Result<String, AwsError> {
        let account = caller.account(&self.organization);
        let all = format!("arn:{}:iam::{account}:user/", self.organization.partition);
        self.may(caller, "iam:ListUsers", &all)?;
        let users = self.organization.users_of(&account).iter();
        let arn = |name: &str| format!("{all}{name}");
        let members: String =
            users.map(|user| user_element("member", &user.name, &arn(&user.name))).collect();
        Ok(nest("Users", &members) + &element("IsTruncated", false))
    }

    fn list_mfa_devices(&mut self, fields: &Fields, caller: &Caller) -> Result<String, AwsError> {
        let name = self.subject(fields, caller, "iam:ListMFADevices")?;
        let devices = self.organization.find_user(&name).map_or(&[][..], |user| &user.devices);
        let members: String = devices
            .iter()
            .map(|device| {
                nest(
                    "member",
                    &(element("UserName", &name)
                        + &element("SerialNumber", device.serial())
                        + &element("EnableDate", FOUNDED)),
                )
            })
            .collect();
        Ok(nest("MFADevices", &members) + &element("IsTruncated", false))
    }

    fn list_access_keys(&mut self, fields: &Fields, caller: &Caller) -> Result<String, AwsError> {
        let action = "iam:ListAccessKeys";
        let account = caller.account(&self.organization);
        let name = match fields.get("UserName") {
            Some(name) if account != self.organization.auth => {
                let arn = format!("arn:{}:iam::{account}:user/{name}", self.organization.partition);
                self.may(caller, action, &arn)?;
                name.to_owned()
            }
            _ => self.subject(fields, caller, action)?,
        };
        let mut users = self.organization.users_of(&account).iter();
        let user = users.find(|user| user.name == name);
        let keys = &user.ok_or_else(|| missing("user", "name", &name))?.keys;
        let members: String =
            keys.iter().map(|key| nest("member", &key_elements(&name, key))).collect();
        Ok(nest("AccessKeyMetadata", &members) + &element("IsTruncated", false))
    }

    fn get_access_key_last_used(
        &mut self,
        fields: &Fields,
        caller: &Caller,
    ) -> Result<String, AwsError> {
        let id = fields.get("AccessKeyId").unwrap_or_default();
        let account = caller.account(&self.organization);
        let users = self.organization.users_of(&account).iter();
        let found = users
            .flat_map(|user| user.keys.iter().map(move |key| (user.name.clone(), key)))
            .find(|(_, key)| key.id == id)
            .map(|(owner, key)| (owner, key.clone()));
        let owner = found.as_ref().map_or("", |(owner, _)| owner);
        let arn = format!("arn:{}:iam::{account}:user/{owner}", self.organization.partition);
        self.may(caller, "iam:GetAccessKeyLastUsed", &arn)?;
        let (owner, key) = found.ok_or_else(|| missing("Access Key", "id", id))?;
        let used = match &key.last_used {
            Some(used) => {
                element("LastUsedDate", seconds(used.at))
                    + &element("ServiceName", &used.service)
                    + &element("Region", &used.region)
            }
            None => element("ServiceName", "N/A") + &element("Region", "N/A"),
        };
        Ok(element("UserName", &owner) + &nest("AccessKeyLastUsed", &used))
    }

    fn create_access_key(&mut self, fields: &Fields, caller: &Caller) -> Result<String, AwsError> {
        let name = self.subject(fields, caller, "iam:CreateAccessKey")?;
        let now = self.now();
        let mut key = AccessKey::new(&random("AKIA", KEY_ID, 16)?, &random("", BASE64, 40)?);
        key.created = now;
        let Some(user) = self.organization.user(&name).filter(|user| user.keys.len() < 2) else {
            let text = "Cannot exceed quota for AccessKeysPerUser: 2";
            return Err(AwsError::new(409, "LimitExceeded", text));
        };
        let body = key_elements(&name, &key) + &element("SecretAccessKey", &key.secret);
        user.keys.push(key);
        Ok(nest("AccessKey", &body))
    }

    fn update_access_key(&mut self, fields: &Fields, caller: &Caller) -> Result<String, AwsError> {
        let name = self.subject(fields, caller, "iam:UpdateAccessKey")?;
        let status = match fields.get("Status") {
            Some("Active") => KeyStatus::Active,
            Some("Inactive") => KeyStatus::Inactive,
            other => {
                let text = format!(
                    "1 validation error detected: Value '{}' at 'status' failed to satisfy constraint: \
                     Member must satisfy enum value set: [Active, Inactive]",
                    other.unwrap_or_default()
                );
                return Err(AwsError::new(400, "ValidationError", text));
            }
        };
        self.key(&name, fields.get("AccessKeyId").unwrap_or_default())?.status = status;
        Ok(String::new())
    }

    fn delete_access_key(&mut self, fields: &Fields, caller: &Caller) -> Result<String, AwsError> {
        let name = self.subject(fields, caller, "iam:DeleteAccessKey")?;
        let id = fields.get("AccessKeyId").unwrap_or_default();
        self.key(&name, id)?;
        if let Some(user) = self.organization.user(&name) {
            user.keys.retain(|key| key.id != id);
        }
        Ok(String::new())
    }

    fn key(&mut self, user: &str, id: &str) -> Result<&mut AccessKey, AwsError> {
        let keys = self.organization.user(user).into_iter().flat_map(|user| &mut user.keys);
        keys.into_iter().find(|key| key.id == id).ok_or_else(|| missing("Access Key", "id", id))
    }

    fn get_role(&mut self, fields: &Fields, caller: &Caller) -> Result<String, AwsError> {
        let name = fields.get("RoleName").unwrap_or_default();
        let account = caller.account(&self.organization);
        let role = self.organization.role(&account, name).cloned();
        let arn = match &role {
            Some(role) => self.organization.role_arn(role),
            None => format!("arn:{}:iam::{account}:role/{name}", self.organization.partition),
        };
        self.may(caller, "iam:GetRole", &arn)?;
        let role = role.ok_or_else(|| missing("role", "name", name))?;
        Ok(nest("Role", &role_elements(&role, &arn)))
    }

    fn list_roles(&mut self, fields: &Fields, caller: &Caller) -> Result<String, AwsError> {
        let account = caller.account(&self.organization);
        let prefix = fields.get("PathPrefix").unwrap_or("/");
        let arn = format!("arn:{}:iam::{account}:role{prefix}", self.organization.partition);
        self.may(caller, "iam:ListRoles", &arn)?;
        let roles: Vec<&Role> = self
            .organization
            .roles
            .iter()
            .filter(|role| role.account == account && role.path.starts_with(prefix))
            .collect();
        let (page, marker) = page(&roles, fields.get("Marker"), fields.get("MaxItems"), 100);
        let members: String = page
            .iter()
            .map(|role| nest("member", &role_elements(role, &self.organization.role_arn(role))))
            .collect();
        Ok(nest("Roles", &members)
            + &element("IsTruncated", marker.is_some())
            + &marker.map_or_else(String::new, |marker| element("Marker", marker)))
    }

    fn get_account_summary(&mut self, caller: &Caller) -> Result<String, AwsError> {
        self.may(caller, "iam:GetAccountSummary", "*")?;
        let organization = &self.organization;
        let account = caller.account(organization);
        let users = organization.users.iter().filter(|_| account == organization.auth);
        let count = |entry: &str, value: usize| {
            nest("entry", &(element("key", entry) + &element("value", value)))
        };
        let map = count("Users", users.clone().count())
            + &count("MFADevicesInUse", users.map(|user| user.devices.len()).sum())
            + &count(
                "Roles",
                organization.roles.iter().filter(|role| role.account == account).count(),
            )
            + &count("AccountMFAEnabled", 1)
            + &count("AccountAccessKeysPresent", organization.root_keys.len().min(1))
            + &count("AccessKeysPerUserQuota", 2);
        Ok(nest("SummaryMap", &map))
    }
}

fn user_element(outer: &str, name: &str, arn: &str) -> String {
    nest(
        outer,
        &(element("Path", "/")
            + &element("UserName", name)
            + &element("UserId", unique_id("AIDA", arn))
            + &element("Arn", arn)
            + &element("CreateDate", FOUNDED)),
    )
}

/// When everything that has no date of its own was made.
pub(super) const FOUNDED: &str = "2026-01-05T09:00:00Z";

fn missing(what: &str, by: &str, value: &str) -> AwsError {
    AwsError::new(404, "NoSuchEntity", format!("The {what} with {by} {value} cannot be found."))
}

pub(super) fn seconds(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn key_elements(user: &str, key: &AccessKey) -> String {
    let status = match key.status {
        KeyStatus::Active => "Active",
        KeyStatus::Inactive => "Inactive",
    };
    element("UserName", user)
        + &element("AccessKeyId", &key.id)
        + &element("Status", status)
        + &element("CreateDate", seconds(key.created))
}

fn role_elements(role: &Role, arn: &str) -> String {
    element("Path", &role.path)
        + &element("RoleName", &role.name)
        + &element("RoleId", unique_id("AROA", arn))
        + &element("Arn", arn)
        + &element("CreateDate", FOUNDED)
        + &element("AssumeRolePolicyDocument", percent_encode(role.trust.source()))
        + &element("MaxSessionDuration", role.max_session)
}

/// One page of a list, and the token of the next: the index it begins at.
pub(super) fn page<'a, T>(
    all: &'a [T],
    token: Option<&str>,
    limit: Option<&str>,
    most: usize,
) -> (&'a [T], Option<usize>) {
    let start = token.and_then(|token| token.parse().ok()).unwrap_or(0).min(all.len());
    let limit = limit.and_then(|limit| limit.parse().ok()).unwrap_or(most).clamp(1, 1000);
    let end = (start + limit).min(all.len());
    (&all[start..end], (end < all.len()).then_some(end))
}
