//! The names of the variables that a child gets or loses.

use crate::domain::agents;

/// The variables that identify the user, to AWS or in a prompt. A child inherits none of them.
///
/// A trailing `*` matches any suffix. CA bundle, proxy, retry, endpoint and file settings are not identity and are
/// inherited. The regions are not here because they may be the user's own ([`super::Inherited::own_region`]).
pub const IDENTITY: [&str; 32] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_CREDENTIAL_EXPIRATION",
    "AWS_SESSION_EXPIRATION",
    "AWS_ACCOUNT_ID",
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_SECURITY_TOKEN",
    "AWS_ACCESS_KEY",
    "AWS_SECRET_KEY",
    "AWS_CREDENTIAL_FILE",
    "AMAZON_ACCESS_KEY_ID",
    "AMAZON_SECRET_ACCESS_KEY",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_*",
    "AWS_BEARER_TOKEN_BEDROCK",
    "AWS_VAULT",
    "AWSUME_*",
    "AWSU_PROFILE",
    "GRANTED_*",
    "ASSUMED_ROLE",
    "AWS_SSO",
    "AWS_SSO_PROFILE",
    "AWS_SSO_ACCOUNT_ID",
    "AWS_SSO_ROLE_NAME",
    "AWS_SSO_ROLE_ARN",
    "AWS_SSO_SESSION_EXPIRATION",
    "AWS_SSO_DEFAULT_REGION",
    "SEKISHO_*",
];

/// What describes the target of a session.
const DESCRIPTION: [&str; 8] = [
    "SEKISHO_TARGET",
    "SEKISHO_ACCOUNT",
    "SEKISHO_ACCOUNT_ID",
    "SEKISHO_ROLE",
    "SEKISHO_SCOPE",
    "SEKISHO_GUARD",
    "SEKISHO_COLOR",
    "SEKISHO_EXPIRATION",
];

/// What a shell's hook watches: the identity, and the description that the prompt shows. sekisho's other variables are
/// settings, which the user may change.
pub fn watched() -> impl Iterator<Item = &'static str> {
    IDENTITY.into_iter().filter(|name| *name != "SEKISHO_*").chain(DESCRIPTION)
}

/// The state of direnv in the parent shell: a child that had it would put the parent's credentials back on `cd ..`.
pub(super) const DIRENV: &str = "DIRENV_";

/// The regions that sekisho sets, and where it remembers what the user had there.
pub(super) const REGIONS: [(&str, &str); 2] =
    [("AWS_REGION", "SEKISHO_AWS_REGION"), ("AWS_DEFAULT_REGION", "SEKISHO_AWS_DEFAULT_REGION")];

/// The value that sekisho has set in those.
pub(super) const OUR_REGION: &str = "SEKISHO_REGION";

/// What AWS's tools call instead of AWS; and the value that sekisho has set there.
pub(super) const ENDPOINT_URL: &str = "AWS_ENDPOINT_URL";
pub(super) const OUR_ENDPOINT_URL: &str = "SEKISHO_ENDPOINT_URL";

/// This machine, as `NO_PROXY` spells it.
const LOOPBACK: [&str; 3] = ["127.0.0.1", "localhost", "[::1]"];

/// A value of `NO_PROXY` with this machine in it.
pub fn around_proxy(given: &str) -> String {
    let hosts = given.split(',').map(str::trim).filter(|host| !host.is_empty());
    let missing = LOOPBACK.iter().filter(|host| hosts.clone().all(|given| given != **host));
    hosts.clone().chain(missing.copied()).collect::<Vec<_>>().join(",")
}

/// Whether a name is in the table, ignoring case.
pub(super) fn is_identity(name: &str) -> bool {
    // Most names differ in their first letter, and a warm `exec` asks twice for every variable.
    let begins_alike = |pattern: &str| {
        name.bytes().next().map(|byte| byte.to_ascii_uppercase()) == pattern.bytes().next()
    };
    if name == agents::OVERRIDE {
        return false; // it says who drives, not who that is at AWS
    }
    IDENTITY.iter().filter(|pattern| begins_alike(pattern)).any(|pattern| {
        match pattern.strip_suffix('*') {
            Some(start) => {
                name.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start))
            }
            None => name.eq_ignore_ascii_case(pattern),
        }
    })
}
