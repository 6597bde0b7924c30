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
use crate::domain::ids::{Malformed, Partition, Region};
use crate::domain::secret::Secret;
use crate::domain::text::percent_encoded;

/// How long a link to a console waits for the browser.
pub const LINK_TIMEOUT: Duration = Duration::from_mins(1);

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

    /// The URL that signs a browser in and opens a page.
    pub fn url(
        &self,
        token: &Secret,
        region: Option<&Region>,
        page: Option<&Page>,
    ) -> Result<Secret, Malformed> {
        let destination = self.destination(region, page)?;
        let mut url = String::with_capacity(16 * 1024); // large enough not to be reallocated, which would leave an unwiped copy
        url.push_str(&self.federation());
        url.push_str("?Action=login&Issuer=sekisho&Destination=");
        url.extend(percent_encoded(&destination));
        url.push_str("&SigninToken=");
        url.extend(percent_encoded(token.expose()));
        Ok(Secret::new(url))
    }

    /// The URL that signs a browser out, whoever it was, and leads on to one that signs it in. Undocumented by AWS.
    pub fn url_after_sign_out(&self, sign_in: &Secret) -> Secret {
        let mut url = String::with_capacity(48 * 1024); // as above
        url.push_str(&self.sign_in);
        url.push_str("/oauth?Action=logout&redirect_uri=");
        url.extend(percent_encoded(sign_in.expose()));
        Secret::new(url)
    }

    /// Where the browser is sent after the sign-in.
    fn destination(
        &self,
        region: Option<&Region>,
        page: Option<&Page>,
    ) -> Result<String, Malformed> {
        let path = match page {
            None => "console/home",
            Some(Page::Service(service)) => &format!("{service}/home"),
            Some(Page::Path(path)) => path,
            Some(Page::Url(url)) => {
                let own = self.console.strip_prefix("https://").unwrap_or(&self.console);
                return if is_below(url, own) {
                    Ok(url.clone())
                } else {
                    Err(Malformed(format!("this account's console is at {own}")))
                };
            }
        };
        let mut destination = format!("{}/{path}", self.console);
        let (before, _) = path.split_once('#').unwrap_or((path, ""));
        if let Some(region) = region.filter(|_| !before.contains("region=")) {
            let mark = if before.contains('?') { '&' } else { '?' };
            let at = self.console.len() + 1 + before.len();
            destination.insert_str(at, &format!("{mark}region={region}"));
        }
        Ok(destination)
    }
}

/// What becomes of the session that the browser has already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FormerSession {
    /// AWS decides: one of several, or replaced.
    Kept,
    /// It is signed out first.
    SignedOut,
}

/// A page of the console.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Page {
    /// A service's, named as in its URL: `ec2`, `s3`, `cloudformation`.
    Service(String),
    /// The rest of its URL: `systems-manager/parameters`.
    Path(String),
    /// All of its URL, at a host of the console's own.
    Url(String),
}

impl std::str::FromStr for Page {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        let is_plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let is_of_url =
            |b: u8| b.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&b);
        let expected = "expected a service as in the console's URL (ec2), a path (s3/buckets/x) or a URL of the console";
        if text.is_empty() || text.len() > 4096 || !text.bytes().all(is_of_url) {
            return Err(Malformed(expected.into()));
        }
        if text.contains("://") {
            let hosts = Partition::ALL.iter().filter_map(|partition| partition.console_hosts());
            return if hosts.into_iter().any(|(_, console)| is_below(text, console)) {
                Ok(Self::Url(text.to_owned()))
            } else {
                Err(Malformed("it is not an https URL of AWS's console".into()))
            };
        }
        let (path, _) = text.split_once(['?', '#']).unwrap_or((text, ""));
        let (first, _) = path.split_once('/').unwrap_or((path, ""));
        let leads_away = path.split('/').any(|part| matches!(part, "" | "." | ".."));
        if first.is_empty() || !first.bytes().all(is_plain) || leads_away {
            return Err(Malformed(expected.into()));
        }
        Ok(if path == text && first == path {
            Self::Service(text.to_owned())
        } else {
            Self::Path(text.to_owned())
        })
    }
}

/// Whether a URL leads to a host or to one below it: `https://eu-west-1.console.aws.amazon.com/…`.
fn is_below(url: &str, host: &str) -> bool {
    let Some(rest) = url.strip_prefix("https://") else { return false };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let named = &rest[..end];
    named.strip_suffix(host).is_some_and(|front| front.is_empty() || front.ends_with('.'))
        && named.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.')
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
    /// Not in time; the link no longer works.
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

    /// Waits for the browser, for so long.
    pub async fn wait(self, limit: Duration) -> Fetched {
        tokio::select! {
            never = self.port.run(&self.shared) => match never {},
            () = self.shared.fetched.notified() => Fetched::Yes,
            () = tokio::time::sleep(limit) => Fetched::TooLate,
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
        let page: Page = "ec2".parse().unwrap();
        let url = site.url(&Secret::new("a+b/c=".into()), Some(&region), Some(&page)).unwrap();
        assert_eq!(
            url.expose(),
            "https://signin.aws.amazon.com/federation?Action=login&Issuer=sekisho&Destination=\
             https%3A%2F%2Fconsole.aws.amazon.com%2Fec2%2Fhome%3Fregion%3Dus-west-2&SigninToken=a%2Bb%2Fc%3D"
        );
        assert_eq!(
            site.url_after_sign_out(&Secret::new(
                "https://x/federation?Action=login&SigninToken=a%2B".into()
            ))
            .expose(),
            "https://signin.aws.amazon.com/oauth?Action=logout&redirect_uri=\
             https%3A%2F%2Fx%2Ffederation%3FAction%3Dlogin%26SigninToken%3Da%252B"
        );
        let console = "https://console.aws.amazon.com";
        let leads = |text: &str| site.destination(Some(&region), Some(&text.parse().unwrap()));
        for (text, expected) in [
            ("s3/buckets/x", "/s3/buckets/x?region=us-west-2"),
            ("s3/buckets/x?tab=objects", "/s3/buckets/x?tab=objects&region=us-west-2"),
            ("ec2/home#Instances:", "/ec2/home?region=us-west-2#Instances:"),
            ("ec2/home?region=eu-west-1#Instances:", "/ec2/home?region=eu-west-1#Instances:"),
        ] {
            assert_eq!(leads(text), Ok(format!("{console}{expected}")), "{text}");
        }
        for own in [console, "https://eu-west-1.console.aws.amazon.com/s3?x#y"] {
            assert_eq!(leads(own), Ok(own.to_owned()));
        }
        assert!(leads("https://console.amazonaws.cn/s3").is_err(), "another partition's");
        for wrong in [
            "",
            "EC2",
            "a b",
            "../x",
            "s3/../x",
            "s3//evil.example",
            "/s3",
            "https://evil.example/console.aws.amazon.com",
            "https://console.aws.amazon.com.evil.example/",
            "https://evilconsole.aws.amazon.com/",
            "https://console.aws.amazon.com@evil.example/",
            "https://console.aws.amazon.com:444/",
            "https://evil.example\\.console.aws.amazon.com/",
            "http://console.aws.amazon.com/",
            "javascript:alert(1)",
        ] {
            assert!(wrong.parse::<Page>().is_err(), "{wrong}");
        }
    }
}
