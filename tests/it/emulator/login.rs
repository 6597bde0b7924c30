//! Console sign-in for programs: a client of the tests' own, and what is refused to it.

use std::time::Duration;

use aws_credential_types::Credentials;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD, Engine};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use sekisho::emulator::{Emulator, LoginMfa, Organization, RefreshReuse};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::stage::*;

const SAME: &str = "arn:aws:signin:::devtools/same-device";
const CROSS: &str = "arn:aws:signin:::devtools/cross-device";
const BACK: &str = "http://127.0.0.1:5000/oauth/callback";
const VERIFIER: &str = "a-verifier-of-at-least-forty-three-characters";

/// Alice is signed in to the console, and may let programs in.
fn start(change: impl FnOnce(&mut Organization)) -> Emulator {
    super::stage::start(|organization| {
        organization.console = Some(format!("arn:aws:iam::{AUTH}:user/alice"));
        permit(organization, allow("signin:*", "arn:aws:signin:*:*:oauth2/public-client/*"));
        change(organization);
    })
}

struct Client {
    key: EcdsaKeyPair,
    random: SystemRandom,
}

/// What a proof says that a test has a hand in.
struct Claims {
    method: &'static str,
    url: String,
    at: i64,
    id: String,
}

impl Client {
    fn new() -> Self {
        let random = SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        let key = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random).unwrap();
        Self { key, random }
    }

    fn claims(emulator: &Emulator) -> Claims {
        let mut id = [0; 16];
        getrandom::fill(&mut id).unwrap();
        let (url, at) = (emulator.url() + "/v1/token", emulator.now().as_second());
        Claims { method: "POST", url, at, id: hex::encode(id) }
    }

    fn proof(&self, claims: &Claims) -> String {
        let point = self.key.public_key().as_ref();
        let part = |value: Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let number = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
        let signed = [
            part(json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": {
                "kty": "EC", "crv": "P-256", "x": number(&point[1..33]), "y": number(&point[33..]),
            }})),
            part(json!({"htm": claims.method, "htu": claims.url, "iat": claims.at, "jti": claims.id})),
        ]
        .join(".");
        let signature = self.key.sign(&self.random, signed.as_bytes()).unwrap();
        format!("{signed}.{}", number(signature.as_ref()))
    }

    fn post(&self, emulator: &Emulator, body: &Value) -> Answer {
        post(emulator, Some(&self.proof(&Self::claims(emulator))), body)
    }

    /// Signs in, as far as the first keys.
    fn keys(&self, emulator: &Emulator) -> Value {
        let answer = self.post(emulator, &first(&code(emulator)));
        assert_eq!(answer.status, 200, "{answer:?}");
        serde_json::from_str(&answer.body).unwrap()
    }

    fn renew(&self, emulator: &Emulator, token: &Value) -> Answer {
        self.post(emulator, &next(token))
    }
}

fn post(emulator: &Emulator, proof: Option<&str>, body: &Value) -> Answer {
    let mut headers = vec![("Content-Type", "application/json")];
    headers.extend(proof.map(|proof| ("DPoP", proof)));
    visit("POST", &(emulator.url() + "/v1/token"), &headers, &body.to_string())
}

fn first(code: &str) -> Value {
    json!({
        "clientId": SAME, "grantType": "authorization_code", "code": code,
        "codeVerifier": VERIFIER, "redirectUri": BACK,
    })
}

fn next(token: &Value) -> Value {
    json!({"clientId": SAME, "grantType": "refresh_token", "refreshToken": token})
}

/// The fields of the authorization URL, some of them changed.
fn authorize(emulator: &Emulator, changes: &[(&str, &str)]) -> Answer {
    let challenge = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER));
    let fields = [
        ("response_type", "code"),
        ("client_id", SAME),
        ("state", "a state"),
        ("code_challenge_method", "SHA-256"),
        ("scope", "openid"),
        ("redirect_uri", BACK),
        ("code_challenge", &challenge),
    ];
    let query: Vec<String> = fields
        .iter()
        .map(|(name, value)| {
            let changed = changes.iter().find(|(other, _)| other == name);
            let value = changed.map_or(*value, |(_, value)| value);
            let value = value.replace(':', "%3A").replace('/', "%2F").replace(' ', "%20");
            format!("{name}={value}")
        })
        .collect();
    visit("GET", &format!("{}/v1/authorize?{}", emulator.url(), query.join("&")), &[], "")
}

fn code(emulator: &Emulator) -> String {
    let answer = authorize(emulator, &[]);
    let to = answer.header("location").unwrap_or_else(|| panic!("{answer:?}"));
    let query = to.strip_prefix(BACK).unwrap().strip_prefix("?code=").unwrap();
    let (code, state) = query.split_once("&state=").unwrap();
    assert_eq!((answer.status, state), (302, "a%20state"));
    code.replace("%2B", "+").replace("%2F", "/")
}

