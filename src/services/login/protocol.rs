//! The protocol of a console sign-in for a program: what the browser is sent with and brings back, what the token endpoint is
//! asked and answers. OAuth 2.0 with PKCE (RFC 7636), and with keys that are bound to a proof of possession (RFC 9449).
//!
//! AWS's own words for it differ from the RFCs' here and there; `docs/aws-facts.md` §10 has the sources.

use std::io;

use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use base64::engine::{DecodePaddingMode, Engine};
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::Timestamp;
use percent_encoding::percent_decode_str;
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::domain::secret::Secret;
use crate::domain::text::{percent_encoded, sanitize};

/// Where a browser comes back to on this machine.
pub const CALLBACK: &str = "/oauth/callback";

/// How the person comes back from the browser. AWS knows a client for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Client {
    /// The browser runs on this machine, and is redirected to a port of it.
    SameDevice,
    /// It runs elsewhere, and shows a code to paste.
    CrossDevice,
}

impl Client {
    const fn id(self) -> &'static str {
        match self {
            Self::SameDevice => "arn:aws:signin:::devtools/same-device",
            Self::CrossDevice => "arn:aws:signin:::devtools/cross-device",
        }
    }
}

/// Why what came back is no code.
#[derive(Debug, PartialEq, Eq)]
pub enum NoCode {
    /// It does not belong to this sign-in.
    Foreign,
    /// AWS, or the person, said no: in AWS's words, sanitized.
    Refused(String),
}

/// One sign-in: what is random about it, and where it leads.
pub struct Attempt {
    client: Client,
    site: String,
    redirect: String,
    verifier: Secret,
    state: Secret,
}

impl Attempt {
    /// A sign-in at a site (`https://REGION.signin.aws.amazon.com`) by a browser that comes back to a port of this machine.
    /// The verifier and the state are random, of 43 to 128 unreserved characters.
    pub fn here(site: &str, port: u16, verifier: Secret, state: Secret) -> Self {
        let redirect = format!("http://127.0.0.1:{port}{CALLBACK}");
        Self { client: Client::SameDevice, site: site.to_owned(), redirect, verifier, state }
    }

    /// The same by a browser elsewhere.
    pub fn elsewhere(site: &str, verifier: Secret, state: Secret) -> Self {
        let redirect = format!("{site}/v1/sessions/confirmation");
        Self { client: Client::CrossDevice, site: site.to_owned(), redirect, verifier, state }
    }

    /// Which client signs in.
    pub fn client(&self) -> Client {
        self.client
    }

    /// The URL for the browser. It signs nobody in by itself.
    pub fn url(&self) -> String {
        let challenge =
            BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(self.verifier.expose().as_bytes()));
        let mut url = self.site.clone();
        url.push_str("/v1/authorize?response_type=code&client_id=");
        url.extend(percent_encoded(self.client.id()));
        url.push_str("&state=");
        url.extend(percent_encoded(self.state.expose()));
        url.push_str("&code_challenge_method=SHA-256&scope=openid&redirect_uri=");
        url.extend(percent_encoded(&self.redirect));
        url.push_str("&code_challenge=");
        url.push_str(&challenge);
        url
    }

    /// The code in the query that the browser comes back with.
    pub fn code(&self, query: &str) -> Result<Secret, NoCode> {
        let field = |name: &str| {
            query.split('&').find_map(|pair| {
                let (field, value) = pair.split_once('=')?;
                let bytes = percent_decode_str(&value.replace('+', " ")).collect::<Vec<u8>>();
                (field == name).then(|| Secret::new(String::from_utf8_lossy(&bytes).into_owned()))
            })
        };
        if !field("state").is_some_and(|given| given.same_as(&self.state)) {
            return Err(NoCode::Foreign);
        }
        match (field("error"), field("code")) {
            (None, Some(code)) if code.is_printable() && code.expose().len() <= 512 => Ok(code),
            (Some(error), _) => Err(NoCode::Refused(sanitize(error.expose()))),
            _ => Err(NoCode::Foreign),
        }
    }

    /// The code in what a person pasted: base64 of such a query, in any of its spellings.
    pub fn pasted(&self, text: &Secret) -> Result<Secret, NoCode> {
        const ANY: GeneralPurposeConfig = GeneralPurposeConfig::new()
            .with_decode_padding_mode(DecodePaddingMode::Indifferent)
            .with_decode_allow_trailing_bits(true);
        let joined: Zeroizing<String> =
            Zeroizing::new(text.expose().chars().filter(|c| !c.is_whitespace()).collect());
        let decoded = [&STANDARD, &URL_SAFE]
            .into_iter()
            .find_map(|letters| GeneralPurpose::new(letters, ANY).decode(&*joined).ok());
        let decoded = decoded.map(Zeroizing::new).ok_or(NoCode::Foreign)?;
        self.code(std::str::from_utf8(&decoded).map_err(|_| NoCode::Foreign)?)
    }

    /// The request that exchanges the code for the first keys.
    pub fn exchange(&self, code: &Secret) -> Secret {
        body(&json!({
            "clientId": self.client.id(),
            "grantType": "authorization_code",
            "code": code.expose(),
            "codeVerifier": self.verifier.expose(),
            "redirectUri": self.redirect,
        }))
    }
}

