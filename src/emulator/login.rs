//! Console sign-in for programs (`aws login`): authorization code with PKCE, keys bound to a proof of possession.
//!
//! Rules: the Sign-In API reference, `CreateOAuth2Token` and `AuthorizeOAuth2Access`, and what AWS's own clients send.

use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD, Engine};
use jiff::{SignedDuration, Timestamp};
use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::caller::Caller;
use super::encoding::{escape, percent_encode};
use super::error::AwsError;
use super::organization::{LoginMfa, RefreshReuse};
use super::pattern::Keys;
use super::rules::{Grant, RequestedAction};
use super::state::{
    AuthorizationCode, BASE64, ConsoleLogin, Holder, Issuer, RoleSession, SessionTags, State,
    random,
};
use super::wire::{Fields, Inbound};

const SAME_DEVICE: &str = "arn:aws:signin:::devtools/same-device";
const CROSS_DEVICE: &str = "arn:aws:signin:::devtools/cross-device";

/// How long a code is good for.
const CODE: SignedDuration = SignedDuration::from_mins(5);
/// How long keys are.
const KEYS: u32 = 900;
/// How long a sign-in can be renewed.
const SIGN_IN: SignedDuration = SignedDuration::from_hours(12);
/// How far a proof's time may be off. AWS does not say.
const WINDOW: SignedDuration = SignedDuration::from_mins(5);

/// The host that signs in, as the emulator's own users see it: there is one for every region.
const REGION: &str = "us-east-1";

fn bad_request(what: &str) -> AwsError {
    AwsError::new(400, "BadRequestException", what)
}

fn invalid(what: &str) -> AwsError {
    AwsError::of_token("INVALID_REQUEST", what)
}

fn expired(what: &str) -> AwsError {
    AwsError::of_token("TOKEN_EXPIRED", what)
}

impl State {
    /// The page that a browser is sent to; returns where it is sent on to.
    pub(super) fn authorize(&mut self, inbound: &Inbound) -> Result<String, AwsError> {
        let field = |name: &str| inbound.fields.get(name).unwrap_or_default();
        let client = field("client_id");
        let fits = match client {
            SAME_DEVICE => is_callback(field("redirect_uri")),
            CROSS_DEVICE => {
                field("redirect_uri") == format!("{}/v1/sessions/confirmation", inbound.base()?)
            }
            _ => false,
        };
        let challenge = field("code_challenge");
        let state = field("state");
        if field("response_type") != "code"
            || !fits
            || field("code_challenge_method") != "SHA-256"
            || field("scope") != "openid"
            || BASE64_URL_SAFE_NO_PAD.decode(challenge).is_ok_and(|hash| hash.len() != 32)
            || challenge.len() != 43
            || !(1..=128).contains(&state.len())
        {
            return Err(bad_request("Invalid request"));
        }
        let arn = self.organization.console.clone();
        let arn = arn.ok_or_else(|| bad_request("Nobody is signed in to the console here"))?;
        self.may_sign_in(&arn, "signin:AuthorizeOAuth2Access", client)
            .map_err(|_| bad_request("Invalid request"))?;
        let (code, now) = (random("", BASE64, 128)?, self.now());
        let to = format!(
            "{}?code={}&state={}",
            field("redirect_uri"),
            percent_encode(&code),
            percent_encode(state)
        );
        self.authorization_codes.push(AuthorizationCode {
            code,
            client: client.into(),
            redirect: field("redirect_uri").into(),
            challenge: challenge.into(),
            arn,
            expires: now + CODE,
        });
        Ok(to)
    }

    /// The page of the remote form, which shows a code to copy.
    pub(super) fn confirmation(fields: &Fields) -> String {
        let field = |name: &str| fields.get(name).unwrap_or_default();
        let text = format!(
            "state={}&code={}",
            percent_encode(field("state")),
            percent_encode(field("code"))
        );
        let copied = escape(&BASE64_STANDARD.encode(text));
        format!(
            "<!doctype html><title>authorization code</title><p>Copy this into your terminal:</p>\
             <pre id=\"code\">{copied}</pre><p>This is sekisho's emulated AWS, not the web console.</p>"
        )
    }

    pub(super) fn token(&mut self, inbound: &Inbound) -> Result<String, AwsError> {
        let thumbprint = self.prove(inbound)?;
        let fields = &inbound.fields;
        match fields.get("grantType") {
            Some("authorization_code") => self.first_keys(fields, thumbprint),
            Some("refresh_token") => self.next_keys(fields, &thumbprint),
            _ => Err(invalid("grantType is not supported")),
        }
    }

