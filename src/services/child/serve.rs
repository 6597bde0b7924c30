//! The container-credentials endpoint: a child's tools fetch credentials here whenever theirs expire.
//!
//! Protocol: <https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html>. It listens
//! on 127.0.0.1 at a random port, or at one that a forwarding expects, and requires the token, which only the child's environment holds. Other users get nothing
//! even with it, where the kernel tells whose a connection is.

use std::convert::Infallible;
use std::io;
use std::num::NonZeroU16;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use http::request::Parts;
use http::{HeaderValue, StatusCode, header};
use http_body_util::Full;
use hyper::body::Bytes;
use serde_json::json;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::environment::Endpoint;
use super::loopback::{self, HttpResponse, Port, Service};
use crate::domain::fault::Fault;
use crate::domain::secret::Secret;

/// Not `/`: some SDKs refuse an endpoint without a path.
const PATH: &str = "/credentials";

/// How long those who ask wait for a new document while an older one is live.
const PATIENCE: Duration = Duration::from_millis(700);

/// An endpoint that listens, but does not answer before `run`.
pub struct Server {
    port: Port,
    token: Secret,
}

/// The reply to all waiting requests: the document, or why there is none.
type Reply = (StatusCode, Bytes);

/// A document being sent; wiped when the last response has been written.
struct Document(Secret);

impl AsRef<[u8]> for Document {
    fn as_ref(&self) -> &[u8] {
        self.0.expose().as_bytes()
    }
}

impl Server {
    /// Listens on this port, or on a free one, with a new token.
    pub async fn open(port: Option<NonZeroU16>) -> io::Result<Self> {
        let port = port.map_or(0, NonZeroU16::get);
        Ok(Self { port: Port::at(port).await?, token: loopback::token()? })
    }

    /// The URL and token for the child's environment.
    pub fn endpoint(&self) -> Endpoint {
        Endpoint { uri: format!("http://{}{PATH}", self.port.address()), token: self.token.copy() }
    }

    /// Serves until it is dropped. `issue` makes the document, one at a time for all who wait. Where that takes long, they
    /// get what is `live` meanwhile: some SDKs wait no longer than a second or two.
    pub async fn run(
        &self,
        issue: impl AsyncFn() -> Result<Secret, Fault>,
        live: impl Fn() -> Option<Secret>,
    ) -> Infallible {
        let (ask, mut asked) = mpsc::channel::<oneshot::Sender<Reply>>(1024);
        let desk = Arc::new(Credentials { token: self.token.copy(), ask });
        let renew = async {
            let mut issuing = Issuing(None);
            loop {
                let first = tokio::select! {
                    Some(first) = asked.recv() => first,
                    // Its document is stored, for those who ask next.
                    _ = issuing.next(), if issuing.0.is_some() => continue,
                };
                let since = issuing.0.get_or_insert_with(|| (Instant::now(), Box::pin(issue()))).0;
                let reply = match tokio::time::timeout_at(since + PATIENCE, issuing.next()).await {
                    Ok(issued) => to_reply(issued),
                    Err(_) => match live() {
                        Some(document) => to_reply(Ok(document)),
                        None => to_reply(issuing.next().await),
                    },
                };
                let _ = first.send(reply.clone());
                // Requests that came in meanwhile get the same document.
                while let Ok(next) = asked.try_recv() {
                    let _ = next.send(reply.clone());
                }
            }
        };
        tokio::select! {
            never = self.port.run(&desk) => never,
            never = renew => never,
        }
    }
}

/// The document in the making, and since when; at most one.
struct Issuing<F>(Option<(Instant, Pin<Box<F>>)>);

impl<F: Future<Output = Result<Secret, Fault>>> Issuing<F> {
    /// Waits for it; dropping the wait leaves it in the making.
    async fn next(&mut self) -> Result<Secret, Fault> {
        let Some((_, issuing)) = &mut self.0 else { return std::future::pending().await };
        let issued = issuing.await;
        self.0 = None;
        issued
    }
}

/// The credentials at [`PATH`], for whoever has the token.
struct Credentials {
    token: Secret,
    ask: mpsc::Sender<oneshot::Sender<Reply>>,
}

impl Service for Credentials {
    fn refusal(&self, parts: &Parts) -> Option<StatusCode> {
        // Browsers add these to every request of a page; no SDK does.
        if parts.headers.keys().any(|name| name.as_str().starts_with("sec-fetch-")) {
            return Some(StatusCode::FORBIDDEN);
        }
        let mut tokens = parts.headers.get_all(header::AUTHORIZATION).iter();
        let right = tokens.next().is_some_and(|given| self.token.is(given.as_bytes()));
        if !right || tokens.next().is_some() {
            return Some(StatusCode::FORBIDDEN);
        }
        (parts.uri.path() != PATH || parts.uri.query().is_some()).then_some(StatusCode::NOT_FOUND)
    }

    async fn respond(&self, _: &Parts) -> HttpResponse {
        let (sender, reply) = oneshot::channel();
        let _ = self.ask.send(sender).await;
        let Ok((status, document)) = reply.await else {
            return loopback::status(StatusCode::SERVICE_UNAVAILABLE);
        };
        let mut answer = loopback::status(status);
        let json = HeaderValue::from_static("application/json");
        answer.headers_mut().insert(header::CONTENT_TYPE, json);
        *answer.body_mut() = Full::new(document);
        answer
    }
}

fn to_reply(issued: Result<Secret, Fault>) -> Reply {
    match issued {
        Ok(document) => (StatusCode::OK, Bytes::from_owner(Document(document))),
        Err(fault) => {
            let message = std::iter::once(fault.what)
                .chain(fault.fix.into_iter().take(1))
                .collect::<Vec<_>>()
                .join(": ");
            let body = json!({"Code": "NoCredentials", "Message": message}).to_string();
            (StatusCode::SERVICE_UNAVAILABLE, body.into())
        }
    }
}