/// The request for the next keys.
pub fn renewal(client: Client, refresh: &Secret) -> Secret {
    body(&json!({
        "clientId": client.id(),
        "grantType": "refresh_token",
        "refreshToken": refresh.expose(),
    }))
}

fn body(fields: &serde_json::Value) -> Secret {
    Secret::new(fields.to_string())
}

/// The URL of a site's token endpoint.
pub fn token_url(site: &str) -> String {
    format!("{site}/v1/token")
}

/// The key that a sign-in's tokens are bound to.
pub struct ProofKey {
    pair: Box<EcdsaKeyPair>, // on the heap, which is wiped when it is freed
    pkcs8: Zeroizing<Vec<u8>>,
}

impl ProofKey {
    /// A new one.
    pub fn generate() -> io::Result<Self> {
        let failed = |_| io::Error::other("the system's random number generator does not work");
        let pkcs8 =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())
                .map_err(failed)?;
        Self::from_pkcs8(pkcs8.as_ref()).ok_or_else(|| io::Error::other("a new key cannot be read"))
    }

    /// One that was stored.
    pub fn from_pkcs8(bytes: &[u8]) -> Option<Self> {
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, bytes, &SystemRandom::new()).ok()?;
        Some(Self { pair: Box::new(pair), pkcs8: Zeroizing::new(bytes.to_vec()) })
    }

    /// What is stored of it.
    pub fn pkcs8(&self) -> &[u8] {
        &self.pkcs8
    }

    /// Proves its possession for one `POST` to a URL, at a time by AWS's clock. No two proofs are the same.
    pub fn proof(&self, url: &str, at: Timestamp) -> io::Result<String> {
        let no_random = |_| io::Error::other("the system's random number generator does not work");
        let mut id = [0; 16];
        SystemRandom::new().fill(&mut id).map_err(no_random)?;
        // Uncompressed: a four, then both coordinates.
        let point = self.pair.public_key().as_ref();
        let (x, y) = point.get(1..).unwrap_or_default().split_at(point.len() / 2);
        let number = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
        let header = json!({
            "typ": "dpop+jwt",
            "alg": "ES256",
            "jwk": { "kty": "EC", "crv": "P-256", "x": number(x), "y": number(y) },
        });
        let claims =
            json!({ "htm": "POST", "htu": url, "iat": at.as_second(), "jti": hex::encode(id) });
        let part = |json: &serde_json::Value| number(json.to_string().as_bytes());
        let signed = format!("{}.{}", part(&header), part(&claims));
        let signature =
            self.pair.sign(&SystemRandom::new(), signed.as_bytes()).map_err(no_random)?;
        Ok(format!("{signed}.{}", number(signature.as_ref())))
    }
}

/// What the token endpoint answered.
pub struct Tokens {
    /// The key id of the new keys.
    pub id: String,
    /// Their secret access key.
    pub secret: Secret,
    /// Their session token.
    pub token: Secret,
    /// How many seconds they are good for.
    pub seconds: i64,
    /// What the next keys are asked for with.
    pub refresh: Secret,
    /// Who signed in, an ARN as AWS sent it; only beside the first keys.
    pub subject: Option<String>,
}

