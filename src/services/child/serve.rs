//! The container-credentials endpoint: a child's tools fetch credentials here whenever theirs expire.
//!
//! Protocol: <https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html>. It listens
//! on 127.0.0.1 at a random port and requires the token, which only the child's environment holds.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use http::request::Parts;
use http::{HeaderValue, StatusCode, header};
use http_body_util::Full;
use hyper::body::Bytes;
use serde_json::json;
use tokio::sync::{mpsc, oneshot};

use super::environment::Endpoint;
use super::loopback::{self, HttpResponse, Port};
use crate::domain::fault::Fault;
use crate::domain::secret::Secret;

/// Not `/`: some SDKs refuse an endpoint without a path.
const PATH: &str = "/credentials";

/// An endpoint that listens, but does not answer before `run`.
pub struct Server {
    port: Port,
    gate: Arc<Gate>,
}

/// What a request is checked against.
struct Gate {
    address: SocketAddr,
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
    /// Listens on a free port, with a new token.
    pub async fn open() -> io::Result<Self> {
        let port = Port::open().await?;
        let address = port.address();
        let token = loopback::token()?;
        let gate = Arc::new(Gate { address, token });
        Ok(Self { port, gate })
    }

    /// The URL and token for the child's environment.
    pub fn endpoint(&self) -> Endpoint {
        Endpoint {
            uri: format!("http://{}{PATH}", self.gate.address),
            token: self.gate.token.copy(),
        }
    }

    /// Serves until it is dropped. `issue` returns the document; it is called once for all waiting requests.
    pub async fn run(&self, mut issue: impl AsyncFnMut() -> Result<Secret, Fault>) -> Infallible {
        let (ask, mut asked) = mpsc::channel::<oneshot::Sender<Reply>>(1024);
        let accept = self.port.accept(|stream, _| {
            let (gate, ask) = (Arc::clone(&self.gate), ask.clone());
            async move {
                let respond = |parts| respond(parts, Arc::clone(&gate), ask.clone());
                loopback::answer(stream, respond).await;
            }
        });
        let renew = async {
            while let Some(first) = asked.recv().await {
                let reply = to_reply(issue().await);
                let _ = first.send(reply.clone());
                // Requests that came in meanwhile get the same document.
                while let Ok(next) = asked.try_recv() {
                    let _ = next.send(reply.clone());
                }
            }
            std::future::pending().await
        };
        tokio::select! {
            never = accept => never,
            never = renew => never,
        }
    }
}

impl Gate {
    /// The status to reject a request with, before anything about credentials is revealed.
    fn refusal(&self, parts: &Parts) -> Option<StatusCode> {
        if let Some(refused) = loopback::refusal(parts) {
            return Some(refused);
        }
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
}

async fn respond(
    parts: Parts,
    gate: Arc<Gate>,
    ask: mpsc::Sender<oneshot::Sender<Reply>>,
) -> HttpResponse {
    if let Some(refused) = gate.refusal(&parts) {
        return loopback::status(refused);
    }
    let (sender, reply) = oneshot::channel();
    let _ = ask.send(sender).await;
    let Ok((status, document)) = reply.await else {
        return loopback::status(StatusCode::SERVICE_UNAVAILABLE);
    };
    let mut answer = loopback::status(status);
    let json = HeaderValue::from_static("application/json");
    answer.headers_mut().insert(header::CONTENT_TYPE, json);
    *answer.body_mut() = Full::new(document);
    answer
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
