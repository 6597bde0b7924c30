//! What IAM reports about a whole account: the credential report, and who has which policies.

use base64::prelude::{BASE64_STANDARD, Engine};
use jiff::Timestamp;

use super::caller::Caller;
use super::encoding::{element, nest, percent_encode};
use super::error::AwsError;
use super::iam::{FOUNDED, page, seconds};
use super::organization::{AccessKey, KeyStatus, Organization, Policy};
use super::state::State;
use super::wire::Fields;

/// The columns of a credential report.
const COLUMNS: &str = "user,arn,user_creation_time,password_enabled,password_last_used,password_last_changed,\
    password_next_rotation,mfa_active,access_key_1_active,access_key_1_last_rotated,access_key_1_last_used_date,\
    access_key_1_last_used_region,access_key_1_last_used_service,access_key_2_active,access_key_2_last_rotated,\
    access_key_2_last_used_date,access_key_2_last_used_region,access_key_2_last_used_service,cert_1_active,\
    cert_1_last_rotated,cert_2_active,cert_2_last_rotated";

impl State {
    pub(super) fn generate_credential_report(
        &mut self,
        caller: &Caller,
    ) -> Result<String, AwsError> {
        self.may(caller, "iam:GenerateCredentialReport", "*")?;
        let (now, waits) = (self.now(), self.organization.quirks.report_waits);
        let state = match &mut self.credential_report {
            Some((_, 0)) => "COMPLETE",
            Some((_, left)) => {
                *left -= 1;
                "INPROGRESS"
            }
            none => {
                *none = Some((now, waits));
                "STARTED"
            }
        };
        Ok(element("State", state))
    }

    pub(super) fn get_credential_report(&mut self, caller: &Caller) -> Result<String, AwsError> {
        self.may(caller, "iam:GetCredentialReport", "*")?;
        let made = match self.credential_report {
            Some((made, 0)) => made,
            Some(_) => {
                let text = "Report is still being generated";
                return Err(AwsError::new(404, "ReportInProgress", text));
            }
            None => {
                let text = "No report is present. Please, call GenerateCredentialReport first.";
                return Err(AwsError::new(410, "ReportNotPresent", text));
            }
        };
        let organization = &self.organization;
        let account = caller.account(organization);
        let root = format!(
            "<root_account>,arn:{}:iam::{account}:root,{FOUNDED},not_supported,no_information,not_supported,\
             not_supported,{},{},false,N/A,false,N/A",
            organization.partition,
            organization.root_mfa,
            key_columns(&organization.root_keys),
        );
        let users = organization.users_of(&account).iter().map(|user| {
            let arn = format!("arn:{}:iam::{account}:user/{}", organization.partition, user.name);
            let signed_in = user.password.map(|password| password.last_used.map(seconds));
            let used = match &signed_in {
                None => "N/A",
                Some(None) => "no_information",
                Some(Some(at)) => at,
            };
            format!(
                "{},{arn},{FOUNDED},{},{used},{},N/A,{},{},false,N/A,false,N/A",
                user.name,
                user.password.is_some(),
                if user.password.is_some() { FOUNDED } else { "N/A" },
                !user.devices.is_empty(),
                key_columns(&user.keys),
            )
        });
        let lines: Vec<String> = [COLUMNS.to_owned(), root].into_iter().chain(users).collect();
        Ok(element("Content", BASE64_STANDARD.encode(lines.join("\n")))
            + &element("ReportFormat", "text/csv")
            + &element("GeneratedTime", seconds(made)))
    }

