//! IAM: a user's own access keys and devices, an account's users, groups and roles.
//!
//! Creating is never retried: a first try whose answer was lost may have created a key, and IAM allows only two.
//!
//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_Operations.html>

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use base64::prelude::{BASE64_STANDARD, Engine};
use jiff::Timestamp;
use percent_encoding::percent_decode_str;
use roxmltree::{Document, Node};

use crate::domain::account::Target;
use crate::domain::ids::{AccessKeyId, UserName};
use crate::domain::policy::drift::AttachedPolicy;
use crate::domain::rotation::KeyAtAws;
use crate::domain::rotation::StoredKey;
use crate::domain::secret::{AccessKey, Credentials, Secret};
use crate::domain::text::sanitize;

use super::request::Request;
use super::{Aws, Failure, Signer};

/// How many roles are listed at a time: a trust policy has up to 4,096 characters, and IAM escapes most of them.
const ROLES_PER_PAGE: &str = "60";
/// The same for an account's policies: each has up to five versions of 6,144 characters.
const POLICIES_PER_PAGE: &str = "50";

/// Where and when a key was last used, according to IAM, which lags by up to half an hour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastUse {
    /// The time of the call, UTC.
    pub at: Timestamp,
    /// The service called, e.g. `sts`.
    pub service: String,
    /// The region of the call.
    pub region: String,
}

/// The groups of an account with their policies, and which users are in which.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccountPolicies {
    /// Each group's policies, inline and the account's own managed ones.
    pub groups: Vec<(String, Vec<AttachedPolicy>)>,
    /// Each user's groups.
    pub users: Vec<(String, Vec<String>)>,
}

/// One page of them.
#[derive(Default)]
struct PoliciesPage {
    users: Vec<(String, Vec<String>)>,
    /// A group's name, its inline policies, the ARNs of those attached to it.
    groups: Vec<(String, Vec<AttachedPolicy>, Vec<String>)>,
    /// The account's managed policies by ARN, in their default version.
    managed: Vec<(String, AttachedPolicy)>,
    marker: Option<String>,
}

/// A request to IAM, before it is signed.
pub(super) fn query(action: &str, fields: &[(&str, &str)]) -> Request<'static> {
    Request::query("iam", "2010-05-08", action, fields)
}

impl Aws {
    /// `iam:ListAccessKeys` for the signer's own user.
    pub async fn access_keys(&self, signer: Signer<'_>) -> Result<Vec<KeyAtAws>, Failure> {
        self.list_access_keys(signer, None).await
    }

    /// `iam:ListUsers`: the names of all IAM users of the signer's account.
    pub async fn user_names(&self, signer: Signer<'_>) -> Result<Vec<String>, Failure> {
        let name = |user: Node<'_, '_>| text(user, "UserName").map(ToOwned::to_owned);
        self.pages(signer, "ListUsers", "1000", "Users", name).await
    }

    /// `iam:ListAccessKeys` for a named user, or for the signer's own.
    pub async fn list_access_keys(
        &self,
        signer: Signer<'_>,
        user: Option<&str>,
    ) -> Result<Vec<KeyAtAws>, Failure> {
        let user: Vec<_> = user.map(|name| ("UserName", name)).into_iter().collect();
        self.ask(signer, "ListAccessKeys", &user, |result| {
            let keys = members(result, "AccessKeyMetadata").map(|key| {
                Some(KeyAtAws {
                    id: text(key, "AccessKeyId")?.parse().ok()?,
                    active: text(key, "Status") == Some("Active"),
                    created: time(key, "CreateDate")?,
                })
            });
            keys.collect()
        })
        .await
    }

    /// `iam:ListMFADevices` for the key's own user: all serials, also of security keys.
    pub async fn mfa_devices(
        &self,
        signer: Signer<'_>,
        user: &UserName,
    ) -> Result<Vec<String>, Failure> {
        self.ask(signer, "ListMFADevices", &[("UserName", user.as_str())], |result| {
            members(result, "MFADevices")
                .map(|device| text(device, "SerialNumber").map(ToOwned::to_owned))
                .collect()
        })
        .await
    }

