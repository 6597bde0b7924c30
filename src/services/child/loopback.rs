//! HTTP for programs on this machine: 127.0.0.1 only, one request per connection, size and time limited.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use crate::domain::secret::Secret;

/// How many connections are handled at a time; others wait in the system's queue.
const MAX_CONNECTIONS: usize = 128;
/// How long a request's head may take to arrive.
const HEAD: Duration = Duration::from_secs(5);
/// How long a connection may last, response included: longer than a call to AWS.
const WHOLE: Duration = Duration::from_secs(40);
/// The largest request head, in bytes; hyper's minimum is 8192.
const LONGEST: usize = 16 * 1024;

/// A response with its whole body in memory.
pub type HttpResponse = Response<Full<Bytes>>;

/// A listening port on 127.0.0.1.
pub struct Port {
    listener: TcpListener,
    address: SocketAddr,
}

impl Port {
    /// Listens on a free port.
    pub async fn open() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }

    /// Where it listens; the only `Host` a request may name.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Handles every connection; the handler's second argument is the peer's address.
    pub async fn accept<F>(&self, handle: impl Fn(TcpStream, SocketAddr) -> F) -> Infallible
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let permits = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        loop {
            let permit = Arc::clone(&permits).acquire_owned().await;
            match self.listener.accept().await {
                Ok((stream, caller)) => {
                    let handled = handle(stream, caller);
                    tokio::spawn(async move {
                        handled.await;
                        drop(permit);
                    });
                }
                // Out of descriptors, for example: wait until other connections close.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    }
}

/// Answers one request of a connection and closes it. A request body is never read.
pub async fn answer<F>(stream: TcpStream, respond: impl Fn(Parts) -> F)
where
    F: Future<Output = HttpResponse>,
{
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request: Request<Incoming>| {
        let answer = respond(request.into_parts().0);
        async { Ok::<_, Infallible>(answer.await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(LONGEST)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    let _ = tokio::time::timeout(WHOLE, connection).await;
}

/// The status to reject a request with, whatever its path: a web page sent it, it names another host (DNS rebinding),
/// or it is not a plain GET.
pub fn refusal(parts: &Parts) -> Option<StatusCode> {
    let mut hosts = parts.headers.get_all(header::HOST).iter();
    let named = hosts.next().is_some_and(|host| is_loopback(host.as_bytes()));
    let alone = hosts.next().is_none() && parts.uri.authority().is_none();
    if !named || !alone || parts.headers.contains_key(header::ORIGIN) {
        return Some(StatusCode::FORBIDDEN);
    }
    let body = [header::CONTENT_LENGTH, header::TRANSFER_ENCODING];
    if parts.method != Method::GET {
        Some(StatusCode::METHOD_NOT_ALLOWED)
    } else if body.iter().any(|name| parts.headers.contains_key(name)) {
        Some(StatusCode::BAD_REQUEST)
    } else {
        None
    }
}

/// Whether a `Host` names this machine. AWS's C runtime sends it without the port, and behind a forwarded port it is
/// another one.
fn is_loopback(host: &[u8]) -> bool {
    let Ok(host) = std::str::from_utf8(host) else { return false };
    let rest = ["127.0.0.1", "localhost", "[::1]"].iter().find_map(|name| host.strip_prefix(name));
    let is_port =
        |port: &str| (1..=5).contains(&port.len()) && port.bytes().all(|b| b.is_ascii_digit());
    rest.is_some_and(|rest| rest.is_empty() || rest.strip_prefix(':').is_some_and(is_port))
}

/// 32 random bytes in hexadecimal, for URLs and headers.
pub fn token() -> io::Result<Secret> {
    let mut bytes = zeroize::Zeroizing::new([0; 32]);
    getrandom::fill(&mut *bytes).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(Secret::new(hex::encode(bytes.as_slice())))
}

/// An empty response that must not be cached.
pub fn status(status: StatusCode) -> HttpResponse {
    let mut answer = Response::new(Full::default());
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}