impl Tokens {
    /// Reads an answer; `None` where it is none.
    pub fn read(text: &[u8]) -> Option<Self> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Keys {
            access_key_id: String,
            secret_access_key: String,
            session_token: String,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Answer {
            access_token: Keys,
            expires_in: i64,
            refresh_token: String,
            id_token: Option<String>,
        }
        let answer: Answer = serde_json::from_slice(text).ok()?;
        let refresh = Secret::new(answer.refresh_token);
        let id_token = answer.id_token.map(Secret::new);
        let fits = (1..=900).contains(&answer.expires_in) && refresh.is_printable();
        fits.then(|| Self {
            id: answer.access_token.access_key_id,
            secret: Secret::new(answer.access_token.secret_access_key),
            token: Secret::new(answer.access_token.session_token),
            seconds: answer.expires_in,
            refresh,
            subject: id_token.as_ref().and_then(subject),
        })
    }
}

/// Whose identity token it is. Its signature is not checked, as AWS's own clients do not: TLS brought it from AWS, and the
/// keys beside it are asked whose they are.
fn subject(id_token: &Secret) -> Option<String> {
    #[derive(Deserialize)]
    struct Claims {
        sub: String,
    }
    let claims = id_token.expose().split('.').nth(1)?;
    let claims = BASE64_URL_SAFE_NO_PAD.decode(claims.trim_end_matches('=')).ok()?;
    let claims: Claims = serde_json::from_slice(&claims).ok()?;
    Some(claims.sub)
}

