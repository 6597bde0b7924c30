//! A role session as the JSON documents that AWS's own clients read.

use jiff::Timestamp;
use serde::Serialize;

use crate::domain::pass::Pass;
use crate::domain::secret::Secret;

/// Larger than any document: a buffer that grows leaves an unwiped copy behind.
const CAPACITY: usize = 16 * 1024;

/// What a `credential_process` prints.
/// <https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html>
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ProcessDocument<'a> {
    version: u8,
    access_key_id: &'a str,
    secret_access_key: &'a str,
    session_token: &'a str,
    expiration: String,
    account_id: String,
}

/// The response of a container-credentials endpoint.
/// <https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html>
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ContainerDocument<'a> {
    access_key_id: &'a str,
    secret_access_key: &'a str,
    token: &'a str,
    expiration: String,
    account_id: String,
}

/// The document for `credential_process`.
pub fn for_process(pass: &Pass) -> Secret {
    let credentials = &pass.credentials;
    document(&ProcessDocument {
        version: 1,
        access_key_id: credentials.id.as_str(),
        secret_access_key: credentials.secret.expose(),
        session_token: credentials.token.expose(),
        expiration: rfc3339(credentials.expires),
        account_id: pass.target.id.to_string(),
    })
}

/// The document for the container-credentials endpoint.
pub fn for_container(pass: &Pass) -> Secret {
    let credentials = &pass.credentials;
    document(&ContainerDocument {
        access_key_id: credentials.id.as_str(),
        secret_access_key: credentials.secret.expose(),
        token: credentials.token.expose(),
        expiration: rfc3339(credentials.expires),
        account_id: pass.target.id.to_string(),
    })
}

fn document(fields: &impl Serialize) -> Secret {
    let mut bytes = Vec::with_capacity(CAPACITY);
    // Neither step can fail: only strings and numbers, written to memory.
    let _ = serde_json::to_writer(&mut bytes, fields);
    bytes.push(b'\n');
    Secret::new(String::from_utf8(bytes).unwrap_or_default())
}

/// RFC 3339 in UTC, whole seconds, as AWS writes it.
fn rfc3339(instant: Timestamp) -> String {
    instant.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