    /// `iam:GetAccessKeyLastUsed`; `None` for a key that was never used.
    pub async fn last_use(
        &self,
        signer: Signer<'_>,
        id: &AccessKeyId,
    ) -> Result<Option<LastUse>, Failure> {
        let fields = [("AccessKeyId", id.as_str())];
        self.ask(signer, "GetAccessKeyLastUsed", &fields, |result| {
            let used = child(result, "AccessKeyLastUsed")?;
            Some(time(used, "LastUsedDate").map(|at| LastUse {
                at,
                service: sanitize(text(used, "ServiceName").unwrap_or_default()),
                region: sanitize(text(used, "Region").unwrap_or_default()),
            }))
        })
        .await
    }

    /// `iam:CreateAccessKey` for the signer's own user.
    pub async fn create_access_key(&self, signer: Signer<'_>) -> Result<StoredKey, Failure> {
        let action = "CreateAccessKey";
        let response = self.raw().send_once(signer, &query(action, &[])).await?;
        read(&response, action, |answer| {
            let made = child(child(answer, "CreateAccessKeyResult")?, "AccessKey")?;
            let key = AccessKey {
                id: text(made, "AccessKeyId")?.parse().ok()?,
                secret: Secret::new(text(made, "SecretAccessKey")?.to_owned()),
            };
            let is_plausible = !key.id.is_temporary() && key.secret.is_printable();
            is_plausible.then_some(StoredKey { key, created: time(made, "CreateDate")? })
        })
    }

    /// `iam:UpdateAccessKey`, to `Inactive`.
    pub async fn deactivate_access_key(
        &self,
        signer: Signer<'_>,
        id: &AccessKeyId,
    ) -> Result<(), Failure> {
        let fields = [("AccessKeyId", id.as_str()), ("Status", "Inactive")];
        self.tell(signer, "UpdateAccessKey", &fields).await
    }

    /// `iam:DeleteAccessKey`, which cannot be undone.
    pub async fn delete_access_key(
        &self,
        signer: Signer<'_>,
        id: &AccessKeyId,
    ) -> Result<(), Failure> {
        self.tell(signer, "DeleteAccessKey", &[("AccessKeyId", id.as_str())]).await
    }

    /// `iam:GetRole`: a role's trust policy, JSON.
    pub async fn trust_policy(
        &self,
        session: &Credentials,
        target: &Target,
    ) -> Result<String, Failure> {
        let fields = [("RoleName", target.role.name())];
        self.ask(Signer::Session(session), "GetRole", &fields, |result| {
            let (arn, document) = trust(child(result, "Role")?)?;
            (arn == target.role.as_str() && !document.is_empty()).then_some(document)
        })
        .await
    }

    /// `iam:ListRoles`: every role of the session's account, its ARN and its trust policy, JSON.
    pub async fn trust_policies(
        &self,
        session: &Credentials,
    ) -> Result<Vec<(String, String)>, Failure> {
        self.pages(Signer::Session(session), "ListRoles", ROLES_PER_PAGE, "Roles", trust).await
    }

    /// `iam:GenerateCredentialReport`: whether the report is there.
    pub async fn make_credential_report(&self, signer: Signer<'_>) -> Result<bool, Failure> {
        self.ask(signer, "GenerateCredentialReport", &[], |result| {
            Some(text(result, "State")? == "COMPLETE")
        })
        .await
    }

    /// `iam:GetCredentialReport`: its CSV, and when it was made. `None` where it is not there yet, or no longer.
    pub async fn credential_report(
        &self,
        signer: Signer<'_>,
    ) -> Result<Option<(String, Timestamp)>, Failure> {
        const LATER: [&str; 3] = ["ReportNotPresent", "ReportInProgress", "ReportExpired"];
        let read = self.ask(signer, "GetCredentialReport", &[], |result| {
            let content: String = text(result, "Content")?.split_whitespace().collect();
            let csv = BASE64_STANDARD.decode(content).ok()?;
            Some((String::from_utf8(csv).ok()?, time(result, "GeneratedTime")?))
        });
        match read.await {
            Err(failure) if failure.code.as_deref().is_some_and(|code| LATER.contains(&code)) => {
                Ok(None)
            }
            answer => answer.map(Some),
        }
    }