#[cfg(test)]
mod tests {
    use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE};
    use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
    use serde_json::Value;

    use super::*;

    const SITE: &str = "https://us-east-1.signin.aws.amazon.com";

    fn secret(text: &str) -> Secret {
        Secret::new(text.into())
    }

    fn here() -> Attempt {
        Attempt::here(
            SITE,
            5000,
            secret("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
            secret("s+1"),
        )
    }

    #[test]
    fn the_url_is_that_of_awss_own_client() {
        assert_eq!(
            here().url(),
            "https://us-east-1.signin.aws.amazon.com/v1/authorize?response_type=code&client_id=arn%3Aaws%3Asignin\
             %3A%3A%3Adevtools%2Fsame-device&state=s%2B1&code_challenge_method=SHA-256&scope=openid&redirect_uri=\
             http%3A%2F%2F127.0.0.1%3A5000%2Foauth%2Fcallback&code_challenge=\
             E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", // the challenge is RFC 7636's own example
        );
        let elsewhere = Attempt::elsewhere(SITE, secret("v"), secret("s"));
        let url = elsewhere.url();
        let back = "redirect_uri=https%3A%2F%2Fus-east-1.signin.aws.amazon.com%2Fv1%2Fsessions%2Fconfirmation&";
        assert!(url.contains("devtools%2Fcross-device&") && url.contains(back));
    }

    #[test]
    fn a_code_is_taken_only_with_the_state_of_this_sign_in() {
        let attempt = here();
        let code = |query: &str| attempt.code(query).map(|code| code.expose().to_owned());
        assert_eq!(code("code=a%2Fb&state=s%2B1"), Ok("a/b".into()));
        assert_eq!(code("state=s%2B1&code=x"), Ok("x".into()));
        let refused = NoCode::Refused("access_denied".into());
        assert_eq!(code("error=access_denied&state=s%2B1"), Err(refused));
        for foreign in [
            "",
            "code=x",
            "code=x&state=",
            "code=x&state=s+1",
            "code=x&state=s%2B12",
            "error=access_denied",
            "state=s%2B1",
            "state=s%2B1&code=",
            "state=s%2B1&code=a%0Ab",
            "state=other&state=s%2B1&code=x",
        ] {
            assert_eq!(code(foreign), Err(NoCode::Foreign), "{foreign}");
        }
        let long = format!("state=s%2B1&code={}", "x".repeat(513));
        assert_eq!(code(&long), Err(NoCode::Foreign));
    }

    #[test]
    fn a_paste_is_read_however_it_was_copied() {
        let attempt = here();
        let text = "state=s%2B1&code=x~?";
        let whole = BASE64_STANDARD.encode(text);
        for pasted in [
            whole.clone(),
            format!("  {whole}\n"),
            format!("{} {}", &whole[..9], &whole[9..]),
            whole.trim_end_matches('=').to_owned(),
            BASE64_URL_SAFE.encode(text),
        ] {
            let code = attempt.pasted(&secret(&pasted)).ok().unwrap();
            assert_eq!(code.expose(), "x~?", "{pasted}");
        }
        let other = BASE64_STANDARD.encode("state=other&code=x");
        for wrong in ["", "x", "!!!!", &other, "https://evil.example/?code=x"] {
            assert_eq!(attempt.pasted(&secret(wrong)).err(), Some(NoCode::Foreign), "{wrong}");
        }
    }

    #[test]
    fn a_proof_is_what_the_rfc_asks_for_and_the_stored_key_is_the_same() {
        let key = ProofKey::generate().unwrap();
        let again = ProofKey::from_pkcs8(key.pkcs8()).unwrap();
        assert_eq!(key.pkcs8().len(), 138);
        let at = Timestamp::from_second(1_800_000_000).unwrap();
        let proof = again.proof(&token_url(SITE), at).unwrap();
        assert_ne!(again.proof(&token_url(SITE), at).unwrap(), proof, "each is another");
        let parts: Vec<&str> = proof.split('.').collect();
        let bytes = |at: usize| BASE64_URL_SAFE_NO_PAD.decode(parts[at]).unwrap();
        let (header, mut claims): (Value, Value) = (
            serde_json::from_slice(&bytes(0)).unwrap(),
            serde_json::from_slice(&bytes(1)).unwrap(),
        );
        assert_eq!((&header["typ"], &header["alg"]), (&json!("dpop+jwt"), &json!("ES256")));
        assert_eq!(claims["jti"].take().as_str().map(str::len), Some(32));
        assert_eq!(
            claims,
            json!({"htm": "POST", "htu": format!("{SITE}/v1/token"), "iat": 1_800_000_000, "jti": null})
        );
        let number = |name: &str| {
            BASE64_URL_SAFE_NO_PAD.decode(header["jwk"][name].as_str().unwrap()).unwrap()
        };
        let point = [vec![4], number("x"), number("y")].concat();
        assert_eq!(point.as_slice(), key.pair.public_key().as_ref());
        let signed = proof.rsplit_once('.').unwrap().0;
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &point)
            .verify(signed.as_bytes(), &bytes(2))
            .unwrap();
    }

    #[test]
    fn an_answer_is_read_or_is_none() {
        let claims = BASE64_URL_SAFE_NO_PAD.encode(r#"{"sub":"arn:aws:iam::1:user/x","exp":1}"#);
        let mut answer = json!({
            "accessToken": {"accessKeyId": "ASIA", "secretAccessKey": "s", "sessionToken": "t"},
            "tokenType": "aws_sigv4", "expiresIn": 900, "refreshToken": "r",
            "idToken": format!("h.{claims}.s"),
        });
        let read = |answer: &Value| Tokens::read(answer.to_string().as_bytes());
        let tokens = read(&answer).unwrap();
        assert_eq!((tokens.id.as_str(), tokens.seconds), ("ASIA", 900));
        assert!(tokens.refresh.is(b"r") && tokens.secret.is(b"s") && tokens.token.is(b"t"));
        assert_eq!(tokens.subject.as_deref(), Some("arn:aws:iam::1:user/x"));
        for id_token in ["", "x", "a.b.c", "a.!.c"] {
            answer["idToken"] = id_token.into();
            assert_eq!(read(&answer).unwrap().subject, None, "{id_token}");
        }
        for (field, wrong) in [
            ("expiresIn", json!(0)),
            ("expiresIn", json!(901)),
            ("refreshToken", json!("")),
            ("refreshToken", Value::Null),
            ("accessToken", json!({})),
        ] {
            let mut answer = answer.clone();
            answer[field] = wrong;
            assert!(read(&answer).is_none(), "{field}");
        }
        assert!(Tokens::read(b"<html>").is_none());
    }
}
