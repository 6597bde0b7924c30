//! The web console: a role session is exchanged for a sign-in URL, which the browser gets without a trace.
//!
//! For 15 minutes, whoever has the URL can sign in with it. So the browser is started with a link to this process, which
//! redirects once: the URL is never in an argument list, where other users could read it.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_enable-console-custom-url.html>

pub mod browser;

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::request::Parts;
use http::{HeaderName, HeaderValue, StatusCode, header};
use tokio::sync::Notify;

use super::child::loopback::{self, HttpResponse, Port};
use crate::domain::ids::{Malformed, Region};
use crate::domain::secret::Secret;
use crate::domain::text::percent_encoded;

/// How long a link waits for the browser.
const LINK_TIMEOUT: Duration = Duration::from_mins(1);

/// Where to sign in: hosts of one partition, or of an emulator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// `https://signin.aws.amazon.com`
    pub sign_in: String,
    /// `https://console.aws.amazon.com`
    pub console: String,
}

impl Site {
    /// The URL of the federation endpoint.
    pub fn federation(&self) -> String {
        format!("{}/federation", self.sign_in)
    }

    /// The URL that signs a browser in and opens a service's page.
    pub fn url(
        &self,
        token: &Secret,
        region: Option<&Region>,
        service: Option<&Service>,
    ) -> Secret {
        let page = service.map_or("console", |service| service.0.as_str());
        let mut destination = format!("{}/{page}/home", self.console);
        if let Some(region) = region {
            destination.push_str("?region=");
            destination.push_str(region.as_str());
        }
        let mut url = String::with_capacity(16 * 1024); // large enough not to be reallocated, which would leave an unwiped copy
        url.push_str(&self.federation());
        url.push_str("?Action=login&Issuer=sekisho&Destination=");
        url.extend(percent_encoded(&destination));
        url.push_str("&SigninToken=");
        url.extend(percent_encoded(token.expose()));
        Secret::new(url)
    }
}

/// A page of the console, named as in its URL: `ec2`, `s3`, `cloudformation`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service(String);

impl std::str::FromStr for Service {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if !text.is_empty() && text.len() <= 64 && text.bytes().all(plain) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Malformed("expected a service as in the console's URL: ec2, s3, iam".into()))
        }
    }
}

/// A link to this process that redirects one browser of this user, once.
pub struct Link {
    port: Port,
    shared: Arc<Shared>,
}

struct Shared {
    path: Secret,
    /// Taken by the first request for the link.
    url: Mutex<Option<Secret>>,
    fetched: Notify,
}

/// Whether the browser fetched the link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fetched {
    /// It did, and was redirected.
    Yes,
    /// Not within a minute; the link no longer works.
    TooLate,
}

impl Link {
    /// A link that redirects to a URL.
    pub async fn to(url: Secret) -> io::Result<Self> {
        let shared =
            Shared { path: loopback::token()?, url: Mutex::new(Some(url)), fetched: Notify::new() };
        Ok(Self { port: Port::open().await?, shared: Arc::new(shared) })
    }

    /// The URL to start the browser with.
    pub fn address(&self) -> String {
        format!("http://{}/{}", self.port.address(), self.shared.path.expose())
    }

    /// Waits for the browser, up to a minute.
    pub async fn wait(self) -> Fetched {
        tokio::select! {
            never = self.port.run(&self.shared) => match never {},
            () = self.shared.fetched.notified() => Fetched::Yes,
            () = tokio::time::sleep(LINK_TIMEOUT) => Fetched::TooLate,
        }
    }
}

// Other users can read the link from the browser's arguments, but the port does not admit them.
impl loopback::Service for Shared {
    fn refusal(&self, parts: &Parts) -> Option<StatusCode> {
        // A browser sends `none` for a link opened by the user, and another value for one that a web page opened.
        let site = parts.headers.get("sec-fetch-site");
        if site.is_some_and(|site| site != "none") {
            return Some(StatusCode::FORBIDDEN);
        }
        let path = parts.uri.path().trim_start_matches('/');
        if !self.path.is(path.as_bytes()) {
            return Some(StatusCode::NOT_FOUND);
        }
        let url = self.url.lock().unwrap_or_else(PoisonError::into_inner);
        url.is_none().then_some(StatusCode::GONE)
    }

    async fn respond(&self, _: &Parts) -> HttpResponse {
        let url = self.url.lock().unwrap_or_else(PoisonError::into_inner).take();
        let location = url.and_then(|url| HeaderValue::from_str(url.expose()).ok());
        let Some(mut location) = location else {
            return loopback::status(StatusCode::GONE);
        };
        location.set_sensitive(true);
        let mut answer = loopback::status(StatusCode::SEE_OTHER);
        let headers = answer.headers_mut();
        headers.insert(header::LOCATION, location);
        let (name, value) = ("referrer-policy", HeaderValue::from_static("no-referrer"));
        headers.insert(HeaderName::from_static(name), value);
        answer
    }

    fn responded(&self) {
        self.fetched.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_carries_everything_encoded() {
        let site = Site {
            sign_in: "https://signin.aws.amazon.com".into(),
            console: "https://console.aws.amazon.com".into(),
        };
        let region: Region = "us-west-2".parse().unwrap();
        let service: Service = "ec2".parse().unwrap();
        let url = site.url(&Secret::new("a+b/c=".into()), Some(&region), Some(&service));
        assert_eq!(
            url.expose(),
            "https://signin.aws.amazon.com/federation?Action=login&Issuer=sekisho&Destination=\
             https%3A%2F%2Fconsole.aws.amazon.com%2Fec2%2Fhome%3Fregion%3Dus-west-2&SigninToken=a%2Bb%2Fc%3D"
        );
        for wrong in ["", "EC2", "a/b", "x?y", "a b"] {
            assert!(wrong.parse::<Service>().is_err(), "{wrong}");
        }
    }
}