    fn first_keys(&mut self, fields: &Fields, thumbprint: String) -> Result<String, AwsError> {
        let field = |name: &str| fields.get(name).unwrap_or_default();
        let now = self.now();
        // A code is used up by whoever presents it.
        let at = self.authorization_codes.iter().position(|one| one.code == field("code"));
        let used = || AwsError::of_token("AUTHCODE_EXPIRED", "The authorization code has expired");
        let code = at.map(|at| self.authorization_codes.remove(at)).ok_or_else(used)?;
        if code.expires <= now {
            return Err(used());
        }
        let hash = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(field("codeVerifier")));
        if code.client != field("clientId")
            || code.redirect != field("redirectUri")
            || code.challenge != hash
        {
            return Err(invalid("The grant is invalid, expired, revoked, or malformed"));
        }
        let login = ConsoleLogin {
            arn: code.arn,
            client: code.client,
            thumbprint,
            refresh: random("", BASE64, 400)?,
            previous: None,
            began: now,
        };
        let claims = json!({
            "sub": login.arn, "aud": login.client, "iss": "https://signin.aws.amazon.com/signin",
            "session_arn": login.arn, "iat": now.as_second(), "exp": now.as_second() + i64::from(KEYS),
        });
        let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let (header, signature) = (json!({"alg": "ES384", "typ": "JWT"}), random("", BASE64, 96)?);
        let id_token =
            format!("{}.{}.{}", part(&header), part(&claims), part(&Value::String(signature)));
        let answer = self.keys(&login, Some(&id_token))?;
        self.logins.push(login);
        Ok(answer)
    }

    fn next_keys(&mut self, fields: &Fields, thumbprint: &str) -> Result<String, AwsError> {
        let field = |name: &str| fields.get(name).unwrap_or_default();
        let (given, now) = (field("refreshToken"), self.now());
        let reuse = self.organization.quirks.refresh_reuse;
        let is_replay = |login: &ConsoleLogin| {
            reuse == RefreshReuse::Replayed
                && login.previous.as_ref().is_some_and(|(token, ..)| token == given)
        };
        let wrong = || invalid("The grant is invalid, expired, revoked, or malformed");
        let at = self
            .logins
            .iter()
            .position(|login| login.refresh == given || is_replay(login))
            .ok_or_else(wrong)?;
        let login = &self.logins[at];
        if login.client != field("clientId") || login.thumbprint != thumbprint {
            return Err(wrong());
        }
        if login.began + SIGN_IN <= now {
            return Err(expired("The refresh token has expired"));
        }
        if let Some((token, answer, until)) = &login.previous
            && token == given
        {
            return if *until > now { Ok(answer.clone()) } else { Err(wrong()) };
        }
        let (arn, client) = (login.arn.clone(), login.client.clone());
        self.may_sign_in(&arn, "signin:CreateOAuth2Token", &client)
            .map_err(|error| AwsError::of_token("INSUFFICIENT_PERMISSIONS", &error.message))?;
        let mut login = self.logins.remove(at);
        let old = std::mem::replace(&mut login.refresh, random("", BASE64, 400)?);
        let answer = self.keys(&login, None)?;
        let until = now + SignedDuration::from_secs(KEYS.into());
        login.previous = Some((old, answer.clone(), until));
        self.logins.push(login);
        Ok(answer)
    }

    /// Keys of whoever signed in, as the token endpoint answers.
    fn keys(&mut self, login: &ConsoleLogin, id_token: Option<&str>) -> Result<String, AwsError> {
        let holder = self.holder(&login.arn);
        // The console asks whoever has a device for it.
        let has_device = match &holder {
            Some(Holder::User(name)) => {
                self.organization.find_user(name).is_some_and(|user| !user.devices.is_empty())
            }
            _ => true,
        };
        let mfa = match self.organization.quirks.login_mfa {
            LoginMfa::Carried if has_device => Some(login.began),
            LoginMfa::Carried | LoginMfa::Absent => None,
        };
        let session = self.issue(holder.clone().unwrap_or(Holder::Root), KEYS, mfa, None)?;
        match (self.sessions.last_mut(), holder) {
            (Some(issued), Some(_)) => issued.issuer = Issuer::SignIn,
            // A user of an account that has no keys here: they sign nothing.
            _ => drop(self.sessions.pop()),
        }
        let mut answer = json!({
            "accessToken": {
                "accessKeyId": session.id,
                "secretAccessKey": session.secret,
                "sessionToken": session.token,
            },
            "tokenType": "aws_sigv4",
            "expiresIn": KEYS,
            "refreshToken": login.refresh,
        });
        if let Some(id_token) = id_token {
            answer["idToken"] = id_token.into();
        }
        Ok(answer.to_string())
    }

    /// Whose keys an ARN's are; `None` for a user of another account than the auth account.
    fn holder(&self, arn: &str) -> Option<Holder> {
        let organization = &self.organization;
        let account = arn.split(':').nth(4).unwrap_or_default();
        let resource = arn.splitn(6, ':').nth(5).unwrap_or_default();
        match resource.split_once('/') {
            None if account == organization.auth => Some(Holder::Root),
            Some(("user", name)) if account == organization.auth => {
                Some(Holder::User(name.rsplit('/').next().unwrap_or_default().to_owned()))
            }
            Some(("assumed-role", rest)) => {
                let (role, session) = rest.split_once('/')?;
                let here = organization.roles.iter();
                let role = here.filter(|one| one.account == account).find(|one| one.name == role);
                Some(Holder::Role(RoleSession {
                    arn: organization.role_arn(role?),
                    name: session.to_owned(),
                    chained: true,
                    source_identity: None,
                    tags: SessionTags::default(),
                }))
            }
            _ => None,
        }
    }

    /// Whether a person who has passed MFA at the console may let a program in.
    fn may_sign_in(&mut self, arn: &str, action: &str, client: &str) -> Result<(), AwsError> {
        // Others' policies are not here.
        let Some(holder @ Holder::User(_)) = self.holder(arn) else { return Ok(()) };
        let place = if client == SAME_DEVICE { "localhost" } else { "remote" };
        let account = &self.organization.auth;
        let resource = format!("arn:aws:signin:{REGION}:{account}:oauth2/public-client/{place}");
        let caller = Caller { holder, session: None, region: REGION.into() };
        self.authorise(
            &caller,
            &RequestedAction {
                action,
                resource: &resource,
                grant: Grant::Identity,
                keys: Keys::new(),
                code_passed: true,
            },
        )
    }

    /// Checks the proof of possession; returns the thumbprint of its key (RFC 7638).
    fn prove(&mut self, inbound: &Inbound) -> Result<String, AwsError> {
        let now = self.now();
        let url = format!("{}/v1/token", inbound.base()?);
        let proof = inbound.parts.headers.get("dpop").and_then(|proof| proof.to_str().ok());
        let proof = proof.ok_or_else(|| invalid("The DPoP proof is missing"))?;
        let proof = Proof::read(proof).ok_or_else(|| invalid("The DPoP proof is malformed"))?;
        if proof.method != "POST" || proof.url != url {
            return Err(invalid("The DPoP proof is for another request"));
        }
        let at = Timestamp::from_second(proof.at).map_err(|_| invalid("iat is out of range"))?;
        if now.duration_since(at).abs() > WINDOW {
            return Err(expired("The DPoP proof has expired"));
        }
        self.proofs.retain(|(_, seen)| now.duration_since(*seen).abs() <= WINDOW * 2);
        if !self.proofs.insert((proof.id, at)) {
            return Err(invalid("The DPoP proof was used before"));
        }
        Ok(proof.thumbprint)
    }
}