    /// `iam:GetAccountAuthorizationDetails`: the groups, their policies and their members.
    pub async fn account_policies(&self, signer: Signer<'_>) -> Result<AccountPolicies, Failure> {
        let mut all = PoliciesPage::default();
        loop {
            let mut fields = vec![
                ("Filter.member.1", "User"),
                ("Filter.member.2", "Group"),
                ("Filter.member.3", "LocalManagedPolicy"),
                ("MaxItems", POLICIES_PER_PAGE),
            ];
            fields.extend(all.marker.as_deref().map(|marker| ("Marker", marker)));
            let action = "GetAccountAuthorizationDetails";
            let page = self.ask(signer, action, &fields, policies_page).await?;
            all.users.extend(page.users);
            all.groups.extend(page.groups);
            all.managed.extend(page.managed);
            all.marker = page.marker;
            if all.marker.is_none() {
                break;
            }
        }
        let managed = all.managed;
        let groups = all.groups.into_iter().map(|(name, mut policies, arns)| {
            let attached = managed.iter().filter(|(arn, _)| arns.contains(arn));
            policies.extend(attached.map(|(_, policy)| policy.clone()));
            (name, policies)
        });
        Ok(AccountPolicies { groups: groups.collect(), users: all.users })
    }

    /// Makes a call and reads the element of its result.
    async fn ask<T>(
        &self,
        signer: Signer<'_>,
        action: &str,
        fields: &[(&str, &str)],
        reader: impl FnOnce(Node<'_, '_>) -> Option<T>,
    ) -> Result<T, Failure> {
        let response = self.raw().send_retrying(signer, &query(action, fields)).await?;
        let result = format!("{action}Result");
        read(&response, action, |answer| reader(child(answer, &result)?))
    }

    /// Makes a call that has no result.
    async fn tell(
        &self,
        signer: Signer<'_>,
        action: &str,
        fields: &[(&str, &str)],
    ) -> Result<(), Failure> {
        let response = self.raw().send_retrying(signer, &query(action, fields)).await?;
        read(&response, action, |_| Some(()))
    }

    /// The members of a list that comes in pages.
    async fn pages<T>(
        &self,
        signer: Signer<'_>,
        action: &str,
        per_page: &str,
        list: &str,
        reader: impl Fn(Node<'_, '_>) -> Option<T>,
    ) -> Result<Vec<T>, Failure> {
        let mut all = Vec::new();
        let mut marker: Option<String> = None;
        loop {
            let mut fields = vec![("MaxItems", per_page)];
            fields.extend(marker.as_deref().map(|marker| ("Marker", marker)));
            let page = |result: Node<'_, '_>| {
                let items: Option<Vec<T>> = members(result, list).map(&reader).collect();
                let is_more = text(result, "IsTruncated") == Some("true");
                let next = text(result, "Marker").filter(|_| is_more).map(ToOwned::to_owned);
                Some((items?, next))
            };
            let (items, next) = self.ask(signer, action, &fields, page).await?;
            all.extend(items);
            if next.is_none() {
                return Ok(all);
            }
            marker = next;
        }
    }
}

/// Reads the element `…Response`, which is the whole answer to an action.
fn read<T>(
    response: &HttpResponse,
    action: &str,
    reader: impl FnOnce(Node<'_, '_>) -> Option<T>,
) -> Result<T, Failure> {
    let body = response.body().bytes().unwrap_or_default();
    let answer = std::str::from_utf8(body).ok().and_then(|body| {
        let document = Document::parse(body).ok()?;
        let answer = document.root_element();
        if answer.has_tag_name(format!("{action}Response").as_str()) {
            reader(answer)
        } else {
            None
        }
    });
    answer.ok_or_else(|| Failure::garbled(&format!("iam:{action}")))
}

fn child<'a, 'input>(node: Node<'a, 'input>, name: &str) -> Option<Node<'a, 'input>> {
    node.children().find(|child| child.has_tag_name(name))
}

