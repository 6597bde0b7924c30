//! Documents that were written into a folder and perhaps edited there: the policies among its files, in any format.

use serde_json::{Map, Value};

use super::{Document, PolicyKind};
use crate::domain::fault::{Exit, Fault};

/// The policies among a folder's files (path below the folder, text). `rendered` are the JSON documents of the same
/// config: a trust policy's file names the role, and they say its ARN.
///
/// # Errors
/// A file that is not what its name says.
pub fn written(
    files: &[(String, String)],
    rendered: &[Document],
) -> Result<Vec<Document>, Vec<Fault>> {
    let mut found = Vec::new();
    let mut faults = Vec::new();
    for (file, text) in files {
        let is_template = std::path::Path::new(file)
            .extension()
            .is_some_and(|extension| extension == "yaml" || extension == "yml");
        let read = if is_template {
            serde_yaml::from_str::<Value>(text)
                .map_err(|_| "it is not YAML".to_owned())
                .map(|template| of_template(&template, rendered))
        } else {
            Ok(of_json(file, text, rendered).into_iter().collect())
        };
        match read {
            Ok(documents) => found.extend(documents),
            Err(why) => {
                faults.push(Fault::new(Exit::Usage, format!("{file} cannot be read")).because(why));
            }
        }
    }
    if faults.is_empty() { Ok(found) } else { Err(faults) }
}

/// A policy in a file of its own; other JSON files are none.
fn of_json(file: &str, text: &str, rendered: &[Document]) -> Option<Document> {
    let within = |folder: &str| file.starts_with(folder);
    let kind = if within("auth-account/managed/") {
        PolicyKind::ManagedPolicy
    } else if file == "auth-account/switch.json" {
        PolicyKind::GroupPolicy
    } else if within("organization/scp-") || file == "organization/brake.json" {
        PolicyKind::ServiceControlPolicy
    } else if within("organization/rcp-") {
        PolicyKind::ResourceControlPolicy
    } else if within("dev-account/") {
        PolicyKind::TrustPolicy
    } else {
        return None;
    };
    let like = rendered.iter().find(|document| document.file == file);
    let target = like.map(|document| document.target.clone()).unwrap_or_default();
    Some(Document { file: file.to_owned(), kind, target, text: text.to_owned() })
}

/// The policies in a CloudFormation template, under the names that they have as files.
fn of_template(template: &Value, rendered: &[Document]) -> Vec<Document> {
    let mut found = Vec::new();
    let resources = template["Resources"].as_object();
    for resource in resources.into_iter().flat_map(Map::values) {
        let properties = &resource["Properties"];
        let name = |key: &str| properties[key].as_str().unwrap_or_default();
        let mut push = |kind, file: String, document: &Value| {
            let target = String::new();
            found.push(Document { file, kind, target, text: document.to_string() });
        };
        match resource["Type"].as_str().unwrap_or_default() {
            "AWS::IAM::ManagedPolicy" => push(
                PolicyKind::ManagedPolicy,
                format!("auth-account/managed/{}.json", short(name("ManagedPolicyName"))),
                &properties["PolicyDocument"],
            ),
            "AWS::IAM::Group" => {
                for policy in properties["Policies"].as_array().into_iter().flatten() {
                    let file = "auth-account/switch.json".to_owned();
                    push(PolicyKind::GroupPolicy, file, &policy["PolicyDocument"]);
                }
            }
            "AWS::Organizations::Policy" => {
                let short = short(name("Name"));
                let (kind, file) = if name("Type") == "RESOURCE_CONTROL_POLICY" {
                    let file = format!("organization/rcp-sandbox/{short}.json");
                    (PolicyKind::ResourceControlPolicy, file)
                } else {
                    let file = match short.strip_prefix("auth-") {
                        Some(name) => format!("organization/scp-auth-account/{name}.json"),
                        None if short == "brake" => "organization/brake.json".into(),
                        None => format!("organization/scp-sandbox/{short}.json"),
                    };
                    (PolicyKind::ServiceControlPolicy, file)
                };
                push(kind, file, &properties["Content"]);
            }
            "AWS::IAM::Role" => {
                let role = format!(":role{}{}", name("Path"), name("RoleName"));
                let document = &properties["AssumeRolePolicyDocument"];
                let of_role = rendered.iter().filter(|like| {
                    like.kind == PolicyKind::TrustPolicy && like.target.ends_with(&role)
                });
                for like in of_role {
                    let account = like.target.split(':').nth(4).unwrap_or_default();
                    let text = in_account(document, account).to_string();
                    found.push(Document { text, ..like.clone() });
                }
            }
            _ => {}
        }
    }
    found
}

fn short(name: &str) -> &str {
    name.strip_prefix("sekisho-").unwrap_or(name)
}

/// A document as the stack of an account has it: `Fn::Sub` resolved.
fn in_account(value: &Value, account: &str) -> Value {
    match value {
        Value::Object(entries) => match entries.get("Fn::Sub").and_then(Value::as_str) {
            Some(text) => text.replace("${AWS::AccountId}", account).into(),
            None => entries.iter().map(|(k, v)| (k.clone(), in_account(v, account))).collect(),
        },
        Value::Array(items) => items.iter().map(|item| in_account(item, account)).collect(),
        other => other.clone(),
    }
}