/// Status, `error` and the header that AWS's own clients read.
fn refusal(answer: &Answer) -> (u16, String, String) {
    let body: Value = serde_json::from_str(&answer.body).unwrap();
    assert!(body["message"].is_string(), "{body}");
    let kind = answer.header("x-amzn-errortype").unwrap_or_default().to_owned();
    (answer.status, body["error"].as_str().unwrap_or_default().to_owned(), kind)
}

fn credentials(answer: &Value) -> Credentials {
    let keys = &answer["accessToken"];
    let text = |name: &str| keys[name].as_str().unwrap().to_owned();
    let token = text("sessionToken");
    Credentials::new(text("accessKeyId"), text("secretAccessKey"), Some(token), None, "test")
}

#[test]
fn the_keys_of_a_sign_in_are_those_of_a_user_without_mfa() {
    let emulator = start(|organization| {
        organization.quirks.skew = Duration::from_hours(48);
    });
    let client = Client::new();
    let answer = client.keys(&emulator);
    assert_eq!((&answer["tokenType"], &answer["expiresIn"]), (&json!("aws_sigv4"), &json!(900)));
    let id_token = answer["idToken"].as_str().unwrap();
    let claims = BASE64_URL_SAFE_NO_PAD.decode(id_token.split('.').nth(1).unwrap()).unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    assert_eq!(claims["sub"], format!("arn:aws:iam::{AUTH}:user/alice"));
    run(async {
        let signed_in = sts(&emulator, credentials(&answer));
        let me = signed_in.get_caller_identity().send().await.unwrap();
        assert_eq!(me.arn(), claims["sub"].as_str());
        let refused = signed_in.get_session_token().send().await;
        assert!(why(refused).2.starts_with("Cannot call GetSessionToken"), "a session is no key");
        let enter = || signed_in.assume_role().role_arn(ROLE).role_session_name("alice");
        assert_eq!(why(enter().send().await).1, "AccessDenied");
        let with_code = || enter().serial_number(PHONE).token_code(emulator.code(PHONE).unwrap());
        let long = with_code().duration_seconds(3601).send().await;
        assert!(why(long).2.contains("1 hour session limit"));
        emulator.advance(Duration::from_secs(30));
        with_code().send().await.unwrap();
        emulator.advance(Duration::from_mins(15));
        assert_eq!(why(signed_in.get_caller_identity().send().await).1, "ExpiredToken");
        // Renewed, for as long as the sign-in is.
        let renewed = client.renew(&emulator, &answer["refreshToken"]);
        let renewed: Value = serde_json::from_str(&renewed.body).unwrap();
        assert!(
            renewed.get("idToken").is_none() && renewed["refreshToken"] != answer["refreshToken"]
        );
        sts(&emulator, credentials(&renewed)).get_caller_identity().send().await.unwrap();
        emulator.advance(Duration::from_hours(12));
        let over = client.renew(&emulator, &renewed["refreshToken"]);
        assert_eq!(refusal(&over), (401, "TOKEN_EXPIRED".into(), "AccessDeniedException".into()));
    });
}

#[test]
fn mfa_is_carried_into_trust_policies_where_aws_turns_out_to_do_that() {
    let emulator = start(|organization| organization.quirks.login_mfa = LoginMfa::Carried);
    let answer = Client::new().keys(&emulator);
    run(async {
        let signed_in = sts(&emulator, credentials(&answer));
        signed_in.assume_role().role_arn(ROLE).role_session_name("alice").send().await.unwrap();
    });
}

#[test]
fn an_authorization_url_is_taken_only_as_it_is_documented() {
    let emulator = start(|_| {});
    for change in [
        ("response_type", "token"),
        ("client_id", "arn:aws:signin:::devtools/other"),
        ("client_id", CROSS),
        ("code_challenge_method", "S256"),
        ("scope", "profile"),
        ("redirect_uri", "http://localhost:5000/oauth/callback"),
        ("redirect_uri", "http://127.0.0.1/oauth/callback"),
        ("redirect_uri", "http://127.0.0.1:5000/elsewhere"),
        ("redirect_uri", "https://evil.example/oauth/callback"),
        ("code_challenge", "short"),
        ("state", ""),
    ] {
        let answer = authorize(&emulator, &[change]);
        assert_eq!((answer.status, answer.header("location")), (400, None), "{change:?}");
    }
    emulator.with(|organization| organization.console = None);
    assert_eq!(authorize(&emulator, &[]).status, 400, "nobody is signed in");
    // The remote form ends at a page that shows what to paste.
    emulator.with(|organization| organization.console = Some(format!("arn:aws:iam::{AUTH}:root")));
    let page = emulator.url() + "/v1/sessions/confirmation";
    let remote = authorize(&emulator, &[("client_id", CROSS), ("redirect_uri", &page)]);
    let shown = visit("GET", remote.header("location").unwrap(), &[], "").body;
    let copied = shown.split("<pre id=\"code\">").nth(1).unwrap().split('<').next().unwrap();
    let text = String::from_utf8(BASE64_STANDARD.decode(copied).unwrap()).unwrap();
    assert!(text.starts_with("state=a%20state&code="), "{text}");
}

