//! The console's federation endpoint: a role session for a sign-in token.
//!
//! Rules: the IAM User Guide, "Enable custom identity broker access to the AWS console".

use serde_json::{Value, json};

use super::error::AwsError;
use super::state::{BASE64, Holder, State, random};
use super::wire::Inbound;

impl State {
    pub(super) fn sign_in(&mut self, inbound: &Inbound) -> Result<String, AwsError> {
        let invalid = |what: &str| AwsError::new(400, "ValidationError", what);
        if inbound.action != "getSigninToken" {
            return Err(invalid("Action is not emulated"));
        }
        let text = inbound.fields.get("Session").ok_or_else(|| invalid("Session is missing"))?;
        let given: Value =
            serde_json::from_str(text).map_err(|_| invalid("Session is not JSON"))?;
        let session = self.sessions.iter().find(|session| {
            given["sessionId"] == json!(session.id)
                && given["sessionKey"] == json!(session.secret)
                && given["sessionToken"] == json!(session.token)
        });
        let session = session.ok_or_else(|| invalid("Session is not valid"))?;
        if session.expires <= self.now() {
            return Err(invalid("Session has expired"));
        }
        let chained = match &session.holder {
            Holder::Role(role) => role.chained,
            Holder::Federated { .. } => true,
            Holder::User(_) | Holder::Root => {
                return Err(invalid("Credentials of GetSessionToken cannot be exchanged"));
            }
        };
        if let Some(duration) = inbound.fields.get("SessionDuration") {
            let in_range =
                duration.parse().is_ok_and(|seconds: u32| (900..=43_200).contains(&seconds));
            if chained || !in_range {
                return Err(invalid("SessionDuration is not allowed for this session"));
            }
        }
        Ok(json!({ "SigninToken": random("", BASE64, 400)? }).to_string())
    }
}