fn text<'a>(node: Node<'a, '_>, name: &str) -> Option<&'a str> {
    child(node, name)?.text()
}

fn members<'a, 'input>(
    node: Node<'a, 'input>,
    list: &str,
) -> impl Iterator<Item = Node<'a, 'input>> {
    let list = child(node, list);
    list.into_iter().flat_map(|list| list.children().filter(|item| item.has_tag_name("member")))
}

/// A time in ISO 8601, UTC.
fn time(node: Node<'_, '_>, name: &str) -> Option<Timestamp> {
    text(node, name)?.parse().ok()
}

/// A role's ARN and trust policy; IAM sends documents percent-encoded (RFC 3986).
fn trust(role: Node<'_, '_>) -> Option<(String, String)> {
    let document = text(role, "AssumeRolePolicyDocument").unwrap_or_default();
    Some((text(role, "Arn")?.to_owned(), decode(document)))
}

/// One page of `GetAccountAuthorizationDetails`.
fn policies_page(result: Node<'_, '_>) -> Option<PoliciesPage> {
    let owned = |node: Node<'_, '_>, name: &str| text(node, name).map(ToOwned::to_owned);
    let user = |user: Node<'_, '_>| {
        let groups = members(user, "GroupList").filter_map(|group| group.text());
        Some((owned(user, "UserName")?, groups.map(ToOwned::to_owned).collect()))
    };
    let inline = |policy: Node<'_, '_>| {
        let text = decode(text(policy, "PolicyDocument")?);
        Some(AttachedPolicy { name: owned(policy, "PolicyName")?, text })
    };
    let group = |group: Node<'_, '_>| {
        let own: Option<Vec<_>> = members(group, "GroupPolicyList").map(inline).collect();
        let attached = members(group, "AttachedManagedPolicies");
        let arns: Option<Vec<_>> = attached.map(|policy| owned(policy, "PolicyArn")).collect();
        Some((owned(group, "GroupName")?, own?, arns?))
    };
    let managed = |policy: Node<'_, '_>| {
        let mut versions = members(policy, "PolicyVersionList");
        let default = text(policy, "DefaultVersionId");
        let version = versions.find(|one| text(*one, "VersionId") == default)?;
        let text = decode(text(version, "Document")?);
        let arn = owned(policy, "Arn")?;
        let name = arn.rsplit('/').next().unwrap_or_default().to_owned();
        Some((arn, AttachedPolicy { name, text }))
    };
    let is_more = text(result, "IsTruncated") == Some("true");
    Some(PoliciesPage {
        users: members(result, "UserDetailList").map(user).collect::<Option<_>>()?,
        groups: members(result, "GroupDetailList").map(group).collect::<Option<_>>()?,
        managed: members(result, "Policies").map(managed).collect::<Option<_>>()?,
        marker: text(result, "Marker").filter(|_| is_more).map(ToOwned::to_owned),
    })
}

fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(body: &str) -> HttpResponse {
        HttpResponse::new(200.try_into().unwrap(), body.to_owned().into())
    }

    #[test]
    fn only_the_answer_to_the_very_action_is_read() {
        let right = r#"<A:DoResponse xmlns:A="urn:x"><A:DoResult><A:Name>a &amp; b</A:Name></A:DoResult></A:DoResponse>"#;
        let name =
            |answer: Node<'_, '_>| text(child(answer, "DoResult")?, "Name").map(String::from);
        assert_eq!(read(&answer(right), "Do", name).unwrap(), "a & b");
        for wrong in ["", "<html/>", "<DoResponse>", "<UndoResponse/>", "<DoResponse/>", "{}"] {
            let failure = read(&answer(wrong), "Do", name).unwrap_err();
            assert_eq!(failure.kind, crate::services::aws::FailureKind::Garbled, "{wrong}");
        }
    }

    #[test]
    fn documents_are_decoded() {
        assert_eq!(decode("%7B%22a%22%3A+%221%25%22%7d"), "{\"a\":+\"1%\"}");
        assert_eq!(decode("100%zz%4"), "100%zz%4");
    }
}
