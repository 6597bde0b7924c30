//! The console's endpoints: federation, which exchanges a role session for a sign-in token, and the sign-in of programs.
//!
//! Rules: the IAM User Guide, "Enable custom identity broker access to the AWS console".

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::encoding::escape;
use super::error::AwsError;
use super::state::{BASE64, Holder, SigninToken, State, random};
use super::wire::{AUTHORIZE, CONFIRMATION, CREATE_TOKEN, Inbound};

/// How long a token is good for.
const TOKEN: SignedDuration = SignedDuration::from_mins(15);

fn invalid(what: &str) -> AwsError {
    AwsError::new(400, "ValidationError", what)
}

impl Inbound {
    /// The scheme and host that it was sent to.
    pub(super) fn base(&self) -> Result<String, AwsError> {
        let host = self.parts.headers.get(http::header::HOST).and_then(|host| host.to_str().ok());
        host.map(|host| format!("http://{host}")).ok_or_else(|| invalid("Host is missing"))
    }

    /// Where an answer leads on to. After a sign-out, as on AWS, to a sign-in at the same host only.
    pub(super) fn redirect(&self, body: &[u8]) -> Option<String> {
        if self.action == AUTHORIZE {
            return String::from_utf8(body.to_vec()).ok();
        }
        let to = self.fields.get("redirect_uri").filter(|_| self.parts.uri.path() == "/oauth")?;
        let host = self.parts.headers.get(http::header::HOST)?.to_str().ok()?;
        to.starts_with(&format!("http://{host}/federation?")).then(|| to.to_owned())
    }
}

impl State {
    pub(super) fn sign_in(&mut self, inbound: &Inbound) -> Result<String, AwsError> {
        match (inbound.parts.uri.path(), inbound.action.as_str()) {
            ("/federation", "getSigninToken") => self.signin_token(inbound),
            ("/federation", "login") => self.login_page(inbound),
            (_, AUTHORIZE) => self.authorize(inbound),
            (_, CREATE_TOKEN) => self.token(inbound),
            (_, CONFIRMATION) => Ok(Self::confirmation(&inbound.fields)),
            ("/oauth", "logout") => Ok(page("signed out", "")),
            _ => Err(invalid("Action is not emulated")),
        }
    }

    /// What a browser shows once it is signed in.
    fn login_page(&self, inbound: &Inbound) -> Result<String, AwsError> {
        let given = inbound.fields.get("SigninToken").unwrap_or_default();
        let token = self.signin_tokens.iter().find(|one| one.token == given);
        let token = token.filter(|one| one.expires > self.now());
        let token = token.ok_or_else(|| invalid("SigninToken is not valid, or has expired"))?;
        let destination = inbound.fields.get("Destination").unwrap_or_default();
        Ok(page(&format!("signed in as {}", token.role), &format!("on the way to {destination}")))
    }

    fn signin_token(&mut self, inbound: &Inbound) -> Result<String, AwsError> {
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
        let (chained, role) = match &session.holder {
            Holder::Role(role) => (role.chained, role.arn.clone()),
            Holder::Federated { name, .. } => (true, name.clone()),
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
        let (token, now) = (random("", BASE64, 400)?, self.now());
        let answer = json!({ "SigninToken": token }).to_string();
        self.signin_tokens.retain(|one| one.expires > now);
        self.signin_tokens.push(SigninToken { token, role, expires: now + TOKEN });
        Ok(answer)
    }
}

fn page(title: &str, text: &str) -> String {
    let (title, text) = (escape(title), escape(text));
    format!(
        "<!doctype html><title>{title}</title><h1>{title}</h1><p>{text}</p>\
         <p>This is sekisho's emulated AWS, not the web console.</p>"
    )
}
