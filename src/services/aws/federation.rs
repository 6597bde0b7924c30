//! Console federation: exchanges a role session for a sign-in token, by POST, so that no URL contains a secret.
//!
//! Errors never include a part of the request or of the response: both contain secrets.

use std::time::Duration;

use aws_smithy_runtime_api::client::http::HttpConnector;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::{ConnectorError, SdkError};
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::error::ErrorMetadata;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{Aws, CALL, Doing, Failure};
use crate::domain::fault::{Exit, Fault};
use crate::domain::ids::Partition;
use crate::domain::secret::{Credentials, Secret};
use crate::domain::text::percent_encoded;
use crate::services::console::{FormerSession, Site};

/// Far more than a session needs.
const MAX_BYTES: usize = 32 * 1024;

#[derive(Serialize)]
struct FederationSession<'a> {
    #[serde(rename = "sessionId")]
    id: &'a str,
    #[serde(rename = "sessionKey")]
    key: &'a str,
    #[serde(rename = "sessionToken")]
    token: &'a str,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SigninResponse {
    signin_token: String,
}

impl Aws {
    /// A partition's console; with an emulator, the emulator signs in. Hosts come only from `auth.endpoint_url` and the
    /// partition table.
    pub fn console(&self, partition: Partition, former: FormerSession) -> Result<Site, Fault> {
        let hosts = partition.console_hosts().ok_or_else(|| {
            Fault::new(
                Exit::Usage,
                format!("the partition {} has no public sign-in endpoint", partition.name()),
            )
            .fix("use the console's own switch-role page")
        })?;
        let (sign_in, console) = match former {
            FormerSession::Kept => hosts,
            FormerSession::SignedOut => {
                let host = partition.sign_out_host().ok_or_else(|| {
                    Fault::new(
                        Exit::Usage,
                        format!("`--sign-out` does not work in partition {}", partition.name()),
                    )
                    .fix("sign out in the browser, then try without --sign-out")
                })?;
                (host, hosts.1)
            }
        };
        let emulator = self.endpoint.as_deref().filter(|_| !self.is_aws(partition));
        Ok(Site {
            sign_in: emulator.map_or_else(
                || format!("https://{sign_in}"),
                |url| url.trim_end_matches('/').to_owned(),
            ),
            console: format!("https://{console}"),
        })
    }

    /// Exchanges a role session for a sign-in token, good for 15 minutes.
    ///
    /// `life` is how long the console session lasts, 15 min to 12 h. AWS accepts it only for role sessions of the direct
    /// flow; without it the console session ends with the role session.
    pub async fn sign_in_token(
        &self,
        site: &Site,
        session: &Credentials,
        life: Option<Duration>,
    ) -> Result<Secret, Fault> {
        let request = request(site, session, life).ok_or_else(|| garbled(None))?;
        let sent = tokio::time::timeout(CALL, self.connector.call(request))
            .await
            .unwrap_or_else(|elapsed| Err(ConnectorError::timeout(elapsed.into())));
        let response = sent.map_err(|error| {
            let error = SdkError::<ErrorMetadata, _>::dispatch_failure(error);
            Failure::of(&error).fault(Doing::Asking)
        })?;
        if !response.status().is_success() {
            return Err(garbled(Some(response.status().as_u16())));
        }
        let text = response.body().bytes().unwrap_or_default();
        let answer: SigninResponse = serde_json::from_slice(text).map_err(|_| garbled(None))?;
        let token = Secret::new(answer.signin_token);
        if token.is_printable() { Ok(token) } else { Err(garbled(None)) }
    }
}

fn request(site: &Site, session: &Credentials, life: Option<Duration>) -> Option<HttpRequest> {
    let mut text = Zeroizing::new(Vec::with_capacity(MAX_BYTES));
    let session = FederationSession {
        id: session.id.as_str(),
        key: session.secret.expose(),
        token: session.token.expose(),
    };
    serde_json::to_writer(&mut *text, &session).ok()?;
    let mut form = String::with_capacity(3 * MAX_BYTES);
    form.push_str("Action=getSigninToken");
    if let Some(life) = life {
        form.push_str("&SessionDuration=");
        form.push_str(&life.as_secs().to_string());
    }
    form.push_str("&Session=");
    form.extend(percent_encoded(std::str::from_utf8(&text).ok()?));
    let mut request = HttpRequest::new(SdkBody::from(form));
    request.set_method("POST").ok()?;
    request.set_uri(site.federation()).ok()?;
    let length = request.body().content_length()?.to_string();
    let headers = request.headers_mut();
    headers.insert("content-type", "application/x-www-form-urlencoded");
    headers.insert("content-length", length);
    Some(request)
}

fn garbled(status: Option<u16>) -> Fault {
    let fault = match status {
        Some(status) => Fault::new(Exit::Refused, "the console does not accept this session")
            .detail(format!("the federation endpoint answered with HTTP {status}")),
        None => Fault::new(Exit::Fault, "the console's response cannot be understood"),
    };
    fault
        .because("the session has expired, or a session policy allows it nothing")
        .because("a proxy on the way answered instead")
        .fix("renew the session (`^R` in the list), then try again")
}
