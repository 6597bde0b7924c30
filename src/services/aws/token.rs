//! The token endpoint of the console's sign-in: a code, or a refresh token, for keys of a quarter of an hour.

use std::io;
use std::time::Duration;

use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use jiff::{SignedDuration, Timestamp};

use crate::domain::fault::{Exit, Fault};
use crate::domain::ids::Region;
use crate::domain::secret::{Credentials, Secret};
use crate::services::login::protocol::{Tokens, token_url};

use super::answer::Received;
use super::request::AGENT;
use super::{Aws, Failure, FailureKind, PAUSES};

/// The longest that keys are good for.
const KEYS: Duration = Duration::from_mins(15);

/// What a request to the token endpoint got.
pub struct Granted {
    /// The keys.
    pub keys: Received,
    /// What the next ones are asked for with.
    pub refresh: Secret,
    /// Who signed in, an ARN as AWS sent it; only for a code.
    pub subject: Option<String>,
}

/// Whether a request may be sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tries {
    /// A code works once.
    Once,
    /// A refresh token gets the same answer again.
    Several,
}

impl Aws {
    /// Where a region signs in: `https://REGION.signin.aws.amazon.com`; an emulator does it itself.
    pub fn sign_in_site(&self, region: &Region) -> Result<String, Fault> {
        let partition = region.partition();
        if let Some(url) = self.endpoint.as_deref().filter(|_| !self.is_aws(partition)) {
            return Ok(url.trim_end_matches('/').to_owned());
        }
        if self.endpoints.is_fips() {
            return Err(Fault::new(Exit::Usage, "the console's sign-in is not called with FIPS")
                .because("AWS_USE_FIPS_ENDPOINT is set, and no FIPS host for it is documented")
                .fix("use an access key: `auth.key: auto`, then `sekisho key add`"));
        }
        Ok(format!("https://{region}.{}", partition.sign_in_suffix()))
    }

    /// Asks a site's token endpoint. `prove` makes a new proof of possession for a time by AWS's clock.
    pub async fn token(
        &self,
        site: &str,
        body: &Secret,
        prove: impl Fn(&str, Timestamp) -> io::Result<String>,
        tries: Tries,
    ) -> Result<Granted, Failure> {
        let url = token_url(site);
        let mut ahead = SignedDuration::ZERO;
        let mut pauses = PAUSES.into_iter();
        loop {
            let proof = prove(&url, Timestamp::now() - ahead)
                .map_err(|error| Failure::garbled("nothing").because(&error.to_string()))?;
            let failure = match self.ask_for_token(&url, body, &proof).await {
                Ok(granted) => return Ok(granted),
                Err(failure) => failure,
            };
            match (tries, failure.kind, failure.skew) {
                (Tries::Several, FailureKind::Busy, _) => match pauses.next() {
                    Some(pause) => tokio::time::sleep(pause).await,
                    None => return Err(failure),
                },
                // By a clock that is off, every proof is too old.
                (
                    Tries::Several,
                    FailureKind::SignInOver | FailureKind::SignInRefused,
                    Some(skew),
                ) if ahead.is_zero() => ahead = skew,
                _ => return Err(failure),
            }
        }
    }

    async fn ask_for_token(
        &self,
        url: &str,
        body: &Secret,
        proof: &str,
    ) -> Result<Granted, Failure> {
        let garbled = || Failure::garbled("signin:CreateOAuth2Token");
        let request = request(url, body, proof).ok_or_else(garbled)?;
        let response = self.raw().send_accepted(request).await?;
        let tokens = Tokens::read(response.body().bytes().unwrap_or_default());
        let tokens = tokens.ok_or_else(garbled)?;
        let credentials = Credentials {
            id: tokens.id.parse().map_err(|_| garbled())?,
            secret: tokens.secret,
            token: tokens.token,
            expires: Timestamp::now() + SignedDuration::from_secs(tokens.seconds),
        };
        let (refresh, subject) = (tokens.refresh, tokens.subject);
        let call = "signin:CreateOAuth2Token";
        let keys = Received::of(credentials, KEYS, self.sender(), call);
        Ok(Granted { keys, refresh, subject })
    }
}

fn request(url: &str, body: &Secret, proof: &str) -> Option<HttpRequest> {
    let mut request = HttpRequest::new(SdkBody::from(body.expose()));
    request.set_method("POST").ok()?;
    request.set_uri(url).ok()?;
    let length = request.body().content_length()?.to_string();
    let headers = request.headers_mut();
    headers.insert("content-type", "application/json");
    headers.insert("content-length", length);
    headers.insert("dpop", proof.to_owned());
    headers.insert("user-agent", AGENT);
    Some(request)
}