/// A proof whose signature is its key's.
struct Proof {
    method: String,
    url: String,
    at: i64,
    id: String,
    thumbprint: String,
}

impl Proof {
    fn read(text: &str) -> Option<Self> {
        let (signed, signature) = text.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let bytes = |part: &str| BASE64_URL_SAFE_NO_PAD.decode(part).ok();
        let json = |part: &str| serde_json::from_slice::<Value>(&bytes(part)?).ok();
        let (header, claims) = (json(header)?, json(claims)?);
        let (jwk, is) = (&header["jwk"], |value: &Value, text: &str| value.as_str() == Some(text));
        let fits = is(&header["typ"], "dpop+jwt")
            && is(&header["alg"], "ES256")
            && is(&jwk["kty"], "EC")
            && is(&jwk["crv"], "P-256")
            && jwk.get("d").is_none();
        let (x, y) = (jwk["x"].as_str()?, jwk["y"].as_str()?);
        let point = [vec![4], bytes(x)?, bytes(y)?].concat();
        let signature = bytes(signature)?;
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &point)
            .verify(signed.as_bytes(), &signature)
            .ok()?;
        let thumbprint = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
        fits.then_some(Self {
            method: claims["htm"].as_str()?.to_owned(),
            url: claims["htu"].as_str()?.to_owned(),
            at: claims["iat"].as_i64()?,
            id: claims["jti"].as_str().filter(|id| !id.is_empty())?.to_owned(),
            thumbprint: BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(thumbprint)),
        })
    }
}

/// `http://127.0.0.1:PORT/oauth/callback`: the address, not a name for it.
fn is_callback(url: &str) -> bool {
    let port =
        url.strip_prefix("http://127.0.0.1:").and_then(|rest| rest.strip_suffix("/oauth/callback"));
    port.is_some_and(|port| port.parse::<u16>().is_ok_and(|port| port > 0))
}