#[test]
fn a_user_needs_the_permissions_for_it() {
    let emulator = super::stage::start(|organization| {
        organization.console = Some(format!("arn:aws:iam::{AUTH}:user/alice"));
    });
    assert_eq!(authorize(&emulator, &[]).status, 400);
    let here = "arn:aws:signin:*:*:oauth2/public-client/localhost";
    emulator.with(|organization| permit(organization, allow("signin:*", here)));
    let client = Client::new();
    let answer = client.keys(&emulator);
    emulator.with(|organization| organization.user("alice").unwrap().policies.clear());
    let refused = client.renew(&emulator, &answer["refreshToken"]);
    assert_eq!(
        refusal(&refused),
        (403, "INSUFFICIENT_PERMISSIONS".into(), "AccessDeniedException".into())
    );
}

#[test]
fn a_code_works_once_for_whoever_asked_for_it() {
    let emulator = start(|_| {});
    let client = Client::new();
    let malformed = (400, "INVALID_REQUEST".to_owned(), "ValidationException".to_owned());
    for (field, other) in [
        ("codeVerifier", "another-verifier-of-at-least-forty-three-characters"),
        ("redirectUri", "http://127.0.0.1:5001/oauth/callback"),
        ("clientId", CROSS),
        ("grantType", "password"),
    ] {
        let mut body = first(&code(&emulator));
        body[field] = other.into();
        assert_eq!(refusal(&client.post(&emulator, &body)), malformed, "{field}");
    }
    let expired = (401, "AUTHCODE_EXPIRED".to_owned(), "AccessDeniedException".to_owned());
    let once = code(&emulator);
    assert_eq!(client.post(&emulator, &first(&once)).status, 200);
    assert_eq!(refusal(&client.post(&emulator, &first(&once))), expired);
    let late = code(&emulator);
    emulator.advance(Duration::from_mins(5));
    assert_eq!(refusal(&client.post(&emulator, &first(&late))), expired);
}

#[test]
fn every_request_is_proved_with_the_key_that_signed_in() {
    let emulator = start(|_| {});
    let client = Client::new();
    let token = client.keys(&emulator)["refreshToken"].clone();
    let kind = "ValidationException".to_owned();
    let malformed = (400, "INVALID_REQUEST".to_owned(), kind);
    let with = |change: &dyn Fn(&mut Claims)| {
        let mut claims = Client::claims(&emulator);
        change(&mut claims);
        refusal(&post(&emulator, Some(&client.proof(&claims)), &next(&token)))
    };
    assert_eq!(refusal(&post(&emulator, None, &next(&token))), malformed);
    assert_eq!(refusal(&post(&emulator, Some("a.b.c"), &next(&token))), malformed);
    assert_eq!(with(&|claims| claims.method = "GET"), malformed);
    assert_eq!(with(&|claims| claims.url = "https://evil.example/v1/token".into()), malformed);
    for off in [-310, 310] {
        assert_eq!(with(&|claims| claims.at += off).1, "TOKEN_EXPIRED");
    }
    let other = Client::new();
    assert_eq!(refusal(&other.renew(&emulator, &token)), malformed, "a stolen token");
    // A proof of one key with the signature of another.
    let claims = Client::claims(&emulator);
    let (mine, theirs) = (client.proof(&claims), other.proof(&claims));
    let forged =
        format!("{}.{}", mine.rsplit_once('.').unwrap().0, theirs.rsplit_once('.').unwrap().1);
    assert_eq!(refusal(&post(&emulator, Some(&forged), &next(&token))), malformed);
    // A proof works once.
    let proof = client.proof(&Client::claims(&emulator));
    assert_eq!(post(&emulator, Some(&proof), &next(&token)).status, 200);
    assert_eq!(refusal(&post(&emulator, Some(&proof), &next(&token))), malformed);
}

#[test]
fn a_used_refresh_token_is_answered_alike_or_refused() {
    for reuse in [RefreshReuse::Replayed, RefreshReuse::Refused] {
        let emulator = start(|organization| organization.quirks.refresh_reuse = reuse);
        let client = Client::new();
        let old = client.keys(&emulator)["refreshToken"].clone();
        let answer = client.renew(&emulator, &old);
        let again = client.renew(&emulator, &old);
        match reuse {
            RefreshReuse::Replayed => assert_eq!(again.body, answer.body),
            RefreshReuse::Refused => assert_eq!(refusal(&again).1, "INVALID_REQUEST"),
        }
    }
}