    pub(super) fn authorization_details(
        &mut self,
        fields: &Fields,
        caller: &Caller,
    ) -> Result<String, AwsError> {
        self.may(caller, "iam:GetAccountAuthorizationDetails", "*")?;
        let organization = &self.organization;
        let account = caller.account(organization);
        let wanted: Vec<&str> = fields.list("Filter", "").collect();
        let asked = |kind: &str| wanted.is_empty() || wanted.contains(&kind);
        let mut entries: Vec<(&str, String)> = Vec::new();
        // Groups, like users, are the auth account's.
        if account == organization.auth {
            let (users, groups) = (&organization.users, &organization.groups);
            if asked("User") {
                entries.extend(users.iter().map(|user| {
                    let of = groups.iter().filter(|group| group.members.contains(&user.name));
                    let of: String = of.map(|group| element("member", &group.name)).collect();
                    let user = element("UserName", &user.name) + &nest("GroupList", &of);
                    ("UserDetailList", nest("member", &user))
                }));
            }
            if asked("Group") {
                entries.extend(groups.iter().map(|group| {
                    let attached: String = managed(&group.policies)
                        .map(|(arn, _)| {
                            let name = element("PolicyName", policy_name(arn));
                            nest("member", &(name + &element("PolicyArn", arn)))
                        })
                        .collect();
                    let inline = group.policies.iter().filter(|policy| policy.arn.is_none());
                    let inline: String = (1..)
                        .zip(inline)
                        .map(|(number, policy)| {
                            let document = percent_encode(policy.document.source());
                            let name = element("PolicyName", format!("inline-{number}"));
                            nest("member", &(name + &element("PolicyDocument", document)))
                        })
                        .collect();
                    let group = element("GroupName", &group.name)
                        + &nest("GroupPolicyList", &inline)
                        + &nest("AttachedManagedPolicies", &attached);
                    ("GroupDetailList", nest("member", &group))
                }));
            }
            if asked("LocalManagedPolicy") {
                entries.extend(organization.local_policies().into_iter().map(|(arn, policy)| {
                    let document = percent_encode(policy.document.source());
                    let version = element("Document", document)
                        + &element("VersionId", "v1")
                        + &element("IsDefaultVersion", true);
                    let policy = element("PolicyName", policy_name(arn))
                        + &element("Arn", arn)
                        + &element("DefaultVersionId", "v1")
                        + &nest("PolicyVersionList", &nest("member", &version));
                    ("Policies", nest("member", &policy))
                }));
            }
        }
        let (page, marker) = page(&entries, fields.get("Marker"), fields.get("MaxItems"), 100);
        let list = |name: &str| {
            let of = page.iter().filter(|(list, _)| *list == name);
            nest(name, &of.map(|(_, entry)| entry.as_str()).collect::<String>())
        };
        Ok(["UserDetailList", "GroupDetailList", "Policies"].map(list).concat()
            + &element("IsTruncated", marker.is_some())
            + &marker.map_or_else(String::new, |marker| element("Marker", marker)))
    }
}

impl Organization {
    /// The customer managed policies of the auth account, each once.
    fn local_policies(&self) -> Vec<(&str, &Policy)> {
        let of_users = self.users.iter().map(|user| &user.policies);
        let of_groups = self.groups.iter().map(|group| &group.policies);
        let mut all: Vec<(&str, &Policy)> = of_users
            .chain(of_groups)
            .flat_map(|policies| managed(policies))
            .filter(|(arn, _)| !arn.contains(":iam::aws:"))
            .collect();
        all.sort_by_key(|(arn, _)| *arn);
        all.dedup_by_key(|(arn, _)| *arn);
        all
    }
}

/// Those of the policies that have an ARN.
fn managed(policies: &[Policy]) -> impl Iterator<Item = (&str, &Policy)> {
    policies.iter().filter_map(|policy| Some((policy.arn.as_deref()?, policy)))
}

fn policy_name(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or_default()
}

/// The ten columns about two keys.
fn key_columns(keys: &[AccessKey]) -> String {
    let columns = (0..2).map(|at| match keys.get(at) {
        None => "false,N/A,N/A,N/A,N/A".to_owned(),
        Some(key) => {
            let used = key.last_used.as_ref();
            let at = |used: Timestamp| seconds(used);
            format!(
                "{},{},{},{},{}",
                key.status == KeyStatus::Active,
                seconds(key.created),
                used.map_or_else(|| "N/A".to_owned(), |used| at(used.at)),
                used.map_or("N/A", |used| &used.region),
                used.map_or("N/A", |used| &used.service),
            )
        }
    });
    columns.collect::<Vec<_>>().join(",")
}
